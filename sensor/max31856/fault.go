package max31856

import "strings"

// A Fault is what the status register 0F says: an error with one or more
// bits. Nothing measured together with one is believed.
type Fault byte

// The bits.
const (
	FaultOpen          Fault = 1 << iota // the thermocouple or its wire is broken
	FaultVoltage                         // an input is above the supply or below ground: the chip does not convert
	FaultLow                             // below the type's range
	FaultHigh                            // above the type's range
	FaultJunctionLow                     // the cold junction is below -55 °C
	FaultJunctionHigh                    // the cold junction is above 125 °C
	FaultRange                           // the hot end is outside what the type can be
	FaultJunctionRange                   // the cold junction is outside what the type can have
)

var faultTexts = [8]string{"open circuit", "over- or undervoltage", "thermocouple low", "thermocouple high",
	"cold junction low", "cold junction high", "thermocouple out of range", "cold junction out of range"}

// Error names the bits.
func (f Fault) Error() string {
	var list []string
	for i, text := range faultTexts {
		if f&(1<<i) != 0 {
			list = append(list, text)
		}
	}
	return "fault: " + strings.Join(list, ", ")
}

// Has says whether any of the bits is set.
func (f Fault) Has(bits Fault) bool { return f&bits != 0 }
