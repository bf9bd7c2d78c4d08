package coldchain

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"coldkeep/sensor"
)

// warming is a fridge at 5 °C that gives way to the room from begin on.
func warming(begin time.Duration, tau time.Duration) func(time.Duration) sensor.Temp {
	return func(at time.Duration) sensor.Temp {
		c := 5.0
		if at > begin {
			c = 22 - 17*math.Exp(-(at-begin).Seconds()/tau.Seconds())
		}
		return sensor.Temp(math.Round(c*16) / 16 * 1000)
	}
}

func forecastConfig() Config {
	return Config{
		Units: []Unit{{ID: "u", Range: Range{2000, 8000}, MaxGap: 2 * time.Minute, Probes: []UnitProbe{{ID: "p", Judges: true}}}},
		Profiles: []Profile{{ID: "p", Range: Range{2000, 8000}, Unmonitored: DefaultUnmonitored, DeltaH: DefaultDeltaH, Outside: Outside{As: DefaultOutsideAs, Grace: DefaultOutsideGrace}, Rules: []Rule{
			{ID: "warm", Limit: Limit{Side: Above, At: 8000}, Total: 5 * time.Hour},
			{ID: "day", Limit: Limit{Side: Above, At: 8000}, Total: 4 * time.Hour, Within: 24 * time.Hour},
			{ID: "hot", Limit: Limit{Side: Above, At: 15000}, For: 10 * time.Minute},
			{ID: "boil", Limit: Limit{Side: Above, At: 40000}},
			{ID: "mkt", Limit: Limit{Side: Above, At: 8000}, MKT: true, Within: 24 * time.Hour}}}},
	}
}

// stocked is an evaluator with n batches in the unit.
func stocked(t testing.TB, cfg Config, n int) *Evaluator {
	t.Helper()
	e := New(cfg, 0)
	for i := range n {
		for _, c := range []Command{{Name: "receive", Batch: fmt.Sprintf("b%d", i), Profile: "p", Vials: 3, By: "test"}, {Name: "place", Batch: fmt.Sprintf("b%d", i), Unit: "u", By: "test"}} {
			ev, err := e.Order(c)
			if err != nil {
				t.Fatal(err)
			}
			if err := e.Apply(ev); err != nil {
				t.Fatal(err)
			}
		}
	}
	return e
}

func feed(e *Evaluator, temp func(time.Duration) sensor.Temp, from, to time.Duration, each func(time.Duration)) {
	for at := from; at < to; at += 10 * time.Second {
		e.Observe(sensor.Reading{Probe: "p", Time: sensor.Instant(at.Milliseconds()), Temp: temp(at), Raw: temp(at)})
		if each != nil {
			e.Tick(sensor.Instant(at.Milliseconds()))
			each(at)
		}
	}
}

func forecastOf(b BatchState, rule string) *Forecast {
	i := slices.IndexFunc(b.Forecasts, func(f Forecast) bool { return f.Rule == rule })
	if i < 0 {
		return nil
	}
	return &b.Forecasts[i]
}

// What runs already is told as the rules say; what is to come, by the curve.
func TestForecasts(t *testing.T) {
	e := stocked(t, forecastConfig(), 1)
	temp := warming(2*time.Hour, 4*time.Hour)
	// 8 °C is crossed after 46.7 min, 15 °C after 3 h 32 min.
	cross := func(limit float64) time.Duration {
		return 2*time.Hour + time.Duration(-4*3600*math.Log((22-limit)/17)*float64(time.Second))
	}
	var silent, near int
	feed(e, temp, 0, cross(15), func(at time.Duration) {
		b := e.Batches()[0]
		if !slices.IsSortedFunc(b.Forecasts, func(x, y Forecast) int { return cmp.Compare(x.first(), y.first()) }) {
			t.Fatalf("at %s out of order: %+v", at, b.Forecasts)
		}
		for _, f := range b.Forecasts {
			for _, x := range []*sensor.Instant{f.AtPresent, f.AtTrend} {
				if x != nil && *x <= e.Now() {
					t.Fatalf("at %s: %s is foretold for the past", at, f.Rule)
				}
			}
			if f.AtTrend != nil && (f.Earliest == nil || *f.Earliest > *f.AtTrend || f.Latest != nil && *f.Latest < *f.AtTrend) {
				t.Fatalf("at %s: %s has its middle outside its band: %+v", at, f.Rule, f)
			}
		}
		if f := forecastOf(b, "boil"); f != nil {
			t.Fatalf("at %s 40 °C is foretold in a room: %+v", at, f)
		}
		if f := forecastOf(b, "mkt"); f != nil {
			t.Fatalf("at %s a mean kinetic temperature is foretold: %+v", at, f)
		}
		warm, hot := forecastOf(b, "warm"), forecastOf(b, "hot")
		switch {
		case at < 2*time.Hour:
			silent += len(b.Forecasts)
		case at < cross(8)-time.Minute:
			if warm != nil && warm.AtTrend != nil {
				near++
				if d := warm.AtTrend.Sub(sensor.Instant((cross(8) + 5*time.Hour).Milliseconds())); d.Abs() > 5*time.Minute {
					t.Fatalf("at %s warm is foretold %s off", at, d)
				}
			}
		case at > cross(8)+20*time.Minute:
			if warm == nil || warm.AtPresent == nil || *warm.AtPresent != *b.Allowance[0].RunsOut || warm.AtTrend == nil || *warm.AtTrend != *warm.AtPresent {
				t.Fatalf("at %s warm is told as %+v; its allowance as %+v", at, warm, b.Allowance)
			}
			if b.LostAt == nil || *b.FirstLost() > *b.LostAt {
				t.Fatalf("at %s lost at %v, first lost at %v", at, b.LostAt, b.FirstLost())
			}
			if hot == nil {
				t.Fatalf("at %s nothing is foretold of hot", at)
			}
			truth := sensor.Instant((cross(15) + 10*time.Minute).Milliseconds())
			if off := hot.AtTrend.Sub(truth).Abs(); off > 15*time.Minute && float64(off) > 0.3*float64(truth-e.Now())*float64(time.Millisecond) {
				t.Fatalf("at %s hot is foretold %s off", at, off)
			}
			if *hot.Earliest > truth || hot.Latest != nil && *hot.Latest < truth {
				t.Fatalf("at %s hot is not in its band: %+v", at, hot)
			}
		}
	})
	if silent > 0 {
		t.Errorf("%d forecasts while nothing is wrong", silent)
	}
	if near == 0 {
		t.Error("nothing was foretold on the way out of the range")
	}
}

// A unit that comes back before the time is spent breaks nothing; one that
// stands beyond its limit goes nowhere.
func TestNoForecastWhereThereIsNoTrend(t *testing.T) {
	for _, x := range []struct {
		name string
		temp func(time.Duration) sensor.Temp
	}{
		{"steady", func(time.Duration) sensor.Temp { return 9000 }},
		{"a step of the probe up and down", func(at time.Duration) sensor.Temp { return 9000 + sensor.Temp(62*(int(at.Minutes())%2)) }},
		{"coming back", func(at time.Duration) sensor.Temp {
			return sensor.Temp(4000 + 10000*math.Exp(-at.Hours()/1.5))
		}},
	} {
		e := stocked(t, forecastConfig(), 1)
		feed(e, x.temp, 0, time.Hour, func(at time.Duration) {
			b := e.Batches()[0]
			if f := forecastOf(b, "hot"); f != nil {
				t.Fatalf("%s: hot is foretold at %s: %+v", x.name, at, f)
			}
			if f := forecastOf(b, "warm"); f == nil || f.AtPresent == nil {
				t.Fatalf("%s: warm is not told at %s: %+v", x.name, at, f)
			} else if x.name == "coming back" && at > 15*time.Minute && f.AtTrend != nil {
				t.Fatalf("%s: warm is to break at %s: %+v", x.name, at, f)
			}
		})
	}
}

// A batch that is lost is not lost a second time.
func TestNoForecastOfWhatIsQuarantined(t *testing.T) {
	cfg := forecastConfig()
	cfg.Profiles[0].Rules = append(cfg.Profiles[0].Rules, Rule{ID: "any", Limit: Limit{Side: Above, At: 9000}})
	e := stocked(t, cfg, 1)
	feed(e, warming(0, 4*time.Hour), 0, 3*time.Hour, func(at time.Duration) {
		if b := e.Batches()[0]; b.Verdict == Quarantined && len(b.Forecasts) > 0 {
			t.Fatalf("at %s: %+v", at, b.Forecasts)
		}
	})
	if b := e.Batches()[0]; b.Verdict != Quarantined {
		t.Errorf("it is %s", b.Verdict)
	}
}

// The restart in the middle of everything, a restart without a checkpoint and
// no restart give the same forecasts, and whoever asks changes no finding.
func TestForecastsAreAFunctionOfTheRecord(t *testing.T) {
	cfg := forecastConfig()
	first, second := warming(2*time.Hour, 4*time.Hour), warming(14*time.Hour, 4*time.Hour)
	temp := func(at time.Duration) sensor.Temp {
		if at > 5*time.Hour {
			return second(at) // it was repaired; then it fails again
		}
		return first(at)
	}
	const until = 16 * time.Hour
	whole := stocked(t, cfg, 2)
	feed(whole, temp, 0, until, nil)
	whole.Tick(sensor.Instant(until.Milliseconds()))
	events := whole.Take()

	watched := stocked(t, cfg, 2)
	feed(watched, temp, 0, until, func(time.Duration) { watched.Batches() })
	watched.Tick(sensor.Instant(until.Milliseconds()))
	if d := gocmp.Diff(events, watched.Take()); d != "" {
		t.Errorf("who asks changes the findings:\n%s", d)
	}
	for _, cut := range []time.Duration{time.Hour, 2*time.Hour + 45*time.Minute, 4 * time.Hour, 5*time.Hour + 20*time.Second, 15 * time.Hour, 15*time.Hour + 10*time.Second} {
		e := stocked(t, cfg, 2)
		feed(e, temp, 0, cut, nil)
		e.Tick(sensor.Instant(cut.Milliseconds()) - 1)
		data, err := e.Checkpoint(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if e, err = Restore(cfg, data); err != nil {
			t.Fatal(err)
		}
		feed(e, temp, cut, until, nil)
		e.Tick(sensor.Instant(until.Milliseconds()))
		if d := gocmp.Diff(whole.Batches(), e.Batches()); d != "" {
			t.Errorf("restarted at %s:\n%s", cut, d)
		}
		if d := gocmp.Diff(whole.Units(), e.Units()); d != "" {
			t.Errorf("restarted at %s:\n%s", cut, d)
		}
	}
	if b := whole.Batches()[0]; forecastOf(b, "hot") == nil || forecastOf(b, "hot").AtTrend == nil {
		t.Errorf("nothing was foretold at the end: %+v", b.Forecasts)
	}
}

// What a unit did in one excursion is known in the next.
func TestHabitIsLearned(t *testing.T) {
	for _, tau := range []time.Duration{90 * time.Minute, 4 * time.Hour} {
		e := stocked(t, forecastConfig(), 1)
		temp := warming(time.Hour, tau)
		back := time.Hour + tau
		feed(e, func(at time.Duration) sensor.Temp {
			if at > back {
				return 5000
			}
			return temp(at)
		}, 0, back+time.Hour, nil)
		got := time.Duration(e.unitOf["u"].habits[0].Tau * float64(time.Second))
		if got < tau*2/3 || got > tau*3/2 {
			t.Errorf("τ of %s was learned as %s", tau, got)
		}
	}
	e := stocked(t, forecastConfig(), 1)
	feed(e, func(at time.Duration) sensor.Temp { return 5000 + 4000*sensor.Temp(int(at.Minutes())%2) }, 0, time.Hour, nil)
	if h := e.unitOf["u"].habits[0]; h.Tau != 0 {
		t.Errorf("a door taught %v", h)
	}
}

// A unit is stable from when it is in its range and monitored, and not while
// either is not so.
func TestStableSince(t *testing.T) {
	e := stocked(t, forecastConfig(), 1)
	at := func(m int) sensor.Instant { return sensor.Instant(m) * 60_000 }
	read := func(m int, temp sensor.Temp) {
		e.Observe(sensor.Reading{Probe: "p", Time: at(m), Temp: temp, Raw: temp})
		e.Tick(at(m))
	}
	want := func(when string, since sensor.Instant) {
		t.Helper()
		u := e.Units()[0]
		if u.StableSince != since {
			t.Errorf("%s: stable since %s, not %s", when, u.StableSince, since)
		}
		if u.VialCount != 3 {
			t.Errorf("%s: %d vials", when, u.VialCount)
		}
	}
	e.Tick(at(0))
	want("before the first reading", 0)
	read(1, 5000)
	read(2, 5000)
	want("in range", at(1))
	read(3, 8062)
	want("too warm", 0)
	read(4, 5000)
	want("back", at(4))
	e.Tick(at(7))
	want("silent", 0)
	read(8, 5000)
	want("heard again", at(8))
}

// What it costs to foretell for a unit in trouble with 1,000 batches, at each sweep.
func BenchmarkForecasts(b *testing.B) {
	for _, n := range []int{1, 1000} {
		b.Run(fmt.Sprintf("batches=%d", n), func(b *testing.B) {
			e := stocked(b, forecastConfig(), n)
			feed(e, warming(0, 4*time.Hour), 0, 90*time.Minute, nil)
			e.Tick(sensor.Instant((90 * time.Minute).Milliseconds()))
			b.ReportAllocs()
			for b.Loop() {
				e.units[0].looked = false
				for _, x := range e.batches {
					x.forecasts(e.Now())
				}
			}
		})
	}
}
