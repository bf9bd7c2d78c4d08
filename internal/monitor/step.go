package monitor

import (
	"context"
	"fmt"
	"sync"

	"coldkeep/internal/coldchain"
	"coldkeep/sensor"
)

// RuleStorage is the alarm that the record cannot be written.
const RuleStorage = "storage"

// Sweep reads all buses at once, judges what they say, and records it. It
// answers when all buses have delivered or were given up. A slot that is
// closed already is left out.
func (m *Monitor) Sweep(ctx context.Context, slot sensor.Instant) {
	if m.e != nil && slot <= m.e.Now() {
		return
	}
	sw := sensor.Sweep{Slot: slot, Boot: m.boot, Monotonic: monotonic(), Synchronized: m.o.Synchronized() && !m.clock.ahead}
	got := make([][]sensor.Reading, len(m.o.Buses))
	var all sync.WaitGroup
	for i, b := range m.o.Buses {
		all.Go(func() { got[i] = b.Sweep(ctx, slot.Time()) })
	}
	all.Wait()
	if ctx.Err() != nil {
		return // stopping: nothing was read
	}
	for _, g := range got {
		sw.Readings = append(sw.Readings, g...)
	}
	s := coldchain.Step{At: slot}
	m.begin(slot, &s)
	m.lookAtClock(&s, slot)
	m.takeEarly(&s)
	m.take(&s, sw)
	// An error is told as an alarm and kept in the snapshot; the next step tries again.
	_ = m.commit(ctx, s)
}

// take judges a sweep and puts it into the step with what follows from it.
func (m *Monitor) take(s *coldchain.Step, sw sensor.Sweep) {
	for i := range sw.Readings {
		r := &sw.Readings[i]
		m.mu.Lock()
		m.seq++
		r.Seq = m.seq
		m.mu.Unlock()
		r.Check = m.underCheck(r.Probe, r.Time)
		m.e.Observe(*r)
		m.saw(*r)
	}
	m.e.Tick(sw.Slot)
	s.Sweeps = append(s.Sweeps, sw)
	m.collect(s)
	m.trend()
}

// collect takes over what the evaluator has found. An alarm that is raised
// and cleared in one step is past: it calls nobody.
func (m *Monitor) collect(s *coldchain.Step) {
	found := m.e.Take()
	type key struct {
		unit, rule, batch string
		raised            sensor.Instant
	}
	raised := map[key]int{}
	for i, e := range found {
		k := key{e.Unit, e.Rule, e.Batch, e.Start}
		switch e.Kind {
		case coldchain.AlarmRaised:
			raised[k] = i
		case coldchain.AlarmCleared:
			if j, ok := raised[k]; ok {
				found[i].Past, found[j].Past = true, true
			}
		}
	}
	for _, e := range found {
		if e.Time != s.At {
			e.Found = s.At
		}
		m.add(s, e)
		m.unsaved = true
	}
}

// commit lets the desk decide what follows from a step, and records it.
func (m *Monitor) commit(ctx context.Context, s coldchain.Step) error {
	snap := m.look()
	if m.e != nil && !m.feeding && !m.closing {
		m.turnDesk(&s, snap, m.instant())
	}
	return m.commitLooked(ctx, s, snap)
}

// commitLooked records a step and wakes the followers, also where the store
// fails: then the step waits in memory, and that is an alarm.
func (m *Monitor) commitLooked(ctx context.Context, s coldchain.Step, snap *coldchain.Snapshot) error {
	s.Cursors = m.cursorsNow(s.At)
	if m.closing || s.At.Sub(m.saved) >= checkpointEvery || m.unsaved && s.At.Sub(m.saved) >= checkpointLeast {
		data, err := m.e.Checkpoint(m.held)
		if err != nil {
			// A checkpoint is a cache: without it a restart reads more.
			m.log.Error("checkpoint cannot be made", "cause", err)
		} else {
			s.Checkpoint = data
			m.saved, m.unsaved = s.At, false
		}
	}
	if m.deskMoved && (m.closing || s.At.Sub(m.deskKept) >= deskEvery) {
		data, err := m.desk.Checkpoint()
		if err != nil {
			// It is a cache: without it a restart reads more of the journal.
			m.log.Error("the desk's memory cannot be kept", "cause", err)
		} else {
			s.Desk = data
			m.deskKept, m.deskMoved = s.At, false
		}
	}
	m.mu.Lock()
	m.tail.add(s)
	all := m.tail.whole()
	m.mu.Unlock()
	err := m.st.Record(ctx, all)
	m.mu.Lock()
	if err == nil {
		m.tail.steps, m.tail.readings = nil, 0
	}
	m.mu.Unlock()
	switch {
	case err != nil:
		m.failures++
		m.failed(s.At, err)
	case m.storage != nil:
		m.recovered(ctx, s.At)
	}
	m.publish(snap)
	m.mu.Lock()
	close(m.changed)
	m.changed = make(chan struct{})
	m.mu.Unlock()
	if err != nil {
		return fmt.Errorf("record step at %s: %w", s.At, err)
	}
	return nil
}

// failed tells, once, that the store does not take the record.
func (m *Monitor) failed(t sensor.Instant, cause error) {
	if m.storage != nil {
		return
	}
	m.log.Error("the record cannot be written; it waits in memory", "cause", cause)
	text := "the record cannot be written to disk: it is kept in memory and lost if the power fails"
	m.storage = &coldchain.Alarm{Rule: RuleStorage, Severity: coldchain.Critical, Raised: t, Text: text}
	s := coldchain.Step{At: t}
	m.add(&s, coldchain.Event{Time: t, Kind: coldchain.StoreFailed, Error: cause.Error(), Reason: text})
	m.add(&s, coldchain.Event{Time: t, Kind: coldchain.AlarmRaised, Rule: RuleStorage, Severity: coldchain.Critical, Start: t, Text: text, Reason: text})
	m.mu.Lock()
	m.tail.add(s)
	m.mu.Unlock()
}

func (m *Monitor) recovered(ctx context.Context, t sensor.Instant) {
	m.mu.Lock()
	loss := m.tail.lossText()
	m.tail.lost = 0
	m.mu.Unlock()
	a := m.storage
	m.storage = nil
	m.log.Info("the record is written again", "loss", loss)
	s := coldchain.Step{At: t}
	m.add(&s, coldchain.Event{Time: t, Kind: coldchain.StoreRecovered, Reason: loss})
	m.add(&s, coldchain.Event{Time: t, Kind: coldchain.AlarmCleared, Rule: RuleStorage, Severity: a.Severity, Start: a.Raised, End: &t, Text: a.Text, Reason: loss})
	m.mu.Lock()
	m.tail.add(s)
	m.mu.Unlock()
	if err := m.st.Record(ctx, s); err != nil {
		m.failures++
		m.failed(t, err)
		return
	}
	m.mu.Lock()
	m.tail.steps, m.tail.readings = nil, 0
	m.mu.Unlock()
}

// Feed takes history: sweeps in order of time, each after the commands that
// were given before its slot. It is written in large transactions. Followers
// that ask for their cursor afterwards start behind it.
func (m *Monitor) Feed(ctx context.Context, next func() (sensor.Sweep, []coldchain.Command, bool)) error {
	const whole = 5000 // sweeps in one transaction
	m.feeding = true
	defer func() { m.feeding = false }()
	var s coldchain.Step
	for {
		sw, commands, more := next()
		if !more {
			break
		}
		m.begin(sw.Slot, &s)
		for _, c := range commands {
			ev, err := m.e.Order(c)
			if err != nil {
				return fmt.Errorf("feed command %s of %s: %w", c.Name, c.Batch, err)
			}
			if err := m.e.Apply(ev); err != nil {
				return fmt.Errorf("feed command %s of %s: %w", c.Name, c.Batch, err)
			}
			m.add(&s, ev)
		}
		s.At = sw.Slot
		m.take(&s, sw)
		if len(s.Sweeps) == whole {
			if err := m.commit(ctx, s); err != nil {
				return fmt.Errorf("feed: %w", err)
			}
			s = coldchain.Step{}
		}
	}
	if len(s.Sweeps) == 0 {
		return nil
	}
	if err := m.commit(ctx, s); err != nil {
		return fmt.Errorf("feed: %w", err)
	}
	return nil
}
