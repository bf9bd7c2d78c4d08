package alert

import "time"

// A Duty is who is called for what, as configured. Its parser
// (internal/config) answers for its soundness: every name in it is known, and
// every policy ends with a step that calls somebody.
type Duty struct {
	Site     string // as people call it
	Location *time.Location
	Ask      string // whom people are sent to with questions: "the clinic manager, ext. 100"; "" says "a manager"
	Language string // of messages to nobody in particular; "" is en
	People   []Person
	Rotas    []Rota
	Policies []Policy // the first that fits is taken
	Working  Hours    // working hours; the zero Hours is Mon–Fri 08:00–18:00
	Wakes    map[Kind]Wake
	// UntrackedStock says that units without batches hold stock all the same.
	UntrackedStock bool
	Worsens        int64 // m°C beyond where it was acknowledged that let an acknowledgement lapse; > 0
	Services       []Service
	Kinds          map[string]string // of channels, by id: a call of the voice counts otherwise than a text
	Drill          DrillPlan
	GapAhead       time.Duration // how far ahead a gap in a rota is told; > 0
}

// A Wake says when people are called for a kind of alarm.
type Wake string

const (
	AtOnce         Wake = "at_once"       // at any hour, if it is critical
	InWorkingHours Wake = "working_hours" // not before the next working hour
	Never          Wake = "never"         // services only
)

// DefaultWakes is the table of who is woken for what.
func DefaultWakes() map[Kind]Wake {
	return map[Kind]Wake{
		TooWarm: AtOnce, TooCold: AtOnce, NoData: AtOnce, MainsLost: AtOnce, BatchLost: AtOnce, BatchSoon: AtOnce, Undeliverable: AtOnce,
		PeerSilent: AtOnce, Drill: AtOnce, DoorOpen: AtOnce, Other: AtOnce,
		BatchFlagged: InWorkingHours, Unanswered: InWorkingHours, Storage: InWorkingHours, Clock: InWorkingHours, RotaGap: InWorkingHours, Calibration: InWorkingHours,
		ProbeLost: InWorkingHours, ProbesDisagree: InWorkingHours, CheckMissed: InWorkingHours, Expiry: InWorkingHours, Removed: InWorkingHours,
	}
}

// A Person can be called.
type Person struct {
	ID, Name string
	Language string // "" is the site's
	Contacts []Contact
	Quiet    *Hours // only what is critical breaks them; nil: none
}

// A Contact is a way to reach a person. They are tried in order: each After
// the first, unless the one before could not deliver; then at once.
type Contact struct {
	Channel string // its id
	To      string // the address there
	After   time.Duration
}

// A Service is told of every trouble at once and at any hour: a channel that
// belongs to nobody. It never answers for a person.
type Service struct {
	Channel  string
	Critical bool // only of what is critical
}

// A Policy says who is called for a trouble, step by step.
type Policy struct {
	ID       string
	Severity Severity // "" fits all
	Units    []string // empty fits all, also what is of no unit
	During   *Hours   // when the trouble began; nil fits always
	Steps    []Step   // at least one
}

// A Step calls people. The last one is repeated until somebody answers.
type Step struct {
	Call   []string      // ids of people and rotas; "everyone"
	After  time.Duration // since the step before; of the first: since the alarm
	Repeat time.Duration // its people are called again this often while the step lasts; > 0
}

// Everyone in a step means every person.
const Everyone = "everyone"

// A Rota says who is on call when. Times are the site's wall clock: a
// hand-over at 08:00 is at 08:00 on the day when clocks change, too.
type Rota struct {
	ID        string
	Shifts    []Shift
	Overrides []Override // before everything else; of several the last one
	Holidays  []Holiday  // before the shifts
}

// A Shift is a part of the week. Its people take turns, a week each: the first
// in the week that begins with the day of Starts, so that turns change on that
// day of the week; they hand over at the beginning of the shift.
type Shift struct {
	Hours  Hours
	People []string  // persons' ids
	Starts time.Time // a date: what its own Date says counts
}

// An Override puts one person on call from one instant to another.
type Override struct {
	From, To time.Time
	Person   string
}

// A Holiday puts a person on call for a whole day of the site.
type Holiday struct {
	Date   string // 2006-01-02
	Person string
}

// Hours are a part of each week on the site's wall clock. From and To are
// minutes since midnight; To at or before From is on the next day. The zero
// value is nothing configured.
type Hours struct {
	Days     [7]bool // by time.Weekday, of the beginning
	From, To int
}

// A DrillPlan says when the way to the phones is tested by itself; Every 0:
// never.
type DrillPlan struct {
	Every  DrillEvery
	Day    int           // of the month, 1…28, or of the week by time.Weekday
	At     int           // minutes since midnight
	Within time.Duration // to answer; > 0
}

// A DrillEvery is how often.
type DrillEvery string

const (
	Monthly DrillEvery = "monthly"
	Weekly  DrillEvery = "weekly"
)

// The defaults of a Duty.
const (
	PromiseDefault = 20 * time.Minute // of an answer that promises nothing
	RepeatDefault  = 5 * time.Minute
	WorsensDefault = int64(2000)
	GapDefault     = 7 * 24 * time.Hour
	DrillWithin    = 10 * time.Minute
	ShelveMost     = 4 * time.Hour // of what is critical
)

// Person finds one by id; nil where there is none.
func (d *Duty) Person(id string) *Person {
	for i := range d.People {
		if d.People[i].ID == id {
			return &d.People[i]
		}
	}
	return nil
}
