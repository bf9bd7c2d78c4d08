package chipsim

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"periph.io/x/conn/v3"
	"periph.io/x/conn/v3/physic"
	"periph.io/x/conn/v3/spi"
	"periph.io/x/conn/v3/spi/spireg"
)

// A SelectedDevice is a chip behind a chip select. tx is one selection: r gets a
// byte for each of w, at the same time.
type SelectedDevice interface {
	tx(w, r []byte, now time.Time)
}

// A SPI is a simulated chip select of an SPI bus with its chip.
type SPI struct {
	name string

	mu     sync.Mutex
	chip   SelectedDevice // nil: nobody drives the data line
	hang   chan struct{}
	failed error
	opens  int
	mode   spi.Mode
}

// NewSPI registers a chip select under a name in periph's spireg. The name must
// be free; Close frees it. chip nil: nothing is there.
func NewSPI(name string, chip SelectedDevice) (*SPI, error) {
	b := &SPI{name: name, chip: chip}
	err := spireg.Register(name, nil, -1, func() (spi.PortCloser, error) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.opens++
		return &spiPort{b: b}, nil
	})
	if err != nil {
		return nil, fmt.Errorf("register chip select %s: %w", name, err)
	}
	return b, nil
}

// Close takes the chip select out of the registry and lets hanging calls go.
func (b *SPI) Close() error {
	b.Hang(false)
	return spireg.Unregister(b.name)
}

// Hang makes calls wait until it is called with false.
func (b *SPI) Hang(on bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case on && b.hang == nil:
		b.hang = make(chan struct{})
	case !on && b.hang != nil:
		close(b.hang)
		b.hang = nil
	}
}

// Fail makes every call fail with err, until it is called with nil.
func (b *SPI) Fail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failed = err
}

// Opens is how often the port was opened.
func (b *SPI) Opens() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.opens
}

type spiPort struct {
	b         *SPI
	connected bool
}

func (p *spiPort) String() string                    { return p.b.name }
func (p *spiPort) Close() error                      { return nil }
func (p *spiPort) LimitSpeed(physic.Frequency) error { return nil }

// Connect can be done once only, as with the kernel's.
func (p *spiPort) Connect(f physic.Frequency, mode spi.Mode, bits int) (spi.Conn, error) {
	if p.connected {
		return nil, errors.New("chipsim: the port is connected already")
	}
	if f < 100*physic.Hertz || bits != 8 {
		return nil, fmt.Errorf("chipsim: %s at %d bits cannot be", f, bits)
	}
	p.connected = true
	p.b.mu.Lock()
	p.b.mode = mode
	p.b.mu.Unlock()
	return &spiConn{p.b}, nil
}

type spiConn struct{ b *SPI }

func (c *spiConn) String() string      { return c.b.name }
func (c *spiConn) Duplex() conn.Duplex { return conn.Full }
func (c *spiConn) TxPackets([]spi.Packet) error {
	return errors.New("chipsim: packets are not simulated")
}

func (c *spiConn) Tx(w, r []byte) error {
	c.b.mu.Lock()
	hang, failed, chip, mode := c.b.hang, c.b.failed, c.b.chip, c.b.mode
	c.b.mu.Unlock()
	if hang != nil {
		<-hang
	}
	if failed != nil {
		return failed
	}
	if len(r) != 0 && len(r) != len(w) {
		return errors.New("chipsim: what is written and read must be of one length")
	}
	got := make([]byte, len(w))
	for i := range got {
		got[i] = 0xff // nobody drives the line
	}
	// The chips here sample on the second edge: in another mode they see noise.
	if chip != nil && mode&1 == 1 {
		chip.tx(w, got, time.Now())
	}
	copy(r, got)
	return nil
}
