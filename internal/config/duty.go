package config

import (
	"strings"
	"time"

	"coldkeep/alert"
	"coldkeep/sensor"
)

// duty reads who is told of alarms: channels, people, rotas, policies, and
// what depends on them.
func (p *reader) duty(f map[string]value) {
	d := &p.cfg.Duty
	*d = alert.Duty{Site: p.cfg.Site.Name, Location: p.cfg.Site.Location, Kinds: map[string]string{}, Wakes: alert.DefaultWakes(), Working: alert.Office, Worsens: alert.WorsensDefault, GapAhead: alert.GapDefault}
	d.Ask = p.cfg.Ask.Name
	if phone := p.cfg.Ask.Phone; phone != "" {
		d.Ask = strings.TrimPrefix(d.Ask+", "+phone, ", ")
	}
	p.cfg.Words = p.named(f["words"], false)
	d.Language = p.language(f["language"], p.cfg.Words != "")
	for _, x := range f["notify"].items() {
		p.notify(x)
	}
	for _, x := range f["people"].items() {
		p.people(x)
	}
	p.services()
	for _, x := range f["rotas"].items() {
		p.rota(x)
	}
	before := len(p.src.errs)
	policies := f["policies"].items()
	for _, x := range policies {
		p.policy(x)
	}
	// What is missing is told once what is there is right.
	if sound := len(p.src.errs) == before; sound && len(policies) > 0 {
		if len(d.People) == 0 {
			f["policies"].bad("there are policies and nobody to call: list people under `people:`")
		} else {
			p.covered(f["policies"])
		}
	}
	if len(p.src.errs) == before {
		p.uncovered()
	}
	p.wakes(f["wakes"])
	if w := f["working_hours"]; w.there() {
		if h, ok := hoursOf(w.fields("days", "from", "to")).read(w, alert.Office.Days); ok {
			d.Working = h
		}
	}
	if u := f["untracked_stock"]; u.there() {
		d.UntrackedStock, _ = u.boolean()
	}
	if w := f["worsens"]; w.there() {
		if t, ok := w.temp(); ok && (t < sensor.Temp(100) || t > sensor.Temp(20_000)) {
			w.bad("%s °C beyond where it was acknowledged; from 0.1 to 20 can be, 2 is usual", t)
		} else if ok {
			d.Worsens = int64(t)
		}
	}
	p.drill(f["drill"])
	if h := f["heartbeat"]; h.there() {
		g := h.fields("url_file")
		if !g["url_file"].there() {
			h.bad("the heartbeat needs `url_file: PATH` of a file that holds the URL: whoever knows the URL can speak for this machine")
		}
		p.cfg.Heartbeat.URLFile = p.secret(g["url_file"])
	}
}

// wakes reads changes to the table of who is woken for what.
func (p *reader) wakes(v value) {
	if !v.there() {
		return
	}
	f := v.fields("too_warm", "too_cold", "no_data", "mains_lost", "batch_lost", "batch_soon", "batch_flagged", "undeliverable", "unanswered", "peer_silent", "storage", "clock", "rota_gap", "calibration", "probe_lost", "probes_disagree", "check_missed", "expiry", "removed", "door_open", "drill", "other")
	for k, x := range f {
		if !x.there() {
			continue
		}
		kind := alert.Kind(k)
		def := p.cfg.Duty.Wakes[kind]
		w := alert.Wake(x.oneOf(string(def), string(alert.AtOnce), string(alert.InWorkingHours), string(alert.Never)))
		if w != alert.AtOnce {
			switch kind {
			case alert.BatchSoon:
				x.bad("a batch that is about to be lost wakes at any hour; leave this out")
			case alert.TooWarm, alert.TooCold, alert.NoData, alert.BatchLost:
				p.warn(x, "nobody gets out of bed for this any more: stock can be lost by the morning")
			}
		}
		p.cfg.Duty.Wakes[kind] = w
	}
}

func (p *reader) drill(v value) {
	if !v.there() {
		return
	}
	f := v.fields("every", "day", "at", "within")
	x := alert.DrillPlan{Day: 1, At: 10 * 60, Within: alert.DrillWithin}
	if !f["every"].there() {
		v.bad("how often is missing: `every: monthly` or `every: weekly`; without `drill` there is none")
		return
	}
	x.Every = alert.DrillEvery(f["every"].oneOf("", string(alert.Monthly), string(alert.Weekly)))
	switch d := f["day"]; {
	case !d.there():
	case x.Every == alert.Weekly:
		w, _ := d.weekday()
		x.Day = int(w)
	case x.Every == alert.Monthly:
		n := d.number(0)
		if n != float64(int(n)) || n < 1 || n > 28 {
			d.bad("a day that every month has: 1 to 28 can be")
		}
		x.Day = int(n)
	}
	if f["at"].there() {
		x.At, _ = f["at"].clock()
	}
	if w := f["within"]; w.there() {
		if x.Within, _ = w.span(); x.Within < time.Minute || x.Within > time.Hour {
			w.bad("%s to answer; from 1m to 1h can be, 10m is usual", x.Within)
		}
	}
	if len(p.cfg.Duty.People) == 0 {
		v.bad("a drill pages a person, and none is listed under `people:`")
	}
	p.cfg.Duty.Drill = x
}
