package chips

import (
	"errors"
	"testing"
	"testing/synctest"

	"periph.io/x/conn/v3/physic"

	"coldkeep/sensor"
)

// nonsense is a bus on which bytes of a fuzzer answer whatever is asked. Where
// they end, nobody acknowledges.
type nonsense struct{ bytes []byte }

func (n *nonsense) String() string                  { return "nonsense" }
func (n *nonsense) SetSpeed(physic.Frequency) error { return nil }

func (n *nonsense) Tx(_ uint16, _, r []byte) error {
	if len(n.bytes) == 0 {
		return errors.New("sysfs-i2c: remote I/O error")
	}
	for i := range r {
		r[i] = n.bytes[0]
		n.bytes = append(n.bytes[1:], n.bytes[0]) // again and again, so that no read comes to an end by itself
	}
	return nil
}

// Whatever a chip's registers hold: no panic, no end that never comes, and a
// temperature only where the chip can have one.
func FuzzRegisters(f *testing.F) {
	for i := range sensor.Chips() {
		f.Add(byte(i), []byte{0})
		f.Add(byte(i), []byte{0xff})
		f.Add(byte(i), []byte{0x01, 0x17, 0x24, 0x20, 0x0c, 0x80, 0x0c, 0x80})
		f.Add(byte(i), []byte{0x00, 0x54, 0x04, 0x00, 0x01, 0x90})
		f.Add(byte(i), []byte{0x58, 0x70, 0x6b, 0x43, 0x67, 0x18, 0xfc, 0x08})
		f.Add(byte(i), []byte{0x60, 0xc0, 0x19, 0x00})
		f.Add(byte(i), []byte{0x30, 0x00, 0x33, 0x66, 0x66, 0x93})
	}
	f.Fuzz(func(t *testing.T, which byte, bytes []byte) {
		if len(bytes) > 64 {
			return
		}
		c := sensor.Chips()[int(which)%len(sensor.Chips())]
		if c.Bus != sensor.I2C {
			return
		}
		synctest.Test(t, func(t *testing.T) {
			p := sensor.Probe{ID: "p", Chip: c.Name, Bus: "x", Address: c.Example, Settings: sensor.Settings{Series: 10_000, Supply: 3.3, R25: 10_000, Beta: 3950}}
			chip, err := newI2CChip(p, c.Addresses[0])
			if err != nil {
				t.Fatal(err)
			}
			w := &i2cWire{bus: &nonsense{bytes}, seats: []seat{{chip: chip}}}
			for range 2 {
				if err := w.sweep(func(_ int, o outcome) {
					if (o.fault == "") != (o.cause == nil) && o.fault == "" {
						t.Errorf("%s: a temperature with a cause: %v", c.Name, o.cause)
					}
					if o.fault == "" && (o.raw < c.Low || o.raw > c.High) {
						t.Errorf("%s: %s °C", c.Name, o.raw)
					}
					if o.fault != "" && o.cause == nil {
						t.Errorf("%s: %q without a cause", c.Name, o.fault)
					}
				}); err != nil && err.Error() == "" {
					t.Error("an error without words")
				}
			}
		})
	})
}
