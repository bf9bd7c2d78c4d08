package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"coldkeep/internal/coldchain"
	"coldkeep/internal/mqtt"
	"coldkeep/internal/store"
	"coldkeep/sensor"
)

// long says whether the system tests take the time that they deserve
// (`make system-test`).
var long = os.Getenv("COLDKEEP_SYSTEM") == "long"

var build = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "coldkeep-test-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "coldkeep")
	out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

func binary(t *testing.T) string {
	t.Helper()
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// A demoRun is the real binary on simulated chips.
type demoRun struct {
	t    *testing.T
	cmd  *exec.Cmd
	page string
	err  *strings.Builder
	done chan error
}

func startDemo(t *testing.T, dir, broker string, more ...string) *demoRun {
	t.Helper()
	d := &demoRun{t: t, err: &strings.Builder{}, done: make(chan error, 1)}
	d.cmd = exec.Command(binary(t), append([]string{"demo", "--listen", "127.0.0.1:0", "--dir", dir, "--broker", broker}, more...)...)
	d.cmd.Stderr = d.err
	out, err := d.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if p, ok := strings.CutPrefix(lines.Text(), "page "); ok {
			d.page = p
			break
		}
	}
	go func() {
		_, _ = io.Copy(io.Discard, out)
		d.done <- d.cmd.Wait()
	}()
	if d.page == "" {
		t.Fatalf("the demo printed no page:\n%s", d.err)
	}
	t.Cleanup(func() { _ = d.cmd.Process.Kill() })
	return d
}

// stacks ends a demo that does not answer, and tells what it was at.
func (d *demoRun) stacks() string {
	_ = d.cmd.Process.Signal(syscall.SIGQUIT) // it may have ended already
	select {
	case <-d.done:
		return d.err.String()
	case <-time.After(10 * time.Second):
		return "it cannot even tell what it is at"
	}
}

func (d *demoRun) end(sig os.Signal) time.Duration {
	d.t.Helper()
	started := time.Now()
	if err := d.cmd.Process.Signal(sig); err != nil {
		d.t.Fatal(err)
	}
	var err error
	select {
	case err = <-d.done:
	case <-time.After(time.Minute):
		d.t.Fatalf("it does not end on %v:\n%s", sig, d.stacks())
	}
	if sig == syscall.SIGTERM && err != nil {
		d.t.Errorf("SIGTERM: %v\n%s", err, d.err)
	}
	return time.Since(started)
}

// patient waits as long as a page may take on a machine with much else to do.
var patient = http.Client{Timeout: 30 * time.Second}

func (d *demoRun) get(path string) string {
	d.t.Helper()
	resp, err := patient.Get(d.page + path)
	if err != nil {
		d.t.Fatalf("%v\n%s", err, d.stacks())
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		d.t.Fatalf("GET %s: %s %v\n%s", path, resp.Status, err, b)
	}
	return string(b)
}

// startBroker starts Debian's Mosquitto where it is installed, or the embedded
// broker, and gives its address.
func startBroker(t *testing.T) string {
	t.Helper()
	embedded := func(why string) string {
		t.Log("Mosquitto " + why + " here: using the embedded broker")
		b, err := mqtt.NewBroker("127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { b.Close() })
		return b.Addr()
	}
	path := "/usr/sbin/mosquitto"
	if _, err := os.Stat(path); err != nil {
		return embedded("is not installed")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	_, port, _ := net.SplitHostPort(addr)
	conf := write(t, "mosquitto.conf", "listener "+port+" 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n")
	if err := os.Chmod(conf, 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "-c", conf)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	for range 100 {
		if c, err := net.Dial("tcp", addr); err == nil {
			c.Close()
			return addr
		}
		time.Sleep(50 * time.Millisecond)
	}
	return embedded("does not start")
}

// A message is what arrived on a reading or event topic.
type message struct {
	Topic       string
	Record      string   `json:"record"`
	Seq         uint64   `json:"seq"`
	Probe       string   `json:"probe"`
	Temperature *float64 `json:"temperature_celsius"`
	Fault       string   `json:"fault"`
	Kind        string   `json:"kind"`
}

type listener struct {
	mu       sync.Mutex
	list     []message
	retained map[string]string
}

func listen(t *testing.T, broker string) *listener {
	t.Helper()
	l := &listener{retained: map[string]string{}}
	c := paho.NewClient(paho.NewClientOptions().AddBroker("tcp://" + broker).SetClientID("test-listener").SetCleanSession(true))
	if tok := c.Connect(); !tok.WaitTimeout(10*time.Second) || tok.Error() != nil {
		t.Fatalf("connect: %v", tok.Error())
	}
	t.Cleanup(func() { c.Disconnect(50) })
	tok := c.Subscribe("coldkeep/#", 1, func(_ paho.Client, m paho.Message) {
		l.mu.Lock()
		defer l.mu.Unlock()
		if strings.HasSuffix(m.Topic(), "/reading") || strings.HasSuffix(m.Topic(), "/event") {
			x := message{Topic: m.Topic()}
			if err := json.Unmarshal(m.Payload(), &x); err != nil {
				t.Errorf("%s: %v: %s", m.Topic(), err, m.Payload())
			}
			l.list = append(l.list, x)
			return
		}
		l.retained[m.Topic()] = string(m.Payload())
	})
	if !tok.WaitTimeout(10*time.Second) || tok.Error() != nil {
		t.Fatalf("subscribe: %v", tok.Error())
	}
	return l
}

// messages are those that arrived, in order, without repeats.
func (l *listener) messages() (list []message) {
	l.mu.Lock()
	defer l.mu.Unlock()
	seen := map[string]bool{}
	for _, m := range l.list {
		k := fmt.Sprint(m.Record, m.Seq)
		if !seen[k] {
			seen[k] = true
			list = append(list, m)
		}
	}
	return list
}

func (l *listener) last(topic string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.retained[topic]
}

func (l *listener) await(t *testing.T, what string, within time.Duration, f func() bool) {
	t.Helper()
	for end := time.Now().Add(within); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if f() {
			return
		}
	}
	t.Fatalf("waited %v for %s in vain", within, what)
}

// unbroken holds that the messages are every place of the record from the
// first on, in order.
func unbroken(t *testing.T, list []message) {
	t.Helper()
	for i := 1; i < len(list); i++ {
		if list[i].Seq != list[i-1].Seq+1 {
			t.Fatalf("after %d comes %d", list[i-1].Seq, list[i].Seq)
		}
	}
}

// A gate stands before a broker and can be shut.
type gate struct {
	net.Listener
	to    string
	mu    sync.Mutex
	shut  bool
	conns []net.Conn
}

func openGate(t *testing.T, to string) *gate {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{Listener: l, to: to}
	t.Cleanup(func() { l.Close(); g.set(true) })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			g.mu.Lock()
			if g.shut {
				c.Close()
				g.mu.Unlock()
				continue
			}
			b, err := net.Dial("tcp", to)
			if err != nil {
				c.Close()
				g.mu.Unlock()
				continue
			}
			g.conns = append(g.conns, c, b)
			g.mu.Unlock()
			go func() { _, _ = io.Copy(b, c); b.Close() }()
			go func() { _, _ = io.Copy(c, b); c.Close() }()
		}
	}()
	return g
}

func (g *gate) set(shut bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut = shut
	if shut {
		for _, c := range g.conns {
			c.Close()
		}
		g.conns = nil
	}
}

// While the broker cannot be reached nothing is lost: afterwards everything is
// delivered, in order. Meanwhile the page, the API and the metrics answer.
func TestSystemTheBrokerIsCutOff(t *testing.T) {
	if testing.Short() {
		t.Skip("a system test")
	}
	away := 6 * time.Second
	if long {
		away = time.Minute
	}
	broker := startBroker(t)
	l := listen(t, broker)
	g := openGate(t, broker)
	d := startDemo(t, t.TempDir(), "tcp://"+g.Addr().String())
	l.await(t, "readings", 20*time.Second, func() bool { return len(l.messages()) > 8 })
	const base = "coldkeep/demo/demo/"
	if got := l.last(base + "status"); got != "online" {
		t.Errorf("status %q, want online", got)
	}
	if got := l.last(base + "unit/fridge-1/state"); !strings.Contains(got, `"temperature_celsius":`) {
		t.Errorf("the unit's state: %s", got)
	}
	g.set(true)
	time.Sleep(away)
	metrics := d.get("/metrics")
	if !strings.Contains(metrics, "coldkeep_mqtt_connected 0") || strings.Contains(metrics, "coldkeep_mqtt_backlog_messages 0\n") {
		t.Errorf("the metrics do not tell that the broker is away")
	}
	if got := d.get("/api/v1/units"); !strings.Contains(got, `"id":"fridge-1"`) {
		t.Errorf("units: %s", got)
	}
	if got := d.get("/"); !strings.Contains(got, "DEMONSTRATION") || !strings.Contains(got, "STORAGE RECORD OK") {
		t.Errorf("page: %s", got)
	}
	cut := l.messages()
	g.set(false)
	l.await(t, "the backlog", 60*time.Second, func() bool { return strings.Contains(d.get("/metrics"), "coldkeep_mqtt_backlog_messages 0\n") })
	t.Logf("SIGTERM to exit took %v", d.end(syscall.SIGTERM))
	l.await(t, "offline", 5*time.Second, func() bool { return l.last(base+"status") == "offline" })
	list := l.messages()
	unbroken(t, list)
	if n := len(list) - len(cut); n < int(away/(2*time.Second))*2 { // four probes every two seconds, on a machine that may be slow
		t.Errorf("%d messages after the cut of %v: too few", n, away)
	}
}

// Killed at any instant, the daemon has stored every reading that it
// published, and what it found is what a replay finds in what it stored.
func TestSystemKilledAtAnyInstant(t *testing.T) {
	if testing.Short() {
		t.Skip("a system test")
	}
	kills := 4
	if long {
		kills = 20
	}
	dir := t.TempDir()
	broker := startBroker(t)
	l := listen(t, broker)
	for range kills {
		d := startDemo(t, dir, "tcp://"+broker)
		time.Sleep(time.Duration(1500+rand.IntN(5000)) * time.Millisecond)
		d.end(syscall.SIGKILL)
	}
	d := startDemo(t, dir, "tcp://"+broker)
	n := len(l.messages())
	l.await(t, "readings after the last kill", 20*time.Second, func() bool { return len(l.messages()) > n+8 })
	d.end(syscall.SIGTERM)

	st, err := store.OpenReadOnly(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	list := l.messages()
	unbroken(t, list)
	stored := map[uint64]coldchain.Entry{}
	for after := uint64(0); ; {
		page, err := st.Entries(t.Context(), after, 10_000)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, e := range page {
			stored[e.Seq] = e
		}
		after = page[len(page)-1].Seq
	}
	for _, m := range list {
		e, ok := stored[m.Seq]
		if !ok || m.Record != st.RecordID() {
			t.Fatalf("published, but not in the record: %+v", m)
		}
		if r := e.Reading; r != nil && (r.Probe != m.Probe || string(r.Fault) != m.Fault || r.Good() && (m.Temperature == nil || *m.Temperature != r.Temp.Celsius())) {
			t.Errorf("published %+v, stored %+v", m, *r)
		}
	}
	t.Logf("%d kills, %d places of the record published, %d stored", kills, len(list), len(stored))
	sameAsReplay(t, dir, st)
}

// replayJSON is what `coldkeep replay --json` says.
type replayJSON struct {
	Excursions []coldchain.Excursion  `json:"excursions"`
	Alarms     []coldchain.Alarm      `json:"alarms"`
	Batches    []coldchain.BatchState `json:"batches"`
}

// sameAsReplay exports what a stopped daemon stored, replays it with the
// binary, and compares it with what the daemon said.
func sameAsReplay(t *testing.T, dir string, st *store.Store) {
	t.Helper()
	cursors, err := st.Cursors(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	until := sensor.Instant(cursors["monitor.judged"])
	var csv strings.Builder
	csv.WriteString("time,probe,temperature_c,fault\n")
	err = st.EachReading(t.Context(), 0, until+1, func(r sensor.Reading, _ bool) error {
		temp := ""
		if r.Good() {
			temp = r.Temp.String()
		}
		fmt.Fprintf(&csv, "%s,%s,%s,%s\n", r.Time, r.Probe, temp, r.Fault)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) []byte {
		cmd := exec.CommandContext(context.Background(), binary(t), args...)
		var e strings.Builder
		cmd.Stderr = &e
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("coldkeep %s: %v\n%s", strings.Join(args, " "), err, &e)
		}
		return out
	}
	var said struct {
		Batches []coldchain.BatchState `json:"batches"`
	}
	if err := json.Unmarshal(run("batch", "list", "--dir", dir, "--json"), &said); err != nil {
		t.Fatal(err)
	}
	var yaml strings.Builder
	yaml.WriteString("batches:\n")
	for _, b := range said.Batches {
		var list []string
		for _, p := range b.Placements {
			x := fmt.Sprintf("{unit: %s, from: %s", p.Unit, p.From)
			if p.To != nil {
				x += ", to: " + p.To.String()
			}
			list = append(list, x+"}")
		}
		fmt.Fprintf(&yaml, "  - {id: %s, profile: %s, placements: [%s]}\n", b.ID, b.ProfileID, strings.Join(list, ", "))
	}
	var again replayJSON
	out := run("replay", "--config", "demo.yaml", "--batches", write(t, "batches.yaml", yaml.String()), "--readings", write(t, "readings.csv", csv.String()), "--until", until.String(), "--json")
	if err := json.Unmarshal(out, &again); err != nil {
		t.Fatal(err)
	}
	var live replayJSON
	events, err := st.Events(t.Context(), 0, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		switch e.Kind {
		case coldchain.ExcursionStarted:
			live.Excursions = append(live.Excursions, coldchain.Excursion{Unit: e.Unit, Kind: e.Side, Start: e.Start})
		case coldchain.ExcursionEnded:
			i := slices.IndexFunc(live.Excursions, func(x coldchain.Excursion) bool {
				return x.Unit == e.Unit && x.Kind == e.Side && x.Start == e.Start
			})
			live.Excursions[i].End = e.End
		case coldchain.AlarmRaised:
			if e.Batch == "" {
				live.Alarms = append(live.Alarms, coldchain.Alarm{Unit: e.Unit, Rule: e.Rule, Raised: e.Start})
			}
		case coldchain.AlarmCleared:
			if e.Batch == "" {
				i := slices.IndexFunc(live.Alarms, func(a coldchain.Alarm) bool { return a.Unit == e.Unit && a.Rule == e.Rule && a.Raised == e.Start })
				live.Alarms[i].Cleared = e.End
			}
		}
	}
	live.Batches = said.Batches
	for _, r := range []*replayJSON{&live, &again} {
		for i, x := range r.Excursions {
			r.Excursions[i] = coldchain.Excursion{Unit: x.Unit, Kind: x.Kind, Start: x.Start, End: x.End}
		}
		for i, a := range r.Alarms {
			r.Alarms[i] = coldchain.Alarm{Unit: a.Unit, Rule: a.Rule, Raised: a.Raised, Cleared: a.Cleared}
		}
		for i, b := range r.Batches {
			for j := range b.Allowance {
				b.Allowance[j] = coldchain.Allowance{Rule: b.Allowance[j].Rule, UsedS: b.Allowance[j].UsedS, LeftS: b.Allowance[j].LeftS}
			}
			r.Batches[i] = coldchain.BatchState{ID: b.ID, Verdict: b.Verdict, Since: b.Since, Reasons: b.Reasons, Exposure: b.Exposure, Allowance: b.Allowance}
		}
		slices.SortFunc(r.Alarms, func(a, b coldchain.Alarm) int {
			return strings.Compare(fmt.Sprint(int64(a.Raised), a.Unit, a.Rule), fmt.Sprint(int64(b.Raised), b.Unit, b.Rule))
		})
		slices.SortFunc(r.Excursions, func(a, b coldchain.Excursion) int {
			return strings.Compare(fmt.Sprint(int64(a.Start), a.Unit, a.Kind), fmt.Sprint(int64(b.Start), b.Unit, b.Kind))
		})
	}
	if d := cmp.Diff(again, live, cmpopts.EquateEmpty(), cmpopts.EquateApprox(0, 1e-6)); d != "" {
		t.Errorf("replayed − said by the daemon +\n%s", d)
	}
	t.Logf("%d excursions, %d alarms, %d batches agree", len(live.Excursions), len(live.Alarms), len(live.Batches))
}

// A second daemon on a directory names the first and leaves it alone.
func TestSystemASecondDaemon(t *testing.T) {
	if testing.Short() {
		t.Skip("a system test")
	}
	dir := t.TempDir()
	b, err := mqtt.NewBroker("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	d := startDemo(t, dir, "tcp://"+b.Addr())
	cmd := exec.Command(binary(t), "demo", "--listen", "127.0.0.1:0", "--dir", dir, "--broker", "tcp://"+b.Addr())
	out, err := cmd.CombinedOutput()
	if err == nil || cmd.ProcessState.ExitCode() != exitFailed || !strings.Contains(string(out), fmt.Sprintf("pid %d", d.cmd.Process.Pid)) {
		t.Errorf("exit %d, want 1 and the pid %d:\n%s", cmd.ProcessState.ExitCode(), d.cmd.Process.Pid, out)
	}
	// Commands go to the one that runs.
	ck := func(want int, args ...string) string {
		t.Helper()
		cmd := exec.Command(binary(t), append(args, "--dir", dir)...)
		out, _ := cmd.CombinedOutput() // the exit code tells
		if got := cmd.ProcessState.ExitCode(); got != want {
			t.Errorf("coldkeep %s: exit %d, want %d\n%s", strings.Join(args, " "), got, want, out)
		}
		return string(out)
	}
	time.Sleep(3 * time.Second) // the first sweep
	ck(0, "batch", "receive", "NEW-1", "--profile", "example-20s", "--vials", "4", "--by", "tester")
	ck(0, "batch", "place", "NEW-1", "fridge-2", "--by", "tester")
	ck(0, "batch", "move", "NEW-1", "fridge-1", "--by", "tester")
	ck(1, "batch", "place", "NEW-1", "fridge-2", "--by", "tester")
	ck(1, "batch", "move", "NEW-1", "attic", "--by", "tester")
	ck(0, "batch", "take-out", "NEW-1", "--by", "tester")
	if got := ck(0, "batch", "show", "new-1"); !strings.Contains(got, "OUT OF THE FRIDGE") && !strings.Contains(got, "DO NOT USE") {
		t.Errorf("batch show:\n%s", got)
	}
	d.end(syscall.SIGTERM)
	if got := ck(0, "batch", "list"); !strings.Contains(got, "NEW-1") || !strings.Contains(got, "no daemon runs") {
		t.Errorf("the record of a stopped daemon:\n%s", got)
	}
}
