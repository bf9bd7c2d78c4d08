package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"coldkeep/alert"
	"coldkeep/alert/channels"
)

// programs are the real parts of Prometheus; where one is not there, or the
// test is too long, it skips.
func programs(t *testing.T, names ...string) (paths []string) {
	t.Helper()
	if !long {
		t.Skip("a long system test: make system-test")
	}
	for _, name := range names {
		path, err := exec.LookPath(name)
		if err != nil {
			t.Skipf("%s is not installed here", name)
		}
		paths = append(paths, path)
	}
	return paths
}

// start runs a server until the test ends, and waits until it is ready.
func start(t *testing.T, ready string, program string, args ...string) {
	t.Helper()
	log := &strings.Builder{}
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("%s said:\n%s", program, log)
		}
	})
	within(t, time.Minute, program+" to be ready", func() bool {
		r, err := http.Get(ready)
		if err != nil {
			return false
		}
		r.Body.Close()
		return r.StatusCode == http.StatusOK
	})
}

func within(t *testing.T, d time.Duration, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		if f() {
			return
		}
	}
	t.Fatalf("waited %v for %s in vain", d, what)
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// rewritten copies one of the shipped files with some things replaced; what is
// to be replaced must be there.
func rewritten(t *testing.T, from, to string, pairs ...string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	for i := 0; i < len(pairs); i += 2 {
		re := regexp.MustCompile(pairs[i])
		if !re.MatchString(text) {
			t.Fatalf("%s does not hold %s", from, pairs[i])
		}
		text = re.ReplaceAllString(text, pairs[i+1])
	}
	if err := os.WriteFile(to, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// A notice is one notification of Alertmanager's.
type notice struct {
	receiver string
	Status   string
	Alerts   []struct {
		Status              string
		Labels, Annotations map[string]string
	}
}

func (c notice) String() string {
	text := c.receiver + " " + c.Status + ":"
	for _, a := range c.Alerts {
		text += fmt.Sprintf(" %s(%s %s)", a.Labels["alertname"], a.Labels["unit"], a.Status)
	}
	return text
}

func (c notice) has(alertname string) bool {
	for _, a := range c.Alerts {
		if a.Labels["alertname"] == alertname {
			return true
		}
	}
	return false
}

// A switchboard is the far side of Alertmanager's receivers.
type switchboard struct {
	mu   sync.Mutex
	list []notice
}

func (s *switchboard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := notice{receiver: strings.TrimPrefix(r.URL.Path, "/")}
	if err := json.NewDecoder(r.Body).Decode(&c); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = append(s.list, c)
}

// calls are those of a receiver.
func (s *switchboard) calls(receiver string) (list []notice) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.list {
		if c.receiver == receiver {
			list = append(list, c)
		}
	}
	return list
}

// alertsOf asks Prometheus, or Alertmanager, for its alerts of a unit: the
// names of those that fire, or that are muted.
func alertsOf(t *testing.T, url, unit string, muted bool) (names []string) {
	t.Helper()
	r, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	type item struct {
		Labels map[string]string
		State  string
		Status struct{ InhibitedBy []string }
	}
	var list []item
	if strings.HasSuffix(url, "/api/v1/alerts") {
		var x struct{ Data struct{ Alerts []item } }
		err = json.NewDecoder(r.Body).Decode(&x)
		list = x.Data.Alerts
	} else {
		err = json.NewDecoder(r.Body).Decode(&list)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range list {
		if a.Labels["unit"] == unit && a.State != "pending" && (!muted || len(a.Status.InhibitedBy) > 0) {
			names = append(names, a.Labels["alertname"])
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// The real Prometheus scrapes the demo by the shipped rules, with minutes made
// seconds, and the real Alertmanager routes as shipped, only that its receivers
// are told of ends, too. A fridge that fails calls once, though the daemon and
// the rules both tell of it. The daemon is killed: that calls once, too, and
// nobody is told that anything is over.
func TestSystemOneCallForOneTrouble(t *testing.T) {
	paths := programs(t, "prometheus", "prometheus-alertmanager")
	dir, far := t.TempDir(), &switchboard{}
	receiver := httptest.NewServer(far)
	defer receiver.Close()
	prometheus, alertmanager := freePort(t), freePort(t)
	d := startDemo(t, t.TempDir(), "tcp://"+startBroker(t))

	const deploy = "../../deploy/"
	rewritten(t, deploy+"alertmanager/alertmanager.yml", filepath.Join(dir, "alertmanager.yml"), `http://127\.0\.0\.1:9101`, receiver.URL, `send_resolved: false`, `send_resolved: true`,
		`group_wait: \d+s`, `group_wait: 1s`, `group_interval: \d+m`, `group_interval: 5s`, `repeat_interval: 1m`, `repeat_interval: 5s`)
	start(t, "http://"+alertmanager+"/-/ready", paths[1], "--config.file="+filepath.Join(dir, "alertmanager.yml"), "--storage.path="+filepath.Join(dir, "am"), "--web.listen-address="+alertmanager, "--cluster.listen-address=")
	rewritten(t, deploy+"prometheus/recording.yml", filepath.Join(dir, "recording.yml"))
	rewritten(t, deploy+"prometheus/alerts.yml", filepath.Join(dir, "alerts.yml"), `(for: \d+)m`, `${1}s`)
	rewritten(t, deploy+"prometheus/prometheus.yml", filepath.Join(dir, "prometheus.yml"), `127\.0\.0\.1:8080`, strings.TrimPrefix(d.page, "http://"), `127\.0\.0\.1:9093`, alertmanager, `_interval: 15s`, `_interval: 1s`)
	start(t, "http://"+prometheus+"/-/ready", paths[0], "--config.file="+filepath.Join(dir, "prometheus.yml"), "--storage.tsdb.path="+filepath.Join(dir, "tsdb"), "--web.listen-address="+prometheus,
		"--rules.alert.resend-delay=2s") // what is found before it knows Alertmanager is sent again then

	within(t, time.Minute, "the Watchdog", func() bool { return len(far.calls("heartbeat")) > 0 })
	within(t, 2*time.Minute, "the fridge to fail", func() bool {
		return strings.Contains(d.get("/metrics"), `coldkeep_unit_excursion{kind="high",unit="fridge-1"} 1`)
	})
	// What the daemon's own channel says of it, again and again.
	own, err := channels.Open(alert.Settings{Kind: "alertmanager", Server: "http://" + alertmanager, From: "clinic-a"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	m := alert.Message{Key: "fridge-1/warm//now", Purpose: alert.Page, Severity: alert.Critical, Units: []string{"fridge-1"}, Title: "TREATMENT ROOM FRIDGE TOO WARM"}
	tell := func() bool {
		if err := own.(alert.Syncer).Sync(t.Context(), []alert.Message{m}); err != nil {
			t.Fatal(err)
		}
		return false
	}
	tell()
	rules := []string{"ColdkeepBatchFlagged", "ColdkeepBatchQuarantined", "ColdkeepUnitTooWarm"}
	all := func(url string, muted bool) bool {
		got := alertsOf(t, url, "fridge-1", muted)
		return !slices.ContainsFunc(rules, func(r string) bool { return !slices.Contains(got, r) })
	}
	within(t, 2*time.Minute, "the rules to find it as well", func() bool { return tell() || all("http://"+prometheus+"/api/v1/alerts", false) })
	within(t, time.Minute, "them to be muted", func() bool { return tell() || all("http://"+alertmanager+"/api/v2/alerts", true) })
	for end := time.Now().Add(12 * time.Second); time.Now().Before(end); time.Sleep(time.Second) { // two of its group intervals
		tell()
	}
	pages := far.calls("pager")
	if len(pages) != 1 || len(pages[0].Alerts) != 1 || !pages[0].has("ColdkeepTrouble") || pages[0].Alerts[0].Labels["unit"] != "fridge-1" {
		t.Errorf("a fridge that fails called %d times: %v", len(pages), pages)
	}

	d.end(syscall.SIGKILL)
	within(t, time.Minute, "a call for the daemon", func() bool { return len(far.calls("pager")) > len(pages) })
	last := far.calls("pager")[len(pages)]
	if !last.has("ColdkeepNodeDown") || len(last.Alerts) != 1 || !strings.Contains(last.Alerts[0].Annotations["description"], "fridge-1 was out of range when it was heard last.") {
		t.Errorf("the daemon was killed, and told is %v: %+v", last, last.Alerts)
	}
	time.Sleep(25 * time.Second) // what is kept for ten seconds has ended by now, and four group intervals are over
	if got := far.calls("pager"); len(got) != len(pages)+1 {
		t.Errorf("the daemon was killed, and called was %v", got[len(pages):])
	}
	for _, receiver := range []string{"pager", "desk"} {
		for _, c := range far.calls(receiver) {
			for _, a := range c.Alerts {
				if c.Status != "firing" || a.Status != "firing" {
					t.Errorf("told as over: %v", c)
				}
			}
		}
	}
	if !all("http://"+prometheus+"/api/v1/alerts", false) {
		t.Errorf("the daemon is dead, and of its fridge stands only: %v", alertsOf(t, "http://"+prometheus+"/api/v1/alerts", "fridge-1", false))
	}
	t.Logf("called: %v %v", far.calls("pager"), far.calls("desk"))
}

// promtool finds nothing to say of the metrics in any state of the demo.
func TestSystemMetricsAreCleanInEveryState(t *testing.T) {
	promtool := programs(t, "promtool")[0]
	dir := t.TempDir()
	d := startDemo(t, dir, "tcp://"+startBroker(t))
	check := func(state, want string) {
		t.Helper()
		text := ""
		within(t, 2*time.Minute, state+": "+want, func() bool { text = d.get("/metrics"); return strings.Contains(text, want) })
		cmd := exec.Command(promtool, "check", "metrics")
		cmd.Stdin = strings.NewReader(text)
		if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%s: %v\n%s", state, err, out)
		}
	}
	check("at the start", `coldkeep_unit_out_of_range{unit="fridge-1"} 0`)
	check("failing", `coldkeep_unit_out_of_range{unit="fridge-1"} 1`)
	check("lost", `coldkeep_batches{unit="fridge-1",verdict="quarantined"} 2`)
	within(t, time.Minute, "a trouble", func() bool { return strings.Contains(d.get("/api/v1/alarms"), `"state":"raised"`) })
	if out, err := exec.Command(binary(t), "alarms", "ack", "fridge-1", "--by", "anna", "--dir", dir).CombinedOutput(); err != nil {
		t.Fatalf("ack: %v\n%s", err, out)
	}
	check("acknowledged", `coldkeep_troubles{severity="critical",state="acknowledged"} 1`)
	d.end(syscall.SIGTERM)
}

// The example for Alertmanager is one, and each alert goes where it should.
func TestSystemAlertsGoWhereTheyShould(t *testing.T) {
	amtool := programs(t, "amtool")[0]
	const config = "../../deploy/alertmanager/alertmanager.yml"
	if out, err := exec.Command(amtool, "check-config", config).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, x := range []struct{ want, labels string }{
		{"heartbeat", "alertname=Watchdog severity=none"},
		{"pager", "alertname=ColdkeepTrouble trouble=x severity=critical unit=fridge-1 site=clinic-a"},
		{"desk", "alertname=ColdkeepTrouble trouble=x severity=warning unit=fridge-1 site=clinic-a"},
		{"pager", "alertname=ColdkeepTrouble trouble=undeliverable/push severity=critical site=clinic-a"},
		{"pager", "alertname=ColdkeepUnitTooWarm severity=critical unit=fridge-1 site=clinic-a"},
		{"desk", "alertname=ColdkeepProbeSilent severity=warning unit=fridge-1 site=clinic-a"},
		{"pager", "alertname=ColdkeepNodeDown severity=critical site=clinic-a instance=pi-1:8080"},
		{"desk", "alertname=ColdkeepClockUnsynchronized severity=warning site=clinic-a"},
		{"pager", "alertname=SomethingElse"},
	} {
		args := append([]string{"config", "routes", "test", "--config.file=" + config, "--verify.receivers=" + x.want}, strings.Fields(x.labels)...)
		if out, err := exec.Command(amtool, args...).CombinedOutput(); err != nil {
			t.Errorf("%s does not go to %s: %v\n%s", x.labels, x.want, err, out)
		}
	}
}
