package chips

import (
	"fmt"
	"strings"
	"time"

	"periph.io/x/conn/v3/i2c"
	"periph.io/x/devices/v3/ds248x"

	"coldkeep/sensor"
)

// A bridge is a DS2482-100, a one-wire master on I²C, after Maxim's datasheet
// 19-4930. Its chips need a power wire of their own: parasite power is not
// supported, since each chip would need the line for itself as it converts.
type bridge struct {
	bus bridgeBus
	dev *ds248x.Dev // nil: to be set up
}

// A bridgeBus gives the driver the bus of the turn and the bridge's own
// address: periph's driver takes no 0x1a and 0x1b, which the chip has too, so
// it is made with 0x18 always.
type bridgeBus struct {
	turned
	addr uint16
}

func (b *bridgeBus) Tx(_ uint16, w, r []byte) error { return b.Bus.Tx(b.addr, w, r) }

const (
	bridgeDriver = 0x18 // the address that the driver believes in

	// The pointer to the configuration register, and what it holds once the
	// driver has set it: the active pull-up alone (p. 6 and 10).
	bridgeConfig   = 0xc3
	bridgeActivePU = 0x01
)

func newBridge(addr string) (*bridge, error) {
	a, err := sensor.I2CAddress(addr, sensor.BridgeAddresses)
	if err != nil {
		return nil, fmt.Errorf("bridge: %w", err)
	}
	return &bridge{bus: bridgeBus{addr: a}}, nil
}

// ready makes the bridge work in this turn. The driver never works again after
// one failed transaction, so it is made anew after every failure.
func (g *bridge) ready(b i2c.Bus) outcome {
	g.bus.Bus = b
	if g.dev != nil {
		if o := g.kept(); o.fault != sensor.FaultReset {
			return o
		}
	}
	g.dev = nil
	// An MCP9808 may sit at the address, and the driver writes before it looks.
	// A DS2482 does not acknowledge 06 as a command.
	id := make([]byte, 2)
	if err := g.bus.Tx(0, []byte{0x06}, id); err == nil && id[0] == 0x00 && id[1] == 0x54 {
		return outcome{fault: sensor.FaultIdentity, cause: fmt.Errorf("bridge %#x: an MCP9808 answers", g.bus.addr)}
	}
	dev, err := ds248x.New(&g.bus, bridgeDriver, &ds248x.DefaultOpts)
	if err != nil {
		return outcome{fault: bridgeFault(err), cause: fmt.Errorf("set up bridge %#x: %w", g.bus.addr, err)}
	}
	g.dev = dev
	return outcome{}
}

// kept makes sure that the bridge still has its configuration: it is lost with
// the power, and nothing else tells of it.
func (g *bridge) kept() outcome {
	got := make([]byte, 1)
	if err := g.bus.Tx(0, []byte{0xe1, bridgeConfig}, got); err != nil {
		g.dev = nil
		return outcome{fault: bridgeFault(err), cause: fmt.Errorf("read configuration of bridge %#x: %w", g.bus.addr, err)}
	}
	if got[0] != bridgeActivePU {
		g.dev = nil
		return outcome{fault: sensor.FaultReset, cause: fmt.Errorf("bridge %#x: its configuration is %#02x, was set to %#02x", g.bus.addr, got[0], bridgeActivePU)}
	}
	return outcome{}
}

// bridgeFault names what the driver reports as text.
func bridgeFault(err error) sensor.Fault {
	switch text := err.Error(); {
	case strings.Contains(text, "invalid status register"), strings.Contains(text, "failure to write device config"):
		return sensor.FaultIdentity
	case strings.Contains(text, "timeout waiting"):
		return sensor.FaultBusy
	case isAbsent(err):
		return sensor.FaultAbsent
	}
	return i2cFault(err)
}

// bridged is a DS18B20 behind a bridge.
type bridged struct {
	bridge  *bridge
	chip    ds18b20
	started bool
}

func newBridged(g *bridge, p sensor.Probe) (i2cChip, error) {
	rom, err := parseROM(p.Address)
	if err != nil {
		return nil, err
	}
	return &bridged{bridge: g, chip: ds18b20{rom: rom}}, nil
}

func (c *bridged) start(b i2c.Bus) (time.Duration, outcome) {
	if o := c.bridge.ready(b); o.fault != "" {
		return 0, o
	}
	var err error
	if c.started, err = c.chip.start(c.bridge.dev); err != nil {
		c.bridge.dev = nil
		return 0, outcome{fault: bridgeFault(err), cause: err}
	}
	return conversionTime, outcome{}
}

// read takes the temperature where the bridge was the same all the while. The
// check comes before the reading, so that what ds18b20 remembers is what was
// believed; the chips after this one find the bridge set up anew.
func (c *bridged) read(b i2c.Bus) outcome {
	c.bridge.bus.Bus = b
	if c.bridge.dev != nil {
		if o := c.bridge.kept(); o.fault != "" {
			return o
		}
	} else if o := c.bridge.ready(b); o.fault != "" {
		return o
	}
	o := c.chip.read(c.bridge.dev, c.started)
	if o.fault == sensor.FaultBus {
		c.bridge.dev = nil
		o.fault = bridgeFault(o.cause)
	}
	return o
}
