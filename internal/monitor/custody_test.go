package monitor

import (
	"errors"
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
