package chips

import (
	"errors"
	"fmt"
	"time"

	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/physic"
	"periph.io/x/devices/v3/tmp102"

	"coldkeep/sensor"
)

// The TMP102, after Texas Instruments' datasheet SBOS397. It has no identity.
const (
	tmp102Config = 0x01
	// What every TMP102 shows in its configuration (section 6.5.3): the resolution
	// bits are ones, and the four lowest zeros.
	tmp102Fixed      = 0x600f
	tmp102FixedRight = 0x6000
	// What the driver sets, without the bits that tell of the alert and of a
	// one-shot: eight conversions a second, on, 12 bit. After power-on it is four.
	tmp102Held      = 0x7fdf
	tmp102HeldRight = 0x60c0

	// The first conversion after power-on takes 26 ms, at most 35 (section 5.5);
	// until then it shows 0 °C.
	tmp102Time = 40 * time.Millisecond
)

// A tmp102Chip is read through periph's driver. That one does not look at
// errors when it reads the configuration, and writes one made of zeros then: so
// it is read here before.
type tmp102Chip struct {
	addr uint16
	dev  *tmp102.Dev
	bus  turned
}

func newTMP102(addr uint16) *tmp102Chip { return &tmp102Chip{addr: addr} }

// settings reads the configuration, which no dead line can show.
func (c *tmp102Chip) settings(b i2c.Bus) (uint16, outcome) {
	v, err := word(b, c.addr, tmp102Config)
	switch {
	case err != nil:
		return 0, outcome{fault: i2cFault(err), cause: fmt.Errorf("read settings: %w", err)}
	case v == 0x0000:
		return 0, outcome{fault: sensor.FaultAllZero, cause: errors.New("read settings: only zeros")}
	case v == 0xffff:
		return 0, outcome{fault: sensor.FaultAllOnes, cause: errors.New("read settings: only ones")}
	case v&tmp102Fixed != tmp102FixedRight:
		return 0, outcome{fault: sensor.FaultIdentity, cause: fmt.Errorf("read settings: %#04x, which no TMP102 shows", v)}
	}
	return v, outcome{}
}

func (c *tmp102Chip) start(b i2c.Bus) (time.Duration, outcome) {
	c.bus.Bus = b
	if c.dev != nil {
		return 0, outcome{}
	}
	v, o := c.settings(b)
	if o.fault != "" {
		return 0, o
	}
	if v&0x0010 != 0 { // the driver leaves EM as it is, and reads 12 bits
		if err := b.Tx(c.addr, []byte{tmp102Config, byte(v >> 8), byte(v) &^ 0x10}, nil); err != nil {
			return 0, outcome{fault: i2cFault(err), cause: fmt.Errorf("end extended mode: %w", err)}
		}
	}
	dev, err := tmp102.NewI2C(&c.bus, c.addr, &tmp102.Opts{SampleRate: tmp102.RateEightHertz})
	if err != nil {
		return 0, outcome{fault: i2cFault(err), cause: fmt.Errorf("set up chip: %w", err)}
	}
	c.dev = dev
	return 2 * tmp102Time, outcome{}
}

func (c *tmp102Chip) read(b i2c.Bus) outcome {
	c.bus.Bus = b
	o := c.value(b)
	if o.fault != "" {
		c.dev = nil
	}
	return o
}

func (c *tmp102Chip) value(b i2c.Bus) outcome {
	var env physic.Env
	if err := c.dev.Sense(&env); err != nil {
		return outcome{fault: i2cFault(err), cause: fmt.Errorf("read temperature: %w", err)}
	}
	// Afterwards: the value is believed only of a chip that still has its
	// settings, and over a line that still carries more than zeros.
	v, o := c.settings(b)
	switch {
	case o.fault != "":
		return o
	case v&tmp102Held != tmp102HeldRight:
		return outcome{fault: sensor.FaultReset, cause: fmt.Errorf("read settings: %#04x are not those that were written", v)}
	}
	t, ok := sensor.Celsius(float64(env.Temperature-physic.ZeroCelsius) / float64(physic.Celsius))
	if !ok || t < -40_000 || t > 125_000 {
		return outcome{fault: sensor.FaultOutOfRange, cause: fmt.Errorf("read temperature: %s", env.Temperature)}
	}
	return outcome{raw: t}
}
