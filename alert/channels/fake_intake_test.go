package channels

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// A farIntake is what the far sides of services have in common: they take one
// POST for each message, on a real socket, and do to it what the test says.
type farIntake struct {
	// accept judges a request as the service does: its status and answer, and
	// what a person would read of it ("" nothing), which counts if the status
	// is 2xx.
	accept  func(r *http.Request, body []byte) (status int, answer string, words string)
	refusal func() (status int, answer string)
	again   bool // it says when to try again, with 429

	addr   string
	server *http.Server
	ended  chan struct{}
	listen net.Listener  // nil while it is away
	hung   chan struct{} // closed when a request hangs

	mu     sync.Mutex
	faults []farFault
	words  []string
	bodies []string // of all requests, whatever became of them
	heads  []http.Header
}

func (f *farIntake) start(t *testing.T) {
	t.Helper()
	f.ended, f.hung, f.server = make(chan struct{}), make(chan struct{}), &http.Server{Handler: f}
	f.addr = "127.0.0.1:0"
	if err := f.open(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.close)
}

func (f *farIntake) url() string { return "http://" + f.addr }

func (f *farIntake) open() error {
	l, err := net.Listen("tcp", f.addr)
	if err != nil {
		return err
	}
	f.addr, f.listen = l.Addr().String(), l
	go f.server.Serve(l)
	return nil
}

// fail: a service that is away cannot count the requests that it does not get:
// it is away until the next call of fail or took.
func (f *farIntake) fail(faults ...farFault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.back()
	f.faults = append(f.faults, faults...)
	f.leave()
}

// leave ends listening where the next fault is to be away.
func (f *farIntake) leave() {
	if f.listen != nil && len(f.faults) > 0 && f.faults[0] == farAway {
		f.listen.Close()
		f.listen = nil
	}
}

// back begins to listen again.
func (f *farIntake) back() {
	if f.listen == nil && len(f.faults) > 0 && f.faults[0] == farAway {
		f.faults = f.faults[1:]
		if err := f.open(); err != nil {
			panic(fmt.Sprintf("listen again: %v", err))
		}
		f.leave()
	}
}

func (f *farIntake) took() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.back()
	return slices.Clone(f.words)
}

func (f *farIntake) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	select {
	case <-f.ended:
		return
	default:
	}
	close(f.ended)
	f.server.Close()
}

// asked gives the bodies of all requests.
func (f *farIntake) asked() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.bodies)
}

func (f *farIntake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	f.mu.Lock()
	f.bodies, f.heads = append(f.bodies, string(body)), append(f.heads, r.Header.Clone())
	var fault farFault
	if len(f.faults) > 0 {
		fault, f.faults = f.faults[0], f.faults[1:]
	}
	status, answer := http.StatusInternalServerError, "Internal Server Error\n"
	switch fault {
	case farBusy:
		status, answer = http.StatusTooManyRequests, "Too Many Requests\n"
		if f.again {
			w.Header().Set("Retry-After", "7")
		}
	case farBroken:
	case farRefuses:
		status, answer = f.refusal()
	default:
		var words string
		if status, answer, words = f.accept(r, body); status < 300 && words != "" {
			f.words = append(f.words, words)
		}
	}
	f.leave()
	f.mu.Unlock()
	if status < 300 {
		switch fault {
		case farHangs:
			f.mu.Lock()
			select {
			case <-f.hung:
			default:
				close(f.hung)
			}
			f.mu.Unlock()
			select {
			case <-r.Context().Done():
			case <-f.ended:
			}
			panic(http.ErrAbortHandler)
		case farDrops:
			panic(http.ErrAbortHandler)
		case farGarbled:
			if status == http.StatusNoContent {
				status = http.StatusOK // which alone may have a body
			}
			w.Header().Set("Content-Length", "1000")
			w.WriteHeader(status)
			io.WriteString(w, "{\x00\xff")
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}
	}
	if json.Valid([]byte(answer)) {
		w.Header().Set("Content-Type", "application/json")
	}
	w.WriteHeader(status)
	io.WriteString(w, answer)
}

// farTrip lets a client speak with a handler without a network, where time is
// not the real one.
type farTrip struct{ http.Handler }

func (f farTrip) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	f.ServeHTTP(w, r)
	return w.Result(), nil
}

// intakeSecret gives a file that holds a secret as it should lie.
func intakeSecret(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// jsonKind says whether the request says that it is JSON.
func jsonKind(r *http.Request) bool {
	kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	return kind == "application/json"
}
