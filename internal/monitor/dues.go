package monitor

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"coldkeep/alert"
	"coldkeep/internal/coldchain"
	"coldkeep/sensor"
)

// The rules of the alarms about probes, as instruments.
const (
	RuleCalibration = "calibration"      // a calibration ends, or has ended
	RuleMapping     = "mapping"          // a unit is to be mapped again
	RuleTolerance   = "out_of_tolerance" // a check found the probe too far off
	RuleOverrun     = "check_overrun"    // a probe is out for too long
)

// calibrationDays are how many days before its end a calibration is told of.
var calibrationDays = []int{90, 30, 1, 0}

// mappingDays is the same for the mapping of a unit.
const mappingDays = 30

// dues are the alarms about dates that hold. They change at the site's days
// only, and so are looked for once and not at every sweep.
type dues struct {
	list  []alert.Alarm
	until time.Time // when they must be looked for anew; zero: now
}

// probesFound are the alarms about probes that hold at t.
func (m *Monitor) probesFound(at sensor.Instant) (list []alert.Alarm) {
	t := timeOf(at)
	if !t.Before(m.dues.until) {
		m.dues = duesAt(m.held, t, m.loc)
	}
	list = append(list, m.dues.list...)
	for _, id := range slices.Sorted(maps.Keys(m.out)) {
		c := m.out[id]
		if at < c.Until {
			continue
		}
		list = append(list, alert.Alarm{Key: fmt.Sprintf("%s/%s/%s", RuleOverrun, id, c.Since), Kind: alert.Other, Severity: alert.Warning, Unit: m.units[id], Rule: RuleOverrun,
			Text: fmt.Sprintf("probe %s is not back: %s took it out on %s, and it is judged again since %s; put it in its place, then `coldkeep probes back %s`",
				id, c.By, m.clockTime(c.Since), c.Until.Time().In(m.loc).Format("15:04"), id)})
	}
	if len(m.off) == 0 {
		return list
	}
	for _, u := range m.held.Units {
		for _, p := range u.Probes {
			c, off := m.off[p.Instrument]
			if !off {
				continue
			}
			a := alert.Alarm{Key: fmt.Sprintf("%s/%s/%s", RuleTolerance, p.ID, c.Time), Kind: alert.Other, Severity: alert.Warning, Unit: u.ID, Rule: RuleTolerance,
				Text: "probe " + p.ID + ": " + checkText(&c.Check)}
			if n := len(c.Batches); n > 0 {
				a.Severity = alert.Critical
				a.Text += fmt.Sprintf("; %s judged on it%s", batchesWere(n), m.sinceGood(c.Check))
			}
			list = append(list, a)
		}
	}
	return list
}

func batchesWere(n int) string {
	if n == 1 {
		return "1 batch was"
	}
	return fmt.Sprintf("%d batches were", n)
}

func (m *Monitor) sinceGood(c coldchain.Check) string {
	if c.LastGood == nil {
		return ", and no check was good before"
	}
	return " since it was good on " + c.LastGood.Time().In(m.loc).Format("2 Jan 2006")
}

// duesAt finds what is due at t, and when that changes next.
func duesAt(c coldchain.Config, t time.Time, loc *time.Location) dues {
	day := t.In(loc)
	d := dues{until: time.Date(day.Year(), day.Month(), day.Day()+1, 0, 0, 0, 0, loc)}
	// step says which of the times before an end has come last; none: -1.
	step := func(end time.Time, days ...int) int {
		at := -1
		for _, n := range days {
			if from := end.In(loc).AddDate(0, 0, -n); !t.Before(from) {
				at = n
			} else if from.Before(d.until) {
				d.until = from
			}
		}
		return at
	}
	for _, u := range c.Units {
		for _, p := range u.Probes {
			if p.CalibratedUntil != 0 {
				end := timeOf(p.CalibratedUntil)
				if n := step(end, calibrationDays...); n >= 0 {
					d.list = append(d.list, calibrationDue(u.ID, p, end.In(loc), n))
				}
			}
			if due, err := time.ParseInLocation(time.DateOnly, p.Position.MappingDue, loc); err == nil { // "": none is stated
				if n := step(due.AddDate(0, 0, 1), mappingDays+1, 0); n >= 0 {
					d.list = append(d.list, mappingDue(u.ID, p, due, n))
				}
			}
		}
	}
	return d
}

func calibrationDue(unit string, p coldchain.UnitProbe, end time.Time, days int) alert.Alarm {
	last := end.Add(-time.Millisecond).Format("2 Jan 2006") // the last day on which it is valid
	// Short, for a lock screen, and the same for as long as the step holds.
	text := fmt.Sprintf("probe %s: calibration ends on %s, within %d days", p.ID, last, days)
	switch days {
	case 1:
		text = fmt.Sprintf("probe %s: calibration ends with this day, %s", p.ID, last)
	case 0:
		text = fmt.Sprintf("probe %s: calibration ended on %s", p.ID, last)
	}
	return alert.Alarm{Key: fmt.Sprintf("%s/%s/%s/%d", RuleCalibration, p.ID, end.UTC().Format(time.RFC3339), days), Kind: alert.Calibration, Severity: alert.Warning, Unit: unit,
		Rule: RuleCalibration, Text: text}
}

func mappingDue(unit string, p coldchain.UnitProbe, due time.Time, days int) alert.Alarm {
	a := alert.Alarm{Key: fmt.Sprintf("%s/%s/%s/%d", RuleMapping, p.ID, p.Position.MappingDue, days), Kind: alert.Other, Severity: alert.Warning, Unit: unit, Rule: RuleMapping,
		Text: fmt.Sprintf("probe %s: mapping of its place is due on %s", p.ID, due.Format("2 Jan 2006"))}
	if days == 0 {
		a.Kind, a.Text = alert.CheckMissed, fmt.Sprintf("probe %s: mapping of its place was due on %s", p.ID, due.Format("2 Jan 2006"))
	}
	return a
}
