package alert

import (
	"slices"
	"time"
)

// A Gap is a stretch in which nobody is on call by a rota.
type Gap struct {
	Rota     string // its id
	From, To time.Time
}

// onCallAhead bounds how far ahead OnCall looks for a change.
const onCallAhead = 100 * 24 * time.Hour

// OnCall says who is on call at an instant, and until when that stays: at
// `until` it is somebody else or nobody. Without ok nobody is, until `until`.
// A zero until means that nothing changes in the next hundred days.
func (r *Rota) OnCall(at time.Time, loc *time.Location) (person string, until time.Time, ok bool) {
	person, ok = r.who(at, loc)
	const week = 7 * 24 * time.Hour
	for from := at; from.Before(at.Add(onCallAhead)); from = from.Add(week) {
		// A nanosecond early, so that a change at the seam of two weeks counts.
		for _, t := range r.edges(from.Add(-1), from.Add(week), loc) {
			if p, is := r.who(t, loc); t.After(at) && (p != person || is != ok) {
				return person, t, ok
			}
		}
	}
	return person, time.Time{}, ok
}

// Gaps are the stretches from `from` to `to` in which nobody is on call, in
// order, cut at both.
func (r *Rota) Gaps(from, to time.Time, loc *time.Location) []Gap {
	return r.stretches(from, to, r.edges(from, to, loc), func(t time.Time) bool {
		_, ok := r.who(t, loc)
		return !ok
	})
}

// who is on call: by an override, else on a holiday, else by the shifts.
func (r *Rota) who(at time.Time, loc *time.Location) (person string, ok bool) {
	for i := len(r.Overrides) - 1; i >= 0; i-- {
		if o := r.Overrides[i]; !at.Before(o.From) && at.Before(o.To) {
			return o.Person, true
		}
	}
	if len(r.Holidays) > 0 {
		today := dayOf(at, loc).String()
		for _, h := range r.Holidays {
			if h.Date == today {
				return h.Person, true
			}
		}
	}
	for i := range r.Shifts {
		if s := &r.Shifts[i]; len(s.People) > 0 {
			if d, _, _, ok := s.Hours.begun(at, loc); ok {
				return s.turn(d), true
			}
		}
	}
	return "", false
}

// dayOf is the date of the site that an instant belongs to: a day is from one
// 00:00 to the next, also where clocks are set back across midnight.
func dayOf(at time.Time, loc *time.Location) date {
	d := dateOf(at, loc) + 1
	for at.Before(d.clock(0, loc)) {
		d--
	}
	return d
}

// turn is whose turn it is in a shift that begins on a date. Weeks are counted
// on the calendar, from the day of Starts on.
func (s *Shift) turn(d date) string {
	days := int(d - calendar(s.Starts.Date()))
	week := days / 7
	if days < 0 {
		week = (days - 6) / 7
	}
	n := len(s.People)
	return s.People[(week%n+n)%n]
}

// edges are the instants strictly between two at which somebody else may be on
// call.
func (r *Rota) edges(from, to time.Time, loc *time.Location) []time.Time {
	var list []time.Time
	for _, o := range r.Overrides {
		list = append(list, o.From, o.To)
	}
	first, last := dateOf(from, loc)-1, dateOf(to, loc)+1
	for _, h := range r.Holidays {
		if t, err := time.Parse(time.DateOnly, h.Date); err == nil { // its parser answers for it
			if d := calendar(t.Date()); d >= first && d <= last {
				list = append(list, d.clock(0, loc), (d+1).clock(0, loc))
			}
		}
	}
	for i := range r.Shifts {
		list = r.Shifts[i].Hours.edges(list, from, to, loc)
	}
	return between(list, from, to)
}

// stretches are the parts from `from` to `to` in which something holds that
// changes at the edges only.
func (r *Rota) stretches(from, to time.Time, edges []time.Time, holds func(time.Time) bool) []Gap {
	if !from.Before(to) {
		return nil
	}
	var list []Gap
	open := false
	for _, t := range append([]time.Time{from}, edges...) {
		now := holds(t)
		switch {
		case now && !open:
			list = append(list, Gap{r.ID, t, to})
		case !now && open:
			list[len(list)-1].To = t
		}
		open = now
	}
	return list
}

// place is where the clocks are that the duty goes by.
func (d *Duty) place() *time.Location {
	if d.Location == nil {
		return time.UTC
	}
	return d.Location
}

// WorkingHours are Working, or Office where nothing is configured.
func (d *Duty) WorkingHours() Hours {
	if d.Working.Zero() {
		return Office
	}
	return d.Working
}

// Rota finds one by id; nil where there is none.
func (d *Duty) Rota(id string) *Rota {
	for i := range d.Rotas {
		if d.Rotas[i].ID == id {
			return &d.Rotas[i]
		}
	}
	return nil
}

// Who resolves the ids of a step, people, rotas and Everyone, to the ids of
// the people that are to be called, each once, in order. A rota with nobody on
// call gives nobody.
func (d *Duty) Who(ids []string, at time.Time) []string {
	var list []string
	seen := map[string]bool{}
	add := func(id string) {
		if !seen[id] && d.Person(id) != nil {
			seen[id] = true
			list = append(list, id)
		}
	}
	for _, id := range ids {
		if id == Everyone {
			for _, p := range d.People {
				add(p.ID)
			}
		} else if r := d.Rota(id); r != nil {
			if p, ok := r.who(at, d.place()); ok {
				add(p)
			}
		} else {
			add(id)
		}
	}
	return list
}

// Fits says whether the policy is for a trouble of this severity, of these
// units (none: of no unit), that began then.
func (p *Policy) Fits(severity Severity, units []string, began time.Time, loc *time.Location) bool {
	if p.Severity != "" && p.Severity != severity {
		return false
	}
	if p.During != nil && !p.During.Contains(began, loc) {
		return false
	}
	if len(p.Units) == 0 {
		return true
	}
	for _, u := range p.Units {
		if slices.Contains(units, u) {
			return true
		}
	}
	return false
}

// Policy is the first that fits. Where none does, it is a built-in one that
// calls everyone at once and goes on every 5 min, so that no trouble is left
// to nobody; nil where there are no people.
func (d *Duty) Policy(severity Severity, units []string, began time.Time) *Policy {
	for i := range d.Policies {
		if p := &d.Policies[i]; p.Fits(severity, units, began, d.place()) {
			return p
		}
	}
	if len(d.People) == 0 {
		return nil
	}
	return &Policy{ID: Everyone, Steps: []Step{{Call: []string{Everyone}, Repeat: RepeatDefault}}}
}

// gapMost is how far beyond what is asked Gaps looks for the beginning and the
// end of a gap: longer than any part of a weekly plan.
const gapMost = 8 * 24 * time.Hour

// Gaps are the gaps of rotas that are open now or begin within GapAhead, where
// some policy would call the rota then. Each is whole, so that it is known
// again as time goes on.
func (d *Duty) Gaps(now time.Time) []Gap {
	ahead := d.GapAhead
	if ahead <= 0 {
		ahead = GapDefault
	}
	var list []Gap
	for i := range d.Rotas {
		for _, g := range d.RotaGaps(&d.Rotas[i], now.Add(-gapMost), now.Add(ahead+gapMost)) {
			if g.To.After(now) && g.From.Before(now.Add(ahead)) {
				list = append(list, g)
			}
		}
	}
	return list
}

// RotaGaps are the stretches from `from` to `to` in which some policy would
// call the rota and nobody is on call by it.
func (d *Duty) RotaGaps(r *Rota, from, to time.Time) []Gap {
	loc := d.place()
	edges := r.edges(from, to, loc)
	for i := range d.Policies {
		if h := d.Policies[i].During; h != nil {
			edges = h.edges(edges, from, to, loc)
		}
	}
	return r.stretches(from, to, edges, func(t time.Time) bool {
		if _, ok := r.who(t, loc); ok {
			return false
		}
		for i := range d.Policies {
			if d.Policies[i].Calls(r.ID) && d.taken(i, t) {
				return true
			}
		}
		return false
	})
}

// taken says whether there can be a trouble for which a policy is taken that
// begins at an instant: no policy before it fits whenever it does.
func (d *Duty) taken(i int, at time.Time) bool {
	p := &d.Policies[i]
	if p.During != nil && !p.During.Contains(at, d.place()) {
		return false
	}
	for k := range i {
		if q := &d.Policies[k]; q.Covers(p) && (q.During == nil || q.During.Contains(at, d.place())) {
			return false
		}
	}
	return true
}

// Covers says whether the policy is for every severity and unit that another
// one is for, whatever the hours.
func (p *Policy) Covers(q *Policy) bool {
	if p.Severity != "" && p.Severity != q.Severity {
		return false
	}
	if len(p.Units) == 0 {
		return true
	}
	for _, u := range q.Units {
		if !slices.Contains(p.Units, u) {
			return false
		}
	}
	return len(q.Units) > 0
}

// Calls says whether a step names the person or rota.
func (p *Policy) Calls(id string) bool {
	return slices.ContainsFunc(p.Steps, func(s Step) bool { return slices.Contains(s.Call, id) })
}
