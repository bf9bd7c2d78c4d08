package alert

import (
	"slices"
	"time"
)

const (
	retryLeast   = 2 * time.Second
	retryMostGap = 5 * time.Minute
	quietTries   = 5               // of a message that wakes nobody
	flightMost   = 2 * time.Minute // without a word of it, nobody knows what became of a message
	notesKept    = 48 * time.Hour
)

// due notes that a message is on its way.
func (s *state) due(e Event) {
	n := *e.Notification
	s.Notified++
	s.Notes[n.ID] = &n
	l := s.line(lineKey(n.Person, n.Contact, n.Channel))
	l.Flight, l.Attempt = n.ID, n.Attempt
	uses := l.uses(&n)
	*uses = append(slices.DeleteFunc(*uses, func(t time.Time) bool { return e.At.Sub(t) > capsReach }), e.At)
	if n.Purpose == Status {
		s.Asked = slices.DeleteFunc(s.Asked, func(a ask) bool { return a.Person == n.Person })
	}
	for _, key := range n.Troubles {
		if t := s.trouble(key); t != nil {
			t.told(&n, e)
		}
	}
	for id, x := range s.Notes {
		if x.Done && e.At.Sub(x.At) > notesKept {
			delete(s.Notes, id)
		}
	}
}

// told notes what the message settles if it is taken.
func (t *trouble) told(n *Notification, e Event) {
	if n.Person == "" {
		t.Heard[n.Channel] += n.News
		return
	}
	switch n.Purpose {
	case Page, Test, Notice:
		for _, c := range t.Calls {
			if c.Person == n.Person {
				c.grow(n.Contact)
				c.Told[n.Contact] = e.At
			}
		}
		if n.Purpose != Notice && !slices.ContainsFunc(t.Called, func(c wasCalled) bool { return c.Person == n.Person }) {
			t.Called = append(t.Called, wasCalled{n.Person, e.At})
		}
	case Turning, Worse, Progress:
		if a := t.Ack; a != nil {
			a.Turned = a.Turned || n.Purpose == Turning
			a.Worse = a.Worse || n.Purpose == Worse
			a.Progress = e.At
		}
	default:
		delete(t.Owes, n.Person)
	}
}

func (c *call) grow(contact int) {
	for len(c.Told) <= contact {
		c.Told = append(c.Told, time.Time{})
		c.Failed = append(c.Failed, false)
	}
}

// outcome notes what became of a message.
func (s *state) outcome(e Event) {
	n := s.Notes[e.ID]
	if n == nil || n.Done {
		return // told twice, or too late
	}
	n.Done, n.Receipt = true, e.Receipt
	l := s.line(lineKey(n.Person, n.Contact, n.Channel))
	l.Flight = ""
	if e.Kind == WasSent {
		l.Attempt, l.Again, l.Not = 0, false, time.Time{}
		delete(s.Health, n.Channel)
	} else {
		l.Again = l.Again || e.Kind == WasUnknown
		if e.Kind == WasFailed {
			l.unuse(n) // it disturbed nobody
		}
		wait := time.Minute
		if e.Retry {
			wait = min(retryLeast<<min(n.Attempt-1, 10), retryMostGap)
		}
		l.Not = e.At.Add(max(wait, e.After))
		h := s.Health[n.Channel]
		if h == nil {
			h = &health{Since: e.At}
			s.Health[n.Channel] = h
		}
		h.Failed++
		h.Final = h.Final || !e.Retry
		h.Cause = e.Error
	}
	for _, key := range n.Troubles {
		if t := s.trouble(key); t != nil {
			t.outcome(n, e)
		}
	}
	if !n.Purpose.Loud() && n.Purpose != Notice {
		delete(s.Notes, n.ID)
	}
	n.Title, n.Body = "", "" // the journal has them
}

// uses are those that a message counts among. A test does not count among the
// pages: it must not hold a real one up.
func (l *line) uses(n *Notification) *[]time.Time {
	if n.Purpose == Page {
		return &l.Loud
	}
	return &l.Quiet
}

// unuse takes a use back that did not come about.
func (l *line) unuse(n *Notification) {
	uses := l.uses(n)
	if k := len(*uses); k > 0 {
		*uses = (*uses)[:k-1]
	}
}

// outcome opens again what the message did not settle.
func (t *trouble) outcome(n *Notification, e Event) {
	again := e.Kind != WasSent && e.Retry
	if n.Person == "" {
		if again {
			t.Heard[n.Channel] = max(0, t.Heard[n.Channel]-n.News)
		}
		return
	}
	switch n.Purpose {
	case Page, Test, Notice:
		for _, c := range t.Calls {
			if c.Person == n.Person {
				c.grow(n.Contact)
				c.Failed[n.Contact] = e.Kind == WasFailed
				if again {
					c.Told[n.Contact] = time.Time{}
				}
			}
		}
	case Taken, AllClear:
		_, newer := t.Owes[n.Person]
		if again && n.Attempt < quietTries && !newer && (n.Purpose == AllClear) == !t.Cleared.IsZero() {
			t.Owes[n.Person] = n.Purpose
		}
	}
}

// A limit is how often a contact may be used within a time.
type limit struct {
	n      int
	within time.Duration
}

// The caps keep a contact from being worn out: whoever is called over and over
// stops listening. The figures are GoAlert's. A cap that is reached spreads the
// calls, and never ends them: 21 in three hours are one in 8½ min from then on.
var (
	capVoice = []limit{{1, time.Minute}, {3, 15 * time.Minute}, {7, time.Hour}, {15, 3 * time.Hour}}
	capText  = []limit{{1, time.Minute}, {5, 15 * time.Minute}, {11, time.Hour}, {21, 3 * time.Hour}}
	capQuiet = []limit{{1, 3 * time.Minute}, {3, 20 * time.Minute}, {8, 2 * time.Hour}}
)

const (
	capsReach = 3 * time.Hour
	// firstPage is as close as a page may follow another where a trouble is
	// new to the person and a batch is about to be lost.
	firstPage = 10 * time.Second
)

// within says whether one more use keeps all limits.
func within(uses []time.Time, caps []limit, now time.Time) bool {
	if len(uses) == 0 {
		return true
	}
	last := now.Sub(uses[len(uses)-1])
	for _, c := range caps {
		n := 0
		for _, t := range uses {
			if now.Sub(t) < c.within {
				n++
			}
		}
		if n >= c.n && last < c.within/time.Duration(c.n) {
			return false
		}
	}
	return true
}

// mayPage says whether the person may be paged by this line now. What was not
// taken did not wear anybody out, and its line waits by itself.
func (d *Desk) mayPage(l *line, channel string, urgentFirst bool, now time.Time) bool {
	caps := capText
	switch d.duty.Kinds[channel] {
	case "twilio-voice":
		caps = capVoice
	case "log", "siren":
		return true
	}
	if urgentFirst {
		caps = []limit{{1, firstPage}}
	}
	return within(l.Loud, caps, now)
}
