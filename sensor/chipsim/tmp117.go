package chipsim

import (
	"math"
	"time"
)

// A TMP117 is a simulated chip, after Texas Instruments' datasheet SBOS740.
type TMP117 struct {
	ails
	source  Source
	pointer byte
	config  uint16
	value   uint16
	ready   time.Time // when the conversion ends; zero: none is under way
}

// NewTMP117 makes a chip that got power just now.
func NewTMP117(source Source) *TMP117 {
	c := &TMP117{source: source}
	c.power()
	return c
}

func (c *TMP117) power() { c.config, c.value, c.ready = 0x0220, 0x8000, time.Time{} }

// Set makes something go wrong with the chip, or right again.
func (c *TMP117) Set(t Trouble) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.turned(t) {
		c.power()
	}
}

// settle ends a conversion whose time is over.
func (c *TMP117) settle(now time.Time) {
	if c.state == Busy || c.state == Frozen {
		return
	}
	automatic := c.config&0x0400 == 0
	if automatic && c.ready.IsZero() {
		c.ready = now.Add(125 * time.Millisecond)
	}
	if c.ready.IsZero() || now.Before(c.ready) {
		return
	}
	c.value = uint16(int16(math.Round(c.source(now) * 128)))
	c.config |= 0x2000
	c.ready = time.Time{}
	if !automatic {
		c.config = c.config&^0x0c00 | 0x0400 // one-shot ends in shutdown
	}
}

func (c *TMP117) tx(w, r []byte, now time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.answers() {
		return errNack
	}
	c.settle(now)
	if len(w) > 0 {
		c.pointer = w[0] & 0x0f
	}
	if len(w) >= 3 && c.pointer == 1 {
		c.config = c.config&0x3000 | uint16(w[1])<<8&0xcf00 | uint16(w[2])&0xfe
		if c.config&0x0c00 == 0x0c00 {
			samples := []int{1, 8, 32, 64}[c.config>>5&3]
			c.ready = now.Add(time.Duration(samples) * 15500 * time.Microsecond)
		}
	}
	if len(r) == 0 {
		return nil
	}
	switch c.pointer {
	case 0:
		fill(r, c.value)
		c.config &^= 0x2000
	case 1:
		fill(r, c.config)
		c.config &^= 0x2000 // reading the flag clears it
	case 0x0f:
		id := uint16(0x0117)
		if c.state == WrongIdentity {
			id = 0x60a0 // as a TMP102's configuration
		}
		fill(r, id)
	default:
		fill(r, 0)
	}
	c.spoil(r)
	return nil
}
