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

// Chips of one address behind two ports and two multiplexers do not mix, and
// a multiplexer that fails takes none but its own with it, and never shows
// one chip's temperature as another's.
func TestChipsOfOneAddressDoNotMix(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := must[*chipsim.I2C](t)(chipsim.NewI2C("muxed"))
		defer sim.Close()
		var muxes []*chipsim.PCA9548
		var probes []sensor.Probe
		for m := range 2 {
			mux := chipsim.NewPCA9548()
			muxes = append(muxes, mux)
			sim.Add(uint16(0x70+m), mux)
			for port := range 2 {
				mux.Add(3*port, 0x18, chipsim.NewMCP9808(constant(float64(1+2*m+port))))
				probes = append(probes, sensor.Probe{ID: fmt.Sprintf("p%d", len(probes)), Chip: "mcp9808", Bus: "muxed", Address: "0x18", Mux: fmt.Sprintf("%#x/%d", 0x70+m, 3*port)})
			}
		}
		b := must[[]sensor.Bus](t)(chips.Open(t.Context(), probes, quiet()))[0]
		defer b.Close()
		look := func(when string, faulty bool) {
			t.Helper()
			for i, r := range sweep(t, b) {
				bad := r.Fault != ""
				if bad != (faulty && i < 2) || !bad && r.Temp != sensor.Temp(1000*(1+i)) {
					t.Errorf("%s: reading %d: %+v", when, i, r)
				}
			}
		}
		look("at first", false)
		for _, trouble := range []chipsim.Trouble{chipsim.Unplugged, chipsim.Zeros, chipsim.Ones, chipsim.Frozen} {
			muxes[0].Set(trouble)
			look(string(trouble), true)
			muxes[0].Set(chipsim.None)
			time.Sleep(time.Second)
			look("after "+string(trouble), false)
		}
		muxes[0].Set(chipsim.PoweredAnew)
		look("after a loss of power", false)

		// A stuck port is given up at the deadline, and read again once free.
		muxes[0].Stick(3, true)
		begun := time.Now()
		_, _, other := oneWire(t, "beside", 1)
		defer other.Close()
		done := make(chan []sensor.Reading, 1)
		go func() { done <- b.Sweep(t.Context(), time.Now()) }()
		for range 4 {
			if r := sweep(t, other)[0]; r.Fault != "" {
				t.Errorf("the bus beside it: %+v", r)
			}
		}
		if took := time.Since(begun); took != 4*755*time.Millisecond {
			t.Errorf("four sweeps of the bus beside it took %v", took)
		}
		list := <-done
		if took := time.Since(begun); took != 5*time.Second || list[1].Fault != sensor.FaultTimeout {
			t.Errorf("stuck: %+v after %v, want a timeout after 5 s", list[1], took)
		}
		muxes[0].Stick(3, false)
		synctest.Wait()
		look("after it was stuck", false)
	})
}
