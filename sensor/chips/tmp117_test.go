package chips

import (
	"testing"

	"periph.io/x/conn/v3/i2c/i2ctest"

	"coldkeep/sensor"
)

// The table of the datasheet (SBOS740, table 7-1), SBAA588's 24.5 °C, and
// what follows from the step of 1/128 °C.
func TestTMP117Table(t *testing.T) {
	for _, c := range []struct {
		word  uint16
		temp  sensor.Temp
		fault sensor.Fault
	}{
		{0x8000, 0, sensor.FaultPowerOn}, // −256 °C
		{0xf380, -25_000, ""}, {0xfff0, -125, ""}, {0x0001, 8, ""}, {0x0010, 125, ""}, {0x0080, 1000, ""}, {0x0c80, 25_000, ""}, {0x3200, 100_000, ""},
		{0x7fff, 0, sensor.FaultOutOfRange}, {0x0c40, 24_500, ""}, {0x0200, 4000, ""}, {0x0400, 8000, ""}, {0xf600, -20_000, ""}, {0xe480, -55_000, ""},
		{0xe47f, 0, sensor.FaultOutOfRange}, {0x0000, 0, ""}, {0xffff, -8, ""},
	} {
		value := []byte{byte(c.word >> 8), byte(c.word)}
		ops := []i2ctest.IO{
			{Addr: 0x48, W: []byte{0x0f}, R: []byte{0x01, 0x17}},
			{Addr: 0x48, W: []byte{0x01}, R: []byte{0x02, 0x20}},
			{Addr: 0x48, W: []byte{0x01, 0x0c, 0x20}},
			{Addr: 0x48, W: []byte{0x01}, R: []byte{0x24, 0x20}},
			{Addr: 0x48, W: []byte{0x00}, R: value},
			{Addr: 0x48, W: []byte{0x00}, R: value},
		}
		if c.word == 0 || c.word == 0xffff { // a dead line reads so, too: who is there?
			ops = append(ops, i2ctest.IO{Addr: 0x48, W: []byte{0x0f}, R: []byte{0x01, 0x17}})
		}
		b := &i2ctest.Playback{Ops: ops, DontPanic: true}
		chip := newTMP117(0x48)
		wait, o := chip.start(b)
		if o.fault != "" || wait != tmp117Time {
			t.Fatalf("start: %+v %v", o, wait)
		}
		if o = chip.read(b); o.raw != c.temp || o.fault != c.fault {
			t.Errorf("%#04x: %s %q (%v), want %s %q", c.word, o.raw, o.fault, o.cause, c.temp, c.fault)
		}
		if err := b.Close(); err != nil {
			t.Errorf("%#04x: %v", c.word, err)
		}
	}
}
