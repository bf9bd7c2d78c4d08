package chips

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync/atomic"
	"time"

	"coldkeep/sensor"
)

// A wire is an open bus with its chips. Only its owner goroutine calls it.
type wire interface {
	// sweep reads every probe once and gives each outcome exactly once. Its
	// error says that the bus itself misbehaved; the outcomes are given anyway.
	sweep(give func(probe int, o outcome)) error
	close() error
}

// An outcome is what one probe gave: a temperature, or a fault and its cause.
type outcome struct {
	raw   sensor.Temp
	fault sensor.Fault
	cause error // for the log; may be nil
}

const (
	// A bus whose sweeps fail this often in a row is closed and opened again:
	// a netlink socket that lost one message stays out of step for ever.
	troubledSweeps = 3

	// Opening is tried at every sweep at first, then with growing pauses.
	openPause    = time.Second
	openPauseMax = time.Minute

	// A bus that hangs again and again is reopened ever more rarely, because
	// each time a goroutine, a file and perhaps a thread stay behind.
	hangPause    = 10 * time.Second
	hangPauseMax = 10 * time.Minute
	leftBehind   = 100

	// Closing waits this long for an owner that is in the middle of a sweep.
	closePatience = time.Second
)

// bus is one physical bus. Sweep and Close are called by one goroutine; the
// handle belongs to the owner goroutine, which is abandoned with it when it
// misses the deadline.
type bus struct {
	name   string
	probes []sensor.Probe
	open   opening
	opts   Options

	owner   *owner
	closed  bool
	hangs   int       // in a row
	waiting time.Time // no new owner before this
	behind  *atomic.Int32
	past    []past         // what the probes have shown
	told    []sensor.Fault // what the log last said of each probe
	toldBus string
}

func newBus(name string, probes []sensor.Probe, open opening, opts Options) *bus {
	return &bus{name: name, probes: probes, open: open, opts: opts, behind: new(atomic.Int32), past: make([]past, len(probes)), told: make([]sensor.Fault, len(probes))}
}

// Name gives the bus's name in the config.
func (b *bus) Name() string { return b.name }

// Sweep reads all probes. It answers within the deadline of the Options, or at
// once when ctx ends; a probe that was not read by then has FaultTimeout, or
// FaultNotSampled if ctx ended.
func (b *bus) Sweep(ctx context.Context, slot time.Time) []sensor.Reading {
	if b.closed || ctx.Err() != nil {
		return b.readings(slot, nil, sensor.FaultNotSampled)
	}
	if b.owner == nil {
		if time.Now().Before(b.waiting) {
			return b.readings(slot, nil, sensor.FaultTimeout)
		}
		if n := b.behind.Load(); n >= leftBehind {
			b.tellBus(fmt.Sprintf("bus hangs: %d attempts to use it never ended; it is not opened again before one of them ends or the daemon restarts", n))
			return b.readings(slot, nil, sensor.FaultTimeout)
		}
		b.owner = startOwner(b.open, b.behind)
	}

	j := &job{probes: len(b.probes), out: make(chan result, len(b.probes))}
	b.owner.jobs <- j // never blocks: the owner has nothing else to do
	timer := time.NewTimer(b.opts.Deadline)
	defer timer.Stop()
	got := make([]*outcome, len(b.probes))
	for {
		select {
		case r, more := <-j.out:
			if more {
				got[r.probe] = &r.outcome
				continue
			}
			b.hangs = 0
			if j.err != nil {
				b.tellBus(j.err.Error())
			} else {
				b.tellBus("")
			}
			return b.readings(slot, got, sensor.FaultUnspecified)
		case <-timer.C:
			j.drain(got)
			b.abandon()
			b.hangs++
			if b.hangs > 1 {
				pause := min(hangPause<<min(b.hangs-2, 10), hangPauseMax)
				b.waiting = time.Now().Add(pause)
			}
			b.tellBus(fmt.Sprintf("bus missed its deadline of %v and was abandoned", b.opts.Deadline))
			return b.readings(slot, got, sensor.FaultTimeout)
		case <-ctx.Done():
			j.drain(got)
			b.abandon()
			return b.readings(slot, got, sensor.FaultNotSampled)
		}
	}
}

// abandon leaves the owner alone with its handle. When the call it is stuck in
// returns, it closes the handle itself; what it reads by then is dropped.
func (b *bus) abandon() {
	b.behind.Add(1)
	b.owner.abandoned.Store(true)
	close(b.owner.quit)
	b.owner = nil
}

// Close ends the owner. It waits a second for a call in progress and answers
// an error when that does not end; the handle is then left behind.
func (b *bus) Close() error {
	b.closed = true
	if b.owner == nil {
		return nil
	}
	o := b.owner
	b.owner = nil
	close(o.quit)
	timer := time.NewTimer(closePatience)
	defer timer.Stop()
	select {
	case <-o.done:
		if o.err != nil {
			return fmt.Errorf("close bus %q: %w", b.name, o.err)
		}
		return nil
	case <-timer.C:
		return fmt.Errorf("close bus %q: it did not end within %v and was left behind", b.name, closePatience)
	}
}

// readings makes one reading per probe; where nothing was got it has the fault.
func (b *bus) readings(slot time.Time, got []*outcome, missing sensor.Fault) []sensor.Reading {
	out := make([]sensor.Reading, len(b.probes))
	for i, p := range b.probes {
		o := outcome{fault: missing}
		if got != nil && got[i] != nil {
			o = *got[i]
		}
		r := sensor.Reading{Probe: p.ID, Time: sensor.At(slot), Fault: o.fault}
		if o.fault == "" {
			r.Raw, r.Temp = o.raw, p.Calibration.Correct(o.raw)
			if o.fault, o.cause = b.past[i].judge(p, r.Raw, r.Temp, slot); o.fault != "" {
				r.Raw, r.Temp, r.Fault = 0, 0, o.fault
			}
		}
		out[i] = r
		b.tellProbe(i, o)
	}
	return out
}

func (b *bus) tellProbe(i int, o outcome) {
	if o.fault == b.told[i] || o.fault == sensor.FaultNotSampled {
		return
	}
	b.told[i] = o.fault
	if o.fault == "" {
		b.opts.Log.Info("probe reads again", "bus", b.name, "probe", b.probes[i].ID)
		return
	}
	args := []any{"bus", b.name, "probe", b.probes[i].ID, "address", b.probes[i].Address, "fault", string(o.fault), "meaning", o.fault.Sentence()}
	if o.cause != nil {
		args = append(args, "cause", o.cause.Error())
	}
	b.opts.Log.Warn("probe gives no temperature", args...)
}

func (b *bus) tellBus(what string) {
	if what == b.toldBus {
		return
	}
	b.toldBus = what
	if what == "" {
		b.opts.Log.Info("bus works again", "bus", b.name)
		return
	}
	b.opts.Log.Warn("bus fails", "bus", b.name, "cause", what)
}

// A job is one sweep that the owner does. out has room for every result, so
// that an owner nobody listens to any more is not held up by it.
type job struct {
	probes int
	out    chan result
	err    error // readable once out is closed
}

type result struct {
	probe int
	outcome
}

// drain takes the results that are there already.
func (j *job) drain(got []*outcome) {
	for {
		select {
		case r, more := <-j.out:
			if !more {
				return
			}
			got[r.probe] = &r.outcome
		default:
			return
		}
	}
}

// An owner is the one goroutine that touches a handle: it opens it, sweeps it
// and closes it.
type owner struct {
	jobs      chan *job
	quit      chan struct{}
	done      chan struct{}
	err       error // of closing; readable once done is closed
	abandoned atomic.Bool

	open     opening
	wire     wire
	troubled int
	pause    time.Duration
	next     time.Time // no opening before this
	openErr  error
}

func startOwner(open opening, behind *atomic.Int32) *owner {
	o := &owner{jobs: make(chan *job, 1), quit: make(chan struct{}), done: make(chan struct{}), open: open}
	go func() {
		defer close(o.done)
		defer func() {
			if o.abandoned.Load() {
				behind.Add(-1)
			}
		}()
		for {
			select {
			case <-o.quit:
				o.err = o.closeWire()
				return
			case j := <-o.jobs:
				j.err = o.work(j)
				close(j.out)
			}
		}
	}()
	return o
}

// work does one sweep, opening the bus before it where needed.
func (o *owner) work(j *job) (err error) {
	given := make([]bool, j.probes)
	give := func(i int, out outcome) {
		given[i] = true
		j.out <- result{i, out}
	}
	// A driver that panics in a goroutine would end the daemon, and with it
	// the watch over all other buses.
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("sweep bus: driver panicked: %v\n%s", p, debug.Stack())
			o.troubled = troubledSweeps
		}
		for i, done := range given {
			if !done {
				give(i, outcome{fault: sensor.FaultBus, cause: err})
			}
		}
	}()
	if o.troubled >= troubledSweeps {
		o.troubled = 0
		if err := o.closeWire(); err != nil {
			return fmt.Errorf("reopen bus: %w", err)
		}
	}
	if o.wire == nil {
		if err := o.openWire(); err != nil {
			return err
		}
	}
	if err := o.wire.sweep(give); err != nil {
		o.troubled++
		return fmt.Errorf("sweep bus: %w", err)
	}
	o.troubled = 0
	return nil
}

func (o *owner) openWire() error {
	if time.Now().Before(o.next) {
		return o.openErr
	}
	w, err := o.open(&o.abandoned)
	if err != nil {
		o.openErr = fmt.Errorf("open bus: %w", err)
		o.next = time.Now().Add(o.pause)
		o.pause = min(max(2*o.pause, openPause), openPauseMax)
		return o.openErr
	}
	o.wire, o.pause, o.openErr = w, 0, nil
	return nil
}

// closeWire forgets the handle even when closing fails: it cannot be trusted.
func (o *owner) closeWire() (err error) {
	if o.wire == nil {
		return nil
	}
	w := o.wire
	o.wire = nil
	defer func() {
		if p := recover(); p != nil {
			err = errors.Join(err, fmt.Errorf("close handle: driver panicked: %v", p))
		}
	}()
	if err := w.close(); err != nil {
		return fmt.Errorf("close handle: %w", err)
	}
	return nil
}
