package store

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"coldkeep/internal/coldchain"
	"coldkeep/sensor"
)

// A page that is closed while it loads ends its request. However many are, at
// whatever instant, whoever asks afterwards is answered.
func TestWhoeverGoesAwayLeavesTheRecordReadable(t *testing.T) {
	s, err := Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for i := range 400 {
		at := sensor.Instant(1000 * (i + 1))
		step := coldchain.Step{At: at, Events: []coldchain.Event{{V: 1, Seq: uint64(i + 1), Time: at, Kind: coldchain.Started, Reason: "so that there is something to read"}}}
		if err := s.Record(t.Context(), step); err != nil {
			t.Fatal(err)
		}
	}
	var readers sync.WaitGroup
	for range 8 {
		readers.Go(func() {
			for range 400 {
				ctx, cancel := context.WithCancel(t.Context())
				go func() {
					time.Sleep(time.Duration(rand.IntN(1500)) * time.Microsecond)
					cancel()
				}()
				if _, err := s.Events(ctx, 0, 400); err != nil && !errors.Is(err, context.Canceled) && ctx.Err() == nil {
					t.Errorf("read: %v", err)
				}
				cancel()
			}
		})
	}
	done := make(chan struct{})
	go func() { readers.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(60 * time.Second):
		t.Fatal("the readers are stuck")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	list, err := s.Events(ctx, 0, 1000)
	if err != nil || len(list) != 400 {
		t.Fatalf("afterwards: %d events, %v", len(list), err)
	}
}

// Whoever reads holds one connection at a time. Who held one and waited for
// another waited for ever as soon as all others did the same: nobody could read
// the record any more, and no command was taken.
func TestOneConnectionIsEnoughForEveryReader(t *testing.T) {
	s, err := Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	seq := uint64(0)
	record := func(n int) {
		t.Helper()
		for range n {
			seq += 2
			at := sensor.Instant(1000 * seq)
			sw := sensor.Sweep{Slot: at, Readings: []sensor.Reading{{Seq: seq - 1, Probe: "p", Time: at, Temp: 5000, Raw: 5000}}}
			step := coldchain.Step{At: at, Sweeps: []sensor.Sweep{sw}, Events: []coldchain.Event{{V: 1, Seq: seq, Time: at, Kind: coldchain.Started}}}
			if err := s.Record(t.Context(), step); err != nil {
				t.Fatal(err)
			}
		}
	}
	record(2*foldSweeps + 5) // some folded, some not
	s.r.SetMaxOpenConns(1)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for _, read := range []struct {
		what string
		do   func() error
	}{
		{"entries", func() error { _, err := s.Entries(ctx, 0, 10_000); return err }},
		{"events", func() error { _, err := s.Events(ctx, 0, 10_000); return err }},
		{"events of a kind", func() error { _, err := s.EventsOf(ctx, coldchain.Started); return err }},
		{"a command's event", func() error { _, _, err := s.EventByCommand(ctx, "none"); return err }},
		{"readings", func() error { _, err := s.Readings(ctx, "p", 0, 1<<40, 10_000); return err }},
		{"every reading", func() error {
			return s.EachReading(ctx, 0, 1<<40, func(sensor.Reading, bool) error { return nil })
		}},
		{"checkpoint", func() error { _, _, _, err := s.Checkpoint(ctx, 1<<40); return err }},
		{"desk", func() error { _, _, err := s.Desk(ctx); return err }},
		{"cursors", func() error { _, err := s.Cursors(ctx); return err }},
		{"folding", func() error { return s.fold(ctx) }},
	} {
		if err := read.do(); err != nil {
			t.Fatalf("%s: %v", read.what, err)
		}
	}
}
