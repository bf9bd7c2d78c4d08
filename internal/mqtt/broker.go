package mqtt

import (
	"fmt"
	"log/slog"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/hooks/auth"
	"github.com/mochi-mqtt/server/v2/listeners"
)

// A Broker is a broker within the process, for the demo and for tests: it
// asks nobody who they are. A clinic runs a real one.
type Broker struct {
	server *mochi.Server
	tcp    *listeners.TCP
}

// NewBroker listens on addr, for example 127.0.0.1:0.
func NewBroker(addr string) (*Broker, error) {
	s := mochi.New(&mochi.Options{Logger: slog.New(slog.DiscardHandler)})
	if err := s.AddHook(new(auth.AllowHook), nil); err != nil {
		return nil, fmt.Errorf("start broker: %w", err)
	}
	tcp := listeners.NewTCP(listeners.Config{ID: "tcp", Address: addr})
	if err := s.AddListener(tcp); err != nil {
		return nil, fmt.Errorf("start broker on %s: %w", addr, err)
	}
	if err := s.Serve(); err != nil {
		return nil, fmt.Errorf("start broker on %s: %w", addr, err)
	}
	return &Broker{server: s, tcp: tcp}, nil
}

// Addr is where it listens.
func (b *Broker) Addr() string { return b.tcp.Address() }

// Close ends it and all its connections.
func (b *Broker) Close() error { return b.server.Close() }
