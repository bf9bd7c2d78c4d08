package chips

import (
	"errors"
	"sync/atomic"

	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/i2c/i2creg"
	"periph.io/x/conn/v3/onewire"
	"periph.io/x/conn/v3/onewire/onewirereg"
	"periph.io/x/conn/v3/physic"
	"periph.io/x/conn/v3/spi"
	"periph.io/x/conn/v3/spi/spireg"
)

// errLeft is the answer to an owner that was left behind and whose call came
// back after all: its successor speaks to the chips by now, and two who speak
// to one chip at a time measure nonsense.
var errLeft = errors.New("the bus was given up: it has another owner by now")

// An opening opens a bus for an owner; left says when that was left behind,
// and from then on the bus answers it no more.
type opening func(left *atomic.Bool) (wire, error)

func openI2C(name string, left *atomic.Bool) (i2c.BusCloser, error) {
	b, err := i2creg.Open(registryName(name))
	if err != nil {
		return nil, err
	}
	return &ownedI2C{b, left}, nil
}

type ownedI2C struct {
	i2c.BusCloser
	left *atomic.Bool
}

func (b *ownedI2C) Tx(addr uint16, w, r []byte) error {
	if b.left.Load() {
		return errLeft
	}
	return b.BusCloser.Tx(addr, w, r)
}

func openWire(name string, left *atomic.Bool) (onewire.BusCloser, error) {
	b, err := onewirereg.Open(registryName(name))
	if err != nil {
		return nil, err
	}
	return &ownedWire{b, left}, nil
}

type ownedWire struct {
	onewire.BusCloser
	left *atomic.Bool
}

func (b *ownedWire) Tx(w, r []byte, power onewire.Pullup) error {
	if b.left.Load() {
		return errLeft
	}
	return b.BusCloser.Tx(w, r, power)
}

func openSPI(name string, left *atomic.Bool) (spi.PortCloser, error) {
	p, err := spireg.Open(registryName(name))
	if err != nil {
		return nil, err
	}
	return &ownedSPI{p, left}, nil
}

type ownedSPI struct {
	spi.PortCloser
	left *atomic.Bool
}

func (p *ownedSPI) Connect(f physic.Frequency, mode spi.Mode, bits int) (spi.Conn, error) {
	if p.left.Load() {
		return nil, errLeft
	}
	c, err := p.PortCloser.Connect(f, mode, bits)
	if err != nil {
		return nil, err
	}
	return &ownedConn{c, p.left}, nil
}

type ownedConn struct {
	spi.Conn
	left *atomic.Bool
}

func (c *ownedConn) Tx(w, r []byte) error {
	if c.left.Load() {
		return errLeft
	}
	return c.Conn.Tx(w, r)
}
