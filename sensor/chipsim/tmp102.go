package chipsim

import "time"

// A TMP102 is a simulated chip, after Texas Instruments' datasheet SBOS397.
type TMP102 struct {
	ails
	source  Source
	pointer byte
	config  uint16
	limits  [2]uint16
	value   uint16
	powered time.Time
}

// NewTMP102 makes a chip that got power just now.
func NewTMP102(source Source) *TMP102 {
	c := &TMP102{source: source}
	c.power(time.Now())
	return c
}

func (c *TMP102) power(now time.Time) {
	c.config, c.limits, c.value, c.powered = 0x60a0, [2]uint16{0x4b00, 0x5000}, 0, now
}

// Set makes something go wrong with the chip, or right again.
func (c *TMP102) Set(t Trouble) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.turned(t) {
		c.power(time.Now())
	}
}

func (c *TMP102) tx(w, r []byte, now time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.answers() {
		return errNack
	}
	if len(w) > 0 {
		c.pointer = w[0] & 3
	}
	if len(w) >= 3 {
		v := uint16(w[1])<<8 | uint16(w[2])
		switch c.pointer {
		case 1:
			c.config = v&0x9fd0 | 0x6020 // the resolution and the alert are read alone
		case 2, 3:
			c.limits[c.pointer-2] = v
		}
	}
	// The first conversion takes 26 ms.
	if c.state != Frozen && c.state != Busy && c.config&0x0100 == 0 && now.Sub(c.powered) >= 26*time.Millisecond {
		c.value = uint16(sixteenths(c.source(now))) << 4
		if c.config&0x0010 != 0 {
			c.value = c.value>>1&0xfff8 | 1
		}
	}
	switch c.pointer {
	case 0:
		fill(r, c.value)
	case 1:
		v := c.config
		if c.state == WrongIdentity {
			v = 0x8583 // as an ADS1115 after power-on
		}
		fill(r, v)
	default:
		fill(r, c.limits[c.pointer-2])
	}
	c.spoil(r)
	return nil
}
