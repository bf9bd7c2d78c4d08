package chipsim

import (
	"math"
	"time"
)

// An ADS1115 is a simulated chip, after Texas Instruments' datasheet SBAS444.
// Its sources are the voltages at its four inputs.
type ADS1115 struct {
	ails
	inputs  [4]Source
	pointer byte
	config  uint16
	value   uint16
	ends    time.Time
	under   byte // the input that is being converted
	full    float64
	Slow    float64 // by how much its clock is slow; 0.1 is 10 %
}

// NewADS1115 makes a chip that got power just now. An input without a source
// is at 0 V.
func NewADS1115(inputs ...Source) *ADS1115 {
	c := &ADS1115{}
	copy(c.inputs[:], inputs)
	c.power()
	return c
}

// Thermistor gives the voltage over a thermistor with r25 Ω at 25 °C and β
// kelvin, at the source's temperature, from a resistor of series Ω and a supply.
func Thermistor(source Source, r25, beta, series, supply float64) Source {
	return func(at time.Time) float64 {
		r := r25 * math.Exp(beta*(1/(source(at)+273.15)-1/298.15))
		return supply * r / (r + series)
	}
}

func (c *ADS1115) power() { c.config, c.value, c.ends = 0x0583, 0, time.Time{} }

// Set makes something go wrong with the chip, or right again. Open and Shorted
// are of the thermistors, seen from a supply of 3.3 V.
func (c *ADS1115) Set(t Trouble) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.turned(t) {
		c.power()
	}
}

func (c *ADS1115) volts(now time.Time) float64 {
	switch {
	case c.state == Open:
		return 3.3
	case c.state == Shorted, c.inputs[c.under] == nil:
		return 0
	}
	return c.inputs[c.under](now)
}

func (c *ADS1115) tx(w, r []byte, now time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.answers() {
		return errNack
	}
	if !c.ends.IsZero() && !now.Before(c.ends) && c.state != Busy && c.state != Frozen {
		c.ends = time.Time{}
		c.value = uint16(int16(max(-32768, min(32767, math.Round(c.volts(now)/c.full*32768)))))
	}
	if len(w) > 0 {
		c.pointer = w[0] & 3
	}
	if len(w) >= 3 && c.pointer == 1 {
		v := uint16(w[1])<<8 | uint16(w[2])
		c.config = v & 0x7fff
		if v&0x8000 != 0 && c.ends.IsZero() {
			rate := []float64{8, 16, 32, 64, 128, 250, 475, 860}[v>>5&7]
			c.under, c.full = byte(v>>12&3), []float64{6.144, 4.096, 2.048, 1.024, 0.512, 0.256, 0.256, 0.256}[v>>9&7]
			c.ends = now.Add(time.Duration((1 + c.Slow) / rate * float64(time.Second)))
		}
	}
	switch c.pointer {
	case 0:
		fill(r, c.value)
	case 1:
		v := c.config
		if c.ends.IsZero() {
			v |= 0x8000
		}
		if c.state == WrongIdentity {
			v = 0x60a0 // as a TMP102
		}
		fill(r, v)
	case 2:
		fill(r, 0x8000)
	case 3:
		fill(r, 0x7fff)
	}
	c.spoil(r)
	return nil
}
