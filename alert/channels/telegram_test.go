package channels

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"coldkeep/alert"
)

func openFarTelegram(t *testing.T) (*farTelegram, *telegram, *lockedBuffer) {
	t.Helper()
	far := newFarTelegram(t)
	t.Cleanup(far.close)
	log := &lockedBuffer{}
	n, err := Open(far.settings(t), logTo(log))
	if err != nil {
		t.Fatal(err)
	}
	far.hurry(n)
	return far, n.(*telegram), log
}

func TestTelegramSendsThisJSON(t *testing.T) {
	far, c, _ := openFarTelegram(t)
	m := sample("")
	receipt, err := c.Notify(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	if receipt != farTelegramAnna+":1" {
		t.Errorf("the receipt is %q", receipt)
	}
	row := func(label, data string) any { return []any{map[string]any{"text": label, "callback_data": data}} }
	want := map[string]any{"chat_id": farTelegramAnna, "text": m.Title + "\n\n" + m.Body, "reply_markup": map[string]any{"inline_keyboard": []any{
		row("Going, 30 min", "g30.n1.abcdef0123"), row("Can't: call next", "no.n1.abcdef0123"), row("Status", "st.n1.abcdef0123")}}}
	if d := cmp.Diff(want, far.messages[0].raw); d != "" {
		t.Error(d)
	}
}

func TestTelegramIsSilentWhereNobodyMustWake(t *testing.T) {
	far, c, _ := openFarTelegram(t)
	for i, x := range []struct {
		purpose alert.Purpose
		silent  bool
	}{{alert.Page, false}, {alert.Test, false}, {alert.Notice, false}, {alert.Taken, false}, {alert.Turning, false}, {alert.Worse, false}, {alert.Status, false}, {alert.Progress, true}, {alert.AllClear, true}, {alert.Tested, true}} {
		m := sample("")
		m.Purpose = x.purpose
		if _, err := c.Notify(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		if far.messages[i].silent != x.silent {
			t.Errorf("%s: silent %v", x.purpose, far.messages[i].silent)
		}
	}
}

// A button that Telegram refuses would take the page with it.
func TestTelegramLeavesOutABadButton(t *testing.T) {
	far, c, _ := openFarTelegram(t)
	m := sample("")
	m.Buttons = []alert.Button{{Text: "", Data: "a"}, {Text: "b", Data: strings.Repeat("x", 65)}, {Text: "c", Data: ""}, {Text: "d", Data: strings.Repeat("x", 64)}}
	if _, err := c.Notify(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if b := far.messages[0].buttons; len(b) != 1 || b[0].Text != "d" {
		t.Errorf("the buttons are %+v", b)
	}
}

func TestTelegramSettingsAreChecked(t *testing.T) {
	for _, c := range []struct {
		s    alert.Settings
		want string
	}{
		{alert.Settings{}, "token file"},
		{alert.Settings{TokenFile: "token", To: "Anna Example"}, "no chat"},
		{alert.Settings{TokenFile: "token", Server: "api.telegram.org"}, "https://"},
	} {
		c.s.Kind = "telegram"
		if _, err := Open(c.s, quiet); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, without %q", c.s, err, c.want)
		}
	}
	n, err := Open(alert.Settings{Kind: "telegram", TokenFile: secretFile(t, "not/a token"), To: "1"}, quiet)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.Notify(t.Context(), sample("")); err == nil || !strings.Contains(err.Error(), "no bot's token") || strings.Contains(err.Error(), "not/a") {
		t.Errorf("%v", err)
	}
	_, c, _ := openFarTelegram(t)
	if _, err := c.Notify(t.Context(), sample("Anna")); err == nil || strings.Contains(err.Error(), "answered") {
		t.Errorf("to Anna: %v", err)
	}
}

func TestTelegramTellsWhatTheServerSays(t *testing.T) {
	for _, x := range []struct {
		fault farFault
		want  string
		after time.Duration
	}{
		{farBusy, "Telegram answered 429 Too Many Requests: Too Many Requests: retry after 7", 7 * time.Second},
		{farBroken, "Telegram answered 502 Bad Gateway: <html><body>502 Bad Gateway: /bot(secret)/sendMessage</body></html>", 0},
		{farRefuses, "Telegram answered 403 Forbidden: Forbidden: bot was blocked by the user", 0},
	} {
		far, c, _ := openFarTelegram(t)
		far.fail(x.fault)
		_, err := c.Notify(t.Context(), sample(""))
		if err == nil || err.Error() != x.want {
			t.Errorf("%s: %v", x.fault, err)
		}
		if e, ok := errors.AsType[*alert.TemporaryError](err); ok && e.After != x.after {
			t.Errorf("%s: after %v", x.fault, e.After)
		}
	}
	_, c, _ := openFarTelegram(t)
	if _, err := c.Notify(t.Context(), sample("123")); err == nil || !strings.Contains(err.Error(), "chat not found") {
		t.Errorf("%v", err)
	}
	c.client.Transport = roundTrip(func(*http.Request) (*http.Response, error) {
		return response(400, `{"ok":false,"error_code":400,"description":"Bad Request: group chat was upgraded to a supergroup chat","parameters":{"migrate_to_chat_id":-1001234}}`), nil
	})
	if _, err := c.Notify(t.Context(), sample("-1009000")); err == nil || !strings.Contains(err.Error(), "the group's chat is -1001234 now") {
		t.Errorf("%v", err)
	}
}

func TestTelegramDoesNotTakeAStrangersSuccess(t *testing.T) {
	_, c, _ := openFarTelegram(t)
	for _, body := range []string{"<html>", `{"ok":true}`, `{"ok":true,"result":true}`, `{"ok":true,"result":{}}`, `{"ok":false}`, `{}`} {
		c.client.Transport = roundTrip(func(*http.Request) (*http.Response, error) { return response(200, body), nil })
		_, err := c.Notify(t.Context(), sample(""))
		if _, ok := errors.AsType[*alert.UnknownError](err); !ok {
			t.Errorf("%s: %v", body, err)
		}
	}
}

// Who answered is told in the app, and the buttons go once nothing is to be
// answered any more.
func TestTelegramTakesTheButtonsAway(t *testing.T) {
	far, c, _ := openFarTelegram(t)
	post := &letterbox{reply: strings.Repeat("You have it. ", 30)}
	p := &party{farSide: far, Notifier: c, to: farTelegramAnna, log: &lockedBuffer{}}
	m := p.page(t, post, "one")
	defer listen(t, c, post)()
	far.press(t, p.to, m.Buttons[2], false)
	post.waitFor(t, m.Buttons[2])
	eventually(t, "it is answered", func() bool { return len(far.shown()) == 1 })
	if got := far.shown()[0]; utf8.RuneCountInString(got) != 200 {
		t.Errorf("%d characters are shown", utf8.RuneCountInString(got))
	}
	post.mu.Lock()
	post.sent = nil // now somebody has it
	post.mu.Unlock()
	far.press(t, p.to, m.Buttons[0], false) // so the buttons are there still
	post.waitFor(t, m.Buttons[0])
	eventually(t, "the buttons are gone", func() bool { far.mu.Lock(); defer far.mu.Unlock(); return far.messages[0].buttons == nil })
	want := alert.Answer{Channel: "telegram", From: farTelegramAnna, Data: m.Buttons[0].Data}
	if d := cmp.Diff(want, post.heard()[1], cmp.FilterPath(func(p cmp.Path) bool { return slices.Contains([]string{"ID", "At"}, p.Last().String()[1:]) }, cmp.Ignore())); d != "" {
		t.Error(d)
	}
}

func TestTelegramCancels(t *testing.T) {
	far, c, _ := openFarTelegram(t)
	receipt, err := c.Notify(t.Context(), sample(""))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []string{receipt, receipt, farTelegramAnna + ":99"} { // once more, and one that is deleted
		if err := c.Cancel(t.Context(), r); err != nil {
			t.Errorf("%s: %v", r, err)
		}
	}
	if far.messages[0].buttons != nil {
		t.Error("the buttons are still there")
	}
	for _, bad := range []string{"", "1", "a:1", "1:99999999999999999999"} {
		if err := c.Cancel(t.Context(), bad); err == nil {
			t.Errorf("%q is cancelled", bad)
		}
	}
	far.close()
	if err := c.Cancel(t.Context(), receipt); err == nil {
		t.Error("it is cancelled while nobody is there")
	}
}

func TestTelegramHearsWhatPeopleWrite(t *testing.T) {
	far, c, log := openFarTelegram(t)
	post := &letterbox{reply: "Fridge 1 9.4 °C."}
	far.write(90210001, "status")
	far.write(555, "/start")
	defer listen(t, c, post)()
	eventually(t, "both are heard", func() bool { return len(post.heard()) == 2 })
	a := post.heard()[0]
	if a.From != farTelegramAnna || a.Text != "status" || a.Data != "" || a.ID == post.heard()[1].ID || !strings.HasPrefix(a.ID, farTelegramAnna+":") {
		t.Errorf("heard: %+v", a)
	}
	eventually(t, "the reply is written", func() bool { return slices.Contains(far.shown(), post.reply) })
	if !strings.Contains(log.String(), "chat=555") {
		t.Errorf("the log does not tell the new person's chat: %s", log)
	}
}

// The phone waits for its reply for seconds only. Who pressed while the daemon
// was down is told by a message.
func TestTelegramRepliesLateByAMessage(t *testing.T) {
	far, c, _ := openFarTelegram(t)
	post := &letterbox{reply: "You have it until 03:42."}
	p := &party{farSide: far, Notifier: c, to: farTelegramAnna, log: &lockedBuffer{}}
	m := p.page(t, post, "late")
	far.press(t, p.to, m.Buttons[0], false)
	far.mu.Lock()
	clear(far.queries)
	far.mu.Unlock()
	defer listen(t, c, post)()
	eventually(t, "the reply is written", func() bool { far.mu.Lock(); defer far.mu.Unlock(); return slices.Contains(far.said, post.reply) })
}

// What was heard is confirmed at the end: the next start does not hear it again.
func TestTelegramConfirmsWhatItHeard(t *testing.T) {
	far, c, _ := openFarTelegram(t)
	post := &letterbox{}
	p := &party{farSide: far, Notifier: c, to: farTelegramAnna, log: &lockedBuffer{}}
	m := p.page(t, post, "last")
	// The context ends as soon as the answer is heard, before the next poll.
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	far.press(t, p.to, m.Buttons[0], false)
	c.Listen(ctx, endingPost{post, cancel})
	far.mu.Lock()
	defer far.mu.Unlock()
	if len(far.updates) != 0 {
		t.Errorf("%d updates wait to be heard again", len(far.updates))
	}
}

// An endingPost ends the listening at the first answer.
type endingPost struct {
	*letterbox
	cancel func()
}

func (p endingPost) Hear(ctx context.Context, a alert.Answer) (string, error) {
	defer p.cancel()
	return p.letterbox.Hear(ctx, a)
}

// One answer is not taken: those before it are not heard again, those behind
// it are.
func TestTelegramFetchesAgainFromTheOneThatWasNotTaken(t *testing.T) {
	far, c, _ := openFarTelegram(t)
	far.write(90210001, "one")
	far.write(90210001, "two")
	far.write(90210001, "three")
	post := &oncePost{bad: "two"}
	defer listen(t, c, post)()
	eventually(t, "all are heard", func() bool { return len(post.texts()) == 4 })
	if d := cmp.Diff([]string{"one", "two", "two", "three"}, post.texts()); d != "" {
		t.Error(d)
	}
}

// A oncePost refuses a text the first time.
type oncePost struct {
	letterbox
	bad   string
	heard []string
}

func (p *oncePost) Hear(_ context.Context, a alert.Answer) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.heard = append(p.heard, a.Text)
	if a.Text == p.bad {
		p.bad = ""
		return "", errNotTaken
	}
	return "", nil
}

func (p *oncePost) texts() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.heard)
}

func TestTelegramTellsThatSomebodyElseListens(t *testing.T) {
	far, c, log := openFarTelegram(t)
	far.webhook = true
	defer listen(t, c, &letterbox{})()
	eventually(t, "the log tells", func() bool { return strings.Contains(log.String(), "level=ERROR") })
	for _, want := range []string{"a daemon needs a bot of its own", "webhook is active"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("without %q: %s", want, log)
		}
	}
}

func TestTelegramWaitsAsLongAsItIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, err := Open(alert.Settings{Kind: "telegram", TokenFile: secretFile(t, farTelegramToken)}, quiet)
		if err != nil {
			t.Fatal(err)
		}
		c := n.(*telegram)
		start := time.Now()
		var asked []time.Duration
		c.client.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
			asked = append(asked, time.Since(start))
			switch len(asked) {
			case 1:
				return response(429, `{"ok":false,"error_code":429,"description":"Too Many Requests: retry after 30","parameters":{"retry_after":30}}`), nil
			case 2: // the poll that nothing comes of
				time.Sleep(50 * time.Second)
				return response(200, `{"ok":true,"result":[]}`), nil
			case 3: // the router that forgot the connection
				<-r.Context().Done()
				return nil, r.Context().Err()
			}
			return nil, errors.New("no route to host")
		})
		ctx, cancel := context.WithTimeout(t.Context(), 158*time.Second)
		defer cancel()
		c.Listen(ctx, &letterbox{})
		want := []time.Duration{0, 30 * time.Second, 80 * time.Second, 146 * time.Second, 148 * time.Second, 152 * time.Second}
		if d := cmp.Diff(want, asked); d != "" {
			t.Error(d)
		}
	})
}

func TestTelegramCutsInUTF16(t *testing.T) {
	for _, x := range []struct {
		in   string
		n    int
		want string
	}{
		{"abc", 3, "abc"}, {"abcd", 3, "ab…"}, {"😀😀", 4, "😀😀"}, {"😀😀", 3, "😀…"}, {"a😀", 2, "a…"}, {"€€€", 2, "€…"}, {"", 1, ""},
	} {
		if got := cutUTF16(x.in, x.n); got != x.want {
			t.Errorf("%q to %d: %q, not %q", x.in, x.n, got, x.want)
		}
	}
	long := cutUTF16(strings.Repeat("😀", 5000), telegramText)
	if n := len(utf16.Encode([]rune(long))); n > telegramText || n < telegramText-1 {
		t.Errorf("%d units are left", n)
	}
}

func FuzzTelegramUpdates(f *testing.F) {
	f.Add([]byte(`{"ok":true,"result":[{"update_id":7,"callback_query":{"id":"9","from":{"id":5},"message":{"message_id":3,"chat":{"id":5},"date":1},"data":"g30.n1.abc"}}]}`))
	f.Add([]byte(`{"ok":true,"result":[{"update_id":7,"message":{"message_id":3,"chat":{"id":-5},"date":1,"text":"status"}}]}`))
	f.Add([]byte(`{"ok":true,"result":[{"update_id":9223372036854775807,"callback_query":{"id":"","data":" "}},{"update_id":1}]}`))
	f.Add([]byte(`{"ok":true,"result":[null,{}]}`))
	f.Add([]byte(`{"ok":false,"error_code":409,"description":"Conflict"}`))
	f.Add([]byte(`{"ok":true,"result":{}}`))
	file := secretFile(f, farTelegramToken)
	f.Fuzz(func(t *testing.T, body []byte) {
		n, err := Open(alert.Settings{Kind: "telegram", TokenFile: file}, quiet)
		if err != nil {
			t.Fatal(err)
		}
		c := n.(*telegram)
		c.client.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
			if !strings.HasSuffix(r.URL.Path, "/getUpdates") {
				return response(400, `{"ok":false,"error_code":400,"description":"Bad Request"}`), nil
			}
			return response(200, string(body)), nil
		})
		post := &letterbox{}
		box := &telegramBox{telegram: c, post: post}
		_ = box.fetch(t.Context(), func() {}) // that it ends, and what was heard, is what counts
		for _, a := range post.answers {
			if a.Data != "" && !buttonData.MatchString(a.Data) || a.Data == "" && a.Text == "" || a.From == "" || a.ID == "" {
				t.Errorf("heard: %+v", a)
			}
		}
	})
}

// An answer is 64 bytes of data at most, and the rest of a message is
// Telegram's: the JSON is read as it is, also with what is not known.
func TestTelegramReadsAnInaccessibleMessage(t *testing.T) {
	var u telegramUpdate
	if err := json.Unmarshal([]byte(`{"update_id":1,"callback_query":{"id":"2","from":{"id":3,"is_bot":false},"message":{"chat":{"id":-4,"type":"group"},"message_id":5,"date":0},"chat_instance":"6","data":"x"}}`), &u); err != nil {
		t.Fatal(err)
	}
	post := &letterbox{}
	_, c, _ := openFarTelegram(t)
	box := &telegramBox{telegram: c, post: post}
	if _, err := box.hear(t.Context(), u); err != nil {
		t.Fatal(err)
	}
	if a := post.answers[0]; a.From != "-4" || a.ID != "2" {
		t.Errorf("heard: %s", fmt.Sprintf("%+v", a))
	}
}
