package coldchain

import (
	"strings"
	"time"

	"coldkeep/sensor"
)

// outSlack is by how much a person's word of how long a batch was out may be
// less than what the record says, which then holds.
const outSlack = time.Minute

func (e *Evaluator) orderPlace(ev Event, c Command, b *batch) (Event, error) {
	at, last := b.placedAt(c.At), b.placedBy(c.At)
	out, err := b.outFor(c, last)
	if err != nil {
		return ev, err
	}
	if c.Name == "return" {
		if last == nil {
			return ev, refuse("conflict", "batch %s is in no unit yet: place it", b.id())
		}
		if c.Unit == "" && last.travels() {
			return ev, refuse("conflict", "batch %s came with %s and was in no unit here yet: place it", b.id(), last.Unit)
		}
		if c.Unit == "" {
			c.Unit = last.Unit
		}
	}
	u := e.findUnit(c.Unit)
	if u == nil {
		return ev, refuse("not_found", "no unit %q is configured; there are %s", c.Unit, e.unitIDs())
	}
	ev.Kind, ev.Unit, ev.Start, ev.OutForS = BatchPlaced, u.cfg.ID, c.At, out.Seconds()
	switch {
	case c.Name == "return" && at != nil && at.Unit != u.cfg.ID:
		return ev, refuse("conflict", "batch %s is in %s since %s, not in %s: move it", b.id(), at.Unit, at.From, u.cfg.ID)
	case c.Name == "return" && at != nil && out == 0:
		return ev, refuse("conflict", "batch %s is in %s already, since %s: if it was out meanwhile, say for how long: --out-for 4m", b.id(), at.Unit, at.From)
	case c.Name == "return":
		ev.Kind = BatchReturned
	case c.Name == "place" && at != nil && !at.travels():
		return ev, refuse("conflict", "batch %s is in %s since %s: move it, or take it out first", b.id(), at.Unit, at.From)
	case at != nil && at.Unit == u.cfg.ID && out == 0:
		return ev, refuse("conflict", "batch %s is in %s already, since %s", b.id(), at.Unit, at.From)
	case c.Name == "move" && last == nil:
		return ev, refuse("conflict", "batch %s is in no unit yet: place it", b.id())
	case c.Name == "move":
		ev.Kind = BatchMoved
	}
	if at != nil {
		ev.FromUnit = at.Unit
	}
	if r, p := u.cfg.Range, b.profile.RangeIn(b.stageIn(u)); (r.Low < p.Low || r.High > p.High) && strings.TrimSpace(c.Reason) == "" {
		return ev, refuse("conflict", "%s is kept at %s, and batch %s needs %s: if it must go there all the same, say why: --reason TEXT", u.cfg.ID, r.Text(), b.id(), p.Text())
	}
	if later := b.placedAfter(c.At); later != nil {
		return ev, refuse("conflict", "batch %s is placed in %s from %s on: placements may not overlap", b.id(), later.Unit, later.From)
	}
	return ev, nil
}

// stageIn is the stage that the batch would be in if it were in the unit.
func (b *batch) stageIn(u *unit) Stage {
	switch {
	case b.Opened != 0:
		return InUse
	case u.cfg.Transport:
		return Transport
	}
	return Storage
}

// outFor is how long the batch was out before it came in at c.At, beyond what
// the record knows. last is the newest placement by then.
func (b *batch) outFor(c Command, last *Placement) (time.Duration, error) {
	text := strings.TrimSpace(c.OutFor)
	if text == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, refuse("bad_request", "out for %q: write how long it was out as 4m, 90s or 1h30m", c.OutFor)
	}
	if d = d.Truncate(time.Millisecond); d == 0 {
		return 0, nil
	}
	if last == nil {
		return 0, refuse("conflict", "batch %s has been in no unit yet, so that it was not taken out of one: what it went through before its record is told at receipt, with --spent", b.id())
	}
	from := c.At.Add(-d)
	switch {
	case from <= last.From:
		return 0, refuse("conflict", "batch %s came into %s at %s: it cannot have been out for %s since", b.id(), last.Unit, last.From, durationText(d))
	case last.To == nil || from < *last.To:
		return d, nil
	case from <= last.To.Add(outSlack):
		return 0, nil // rounded: it went out when the record says
	}
	return 0, refuse("conflict", "batch %s is out since %s by the record, longer than %s: leave --out-for away, or say when it came in with --at", b.id(), *last.To, durationText(d))
}

// placedBy is the newest placement that has begun at t; nil where none has.
func (b *batch) placedBy(t sensor.Instant) *Placement {
	var last *Placement
	for i := range b.Life.Placements {
		if p := &b.Life.Placements[i]; p.From <= t && (last == nil || p.From >= last.From) {
			last = p
		}
	}
	return last
}

func (e *Evaluator) orderTakeOut(ev Event, c Command, b *batch) (Event, error) {
	at := b.placedAt(c.At)
	if at == nil {
		return ev, refuse("conflict", "batch %s is in no unit at %s", b.id(), c.At)
	}
	if later := b.placedAfter(c.At); later != nil || at.To != nil {
		return ev, refuse("conflict", "batch %s has later placements: it cannot be taken out at %s", b.id(), c.At)
	}
	ev.Kind, ev.FromUnit = BatchTakenOut, at.Unit
	return ev, nil
}
