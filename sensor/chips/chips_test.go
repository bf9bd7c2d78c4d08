package chips_test

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"coldkeep/sensor"
	"coldkeep/sensor/chips"
	"coldkeep/sensor/chipsim"
)

func constant(c float64) chipsim.Source { return func(time.Time) float64 { return c } }

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func quiet() chips.Options { return chips.Options{Log: slog.New(slog.DiscardHandler)} }

func address(i int) string { return fmt.Sprintf("28-%012x", 0xc8cf900+i) }

// oneWire makes a simulated bus of n chips at 4 °C, 5 °C, …, and opens it.
func oneWire(t *testing.T, name string, n int) (*chipsim.OneWire, []*chipsim.DS18B20, sensor.Bus) {
	t.Helper()
	sim := must[*chipsim.OneWire](t)(chipsim.NewOneWire(name))
	t.Cleanup(func() { sim.Close() })
	var list []*chipsim.DS18B20
	var probes []sensor.Probe
	for i := range n {
		c := must[*chipsim.DS18B20](t)(chipsim.NewDS18B20(address(i), constant(4+float64(i))))
		sim.Add(c)
		list = append(list, c)
		probes = append(probes, sensor.Probe{ID: fmt.Sprintf("p%d", i), Chip: "ds18b20", Bus: name, Address: address(i)})
	}
	buses := must[[]sensor.Bus](t)(chips.Open(t.Context(), probes, quiet()))
	if len(buses) != 1 {
		t.Fatalf("%d buses, want 1", len(buses))
	}
	return sim, list, buses[0]
}

func sweep(t *testing.T, b sensor.Bus) []sensor.Reading {
	t.Helper()
	return b.Sweep(t.Context(), time.Now().Truncate(time.Second))
}

// All chips of a bus convert together: 32 take hardly longer than one.
func TestAFullBusTakesOneConversion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, _, b := oneWire(t, "full", 32)
		defer b.Close()
		started := time.Now()
		list := sweep(t, b)
		if took := time.Since(started); took < 750*time.Millisecond || took > time.Second {
			t.Errorf("took %v, want one conversion of 750 ms", took)
		}
		for i, r := range list {
			if want := sensor.Temp(1000 * (4 + i)); r.Fault != "" || r.Temp != want || r.Probe != fmt.Sprintf("p%d", i) {
				t.Errorf("reading %d: %+v, want %s", i, r, want)
			}
		}
	})
}

// Each trouble of a chip is the fault that names it, its neighbour is read all
// the same, and it reads again once the trouble is over.
func TestTroublesOfADS18B20(t *testing.T) {
	for trouble, want := range map[chipsim.Trouble]sensor.Fault{
		chipsim.Unplugged:   sensor.FaultAbsent,
		chipsim.Noise:       sensor.FaultCRC,
		chipsim.Frozen:      sensor.FaultStale,
		chipsim.PoweredAnew: sensor.FaultPowerOn,
	} {
		t.Run(string(trouble), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, sim, b := oneWire(t, "trouble-"+string(trouble), 2)
				defer b.Close()
				sweep(t, b)
				sim[0].Set(trouble)
				for range 5 {
					list := sweep(t, b)
					if list[0].Fault != want {
						t.Errorf("fault %q, want %q", list[0].Fault, want)
					}
					if list[1].Fault != "" || list[1].Temp != 5000 {
						t.Errorf("its neighbour: %+v, want 5 °C", list[1])
					}
				}
				sim[0].Set(chipsim.None)
				if r := sweep(t, b)[0]; r.Fault != "" || r.Temp != 4000 {
					t.Errorf("afterwards: %+v, want 4 °C", r)
				}
			})
		})
	}
}

func TestALineStuckLowIsNotZeroDegrees(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim, _, b := oneWire(t, "stuck", 2)
		defer b.Close()
		sim.StickLow(true)
		for _, r := range sweep(t, b) {
			if r.Fault != sensor.FaultAllZero {
				t.Errorf("%+v, want %q", r, sensor.FaultAllZero)
			}
		}
	})
}

// A bus that hangs is given up at its deadline and opened again, and the bus
// beside it keeps its rhythm.
func TestAHangingBusIsAbandonedAndReopened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bad, _, hangs := oneWire(t, "hangs", 1)
		_, _, works := oneWire(t, "works", 1)
		sweep(t, hangs)
		bad.Hang(true)
		done := make(chan []sensor.Reading, 1)
		started := time.Now()
		go func() { done <- hangs.Sweep(t.Context(), time.Now()) }()
		if r := sweep(t, works)[0]; r.Fault != "" || time.Since(started) > time.Second {
			t.Errorf("the other bus: %+v after %v", r, time.Since(started))
		}
		r := (<-done)[0]
		if took := time.Since(started); r.Fault != sensor.FaultTimeout || took != 5*time.Second {
			t.Errorf("%+v after %v, want a timeout after 5 s", r, took)
		}
		bad.Hang(false)
		if r := sweep(t, hangs)[0]; r.Fault != "" || r.Temp != 4000 {
			t.Errorf("reopened: %+v, want 4 °C", r)
		}
		if n := bad.Opens(); n != 2 {
			t.Errorf("opened %d times, want 2", n)
		}
		hangs.Close()
		works.Close()
		synctest.Wait()
	})
}

// A bus that is not there is tried again, and its probes say so meanwhile.
func TestABusThatComesLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		probes := []sensor.Probe{{ID: "p", Chip: "ds18b20", Bus: "later", Address: address(0)}}
		b := must[[]sensor.Bus](t)(chips.Open(t.Context(), probes, quiet()))[0]
		defer b.Close()
		if r := sweep(t, b)[0]; r.Fault != sensor.FaultBus {
			t.Errorf("%+v, want %q", r, sensor.FaultBus)
		}
		sim := must[*chipsim.OneWire](t)(chipsim.NewOneWire("later"))
		defer sim.Close()
		sim.Add(must[*chipsim.DS18B20](t)(chipsim.NewDS18B20(address(0), constant(4))))
		time.Sleep(time.Minute)
		if r := sweep(t, b)[0]; r.Temp != 4000 || r.Fault != "" {
			t.Errorf("%+v, want 4 °C", r)
		}
	})
}

// 85 °C out of nothing is what a clone shows that has lost its power; one
// that stays is a temperature, though it came fast.
func TestASudden85DegreesMustStay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := must[*chipsim.OneWire](t)(chipsim.NewOneWire("hot"))
		defer sim.Close()
		temp := 5.0
		sim.Add(must[*chipsim.DS18B20](t)(chipsim.NewDS18B20(address(0), func(time.Time) float64 { return temp })))
		b := must[[]sensor.Bus](t)(chips.Open(t.Context(), []sensor.Probe{{ID: "p", Chip: "ds18b20", Bus: "hot", Address: address(0)}}, quiet()))[0]
		defer b.Close()
		sweep(t, b)
		temp = 85
		if r := sweep(t, b)[0]; r.Fault != sensor.FaultPowerOn {
			t.Errorf("at once: %+v", r)
		}
		if r := sweep(t, b)[0]; r.Fault != sensor.FaultSlope {
			t.Errorf("again: %+v, want a jump", r)
		}
		if r := sweep(t, b)[0]; r.Fault != "" || r.Temp != 85000 {
			t.Errorf("for the third time: %+v, want 85 °C", r)
		}
	})
}

func TestMCP9808(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := must[*chipsim.I2C](t)(chipsim.NewI2C("mcp"))
		defer sim.Close()
		c := chipsim.NewMCP9808(constant(-20.0625))
		sim.Add(0x18, c)
		probes := []sensor.Probe{{ID: "p", Chip: "mcp9808", Bus: "mcp", Address: "0x18", Calibration: sensor.Calibration{Points: []sensor.CalibrationPoint{{Reads: 120, Is: 0}}}}}
		b := must[[]sensor.Bus](t)(chips.Open(t.Context(), probes, quiet()))[0]
		defer b.Close()
		if r := sweep(t, b)[0]; r.Fault != "" || r.Raw != -20063 || r.Temp != -20183 {
			t.Errorf("%+v, want −20.063 °C raw, −20.183 corrected", r)
		}
		// A brown-out is not 0 °C.
		c.Set(chipsim.PoweredAnew)
		if r := sweep(t, b)[0]; r.Fault != "" || r.Raw != -20063 {
			t.Errorf("after a brown-out: %+v", r)
		}
		for trouble, want := range map[chipsim.Trouble]sensor.Fault{chipsim.Unplugged: sensor.FaultAbsent, chipsim.None: ""} {
			c.Set(trouble)
			if r := sweep(t, b)[0]; r.Fault != want {
				t.Errorf("%s: %+v, want %q", trouble, r, want)
			}
		}
		// Another chip put in its place is seen after the first fault.
		c.Set(chipsim.Unplugged)
		sweep(t, b)
		c.Set(chipsim.WrongIdentity)
		if r := sweep(t, b)[0]; r.Fault != sensor.FaultIdentity {
			t.Errorf("another chip: %+v, want %q", r, sensor.FaultIdentity)
		}
	})
}

func TestZeroDegreesIsATemperature(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := must[*chipsim.I2C](t)(chipsim.NewI2C("zero"))
		defer sim.Close()
		sim.Add(0x19, chipsim.NewMCP9808(constant(0)))
		b := must[[]sensor.Bus](t)(chips.Open(t.Context(), []sensor.Probe{{ID: "p", Chip: "mcp9808", Bus: "zero", Address: "0x19"}}, quiet()))[0]
		defer b.Close()
		if r := sweep(t, b)[0]; r.Fault != "" || r.Temp != 0 {
			t.Errorf("%+v, want 0 °C", r)
		}
	})
}

// The real search finds every chip, and says which are no DS18B20.
func TestScan(t *testing.T) {
	_, _, b := oneWire(t, "scan", 3)
	defer b.Close()
	found, err := chips.Scan()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, f := range found {
		if f.Bus == "scan" && f.Chip == "ds18b20" && f.Address == address(n) {
			n++
		}
	}
	if n != 3 {
		t.Errorf("found %+v, want three chips on the bus", found)
	}
}

func TestBadProbesAreNamedAllAtOnce(t *testing.T) {
	_, err := chips.Open(t.Context(), []sensor.Probe{
		{ID: "a", Chip: "ds18b21", Bus: "onewire-1", Address: address(0)},
		{ID: "b", Chip: "ds18b20", Bus: "onewire-1", Address: "28-123"},
		{ID: "c", Chip: "mcp9808", Bus: "onewire-1", Address: "0x18"},
		{ID: "d", Chip: "mcp9808", Bus: "i2c-1", Address: "0x48"},
		{ID: "e", Chip: "ds18b20", Bus: "onewire-1", Address: address(1)},
		{ID: "f", Chip: "ds18b20", Bus: "onewire-1", Address: address(1)},
	}, quiet())
	if err == nil {
		t.Fatal("accepted")
	}
	for _, id := range []string{"a", "b", "c", "d", "f"} {
		if !strings.Contains(err.Error(), fmt.Sprintf("%q", id)) {
			t.Errorf("nothing said of probe %s in:\n%v", id, err)
		}
	}
}

// A fridge is a function of seed and time: the buffered probe swings less than
// the air, a failure warms it, and the same instant gives the same again.
func TestFridge(t *testing.T) {
	f := chipsim.Refrigerator(7)
	start := time.Date(2026, 5, 2, 0, 0, 0, 0, time.UTC)
	var span [2][2]float64
	for i, m := range []sensor.Medium{sensor.Air, sensor.Buffered} {
		span[i] = [2]float64{100, -100}
		for s := 0; s < 7*86400; s += 60 {
			v := f.At(start.Add(time.Duration(s)*time.Second), m)
			span[i][0], span[i][1] = min(span[i][0], v), max(span[i][1], v)
		}
	}
	if span[1][0] < 2 || span[1][1] > 8 {
		t.Errorf("a week in the buffer spans %.2f…%.2f °C: a working fridge stays in 2–8", span[1][0], span[1][1])
	}
	if span[0][1]-span[0][0] <= span[1][1]-span[1][0] {
		t.Errorf("the air %v swings no more than the buffer %v", span[0], span[1])
	}
	f.FailsAt = start
	if v := f.At(start.Add(6*time.Hour), sensor.Buffered); v < 12 || v > 23 {
		t.Errorf("six hours after the compressor failed: %.2f °C", v)
	}
	again := f
	if a, b := f.At(start.Add(time.Hour), sensor.Air), again.At(start.Add(time.Hour), sensor.Air); a != b {
		t.Errorf("%v and %v at one instant", a, b)
	}
}
