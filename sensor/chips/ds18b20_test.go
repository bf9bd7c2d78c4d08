package chips

import (
	"encoding/csv"
	"encoding/hex"
	"os"
	"strings"
	"testing"

	"periph.io/x/conn/v3/onewire"

	"coldkeep/sensor"
)

func pad(t testing.TB, s string) (p scratchpad) {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil || len(b) != len(p) {
		t.Fatalf("scratchpad %q: %v", s, err)
	}
	return scratchpad(b)
}

// What chips have really sent, and what the datasheet's table says (p. 6).
func TestScratchpads(t *testing.T) {
	for _, c := range []struct {
		bytes string
		temp  sensor.Temp
		fault sensor.Fault
	}{
		{"6D 01 4B 46 7F FF 0C 10 68", 22813, ""}, // a capture; byte 6 is 0C here too
		{"4D 01 4B 46 7F FF 03 10 D8", 20813, ""},
		{"50 01 4B 46 7F FF 10 10 49", 21000, ""},
		{"90 FC 4B 46 7F FF 10 10 EE", -55000, ""},
		{"F8 FF 4B 46 7F FF 08 10 F8", -500, ""},
		{"C0 FE 4B 46 7F FF 10 10 89", -20000, ""},
		{"40 00 4B 46 7F FF 10 10 20", 4000, ""},
		{"80 00 4B 46 7F FF 10 10 FB", 8000, ""},
		{"82 01 4b 46 7f ff 0c 10 e1", 24125, ""},
		{"50 05 4B 46 7F FF 0C 10 1C", 0, sensor.FaultPowerOn},
		{"6D 01 4B 46 7F FF 0C 10 69", 0, sensor.FaultCRC},
		{"00 00 00 00 00 00 00 00 00", 0, sensor.FaultAllZero},
		{"FF FF FF FF FF FF FF FF FF", 0, sensor.FaultAbsent},
	} {
		got, fault := pad(t, c.bytes).temperature()
		if got != c.temp || fault != c.fault {
			t.Errorf("%s: %s %q, want %s %q", c.bytes, got, fault, c.temp, c.fault)
		}
	}
}

func sealed(p scratchpad) scratchpad {
	p[8] = crc8(p[:8])
	return p
}

func TestHotAndOutsideTheChip(t *testing.T) {
	if v, fault := sealed(scratchpad{0x50, 0x05, 0x4b, 0x46, 0x7f, 0xff, 0x10, 0x10}).temperature(); v != 85000 || fault != "" {
		t.Errorf("a true 85 °C: %s %q", v, fault)
	}
	if _, fault := sealed(scratchpad{0xd1, 0x07, 0, 0, 0x7f, 0xff, 0x0f, 0x10}).temperature(); fault != sensor.FaultOutOfRange {
		t.Errorf("125.0625 °C: %q", fault)
	}
	// At 9 bit the three lowest bits mean nothing.
	if v, fault := sealed(scratchpad{0x4f, 0x00, 0, 0, 0x1f, 0xff, 0x10, 0x10}).temperature(); v != 4500 || fault != "" {
		t.Errorf("9 bit: %s %q, want 4.5", v, fault)
	}
}

// Every ROM of the collection is read from the kernel's form and written back;
// every power-up scratchpad is refused.
func TestPublishedROMsAndScratchpads(t *testing.T) {
	f, err := os.Open("testdata/ds18b20_roms_scratchpads_cpetrich.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	roms, pads := 0, 0
	for _, r := range rows[1:] {
		b, err := hex.DecodeString(strings.ReplaceAll(r[2], " ", ""))
		if err != nil {
			continue // bytes that differ from chip to chip were published as xx
		}
		right := crc8(b[:len(b)-1]) == b[len(b)-1]
		if want := r[4] == "True"; right != want {
			t.Errorf("%s: CRC right %v, published as %v", r[2], right, want)
		}
		switch {
		case r[1] == "rom" && right && b[0] == ds18b20Family:
			a, err := parseROM(r[3])
			if err != nil {
				t.Errorf("%s: %v", r[3], err)
			}
			var want onewire.Address
			for i, v := range b {
				want |= onewire.Address(v) << (8 * i)
			}
			if a != want || formatROM(a) != r[3] {
				t.Errorf("%s: %016x %s, want %016x", r[3], uint64(a), formatROM(a), uint64(want))
			}
			roms++
		case strings.Contains(r[1], "power_up") && right:
			// One clone's power-on value looks like a true 85 °C: read() asks twice.
			if v, fault := scratchpad(b).temperature(); fault == "" && v == 85000 && !strings.Contains(r[0], "NOVOSENSE") {
				t.Errorf("%s (%s): a power-on value passes as %s", r[2], r[0], v)
			}
			pads++
		}
	}
	if roms < 10 || pads < 3 {
		t.Errorf("%d ROMs and %d scratchpads: the collection is not read", roms, pads)
	}
}

// A chip that is no DS18B20 is refused in words that name its family.
func TestOtherFamiliesAreRefused(t *testing.T) {
	for _, family := range []string{"10", "22", "3b", "42", "01", "00", "ff"} {
		_, err := parseROM(family + "-00000014fe14")
		if err == nil || !strings.Contains(err.Error(), "family "+family+" is no DS18B20") {
			t.Errorf("family %s: %v", family, err)
		}
	}
}

func TestCRC8(t *testing.T) {
	if got := crc8([]byte{0x02, 0x1c, 0xb8, 0x01, 0, 0, 0}); got != 0xa2 {
		t.Errorf("application note 27: %#x, want 0xa2", got)
	}
	if got := crc8([]byte("123456789")); got != 0xa1 {
		t.Errorf("check value: %#x, want 0xa1", got)
	}
}

// Whatever nine bytes come, a temperature is one that the chip can measure.
func FuzzScratchpad(f *testing.F) {
	f.Add([]byte{0x6d, 0x01, 0x4b, 0x46, 0x7f, 0xff, 0x0c, 0x10, 0x68})
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) != 9 {
			return
		}
		v, fault := scratchpad(b).temperature()
		if fault == "" && (v < ds18b20Low || v > ds18b20High || crc8(b[:8]) != b[8]) {
			t.Errorf("% x gives %s", b, v)
		}
	})
}
