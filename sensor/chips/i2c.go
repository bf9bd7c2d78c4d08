package chips

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"periph.io/x/conn/v3/i2c"

	"coldkeep/sensor"
)

// An i2cChip is one chip on an I²C bus. Both methods touch the chip through b
// alone, and b refuses after mostTx transactions: a driver that waits for a bit
// that never comes ends with errTooLong. After any fault the chip is set up
// anew: it may have lost power, or be another one by now.
type i2cChip interface {
	// start tells the chip to measure, and says how long that takes; a fault
	// ends this chip's turn.
	start(b i2c.Bus) (time.Duration, outcome)
	// read takes what was measured.
	read(b i2c.Bus) outcome
}

// mostTx is far more than any chip needs to be set up and read.
const mostTx = 600

// errTooLong is the answer to a driver that does not stop asking.
var errTooLong = errors.New("the chip does not answer what was asked: given up")

// A leash is a bus that lets a chip be asked only so often.
type leash struct {
	i2c.Bus
	left int
	ran  bool // out of transactions: its last error is not the wire's
}

func (l *leash) Tx(addr uint16, w, r []byte) error {
	if l.left--; l.left < 0 {
		l.ran = true
		return errTooLong
	}
	return l.Bus.Tx(addr, w, r)
}

// A turned bus is what a driver of periph, which keeps its bus for good, is made
// with: each turn gives it the leash of that turn.
type turned struct{ i2c.Bus }

// A seat is where a chip is: on the bus itself, or behind a port of a
// multiplexer.
type seat struct {
	mux  uint16 // 0: none
	port int
	chip i2cChip
}

func openerI2C(name string, probes []sensor.Probe) (opening, error) {
	// Chips are made when the bus is opened: what they know of the hardware
	// ends with it.
	furnish := func(b i2c.Bus) (*i2cWire, error) {
		w := &i2cWire{bus: b}
		bridges := map[string]*bridge{}
		for _, p := range probes {
			s := seat{}
			if p.Mux != "" {
				var err error
				if s.mux, s.port, err = sensor.MuxPort(p.Mux); err != nil {
					return nil, err
				}
			}
			var err error
			if p.Bridge != "" {
				at := p.Mux + " " + p.Bridge
				if bridges[at] == nil {
					if bridges[at], err = newBridge(p.Bridge); err != nil {
						return nil, err
					}
				}
				s.chip, err = newBridged(bridges[at], p)
			} else {
				c, _ := sensor.ChipNamed(p.Chip)
				var addr uint16
				if addr, err = sensor.I2CAddress(p.Address, c.Addresses); err == nil {
					s.chip, err = newI2CChip(p, addr)
				}
			}
			if err != nil {
				return nil, fmt.Errorf("probe %q: %w", p.ID, err)
			}
			w.seats = append(w.seats, s)
		}
		return w, nil
	}
	if _, err := furnish(nil); err != nil {
		return nil, err
	}
	return func(left *atomic.Bool) (wire, error) {
		b, err := openI2C(name, left)
		if err != nil {
			return nil, err
		}
		w, err := furnish(b)
		if err != nil {
			return nil, errors.Join(err, b.Close())
		}
		w.shut = b.Close
		return w, nil
	}, nil
}

// i2cWire is an I²C bus with its chips.
type i2cWire struct {
	bus   i2c.Bus
	shut  func() error
	seats []seat

	mux uint16 // the multiplexer that has a port open; 0: none
}

// sweep lets all chips measure at the same time, waits once, and reads them.
func (w *i2cWire) sweep(give func(int, outcome)) error {
	begun := time.Now()
	ready := make([]time.Time, len(w.seats))
	failed := make([]outcome, len(w.seats))
	for i, s := range w.seats {
		var wait time.Duration
		failed[i] = w.turn(s, func(b i2c.Bus) (o outcome) {
			wait, o = s.chip.start(b)
			return o
		})
		ready[i] = time.Now().Add(wait)
	}
	broken, last := 0, outcome{}
	for i, s := range w.seats {
		o := failed[i]
		if o.fault == "" {
			if d := time.Until(ready[i]); d > 0 {
				time.Sleep(d)
			}
			o = w.turn(s, s.chip.read)
		}
		if o.fault == sensor.FaultBus {
			broken++
			last = o
		}
		give(i, o)
	}
	if err := w.deselect(); err != nil && broken < len(w.seats) {
		return fmt.Errorf("close multiplexer's ports: %w", err)
	}
	if broken < len(w.seats) {
		return nil
	}
	return fmt.Errorf("no chip can be spoken to in %v: %w", time.Since(begun).Round(time.Millisecond), last.cause)
}

// turn gives a chip the bus, behind its multiplexer's port.
func (w *i2cWire) turn(s seat, do func(i2c.Bus) outcome) outcome {
	if err := w.choose(s); err != nil {
		return outcome{fault: i2cFault(err), cause: fmt.Errorf("open port %d of multiplexer %#x: %w", s.port, s.mux, err)}
	}
	l := &leash{Bus: w.bus, left: mostTx}
	o := do(l)
	if l.ran {
		return outcome{fault: sensor.FaultBusy, cause: o.cause}
	}
	return o
}

// choose opens the seat's port. It is written and read back at every turn, and
// never taken for granted: a multiplexer that lost its power for a moment has
// all ports closed. periph's pca9548 remembers the port instead, and leaves it
// open when another multiplexer's turn comes, so that two chips of one address
// answer at once: it is not used.
func (w *i2cWire) choose(s seat) error {
	if w.mux != s.mux {
		if err := w.deselect(); err != nil {
			return err
		}
	}
	if s.mux == 0 {
		return nil
	}
	mask := []byte{1 << s.port} // NXP PCA9548A rev. 5, p. 7: one bit a port
	err := w.bus.Tx(s.mux, mask, nil)
	if err == nil || i2cFault(err) != sensor.FaultAbsent {
		// One that did not acknowledge has opened nothing: nobody else waits
		// for it to close its ports.
		w.mux = s.mux
	}
	if err != nil {
		return err
	}
	got := []byte{0}
	if err := w.bus.Tx(s.mux, nil, got); err != nil {
		return err
	}
	if got[0] != mask[0] {
		return fmt.Errorf("it says %#02x where %#02x was written: is it a PCA9548?", got[0], mask[0])
	}
	return nil
}

// deselect closes all ports, so that what is behind them does not answer to
// what is meant for others. One that does not acknowledge is asked three times:
// if it is gone, its chips are gone with it, but the next turn is given up.
func (w *i2cWire) deselect() (err error) {
	if w.mux == 0 {
		return nil
	}
	for range 3 {
		if err = w.bus.Tx(w.mux, []byte{0}, nil); err == nil || i2cFault(err) != sensor.FaultAbsent {
			break
		}
	}
	w.mux = 0
	return err
}

func (w *i2cWire) close() error { return w.shut() }

// i2cFault tells a chip that is not there from a bus that is stuck. periph
// wraps the kernel's errno as text.
func i2cFault(err error) sensor.Fault {
	if errors.Is(err, errTooLong) {
		return sensor.FaultBusy
	}
	for _, s := range []string{"remote I/O error", "no such device"} {
		if strings.Contains(err.Error(), s) {
			return sensor.FaultAbsent
		}
	}
	return sensor.FaultBus
}
