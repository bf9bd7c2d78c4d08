package mqtt

import (
	"context"
	"fmt"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"coldkeep/internal/coldchain"
)

// show publishes how things stand as it changes, and the events of the moment
// where a backlog holds them up, until ctx ends.
func (s *session) show(ctx context.Context) error {
	remembered := time.NewTimer(memoryTime)
	defer remembered.Stop()
	// A Monitor that stands still changes nothing: what it said grows old by
	// itself.
	var aging <-chan time.Time
	if s.p.o.Interval > 0 {
		tick := time.NewTicker(max(s.p.o.Interval, time.Second))
		defer tick.Stop()
		aging = tick.C
	}
	announced, again := uint64(0), false
	for {
		changed := s.p.j.Changed()
		snap := s.p.j.Snapshot()
		if err := s.states(ctx, snap, again); err != nil {
			return err
		}
		again = false
		var err error
		if announced, err = s.announce(ctx, announced); err != nil {
			return err
		}
		select {
		case <-changed:
		case <-aging:
		case <-s.birth:
			again = true
		case <-remembered.C:
			for _, topic := range topicsOf(snap).kept(s.p.o) {
				if err := s.wait(ctx, s.c.Unsubscribe(topic)); err != nil {
					return fmt.Errorf("ask for retained states: %w", err)
				}
			}
		case <-s.lost:
			return s.ended
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// states publishes what has changed of what is retained, or all of it again.
func (s *session) states(ctx context.Context, snap *coldchain.Snapshot, again bool) error {
	t := topicsOf(snap)
	want := t.wanted(s.p.o, time.Now())
	there := map[string]bool{}
	for _, m := range want {
		there[m.topic] = true
	}
	s.mu.Lock()
	for topic := range s.told {
		if !there[topic] {
			want = append(want, message{topic: topic}) // an empty payload clears it
		}
	}
	s.mu.Unlock()
	var sent []message
	var tokens []paho.Token
	settle := func() error {
		for i, token := range tokens {
			if err := s.wait(ctx, token); err != nil {
				return fmt.Errorf("publish %s: %w", sent[i].topic, err)
			}
		}
		sent, tokens = nil, nil
		return nil
	}
	for _, m := range want {
		payload := string(m.payload)
		s.mu.Lock()
		before, known := s.told[m.topic]
		if payload == "" {
			delete(s.told, m.topic)
		} else {
			s.told[m.topic] = payload
		}
		s.mu.Unlock()
		if known && before == payload && payload != "" && !again {
			continue
		}
		sent, tokens = append(sent, m), append(tokens, s.c.Publish(m.topic, 1, true, m.payload))
		if len(tokens) >= window {
			if err := settle(); err != nil {
				return err
			}
		}
	}
	return settle()
}
