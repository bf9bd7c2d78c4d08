package chipsim

import (
	"math"
	"sort"
	"time"
)

// A BMx280 is a simulated BMP280 or BME280, after Bosch's datasheets
// BST-BMP280-DS001 and BST-BME280-DS002. It measures the temperature alone,
// and has the calibration of the datasheet's example.
type BMx280 struct {
	source Source
	id     byte
	ails

	regs     [256]byte
	started  time.Time // got power or was reset
	finished time.Time // of the measurement it is at; zero: none
}

// NewBMP280 makes a BMP280 that got power just now.
func NewBMP280(source Source) *BMx280 { return newBMx280(source, 0x58) }

// NewBME280 makes a BME280 that got power just now.
func NewBME280(source Source) *BMx280 { return newBMx280(source, 0x60) }

// bmx280T are T1, T2, T3 of the datasheet's example.
var bmx280T = [3]int{27504, 26435, -1000}

func newBMx280(source Source, id byte) *BMx280 {
	c := &BMx280{source: source, id: id}
	c.power(time.Now())
	return c
}

func (c *BMx280) power(now time.Time) {
	c.regs = [256]byte{0xd0: c.id, 0xf7: 0x80, 0xfa: 0x80, 0xfd: 0x80}
	for i, t := range bmx280T {
		c.regs[0x88+2*i], c.regs[0x89+2*i] = byte(t), byte(t>>8)
	}
	c.started, c.finished = now, time.Time{}
}

// Set makes something go wrong with the chip, or right again.
func (c *BMx280) Set(t Trouble) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t == PoweredAnew {
		c.power(time.Now())
		t = None
	}
	c.state = t
}

// pass lets time go by until now.
func (c *BMx280) pass(now time.Time) {
	if c.finished.IsZero() || now.Before(c.finished) || c.state == Busy {
		return
	}
	c.finished = time.Time{}
	c.regs[0xf4] &^= 3
	if c.state == Frozen {
		return
	}
	raw := bmx280Raw(c.source(now))
	c.regs[0xfa], c.regs[0xfb], c.regs[0xfc] = byte(raw>>12), byte(raw>>4), byte(raw<<4)
}

// bmx280Raw finds what the chip shows at a temperature, by the datasheet's
// formula in floating point.
func bmx280Raw(celsius float64) int {
	t1, t2, t3 := float64(bmx280T[0]), float64(bmx280T[1]), float64(bmx280T[2])
	n := sort.Search(0xfffff, func(raw int) bool {
		d := float64(raw)/16384 - t1/1024
		return (d*t2+d*d/64*t3)/5120 >= celsius
	})
	return int(math.Min(float64(n), 0xfffff))
}

func (c *BMx280) tx(w, r []byte, now time.Time) error {
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
	for i := 0; i+1 < len(w); i += 2 {
		switch reg, v := w[i], w[i+1]; {
		case reg == 0xe0 && v == 0xb6:
			c.power(now)
		case reg == 0xf2 && c.id == 0x60, reg == 0xf5:
			c.regs[reg] = v
		case reg == 0xf4:
			c.regs[reg] = v
			if v&3 != 0 {
				averaged := (1 << (v >> 5)) >> 1
				c.finished = now.Add(time.Millisecond + time.Duration(averaged)*2*time.Millisecond)
			}
		}
	}
	c.regs[0xf3] = 0
	if !c.finished.IsZero() {
		c.regs[0xf3] |= 8
	}
	if now.Sub(c.started) < 2*time.Millisecond {
		c.regs[0xf3] |= 1
	}
	for i := range r {
		r[i] = c.regs[(int(w[0])+i)%256]
		if int(w[0])+i == 0xd0 && c.state == WrongIdentity {
			r[i] ^= 0x58 ^ 0x60 // the other of the two
		}
	}
	c.spoil(r)
	return nil
}
