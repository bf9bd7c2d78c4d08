package coldchain

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"coldkeep/sensor"
)

// ErrLate says that something happened at an instant that is closed already:
// it belongs into the record, and the record must be judged anew.
var ErrLate = errors.New("the instant is closed already")

func refuse(code, format string, args ...any) error {
	return &Refusal{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Order turns a command into the event that the journal keeps, at c.At, which
// must be set. It changes nothing: Apply does. A command that cannot be done
// is a *Refusal.
func (e *Evaluator) Order(c Command) (Event, error) {
	ev := Event{V: EventVersion, Time: c.At, By: c.By, Via: c.Via, ID: c.ID, Reason: c.Reason, Batch: c.Batch}
	if strings.TrimSpace(c.By) == "" {
		return ev, refuse("bad_request", "who does this? give --by NAME")
	}
	if c.Name == "count" {
		return e.orderCount(ev, c)
	}
	if !ValidID(c.Batch) {
		return ev, refuse("bad_request", "batch %q is no id: letters, digits and hyphens are", c.Batch)
	}
	b := e.find(c.Batch)
	if c.Name == "receive" {
		return e.orderReceive(ev, c, b)
	}
	if b == nil {
		return ev, refuse("not_found", "no batch %s is known: `coldkeep batch list` shows those that are; a new one is received first", c.Batch)
	}
	ev.Batch = b.id()
	ev.Profile, ev.Lot, ev.Vials = b.profile.ID, b.Life.Lot, b.Life.Vials
	if c.Name == "attach" {
		return e.orderAttach(ev, c, b)
	}
	if b.gone() {
		return ev, refuse("conflict", "batch %s is %s: nothing more can be done with it", b.id(), b.ending())
	}
	if c.At < b.Received {
		return ev, refuse("conflict", "batch %s was received at %s: nothing can have happened to it before", b.id(), b.Received)
	}
	at := b.placedAt(c.At)
	switch c.Name {
	case "place", "move":
		u := e.findUnit(c.Unit)
		if u == nil {
			return ev, refuse("not_found", "no unit %q is configured; there are %s", c.Unit, e.unitIDs())
		}
		ev.Kind, ev.Unit, ev.Start = BatchPlaced, u.cfg.ID, c.At
		if c.Name == "move" {
			ev.Kind = BatchMoved
		}
		switch {
		case c.Name == "place" && at != nil:
			return ev, refuse("conflict", "batch %s is in %s since %s: move it, or take it out first", b.id(), at.Unit, at.From)
		case at != nil && at.Unit == u.cfg.ID:
			return ev, refuse("conflict", "batch %s is in %s already, since %s", b.id(), at.Unit, at.From)
		case at != nil:
			ev.FromUnit = at.Unit
		case c.Name == "move" && len(b.Life.Placements) == 0:
			return ev, refuse("conflict", "batch %s is in no unit yet: place it", b.id())
		}
		if r, p := u.cfg.Range, b.profile.Range; (r.Low < p.Low || r.High > p.High) && strings.TrimSpace(c.Reason) == "" {
			return ev, refuse("conflict", "%s is kept at %s, and batch %s needs %s: if it must go there all the same, say why: --reason TEXT", u.cfg.ID, r.Text(), b.id(), p.Text())
		}
		if later := b.placedAfter(c.At); later != nil {
			return ev, refuse("conflict", "batch %s is placed in %s from %s on: placements may not overlap", b.id(), later.Unit, later.From)
		}
	case "take-out":
		if at == nil {
			return ev, refuse("conflict", "batch %s is in no unit at %s", b.id(), c.At)
		}
		if later := b.placedAfter(c.At); later != nil || at.To != nil {
			return ev, refuse("conflict", "batch %s has later placements: it cannot be taken out at %s", b.id(), c.At)
		}
		ev.Kind, ev.FromUnit = BatchTakenOut, at.Unit
	case "release":
		return e.orderRelease(ev, c, b)
	case "discard", "use":
		ev.Kind = BatchDiscarded
		if c.Name == "use" {
			ev.Kind = BatchUsed
		}
		if why := b.blocked(c.At); c.Name == "use" && c.Reason == "" && len(why) > 0 {
			return ev, refuse("conflict", "batch %s must not be used: %s. If it was used all the same, record it with why: --reason TEXT", b.id(), strings.Join(why, "; "))
		}
		if c.Reason == "" && c.Name == "discard" {
			return ev, refuse("bad_request", "why is batch %s discarded? give --reason TEXT", b.id())
		}
		if at != nil {
			ev.FromUnit = at.Unit
		}
	default:
		return ev, refuse("bad_request", "no command %q: there are receive, place, move, take-out, release, discard, use", c.Name)
	}
	return ev, nil
}

func (e *Evaluator) orderReceive(ev Event, c Command, b *batch) (Event, error) {
	if b != nil {
		return ev, refuse("conflict", "batch %s is known already, received %s: an id is never used again", b.id(), b.Received)
	}
	p := e.findProfile(c.Profile)
	if p == nil {
		return ev, refuse("not_found", "no profile %q is configured; there are %s", c.Profile, e.profileIDs())
	}
	if c.Vials < 0 {
		return ev, refuse("bad_request", "%d vials: a batch has none or more", c.Vials)
	}
	ev.Kind, ev.Profile, ev.Lot, ev.Vials, ev.Expiry = BatchReceived, p.ID, c.Lot, c.Vials, c.Expiry
	ev.ExpiresAt, ev.GTIN, ev.Serial = c.ExpiresAt, c.GTIN, c.Serial
	return ev, nil
}

func (e *Evaluator) orderRelease(ev Event, c Command, b *batch) (Event, error) {
	if c.Reason == "" {
		return ev, refuse("bad_request", "why may batch %s be used? give --reason TEXT", b.id())
	}
	rules, err := b.answered(c.Rules)
	if err != nil {
		return ev, err
	}
	ev.Kind, ev.Rules = BatchReleased, rules
	return ev, nil
}

// answered are the reasons that a release answers: those named, or all that
// hold. A *Refusal where there is nothing to answer.
func (b *batch) answered(rules []string) ([]string, error) {
	open := []string{}
	for _, r := range b.Reasons {
		if !r.Released && !slices.Contains(open, r.Rule) {
			open = append(open, r.Rule)
		}
	}
	if len(open) == 0 {
		return nil, refuse("conflict", "batch %s is not quarantined: there is nothing to release", b.id())
	}
	if len(rules) == 0 {
		return open, nil
	}
	for _, r := range rules {
		if !slices.Contains(open, r) {
			return nil, refuse("bad_request", "batch %s is not quarantined by %q: it is by %s", b.id(), r, strings.Join(open, ", "))
		}
	}
	return rules, nil
}

// Apply lets an event of the journal that a person caused take its course at
// its instant. ErrLate where that is closed already; the batch's placements
// know of it all the same.
func (e *Evaluator) Apply(ev Event) error {
	late := ev.Time < e.now || ev.Time == e.now && e.closed
	if ev.Kind == ReadingsImported {
		e.importing(ev)
		return nil
	}
	if ev.Kind == BatchReceived {
		p := e.findProfile(ev.Profile)
		if ev.Label != nil {
			p = ev.Label // as it was when it was received, which is later
		}
		if p == nil {
			return fmt.Errorf("receive batch %s: no profile %q", ev.Batch, ev.Profile)
		}
		if ev.ExpiresAt == 0 && ev.Expiry != "" {
			ev.ExpiresAt = DayEnd(ev.Expiry, time.UTC) // written before the record told the instant
		}
		e.addBatch(Life{ID: ev.Batch, Profile: p.ID, Lot: ev.Lot, Vials: ev.Vials, Expiry: ev.Expiry, ExpiresAt: ev.ExpiresAt, GTIN: ev.GTIN, Serial: ev.Serial}, p, ev.Time)
		return nil
	}
	if ev.Kind == UnitCounted {
		e.counted(ev)
		return nil
	}
	b := e.find(ev.Batch)
	if b == nil {
		return nil // another kind of event
	}
	switch ev.Kind {
	case BatchPlaced, BatchMoved:
		b.close(ev.Time)
		b.Life.Placements = append(b.Life.Placements, Placement{Unit: ev.Unit, From: ev.Time})
		if !late {
			if ev.FromUnit != "" {
				e.plan(plan{At: ev.Time, Phase: phaseEnd, Batch: b.id()})
			}
			e.plan(plan{At: ev.Time, Phase: phaseBegin, Batch: b.id(), Unit: ev.Unit})
		}
	case BatchTakenOut:
		b.close(ev.Time)
		if !late {
			e.plan(plan{At: ev.Time, Phase: phaseEnd, Batch: b.id()})
		}
	case BatchReleased:
		if !late {
			e.plan(plan{At: ev.Time, Phase: phaseRelease, Batch: b.id(), Rules: ev.Rules, Allow: ev.Spent, UseByAt: ev.UseByAt, UseBy: ev.UseBy})
		}
	case BatchDiscarded, BatchUsed:
		b.close(ev.Time)
		v := Discarded
		if ev.Kind == BatchUsed {
			v = Used
		}
		b.Ending = v
		if !late {
			e.plan(plan{At: ev.Time, Phase: phaseFinish, Batch: b.id(), End: v})
		}
	case PaperAttached:
		e.attach(b, ev)
	default:
		return nil
	}
	if late {
		return ErrLate
	}
	return nil
}

// blocked says why the batch must not be used at t, as far as is known now;
// nothing where it may.
func (b *batch) blocked(t sensor.Instant) (why []string) {
	for _, r := range b.Reasons {
		if !r.Released && r.At <= t && !r.Expires() {
			why = append(why, r.Text)
		}
	}
	why = append(why, b.outlived(t)...)
	if list := b.missing(t); len(list) > 0 {
		why = append(why, "papers are missing: "+missingText(list, b.Life.Origin))
	}
	return why
}

// Blocked is the same of a batch as it stands.
func (b *BatchState) Blocked(t sensor.Instant) []string {
	x := batch{Life: Life{Expiry: b.Expiry, ExpiresAt: b.ExpiresAt, UseBy: b.SignedUseBy, UseByAt: b.SignedUseByAt, Papers: b.Papers, Origin: b.Origin, OriginAt: b.OriginAt},
		Reasons: b.Reasons, profile: &b.Profile}
	if b.OpenedAt != nil {
		x.Opened = *b.OpenedAt
	}
	return x.blocked(t)
}

// close ends the placement that is open at t.
func (b *batch) close(t sensor.Instant) {
	if n := len(b.Life.Placements); n > 0 && b.Life.Placements[n-1].To == nil {
		b.Life.Placements[n-1].To = &t
	}
}

func (b *batch) placedAt(t sensor.Instant) *Placement {
	for i := range b.Life.Placements {
		p := &b.Life.Placements[i]
		if p.From <= t && (p.To == nil || t < *p.To) {
			return p
		}
	}
	return nil
}

func (b *batch) placedAfter(t sensor.Instant) *Placement {
	for i := range b.Life.Placements {
		if b.Life.Placements[i].From > t {
			return &b.Life.Placements[i]
		}
	}
	return nil
}

// gone says whether a person has ended the batch's life, also where the
// instant has not been judged yet.
func (b *batch) gone() bool { return b.EndVerdict != "" || b.Ending != "" }

func (b *batch) ending() Verdict {
	if b.EndVerdict != "" {
		return b.EndVerdict
	}
	return b.Ending
}

func (e *Evaluator) find(id string) *batch {
	if b := e.batchOf[id]; b != nil {
		return b
	}
	for _, b := range e.batches {
		if strings.EqualFold(b.id(), id) {
			return b
		}
	}
	return nil
}

func (e *Evaluator) findUnit(id string) *unit {
	for _, u := range e.units {
		if strings.EqualFold(u.cfg.ID, id) && !u.gone {
			return u
		}
	}
	return nil
}

func (e *Evaluator) findProfile(id string) *Profile {
	for _, p := range e.profiles {
		if strings.EqualFold(p.ID, id) {
			return p
		}
	}
	return nil
}

func (e *Evaluator) unitIDs() string {
	var ids []string
	for _, u := range e.units {
		if !u.gone {
			ids = append(ids, u.cfg.ID)
		}
	}
	return strings.Join(ids, ", ")
}

func (e *Evaluator) profileIDs() string {
	var ids []string
	for id := range e.profiles {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return strings.Join(ids, ", ")
}

// ValidID says whether s can be an id: letters, digits and hyphens.
func ValidID(s string) bool {
	return s != "" && strings.Trim(s, "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") == ""
}
