package chipsim

import (
	"errors"
	"fmt"
	"time"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/gpio/gpioreg"
	"periph.io/x/conn/v3/gpio/gpiotest"
)

// The troubles of pins, beside Unplugged: there is no such pin.
const (
	Refused Trouble = "refused" // cannot be set up; reads low, as the kernel's pins do then
	Deaf    Trouble = "deaf"    // its edges are lost
	Hasty   Trouble = "hasty"   // its wait for an edge returns at once, and tells none
)

// A Pin is a simulated pin of a machine, with a contact between it and ground.
// Without a contact, or with its wire cut, the pull-up holds it high.
type Pin struct {
	gpiotest.Pin // its mutex guards all of this, its L is the level

	trouble Trouble
	waits   int
}

// NewPin registers a pin under a name in periph's gpioreg, with an open
// contact. The name must be free; Close frees it.
func NewPin(name string) (*Pin, error) {
	p := &Pin{Pin: gpiotest.Pin{N: name, Num: -1, L: gpio.High, EdgesChan: make(chan gpio.Level, 16)}} // as many edges as the kernel keeps
	if err := gpioreg.Register(p); err != nil {
		return nil, fmt.Errorf("register pin %s: %w", name, err)
	}
	return p, nil
}

// Close takes the pin out of the registry.
func (p *Pin) Close() error {
	p.Lock()
	defer p.Unlock()
	if p.trouble == Unplugged {
		return nil
	}
	return gpioreg.Unregister(p.N)
}

// Contact closes the contact, or opens it.
func (p *Pin) Contact(closed bool) {
	p.Lock()
	defer p.Unlock()
	level := gpio.Level(!closed)
	if p.L == level {
		return
	}
	p.L = level
	if p.trouble == Deaf {
		return
	}
	select {
	case p.EdgesChan <- level:
	default: // more than the kernel keeps
	}
}

// Bounce closes or opens the contact as a real one does: it goes there and
// back n times, each after a pause.
func (p *Pin) Bounce(closed bool, n int, pause time.Duration) {
	for range n {
		p.Contact(closed)
		time.Sleep(pause)
		p.Contact(!closed)
		time.Sleep(pause)
	}
	p.Contact(closed)
}

// Set lets something go wrong with the pin.
func (p *Pin) Set(t Trouble) error {
	p.Lock()
	defer p.Unlock()
	was := p.trouble
	p.trouble = t
	switch {
	case t == Unplugged && was != Unplugged:
		return gpioreg.Unregister(p.N)
	case t != Unplugged && was == Unplugged:
		return gpioreg.Register(p)
	}
	return nil
}

// Waits counts how often an edge was waited for.
func (p *Pin) Waits() int {
	p.Lock()
	defer p.Unlock()
	return p.waits
}

// In implements gpio.PinIn. Unlike gpiotest's it leaves the level to the contact.
func (p *Pin) In(pull gpio.Pull, edge gpio.Edge) error {
	p.Lock()
	defer p.Unlock()
	switch {
	case p.trouble == Refused:
		return errors.New("line_request ioctl: device or resource busy")
	case pull != gpio.PullUp:
		return fmt.Errorf("the contact connects with ground: %s leaves the pin floating", pull)
	}
	p.P = pull
	for {
		select {
		case <-p.EdgesChan: // of before
		default:
			return nil
		}
	}
}

// Read implements gpio.PinIn.
func (p *Pin) Read() gpio.Level {
	p.Lock()
	defer p.Unlock()
	if p.trouble == Refused {
		return gpio.Low
	}
	return p.L
}

// WaitForEdge implements gpio.PinIn as the kernel's pins do: 0 is for ever, and
// what is below returns at once.
func (p *Pin) WaitForEdge(timeout time.Duration) bool {
	p.Lock()
	p.waits++
	hasty := p.trouble == Hasty || timeout < 0
	p.Unlock()
	if hasty {
		return false
	}
	var end <-chan time.Time
	if timeout > 0 {
		timer := time.NewTimer(timeout)
		defer timer.Stop()
		end = timer.C
	}
	select {
	case <-p.EdgesChan:
		return true
	case <-end:
		return false
	}
}
