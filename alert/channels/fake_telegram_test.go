package channels

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf16"

	"coldkeep/alert"
)

func init() {
	farSides["telegram"] = func(t *testing.T) farSide { return newFarTelegram(t) }
}

const (
	farTelegramToken = "4200000001:AAcoldkeep_coldkeep-coldkeep_00001"
	farTelegramAnna  = "90210001" // a person's chat has the person's number
)

// A farTelegram is the Bot API for one bot.
type farTelegram struct {
	*farHTTP

	mu       sync.Mutex
	messages []*farTelegramMessage
	updates  []map[string]any // that are not confirmed
	next     int64            // update_id
	queries  map[string]bool  // callback queries that wait to be answered
	queryID  int
	answers  []string      // what pressing people were shown
	said     []string      // quiet messages that answer what people wrote or pressed long ago
	changed  chan struct{} // closed at a new update
	poller   chan struct{} // closed to end a long poll that another one replaces
	webhook  bool
	busy     int // so many polls are answered with 429
	polls    []map[string]any
}

type farTelegramMessage struct {
	chat    string
	id      int64
	text    string
	silent  bool
	buttons []telegramButton
	raw     map[string]any
}

func newFarTelegram(t *testing.T) *farTelegram {
	f := &farTelegram{next: 700100, queries: map[string]bool{}, changed: make(chan struct{})}
	f.farHTTP = serveFar(t, func(*farHTTP) http.Handler { return http.HandlerFunc(f.serve) })
	return f
}

func (f *farTelegram) settings(t *testing.T) alert.Settings {
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(farTelegramToken+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return alert.Settings{Kind: "telegram", Server: f.URL, To: farTelegramAnna, TokenFile: file}
}

func (f *farTelegram) hurry(n alert.Notifier) {
	c := n.(*telegram)
	c.limit, c.poll = 2*time.Second, time.Second
	c.retry = backoff{5 * time.Millisecond, 20 * time.Millisecond}
}

func (f *farTelegram) ok(w http.ResponseWriter, result any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(map[string]any{"ok": true, "result": result})
}

func (f *farTelegram) wrong(w http.ResponseWriter, code int, description string, parameters map[string]any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	body := map[string]any{"ok": false, "error_code": code, "description": description}
	if parameters != nil {
		body["parameters"] = parameters
	}
	json.NewEncoder(w).Encode(body)
}

func (f *farTelegram) serve(w http.ResponseWriter, r *http.Request) {
	method, ok := strings.CutPrefix(r.URL.Path, "/bot"+farTelegramToken+"/")
	if !ok {
		f.wrong(w, 401, "Unauthorized", nil)
		return
	}
	var p map[string]any
	d := json.NewDecoder(r.Body)
	d.UseNumber()
	if err := d.Decode(&p); err != nil {
		f.wrong(w, 400, "Bad Request: can't parse JSON object", nil)
		return
	}
	switch method {
	case "sendMessage":
		if _, buttons := p["reply_markup"]; !buttons && p["disable_notification"] == true && !strings.Contains(text(p, "text"), "\n\n") {
			f.send(w, p, true)() // what answers a person is not what faults are tried on
			return
		}
		f.sending(w, r, func() func() { return f.send(w, p, false) }, func(fault farFault) {
			switch fault {
			case farBusy:
				f.wrong(w, 429, "Too Many Requests: retry after 7", map[string]any{"retry_after": 7})
			case farBroken:
				http.Error(w, "<html><body>502 Bad Gateway: "+r.URL.Path+"</body></html>", http.StatusBadGateway)
			case farRefuses:
				f.wrong(w, 403, "Forbidden: bot was blocked by the user", nil)
			}
		})
	case "getUpdates":
		f.poll(w, r, p)
	case "answerCallbackQuery":
		f.mu.Lock()
		id := text(p, "callback_query_id")
		waits := f.queries[id]
		delete(f.queries, id)
		if waits {
			f.answers = append(f.answers, text(p, "text"))
		}
		f.mu.Unlock()
		switch {
		case len([]rune(text(p, "text"))) > 200:
			f.wrong(w, 400, "Bad Request: MESSAGE_TOO_LONG", nil)
		case !waits:
			f.wrong(w, 400, "Bad Request: query is too old and response timeout expired or query ID is invalid", nil)
		default:
			f.ok(w, true)
		}
	case "editMessageReplyMarkup":
		f.mu.Lock()
		m := f.find(text(p, "chat_id"), number(p, "message_id"))
		had := m != nil && m.buttons != nil
		if had {
			m.buttons = nil
		}
		f.mu.Unlock()
		switch {
		case m == nil:
			f.wrong(w, 400, "Bad Request: message to edit not found", nil)
		case !had:
			f.wrong(w, 400, "Bad Request: message is not modified: specified new message content and reply markup are exactly the same as a current content and reply markup of the message", nil)
		default:
			f.ok(w, map[string]any{"message_id": m.id})
		}
	default:
		f.wrong(w, 404, "Not Found", nil)
	}
}

func text(p map[string]any, key string) string {
	s, _ := p[key].(string)
	return s
}

func number(p map[string]any, key string) int64 {
	n, _ := p[key].(json.Number)
	i, err := n.Int64()
	if err != nil {
		return -1
	}
	return i
}

func (f *farTelegram) find(chat string, id int64) *farTelegramMessage {
	for _, m := range f.messages {
		if m.chat == chat && m.id == id {
			return m
		}
	}
	return nil
}

func (f *farTelegram) send(w http.ResponseWriter, p map[string]any, reply bool) (answer func()) {
	wrong := func(description string) func() { return func() { f.wrong(w, 400, description, nil) } }
	m := &farTelegramMessage{chat: text(p, "chat_id"), text: strings.TrimSpace(text(p, "text")), silent: p["disable_notification"] == true, raw: p}
	switch {
	case m.chat != farTelegramAnna && m.chat != "-1009000":
		return wrong("Bad Request: chat not found")
	case m.text == "":
		return wrong("Bad Request: message text is empty")
	case len(utf16.Encode([]rune(text(p, "text")))) > 4096:
		return wrong("Bad Request: message is too long")
	}
	if markup, ok := p["reply_markup"].(map[string]any); ok {
		rows, _ := markup["inline_keyboard"].([]any)
		for _, row := range rows {
			for _, b := range row.([]any) {
				button := telegramButton{text(b.(map[string]any), "text"), text(b.(map[string]any), "callback_data")}
				if button.Text == "" {
					return wrong("Bad Request: text buttons are unallowed in the inline keyboard")
				}
				if len(button.Data) < 1 || len(button.Data) > 64 {
					return wrong("Bad Request: BUTTON_DATA_INVALID")
				}
				m.buttons = append(m.buttons, button)
			}
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if reply {
		f.said = append(f.said, m.text)
	}
	m.id = int64(len(f.messages) + 1)
	f.messages = append(f.messages, m)
	result := f.message(m)
	return func() { f.ok(w, result) }
}

func (f *farTelegram) message(m *farTelegramMessage) map[string]any {
	chat, err := strconv.ParseInt(m.chat, 10, 64)
	if err != nil {
		panic(err)
	}
	return map[string]any{"message_id": m.id, "date": time.Now().Unix(), "text": m.text, "chat": map[string]any{"id": chat, "type": "private"},
		"from": map[string]any{"id": int64(4200000001), "is_bot": true, "first_name": "coldkeep"}}
}

// poll is getUpdates: it confirms what lies before the offset, and waits for
// what comes. A second poll ends the first.
func (f *farTelegram) poll(w http.ResponseWriter, r *http.Request, p map[string]any) {
	f.mu.Lock()
	f.polls = append(f.polls, p)
	if f.busy > 0 {
		f.busy--
		f.mu.Unlock()
		f.wrong(w, 429, "Too Many Requests: retry after 1", map[string]any{"retry_after": 1})
		return
	}
	if f.webhook {
		f.mu.Unlock()
		f.wrong(w, 409, "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first", nil)
		return
	}
	if f.poller != nil {
		close(f.poller)
	}
	mine := make(chan struct{})
	f.poller = mine
	offset, limit := number(p, "offset"), number(p, "limit")
	if offset > 0 {
		f.updates = slices.DeleteFunc(f.updates, func(u map[string]any) bool { return u["update_id"].(int64) < offset })
	}
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		if f.poller == mine {
			f.poller = nil
		}
		f.mu.Unlock()
	}()
	timeout := time.NewTimer(time.Duration(number(p, "timeout")) * time.Second)
	defer timeout.Stop()
	for {
		f.mu.Lock()
		var found []map[string]any
		for _, u := range f.updates {
			kinds, _ := p["allowed_updates"].([]any)
			for _, kind := range kinds {
				if _, ok := u[kind.(string)]; ok && int64(len(found)) < limit {
					found = append(found, u)
				}
			}
		}
		changed := f.changed
		f.mu.Unlock()
		if len(found) > 0 {
			f.ok(w, found)
			return
		}
		select {
		case <-changed:
		case <-timeout.C:
			f.ok(w, []any{})
			return
		case <-mine:
			f.wrong(w, 409, "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running", nil)
			return
		case <-r.Context().Done():
			return
		case <-f.gone:
			return
		}
	}
}

// update puts something that happened in the bot's queue.
func (f *farTelegram) update(kind string, what any) {
	f.next++
	f.updates = append(f.updates, map[string]any{"update_id": f.next, kind: what})
	close(f.changed)
	f.changed = make(chan struct{})
}

func (f *farTelegram) press(t *testing.T, to string, button alert.Button, twice bool) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range slices.Backward(f.messages) {
		if m.chat != to || !slices.Contains(m.buttons, telegramButton(button)) {
			continue
		}
		f.queryID++
		id := fmt.Sprintf("3879170000%08d", f.queryID)
		f.queries[id] = true
		person, err := strconv.ParseInt(farTelegramAnna, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		query := map[string]any{"id": id, "from": map[string]any{"id": person, "is_bot": false, "first_name": "Anna"},
			"message": f.message(m), "chat_instance": "-77", "data": button.Data}
		f.update("callback_query", query)
		if twice {
			f.update("callback_query", query)
		}
		return
	}
	t.Fatalf("no message to %s has the button %+v", to, button)
}

// write lets a person write to the bot.
func (f *farTelegram) write(chat int64, words string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.update("message", map[string]any{"message_id": 5000 + f.next, "date": time.Now().Unix(), "text": words,
		"chat": map[string]any{"id": chat, "type": "private"}, "from": map[string]any{"id": chat, "is_bot": false, "first_name": "Anna"}})
}

func (f *farTelegram) took() (took []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range f.messages {
		if !slices.Contains(f.said, m.text) {
			took = append(took, m.text)
		}
	}
	return took
}

func (f *farTelegram) shown() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append(slices.Clone(f.answers), f.said...)
}
