package mqtt

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"coldkeep/internal/coldchain"
	"coldkeep/sensor"
)

// What an evil broker does about a packet.
type deed int

const (
	answer1   deed = iota // as the standard says
	drop                  // close the connection instead
	lastWord              // answer, then close
	ignore                // say nothing
	deaf                  // read and say nothing from here on
	postpone              // acknowledge later, with others, the newest first
	garbage               // answer with what is no MQTT
	foreign               // answer, and acknowledge what was never sent, and twice
	refuse                // of CONNECT and SUBSCRIBE: no
	postponed = 7         // so many are acknowledged together
)

// A place is what arrived of a place in the record.
type place struct {
	conn    int
	topic   string
	payload string
	seq     uint64
}

// An evil broker is written by hand, and does to each packet what the test
// says: of the connection's number, from 0, and of the packet's number among
// those of its kind in this connection, from 1; of PUBLISH only those of the
// record count.
type evil struct {
	l    net.Listener
	does func(conn int, kind byte, nth int) deed

	mu    sync.Mutex
	conns int
	open  []net.Conn
	got   []place
	acked map[uint64]bool
}

func newEvil(t *testing.T, does func(conn int, kind byte, nth int) deed) *evil {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e := &evil{l: l, does: does, acked: map[uint64]bool{}}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			e.mu.Lock()
			n := e.conns
			e.conns++
			e.open = append(e.open, c)
			e.mu.Unlock()
			serving.Go(func() { e.serve(n, c) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		e.mu.Lock()
		for _, c := range e.open {
			c.Close()
		}
		e.mu.Unlock()
		serving.Wait()
	})
	return e
}

func (e *evil) serve(n int, c net.Conn) {
	defer c.Close()
	count := map[byte]int{}
	var late []*packets.PublishPacket
	ack := func(p *packets.PublishPacket) error {
		if seq := seqOf(p.Payload); seq != 0 {
			e.mu.Lock()
			e.acked[seq] = true
			e.mu.Unlock()
		}
		a := packets.NewControlPacket(packets.Puback).(*packets.PubackPacket)
		a.MessageID = p.MessageID
		return a.Write(c)
	}
	for {
		if e.does(n, 0, 0) == drop {
			return
		}
		in, err := packets.ReadPacket(c)
		if err != nil {
			return
		}
		var kind byte
		switch p := in.(type) {
		case *packets.ConnectPacket:
			kind = packets.Connect
		case *packets.SubscribePacket:
			kind = packets.Subscribe
		case *packets.PublishPacket:
			if seq := seqOf(p.Payload); seq != 0 {
				kind = packets.Publish
				e.mu.Lock()
				e.got = append(e.got, place{n, p.TopicName, string(p.Payload), seq})
				e.mu.Unlock()
			}
		}
		what := answer1
		if kind != 0 {
			count[kind]++
			what = e.does(n, kind, count[kind])
		}
		switch what {
		case drop:
			return
		case ignore:
			continue
		case deaf:
			for {
				if _, err := packets.ReadPacket(c); err != nil {
					return
				}
			}
		case garbage:
			if _, err := c.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n")); err != nil {
				return
			}
			continue
		}
		switch p := in.(type) {
		case *packets.ConnectPacket:
			a := packets.NewControlPacket(packets.Connack).(*packets.ConnackPacket)
			if what == refuse {
				a.ReturnCode = packets.ErrRefusedBadUsernameOrPassword
			}
			err = a.Write(c)
		case *packets.SubscribePacket:
			a := packets.NewControlPacket(packets.Suback).(*packets.SubackPacket)
			a.MessageID, a.ReturnCodes = p.MessageID, []byte{1}
			if what == refuse {
				a.ReturnCodes = []byte{0x80}
			}
			err = a.Write(c)
		case *packets.UnsubscribePacket:
			a := packets.NewControlPacket(packets.Unsuback).(*packets.UnsubackPacket)
			a.MessageID = p.MessageID
			err = a.Write(c)
		case *packets.PingreqPacket:
			err = packets.NewControlPacket(packets.Pingresp).Write(c)
		case *packets.PublishPacket:
			if what == postpone {
				if late = append(late, p); len(late) == postponed {
					slices.Reverse(late)
					for _, x := range late {
						if err == nil {
							err = ack(x)
						}
					}
					late = nil
				}
				break
			}
			if what == foreign {
				a := packets.NewControlPacket(packets.Puback).(*packets.PubackPacket)
				a.MessageID = p.MessageID + 30_000
				if err = a.Write(c); err == nil {
					err = ack(p)
				}
			}
			if err == nil {
				err = ack(p)
			}
		case *packets.DisconnectPacket:
			return
		}
		if err != nil || what == lastWord {
			return
		}
	}
}

// seqOf is the place in the record that a payload is of, or 0.
func seqOf(payload []byte) uint64 {
	var x struct {
		Seq uint64 `json:"seq"`
	}
	if json.Unmarshal(payload, &x) != nil {
		return 0 // `online` is no place
	}
	return x.Seq
}

// A logbook is a log that a test reads.
type logbook struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logbook) Write(p []byte) (int, error) { l.mu.Lock(); defer l.mu.Unlock(); return l.b.Write(p) }
func (l *logbook) String() string              { l.mu.Lock(); defer l.mu.Unlock(); return l.b.String() }
func (l *logbook) log() *slog.Logger           { return slog.New(slog.NewTextHandler(l, nil)) }

// Whatever a broker does: the cursor never passes what it has not
// acknowledged, everything arrives in the end, in order by probe, and what
// comes again is the same.
func TestAnEvilBroker(t *testing.T) {
	until := func(conns int, kind byte, nth int, d deed) func(int, byte, int) deed {
		return func(conn int, k byte, n int) deed {
			if conn < conns && k == kind && n >= nth {
				return d
			}
			return answer1
		}
	}
	only := func(kind byte, d deed) func(int, byte, int) deed {
		return func(_ int, k byte, n int) deed {
			if k == kind {
				return d
			}
			return answer1
		}
	}
	for name, does := range map[string]func(int, byte, int) deed{
		"drops who comes":                  until(2, 0, 0, drop),
		"drops at CONNECT":                 until(2, packets.Connect, 1, drop),
		"ignores CONNECT":                  until(1, packets.Connect, 1, ignore),
		"answers CONNECT with garbage":     until(2, packets.Connect, 1, garbage),
		"refuses":                          until(2, packets.Connect, 1, refuse),
		"drops after CONNACK":              until(2, packets.Connect, 1, lastWord),
		"drops at SUBSCRIBE":               until(2, packets.Subscribe, 1, drop),
		"ignores SUBSCRIBE":                until(1, packets.Subscribe, 1, ignore),
		"drops after SUBACK":               until(2, packets.Subscribe, 2, lastWord),
		"forbids to read":                  only(packets.Subscribe, refuse),
		"drops at the first PUBLISH":       until(2, packets.Publish, 1, drop),
		"drops after the first PUBACK":     until(2, packets.Publish, 1, lastWord),
		"drops in the middle":              until(3, packets.Publish, 57, drop),
		"drops in the middle after PUBACK": until(3, packets.Publish, 57, lastWord),
		"answers PUBLISH with garbage":     until(2, packets.Publish, 30, garbage),
		"never acknowledges":               until(2, packets.Publish, 1, ignore),
		"goes deaf":                        until(2, packets.Publish, 20, deaf),
		"acknowledges in the wrong order":  only(packets.Publish, postpone),
		"acknowledges what it never got":   only(packets.Publish, foreign),
		"acknowledges every third not": func(conn int, k byte, n int) deed {
			return map[bool]deed{true: ignore}[conn < 2 && k == packets.Publish && n%3 == 0]
		},
		"drops each connection after a while": func(_ int, k byte, n int) deed { return map[bool]deed{true: drop}[k == packets.Publish && n > 90] },
		"goes deaf with acknowledgements owing": func(conn int, k byte, n int) deed {
			return map[bool]deed{true: postpone}[conn < 2 && k == packets.Publish]
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const n = 350 // fifty times postponed
			e := newEvil(t, does)
			r := newRecord()
			r.add(n - 50)
			spread := func() {
				r.mu.Lock()
				defer r.mu.Unlock()
				for i := range r.list {
					if x := r.list[i].Reading; x != nil {
						x.Probe = fmt.Sprintf("p%d", x.Seq%3)
					}
				}
			}
			spread()
			passed := uint64(0)
			r.moved = func(to uint64) {
				e.mu.Lock()
				defer e.mu.Unlock()
				for ; passed < to; passed++ {
					if !e.acked[passed+1] {
						t.Errorf("the cursor goes to %d, and %d is not acknowledged", to, passed+1)
					}
				}
			}
			p := start(t, r, Options{Broker: "tcp://" + e.l.Addr().String(), ClientID: "test", Log: slog.New(slog.DiscardHandler)}, func(p *Publisher) {
				p.least, p.patience = time.Millisecond, 500*time.Millisecond
			})
			time.Sleep(100 * time.Millisecond)
			r.mu.Lock() // under the lock: add closes `changed` before the probes are named
			for range 50 {
				seq := uint64(len(r.list) + 1)
				r.list = append(r.list, coldchain.Entry{Seq: seq, Reading: &sensor.Reading{Seq: seq, Probe: fmt.Sprintf("p%d", seq%3), Time: sensor.Instant(seq) * 1000, Temp: 5100}, Synchronized: true})
				r.snap.Seq = seq
			}
			close(r.changed)
			r.changed = make(chan struct{})
			r.mu.Unlock()
			// A connection that is cut may take acknowledgements with it that
			// were on their way: some need many.
			for end := time.Now().Add(time.Minute); r.Cursor("") != n; time.Sleep(10 * time.Millisecond) {
				if time.Now().After(end) {
					t.Fatalf("after a minute the cursor is at %d of %d", r.Cursor(""), n)
				}
			}
			if p.Published() != n {
				t.Errorf("%d published, want %d", p.Published(), n)
			}
			e.mu.Lock()
			defer e.mu.Unlock()
			e.arrived(t, n)
		})
	}
}

// arrived holds that n places arrived, in order within each connection and, of
// those that had not come before, by topic; and that repeats are the same.
func (e *evil) arrived(t *testing.T, n int) {
	t.Helper()
	first, newest, of := map[uint64]string{}, map[string]uint64{}, map[int]uint64{}
	for _, x := range e.got {
		if x.seq <= of[x.conn] {
			t.Errorf("connection %d: %d comes after %d", x.conn, x.seq, of[x.conn])
		}
		of[x.conn] = x.seq
		if before, again := first[x.seq]; again {
			if before != x.topic+" "+x.payload {
				t.Errorf("%d comes again and is another:\n%s\n%s %s", x.seq, before, x.topic, x.payload)
			}
			continue
		}
		first[x.seq] = x.topic + " " + x.payload
		if x.seq < newest[x.topic] {
			t.Errorf("%s: %d comes after %d", x.topic, x.seq, newest[x.topic])
		}
		newest[x.topic] = x.seq
	}
	if len(first) != n {
		t.Errorf("%d places arrived, want %d", len(first), n)
	}
}

// A broker that keeps who is there busy with refusals is told of once, in
// words that say what to do, without the password, and is not stormed.
func TestWrongCredentialsAreToldOnce(t *testing.T) {
	e := newEvil(t, func(_ int, k byte, _ int) deed { return map[bool]deed{true: refuse}[k == packets.Connect] })
	var book logbook
	start(t, newRecord(), Options{Broker: "tcp://" + e.l.Addr().String(), ClientID: "test", Username: "pi-1", PasswordFile: file(t, "hunter2\n"), Log: book.log()}, func(p *Publisher) {
		p.least = 100 * time.Millisecond
	})
	conns := func() int { e.mu.Lock(); defer e.mu.Unlock(); return e.conns }
	await(t, "three attempts", func() bool { return conns() >= 3 })
	time.Sleep(200 * time.Millisecond)
	if n := conns(); n > 6 {
		t.Errorf("%d attempts in a second: a storm", n)
	}
	said := book.String()
	if strings.Count(said, "\n") != 1 || !strings.Contains(said, "it refuses the user name or the password (mqtt.username, mqtt.password_file)") || strings.Contains(said, "hunter2") {
		t.Errorf("the log:\n%s", said)
	}
}

// Two clients with one id cut each other off: that is told once, and nobody
// reconnects as fast as can be.
func TestAnotherClientWithOurID(t *testing.T) {
	e := newEvil(t, func(_ int, k byte, n int) deed { return map[bool]deed{true: drop}[k == packets.Publish && n == 5] })
	var book logbook
	r := newRecord()
	r.add(200)
	start(t, r, Options{Broker: "tcp://" + e.l.Addr().String(), ClientID: "coldkeep-pi-1", Log: book.log()}, func(p *Publisher) { p.least, p.patience = 20*time.Millisecond, 500*time.Millisecond })
	conns := func() int { e.mu.Lock(); defer e.mu.Unlock(); return e.conns }
	await(t, "six connections", func() bool { return conns() >= 6 })
	said := book.String()
	if strings.Count(said, "client id") != 1 || !strings.Contains(said, "client_id=coldkeep-pi-1") || !strings.Contains(said, "level=ERROR") {
		t.Errorf("the log does not tell it once:\n%s", said)
	}
	if n := strings.Count(said, "\n"); n > 6 {
		t.Errorf("%d lines for one trouble:\n%s", n, said)
	}
}

// The real thing: a broker that knows takeovers, and another client.
func TestATakeover(t *testing.T) {
	b := broker(t)
	var book logbook
	p := start(t, newRecord(), Options{Broker: "tcp://" + b.Addr(), ClientID: "twin", Log: book.log()}, func(p *Publisher) { p.least = 20 * time.Millisecond })
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	other, err := New(newRecord(), Options{Broker: "tcp://" + b.Addr(), ClientID: "twin", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	other.least = 10 * time.Millisecond
	await(t, "the connection", p.Connected)
	var running sync.WaitGroup
	running.Go(func() { other.Run(ctx) })
	await(t, "the log to tell it", func() bool { return strings.Contains(book.String(), "another client uses the same client id") })
	stop()
	running.Wait()
	await(t, "the connection", p.Connected)
}
