package coldchain

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"coldkeep/sensor"
)

// decide lets people decide on batches that are quarantined: each release
// comes after the instant of a reason that holds then.
func (s *scene) decide(t *rapid.T) {
	for range rapid.IntRange(0, 2).Draw(t, "decisions") {
		found := mustReplay(t, *s)
		for i := range s.Lives {
			l, b := &s.Lives[i], found.Batches[i]
			var open []ms
			for _, r := range b.Reasons {
				if !r.Released && !r.Expires() {
					open = append(open, r.At)
				}
			}
			if b.Verdict != Quarantined || len(open) == 0 || rapid.IntRange(0, 3).Draw(t, "nobody decides") == 0 {
				continue
			}
			d := Disposition{At: rapid.SampledFrom(open).Draw(t, "after") + ms(rapid.IntRange(1, 20).Draw(t, "so long")), By: "Anna Example", Reason: "r"}
			if n := len(l.Dispositions); n > 0 {
				d.At = max(d.At, l.Dispositions[n-1].At+1)
			}
			if end := b.Ended; end != nil && d.At >= *end {
				continue
			}
			for _, r := range s.Cfg.Profiles[0].Rules {
				if rapid.Bool().Draw(t, "allow anew") {
					switch most := r.Total; {
					case r.FreezeThaw:
						d.Allow = append(d.Allow, Spent{Rule: r.ID, Cycles: rapid.IntRange(1, 2).Draw(t, "cycles")})
					case most > 0:
						d.Allow = append(d.Allow, Spent{Rule: r.ID, S: drawSpan(t, "so much", 1, int(most.Milliseconds())).Seconds()})
					}
				}
			}
			if rapid.IntRange(0, 2).Draw(t, "use by") == 0 {
				d.UseByAt, d.UseBy = d.At+ms(rapid.IntRange(1, 40).Draw(t, "days")), "a day"
			}
			l.Dispositions = append(l.Dispositions, d)
		}
	}
}

// Exposure is additive: a placement that is cut at any instant into two that
// touch gives the same, in everything. But for a mean kinetic temperature,
// which is judged where a stay ends, too: here it is told, and breaks nothing.
func TestACutOfAPlacementChangesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawScene(t)
		for i := range s.Cfg.Profiles[0].Rules {
			if r := &s.Cfg.Profiles[0].Rules[i]; r.MKT {
				r.Limit.At = 100_000
			}
		}
		s.decide(t)
		want := mustReplay(t, s)
		cut := s
		cut.Lives = slices.Clone(s.Lives)
		for i := range cut.Lives {
			l := &cut.Lives[i]
			l.Placements = slices.Clone(l.Placements)
			for range rapid.IntRange(0, 3).Draw(t, "cuts") {
				j := rapid.IntRange(0, len(l.Placements)-1).Draw(t, "cut")
				p := l.Placements[j]
				at := p.From + ms(rapid.IntRange(1, 60).Draw(t, "at"))
				if p.To != nil && at >= *p.To {
					continue
				}
				second := p
				second.From = at
				l.Placements[j].To = &at
				l.Placements = slices.Insert(l.Placements, j+1, second)
			}
		}
		if d := differ(want, mustReplay(t, cut)); d != "" {
			t.Fatalf("whole − cut +\n%s\n%+v", d, cut)
		}
	})
}

// Whatever happens, a batch that is quarantined is so until a person decides,
// and one that was released is never again as if nothing had been.
func TestNothingButADecisionLiftsAQuarantine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawScene(t)
		s.decide(t)
		if rapid.Bool().Draw(t, "discard") {
			l := &s.Lives[0]
			at := l.Placements[len(l.Placements)-1].From + ms(rapid.IntRange(1, 150).Draw(t, "at"))
			if n := len(l.Dispositions); n == 0 || l.Dispositions[n-1].At < at {
				l.Dispositions = append(l.Dispositions, Disposition{At: at, Discard: true})
			}
		}
		sorted := slices.Clone(s.Readings)
		slices.SortStableFunc(sorted, func(a, b sensor.Reading) int { return cmp.Compare(a.Time, b.Time) })
		from, end := sorted[0].Time, sorted[len(sorted)-1].Time+30
		for _, l := range s.Lives {
			from = min(from, l.Placements[0].From)
		}
		e := New(s.Cfg, from)
		for _, l := range s.Lives {
			if err := e.AddLife(l); err != nil {
				t.Fatal(err)
			}
		}
		was := make([]Verdict, len(s.Lives))
		for now := from; now <= end; now++ {
			for len(sorted) > 0 && sorted[0].Time == now {
				e.Observe(sorted[0])
				sorted = sorted[1:]
			}
			e.Tick(now)
			for i, b := range e.Batches() {
				decided := slices.ContainsFunc(s.Lives[i].Dispositions, func(d Disposition) bool { return d.At == now })
				allowed := true
				switch was[i] {
				case Quarantined:
					allowed = b.Verdict == Quarantined || decided && (b.Verdict == Released || b.Verdict == Expired || b.Verdict == Unknown || b.Verdict == Discarded)
				case Released:
					allowed = b.Verdict != InRange && b.Verdict != InExcursion && b.Verdict != Unknown
				case Expired:
					allowed = b.Verdict == Expired || b.Verdict == Quarantined || b.Verdict == Discarded || decided
				case Discarded:
					allowed = b.Verdict == Discarded
				}
				if !allowed {
					t.Fatalf("batch %s was %s, and at %s it is %s\n%+v", b.ID, was[i], now, b.Verdict, s)
				}
				was[i] = b.Verdict
			}
		}
	})
}

// A mean kinetic temperature lies between the mean of what stood, weighted by
// time, and the highest of it.
func TestTheMeanKineticTemperatureLiesBetweenMeanAndMaximum(t *testing.T) {
	judged := 0
	rapid.Check(t, func(t *rapid.T) {
		s := drawScene(t)
		p := &s.Cfg.Profiles[0]
		p.Rules = append(p.Rules, Rule{ID: "kinetic", MKT: true, Limit: Limit{Side: Above, At: 100_000}, Within: drawSpan(t, "kinetic within", 5, 60)})
		end := s.Until
		first := s.Readings[0].Time
		for _, r := range s.Readings {
			first = min(first, r.Time)
			if s.Until == 0 {
				end = max(end, r.Time)
			}
		}
		if end < first {
			t.Skip("ends before it begins")
		}
		units := map[string]*oracleUnit{}
		for _, c := range s.Cfg.Units {
			units[c.ID] = newOracleUnit(c, slices.DeleteFunc(slices.Clone(s.Readings), func(r sensor.Reading) bool { return r.Time > end }), first, end)
		}
		for i, b := range mustReplay(t, s).Batches {
			o := oracleBatch{life: s.Lives[i], p: p, units: units, end: end}
			list := o.temps(s.Lives[i].Placements[0].From, end)
			if b.Exposure.MKTC == nil {
				continue
			}
			judged++
			sum := 0.0
			for _, c := range list {
				sum += c
			}
			mean, most := sum/float64(len(list)), slices.Max(list)
			if m := *b.Exposure.MKTC; m < mean-1e-6 || m > most+1e-6 {
				t.Fatalf("batch %s: mean %v, kinetic %v, highest %v\n%+v", b.ID, mean, m, most, s)
			}
		}
	})
	if judged == 0 {
		t.Error("no batch had one")
	}
}

// Readings may arrive in any order and at any time, and the record is judged
// anew each time: in the end the reasons are those of who knows all from the
// beginning, what else was said stays said, and no verdict on the way is
// better than the last.
func TestJudgingAnewInAnyOrderGivesTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawScene(t)
		seen := map[string]map[ms]bool{}
		s.Readings = slices.DeleteFunc(s.Readings, func(r sensor.Reading) bool {
			if seen[r.Probe] == nil {
				seen[r.Probe] = map[ms]bool{}
			}
			again := seen[r.Probe][r.Time]
			seen[r.Probe][r.Time] = true
			return again
		})
		from, end := s.Readings[0].Time, s.Readings[0].Time
		for _, r := range s.Readings {
			from, end = min(from, r.Time), max(end, r.Time)
		}
		for _, l := range s.Lives {
			from = min(from, l.Placements[0].From)
		}
		judge := func(readings []sensor.Reading) *Evaluator {
			readings = slices.Clone(readings)
			slices.SortStableFunc(readings, func(a, b sensor.Reading) int { return cmp.Compare(a.Time, b.Time) })
			e := New(s.Cfg, from)
			for _, l := range s.Lives {
				if err := e.AddLife(l); err != nil {
					t.Fatal(err)
				}
			}
			for _, r := range readings {
				e.Observe(r)
			}
			e.Tick(end)
			return e
		}
		want := judge(s.Readings)
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		rng.Shuffle(len(s.Readings), func(i, j int) { s.Readings[i], s.Readings[j] = s.Readings[j], s.Readings[i] })
		var said []Event
		var e *Evaluator
		for n := 0; n < len(s.Readings); {
			n = min(len(s.Readings), n+rapid.IntRange(1, 20).Draw(t, "arrive"))
			e = judge(s.Readings[:n])
			for _, ev := range append(e.Take(), e.Latch(said, end)...) {
				known := slices.ContainsFunc(said, func(o Event) bool { return o.Kind == ev.Kind && o.Batch == ev.Batch && o.Rule == ev.Rule })
				if ev.Kind == BatchQuarantined && !known || ev.Kind == BatchRejudged {
					ev.Seq = uint64(len(said) + 1)
					said = append(said, ev)
				}
			}
		}
		for i, b := range e.Batches() {
			last := want.Batches()[i]
			supported := slices.DeleteFunc(slices.Clone(b.Reasons), func(r Reason) bool { return r.Unsupported })
			if !slices.Equal(supported, last.Reasons) {
				t.Fatalf("batch %s: %+v, want %+v\n%+v", b.ID, supported, last.Reasons, s)
			}
			x, y := b.Exposure, last.Exposure
			if x.MonitoredS != y.MonitoredS || x.AboveS != y.AboveS || x.OutsideS != y.OutsideS || x.FreezeThawCycles != y.FreezeThawCycles || x.FreezeThawAtLeast != y.FreezeThawAtLeast {
				t.Fatalf("batch %s: %+v, want %+v", b.ID, x, y)
			}
			for _, ev := range said {
				if ev.Kind == BatchQuarantined && ev.Batch == b.ID && !slices.ContainsFunc(b.Reasons, func(r Reason) bool { return r.Rule == ev.Rule }) {
					t.Fatalf("batch %s was said to break %s, and that is forgotten", b.ID, ev.Rule)
				}
			}
			if last.Verdict == Quarantined && b.Verdict != Quarantined {
				t.Fatalf("batch %s is %s, and who knows all says %s", b.ID, b.Verdict, last.Verdict)
			}
		}
	})
}
