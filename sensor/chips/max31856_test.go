package chips_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/physic"
	"periph.io/x/conn/v3/spi"
	"periph.io/x/conn/v3/spi/spireg"

	"coldkeep/sensor"
	"coldkeep/sensor/chips"
	"coldkeep/sensor/chipsim"
)

// thermocouple makes a simulated chip with a thermocouple and opens its bus.
func thermocouple(t *testing.T, name string, wired string, hot, junction chipsim.Source, settings sensor.Settings) (*chipsim.SPI, *chipsim.MAX31856, sensor.Bus) {
	t.Helper()
	c := must[*chipsim.MAX31856](t)(chipsim.NewMAX31856(hot, junction, wired))
	sim := must[*chipsim.SPI](t)(chipsim.NewSPI(name, c))
	t.Cleanup(func() { sim.Close() })
	b := must[[]sensor.Bus](t)(chips.Open(t.Context(), []sensor.Probe{{ID: "p", Chip: "max31856", Bus: name, Settings: settings}}, quiet()))[0]
	t.Cleanup(func() { b.Close() })
	return sim, c, b
}

// near says whether two temperatures are within two steps of the chip: one of
// its own, and what a step of its cold junction makes.
func near(a, b sensor.Temp) bool { return max(a-b, b-a) <= 30 }

// The hot end's temperature comes out whatever the cold junction has, at 50 and
// at 60 Hz, below zero as above, for each type.
func TestMAX31856(t *testing.T) {
	for _, x := range []struct {
		element       string
		hot, junction float64
	}{
		{"T", -80, 22}, {"T", -196, 22}, {"T", -80, -12.3}, {"T", 4, 25}, {"T", 0, 0}, {"T", -0.5, 31.2}, {"T", 5, 84}, {"T", 400, 25}, {"T", -200, 25},
		{"K", -80, 22}, {"K", -196, 22}, {"K", 4, 25}, {"K", 4, -12.3}, {"K", 0, 22}, {"K", 127, 40}, {"K", 1000, 25},
		{"J", -80, 22}, {"N", -80, 22}, {"E", -196, 22}, {"R", -20, 22}, {"S", -20, 22}, {"B", 300, 40},
	} {
		for _, mains := range []int{0, 50, 60} {
			t.Run(fmt.Sprintf("%s %g %g %d", x.element, x.hot, x.junction, mains), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					_, _, b := thermocouple(t, t.Name(), x.element, constant(x.hot), constant(x.junction), sensor.Settings{Element: x.element, Mains: mains})
					within := 0.03
					if x.element == "R" || x.element == "S" || x.element == "B" {
						within = 0.1 // their voltage hardly moves: a step of the cold junction is more
					}
					for range 3 {
						begun := time.Now()
						r := sweep(t, b)[0]
						if r.Fault != "" || math.Abs(r.Temp.Celsius()-x.hot) > within {
							t.Errorf("%+v, want %g °C", r, x.hot)
						}
						if took := time.Since(begun); took > time.Second {
							t.Errorf("took %v", took)
						}
					}
				})
			})
		}
	}
}

// Each trouble is a named fault at the very next sweep, and once it is over the
// chip reads again.
func TestTroublesOfAMAX31856(t *testing.T) {
	for trouble, want := range map[chipsim.Trouble]sensor.Fault{
		chipsim.Unplugged:     sensor.FaultAllOnes,
		chipsim.Ones:          sensor.FaultAllOnes,
		chipsim.Zeros:         sensor.FaultAllZero,
		chipsim.Noise:         sensor.FaultCRC,
		chipsim.Frozen:        sensor.FaultStale,
		chipsim.Busy:          sensor.FaultBusy,
		chipsim.WrongIdentity: sensor.FaultIdentity,
		chipsim.Open:          sensor.FaultOpen,
		chipsim.Overvoltage:   sensor.FaultVoltage,
	} {
		t.Run(string(trouble), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, c, b := thermocouple(t, t.Name(), "T", constant(-80), constant(22), sensor.Settings{Element: "T"})
				for range 2 {
					if r := sweep(t, b)[0]; r.Fault != "" || !near(r.Temp, -80_000) {
						t.Fatalf("before: %+v", r)
					}
					c.Set(trouble)
					for range 5 {
						begun := time.Now()
						if r := sweep(t, b)[0]; r.Fault != want || r.Temp != 0 {
							t.Errorf("%+v, want %q", r, want)
						}
						if took := time.Since(begun); took > 3*time.Second {
							t.Errorf("took %v", took)
						}
					}
					c.Set(chipsim.None)
				}
				if r := sweep(t, b)[0]; r.Fault != "" || !near(r.Temp, -80_000) {
					t.Errorf("afterwards: %+v", r)
				}
			})
		})
	}
}

// A chip that lost its power for a moment between two sweeps would take the T
// for a K: that is told once, and it is set up anew. So would one that lost it
// in the middle of a conversion.
func TestAMAX31856ThatLostItsPower(t *testing.T) {
	for _, element := range []string{"T", "K"} { // K is what the chip is at power-on
		t.Run(element, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, c, b := thermocouple(t, t.Name(), element, constant(-80), constant(22), sensor.Settings{Element: element})
				sweep(t, b)
				for _, middle := range []time.Duration{0, time.Millisecond, 200 * time.Millisecond} {
					go func() {
						time.Sleep(middle)
						c.Set(chipsim.PoweredAnew)
					}()
					if middle == 0 {
						synctest.Wait()
					}
					if r := sweep(t, b)[0]; r.Fault != sensor.FaultReset {
						t.Errorf("after %v: %+v, want %q", middle, r, sensor.FaultReset)
					}
					if r := sweep(t, b)[0]; r.Fault != "" || !near(r.Temp, -80_000) {
						t.Errorf("set up anew: %+v", r)
					}
				}
			})
		})
	}
}

// A chip that another program left converting by itself, for another mains, is
// stopped before its filter is touched.
func TestAMAX31856ThatIsConverting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, _, b := thermocouple(t, "left converting", "T", constant(-80), constant(22), sensor.Settings{Element: "T", Mains: 50})
		other := must[spi.PortCloser](t)(spireg.Open("left converting"))
		conn := must[spi.Conn](t)(other.Connect(physic.MegaHertz, spi.Mode1, 8))
		if err := conn.Tx([]byte{0x80, 0x94, 0x43}, nil); err != nil { // automatic, faults kept, a K, 60 Hz
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		for range 2 {
			if r := sweep(t, b)[0]; r.Fault != "" || !near(r.Temp, -80_000) {
				t.Errorf("%+v, want -80 °C", r)
			}
		}
	})
}

// A chip that does not answer now and then gives a fault or the truth.
func TestAMAX31856WithALooseWire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, c, b := thermocouple(t, t.Name(), "T", constant(-80), constant(22), sensor.Settings{Element: "T"})
		c.Set(chipsim.Intermittent)
		faults := 0
		for range 60 {
			switch r := sweep(t, b)[0]; {
			case r.Fault != "":
				faults++
			case !near(r.Temp, -80_000):
				t.Errorf("%+v, want -80 °C or a fault", r)
			}
		}
		if faults == 0 {
			t.Error("nothing was told")
		}
		c.Set(chipsim.None)
		sweep(t, b)
		if r := sweep(t, b)[0]; r.Fault != "" {
			t.Errorf("afterwards: %+v", r)
		}
	})
}

// The bus's own error is kept, and a bus that fails is opened anew.
func TestAMAX31856OnABusThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim, _, b := thermocouple(t, t.Name(), "T", constant(-80), constant(22), sensor.Settings{Element: "T"})
		sweep(t, b)
		sim.Fail(errors.New("input/output error"))
		for range 4 {
			if r := sweep(t, b)[0]; r.Fault != sensor.FaultBus {
				t.Errorf("%+v, want %q", r, sensor.FaultBus)
			}
		}
		sim.Fail(nil)
		if r := sweep(t, b)[0]; r.Fault != "" || sim.Opens() != 2 {
			t.Errorf("%+v after %d openings", r, sim.Opens())
		}
	})
}

// A call that never returns costs one deadline, and the bus is opened anew.
func TestAMAX31856OnABusThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim, _, b := thermocouple(t, t.Name(), "T", constant(-80), constant(22), sensor.Settings{Element: "T"})
		sweep(t, b)
		sim.Hang(true)
		begun := time.Now()
		if r := sweep(t, b)[0]; r.Fault != sensor.FaultTimeout || time.Since(begun) != 5*time.Second {
			t.Errorf("%+v after %v, want %q after 5 s", r, time.Since(begun), sensor.FaultTimeout)
		}
		sim.Hang(false)
		time.Sleep(time.Second) // the call that hung is done at last, and would be in the midst of the new owner's
		if r := sweep(t, b)[0]; r.Fault != "" || !near(r.Temp, -80_000) {
			t.Errorf("opened anew: %+v", r)
		}
	})
}

// What lies outside is a fault: the type's range, and where a board can be.
func TestOutsideAMAX31856(t *testing.T) {
	for _, x := range []struct {
		element       string
		hot, junction float64
		want          sensor.Fault
	}{
		{"T", 401, 25, sensor.FaultOutOfRange}, {"T", -201, 25, sensor.FaultOutOfRange}, {"K", -230, 25, sensor.FaultOutOfRange},
		{"K", 1001, 25, sensor.FaultOutOfRange}, {"R", -60, 25, sensor.FaultOutOfRange}, {"B", 20, 25, sensor.FaultOutOfRange},
		{"T", -80, 90, sensor.FaultColdJunction}, {"T", -80, -41, sensor.FaultColdJunction}, {"T", -80, 126, sensor.FaultColdJunction}, {"T", -80, -56, sensor.FaultColdJunction},
		{"R", 25, -54, sensor.FaultColdJunction}, {"B", 300, -5, sensor.FaultColdJunction},
	} {
		t.Run(fmt.Sprintf("%s %g %g", x.element, x.hot, x.junction), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, _, b := thermocouple(t, t.Name(), x.element, constant(x.hot), constant(x.junction), sensor.Settings{Element: x.element})
				if r := sweep(t, b)[0]; r.Fault != x.want {
					t.Errorf("%+v, want %q", r, x.want)
				}
			})
		})
	}
}

// Two things that no chip can see, as they are: a short is a thermocouple that
// measures at the short, and a type that is not the one that is wired reads
// wrong.
func TestWhatAMAX31856CannotSee(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, c, b := thermocouple(t, "short", "T", constant(-80), constant(22), sensor.Settings{Element: "T"})
		c.Set(chipsim.Shorted)
		if r := sweep(t, b)[0]; r.Fault != "" || !near(r.Temp, 22_000) {
			t.Errorf("shorted: %+v, want the terminals' 22 °C", r)
		}
		_, _, wrong := thermocouple(t, "wrong type", "T", constant(-80), constant(22), sensor.Settings{Element: "K"})
		// -3.658190 mV of a T, and a K that has -3.798982 mV at -80 °C.
		if r := sweep(t, wrong)[0]; r.Fault != "" || r.Temp < -77_000 || r.Temp > -75_000 {
			t.Errorf("T wired, K set: %+v", r)
		}
	})
}

// Whatever happens to the chip in whatever order, what is believed is true.
func TestAMAX31856TellsNoLie(t *testing.T) {
	troubles := []chipsim.Trouble{chipsim.None, chipsim.Unplugged, chipsim.Intermittent, chipsim.Zeros, chipsim.Ones, chipsim.Noise, chipsim.Frozen,
		chipsim.PoweredAnew, chipsim.Busy, chipsim.WrongIdentity, chipsim.Open, chipsim.Overvoltage}
	synctest.Test(t, func(t *testing.T) {
		temp := -80.0
		_, c, b := thermocouple(t, t.Name(), "T", func(time.Time) float64 { return temp }, constant(22), sensor.Settings{Element: "T"})
		rnd := rand.New(rand.NewPCG(1, 2))
		believed := 0
		for range 2000 {
			temp = -90 + 20*rnd.Float64()
			c.Set(troubles[rnd.IntN(len(troubles))])
			time.Sleep(time.Minute) // so that it may have moved
			r := sweep(t, b)[0]
			if r.Fault != "" {
				continue
			}
			believed++
			if math.Abs(r.Temp.Celsius()-temp) > 0.03 {
				t.Fatalf("%+v, where it is %g °C", r, temp)
			}
		}
		if believed < 50 {
			t.Errorf("%d of 2000 were believed", believed)
		}
	})
}
