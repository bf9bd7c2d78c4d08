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
	Chip        string // ds18b20, max31865, …: the names of Chips
	Bus         string // onewire-1, i2c-1, spi-0.0, or any name of periph
	Address     string // 28-00000c8cf9b1, 0x18; "" on SPI, where the bus has one chip
	Mux         string // "0x70/3": port 3 of the PCA9548 at 0x70 of the bus; "" none
	Bridge      string // a one-wire chip behind the DS2482 at this address of an I²C bus; "" none
	Settings    Settings
	Medium      Medium
	Judges      *bool // nil: by the medium (JUDGING.md §1)
	Calibration Calibration
	Limits      Plausible
	// Tolerance is how far it may be from another judging probe of its unit
	// before one of them must be wrong. 0: nothing is stated.
	Tolerance Temp
	Position  Position
}

// Settings are how a chip is wired, where it must be told. Zero means the
// chip's usual.
type Settings struct {
	Element   string  // max31865: pt100, pt1000; max31856: K, T, J, N, E, R, S, B
	Wires     int     // max31865: 2, 3 or 4
	Reference float64 // Ω: max31865's reference resistor
	Mains     int     // Hz of the mains whose hum is filtered: 50 or 60
	Input     int     // ads1115: A0…A3
	Series    float64 // Ω: the fixed resistor between supply and thermistor of an ads1115
	Supply    float64 // V: across both
	R25       float64 // Ω of the thermistor at 25 °C
	Beta      float64 // K; or Steinhart–Hart's three
	A, B, C   float64
}

// Plausible is what a probe can show at its place. What lies outside is a
// fault. Zero means the chip's and the medium's usual.
type Plausible struct {
	Low, High Temp          // both 0: as far as the chip measures
	Slope     Temp          // per minute; 0 the medium's usual
	Frozen    time.Duration // the very same value for this long; 0 the chip's usual
}

// A Position says where a probe is, and who found that it stands for the vials.
type Position struct {
	Text       string // "middle shelf, at the back"
	Photo      string // a file
	Mapping    string // the report of the unit's temperature mapping
	MappingDue string // YYYY-MM-DD, when the next one is due; "" when none is stated
}

// A Calibration corrects what a probe reads. The zero value corrects nothing.
type Calibration struct {
	Due         string // YYYY-MM-DD, the last day on which it is valid; "" when none is stated
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
