package chips

import (
	"errors"
	"fmt"

	"periph.io/x/conn/v3/physic"
	"periph.io/x/conn/v3/spi"

	"coldkeep/sensor"
	"coldkeep/sensor/max31865"
)

// A max31865Chip is the chip with a PT100 or PT1000.
type max31865Chip struct {
	probe sensor.Probe
	dev   *max31865.Dev
}

func newMAX31865(p sensor.Probe) spiChip { return &max31865Chip{probe: p} }

func (c *max31865Chip) read(p spi.Port) outcome {
	if c.dev == nil {
		s := c.probe.Settings
		opts := &max31865.Opts{Nominal: 100, Reference: s.Reference, Wires: s.Wires, Mains: physic.Frequency(s.Mains) * physic.Hertz}
		if s.Element == "pt1000" {
			opts.Nominal = 1000
		}
		dev, err := max31865.New(p, opts)
		if err != nil {
			return outcome{fault: sensor.FaultBus, cause: err}
		}
		c.dev = dev // it sets the chip up anew after every error
	}
	m, err := c.dev.Measure()
	if err != nil {
		return outcome{fault: max31865Fault(err), cause: err}
	}
	raw, ok := sensor.Celsius(float64(m.Temperature-physic.ZeroCelsius) / float64(physic.Kelvin))
	if !ok {
		return outcome{fault: sensor.FaultOutOfRange, cause: fmt.Errorf("read temperature: %s", m.Temperature)}
	}
	return outcome{raw: raw}
}

// max31865Fault names what the driver says.
//
// The current goes from the bias through the reference, REFIN-, the element and
// FORCE- to ground. With 2, 3 and 4 wires alike:
//
//   - an input beyond the supply cuts the inputs off, so that all other bits
//     follow from it: it comes first;
//   - REFIN- high: nothing flows. The element or a wire that carries its current
//     is broken; with 4 wires the inputs may then read zero, which looks like a
//     short and is none;
//   - REFIN- low with FORCE- open: current flows past FORCE-. A wire of the
//     element is shorted to ground;
//   - RTDIN- low, REFIN- not: RTDIN- is no longer joined to the element that
//     pulls REFIN- up. With 4 wires that is its own wire, with 2 and 3 the
//     element's, since the board joins RTDIN- to FORCE-: broken;
//   - full scale: RTDIN+ hangs in the air, or the element is broken. Above the
//     threshold and below full scale is a resistance: another element, or too hot;
//   - below the threshold, and current flows: RTDIN+ and RTDIN- are shorted.
func max31865Fault(err error) sensor.Fault {
	var f *max31865.FaultError
	if errors.As(err, &f) {
		switch {
		case f.Bits.Has(max31865.FaultVoltage):
			return sensor.FaultVoltage
		case f.Bits.Has(max31865.FaultNoCurrent):
			return sensor.FaultOpen
		case f.Bits.Has(max31865.FaultLeak):
			return sensor.FaultShort
		case f.Bits.Has(max31865.FaultSenseLow):
			return sensor.FaultOpen
		case f.Bits.Has(max31865.FaultHigh) && f.Code == max31865.FullScale:
			return sensor.FaultOpen
		case f.Bits.Has(max31865.FaultHigh):
			return sensor.FaultOutOfRange
		case f.Bits.Has(max31865.FaultLow):
			return sensor.FaultShort
		}
		return sensor.FaultUnspecified
	}
	for _, x := range []struct {
		err   error
		fault sensor.Fault
	}{
		{max31865.ErrZeros, sensor.FaultAllZero},
		{max31865.ErrOnes, sensor.FaultAllOnes},
		{max31865.ErrDamaged, sensor.FaultCRC},
		{max31865.ErrReset, sensor.FaultReset},
		{max31865.ErrSettings, sensor.FaultIdentity},
		{max31865.ErrBusy, sensor.FaultBusy},
		{max31865.ErrStale, sensor.FaultStale},
		{max31865.ErrRange, sensor.FaultOutOfRange},
	} {
		if errors.Is(err, x.err) {
			return x.fault
		}
	}
	return sensor.FaultBus
}
