package coldchain

import (
	"cmp"
	"slices"

	"coldkeep/sensor"
)

// forecasts tell when each of the batch's rules breaks if nobody does
// anything, the first one first; nil where nothing runs, or is to come. At the
// present temperature that is what the rules themselves say. At the present
// trend it is where the unit's outlook first crosses the rule's limit, and the
// rule's own time from there. A mean kinetic temperature and freeze–thaw
// cycles are not foretold.
//
// They are a function of the record, as all else is, but nothing is judged by
// them.
func (b *batch) forecasts(t sensor.Instant) []Forecast {
	if b.Where != stored && b.Where != outside || b.quarantined() {
		return nil
	}
	var o *outlook
	if b.Where == stored {
		o = b.unit.outlook(t)
	}
	var list []Forecast
	add := func(rule string, present sensor.Instant, at foretold) {
		if list == nil {
			list = make([]Forecast, 0, len(b.Rules)+2)
		}
		f := Forecast{Rule: rule}
		if present != never && present > t {
			f.AtPresent = &present
		}
		if at.mid != never && at.mid > t {
			f.AtTrend, f.Earliest = &at.mid, &at.early
			if at.late != never {
				f.Latest = &at.late
			}
		}
		if f.AtPresent != nil || f.AtTrend != nil {
			list = append(list, f)
		}
	}
	for _, s := range b.Rules {
		present, at := s.deadline(b), untold
		if o != nil && b.foretells(s) {
			at = o.foretell(s.m, present, s.deadlineFrom)
		}
		if present != never || at.mid != never {
			add(s.rule.ID, present, at)
		}
	}
	if !b.holds(RuleExcursion) {
		present, at := never, untold
		for i := range b.Sides {
			s := &b.Sides[i]
			if b.allows(s) {
				continue
			}
			d := s.deadline(b)
			present = min(present, d)
			if o == nil || s.Confirmed || s.of.in&b.stage().set() == 0 {
				continue
			}
			x := o.foretell(s.m, d, func(from sensor.Instant) sensor.Instant { return from.Add(b.profile.Confirm) })
			if x.mid < at.mid {
				at = x
			}
		}
		if present != never || at.mid != never {
			add(RuleExcursion, present, at)
		}
	}
	if d := b.darkDeadline(); d != never {
		add(RuleUnmonitored, d, untold)
	}
	slices.SortStableFunc(list, func(x, y Forecast) int { return cmp.Compare(x.first(), y.first()) })
	return list
}

// first is when it is to be reckoned with.
func (f *Forecast) first() sensor.Instant {
	t := never
	for _, x := range []*sensor.Instant{f.AtPresent, f.AtTrend} {
		if x != nil {
			t = min(t, *x)
		}
	}
	return t
}

// FirstLost is the instant by which somebody must have come if no rule of the
// batch is to break: the earlier of what the present temperature gives and the
// early end of what the trend gives. Who is told a middle time comes too late
// in half of the cases. nil where neither tells one.
func (b *BatchState) FirstLost() *sensor.Instant {
	first := b.LostAt
	for i := range b.Forecasts {
		if e := b.Forecasts[i].Earliest; e != nil && (first == nil || *e < *first) {
			first = e
		}
	}
	return first
}

// foretold is when something happens at the present trend, as of a passing.
type foretold struct{ early, mid, late sensor.Instant }

var untold = foretold{never, never, never}

// foretells says whether a rule is one that a temperature can break here.
func (b *batch) foretells(s *ruleState) bool {
	r := s.rule
	if r.MKT || r.FreezeThaw || r.Unmonitored || s.Broken || s.m == nil || r.Total > 0 && s.Spent {
		return false
	}
	return r.Stage.set()&b.stage().set() != 0
}

// deadlineFrom is when the rule breaks if the batch is beyond its limit from
// an instant on, and was not before.
func (s *ruleState) deadlineFrom(from sensor.Instant) sensor.Instant {
	r := s.rule
	switch {
	case r.Total > 0 && r.Within > 0:
		m := measure{Open: true, Certain: true, Start: from, At: from, Window: s.m.Window, Spans: s.m.Spans}
		return m.reaches(millis(r.Within), s.allowed(), s.since(), false)
	case r.Total > 0:
		return from + sensor.Instant(max(0, s.allowed()-(s.m.Sum-s.Used)))
	}
	return from.Add(r.For)
}

// foretell says when what counts beyond the measure's limit breaks. present is
// when at the present temperature, after when from an instant on.
func (o *outlook) foretell(m *measure, present sensor.Instant, after func(sensor.Instant) sensor.Instant) foretold {
	away := o.rising == (m.Limit.Side == Above)
	if m.Open {
		switch {
		case present == never || !m.Certain:
			return untold
		case away:
			return foretold{present, present, present}
		}
		// It comes back: perhaps in time.
		switch lost := 1 - o.before(m.Limit.At, present); {
		case lost >= 0.95:
			return foretold{present, present, present}
		case lost >= 0.5:
			return foretold{present, present, never}
		}
		return untold
	}
	if !away {
		return untold
	}
	p := o.reach(m.Limit.At)
	if p.mid == never || p.early == never {
		return untold
	}
	if middle, early := float64(p.mid-o.at), float64(p.early-o.at); middle > forecastWide*early && middle-early > float64(forecastPast.Milliseconds()) {
		return untold // that wide a band helps nobody
	}
	x := foretold{after(p.early), after(p.mid), never}
	if p.late != never {
		x.late = after(p.late)
	}
	return x
}
