package monitor

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"coldkeep/alert"
	"coldkeep/internal/coldchain"
	"coldkeep/sensor"
)

// The rules of the alarms that contacts raise.
const (
	RuleDoor    = "open_too_long"
	RuleMains   = "mains_lost"
	RuleUnit    = "unit_alarm"
	RuleContact = "contact_unknown"
)

const (
	// contactPatience is how long a contact may tell nothing before that is an
	// alarm: its pin is tried again meanwhile.
	contactPatience = time.Minute
	// At a start the newest events of contacts are read, contactPage at once,
	// until every contact's is found and those of the day; no more than
	// contactDepth.
	contactPage, contactDepth = 500, 20_000
)

// A contactSeen is what a contact has told so far. It changes nothing of what a
// batch has been through: a door explains a temperature and excuses none.
type contactSeen struct {
	sensor.Contact
	known bool           // it has told anything, in this run or before
	heard bool           // it has in this run
	fault sensor.Fault   // why nothing is known of it now
	since sensor.Instant // it stands as it does
	last  sensor.Instant // it told anything new

	// on is as last known, also while there is a fault: mains that were lost
	// stay lost until the contact says otherwise.
	on      bool
	onSince sensor.Instant
	// How long that lasts is told by the monotonic clock: where the system's is
	// set forward, no door has stood open for longer.
	onFrom, faultFrom time.Time

	// What is counted: only time in which it was known to be on.
	runs        sensor.Instant // on and known since then
	begun       sensor.Instant // of the daemon
	count       uint64         // since then
	onS         float64
	day, dayEnd sensor.Instant // midnights at the site
	dayCount    int
	dayS        float64
}

// running says whether it is known to be on.
func (c *contactSeen) running() bool { return c.known && c.fault == "" && c.on }

// news says whether a state is another than the last one.
func (c *contactSeen) news(on bool, fault sensor.Fault) bool {
	return !c.known || fault != c.fault || fault == "" && on != c.on
}

// see takes a state that holds from t on, in order of time; now is the present.
func (c *contactSeen) see(t sensor.Instant, on bool, fault sensor.Fault, now sensor.Instant, loc *time.Location) {
	c.roll(t, loc)
	if c.running() {
		c.dayS += c.ran(t, c.day)
		c.onS += c.ran(t, c.begun)
	}
	from := time.Now().Add(-max(now.Sub(t), 0))
	c.known, c.fault, c.since, c.last = true, fault, t, t
	if fault != "" {
		c.faultFrom = from
		return
	}
	switch {
	case on && !c.on:
		c.onSince, c.onFrom = t, from
		c.dayCount++
		c.count++
	case on: // as before it told nothing
		c.since = c.onSince
	}
	c.on, c.runs = on, t
}

// ran is for how many seconds it has been on up to t, but not before from.
func (c *contactSeen) ran(t, from sensor.Instant) float64 {
	return max(t.Sub(max(c.runs, from)), 0).Seconds()
}

// roll begins a new day where t is in one. A day is as long as it is at the site.
func (c *contactSeen) roll(t sensor.Instant, loc *time.Location) {
	if t < c.dayEnd {
		return
	}
	d := t.Time().In(loc)
	c.day = sensor.At(time.Date(d.Year(), d.Month(), d.Day(), 0, 0, 0, 0, loc))
	c.dayEnd = sensor.At(time.Date(d.Year(), d.Month(), d.Day()+1, 0, 0, 0, 0, loc))
	c.dayCount, c.dayS = 0, 0
}

// dark says why nothing is known of it; "" where something is.
func (c *contactSeen) dark(made time.Time) sensor.Fault {
	switch {
	case c.fault != "":
		return c.fault
	case !c.known, !c.heard && time.Since(made) >= contactPatience:
		return sensor.FaultNotSampled
	}
	return ""
}

func (m *Monitor) seenContact(id string) *contactSeen {
	for _, c := range m.contacts {
		if c.ID == id {
			return c
		}
	}
	return nil
}

// Contact takes how a contact stands. It enters the loop's queue as a command
// does, and becomes an event where it is another state than the last one that
// the record has. While the disk fails it waits in memory like all the rest.
func (m *Monitor) Contact(ctx context.Context, s sensor.ContactState) error {
	_, err := m.ask(ctx, request{do: func(ctx context.Context) (coldchain.Event, error) { return coldchain.Event{}, m.takeContact(ctx, s) }})
	return err
}

func (m *Monitor) takeContact(ctx context.Context, s sensor.ContactState) error {
	if m.seenContact(s.ID) == nil {
		return refusal("not_found", "no contact %q is configured", s.ID)
	}
	if !m.entered {
		m.early = append(m.early, s)
		return nil
	}
	step := coldchain.Step{At: m.instant()}
	if !m.enterContact(&step, s) {
		return nil
	}
	m.e.Tick(step.At)
	m.collect(&step)
	err := m.commit(ctx, step)
	if m.storage != nil {
		return nil // it is known in memory, and written when the disk is back
	}
	return err
}

// takeEarly enters what contacts told before the first sweep.
func (m *Monitor) takeEarly(s *coldchain.Step) {
	for _, x := range m.early {
		m.enterContact(s, x)
	}
	m.early = nil
}

// enterContact puts a change into the step, and says whether it is one.
func (m *Monitor) enterContact(step *coldchain.Step, s sensor.ContactState) bool {
	c := m.seenContact(s.ID)
	c.heard = true
	if !c.news(s.On, s.Fault) {
		return false
	}
	// A contact's own clock is the system's, which may be behind the record's.
	now := m.clock.now()
	t := min(max(s.Time, c.last), now)
	c.see(t, s.On, s.Fault, now, m.loc)
	e := coldchain.Event{Time: t, Kind: coldchain.ContactChanged, Contact: c.ID, ContactKind: string(c.Kind), State: c.Kind.Word(s.On), Start: t, Fault: s.Fault}
	if t != step.At {
		e.Found = step.At
	}
	if len(c.Units) == 1 {
		e.Unit = c.Units[0]
	}
	if e.Text = contactText[c.Kind][truth(s.On)]; s.Fault != "" {
		e.State, e.Text = coldchain.ContactUnknown, strings.TrimSuffix(c.Sentence(s.Fault), ".")
	}
	m.add(step, e)
	return true
}

var contactText = map[sensor.ContactKind][2]string{
	sensor.Door:  {"the door is closed", "the door is open"},
	sensor.Mains: {"mains power is there", "mains power is lost"},
	sensor.Relay: {"the unit's own alarm is over", "the unit raises its own alarm"},
}

func truth(b bool) int {
	if b {
		return 1
	}
	return 0
}

// recallContacts finds in the journal how the contacts stood last, and what
// they did today.
func (m *Monitor) recallContacts(ctx context.Context) error {
	now := m.clock.now()
	t := now.Time().In(m.loc)
	midnight := sensor.At(time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, m.loc))
	found := map[string]bool{}
	var list []coldchain.Event // the newest first
	for before := m.seq + 1; len(m.contacts) > 0 && len(list) < contactDepth; {
		page, err := m.st.NewestOf(ctx, coldchain.ContactChanged, before, contactPage)
		if err != nil {
			return fmt.Errorf("recall contacts: %w", err)
		}
		for _, e := range page {
			// What was told before it was on is needed to know since when.
			found[e.Contact] = found[e.Contact] || e.State != coldchain.ContactUnknown && e.Time < midnight
			before = e.Seq
		}
		list = append(list, page...)
		all := !slices.ContainsFunc(m.contacts, func(c *contactSeen) bool { return !found[c.ID] })
		if len(page) < contactPage || all {
			break
		}
	}
	for _, e := range slices.Backward(list) {
		c := m.seenContact(e.Contact)
		if c == nil || string(c.Kind) != e.ContactKind {
			continue // what it was before it got this id
		}
		on := e.State == c.Kind.Word(true)
		if e.State == coldchain.ContactUnknown {
			on = c.on
		}
		c.see(e.Time, on, e.Fault, now, m.loc)
	}
	for _, c := range m.contacts {
		c.begun, c.count, c.onS = now, 0, 0 // counters begin with the process
	}
	return nil
}

// showContacts puts the contacts into the snapshot, and what they tell of units.
func (m *Monitor) showContacts(s *coldchain.Snapshot) {
	if len(m.contacts) == 0 {
		return
	}
	now := m.clock.now()
	for _, c := range m.contacts {
		c.roll(now, m.loc)
		x := coldchain.ContactState{Contact: c.Contact, State: coldchain.ContactUnknown, Since: c.since, Fault: c.dark(m.made), TodayCount: c.dayCount, TodayS: c.dayS, Count: c.count, OnS: c.onS}
		if x.Fault == "" {
			x.On, x.State = c.on, c.Kind.Word(c.on)
		}
		if c.running() {
			x.TodayS += c.ran(now, c.day)
			x.OnS += c.ran(now, c.begun)
		}
		s.Contacts = append(s.Contacts, x)
	}
	for i := range s.Units {
		u := &s.Units[i]
		u.DoorOpen, _ = s.ContactOn(sensor.Door, u.ID)
		u.MainsLost, _ = s.ContactOn(sensor.Mains, u.ID)
	}
}

// contactAlarms are the alarms of contacts that hold. The desk records that
// they begin and end. An alarm of a unit joins the unit's trouble; mains of
// several units, or of the whole site, are one.
func (m *Monitor) contactAlarms(s *coldchain.Snapshot) (list []alert.Alarm) {
	for _, c := range m.contacts {
		dark := c.dark(m.made)
		if c.known && c.on && (dark == "" && time.Since(c.onFrom) >= c.After || dark != "" && m.raisedBy(c)) {
			list = append(list, m.contactAlarm(s, c)...)
		}
		from := c.faultFrom
		if c.fault == "" {
			from = m.made
		}
		if dark != "" && time.Since(from) >= contactPatience {
			a := alert.Alarm{Key: contactKey(c, RuleContact, ""), Kind: alert.Other, Severity: alert.Warning, Rule: RuleContact,
				Text: fmt.Sprintf("the contact %s tells nothing: %s", c.ID, lower(strings.TrimSuffix(c.Sentence(dark), ".")))}
			if len(c.Units) == 1 {
				a.Unit = c.Units[0]
			}
			list = append(list, a)
		}
	}
	return list
}

func contactKey(c *contactSeen, rule, unit string) string {
	return strings.Join([]string{"contact", c.ID, rule, unit}, "/")
}

// raisedBy says whether an alarm of the contact's is open: while it tells
// nothing, that is not over.
func (m *Monitor) raisedBy(c *contactSeen) bool {
	return slices.ContainsFunc(m.desk.Own(), func(a alert.Alarm) bool {
		return strings.HasPrefix(a.Key, "contact/"+c.ID+"/") && a.Rule != RuleContact
	})
}

// contactAlarm is what a contact raises that is on: for mains one alarm, for
// what belongs to a unit one for each.
func (m *Monitor) contactAlarm(s *coldchain.Snapshot, c *contactSeen) (list []alert.Alarm) {
	a := alert.Alarm{Severity: alert.Critical, Text: contactText[c.Kind][1], Raised: timeOf(c.onSince)}
	switch c.Kind {
	case sensor.Door:
		a.Kind, a.Severity, a.Rule = alert.DoorOpen, alert.Warning, RuleDoor
		if c.After > 0 {
			a.Text += " for more than " + coldchain.SpanText(c.After)
		}
	case sensor.Mains:
		a.Kind, a.Rule = alert.MainsLost, RuleMains
	default:
		a.Kind, a.Rule = alert.Other, RuleUnit
	}
	units := c.Units
	if c.Kind == sensor.Mains && len(units) != 1 {
		units = []string{""}
		if len(c.Units) > 1 {
			a.Text += ": " + strings.Join(titles(s, c.Units), ", ")
		}
	}
	for _, u := range units {
		a.Unit, a.Key = u, contactKey(c, a.Rule, u)
		list = append(list, a)
	}
	return list
}

// titles are units as people call them.
func titles(s *coldchain.Snapshot, ids []string) (list []string) {
	for _, id := range ids {
		title := id
		for i := range s.Units {
			if s.Units[i].ID == id {
				title = s.Units[i].Title()
			}
		}
		list = append(list, title)
	}
	return list
}

func lower(s string) string {
	if s == "" {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}
