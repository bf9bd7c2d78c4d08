package config

import (
	"os"
	"strings"
	"time"

	"coldkeep/internal/coldchain"
	"coldkeep/sensor"
)

// Parse reads the operator's file. Everything that is wrong comes at once, as
// Errors in order of place; then there is no Config.
func Parse(file string, data []byte) (*Config, error) { return parse(file, data, true) }

// ParseForReplay reads the same file for judging a recording: where its probes
// were wired need not be said.
func ParseForReplay(file string, data []byte) (*Config, error) { return parse(file, data, false) }

func parse(file string, data []byte, wired bool) (*Config, error) {
	src, top, ok := open(file, data)
	if !ok {
		return nil, src.errs
	}
	p := &reader{src: src, cfg: &Config{File: file}, wired: wired,
		probes: map[string]*probe{}, ids: map[string]value{}}
	p.top(top)
	if len(src.errs) > 0 {
		return nil, src.errs.sorted()
	}
	p.cfg.Warnings = p.warns.sorted()
	return p.cfg, nil
}

// A reader goes through the file once, from top to bottom of what depends on
// what: sampling, probes, units, profiles.
type reader struct {
	src    *source
	cfg    *Config
	warns  Errors
	wired  bool
	probes map[string]*probe // by folded id
	ids    map[string]value  // kind and folded id

	channels []*channel
	rotas    []value // the ids of the rotas, in the order of Duty.Rotas
}

// A probe as the file has it, and the unit that it is in.
type probe struct {
	sensor.Probe
	at   value
	unit string
}

func (p *reader) warn(v value, format string, args ...any) {
	w := value{&source{file: p.src.file}, v.node, v.path}
	w.bad(format, args...)
	p.warns = append(p.warns, w.src.errs...)
}

// unique notes an id; ids are compared without case.
func (p *reader) unique(kind, id string, v value) bool {
	if id == "" {
		return false
	}
	key := kind + " " + strings.ToLower(id)
	if first, ok := p.ids[key]; ok {
		line, _ := first.pos()
		v.bad("there is a %s %q already, in line %d; ids are compared without case", kind, id, line)
		return false
	}
	p.ids[key] = v
	return true
}

func (p *reader) top(v value) {
	f := v.fields("site", "node", "storage", "sampling", "probes", "units", "contacts", "profiles", "products", "mqtt", "web", "ask", "notify", "people", "rotas", "policies", "wakes", "working_hours", "untracked_stock", "worsens", "drill", "heartbeat", "language", "words")
	c := p.cfg
	p.site(f["site"])
	host, _ := os.Hostname()
	c.Node = nodeID(host)
	if f["node"].there() {
		c.Node = f["node"].id(v)
	}
	c.Storage.Dir = "/var/lib/coldkeep"
	if s := f["storage"]; s.there() {
		c.Storage.Dir = s.fields("dir")["dir"].str(c.Storage.Dir)
	}
	c.Sampling = 10 * time.Second
	if s := f["sampling"]; s.there() {
		i := s.fields("interval")["interval"]
		c.Sampling = i.spanOr(c.Sampling)
		if c.Sampling < time.Second || c.Sampling > time.Hour {
			i.bad("%s; from 1s to 1h can be", c.Sampling)
			c.Sampling = 10 * time.Second
		}
	}
	if !f["probes"].there() {
		v.bad("probes are missing: list at least one under `probes:`")
	}
	for _, x := range f["probes"].items() {
		p.probe(x)
	}
	if !f["units"].there() {
		v.bad("units are missing: list at least one under `units:`")
	}
	for _, x := range f["units"].items() {
		p.unit(x)
	}
	for _, x := range f["profiles"].items() {
		p.profile(x)
	}
	p.products(f["products"])
	p.unused()
	p.late()
	p.outside(f)
	p.duty(f)
	p.contacts(f["contacts"])
}

// nodeID makes an id of a host's name.
func nodeID(host string) string {
	id := strings.Map(func(r rune) rune {
		if coldchain.ValidID(string(r)) {
			return r
		}
		return '-'
	}, host)
	if id == "" {
		return "node"
	}
	return id
}

func (p *reader) site(v value) {
	s := &p.cfg.Site
	*s = Site{ID: "site", Name: "", Timezone: "UTC", Location: time.UTC}
	if !v.there() {
		return
	}
	f := v.fields("id", "name", "timezone")
	s.ID = f["id"].id(v)
	s.Name = f["name"].str(s.ID)
	s.Timezone = f["timezone"].str("UTC")
	loc, err := time.LoadLocation(s.Timezone)
	if err != nil || s.Timezone == "Local" {
		f["timezone"].bad("%q is no time zone; names like Europe/London are", s.Timezone)
		return
	}
	s.Location = loc
}

func (p *reader) rng(v, parent value) (r coldchain.Range, ok bool) {
	if !v.there() {
		parent.bad("the range is missing: `range: {low: 2, high: 8}`")
		return r, false
	}
	f := v.fields("low", "high")
	if !f["low"].there() || !f["high"].there() {
		v.bad("a range needs both ends: {low: 2, high: 8}")
		return r, false
	}
	low, ok1 := f["low"].temp()
	high, ok2 := f["high"].temp()
	if ok1 && ok2 && low >= high {
		v.bad("low %s is not below high %s; are they the wrong way round?", low, high)
		return r, false
	}
	return coldchain.Range{Low: low, High: high}, ok1 && ok2
}

func (p *reader) unit(v value) {
	f := v.fields("id", "name", "range", "max_gap", "probes", "guard", "transport", "capacity", "count_every", "alarms")
	u := coldchain.Unit{ID: f["id"].ofOwn(v), MaxGap: f["max_gap"].spanOr(MaxGapDefault(p.cfg.Sampling))}
	u.Name = f["name"].str(u.ID)
	u.Range, _ = p.rng(f["range"], v)
	if u.MaxGap <= 0 {
		f["max_gap"].bad("a reading must stand for some time; three sampling intervals are usual")
	}
	if t := f["transport"]; t.there() {
		u.Transport, _ = t.boolean()
	}
	u.Capacity = p.capacity(f["capacity"])
	u.CountEvery = f["count_every"].spanOr(coldchain.DefaultCountEvery)
	p.unitProbes(f["probes"], v, &u)
	g := guard(f["guard"], u.Range)
	seen := map[string]bool{}
	for _, a := range f["alarms"].items() {
		r := p.alarm(a, u)
		if moved := (coldchain.Unit{Alarms: []coldchain.AlarmRule{r}}).WithGuard(g).Alarms[0]; g > 0 && r.Clear != nil && !r.Limit.Beyond(r.Clear.At) && moved.Limit.Beyond(r.Clear.At) {
			a.bad("it would be cleared at %s, which is beyond its limit less the guard, %s; move `clear` inwards, too", r.Clear.At, moved.Limit.At)
		}
		if r.ID == "" {
			continue
		}
		switch id := strings.ToLower(r.ID); id {
		case coldchain.RuleRemoved, "storage":
			a.bad("%q is the name of a built-in alarm; take another id", r.ID)
		}
		if seen[strings.ToLower(r.ID)] {
			a.bad("there is an alarm %q in this unit already", r.ID)
		}
		seen[strings.ToLower(r.ID)] = true
		u.Alarms = append(u.Alarms, r)
	}
	u = u.WithGuard(g)
	if p.unique("unit", u.ID, f["id"]) {
		p.cfg.Units = append(p.cfg.Units, u)
	}
}

// guard reads by how much limits are moved inwards. It must leave something of
// the range; what does not is an error, and no guard.
func guard(v value, r coldchain.Range) sensor.Temp {
	if !v.there() {
		return 0
	}
	g, ok := v.temp()
	switch {
	case !ok:
		return 0
	case g < 0:
		v.bad("a guard is °C and not negative: by how much the limits are moved inwards")
		return 0
	case r.Low < r.High && 2*g >= r.High-r.Low:
		v.bad("a guard of %s leaves nothing of the range %s; the probe's uncertainty is usual", g, r.Text())
		return 0
	}
	return g
}

// unitProbes joins a unit to its probes and finds which of them judge: those
// that say so; else the buffered ones; else all but the ambient.
func (p *reader) unitProbes(v, parent value, u *coldchain.Unit) {
	if !v.there() {
		parent.bad("unit %s has no probes: `probes: [ID]`", u.ID)
		return
	}
	var mine []*probe
	for _, x := range v.items() {
		id := x.str("")
		q := p.probes[strings.ToLower(id)]
		switch {
		case q == nil:
			x.bad("no probe %q is listed under `probes:`", id)
			continue
		case q.unit != "":
			x.bad("probe %s is in unit %s already; a probe is in one unit", q.ID, q.unit)
			continue
		}
		q.unit = u.ID
		mine = append(mine, q)
	}
	buffered := false
	for _, q := range mine {
		buffered = buffered || q.Medium == sensor.Buffered && (q.Judges == nil || *q.Judges)
	}
	judging := 0
	for _, q := range mine {
		j := q.Medium == sensor.Buffered || !buffered && q.Medium == sensor.Air
		if q.Judges != nil {
			j = *q.Judges
		}
		if j {
			judging++
			p.dated(q)
		}
		u.Probes = append(u.Probes, p.unitProbe(q, j))
	}
	if judging == 0 && len(mine) == len(v.items()) {
		v.bad("unit %s has no judging probe: nothing would watch it; give it a buffered or air probe, or say `judges: true`", u.ID)
	}
}

// unused warns of probes that are in no unit.
func (p *reader) unused() {
	for _, c := range p.cfg.Probes {
		if q := p.probes[strings.ToLower(c.ID)]; q.unit == "" {
			p.warn(q.at, "probe %s is in no unit: it is read and judges nothing", q.ID)
		}
	}
}

// limit reads `above` or `below`.
func (p *reader) limit(f map[string]value, v value) (l coldchain.Limit, ok bool) {
	above, below := f["above"], f["below"]
	switch {
	case above.there() && below.there():
		v.bad("above and below in one; make two of it")
		return l, false
	case above.there():
		l.Side = coldchain.Above
		l.At, ok = above.temp()
	case below.there():
		l.Side = coldchain.Below
		l.At, ok = below.temp()
	default:
		return l, false
	}
	if i := f["inclusive"]; i.there() {
		l.Inclusive, _ = i.boolean()
	}
	return l, ok
}

// times reads `for`, or `total` with `within`.
func (p *reader) times(f map[string]value, v value, needWithin bool) (consecutive, total, within time.Duration, ok bool) {
	for_, tot, win := f["for"], f["total"], f["within"]
	ok = true
	switch {
	case for_.there() && (tot.there() || win.there()):
		v.bad("`for` counts one stretch, `total` and `within` sum several; one of the two can be")
		ok = false
	case for_.there():
		consecutive, ok = for_.span()
	case tot.there():
		total, ok = tot.span()
		if ok && total == 0 {
			tot.bad("a sum of nothing is always reached; `for: 0s` acts at the first reading")
			ok = false
		}
		if win.there() {
			var fine bool
			within, fine = win.span()
			if ok && fine && within < total {
				win.bad("within %s no %s can be summed; make it longer than the total", within, total)
				ok = false
			}
			ok = ok && fine
		} else if needWithin {
			v.bad("`total` needs `within`: how far back to sum, as in within: 2h")
			ok = false
		}
	case win.there():
		v.bad("`within` needs `total`: how much of it may be, as in total: 30m")
		ok = false
	default:
		v.bad("how long it may last is missing: `for: 15m`, or `total: 30m` with `within: 2h`")
		ok = false
	}
	return consecutive, total, within, ok
}

func (p *reader) alarm(v value, u coldchain.Unit) coldchain.AlarmRule {
	f := v.fields("id", "above", "below", "inclusive", "for", "total", "within", "no_data", "severity", "clear")
	a := coldchain.AlarmRule{ID: f["id"].id(v), Severity: coldchain.Severity(f["severity"].oneOf("critical", "critical", "warning"))}
	if strings.EqualFold(a.ID, coldchain.RuleBatch) {
		f["id"].bad("%q is the alarm that a flagged batch raises; take another id", a.ID)
	}
	if f["no_data"].there() {
		for _, k := range []string{"above", "below", "inclusive", "for", "total", "within", "clear"} {
			if f[k].there() {
				f[k].bad("this does not go with no_data, which knows no limit")
			}
		}
		var ok bool
		if a.NoData, ok = f["no_data"].span(); ok && a.NoData == 0 {
			f["no_data"].bad("no data for no time is always; 10m is usual")
		}
		return a
	}
	if !f["above"].there() && !f["below"].there() {
		v.bad("alarm %s has no limit: give above, below or no_data", a.ID)
		return a
	}
	a.Limit, _ = p.limit(f, v)
	a.For, a.Total, a.Within, _ = p.times(f, v, true)
	if c := f["clear"]; c.there() {
		g := c.fields("at", "for")
		if !g["at"].there() {
			c.bad("`clear` needs `at`: the temperature at which it is well again")
			return a
		}
		at, ok := g["at"].temp()
		if ok && a.Limit.Beyond(at) {
			g["at"].bad("%s is beyond the alarm's own limit %s; it must be on the good side", at, a.Limit.At)
		}
		a.Clear = &coldchain.Clear{At: at, For: g["for"].spanOr(0)}
	}
	return a
}
