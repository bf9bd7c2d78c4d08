// Package mqtt publishes the record over MQTT 3.1.1.
//
// The Publisher follows the journal with a durable cursor, which is moved only
// past what the broker has acknowledged: the record on disk is the outbox, and
// a broker that was away gets everything afterwards, in order; after a broken
// connection some of it twice, which consumers drop by `record` and `seq`.
// Nothing is queued a second time, so nothing has to be thinned: README.md here
// says what a backlog costs.
//
// Retained states come from the snapshot and tell only how things stand now.
// They, and the events of the moment, do not wait behind a backlog.
//
// The connection loop is ours: paho's own may call a message delivered that
// nobody has acknowledged.
package mqtt

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"coldkeep/internal/coldchain"
)

// A Journal is what the Publisher follows.
type Journal interface {
	Snapshot() *coldchain.Snapshot
	Changed() <-chan struct{}
	Entries(ctx context.Context, after uint64, limit int) ([]coldchain.Entry, error)
	Events(ctx context.Context, after uint64, limit int) ([]coldchain.Event, error)
	Cursor(name string) uint64
	SetCursor(name string, seq uint64)
}

// Options say where the broker is.
type Options struct {
	Broker       string // tcp://host:1883, ssl://host:8883, ws://host/path, wss://host/path
	ClientID     string // one per daemon: two with the same id cut each other off
	Username     string
	PasswordFile string
	// CAFile holds the certificates that the broker's must be signed by; "":
	// those that the system trusts. CertFile and KeyFile are our own. All are
	// read again for each connection, so that a renewed one needs no restart.
	CAFile, CertFile, KeyFile string
	// CatchUp is how many messages of a backlog go out in a second; 0: as many
	// as the broker takes.
	CatchUp int
	// Interval is between sweeps. With it, a unit is available only while the
	// snapshot itself is young; 0: the snapshot is taken at its word.
	Interval time.Duration
	// Discovery tells Home Assistant of the units, under DiscoveryPrefix.
	Discovery       bool
	DiscoveryPrefix string
	// Do carries out a command of command/<name>, of those that answer alarms;
	// nil: none is taken.
	Do func(ctx context.Context, c coldchain.Command) (coldchain.Event, error)
	// Peers are the nodes of the site's other daemons that are watched.
	Peers []string
	Log   *slog.Logger
}

const (
	cursorName = "mqtt"
	window     = 100  // publishes that wait for their acknowledgement
	page       = 2000 // entries read at once
	patience   = 10 * time.Second
	memoryTime = 2 * time.Second
	pauseLeast = time.Second
	pauseMost  = 30 * time.Second
	// steady is how long a connection must have stood to count as one: the
	// pauses do not begin anew before that, and what ended the last one is not
	// told again.
	steady = time.Minute
	// brief is how many connections in a row, each ended by the broker before
	// it was steady, tell of another client with our id.
	brief = 3
)

// A Publisher keeps one connection to one broker.
type Publisher struct {
	j         Journal
	o         Options
	connected atomic.Bool
	published atomic.Uint64
	behind    atomic.Bool
	desk      *desk
	peers     *peers
	denied    map[string]bool // topics that the broker does not let us read; said once
	beat      time.Duration   // between `online` and `online`
	least     time.Duration   // the first pause between connections
	patience  time.Duration   // for an answer of the broker
	birth     time.Duration   // the longest wait before Home Assistant is told all again
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
	if o.DiscoveryPrefix == "" {
		o.DiscoveryPrefix = "homeassistant"
	}
	return &Publisher{j: j, o: o, desk: newDesk(o.Do), peers: newPeers(o.Peers), denied: map[string]bool{}, beat: beatTime, least: pauseLeast, patience: patience, birth: birthTime}, nil
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

// Published is how many readings and events the broker has acknowledged since
// the daemon started.
func (p *Publisher) Published() uint64 { return p.published.Load() }

// CatchingUp says whether a backlog is being sent.
func (p *Publisher) CatchingUp() bool { return p.behind.Load() }

// Run connects, publishes, and connects again, until ctx ends. It leaves
// `offline` behind. What keeps the broker away is told once, not at each
// attempt.
func (p *Publisher) Run(ctx context.Context) {
	p.j.Cursor(cursorName) // from here on, also while no broker is there
	var doing sync.WaitGroup
	defer doing.Wait()
	if p.o.Do != nil {
		doing.Go(func() { p.carryOut(ctx) })
	}
	pause, said, short := p.least, "", 0
	for ctx.Err() == nil {
		var up time.Time
		err := p.session(ctx, func() {
			up = time.Now()
			if short < brief {
				p.o.Log.Info("mqtt broker connected", "broker", p.address())
			}
		})
		p.connected.Store(false)
		p.behind.Store(false)
		p.peers.down(time.Now())
		if ctx.Err() != nil {
			break
		}
		switch {
		case up.IsZero():
		case time.Since(up) >= steady:
			pause, said, short = p.least, "", 0
		default:
			if short++; short == 1 {
				pause = p.least // it was there: what comes after is another trouble
			}
			if short == brief {
				p.o.Log.Error("the mqtt broker ends each connection soon after it began; most likely another client uses the same client id: give each daemon its own (mqtt.client_id)",
					"broker", p.address(), "client_id", p.o.ClientID, "connections", short, "cause", err)
			}
		}
		if cause := told(err); cause != said && short < brief {
			said = cause
			p.o.Log.Warn("mqtt broker is away; what it misses is kept and sent later", "broker", p.address(), "cause", err)
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

// address is the broker without what may stand before the host.
func (p *Publisher) address() string {
	u, err := url.Parse(p.o.Broker)
	if err != nil {
		return "" // New has parsed it
	}
	u.User = nil
	return u.String()
}
