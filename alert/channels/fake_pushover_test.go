package channels

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
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
	farSides["pushover"] = func(t *testing.T) farSide { return newFarPushover(t) }
}

const (
	farPushoverToken = "acoldkeepcoldkeepcoldkeep00001"
	farPushoverUser  = "ucoldkeepcoldkeepcoldkeep00002"
	farPushoverGroup = "gcoldkeepcoldkeepcoldkeep00003"
)

// A farPushover is the message API and the receipts of Pushover.
type farPushover struct {
	*farHTTP

	mu        sync.Mutex
	remaining int // of the month's messages
	number    int
	messages  []url.Values
	receipts  map[string]*farPushoverReceipt
	order     []string
	lost      int // so many receipts' answers are lost on the way
	asked     int // requests for receipts
}

type farPushoverReceipt struct {
	to       string
	by       string // who confirmed
	at       int64
	expired  bool
	canceled bool
	forgot   bool
	asked    int
}

func newFarPushover(t *testing.T) *farPushover {
	p := &farPushover{remaining: 10000, receipts: map[string]*farPushoverReceipt{}}
	p.farHTTP = serveFar(t, func(*farHTTP) http.Handler { return http.HandlerFunc(p.serve) })
	return p
}

func (p *farPushover) settings(t *testing.T) alert.Settings {
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(farPushoverToken+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return alert.Settings{Kind: "pushover", Server: p.URL, To: farPushoverUser, TokenFile: file}
}

func (p *farPushover) hurry(n alert.Notifier) {
	c := n.(*pushover)
	c.limit, c.every = 2*time.Second, 5*time.Millisecond
	c.retry = backoff{5 * time.Millisecond, 20 * time.Millisecond}
}

func (p *farPushover) onlyConfirms()   {}
func (p *farPushover) shown() []string { return nil }

func (p *farPushover) answer(w http.ResponseWriter, status int, body map[string]any) {
	p.mu.Lock()
	w.Header().Set("X-Limit-App-Limit", "10000")
	w.Header().Set("X-Limit-App-Remaining", strconv.Itoa(p.remaining))
	w.Header().Set("X-Limit-App-Reset", strconv.FormatInt(time.Now().Add(9*24*time.Hour).Unix(), 10))
	p.number++
	body["request"] = fmt.Sprintf("00000000-0000-4000-8000-%012d", p.number)
	p.mu.Unlock()
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(body)
}

func (p *farPushover) wrong(w http.ResponseWriter, status int, field, text string) {
	p.answer(w, status, map[string]any{field: "invalid", "errors": []string{text}, "status": 0})
}

func (p *farPushover) serve(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		p.wrong(w, 400, "form", "form cannot be read")
		return
	}
	path := strings.Split(strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, "/1/"), ".json"), "/")
	switch {
	case r.Method == http.MethodPost && slices.Equal(path, []string{"messages"}):
		p.sending(w, r, func() func() { return p.send(w, r.PostForm) }, func(f farFault) {
			switch f {
			case farBusy: // by the edge of the network, not the month's quota
				w.Header().Set("Retry-After", "7")
				p.wrong(w, 429, "requests", "too many requests")
			case farBroken:
				http.Error(w, "<html><body>We'll be back soon. Token: "+r.PostForm.Get("token")+"</body></html>", http.StatusBadGateway)
			case farRefuses:
				p.wrong(w, 400, "token", "application token is invalid, see https://pushover.net/api")
			}
		})
	case r.Form.Get("token") != farPushoverToken:
		p.wrong(w, 400, "token", "application token is invalid, see https://pushover.net/api")
	case r.Method == http.MethodGet && len(path) == 2 && path[0] == "receipts":
		p.receipt(w, path[1])
	case r.Method == http.MethodPost && len(path) == 3 && path[0] == "receipts" && path[2] == "cancel":
		p.mu.Lock()
		rec := p.receipts[path[1]]
		known := rec != nil && !rec.forgot
		if known {
			rec.canceled = true
		}
		p.mu.Unlock()
		if !known {
			p.answer(w, 404, map[string]any{"receipt": "not found", "errors": []string{"receipt not found; may be invalid or expired"}, "status": 0})
			return
		}
		p.answer(w, 200, map[string]any{"status": 1})
	default:
		http.NotFound(w, r)
	}
}

func (p *farPushover) send(w http.ResponseWriter, form url.Values) (answer func()) {
	wrong := func(status int, field, text string) func() {
		return func() { p.wrong(w, status, field, text) }
	}
	number := func(key string) int {
		n, err := strconv.Atoi(form.Get(key))
		if err != nil {
			return -1 << 30
		}
		return n
	}
	priority := number("priority")
	switch {
	case form.Get("token") != farPushoverToken:
		return wrong(400, "token", "application token is invalid, see https://pushover.net/api")
	case !slices.Contains([]string{farPushoverUser, farPushoverGroup}, form.Get("user")):
		return wrong(400, "user", "user identifier is not a valid user, group, or subscribed user key, see https://pushover.net/api/identifiers")
	case form.Get("message") == "":
		return wrong(400, "message", "message cannot be blank")
	case utf8.RuneCountInString(form.Get("message")) > 1024:
		return wrong(400, "message", "message is too long")
	case utf8.RuneCountInString(form.Get("title")) > 250:
		return wrong(400, "title", "title is too long")
	case priority < -2 || priority > 2:
		return wrong(400, "priority", "priority is invalid, see https://pushover.net/api#priority")
	case priority == 2 && (number("expire") <= 0 || number("expire") > 10800):
		return wrong(400, "expire", "expire must be supplied with priority=2")
	case priority == 2 && number("retry") < 30:
		return wrong(400, "retry", "retry must be supplied with priority=2")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.remaining == 0 {
		return wrong(429, "token", "application has exceeded current limit of 10000 messages")
	}
	p.remaining--
	p.messages = append(p.messages, maps.Clone(form))
	body := map[string]any{"status": 1}
	if priority == 2 {
		receipt := fmt.Sprintf("rcoldkeepcoldkeepcoldkeep%05d", len(p.order))
		p.receipts[receipt] = &farPushoverReceipt{to: form.Get("user")}
		p.order = append(p.order, receipt)
		body["receipt"] = receipt
	}
	return func() { p.answer(w, 200, body) }
}

func (p *farPushover) receipt(w http.ResponseWriter, id string) {
	p.mu.Lock()
	p.asked++
	rec := p.receipts[id]
	if rec == nil || rec.forgot {
		p.mu.Unlock()
		p.answer(w, 404, map[string]any{"receipt": "not found", "errors": []string{"receipt not found; may be invalid or expired"}, "status": 0})
		return
	}
	rec.asked++
	lost := p.lost > 0
	if lost {
		p.lost--
	}
	yes := map[bool]int{true: 1}
	body := map[string]any{"status": 1, "acknowledged": yes[rec.by != ""], "acknowledged_at": rec.at, "acknowledged_by": rec.by, "acknowledged_by_device": "phone",
		"last_delivered_at": time.Now().Unix(), "expired": yes[rec.expired], "expires_at": time.Now().Add(3 * time.Hour).Unix(), "called_back": 0, "called_back_at": 0}
	p.mu.Unlock()
	if lost {
		drop(w)
		return
	}
	p.answer(w, 200, body)
}

func (p *farPushover) took() (took []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range p.messages {
		took = append(took, m.Get("title")+"\n"+m.Get("message"))
	}
	return took
}

// press confirms the newest message to a person in the app. twice loses what
// the service says of it once.
func (p *farPushover) press(t *testing.T, to string, _ alert.Button, twice bool) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, id := range slices.Backward(p.order) {
		if rec := p.receipts[id]; rec.to == to && rec.by == "" {
			rec.by, rec.at = farPushoverUser, time.Now().Unix()
			if twice {
				p.lost++
			}
			return
		}
	}
	t.Fatalf("there is no message to %s that can be confirmed", to)
}
