package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"coldkeep/deploy/grafana"
	"coldkeep/internal/config"
	"coldkeep/sensor"
)

// scripted is a site whose one probe dies when the test says so, whose
// channel takes nothing, and whose peer and heartbeat are silent.
const scripted = `site: {id: s, name: S, timezone: UTC}
node: pi-1
sampling: {interval: 1s}
probes:
  - {id: dying, chip: ds18b20, bus: script, address: 28-00000c8cf9b1, medium: buffered, calibration: {due: 2099-01-01}}
units:
  - id: script-1
    range: {low: 2, high: 8}
    max_gap: 5s
    probes: [dying]
    alarms: [{id: silent, no_data: 5s, severity: critical}]
notify:
  - {channel: log}
  - {id: push, channel: ntfy, server: %q}
people: [{id: anna, name: "Anna Example", contacts: [{channel: push, to: cold-anna}]}]
policies: [{id: day, steps: [{call: [everyone]}]}]
heartbeat: {url_file: %q}
mqtt: {broker: %q, client_id: scripted, peers: [pi-2]}
web: {listen: "127.0.0.1:0"}
`

// A dyingBus has one probe, which stands at 5 °C while it lives.
type dyingBus struct{ dead atomic.Bool }

func (b *dyingBus) Name() string { return "script" }
func (b *dyingBus) Close() error { return nil }
func (b *dyingBus) Sweep(_ context.Context, slot time.Time) []sensor.Reading {
	r := sensor.Reading{Probe: "dying", Time: sensor.At(slot), Temp: 5000, Raw: 5000}
	if b.dead.Load() {
		r = sensor.Reading{Probe: "dying", Time: sensor.At(slot), Fault: sensor.FaultAbsent}
	}
	return []sensor.Reading{r}
}

// startScripted runs the daemon within the test; it gives its address and its
// data directory.
func startScripted(t *testing.T, bus sensor.Bus, broker string) (addr, dir string) {
	t.Helper()
	refuses := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusInternalServerError) }))
	t.Cleanup(refuses.Close)
	cfg, err := config.Parse("scripted.yaml", fmt.Appendf(nil, scripted, refuses.URL, write(t, "beat.url", refuses.URL), "tcp://"+broker))
	if err != nil {
		t.Fatal(err)
	}
	cfg.Storage.Dir = t.TempDir()
	ctx, stop := context.WithCancel(t.Context())
	up, done := make(chan string, 1), make(chan error, 1)
	d := daemon{cfg: cfg, buses: []sensor.Bus{bus}, log: slog.New(slog.DiscardHandler), up: func(web string) { up <- web }}
	go func() { done <- d.run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("the scripted daemon: %v", err)
		}
	})
	select {
	case addr = <-up:
	case <-time.After(20 * time.Second):
		t.Fatal("the scripted daemon does not start")
	}
	return addr, cfg.Storage.Dir
}

// A promServer is the real Prometheus.
type promServer struct {
	t    *testing.T
	base string
}

// startPrometheus scrapes the targets every second, as the job coldkeep, and
// itself, which is no coldkeep.
func startPrometheus(t *testing.T, targets ...string) *promServer {
	t.Helper()
	path, err := exec.LookPath("prometheus")
	if err != nil {
		t.Skip("prometheus is not installed here")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	conf := write(t, "prometheus.yml", "global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs:\n  - job_name: coldkeep\n    static_configs: [{targets: ["+strings.Join(targets, ", ")+"]}]\n"+
		"  - job_name: prometheus\n    static_configs: [{targets: ["+addr+"]}]\n")
	log, err := os.Create(filepath.Join(t.TempDir(), "prometheus.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command(path, "--config.file="+conf, "--storage.tsdb.path="+t.TempDir(), "--web.listen-address="+addr)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	})
	p := &promServer{t, "http://" + addr}
	for range 200 {
		if resp, err := http.Get(p.base + "/-/ready"); err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return p
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	b, _ := os.ReadFile(log.Name())
	t.Fatalf("prometheus is not ready:\n%s", b)
	return nil
}

// A promSeries is one answer: its labels, and its values by second.
type promSeries struct {
	Metric map[string]string `json:"metric"`
	Values [][2]any          `json:"values"`
	at     map[int64]float64
}

// over runs a query as a panel does, second by second.
func (p *promServer) over(expr string, from, to time.Time) []promSeries {
	p.t.Helper()
	v := url.Values{"query": {expr}, "start": {strconv.FormatInt(from.Unix(), 10)}, "end": {strconv.FormatInt(to.Unix(), 10)}, "step": {"1"}}
	resp, err := http.PostForm(p.base+"/api/v1/query_range", v)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	var x struct {
		Status, Error string
		Data          struct{ Result []promSeries }
	}
	if err := json.Unmarshal(b, &x); err != nil || x.Status != "success" {
		p.t.Fatalf("%s: %v %s", expr, err, b)
	}
	for i := range x.Data.Result {
		s := &x.Data.Result[i]
		s.at = map[int64]float64{}
		for _, v := range s.Values {
			f, err := strconv.ParseFloat(v[1].(string), 64)
			if err != nil {
				p.t.Fatal(err)
			}
			s.at[int64(v[0].(float64))] = f
		}
	}
	return x.Data.Result
}

// What the test's Grafana makes of the spans.
const (
	panelInterval = 3 * time.Second
	panelRate     = 5 * time.Second
)

// filled puts variables in, as Grafana does; those not given are All.
func filled(expr string, shown time.Duration, chosen map[string]string) string {
	return regexp.MustCompile(`\$\w+`).ReplaceAllStringFunc(expr, func(v string) string {
		switch v {
		case "$__interval":
			return panelInterval.String()
		case "$__rate_interval":
			return panelRate.String()
		case "$__range":
			return strconv.Itoa(int(shown.Seconds())) + "s"
		}
		if c, ok := chosen[v[1:]]; ok {
			return strings.ReplaceAll(regexp.QuoteMeta(c), `\`, `\\`) // within a string of PromQL
		}
		return ".+"
	})
}

// within tells the values between from and to, by second.
func (s *promSeries) within(from, to time.Time) (list []float64) {
	for at := from.Unix(); at <= to.Unix(); at++ {
		if v, ok := s.at[at]; ok {
			list = append(list, v)
		}
	}
	return list
}

// In front of the demo, whose fridge fails and which is killed, and of a
// daemon whose probe dies for a while and comes back, every query of every
// panel has data; what nobody knows is a gap in every graph of temperatures,
// and is called so by the panels that tell of now.
func TestSystemDashboardsShowWhatIsKnown(t *testing.T) {
	if !long {
		t.Skip("takes two minutes and Prometheus: runs with COLDKEEP_SYSTEM=long")
	}
	broker := startBroker(t)
	bus := &dyingBus{}
	addr, dir := startScripted(t, bus, broker)
	demo := startDemo(t, t.TempDir(), "tcp://"+broker)
	demoAddr := strings.TrimPrefix(demo.page, "http://")
	p := startPrometheus(t, addr, demoAddr)
	from := time.Now()
	aDrillIsAnswered(t, dir)

	time.Sleep(20 * time.Second)
	bus.dead.Store(true)
	died := time.Now()
	time.Sleep(30 * time.Second)
	back := time.Now()
	bus.dead.Store(false)
	time.Sleep(55 * time.Second) // the demo's fridge is too warm by now, and the heartbeat has failed
	demo.end(syscall.SIGKILL)
	killed := time.Now()
	time.Sleep(15 * time.Second)
	to := time.Now().Add(-time.Second)

	list, err := grafana.Read("../../deploy/grafana/dashboards")
	if err != nil || len(list) != 4 {
		t.Fatalf("%d dashboards: %v", len(list), err)
	}
	temperatures, queries := 0, 0
	for _, name := range slices.Sorted(maps.Keys(list)) {
		for _, panel := range list[name].Panels {
			for _, q := range panel.Targets {
				queries++
				where := name + ", " + panel.Title + ", " + q.RefID
				got := p.over(filled(q.Expr, to.Sub(from), nil), from, to)
				if !hasData(got) {
					t.Errorf("%s has no data: %s", where, q.Expr)
				}
				for _, s := range got {
					if job, told := s.Metric["job"]; told && job != "coldkeep" {
						t.Errorf("%s is of another's: %v", where, s.Metric)
					}
				}
				if !strings.Contains(q.Expr, "probe_temperature") {
					continue
				}
				temperatures++
				// A scrape sees what the sweep before it wrote, and an envelope
				// speaks of the interval that ends at its point.
				late := 3 * time.Second
				if strings.Contains(q.Expr, "$__interval") {
					late += panelInterval
				}
				if strings.Contains(q.Expr, "batch_flagged") {
					continue // the scripted unit holds no batch: the demo's death is looked at below
				}
				s := p.over(filled(q.Expr, to.Sub(from), map[string]string{"instance": addr, "unit": "script-1"}), from, to)
				if len(s) != 1 {
					t.Fatalf("%s: %d series of the scripted unit", where, len(s))
				}
				if got := s[0].within(died.Add(late), back); len(got) != 0 {
					t.Errorf("%s: %d points while the probe was dead, the first %v", where, len(got), got[0])
				}
				before, after := s[0].within(from, died), s[0].within(back.Add(late), to)
				if len(before) < 10 || len(after) < 30 || before[0] != 5 || after[0] != 5 {
					t.Errorf("%s: %d points before the probe died, %d after it came back", where, len(before), len(after))
				}
			}
		}
	}
	if temperatures < 4 || queries < 50 {
		t.Errorf("%d queries, %d of temperatures: too few to mean anything", queries, temperatures)
	}
	t.Logf("%d queries, each with data; %d of temperatures", queries, temperatures)

	ask := func(file, title string, ref int, chosen map[string]string) []promSeries {
		t.Helper()
		for _, panel := range list[file].Panels {
			if panel.Title == title {
				return p.over(filled(panel.Targets[ref].Expr, to.Sub(from), chosen), from, to)
			}
		}
		t.Fatalf("%s has no panel %q", file, title)
		return nil
	}
	all := func(what string, s []promSeries, begin, end time.Time, want float64) {
		t.Helper()
		if len(s) == 0 {
			t.Errorf("%s: no series", what)
		}
		for _, x := range s {
			got := x.within(begin, end)
			if len(got) == 0 || slices.ContainsFunc(got, func(v float64) bool { return v != want }) {
				t.Errorf("%s: %v %v, want only %v", what, x.Metric, got, want)
			}
		}
	}
	none := func(what string, s []promSeries, begin, end time.Time) {
		t.Helper()
		if len(s) == 0 {
			t.Errorf("%s: no series at all", what)
		}
		for _, x := range s {
			if got := x.within(begin, end); len(got) > 0 {
				t.Errorf("%s: %v has %v", what, x.Metric, got)
			}
		}
	}

	// The probe that died.
	script := map[string]string{"instance": addr, "unit": "script-1"}
	const margin = 8 * time.Second // longer than max_gap and the windows of rates
	all("status while it lives", ask("unit.json", "Now", 0, script), from.Add(margin), died, 1)
	all("status while it is dead", ask("unit.json", "Now", 0, script), died.Add(3*time.Second), back, 0)
	all("status when it is back", ask("unit.json", "Now", 0, script), back.Add(margin), to, 1)
	all("the clinic's timeline", ask("clinic.json", "Excursions", 0, script), died.Add(3*time.Second), back, 0)
	all("unmonitored", ask("unit.json", "Temperature", 3, script), died.Add(3*time.Second), back, 1)
	none("unmonitored while it lives", ask("unit.json", "Temperature", 3, script), back.Add(margin), to)
	all("the probe's state", ask("clinic.json", "Probes: age of the newest reading", 1, script), died.Add(3*time.Second), back, 0)

	// The demo before and after it was killed.
	fridge := map[string]string{"instance": demoAddr, "unit": "fridge-1", "batch": "EX-0413"}
	dead, late := killed.Add(4*time.Second), to
	all("the fridge that failed", ask("unit.json", "Now", 0, fridge), killed.Add(-10*time.Second), killed.Add(-time.Second), 2)
	all("its batch", ask("batch.json", "Now", 0, fridge), killed.Add(-10*time.Second), killed.Add(-time.Second), 1)
	raised := ask("clinic.json", "Alarms", 0, map[string]string{"instance": demoAddr})
	raised = slices.DeleteFunc(raised, func(s promSeries) bool { return s.Metric["severity"] != "critical" })
	all("the alarm", raised, killed.Add(-10*time.Second), killed.Add(-time.Second), 3)
	all("a killed daemon's units", ask("clinic.json", "Units now", 0, map[string]string{"instance": demoAddr}), dead.Add(panelRate), late, 0)
	all("a killed daemon's batch", ask("batch.json", "Now", 0, fridge), dead, late, -1)
	all("a killed daemon's batches", ask("clinic.json", "Flagged batches", 0, map[string]string{"instance": demoAddr}), dead, late, -1)
	all("a killed daemon", ask("clinic.json", "Daemons", 0, map[string]string{"instance": demoAddr}), dead, late, 0)
	all("a killed daemon's probes", ask("unit.json", "Probes: age of the newest reading", 1, fridge), dead, late, -1)
	all("a killed daemon's unmonitored time", ask("unit.json", "Temperature", 3, fridge), dead, late, 1)
	none("a killed daemon's temperature", ask("unit.json", "Temperature", 0, fridge), dead, late)
	none("the temperature where its batch stood", ask("batch.json", "Temperature where it stood", 0, fridge), dead, late)
	none("a killed daemon's alarms", ask("clinic.json", "Alarms", 0, map[string]string{"instance": demoAddr}), dead, late)
	none("a killed daemon's flag", ask("batch.json", "Flag", 0, fridge), dead, late)
	for _, s := range ask("clinic.json", "Probes: age of the newest reading", 0, map[string]string{"instance": demoAddr}) {
		got, want := s.at[to.Unix()], to.Sub(killed).Seconds()
		if got < want-2 || got > want+5 {
			t.Errorf("the age of %s is %.0f s, %.0f s after the kill", s.Metric["probe"], got, want)
		}
	}
}

func hasData(list []promSeries) bool {
	for _, s := range list {
		for _, v := range s.at {
			if v == v { // no NaN
				return true
			}
		}
	}
	return false
}

// aDrillIsAnswered calls a person, who answers.
func aDrillIsAnswered(t *testing.T, dir string) {
	t.Helper()
	if code, _, errOut := call(t, "alarms", "test", "--person", "anna", "--within", "1s", "--by", "test", "--dir", dir); code != exitFailed {
		t.Fatalf("a test that nobody answered: exit %d: %s", code, errOut)
	}
	_, out, errOut := call(t, "alarms", "list", "--json", "--dir", dir)
	var x alarmsAnswer
	if err := json.Unmarshal([]byte(out), &x); err != nil {
		t.Fatalf("%v: %s", err, errOut)
	}
	for _, tr := range x.Troubles {
		if tr.Drill {
			if code, _, errOut := call(t, "alarms", "ack", tr.Key, "--person", "anna", "--by", "Anna Example", "--dir", dir); code != exitDone {
				t.Fatalf("answer the drill: exit %d: %s", code, errOut)
			}
			return
		}
	}
	t.Fatalf("no drill: %s", out)
}
