package chips

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/gpio/gpioreg"

	"coldkeep/sensor"
)

const (
	// contactPoll is the longest wait for an edge. Then the level is looked at
	// all the same: edges get lost, and a wait without end returns at once with
	// the kernel's pins (periph/host#78).
	contactPoll = time.Second
	// contactLook is the pause between looks where a pin's wait for an edge
	// returns too early, contactLeast that after any: a wire that hums must not
	// take the processor.
	contactLook  = 50 * time.Millisecond
	contactLeast = 5 * time.Millisecond
	// contactRest is how long a contact may bounce. One that has not come to
	// rest by then tells nothing.
	contactRest = 10 * time.Second
)

// Contacts are contacts that are being watched.
type Contacts struct {
	cancel context.CancelFunc
	owners sync.WaitGroup // of pins
	teller sync.WaitGroup
	told   chan sensor.ContactState
}

// WatchContacts watches contacts until Close, each pin by a goroutine that
// alone touches it. tell hears, one after the other, how each contact stands
// when it is first known, and then whenever that changes: a state that has
// stood for the contact's Debounce, with the time at which it began, or a
// fault. It may take its time: the pins are watched meanwhile. Its context
// ends with Close.
//
// A pin that is absent or cannot be set up is a fault and tried again, with
// growing pauses. Call InitHost before for real hardware.
func WatchContacts(list []sensor.Contact, log *slog.Logger, tell func(context.Context, sensor.ContactState)) *Contacts {
	if log == nil {
		log = slog.Default()
	}
	ctx, cancel := context.WithCancel(context.Background())
	c := &Contacts{cancel: cancel, told: make(chan sensor.ContactState, 64)}
	for _, x := range list {
		if x.Debounce <= 0 {
			x.Debounce = sensor.DefaultDebounce
		}
		w := &contactWatch{Contact: x, log: log.With("contact", x.ID, "pin", x.Pin), told: c.told}
		c.owners.Go(func() { w.run(ctx) })
	}
	c.teller.Go(func() {
		for s := range c.told {
			if ctx.Err() == nil {
				tell(ctx, s)
			}
		}
	})
	return c
}

// Close ends the watch, within contactPoll. Nothing is told afterwards.
func (c *Contacts) Close() error {
	c.cancel()
	c.owners.Wait()
	close(c.told)
	c.teller.Wait()
	return nil
}

// A contactWatch is the owner of one pin.
type contactWatch struct {
	sensor.Contact
	log   *slog.Logger
	told  chan<- sensor.ContactState
	last  sensor.ContactState // as told
	known bool                // last is
	pause time.Duration       // before the pin is tried again
}

// run follows the pin, and begins anew where it fails.
func (w *contactWatch) run(ctx context.Context) {
	w.pause = openPause
	for {
		fault, cause := w.follow(ctx)
		if ctx.Err() != nil {
			return
		}
		if w.tell(ctx, sensor.ContactState{Time: sensor.At(time.Now()), Fault: fault}) {
			w.log.Error("a contact tells nothing; its pin is tried again", "fault", string(fault), "cause", cause)
		}
		if !rest(ctx, w.pause) {
			return
		}
		w.pause = min(2*w.pause, openPauseMax)
	}
}

// follow sets the pin up and tells how it stands until it fails or ctx ends.
//
// A pin that cannot be read reads low, as a contact does that is closed while
// all is well: so the pin is set up again at every look that no edge has
// caused. That changes nothing on a pin that works, and fails on one that
// does not.
func (w *contactWatch) follow(ctx context.Context) (sensor.Fault, error) {
	pin := gpioreg.ByName(w.Pin)
	if pin == nil {
		return sensor.FaultAbsent, errors.New("this machine has no such pin")
	}
	defer release(pin)
	if err := pin.In(gpio.PullUp, gpio.BothEdges); err != nil {
		return sensor.FaultBus, err
	}
	level := pin.Read()
	checked := time.Now()
	since, moved := checked, checked // level is so; it has not come to rest
	settled := false
	for {
		wait := contactPoll
		if !settled {
			wait = min(wait, max(w.Debounce-time.Since(since), time.Millisecond)) // 0 would be for ever
		}
		began := time.Now()
		edge := pin.WaitForEdge(wait)
		pause := contactLeast
		if !edge {
			pause = contactLook
		}
		if !rest(ctx, min(pause, wait)-time.Since(began)) {
			return "", nil
		}
		now := time.Now()
		if !edge && now.Sub(checked) >= contactPoll {
			checked = now
			if err := pin.In(gpio.PullUp, gpio.BothEdges); err != nil {
				return sensor.FaultBus, err
			}
		}
		switch raw := pin.Read(); {
		case raw != level:
			if settled {
				moved = now
			}
			level, since, settled = raw, now, false
		case settled:
			continue
		case edge:
			since = now // it went there and back
		}
		switch {
		case now.Sub(since) >= w.Debounce:
			settled = true
			w.pause = openPause
			if w.tell(ctx, sensor.ContactState{Time: sensor.At(since), On: w.on(level)}) {
				w.log.Info("a contact stands", "state", w.Kind.Word(w.on(level)))
			}
		case now.Sub(moved) >= max(contactRest, 10*w.Debounce):
			return sensor.FaultBusy, errors.New("it does not come to rest")
		}
	}
}

// on says what a level means. The pin is pulled up, and a closed contact
// connects it with ground.
func (w *contactWatch) on(level gpio.Level) bool { return (level == gpio.Low) == w.Open }

// tell hands a state on where it is another than before, and says whether it was.
func (w *contactWatch) tell(ctx context.Context, s sensor.ContactState) bool {
	s.ID = w.ID
	if w.known && s.On == w.last.On && s.Fault == w.last.Fault {
		return false
	}
	w.known, w.last = true, s
	select {
	case w.told <- s:
		return true
	case <-ctx.Done():
		return false
	}
}

// release lets a pin go that can be, so that the kernel is asked for it anew.
func release(pin gpio.PinIO) {
	if alias, ok := pin.(gpio.RealPin); ok {
		pin = alias.Real()
	}
	if line, ok := pin.(interface{ Close() }); ok {
		line.Close()
	}
}

// rest waits, and says whether ctx has not ended.
func rest(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
