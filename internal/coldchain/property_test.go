package coldchain

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"coldkeep/sensor"
)

// A scene is a short record, in milliseconds: small enough to look at each.
type scene struct {
	Cfg      Config
	Lives    []Life
	Readings []sensor.Reading
	Until    ms
}

// forgetSpent leaves out what was spent of rules that the profile has no more.
func (s *scene) forgetSpent() {
	for i := range s.Lives {
		s.Lives[i].Before = slices.DeleteFunc(s.Lives[i].Before, func(x Spent) bool { return s.Cfg.Profiles[0].rule(x.Rule) == nil })
	}
}

// taken says whether anything else happens at t.
func (s *scene) taken(l Life, t ms) bool {
	return slices.ContainsFunc(s.Readings, func(r sensor.Reading) bool { return r.Time == t }) ||
		slices.ContainsFunc(l.Placements, func(p Placement) bool { return p.From == t || p.To != nil && *p.To == t })
}

func drawSpan(t *rapid.T, name string, lo, hi int) time.Duration {
	return time.Duration(rapid.IntRange(lo, hi).Draw(t, name)) * time.Millisecond
}

func drawLimit(t *rapid.T) Limit {
	l := Limit{Side: Above, At: sensor.Temp(rapid.SampledFrom([]int{8000, 8000, 9000, 7000}).Draw(t, "above"))}
	if rapid.Bool().Draw(t, "low side") {
		l = Limit{Side: Below, At: sensor.Temp(rapid.SampledFrom([]int{2000, 2000, 0, 3000}).Draw(t, "below"))}
	}
	l.Inclusive = rapid.IntRange(0, 4).Draw(t, "inclusive") == 0
	return l
}

func drawScene(t *rapid.T) scene {
	var s scene
	const span = 120
	start := ms(1000)
	for u := range rapid.IntRange(1, 2).Draw(t, "units") {
		x := Unit{ID: fmt.Sprintf("u%d", u), Range: Range{2000, 8000}, MaxGap: drawSpan(t, "max gap", 3, 15)}
		if rapid.IntRange(0, 3).Draw(t, "narrow") == 0 {
			x.Range = Range{3000, 7000}
		}
		x.Transport = rapid.IntRange(0, 2).Draw(t, "transport") == 0
		for p := range rapid.IntRange(1, 2).Draw(t, "probes") {
			id := fmt.Sprintf("u%dp%d", u, p)
			m := rapid.SampledFrom([]sensor.Medium{sensor.Buffered, sensor.Buffered, sensor.Air}).Draw(t, "medium")
			x.Probes = append(x.Probes, UnitProbe{ID: id, Judges: true, Medium: m})
			at := start + ms(rapid.IntRange(0, 20).Draw(t, "first"))
			for at < start+span {
				r := sensor.Reading{Probe: id, Time: at, Temp: sensor.Temp(1000 * rapid.SampledFrom([]int{5, 5, 5, 8, 2, 9, 10, 1, -1, 7, 3, 15}).Draw(t, "temp"))}
				if rapid.IntRange(0, 9).Draw(t, "fault") == 0 {
					r.Fault = sensor.FaultCRC
				}
				s.Readings = append(s.Readings, r)
				at += ms(rapid.SampledFrom([]int{0, 1, 2, 3, 4, 5, 5, 5, 8, 20, 30}).Draw(t, "step"))
			}
		}
		for a := range rapid.IntRange(0, 3).Draw(t, "alarms") {
			r := AlarmRule{ID: fmt.Sprintf("a%d", a), Severity: Critical}
			if rapid.IntRange(0, 5).Draw(t, "no data") == 0 {
				r.NoData = drawSpan(t, "quiet", 1, 20)
			} else {
				r.Limit = drawLimit(t)
				if rapid.Bool().Draw(t, "sum") {
					r.Total = drawSpan(t, "total", 1, 15)
					r.Within = r.Total + drawSpan(t, "within", 0, 40)
				} else {
					r.For = drawSpan(t, "for", 0, 15)
				}
				if rapid.IntRange(0, 2).Draw(t, "clear") == 0 {
					at := r.Limit.At - 1000
					if r.Limit.Side == Below {
						at = r.Limit.At + 1000
					}
					r.Clear = &Clear{At: at, For: drawSpan(t, "clear for", 0, 12)}
				}
			}
			x.Alarms = append(x.Alarms, r)
		}
		s.Cfg.Units = append(s.Cfg.Units, x)
	}
	if len(s.Readings) == 0 {
		s.Readings = []sensor.Reading{{Probe: "u0p0", Time: start, Temp: 5000}}
	}
	p := Profile{ID: "p", Range: Range{2000, 8000}, Confirm: drawSpan(t, "confirm", 0, 6), Unmonitored: drawSpan(t, "unmonitored", 1, 40), DeltaH: DefaultDeltaH,
		Outside: Outside{As: sensor.Temp(rapid.SampledFrom([]int{25000, 5000, 8000}).Draw(t, "as")), Grace: drawSpan(t, "grace", 0, 10)}}
	for _, s := range []Stage{Transport, InUse} {
		if rapid.IntRange(0, 2).Draw(t, "has a range") == 0 {
			p.Stages = append(p.Stages, StageRange{s, rapid.SampledFrom([]Range{{2000, 8000}, {1000, 9000}, {3000, 25000}}).Draw(t, "range")})
		}
	}
	if rapid.Bool().Draw(t, "thaws") {
		p.Thaw = Thaw{Above: sensor.Temp(rapid.SampledFrom([]int{8000, 4000, 9000}).Draw(t, "thaws above")), For: drawSpan(t, "thaws for", 1, 12), Outside: drawSpan(t, "thaws outside", 0, 8)}
	}
	if rapid.Bool().Draw(t, "to be used soon") {
		p.InUse = drawSpan(t, "in use", 1, 60)
	}
	for i := range rapid.IntRange(0, 4).Draw(t, "rules") {
		r := Rule{ID: fmt.Sprintf("r%d", i)}
		if p.Thaw.Counts() && rapid.IntRange(0, 3).Draw(t, "on cycles") == 0 {
			r.FreezeThaw, r.Cycles = true, rapid.IntRange(0, 2).Draw(t, "cycles")
			p.Rules = append(p.Rules, r)
			continue
		}
		if rapid.IntRange(0, 2).Draw(t, "of a stage") == 0 {
			r.Stage = rapid.SampledFrom([]Stage{Storage, Transport, InUse}).Draw(t, "stage")
		}
		switch rapid.IntRange(0, 7).Draw(t, "kind") {
		case 0:
			r.MKT, r.Limit, r.Within = true, Limit{Side: Above, At: sensor.Temp(rapid.SampledFrom([]int{5000, 6000, 8000}).Draw(t, "mkt"))}, drawSpan(t, "window", 5, 60)
		case 1:
			r.Unmonitored, r.Total = true, drawSpan(t, "dark", 1, 30)
			if rapid.Bool().Draw(t, "rolling") {
				r.Within = r.Total + drawSpan(t, "within", 0, 40)
			}
		case 2, 3:
			r.Limit, r.For = drawLimit(t), drawSpan(t, "for", 0, 15)
		default:
			r.Limit, r.Total = drawLimit(t), drawSpan(t, "total", 1, 25)
			if rapid.Bool().Draw(t, "rolling") {
				r.Within = r.Total + drawSpan(t, "within", 0, 40)
			}
		}
		if r.MKT || r.Unmonitored {
			r.Stage = ""
		}
		p.Rules = append(p.Rules, r)
	}
	s.Cfg.Profiles = []Profile{p}
	for b := range rapid.IntRange(1, 2).Draw(t, "batches") {
		l := Life{ID: fmt.Sprintf("b%d", b), Profile: "p"}
		at := start + ms(rapid.IntRange(-10, 30).Draw(t, "from"))
		n := rapid.IntRange(1, 3).Draw(t, "placements")
		for i := range n {
			pl := Placement{Unit: s.Cfg.Units[rapid.IntRange(0, len(s.Cfg.Units)-1).Draw(t, "in")].ID, From: at}
			to := at + ms(rapid.IntRange(1, 50).Draw(t, "stay"))
			if i < n-1 || rapid.Bool().Draw(t, "ends") {
				pl.To = &to
			}
			l.Placements = append(l.Placements, pl)
			at = to + ms(rapid.SampledFrom([]int{0, 0, 1, 5, 12}).Draw(t, "out"))
		}
		if last := l.Placements[n-1].To; last != nil && rapid.Bool().Draw(t, "goes on") {
			e := *last + ms(rapid.IntRange(0, 20).Draw(t, "after"))
			l.Ended = &e
		}
		for _, r := range p.Rules {
			if r.FreezeThaw && rapid.IntRange(0, 2).Draw(t, "thawed before") == 0 {
				l.Before = append(l.Before, Spent{Rule: r.ID, Cycles: rapid.IntRange(1, 2).Draw(t, "cycles before")})
			}
			if most := r.Total; most > 0 && rapid.IntRange(0, 2).Draw(t, "spent before") == 0 {
				if r.Within == 0 {
					most += 3 * time.Millisecond
				} else if r.Within > most {
					most = min(r.Within, most+3*time.Millisecond)
				}
				l.Before = append(l.Before, Spent{Rule: r.ID, S: drawSpan(t, "before", 1, int(most/time.Millisecond)).Seconds()})
			}
		}
		if rapid.Bool().Draw(t, "opened") {
			// At an instant of its own: what comes first in an instant has vectors.
			l.OpenedAt = l.Placements[0].From + ms(rapid.IntRange(1, 80).Draw(t, "opened after"))
			for s.taken(l, l.OpenedAt) {
				l.OpenedAt++
			}
		}
		s.Lives = append(s.Lives, l)
	}
	if rapid.Bool().Draw(t, "until") {
		s.Until = start + ms(rapid.IntRange(25, 160).Draw(t, "end"))
	}
	return s
}

// plainResult leaves what two readings of the rules must agree on.
func plainResult(r Result) Result {
	for i := range r.Batches {
		b := &r.Batches[i]
		b.Now, b.Placements, b.Received, b.RecordFrom, b.OutsideSince, b.Ended, b.Profile, b.Unit = "", nil, 0, nil, nil, nil, Profile{}, ""
		slices.SortStableFunc(b.Reasons, func(x, y Reason) int {
			if x.At != y.At {
				return int(x.At - y.At)
			}
			return map[bool]int{true: -1, false: 1}[x.Rule < y.Rule]
		})
		for j := range b.Reasons {
			b.Reasons[j].Text = ""
		}
		b.LostAt, b.Forecasts = nil, nil // like RunsOut no finding
		for j := range b.Allowance {
			b.Allowance[j].RunsOut = nil
		}
		if m := b.Exposure.MKTC; m != nil {
			x := math.Round(*m*1e6) / 1e6
			b.Exposure.MKTC = &x
		}
	}
	key := func(unit, rule string, at ms) string { return fmt.Sprintf("%012d %s %s", at, unit, rule) }
	slices.SortFunc(r.Alarms, func(a, b Alarm) int {
		return cmpString(key(a.Unit, a.Rule, a.Raised), key(b.Unit, b.Rule, b.Raised))
	})
	slices.SortFunc(r.Excursions, func(a, b Excursion) int {
		return cmpString(key(a.Unit, a.Kind, a.Start), key(b.Unit, b.Kind, b.Start))
	})
	slices.SortFunc(r.Gaps, func(a, b Gap) int { return cmpString(key(a.Unit, "", a.Start), key(b.Unit, "", b.Start)) })
	r.Good, r.Faults, r.Conflicts = 0, 0, 0
	return r
}

func cmpString(a, b string) int {
	if a < b {
		return -1
	}
	if a > b {
		return 1
	}
	return 0
}

func mustReplay(t *rapid.T, s scene) Result {
	r, err := Replay(s.Cfg, s.Lives, s.Readings, s.Until)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func differ(a, b Result) string {
	return cmp.Diff(plainResult(a), plainResult(b), cmpopts.EquateEmpty())
}

// Two who build from the same rules find the same, to the millisecond.
func TestTheEvaluatorAgreesWithTheOracle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawScene(t)
		end := s.Until
		if end == 0 {
			for _, r := range s.Readings {
				end = max(end, r.Time)
			}
		}
		first := s.Readings[0].Time
		for _, r := range s.Readings {
			first = min(first, r.Time)
		}
		if end < first {
			t.Skip("ends before it begins")
		}
		kept := slices.DeleteFunc(slices.Clone(s.Readings), func(r sensor.Reading) bool { return r.Time > end })
		got := mustReplay(t, s)
		got.ProbeAlarms = nil // another oracle's: watch_test.go
		for i := range got.Batches {
			b := &got.Batches[i]
			b.JudgedBy, b.Stage, b.OpenedAt, b.UseByAt, b.Before = nil, "", nil, nil, nil
		}
		if d := differ(oracle(s.Cfg, s.Lives, kept, end), got); d != "" {
			t.Fatalf("oracle − evaluator +\n%s\n%+v", d, s)
		}
	})
}

// The order in which readings arrive does not matter, but for two
// temperatures of one probe at one instant.
func TestOrderOfArrivalDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawScene(t)
		seen := map[string]bool{}
		s.Readings = slices.DeleteFunc(s.Readings, func(r sensor.Reading) bool {
			k := fmt.Sprint(r.Probe, r.Time)
			again := seen[k]
			seen[k] = true
			return again
		})
		want := mustReplay(t, s)
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		rng.Shuffle(len(s.Readings), func(i, j int) { s.Readings[i], s.Readings[j] = s.Readings[j], s.Readings[i] })
		if d := differ(want, mustReplay(t, s)); d != "" {
			t.Fatal(d)
		}
	})
}

// Ticks between readings, and stopping and going on from a checkpoint at any
// instant, change nothing of what is found.
func TestTicksAndRestartsChangeNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawScene(t)
		s.decide(t)
		want := mustReplay(t, s)
		sorted := slices.Clone(s.Readings)
		slices.SortStableFunc(sorted, func(a, b sensor.Reading) int { return int(a.Time - b.Time) })
		r := NewReplayer(s.Cfg, s.Lives, s.Until)
		for i, x := range sorted {
			if _, err := r.Observe(x); err != nil {
				t.Fatal(err)
			}
			if !r.begun || i+1 == len(sorted) || sorted[i+1].Time <= x.Time+1 || s.Until != 0 && x.Time >= s.Until {
				continue
			}
			r.e.Tick(x.Time + ms(rapid.IntRange(0, int(sorted[i+1].Time-x.Time-1)).Draw(t, "tick")))
			if rapid.IntRange(0, 3).Draw(t, "restart") == 0 {
				if s.Until != 0 && r.e.now > s.Until {
					continue
				}
				data, err := r.e.Checkpoint(s.Cfg)
				if err != nil {
					t.Fatal(err)
				}
				e, err := Restore(s.Cfg, data)
				if err != nil {
					t.Fatal(err)
				}
				// What a recording has found so far is no part of the state.
				e.keep, e.silent = true, true
				e.excursions, e.alarms, e.gaps, e.ofProbes, e.counts, e.idle = r.e.excursions, r.e.alarms, r.e.gaps, r.e.ofProbes, r.e.counts, r.e.idle
				r.e = e
			}
		}
		got, err := r.Finish()
		if s.Until != 0 && r.e.now > s.Until {
			t.Skip("ticked beyond the end")
		}
		if err != nil {
			t.Fatal(err)
		}
		if d := differ(want, got); d != "" {
			t.Fatalf("in one go − with ticks and restarts +\n%s\n%+v", d, s)
		}
	})
}

// A gap never makes a verdict better: without some of the readings that were
// inside every limit, each rule that was broken still is, and no later. But
// for the mean kinetic temperature, which is not judged from a window of
// which less than nine tenths are known; for freeze–thaw cycles, of which a
// lost reading may have been the one that saw it frozen again; and with one probe in a unit: where
// there are two, one reading inside can make time doubtful that was certainly
// beyond, when the other has fallen silent beyond the limit.
func TestAGapNeverMakesAVerdictBetter(t *testing.T) {
	rank := map[Verdict]int{InRange: 0, Unknown: 1, InExcursion: 1, Quarantined: 2}
	rapid.Check(t, func(t *rapid.T) {
		s := drawScene(t)
		s.Cfg.Profiles[0].Rules = slices.DeleteFunc(s.Cfg.Profiles[0].Rules, func(r Rule) bool { return r.MKT || r.FreezeThaw })
		s.forgetSpent()
		for i := range s.Cfg.Units {
			s.Cfg.Units[i].Probes = s.Cfg.Units[i].Probes[:1]
		}
		s.Readings = slices.DeleteFunc(s.Readings, func(r sensor.Reading) bool { return r.Probe[len(r.Probe)-1] != '0' })
		if len(s.Readings) == 0 {
			t.Skip("nothing is there")
		}
		if s.Until == 0 {
			for _, r := range s.Readings {
				s.Until = max(s.Until, r.Time)
			}
		}
		whole := mustReplay(t, s)
		holes := s
		holes.Readings = slices.DeleteFunc(slices.Clone(s.Readings), func(r sensor.Reading) bool {
			return r.Good() && r.Temp == 5000 && rapid.Bool().Draw(t, "lost")
		})
		if len(holes.Readings) == 0 {
			t.Skip("nothing is left")
		}
		for i, b := range mustReplay(t, holes).Batches {
			before := whole.Batches[i]
			if rank[b.Verdict] < rank[before.Verdict] {
				t.Fatalf("batch %s: %s with all readings, %s with holes\n%+v", b.ID, before.Verdict, b.Verdict, s)
			}
			for _, r := range before.Reasons {
				j := slices.IndexFunc(b.Reasons, func(x Reason) bool { return x.Rule == r.Rule })
				if j < 0 || b.Reasons[j].At > r.At {
					t.Fatalf("batch %s: %s broke at %s with all readings; with holes %+v\n%+v", b.ID, r.Rule, r.At, b.Reasons, s)
				}
			}
		}
	})
}
