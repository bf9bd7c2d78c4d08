package chips

import (
	"math"

	"coldkeep/sensor"
)

const zeroKelvin = 273.15

// thermistorTemp gives °C of a thermistor's resistance in Ω, by Steinhart and
// Hart's equation 1/T = a + b·ln R + c·(ln R)³, or by
// 1/T = 1/298.15 + ln(R/R25)/β. NaN where there is none.
func thermistorTemp(s sensor.Settings, ohms float64) float64 {
	if ohms <= 0 {
		return math.NaN()
	}
	var inverse float64
	if s.A != 0 {
		l := math.Log(ohms)
		inverse = s.A + s.B*l + s.C*l*l*l
	} else {
		inverse = 1/(25+zeroKelvin) + math.Log(ohms/s.R25)/s.Beta
	}
	if inverse <= 0 {
		return math.Inf(1)
	}
	return 1/inverse - zeroKelvin
}
