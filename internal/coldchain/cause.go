package coldchain

import (
	"fmt"
	"slices"
	"strings"

	"coldkeep/sensor"
)

// Stretches are the kinds of events that CausesOf asks for.
var Stretches = []Kind{ExcursionStarted, ExcursionEnded, GapStarted, GapEnded}

// A Cause is what quarantined a batch: a rule, and the stretch or gap of a
// unit in which it broke. Two batches of one cause may be decided on together.
type Cause struct {
	Rule  string          `json:"rule"`
	Kind  string          `json:"kind"`           // high, low, gap; outside; receipt, held, recall
	Unit  string          `json:"unit,omitempty"` // "" where no unit is the cause
	Start sensor.Instant  `json:"start"`
	End   *sensor.Instant `json:"end"` // nil: it goes on
	Text  string          `json:"text"`
	// What the unit's probes said about it: of a gap the readings on both sides
	// of it, of an excursion its extremes. nil where there is none.
	Before *LikeReading `json:"before,omitempty"`
	After  *LikeReading `json:"after,omitempty"`
	MinC   *sensor.Temp `json:"min_c,omitempty"`
	MaxC   *sensor.Temp `json:"max_c,omitempty"`
}

// A LikeReading is what a probe said at one end of a gap.
type LikeReading struct {
	Probe string         `json:"probe"`
	Time  sensor.Instant `json:"time"`
	Temp  sensor.Temp    `json:"temperature_c"`
}

func (c *Cause) same(o Cause) bool {
	return c.Rule == o.Rule && c.Kind == o.Kind && c.Unit == o.Unit && c.Start == o.Start && (c.Unit != "" || c.Text == o.Text)
}

// Likes are the batches that one decision may cover: quarantined by nothing
// but what quarantined the first.
type Likes struct {
	Causes  []Cause    `json:"causes"`
	Batches []LikeLine `json:"batches"` // the one asked for first
	Others  []LikeLine `json:"others"`  // they share a cause, but have been through more: each is decided on alone
}

// A LikeLine is one batch of Likes.
type LikeLine struct {
	Batch   string   `json:"batch"`
	Unit    string   `json:"unit,omitempty"`
	Vials   int      `json:"vials,omitempty"`
	Reasons []Reason `json:"reasons"` // those that wait for a decision
}

// Likes finds what may be decided on together with batch id. events are the
// journal's of the kinds of Stretches, in order. A *Refusal where the batch is
// unknown or not quarantined.
func (s *Snapshot) Likes(id string, events []Event) (Likes, error) {
	x := Likes{Causes: []Cause{}, Batches: []LikeLine{}, Others: []LikeLine{}}
	i := slices.IndexFunc(s.Batches, func(b BatchState) bool { return strings.EqualFold(b.ID, id) })
	if i < 0 {
		return x, refuse("not_found", "no batch %s is known: `coldkeep batch list` shows those that are", id)
	}
	first := &s.Batches[i]
	x.Causes = first.causes(events)
	if len(x.Causes) == 0 || first.Ended != nil {
		return x, refuse("conflict", "batch %s is not quarantined: there is nothing to decide", first.ID)
	}
	x.Batches = append(x.Batches, first.likeLine())
	for j := range s.Batches {
		b := &s.Batches[j]
		if j == i || b.Ended != nil {
			continue
		}
		shared, own := 0, b.causes(events)
		for _, c := range own {
			if slices.ContainsFunc(x.Causes, c.same) {
				shared++
			}
		}
		switch {
		case shared == 0:
		case shared == len(own):
			x.Batches = append(x.Batches, b.likeLine())
		default:
			x.Others = append(x.Others, b.likeLine())
		}
	}
	return x, nil
}

func (b *BatchState) likeLine() LikeLine {
	l := LikeLine{Batch: b.ID, Unit: b.Unit, Vials: b.Vials, Reasons: []Reason{}}
	for _, r := range b.Reasons {
		if !r.Released {
			l.Reasons = append(l.Reasons, r)
		}
	}
	return l
}

// causes are what the batch's open reasons come from, each once.
func (b *BatchState) causes(events []Event) []Cause {
	list := []Cause{}
	for _, r := range b.Reasons {
		if r.Released {
			continue
		}
		c := Cause{Rule: r.Rule, Kind: r.Rule, Start: r.At, Text: r.Text}
		if !r.byPerson() {
			c.Kind, c.Unit = "outside", b.unitAt(r.At)
			c.stretch(b, r.At, events)
		}
		if r.Rule == RuleRecall {
			c.Start = 0 // one that came later was recalled, too
		}
		if !slices.ContainsFunc(list, c.same) {
			list = append(list, c)
		}
	}
	return list
}

// unitAt is where the batch was at t: the unit that it was in last before it.
func (b *BatchState) unitAt(t sensor.Instant) string {
	for _, p := range b.Placements {
		if p.From <= t && (p.To == nil || t <= *p.To) {
			return p.Unit
		}
	}
	return ""
}

// stretch finds the excursion or gap of the unit that t lies in.
func (c *Cause) stretch(b *BatchState, t sensor.Instant, events []Event) {
	if c.Unit == "" {
		return
	}
	dark := b.isDark(c.Rule)
	side := b.sideOf(c.Rule)
	found := false
	for i := range events {
		e := &events[i]
		if e.Unit != c.Unit || e.Start > t {
			continue
		}
		gap := e.Kind == GapStarted || e.Kind == GapEnded
		if gap != dark || !gap && side != "" && e.Side != side {
			continue
		}
		switch e.Kind {
		case ExcursionStarted, GapStarted:
			c.Kind, c.Start, c.End, found = e.Side, e.Start, nil, true
			c.MinC, c.MaxC = nil, nil
		case ExcursionEnded, GapEnded:
			if !found || c.Start != e.Start {
				continue
			}
			if e.End != nil && *e.End < t {
				found = false
				continue
			}
			c.End, c.MinC, c.MaxC = e.End, e.Min, e.Max
		}
		if gap {
			c.Kind = "gap"
		}
	}
	if !found {
		// The unit itself stayed inside its range: only this batch's limit was passed.
		c.Kind, c.Start, c.End, c.MinC, c.MaxC = "limit", t, nil, nil, nil
	}
}

// sideOf is the side of the range that a rule is about; "" where it is both.
func (b *BatchState) sideOf(rule string) string {
	r := b.Profile.rule(rule)
	switch {
	case r == nil || r.Unmonitored || r.FreezeThaw:
		return ""
	case r.Limit.Side == Below:
		return "low"
	}
	return "high"
}

// Say tells in one line where the cause lay.
func (c *Cause) Say() string {
	end := "until now"
	if c.End != nil {
		end = "to " + c.End.String()
	}
	switch c.Kind {
	case "high":
		return fmt.Sprintf("%s was too warm, %s %s", c.Unit, c.Start, end)
	case "low":
		return fmt.Sprintf("%s was too cold, %s %s", c.Unit, c.Start, end)
	case "gap":
		return fmt.Sprintf("%s was without temperature, %s %s", c.Unit, c.Start, end)
	case "outside":
		return fmt.Sprintf("it was outside at %s", c.Start)
	case "limit":
		return fmt.Sprintf("%s passed its limit at %s", c.Unit, c.Start)
	}
	return c.Text
}
