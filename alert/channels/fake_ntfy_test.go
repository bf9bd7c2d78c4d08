package channels

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"coldkeep/alert"
)

func init() {
	farSides["ntfy"] = func(t *testing.T) farSide { return newFarNtfy(t) }
}

const (
	farNtfyToken  = "tk_daemonreadsandwrites00000000001"
	farNtfyPhone  = "tk_phonemayonlypublish000000000002"
	farNtfyTopic  = "clinic-a-anna-9f3k2"
	farNtfyAnswer = "clinic-a-answers-7d1m4"
)

// A farNtfy is an ntfy server, as of 2.11: topics that keep their messages for
// 12 h, publication as JSON and as plain text, streams, tokens with rights.
type farNtfy struct {
	*farHTTP
	now       func() time.Time
	keepalive time.Duration

	mu       sync.Mutex
	number   int
	messages []*farNtfyMessage
	streams  map[chan *farNtfyMessage]string // topic
	hangUp   chan struct{}                   // closed to cut all streams
	asked    []string                        // since= of the streams, in order
	kept     time.Duration                   // so late is a message found among those that are kept
	deny     error                           // all streams are refused with it
}

type farNtfyMessage struct {
	ID         string           `json:"id"`
	Time       int64            `json:"time"`
	Expires    int64            `json:"expires,omitempty"`
	Event      string           `json:"event"`
	Topic      string           `json:"topic"`
	Title      string           `json:"title,omitempty"`
	Message    string           `json:"message,omitempty"`
	Priority   int              `json:"priority,omitempty"`
	Tags       []string         `json:"tags,omitempty"`
	Actions    []farNtfyAction  `json:"actions,omitempty"`
	Attachment *json.RawMessage `json:"attachment,omitempty"`

	raw     []byte // as it was published
	keptAt  time.Time
	fromApp bool
}

type farNtfyAction struct {
	ID      string            `json:"id"`
	Action  string            `json:"action"`
	Label   string            `json:"label"`
	Clear   bool              `json:"clear"`
	URL     string            `json:"url,omitempty"`
	Method  string            `json:"method,omitempty"`
	Headers map[string]string `json:"headers,omitempty"`
	Body    string            `json:"body,omitempty"`
}

// A farNtfyError is as errors.go of the server has them.
type farNtfyError struct {
	Code int    `json:"code"`
	HTTP int    `json:"http"`
	Text string `json:"error"`
	Link string `json:"link,omitempty"`
}

func (e *farNtfyError) Error() string { return e.Text }

var (
	farNtfySince     = &farNtfyError{40008, 400, "invalid since parameter", "https://ntfy.sh/docs/subscribe/api/#fetch-cached-messages"}
	farNtfyNoTopic   = &farNtfyError{40009, 400, "invalid request: topic invalid", ""}
	farNtfyNoFiles   = &farNtfyError{40014, 400, "invalid request: attachments not allowed", "https://ntfy.sh/docs/config/#attachments"}
	farNtfyNoJSON    = &farNtfyError{40017, 400, "invalid request: request body must be message JSON", "https://ntfy.sh/docs/publish/#publish-as-json"}
	farNtfyActions   = &farNtfyError{40018, 400, "invalid request: actions invalid", "https://ntfy.sh/docs/publish/#action-buttons"}
	farNtfyNoAuth    = &farNtfyError{40101, 401, "unauthorized", "https://ntfy.sh/docs/publish/#authentication"}
	farNtfyForbidden = &farNtfyError{40301, 403, "forbidden", "https://ntfy.sh/docs/publish/#authentication"}
	farNtfyTooLarge  = &farNtfyError{41303, 413, "JSON body too large", ""}
	farNtfyLimit     = &farNtfyError{42901, 429, "limit reached: too many requests", "https://ntfy.sh/docs/publish/#limitations"}
	farNtfyInternal  = &farNtfyError{50001, 500, "internal server error", ""}
	farNtfyIsTopic   = regexp.MustCompile(`^[-_A-Za-z0-9]{1,64}$`)
)

func newFarNtfy(t *testing.T) *farNtfy {
	n := &farNtfy{now: time.Now, keepalive: 20 * time.Millisecond, streams: map[chan *farNtfyMessage]string{}, hangUp: make(chan struct{})}
	n.farHTTP = serveFar(t, func(*farHTTP) http.Handler { return http.HandlerFunc(n.serve) })
	return n
}

func (n *farNtfy) settings(t *testing.T) alert.Settings {
	dir := t.TempDir()
	token, answer := filepath.Join(dir, "token"), filepath.Join(dir, "answer")
	for file, secret := range map[string]string{token: farNtfyToken, answer: farNtfyPhone} {
		if err := os.WriteFile(file, []byte(secret+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return alert.Settings{Kind: "ntfy", Server: n.URL, To: farNtfyTopic, TokenFile: token, Answers: farNtfyAnswer, AnswerFile: answer}
}

func (n *farNtfy) hurry(c alert.Notifier) {
	ch := c.(*ntfy)
	ch.limit = 2 * time.Second
	ch.retry = backoff{5 * time.Millisecond, 20 * time.Millisecond}
}

func (n *farNtfy) serve(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost && r.URL.Path == "/" {
		n.sending(w, r, func() func() { return n.publishJSON(w, r) }, func(f farFault) {
			switch f {
			case farBusy:
				w.Header().Set("Retry-After", "7")
				n.error(w, farNtfyLimit)
			case farBroken:
				n.error(w, farNtfyInternal)
			case farRefuses:
				n.error(w, farNtfyForbidden)
			}
		})
		return
	}
	topic, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	switch {
	case r.Method == http.MethodPost && rest == "":
		body, err := io.ReadAll(io.LimitReader(r.Body, 4096))
		if err != nil {
			return
		}
		m := &farNtfyMessage{Topic: topic, Message: strings.TrimSpace(string(body)), fromApp: true}
		n.publish(w, r, m)()
	case r.Method == http.MethodGet && rest == "json":
		n.stream(w, r, topic)
	default:
		n.error(w, &farNtfyError{40401, 404, "page not found", ""})
	}
}

func (n *farNtfy) error(w http.ResponseWriter, e *farNtfyError) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(e.HTTP)
	json.NewEncoder(w).Encode(e)
}

// may says what a token may do: the phone's may only write answers.
func (n *farNtfy) may(r *http.Request, topic, what string) *farNtfyError {
	switch r.Header.Get("Authorization") {
	case "Bearer " + farNtfyToken:
		return nil
	case "Bearer " + farNtfyPhone:
		if topic == farNtfyAnswer && what == "write" {
			return nil
		}
		return farNtfyForbidden
	case "":
		return farNtfyForbidden
	}
	return farNtfyNoAuth
}

func (n *farNtfy) publishJSON(w http.ResponseWriter, r *http.Request) func() {
	raw, err := io.ReadAll(io.LimitReader(r.Body, 2*4096))
	if err != nil {
		return func() {}
	}
	if len(raw) >= 2*4096 {
		return func() { n.error(w, farNtfyTooLarge) }
	}
	m := &farNtfyMessage{raw: raw}
	if err := json.Unmarshal(raw, m); err != nil {
		return func() { n.error(w, farNtfyNoJSON) }
	}
	if m.ID != "" || m.Event != "" || m.Time != 0 {
		return func() { n.error(w, farNtfyNoJSON) }
	}
	return n.publish(w, r, m)
}

func (n *farNtfy) publish(w http.ResponseWriter, r *http.Request, m *farNtfyMessage) (answer func()) {
	fail := func(e *farNtfyError) func() { return func() { n.error(w, e) } }
	if !farNtfyIsTopic.MatchString(m.Topic) {
		return fail(farNtfyNoTopic)
	}
	if e := n.may(r, m.Topic, "write"); e != nil {
		return fail(e)
	}
	if len(m.Actions) > 3 {
		return fail(farNtfyActions)
	}
	for i, a := range m.Actions {
		if !slices.Contains([]string{"view", "broadcast", "http"}, a.Action) || a.Label == "" || a.URL == "" {
			return fail(farNtfyActions)
		}
		m.Actions[i].ID = fmt.Sprintf("action%04d", i)
	}
	if len(m.Message) >= 4096 || !utf8.ValidString(m.Message) { // a file, and this server keeps none
		return fail(farNtfyNoFiles)
	}
	if m.Message == "" {
		m.Message = "triggered"
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.number++
	m.ID, m.Event = fmt.Sprintf("Msg%09d", n.number), "message"
	at := n.now()
	m.Time, m.Expires, m.keptAt = at.Unix(), at.Add(12*time.Hour).Unix(), at.Add(n.kept)
	n.messages = append(n.messages, m)
	for s, topic := range n.streams {
		if topic == m.Topic {
			s <- m
		}
	}
	reply := *m
	return func() {
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(&reply)
	}
}

// since gives the messages of a topic that are kept, from an id, a time or a
// duration on; after an id that is not known, all.
func (n *farNtfy) since(topic, since string) ([]*farNtfyMessage, *farNtfyError) {
	var from int64
	after := 0
	switch at, err := strconv.ParseInt(since, 10, 64); {
	case since == "" || since == "none":
		return nil, nil
	case since == "all":
	case regexp.MustCompile(`^[A-Za-z0-9]{12}$`).MatchString(since):
		after = 1 + slices.IndexFunc(n.messages, func(m *farNtfyMessage) bool { return m.ID == since })
	case err == nil:
		from = at
	default:
		d, err := time.ParseDuration(since)
		if err != nil {
			return nil, farNtfySince
		}
		from = n.now().Add(-d).Unix()
	}
	var found []*farNtfyMessage
	for _, m := range n.messages[after:] {
		if m.Topic == topic && m.Time >= from && m.Expires > n.now().Unix() && !m.keptAt.After(n.now()) {
			found = append(found, m)
		}
	}
	return found, nil
}

func (n *farNtfy) stream(w http.ResponseWriter, r *http.Request, topic string) {
	if e := n.may(r, topic, "read"); e != nil {
		n.error(w, e)
		return
	}
	n.mu.Lock()
	n.asked = append(n.asked, r.URL.Query().Get("since"))
	if n.deny != nil {
		e := n.deny.(*farNtfyError)
		n.mu.Unlock()
		n.error(w, e)
		return
	}
	old, fault := n.since(topic, r.URL.Query().Get("since"))
	if fault != nil {
		n.mu.Unlock()
		n.error(w, fault)
		return
	}
	live := make(chan *farNtfyMessage, 1000)
	n.streams[live] = topic
	hangUp := n.hangUp
	n.mu.Unlock()
	defer func() {
		n.mu.Lock()
		delete(n.streams, live)
		n.mu.Unlock()
	}()
	w.Header().Set("Content-Type", "application/x-ndjson; charset=utf-8")
	flush := http.NewResponseController(w)
	tell := func(m *farNtfyMessage) bool {
		return json.NewEncoder(w).Encode(m) == nil && flush.Flush() == nil
	}
	if !tell(&farNtfyMessage{ID: "OpenOpenOpen", Time: n.now().Unix(), Event: "open", Topic: topic}) {
		return
	}
	for _, m := range old {
		if !tell(m) {
			return
		}
	}
	alive := time.NewTicker(n.keepalive)
	defer alive.Stop()
	for {
		select {
		case <-r.Context().Done():
			return
		case <-n.gone:
			return
		case <-hangUp:
			drop(w)
			return
		case m := <-live:
			if !tell(m) {
				return
			}
		case <-alive.C:
			if !tell(&farNtfyMessage{ID: "AliveAlive12", Time: n.now().Unix(), Event: "keepalive", Topic: topic}) {
				return
			}
		}
	}
}

// cutStreams cuts all streams, as the internet does.
func (n *farNtfy) cutStreams() {
	n.mu.Lock()
	defer n.mu.Unlock()
	close(n.hangUp)
	n.hangUp = make(chan struct{})
}

// confirmation says whether a message is the quiet one to who answered.
func (m *farNtfyMessage) confirmation() bool {
	return m.Title == "" && m.Priority == 2 && m.Actions == nil && !m.fromApp
}

func (n *farNtfy) took() (took []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, m := range n.messages {
		if !m.fromApp && !m.confirmation() {
			took = append(took, m.Title+"\n"+m.Message)
		}
	}
	return took
}

func (n *farNtfy) shown() (shown []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, m := range n.messages {
		if m.confirmation() {
			shown = append(shown, m.Message)
		}
	}
	return shown
}

// message is the newest of a topic with a button.
func (n *farNtfy) message(t *testing.T, topic string, button alert.Button) (*farNtfyMessage, farNtfyAction) {
	t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, m := range slices.Backward(n.messages) {
		for _, a := range m.Actions {
			if m.Topic == topic && a.Label == button.Text && a.Body == button.Data {
				return m, a
			}
		}
	}
	t.Fatalf("no message to %s has the button %+v", topic, button)
	return nil, farNtfyAction{}
}

// press does what the phone does with an http action. An answer comes a second
// time when the stream breaks after it.
func (n *farNtfy) press(t *testing.T, to string, button alert.Button, twice bool) {
	t.Helper()
	_, a := n.message(t, to, button)
	r, err := http.NewRequest(a.Method, a.URL, strings.NewReader(a.Body))
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range a.Headers {
		r.Header.Set(k, v)
	}
	resp, err := n.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("the phone published an answer, and the server says %s", resp.Status)
	}
	if twice {
		n.mu.Lock()
		m := n.messages[len(n.messages)-1]
		for s, topic := range n.streams {
			if topic == m.Topic {
				s <- m
			}
		}
		n.mu.Unlock()
		n.cutStreams()
	}
}
