package coldchain

import "coldkeep/sensor"

// A Command is something a person did or decided. ID is made by the sender:
// a repeat gets the first answer and does nothing.
type Command struct {
	ID      string         `json:"id"`
	Name    string         `json:"-"` // receive, place, move, take-out, release, discard, use
	Batch   string         `json:"batch"`
	Unit    string         `json:"unit,omitempty"`
	Profile string         `json:"profile,omitempty"`
	Lot     string         `json:"lot,omitempty"`
	Vials   int            `json:"vials,omitempty"`
	Expiry  string         `json:"expiry,omitempty"` // YYYY-MM-DD
	Rules   []string       `json:"rules,omitempty"`  // release: the reasons it answers
	By      string         `json:"by"`
	Via     string         `json:"via,omitempty"`
	Reason  string         `json:"reason,omitempty"`
	At      sensor.Instant `json:"at,omitzero"` // 0: now
}

// A Refusal is the answer to a command that cannot be done: Code for
// machines, Message for the person, with what would be right.
type Refusal struct {
	Code    string // bad_request, not_found, conflict, unavailable
	Message string
}

func (r *Refusal) Error() string { return r.Message }
