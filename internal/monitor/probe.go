package monitor

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"coldkeep/internal/coldchain"
	"coldkeep/sensor"
)

const (
	// CheckMost is how long a probe may be out before it is judged again:
	// nobody may blind a fridge for longer by forgetting it.
	CheckMost = 30 * time.Minute
	// UsualTolerance is how far off a probe may be where the check says nothing.
	UsualTolerance = sensor.Temp(500)
)

// orders of probes, by name.
var probeOrders = []string{"probe-out", "probe-back", "probe-check"}

// recallProbes reads from the journal which probes are out, and which
// instruments were not good when they were checked last.
func (m *Monitor) recallProbes(ctx context.Context) error {
	list, err := m.pasts(ctx)
	if err != nil {
		return err
	}
	newest := map[string]coldchain.CheckMade{}
	for _, p := range list {
		if p.Out != nil {
			m.out[p.ID] = *p.Out
		}
		for _, c := range p.Checks {
			if c.Time >= newest[c.Instrument].Time {
				newest[c.Instrument] = c
			}
		}
	}
	for instrument, c := range newest {
		if !c.Good {
			m.off[instrument] = c
		}
	}
	return nil
}

func (m *Monitor) pasts(ctx context.Context) ([]coldchain.ProbePast, error) {
	list, err := m.st.EventsOf(ctx, coldchain.ProbeKinds...)
	if err != nil {
		return nil, fmt.Errorf("read the past of probes: %w", err)
	}
	return coldchain.PastOf(list), nil
}

// EventsOf gives the journal's events of some kinds, in order. What waits in
// memory for the disk is not among them.
func (m *Monitor) EventsOf(ctx context.Context, kinds ...coldchain.Kind) ([]coldchain.Event, error) {
	return m.st.EventsOf(ctx, kinds...)
}

// underCheck says whether what the probe reads at t is not judged.
func (m *Monitor) underCheck(probe string, t sensor.Instant) bool {
	c, out := m.out[probe]
	return out && t >= c.Since && t < c.Until
}

// checkOf is why a probe is out, for the snapshot; nil where it is not.
func (m *Monitor) checkOf(probe string) *coldchain.ProbeCheck {
	if c, out := m.out[probe]; out {
		return &c
	}
	return nil
}

// overdue is when the next probe will have been out for too long; 0: none.
func (m *Monitor) overdue(now sensor.Instant) (at sensor.Instant) {
	for _, c := range m.out {
		if c.Until > now && (at == 0 || c.Until < at) {
			at = c.Until
		}
	}
	return at
}

// probeNamed finds a probe by its id, however it is written, with its unit and
// what the config that judges says of it; both are zero for one in no unit.
func (m *Monitor) probeNamed(id string) (name, unit string, p coldchain.UnitProbe, err error) {
	var known []string
	for _, u := range m.held.Units {
		for _, p := range u.Probes {
			if strings.EqualFold(p.ID, id) {
				return p.ID, u.ID, p, nil
			}
			known = append(known, p.ID)
		}
	}
	for _, q := range m.o.Probes {
		if strings.EqualFold(q.ID, id) {
			return q.ID, "", p, nil
		}
		if !slices.Contains(known, q.ID) {
			known = append(known, q.ID)
		}
	}
	for out := range m.out { // it may have left the config meanwhile
		if strings.EqualFold(out, id) {
			return out, "", p, nil
		}
	}
	if id == "" {
		return "", "", p, refusal("bad_request", "which probe? there are %s", strings.Join(known, ", "))
	}
	return "", "", p, refusal("not_found", "no probe %q is configured; there are %s", id, strings.Join(known, ", "))
}

// orderProbe carries out what is done to a probe. The record can be written,
// and the command is a new one.
func (m *Monitor) orderProbe(ctx context.Context, c coldchain.Command) (coldchain.Event, error) {
	if c.At != 0 {
		return coldchain.Event{}, refusal("bad_request", "what is done to a probe is told as it is done: leave `at` out")
	}
	if c.By == "" {
		return coldchain.Event{}, refusal("bad_request", "who does this? give `by`")
	}
	id, unit, p, err := m.probeNamed(c.Probe)
	if err != nil {
		return coldchain.Event{}, err
	}
	at := m.instant()
	ev := coldchain.Event{Time: at, Unit: unit, Probe: id, By: c.By, Via: c.Via, Reason: c.Reason, ID: c.ID}
	switch c.Name {
	case "probe-out":
		err = m.takeOut(&ev, c)
	case "probe-back":
		err = m.putBack(&ev)
	default:
		err = m.check(ctx, &ev, c, p)
	}
	if err != nil {
		return coldchain.Event{}, err
	}
	s := coldchain.Step{At: at}
	m.add(&s, ev)
	ev = s.Events[0]
	m.e.Tick(at)
	m.collect(&s)
	m.unsaved = true
	return ev, m.commit(ctx, s)
}

func (m *Monitor) takeOut(ev *coldchain.Event, c coldchain.Command) error {
	switch c.Purpose {
	case "check", "which":
	case "out":
		if strings.TrimSpace(c.Reason) == "" {
			return refusal("bad_request", "why is probe %s taken out? give `reason`", ev.Probe)
		}
	default:
		return refusal("bad_request", "purpose %q: it is check (against a reference), which (to find out which it is) or out", c.Purpose)
	}
	if is, out := m.out[ev.Probe]; out {
		return refusal("conflict", "probe %s is out already: %s took it at %s; put it back first", ev.Probe, is.By, m.clockTime(is.Since))
	}
	until := ev.Time.Add(CheckMost)
	ev.Kind, ev.Purpose, ev.Start, ev.End = coldchain.ProbeTakenOut, c.Purpose, ev.Time, &until
	m.out[ev.Probe] = coldchain.ProbeCheck{Purpose: c.Purpose, By: c.By, Reason: c.Reason, Since: ev.Time, Until: until}
	return nil
}

func (m *Monitor) putBack(ev *coldchain.Event) error {
	is, out := m.out[ev.Probe]
	if !out {
		return refusal("conflict", "probe %s is not out: there is nothing to put back", ev.Probe)
	}
	end, took := ev.Time, ev.Time.Sub(is.Since).Seconds()
	ev.Kind, ev.Purpose, ev.Start, ev.End, ev.DurationS = coldchain.ProbePutBack, is.Purpose, is.Since, &end, &took
	delete(m.out, ev.Probe)
	return nil
}

// check notes what a probe read beside a reference, and which batches are in
// doubt where that was too far off.
func (m *Monitor) check(ctx context.Context, ev *coldchain.Event, c coldchain.Command, p coldchain.UnitProbe) error {
	switch {
	case p.Instrument == "":
		return refusal("bad_request", "probe %s is in no unit: there is nothing that it would be checked for", ev.Probe)
	case c.Reference == nil:
		return refusal("bad_request", "against what was it checked? give `reference`: 0.0 for an ice point, or what a reference thermometer showed")
	case c.Found == nil:
		return refusal("bad_request", "what did probe %s read? give `found`", ev.Probe)
	case c.Tolerance < 0:
		return refusal("bad_request", "a tolerance of %s °C is below 0: it is how far off the probe may be, to either side", c.Tolerance)
	}
	x := &coldchain.Check{Reference: *c.Reference, Found: *c.Found, Tolerance: c.Tolerance, Instrument: p.Instrument}
	if x.Tolerance == 0 {
		x.Tolerance = UsualTolerance
	}
	x.Good = max(x.Found-x.Reference, x.Reference-x.Found) <= x.Tolerance
	var err error
	if x.Raw, err = m.rawOf(ctx, ev.Probe, ev.Time, x.Found, p.Calibration); err != nil {
		return err
	}
	list, err := m.pasts(ctx)
	if err != nil {
		return err
	}
	var first, good *coldchain.CheckMade
	for i := range list {
		for j := range list[i].Checks {
			made := &list[i].Checks[j]
			if made.Instrument != p.Instrument {
				continue
			}
			if first == nil || made.Time < first.Time {
				first = made
			}
			if made.Good && (good == nil || made.Time > good.Time) {
				good = made
			}
		}
	}
	since := sensor.Instant(0)
	if good != nil {
		since = good.Time
		x.LastGood = &since
	}
	if first != nil {
		// By what the chip says: a new certificate is no drift.
		d := (x.Raw - x.Reference) - (first.Raw - first.Reference)
		x.Drift = &d
	}
	if !x.Good {
		x.Batches = judgedOn(m.e.Batches(), list, p.Instrument, since, ev.Time)
	}
	ev.Kind, ev.Check, ev.Text = coldchain.ProbeChecked, x, checkText(x)
	delete(m.off, x.Instrument)
	if !x.Good {
		m.off[x.Instrument] = coldchain.CheckMade{Time: ev.Time, Probe: ev.Probe, By: ev.By, Reason: ev.Reason, Check: *x}
	}
	return nil
}

func checkText(c *coldchain.Check) string {
	is := "within"
	if !c.Good {
		is = "beyond"
	}
	return fmt.Sprintf("it read %s °C at %s °C, %s %s °C", c.Found, c.Reference, is, c.Tolerance)
}

// rawOf is what the chip said when the probe was found to read this: as its
// newest such reading has it, else as the calibration makes it.
func (m *Monitor) rawOf(ctx context.Context, probe string, at sensor.Instant, found sensor.Temp, c sensor.Calibration) (sensor.Temp, error) {
	list, err := m.st.Readings(ctx, probe, at.Add(-CheckMost), at+1, 1<<20)
	if err != nil {
		return 0, fmt.Errorf("read what probe %s read: %w", probe, err)
	}
	for _, r := range slices.Backward(list) {
		if r.Good() && r.Temp == found {
			return r.Raw, nil
		}
	}
	raw := found
	for range 20 { // a correction is small and its slope near 1: this closes in fast
		raw += found - c.Correct(raw)
	}
	return raw, nil
}

// judgedOn lists the batches that were in a unit while the instrument judged
// it, between since and now, under whatever name, in order of their receipt.
func judgedOn(batches []coldchain.BatchState, probes []coldchain.ProbePast, instrument string, since, now sensor.Instant) (list []string) {
	judged := func(b coldchain.BatchState) bool {
		for _, p := range probes {
			for _, s := range p.Stays {
				if s.Instrument != instrument || !s.Judges {
					continue
				}
				from, to := max(s.From, since), now
				if s.To != nil {
					to = *s.To
				}
				for _, at := range b.Placements {
					if at.Unit == s.Unit && at.From < to && (at.To == nil || *at.To > from) && from < to {
						return true
					}
				}
			}
		}
		return false
	}
	for _, b := range batches {
		if judged(b) {
			list = append(list, b.ID)
		}
	}
	return list
}

// clockTime is an instant as the site's clocks show it.
func (m *Monitor) clockTime(t sensor.Instant) string {
	return t.Time().In(m.loc).Format("Mon 2 Jan 15:04")
}
