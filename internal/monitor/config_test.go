package monitor

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"coldkeep/internal/coldchain"
	"coldkeep/sensor"
)

// state is all that the evaluator tells of the present.
type state struct {
	Units   []coldchain.UnitState
	Batches []coldchain.BatchState
	Alarms  []coldchain.Alarm
}

func (r *rig) state() state {
	return state{r.m.e.Units(), r.m.e.Batches(), r.m.e.OpenAlarms()}
}

// Each instant is judged by what held at it: a record over three configs, with
// a range that was changed, an instrument that was replaced and a unit that
// left with a batch in it, is the same after a restart without checkpoints.
func TestTheLimitsThatHeldThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := testConfig()
		r := newRig(t, t.TempDir(), first)
		defer func() { r.st.Close() }()
		r.sweep(5000, 5000, 5000)
		for _, err := range []error{r.do("receive", "X", "", 0), r.do("place", "X", "f1", 0), r.do("receive", "Y", "", 0), r.do("place", "Y", "f2", 0)} {
			if err != nil {
				t.Fatal(err)
			}
		}
		again := func(when string) {
			t.Helper()
			before := r.state()
			r.kill()
			r.dropCheckpoints()
			r.start()
			if d := cmp.Diff(before, r.state()); d != "" {
				t.Errorf("%s: as it went on − from the record alone +\n%s", when, d)
			}
		}
		for range 3 {
			r.sweep(7500, 7500, 9000)
		}
		again("under the first config")

		// The range becomes narrower, and b another instrument.
		second := testConfig()
		second.Units[0].Range.High = 7000
		second.Units[0].Probes[1].Instrument = "another"
		r.stop()
		r.cfg = second
		r.start()
		for range 3 {
			r.sweep(7500, 6000, 9000)
		}
		x := r.m.Snapshot().Units[0]
		if !x.OutOfRange || x.Side != "high" {
			t.Errorf("7.5 °C under a range to 7: %+v", x)
		}
		again("under the second config")

		// f2 leaves, with Y in it.
		third := testConfig()
		third.Units = third.Units[:1]
		r.stop()
		r.cfg = third
		r.start()
		for range 12 {
			r.sweep(5000, 5000, 5000)
		}
		s := r.m.Snapshot()
		if !slices.ContainsFunc(s.Alarms, func(a coldchain.Alarm) bool { return a.Unit == "f2" && a.Rule == coldchain.RuleRemoved }) {
			t.Errorf("no alarm that f2 left: %+v", s.Alarms)
		}
		i := slices.IndexFunc(s.Batches, func(b coldchain.BatchState) bool { return b.ID == "Y" })
		if b := s.Batches[i]; b.Verdict != coldchain.Quarantined || b.Now != coldchain.NowNoData && b.Now != coldchain.NowTooWarm {
			t.Errorf("Y in a unit that left: %s, now %s, %+v", b.Verdict, b.Now, b.Reasons)
		}
		again("under the third config")

		// With its checkpoints the same, and it goes on alike.
		r.stop()
		time.Sleep(time.Minute)
		r.start()
		r.sweep(5000, 5000, 5000)
		again("after a stop")
		if err := r.do("move", "Y", "f1", 0); err != nil {
			t.Fatal(err)
		}
		r.sweep(5000, 5000, 5000)
		again("after the move")
		if n, err := r.st.EventsOf(t.Context(), coldchain.ConfigChanged); err != nil || len(n) != 3 {
			t.Errorf("%d times config_changed (%v), want three", len(n), err)
		}
	})
}

// A clock that is set back does not set the record back, and a jump ahead is
// told and unmonitored.
func TestTheClockIsSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var off time.Duration
		r := newRig(t, t.TempDir(), testConfig())
		defer func() { r.st.Close() }()
		r.m.o.Wall = func() time.Time { return time.Now().Add(off) }
		r.m.clock.wall = r.m.o.Wall
		r.sweep(5000, 5000, 5000)
		r.sweep(5000, 5000, 5000)
		off = -time.Hour
		at := r.m.e.Now()
		r.sweep(5000, 5000, 5000)
		if now := r.m.e.Now(); now != at+10_000 {
			t.Errorf("set back by an hour, the slot after %s is %s", at, now)
		}
		if r.m.Snapshot().Synchronized {
			t.Error("a clock that runs behind the record is told as synchronised")
		}
		off = 2 * time.Hour
		r.sweep(5000, 5000, 5000)
		if now := r.m.e.Now(); now.Sub(at) < 2*time.Hour {
			t.Errorf("set ahead by two hours, the slot is %s", now)
		}
		list, err := r.st.EventsOf(t.Context(), coldchain.ClockStepped)
		if err != nil || len(list) != 2 {
			t.Errorf("%d clock steps told (%v), want two", len(list), err)
		}
		gaps, err := r.st.EventsOf(t.Context(), coldchain.GapEnded)
		if err != nil || len(gaps) == 0 || *gaps[0].DurationS < 7000 {
			t.Errorf("gaps %+v (%v), want the jump", gaps, err)
		}
		last := sensor.Instant(0)
		err = r.st.EachReading(t.Context(), 0, 1<<62, func(x sensor.Reading, _ bool) error {
			if x.Time < last {
				t.Errorf("a reading at %s after %s", x.Time, last)
			}
			last = x.Time
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}
