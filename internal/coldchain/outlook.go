package coldchain

import (
	"cmp"
	"math"
	"slices"
	"time"

	"coldkeep/sensor"
)

// How forecasts are made. README.md tells how well they do.
const (
	forecastPast    = 30 * time.Minute // what is older says little of the trend
	slowPoints      = 12               // of slow readings so many are taken all the same
	slowPast        = 2 * time.Hour    // but none older
	forecastLeast   = 6                // points
	forecastSpan    = 5 * time.Minute  // that the points span at least
	forecastHorizon = 24 * time.Hour   // what is later is not told
	forecastWide    = 5.0              // a band whose middle is this many times as far as its beginning tells nothing

	turnLeast    = 0.2         // °C: less is no turn
	unusualLeast = 0.4         // °C further out than all that is known: no compressor does that
	nearShare    = 5           // a unit is near an end of its range in its last fifth
	signLeast    = 2.0         // a rate this many times its own error is one
	rateError    = 0.26        // of a rate: nothing keeps one constant
	probeStep    = 0.0625      // °C: that a reading may be off for all that is known
	passingLeast = time.Minute // nothing is told more exactly than that
	errorLeast   = 0.02        // °C of a mean: probes have steps of 0.0625 °C
	halfLife     = 720         // s after which a point counts half

	// Nothing in a clinic warms towards more than about this, or cools towards
	// much less than its own range.
	warmest     = 30.0
	coldest     = 25.0 // °C below the range
	room        = 22.0
	roomShare   = 0.8
	looseEnd    = 8.0 // °C that this is uncertain by
	habitSpread = 0.7 // of the logarithm of a time constant, from one time to the next
	habitShare  = 0.6 // how far the unit's own past is trusted
)

// taus are the time constants that are held against the readings, in seconds:
// from a door that stands open to a well filled freezer.
var taus = [...]float64{480, 720, 1080, 1620, 2430, 3645, 5470, 8200, 12300, 18450, 27700, 41500, 62300}

// bends are fits that get steeper. A buffered probe begins so, and so does a
// full unit. Such a fit tells the present rate alone; it may go on as any of after.
var (
	bends = [...]float64{-240, -720, -2400}
	after = [...]float64{900, 2700, 8100, 24300}
)

// nodes stand for a bell curve: where, and how much of it.
var nodes = [...]struct{ At, Weight float64 }{{-2.02, 0.05}, {-1.18, 0.2}, {-0.4, 0.25}, {0.4, 0.25}, {1.18, 0.2}, {2.02, 0.05}}

// A curve is one way in which it may go on: T(s) = temp + rate·tau·(1 − e^(−s/tau)),
// the first-order approach to temp + rate·tau.
type curve struct {
	temp, rate, tau float64 // °C, °C/s, s
	weight          float64
}

// reaches is after how many seconds it comes to a temperature; +Inf: never.
func (c *curve) reaches(temp float64) float64 {
	d := temp - c.temp
	if d == 0 {
		return 0
	}
	if c.rate == 0 || (d > 0) != (c.rate > 0) {
		return math.Inf(1)
	}
	x := d / (c.rate * c.tau)
	if x >= 1 {
		return math.Inf(1)
	}
	return -c.tau * math.Log1p(-x)
}

// A habit is how fast a unit gave way to the room, in an earlier excursion.
type habit struct {
	Tau float64 // s; 0: none is known
}

// An outlook is where a unit's temperature is going: a bundle of curves, each
// with how well it agrees with the readings.
type outlook struct {
	at     sensor.Instant
	side   Side
	rising bool
	curves []curve // their weights make 1
	asked  []passing
}

// A passing is when the bundle first comes to a temperature, from nine cases
// of ten: after early, half of them after mid, before late; never: it does not.
type passing struct {
	temp             sensor.Temp
	early, mid, late sensor.Instant
}

// reach tells when the bundle comes to a temperature. It remembers the answer.
func (o *outlook) reach(temp sensor.Temp) passing {
	for _, p := range o.asked {
		if p.temp == temp {
			return p
		}
	}
	type arrival struct{ s, weight float64 }
	var room [(len(taus) + len(bends)*len(after)) * len(nodes)]arrival
	at := func(share, sooner float64) sensor.Instant {
		if !o.rising {
			sooner = -sooner
		}
		list := room[:0]
		for i := range o.curves {
			a := arrival{0, o.curves[i].weight}
			if to := temp.Celsius() - sooner; (to > o.curves[i].temp) == o.rising {
				a.s = o.curves[i].reaches(to)
			}
			list = append(list, a)
		}
		slices.SortFunc(list, func(a, b arrival) int { return cmp.Compare(a.s, b.s) })
		sum := 0.0
		for _, a := range list {
			if sum += a.weight; sum >= share {
				if a.s > forecastHorizon.Seconds() {
					return never
				}
				return o.at.Add(time.Duration(a.s * float64(time.Second)))
			}
		}
		return never
	}
	p := passing{temp: temp, early: at(0.05, probeStep), mid: at(0.5, 0), late: at(0.975, -probeStep)}
	if p.early != never {
		p.early = max(o.at, p.early.Add(-passingLeast))
	}
	if p.late != never {
		p.late = p.late.Add(passingLeast)
	}
	o.asked = append(o.asked, p)
	return p
}

// before is in how many cases of one the bundle has come to temp before t.
func (o *outlook) before(temp sensor.Temp, t sensor.Instant) (share float64) {
	s := t.Sub(o.at).Seconds()
	for i := range o.curves {
		if o.curves[i].reaches(temp.Celsius()) < s {
			share += o.curves[i].weight
		}
	}
	return share
}

// outlook says where the unit's temperature is going at t; nil: nobody needs
// to know, or it cannot be told.
func (u *unit) outlook(t sensor.Instant) *outlook {
	if u.lookedAt == t && u.looked {
		return u.ahead
	}
	u.looked, u.lookedAt, u.ahead = true, t, nil
	side, near := u.leaving()
	if side == "" {
		return nil
	}
	var room [trailKept + 1]point
	list := u.trail.points(side, t, room[:0])
	if near && !u.trail.unusual(side) {
		return nil
	}
	o := foresee(list, side, u.cfg.Range, u.habits[sideIndex(side)])
	if o == nil || near && o.rising != (side == Above) {
		return nil
	}
	o.at = t
	u.ahead = o
	return o
}

// leaving is the end of the range that the unit is beyond, or near; "" where
// it is not.
func (u *unit) leaving() (side Side, near bool) {
	switch {
	case u.Unmonitored || !u.standing(false) || u.high.Open && u.low.Open:
		return "", false
	case u.high.Open:
		return Above, false
	case u.low.Open:
		return Below, false
	}
	margin := (u.cfg.Range.High - u.cfg.Range.Low) / nearShare
	for _, p := range u.places[:u.judging] {
		switch {
		case !p.Stands:
		case p.Last >= u.cfg.Range.High-margin:
			return Above, true
		case p.Last <= u.cfg.Range.Low+margin:
			return Below, true
		}
	}
	return "", false
}

// turned leaves the points since the temperature turned last, and whether it
// rises since.
func turned(list []point) ([]point, bool) {
	lowest, highest, last := 0, 0, len(list)-1
	for i, p := range list {
		if p.Temp <= list[lowest].Temp {
			lowest = i
		}
		if p.Temp >= list[highest].Temp {
			highest = i
		}
	}
	switch {
	case highest > lowest && list[highest].Temp-list[last].Temp >= turnLeast:
		return list[highest:], false
	case lowest > highest && list[last].Temp-list[lowest].Temp >= turnLeast:
		return list[lowest:], true
	case highest > lowest:
		return list[lowest:], true
	}
	return list[highest:], false
}

// foresee fits first-order curves to the points. nil where it cannot be told.
func foresee(list []point, side Side, r Range, h habit) *outlook {
	if len(list) < forecastLeast {
		return nil
	}
	list, rising := turned(list)
	n := len(list)
	if n < forecastLeast || list[n-1].S-list[0].S < forecastSpan.Seconds() {
		return nil
	}
	var fits [len(taus) + len(bends)]fit
	best := 0
	var room [trailKept + 1]float64
	for i := range list {
		list[i].Weight = math.Exp2(list[i].S / halfLife)
	}
	for i := range fits {
		fits[i] = fitOf(list, tauOf(i), room[:])
		if fits[i].sum < fits[best].sum {
			best = i
		}
	}
	free := fits[best].free(list)
	if b := &fits[best]; math.Abs(b.rate) < signLeast*b.rateError(free) || (b.rate > 0) != rising {
		return nil
	}
	o := &outlook{side: side, rising: rising, curves: make([]curve, 0, (len(taus)+len(bends)*len(after))*len(nodes))}
	total := 0.0
	floor := errorLeast * errorLeast
	for i := range fits {
		f := &fits[i]
		goesOn := after[:]
		if i < len(taus) {
			goesOn = taus[i : i+1]
		}
		likely := math.Exp(free / 2 * math.Log((fits[best].mean()+floor)/(f.mean()+floor)))
		spread := math.Hypot(f.rateError(free), rateError*f.rate)
		for _, tau := range goesOn {
			weight := likely / float64(len(goesOn)) * plausible(f.temp+f.rate*tau, r) * h.trust(tau)
			for _, x := range nodes {
				o.curves = append(o.curves, curve{f.temp, f.rate + x.At*spread, tau, weight * x.Weight})
			}
			total += weight
		}
	}
	if !(total > 0) {
		return nil
	}
	for i := range o.curves {
		o.curves[i].weight /= total
	}
	return o
}

func tauOf(i int) float64 {
	if i < len(taus) {
		return taus[i]
	}
	return bends[i-len(taus)]
}

// plausible weighs where a curve ends: mostly near the room, unless something
// still cools.
func plausible(end float64, r Range) float64 {
	d := max(end-max(warmest, r.High.Celsius()+coldest/5), r.Low.Celsius()-coldest-end, 0) / looseEnd
	x := (end - room) / looseEnd
	return math.Exp(-d*d/2) * (1 - roomShare + roomShare*math.Exp(-x*x/2))
}

// trust weighs a time constant by what the unit did before.
func (h habit) trust(tau float64) float64 {
	if h.Tau <= 0 {
		return 1
	}
	d := math.Log(tau/h.Tau) / habitSpread
	return 1 - habitShare + habitShare*2*math.Exp(-d*d/2)
}

// A fit is the best curve of one time constant: least squares in its
// temperature and rate now.
type fit struct {
	tau, temp, rate float64
	sum, weight     float64 // of squares
	perRate         float64 // 1/Σw(g − mean)²: what the rate's variance is of a point's
}

func (f *fit) mean() float64 { return f.sum / f.weight }

// rateError is the rate's standard error, where only so many of the points
// are independent of each other.
func (f *fit) rateError(free float64) float64 {
	return math.Sqrt((f.mean() + errorLeast*errorLeast) * f.perRate * f.weight / max(free, 1))
}

// basis is τ·(1 − e^(−s/τ)), which is s for a very long τ.
func basis(s, tau float64) float64 { return -tau * math.Expm1(-s/tau) }

// fitOf is the fit of a time constant; room keeps the points' basis.
func fitOf(list []point, tau float64, room []float64) fit {
	var w, wg, wy, wgg, wgy float64
	room = room[:len(list)]
	for i, p := range list {
		g := basis(p.S, tau)
		room[i] = g
		w, wg, wy = w+p.Weight, wg+p.Weight*g, wy+p.Weight*p.Temp
		wgg, wgy = wgg+p.Weight*g*g, wgy+p.Weight*g*p.Temp
	}
	mg, my := wg/w, wy/w
	vgg := wgg - wg*mg
	f := fit{tau: tau, weight: w, perRate: 1 / vgg}
	f.rate = (wgy - wg*my) / vgg
	f.temp = my - f.rate*mg
	for i, p := range list {
		d := p.Temp - f.temp - f.rate*room[i]
		f.sum += p.Weight * d * d
	}
	return f
}

// free is how many of the points are independent: what stays on one side of
// the curve for long, as the ripple of a compressor does, is one error, not
// many.
func (f *fit) free(list []point) float64 {
	runs, above := 1.0, false
	for i, p := range list {
		now := p.Temp > f.temp+f.rate*basis(p.S, f.tau)
		if i > 0 && now != above {
			runs++
		}
		above = now
	}
	return max(2, min(2*runs-2, float64(len(list)-2)))
}

// habit is the time constant of an excursion up to its peak, if that tells one.
func (r *rise) habit(side Side, within Range) (habit, bool) {
	list := make([]point, 0, len(r.Steps))
	peak := 0
	value := func(s step) float64 {
		if side == Below {
			return -float64(s.Lo) / 1000
		}
		return float64(s.Hi) / 1000
	}
	for i, s := range r.Steps {
		if value(s) > value(r.Steps[peak]) {
			peak = i
		}
	}
	from := 0
	for i := range r.Steps[:peak] {
		if value(r.Steps[i]) <= value(r.Steps[from]) {
			from = i
		}
	}
	if len(r.Steps) == 0 {
		return habit{}, false
	}
	// Its beginning is the air's, which warms before the stock does; its end is
	// round, for a buffer lags behind.
	begin := from + (peak-from)*2/5
	for _, s := range r.Steps[begin:max(peak-(peak-from)/10-1, begin)] {
		list = append(list, point{s.At.Sub(r.Steps[peak].At).Seconds(), value(s), 1})
	}
	n := len(list)
	if n < 2*forecastLeast || list[n-1].Temp-list[0].Temp < 1 || list[n-1].S-list[0].S < 2*forecastSpan.Seconds() {
		return habit{}, false
	}
	// A curve whose weight lies within a factor of two of its time constant tells it.
	var fits [len(taus)]fit
	var room [riseKept]float64
	best := 0
	for i, tau := range taus {
		fits[i] = fitOf(list, tau, room[:])
		if fits[i].sum < fits[best].sum {
			best = i
		}
	}
	if fits[best].rate <= 0 {
		return habit{}, false
	}
	free, floor := fits[best].free(list), errorLeast*errorLeast
	sum, mean, square := 0.0, 0.0, 0.0
	for i := range fits {
		w := math.Exp(free / 2 * math.Log((fits[best].mean()+floor)/(fits[i].mean()+floor)))
		end := fits[i].temp + fits[i].rate*taus[i]
		if side == Below {
			end = -end
		}
		w *= plausible(end, within)
		l := math.Log(taus[i])
		sum, mean, square = sum+w, mean+w*l, square+w*l*l
	}
	mean /= sum
	if !(sum > 0) || square/sum-mean*mean > math.Ln2*math.Ln2 {
		return habit{}, false
	}
	return habit{Tau: math.Exp(mean)}, true
}
