package recording

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"coldkeep/internal/coldchain"
	"coldkeep/sensor"
)

// LogOptions say what a logger's file does not tell itself.
type LogOptions struct {
	Name     string         // of the file, for its errors
	Logger   string         // the serial number; "" where the file names it, or nobody knows it
	Zone     string         // of times without one, as Europe/London; "" where the file tells it
	Location *time.Location // the same, loaded
	Dates    string         // DayFirst or MonthFirst of dates such as 03/04/2026; "" where the file tells it
}

// What a date such as 03/04/2026 can mean.
const (
	DayFirst   = "dmy"
	MonthFirst = "mdy"
)

// mostApart is how far apart a logger's readings may be: what lies between them
// is told by nothing else.
const mostApart = time.Hour

var (
	errNoZone  = errors.New("the file does not say in which zone its times are: give the zone that the logger's clock showed, as --timezone Europe/London, or --timezone UTC")
	errTagZone = errors.New("the file does not say in which zone its times are (a Zone of 0.00 also stands where the clock was set to local time): give the zone that the logger's clock showed, as --timezone Europe/London, or --timezone UTC")
	errDates   = errors.New("a date such as 03/04/2026 can be the 3rd of April or the 4th of March, and the file does not tell which: give --dates dmy for day first, or --dates mdy for month first")
)

// ReadLog reads a logger's file whole: what it says of itself, and its readings
// in order of time, each instant once. The readings carry the id by which the
// record knows the logger (coldchain.LoggerID). An error says what is wrong with
// the file and what would be right; nothing is read from one with errors.
func ReadLog(data []byte, o LogOptions) (coldchain.Readout, []sensor.Reading, error) {
	text, err := plainText(data)
	if err != nil {
		return coldchain.Readout{}, nil, err
	}
	l := &log{o: o, clock: clock{loc: o.Location}, lines: strings.Split(text, "\n")}
	l.Name, l.Zone = o.Name, o.Zone
	for i, line := range l.lines {
		l.lines[i] = strings.TrimSuffix(line, "\r")
	}
	if isTag([]byte(l.lines[0])) {
		err = l.tag()
	} else {
		err = l.table()
	}
	if err == nil {
		err = l.finish(data)
	}
	return l.Readout, l.readings, err
}

// A log is a file that is being read.
type log struct {
	coldchain.Readout
	o          LogOptions
	clock      clock
	lines      []string
	readings   []sensor.Reading
	bad        LineErrors
	interval   time.Duration // as the file states it; 0: it does not
	zoned      bool          // some time carried its zone
	fahrenheit bool
}

// plainText makes UTF-8 of what loggers' programs write.
func plainText(data []byte) (string, error) {
	var order func(b []byte) uint16
	switch {
	case bytes.HasPrefix(data, []byte("\xff\xfe")):
		order = func(b []byte) uint16 { return uint16(b[0]) | uint16(b[1])<<8 }
	case bytes.HasPrefix(data, []byte("\xfe\xff")):
		order = func(b []byte) uint16 { return uint16(b[1]) | uint16(b[0])<<8 }
	}
	if order != nil {
		var units []uint16
		for b := data[2:]; len(b) >= 2; b = b[2:] {
			units = append(units, order(b))
		}
		return string(utf16.Decode(units)), nil
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if bytes.IndexByte(data, 0) >= 0 {
		return "", errors.New("this is no text: export the logger's readings as a text or CSV file, not as a spreadsheet or PDF")
	}
	if utf8.Valid(data) {
		return string(data), nil
	}
	var b strings.Builder
	for _, c := range data { // Latin-1, whose degree sign is one byte
		b.WriteRune(rune(c))
	}
	return b.String(), nil
}

// fail notes a line that cannot be read.
func (l *log) fail(line int, format string, args ...any) {
	l.bad.Count++
	if len(l.bad.First) < shown {
		l.bad.First = append(l.bad.First, fmt.Errorf("%s:%d: %w", l.o.Name, line+1, fmt.Errorf(format, args...)))
	}
}

// take keeps a reading of one line.
func (l *log) take(line int, stamp, temp string) error {
	at, err := l.clock.read([]byte(stamp))
	switch {
	case errors.Is(err, errNoZone):
		return err
	case errors.Is(err, errTime):
		l.fail(line, "%q is no time", clip([]byte(stamp)))
		return nil
	case err != nil:
		l.fail(line, "%w; is the file in another zone? Give --timezone", err)
		return nil
	}
	l.clock.last, l.clock.any = at, true
	r := sensor.Reading{Time: at}
	if r.Temp, r.Fault, err = temperature([]byte(temp)); err != nil {
		l.fail(line, "%w", err)
		return nil
	}
	if r.Good() && l.fahrenheit {
		if r.Temp, r.Fault = celsius(r.Temp), ""; r.Temp < sensor.AbsoluteZero {
			r.Temp, r.Fault = 0, sensor.FaultNotANumber
		}
	}
	r.Raw = r.Temp
	l.readings = append(l.readings, r)
	return nil
}

// celsius makes it of Fahrenheit, half away from zero.
func celsius(f sensor.Temp) sensor.Temp {
	n := (int64(f) - 32_000) * 5
	if n < 0 {
		return sensor.Temp((n - 4) / 9)
	}
	return sensor.Temp((n + 4) / 9)
}

// finish puts what was read in order, and refuses what nothing can be judged by.
func (l *log) finish(data []byte) error {
	if l.bad.Count > 0 {
		return &l.bad
	}
	if l.o.Logger != "" && l.Logger != "" && !strings.EqualFold(l.o.Logger, l.Logger) {
		return fmt.Errorf("the file is of logger %s, not of %s: is it the right file?", l.Logger, l.o.Logger)
	}
	if l.Logger == "" {
		l.Logger = strings.TrimSpace(l.o.Logger)
	}
	if l.Logger == "" {
		// What stands for it: another file without a name is of another logger.
		sum := sha256.Sum256(data)
		l.Logger = "file-" + hex.EncodeToString(sum[:4])
	}
	if len(l.Logger) > mostSerial {
		return fmt.Errorf("the file names its logger %q: that is no serial number; give it as --logger SERIAL", clip([]byte(l.Logger)))
	}
	slices.SortStableFunc(l.readings, func(a, b sensor.Reading) int { return cmp.Compare(a.Time, b.Time) })
	id := coldchain.LoggerID(l.Logger)
	kept := l.readings[:0]
	for _, r := range l.readings {
		r.Probe = id
		if n := len(kept); n > 0 && kept[n-1].Time == r.Time {
			switch last := &kept[n-1]; {
			case !r.Good():
			case !last.Good():
				*last = r
			case last.Temp != r.Temp:
				l.Conflicts++
			}
			continue
		}
		kept = append(kept, r)
	}
	l.readings = kept
	for _, r := range kept {
		if r.Good() {
			l.Good++
		} else {
			l.Faults++
		}
	}
	if l.Good == 0 {
		return errors.New("the file has no temperatures: read the logger out with all its readings, not as a summary")
	}
	l.First, l.Last = kept[0].Time, kept[len(kept)-1].Time
	if l.zoned && l.Zone == "" {
		l.Zone = "UTC"
	}
	usual := usualInterval(kept)
	if usual == 0 {
		usual = l.interval
	}
	switch {
	case usual == 0:
		return errors.New("the file has one reading and no interval: nothing tells for how long it stands")
	case usual > mostApart:
		return fmt.Errorf("its readings are %v apart: what lies between them is not known; a logger that records at least once an hour is needed", usual)
	}
	l.IntervalS = usual.Seconds()
	return nil
}

// usualInterval is the median time between readings; 0 where there is one.
func usualInterval(list []sensor.Reading) time.Duration {
	var all []time.Duration
	for i := 1; i < len(list); i++ {
		all = append(all, list[i].Time.Sub(list[i-1].Time))
	}
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[len(all)/2]
}
