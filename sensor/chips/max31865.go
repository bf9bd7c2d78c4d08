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
// FORCE- to ground. With 2, 3 and 4 wires alike (Tables 10 to 12, p. 21 and 22):
//
//   - an input beyond the supply makes all else indeterminate: it comes first;
//   - REFIN- high: nothing flows. The element or a wire that carries its current
//     is broken; with 4 wires the inputs may then read zero, which looks like a
//     short and is none;
//   - REFIN- or RTDIN- low with FORCE- open: a wire is shorted to ground, though
//     the data may appear to be valid;
//   - full scale: the element is broken, or RTDIN+ is not joined to it. Above the
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
		case f.Bits.Has(max31865.FaultLeak | max31865.FaultSenseLow):
			return sensor.FaultShort
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
