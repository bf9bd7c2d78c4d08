// Package sensor says what the wire says: probes, their readings, and the
// faults that stand where a temperature should be. It knows no limits and no
// batches, imports the standard library alone, and may be used by others.
//
// A Reading carries either a temperature or a Fault, never both. Temperatures
// are whole milli-degrees Celsius, times whole milliseconds of UTC.
package sensor

import (
	"fmt"
	"strconv"
	"strings"
)

// A Temp is a temperature in milli-degrees Celsius. Zero is 0 °C.
type Temp int32

// The physical range of a temperature: anything outside is a fault.
const (
	AbsoluteZero Temp = -273150
	Hottest      Temp = 1000000
)

// Celsius rounds c to the milli-degree, half away from zero. It answers false
// for what is no temperature: NaN, infinities, and all outside
// −273.15…1000 °C.
func Celsius(c float64) (Temp, bool) {
	if !(c >= -273.15 && c <= 1000) {
		return 0, false
	}
	m := c * 1000
	if m < 0 {
		return Temp(m - 0.5), true
	}
	return Temp(m + 0.5), true
}

// Celsius gives the temperature in degrees.
func (t Temp) Celsius() float64 { return float64(t) / 1000 }

// String gives degrees with at least one decimal and as many as are needed:
// "5.0", "8.03", "-0.062". A value is never rounded onto a limit.
func (t Temp) String() string {
	sign := ""
	v := int64(t)
	if v < 0 {
		sign, v = "-", -v
	}
	frac := strings.TrimRight(fmt.Sprintf("%03d", v%1000), "0")
	if frac == "" {
		frac = "0"
	}
	return sign + strconv.FormatInt(v/1000, 10) + "." + frac
}

// MarshalJSON writes degrees as a number with up to three decimals.
func (t Temp) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, t.Celsius(), 'f', -1, 64), nil
}

// UnmarshalJSON reads degrees.
func (t *Temp) UnmarshalJSON(b []byte) error {
	f, err := strconv.ParseFloat(string(b), 64)
	if err != nil {
		return fmt.Errorf("read temperature %q: %w", b, err)
	}
	v, ok := Celsius(f)
	if !ok {
		return fmt.Errorf("read temperature %q: outside -273.15…1000 °C", b)
	}
	*t = v
	return nil
}

// A Reading is one probe at one instant.
type Reading struct {
	Seq   uint64  // place in the record, given by the monitor; 0 before that
	Probe string  // the probe's id in the config
	Time  Instant // the sampling slot
	Temp  Temp    // corrected by calibration; meaningless with a Fault
	Raw   Temp    // as the chip said; meaningless with a Fault
	Fault Fault   // why there is no temperature; "" when there is one
	Check bool    // taken while the probe was under check: kept, not judged
}

// Good says whether the reading carries a temperature.
func (r Reading) Good() bool { return r.Fault == "" }

// A Sweep is what one turn over one bus gave, with how the clock stood then.
type Sweep struct {
	Slot         Instant
	Boot         string // the kernel's boot id
	Monotonic    int64  // milliseconds since that boot
	Synchronized bool   // the system clock was disciplined
	Readings     []Reading
}
