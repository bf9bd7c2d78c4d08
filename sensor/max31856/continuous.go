package max31856

import (
	"errors"
	"fmt"
	"time"

	"periph.io/x/conn/v3/physic"
)

// SenseContinuous senses at an interval, which must not be shorter than
// Duration, until Halt or an error: then the channel is closed, and Err tells
// which. A reading that nobody takes holds the next ones up.
func (d *Dev) SenseContinuous(interval time.Duration) (<-chan physic.Env, error) {
	if interval < d.Duration() {
		return nil, fmt.Errorf("max31856: every %v is too often: a conversion takes %v", interval, d.Duration())
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stop != nil {
		return nil, errors.New("max31856: it senses continuously already; call Halt first")
	}
	d.stop, d.done, d.err = make(chan struct{}), make(chan struct{}), nil
	out := make(chan physic.Env)
	go d.run(interval, out, d.stop, d.done)
	return out, nil
}

func (d *Dev) run(interval time.Duration, out chan<- physic.Env, stop <-chan struct{}, done chan<- struct{}) {
	defer close(done)
	defer close(out)
	t := time.NewTicker(interval)
	defer t.Stop()
	for {
		select {
		case <-stop:
			return
		case <-t.C:
		}
		m, err := d.measure()
		if err != nil {
			d.mu.Lock()
			d.err = err
			if d.done == done { // else Halt is waiting, and has forgotten it already
				d.stop, d.done = nil, nil
			}
			d.mu.Unlock()
			return
		}
		select {
		case <-stop:
			return
		case out <- physic.Env{Temperature: m.Temperature}:
		}
	}
}

// Err tells the error that ended SenseContinuous; nil while it runs, and when
// Halt ended it.
func (d *Dev) Err() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.err
}

// Halt ends SenseContinuous, waiting for a conversion that is under way. The
// chip itself rests between conversions anyway. It can be called at any time.
func (d *Dev) Halt() error {
	d.mu.Lock()
	stop, done := d.stop, d.done
	d.stop, d.done = nil, nil
	d.mu.Unlock()
	if stop != nil {
		close(stop)
		<-done
	}
	return nil
}
