package chips

import (
	"math"
	"testing"

	"coldkeep/sensor"
)

var ntc = sensor.Settings{Series: 10_000, Supply: 3.3, R25: 10_000, Beta: 3977}

// Vishay's NTCLE100E3103 (10 kΩ, β 3977 K): resistances of its published table,
// and the four constants' own temperatures. β is between 25 and 85 °C, and so
// the β equation drifts below 0 °C: by how much is what the table says.
func TestThermistorTable(t *testing.T) {
	for _, c := range []struct{ temp, ohms, off float64 }{
		{85, 1070, 0.6}, {50, 3605, 0.35}, {25, 10_000, 1e-9}, {20, 12_488, 0.15}, {0, 32_554, 0.8}, {-20, 96_358, 1.8}, {-40, 332_094, 3},
	} {
		if got := thermistorTemp(ntc, c.ohms); math.Abs(got-c.temp) > c.off {
			t.Errorf("%g Ω: %.2f °C, want %g ± %g", c.ohms, got, c.temp, c.off)
		}
	}
	// Steinhart and Hart's equation through three points of the table gives all
	// between them.
	s := steinhart([3]float64{-40, 0, 50}, [3]float64{332_094, 32_554, 3605})
	for temp, ohms := range map[float64]float64{-40: 332_094, -20: 96_358, 0: 32_554, 20: 12_488, 25: 10_000, 50: 3605} {
		if got := thermistorTemp(s, ohms); math.Abs(got-temp) > 0.1 {
			t.Errorf("%g Ω by Steinhart–Hart: %.3f °C, want %g", ohms, got, temp)
		}
	}
}

// steinhart solves the equation for three points.
func steinhart(temps, ohms [3]float64) sensor.Settings {
	var l, y [3]float64
	for i := range l {
		l[i], y[i] = math.Log(ohms[i]), 1/(temps[i]+zeroKelvin)
	}
	g2, g3 := (y[1]-y[0])/(l[1]-l[0]), (y[2]-y[0])/(l[2]-l[0])
	c := (g3 - g2) / (l[2] - l[1]) / (l[0] + l[1] + l[2])
	b := g2 - c*(l[0]*l[0]+l[0]*l[1]+l[1]*l[1])
	return sensor.Settings{A: y[0] - (b+l[0]*l[0]*c)*l[0], B: b, C: c}
}

// What the voltage says: a temperature where the thermistor is one, else what
// is wrong with it.
func TestThermistorFaults(t *testing.T) {
	at := func(ohms float64) float64 { return ntc.Supply * ohms / (ohms + ntc.Series) }
	for _, c := range []struct {
		volts float64
		want  sensor.Fault
	}{
		{at(32_554), ""}, {at(96_358), ""}, {at(332_094), sensor.FaultOpen}, {at(200), ""}, {3.3, sensor.FaultOpen}, {3.4, sensor.FaultOpen}, {at(5e6), sensor.FaultOpen}, {0, sensor.FaultShort}, {-0.01, sensor.FaultShort}, {at(20), sensor.FaultShort},
	} {
		o := thermistorOutcome(ntc, c.volts)
		if o.fault != c.want {
			t.Errorf("%.4f V: %s %q (%v), want %q", c.volts, o.raw, o.fault, o.cause, c.want)
		}
	}
	// No voltage within the spread of the supply is a temperature when nothing
	// flows, whatever the thermistor and the resistor are; with a larger
	// resistor −40 °C can be told from it.
	for _, s := range []sensor.Settings{ntc, {Series: 10_000, Supply: 5, R25: 10_000, Beta: 3435}, {Series: 100_000, Supply: 3.3, R25: 10_000, Beta: 3950}, {Series: 4700, Supply: 3.3, R25: 100_000, Beta: 3950}} {
		for _, rail := range []float64{0.95, 0.96, 0.98, 0.99, 0.999, 1, 1.05} {
			if o := thermistorOutcome(s, s.Supply*rail); o.fault != sensor.FaultOpen {
				t.Errorf("%+v: nothing flows, supply at %g: %s %q", s, rail, o.raw, o.fault)
			}
		}
	}
	large := ntc
	large.Series = 100_000
	if o := thermistorOutcome(large, large.Supply*332_094/432_094); o.fault != "" || o.raw < -43_000 || o.raw > -37_000 {
		t.Errorf("332094 Ω with 100000 Ω: %s %q (%v), want about -40", o.raw, o.fault, o.cause)
	}
	// No voltage gives a temperature that the thermistor cannot have.
	for v := -4.0; v < 7; v += 0.001 {
		if o := thermistorOutcome(ntc, v); o.fault == "" && (o.raw < -55_000 || o.raw > 150_000) {
			t.Errorf("%.3f V: %s", v, o.raw)
		}
	}
}
