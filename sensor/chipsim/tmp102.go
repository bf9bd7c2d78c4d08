package chipsim

import (
	"math"
	"time"
)

// A TMP102 is a simulated chip, after Texas Instruments' datasheet SBOS397.
type TMP102 struct {
	source Source
	ails

	config   uint16
	limits   [2]uint16
	value    uint16
	finished time.Time // of the measurement it is at; zero: none
}

// NewTMP102 makes a chip that got power just now.
func NewTMP102(source Source) *TMP102 {
	c := &TMP102{source: source}
	c.power(time.Now())
	return c
}

const tmp102Takes = 26 * time.Millisecond

func (c *TMP102) power(now time.Time) {
	c.config, c.limits, c.value = 0x60a0, [2]uint16{0x4b00, 0x5000}, 0
	c.finished = now.Add(tmp102Takes)
}

// Set makes something go wrong with the chip, or right again.
func (c *TMP102) Set(t Trouble) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t == PoweredAnew {
		c.power(time.Now())
		t = None
	}
	c.state = t
}

// pass lets time go by until now.
func (c *TMP102) pass(now time.Time) {
	if c.state == Frozen || c.state == Busy || c.finished.IsZero() || now.Before(c.finished) {
		return
	}
	sixteenths := math.Round(min(max(c.source(now)*16, -2048), 2047))
	c.value = uint16(int16(sixteenths)) << 4
	c.finished = time.Time{}
	if c.config&0x0100 == 0 { // not in shutdown: it goes on
		c.finished = now.Add(tmp102Takes)
	}
}

func (c *TMP102) tx(w, r []byte, now time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.answers() {
		return errNack
	}
	if len(w) == 0 {
		c.spoil(r)
		return nil
	}
	c.pass(now)
	reg := w[0] & 3
	if len(w) >= 3 {
		v := uint16(w[1])<<8 | uint16(w[2])
		switch reg {
		case 1:
			c.config = v&^0xe00f | 0x6000
			if v&0x8100 == 0x8100 && c.state != Frozen {
				c.finished = now.Add(tmp102Takes)
			}
		case 2, 3:
			c.limits[reg-2] = v & 0xfff0
		}
	}
	v := c.value
	switch reg {
	case 1:
		v = c.config
		if v&0x0100 != 0 && c.finished.IsZero() {
			v |= 0x8000
		}
		if c.state == WrongIdentity {
			v = 0x8583 // an ADS1115's
		}
	case 2, 3:
		v = c.limits[reg-2]
	}
	for i := range r {
		r[i] = byte(v >> (8 * (1 - i%2)))
	}
	c.spoil(r)
	return nil
}
