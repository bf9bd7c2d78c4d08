package chips

import (
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/i2c/i2creg"

	"coldkeep/sensor"
	"coldkeep/sensor/chipsim"
)

// The longest turn behind a bridge, one that sets it up and then reads damaged
// bytes twice, stays well within the leash.
func TestTheLeashIsLongEnoughForABridge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim, err := chipsim.NewI2C("leashed")
		if err != nil {
			t.Fatal(err)
		}
		defer sim.Close()
		bus, err := i2creg.Open("leashed")
		if err != nil {
			t.Fatal(err)
		}
		line := &chipsim.OneWire{}
		sim.Add(0x18, chipsim.NewDS2482(line))
		c, err := chipsim.NewDS18B20("28-00000c8cf9b1", func(time.Time) float64 { return 4 })
		if err != nil {
			t.Fatal(err)
		}
		line.Add(c)
		c.Set(chipsim.Noise)
		g, err := newBridge("0x18")
		if err != nil {
			t.Fatal(err)
		}
		chip, err := newBridged(g, sensor.Probe{Address: "28-00000c8cf9b1"})
		if err != nil {
			t.Fatal(err)
		}
		l := &leash{Bus: bus, left: mostTx}
		if o := chip.read(l); o.fault != sensor.FaultCRC {
			t.Errorf("%q (%v), want %q", o.fault, o.cause, sensor.FaultCRC)
		}
		used := mostTx - l.left
		t.Logf("%d transactions", used)
		if l.ran || used > mostTx/2 {
			t.Errorf("%d transactions of %d", used, mostTx)
		}
	})
}
