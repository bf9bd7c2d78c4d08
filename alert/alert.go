// Package alert gets a person out of bed, and makes sure that somebody goes.
//
// It knows nothing of fridges: what is wrong comes to it as a Situation, in the
// form that a message needs. The Desk is a pure state machine that decides who
// is called about what, by which contact, and when again; it reads no clock
// and does no I/O. What it decides are Events: they are written to the journal
// before anyone is called, and the Desk's state is nothing but these events
// applied in order, so that a restart repeats nothing and forgets nothing. The
// Dispatcher does what the events say: it sends each notification that is due
// through its channel, once, and reports what became of it. Answers come back
// through the channels, as commands.
//
// Words for people come from a catalogue that can be translated. Channels are
// one file each in package channels, which is where outsiders add one; README.md
// tells how. The package imports nothing of ours.
package alert

import "time"

// A Severity says who must hurry.
type Severity string

// Critical gets a person out of bed, Warning can wait for the morning.
const (
	Critical Severity = "critical"
	Warning  Severity = "warning"
)

// A Kind says what an alarm is about. Which kinds wake people is a table in
// the config (Duty.Wakes).
type Kind string

// The kinds. The wall clock's, disks' and calibrations' are for the day.
const (
	TooWarm       Kind = "too_warm"
	TooCold       Kind = "too_cold"
	NoData        Kind = "no_data"
	MainsLost     Kind = "mains_lost"
	BatchLost     Kind = "batch_lost"    // a batch was quarantined
	BatchSoon     Kind = "batch_soon"    // a batch is about to be
	BatchFlagged  Kind = "batch_flagged" // a batch was out of range, inside its allowance
	Undeliverable Kind = "undeliverable" // a channel does not take alarms
	Unanswered    Kind = "unanswered"    // a drill that nobody answered
	PeerSilent    Kind = "peer_silent"   // another daemon of the site is not heard
	Storage       Kind = "storage"       // the record cannot be written
	Clock         Kind = "clock"         // the clock is not disciplined
	RotaGap       Kind = "rota_gap"      // at some time nobody is on call
	Calibration   Kind = "calibration"   // a probe's calibration runs out
	ProbeLost     Kind = "probe_lost"    // one of several probes
	CheckMissed   Kind = "check_missed"  // a check that was not done
	Expiry        Kind = "expiry"        // a batch's expiry is near
	Removed       Kind = "removed"       // a unit with batches left the config
	DoorOpen      Kind = "door_open"     // a door stands open
	Drill         Kind = "drill"         // a test of the way to the phones
	Other         Kind = "other"

	ProbesDisagree Kind = "probes_disagree" // two probes of a unit
)

// An Alarm is a condition that a person must know, while it holds.
type Alarm struct {
	Key      string    `json:"key"` // the same from raising to clearing
	Kind     Kind      `json:"kind"`
	Severity Severity  `json:"severity"`
	Unit     string    `json:"unit,omitempty"` // its id; "" where it is of none
	Rule     string    `json:"rule,omitempty"`
	Batch    string    `json:"batch,omitempty"`
	Channel  string    `json:"channel,omitempty"` // of Undeliverable
	Text     string    `json:"text"`              // the rule in words
	Raised   time.Time `json:"raised"`
	Historic bool      `json:"historic,omitempty"` // found in late data: wakes nobody
}

// A Situation is how everything stands at an instant, as the Monitor tells it
// at each of its turns. Alarms are those that hold now: the Desk compares them
// with what it knows, so that an alarm is also answered that began while
// nobody looked, and one that is missing here is over.
type Situation struct {
	Units  []Unit
	Alarms []Alarm
	// Found are alarms of the daemon itself that hold, of which nothing is
	// recorded yet: the Desk records that they begin and end. One without Raised
	// begins when it is found.
	Found []Alarm
}

// A Unit is a storage unit as a message tells of it.
type Unit struct {
	ID, Name string
	Range    string    // "2–8 °C"
	Frozen   bool      // its range lies below 0 °C: nothing of it may be moved to a fridge
	Temp     string    // now, "9.4", with the decimals needed; "" unknown
	Milli    int64     // the same in m°C; meaningless where Temp is ""
	Beyond   int64     // m°C beyond its range, > 0 too warm, < 0 too cold, 0 inside
	Trend    int       // +1 rising, -1 falling, 0 steady or not known
	Since    time.Time // out of range or without data since; zero: neither
	LastTemp string    // where Temp is "": the last one
	LastAt   time.Time
	Batches  []Batch // in it, the most urgent first
	// Moves say where its batches can go, in the order in which they should.
	// Sought says that somebody has looked: then what has no place in them has
	// no place to go.
	Moves  []Move
	Sought bool
}

// A Move is a unit that batches can go to, and which.
type Move struct {
	To      string   // its name
	Temp    string   // "4.6"
	Room    int      // vials, or boxes, that it has room for; 0: not known
	Boxes   bool     // Room counts boxes
	Batches []string // by their ids, the most urgent first
}

// A Batch is vials in a unit.
type Batch struct {
	ID    string
	Vials int
	// LostAt is when it will be quarantined if nobody comes; zero: not for what
	// is known now.
	LostAt time.Time
	// UrgentAt is when 25 % of its allowance or 30 min are left, whichever
	// comes first: from then on nothing may hold a page back.
	UrgentAt time.Time
	Lost     bool   // it is quarantined
	Flagged  bool   // it was out of range
	Text     string // why, where it is lost or flagged
}

// Vials counts those in the unit.
func (u *Unit) Vials() (n int) {
	for _, b := range u.Batches {
		n += b.Vials
	}
	return n
}

// Turning says whether the temperature goes back towards the range, or is in it.
func (u *Unit) Turning() bool {
	return u.Temp != "" && (u.Beyond == 0 || u.Beyond > 0 && u.Trend < 0 || u.Beyond < 0 && u.Trend > 0)
}

// leaving says whether the temperature goes further from the range.
func (u *Unit) leaving() bool {
	return u.Temp != "" && (u.Beyond > 0 && u.Trend > 0 || u.Beyond < 0 && u.Trend < 0)
}
