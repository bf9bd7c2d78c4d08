package recording

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A tagAlarm is one of the alarms that a Berlinger logger was set to.
type tagAlarm struct {
	kind    int    // of a Q-tag: 1 cold, 2 hot, at once; 3 cold, 4 hot, in all
	at      string // degrees as the file has them
	minutes string
}

// tag reads a report of Berlinger's Q-tag and Fridge-tag loggers: an outline,
// indented by spaces, in which Conf says what the logger was set to, Res or Hist
// what it found, and Data its readings.
func (l *log) tag() error {
	l.Format = "qtag"
	fridge := strings.Contains(l.lines[0], "Fridge-tag")
	if fridge {
		l.Format = "fridgetag"
	}
	alarms := map[string]*tagAlarm{}
	section, list, number, day, found := "", "", "", "", false
	for i := 1; i < len(l.lines); i++ {
		line := l.lines[i]
		trimmed := strings.TrimSpace(line)
		if trimmed == "" {
			continue
		}
		if trimmed == "Data:" {
			found = true
			if err := l.tagReadings(i + 1); err != nil {
				return err
			}
			break
		}
		depth := len(line) - len(strings.TrimLeft(line, " \t"))
		key, value, _ := strings.Cut(trimmed, ":")
		value = strings.TrimSpace(value)
		switch {
		case depth == 0:
			section, list, number = key, "", ""
			continue
		case value == "" && strings.Trim(key, "0123456789") == "":
			number = key
			continue
		case value == "" && key == "Alarm":
			list, number = key, ""
			continue
		case value == "" && (strings.HasSuffix(key, "Sensor") || strings.HasSuffix(key, "timeout")):
			list = key
			continue
		}
		switch {
		case section == "Conf" && key == "Serial":
			l.Logger = value
		case section == "Conf" && key == "Logging Interval":
			if n, err := strconv.Atoi(value); err == nil && n > 0 {
				l.interval = time.Duration(n) * time.Minute
			}
		case section == "Conf" && key == "Temp unit":
			l.fahrenheit = strings.EqualFold(value, "F")
		case section == "Res" && key == "MKT":
			if v, err := strconv.ParseFloat(value, 64); err == nil && v > -274 && v < 1001 {
				l.MKT = &v
			}
		case section == "Hist" && key == "Date":
			day, list, number = value, "", ""
		case section == "Conf" && list == "Alarm":
			f := tagFields(trimmed)
			if f["T AL"] == "" {
				continue // it is not set
			}
			a := &tagAlarm{at: f["T AL"], minutes: f["t AL"]}
			if fridge {
				a.kind = map[string]int{"0": 1, "1": 2}[number]
			} else {
				a.kind, _ = strconv.Atoi(f["Type"]) // 0, which is none, where it says nothing
			}
			alarms[number] = a
			l.tagLimit(a)
		case (section == "Res" || section == "Hist") && list == "Alarm":
			if at := tagFields(trimmed)["TS A"]; at != "" {
				if section == "Hist" {
					at = day + " " + at
				}
				l.trip(alarms[number], at)
			}
		}
	}
	if !found {
		return errors.New("the report has no readings (no line `Data:`): it tells of days alone; read the logger out with its detailed report")
	}
	if l.MKT != nil && l.fahrenheit {
		c := (*l.MKT - 32) * 5 / 9
		l.MKT = &c
	}
	return nil
}

// tagFields are the values of a line such as `TS S: 2022-11-08 21:50, t A: 219`.
func tagFields(line string) map[string]string {
	f := map[string]string{}
	for _, part := range strings.Split(line, ",") {
		key, value, _ := strings.Cut(part, ":")
		f[strings.TrimSpace(key)] = strings.TrimSpace(value)
	}
	return f
}

// cold says whether the alarm is one of what is too cold.
func (a *tagAlarm) cold() bool { return a.kind == 1 || a.kind == 3 }

// tagLimit keeps the innermost limit to each side.
func (l *log) tagLimit(a *tagAlarm) {
	t, fault, err := temperature([]byte(a.at))
	if err != nil || fault != "" || a.kind < 1 || a.kind > 4 {
		return // evidence alone: nothing is judged by it
	}
	if l.fahrenheit {
		t = celsius(t)
	}
	switch {
	case a.cold() && (l.Low == nil || t > *l.Low):
		l.Low = &t
	case !a.cold() && (l.High == nil || t < *l.High):
		l.High = &t
	}
}

// trip notes an alarm that the logger raised, in its own words.
func (l *log) trip(a *tagAlarm, at string) {
	text := "alarm " + at
	if a != nil {
		side, how := "above", ""
		if a.cold() {
			side = "below"
		}
		if a.kind > 2 {
			how = " in all"
		}
		unit := "°C"
		if l.fahrenheit {
			unit = "°F"
		}
		text = fmt.Sprintf("%s %s %s for %s min%s: alarm %s", side, strings.TrimPrefix(a.at, "+"), unit, a.minutes, how, at)
	}
	l.say(text)
}

// say adds to what the logger says of its alarms; a page of it is enough.
func (l *log) say(text string) {
	switch {
	case l.Tripped == "":
		l.Tripped = clipTo(text, mostSaid)
	case len(l.Tripped)+len(text) <= mostSaid:
		l.Tripped += "; " + text
	}
}

// mostSaid bounds what a logger says of its alarms, mostSerial its name.
const mostSaid, mostSerial = 2000, 60

func clipTo(text string, n int) string {
	if len(text) <= n {
		return text
	}
	return strings.ToValidUTF8(text[:n], "")
}

// tagReadings reads the lines from the head of the columns on, up to the
// report's certificate.
func (l *log) tagReadings(from int) error {
	if l.o.Location == nil {
		return errTagZone
	}
	if from >= len(l.lines) {
		return errors.New("the report ends before its readings: read the logger out again")
	}
	head := strings.Split(l.lines[from], "\t")
	if len(head) < 3 || !strings.HasPrefix(head[1], "yyyy-MM-dd") || strings.TrimSpace(head[2]) != "T" {
		return fmt.Errorf("%s:%d: the readings' head is %q; a tab, yyyy-MM-dd hh:mm, a tab and T are expected", l.o.Name, from+1, clip([]byte(l.lines[from])))
	}
	for i := from + 1; i < len(l.lines) && strings.HasPrefix(l.lines[i], "\t"); i++ {
		f := strings.Split(l.lines[i], "\t")
		if len(f) < 3 {
			l.fail(i, "a time and a temperature are expected: is the line cut off?")
			continue
		}
		if err := l.take(i, strings.TrimSpace(f[1]), strings.TrimSpace(f[2])); err != nil {
			return err
		}
	}
	return nil
}
