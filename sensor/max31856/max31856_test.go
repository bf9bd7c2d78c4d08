package max31856

import (
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/conntest"
	"periph.io/x/conn/v3/physic"
	"periph.io/x/conn/v3/spi"
	"periph.io/x/conn/v3/spi/spitest"
)

const typeT50Hz4 = "11 27 00 7d c9 19 00 f3 80 00"

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

// sent is a transaction that reads nothing.
func sent(w string) conntest.IO { return conntest.IO{W: hex(w)} }

// asked is the reading of all registers.
func asked(r string) conntest.IO {
	return conntest.IO{W: make([]byte, 17), R: append([]byte{0xff}, hex(r)...)}
}

// started is how every conversion starts.
var started = []conntest.IO{sent("80 19"), sent("8a ce 00"), sent("80 51")}

// setUp is the transcript of setting up a type T from power-on.
var setUp = []conntest.IO{
	asked("00 03 ff 7f c0 7f ff 80 00 00 00 00 00 00 00 00"),
	sent("80 06"),
	sent("80 " + typeT50Hz4),
	asked(typeT50Hz4 + " 00 00 00 00 00 00"),
	asked(typeT50Hz4 + " 00 00 00 00 00 00"),
}

func twice(r string) []conntest.IO { return []conntest.IO{asked(r), asked(r)} }

func played(t *testing.T, ops ...[]conntest.IO) *Dev {
	t.Helper()
	p := &spitest.Playback{Playback: conntest.Playback{Ops: slices.Concat(ops...), DontPanic: true}}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Errorf("left over: %v", err)
		}
	})
	d, err := New(p, &Opts{Type: T})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// From power-on: the settings are written, read back, and a conversion is
// started, waited for and read; the next reading does without the settings.
func TestTranscript(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := played(t, setUp, started, twice(typeT50Hz4+" 19 00 fb 00 00 00"), started, twice(typeT50Hz4+" 16 80 f3 c0 00 00"))
		begun := time.Now()
		m, err := d.Measure()
		if want := (Measurement{at(-80), at(25)}); err != nil || m != want {
			t.Errorf("%+v %v, want %+v", m, err, want)
		}
		if took := time.Since(begun); took != d.Duration() {
			t.Errorf("took %v, want %v", took, d.Duration())
		}
		e := physic.Env{Humidity: 42}
		if err := d.Sense(&e); err != nil || e.Temperature != at(-196) || e.Humidity != 42 {
			t.Errorf("%+v %v, want -196 °C and the rest as it was", e, err)
		}
	})
}

func at(c float64) physic.Temperature {
	return physic.Temperature(c*1e9) + physic.ZeroCelsius
}

// A chip that somebody left converting by itself is stopped and waited for; until
// then its filter stays what it was.
func TestAChipThatIsConverting(t *testing.T) {
	for was, stop := range map[string]string{"90": "80 06", "91": "80 07", "51": "80 07"} {
		synctest.Test(t, func(t *testing.T) {
			d := played(t, []conntest.IO{asked(was + " 03 ff 7f c0 7f ff 80 00 00 19 00 01 90 00 00"), sent(stop)}, setUp[2:], started, twice(typeT50Hz4+" 19 00 fb 00 00 00"))
			begun := time.Now()
			if _, err := d.Measure(); err != nil {
				t.Error(err)
			}
			if took := time.Since(begun); took < 800*time.Millisecond+d.Duration() {
				t.Errorf("took %v: the longest conversion was not waited for", took)
			}
		})
	}
}

// What a chip makes of the mask's reserved bits is its own affair.
func TestReservedBits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := played(t, setUp, started, twice("11 27 c0 7d c9 19 00 f3 80 00 19 00 fb 00 00 00"))
		if m, err := d.Measure(); err != nil || m.Temperature != at(-80) {
			t.Errorf("%+v %v", m, err)
		}
	})
}

// What may come back, and what it is.
func TestErrors(t *testing.T) {
	good := typeT50Hz4 + " 19 00 fb 00 00 00"
	late := "51" + good[2:]
	ones := strings.Repeat("ff ", 16)
	for name, x := range map[string]struct {
		read []conntest.IO
		want error
	}{
		"zeros":                   {[]conntest.IO{asked(strings.Repeat("00 ", 16))}, ErrZeros},
		"ones":                    {[]conntest.IO{asked(ones)}, ErrOnes},
		"zeros the second time":   {[]conntest.IO{asked(good), asked(strings.Repeat("00 ", 16))}, ErrZeros},
		"a bit":                   {[]conntest.IO{asked(good), asked(typeT50Hz4 + " 19 00 fb 08 00 00")}, ErrDamaged},
		"power-on":                {twice("11 03 ff 7f c0 7f ff 80 00 00 19 00 fb 00 00 00"), ErrReset},
		"another type":            {twice("11 23 00 7d c9 19 00 f3 80 00 19 00 fb 00 00 00"), ErrSettings},
		"an offset":               {twice("11 27 00 7d c9 19 00 f3 80 01 19 00 fb 00 00 00"), ErrSettings},
		"not ended":               {append(slices.Repeat([]conntest.IO{asked(late)}, 11), asked(late)), ErrBusy},
		"no new cold junction":    {twice(typeT50Hz4 + " ce 00 fb 00 00 00"), ErrStale},
		"start was not heard":     {twice("19" + good[2:]), ErrStale},
		"open":                    {twice(typeT50Hz4 + " 19 00 fb 00 00 01"), FaultOpen},
		"open, and all it brings": {twice(typeT50Hz4 + " 19 00 19 00 00 4b"), FaultOpen | FaultVoltage | FaultHigh | FaultRange},
		// An input beyond the supply stops the chip: the reason is told, not
		// that it is busy.
		"voltage":                   {append(slices.Repeat([]conntest.IO{asked("51" + typeT50Hz4[2:] + " ce 00 00 00 00 02")}, 11), asked("51"+typeT50Hz4[2:]+" ce 00 00 00 00 02")), FaultVoltage},
		"colder than a T, untold":   {twice(typeT50Hz4 + " 19 00 f3 7f e0 00"), FaultLow},
		"hotter than a T, untold":   {twice(typeT50Hz4 + " 19 00 19 00 20 00"), FaultHigh},
		"cold junction low, untold": {twice(typeT50Hz4 + " c8 fc fb 00 00 00"), FaultJunctionLow},
		"and high":                  {twice(typeT50Hz4 + " 7d 04 fb 00 00 00"), FaultJunctionHigh},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				// After any of them it is set up anew, and reads.
				d := played(t, setUp, started, x.read, setUp, started, twice(good))
				e := physic.Env{Temperature: 1}
				err := d.Sense(&e)
				if !errors.Is(err, x.want) || e.Temperature != 1 {
					t.Errorf("%v, %s, want %v and nothing changed", err, e.Temperature, x.want)
				}
				if err := d.Sense(&e); err != nil || e.Temperature != at(-80) {
					t.Errorf("afterwards: %s, %v", e.Temperature, err)
				}
			})
		})
	}
}

// A chip that keeps other settings than were written is none, or does not hear.
func TestSettingsThatAreNotKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := played(t, setUp[:3], twice("00 03 ff 7f c0 7f ff 80 00 00 00 00 00 00 00 00"))
		if _, err := d.Measure(); !errors.Is(err, ErrSettings) {
			t.Errorf("%v, want %v", err, ErrSettings)
		}
	})
}

// breaking fails one transaction, counted from 1.
type breaking struct {
	spi.Conn
	left int
}

var errPort = errors.New("input/output error")

func (b *breaking) Tx(w, r []byte) error {
	if b.left--; b.left == 0 {
		return errPort
	}
	return b.Conn.Tx(w, r)
}

// The port's own error is kept, whichever transaction fails: five set the chip
// up, three start a conversion, two read it.
func TestThePortsErrorIsKept(t *testing.T) {
	for n := 1; n <= 11; n++ {
		synctest.Test(t, func(t *testing.T) {
			d, err := New(&answering{}, &Opts{Type: T})
			if err != nil {
				t.Fatal(err)
			}
			d.conn = &breaking{d.conn, n}
			m, err := d.Measure()
			if n <= 10 && (!errors.Is(err, errPort) || m != Measurement{}) {
				t.Errorf("transaction %d: %+v %v, want %v", n, m, err, errPort)
			}
			if n > 10 && err != nil {
				t.Errorf("a transaction more than there are: %v", err)
			}
			if m, err := d.Measure(); n <= 10 && (err != nil || m.Temperature != at(-80)) {
				t.Errorf("after transaction %d: %+v %v", n, m, err)
			}
		})
	}
}

// A late conversion is waited for.
func TestALateConversion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		good := typeT50Hz4 + " 19 00 fb 00 00 00"
		d := played(t, setUp, started, slices.Repeat([]conntest.IO{asked("51 27 00 7d c9 19 00 f3 80 00 ce 00 00 00 00 00")}, 3), twice(good))
		if m, err := d.Measure(); err != nil || m.Temperature != at(-80) {
			t.Errorf("%+v %v", m, err)
		}
	})
}

// The datasheet's tables of both temperatures, and what is between.
func TestTemperatures(t *testing.T) {
	for bytes, want := range map[string]float64{
		"64 00 00": 1600, "3e 80 00": 1000, "06 4f 00": 100.9375, "01 90 00": 25, "00 01 00": 0.0625, "00 00 00": 0,
		"ff ff 00": -0.0625, "ff f0 00": -1, "f0 60 00": -250,
		"00 00 20": 0.0078125, "ff ff e0": -0.0078125, "ff ff ff": -0.0078125, "fb 00 1f": -80, "f3 c0 00": -196,
	} {
		var r registers
		copy(r[regLTC:], hex(bytes))
		if got := r.hot(); got != at(want) {
			t.Errorf("%s: %v K, want %v", bytes, got, at(want))
		}
	}
	for bytes, want := range map[string]float64{
		"7f 00": 127, "7d 00": 125, "40 00": 64, "19 00": 25, "00 80": 0.5, "00 04": 0.015625, "00 00": 0, "00 03": 0,
		"ff fc": -0.015625, "ff 80": -0.5, "e7 00": -25, "c9 00": -55,
	} {
		var r registers
		copy(r[regCJT:], hex(bytes))
		if got := r.junction(); got != at(want) {
			t.Errorf("%s: %v K, want %v", bytes, got, at(want))
		}
	}
}

// Each type has its number in CR1 and its range as thresholds.
func TestTypes(t *testing.T) {
	for _, x := range []struct{ letter, settings string }{
		{"B", "20 00 7d c9 71 c0 0f a0"}, {"E", "21 00 7d c9 3e 80 f3 80"}, {"J", "22 00 7d c9 4b 00 f2 e0"}, {"K", "23 00 7d c9 55 c0 f3 80"},
		{"N", "24 00 7d c9 51 40 f3 80"}, {"R", "25 00 7d c9 6e 80 fc e0"}, {"S", "26 00 7d c9 6e 80 fc e0"}, {"T", "27 00 7d c9 19 00 f3 80"},
	} {
		kind, err := ParseType(x.letter)
		if err != nil || kind.String() != x.letter {
			t.Fatalf("%s: %v %v", x.letter, kind, err)
		}
		d, err := New(&spitest.Playback{}, &Opts{Type: kind, Mains: 60 * physic.Hertz})
		if err != nil {
			t.Fatal(err)
		}
		if want := hex("10 " + x.settings + " 00"); !slices.Equal(d.settings[:], want) {
			t.Errorf("%s: % x, want % x", x.letter, d.settings, want)
		}
	}
	if low, high := Type('X').Range(); low != 0 || high != 0 {
		t.Errorf("what is no type ranges from %v to %v", low, high)
	}
	for _, s := range []string{"", "k", "KT", "X", " "} {
		if _, err := ParseType(s); err == nil {
			t.Errorf("%q is taken for a type", s)
		}
	}
}

func TestOptionsThatCannotBe(t *testing.T) {
	for _, o := range []Opts{{}, {Type: 'X'}, {Type: K, Mains: 55 * physic.Hertz}, {Type: K, Average: 3}, {Type: K, Average: -1}} {
		if _, err := New(&spitest.Playback{}, &o); err == nil {
			t.Errorf("%+v is taken", o)
		}
	}
	if _, err := New(&spitest.Playback{Initialized: true}, &Opts{Type: K}); err == nil {
		t.Error("a port that is taken is taken again")
	}
}

// A conversion is given the datasheet's longest time and more.
func TestDuration(t *testing.T) {
	for o, longest := range map[Opts]time.Duration{
		{Mains: 60 * physic.Hertz, Average: 1}: 155 * time.Millisecond,
		{Mains: 50 * physic.Hertz, Average: 1}: 185 * time.Millisecond,
		{Mains: 60 * physic.Hertz, Average: 4}: 255 * time.Millisecond,
		{Mains: 50 * physic.Hertz, Average: 4}: 305 * time.Millisecond,
	} {
		d := Dev{opts: o}
		if got := d.Duration(); got < longest+longest/10 || got > longest*3/2 {
			t.Errorf("%+v: %v, the datasheet's longest is %v", o, got, longest)
		}
	}
}

// answering is a port with a chip that always measures -80 °C, until it breaks.
type answering struct {
	spi.Port
	spi.Conn
	broken atomic.Bool
}

var answer = hex(typeT50Hz4 + " 19 00 fb 00 00 00")

func (a *answering) String() string { return "answering" }
func (a *answering) Connect(physic.Frequency, spi.Mode, int) (spi.Conn, error) {
	return a, nil
}

func (a *answering) Tx(_, r []byte) error {
	if len(r) > 0 {
		copy(r[1:], answer)
		if a.broken.Load() {
			r[16] = 1
		}
	}
	return nil
}

func TestSenseContinuous(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		port := &answering{}
		d, err := New(port, &Opts{Type: T})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.SenseContinuous(time.Millisecond); err == nil {
			t.Error("an interval shorter than a conversion is taken")
		}
		c, err := d.SenseContinuous(time.Second)
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if e := <-c; e.Temperature != at(-80) {
				t.Errorf("%v", e)
			}
		}
		if err := d.Sense(&physic.Env{}); err == nil {
			t.Error("Sense beside SenseContinuous is taken")
		}
		if _, err := d.SenseContinuous(time.Second); err == nil {
			t.Error("a second SenseContinuous is taken")
		}
		// Halt ends it, also when nobody takes what was measured, and twice.
		time.Sleep(10 * time.Second)
		for range 2 {
			if err := d.Halt(); err != nil {
				t.Error(err)
			}
		}
		if _, more := <-c; more || d.Err() != nil {
			t.Errorf("after Halt: still open, or %v", d.Err())
		}
		// An error ends it and is kept; then it can be begun again.
		if c, err = d.SenseContinuous(time.Second); err != nil {
			t.Fatal(err)
		}
		<-c
		port.broken.Store(true)
		if _, more := <-c; more || !errors.Is(d.Err(), FaultOpen) {
			t.Errorf("after a fault: still open, or %v", d.Err())
		}
		port.broken.Store(false)
		if err := d.Sense(&physic.Env{}); err != nil {
			t.Errorf("after the fault: %v", err)
		}
		if err := d.Halt(); err != nil {
			t.Error(err)
		}
	})
}

func TestWhatItSaysOfItself(t *testing.T) {
	d, err := New(&answering{}, &Opts{Type: K})
	if err != nil {
		t.Fatal(err)
	}
	if got := d.String(); got != "MAX31856{answering, K}" {
		t.Error(got)
	}
	e := physic.Env{Pressure: 1, Humidity: 1}
	if d.Precision(&e); e != (physic.Env{Temperature: 7812500 * physic.NanoKelvin}) {
		t.Errorf("%+v", e)
	}
	if got, want := (FaultOpen | FaultJunctionRange).Error(), "fault: open circuit, cold junction out of range"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// Whatever the registers hold, a temperature comes only with the settings, no
// fault, a finished conversion, and inside the type's range.
func FuzzRegisters(f *testing.F) {
	for _, s := range []string{typeT50Hz4 + " 19 00 fb 00 00 00", typeT50Hz4 + " ce 00 fb 00 00 00", "51 27 00 7d c9 19 00 f3 80 00 19 00 7f ff e0 80"} {
		f.Add(hex(s))
	}
	d, err := New(&answering{}, &Opts{Type: T})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var r registers
		if copy(r[:], b) < len(r) {
			copy(r[:], d.settings[:]) // so that the fuzzer comes further
			copy(r[regCJT:], b)
		}
		m, err := d.judge(r)
		if err != nil {
			if m != (Measurement{}) {
				t.Errorf("% x: %v beside %v", r, m, err)
			}
			return
		}
		low, high := T.Range()
		if m.Temperature < low || m.Temperature > high || m.ColdJunction < at(-55) || m.ColdJunction > at(125) || r[regSR] != 0 || r[regCR0] != d.settings[0] || r[regCR1] != d.settings[1] || r[regCJT] == 0xce && r[regCJT+1] < 4 {
			t.Errorf("% x: %+v is believed", r, m)
		}
	})
}

// One reading without the conversion's time.
func BenchmarkReadMAX31856(b *testing.B) {
	d, err := New(&answering{}, &Opts{Type: T})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := d.start(); err != nil {
			b.Fatal(err)
		}
		if m, err := d.take(); err != nil || m.Temperature != at(-80) {
			b.Fatal(m, err)
		}
	}
}
