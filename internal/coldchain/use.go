package coldchain

import (
	"strings"

	"coldkeep/sensor"
)

// treatmentMost is how long the number of a treatment may be.
const treatmentMost = 64

// A Use is vials of a batch that were used or thrown away.
type Use struct {
	At        sensor.Instant `json:"at"`
	Count     int            `json:"count,omitempty"` // 0: all that was left, which nobody had counted
	Discarded bool           `json:"discarded,omitempty"`
	Treatment string         `json:"treatment,omitempty"`
	By        string         `json:"by"`
	Reason    string         `json:"reason,omitempty"`
}

// orderEnd is of vials that are used or discarded: some of them, or all, which
// ends the batch's life.
func (e *Evaluator) orderEnd(ev Event, c Command, b *batch) (Event, error) {
	if c.Name == "discard" {
		if c.Treatment != "" {
			return ev, refuse("bad_request", "a treatment is named where vials are used, not where they are discarded")
		}
		return e.orderDiscard(ev, c, b)
	}
	if err := checkTreatment(c.Treatment); err != nil {
		return ev, err
	}
	if why := b.blocked(c.At); strings.TrimSpace(c.Reason) == "" && len(why) > 0 {
		return ev, refuse("conflict", "batch %s must not be used: %s. If it was used all the same, record it with why: --reason TEXT", b.id(), strings.Join(why, "; "))
	}
	ev.Treatment = c.Treatment
	return b.gives(ev, c, VialsUsed, BatchUsed)
}

// gives lets c.Count vials, or all, leave the batch.
func (b *batch) gives(ev Event, c Command, some, all Kind) (Event, error) {
	left, err := b.left(c)
	if err != nil {
		return ev, err
	}
	if at := b.placedAt(c.At); at != nil {
		ev.FromUnit = at.Unit
	}
	if c.Count != 0 && c.Count != b.Life.Vials {
		ev.Kind, ev.Count, ev.Vials = some, c.Count, left
		return ev, nil
	}
	if c.At < b.Touched {
		return ev, refuse("conflict", "something was done with batch %s at %s: its last vial cannot have gone before, at %s", b.id(), b.Touched, c.At)
	}
	ev.Kind, ev.Count, ev.Vials = all, b.Life.Vials, 0
	return ev, nil
}

// gave books vials that were used or discarded.
func (b *batch) gave(ev Event) {
	u := Use{At: ev.Time, Count: ev.Count, Treatment: ev.Treatment, By: ev.By, Reason: ev.Reason, Discarded: ev.Kind == VialsDiscarded || ev.Kind == BatchDiscarded}
	if ev.Count == 0 && (ev.Kind == BatchUsed || ev.Kind == BatchDiscarded) {
		u.Count = b.Life.Vials // written before the count was told
	}
	b.Uses = append(b.Uses, u)
	if n := b.Life.Vials; n > 0 && (ev.Kind == VialsUsed || ev.Kind == VialsDiscarded) {
		b.Life.Vials = max(0, n-ev.Count)
	}
}

// checkTreatment refuses what is no number of a treatment. The record must not
// hold the name of a patient, and what has a digit and no space in it is none.
func checkTreatment(s string) error {
	const chars = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-/."
	switch {
	case s == "":
		return nil
	case len(s) > treatmentMost:
		return refuse("bad_request", "the treatment number has %d characters: %d are the most", len(s), treatmentMost)
	case strings.ContainsFunc(s, func(r rune) bool { return !strings.ContainsRune(chars, r) }):
		return refuse("bad_request", "treatment %q: give the treatment's number (letters, digits, hyphen, slash, dot), never a patient's name", s)
	case !strings.ContainsAny(s, "0123456789"):
		return refuse("bad_request", "treatment %q has no digit in it: give the treatment's number, never a patient's name", s)
	}
	return nil
}
