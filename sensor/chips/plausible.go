package chips

import (
	"fmt"
	"time"

	"coldkeep/sensor"
)

// How fast the temperature at a probe can change at most, in m°C a minute: a
// buffer of some millilitres takes minutes to follow, a bare probe seconds.
const (
	slopeBuffered = sensor.Temp(20_000)
	slopeBare     = sensor.Temp(200_000)

	// slopeFree is always possible: two samples of a noisy probe.
	slopeFree = sensor.Temp(1_000)
)

// A past is what is remembered of a probe to know a value that cannot be.
type past struct {
	has  bool
	temp sensor.Temp // the last one that was believed
	at   time.Time

	suspected bool // the last value was too far from it
	suspect   sensor.Temp

	raw   sensor.Temp // as the chip said
	since time.Time   // it has said so
}

// judge holds a temperature against what the probe can show at its place. A
// value that jumps is believed when the next one stays with it: what lasts is
// no disturbance, however fast it came.
func (h *past) judge(p sensor.Probe, raw, temp sensor.Temp, at time.Time) (sensor.Fault, error) {
	chip, _ := sensor.ChipNamed(p.Chip) // an unknown chip was refused before
	if l := p.Limits; (l.Low != 0 || l.High != 0) && (temp < l.Low || temp > l.High) {
		return sensor.FaultOutOfRange, fmt.Errorf("%s °C is outside %s to %s °C, which the config states for this probe", temp, l.Low, l.High)
	}
	if h.since.IsZero() || raw != h.raw {
		h.raw, h.since = raw, at
	}
	frozen := p.Limits.Frozen
	if frozen == 0 {
		frozen = chip.Frozen
	}
	if d := at.Sub(h.since); d >= frozen {
		return sensor.FaultFrozen, fmt.Errorf("%s °C without any change for %v", raw, d.Round(time.Minute))
	}
	slope := p.Limits.Slope
	if slope == 0 {
		slope = slopeBare
		if p.Medium == sensor.Buffered {
			slope = slopeBuffered
		}
	}
	// A clock that ran back takes nothing away from what is free.
	most := slopeFree + sensor.Temp(min(float64(slope)*max(at.Sub(h.at), 0).Minutes(), float64(sensor.Hottest)))
	jumped := h.has && apart(temp, h.temp) > most
	stays := h.suspected && apart(temp, h.suspect) <= most
	if jumped && !stays {
		err := fmt.Errorf("from %s to %s °C within %v: %s °C a minute is the most here", h.temp, temp, at.Sub(h.at).Round(time.Second), slope)
		h.suspected, h.suspect = true, temp
		return sensor.FaultSlope, err
	}
	h.has, h.temp, h.at, h.suspected = true, temp, at, false
	return "", nil
}

func apart(a, b sensor.Temp) sensor.Temp { return max(a-b, b-a) }
