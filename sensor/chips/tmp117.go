package chips

import (
	"errors"
	"fmt"
	"time"

	"periph.io/x/conn/v3/i2c"

	"coldkeep/sensor"
)

// The TMP117, after Texas Instruments' datasheet SBOS740. There is no driver
// for it in periph.
const (
	tmp117Temp   = 0x00 // section 7.6: 1/128 °C, signed
	tmp117Config = 0x01
	tmp117ID     = 0x0f // 0x0117; the upper four bits are a revision

	// One conversion of eight averaged samples, then shutdown (table 7-6).
	tmp117OneShot = 0x0c20
	tmp117Ready   = 0x2000 // Data_Ready: cleared where it is read
	tmp117EEPROM  = 0x1000 // the memory is being programmed
	tmp117Mode    = 0x0c00
	tmp117Held    = 0x03fc // what holds our settings: CONV, AVG, T/nA, POL, DR/Alert

	tmp117PowerOn = 0x8000 // −256 °C, until the first conversion (section 7.6.1)

	// Eight times 15.5 ms, and 12 % for the clock's spread (section 6.5).
	tmp117Time = 145 * time.Millisecond
)

type tmp117 struct {
	addr  uint16
	known bool
}

func newTMP117(addr uint16) *tmp117 { return &tmp117{addr: addr} }

// identify makes sure that a TMP117 answers, also between: a dead line reads
// as 0 °C or −0.0078 °C.
func (c *tmp117) identify(b i2c.Bus) outcome {
	id, err := word(b, c.addr, tmp117ID)
	switch {
	case err != nil:
		return outcome{fault: i2cFault(err), cause: fmt.Errorf("read identity: %w", err)}
	case id == 0x0000:
		return outcome{fault: sensor.FaultAllZero, cause: errors.New("read identity: only zeros")}
	case id == 0xffff:
		return outcome{fault: sensor.FaultAllOnes, cause: errors.New("read identity: only ones")}
	case id&0x0fff != 0x0117:
		return outcome{fault: sensor.FaultIdentity, cause: fmt.Errorf("read identity: %#04x; a TMP117 has 0x0117", id)}
	}
	return outcome{}
}

func (c *tmp117) start(b i2c.Bus) (time.Duration, outcome) {
	if !c.known {
		if o := c.identify(b); o.fault != "" {
			return 0, o
		}
		c.known = true
	}
	// Reading the settings clears Data_Ready, which may be left from a
	// measurement that nobody took: an old value must not pass for the new one.
	if _, err := word(b, c.addr, tmp117Config); err != nil {
		c.known = false
		return 0, outcome{fault: i2cFault(err), cause: fmt.Errorf("clear flag: %w", err)}
	}
	if err := b.Tx(c.addr, []byte{tmp117Config, tmp117OneShot >> 8, tmp117OneShot & 0xff}, nil); err != nil {
		c.known = false
		return 0, outcome{fault: i2cFault(err), cause: fmt.Errorf("start conversion: %w", err)}
	}
	return tmp117Time, outcome{}
}

func (c *tmp117) read(b i2c.Bus) outcome {
	o := c.value(b)
	c.known = o.fault == ""
	return o
}

func (c *tmp117) value(b i2c.Bus) outcome {
	config, err := word(b, c.addr, tmp117Config)
	switch {
	case err != nil:
		return outcome{fault: i2cFault(err), cause: fmt.Errorf("read settings: %w", err)}
	case config == 0x0000:
		return outcome{fault: sensor.FaultAllZero, cause: errors.New("read settings: only zeros")}
	case config == 0xffff:
		return outcome{fault: sensor.FaultAllOnes, cause: errors.New("read settings: only ones")}
	case config&tmp117Held != tmp117OneShot&tmp117Held || config&tmp117Mode == 0:
		// After power-on it converts all the time, with other settings.
		return outcome{fault: sensor.FaultReset, cause: fmt.Errorf("read settings: %#04x are not those that were written", config)}
	case config&tmp117EEPROM != 0:
		return outcome{fault: sensor.FaultBusy, cause: fmt.Errorf("read settings: %#04x: its memory is being written", config)}
	case config&tmp117Ready == 0:
		return outcome{fault: sensor.FaultBusy, cause: fmt.Errorf("read settings: %#04x: no conversion has ended in %v", config, tmp117Time)}
	}
	raw, o := agreedWord(b, c.addr, "temperature", tmp117Temp)
	if o.fault != "" {
		return o
	}
	if raw == tmp117PowerOn {
		return outcome{fault: sensor.FaultPowerOn, cause: errors.New("read temperature: −256 °C, which it shows before it has measured")}
	}
	if raw == 0x0000 || raw == 0xffff {
		if o := c.identify(b); o.fault != "" {
			return o
		}
	}
	t, ok := sensor.Celsius(float64(int16(raw)) / 128)
	if !ok || t < -55_000 || t > 150_000 { // p. 1
		return outcome{fault: sensor.FaultOutOfRange, cause: fmt.Errorf("read temperature: %#04x is %v °C", raw, float64(int16(raw))/128)}
	}
	return outcome{raw: t}
}
