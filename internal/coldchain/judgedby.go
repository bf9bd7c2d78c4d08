package coldchain

import (
	"slices"
	"strings"
	"time"

	"coldkeep/sensor"
)

// begins adds the judging instruments of the unit that the batch has entered
// at t.
func (b *batch) begins(t sensor.Instant) {
	b.judges(t, func(list []JudgedBy) []JudgedBy {
		for _, p := range b.unit.cfg.Probes {
			if p.Judges {
				list = resumed(list, p.judgedFrom(t))
			}
		}
		return list
	})
}

// ends closes what still judges: the batch leaves its unit at t.
func (b *batch) ends(t sensor.Instant) {
	b.judges(t, func(list []JudgedBy) []JudgedBy {
		for i := range list {
			if list[i].To == nil {
				list[i].To = &t
			}
		}
		return list
	})
}

// resumed adds x to the list. Placements may touch: where the same instrument
// judged until that very instant, it goes on.
func resumed(list []JudgedBy, x JudgedBy) []JudgedBy {
	if i := slices.IndexFunc(list, func(o JudgedBy) bool { return o.To != nil && *o.To == x.From && o.same(x) }); i >= 0 {
		list[i].To = nil
		return list
	}
	return append(list, x)
}

// judges changes, at t, who judges the batch. change gets those of the list
// that are not over before t, so that years of moves cost no more than a day
// of them. Snapshots share the list: one that was shown is not changed.
func (b *batch) judges(t sensor.Instant, change func([]JudgedBy) []JudgedBy) {
	if b.shown {
		b.JudgedBy, b.shown = slices.Clone(b.JudgedBy), false
	}
	for b.over < len(b.JudgedBy) && b.JudgedBy[b.over].To != nil && *b.JudgedBy[b.over].To < t {
		b.over++
	}
	list := change(b.JudgedBy[b.over:])
	list = slices.DeleteFunc(list, func(o JudgedBy) bool { return o.To != nil && *o.To <= o.From })
	b.JudgedBy = append(b.JudgedBy[:b.over], list...)
}

func (p UnitProbe) judgedFrom(t sensor.Instant) JudgedBy {
	x := JudgedBy{Probe: p.ID, Instrument: p.Instrument, From: t}
	if p.CalibratedUntil != 0 {
		until := p.CalibratedUntil
		x.CalibratedUntil = &until
	}
	return x
}

// same says whether both are one instrument at one place under one calibration.
func (j JudgedBy) same(o JudgedBy) bool {
	if j.Probe != o.Probe || j.Instrument != o.Instrument || (j.CalibratedUntil == nil) != (o.CalibratedUntil == nil) {
		return false
	}
	return j.CalibratedUntil == nil || *j.CalibratedUntil == *o.CalibratedUntil
}

// Calibrated says whether the probe has a calibration that is valid at t.
func (p UnitProbe) Calibrated(t sensor.Instant) bool {
	return p.CalibratedUntil != 0 && t <= p.CalibratedUntil
}

// Uncalibrated are the probes that judged the batch, at some time up to now,
// without a valid calibration, each once.
func (b *BatchState) Uncalibrated(now sensor.Instant) []string {
	ids := []string{}
	for _, j := range b.JudgedBy {
		if !j.Calibrated(now) && !slices.Contains(ids, j.Probe) {
			ids = append(ids, j.Probe)
		}
	}
	return ids
}

// CalibrationText says which probes judged the batch without a valid
// calibration; "" where all had one. A probe without one still judges, since
// what it saw may be all that is known, and every verdict says so.
func (b *BatchState) CalibrationText(now sensor.Instant, loc *time.Location) string {
	var none []string
	var said []string
	for _, j := range b.JudgedBy {
		switch {
		case j.Calibrated(now):
		case j.CalibratedUntil == nil:
			if !slices.Contains(none, j.Probe) {
				none = append(none, j.Probe)
			}
		default:
			s := "Judged by probe " + j.Probe + ", whose calibration ended " + (*j.CalibratedUntil - 1).Time().In(loc).Format("2 Jan 2006") + "."
			if !slices.Contains(said, s) {
				said = append(said, s)
			}
		}
	}
	if len(none) > 0 {
		said = append([]string{"Judged by " + probesText(none) + ", for which no calibration is recorded."}, said...)
	}
	return strings.Join(said, " ")
}

// sameJudges says whether the same instruments judge under the same calibrations.
func sameJudges(a, b []UnitProbe) bool {
	return slices.EqualFunc(a, b, func(x, y UnitProbe) bool { return x.Judges == y.Judges && x.judgedFrom(0).same(y.judgedFrom(0)) })
}

// probe is the unit's probe of an id; the zero value where it has none.
func (u *Unit) probe(id string) UnitProbe {
	for _, p := range u.Probes {
		if p.ID == id {
			return p
		}
	}
	return UnitProbe{}
}
