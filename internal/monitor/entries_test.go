package monitor

import (
	"context"
	"testing"
	"testing/synctest"

	"coldkeep/internal/coldchain"
)

// between is a store in which something happens while it is read.
type between struct {
	Store
	happens func()
}

func (b between) Entries(ctx context.Context, after uint64, limit int) ([]coldchain.Entry, error) {
	list, err := b.Store.Entries(ctx, after, limit)
	b.happens()
	return list, err
}

func (b between) Events(ctx context.Context, after uint64, limit int) ([]coldchain.Event, error) {
	list, err := b.Store.Events(ctx, after, limit)
	b.happens()
	return list, err
}

// Steps that are recorded, or begin to be, while a follower reads are not
// skipped: what it gets has no hole, so that going on behind it loses nothing.
func TestNothingIsSkippedWhileItIsRecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, t.TempDir(), testConfig())
		r.sweep(5000, 5000, 5000)
		from, whole := r.m.seq, r.m.st
		step := func() coldchain.Step {
			s := coldchain.Step{At: r.m.instant()}
			r.m.add(&s, coldchain.Event{Time: s.At, Kind: coldchain.ClockStepped, Reason: "test"})
			return s
		}
		r.m.st = between{whole, func() {
			recorded, begun := step(), step()
			if err := whole.Record(r.ctx, recorded); err != nil {
				t.Fatal(err)
			}
			r.m.mu.Lock()
			r.m.tail.add(begun)
			r.m.mu.Unlock()
		}}
		entries, err := r.m.Entries(r.ctx, from, 100)
		if err != nil {
			t.Fatal(err)
		}
		for i, e := range entries {
			if e.Seq != from+1+uint64(i) {
				t.Errorf("after %d comes %d", from+uint64(i), e.Seq)
			}
		}
		r.m.tail.steps = nil
		from = r.m.seq
		events, err := r.m.Events(r.ctx, from, 100)
		if err != nil {
			t.Fatal(err)
		}
		for i, e := range events {
			if e.Seq != from+1+uint64(i) {
				t.Errorf("after event %d comes %d", from+uint64(i), e.Seq)
			}
		}
		r.m.tail.steps, r.m.st = nil, whole
		r.kill()
	})
}
