package coldchain

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"coldkeep/sensor"
)

// ErrLate says that something happened at an instant that is closed already:
// it belongs into the record, and the record must be judged anew.
var ErrLate = errors.New("the instant is closed already")

func refuse(code, format string, args ...any) error {
	return &Refusal{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Order turns a command about one batch, or about a lot, into the event that
// the journal keeps, at c.At, which must be set. It changes nothing: Apply
// does. A command that cannot be done is a *Refusal. Orders takes one decision
// about several batches.
func (e *Evaluator) Order(c Command) (Event, error) {
	ev := Event{V: EventVersion, Time: c.At, By: c.By, Via: c.Via, ID: c.ID, Reason: c.Reason, Batch: c.Batch}
	if strings.TrimSpace(c.By) == "" {
		return ev, refuse("bad_request", "who does this? give --by NAME")
	}
	if c.Name == "recall" {
		return e.orderRecall(ev, c)
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
	if c.Name == "adopt" {
		return e.orderAdopt(ev, c, b)
	}
	if c.Name == "attach" {
		return e.orderAttach(ev, c, b)
	}
	if b.gone() {
		return ev, refuse("conflict", "batch %s is %s: nothing more can be done with it", b.id(), b.ending())
	}
	if c.At < b.Received {
		return ev, refuse("conflict", "batch %s was received at %s: nothing can have happened to it before", b.id(), b.Received)
	}
	if c.At < b.SplitAt {
		return ev, refuse("conflict", "batch %s was split off %s at %s: nothing can have happened to it before", b.id(), b.Life.FromBatch, b.SplitAt)
	}
	if c.Count < 0 {
		return ev, refuse("bad_request", "%d vials: give how many it is about", c.Count)
	}
	switch c.Name {
	case "place", "move", "return":
		return e.orderPlace(ev, c, b)
	case "take-out":
		return e.orderTakeOut(ev, c, b)
	case "split":
		return e.orderSplit(ev, c, b)
	case "open":
		return e.orderOpen(ev, c, b)
	case "use", "discard":
		return e.orderEnd(ev, c, b)
	case "hold":
		return e.orderHold(ev, c, b)
	case "release", "propose-release":
		return e.orderRelease(ev, c, b)
	case "propose-discard":
		return e.orderDiscard(ev, c, b)
	case "approve":
		return e.orderApprove(ev, c, b)
	}
	return ev, refuse("bad_request", "no command %q: there are receive, place, move, return, take-out, split, open, use, hold, recall, release, discard, approve, adopt, attach, count", c.Name)
}

// Earliest is the first instant at which the event changes what is judged: of
// a batch that was out before it came in, when it went out; of a profile that
// holds for a whole life, when that began. The event takes its place in the
// record there.
func (ev Event) Earliest() sensor.Instant {
	if ev.Kind == ProfileAdopted && ev.Start != 0 {
		return min(ev.Time, ev.Start)
	}
	return ev.Time - sensor.Instant(math.Round(ev.OutForS*1000))
}

// Apply lets an event of the journal that a person caused take its course, at
// its instant. Events are applied in order of Earliest. ErrLate where that is
// closed already; the batch's placements know of it all the same.
func (e *Evaluator) Apply(ev Event) error {
	from := ev.Earliest()
	late := from < e.now || from == e.now && e.closed
	deed := func(batch string) {
		if !late {
			e.plan(plan{At: ev.Time, Phase: phaseDeed, Batch: batch, Deed: &ev})
		}
	}
	switch ev.Kind {
	case BatchReceived:
		if err := e.receive(ev); err != nil {
			return err
		}
		deed(ev.Batch)
		return nil
	case LotRecalled:
		e.recalls = append(e.recalls, recall{Lot: ev.Lot, At: ev.Time, Reason: ev.Reason})
		deed("")
		if late {
			return ErrLate
		}
		return nil
	case ReadingsImported:
		e.importing(ev)
		return nil
	case UnitCounted:
		e.counted(ev)
		return nil
	}
	b := e.find(ev.Batch)
	if ev.FromBatch != "" && b == nil { // it comes to be by this
		if b = e.find(ev.FromBatch); b == nil {
			return fmt.Errorf("split batch %s off %s: that is not known", ev.Batch, ev.FromBatch)
		}
	}
	if b == nil {
		return nil // another kind of event
	}
	switch ev.Kind {
	case BatchPlaced, BatchMoved, BatchReturned:
		b.close(from)
		b.Life.Placements = append(b.Life.Placements, Placement{Unit: ev.Unit, From: ev.Time})
		b.touch(ev.Time)
		if !late {
			if ev.FromUnit != "" || from < ev.Time {
				e.plan(plan{At: from, Phase: phaseEnd, Batch: b.id()})
			}
			e.plan(plan{At: ev.Time, Phase: phaseBegin, Batch: b.id(), Unit: ev.Unit})
		}
	case BatchTakenOut:
		b.close(ev.Time)
		b.touch(ev.Time)
		if !late {
			e.plan(plan{At: ev.Time, Phase: phaseEnd, Batch: b.id()})
		}
	case BatchSplit, BatchOpened:
		b.touch(ev.Time)
		if ev.FromBatch != "" {
			e.part(b, ev)
		}
		deed(ev.Batch)
	case VialsUsed, VialsDiscarded:
		b.touch(ev.Time)
		b.gave(ev)
	case BatchHeld:
		deed(b.id())
	case DecisionProposed:
		b.sign(ev)
		deed(b.id())
	case BatchReleased:
		b.sign(ev)
		if !late {
			e.plan(plan{At: ev.Time, Phase: phaseRelease, Batch: b.id(), Rules: ev.Rules, Allow: ev.Spent, UseByAt: ev.UseByAt, UseBy: ev.UseBy})
		}
	case BatchDiscarded, BatchUsed:
		b.sign(ev)
		b.gave(ev)
		b.close(ev.Time)
		v := Discarded
		if ev.Kind == BatchUsed {
			v = Used
		}
		b.Ending = v
		if !late {
			e.plan(plan{At: ev.Time, Phase: phaseFinish, Batch: b.id(), End: v})
		}
	case ProfileAdopted:
		if b.Where != unplaced {
			return ErrLate // it holds from the beginning on
		}
		e.adopt(b, ev)
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

// befall lets happen, at t, what people did with a batch other than to move,
// release or end it. b is nil where it is about a whole lot.
func (e *Evaluator) befall(b *batch, ev Event, t sensor.Instant) {
	switch ev.Kind {
	case BatchReceived:
		if text := b.profile.arrivedWrong(ev.Arrival); text != "" {
			b.reason(e, Reason{Rule: RuleReceipt, At: t, Text: text})
		}
		if r := e.recalled(b.Life.Lot, t); r != nil {
			b.reason(e, Reason{Rule: RuleRecall, At: t, Text: r.text()})
		}
	case LotRecalled:
		e.recallAll(ev, t)
	case BatchHeld:
		if b.Where != ended {
			b.reason(e, Reason{Rule: RuleHeld, At: t, Text: "held back by " + ev.By + ": " + ev.Reason})
		}
	case BatchSplit:
		b.inherit(e, e.find(ev.FromBatch), t)
	case BatchOpened:
		if ev.FromBatch != "" {
			b.inherit(e, e.find(ev.FromBatch), t)
		}
		if b.Where != ended {
			b.open(e, t)
		}
	case DecisionProposed:
		if b.Where != ended {
			b.Proposal = proposalOf(ev)
		}
	}
}

// touch notes when something was done with the vials.
func (b *batch) touch(t sensor.Instant) { b.Touched = max(b.Touched, t) }

// blocked says why the batch must not be used at t, as far as is known now;
// nothing where it may.
func (b *batch) blocked(t sensor.Instant) (why []string) {
	for _, r := range b.Reasons {
		if r.At <= t && !r.Expires() && !b.wasReleased(r, t) {
			why = append(why, r.Text)
		}
	}
	why = append(why, b.outlived(t)...)
	if list := b.missing(t); len(list) > 0 {
		why = append(why, "papers are missing: "+missingText(list, b.Life.Origin))
	}
	return why
}

// wasReleased says whether a reason had been answered by t.
func (b *batch) wasReleased(r Reason, t sensor.Instant) bool {
	if !r.Released {
		return false
	}
	for _, d := range b.Decisions {
		if d.Decision == DecideRelease && !d.Proposed && d.At >= r.At && slices.Contains(d.Rules, r.Rule) {
			return d.At <= t
		}
	}
	return true
}

// Blocked is the same of a batch as it stands.
func (b *BatchState) Blocked(t sensor.Instant) []string {
	x := batch{Life: Life{Expiry: b.Expiry, ExpiresAt: b.ExpiresAt, UseBy: b.SignedUseBy, UseByAt: b.SignedUseByAt, Papers: b.Papers, Origin: b.Origin, OriginAt: b.OriginAt},
		Reasons: b.Reasons, Decisions: b.Decisions, profile: &b.Profile}
	if b.OpenedAt != nil {
		x.Opened = *b.OpenedAt
	}
	return x.blocked(t)
}

// close ends the placement that is open at t.
func (b *batch) close(t sensor.Instant) {
	if p := b.placedAt(t); p != nil {
		p.To = &t
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
		if strings.EqualFold(u.cfg.ID, id) && !u.gone && !u.logger {
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
		if !u.gone && !u.logger {
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

// showCustody tells what people did with the batch.
func (b *batch) showCustody(s *BatchState) {
	s.FromBatch = b.Life.FromBatch
	s.Decisions, s.Uses, s.Proposal = slices.Clip(b.Decisions), slices.Clip(b.Uses), b.Proposal
}
