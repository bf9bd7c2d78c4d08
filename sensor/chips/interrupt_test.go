package chips

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/i2c/i2creg"

	"coldkeep/sensor"
	"coldkeep/sensor/chipsim"
)

// interrupted is a bus on which something happens at one transaction.
type interrupted struct {
	i2c.Bus
	left   int
	happen func() error
}

func (b *interrupted) Tx(addr uint16, w, r []byte) error {
	if b.left--; b.left == -1 {
		if err := b.happen(); err != nil {
			return err
		}
	}
	return b.Bus.Tx(addr, w, r)
}

// At whatever transaction a NACK, a brown-out of the bridge or one of a
// multiplexer comes: no chip shows a temperature that is not its own, and the
// second sweep after it is right for all.
func TestInterruptedAtEveryTransaction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim, err := chipsim.NewI2C("interrupted")
		if err != nil {
			t.Fatal(err)
		}
		defer sim.Close()
		bus, err := i2creg.Open("interrupted")
		if err != nil {
			t.Fatal(err)
		}
		mux, line := chipsim.NewPCA9548(), &chipsim.OneWire{}
		g := chipsim.NewDS2482(line)
		sim.Add(0x70, mux)
		mux.Add(3, 0x18, g)
		mux.Add(4, 0x18, chipsim.NewMCP9808(func(time.Time) float64 { return 7 }))
		c, err := chipsim.NewDS18B20("28-00000c8cf9b1", func(time.Time) float64 { return 4 })
		if err != nil {
			t.Fatal(err)
		}
		line.Add(c)
		time.Sleep(time.Second) // the MCP9808's first conversion
		for name, happen := range map[string]func() error{
			"NACK":                     func() error { return errors.New("sysfs-i2c: remote I/O error") },
			"timeout":                  func() error { return errors.New("sysfs-i2c: connection timed out") },
			"brown-out of bridge":      func() error { g.Set(chipsim.PoweredAnew); return nil },
			"brown-out of multiplexer": func() error { mux.Set(chipsim.PoweredAnew); return nil },
		} {
			faults := 0
			for n := 0; ; n++ {
				cut := &interrupted{Bus: bus, left: n, happen: happen}
				behind, err := newBridge("0x18")
				if err != nil {
					t.Fatal(err)
				}
				chip, err := newBridged(behind, sensor.Probe{Address: "28-00000c8cf9b1"})
				if err != nil {
					t.Fatal(err)
				}
				w := &i2cWire{bus: cut, seats: []seat{{0x70, 3, chip}, {0x70, 4, &mcp9808Chip{addr: 0x18}}}}
				look := func(sound bool) {
					if err := w.sweep(func(i int, o outcome) {
						want := []sensor.Temp{4000, 7000}[i]
						if o.fault != "" {
							faults++
						}
						if o.fault == "" && o.raw != want || sound && o.fault != "" {
							t.Errorf("%s at %d: chip %d: %s %q (%v), want %s", name, n, i, o.raw, o.fault, o.cause, want)
						}
					}); err != nil && sound {
						t.Errorf("%s at %d: %v", name, n, err)
					}
				}
				look(false)
				over := cut.left >= 0
				look(false)
				look(true)
				if over {
					break
				}
				if n > 2*mostTx {
					t.Fatal(fmt.Errorf("%s: a sweep never ends", name))
				}
			}
			if faults == 0 {
				t.Errorf("%s: nothing was ever noticed", name)
			}
		}
	})
}
