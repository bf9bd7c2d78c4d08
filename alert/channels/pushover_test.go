package channels

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"coldkeep/alert"
)

func openFarPushover(t *testing.T) (*farPushover, *pushover, *lockedBuffer) {
	t.Helper()
	far := newFarPushover(t)
	t.Cleanup(far.close)
	log := &lockedBuffer{}
	n, err := Open(far.settings(t), logTo(log))
	if err != nil {
		t.Fatal(err)
	}
	far.hurry(n)
	return far, n.(*pushover), log
}

func TestPushoverSendsThisForm(t *testing.T) {
	far, c, _ := openFarPushover(t)
	m := sample("")
	receipt, err := c.Notify(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	if receipt != far.order[0] {
		t.Errorf("the receipt is %q, not %q", receipt, far.order[0])
	}
	want := url.Values{"token": {farPushoverToken}, "user": {farPushoverUser}, "title": {m.Title}, "message": {m.Body}, "priority": {"2"}, "retry": {"60"}, "expire": {"10800"}}
	if d := cmp.Diff(want, far.messages[0]); d != "" {
		t.Error(d)
	}
}

func TestPushoverPriorities(t *testing.T) {
	far, c, _ := openFarPushover(t)
	for i, x := range []struct {
		purpose  alert.Purpose
		severity alert.Severity
		want     string
	}{
		{alert.Page, alert.Critical, "2"}, {alert.Test, alert.Critical, "2"}, {alert.Page, alert.Warning, "1"}, {alert.Notice, alert.Warning, "0"}, {alert.Taken, alert.Critical, "0"}, {alert.Turning, alert.Critical, "0"},
		{alert.Worse, alert.Critical, "0"}, {alert.Status, alert.Critical, "0"}, {alert.Progress, alert.Critical, "-1"}, {alert.AllClear, alert.Critical, "-1"}, {alert.Tested, alert.Critical, "-1"},
	} {
		m := sample("")
		m.Purpose, m.Severity = x.purpose, x.severity
		receipt, err := c.Notify(t.Context(), m)
		if err != nil {
			t.Fatal(err)
		}
		got := far.messages[i]
		if got.Get("priority") != x.want {
			t.Errorf("%s, %s: priority %s, not %s", x.purpose, x.severity, got.Get("priority"), x.want)
		}
		if emergency := x.want == "2"; (receipt != "") != emergency || got.Has("retry") != emergency || got.Has("expire") != emergency {
			t.Errorf("%s, %s: receipt %q, %v", x.purpose, x.severity, receipt, got)
		}
	}
}

func TestPushoverWithoutABodySendsTheTitle(t *testing.T) {
	far, c, _ := openFarPushover(t)
	m := sample("")
	m.Body = ""
	if _, err := c.Notify(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if got := far.messages[0].Get("message"); got != m.Title {
		t.Errorf("the message is %q", got)
	}
}

func TestPushoverSettingsAreChecked(t *testing.T) {
	for _, c := range []struct {
		s    alert.Settings
		want string
	}{
		{alert.Settings{}, "token file"},
		{alert.Settings{TokenFile: "token", To: "anna@clinic.example"}, "user key"},
		{alert.Settings{TokenFile: "token", Server: "api.pushover.net"}, "https://"},
	} {
		c.s.Kind = "pushover"
		if _, err := Open(c.s, quiet); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, without %q", c.s, err, c.want)
		}
	}
	_, c, _ := openFarPushover(t)
	if _, err := c.Notify(t.Context(), sample("anna")); err == nil || strings.Contains(err.Error(), "answered") {
		t.Errorf("to anna: %v", err)
	}
}

// The month's quota is told with a 429 and the time at which it is full again.
func TestPushoverTellsThatTheQuotaIsUsedUp(t *testing.T) {
	far, c, _ := openFarPushover(t)
	far.remaining = 0
	_, err := c.Notify(t.Context(), sample(""))
	e, ok := errors.AsType[*alert.TemporaryError](err)
	if !ok || !strings.Contains(err.Error(), "application has exceeded current limit of 10000 messages") {
		t.Fatalf("%v", err)
	}
	if e.After != retryMost {
		t.Errorf("after %v", e.After)
	}
	for _, x := range []struct {
		remaining, reset, date string
		want                   time.Duration
	}{
		{"0", "1000000600", "Sun, 09 Sep 2001 01:46:40 GMT", 10 * time.Minute},
		{"0", "1000000600", "Sun, 09 Sep 2001 02:46:40 GMT", 0},
		{"1", "1000000600", "Sun, 09 Sep 2001 01:46:40 GMT", 0},
		{"0", "soon", "Sun, 09 Sep 2001 01:46:40 GMT", 0},
		{"", "", "", 0},
	} {
		r := response(429, "", "X-Limit-App-Remaining", x.remaining, "X-Limit-App-Reset", x.reset, "Date", x.date)
		if got := pushoverReset(r); got != x.want {
			t.Errorf("%+v: after %v", x, got)
		}
	}
}

func TestPushoverTellsWhatTheServerSays(t *testing.T) {
	for fault, want := range map[farFault]string{
		farBusy:    "Pushover answered 429 Too Many Requests: too many requests",
		farBroken:  "Pushover answered 502 Bad Gateway: <html><body>We'll be back soon. Token: (secret)</body></html>",
		farRefuses: "Pushover answered 400 Bad Request: application token is invalid, see https://pushover.net/api",
	} {
		far, c, _ := openFarPushover(t)
		far.fail(fault)
		if _, err := c.Notify(t.Context(), sample("")); err == nil || err.Error() != want {
			t.Errorf("%s: %v", fault, err)
		}
	}
}

// An emergency message whose receipt is lost rings, and nobody could answer it.
func TestPushoverWithoutAReceiptDoesNotKnow(t *testing.T) {
	_, c, _ := openFarPushover(t)
	for _, body := range []string{`{"status":1,"request":"r"}`, `{"status":1,"request":"r","receipt":"../messages"}`, `{}`, `[]`, ``} {
		c.client.Transport = roundTrip(func(*http.Request) (*http.Response, error) { return response(200, body), nil })
		_, err := c.Notify(t.Context(), sample(""))
		if _, ok := errors.AsType[*alert.UnknownError](err); !ok {
			t.Errorf("%s: %v", body, err)
		}
	}
}

func TestPushoverCancels(t *testing.T) {
	far, c, _ := openFarPushover(t)
	receipt, err := c.Notify(t.Context(), sample(""))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Cancel(t.Context(), receipt); err != nil {
		t.Fatal(err)
	}
	if !far.receipts[receipt].canceled {
		t.Error("it still rings")
	}
	far.receipts[receipt].forgot = true
	if err := c.Cancel(t.Context(), receipt); err != nil {
		t.Errorf("a week later: %v", err)
	}
	for _, bad := range []string{"", "../../1/messages", "a?b"} {
		if err := c.Cancel(t.Context(), bad); err == nil {
			t.Errorf("%q is cancelled", bad)
		}
	}
	far.close()
	if err := c.Cancel(t.Context(), receipt); err == nil {
		t.Error("it is cancelled while nobody is there")
	}
}

func TestPushoverHearsWhoConfirmedAndWhen(t *testing.T) {
	far, c, _ := openFarPushover(t)
	post := &letterbox{}
	p := &party{farSide: far, Notifier: c, to: farPushoverGroup, log: &lockedBuffer{}}
	m := p.page(t, post, "group")
	far.mu.Lock()
	rec := far.receipts[far.order[0]]
	rec.by, rec.at = farPushoverUser, 1777948320
	far.mu.Unlock()
	defer listen(t, c, post)()
	post.waitFor(t, m.Buttons[0])
	want := alert.Answer{ID: far.order[0], Channel: "pushover", From: farPushoverUser, Data: m.Buttons[0].Data, At: time.Unix(1777948320, 0)}
	if d := cmp.Diff(want, post.heard()[0]); d != "" {
		t.Error(d)
	}
}

// What cannot be answered any more is not asked for.
func TestPushoverAsksOnlyForWhatIsOpen(t *testing.T) {
	far, c, log := openFarPushover(t)
	post := &letterbox{}
	p := &party{farSide: far, Notifier: c, to: farPushoverUser, log: &lockedBuffer{}}
	for _, id := range []string{"confirmed", "expired", "forgotten", "open", "last"} {
		p.page(t, post, id)
	}
	far.mu.Lock()
	confirmed, expired, forgotten, open, last := far.receipts[far.order[0]], far.receipts[far.order[1]], far.receipts[far.order[2]], far.receipts[far.order[3]], far.receipts[far.order[4]]
	confirmed.by, expired.expired, forgotten.forgot = farPushoverUser, true, true
	far.mu.Unlock()
	post.sent = append(post.sent, alert.Sent{ID: "none"}, alert.Sent{ID: "odd", Receipt: "../x", Buttons: sample("").Buttons}, alert.Sent{ID: "mute", Receipt: far.order[3]})
	stop := listen(t, c, post)
	eventually(t, "five rounds", func() bool { far.mu.Lock(); defer far.mu.Unlock(); return open.asked >= 5 && last.asked >= 5 })
	stop()
	if confirmed.asked != 1 || expired.asked != 1 {
		t.Errorf("it asked %d times for what was confirmed, %d times for what expired", confirmed.asked, expired.asked)
	}
	if n := far.asked - open.asked - last.asked - 2; n != 1 {
		t.Errorf("it asked %d times for what is not known any more, or for what is no receipt", n)
	}
	if len(post.heard()) != 1 {
		t.Errorf("heard: %+v", post.heard())
	}
	if !strings.Contains(log.String(), "not known any more") {
		t.Errorf("the log does not tell: %s", log)
	}
}

// One receipt no faster than every 5 s, whatever happens, and all in turn.
func TestPushoverAsksGently(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := alert.Settings{Kind: "pushover", TokenFile: secretFile(t, farPushoverToken)}
		n, err := Open(s, quiet)
		if err != nil {
			t.Fatal(err)
		}
		c := n.(*pushover)
		asked := map[string][]time.Time{}
		requests := 0
		c.client.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
			if r.URL.Host != "api.pushover.net" || r.URL.Query().Get("token") != farPushoverToken {
				t.Errorf("it asked %s", r.URL.Redacted())
			}
			id := strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, "/1/receipts/"), ".json")
			asked[id] = append(asked[id], time.Now())
			if requests++; requests%7 == 0 {
				return response(500, "broken"), nil
			}
			return response(200, `{"status":1,"acknowledged":0,"expired":0,"request":"r"}`), nil
		})
		post := &letterbox{}
		for i := range 50 {
			post.sent = append(post.sent, alert.Sent{Receipt: "r" + strings.Repeat("x", i), Buttons: sample("").Buttons})
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		c.Listen(ctx, post)
		if len(asked) != 50 {
			t.Errorf("of 50 receipts it asked for %d", len(asked))
		}
		for id, times := range asked {
			if len(times) < 5 {
				t.Errorf("in 10 min it asked %d times for %s", len(times), id)
			}
			for i := 1; i < len(times); i++ {
				if d := times[i].Sub(times[i-1]); d < 5*time.Second {
					t.Errorf("it asked for %s again after %v", id, d)
				}
			}
		}
	})
}

func FuzzPushoverReply(f *testing.F) {
	f.Add(200, []byte(`{"status":1,"acknowledged":1,"acknowledged_at":1360019238,"acknowledged_by":"u","request":"r"}`))
	f.Add(200, []byte(`{"status":1,"acknowledged":true}`))
	f.Add(404, []byte(`{"receipt":"not found","errors":["receipt not found; may be invalid or expired"],"status":0,"request":"r"}`))
	f.Add(429, []byte(`{"token":"invalid","errors":["application has exceeded current limit of 7500 messages"],"status":0}`))
	f.Add(200, []byte(`<html>`))
	file := secretFile(f, farPushoverToken)
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		if status < 100 || status > 999 {
			return
		}
		n, err := Open(alert.Settings{Kind: "pushover", TokenFile: file}, quiet)
		if err != nil {
			t.Fatal(err)
		}
		c := n.(*pushover)
		c.client.Transport = roundTrip(func(*http.Request) (*http.Response, error) { return response(status, string(body)), nil })
		receipt, err := c.Notify(t.Context(), sample(farPushoverUser))
		if (err == nil) != (receipt != "") || err == nil && !pushoverReceipt.MatchString(receipt) {
			t.Errorf("receipt %q, %v", receipt, err)
		}
		if err != nil && strings.Contains(err.Error(), farPushoverToken) && !strings.Contains(string(body), farPushoverToken) {
			t.Errorf("it tells the token: %v", err)
		}
		post := &letterbox{}
		if _, err := c.receipt(t.Context(), alert.Sent{Receipt: "abc", Buttons: sample("").Buttons}, post); err != nil && len(post.answers) > 0 {
			t.Errorf("heard, and %v", err)
		}
		if slices.ContainsFunc(post.answers, func(a alert.Answer) bool { return a.ID != "abc" || a.Data == "" }) {
			t.Errorf("heard: %+v", post.answers)
		}
	})
}
