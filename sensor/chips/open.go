// Package chips reads real temperature chips through periph's buses and
// drivers and turns what they say into sensor.Readings.
//
// A bus is opened by the name it has in periph's registries, by one goroutine
// that alone touches it. A chip's answer is believed only after guards that
// the drivers lack: an answer of zeros, a power-on value, a conversion that
// never happened, another chip at the address. What does not pass them is a
// sensor.Fault, never a temperature.
//
// The package knows no units, limits or batches. periph's physic stays inside.
package chips

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"coldkeep/sensor"
)

// Options are the same for all buses. The zero value is usable.
type Options struct {
	// Deadline is how long a sweep of one bus may take before the bus is
	// abandoned. 0 means 5 s. One sweep takes about 0.8 s of conversion and
	// 15 ms a DS18B20, so that much must fit.
	Deadline time.Duration
	// Log is told when a bus or probe fails and when it works again, once per
	// change. nil means slog.Default().
	Log *slog.Logger
}

func (o Options) withDefaults() Options {
	if o.Deadline <= 0 {
		o.Deadline = 5 * time.Second
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	return o
}

// Check says what is wrong with a probe's chip, bus, address and settings, and
// what would be right. It opens nothing.
func Check(p sensor.Probe) error {
	var errs []error
	for _, w := range p.Wiring() {
		errs = append(errs, fmt.Errorf("check probe %q: %s: %s", p.ID, w.Field, w.Text))
	}
	return errors.Join(errs...)
}

// kindOf is the kind of bus that a probe's wire belongs to.
func kindOf(p sensor.Probe) sensor.BusKind {
	if p.Bridge != "" {
		return sensor.I2C
	}
	c, _ := sensor.ChipNamed(p.Chip) // Check has found it
	return c.Bus
}

// Open groups the probes by bus, in order of first appearance, and gives one
// sensor.Bus for each. The probes of a bus are read in the order given here.
//
// Nothing is touched yet: a bus is opened by its first sweep, and a bus that
// is not there is tried again at later ones while its probes give
// sensor.FaultBus. The errors are about the config alone, all of them at once.
// Call InitHost before for real hardware.
func Open(ctx context.Context, probes []sensor.Probe, opts Options) ([]sensor.Bus, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("open buses: %w", err)
	}
	opts = opts.withDefaults()
	var errs []error
	var names []string
	kinds := map[string]sensor.BusKind{}
	groups := map[string][]sensor.Probe{}
	places := map[string]string{} // where on the wires -> probe id
	for _, p := range probes {
		if err := Check(p); err != nil {
			errs = append(errs, err)
			continue
		}
		if other, taken := places[p.Place()]; taken {
			errs = append(errs, fmt.Errorf("open bus %q: probes %q and %q have the same address %s: give each its own", p.Bus, other, p.ID, p.Address))
			continue
		}
		places[p.Place()] = p.ID
		if k, known := kinds[p.Bus]; !known {
			kinds[p.Bus] = kindOf(p)
			names = append(names, p.Bus)
		} else if k != kindOf(p) {
			errs = append(errs, fmt.Errorf("open bus %q: probe %q needs %s, but the probes before it need %s: give it another bus", p.Bus, p.ID, kindOf(p), k))
			continue
		}
		groups[p.Bus] = append(groups[p.Bus], p)
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	var buses []sensor.Bus
	for _, name := range names {
		group := groups[name]
		open, err := opener(kinds[name], name, group)
		if err != nil {
			return nil, fmt.Errorf("open bus %q: %w", name, err)
		}
		buses = append(buses, newBus(name, group, open, opts))
	}
	return buses, nil
}

// opener is the one switch over kinds of buses; each kind switches over its
// chips by the probes it is given.
func opener(kind sensor.BusKind, name string, probes []sensor.Probe) (opening, error) {
	switch kind {
	case sensor.OneWire:
		return openerOneWire(name, probes)
	case sensor.I2C:
		return openerI2C(name, probes)
	case sensor.SPI:
		return openerSPI(name, probes)
	}
	return nil, fmt.Errorf("open %s bus: no such kind of bus", kind)
}

// newI2CChip is the one switch over the chips on I²C. It touches nothing.
func newI2CChip(p sensor.Probe, addr uint16) (i2cChip, error) {
	switch p.Chip {
	case "ads1115":
		return newADS1115(p, addr), nil
	case "bme280", "bmp280":
		return newBMx280(p, addr), nil
	case "hdc302x":
		return newHDC302x(addr), nil
	case "mcp9808":
		return &mcp9808Chip{addr: addr}, nil
	case "sht4x":
		return newSHT4x(addr), nil
	case "tmp102":
		return newTMP102(addr), nil
	case "tmp117":
		return newTMP117(addr), nil
	}
	return nil, fmt.Errorf("chip %s is not one on I²C", p.Chip)
}

// newSPIChip is the one switch over the chips on SPI. It touches nothing.
func newSPIChip(p sensor.Probe) (spiChip, error) {
	switch p.Chip {
	case "max31856":
		return newMAX31856(p), nil
	case "max31865":
		return newMAX31865(p), nil
	}
	return nil, fmt.Errorf("chip %s is not one on SPI", p.Chip)
}

// registryName turns the config's onewire-N into periph's OneWireN, i2c-N into
// I2CN, and spi-B.C into SPIB.C. Any other name is periph's own and stays.
func registryName(name string) string {
	for prefix, periph := range map[string]string{"onewire-": "OneWire", "i2c-": "I2C", "spi-": "SPI"} {
		if n, ok := strings.CutPrefix(name, prefix); ok && isDigits(strings.Replace(n, ".", "", 1)) {
			return periph + n
		}
	}
	return name
}

func isDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}
