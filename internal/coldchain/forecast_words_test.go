package coldchain

import (
	"testing"
	"time"

	"coldkeep/sensor"
)

func TestForecastText(t *testing.T) {
	now := sensor.At(time.Date(2026, 5, 5, 3, 12, 0, 0, time.UTC))
	r := Reader{Now: now, Location: time.UTC}
	in := func(min int) *sensor.Instant { x := now.Add(time.Duration(min) * time.Minute); return &x }
	for _, x := range []struct {
		list []Forecast
		want string
	}{
		{nil, ""},
		{[]Forecast{{Rule: "warm", AtPresent: in(19)}}, "At this temperature over its limit 03:31, in 19 min."},
		{[]Forecast{{Rule: "hot", AtTrend: in(12), Earliest: in(5), Latest: in(38)}, {Rule: "warm", AtPresent: in(19), AtTrend: in(19), Earliest: in(19), Latest: in(19)}},
			"At this temperature over its limit 03:31, in 19 min; if it goes on as it does about 03:24 (03:17 to 03:50)."},
		{[]Forecast{{Rule: "warm", AtPresent: in(19)}, {Rule: "hot", AtTrend: in(60), Earliest: in(40)}}, "At this temperature over its limit 03:31, in 19 min."},
		{[]Forecast{{Rule: "hot", AtTrend: in(60), Earliest: in(40)}}, "If it goes on as it does, over its limit about 04:12, in 1 h (not before 03:52, perhaps never)."},
		{[]Forecast{{Rule: "hot", AtTrend: in(22 * 60), Earliest: in(600), Latest: in(30 * 60)}}, "If it goes on as it does, over its limit about 6 May 01:12, in 22 h (13:12 to 6 May 09:12)."},
	} {
		b := BatchState{Forecasts: x.list}
		if got := b.ForecastText(r); got != x.want {
			t.Errorf("%s\nshould be\n%s", got, x.want)
		}
	}
}
