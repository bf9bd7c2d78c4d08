package chips

import (
	"errors"
	"fmt"
	"time"

	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/physic"
	"periph.io/x/devices/v3/bmxx80"

	"coldkeep/sensor"
)

// The BMP280 and BME280, after Bosch's datasheets BST-BMP280-DS001 and
// BST-BME280-DS002.
const (
	bmx280ID      = 0xd0 // 0x58 the BMP280, 0x60 the BME280
	bmx280Words   = 0x88 // calibration: T1 to T3 first
	bmx280Humid   = 0xf2 // ctrl_hum, of the BME280
	bmx280Status  = 0xf3
	bmx280Data    = 0xf7 // pressure (20 bits), temperature (20 bits), humidity (16)
	bmx280Skipped = 0x80000
)

// A bmx280 is read through periph's driver, for the temperature alone. The
// driver knows the chip and does the compensation; it does not see a chip that
// was reset, and takes the value of a measurement that was skipped for one. It
// waits without end for a status bit: the leash ends that.
type bmx280 struct {
	addr uint16
	id   byte
	dev  *bmxx80.Dev
	bus  turned
	held []byte // ctrl_hum to config, as the driver has set them
}

func newBMx280(p sensor.Probe, addr uint16) *bmx280 {
	c := &bmx280{addr: addr, id: 0x60}
	if p.Chip == "bmp280" {
		c.id = 0x58
	}
	return c
}

func (c *bmx280) start(b i2c.Bus) (time.Duration, outcome) {
	c.bus.Bus = b
	if c.dev != nil {
		return 0, outcome{}
	}
	if o := c.identify(b); o.fault != "" {
		return 0, o
	}
	dev, err := bmxx80.NewI2C(&c.bus, c.addr, &bmxx80.DefaultOpts)
	if err != nil {
		return 0, outcome{fault: i2cFault(err), cause: fmt.Errorf("set up chip: %w", err)}
	}
	held, err := c.settings(b)
	if err != nil {
		return 0, outcome{fault: i2cFault(err), cause: fmt.Errorf("read settings: %w", err)}
	}
	c.dev, c.held = dev, held
	return 0, outcome{}
}

// identify makes sure that the configured chip answers, and that it has its
// calibration, without which every value is nonsense.
func (c *bmx280) identify(b i2c.Bus) outcome {
	r := make([]byte, 6)
	if err := b.Tx(c.addr, []byte{bmx280ID}, r[:1]); err != nil {
		return outcome{fault: i2cFault(err), cause: fmt.Errorf("read identity: %w", err)}
	}
	switch r[0] {
	case c.id:
	case 0x00:
		return outcome{fault: sensor.FaultAllZero, cause: errors.New("read identity: zero")}
	case 0xff:
		return outcome{fault: sensor.FaultAllOnes, cause: errors.New("read identity: only ones")}
	default:
		return outcome{fault: sensor.FaultIdentity, cause: fmt.Errorf("read identity: %#02x; a BMP280 has 0x58, a BME280 0x60", r[0])}
	}
	if err := b.Tx(c.addr, []byte{bmx280Words}, r); err != nil {
		return outcome{fault: i2cFault(err), cause: fmt.Errorf("read calibration: %w", err)}
	}
	if steady(r, 0) || steady(r, 0xff) || r[0] == 0 && r[1] == 0 {
		return outcome{fault: sensor.FaultIdentity, cause: fmt.Errorf("read calibration: % x cannot be one", r)}
	}
	return outcome{}
}

// settings reads ctrl_hum (of the BME280), ctrl_meas without its mode, and
// config.
func (c *bmx280) settings(b i2c.Bus) ([]byte, error) {
	r := make([]byte, 4) // F2…F5; F3 is the status
	if err := b.Tx(c.addr, []byte{bmx280Humid}, r); err != nil {
		return nil, err
	}
	held := []byte{0, r[2] &^ 3, r[3]}
	if c.id == 0x60 {
		held[0] = r[0] & 7
	}
	return held, nil
}

func (c *bmx280) read(b i2c.Bus) outcome {
	c.bus.Bus = b
	o := c.value(b)
	if o.fault != "" {
		c.dev = nil
	}
	return o
}

func (c *bmx280) value(b i2c.Bus) outcome {
	// Before: Sense writes ctrl_meas anew, and hides what was lost.
	held, err := c.settings(b)
	switch {
	case err != nil:
		return outcome{fault: i2cFault(err), cause: fmt.Errorf("read settings: %w", err)}
	case steady(held, 0):
		// They are zeros after power-on, and where the line is dead.
		if o := c.identify(b); o.fault != "" {
			return o
		}
		return outcome{fault: sensor.FaultReset, cause: errors.New("read settings: zeros, as after power-on")}
	case string(held) != string(c.held):
		if o := c.identify(b); o.fault != "" {
			return o
		}
		return outcome{fault: sensor.FaultReset, cause: fmt.Errorf("read settings: % x are not those that were written, % x", held, c.held)}
	}
	var env physic.Env
	if err := c.dev.Sense(&env); err != nil {
		return outcome{fault: i2cFault(err), cause: fmt.Errorf("measure: %w", err)}
	}
	// The same bytes again: they stand until the next measurement.
	r := make([]byte, 6)
	if err := b.Tx(c.addr, []byte{bmx280Data}, r); err != nil {
		return outcome{fault: i2cFault(err), cause: fmt.Errorf("read measurement: %w", err)}
	}
	raw := uint32(r[3])<<12 | uint32(r[4])<<4 | uint32(r[5])>>4
	switch {
	case raw == bmx280Skipped: // section 4.3.6: what it shows where nothing was measured
		return outcome{fault: sensor.FaultStale, cause: errors.Join(errNoMeasurement, fmt.Errorf("% x", r))}
	case steady(r, 0x00):
		return outcome{fault: sensor.FaultAllZero, cause: errors.New("read measurement: only zeros")}
	case steady(r, 0xff):
		return outcome{fault: sensor.FaultAllOnes, cause: errors.New("read measurement: only ones")}
	}
	t, ok := sensor.Celsius(float64(env.Temperature-physic.ZeroCelsius) / float64(physic.Celsius))
	if !ok || t < -40_000 || t > 85_000 {
		return outcome{fault: sensor.FaultOutOfRange, cause: fmt.Errorf("measure: %s", env.Temperature)}
	}
	return outcome{raw: t}
}
