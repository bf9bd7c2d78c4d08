// Package alert tells people of alarms, and makes sure that they were told.
//
// It knows nothing of fridges: an Alarm comes to it in the form that a message
// needs. The Dispatcher follows the journal, one durable cursor a channel, so
// that a message is sent after a crash that was not sent before it, and a
// channel that is stuck holds up no other. It imports nothing of ours: this is
// where outsiders add a channel.
package alert

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// A Severity says who must hurry.
type Severity string

// Critical gets a person out of bed, Warning can wait for the morning.
const (
	Critical Severity = "critical"
	Warning  Severity = "warning"
)

// A Kind says what an alarm is about.
type Kind string

// The kinds.
const (
	TooWarm Kind = "too_warm"
	TooCold Kind = "too_cold"
	NoData  Kind = "no_data"
	Batch   Kind = "batch"
	Other   Kind = "other"
)

// An Alarm is a condition that a person must know.
type Alarm struct {
	Key      string // the same from raising to clearing
	Kind     Kind
	Severity Severity
	Site     string
	Unit     string // as people call it; "" where it is of no unit
	UnitID   string
	Rule     string
	Batch    string // of a batch's alarm
	Text     string // the rule in words
	Temp     string // the present temperature, "9.4"; "" unknown
	Range    string // "2–8 °C"
	LastTemp string // where Temp is unknown: the last one
	LastAt   time.Time
	Trend    string // rising, falling, ""
	Vials    int    // in the unit, or of the batch
	Batches  []string
	Raised   time.Time
	Cleared  *time.Time // nil while it is open
	Past     bool       // was found when it was over already: calls nobody
	Location *time.Location
}

// A Message is what a channel sends. The title, at most 100 characters, is
// what a lock screen shows.
type Message struct {
	Key      string
	Title    string
	Body     string
	Severity Severity
	Cleared  bool
}

// A Notifier is a channel. Notify answers when the message is with the far
// side, or why not: a *TemporaryError is worth another try, any other error is
// not.
type Notifier interface {
	Name() string
	Notify(ctx context.Context, m Message) error
}

// A TemporaryError may be over at the next try.
type TemporaryError struct {
	Err   error
	After time.Duration // not before this; 0: as you like
}

func (e *TemporaryError) Error() string { return e.Err.Error() }
func (e *TemporaryError) Unwrap() error { return e.Err }

// Compose writes the message of an alarm, for a tired person.
func Compose(a Alarm) Message {
	m := Message{Key: a.Key, Severity: a.Severity, Cleared: a.Cleared != nil}
	loc := a.Location
	if loc == nil {
		loc = time.UTC
	}
	clock := func(t time.Time) string { return t.In(loc).Format("15:04") }
	unit := strings.ToUpper(a.Unit)
	var lines []string
	switch {
	case a.Cleared != nil && a.Kind == Batch:
		m.Title = fmt.Sprintf("DECIDED: batch %s. %s", a.Batch, a.Site)
		lines = append(lines, "It was: "+a.Text+".")
	case a.Cleared != nil:
		m.Title = fmt.Sprintf("ALL CLEAR: %s since %s. %s", back(a), clock(*a.Cleared), a.Site)
		lines = append(lines, fmt.Sprintf("It was: %s, from %s on.", a.Text, clock(a.Raised)))
	case a.Kind == TooWarm || a.Kind == TooCold:
		word := map[Kind]string{TooWarm: "TOO WARM", TooCold: "TOO COLD"}[a.Kind]
		m.Title = strings.Join(fields(unit, word, degrees(a.Temp), "("+a.Range+")"), " ")
		if a.Trend != "" {
			m.Title += ", " + a.Trend
		}
		m.Title += ". " + a.Site
		lines = append(lines, upper(a.Text)+".")
		if a.Kind == TooWarm {
			lines = append(lines, "1 Shut the door; look at plug and switch. 2 Not falling in 10 min: move the vials to a unit that holds their range, or keep the door shut.")
		} else {
			lines = append(lines, "Vials may freeze. Look at the thermostat; move them to a unit that holds their range.")
		}
	case a.Kind == NoData:
		m.Title = fmt.Sprintf("%s NO TEMPERATURE", unit)
		if a.LastTemp != "" {
			m.Title += fmt.Sprintf("; last %s °C at %s", a.LastTemp, clock(a.LastAt))
		}
		m.Title += ". Someone must look. " + a.Site
		lines = append(lines, upper(a.Text)+".")
	case a.Kind == Batch:
		word := "DO NOT USE"
		if a.Severity == Warning {
			word = "ASK FIRST"
		}
		m.Title = fmt.Sprintf("BATCH %s: %s. %s. %s", a.Batch, word, upper(a.Text), a.Site)
		lines = append(lines, "Leave it cold and marked. Do not throw it away. A manager decides.")
		if a.Unit != "" {
			lines = append(lines, "It is in "+a.Unit+".")
		}
	default:
		m.Title = strings.TrimSpace(unit+" "+a.Text) + ". " + a.Site
	}
	if a.Vials > 0 && a.Cleared == nil {
		lines = append(lines, fmt.Sprintf("%d vials: %s.", a.Vials, strings.Join(a.Batches, ", ")))
	}
	if a.Cleared == nil {
		lines = append(lines, "Since "+a.Raised.In(loc).Format("Mon 15:04 MST")+".")
	}
	m.Title = cut(m.Title, 100)
	m.Body = cut(strings.Join(lines, "\n"), 1024)
	return m
}

func back(a Alarm) string {
	switch {
	case a.Kind == NoData:
		return a.Unit + " gives a temperature again"
	case a.Temp != "":
		return a.Unit + " is back at " + a.Temp + " °C"
	case a.Unit == "":
		return a.Text + ": over"
	}
	return a.Unit
}

func degrees(t string) string {
	if t == "" {
		return ""
	}
	return t + " °C"
}

func fields(all ...string) (list []string) {
	for _, s := range all {
		if s != "" && s != "()" {
			list = append(list, s)
		}
	}
	return list
}

func upper(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// cut shortens to n characters, never within one.
func cut(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return string(r[:n-1]) + "…"
}
