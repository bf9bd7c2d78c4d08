package sensor

import "time"

// A ContactKind says what a contact tells of.
type ContactKind string

// The kinds of contacts.
const (
	Door  ContactKind = "door"  // a reed contact at a unit's door
	Mains ContactKind = "mains" // a relay that the mains holds
	Relay ContactKind = "alarm" // the dry alarm contact of a unit's own thermostat
)

// A Contact is a two-state input. It is wired so that the circuit is closed
// while all is well: a cut wire reads as if the door stood open, the mains were
// lost, the unit raised its alarm.
type Contact struct {
	ID       string
	Kind     ContactKind
	Pin      string   // GPIO17, as the kernel names its line
	Units    []string // whose door, mains or alarm it is; Mains without any: the whole site's
	Open     bool     // wired the other way round: the circuit is open while all is well, and a cut wire is not seen
	Debounce time.Duration
	After    time.Duration // how long it must last before it is an alarm
}

// A ContactState is how a contact stands.
type ContactState struct {
	ID    string
	Time  Instant // since when
	On    bool    // the door is open, the mains lost, the alarm raised; meaningless with a Fault
	Fault Fault   // why nothing is known of it
}
