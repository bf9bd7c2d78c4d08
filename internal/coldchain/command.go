package coldchain

import "coldkeep/sensor"

// A Command is something a person did or decided. ID is made by the sender:
// a repeat gets the first answer and does nothing.
type Command struct {
	ID        string         `json:"id"`
	Name      string         `json:"-"` // receive, place, move, return, take-out, split, open, use, hold, recall, count, propose-release, propose-discard, approve, release, discard, attach, adopt, correct, import, recalibrate; ack, decline, shelve, unshelve, close, test; probe-out, probe-back, probe-check
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

	NewBatch  string                    `json:"new_batch,omitempty"` // split, open: the id of what the vials become; "" one is made
	Count     int                       `json:"count,omitempty"`     // split, open, use, discard: how many vials; 0 all
	Treatment string                    `json:"treatment,omitempty"` // use: an opaque number, never a patient's name
	OutFor    string                    `json:"out_for,omitempty"`   // place, move, return: how long it was out before, as 4m
	Arrival   *Arrival                  `json:"arrival,omitempty"`   // receive
	Origin    *Origin                   `json:"origin,omitempty"`    // receive
	Spent     []Spent                   `json:"spent,omitempty"`     // receive: what it has been through already; release: what is allowed anew
	MakerRef  string                    `json:"maker_ref,omitempty"` // release, discard: the maker's reference
	UseBy     string                    `json:"use_by,omitempty"`    // release: a day, YYYY-MM-DD, after which it is not used
	BatchIDs  []string                  `json:"batch_ids,omitempty"` // release, discard, hold: one decision about several batches
	Counted   []Counted                 `json:"counted,omitempty"`   // count: what was found
	Paper     *Paper                    `json:"paper,omitempty"`     // attach: SHA256, Name, Kind, Checked
	Event     uint64                    `json:"event,omitempty"`     // correct: the seq of what was told wrongly
	Readout   *Readout                  `json:"readout,omitempty"`   // import: SHA256, Name, Zone, Logger
	Since     sensor.Instant            `json:"since,omitzero"`      // recalibrate: from when on the calibration was wrong; import: from when on the logger was with the batch, 0: from its first reading
	Points    []sensor.CalibrationPoint `json:"points,omitempty"`    // recalibrate: what is right
	Readings  []sensor.Reading          `json:"-"`                   // import: what the file holds, in order of time
	DryRun    bool                      `json:"dry_run,omitempty"`   // import: tell what would become of it, and do nothing

	UseByAt sensor.Instant `json:"-"` // the end of UseBy at the site
	By      string         `json:"by"`
	Via     string         `json:"via,omitempty"`
	Reason  string         `json:"reason,omitempty"`
	At      sensor.Instant `json:"at,omitzero"` // 0: now

	// Of probes: probe-out, probe-back, probe-check.
	Probe     string       `json:"probe,omitempty"`
	Purpose   string       `json:"purpose,omitempty"`   // probe-out: check, which, or out
	Reference *sensor.Temp `json:"reference,omitempty"` // probe-check: what is, by a reference
	Found     *sensor.Temp `json:"found,omitempty"`     // probe-check: what the probe read, corrected
	Tolerance sensor.Temp  `json:"tolerance,omitempty"` // probe-check: how much it may be off; 0 the usual

	// Of alarms: ack, decline, shelve, unshelve, close, test.
	Alarm   string         `json:"alarm,omitempty"`   // a trouble's key, or a unit whose trouble is meant; "" the only one there is
	Promise string         `json:"promise,omitempty"` // ack: how long until somebody is there, 20m; "" is that
	Until   sensor.Instant `json:"until,omitzero"`    // shelve; import: until when the logger was with the batch, 0: until it was placed, or will be
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
