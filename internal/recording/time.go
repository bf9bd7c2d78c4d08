package recording

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"coldkeep/sensor"
)

// A clock reads the times of one file. It remembers the last day, since most
// lines are of the same, and where the last time was, since an hour that
// comes twice can be told apart by that alone.
type clock struct {
	loc  *time.Location
	date [10]byte
	base int64 // ms of that date's midnight, as UTC
	has  bool
	last sensor.Instant // of the line before
	any  bool
}

var errTime = errors.New("no time")

// digits reads n digits, or -1.
func digits(b []byte) int {
	v := 0
	for _, c := range b {
		if c < '0' || c > '9' {
			return -1
		}
		v = v*10 + int(c-'0')
	}
	return v
}

func isDate(b []byte) bool {
	return len(b) >= 10 && b[4] == '-' && b[7] == '-'
}

// read gives the instant that b stands for.
func (c *clock) read(b []byte) (sensor.Instant, error) {
	if !isDate(b) {
		return unix(b)
	}
	if !c.has || string(c.date[:]) != string(b[:10]) {
		y, m, d := digits(b[:4]), digits(b[5:7]), digits(b[8:10])
		if y < 0 || m < 1 || m > 12 || d < 1 {
			return 0, errTime
		}
		t := time.Date(y, time.Month(m), d, 0, 0, 0, 0, time.UTC)
		if t.Day() != d {
			return 0, fmt.Errorf("%s is no day of the calendar", b[:10])
		}
		copy(c.date[:], b[:10])
		c.base, c.has = t.UnixMilli(), true
	}
	rest := b[10:]
	if len(rest) < 6 || (rest[0] != 'T' && rest[0] != 't' && rest[0] != ' ') || rest[3] != ':' {
		return 0, errTime
	}
	h, m, s := digits(rest[1:3]), digits(rest[4:6]), 0
	rest = rest[6:]
	if len(rest) >= 3 && rest[0] == ':' {
		if s = digits(rest[1:3]); s < 0 {
			return 0, errTime
		}
		rest = rest[3:]
	}
	if h < 0 || h > 23 || m < 0 || m > 59 || s > 59 {
		return 0, errTime
	}
	ms := c.base + int64(h*3600+m*60+s)*1000
	if len(rest) > 1 && rest[0] == '.' {
		n, scale := 1, int64(100)
		for n < len(rest) && rest[n] >= '0' && rest[n] <= '9' {
			ms += int64(rest[n]-'0') * scale
			scale /= 10
			n++
		}
		if n == 1 {
			return 0, errTime
		}
		rest = rest[n:]
	}
	switch {
	case len(rest) == 1 && (rest[0] == 'Z' || rest[0] == 'z'):
		return sensor.Instant(ms), nil
	case len(rest) == 6 && (rest[0] == '+' || rest[0] == '-') && rest[3] == ':':
		oh, om := digits(rest[1:3]), digits(rest[4:6])
		if oh < 0 || oh > 23 || om < 0 || om > 59 {
			return 0, errTime
		}
		off := int64(oh*60+om) * 60_000
		if rest[0] == '-' {
			off = -off
		}
		return sensor.Instant(ms - off), nil
	case len(rest) == 0:
		return c.local(ms, b)
	}
	return 0, errTime
}

// local finds the instant at which the zone's clocks show ms.
func (c *clock) local(ms int64, b []byte) (sensor.Instant, error) {
	if c.loc == nil {
		return 0, errNoZone
	}
	if c.loc == time.UTC {
		return sensor.Instant(ms), nil
	}
	var found [2]sensor.Instant
	n := 0
	for _, near := range [2]int64{-24, 24} {
		_, off := time.UnixMilli(ms).Add(time.Duration(near) * time.Hour).In(c.loc).Zone()
		at := ms - int64(off)*1000
		if _, have := time.UnixMilli(at).In(c.loc).Zone(); have == off && (n == 0 || found[0] != sensor.Instant(at)) {
			found[n] = sensor.Instant(at)
			n++
		}
	}
	switch n {
	case 0:
		return 0, fmt.Errorf("the clocks of %s skip %s", c.loc, b)
	case 1:
		return found[0], nil
	}
	first, second := min(found[0], found[1]), max(found[0], found[1])
	// The first pass of an hour that comes twice, until the file's times run back.
	if c.any && c.last > first {
		return second, nil
	}
	return first, nil
}

// unix reads seconds since 1970, or above 10¹¹ milliseconds.
func unix(b []byte) (sensor.Instant, error) {
	if len(b) == 0 || bytes.IndexFunc(b, func(r rune) bool { return (r < '0' || r > '9') && r != '.' && r != '-' }) >= 0 {
		return 0, errTime
	}
	f, err := strconv.ParseFloat(string(b), 64)
	if err != nil {
		return 0, errTime
	}
	if math.Abs(f) <= 1e11 {
		f *= 1000
	}
	if math.Abs(f) > 253402300799999 {
		return 0, fmt.Errorf("%s is beyond the year 9999", b)
	}
	return sensor.Instant(math.Floor(f + 1e-6)), nil
}
