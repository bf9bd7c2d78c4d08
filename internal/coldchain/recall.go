package coldchain

import (
	"slices"
	"strings"

	"coldkeep/sensor"
)

// A recall is a lot that must not be used, from At on.
type recall struct {
	Lot    string
	At     sensor.Instant
	Reason string
}

func (r *recall) text() string { return "lot " + r.Lot + " was recalled: " + r.Reason }

// sameLot compares lots as people type them.
func sameLot(a, b string) bool {
	return strings.EqualFold(strings.TrimSpace(a), strings.TrimSpace(b))
}

func (e *Evaluator) orderRecall(ev Event, c Command) (Event, error) {
	lot := strings.TrimSpace(c.Lot)
	if lot == "" {
		return ev, refuse("bad_request", "which lot is recalled? give --lot L")
	}
	if c.Batch != "" || len(c.BatchIDs) > 0 {
		return ev, refuse("bad_request", "a recall is of a lot, wherever it is: one batch is held back with `coldkeep batch hold`")
	}
	if strings.TrimSpace(c.Reason) == "" {
		return ev, refuse("bad_request", "why is lot %s recalled? give --reason TEXT", lot)
	}
	ev.Kind, ev.Batch = LotRecalled, ""
	for _, b := range e.batches {
		if sameLot(b.Life.Lot, lot) {
			lot = b.Life.Lot // as its label has it
			if !b.gone() {
				ev.BatchIDs = append(ev.BatchIDs, b.id())
			}
		}
	}
	ev.Lot = lot
	return ev, nil
}

// recalled is the recall that holds for a lot at t; nil where there is none.
func (e *Evaluator) recalled(lot string, t sensor.Instant) *recall {
	for i := range e.recalls {
		if r := &e.recalls[i]; r.At <= t && sameLot(r.Lot, lot) {
			return r
		}
	}
	return nil
}

// recallAll quarantines every batch of the lot whose life goes on.
func (e *Evaluator) recallAll(ev Event, t sensor.Instant) {
	r := recall{Lot: ev.Lot, At: ev.Time, Reason: ev.Reason}
	for _, b := range e.batches {
		if b.Where != ended && b.Where != unborn && b.Received <= t && sameLot(b.Life.Lot, ev.Lot) && !b.holds(RuleRecall) {
			b.reason(e, Reason{Rule: RuleRecall, At: t, Text: r.text()})
		}
	}
}

func (e *Evaluator) orderHold(ev Event, c Command, b *batch) (Event, error) {
	if strings.TrimSpace(c.Reason) == "" {
		return ev, refuse("bad_request", "why is batch %s held back? give --reason TEXT", b.id())
	}
	for _, r := range b.Reasons {
		if r.Rule == RuleHeld && !r.Released {
			return ev, refuse("conflict", "batch %s is held back already, since %s: %s", b.id(), r.At, r.Text)
		}
	}
	ev.Kind = BatchHeld
	return ev, nil
}

// A LotTrace is what became of a lot: where each of its batches is, and every
// vial that left one.
type LotTrace struct {
	Lot     string     `json:"lot"`
	Recalls []Event    `json:"recalls"` // in order of time; empty: it was not recalled
	Batches []LotBatch `json:"batches"`
	Used    []LotUse   `json:"used"` // vials that were used, in order of time
	Gone    []LotUse   `json:"discarded"`
	// Lots are those known here, where this one is not.
	Lots []string `json:"lots,omitempty"`
}

// A LotBatch is a batch of the lot.
type LotBatch struct {
	Batch   string          `json:"batch"`
	Unit    string          `json:"unit,omitempty"` // "" while it is in none
	Outside *sensor.Instant `json:"outside_since,omitempty"`
	Ended   *sensor.Instant `json:"ended,omitempty"`
	Vials   int             `json:"vials,omitempty"` // left; 0 also where they are not counted
	Verdict Verdict         `json:"verdict"`
}

// A LotUse is vials of the lot that were used or discarded.
type LotUse struct {
	Batch string `json:"batch"`
	Use
}

// TraceLot tells what became of a lot. recalls are the journal's events of the
// kind lot_recalled.
func TraceLot(lot string, batches []BatchState, recalls []Event) LotTrace {
	x := LotTrace{Lot: strings.TrimSpace(lot), Recalls: []Event{}, Batches: []LotBatch{}, Used: []LotUse{}, Gone: []LotUse{}}
	for _, ev := range recalls {
		if ev.Kind == LotRecalled && sameLot(ev.Lot, lot) {
			x.Recalls = append(x.Recalls, ev.Public())
		}
	}
	for i := range batches {
		b := &batches[i]
		if !sameLot(b.Lot, lot) {
			if b.Lot != "" && !slices.Contains(x.Lots, b.Lot) {
				x.Lots = append(x.Lots, b.Lot)
			}
			continue
		}
		x.Lot = b.Lot
		line := LotBatch{Batch: b.ID, Unit: b.Unit, Outside: b.OutsideSince, Ended: b.Ended, Vials: b.Vials, Verdict: b.Verdict}
		if b.Ended != nil {
			line.Vials = 0
		}
		x.Batches = append(x.Batches, line)
		for _, u := range b.Uses {
			if u.Discarded {
				x.Gone = append(x.Gone, LotUse{b.ID, u})
			} else {
				x.Used = append(x.Used, LotUse{b.ID, u})
			}
		}
	}
	if len(x.Batches) > 0 {
		x.Lots = nil
	}
	for _, list := range [][]LotUse{x.Used, x.Gone} {
		slices.SortStableFunc(list, func(a, b LotUse) int { return int(min(1, max(-1, a.At-b.At))) })
	}
	slices.Sort(x.Lots)
	return x
}
