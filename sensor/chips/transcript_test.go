package chips

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/i2c/i2creg"
	"periph.io/x/conn/v3/i2c/i2ctest"

	"coldkeep/sensor"
	"coldkeep/sensor/chipsim"
)

var rewrite = flag.Bool("rewrite", false, "write testdata/transcripts anew")

// Two sweeps of each I²C chip at 4 °C, the first of which sets it up, say and
// hear exactly the bytes that stand in testdata/transcripts, no more and no
// fewer: the bus refuses any other, and what is left over fails.
func TestTranscripts(t *testing.T) {
	at := func(time.Time) float64 { return 4 }
	for name, device := range map[string]func() chipsim.Device{
		"ads1115": func() chipsim.Device { return chipsim.NewADS1115(chipsim.Thermistor(at, 10_000, 3950, 10_000, 3.3)) },
		"bme280":  func() chipsim.Device { return chipsim.NewBME280(at) },
		"bmp280":  func() chipsim.Device { return chipsim.NewBMP280(at) },
		"hdc302x": func() chipsim.Device { return chipsim.NewHDC302x(at) },
		"mcp9808": func() chipsim.Device { return chipsim.NewMCP9808(at) },
		"sht4x":   func() chipsim.Device { return chipsim.NewSHT4x(at) },
		"tmp102":  func() chipsim.Device { return chipsim.NewTMP102(at) },
		"tmp117":  func() chipsim.Device { return chipsim.NewTMP117(at) },
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join("testdata", "transcripts", name+".txt")
			if *rewrite {
				synctest.Test(t, func(t *testing.T) { record(t, name, file, device()) })
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			ops, err := readTranscript(string(text))
			if err != nil || len(ops) < 4 {
				t.Fatalf("%s: %d operations, %v", file, len(ops), err)
			}
			synctest.Test(t, func(t *testing.T) {
				b := &i2ctest.Playback{Ops: ops, DontPanic: true}
				for i, o := range twoSweeps(t, name, b) {
					if o.fault != "" || o.raw < 3900 || o.raw > 4100 {
						t.Errorf("sweep %d: %s %q (%v)", i+1, o.raw, o.fault, o.cause)
					}
				}
				if err := b.Close(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func twoSweeps(t *testing.T, name string, b i2c.Bus) (list []outcome) {
	t.Helper()
	c, _ := sensor.ChipNamed(name)
	p := sensor.Probe{Chip: name, Settings: sensor.Settings{Series: 10_000, Supply: 3.3, R25: 10_000, Beta: 3950}}
	chip, err := newI2CChip(p, c.Addresses[0])
	if err != nil {
		t.Fatal(err)
	}
	w := &i2cWire{bus: b, seats: []seat{{chip: chip}}}
	for range 2 {
		time.Sleep(10 * time.Second)
		if err := w.sweep(func(_ int, o outcome) { list = append(list, o) }); err != nil {
			t.Error(err)
		}
	}
	return list
}

func record(t *testing.T, name, file string, d chipsim.Device) {
	sim, err := chipsim.NewI2C(t.Name())
	if err != nil {
		t.Fatal(err)
	}
	defer sim.Close()
	c, _ := sensor.ChipNamed(name)
	sim.Add(c.Addresses[0], d)
	b, err := i2creg.Open(t.Name())
	if err != nil {
		t.Fatal(err)
	}
	r := &i2ctest.Record{Bus: b}
	twoSweeps(t, name, r)
	var text strings.Builder
	for _, op := range r.Ops {
		fmt.Fprintf(&text, "%#x W[% x] R[% x]\n", op.Addr, op.W, op.R)
	}
	if err := os.WriteFile(file, []byte(text.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

func readTranscript(text string) (ops []i2ctest.IO, err error) {
	for line := range strings.Lines(text) {
		var op i2ctest.IO
		head, r, ok1 := strings.Cut(strings.TrimSpace(line), "] R[")
		addr, w, ok2 := strings.Cut(head, " W[")
		if _, e := fmt.Sscanf(addr, "0x%x", &op.Addr); e != nil || !ok1 || !ok2 {
			return nil, fmt.Errorf("what is %q?", line)
		}
		for _, x := range []struct {
			text string
			to   *[]byte
		}{{w, &op.W}, {strings.TrimSuffix(r, "]"), &op.R}} {
			for _, f := range strings.Fields(x.text) {
				var v byte
				if _, e := fmt.Sscanf(f, "%x", &v); e != nil {
					return nil, fmt.Errorf("what is %q?", line)
				}
				*x.to = append(*x.to, v)
			}
		}
		ops = append(ops, op)
	}
	return ops, nil
}

// The register of an MCP9808 as its datasheet has it (DS25095A, section
// 5.2.4): three flags, a sign, twelve bits of 1/16 °C. Who forgets the sign
// reads 20 °C in a freezer.
func TestMCP9808Words(t *testing.T) {
	for word, want := range map[uint16]sensor.Temp{0xc190: 25_000, 0xc194: 25_250, 0x0040: 4000, 0x0081: 8063, 0x1ff0: -1000, 0x1ec0: -20_000, 0x3fff: -63, 0xdff0: -1000} {
		answers := ready{"\x06": {0x00, 0x54}, "\x07": {0x04, 0x00}, "\x05": {byte(word >> 8), byte(word)}}
		c := &mcp9808Chip{addr: 0x18}
		if _, o := c.start(answers); o.fault != "" {
			t.Fatal(o)
		}
		if o := c.read(answers); o.fault != "" || o.raw != want {
			t.Errorf("%#04x: %s %q, want %s", word, o.raw, o.fault, want)
		}
	}
}
