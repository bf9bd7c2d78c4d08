package alert

import (
	"slices"
	"time"
)

// lapse ends a shelf or an acknowledgement that is one no more.
func (d *Desk) lapse(t *trouble) {
	if !t.wakes() {
		if t.Shelf != nil && !d.now.Before(t.Shelf.Until) {
			d.do(Event{Kind: Unshelved, Trouble: t.Key, Lapse: ShelfEnded, Reason: "its time is over"})
		}
		return
	}
	switch {
	case t.Shelf != nil && !d.now.Before(t.Shelf.Until):
		d.do(Event{Kind: Unshelved, Trouble: t.Key, Lapse: ShelfEnded, Reason: "its time is over"})
	case t.Shelf != nil && len(d.urgent(t)) > 0:
		d.do(Event{Kind: Unshelved, Trouble: t.Key, Lapse: AboutToBeLost, Reason: "a batch is about to be lost"})
	case t.Ack != nil:
		d.lapseAck(t)
	}
}

func (d *Desk) lapseAck(t *trouble) {
	a := t.Ack
	lapsed := func(why Lapse, reason string) {
		d.do(Event{Kind: Lapsed, Trouble: t.Key, By: a.By, Person: a.Person, Until: a.Until, Lapse: why, Reason: reason})
	}
	for _, b := range d.urgent(t) {
		if !slices.Contains(a.Urgent, b) {
			lapsed(AboutToBeLost, "batch "+b+" is about to be lost")
			return
		}
	}
	lost := func(m *member) bool {
		return m.Kind == BatchLost && m.Left.IsZero() && m.Raised.After(a.At) && !slices.Contains(a.Urgent, m.Batch)
	}
	switch _, calm := d.calm(t); {
	case slices.ContainsFunc(t.Alarms, lost):
		lapsed(Worsened, "a batch was lost meanwhile")
	case calm:
	case d.beyond(t) >= a.Beyond+d.worsens():
		lapsed(Worsened, "it has worsened since")
	case d.now.Before(a.Until):
	case !d.needsTurning(t):
	case d.turned(t):
		d.do(Event{Kind: Acknowledged, Trouble: t.Key, Person: a.Person, By: a.By, Via: a.Via, Until: d.now.Add(extend), Beyond: d.beyond(t), Urgent: d.urgent(t), Reason: "it turns"})
	default:
		lapsed(PromisePassed, "the promise has passed and it does not turn")
	}
}

// needsTurning says whether there is anything that must turn before a promise
// passes. A batch that is lost alone is as lost as it was, and a channel that is
// out of order is known to be when somebody has read it.
func (d *Desk) needsTurning(t *trouble) bool {
	return slices.ContainsFunc(t.Alarms, func(m *member) bool {
		return d.needs(t, m) && m.Kind != BatchLost && m.Kind != BatchFlagged && m.Kind != Undeliverable
	})
}

func (d *Desk) worsens() int64 {
	if d.duty.Worsens > 0 {
		return d.duty.Worsens
	}
	return WorsensDefault
}

// step goes on to the policy's next step when its time has come, or at once
// where there is nobody left to wait for.
func (d *Desk) step(t *trouble) {
	if t.Ack != nil || t.Shelf != nil {
		return
	}
	p := d.policy(t)
	if p == nil || len(p.Steps) == 0 {
		return
	}
	if _, calm := d.calm(t); calm {
		return
	}
	if !t.wakes() {
		if t.Step < 0 && d.working(d.now) {
			d.start(t, p, 0)
		}
		return
	}
	last := len(p.Steps) - 1
	t.Step = min(t.Step, last)
	for t.Step < last {
		next := t.Step + 1
		due := t.StepAt.Add(p.Steps[next].After)
		switch {
		case !d.now.Before(due), next > 0 && (t.Hurry || d.nobodyLeft(t)):
		case next == 0 && len(d.urgent(t)) > 0:
			// No delay holds a page back that can still save a batch.
		default:
			return
		}
		d.start(t, p, next)
	}
	// The last step is never over. Where all have declined, all are asked again.
	declined := !slices.ContainsFunc(t.Calls, func(c *call) bool { return !c.Declined && d.duty.Person(c.Person) != nil })
	if declined && !d.now.Before(t.StepAt.Add(repeat(p.Steps[last]))) {
		d.do(Event{Kind: CallStarted, Trouble: t.Key, Step: last, People: d.duty.Who([]string{Everyone}, d.now), Anew: true})
	}
}

func repeat(s Step) time.Duration {
	if s.Repeat > 0 {
		return s.Repeat
	}
	return RepeatDefault
}

// start calls a step's people. A page that comes again goes to all who were
// called before, too. A last step that finds nobody calls everyone.
func (d *Desk) start(t *trouble, p *Policy, step int) {
	people := d.duty.Who(p.Steps[step].Call, d.now)
	if step == 0 && t.Lapse != "" {
		for _, c := range t.Called {
			if !slices.Contains(people, c.Person) && d.duty.Person(c.Person) != nil {
				people = append(people, c.Person)
			}
		}
	}
	if len(people) == 0 && (step == len(p.Steps)-1 || !t.wakes()) {
		people = d.duty.Who([]string{Everyone}, d.now)
	}
	d.do(Event{Kind: CallStarted, Trouble: t.Key, Step: step, People: people})
}

// nobodyLeft says whether none of those called can be reached: the rota had
// nobody, all declined, or none of their contacts takes a message.
func (d *Desk) nobodyLeft(t *trouble) bool {
	for _, c := range t.Calls {
		p := d.duty.Person(c.Person)
		if p == nil || c.Declined {
			continue
		}
		if len(c.Failed) < len(p.Contacts) || slices.Contains(c.Failed[:len(p.Contacts)], false) {
			return false
		}
	}
	return true
}
