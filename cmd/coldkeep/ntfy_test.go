package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// An ntfyServer is as much of ntfy as phones and the daemon use: topics that
// keep their messages, publication as JSON and as plain text, streams with
// since= and keepalives, three actions at most.
type ntfyServer struct {
	*httptest.Server
	mu      sync.Mutex
	list    []*pushed
	streams map[chan *pushed]string // topic
	closed  chan struct{}
	slow    time.Duration // so long after it was taken a publication is answered
}

// A pushed is a message on a topic.
type pushed struct {
	ID       string       `json:"id"`
	Time     int64        `json:"time"`
	Event    string       `json:"event"`
	Topic    string       `json:"topic"`
	Title    string       `json:"title,omitempty"`
	Message  string       `json:"message,omitempty"`
	Priority int          `json:"priority,omitempty"`
	Tags     []string     `json:"tags,omitempty"`
	Actions  []pushButton `json:"actions,omitempty"`

	at time.Time
}

type pushButton struct {
	Action  string            `json:"action"`
	Label   string            `json:"label"`
	URL     string            `json:"url"`
	Method  string            `json:"method"`
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body"`
	Clear   bool              `json:"clear"`
}

// notification is the id of the notification whose buttons the message has.
func (p *pushed) notification() string {
	if len(p.Actions) == 0 {
		return ""
	}
	f := strings.Split(p.Actions[0].Body, ".")
	return f[1]
}

// repeat says whether the message says that it may have come before.
func (p *pushed) repeat() bool {
	return strings.Contains(p.Message, "You may have had this message before.")
}

var pushTopic = regexp.MustCompile(`^[-_A-Za-z0-9]{1,64}$`)

func startNtfy(t testing.TB) *ntfyServer {
	n := &ntfyServer{streams: map[chan *pushed]string{}, closed: make(chan struct{})}
	n.Server = httptest.NewServer(n)
	t.Cleanup(func() {
		close(n.closed)
		n.CloseClientConnections()
		n.Close()
	})
	return n
}

func (n *ntfyServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	topic, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	switch {
	case r.Method == http.MethodPost && r.URL.Path == "/":
		m := &pushed{}
		if err := json.NewDecoder(io.LimitReader(r.Body, 8192)).Decode(m); err != nil {
			ntfyError(w, 400, 40017, "invalid request: request body must be message JSON")
			return
		}
		n.publish(w, m)
	case r.Method == http.MethodPost && rest == "":
		b, err := io.ReadAll(io.LimitReader(r.Body, 8192))
		if err != nil {
			ntfyError(w, 400, 40001, "invalid request")
			return
		}
		n.publish(w, &pushed{Topic: topic, Message: string(b)})
	case r.Method == http.MethodGet && rest == "json":
		n.stream(w, r, topic)
	default:
		ntfyError(w, 404, 40401, "page not found")
	}
}

func ntfyError(w http.ResponseWriter, status, code int, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"code":%d,"http":%d,"error":%q}`+"\n", code, status, text)
}

func (n *ntfyServer) publish(w http.ResponseWriter, m *pushed) {
	switch {
	case !pushTopic.MatchString(m.Topic):
		ntfyError(w, 400, 40009, "invalid request: topic invalid")
		return
	case len(m.Actions) > 3:
		ntfyError(w, 400, 40018, "invalid request: actions invalid")
		return
	case len(m.Message) >= 4096:
		ntfyError(w, 400, 40014, "invalid request: attachments not allowed")
		return
	}
	n.mu.Lock()
	m.at = time.Now()
	m.ID, m.Event, m.Time = fmt.Sprintf("Msg%09d", len(n.list)), "message", m.at.Unix()
	n.list = append(n.list, m)
	for s, topic := range n.streams {
		if topic == m.Topic {
			s <- m
		}
	}
	slow := n.slow
	n.mu.Unlock()
	time.Sleep(slow)
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(m) // whoever hung up hears nothing
}

// stream tells what is kept since an instant, and what comes.
func (n *ntfyServer) stream(w http.ResponseWriter, r *http.Request, topic string) {
	since := r.URL.Query().Get("since")
	from, err := strconv.ParseInt(since, 10, 64)
	if span, bad := time.ParseDuration(since); err != nil && bad == nil {
		from, err = time.Now().Add(-span).Unix(), nil
	}
	if err != nil {
		ntfyError(w, 400, 40008, "invalid since parameter")
		return
	}
	n.mu.Lock()
	var kept []*pushed
	for _, m := range n.list {
		if m.Topic == topic && m.Time >= from {
			kept = append(kept, m)
		}
	}
	live := make(chan *pushed, 1000)
	n.streams[live] = topic
	n.mu.Unlock()
	defer func() {
		n.mu.Lock()
		delete(n.streams, live)
		n.mu.Unlock()
	}()
	flush := http.NewResponseController(w)
	tell := func(m *pushed) bool { return json.NewEncoder(w).Encode(m) == nil && flush.Flush() == nil }
	if !tell(&pushed{ID: "Open00000000", Time: time.Now().Unix(), Event: "open", Topic: topic}) {
		return
	}
	for _, m := range kept {
		if !tell(m) {
			return
		}
	}
	alive := time.NewTicker(time.Second)
	defer alive.Stop()
	for {
		select {
		case <-r.Context().Done():
			return
		case <-n.closed:
			return
		case m := <-live:
			if !tell(m) {
				return
			}
		case <-alive.C:
			if !tell(&pushed{ID: "Alive0000000", Time: time.Now().Unix(), Event: "keepalive", Topic: topic}) {
				return
			}
		}
	}
}

// on gives what came on a topic, in order.
func (n *ntfyServer) on(topic string) (list []*pushed) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, m := range n.list {
		if m.Topic == topic {
			list = append(list, m)
		}
	}
	return list
}

// await waits for a message on a topic.
func (n *ntfyServer) await(t testing.TB, topic, what string, within time.Duration, fits func(*pushed) bool) *pushed {
	t.Helper()
	for end := time.Now().Add(within); ; time.Sleep(5 * time.Millisecond) {
		list := n.on(topic)
		if i := slices.IndexFunc(list, fits); i >= 0 {
			return list[i]
		}
		if time.Now().After(end) {
			for _, m := range list {
				t.Logf("%s: %s", topic, m.Title)
			}
			t.Fatalf("waited %v for %s on %s in vain", within, what, topic)
		}
	}
}

// press does what the phone does with a button.
func (n *ntfyServer) press(t testing.TB, m *pushed, button int) {
	t.Helper()
	a := m.Actions[button]
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
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("the phone's answer: %s", resp.Status)
	}
}

// loud says whether a message rings: it has buttons and the highest priority.
func loud(m *pushed) bool { return len(m.Actions) == 3 && m.Priority == 5 }
