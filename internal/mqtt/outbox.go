package mqtt

import (
	"context"
	"fmt"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
)

// A flight is a place of the record that is sent and not acknowledged yet.
type flight struct {
	tokens []paho.Token // none: the broker has it already
	seq    uint64
}

// follow sends what comes beyond the cursor, in order, until ctx ends.
func (s *session) follow(ctx context.Context) error {
	next := s.p.j.Cursor(cursorName)
	s.next.Store(next)
	var pace pace
	for {
		changed := s.p.j.Changed()
		for {
			snap := s.p.j.Snapshot()
			s.measure(snap.Seq, next)
			list, err := s.p.j.Entries(ctx, next, page)
			if err != nil {
				return fmt.Errorf("read journal: %w", err)
			}
			if len(list) == 0 {
				break
			}
			t := topicsOf(snap)
			for _, e := range list {
				if len(s.waiting) >= window {
					if err := s.settle(ctx, len(s.waiting)-window+1); err != nil {
						return err
					}
				}
				f := flight{seq: e.Seq}
				if !s.isAhead(e.Seq) {
					if rate := s.p.o.CatchUp; rate > 0 && s.p.behind.Load() {
						if err := s.sleep(ctx, pace.next(time.Now(), rate)); err != nil {
							return err
						}
					}
					messages, err := t.entry(e, time.Now())
					if err != nil {
						return err
					}
					for _, m := range messages {
						f.tokens = append(f.tokens, s.c.Publish(m.topic, 1, false, m.payload))
					}
				}
				s.waiting = append(s.waiting, f)
				next = e.Seq
				s.next.Store(next)
			}
		}
		if err := s.settle(ctx, len(s.waiting)); err != nil {
			return err
		}
		s.p.behind.Store(false)
		select {
		case <-changed:
		case <-s.lost:
			return s.ended
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// measure finds whether there is a backlog: more than a second's worth of
// catching up. Once begun, catching up ends when nothing is left.
func (s *session) measure(newest, next uint64) {
	most := uint64(page)
	if s.p.o.CatchUp > 0 {
		most = uint64(s.p.o.CatchUp)
	}
	if s.p.behind.Load() || newest < next || newest-next <= most {
		return
	}
	s.head.Store(newest)
	s.p.behind.Store(true)
	s.p.o.Log.Info("mqtt: a backlog is being sent", "messages", newest-next, "a_second", s.p.o.CatchUp)
}

// settle waits for the n oldest places and moves the cursor past them.
func (s *session) settle(ctx context.Context, n int) error {
	for _, f := range s.waiting[:n] {
		for _, token := range f.tokens {
			if err := s.wait(ctx, token); err != nil {
				return fmt.Errorf("publish %d: %w", f.seq, err)
			}
		}
		s.p.j.SetCursor(cursorName, f.seq)
		s.p.published.Add(1)
		s.waiting = s.waiting[1:]
	}
	return nil
}

// announce sends, while a backlog is sent, the events of the moment before it:
// an alarm does not wait for a week of readings. from is the newest one that
// was announced; the answer is where to go on. Where the backlog comes to an
// event that the broker has already, it is passed over.
func (s *session) announce(ctx context.Context, from uint64) (uint64, error) {
	if !s.p.behind.Load() {
		return from, nil
	}
	from = max(from, s.head.Load())
	list, err := s.p.j.Events(ctx, from, window)
	if err != nil {
		return from, fmt.Errorf("read journal: %w", err)
	}
	t := topicsOf(s.p.j.Snapshot())
	for i := range list {
		e := &list[i]
		from = e.Seq
		if e.Seq <= s.next.Load() {
			continue // on its way
		}
		messages, err := t.event(e, time.Now())
		if err != nil {
			return from, err
		}
		for _, m := range messages {
			if err := s.wait(ctx, s.c.Publish(m.topic, 1, false, m.payload)); err != nil {
				return from, fmt.Errorf("publish %d: %w", e.Seq, err)
			}
		}
		s.mu.Lock()
		s.ahead[e.Seq] = true
		s.mu.Unlock()
	}
	return from, nil
}

// isAhead says whether the broker has a place already, and forgets that.
func (s *session) isAhead(seq uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	has := s.ahead[seq]
	delete(s.ahead, seq)
	return has
}

// sleep waits while the connection stands.
func (s *session) sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-s.lost:
		return s.ended
	case <-ctx.Done():
		return ctx.Err()
	}
}

// A pace spreads messages over time.
type pace struct{ due time.Time }

// next says how long to wait before the next message at so many a second.
// Short waits are put together: a timer is no finer than that.
func (p *pace) next(now time.Time, rate int) time.Duration {
	if now.Sub(p.due) > 100*time.Millisecond {
		p.due = now // what was not used is not made up for
	}
	wait := p.due.Sub(now)
	p.due = p.due.Add(time.Second / time.Duration(rate))
	if wait < 5*time.Millisecond {
		return 0
	}
	return wait
}
