package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"coldkeep/alert"
	"coldkeep/internal/coldchain"
)

// Two daemons of one site watch each other over the real Mosquitto: one dies
// without a word, the other calls people, and is calm when it is back.
func TestSystemDaemonsWatchEachOther(t *testing.T) {
	broker := needMosquitto(t)
	t.Parallel()
	ntfy := startNtfy(t)
	node := func(name, other string) string {
		return strings.ReplaceAll(sections, "NTFY", ntfy.URL) + fmt.Sprintf("node: %s\nmqtt: {broker: \"tcp://%s\", peers: [%s]}\n", name, broker, other)
	}
	one, two := node("pi-1", "pi-2"), node("pi-2", "pi-1")
	later := time.Now().Add(time.Hour) // no fridge fails
	dirs := [2]string{t.TempDir(), t.TempDir()}
	a := callingDemo(t, dirs[0], broker, one, later)
	b := callingDemo(t, dirs[1], broker, two, later)
	silent := func(d *demoRun, node string) bool {
		return slices.ContainsFunc(d.alarms().Alarms, func(x coldchain.Alarm) bool { return x.Rule == "peer_silent" && x.Node == node })
	}
	await := func(what string, within time.Duration, so func() bool) time.Duration {
		t.Helper()
		began := time.Now()
		for !so() {
			if time.Since(began) > within {
				t.Fatalf("waited %v for %s in vain: %+v", within, what, a.alarms())
			}
			time.Sleep(250 * time.Millisecond)
		}
		return time.Since(began).Round(time.Second)
	}
	await("each to hear the other", 60*time.Second, func() bool {
		return strings.Contains(a.get("/metrics"), `coldkeep_peer_up{peer="pi-2"} 1`) && strings.Contains(b.get("/metrics"), `coldkeep_peer_up{peer="pi-1"} 1`)
	})
	if silent(a, "pi-2") || silent(b, "pi-1") {
		t.Error("a daemon that lives is told as silent")
	}
	b.end(syscall.SIGKILL)
	took := await("word that pi-2 is silent", 4*time.Minute, func() bool { return silent(a, "pi-2") })
	if took < 100*time.Second {
		t.Errorf("it was told after %v: a restart is none", took)
	}
	m := ntfy.await(t, "topic-cleo", "the page", 60*time.Second, func(m *pushed) bool { return loud(m) && strings.HasPrefix(m.Title, "A WATCHER IS SILENT") })
	if !strings.Contains(m.Title+m.Message, "pi-2") {
		t.Errorf("the page does not name it: %s\n%s", m.Title, m.Message)
	}
	b = callingDemo(t, dirs[1], broker, two, later)
	back := await("pi-2 to be heard again", time.Minute, func() bool { return !silent(a, "pi-2") })
	t.Logf("told as silent %v after the kill, as heard again %v after its start", took, back)
	if silent(b, "pi-1") {
		t.Error("pi-1 is told as silent by the one that was away")
	}
	a.end(syscall.SIGTERM)
	b.end(syscall.SIGTERM)
}

// A pager is the webhook receiver behind Alertmanager.
type pager struct {
	mu    sync.Mutex
	calls []pagerCall
}

type pagerCall struct {
	Status string
	Alerts []struct {
		Status              string
		Labels, Annotations map[string]string
	}
}

func (p *pager) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var x pagerCall
	if err := json.NewDecoder(r.Body).Decode(&x); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls = append(p.calls, x)
}

func (p *pager) all() []pagerCall {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.calls)
}

// startAlertmanager runs the real one until the test ends.
func startAlertmanager(t *testing.T, receiver string) string {
	t.Helper()
	program, err := exec.LookPath("prometheus-alertmanager")
	if err != nil {
		if program, err = exec.LookPath("alertmanager"); err != nil {
			t.Skip("Alertmanager is not installed here")
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	conf := write(t, "alertmanager.yml", `route: {receiver: pager, group_by: [alertname, trouble], group_wait: 0s, group_interval: 5s, repeat_interval: 1h}
receivers:
  - name: pager
    webhook_configs: [{url: "`+receiver+`", send_resolved: true}]
`)
	cmd := exec.Command(program, "--config.file="+conf, "--storage.path="+filepath.Join(t.TempDir(), "data"), "--web.listen-address="+addr, "--cluster.listen-address=")
	log := &strings.Builder{}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("Alertmanager said:\n%s", log)
		}
	})
	for range 600 {
		if r, err := http.Get("http://" + addr + "/-/ready"); err == nil {
			_ = r.Body.Close()
			if r.StatusCode == http.StatusOK {
				return "http://" + addr
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatal("Alertmanager does not become ready")
	return ""
}

// The running daemon's own channel feeds the real Alertmanager: a trouble calls
// once, is told again so that it does not end by itself, and is resolved.
func TestSystemAlertmanagerIsFed(t *testing.T) {
	if !long {
		t.Skip("a long system test: make system-test")
	}
	t.Parallel()
	p := &pager{}
	receiver := httptest.NewServer(p)
	t.Cleanup(receiver.Close)
	server := startAlertmanager(t, receiver.URL)
	ntfy := startNtfy(t)
	s := startSite(t, ntfy, func(d *daemon) {
		d.cfg.Sampling = time.Second
		d.cfg.Channels = append(d.cfg.Channels, alert.Settings{ID: "am", Kind: "alertmanager", Server: server, From: "clinic-a"})
		d.cfg.Duty.Services = append(d.cfg.Duty.Services, alert.Service{Channel: "am"})
	})
	type posted struct {
		Labels    map[string]string
		UpdatedAt time.Time
		EndsAt    time.Time
	}
	held := func() (list []posted) {
		t.Helper()
		r, err := http.Get(server + "/api/v2/alerts")
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		if err := json.NewDecoder(r.Body).Decode(&list); err != nil {
			t.Fatal(err)
		}
		return list
	}
	await := func(what string, within time.Duration, so func() bool) {
		t.Helper()
		for end := time.Now().Add(within); !so(); time.Sleep(200 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("waited %v for %s in vain: calls %+v, held %+v", within, what, p.all(), held())
			}
		}
	}
	s.breaks(t, ntfy)
	await("the call", 30*time.Second, func() bool { return len(p.all()) == 1 })
	first := p.all()[0]
	if x := first.Alerts[0]; first.Status != "firing" || len(first.Alerts) != 1 || x.Labels["unit"] != "fridge-1" || x.Labels["severity"] != "critical" || x.Labels["site"] != "clinic-a" ||
		!strings.HasPrefix(x.Annotations["summary"], "FRIDGE 1 TOO WARM 9.4 °C") {
		t.Errorf("the call: %+v", first)
	}
	began := held()
	if len(began) != 1 {
		t.Fatalf("held: %+v", began)
	}
	await("it to be told again", 150*time.Second, func() bool {
		x := held()
		return len(x) == 1 && x[0].UpdatedAt.Sub(began[0].UpdatedAt) > 50*time.Second && x[0].EndsAt.After(began[0].EndsAt)
	})
	if n := len(p.all()); n != 1 {
		t.Errorf("told again it called %d times: %+v", n, p.all())
	}
	s.bus.read(5000)
	// The trouble is over when nothing was wrong for three minutes.
	await("the end", 5*time.Minute, func() bool { x := p.all(); return x[len(x)-1].Status == "resolved" })
	for _, x := range p.all()[1:] {
		if x.Status != "resolved" {
			t.Errorf("it called again: %+v", x)
		}
	}
	ntfy.await(t, "topic-anna", "the all-clear", 60*time.Second, func(m *pushed) bool { return strings.HasPrefix(m.Title, "ALL CLEAR") })
}
