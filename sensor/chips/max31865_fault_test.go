package chips

import (
	"errors"
	"fmt"
	"testing"

	"coldkeep/sensor"
	"coldkeep/sensor/max31865"
)

// Which bits are which fault, alone and together.
func TestFaultsOfAMAX31865(t *testing.T) {
	for _, x := range []struct {
		bits max31865.Fault
		code uint16
		want sensor.Fault
	}{
		{0x80, 32767, sensor.FaultOpen},
		{0xa0, 32767, sensor.FaultOpen},
		{0x20, 0, sensor.FaultOpen},
		{0x60, 0, sensor.FaultOpen},     // FORCE+ broken: no current, and no voltage
		{0x08, 5597, sensor.FaultShort}, // RTDIN- to ground, appears to be valid
		{0x48, 3, sensor.FaultShort},    // FORCE+ to ground
		{0x80, 30000, sensor.FaultOutOfRange},
		{0x40, 3, sensor.FaultShort},
		{0x18, 5597, sensor.FaultShort}, // to ground
		{0x58, 3, sensor.FaultShort},
		{0x98, 32767, sensor.FaultShort}, // current flows, past FORCE-
		{0x04, 5597, sensor.FaultVoltage},
		{0xfc, 32767, sensor.FaultVoltage},
		{0x00, 5597, sensor.FaultUnspecified},
	} {
		err := fmt.Errorf("max31865: %w", errors.Join(&max31865.FaultError{Bits: x.bits, Code: x.code}, max31865.ErrReset))
		if got := max31865Fault(err); got != x.want {
			t.Errorf("bits %02x, code %d: %q, want %q", byte(x.bits), x.code, got, x.want)
		}
	}
	if got := max31865Fault(errors.New("input/output error")); got != sensor.FaultBus {
		t.Errorf("the port's own error: %q, want %q", got, sensor.FaultBus)
	}
}
