package max31865

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/conntest"
	"periph.io/x/conn/v3/physic"
	"periph.io/x/conn/v3/spi/spitest"
)

// The window -205…555 °C of a PT100 with 400 Ω.
const window = "bf 70 0a 78"

// hex reads bytes; it panics on a test's own mistake.
func hex(s string) (b []byte) {
	for f := range strings.FieldsSeq(s) {
		var v byte
		for _, c := range f {
			v = v<<4 | byte(strings.IndexRune("0123456789abcdef", c))
		}
		b = append(b, v)
	}
	return b
}

func sent(w string) conntest.IO { return conntest.IO{W: hex(w)} }

func twice(r string) []conntest.IO {
	o := conntest.IO{W: make([]byte, 9), R: append([]byte{0xff}, hex(r)...)}
	return []conntest.IO{o, o}
}

// The parts of the transcript of a chip with 4 wires at 50 Hz.
var (
	setUp = slices.Concat(twice("00 00 00 ff ff 00 00 00")[:1], []conntest.IO{sent("83 " + window), sent("80 83"), sent("80 85")}, twice("81 00 00 "+window+" 00"))
	proof = slices.Concat([]conntest.IO{sent("83 bf 70 ff fe"), sent("80 83"), sent("80 a1")}, twice("81 2b bb bf 70 ff fe 40"))
	start = []conntest.IO{sent("83 " + window), sent("80 83"), sent("80 a1")}
	off   = []conntest.IO{sent("80 01")}
	cycle = []conntest.IO{sent("83 " + window), sent("80 85")}
)

func played(t *testing.T, ops ...[]conntest.IO) *Dev {
	t.Helper()
	p := &spitest.Playback{Playback: conntest.Playback{Ops: slices.Concat(ops...), DontPanic: true}}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Errorf("left over: %v", err)
		}
	})
	d, err := New(p, &Opts{Reference: 400})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// From power-on: set up, wires looked at, proven to convert, converted, bias
// off; the next reading does without the set-up.
func TestTranscript(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := played(t, setUp, proof, start, twice("81 2b ba "+window+" 00"), off,
			twice("01 2b ba "+window+" 00"), setUp[2:], proof, start, twice("81 41 00 "+window+" 00"), off)
		e := physic.Env{Humidity: 42}
		if err := d.Sense(&e); err != nil || math.Abs(celsius(e.Temperature)+80) > 0.02 || e.Humidity != 42 {
			t.Errorf("%s %v, want -80 °C and the rest as it was", e.Temperature, err)
		}
		begun := time.Now()
		if m, err := d.Measure(); err != nil || math.Abs(celsius(m.Temperature)-4) > 0.02 || m.Code != 8320 || m.Resistance != 101.5625 {
			t.Errorf("%+v %v, want 4 °C", m, err)
		}
		if took := time.Since(begun); took != d.Duration() {
			t.Errorf("took %v, want %v", took, d.Duration())
		}
	})
}

// Registers and temperatures with references of 400 and 430 Ω, within the
// code's step.
func TestCodes(t *testing.T) {
	for reference, codes := range map[float64]map[float64]uint16{
		400: {-200: 0x0bda, -100: 0x2690, -80: 0x2bba, -20: 0x3afc, 0: 0x4000, 4: 0x4100, 8: 0x4200, 25: 0x463a, 100: 0x58a4},
		430: {-80: 0x28ae, 0: 0x3b88, 4: 0x3c78, 100: 0x5276},
	} {
		for c, reg := range codes {
			ohm := float64(reg>>1) / 32768 * reference
			if got := Temperature(ohm, 100); math.Abs(got-c) > 0.04 {
				t.Errorf("%g Ω, %04x: %.4f °C, want %g", reference, reg, got, c)
			}
		}
	}
}

// What may come back, what it is, and that nothing is changed by it.
func TestErrors(t *testing.T) {
	for name, x := range map[string]struct {
		ops  []conntest.IO
		want error
		bits Fault
	}{
		"zeros":         {slices.Concat(twice("00 00 00 00 00 00 00 00")[:1]), ErrZeros, 0},
		"ones":          {slices.Concat(twice("ff ff ff ff ff ff ff ff")[:1]), ErrOnes, 0},
		"stale":         {slices.Concat(setUp, proof[:3], twice("81 2b ba bf 70 ff fe 00")), ErrStale, 0},
		"reset":         {slices.Concat(setUp, proof, start, twice("00 2b ba ff ff 00 00 00")), ErrReset, 0},
		"3 wires":       {slices.Concat(setUp, proof, start, twice("91 2b ba "+window+" 00")), ErrSettings, 0},
		"damaged":       {slices.Concat(setUp, proof, start, twice("81 2b ba " + window + " 00")[:1], twice("81 2b bc " + window + " 00")[:1]), ErrDamaged, 0},
		"busy":          {slices.Concat(setUp, proof, start, slices.Repeat(twice("a1 2b ba "+window+" 00"), 6)), ErrBusy, 0},
		"too cold":      {slices.Concat(setUp, proof, start, twice("81 0b 00 "+window+" 00")), ErrRange, 0},
		"voltage":       {slices.Concat(setUp, proof[:3], slices.Repeat(twice("a1 2b bb bf 70 ff fe 04"), 6)), nil, FaultVoltage},
		"open at start": {slices.Concat(setUp[:4], twice("81 00 01 "+window+" 20")), nil, FaultNoCurrent},
		"every bit":     {slices.Concat(setUp, proof, start, twice("81 ff ff "+window+" c0"), cycle, twice("81 ff ff "+window+" fc")), nil, 0xfc},
		"short":         {slices.Concat(setUp, proof, start, twice("81 00 07 "+window+" 40"), cycle, twice("81 00 07 "+window+" 50")), nil, FaultLow | FaultLeak},
		// The data's own bit is enough.
		"bit 0": {slices.Concat(setUp, proof, start, twice("81 2b bb "+window+" 00"), cycle, twice("81 2b bb "+window+" 00")), &FaultError{Code: 5597}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				// After any of them it is set up anew, and reads.
				d := played(t, x.ops, off, setUp, proof, start, twice("81 2b ba "+window+" 00"), off)
				e := physic.Env{Temperature: 1}
				err := d.Sense(&e)
				if err == nil || e.Temperature != 1 {
					t.Fatalf("%v, %s, want an error and nothing changed", err, e.Temperature)
				}
				var f *FaultError
				switch isFault := errors.As(err, &f); {
				case x.bits != 0 && (!isFault || f.Bits != x.bits):
					t.Errorf("%v, want bits %02x", err, x.bits)
				case name == "bit 0" && (!isFault || f.Bits != 0):
					t.Errorf("%v, want a fault without bits", err)
				case x.bits == 0 && name != "bit 0" && !errors.Is(err, x.want):
					t.Errorf("%v, want %v", err, x.want)
				}
				if err := d.Sense(&e); err != nil || math.Abs(celsius(e.Temperature)+80) > 0.02 {
					t.Errorf("afterwards: %s, %v", e.Temperature, err)
				}
			})
		})
	}
}

func TestOpts(t *testing.T) {
	for _, o := range []Opts{{Nominal: 500}, {Wires: 5}, {Wires: 1}, {Mains: 55 * physic.Hertz}, {Reference: 50}, {Reference: math.NaN()},
		{Low: physic.ZeroCelsius, High: physic.ZeroCelsius}, {High: physic.ZeroCelsius + 900*physic.Kelvin}, {Settle: -1}} {
		if _, err := New(&spitest.Playback{}, &o); err == nil {
			t.Errorf("%+v: no error", o)
		}
	}
}

// An error ends the readings, and is told; Halt does not wait for ever.
func TestContinuous(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := played(t, setUp, proof, start, twice("81 2b ba "+window+" 00"), off, twice("00 00 00 ff ff 00 00 00"), off)
		c, err := d.SenseContinuous(time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if e := <-c; math.Abs(celsius(e.Temperature)+80) > 0.02 {
			t.Errorf("%s, want -80 °C", e.Temperature)
		}
		if e, more := <-c; more || !errors.Is(d.Err(), ErrReset) {
			t.Errorf("%v %v, %v, want the end and %v", e, more, d.Err(), ErrReset)
		}
		if err := d.Halt(); err != nil {
			t.Error(err)
		}
	})
}
