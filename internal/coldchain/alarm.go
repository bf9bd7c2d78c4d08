package coldchain

import "coldkeep/sensor"

// An alarm is one alarm rule of a unit in judgement.
type alarm struct {
	Measure  measure // certain time beyond the limit
	Raised   bool
	RaisedAt sensor.Instant
	Told     bool // in this stretch it has been raised already
	// Towards Clear: ms for which all probes' last readings were inside.
	Inside   bool
	Running  bool // and the unit monitored: what is lost does not count
	InsideMs int64
	InsideAt sensor.Instant

	rule AlarmRule
	line *line // nil for no_data
}

// clearLimit is beyond exactly where the clear condition is not met.
func (a *alarm) clearLimit() Limit { return Limit{Side: a.rule.Limit.Side, At: a.rule.Clear.At} }

// turn follows what the unit's probes say from t on.
func (a *alarm) turn(e *Evaluator, u *unit, t sensor.Instant) {
	if a.rule.NoData > 0 {
		if a.Raised && u.HasGood && u.LastGood == t {
			a.clear(e, u, t)
		}
		return
	}
	wasOpen := a.Measure.Open
	a.Measure.set(t, a.line.open, a.line.beyond)
	if wasOpen && !a.Measure.Open {
		a.Told = false
		if a.Raised && a.rule.Clear == nil && a.rule.Total == 0 {
			a.clear(e, u, t)
		}
	}
	a.follow(u, t)
	// What takes no time happens at once: for 0s, a clear for 0s, a sum that is below already.
	a.fire(e, u, t)
}

// follow keeps the count towards Clear.
func (a *alarm) follow(u *unit, t sensor.Instant) {
	if a.rule.Clear == nil || !a.Raised {
		return
	}
	open, _ := u.stand(lineKey{Limit: a.clearLimit()})
	inside := !open && u.HasGood
	running := inside && !u.Unmonitored
	if a.Running {
		a.InsideMs += int64(t - a.InsideAt)
	}
	if !inside {
		a.InsideMs = 0
	}
	a.Inside, a.Running, a.InsideAt = inside, running, t
}

// deadline is the next instant at which the alarm is raised or cleared if
// nothing new comes.
func (a *alarm) deadline(u *unit) sensor.Instant {
	r := a.rule
	switch {
	case r.NoData > 0:
		if a.Raised || a.Told {
			return never
		}
		return u.quietSince().Add(r.NoData) + 1
	case a.Raised && r.Clear != nil:
		if !a.Running {
			return never
		}
		return a.InsideAt + sensor.Instant(millis(r.Clear.For)-a.InsideMs)
	case a.Raised && r.Total > 0:
		if a.Measure.Open {
			return never
		}
		return a.Measure.fallsBelow(a.Measure.At, millis(r.Within), millis(r.Total), true)
	case a.Raised || a.Told:
		return never
	case r.Total > 0:
		return a.Measure.reaches(millis(r.Within), millis(r.Total), ever, true)
	case a.Measure.Open && a.Measure.Certain:
		return a.Measure.At + sensor.Instant(millis(r.For)-a.Measure.StretchCertain)
	}
	return never
}

// quietSince is from when on the unit has given no good reading.
func (u *unit) quietSince() sensor.Instant {
	if u.HasGood {
		return u.LastGood
	}
	return u.since
}

func (a *alarm) fire(e *Evaluator, u *unit, t sensor.Instant) {
	if a.deadline(u) > t {
		return
	}
	if a.Raised {
		a.clear(e, u, t)
		return
	}
	a.Raised, a.RaisedAt = true, t
	u.silent = u.silent || a.rule.NoData > 0
	a.Told = a.rule.NoData == 0 && a.rule.Total == 0
	a.Inside, a.Running, a.InsideMs, a.InsideAt = false, false, 0, t
	if a.rule.Clear != nil {
		u.bound()
		a.follow(u, t)
	}
	e.raise(Alarm{Unit: u.cfg.ID, Rule: a.rule.ID, Severity: a.rule.Severity, Raised: t, Text: a.rule.Text()}, u.worst())
}

func (a *alarm) clear(e *Evaluator, u *unit, t sensor.Instant, reason ...string) {
	a.Raised, a.Running, a.Inside = false, false, false
	if a.rule.NoData > 0 {
		u.silent = false
		for _, b := range u.alarms {
			u.silent = u.silent || b.Raised && b.rule.NoData > 0
		}
	}
	if a.rule.Total > 0 {
		a.Measure.forget(t)
	}
	if a.rule.Clear != nil {
		u.bound()
	}
	e.clear(Alarm{Unit: u.cfg.ID, Rule: a.rule.ID, Severity: a.rule.Severity, Raised: a.RaisedAt, Cleared: &t, Text: a.rule.Text()}, u.worst(), reason...)
}

// worst is the standing temperature farthest beyond, or else nearest to, a
// limit of the unit's range.
func (u *unit) worst() *sensor.Temp {
	var best *sensor.Temp
	var far sensor.Temp
	for _, p := range u.places[:u.judging] {
		if !p.Stands {
			continue
		}
		d := max(p.Last-u.cfg.Range.High, u.cfg.Range.Low-p.Last)
		if best == nil || d > far {
			t := p.Last
			best, far = &t, d
		}
	}
	return best
}
