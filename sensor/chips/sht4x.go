package chips

import (
	"fmt"
	"time"

	"periph.io/x/conn/v3/i2c"

	"coldkeep/sensor"
)

// The SHT40, SHT41, SHT43 and SHT45, after Sensirion's datasheet of the SHT4x,
// version 6. The driver of periph is in no tagged version; besides, it makes
// −40 and 125 °C of what is outside.
const (
	sht4xMeasure = 0xfd // table 8: with high precision
	sht4xSerial  = 0x89
	sht4xTime    = 10 * time.Millisecond // at most 8.3 ms (table 4)
	sht4xAnswer  = time.Millisecond      // until the serial number can be read
)

type sht4x struct {
	addr uint16
	here bool
}

func newSHT4x(addr uint16) *sht4x { return &sht4x{addr: addr} }

// identify reads the serial number, which an HDC302x at the same address does
// not give to this command.
func (c *sht4x) identify(b i2c.Bus) outcome {
	if err := b.Tx(c.addr, []byte{sht4xSerial}, nil); err != nil {
		return outcome{fault: i2cFault(err), cause: fmt.Errorf("ask for serial number: %w", err)}
	}
	time.Sleep(sht4xAnswer)
	r := make([]byte, 6)
	if err := b.Tx(c.addr, nil, r); err != nil {
		return outcome{fault: i2cFault(err), cause: fmt.Errorf("read serial number: %w", err)}
	}
	return answered(r, "serial number", sensor.FaultIdentity)
}

// answered holds six bytes against their checks.
func answered(r []byte, what string, otherwise sensor.Fault) outcome {
	if o := stuck(what, r); o.fault != "" {
		return o
	}
	if !checked(r) {
		return outcome{fault: otherwise, cause: fmt.Errorf("read %s: % x: the checks are wrong", what, r)}
	}
	return outcome{}
}

func (c *sht4x) start(b i2c.Bus) (time.Duration, outcome) {
	if !c.here {
		if o := c.identify(b); o.fault != "" {
			return 0, o
		}
		c.here = true
	}
	if err := b.Tx(c.addr, []byte{sht4xMeasure}, nil); err != nil {
		c.here = false
		return 0, outcome{fault: i2cFault(err), cause: fmt.Errorf("start measurement: %w", err)}
	}
	return sht4xTime, outcome{}
}

// read takes the measurement. There is no old one: a chip that has none does
// not acknowledge.
func (c *sht4x) read(b i2c.Bus) outcome {
	r := make([]byte, 6)
	err := b.Tx(c.addr, nil, r)
	o := answered(r, "measurement", sensor.FaultCRC)
	if err != nil {
		o = outcome{fault: i2cFault(err), cause: fmt.Errorf("read measurement: %w", err)}
	}
	if o.fault == "" {
		o = humidityChip(r)
	}
	c.here = o.fault == ""
	return o
}

// humidityChip turns a word of Sensirion's form into a temperature: the SHT3x,
// SHT4x and HDC302x share it (SHT4x datasheet, section 4.6).
func humidityChip(r []byte) outcome {
	s := float64(uint16(r[0])<<8 | uint16(r[1]))
	t, ok := sensor.Celsius(-45 + 175*s/65535)
	if !ok || t < -40_000 || t > 125_000 {
		return outcome{fault: sensor.FaultOutOfRange, cause: fmt.Errorf("read measurement: % x is %s °C", r, t)}
	}
	return outcome{raw: t}
}
