package coldchain

import (
	"slices"

	"coldkeep/sensor"
)

// Where a batch is.
type whereabouts uint8

const (
	unplaced whereabouts = iota // received, its exposure has not begun
	stored
	outside
	ended
	unborn // part of a batch that will be split at an instant to come
)

// A batch is vials of one lot in judgement, along the one line of its life.
type batch struct {
	Life       Life // as received; Placements as they came
	Received   sensor.Instant
	Where      whereabouts
	Begun      sensor.Instant // exposure begins
	EndedAt    sensor.Instant
	Ending     Verdict // what a person has made of it, from the moment it is said
	EndVerdict Verdict // used, discarded, or "" where the recording just ends

	At            sensor.Instant // up to here the sums below are booked
	MonitoredMs   int64
	OutsideMs     int64
	AboveMs       int64
	BelowMs       int64
	OutsideAt     sensor.Instant // since when outside
	HasExtremes   bool
	Min, Max      sensor.Temp
	Monitored     bool // has been, once
	MonitoredFrom sensor.Instant

	Measures    []*measure // one for each limit asked, then the unmonitored time
	Rules       []*ruleState
	Sides       []side // high and low of each range that the label gives
	Reasons     []Reason
	Confirmed   bool // an excursion was, in its whole life
	ConfirmedAt sensor.Instant
	ReleasedAt  sensor.Instant
	HasRelease  bool
	Thaws       thaws
	Opened      sensor.Instant // since when it is in use; 0: it is not
	ExpiredAt   sensor.Instant // the first of Lapsed; 0: not yet
	Lapsed      [lapses]sensor.Instant
	UnmonAfter  sensor.Instant // the built-in unmonitored rule counts from here at the earliest
	Verdict     Verdict
	Since       sensor.Instant
	AlarmRaised bool
	AlarmAt     sensor.Instant
	AlarmUnit   string
	AlarmRank   Severity
	AlarmText   string
	JudgedBy    []JudgedBy // in order of From

	SplitAt   sensor.Instant // when it was split off Life.FromBatch; 0: it was received
	Touched   sensor.Instant // when something was done with its vials last
	Uses      []Use          // of its own vials
	Decisions []Signed
	Proposal  *Proposal // waits for a second signature

	Kinetic     kineticSum // of the closed stays
	KineticLast float64
	Stays       []stay // that reach into the longest window

	profile  *Profile
	unit     *unit
	lines    []*line // of unit, beside Measures
	thawLine *line   // of unit; nil where no cycles are counted
	kinetic  bool    // some rule asks for the mean kinetic temperature
	dark     *measure
	next     sensor.Instant
	over     int  // so many of JudgedBy are over for good
	shown    bool // a snapshot shares JudgedBy
	seat     int  // in the evaluator's order
}

// A stay is a stretch of life at one place: a unit's course, or outside.
type stay struct {
	Unit string // "" outside
	From sensor.Instant
	To   sensor.Instant // never while it lasts
	Base kineticSum     // the course's running sum at From
	Sum  kineticSum     // of the whole, once it is over
	// Before is the sum of all stays before, so that a window costs one search
	// however often the batch was moved in it.
	Before kineticSum

	course *course
	weight float64 // outside: of Outside.As
}

// A side is one end of the profile's range.
type side struct {
	Confirmed bool  // this stretch
	InUnitMs  int64 // of this stretch, without time outside, up to At
	InUnitAt  sensor.Instant
	InUnit    bool // counts now
	CertainMs int64
	Certain   bool
	Graced    bool // this time outside has been confirmed

	m         *measure
	of        stageRange
	allowance bool
	text      string
}

type ruleState struct {
	Broken    bool           // since the last release of it
	BrokenIn  sensor.Instant // start of the stretch in which it broke
	HasBroken bool
	Spent     bool // released: a sum over the whole life is not told twice
	Answered  int  // cycles that a release has answered

	// Anew says that a signer has allowed some of a sum anew: Limit is how much,
	// Used what had been used by then, at From. In ms, or in cycles.
	Anew        bool
	Limit       int64
	Used        int64
	UsedCertain int64
	From        sensor.Instant

	rule   Rule
	m      *measure
	before Spent // of Life.Before
}

// newBatch makes the judgement of a batch under a profile.
func newBatch(l Life, p *Profile, received sensor.Instant) *batch {
	b := &batch{Life: l, Received: received, profile: p, Verdict: Unknown, Since: received, next: never}
	b.wire()
	b.next = b.expiryDeadline()
	return b
}

// wire joins rules to measures. The order depends on the profile and on what
// was spent before the record alone.
func (b *batch) wire() {
	var ms []*measure
	find := func(l Limit, in stages, of string) *measure {
		for _, m := range ms {
			if m.Limit == l && m.in == in && m.of == of {
				return m
			}
		}
		m := &measure{}
		if len(b.Measures) > len(ms) {
			m = b.Measures[len(ms)]
		}
		m.Limit, m.in, m.of = l, in, of
		ms = append(ms, m)
		return m
	}
	p := b.profile
	b.wireSides(find)
	rules := b.Rules
	b.Rules, b.kinetic = nil, false
	darkLimit := Limit{Side: darkSide}
	b.dark = find(darkLimit, inAll, "")
	for i, r := range p.Rules {
		s := &ruleState{}
		if i < len(rules) {
			s = rules[i]
		}
		s.rule, s.before = r, b.Life.spent(r.ID)
		of := ""
		if s.before.S > 0 {
			of = r.ID // it has time that no other rule has
		}
		switch {
		case r.MKT:
			b.kinetic = true
			b.dark.Window = max(b.dark.Window, millis(r.Within))
		case r.FreezeThaw:
		case r.Unmonitored:
			s.m = find(darkLimit, inAll, of)
		default:
			s.m = find(r.Limit, r.Stage.set(), of)
		}
		if s.m != nil {
			s.m.Window = max(s.m.Window, millis(r.Within))
		}
		b.Rules = append(b.Rules, s)
	}
	b.Measures = ms
}

func (b *batch) id() string { return b.Life.ID }

// enter puts the batch into a unit at t, after the unit's readings of t.
func (b *batch) enter(e *Evaluator, u *unit, t sensor.Instant) {
	b.endOutside(e, t)
	if b.Where == unplaced {
		b.Begun, b.At, b.Since = t, t, t
		for _, m := range b.Measures {
			m.At = t
		}
		b.seed(t)
	}
	u.handExtremes()
	u.tally.begin(t)
	b.Where, b.unit = stored, u
	b.begins(t)
	b.lends(t)
	i, _ := slices.BinarySearchFunc(u.batches, b, func(x, y *batch) int { return x.order() - y.order() })
	u.batches = slices.Insert(u.batches, i, b)
	b.askUnit()
	for _, p := range u.places[:u.judging] {
		if p.Stands {
			b.widen(p.Last, p.Last)
		}
	}
	if b.kinetic {
		c := u.courseFor(b.profile, t)
		b.Stays = append(b.Stays, stay{Unit: u.cfg.ID, From: t, To: never, Base: c.upTo(t), Before: b.Kinetic, course: c})
	}
	b.turn(e, t)
	if b.Begun == t {
		b.fireSpent(e, t)
	}
}

// askUnit asks the unit that it is in about all that it is judged by.
func (b *batch) askUnit() {
	b.lines = b.lines[:0]
	for _, m := range b.Measures {
		if m.dark() {
			b.lines = append(b.lines, nil)
			continue
		}
		b.lines = append(b.lines, b.unit.ask(m.Limit))
	}
	if b.profile.Thaw.Counts() {
		b.thawLine = b.unit.askOf(b.profile.thawLimit())
	}
}

func (b *batch) order() int { return b.seat }

// leave takes the batch out of its unit at t, before the unit's readings of t.
// Where it goes, the end of the instant tells.
func (b *batch) leave(e *Evaluator, t sensor.Instant) {
	b.judgeKinetic(e, t)
	b.book(t)
	b.detach(t)
	b.Where = outside
	b.OutsideAt = t
}

// detach unties the batch from its unit.
func (b *batch) detach(t sensor.Instant) {
	u := b.unit
	if u == nil {
		return
	}
	u.handExtremes()
	for i, x := range b.lines {
		if x != nil {
			u.drop(b.lines[i])
		}
	}
	b.lines = b.lines[:0]
	if b.thawLine != nil {
		u.drop(b.thawLine)
		b.thawLine = nil
	}
	if i := slices.Index(u.batches, b); i >= 0 {
		u.batches = slices.Delete(u.batches, i, i+1)
	}
	b.closeStay(t)
	b.ends(t)
	b.unit = nil
}

// goOut begins time outside at t: nothing took the batch up at that instant.
func (b *batch) goOut(e *Evaluator, t sensor.Instant) {
	for i := range b.Sides {
		b.Sides[i].Graced = false
	}
	if b.kinetic {
		b.Stays = append(b.Stays, stay{From: t, To: never, Before: b.Kinetic, weight: kineticWeight(b.profile.Outside.As.Celsius(), b.profile.DeltaH)})
	}
	b.turn(e, t)
}

// endOutside ends time outside at t.
func (b *batch) endOutside(e *Evaluator, t sensor.Instant) {
	if b.Where != outside || b.OutsideAt == t {
		return
	}
	b.judgeKinetic(e, t)
	b.book(t)
	b.closeStay(t)
}

// finish ends the life at t.
func (b *batch) finish(e *Evaluator, t sensor.Instant, v Verdict) {
	if b.Where == ended {
		return
	}
	if b.Where != unplaced {
		b.judgeKinetic(e, t)
		b.book(t)
		if b.unit != nil {
			b.detach(t)
		} else {
			b.closeStay(t)
		}
		for _, m := range b.Measures {
			m.fold(t)
		}
	}
	b.Where, b.EndedAt, b.EndVerdict, b.next = ended, t, v, never
	if v != "" {
		b.Verdict, b.Since = v, t
		b.quiet(e, t, string(v))
	}
	e.stale = true
}

func (b *batch) widen(lo, hi sensor.Temp) {
	if !b.HasExtremes {
		b.HasExtremes, b.Min, b.Max = true, lo, hi
	}
	b.Min, b.Max = min(b.Min, lo), max(b.Max, hi)
}

// book adds the time up to t to the exposure as the batch was until now.
func (b *batch) book(t sensor.Instant) {
	d := int64(t - b.At)
	b.At = t
	if d <= 0 {
		return
	}
	switch b.Where {
	case outside:
		b.OutsideMs += d
	case stored:
		if !b.dark.Open {
			b.MonitoredMs += d
		}
		if _, certain := b.beyond(Above); certain {
			b.AboveMs += d
		}
		if _, certain := b.beyond(Below); certain {
			b.BelowMs += d
		}
	}
}

// turn follows what the unit's probes, or the air outside, say from t on.
func (b *batch) turn(e *Evaluator, t sensor.Instant) {
	if b.Where != stored && b.Where != outside {
		return
	}
	b.book(t)
	stage := b.stage().set()
	for i, m := range b.Measures {
		if m.dark() {
			continue
		}
		open, certain := false, false
		if m.in&stage != 0 {
			open, certain = b.stand(i, m)
		}
		m.set(t, open, certain)
	}
	dark := false
	if b.Where == stored {
		dark = b.unit.Unmonitored || !b.unit.Entered || b.doubtful()
		if !dark && !b.Monitored {
			b.Monitored, b.MonitoredFrom = true, t
		}
	}
	for _, m := range b.Measures {
		if m.dark() {
			m.set(t, dark, dark)
		}
	}
	b.turnThaw(t)
	for i := range b.Sides {
		b.Sides[i].turn(b, t)
	}
	b.fire(e, t)
}

func (m *measure) doubtful() bool { return m.Open && !m.Certain }

// stand tells how the batch stands to the limit of measure i. A stretch that
// it brought along is ended only by what stands where it is now.
func (b *batch) stand(i int, m *measure) (open, certain bool) {
	if b.Where == outside {
		x := m.Limit.Beyond(b.profile.Outside.As)
		return x, x
	}
	x := b.lines[i]
	if x.open {
		return true, x.beyond
	}
	if m.Open && !b.unit.standing(false) {
		return true, false
	}
	return false, false
}

// turn keeps the count towards the confirmation of an excursion.
func (s *side) turn(b *batch, t sensor.Instant) {
	if s.InUnit {
		d := int64(t - s.InUnitAt)
		s.InUnitMs += d
		if s.Certain {
			s.CertainMs += d
		}
	}
	if s.m.Open && s.m.Start == t {
		s.InUnitMs, s.CertainMs, s.Confirmed = 0, 0, false
	}
	s.InUnit = s.m.Open && b.Where == stored
	s.Certain, s.InUnitAt = s.m.Certain, t
	if !s.m.Open {
		s.InUnitMs, s.CertainMs, s.Confirmed = 0, 0, false
	}
}
