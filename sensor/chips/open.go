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

// A Kind is the kind of bus that a chip sits on.
type Kind string

// The kinds of buses.
const (
	OneWire Kind = "onewire"
	I2C     Kind = "i2c"
)

// A Chip is a chip that can be read.
type Chip struct {
	Name      string      // as in the config: ds18b20
	Kind      Kind        // the bus it sits on
	Low, High sensor.Temp // what it can measure, both ends included
	Address   string      // an example of its address
	Text      string      // one line for a person
}

// Supported lists the chips that Open knows, by name.
func Supported() []Chip {
	return []Chip{
		{Name: "ds18b20", Kind: OneWire, Low: ds18b20Low, High: ds18b20High, Address: "28-00000c8cf9b1",
			Text: "DS18B20 one-wire probe, -55…125 °C in steps of 1/16 °C; powered by a third wire"},
		{Name: "mcp9808", Kind: I2C, Low: mcp9808Low, High: mcp9808High, Address: "0x18",
			Text: "MCP9808 I²C sensor, -40…125 °C in steps of 1/16 °C; addresses 0x18…0x1f"},
	}
}

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

// Check says what is wrong with a probe's chip, bus and address, and what
// would be right. It opens nothing.
func Check(p sensor.Probe) error {
	c, err := chipNamed(p.Chip)
	if err != nil {
		return fmt.Errorf("check probe %q: %w", p.ID, err)
	}
	if strings.TrimSpace(p.Bus) == "" {
		return fmt.Errorf("check probe %q: no bus: write for example %s-1", p.ID, c.Kind)
	}
	// A name of the other kind's form is a mistake; a free name may be either.
	for _, k := range []Kind{OneWire, I2C} {
		if k != c.Kind && strings.HasPrefix(p.Bus, string(k)+"-") {
			return fmt.Errorf("check probe %q: chip %s sits on a bus %s-N, not on %q", p.ID, c.Name, c.Kind, p.Bus)
		}
	}
	switch c.Kind {
	case OneWire:
		_, err = parseROM(p.Address)
	case I2C:
		_, err = parseI2C(p.Address, mcp9808First, mcp9808Last)
	}
	if err != nil {
		return fmt.Errorf("check probe %q: %w", p.ID, err)
	}
	return nil
}

func chipNamed(name string) (Chip, error) {
	var names []string
	for _, c := range Supported() {
		if c.Name == name {
			return c, nil
		}
		names = append(names, c.Name)
	}
	return Chip{}, fmt.Errorf("chip %q is not supported: use one of %s", name, strings.Join(names, ", "))
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
	kinds := map[string]Kind{}
	groups := map[string][]sensor.Probe{}
	places := map[string]string{} // bus and address -> probe id
	for _, p := range probes {
		if err := Check(p); err != nil {
			errs = append(errs, err)
			continue
		}
		c, err := chipNamed(p.Chip)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		place := p.Bus + " " + strings.ToLower(p.Address)
		if other, taken := places[place]; taken {
			errs = append(errs, fmt.Errorf("open bus %q: probes %q and %q have the same address %s: give each its own", p.Bus, other, p.ID, p.Address))
			continue
		}
		places[place] = p.ID
		if k, known := kinds[p.Bus]; !known {
			kinds[p.Bus] = c.Kind
			names = append(names, p.Bus)
		} else if k != c.Kind {
			errs = append(errs, fmt.Errorf("open bus %q: probe %q needs %s, but the probes before it need %s: give it another bus", p.Bus, p.ID, c.Kind, k))
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
func opener(kind Kind, name string, probes []sensor.Probe) (func() (wire, error), error) {
	switch kind {
	case OneWire:
		return openerOneWire(name, probes)
	case I2C:
		return openerI2C(name, probes)
	}
	return nil, fmt.Errorf("open %s bus: no such kind of bus", kind)
}

// registryName turns the config's onewire-N into periph's OneWireN and i2c-N
// into I2CN. Any other name is periph's own and stays.
func registryName(name string) string {
	for prefix, periph := range map[string]string{"onewire-": "OneWire", "i2c-": "I2C"} {
		if n, ok := strings.CutPrefix(name, prefix); ok && isDigits(n) {
			return periph + n
		}
	}
	return name
}

func isDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}
