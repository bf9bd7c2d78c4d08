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

// platinum makes a simulated chip with a platinum element and opens its bus.
func platinum(t *testing.T, name string, source chipsim.Source, settings sensor.Settings) (*chipsim.SPI, *chipsim.MAX31865, sensor.Bus) {
	t.Helper()
	c := must[*chipsim.MAX31865](t)(chipsim.NewMAX31865(source, settings.Element, settings.Reference))
	sim := must[*chipsim.SPI](t)(chipsim.NewSPI(name, c))
	t.Cleanup(func() { sim.Close() })
	b := must[[]sensor.Bus](t)(chips.Open(t.Context(), []sensor.Probe{{ID: "p", Chip: "max31865", Bus: name, Settings: settings}}, quiet()))[0]
	t.Cleanup(func() { b.Close() })
	return sim, c, b
}

// The temperature comes out with each element, wiring, reference and mains.
func TestMAX31865(t *testing.T) {
	for _, c := range []float64{-200, -196, -80, -20.5, 0, 4, 25, 100, 549} {
		for _, s := range []sensor.Settings{{Element: "pt100"}, {Element: "pt1000"}, {Element: "pt100", Wires: 3, Reference: 400, Mains: 60},
			{Element: "pt1000", Wires: 2, Reference: 4000, Mains: 50}} {
			t.Run(fmt.Sprintf("%g %s %d", c, s.Element, s.Wires), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					// Half a step warmer at the lower end, where rounding may fall out of the range.
					_, _, b := platinum(t, t.Name(), constant(max(c, -199.98)), s)
					for range 3 {
						if r := sweep(t, b)[0]; r.Fault != "" || math.Abs(r.Temp.Celsius()-c) > 0.04 {
							t.Errorf("%+v, want %g °C", r, c)
						}
					}
				})
			})
		}
	}
}

// Each trouble is a named fault at the very next sweep, and once it is over the
// chip reads again.
func TestTroublesOfAMAX31865(t *testing.T) {
	for trouble, want := range map[chipsim.Trouble]sensor.Fault{
		chipsim.Unplugged:     sensor.FaultAllOnes,
		chipsim.Ones:          sensor.FaultAllOnes,
		chipsim.Zeros:         sensor.FaultAllZero,
		chipsim.Noise:         sensor.FaultCRC,
		chipsim.Frozen:        sensor.FaultStale,
		chipsim.Busy:          sensor.FaultBusy,
		chipsim.WrongIdentity: sensor.FaultIdentity,
		chipsim.Open:          sensor.FaultOpen,
		chipsim.OpenLead:      sensor.FaultOpen,
		chipsim.Shorted:       sensor.FaultShort,
		chipsim.Overvoltage:   sensor.FaultVoltage,
	} {
		for _, wires := range []int{2, 3, 4} {
			t.Run(fmt.Sprint(trouble, wires), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					_, c, b := platinum(t, t.Name(), constant(-80), sensor.Settings{Element: "pt100", Wires: wires})
					for range 2 {
						if r := sweep(t, b)[0]; r.Fault != "" || math.Abs(r.Temp.Celsius()+80) > 0.04 {
							t.Fatalf("before: %+v", r)
						}
						c.Set(trouble)
						for n := range 5 {
							if r := sweep(t, b)[0]; r.Fault != want || r.Temp != 0 {
								t.Errorf("sweep %d: %+v, want %q", n, r, want)
							}
						}
						c.Set(chipsim.None)
					}
					if r := sweep(t, b)[0]; r.Fault != "" || math.Abs(r.Temp.Celsius()+80) > 0.04 {
						t.Errorf("afterwards: %+v", r)
					}
				})
			})
		}
	}
}

// A chip that lost its power is told once, whenever it was, and set up anew.
func TestAMAX31865ThatLostItsPower(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, c, b := platinum(t, t.Name(), constant(-80), sensor.Settings{Element: "pt100"})
		sweep(t, b)
		for _, middle := range []time.Duration{0, 5 * time.Millisecond, 40 * time.Millisecond, 120 * time.Millisecond} {
			if middle == 0 {
				c.Set(chipsim.PoweredAnew)
			} else {
				time.AfterFunc(middle, func() { c.Set(chipsim.PoweredAnew) })
			}
			if r := sweep(t, b)[0]; r.Fault != sensor.FaultReset {
				t.Errorf("after %v: %+v, want %q", middle, r, sensor.FaultReset)
			}
			if r := sweep(t, b)[0]; r.Fault != "" || math.Abs(r.Temp.Celsius()+80) > 0.04 {
				t.Errorf("set up anew: %+v", r)
			}
		}
	})
}

// A chip that another program left converting by itself, for another mains, is
// stopped before its filter is touched.
func TestAMAX31865ThatIsConverting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, _, b := platinum(t, "rtd left converting", constant(-80), sensor.Settings{Element: "pt100", Mains: 50})
		other := must[spi.PortCloser](t)(spireg.Open("rtd left converting"))
		conn := must[spi.Conn](t)(other.Connect(physic.MegaHertz, spi.Mode1, 8))
		if err := conn.Tx([]byte{0x80, 0xc0}, nil); err != nil { // bias, automatic, 60 Hz
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		for range 2 {
			if r := sweep(t, b)[0]; r.Fault != "" || math.Abs(r.Temp.Celsius()+80) > 0.04 {
				t.Errorf("%+v, want -80 °C", r)
			}
		}
		// Between sweeps nothing flows through the element.
		r := make([]byte, 2)
		if err := conn.Tx([]byte{0x00, 0x00}, r); err != nil || r[1] != 0x01 {
			t.Errorf("configuration %02x, %v, want the bias off", r[1], err)
		}
	})
}

// The bus's own error is kept, and a bus that fails is opened anew.
func TestAMAX31865OnABusThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim, _, b := platinum(t, t.Name(), constant(-80), sensor.Settings{Element: "pt100"})
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

// What is a resistance but none of this element is out of range.
func TestOutsideAMAX31865(t *testing.T) {
	for _, c := range []float64{551, 560, 600, -201} {
		synctest.Test(t, func(t *testing.T) {
			_, _, b := platinum(t, fmt.Sprintf("rtd at %g", c), constant(c), sensor.Settings{Element: "pt100"})
			if r := sweep(t, b)[0]; r.Fault != sensor.FaultOutOfRange {
				t.Errorf("%g °C: %+v, want %q", c, r, sensor.FaultOutOfRange)
			}
		})
	}
}

// Whatever happens to the chip in whatever order, what is believed is true.
func TestAMAX31865TellsNoLie(t *testing.T) {
	troubles := []chipsim.Trouble{chipsim.None, chipsim.Unplugged, chipsim.Intermittent, chipsim.Zeros, chipsim.Ones, chipsim.Noise, chipsim.Frozen,
		chipsim.PoweredAnew, chipsim.Busy, chipsim.WrongIdentity, chipsim.Open, chipsim.OpenLead, chipsim.Shorted, chipsim.Overvoltage}
	synctest.Test(t, func(t *testing.T) {
		temp := -80.0
		_, c, b := platinum(t, t.Name(), func(time.Time) float64 { return temp }, sensor.Settings{Element: "pt100"})
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
			if math.Abs(r.Temp.Celsius()-temp) > 0.04 {
				t.Fatalf("%+v, where it is %g °C", r, temp)
			}
		}
		if believed < 50 {
			t.Errorf("%d of 2000 were believed", believed)
		}
	})
}
