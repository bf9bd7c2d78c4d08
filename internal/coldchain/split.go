package coldchain

import (
	"bytes"
	"cmp"
	"encoding/gob"
	"fmt"
	"slices"
	"strings"

	"coldkeep/sensor"
)

func (e *Evaluator) orderSplit(ev Event, c Command, b *batch) (Event, error) {
	switch {
	case c.Count == 0:
		return ev, refuse("bad_request", "how many vials of batch %s become a batch of their own? give --vials N", b.id())
	case b.Life.Vials > 0 && c.Count == b.Life.Vials:
		return ev, refuse("conflict", "batch %s has %d vials, and that is all of them: nothing would be left of it", b.id(), b.Life.Vials)
	}
	ev.Kind = BatchSplit
	return e.orderPart(ev, c, b)
}

// orderPart names the batch that some of b's vials become.
func (e *Evaluator) orderPart(ev Event, c Command, b *batch) (Event, error) {
	left, err := b.left(c)
	if err != nil {
		return ev, err
	}
	id := c.NewBatch
	switch {
	case id == "":
		for n := 2; ; n++ {
			if id = fmt.Sprintf("%s-%d", b.id(), n); e.find(id) == nil {
				break
			}
		}
	case !ValidID(id):
		return ev, refuse("bad_request", "batch %q is no id: letters, digits and hyphens are", id)
	case e.find(id) != nil:
		return ev, refuse("conflict", "batch %s is known already: an id is never used again; without --new one is made", e.find(id).id())
	}
	ev.FromBatch, ev.Batch, ev.Count, ev.Vials = b.id(), id, c.Count, left
	if at := b.placedAt(c.At); at != nil {
		ev.Unit = at.Unit
	}
	return ev, nil
}

// left is how many vials the batch has when c.Count of them are gone; 0 also
// where they are not counted.
func (b *batch) left(c Command) (int, error) {
	switch n := b.Life.Vials; {
	case n == 0:
		return 0, nil
	case c.Count > n:
		return 0, refuse("conflict", "batch %s has %d vials left: not %d", b.id(), n, c.Count)
	default:
		return n - c.Count, nil
	}
}

func (e *Evaluator) orderOpen(ev Event, c Command, b *batch) (Event, error) {
	if b.Opened != 0 {
		s := fmt.Sprintf("batch %s was opened at %s already", b.id(), b.Opened)
		if end := b.profile.inUseEnd(b.Opened); end != never {
			s += ": it may be used until " + end.String()
		}
		return ev, refuse("conflict", "%s", s)
	}
	if why := b.blocked(c.At); strings.TrimSpace(c.Reason) == "" && len(why) > 0 {
		return ev, refuse("conflict", "batch %s must not be used: %s. If it was opened all the same, record it with why: --reason TEXT", b.id(), strings.Join(why, "; "))
	}
	ev.Kind, ev.Start = BatchOpened, c.At
	if b.profile.InUse > 0 {
		ev.UseByAt = earliest(c.At.Add(b.profile.InUse), b.Life.ExpiresAt, b.Life.UseByAt)
	}
	if c.Count != 0 && c.Count != b.Life.Vials {
		return e.orderPart(ev, c, b)
	}
	if c.NewBatch != "" {
		return ev, refuse("bad_request", "all of batch %s is opened: nothing is split off that %s could be. Give --vials N to open some", b.id(), c.NewBatch)
	}
	ev.Count = b.Life.Vials
	if at := b.placedAt(c.At); at != nil {
		ev.Unit = at.Unit
	}
	return ev, nil
}

// earliest is the first of instants, of which 0 stands for none.
func earliest(list ...sensor.Instant) (first sensor.Instant) {
	for _, t := range list {
		if t != 0 && (first == 0 || t < first) {
			first = t
		}
	}
	return first
}

// part makes the batch that some of b's vials become. It lives from ev.Time
// on: then it inherits.
func (e *Evaluator) part(b *batch, ev Event) {
	l := b.Life
	l.ID, l.FromBatch, l.Vials = ev.Batch, b.id(), ev.Count
	l.Papers, l.Before, l.Dispositions = slices.Clone(l.Papers), slices.Clone(l.Before), nil
	l.Placements = nil
	for _, p := range b.Life.Placements { // those that had begun, as they were then
		if p.From > ev.Time {
			continue
		}
		if p.To != nil && *p.To > ev.Time {
			p.To = nil
		}
		l.Placements = append(l.Placements, p)
	}
	x := e.addBatch(l, b.profile, b.Received)
	x.SplitAt, x.Touched = ev.Time, ev.Time
	x.Where, x.next = unborn, never
	for _, d := range b.Decisions {
		if d.At <= ev.Time {
			x.Decisions = append(x.Decisions, d)
		}
	}
	if b.Life.Vials > 0 {
		b.Life.Vials = max(0, b.Life.Vials-ev.Count)
	}
}

// inherit makes b, at t, what p is, to the millisecond: what it has been
// through, where it is, and why it is blocked. An alarm that p has raised is
// raised for b, too.
func (b *batch) inherit(e *Evaluator, p *batch, t sensor.Instant) {
	if b.Where != unborn || p == nil || p.Where == unborn {
		return
	}
	if p.unit != nil {
		p.unit.handExtremes()
	}
	x := p.copied()
	x.Life = b.Life
	// These came at their instant.
	x.Life.OpenedAt, x.Life.UseBy, x.Life.UseByAt = p.Life.OpenedAt, p.Life.UseBy, p.Life.UseByAt
	x.Ending, x.Uses, x.Decisions, x.SplitAt, x.Touched, x.seat = b.Ending, b.Uses, b.Decisions, b.SplitAt, b.Touched, b.seat
	x.AlarmRaised = false
	*b = *x
	if err := b.rejoin(e, p.unitID()); err != nil {
		panic("coldchain: split batch " + b.id() + ": " + err.Error()) // p is in the unit
	}
	if p.unit != nil {
		slices.SortStableFunc(p.unit.batches, func(x, y *batch) int { return cmp.Compare(x.seat, y.seat) })
	}
	if p.Where == outside && p.OutsideAt == t {
		e.limbo = append(e.limbo, b)
	}
	if p.AlarmRaised {
		b.alarm(e, t, p.AlarmRank, p.AlarmText)
	}
	e.stale = true
}

// copied is b anew, as a checkpoint keeps it: nothing of it is shared.
func (b *batch) copied() *batch {
	var buf bytes.Buffer
	x := &batch{}
	err := gob.NewEncoder(&buf).Encode(b)
	if err == nil {
		err = gob.NewDecoder(&buf).Decode(x)
	}
	if err != nil {
		panic("coldchain: " + err.Error()) // a checkpoint holds batches: they can always be written
	}
	x.profile = b.profile
	x.wire()
	return x
}
