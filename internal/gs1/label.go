package gs1

import (
	"fmt"
	"strconv"
	"time"
)

// CheckDigit says whether the last digit of a number is the one that follows
// from the others: weights 3 and 1 in turn from the right (section 7.9).
func CheckDigit(s string) error {
	if !digits(s) || len(s) < 2 {
		return fmt.Errorf("%q is no number with a check digit", s)
	}
	sum, weight := 0, 3
	for i := len(s) - 2; i >= 0; i-- {
		sum += int(s[i]-'0') * weight
		weight = 4 - weight
	}
	if want := byte('0' + (10-sum%10)%10); s[len(s)-1] != want {
		return fmt.Errorf("%s is read or typed wrongly: its last digit would be %c", s, want)
	}
	return nil
}

// parseDate reads YYMMDD; the day 00 stands for the month's last.
func parseDate(s string) (yy, month, day int, err error) {
	if len(s) != 6 || !digits(s) {
		return 0, 0, 0, fmt.Errorf("%q is no date; YYMMDD is", s)
	}
	yy, _ = strconv.Atoi(s[:2]) // they are digits
	month, _ = strconv.Atoi(s[2:4])
	day, _ = strconv.Atoi(s[4:])
	// Years 2000 to 2099 have the leap years of any century that can be meant,
	// but for 00: 2000 was one.
	if month < 1 || month > 12 || day > time.Date(2000+yy, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day() {
		return 0, 0, 0, fmt.Errorf("%q is no date: the calendar has no such day", s)
	}
	return yy, month, day, nil
}

// Date reads YYMMDD as YYYY-MM-DD. Of the centuries the one is meant whose year
// is from 49 before to 50 after the present (section 7.12); the day 00 is the
// last of the month.
func Date(s string, year int) (string, error) {
	yy, month, day, err := parseDate(s)
	if err != nil {
		return "", err
	}
	y := year - year%100 + yy
	switch d := y - year; {
	case d > 50:
		y -= 100
	case d < -49:
		y += 100
	}
	if day == 0 {
		day = time.Date(y, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day()
	}
	return time.Date(y, time.Month(month), day, 0, 0, 0, 0, time.UTC).Format(time.DateOnly), nil
}

// A Label is what a trade item's code says of it; "" where it does not.
type Label struct {
	GTIN   string // 14 digits
	Lot    string
	Serial string
	Expiry string // YYYY-MM-DD, the last day
}

// Read takes from a scan what a batch is received with. year is the present
// one, for the century of the expiry. A GTIN must be there: without it nobody
// knows what was scanned.
func Read(scan string, year int) (Label, error) {
	list, err := Parse(scan)
	if err != nil {
		return Label{}, err
	}
	var l Label
	for _, e := range list {
		switch e.AI {
		case "01":
			l.GTIN = e.Value
		case "10":
			l.Lot = e.Value
		case "21":
			l.Serial = e.Value
		case "17":
			if l.Expiry, err = Date(e.Value, year); err != nil {
				return Label{}, fmt.Errorf("read GS1 code %q: (17): %w", scan, err)
			}
		}
	}
	if l.GTIN == "" {
		return Label{}, fmt.Errorf("read GS1 code %q: it has no GTIN (01): scan the code of the product, not that of its box or parcel", scan)
	}
	return l, nil
}

// GTIN gives a trade item's number of 8, 12, 13 or 14 digits as one of 14.
func GTIN(s string) (string, error) {
	switch len(s) {
	case 8, 12, 13, 14:
	default:
		return "", fmt.Errorf("%q is no GTIN: 8, 12, 13 or 14 digits are", s)
	}
	if err := CheckDigit(s); err != nil {
		return "", err
	}
	return "00000000000000"[len(s):] + s, nil
}
