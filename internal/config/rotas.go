package config

import (
	"time"

	"coldkeep/alert"
)

// The minutes of a week, from Sunday 00:00.
const minutesOfWeek = 7 * 24 * 60

func (p *reader) rota(v value) {
	f := v.fields("id", "shifts", "overrides", "holidays")
	r := alert.Rota{ID: f["id"].id(v)}
	items := f["shifts"].items()
	if len(items) == 0 {
		v.bad("rota %s has no shifts: `shifts: [{from: \"18:00\", to: \"08:00\", people: […], starts: …}]`", r.ID)
	}
	var taken [minutesOfWeek]int // by which shift, from 1
	for i, x := range items {
		s, ok := p.shift(x)
		if !ok {
			continue
		}
		if other, at := occupy(&taken, s.Hours, i+1); other > 0 {
			line, _ := items[other-1].pos()
			x.bad("it overlaps with the shift in line %d on %s: shifts may touch, not overlap; a change for once is an override", line, inWeek(week.AddDate(0, 0, -1).Add(time.Duration(at)*time.Minute)))
			continue
		}
		r.Shifts = append(r.Shifts, s)
	}
	for _, x := range f["overrides"].items() {
		p.override(x, &r)
	}
	for _, x := range f["holidays"].items() {
		g := x.fields("date", "person")
		if !g["date"].there() || !g["person"].there() {
			x.bad("a holiday needs both: {date: 2026-12-25, person: …}")
			continue
		}
		d, ok1 := g["date"].date()
		who, ok2 := p.person(g["person"])
		h := alert.Holiday{Date: d.Format(day), Person: who}
		for _, other := range r.Holidays {
			if ok1 && other.Date == h.Date {
				g["date"].bad("%s stands here twice; one person is on call on a holiday", h.Date)
				ok1 = false
			}
		}
		if ok1 && ok2 {
			r.Holidays = append(r.Holidays, h)
		}
	}
	if p.callable(r.ID, f["id"]) {
		p.cfg.Duty.Rotas = append(p.cfg.Duty.Rotas, r)
		p.rotas = append(p.rotas, f["id"])
	}
}

// occupy marks the minutes of a shift; it gives the first that is another's.
func occupy(taken *[minutesOfWeek]int, h alert.Hours, by int) (other, at int) {
	length := (h.To - h.From + 24*60) % (24 * 60)
	if length == 0 {
		length = 24 * 60
	}
	for d, on := range h.Days {
		for m := 0; on && m < length; m++ {
			at := (d*24*60 + h.From + m) % minutesOfWeek
			if taken[at] > 0 && taken[at] != by {
				return taken[at], at
			}
			taken[at] = by
		}
	}
	return 0, 0
}

func (p *reader) shift(v value) (s alert.Shift, ok bool) {
	f := v.fields("days", "from", "to", "people", "starts")
	s.Hours, ok = hoursOf(f).read(v, everyDay)
	items := f["people"].items()
	if len(items) == 0 {
		v.bad("nobody is in the shift: `people: […]`, who take turns a week each")
		ok = false
	}
	for _, x := range items {
		who, fine := p.person(x)
		s.People = append(s.People, who)
		ok = ok && fine
	}
	switch {
	case f["starts"].there():
		var fine bool
		s.Starts, fine = f["starts"].date()
		ok = ok && fine
	case len(s.People) > 1:
		v.bad("`starts` is missing: the day on which the first has her first turn, as in starts: 2026-01-05; turns change on that day of the week")
		ok = false
	}
	return s, ok
}

func (p *reader) override(v value, r *alert.Rota) {
	f := v.fields("from", "to", "person")
	if !f["from"].there() || !f["to"].there() || !f["person"].there() {
		v.bad("an override needs three: {from: 2026-12-24T18:00, to: 2026-12-25T08:00, person: …}")
		return
	}
	from, ok1 := f["from"].siteTime(p.cfg.Site.Location)
	to, ok2 := f["to"].siteTime(p.cfg.Site.Location)
	who, ok3 := p.person(f["person"])
	if ok1 && ok2 && !from.Before(to) {
		f["to"].bad("%s is not after `from` %s; are they the wrong way round?", f["to"].str(""), f["from"].str(""))
		return
	}
	if !ok1 || !ok2 || !ok3 {
		return
	}
	for _, o := range r.Overrides {
		if from.Before(o.To) && o.From.Before(to) {
			v.bad("it overlaps with the override of %s from %s to %s: one person is on call at a time", o.Person, p.onSite(o.From), p.onSite(o.To))
			return
		}
	}
	r.Overrides = append(r.Overrides, alert.Override{From: from, To: to, Person: who})
}

func (p *reader) onSite(t time.Time) string {
	return t.In(p.cfg.Site.Location).Format("2006-01-02 15:04")
}

// uncovered warns of the first stretch of a plain week in which a policy would
// call a rota and nobody is on call.
func (p *reader) uncovered() {
	plain := p.cfg.Duty
	plain.Location = time.UTC
	for i, r := range plain.Rotas {
		if len(r.Shifts) == 0 {
			continue
		}
		called := false
		for _, x := range plain.Policies {
			called = called || x.Calls(r.ID)
		}
		if !called {
			p.warn(p.rotas[i], "no policy calls rota %s: its people are called with everyone only; name it in a step, `call: [%s]`", r.ID, r.ID)
			continue
		}
		r.Overrides, r.Holidays = nil, nil
		for _, g := range plain.RotaGaps(&r, week.AddDate(0, 0, -7), week.AddDate(0, 0, 14)) {
			if !g.From.Before(week) {
				p.warn(p.rotas[i], "nobody is on call by rota %s from %s to %s each week, and a policy calls it then: add a shift, or give the policy other hours with `during`", r.ID, inWeek(g.From), inWeek(g.To))
				break
			}
		}
	}
}
