package max31865

import (
	"fmt"
	"strings"
)

// A Fault is what the fault register 07 says, one bit each.
type Fault byte

// The bits. The first two are found by every conversion, FaultVoltage at any
// time, the others by a fault-detection cycle alone. They stay until cleared.
const (
	FaultHigh      Fault = 0x80 // the resistance is at the high threshold or above
	FaultLow       Fault = 0x40 // the resistance is at the low threshold or below
	FaultNoCurrent Fault = 0x20 // REFIN- > 0.85 Vbias: nothing flows through the element
	FaultLeak      Fault = 0x10 // REFIN- < 0.85 Vbias though FORCE- is open: current flows elsewhere
	FaultSenseLow  Fault = 0x08 // RTDIN- < 0.85 Vbias though FORCE- is open
	FaultVoltage   Fault = 0x04 // an input is above the supply or below ground
)

var faultTexts = [8]string{2: "over- or undervoltage", 3: "RTDIN- low with FORCE- open", 4: "REFIN- low with FORCE- open", 5: "REFIN- high", 6: "below the low threshold", 7: "above the high threshold"}

// Has says whether any of the bits is set.
func (f Fault) Has(bits Fault) bool { return f&bits != 0 }

// FullScale is the code of a resistance that is the reference's or more.
const FullScale = 0x7fff

// A FaultError is a fault that the chip found. Nothing is measured with it.
type FaultError struct {
	Bits Fault
	// Code is what was converted, 15 bits, in 1/32768 of the reference; 0 where
	// the fault was found before a conversion.
	Code uint16
}

// Error names the bits.
func (e *FaultError) Error() string {
	var list []string
	for i, text := range faultTexts {
		if e.Bits&(1<<i) != 0 && text != "" {
			list = append(list, text)
		}
	}
	if len(list) == 0 {
		list = []string{"without a cause"} // the data's own fault bit is set alone
	}
	return fmt.Sprintf("fault: %s (code %d)", strings.Join(list, ", "), e.Code)
}
