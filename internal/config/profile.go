package config

import (
	"net/url"
	"slices"
	"strings"
	"time"

	toolkit "github.com/prometheus/exporter-toolkit/web"

	"coldkeep/internal/coldchain"
	"coldkeep/sensor"
)

func (p *reader) profile(v value) {
	f := v.fields("id", "title", "source", "range", "confirm", "outside", "unmonitored", "delta_h", "guard", "thaw_above", "thaw_for", "thaw_outside", "in_use", "stages", "signatures", "demands", "rules")
	x := coldchain.Profile{
		ID:          f["id"].id(v),
		Source:      strings.TrimSpace(f["source"].str("")),
		Confirm:     f["confirm"].spanOr(0),
		Unmonitored: f["unmonitored"].spanOr(coldchain.DefaultUnmonitored),
		DeltaH:      f["delta_h"].number(coldchain.DefaultDeltaH),
		Outside:     coldchain.Outside{As: coldchain.DefaultOutsideAs, Grace: coldchain.DefaultOutsideGrace},
	}
	x.Title = f["title"].str(x.ID)
	if x.Source == "" {
		v.bad("the source is missing: where do these limits come from? `source: \"label of …\"`")
	}
	if x.Unmonitored <= 0 {
		f["unmonitored"].bad("no time without data can never be kept; 30m is usual")
	}
	if x.DeltaH <= 0 {
		f["delta_h"].bad("an activation energy is above 0; 83.144 kJ/mol is usual")
	}
	var ok bool
	x.Range, ok = p.rng(f["range"], v)
	if o := f["outside"]; o.there() {
		g := o.fields("as", "grace")
		if g["as"].there() {
			x.Outside.As, _ = g["as"].temp()
		}
		x.Outside.Grace = g["grace"].spanOr(x.Outside.Grace)
	}
	p.thaw(f, &x)
	p.stages(f["stages"], &x)
	p.papers(f, &x)
	seen := map[string]bool{}
	for _, r := range f["rules"].items() {
		rule, fine := p.rule(r, x)
		key := strings.ToLower(rule.ID)
		switch {
		case key == "":
			continue
		case slices.Contains(builtInRules, key):
			r.bad("%q is the name of a built-in rule; take another id", rule.ID)
		case seen[key]:
			r.bad("there is a rule %q in this profile already", rule.ID)
		}
		seen[key] = true
		if fine {
			x.Rules = append(x.Rules, rule)
		}
	}
	g := guard(f["guard"], x.Range)
	for _, s := range x.Stages {
		if g > 0 && 2*g >= s.Range.High-s.Range.Low {
			f["guard"].bad("a guard of %s leaves nothing of the range %s in %s; the probe's uncertainty is usual", g, s.Range.Text(), s.Stage.Words())
		}
	}
	x = x.WithGuard(g)
	if !p.unique("profile", x.ID, f["id"]) || !ok {
		return
	}
	p.cfg.Profiles = append(p.cfg.Profiles, x)
	p.allowances(v, x)
	p.holders(v, x)
}

func (p *reader) rule(v value, x coldchain.Profile) (coldchain.Rule, bool) {
	f := v.fields("id", "above", "below", "inclusive", "for", "total", "within", "unmonitored", "mkt_above", "freeze_thaw", "stage")
	r := coldchain.Rule{ID: f["id"].id(v)}
	kinds := 0
	for _, k := range []string{"above", "below", "unmonitored", "mkt_above", "freeze_thaw"} {
		if f[k].there() {
			kinds++
		}
	}
	switch {
	case kinds == 0:
		v.bad("rule %s has no limit: give above, below, mkt_above, freeze_thaw or `unmonitored: true`", r.ID)
		return r, false
	case kinds > 1:
		v.bad("rule %s asks for several things at once; make a rule of each", r.ID)
		return r, false
	}
	var ok bool
	if f["stage"].there() {
		r.Stage = coldchain.Stage(f["stage"].oneOf("", stageNames...))
		if f["mkt_above"].there() || f["unmonitored"].there() || f["freeze_thaw"].there() {
			f["stage"].bad("a stage goes with above and below alone")
			return r, false
		}
	}
	switch {
	case f["freeze_thaw"].there():
		return p.cycles(f, x, r)
	case f["mkt_above"].there():
		r.MKT = true
		r.Limit.Side = coldchain.Above
		if r.Limit.At, ok = f["mkt_above"].temp(); !ok {
			return r, false
		}
		for _, k := range []string{"for", "total", "inclusive"} {
			if f[k].there() {
				f[k].bad("this does not go with mkt_above, which needs `within` alone")
				ok = false
			}
		}
		if !f["within"].there() {
			v.bad("mkt_above needs `within`: the window, as in within: 24h")
			return r, false
		}
		var fine bool
		if r.Within, fine = f["within"].span(); fine && r.Within == 0 {
			f["within"].bad("a window must have a length, as in within: 24h")
			fine = false
		}
		if x.Range.Low < 0 {
			v.bad("a mean kinetic temperature says nothing about a range below 0 °C: it hides freezing and thawing; sum the time above the limit instead, with `total`")
			ok = false
		}
		return r, ok && fine
	case f["unmonitored"].there():
		r.Unmonitored = true
		b, is := f["unmonitored"].boolean()
		if is && !b {
			f["unmonitored"].bad("`unmonitored: true` makes the rule; leave it out otherwise")
		}
		if f["inclusive"].there() {
			f["inclusive"].bad("this does not go with unmonitored, which knows no limit")
		}
		if ok = is && b; !ok {
			return r, false
		}
		r.For, r.Total, r.Within, ok = p.times(f, v, false)
		if ok && r.Total == 0 && r.For == 0 {
			v.bad("no time without data can never be kept; give it some")
			return r, false
		}
	default:
		if r.Limit, ok = p.limit(f, v); !ok {
			return r, false
		}
		r.For, r.Total, r.Within, ok = p.times(f, v, false)
	}
	return r, ok
}

// allowances warns of each side of a range on which no rule gives time, and
// names the band in which a confirmed excursion quarantines at once. A stage
// that has a range of its own, or that a rule names, is looked at like the
// storage.
func (p *reader) allowances(v value, x coldchain.Profile) {
	if len(x.Rules) == 0 {
		return // said on purpose: any confirmed excursion quarantines
	}
	p.allowancesIn(v, x, coldchain.Storage, "")
	for _, s := range []coldchain.Stage{coldchain.Transport, coldchain.InUse} {
		if slices.ContainsFunc(x.Stages, func(o coldchain.StageRange) bool { return o.Stage == s }) || slices.ContainsFunc(x.Rules, func(r coldchain.Rule) bool { return r.Stage == s }) {
			p.allowancesIn(v, x, s, " in "+s.Words())
		}
	}
}

func (p *reader) allowancesIn(v value, x coldchain.Profile, stage coldchain.Stage, where string) {
	limits := x.RangeIn(stage)
	high, low := false, false
	nearHigh, nearLow := sensor.Hottest, sensor.AbsoluteZero
	anyHigh, anyLow := false, false
	for _, r := range x.Rules {
		switch {
		case r.MKT || r.Unmonitored || r.FreezeThaw || r.Stage != "" && r.Stage != stage:
		case r.Limit.Side == coldchain.Above:
			anyHigh = true
			high = high || r.Limit.At <= limits.High
			nearHigh = min(nearHigh, r.Limit.At)
		default:
			anyLow = true
			low = low || r.Limit.At >= limits.Low
			nearLow = max(nearLow, r.Limit.At)
		}
	}
	if !high && anyHigh {
		p.warn(v, "no rule gives time between %s and %s °C%s: a confirmed excursion there quarantines at once; say `above: %s` if the label allows some", limits.High, nearHigh, where, limits.High)
	} else if !high {
		p.warn(v, "no rule gives time above %s °C%s: a confirmed excursion there quarantines at once; say `above: %s` if the label allows some", limits.High, where, limits.High)
	}
	if !low && anyLow {
		p.warn(v, "no rule gives time between %s and %s °C%s: a confirmed excursion there quarantines at once; say `below: %s` if the label allows some", nearLow, limits.Low, where, limits.Low)
	} else if !low {
		p.warn(v, "no rule gives time below %s °C%s: a confirmed excursion there quarantines at once; say `below: %s` if the label allows some", limits.Low, where, limits.Low)
	}
}

// holders warns of a profile that no unit can hold.
func (p *reader) holders(v value, x coldchain.Profile) {
	for _, u := range p.cfg.Units {
		if label := x.Label(); !u.Transport && u.Range.Low >= label.Low && u.Range.High <= label.High {
			return
		}
	}
	if len(p.cfg.Units) > 0 {
		p.warn(v, "no unit's range lies inside %s of profile %s: nothing can hold its batches", x.Label().Text(), x.ID)
	}
}

// outside reads what tells the world: broker, pages, whom to ask.
func (p *reader) outside(f map[string]value) {
	c := p.cfg
	c.Web.Listen = ":8080"
	if w := f["web"]; w.there() {
		g := w.fields("listen", "command_token_file", "config_file", "url")
		c.Web.Listen = g["listen"].str(c.Web.Listen)
		c.Web.CommandTokenFile = g["command_token_file"].str("")
		if c.Web.URL = g["url"].str(""); c.Web.URL != "" {
			if u, err := url.Parse(c.Web.URL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
				g["url"].bad("%q is no address of pages; http://pi.local:8080 is", c.Web.URL)
			}
		}
		if x := g["config_file"]; x.there() {
			if c.Web.ConfigFile = p.named(x, false); c.Web.ConfigFile != "" {
				c.files[len(c.files)-1].check = toolkit.Validate
			}
		}
		if !strings.Contains(c.Web.Listen, ":") {
			g["listen"].bad("%q is no address; `:8080` or `127.0.0.1:8080` are", c.Web.Listen)
		}
	}
	if m := f["mqtt"]; m.there() {
		p.mqtt(m)
	}
	if a := f["ask"]; a.there() {
		g := a.fields("name", "phone")
		c.Ask = Ask{g["name"].str(""), g["phone"].str("")}
	}
}

// day is how a date is written.
const day = time.DateOnly
