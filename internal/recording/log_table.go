package recording

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"coldkeep/sensor"
)

// headWithin is how many lines a program may write before the readings' header.
const headWithin = 200

// A logTable is where in a line the fields of a logger's table are; -1: nowhere.
type logTable struct {
	sep              rune
	line             int // of the header
	count            int
	date, time, temp int
	fault, who       int
}

// table reads a table of readings with a header, after lines in which a program
// tells of the logger: the way of LogTag, Elitech and most others.
func (l *log) table() error {
	t, err := l.header()
	if err != nil {
		return err
	}
	for i := range t.line {
		l.preamble(i, t.sep)
	}
	l.Format = l.formatOf(t)
	type row struct {
		line int
		f    []string
	}
	var rows []row
	for i := t.line + 1; i < len(l.lines); i++ {
		if strings.Trim(l.lines[i], " \t,;") == "" {
			continue
		}
		f, err := cutLine(l.lines[i], t.sep)
		switch {
		case err != nil:
			l.fail(i, "%w", err)
		case t.sep == ',' && len(f) == t.count+1 && t.temp+1 < len(f) && digits([]byte(strings.TrimSpace(f[t.temp+1]))) >= 0:
			l.fail(i, "%d fields where the header has %d: a decimal comma? Export with semicolons between the fields, or with decimal points", len(f), t.count)
		case len(f) <= max(t.date, t.time, t.temp, t.fault, t.who):
			l.fail(i, "%d fields where the header has %d: is the line cut off?", len(f), t.count)
		default:
			rows = append(rows, row{i, f})
		}
	}
	if len(rows) == 0 && l.bad.Count == 0 {
		return fmt.Errorf("%s:%d: no readings follow this header", l.o.Name, t.line+1)
	}
	stamps := make([]string, len(rows))
	for i, r := range rows {
		stamps[i] = strings.TrimSpace(r.f[t.time])
		if t.date >= 0 {
			stamps[i] = strings.TrimSpace(r.f[t.date]) + " " + stamps[i]
		}
	}
	order, err := l.dates(stamps, t)
	if err != nil {
		return err
	}
	for i, r := range rows {
		stamp, err := isoTime(stamps[i], order)
		if err != nil {
			l.fail(r.line, "%w", err)
			continue
		}
		if t.who >= 0 {
			if err := l.named(strings.TrimSpace(r.f[t.who])); err != nil {
				return err
			}
		}
		temp := degrees(r.f[t.temp], t.sep)
		if t.fault >= 0 && strings.TrimSpace(r.f[t.fault]) != "" {
			temp = ""
		}
		n := len(l.readings)
		if err := l.take(r.line, stamp, temp); err != nil {
			return err
		}
		if len(l.readings) > n && t.fault >= 0 {
			if f := strings.TrimSpace(r.f[t.fault]); f != "" {
				l.readings[n].Fault = sensor.Fault(f)
			}
		}
		l.zoned = l.zoned || carriesZone(stamp)
	}
	return nil
}

// header finds the line that names the columns.
func (l *log) header() (logTable, error) {
	var several error
	for i, line := range l.lines[:min(len(l.lines), headWithin)] {
		for _, sep := range []rune{',', ';', '\t'} {
			f, err := cutLine(line, sep)
			if err != nil || len(f) < 2 {
				continue
			}
			t := logTable{sep: sep, line: i, count: len(f), date: -1, time: -1, temp: -1, fault: -1, who: -1}
			var temps []string
			for j, name := range f {
				name = strings.ToLower(strings.TrimSpace(name))
				switch {
				case slices.Contains([]string{"fault", "error"}, name):
					t.fault = j
				case slices.Contains([]string{"probe", "logger", "serial", "serial number"}, name):
					t.who = j
				case isTempName(name):
					temps = append(temps, strings.TrimSpace(f[j]))
					if t.temp < 0 {
						t.temp = j
						l.fahrenheit = strings.Contains(name, "°f") || strings.Contains(name, "fahrenheit") || strings.HasSuffix(name, "_f") || strings.Contains(name, "(f)")
					}
				case isTimeName(name) && t.time < 0:
					t.time = j
				case name == "date" || name == "datum":
					t.date = j
				}
			}
			if t.time < 0 && t.date >= 0 {
				t.time, t.date = t.date, -1 // the one column holds both
			}
			if t.time < 0 || t.temp < 0 {
				continue
			}
			if len(temps) > 1 {
				several = fmt.Errorf("%s:%d: several columns hold temperatures (%s): export one channel alone", l.o.Name, i+1, strings.Join(temps, ", "))
				continue
			}
			return t, nil
		}
	}
	if several != nil {
		return logTable{}, several
	}
	return logTable{}, errors.New("no line names the columns of readings: a logger's text report, or a table with columns such as time and temperature_c is expected")
}

func isTempName(name string) bool {
	if strings.Contains(name, "limit") || strings.Contains(name, "alarm") || strings.Contains(name, "alert") {
		return false
	}
	for _, word := range []string{"temp", "°c", "°f", "celsius", "fahrenheit"} {
		if strings.Contains(name, word) {
			return true
		}
	}
	return name == "reading" || name == "readings"
}

func isTimeName(name string) bool {
	for _, other := range []string{"elapsed", "zone", "duration"} {
		if strings.Contains(name, other) {
			return false
		}
	}
	return strings.Contains(name, "time") || name == "zeit" || name == "uhrzeit"
}

// preamble takes what a line before the header tells of the logger.
func (l *log) preamble(i int, sep rune) {
	f, err := cutLine(l.lines[i], sep)
	if err != nil {
		return
	}
	if len(f) < 2 || strings.TrimSpace(f[1]) == "" {
		key, value, ok := strings.Cut(f[0], ":")
		if !ok {
			return
		}
		f = []string{key, value}
	}
	key, value := strings.ToLower(strings.Trim(f[0], " :\t")), strings.TrimSpace(f[1])
	has := func(words ...string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(key, w) })
	}
	limit := has("limit", "alarm", "alert", "threshold")
	switch {
	case value == "":
	case has("serial", "s/n", "logger id", "device id", "device sn") && l.Logger == "":
		l.Logger = value
	case has("time zone", "timezone", "utc offset"):
		l.zone(value)
	case has("mkt", "mean kinetic"):
		if v, ok := l.value(value); ok {
			c := v.Celsius()
			l.MKT = &c
		}
	case limit && has("upper", "high"):
		if v, ok := l.value(value); ok {
			l.High = &v
		} else {
			l.status(f[0], value)
		}
	case limit && has("lower", "low"):
		if v, ok := l.value(value); ok {
			l.Low = &v
		} else {
			l.status(f[0], value)
		}
	case limit || has("status"):
		l.status(f[0], value)
	case has("interval"):
		if d, err := time.ParseDuration(strings.ReplaceAll(strings.TrimSuffix(strings.TrimSuffix(strings.ToLower(value), "utes"), "in"), " ", "")); err == nil && d > 0 {
			l.interval = d
		}
	}
}

// status keeps an alarm in the logger's own words, unless they say that there was none.
func (l *log) status(key, value string) {
	switch strings.ToLower(value) {
	case "ok", "no", "none", "normal", "no alarm", "no alert", "off", "0", "disabled", "stopped", "-", "--":
		return
	}
	if _, err := strconv.ParseFloat(value, 64); err == nil {
		return // a setting
	}
	l.say(strings.Trim(key, " :\t") + ": " + value)
}

// value is a temperature with its unit, as 8.0 °C or 46.4°F.
func (l *log) value(text string) (sensor.Temp, bool) {
	lower := strings.ToLower(text)
	t, fault, err := temperature([]byte(degrees(text, ';')))
	if err != nil || fault != "" {
		return 0, false
	}
	if strings.HasSuffix(lower, "f") || l.fahrenheit && !strings.HasSuffix(lower, "c") {
		t = celsius(t)
	}
	return t, true
}

// zone takes the zone that the file tells. A person's word goes before it.
func (l *log) zone(value string) {
	if l.o.Location != nil {
		return
	}
	if loc, err := time.LoadLocation(value); err == nil && value != "Local" {
		l.clock.loc, l.Zone = loc, value
		return
	}
	text := strings.TrimSpace(strings.NewReplacer("UTC", "", "GMT", "", "(", "", ")", "").Replace(strings.ToUpper(value)))
	text, _, _ = strings.Cut(text, " ") // what follows names places
	sign := 1
	switch {
	case strings.HasPrefix(text, "-"):
		sign = -1
	case !strings.HasPrefix(text, "+"):
		return
	}
	h, m, _ := strings.Cut(text[1:], ":")
	if m == "" {
		m = "0"
	}
	hours, err1 := strconv.Atoi(h)
	minutes, err2 := strconv.Atoi(m)
	if err1 != nil || err2 != nil || hours < 0 || hours > 14 || minutes < 0 || minutes > 59 {
		return
	}
	name := fmt.Sprintf("UTC%+03d:%02d", sign*hours, minutes)
	if hours == 0 && sign < 0 {
		name = fmt.Sprintf("UTC-00:%02d", minutes)
	}
	l.clock.loc, l.Zone = time.FixedZone(name, sign*(hours*3600+minutes*60)), name
}

// named takes the logger's name from a column of its own.
func (l *log) named(who string) error {
	switch {
	case who == "":
	case l.Logger == "":
		l.Logger = who
	case !strings.EqualFold(l.Logger, who):
		return fmt.Errorf("the file holds readings of %s and of %s: one logger is imported at a time", l.Logger, who)
	}
	return nil
}

// formatOf names the format, for people.
func (l *log) formatOf(t logTable) string {
	head := strings.ToLower(strings.Join(l.lines[:t.line+1], "\n"))
	names, err := cutLine(l.lines[t.line], t.sep)
	switch {
	case strings.Contains(head, "logtag"):
		return "logtag"
	case strings.Contains(head, "elitech"):
		return "elitech"
	case strings.Contains(head, "time_as_recorded"):
		return "biovoice"
	case err == nil && len(names) > 0 && strings.TrimSuffix(strings.ToLower(strings.TrimSpace(names[0])), ".") == "no" && t.line > 0:
		return "elitech"
	}
	return "csv"
}

// degrees takes a unit off a number, and makes a decimal point of a comma where
// that cannot part fields.
func degrees(text string, sep rune) string {
	text = strings.TrimSpace(text)
	for _, unit := range []string{"°C", "°F", "C", "F", "°c", "°f"} {
		if rest, ok := strings.CutSuffix(text, unit); ok && strings.ContainsAny(rest, "0123456789") {
			text = strings.TrimSpace(rest)
			break
		}
	}
	if strings.Count(text, ",") == 1 && !strings.Contains(text, ".") {
		text = strings.Replace(text, ",", ".", 1) // quoted, or between other separators
	}
	return text
}

// cutLine cuts a line into fields (RFC 4180, without line breaks in quotes).
func cutLine(line string, sep rune) ([]string, error) {
	var list []string
	var b strings.Builder
	quoted, was := false, false
	for i := 0; i < len(line); i++ {
		c := line[i]
		switch {
		case quoted && c == '"' && i+1 < len(line) && line[i+1] == '"':
			b.WriteByte(c)
			i++
		case c == '"' && quoted:
			quoted = false
		case c == '"' && strings.TrimSpace(b.String()) == "" && !was:
			b.Reset()
			quoted, was = true, true
		case rune(c) == sep && !quoted:
			list = append(list, b.String())
			b.Reset()
			was = false
		default:
			b.WriteByte(c)
		}
	}
	if quoted {
		return nil, errors.New("a quote is not closed in this line")
	}
	return append(list, b.String()), nil
}
