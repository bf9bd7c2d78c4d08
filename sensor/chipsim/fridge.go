package chipsim

import (
	"math"
	"time"

	"coldkeep/sensor"
)

// A Fridge is a fridge or freezer as a function of seed and time: asked twice
// about an instant it answers the same, also after a restart. Its air swings
// with the compressor, warms when the door is opened and when it defrosts;
// a probe follows the air by its lag, a buffered one by the buffer's.
//
// Times within are the model's. Before Origin they are the clock's; from there
// on they run Speed times as fast, so that a demo need not wait.
type Fridge struct {
	Seed   uint64
	Mean   float64       // °C
	Swing  float64       // of the air around Mean, °C
	Cycle  time.Duration // of the compressor
	Lag    time.Duration // of an air probe
	Buffer time.Duration // of a buffered probe

	DoorEvery    time.Duration // at most one opening in each; 0: none
	DoorRise     float64       // of the air, °C
	DoorFor      time.Duration // how long it then stands open; 0: for a moment only
	DefrostEvery time.Duration // 0: none
	DefrostRise  float64

	Ambient float64
	Leak    time.Duration // time constant towards Ambient without cooling

	// FailsAt is when the compressor stops for ever; zero: never. Cuts are
	// power cuts, after which it cools again. Both are the clock's times.
	FailsAt time.Time
	Cuts    []Cut

	Origin time.Time
	Speed  float64 // 0 means 1
}

// A Cut is a time without power.
type Cut struct{ From, To time.Time }

// Refrigerator is a 2–8 °C fridge.
func Refrigerator(seed uint64) Fridge {
	return Fridge{Seed: seed, Mean: 4.8, Swing: 1.1, Cycle: 28 * time.Minute, Lag: 40 * time.Second, Buffer: 9 * time.Minute,
		DoorEvery: 3 * time.Hour, DoorRise: 4, DefrostEvery: 8 * time.Hour, DefrostRise: 2, Ambient: 23, Leak: 4 * time.Hour}
}

// Freezer is a −20 °C freezer.
func Freezer(seed uint64) Fridge {
	return Fridge{Seed: seed, Mean: -20.5, Swing: 1.5, Cycle: 35 * time.Minute, Lag: 40 * time.Second, Buffer: 12 * time.Minute,
		DoorEvery: 6 * time.Hour, DoorRise: 5, DefrostEvery: 12 * time.Hour, DefrostRise: 3, Ambient: 23, Leak: 9 * time.Hour}
}

// UltraLow is a −80 °C freezer: it warms slowly, from far below the room.
func UltraLow(seed uint64) Fridge {
	return Fridge{Seed: seed, Mean: -79.5, Swing: 2, Cycle: 22 * time.Minute, Lag: 60 * time.Second, Buffer: 15 * time.Minute,
		DoorEvery: 8 * time.Hour, DoorRise: 9, Ambient: 23, Leak: 11 * time.Hour}
}

// model turns the clock's time into the model's, in seconds since 1970.
func (f *Fridge) model(at time.Time) float64 {
	t := float64(at.UnixMilli()) / 1000
	if f.Speed == 0 || f.Origin.IsZero() || at.Before(f.Origin) {
		return t
	}
	o := float64(f.Origin.UnixMilli()) / 1000
	return o + (t-o)*f.Speed
}

// At gives what a probe in the medium shows, in °C.
func (f *Fridge) At(at time.Time, medium sensor.Medium) float64 {
	lag := f.Lag.Seconds()
	if medium == sensor.Buffered {
		lag = f.Buffer.Seconds()
	}
	t := f.model(at)
	v := f.Mean + f.swings(t, lag) + f.opened(t, lag)
	for _, c := range f.Cuts {
		from, to := f.model(c.From), f.model(c.To)
		if t < from {
			continue
		}
		// Warms towards the room, then cools again, each with its lag.
		v += (f.Ambient - f.Mean) * (f.warmed(t-from, lag) - f.warmed(t-to, lag))
	}
	if !f.FailsAt.IsZero() {
		if from := f.model(f.FailsAt); t > from {
			v += (f.Ambient - f.Mean) * f.warmed(t-from, lag)
		}
	}
	return v
}

// doorAt is when the door is opened in the period k.
func (f *Fridge) doorAt(k float64) float64 {
	return (k + unit(f.Seed, 1, uint64(int64(k)))) * f.DoorEvery.Seconds()
}

// DoorOpen says whether the door stands open.
func (f *Fridge) DoorOpen(at time.Time) bool {
	every, t := f.DoorEvery.Seconds(), f.model(at)
	if every == 0 {
		return false
	}
	n := math.Floor(t / every)
	for k := n - 1; k <= n; k++ {
		if d := t - f.doorAt(k); d >= 0 && d < f.DoorFor.Seconds() {
			return true
		}
	}
	return false
}

// Source gives the fridge as a chip in the medium sees it.
func (f Fridge) Source(medium sensor.Medium) Source {
	return func(at time.Time) float64 { return f.At(at, medium) }
}

// swings is how far the compressor has it from the mean: a swing through a lag
// of first order is a smaller one that comes later. One that stands still for
// ever swings nothing, and what was left of it decays.
func (f *Fridge) swings(t, lag float64) float64 {
	rest := 1.0
	if !f.FailsAt.IsZero() {
		if from := f.model(f.FailsAt); t > from {
			t, rest = from, math.Exp(-(t-from)/lag)
		}
	}
	w := 2 * math.Pi / f.Cycle.Seconds()
	phase := unit(f.Seed, 0, 0) * 2 * math.Pi
	return rest * f.Swing / math.Hypot(1, w*lag) * math.Sin(w*t+phase-math.Atan(w*lag))
}

// opened is what doors and defrosts add: a bump that decays becomes the
// difference of two decays.
func (f *Fridge) opened(t, lag float64) float64 {
	const decay = 240 // s, of the air after the door is shut
	return f.bumps(t, lag, 1, f.DoorEvery.Seconds(), f.DoorRise, decay) + f.bumps(t, lag, 2, f.DefrostEvery.Seconds(), f.DefrostRise, 2*decay)
}

// bumps adds what the last two periods have brought, one bump each.
func (f *Fridge) bumps(t, lag float64, kind uint64, every, rise, decay float64) (v float64) {
	if every == 0 {
		return 0
	}
	if lag == decay {
		lag++
	}
	n := math.Floor(t / every)
	for k := n - 1; k <= n; k++ {
		// A defrost comes with the clock, a door when somebody comes.
		at, size := k*every, rise
		if kind == 1 {
			at = f.doorAt(k)
			size *= unit(f.Seed, kind+8, uint64(int64(k)))
		}
		if d := t - at; d > 0 {
			v += size * decay / (decay - lag) * (math.Exp(-d/decay) - math.Exp(-d/lag))
		}
	}
	return v
}

// warmed is which part of the way to the room is gone d seconds after the
// cooling stopped, seen through the lag.
func (f *Fridge) warmed(d, lag float64) float64 {
	if d <= 0 {
		return 0
	}
	leak := f.Leak.Seconds()
	if leak == lag {
		lag++
	}
	return 1 - (leak*math.Exp(-d/leak)-lag*math.Exp(-d/lag))/(leak-lag)
}

// unit gives a number in [0, 1) for a seed and two counters (splitmix64).
func unit(seed, kind, n uint64) float64 {
	x := seed*0x9e3779b97f4a7c15 ^ kind*0xbf58476d1ce4e5b9 ^ n*0x94d049bb133111eb
	for range 2 {
		x += 0x9e3779b97f4a7c15
		x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
		x = (x ^ x>>27) * 0x94d049bb133111eb
		x ^= x >> 31
	}
	return float64(x>>11) / (1 << 53)
}
