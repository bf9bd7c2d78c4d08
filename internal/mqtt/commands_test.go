package mqtt

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"coldkeep/internal/coldchain"
)

// A watcher is another client of the broker.
type watcher struct {
	c   paho.Client
	mu  sync.Mutex
	got map[string]string
	n   map[string]int // messages by topic
	// kept are those that were retained when it came.
	kept map[string]bool
	list []string // topics in the order of arrival
}

func watch(t *testing.T, addr, topic string) *watcher {
	t.Helper()
	w := &watcher{c: paho.NewClient(paho.NewClientOptions().AddBroker("tcp://" + addr).SetClientID("watcher-" + strings.ToLower(t.Name()) + topic)), got: map[string]string{}, n: map[string]int{}, kept: map[string]bool{}}
	settled(t, w.c.Connect())
	t.Cleanup(func() { w.c.Disconnect(10) })
	settled(t, w.c.Subscribe(topic, 1, func(_ paho.Client, m paho.Message) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.got[m.Topic()] = string(m.Payload())
		w.n[m.Topic()]++
		w.kept[m.Topic()] = m.Retained()
		w.list = append(w.list, m.Topic()+" "+string(m.Payload()))
	}))
	return w
}

func settled(t *testing.T, tok paho.Token) {
	t.Helper()
	if !tok.WaitTimeout(10*time.Second) || tok.Error() != nil {
		t.Fatalf("the broker did not answer: %v", tok.Error())
	}
}

func (w *watcher) said(topic string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.got[topic]
}

func (w *watcher) count(topic string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.n[topic]
}

func broker(t *testing.T) *Broker {
	t.Helper()
	b, err := NewBroker("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() }) // the test may have closed it
	return b
}

// start runs a publisher until the test ends, and waits for its connection.
func start(t *testing.T, j Journal, o Options, change func(*Publisher)) *Publisher {
	t.Helper()
	p, err := New(j, o)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(p)
	}
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { p.Run(ctx) })
	t.Cleanup(func() { stop(); running.Wait() })
	return p
}

// Answers to alarms come by the broker and are answered there, as over HTTP.
func TestCommandsOverMQTT(t *testing.T) {
	b := broker(t)
	w := watch(t, b.Addr(), "coldkeep/s/n/#")
	settled(t, w.c.Publish("coldkeep/s/n/command/ack", 1, true, `{"id":"retained","by":"x"}`))
	// The broker acknowledges before it hands on: whoever subscribes between gets
	// it as one that was just sent.
	await(t, "the retained one", func() bool { return strings.Contains(w.said("coldkeep/s/n/command/ack"), "retained") })
	var mu sync.Mutex
	var done []coldchain.Command
	start(t, newRecord(), Options{Broker: "tcp://" + b.Addr(), ClientID: "test", Do: func(_ context.Context, c coldchain.Command) (coldchain.Event, error) {
		mu.Lock()
		defer mu.Unlock()
		done = append(done, c)
		if c.Alarm == "none" {
			return coldchain.Event{}, &coldchain.Refusal{Code: "not_found", Message: "no trouble of that name is open"}
		}
		return coldchain.Event{Seq: 7, Kind: coldchain.AlarmAcknowledged, By: c.By, Via: c.Via, Call: &coldchain.Call{Trouble: c.Alarm, Receipt: "secret"}}, nil
	}}, nil)
	await(t, "online", func() bool { return w.said("coldkeep/s/n/status") == "online" })
	for _, c := range []struct{ name, id, payload, want string }{
		{"ack", "a1", `{"id":"a1","alarm":"fridge-1","promise":"20m","by":"Anna Example","via":"page"}`, `"kind":"alarm_acknowledged"`},
		{"decline", "a2", `{"id":"a2","alarm":"none","by":"Anna Example"}`, `{"error":{"code":"not_found","message":"no trouble of that name is open"}}`},
		{"close", "a3", `{"id":"a3","cause":"door","by":"x"}`, `"code":"bad_request","message":"\"close\" is not taken over MQTT`},
		{"receive", "a4", `{"id":"a4","batch":"B","by":"x"}`, `is not taken over MQTT`},
		{"ack", "a5", `{"id":"a5","alarms":"x"}`, `unknown field`},
		{"ack", "a6", `{"id":"a6","by":"x"} {}`, `something follows it`},
	} {
		settled(t, w.c.Publish("coldkeep/s/n/command/"+c.name, 1, false, c.payload))
		topic := "coldkeep/s/n/answer/" + c.id
		await(t, "the answer to "+c.payload, func() bool { return w.said(topic) != "" })
		if got := w.said(topic); !strings.Contains(got, c.want) || !json.Valid([]byte(got)) || strings.Contains(got, "secret") {
			t.Errorf("%s: %s, without %s", c.payload, got, c.want)
		}
	}
	// Neither what has no id nor what was retained is carried out or answered.
	for _, payload := range []string{`{"by":"x"}`, `{"id":"a/b","by":"x"}`, `{"id":"` + strings.Repeat("a", 65) + `"}`, "", "{", `{"id":"a7","by":"` + strings.Repeat("x", commandMost) + `"}`} {
		settled(t, w.c.Publish("coldkeep/s/n/command/ack", 1, false, payload))
	}
	settled(t, w.c.Publish("coldkeep/s/n/command/ack", 1, false, `{"id":"last","alarm":"fridge-1","by":"x"}`))
	await(t, "the last answer", func() bool { return w.said("coldkeep/s/n/answer/last") != "" })
	mu.Lock()
	defer mu.Unlock()
	var ids []string
	for _, c := range done {
		ids = append(ids, c.ID)
		if c.Via != "mqtt" || c.Name == "" {
			t.Errorf("done %+v", c)
		}
	}
	if want := []string{"a1", "a2", "last"}; !reflect.DeepEqual(ids, want) {
		t.Errorf("done %v, want %v", ids, want)
	}
}

// A command that takes its time holds up neither readings nor other answers;
// what is more than can wait is refused.
func TestASlowCommandHoldsNothingUp(t *testing.T) {
	b := broker(t)
	w := watch(t, b.Addr(), "coldkeep/s/n/#")
	begun, release := make(chan struct{}, commandsWaiting+3), make(chan struct{})
	r := newRecord()
	start(t, r, Options{Broker: "tcp://" + b.Addr(), ClientID: "test", Do: func(ctx context.Context, c coldchain.Command) (coldchain.Event, error) {
		begun <- struct{}{}
		select {
		case <-release:
		case <-ctx.Done():
		}
		return coldchain.Event{ID: c.ID}, nil
	}}, nil)
	await(t, "online", func() bool { return w.said("coldkeep/s/n/status") == "online" })
	send := func(i int) {
		settled(t, w.c.Publish("coldkeep/s/n/command/ack", 1, false, fmt.Sprintf(`{"id":"c%d","by":"x"}`, i)))
	}
	answered := func(i int) string { return w.said(fmt.Sprintf("coldkeep/s/n/answer/c%d", i)) }
	send(0)
	<-begun
	for i := 1; i <= commandsWaiting+1; i++ {
		send(i)
	}
	last := commandsWaiting + 1
	await(t, "a refusal", func() bool { return strings.Contains(answered(last), `"code":"unavailable"`) })
	r.add(200)
	await(t, "the readings", func() bool { return r.Cursor("") == 200 })
	for i := range last {
		if a := answered(i); a != "" {
			t.Errorf("command %d was answered before it was done: %s", i, a)
		}
	}
	close(release)
	for i := range last {
		await(t, fmt.Sprintf("the answer to command %d", i), func() bool { return strings.Contains(answered(i), `"event"`) })
	}
}

// Where commands are not configured, none is heard.
func TestNoCommandUnlessConfigured(t *testing.T) {
	b := broker(t)
	w := watch(t, b.Addr(), "coldkeep/s/n/#")
	r := newRecord()
	start(t, r, Options{Broker: "tcp://" + b.Addr(), ClientID: "test"}, nil)
	await(t, "online", func() bool { return w.said("coldkeep/s/n/status") == "online" })
	settled(t, w.c.Publish("coldkeep/s/n/command/ack", 1, false, `{"id":"c","by":"x"}`))
	r.add(1)
	await(t, "a reading", func() bool { return r.Cursor("") == 1 })
	if a := w.said("coldkeep/s/n/answer/c"); a != "" {
		t.Errorf("answered %s", a)
	}
}

// An event is flat on MQTT, also with what was decided about calling people;
// nobody's address and no message's text go with it.
func TestEventsAreFlat(t *testing.T) {
	own := reflect.TypeFor[coldchain.Event]()
	names := map[string]bool{"record": true, "time_unix_ms": true}
	for i := range own.NumField() {
		name, _, _ := strings.Cut(own.Field(i).Tag.Get("json"), ",")
		names[name] = true
	}
	for _, inner := range []struct {
		prefix string
		of     reflect.Type
	}{{"", reflect.TypeFor[coldchain.Call]()}, {"", reflect.TypeFor[coldchain.Check]()}, {"arrival_", reflect.TypeFor[coldchain.Arrival]()}, {"origin_", reflect.TypeFor[coldchain.Origin]()},
		{"paper_", reflect.TypeFor[coldchain.Paper]()}, {"readout_", reflect.TypeFor[coldchain.Readout]()}} {
		for i := range inner.of.NumField() {
			name, _, _ := strings.Cut(inner.of.Field(i).Tag.Get("json"), ",")
			if name = inner.prefix + name; names[name] {
				t.Errorf("%s is a field of an event and of its %s: one would hide the other", name, inner.of.Name())
			}
		}
	}
	r := newRecord()
	e := coldchain.Event{V: 1, Seq: 4, Time: 5000, Kind: coldchain.NotificationDue, Channel: "ntfy", Rules: []string{"a", "b"}, Config: &coldchain.Config{}, Call: &coldchain.Call{
		Troubles: []string{"t1", "t2"}, Urgent: []string{"x"}, Person: "anna", Receipt: "secret-receipt", Body: "a long text", Purpose: "page", Step: 2, Repeat: true, BeyondMC: 1400, Until: 61_000, AfterS: 7}}
	list, err := topicsOf(r.Snapshot()).entry(coldchain.Entry{Seq: 4, Event: &e}, time.Now())
	if err != nil || len(list) != 1 || list[0].topic != "coldkeep/s/n/event" {
		t.Fatal(list, err)
	}
	payload := list[0].payload
	var got map[string]any
	if err := json.Unmarshal(payload, &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"v": 1.0, "seq": 4.0, "record": "0123456789abcdef", "time": "1970-01-01T00:00:05Z", "time_unix_ms": 5000.0, "kind": "notification_due", "channel": "ntfy", "rules": "a,b",
		"troubles": "t1,t2", "urgent": "x", "person": "anna", "purpose": "page", "step": 2.0, "repeat": true, "beyond_mc": 1400.0, "until": "1970-01-01T00:01:01Z", "after_s": 7.0}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	if e.Call.Body == "" || e.Call.Receipt == "" {
		t.Error("the journal's own event was changed")
	}
}

// What was found when a probe was checked lies flat beside the rest.
func TestACheckIsFlat(t *testing.T) {
	e := coldchain.Event{V: 1, Seq: 4, Time: 5000, Kind: coldchain.ProbeChecked, Probe: "f1", Check: &coldchain.Check{Found: 310, Raw: 300, Tolerance: 500, Good: true, Instrument: "ds18b20 x", Batches: []string{"A", "B"}}}
	list, err := topicsOf(newRecord().Snapshot()).entry(coldchain.Entry{Seq: 4, Event: &e}, time.Now())
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	var got map[string]any
	if err := json.Unmarshal(list[0].payload, &got); err != nil {
		t.Fatal(err)
	}
	if got["found_c"] != 0.31 || got["reference_c"] != 0.0 || got["good"] != true || got["batches"] != "A,B" || got["check"] != nil {
		t.Errorf("%v", got)
	}
}

// Whatever the broker brings is a command that may be carried out, or an error.
func FuzzCommand(f *testing.F) {
	f.Add("ack", []byte(`{"id":"1","alarm":"fridge-1","promise":"20m","by":"x"}`))
	f.Add("discard", []byte(`{"id":"1","batch":"B"}`))
	f.Add("ack", []byte(`{"id":"1"}{"id":"2"}`))
	f.Fuzz(func(t *testing.T, name string, payload []byte) {
		c, id, err := read("coldkeep/s/n/command/"+name, payload)
		if id != "" && !validID(id) {
			t.Errorf("answers to %q", id)
		}
		if err == nil && (!taken[c.Name] || c.ID != id || id == "" || c.Via != "mqtt") {
			t.Errorf("takes %+v", c)
		}
	})
}
