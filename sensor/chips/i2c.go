package chips

import (
	"fmt"
	"strconv"
	"strings"

	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/i2c/i2creg"

	"coldkeep/sensor"
)

// parseI2C reads an address like 0x18 and holds it to what the chip can have.
func parseI2C(s string, first, last uint16) (uint16, error) {
	n, err := strconv.ParseUint(strings.ToLower(s), 0, 16)
	if err != nil || uint16(n) < first || uint16(n) > last {
		return 0, fmt.Errorf("address %q: this chip has one of %#x…%#x, as its pins are wired", s, first, last)
	}
	return uint16(n), nil
}

func openerI2C(name string, probes []sensor.Probe) (func() (wire, error), error) {
	var addrs []uint16
	for _, p := range probes {
		a, err := parseI2C(p.Address, mcp9808First, mcp9808Last)
		if err != nil {
			return nil, err
		}
		addrs = append(addrs, a)
	}
	return func() (wire, error) {
		b, err := i2creg.Open(registryName(name))
		if err != nil {
			return nil, err
		}
		w := &i2cWire{bus: b}
		for _, a := range addrs {
			w.chips = append(w.chips, &mcp9808Chip{addr: a})
		}
		return w, nil
	}, nil
}

// i2cWire is a bus of MCP9808s.
type i2cWire struct {
	bus   i2c.BusCloser
	chips []*mcp9808Chip
}

func (w *i2cWire) sweep(give func(int, outcome)) error {
	broken := 0
	var cause error
	for i, c := range w.chips {
		o := c.read(w.bus)
		if o.fault == sensor.FaultBus {
			broken++
			cause = o.cause
		}
		give(i, o)
	}
	if broken < len(w.chips) {
		return nil
	}
	return fmt.Errorf("no chip can be spoken to: %w", cause)
}

func (w *i2cWire) close() error { return w.bus.Close() }

// i2cFault tells a chip that is not there from a bus that is stuck. periph
// wraps the kernel's errno as text.
func i2cFault(err error) sensor.Fault {
	for _, s := range []string{"remote I/O error", "no such device"} {
		if strings.Contains(err.Error(), s) {
			return sensor.FaultAbsent
		}
	}
	return sensor.FaultBus
}
