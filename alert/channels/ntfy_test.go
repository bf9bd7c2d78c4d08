package channels

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"coldkeep/alert"
)

func openFarNtfy(t *testing.T, change func(*alert.Settings)) (*farNtfy, *ntfy, *lockedBuffer) {
	t.Helper()
	far := newFarNtfy(t)
	t.Cleanup(far.close)
	s := far.settings(t)
	if change != nil {
		change(&s)
	}
	log := &lockedBuffer{}
	n, err := Open(s, logTo(log))
	if err != nil {
		t.Fatal(err)
	}
	far.hurry(n)
	return far, n.(*ntfy), log
}

func TestNtfyPublishesThisJSON(t *testing.T) {
	far, c, _ := openFarNtfy(t, nil)
	m := sample("")
	receipt, err := c.Notify(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	if receipt != "Msg000000001" {
		t.Errorf("the receipt is %q, not ntfy's id", receipt)
	}
	action := func(label, data string) map[string]any {
		return map[string]any{"action": "http", "label": label, "url": far.URL + "/" + farNtfyAnswer, "method": "POST", "body": data, "clear": true,
			"headers": map[string]any{"Authorization": "Bearer " + farNtfyPhone}}
	}
	want := map[string]any{"topic": farNtfyTopic, "title": m.Title, "message": m.Body, "priority": 5.0, "tags": []any{"rotating_light"},
		"actions": []any{action("Going, 30 min", "g30.n1.abcdef0123"), action("Can't: call next", "no.n1.abcdef0123"), action("Status", "st.n1.abcdef0123")}}
	var got map[string]any
	if err := json.Unmarshal(far.messages[0].raw, &got); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestNtfyPriorities(t *testing.T) {
	for _, c := range []struct {
		purpose  alert.Purpose
		severity alert.Severity
		want     int
		tag      string
	}{
		{alert.Page, alert.Critical, 5, "rotating_light"}, {alert.Test, alert.Critical, 5, "rotating_light"}, {alert.Page, alert.Warning, 4, "warning"}, {alert.Notice, alert.Critical, 3, "warning"}, {alert.Notice, alert.Warning, 3, "warning"},
		{alert.Taken, alert.Critical, 3, ""}, {alert.Turning, alert.Critical, 3, ""}, {alert.Worse, alert.Critical, 3, "warning"}, {alert.Status, alert.Critical, 3, ""},
		{alert.Progress, alert.Critical, 2, ""}, {alert.AllClear, alert.Critical, 2, "white_check_mark"}, {alert.Tested, alert.Critical, 2, "white_check_mark"},
	} {
		m := alert.Message{Purpose: c.purpose, Severity: c.severity}
		if got := ntfyPriority(m); got != c.want {
			t.Errorf("%s, %s: priority %d, not %d", c.purpose, c.severity, got, c.want)
		}
		if got := strings.Join(ntfyTags(m), ","); got != c.tag {
			t.Errorf("%s, %s: tags %q, not %q", c.purpose, c.severity, got, c.tag)
		}
	}
}

func TestNtfyWithoutATopicForAnswersHasNoButtons(t *testing.T) {
	far, c, _ := openFarNtfy(t, func(s *alert.Settings) { s.Answers, s.AnswerFile = "", "" })
	if _, err := c.Notify(t.Context(), sample("")); err != nil {
		t.Fatal(err)
	}
	if far.messages[0].Actions != nil {
		t.Errorf("it has buttons: %+v", far.messages[0].Actions)
	}
	listen(t, c, &letterbox{})()
}

func TestNtfyWithoutTheTokenForAnswersStillWakes(t *testing.T) {
	far, c, log := openFarNtfy(t, nil)
	if err := os.Remove(c.s.AnswerFile); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Notify(t.Context(), sample("")); err != nil {
		t.Fatal(err)
	}
	if far.messages[0].Actions != nil {
		t.Errorf("it has buttons that cannot work: %+v", far.messages[0].Actions)
	}
	if !strings.Contains(log.String(), "without its buttons") {
		t.Errorf("the log does not tell: %s", log)
	}
}

func TestNtfyWithAnswersForEverybodySendsNoToken(t *testing.T) {
	far, c, _ := openFarNtfy(t, func(s *alert.Settings) { s.AnswerFile = "" })
	if _, err := c.Notify(t.Context(), sample("")); err != nil {
		t.Fatal(err)
	}
	if a := far.messages[0].Actions; len(a) != 3 || a[0].Headers != nil {
		t.Errorf("the buttons are %+v", a)
	}
}

func TestNtfyAuthorization(t *testing.T) {
	for secret, want := range map[string]string{"tk_abc": "Bearer tk_abc", "anna:secret": "Basic YW5uYTpzZWNyZXQ="} {
		if got := ntfyAuthorization(secret); got != want {
			t.Errorf("%s: %s, not %s", secret, got, want)
		}
	}
}

func TestNtfySettingsAreChecked(t *testing.T) {
	for _, c := range []struct {
		s    alert.Settings
		want string
	}{
		{alert.Settings{To: "a/b"}, "topic"},
		{alert.Settings{To: strings.Repeat("x", 65)}, "topic"},
		{alert.Settings{Answers: "ä"}, "topic"},
		{alert.Settings{To: "same", Answers: "same"}, "topic of their own"},
		{alert.Settings{To: "a", AnswerFile: "token"}, "no topic for them"},
		{alert.Settings{Server: "ntfy.example"}, "https://"},
		{alert.Settings{Server: "ftp://ntfy.example"}, "https://"},
		{alert.Settings{Server: "https://anna:geheim@ntfy.example"}, "belong into a file"},
		{alert.Settings{Server: "https://ntfy.example?auth=geheim"}, "belong into a file"},
		{alert.Settings{Server: "https://ntfy.example:geheim"}, "read server"},
	} {
		c.s.Kind = "ntfy"
		_, err := Open(c.s, quiet)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, without %q", c.s, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "geheim") {
			t.Errorf("it tells the password: %v", err)
		}
	}
	_, c, _ := openFarNtfy(t, nil)
	for _, to := range []string{"a b", "../v1/users", farNtfyAnswer} {
		m := sample(to)
		if _, err := c.Notify(t.Context(), m); err == nil || strings.Contains(err.Error(), "answered") {
			t.Errorf("to %q: %v", to, err)
		}
	}
}

func TestNtfyTellsWhatTheServerSays(t *testing.T) {
	for _, c := range []struct {
		fault farFault
		want  string
		after time.Duration
	}{
		{farBusy, "ntfy answered 429 Too Many Requests: limit reached: too many requests (42901)", 7 * time.Second},
		{farBroken, "ntfy answered 500 Internal Server Error: internal server error (50001)", 0},
		{farRefuses, "ntfy answered 403 Forbidden: forbidden (40301)", 0},
	} {
		far, ch, _ := openFarNtfy(t, nil)
		far.fail(c.fault)
		_, err := ch.Notify(t.Context(), sample(""))
		if err == nil || err.Error() != c.want {
			t.Errorf("%s: %v", c.fault, err)
		}
		if e, ok := errors.AsType[*alert.TemporaryError](err); ok && e.After != c.after {
			t.Errorf("%s: after %v, not %v", c.fault, e.After, c.after)
		}
	}
}

// A log-in page that answers 200 has delivered nothing.
func TestNtfyDoesNotTakeAStrangersSuccess(t *testing.T) {
	far, c, _ := openFarNtfy(t, nil)
	far.fail(farGarbled)
	_, err := c.Notify(t.Context(), sample(""))
	if _, ok := errors.AsType[*alert.UnknownError](err); !ok {
		t.Errorf("%v", err)
	}
}

func TestNtfyDoesNotFollowRedirects(t *testing.T) {
	_, c, _ := openFarNtfy(t, nil)
	c.client.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
		if r.Method != http.MethodPost {
			t.Errorf("it went on with %s %s", r.Method, r.URL)
		}
		return response(302, "", "Location", "https://elsewhere.example/"), nil
	})
	_, err := c.Notify(t.Context(), sample(""))
	if err == nil || !strings.Contains(err.Error(), "302") {
		t.Errorf("%v", err)
	}
	if e, ok := errors.AsType[*alert.TemporaryError](err); ok {
		t.Errorf("it is temporary: %v", e)
	}
}

// A longer message would become a file to download; a larger request would be
// refused.
func TestNtfyCutsToWhatAMessageMayBe(t *testing.T) {
	far, c, _ := openFarNtfy(t, nil)
	for i, unit := range []string{"x", "\n", `"`, "😀", "\x01", "<&>", "\u2028"} {
		m := sample("")
		m.Title, m.Body = strings.Repeat(unit, 300), "a"+strings.Repeat(unit, 6000)+"z"
		if _, err := c.Notify(t.Context(), m); err != nil {
			t.Errorf("%q: %v", unit, err)
			continue
		}
		got := far.messages[i]
		if got.Attachment != nil || len(got.Actions) != 3 {
			t.Errorf("%q: it came as a file, or without buttons: %+v", unit, got.Attachment)
		}
		if len(got.Message) < 500 && unit != "\n" {
			t.Errorf("%q: only %d bytes are left", unit, len(got.Message))
		}
	}
}

// The server may keep a message a while after it was told, and one that came
// just before the stream broke lies before those that were heard.
func TestNtfyHearsWhatTheServerKeepsLate(t *testing.T) {
	t.Parallel()
	far, c, _ := openFarNtfy(t, nil)
	post := &letterbox{}
	p := &party{farSide: far, Notifier: c, to: farNtfyTopic, log: &lockedBuffer{}}
	late, live := p.page(t, post, "late"), p.page(t, post, "live")
	far.mu.Lock()
	far.kept = time.Second
	far.mu.Unlock()
	far.press(t, farNtfyTopic, late.Buttons[0], false) // while nobody listens
	far.mu.Lock()
	far.kept = 0
	far.mu.Unlock()
	defer listen(t, c, post)()
	eventually(t, "the stream stands", func() bool { far.mu.Lock(); defer far.mu.Unlock(); return len(far.streams) == 1 })
	far.press(t, farNtfyTopic, live.Buttons[0], false)
	post.waitFor(t, live.Buttons[0])
	eventually(t, "the late answer is heard", func() bool {
		far.cutStreams()
		time.Sleep(20 * time.Millisecond)
		return slices.ContainsFunc(post.heard(), func(a alert.Answer) bool { return a.Data == late.Buttons[0].Data })
	})
	if n := len(post.heard()); n != 2 {
		t.Errorf("two answers were heard %d times", n)
	}
	far.mu.Lock()
	defer far.mu.Unlock()
	if far.asked[0] != "12h" {
		t.Errorf("at first it asked since %s", far.asked[0])
	}
	if want := fmt.Sprint(far.messages[len(far.messages)-1].Time - 120); far.asked[len(far.asked)-1] != want {
		t.Errorf("at last it asked since %s, not %s", far.asked[len(far.asked)-1], want)
	}
}

func TestNtfyHearsOnlyButtons(t *testing.T) {
	far, c, _ := openFarNtfy(t, nil)
	post := &letterbox{}
	for _, body := range []string{"hello there", "", strings.Repeat("x", 65), strings.Repeat("y", 5000), "g30.n1.abcdef0123"} {
		r, err := http.NewRequest("POST", far.URL+"/"+farNtfyAnswer, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+farNtfyPhone)
		resp, err := far.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
	defer listen(t, c, post)()
	post.waitFor(t, alert.Button{Data: "g30.n1.abcdef0123"})
	// "triggered" is what ntfy makes of an empty message: it has the form of a
	// button, and is for the Desk to refuse.
	for _, a := range post.heard() {
		if a.Data != "g30.n1.abcdef0123" && a.Data != "triggered" {
			t.Errorf("it was heard: %q", a.Data)
		}
	}
}

func TestNtfyConfirmsWhereTheMessageWent(t *testing.T) {
	far, c, _ := openFarNtfy(t, nil)
	post := &letterbox{reply: "You have it until 03:42."}
	now := time.Now()
	far.now = func() time.Time { return now.Add(-20 * time.Minute) }
	p := &party{farSide: far, Notifier: c, to: "clinic-a-ben-81hd0", log: &lockedBuffer{}}
	old, fresh := p.page(t, post, "old"), p.page(t, post, "fresh")
	far.press(t, p.to, old.Buttons[0], false)
	far.now = func() time.Time { return now }
	far.press(t, p.to, fresh.Buttons[0], false)
	// A daemon that was started anew knows where it went from what is open.
	again, err := Open(c.s, quiet)
	if err != nil {
		t.Fatal(err)
	}
	far.hurry(again)
	defer listen(t, again.(alert.Listener), post)()
	post.waitFor(t, old.Buttons[0])
	post.waitFor(t, fresh.Buttons[0])
	eventually(t, "it is confirmed", func() bool { return len(far.shown()) > 0 })
	far.mu.Lock()
	defer far.mu.Unlock()
	confirmed := 0
	for _, m := range far.messages {
		if !m.confirmation() {
			continue
		}
		confirmed++
		if m.Topic != p.to || m.Message != post.reply {
			t.Errorf("it is confirmed to %s: %q", m.Topic, m.Message)
		}
	}
	if confirmed != 1 {
		t.Errorf("%d answers were confirmed: the one of 20 min ago was before the restart", confirmed)
	}
}

func TestNtfyTellsOnceThatNobodyIsHeard(t *testing.T) {
	far, c, log := openFarNtfy(t, nil)
	far.deny = farNtfyNoAuth
	defer listen(t, c, &letterbox{})()
	eventually(t, "it tries and tries", func() bool { far.mu.Lock(); defer far.mu.Unlock(); return len(far.asked) > 5 })
	if !strings.Contains(log.String(), "unauthorized (40101)") {
		t.Errorf("the log does not say why: %s", log)
	}
	far.mu.Lock()
	far.deny = nil
	far.mu.Unlock()
	eventually(t, "it is over", func() bool { return strings.Contains(log.String(), "heard again") })
	for text, want := range map[string]int{"level=ERROR": 1, "level=INFO": 1} {
		if n := strings.Count(log.String(), text); n != want {
			t.Errorf("%d lines of %s: %s", n, text, log)
		}
	}
}

// A router that forgot the connection lets it stand for ever.
func TestNtfyHangsUpOnAStreamWithoutALife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, c, _ := ntfyOver(t, nil)
		var asked []time.Time
		c.client.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
			asked = append(asked, time.Now())
			pr, pw := io.Pipe()
			context.AfterFunc(r.Context(), func() { pw.CloseWithError(r.Context().Err()) })
			go fmt.Fprintf(pw, `{"id":"OpenOpenOpen","time":%d,"event":"open"}`+"\n", time.Now().Unix())
			return &http.Response{StatusCode: 200, Status: "200 OK", Body: pr}, nil
		})
		ctx, cancel := context.WithTimeout(t.Context(), 7*time.Minute)
		defer cancel()
		c.Listen(ctx, &letterbox{})
		if len(asked) != 4 {
			t.Fatalf("in 7 min it asked %d times, not 4", len(asked))
		}
		for i := 1; i < len(asked); i++ {
			if d := asked[i].Sub(asked[i-1]); d != 2*time.Minute+time.Second {
				t.Errorf("it asked again after %v", d)
			}
		}
	})
}

func TestNtfyAsksAgainWhenTheServerSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, c, _ := ntfyOver(t, nil)
		start := time.Now()
		var asked []time.Duration
		c.client.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
			asked = append(asked, time.Since(start))
			if len(asked) == 1 {
				return response(429, `{"code":42903,"http":429,"error":"limit reached: too many active subscriptions"}`, "Retry-After", "90"), nil
			}
			return nil, errors.New("no route to host")
		})
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		c.Listen(ctx, &letterbox{})
		want := []time.Duration{0, 90 * time.Second, 92 * time.Second, 96 * time.Second, 104 * time.Second, 120 * time.Second, 152 * time.Second, 212 * time.Second, 272 * time.Second}
		if d := cmp.Diff(want, asked); d != "" {
			t.Error(d)
		}
	})
}

// An answer that nobody takes must not look like a stream that is fine.
func TestNtfyWaitsLongerWhileAnAnswerIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, c, log := ntfyOver(t, nil)
		asked := 0
		c.client.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
			asked++
			now := time.Now().Unix()
			return response(200, fmt.Sprintf("{\"id\":\"o\",\"time\":%d,\"event\":\"open\"}\n{\"id\":\"m\",\"time\":%d,\"event\":\"message\",\"message\":\"g30.n1.abc\"}\n", now, now)), nil
		})
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		post := &letterbox{refuse: 1 << 30}
		c.Listen(ctx, post)
		if asked != 7 || len(post.refused) != 7 {
			t.Errorf("in 2 min it asked %d times and was refused %d times, not 7", asked, len(post.refused))
		}
		if n := strings.Count(log.String(), "level=ERROR"); n != 1 {
			t.Errorf("%d errors in the log: %s", n, log)
		}
	})
}

// ntfyOver is a channel without a network: the test gives it a transport.
func ntfyOver(t *testing.T, transport http.RoundTripper) (alert.Settings, *ntfy, *lockedBuffer) {
	t.Helper()
	s := alert.Settings{Kind: "ntfy", Server: "https://ntfy.example", To: farNtfyTopic, Answers: farNtfyAnswer}
	log := &lockedBuffer{}
	n, err := Open(s, logTo(log))
	if err != nil {
		t.Fatal(err)
	}
	n.(*ntfy).client.Transport = transport
	return s, n.(*ntfy), log
}

func FuzzNtfyStream(f *testing.F) {
	f.Add([]byte("{\"id\":\"a\",\"time\":1,\"event\":\"open\"}\n{\"id\":\"b\",\"time\":2,\"event\":\"message\",\"message\":\"g30.n1.abc\"}\n"))
	f.Add([]byte("{\"id\":\"b\",\"time\":9223372036854775807,\"event\":\"message\",\"message\":\"x\"}\n{\"id\":\"c\",\"time\":-9223372036854775808,\"event\":\"message\",\"message\":\"y\"}"))
	f.Add([]byte("<!doctype html>\n"))
	f.Add([]byte("\n\n\r\n{}\n[]\nnull\n"))
	f.Add([]byte(strings.Repeat("x", 70<<10) + "\n{\"id\":\"b\",\"time\":2,\"event\":\"message\",\"message\":\"g30.n1.abc\"}\n"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		_, c, _ := ntfyOver(t, roundTrip(func(*http.Request) (*http.Response, error) { return response(200, string(stream)), nil }))
		post := &letterbox{}
		n := &ntfyStream{ntfy: c, post: post, confirm: make(chan ntfyMessageJSON, 16), heard: map[string]int64{}}
		for range 2 {
			if err := n.follow(t.Context(), func() {}); err == nil {
				t.Error("a stream that ended is no error")
			}
		}
		for _, a := range post.answers {
			if a.ID == "" || !buttonData.MatchString(a.Data) {
				t.Errorf("heard: %+v", a)
			}
		}
	})
}

// A line that is too long is not for us, and does not stop the next one.
func TestNtfyPassesOverALineThatIsTooLong(t *testing.T) {
	stream := "{\"id\":\"a\",\"time\":1,\"event\":\"open\"}\n{\"id\":\"b\",\"message\":\"" + strings.Repeat("x", 200<<10) + "\"}\n{\"id\":\"c\",\"time\":2,\"event\":\"message\",\"message\":\"g30.n1.abc\"}\n"
	_, c, _ := ntfyOver(t, roundTrip(func(*http.Request) (*http.Response, error) { return response(200, stream), nil }))
	post := &letterbox{}
	n := &ntfyStream{ntfy: c, post: post, confirm: make(chan ntfyMessageJSON, 16), heard: map[string]int64{}}
	n.follow(t.Context(), func() {})
	if len(post.answers) != 1 || post.answers[0].ID != "c" {
		t.Errorf("heard: %+v", post.answers)
	}
}
