package coldchain

import "coldkeep/sensor"

// An Arrival is what the person who received a parcel saw. "" is what was not
// looked at.
type Arrival struct {
	Logger string `json:"logger,omitempty"` // logger or indicator: fine, tripped, none
	State  string `json:"vials,omitempty"`  // frozen, cold, warm
	Ice    string `json:"ice,omitempty"`    // left, gone
	Parcel string `json:"parcel,omitempty"` // whole, damaged
}

// An Origin is where a product comes from, as its papers say.
type Origin struct {
	Maker   string `json:"maker,omitempty"`
	Product string `json:"product,omitempty"`
	Source  string `json:"source,omitempty"` // plant, human, animal, other
	Tissue  string `json:"tissue,omitempty"` // of which the cells were: "adipose tissue"
}

// A PaperKind names what a paper proves.
type PaperKind string

const (
	PaperCertificate PaperKind = "certificate" // the maker's certificate of analysis
	PaperLaboratory  PaperKind = "laboratory"  // an independent laboratory's result
	PaperLabel       PaperKind = "label"       // a photo or a print of the label
	PaperLogger      PaperKind = "logger"      // the read-out of a logger
	PaperDecision    PaperKind = "decision"    // what the maker wrote about a quarantined batch
	PaperOther       PaperKind = "other"
	// PaperOrigin is demanded like a paper: the origin must have been told.
	PaperOrigin PaperKind = "origin"
)

// PaperKinds are those that a file can have.
var PaperKinds = []PaperKind{PaperCertificate, PaperLaboratory, PaperLabel, PaperLogger, PaperDecision, PaperOther}

// A Paper is a file that belongs to a batch. The record keeps the file itself.
type Paper struct {
	SHA256  string         `json:"sha256"` // of its bytes, in hex
	Name    string         `json:"name"`   // as it was called
	Kind    PaperKind      `json:"kind"`
	Bytes   int            `json:"bytes"`
	Checked string         `json:"checked_by,omitempty"` // who has looked at it
	At      sensor.Instant `json:"at"`                   // when it was attached
	By      string         `json:"by,omitempty"`         // and by whom
}

// A Spent is what a batch had been through before its record began, or what a
// signer allows anew: time under a rule, or cycles of a freeze–thaw rule.
type Spent struct {
	Rule   string  `json:"rule"`
	S      float64 `json:"s,omitempty"` // seconds
	Cycles int     `json:"cycles,omitempty"`
}

// A Counted is a box that was found when a unit was counted.
type Counted struct {
	Batch string `json:"batch"`
	Vials int    `json:"vials,omitempty"` // 0: they were not counted
}

// A Differing is a box in which another number of vials was found than the
// record has.
type Differing struct {
	Batch    string `json:"batch"`
	Recorded int    `json:"recorded"`
	Found    int    `json:"found"`
}

// A Proposal is a decision that waits for a second signature.
type Proposal struct {
	Decision string         `json:"decision"` // release, discard
	Rules    []string       `json:"rules,omitempty"`
	By       string         `json:"by"`
	At       sensor.Instant `json:"at"`
	Reason   string         `json:"reason"`
	MakerRef string         `json:"maker_ref,omitempty"`
	UseBy    string         `json:"use_by,omitempty"`
	UseByAt  sensor.Instant `json:"-"` // the end of that day at the site
	Allow    []Spent        `json:"allow,omitempty"`
}

// A Readout is what a logger's file says of itself. It is evidence: nothing is
// judged by its limits, alarms or mean kinetic temperature.
type Readout struct {
	SHA256     string              `json:"sha256"` // of the file, which the record keeps
	Name       string              `json:"name"`
	Bytes      int                 `json:"bytes,omitempty"`
	Format     string              `json:"format"` // qtag, fridgetag, logtag, elitech, biovoice, csv
	Logger     string              `json:"logger"` // its serial number, or what stands for it
	Zone       string              `json:"zone,omitempty"`
	Dates      string              `json:"dates,omitempty"` // of an import: dmy or mdy, where the file's dates do not tell
	First      sensor.Instant      `json:"first"`
	Last       sensor.Instant      `json:"last"`
	IntervalS  float64             `json:"interval_s"`
	Good       int                 `json:"good"`
	Faults     int                 `json:"faults,omitempty"` // drop-outs
	Known      int                 `json:"known,omitempty"`  // readings that an earlier read-out had already
	Conflicts  int                 `json:"conflicts,omitempty"`
	Low        *sensor.Temp        `json:"low_c,omitempty"` // its own limits
	High       *sensor.Temp        `json:"high_c,omitempty"`
	Tripped    string              `json:"tripped,omitempty"` // its own alarms, in its words
	MKT        *float64            `json:"mkt_c,omitempty"`   // as it gives it
	Correction *sensor.Calibration `json:"-"`
}
