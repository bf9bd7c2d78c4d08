package coldchain

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"coldkeep/sensor"
)

// drawWatched draws a unit of two or three probes over some three hours:
// faults, silences, readings under check, and every distance between them.
func drawWatched(t *rapid.T) scene {
	u := Unit{ID: "u", Range: Range{2000, 8000}, MaxGap: time.Duration(rapid.IntRange(1, 12).Draw(t, "max gap")) * time.Minute}
	if rapid.Bool().Draw(t, "own silence") {
		u.Alarms = append(u.Alarms, AlarmRule{ID: "quiet", Severity: Critical, NoData: time.Duration(rapid.IntRange(1, 15).Draw(t, "quiet")) * time.Minute})
	}
	var s scene
	for p := range rapid.IntRange(2, 3).Draw(t, "probes") {
		x := UnitProbe{ID: fmt.Sprintf("p%d", p), Judges: true, Medium: sensor.Buffered, Tolerance: sensor.Temp(rapid.SampledFrom([]int{0, 0, 500, 3000}).Draw(t, "tolerance"))}
		if rapid.IntRange(0, 3).Draw(t, "in air") == 0 {
			x.Medium = sensor.Air
		}
		u.Probes = append(u.Probes, x)
		at, temp := ms(0), sensor.Temp(4000)
		for {
			at += ms(60_000 * rapid.SampledFrom([]int{0, 1, 1, 1, 2, 2, 2, 3, 5, 9, 25}).Draw(t, "step"))
			if at > 180*60_000 {
				break
			}
			if rapid.IntRange(0, 9).Draw(t, "moves") == 0 {
				temp = sensor.Temp(rapid.SampledFrom([]int{4000, 4000, 4500, 4501, 6000, 6001, 7500}).Draw(t, "temp"))
			}
			r := sensor.Reading{Probe: x.ID, Time: at, Temp: temp}
			switch rapid.IntRange(0, 29).Draw(t, "what") {
			case 0:
				r.Fault = sensor.FaultCRC
			case 1:
				r.Check = true
			case 2:
				r.Check, r.Fault = true, sensor.FaultCRC
			}
			if n := len(s.Readings); n > 0 && s.Readings[n-1].Probe == x.ID && s.Readings[n-1].Time == at {
				continue
			}
			s.Readings = append(s.Readings, r)
		}
	}
	if len(s.Readings) == 0 {
		s.Readings = append(s.Readings, sensor.Reading{Probe: "p0", Time: 60_000, Temp: 4000})
	}
	s.Cfg = Config{Units: []Unit{u}}
	s.Until = 181 * 60_000
	return s
}

// watchOracle is a second reading of the two alarms. It looks at the whole
// record from each instant at which anything can change, and keeps nothing
// between them but what is raised.
func watchOracle(s scene) (list []Alarm) {
	u := s.Cfg.Units[0].WithDefaults()
	begin := s.Until
	var instants []ms
	add := func(t ms) { instants = append(instants, t) }
	quiet := u.Alarms[0].NoData
	for _, a := range u.Alarms {
		quiet = min(quiet, a.NoData)
	}
	for _, r := range s.Readings {
		begin = min(begin, r.Time)
	}
	for _, from := range append([]sensor.Reading{{Time: begin}}, s.Readings...) {
		for _, d := range []time.Duration{0, u.MaxGap, quiet} {
			for _, e := range []time.Duration{0, time.Millisecond, apartFor, agreeFor} {
				add(from.Time.Add(d + e))
			}
		}
	}
	slices.Sort(instants)
	instants = slices.Compact(instants)
	// before says whether a reading counts: those of t itself only after them.
	type seen struct {
		heard, last, until ms
		temp               sensor.Temp
		has                bool
	}
	find := func(id string, t ms, with bool) seen {
		x := seen{heard: begin}
		for _, r := range s.Readings {
			if r.Probe != id || r.Time > t || r.Time == t && !with || !r.Good() && !r.Check {
				continue
			}
			x.heard = r.Time
			if r.Check {
				if r.Good() {
					x.until = min(x.until, r.Time)
				}
				continue
			}
			x.has, x.last, x.temp, x.until = true, r.Time, r.Temp, r.Time.Add(u.MaxGap)
		}
		return x
	}
	lostAt := func(t ms, with bool) (ids []string) {
		latest := begin
		for _, p := range u.Probes {
			if x := find(p.ID, t, with); x.has {
				latest = max(latest, x.last)
			}
		}
		for _, p := range u.Probes {
			if t > find(p.ID, t, with).heard.Add(quiet) && t <= latest.Add(quiet) {
				ids = append(ids, p.ID)
			}
		}
		return ids
	}
	// how a pair stands in [t, next instant).
	how := func(a, b UnitProbe, t ms) (both, apart bool) {
		tol := max(a.Tolerance, b.Tolerance)
		if tol == 0 && a.Medium != b.Medium {
			return false, false
		}
		if tol == 0 {
			tol = 2000
		}
		x, y := find(a.ID, t, true), find(b.ID, t, true)
		both = x.has && y.has && t < x.until && t < y.until
		return both, both && (x.temp-y.temp > tol || y.temp-x.temp > tol)
	}
	// since is from when on f has held without a break up to t, not itself.
	since := func(t, notBefore ms, f func(ms) bool) ms {
		from := t
		i, _ := slices.BinarySearch(instants, t)
		for i--; i >= 0 && instants[i] >= notBefore && instants[i] >= begin && f(instants[i]); i-- {
			from = instants[i]
		}
		return from
	}
	var lost, apart *Alarm
	end := func(a **Alarm, t ms) {
		(*a).Cleared = &t
		list = append(list, **a)
		*a = nil
	}
	one := func(id string) UnitProbe {
		return u.Probes[slices.IndexFunc(u.Probes, func(p UnitProbe) bool { return p.ID == id })]
	}
	for _, t := range instants {
		if t > s.Until {
			break
		}
		for _, with := range []bool{false, true} {
			ids := lostAt(t, with)
			if lost != nil && !slices.ContainsFunc(lost.Probes, func(id string) bool { return slices.Contains(ids, id) }) {
				end(&lost, t)
			}
			if lost == nil && len(ids) > 0 {
				lost = &Alarm{Unit: "u", Rule: "probe_lost", Severity: Warning, Raised: t, Probes: ids}
			}
		}
		if apart != nil {
			a, b := one(apart.Probes[0]), one(apart.Probes[1])
			calm := func(t ms) bool {
				for i, p := range u.Probes {
					for _, q := range u.Probes[i+1:] {
						if _, x := how(p, q, t); x {
							return false
						}
					}
				}
				both, _ := how(a, b, t)
				return both
			}
			if from := since(t, apart.Raised, calm); t-from >= ms(agreeFor.Milliseconds()) {
				end(&apart, t)
			}
		}
		if apart == nil {
			first := t
			for i, p := range u.Probes {
				for _, q := range u.Probes[i+1:] {
					from := since(t, begin, func(t ms) bool { _, x := how(p, q, t); return x })
					if t-from >= ms(apartFor.Milliseconds()) && from < first {
						first = from
						apart = &Alarm{Unit: "u", Rule: "probes_disagree", Severity: Warning, Raised: t, Probes: []string{p.ID, q.ID}}
					}
				}
			}
		}
	}
	for _, a := range []*Alarm{lost, apart} {
		if a != nil {
			list = append(list, *a)
		}
	}
	return list
}

var sameAlarms = cmp.Options{cmpopts.IgnoreFields(Alarm{}, "Text"), cmpopts.EquateEmpty(), cmpopts.SortSlices(func(a, b Alarm) bool {
	return fmt.Sprintf("%020d%s", a.Raised, a.Rule) < fmt.Sprintf("%020d%s", b.Raised, b.Rule)
})}

// Two who read the rules of the two alarms find the same, to the millisecond.
func TestTheWatchAgreesWithItsOracle(t *testing.T) {
	found := map[string]bool{}
	rapid.Check(t, func(t *rapid.T) {
		s := drawWatched(t)
		got := mustReplay(t, s).ProbeAlarms
		for _, a := range got {
			found[a.Rule] = true
		}
		if d := cmp.Diff(watchOracle(s), got, sameAlarms); d != "" {
			t.Fatalf("oracle − evaluator +\n%s\n%+v", d, s)
		}
	})
	if !found[RuleProbeLost] || !found[RuleProbesDisagree] {
		t.Errorf("the scenes never raised %v", found)
	}
}

// Order within an instant, ticks between readings, and restarts from a
// checkpoint change nothing; live tells by events what a replay lists.
func TestTheWatchIsTheSameLiveInReplayAndRestarted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawWatched(t)
		want := mustReplay(t, s).ProbeAlarms
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		rng.Shuffle(len(s.Readings), func(i, j int) { s.Readings[i], s.Readings[j] = s.Readings[j], s.Readings[i] })
		if d := cmp.Diff(want, mustReplay(t, s).ProbeAlarms, cmpopts.EquateEmpty()); d != "" {
			t.Fatalf("in order − shuffled +\n%s", d)
		}
		slices.SortStableFunc(s.Readings, func(a, b sensor.Reading) int { return int(a.Time - b.Time) })
		e := New(s.Cfg, s.Readings[0].Time)
		var told []Event
		for i, r := range s.Readings {
			if e.Observe(r) == Late {
				t.Fatalf("%+v is late", r)
			}
			last := i+1 == len(s.Readings)
			if !last && s.Readings[i+1].Time == r.Time {
				continue
			}
			to := s.Until
			if !last {
				to = s.Readings[i+1].Time - 1
			}
			e.Tick(r.Time + ms(rng.Int64N(int64(to-r.Time)+1)))
			told = append(told, e.Take()...)
			if rng.IntN(3) == 0 {
				data, err := e.Checkpoint(s.Cfg)
				if err != nil {
					t.Fatal(err)
				}
				if e, err = Restore(s.Cfg, data); err != nil {
					t.Fatal(err)
				}
			}
		}
		e.Tick(s.Until)
		told = append(told, e.Take()...)
		var live []Alarm
		for _, ev := range told {
			if ev.Rule != RuleProbeLost && ev.Rule != RuleProbesDisagree {
				continue
			}
			if ev.Probe != ev.Probes[0] {
				t.Fatalf("%+v names another probe", ev)
			}
			a := Alarm{Unit: ev.Unit, Rule: ev.Rule, Severity: ev.Severity, Raised: ev.Start, Cleared: ev.End, Text: ev.Text, Probes: ev.Probes}
			if ev.Kind == AlarmCleared {
				live = slices.DeleteFunc(live, func(o Alarm) bool { return o.Cleared == nil && o.Rule == a.Rule && o.Raised == a.Raised })
			}
			live = append(live, a)
		}
		if d := cmp.Diff(want, live, sameAlarms); d != "" {
			t.Fatalf("replayed − live +\n%s\n%+v", d, s)
		}
		open := slices.DeleteFunc(slices.Clone(want), func(a Alarm) bool { return a.Cleared != nil })
		var still []Alarm
		for _, a := range e.OpenAlarms() {
			if len(a.Probes) > 0 {
				still = append(still, a)
			}
		}
		if d := cmp.Diff(open, still, sameAlarms); d != "" {
			t.Fatalf("open in replay − live +\n%s", d)
		}
	})
}

// A second probe's alarms change nothing of what is judged besides.
func TestTheWatchJudgesNothingElse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawScene(t)
		with := mustReplay(t, s)
		for i := range s.Cfg.Units {
			for j := range s.Cfg.Units[i].Probes {
				s.Cfg.Units[i].Probes[j].Tolerance = 1
			}
		}
		without := mustReplay(t, s)
		with.ProbeAlarms, without.ProbeAlarms = nil, nil
		if d := differ(with, without); d != "" {
			t.Fatal(d)
		}
	})
}

// watched is a unit of two probes, with readings each minute from 0 on.
func watched(p ...UnitProbe) Config {
	return Config{Units: []Unit{{ID: "f1", Range: Range{2000, 8000}, MaxGap: 5 * time.Minute, Probes: p}}}
}

func minutes(e *Evaluator, from, to int, a, b sensor.Temp) {
	for m := from; m < to; m++ {
		e.Observe(sensor.Reading{Probe: "a", Time: ms(m * 60_000), Temp: a})
		if b != 0 {
			e.Observe(sensor.Reading{Probe: "b", Time: ms(m * 60_000), Temp: b})
		}
	}
	e.Tick(ms(to*60_000) - 1)
}

// Another instrument behind a probe of the two ends both alarms; the words
// name both and by how much.
func TestAReplacedProbeEndsTheAlarmsAboutIt(t *testing.T) {
	cfg := watched(UnitProbe{ID: "a", Judges: true, Instrument: "1", Tolerance: 1500}, UnitProbe{ID: "b", Judges: true, Instrument: "2"})
	e := New(cfg, 0)
	minutes(e, 0, 20, 4100, 6900)
	open := e.OpenAlarms()
	if len(open) != 1 || open[0].Text != "probes a (4.1 °C) and b (6.9 °C) disagree by 2.8 °C; 1.5 is stated" || open[0].Raised != 15*60_000 {
		t.Fatalf("%+v", open)
	}
	minutes(e, 20, 40, 4100, 0)
	if open = e.OpenAlarms(); len(open) != 2 || open[1].Rule != RuleProbeLost || open[1].Text != "no temperature from probe b for more than 10m" {
		t.Fatalf("%+v", open)
	}
	e.Take()
	next := watched(cfg.Units[0].Probes[0], UnitProbe{ID: "b", Judges: true, Instrument: "3"})
	if err := e.Reconfigure(40*60_000, next); err != nil {
		t.Fatal(err)
	}
	minutes(e, 40, 45, 4100, 6900)
	if open = e.OpenAlarms(); len(open) != 0 {
		t.Errorf("still open: %+v", open)
	}
	cleared := 0
	for _, ev := range e.Take() {
		if ev.Kind == AlarmCleared && ev.Time == 40*60_000 {
			cleared++
		}
	}
	if cleared != 2 {
		t.Errorf("%d are cleared at the change; want both", cleared)
	}
	// The new one is compared from its first reading on.
	minutes(e, 45, 60, 4100, 6900)
	if open = e.OpenAlarms(); len(open) != 1 || open[0].Raised != 55*60_000 {
		t.Errorf("%+v; want one, raised at 00:55", open)
	}
}

// Another tolerance is another rule.
func TestAnotherToleranceBeginsAnew(t *testing.T) {
	cfg := watched(UnitProbe{ID: "a", Judges: true}, UnitProbe{ID: "b", Judges: true})
	e := New(cfg, 0)
	minutes(e, 0, 20, 4100, 6900)
	next := watched(UnitProbe{ID: "a", Judges: true, Tolerance: 2500}, UnitProbe{ID: "b", Judges: true})
	if err := e.Reconfigure(20*60_000, next); err != nil {
		t.Fatal(err)
	}
	minutes(e, 20, 40, 4100, 6900)
	if open := e.OpenAlarms(); len(open) != 1 || open[0].Raised != 35*60_000 {
		t.Errorf("%+v; want one, raised at 00:35", open)
	}
}

// One probe alone: Observe costs what it did, and allocates nothing.
func TestObserveOfOneProbeAllocatesNothing(t *testing.T) {
	e := New(watched(UnitProbe{ID: "a", Judges: true}), 0)
	at := ms(0)
	if n := testing.AllocsPerRun(2000, func() {
		at += 10_000
		e.Observe(sensor.Reading{Probe: "a", Time: at, Temp: 5000})
	}); n != 0 {
		t.Errorf("%v allocations in a reading", n)
	}
}

func BenchmarkObserve(b *testing.B) {
	for _, n := range []int{1, 2} {
		b.Run(fmt.Sprintf("probes=%d", n), func(b *testing.B) {
			list := []UnitProbe{{ID: "a", Judges: true}, {ID: "b", Judges: true}}[:n]
			e := New(watched(list...), 0)
			b.ReportAllocs()
			at := ms(0)
			for i := 0; b.Loop(); i++ {
				p := i % n
				if p == 0 {
					at += 10_000
				}
				e.Observe(sensor.Reading{Probe: list[p].ID, Time: at, Temp: 5000})
			}
		})
	}
}
