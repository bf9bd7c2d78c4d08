package config

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"coldkeep/alert"
)

// weekdays are the days' names, by time.Weekday.
var weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

func (v value) weekday() (time.Weekday, bool) {
	s := v.str("")
	for i, w := range weekdays {
		if strings.EqualFold(s, w) {
			return time.Weekday(i), true
		}
	}
	v.bad("%q is no day of the week; mon, tue, wed, thu, fri, sat and sun are", s)
	return 0, false
}

var clockForm = regexp.MustCompile(`^([01]?[0-9]|2[0-3]):([0-5][0-9])$`)

// clock reads a time of day as minutes since midnight.
func (v value) clock() (int, bool) {
	s := v.str("")
	m := clockForm.FindStringSubmatch(s)
	if m == nil {
		v.bad("%q is no time of day; \"08:00\" or \"22:30\" are, in quotes", s)
		return 0, false
	}
	at, err := time.Parse("15:04", s)
	if err != nil {
		v.bad("%q is no time of day", s)
		return 0, false
	}
	return at.Hour()*60 + at.Minute(), true
}

// everyDay is a whole week.
var everyDay = [7]bool{true, true, true, true, true, true, true}

// hours reads days, from and to of a mapping. Without days it is every one of
// def, without from and to whole days.
func (f hours) read(v value, def [7]bool) (h alert.Hours, ok bool) {
	h.Days, ok = def, true
	if f.days.there() {
		h.Days = [7]bool{}
		items := f.days.items()
		if len(items) == 0 {
			f.days.bad("not one day is in it; days: [mon, tue] has two, and without `days` it is all")
			ok = false
		}
		for _, x := range items {
			d, fine := x.weekday()
			if fine && h.Days[d] {
				x.bad("%s stands here twice", weekdays[d])
			}
			h.Days[d] = h.Days[d] || fine
			ok = ok && fine
		}
	}
	if f.from.there() != f.to.there() {
		v.bad("`from` and `to` go together; without both it is whole days")
		return h, false
	}
	if !f.from.there() {
		return h, ok
	}
	from, fine1 := f.from.clock()
	to, fine2 := 0, true
	if s, _ := f.to.text(); s != "24:00" {
		to, fine2 = f.to.clock()
	}
	h.From, h.To = from, to
	return h, ok && fine1 && fine2
}

// hours are the three keys of a part of the week.
type hours struct{ days, from, to value }

func hoursOf(f map[string]value) hours { return hours{f["days"], f["from"], f["to"]} }

// week is a Monday in UTC: a week without changes of the clock, to try a plan
// on.
var week = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)

// inWeek writes an instant of the week for people.
func inWeek(t time.Time) string { return t.UTC().Format("Mon 15:04") }

// SiteTime reads an instant: RFC 3339, or what the clock at the site shows, as
// 2026-12-24T18:00. What that clock skips or shows twice is refused.
func SiteTime(s string, loc *time.Location) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t, nil
	}
	var wall time.Time
	var err error
	for _, form := range []string{"2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02T15:04:05", "2006-01-02 15:04:05"} {
		if wall, err = time.Parse(form, s); err == nil {
			break
		}
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is no time; 2026-12-24T18:00 is, by the clock at the site", s)
	}
	// All instants at which the clock shows this: usually one.
	var at []time.Time
	for _, near := range []time.Duration{-24 * time.Hour, 24 * time.Hour} {
		_, offset := wall.Add(near).In(loc).Zone()
		t := wall.Add(-time.Duration(offset) * time.Second).In(loc)
		if t.Format(time.DateTime) == wall.Format(time.DateTime) && (len(at) == 0 || !at[0].Equal(t)) {
			at = append(at, t)
		}
	}
	switch len(at) {
	case 0:
		return time.Time{}, fmt.Errorf("the clock at the site skips %s that night; take the hour before or after", s)
	case 1:
		return at[0], nil
	}
	return time.Time{}, fmt.Errorf("the clock at the site shows %s twice that night; say which: %s or %s", s, at[0].Format(time.RFC3339), at[1].Format(time.RFC3339))
}

func (v value) siteTime(loc *time.Location) (time.Time, bool) {
	t, err := SiteTime(v.str(""), loc)
	if err != nil {
		v.bad("%v", err)
	}
	return t, err == nil
}

// date reads YYYY-MM-DD.
func (v value) date() (time.Time, bool) {
	s := v.str("")
	t, err := time.Parse(day, s)
	if err != nil {
		v.bad("%q is no date; YYYY-MM-DD is", s)
	}
	return t, err == nil
}
