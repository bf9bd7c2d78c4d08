package alert

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// A Journal is what the Dispatcher follows: the messages that are due, as the
// Desk has decided and the record holds.
type Journal interface {
	// Due gives the messages on their way that nobody has reported on, the
	// oldest first, as they are to be sent.
	Due() []DueMessage
	// Open gives the troubles that services are told of again and again.
	Open() []Message
	// Sent gives the messages of a channel that may still be answered.
	Sent(channel string) []Sent
	// Changed gives a channel that is closed at the next change.
	Changed() <-chan struct{}
	Report(ctx context.Context, o Outcome) error
	Answer(ctx context.Context, a Answer) (reply string, err error)
}

// A DueMessage goes to a channel.
type DueMessage struct {
	Channel string
	Message Message
}

const (
	tryMost   = 45 * time.Second // less than the Desk waits for word of it
	syncEvery = time.Minute
	reportGap = 2 * time.Second // between tries to report
)

// A Dispatcher sends what is due, hears what people answer, and hands both to
// the journal. It decides nothing: what is sent again, and when, is the Desk's.
type Dispatcher struct {
	j        Journal
	channels map[string]Notifier
	log      *slog.Logger

	mu   sync.Mutex
	busy map[string]bool // by the message's id: it is being sent, or reported on
	all  sync.WaitGroup
}

// NewDispatcher makes one over channels with different names.
func NewDispatcher(j Journal, channels []Notifier, log *slog.Logger) *Dispatcher {
	d := &Dispatcher{j: j, channels: map[string]Notifier{}, log: log, busy: map[string]bool{}}
	for _, c := range channels {
		d.channels[c.Name()] = c
	}
	return d
}

// Run sends and hears until ctx ends.
func (d *Dispatcher) Run(ctx context.Context) {
	defer d.all.Wait()
	for _, c := range d.channels {
		if l, ok := c.(Listener); ok {
			d.all.Go(func() { l.Listen(ctx, post{d, c.Name()}) })
		}
		if s, ok := c.(Syncer); ok {
			d.all.Go(func() { d.sync(ctx, c.Name(), s) })
		}
	}
	// What is due at the start may have been sent by a daemon that was killed
	// before it could say so: it is marked as such (Desk.Doubt), and sent again.
	rang, hushed := map[string]map[string]string{}, map[string]bool{}
	for {
		changed := d.j.Changed()
		for name, c := range d.channels {
			if c, ok := c.(Canceler); ok {
				if rang[name] == nil {
					rang[name] = map[string]string{}
				}
				d.silence(ctx, name, c, rang[name], hushed)
			}
		}
		for _, m := range d.j.Due() {
			d.start(ctx, m)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// start sends a message beside everything else: the Desk lets only one at a
// time go to a person by one contact.
func (d *Dispatcher) start(ctx context.Context, m DueMessage) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.busy[m.Message.ID] {
		return
	}
	d.busy[m.Message.ID] = true
	d.all.Go(func() {
		d.send(ctx, m)
		d.mu.Lock()
		delete(d.busy, m.Message.ID)
		d.mu.Unlock()
	})
}

func (d *Dispatcher) send(ctx context.Context, m DueMessage) {
	o := Outcome{ID: m.Message.ID}
	c := d.channels[m.Channel]
	if c == nil {
		o.Error = "the config has no channel " + m.Channel + " any more"
		d.report(ctx, m, o)
		return
	}
	try, cancel := context.WithTimeout(ctx, tryMost)
	receipt, err := c.Notify(try, m.Message)
	late := try.Err() != nil
	cancel()
	if ctx.Err() != nil && err != nil {
		return // stopping: it is due again after the start
	}
	var soon *TemporaryError
	var unknown *UnknownError
	switch {
	case err == nil:
		o.Receipt = receipt
	case errors.As(err, &soon):
		o.Error, o.Retry, o.After = err.Error(), true, soon.After
	case errors.As(err, &unknown), late:
		o.Error, o.Unknown = err.Error(), true
	default:
		o.Error = err.Error()
	}
	d.report(ctx, m, o)
}

// report hands in what became of a message, until it is taken: a message
// without word of it would be sent again.
func (d *Dispatcher) report(ctx context.Context, m DueMessage, o Outcome) {
	if o.Error != "" {
		d.log.Warn("notification was not taken", "channel", m.Channel, "notification", o.ID, "again", o.Retry, "unknown", o.Unknown, "cause", o.Error)
	}
	for ctx.Err() == nil {
		err := d.j.Report(ctx, o)
		if err == nil {
			return
		}
		if ctx.Err() == nil {
			d.log.Error("notification cannot be recorded", "notification", o.ID, "cause", err)
		}
		select {
		case <-time.After(reportGap):
		case <-ctx.Done():
		}
	}
}

// sync tells a service what holds: when a trouble comes or goes, and every
// minute, also that nothing does.
func (d *Dispatcher) sync(ctx context.Context, name string, s Syncer) {
	told, last, failing := "", time.Time{}, false
	for ctx.Err() == nil {
		changed := d.j.Changed()
		open := d.j.Open()
		if now := signature(open); now != told || time.Since(last) >= syncEvery {
			try, cancel := context.WithTimeout(ctx, tryMost)
			err := s.Sync(try, open)
			cancel()
			if ctx.Err() != nil {
				return
			}
			if err != nil && !failing {
				d.log.Warn("service cannot be told what holds", "channel", name, "cause", err)
			}
			if failing = err != nil; !failing {
				told = now
			}
			last = time.Now()
			// Changes come in crowds: one call tells of all.
			select {
			case <-time.After(reportGap):
			case <-ctx.Done():
			}
		}
		timer := time.NewTimer(syncEvery)
		select {
		case <-changed:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// signature is what of the open troubles a service must hear of at once: not
// their temperatures.
func signature(open []Message) string {
	var b strings.Builder
	for _, m := range open {
		fmt.Fprintf(&b, "%s %s %s %v\n", m.Key, m.Purpose, m.Severity, m.Units)
	}
	return b.String()
}

// silence cancels what rings no more, because somebody has it or it is over.
// It is told once of each.
func (d *Dispatcher) silence(ctx context.Context, name string, c Canceler, rang map[string]string, hushed map[string]bool) {
	still := map[string]bool{}
	for _, s := range d.j.Sent(name) {
		if s.Receipt == "" || hushed[s.ID] {
			continue
		}
		still[s.ID] = !s.Quiet
		rang[s.ID] = s.Receipt
	}
	for id, receipt := range rang {
		if still[id] {
			continue
		}
		delete(rang, id)
		hushed[id] = true
		d.all.Go(func() {
			try, cancel := context.WithTimeout(ctx, tryMost)
			defer cancel()
			if err := c.Cancel(try, receipt); err != nil && ctx.Err() == nil {
				d.log.Warn("message cannot be silenced", "channel", name, "notification", id, "cause", err)
			}
		})
	}
}

// post is where a channel's answers go.
type post struct {
	d    *Dispatcher
	name string
}

// Hear hands an answer in.
func (p post) Hear(ctx context.Context, a Answer) (string, error) {
	a.Channel = p.name
	return p.d.j.Answer(ctx, a)
}

// Open gives the messages that may still be answered.
func (p post) Open(string) []Sent { return p.d.j.Sent(p.name) }
