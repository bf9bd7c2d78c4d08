package channels

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"coldkeep/alert"
)

// farHook is a service behind shoutrrr's generic scheme: it takes a text by
// POST at a secret path.
type farHook struct {
	secret string
	server *httptest.Server
	gone   chan struct{}
	once   sync.Once

	mu     sync.Mutex
	faults []farFault
	texts  []string
	status int // other than 200
	says   string
}

func openFarHook(t *testing.T) *farHook {
	f := &farHook{secret: "T0pS3cretHook", gone: make(chan struct{})}
	f.server = httptest.NewServer(f)
	return f
}

func (f *farHook) settings(t *testing.T) alert.Settings {
	return alert.Settings{Kind: "shoutrrr", URLFile: secretFile(t, "generic+"+f.server.URL+"/hooks/"+f.secret)}
}

func (f *farHook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil || r.Method != "POST" || r.URL.Path != "/hooks/"+f.secret {
		http.Error(w, "no such hook", http.StatusNotFound)
		return
	}
	f.mu.Lock()
	fault := farFault("")
	if len(f.faults) > 0 {
		fault, f.faults = f.faults[0], f.faults[1:]
	}
	status, says := f.status, f.says
	if fault != farBusy && fault != farBroken && fault != farRefuses && status == 0 {
		f.texts = append(f.texts, string(body))
	}
	f.mu.Unlock()
	switch fault {
	case farBusy:
		w.Header().Set("Retry-After", "7")
		http.Error(w, "slow down", http.StatusTooManyRequests)
	case farBroken:
		http.Error(w, "broken", http.StatusInternalServerError)
	case farRefuses:
		http.Error(w, "who are you", http.StatusForbidden)
	case farHangs:
		select {
		case <-f.gone:
		case <-r.Context().Done():
		}
	case farDrops:
		panic(http.ErrAbortHandler)
	case farGarbled:
		w.Write([]byte("\x00\xff<html>"))
	default:
		if status != 0 {
			w.WriteHeader(status)
		}
		io.WriteString(w, says)
	}
}

func (f *farHook) fail(faults ...farFault) {
	for _, fault := range faults {
		if fault == farAway {
			f.server.Listener.Close()
			f.server.CloseClientConnections()
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = append(f.faults, faults...)
}

func (f *farHook) hurry(n alert.Notifier) { n.(*longTail).limit = hurried }

func (f *farHook) took() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.texts...)
}

func (f *farHook) close() {
	f.once.Do(func() { close(f.gone) })
	// The library keeps its connections: its client is the process's own.
	f.server.CloseClientConnections()
	f.server.Close()
}

// holdsNone fails if s holds any of the secrets.
func holdsNone(t *testing.T, s string, secrets ...string) {
	t.Helper()
	for _, secret := range secrets {
		if strings.Contains(s, secret) {
			t.Errorf("it shows the secret %q: %s", secret, s)
		}
	}
}
