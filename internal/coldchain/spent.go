package coldchain

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"coldkeep/sensor"
)

// checkSpent says whether a person can mean list by this label: what a batch
// had been through before its record, or what a signer allows anew. A
// *Refusal where a rule is unknown, sums nothing, or is given in the wrong
// measure.
func (p *Profile) checkSpent(list []Spent) error {
	seen := map[string]bool{}
	for _, x := range list {
		r := p.rule(x.Rule)
		switch {
		case r == nil || r.Total == 0 && !r.FreezeThaw:
			var sums []string
			for _, r := range p.Rules {
				if r.Total > 0 || r.FreezeThaw {
					sums = append(sums, r.ID)
				}
			}
			what := "has no rule " + x.Rule
			if r != nil {
				what = "has a rule " + x.Rule + ", which sums nothing up"
			}
			if len(sums) == 0 {
				return refuse("bad_request", "profile %s %s: none of its rules gives an allowance that can be spent", p.ID, what)
			}
			return refuse("bad_request", "profile %s %s: what can be spent is of %s", p.ID, what, strings.Join(sums, ", "))
		case seen[r.ID]:
			return refuse("bad_request", "rule %s is given twice: say it once, with the sum", r.ID)
		case x.S < 0 || x.Cycles < 0:
			return refuse("bad_request", "less than nothing was given for rule %s", r.ID)
		case r.FreezeThaw && (x.S != 0 || x.Cycles == 0):
			return refuse("bad_request", "rule %s counts freeze-thaw cycles: give their number, as %s=1", r.ID, r.ID)
		case !r.FreezeThaw && (x.Cycles != 0 || x.S == 0):
			return refuse("bad_request", "rule %s sums time: give a span, as %s=30m", r.ID, r.ID)
		case r.Within > 0 && x.ms() > millis(r.Within):
			return refuse("bad_request", "rule %s looks back over %s: no more than that can be spent in it", r.ID, durationText(r.Within))
		}
		seen[r.ID] = true
	}
	return nil
}

// CheckSpent is checkSpent for those who read what people write.
func (p *Profile) CheckSpent(list []Spent) error { return p.checkSpent(list) }

// rule finds a rule by its id, exactly as it is written; nil where there is none.
func (p *Profile) rule(id string) *Rule {
	for i := range p.Rules {
		if p.Rules[i].ID == id {
			return &p.Rules[i]
		}
	}
	return nil
}

func (x Spent) ms() int64 { return int64(math.Round(x.S * 1000)) }

// spent is what the batch had been through of a rule before its record.
func (l *Life) spent(rule string) Spent {
	for _, x := range l.Before {
		if x.Rule == rule {
			return x
		}
	}
	return Spent{}
}

// seed books what was spent before the record, which begins at t: for a window
// as if it had ended right then. Where a signer has allowed some anew before
// the batch was placed, that goes before.
func (b *batch) seed(t sensor.Instant) {
	for _, s := range b.Rules {
		ms := s.before.ms()
		if ms == 0 || s.m == nil || s.Anew {
			continue
		}
		s.m.Sum, s.m.SumCertain = ms, ms
		if s.m.Window > 0 {
			s.m.Spans = []span{{t - sensor.Instant(ms), t, true}}
		}
	}
}

// fireSpent breaks, where the record begins, what was spent already.
func (b *batch) fireSpent(e *Evaluator, t sensor.Instant) {
	for _, s := range b.Rules {
		if s.before.S > 0 && !s.Broken && !s.Anew && s.before.ms() >= millis(s.rule.Total) {
			b.breaks(e, s, t, false)
		}
	}
}

// allowed is how much the rule allows: ms, or cycles.
func (s *ruleState) allowed() int64 {
	switch {
	case s.Anew:
		return s.Limit
	case s.rule.FreezeThaw:
		return int64(s.rule.Cycles)
	}
	return millis(s.rule.Total)
}

// since is how far back a window counts at most.
func (s *ruleState) since() sensor.Instant {
	if s.Anew {
		return s.From
	}
	return ever
}

// used is how much a rule on a sum counts at t, in ms.
func (s *ruleState) used(t sensor.Instant, certainOnly bool) int64 {
	if w := millis(s.rule.Within); w > 0 {
		return s.m.between(max(t-sensor.Instant(w), s.since()), t, certainOnly)
	}
	used := s.m.total(t, certainOnly)
	switch {
	case s.Anew && certainOnly:
		used -= s.UsedCertain
	case s.Anew:
		used -= s.Used
	}
	return used
}

// answer lets a release answer the rule. What was spent stays spent: a sum is
// not told twice, and cycles with the next one.
func (s *ruleState) answer(x *thaws) {
	s.Broken, s.Spent, s.Anew = false, true, false
	_, s.Answered = s.cycles(x)
	s.Used, s.UsedCertain = 0, 0
}

// allowAnew gives what a signer allows anew from t on, in place of what the
// label still left of it.
func (b *batch) allowAnew(t sensor.Instant, list []Spent) {
	for _, x := range list {
		i := slices.IndexFunc(b.Rules, func(s *ruleState) bool { return s.rule.ID == x.Rule })
		if i < 0 {
			continue
		}
		s := b.Rules[i]
		s.Anew, s.Spent, s.From, s.Answered = true, false, t, 0
		if s.rule.FreezeThaw {
			s.Limit, s.Used, s.UsedCertain = int64(x.Cycles), int64(b.Thaws.Perhaps), int64(b.Thaws.AtLeast)
			continue
		}
		if b.Where == stored || b.Where == outside {
			s.m.fold(t)
		}
		s.Limit, s.Used, s.UsedCertain = x.ms(), s.m.Sum, s.m.SumCertain
	}
}

// allows says whether there is an allowance on this side now: the label's, or
// after a release what the signer has allowed anew.
func (b *batch) allows(s *side) bool {
	if !b.HasRelease {
		return s.allowance
	}
	return slices.ContainsFunc(b.Rules, func(r *ruleState) bool {
		return r.Anew && !r.Broken && r.rule.covers(s.m.Limit.Side, s.of)
	})
}

// text says in words what has broken the rule.
func (s *ruleState) text(x *thaws) string {
	switch {
	case s.rule.FreezeThaw:
		return s.cycleText(x)
	case s.Anew:
		r := s.rule
		r.Total = time.Duration(s.Limit) * time.Millisecond
		return r.Text() + " since the release"
	case s.before.S > 0:
		return fmt.Sprintf("%s, %s of it before its record", s.rule.Text(), durationText(time.Duration(s.before.ms())*time.Millisecond))
	}
	return s.rule.Text()
}
