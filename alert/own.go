package alert

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

const (
	failsLeast = 3 // in a row, before a channel is told to be out of order
	failsFor   = 2 * time.Minute
	gapsEvery  = time.Hour
)

// findOwn finds the alarms that the Desk itself has to tell: a batch about to
// be lost, whatever the unit's own alarms wait for; a channel that takes
// nothing; a gap in a rota; a drill that nobody answered.
func (d *Desk) findOwn() {
	var want []Alarm
	for i := range d.sit.Units {
		u := &d.sit.Units[i]
		for _, b := range u.Batches {
			if !b.Lost && (!b.UrgentAt.IsZero() && !d.now.Before(b.UrgentAt) || d.stillSoon(u, &b)) {
				want = append(want, Alarm{Key: soonKey(u, &b), Kind: BatchSoon, Severity: Critical, Unit: u.ID, Rule: "batch_soon", Batch: b.ID, Text: "batch " + b.ID + " is about to be lost"})
			}
		}
	}
	for _, channel := range slices.Sorted(maps.Keys(d.s.Health)) {
		h := d.s.Health[channel]
		if h.Final || h.Failed >= failsLeast && d.now.Sub(h.Since) >= failsFor {
			want = append(want, Alarm{Key: "undeliverable/" + channel, Kind: Undeliverable, Severity: Critical, Rule: "undeliverable", Channel: channel, Text: "the channel " + channel + " does not take alarms: " + h.Cause})
		}
	}
	if d.now.Sub(d.gapsAt).Abs() >= gapsEvery {
		d.gapsAt, d.gaps = d.now, d.rotaGaps()
	}
	want = append(want, d.gaps...)
	if d.s.DrillTook < 0 {
		want = append(want, Alarm{Key: "unanswered/" + d.s.DrillAt.Format(time.RFC3339), Kind: Unanswered, Severity: Critical, Rule: "unanswered", Text: "nobody answered the drill of " + d.s.DrillAt.In(d.duty.Location).Format("2 Jan 15:04")})
	}
	want = append(want, d.drill()...)
	want = append(want, d.sit.Found...)
	for i := range want {
		if !slices.ContainsFunc(d.s.Own, func(a *Alarm) bool { return a.Key == want[i].Key }) {
			if want[i].Raised.IsZero() {
				want[i].Raised = d.now
			}
			d.do(Event{Kind: OwnRaised, Alarm: &want[i]})
		}
	}
	for _, a := range slices.Clone(d.s.Own) {
		if !slices.ContainsFunc(want, func(w Alarm) bool { return w.Key == a.Key }) {
			d.do(Event{Kind: OwnCleared, Alarm: a, Reason: "it is over"})
		}
	}
}

// stillSoon says whether a batch that was about to be lost is so still although
// its time has moved on: what is foretold comes and goes with each reading, an
// alarm does not, while the unit stays out of its range.
func (d *Desk) stillSoon(u *Unit, b *Batch) bool {
	if b.LostAt.IsZero() || u.Temp != "" && u.Beyond == 0 {
		return false
	}
	key := soonKey(u, b)
	return slices.ContainsFunc(d.s.Own, func(a *Alarm) bool { return a.Key == key })
}

func soonKey(u *Unit, b *Batch) string { return u.ID + "/batch_soon/" + b.ID }

func (d *Desk) rotaGaps() (list []Alarm) {
	for _, g := range d.duty.Gaps(d.now) {
		list = append(list, Alarm{Key: fmt.Sprintf("rota_gap/%s/%s", g.Rota, g.From.UTC().Format(time.RFC3339)), Kind: RotaGap, Severity: Warning, Rule: "rota_gap",
			Text: fmt.Sprintf("nobody is on call by the rota %s from %s to %s", g.Rota, g.From.In(d.duty.Location).Format("Mon 2 Jan 15:04"), g.To.In(d.duty.Location).Format("Mon 2 Jan 15:04"))})
	}
	return list
}

// drill gives the drill's alarm while one runs, and lets one begin that is due.
func (d *Desk) drill() []Alarm {
	running := d.running()
	if running == nil {
		at, planned := d.duty.Drill.last(d.now, d.duty.Location)
		if !planned || d.now.Sub(at) > drillLate || !at.After(d.s.DrillAt) || d.inTrouble() || len(d.duty.People) == 0 {
			return nil
		}
		a := d.drillAlarm()
		a.Raised = d.now
		d.do(Event{Kind: DrillStarted, Trouble: keyOf(&a), Reason: "it is planned"})
		return []Alarm{a}
	}
	return []Alarm{*running}
}

// running is the drill's alarm while one runs; nil otherwise.
func (d *Desk) running() *Alarm {
	for _, a := range d.s.Own {
		if a.Kind == Drill {
			return a
		}
	}
	return nil
}

func (d *Desk) drillAlarm() Alarm {
	return Alarm{Key: "drill/" + d.now.Format(time.RFC3339), Kind: Drill, Severity: Critical, Rule: "drill", Text: "a test of the way to the phones"}
}

// inTrouble says whether people are called for something real.
func (d *Desk) inTrouble() bool {
	return slices.ContainsFunc(d.s.Troubles, func(t *trouble) bool { return t.Cleared.IsZero() && !t.Drill && t.wakes() })
}

// last is the newest instant at or before now for which a drill is planned.
func (p DrillPlan) last(now time.Time, loc *time.Location) (time.Time, bool) {
	local := now.In(loc)
	for back := range 32 {
		day := time.Date(local.Year(), local.Month(), local.Day()-back, p.At/60, p.At%60, 0, 0, loc)
		fits := p.Every == Monthly && day.Day() == p.Day || p.Every == Weekly && int(day.Weekday()) == p.Day
		if fits && !day.After(now) {
			return day, true
		}
	}
	return time.Time{}, false
}

// followDrill calls the drill's people once, and ends it.
func (d *Desk) followDrill(t *trouble) {
	switch {
	case t.Step < 0:
		people := d.s.DrillFor
		if len(people) == 0 {
			if p := d.policy(t); p != nil && len(p.Steps) > 0 {
				people = d.duty.Who(p.Steps[0].Call, d.now)
			}
		}
		if len(people) == 0 {
			people = d.duty.Who([]string{Everyone}, d.now)
		}
		d.do(Event{Kind: CallStarted, Trouble: t.Key, Step: 0, People: people})
	case t.Ack != nil:
		d.endDrill(t, t.Ack.Person, max(t.Ack.At.Sub(d.s.DrillAt), time.Millisecond))
	case d.now.Sub(d.s.DrillAt) >= d.within():
		d.endDrill(t, "", 0)
	}
}

func (d *Desk) endDrill(t *trouble, person string, took time.Duration) {
	reason := "nobody answered"
	if took > 0 {
		reason = "it was answered"
	}
	d.do(Event{Kind: DrillEnded, Trouble: t.Key, Person: person, Took: took, Reason: reason})
	if a := d.running(); a != nil {
		d.do(Event{Kind: OwnCleared, Alarm: a, Reason: "the drill is over"})
		d.do(Event{Kind: TroubleLeft, Trouble: t.Key, Alarm: a})
	}
	d.do(Event{Kind: TroubleCleared, Trouble: t.Key})
}
