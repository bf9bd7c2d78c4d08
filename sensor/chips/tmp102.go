package chips

import (
	"fmt"
	"time"

	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/physic"
	"periph.io/x/devices/v3/tmp102"

	"coldkeep/sensor"
)

// The TMP102, after Texas Instruments' datasheet SBOS397.
const (
	tmp102Low  = sensor.Temp(-40_000)
	tmp102High = sensor.Temp(125_000)

	// The configuration register: 60 A0 at power-on.
	tmp102OneShot   = 0x8000 // written: measure once; read: 0 while it measures
	tmp102Constant  = 0x600f // R1 and R0 are always ones, the last four bits zeros
	tmp102Alert     = 0x0020 // follows the temperature
	tmp102Settings  = 0x6180 // at rest between measurements, 12 bits; at power-on it is not at rest
	tmp102Signature = 0x6000

	// A conversion takes 26 ms, 35 ms at most, and never as little as
	// tmp102Least.
	tmp102Conversion = 40 * time.Millisecond
	tmp102Least      = 10 * time.Millisecond
)

// A tmp102Chip keeps its chip at rest and lets it measure once a sweep. Of
// periph's driver it takes the conversion to a temperature alone: the driver
// forgets the error of reading the configuration and then writes one made of
// zeros, and lets the chip run in its power-on settings, in which a chip that
// lost its power and has not measured yet shows 0 °C like any other.
//
// The chip has no identity: constant bits of its registers are the only sign.
type tmp102Chip struct {
	addr  uint16
	known bool
}

func newTMP102(addr uint16) i2cChip { return &tmp102Chip{addr: addr} }

func (c *tmp102Chip) start(b i2c.Bus) (time.Duration, outcome) {
	wait := tmp102Conversion
	if !c.known {
		if o := c.introduce(b); o.fault != "" {
			return 0, o
		}
		wait *= 2 // it first ends the conversion that it was at
	}
	o := c.measure(b)
	c.known = o.fault == ""
	return wait, o
}

func (c *tmp102Chip) read(b i2c.Bus) outcome {
	o := c.take(b)
	c.known = o.fault == ""
	return o
}

// introduce makes sure, before anything is written, that what answers has a
// TMP102's constant bits, and puts it to rest.
func (c *tmp102Chip) introduce(b i2c.Bus) outcome {
	config, o := c.config(b)
	if o.fault != "" {
		return o
	}
	for _, reg := range []byte{2, 3} {
		limit, o := steadily(b, c.addr, "limit", reg, 2)
		if o.fault != "" {
			return o
		}
		// A chip whose pointer does not move says the same everywhere.
		if v := uint16(limit[0])<<8 | uint16(limit[1]); v == config || v&0x000f != 0 {
			return outcome{fault: sensor.FaultIdentity, cause: fmt.Errorf("read limit %d: %#04x is none of a TMP102", reg, v)}
		}
	}
	return c.write(b, tmp102Settings)
}

// measure starts a measurement and makes sure that it began: a chip that has
// not would show its last value as if it were new.
func (c *tmp102Chip) measure(b i2c.Bus) outcome {
	if o := c.settled(b, new(uint16)); o.fault != "" {
		return o
	}
	for range 3 {
		if o := c.write(b, tmp102Settings|tmp102OneShot); o.fault != "" {
			return o
		}
		written := time.Now()
		var config uint16
		if o := c.settled(b, &config); o.fault != "" {
			return o
		}
		if config&tmp102OneShot == 0 {
			return outcome{}
		}
		if time.Since(written) < tmp102Least {
			break
		}
		// This program was held up for so long that it may have measured by now.
	}
	return outcome{fault: sensor.FaultStale, cause: fmt.Errorf("start measurement: it does not begin")}
}

// take reads the temperature between two looks at the configuration: 0 °C is
// all zeros, and so is a dead line.
func (c *tmp102Chip) take(b i2c.Bus) outcome {
	var config uint16
	if o := c.settled(b, &config); o.fault != "" {
		return o
	}
	if config&tmp102OneShot == 0 {
		return outcome{fault: sensor.FaultBusy, cause: fmt.Errorf("wait for measurement: not finished")}
	}
	r, o := steadily(b, c.addr, "temperature", 0, 2)
	if o.fault != "" {
		return o
	}
	if o := c.settled(b, &config); o.fault != "" {
		return o
	}
	if r[1]&0x0f != 0 { // its last bit is set in the extended mode alone
		return outcome{fault: sensor.FaultIdentity, cause: fmt.Errorf("read temperature: % x has more than 12 bits", r)}
	}
	dev, err := tmp102.NewI2C(told{"\x01": {tmp102Settings >> 8, tmp102Settings & 0xff}, "\x00": r}, c.addr, nil)
	if err != nil {
		return outcome{fault: sensor.FaultUnspecified, cause: fmt.Errorf("make driver: %w", err)}
	}
	var env physic.Env
	if err := dev.Sense(&env); err != nil {
		return outcome{fault: sensor.FaultUnspecified, cause: fmt.Errorf("convert temperature: %w", err)}
	}
	return within(env.Temperature, tmp102Low, tmp102High)
}

// config reads the configuration of what has the constant bits of a TMP102.
func (c *tmp102Chip) config(b i2c.Bus) (uint16, outcome) {
	// Not steadily: one of its bits tells when the measurement ends.
	var v [2]uint16
	for i := range v {
		r := make([]byte, 2)
		if err := b.Tx(c.addr, []byte{1}, r); err != nil {
			return 0, outcome{fault: i2cFault(err), cause: fmt.Errorf("read configuration: %w", err)}
		}
		if o := stuck("configuration", r); o.fault != "" {
			return 0, o
		}
		v[i] = uint16(r[0])<<8 | uint16(r[1])
	}
	if (v[0]^v[1])&^(tmp102OneShot|tmp102Alert) != 0 {
		return 0, outcome{fault: sensor.FaultCRC, cause: fmt.Errorf("read configuration: %#04x, and %#04x when read again", v[0], v[1])}
	}
	if v[0]&tmp102Constant != tmp102Signature {
		return 0, outcome{fault: sensor.FaultIdentity, cause: fmt.Errorf("read configuration: %#04x is none of a TMP102", v[0])}
	}
	return v[0], outcome{}
}

// settled reads the configuration and makes sure that it is the one that was
// written.
func (c *tmp102Chip) settled(b i2c.Bus, config *uint16) (o outcome) {
	if *config, o = c.config(b); o.fault != "" {
		return o
	}
	if got := *config &^ (tmp102OneShot | tmp102Alert); got != tmp102Settings {
		return outcome{fault: sensor.FaultReset, cause: fmt.Errorf("read configuration: %#04x where %#04x was written", got, tmp102Settings)}
	}
	return outcome{}
}

func (c *tmp102Chip) write(b i2c.Bus, config uint16) outcome {
	if err := b.Tx(c.addr, []byte{1, byte(config >> 8), byte(config)}, nil); err != nil {
		return outcome{fault: i2cFault(err), cause: fmt.Errorf("write configuration: %w", err)}
	}
	return outcome{}
}
