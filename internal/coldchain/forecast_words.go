package coldchain

import (
	"fmt"

	"coldkeep/sensor"
)

// Hour writes a time of today without the day: 03:31.
func (r Reader) Hour(t sensor.Instant) string {
	if r.Day(t) == r.Day(r.Now) {
		return t.Time().In(r.Location).Format("15:04")
	}
	return r.Clock(t)
}

// ForecastText says when the batch is over its limit if nobody comes; "" where
// nothing is to be feared.
func (b *BatchState) ForecastText(r Reader) string {
	var present *sensor.Instant
	var trend *Forecast
	for i := range b.Forecasts {
		f := &b.Forecasts[i]
		if f.AtPresent != nil && (present == nil || *f.AtPresent < *present) {
			present = f.AtPresent
		}
		if f.AtTrend != nil && (trend == nil || *f.AtTrend < *trend.AtTrend) {
			trend = f
		}
	}
	in := func(t sensor.Instant) string { return r.Hour(t) + ", in " + Span(t.Sub(r.Now).Seconds()) }
	sooner := trend != nil && (present == nil || *trend.AtTrend < *present)
	switch {
	case present != nil && sooner:
		return fmt.Sprintf("At this temperature over its limit %s; if it goes on as it does about %s (%s).", in(*present), r.Hour(*trend.AtTrend), trend.band(r))
	case present != nil:
		return fmt.Sprintf("At this temperature over its limit %s.", in(*present))
	case sooner:
		return fmt.Sprintf("If it goes on as it does, over its limit about %s (%s).", in(*trend.AtTrend), trend.band(r))
	}
	return ""
}

// band says between when and when, for one with AtTrend.
func (f *Forecast) band(r Reader) string {
	if f.Latest == nil {
		return "not before " + r.Hour(*f.Earliest) + ", perhaps never"
	}
	return r.Hour(*f.Earliest) + " to " + r.Hour(*f.Latest)
}

// Text says a refuge in few words: Fridge 2 (4.6 °C, room for 40).
func (g *Refuge) Text() string {
	s := g.Name
	if g.Temp == nil {
		return s
	}
	s += " (" + Degrees(*g.Temp) + " °C"
	if g.Room != nil {
		s += fmt.Sprintf(", room for %d", *g.Room)
		if g.Boxes {
			s += " boxes"
		}
	}
	return s + ")"
}
