package coldchain

import "coldkeep/sensor"

// A Verdict is what the record says of a batch.
type Verdict string

const (
	InRange     Verdict = "in_range"
	InExcursion Verdict = "excursion"
	Quarantined Verdict = "quarantined"
	Released    Verdict = "released"
	Expired     Verdict = "expired"
	Used        Verdict = "used"
	Discarded   Verdict = "discarded"
	Unknown     Verdict = "unknown"
)

// Flagged says whether a person must decide or look.
func (v Verdict) Flagged() bool { return v == InExcursion || v == Quarantined }

// Now is how a batch is at this moment.
type Now string

const (
	NowInRange       Now = "in_range"
	NowTooWarm       Now = "too_warm"
	NowTooCold       Now = "too_cold"
	NowNoData        Now = "no_data"
	NowOutside       Now = "outside"
	NowClockDoubtful Now = "clock_doubtful"
)

// A Reason is a broken rule, at the instant it first broke.
type Reason struct {
	Rule     string         `json:"rule"`
	At       sensor.Instant `json:"at"`
	Doubtful bool           `json:"doubtful"`
	Text     string         `json:"text"`
	Released bool           `json:"released,omitempty"`
	// Unsupported says that what is known by now no longer breaks the rule;
	// what was said stays said until a person decides.
	Unsupported bool `json:"unsupported,omitempty"`
}

// Exposure is what a batch has been through. Seconds with three decimals.
type Exposure struct {
	MonitoredS   float64      `json:"monitored_s"`
	AboveS       float64      `json:"above_s"`
	BelowS       float64      `json:"below_s"`
	UnmonitoredS float64      `json:"unmonitored_s"`
	OutsideS     float64      `json:"outside_s"`
	MinC         *sensor.Temp `json:"min_c"`
	MaxC         *sensor.Temp `json:"max_c"`
	MKTC         *float64     `json:"mkt_c"`
	// FreezeThawCycles is how many there may have been: by this is judged.
	FreezeThawCycles int `json:"freeze_thaw_cycles"`
	// FreezeThawAtLeast is how many there were for certain.
	FreezeThawAtLeast int `json:"freeze_thaw_at_least"`
}

// An Allowance is what a rule allows, and what is spent of it.
type Allowance struct {
	Rule  string  `json:"rule"`
	UsedS float64 `json:"used_s"`
	LeftS float64 `json:"left_s"`
	// TotalS is the whole of it.
	TotalS float64 `json:"total_s"`
	// Of a freeze–thaw rule, which has no seconds: cycles used and left.
	Cycles     int `json:"cycles,omitempty"`
	CyclesLeft int `json:"cycles_left,omitempty"`
	// RunsOut is when it is spent if the batch stays beyond the limit; nil when it is not beyond now.
	RunsOut *sensor.Instant `json:"runs_out,omitempty"`
}

// An Excursion is a stretch in which a unit was outside its range.
type Excursion struct {
	Unit         string          `json:"unit"`
	Kind         string          `json:"kind"` // high, low
	Start        sensor.Instant  `json:"start"`
	End          *sensor.Instant `json:"end"`
	DurationS    float64         `json:"duration_s"`
	UnmonitoredS float64         `json:"unmonitored_s"`
	MinC         *sensor.Temp    `json:"min_c"`
	MaxC         *sensor.Temp    `json:"max_c"`
}

// An Alarm is a condition that a person must know. Its key is unit, rule
// (for a batch's alarm also the batch) and the instant it was raised.
type Alarm struct {
	Unit     string          `json:"unit"`
	Rule     string          `json:"rule"`
	Batch    string          `json:"batch,omitempty"`
	Severity Severity        `json:"severity"`
	Raised   sensor.Instant  `json:"raised"`
	Cleared  *sensor.Instant `json:"cleared"`
	Past     bool            `json:"past,omitempty"`
	Text     string          `json:"text"`
	Probes   []string        `json:"probes,omitempty"` // of probe_lost and probes_disagree: what it is about

	// What people do about it; set in a Snapshot only.
	State   string `json:"state,omitempty"`   // raised, acknowledged, shelved
	Trouble string `json:"trouble,omitempty"` // the key of the trouble that it belongs to
	Channel string `json:"channel,omitempty"` // of the alarm undeliverable
	Node    string `json:"node,omitempty"`    // of the alarm peer_silent
}

// A Trouble is what people are called for: the alarms of a unit, or of several
// that began together, from the first one raised until all are over, and
// beyond until a person closes it. Its key is what answers name.
type Trouble struct {
	Key      string          `json:"key"`
	State    string          `json:"state"` // raised, acknowledged, shelved, cleared
	Severity Severity        `json:"severity"`
	Wakes    bool            `json:"wakes"` // people are called at any hour
	Drill    bool            `json:"drill,omitempty"`
	Units    []string        `json:"units"`
	Text     string          `json:"text"` // its alarms in words
	Opened   sensor.Instant  `json:"opened"`
	Cleared  *sensor.Instant `json:"cleared"`
	By       string          `json:"by,omitempty"`     // who acknowledged or shelved it
	Via      string          `json:"via,omitempty"`    // by which channel
	Reason   string          `json:"reason,omitempty"` // why it is shelved
	Until    *sensor.Instant `json:"until"`            // the promise, or the end of the shelf
	Called   []Called        `json:"called"`
}

// A Called is a person who has been called.
type Called struct {
	Person string         `json:"person"`
	Name   string         `json:"name"`
	At     sensor.Instant `json:"at"`
}

// A Gap is an unbroken unmonitored time of a unit.
type Gap struct {
	Unit      string          `json:"unit"`
	Start     sensor.Instant  `json:"start"`
	End       *sensor.Instant `json:"end"`
	DurationS float64         `json:"duration_s"`
}

// A Snapshot is everything as it stands after a step. It is never changed
// once published; readers may keep it.
type Snapshot struct {
	At           sensor.Instant // up to here all is judged
	Made         sensor.Instant // wall clock when it was made
	Record       string
	Seq          uint64 // newest place in the record
	Site         Site
	Node         string
	Version      string
	Units        []UnitState
	Batches      []BatchState
	Contacts     []ContactState
	Alarms       []Alarm     // open ones, oldest first
	Troubles     []Trouble   // open ones, and cleared ones that nobody has closed; oldest first
	People       []Called    // all who can be called, without At
	Drill        *DrillState // nil: none was made yet
	Synchronized bool        // the clock
	Store        StoreState
	// Notifications by channel.
	Notifications map[string]NotificationCount
	Demo          bool
}

// ContactState is a contact as it stands.
type ContactState struct {
	sensor.Contact
	State      string         `json:"state"` // open, closed, lost, present, raised, quiet, unknown
	On         bool           `json:"on"`    // the door is open, the mains lost, the alarm raised
	Since      sensor.Instant `json:"since"`
	Fault      sensor.Fault   `json:"fault,omitempty"`
	TodayCount int            `json:"today_count"` // how often it came on since the site's midnight
	TodayS     float64        `json:"today_s"`     // and for how long
	Count      uint64         `json:"-"`           // the same since the daemon started
	OnS        float64        `json:"-"`
}

// DrillState is how the way to the phones was tested last.
type DrillState struct {
	At         *sensor.Instant `json:"at"`          // when the newest drill began
	AnsweredAt *sensor.Instant `json:"answered_at"` // when a drill was answered last; nil: none ever was
	TookS      float64         `json:"took_s"`      // from the page to that answer
	Answered   bool            `json:"answered"`    // the newest one was
}

// Site is where the daemon runs.
type Site struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Timezone string `json:"timezone"`
	AskName  string `json:"ask_name,omitempty"` // who decides: "the clinic manager"
	AskPhone string `json:"ask_phone,omitempty"`
}

// StoreState is how the record is being kept.
type StoreState struct {
	Failing       bool
	WriteFailures uint64
}

// NotificationCount counts tries and failures of a channel.
type NotificationCount struct{ Sent, Failed uint64 }

// UnitState is a unit as it stands.
type UnitState struct {
	Unit
	Probes           []ProbeState
	Temp             *sensor.Temp // of the judging probe farthest beyond, or nearest to, a limit; nil: none stands
	TempAt           sensor.Instant
	OutOfRange       bool           // an excursion is open, also when its data are lost
	Side             string         // high, low, "" of the open excursion
	Borderline       bool           // inside, but closer to the range's end than its probe's uncertainty
	DoorOpen         *bool          // nil: it has no door contact, or nothing is known of it
	MainsLost        *bool          // likewise
	Since            sensor.Instant // of the open excursion
	Unmonitored      bool
	UnmonitoredSince sensor.Instant
	Rising           int          // +1 rising, -1 falling, 0 steady or unknown
	Min, Max         *sensor.Temp // since the site's midnight
	OutOfRangeS      float64      // counters since the record began
	UnmonitoredS     float64
	BatchCount       int
	FlaggedCount     int
	VialCount        int            // of its batches that are counted
	StableSince      sensor.Instant // in its range and monitored from then on; 0: it is not
	CountedAt        sensor.Instant // when its boxes were counted last; 0: never
	CountDue         sensor.Instant // when they are to be counted; 0: never, or nothing is in it
}

// ProbeState is a probe as it stands.
type ProbeState struct {
	ID             string
	Chip           string
	Medium         sensor.Medium
	Judges         bool
	Up             bool           // newest reading good and no older than two intervals
	Last           sensor.Reading // newest, good or not; Time 0: none yet
	LastGood       sensor.Reading // Time 0: none yet
	Reads          uint64
	Failures       map[sensor.Fault]uint64
	CalibrationDue sensor.Instant // 0: none stated
	Uncalibrated   bool           // it has no valid calibration now
	Uncertainty    sensor.Temp    // of its calibration, a half-width; 0: not stated
	Borderline     bool           // closer to the range's end than its uncertainty
	Check          *ProbeCheck    // it is under check; nil: it is not
	Probe          sensor.Probe   // as configured
}

// A ProbeCheck is why a probe's readings are not judged at present.
type ProbeCheck struct {
	Purpose string         `json:"purpose"` // check, which, out
	By      string         `json:"by"`
	Reason  string         `json:"reason,omitempty"`
	Since   sensor.Instant `json:"since"`
	Until   sensor.Instant `json:"until"` // from then on it is judged again, also while it is out
}

// BatchState is a batch as it stands.
type BatchState struct {
	ID         string         `json:"id"`
	Profile    Profile        `json:"-"`
	ProfileID  string         `json:"profile"`
	Lot        string         `json:"lot,omitempty"`
	Vials      int            `json:"vials,omitempty"`
	Expiry     string         `json:"expiry,omitempty"`
	ExpiresAt  sensor.Instant `json:"-"` // the end of that day at the site; 0: it has none
	GTIN       string         `json:"gtin,omitempty"`
	Serial     string         `json:"serial,omitempty"`
	Unit       string         `json:"unit,omitempty"` // "" when outside or ended
	Placements []Placement    `json:"placements"`
	Verdict    Verdict        `json:"verdict"`
	Now        Now            `json:"now"`
	Since      sensor.Instant `json:"since"`
	Reasons    []Reason       `json:"reasons"`
	// LostAt is when the next rule breaks, and quarantines it, if all stays as
	// it is; nil where nothing runs, and once it is quarantined.
	LostAt    *sensor.Instant `json:"lost_at,omitempty"`
	Exposure  Exposure        `json:"exposure"`
	Allowance []Allowance     `json:"allowance"`
	Received  sensor.Instant  `json:"received"`
	// JudgedBy lists the instruments on whose readings it was judged, in order.
	JudgedBy []JudgedBy `json:"judged_by,omitempty"`
	// RecordFrom is when its record begins; nil before the first placement.
	RecordFrom   *sensor.Instant `json:"record_from,omitempty"`
	OutsideSince *sensor.Instant `json:"outside_since,omitempty"`
	Ended        *sensor.Instant `json:"ended,omitempty"`

	Stage     Stage           `json:"stage,omitempty"`
	FromBatch string          `json:"from_batch,omitempty"` // it was split off this one
	OpenedAt  *sensor.Instant `json:"opened,omitempty"`
	UseByAt   *sensor.Instant `json:"use_by,omitempty"` // the end of its time in use, or of what a signer has set; what comes first
	// SignedUseBy is the last day that a signer allowed; "": none did.
	SignedUseBy   string         `json:"signed_use_by,omitempty"`
	SignedUseByAt sensor.Instant `json:"-"` // the end of that day at the site
	Arrival       *Arrival       `json:"arrival,omitempty"`
	Origin        *Origin        `json:"origin,omitempty"`
	OriginAt      sensor.Instant `json:"-"`                // when all of it was told; 0: at receipt
	Before        []Spent        `json:"before,omitempty"` // what it had been through before its record
	Papers        []Paper        `json:"papers,omitempty"`
	Missing       []PaperKind    `json:"missing,omitempty"` // demanded by the label, and not there: it is not for use
	Proposal      *Proposal      `json:"proposal,omitempty"`
	Decisions     []Signed       `json:"decisions,omitempty"` // in order of time
	Uses          []Use          `json:"uses,omitempty"`      // of its own vials; those of what was split off are there
	// NewerProfile says that the config has another revision of its profile: it
	// holds for this batch only by a signed command.
	NewerProfile bool `json:"newer_profile,omitempty"`
	// Forecasts are when allowances will be spent, the first one first.
	Forecasts []Forecast `json:"forecasts,omitempty"`
}

// A Forecast is when a rule will break if nobody does anything.
type Forecast struct {
	Rule string `json:"rule"`
	// AtPresent is when, if the temperature stays as it is; nil: then it will not.
	AtPresent *sensor.Instant `json:"at_present,omitempty"`
	// AtTrend is when, if the temperature goes on as it does; nil: then it will
	// not, or it cannot be told. It lies between Earliest and Latest in nine
	// cases of ten; Latest nil: perhaps never.
	AtTrend  *sensor.Instant `json:"at_trend,omitempty"`
	Earliest *sensor.Instant `json:"earliest,omitempty"`
	Latest   *sensor.Instant `json:"latest,omitempty"`
}

// A Refuge is a unit that a batch could be moved to.
type Refuge struct {
	Unit   string       `json:"unit"`
	Name   string       `json:"name"`
	Temp   *sensor.Temp `json:"temperature_celsius,omitempty"`
	Room   *int         `json:"room,omitempty"` // vials or boxes that it has room for; nil: its capacity is not stated
	Boxes  bool         `json:"boxes,omitempty"`
	Stable bool         `json:"stable"` // in its range for an hour, without a gap
	Reason string       `json:"reason"` // why it stands here in the order
}

// A Rescue is a batch of a unit in trouble, with where it can go.
type Rescue struct {
	Batch   string          `json:"batch"`
	Vials   int             `json:"vials,omitempty"`
	Profile string          `json:"profile"`
	LostAt  *sensor.Instant `json:"lost_at,omitempty"`
	Lost    bool            `json:"lost"` // it is quarantined already
	Refuges []Refuge        `json:"refuges"`
	Reason  string          `json:"reason"` // why it stands here in the order
}

// JudgedBy is an instrument on whose readings a batch was judged.
type JudgedBy struct {
	Probe      string          `json:"probe"`
	Instrument string          `json:"instrument"`
	From       sensor.Instant  `json:"from"`
	To         *sensor.Instant `json:"to"` // nil: it still judges
	// CalibratedUntil is when its calibration ended or ends; nil: it had none.
	CalibratedUntil *sensor.Instant `json:"calibrated_until"`
}

// Calibrated says whether the calibration held for all the time that it
// judged, up to now.
func (j JudgedBy) Calibrated(now sensor.Instant) bool {
	if j.To != nil {
		now = *j.To
	}
	return j.CalibratedUntil != nil && now <= *j.CalibratedUntil
}

// A Placement is a batch in a unit, [From, To). To nil: still there.
type Placement struct {
	Unit string          `json:"unit"`
	From sensor.Instant  `json:"from"`
	To   *sensor.Instant `json:"to"`
}
