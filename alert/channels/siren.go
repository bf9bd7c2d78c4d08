package channels

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/gpio/gpioreg"

	"coldkeep/alert"
)

const (
	// sirenMost bounds how long the siren sounds and shines for one message: by
	// then the people called have it, and the neighbours have had enough.
	sirenMost = 30 * time.Minute
	// sirenBeep is how long a test sounds.
	sirenBeep = 2 * time.Second
	// sirenTick is how often the pins are looked at.
	sirenTick = 20 * time.Millisecond
	// sirenSettle is how long a button's contact must stay as it is: it bounces
	// for some milliseconds.
	sirenSettle = 50 * time.Millisecond
	// sirenStuck is how long nobody presses a button.
	sirenStuck = time.Minute
	// sirenReach is how long Notify waits for Listen to have the pins.
	sirenReach = 5 * time.Second
	// sirenAgain is the pause before a press that was not taken is heard again.
	sirenAgain = 2 * time.Second
)

// sirenCycle is the buzzer's pattern: two short sounds and a pause. Not three:
// that is how smoke alarms say "get out" (ISO 8201).
var sirenCycle = []struct {
	on    bool
	until time.Duration
}{{true, 250 * time.Millisecond}, {false, 500 * time.Millisecond}, {true, 750 * time.Millisecond}, {false, 2 * time.Second}}

// siren is a buzzer and a light on pins that are active high, and a button at
// the fridge that connects its pin with ground. It needs neither network nor
// phone. A page sounds and shines, a notice shines, until it is answered,
// cancelled, over, or sirenMost has passed. The button silences the buzzer at
// once and answers the newest page with its first button, going: whoever
// presses it stands before the fridge.
//
// Listen's goroutine alone drives the pins. They are looked up when they are
// needed: the drivers find them after the config is read.
type siren struct {
	id                    string
	buzzer, light, button string // names of pins; "" none
	boot                  string
	log                   *slog.Logger
	jobs                  chan sirenJob
}

// A sirenJob is a message that comes, or the receipt of one that goes.
type sirenJob struct {
	m      alert.Message
	cancel string
	done   chan<- error
}

// A ring is a message that the siren sounds or shines for.
type ring struct {
	id, key string
	loud    bool // it sounds, not only shines
	since   time.Time
	until   time.Time
	answer  string // the data of its first button
}

func openSiren(s alert.Settings, log *slog.Logger) (alert.Notifier, error) {
	if s.Buzzer == "" && s.Light == "" {
		return nil, fmt.Errorf("open channel %s: buzzer and light are both missing: name the GPIO pin of one, like GPIO17", s.ID)
	}
	pins := map[string]bool{}
	for _, name := range []string{s.Buzzer, s.Light, s.Button} {
		if name != "" && pins[name] {
			return nil, fmt.Errorf("open channel %s: pin %s is named for two things", s.ID, name)
		}
		pins[name] = true
	}
	var boot [6]byte
	rand.Read(boot[:]) // it never fails
	return &siren{id: s.ID, buzzer: s.Buzzer, light: s.Light, button: s.Button, boot: hex.EncodeToString(boot[:]), log: log.With("channel", s.ID), jobs: make(chan sirenJob)}, nil
}

func (c *siren) Name() string { return c.id }

// Notify rings, or ends the ringing about the message's trouble. The receipt is
// the message's ID.
func (c *siren) Notify(ctx context.Context, m alert.Message) (string, error) {
	if err := c.give(ctx, sirenJob{m: m}); err != nil {
		return "", err
	}
	return m.ID, nil
}

// Cancel ends the ringing of one message.
func (c *siren) Cancel(ctx context.Context, receipt string) error {
	return c.give(ctx, sirenJob{cancel: receipt})
}

func (c *siren) give(ctx context.Context, j sirenJob) error {
	done := make(chan error, 1)
	j.done = done
	reach, cancel := context.WithTimeout(ctx, sirenReach)
	defer cancel()
	select {
	case c.jobs <- j:
		return <-done // pins answer at once
	case <-reach.Done():
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("drive the siren: %w", err)
		}
		return &alert.TemporaryError{Err: errors.New("drive the siren: nobody has its pins: the daemon is starting or stopping")}
	}
}

// Listen drives the pins and watches the button until ctx ends; then all is
// quiet and dark.
func (c *siren) Listen(ctx context.Context, post alert.Post) {
	d := &sirenDriver{siren: c, levels: map[string]gpio.Level{}, failed: map[string]time.Time{}}
	presses := make(chan press, 16)
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.answer(ctx, post, presses)
	}()
	defer func() {
		d.end()
		<-done
	}()
	d.drive(time.Now()) // low, whatever they were before
	for {
		// Without a button and a ring there is nothing to look at.
		var tick <-chan time.Time
		if c.button != "" || len(d.rings) > 0 {
			tick = time.After(sirenTick)
		}
		select {
		case <-ctx.Done():
			return
		case j := <-c.jobs:
			j.done <- d.take(j, time.Now())
			continue
		case <-tick:
		}
		now := time.Now()
		if d.pressed(now) {
			d.silence()
			d.presses++
			id := c.boot + "-" + strconv.Itoa(d.presses)
			select {
			case presses <- press{alert.Answer{ID: id, Channel: c.id, From: "button", At: now}, d.newest()}:
			default:
				c.log.Warn("the button is pressed faster than its answers are taken")
			}
		}
		d.expire(now)
		d.drive(now)
	}
}

// A press is one of the button, and what rang then.
type press struct {
	alert.Answer
	of ring
}

// answer hears presses, and hears again what was not taken: whoever pressed the
// button has gone to the fridge and will not press it again.
func (c *siren) answer(ctx context.Context, post alert.Post, presses <-chan press) {
	for {
		var p press
		select {
		case <-ctx.Done():
			return
		case p = <-presses:
		}
		if p.Data = p.going(post.Open(c.id)); p.Data == "" {
			c.log.Info("the button was pressed, and no message is open")
			continue
		}
		for told := false; ; told = true {
			_, err := post.Hear(ctx, p.Answer)
			if err == nil {
				break
			}
			if !told {
				c.log.Warn("the button's answer was not taken, it is heard again", "err", err)
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(sirenAgain):
			}
		}
	}
}

// going is the data of the first button of the newest open message. One that
// has just come rings before it is among those that are open.
func (p *press) going(open []alert.Sent) string {
	data, at := p.of.answer, p.of.since
	for _, s := range open {
		if len(s.Buttons) > 0 && (data == "" || s.At.After(at)) && !s.At.After(p.At) {
			data, at = s.Buttons[0].Data, s.At
		}
	}
	return data
}

// A sirenDriver is the siren while its pins are driven.
type sirenDriver struct {
	*siren
	rings   []ring // the newest last
	levels  map[string]gpio.Level
	failed  map[string]time.Time // pins that do not work, since the last try
	presses int

	in      gpio.PinIO // the button, once it is set up
	raw     gpio.Level // as last read
	since   time.Time  // raw is so
	settled gpio.Level // without the bouncing
	stuck   bool
}

// take does what a message asks for, and tells of pins that fail.
func (d *sirenDriver) take(j sirenJob, now time.Time) error {
	d.retry(now)
	if j.m.ID == "" && j.cancel != "" {
		d.rings = slices.DeleteFunc(d.rings, func(r ring) bool { return r.id == j.cancel })
		return d.drive(now)
	}
	m := j.m
	r := ring{id: m.ID, key: m.Key, since: now, until: now.Add(sirenMost)}
	if len(m.Buttons) > 0 {
		r.answer = m.Buttons[0].Data
	}
	switch m.Purpose {
	case alert.Page:
		r.loud = true
	case alert.Notice:
	case alert.Test:
		r.loud, r.until = true, now.Add(sirenBeep)
	case alert.Taken, alert.AllClear, alert.Tested:
		d.rings = slices.DeleteFunc(d.rings, func(r ring) bool { return r.key == m.Key })
		return d.drive(now)
	default:
		return nil // for who has a screen
	}
	d.rings = append(slices.DeleteFunc(d.rings, func(r ring) bool { return r.id == m.ID }), r)
	return d.drive(now)
}

// silence stops the sounding of all messages that came. They shine on.
func (d *sirenDriver) silence() {
	for i := range d.rings {
		d.rings[i].loud = false
	}
}

// newest is the newest message that rings and can be answered; the zero ring
// where there is none.
func (d *sirenDriver) newest() ring {
	for _, r := range slices.Backward(d.rings) {
		if r.answer != "" {
			return r
		}
	}
	return ring{}
}

func (d *sirenDriver) expire(now time.Time) {
	d.rings = slices.DeleteFunc(d.rings, func(r ring) bool { return !now.Before(r.until) })
}

// drive sets the pins to what they should be now.
func (d *sirenDriver) drive(now time.Time) error {
	sound := gpio.Low
	// The pattern of what rings longest, so that a second message does not
	// break it.
	if i := slices.IndexFunc(d.rings, func(r ring) bool { return r.loud }); i >= 0 && sounds(now.Sub(d.rings[i].since)) {
		sound = gpio.High
	}
	return errors.Join(d.set(d.buzzer, sound, now), d.set(d.light, gpio.Level(len(d.rings) > 0), now))
}

func sounds(since time.Duration) bool {
	since %= sirenCycle[len(sirenCycle)-1].until
	for _, part := range sirenCycle {
		if since < part.until {
			return part.on
		}
	}
	return false
}

// set sets a pin where it is not so already.
func (d *sirenDriver) set(name string, level gpio.Level, now time.Time) error {
	if was, known := d.levels[name]; name == "" || known && was == level || d.resting(name, now) {
		return nil
	}
	pin := gpioreg.ByName(name)
	if pin == nil {
		return d.fail(name, now, errors.New("this machine has no such pin"))
	}
	if err := pin.Out(level); err != nil {
		delete(d.levels, name)
		return d.fail(name, now, err)
	}
	d.levels[name] = level
	d.works(name)
	return nil
}

// fail tells the log of a pin's fault once.
func (d *sirenDriver) fail(name string, now time.Time, err error) error {
	err = fmt.Errorf("use pin %s of the siren: %w", name, err)
	if _, known := d.failed[name]; !known {
		d.log.Error("the siren does not work", "err", err)
	}
	d.failed[name] = now
	return err
}

// resting says whether a pin that does not work is left alone for a second.
func (d *sirenDriver) resting(name string, now time.Time) bool {
	at, known := d.failed[name]
	return known && now.Sub(at) < time.Second
}

// retry lets all pins be tried again now.
func (d *sirenDriver) retry(now time.Time) {
	for name := range d.failed {
		d.failed[name] = now.Add(-time.Second)
	}
}

func (d *sirenDriver) works(name string) {
	if _, known := d.failed[name]; known {
		delete(d.failed, name)
		d.log.Info("a pin of the siren works again", "pin", name)
	}
}

// pressed says whether the button has just been pressed. It is asked at each
// tick; edges are not waited for, because what the kernel's pins say of them
// cannot be trusted (a wait without end returns at once). A pin that cannot be
// read reads low, as a pressed button does: so a press counts only after the
// pin was seen high.
func (d *sirenDriver) pressed(now time.Time) bool {
	if d.button == "" || d.in == nil && d.resting(d.button, now) {
		return false
	}
	if d.in == nil {
		pin := gpioreg.ByName(d.button)
		if pin == nil {
			d.fail(d.button, now, errors.New("this machine has no such pin"))
			return false
		}
		if err := pin.In(gpio.PullUp, gpio.NoEdge); err != nil {
			d.fail(d.button, now, err)
			return false
		}
		d.works(d.button)
		d.in, d.settled = pin, gpio.Low
		d.raw, d.since = pin.Read(), now
		return false
	}
	if level := d.in.Read(); level != d.raw {
		d.raw, d.since = level, now
	}
	held := now.Sub(d.since)
	if d.raw == gpio.Low && held >= sirenStuck && !d.stuck {
		d.stuck = true
		d.log.Warn("the button is held for a minute: is it stuck, or its wire cut to ground?", "pin", d.button)
	}
	if d.raw == d.settled || held < sirenSettle {
		return false
	}
	d.settled, d.stuck = d.raw, false
	return d.settled == gpio.Low
}

// end leaves the pins low, and lets them go.
func (d *sirenDriver) end() {
	now := time.Now()
	d.rings = nil
	clear(d.levels)
	d.retry(now)
	d.drive(now) // what fails is in the log
	for _, name := range []string{d.buzzer, d.light, d.button} {
		if name == "" {
			continue
		}
		if pin := gpioreg.ByName(name); pin != nil {
			if err := pin.Halt(); err != nil {
				d.fail(name, now, err)
			}
		}
	}
}
