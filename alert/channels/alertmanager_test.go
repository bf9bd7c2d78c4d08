package channels

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"coldkeep/alert"
)

// onAlertmanager runs a channel and its far side on fake time, without a network.
func onAlertmanager(t *testing.T, f func(t *testing.T, a *alertmanager, far *farAlertmanager)) {
	synctest.Test(t, func(t *testing.T) {
		n, err := Open(alert.Settings{Kind: "alertmanager", Server: "http://am.example/prefix/", From: "clinic-a"}, quiet)
		if err != nil {
			t.Fatal(err)
		}
		a, far := n.(*alertmanager), unstartedAlertmanager()
		if want := "http://am.example/prefix/api/v2/alerts"; a.in.url != want {
			t.Errorf("it posts to %s, want %s", a.in.url, want)
		}
		a.in.url = "http://am.example/api/v2/alerts"
		a.in.client.Transport = farTrip{far}
		f(t, a, far)
	})
}

const (
	fridge1Critical = `{"alertname":"ColdkeepTrouble","severity":"critical","site":"clinic-a","trouble":"fridge-1/too_warm/20260505T021200Z","unit":"fridge-1"}`
	fridge1Warning  = `{"alertname":"ColdkeepTrouble","severity":"warning","site":"clinic-a","trouble":"fridge-1/too_warm/20260505T021200Z","unit":"fridge-1"}`
	fridge2Critical = `{"alertname":"ColdkeepTrouble","severity":"critical","site":"clinic-a","trouble":"fridge-1/too_warm/20260505T021200Z","unit":"fridge-2"}`
)

func firesNow(t *testing.T, far *farAlertmanager, want ...string) {
	t.Helper()
	got := far.firing()
	for _, w := range want {
		if !got[w] {
			t.Errorf("silent: %s", w)
		}
		delete(got, w)
	}
	for g := range got {
		t.Errorf("fires: %s", g)
	}
}

func aPage(units ...string) alert.Message {
	m := sample("")
	m.Units = units
	return m
}

func TestAlertmanagerExactly(t *testing.T) {
	f := newFarAlertmanager(t)
	a := openIntake(t, f)
	tellFar(t, a, alert.Page)
	tellFar(t, a, alert.Taken, func(m *alert.Message) { m.Title = "ANNA EXAMPLE goes, there about 03:30" })
	tellFar(t, a, alert.AllClear, func(m *alert.Message) {
		m.Title, m.Body, m.At = "ALL CLEAR: Fridge 1", "Back at 6.9 °C.", three.Add(time.Hour)
	})
	const notes = `"annotations":{"description":"Out since 02:57.\n1 Shut the door; look at plug and switch.\nTue 03:12 BST.",` +
		`"summary":"FRIDGE 1 TOO WARM 9.4 °C (2–8), rising. First 12 vials over their limit 03:31, in 19 min. Clinic A"`
	want := []string{
		`[{"labels":` + fridge1Critical + `,` + notes + `}}]`,
		`[{"labels":` + fridge1Critical + `,` + notes + `,"taken":"ANNA EXAMPLE goes, there about 03:30"}}]`,
		`[{"labels":` + fridge1Critical + `,"annotations":{"description":"Back at 6.9 °C.","summary":"ALL CLEAR: Fridge 1","taken":"ANNA EXAMPLE goes, there about 03:30"},"endsAt":"2026-05-05T03:12:00Z"}]`,
	}
	if got := f.asked(); !slices.Equal(got, want) {
		t.Errorf("asked\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// An open trouble stays open while it is sent again, ends with its all-clear,
// and that is sent again for five minutes.
func TestAlertmanagerIsToldAgain(t *testing.T) {
	onAlertmanager(t, func(t *testing.T, a *alertmanager, far *farAlertmanager) {
		ctx := t.Context()
		tellFar(t, a, alert.Page, func(m *alert.Message) { m.At = time.Time{} })
		for range 20 {
			time.Sleep(time.Minute)
			if err := a.Sync(ctx, []alert.Message{aPage("fridge-1")}); err != nil {
				t.Fatal(err)
			}
			firesNow(t, far, fridge1Critical)
		}
		tellFar(t, a, alert.AllClear, func(m *alert.Message) { m.At = time.Time{} })
		firesNow(t, far)
		// What was put together before the all-clear does not open it again.
		if err := a.Sync(ctx, []alert.Message{aPage("fridge-1")}); err != nil {
			t.Fatal(err)
		}
		firesNow(t, far)
		n := len(far.asked())
		for range 10 {
			time.Sleep(time.Minute)
			if err := a.Sync(ctx, nil); err != nil {
				t.Fatal(err)
			}
			firesNow(t, far)
		}
		list := far.asked()[n:]
		if len(list) != 5 {
			t.Errorf("resolved %d times again, want 5", len(list))
		}
		for _, x := range list {
			if x != list[0] || !strings.Contains(x, `"endsAt"`) {
				t.Errorf("sent again: %s", x)
			}
		}
		if len(a.troubles) != 0 {
			t.Errorf("still remembered: %v", a.troubles)
		}
	})
}

// A severity that rises is a new alert, and the old one is over; it does not
// fall while the trouble lasts.
func TestAlertmanagerSeverity(t *testing.T) {
	onAlertmanager(t, func(t *testing.T, a *alertmanager, far *farAlertmanager) {
		warn := aPage("fridge-1")
		warn.Severity = alert.Warning
		sync := func(list ...alert.Message) {
			t.Helper()
			if err := a.Sync(t.Context(), list); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		sync(warn)
		firesNow(t, far, fridge1Warning)
		sync(aPage("fridge-1"))
		firesNow(t, far, fridge1Critical)
		sync(warn)
		firesNow(t, far, fridge1Critical)
		time.Sleep(time.Minute)
		sync(warn)
		if last := far.asked()[len(far.asked())-1]; !strings.Contains(last, fridge1Warning) {
			t.Errorf("the old alert's end is not sent again: %s", last)
		}
		sync()
		firesNow(t, far)
	})
}

// Each unit of a trouble has its alert, from when it joins to when it leaves.
func TestAlertmanagerUnits(t *testing.T) {
	onAlertmanager(t, func(t *testing.T, a *alertmanager, far *farAlertmanager) {
		for _, x := range []struct {
			units []string
			want  []string
		}{{[]string{"fridge-1"}, []string{fridge1Critical}}, {[]string{"fridge-1", "fridge-2"}, []string{fridge1Critical, fridge2Critical}},
			{[]string{"fridge-2"}, []string{fridge2Critical}}, {[]string{"fridge-1", "fridge-2"}, []string{fridge1Critical, fridge2Critical}}} {
			if err := a.Sync(t.Context(), []alert.Message{aPage(x.units...)}); err != nil {
				t.Fatal(err)
			}
			firesNow(t, far, x.want...)
			time.Sleep(time.Second)
		}
		tellFar(t, a, alert.AllClear, func(m *alert.Message) { m.At, m.Units = time.Time{}, nil })
		firesNow(t, far)
	})
}

// What Sync is no longer told of is over, but not what it was never told of: a
// page may be newer than the list.
func TestAlertmanagerLostAllClear(t *testing.T) {
	onAlertmanager(t, func(t *testing.T, a *alertmanager, far *farAlertmanager) {
		sync := func(list ...alert.Message) {
			t.Helper()
			if err := a.Sync(t.Context(), list); err != nil {
				t.Fatal(err)
			}
		}
		tellFar(t, a, alert.Page, func(m *alert.Message) { m.At = time.Time{} })
		sync()
		firesNow(t, far, fridge1Critical)
		sync(aPage("fridge-1"))
		sync()
		firesNow(t, far)
		// It opens again at once.
		time.Sleep(time.Second)
		tellFar(t, a, alert.Page, func(m *alert.Message) { m.At = time.Time{} })
		firesNow(t, far, fridge1Critical)
		for range 6 {
			time.Sleep(time.Minute)
			sync()
		}
		firesNow(t, far)
	})
}

// A daemon that was started anew resolves what the one before had opened.
func TestAlertmanagerAfterARestart(t *testing.T) {
	onAlertmanager(t, func(t *testing.T, a *alertmanager, far *farAlertmanager) {
		tellFar(t, a, alert.Page, func(m *alert.Message) { m.At = time.Time{} })
		time.Sleep(time.Minute)
		clear(a.troubles)
		tellFar(t, a, alert.AllClear, func(m *alert.Message) { m.At = time.Time{} })
		firesNow(t, far)
	})
}

// A request on its way holds the next one back, no longer than that may wait.
func TestAlertmanagerOneAfterTheOther(t *testing.T) {
	f := newFarAlertmanager(t)
	a := openIntake(t, f).(*alertmanager)
	f.fail(farHangs)
	hung, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- a.Sync(hung, []alert.Message{aPage("fridge-1")}) }()
	<-f.hung
	soon, stop := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer stop()
	if _, err := a.Notify(soon, aPage("fridge-1")); intakeFault(err) != "temporary" {
		t.Errorf("%v, want to be told to try again", err)
	}
	cancel()
	if err := <-done; err == nil {
		t.Error("a request that was broken off succeeded")
	}
	if _, err := a.Notify(t.Context(), aPage("fridge-1")); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// 400 and 415 are told in Alertmanager's words, and are final.
func TestAlertmanagerFaults(t *testing.T) {
	f := newFarAlertmanager(t)
	a := openIntake(t, f)
	for want, refusal := range map[string]func() (int, string){
		"Alertmanager answered 400 Bad Request: at least one label pair required": f.refusal,
		"Alertmanager answered 415 Unsupported Media Type: unsupported media type": func() (int, string) {
			return 415, `{"code":415,"message":"unsupported media type"}`
		},
	} {
		f.refusal = refusal
		f.fail(farRefuses)
		_, err := a.Notify(t.Context(), sample(""))
		if intakeFault(err) != "final" || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// The way in may be guarded.
func TestAlertmanagerCredentials(t *testing.T) {
	f := newFarAlertmanager(t)
	for account, want := range map[string]string{"": "Bearer t0ken", "coldkeep": "Basic Y29sZGtlZXA6dDBrZW4="} {
		s := f.settings(t)
		s.Account, s.TokenFile = account, intakeSecret(t, "t0ken")
		a, err := Open(s, quiet)
		if err != nil {
			t.Fatal(err)
		}
		tellFar(t, a, alert.Page)
		if got := f.heads[len(f.heads)-1].Get("Authorization"); got != want {
			t.Errorf("Authorization: %s, want %s", got, want)
		}
	}
}
