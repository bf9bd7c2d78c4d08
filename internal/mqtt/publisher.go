// Package mqtt publishes the record over MQTT 3.1.1.
//
// The Publisher follows the journal with a durable cursor, which is moved only
// past what the broker has acknowledged: the record on disk is the outbox, and
// a broker that was away gets everything afterwards, in order; after a broken
// connection some of it twice, which consumers drop by `record` and `seq`.
// Retained states come from the snapshot and tell only how things stand now.
//
// The connection loop is ours: paho's own may call a message delivered that
// nobody has acknowledged.
package mqtt

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"coldkeep/internal/coldchain"
)

// A Journal is what the Publisher follows.
type Journal interface {
	Snapshot() *coldchain.Snapshot
	Changed() <-chan struct{}
	Entries(ctx context.Context, after uint64, limit int) ([]coldchain.Entry, error)
	Cursor(name string) uint64
	SetCursor(name string, seq uint64)
}

// Options say where the broker is.
type Options struct {
	Broker       string // tcp://host:1883, ssl://host:8883
	ClientID     string // one per daemon: two with the same id cut each other off
	Username     string
	PasswordFile string
	// Do carries out a command of command/<name>, of those that answer alarms;
	// nil: none is taken.
	Do func(ctx context.Context, c coldchain.Command) (coldchain.Event, error)
	// Peers are the nodes of the site's other daemons that are watched.
	Peers []string
	Log   *slog.Logger
}

const (
	cursorName = "mqtt"
	window     = 100 // publishes that wait for their acknowledgement
	page       = 500 // entries read at once
	patience   = 10 * time.Second
	memoryTime = 2 * time.Second
	pauseLeast = time.Second
	pauseMost  = 30 * time.Second
)

// A Publisher keeps one connection to one broker.
type Publisher struct {
	j         Journal
	o         Options
	connected atomic.Bool
	desk      *desk
	peers     *peers
	beat      time.Duration // between `online` and `online`
}

// New checks the options. Nothing is opened before Run.
func New(j Journal, o Options) (*Publisher, error) {
	u, err := url.Parse(o.Broker)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("mqtt broker %q: write it as tcp://HOST:PORT", o.Broker)
	}
	switch u.Scheme {
	case "tcp", "mqtt", "ssl", "tls", "mqtts", "ws", "wss":
	default:
		return nil, fmt.Errorf("mqtt broker %q: the scheme is one of tcp, ssl, ws, wss", o.Broker)
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	return &Publisher{j: j, o: o, desk: newDesk(o.Do), peers: newPeers(o.Peers), beat: beatTime}, nil
}

// Connected says whether the broker has the session.
func (p *Publisher) Connected() bool { return p.connected.Load() }

// Backlog is how many readings and events the broker has not acknowledged yet.
func (p *Publisher) Backlog() uint64 {
	s, c := p.j.Snapshot(), p.j.Cursor(cursorName)
	if s == nil || s.Seq <= c {
		return 0
	}
	return s.Seq - c
}

// Run connects, publishes, and connects again, until ctx ends. It leaves
// `offline` behind. A broker that is away is told once, not at each attempt.
func (p *Publisher) Run(ctx context.Context) {
	p.j.Cursor(cursorName) // from here on, also while no broker is there
	var doing sync.WaitGroup
	defer doing.Wait()
	if p.o.Do != nil {
		doing.Go(func() { p.carryOut(ctx) })
	}
	pause, said := pauseLeast, ""
	for ctx.Err() == nil {
		err := p.session(ctx, func() {
			p.o.Log.Info("mqtt broker connected", "broker", p.o.Broker)
			pause, said = pauseLeast, ""
		})
		p.connected.Store(false)
		p.peers.down(time.Now())
		if err != nil && err.Error() != said && ctx.Err() == nil {
			said = err.Error()
			p.o.Log.Warn("mqtt broker is away; what it misses is kept and sent later", "broker", p.o.Broker, "cause", err)
		}
		timer := time.NewTimer(pause/2 + rand.N(pause))
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
		pause = min(2*pause, pauseMost)
	}
}

var errLost = errors.New("the connection was lost")

// session is one connection from beginning to end.
func (p *Publisher) session(ctx context.Context, up func()) error {
	base := topics{p.j.Snapshot()}
	o := paho.NewClientOptions().AddBroker(p.o.Broker).SetClientID(p.o.ClientID)
	o.SetCleanSession(true).SetAutoReconnect(false).SetConnectRetry(false).SetOrderMatters(true)
	o.SetKeepAlive(15 * time.Second).SetPingTimeout(5 * time.Second).SetConnectTimeout(patience).SetWriteTimeout(patience)
	o.SetBinaryWill(base.status(), []byte("offline"), 1, true)
	if p.o.Username != "" || p.o.PasswordFile != "" {
		o.SetUsername(p.o.Username)
		if p.o.PasswordFile != "" {
			secret, err := os.ReadFile(p.o.PasswordFile)
			if err != nil {
				return fmt.Errorf("read mqtt password: %w", err)
			}
			o.SetPassword(strings.TrimRight(string(secret), "\r\n"))
		}
	}
	lost := make(chan struct{})
	var once sync.Once
	o.SetConnectionLostHandler(func(paho.Client, error) { once.Do(func() { close(lost) }) })
	c := paho.NewClient(o)
	s := &session{p: p, c: c, lost: lost, told: map[string]string{}}
	if err := s.wait(ctx, c.Connect()); err != nil {
		return fmt.Errorf("connect to mqtt broker: %w", err)
	}
	defer c.Disconnect(100)
	p.connected.Store(true)
	p.peers.up(time.Now())
	up()
	if err := s.remember(ctx, base); err != nil {
		return err
	}
	if err := s.listen(ctx, base); err != nil {
		return err
	}
	if err := s.wait(ctx, c.Publish(base.status(), 1, true, "online")); err != nil {
		return fmt.Errorf("publish status: %w", err)
	}
	beside, stop := context.WithCancel(ctx)
	var speaking sync.WaitGroup
	speaking.Go(func() { s.speak(beside, base) })
	err := s.follow(ctx)
	stop()
	speaking.Wait()
	if ctx.Err() != nil {
		// A clean goodbye keeps the last will back: say it ourselves.
		leave, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		if err := s.wait(leave, c.Publish(base.status(), 1, true, "offline")); err != nil {
			return fmt.Errorf("publish status: %w", err)
		}
		return nil
	}
	return err
}

type session struct {
	p    *Publisher
	c    paho.Client
	lost chan struct{}

	mu   sync.Mutex
	told map[string]string // retained payloads by topic; "" of a topic found on the broker

	waiting []flight
}

// A flight is a publish that is not acknowledged yet.
type flight struct {
	token paho.Token
	seq   uint64
}

// wait waits for a token while the connection stands.
func (s *session) wait(ctx context.Context, t paho.Token) error {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-t.Done():
		if err := t.Error(); err != nil {
			return err
		}
	case <-s.lost:
		return errLost
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return fmt.Errorf("no answer within %v", patience)
	}
	// A token that is done may be so because the connection went.
	select {
	case <-s.lost:
		return errLost
	default:
		return nil
	}
}

// remember asks the broker which of our retained batch states it holds, so
// that those of batches that are gone can be cleared. It is listened to for
// memoryTime; what we publish meanwhile comes back without the mark "retained".
func (s *session) remember(ctx context.Context, t topics) error {
	err := s.wait(ctx, s.c.Subscribe(t.batch("+"), 1, func(_ paho.Client, m paho.Message) {
		if !m.Retained() || len(m.Payload()) == 0 {
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if _, known := s.told[m.Topic()]; !known {
			s.told[m.Topic()] = ""
		}
	}))
	if err != nil {
		return fmt.Errorf("ask for retained states: %w", err)
	}
	return nil
}

// listen subscribes to commands and to the peers' statuses.
func (s *session) listen(ctx context.Context, t topics) error {
	if s.p.o.Do != nil {
		if err := s.wait(ctx, s.c.Subscribe(t.command("+"), 1, s.p.hear)); err != nil {
			return fmt.Errorf("subscribe to commands: %w", err)
		}
	}
	for _, node := range s.p.o.Peers {
		if err := s.wait(ctx, s.c.Subscribe(t.peer(node), 1, s.p.hearPeer)); err != nil {
			return fmt.Errorf("subscribe to the status of %s: %w", node, err)
		}
	}
	return nil
}

func (s *session) follow(ctx context.Context) error {
	next := s.p.j.Cursor(cursorName)
	remembered := time.NewTimer(memoryTime)
	defer remembered.Stop()
	for {
		changed := s.p.j.Changed()
		snap := s.p.j.Snapshot()
		if err := s.states(ctx, snap); err != nil {
			return err
		}
		for {
			list, err := s.p.j.Entries(ctx, next, page)
			if err != nil {
				return fmt.Errorf("read journal: %w", err)
			}
			if len(list) == 0 {
				break
			}
			t := topics{snap}
			for _, e := range list {
				topic, payload, err := t.entry(e)
				if err != nil {
					return err
				}
				s.waiting = append(s.waiting, flight{s.c.Publish(topic, 1, false, payload), e.Seq})
				next = e.Seq
				if len(s.waiting) >= window {
					if err := s.settle(ctx, len(s.waiting)-window+1); err != nil {
						return err
					}
				}
			}
		}
		if err := s.settle(ctx, len(s.waiting)); err != nil {
			return err
		}
		select {
		case <-changed:
		case <-remembered.C:
			if err := s.wait(ctx, s.c.Unsubscribe(topics{snap}.batch("+"))); err != nil {
				return fmt.Errorf("ask for retained states: %w", err)
			}
		case <-s.lost:
			return errLost
		case <-ctx.Done():
			return nil
		}
	}
}

// settle waits for the n oldest publishes and moves the cursor past them.
func (s *session) settle(ctx context.Context, n int) error {
	for range n {
		f := s.waiting[0]
		if err := s.wait(ctx, f.token); err != nil {
			return fmt.Errorf("publish %d: %w", f.seq, err)
		}
		s.p.j.SetCursor(cursorName, f.seq)
		s.waiting = s.waiting[1:]
	}
	return nil
}

// states publishes what has changed of the retained states.
func (s *session) states(ctx context.Context, snap *coldchain.Snapshot) error {
	t := topics{snap}
	want := map[string]string{}
	for i := range snap.Units {
		want[t.unit(snap.Units[i].ID)] = string(t.unitState(&snap.Units[i]))
	}
	for i := range snap.Batches {
		if b := &snap.Batches[i]; b.Unit != "" {
			want[t.batch(b.ID)] = string(t.batchState(b))
		}
	}
	s.mu.Lock()
	gone := []string{}
	for topic := range s.told {
		if _, there := want[topic]; !there {
			gone = append(gone, topic)
			delete(s.told, topic)
		}
	}
	s.mu.Unlock()
	for _, topic := range gone {
		if err := s.wait(ctx, s.c.Publish(topic, 1, true, "")); err != nil {
			return fmt.Errorf("clear %s: %w", topic, err)
		}
	}
	for topic, payload := range want {
		s.mu.Lock()
		same := s.told[topic] == payload
		s.told[topic] = payload
		s.mu.Unlock()
		if same {
			continue
		}
		if err := s.wait(ctx, s.c.Publish(topic, 1, true, payload)); err != nil {
			return fmt.Errorf("publish %s: %w", topic, err)
		}
	}
	return nil
}
