package mqtt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
)

// errLost is that of a connection which the broker or the network has ended.
var errLost = errors.New("the connection was lost")

// errClosed is that of one which the broker closed.
var errClosed = fmt.Errorf("%w: the broker closed it", errLost)

// A session is one connection from beginning to end.
type session struct {
	p     *Publisher
	c     paho.Client
	lost  chan struct{} // closed when the connection is
	ended error         // why; set before lost is closed
	birth chan struct{} // Home Assistant asks to be told all again

	mu    sync.Mutex
	told  map[string]string // retained payloads by topic; "" of a topic found on the broker
	ahead map[uint64]bool   // events sent before the backlog, and acknowledged

	head    atomic.Uint64 // while catching up: what is newer is of the moment
	next    atomic.Uint64 // the newest place that was sent in order
	waiting []flight
}

// session runs one connection until ctx ends or the connection does.
func (p *Publisher) session(ctx context.Context, up func()) error {
	t := topicsOf(p.j.Snapshot())
	o, err := p.dialing(t)
	if err != nil {
		return err
	}
	s := &session{p: p, lost: make(chan struct{}), birth: make(chan struct{}, 1), told: map[string]string{}, ahead: map[uint64]bool{}}
	var once sync.Once
	o.SetConnectionLostHandler(func(_ paho.Client, err error) {
		once.Do(func() {
			s.ended = fmt.Errorf("%w: %w", errLost, err)
			if errors.Is(err, io.EOF) {
				s.ended = errClosed
			}
			close(s.lost)
		})
	})
	s.c = paho.NewClient(o)
	if err := s.waitLong(ctx, s.c.Connect(), 2*p.patience); err != nil {
		return p.refused(err)
	}
	defer s.c.Disconnect(100)
	p.connected.Store(true)
	p.peers.up(time.Now())
	up()
	if err := s.remember(ctx, t); err != nil {
		return err
	}
	if err := s.listen(ctx, t); err != nil {
		return err
	}
	if err := s.wait(ctx, s.c.Publish(t.status(), 1, true, "online")); err != nil {
		return fmt.Errorf("publish status: %w", err)
	}
	// How things stand goes before what was missed.
	if err := s.states(ctx, p.j.Snapshot(), false); err != nil {
		return err
	}
	beside, stop := context.WithCancelCause(ctx)
	var running sync.WaitGroup
	running.Go(func() { s.speak(beside, t) })
	running.Go(func() { stop(s.show(beside)) })
	stop(s.follow(beside))
	running.Wait()
	if ctx.Err() != nil {
		// A clean goodbye keeps the last will back: say it ourselves.
		leave, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		if err := s.wait(leave, s.c.Publish(t.status(), 1, true, "offline")); err != nil {
			return fmt.Errorf("publish status: %w", err)
		}
		return nil
	}
	return context.Cause(beside) // of whichever ended first
}

// wait waits for a token while the connection stands.
func (s *session) wait(ctx context.Context, t paho.Token) error {
	return s.waitLong(ctx, t, s.p.patience)
}

func (s *session) waitLong(ctx context.Context, t paho.Token, most time.Duration) error {
	select {
	case <-t.Done(): // no timer is needed for most
	default:
		timer := time.NewTimer(most)
		defer timer.Stop()
		select {
		case <-t.Done():
		case <-s.lost:
			return s.ended
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
			return fmt.Errorf("no answer within %v", most)
		}
	}
	// A token that is done may be so because the connection went.
	select {
	case <-s.lost:
		return s.ended
	default:
	}
	err := t.Error()
	if err != nil && s.c.IsConnected() || err == nil {
		return err
	}
	// The reason comes right behind it, where there was a connection at all.
	select {
	case <-s.lost:
		return s.ended
	case <-time.After(100 * time.Millisecond):
		return err
	}
}

// ask subscribes. What the broker does not let us read is told once, and we go
// on without.
func (s *session) ask(ctx context.Context, topic string, hear paho.MessageHandler) error {
	token := s.c.Subscribe(topic, 1, hear)
	if err := s.wait(ctx, token); err != nil {
		return err
	}
	if sub, ok := token.(*paho.SubscribeToken); ok && sub.Result()[topic] == 0x80 && !s.p.denied[topic] {
		s.p.denied[topic] = true
		s.p.o.Log.Warn("the mqtt broker does not let us read a topic; look at its access list", "topic", topic)
	}
	return nil
}

// remember asks the broker which of our retained states it holds, so that
// those of what is gone can be cleared. It is listened to for memoryTime; what
// we publish meanwhile comes back without the mark "retained".
func (s *session) remember(ctx context.Context, t topics) error {
	for _, topic := range t.kept(s.p.o) {
		err := s.ask(ctx, topic, func(_ paho.Client, m paho.Message) {
			if !m.Retained() || len(m.Payload()) == 0 || !t.ours(m.Topic()) {
				return
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			if _, known := s.told[m.Topic()]; !known {
				s.told[m.Topic()] = ""
			}
		})
		if err != nil {
			return fmt.Errorf("ask for retained states: %w", err)
		}
	}
	return nil
}

// listen subscribes to commands, to the peers' statuses, and to Home
// Assistant's.
func (s *session) listen(ctx context.Context, t topics) error {
	if s.p.o.Do != nil {
		if err := s.ask(ctx, t.command("+"), s.p.hear); err != nil {
			return fmt.Errorf("subscribe to commands: %w", err)
		}
	}
	for _, node := range s.p.o.Peers {
		if err := s.ask(ctx, t.peer(node), s.p.hearPeer); err != nil {
			return fmt.Errorf("subscribe to the status of %s: %w", node, err)
		}
	}
	if s.p.o.Discovery {
		if err := s.ask(ctx, s.p.o.DiscoveryPrefix+"/status", s.hearBirth); err != nil {
			return fmt.Errorf("subscribe to the status of home assistant: %w", err)
		}
	}
	return nil
}

// hearBirth hears that Home Assistant has started. It is told everything again
// after a while that differs from device to device, so that not all speak at
// once. A message that was retained tells of the past: what this connection
// has published since is there already.
func (s *session) hearBirth(_ paho.Client, m paho.Message) {
	if m.Retained() || string(m.Payload()) != "online" {
		return
	}
	time.AfterFunc(rand.N(s.p.birth), func() {
		select {
		case s.birth <- struct{}{}:
		default: // it is asked for already
		}
	})
}
