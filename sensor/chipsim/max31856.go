package chipsim

import (
	"fmt"
	"math"
	"strings"
	"sync"
	"time"
)

// Overvoltage is a MAX31856 whose inputs are beyond its supply: it tells so and
// does not convert.
const Overvoltage Trouble = "overvoltage"

// A MAX31856 is a simulated chip with a thermocouple, after Maxim's datasheet
// 19-7534. It computes the voltage of the thermocouple that is there and
// linearises it as the type that was set: a wrong one reads wrong.
type MAX31856 struct {
	hot, junction Source
	element       thermocouple

	mu      sync.Mutex
	state   Trouble
	reg     [16]byte
	busy    bool
	ready   time.Time // when the one-shot conversion ends
	last    time.Time // when the last automatic one ended
	untried int       // conversions until the next open-circuit test
	asked   int       // transactions, for what goes wrong now and then
}

// The bits of CR0, and where other registers begin.
const (
	tcAuto, tcOneShot, tcOpenTest, tcNoJunction, tcInterrupt, tcClear, tc50Hz = 0x80, 0x40, 0x30, 0x08, 0x04, 0x02, 0x01

	tcCR1, tcMask, tcThresholds, tcOffset, tcCJT, tcLTC, tcSR = 0x01, 0x02, 0x03, 0x09, 0x0a, 0x0c, 0x0f
)

// NewMAX31856 makes a chip that got power just now, with a thermocouple K, T, J,
// N, E, R, S or B whose hot end and cold junction have the temperatures given.
func NewMAX31856(hot, junction Source, element string) (*MAX31856, error) {
	if len(element) != 1 || !strings.Contains(thermocoupleLetters, element) {
		return nil, fmt.Errorf("make MAX31856: there is no thermocouple %q", element)
	}
	c := &MAX31856{hot: hot, junction: junction, element: thermocouples[element[0]]}
	c.power()
	return c, nil
}

func (c *MAX31856) power() {
	c.reg = [16]byte{0x00, 0x03, 0xff, 0x7f, 0xc0, 0x7f, 0xff, 0x80}
	c.busy, c.untried = false, 0
}

// Set makes something go wrong with the chip, or right again.
func (c *MAX31856) Set(t Trouble) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t == PoweredAnew {
		c.power()
		t = None
	}
	if c.state == Overvoltage {
		c.reg[tcSR] &^= 0x02
	}
	c.state = t
}

func (c *MAX31856) tx(w, r []byte, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked++
	switch {
	case len(w) == 0, c.state == Unplugged, c.state == Intermittent && c.asked%3 == 0:
		return // what nobody drives is ones already
	case c.state == Ones:
		return
	case c.state == Zeros:
		clear(r)
		return
	case c.state == WrongIdentity:
		// A MAX31865 after power-on, whose eight registers come twice.
		other := [8]byte{3: 0xff, 4: 0xff}
		for i := 1; i < len(r); i++ {
			r[i] = other[(int(w[0])+i-1)%8]
		}
		return
	}
	c.settle(now)
	addr := int(w[0] & 0x0f)
	if w[0]&0x80 != 0 {
		for i, v := range w[1:] {
			c.put((addr+i)%16, v)
		}
		c.start(now)
		return
	}
	for i := 1; i < len(r); i++ {
		r[i] = c.reg[(addr+i-1)%16]
	}
	if c.state == Noise && len(r) > 1 {
		r[1+c.asked*7%(len(r)-1)] ^= byte(c.asked*0x25) | 1
	}
}

func (c *MAX31856) put(addr int, v byte) {
	switch {
	case addr == 0:
		old := c.reg[0]
		if c.busy || old&tcAuto != 0 { // the datasheet forbids the change
			v = v&^tc50Hz | old&tc50Hz
		}
		if v&tcClear != 0 && v&tcInterrupt != 0 {
			c.reg[tcSR] = 0
		}
		if old&tcOpenTest == 0 {
			c.untried = 0
		}
		if v&tcOneShot == 0 {
			c.busy = false
		}
		c.reg[0] = v &^ tcClear
	case addr < tcCJT:
		c.reg[addr] = v
	case addr < tcLTC && c.reg[0]&tcNoJunction != 0:
		c.reg[addr] = v
		c.reg[tcCJT+1] &= 0xfc
	}
}

// start begins a conversion where one is asked for: when the selection ends.
func (c *MAX31856) start(now time.Time) {
	switch {
	case c.reg[0]&tcAuto != 0:
		c.reg[0] &^= tcOneShot
	case c.reg[0]&tcOneShot != 0 && !c.busy:
		c.busy, c.ready = true, now.Add(c.takes())
	}
}

// takes is how long a one-shot conversion takes, after the datasheet's typical
// figures.
func (c *MAX31856) takes() time.Duration {
	first, each := 143*time.Millisecond, 33333*time.Microsecond
	if c.reg[0]&tc50Hz != 0 {
		first, each = 169*time.Millisecond, 40*time.Millisecond
	}
	if c.reg[0]&tcNoJunction != 0 {
		first -= 25 * time.Millisecond
	}
	samples := 1 << min(c.reg[tcCR1]>>4&7, 4)
	test := [4]time.Duration{0, 13300 * time.Microsecond, 33400 * time.Microsecond, 113400 * time.Microsecond}[c.reg[0]&tcOpenTest>>4]
	return first + time.Duration(samples-1)*each + test
}

// settle finishes conversions whose time is over.
func (c *MAX31856) settle(now time.Time) {
	if c.state == Overvoltage {
		c.reg[tcSR] |= 0x02
		return
	}
	if c.reg[0]&tcAuto != 0 && now.Sub(c.last) >= 100*time.Millisecond {
		c.last = now
		c.convert(now)
	}
	if c.busy && !now.Before(c.ready) && c.state != Busy {
		c.busy = false
		c.reg[0] &^= tcOneShot
		c.untried = 0 // a one-shot is tested each time
		c.convert(c.ready)
	}
}

// convert measures the cold junction and the thermocouple, and looks for faults.
func (c *MAX31856) convert(at time.Time) {
	if c.state == Frozen {
		return
	}
	junction := c.junction(at)
	if c.reg[0]&tcNoJunction == 0 {
		v := int(math.Round((junction + float64(int8(c.reg[tcOffset]))/16) * 64))
		v = min(max(v, -128*64), 128*64-1) << 2
		c.reg[tcCJT], c.reg[tcCJT+1] = byte(v>>8), byte(v)
	}
	told := float64(int16(uint16(c.reg[tcCJT])<<8|uint16(c.reg[tcCJT+1]))) / 256
	letter := thermocoupleLetters[c.reg[tcCR1]&7]
	set := thermocouples[letter]

	var faults byte
	voltage := c.element.emf(c.hot(at)) - c.element.emf(junction)
	switch c.state {
	case Shorted: // as one where it is shorted: here at the terminals
		voltage = 0
	case Open: // it drifts; what it says is nothing
		voltage = 7
	}
	if c.reg[0]&tcOpenTest != 0 {
		if c.state == Open && c.untried <= 0 {
			faults |= 0x01
		}
		if c.untried--; c.untried < 0 {
			c.untried = 15
		}
	}
	if c.state == Open && c.reg[tcSR]&0x01 != 0 {
		faults |= 0x01 // until a test says otherwise
	}
	t, ok := set.temperature(voltage + set.emf(told))
	if !ok {
		faults |= 0x40
	}
	v := int(math.Round(t*128)) << 5
	c.reg[tcLTC], c.reg[tcLTC+1], c.reg[tcLTC+2] = byte(v>>16), byte(v>>8), byte(v)

	coldest := map[byte]float64{'B': 0, 'R': -50, 'S': -50}
	if low, has := coldest[letter]; told > 125 || told < -55 || has && told < low {
		faults |= 0x80
	}
	if told > float64(int8(c.reg[tcThresholds])) {
		faults |= 0x20
	}
	if told < float64(int8(c.reg[tcThresholds+1])) {
		faults |= 0x10
	}
	threshold := func(i int) float64 {
		return float64(int16(uint16(c.reg[i])<<8|uint16(c.reg[i+1]))) / 16
	}
	if t > threshold(tcThresholds+2) {
		faults |= 0x08
	}
	if t < threshold(tcThresholds+4) {
		faults |= 0x04
	}
	if c.reg[0]&tcInterrupt != 0 {
		faults |= c.reg[tcSR]
	}
	c.reg[tcSR] = faults
}
