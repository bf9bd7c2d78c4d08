package coldchain

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"coldkeep/sensor"
)

// A guard of nothing changes nothing, and one of something moves what it says.
func TestNoGuardChangesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawScene(t)
		want := mustReplay(t, s)
		for i := range s.Cfg.Units {
			if u := s.Cfg.Units[i].WithGuard(0); !cmp.Equal(u, s.Cfg.Units[i]) {
				t.Fatal(cmp.Diff(s.Cfg.Units[i], u))
			}
			s.Cfg.Units[i] = s.Cfg.Units[i].WithGuard(0)
		}
		s.Cfg.Profiles[0] = s.Cfg.Profiles[0].WithGuard(0)
		if d := cmp.Diff(want, mustReplay(t, s)); d != "" {
			t.Fatal(d)
		}
	})
}

// A greater guard never makes a batch better: each rule that a smaller one
// breaks, it breaks as well, and no later. But for what TestAGapNeverMakesA-
// VerdictBetter leaves out, too: a wider stretch may hold more doubtful time,
// and a mean kinetic temperature is not judged from that; and of two probes
// one may make certain, by being beyond the narrower limit, what was time
// without data.
func TestAGreaterGuardNeverMakesABatchBetter(t *testing.T) {
	rank := map[Verdict]int{InRange: 0, Unknown: 1, InExcursion: 1, Expired: 1, Quarantined: 2}
	worse := 0
	rapid.Check(t, func(t *rapid.T) {
		s := drawScene(t)
		s.Cfg.Profiles[0].Rules = slices.DeleteFunc(s.Cfg.Profiles[0].Rules, func(r Rule) bool { return r.MKT })
		s.forgetSpent()
		for i := range s.Cfg.Units {
			s.Cfg.Units[i].Probes = s.Cfg.Units[i].Probes[:1]
		}
		stated := s.Cfg.Profiles[0]
		little := sensor.Temp(rapid.SampledFrom([]int{0, 500, 1000, 1500}).Draw(t, "a guard"))
		much := little + sensor.Temp(rapid.SampledFrom([]int{1, 500, 1000}).Draw(t, "and more"))
		s.Cfg.Profiles = []Profile{stated.WithGuard(little)}
		before := mustReplay(t, s)
		s.Cfg.Profiles = []Profile{stated.WithGuard(much)}
		after := mustReplay(t, s)
		if d := cmp.Diff(before.Excursions, after.Excursions); d != "" {
			t.Fatalf("a profile's guard changes a unit's excursions:\n%s", d)
		}
		for i, b := range after.Batches {
			a := before.Batches[i]
			if rank[b.Verdict] < rank[a.Verdict] {
				t.Fatalf("batch %s: %s with %s, %s with %s\n%+v", b.ID, a.Verdict, little, b.Verdict, much, s)
			}
			if rank[b.Verdict] > rank[a.Verdict] {
				worse++
			}
			for _, r := range a.Reasons {
				j := slices.IndexFunc(b.Reasons, func(x Reason) bool { return x.Rule == r.Rule })
				if j < 0 || b.Reasons[j].At > r.At {
					t.Fatalf("batch %s: %s broke at %s with %s; with %s %+v\n%+v", b.ID, r.Rule, r.At, little, much, b.Reasons, s)
				}
			}
			if x, y := a.Exposure, b.Exposure; y.AboveS < x.AboveS || y.BelowS < x.BelowS {
				t.Fatalf("batch %s: less time beyond with the greater guard: %+v, %+v", b.ID, x, y)
			} else if y.AboveS > x.AboveS || y.BelowS > x.BelowS {
				worse++
			}
		}
	})
	if worse == 0 {
		t.Error("no guard ever made a batch worse")
	}
}

// What a guard has moved says from where.
func TestAGuardIsSaid(t *testing.T) {
	u := Unit{Range: Range{2000, 8000}, Alarms: []AlarmRule{
		{Limit: Limit{Side: Above, At: 8000}, For: 15 * time.Minute},
		{Limit: Limit{Side: Below, At: 2000, Inclusive: true}, Total: time.Hour, Within: 24 * time.Hour},
		{NoData: 10 * time.Minute},
	}}.WithGuard(300)
	for i, want := range []string{"above 7.7 °C (8 less a guard of 0.3) for 15m", "at or below 2.3 °C (2 and a guard of 0.3) for 1h in all within 24h", "no temperature for more than 10m"} {
		if got := u.Alarms[i].Text(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if u.Range != (Range{2000, 8000}) {
		t.Errorf("the unit's range became %v", u.Range)
	}
	p := Profile{Range: Range{2000, 8000}, Rules: []Rule{{Limit: Limit{Side: Above, At: 8000}}, {MKT: true, Limit: Limit{Side: Above, At: 8000}, Within: time.Hour}}}
	g := p.WithGuard(300)
	if got, want := g.RangeText(), "2.3–7.7 °C (the label's 2–8 °C less a guard of 0.3)"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if g.Label() != p.Range || p.RangeText() != "2–8 °C" || g.Rules[1].Limit.At != 8000 || p.Rules[0].Limit.At != 8000 {
		t.Errorf("%+v of %+v", g, p)
	}
}

// Borderline is inside, and strictly nearer to an end than the probe can tell.
func TestBorderline(t *testing.T) {
	r := Range{2000, 8000}
	for _, x := range []struct {
		temp, uncertainty sensor.Temp
		want              bool
	}{{7900, 250, true}, {7750, 250, false}, {7751, 250, true}, {8000, 250, true}, {8001, 250, false}, {2000, 1, true}, {1999, 250, false}, {5000, 250, false}, {8000, 0, false}} {
		if got := r.Borderline(x.temp, x.uncertainty); got != x.want {
			t.Errorf("%s ± %s: %v", x.temp, x.uncertainty, got)
		}
	}
	e := New(Config{Units: []Unit{{ID: "f1", Range: r, MaxGap: time.Minute, Probes: []UnitProbe{
		{ID: "a", Judges: true, Calibration: sensor.Calibration{Uncertainty: 250}, CalibratedUntil: 60_000}, {ID: "b", Judges: true}}}}}, 0)
	e.Observe(sensor.Reading{Probe: "a", Time: 1000, Temp: 7900})
	e.Observe(sensor.Reading{Probe: "b", Time: 1000, Temp: 7900})
	e.Tick(1000)
	u := e.Units()[0]
	if a, b := u.Probes[0], u.Probes[1]; !u.Borderline || !a.Borderline || b.Borderline || a.Uncalibrated || !b.Uncalibrated || a.Uncertainty != 250 {
		t.Errorf("%+v", u)
	}
	a := u.Probes[0]
	a.LastGood.Temp = 7900
	if got, want := a.Doubts(r), "Probe a: 7.9 °C, nearer to the limit than the probe can tell (±0.25)."; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	// Out of range is out of range, whichever probe says so; a value that stands no more says nothing.
	e.Observe(sensor.Reading{Probe: "b", Time: 2000, Temp: 8100})
	e.Tick(2000)
	if u := e.Units()[0]; u.Borderline || !u.Probes[0].Borderline {
		t.Errorf("%+v", u)
	}
	e.Tick(61_001)
	if u := e.Units()[0]; u.Borderline || u.Probes[0].Borderline || !u.Probes[0].Uncalibrated {
		t.Errorf("%+v", u)
	}
}
