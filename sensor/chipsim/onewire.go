package chipsim

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"periph.io/x/conn/v3/onewire"
	"periph.io/x/conn/v3/onewire/onewirereg"
)

// noDevices is what a bus says on which nobody gives a presence pulse.
type noDevices struct{}

func (noDevices) Error() string   { return "chipsim: no device on the bus" }
func (noDevices) NoDevices() bool { return true }
func (noDevices) BusError() bool  { return true }

// A OneWire is a simulated one-wire bus. It is safe for many goroutines, like
// the kernel's, and ends no call while it hangs.
type OneWire struct {
	name string

	mu       sync.Mutex
	chips    []*DS18B20
	stuckLow bool
	hang     chan struct{}
	opens    int
	search   []*DS18B20 // still taking part in a search
	bit      int
}

// NewOneWire registers a bus under a name in periph's onewirereg. The name must
// be free; Close frees it.
func NewOneWire(name string) (*OneWire, error) {
	b := &OneWire{name: name}
	err := onewirereg.Register(name, nil, -1, func() (onewire.BusCloser, error) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.opens++
		return &oneWireHandle{b}, nil
	})
	if err != nil {
		return nil, fmt.Errorf("register bus %s: %w", name, err)
	}
	return b, nil
}

// Close takes the bus out of the registry and lets hanging calls go.
func (b *OneWire) Close() error {
	b.Hang(false)
	return onewirereg.Unregister(b.name)
}

// Add puts a chip on the bus.
func (b *OneWire) Add(c *DS18B20) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.chips = append(b.chips, c)
}

// StickLow shorts the data line: every bit read is zero.
func (b *OneWire) StickLow(on bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stuckLow = on
}

// Hang makes calls wait until it is called with false.
func (b *OneWire) Hang(on bool) {
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

// Opens is how often the bus was opened.
func (b *OneWire) Opens() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.opens
}

// wait holds a call up while the bus hangs, never under the mutex.
func (b *OneWire) wait() {
	b.mu.Lock()
	h := b.hang
	b.mu.Unlock()
	if h != nil {
		<-h
	}
}

type oneWireHandle struct{ b *OneWire }

func (h *oneWireHandle) String() string { return h.b.name }
func (h *oneWireHandle) Close() error   { return nil }

// Tx is a reset, a presence pulse, bytes written and bytes read.
func (h *oneWireHandle) Tx(w, r []byte, _ onewire.Pullup) error {
	h.b.wait()
	h.b.mu.Lock()
	defer h.b.mu.Unlock()
	return h.b.tx(w, r, time.Now())
}

func (b *OneWire) present() (list []*DS18B20) {
	for _, c := range b.chips {
		if c.trouble() != Unplugged {
			list = append(list, c)
		}
	}
	return list
}

func (b *OneWire) tx(w, r []byte, now time.Time) error {
	if b.stuckLow {
		// The kernel's master takes a line that is low for a presence pulse.
		clear(r)
		return nil
	}
	here := b.present()
	if len(here) == 0 {
		return noDevices{}
	}
	if len(w) == 0 {
		return nil
	}
	for i := range r {
		r[i] = 0xff // nobody pulls the line down
	}
	var chosen []*DS18B20
	rest := w[1:]
	switch w[0] {
	case 0xf0, 0xec: // search, alarm search: the bits follow as triplets
		b.search, b.bit = here, 0
		return nil
	case 0x33: // read ROM
		for _, c := range here {
			and(r, c.ROM[:])
		}
		return nil
	case 0xcc:
		chosen = here
	case 0x55:
		if len(w) < 9 {
			return errors.New("chipsim: match ROM without a whole ROM")
		}
		for _, c := range here {
			if [8]byte(w[1:9]) == c.ROM {
				chosen = append(chosen, c)
			}
		}
		rest = w[9:]
	default:
		return nil
	}
	for _, c := range chosen {
		c.function(rest, r, now)
	}
	return nil
}

// and is what a wire does with several who pull it down.
func and(r, with []byte) {
	for i := range r {
		if i < len(with) {
			r[i] &= with[i]
		}
	}
}

// SearchTriplet reads a bit and its complement and writes the direction, as a
// master's hardware does.
func (h *oneWireHandle) SearchTriplet(direction byte) (onewire.TripletResult, error) {
	b := h.b
	b.mu.Lock()
	defer b.mu.Unlock()
	var t onewire.TripletResult
	bit := func(c *DS18B20) byte { return c.ROM[b.bit/8] >> (b.bit % 8) & 1 }
	for _, c := range b.search {
		if bit(c) == 0 {
			t.GotZero = true
		} else {
			t.GotOne = true
		}
	}
	switch {
	case t.GotZero && t.GotOne:
		t.Taken = direction
	case t.GotOne:
		t.Taken = 1
	}
	var left []*DS18B20
	for _, c := range b.search {
		if bit(c) == t.Taken {
			left = append(left, c)
		}
	}
	b.search = left
	b.bit++
	return t, nil
}

// Search runs periph's search over the triplets.
func (h *oneWireHandle) Search(alarmOnly bool) ([]onewire.Address, error) {
	return onewire.Search(h, alarmOnly)
}
