package coldchain

import (
	"slices"
	"sort"

	"coldkeep/sensor"
)

// deadline is when the rule breaks if nothing new comes.
func (s *ruleState) deadline(b *batch) sensor.Instant {
	r, m := s.rule, s.m
	switch {
	case s.Broken || r.MKT:
		return never
	case r.FreezeThaw:
		if _, perhaps := s.cycles(&b.Thaws); perhaps+1 <= max(int(s.allowed()), s.Answered) {
			return never
		}
		return b.Thaws.deadline(b.profile.Thaw)
	case !m.Open:
		return never
	case r.Total > 0 && s.Spent:
		return never
	case r.Total > 0 && r.Within > 0:
		return m.reaches(millis(r.Within), s.allowed(), s.since(), false)
	case r.Total > 0:
		return m.At + sensor.Instant(s.allowed()-(m.Sum-s.Used))
	case s.HasBroken && s.BrokenIn == m.Start:
		return never
	}
	return m.Start.Add(r.For)
}

// doubtful says whether the rule breaks at t only with doubtful time.
func (s *ruleState) doubtful(t sensor.Instant) bool {
	r, m := s.rule, s.m
	switch {
	case r.Total > 0:
		return s.used(t, true) < s.allowed()
	case r.For > 0:
		return m.stretchCertain(t) < millis(r.For)
	}
	return !m.Certain
}

// deadline is when the excursion to this side is confirmed.
func (s *side) deadline(b *batch) sensor.Instant {
	if !s.m.Open || s.Confirmed {
		return never
	}
	if s.InUnit {
		return s.InUnitAt + sensor.Instant(millis(b.profile.Confirm)-s.InUnitMs)
	}
	if b.Where == outside && !s.Graced && s.m.Limit.Beyond(b.profile.Outside.As) {
		// Where it was opened outside, a stretch of the time in use begins then.
		return max(b.OutsideAt, s.m.Start).Add(b.profile.Outside.Grace)
	}
	return never
}

func (s *side) doubtful(b *batch, t sensor.Instant) bool {
	if !s.InUnit {
		return false
	}
	if b.profile.Confirm == 0 {
		return !s.m.Certain
	}
	certain := s.CertainMs
	if s.Certain {
		certain += int64(t - s.InUnitAt)
	}
	return certain < millis(b.profile.Confirm)
}

// darkDeadline is when the built-in rule unmonitored breaks.
func (b *batch) darkDeadline() sensor.Instant {
	if !b.dark.Open || b.holds(RuleUnmonitored) {
		return never
	}
	return max(b.dark.Start, b.UnmonAfter).Add(b.profile.Unmonitored)
}

// holds says whether a reason by this rule waits for a decision, and what is
// known by now supports it.
func (b *batch) holds(rule string) bool {
	return slices.ContainsFunc(b.Reasons, func(r Reason) bool { return r.Rule == rule && !r.Released && !r.Unsupported })
}

// fire lets everything happen that is due at t.
func (b *batch) fire(e *Evaluator, t sensor.Instant) {
	if b.Where == ended || b.Where == unborn {
		return
	}
	b.expire(e, t)
	if b.Where == unplaced {
		b.reckon()
		e.stale = true
		return
	}
	b.fireThaw(t)
	for _, s := range b.Rules {
		if s.rule.FreezeThaw {
			if broken, doubtful := s.tooMany(&b.Thaws); broken {
				b.breaks(e, s, t, doubtful)
			}
			continue
		}
		if s.deadline(b) <= t {
			s.HasBroken, s.BrokenIn = true, s.m.Start
			b.breaks(e, s, t, s.doubtful(t))
		}
	}
	for i := range b.Sides {
		if s := &b.Sides[i]; s.deadline(b) <= t {
			b.confirm(e, s, t)
		}
	}
	if b.darkDeadline() <= t {
		b.reason(e, Reason{Rule: RuleUnmonitored, At: t, Text: durationText(b.profile.Unmonitored) + " without temperature"})
	}
	b.reckon()
	e.stale = true
}

func (b *batch) breaks(e *Evaluator, s *ruleState, t sensor.Instant, doubtful bool) {
	s.Broken = true
	b.reason(e, Reason{Rule: s.rule.ID, At: t, Doubtful: doubtful, Text: s.text(&b.Thaws)})
}

// confirm takes an excursion beyond the profile's range as confirmed. Without
// an allowance to that side, or after a release, it breaks the built-in rule.
func (b *batch) confirm(e *Evaluator, s *side, t sensor.Instant) {
	doubtful := s.doubtful(b, t)
	s.Confirmed = true
	s.Graced = s.Graced || !s.InUnit
	first := !b.Confirmed
	if first {
		b.Confirmed, b.ConfirmedAt = true, t
	}
	if !b.allows(s) {
		if !b.holds(RuleExcursion) {
			why := ", for which the label allows no time"
			if s.allowance {
				why = " again after the release"
			}
			b.reason(e, Reason{Rule: RuleExcursion, At: t, Doubtful: doubtful, Text: s.text + why})
		} else if !doubtful {
			b.settleDoubt(e, t)
		}
		return
	}
	if first && !b.quarantined() {
		text := s.text + ", inside the allowance"
		e.tell(Event{Time: t, Kind: BatchFlagged, Batch: b.id(), Unit: b.unitID(), Profile: b.profile.ID, Rule: RuleExcursion, Vials: b.Life.Vials, Lot: b.Life.Lot, Text: text,
			Reason: "its storage was out of " + b.profile.RangeTextIn(b.stage())})
		b.alarm(e, t, Warning, text)
	}
}

// settleDoubt takes the doubt from an excursion that broke its rule at this
// very instant on the other side, too: that one is certain.
func (b *batch) settleDoubt(e *Evaluator, t sensor.Instant) {
	for i := range b.Reasons {
		if r := &b.Reasons[i]; r.Rule == RuleExcursion && r.At == t && !r.Released {
			r.Doubtful = false
		}
	}
	for i := range e.events {
		if ev := &e.events[i]; ev.Kind == BatchQuarantined && ev.Batch == b.id() && ev.Rule == RuleExcursion && ev.Time == t {
			ev.Doubtful = false
		}
	}
}

// reason notes a broken rule and quarantines.
func (b *batch) reason(e *Evaluator, r Reason) {
	// One that late data had taken away is true after all.
	b.Reasons = slices.DeleteFunc(b.Reasons, func(o Reason) bool { return o.Rule == r.Rule && o.Unsupported && !o.Released })
	b.Reasons = append(b.Reasons, r)
	e.tell(Event{Time: r.At, Kind: BatchQuarantined, Batch: b.id(), Unit: b.unitID(), Profile: b.profile.ID, Rule: r.Rule, Vials: b.Life.Vials, Lot: b.Life.Lot,
		Doubtful: r.Doubtful, Text: r.Text, Reason: r.Sentence()})
	b.Proposal = nil // who proposed a decision did not know this
	b.alarm(e, r.At, r.severity(), r.Text)
}

// byPerson says whether somebody, and not the record of temperatures, gave the
// reason.
func (r Reason) byPerson() bool {
	return r.Rule == RuleReceipt || r.Rule == RuleHeld || r.Rule == RuleRecall
}

// Sentence says why the batch was quarantined.
func (r Reason) Sentence() string {
	if r.byPerson() {
		return r.Text
	}
	return "its record broke the rule " + r.Rule + ": " + r.Text
}

// severity is how loudly it is told. What a person has found is known to
// somebody who is there: nobody is called from bed for it.
func (r Reason) severity() Severity {
	if r.byPerson() {
		return Warning
	}
	return Critical
}

func (b *batch) quarantined() bool {
	return slices.ContainsFunc(b.Reasons, func(r Reason) bool { return !r.Released })
}

func (b *batch) unitID() string {
	if b.unit == nil {
		return ""
	}
	return b.unit.cfg.ID
}

// BecameCritical is why a batch's warning is cleared when a critical alarm
// takes its place.
const BecameCritical = "it became critical"

// alarm raises the batch's alarm, or a graver one in its place.
func (b *batch) alarm(e *Evaluator, t sensor.Instant, s Severity, text string) {
	if b.AlarmRaised && (b.AlarmRank == s || b.AlarmRank == Critical) {
		return
	}
	b.quiet(e, t, BecameCritical)
	b.AlarmRaised, b.AlarmAt, b.AlarmRank, b.AlarmUnit, b.AlarmText = true, t, s, b.unitID(), text
	var worst *sensor.Temp
	if b.unit != nil {
		worst = b.unit.worst()
	}
	e.raise(b.openAlarm(), worst)
}

func (b *batch) openAlarm() Alarm {
	return Alarm{Unit: b.AlarmUnit, Rule: RuleBatch, Batch: b.id(), Severity: b.AlarmRank, Raised: b.AlarmAt, Text: b.AlarmText}
}

// quiet clears the batch's alarm, for a reason.
func (b *batch) quiet(e *Evaluator, t sensor.Instant, reason string) {
	if !b.AlarmRaised {
		return
	}
	a := b.openAlarm()
	a.Cleared = &t
	b.AlarmRaised = false
	e.clear(a, nil, reason)
}

// reckon finds the next instant at which something happens by itself.
func (b *batch) reckon() {
	b.next = never
	if b.Where == ended || b.Where == unborn {
		return
	}
	b.next = b.expiryDeadline()
	if b.Where == unplaced {
		return
	}
	for _, s := range b.Rules {
		b.next = min(b.next, s.deadline(b))
	}
	for i := range b.Sides {
		b.next = min(b.next, b.Sides[i].deadline(b))
	}
	b.next = min(b.next, b.darkDeadline(), b.Thaws.deadline(b.profile.Thaw))
}

// lossDeadline is when the next reason to quarantine falls if all stays as it
// is; never where nothing runs.
func (b *batch) lossDeadline() sensor.Instant {
	t := b.darkDeadline()
	for _, s := range b.Rules {
		t = min(t, s.deadline(b))
	}
	for i := range b.Sides {
		if s := &b.Sides[i]; !b.allows(s) {
			t = min(t, s.deadline(b))
		}
	}
	return t
}

// release answers the reasons that d.Rules names, up to t. What was spent
// stays spent, but for what d allows anew.
func (b *batch) release(e *Evaluator, t sensor.Instant, d Disposition) {
	if b.Where == stored || b.Where == outside {
		b.turn(e, t)
	}
	for i := range b.Reasons {
		r := &b.Reasons[i]
		if r.Released || !slices.Contains(d.Rules, r.Rule) {
			continue
		}
		r.Released = true
		for _, s := range b.Rules {
			if s.rule.ID == r.Rule {
				s.answer(&b.Thaws)
			}
		}
	}
	b.HasRelease, b.ReleasedAt, b.UnmonAfter = true, t, t
	b.allowAnew(t, d.Allow)
	if d.UseByAt != 0 {
		b.Life.UseByAt, b.Life.UseBy, b.Lapsed[signedDay] = d.UseByAt, d.UseBy, 0
	}
	// An excursion that goes on is, from here, a later one.
	for i := range b.Sides {
		s := &b.Sides[i]
		s.Confirmed, s.InUnitMs, s.CertainMs, s.InUnitAt = false, 0, 0, t
	}
	if !b.quarantined() {
		b.quiet(e, t, "released")
	}
	b.fire(e, t)
}

// courseFor is the unit's course for a profile's activation energy.
func (u *unit) courseFor(p *Profile, t sensor.Instant) *course {
	var keep int64
	for _, r := range p.Rules {
		if r.MKT {
			keep = max(keep, millis(r.Within))
		}
	}
	for _, c := range u.courses {
		if c.DeltaH == p.DeltaH {
			c.Keep = max(c.Keep, keep)
			return c
		}
	}
	c := &course{DeltaH: p.DeltaH, Keep: keep}
	u.courses = append(u.courses, c)
	u.noteCourse(t)
	return c
}

// upTo gives weight and time of the stay from its beginning to t, which lies in
// what its course still knows.
func (s *stay) upTo(t sensor.Instant) kineticSum {
	switch {
	case t >= s.To:
		return s.Sum
	case s.course == nil:
		ms := float64(t - s.From)
		return kineticSum{s.weight * ms, ms}
	}
	return s.course.upTo(t).minus(s.Base)
}

// kineticUpTo gives weight and time of the batch's life up to t, which lies in
// one of its stays.
func (b *batch) kineticUpTo(t sensor.Instant) kineticSum {
	i := sort.Search(len(b.Stays), func(i int) bool { return b.Stays[i].From > t }) - 1
	if i < 0 {
		return kineticSum{}
	}
	return b.Stays[i].Before.plus(b.Stays[i].upTo(t))
}

// closeStay ends the stay that lasts, and books it.
func (b *batch) closeStay(t sensor.Instant) {
	n := len(b.Stays)
	if n == 0 || b.Stays[n-1].To != never {
		return
	}
	s := &b.Stays[n-1]
	s.Sum = s.upTo(t)
	b.Kinetic = b.Kinetic.plus(s.Sum)
	s.To = t
}

// judgeKinetic judges the mean kinetic temperature over the window that ends
// at t.
func (b *batch) judgeKinetic(e *Evaluator, t sensor.Instant) {
	if !b.kinetic || b.Where != stored && b.Where != outside {
		return
	}
	var longest int64
	for _, s := range b.Rules {
		if !s.rule.MKT {
			continue
		}
		w := millis(s.rule.Within)
		longest = max(longest, w)
		if s.Broken || int64(t-b.Begun) < w {
			continue
		}
		if known := w - b.dark.within(t, w, false); known*10 < w*9 {
			continue
		}
		sum := b.kineticUpTo(t).minus(b.kineticUpTo(t - sensor.Instant(w)))
		if sum.Ms == 0 {
			continue
		}
		over := sum.Weight/sum.Ms > kineticWeight(s.rule.Limit.At.Celsius()+kineticSlack, b.profile.DeltaH)
		if over && !s.Spent {
			b.breaks(e, s, t, false)
		}
		s.Spent = s.Spent && over
	}
	drop := 0
	for drop < len(b.Stays) && int64(t-b.Stays[drop].To) >= longest {
		drop++
	}
	b.Stays = b.Stays[drop:]
}
