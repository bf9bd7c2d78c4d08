package max31865

import (
	"encoding/json"
	"math"
	"os"
	"strconv"
	"testing"

	"pgregory.net/rapid"
)

// The table of IEC 60751, to 0.001 °C both ways.
func TestTable(t *testing.T) {
	b, err := os.ReadFile("testdata/pt100_iec60751.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Table map[string]float64 `json:"table_ohm"`
	}
	if err := json.Unmarshal(b, &file); err != nil || len(file.Table) < 30 {
		t.Fatalf("%d entries, %v", len(file.Table), err)
	}
	for s, ohm := range file.Table {
		c, err := strconv.ParseFloat(s, 64)
		if err != nil {
			t.Fatal(err)
		}
		for _, scale := range []float64{1, 10} { // PT100, PT1000
			if got := Resistance(c, 100*scale); math.Abs(got-ohm*scale) > 1e-6*scale {
				t.Errorf("%g °C: %.6f Ω, want %.6f", c, got, ohm*scale)
			}
			if got := Temperature(ohm*scale, 100*scale); math.Abs(got-c) > 0.001 {
				t.Errorf("%.6f Ω: %.6f °C, want %g", ohm*scale, got, c)
			}
		}
	}
}

// The printed table, to the hundredth of an ohm that it has.
func TestPrintedTable(t *testing.T) {
	for c, ohm := range map[float64]float64{-200: 18.52, -100: 60.26, -90: 64.30, -80: 68.33, -70: 72.33, -60: 76.33, -50: 80.31, -40: 84.27,
		-30: 88.22, -20: 92.16, -10: 96.09, 0: 100, 10: 103.90, 20: 107.79, 30: 111.67, 40: 115.54, 50: 119.40, 100: 138.51} {
		if got := Resistance(c, 100); math.Abs(got-ohm) > 0.00501 {
			t.Errorf("%g °C: %.4f Ω, want %.2f", c, got, ohm)
		}
	}
}

// Other tables in use, and the quadratic alone, are off below zero: this is not
// what is computed here.
func TestNotTheOthers(t *testing.T) {
	for ohm, wrong := range map[float64]float64{68.325449: -80.0964, 92.159898: -20.0010} {
		if got := Temperature(ohm, 100); math.Abs(got-wrong) < 0.0009 {
			t.Errorf("%g Ω: %.4f °C, as by the quadratic alone", ohm, got)
		}
	}
	if got := Resistance(-80, 100); math.Abs(got-68.28) < 0.04 {
		t.Errorf("-80 °C: %.4f Ω, as in tables of another scale", got)
	}
}

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := rapid.Float64Range(-200, 850).Draw(t, "°C")
		r0 := rapid.SampledFrom([]float64{100, 1000}).Draw(t, "Ω at 0 °C")
		if got := Temperature(Resistance(c, r0), r0); math.Abs(got-c) > 1e-9 {
			t.Errorf("%.12f °C, want %.12f", got, c)
		}
	})
}

func TestNoSuchResistance(t *testing.T) {
	if got := Temperature(10_000, 100); !math.IsNaN(got) {
		t.Errorf("10 kΩ of a PT100: %g °C", got)
	}
}
