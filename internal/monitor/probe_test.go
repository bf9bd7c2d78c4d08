package monitor

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"coldkeep/alert"
	"coldkeep/internal/coldchain"
	"coldkeep/sensor"
)

func temp(t sensor.Temp) *sensor.Temp { return &t }

// refused gives a command that must be refused, with a part of why.
func (n *night) refused(c coldchain.Command, code, part string) {
	n.t.Helper()
	n.ids++
	c.ID = fmt.Sprintf("r%d-%d", n.ids, time.Now().UnixNano())
	e, err := n.m.Do(n.t.Context(), c)
	var no *coldchain.Refusal
	if !errors.As(err, &no) || no.Code != code || !strings.Contains(no.Message, part) {
		n.t.Errorf("%s %+v: %+v, %v; want %s with %q", c.Name, c, e, err, code, part)
	}
}

func (n *night) batch(id string) coldchain.BatchState {
	n.t.Helper()
	for _, b := range n.m.Snapshot().Batches {
		if b.ID == id {
			return b
		}
	}
	n.t.Fatalf("no batch %s", id)
	return coldchain.BatchState{}
}

// holding are the open alarms of a rule.
func (n *night) holding(rule string) (list []coldchain.Alarm) {
	for _, a := range n.m.Snapshot().Alarms {
		if a.Rule == rule {
			list = append(list, a)
		}
	}
	return list
}

// A probe in the ice is read and kept, and nothing of it is taken for the
// fridge's; the time counts as unmonitored.
func TestAProbeUnderCheckIsNotJudged(t *testing.T) {
	story(t, nightDuty(), func(n *night) {
		n.do(coldchain.Command{Name: "probe-out", Probe: "A", Purpose: "check", By: "Anna Example"})
		began := n.events(coldchain.ProbeTakenOut)[0]
		n.bus.set(0, "a")
		time.Sleep(8 * time.Minute)
		u := n.m.Snapshot().Units[0]
		c := u.Probes[0].Check
		if c == nil || c.By != "Anna Example" || c.Purpose != "check" || c.Since != began.Start || c.Until != began.Start.Add(30*time.Minute) {
			t.Fatalf("under check: %+v of %+v", c, began)
		}
		if u.OutOfRange || !u.Unmonitored || u.Temp != nil || u.Probes[0].Last.Temp != 0 || u.Probes[0].LastGood.Temp != 5000 {
			t.Errorf("the fridge under check: %+v", u)
		}
		n.bus.set(5000, "a")
		n.do(coldchain.Command{Name: "probe-back", Probe: "a", By: "Anna Example"})
		time.Sleep(time.Minute)
		u = n.m.Snapshot().Units[0]
		if u.Probes[0].Check != nil || u.Unmonitored || u.Temp == nil || *u.Temp != 5000 {
			t.Errorf("the fridge afterwards: %+v", u)
		}
		x := n.batch("EX-1").Exposure
		if x.BelowS != 0 || *x.MinC != 5000 || x.UnmonitoredS != 480 {
			t.Errorf("what the batch has been through: %+v", x)
		}
		if l := n.events(coldchain.ExcursionStarted); len(l) != 0 {
			t.Errorf("excursions %+v", l)
		}
		list, err := n.m.Readings(n.t.Context(), "a", began.Start, began.Start.Add(time.Hour), 1000)
		if err != nil {
			t.Fatal(err)
		}
		kept := 0
		for _, r := range list {
			if r.Check != (r.Temp == 0) {
				t.Errorf("reading %+v", r)
			}
			if r.Check {
				kept++
			}
		}
		if kept != 48 {
			t.Errorf("%d readings were kept", kept)
		}
		back := n.events(coldchain.ProbePutBack)
		if len(back) != 1 || back[0].Start != began.Start || back[0].End == nil || *back[0].DurationS != back[0].End.Sub(began.Start).Seconds() || back[0].By != "Anna Example" || back[0].Unit != "fridge-1" {
			t.Errorf("put back: %+v", back)
		}
	})
}

// Forgotten on the bench it is judged again after exactly 30 min, and that is
// an alarm until it is back; a kill in the middle changes nothing.
func TestAProbeForgottenOutside(t *testing.T) {
	for _, kill := range []time.Duration{0, 12 * time.Minute, 40 * time.Minute} {
		story(t, nightDuty(), func(n *night) {
			n.do(coldchain.Command{Name: "probe-out", Probe: "a", Purpose: "out", Reason: "defrosting", By: "Anna Example"})
			start := n.events(coldchain.ProbeTakenOut)[0].Start
			n.bus.set(21000, "a")
			at := func(d time.Duration) { time.Sleep(start.Add(d).Time().Sub(n.wall())) }
			if kill == 12*time.Minute {
				at(kill)
				n.cancel()
				time.Sleep(time.Minute)
				n.start()
				if c := n.m.Snapshot().Units[0].Probes[0].Check; c == nil || c.Until != start.Add(CheckMost) || c.Reason != "defrosting" || c.By != "Anna Example" {
					t.Fatalf("after the kill: %+v", c)
				}
			}
			at(CheckMost - time.Second)
			if l := n.holding(RuleOverrun); len(l) != 0 || n.m.Snapshot().Units[0].OutOfRange {
				t.Errorf("before 30 min: %+v", l)
			}
			at(CheckMost + 15*time.Second)
			l := n.holding(RuleOverrun)
			if len(l) != 1 || l[0].Severity != coldchain.Warning || l[0].Unit != "fridge-1" || l[0].Raised != start.Add(CheckMost) || !strings.Contains(l[0].Text, "probe a") {
				t.Errorf("after 30 min: %+v", l)
			}
			if u := n.m.Snapshot().Units[0]; !u.OutOfRange || *u.Temp != 21000 {
				t.Errorf("after 30 min it is judged again: %+v", u)
			}
			if kill == 40*time.Minute {
				at(kill)
				n.cancel()
				n.start()
				if l := n.holding(RuleOverrun); len(l) != 1 || l[0].Raised != start.Add(CheckMost) {
					t.Errorf("after the kill: %+v", l)
				}
			}
			n.bus.set(5000, "a")
			n.do(coldchain.Command{Name: "probe-back", Probe: "a"})
			if l := n.holding(RuleOverrun); len(l) != 0 {
				t.Errorf("it is back: %+v", l)
			}
			raised := slices.DeleteFunc(n.events(coldchain.AlarmRaised), func(e coldchain.Event) bool { return e.Rule != RuleOverrun })
			if len(raised) != 1 {
				t.Errorf("raised %d times", len(raised))
			}
		})
	}
}

func TestProbeCommandsThatCannotBe(t *testing.T) {
	story(t, nightDuty(), func(n *night) {
		by := func(name, probe string) coldchain.Command {
			return coldchain.Command{Name: name, Probe: probe, By: "Anna Example", Purpose: "check"}
		}
		n.refused(by("probe-out", "attic"), "not_found", `no probe "attic" is configured; there are a, b, c, d`)
		n.refused(by("probe-out", ""), "bad_request", "which probe? there are a, b, c, d")
		n.refused(by("probe-back", "a"), "conflict", "probe a is not out")
		n.refused(coldchain.Command{Name: "probe-out", Probe: "a", Purpose: "check"}, "bad_request", "who does this")
		c := by("probe-out", "a")
		c.Purpose = "out"
		n.refused(c, "bad_request", "why is probe a taken out")
		c.Purpose = "lunch"
		n.refused(c, "bad_request", `purpose "lunch"`)
		c = by("probe-out", "a")
		c.At = n.m.Snapshot().At
		n.refused(c, "bad_request", "leave `at` out")
		n.refused(by("probe-check", "a"), "bad_request", "give `reference`")
		c = by("probe-check", "a")
		c.Reference = temp(0)
		n.refused(c, "bad_request", "give `found`")
		c.Found, c.Tolerance = temp(100), -1
		n.refused(c, "bad_request", "below 0")

		// A repeat with the same id does nothing; another command is refused.
		c = by("probe-out", "a")
		c.ID = "the same"
		first, err := n.m.Do(n.t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		again, err := n.m.Do(n.t.Context(), c)
		if err != nil || again.Seq != first.Seq || len(n.events(coldchain.ProbeTakenOut)) != 1 {
			t.Errorf("the repeat: %+v, %v", again, err)
		}
		n.refused(by("probe-out", "a"), "conflict", "is out already: Anna Example took it")

		n.failStore(errFull)
		time.Sleep(15 * time.Second)
		n.refused(by("probe-out", "b"), "unavailable", "cannot be written")
		n.refused(by("probe-back", "a"), "unavailable", "cannot be written")
		n.failStore(nil)
		time.Sleep(15 * time.Second)
		n.do(by("probe-back", "a"))
	})
}

// Whatever a probe reads while it is out, in whatever order it is taken out and
// put back, and however the daemon ends between: no batch's exposure has it.
func TestReadingsUnderCheckAreNoExposure(t *testing.T) {
	for seed := range uint64(12) {
		synctest.Test(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 31))
			r := newRig(t, t.TempDir(), testConfig())
			r.sweep(5000, 5000, 5000)
			for _, c := range [][2]string{{"receive", ""}, {"place", "f1"}} {
				if err := r.do(c[0], "B", c[1], 0); err != nil {
					t.Fatal(err)
				}
			}
			out := map[string]bool{}
			probes := []string{"a", "b", "c"}
			order := func(name, probe string) {
				r.ids++
				_, err := r.m.order(r.ctx, coldchain.Command{ID: fmt.Sprintf("p%d", r.ids), Name: name, Probe: probe, Purpose: "which", By: "test"})
				if err != nil {
					t.Fatal(err)
				}
			}
			for range 150 {
				p := probes[rnd.IntN(3)]
				switch {
				case out[p]:
					order("probe-back", p)
					delete(out, p)
				case rnd.IntN(3) == 0:
					order("probe-out", p)
					out[p] = true
				}
				var temps []sensor.Temp
				for _, p := range probes {
					v := 3000 + rnd.Int64N(4000)
					if out[p] {
						v = []int64{-20000, 0, 1999, 8001, 37000}[rnd.IntN(5)]
					}
					temps = append(temps, sensor.Temp(v))
				}
				r.sweep(temps...)
				if rnd.IntN(40) == 0 {
					r.kill()
					if rnd.IntN(2) == 0 {
						r.dropCheckpoints()
					}
					r.start()
					for p := range out {
						if r.m.checkOf(p) == nil {
							t.Fatalf("seed %d: after the kill %s is not out", seed, p)
						}
					}
				}
			}
			b := r.m.Snapshot().Batches[0]
			if x := b.Exposure; x.AboveS != 0 || x.BelowS != 0 || *x.MinC < 3000 || *x.MaxC > 7000 || (x.MKTC != nil && *x.MKTC > 7) {
				t.Errorf("seed %d: %+v", seed, x)
			}
			for _, why := range b.Reasons {
				if why.Rule != coldchain.RuleUnmonitored {
					t.Errorf("seed %d: %+v", seed, why)
				}
			}
			if l := r.said().Excursions; len(l) != 0 {
				t.Errorf("seed %d: excursions %+v", seed, l)
			}
			r.stop()
		})
	}
}

// A check that is not good names the batches that were judged on the
// instrument since it was good: those that stayed, came, and went since; not
// those that left before, or were elsewhere.
func TestOutOfToleranceNamesTheBatches(t *testing.T) {
	story(t, nightDuty(), func(n *night) {
		check := func(found sensor.Temp) *coldchain.Check {
			t.Helper()
			n.do(coldchain.Command{Name: "probe-check", Probe: "a", Reference: temp(0), Found: temp(found), By: "Anna Example"})
			l := n.events(coldchain.ProbeChecked)
			return l[len(l)-1].Check
		}
		move := func(batch, unit string) {
			n.do(coldchain.Command{Name: "move", Batch: batch, Unit: unit})
			time.Sleep(time.Minute)
		}
		move("EX-3", "fridge-1")
		move("EX-3", "fridge-2") // it left before the good check
		first := check(120)
		if !first.Good || first.Drift != nil || first.LastGood != nil || first.Batches != nil || first.Tolerance != 500 || first.Instrument != "test a" || first.Raw != 120 {
			t.Errorf("the first check: %+v", first)
		}
		good := n.events(coldchain.ProbeChecked)[0].Time
		time.Sleep(time.Minute)
		move("EX-1", "fridge-3") // it was there at the check, and is elsewhere now
		move("EX-2", "fridge-1") // it came later, and went
		n.do(coldchain.Command{Name: "use", Batch: "EX-2"})
		n.do(coldchain.Command{Name: "receive", Batch: "EX-9", Profile: "p", Vials: 1})
		n.do(coldchain.Command{Name: "place", Batch: "EX-9", Unit: "fridge-1"})
		time.Sleep(time.Minute)
		bad := check(501)
		if bad.Good || *bad.Drift != 381 || bad.LastGood == nil || *bad.LastGood != good {
			t.Errorf("the bad check: %+v", bad)
		}
		if diff := cmp.Diff([]string{"EX-1", "EX-2", "EX-9"}, bad.Batches); diff != "" {
			t.Errorf("batches: %s", diff)
		}
		l := n.holding(RuleTolerance)
		if len(l) != 1 || l[0].Severity != coldchain.Critical || l[0].Unit != "fridge-1" || !strings.Contains(l[0].Text, "probe a: it read 0.501 °C at 0.0 °C, beyond 0.5 °C; 3 batches were judged on it since it was good on 4 May 2026") {
			t.Errorf("alarms: %+v", l)
		}
		n.cancel()
		n.start()
		if again := n.holding(RuleTolerance); len(again) != 1 || again[0].Raised != l[0].Raised {
			t.Errorf("after the kill: %+v", again)
		}
		if last := check(-500); !last.Good || *last.Drift != -620 {
			t.Errorf("the last check: %+v", last)
		}
		if l := n.holding(RuleTolerance); len(l) != 0 {
			t.Errorf("it is good again: %+v", l)
		}

		// Bad once more, and another instrument takes its place: it has no past.
		if c := check(-900); c.Good || !slices.Equal(c.Batches, []string{"EX-9"}) || len(n.holding(RuleTolerance)) != 1 {
			t.Errorf("bad again: %+v", c)
		}
		n.stop()
		n.change = func(c *coldchain.Config) { c.Units[0].Probes[0].Instrument = "test a2" }
		n.start()
		if l := n.holding(RuleTolerance); len(l) != 0 {
			t.Errorf("another instrument: %+v", l)
		}
		if c := check(-900); c.Drift != nil || c.LastGood != nil || !slices.Equal(c.Batches, []string{"EX-9"}) {
			t.Errorf("the new instrument, bad at once: %+v", c)
		}
	})
}

// Without a batch in doubt it can wait for the morning.
func TestOutOfToleranceWithoutBatches(t *testing.T) {
	story(t, nightDuty(), func(n *night) {
		n.do(coldchain.Command{Name: "move", Batch: "EX-4", Unit: "fridge-3"})
		n.do(coldchain.Command{Name: "probe-check", Probe: "d", Reference: temp(0), Found: temp(0)})
		n.do(coldchain.Command{Name: "probe-check", Probe: "d", Reference: temp(0), Found: temp(300), Tolerance: 200})
		l := n.holding(RuleTolerance)
		if len(l) != 1 || l[0].Severity != coldchain.Warning || strings.Contains(l[0].Text, "batch") {
			t.Errorf("%+v", l)
		}
	})
}

// What the chip said is in the check: as its reading has it, else as the
// calibration makes it.
func TestTheRawValueOfACheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNight(t, nightDuty(), time.Date(2026, 5, 4, 20, 0, 0, 0, time.UTC))
		n.stop()
		n.change = func(c *coldchain.Config) {
			c.Units[0].Probes[0].Calibration = sensor.Calibration{Points: []sensor.CalibrationPoint{{Reads: 100, Is: 0}, {Reads: 10000, Is: 9800}}}
		}
		n.start()
		n.do(coldchain.Command{Name: "probe-check", Probe: "a", Reference: temp(0), Found: temp(5000)}) // the bus says 5.0 raw and corrected
		n.do(coldchain.Command{Name: "probe-check", Probe: "a", Reference: temp(0), Found: temp(0)})
		l := n.events(coldchain.ProbeChecked)
		if l[0].Check.Raw != 5000 || l[1].Check.Raw != 100 || *l[1].Check.Drift != -4900 {
			t.Errorf("%+v, %+v", l[0].Check, l[1].Check)
		}
		n.stop()
	})
}

// Each step before the end of a calibration is one alarm, raised once, at the
// site's midnight, also where the clocks change; a restart says nothing anew.
func TestCalibrationRunsOutOverTheClockChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNight(t, nightDuty(), time.Date(2026, 3, 28, 23, 30, 0, 0, time.UTC))
		n.stop()
		loc, err := time.LoadLocation("Europe/London")
		if err != nil {
			t.Fatal(err)
		}
		end := time.Date(2026, 3, 30, 0, 0, 0, 0, loc) // 29 March, the day of 23 hours, is its last
		n.zone = "Europe/London"
		n.change = func(c *coldchain.Config) {
			c.Units[0].Probes[0].CalibratedUntil = sensor.At(end)
			c.Units[1].Probes[0].Position.MappingDue = "2026-03-29"
		}
		n.start()
		has := func(rule, part string) coldchain.Alarm {
			t.Helper()
			l := n.holding(rule)
			if len(l) != 1 || !strings.Contains(l[0].Text, part) || l[0].Severity != coldchain.Warning {
				t.Fatalf("%s: %+v, want %q", rule, l, part)
			}
			return l[0]
		}
		has(RuleCalibration, "probe a: calibration ends on 29 Mar 2026, within 30 days")
		has(RuleMapping, "probe b: mapping of its place is due on 29 Mar 2026")
		until := func(at time.Time) { time.Sleep(at.Sub(n.wall())) }
		until(time.Date(2026, 3, 28, 23, 59, 59, 0, time.UTC))
		has(RuleCalibration, "within 30 days")
		until(time.Date(2026, 3, 29, 0, 0, 5, 0, time.UTC))
		a := has(RuleCalibration, "probe a: calibration ends with this day, 29 Mar 2026")
		if want := sensor.At(time.Date(2026, 3, 29, 0, 0, 0, 0, time.UTC)); a.Raised.Sub(want).Abs() > time.Second || a.Unit != "fridge-1" {
			t.Errorf("%+v, want it raised at %s", a, want)
		}
		n.cancel()
		n.start()
		if b := has(RuleCalibration, "ends with this day"); b.Raised != a.Raised {
			t.Errorf("after the kill: %+v", b)
		}
		until(end.Add(-5 * time.Second))
		has(RuleCalibration, "ends with this day")
		has(RuleMapping, "is due on")
		until(end.Add(5 * time.Second))
		if a := has(RuleCalibration, "probe a: calibration ended on 29 Mar 2026"); a.Raised.Sub(sensor.At(end)).Abs() > time.Second {
			t.Errorf("%+v, want it raised at %s", a, end)
		}
		has(RuleMapping, "probe b: mapping of its place was due on 29 Mar 2026")
		raised := map[string]int{}
		for _, e := range n.events(coldchain.AlarmRaised) {
			raised[e.Rule]++
		}
		if raised[RuleCalibration] != 3 || raised[RuleMapping] != 2 {
			t.Errorf("raised %v", raised)
		}
		n.stop()
		n.change = func(c *coldchain.Config) { c.Units[0].Probes[0].CalibratedUntil = sensor.At(end.AddDate(1, 0, 0)) }
		n.start()
		if l := append(n.holding(RuleCalibration), n.holding(RuleMapping)...); len(l) != 0 {
			t.Errorf("calibrated and mapped anew: %+v", l)
		}
		n.stop()
	})
}

// In a year of any zone every step holds in one piece, and changes at a midnight.
func TestEveryStepHoldsOnce(t *testing.T) {
	for _, zone := range []string{"UTC", "Europe/London", "Australia/Lord_Howe", "Pacific/Auckland", "America/Sao_Paulo"} {
		loc, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		for _, due := range []string{"2026-03-29", "2026-10-25", "2026-06-27", "2026-01-31"} {
			last, _ := time.ParseInLocation(time.DateOnly, due, loc)
			end := last.AddDate(0, 0, 1)
			cfg := coldchain.Config{Units: []coldchain.Unit{{ID: "u", Probes: []coldchain.UnitProbe{{ID: "p", CalibratedUntil: sensor.At(end)}}}}}
			var keys []string
			var d dues
			for at := end.AddDate(0, 0, -100); at.Before(end.AddDate(0, 0, 3)); at = at.Add(15 * time.Minute) {
				if !at.Before(d.until) {
					d = duesAt(cfg, at, loc)
				}
				key := ""
				if len(d.list) == 1 {
					key = d.list[0].Key
				}
				if len(keys) == 0 || keys[len(keys)-1] != key {
					keys = append(keys, key)
					if clock := at.In(loc).Format("15:04"); key != "" && clock != "00:00" {
						t.Errorf("%s, %s: %s begins at %s", zone, due, key, clock)
					}
				}
				if fresh := duesAt(cfg, at, loc); len(fresh.list) != len(d.list) || len(d.list) == 1 && fresh.list[0].Key != d.list[0].Key {
					t.Fatalf("%s, %s at %s: kept %+v, anew %+v", zone, due, at, d.list, fresh.list)
				}
			}
			if len(keys) != 5 || keys[0] != "" {
				t.Errorf("%s, %s: %q", zone, due, keys)
			}
			if d.list[0].Kind != alert.Calibration {
				t.Errorf("kind %s", d.list[0].Kind)
			}
		}
	}
}

// What is critical is what a message is about, and not a date beside it.
func TestTheMessageIsAboutTheProbeThatIsOff(t *testing.T) {
	storyAt(t, nightDuty(), time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC), func(n *night) {
		n.stop()
		n.change = func(c *coldchain.Config) {
			c.Units[0].Probes[0].CalibratedUntil = sensor.At(time.Date(2026, 5, 20, 0, 0, 0, 0, time.UTC))
		}
		n.start()
		if m, _ := n.newest("anna"); m.Title != "CALIBRATION RUNS OUT: Fridge 1; probe a: calibration ends on 19 May 2026, within 30 days. Clinic A" {
			t.Errorf("the date: %q", m.Title)
		}
		n.do(coldchain.Command{Name: "probe-check", Probe: "a", Reference: temp(0), Found: temp(701), By: "Anna Example"})
		time.Sleep(30 * time.Second)
		if m, _ := n.newest("anna"); !strings.HasPrefix(m.Title, "TROUBLE with Fridge 1") || !strings.Contains(m.Body, "robe a: it read 0.701 °C at 0.0 °C, beyond 0.5 °C; 1 batch was judged on it") {
			t.Errorf("the probe that is off: %q\n%s", m.Title, m.Body)
		}
	})
}
