package monitor

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"coldkeep/alert"
	"coldkeep/internal/coldchain"
	"coldkeep/sensor"
)

// A recalledReading is one that a logger had recorded, with how long it stands.
type recalledReading struct {
	sensor.Reading
	stands time.Duration
}

// recalled gives what loggers had recorded in [from, until], in order of time:
// what the record has, and what has just come.
func (m *Monitor) recalled(ctx context.Context, from, until sensor.Instant, events []coldchain.Event, come []coldchain.Import) ([]recalledReading, error) {
	stands := map[uint64]time.Duration{}
	for _, e := range events {
		if e.Kind == coldchain.ReadingsImported && e.Readout != nil {
			stands[e.Seq] = e.Readout.Stands()
		}
	}
	if len(stands) == 0 {
		return nil, nil
	}
	imports, err := m.st.Imports(ctx, "", from)
	if err != nil {
		return nil, fmt.Errorf("judge readings anew: %w", err)
	}
	var list []recalledReading
	for _, x := range append(imports, come...) {
		for _, r := range x.Readings {
			if r.Time >= from && r.Time <= until {
				list = append(list, recalledReading{r, stands[x.Seq]})
			}
		}
	}
	slices.SortStableFunc(list, func(a, b recalledReading) int { return cmp.Compare(a.Time, b.Time) })
	return list, nil
}

// because says which data made the record be judged anew.
func because(late []coldchain.Event) string {
	var list []string
	for _, e := range late {
		if text := becauseOf(e); !slices.Contains(list, text) {
			list = append(list, text)
		}
	}
	return strings.Join(list, "; ")
}

func becauseOf(e coldchain.Event) string {
	switch e.Kind {
	case coldchain.ReadingsImported:
		return fmt.Sprintf("the recording of %s was imported (file %s, SHA-256 %s)", e.Probe, e.Readout.Name, e.Readout.SHA256)
	case coldchain.PlacementCorrected:
		return fmt.Sprintf("event %d was corrected: it happened at %s, not at %s", e.Corrects, e.Time, e.Start)
	case coldchain.CalibrationCorrected:
		return fmt.Sprintf("the calibration of probe %s was corrected from %s on", e.Probe, e.Start)
	case coldchain.ProfileAdopted:
		return fmt.Sprintf("another revision of profile %s was adopted for batch %s", e.Profile, e.Batch)
	}
	if e.OutForS > 0 {
		return fmt.Sprintf("batch %s was out for %s before it came into %s", e.Batch, coldchain.Span(e.OutForS), e.Unit)
	}
	return fmt.Sprintf("%s at %s was told late", strings.ReplaceAll(string(e.Kind), "_", " "), e.Time)
}

// tellRejudged tells of each batch what the new judgement has changed, and why.
// What was said before stays in the journal.
func (m *Monitor) tellRejudged(s *coldchain.Step, before map[string]coldchain.BatchState, late []coldchain.Event) {
	for _, b := range m.e.Batches() {
		old, known := before[b.ID]
		if !known {
			continue
		}
		changes := difference(&old, &b)
		if len(changes) == 0 {
			continue
		}
		e := coldchain.Event{Time: s.At, Kind: coldchain.BatchRejudged, Batch: b.ID, Unit: b.Unit, Profile: b.ProfileID, Vials: b.Vials, Lot: b.Lot,
			Text: strings.Join(changes, "; "), Reason: "judged again: " + because(late)}
		m.add(s, e)
	}
}

// difference says in words what is judged otherwise; nothing where nothing is.
func difference(old, b *coldchain.BatchState) (list []string) {
	if old.Verdict != b.Verdict {
		list = append(list, fmt.Sprintf("its verdict was %s and is %s", old.Verdict, b.Verdict))
	}
	has := func(list []coldchain.Reason, r coldchain.Reason) bool {
		return slices.ContainsFunc(list, func(x coldchain.Reason) bool {
			return x.Rule == r.Rule && x.At == r.At && x.Unsupported == r.Unsupported
		})
	}
	for _, r := range b.Reasons {
		if !has(old.Reasons, r) && !r.Unsupported {
			list = append(list, fmt.Sprintf("it broke the rule %s at %s: %s", r.Rule, r.At, r.Text))
		}
	}
	for _, r := range old.Reasons {
		if !has(b.Reasons, r) && !r.Unsupported {
			list = append(list, fmt.Sprintf("it did not break the rule %s at %s", r.Rule, r.At))
		}
	}
	if from := b.RecordFrom; from != nil && (old.RecordFrom == nil || *old.RecordFrom != *from) {
		list = append(list, "its record starts at "+from.String())
	}
	was, is := old.Exposure, b.Exposure
	for _, x := range []struct {
		what    string
		was, is float64
	}{{"monitored", was.MonitoredS, is.MonitoredS}, {"too warm", was.AboveS, is.AboveS}, {"too cold", was.BelowS, is.BelowS}, {"without data", was.UnmonitoredS, is.UnmonitoredS}, {"outside", was.OutsideS, is.OutsideS}} {
		if x.was != x.is {
			list = append(list, fmt.Sprintf("%s %s, not %s", x.what, coldchain.Span(x.is), coldchain.Span(x.was)))
		}
	}
	return list
}

// tellHistoric tells of the batches' alarms that late data have found, or put
// at another instant: they are of the past, and are marked so, unless the batch
// is out of its range now.
func (m *Monitor) tellHistoric(s *coldchain.Step, before, now []coldchain.Alarm) {
	present := map[string]bool{}
	for _, b := range m.e.Batches() {
		present[b.ID] = b.Now == coldchain.NowTooWarm || b.Now == coldchain.NowTooCold
	}
	for _, a := range now {
		key := alarmKey(a)
		if a.Batch == "" || slices.ContainsFunc(before, func(o coldchain.Alarm) bool { return alarmKey(o) == key && o.Severity == a.Severity }) {
			continue
		}
		e := coldchain.Event{Time: a.Raised, Found: s.At, Kind: coldchain.AlarmRaised, Unit: a.Unit, Batch: a.Batch, Rule: a.Rule, Severity: a.Severity, Start: a.Raised, Text: a.Text, Reason: a.Text}
		if !present[a.Batch] {
			e.Call = &coldchain.Call{Historic: true}
			m.historic[key] = true
		}
		m.add(s, e)
	}
}

// markLate marks an alarm that late data have found. It wakes nobody, unless
// the batch is in use: then vials of it may be given to somebody tonight.
func (m *Monitor) markLate(s *coldchain.Snapshot, x *alert.Alarm) {
	of := strings.HasPrefix(x.Unit, coldchain.LoggerPrefix)
	if !of && !m.historic[x.Key] {
		return
	}
	for i := range s.Batches {
		b := &s.Batches[i]
		if b.ID != x.Batch {
			continue
		}
		if of {
			if x.Unit = b.Unit; strings.HasPrefix(b.Unit, coldchain.LoggerPrefix) {
				x.Unit = "" // nobody has placed it yet
			} // else what happened on its way is looked after where it is
		}
		x.Historic = m.historic[x.Key] && b.OpenedAt == nil && b.Stage != coldchain.InUse && !slices.ContainsFunc(b.Uses, func(u coldchain.Use) bool { return !u.Discarded })
		return
	}
}

// recallLate finds in the journal which alarms are of late data.
func (m *Monitor) recallLate(ctx context.Context) error {
	list, err := m.st.EventsOf(ctx, coldchain.AlarmRaised)
	if err != nil {
		return fmt.Errorf("read journal: %w", err)
	}
	for _, e := range list {
		if e.Batch != "" && e.Call != nil && e.Call.Historic {
			m.historic[alarmKey(coldchain.Alarm{Unit: e.Unit, Rule: e.Rule, Batch: e.Batch, Raised: e.Start})] = true
		}
	}
	return nil
}
