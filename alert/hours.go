package alert

import (
	"slices"
	"time"
)

// Office is what working hours are where nothing is configured: Mon–Fri
// 08:00–18:00.
var Office = Hours{Days: [7]bool{time.Monday: true, time.Tuesday: true, time.Wednesday: true, time.Thursday: true, time.Friday: true}, From: 8 * 60, To: 18 * 60}

// Zero says whether nothing is configured. Hours without a day contain no
// instant, zero or not.
func (h Hours) Zero() bool { return h == Hours{} }

// Contains says whether the instant lies in the hours: the beginning does, the
// end does not.
func (h Hours) Contains(at time.Time, loc *time.Location) bool {
	_, _, ok := h.around(at, loc)
	return ok
}

// Next is the first instant at or after `at` that lies in the hours; zero
// where they have no day.
func (h Hours) Next(at time.Time, loc *time.Location) time.Time {
	if h.Contains(at, loc) {
		return at
	}
	// Two weeks and a day: on the night when clocks change a short stretch may
	// fall out altogether.
	for d := dateOf(at, loc) - 1; d <= dateOf(at, loc)+16; d++ {
		if from, to, ok := h.on(d, loc); ok && !from.Before(at) && from.Before(to) {
			return from
		}
	}
	return time.Time{}
}

// Until is the first instant at or after `at` that lies outside the hours;
// zero where they have no end.
func (h Hours) Until(at time.Time, loc *time.Location) time.Time {
	t := at
	for range 9 { // stretches that touch; more than a week of them is for ever
		_, to, ok := h.around(t, loc)
		if !ok {
			return t
		}
		t = to
	}
	return time.Time{}
}

// around gives the stretch that contains the instant.
func (h Hours) around(at time.Time, loc *time.Location) (from, to time.Time, ok bool) {
	_, from, to, ok = h.begun(at, loc)
	return from, to, ok
}

// begun is around, and the date on which the stretch began.
func (h Hours) begun(at time.Time, loc *time.Location) (d date, from, to time.Time, ok bool) {
	today := dateOf(at, loc)
	// A stretch began today, or yesterday and goes past midnight; where clocks
	// are set back across midnight, on what will be tomorrow again.
	for _, d = range []date{today, today - 1, today + 1} {
		if from, to, ok = h.on(d, loc); ok && !at.Before(from) && at.Before(to) {
			return d, from, to, true
		}
	}
	return 0, time.Time{}, time.Time{}, false
}

// on gives the stretch that begins on a date. It is empty where clocks skip it.
func (h Hours) on(d date, loc *time.Location) (from, to time.Time, ok bool) {
	if !h.Days[d.weekday()] {
		return from, to, false
	}
	end := d
	if h.To <= h.From {
		end++
	}
	return d.clock(h.From, loc), end.clock(h.To, loc), true
}

// edges adds the beginnings and ends after `from` and before `to`.
func (h Hours) edges(list []time.Time, from, to time.Time, loc *time.Location) []time.Time {
	for d := dateOf(from, loc) - 2; d <= dateOf(to, loc)+1; d++ {
		if a, b, ok := h.on(d, loc); ok {
			list = append(list, a, b)
		}
	}
	return between(list, from, to)
}

// between drops what is not strictly between two instants, and puts the rest
// in order, each once.
func between(list []time.Time, from, to time.Time) []time.Time {
	list = slices.DeleteFunc(list, func(t time.Time) bool { return !t.After(from) || !t.Before(to) })
	slices.SortFunc(list, time.Time.Compare)
	return slices.CompactFunc(list, time.Time.Equal)
}

// A date is a day of the calendar, counted from 1970-01-01, whatever the zone.
type date int

func dateOf(t time.Time, loc *time.Location) date { return calendar(t.In(loc).Date()) }

func calendar(y int, m time.Month, d int) date {
	const day = 24 * 60 * 60
	s := time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix()
	if s < 0 {
		s -= day - 1
	}
	return date(s / day)
}

func (d date) weekday() time.Weekday { return time.Weekday(((int(d)+4)%7 + 7) % 7) } // 1970-01-01 was a Thursday

func (d date) String() string {
	return time.Unix(int64(d)*24*60*60, 0).UTC().Format(time.DateOnly)
}

// clock is the first instant at which the clocks of the place show the minutes
// of the date, or have passed them: what happens at 02:30 happens at the
// change itself on the night when 02:30 is skipped, and once, at the first of
// two, on the night when it comes twice.
func (d date) clock(minutes int, loc *time.Location) time.Time {
	wall := time.Unix(int64(d)*24*60*60+int64(minutes)*60, 0).UTC()
	for t := wall.Add(-24 * time.Hour); ; { // no zone is a day ahead of UTC
		local := t.In(loc)
		_, offset := local.Zone()
		_, end := local.ZoneBounds()
		at := wall.Add(-time.Duration(offset) * time.Second)
		switch {
		case at.Before(t): // the clocks went over it
			return t.In(loc)
		case end.IsZero() || at.Before(end):
			return at.In(loc)
		}
		t = end
	}
}
