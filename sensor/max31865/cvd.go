package max31865

import "math"

// The coefficients of Callendar and Van Dusen for platinum after IEC 60751.
// The last one counts below 0 °C only.
const (
	cvdA = 3.9083e-3
	cvdB = -5.775e-7
	cvdC = -4.183e-12
)

// Resistance is that of platinum at t °C that has r0 Ω at 0 °C. IEC 60751 is
// from -200 to 850 °C; beyond, the polynomial goes on.
func Resistance(t, r0 float64) float64 {
	rho := 1 + t*(cvdA+t*cvdB)
	if t < 0 {
		rho += cvdC * (t - 100) * t * t * t
	}
	return r0 * rho
}

// Temperature is Resistance the other way round, in °C, to 1e-9 °C from -200 to
// 850 °C. It is NaN for a resistance that the polynomial never has.
func Temperature(r, r0 float64) float64 {
	rho := r / r0
	// This form of the quadratic's solution takes no difference of near numbers.
	t := 2 * (rho - 1) / (cvdA + math.Sqrt(cvdA*cvdA-4*cvdB*(1-rho)))
	if t >= 0 || math.IsNaN(t) {
		return t
	}
	// Below zero it is 0.1 °C off at -80 °C, and 2.3 °C at -196 °C.
	for range 8 {
		slope := cvdA + 2*cvdB*t + cvdC*t*t*(4*t-300)
		t -= (Resistance(t, 1) - rho) / slope
	}
	return t
}
