package alert

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"
)

// A state is the Desk's memory: events applied in order, and nothing else. It
// is kept beside the journal only to be found quickly.
type state struct {
	Notified      int                      `json:"notified"` // notifications so far; their ids count on
	Troubles      []*trouble               `json:"troubles"` // in order of their beginning
	Own           []*Alarm                 `json:"own"`      // found by the Desk itself
	Lines         map[string]*line         `json:"lines"`
	Notes         map[string]*Notification `json:"notes"`   // that are in flight or may still be answered
	Waiting       map[string]bool          `json:"waiting"` // alarms that were told and wait for working hours
	Asked         []ask                    `json:"asked"`   // for the status of all units
	Health        map[string]*health       `json:"health"`  // of channels that fail
	DrillAt       time.Time                `json:"drill_at"`
	DrillEnd      time.Time                `json:"drill_end"`
	DrillTook     time.Duration            `json:"drill_took"`      // of the last one; < 0: nobody answered
	DrillGood     time.Time                `json:"drill_good"`      // when one was answered last
	DrillGoodTook time.Duration            `json:"drill_good_took"` // and how long that took
	DrillFor      []string                 `json:"drill_for"`       // who is tested; empty: whoever would be called first
}

// A trouble is what people are called for.
type trouble struct {
	Key     string             `json:"key"`
	Policy  string             `json:"policy"`
	Opened  time.Time          `json:"opened"`
	Alarms  []*member          `json:"alarms"` // all that ever belonged to it
	Cleared time.Time          `json:"cleared"`
	Step    int                `json:"step"` // -1: nobody has been called yet
	StepAt  time.Time          `json:"step_at"`
	Calls   []*call            `json:"calls"`
	Called  []wasCalled        `json:"called"` // who was, for people to read and for the all-clear
	Ack     *ack               `json:"ack"`
	Shelf   *shelf             `json:"shelf"`
	Lapse   Lapse              `json:"lapse"` // why it is called again
	Had     *ack               `json:"had"`   // who had it before
	Hurry   bool               `json:"hurry"` // the next step comes at once: somebody cannot go
	Owes    map[string]Purpose `json:"owes"`  // quiet messages that are still to be sent, by person
	News    []news             `json:"news"`  // what services are told of it
	Heard   map[string]int     `json:"heard"` // how many of the news, by channel
	Drill   bool               `json:"drill"`
}

// A member is an alarm of a trouble.
type member struct {
	Alarm
	Wakes bool      `json:"wakes"`
	Day   bool      `json:"day,omitempty"` // it was told at night and waits for a decision
	Left  time.Time `json:"left"`          // zero: it holds
}

// A call is one person being called, by one contact after the other and again,
// until somebody answers.
type call struct {
	Person   string      `json:"person"`
	Since    time.Time   `json:"since"`
	Told     []time.Time `json:"told"`   // by contact: when it was last tried; zero: it is to be tried again
	Failed   []bool      `json:"failed"` // by contact: the last try was not taken: go on to the next at once
	Declined bool        `json:"declined"`
}

type wasCalled struct {
	Person string    `json:"person"`
	At     time.Time `json:"at"`
}

type ack struct {
	Person, By, Via string
	At, Until       time.Time
	Beyond          int64
	Urgent          []string
	Turned, Worse   bool // told
	Progress        time.Time
}

type shelf struct {
	By, Via, Reason string
	Until           time.Time
}

// A news is something of a trouble that services are told.
type news struct {
	Purpose Purpose `json:"purpose"`
	Alarm   string  `json:"alarm,omitempty"`
}

// A line is the way to one person by one contact, or to a service.
type line struct {
	Flight  string      `json:"flight"` // the notification that is on its way; "" none
	Attempt int         `json:"attempt"`
	Again   bool        `json:"again"` // the last may have arrived
	Not     time.Time   `json:"not"`   // not before this: it was not taken
	Loud    []time.Time `json:"loud"`  // when it was used, newest last
	Quiet   []time.Time `json:"quiet"`
}

// An ask is a person who wants to know how all units stand.
type ask struct {
	Person  string `json:"person"`
	Contact int    `json:"contact"`
}

// A health counts what a channel did not take since it last took something.
type health struct {
	Since  time.Time `json:"since"`
	Failed int       `json:"failed"`
	Final  bool      `json:"final"` // it will not get better by trying
	Cause  string    `json:"cause"`
}

func newState() state {
	return state{Lines: map[string]*line{}, Notes: map[string]*Notification{}, Waiting: map[string]bool{}, Health: map[string]*health{}}
}

func (s *state) trouble(key string) *trouble {
	for _, t := range s.Troubles {
		if t.Key == key {
			return t
		}
	}
	return nil
}

func (s *state) line(key string) *line {
	l := s.Lines[key]
	if l == nil {
		l = &line{}
		s.Lines[key] = l
	}
	return l
}

// lineKey is the line of a person's contact, or of a service.
func lineKey(person string, contact int, channel string) string {
	return fmt.Sprintf("%s/%d/%s", person, contact, channel)
}

// Checkpoint writes the Desk's memory.
func (d *Desk) Checkpoint() ([]byte, error) {
	b, err := json.Marshal(d.s)
	if err != nil {
		return nil, fmt.Errorf("write the desk's memory: %w", err)
	}
	return b, nil
}

// Restore reads what Checkpoint wrote.
func (d *Desk) Restore(data []byte) error {
	s := newState()
	if err := json.Unmarshal(data, &s); err != nil {
		return fmt.Errorf("read the desk's memory: %w", err)
	}
	for _, t := range s.Troubles {
		t.fill()
	}
	d.s = s
	return nil
}

func (t *trouble) fill() {
	if t.Owes == nil {
		t.Owes = map[string]Purpose{}
	}
	if t.Heard == nil {
		t.Heard = map[string]int{}
	}
}

// Apply takes an event into the Desk's memory: one of its own, when it has
// just decided it and when it is read from the journal again.
func (d *Desk) Apply(e Event) {
	s := &d.s
	switch e.Kind {
	case TroubleOpened:
		t := &trouble{Key: e.Trouble, Policy: e.Policy, Opened: e.At, Step: -1, StepAt: e.At}
		t.fill()
		s.Troubles = append(s.Troubles, t)
		return
	case OwnRaised:
		a := *e.Alarm
		s.Own = append(s.Own, &a)
		return
	case OwnCleared:
		s.Own = slices.DeleteFunc(s.Own, func(a *Alarm) bool { return a.Key == e.Alarm.Key })
		return
	case Due:
		s.due(e)
		return
	case WasSent, WasFailed, WasUnknown:
		s.outcome(e)
		return
	case StatusAsked:
		s.Asked = append(s.Asked, ask{e.Person, e.Contact})
		return
	case ClockJumped:
		s.shift(e.Jump)
		return
	case DrillStarted:
		s.DrillAt, s.DrillEnd, s.DrillTook, s.DrillFor = e.At, time.Time{}, 0, e.People
		return
	}
	if e.Kind == TroubleLeft || e.Kind == TroubleJoined {
		delete(s.Waiting, e.Alarm.Key)
	}
	t := s.trouble(e.Trouble)
	if t == nil {
		return // of a trouble that was closed meanwhile
	}
	switch e.Kind {
	case TroubleJoined:
		t.join(e)
	case TroubleLeft:
		for _, m := range t.Alarms {
			if m.Key == e.Alarm.Key {
				m.Left = e.At
			}
		}
	case TroubleCleared:
		s.cleared(t, e)
	case CallStarted:
		t.start(e)
	case CallDeclined:
		for _, c := range t.Calls {
			c.Declined = c.Declined || c.Person == e.Person
		}
		t.Hurry = true
	case Acknowledged:
		t.acknowledge(e)
	case Lapsed:
		t.Had, t.Ack, t.Lapse = t.Ack, nil, e.Lapse
		t.begin(e.At)
		t.News = append(t.News, news{Purpose: Page})
	case Shelved:
		t.Shelf = &shelf{By: e.By, Via: e.Via, Reason: e.Reason, Until: e.Until}
		t.Calls = nil
		t.taken(e.Person)
	case Unshelved:
		t.Shelf, t.Lapse = nil, e.Lapse
		t.begin(e.At)
		t.News = append(t.News, news{Purpose: Page})
	case DrillEnded:
		s.DrillEnd, s.DrillTook = e.At, -1
		if e.Took > 0 {
			s.DrillTook, s.DrillGood, s.DrillGoodTook = e.Took, e.At, e.Took
		}
	case Closed:
		s.Troubles = slices.DeleteFunc(s.Troubles, func(x *trouble) bool { return x == t })
		maps.DeleteFunc(s.Notes, func(_ string, n *Notification) bool { return n.Done && slices.Contains(n.Troubles, t.Key) })
	}
}

// begin lets the policy begin anew.
func (t *trouble) begin(at time.Time) {
	t.Step, t.StepAt, t.Calls, t.Hurry = -1, at, nil, false
}

func (t *trouble) join(e Event) {
	if e.Wakes && t.Ack == nil && !slices.ContainsFunc(t.Alarms, func(m *member) bool { return m.Wakes }) {
		t.begin(e.At) // whoever was told in working hours was not called
	}
	t.Drill = t.Drill || e.Alarm.Kind == Drill
	for _, m := range t.Alarms {
		if m.Key == e.Alarm.Key {
			if e.Wakes != m.Wakes || e.Alarm.Severity != m.Severity {
				t.News = append(t.News, news{Page, e.Alarm.Key})
			}
			m.Alarm, m.Wakes, m.Day, m.Left = *e.Alarm, e.Wakes, e.Day, time.Time{}
			return
		}
	}
	t.News = append(t.News, news{Page, e.Alarm.Key})
	t.Alarms = append(t.Alarms, &member{Alarm: *e.Alarm, Wakes: e.Wakes, Day: e.Day})
}

// taken lets all who were called know that somebody has it.
func (t *trouble) taken(by string) {
	for _, c := range t.Called {
		t.Owes[c.Person] = Taken
	}
	delete(t.Owes, by)
	if !t.Drill { // its end comes at the same moment
		t.News = append(t.News, news{Purpose: Taken})
	}
}

func (s *state) cleared(t *trouble, e Event) {
	t.Cleared = e.At
	t.Calls, t.Shelf = nil, nil
	for _, m := range t.Alarms {
		if m.Left.IsZero() {
			s.Waiting[m.Key] = true
			m.Left = e.At
		}
	}
	clear(t.Owes)
	for _, c := range t.Called {
		switch {
		case !t.Drill:
			t.Owes[c.Person] = AllClear
		case s.DrillTook > 0:
			t.Owes[c.Person] = Tested
		}
	}
	t.News = append(t.News, news{Purpose: AllClear})
}

func (t *trouble) start(e Event) {
	if e.Anew {
		t.Calls = nil
	}
	t.Step, t.StepAt, t.Hurry = e.Step, e.At, false
	for _, p := range e.People {
		if !slices.ContainsFunc(t.Calls, func(c *call) bool { return c.Person == p }) {
			t.Calls = append(t.Calls, &call{Person: p, Since: e.At})
		}
	}
}

func (t *trouble) acknowledge(e Event) {
	a := &ack{Person: e.Person, By: e.By, Via: e.Via, At: e.At, Until: e.Until, Beyond: e.Beyond, Urgent: e.Urgent, Progress: e.At}
	if old := t.Ack; old != nil && old.By == e.By {
		a.At, a.Turned, a.Worse, a.Progress = old.At, old.Turned, old.Worse, old.Progress
	} else {
		t.taken(e.Person)
	}
	t.Ack, t.Lapse, t.Calls, t.Shelf, t.Hurry = a, "", nil, nil, false
}

// holds says whether an alarm of the trouble still does.
func (t *trouble) holds() bool {
	return slices.ContainsFunc(t.Alarms, func(m *member) bool { return m.Left.IsZero() })
}

func (t *trouble) wakes() bool {
	return slices.ContainsFunc(t.Alarms, func(m *member) bool { return m.Left.IsZero() && m.Wakes })
}

// severity is the gravest of the alarms that hold, or of all where none does.
func (t *trouble) severity() Severity {
	for _, m := range t.Alarms {
		if m.Severity == Critical && (m.Left.IsZero() || !t.holds()) {
			return Critical
		}
	}
	return Warning
}

// units are those of its alarms, each once.
func (t *trouble) units() (list []string) {
	for _, m := range t.Alarms {
		if m.Unit != "" && !slices.Contains(list, m.Unit) {
			list = append(list, m.Unit)
		}
	}
	return list
}

// shift moves on everything that is to happen, where the clock was set forward.
func (s *state) shift(by time.Duration) {
	move := func(all ...*time.Time) {
		for _, x := range all {
			if !x.IsZero() {
				*x = x.Add(by)
			}
		}
	}
	for _, t := range s.Troubles {
		move(&t.StepAt)
		for _, m := range t.Alarms {
			move(&m.Left)
		}
		for _, c := range t.Calls {
			move(&c.Since)
			for i := range c.Told {
				move(&c.Told[i])
			}
		}
		if t.Ack != nil {
			move(&t.Ack.Until, &t.Ack.Progress)
		}
		if t.Shelf != nil {
			move(&t.Shelf.Until)
		}
	}
	for _, l := range s.Lines {
		move(&l.Not)
		for i := range l.Loud {
			move(&l.Loud[i])
		}
		for i := range l.Quiet {
			move(&l.Quiet[i])
		}
	}
	for _, n := range s.Notes {
		move(&n.At)
	}
	for _, h := range s.Health {
		move(&h.Since)
	}
	if s.DrillEnd.IsZero() {
		move(&s.DrillAt)
	}
}
