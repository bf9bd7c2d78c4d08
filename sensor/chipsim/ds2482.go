package chipsim

import (
	"sync"
	"time"
)

// A DS2482 is a simulated DS2482-100, after Maxim's datasheet 19-4930, with a
// one-wire bus behind it.
type DS2482 struct {
	wire *OneWire

	mu      sync.Mutex
	state   Trouble
	config  byte
	status  byte // without the busy bit
	data    byte
	pointer byte
	until   time.Time // busy
	takes   int

	sent   []byte // since the reset on the wire
	answer []byte // what the chips say to it; nil: not asked yet
	given  int
}

// NewDS2482 makes a bridge to a bus; a zero OneWire will do for one.
func NewDS2482(wire *OneWire) *DS2482 {
	c := &DS2482{wire: wire}
	c.reset()
	return c
}

// reset is also what power does: RST and LL are set, the configuration is 0.
func (c *DS2482) reset() {
	c.config, c.status, c.pointer, c.until = 0, 0x18, 0xf0, time.Time{}
	c.sent, c.answer, c.given = nil, nil, 0
}

// Set makes something go wrong, or right again: Unplugged, Intermittent,
// PoweredAnew (once), Busy, Zeros, Ones.
func (c *DS2482) Set(t Trouble) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t == PoweredAnew {
		c.reset()
		t = None
	}
	c.state = t
}

// busy is how long operations on the wire take (p. 4, standard speed).
func (c *DS2482) busy(now time.Time, d time.Duration) {
	c.until, c.pointer = now.Add(d), 0xf0
}

const (
	wireReset = 1125 * time.Microsecond
	wireByte  = 560 * time.Microsecond
)

func (c *DS2482) tx(w, r []byte, now time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.takes++
	if c.state == Unplugged || c.state == Intermittent && c.takes%3 == 0 {
		return errNack
	}
	if len(w) > 0 {
		if err := c.command(w, now); err != nil {
			return err
		}
	}
	v := c.status
	switch c.pointer {
	case 0xf0:
		if now.Before(c.until) || c.state == Busy && c.status&0x10 == 0 {
			v |= 1
		}
	case 0xe1:
		v = c.data
	case 0xc3:
		v = c.config
	}
	switch c.state {
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

// command carries a command out. Those on the wire are not acknowledged while
// the one before lasts.
func (c *DS2482) command(w []byte, now time.Time) error {
	arg := func() byte { return w[len(w)-1] }
	if w[0] == 0xf0 {
		c.reset()
		return nil
	}
	if want := map[byte]int{0xe1: 2, 0xd2: 2, 0xa5: 2, 0x78: 2, 0xb4: 1, 0x96: 1}[w[0]]; len(w) != want {
		return errNack
	}
	if w[0] == 0xe1 {
		if a := arg(); a != 0xf0 && a != 0xe1 && a != 0xc3 {
			return errNack
		}
		c.pointer = arg()
		return nil
	}
	if now.Before(c.until) {
		return errNack
	}
	switch w[0] {
	case 0xd2: // the upper nibble is the complement of the lower (p. 10)
		if a := arg(); a>>4 == ^a&0x0f {
			c.config, c.pointer = a&0x0f, 0xc3
			c.status &^= 0x10
		}
	case 0xb4:
		c.flush(now)
		c.sent, c.answer, c.given = nil, nil, 0
		c.wire.mu.Lock()
		c.status &^= 0x06
		if c.wire.stuckLow {
			c.status |= 0x04
		} else if len(c.wire.present()) > 0 {
			c.status |= 0x02
		}
		c.wire.mu.Unlock()
		c.busy(now, wireReset)
	case 0xa5:
		c.sent = append(c.sent, arg())
		c.config &^= 0x04 // the strong pull-up ends by itself
		c.busy(now, wireByte)
	case 0x96:
		c.flush(now)
		c.data = 0xff
		if c.given < len(c.answer) {
			c.data = c.answer[c.given]
			c.given++
		}
		c.busy(now, wireByte)
	case 0x78:
		c.flush(now)
		t, err := (&oneWireHandle{c.wire}).SearchTriplet(arg() >> 7)
		if err != nil {
			return err
		}
		c.status = c.status&0x1f | t.Taken<<7
		if !t.GotZero {
			c.status |= 0x20
		}
		if !t.GotOne {
			c.status |= 0x40
		}
		// It takes 207 µs, less than the command itself at 100 kHz: it is over before
		// anybody can ask.
		c.pointer = 0xf0
	}
	return nil
}

// flush lets the chips hear what was sent, once.
func (c *DS2482) flush(now time.Time) {
	if len(c.sent) == 0 || c.answer != nil {
		return
	}
	c.answer = make([]byte, 64)
	c.wire.mu.Lock()
	defer c.wire.mu.Unlock()
	if c.wire.tx(c.sent, c.answer, now) != nil {
		for i := range c.answer {
			c.answer[i] = 0xff
		}
	}
}
