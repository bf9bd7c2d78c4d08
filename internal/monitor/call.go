package monitor

import (
	"time"

	"coldkeep/alert"
	"coldkeep/internal/coldchain"
	"coldkeep/sensor"
)

// calls are the kinds of events that the desk's memory is made of.
var calls = []coldchain.Kind{coldchain.TroubleOpened, coldchain.TroubleJoined, coldchain.TroubleLeft, coldchain.TroubleCleared, coldchain.CallStarted, coldchain.CallDeclined,
	coldchain.StatusAsked, coldchain.AlarmAcknowledged, coldchain.AlarmLapsed, coldchain.AlarmShelved, coldchain.AlarmUnshelved, coldchain.AlarmClosed, coldchain.AlarmRaised,
	coldchain.AlarmCleared, coldchain.NotificationDue, coldchain.NotificationSent, coldchain.NotificationFailed, coldchain.NotificationUnknown, coldchain.DrillStarted,
	coldchain.DrillEnded, coldchain.ClockStepped}

// instantOf is 0 for the zero time.
func instantOf(t time.Time) sensor.Instant {
	if t.IsZero() {
		return 0
	}
	return sensor.At(t)
}

func timeOf(t sensor.Instant) time.Time {
	if t == 0 {
		return time.Time{}
	}
	return t.Time().UTC()
}

// fromDesk turns what the desk decided into a line of the journal.
func fromDesk(e alert.Event) coldchain.Event {
	c := &coldchain.Call{Trouble: e.Trouble, Wakes: e.Wakes, Day: e.Day, Policy: e.Policy, Step: e.Step, Anew: e.Anew, Person: e.Person, People: e.People, Contact: e.Contact,
		Until: instantOf(e.Until), BeyondMC: e.Beyond, Urgent: e.Urgent, Lapse: string(e.Lapse), Cause: e.Cause, Action: e.Action, Notification: e.ID, Receipt: e.Receipt,
		Retry: e.Retry, AfterS: e.After.Seconds(), TookS: e.Took.Seconds()}
	ev := coldchain.Event{Time: sensor.At(e.At), Kind: coldchain.Kind(e.Kind), By: e.By, Via: e.Via, Reason: e.Reason, Error: e.Error, Call: c}
	if a := e.Alarm; a != nil {
		c.Alarm, c.AlarmKind, c.Historic = a.Key, string(a.Kind), a.Historic
		ev.Unit, ev.Rule, ev.Batch, ev.Channel, ev.Severity, ev.Text, ev.Start = a.Unit, a.Rule, a.Batch, a.Channel, coldchain.Severity(a.Severity), a.Text, instantOf(a.Raised)
		if ev.Kind == coldchain.AlarmCleared {
			end := ev.Time
			ev.End = &end
		}
		if ev.Reason == "" {
			ev.Reason = a.Text
		}
	}
	if n := e.Notification; n != nil {
		c.Notification, c.Person, c.Contact, c.Purpose, c.Attempt, c.Repeat, c.News, c.Language = n.ID, n.Person, n.Contact, string(n.Purpose), n.Attempt, n.Again, n.News, n.Language
		c.Troubles = n.Troubles
		ev.Channel, ev.Severity = n.Channel, coldchain.Severity(n.Severity)
		if e.Kind == alert.Due {
			c.Body, ev.Text = n.Body, n.Title
		}
	}
	return ev
}

// toDesk turns a line of the journal back. It answers false where the line is
// none of the desk's.
func toDesk(ev coldchain.Event) (alert.Event, bool) {
	if ev.Kind == coldchain.ClockStepped && ev.JumpS != nil {
		return alert.Event{Kind: alert.ClockJumped, At: timeOf(ev.Time), Jump: seconds(*ev.JumpS)}, true
	}
	c := ev.Call
	if c == nil || c.Alarm == "" && (ev.Kind == coldchain.AlarmRaised || ev.Kind == coldchain.AlarmCleared) {
		return alert.Event{}, false
	}
	e := alert.Event{Kind: alert.EventKind(ev.Kind), At: timeOf(ev.Time), Trouble: c.Trouble, Wakes: c.Wakes, Day: c.Day, Policy: c.Policy, Step: c.Step, Anew: c.Anew, Person: c.Person,
		People: c.People, Contact: c.Contact, By: ev.By, Via: ev.Via, Reason: ev.Reason, Until: timeOf(c.Until), Beyond: c.BeyondMC, Urgent: c.Urgent, Lapse: alert.Lapse(c.Lapse),
		Cause: c.Cause, Action: c.Action, ID: c.Notification, Receipt: c.Receipt, Error: ev.Error, Retry: c.Retry, After: seconds(c.AfterS), Took: seconds(c.TookS)}
	if c.Alarm != "" {
		e.Alarm = &alert.Alarm{Key: c.Alarm, Kind: alert.Kind(c.AlarmKind), Severity: alert.Severity(ev.Severity), Unit: ev.Unit, Rule: ev.Rule, Batch: ev.Batch, Channel: ev.Channel,
			Text: ev.Text, Raised: timeOf(ev.Start), Historic: c.Historic}
	}
	if e.Kind == alert.Due {
		e.ID = ""
		e.Notification = &alert.Notification{ID: c.Notification, Person: c.Person, Contact: c.Contact, Channel: ev.Channel, Purpose: alert.Purpose(c.Purpose), Severity: alert.Severity(ev.Severity),
			Troubles: c.Troubles, Attempt: c.Attempt, Again: c.Repeat, News: c.News, Title: ev.Text, Body: c.Body, Language: c.Language, At: e.At}
	}
	return e, true
}

func seconds(s float64) time.Duration {
	return time.Duration(s*1e3+0.5) * time.Millisecond // all times are whole milliseconds
}
