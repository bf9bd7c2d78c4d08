package coldchain

import (
	"testing"
	"time"
)

// A batch may be used through its last day by the site's clocks, also where
// that day has 23 or 25 hours.
func TestTheLastDayEndsByTheSitesClocks(t *testing.T) {
	for zone, days := range map[string]map[string]string{
		"UTC":              {"2027-01-31": "2027-02-01T00:00:00Z", "2028-02-29": "2028-03-01T00:00:00Z", "2027-12-31": "2028-01-01T00:00:00Z"},
		"Europe/London":    {"2026-03-29": "2026-03-29T23:00:00Z", "2026-10-25": "2026-10-26T00:00:00Z", "2027-01-31": "2027-02-01T00:00:00Z"},
		"America/New_York": {"2027-01-31": "2027-02-01T05:00:00Z"},
	} {
		loc, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		for day, want := range days {
			if got := DayEnd(day, loc); got.String() != want {
				t.Errorf("%s in %s ends at %s, want %s", day, zone, got, want)
			}
		}
	}
	for _, day := range []string{"", "2027-02-29", "31.1.2027"} {
		if got := DayEnd(day, time.UTC); got != 0 {
			t.Errorf("%q ends at %s", day, got)
		}
	}
}
