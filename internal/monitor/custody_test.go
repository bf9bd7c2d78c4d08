package monitor

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"coldkeep/internal/coldchain"
	"coldkeep/sensor"
)

// A batch that is left on a bench is asked for after 15 minutes, until it is
// put back. One that was quarantined is not used without a word, and whoever
// says that it was is heard by everybody.
func TestABatchOnTheBenchAndOneUsedWhileBlocked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, t.TempDir(), testConfig())
		defer r.kill()
		for i := range r.bus.next {
			r.bus.next[i] = sensor.Reading{Temp: 5000, Raw: 5000}
		}
		sweeps := func(d time.Duration) {
			for end := time.Now().Add(d); time.Now().Before(end); {
				time.Sleep(interval)
				r.m.Sweep(r.ctx, sensor.At(time.Now()))
			}
		}
		n := 0
		give := func(c coldchain.Command) (coldchain.Event, error) {
			n++
			c.ID, c.By, c.Batch = string(rune('a'+n)), "Anna Example", "B"
			return r.m.order(r.ctx, c)
		}
		rules := func() (list []string) {
			for _, a := range r.m.Snapshot().Alarms {
				if a.Rule == RulePutBack || a.Rule == RuleUsedWhileBlocked {
					list = append(list, string(a.Severity)+" "+a.Rule)
				}
			}
			return list
		}
		sweeps(interval)
		for _, c := range []coldchain.Command{{Name: "receive", Profile: "p"}, {Name: "place", Unit: "f1"}} {
			if _, err := give(c); err != nil {
				t.Fatal(err)
			}
		}
		sweeps(time.Minute)
		if _, err := give(coldchain.Command{Name: "take-out"}); err != nil {
			t.Fatal(err)
		}
		sweeps(14 * time.Minute)
		if got := rules(); len(got) != 0 {
			t.Errorf("after 14 min: %v", got)
		}
		sweeps(2 * time.Minute)
		if got := rules(); !slices.Equal(got, []string{"warning put_back"}) {
			t.Errorf("after 16 min: %v", got)
		}
		if _, err := give(coldchain.Command{Name: "place", Unit: "f2"}); err != nil {
			t.Fatal(err)
		}
		sweeps(time.Minute)
		if got := rules(); len(got) != 0 {
			t.Errorf("put back: %v", got)
		}
		// A quarter of an hour at 25 °C was too much for it.
		if v := r.m.Snapshot().Batches[0].Verdict; v != coldchain.Quarantined {
			t.Fatalf("%s", v)
		}
		_, err := give(coldchain.Command{Name: "use"})
		var no *coldchain.Refusal
		if !errors.As(err, &no) || !strings.Contains(no.Message, "must not be used") {
			t.Fatalf("used without a word: %v", err)
		}
		if _, err := give(coldchain.Command{Name: "use", Reason: "it was given before anybody looked"}); err != nil {
			t.Fatal(err)
		}
		sweeps(time.Minute)
		if got := rules(); !slices.Equal(got, []string{"critical used_while_blocked"}) {
			t.Errorf("used while blocked: %v", got)
		}
		time.Sleep(24 * time.Hour)
		sweeps(time.Minute)
		if got := rules(); len(got) != 0 {
			t.Errorf("a day later: %v", got)
		}
	})
}

// A batch goes into a unit that is kept otherwise than its label says only with
// a reason, which the journal keeps.
func TestABatchInTheWrongUnitNeedsAReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := testConfig()
		cfg.Units[1].Range = coldchain.Range{Low: -25_000, High: -15_000}
		r := newRig(t, t.TempDir(), cfg)
		defer r.kill()
		for i := range r.bus.next {
			r.bus.next[i] = sensor.Reading{Temp: 5000, Raw: 5000}
		}
		time.Sleep(interval)
		r.m.Sweep(r.ctx, sensor.At(time.Now()))
		for i, c := range []coldchain.Command{{Name: "receive", Profile: "p"}, {Name: "place", Unit: "f2"}, {Name: "place", Unit: "f2", Reason: " "}, {Name: "place", Unit: "f2", Reason: "the fridge is broken"}} {
			c.ID, c.By, c.Batch = string(rune('a'+i)), "Anna Example", "B"
			ev, err := r.m.order(r.ctx, c)
			var no *coldchain.Refusal
			refused := errors.As(err, &no)
			if want := i == 1 || i == 2; refused != want || want && !strings.Contains(no.Message, "needs 2–8 °C") || !want && err != nil {
				t.Errorf("%d: %+v %v", i, ev, err)
			}
			if i == 3 && ev.Reason != "the fridge is broken" {
				t.Errorf("the reason is not kept: %+v", ev)
			}
		}
	})
}

// Some vials that were used while they were not to be are told like a whole
// batch, for a day; also after a restart, and after the rest was released. Who
// holds a batch back is there: that wakes nobody.
func TestVialsUsedWhileBlocked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, t.TempDir(), testConfig())
		defer func() { r.kill() }()
		sweeps := func(d time.Duration) {
			for end := time.Now().Add(d); time.Now().Before(end); {
				r.sweep(5000, 5000, 5000)
			}
		}
		n := 0
		give := func(c coldchain.Command) {
			t.Helper()
			n++
			c.ID, c.By, c.Batch = fmt.Sprint("c", n), "Anna Example", "B"
			if _, err := r.m.order(r.ctx, c); err != nil {
				t.Fatalf("%+v: %v", c, err)
			}
		}
		texts := func() (list []string) {
			for _, a := range r.m.Snapshot().Alarms {
				if a.Rule == RuleUsedWhileBlocked {
					list = append(list, string(a.Severity)+" "+a.Text)
				}
			}
			return list
		}
		sweeps(time.Minute)
		give(coldchain.Command{Name: "receive", Profile: "p", Vials: 9})
		give(coldchain.Command{Name: "place", Unit: "f1"})
		sweeps(time.Minute)
		give(coldchain.Command{Name: "use", Count: 2, Treatment: "T-1"})
		sweeps(time.Minute)
		if got := texts(); len(got) != 0 {
			t.Errorf("used as it should be: %v", got)
		}
		give(coldchain.Command{Name: "hold", Reason: "cloudy"})
		sweeps(time.Minute)
		if i := slices.IndexFunc(r.m.Snapshot().Alarms, func(a coldchain.Alarm) bool { return a.Rule == coldchain.RuleBatch }); i < 0 || r.m.Snapshot().Alarms[i].Severity != coldchain.Warning {
			t.Errorf("held back: %+v", r.m.Snapshot().Alarms)
		}
		give(coldchain.Command{Name: "use", Count: 3, Reason: "it was given before anybody looked"})
		sweeps(time.Minute)
		want := []string{"critical 3 vials of batch B were used although it was not to be: held back by Anna Example: cloudy"}
		if got := texts(); !slices.Equal(got, want) {
			t.Errorf("%q", got)
		}
		give(coldchain.Command{Name: "release", Reason: "bubbles"})
		r.kill()
		r.dropCheckpoints()
		r.start()
		sweeps(time.Minute)
		if got := texts(); !slices.Equal(got, want) {
			t.Errorf("after a release and a restart: %q", got)
		}
		if b := r.m.Snapshot().Batches[0]; b.Vials != 4 || b.Verdict != coldchain.Released {
			t.Errorf("%d vials, %s", b.Vials, b.Verdict)
		}
		time.Sleep(usedTold)
		sweeps(time.Minute)
		if got := texts(); len(got) != 0 {
			t.Errorf("a day later: %v", got)
		}
	})
}

// A command about several batches becomes an event each in one step, and comes
// twice only once.
func TestOneDecisionAboutSeveral(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, t.TempDir(), testConfig())
		defer func() { r.kill() }()
		r.sweep(5000, 5000, 5000)
		for _, id := range []string{"A", "B", "C"} {
			if err := r.do("receive", id, "", 0); err != nil {
				t.Fatal(err)
			}
		}
		hold := coldchain.Command{ID: "hold", Name: "hold", Batch: "A", BatchIDs: []string{"b", "A", "C"}, By: "Anna Example", Reason: "cloudy"}
		first, err := r.m.order(r.ctx, hold)
		if err != nil {
			t.Fatal(err)
		}
		r.kill()
		r.start()
		r.sweep(5000, 5000, 5000)
		again, err := r.m.order(r.ctx, hold)
		if err != nil || again.Seq != first.Seq {
			t.Errorf("again: %+v %v", again, err)
		}
		list, err := r.m.EventsOf(r.ctx, coldchain.BatchHeld)
		if err != nil || len(list) != 3 {
			t.Fatalf("%v %+v", err, list)
		}
		for i, e := range list {
			if e.Batch != []string{"A", "B", "C"}[i] || e.Cause != "hold" || e.Time != first.Time || e.By != "Anna Example" || (e.ID == "hold") != (i == 0) {
				t.Errorf("%+v", e)
			}
		}
	})
}
