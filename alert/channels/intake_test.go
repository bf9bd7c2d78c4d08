package channels

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"unicode/utf8"

	"coldkeep/alert"
)

// farServices are the far sides that lie behind an intake.
var farServices = map[string]func(t *testing.T) (farSide, *farIntake){
	"pagerduty":    func(t *testing.T) (farSide, *farIntake) { f := newFarPagerDuty(t); return f, &f.farIntake },
	"goalert":      func(t *testing.T) (farSide, *farIntake) { f := newFarGoAlert(t); return f, &f.farIntake },
	"alertmanager": func(t *testing.T) (farSide, *farIntake) { f := newFarAlertmanager(t); return f, &f.farIntake },
	"webhook":      func(t *testing.T) (farSide, *farIntake) { f := newFarWebhook(t); return f, &f.farIntake },
}

func openIntake(t *testing.T, f farSide) alert.Notifier {
	t.Helper()
	n, err := Open(f.settings(t), quiet)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Every fault of a service is told as what it is worth, and no secret with it.
func TestServicesTellFaultsApart(t *testing.T) {
	for kind, open := range farServices {
		for _, x := range []struct {
			fault farFault
			want  string // temporary, unknown, final, nil
			taken bool
		}{{farBusy, "temporary", false}, {farBroken, "temporary", false}, {farRefuses, "final", false}, {farHangs, "unknown", true},
			{farDrops, "unknown", true}, {farGarbled, "nil", true}, {farAway, "temporary", false}} {
			t.Run(fmt.Sprintf("%s/%s", kind, x.fault), func(t *testing.T) {
				f, in := open(t)
				n := openIntake(t, f)
				f.fail(x.fault)
				_, err := n.Notify(farDeadline{t.Context(), in.hung}, sample(""))
				if got := intakeFault(err); got != x.want {
					t.Errorf("%v (%s), want %s", err, got, x.want)
				}
				if got := len(f.took()) > 0; got != x.taken {
					t.Errorf("taken: %v, want %v", got, x.taken)
				}
				if err != nil {
					for _, secret := range []string{farPagerDutyKey, farGoAlertToken, "s3cr3t", "t0ken", in.addr + "/"} {
						if strings.Contains(err.Error(), secret) {
							t.Errorf("the error tells %q: %v", secret, err)
						}
					}
				}
				// It is taken at the next try.
				before := len(f.took())
				if _, err := n.Notify(t.Context(), sample("")); err != nil {
					t.Errorf("afterwards: %v", err)
				}
				list := f.took()
				if len(list) != before+1 || !strings.Contains(list[before], sample("").Title) || !strings.Contains(list[before], sample("").Body) {
					t.Errorf("afterwards it has %q", list)
				}
			})
		}
	}
}

// A farDeadline passes when the far side hangs, however slow the machine is.
type farDeadline struct {
	context.Context
	passed chan struct{}
}

func (d farDeadline) Done() <-chan struct{} { return d.passed }

func (d farDeadline) Err() error {
	select {
	case <-d.passed:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

func intakeFault(err error) string {
	var temporary *alert.TemporaryError
	var unknown *alert.UnknownError
	switch {
	case err == nil:
		return "nil"
	case errors.As(err, &temporary):
		return "temporary"
	case errors.As(err, &unknown):
		return "unknown"
	}
	return "final"
}

// What a person alone can use is not sent on as an event.
func TestServicesRefuseWhatIsForPeople(t *testing.T) {
	for kind, open := range farServices {
		if kind == "webhook" {
			continue // it tells everything
		}
		f, in := open(t)
		n := openIntake(t, f)
		for _, p := range []alert.Purpose{alert.Turning, alert.Progress, alert.Status} {
			m := sample("")
			m.Purpose = p
			if _, err := n.Notify(t.Context(), m); err == nil || !strings.Contains(err.Error(), string(p)) {
				t.Errorf("%s, %s: %v", kind, p, err)
			}
		}
		if list := in.asked(); len(list) > 0 {
			t.Errorf("%s was asked %q", kind, list)
		}
	}
}

// A message as long as may be, and longer, passes every service's limits.
func TestServicesCutToTheirLimits(t *testing.T) {
	for kind, open := range farServices {
		f, _ := open(t)
		n := openIntake(t, f)
		m := sample("")
		m.Title, m.Body, m.Key = strings.Repeat("ü", 2000), strings.Repeat("ß", 9000), strings.Repeat("k", 400)
		if _, err := n.Notify(t.Context(), m); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		if len(f.took()) != 1 {
			t.Errorf("%s took %d", kind, len(f.took()))
		}
	}
}

func TestDedupKey(t *testing.T) {
	if got := dedupKey("a/b"); got != "coldkeep/a/b" {
		t.Errorf("short: %s", got)
	}
	one, two := dedupKey(strings.Repeat("ü", 300)+"1"), dedupKey(strings.Repeat("ü", 300)+"2")
	for _, k := range []string{one, two} {
		if n := utf8.RuneCountInString(k); n != 255 {
			t.Errorf("%d characters: %s", n, k)
		}
	}
	if one == two {
		t.Error("two troubles have one key")
	}
	if one != dedupKey(strings.Repeat("ü", 300)+"1") {
		t.Error("the key is not stable")
	}
}

// A redirect is no delivery: it would be followed by a GET without a message.
func TestServicesAreNotRedirected(t *testing.T) {
	var gets atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			gets.Add(1)
			return
		}
		http.Redirect(w, r, "/elsewhere", http.StatusFound)
	}))
	defer server.Close()
	n, err := Open(alert.Settings{Kind: "webhook", Server: server.URL + "/hook"}, quiet)
	if err != nil {
		t.Fatal(err)
	}
	_, err = n.Notify(t.Context(), sample(""))
	if got := intakeFault(err); got != "final" || !strings.Contains(err.Error(), "302") || gets.Load() != 0 {
		t.Errorf("%s: %v; it followed %d times", got, err, gets.Load())
	}
}

// What cannot work is told when the channel is opened, with the cure, and
// without the secret.
func TestServicesAreOpenedOnlyWhole(t *testing.T) {
	token := intakeSecret(t, "t0p-s3cr3t")
	for _, x := range []struct {
		s    alert.Settings
		want string
	}{
		{alert.Settings{Kind: "pagerduty"}, "read secret"},
		{alert.Settings{Kind: "pagerduty", TokenFile: token}, "has 10 characters, and PagerDuty's have 32"},
		{alert.Settings{Kind: "pagerduty", TokenFile: intakeSecret(t, farPagerDutyKey), Server: "events.example"}, "https://HOST"},
		{alert.Settings{Kind: "goalert", Server: "https://goalert.example"}, "read secret"},
		{alert.Settings{Kind: "goalert", TokenFile: token}, "https://HOST"},
		{alert.Settings{Kind: "goalert", TokenFile: token, Server: "https://goalert.example?token=t0p-s3cr3t"}, "secrets belong in a file"},
		{alert.Settings{Kind: "alertmanager"}, "https://HOST"},
		{alert.Settings{Kind: "alertmanager", Server: "https://me:t0p-s3cr3t@am.example"}, "secrets belong in a file"},
		{alert.Settings{Kind: "alertmanager", Server: "https://am.example", TokenFile: "/nowhere"}, "read secret"},
		{alert.Settings{Kind: "webhook"}, "either"},
		{alert.Settings{Kind: "webhook", Server: "https://hook.example", URLFile: token}, "either"},
		{alert.Settings{Kind: "webhook", URLFile: token}, "should hold one URL"},
		{alert.Settings{Kind: "webhook", Server: "https://hook.example:t0p-s3cr3t/"}, "write https://HOST"},
		{alert.Settings{Kind: "webhook", Server: "https://hook.example", TokenFile: "/nowhere"}, "read secret"},
	} {
		_, err := Open(x.s, quiet)
		if err == nil || !strings.Contains(err.Error(), x.want) || !strings.Contains(err.Error(), x.s.Kind) || strings.Contains(err.Error(), "t0p-s3cr3t") {
			t.Errorf("%+v: %v, want %q", x.s, err, x.want)
		}
	}
	for _, s := range []alert.Settings{{Kind: "pagerduty", TokenFile: intakeSecret(t, farPagerDutyKey)}, {Kind: "webhook", Server: "https://hook.example/x/"}} {
		if n, err := Open(s, quiet); err != nil || n.Name() != s.Kind {
			t.Errorf("%+v: %v", s, err)
		}
	}
}

// What a service answers is foreign: what is not understood is told as it came.
func FuzzServiceFaults(f *testing.F) {
	_, invalid := pagerDutyInvalid("Invalid routing key", "x")
	for _, s := range []string{"", "null", `"at least one label pair required"`, `{"code":415,"message":"unsupported media type"}`, invalid, `{"message":"m","errors":"one"}`,
		`{"message":"m","errors":{"a":[1]}}`, `{"errors":null}`, "<html>", "\xff\x00", `{"message":`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		one, two := pagerDutyFault(s), alertmanagerFault(s)
		if !json.Valid([]byte(s)) && (one != s || two != s) {
			t.Errorf("%q is told as %q and %q", s, one, two)
		}
	})
}
