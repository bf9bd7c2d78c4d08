package coldchain

import (
	"slices"

	"coldkeep/sensor"
)

// state tells the batch as of t, which is closed. It changes nothing but that
// JudgedBy is shared from here on.
func (b *batch) state(t sensor.Instant) BatchState {
	if b.Where == ended {
		t = b.EndedAt
	}
	b.shown = true
	s := BatchState{
		ID: b.id(), Profile: *b.profile, ProfileID: b.profile.ID, Lot: b.Life.Lot, Vials: b.Life.Vials, Expiry: b.Life.Expiry, ExpiresAt: b.Life.ExpiresAt, GTIN: b.Life.GTIN, Serial: b.Life.Serial,
		Placements: slices.Clone(b.Life.Placements), Reasons: b.reasons(), Received: b.Received,
		Unit: b.unitID(), JudgedBy: b.JudgedBy, Before: b.Life.Before, SignedUseBy: b.Life.UseBy, SignedUseByAt: b.Life.UseByAt,
	}
	b.showPapers(&s)
	if b.Opened != 0 {
		at := b.Opened
		s.OpenedAt = &at
	}
	if end := min(b.lapseAt(openSince), b.lapseAt(signedDay)); end != never {
		at := end
		s.UseByAt = &at
	}
	if b.Where == stored || b.Where == outside {
		s.Stage = b.stage()
	}
	if b.Where != unplaced {
		from := b.Begun
		s.RecordFrom = &from
	}
	switch b.Where {
	case outside:
		at := b.OutsideAt
		s.OutsideSince = &at
	case ended:
		at := b.EndedAt
		s.Ended = &at
	}
	b.showCustody(&s)
	s.Exposure = b.exposure(t)
	s.Allowance = b.allowances(t)
	s.Verdict, s.Since = b.verdict(s.Exposure)
	s.Now = b.nowState()
	if s.Verdict != Quarantined && (b.Where == stored || b.Where == outside) {
		if d := b.lossDeadline(); d != never && d > t {
			at := d
			s.LostAt = &at
		}
	}
	s.Forecasts = b.forecasts(t)
	return s
}

// verdict is the first that holds, and since when.
func (b *batch) verdict(x Exposure) (Verdict, sensor.Instant) {
	if b.EndVerdict != "" {
		return b.EndVerdict, b.EndedAt
	}
	first := never
	for _, r := range b.Reasons {
		if !r.Released {
			first = min(first, r.At)
		}
	}
	if first != never {
		return Quarantined, first
	}
	switch {
	case b.ExpiredAt != 0:
		return Expired, b.ExpiredAt
	case x.MonitoredS == 0 && b.Where == unplaced:
		return Unknown, b.Received
	case x.MonitoredS == 0:
		return Unknown, b.Begun
	case b.HasRelease:
		return Released, b.ReleasedAt
	case b.Confirmed:
		return InExcursion, b.ConfirmedAt
	}
	return InRange, b.MonitoredFrom
}

func (b *batch) nowState() Now {
	switch b.Where {
	case outside:
		return NowOutside
	case stored:
		warm, _ := b.beyond(Above)
		cold, _ := b.beyond(Below)
		switch {
		case b.dark.Open:
			return NowNoData
		case warm:
			return NowTooWarm
		case cold:
			return NowTooCold
		}
		return NowInRange
	}
	return NowNoData
}

func (b *batch) exposure(t sensor.Instant) Exposure {
	mon, above, below, out := b.MonitoredMs, b.AboveMs, b.BelowMs, b.OutsideMs
	d := max(0, int64(t-b.At))
	switch b.Where {
	case outside:
		out += d
	case stored:
		if !b.dark.Open {
			mon += d
		}
		if _, certain := b.beyond(Above); certain {
			above += d
		}
		if _, certain := b.beyond(Below); certain {
			below += d
		}
	}
	x := Exposure{MonitoredS: seconds(mon), AboveS: seconds(above), BelowS: seconds(below), OutsideS: seconds(out), UnmonitoredS: seconds(b.dark.total(t, false)),
		FreezeThawCycles: b.Thaws.Perhaps, FreezeThawAtLeast: b.Thaws.AtLeast}
	has, lo, hi := b.HasExtremes, b.Min, b.Max
	if u := b.unit; u != nil && u.exSet {
		if !has {
			has, lo, hi = true, u.exMin, u.exMax
		}
		lo, hi = min(lo, u.exMin), max(hi, u.exMax)
	}
	if has {
		x.MinC, x.MaxC = &lo, &hi
	}
	if b.kinetic {
		sum := b.Kinetic
		if n := len(b.Stays); n > 0 && b.Stays[n-1].To == never {
			sum = sum.plus(b.Stays[n-1].upTo(t))
		}
		if sum.Ms > 0 {
			c := kineticTemp(sum.Weight/sum.Ms, b.profile.DeltaH)
			x.MKTC = &c
		}
	}
	return x
}

// allowances tells of each rule that sums what is used and what is left.
func (b *batch) allowances(t sensor.Instant) []Allowance {
	list := make([]Allowance, 0, len(b.Rules))
	for _, s := range b.Rules {
		r := &s.rule
		if r.FreezeThaw {
			_, used := s.cycles(&b.Thaws)
			list = append(list, Allowance{Rule: r.ID, Cycles: used, CyclesLeft: max(0, int(s.allowed())-used)})
			continue
		}
		if r.Total == 0 || s.m == nil {
			continue
		}
		used := int64(0)
		switch {
		case b.Where != unplaced:
			used = s.used(t, false)
		case !s.Anew:
			used = s.before.ms()
		}
		total := s.allowed()
		a := Allowance{Rule: r.ID, UsedS: seconds(used), LeftS: seconds(max(0, total-used)), TotalS: seconds(total)}
		if d := s.deadline(b); d != never && d > t && (b.Where == stored || b.Where == outside) {
			at := d
			a.RunsOut = &at
		}
		list = append(list, a)
	}
	return list
}

// Batches tells every batch as of the last closed instant.
func (e *Evaluator) Batches() []BatchState {
	list := make([]BatchState, 0, len(e.batches))
	for _, b := range e.batches {
		s := b.state(e.Now())
		s.NewerProfile = e.hasNewer(b)
		list = append(list, s)
	}
	return list
}

// Units tells every unit, without what only readers of the wire know: Probes
// carry what concerns judging alone.
func (e *Evaluator) Units() []UnitState {
	t := e.Now()
	list := make([]UnitState, 0, len(e.units))
	for _, u := range e.units {
		if u.logger {
			continue // it is there for what it saw, and nobody keeps anything in it
		}
		s := UnitState{Unit: u.cfg, Unmonitored: u.Unmonitored || !u.Entered, UnmonitoredSince: u.UnmonAt,
			OutOfRange: u.high.Open || u.low.Open, Temp: u.worst(), StableSince: u.Stable, CountedAt: u.tally.Counted, CountDue: u.countDue()}
		if !u.Entered {
			s.UnmonitoredSince = u.since
		}
		out, unmon := u.OutMs, u.UnmonMs
		for _, x := range []*excursion{u.high, u.low} {
			if x.Open {
				out += int64(t - x.Start)
				if s.Side == "" || x.line.beyond {
					s.Side, s.Since = x.kind, x.Start
				}
			}
		}
		if u.Unmonitored {
			unmon += int64(t - u.UnmonAt)
		}
		s.OutOfRangeS, s.UnmonitoredS = seconds(out), seconds(unmon)
		if s.Temp != nil {
			for _, p := range u.places[:u.judging] {
				if p.Stands && p.Last == *s.Temp {
					s.TempAt = max(s.TempAt, p.At)
				}
			}
		}
		for _, p := range u.places {
			x := u.cfg.probe(p.ID)
			// Of a reading that stands and judges it can be said whether it is near an end.
			near := p.Judges && p.Stands && u.cfg.Range.Borderline(p.Last, x.Calibration.Uncertainty)
			s.Borderline = s.Borderline || near && !s.OutOfRange && !s.Unmonitored
			s.Probes = append(s.Probes, ProbeState{ID: p.ID, Judges: p.Judges, Borderline: near, Uncalibrated: !x.Calibrated(t), Uncertainty: x.Calibration.Uncertainty})
		}
		for _, b := range u.batches {
			s.BatchCount++
			s.VialCount += max(b.Life.Vials, 0)
			if v, _ := b.verdict(b.exposure(t)); v.Flagged() {
				s.FlaggedCount++
			}
		}
		list = append(list, s)
	}
	return list
}

// OpenAlarms tells the alarms that are raised now, of units and batches,
// oldest first.
func (e *Evaluator) OpenAlarms() []Alarm {
	list := []Alarm{}
	for _, u := range e.units {
		for _, a := range u.alarms {
			if a.Raised {
				list = append(list, a.open(u))
			}
		}
		list = append(list, u.openProbeAlarms()...)
	}
	for _, b := range e.batches {
		if b.AlarmRaised {
			list = append(list, b.openAlarm())
		}
	}
	slices.SortStableFunc(list, func(a, b Alarm) int { return int(min(1, max(-1, a.Raised-b.Raised))) })
	return list
}
