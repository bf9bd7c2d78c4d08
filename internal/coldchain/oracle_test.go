package coldchain

import (
	"slices"
	"time"

	"coldkeep/sensor"
)

// The oracle is a second reading of the judging rules (README.md): it looks at
// every single millisecond of a short record and asks of each what the rules
// say. It shares no code with the evaluator but the types and Beyond.

type ms = sensor.Instant

// cell is the state of a unit over [t, t+1), after everything of t.
type oracleUnit struct {
	cfg   Unit
	last  map[string][]*sensor.Reading // by probe: the last good reading at each ms, or nil
	until map[string][]ms              // when that one stops standing
	from  ms
	end   ms
}

func (u *oracleUnit) judging() (ids []string) {
	for _, p := range u.cfg.Probes {
		if p.Judges {
			ids = append(ids, p.ID)
		}
	}
	return ids
}

func (u *oracleUnit) standing(t ms) (temps []sensor.Temp) {
	for _, id := range u.judging() {
		if t < u.from {
			continue
		}
		if r := u.last[id][t-u.from]; r != nil && t < u.until[id][t-u.from] {
			temps = append(temps, r.Temp)
		}
	}
	return temps
}

func (u *oracleUnit) open(t ms, l Limit) bool {
	if t < u.from {
		return false
	}
	for _, id := range u.judging() {
		if r := u.last[id][t-u.from]; r != nil && l.Beyond(r.Temp) {
			return true
		}
	}
	return false
}

func (u *oracleUnit) beyond(t ms, l Limit) bool {
	return slices.ContainsFunc(u.standing(t), l.Beyond)
}

func (u *oracleUnit) rangeLimits() [2]Limit {
	return [2]Limit{{Side: Above, At: u.cfg.Range.High}, {Side: Below, At: u.cfg.Range.Low}}
}

func (u *oracleUnit) unmonitored(t ms) bool {
	if len(u.standing(t)) == 0 {
		return true
	}
	for _, l := range u.rangeLimits() {
		if u.open(t, l) && !u.beyond(t, l) {
			return true
		}
	}
	return false
}

// good says whether a good judging reading comes at t.
func (u *oracleUnit) good(t ms) bool {
	for _, id := range u.judging() {
		if t < u.from {
			return false
		}
		if r := u.last[id][t-u.from]; r != nil && r.Time == t {
			return true
		}
	}
	return false
}

func (u *oracleUnit) stops(t ms) bool {
	for _, id := range u.judging() {
		if t <= u.from {
			continue
		}
		i := t - u.from
		if r := u.last[id][i-1]; r != nil && u.until[id][i-1] == t && u.last[id][i] == r {
			return true
		}
	}
	return false
}

func newOracleUnit(c Unit, readings []sensor.Reading, from, end ms) *oracleUnit {
	u := &oracleUnit{cfg: c.WithDefaults(), last: map[string][]*sensor.Reading{}, until: map[string][]ms{}, from: from, end: end}
	for _, p := range c.Probes {
		var last *sensor.Reading
		var until ms
		for t := from; t <= end; t++ {
			for i := range readings {
				r := &readings[i]
				if r.Probe == p.ID && r.Time == t && r.Good() {
					last, until = r, t+ms(c.MaxGap/time.Millisecond)
					break // the first stays
				}
			}
			u.last[p.ID] = append(u.last[p.ID], last)
			u.until[p.ID] = append(u.until[p.ID], until)
		}
	}
	return u
}

func oracle(cfg Config, lives []Life, readings []sensor.Reading, end ms) Result {
	var res Result
	from := readings[0].Time
	for _, r := range readings {
		from = min(from, r.Time)
	}
	units := map[string]*oracleUnit{}
	for _, c := range cfg.Units {
		u := newOracleUnit(c, readings, from, end)
		units[c.ID] = u
		u.excursions(&res)
		for _, a := range u.cfg.Alarms {
			u.alarm(a, &res)
		}
		for t := from; t < end; t++ {
			if u.unmonitored(t) && (t == from || !u.unmonitored(t-1)) {
				g := Gap{Unit: c.ID, Start: t}
				e := t
				for e < end && u.unmonitored(e) {
					e++
				}
				if e < end || !u.unmonitored(end) {
					g.End = &e
				}
				g.DurationS = seconds(int64(e - t))
				res.Gaps = append(res.Gaps, g)
			}
		}
	}
	profiles := map[string]*Profile{}
	for i := range cfg.Profiles {
		profiles[cfg.Profiles[i].ID] = &cfg.Profiles[i]
	}
	for _, l := range lives {
		b := oracleBatch{life: l, p: profiles[l.Profile], units: units, end: end}
		res.Batches = append(res.Batches, b.judge())
	}
	return res
}

func (u *oracleUnit) excursions(res *Result) {
	for i, l := range u.rangeLimits() {
		kind := [2]string{"high", "low"}[i]
		for t := u.from; t <= u.end; t++ {
			if !u.open(t, l) || t > u.from && u.open(t-1, l) {
				continue
			}
			x := Excursion{Unit: u.cfg.ID, Kind: kind, Start: t}
			e := t
			unmon := int64(0)
			for ; e <= u.end && u.open(e, l); e++ {
				for _, id := range u.judging() {
					if r := u.last[id][e-u.from]; r != nil && r.Time == e && l.Beyond(r.Temp) {
						v := r.Temp
						if x.MinC == nil || v < *x.MinC {
							x.MinC = &v
						}
						if x.MaxC == nil || v > *x.MaxC {
							x.MaxC = &v
						}
					}
				}
				if e < u.end && u.unmonitored(e) {
					unmon++
				}
			}
			if e <= u.end {
				at := e
				x.End = &at
			}
			x.DurationS = seconds(int64(min(e, u.end) - t))
			x.UnmonitoredS = seconds(unmon)
			res.Excursions = append(res.Excursions, x)
		}
	}
}

func (u *oracleUnit) alarm(a AlarmRule, res *Result) {
	var open *Alarm
	told := false
	zero := u.from // a sum counts from here
	inside := int64(0)
	raise := func(t ms) {
		open = &Alarm{Unit: u.cfg.ID, Rule: a.ID, Severity: a.Severity, Raised: t, Text: a.Text()}
		told, inside = true, 0
	}
	clear := func(t ms) {
		at := t
		open.Cleared = &at
		res.Alarms = append(res.Alarms, *open)
		open, zero = nil, t
	}
	sum := func(t ms) (n int64) {
		for c := max(zero, t-ms(a.Within/time.Millisecond)); c < t; c++ {
			if u.beyond(c, a.Limit) {
				n++
			}
		}
		return n
	}
	d := func(x time.Duration) int64 { return int64(x / time.Millisecond) }
	quiet := u.from
	acc := int64(0) // of the stretch
	allInside := func(t ms) bool {
		any := false
		for _, id := range u.judging() {
			if r := u.last[id][t-u.from]; r != nil {
				any = true
				if (Limit{Side: a.Limit.Side, At: a.Clear.At}).Beyond(r.Temp) {
					return false
				}
			}
		}
		return any
	}
	for t := u.from; t <= u.end; t++ {
		if a.NoData > 0 {
			if open == nil && int64(t-quiet) > d(a.NoData) {
				raise(t)
			}
			if u.good(t) {
				quiet = t
				if open != nil {
					clear(t)
				}
			}
			continue
		}
		// What the time up to t has brought.
		if t > u.from {
			c := t - 1
			if u.beyond(c, a.Limit) {
				acc++
			}
			if open != nil && a.Clear != nil && allInside(c) && !u.unmonitored(c) {
				inside++
			}
			switch {
			case open != nil && a.Clear != nil && inside >= d(a.Clear.For) && inside > 0:
				clear(t)
			case open != nil && a.Clear == nil && a.Total > 0 && !u.open(c, a.Limit) && sum(t) < d(a.Total):
				clear(t)
			case open == nil && a.Total > 0 && u.beyond(c, a.Limit) && sum(t) >= d(a.Total):
				raise(t)
			case open == nil && a.Total == 0 && !told && u.beyond(c, a.Limit) && acc >= d(a.For):
				raise(t)
			}
		}
		// What comes at t.
		if !u.open(t, a.Limit) {
			acc, told = 0, false
			if open != nil && a.Clear == nil && (a.Total == 0 || sum(t) < d(a.Total)) {
				clear(t)
			}
		}
		if open != nil && a.Clear != nil && !allInside(t) {
			inside = 0
		}
		if open != nil && a.Clear != nil && a.Clear.For == 0 && allInside(t) && !u.unmonitored(t) {
			clear(t)
		}
		if open == nil && a.Total == 0 && a.For == 0 && !told && u.beyond(t, a.Limit) {
			raise(t)
		}
	}
	if open != nil {
		res.Alarms = append(res.Alarms, *open)
	}
}
