package config

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"coldkeep/internal/coldchain"
	"coldkeep/sensor"
)

// LoadBatches reads a replay's file of batches: where each was from when to
// when. What is wrong with its content comes as Errors.
func (c *Config) LoadBatches(path string) ([]coldchain.Life, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read batches: %w", err)
	}
	return c.ParseBatches(path, data)
}

// ParseBatches is LoadBatches of bytes.
func (c *Config) ParseBatches(file string, data []byte) ([]coldchain.Life, error) {
	src, top, ok := open(file, data)
	if !ok {
		return nil, src.errs
	}
	p := &reader{src: src, cfg: c, ids: map[string]value{}}
	var lives []coldchain.Life
	list := top.fields("batches")["batches"]
	if !list.there() {
		top.bad("batches are missing: list them under `batches:`")
	}
	for _, v := range list.items() {
		if l, ok := p.life(v); ok {
			lives = append(lives, l)
		}
	}
	if len(src.errs) > 0 {
		return nil, src.errs.sorted()
	}
	return lives, nil
}

func (p *reader) life(v value) (coldchain.Life, bool) {
	before := len(p.src.errs)
	f := v.fields("id", "profile", "lot", "vials", "expiry", "opened", "before", "placements", "ended", "dispositions")
	l := coldchain.Life{ID: f["id"].id(v), Lot: f["lot"].str(""), Expiry: f["expiry"].str("")}
	p.unique("batch", l.ID, f["id"])
	if l.Expiry != "" {
		if _, err := time.Parse(day, l.Expiry); err != nil {
			f["expiry"].bad("%q is no date; YYYY-MM-DD is", l.Expiry)
		}
		l.ExpiresAt = coldchain.DayEnd(l.Expiry, p.cfg.Site.Location)
	}
	if n := f["vials"]; n.there() {
		x := n.number(0)
		if x < 0 || x != float64(int(x)) {
			n.bad("%v vials; a whole number is right", x)
		}
		l.Vials = int(x)
	}
	name := f["profile"].str("")
	var label *coldchain.Profile
	for i, x := range p.cfg.Profiles {
		if strings.EqualFold(x.ID, name) {
			l.Profile, label = x.ID, &p.cfg.Profiles[i]
		}
	}
	if !f["profile"].there() {
		v.bad("the profile of batch %s is missing", l.ID)
	} else if l.Profile == "" {
		f["profile"].bad("no profile %q is in %s", name, p.cfg.File)
	}
	items := f["placements"].items()
	if len(items) == 0 {
		v.bad("batch %s has no placements: `placements: [{unit: …, from: …, to: …}]`", l.ID)
	}
	for i, x := range items {
		pl, ok := p.placement(x, i == len(items)-1)
		if !ok {
			continue
		}
		if n := len(l.Placements); n > 0 {
			if last := l.Placements[n-1]; last.To != nil && pl.From < *last.To {
				x.bad("it begins at %s, before the placement in %s ends at %s; placements may touch, not overlap", pl.From, last.Unit, *last.To)
				continue
			}
		}
		l.Placements = append(l.Placements, pl)
	}
	if e := f["ended"]; e.there() {
		if at, ok := e.instant(); ok {
			l.Ended = &at
			if n := len(l.Placements); n > 0 && (l.Placements[n-1].To == nil || at < *l.Placements[n-1].To) {
				e.bad("the life ends before its last placement; `ended` is for a life that goes on after the last `to`")
			}
		}
	}
	l.Before = p.spent(f["before"], label)
	if o := f["opened"]; o.there() {
		l.OpenedAt = p.opened(o, l)
	}
	for _, x := range f["dispositions"].items() {
		if d, ok := p.disposition(x, l, label); ok {
			l.Dispositions = append(l.Dispositions, d)
			if d.Discard && l.OpenedAt >= d.At {
				f["opened"].bad("%s is after batch %s was discarded, at %s", l.OpenedAt, l.ID, d.At)
			}
		}
	}
	return l, len(p.src.errs) == before
}

// disposition reads what a person has decided of the batch.
func (p *reader) disposition(v value, l coldchain.Life, label *coldchain.Profile) (d coldchain.Disposition, ok bool) {
	f := v.fields("at", "decision", "by", "reason", "rules", "use_by", "allow")
	before := len(p.src.errs)
	if !f["at"].there() {
		v.bad("`at` is missing: when was it decided?")
	} else {
		d.At, _ = f["at"].instant()
	}
	switch {
	case !f["decision"].there():
		v.bad("`decision` is missing: release or discard")
	default:
		word := f["decision"].oneOf("", "release", "released", "discard", "discarded")
		d.Discard = strings.HasPrefix(word, "discard")
	}
	if d.By = f["by"].str(""); strings.TrimSpace(d.By) == "" {
		v.bad("`by` is missing: a decision has a person's name")
	}
	if d.Reason = f["reason"].str(""); strings.TrimSpace(d.Reason) == "" {
		v.bad("`reason` is missing: why was it decided so?")
	}
	for _, x := range f["rules"].items() {
		d.Rules = append(d.Rules, x.str(""))
	}
	if d.Discard && f["rules"].there() {
		f["rules"].bad("a discard answers nothing; rules are those that a release answers")
	}
	d.Allow = p.spent(f["allow"], label)
	for _, x := range d.Allow {
		if len(d.Rules) > 0 && !slices.Contains(d.Rules, x.Rule) {
			f["allow"].bad("rule %s is allowed something anew, but this release does not answer it: name it among the rules", x.Rule)
		}
	}
	if u := f["use_by"]; u.there() {
		d.UseBy = u.str("")
		d.UseByAt = coldchain.DayEnd(d.UseBy, p.cfg.Site.Location)
		switch {
		case d.UseByAt == 0:
			u.bad("%q is no date; YYYY-MM-DD is", d.UseBy)
		case d.At != 0 && d.UseByAt <= d.At:
			u.bad("%s was over when it was decided, at %s", d.UseBy, d.At)
		}
	}
	for _, k := range []string{"use_by", "allow"} {
		if d.Discard && f[k].there() {
			f[k].bad("a discarded batch is not used: this goes with a release alone")
		}
	}
	if n := len(l.Dispositions); n > 0 {
		switch last := l.Dispositions[n-1]; {
		case last.Discard:
			v.bad("batch %s was discarded at %s: nothing is decided of it afterwards", l.ID, last.At)
		case d.At < last.At:
			v.bad("it is earlier than the decision before, of %s; write them in order of time", last.At)
		}
	}
	if n := len(l.Placements); n > 0 {
		if d.At < l.Placements[0].From {
			v.bad("%s is before the batch came, at %s", d.At, l.Placements[0].From)
		}
		if last := l.Placements[n-1]; d.Discard && last.From >= d.At {
			v.bad("batch %s came into %s at %s, after it was discarded", l.ID, last.Unit, last.From)
		}
	}
	return d, len(p.src.errs) == before
}

// opened reads when it was opened or mixed.
func (p *reader) opened(v value, l coldchain.Life) sensor.Instant {
	at, ok := v.instant()
	n := len(l.Placements)
	if !ok || n == 0 {
		return 0
	}
	end := l.Ended
	if end == nil {
		end = l.Placements[n-1].To
	}
	switch {
	case at < l.Placements[0].From:
		v.bad("%s is before the batch came, at %s", at, l.Placements[0].From)
	case end != nil && at >= *end:
		v.bad("%s is after its life ended, at %s", at, *end)
	}
	return at
}

// spent reads what was used of rules before the record, or is allowed anew.
func (p *reader) spent(v value, label *coldchain.Profile) (list []coldchain.Spent) {
	for _, x := range v.items() {
		f := x.fields("rule", "spent", "cycles")
		before := len(p.src.errs)
		s := coldchain.Spent{Rule: f["rule"].str("")}
		switch {
		case !f["rule"].there():
			x.bad("`rule` is missing: of which rule is it? {rule: warm, spent: 30m}")
		case f["spent"].there() == f["cycles"].there():
			x.bad("give `spent`, a span as 30m, or for a rule on freeze-thaw cycles `cycles`, a number")
		case f["spent"].there():
			d, _ := f["spent"].span()
			s.S = d.Seconds()
		default:
			n := f["cycles"].number(0)
			if s.Cycles = int(n); n != float64(s.Cycles) {
				f["cycles"].bad("%v cycles; a whole number is right", n)
			}
		}
		if label == nil || len(p.src.errs) > before {
			continue
		}
		list = append(list, s)
		if err := label.CheckSpent(list); err != nil {
			x.bad("%s", err)
			list = list[:len(list)-1]
		}
	}
	return list
}

func (p *reader) placement(v value, last bool) (coldchain.Placement, bool) {
	f := v.fields("unit", "from", "to")
	var pl coldchain.Placement
	name := f["unit"].str("")
	for _, u := range p.cfg.Units {
		if strings.EqualFold(u.ID, name) {
			pl.Unit = u.ID
		}
	}
	ok := true
	if !f["unit"].there() {
		v.bad("the unit is missing")
		ok = false
	} else if pl.Unit == "" {
		f["unit"].bad("no unit %q is in %s", name, p.cfg.File)
		ok = false
	}
	if !f["from"].there() {
		v.bad("`from` is missing: when was the batch put there?")
		return pl, false
	}
	var fine bool
	pl.From, fine = f["from"].instant()
	ok = ok && fine
	switch {
	case f["to"].there():
		to, good := f["to"].instant()
		if fine && good && to <= pl.From {
			f["to"].bad("%s is not after `from` %s", to, pl.From)
			good = false
		}
		pl.To = &to
		ok = ok && good
	case !last:
		v.bad("`to` is missing: only the last placement may still go on")
		ok = false
	}
	return pl, ok
}

// instant reads a time as RFC 3339.
func (v value) instant() (sensor.Instant, bool) {
	s, _ := v.text()
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		v.bad("%q is no time; 2026-05-02T10:36:00Z is", s)
		return 0, false
	}
	return sensor.At(t), true
}
