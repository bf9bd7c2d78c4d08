package chipsim

import (
	"sync"
	"time"
)

// A PCA9548 is a simulated multiplexer, after NXP's datasheet PCA9548A rev. 5:
// chips behind its open ports are on the bus as well.
type PCA9548 struct {
	mu    sync.Mutex
	state Trouble
	open  byte
	ports [8]map[uint16]Device
	stuck [8]chan struct{}
	takes int
}

// NewPCA9548 makes a multiplexer with all ports closed.
func NewPCA9548() *PCA9548 { return &PCA9548{} }

// Add puts a chip behind a port, 0 to 7.
func (m *PCA9548) Add(port int, addr uint16, c Device) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ports[port] == nil {
		m.ports[port] = map[uint16]Device{}
	}
	m.ports[port][addr] = c
}

// Set makes something go wrong, or right again: Unplugged, Intermittent,
// PoweredAnew (all ports closed, once), Frozen (keeps its ports as they are),
// Zeros and Ones (lies about its ports).
func (m *PCA9548) Set(t Trouble) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if t == PoweredAnew {
		m.open, t = 0, None
	}
	m.state = t
}

// Stick makes the lines behind a port hang the bus whenever the port is open,
// until it is called with false.
func (m *PCA9548) Stick(port int, on bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case on && m.stuck[port] == nil:
		m.stuck[port] = make(chan struct{})
	case !on && m.stuck[port] != nil:
		close(m.stuck[port])
		m.stuck[port] = nil
	}
}

// behind gives the chips of an address behind open ports, and what to wait for
// where an open port is stuck.
func (m *PCA9548) behind(addr uint16) (list []Device, stuck chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.state == Unplugged {
		return nil, nil
	}
	for i := range m.ports {
		if m.open>>i&1 == 0 {
			continue
		}
		if m.stuck[i] != nil {
			stuck = m.stuck[i]
		}
		if c := m.ports[i][addr]; c != nil {
			list = append(list, c)
		}
	}
	return list, stuck
}

func (m *PCA9548) tx(w, r []byte, _ time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.takes++
	if m.state == Unplugged || m.state == Intermittent && m.takes%3 == 0 {
		return errNack
	}
	if len(w) > 0 && m.state != Frozen {
		m.open = w[len(w)-1]
	}
	v := m.open
	switch m.state {
	case Zeros:
		v = 0
	case Ones:
		v = 0xff
	}
	for i := range r {
		r[i] = v
	}
	return nil
}
