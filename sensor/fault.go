package sensor

// A Fault is the name of the reason for which a reading has no temperature.
// Recordings may bring names of their own; those of coldkeep are below.
type Fault string

// The faults that coldkeep's probes report.
const (
	FaultAbsent       Fault = "absent"        // nothing answers at the address
	FaultBus          Fault = "bus"           // the bus failed: short, no power, wrong wiring
	FaultTimeout      Fault = "timeout"       // the bus missed its deadline and was given up
	FaultCRC          Fault = "crc"           // the bytes arrived damaged
	FaultAllZero      Fault = "all_zero"      // only zeros came: the data line is stuck low
	FaultPowerOn      Fault = "power_on"      // the chip shows its power-on value: it lost power before it measured
	FaultStale        Fault = "stale"         // the chip did not convert: the value is an old one
	FaultIdentity     Fault = "identity"      // another chip answers at the address
	FaultOutOfRange   Fault = "out_of_range"  // the value is outside what the chip can measure
	FaultFrozen       Fault = "frozen"        // the value has not moved for longer than is possible
	FaultSlope        Fault = "slope"         // the value moved faster than is possible at its place
	FaultAllOnes      Fault = "all_ones"      // only ones came: nobody drives the data line
	FaultBusy         Fault = "busy"          // the chip never finished measuring
	FaultReset        Fault = "reset"         // the chip lost its settings: its power failed for a moment
	FaultOpen         Fault = "open"          // the sensing element or its wire is broken
	FaultShort        Fault = "short"         // the sensing element or its wires are shorted
	FaultVoltage      Fault = "voltage"       // the chip's inputs are above or below its supply
	FaultColdJunction Fault = "cold_junction" // the thermocouple's reference is outside what it can be
	FaultMissing      Fault = "missing"       // a recording has no value here
	FaultNotANumber   Fault = "not_a_number"  // a recording has a word or an impossible number here
	FaultNotSampled   Fault = "not_sampled"   // the sweep was skipped
	FaultUnspecified  Fault = "unspecified"
)

var sentences = map[Fault]string{
	FaultAbsent:       "No probe answers at this address: is it plugged in?",
	FaultBus:          "The bus does not work: look for a short, a loose wire or a missing pull-up.",
	FaultTimeout:      "The bus did not answer in time and is being reopened.",
	FaultCRC:          "The probe's answer arrived damaged: look at the cable and its length.",
	FaultAllZero:      "The probe sent only zeros: its data line is stuck low.",
	FaultPowerOn:      "The probe lost power before it measured (it shows its power-on value of 85 °C).",
	FaultStale:        "The probe did not measure: its value is an old one.",
	FaultIdentity:     "Another chip than configured answers at this address.",
	FaultOutOfRange:   "The value is outside what this chip can measure.",
	FaultFrozen:       "The value has not moved for longer than is possible.",
	FaultSlope:        "The value moved faster than is possible at this place: it is believed when it stays.",
	FaultAllOnes:      "The probe sent only ones: is its data line connected?",
	FaultBusy:         "The chip does not finish measuring.",
	FaultReset:        "The chip lost its settings: its power failed for a moment. It has been set up anew.",
	FaultOpen:         "The sensing element or its wire is broken or unplugged.",
	FaultShort:        "The sensing element or its wires are shorted.",
	FaultVoltage:      "The chip's inputs are above or below its supply: look at the wiring.",
	FaultColdJunction: "The thermocouple's cold junction is outside what it can be.",
	FaultMissing:      "The recording has no value here.",
	FaultNotANumber:   "The recording has no usable temperature here.",
	FaultNotSampled:   "The probe was not read: the bus was still busy.",
	FaultUnspecified:  "The probe gave no temperature.",
}

// WireFaults are those that a probe on a wire can have, in a fixed order.
func WireFaults() []Fault {
	return []Fault{FaultAbsent, FaultBus, FaultTimeout, FaultCRC, FaultAllZero, FaultAllOnes, FaultPowerOn, FaultReset, FaultStale, FaultBusy, FaultIdentity,
		FaultOutOfRange, FaultFrozen, FaultSlope, FaultOpen, FaultShort, FaultVoltage, FaultColdJunction, FaultNotSampled, FaultUnspecified}
}

// Sentence says in plain words what the fault is.
func (f Fault) Sentence() string {
	if f == "" {
		return ""
	}
	if s, ok := sentences[f]; ok {
		return s
	}
	return "The probe gave no temperature: " + string(f) + "."
}
