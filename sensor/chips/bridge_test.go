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

// What happens to a chip behind a bridge, which is behind a multiplexer, is
// named as on a bus of its own, and its neighbour is read all the same.
func TestTroublesOfAChipBehindABridge(t *testing.T) {
	for trouble, want := range map[chipsim.Trouble]sensor.Fault{
		chipsim.Unplugged:   sensor.FaultAbsent,
		chipsim.Noise:       sensor.FaultCRC,
		chipsim.Frozen:      sensor.FaultStale,
		chipsim.PoweredAnew: sensor.FaultPowerOn,
	} {
		t.Run(string(trouble), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				name := "behind-" + string(trouble)
				sim := must[*chipsim.I2C](t)(chipsim.NewI2C(name))
				defer sim.Close()
				mux, line := chipsim.NewPCA9548(), &chipsim.OneWire{}
				sim.Add(0x70, mux)
				mux.Add(3, 0x18, chipsim.NewDS2482(line))
				var list []*chipsim.DS18B20
				var probes []sensor.Probe
				for i := range 2 {
					c := must[*chipsim.DS18B20](t)(chipsim.NewDS18B20(address(i), constant(4+float64(i))))
					line.Add(c)
					list = append(list, c)
					probes = append(probes, sensor.Probe{ID: fmt.Sprintf("p%d", i), Chip: "ds18b20", Bus: name, Mux: "0x70/3", Bridge: "0x18", Address: address(i)})
				}
				b := must[[]sensor.Bus](t)(chips.Open(t.Context(), probes, quiet()))[0]
				defer b.Close()
				sweep(t, b)
				list[0].Set(trouble)
				for range 3 {
					r := sweep(t, b)
					if r[0].Fault != want || r[1].Fault != "" || r[1].Temp != 5000 {
						t.Errorf("%+v, want %q and 5 °C", r, want)
					}
				}
				list[0].Set(chipsim.None)
				if r := sweep(t, b)[0]; r.Fault != "" || r.Temp != 4000 {
					t.Errorf("afterwards: %+v, want 4 °C", r)
				}
			})
		})
	}
}

// Another chip at the bridge's address is not taken for one.
func TestAnMCP9808IsNoBridge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := must[*chipsim.I2C](t)(chipsim.NewI2C("nobridge"))
		defer sim.Close()
		sim.Add(0x18, chipsim.NewMCP9808(constant(5)))
		probes := []sensor.Probe{{ID: "p", Chip: "ds18b20", Bus: "nobridge", Bridge: "0x18", Address: address(0)}}
		b := must[[]sensor.Bus](t)(chips.Open(t.Context(), probes, quiet()))[0]
		defer b.Close()
		if r := sweep(t, b)[0]; r.Fault != sensor.FaultIdentity {
			t.Errorf("%+v, want %q", r, sensor.FaultIdentity)
		}
	})
}
