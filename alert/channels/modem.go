package channels

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"coldkeep/alert"
)

// modem sends and hears short messages through a modem of our own: no
// internet, and with a battery no mains, is needed. It answers to AT commands
// (3GPP TS 27.005, TS 27.007) on a serial port.
//
// Whoever has the turn has the port: while Listen runs that is its goroutine,
// which then sends for Notify, too. Without it each Notify opens the port for
// itself.
type modem struct {
	id     string
	device string
	speed  uint32
	pin    string // its file; "" none
	log    *slog.Logger
	times  modemTimes
	turn   chan struct{}
	jobs   chan modemJob

	// These belong to who has the turn.
	ref     byte   // of the last text in parts
	triedIn string // a PIN that was given and not taken: never again
	heard   map[string]bool
	partly  map[string]time.Time   // since when parts wait for their others
	unread  map[int]string         // what could not be read at the last look
	replies map[string][]time.Time // to a number, of the last hour
}

// A modemJob is a text to send.
type modemJob struct {
	ctx      context.Context
	to, text string
	done     chan<- error
}

func openModem(s alert.Settings, log *slog.Logger) (alert.Notifier, error) {
	if s.Device == "" {
		return nil, fmt.Errorf("open channel %s: device is missing: write the modem's, /dev/serial/by-id/…", s.ID)
	}
	if s.Baud == 0 {
		s.Baud = 115200
	}
	speed, ok := bauds[s.Baud]
	if !ok {
		return nil, fmt.Errorf("open channel %s: a modem does not run at %d baud: 115200 is usual", s.ID, s.Baud)
	}
	var ref [1]byte
	rand.Read(ref[:]) // it never fails
	return &modem{id: s.ID, device: s.Device, speed: speed, pin: s.TokenFile, log: log.With("channel", s.ID), times: modemPatience,
		turn: make(chan struct{}, 1), jobs: make(chan modemJob), ref: ref[0], heard: map[string]bool{}, partly: map[string]time.Time{}, replies: map[string][]time.Time{}}, nil
}

func (c *modem) Name() string { return c.id }

// Notify sends m in as many parts as it needs. There is no receipt: a short
// message cannot be taken back.
func (c *modem) Notify(ctx context.Context, m alert.Message) (string, error) {
	if _, err := addressOctets(m.To); err != nil {
		return "", err
	}
	done := make(chan error, 1)
	select {
	case c.jobs <- modemJob{ctx, m.To, withAnswers(m), done}:
		return "", <-done // it ends with ctx
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
		p, err := c.open(ctx)
		if err != nil {
			return "", err
		}
		defer p.close()
		return "", c.send(ctx, p, m.To, withAnswers(m))
	case <-ctx.Done():
		return "", &alert.TemporaryError{Err: fmt.Errorf("send by modem: it is busy: %w", ctx.Err())}
	}
}

// Listen owns the port until ctx ends.
func (c *modem) Listen(ctx context.Context, post alert.Post) {
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return
	}
	var p *modemPort
	defer func() {
		if p != nil {
			p.close()
		}
	}()
	var told modemTelling
	look := time.NewTimer(0) // for the modem, or for messages
	defer look.Stop()
	for ctx.Err() == nil {
		var lines <-chan string
		if p != nil {
			lines = p.lines
		}
		var err error
		due := false
		select {
		case <-ctx.Done():
			return
		case j := <-c.jobs:
			p, err = c.work(ctx, p, j)
		case line, ok := <-lines:
			if !ok {
				p.dead, err = true, errPortGone
			} else {
				p.unsolicited(line)
			}
		case <-look.C:
			due = true
			look.Reset(c.times.poll)
			if p == nil {
				p, err = c.open(ctx)
			}
		}
		if p != nil && !p.dead && err == nil && (due || p.announced) {
			due = true
			err = c.hear(ctx, p, post)
		}
		if p != nil && p.dead {
			p.close()
			p = nil
			look.Reset(c.times.reopen)
		}
		if err != nil {
			look.Reset(c.times.reopen)
		}
		if ctx.Err() == nil && (due || err != nil) {
			told.tell(c.log, err)
		}
	}
}

// A modemTelling tells the log of a failure once, and of its end.
type modemTelling struct{ last string }

func (t *modemTelling) tell(log *slog.Logger, err error) {
	switch {
	case err != nil && err.Error() != t.last:
		t.last = err.Error()
		log.Warn("the modem does not do what it should", "err", err)
	case err == nil && t.last != "":
		t.last = ""
		log.Info("the modem works again")
	}
}

// work sends for Notify. What goes wrong with the sending is for Notify to
// tell; what it gives back is what goes wrong with the port.
func (c *modem) work(ctx context.Context, p *modemPort, j modemJob) (*modemPort, error) {
	jctx, cancel := context.WithCancel(j.ctx)
	defer cancel()
	defer context.AfterFunc(ctx, cancel)() // the daemon stops
	if p == nil {
		var err error
		if p, err = c.open(jctx); err != nil {
			j.done <- err
			return nil, err
		}
	}
	j.done <- c.send(jctx, p, j.to, j.text)
	return p, nil
}

// open opens the port and readies the modem.
func (c *modem) open(ctx context.Context) (*modemPort, error) {
	if err := ctx.Err(); err != nil {
		return nil, &alert.TemporaryError{Err: err}
	}
	p, err := openPort(c.device, c.speed)
	if err != nil {
		return nil, &alert.TemporaryError{Err: err} // it may be plugged in again
	}
	if err := c.ready(ctx, p); err != nil {
		p.close()
		return nil, fmt.Errorf("ready modem %s: %w", c.device, err)
	}
	return p, nil
}

// ready brings the modem to where it can send and announces what comes.
func (c *modem) ready(ctx context.Context, p *modemPort) error {
	if err := c.wake(ctx, p); err != nil {
		return &alert.TemporaryError{Err: err}
	}
	for _, command := range []string{"ATE0", "AT+CMEE=1"} {
		if _, err := c.ask(ctx, p, command); err != nil {
			return worth(err)
		}
	}
	if err := c.unlock(ctx, p); err != nil {
		return err
	}
	if _, err := c.ask(ctx, p, "AT+CMGF=0"); err != nil {
		return worth(err)
	}
	// Where messages are kept: the SIM, or what a modem without such has.
	if err := c.either(ctx, p, `AT+CPMS="SM","SM","SM"`, `AT+CPMS="ME","ME","ME"`, `AT+CPMS="SM"`); err != nil {
		return worth(err)
	}
	// That they are announced. One that cannot is looked into all the same.
	err := c.either(ctx, p, "AT+CNMI=2,1,0,0,0", "AT+CNMI=1,1,0,0,0", "AT+CNMI=2,1")
	if _, refused := errors.AsType[*atError](err); err != nil && !refused {
		return worth(err)
	}
	return nil
}

// wake finds the modem at the other end. It may sit at the prompt of a message
// that nobody ends (ESC leaves it), or have an answer to somebody else to
// say.
func (c *modem) wake(ctx context.Context, p *modemPort) error {
	if err := p.write("\x1b\r"); err != nil {
		return err
	}
	if err := c.drain(ctx, p); err != nil {
		return err
	}
	end := time.Now().Add(c.times.command)
	for {
		if err := p.write("AT\r"); err != nil {
			return err
		}
		err := p.await(ctx, min(time.Second, c.times.command), func(line string) bool { return line == "OK" })
		if err == nil {
			return c.drain(ctx, p)
		}
		if !errors.Is(err, errMute) || time.Now().After(end) {
			return fmt.Errorf("AT: %w", err)
		}
		p.dead = false // it may be starting
	}
}

// drain lets the modem say what it has to say.
func (c *modem) drain(ctx context.Context, p *modemPort) error {
	end := time.Now().Add(10 * c.times.quiet)
	for time.Now().Before(end) {
		err := p.await(ctx, c.times.quiet, func(string) bool { return true })
		if errors.Is(err, errMute) {
			p.dead = false
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *modem) ask(ctx context.Context, p *modemPort, command string) ([]string, error) {
	return p.do(ctx, command, command, c.times.command)
}

// either gives the modem commands until it takes one.
func (c *modem) either(ctx context.Context, p *modemPort, commands ...string) (err error) {
	for _, command := range commands {
		_, err = c.ask(ctx, p, command)
		if _, refused := errors.AsType[*atError](err); !refused {
			return err
		}
	}
	return err
}

// worth says of an error before anything was sent whether to try again.
func worth(err error) error {
	if refusal, ok := errors.AsType[*atError](err); ok && refusal.lasting() {
		return err
	}
	if errors.Is(err, context.Canceled) {
		return err
	}
	return &alert.TemporaryError{Err: err}
}
