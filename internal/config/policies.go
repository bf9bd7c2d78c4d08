package config

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"coldkeep/alert"
)

// How often a step calls again, and how long the next may wait.
const (
	repeatLeast = time.Minute
	repeatMost  = time.Hour
	afterLeast  = 30 * time.Second
	afterMost   = time.Hour
)

func (p *reader) policy(v value) {
	f := v.fields("id", "severity", "units", "during", "steps")
	x := alert.Policy{ID: f["id"].id(v)}
	if s := f["severity"]; s.there() {
		x.Severity = alert.Severity(s.oneOf("", string(alert.Critical), string(alert.Warning)))
	}
	if u := f["units"]; u.there() {
		items := u.items()
		if len(items) == 0 {
			u.bad("not one unit is in it; without `units` the policy is for all")
		}
		for _, y := range items {
			if id, ok := p.unitNamed(y); ok {
				x.Units = append(x.Units, id)
			}
		}
	}
	if d := f["during"]; d.there() {
		if h, ok := hoursOf(d.fields("days", "from", "to")).read(d, everyDay); ok {
			x.During = &h
		}
	}
	items := f["steps"].items()
	if len(items) == 0 {
		v.bad("policy %s has no steps: `steps: [{call: […]}, {call: [everyone], after: 5m, repeat: 5m}]`", x.ID)
	}
	for i, y := range items {
		x.Steps = append(x.Steps, p.step(y, i))
	}
	if n := len(items); n > 0 && !slices.Contains(x.Steps[n-1].Call, alert.Everyone) {
		items[n-1].bad("the last step of policy %s must call everyone, or a trouble could stay with somebody who sleeps: end with {call: [everyone], after: 10m, repeat: 5m}", x.ID)
	}
	if p.unique("policy", x.ID, f["id"]) && len(items) > 0 {
		for _, y := range p.cfg.Duty.Policies {
			if y.During == nil && y.Covers(&x) {
				p.warn(f["id"], "policy %s is never taken: %s, before it, fits whenever it does; put it first", x.ID, y.ID)
				break
			}
		}
		p.cfg.Duty.Policies = append(p.cfg.Duty.Policies, x)
	}
}

func (p *reader) unitNamed(v value) (string, bool) {
	s := v.str("")
	for _, u := range p.cfg.Units {
		if strings.EqualFold(u.ID, s) {
			return u.ID, true
		}
	}
	v.bad("no unit %q is listed under `units:`", s)
	return "", false
}

func (p *reader) step(v value, i int) alert.Step {
	f := v.fields("call", "after", "repeat")
	s := alert.Step{Repeat: alert.RepeatDefault}
	items := f["call"].items()
	if len(items) == 0 {
		v.bad("the step calls nobody: `call: [everyone]`, or ids of people and rotas")
	}
	for _, x := range items {
		if id, ok := p.callee(x); ok {
			s.Call = append(s.Call, id)
		}
	}
	switch a := f["after"]; {
	case a.there():
		s.After, _ = a.span()
		if i == 0 && s.After > afterMost || i > 0 && (s.After < afterLeast || s.After > afterMost) {
			a.bad("%s after the step before; from %s to %s can be, 5m is usual", s.After, afterLeast, afterMost)
		}
	case i > 0:
		v.bad("`after` is missing: how long the people of the step before have to answer, as in after: 5m")
	}
	if r := f["repeat"]; r.there() {
		if s.Repeat, _ = r.span(); s.Repeat < repeatLeast || s.Repeat > repeatMost {
			r.bad("%s; from %s to %s can be, 5m is usual", s.Repeat, repeatLeast, repeatMost)
		}
	}
	return s
}

// callee reads what a step calls.
func (p *reader) callee(v value) (string, bool) {
	s := v.str("")
	if strings.EqualFold(s, alert.Everyone) {
		return alert.Everyone, true
	}
	for _, r := range p.cfg.Duty.Rotas {
		if strings.EqualFold(r.ID, s) {
			return r.ID, true
		}
	}
	for _, x := range p.cfg.Duty.People {
		if strings.EqualFold(x.ID, s) {
			return x.ID, true
		}
	}
	v.bad("no person and no rota %q is listed under `people:` and `rotas:`", s)
	return "", false
}

// covered finds hours and units for which no policy is there: an error where
// it is for what is critical, else a warning, for everyone is called then.
func (p *reader) covered(v value) {
	d := &p.cfg.Duty
	times := []time.Time{week}
	for _, x := range d.Policies {
		for i := 0; x.During != nil && i < 7; i++ {
			midnight := week.AddDate(0, 0, i)
			times = append(times, midnight.Add(time.Duration(x.During.From)*time.Minute), midnight.Add(time.Duration(x.During.To)*time.Minute))
		}
	}
	slices.SortFunc(times, time.Time.Compare)
	for _, severity := range []alert.Severity{alert.Critical, alert.Warning} {
		var stretches []string
		whose := map[string][]string{}
		look := func(of string, units []string) {
			if s := p.unfit(severity, units, times); s != "" {
				if whose[s] == nil {
					stretches = append(stretches, s)
				}
				whose[s] = append(whose[s], of)
			}
		}
		for _, u := range p.cfg.Units {
			look(u.ID, []string{u.ID})
		}
		look("no unit (power, disk, clock)", nil)
		for _, s := range stretches {
			msg := fmt.Sprintf("no policy fits a %s alarm of %s%s: end the list with one for all, {id: rest, steps: [{call: [everyone], repeat: 5m}]}", severity, strings.Join(whose[s], ", "), s)
			if severity == alert.Critical {
				v.bad("%s", msg)
			} else {
				p.warn(v, "%s; as it is everyone is called", msg)
			}
		}
	}
}

// unfit gives the first stretch of the week in which no policy fits, as
// " from Mon 08:00 to Mon 18:00", " at any time", or "" where there is none.
func (p *reader) unfit(severity alert.Severity, units []string, times []time.Time) string {
	fits := func(t time.Time) bool {
		return slices.ContainsFunc(p.cfg.Duty.Policies, func(x alert.Policy) bool { return x.Fits(severity, units, t, time.UTC) })
	}
	from := slices.IndexFunc(times, func(t time.Time) bool { return !fits(t) })
	if from < 0 {
		return ""
	}
	// A stretch that goes on from last week begins there.
	for i := 0; from == 0 && i < len(times); i++ {
		if fits(times[i]) {
			if next := slices.IndexFunc(times[i:], func(t time.Time) bool { return !fits(t) }); next >= 0 {
				from = i + next
			} else {
				return fmt.Sprintf(" from %s to %s", inWeek(week), inWeek(times[i]))
			}
			break
		}
	}
	for i := range times {
		if t := times[(from+i)%len(times)]; fits(t) {
			return fmt.Sprintf(" from %s to %s", inWeek(times[from]), inWeek(t))
		}
	}
	return " at any time"
}
