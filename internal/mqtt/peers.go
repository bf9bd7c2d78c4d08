package mqtt

import (
	"slices"
	"strings"
	"sync"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
)

const (
	// peerPatience is how long a peer may be silent: a restart is not told.
	peerPatience = 2 * time.Minute
	// beatTime is how often `online` is said again. What a broker retained may
	// be older than a power cut that took peer and broker together; only what
	// comes anew proves that a peer lives.
	beatTime = 30 * time.Second
)

// A SilentPeer is another daemon of the site that is not heard, and since when.
type SilentPeer struct {
	Node  string
	Since time.Time
}

// peers are the other daemons of the site, as far as the broker tells of them.
type peers struct {
	patience time.Duration

	mu   sync.Mutex
	open bool // our own connection stands
	list []*peer
}

type peer struct {
	node   string
	online bool
	at     time.Time // online: heard last; else: not online since, as far as we know
	silent bool      // it was silent when our own connection went: it is until it is heard
}

func newPeers(nodes []string) *peers {
	ps := &peers{patience: peerPatience}
	for _, n := range nodes {
		ps.list = append(ps.list, &peer{node: n})
	}
	return ps
}

// up begins a connection: of who was not silent before nothing is known, and
// they have their patience anew.
func (ps *peers) up(now time.Time) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	ps.open = true
	for _, p := range ps.list {
		if !p.silent {
			p.online, p.at = false, now
		}
	}
}

// down ends a connection.
func (ps *peers) down(now time.Time) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if !ps.open {
		return
	}
	for _, p := range ps.list {
		p.silent = ps.isSilent(p, now)
	}
	ps.open = false
}

// heard takes a status. One that was retained tells of the past: `online` may
// have been left by a daemon that is gone.
func (ps *peers) heard(node, status string, retained bool, now time.Time) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	for _, p := range ps.list {
		switch {
		case p.node != node:
		case status != "online":
			if p.online {
				p.online, p.at = false, now
			}
		case !retained:
			p.online, p.at, p.silent = true, now, false
		case !p.silent && !p.online:
			p.online = true // not proven: its time runs since the connection
		}
	}
}

func (ps *peers) isSilent(p *peer, now time.Time) bool {
	return p.silent || now.Sub(p.at) >= ps.patience
}

func (ps *peers) silentAt(now time.Time) (list []SilentPeer) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	for _, p := range ps.list {
		if ps.open && ps.isSilent(p, now) {
			list = append(list, SilentPeer{p.node, p.at})
		}
	}
	return list
}

func (ps *peers) onlineAt(now time.Time) map[string]bool {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if !ps.open {
		return nil
	}
	m := map[string]bool{}
	for _, p := range ps.list {
		m[p.node] = p.online && !ps.isSilent(p, now)
	}
	return m
}

// SilentPeers are those that have said `offline` or nothing for two minutes
// and have not come back. While our own connection is down it is empty and
// tells nothing, see Connected: whoever was silent before is so still. Who is
// silent when the connection goes is silent when it comes back, until heard.
func (p *Publisher) SilentPeers() []SilentPeer { return p.peers.silentAt(time.Now()) }

// Peers says of each peer whether it is online, as last heard; nil while our
// own connection is down.
func (p *Publisher) Peers() map[string]bool { return p.peers.onlineAt(time.Now()) }

// hearPeer takes a status from the broker.
func (p *Publisher) hearPeer(_ paho.Client, m paho.Message) {
	level := strings.Split(m.Topic(), "/")
	if i := len(level) - 2; i >= 0 && slices.ContainsFunc(p.o.Peers, func(n string) bool { return n == level[i] }) {
		p.peers.heard(level[i], string(m.Payload()), m.Retained(), time.Now())
	}
}
