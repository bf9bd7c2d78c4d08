package chips_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"coldkeep/sensor"
	"coldkeep/sensor/chips"
	"coldkeep/sensor/chipsim"
)

// Eight chips behind a bridge at an address that periph's driver does not
// take: all convert together, and each trouble of the bridge is named and ends.
func TestEightChipsBehindABridge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := must[*chipsim.I2C](t)(chipsim.NewI2C("bridged"))
		defer sim.Close()
		line := &chipsim.OneWire{}
		g := chipsim.NewDS2482(line)
		sim.Add(0x1b, g)
		var probes []sensor.Probe
		for i := range 8 {
			line.Add(must[*chipsim.DS18B20](t)(chipsim.NewDS18B20(address(i), constant(float64(i)))))
			probes = append(probes, sensor.Probe{ID: fmt.Sprintf("p%d", i), Chip: "ds18b20", Bus: "bridged", Bridge: "0x1b", Address: address(i)})
		}
		b := must[[]sensor.Bus](t)(chips.Open(t.Context(), probes, quiet()))[0]
		defer b.Close()
		right := func(when string) {
			t.Helper()
			for i, r := range sweep(t, b) {
				if want := sensor.Temp(1000 * i); r.Fault != "" || r.Temp != want {
					t.Errorf("%s: reading %d: %+v, want %s", when, i, r, want)
				}
			}
		}
		begun := time.Now()
		right("at first")
		if took := time.Since(begun); took > 1500*time.Millisecond {
			t.Errorf("took %v, want one conversion and the wire's time", took)
		}
		for trouble, want := range map[chipsim.Trouble]sensor.Fault{
			chipsim.Unplugged: sensor.FaultAbsent,
			chipsim.Busy:      sensor.FaultBusy,
		} {
			g.Set(trouble)
			for _, r := range sweep(t, b) {
				if r.Fault != want {
					t.Errorf("%s: %+v, want %q", trouble, r, want)
				}
			}
			g.Set(chipsim.None)
			right("after " + string(trouble))
		}
		for _, trouble := range []chipsim.Trouble{chipsim.Zeros, chipsim.Ones, chipsim.Intermittent} {
			g.Set(trouble)
			for i, r := range sweep(t, b) {
				if r.Fault == "" && r.Temp != sensor.Temp(1000*i) || trouble != chipsim.Intermittent && r.Fault == "" {
					t.Errorf("%s: %+v", trouble, r)
				}
			}
			g.Set(chipsim.None)
			right("after " + string(trouble))
		}
		g.Set(chipsim.PoweredAnew)
		right("after a loss of power between sweeps")
		go func() { time.Sleep(500 * time.Millisecond); g.Set(chipsim.PoweredAnew) }()
		if r := sweep(t, b)[0]; r.Fault != sensor.FaultReset {
			t.Errorf("power lost in the conversion: %+v, want %q", r, sensor.FaultReset)
		}
		right("after it")
		line.StickLow(true)
		for _, r := range sweep(t, b) {
			if r.Fault != sensor.FaultBus {
				t.Errorf("shorted: %+v, want %q", r, sensor.FaultBus)
			}
		}
		line.StickLow(false)
		right("after the short")
	})
}
