package chips

import (
	"errors"
	"fmt"
	"time"

	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/onewire"
	"periph.io/x/devices/v3/ds248x"

	"coldkeep/sensor"
)

// The DS2482-100, after Maxim's datasheet 19-4930.
const (
	ds2482SetReadPointer = 0xe1 // p. 9
	ds2482Status         = 0xf0
	ds2482WasReset       = 0x10 // RST: until its configuration is written (p. 8)
)

// A bridge is a DS2482-100, by which one-wire chips are on an I²C bus. All
// probes behind it share it, through periph's driver. That one stops for good at
// the first error on I²C: so it is made anew after any. And it takes 0x18 and
// 0x19 alone of the four addresses that the chip can have: so it is given one of
// them, and the bus beneath puts the right one in its place.
//
// Probes need a power wire of their own: the strong pull-up is not used.
type bridge struct {
	addr uint16
	dev  *ds248x.Dev
	bus  bridged
}

// bridged is a bus on which the driver's address stands for the bridge's.
type bridged struct {
	i2c.Bus
	addr uint16
}

const ds2482Alias = 0x18

func (b *bridged) Tx(addr uint16, w, r []byte) error {
	if addr == ds2482Alias {
		addr = b.addr
	}
	return b.Bus.Tx(addr, w, r)
}

func newBridge(addr string) (*bridge, error) {
	a, err := sensor.I2CAddress(addr, sensor.BridgeAddresses)
	if err != nil {
		return nil, err
	}
	return &bridge{addr: a, bus: bridged{addr: a}}, nil
}

// take gives the one-wire bus behind the bridge for this turn.
func (br *bridge) take(b i2c.Bus) (onewire.Bus, outcome) {
	br.bus.Bus = b
	if br.dev != nil {
		// One that lost its power for a moment has lost its settings, too.
		r := []byte{0xff}
		if err := b.Tx(br.addr, []byte{ds2482SetReadPointer, ds2482Status}, r); err != nil || r[0]&ds2482WasReset != 0 || r[0] == 0xff {
			br.dev = nil
		}
	}
	if br.dev == nil {
		// It asks for a reset and for the status that only this chip has after one.
		dev, err := ds248x.New(&br.bus, ds2482Alias, &ds248x.DefaultOpts)
		if err != nil {
			fault := i2cFault(err)
			if fault == sensor.FaultBus && b.Tx(br.addr, nil, []byte{0}) == nil {
				fault = sensor.FaultIdentity // something answers, and not as a DS2482 would
			}
			return nil, outcome{fault: fault, cause: fmt.Errorf("set up bridge %#x: %w", br.addr, err)}
		}
		br.dev = dev
	}
	return br.dev, outcome{}
}

// A bridgedChip is a DS18B20 behind a bridge.
type bridgedChip struct {
	bridge  *bridge
	chip    ds18b20
	started bool
}

func newBridged(br *bridge, p sensor.Probe) (i2cChip, error) {
	rom, err := parseROM(p.Address)
	if err != nil {
		return nil, err
	}
	return &bridgedChip{bridge: br, chip: ds18b20{rom: rom}}, nil
}

func (c *bridgedChip) start(b i2c.Bus) (time.Duration, outcome) {
	bus, o := c.bridge.take(b)
	if o.fault != "" {
		return 0, o
	}
	var err error
	if c.started, err = c.chip.start(bus); err != nil {
		return 0, c.failed(outcome{fault: sensor.FaultBus, cause: err}, err)
	}
	return conversionTime, outcome{}
}

func (c *bridgedChip) read(b i2c.Bus) outcome {
	bus, o := c.bridge.take(b)
	if o.fault != "" {
		return o
	}
	o = c.chip.read(bus, c.started)
	if o.fault != "" {
		return c.failed(o, o.cause)
	}
	return o
}

// failed tells an error of the one-wire bus, which its probes have, from one of
// the bridge, after which that must be made anew.
func (c *bridgedChip) failed(o outcome, err error) outcome {
	var wire onewire.BusError
	if errors.As(err, &wire) && wire.BusError() {
		var short onewire.ShortedBusError
		if errors.As(err, &short) && short.IsShorted() {
			o.fault = sensor.FaultShort
			return o
		}
		o.fault = sensor.FaultAbsent
		return o
	}
	if o.fault == sensor.FaultBus {
		c.bridge.dev = nil
		if i2cFault(err) != sensor.FaultBus {
			o.fault = i2cFault(err)
		}
	}
	return o
}
