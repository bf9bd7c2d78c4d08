package monitor

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"coldkeep/internal/coldchain"
	"coldkeep/sensor"
)

// A batch expires by itself: a notice when its last day is near, the verdict and
// an event at the very instant, and the same after a restart from the record
// alone. While the clock is doubtful it is not shown as good.
func TestABatchExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		r := newRig(t, dir, testConfig())
		for i := range r.bus.next {
			r.bus.next[i] = sensor.Reading{Temp: 5000, Raw: 5000}
		}
		sweep := func() {
			time.Sleep(interval)
			r.m.Sweep(r.ctx, sensor.At(time.Now()))
		}
		sweep()
		last := time.Now().UTC().AddDate(0, 0, 9)
		for _, c := range []coldchain.Command{
			{ID: "1", Name: "receive", Batch: "B", Profile: "p", By: "Anna Example", Expiry: last.Format(time.DateOnly)},
			{ID: "2", Name: "place", Batch: "B", Unit: "f1", By: "Anna Example"},
		} {
			if _, err := r.m.order(r.ctx, c); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := r.m.order(r.ctx, coldchain.Command{ID: "3", Name: "receive", Batch: "C", Profile: "p", By: "Anna Example", Expiry: "31.1.2027"}); err == nil {
			t.Error("31.1.2027 is taken for a day")
		}
		notices := func() (list []string) {
			for _, a := range r.m.Snapshot().Alarms {
				if a.Rule == RuleExpiry {
					list = append(list, a.Text)
				}
			}
			return list
		}
		sweep()
		if n := notices(); len(n) != 0 {
			t.Errorf("nine days before: %v", n)
		}
		jump := func(to time.Time) {
			time.Sleep(time.Until(to) - interval)
			sweep()
			sweep() // the desk's own alarms are shown with the next step
		}
		ends := time.Date(last.Year(), last.Month(), last.Day()+1, 0, 0, 0, 0, time.UTC)
		jump(ends.AddDate(0, 0, -7))
		if n := notices(); !slices.Equal(n, []string{"its last day is " + last.Format(time.DateOnly)}) {
			t.Errorf("a week before: %v", n)
		}
		r.m.o.Synchronized = func() bool { return false }
		sweep()
		if b := r.m.Snapshot().Batches[0]; b.Now == coldchain.NowInRange {
			t.Errorf("shown as good with a doubtful clock: %+v", b.Now)
		}
		r.m.o.Synchronized = func() bool { return true }
		jump(ends)
		check := func() {
			t.Helper()
			// It was unmonitored while nothing was read, which goes before: so the reasons
			// are answered first.
			b := r.m.Snapshot().Batches[0]
			if b.Verdict != coldchain.Expired || b.Since != sensor.At(ends) {
				t.Errorf("%s since %s, want expired since %s", b.Verdict, b.Since, ends)
			}
		}
		if _, err := r.m.order(r.ctx, coldchain.Command{ID: "4", Name: "release", Batch: "B", By: "Ben Example", Reason: "the gap was a test"}); err != nil {
			t.Fatal(err)
		}
		sweep()
		check()
		if n := notices(); len(n) != 1 || n[0] != "expired: its last day was "+last.Format(time.DateOnly)+"; take it out" {
			t.Errorf("afterwards: %v", n)
		}
		told, err := r.st.EventsOf(r.ctx, coldchain.BatchExpired)
		if err != nil || len(told) != 1 || told[0].Time != sensor.At(ends) || told[0].Batch != "B" {
			t.Errorf("%+v %v", told, err)
		}
		r.dropCheckpoints()
		r.kill()
		r = newRig(t, dir, testConfig())
		defer r.kill()
		check()
	})
}

// What was open for too long, and what a signer's last day has ended, is told
// like the label's last day, as long as it stands in a unit.
func TestWhatElseEndsTheUseIsTold(t *testing.T) {
	const day = 24 * time.Hour
	at := sensor.At(time.Date(2026, 5, 12, 0, 0, 0, 0, time.UTC))
	open := coldchain.Reason{Rule: coldchain.RuleInUse, At: at, Text: "open for longer than the 4h that the label allows"}
	s := &coldchain.Snapshot{Synchronized: true, Batches: []coldchain.BatchState{
		{ID: "open", Unit: "f1", Reasons: []coldchain.Reason{open}},
		{ID: "taken-out", Reasons: []coldchain.Reason{open}, SignedUseBy: "2026-05-11", SignedUseByAt: at},
		{ID: "over", Unit: "f1", SignedUseBy: "2026-05-11", SignedUseByAt: at},
		{ID: "near", Unit: "f1", SignedUseBy: "2026-05-18", SignedUseByAt: at.Add(7 * day)},
		{ID: "far", Unit: "f1", SignedUseBy: "2026-05-19", SignedUseByAt: at.Add(8 * day)},
	}}
	var got []string
	for _, a := range expiring(s, at) {
		if a.Rule != RuleExpiry || a.Unit != "f1" {
			t.Errorf("%+v", a)
		}
		got = append(got, a.Key+": "+a.Text)
	}
	want := []string{
		"expiry/open/open: open for longer than the 4h that the label allows; take it out",
		"expiry/over/signed-over: its use was allowed until 2026-05-11; take it out",
		"expiry/near/signed-near: its use is allowed until 2026-05-18",
	}
	if !slices.Equal(got, want) {
		t.Errorf("told\n%q, want\n%q", got, want)
	}
	if s.Synchronized = false; len(expiring(s, at)) != 0 {
		t.Error("told by a clock that nobody has set")
	}
}
