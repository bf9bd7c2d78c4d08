package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
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

	"coldkeep/internal/coldchain"
	"coldkeep/internal/mqtt"
	"coldkeep/internal/store"
)

// sections lets the demo call people over a fake of ntfy. Nothing is in its
// fridges but what nobody tracks, and a fridge that goes on warming is one page.
const sections = `untracked_stock: true
worsens: 20
notify: [{id: push, channel: ntfy, server: NTFY, answers: answers-1}]
people:
  - {id: anna, name: "Anna Example", contacts: [{channel: push, to: topic-anna}]}
  - {id: bert, name: "Bert Example", contacts: [{channel: push, to: topic-bert}]}
  - {id: cleo, name: "Cleo Example", contacts: [{channel: push, to: topic-cleo}]}
policies: [{id: all, steps: [{call: [anna, bert, cleo], repeat: 1m}, {call: [everyone], after: 5m, repeat: 1m}]}]
drill: {every: monthly, day: 1, at: "10:00", within: 1m}
`

// callingDemo starts the real binary's demo, whose first fridge fails at an
// instant, with sections of a config in the place of its own.
func callingDemo(t *testing.T, dir, broker, sections string, fails time.Time) *demoRun {
	t.Helper()
	origin := filepath.Join(dir, "demo-origin")
	if _, err := os.Stat(origin); err != nil {
		if err := os.WriteFile(origin, []byte(fails.Add(-demoFailure).UTC().Format(time.RFC3339)+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return startDemo(t, dir, "tcp://"+broker, "--with", write(t, "sections.yaml", sections))
}

func embeddedBroker(t *testing.T) string {
	t.Helper()
	b, err := mqtt.NewBroker("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b.Addr()
}

// alarms asks a demo what people are called for.
func (d *demoRun) alarms() (x alarmsAnswer) {
	d.t.Helper()
	if err := json.Unmarshal([]byte(d.get("/api/v1/alarms")), &x); err != nil {
		d.t.Fatal(err)
	}
	return x
}

// trouble is the one of a unit that is known; its Key is "" where there is none.
func (x alarmsAnswer) trouble(unit string) (found coldchain.Trouble) {
	for _, t := range x.Troubles {
		if slices.Contains(t.Units, unit) {
			found = t
		}
	}
	return found
}

// coldkeep runs the real binary against a directory's daemon.
func coldkeep(t *testing.T, dir string, want int, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary(t), append(args, "--dir", dir)...)
	out, _ := cmd.CombinedOutput() // the exit code tells
	if got := cmd.ProcessState.ExitCode(); got != want {
		t.Errorf("coldkeep %s: exit %d, want %d\n%s", strings.Join(args, " "), got, want, out)
	}
	return string(out)
}

// Everything that a person may do about an alarm, by the real binary over the
// running demo's socket; and the test of the way to the phones, answered and not.
func TestSystemAlarmsByTheCommandLine(t *testing.T) {
	if testing.Short() {
		t.Skip("a system test")
	}
	t.Parallel()
	ntfy, dir := startNtfy(t), t.TempDir()
	d := callingDemo(t, dir, embeddedBroker(t), strings.ReplaceAll(sections, "NTFY", ntfy.URL), time.Now().Add(-10*time.Second))
	time.Sleep(2500 * time.Millisecond) // the first sweep
	ck := func(want int, args ...string) string { t.Helper(); return coldkeep(t, dir, want, args...) }
	var answering sync.WaitGroup
	answering.Go(func() {
		m := ntfy.await(t, "topic-anna", "the test", 30*time.Second, loud)
		if !strings.Contains(m.Title, "TEST") || strings.Contains(m.Title, "WARM") {
			t.Errorf("the test: %s", m.Title)
		}
		ntfy.press(t, m, 0)
	})
	if out := ck(0, "alarms", "test", "--person", "anna", "--within", "20s", "--by", "tester"); !strings.Contains(out, "answered by Anna Example after ") {
		t.Errorf("the test: %s", out)
	}
	answering.Wait()
	if n := len(ntfy.on("topic-bert")); n != 0 {
		t.Errorf("of anna's test bert got %d messages", n)
	}
	drill := d.alarms().Troubles
	if len(drill) != 1 || !drill[0].Drill || drill[0].State != "cleared" {
		t.Fatalf("after the test: %+v", drill)
	}
	if out := ck(0, "alarms", "close", drill[0].Key, "--cause", "a test", "--action", "none", "--by", "tester"); !strings.Contains(out, ": closed, ") {
		t.Errorf("close: %s", out)
	}
	if out := ck(1, "alarms", "test", "--person", "bert", "--within", "2s"); !strings.Contains(out, "nobody answered the test within 2s") {
		t.Errorf("a test that nobody answers: %s", out)
	}
	if out := ck(1, "alarms", "test", "--person", "carl", "--within", "2s"); !strings.Contains(out, "people:") {
		t.Errorf("a test of nobody: %s", out)
	}

	// Anna and Bert have just had a message: a second one within a minute waits.
	m := ntfy.await(t, "topic-cleo", "the page", 90*time.Second, func(m *pushed) bool { return loud(m) && strings.Contains(m.Title, "TREATMENT ROOM FRIDGE TOO WARM") })
	// The alarm begins at the slot of a reading, which takes the chips 0.8 s.
	if x := d.alarms(); len(x.Alarms) > 0 {
		t.Logf("the message left %v after the slot of the reading that was one too many, %v after it was judged", m.at.Sub(x.Alarms[0].Raised.Time()).Round(time.Millisecond),
			m.at.Sub(x.trouble("fridge-1").Opened.Time()).Round(time.Millisecond))
	}
	if out := ck(1, "alarms", "close", "fridge-1", "--cause", "x", "--action", "y"); !strings.Contains(out, "fridge-1") {
		t.Errorf("close what goes on: %s", out)
	}
	if out := ck(1, "alarms", "shelve", "fridge-1", "--for", "5h", "--reason", "defrost"); !strings.Contains(out, "4 h at the most") {
		t.Errorf("shelve for too long: %s", out)
	}
	if out := ck(0, "alarms", "shelve", "fridge-1", "--for", "1h", "--reason", "defrost", "--by", "tester"); !strings.Contains(out, ": shelved until ") {
		t.Errorf("shelve: %s", out)
	}
	if x := d.alarms().trouble("fridge-1"); x.State != "shelved" || x.Reason != "defrost" || x.By != "tester" || x.Via != "cli" {
		t.Errorf("shelved: %+v", x)
	}
	if out := ck(0, "alarms", "unshelve", "fridge-1"); !strings.Contains(out, ": unshelved") {
		t.Errorf("unshelve: %s", out)
	}
	if out := ck(0, "alarms", "ack", "fridge-1", "--promise", "30m", "--person", "bert", "--id", "ack-1"); !strings.Contains(out, ": acknowledged until ") {
		t.Errorf("ack: %s", out)
	}
	if out := ck(0, "alarms", "ack", "fridge-1", "--promise", "10m", "--person", "bert", "--id", "ack-1"); !strings.Contains(out, ": acknowledged until ") {
		t.Errorf("the same once more: %s", out)
	}
	if out := ck(1, "alarms", "ack", "fridge-1", "--by", "somebody else"); !strings.Contains(out, "Bert Example has it already") {
		t.Errorf("ack by another: %s", out)
	}
	if x := d.alarms().trouble("fridge-1"); x.State != "acknowledged" || x.By != "Bert Example" || x.Until == nil || time.Until(x.Until.Time()) < 25*time.Minute {
		t.Errorf("acknowledged: %+v", x)
	}
	ntfy.await(t, "topic-cleo", "who goes", 20*time.Second, func(m *pushed) bool { return !loud(m) && strings.HasPrefix(m.Title, "Bert Example is going") })
	if out := ck(0, "alarms", "list"); !strings.Contains(out, "Bert Example until ") {
		t.Errorf("list: %s", out)
	}
	if long { // the drill that nobody answered, and its alarm for the day
		for end := time.Now().Add(80 * time.Second); ; time.Sleep(time.Second) {
			x := d.alarms()
			if slices.ContainsFunc(x.Alarms, func(a coldchain.Alarm) bool { return a.Rule == "unanswered" }) {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("a drill of one minute that nobody answers is no alarm: %+v", x)
			}
		}
	}
	d.end(syscall.SIGTERM)
	if out := ck(0, "alarms", "list"); !strings.Contains(out, "fridge-1") {
		t.Errorf("list of a stopped daemon: %s", out)
	}
}

// needMosquitto skips where the real broker is not wanted or not here.
func needMosquitto(t *testing.T) string {
	t.Helper()
	if !long {
		t.Skip("a long system test: make system-test")
	}
	if _, err := os.Stat("/usr/sbin/mosquitto"); err != nil {
		t.Skip("Mosquitto is not installed here")
	}
	return startBroker(t)
}

// Alarms are answered over the real Mosquitto; nothing of the stock is
// changed that way, and a command that was left behind does nothing.
func TestSystemAlarmsOverMosquitto(t *testing.T) {
	broker := needMosquitto(t)
	t.Parallel()
	ntfy, dir := startNtfy(t), t.TempDir()
	const base = "coldkeep/demo/demo/"
	c := paho.NewClient(paho.NewClientOptions().AddBroker("tcp://" + broker).SetClientID("test-commander"))
	done := func(tok paho.Token) {
		t.Helper()
		if !tok.WaitTimeout(10*time.Second) || tok.Error() != nil {
			t.Fatalf("mqtt: %v", tok.Error())
		}
	}
	done(c.Connect())
	defer c.Disconnect(50)
	answers := make(chan [2]string, 100)
	done(c.Subscribe(base+"answer/+", 1, func(_ paho.Client, m paho.Message) {
		answers <- [2]string{strings.TrimPrefix(m.Topic(), base+"answer/"), string(m.Payload())}
	}))
	answer := func(id string) string {
		t.Helper()
		select {
		case a := <-answers:
			if a[0] != id {
				t.Fatalf("an answer to %s, not to %s: %s", a[0], id, a[1])
			}
			return a[1]
		case <-time.After(20 * time.Second):
			t.Fatalf("no answer to %s", id)
			return ""
		}
	}
	done(c.Publish(base+"command/ack", 1, true, `{"id":"old","alarm":"fridge-1","by":"nobody"}`))
	with := strings.ReplaceAll(sections, "NTFY", ntfy.URL) + "mqtt: {broker: \"tcp://" + broker + "\", commands: true}\n"
	d := callingDemo(t, dir, broker, with, time.Now().Add(-5*time.Minute))
	ntfy.await(t, "topic-anna", "the page", 60*time.Second, loud)

	done(c.Publish(base+"command/receive", 1, false, `{"id":"no-1","batch":"NEW-1","profile":"example-20s","by":"tester"}`))
	if got := answer("no-1"); !strings.Contains(got, "is not taken over MQTT") {
		t.Errorf("receive: %s", got)
	}
	if got := d.get("/api/v1/batches"); strings.Contains(got, "NEW-1") {
		t.Errorf("batches: %s", got)
	}
	if x := d.alarms().trouble("fridge-1"); x.State != "raised" {
		t.Errorf("a command that was left behind was carried out: %+v", x)
	}
	for range 2 { // a repeat does nothing, and gets the first answer
		done(c.Publish(base+"command/ack", 1, false, `{"id":"ack-1","alarm":"fridge-1","person":"bert","promise":"30m"}`))
		if got := answer("ack-1"); !strings.Contains(got, `"kind":"alarm_acknowledged"`) || !strings.Contains(got, `"via":"mqtt"`) {
			t.Errorf("ack: %s", got)
		}
	}
	if x := d.alarms().trouble("fridge-1"); x.State != "acknowledged" || x.By != "Bert Example" || x.Via != "mqtt" {
		t.Errorf("acknowledged: %+v", x)
	}
	ntfy.await(t, "topic-anna", "who goes", 20*time.Second, func(m *pushed) bool { return strings.HasPrefix(m.Title, "Bert Example is going") })
	select {
	case a := <-answers:
		t.Errorf("an answer too many: %s", a)
	case <-time.After(time.Second):
	}
	d.end(syscall.SIGTERM)
}

// Killed at any instant while people are called: every page is sent, none more
// often than kills found it without a word of it, every repeat says that it may
// be one, the trouble is never forgotten, and nobody is called again for what
// somebody has taken.
func TestSystemKilledWhilePeopleAreCalled(t *testing.T) {
	if testing.Short() {
		t.Skip("a system test")
	}
	t.Parallel()
	kills, after := 3, 2
	if long {
		kills, after = 20, 15
	}
	ntfy, dir, broker := startNtfy(t), t.TempDir(), embeddedBroker(t)
	ntfy.slow = 1500 * time.Millisecond // between taken and told there is time to die
	with := strings.ReplaceAll(sections, "NTFY", ntfy.URL)
	copies := map[string]int{} // by notification: so often it may have been sent
	key := ""
	look := func(d *demoRun, state string) {
		t.Helper()
		for end := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
			x := d.alarms().trouble("fridge-1")
			if key == "" {
				key = x.Key
			}
			if x.Key != "" && x.Key == key && x.State == state {
				return
			}
			if time.Now().After(end) {
				t.Fatalf("the trouble %s is not %s any more: %+v", key, state, d.alarms())
			}
		}
	}
	kill := func(d *demoRun, within time.Duration) {
		t.Helper()
		time.Sleep(rand.N(within))
		d.end(syscall.SIGKILL)
		for id, e := range called(t, dir) {
			if copies[id] == 0 {
				copies[id] = 1
			}
			if e.open {
				copies[id]++
			}
		}
	}
	start := func() *demoRun { return callingDemo(t, dir, broker, with, time.Now().Add(-5*time.Minute)) }
	first := start()
	ntfy.await(t, "topic-anna", "the page", 60*time.Second, loud)
	key = first.alarms().trouble("fridge-1").Key
	kill(first, 100*time.Millisecond) // it was taken, and nobody has been told so
	for range kills - 1 {
		d := start()
		if key != "" {
			look(d, "raised")
		} else {
			time.Sleep(time.Duration(rand.IntN(3000)) * time.Millisecond)
			key = d.alarms().trouble("fridge-1").Key
		}
		kill(d, 2500*time.Millisecond)
	}
	d := start()
	look(d, "raised")
	m := ntfy.await(t, "topic-anna", "the page", 60*time.Second, loud)
	ntfy.press(t, m, 0)
	look(d, "acknowledged")
	known := called(t, dir)
	kill(d, 2500*time.Millisecond)
	for range after {
		d = start()
		look(d, "acknowledged")
		kill(d, 2500*time.Millisecond)
	}
	d = start()
	look(d, "acknowledged")
	ntfy.await(t, "topic-bert", "who goes", 30*time.Second, func(p *pushed) bool { return strings.HasPrefix(p.Title, "Anna Example is going") })
	time.Sleep(2 * time.Second)
	d.end(syscall.SIGTERM)

	sent, most := map[string][]*pushed{}, 0
	for _, p := range slices.Concat(ntfy.on("topic-anna"), ntfy.on("topic-bert"), ntfy.on("topic-cleo")) {
		if loud(p) {
			sent[p.notification()] = append(sent[p.notification()], p)
		}
	}
	all := called(t, dir)
	for id, e := range all {
		n := len(sent[id])
		most = max(most, n)
		switch {
		case n == 0:
			t.Errorf("notification %s was never sent: %+v", id, e)
		case n > max(copies[id], 1):
			t.Errorf("notification %s was sent %d times; %d kills found it without a word of it", id, n, copies[id]-1)
		}
		for i, p := range sent[id] {
			if i > 0 && !p.repeat() {
				t.Errorf("notification %s, sent for the %d. time, does not say that it may be a repeat: %s", id, i+1, p.Message)
			}
		}
		if _, ok := known[id]; !ok {
			t.Errorf("somebody was called for what was taken: %s: %+v", id, e)
		}
	}
	for id := range sent {
		if _, ok := all[id]; !ok {
			t.Errorf("notification %s was sent, and the journal does not know it", id)
		}
	}
	if most < 2 {
		t.Error("a page that was taken and not reported was not sent again")
	}
	t.Logf("%d kills, %d calls, each sent once to %d times", kills+after+1, len(all), most)
}

// A wasCalled is a loud message to a person, as the journal has it.
type wasCalled struct {
	person string
	open   bool // nobody has reported on it
}

// called reads the journal of a daemon that may be dead.
func called(t *testing.T, dir string) map[string]wasCalled {
	t.Helper()
	st, err := store.OpenReadOnly(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	list := map[string]wasCalled{}
	events, err := st.EventsOf(t.Context(), coldchain.NotificationDue, coldchain.NotificationSent, coldchain.NotificationFailed, coldchain.NotificationUnknown)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		id := e.Call.Notification
		switch was, ok := list[id]; {
		case e.Kind == coldchain.NotificationDue && e.Call.Purpose == "page":
			list[id] = wasCalled{e.Call.Person, true}
		case ok:
			was.open = false
			list[id] = was
		}
	}
	return list
}

// A file with an error is told with its line, and one that the demo cannot
// read at all.
func TestSectionsOfTheDemo(t *testing.T) {
	file := write(t, "sections.yaml", "people:\n  - {id: anna, name: \"Anna Example\", contacts: [{channel: pigeon, to: x}]}\n")
	code, _, errOut := call(t, "demo", "--dir", t.TempDir(), "--with", file)
	if code != exitFailed || !strings.Contains(errOut, fmt.Sprintf("%s:2:", file)) || !strings.Contains(errOut, "pigeon") {
		t.Errorf("exit %d: %s", code, errOut)
	}
	if code, _, errOut := call(t, "demo", "--with", "/nonexistent/file"); code != exitFailed || !strings.Contains(errOut, "/nonexistent/file") {
		t.Errorf("exit %d: %s", code, errOut)
	}
}
