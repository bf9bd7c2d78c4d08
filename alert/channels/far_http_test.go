package channels

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// farHTTP is the server of a far side that speaks HTTP, and does to its
// requests what farFaults say. What a service's faults look like is its own.
type farHTTP struct {
	*httptest.Server
	gone chan struct{} // closed with the server: lets hanging requests go

	mu     sync.Mutex
	faults []farFault
	ended  bool
}

// serveFar starts the server. Requests that send a message go through sending
// with the fault that is theirs ("" none); it answers them itself but for
// farHangs, farDrops and farAway.
func serveFar(t *testing.T, handler func(f *farHTTP) http.Handler) *farHTTP {
	t.Helper()
	f := &farHTTP{gone: make(chan struct{})}
	f.Server = httptest.NewUnstartedServer(nil)
	f.Config.Handler = handler(f)
	f.Start()
	return f
}

// sending answers a request that sends a message. take takes it, and says
// what the service answers to it; refuse answers instead of it.
func (f *farHTTP) sending(w http.ResponseWriter, r *http.Request, take func() (answer func()), refuse func(farFault)) {
	f.mu.Lock()
	var fault farFault
	if len(f.faults) > 0 {
		fault, f.faults = f.faults[0], f.faults[1:]
	}
	f.mu.Unlock()
	switch fault {
	case "":
		take()()
	case farHangs:
		take()
		f.hang(r)
	case farDrops:
		take()
		drop(w)
	case farGarbled:
		take()
		w.Header().Set("Content-Type", "text/html")
		if _, err := w.Write([]byte("<!doctype html><title>Welcome to our guests' network</title>")); err != nil {
			return // the client is gone
		}
	default:
		refuse(fault)
	}
}

// hang holds a request until its client or the server goes.
func (f *farHTTP) hang(r *http.Request) {
	select {
	case <-r.Context().Done():
	case <-f.gone:
	}
}

// drop cuts a request's connection.
func drop(w http.ResponseWriter) {
	c, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := c.(*net.TCPConn); ok {
		tcp.SetLinger(0) // a reset, as a router that forgot the connection sends
	}
	c.Close()
}

// fail is farSide's. farAway lets nobody listen from now on.
func (f *farHTTP) fail(faults ...farFault) {
	for _, fault := range faults {
		if fault == farAway {
			f.close()
			return
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = append(f.faults, faults...)
}

func (f *farHTTP) close() {
	f.mu.Lock()
	ended := f.ended
	f.ended = true
	f.mu.Unlock()
	if ended {
		return
	}
	close(f.gone)
	f.CloseClientConnections()
	f.Close()
}

// roundTrip is a far side without a network, for tests of time and of bytes.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// response is an answer with headers as pairs of key and value.
func response(status int, body string, headers ...string) *http.Response {
	r := &http.Response{StatusCode: status, Status: fmt.Sprintf("%d %s", status, http.StatusText(status)), Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return r
}

// logTo is a log that a test can read.
func logTo(w io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// secretFile is a file with a secret.
func secretFile(t testing.TB, secret string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// decodeLines reads JSON, one value a line.
func decodeLines[T any](r io.Reader) (all []T, err error) {
	for d := json.NewDecoder(r); ; {
		var v T
		if err := d.Decode(&v); err == io.EOF {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
}
