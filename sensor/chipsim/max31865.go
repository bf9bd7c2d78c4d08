package chipsim

import (
	"fmt"
	"math"
	"sync"
	"time"
)

// OpenLead is a resistance thermometer whose wire at FORCE- is broken: nothing
// flows, and what is read means nothing.
const OpenLead Trouble = "open_lead"

// A MAX31865 is a simulated chip with a platinum element, after Maxim's
// datasheet 19-6478.
type MAX31865 struct {
	source             Source
	nominal, reference float64

	mu     sync.Mutex
	state  Trouble
	reg    [8]byte
	biased time.Time // since when the bias is on
	ready  time.Time // when the conversion or the cycle ends
	auto   time.Time // when the last automatic conversion ended
	asked  int       // transactions, for what goes wrong now and then
}

// The bits of the configuration.
const (
	rtdBias, rtdAuto, rtdOneShot, rtdCycle, rtdClear, rtd50Hz = 0x80, 0x40, 0x20, 0x0c, 0x02, 0x01
	rtdSettles                                                = 5 * time.Millisecond
)

// NewMAX31865 makes a chip that got power just now, with an element pt100 or
// pt1000 and a reference in Ω; 0 means 430 or 4300.
func NewMAX31865(source Source, element string, reference float64) (*MAX31865, error) {
	nominal, ok := map[string]float64{"pt100": 100, "pt1000": 1000}[element]
	if !ok {
		return nil, fmt.Errorf("make MAX31865: there is no element %q", element)
	}
	if reference == 0 {
		reference = 4.3 * nominal
	}
	c := &MAX31865{source: source, nominal: nominal, reference: reference}
	c.power()
	return c, nil
}

func (c *MAX31865) power() { c.reg = [8]byte{3: 0xff, 4: 0xff} }

// Set makes something go wrong with the chip, or right again.
func (c *MAX31865) Set(t Trouble) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t == PoweredAnew {
		c.power()
		t = None
	}
	c.state = t
}

func (c *MAX31865) tx(w, r []byte, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked++
	switch {
	case len(w) == 0, c.state == Unplugged, c.state == Intermittent && c.asked%3 == 0, c.state == Ones:
		return // what nobody drives is ones already
	case c.state == Zeros:
		clear(r)
		return
	case c.state == WrongIdentity: // a MAX31856 after power-on
		other := [16]byte{0x00, 0x03, 0xff, 0x7f, 0xc0, 0x7f, 0xff, 0x80}
		for i := 1; i < len(r); i++ {
			r[i] = other[(int(w[0])+i-1)%16]
		}
		return
	}
	c.settle(now)
	addr := int(w[0] & 0x07)
	if w[0]&0x80 != 0 {
		for i, v := range w[1:] {
			switch a := (addr + i) % 8; {
			case a == 0:
				c.configure(v, now)
			case a >= 3 && a < 7:
				c.reg[a] = v
			}
		}
		return
	}
	for i := 1; i < len(r); i++ {
		r[i] = c.reg[(addr+i-1)%8]
	}
	if c.state == Noise && len(r) > 1 {
		r[1+c.asked*7%(len(r)-1)] ^= byte(c.asked*0x25) | 1
	}
}

func (c *MAX31865) configure(v byte, now time.Time) {
	old := c.reg[0]
	if old&rtdAuto != 0 { // the datasheet forbids the change
		v = v&^rtd50Hz | old&rtd50Hz
	}
	if v&rtdBias != 0 && old&rtdBias == 0 {
		c.biased = now
	}
	if v&rtdClear != 0 && v&(rtdOneShot|rtdCycle) == 0 {
		c.reg[7] = 0
		c.reg[2] &^= 1
	}
	c.reg[0] = v &^ rtdClear
	switch {
	case v&rtdAuto != 0:
		c.reg[0] &^= rtdOneShot
		c.auto = now
	case v&rtdOneShot != 0:
		c.ready = now.Add(c.takes())
	case v&rtdCycle != 0:
		c.ready = now.Add(550 * time.Microsecond)
	}
}

func (c *MAX31865) takes() time.Duration {
	if c.reg[0]&rtd50Hz != 0 {
		return 62500 * time.Microsecond
	}
	return 52 * time.Millisecond
}

// settle finishes what is over.
func (c *MAX31865) settle(now time.Time) {
	if c.state == Overvoltage {
		c.fault(0x04)
		return // it does not convert
	}
	if c.state == Busy {
		return
	}
	if c.reg[0]&rtdAuto != 0 && now.Sub(c.auto) >= c.takes() {
		c.auto = now
		c.convert(now)
	}
	if now.Before(c.ready) {
		return
	}
	if c.reg[0]&rtdOneShot != 0 {
		c.reg[0] &^= rtdOneShot
		c.convert(c.ready)
	}
	if c.reg[0]&rtdCycle != 0 {
		c.reg[0] &^= rtdCycle
		if c.state == Open || c.state == OpenLead {
			c.fault(0x20) // nothing pulls REFIN- down
		}
	}
}

func (c *MAX31865) fault(bits byte) {
	c.reg[7] |= bits
	c.reg[2] |= 1
}

// convert measures and compares with the thresholds.
func (c *MAX31865) convert(at time.Time) {
	if c.state == Frozen {
		return
	}
	code := 0.0 // without the bias nothing flows
	if c.reg[0]&rtdBias != 0 {
		// What the filter of the inputs has let through.
		let := 1 - math.Exp(-10.5*float64(at.Add(-c.takes()).Sub(c.biased))/float64(rtdSettles))
		code = math.Round(let * c.ohm(c.source(at)) / c.reference * 32768)
	}
	switch c.state {
	case Open:
		code = 32767
	case OpenLead:
		code = 5000 // anything: here one that could be
	case Shorted:
		code = 3
	}
	v := uint16(min(max(code, 0), 32767)) << 1
	c.reg[1], c.reg[2] = byte(v>>8), byte(v)
	if c.reg[7] != 0 {
		c.reg[2] |= 1
	}
	if v>>1 >= (uint16(c.reg[3])<<8|uint16(c.reg[4]))>>1 {
		c.fault(0x80)
	}
	if v>>1 <= (uint16(c.reg[5])<<8|uint16(c.reg[6]))>>1 {
		c.fault(0x40)
	}
}

// ohm is the element's resistance after IEC 60751.
func (c *MAX31865) ohm(t float64) float64 {
	r := 1 + 3.9083e-3*t - 5.775e-7*t*t
	if t < 0 {
		r -= 4.183e-12 * (t - 100) * t * t * t
	}
	return c.nominal * r
}
