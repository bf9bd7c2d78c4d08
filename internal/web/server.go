// Package web serves the pages, the JSON of /api/v1, live events, commands and
// the health of the daemon, over TCP and on a Unix socket.
//
// Over TCP all is read-only unless a token for commands is configured; only
// the demo takes them from whoever can open its page. The socket has no token: who may open it may command. The server holds no state
// of its own; all it tells is in the monitor's snapshot and the journal.
//
// TLS and passwords, for TCP only, come from a file in the form that all of
// Prometheus' exporters share. A password takes the request's one
// Authorization header, so that the token of a command then travels in a
// header of its own, Coldkeep-Token; it may always do so.
package web

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	toolkit "github.com/prometheus/exporter-toolkit/web"

	"coldkeep/internal/coldchain"
	"coldkeep/sensor"
)

// A Monitor is what the server tells of.
type Monitor interface {
	Snapshot() *coldchain.Snapshot
	Changed() <-chan struct{}
	Events(ctx context.Context, after uint64, limit int) ([]coldchain.Event, error)
	Readings(ctx context.Context, probe string, from, to sensor.Instant, limit int) ([]sensor.Reading, error)
	EventsOf(ctx context.Context, kinds ...coldchain.Kind) ([]coldchain.Event, error)
	Do(ctx context.Context, c coldchain.Command) (coldchain.Event, error)
	Alive() bool
	AddFile(ctx context.Context, data []byte) (sha string, err error)
	File(ctx context.Context, sha string) ([]byte, error)
}

// Options say how to serve.
type Options struct {
	Metrics  http.Handler  // at /metrics
	Interval time.Duration // between sweeps: what is older than three is old
	Token    string        // of commands over TCP; "" refuses them
	Open     bool          // commands are taken without a token, by whoever can open the page: for the demo
	// ConfigFile holds TLS and passwords of TCP (exporter-toolkit's web
	// configuration); "" serves plainly. It is read again as requests come, so
	// that certificates can be renewed.
	ConfigFile string
	Log        *slog.Logger
}

//go:embed page
var files embed.FS

// A Server answers requests. Make it with New, then Serve listeners.
type Server struct {
	m     Monitor
	o     Options
	pages *template.Template
	ended chan struct{}

	mu    sync.Mutex
	https []*http.Server
}

// New makes a server. A ConfigFile that cannot be used is an error.
func New(m Monitor, o Options) (*Server, error) {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if err := toolkit.Validate(o.ConfigFile); err != nil {
		return nil, fmt.Errorf("read web configuration %s: %w", o.ConfigFile, err)
	}
	t, err := template.New("").Funcs(functions).ParseFS(files, "page/*.html")
	if err != nil {
		return nil, fmt.Errorf("read pages: %w", err)
	}
	return &Server{m: m, o: o, pages: t, ended: make(chan struct{})}, nil
}

// ListenSocket opens the socket for commands at path, for its group too. One
// left by a daemon that was killed is replaced; the data directory's lock says
// that none runs.
func ListenSocket(path string) (net.Listener, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("open socket: %w", err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("open socket: %w", err)
	}
	if err := os.Chmod(path, 0o660); err != nil {
		return nil, errors.Join(fmt.Errorf("open socket: %w", err), l.Close())
	}
	return l, nil
}

// Serve answers on a listener until Close. A unix socket may command.
func (s *Server) Serve(l net.Listener) error {
	trusted := l.Addr().Network() == "unix"
	h := &http.Server{Handler: s.Handler(trusted), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 16 << 10, ErrorLog: slog.NewLogLogger(s.o.Log.Handler(), slog.LevelDebug)}
	s.mu.Lock()
	s.https = append(s.https, h)
	s.mu.Unlock()
	serve := h.Serve
	if s.o.ConfigFile != "" && !trusted {
		serve = func(l net.Listener) error {
			return toolkit.Serve(l, h, &toolkit.FlagConfig{WebConfigFile: &s.o.ConfigFile}, s.o.Log)
		}
	}
	if err := serve(l); err != nil && !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve %s: %w", l.Addr(), err)
	}
	return nil
}

// Close ends live streams at once and lets other answers finish.
func (s *Server) Close(ctx context.Context) error {
	close(s.ended)
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, h := range s.https {
		errs = append(errs, h.Shutdown(ctx))
	}
	return errors.Join(errs...)
}

// Handler is all that is served. trusted requests may command.
func (s *Server) Handler(trusted bool) http.Handler {
	m := http.NewServeMux()
	m.HandleFunc("GET /{$}", s.home)
	m.HandleFunc("GET /b/{batch}", s.label)
	m.HandleFunc("GET /b/{batch}/papers/{sha}", s.paper)
	m.HandleFunc("GET /probes", s.probesPage)
	m.Handle("GET /page/", http.FileServerFS(files))
	m.HandleFunc("GET /api/v1/units", s.units)
	m.HandleFunc("GET /api/v1/units/{id}", s.unit)
	m.HandleFunc("GET /api/v1/units/{id}/rescues", s.rescues)
	m.HandleFunc("GET /api/v1/batches", s.batches)
	m.HandleFunc("GET /api/v1/batches/{id}", s.batch)
	m.HandleFunc("GET /api/v1/batches/{id}/like", s.like)
	m.HandleFunc("GET /api/v1/recalls/{lot}", s.recall)
	m.HandleFunc("GET /api/v1/probes", s.probes)
	m.HandleFunc("GET /api/v1/probes/{id}", s.probe)
	m.HandleFunc("GET /api/v1/alarms", s.alarms)
	m.HandleFunc("GET /api/v1/contacts", s.contacts)
	m.HandleFunc("GET /api/v1/readings", s.readings)
	m.HandleFunc("GET /api/v1/events", s.events)
	m.HandleFunc("GET /api/v1/events/stream", s.stream)
	m.HandleFunc("POST /api/v1/commands/{name}", func(w http.ResponseWriter, r *http.Request) { s.command(w, r, trusted) })
	m.HandleFunc("POST /api/v1/files", func(w http.ResponseWriter, r *http.Request) { s.addFile(w, r, trusted) })
	m.HandleFunc("GET /api/v1/files/{sha}", s.file)
	m.HandleFunc("/api/", func(w http.ResponseWriter, r *http.Request) {
		fail(w, http.StatusNotFound, "not_found", "there is nothing at "+r.Method+" "+r.URL.Path)
	})
	if s.o.Metrics != nil {
		m.Handle("GET /metrics", s.o.Metrics)
	}
	m.HandleFunc("GET /-/healthy", func(w http.ResponseWriter, _ *http.Request) {
		health(w, s.m.Alive(), "healthy", "the loop does not turn")
	})
	m.HandleFunc("GET /-/ready", func(w http.ResponseWriter, _ *http.Request) {
		health(w, s.m.Snapshot().At != 0, "ready", "no sweep has been made yet")
	})
	guard := http.NewCrossOriginProtection()
	return guard.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		if r.URL.Path != "/api/v1/files" { // which has a limit of its own
			r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
		}
		m.ServeHTTP(w, r)
	}))
}

func health(w http.ResponseWriter, ok bool, good, bad string) {
	if !ok {
		http.Error(w, bad, http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, good)
}

// answer writes JSON. What it writes can always be encoded; what then goes
// wrong is the client's connection.
func answer(w http.ResponseWriter, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		fail(w, http.StatusInternalServerError, "internal", err.Error())
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(b, '\n'))
}

func fail(w http.ResponseWriter, status int, code, message string) {
	b, err := json.Marshal(map[string]any{"error": map[string]string{"code": code, "message": message}})
	if err != nil {
		b = []byte(`{"error":{"code":"internal","message":"the error cannot be written"}}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n'))
}

// statuses is the one table from a refusal to HTTP.
var statuses = map[string]int{"bad_request": http.StatusBadRequest, "not_found": http.StatusNotFound, "conflict": http.StatusConflict, "unavailable": http.StatusServiceUnavailable}

// may says whether a request may command, and answers it where it may not.
func (s *Server) may(w http.ResponseWriter, r *http.Request, trusted bool) bool {
	if trusted || s.o.Open || s.allowed(r) {
		return true
	}
	if s.o.Token == "" {
		fail(w, http.StatusForbidden, "read_only", "commands are not taken here: use the command line on the machine itself, or set web.command_token_file")
		return false
	}
	w.Header().Set("WWW-Authenticate", "Bearer")
	fail(w, http.StatusUnauthorized, "unauthorized", "this command needs the token: Authorization: Bearer …, or Coldkeep-Token: …")
	return false
}

func (s *Server) command(w http.ResponseWriter, r *http.Request, trusted bool) {
	if !s.may(w, r, trusted) {
		return
	}
	var c coldchain.Command
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		fail(w, http.StatusBadRequest, "bad_request", "the command cannot be read: "+err.Error())
		return
	}
	c.Name = r.PathValue("name")
	if c.Via == "" {
		c.Via = "http"
		if trusted {
			c.Via = "socket"
		}
	}
	ev, err := s.m.Do(r.Context(), c)
	var no *coldchain.Refusal
	switch {
	case errors.As(err, &no):
		fail(w, statuses[no.Code], no.Code, no.Message)
	case err != nil:
		s.o.Log.Error("command failed", "command", c.Name, "batch", c.Batch, "alarm", c.Alarm, "cause", err)
		fail(w, http.StatusInternalServerError, "internal", err.Error())
	default:
		all, err := s.ofOneCause(r.Context(), ev)
		if err != nil {
			s.o.Log.Error("what a command became cannot be told whole", "command", c.Name, "cause", err)
			all = []coldchain.Event{ev.Public()} // it was done
		}
		answer(w, map[string]any{"event": ev.Public(), "events": all})
	}
}

// allowed compares the token in a time that says nothing about it.
func (s *Server) allowed(r *http.Request) bool {
	t := r.Header.Get("Coldkeep-Token")
	ok := t != ""
	if !ok {
		t, ok = strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	}
	if !ok || s.o.Token == "" {
		return false
	}
	a, b := sha256.Sum256([]byte(t)), sha256.Sum256([]byte(s.o.Token))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}
