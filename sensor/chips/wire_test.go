package chips

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"periph.io/x/conn/v3/onewire"
	"periph.io/x/conn/v3/onewire/onewiretest"

	"coldkeep/sensor"
)

// What kernels have shown of chips: the bytes decide, not the kernel's YES and
// not its t=, which is of other bytes after a failure.
func TestWhatKernelsHaveShown(t *testing.T) {
	want := map[string]struct {
		temp  sensor.Temp
		fault sensor.Fault
	}{
		"ok_22750.txt":                       {22750, ""},
		"ok_23000.txt":                       {23000, ""},
		"power_on_85000.txt":                 {0, sensor.FaultPowerOn},
		"127937_no_conversion.txt":           {0, sensor.FaultOutOfRange},
		"all_ones_crc_NO_2.txt":              {0, sensor.FaultAbsent},
		"all_ones_crc_NO_3.txt":              {0, sensor.FaultAbsent},
		"all_ones_crc_NO_with_last_good.txt": {0, sensor.FaultAbsent},
		"all_zero_crc_NO_t0_then_ENOENT.txt": {0, sensor.FaultAllZero},
		"all_zero_crc_YES_t0.txt":            {0, sensor.FaultAllZero},
		"NO_but_crc_valid_SUSPECT.txt":       {18000, ""}, // the NO was typed: the CRC is right
	}
	files, err := filepath.Glob("testdata/w1_slave/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, path := range files {
		name := filepath.Base(path)
		if name == "kernel_messages.txt" {
			continue
		}
		w, known := want[name]
		if !known {
			t.Errorf("%s: nothing is said of what must come", name)
			continue
		}
		seen++
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		bytes, _, found := strings.Cut(string(text), " : crc=")
		if !found {
			t.Fatalf("%s: no scratchpad in %q", name, text)
		}
		s := pad(t, bytes)
		// Through the whole reading: a fresh conversion, then these bytes.
		rom, err := parseROM("28-00000c8cf9b1")
		if err != nil {
			t.Fatal(err)
		}
		c := &ds18b20{rom: rom}
		ops := []onewiretest.IO{{W: match(rom, cmdReadScratchpad), R: s[:]}}
		b := &onewiretest.Playback{Ops: ops, DontPanic: true}
		o := c.read(b, true)
		if o.raw != w.temp && o.fault == "" || o.fault != w.fault {
			t.Errorf("%s: %s %q (%v), want %s %q", name, o.raw, o.fault, o.cause, w.temp, w.fault)
		}
		if err := b.Close(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if seen != len(want) {
		t.Errorf("%d files, want %d", seen, len(want))
	}
}

// match is what the wire carries for a command to one chip.
func match(rom onewire.Address, cmd byte) []byte {
	w := []byte{0x55}
	for i := range 8 {
		w = append(w, byte(rom>>(8*i)))
	}
	return append(w, cmd)
}

// Captures of real wires, replayed byte by byte: every reading in them that is
// whole gives the temperature that it was decoded to.
func TestCapturesGiveTheirTemperatures(t *testing.T) {
	text, err := os.ReadFile("testdata/onewire_decoded_from_sigrok.json")
	if err != nil {
		t.Fatal(err)
	}
	var captures map[string][]struct {
		Hex  string
		CRC  bool     `json:"crc_ok"`
		ROM  bool     `json:"rom_crc_ok"`
		Temp *float64 `json:"temp_c"`
	}
	if err := json.Unmarshal(text, &captures); err != nil {
		t.Fatal(err)
	}
	replayed := 0
	for name, list := range captures {
		b := &onewiretest.Playback{DontPanic: true}
		var temps []sensor.Temp
		var roms []onewire.Address
		for _, x := range list {
			if x.Temp == nil {
				continue
			}
			raw, err := hex.DecodeString(strings.ReplaceAll(x.Hex, " ", ""))
			if err != nil || len(raw) < 19 || raw[0] != 0x55 || raw[9] != cmdReadScratchpad || !x.CRC || !x.ROM {
				t.Fatalf("%s: %q is no reading of a scratchpad: %v", name, x.Hex, err)
			}
			var rom onewire.Address
			for i, v := range raw[1:9] {
				rom |= onewire.Address(v) << (8 * i)
			}
			want, ok := sensor.Celsius(*x.Temp)
			if !ok {
				t.Fatalf("%s: %v °C", name, *x.Temp)
			}
			b.Ops = append(b.Ops, onewiretest.IO{W: raw[:10], R: raw[10:19]})
			temps, roms = append(temps, want), append(roms, rom)
		}
		for i, rom := range roms {
			c := &ds18b20{rom: rom}
			want := temps[i]
			if o := c.read(b, true); o.fault != "" || o.raw != want {
				t.Errorf("%s, %s: %s %q (%v), want %s", name, formatROM(rom), o.raw, o.fault, o.cause, want)
			}
			replayed++
		}
		if err := b.Close(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if replayed < 8 {
		t.Errorf("%d readings replayed: the captures are not read", replayed)
	}
}
