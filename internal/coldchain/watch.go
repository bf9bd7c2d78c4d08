package coldchain

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"coldkeep/sensor"
)

// The alarms that a unit with several judging probes has by itself. They are
// about the probes, not about what the unit holds, and change nothing of how
// that is judged.
const (
	RuleProbeLost      = "probe_lost"
	RuleProbesDisagree = "probes_disagree"
)

const (
	apartFor = 15 * time.Minute // disagreeing without a break, until people are told
	agreeFor = 5 * time.Minute  // agreeing without a break, until it is over

	// DefaultTolerance is how far two judging probes in the same medium may be
	// apart where neither states it.
	DefaultTolerance = sensor.Temp(2000)
)

// A watch holds the judging probes of a unit against each other.
type watch struct {
	Alive    bool // some judging probe had been heard of, when it was looked at last
	Lost     probeAlarm
	Apart    probeAlarm
	Agreeing bool           // the probes that Apart names do again, and all others
	Since    sensor.Instant // when Agreeing became as it is
	Pairs    []pair
}

// A probeAlarm is one of the two alarms, with the probes that it was raised for.
type probeAlarm struct {
	Raised bool
	At     sensor.Instant
	Probes []string
	Text   string
}

// A pair is two judging probes that can be compared.
type pair struct {
	A, B      string
	Tolerance sensor.Temp
	Stated    bool // by one of the two
	Apart     bool // both readings stand, and differ by more than the tolerance
	Since     sensor.Instant

	a, b *place
}

// pairUp finds the pairs of the unit's judging probes under its config. A
// pair of the same instruments under the same tolerance goes on.
func (u *unit) pairUp(probes []UnitProbe) {
	stated := map[string]UnitProbe{}
	for _, p := range probes {
		stated[p.ID] = p
	}
	old := u.watch.Pairs
	u.watch.Pairs = nil
	for i, a := range u.places[:u.judging] {
		for _, b := range u.places[i+1 : u.judging] {
			x, y := stated[a.ID], stated[b.ID]
			n := pair{A: a.ID, B: b.ID, a: a, b: b, Tolerance: max(x.Tolerance, y.Tolerance)}
			if n.Stated = n.Tolerance > 0; !n.Stated {
				n.Tolerance = DefaultTolerance
			}
			if !n.Stated && x.Medium != y.Medium {
				continue // air moves where a vial does not
			}
			for _, o := range old {
				if (o.a == a && o.b == b || o.a == b && o.b == a) && o.Tolerance == n.Tolerance && o.Stated == n.Stated {
					n.Apart, n.Since = o.Apart, o.Since
				}
			}
			u.watch.Pairs = append(u.watch.Pairs, n)
		}
	}
}

// repair lets the watch go on under another config. What was raised for an
// instrument or a rule that is no more is cleared.
func (u *unit) repair(e *Evaluator, t sensor.Instant, probes []UnitProbe, quietBefore time.Duration) {
	w := &u.watch
	before := w.Pairs
	u.pairUp(probes)
	if w.Apart.Raised {
		named := func(p pair) bool {
			return slices.Contains(w.Apart.Probes, p.A) && slices.Contains(w.Apart.Probes, p.B)
		}
		was, is := slices.IndexFunc(before, named), slices.IndexFunc(w.Pairs, named)
		switch {
		case is < 0 || was < 0 || !before[was].of(w.Pairs[is]):
			u.endApart(e, t, "a probe of the two was replaced or is no longer compared")
		case before[was].Tolerance != w.Pairs[is].Tolerance || before[was].Stated != w.Pairs[is].Stated:
			u.endApart(e, t, changedRule)
		}
	}
	if w.Lost.Raised {
		kept := slices.ContainsFunc(u.places[:u.judging], func(p *place) bool { return p.Lost && slices.Contains(w.Lost.Probes, p.ID) })
		switch {
		case !kept:
			u.endLost(e, t, "the probe was replaced or judges no longer")
		case u.quietTime() != quietBefore:
			u.endLost(e, t, changedRule)
		}
	}
}

// of says whether both are pairs of the same instruments.
func (p pair) of(q pair) bool { return p.a == q.a && p.b == q.b || p.a == q.b && p.b == q.a }

// quietTime is how long a probe may give no good reading: as long as the unit may.
func (u *unit) quietTime() time.Duration {
	var d time.Duration
	for _, a := range u.alarms {
		if n := a.rule.NoData; n > 0 && (d == 0 || n < d) {
			d = n
		}
	}
	return d
}

// heard is when the probe was heard of last, also under check, or else since
// when it could have been.
func (p *place) heard() sensor.Instant {
	t := max(p.Entered, p.Checked)
	switch {
	case p.Lent && p.OwnHas:
		t = max(t, p.OwnAt)
	case p.Has && !p.Lent:
		t = max(t, p.At)
	}
	return t
}

// look finds which probes are lost at t, and lets happen what is due. It is
// done twice at most at one instant: before its readings and after them.
func (u *unit) look(e *Evaluator, t sensor.Instant) {
	if u.judging < 2 && !u.watch.Lost.Raised {
		return
	}
	w, d := &u.watch, u.quietTime()
	w.Alive = u.judging > 1 && u.quietSince().Add(d) >= t
	lost := false
	for _, p := range u.places[:u.judging] {
		p.Lost = w.Alive && p.heard().Add(d) < t
		lost = lost || p.Lost
	}
	if w.Lost.Raised && !slices.ContainsFunc(u.places[:u.judging], func(p *place) bool { return p.Lost && slices.Contains(w.Lost.Probes, p.ID) }) {
		switch {
		case u.judging < 2:
			u.endLost(e, t, "no other probe judges beside it any more")
		case !w.Alive:
			u.endLost(e, t, "the whole unit is silent")
		default:
			u.endLost(e, t, "it reads again")
		}
	}
	if lost && !w.Lost.Raised {
		var ids []string
		for _, p := range u.places[:u.judging] {
			if p.Lost {
				ids = append(ids, p.ID)
			}
		}
		w.Lost = probeAlarm{Raised: true, At: t, Probes: ids, Text: fmt.Sprintf("no temperature from %s for more than %s", probesText(ids), durationText(d))}
		e.raise(u.probeAlarm(RuleProbeLost, w.Lost), nil)
	}
}

// probesText names probes: probe a; probes a and b; probes a, b and c.
func probesText(ids []string) string {
	n := len(ids)
	if n == 1 {
		return "probe " + ids[0]
	}
	return "probes " + strings.Join(ids[:n-1], ", ") + " and " + ids[n-1]
}

// compare finds which pairs are apart after the readings of t. It tells
// whether anything is new.
func (u *unit) compare(t sensor.Instant) bool {
	w := &u.watch
	news, apart, together := false, false, false
	for i := range w.Pairs {
		p := &w.Pairs[i]
		both := p.a.Stands && p.b.Stands && !p.a.Lent && !p.b.Lent && p.a.Until > t && p.b.Until > t
		d := p.a.Last - p.b.Last
		x := both && (d > p.Tolerance || -d > p.Tolerance)
		if x != p.Apart {
			p.Apart, p.Since, news = x, t, true
		}
		apart = apart || x
		if w.Apart.Raised && both && slices.Contains(w.Apart.Probes, p.A) && slices.Contains(w.Apart.Probes, p.B) {
			together = !x
		}
	}
	// While one of the two is silent nothing is known of it, and nothing is over.
	if a := w.Apart.Raised && together && !apart; a != w.Agreeing {
		w.Agreeing, w.Since, news = a, t, true
	}
	return news
}

// judgeApart lets happen what is due at t, before its readings.
func (u *unit) judgeApart(e *Evaluator, t sensor.Instant) {
	w := &u.watch
	if w.Apart.Raised && w.Agreeing && w.Since.Add(agreeFor) <= t {
		u.endApart(e, t, "they agree again")
	}
	if w.Apart.Raised {
		return
	}
	var first *pair
	for i := range w.Pairs {
		p := &w.Pairs[i]
		if p.Apart && p.Since.Add(apartFor) <= t && (first == nil || p.Since < first.Since) {
			first = p
		}
	}
	if first == nil {
		return
	}
	d := first.a.Last - first.b.Last
	how := "usual"
	if first.Stated {
		how = "stated"
	}
	w.Apart = probeAlarm{Raised: true, At: t, Probes: []string{first.A, first.B},
		Text: fmt.Sprintf("probes %s (%s °C) and %s (%s °C) disagree by %s °C; %s is %s", first.A, Degrees(first.a.Last), first.B, Degrees(first.b.Last),
			Degrees(max(d, -d), first.Tolerance), strings.TrimSuffix(degrees(first.Tolerance), " °C"), how)}
	w.Agreeing = false
	e.raise(u.probeAlarm(RuleProbesDisagree, w.Apart), nil)
}

// watchNext is when something of this happens by itself.
func (u *unit) watchNext() sensor.Instant {
	w, next := &u.watch, never
	if u.judging > 1 && w.Alive {
		d := u.quietTime()
		next = u.quietSince().Add(d) + 1
		for _, p := range u.places[:u.judging] {
			if !p.Lost {
				next = min(next, p.heard().Add(d)+1)
			}
		}
	}
	switch {
	case w.Apart.Raised && w.Agreeing:
		next = min(next, w.Since.Add(agreeFor))
	case !w.Apart.Raised:
		for _, p := range w.Pairs {
			if p.Apart {
				next = min(next, p.Since.Add(apartFor))
			}
		}
	}
	return next
}

func (u *unit) probeAlarm(rule string, a probeAlarm) Alarm {
	return Alarm{Unit: u.cfg.ID, Rule: rule, Severity: Warning, Raised: a.At, Text: a.Text, Probes: a.Probes}
}

func (u *unit) endLost(e *Evaluator, t sensor.Instant, why string) {
	a := u.probeAlarm(RuleProbeLost, u.watch.Lost)
	a.Cleared, u.watch.Lost = &t, probeAlarm{}
	e.clear(a, nil, why)
}

func (u *unit) endApart(e *Evaluator, t sensor.Instant, why string) {
	a := u.probeAlarm(RuleProbesDisagree, u.watch.Apart)
	a.Cleared, u.watch.Apart, u.watch.Agreeing = &t, probeAlarm{}, false
	e.clear(a, nil, why)
}

// openProbeAlarms are those that are raised now.
func (u *unit) openProbeAlarms() (list []Alarm) {
	if a := u.watch.Lost; a.Raised {
		list = append(list, u.probeAlarm(RuleProbeLost, a))
	}
	if a := u.watch.Apart; a.Raised {
		list = append(list, u.probeAlarm(RuleProbesDisagree, a))
	}
	return list
}

// restoreWatch takes the watch from a checkpoint: its pairs are the config's.
func (u *unit) restoreWatch(w watch) error {
	pairs := u.watch.Pairs
	if len(pairs) != len(w.Pairs) {
		return fmt.Errorf("read checkpoint: the probes of unit %s are not the config's", u.cfg.ID)
	}
	for i := range pairs {
		if pairs[i].A != w.Pairs[i].A || pairs[i].B != w.Pairs[i].B {
			return fmt.Errorf("read checkpoint: the probes of unit %s are not the config's", u.cfg.ID)
		}
		pairs[i].Apart, pairs[i].Since = w.Pairs[i].Apart, w.Pairs[i].Since
	}
	u.watch = w
	u.watch.Pairs = pairs
	return nil
}
