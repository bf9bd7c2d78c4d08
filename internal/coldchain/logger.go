package coldchain

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"coldkeep/sensor"
)

// A backup is a logger that lay in a unit, from its first reading to its last,
// both inside. What it saw fills the time in which nothing else is known.
type backup struct {
	Unit       string
	Probe      string
	Instrument string
	From, To   sensor.Instant
}

// A spare is what a unit's backup logger has said last.
type spare struct {
	Probe      string
	Instrument string
	Last       sensor.Temp
	At         sensor.Instant
	Until      sensor.Instant // how long it stands at most
}

// instrument is how the record names a logger.
func (r *Readout) instrument() string { return fmt.Sprintf("logger %s %s", r.Format, r.Logger) }

// importing lets a logger's recording count from here on: of a batch, as the
// unit that it travelled in; of a unit, as its backup.
func (e *Evaluator) importing(ev Event) {
	if ev.Readout == nil {
		return // an import without a read-out says nothing
	}
	if ev.Batch == "" {
		b := backup{Unit: ev.Unit, Probe: ev.Probe, Instrument: ev.Readout.instrument(), From: ev.Start}
		if ev.End != nil {
			b.To = *ev.End
		}
		e.backups = append(e.backups, b)
		return
	}
	if b := e.find(ev.Batch); b != nil {
		// The file is a paper of the batch, too, for whoever wants to see it.
		r, at := ev.Readout, ev.Found
		if at == 0 {
			at = ev.Time
		}
		e.attach(b, Event{Time: at, Paper: &Paper{SHA256: r.SHA256, Name: r.Name, Kind: PaperLogger, Bytes: r.Bytes, Checked: ev.By, At: at, By: ev.By}})
	}
	if e.unitOf[ev.Unit] != nil {
		return // it travelled before, or with several
	}
	c := Unit{ID: ev.Unit, Name: "Logger " + ev.Readout.Logger, Transport: true, MaxGap: max(ev.Readout.Stands(), time.Millisecond),
		// Of a parcel it is all that is known: it stands for the vials.
		Probes: []UnitProbe{{ID: ev.Probe, Instrument: ev.Readout.instrument(), Judges: true, Medium: sensor.Buffered}}}
	if b := e.find(ev.Batch); b != nil {
		c.Range = b.profile.Range
		for _, s := range b.profile.Stages {
			if s.Stage == Transport {
				c.Range = s.Range
			}
		}
	}
	u := e.enlist(c, ev.Start)
	u.logger = true
	e.stale = true
}

// Recall takes a reading that a logger had recorded, which stands for stands at
// most. Like those of probes they come in order of time, once for each instant.
func (e *Evaluator) Recall(r sensor.Reading, stands time.Duration) Outcome {
	if r.Time <= e.now && (e.closed || r.Time < e.now) {
		return Late
	}
	if r.Time > e.now {
		e.advance(r.Time)
	}
	if !r.Good() {
		e.counts.faults++
		return Taken // it ends nothing that stands
	}
	e.counts.good++
	until := r.Time.Add(stands)
	if p := e.places[r.Probe]; p != nil && p.unit != nil && p.unit.logger {
		u := p.unit
		if len(u.batches) == 0 && (!p.Stands || p.Until <= r.Time) {
			// It goes on another way: what it saw on the last one is over.
			p.Has, p.Stands = false, false
		}
		u.take(p, &r)
		p.Until, u.changed = until, true
		e.soil(u)
	}
	for i := range e.backups {
		b := &e.backups[i]
		u := e.unitOf[b.Unit]
		if b.Probe != r.Probe || u == nil || r.Time < b.From || r.Time > b.To {
			continue
		}
		s := u.spare(b)
		s.Last, s.At, s.Until, u.changed = r.Temp, r.Time, until, true
		e.soil(u)
	}
	return Taken
}

func (u *unit) spare(b *backup) *spare {
	i, known := slices.BinarySearchFunc(u.spares, b.Probe, func(s *spare, id string) int { return cmp.Compare(s.Probe, id) })
	if !known {
		u.spares = slices.Insert(u.spares, i, &spare{Probe: b.Probe})
	}
	u.spares[i].Instrument = b.Instrument
	return u.spares[i]
}

// lend lets a backup logger's reading stand in for the judging probes that are
// silent, for as long as the others alone leave the unit unmonitored: none
// stands, or an excursion is doubtful. What it says is then the last that is
// known of them. It answers those for which a reading is new.
func (u *unit) lend(t sensor.Instant) (lent []*place) {
	if len(u.spares) == 0 {
		return nil
	}
	var s *spare
	for _, x := range u.spares {
		if x.At <= t && x.Until > t {
			s = x
			break
		}
	}
	need := u.needs()
	lender := ""
	for _, p := range u.places[:u.judging] {
		switch {
		case p.reads():
		case need && s != nil:
			lender = s.Probe
			if p.Lent && p.Stands && p.At == s.At && p.Last == s.Last {
				continue
			}
			if !p.Lent {
				p.OwnHas, p.OwnAt = p.Has, p.At
			}
			p.Has, p.Stands, p.Lent = true, true, true
			p.Last, p.At, p.Until = s.Last, s.At, s.Until
			if !u.exSet {
				u.exSet, u.exMin, u.exMax = true, p.Last, p.Last
			}
			u.exMin, u.exMax = min(u.exMin, p.Last), max(u.exMax, p.Last)
			lent = append(lent, p)
		case p.Lent:
			p.Stands = false
		}
	}
	if lender != "" && !u.needs() {
		// It has ended what made the others doubtful: they go on by themselves.
		lender = ""
		for _, p := range u.places[:u.judging] {
			p.Stands = p.Stands && !p.Lent
		}
	}
	if lender != u.lender {
		u.lender = lender
		for _, b := range u.batches {
			b.lends(t)
		}
	}
	return lent
}

// needs says whether the probes alone leave the unit unmonitored.
func (u *unit) needs() bool {
	return !slices.ContainsFunc(u.places[:u.judging], (*place).reads) || u.alone(u.high) || u.alone(u.low)
}

// reads says whether a reading of the probe itself stands.
func (p *place) reads() bool { return p.Stands && !p.Lent }

// alone says whether the excursion is doubtful by the probes alone.
func (u *unit) alone(x *excursion) bool {
	open := false
	for _, p := range u.places[:u.judging] {
		if !p.Has || !x.line.Beyond(p.Last) {
			continue
		}
		if p.reads() {
			return false
		}
		open = true
	}
	return open
}

// admit takes a reading that began to stand into the excursion's extremes.
func (x *excursion) admit(p *place) {
	if x.Open && x.line.Beyond(p.Last) {
		x.widen(p.Last)
	}
}

// lends notes which logger stands in for the probes of the batch's unit from t
// on.
func (b *batch) lends(t sensor.Instant) {
	var spares []*spare
	lender := ""
	if b.unit != nil {
		spares, lender = b.unit.spares, b.unit.lender
	}
	b.judges(t, func(list []JudgedBy) []JudgedBy {
		known := false
		for i := range list {
			if j := &list[i]; j.To == nil && slices.ContainsFunc(spares, func(s *spare) bool { return s.Probe == j.Probe }) {
				if j.Probe == lender {
					known = true
					continue
				}
				j.To = &t
			}
		}
		for _, s := range spares {
			if s.Probe == lender && !known {
				list = resumed(list, JudgedBy{Probe: s.Probe, Instrument: s.Instrument, From: t})
			}
		}
		return list
	})
}

// shed drops loggers whose travels are over and on which no batch counts any
// more. Nothing that is told depends on it.
func (e *Evaluator) shed() {
	for i := len(e.units) - 1; i >= 0; i-- {
		u := e.units[i]
		if !u.logger || len(u.batches) > 0 || slices.ContainsFunc(e.plans, func(p plan) bool { return p.Unit == u.cfg.ID }) {
			continue
		}
		if slices.ContainsFunc(e.batches, func(b *batch) bool {
			return slices.ContainsFunc(b.Stays, func(s stay) bool { return s.Unit == u.cfg.ID })
		}) {
			continue
		}
		e.units = slices.Delete(e.units, i, i+1)
		delete(e.unitOf, u.cfg.ID)
		for _, p := range u.places {
			delete(e.places, p.ID)
		}
	}
	for i, u := range e.units {
		u.order = i
	}
	e.backups = slices.DeleteFunc(slices.Clone(e.backups), func(b backup) bool { return b.To < e.now })
	for _, u := range e.units {
		u.spares = slices.DeleteFunc(u.spares, func(s *spare) bool { return s.Until <= e.now && s.Probe != u.lender })
	}
	e.last, e.stale = nil, true
}
