package coldchain

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"coldkeep/sensor"
)

func when(t sensor.Instant) *sensor.Instant { return &t }

// A batch keeps by which instruments it was judged: through moves, a new
// instrument, a new calibration, and a restart.
func TestABatchKeepsItsInstruments(t *testing.T) {
	units := func(a, b UnitProbe) Config {
		c := UnitProbe{ID: "c", Judges: true, Instrument: "tmp117 c"}
		return Config{
			Units: []Unit{{ID: "f1", Range: Range{2000, 8000}, MaxGap: time.Hour, Probes: []UnitProbe{a, b, {ID: "air", Instrument: "x"}}},
				{ID: "f2", Range: Range{2000, 8000}, MaxGap: time.Hour, Probes: []UnitProbe{c}}},
			Profiles: []Profile{{ID: "p", Range: Range{2000, 8000}, Unmonitored: time.Hour, DeltaH: DefaultDeltaH}},
		}
	}
	a, b := UnitProbe{ID: "a", Judges: true, Instrument: "pt a"}, UnitProbe{ID: "b", Judges: true, Instrument: "pt b", CalibratedUntil: 1_000}
	cfg := units(a, b)
	e := New(cfg, 0)
	say := func(ev Event) {
		t.Helper()
		if err := e.Apply(ev); err != nil {
			t.Fatal(err)
		}
		e.Tick(ev.Time)
	}
	say(Event{Time: 10, Kind: BatchReceived, Batch: "X", Profile: "p"})
	say(Event{Time: 20, Kind: BatchPlaced, Batch: "X", Unit: "f1"})
	early := e.Batches()[0].JudgedBy
	b.CalibratedUntil = 5_000
	cfg = units(a, b)
	if err := e.Reconfigure(30, cfg); err != nil { // a goes on, b is newly calibrated
		t.Fatal(err)
	}
	e.Tick(30)
	a.Instrument = "pt new"
	cfg = units(a, b)
	if err := e.Reconfigure(40, cfg); err != nil {
		t.Fatal(err)
	}
	e.Tick(40)
	say(Event{Time: 50, Kind: BatchMoved, Batch: "X", FromUnit: "f1", Unit: "f2"})
	data, err := e.Checkpoint(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if e, err = Restore(cfg, data); err != nil {
		t.Fatal(err)
	}
	say(Event{Time: 60, Kind: BatchTakenOut, Batch: "X", FromUnit: "f2"})
	say(Event{Time: 70, Kind: BatchPlaced, Batch: "X", Unit: "f2"})
	want := []JudgedBy{
		{Probe: "a", Instrument: "pt a", From: 20, To: when(40)},
		{Probe: "b", Instrument: "pt b", From: 20, To: when(30), CalibratedUntil: when(1_000)},
		{Probe: "b", Instrument: "pt b", From: 30, To: when(50), CalibratedUntil: when(5_000)},
		{Probe: "a", Instrument: "pt new", From: 40, To: when(50)},
		{Probe: "c", Instrument: "tmp117 c", From: 50, To: when(60)},
		{Probe: "c", Instrument: "tmp117 c", From: 70},
	}
	s := e.Batches()[0]
	if d := cmp.Diff(want, s.JudgedBy); d != "" {
		t.Error(d)
	}
	// What was handed out before stays as it was.
	if len(early) != 2 || early[0].To != nil || early[1].To != nil {
		t.Errorf("the earlier snapshot has become %+v", early)
	}
	if got := s.Uncalibrated(100); !cmp.Equal(got, []string{"a", "c"}) {
		t.Errorf("without calibration: %q", got)
	}
}

// Every verdict says by which probes without a valid calibration it was made.
func TestEveryVerdictSaysWhatWasNotCalibrated(t *testing.T) {
	loc, err := time.LoadLocation("Europe/London")
	if err != nil {
		t.Fatal(err)
	}
	end := sensor.At(time.Date(2027, 5, 2, 0, 0, 0, 0, loc)) // of the last day
	now := end + 86_400_000
	for _, x := range []struct {
		by   []JudgedBy
		want string
	}{
		{nil, ""},
		{[]JudgedBy{{Probe: "f1-vial", CalibratedUntil: when(now)}}, ""},
		{[]JudgedBy{{Probe: "f1-vial", CalibratedUntil: &end, To: when(end)}}, ""},
		{[]JudgedBy{{Probe: "f1-vial", CalibratedUntil: &end}}, "Judged by probe f1-vial, whose calibration ended 1 May 2027."},
		{[]JudgedBy{{Probe: "f1-vial"}}, "Judged by probe f1-vial, for which no calibration is recorded."},
		{[]JudgedBy{{Probe: "f1-a"}, {Probe: "f1-b"}, {Probe: "f1-a"}, {Probe: "f2", CalibratedUntil: &end}},
			"Judged by probes f1-a and f1-b, for which no calibration is recorded. Judged by probe f2, whose calibration ended 1 May 2027."},
	} {
		for _, v := range []Verdict{InRange, InExcursion, Quarantined, Released, Expired, Used, Discarded, Unknown} {
			b := BatchState{Verdict: v, Now: NowInRange, JudgedBy: x.by}
			plain := BatchState{Verdict: v, Now: NowInRange}
			r := Reader{Now: now, Location: loc}
			got, want := b.Words(r, nil), plain.Words(r, nil)
			if want.Why != "" && x.want != "" {
				want.Why += " "
			}
			want.Why += x.want
			if got != want {
				t.Errorf("%s: %+v, want %+v", v, got, want)
			}
		}
	}
}

// The instruments are those of the placements: whatever else happens, in one
// go or with restarts (TestTicksAndRestartsChangeNothing compares them, too).
func TestInstrumentsFollowPlacements(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawScene(t)
		for i, b := range mustReplay(t, s).Batches {
			var want []JudgedBy
			end := s.Until
			for _, r := range s.Readings {
				if s.Until == 0 {
					end = max(end, r.Time)
				}
			}
			for _, p := range s.Lives[i].Placements {
				if p.From > end {
					continue
				}
				to := p.To
				if to != nil && *to > end {
					to = nil
				}
				for _, u := range s.Cfg.Units {
					for _, x := range u.Probes {
						if u.ID != p.Unit {
							continue
						}
						again := false
						for j := range want {
							if o := &want[j]; o.Probe == x.ID && o.To != nil && *o.To == p.From {
								o.To, again = to, true
							}
						}
						if !again {
							want = append(want, JudgedBy{Probe: x.ID, From: p.From, To: to})
						}
					}
				}
			}
			if d := cmp.Diff(want, b.JudgedBy, cmpopts.EquateEmpty()); d != "" {
				t.Fatalf("want − got +\n%s\n%+v", d, s)
			}
		}
	})
}
