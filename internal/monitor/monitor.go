// Package monitor joins the buses, the judgement and the record.
//
// One goroutine (Run) owns the evaluator. At every slot, a UTC multiple of the
// sampling interval, all buses are swept at once; what they say and the events
// that follow from it are recorded in one transaction, and then the followers
// are woken. Commands enter the same goroutine and come back as events.
//
// The Monitor gives the sequence numbers. While the store fails it goes on
// judging: the steps wait in a bounded tail in memory, which followers read
// like the rest of the record, and are written when the disk is back.
//
// It is not a place for rules: what is judged and how is coldchain's, who is
// told and how is alert's.
package monitor

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"coldkeep/alert"
	"coldkeep/internal/coldchain"
	"coldkeep/sensor"
)

// A Store keeps the record. internal/store is the one there is.
type Store interface {
	RecordID() string
	LastSeq() uint64
	Record(ctx context.Context, s coldchain.Step) error
	Entries(ctx context.Context, after uint64, limit int) ([]coldchain.Entry, error)
	Events(ctx context.Context, after uint64, limit int) ([]coldchain.Event, error)
	EventsOf(ctx context.Context, kinds ...coldchain.Kind) ([]coldchain.Event, error)
	NewestOf(ctx context.Context, kind coldchain.Kind, before uint64, limit int) ([]coldchain.Event, error)
	EventByCommand(ctx context.Context, id string) (coldchain.Event, bool, error)
	Readings(ctx context.Context, probe string, from, to sensor.Instant, limit int) ([]sensor.Reading, error)
	EachReading(ctx context.Context, from, to sensor.Instant, f func(r sensor.Reading, synchronized bool) error) error
	Checkpoint(ctx context.Context, before sensor.Instant) (at sensor.Instant, seq uint64, data []byte, err error)
	Cursors(ctx context.Context) (map[string]uint64, error)
	Desk(ctx context.Context) (seq uint64, data []byte, err error)
	AddFile(ctx context.Context, data []byte) (sha string, err error)
	File(ctx context.Context, sha string) ([]byte, error)
	Imports(ctx context.Context, probe string, from sensor.Instant) ([]coldchain.Import, error)
}

// Options say what is monitored.
type Options struct {
	Config   coldchain.Config // what judges from the first sweep on
	Probes   []sensor.Probe
	Buses    []sensor.Bus
	Contacts []sensor.Contact
	Interval time.Duration // between slots; ≥ 1 ms
	// Products tells the profile of goods by their GTIN of 14 digits.
	Products map[string]string
	Site     coldchain.Site
	Node     string
	Version  string
	Demo     bool
	Log      *slog.Logger
	// Duty says who is called for what, Words how they are told (nil: as
	// shipped), and AnswerKey signs the answers that messages offer.
	Duty      alert.Duty
	Words     alert.Catalogues
	AnswerKey []byte
	// Peers are the site's other daemons that are not heard; known is false
	// while that cannot be told. nil: none is watched.
	Peers func() (silent []Peer, known bool)
	// Wall is the system's clock; nil means time.Now.
	Wall func() time.Time
	// Synchronized says whether that clock is disciplined; nil asks the kernel.
	Synchronized func() bool
}

const (
	// judgedCursor keeps the last instant that was judged: up to it all has
	// been said, and a restart says it not again.
	judgedCursor = "monitor.judged"

	checkpointEvery = 5 * time.Minute
	checkpointLeast = time.Minute // after events, no more often than this
	commandQueue    = 64
)

// A Monitor is the loop. Its exported methods may be called by any goroutine,
// but for Open, Sweep and Feed, which are the loop's own.
type Monitor struct {
	o    Options
	st   Store
	log  *slog.Logger
	loc  *time.Location
	boot string

	requests chan request
	snapshot atomic.Pointer[coldchain.Snapshot]
	made     time.Time
	turned   atomic.Int64 // of the loop, last: monotonic ns since made
	ended    chan struct{}

	// The loop's own.
	e        *coldchain.Evaluator
	held     coldchain.Config // what judges at present
	entered  bool             // the config of Options has come to hold
	clock    clock
	units    map[string]string // unit of a probe
	probes   map[string]*probeSeen
	days     map[string]*dayRange
	trends   map[string]*trend
	saved    sensor.Instant // of the last checkpoint
	unsaved  bool           // events since then
	closing  bool
	origin   sensor.Instant // when the record begins
	contacts []*contactSeen
	early    []sensor.ContactState // told before there was a record to tell it to
	counts   map[string]coldchain.NotificationCount
	storage  *coldchain.Alarm // open: the disk fails
	failures uint64
	looked   time.Time // monotonic: of the last look for clock steps

	out  map[string]coldchain.ProbeCheck // probes that are out, by id
	off  map[string]coldchain.CheckMade  // instruments whose newest check was not good
	dues dues

	historic map[string]bool // alarms that late data have found, by key

	desk          *alert.Desk
	deskMoved     bool           // since it was kept
	deskKept      sensor.Instant // when
	feeding       bool           // history: nobody is called for it
	undisciplined time.Time      // the clock, since then; monotonic
	silent        []Peer         // as last known
	flights       atomic.Pointer[flights]
	syncs         bool // a service must be told again and again what holds

	mu      sync.Mutex // of what followers share with the loop
	changed chan struct{}
	seq     uint64
	tail    tail
	cursors map[string]uint64
	moved   bool // a cursor was, since the last step
}

// New makes a Monitor over a store that is open. Open must follow.
func New(st Store, o Options) *Monitor {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Wall == nil {
		o.Wall = time.Now
	}
	if o.Synchronized == nil {
		o.Synchronized = kernelSynchronized
	}
	m := &Monitor{made: time.Now(), o: o, st: st, log: o.Log, requests: make(chan request, commandQueue), changed: make(chan struct{}), ended: make(chan struct{}),
		units: map[string]string{}, probes: map[string]*probeSeen{}, days: map[string]*dayRange{}, trends: map[string]*trend{},
		counts: map[string]coldchain.NotificationCount{}, boot: bootID(), out: map[string]coldchain.ProbeCheck{}, historic: map[string]bool{}, off: map[string]coldchain.CheckMade{}}
	for channel := range o.Duty.Kinds {
		m.counts[channel] = coldchain.NotificationCount{} // one that comes from nowhere has no increase
	}
	return m
}

// Open finds where the record stands and judges what no checkpoint covers.
func (m *Monitor) Open(ctx context.Context) error {
	if m.o.Interval < time.Millisecond {
		return fmt.Errorf("open monitor: sampling interval %v: it must be a second or more", m.o.Interval)
	}
	loc, err := time.LoadLocation(m.o.Site.Timezone)
	if err != nil {
		return fmt.Errorf("open monitor: load time zone: %w", err)
	}
	m.loc = loc
	for _, u := range m.o.Config.Units {
		for _, p := range u.Probes {
			m.units[p.ID] = u.ID
		}
	}
	for _, p := range m.o.Probes {
		m.probes[p.ID] = newProbeSeen(p, m.loc)
	}
	for _, c := range m.o.Contacts {
		m.contacts = append(m.contacts, &contactSeen{Contact: c})
	}
	m.seq = m.st.LastSeq()
	if m.cursors, err = m.st.Cursors(ctx); err != nil {
		return fmt.Errorf("open monitor: read cursors: %w", err)
	}
	if m.cursors == nil {
		m.cursors = map[string]uint64{}
	}
	judged, known := m.cursors[judgedCursor]
	m.clock = newClock(m.o.Wall, sensor.Instant(judged))
	if known {
		if _, err := m.rebuild(ctx, sensor.Instant(judged)); err != nil {
			return fmt.Errorf("open monitor: %w", err)
		}
		if err := m.recall(ctx); err != nil {
			return fmt.Errorf("open monitor: %w", err)
		}
	}
	if err := m.recallProbes(ctx); err != nil {
		return fmt.Errorf("open monitor: %w", err)
	}
	if err := m.recallContacts(ctx); err != nil {
		return fmt.Errorf("open monitor: %w", err)
	}
	if err := m.recallLate(ctx); err != nil {
		return fmt.Errorf("open monitor: %w", err)
	}
	if err := m.openDesk(ctx); err != nil {
		return fmt.Errorf("open monitor: %w", err)
	}
	m.turn()
	m.publish(m.look())
	return nil
}

// begin lets the config of the Options hold from t on: for a new record, and
// wherever it differs from what held.
func (m *Monitor) begin(t sensor.Instant, s *coldchain.Step) {
	if m.entered {
		return
	}
	m.entered = true
	m.add(s, coldchain.Event{Time: t, Kind: coldchain.Started, Record: m.st.RecordID(), Text: "coldkeep " + m.o.Version})
	cfg := m.o.Config
	if m.e != nil && m.held.Hash() == cfg.Hash() {
		return
	}
	changed := coldchain.Event{Time: t, Kind: coldchain.ConfigChanged, Start: t, Config: &cfg, Reason: "the config was changed"}
	if m.e == nil {
		changed.Reason = "the record begins"
		m.e, m.origin = coldchain.New(cfg, t), t
	} else if err := m.e.Reconfigure(t, cfg); err != nil {
		// The clock keeps every slot later than what is judged.
		m.log.Error("config cannot hold", "from", t.String(), "cause", err)
		return
	}
	m.held, m.dues = cfg, dues{}
	m.add(s, changed)
}

// add numbers an event and puts it into the step.
func (m *Monitor) add(s *coldchain.Step, e coldchain.Event) {
	e.V = coldchain.EventVersion
	m.number(&e)
	s.Events = append(s.Events, e)
}

func (m *Monitor) number(e *coldchain.Event) {
	m.mu.Lock()
	m.seq++
	e.Seq = m.seq
	m.mu.Unlock()
}

// Run sweeps at every slot and does what it is asked between, until ctx ends.
// Then it writes what is left, with a checkpoint. Errors of the store do not
// end it: the record goes on in memory, and an alarm tells of it.
func (m *Monitor) Run(ctx context.Context) error {
	defer close(m.ended)
	for first := true; ; first = false {
		slot := m.clock.nextSlot(m.o.Interval)
		if first {
			slot = m.clock.firstSlot(m.o.Interval)
		}
		timer := time.NewTimer(m.clock.until(slot))
		calls := time.NewTimer(m.deskWait())
		for waiting := true; waiting; {
			m.turn()
			select {
			case <-ctx.Done():
				timer.Stop()
				calls.Stop()
				return m.stop(context.WithoutCancel(ctx))
			case r := <-m.requests:
				if m.clock.now() >= slot { // what comes at the slot goes first
					m.Sweep(ctx, m.clock.slotNow(slot, m.o.Interval))
					slot = m.clock.nextSlot(m.o.Interval)
					timer.Reset(m.clock.until(slot))
				}
				m.serve(ctx, r)
				calls.Reset(m.deskWait())
			case <-calls.C:
				m.deskStep(ctx)
				calls.Reset(m.deskWait())
			case <-timer.C:
				waiting = false
			}
		}
		calls.Stop()
		m.Sweep(ctx, m.clock.slotNow(slot, m.o.Interval))
	}
}

// deskWait is how long the desk can wait at most to be asked again.
func (m *Monitor) deskWait() time.Duration {
	at := m.clock.now()
	now := timeOf(at)
	wait := m.desk.Next(now).Sub(now)
	if over := m.overdue(at); over != 0 {
		wait = min(wait, over.Sub(at))
	}
	return wait
}

// turn notes that the loop turns, by a clock that nobody sets.
func (m *Monitor) turn() { m.turned.Store(int64(time.Since(m.made))) }

// Alive says whether the loop turns: within three intervals, or a minute where
// that is longer.
func (m *Monitor) Alive() bool {
	d := time.Since(m.made) - time.Duration(m.turned.Load())
	return d < max(3*m.o.Interval, time.Minute)
}

// Good says whether all is as it should be: the loop turns, the newest sweep is
// young and recorded, and no way to tell people is out of order. status is a
// short line without anything confidential in it.
func (m *Monitor) Good() (status string, ok bool) {
	s := m.Snapshot()
	age := m.o.Wall().Sub(s.At.Time())
	status = fmt.Sprintf("%d units, %d alarms open, last sweep %v ago", len(s.Units), len(s.Alarms), age.Round(time.Second))
	switch {
	case !m.Alive():
		return "the loop does not turn; " + status, false
	case s.At == 0 || age > max(3*m.o.Interval, time.Minute):
		return "no sweep is made; " + status, false
	case s.Store.Failing:
		return "the record cannot be written; " + status, false
	}
	for _, a := range s.Alarms {
		if a.Rule == "undeliverable" {
			return "a channel takes no alarms; " + status, false
		}
	}
	return status, true
}

func (m *Monitor) stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	for {
		select {
		case r := <-m.requests:
			r.answer <- reply{err: &coldchain.Refusal{Code: "unavailable", Message: "coldkeep is stopping: try again when it runs"}}
			continue
		default:
		}
		break
	}
	if m.e == nil {
		return nil
	}
	m.closing = true
	t := m.instant()
	m.e.Tick(t)
	s := coldchain.Step{At: t}
	m.collect(&s)
	m.add(&s, coldchain.Event{Time: t, Kind: coldchain.Stopped, Text: "coldkeep " + m.o.Version})
	if err := m.commit(ctx, s); err != nil {
		return fmt.Errorf("stop monitor: %w", err)
	}
	return nil
}

// instant is the present one, later than everything that is judged.
func (m *Monitor) instant() sensor.Instant {
	t := m.clock.now()
	if m.e != nil {
		t = max(t, m.e.Now()+1)
	}
	return t
}

// Record is the id of the record.
func (m *Monitor) Record() string { return m.st.RecordID() }

// Snapshot tells how everything stands; never nil after Open. It is shared
// and must not be changed.
func (m *Monitor) Snapshot() *coldchain.Snapshot { return m.snapshot.Load() }

// Changed gives a channel that is closed when the next step has been taken.
// Take it before reading, so that nothing is missed between.
func (m *Monitor) Changed() <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.changed
}

// Cursor gives a follower's durable cursor: the last place of the record that
// it has done with. A follower seen for the first time starts at the end.
func (m *Monitor) Cursor(name string) uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	c, ok := m.cursors[name]
	if !ok {
		c = m.seq
		m.cursors[name], m.moved = c, true
	}
	return c
}

// SetCursor moves a follower's cursor. It rides in the next step's
// transaction: after a kill a follower repeats at most what that did not cover.
func (m *Monitor) SetCursor(name string, seq uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.cursors[name] != seq {
		m.cursors[name], m.moved = seq, true
	}
}

// Entries gives readings and events with a seq beyond after, in order, at
// most limit: from the store, and beyond it from the tail in memory.
func (m *Monitor) Entries(ctx context.Context, after uint64, limit int) ([]coldchain.Entry, error) {
	waiting := m.waiting(after, limit)
	if len(waiting) > 0 && waiting[0].Seq == after+1 {
		return waiting, nil
	}
	list, err := m.st.Entries(ctx, after, limit)
	if err != nil {
		return nil, fmt.Errorf("read entries after %d: %w", after, err)
	}
	return join(list, waiting, limit, func(e coldchain.Entry) uint64 { return e.Seq }), nil
}

// waiting gives what waited for the disk beyond after. It is taken before the
// store is read: what is recorded between the two is then in both, or comes
// with the next reading. Taken afterwards, a step that was recorded between
// would be in neither, and lost to whoever goes on behind the next one.
func (m *Monitor) waiting(after uint64, limit int) []coldchain.Entry {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.tail.entries(after, limit)
}

// join puts what waited behind what is recorded, each place once.
func join[T any](recorded, waiting []T, limit int, seq func(T) uint64) []T {
	if len(recorded) >= limit {
		return recorded
	}
	if len(waiting) > 0 {
		first := seq(waiting[0])
		recorded = slices.DeleteFunc(recorded, func(x T) bool { return seq(x) >= first })
	}
	recorded = append(recorded, waiting...)
	return recorded[:min(len(recorded), limit)]
}

// Events gives the journal beyond after, in order, at most limit.
func (m *Monitor) Events(ctx context.Context, after uint64, limit int) ([]coldchain.Event, error) {
	var waiting []coldchain.Event
	for _, e := range m.waiting(after, 1<<30) {
		if e.Event != nil {
			waiting = append(waiting, *e.Event)
		}
	}
	list, err := m.st.Events(ctx, after, limit)
	if err != nil && !m.Snapshot().Store.Failing {
		return nil, fmt.Errorf("read events after %d: %w", after, err)
	}
	return join(list, waiting, limit, func(e coldchain.Event) uint64 { return e.Seq }), nil
}

// Readings gives a probe's readings of [from, to) in order of time, at most
// limit. What waits in memory for the disk is not among them.
func (m *Monitor) Readings(ctx context.Context, probe string, from, to sensor.Instant, limit int) ([]sensor.Reading, error) {
	return m.st.Readings(ctx, probe, from, to, limit)
}

// cursorsNow gives the cursors to write with a step, and whether any is new.
func (m *Monitor) cursorsNow(judged sensor.Instant) map[string]uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := map[string]uint64{}
	if m.moved {
		maps.Copy(c, m.cursors)
		m.moved = false
	}
	m.cursors[judgedCursor] = uint64(judged)
	c[judgedCursor] = uint64(judged)
	return c
}
