package coldchain

import (
	"bytes"
	"encoding/json"
	"strings"
)

// orderAdopt lets the newest revision of a batch's profile, or another
// profile, hold for its whole life. The event carries it whole.
func (e *Evaluator) orderAdopt(ev Event, c Command, b *batch) (Event, error) {
	if strings.TrimSpace(c.Reason) == "" {
		return ev, refuse("bad_request", "why is batch %s judged by another revision of its label? give --reason TEXT", b.id())
	}
	id := c.Profile
	if id == "" {
		id = b.profile.ID
	}
	p := e.findProfile(id)
	switch {
	case p == nil && c.Profile == "":
		return ev, refuse("not_found", "profile %s of batch %s is not in the config any more; name another with --profile, there are %s", id, b.id(), e.profileIDs())
	case p == nil:
		return ev, refuse("not_found", "no profile %q is configured; there are %s", id, e.profileIDs())
	case sameProfile(p, b.profile):
		return ev, refuse("conflict", "batch %s is judged by what the config says of %s already", b.id(), p.ID)
	}
	if err := p.checkSpent(b.Life.Before); err != nil {
		return ev, refuse("conflict", "what batch %s had been through before its record is told by the rules of %s, and cannot be told by those of this revision: %s", b.id(), b.profile.ID, err)
	}
	label := *p
	ev.Kind, ev.Profile, ev.Label, ev.Start = ProfileAdopted, p.ID, &label, b.Received
	return ev, nil
}

// families are the batches that take a label over together with those named:
// what was split shares its life, and its label, with what it was split off.
// The first of each family is the one that was received.
func (e *Evaluator) families(ids []string) ([]string, error) {
	root := func(b *batch) *batch {
		for b.Life.FromBatch != "" {
			p := e.find(b.Life.FromBatch)
			if p == nil {
				break
			}
			b = p
		}
		return b
	}
	taken := map[*batch]bool{}
	var list []string
	for _, id := range ids {
		b := e.find(id)
		if b == nil {
			list = append(list, id) // Order refuses it
			continue
		}
		if b.gone() {
			return nil, refuse("conflict", "batch %s is %s: nothing more can be done with it", b.id(), b.ending())
		}
		r := root(b)
		if taken[r] {
			continue
		}
		taken[r] = true
		list = append(list, r.id())
		for _, x := range e.batches {
			if x != r && root(x) == r {
				list = append(list, x.id())
			}
		}
	}
	return list, nil
}

// adopt begins the batch's judgement anew, under the label that the event
// carries. Nothing has happened to it yet: this comes at its receipt. What was
// split off takes it over by being split off.
func (e *Evaluator) adopt(b *batch, ev Event) {
	if ev.Label == nil || b.Life.FromBatch != "" {
		return
	}
	p := *ev.Label
	b.Life.Profile = p.ID
	x := newBatch(b.Life, &p, b.Received)
	x.seat, x.Decisions, x.Touched = b.seat, b.Decisions, b.Touched
	*b = *x
	e.stale = true
}

// sameProfile says whether both judge alike.
func sameProfile(a, b *Profile) bool {
	if a == b {
		return true
	}
	x, err := json.Marshal(a)
	y, err2 := json.Marshal(b)
	return err == nil && err2 == nil && bytes.Equal(x, y)
}

// hasNewer says whether the config has another revision of the batch's profile.
func (e *Evaluator) hasNewer(b *batch) bool {
	newer, known := e.outdone[b.profile]
	if !known {
		p := e.findProfile(b.profile.ID)
		newer = p != nil && !sameProfile(p, b.profile)
		if e.outdone == nil {
			e.outdone = map[*Profile]bool{}
		}
		e.outdone[b.profile] = newer
	}
	return newer
}
