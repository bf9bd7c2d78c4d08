package chips

import (
	"errors"
	"fmt"
	"time"

	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/physic"
	"periph.io/x/devices/v3/hdc302x"

	"coldkeep/sensor"
)

// The HDC3020, HDC3021 and HDC3022, after Texas Instruments' datasheet SNAS778.
const (
	hdc302xMaker = 0x3000 // read by 37 81 (section 8.5.7.10)
	hdc302xReset = 0x0010 // of the status: a reset since it was cleared (table 8-20)
)

// An hdc302x is read through periph's driver, which checks the bytes, and
// which neither knows whether the chip is one nor whether it was reset. Its
// New waits for a whole period of the sample rate: the quickest is taken.
type hdc302xChip struct {
	addr uint16
	dev  *hdc302x.Dev
	bus  turned
}

func newHDC302x(addr uint16) *hdc302xChip { return &hdc302xChip{addr: addr} }

// known says whether an HDC302x answers.
func (c *hdc302xChip) known(b i2c.Bus) bool { return c.identify(b).fault == "" }

// ask gives a command and reads the word that answers it.
func (c *hdc302xChip) ask(b i2c.Bus, what string, command ...byte) (uint16, outcome) {
	r := make([]byte, 3)
	if err := b.Tx(c.addr, command, r); err != nil {
		return 0, outcome{fault: i2cFault(err), cause: fmt.Errorf("read %s: %w", what, err)}
	}
	return uint16(r[0])<<8 | uint16(r[1]), answered(r, what, sensor.FaultCRC)
}

func (c *hdc302xChip) identify(b i2c.Bus) outcome {
	maker, o := c.ask(b, "maker", 0x37, 0x81)
	switch {
	case o.fault == sensor.FaultCRC: // an SHT4x answers this with nothing of sense
		return outcome{fault: sensor.FaultIdentity, cause: o.cause}
	case o.fault == "" && maker != hdc302xMaker:
		return outcome{fault: sensor.FaultIdentity, cause: fmt.Errorf("read maker: %#04x; an HDC302x has 0x3000", maker)}
	}
	return o
}

func (c *hdc302xChip) start(b i2c.Bus) (time.Duration, outcome) {
	c.bus.Bus = b
	if c.dev != nil {
		return 0, outcome{}
	}
	if o := c.identify(b); o.fault != "" {
		return 0, o
	}
	if err := b.Tx(c.addr, []byte{0x30, 0x41}, nil); err != nil { // clear the status
		return 0, outcome{fault: i2cFault(err), cause: fmt.Errorf("clear status: %w", err)}
	}
	dev, err := hdc302x.NewI2C(&c.bus, c.addr, hdc302x.Rate10Hertz)
	if err != nil {
		return 0, outcome{fault: i2cFault(err), cause: fmt.Errorf("set up chip: %w", err)}
	}
	c.dev = dev
	return 0, outcome{}
}

func (c *hdc302xChip) read(b i2c.Bus) outcome {
	c.bus.Bus = b
	o := c.value(b)
	if o.fault != "" {
		c.dev = nil
	}
	return o
}

func (c *hdc302xChip) value(b i2c.Bus) outcome {
	status, o := c.ask(b, "status", 0xf3, 0x2d)
	switch {
	case o.fault != "":
		return o
	case status&hdc302xReset != 0:
		return outcome{fault: sensor.FaultReset, cause: fmt.Errorf("read status: %#04x: it was reset", status)}
	}
	var env physic.Env
	if err := c.dev.Sense(&env); err != nil {
		// The driver's error for wrong checks is not exported.
		if err.Error() == "hdc302x: invalid crc" {
			return outcome{fault: sensor.FaultCRC, cause: fmt.Errorf("read measurement: %w", err)}
		}
		if i2cFault(err) == sensor.FaultAbsent {
			// It was there a moment ago: it does not acknowledge where nothing new was measured.
			if _, o := c.ask(b, "status", 0xf3, 0x2d); o.fault == "" {
				return outcome{fault: sensor.FaultStale, cause: errors.Join(errNoMeasurement, err)}
			}
		}
		return outcome{fault: i2cFault(err), cause: fmt.Errorf("read measurement: %w", err)}
	}
	t, ok := sensor.Celsius(float64(env.Temperature-physic.ZeroCelsius) / float64(physic.Celsius))
	if !ok || t < -40_000 || t > 125_000 {
		return outcome{fault: sensor.FaultOutOfRange, cause: fmt.Errorf("read measurement: %s", env.Temperature)}
	}
	return outcome{raw: t}
}
