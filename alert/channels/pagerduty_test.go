package channels

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"coldkeep/alert"
)

func openFarPagerDuty(t *testing.T) (*farPagerDuty, *pagerDuty) {
	f := newFarPagerDuty(t)
	p := openIntake(t, f).(*pagerDuty)
	p.apart = time.Millisecond
	return f, p
}

func tellFar(t *testing.T, n alert.Notifier, p alert.Purpose, change ...func(*alert.Message)) string {
	t.Helper()
	m := sample("")
	m.Purpose, m.At, m.Units = p, three, []string{"fridge-1"}
	for _, f := range change {
		f(&m)
	}
	receipt, err := n.Notify(t.Context(), m)
	if err != nil {
		t.Fatalf("%s: %v", p, err)
	}
	return receipt
}

func TestPagerDutyExactly(t *testing.T) {
	f, p := openFarPagerDuty(t)
	if got := tellFar(t, p, alert.Page); got != "coldkeep/fridge-1/too_warm/20260505T021200Z" {
		t.Errorf("receipt %q", got)
	}
	tellFar(t, p, alert.Taken)
	tellFar(t, p, alert.AllClear)
	want := []string{
		`{"routing_key":"` + farPagerDutyKey + `","event_action":"trigger","dedup_key":"coldkeep/fridge-1/too_warm/20260505T021200Z","client":"coldkeep","payload":` +
			`{"summary":"FRIDGE 1 TOO WARM 9.4 °C (2–8), rising. First 12 vials over their limit 03:31, in 19 min. Clinic A","source":"Clinic A","severity":"critical",` +
			`"timestamp":"2026-05-05T02:12:00Z","component":"fridge-1","custom_details":{"text":"Out since 02:57.\n1 Shut the door; look at plug and switch.\nTue 03:12 BST.",` +
			`"trouble":"fridge-1/too_warm/20260505T021200Z","units":["fridge-1"],"notification":"n1","repeat":false}}}`,
		`{"routing_key":"` + farPagerDutyKey + `","event_action":"acknowledge","dedup_key":"coldkeep/fridge-1/too_warm/20260505T021200Z"}`,
		`{"routing_key":"` + farPagerDutyKey + `","event_action":"resolve","dedup_key":"coldkeep/fridge-1/too_warm/20260505T021200Z"}`,
	}
	if got := f.asked(); !slices.Equal(got, want) {
		t.Errorf("asked\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// One trouble calls once, again when it worsens after somebody had taken it,
// and not when a message is repeated.
func TestPagerDutyCallsAgainAfterAnAcknowledgement(t *testing.T) {
	f, p := openFarPagerDuty(t)
	tellFar(t, p, alert.Page)
	tellFar(t, p, alert.Page, func(m *alert.Message) { m.Again = true })
	if len(f.calls) != 1 {
		t.Fatalf("called %q, want once", f.calls)
	}
	tellFar(t, p, alert.Taken)
	tellFar(t, p, alert.Page) // PagerDuty alone would stay silent
	if len(f.calls) != 2 {
		t.Errorf("called %q, want twice", f.calls)
	}
	tellFar(t, p, alert.Page)
	if len(f.calls) != 2 {
		t.Errorf("called %q, want twice still", f.calls)
	}
	tellFar(t, p, alert.AllClear)
	for key, state := range f.incidents {
		if state != "resolved" {
			t.Errorf("%s is %s", key, state)
		}
	}
}

func TestPagerDutySeverities(t *testing.T) {
	for s, want := range map[alert.Severity]string{alert.Critical: "critical", alert.Warning: "warning", "": "error", "odd": "error"} {
		if got := pagerDutySeverity(s); got != want {
			t.Errorf("%q is %q, want %q", s, got, want)
		}
	}
}

// What PagerDuty finds wrong with an event is told in full, and is final.
func TestPagerDutyTellsWhatIsWrong(t *testing.T) {
	f, p := openFarPagerDuty(t)
	f.refusal = func() (int, string) { return pagerDutyInvalid("Invalid routing key", "'payload' is missing or blank") }
	f.fail(farRefuses)
	_, err := p.Notify(t.Context(), sample(""))
	if want := "PagerDuty answered 400 Bad Request: Event object is invalid; Invalid routing key; 'payload' is missing or blank"; intakeFault(err) != "final" || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

// A 429 may say when; anything but 202 is no acceptance.
func TestPagerDutyStatuses(t *testing.T) {
	f, p := openFarPagerDuty(t)
	f.fail(farBusy)
	_, err := p.Notify(t.Context(), sample(""))
	if got := fmt.Sprint(intakeRetry(err)); intakeFault(err) != "temporary" || got != "0s" {
		t.Errorf("%v, again in %s", err, got)
	}
	f.again = true
	f.fail(farBusy)
	_, err = p.Notify(t.Context(), sample(""))
	if got := fmt.Sprint(intakeRetry(err)); got != "7s" {
		t.Errorf("%v, again in %s", err, got)
	}
	f.accept = nil
	f.refusal = func() (int, string) { return 200, "<html>Log in to the guest network</html>" }
	f.fail(farRefuses)
	if _, err = p.Notify(t.Context(), sample("")); intakeFault(err) != "unknown" {
		t.Errorf("200: %v", err)
	}
}

func intakeRetry(err error) time.Duration {
	if t, ok := err.(*alert.TemporaryError); ok {
		return t.After
	}
	return -1
}
