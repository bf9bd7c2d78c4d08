package coldchain

import (
	"slices"
	"strings"

	"coldkeep/sensor"
)

// A Signature is a person's decision about a batch: who, when, and what it
// means (21 CFR 11.50), with the reason that was given.
type Signature struct {
	Seq        uint64         `json:"seq"` // of the event
	At         sensor.Instant `json:"at"`
	By         string         `json:"by"`
	Meaning    string         `json:"meaning"`               // released, proposed to discard, …
	ProposedBy string         `json:"proposed_by,omitempty"` // the first of two signers
	Rules      []string       `json:"rules,omitempty"`       // the reasons that it answers
	Reason     string         `json:"reason,omitempty"`
	MakerRef   string         `json:"maker_ref,omitempty"`
	UseBy      string         `json:"use_by,omitempty"`
	Batch      string         `json:"batch,omitempty"` // where it was signed of the batch that this one was split off
}

// meanings are the decisions that a person signs, by the event that each is.
var meanings = map[Kind]string{BatchReleased: "released", BatchDiscarded: "discarded", VialsDiscarded: "discarded some vials", BatchHeld: "held back", LotRecalled: "recalled its lot",
	ProfileAdopted: "took another label for it", PlacementCorrected: "corrected where it was", DecisionProposed: "proposed"}

// SignedKinds are the kinds of events that Signatures are made of.
func SignedKinds() []Kind {
	list := []Kind{BatchSplit, BatchOpened}
	for k := range meanings {
		list = append(list, k)
	}
	slices.Sort(list)
	return list
}

// Signatures are those of a batch among events of the journal, in order of
// time; with those of the batch that it was split off, up to then.
func Signatures(events []Event, batch string) []Signature {
	list := []Signature{}
	of, until, seen := batch, never, map[string]bool{}
	for of != "" && !seen[strings.ToLower(of)] {
		seen[strings.ToLower(of)] = true
		parent, split := "", until
		for _, e := range events {
			mine := strings.EqualFold(e.Batch, of)
			if (e.Kind == BatchSplit || e.Kind == BatchOpened) && mine && e.FromBatch != "" {
				parent, split = e.FromBatch, min(split, e.Time)
			}
			mine = mine || slices.ContainsFunc(e.BatchIDs, func(id string) bool { return strings.EqualFold(id, of) })
			meaning := meanings[e.Kind]
			if meaning == "" || !mine || e.Time > until {
				continue
			}
			if e.Kind == DecisionProposed {
				meaning = "proposed to " + e.Decision
			}
			s := Signature{Seq: e.Seq, At: e.Time, By: e.By, Meaning: meaning, ProposedBy: e.ProposedBy, Rules: e.Rules, Reason: e.Reason, MakerRef: e.MakerRef, UseBy: e.UseBy}
			if !strings.EqualFold(of, batch) {
				s.Batch = of
			}
			list = append(list, s)
		}
		of, until = parent, split
	}
	slices.SortStableFunc(list, func(a, b Signature) int {
		switch {
		case a.At < b.At:
			return -1
		case a.At > b.At:
			return 1
		}
		return 0
	})
	return list
}

// Text tells the decision in one line, with when.
func (s Signature) Text(r Reader) string { return r.Clock(s.At) + ": " + s.What() }

// What tells the decision in one line.
func (s Signature) What() string {
	text := s.By + " " + s.Meaning
	if s.Batch != "" {
		text += " " + s.Batch
	}
	if len(s.Rules) > 0 {
		text += " (" + strings.Join(s.Rules, ", ") + ")"
	}
	if s.ProposedBy != "" {
		text += ", as " + s.ProposedBy + " had proposed"
	}
	if s.UseBy != "" {
		text += ", use by " + s.UseBy
	}
	if s.Reason != "" {
		text += ": " + s.Reason
	}
	if s.MakerRef != "" {
		text += " (maker's reference " + s.MakerRef + ")"
	}
	return text
}
