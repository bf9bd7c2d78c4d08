package monitor

import (
	"context"
	"fmt"

	"coldkeep/alert"
	"coldkeep/internal/coldchain"
)

// Alerts is the Monitor as the alert.Dispatcher follows it.
type Alerts struct{ *Monitor }

var _ alert.Journal = Alerts{}

// Alarms gives the alarms raised and cleared beyond after.
func (a Alerts) Alarms(ctx context.Context, after uint64) ([]alert.Entry, uint64, error) {
	const page = 500
	events, err := a.Events(ctx, after, page)
	if err != nil {
		return nil, after, fmt.Errorf("read alarms: %w", err)
	}
	s := a.Snapshot()
	var list []alert.Entry
	for _, e := range events {
		after = e.Seq
		if e.Kind == coldchain.AlarmRaised || e.Kind == coldchain.AlarmCleared {
			list = append(list, alert.Entry{Seq: e.Seq, Alarm: a.alarm(s, e)})
		}
	}
	return list, after, nil
}

func alarmKey(unit, rule, batch string, raised fmt.Stringer) string {
	return unit + "/" + rule + "/" + batch + "/" + raised.String()
}

// Open says whether the alarm is raised at this moment.
func (a Alerts) Open(key string) bool {
	for _, x := range a.Snapshot().Alarms {
		if alarmKey(x.Unit, x.Rule, x.Batch, x.Raised) == key {
			return true
		}
	}
	return false
}

// Report writes what became of a message into the journal.
func (a Alerts) Report(ctx context.Context, r alert.Report) error {
	e := coldchain.Event{Kind: coldchain.NotificationSent, Channel: r.Channel, Unit: r.Alarm.UnitID, Batch: r.Alarm.Batch, Rule: r.Alarm.Rule,
		Severity: coldchain.Severity(r.Alarm.Severity), Text: r.Text}
	if r.Err != nil {
		e.Kind, e.Error = coldchain.NotificationFailed, r.Err.Error()
	}
	return a.Append(ctx, e)
}

// alarm turns an event into what a message needs, with the present state of
// the unit around it.
func (a Alerts) alarm(s *coldchain.Snapshot, e coldchain.Event) alert.Alarm {
	x := alert.Alarm{Key: alarmKey(e.Unit, e.Rule, e.Batch, e.Start), Kind: alert.Other, Severity: alert.Severity(e.Severity), Site: s.Site.Name, UnitID: e.Unit, Unit: e.Unit,
		Rule: e.Rule, Batch: e.Batch, Text: e.Text, Raised: e.Start.Time(), Past: e.Past, Location: a.loc}
	if x.Site == "" {
		x.Site = s.Site.ID
	}
	if e.Kind == coldchain.AlarmCleared && e.Reason == coldchain.BecameCritical {
		x.Past = true // the graver alarm that takes its place is told
	}
	if e.Kind == coldchain.AlarmCleared {
		t := e.Time.Time()
		if e.End != nil {
			t = e.End.Time()
		}
		x.Cleared = &t
	}
	var unit *coldchain.UnitState
	for i := range s.Units {
		if s.Units[i].ID == e.Unit && e.Unit != "" {
			unit = &s.Units[i]
		}
	}
	if unit != nil {
		x.Unit, x.Range = unit.Title(), unit.Range.Text()
		if unit.Temp != nil {
			x.Temp = coldchain.Degrees(*unit.Temp, unit.Range.Low, unit.Range.High)
			x.Trend = map[int]string{1: "rising", -1: "falling"}[unit.Rising]
		}
		if p := unit.LastGood(); p != nil {
			x.LastTemp, x.LastAt = coldchain.Degrees(p.LastGood.Temp, unit.Range.Low, unit.Range.High), p.LastGood.Time.Time()
		}
		for _, r := range unit.Alarms {
			switch {
			case r.ID != e.Rule || e.Batch != "":
			case r.ID == coldchain.RuleRemoved:
			case r.NoData > 0:
				x.Kind = alert.NoData
			case r.Limit.Side == coldchain.Above:
				x.Kind = alert.TooWarm
			default:
				x.Kind = alert.TooCold
			}
		}
	}
	for i := range s.Batches {
		b := &s.Batches[i]
		if e.Batch != "" && b.ID != e.Batch || e.Batch == "" && (e.Unit == "" || b.Unit != e.Unit) {
			continue
		}
		x.Vials += max(b.Vials, 0)
		x.Batches = append(x.Batches, fmt.Sprintf("%s (%d)", b.ID, b.Vials))
	}
	if e.Batch != "" {
		x.Kind = alert.Batch
	}
	return x
}
