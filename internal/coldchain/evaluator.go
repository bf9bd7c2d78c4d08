// Package coldchain is the domain: what the record says of a storage unit and
// of a batch. It is pure: no clock, no files, no network. Readings bring
// their time, Tick brings silence, and the same inputs give the same findings
// to the millisecond, live, in replay and after a restart.
//
// The Evaluator takes inputs in order of time. All readings of one instant
// are taken together, so that their order does not matter. What comes for an
// instant that is closed already is late: the caller judges anew from the
// record. README.md in this folder tells how the record is judged.
package coldchain

import (
	"cmp"
	"fmt"
	"slices"

	"coldkeep/sensor"
)

// An Outcome tells what became of a reading.
type Outcome uint8

const (
	Taken    Outcome = iota
	Late             // its instant is closed: it belongs into the record, and the record must be judged anew
	Conflict         // another temperature of this probe stands at this instant
	Beaten           // a fault where a temperature is known
)

// An Evaluator judges a record in order of time. It is used by one goroutine.
type Evaluator struct {
	units    []*unit
	unitOf   map[string]*unit
	places   map[string]*place
	profiles map[string]*Profile
	batches  []*batch
	batchOf  map[string]*batch

	now    sensor.Instant // the instant in work, or the last one closed
	closed bool
	dirty  []*unit
	plans  []plan // by time, phase, and order of arrival
	limbo  []*batch
	// Lots that were recalled, in order of time: one that is received later is, too.
	recalls []recall
	outdone map[*Profile]bool // profiles of batches that the config has a newer revision of; nil: not looked for
	next    sensor.Instant
	stale   bool // next must be found anew
	last    *place

	events []Event
	silent bool // tell nothing: nobody listens

	backups []backup // loggers that fill what a unit's probes did not see

	idle []error // releases that answered nothing; only a recording can have them

	keep       bool // keep findings for Result
	excursions []Excursion
	alarms     []Alarm
	gaps       []Gap
	ofProbes   []Alarm
	counts     struct{ good, faults, conflicts int }
}

// A plan is something that will happen at an instant. Phase puts what
// happens at one instant in order: ends, beginnings, other commands.
type plan struct {
	At    sensor.Instant
	Phase phase
	Batch string
	Unit  string
	End   Verdict

	// Of a release: the reasons it answers (nil: all that hold then), what it
	// allows anew, and the end of the last day it allows.
	Rules   []string
	Allow   []Spent
	UseByAt sensor.Instant
	UseBy   string

	Deed *Event // of phaseDeed: what was done
}

type phase uint8

const (
	phaseEnd   phase = iota // of a placement
	phaseOver               // of a life that just ends
	phaseBegin              // of a placement
	phaseOpen
	phaseDeed    // what else people do with a batch
	phaseRelease // and other decisions
	phaseFinish
)

// New makes an evaluator whose units enter the config at since.
func New(cfg Config, since sensor.Instant) *Evaluator {
	e := &Evaluator{
		unitOf: map[string]*unit{}, places: map[string]*place{}, profiles: map[string]*Profile{},
		batchOf: map[string]*batch{}, now: since - 1, closed: true, stale: true,
	}
	for i := range cfg.Profiles {
		p := cfg.Profiles[i]
		e.profiles[p.ID] = &p
	}
	for _, u := range cfg.Units {
		e.addUnit(u, since)
	}
	return e
}

// NewFrom is New for a record that something is known before: from is where
// judging begins.
func NewFrom(cfg Config, since, from sensor.Instant) *Evaluator {
	e := New(cfg, since)
	e.now = min(e.now, from-1)
	return e
}

func (e *Evaluator) addUnit(c Unit, since sensor.Instant) *unit {
	return e.enlist(c.WithDefaults(), since)
}

// enlist takes a unit with the alarms that it names, and no others.
func (e *Evaluator) enlist(c Unit, since sensor.Instant) *unit {
	u := &unit{cfg: c, order: len(e.units), since: since, expiry: since, next: since, changed: true}
	for _, judging := range []bool{true, false} {
		for _, p := range c.Probes {
			if p.Judges != judging {
				continue
			}
			x := &place{ID: p.ID, Instrument: p.Instrument, Judges: p.Judges, Entered: since, unit: u, buffered: p.Medium == sensor.Buffered, lo: sensor.AbsoluteZero, hi: sensor.Hottest}
			u.places = append(u.places, x)
			e.places[p.ID] = x
			if judging {
				u.judging++
			}
		}
	}
	u.high = &excursion{kind: "high", line: u.ask(Limit{Side: Above, At: c.Range.High})}
	u.low = &excursion{kind: "low", line: u.ask(Limit{Side: Below, At: c.Range.Low})}
	for _, r := range c.Alarms {
		a := &alarm{rule: r}
		if r.NoData == 0 {
			a.line = u.ask(r.Limit)
			a.Measure = measure{Limit: r.Limit, At: since, Window: millis(r.Within)}
		}
		u.alarms = append(u.alarms, a)
	}
	u.watch.Alive = true
	u.pairUp(c.Probes)
	e.units = append(e.units, u)
	e.unitOf[c.ID] = u
	return u
}

// Now is the last instant that is closed.
func (e *Evaluator) Now() sensor.Instant {
	if e.closed {
		return e.now
	}
	return e.now - 1
}

// Observe takes a reading. Readings of probes that no unit has are counted
// and told nowhere.
func (e *Evaluator) Observe(r sensor.Reading) Outcome {
	if r.Time <= e.now && (e.closed || r.Time < e.now) {
		return Late
	}
	if r.Time > e.now {
		e.advance(r.Time)
	}
	p := e.last
	if p == nil || p.ID != r.Probe {
		if p = e.places[r.Probe]; p == nil {
			p = &place{ID: r.Probe}
			e.places[r.Probe] = p
		}
		e.last = p
	}
	again := p.HasSeen && p.Seen == r.Time
	if !r.Good() {
		e.counts.faults++
		if again && p.SeenGood {
			return Beaten
		}
		if !again {
			p.Seen, p.SeenGood, p.HasSeen = r.Time, false, true
		}
		if u := p.unit; u != nil && r.Check {
			p.Checked = r.Time // a person has it: it is not lost, whatever it reads
			if p.Lost {
				u.changed = true
				e.soil(u)
			}
		}
		e.probeState(p, &r)
		return Taken
	}
	if again && p.SeenGood {
		e.counts.conflicts++
		return Conflict
	}
	e.counts.good++
	p.Seen, p.SeenGood, p.HasSeen = r.Time, true, true
	if p.Failing != "" {
		e.probeState(p, &r)
	}
	if u := p.unit; u != nil {
		u.take(p, &r)
		e.soil(u)
	}
	return Taken
}

// soil lets the unit be settled at the end of this instant.
func (e *Evaluator) soil(u *unit) {
	if !u.dirty {
		u.dirty = true
		e.dirty = append(e.dirty, u)
	}
}

// probeState tells when a probe fails and when it is back.
func (e *Evaluator) probeState(p *place, r *sensor.Reading) {
	if p.Failing == r.Fault {
		return
	}
	id := ""
	if p.unit != nil {
		id = p.unit.cfg.ID
	}
	was := p.Failing
	p.Failing = r.Fault
	switch {
	case r.Good():
		t := r.Temp
		e.tell(Event{Time: r.Time, Kind: ProbeRecovered, Unit: id, Probe: p.ID, Fault: was, Temp: &t})
	case was == "":
		e.tell(Event{Time: r.Time, Kind: ProbeFailed, Unit: id, Probe: p.ID, Fault: r.Fault, Reason: r.Fault.Sentence()})
	}
}

// Tick closes t and everything before: every reading up to t has come.
func (e *Evaluator) Tick(t sensor.Instant) {
	if t < e.now || t == e.now && e.closed {
		return
	}
	if t > e.now {
		e.advance(t)
	}
	e.close()
}

// advance closes everything before t and opens t.
func (e *Evaluator) advance(t sensor.Instant) {
	if !e.closed {
		e.close()
	}
	for {
		d := e.deadline()
		if d >= t {
			break
		}
		e.open(d)
		e.close()
	}
	e.open(t)
}

// deadline is the next instant at which something happens by itself. It may
// be too early, never too late.
func (e *Evaluator) deadline() sensor.Instant {
	if e.stale {
		e.stale = false
		e.next = never
		for _, u := range e.units {
			e.next = min(e.next, u.next)
		}
		for _, b := range e.batches {
			e.next = min(e.next, b.next)
		}
		if len(e.plans) > 0 {
			e.next = min(e.next, e.plans[0].At)
		}
	}
	return e.next
}

// open begins an instant: deadlines, then ends of placements.
func (e *Evaluator) open(t sensor.Instant) {
	due := e.deadline() <= t
	e.now, e.closed = t, false
	if !due {
		return
	}
	e.stale = true
	for _, u := range e.units {
		if u.next > t {
			continue
		}
		if u.since <= t {
			u.fire(e, t)
		}
		if u.expiry <= t && !u.dirty {
			u.dirty = true
			e.dirty = append(e.dirty, u)
		}
	}
	for _, b := range e.batches {
		if b.next <= t {
			b.fire(e, t)
		}
	}
	for len(e.plans) > 0 && e.plans[0].At <= t && e.plans[0].Phase <= phaseOver {
		p := e.pop()
		b := e.batchOf[p.Batch]
		switch {
		case p.Phase == phaseEnd && b.Where == stored:
			b.leave(e, t)
			e.limbo = append(e.limbo, b)
		case p.Phase == phaseOver:
			b.finish(e, t, "")
		}
	}
}

// close ends the instant: readings, beginnings of placements, the rest.
func (e *Evaluator) close() {
	t := e.now
	if len(e.dirty) > 1 {
		slices.SortFunc(e.dirty, func(a, b *unit) int { return cmp.Compare(a.order, b.order) })
	}
	for _, u := range e.dirty {
		u.settle(e, t)
		u.dirty = false
	}
	e.dirty = e.dirty[:0]
	for len(e.plans) > 0 && e.plans[0].At <= t {
		p := e.pop()
		b := e.batchOf[p.Batch]
		switch p.Phase {
		case phaseBegin:
			if u := e.unitOf[p.Unit]; u == nil {
				break // it left the config before the batch came: the batch stays outside
			}
			b.enter(e, e.unitOf[p.Unit], t)
		case phaseDeed:
			e.befall(b, *p.Deed, t)
		case phaseOpen:
			if b.Where != ended {
				b.open(e, t)
			}
		case phaseRelease:
			rules, err := b.answered(p.Rules)
			switch {
			case err == nil:
			case e.keep:
				e.idle = append(e.idle, fmt.Errorf("release at %s: %w", t, err))
				continue
			default:
				// Signed when more was known to be broken: it answers what is left of it.
				rules = p.Rules
			}
			b.Proposal = nil
			b.release(e, t, Disposition{At: t, Rules: rules, Allow: p.Allow, UseByAt: p.UseByAt, UseBy: p.UseBy})
		case phaseFinish:
			b.finish(e, t, p.End)
		}
		e.stale = true
	}
	for _, b := range e.limbo {
		if b.Where == outside && b.OutsideAt == t {
			b.goOut(e, t)
		}
	}
	e.limbo = e.limbo[:0]
	if n := len(e.units); n > 0 && (e.units[n-1].gone || e.units[n-1].logger) {
		e.dismiss(t)
	}
	e.closed = true
}

func (e *Evaluator) pop() plan {
	p := e.plans[0]
	e.plans = e.plans[1:]
	e.stale = true
	return p
}

// plan puts something into its place in time.
func (e *Evaluator) plan(p plan) {
	e.stale = true
	order := func(x, y plan) int { return cmp.Or(cmp.Compare(x.At, y.At), cmp.Compare(x.Phase, y.Phase)) }
	if n := len(e.plans); n == 0 || order(e.plans[n-1], p) <= 0 { // most come in order
		e.plans = append(e.plans, p)
		return
	}
	i, _ := slices.BinarySearchFunc(e.plans, p, func(x, y plan) int {
		if c := order(x, y); c != 0 {
			return c
		}
		return -1 // behind its equals
	})
	e.plans = slices.Insert(e.plans, i, p)
}

func (e *Evaluator) tell(ev Event) {
	if e.silent {
		return
	}
	ev.V = EventVersion
	e.events = append(e.events, ev)
}

// Quiet lets the evaluator find without telling: while the record is judged
// again, all was told before.
func (e *Evaluator) Quiet(quiet bool) { e.silent = quiet }

// Take hands over the events found since the last time.
func (e *Evaluator) Take() []Event {
	ev := e.events
	e.events = nil
	return ev
}

func (e *Evaluator) raise(a Alarm, worst *sensor.Temp) {
	e.tell(Event{Time: a.Raised, Kind: AlarmRaised, Unit: a.Unit, Probe: a.probe(), Probes: a.Probes, Batch: a.Batch, Rule: a.Rule, Severity: a.Severity, Start: a.Raised,
		Text: a.Text, Temp: worst, Reason: a.Text})
}

func (e *Evaluator) clear(a Alarm, worst *sensor.Temp, reason ...string) {
	switch {
	case !e.keep || a.Batch != "":
	case len(a.Probes) > 0:
		e.ofProbes = append(e.ofProbes, a)
	default:
		e.alarms = append(e.alarms, a)
	}
	ev := Event{Time: *a.Cleared, Kind: AlarmCleared, Unit: a.Unit, Probe: a.probe(), Probes: a.Probes, Batch: a.Batch, Rule: a.Rule, Severity: a.Severity, Start: a.Raised, End: a.Cleared, Text: a.Text, Temp: worst}
	if len(reason) > 0 {
		ev.Reason = reason[0]
	} else {
		ev.Reason = "it is over"
	}
	e.tell(ev)
}

// probe is the first that the alarm is about; "" where it is about none.
func (a Alarm) probe() string {
	if len(a.Probes) == 0 {
		return ""
	}
	return a.Probes[0]
}

func (e *Evaluator) foundExcursion(x Excursion) {
	if e.keep {
		e.excursions = append(e.excursions, x)
	}
}

func (e *Evaluator) endGap(u *unit, start, end sensor.Instant) {
	d := seconds(int64(end - start))
	if e.keep && end > start {
		e.gaps = append(e.gaps, Gap{Unit: u.cfg.ID, Start: start, End: &end, DurationS: d})
	}
	e.tell(Event{Time: end, Kind: GapEnded, Unit: u.cfg.ID, Start: start, End: &end, DurationS: &d})
}
