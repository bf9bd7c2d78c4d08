package mqtt

import (
	"context"
	"encoding/json"
	"sync"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"coldkeep/internal/coldchain"
	"coldkeep/sensor"
)

// record is a journal in memory that the test adds to.
type record struct {
	mu      sync.Mutex
	list    []coldchain.Entry
	snap    coldchain.Snapshot
	cursor  uint64
	changed chan struct{}
	moved   func(uint64) // is told of each move of the cursor
}

func newRecord() *record {
	temp := sensor.Temp(5100)
	r := &record{changed: make(chan struct{})}
	r.snap = coldchain.Snapshot{Record: "0123456789abcdef", Node: "n", Site: coldchain.Site{ID: "s"},
		Units:   []coldchain.UnitState{{Unit: coldchain.Unit{ID: "f"}, Temp: &temp, TempAt: 5000, Probes: []coldchain.ProbeState{{ID: "p", Judges: true, Up: true}}}},
		Batches: []coldchain.BatchState{{ID: "B", Unit: "f", Verdict: coldchain.InRange, Now: coldchain.NowInRange}}}
	return r
}

func (r *record) Snapshot() *coldchain.Snapshot {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.snap
	return &s
}
func (r *record) Changed() <-chan struct{} { r.mu.Lock(); defer r.mu.Unlock(); return r.changed }
func (r *record) Cursor(string) uint64     { r.mu.Lock(); defer r.mu.Unlock(); return r.cursor }
func (r *record) SetCursor(_ string, s uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cursor = s
	if r.moved != nil {
		r.moved(s)
	}
}
func (r *record) Entries(_ context.Context, after uint64, limit int) ([]coldchain.Entry, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := r.list[min(int(after), len(r.list)):]
	return list[:min(limit, len(list))], nil
}

func (r *record) Events(_ context.Context, after uint64, limit int) (events []coldchain.Event, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.list[min(int(after), len(r.list)):] {
		if e.Event != nil && len(events) < limit {
			events = append(events, *e.Event)
		}
	}
	return events, nil
}

func (r *record) add(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for range n {
		seq := uint64(len(r.list) + 1)
		e := coldchain.Entry{Seq: seq, Reading: &sensor.Reading{Seq: seq, Probe: "p", Time: sensor.Instant(seq) * 1000, Temp: 5100}, Synchronized: true}
		if seq%10 == 0 {
			e = coldchain.Entry{Seq: seq, Event: &coldchain.Event{Seq: seq, Kind: coldchain.ConfigChanged, Config: &coldchain.Config{}, Rules: []string{"a", "b"}}}
		}
		r.list = append(r.list, e)
		r.snap.Seq = seq
	}
	close(r.changed)
	r.changed = make(chan struct{})
}

func (r *record) change(f func(*coldchain.Snapshot)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f(&r.snap)
	close(r.changed)
	r.changed = make(chan struct{})
}

func await(t *testing.T, what string, f func() bool) {
	t.Helper()
	for range 400 {
		if f() {
			return
		}
		time.Sleep(25 * time.Millisecond)
	}
	t.Fatalf("waited 10 s for %s in vain", what)
}

// A broker that dies in the middle of a flood loses nothing: everything is
// acknowledged in the end, by the broker that comes after it.
func TestABrokerThatDiesInAFlood(t *testing.T) {
	b, err := NewBroker("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := b.Addr()
	r := newRecord()
	p, err := New(r, Options{Broker: "tcp://" + addr, ClientID: "test"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { p.Run(ctx) })
	r.add(3000)
	await(t, "the first acknowledgements", func() bool { return r.Cursor("") > 200 })
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	r.add(500)
	await(t, "the loss to be seen", func() bool { return !p.Connected() })
	if p.Backlog() == 0 && r.Cursor("") != 3500 {
		t.Errorf("backlog 0 at cursor %d", r.Cursor(""))
	}
	if b, err = NewBroker(addr); err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	await(t, "the rest", func() bool { return r.Cursor("") == 3500 })
	stop()
	running.Wait()
}

// What is retained tells how things stand, and is cleared when a batch has
// left, also one that an earlier run left behind.
func TestRetainedStates(t *testing.T) {
	b, err := NewBroker("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	var mu sync.Mutex
	got := map[string]string{}
	c := paho.NewClient(paho.NewClientOptions().AddBroker("tcp://" + b.Addr()).SetClientID("watcher"))
	for _, tok := range []paho.Token{c.Connect()} {
		if !tok.WaitTimeout(5*time.Second) || tok.Error() != nil {
			t.Fatal(tok.Error())
		}
	}
	defer c.Disconnect(10)
	c.Publish("coldkeep/s/n/batch/GONE/state", 1, true, `{"batch":"GONE"}`).WaitTimeout(5 * time.Second)
	c.Subscribe("coldkeep/#", 1, func(_ paho.Client, m paho.Message) {
		mu.Lock()
		defer mu.Unlock()
		got[m.Topic()] = string(m.Payload())
	}).WaitTimeout(5 * time.Second)
	said := func(topic string) string { mu.Lock(); defer mu.Unlock(); return got["coldkeep/s/n/"+topic] }
	r := newRecord()
	p, err := New(r, Options{Broker: "tcp://" + b.Addr(), ClientID: "test"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { p.Run(ctx) })
	await(t, "online", func() bool { return said("status") == "online" })
	await(t, "the states", func() bool { return said("unit/f/state") != "" && said("batch/B/state") != "" })
	await(t, "the old batch to be cleared", func() bool { return said("batch/GONE/state") == "" })
	var unit map[string]any
	if err := json.Unmarshal([]byte(said("unit/f/state")), &unit); err != nil || unit["temperature_celsius"] != 5.1 || unit["probe_ok"] != 1.0 || unit["time_unix_ms"] != 5000.0 {
		t.Errorf("unit %v %v", unit, err)
	}
	r.add(10)
	await(t, "a reading", func() bool { return said("probe/p/reading") != "" })
	await(t, "an event", func() bool { return said("event") != "" })
	for topic, keys := range map[string][]string{"probe/p/reading": {"record", "seq", "time", "time_unix_ms", "unit", "probe", "temperature_celsius", "clock_synchronized"}, "event": {"record", "seq", "kind", "time"}} {
		var m map[string]any
		if err := json.Unmarshal([]byte(said(topic)), &m); err != nil {
			t.Fatal(err)
		}
		for _, k := range keys {
			if _, there := m[k]; !there {
				t.Errorf("%s lacks %s: %v", topic, k, m)
			}
		}
		for k, v := range m {
			switch v.(type) {
			case map[string]any, []any, nil:
				t.Errorf("%s: %s is not flat: %v", topic, k, v)
			}
		}
	}
	r.change(func(s *coldchain.Snapshot) { s.Batches = []coldchain.BatchState{{ID: "B"}} })
	await(t, "the batch to be cleared", func() bool { return said("batch/B/state") == "" })
	stop()
	running.Wait()
	await(t, "offline", func() bool { return said("status") == "offline" })
}

func TestBadBrokers(t *testing.T) {
	for _, b := range []string{"", "localhost:1883", "http://x:1", "tcp://"} {
		if _, err := New(newRecord(), Options{Broker: b}); err == nil {
			t.Errorf("%q was taken", b)
		}
	}
}
