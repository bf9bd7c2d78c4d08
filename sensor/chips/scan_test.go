package chips_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"coldkeep/sensor/chips"
	"coldkeep/sensor/chipsim"
)

// Every chip that has an identity is named by it, and what has none is named
// with a doubt; no multiplexer is switched by being looked for; and a bus that
// nobody named is not asked.
func TestScanNamesChipsAndSwitchesNothing(t *testing.T) {
	synctest.Test(t, scanAll) // the bridge's driver waits 3 ms at most, which a busy machine exceeds
}

func scanAll(t *testing.T) {
	sim := must[*chipsim.I2C](t)(chipsim.NewI2C("scan-i2c"))
	defer sim.Close()
	line := must[*chipsim.OneWire](t)(chipsim.NewOneWire("scan-behind"))
	defer line.Close()
	mux := chipsim.NewPCA9548()
	for port := range 8 {
		mux.Add(port, 0x4b, chipsim.NewTMP117(constant(4)))
	}
	at := map[uint16]chipsim.Device{0x18: chipsim.NewMCP9808(constant(4)), 0x19: chipsim.NewDS2482(line), 0x44: chipsim.NewSHT4x(constant(4)), 0x45: chipsim.NewHDC302x(constant(4)),
		0x48: chipsim.NewTMP117(constant(4)), 0x49: chipsim.NewTMP102(constant(4)), 0x4a: chipsim.NewADS1115(), 0x70: mux, 0x76: chipsim.NewBME280(constant(4))}
	for a, d := range at {
		sim.Add(a, d)
	}
	rtd := must[*chipsim.MAX31865](t)(chipsim.NewMAX31865(constant(-80), "pt100", 430))
	spi := must[*chipsim.SPI](t)(chipsim.NewSPI("scan-spi", rtd))
	defer spi.Close()
	time.Sleep(time.Millisecond)
	want := map[string]struct {
		chip string
		sure bool
		note string
	}{"0x18": {"mcp9808", true, ""}, "0x19": {"", false, "DS2482"}, "0x44": {"sht4x", true, ""}, "0x45": {"hdc302x", true, ""}, "0x48": {"tmp117", true, ""}, "0x49": {"tmp102", false, "no identity"},
		"0x4a": {"ads1115", false, "no identity"}, "0x70": {"", false, "PCA9548"}, "0x76": {"", false, "BME280"}, "": {"max31865", false, "no identity"}}
	for range 2 {
		list, err := chips.Scan("scan-i2c", "scan-spi")
		if err != nil {
			t.Fatal(err)
		}
		if len(list) != len(want) {
			t.Errorf("%d found, want %d: %+v", len(list), len(want), list)
		}
		for _, f := range list {
			w, ok := want[f.Address]
			if !ok || f.Chip != w.chip || f.Sure != w.sure || !strings.Contains(f.Note, w.note) {
				t.Errorf("%+v, want %+v", f, w)
			}
		}
	}
	// Who asks for what is behind gets it, and the port is closed again.
	line.Add(must[*chipsim.DS18B20](t)(chipsim.NewDS18B20(address(5), constant(4))))
	if list, err := chips.ScanBehind("scan-i2c", "", "0x19"); err != nil || len(list) != 1 || list[0].Address != address(5) || list[0].Bridge != "0x19" || list[0].Chip != "ds18b20" {
		t.Errorf("behind the bridge: %+v %v", list, err)
	}
	behind := func(list []chips.Found) bool {
		return slices.ContainsFunc(list, func(f chips.Found) bool { return f.Address == "0x4b" && f.Chip == "tmp117" })
	}
	if list, err := chips.ScanBehind("scan-i2c", "0x70/3", ""); err != nil || !behind(list) || list[0].Mux != "0x70/3" {
		t.Errorf("behind the multiplexer: %+v %v", list, err)
	}
	if list, err := chips.Scan("scan-i2c"); err != nil || behind(list) {
		t.Errorf("the port is open still: %+v %v", list, err)
	}
	for _, bad := range [][2]string{{"0x71/3", ""}, {"0x70/9", ""}, {"", "0x18"}, {"", "0x1a"}} {
		if list, err := chips.ScanBehind("scan-i2c", bad[0], bad[1]); err == nil {
			t.Errorf("behind %v: %+v", bad, list)
		}
	}
	list, err := chips.Scan()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range list {
		if (f.Bus == "scan-i2c" || f.Bus == "scan-spi") && !strings.Contains(f.Note, "not asked") {
			t.Errorf("asked without being named: %+v", f)
		}
	}
	if _, err := chips.Scan("i2c-77"); err == nil || !strings.Contains(err.Error(), "no such bus") {
		t.Errorf("a bus that is not there: %v", err)
	}
}
