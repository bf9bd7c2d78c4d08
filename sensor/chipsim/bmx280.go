package chipsim

import (
	"math"
	"time"
)

// A BMx280 is a simulated BMP280 or BME280, after Bosch's datasheets, with the
// calibration of the datasheet's example.
type BMx280 struct {
	ails
	source  Source
	id      byte
	pointer byte
	humid   byte
	humSet  byte // ctrl_hum holds only from the next write of ctrl_meas on
	measure byte
	config  byte
	ends    time.Time // of the measurement that is under way
	data    [8]byte
}

// The example's calibration: T1 to T3, P1 to P9 (BST-BMP280-DS001, section 3.12).
var bmx280Calibration = []int{27504, 26435, -1000, 36477, -10685, 3024, 2855, 140, -7, 15500, -14600, 6000}

// NewBMP280 makes a chip that got power just now.
func NewBMP280(source Source) *BMx280 { return newBMx280(source, 0x58) }

// NewBME280 makes a chip that got power just now.
func NewBME280(source Source) *BMx280 { return newBMx280(source, 0x60) }

func newBMx280(source Source, id byte) *BMx280 {
	c := &BMx280{source: source, id: id}
	c.power()
	return c
}

func (c *BMx280) power() {
	c.humid, c.humSet, c.measure, c.config, c.ends = 0, 0, 0, 0, time.Time{}
	c.data = [8]byte{0x80, 0, 0, 0x80, 0, 0, 0x80, 0}
}

// Set makes something go wrong with the chip, or right again.
func (c *BMx280) Set(t Trouble) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.turned(t) {
		c.power()
	}
}

// compensated is what the datasheet's formula makes of a raw value, in °C.
func compensated(raw float64) float64 {
	t1, t2, t3 := float64(bmx280Calibration[0]), float64(bmx280Calibration[1]), float64(bmx280Calibration[2])
	a := (raw/16384 - t1/1024) * t2
	b := raw/131072 - t1/8192
	return (a + b*b*t3) / 5120
}

// rawFor finds the raw value of a temperature, by halving.
func rawFor(celsius float64) uint32 {
	lo, hi := 0.0, float64(1<<20-1)
	for range 60 {
		mid := (lo + hi) / 2
		if compensated(mid) < celsius {
			lo = mid
		} else {
			hi = mid
		}
	}
	return uint32(math.Round(lo))
}

func (c *BMx280) register(addr byte) byte {
	words := func(from byte) byte {
		v := uint16(int16(bmx280Calibration[(addr-from)/2]))
		if c := bmx280Calibration[(addr-from)/2]; c > 32767 {
			v = uint16(c)
		}
		if (addr-from)%2 == 0 {
			return byte(v)
		}
		return byte(v >> 8)
	}
	switch {
	case addr == 0xd0:
		if c.state == WrongIdentity {
			return 0x55
		}
		return c.id
	case addr >= 0x88 && addr < 0xa0:
		return words(0x88)
	case addr == 0xa1:
		return 75
	case addr >= 0xe1 && addr <= 0xe7:
		return [...]byte{0x6a, 0x01, 0x00, 0x13, 0x29, 0x03, 0x1e}[addr-0xe1]
	case addr == 0xf2 && c.id == 0x60:
		return c.humid
	case addr == 0xf3:
		if !c.ends.IsZero() || c.state == Busy {
			return 0x08
		}
		return 0
	case addr == 0xf4:
		return c.measure
	case addr == 0xf5:
		return c.config
	case addr >= 0xf7 && addr <= 0xfe:
		return c.data[addr-0xf7]
	}
	return 0
}

func (c *BMx280) write(addr, v byte, now time.Time) {
	switch addr {
	case 0xe0:
		if v == 0xb6 {
			c.power()
		}
	case 0xf2:
		c.humSet = v
	case 0xf5:
		c.config = v
	case 0xf4:
		c.measure = v
		if c.id == 0x60 {
			c.humid = c.humSet & 7
		}
		if v&3 == 1 || v&3 == 2 {
			times := func(bits byte) float64 {
				if bits == 0 {
					return 0
				}
				return float64(int(1) << (min(bits, 5) - 1))
			}
			ms := 1 + 2*times(v>>5) + 2*times(v>>2&7) + 0.5
			if c.humid != 0 {
				ms += 2*times(c.humid) + 0.5
			}
			c.ends = now.Add(time.Duration(ms * float64(time.Millisecond)))
		}
	}
}

func (c *BMx280) tx(w, r []byte, now time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.answers() {
		return errNack
	}
	if !c.ends.IsZero() && !now.Before(c.ends) && c.state != Busy {
		c.ends = time.Time{}
		c.measure &^= 3
		if c.state != Frozen {
			raw := rawFor(c.source(now)) << 4
			c.data = [8]byte{0x65, 0x5a, 0xc0, byte(raw >> 16), byte(raw >> 8), byte(raw), 0x6e, 0x00}
		} else {
			c.data = [8]byte{0x80, 0, 0, 0x80, 0, 0, 0x80, 0}
		}
	}
	if len(w) > 0 {
		c.pointer = w[0]
		for i := 0; i+1 < len(w); i += 2 { // pairs of register and value
			c.write(w[i], w[i+1], now)
		}
	}
	for i := range r {
		r[i] = c.register(c.pointer + byte(i))
	}
	c.spoil(r)
	return nil
}
