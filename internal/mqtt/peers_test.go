package mqtt

import (
	"context"
	"io"
	"net"
	"reflect"
	"sync"
	"testing"
	"time"

	"coldkeep/internal/coldchain"
)

// Who is silent, minute by minute.
func TestWhoIsSilent(t *testing.T) {
	begin := time.Date(2026, 5, 5, 3, 0, 0, 0, time.UTC)
	at := func(s int) time.Time { return begin.Add(time.Duration(s) * time.Second) }
	ps := newPeers([]string{"b", "c"})
	check := func(s int, want ...SilentPeer) {
		t.Helper()
		if got := ps.silentAt(at(s)); !reflect.DeepEqual(got, want) {
			t.Errorf("after %d s: %v, want %v", s, got, want)
		}
	}
	check(0)
	if ps.onlineAt(at(0)) != nil {
		t.Error("peers are told of before there is a connection")
	}
	ps.up(at(0))
	ps.heard("b", "online", true, at(1)) // left behind, perhaps by one that is gone
	ps.heard("c", "online", true, at(1))
	ps.heard("d", "offline", false, at(1)) // is none of ours
	if got := ps.onlineAt(at(2)); !reflect.DeepEqual(got, map[string]bool{"b": true, "c": true}) {
		t.Errorf("online: %v", got)
	}
	ps.heard("b", "online", false, at(30))
	check(119)
	check(120, SilentPeer{"c", at(0)}) // its `online` was old
	if got := ps.onlineAt(at(121)); !reflect.DeepEqual(got, map[string]bool{"b": true, "c": false}) {
		t.Errorf("online: %v", got)
	}
	ps.heard("b", "offline", false, at(130)) // a restart
	ps.heard("b", "online", false, at(140))
	ps.heard("c", "online", false, at(150))
	check(200)
	ps.heard("b", "offline", false, at(210))
	ps.heard("b", "offline", false, at(260)) // said again: since is when it was said first
	ps.heard("c", "online", false, at(320))
	check(329)
	check(330, SilentPeer{"b", at(210)})
	// Our own connection goes: nothing is told. b was silent and is, when it
	// comes back, until it is heard; c has its time anew.
	ps.down(at(340))
	ps.down(at(341))
	check(350)
	check(10_000)
	ps.up(at(20_000))
	ps.heard("b", "online", true, at(20_001))
	check(20_002, SilentPeer{"b", at(210)})
	ps.heard("b", "online", false, at(20_010))
	ps.heard("c", "online", false, at(20_010))
	check(20_011)
	check(20_129)
	check(20_130, SilentPeer{"b", at(20_010)}, SilentPeer{"c", at(20_010)}) // hung: no goodbye from either
}

// A wire is what a publisher is connected by, and can be cut without a goodbye.
type wire struct {
	l    net.Listener
	mu   sync.Mutex
	both []net.Conn
}

func newWire(t *testing.T, to string) *wire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{l: l}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			a, err := l.Accept()
			if err != nil {
				return
			}
			b, err := net.Dial("tcp", to)
			if err != nil {
				_ = a.Close()
				continue
			}
			w.mu.Lock()
			w.both = append(w.both, a, b)
			w.mu.Unlock()
			for _, pair := range [][2]net.Conn{{a, b}, {b, a}} {
				running.Go(func() {
					_, _ = io.Copy(pair[0], pair[1]) // ends when the wire is cut
					_ = pair[0].Close()
				})
			}
		}
	})
	t.Cleanup(func() { w.cut(); running.Wait() })
	return w
}

func (w *wire) cut() {
	_ = w.l.Close()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.both {
		_ = c.Close()
	}
}

func nodeRecord(node string) *record {
	r := newRecord()
	r.change(func(s *coldchain.Snapshot) { s.Node = node })
	return r
}

// Two daemons watch each other; one dies, and the other tells of it, until it
// is there again.
func TestADeadPeerIsMissed(t *testing.T) {
	b := broker(t)
	w := newWire(t, b.Addr())
	quick := func(p *Publisher) { p.beat, p.peers.patience = 100*time.Millisecond, 3*time.Second }
	one := start(t, nodeRecord("one"), Options{Broker: "tcp://" + b.Addr(), ClientID: "one", Peers: []string{"two", "never"}}, quick)
	two, err := New(nodeRecord("two"), Options{Broker: "tcp://" + w.l.Addr().String(), ClientID: "two", Peers: []string{"one"}})
	if err != nil {
		t.Fatal(err)
	}
	quick(two)
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { two.Run(ctx) })
	silent := func(node string) bool {
		for _, s := range one.SilentPeers() {
			if s.Node == node {
				return !s.Since.IsZero()
			}
		}
		return false
	}
	await(t, "each to hear the other", func() bool { return one.Peers()["two"] && two.Peers()["one"] })
	await(t, "the one that never was to be missed", func() bool { return silent("never") })
	if silent("two") {
		t.Error("a peer that lives is told as silent")
	}
	w.cut()
	await(t, "the dead one to be missed", func() bool { return silent("two") && !one.Peers()["two"] })
	if list := two.SilentPeers(); list != nil {
		t.Errorf("without a connection it tells of %v", list)
	}
	stop()
	running.Wait()
	start(t, nodeRecord("two"), Options{Broker: "tcp://" + b.Addr(), ClientID: "two"}, quick)
	await(t, "it to be heard again", func() bool { return !silent("two") && one.Peers()["two"] })
}
