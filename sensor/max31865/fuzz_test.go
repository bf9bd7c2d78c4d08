package max31865

import (
	"testing"
	"testing/synctest"

	"periph.io/x/conn/v3"
	"periph.io/x/conn/v3/physic"
	"periph.io/x/conn/v3/spi"
)

// A memory answers every reading with the same nine bytes; it keeps what is
// written where keep is set, and is never busy.
type memory struct {
	reg   [9]byte
	keep  bool
	proof bool // its low threshold sets the bit that it must set
}

func (m *memory) String() string                    { return "memory" }
func (m *memory) Duplex() conn.Duplex               { return conn.Full }
func (m *memory) TxPackets([]spi.Packet) error      { return nil }
func (m *memory) LimitSpeed(physic.Frequency) error { return nil }
func (m *memory) Connect(physic.Frequency, spi.Mode, int) (spi.Conn, error) {
	return m, nil
}

func (m *memory) Tx(w, r []byte) error {
	if w[0]&0x80 != 0 {
		if m.keep {
			copy(m.reg[1+w[0]&0x7f:], w[1:])
			m.reg[1] &^= cfgOneShot | cfgCycling | cfgClear
		}
		return nil
	}
	copy(r, m.reg[:])
	if m.proof && m.reg[6] == always[0] && m.reg[7] == always[1] {
		r[8] |= byte(FaultLow)
	}
	return nil
}

// Whatever nine bytes come: no panic, no endless wait, and a temperature only
// within the range and without a fault bit.
func FuzzRegisters(f *testing.F) {
	f.Add([]byte{0xff, 0x00, 0x2b, 0xba, 0xff, 0xff, 0, 0, 0}, true, true)
	f.Add([]byte{0xff, 0x00, 0xff, 0xff, 0xff, 0xff, 0, 0, 0xfc}, true, true)
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 0, 0}, false, false)
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, true, false)
	f.Fuzz(func(t *testing.T, b []byte, keep, proof bool) {
		if len(b) != 9 {
			return
		}
		synctest.Test(t, func(t *testing.T) {
			m := &memory{reg: [9]byte(b), keep: keep, proof: proof}
			d, err := New(m, &Opts{Reference: 400})
			if err != nil {
				t.Fatal(err)
			}
			got, err := d.Measure()
			switch {
			case err != nil:
				if got != (Measurement{}) {
					t.Errorf("%+v with %v", got, err)
				}
			case !keep || !proof || b[3]&1 != 0 || b[8]&0xfc != 0:
				t.Errorf("% x was believed: %+v", b, got)
			case celsius(got.Temperature) < -200 || celsius(got.Temperature) > 550:
				t.Errorf("% x: %+v", b, got)
			}
		})
	})
}

// BenchmarkReadMAX31865 judges and converts what has been read.
func BenchmarkReadMAX31865(b *testing.B) {
	m := &memory{reg: [9]byte{0xff, 0x00, 0x2b, 0xba}, keep: true, proof: true}
	d, err := New(m, &Opts{Reference: 400})
	if err != nil {
		b.Fatal(err)
	}
	if err := d.thresholds(d.window); err != nil {
		b.Fatal(err)
	}
	if err := d.configure(cfgBias); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		r, err := d.ended(cfgOneShot, d.window)
		if err != nil {
			b.Fatal(err)
		}
		if t := Temperature(float64(r.code())/32768*400, 100); t > -79 || t < -81 {
			b.Fatal(t)
		}
	}
}

// The memory of the fuzz test can be believed: else that test ensured nothing.
func TestMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, err := New(&memory{reg: [9]byte{0xff, 0x00, 0x2b, 0xba}, keep: true, proof: true}, &Opts{Reference: 400})
		if err != nil {
			t.Fatal(err)
		}
		// Only zeros but for the data would be a chip without thresholds: it has
		// them once they are written.
		if m, err := d.Measure(); err != nil || celsius(m.Temperature) < -80.02 || celsius(m.Temperature) > -79.98 {
			t.Errorf("%+v, %v, want -80 °C", m, err)
		}
	})
}
