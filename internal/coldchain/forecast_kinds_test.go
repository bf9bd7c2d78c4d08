package coldchain_test

import (
	"math"
	"math/rand/v2"
	"time"

	"coldkeep/internal/coldchain"
	"coldkeep/sensor"
	"coldkeep/sensor/chipsim"
)

// A kind is a way in which a unit fails, with the rule that its batch breaks.
type kind struct {
	name  string
	rng   coldchain.Range
	rules []coldchain.Rule
	every time.Duration // between readings
	hours int
	from  time.Duration // forecasts are counted from then on
	// run gives what the probe says, step by step.
	run func(seed uint64, every time.Duration, steps int) []sensor.Temp
}

// A cabinet is a unit as a network of three: air with its walls, stock, and a
// probe in its buffer. It is not the model that forecasts are made with: its
// warm-up has two time constants and a lag.
type cabinet struct {
	mean, swing float64       // of the thermostat, °C
	room        float64       // °C
	leak        time.Duration // of air and walls alone
	stock       float64       // its heat capacity, in those of air and walls
	couple      time.Duration // between air and stock
	buffer      time.Duration
	power       float64 // of the compressor, in leaks at work
	noise       float64 // °C
	doorEvery   time.Duration
}

// What goes wrong, and when.
type failure struct {
	from, to time.Duration // to 0: for ever
	dead     bool          // the compressor stands still
	stuck    bool          // it does not stop
	leak     float64       // how many times as much comes in: the door stands open
}

func (c *cabinet) run(r *rand.Rand, every time.Duration, steps int, fails ...failure) []sensor.Temp {
	const dt = 5.0
	air, stock := c.mean, c.mean
	probe := c.mean
	on := false
	list := make([]sensor.Temp, 0, steps)
	nextDoor, doorFor := r.ExpFloat64()*c.doorEvery.Seconds(), 0.0
	settle := 6 * time.Hour.Seconds() // before it begins to be read
	for s := -settle; len(list) < steps; s += dt {
		leak, dead, stuck := 1/c.leak.Seconds(), false, false
		for _, f := range fails {
			if s >= f.from.Seconds() && (f.to == 0 || s < f.to.Seconds()) {
				dead, stuck = dead || f.dead, stuck || f.stuck
				if f.leak > 0 {
					leak *= f.leak
				}
			}
		}
		if c.doorEvery > 0 {
			if nextDoor -= dt; nextDoor <= 0 {
				nextDoor, doorFor = r.ExpFloat64()*c.doorEvery.Seconds(), 10+40*r.Float64()
			}
			if doorFor > 0 {
				doorFor -= dt
				leak *= 10
			}
		}
		switch {
		case air > c.mean+c.swing:
			on = true
		case air < c.mean-c.swing:
			on = false
		}
		cool := 0.0
		if on && !dead || stuck {
			cool = c.power * (c.room - c.mean) / c.leak.Seconds()
		}
		h := 1 / c.couple.Seconds()
		dAir := (c.room-air)*leak + (stock-air)*h*math.Min(c.stock, 1) - cool
		dStock := 0.0
		if c.stock > 0 {
			dStock = (air - stock) * h * math.Min(c.stock, 1) / c.stock
		}
		air, stock = air+dAir*dt, stock+dStock*dt
		probe += (air - probe) * math.Min(1, dt/c.buffer.Seconds())
		if s >= 0 && math.Mod(s, every.Seconds()) < dt/2 {
			list = append(list, read(probe+c.noise*r.NormFloat64()))
		}
	}
	return list
}

// read is what a DS18B20 says.
func read(celsius float64) sensor.Temp {
	return sensor.Temp(math.Round(celsius*16) / 16 * 1000)
}

func between(r *rand.Rand, lo, hi float64) float64 { return lo + (hi-lo)*r.Float64() }

func minutes(r *rand.Rand, lo, hi float64) time.Duration {
	return time.Duration(between(r, lo, hi) * float64(time.Minute))
}

func above(c float64, f time.Duration) []coldchain.Rule {
	return []coldchain.Rule{{ID: "r", Limit: coldchain.Limit{Side: coldchain.Above, At: sensor.Temp(c * 1000)}, For: f}}
}

func fridge(r *rand.Rand, stock float64) cabinet {
	return cabinet{mean: between(r, 4, 5.5), swing: between(r, 0.5, 1.2), room: between(r, 19, 27), leak: minutes(r, 45, 100), stock: stock, couple: minutes(r, 10, 25), buffer: minutes(r, 5, 11),
		power: between(r, 2, 3.5), noise: 0.03, doorEvery: 3 * time.Hour}
}

func freezer(r *rand.Rand, mean, stock float64) cabinet {
	c := fridge(r, stock)
	c.mean, c.swing, c.doorEvery = mean+between(r, -0.5, 0.5), between(r, 0.8, 1.5), 6*time.Hour
	c.leak = minutes(r, 90, 180)
	return c
}

const starts = 5 * time.Hour // when units begin to fail

func of(make func(*rand.Rand) cabinet, fails func(*rand.Rand) []failure) func(uint64, time.Duration, int) []sensor.Temp {
	return func(seed uint64, every time.Duration, steps int) []sensor.Temp {
		r := rand.New(rand.NewPCG(seed, 7))
		c := make(r)
		return c.run(r, every, steps, fails(r)...)
	}
}

func dies(*rand.Rand) []failure { return []failure{{from: starts, dead: true}} }

func ajar(lo, hi float64) func(*rand.Rand) []failure {
	return func(r *rand.Rand) []failure { return []failure{{from: starts, leak: between(r, lo, hi)}} }
}

func simulated(make func(uint64) chipsim.Fridge, medium sensor.Medium) func(uint64, time.Duration, int) []sensor.Temp {
	return func(seed uint64, every time.Duration, steps int) []sensor.Temp {
		r := rand.New(rand.NewPCG(seed, 9))
		begin := time.Date(2026, 5, 2, 0, 0, 0, 0, time.UTC).Add(time.Duration(seed) * 97 * time.Minute)
		f := make(seed)
		f.FailsAt = begin.Add(starts)
		list := []sensor.Temp(nil)
		for i := range steps {
			list = append(list, read(f.At(begin.Add(time.Duration(i)*every), medium)+0.03*r.NormFloat64()))
		}
		return list
	}
}

var (
	cold28 = coldchain.Range{Low: 2000, High: 8000}
	cold20 = coldchain.Range{Low: -25000, High: -15000}
	cold80 = coldchain.Range{Low: -90000, High: -60000}
)

// kinds are those of the table in README.md.
func kinds() []kind {
	warm := above(8, 10*time.Minute)
	hot := above(15, 0)
	twice := func(r *rand.Rand) []failure {
		return []failure{{from: starts, to: starts + minutes(r, 120, 200), dead: true}, {from: starts + 12*time.Hour, dead: true}}
	}
	cut := func(r *rand.Rand) []failure {
		return []failure{{to: starts, from: starts - minutes(r, 60, 240), dead: true}}
	}
	stuck := func(*rand.Rand) []failure { return []failure{{from: starts, stuck: true}} }
	little := func(r *rand.Rand) cabinet { return fridge(r, between(r, 0.1, 0.5)) }
	full := func(r *rand.Rand) cabinet { return fridge(r, between(r, 2, 5)) }
	air := func(r *rand.Rand) cabinet {
		c := fridge(r, between(r, 0.3, 2))
		c.buffer, c.noise = minutes(r, 0.5, 1.5), 0.06
		return c
	}
	return []kind{
		{"fridge, compressor dead, little in it: above 8 °C for 10m", cold28, warm, 30 * time.Second, 12, 0, of(little, dies)},
		{"the same: above 15 °C", cold28, hot, 30 * time.Second, 14, 0, of(little, dies)},
		{"fridge, compressor dead, full: above 8 °C for 10m", cold28, warm, 30 * time.Second, 18, 0, of(full, dies)},
		{"the same: above 15 °C", cold28, hot, 30 * time.Second, 24, 0, of(full, dies)},
		{"the same, at its second failure: above 15 °C", cold28, hot, 30 * time.Second, 36, starts + 12*time.Hour, of(full, twice)},
		{"fridge, air probe, compressor dead: above 15 °C", cold28, hot, 10 * time.Second, 18, 0, of(air, dies)},
		{"fridge, door ajar: above 15 °C", cold28, hot, 30 * time.Second, 12, 0, of(little, ajar(4, 9))},
		{"fridge, full, power back after 1 to 4 h: above 15 °C", cold28, hot, 30 * time.Second, 14, starts, of(full, cut)},
		{"fridge that does not stop cooling: below 0 °C", cold28, []coldchain.Rule{{ID: "r", Limit: coldchain.Limit{Side: coldchain.Below, At: 0}}}, 30 * time.Second, 16, 0, of(full, stuck)},
		{"freezer −20 °C, compressor dead: above −10 °C", cold20, above(-10, 0), time.Minute, 20, 0,
			of(func(r *rand.Rand) cabinet { return freezer(r, -20, between(r, 0.5, 4)) }, dies)},
		{"freezer −20 °C, lid open: above −10 °C", cold20, above(-10, 0), time.Minute, 14, 0,
			of(func(r *rand.Rand) cabinet { return freezer(r, -20, between(r, 0.5, 4)) }, ajar(5, 12))},
		{"freezer −80 °C, compressor dead: above −40 °C", cold80, above(-40, 0), time.Minute, 24, 0,
			of(func(r *rand.Rand) cabinet { return freezer(r, -80, between(r, 0.5, 4)) }, dies)},
		{"demo fridge, compressor dead: above 15 °C", cold28, hot, 30 * time.Second, 18, 0, simulated(chipsim.Refrigerator, sensor.Buffered)},
		{"demo freezer −20 °C, compressor dead: above −10 °C", cold20, above(-10, 0), time.Minute, 20, 0, simulated(chipsim.Freezer, sensor.Buffered)},
		{"demo freezer −80 °C, compressor dead: above −40 °C", cold80, above(-40, 0), time.Minute, 24, 0, simulated(chipsim.UltraLow, sensor.Buffered)},
	}
}

// healthy is a fridge that is kept high in its range, opened often, and fails in nothing.
var healthy = of(func(r *rand.Rand) cabinet {
	c := fridge(r, between(r, 0.1, 3))
	c.mean, c.doorEvery = between(r, 6, 6.6), time.Hour
	return c
}, func(*rand.Rand) []failure { return nil })
