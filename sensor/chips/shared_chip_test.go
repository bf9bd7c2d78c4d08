package chips_test

import (
	"fmt"
	"testing"
	"testing/synctest"

	"coldkeep/sensor"
	"coldkeep/sensor/chips"
	"coldkeep/sensor/chipsim"
)

// Four thermistors share one converter, whose clock may be slow by a tenth:
// each probe reads its own, and none what the one before it has left.
func TestFourThermistorsOnOneConverter(t *testing.T) {
	for _, slow := range []float64{-0.1, 0, 0.1} {
		synctest.Test(t, func(t *testing.T) {
			name := fmt.Sprintf("four-%v", slow)
			sim := must[*chipsim.I2C](t)(chipsim.NewI2C(name))
			defer sim.Close()
			temps := []float64{5, -20, 22, -27}
			var inputs []chipsim.Source
			var probes []sensor.Probe
			for i, c := range temps {
				inputs = append(inputs, chipsim.Thermistor(constant(c), 10_000, 3950, 10_000, 3.3))
				probes = append(probes, sensor.Probe{ID: fmt.Sprintf("p%d", i), Chip: "ads1115", Bus: name, Address: "0x4a", Medium: sensor.Air,
					Settings: sensor.Settings{Input: i, Series: 10_000, Supply: 3.3, R25: 10_000, Beta: 3950}})
			}
			adc := chipsim.NewADS1115(inputs...)
			adc.Slow = slow
			sim.Add(0x4a, adc)
			b := must[[]sensor.Bus](t)(chips.Open(t.Context(), probes, quiet()))[0]
			defer b.Close()
			for range 3 {
				for i, r := range sweep(t, b) {
					want := sensor.Temp(temps[i] * 1000)
					if !r.Good() || r.Temp < want-60 || r.Temp > want+60 {
						t.Errorf("clock %+v: input %d: %+v, want %s", slow, i, r, want)
					}
				}
			}
		})
	}
}
