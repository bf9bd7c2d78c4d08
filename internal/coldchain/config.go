package coldchain

import (
	"time"

	"coldkeep/sensor"
)

// A Config is all that judges: units with their probes and alarms, and
// profiles. It is written whole to the journal with the instant from which it
// holds. Its parser (internal/config) answers for its soundness.
type Config struct {
	Units    []Unit
	Profiles []Profile
}

// A Range is what a label or a unit allows, both ends inside.
type Range struct{ Low, High sensor.Temp }

// A Unit is a storage unit.
type Unit struct {
	ID     string
	Name   string
	Range  Range
	MaxGap time.Duration // how long a good reading stands at most; > 0
	Probes []UnitProbe
	Guard  sensor.Temp // by how much the alarms' limits are moved inwards already (WithGuard)
	Alarms []AlarmRule // with the built-in `silent` already added by WithDefaults
	// Transport says that it carries batches to or from the site: time in it is
	// of the stage transport.
	Transport bool     `json:",omitempty"`
	Capacity  Capacity `json:",omitzero"`
	// CountEvery is how often all that is in it is to be counted; 0: never.
	CountEvery time.Duration `json:",omitempty"`
}

// A Capacity is how much a unit has room for: vials, or boxes, where every
// batch is one. Both 0: it is not stated.
type Capacity struct {
	Vials int `json:",omitempty"`
	Boxes int `json:",omitempty"`
}

// A Stage of a batch's life, for which the label may give a range of its own.
type Stage string

const (
	Storage   Stage = "storage"
	Transport Stage = "transport" // in a unit that is for it
	InUse     Stage = "in_use"    // opened or mixed
)

// A UnitProbe is one probe of a unit, as far as it judges, and what an
// inspector asks of it.
type UnitProbe struct {
	ID         string
	Instrument string // chip and where it is wired: another instrument is another past
	Judges     bool
	Medium     sensor.Medium
	// Tolerance is how far another judging probe of the unit may be from it; 0:
	// nothing is stated.
	Tolerance   sensor.Temp
	Calibration sensor.Calibration
	// CalibratedUntil is when the calibration ends; 0: none is stated, and it
	// counts as not calibrated.
	CalibratedUntil sensor.Instant
	Position        sensor.Position
}

// A Severity says who must hurry.
type Severity string

const (
	Critical Severity = "critical"
	Warning  Severity = "warning"
)

// A Side says on which side of a limit it is too warm or too cold.
type Side string

const (
	Above Side = "above"
	Below Side = "below"
)

// A Limit is a line that a temperature may be beyond.
type Limit struct {
	Side      Side
	At        sensor.Temp
	Inclusive bool // at the limit is beyond
}

// Beyond says whether t is beyond the limit.
func (l Limit) Beyond(t sensor.Temp) bool {
	if t == l.At {
		return l.Inclusive
	}
	return (t > l.At) == (l.Side == Above)
}

// An AlarmRule is an alarm of a unit. Exactly one of the three forms holds:
// NoData > 0; Total > 0 with Within (cumulative); otherwise consecutive with For.
type AlarmRule struct {
	ID       string
	Severity Severity
	Limit    Limit         // not with NoData
	For      time.Duration // consecutive; 0: at the first reading
	Total    time.Duration // cumulative
	Within   time.Duration
	NoData   time.Duration
	Clear    *Clear
	Guard    sensor.Temp // by how much Limit was moved inwards from what is stated
}

// Clear says when an alarm is cleared, instead of at the end of the stretch.
type Clear struct {
	At  sensor.Temp
	For time.Duration
}

// Silent is the id of the alarm that every unit has.
const Silent = "silent"

// WithDefaults adds the built-in silent alarm where the unit names none.
func (u Unit) WithDefaults() Unit {
	for _, a := range u.Alarms {
		if a.ID == Silent || a.ID == RuleRemoved {
			return u
		}
	}
	u.Alarms = append(append([]AlarmRule(nil), u.Alarms...),
		AlarmRule{ID: Silent, Severity: Critical, NoData: max(10*time.Minute, u.MaxGap)})
	return u
}

// A Profile is the storage conditions on a product's label.
type Profile struct {
	ID          string
	Title       string
	Source      string // where the limits come from
	Range       Range
	Guard       sensor.Temp // by how much Range and the rules' limits are moved inwards already (WithGuard)
	Confirm     time.Duration
	Outside     Outside
	Unmonitored time.Duration // this long without data quarantines; > 0
	DeltaH      float64       // kJ/mol
	Rules       []Rule

	// Stages are the ranges of stages that have their own; in the others Range holds.
	Stages []StageRange `json:",omitempty"`
	Thaw   Thaw         `json:",omitzero"`
	// InUse is how long it may be used once it is opened or mixed; 0: the label
	// does not say.
	InUse time.Duration `json:",omitempty"`
	// Signatures is by how many different people a quarantined batch is decided
	// on: 2, or 0 for one.
	Signatures int `json:",omitempty"`
	// Demands are the papers without which it is not for use.
	Demands []PaperKind `json:",omitempty"`
}

// A StageRange is the range of a stage.
type StageRange struct {
	Stage Stage
	Range Range
}

// Thaw says how freeze–thaw cycles are counted. The zero Thaw counts none.
type Thaw struct {
	Above sensor.Temp   // the thaw point: strictly above, it thaws
	For   time.Duration // a buffered judging probe beyond it for this long, and back: a cycle for certain
	// Outside is how long a stretch outside may be without being, possibly, a cycle.
	Outside time.Duration
}

// Counts says whether cycles are counted.
func (t Thaw) Counts() bool { return t.For > 0 }

// Outside says how time outside every unit is judged.
type Outside struct {
	As    sensor.Temp
	Grace time.Duration
}

// A Rule of a profile. Exactly one of the five forms holds: MKT; FreezeThaw;
// Unmonitored with Total (and perhaps Within); Total (and perhaps Within)
// beyond Limit; otherwise consecutive, For beyond Limit.
type Rule struct {
	ID          string
	Limit       Limit
	For         time.Duration
	Total       time.Duration
	Within      time.Duration // 0: the whole life
	Unmonitored bool
	Guard       sensor.Temp // by how much Limit was moved inwards from what is stated
	MKT         bool        // Limit.At is the highest mean kinetic temperature within Within
	// Cycles is how many freeze–thaw cycles are allowed, where FreezeThaw is
	// true: the rule breaks with the one that would be more.
	FreezeThaw bool `json:",omitempty"`
	Cycles     int  `json:",omitempty"`
	// Stage restricts the rule to a stage; "": it holds in all.
	Stage Stage `json:",omitempty"`
}

// The ids of built-in rules, reserved.
const (
	RuleExcursion   = "excursion"
	RuleUnmonitored = "unmonitored"
	RuleBatch       = "batch" // the alarm that a flagged batch raises

	RuleInUse   = "in_use"  // open for longer than the label allows: it is expired
	RuleUseBy   = "use_by"  // beyond the last day that a signer allowed: it is expired
	RuleReceipt = "receipt" // it came warm, or with a logger or indicator that had tripped
	RuleRecall  = "recall"  // its lot was recalled
	RuleHeld    = "held"    // a person holds it back
)

// Gas constant and default activation energy, USP <1079.2>.
const (
	GasConstant   = 8.3144e-3 // kJ/(K·mol)
	DefaultDeltaH = 83.144    // kJ/mol
)

// The defaults of JUDGING.md.
const (
	DefaultUnmonitored  = 30 * time.Minute
	DefaultOutsideAs    = sensor.Temp(25000)
	DefaultOutsideGrace = 10 * time.Minute
	DefaultCountEvery   = 31 * 24 * time.Hour
	DefaultThawFor      = 10 * time.Minute
	DefaultThawOutside  = 2 * time.Minute
)
