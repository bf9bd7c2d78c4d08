package coldchain

import (
	"fmt"
	"slices"
	"strings"

	"coldkeep/sensor"
)

// A tally is what a unit remembers of being counted.
type tally struct {
	First   sensor.Instant // when the first batch came into it; 0: none did
	Counted sensor.Instant // last; 0: never
}

// begin notes that a batch came in at t.
func (y *tally) begin(t sensor.Instant) {
	if y.First == 0 {
		y.First = t
	}
}

// countDue is when all that is in the unit is to be counted next; 0 where it
// never is, nothing is in it, or it left the config, which is an alarm already.
func (u *unit) countDue() sensor.Instant {
	if u.cfg.CountEvery == 0 || len(u.batches) == 0 || u.gone {
		return 0
	}
	return max(u.tally.First, u.tally.Counted).Add(u.cfg.CountEvery)
}

// counted notes that a unit was counted.
func (e *Evaluator) counted(ev Event) {
	if u := e.unitOf[ev.Unit]; u != nil {
		u.tally.Counted = max(u.tally.Counted, ev.Time)
	}
}

// orderCount holds the boxes that were found in a unit against the record. It
// moves nothing: what differs is signed with a reason, and the commands that
// would set the record right are named.
func (e *Evaluator) orderCount(ev Event, c Command) (Event, error) {
	u := e.findUnit(c.Unit)
	if u == nil {
		return ev, refuse("not_found", "no unit %q is configured; there are %s", c.Unit, e.unitIDs())
	}
	if c.Batch != "" {
		return ev, refuse("bad_request", "a count is of a unit and all that is in it: leave the batch %s out, or name it among what was found", c.Batch)
	}
	if c.At <= e.Now() {
		return ev, refuse("bad_request", "a count is told when it is made, and not for %s: leave --at out", c.At)
	}
	found, err := e.boxes(c.Counted)
	if err != nil {
		return ev, err
	}
	ev.Kind, ev.Unit, ev.Counted = UnitCounted, u.cfg.ID, found
	in := func(b *batch) bool {
		p := b.placedAt(c.At)
		return p != nil && p.Unit == u.cfg.ID
	}
	var lines []string
	for _, b := range e.batches {
		if in(b) && !slices.ContainsFunc(found, func(x Counted) bool { return x.Batch == b.id() }) {
			ev.Missing = append(ev.Missing, b.id())
			lines = append(lines, "missing is "+b.id()+vialsText(b.Life.Vials))
		}
	}
	for _, x := range found {
		b := e.find(x.Batch)
		switch {
		case b == nil:
			ev.Unexpected = append(ev.Unexpected, x.Batch)
			lines = append(lines, "unexpected is "+x.Batch+", which nobody has received here")
		case !in(b):
			ev.Unexpected = append(ev.Unexpected, b.id())
			lines = append(lines, "unexpected is "+b.id()+", which "+b.recordedAs(c.At))
		case x.Vials > 0 && b.Life.Vials > 0 && x.Vials != b.Life.Vials:
			ev.Differs = append(ev.Differs, Differing{Batch: b.id(), Recorded: b.Life.Vials, Found: x.Vials})
			lines = append(lines, fmt.Sprintf("%s has %d vials in the record, and %d were found", b.id(), b.Life.Vials, x.Vials))
		}
	}
	ev.Text = strings.Join(lines, "; ")
	if len(lines) > 0 && strings.TrimSpace(c.Reason) == "" {
		return ev, refuse("conflict", "%s is not as recorded: %s. Look again. If it is so, sign it by saying why: --reason TEXT. A count changes nothing; this would: %s",
			u.cfg.ID, ev.Text, strings.Join(MendCount(ev, e.Batches()), "; "))
	}
	return ev, nil
}

// boxes puts what was found under the batches' own ids, each once: a box that
// is scanned twice is one, and vials of two boxes of a batch are added up.
func (e *Evaluator) boxes(list []Counted) (found []Counted, err error) {
	for _, x := range list {
		if !ValidID(x.Batch) {
			return nil, refuse("bad_request", "batch %q is no id: letters, digits and hyphens are", x.Batch)
		}
		if x.Vials < 0 {
			return nil, refuse("bad_request", "%d vials of %s: give what was found, or leave the number out", x.Vials, x.Batch)
		}
		if b := e.find(x.Batch); b != nil {
			x.Batch = b.id()
		}
		i := slices.IndexFunc(found, func(y Counted) bool { return strings.EqualFold(y.Batch, x.Batch) })
		switch {
		case i < 0:
			found = append(found, x)
		case (found[i].Vials == 0) != (x.Vials == 0):
			return nil, refuse("bad_request", "%s was found once with a number of vials and once without: count the vials of all its boxes, or of none", x.Batch)
		default:
			found[i].Vials += x.Vials
		}
	}
	return found, nil
}

func vialsText(n int) string {
	switch n {
	case 0:
		return ""
	case 1:
		return " (1 vial)"
	}
	return fmt.Sprintf(" (%d vials)", n)
}

// recordedAs says where the record has the batch at t, other than where it was
// found.
func (b *batch) recordedAs(t sensor.Instant) string {
	switch {
	case b.gone():
		return "is recorded as " + string(b.ending())
	case b.placedAt(t) != nil:
		return "is recorded in " + b.placedAt(t).Unit
	case len(b.Life.Placements) == 0:
		return "was received and put nowhere"
	}
	return "is recorded as taken out"
}

// MendCount names, one each, the commands that would make the record what was
// counted, or what else is to be done.
func MendCount(ev Event, batches []BatchState) (list []string) {
	find := func(id string) *BatchState {
		for i := range batches {
			if strings.EqualFold(batches[i].ID, id) {
				return &batches[i]
			}
		}
		return nil
	}
	for _, id := range ev.Missing {
		list = append(list, fmt.Sprintf("`coldkeep batch take-out %s`, or move, use or discard it, as it was", id))
	}
	for _, id := range ev.Unexpected {
		b := find(id)
		switch {
		case b == nil:
			list = append(list, fmt.Sprintf("`coldkeep batch receive %s`, then `coldkeep batch place %s %s`; until then do not use it", id, id, ev.Unit))
		case b.Verdict == Used || b.Verdict == Discarded:
			list = append(list, fmt.Sprintf("%s is recorded as %s: do not use it; leave it cold and marked, and ask", id, b.Verdict))
		case b.Unit != "":
			list = append(list, fmt.Sprintf("`coldkeep batch move %s %s`", id, ev.Unit))
		default:
			list = append(list, fmt.Sprintf("`coldkeep batch place %s %s`", id, ev.Unit))
		}
	}
	for _, d := range ev.Differs {
		if n := d.Recorded - d.Found; n > 0 {
			list = append(list, fmt.Sprintf("`coldkeep batch use %s --vials %d`, or discard them, as it was", d.Batch, n))
			continue
		}
		list = append(list, fmt.Sprintf("%s has more vials than were received: look at their labels", d.Batch))
	}
	return list
}
