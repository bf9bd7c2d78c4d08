package monitor

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"coldkeep/internal/coldchain"
	"coldkeep/internal/store"
	"coldkeep/sensor"
)

// script is a bus that says what it is told to.
type script struct {
	probes []string
	next   []sensor.Reading // for the coming sweep, by probe
}

func (s *script) Name() string { return "script" }
func (s *script) Close() error { return nil }
func (s *script) Sweep(_ context.Context, slot time.Time) []sensor.Reading {
	var list []sensor.Reading
	for i, p := range s.probes {
		r := s.next[i]
		r.Probe, r.Time = p, sensor.At(slot)
		list = append(list, r)
	}
	return list
}

const interval = 10 * time.Second

func testConfig() coldchain.Config {
	unit := func(id string, low, high sensor.Temp, probes ...string) coldchain.Unit {
		u := coldchain.Unit{ID: id, Name: id, Range: coldchain.Range{Low: low, High: high}, MaxGap: 30 * time.Second, Alarms: []coldchain.AlarmRule{
			{ID: "warm", Severity: coldchain.Critical, Limit: coldchain.Limit{Side: coldchain.Above, At: high}, For: 25 * time.Second},
			{ID: "sum", Severity: coldchain.Warning, Limit: coldchain.Limit{Side: coldchain.Above, At: high}, Total: 40 * time.Second, Within: 3 * time.Minute},
			{ID: "hover", Severity: coldchain.Warning, Limit: coldchain.Limit{Side: coldchain.Below, At: low}, For: 0, Clear: &coldchain.Clear{At: low + 1000, For: 15 * time.Second}},
			{ID: "silent", Severity: coldchain.Critical, NoData: 45 * time.Second}}}
		for _, p := range probes {
			u.Probes = append(u.Probes, coldchain.UnitProbe{ID: p, Instrument: "test " + p, Judges: true})
		}
		return u
	}
	return coldchain.Config{
		Units: []coldchain.Unit{unit("f1", 2000, 8000, "a", "b"), unit("f2", 2000, 8000, "c")},
		Profiles: []coldchain.Profile{{ID: "p", Source: "test", Range: coldchain.Range{Low: 2000, High: 8000}, Confirm: 15 * time.Second, Unmonitored: 90 * time.Second,
			DeltaH: coldchain.DefaultDeltaH, Outside: coldchain.Outside{As: 25000, Grace: 20 * time.Second}, Rules: []coldchain.Rule{
				{ID: "warm", Limit: coldchain.Limit{Side: coldchain.Above, At: 8000}, Total: 70 * time.Second},
				{ID: "day", Limit: coldchain.Limit{Side: coldchain.Above, At: 8000}, Total: 50 * time.Second, Within: 4 * time.Minute},
				{ID: "cold", Limit: coldchain.Limit{Side: coldchain.Below, At: 2000}, For: 20 * time.Second},
				{ID: "mkt", MKT: true, Limit: coldchain.Limit{Side: coldchain.Above, At: 8000}, Within: 2 * time.Minute}}}},
	}
}

// A rig is a Monitor over a real store, swept by hand.
type rig struct {
	t    testing.TB
	dir  string
	st   *store.Store
	m    *Monitor
	bus  *script
	cfg  coldchain.Config
	ctx  context.Context
	ids  int
	fail error // of the store
}

// failing is a store whose disk can fail.
type failing struct {
	*store.Store
	rig *rig
}

func (f failing) Record(ctx context.Context, s coldchain.Step) error {
	if f.rig.fail != nil {
		return f.rig.fail
	}
	return f.Store.Record(ctx, s)
}

func newRig(t testing.TB, dir string, cfg coldchain.Config) *rig {
	r := &rig{t: t, dir: dir, cfg: cfg, ctx: context.Background(), bus: &script{probes: []string{"a", "b", "c"}, next: make([]sensor.Reading, 3)}}
	r.start()
	return r
}

func (r *rig) start() {
	st, err := store.Open(r.ctx, r.dir)
	if err != nil {
		r.t.Fatal(err)
	}
	r.st = st
	var probes []sensor.Probe
	for _, p := range r.bus.probes {
		probes = append(probes, sensor.Probe{ID: p, Chip: "ds18b20"})
	}
	r.m = New(failing{st, r}, Options{Config: r.cfg, Probes: probes, Buses: []sensor.Bus{r.bus}, Interval: interval, Site: coldchain.Site{ID: "s", Timezone: "UTC"}, Node: "n",
		Log: slog.New(slog.DiscardHandler), Synchronized: func() bool { return true }})
	if err := r.m.Open(r.ctx); err != nil {
		r.t.Fatal(err)
	}
}

// kill ends the process without a word; stop as SIGTERM does.
func (r *rig) kill() {
	if err := r.st.Close(); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) stop() {
	if err := r.m.stop(r.ctx); err != nil {
		r.t.Fatal(err)
	}
	r.kill()
}

func (r *rig) dropCheckpoints() {
	db, err := sql.Open("sqlite", filepath.Join(r.dir, store.FileName))
	if err != nil {
		r.t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("DELETE FROM checkpoint"); err != nil {
		r.t.Fatal(err)
	}
}

// sweep waits for the next slot and sweeps; temps in m°C, by probe.
func (r *rig) sweep(temps ...sensor.Temp) {
	for i, t := range temps {
		r.bus.next[i] = sensor.Reading{Temp: t, Raw: t}
		if t == fault {
			r.bus.next[i] = sensor.Reading{Fault: sensor.FaultCRC}
		}
	}
	slot := r.m.clock.nextSlot(interval)
	time.Sleep(r.m.clock.until(slot))
	r.m.Sweep(r.ctx, slot)
}

const fault = sensor.Temp(-1 << 30)

func (r *rig) do(name, batch, unit string, at sensor.Instant) error {
	r.ids++
	_, err := r.m.order(r.ctx, coldchain.Command{ID: fmt.Sprintf("c%d-%d", r.ids, time.Now().UnixNano()), Name: name, Batch: batch, Unit: unit, Profile: "p", By: "test", Reason: "test", At: at})
	return err
}

// found is what a record is judged to hold, for comparing.
type found struct {
	Excursions []coldchain.Excursion
	Alarms     []coldchain.Alarm
	Batches    []coldchain.BatchState
}

func plain(list []coldchain.BatchState) []coldchain.BatchState {
	list = slices.Clone(list)
	for i := range list {
		b := &list[i]
		*b = coldchain.BatchState{ID: b.ID, Verdict: b.Verdict, Since: b.Since, Reasons: slices.Clone(b.Reasons), Exposure: b.Exposure, Allowance: slices.Clone(b.Allowance)}
		b.LostAt, b.Forecasts = nil, nil // like RunsOut no finding
		for j := range b.Allowance {
			b.Allowance[j].RunsOut = nil
		}
		unsupported := slices.ContainsFunc(b.Reasons, func(x coldchain.Reason) bool { return x.Unsupported })
		b.Reasons = slices.DeleteFunc(b.Reasons, func(x coldchain.Reason) bool { return x.Unsupported })
		if unsupported {
			b.Verdict, b.Since = "", 0 // the live one may be worse, and is
		}
		slices.SortStableFunc(b.Reasons, func(x, y coldchain.Reason) int { return int(x.At-y.At)*10 + cmpText(x.Rule, y.Rule) })
	}
	return list
}

func cmpText(a, b string) int {
	if a < b {
		return -1
	}
	return 1
}

// said is what the journal tells.
func (r *rig) said() (f found) {
	events, err := r.st.Events(r.ctx, 0, 1<<20)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, e := range events {
		switch e.Kind {
		case coldchain.ExcursionStarted:
			f.Excursions = append(f.Excursions, coldchain.Excursion{Unit: e.Unit, Kind: e.Side, Start: e.Start})
		case coldchain.ExcursionEnded:
			for i := range f.Excursions {
				if x := &f.Excursions[i]; x.Unit == e.Unit && x.Kind == e.Side && x.Start == e.Start {
					x.End, x.DurationS, x.UnmonitoredS, x.MinC, x.MaxC = e.End, *e.DurationS, *e.UnmonitoredS, e.Min, e.Max
				}
			}
		case coldchain.AlarmRaised:
			if e.Batch == "" && e.Unit != "" {
				f.Alarms = append(f.Alarms, coldchain.Alarm{Unit: e.Unit, Rule: e.Rule, Raised: e.Start})
			}
		case coldchain.AlarmCleared:
			for i := range f.Alarms {
				if x := &f.Alarms[i]; e.Batch == "" && x.Unit == e.Unit && x.Rule == e.Rule && x.Raised == e.Start {
					x.Cleared = e.End
				}
			}
		}
	}
	f.Batches = plain(r.m.e.Batches())
	return f
}

// replayed is what a replay finds in the readings that were stored.
func (r *rig) replayed() (f found) {
	until := r.m.e.Now()
	var readings []sensor.Reading
	err := r.st.EachReading(r.ctx, 0, until+1, func(x sensor.Reading, _ bool) error { readings = append(readings, x); return nil })
	if err != nil {
		r.t.Fatal(err)
	}
	var lives []coldchain.Life
	for _, b := range r.m.e.Batches() {
		if len(b.Placements) == 0 {
			continue
		}
		l := coldchain.Life{ID: b.ID, Profile: "p", Placements: b.Placements}
		if last := b.Placements[len(b.Placements)-1]; last.To != nil && b.Ended == nil {
			end := until + 1 // it is outside, and live that has no end
			l.Ended = &end
		}
		lives = append(lives, l)
	}
	res, err := coldchain.Replay(r.cfg, lives, readings, until)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, x := range res.Excursions {
		if x.End == nil {
			x = coldchain.Excursion{Unit: x.Unit, Kind: x.Kind, Start: x.Start}
		}
		f.Excursions = append(f.Excursions, x)
	}
	for _, a := range slices.Concat(res.Alarms, res.ProbeAlarms) {
		f.Alarms = append(f.Alarms, coldchain.Alarm{Unit: a.Unit, Rule: a.Rule, Raised: a.Raised, Cleared: a.Cleared})
	}
	f.Batches = plain(res.Batches)
	return f
}

func (r *rig) compare() {
	live, again := r.said(), r.replayed()
	order := cmpopts.SortSlices(func(a, b coldchain.Excursion) bool {
		return fmt.Sprintf("%020d%s%s", a.Start, a.Unit, a.Kind) < fmt.Sprintf("%020d%s%s", b.Start, b.Unit, b.Kind)
	})
	alarms := cmpopts.SortSlices(func(a, b coldchain.Alarm) bool {
		return fmt.Sprintf("%020d%s%s", a.Raised, a.Unit, a.Rule) < fmt.Sprintf("%020d%s%s", b.Raised, b.Unit, b.Rule)
	})
	// Batches that were never placed are in no recording, ended ones tell who ended them.
	known := map[string]bool{}
	for _, b := range again.Batches {
		known[b.ID] = true
	}
	live.Batches = slices.DeleteFunc(live.Batches, func(b coldchain.BatchState) bool { return !known[b.ID] })
	for i := range live.Batches {
		if live.Batches[i].Verdict == "" || live.Batches[i].Verdict == coldchain.Discarded {
			again.Batches[i].Verdict, again.Batches[i].Since = live.Batches[i].Verdict, live.Batches[i].Since
		}
	}
	if d := cmp.Diff(again, live, order, alarms, cmpopts.EquateEmpty(), cmpopts.EquateApprox(0, 1e-6)); d != "" {
		r.t.Fatalf("replayed − live +\n%s", d)
	}
}

// Whatever the probes say, whatever is done with batches, now or in hindsight,
// and however often the daemon is stopped or killed, with its checkpoints or
// without: the live record holds exactly what a replay finds in it.
func TestLiveIsReplayIsRestarted(t *testing.T) {
	for seed := range uint64(60) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { synctest.Test(t, func(t *testing.T) { live(t, seed) }) })
	}
}

func live(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 7))
	pick := func(list ...string) string { return list[rng.IntN(len(list))] }
	temps := []sensor.Temp{5000, 5000, 5000, 8000, 9000, 9500, 1000, 16000, fault, fault}
	temp := func() sensor.Temp { return temps[rng.IntN(len(temps))] }
	r := newRig(t, t.TempDir(), testConfig())
	defer func() { r.st.Close() }()
	for range 3 + rng.IntN(60) {
		r.sweep(temp(), temp(), temp())
		if rng.IntN(4) == 0 { // a calm stretch, so that not all is quarantined at once
			for range rng.IntN(5) {
				r.sweep(5000, 5000, 5000)
			}
		}
		switch rng.IntN(12) {
		case 0, 1, 2, 3:
			// Some of these are refused, and then change nothing.
			time.Sleep(time.Duration(1+rng.IntN(9000)) * time.Millisecond)
			batch := pick("X", "Y")
			_ = r.do("receive", batch, "", 0)
			_ = r.do(pick("place", "move", "take-out"), batch, pick("f1", "f2"), 0)
		case 4:
			_ = r.do(pick("place", "move", "take-out"), "X", pick("f1", "f2"), r.m.e.Now()-sensor.Instant(1+rng.IntN(60_000)))
		case 5, 6, 7:
			if rng.IntN(2) == 0 {
				r.kill()
			} else {
				r.stop()
			}
			if rng.IntN(2) == 0 {
				r.dropCheckpoints()
			}
			time.Sleep(time.Duration(rng.IntN(120)) * time.Second)
			r.start()
		}
	}
	r.sweep(5000, 5000, 5000)
	r.compare()
}

// While the disk fails the Monitor goes on, says so, and writes what it kept
// when the disk is back: followers miss nothing.
func TestAFailingDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, t.TempDir(), testConfig())
		defer r.kill()
		r.sweep(5000, 5000, 5000)
		r.fail = errors.New("no space left on device")
		for range 5 {
			r.sweep(9000, 9000, 5000)
		}
		s := r.m.Snapshot()
		if !s.Store.Failing || !slices.ContainsFunc(s.Alarms, func(a coldchain.Alarm) bool { return a.Rule == RuleStorage }) ||
			!slices.ContainsFunc(s.Alarms, func(a coldchain.Alarm) bool { return a.Rule == "warm" }) {
			t.Errorf("failing %v, alarms %+v; want storage and warm", s.Store.Failing, s.Alarms)
		}
		list, err := r.m.Entries(r.ctx, 0, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		for i, e := range list {
			if e.Seq != uint64(i+1) {
				t.Fatalf("place %d holds %d while the disk fails", i+1, e.Seq)
			}
		}
		var refused *coldchain.Refusal
		if err := r.do("receive", "X", "", 0); !errors.As(err, &refused) || refused.Code != "unavailable" {
			t.Errorf("a decision while nothing can be written: %v", err)
		}
		before := list[len(list)-1].Seq
		r.fail = nil
		r.sweep(5000, 5000, 5000)
		if s := r.m.Snapshot(); s.Store.Failing || slices.ContainsFunc(s.Alarms, func(a coldchain.Alarm) bool { return a.Rule == RuleStorage }) {
			t.Errorf("still failing: %+v", s.Alarms)
		}
		stored, err := r.st.Entries(r.ctx, 0, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		if last := stored[len(stored)-1].Seq; uint64(len(stored)) != last || last <= before {
			t.Errorf("%d places stored up to %d", len(stored), last)
		}
		r.compare()
	})
}

// A command that comes twice is done once, also after a restart, and gets its
// first answer.
func TestACommandThatComesTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, t.TempDir(), testConfig())
		r.sweep(5000, 5000, 5000)
		c := coldchain.Command{ID: "once", Name: "receive", Batch: "X", Profile: "p", By: "test"}
		first, err := r.m.order(r.ctx, c)
		if err != nil {
			t.Fatal(err)
		}
		r.stop()
		r.start()
		defer func() { r.kill() }()
		r.sweep(5000, 5000, 5000)
		again, err := r.m.order(r.ctx, c)
		if err != nil || again.Seq != first.Seq {
			t.Errorf("again: seq %d, %v; want %d", again.Seq, err, first.Seq)
		}
		for _, c := range []coldchain.Command{
			{ID: "1", Name: "receive", Batch: "E", Profile: "example-x", By: "test"},
			{ID: "2", Name: "receive", Batch: "E", Profile: "p", By: "test", At: r.m.e.Now() + 3_600_000},
			{ID: "3", Name: "receive", Batch: "E", Profile: "p", By: "test", At: 1},
			{Name: "receive", Batch: "E", Profile: "p", By: "test"},
		} {
			var no *coldchain.Refusal
			if _, err := r.m.order(r.ctx, c); !errors.As(err, &no) || no.Code != "bad_request" {
				t.Errorf("%+v: %v, want a refusal", c, err)
			}
		}
	})
}

// A batch that was quarantined stays so when late data take the reason away,
// and the journal says that they did.
func TestWhatWasSaidStaysSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, t.TempDir(), testConfig())
		r.sweep(5000, 5000, 5000)
		for _, err := range []error{r.do("receive", "X", "", 0), r.do("place", "X", "f1", 0)} {
			if err != nil {
				t.Fatal(err)
			}
		}
		moved := r.m.e.Now() + 1
		for range 9 {
			r.sweep(9000, 9000, 5000)
		}
		if b := r.m.Snapshot().Batches[0]; b.Verdict != coldchain.Quarantined {
			t.Fatalf("verdict %s after 90 s at 9 °C, want quarantined", b.Verdict)
		}
		// In truth it had been moved away before it became warm.
		if err := r.do("move", "X", "f2", moved); err != nil {
			t.Fatal(err)
		}
		check := func(when string) {
			t.Helper()
			b := r.m.Snapshot().Batches[0]
			if b.Verdict != coldchain.Quarantined || b.Exposure.AboveS != 0 || len(b.Reasons) == 0 || !b.Reasons[0].Unsupported {
				t.Errorf("%s: verdict %s, %v s above, reasons %+v", when, b.Verdict, b.Exposure.AboveS, b.Reasons)
			}
			list, err := r.st.EventsOf(r.ctx, coldchain.BatchRejudged)
			// One for all that changed, and one for each reason that is supported no more.
			if i := slices.IndexFunc(list, func(e coldchain.Event) bool { return e.Rule == "" }); i < 0 || !strings.Contains(list[i].Text, "too warm 0 s, not") || !strings.Contains(list[i].Reason, "told late") {
				t.Errorf("%s: told %+v", when, list)
			}
			list = slices.DeleteFunc(list, func(e coldchain.Event) bool { return e.Rule == "" })
			if err != nil || len(list) != len(b.Reasons) {
				t.Errorf("%s: %d times batch_rejudged (%v) for %d reasons", when, len(list), err, len(b.Reasons))
			}
		}
		check("at once")
		r.kill()
		r.dropCheckpoints()
		r.start()
		defer func() { r.kill() }()
		r.sweep(5000, 5000, 5000)
		check("after a restart")
		if err := r.do("release", "X", "", 0); err != nil {
			t.Fatal(err)
		}
		if b := r.m.Snapshot().Batches[0]; b.Verdict != coldchain.Released {
			t.Errorf("released: %s", b.Verdict)
		}
	})
}

// Run sweeps at every slot, answers commands between, and stops with a word.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, t.TempDir(), testConfig())
		defer func() { r.kill() }()
		for i := range r.bus.next {
			r.bus.next[i] = sensor.Reading{Temp: 5000, Raw: 5000}
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- r.m.Run(ctx) }()
		time.Sleep(time.Minute)
		if _, err := r.m.Do(ctx, coldchain.Command{ID: "1", Name: "receive", Batch: "X", Profile: "p", By: "test"}); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Minute)
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		n := 0
		err := r.st.EachReading(t.Context(), 0, 1<<62, func(x sensor.Reading, _ bool) error {
			if x.Time%10_000 != 0 {
				t.Errorf("a reading at %s, off the slots", x.Time)
			}
			n++
			return nil
		})
		if err != nil || n < 3*12 || n > 3*13 {
			t.Errorf("%d readings in two minutes (%v), want 36 or 39: at once, and at every slot", n, err)
		}
		if _, err := r.m.Do(t.Context(), coldchain.Command{ID: "2", Name: "use", Batch: "X", By: "test"}); err == nil {
			t.Error("a command was taken after the end")
		}
		list, err := r.st.EventsOf(t.Context(), coldchain.Started, coldchain.ConfigChanged, coldchain.Stopped)
		if err != nil || len(list) != 3 {
			t.Errorf("%d of started, config_changed, stopped (%v)", len(list), err)
		}
	})
}

// A day of sweeps a minute through the real store; its time is told.
func TestADay(t *testing.T) {
	started := time.Now()
	synctest.Test(t, func(t *testing.T) {
		cfg := testConfig()
		for i := range cfg.Units {
			cfg.Units[i].MaxGap = 3 * time.Minute
		}
		r := newRig(t, t.TempDir(), cfg)
		defer r.kill()
		for i := range 1440 {
			r.sweep(5000+sensor.Temp(i%7*62), 5000, 4000)
			time.Sleep(50 * time.Second)
		}
	})
	t.Logf("a day of sweeps a minute took %v", time.Since(started))
}
