package chips

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"testing/synctest"

	"periph.io/x/conn/v3/i2c/i2ctest"

	"coldkeep/sensor"
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Words with their checks: BE EF is the datasheet's example, the others follow
// from its formula.
func TestSensirionWords(t *testing.T) {
	if got := crcSensirion([]byte{0xbe, 0xef}); got != 0x92 {
		t.Errorf("BE EF: %#02x, want 0x92", got)
	}
	for word, want := range map[string]struct {
		temp  sensor.Temp
		fault sensor.Fault
	}{
		"6666 93": {25_000, ""}, "47AE 45": {4001, ""}, "4D88 8B": {8001, ""}, "2492 85": {-20_000, ""}, "44C1 FD": {2000, ""},
		"0000 81": {0, sensor.FaultOutOfRange}, "FFFF AC": {0, sensor.FaultOutOfRange}, "6666 94": {0, sensor.FaultCRC}, "6667 93": {0, sensor.FaultCRC},
		"0000 00": {0, sensor.FaultCRC}, "FFFF FF": {0, sensor.FaultCRC},
	} {
		synctest.Test(t, func(t *testing.T) {
			b := &i2ctest.Playback{Ops: []i2ctest.IO{
				{Addr: 0x44, W: []byte{0x89}}, {Addr: 0x44, R: unhex(t, "0c0f 8d fee1 "+hex.EncodeToString([]byte{crcSensirion([]byte{0xfe, 0xe1})}))},
				{Addr: 0x44, W: []byte{0xfd}}, {Addr: 0x44, R: unhex(t, word+"8000 a2")},
			}, DontPanic: true}
			b.Ops[1].R[2] = crcSensirion(b.Ops[1].R[:2])
			chip := newSHT4x(0x44)
			if wait, o := chip.start(b); o.fault != "" || wait != sht4xTime {
				t.Fatalf("start: %+v %v", o, wait)
			}
			// A steady line is told before the check is.
			o := chip.read(b)
			if o.raw != want.temp || o.fault != want.fault {
				t.Errorf("%s: %s %q (%v), want %s %q", word, o.raw, o.fault, o.cause, want.temp, want.fault)
			}
			if err := b.Close(); err != nil {
				t.Errorf("%s: %v", word, err)
			}
		})
	}
}

// Every answer of an SHT31 that was captured on a wire has right checks, and
// the temperatures of a room; with any bit of it changed it is refused.
func TestCapturedHumidityChip(t *testing.T) {
	text, err := os.ReadFile("testdata/i2c_sht31_decoded_from_sigrok.json")
	if err != nil {
		t.Fatal(err)
	}
	var captured []struct{ RW, Data string }
	if err := json.Unmarshal(text, &captured); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, x := range captured {
		r := unhex(t, x.Data)
		if x.RW != "R" || len(r) != 6 {
			continue
		}
		n++
		if o := answered(r, "capture", sensor.FaultCRC); o.fault != "" {
			t.Errorf("%s: %q", x.Data, o.fault)
		}
		if o := humidityChip(r); o.fault != "" || o.raw < 20_000 || o.raw > 35_000 {
			t.Errorf("%s: %s %q", x.Data, o.raw, o.fault)
		}
		for bit := range 48 {
			r[bit/8] ^= 1 << (bit % 8)
			if o := answered(r, "capture", sensor.FaultCRC); o.fault != sensor.FaultCRC {
				t.Errorf("%s with bit %d changed: %q", x.Data, bit, o.fault)
			}
			r[bit/8] ^= 1 << (bit % 8)
		}
	}
	if n < 10 {
		t.Errorf("%d answers: the capture is not read", n)
	}
}
