package sensor

import (
	"context"
	"time"
)

// A Medium is what the probe measures in.
type Medium string

// Buffered probes stand for the vial, air probes for the air around it,
// ambient ones for the room.
const (
	Buffered Medium = "buffered"
	Air      Medium = "air"
	Ambient  Medium = "ambient"
)

// A Probe is one sensor at one place in a unit, as configured.
type Probe struct {
	ID          string
	Chip        string // ds18b20, mcp9808
	Bus         string // onewire-1, i2c-1, or any name of periph
	Address     string // 28-00000c8cf9b1, 0x18
	Medium      Medium
	Judges      *bool // nil: by the medium (JUDGING.md §1)
	Calibration Calibration
}

// A Calibration corrects what a probe reads. The zero value corrects nothing.
type Calibration struct {
	Due         string // YYYY-MM-DD, "" when none is stated
	Certificate string
	Points      []CalibrationPoint // at most five, by rising Reads
	Uncertainty Temp               // a half-width; 0 when not stated
}

// A CalibrationPoint says what is when the probe reads.
type CalibrationPoint struct{ Reads, Is Temp }

// Correct applies the calibration: one point shifts, several are joined by
// straight lines and prolonged beyond their ends by the outermost ones.
func (c Calibration) Correct(raw Temp) Temp {
	p := c.Points
	switch len(p) {
	case 0:
		return raw
	case 1:
		return raw + p[0].Is - p[0].Reads
	}
	i := 0
	for i < len(p)-2 && raw > p[i+1].Reads {
		i++
	}
	a, b := p[i], p[i+1]
	f := float64(a.Is) + float64(raw-a.Reads)*float64(b.Is-a.Is)/float64(b.Reads-a.Reads)
	t, ok := Celsius(f / 1000)
	if !ok {
		return raw
	}
	return t
}

// A Bus is one wire, or one bus of wires, with its probes. Sweep reads all of
// them once and stamps slot on every reading. It always answers one reading
// per probe, in the order of the config, within its deadline: what cannot be
// read is a fault. A Bus is used by one goroutine.
type Bus interface {
	Name() string
	Sweep(ctx context.Context, slot time.Time) []Reading
	Close() error
}
