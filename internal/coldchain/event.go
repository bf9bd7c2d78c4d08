package coldchain

import "coldkeep/sensor"

// A Kind names what happened.
type Kind string

// The kinds of CONTRACT.md.
const (
	ExcursionStarted  Kind = "excursion_started"
	ExcursionEnded    Kind = "excursion_ended"
	GapStarted        Kind = "gap_started"
	GapEnded          Kind = "gap_ended"
	ProbeFailed       Kind = "probe_failed"
	ProbeRecovered    Kind = "probe_recovered"
	AlarmRaised       Kind = "alarm_raised"
	AlarmAcknowledged Kind = "alarm_acknowledged"
	AlarmShelved      Kind = "alarm_shelved"
	AlarmLapsed       Kind = "alarm_lapsed"
	AlarmCleared      Kind = "alarm_cleared"
	AlarmClosed       Kind = "alarm_closed"
	BatchReceived     Kind = "batch_received"
	BatchPlaced       Kind = "batch_placed"
	BatchMoved        Kind = "batch_moved"
	BatchTakenOut     Kind = "batch_taken_out"
	BatchFlagged      Kind = "batch_flagged"
	BatchQuarantined  Kind = "batch_quarantined"
	BatchRejudged     Kind = "batch_rejudged"
	BatchReleased     Kind = "batch_released"
	BatchDiscarded    Kind = "batch_discarded"
	BatchUsed         Kind = "batch_used"
	BatchExpired      Kind = "batch_expired"

	// Of the rest of a batch's life.
	BatchOpened          Kind = "batch_opened"
	BatchSplit           Kind = "batch_split"
	BatchReturned        Kind = "batch_returned"
	BatchHeld            Kind = "batch_held"
	VialsUsed            Kind = "vials_used"      // some of a batch; batch_used is all that is left
	VialsDiscarded       Kind = "vials_discarded" // likewise
	LotRecalled          Kind = "lot_recalled"
	UnitCounted          Kind = "unit_counted"
	DecisionProposed     Kind = "decision_proposed"
	PaperAttached        Kind = "paper_attached"
	ProfileAdopted       Kind = "profile_adopted"
	PlacementCorrected   Kind = "placement_corrected"
	ReadingsImported     Kind = "readings_imported"
	CalibrationCorrected Kind = "calibration_corrected"
	ClockStepped         Kind = "clock_stepped"
	StoreFailed          Kind = "store_failed"
	StoreRecovered       Kind = "store_recovered"
	ConfigChanged        Kind = "config_changed"
	NotificationSent     Kind = "notification_sent"
	NotificationFailed   Kind = "notification_failed"

	// Of probes under check and of contacts.
	ProbeTakenOut  Kind = "probe_taken_out" // under check from here on: kept, not judged
	ProbePutBack   Kind = "probe_put_back"
	ProbeChecked   Kind = "probe_checked"
	ContactChanged Kind = "contact_changed"

	// What else becomes of alarms and of those who are called (package alert).
	TroubleOpened       Kind = "trouble_opened"
	TroubleJoined       Kind = "trouble_joined"
	TroubleLeft         Kind = "trouble_left"
	TroubleCleared      Kind = "trouble_cleared"
	CallStarted         Kind = "call_started"
	CallDeclined        Kind = "call_declined"
	StatusAsked         Kind = "status_asked"
	AlarmUnshelved      Kind = "alarm_unshelved"
	NotificationDue     Kind = "notification_due"
	NotificationUnknown Kind = "notification_unknown"
	DrillStarted        Kind = "drill_started"
	DrillEnded          Kind = "drill_ended"
	Started             Kind = "started"
	Stopped             Kind = "stopped"
)

// EventVersion is the version of an event's payload, written on every row.
const EventVersion = 1

// An Event is one line of the journal. Which fields are set follows from
// Kind; what is unknown is left out. Time is when it happened, Found when the
// daemon found it (0 in replay): a late event has both.
//
// Fields by kind:
//
//	excursion_*       unit side("high"|"low") start [end duration_s unmonitored_s min max] temp
//	gap_*             unit start [end duration_s]
//	probe_*           unit probe fault
//	alarm_raised      unit rule severity start text temp [batch] [probe probes] [past]
//	alarm_cleared     the same with start, end, reason
//	batch_received    batch profile lot vials expiry [gtin serial] [arrival origin spent] by
//	batch_placed      batch unit [out_for_s] by (start = from)
//	batch_moved       batch from_unit unit [out_for_s] by
//	batch_taken_out   batch from_unit by
//	batch_flagged     batch unit rule text reason
//	batch_quarantined batch unit rule text reason doubtful
//	batch_rejudged    batch rule reason
//	batch_expired     batch unit expiry text
//	batch_opened      batch [from_batch] count vials start [use_by_at text] by; vials are those left of from_batch
//	batch_split       batch from_batch count vials by; vials are those left of from_batch
//	batch_returned    batch unit [out_for_s] by
//	batch_released    batch rules reason decision [maker_ref use_by use_by_at spent proposed_by common_cause] by
//	batch_discarded   batch count reason decision [maker_ref proposed_by common_cause] by
//	batch_used        batch count [treatment reason] by
//	batch_held        batch reason by
//	vials_used        batch count vials [treatment] by
//	vials_discarded   batch count vials reason by
//	lot_recalled      lot batch_ids reason by
//	unit_counted      unit counted [missing unexpected differs text reason] by
//	decision_proposed batch decision rules reason [maker_ref use_by spent] by
//	paper_attached    batch [paper] [origin, whole] [reason] by
//	profile_adopted   batch profile label reason by
//	placement_corrected batch corrects start(as told) reason by; time is what is right
//	readings_imported unit probe [batch] readout start end by
//	calibration_corrected probe start end points reason by
//	probe_taken_out   unit probe start end(the latest) out_for by reason
//	probe_put_back    unit probe start end by
//	probe_checked     unit probe check by
//	contact_changed   [unit] contact_id contact_kind state text [fault] start
//	notification_*    channel rule severity unit text [error]
type Event struct {
	V        int            `json:"v"`
	Seq      uint64         `json:"seq"`
	Time     sensor.Instant `json:"time"`
	Found    sensor.Instant `json:"found,omitzero"`
	Kind     Kind           `json:"kind"`
	Unit     string         `json:"unit,omitempty"`
	FromUnit string         `json:"from_unit,omitempty"`
	Probe    string         `json:"probe,omitempty"`
	Probes   []string       `json:"probes,omitempty"` // all that an alarm about probes is about; Probe is the first
	Batch    string         `json:"batch,omitempty"`
	Profile  string         `json:"profile,omitempty"`
	Lot      string         `json:"lot,omitempty"`
	Vials    int            `json:"vials,omitempty"`
	Expiry   string         `json:"expiry,omitempty"`
	// ExpiresAt is the end of that day at the site.
	ExpiresAt sensor.Instant `json:"expires_at,omitzero"`
	GTIN      string         `json:"gtin,omitempty"`
	Serial    string         `json:"serial,omitempty"`
	Rule      string         `json:"rule,omitempty"`
	Severity  Severity       `json:"severity,omitempty"`
	Side      string         `json:"side,omitempty"` // high, low
	Fault     sensor.Fault   `json:"fault,omitempty"`

	Start        sensor.Instant  `json:"start,omitzero"`
	End          *sensor.Instant `json:"end,omitempty"`
	DurationS    *float64        `json:"duration_s,omitempty"`
	UnmonitoredS *float64        `json:"unmonitored_s,omitempty"`
	Temp         *sensor.Temp    `json:"temperature_celsius,omitempty"`
	Min          *sensor.Temp    `json:"min_c,omitempty"`
	Max          *sensor.Temp    `json:"max_c,omitempty"`

	Doubtful    bool     `json:"doubtful,omitempty"`
	Past        bool     `json:"past,omitempty"` // raised and cleared were found in one step
	Text        string   `json:"text,omitempty"` // the rule in words
	Reason      string   `json:"reason,omitempty"`
	Rules       []string `json:"rules,omitempty"` // the reasons a release answers
	By          string   `json:"by,omitempty"`
	Via         string   `json:"via,omitempty"`
	ID          string   `json:"id,omitempty"` // of the command, made by its sender
	Channel     string   `json:"channel,omitempty"`
	Error       string   `json:"error,omitempty"`
	Record      string   `json:"record,omitempty"` // on started
	Contact     string   `json:"contact_id,omitempty"`
	ContactKind string   `json:"contact_kind,omitempty"` // door, mains, alarm
	State       string   `json:"state,omitempty"`        // of a contact: open, closed, lost, present, raised, quiet, unknown
	Purpose     string   `json:"out_for,omitempty"`      // why a probe is out: check, which, out
	Check       *Check   `json:"check,omitempty"`        // on probe_checked
	// FromBatch is the batch that the vials were of: on batch_split and
	// batch_opened, where Batch is what they became.
	FromBatch  string                    `json:"from_batch,omitempty"`
	Count      int                       `json:"count,omitempty"`     // how many vials it is about; Vials is how many are left of Batch
	Treatment  string                    `json:"treatment,omitempty"` // opaque
	OutForS    float64                   `json:"out_for_s,omitempty"` // it was out for so long before it came in
	UseBy      string                    `json:"use_by,omitempty"`    // a day that a signer has set
	UseByAt    sensor.Instant            `json:"use_by_at,omitzero"`  // the end of it, or of the time in use
	MakerRef   string                    `json:"maker_ref,omitempty"`
	Decision   string                    `json:"decision,omitempty"`     // release, discard; the meaning of a signature
	ProposedBy string                    `json:"proposed_by,omitempty"`  // the first of two signers
	Cause      string                    `json:"common_cause,omitempty"` // the id of a decision about several batches
	Corrects   uint64                    `json:"corrects,omitempty"`     // the seq of the event that was told wrongly
	Units      []string                  `json:"units,omitempty"`
	BatchIDs   []string                  `json:"batch_ids,omitempty"`  // lot_recalled: those concerned
	Missing    []string                  `json:"missing,omitempty"`    // unit_counted: in the record, not in the unit
	Unexpected []string                  `json:"unexpected,omitempty"` // unit_counted: in the unit, not in the record
	Counted    []Counted                 `json:"counted,omitempty"`    // unit_counted: what was found
	Differs    []Differing               `json:"differs,omitempty"`    // unit_counted: boxes with another number of vials
	Spent      []Spent                   `json:"spent,omitempty"`
	Arrival    *Arrival                  `json:"arrival,omitempty"`
	Origin     *Origin                   `json:"origin,omitempty"`
	Paper      *Paper                    `json:"paper,omitempty"`
	Readout    *Readout                  `json:"readout,omitempty"`
	Points     []sensor.CalibrationPoint `json:"points,omitempty"`
	Label      *Profile                  `json:"label,omitempty"` // profile_adopted: the revision, whole

	Config *Config  `json:"config,omitempty"` // on config_changed: whole, with what judges
	Call   *Call    `json:"call,omitempty"`   // on what package alert has decided
	JumpS  *float64 `json:"jump_s,omitempty"` // on clock_stepped: by how much the record's own time went on at once
}

// A Check is what was found when a probe was held against a reference.
type Check struct {
	Reference  sensor.Temp `json:"reference_c"`
	Found      sensor.Temp `json:"found_c"` // what the probe read, corrected
	Raw        sensor.Temp `json:"raw_c"`
	Tolerance  sensor.Temp `json:"tolerance_c"`
	Good       bool        `json:"good"` // |found − reference| ≤ tolerance
	Instrument string      `json:"instrument"`
	// Drift is how much further from a reference it reads than at the first
	// check of this instrument.
	Drift    *sensor.Temp    `json:"drift_c,omitempty"`
	LastGood *sensor.Instant `json:"last_good,omitempty"` // the newest good check before, of this instrument
	Batches  []string        `json:"batches,omitempty"`   // not good: those judged on it since then
}

// A Call is what the part of the daemon that calls people adds to an event.
// Which fields are set follows from the event's Kind; package alert tells.
type Call struct {
	Trouble      string         `json:"trouble,omitempty"`
	Troubles     []string       `json:"troubles,omitempty"` // of a message, the gravest first
	Alarm        string         `json:"alarm,omitempty"`    // its key
	AlarmKind    string         `json:"alarm_kind,omitempty"`
	Historic     bool           `json:"historic,omitempty"`
	Wakes        bool           `json:"wakes,omitempty"` // people are called at any hour
	Day          bool           `json:"day,omitempty"`   // it waits for working hours: those called at night know it
	Policy       string         `json:"policy,omitempty"`
	Step         int            `json:"step,omitempty"`
	Anew         bool           `json:"anew,omitempty"`
	Person       string         `json:"person,omitempty"`
	People       []string       `json:"people,omitempty"`
	Contact      int            `json:"contact,omitempty"` // which of the person's, from 0
	Notification string         `json:"notification,omitempty"`
	Purpose      string         `json:"purpose,omitempty"`
	Attempt      int            `json:"attempt,omitempty"`
	Repeat       bool           `json:"repeat,omitempty"` // it may have arrived before
	News         int            `json:"news,omitempty"`
	Body         string         `json:"body,omitempty"`
	Language     string         `json:"language,omitempty"`
	Receipt      string         `json:"receipt,omitempty"`
	Retry        bool           `json:"retry,omitempty"` // worth another try
	AfterS       float64        `json:"after_s,omitempty"`
	Until        sensor.Instant `json:"until,omitzero"`
	BeyondMC     int64          `json:"beyond_mc,omitempty"` // m°C beyond the range when somebody took it
	Urgent       []string       `json:"urgent,omitempty"`    // batches that were about to be lost then
	Lapse        string         `json:"lapse,omitempty"`
	Cause        string         `json:"cause,omitempty"`
	Action       string         `json:"action,omitempty"`
	TookS        float64        `json:"took_s,omitempty"`
}

// An Entry is one place in the record: a reading or an event.
type Entry struct {
	Seq     uint64
	Reading *sensor.Reading
	Event   *Event
	// Synchronized belongs to the reading's sweep.
	Synchronized bool
}

// A Step is what one turn of the monitor found. It is recorded whole or not
// at all.
type Step struct {
	At         sensor.Instant
	Sweeps     []sensor.Sweep // readings carry their Seq
	Events     []Event        // carry their Seq
	Imports    []Import       // what loggers had recorded; each with its event
	Cursors    map[string]uint64
	Checkpoint []byte // nil: none this time; else the evaluators' state after this step
	Desk       []byte // the same of the part that calls people
}
