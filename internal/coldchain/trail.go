package coldchain

import (
	"slices"
	"time"

	"coldkeep/sensor"
)

const (
	trailStep = 30 * time.Second // readings within it become one mean
	trailKept = 64               // means
	riseKept  = 64
	recently  = 10 * time.Minute
)

// A trail is what a unit's judging probes have said lately, as means over
// short times: a probe's steps of 0.0625 °C and its noise become smaller by it.
// It is kept for forecasts alone; nothing is judged by it.
type trail struct {
	Steps []step // closed ones, oldest first; between trailKept and twice as many
	Open  openStep
}

// A step is the mean of the warmest and of the coldest standing reading.
type step struct {
	At     sensor.Instant
	Hi, Lo int32 // m°C
}

type openStep struct {
	From, Last   sensor.Instant
	SumHi, SumLo int64
	N            int64
}

func (o *openStep) step() step {
	return step{At: o.From + (o.Last-o.From)/2, Hi: int32(o.SumHi / o.N), Lo: int32(o.SumLo / o.N)}
}

// note takes in what stands at t. It tells of a step that is closed by it.
func (x *trail) note(t sensor.Instant, hi, lo sensor.Temp, maxGap time.Duration) (s step, closed bool) {
	o := &x.Open
	if o.N > 0 {
		if t-o.From < sensor.Instant(trailStep/time.Millisecond) {
			o.Last = t
			o.SumHi, o.SumLo, o.N = o.SumHi+int64(hi), o.SumLo+int64(lo), o.N+1
			return s, false
		}
		s, closed = o.step(), true
		if len(x.Steps) == 2*trailKept {
			x.Steps = append(x.Steps[:0], x.Steps[trailKept:]...)
		}
		x.Steps = append(x.Steps, s)
		if t.Sub(o.Last) > maxGap {
			x.Steps = x.Steps[:0] // what was before the silence says nothing of now
		}
	}
	*o = openStep{From: t, Last: t, SumHi: int64(hi), SumLo: int64(lo), N: 1}
	return s, closed
}

// A point is a temperature in °C, some seconds before now (≤ 0), and how much
// it counts.
type point struct{ S, Temp, Weight float64 }

// points gives the side's newest steps, oldest first: those of the last
// forecastPast, and of slow readings at least the last few.
func (x *trail) points(side Side, now sensor.Instant, into []point) []point {
	into = into[:0]
	add := func(s step) {
		t := s.Hi
		if side == Below {
			t = s.Lo
		}
		into = append(into, point{s.At.Sub(now).Seconds(), float64(t) / 1000, 1})
	}
	from := len(x.Steps)
	for from > 0 && len(x.Steps)-from < trailKept-1 {
		age := now.Sub(x.Steps[from-1].At)
		if age > forecastPast && (len(x.Steps)-from >= slowPoints || age > slowPast) {
			break
		}
		from--
	}
	for _, s := range x.Steps[from:] {
		add(s)
	}
	if x.Open.N > 0 {
		add(x.Open.step())
	}
	return into
}

// unusual says whether the newest step of a unit in its range is further out
// than what is known of the time before the last ten minutes: a compressor's
// swing, which comes near an end of the range and turns, is not.
func (x *trail) unusual(side Side) bool {
	n := len(x.Steps)
	if n == 0 {
		return false
	}
	out := func(s step) int32 {
		if side == Below {
			return -s.Lo
		}
		return s.Hi
	}
	last := x.Steps[n-1]
	known := 0
	for _, s := range x.Steps[:n-1] {
		if last.At.Sub(s.At) <= recently {
			break
		}
		if known++; float64(out(last)-out(s)) < unusualLeast*1000 {
			return false
		}
	}
	return known > 0 && last.At.Sub(x.Steps[0].At) >= forecastPast
}

// A rise is how a unit's temperature went in the excursion that is open, with
// steps that become the coarser the longer it lasts.
type rise struct {
	Steps []step
	Every int64 // ms between steps at least; 0: it has none
}

func (r *rise) add(s step) {
	if n := len(r.Steps); n > 0 && int64(s.At-r.Steps[n-1].At) < r.Every {
		return
	}
	if len(r.Steps) == riseKept {
		for i := range riseKept / 2 {
			r.Steps[i] = r.Steps[2*i]
		}
		r.Steps = r.Steps[:riseKept/2]
		r.Every = max(2*r.Every, 2*trailStep.Milliseconds())
	}
	r.Steps = append(r.Steps, s)
}

// notice takes what stands at t into the unit's trail.
func (u *unit) notice(t sensor.Instant) {
	var hi, lo sensor.Temp
	any := false
	for _, p := range u.places[:u.judging] {
		if !p.Stands {
			continue
		}
		if !any {
			any, hi, lo = true, p.Last, p.Last
			continue
		}
		hi, lo = max(hi, p.Last), min(lo, p.Last)
	}
	if !any {
		return
	}
	s, closed := u.trail.note(t, hi, lo, u.cfg.MaxGap)
	if closed && u.high.Open != u.low.Open {
		u.follow(s)
	}
}

// follow keeps a step of the excursion that is open.
func (u *unit) follow(s step) {
	if len(u.rise.Steps) == 0 {
		for _, before := range u.trail.Steps {
			if u.trail.Open.From.Sub(before.At) <= forecastPast && before.At < s.At {
				u.rise.add(before)
			}
		}
	}
	u.rise.add(s)
}

// learn takes from an excursion that is over how fast the unit gives way.
func (u *unit) learn(kind string) {
	side := Above
	if kind == "low" {
		side = Below
	}
	if h, ok := u.rise.habit(side, u.cfg.Range); ok {
		u.habits[sideIndex(side)] = h
	}
	u.rise = rise{}
}

func sideIndex(s Side) int {
	if s == Below {
		return 1
	}
	return 0
}

// trailPoint is a trail as a checkpoint keeps it: differences, which are small.
type trailPoint struct {
	At     []int64
	Hi, Lo []int32 // Lo is nothing where it is Hi
	Open   openStep
}

func (x *trail) pack() trailPoint { return packSteps(x.Steps, x.Open) }

func packSteps(steps []step, open openStep) trailPoint {
	p := trailPoint{Open: open}
	var last step
	apart := slices.ContainsFunc(steps, func(s step) bool { return s.Hi != s.Lo })
	for _, s := range steps {
		p.At, p.Hi = append(p.At, int64(s.At-last.At)), append(p.Hi, s.Hi-last.Hi)
		if apart {
			p.Lo = append(p.Lo, s.Lo-s.Hi)
		}
		last = s
	}
	return p
}

func (p trailPoint) steps() []step {
	var list []step
	var last step
	for i := range min(len(p.At), len(p.Hi)) {
		last.At, last.Hi = last.At+sensor.Instant(p.At[i]), last.Hi+p.Hi[i]
		last.Lo = last.Hi
		if i < len(p.Lo) {
			last.Lo += p.Lo[i]
		}
		list = append(list, last)
	}
	return list
}
