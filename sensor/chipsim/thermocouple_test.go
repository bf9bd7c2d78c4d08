package chipsim

import (
	"math"
	"testing"
)

// Published voltages, mV: rows of NIST's table of type T, of a table of type K,
// and the ends of NIST's tables for all types.
func TestPublishedVoltages(t *testing.T) {
	for letter, rows := range map[byte]map[float64]float64{
		'T': {-270: -6.258, -200: -5.603, -100: -3.379, -90: -3.089, -80: -2.788, -70: -2.476, -60: -2.153, -50: -1.819, -40: -1.475, 400: 20.872},
		'K': {-270: -6.458, -200: -5.891, -150: -4.913, -140: -4.669, 0: 0, 1372: 54.886},
		'J': {-210: -8.095, 0: 0, 1200: 69.553},
		'N': {-270: -4.345, 0: 0, 1300: 47.513},
		'E': {-270: -9.835, 0: 0, 1000: 76.373},
		'R': {-50: -0.226, 0: 0, 1768: 21.101},
		'S': {-50: -0.236, 0: 0, 1768: 18.693},
		'B': {0: 0, 1820: 13.820},
	} {
		for c, want := range rows {
			if got := thermocouples[letter].emf(c) / 1000; math.Abs(got-want) > 0.0005+1e-9 {
				t.Errorf("type %c at %g °C: %.4f mV, published is %.3f", letter, c, got, want)
			}
		}
	}
}

// Values computed elsewhere from NIST's coefficients, to the nanovolt. Type K
// has its bell above 0 °C, and no more than its polynomial below.
func TestComputedVoltages(t *testing.T) {
	for letter, rows := range map[byte]map[float64]float64{
		'T': {-86: -2.969835, -80: -2.787882, -20: -0.756838, 0: 0, 4: 0.155538, 8: 0.312213, 25: 0.991977, 40: 1.611793, 100: 4.278519},
		'K': {-100: -3.553631, -86: -3.115014, -80: -2.920126, -50: -1.889383, -40: -1.526948, -20: -0.777540, 0: 0, 4: 0.158186, 8: 0.317122, 25: 1.000242, 40: 1.611792, 100: 4.096230},
	} {
		for c, want := range rows {
			if got := thermocouples[letter].emf(c) / 1000; math.Abs(got-want) > 1.5e-6 {
				t.Errorf("type %c at %g °C: %.6f mV, want %.6f", letter, c, got, want)
			}
		}
	}
}

// A cold junction at 22 °C: what a student's laboratory publishes for type T
// (without the sign), and values computed elsewhere.
func TestColdJunctionAt22Degrees(t *testing.T) {
	for _, x := range []struct {
		letter    byte
		c, mV, by float64
	}{
		{'T', -200, -6.4733, 1e-4}, {'T', -100, -4.2489, 1e-4}, {'T', -20, -1.6271, 1e-4}, {'T', 0, -0.8703, 1e-4}, {'T', 10, -0.4793, 1e-4}, {'T', 20, -0.0807, 1e-4},
		{'T', -80, -3.658190, 2e-6}, {'K', -80, -3.798982, 2e-6},
	} {
		f := thermocouples[x.letter]
		if got := (f.emf(x.c) - f.emf(22)) / 1000; math.Abs(got-x.mV) > x.by {
			t.Errorf("type %c at %g °C: %.6f mV, want %g", x.letter, x.c, got, x.mV)
		}
	}
}

// Where two polynomials meet they agree to a hundredth of a microvolt or so.
func TestPiecesMeet(t *testing.T) {
	for letter, f := range thermocouples {
		for _, p := range f.pieces[1:] {
			if a, b := f.emf(p.from), f.emf(math.Nextafter(p.from, 2000)); math.Abs(a-b) > 0.02 {
				t.Errorf("type %c at %g °C: %g and %g µV", letter, p.from, a, b)
			}
		}
	}
}

// NIST's inverse polynomials, which are others than the ones here, find the
// temperature again within their stated error.
func TestNISTsInverseAgrees(t *testing.T) {
	inverse := func(v float64, below, above []float64) (c float64) {
		p := above
		if v < 0 {
			p = below
		}
		for k := len(p) - 1; k >= 0; k-- {
			c = c*v + p[k]
		}
		return c
	}
	for letter, x := range map[byte]struct {
		below, above []float64
		within       float64
	}{
		'T': {
			[]float64{0, 2.5949192e-2, -2.1316967e-7, 7.9018692e-10, 4.2527777e-13, 1.3304473e-16, 2.0241446e-20, 1.2668171e-24},
			[]float64{0, 2.5928e-2, -7.602961e-7, 4.637791e-11, -2.165394e-15, 6.048144e-20, -7.293422e-25}, 0.03},
		'K': {
			[]float64{0, 2.5173462e-2, -1.1662878e-6, -1.0833638e-9, -8.9773540e-13, -3.7342377e-16, -8.6632643e-20, -1.0450598e-23, -5.1920577e-28},
			[]float64{0, 2.508355e-2, 7.860106e-8, -2.503131e-10, 8.315270e-14, -1.228034e-17, 9.804036e-22, -4.413030e-26, 1.057734e-30, -1.052755e-35}, 0.05},
	} {
		for c := -196.0; c <= 125; c += 0.5 {
			if got := inverse(thermocouples[letter].emf(c), x.below, x.above); math.Abs(got-c) > x.within {
				t.Errorf("type %c at %g °C: NIST's inverse finds %.4f", letter, c, got)
			}
		}
	}
}

func TestTheTemperatureIsFoundAgain(t *testing.T) {
	for letter, f := range thermocouples {
		for i := range 998 {
			c := f.low + float64(i)/997*(f.high-f.low)
			if got, ok := f.temperature(f.emf(c)); !ok || math.Abs(got-c) > 1e-4 {
				t.Errorf("type %c at %g °C: found %g, %v", letter, c, got, ok)
			}
		}
		for c, v := range map[float64]float64{f.low: f.emf(f.low) - 1, f.high: f.emf(f.high) + 1} {
			if got, ok := f.temperature(v); ok || got != c {
				t.Errorf("type %c beyond %g °C: found %g, %v", letter, c, got, ok)
			}
		}
	}
}
