package coldchain

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"time"

	"coldkeep/sensor"
)

// RuleRemoved is the alarm of a unit that left the config while batches are
// in it.
const RuleRemoved = "removed"

const (
	changedRange = "the unit's range was changed"
	changedRule  = "its rule was changed"
	leftConfig   = "the unit left the config"
)

// Reconfigure lets cfg hold from the instant at on, before the readings of at.
// Each instant before it stays judged by what held then. A probe with the same
// id and instrument goes on; another instrument begins anew. An excursion or
// an alarm whose limits were changed ends at at, and may begin anew there. A
// unit that left the config while batches need it stays without probes, as an
// alarm, and its batches count as unmonitored. Batches keep the profile they
// were received under.
//
// ErrLate where at is closed already.
func (e *Evaluator) Reconfigure(at sensor.Instant, cfg Config) error {
	if at < e.now || at == e.now && e.closed {
		return ErrLate
	}
	if at > e.now {
		e.advance(at)
	}
	e.profiles, e.outdone = map[string]*Profile{}, nil
	for i := range cfg.Profiles {
		p := cfg.Profiles[i]
		e.profiles[p.ID] = &p
	}
	old := e.units
	e.units, e.last = nil, nil
	kept := map[*unit]bool{}
	for _, c := range cfg.Units {
		c = c.WithDefaults()
		u := e.unitOf[c.ID]
		if u == nil {
			u = e.addUnit(c, at)
		} else {
			e.units = append(e.units, u)
			u.adopt(e, at, c)
		}
		kept[u] = true
		e.touch(u)
	}
	for _, u := range old {
		if kept[u] || u.logger {
			continue
		}
		if u.retire(e, at); e.needed(u) {
			e.units = append(e.units, u)
			e.touch(u)
		} else {
			delete(e.unitOf, u.cfg.ID)
		}
	}
	for _, u := range old {
		if u.logger {
			e.units = append(e.units, u)
		}
	}
	for i, u := range e.units {
		u.order = i
	}
	// A probe that nobody has any more is not a place of a unit.
	for id, p := range e.places {
		if p.unit != nil && !slices.Contains(p.unit.places, p) {
			delete(e.places, id)
		}
	}
	e.stale = true
	return nil
}

// touch lets the unit be settled at this instant, and whatever its new rules
// find to have happened already, be found now.
func (e *Evaluator) touch(u *unit) {
	u.changed = true
	if !u.dirty {
		u.dirty = true
		e.dirty = append(e.dirty, u)
	}
	u.fire(e, e.now)
	u.expiry = e.now
}

// needed says whether a batch whose life goes on has been in the unit.
func (e *Evaluator) needed(u *unit) bool {
	return slices.ContainsFunc(e.batches, func(b *batch) bool {
		return b.Where != ended && slices.ContainsFunc(b.Life.Placements, func(p Placement) bool { return p.Unit == u.cfg.ID })
	})
}

// adopt lets a unit go on under another config from t on.
func (u *unit) adopt(e *Evaluator, t sensor.Instant, c Unit) {
	quiet, before := u.quietTime(), u.cfg.Probes
	var places []*place
	judging := 0
	for _, want := range []bool{true, false} {
		for _, p := range c.Probes {
			if p.Judges != want {
				continue
			}
			x := e.places[p.ID]
			if x == nil || x.unit != u || x.Instrument != p.Instrument {
				x = &place{ID: p.ID, Instrument: p.Instrument, Entered: t, unit: u, lo: sensor.AbsoluteZero, hi: sensor.Hottest}
				e.places[p.ID] = x
			}
			x.Judges, x.buffered = p.Judges, p.Medium == sensor.Buffered
			if x.Stands = x.Stands && p.Judges; x.Stands && !x.Lent {
				x.Until = x.At.Add(c.MaxGap)
			}
			places = append(places, x)
			if want {
				judging++
			}
		}
	}
	u.places, u.judging, u.gone = places, judging, false
	for _, x := range []struct {
		now *excursion
		to  Limit
	}{{u.high, Limit{Side: Above, At: c.Range.High}}, {u.low, Limit{Side: Below, At: c.Range.Low}}} {
		if x.now.line.Limit == x.to {
			continue
		}
		if x.now.Open {
			x.now.end(e, u, t, changedRange)
		}
		u.drop(x.now.line)
		x.now.line = u.ask(x.to)
	}
	var alarms []*alarm
	for _, r := range c.Alarms {
		i := slices.IndexFunc(u.alarms, func(a *alarm) bool { return reflect.DeepEqual(a.rule, r) })
		if i >= 0 {
			alarms = append(alarms, u.alarms[i])
			continue
		}
		a := &alarm{rule: r}
		if r.NoData == 0 {
			a.line = u.ask(r.Limit)
			a.Measure = measure{Limit: r.Limit, At: t, Window: millis(r.Within)}
		}
		alarms = append(alarms, a)
	}
	for _, a := range u.alarms {
		if slices.Contains(alarms, a) {
			continue
		}
		if a.Raised {
			a.clear(e, u, t, changedRule)
		}
		if a.line != nil {
			u.drop(a.line)
		}
	}
	u.alarms = alarms
	u.cfg = c
	u.repair(e, t, c.Probes, quiet)
	if !sameJudges(before, c.Probes) {
		u.trail, u.rise = trail{}, rise{} // another instrument's course is not this one's
		for _, b := range u.batches {
			b.ends(t)
			b.begins(t)
			b.lends(t)
		}
	}
	u.bound()
}

// retire takes away the unit's probes and alarms.
func (u *unit) retire(e *Evaluator, t sensor.Instant) {
	if u.gone {
		return
	}
	c := u.cfg
	c.Probes = nil
	c.Alarms = []AlarmRule{{ID: RuleRemoved, Severity: Critical, NoData: time.Millisecond}}
	for _, x := range []*excursion{u.high, u.low} {
		if x.Open {
			x.end(e, u, t, leftConfig)
		}
	}
	u.adopt(e, t, c)
	u.gone = true
}

// dismiss clears the alarms of retired units whose last batch has left.
func (e *Evaluator) dismiss(t sensor.Instant) {
	for _, u := range e.units {
		if !u.gone || len(u.batches) > 0 {
			continue
		}
		for _, a := range u.alarms {
			if a.Raised {
				a.clear(e, u, t, "no batch is in it any more")
			}
			a.Told = true
		}
	}
}

// Said are the kinds of events that Latch asks for.
var Said = []Kind{BatchQuarantined, BatchRejudged, BatchReleased, BatchSplit, BatchOpened, DecisionProposed}

// Latch holds what the journal has said against what is known by now: a batch
// once quarantined stays so until a person decides, and a decision that waits
// for a second signature is void once a reason was told that its proposer did
// not know. said are the events of the journal of the kinds of Said, in order
// of Seq. It tells of each reason that is no longer supported, and that the
// journal has not told of yet.
func (e *Evaluator) Latch(said []Event, at sensor.Instant) []Event {
	type key struct{ batch, rule string }
	open, answered := map[key]Event{}, map[key]Event{}
	told := map[key]bool{}
	proposed := map[string]bool{}
	for _, ev := range said {
		k := key{ev.Batch, ev.Rule}
		switch ev.Kind {
		case BatchSplit, BatchOpened:
			if ev.FromBatch == "" {
				break
			}
			// What was said of a batch was said of all its vials.
			proposed[ev.Batch] = proposed[ev.FromBatch]
			for _, m := range []map[key]Event{open, answered} {
				for was, why := range m {
					if was.batch == ev.FromBatch && why.Time <= ev.Time {
						now := key{ev.Batch, was.rule}
						m[now], told[now] = why, told[was]
					}
				}
			}
		case DecisionProposed:
			proposed[ev.Batch] = true
		case BatchQuarantined:
			if _, ok := open[k]; !ok {
				open[k] = ev
			}
			delete(told, k)
			delete(proposed, ev.Batch)
		case BatchRejudged:
			told[k] = true
		case BatchReleased:
			for _, r := range ev.Rules {
				if why, ok := open[key{ev.Batch, r}]; ok {
					answered[key{ev.Batch, r}] = why
				}
				delete(open, key{ev.Batch, r})
			}
		}
	}
	var events []Event
	for _, b := range e.batches {
		if !proposed[b.id()] {
			b.Proposal = nil
		}
		// lost are those of m that nothing supports any more, as they were told.
		lost := func(m map[key]Event, released bool) (keys []key) {
			for k := range m {
				if k.batch == b.id() && !slices.ContainsFunc(b.Reasons, func(r Reason) bool { return r.Rule == k.rule && r.Released == released }) {
					keys = append(keys, k)
				}
			}
			slices.SortFunc(keys, func(x, y key) int { return cmp.Compare(m[x].Seq, m[y].Seq) })
			return keys
		}
		for _, k := range lost(answered, true) {
			ev := answered[k]
			b.Reasons = append(b.Reasons, Reason{Rule: k.rule, At: ev.Time, Doubtful: ev.Doubtful, Text: ev.Text, Unsupported: true, Released: true})
		}
		for _, k := range lost(open, false) {
			ev := open[k]
			b.Reasons = append(b.Reasons, Reason{Rule: k.rule, At: ev.Time, Doubtful: ev.Doubtful, Text: ev.Text, Unsupported: true})
			if !told[k] && !b.gone() {
				events = append(events, Event{V: EventVersion, Time: at, Kind: BatchRejudged, Batch: b.id(), Unit: b.unitID(), Profile: b.profile.ID, Rule: k.rule, Text: ev.Text,
					Reason: fmt.Sprintf("what is known by now no longer breaks the rule %s; it stays quarantined until a person decides", k.rule)})
			}
		}
	}
	return events
}
