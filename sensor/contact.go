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

// DefaultDebounce is how long a contact's state must stand to count, where the
// config does not say.
const DefaultDebounce = 200 * time.Millisecond

// Word is the state in a word, for machines. On is what somebody must know of:
// the door is open, the mains lost, the alarm raised.
func (k ContactKind) Word(on bool) string {
	words := map[ContactKind][2]string{Door: {"closed", "open"}, Mains: {"present", "lost"}, Relay: {"quiet", "raised"}}[k]
	if on {
		return words[1]
	}
	return words[0]
}

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

// Sentence says in plain words why nothing is known of the contact.
func (c Contact) Sentence(f Fault) string {
	switch f {
	case "":
		return ""
	case FaultAbsent:
		return "This machine has no pin " + c.Pin + "."
	case FaultBus:
		return "Pin " + c.Pin + " cannot be used: something else may hold it."
	case FaultNotSampled:
		return "Pin " + c.Pin + " has not been read yet."
	case FaultBusy:
		return "Pin " + c.Pin + " does not come to rest: look for a loose wire."
	}
	return "Pin " + c.Pin + " tells nothing: " + string(f) + "."
}
