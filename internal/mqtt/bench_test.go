package mqtt

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"coldkeep/internal/coldchain"
	"coldkeep/internal/store"
	"coldkeep/sensor"
)

// many is how large a backlog is drained: a million takes a minute and more.
func many() int {
	if os.Getenv("COLDKEEP_SYSTEM") == "long" {
		return 1_000_000
	}
	return 100_000
}

// realBroker is Debian's Mosquitto where it is installed, or the embedded one.
// It does not hold small packets back, as configs/mosquitto says.
func realBroker(tb testing.TB) (addr, name string) {
	tb.Helper()
	const path = "/usr/sbin/mosquitto"
	if _, err := os.Stat(path); err != nil {
		b, err := NewBroker("127.0.0.1:0")
		if err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(func() { b.Close() })
		return b.Addr(), "the embedded broker"
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	addr = l.Addr().String()
	l.Close()
	_, port, _ := net.SplitHostPort(addr)
	conf := filepath.Join(tb.TempDir(), "mosquitto.conf")
	if err := os.WriteFile(conf, []byte("listener "+port+" 127.0.0.1\nallow_anonymous true\nuser root\nset_tcp_nodelay true\n"), 0o644); err != nil {
		tb.Fatal(err)
	}
	cmd := exec.Command(path, "-c", conf)
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	for range 100 {
		if c, err := net.Dial("tcp", addr); err == nil {
			c.Close()
			return addr, "Mosquitto"
		}
		time.Sleep(50 * time.Millisecond)
	}
	tb.Fatal("Mosquitto does not start")
	return "", ""
}

// A kept journal is a real record on disk, as the Monitor shows it.
type kept struct {
	*store.Store
	snap    *coldchain.Snapshot
	mu      sync.Mutex
	cursor  uint64
	changed chan struct{}
}

func (k *kept) Snapshot() *coldchain.Snapshot    { return k.snap }
func (k *kept) Changed() <-chan struct{}         { k.mu.Lock(); defer k.mu.Unlock(); return k.changed }
func (k *kept) Cursor(string) uint64             { k.mu.Lock(); defer k.mu.Unlock(); return k.cursor }
func (k *kept) SetCursor(_ string, place uint64) { k.mu.Lock(); defer k.mu.Unlock(); k.cursor = place }

// keep records n readings of so many probes, ten seconds apart.
func keep(b *testing.B, n, probes int) *kept {
	b.Helper()
	st, err := store.Open(b.Context(), b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { st.Close() })
	k := &kept{Store: st, changed: make(chan struct{}), snap: newRecord().Snapshot()}
	k.snap.Units, k.snap.Batches = nil, nil
	for i := range probes {
		k.snap.Units = append(k.snap.Units, coldchain.UnitState{Unit: coldchain.Unit{ID: fmt.Sprintf("fridge-%d", i)}, Probes: []coldchain.ProbeState{{ID: fmt.Sprintf("fridge-%d-vial", i), Judges: true, Up: true}}})
	}
	seq := uint64(0)
	for slot := sensor.Instant(1_780_000_000_000); seq < uint64(n); {
		var step coldchain.Step
		for range 1000 {
			w := sensor.Sweep{Slot: slot, Boot: "bench", Monotonic: int64(slot), Synchronized: true}
			for i := range probes {
				if seq == uint64(n) {
					break
				}
				seq++
				w.Readings = append(w.Readings, sensor.Reading{Seq: seq, Probe: k.snap.Units[i].Probes[0].ID, Time: slot, Temp: sensor.Temp(5000 + seq%64*31)})
			}
			step.At = slot
			step.Sweeps = append(step.Sweeps, w)
			slot += 10_000
		}
		if err := st.Record(b.Context(), step); err != nil {
			b.Fatal(err)
		}
	}
	k.snap.Seq = seq
	return k
}

// bare publishes n ready payloads with nothing but paho and the same window.
func bare(b *testing.B, addr string, n int, topic string, payload []byte) time.Duration {
	b.Helper()
	c := paho.NewClient(paho.NewClientOptions().AddBroker("tcp://" + addr).SetClientID("bare").SetProtocolVersion(4).SetAutoReconnect(false))
	if tok := c.Connect(); !tok.WaitTimeout(10*time.Second) || tok.Error() != nil {
		b.Fatal(tok.Error())
	}
	defer c.Disconnect(100)
	began := time.Now()
	var waiting []paho.Token
	settle := func() {
		if waiting[0].Wait(); waiting[0].Error() != nil {
			b.Fatal(waiting[0].Error())
		}
		waiting = waiting[1:]
	}
	for range n {
		if len(waiting) >= window {
			settle()
		}
		waiting = append(waiting, c.Publish(topic, 1, false, payload))
	}
	for len(waiting) > 0 {
		settle()
	}
	return time.Since(began)
}

// A backlog is drained nearly as fast as paho can publish at all: read from
// the record on disk, made into messages, acknowledged, the cursor moved.
func benchmarkDrain(b *testing.B, probes int) {
	n := many()
	addr, name := realBroker(b)
	k := keep(b, n, probes)
	first, err := k.Entries(b.Context(), 0, 1)
	if err != nil {
		b.Fatal(err)
	}
	m := topicsOf(k.snap).reading(first[0])
	var ours, theirs time.Duration
	for b.Loop() {
		theirs += bare(b, addr, n/2, m.topic, m.payload)
		k.SetCursor("", 0)
		p, err := New(k, Options{Broker: "tcp://" + addr, ClientID: "bench", Log: quiet})
		if err != nil {
			b.Fatal(err)
		}
		ctx, stop := context.WithCancel(b.Context())
		var running sync.WaitGroup
		began := time.Now()
		running.Go(func() { p.Run(ctx) })
		for k.Cursor("") != uint64(n) {
			time.Sleep(2 * time.Millisecond)
		}
		ours += time.Since(began)
		stop()
		running.Wait()
		theirs += bare(b, addr, n-n/2, m.topic, m.payload)
	}
	b.ReportMetric(float64(n)*float64(b.N)/ours.Seconds(), "messages/s")
	b.ReportMetric(float64(n)*float64(b.N)/theirs.Seconds(), "bare-messages/s")
	b.ReportMetric(theirs.Seconds()/ours.Seconds(), "of-bare")
	b.Logf("%d readings of %d probes through %s", n, probes, name)
}

func BenchmarkDrain8(b *testing.B)   { benchmarkDrain(b, 8) }
func BenchmarkDrain256(b *testing.B) { benchmarkDrain(b, 256) }

// From the end of a step to the broker's subscriber: the wait for a reading.
func BenchmarkReadingToBroker(b *testing.B) {
	addr, name := realBroker(b)
	k := keep(b, 8, 8)
	k.cursor = 8
	p, err := New(k, Options{Broker: "tcp://" + addr, ClientID: "bench", Log: quiet})
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(b.Context())
	var running sync.WaitGroup
	running.Go(func() { p.Run(ctx) })
	defer func() { stop(); running.Wait() }()
	c := paho.NewClient(paho.NewClientOptions().AddBroker("tcp://" + addr).SetClientID("reader"))
	if tok := c.Connect(); !tok.WaitTimeout(10*time.Second) || tok.Error() != nil {
		b.Fatal(tok.Error())
	}
	defer c.Disconnect(100)
	arrived := make(chan uint64, 64)
	if tok := c.Subscribe("coldkeep/+/+/probe/+/reading", 1, func(_ paho.Client, m paho.Message) { arrived <- seqOf(m.Payload()) }); !tok.WaitTimeout(10*time.Second) || tok.Error() != nil {
		b.Fatal(tok.Error())
	}
	for !p.Connected() {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(3 * time.Second) // what it remembers is asked once
	var took []time.Duration
	seq, slot := uint64(8), sensor.Instant(1_790_000_000_000)
	for b.Loop() {
		w := sensor.Sweep{Slot: slot, Boot: "bench", Monotonic: int64(slot), Synchronized: true}
		for i := range 8 {
			seq++
			w.Readings = append(w.Readings, sensor.Reading{Seq: seq, Probe: k.snap.Units[i].Probes[0].ID, Time: slot, Temp: 5000})
		}
		slot += 10_000
		began := time.Now()
		if err := k.Record(b.Context(), coldchain.Step{At: slot, Sweeps: []sensor.Sweep{w}}); err != nil {
			b.Fatal(err)
		}
		k.mu.Lock()
		close(k.changed)
		k.changed = make(chan struct{})
		k.mu.Unlock()
		for got := uint64(0); got != seq; {
			got = <-arrived
			took = append(took, time.Since(began))
		}
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "ms-p50")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "ms-p99")
	b.Logf("%d readings through %s, the record's own transaction included", len(took), name)
}
