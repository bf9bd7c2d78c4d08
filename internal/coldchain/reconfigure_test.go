package coldchain

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"coldkeep/sensor"
)

func fridge(id string, low, high sensor.Temp, probe, instrument string) Unit {
	return Unit{ID: id, Range: Range{low, high}, MaxGap: 3 * time.Minute, Probes: []UnitProbe{{ID: probe, Instrument: instrument, Judges: true}},
		Alarms: []AlarmRule{{ID: "warm", Severity: Critical, Limit: Limit{Side: Above, At: high}, For: 10 * time.Minute}}}
}

func observe(e *Evaluator, probe string, minute int, temp sensor.Temp) {
	at := sensor.Instant(minute) * 60_000
	e.Observe(sensor.Reading{Probe: probe, Time: at, Temp: temp})
	e.Tick(at)
}

func kinds(events []Event) (list []Kind) {
	for _, ev := range events {
		list = append(list, ev.Kind)
	}
	return list
}

// The same config, entered anew at any instant, changes nothing.
func TestTheSameConfigAnewChangesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawScene(t)
		want := mustReplay(t, s)
		sorted := slices.Clone(s.Readings)
		slices.SortStableFunc(sorted, func(a, b sensor.Reading) int { return int(a.Time - b.Time) })
		r := NewReplayer(s.Cfg, s.Lives, s.Until)
		for i, x := range sorted {
			if i > 0 && x.Time > sorted[i-1].Time && (s.Until == 0 || x.Time <= s.Until) && rapid.Bool().Draw(t, "anew") {
				if err := r.e.Reconfigure(x.Time, s.Cfg); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := r.Observe(x); err != nil {
				t.Fatal(err)
			}
		}
		got, err := r.Finish()
		if err != nil {
			t.Fatal(err)
		}
		if d := differ(want, got); d != "" {
			t.Fatalf("left alone − reconfigured +\n%s", d)
		}
	})
}

func TestAChangedRangeEndsTheExcursionAndMayBeginAnother(t *testing.T) {
	e := New(Config{Units: []Unit{fridge("f", 2000, 8000, "p", "a")}}, 0)
	observe(e, "p", 0, 9000)
	observe(e, "p", 1, 9000)
	e.Take()
	if err := e.Reconfigure(2*60_000, Config{Units: []Unit{fridge("f", 2000, 8500, "p", "a")}}); err != nil {
		t.Fatal(err)
	}
	observe(e, "p", 2, 9000)
	if got, want := kinds(e.Take()), []Kind{ExcursionEnded, ExcursionStarted}; !slices.Equal(got, want) {
		t.Errorf("events %v, want %v", got, want)
	}
}

// Another instrument behind a probe lets go of what the old one said last.
func TestAnotherInstrumentEndsTheStretch(t *testing.T) {
	e := New(Config{Units: []Unit{fridge("f", 2000, 8000, "p", "a")}}, 0)
	observe(e, "p", 0, 9000)
	if !e.Units()[0].OutOfRange {
		t.Fatal("not out of range at 9 °C")
	}
	if err := e.Reconfigure(60_000, Config{Units: []Unit{fridge("f", 2000, 8000, "p", "b")}}); err != nil {
		t.Fatal(err)
	}
	e.Tick(60_000)
	u := e.Units()[0]
	if u.OutOfRange || !u.Unmonitored {
		t.Errorf("out of range %v, unmonitored %v; want false, true", u.OutOfRange, u.Unmonitored)
	}
}

// A unit that left the config with a batch in it is an alarm, its batch is
// unmonitored, and both outlast a checkpoint.
func TestAUnitThatLeftWithABatchInIt(t *testing.T) {
	p := Profile{ID: "p", Range: Range{2000, 8000}, Unmonitored: 30 * time.Minute, DeltaH: DefaultDeltaH}
	cfg := Config{Units: []Unit{fridge("f", 2000, 8000, "p", "a"), fridge("g", 2000, 8000, "q", "b")}, Profiles: []Profile{p}}
	e := New(cfg, 0)
	observe(e, "p", 0, 5000)
	for _, ev := range []Event{{Kind: BatchReceived, Batch: "B", Profile: "p", Time: 1}, {Kind: BatchPlaced, Batch: "B", Unit: "f", Time: 60_000}} {
		if err := e.Apply(ev); err != nil {
			t.Fatal(err)
		}
	}
	observe(e, "p", 1, 5000)
	less := Config{Units: cfg.Units[1:]}
	if err := e.Reconfigure(120_000, less); err != nil {
		t.Fatal(err)
	}
	e.Tick(120_000)
	data, err := e.Checkpoint(less)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Restore(less, data)
	if err != nil {
		t.Fatal(err)
	}
	for name, e := range map[string]*Evaluator{"as it went on": e, "restored": again} {
		open := e.OpenAlarms()
		if !slices.ContainsFunc(open, func(a Alarm) bool { return a.Unit == "f" && a.Rule == RuleRemoved && a.Raised == 120_000 }) {
			t.Errorf("%s: no alarm about the unit: %+v", name, open)
		}
		e.Tick(40 * 60_000)
		b := e.Batches()[0]
		if b.Verdict != Quarantined || len(b.Reasons) != 1 || b.Reasons[0].Rule != RuleUnmonitored || b.Reasons[0].At != 32*60_000 {
			t.Errorf("%s: verdict %s, reasons %+v; want quarantined by unmonitored at 32 min", name, b.Verdict, b.Reasons)
		}
		// The batch finds another unit: nobody need know of the old one.
		if err := e.Apply(Event{Kind: BatchMoved, Batch: "B", FromUnit: "f", Unit: "g", Time: 41 * 60_000}); err != nil {
			t.Fatal(err)
		}
		e.Tick(41 * 60_000)
		if slices.ContainsFunc(e.OpenAlarms(), func(a Alarm) bool { return a.Rule == RuleRemoved }) {
			t.Errorf("%s: the alarm of the unit without batches stays", name)
		}
	}
}

// What the journal has said stays, as a reason that is no longer supported,
// and is told once.
func TestAReasonThatLateDataTookAwayStays(t *testing.T) {
	p := Profile{ID: "p", Range: Range{2000, 8000}, Unmonitored: 30 * time.Minute, DeltaH: DefaultDeltaH}
	e := New(Config{Units: []Unit{fridge("f", 2000, 8000, "p", "a")}, Profiles: []Profile{p}}, 0)
	for _, ev := range []Event{{Kind: BatchReceived, Batch: "B", Profile: "p", Time: 0}, {Kind: BatchPlaced, Batch: "B", Unit: "f", Time: 60_000}} {
		if err := e.Apply(ev); err != nil {
			t.Fatal(err)
		}
	}
	observe(e, "p", 1, 5000)
	said := []Event{{Seq: 7, Time: 30_000, Kind: BatchQuarantined, Batch: "B", Rule: RuleExcursion, Text: "above 8 °C"}}
	told := e.Latch(said, 60_000)
	if len(told) != 1 || told[0].Kind != BatchRejudged || told[0].Rule != RuleExcursion {
		t.Fatalf("told %+v, want one batch_rejudged", told)
	}
	if b := e.Batches()[0]; b.Verdict != Quarantined || !b.Reasons[0].Unsupported {
		t.Errorf("verdict %s, reasons %+v; want quarantined by an unsupported reason", b.Verdict, b.Reasons)
	}
	if again := e.Latch(append(said, told...), 60_000); len(again) != 0 {
		t.Errorf("told again: %+v", again)
	}
}
