package monitor

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"coldkeep/internal/coldchain"
	"coldkeep/sensor"
)

// A batch comes with something spent already, spends the rest, is released with
// an allowance anew, is opened, and is open for too long: told once each, at
// the very instant, and the same after a restart from the record alone.
func TestTheRestOfALife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := testConfig()
		p := &cfg.Profiles[0]
		p.InUse = 3 * time.Minute
		p.Stages = []coldchain.StageRange{{Stage: coldchain.InUse, Range: coldchain.Range{Low: 2000, High: 25000}}}
		p.Rules = []coldchain.Rule{{ID: "warm", Limit: coldchain.Limit{Side: coldchain.Above, At: 8000}, Total: 70 * time.Second, Stage: coldchain.Storage}}
		dir := t.TempDir()
		r := newRig(t, dir, cfg)
		temp := sensor.Temp(5000)
		sweep := func(n int) {
			for range n {
				for i := range r.bus.next {
					r.bus.next[i] = sensor.Reading{Temp: temp, Raw: temp}
				}
				time.Sleep(interval)
				r.m.Sweep(r.ctx, sensor.At(time.Now()))
			}
		}
		id := 0
		do := func(c coldchain.Command) coldchain.Event {
			t.Helper()
			id++
			c.ID, c.Batch, c.By = strings.Repeat("x", id), "B", "Anna Example"
			ev, err := r.m.order(r.ctx, c)
			if err != nil {
				t.Fatal(err)
			}
			return ev
		}
		state := func() coldchain.BatchState { return r.m.Snapshot().Batches[0] }
		sweep(1)
		do(coldchain.Command{Name: "receive", Profile: "p", Vials: 4, Spent: []coldchain.Spent{{Rule: "warm", S: 60}}})
		do(coldchain.Command{Name: "place", Unit: "f1"})
		sweep(1)
		temp = 9000
		sweep(2)
		temp = 5000
		sweep(1)
		b := state()
		if b.Verdict != coldchain.Quarantined || len(b.Reasons) != 1 || b.Reasons[0].Text != "above 8 °C in storage for 1m10s in all, 1m of it before its record" {
			t.Fatalf("%s %+v", b.Verdict, b.Reasons)
		}
		do(coldchain.Command{Name: "release", Reason: "the maker allows half a minute more", Spent: []coldchain.Spent{{Rule: "warm", S: 30}}})
		temp = 9000
		sweep(2)
		temp = 5000
		sweep(1)
		if b = state(); b.Verdict != coldchain.Released || b.Allowance[0].LeftS != 10 || b.Allowance[0].TotalS != 30 {
			t.Fatalf("20 s of the 30 allowed anew: %s %+v %+v", b.Verdict, b.Reasons, b.Allowance)
		}
		ev := do(coldchain.Command{Name: "open"})
		end := ev.Time.Add(3 * time.Minute)
		temp = 9000 // in use it may be as warm
		sweep(20)
		temp = 5000
		sweep(1)
		check := func() {
			t.Helper()
			b := state()
			if b.Verdict != coldchain.Expired || b.Since != end || b.Stage != coldchain.InUse {
				t.Errorf("%s since %s, want expired since %s; stage %s", b.Verdict, b.Since, end, b.Stage)
			}
			if n := len(b.Reasons); n != 2 || b.Reasons[1].Rule != coldchain.RuleInUse || b.Reasons[1].At != end {
				t.Errorf("%+v", b.Reasons)
			}
			told, err := r.st.EventsOf(r.ctx, coldchain.BatchExpired, coldchain.BatchQuarantined)
			if err != nil {
				t.Fatal(err)
			}
			var rules []string
			for _, e := range told {
				rules = append(rules, e.Rule)
			}
			if !slices.Equal(rules, []string{"warm", "in_use"}) {
				t.Errorf("told of %q", rules)
			}
		}
		check()
		before := state()
		r.dropCheckpoints()
		r.kill()
		r = newRig(t, dir, cfg)
		defer r.kill()
		check()
		after := state()
		if before.Exposure.AboveS != after.Exposure.AboveS || before.Allowance[0].UsedS != after.Allowance[0].UsedS || !slices.Equal(before.Reasons, after.Reasons) {
			t.Errorf("after a restart %+v %+v, before %+v %+v", after.Exposure, after.Allowance, before.Exposure, before.Allowance)
		}
	})
}

// An opening that is told late may have ended the use already: that is said,
// as expired, and quarantines nothing.
func TestAnOpeningToldLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := testConfig()
		cfg.Profiles[0].InUse = time.Minute
		r := newRig(t, t.TempDir(), cfg)
		defer func() { r.kill() }()
		sweep := func() {
			for i := range r.bus.next {
				r.bus.next[i] = sensor.Reading{Temp: 5000, Raw: 5000}
			}
			time.Sleep(interval)
			r.m.Sweep(r.ctx, sensor.At(time.Now()))
		}
		do := func(c coldchain.Command) {
			t.Helper()
			c.ID, c.Batch, c.By = c.Name, "B", "Anna Example"
			if _, err := r.m.order(r.ctx, c); err != nil {
				t.Fatal(err)
			}
		}
		sweep()
		do(coldchain.Command{Name: "receive", Profile: "p"})
		do(coldchain.Command{Name: "place", Unit: "f1"})
		sweep()
		opened := sensor.At(time.Now())
		for range 12 {
			sweep()
		}
		do(coldchain.Command{Name: "open", At: opened})
		b := r.m.Snapshot().Batches[0]
		if b.Verdict != coldchain.Expired || b.Since != opened.Add(time.Minute) {
			t.Errorf("%s since %s, want expired since %s", b.Verdict, b.Since, opened.Add(time.Minute))
		}
		told, err := r.st.EventsOf(r.ctx, coldchain.BatchExpired, coldchain.BatchQuarantined)
		if err != nil || len(told) != 1 || told[0].Kind != coldchain.BatchExpired || told[0].Rule != coldchain.RuleInUse || told[0].Time != opened.Add(time.Minute) {
			t.Errorf("told %+v (%v)", told, err)
		}
	})
}
