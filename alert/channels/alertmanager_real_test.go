package channels

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"coldkeep/alert"
)

// realAlertmanager finds Debian's Alertmanager or another on the PATH, or
// builds one, which takes minutes; where none can be had it skips.
func realAlertmanager(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"prometheus-alertmanager", "alertmanager"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	dir := t.TempDir()
	cmd := exec.CommandContext(ctx, "go", "install", "github.com/prometheus/alertmanager/cmd/alertmanager@v0.28.1")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "GOBIN="+dir, "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		t.Skipf("Alertmanager is not installed here, and building it: %v: %s", err, lines[len(lines)-1])
	}
	return filepath.Join(dir, "alertmanager")
}

// A pager is the webhook receiver behind Alertmanager: whom it calls.
type pager struct {
	mu    sync.Mutex
	calls []paged
}

// A paged is one notification of Alertmanager's, as its webhook format 4 has it.
type paged struct {
	Status      string
	GroupLabels map[string]string
	Alerts      []struct {
		Status              string
		Labels, Annotations map[string]string
		StartsAt, EndsAt    time.Time
	}
}

func (p *pager) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var x paged
	if err := json.NewDecoder(r.Body).Decode(&x); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls = append(p.calls, x)
}

func (p *pager) all() []paged {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]paged(nil), p.calls...)
}

// await waits for the nth call, which comes when Alertmanager likes.
func (p *pager) await(t *testing.T, n int, what string) paged {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if list := p.all(); len(list) >= n {
			return list[n-1]
		}
	}
	t.Fatalf("waited two minutes for %s; calls: %+v", what, p.all())
	panic("unreachable")
}

// startAlertmanager runs it on a free port until the test ends, with a group
// interval of six seconds, and the routes that the documentation of the channel
// gives.
func startAlertmanager(t *testing.T, program string, receiver string) (url string) {
	t.Helper()
	dir := t.TempDir()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	config := filepath.Join(dir, "alertmanager.yml")
	err = os.WriteFile(config, []byte(`
route: {receiver: pager, group_by: [alertname, trouble], group_wait: 0s, group_interval: 6s, repeat_interval: 1h}
receivers:
  - name: pager
    webhook_configs: [{url: "`+receiver+`", send_resolved: true}]
inhibit_rules:
  - source_matchers: [alertname="ColdkeepTrouble"]
    target_matchers: [alertname!="ColdkeepTrouble", unit!=""]
    equal: [unit, site]
`), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	log := &strings.Builder{}
	cmd := exec.Command(program, "--config.file="+config, "--storage.path="+filepath.Join(dir, "data"), "--web.listen-address="+addr, "--cluster.listen-address=")
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
			r.Body.Close()
			if r.StatusCode == http.StatusOK {
				return "http://" + addr
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatal("Alertmanager does not become ready")
	return ""
}

// A trouble calls once however often it is told, once more when it gets
// graver, and ends; rules of Prometheus' for the same unit call nobody beside
// it; what Alertmanager refuses is told in its words.
func TestSystemRealAlertmanager(t *testing.T) {
	if os.Getenv("COLDKEEP_SYSTEM") != "long" {
		t.Skip("a long system test: make system-test")
	}
	program := realAlertmanager(t)
	out, err := exec.Command(program, "--version").CombinedOutput()
	if err != nil {
		t.Fatalf("%s --version: %v", program, err)
	}
	t.Log(strings.SplitN(string(out), "\n", 2)[0])
	p := &pager{}
	receiver := httptest.NewServer(p)
	defer receiver.Close()
	server := startAlertmanager(t, program, receiver.URL)
	c, err := Open(alert.Settings{Kind: "alertmanager", Server: server, From: "clinic-a"}, quiet)
	if err != nil {
		t.Fatal(err)
	}
	a := c.(*alertmanager)
	message := func(severity alert.Severity, units ...string) alert.Message {
		m := aPage(units...)
		m.Severity = severity
		return m
	}
	notify := func(m alert.Message) {
		t.Helper()
		if _, err := a.Notify(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	// syncFor tells it as the Dispatcher does, only more often, over more than
	// two of its group intervals.
	syncFor := func(list ...alert.Message) {
		t.Helper()
		for end := time.Now().Add(14 * time.Second); time.Now().Before(end); time.Sleep(time.Second) {
			if err := a.Sync(t.Context(), list); err != nil {
				t.Fatal(err)
			}
		}
	}

	notify(message(alert.Warning, "fridge-1"))
	first := p.await(t, 1, "the page")
	if x := first.Alerts[0]; first.Status != "firing" || len(first.Alerts) != 1 || x.Labels["unit"] != "fridge-1" || x.Labels["severity"] != "warning" || x.Labels["site"] != "clinic-a" ||
		x.Labels["trouble"] != sample("").Key || x.Annotations["summary"] != sample("").Title || x.Annotations["description"] != sample("").Body {
		t.Errorf("the page: %+v", first)
	}
	syncFor(message(alert.Warning, "fridge-1"))
	if list := p.all(); len(list) != 1 {
		t.Errorf("told again and again it called %d times: %+v", len(list), list)
	}

	// A rule for the same unit is muted, one for another is not.
	rule(t, server, "fridge-1")
	rule(t, server, "fridge-9")
	other := p.await(t, 2, "the rule of another unit")
	if x := other.Alerts[0]; len(other.Alerts) != 1 || x.Labels["unit"] != "fridge-9" {
		t.Errorf("rules: %+v", other)
	}

	// Graver, and with another unit: one more call, in which the old alert is over.
	notify(message(alert.Critical, "fridge-1", "fridge-2"))
	states, n := map[string]string{}, 2
	const want = "map[fridge-1 critical:firing fridge-1 warning:resolved fridge-2 critical:firing]"
	for fmt.Sprint(states) != want {
		n++ // a group's turn may fall between the alerts of one request: then the rest comes with the next
		for _, x := range p.await(t, n, want+" after "+fmt.Sprint(states)).Alerts {
			states[x.Labels["unit"]+" "+x.Labels["severity"]] = x.Status
		}
	}
	if n > 4 {
		t.Errorf("it called %d times for one request: %+v", n-2, p.all()[2:])
	}
	m := message(alert.Critical)
	m.Purpose, m.Title = alert.Taken, "ANNA EXAMPLE goes"
	notify(m)
	syncFor(message(alert.Critical, "fridge-1", "fridge-2"))
	if list := p.all(); len(list) != n {
		t.Errorf("told again and again it called %d times more: %+v", len(list)-n, list[n:])
	}

	m.Purpose, m.Title = alert.AllClear, "ALL CLEAR: Fridge 1"
	notify(m)
	p.await(t, n+1, "the all-clear")
	syncFor()
	var last paged
	for _, x := range p.all()[n:] {
		// The muted rule may speak again: its unit's trouble is over.
		if x.GroupLabels["alertname"] == alertmanagerName {
			last = x
		}
	}
	if last.Status != "resolved" {
		t.Errorf("after the all-clear, last: %+v", last)
	}
	for _, x := range last.Alerts {
		if x.Labels["severity"] == "critical" && x.Annotations["summary"] != m.Title {
			t.Errorf("the all-clear: %+v", x)
		}
	}

	// What it refuses. No trouble of ours has no labels: the test takes them away.
	bad := a.post(t.Context(), []postedAlert{{Labels: map[string]string{"alertname": ""}, Annotations: map[string]string{}}})
	if intakeFault(bad) != "final" || !strings.Contains(bad.Error(), "400") || !strings.Contains(bad.Error(), "at least one label pair required") {
		t.Errorf("no labels: %v", bad)
	}
	r, text, err := a.in.post(t.Context(), "application/x-www-form-urlencoded", []byte("a=b"))
	if err != nil {
		t.Fatal(err)
	}
	if err := httpFault("Alertmanager", r, alertmanagerFault(text)); intakeFault(err) != "final" || !strings.Contains(err.Error(), "415") || !strings.Contains(err.Error(), "unsupported media type") {
		t.Errorf("a form: %v", err)
	}
}

// rule posts an alert as a rule of Prometheus' would.
func rule(t *testing.T, server, unit string) {
	t.Helper()
	r, err := http.Post(server+"/api/v2/alerts", "application/json",
		strings.NewReader(`[{"labels":{"alertname":"ColdkeepUnitTooWarm","unit":"`+unit+`","site":"clinic-a","severity":"critical"}}]`))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusOK {
		b, err := io.ReadAll(r.Body)
		t.Fatalf("%s: %s %v", r.Status, b, err)
	}
}
