package coldchain

import (
	"math"
	"sort"
	"time"

	"coldkeep/sensor"
)

const (
	zeroCelsius = 273.15
	// Weights are relative to this temperature, so that sums neither vanish
	// nor overflow; it cancels out.
	kineticReference = 278.15
	// A mean kinetic temperature this little above a limit is at it: the sums
	// are floating-point, the limit is not.
	kineticSlack = 1e-9
)

// kineticWeight is e^(−ΔH/RT), relative to the reference temperature.
func kineticWeight(celsius, deltaH float64) float64 {
	return math.Exp(deltaH / GasConstant * (1/kineticReference - 1/(celsius+zeroCelsius)))
}

// kineticTemp is the mean kinetic temperature in °C of a mean weight
// (USP <1079.2>).
func kineticTemp(mean, deltaH float64) float64 {
	return 1/(1/kineticReference-math.Log(mean)*GasConstant/deltaH) - zeroCelsius
}

// A kineticSum is weight·ms over ms of known temperature.
type kineticSum struct {
	Weight float64
	Ms     float64
}

func (a kineticSum) plus(b kineticSum) kineticSum {
	return kineticSum{a.Weight + b.Weight, a.Ms + b.Ms}
}
func (a kineticSum) minus(b kineticSum) kineticSum {
	return kineticSum{a.Weight - b.Weight, a.Ms - b.Ms}
}

// A course is the highest standing temperature of a unit over the past, with
// running sums at each change, so that any window costs one search.
type course struct {
	DeltaH float64
	Keep   int64 // ms
	Points []coursePoint
}

type coursePoint struct {
	At     sensor.Instant
	Stands bool
	Temp   sensor.Temp
	weight float64 // of Temp
	sum    kineticSum
}

// note says which temperature stands from t on.
func (c *course) note(t sensor.Instant, stands bool, temp sensor.Temp) {
	n := len(c.Points)
	if n > 0 {
		last := &c.Points[n-1]
		if last.Stands == stands && (!stands || last.Temp == temp) {
			return
		}
		if n > 64 && int64(t-c.Points[n/2].At) > c.Keep {
			c.Points = append(c.Points[:0], c.Points[n/2:]...)
		}
	}
	p := coursePoint{At: t, Stands: stands, Temp: temp, sum: c.upTo(t)}
	if stands {
		p.weight = kineticWeight(temp.Celsius(), c.DeltaH)
	}
	c.Points = append(c.Points, p)
}

// upTo gives the running sum at t, not before the oldest point kept.
func (c *course) upTo(t sensor.Instant) kineticSum {
	n := len(c.Points)
	if n == 0 {
		return kineticSum{}
	}
	i := n - 1
	if t < c.Points[i].At {
		i = sort.Search(n, func(i int) bool { return c.Points[i].At > t }) - 1
		if i < 0 {
			return c.Points[0].sum
		}
	}
	p := &c.Points[i]
	if !p.Stands {
		return p.sum
	}
	ms := float64(t - p.At)
	return kineticSum{p.sum.Weight + p.weight*ms, p.sum.Ms + ms}
}

// MeanKineticTemperature is the mean kinetic temperature in °C of equally
// spaced temperatures in °C (USP <1079.2>); NaN of none.
func MeanKineticTemperature(deltaH float64, celsius ...float64) float64 {
	var s kineticSum
	for _, c := range celsius {
		s = s.plus(kineticSum{kineticWeight(c, deltaH), 1})
	}
	return kineticTemp(s.Weight/s.Ms, deltaH)
}

func millis(d time.Duration) int64 { return d.Milliseconds() }
