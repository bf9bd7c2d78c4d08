package alert

import "time"

// An EventKind names what the Desk decided or was told. The journal has the
// same words.
type EventKind string

// The kinds, with the fields that each sets beside Kind and At.
const (
	// A trouble begins: Trouble, Policy.
	TroubleOpened EventKind = "trouble_opened"
	// An alarm belongs to a trouble from here on, or is now one that wakes:
	// Trouble, Alarm, Wakes.
	TroubleJoined EventKind = "trouble_joined"
	// An alarm of a trouble is over: Trouble, Alarm.
	TroubleLeft EventKind = "trouble_left"
	// Nothing of a trouble needs anybody tonight: Trouble.
	TroubleCleared EventKind = "trouble_cleared"
	// People are called, from here on and again until somebody answers:
	// Trouble, Step, People; Anew where all begins again.
	CallStarted EventKind = "call_started"
	// Somebody cannot go: Trouble, Person, By, Via.
	CallDeclined EventKind = "call_declined"
	// Somebody asked how all units stand: Person, Contact, Notification.
	StatusAsked EventKind = "status_asked"
	// Somebody takes it, or goes on having it: Trouble, Person, By, Via,
	// Until, Beyond, Urgent, Reason.
	Acknowledged EventKind = "alarm_acknowledged"
	// Nobody has it any more: Trouble, By, Until, Lapse, Reason.
	Lapsed EventKind = "alarm_lapsed"
	// Nobody is called until: Trouble, By, Via, Reason, Until.
	Shelved EventKind = "alarm_shelved"
	// People are called again: Trouble, By, Via, Lapse, Reason.
	Unshelved EventKind = "alarm_unshelved"
	// A person says what it was: Trouble, By, Via, Cause, Action.
	Closed EventKind = "alarm_closed"
	// The Desk itself found an alarm, or its end: Alarm.
	OwnRaised  EventKind = "alarm_raised"
	OwnCleared EventKind = "alarm_cleared"
	// A message is to be sent: Notification.
	Due EventKind = "notification_due"
	// What became of it: ID, Receipt or Error, Retry, After.
	WasSent    EventKind = "notification_sent"
	WasFailed  EventKind = "notification_failed"
	WasUnknown EventKind = "notification_unknown"
	// A drill begins and ends: Trouble; Took, Person, or neither where nobody answered.
	DrillStarted EventKind = "drill_started"
	DrillEnded   EventKind = "drill_ended"
	// The clock that times come from was set forward: Jump. What was to
	// happen in five minutes still happens in five minutes.
	ClockJumped EventKind = "clock_stepped"
)

// An Event is one decision of the Desk, or one thing that it was told. Events
// are all that its state is made of.
type Event struct {
	Kind    EventKind
	At      time.Time
	Trouble string
	Alarm   *Alarm
	Wakes   bool
	Day     bool // of TroubleJoined: those who had to know at night know it
	Policy  string
	Step    int
	People  []string
	Anew    bool
	Person  string // id; "" where nobody known answered
	Contact int
	By, Via string // who, for people; by which channel
	Reason  string
	Until   time.Time
	Beyond  int64    // m°C beyond the range where it was acknowledged
	Urgent  []string // batches that were about to be lost then
	Lapse   Lapse
	Cause   string
	Action  string

	Notification *Notification
	ID           string // of the notification
	Receipt      string
	Error        string
	Retry        bool
	After        time.Duration
	Took         time.Duration
	Jump         time.Duration
}

// A Notification is one message to one person, or to a service.
type Notification struct {
	ID       string    `json:"id"`
	Person   string    `json:"person,omitempty"` // "" of a service
	Contact  int       `json:"contact"`
	Channel  string    `json:"channel"`
	Purpose  Purpose   `json:"purpose"`
	Severity Severity  `json:"severity"`
	Troubles []string  `json:"troubles,omitempty"` // the gravest first
	Attempt  int       `json:"attempt"`            // from 1; more where the last one by this contact was not taken
	News     int       `json:"news,omitempty"`     // of a service: how many news of the trouble it tells
	Again    bool      `json:"again,omitempty"`    // it may have arrived before
	Title    string    `json:"title"`
	Body     string    `json:"body"`
	Language string    `json:"language,omitempty"`
	At       time.Time `json:"at"`

	// What became of it.
	Done    bool   `json:"done,omitempty"`
	Receipt string `json:"receipt,omitempty"`
}

// Key is the trouble's by which services group messages.
func (n *Notification) Key() string {
	if len(n.Troubles) == 0 {
		return n.ID
	}
	return n.Troubles[0]
}
