package alert

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"
)

// A Journal is what the Dispatcher follows.
type Journal interface {
	// Alarms gives alarms that were raised or cleared after a place in the
	// record, in order, and the place up to which it looked.
	Alarms(ctx context.Context, after uint64) (list []Entry, upTo uint64, err error)
	// Open says whether the alarm is raised at this moment.
	Open(key string) bool
	Changed() <-chan struct{}
	Cursor(name string) uint64
	SetCursor(name string, seq uint64)
	Report(ctx context.Context, r Report) error
}

// An Entry is an alarm raised, or, where Cleared is set, cleared.
type Entry struct {
	Seq   uint64
	Alarm Alarm
}

// A Report says what became of a message.
type Report struct {
	Channel string
	Alarm   Alarm
	Text    string
	Err     error // nil: it was sent
}

const (
	retryLeast   = 2 * time.Second
	retryMost    = time.Minute
	tryMost      = 30 * time.Second
	failureEvery = 10 * time.Minute // an event for failures, not for each try
)

// A Dispatcher sends what the journal tells of alarms to channels.
type Dispatcher struct {
	j        Journal
	channels []Notifier
	log      *slog.Logger
}

// NewDispatcher makes one.
func NewDispatcher(j Journal, channels []Notifier, log *slog.Logger) *Dispatcher {
	return &Dispatcher{j, channels, log}
}

// Run follows the journal with every channel until ctx ends.
func (d *Dispatcher) Run(ctx context.Context) {
	var all sync.WaitGroup
	for _, c := range d.channels {
		all.Go(func() { d.follow(ctx, c) })
	}
	all.Wait()
}

func cursor(c Notifier) string { return "alert." + c.Name() }

func (d *Dispatcher) follow(ctx context.Context, c Notifier) {
	next := d.j.Cursor(cursor(c))
	for {
		changed := d.j.Changed()
		for {
			list, upTo, err := d.j.Alarms(ctx, next)
			if err != nil {
				if ctx.Err() == nil {
					d.log.Error("alarms cannot be read", "channel", c.Name(), "cause", err)
				}
				break
			}
			for _, e := range list {
				if !d.send(ctx, c, e.Alarm) {
					return
				}
				d.j.SetCursor(cursor(c), e.Seq)
			}
			if upTo == next {
				break
			}
			next = upTo
			d.j.SetCursor(cursor(c), next)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// send tries until the message is sent, is refused for good, or is about an
// alarm that is over meanwhile. It answers false when ctx ended before.
func (d *Dispatcher) send(ctx context.Context, c Notifier, a Alarm) bool {
	if a.Past {
		return true
	}
	m := Compose(a)
	pause := retryLeast
	var told time.Time
	for ctx.Err() == nil {
		// What is over already gets nobody up; its end is told all the same.
		if a.Cleared == nil && !d.j.Open(a.Key) {
			return true
		}
		try, cancel := context.WithTimeout(ctx, tryMost)
		err := c.Notify(try, m)
		cancel()
		if err == nil {
			d.report(ctx, Report{c.Name(), a, m.Title, nil})
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		var soon *TemporaryError
		temporary := errors.As(err, &soon)
		if !temporary || told.IsZero() || time.Since(told) >= failureEvery {
			told = time.Now()
			d.log.Warn("notification was not taken", "channel", c.Name(), "alarm", a.Key, "again", temporary, "cause", err)
			d.report(ctx, Report{c.Name(), a, m.Title, err})
		}
		if !temporary {
			return true
		}
		timer := time.NewTimer(max(pause, soon.After))
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
		pause = min(2*pause, retryMost)
	}
	return false
}

func (d *Dispatcher) report(ctx context.Context, r Report) {
	if err := d.j.Report(ctx, r); err != nil && ctx.Err() == nil {
		d.log.Error("notification cannot be recorded", "channel", r.Channel, "cause", err)
	}
}
