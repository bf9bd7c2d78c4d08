package coldchain

import "coldkeep/sensor"

// A Command is something a person did or decided. ID is made by the sender:
// a repeat gets the first answer and does nothing.
type Command struct {
	ID        string         `json:"id"`
	Name      string         `json:"-"` // receive, place, move, take-out, release, discard, use; ack, decline, shelve, unshelve, close, test; probe-out, probe-back, probe-check
	Batch     string         `json:"batch"`
	Unit      string         `json:"unit,omitempty"`
	Profile   string         `json:"profile,omitempty"`
	Lot       string         `json:"lot,omitempty"`
	Vials     int            `json:"vials,omitempty"`
	Expiry    string         `json:"expiry,omitempty"` // YYYY-MM-DD
	Scan      string         `json:"scan,omitempty"`   // receive: the supplier's GS1 code, which tells profile, lot and expiry
	ExpiresAt sensor.Instant `json:"-"`                // the end of Expiry at the site
	GTIN      string         `json:"-"`                // of the scan
	Serial    string         `json:"-"`
	Rules     []string       `json:"rules,omitempty"` // release: the reasons it answers
	By        string         `json:"by"`
	Via       string         `json:"via,omitempty"`
	Reason    string         `json:"reason,omitempty"`
	At        sensor.Instant `json:"at,omitzero"` // 0: now

	// Of probes: probe-out, probe-back, probe-check.
	Probe     string       `json:"probe,omitempty"`
	Purpose   string       `json:"purpose,omitempty"`   // probe-out: check, which, or out
	Reference *sensor.Temp `json:"reference,omitempty"` // probe-check: what is, by a reference
	Found     *sensor.Temp `json:"found,omitempty"`     // probe-check: what the probe read, corrected
	Tolerance sensor.Temp  `json:"tolerance,omitempty"` // probe-check: how much it may be off; 0 the usual

	// Of alarms: ack, decline, shelve, unshelve, close, test.
	Alarm   string         `json:"alarm,omitempty"`   // a trouble's key, or a unit whose trouble is meant; "" the only one there is
	Promise string         `json:"promise,omitempty"` // ack: how long until somebody is there, 20m; "" is that
	Until   sensor.Instant `json:"until,omitzero"`    // shelve
	Cause   string         `json:"cause,omitempty"`   // close
	Action  string         `json:"action,omitempty"`  // close
	Person  string         `json:"person,omitempty"`  // the id of the person who answers, or (test) who is called
}

// A Refusal is the answer to a command that cannot be done: Code for
// machines, Message for the person, with what would be right.
type Refusal struct {
	Code    string // bad_request, not_found, conflict, unavailable
	Message string
}

func (r *Refusal) Error() string { return r.Message }
