package chips

import (
	"errors"
	"fmt"

	"periph.io/x/conn/v3/physic"
	"periph.io/x/conn/v3/spi"

	"coldkeep/sensor"
	"coldkeep/sensor/max31856"
)

// Where a board that reads thermocouples can be, m°C. Its cold junction is half
// of the measurement, and the datasheet promises ±1 °C of it from -40 °C (p. 3);
// no Pi works above 85 °C.
const (
	max31856JunctionLow  = sensor.Temp(-40_000)
	max31856JunctionHigh = sensor.Temp(85_000)
)

// A max31856Chip is the chip with a thermocouple. It never gives
// sensor.FaultShort: a shorted thermocouple is one that measures at the short,
// and nothing tells it from a probe that lies there.
type max31856Chip struct {
	probe sensor.Probe
	dev   *max31856.Dev
}

func newMAX31856(p sensor.Probe) spiChip { return &max31856Chip{probe: p} }

func (c *max31856Chip) read(p spi.Port) outcome {
	if c.dev == nil {
		if o := c.connect(p); o.fault != "" {
			return o
		}
	}
	m, err := c.dev.Measure()
	if err != nil {
		return outcome{fault: max31856Fault(err), cause: err}
	}
	junction, ok := c.temp(m.ColdJunction)
	if !ok || junction < max31856JunctionLow || junction > max31856JunctionHigh {
		return outcome{fault: sensor.FaultColdJunction, cause: fmt.Errorf("read cold junction: %s °C; a board is at %s to %s °C", junction, max31856JunctionLow, max31856JunctionHigh)}
	}
	raw, ok := c.temp(m.Temperature)
	if !ok { // a type B reaches further than a sensor.Temp
		return outcome{fault: sensor.FaultOutOfRange, cause: fmt.Errorf("read temperature: %s", m.Temperature)}
	}
	return outcome{raw: raw}
}

// temp turns periph's temperature into ours.
func (c *max31856Chip) temp(t physic.Temperature) (sensor.Temp, bool) {
	return sensor.Celsius(float64(t-physic.ZeroCelsius) / float64(physic.Celsius))
}

// connect is done once: the driver keeps the connection, and sets the chip up
// anew after every error.
func (c *max31856Chip) connect(p spi.Port) outcome {
	element, err := max31856.ParseType(c.probe.Settings.Element)
	if err != nil {
		return outcome{fault: sensor.FaultUnspecified, cause: err}
	}
	dev, err := max31856.New(p, &max31856.Opts{Type: element, Mains: physic.Frequency(c.probe.Settings.Mains) * physic.Hertz})
	if err != nil {
		return outcome{fault: sensor.FaultBus, cause: err}
	}
	c.dev = dev
	return outcome{}
}

// max31856Fault names what the driver says. Of several bits of the status the
// one that explains the others comes first: a broken wire floats, and what
// floats can be beyond the supply and outside every range.
func max31856Fault(err error) sensor.Fault {
	for _, x := range []struct {
		err   error
		fault sensor.Fault
	}{
		{max31856.ErrZeros, sensor.FaultAllZero},
		{max31856.ErrOnes, sensor.FaultAllOnes},
		{max31856.ErrDamaged, sensor.FaultCRC},
		{max31856.ErrReset, sensor.FaultReset},
		{max31856.ErrSettings, sensor.FaultIdentity},
		{max31856.ErrBusy, sensor.FaultBusy},
		{max31856.ErrStale, sensor.FaultStale},
	} {
		if errors.Is(err, x.err) {
			return x.fault
		}
	}
	var f max31856.Fault
	if !errors.As(err, &f) {
		return sensor.FaultBus
	}
	switch {
	case f.Has(max31856.FaultOpen):
		return sensor.FaultOpen
	case f.Has(max31856.FaultVoltage):
		return sensor.FaultVoltage
	case f.Has(max31856.FaultJunctionRange | max31856.FaultJunctionLow | max31856.FaultJunctionHigh):
		return sensor.FaultColdJunction
	}
	return sensor.FaultOutOfRange
}
