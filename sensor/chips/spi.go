package chips

import (
	"errors"
	"fmt"
	"sync/atomic"

	"periph.io/x/conn/v3/spi"

	"coldkeep/sensor"
)

// A spiChip is the one chip behind a chip select. read sets it up where it is
// new or gave a fault before, lets it measure, and takes what it measured. The
// port can be connected to once only, so that the chip keeps its connection.
type spiChip interface {
	read(p spi.Port) outcome
}

func openerSPI(name string, probes []sensor.Probe) (opening, error) {
	if len(probes) != 1 {
		return nil, fmt.Errorf("%d probes: a chip select has one chip", len(probes))
	}
	if _, err := newSPIChip(probes[0]); err != nil {
		return nil, err
	}
	return func(left *atomic.Bool) (wire, error) {
		p, err := openSPI(name, left)
		if err != nil {
			return nil, err
		}
		c, err := newSPIChip(probes[0])
		if err != nil {
			return nil, errors.Join(err, p.Close())
		}
		return &spiWire{port: p, chip: c}, nil
	}, nil
}

// spiWire is a chip select with its chip.
type spiWire struct {
	port spi.PortCloser
	chip spiChip
}

func (w *spiWire) sweep(give func(int, outcome)) error {
	o := w.chip.read(w.port)
	give(0, o)
	if o.fault == sensor.FaultBus {
		return fmt.Errorf("the chip cannot be spoken to: %w", o.cause)
	}
	return nil
}

func (w *spiWire) close() error { return w.port.Close() }
