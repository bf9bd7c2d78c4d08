package config

import (
	"strings"
	"time"

	"coldkeep/internal/coldchain"
	"coldkeep/sensor"
)

func (p *reader) probe(v value) {
	f := v.fields("id", "chip", "bus", "address", "mux", "bridge", "element", "wires", "reference", "mains", "input", "series", "supply", "r25", "beta", "a", "b", "c", "medium", "judges", "calibration", "range", "slope", "frozen", "tolerance", "position", "photo", "mapping", "mapping_due")
	x := &probe{at: v}
	x.ID = f["id"].ofOwn(v)
	x.Chip, x.Bus, x.Address = f["chip"].str(""), f["bus"].str(""), strings.ToLower(f["address"].str(""))
	x.Mux, x.Bridge = strings.ToLower(f["mux"].str("")), strings.ToLower(f["bridge"].str(""))
	p.chipSettings(f, &x.Settings)
	if p.wired || f["chip"].there() {
		p.wire(f, v, x)
	}
	if !f["medium"].there() {
		v.bad("the probe's medium is missing: buffered, air or ambient")
	} else {
		x.Medium = sensor.Medium(f["medium"].oneOf("", string(sensor.Buffered), string(sensor.Air), string(sensor.Ambient)))
	}
	if j := f["judges"]; j.there() {
		if b, ok := j.boolean(); ok {
			x.Judges = &b
		}
	}
	if c := f["calibration"]; c.there() {
		x.Calibration = p.calibration(c)
	}
	p.plausible(f, x)
	x.Position = sensor.Position{Text: f["position"].str(""), Photo: p.named(f["photo"], false), Mapping: f["mapping"].str(""), MappingDue: f["mapping_due"].day()}
	if !p.unique("probe", x.ID, f["id"]) {
		return
	}
	p.probes[strings.ToLower(x.ID)] = x
	p.cfg.Probes = append(p.cfg.Probes, x.Probe)
}

func (p *reader) chipSettings(f map[string]value, s *sensor.Settings) {
	s.Element = f["element"].str("")
	for key, to := range map[string]*float64{"reference": &s.Reference, "series": &s.Series, "supply": &s.Supply, "r25": &s.R25, "beta": &s.Beta, "a": &s.A, "b": &s.B, "c": &s.C} {
		*to = f[key].number(0)
	}
	for key, to := range map[string]*int{"wires": &s.Wires, "mains": &s.Mains, "input": &s.Input} {
		n := f[key].number(0)
		if *to = int(n); float64(*to) != n {
			f[key].bad("this must be a whole number")
		}
	}
}

// wire checks where the probe is and how it is wired.
func (p *reader) wire(f map[string]value, v value, x *probe) {
	need := []string{"chip", "bus", "address"}
	c, known := sensor.ChipNamed(x.Chip)
	if known && c.Bus == sensor.SPI {
		need = need[:2]
	}
	for _, k := range need {
		if !f[k].there() {
			v.bad("the probe's %s is missing", k)
			return
		}
	}
	if x.Chip == "max31856" && f["element"].there() {
		x.Settings.Element = strings.ToUpper(x.Settings.Element)
	}
	for _, w := range x.Wiring() {
		at := f[w.Field]
		if !at.there() {
			at = v
		}
		at.bad("%s", w.Text)
	}
	key := "address " + x.Place()
	if first, ok := p.ids[key]; ok {
		line, _ := first.pos()
		v.bad("the probe in line %d is at %s already; two cannot be", line, x.Place())
	}
	p.ids[key] = v
}

// plausible reads what the probe can show at its place.
func (p *reader) plausible(f map[string]value, x *probe) {
	l := &x.Limits
	if r := f["range"]; r.there() {
		if at, ok := p.rng(r, r); ok {
			l.Low, l.High = at.Low, at.High
			if c, known := sensor.ChipNamed(x.Chip); known && (l.High <= c.Low || l.Low >= c.High) {
				r.bad("a %s measures %s to %s °C: it never reads anything in this range", c.Name, c.Low, c.High)
			}
		}
	}
	if s := f["slope"]; s.there() {
		if t, ok := s.temp(); ok && t <= 0 {
			s.bad("a slope is °C per minute and above 0")
		} else {
			l.Slope = t
		}
	}
	if l.Frozen = f["frozen"].spanOr(0); f["frozen"].there() && l.Frozen < 10*time.Minute {
		f["frozen"].bad("%s; a quiet probe shows one value for longer: 10m or more", l.Frozen)
	}
	if t := f["tolerance"]; t.there() {
		v, ok := t.temp()
		if ok && v <= 0 {
			t.bad("a tolerance is °C and above 0: how far the unit's judging probes may be apart")
		}
		x.Tolerance = v
	}
}

// unitProbe is the probe as far as it judges, with what an inspector asks for.
func (p *reader) unitProbe(q *probe, judges bool) coldchain.UnitProbe {
	u := coldchain.UnitProbe{ID: q.ID, Instrument: instrument(q.Probe), Judges: judges, Medium: q.Medium, Tolerance: q.Tolerance, Calibration: q.Calibration, Position: q.Position}
	if t, err := time.ParseInLocation(time.DateOnly, q.Calibration.Due, p.cfg.Site.Location); err == nil {
		u.CalibratedUntil = sensor.At(t.AddDate(0, 0, 1)) // that day's end at the site
	}
	return u
}

// dated notes a judging probe that states no end of its calibration.
func (p *reader) dated(q *probe) {
	if q.Calibration.Due != "" {
		return
	}
	w := value{&source{file: p.src.file}, q.at.node, q.at.path}
	w.bad("probe %s judges, and until when its calibration is valid is not stated: give it calibration: {due: 2027-05-31, certificate: …}", q.ID)
	p.cfg.undated = append(p.cfg.undated, w.src.errs...)
}

// Undated tells of each judging probe that states no end of its calibration:
// nothing will say when it is due. It is a warning.
func (c *Config) Undated() Errors { return c.undated.sorted() }

func (p *reader) calibration(v value) sensor.Calibration {
	f := v.fields("due", "certificate", "points", "uncertainty")
	c := sensor.Calibration{Due: f["due"].day(), Certificate: f["certificate"].str("")}
	for _, x := range f["points"].items() {
		g := x.fields("reads", "is")
		if !g["reads"].there() || !g["is"].there() {
			x.bad("a point needs both: what the probe reads, and what is: {reads: 0.12, is: 0.00}")
			continue
		}
		reads, ok1 := g["reads"].temp()
		is, ok2 := g["is"].temp()
		if n := len(c.Points); ok1 && ok2 && n > 0 && reads <= c.Points[n-1].Reads {
			x.bad("the points must rise: %s comes after %s", reads, c.Points[n-1].Reads)
		}
		c.Points = append(c.Points, sensor.CalibrationPoint{Reads: reads, Is: is})
	}
	if len(c.Points) > 5 {
		f["points"].bad("%d points; five are the most", len(c.Points))
	}
	if u := f["uncertainty"]; u.there() {
		t, ok := u.temp()
		if ok && t < 0 {
			u.bad("an uncertainty is a half-width and not negative")
		}
		c.Uncertainty = t
	}
	return c
}
