package chips

import (
	"errors"
	"fmt"
	"time"

	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/physic"
	"periph.io/x/devices/v3/mcp9808"

	"coldkeep/sensor"
)

// The MCP9808, after Microchip's datasheet DS25095A.
const (
	mcp9808Low  = sensor.Temp(-40000) // p. 1
	mcp9808High = sensor.Temp(125000)

	mcp9808Maker  = 0x0054 // register 6, p. 27
	mcp9808Device = 0x04   // register 7, upper byte; the lower is a revision, p. 28

	// A conversion takes 250 ms at the finest resolution (p. 4). Before its
	// first one the chip shows 0 °C.
	mcp9808Conversion = 260 * time.Millisecond
)

// An mcp9808Chip is one chip on a bus. It is introduced to the driver anew
// after every fault: it may have lost power, or may be another one by now.
type mcp9808Chip struct {
	addr uint16
	dev  *mcp9808.Dev
	bus  turned // that dev was made with
}

// start has nothing to do with a chip that is known: it measures all the time.
func (c *mcp9808Chip) start(b i2c.Bus) (time.Duration, outcome) {
	if c.dev != nil {
		return 0, outcome{}
	}
	if o := c.introduce(b); o.fault != "" {
		return 0, o
	}
	return mcp9808Conversion, outcome{}
}

func (c *mcp9808Chip) read(b i2c.Bus) outcome {
	c.bus.Bus = b
	sense := func() (physic.Temperature, error) {
		var err error
		t, o := agreed(func() (physic.Temperature, outcome) {
			t, e := c.dev.SenseTemp()
			if err = e; e != nil {
				return t, outcome{fault: sensor.FaultBus, cause: e}
			}
			return t, outcome{}
		})
		if err == nil && o.fault != "" {
			err = o.cause
		}
		return t, err
	}
	t, err := sense()
	if err == nil && t == physic.ZeroCelsius {
		// Exactly 0 °C is a temperature, and also what the chip shows between
		// power-on and its first conversion, and it tells nobody of a power-on.
		time.Sleep(mcp9808Conversion)
		t, err = sense()
	}
	if err != nil {
		// The driver drops the cause: ask again what it was.
		c.dev = nil
		o := c.identify(b)
		if o.fault == "" {
			o = outcome{fault: sensor.FaultCRC, cause: fmt.Errorf("read temperature: %w", err)}
		}
		return o
	}
	if err == nil && (t == physic.ZeroCelsius || t == physic.ZeroCelsius-physic.Celsius/16) {
		// A dead line reads as the one or the other: the chip must still say who it is.
		if o := c.identify(b); o.fault != "" {
			c.dev = nil
			return o
		}
	}
	raw, ok := sensor.Celsius(float64(t-physic.ZeroCelsius) / float64(physic.Celsius))
	if !ok || raw < mcp9808Low || raw > mcp9808High {
		c.dev = nil
		return outcome{fault: sensor.FaultOutOfRange, cause: fmt.Errorf("read temperature: %s", t)}
	}
	return outcome{raw: raw}
}

// identify makes sure that an MCP9808 answers: the driver takes any chip at
// the address for one, also a DS2482.
func (c *mcp9808Chip) identify(b i2c.Bus) outcome {
	d := i2c.Dev{Bus: b, Addr: c.addr}
	var id [2]uint16
	for i, reg := range []byte{0x06, 0x07} {
		r := make([]byte, 2)
		if err := d.Tx([]byte{reg}, r); err != nil {
			return outcome{fault: i2cFault(err), cause: fmt.Errorf("read identity: %w", err)}
		}
		id[i] = uint16(r[0])<<8 | uint16(r[1])
	}
	switch {
	case id[0] == 0x0000 && id[1] == 0x0000:
		return outcome{fault: sensor.FaultAllZero, cause: errors.New("read identity: only zeros")}
	case id[0] == 0xffff && id[1] == 0xffff:
		return outcome{fault: sensor.FaultAllOnes, cause: errors.New("read identity: only ones")}
	}
	if id[0] != mcp9808Maker || id[1]>>8 != mcp9808Device {
		return outcome{fault: sensor.FaultIdentity, cause: fmt.Errorf("read identity: maker %#04x, device %#04x; an MCP9808 has 0x0054, 0x04xx", id[0], id[1])}
	}
	return outcome{}
}

func (c *mcp9808Chip) introduce(b i2c.Bus) outcome {
	if o := c.identify(b); o.fault != "" {
		return o
	}
	c.bus.Bus = b
	dev, err := mcp9808.New(&c.bus, &mcp9808.Opts{Addr: int(c.addr), Res: mcp9808.Maximum})
	if err != nil {
		return outcome{fault: sensor.FaultBus, cause: fmt.Errorf("set up chip: %w", err)}
	}
	if _, err := dev.SenseTemp(); err != nil { // wakes it where it sleeps
		return outcome{fault: sensor.FaultBus, cause: fmt.Errorf("wake chip: %w", err)}
	}
	c.dev = dev
	return outcome{}
}
