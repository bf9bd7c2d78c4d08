package recording

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// dates finds what numbers like 03/04/2026 mean in this file: by an option, by
// a header that spells it out, or by a day that can be no month. Anything else
// is refused: a guess would move what happened by months.
func (l *log) dates(stamps []string, t logTable) (string, error) {
	first, second, unsure := false, false, false
	for _, s := range stamps {
		a, b, sep, ok := dayMonth(s)
		if !ok || sep == '.' {
			continue
		}
		first, second = first || a > 12, second || b > 12
		unsure = unsure || a != b
	}
	head := strings.ToLower(strings.Join(l.lines[:t.line+1], "\n"))
	switch {
	case first && second:
		return "", fmt.Errorf("the file has dates with the day first and with the month first: which is right? export it with dates such as 2026-05-02")
	case first && l.o.Dates == MonthFirst, second && l.o.Dates == DayFirst:
		return "", fmt.Errorf("--dates %s is not what the file has: some of its days would be months beyond 12", l.o.Dates)
	case first:
		return DayFirst, nil
	case second:
		return MonthFirst, nil
	case l.o.Dates != "":
		return l.o.Dates, nil
	case strings.Contains(head, "dd/mm/"), strings.Contains(head, "dd-mm-"):
		return DayFirst, nil
	case strings.Contains(head, "mm/dd/"), strings.Contains(head, "mm-dd-"):
		return MonthFirst, nil
	case unsure:
		return "", errDates
	}
	return DayFirst, nil
}

// dayMonth gives the first two numbers of a date that begins with neither the
// year nor a name.
func dayMonth(s string) (a, b int, sep byte, ok bool) {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	if n == 0 || n > 2 || n >= len(s) || !strings.ContainsRune("/.-", rune(s[n])) {
		return 0, 0, 0, false
	}
	sep = s[n]
	x, rest, _ := strings.Cut(s, string(sep))
	y, _, ok := strings.Cut(rest, string(sep))
	a, err1 := strconv.Atoi(x)
	b, err2 := strconv.Atoi(y)
	return a, b, sep, ok && err1 == nil && err2 == nil
}

var months = []string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}

// isoTime writes a time as clock reads it: 2026-05-02 10:36:00, with what
// follows. What it does not know stays as it is, for the clock to refuse.
func isoTime(s, order string) (string, error) {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) >= 10 && isDate([]byte(s)) || !strings.ContainsAny(s, "/.- ") {
		return meridiem(s)
	}
	if len(s) >= 8 && digits([]byte(s[:4])) >= 0 && (s[4] == '/' || s[4] == '.' || s[4] == '-') { // the year first
		sep := string(s[4])
		date, rest, _ := strings.Cut(s, " ")
		f := strings.Split(date, sep)
		if len(f) == 3 {
			return joinTime(f[0], f[1], f[2], rest)
		}
		return s, nil
	}
	f := strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune("/.- ", r) })
	if len(f) < 3 {
		return s, nil
	}
	// A name tells the month by itself.
	for i, x := range f[:2] {
		if len(x) < 3 {
			continue
		}
		if m := slices.Index(months, strings.ToLower(x[:3])); m >= 0 {
			rest := s[strings.Index(s, f[2])+len(f[2]):]
			return joinTime(strings.TrimSuffix(f[2], ","), strconv.Itoa(m+1), strings.TrimSuffix(f[1-i], ","), rest)
		}
	}
	_, _, sep, ok := dayMonth(s)
	if !ok {
		return s, nil
	}
	date, rest, _ := strings.Cut(s, " ")
	f = strings.Split(date, string(sep))
	if len(f) != 3 {
		return s, nil
	}
	if sep != '.' && order == MonthFirst { // with dots it is the day that comes first
		f[0], f[1] = f[1], f[0]
	}
	return joinTime(f[2], f[1], f[0], rest)
}

func joinTime(year, month, day, rest string) (string, error) {
	if len(year) == 2 {
		year = "20" + year
	}
	y, err1 := strconv.Atoi(year)
	m, err2 := strconv.Atoi(month)
	d, err3 := strconv.Atoi(day)
	if err1 != nil || err2 != nil || err3 != nil || y < 0 || m < 1 || m > 12 || d < 1 || d > 31 {
		return "", fmt.Errorf("%s-%s-%s is no day of the calendar", clip([]byte(year)), clip([]byte(month)), clip([]byte(day)))
	}
	return meridiem(fmt.Sprintf("%04d-%02d-%02d %s", y, m, d, strings.TrimSpace(rest)))
}

// meridiem makes 24 hours of a 12-hour clock, and two digits of an hour's one.
func meridiem(s string) (string, error) {
	upper := strings.ToUpper(s)
	pm, am := strings.HasSuffix(upper, "PM"), strings.HasSuffix(upper, "AM")
	if pm || am {
		s = strings.TrimSpace(s[:len(s)-2])
	}
	date, clock, ok := strings.Cut(s, " ")
	if !ok {
		return s, nil
	}
	if len(clock) > 1 && clock[1] == ':' {
		clock = "0" + clock
	}
	if !pm && !am {
		return date + " " + clock, nil
	}
	if len(clock) < 5 {
		return s, nil
	}
	h := digits([]byte(clock[:2]))
	if h < 1 || h > 12 {
		return "", fmt.Errorf("%q: a 12-hour clock goes from 1 to 12", clip([]byte(s)))
	}
	h %= 12
	if pm {
		h += 12
	}
	return fmt.Sprintf("%s %02d%s", date, h, clock[2:]), nil
}

// carriesZone says whether a time as clock reads it says its zone.
func carriesZone(stamp string) bool {
	if !isDate([]byte(stamp)) {
		return true // seconds since 1970
	}
	rest := stamp[10:]
	return strings.HasSuffix(rest, "Z") || strings.HasSuffix(rest, "z") || strings.ContainsAny(rest, "+-")
}
