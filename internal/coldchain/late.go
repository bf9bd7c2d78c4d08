package coldchain

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"coldkeep/sensor"
)

// LoggerPrefix begins the id of everything that exists only because a logger's
// recording was imported. No unit or probe of a config may begin with it.
const LoggerPrefix = "logger-"

// LoggerID is the id under which the record knows a logger, made of its serial
// number: what an id cannot hold becomes a hyphen.
func LoggerID(serial string) string {
	b := []byte(serial)
	for i, c := range b {
		if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z') {
			b[i] = '-'
		}
	}
	return LoggerPrefix + string(b)
}

// travels says whether it is the way on which a logger went with the batch,
// which placing the batch ends.
func (p *Placement) travels() bool { return strings.HasPrefix(p.Unit, LoggerPrefix) }

// An Import is what a logger had recorded: readings that came late, in order
// of time, under the place of the event that tells of them.
type Import struct {
	Seq      uint64 // of its readings_imported; the readings carry it too
	Probe    string
	Readings []sensor.Reading
}

// Stands is how long a reading of the logger stands at most: three of its
// file's intervals.
func (r *Readout) Stands() time.Duration {
	return time.Duration(3 * r.IntervalS * float64(time.Second)).Truncate(time.Millisecond)
}

// An Input is an event of the journal that takes part in judging, with the
// instant from which it does.
type Input struct {
	At sensor.Instant
	Event
}

// Inputs puts the events of a journal into the order in which they count, by
// what is known now: an event that was told wrongly counts where its newest
// correction puts it, an import from its first reading on. A logger that came
// with a batch is told as the placement that it is. Where that is earlier than
// the batch's receipt, the batch is known from there on, under the profile
// that it was received under.
func Inputs(events []Event) []Input {
	right := map[uint64]Event{}
	began := map[string]sensor.Instant{}
	for _, e := range events {
		switch {
		case e.Kind == PlacementCorrected:
			if e.Seq >= right[e.Corrects].Seq { // the list is in order of time, not of when it was told
				right[e.Corrects] = e
			}
		case e.Kind == ReadingsImported && e.Batch != "":
			if at, ok := began[e.Batch]; !ok || e.Start < at {
				began[e.Batch] = e.Start
			}
		}
	}
	var list, ends []Input
	for _, e := range events {
		if c, ok := right[e.Seq]; ok && e.Kind != PlacementCorrected {
			e.Time, e.Start = c.Time, c.Time
		}
		in := Input{At: e.Earliest(), Event: e}
		switch e.Kind {
		case ProfileAdopted: // for the whole life, also what a logger tells of it
			if at, ok := began[e.Batch]; ok && at < in.At {
				in.At = at
			}
		case PlacementCorrected, CalibrationCorrected:
			continue // what they correct is all that there is of them
		case BatchReceived:
			if at, ok := began[e.Batch]; ok && at < in.At {
				in.At, in.Label = at, profileAt(events, e.Profile, e.Time)
			}
		case ReadingsImported:
			in.At = e.Start
			list = append(list, in)
			if e.Batch == "" {
				continue
			}
			in.Event = Event{Seq: e.Seq, Time: e.Start, Kind: BatchPlaced, Batch: e.Batch, Unit: e.Unit, Start: e.Start}
			if e.End == nil { // what takes the batch up ends it
				break
			}
			out := Event{Seq: e.Seq, Time: *e.End, Kind: BatchTakenOut, Batch: e.Batch, FromUnit: e.Unit}
			ends = append(ends, Input{At: *e.End, Event: out})
		}
		list = append(list, in)
	}
	// At one instant the end of a transport comes before what takes the batch up.
	list = append(ends, list...)
	slices.SortStableFunc(list, func(a, b Input) int { return cmp.Compare(a.At, b.At) })
	return list
}

// profileAt is the profile as it was at an instant; nil where there was none.
func profileAt(events []Event, id string, t sensor.Instant) (found *Profile) {
	var newest sensor.Instant
	for _, e := range events {
		if e.Kind != ConfigChanged || e.Config == nil || e.Time > t || found != nil && e.Time < newest {
			continue
		}
		for i := range e.Config.Profiles {
			if e.Config.Profiles[i].ID == id {
				found, newest = &e.Config.Profiles[i], e.Time
			}
		}
	}
	return found
}

// Touches is the first instant whose judgement an event changes that is in the
// journal's list.
func Touches(e Event, list []Event) sensor.Instant {
	switch e.Kind {
	case ReadingsImported, CalibrationCorrected:
		return e.Start
	case PlacementCorrected:
		at, out := min(e.Time, e.Start), sensor.Instant(0)
		for _, o := range list { // earlier corrections of the same event moved it already
			if o.Kind == PlacementCorrected && o.Corrects == e.Corrects {
				at = min(at, o.Time, o.Start)
			}
			if o.Seq == e.Corrects {
				out = o.Time - o.Earliest() // it was out before it came in
			}
		}
		return at - out
	}
	return e.Earliest()
}

// Recalibrated corrects a reading by what is known by now of its probe's
// calibration: of several corrections the newest that holds at its time. from
// are the calibration_corrected of the journal, in order. A fault stays one.
func Recalibrated(r sensor.Reading, from []Event) sensor.Reading {
	if !r.Good() {
		return r
	}
	for i := len(from) - 1; i >= 0; i-- {
		e := &from[i]
		if e.Kind == CalibrationCorrected && e.Probe == r.Probe && e.Start <= r.Time && e.End != nil && r.Time < *e.End {
			r.Temp = sensor.Calibration{Points: e.Points}.Correct(r.Raw)
			return r
		}
	}
	return r
}
