package chipsim

import (
	"math"
	"time"
)

// An HDC302x is a simulated HDC3020, HDC3021 or HDC3022, after Texas
// Instruments' datasheet SNAS778D. It measures when it is told to, once.
type HDC302x struct {
	source Source
	ails

	status   uint16
	finished time.Time // of the measurement; zero: none
	value    []byte    // nil: nothing to read
	asked    uint16    // the last command
}

// NewHDC302x makes a chip that got power just now.
func NewHDC302x(source Source) *HDC302x {
	c := &HDC302x{source: source}
	c.power()
	return c
}

func (c *HDC302x) power() { c.status, c.finished, c.value, c.asked = 0x8010, time.Time{}, nil, 0 }

// Set makes something go wrong with the chip, or right again.
func (c *HDC302x) Set(t Trouble) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t == PoweredAnew {
		c.power()
		t = None
	}
	c.state = t
}

func (c *HDC302x) tx(w, r []byte, now time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.answers() {
		return errNack
	}
	if !c.finished.IsZero() && !now.Before(c.finished) && c.state != Busy {
		c.finished = time.Time{}
		raw := uint16(math.Round(min(max((c.source(now)+45)/175*65535, 0), 65535)))
		c.value = append(summed(raw), summed(0x8000)...) // half the humidity there can be
	}
	if len(w) == 1 {
		return errNack // every command has two bytes
	}
	if len(w) >= 2 {
		c.asked = uint16(w[0])<<8 | uint16(w[1])
		switch c.asked {
		case 0x2400:
			c.value = nil
			if c.state != Frozen {
				c.finished = now.Add(12500 * time.Microsecond)
			}
		case 0x3041:
			c.status &^= 0x8010
		case 0x3066:
			c.status &^= 0x2000
		case 0x306d:
			c.status |= 0x2000
		case 0x30a2:
			c.power()
		case 0x3093, 0x3781, 0xf32d:
		default:
			return errNack
		}
	}
	if len(r) == 0 {
		return nil
	}
	var said []byte
	switch c.asked {
	case 0x3781:
		said = summed(0x3000)
		if c.state == WrongIdentity {
			said = summed(0x5449)
		}
	case 0xf32d:
		said = summed(c.status)
	default:
		said, c.value = c.value, nil
	}
	if said == nil {
		return errNack
	}
	for i := range r {
		r[i] = 0xff
	}
	copy(r, said)
	c.spoil(r)
	return nil
}

// summed is a word with its check.
func summed(v uint16) []byte {
	r := make([]byte, 3)
	checked(r, v)
	return r
}
