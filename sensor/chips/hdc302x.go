package chips

import (
	"fmt"
	"time"

	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/physic"
	"periph.io/x/devices/v3/hdc302x"

	"coldkeep/sensor"
)

// The HDC3020, HDC3021 and HDC3022, after Texas Instruments' datasheet SNAS778D,
// tables 7-4 (commands) and 7-14 (status).
const (
	hdc302xLow  = sensor.Temp(-40_000)
	hdc302xHigh = sensor.Temp(125_000)

	hdc302xMaker = 0x3000

	hdc302xWasReset = 0x0010 // since the status was cleared
	hdc302xHeater   = 0x2000

	// A measurement of lowest noise takes 12.5 ms, typically.
	hdc302xConversion = 25 * time.Millisecond
)

// An hdc302xChip lets its chip measure once a sweep: it does not acknowledge a
// read before it has finished, so that no value is an old one. Of periph's
// driver it takes the checksum and the conversion to a temperature: the driver
// lets the chip measure by itself, which it forgets when its power fails, does
// not look whose chip it is, and waits for a whole sample when it is made.
type hdc302xChip struct {
	addr  uint16
	known bool
	dev   *hdc302x.Dev
	said  told // that dev was made with
}

func newHDC302x(addr uint16) i2cChip { return &hdc302xChip{addr: addr, said: told{}} }

func (c *hdc302xChip) start(b i2c.Bus) (time.Duration, outcome) {
	o := c.measure(b)
	c.known = o.fault == ""
	return hdc302xConversion, o
}

func (c *hdc302xChip) read(b i2c.Bus) outcome {
	o := c.take(b)
	c.known = o.fault == ""
	return o
}

func (c *hdc302xChip) measure(b i2c.Bus) outcome {
	if o := c.identify(b); o.fault != "" {
		return o
	}
	if !c.known {
		// End what it measures by itself; heater off, for it would warm the
		// sensor; forget the reset that every power-on is.
		for _, w := range [][]byte{{0x30, 0x93}, {0x30, 0x66}, {0x30, 0x41}} {
			if o := c.write(b, w...); o.fault != "" {
				return o
			}
		}
	}
	if o := c.settled(b); o.fault != "" {
		return o
	}
	return c.write(b, 0x24, 0x00)
}

// identify is done at every sweep, before anything is written. An SHT4x, which
// has the same addresses, does not acknowledge the question.
func (c *hdc302xChip) identify(b i2c.Bus) outcome {
	maker, o := c.word(b, "identity", 0x37, 0x81)
	if o.fault == sensor.FaultAbsent && c.isSHT4x(b) {
		return outcome{fault: sensor.FaultIdentity, cause: fmt.Errorf("%w; an SHT4x answers", o.cause)}
	}
	if o.fault == "" && maker != hdc302xMaker {
		return outcome{fault: sensor.FaultIdentity, cause: fmt.Errorf("read identity: maker %#04x; an HDC302x has %#04x", maker, hdc302xMaker)}
	}
	return o
}

// isSHT4x asks for the serial number of an SHT4x, which it has after 1 ms.
func (c *hdc302xChip) isSHT4x(b i2c.Bus) bool {
	if b.Tx(c.addr, []byte{0x89}, nil) != nil {
		return false
	}
	time.Sleep(time.Millisecond)
	r := make([]byte, 6)
	return b.Tx(c.addr, nil, r) == nil && crcSensirion(r[:2]) == r[2] && crcSensirion(r[3:5]) == r[5]
}

// settled makes sure that the chip had power since it was set up, and that
// nobody has turned on its heater.
func (c *hdc302xChip) settled(b i2c.Bus) outcome {
	status, o := c.word(b, "status", 0xf3, 0x2d)
	if o.fault == "" && status&(hdc302xWasReset|hdc302xHeater) != 0 {
		return outcome{fault: sensor.FaultReset, cause: fmt.Errorf("read status: %#04x, it was reset or its heater turned on", status)}
	}
	return o
}

func (c *hdc302xChip) take(b i2c.Bus) outcome {
	r := make([]byte, 6)
	if err := b.Tx(c.addr, nil, r); err != nil {
		o := outcome{fault: i2cFault(err), cause: fmt.Errorf("read temperature: %w", err)}
		if o.fault != sensor.FaultAbsent {
			return o
		}
		// It does not acknowledge a read also where it has nothing to say.
		if s := c.settled(b); s.fault != "" {
			return s
		}
		return outcome{fault: sensor.FaultBusy, cause: o.cause}
	}
	if o := stuck("temperature", r); o.fault != "" {
		return o
	}
	if crcSensirion(r[:2]) != r[2] || crcSensirion(r[3:5]) != r[5] {
		return outcome{fault: sensor.FaultCRC, cause: fmt.Errorf("read temperature: % x has a wrong checksum", r)}
	}
	if o := c.settled(b); o.fault != "" {
		return o
	}
	c.said["\xe0\x00"] = r
	if c.dev == nil {
		// This takes 100 ms, once.
		dev, err := hdc302x.NewI2C(c.said, c.addr, hdc302x.Rate10Hertz)
		if err != nil {
			return outcome{fault: sensor.FaultUnspecified, cause: fmt.Errorf("make driver: %w", err)}
		}
		c.dev = dev
	}
	var env physic.Env
	if err := c.dev.Sense(&env); err != nil {
		return outcome{fault: sensor.FaultCRC, cause: fmt.Errorf("convert temperature: %w", err)}
	}
	return within(env.Temperature, hdc302xLow, hdc302xHigh)
}

// word asks for two bytes and their checksum.
func (c *hdc302xChip) word(b i2c.Bus, what string, w ...byte) (uint16, outcome) {
	r := make([]byte, 3)
	if err := b.Tx(c.addr, w, r); err != nil {
		return 0, outcome{fault: i2cFault(err), cause: fmt.Errorf("read %s: %w", what, err)}
	}
	if o := stuck(what, r); o.fault != "" {
		return 0, o
	}
	if crcSensirion(r[:2]) != r[2] {
		return 0, outcome{fault: sensor.FaultCRC, cause: fmt.Errorf("read %s: % x has a wrong checksum", what, r)}
	}
	return uint16(r[0])<<8 | uint16(r[1]), outcome{}
}

func (c *hdc302xChip) write(b i2c.Bus, w ...byte) outcome {
	if err := b.Tx(c.addr, w, nil); err != nil {
		return outcome{fault: i2cFault(err), cause: fmt.Errorf("send command % x: %w", w, err)}
	}
	return outcome{}
}
