package coldchain

import (
	"fmt"
	"strconv"

	"coldkeep/sensor"
)

// WithGuard moves the limits of the unit's alarms inwards by g, so that they
// come before the range's end is reached as far as a probe can tell. The range
// and what is an excursion stay. The unit's limits must be as stated: a guard
// is set once.
func (u Unit) WithGuard(g sensor.Temp) Unit {
	u.Guard = g
	u.Alarms = append([]AlarmRule(nil), u.Alarms...)
	for i := range u.Alarms {
		if a := &u.Alarms[i]; a.NoData == 0 {
			a.Limit.At, a.Guard = a.Limit.inwards(g), g
		}
	}
	return u
}

// WithGuard moves the ends of the profile's ranges, and the limits of its
// rules, inwards by g: a batch is judged as if its label were so much
// narrower. A mean kinetic temperature is an average over hours, which one
// reading's uncertainty hardly moves; its limit stays. So does the thaw point:
// moved, two thaws could become one.
func (p Profile) WithGuard(g sensor.Temp) Profile {
	p.Guard = g
	p.Range = Range{Low: p.Range.Low + g, High: p.Range.High - g}
	p.Stages = append([]StageRange(nil), p.Stages...)
	for i := range p.Stages {
		r := &p.Stages[i].Range
		r.Low, r.High = r.Low+g, r.High-g
	}
	p.Rules = append([]Rule(nil), p.Rules...)
	for i := range p.Rules {
		if r := &p.Rules[i]; !r.MKT && !r.Unmonitored && !r.FreezeThaw {
			r.Limit.At, r.Guard = r.Limit.inwards(g), g
		}
	}
	return p
}

// Label is the range as it stands on the label, without the guard.
func (p *Profile) Label() Range { return p.unguarded(p.Range) }

// LabelIn is the same for a stage.
func (p *Profile) LabelIn(s Stage) Range { return p.unguarded(p.RangeIn(s)) }

func (p *Profile) unguarded(r Range) Range {
	return Range{Low: r.Low - p.Guard, High: r.High + p.Guard}
}

// RangeText says in which range a batch is kept, and what the guard has taken of it.
func (p *Profile) RangeText() string { return p.rangeText(p.Range) }

func (p *Profile) rangeText(r Range) string {
	if p.Guard == 0 {
		return r.Text()
	}
	return fmt.Sprintf("%s (the label's %s less a guard of %s)", r.Text(), p.unguarded(r).Text(), bareDegrees(p.Guard))
}

// inwards is the limit's place when it is moved inwards by g.
func (l Limit) inwards(g sensor.Temp) sensor.Temp {
	if l.Side == Below {
		return l.At + g
	}
	return l.At - g
}

// guarded says the limit in words, and from where a guard has moved it.
func (l Limit) guarded(g sensor.Temp) string {
	switch {
	case g == 0:
		return l.text()
	case l.Side == Below:
		return fmt.Sprintf("%s (%s and a guard of %s)", l.text(), bareDegrees(l.At-g), bareDegrees(g))
	}
	return fmt.Sprintf("%s (%s less a guard of %s)", l.text(), bareDegrees(l.At+g), bareDegrees(g))
}

// bareDegrees writes a temperature as a limit is written, without its unit.
func bareDegrees(t sensor.Temp) string { return strconv.FormatFloat(t.Celsius(), 'f', -1, 64) }

// Borderline says whether t is inside the range, but closer to one of its ends
// than the uncertainty: whether it is really inside, the probe cannot tell.
func (r Range) Borderline(t, uncertainty sensor.Temp) bool {
	return t >= r.Low && t <= r.High && min(t-r.Low, r.High-t) < uncertainty
}
