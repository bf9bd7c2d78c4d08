package coldchain

import (
	"slices"

	"coldkeep/sensor"
)

// A place is where a probe is, and what it has said. Its last good
// temperature outlives its standing: a stretch ends only when each probe has
// been seen inside again.
type place struct {
	ID         string
	Instrument string
	Judges     bool
	Has        bool // a good reading is known
	Stands     bool
	Last       sensor.Temp    // the last good one
	At         sensor.Instant // its time
	Until      sensor.Instant // how long it stands at most
	Seen       sensor.Instant // newest reading, good or not
	SeenGood   bool           // and it was good
	HasSeen    bool
	Failing    sensor.Fault   // of the newest reading
	Entered    sensor.Instant // when the instrument came
	Checked    sensor.Instant // newest reading under check, good or not
	Lost       bool           // silent while another of the unit's still reads
	Lent       bool           // the last temperature is a backup logger's, which stands in for it
	OwnHas     bool           // lent: it had said something itself before
	OwnAt      sensor.Instant // lent: and when

	buffered bool
	unit     *unit
	lo, hi   sensor.Temp // between these nothing of what is asked changes
}

// A lineKey is what a unit can be asked about: a limit, of all its judging
// probes, or of the buffered ones among them alone.
type lineKey struct {
	Limit
	Buffered bool
}

// A line is a limit that somebody asks a unit about, and how it stands there.
type line struct {
	lineKey
	open   bool // some probe's last good reading is beyond
	beyond bool // some standing reading is beyond
	asked  int  // by how many
}

// A unit is a storage unit in judgement.
type unit struct {
	cfg    Unit
	order  int
	since  sensor.Instant // when it entered the config
	gone   bool           // left the config while batches need it
	logger bool           // a logger that travelled with batches: it is in no config

	places  []*place // all probes, judging ones first
	judging int      // how many judge
	lines   []*line
	unasked []*line // for the next who asks
	high    *excursion
	low     *excursion
	alarms  []*alarm
	batches []*batch // those in it
	watch   watch
	courses []*course
	tally   tally
	spares  []*spare // backup loggers, by id
	lender  string   // the one that stands in now; "" none

	Stable   sensor.Instant // in its range and monitored since; 0: it is not
	trail    trail
	rise     rise
	habits   [2]habit // above, below
	ahead    *outlook // as of lookedAt, where looked
	looked   bool
	lookedAt sensor.Instant

	Entered     bool // its first instant has come
	Unmonitored bool
	UnmonAt     sensor.Instant // since when it is as it is
	OutMs       int64          // out of range, up to the last change
	UnmonMs     int64          // unmonitored, up to UnmonAt
	HasGood     bool
	LastGood    sensor.Instant // of any judging probe

	// Extremes of what has stood since the last time they were handed to the batches.
	exSet        bool
	exMin, exMax sensor.Temp

	silent  bool           // a no_data alarm is raised
	changed bool           // something beyond the ordinary came at this instant
	dirty   bool           // is in the evaluator's list
	expiry  sensor.Instant // no standing reading ends before
	next    sensor.Instant // no deadline before
}

// An excursion follows one end of the unit's range.
type excursion struct {
	Open        bool
	Start       sensor.Instant
	UnmonMs     int64 // unmonitored ms up to the unit's UnmonAt
	HasExtremes bool
	Min, Max    sensor.Temp

	kind string // high, low
	line *line
}

// ask gives the unit's line for a limit.
func (u *unit) ask(l Limit) *line { return u.askOf(lineKey{Limit: l}) }

func (u *unit) askOf(l lineKey) *line {
	for _, x := range u.lines {
		if x.lineKey == l {
			x.asked++
			return x
		}
	}
	var x *line
	if n := len(u.unasked); n > 0 {
		x, u.unasked = u.unasked[n-1], u.unasked[:n-1]
	} else {
		x = &line{}
	}
	*x = line{lineKey: l, asked: 1}
	u.lines = append(u.lines, x)
	x.open, x.beyond = u.stand(l)
	u.bound()
	return x
}

// drop takes a question back.
func (u *unit) drop(x *line) {
	if x.asked--; x.asked > 0 {
		return
	}
	for i, y := range u.lines {
		if y == x {
			u.lines = append(u.lines[:i], u.lines[i+1:]...)
			u.unasked = append(u.unasked, x)
			break
		}
	}
	u.bound()
}

// stand tells how the judging probes stand to a limit.
func (u *unit) stand(l lineKey) (open, beyond bool) {
	for _, p := range u.places[:u.judging] {
		if p.Has && (p.buffered || !l.Buffered) && l.Beyond(p.Last) {
			open = true
			beyond = beyond || p.Stands
		}
	}
	return open, beyond
}

// bound finds for each judging probe the band around its last temperature in
// which every answer stays the same: most readings end here.
func (u *unit) bound() {
	for _, p := range u.places[:u.judging] {
		p.lo, p.hi = sensor.AbsoluteZero, sensor.Hottest
		for _, x := range u.lines {
			p.cut(x.Limit)
		}
		for _, a := range u.alarms {
			if a.Raised && a.rule.Clear != nil {
				p.cut(a.clearLimit())
			}
		}
	}
}

// cut narrows the band at a limit.
func (p *place) cut(l Limit) {
	// last is the warmest temperature below which all are on the cold side.
	last := l.At
	if (l.Side == Above) == l.Inclusive {
		last--
	}
	if p.Last <= last {
		p.hi = min(p.hi, last)
	} else {
		p.lo = max(p.lo, last+1)
	}
}

// take applies a reading that is new for its instant.
func (u *unit) take(p *place, r *sensor.Reading) {
	if r.Check {
		p.Checked = r.Time
		u.changed = u.changed || p.Lost
		if p.reads() {
			p.Until = r.Time
			u.changed = true
			u.expiry = min(u.expiry, r.Time)
		}
		return
	}
	if !p.Judges {
		p.Last, p.At, p.Has = r.Temp, r.Time, true
		return
	}
	if !p.Stands || p.Lent || u.silent || p.Lost || r.Temp < p.lo || r.Temp > p.hi {
		u.changed = true
	}
	p.Has, p.Stands, p.Lent = true, true, false
	p.Last, p.At = r.Temp, r.Time
	p.Until = r.Time.Add(u.cfg.MaxGap)
	u.HasGood, u.LastGood = true, r.Time
}

// settle draws the conclusions of an instant: after its readings, before
// placements begin.
func (u *unit) settle(e *Evaluator, t sensor.Instant) {
	good := false
	for _, p := range u.places[:u.judging] {
		if p.At != t || !p.Has || !p.Stands || p.Until <= t {
			continue
		}
		good = true
		if !u.exSet {
			u.exSet, u.exMin, u.exMax = true, p.Last, p.Last
		}
		u.exMin, u.exMax = min(u.exMin, p.Last), max(u.exMax, p.Last)
	}
	stopped := false
	if u.changed || u.expiry <= t {
		stopped = u.turn(e, t)
	}
	if len(u.watch.Pairs) > 0 && u.compare(t) {
		u.reckon()
		e.stale = true
	}
	if good {
		u.high.extremes(u, t)
		u.low.extremes(u, t)
		u.notice(t)
	}
	if len(u.courses) > 0 && (good || stopped) {
		u.noteCourse(t)
		for _, b := range u.batches {
			b.judgeKinetic(e, t)
		}
	}
	u.changed = false
}

func (u *unit) noteCourse(t sensor.Instant) {
	stands, highest := false, sensor.Temp(0)
	for _, p := range u.places[:u.judging] {
		if p.Stands && (!stands || p.Last > highest) {
			stands, highest = true, p.Last
		}
	}
	for _, c := range u.courses {
		c.note(t, stands, highest)
	}
}

// turn looks at everything anew. It tells whether a reading stopped standing,
// or began to stand for another.
func (u *unit) turn(e *Evaluator, t sensor.Instant) (stopped bool) {
	u.expiry = never
	standing := false
	for _, p := range u.places[:u.judging] {
		if p.Stands && p.Until <= t {
			p.Stands, stopped = false, true
		}
	}
	lent := u.lend(t)
	stopped = stopped || len(lent) > 0
	for _, p := range u.places[:u.judging] {
		if p.Stands {
			standing = true
			u.expiry = min(u.expiry, p.Until)
		}
	}
	for _, x := range u.lines {
		x.open, x.beyond = u.stand(x.lineKey)
	}
	u.bound()
	u.high.turn(e, u, t)
	u.low.turn(e, u, t)
	for _, p := range lent {
		u.high.admit(p)
		u.low.admit(p)
	}
	u.monitor(e, t, !standing || u.high.doubtful() || u.low.doubtful())
	switch fine := !u.Unmonitored && !u.high.Open && !u.low.Open; {
	case !fine:
		u.Stable = 0
	case u.Stable == 0:
		u.Stable = t
	}
	for _, a := range u.alarms {
		a.turn(e, u, t)
	}
	u.look(e, t)
	for _, b := range u.batches {
		b.turn(e, t)
	}
	u.reckon()
	e.stale = true
	return stopped
}

// buffered says whether any judging probe is.
func (u *unit) buffered() bool {
	return slices.ContainsFunc(u.places[:u.judging], func(p *place) bool { return p.buffered })
}

// standing says whether any judging probe's reading stands, or any of the
// buffered ones among them.
func (u *unit) standing(buffered bool) bool {
	for _, p := range u.places[:u.judging] {
		if p.Stands && (p.buffered || !buffered) {
			return true
		}
	}
	return false
}

// monitor says whether the unit is unmonitored from t on.
func (u *unit) monitor(e *Evaluator, t sensor.Instant, unmonitored bool) {
	u.Entered = true
	if unmonitored == u.Unmonitored {
		return
	}
	u.book(t)
	start := u.UnmonAt
	u.Unmonitored, u.UnmonAt = unmonitored, t
	if unmonitored {
		e.tell(Event{Time: t, Kind: GapStarted, Unit: u.cfg.ID, Start: t})
		return
	}
	e.endGap(u, start, t)
}

// book adds the time up to t to the sums that unmonitored time goes into.
func (u *unit) book(t sensor.Instant) {
	if u.Unmonitored {
		d := int64(t - u.UnmonAt)
		u.UnmonMs += d
		for _, x := range []*excursion{u.high, u.low} {
			if x.Open {
				x.UnmonMs += int64(t - max(u.UnmonAt, x.Start))
			}
		}
	}
}

func (x *excursion) doubtful() bool { return x.line.open && !x.line.beyond }

// turn begins or ends the excursion. It comes before the unit's monitor, and
// so books its unmonitored time itself where it ends.
func (x *excursion) turn(e *Evaluator, u *unit, t sensor.Instant) {
	switch {
	case x.line.open && !x.Open:
		*x = excursion{Open: true, Start: t, kind: x.kind, line: x.line}
		for _, p := range u.places[:u.judging] {
			if p.Has && x.line.Beyond(p.Last) {
				x.widen(p.Last)
			}
		}
		ev := Event{Time: t, Kind: ExcursionStarted, Unit: u.cfg.ID, Side: x.kind, Start: t}
		if x.HasExtremes {
			worst := x.Max
			if x.kind == "low" {
				worst = x.Min
			}
			ev.Temp = &worst
		}
		e.tell(ev)
	case !x.line.open && x.Open:
		x.end(e, u, t, "")
	}
}

func (x *excursion) end(e *Evaluator, u *unit, t sensor.Instant, reason string) {
	if u.Unmonitored {
		x.UnmonMs += int64(t - max(u.UnmonAt, x.Start))
	}
	u.OutMs += int64(t - x.Start)
	x.Open = false
	u.learn(x.kind)
	r := x.result(u, t)
	r.End = &t
	e.foundExcursion(r)
	e.tell(Event{Time: t, Kind: ExcursionEnded, Unit: u.cfg.ID, Side: x.kind, Start: r.Start, End: &t,
		DurationS: &r.DurationS, UnmonitoredS: &r.UnmonitoredS, Min: r.MinC, Max: r.MaxC, Reason: reason})
}

// result tells the excursion as of t.
func (x *excursion) result(u *unit, t sensor.Instant) Excursion {
	unmon := x.UnmonMs
	if x.Open && u.Unmonitored {
		unmon += int64(t - max(u.UnmonAt, x.Start))
	}
	r := Excursion{Unit: u.cfg.ID, Kind: x.kind, Start: x.Start,
		DurationS: seconds(int64(t - x.Start)), UnmonitoredS: seconds(unmon)}
	if x.HasExtremes {
		lo, hi := x.Min, x.Max
		r.MinC, r.MaxC = &lo, &hi
	}
	return r
}

func (x *excursion) widen(t sensor.Temp) {
	if !x.HasExtremes {
		x.HasExtremes, x.Min, x.Max = true, t, t
	}
	x.Min, x.Max = min(x.Min, t), max(x.Max, t)
}

// extremes takes in the readings of t that are beyond the limit.
func (x *excursion) extremes(u *unit, t sensor.Instant) {
	if !x.Open {
		return
	}
	for _, p := range u.places[:u.judging] {
		if p.At == t && p.Stands && x.line.Beyond(p.Last) {
			x.widen(p.Last)
		}
	}
}

// handExtremes gives what has stood since the last time to the batches.
func (u *unit) handExtremes() {
	if !u.exSet {
		return
	}
	for _, b := range u.batches {
		b.widen(u.exMin, u.exMax)
	}
	u.exSet = false
}

// fire lets deadlines at t happen.
func (u *unit) fire(e *Evaluator, t sensor.Instant) {
	for _, a := range u.alarms {
		a.fire(e, u, t)
	}
	u.look(e, t)
	u.judgeApart(e, t)
	u.reckon()
}

// reckon finds the next instant at which something happens by itself.
func (u *unit) reckon() {
	u.next = min(u.expiry, u.watchNext())
	for _, a := range u.alarms {
		u.next = min(u.next, a.deadline(u))
	}
}
