package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"coldkeep/internal/coldchain"
	"coldkeep/internal/config"
	"coldkeep/internal/mqtt"
	"coldkeep/internal/store"
	"coldkeep/sensor"
)

// A thermometer is a bus whose probes read what a test says.
type thermometer struct {
	mu    sync.Mutex
	temp  sensor.Temp
	limit sensor.Temp
	broke time.Time // when a reading beyond the limit was first handed over
}

func (b *thermometer) Name() string { return "scripted" }
func (b *thermometer) Close() error { return nil }
func (b *thermometer) Sweep(_ context.Context, slot time.Time) []sensor.Reading {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.temp > b.limit && b.broke.IsZero() {
		b.broke = time.Now()
	}
	return []sensor.Reading{{Probe: "f1", Time: sensor.At(slot), Temp: b.temp, Raw: b.temp}}
}

func (b *thermometer) read(t sensor.Temp) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.temp = t
}

func (b *thermometer) brokeAt() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.broke
}

const calling = `site: {id: clinic-a, name: "Clinic A", timezone: UTC}
node: pi-1
untracked_stock: true
probes: [{id: f1, chip: ds18b20, bus: scripted, address: 28-00000c8cf9b1, medium: buffered}]
units: [{id: fridge-1, name: "Fridge 1", range: {low: 2, high: 8}, probes: [f1], alarms: [{id: warm, above: 8, for: 0s, severity: critical}]}]
web: {listen: "127.0.0.1:0"}
notify: [{id: push, channel: ntfy, server: NTFY, answers: answers-1}]
people:
  - {id: anna, name: "Anna Example", contacts: [{channel: push, to: topic-anna}]}
  - {id: bert, name: "Bert Example", contacts: [{channel: push, to: topic-bert}]}
policies: [{id: all, steps: [{call: [anna, bert]}, {call: [everyone], after: 5m}]}]
`

// A site is the whole daemon in the process, on one thermometer.
type site struct {
	bus  *thermometer
	dir  string
	page string
	end  func()
}

func startSite(t testing.TB, ntfy *ntfyServer, change func(*daemon)) *site {
	t.Helper()
	cfg, err := config.Parse("calling.yaml", []byte(strings.ReplaceAll(calling, "NTFY", ntfy.URL)))
	if err != nil {
		t.Fatal(err)
	}
	s := &site{bus: &thermometer{temp: 5000, limit: 8000}, dir: t.TempDir()}
	cfg.Storage.Dir, cfg.Sampling = s.dir, 50*time.Millisecond // less than a config may say: a test need not wait
	up := make(chan string, 1)
	d := &daemon{cfg: cfg, buses: []sensor.Bus{s.bus}, log: slog.New(slog.NewTextHandler(io.Discard, nil)), up: func(web string) { up <- web }}
	if change != nil {
		change(d)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- d.run(ctx) }()
	s.end = sync.OnceFunc(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(s.end)
	select {
	case s.page = <-up:
	case <-time.After(20 * time.Second):
		t.Fatal("the daemon does not come up")
	}
	return s
}

// breaks lets the fridge be too warm, and gives the page to anna.
func (s *site) breaks(t testing.TB, ntfy *ntfyServer) *pushed {
	t.Helper()
	s.bus.read(9400)
	return ntfy.await(t, "topic-anna", "the page", 20*time.Second, loud)
}

// From the reading that breaks the limit to the message at the server: the time
// is told, and nothing but a broken chain fails.
func TestFromTheReadingToTheMessage(t *testing.T) {
	ntfy := startNtfy(t)
	s := startSite(t, ntfy, nil)
	time.Sleep(200 * time.Millisecond) // some readings within the range
	m := s.breaks(t, ntfy)
	t.Logf("from the reading to the message: %v: %s", m.at.Sub(s.bus.brokeAt()).Round(10*time.Microsecond), m.Title)
	if !strings.HasPrefix(m.Title, "FRIDGE 1 TOO WARM 9.4 °C") {
		t.Errorf("the page: %s", m.Title)
	}
}

// BenchmarkReadingToMessage tells how long it takes from the reading that breaks
// the limit to the message at the server of the phones.
func BenchmarkReadingToMessage(b *testing.B) {
	var all []time.Duration
	for b.Loop() {
		ntfy := startNtfy(b)
		s := startSite(b, ntfy, nil)
		time.Sleep(150 * time.Millisecond)
		all = append(all, s.breaks(b, ntfy).at.Sub(s.bus.brokeAt()))
		s.end()
	}
	slices.Sort(all)
	b.ReportMetric(float64(all[len(all)/2].Microseconds())/1000, "ms-to-message")
	b.ReportMetric(float64(all[len(all)-1].Microseconds())/1000, "ms-to-message-worst")
}

// The whole way: a page, a button, and everybody knows who goes.
func TestAPageIsAnswered(t *testing.T) {
	broker, err := mqtt.NewBroker("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = broker.Close() })
	l := listen(t, broker.Addr())
	ntfy := startNtfy(t)
	s := startSite(t, ntfy, func(d *daemon) { d.cfg.MQTT = config.MQTT{Broker: "tcp://" + broker.Addr(), ClientID: "test-pi-1"} })
	// The publisher must have the broker before anything happens that this waits for.
	l.await(t, "the first reading on MQTT", 20*time.Second, func() bool { return len(l.messages()) > 0 })
	m := s.breaks(t, ntfy)
	other := ntfy.await(t, "topic-bert", "bert's page", 20*time.Second, loud)
	if other.notification() == m.notification() {
		t.Error("two people have one notification")
	}
	ntfy.press(t, m, 0)
	ntfy.await(t, "topic-anna", "the confirmation", 20*time.Second, func(p *pushed) bool {
		return !loud(p) && strings.HasPrefix(p.Message, "You have it until ")
	})
	ntfy.await(t, "topic-bert", "who goes", 20*time.Second, func(p *pushed) bool { return !loud(p) && strings.HasPrefix(p.Title, "Anna Example is going") })

	resp, err := http.Get("http://" + s.page + "/api/v1/alarms")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var x alarmsAnswer
	if err := json.NewDecoder(resp.Body).Decode(&x); err != nil {
		t.Fatal(err)
	}
	if len(x.Troubles) != 1 || x.Troubles[0].State != "acknowledged" || x.Troubles[0].By != "Anna Example" || x.Troubles[0].Via != "push" || x.Troubles[0].Until == nil || len(x.Troubles[0].Called) != 2 {
		t.Errorf("troubles: %+v", x.Troubles)
	}
	if len(x.Alarms) != 1 || x.Alarms[0].State != "acknowledged" {
		t.Errorf("alarms: %+v", x.Alarms)
	}
	if code, out, errOut := call(t, "alarms", "list", "--dir", s.dir); code != exitDone || !strings.Contains(out, "acknowledged") || !strings.Contains(out, "Anna Example until ") {
		t.Errorf("exit %d: %s%s", code, out, errOut)
	}
	kinds := map[string]int{}
	l.await(t, "the acknowledgement on MQTT", 20*time.Second, func() bool {
		clear(kinds)
		for _, m := range l.messages() {
			kinds[m.Kind]++
		}
		return kinds[string(coldchain.AlarmAcknowledged)] > 0 && kinds[string(coldchain.NotificationSent)] >= 3
	})
	if n := kinds[string(coldchain.AlarmAcknowledged)]; n != 1 {
		t.Errorf("it is acknowledged %d times", n)
	}
}

// A healthchecks is a service in the manner of healthchecks.io.
type healthchecks struct {
	mu    sync.Mutex
	pings []string // path and body
}

func (h *healthchecks) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.pings = append(h.pings, r.URL.Path+" "+string(b))
	_, _ = io.WriteString(w, "OK") // whoever hung up hears nothing
}

// next waits for a ping that comes from now on and fits.
func (h *healthchecks) next(t *testing.T, what string, fits func(string) bool) {
	t.Helper()
	h.mu.Lock()
	from := len(h.pings)
	h.mu.Unlock()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		h.mu.Lock()
		found := slices.ContainsFunc(h.pings[from:], fits)
		h.mu.Unlock()
		if found {
			return
		}
	}
	t.Fatalf("waited 30 s for %s; pings %q", what, h.pings)
}

// The heartbeat says that all is well only while it is; that the record cannot
// be written it says too, and again that it can.
func TestTheHeartbeatTellsHowItIs(t *testing.T) {
	h := &healthchecks{}
	server := httptest.NewServer(h)
	defer server.Close()
	file := write(t, "heartbeat.url", server.URL+"/ping/6ec1a0f2\n")
	ntfy := startNtfy(t)
	s := startSite(t, ntfy, func(d *daemon) { d.cfg.Heartbeat.URLFile, d.beat = file, 100*time.Millisecond })
	good := func(p string) bool { return strings.HasPrefix(p, "/ping/6ec1a0f2 ") }
	bad := func(p string) bool {
		return strings.HasPrefix(p, "/ping/6ec1a0f2/fail ") && strings.Contains(p, "the record cannot be written")
	}
	h.next(t, "a good ping", good)
	// The daemon writes, too: wait for it.
	db, err := sql.Open("sqlite", "file:"+filepath.Join(s.dir, store.FileName)+"?_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("ALTER TABLE cursor RENAME TO elsewhere"); err != nil {
		t.Fatal(err)
	}
	h.next(t, "word that the record cannot be written", bad)
	h.mu.Lock()
	from := len(h.pings)
	h.mu.Unlock()
	h.next(t, "it said again", bad)
	h.mu.Lock()
	if i := slices.IndexFunc(h.pings[from:], good); i >= 0 {
		t.Errorf("while the record cannot be written: %s", h.pings[from+i])
	}
	h.mu.Unlock()
	// Alarms go out from memory meanwhile.
	s.breaks(t, ntfy)
	if _, err := db.Exec("ALTER TABLE elsewhere RENAME TO cursor"); err != nil {
		t.Fatal(err)
	}
	h.next(t, "a good ping again", good)
	s.end()
	if _, err := os.Stat(filepath.Join(s.dir, store.FileName)); err != nil {
		t.Error(err)
	}
	st, err := store.OpenReadOnly(t.Context(), s.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	kinds := map[coldchain.Kind]int{}
	events, err := st.Events(t.Context(), 0, 10_000)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		kinds[e.Kind]++
	}
	if kinds[coldchain.StoreFailed] != 1 || kinds[coldchain.StoreRecovered] != 1 || kinds[coldchain.NotificationSent] == 0 || kinds[coldchain.TroubleOpened] == 0 {
		t.Errorf("the journal: %v", kinds)
	}
}
