package chipsim

import (
	"time"

	"periph.io/x/conn/v3/onewire"
)

// A DS2482 is a simulated DS2482-100, after Maxim's datasheet 19-4930: a bridge
// from I²C to a one-wire bus with its chips.
type DS2482 struct {
	ails
	line    OneWire // unregistered: it is reached through the bridge alone
	pointer byte
	config  byte
	status  byte
	data    byte
	free    time.Time // when the one-wire action ends

	// The transaction since the last reset of the line, as the chips see it.
	sent []byte
	got  []byte
	read int
	open bool // presence was seen
}

// NewDS2482 makes a bridge with the chips given behind it.
func NewDS2482(chips ...*DS18B20) *DS2482 {
	c := &DS2482{}
	c.line.chips = chips
	c.power()
	return c
}

func (c *DS2482) power() { c.pointer, c.config, c.status, c.data = 0xf0, 0, 0x18, 0 }

// Set makes something go wrong with the bridge, or right again. Shorted is the
// one-wire line.
func (c *DS2482) Set(t Trouble) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.turned(t) {
		c.power()
	}
}

// The chip's actions and their time at standard speed (p. 4, 10–13).
const (
	ds2482ResetTime = 1148 * time.Microsecond
	ds2482ByteTime  = 584 * time.Microsecond
	ds2482BitsTime  = 219 * time.Microsecond
)

func (c *DS2482) tx(w, r []byte, now time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.answers() {
		return errNack
	}
	if len(w) > 0 {
		if err := c.command(w, now); err != nil {
			return err
		}
	}
	for i := range r {
		switch c.pointer {
		case 0xe1:
			r[i] = c.data
		case 0xc3:
			r[i] = c.config
		default:
			r[i] = c.status &^ 1
			if now.Before(c.free) || c.state == Busy {
				r[i] |= 1
			}
		}
		if c.state == WrongIdentity {
			r[i] = 0x54
		}
	}
	c.spoil(r)
	return nil
}

func (c *DS2482) command(w []byte, now time.Time) error {
	busy := now.Before(c.free)
	switch {
	case w[0] == 0xf0: // device reset
		c.power()
		c.free = now
	case w[0] == 0xe1 && len(w) == 2: // set read pointer
		if w[1] != 0xf0 && w[1] != 0xe1 && w[1] != 0xc3 {
			return errNack // those of other members of the family
		}
		c.pointer = w[1]
	case w[0] == 0xd2 && len(w) == 2 && !busy: // write configuration
		if w[1]>>4 == ^w[1]&0x0f {
			c.config = w[1] & 0x0f
			c.status &^= 0x10
		}
		c.pointer = 0xc3
	case busy:
		return errNack
	case w[0] == 0xb4: // reset of the line
		c.reset(now)
	case w[0] == 0xa5 && len(w) == 2:
		c.sent = append(c.sent, w[1])
		c.act(now, ds2482ByteTime)
		// A conversion begins, and a search, when the byte is out.
		c.offer(now)
	case w[0] == 0x96:
		c.data = 0xff
		if c.open && c.state != Shorted {
			c.offer(now)
			if c.read < len(c.got) {
				c.data = c.got[c.read]
			}
		}
		if c.state == Shorted {
			c.data = 0
		}
		c.read++
		c.act(now, ds2482ByteTime)
	case w[0] == 0x78 && len(w) == 2:
		h := oneWireHandle{&c.line}
		t, err := h.SearchTriplet(w[1] >> 7)
		if err != nil {
			return err
		}
		c.status &= 0x1f
		if !t.GotZero {
			c.status |= 0x20
		}
		if !t.GotOne {
			c.status |= 0x40
		}
		c.status |= t.Taken << 7
		c.act(now, ds2482BitsTime)
	default:
		return errNack
	}
	return nil
}

func (c *DS2482) act(now time.Time, d time.Duration) {
	c.pointer = 0xf0
	c.free = now.Add(d)
}

func (c *DS2482) reset(now time.Time) {
	c.sent, c.got, c.read = nil, nil, 0
	c.status &^= 0x06
	c.line.mu.Lock()
	c.open = len(c.line.present()) > 0
	c.line.mu.Unlock()
	if c.open {
		c.status |= 0x02
	}
	if c.state == Shorted {
		c.status |= 0x04
		c.open = false
	}
	c.act(now, ds2482ResetTime)
}

// offer lets the chips see what was written since the reset, once it is whole:
// all that they are asked takes a fixed number of bytes.
func (c *DS2482) offer(now time.Time) {
	if !c.open || c.got != nil || len(c.sent) == 0 {
		return
	}
	whole := 1
	switch c.sent[0] {
	case 0x55:
		whole = 10
	case 0xcc:
		whole = 2
	}
	if len(c.sent) > 9 && c.sent[9] == 0x4e {
		whole = 13
	}
	if len(c.sent) < whole {
		return
	}
	c.got = make([]byte, 9)
	h := oneWireHandle{&c.line}
	if err := h.Tx(c.sent, c.got, onewire.WeakPullup); err != nil {
		c.got = nil
	}
}
