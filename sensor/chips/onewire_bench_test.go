package chips

import (
	"testing"

	"periph.io/x/conn/v3/onewire"
)

// still is a wire on which one chip shows one scratchpad, at no cost.
type still struct{ s scratchpad }

func (still) String() string { return "still" }
func (b still) Tx(_, r []byte, _ onewire.Pullup) error {
	copy(r, b.s[:])
	return nil
}
func (still) Search(bool) ([]onewire.Address, error) { return nil, nil }

// BenchmarkReadDS18B20 is one reading apart from the conversion.
func BenchmarkReadDS18B20(b *testing.B) {
	c := &ds18b20{}
	w := onewire.Bus(still{scratchpad{0x6d, 0x01, 0x4b, 0x46, 0x7f, 0xff, 0x0c, 0x10, 0x68}})
	b.ReportAllocs()
	for b.Loop() {
		if o := c.read(w, true); o.fault != "" {
			b.Fatal(o.fault)
		}
	}
}
