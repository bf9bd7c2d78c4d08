package coldchain

import (
	"slices"
	"time"

	"coldkeep/sensor"
)

type oracleBatch struct {
	life  Life
	p     *Profile
	units map[string]*oracleUnit
	end   ms
}

// where is the placement at t, or nil while outside; alive is false before
// and after the life.
func (b *oracleBatch) where(t ms) (pl *Placement, alive bool) {
	ps := b.life.Placements
	if t < ps[0].From {
		return nil, false
	}
	for i := range ps {
		if ps[i].From <= t && (ps[i].To == nil || t < *ps[i].To) {
			return &ps[i], true
		}
	}
	if ps[len(ps)-1].To == nil {
		return nil, true // between two placements
	}
	over := *ps[len(ps)-1].To
	if b.life.Ended != nil {
		over = max(over, *b.life.Ended)
	}
	return nil, t < over
}

// stage is the one over [t, t+1).
func (b *oracleBatch) stage(t ms) Stage {
	if at := b.life.OpenedAt; at != 0 && at <= t {
		return InUse
	}
	if pl, _ := b.where(t); pl != nil && b.units[pl.Unit].cfg.Transport {
		return Transport
	}
	return Storage
}

// An oracleSide is one end of a range that the label gives.
type oracleSide struct {
	l       Limit
	allowed bool
	tr      []trace
}

func (b *oracleBatch) sides(last ms) (list []oracleSide) {
	own := map[Stage]Range{}
	for _, x := range b.p.Stages {
		own[x.Stage] = x.Range
	}
	all := []Stage{Storage, Transport, InUse}
	add := func(r Range, in []Stage) {
		holds := func(s Stage) bool { return slices.Contains(in, s) }
		for _, l := range []Limit{{Side: Above, At: r.High}, {Side: Below, At: r.Low}} {
			allowed := slices.ContainsFunc(b.p.Rules, func(x Rule) bool {
				if x.MKT || x.Unmonitored || x.FreezeThaw || x.Limit.Side != l.Side {
					return false
				}
				// It must hold wherever the range does.
				if x.Stage != "" && !slices.Equal(in, []Stage{x.Stage}) {
					return false
				}
				return l.Side == Above && x.Limit.At <= l.At || l.Side == Below && x.Limit.At >= l.At
			})
			list = append(list, oracleSide{l, allowed, b.traces(l, last, holds)})
		}
	}
	for _, r := range b.p.Rules {
		if _, ok := own[r.Stage]; !ok && r.Stage != "" {
			own[r.Stage] = b.p.Range
		}
	}
	add(b.p.Range, slices.DeleteFunc(slices.Clone(all), func(s Stage) bool { _, ok := own[s]; return ok }))
	for s, r := range own {
		add(r, []Stage{s})
	}
	return list
}

// before is what was spent of a rule before the record.
func (b *oracleBatch) before(rule string) (n int64, cycles int) {
	for _, x := range b.life.Before {
		if x.Rule == rule {
			return int64(x.S*1000 + 0.5), x.Cycles
		}
	}
	return 0, 0
}

// trace is the state over [t, t+1) towards a limit.
type trace struct{ open, certain bool }

func (b *oracleBatch) traces(l Limit, last ms, holds func(Stage) bool) []trace {
	var out []trace
	open := false
	for t := b.life.Placements[0].From; t <= last; t++ {
		pl, alive := b.where(t)
		if !alive || !holds(b.stage(t)) {
			open = false
			out = append(out, trace{})
			continue
		}
		if pl == nil {
			open = l.Beyond(b.p.Outside.As)
			out = append(out, trace{open, open})
			continue
		}
		u := b.units[pl.Unit]
		switch {
		case u.open(t, l):
			open = true
		case len(u.standing(t)) > 0:
			open = false
		}
		out = append(out, trace{open, open && u.beyond(t, l)})
	}
	return out
}

func (b *oracleBatch) judge() (s BatchState) {
	from := b.life.Placements[0].From
	s = BatchState{ID: b.life.ID, ProfileID: b.p.ID, Reasons: []Reason{}, Allowance: []Allowance{}}
	if from > b.end {
		s.Verdict, s.Since = Unknown, from
		for _, r := range b.p.Rules {
			n, cycles := b.before(r.ID)
			if r.Total > 0 {
				t := int64(r.Total / time.Millisecond)
				s.Allowance = append(s.Allowance, Allowance{Rule: r.ID, UsedS: seconds(n), LeftS: seconds(max(0, t-n)), TotalS: seconds(t)})
			}
			if r.FreezeThaw {
				s.Allowance = append(s.Allowance, Allowance{Rule: r.ID, Cycles: cycles, CyclesLeft: max(0, r.Cycles-cycles)})
			}
		}
		return s
	}
	last := b.end // the last instant of the life
	for t := from; t <= b.end; t++ {
		if _, alive := b.where(t); !alive {
			last = t
			break
		}
	}
	at := func(tr []trace, t ms) trace {
		if t < from || t > last {
			return trace{}
		}
		return tr[t-from]
	}
	sides := b.sides(last)
	dark := make([]trace, 0, last-from+1)
	for t := from; t <= last; t++ {
		pl, alive := b.where(t)
		d := false
		if alive && pl != nil {
			d = t < b.units[pl.Unit].from || b.units[pl.Unit].unmonitored(t) || slices.ContainsFunc(sides, func(x oracleSide) bool { h := at(x.tr, t); return h.open && !h.certain })
		}
		dark = append(dark, trace{d, d})
	}
	b.expose(&s, from, last, sides, dark)
	cycles := b.cycles(last)
	s.Exposure.FreezeThawAtLeast, s.Exposure.FreezeThawCycles = cycles.count(last)
	count := func(tr []trace, a, z ms, certain bool) (n int64) {
		for t := max(a, from); t < z; t++ {
			if x := at(tr, t); x.open && (x.certain || !certain) {
				n++
			}
		}
		return n
	}
	stretchStart := func(tr []trace, t ms) ms { // of the stretch open in the ms before t
		a := t
		for a > from && at(tr, a-1).open {
			a--
		}
		return a
	}
	d := func(x time.Duration) int64 { return int64(x / time.Millisecond) }
	for _, r := range b.p.Rules {
		if r.MKT {
			b.kinetic(&s, r, from, last, dark)
			continue
		}
		spent, spentCycles := b.before(r.ID)
		if r.FreezeThaw {
			cycles.judge(&s, r, spentCycles, from, last)
			continue
		}
		tr := dark
		if !r.Unmonitored {
			tr = b.traces(r.Limit, last, func(s Stage) bool { return r.Stage == "" || r.Stage == s })
		}
		// What was spent before counts as if it had ended when the record began.
		count := func(tr []trace, a, z ms, certain bool) int64 {
			return count(tr, a, z, certain) + max(0, int64(min(from, z)-max(a, from-ms(spent))))
		}
		if r.Total > 0 {
			used := count(tr, from-ms(spent), last, false)
			if r.Within > 0 {
				used = count(tr, last-ms(d(r.Within)), last, false)
			}
			s.Allowance = append(s.Allowance, Allowance{Rule: r.ID, UsedS: seconds(used), LeftS: seconds(max(0, d(r.Total)-used)), TotalS: seconds(d(r.Total))})
		}
		for t := from; t <= last; t++ {
			var n, certain, need int64
			switch {
			case r.Total > 0:
				a := from - ms(spent)
				if r.Within > 0 {
					a = t - ms(d(r.Within))
				}
				n, certain, need = count(tr, a, t, false), count(tr, a, t, true), d(r.Total)
			case r.For == 0:
				if _, alive := b.where(t); alive && at(tr, t).open {
					s.Reasons = append(s.Reasons, Reason{Rule: r.ID, At: t, Doubtful: !at(tr, t).certain, Text: r.Text()})
					t = last
				}
				continue
			default:
				a := stretchStart(tr, t)
				n, certain, need = int64(t-a), count(tr, a, t, true), d(r.For)
			}
			if n >= need && (t > from || spent >= need) {
				s.Reasons = append(s.Reasons, Reason{Rule: r.ID, At: t, Doubtful: certain < need, Text: r.Text()})
				break
			}
		}
	}
	b.builtin(&s, from, last, sides, dark, count, stretchStart)
	slices.SortStableFunc(s.Reasons, func(x, y Reason) int { return int(x.At - y.At) })
	var over ms
	if at := b.life.OpenedAt; at != 0 && b.p.InUse > 0 && at <= last && at+ms(d(b.p.InUse)) <= last {
		over = at + ms(d(b.p.InUse))
		defer func() { s.Reasons = append(s.Reasons, Reason{Rule: RuleInUse, At: over}) }()
	}
	switch {
	case len(s.Reasons) > 0:
		s.Verdict, s.Since = Quarantined, s.Reasons[0].At
	case over != 0:
		s.Verdict, s.Since = Expired, over
	case s.Exposure.MonitoredS == 0:
		s.Verdict, s.Since = Unknown, from
	case s.Verdict == InExcursion:
	default:
		s.Verdict = InRange
		for t := from; t <= last; t++ {
			if pl, alive := b.where(t); alive && pl != nil && !at(dark, t).open {
				s.Since = t
				break
			}
		}
	}
	return s
}

func (b *oracleBatch) builtin(s *BatchState, from, last ms, sides []oracleSide, dark []trace, count func([]trace, ms, ms, bool) int64, start func([]trace, ms) ms) {
	d := func(x time.Duration) int64 { return int64(x / time.Millisecond) }
	for t := from + 1; t <= last; t++ {
		if n := int64(t - start(dark, t)); n >= d(b.p.Unmonitored) {
			s.Reasons = append(s.Reasons, Reason{Rule: RuleUnmonitored, At: t, Text: durationText(b.p.Unmonitored) + " without temperature"})
			break
		}
	}
	confirmed, broken := ms(-1), ms(-1)
	var doubt bool
	for _, x := range sides {
		l, tr, allowed := x.l, x.tr, x.allowed
		found := func(t ms, doubtful bool) {
			if confirmed < 0 || t < confirmed {
				confirmed = t
			}
			switch {
			case allowed:
			case broken < 0 || t < broken:
				broken, doubt = t, doubtful
			case t == broken:
				doubt = doubt && doubtful
			}
		}
		for t := from; t <= last; t++ {
			pl, alive := b.where(t)
			// In units: beyond and doubtful ms of the stretch, without time outside.
			if t > from {
				var n, certain int64
				for c := start(tr, t); c < t; c++ {
					if p, _ := b.where(c); p != nil {
						n++
						if tr[c-from].certain {
							certain++
						}
					}
				}
				if p, _ := b.where(t - 1); p != nil && tr[t-1-from].open && n >= d(b.p.Confirm) && n > 0 {
					found(t, certain < d(b.p.Confirm))
					break
				}
				if p, a := b.where(t - 1); a && p == nil && l.Beyond(b.p.Outside.As) && tr[t-1-from].open {
					o := t - 1
					for {
						if p, a := b.where(o - 1); !a || p != nil {
							break
						}
						o--
					}
					if int64(t-max(o, start(tr, t))) >= d(b.p.Outside.Grace) {
						found(t, false)
						break
					}
				}
			}
			if alive && pl != nil && tr[t-from].open && b.p.Confirm == 0 {
				found(t, !tr[t-from].certain)
				break
			}
			if alive && pl == nil && tr[t-from].open && b.p.Outside.Grace == 0 {
				found(t, false)
				break
			}
		}
	}
	if broken >= 0 {
		s.Reasons = append(s.Reasons, Reason{Rule: RuleExcursion, At: broken, Doubtful: doubt})
	}
	if confirmed >= 0 {
		s.Verdict, s.Since = InExcursion, confirmed
	}
}

func (b *oracleBatch) expose(s *BatchState, from, last ms, sides []oracleSide, dark []trace) {
	var mon, above, below, unmon, out int64
	wide := func(v sensor.Temp) {
		if s.Exposure.MinC == nil || v < *s.Exposure.MinC {
			s.Exposure.MinC = &v
		}
		if s.Exposure.MaxC == nil || v > *s.Exposure.MaxC {
			s.Exposure.MaxC = &v
		}
	}
	for t := from; t <= last; t++ {
		pl, alive := b.where(t)
		if alive && pl != nil {
			for _, v := range b.units[pl.Unit].standing(t) {
				wide(v)
			}
		}
		if t == last {
			break
		}
		switch {
		case pl == nil:
			out++
			continue
		case dark[t-from].open:
			unmon++
		default:
			mon++
		}
		for _, x := range sides {
			if c := x.tr[t-from]; c.open && c.certain {
				if x.l.Side == Above {
					above++
				} else {
					below++
				}
			}
		}
	}
	s.Exposure.MonitoredS, s.Exposure.AboveS, s.Exposure.BelowS = seconds(mon), seconds(above), seconds(below)
	s.Exposure.UnmonitoredS, s.Exposure.OutsideS = seconds(unmon), seconds(out)
	if slices.ContainsFunc(b.p.Rules, func(r Rule) bool { return r.MKT }) {
		if list := b.temps(from, last); len(list) > 0 {
			m := MeanKineticTemperature(b.p.DeltaH, list...)
			s.Exposure.MKTC = &m
		}
	}
}

// temps is the highest standing temperature, or that of outside, in each ms.
func (b *oracleBatch) temps(a, z ms) (list []float64) {
	for t := a; t < z; t++ {
		pl, alive := b.where(t)
		if !alive {
			continue
		}
		if pl == nil {
			list = append(list, b.p.Outside.As.Celsius())
		} else if st := b.units[pl.Unit].standing(t); len(st) > 0 {
			list = append(list, slices.Max(st).Celsius())
		}
	}
	return list
}

func (b *oracleBatch) kinetic(s *BatchState, r Rule, from, last ms, dark []trace) {
	w := ms(r.Within / time.Millisecond)
	for t := from + w; t <= last; t++ {
		pl, alive := b.where(t)
		prev, was := b.where(t - 1)
		judged := t == last && (!alive || prev != nil) || was && prev != nil && alive && pl == prev && (b.units[pl.Unit].good(t) || b.units[pl.Unit].stops(t)) ||
			alive && pl != prev
		if !judged && alive && pl != nil && b.units[pl.Unit].good(t) {
			judged = true
		}
		if !judged {
			continue
		}
		known := int64(0)
		for c := t - w; c < t; c++ {
			if !dark[c-from].open {
				known++
			}
		}
		list := b.temps(t-w, t)
		if known*10 < int64(w)*9 || len(list) == 0 {
			continue
		}
		if MeanKineticTemperature(b.p.DeltaH, list...) > r.Limit.At.Celsius()+1e-9 {
			s.Reasons = append(s.Reasons, Reason{Rule: r.ID, At: t, Text: r.Text()})
			return
		}
	}
}
