package channels

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A farChecks is a check of healthchecks.io.
type farChecks struct {
	mu     sync.Mutex
	pings  []string // path?query body
	at     []time.Time
	status int
	answer string
	away   error
	hangs  bool
}

func (f *farChecks) RoundTrip(r *http.Request) (*http.Response, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.hangs {
		f.mu.Unlock()
		<-r.Context().Done()
		f.mu.Lock()
		return nil, r.Context().Err()
	}
	if f.away != nil {
		return nil, f.away
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	f.pings, f.at = append(f.pings, r.Method+" "+r.URL.String()+" "+string(body)), append(f.at, time.Now())
	return &http.Response{StatusCode: f.status, Status: http.StatusText(f.status), Header: http.Header{}, Body: io.NopCloser(strings.NewReader(f.answer)), Request: r}, nil
}

// set changes it, or what the daemon says of itself.
func (f *farChecks) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

type farHealth struct {
	text string
	ok   bool
}

// runBeat runs a heartbeat on fake time.
func runBeat(t *testing.T, url string, f func(h *Heartbeat, far *farChecks, s *farHealth, log *bytes.Buffer)) {
	path := intakeSecret(t, url)
	synctest.Test(t, func(t *testing.T) {
		far, s, log := &farChecks{status: 200, answer: "OK"}, &farHealth{"4 units, all read", true}, &bytes.Buffer{}
		h := NewHeartbeat(path, func() (text string, ok bool) {
			far.set(func() { text, ok = s.text, s.ok })
			return text, ok
		}, slog.New(slog.NewTextHandler(log, nil)))
		h.client.Transport = far
		ctx, cancel := context.WithCancel(t.Context())
		go h.Run(ctx)
		f(h, far, s, log)
		cancel()
		synctest.Wait()
	})
}

func passBeat(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestHeartbeatEveryMinute(t *testing.T) {
	runBeat(t, "https://hc.example/0b6e?rid=7", func(h *Heartbeat, far *farChecks, s *farHealth, log *bytes.Buffer) {
		passBeat(59 * time.Second)
		far.set(func() {
			if len(far.pings) != 0 {
				t.Errorf("before the first full minute: %q", far.pings)
			}
		})
		passBeat(2 * time.Second)
		far.set(func() { s.text, s.ok = "fridge-1 is not read", false })
		passBeat(2 * time.Minute)
		far.set(func() { s.text, s.ok = strings.Repeat("ü", 5000), true })
		passBeat(time.Minute)
		want := []string{"POST https://hc.example/0b6e?rid=7 4 units, all read", "POST https://hc.example/0b6e/fail?rid=7 fridge-1 is not read",
			"POST https://hc.example/0b6e/fail?rid=7 fridge-1 is not read", "POST https://hc.example/0b6e?rid=7 " + strings.Repeat("ü", 999) + "…"}
		if len(far.pings) != len(want) {
			t.Fatalf("pings %q", far.pings)
		}
		for i := range want {
			if far.pings[i] != want[i] {
				t.Errorf("ping %d: %q, want %q", i, far.pings[i], want[i])
			}
			if i > 0 && far.at[i].Sub(far.at[i-1]) < time.Minute {
				t.Errorf("ping %d after %v", i, far.at[i].Sub(far.at[i-1]))
			}
		}
		if log.Len() > 0 || h.Failing() {
			t.Errorf("failing %v, log %s", h.Failing(), log)
		}
	})
}

// That nobody takes the pings is told once, and that they are taken again.
func TestHeartbeatTellsOnce(t *testing.T) {
	for name, x := range map[string]struct {
		spoil func(*farChecks)
		want  string
	}{
		"away":         {func(f *farChecks) { f.away = io.ErrUnexpectedEOF }, "unexpected EOF"},
		"hangs":        {func(f *farChecks) { f.hangs = true }, "deadline exceeded"},
		"unknown":      {func(f *farChecks) { f.status, f.answer = 404, "not found" }, "not found"},
		"unknown, 200": {func(f *farChecks) { f.answer = "OK (not found)" }, "did not count the ping"},
		"dropped":      {func(f *farChecks) { f.answer = "OK (rate limited)" }, "did not count the ping"},
		"broken":       {func(f *farChecks) { f.status, f.answer = 500, "" }, "answered"},
	} {
		t.Run(name, func(t *testing.T) {
			runBeat(t, "https://hc.example/s3cr3t", func(h *Heartbeat, far *farChecks, s *farHealth, log *bytes.Buffer) {
				far.set(func() { x.spoil(far) })
				passBeat(10*time.Minute + 45*time.Second)
				if got := strings.Count(log.String(), "level=WARN"); got != 1 || !strings.Contains(log.String(), x.want) || !h.Failing() {
					t.Errorf("failing %v, log, want one warning of %q:\n%s", h.Failing(), x.want, log)
				}
				far.set(func() { far.status, far.answer, far.away, far.hangs = 200, "OK", nil, false })
				passBeat(10 * time.Minute)
				if got := strings.Count(log.String(), "level=INFO"); got != 1 || strings.Count(log.String(), "\n") != 2 || h.Failing() {
					t.Errorf("failing %v, log, want one word of its end:\n%s", h.Failing(), log)
				}
				if strings.Contains(log.String(), "s3cr3t") {
					t.Errorf("the log tells the secret:\n%s", log)
				}
			})
		})
	}
}

// The URL is read anew each time, and a file that is no secret is refused.
func TestHeartbeatReadsItsURLAnew(t *testing.T) {
	runBeat(t, "https://hc.example/old", func(h *Heartbeat, far *farChecks, s *farHealth, log *bytes.Buffer) {
		passBeat(61 * time.Second)
		if err := os.WriteFile(h.urlFile, []byte("https://hc.example/new"), 0o600); err != nil {
			t.Fatal(err)
		}
		passBeat(time.Minute)
		if err := os.Chmod(h.urlFile, 0o644); err != nil {
			t.Fatal(err)
		}
		passBeat(time.Minute)
		if len(far.pings) != 2 || !strings.HasPrefix(far.pings[1], "POST https://hc.example/new ") {
			t.Errorf("pings %q", far.pings)
		}
		if !h.Failing() || !strings.Contains(log.String(), "everybody may read it") {
			t.Errorf("failing %v, log %s", h.Failing(), log)
		}
	})
}
