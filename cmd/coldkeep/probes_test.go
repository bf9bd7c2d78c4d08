package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"coldkeep/sensor/chipsim"
)

func simulated[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// What a scan prints is a config once a person has said what only a person
// knows; what is read with it is a table with raw and corrected values, and a
// broken probe in it has its fault and makes the exit 3.
func TestFromAScanToAReading(t *testing.T) {
	steady := func(c float64) chipsim.Source { return func(time.Time) float64 { return c } }
	wire := simulated[*chipsim.OneWire](t)(chipsim.NewOneWire("cli-wire"))
	t.Cleanup(func() { wire.Close() })
	wire.Add(simulated[*chipsim.DS18B20](t)(chipsim.NewDS18B20("28-00000c8cf9b1", steady(5))))
	i2c := simulated[*chipsim.I2C](t)(chipsim.NewI2C("cli-i2c"))
	t.Cleanup(func() { i2c.Close() })
	tmp := chipsim.NewTMP117(steady(4.5))
	i2c.Add(0x49, tmp)
	rtd := simulated[*chipsim.MAX31865](t)(chipsim.NewMAX31865(steady(-80), "pt100", 430))
	spi := simulated[*chipsim.SPI](t)(chipsim.NewSPI("cli-spi", rtd))
	t.Cleanup(func() { spi.Close() })

	code, out, errOut := call(t, "probes", "scan", "--bus", "cli-wire", "--bus", "cli-i2c", "--bus", "cli-spi")
	if code != exitDone {
		t.Fatalf("scan: exit %d\n%s%s", code, out, errOut)
	}
	table, yaml, ok := strings.Cut(out, "\n# To paste")
	if !ok || !strings.Contains(table, "tmp117") || !strings.Contains(table, "28-00000c8cf9b1") || !strings.Contains(table, "max31865?") {
		t.Fatalf("scan printed\n%s", out)
	}
	_, yaml, _ = strings.Cut(yaml, "\n")
	if code, out, _ := call(t, "check", "--config", write(t, "raw.yaml", yaml)); code != exitProblems || !strings.Contains(out, "medium") || !strings.Contains(out, "element") {
		t.Errorf("what only a person knows is asked for: exit %d\n%s", code, out)
	}
	yaml = strings.NewReplacer("medium: buffered|air|ambient", "medium: buffered", "element: pt100|pt1000", "element: pt100", "probe-1,", "probe-1, calibration: {points: [{reads: 0.12, is: 0}]},").Replace(yaml)
	cfg := write(t, "pasted.yaml", yaml+"units: [{id: fridge, range: {low: 2, high: 8}, probes: [probe-1, probe-2]}, {id: ult, range: {low: -90, high: -60}, probes: [probe-3]}]\n")
	if code, out, errOut := call(t, "check", "--config", cfg); code != exitDone {
		t.Fatalf("check: exit %d\n%s%s", code, out, errOut)
	}
	code, out, errOut = call(t, "probes", "read", "--config", cfg)
	for _, want := range []string{"PROBE", "RAW", "CORRECTED", "BUS TOOK", "FAULT", "5.0 °C", "4.88 °C", "4.5 °C", "-79.991 °C"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
	if code != exitDone {
		t.Errorf("read: exit %d\n%s%s", code, out, errOut)
	}
	rtd.Set(chipsim.Open)
	tmp.Set(chipsim.Unplugged)
	code, out, _ = call(t, "probes", "read", "--config", cfg, "--json")
	var got struct {
		Probes []struct {
			Probe, Fault string
			FaultText    string   `json:"fault_text"`
			TemperatureC *float64 `json:"temperature_c"`
			TookS        float64  `json:"took_s"`
		}
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}
	if code != exitProblems || len(got.Probes) != 3 {
		t.Fatalf("exit %d: %+v", code, got)
	}
	for _, p := range got.Probes {
		want := map[string]string{"probe-1": "", "probe-2": "absent", "probe-3": "open"}[p.Probe]
		if p.Fault != want || (want == "") != (p.TemperatureC != nil) || want != "" && p.FaultText == "" || p.TookS <= 0 {
			t.Errorf("%+v, want fault %q", p, want)
		}
	}
}
