package chips

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"periph.io/x/conn/v3/onewire"

	"coldkeep/sensor"
)

// parseROM reads a one-wire address as the kernel writes it. periph wants the
// whole ROM in one word: family lowest, then the serial, and the CRC on top.
func parseROM(s string) (onewire.Address, error) {
	rom, err := sensor.ROM(s)
	if err != nil {
		return 0, err
	}
	a := onewire.Address(crc8(rom[:])) << 56
	for i, b := range rom {
		a |= onewire.Address(b) << (8 * i)
	}
	return a, nil
}

// formatROM writes an address as the kernel does.
func formatROM(a onewire.Address) string {
	return fmt.Sprintf("%02x-%012x", byte(a), uint64(a)>>8&0xffffffffffff)
}

// crc8 is Dallas' CRC: x⁸+x⁵+x⁴+1, lowest bit first, from 0 (application note 27).
func crc8(b []byte) (crc byte) {
	for _, v := range b {
		for range 8 {
			mix := (crc ^ v) & 1
			crc >>= 1
			if mix != 0 {
				crc ^= 0x8c
			}
			v >>= 1
		}
	}
	return crc
}

func openerOneWire(name string, probes []sensor.Probe) (opening, error) {
	w := oneWire{}
	for _, p := range probes {
		rom, err := parseROM(p.Address)
		if err != nil {
			return nil, err
		}
		w.chips = append(w.chips, &ds18b20{rom: rom})
	}
	return func(left *atomic.Bool) (wire, error) {
		b, err := openWire(name, left)
		if err != nil {
			return nil, err
		}
		fresh := &oneWire{bus: b, chips: make([]*ds18b20, len(w.chips))}
		for i, c := range w.chips {
			fresh.chips[i] = &ds18b20{rom: c.rom}
		}
		return fresh, nil
	}, nil
}

// oneWire is a bus of DS18B20s.
type oneWire struct {
	bus   onewire.BusCloser
	chips []*ds18b20
}

// sweep starts the conversion of every chip, one right after the other, so
// that all convert at the same time, waits once, and reads them. Each is
// started by its address and not all by "skip ROM", because only a chip that
// is spoken to alone can say that it has begun. (A reset on the wire does not
// disturb a conversion of a chip with a power wire of its own.)
func (w *oneWire) sweep(give func(int, outcome)) error {
	var bad error
	started := make([]bool, len(w.chips))
	failed := make([]error, len(w.chips))
	any := false
	for i, c := range w.chips {
		started[i], failed[i] = c.start(w.bus)
		any = any || failed[i] == nil
	}
	if any {
		time.Sleep(conversionTime)
	}
	dead := 0
	for i, c := range w.chips {
		o := outcome{fault: sensor.FaultBus, cause: failed[i]}
		if failed[i] == nil {
			o = c.read(w.bus, started[i])
		} else if isAbsent(failed[i]) {
			o.fault = sensor.FaultAbsent
		}
		if o.fault == sensor.FaultBus || o.fault == sensor.FaultAbsent {
			dead++
			bad = o.cause
		}
		give(i, o)
	}
	if dead < len(w.chips) {
		return nil
	}
	// Nothing at all answers: it may be the bus.
	return fmt.Errorf("no probe answers: %w", bad)
}

func (w *oneWire) close() error { return w.bus.Close() }

// isAbsent tells an empty wire from a broken bus. periph's errors are typed
// for the first (onewire.NoDevicesError, BusError) but for the kernel's
// netlink, which says by status 255 that nobody gave a presence pulse.
func isAbsent(err error) bool {
	var none onewire.NoDevicesError
	var short onewire.ShortedBusError
	var bus onewire.BusError
	switch {
	case errors.As(err, &none) && none.NoDevices():
		return true
	case errors.As(err, &short) && short.IsShorted():
		return false
	case errors.As(err, &bus) && bus.BusError():
		return true
	}
	return strings.Contains(err.Error(), "status 255") || strings.Contains(err.Error(), "no device")
}
