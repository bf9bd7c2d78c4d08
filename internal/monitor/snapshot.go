package monitor

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"coldkeep/internal/coldchain"
	"coldkeep/sensor"
)

// A probeSeen is what a probe has said so far.
type probeSeen struct {
	probe    sensor.Probe
	due      sensor.Instant
	last     sensor.Reading
	lastGood sensor.Reading
	reads    uint64
	failures map[sensor.Fault]uint64
}

func newProbeSeen(p sensor.Probe, loc *time.Location) *probeSeen {
	s := &probeSeen{probe: p, failures: map[sensor.Fault]uint64{}}
	if t, err := time.ParseInLocation(time.DateOnly, p.Calibration.Due, loc); err == nil {
		s.due = sensor.At(t)
	}
	return s
}

// A dayRange is a unit's extremes since the site's midnight.
type dayRange struct {
	ends     sensor.Instant
	has      bool
	min, max sensor.Temp
}

func (d *dayRange) see(r sensor.Reading, loc *time.Location) {
	if r.Time >= d.ends {
		t := r.Time.Time().In(loc)
		*d = dayRange{ends: sensor.At(time.Date(t.Year(), t.Month(), t.Day()+1, 0, 0, 0, 0, loc))}
	}
	if !d.has {
		d.has, d.min, d.max = true, r.Temp, r.Temp
	}
	d.min, d.max = min(d.min, r.Temp), max(d.max, r.Temp)
}

// A trend is a unit's temperature at the last sweeps.
type trend struct {
	temps []sensor.Temp
	now   int
}

const (
	trendSweeps = 6
	trendLeast  = sensor.Temp(200) // what is less is not told as rising or falling
)

func (t *trend) see(v *sensor.Temp) {
	if v == nil {
		t.temps, t.now = nil, 0
		return
	}
	t.temps = append(t.temps, *v)
	if len(t.temps) > trendSweeps {
		t.temps = t.temps[1:]
	}
	switch d := *v - t.temps[0]; {
	case d >= trendLeast:
		t.now = 1
	case d <= -trendLeast:
		t.now = -1
	default:
		t.now = 0
	}
}

// saw keeps what readers of the wire want to know of a reading.
func (m *Monitor) saw(r sensor.Reading) {
	p := m.probes[r.Probe]
	if p == nil {
		return
	}
	p.last = r
	p.reads++
	if !r.Good() {
		p.failures[r.Fault]++
		return
	}
	if r.Check {
		return // of a hand or a bath of ice, not of the unit
	}
	p.lastGood = r
	if u := m.units[r.Probe]; u != "" && m.judges(u, r.Probe) {
		d := m.days[u]
		if d == nil {
			d = &dayRange{}
			m.days[u] = d
		}
		d.see(r, m.loc)
	}
}

func (m *Monitor) judges(unit, probe string) bool {
	for _, u := range m.o.Config.Units {
		if u.ID != unit {
			continue
		}
		for _, p := range u.Probes {
			if p.ID == probe {
				return p.Judges
			}
		}
	}
	return false
}

func (m *Monitor) trend() {
	for _, u := range m.e.Units() {
		t := m.trends[u.ID]
		if t == nil {
			t = &trend{}
			m.trends[u.ID] = t
		}
		t.see(u.Temp)
	}
}

// recall reads the present day of the record, so that a restart shows what
// the probes said last and the extremes since midnight.
func (m *Monitor) recall(ctx context.Context) error {
	end := m.e.Now() + 1
	t := end.Time().In(m.loc)
	midnight := sensor.At(time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, m.loc))
	err := m.st.EachReading(ctx, midnight, end, func(r sensor.Reading, _ bool) error {
		m.saw(r)
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the day's readings: %w", err)
	}
	for _, p := range m.probes { // counters begin with the process
		p.reads = 0
		clear(p.failures)
	}
	return nil
}

// look finds how everything stands, but for what people do about it.
func (m *Monitor) look() *coldchain.Snapshot {
	made := sensor.At(m.o.Wall())
	s := &coldchain.Snapshot{Made: made, Record: m.st.RecordID(), Site: m.o.Site, Node: m.o.Node, Version: m.o.Version, Demo: m.o.Demo,
		Synchronized: m.o.Synchronized() && !m.clock.ahead,
	}
	if m.e == nil {
		for _, u := range m.o.Config.Units {
			x := coldchain.UnitState{Unit: u, Unmonitored: true}
			for _, p := range u.Probes {
				x.Probes = append(x.Probes, coldchain.ProbeState{ID: p.ID, Judges: p.Judges})
			}
			s.Units = append(s.Units, x)
		}
		s.Alarms = []coldchain.Alarm{}
	} else {
		s.At = m.e.Now()
		s.Units, s.Batches, s.Alarms = m.e.Units(), m.e.Batches(), m.e.OpenAlarms()
	}
	if m.storage != nil {
		s.Alarms = append(s.Alarms, *m.storage)
	}
	if !s.Synchronized {
		for i := range s.Batches {
			// A last day cannot be held against a clock that nobody has set.
			if b := &s.Batches[i]; b.Now == coldchain.NowInRange && (m.clock.ahead || b.ExpiresAt != 0 || b.UseByAt != nil) {
				b.Now = coldchain.NowClockDoubtful
			}
		}
	}
	m.showContacts(s)
	for i := range s.Units {
		u := &s.Units[i]
		if d := m.days[u.ID]; d != nil && d.has {
			lo, hi := d.min, d.max
			u.Min, u.Max = &lo, &hi
		}
		if t := m.trends[u.ID]; t != nil {
			u.Rising = t.now
		}
		for j := range u.Probes {
			p := m.probes[u.Probes[j].ID]
			if p == nil {
				continue
			}
			u.Probes[j] = coldchain.ProbeState{ID: p.probe.ID, Chip: p.probe.Chip, Medium: p.probe.Medium, Judges: u.Probes[j].Judges,
				Up:           p.last.Time != 0 && p.last.Good() && made.Sub(p.last.Time) <= 2*m.o.Interval,
				Uncalibrated: u.Probes[j].Uncalibrated, Uncertainty: u.Probes[j].Uncertainty, Borderline: u.Probes[j].Borderline,
				Last: p.last, LastGood: p.lastGood, Reads: p.reads, Failures: maps.Clone(p.failures), CalibrationDue: p.due, Check: m.checkOf(p.probe.ID)}
		}
	}
	return s
}

// publish shows readers how everything stands.
func (m *Monitor) publish(s *coldchain.Snapshot) {
	m.mu.Lock()
	s.Seq = m.seq
	m.mu.Unlock()
	s.Store = coldchain.StoreState{Failing: m.storage != nil, WriteFailures: m.failures}
	s.Notifications = maps.Clone(m.counts)
	s.Alarms = slices.DeleteFunc(s.Alarms, func(a coldchain.Alarm) bool { return a.Rule == RuleStorage && a.Unit == "" })
	if m.storage != nil {
		s.Alarms = append(s.Alarms, *m.storage)
	}
	m.showDesk(s)
	m.flights.Store(m.flightsNow())
	m.snapshot.Store(s)
}
