package chips

import (
	"bytes"
	"fmt"
	"math"
	"time"

	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/physic"
	"periph.io/x/devices/v3/bmxx80"

	"coldkeep/sensor"
)

// The BMP280 and the BME280, after Bosch's datasheets BST-BMP280-DS001 and
// BST-BME280-DS002, section "Memory map".
const (
	bmx280Low  = sensor.Temp(-40_000)
	bmx280High = sensor.Temp(85_000)

	bmx280Calibration = 0x88 // T1, T2, T3 come first
	bmx280ID          = 0xd0
	bmx280Reset       = 0xe0
	bmx280Status      = 0xf3 // and then ctrl_meas, config
	bmx280Data        = 0xfa

	bmx280Measure = 0xa0 // ctrl_meas: temperature 16 times, pressure not, at rest
	bmx280Forced  = 0x01 // measure once
	bmx280Config  = 0xa0 // as periph's driver writes it; without a use here, but not what it is at power-on

	bmx280Measuring = 0x08 // status
	bmx280Copying   = 0x01

	bmx280Skipped = 0x80000 // what it shows where it has not measured

	bmx280Startup    = 3 * time.Millisecond  // 2 ms
	bmx280Conversion = 45 * time.Millisecond // 1.25 ms, and 2.3 ms for each of 16
)

// A bmx280Chip resets its chip at each sweep and lets it measure once. After a
// reset it shows a value that is no measurement, so that one that does not
// measure cannot show an old value. Of periph's driver it takes the conversion
// to a temperature alone: the driver takes either chip for the other, takes
// that value for 26 °C, asks for ever whether the chip has finished, and waits
// for it where the others on the bus could measure too.
type bmx280Chip struct {
	addr  uint16
	id    byte
	known []byte // the calibration; nil: not set up
}

func newBMx280(p sensor.Probe, addr uint16) i2cChip {
	c := &bmx280Chip{addr: addr, id: 0x58}
	if p.Chip == "bme280" {
		c.id = 0x60
	}
	return c
}

func (c *bmx280Chip) start(b i2c.Bus) (time.Duration, outcome) {
	o := c.measure(b)
	if o.fault != "" {
		c.known = nil
	}
	return bmx280Conversion, o
}

func (c *bmx280Chip) read(b i2c.Bus) outcome {
	o := c.take(b)
	if o.fault != "" {
		c.known = nil
	}
	return o
}

func (c *bmx280Chip) measure(b i2c.Bus) outcome {
	if o := c.identify(b); o.fault != "" {
		return o
	}
	if c.known != nil { // it must be as the last sweep left it
		if o := c.settled(b, new(byte)); o.fault != "" {
			return o
		}
	}
	if o := c.write(b, bmx280Reset, 0xb6); o.fault != "" {
		return o
	}
	time.Sleep(bmx280Startup)
	if o := c.calibration(b); o.fault != "" {
		return o
	}
	// config may be ignored unless the chip is at rest, where the reset has it.
	return c.write(b, 0xf5, bmx280Config, 0xf4, bmx280Measure|bmx280Forced)
}

// identify is done at every sweep: it also tells a dead line from a chip whose
// registers are zeros since its power failed.
func (c *bmx280Chip) identify(b i2c.Bus) outcome {
	r, o := steadily(b, c.addr, "identity", bmx280ID, 1)
	if o.fault != "" {
		return o
	}
	if o := stuck("identity", r); o.fault != "" {
		return o
	}
	if r[0] != c.id {
		return outcome{fault: sensor.FaultIdentity, cause: fmt.Errorf("read identity: %#02x where %#02x is right (0x58 is a BMP280, 0x60 a BME280)", r[0], c.id)}
	}
	return outcome{}
}

// calibration reads what each chip has of its own. One that differs from the
// last sweep's is another chip's.
func (c *bmx280Chip) calibration(b i2c.Bus) outcome {
	status, o := steadily(b, c.addr, "status", bmx280Status, 1)
	if o.fault != "" {
		return o
	}
	if status[0]&bmx280Copying != 0 {
		return outcome{fault: sensor.FaultBusy, cause: fmt.Errorf("read status: %#02x, it does not finish its reset", status[0])}
	}
	r, o := steadily(b, c.addr, "calibration", bmx280Calibration, 6)
	if o.fault != "" {
		return o
	}
	for i := 0; i < 4; i += 2 { // T1 and T2; T3 may be anything
		if o := stuck("calibration", r[i:i+2]); o.fault != "" {
			return o
		}
	}
	if c.known != nil && !bytes.Equal(c.known, r) {
		return outcome{fault: sensor.FaultIdentity, cause: fmt.Errorf("read calibration: % x where it was % x: another chip of its kind", r, c.known)}
	}
	c.known = r
	return outcome{}
}

// settled reads the settings and makes sure that they are those written.
func (c *bmx280Chip) settled(b i2c.Bus, status *byte) outcome {
	// Not steadily: the status and the mode change when the measurement ends.
	r := make([]byte, 3)
	if err := b.Tx(c.addr, []byte{bmx280Status}, r); err != nil {
		return outcome{fault: i2cFault(err), cause: fmt.Errorf("read settings: %w", err)}
	}
	if r[1]&^bmx280Forced == bmx280Measure && r[2] == bmx280Config {
		*status = r[0]&bmx280Measuring | r[1]&bmx280Forced
		return outcome{}
	}
	if o := c.identify(b); o.fault != "" { // the line, not the chip
		return o
	}
	return outcome{fault: sensor.FaultReset, cause: fmt.Errorf("read settings: % x where % x was written", r[1:], []byte{bmx280Measure, bmx280Config})}
}

func (c *bmx280Chip) take(b i2c.Bus) outcome {
	var status byte
	if o := c.settled(b, &status); o.fault != "" {
		return o
	}
	if status != 0 {
		return outcome{fault: sensor.FaultBusy, cause: fmt.Errorf("wait for measurement: not finished after %v", bmx280Conversion)}
	}
	r, o := steadily(b, c.addr, "temperature", bmx280Data, 3)
	if o.fault != "" {
		return o
	}
	if o := stuck("temperature", r); o.fault != "" {
		return o
	}
	raw := int64(r[0])<<12 | int64(r[1])<<4 | int64(r[2])>>4
	if raw == bmx280Skipped {
		return outcome{fault: sensor.FaultStale, cause: fmt.Errorf("read temperature: %#05x, it has not measured", raw)}
	}
	if !c.computable(raw) {
		return outcome{fault: sensor.FaultOutOfRange, cause: fmt.Errorf("read temperature: %#05x is too far from the calibration % x", raw, c.known)}
	}
	return c.convert(r)
}

// computable says whether the datasheet's formula, which the driver has in 32
// bits, holds: beyond, it wraps, and may come out at a plausible value.
func (c *bmx280Chip) computable(raw int64) bool {
	word := func(i int) uint16 { return uint16(c.known[i]) | uint16(c.known[i+1])<<8 }
	t1, t2, t3 := int64(word(0)), int64(int16(word(2))), int64(int16(word(4)))
	d := raw>>4 - t1
	for _, v := range []int64{(raw>>3 - t1<<1) * t2, d * d, (d * d >> 12) * t3} {
		if v < math.MinInt32 || v > math.MaxInt32 {
			return false
		}
	}
	return true
}

func (c *bmx280Chip) convert(r []byte) outcome {
	tph := make([]byte, 26)
	copy(tph, c.known)
	data := make([]byte, 6, 8)
	copy(data[3:], r)
	if c.id == 0x60 {
		data = data[:8]
	}
	// With a filter and a standby the driver takes the chip for one that
	// measures all the time, and does not wait for it.
	dev, err := bmxx80.NewI2C(told{"\xd0": {c.id}, "\x88": tph, "\xe1": make([]byte, 7), "\xf7": data}, c.addr,
		&bmxx80.Opts{Temperature: bmxx80.O16x, Filter: bmxx80.F2, Standby: time.Second})
	if err != nil {
		return outcome{fault: sensor.FaultUnspecified, cause: fmt.Errorf("make driver: %w", err)}
	}
	var env physic.Env
	if err := dev.Sense(&env); err != nil {
		return outcome{fault: sensor.FaultUnspecified, cause: fmt.Errorf("convert temperature: %w", err)}
	}
	return within(env.Temperature, bmx280Low, bmx280High)
}

func (c *bmx280Chip) write(b i2c.Bus, w ...byte) outcome {
	if err := b.Tx(c.addr, w, nil); err != nil {
		return outcome{fault: i2cFault(err), cause: fmt.Errorf("write register %#02x: %w", w[0], err)}
	}
	return outcome{}
}
