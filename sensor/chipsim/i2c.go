package chipsim

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/i2c/i2creg"
	"periph.io/x/conn/v3/physic"
)

// errNack is what the kernel says where nobody answers.
var errNack = errors.New("sysfs-i2c: remote I/O error")

// An I2C is a simulated I²C bus.
type I2C struct {
	name string

	mu    sync.Mutex
	chips map[uint16]Device
	hang  chan struct{}
}

// NewI2C registers a bus under a name in periph's i2creg. The name must be
// free; Close frees it.
func NewI2C(name string) (*I2C, error) {
	b := &I2C{name: name, chips: map[uint16]Device{}}
	if err := i2creg.Register(name, nil, -1, func() (i2c.BusCloser, error) { return &i2cHandle{b}, nil }); err != nil {
		return nil, fmt.Errorf("register bus %s: %w", name, err)
	}
	return b, nil
}

// Close takes the bus out of the registry and lets hanging calls go.
func (b *I2C) Close() error {
	b.Hang(false)
	return i2creg.Unregister(b.name)
}

// A Device is a chip on an I²C bus. tx is a write and then a read, with a
// repeated start between where both have bytes; what it does not drive reads as
// ones, and an error is errNack: it does not acknowledge.
type Device interface {
	tx(w, r []byte, now time.Time) error
}

// Add puts a chip on the bus.
func (b *I2C) Add(addr uint16, c Device) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.chips[addr] = c
}

// Hang makes calls wait until it is called with false.
func (b *I2C) Hang(on bool) {
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

type i2cHandle struct{ b *I2C }

func (h *i2cHandle) String() string                  { return h.b.name }
func (h *i2cHandle) Close() error                    { return nil }
func (h *i2cHandle) SetSpeed(physic.Frequency) error { return nil }

func (h *i2cHandle) Tx(addr uint16, w, r []byte) error {
	h.b.mu.Lock()
	hang := h.b.hang
	all := make(map[uint16]Device, len(h.b.chips))
	for a, c := range h.b.chips {
		all[a] = c
	}
	h.b.mu.Unlock()
	if hang != nil {
		<-hang
	}
	// Who is connected is settled before anybody hears of the transaction.
	var list []Device
	if c := all[addr]; c != nil {
		list = append(list, c)
	}
	for _, c := range all {
		if m, ok := c.(*PCA9548); ok {
			behind, stuck := m.behind(addr)
			if stuck != nil {
				<-stuck
			}
			list = append(list, behind...)
		}
	}
	return together(list, w, r, time.Now())
}

// together is a transaction with all chips of one address: any of them
// acknowledges, and a byte is one where none of them pulls it down.
func together(list []Device, w, r []byte, now time.Time) error {
	sum := make([]byte, len(r))
	for i := range sum {
		sum[i] = 0xff
	}
	err := errNack
	for _, c := range list {
		own := make([]byte, len(r))
		for i := range own {
			own[i] = 0xff
		}
		if c.tx(w, own, now) == nil {
			and(sum, own)
			err = nil
		}
	}
	if err == nil {
		copy(r, sum)
	}
	return err
}
