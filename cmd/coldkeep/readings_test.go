package main

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"coldkeep/internal/coldchain"
	"coldkeep/internal/monitor"
	"coldkeep/internal/store"
	"coldkeep/sensor"
)

// clinicYAML has a fridge with two probes, one with a comma's worth of faults.
const clinicYAML = `probes:
  - {id: vial, chip: ds18b20, bus: onewire-1, address: 28-00000c8cf9b1, medium: buffered}
  - {id: air, chip: ds18b20, bus: onewire-1, address: 28-00000c8cf9b2, medium: air}
  - {id: other, chip: ds18b20, bus: onewire-1, address: 28-00000c8cf9b3, medium: buffered}
units:
  - id: fridge-1
    range: {low: 2, high: 8}
    max_gap: 60s
    probes: [vial, air]
    alarms: [{id: warm, above: 8, for: 2m}]
  - {id: fridge-2, range: {low: 2, high: 8}, max_gap: 60s, probes: [other]}
profiles:
  - {id: p, source: label, range: {low: 2, high: 8}, confirm: 30s, rules: [{id: warm, above: 8, total: 5m}, {id: mkt, mkt_above: 8, within: 30m}]}
`

// stoppedClinic is the record of a daemon that has stopped, with an hour in it.
func stoppedClinic(t *testing.T) (dir, config string, begin, end sensor.Instant) {
	t.Helper()
	dir = t.TempDir()
	config = write(t, "clinic.yaml", strings.TrimSuffix(clinicYAML, "\n")+"\nstorage: {dir: "+dir+"}\n")
	cfg, err := (&app{ctx: t.Context(), out: os.Stdout, errOut: os.Stderr}).load(config)
	if err != nil {
		t.Fatal(err)
	}
	st, err := store.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	m := monitor.New(st, monitor.Options{Config: cfg.Judging(), Probes: cfg.Probes, Interval: 10 * time.Second, Site: coldchain.Site{ID: "c", Timezone: "UTC"}, Log: slog.New(slog.DiscardHandler),
		Synchronized: func() bool { return true }})
	if err := m.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	begin = sensor.At(time.Date(2026, 5, 2, 10, 0, 0, 0, time.UTC))
	const sweeps = 360
	i := 0
	err = m.Feed(t.Context(), func() (sensor.Sweep, []coldchain.Command, bool) {
		if i == sweeps {
			return sensor.Sweep{}, nil, false
		}
		at := begin.Add(time.Duration(i) * 10 * time.Second)
		temp := sensor.Temp(5000 + 137*(i%7))
		var commands []coldchain.Command
		switch {
		case i == 5:
			commands = []coldchain.Command{{Name: "receive", Batch: "X", Profile: "p"}, {Name: "place", Batch: "X", Unit: "fridge-1"}}
			for j := range commands {
				commands[j].At, commands[j].By = at, "Anna Example"
			}
		case i > 100 && i < 130:
			temp = 8437
		}
		r := sensor.Reading{Probe: "vial", Time: at, Temp: temp, Raw: temp + 120}
		if i > 200 && i < 220 {
			r = sensor.Reading{Probe: "vial", Time: at, Fault: sensor.FaultCRC}
		}
		w := sensor.Sweep{Slot: at, Readings: []sensor.Reading{r, {Probe: "air", Time: at, Temp: temp + 900, Raw: temp + 900}, {Probe: "other", Time: at, Temp: 4000, Raw: 4000}}}
		end = at
		i++
		return w, commands, true
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	return dir, config, begin, end
}

// What is exported of a daemon that has stopped is judged by a replay as it was
// judged live.
func TestAnExportReplaysAlike(t *testing.T) {
	dir, config, begin, end := stoppedClinic(t)
	out := filepath.Join(t.TempDir(), "fridge-1.csv")
	if code, _, e := call(t, "readings", "export", "--unit", "FRIDGE-1", "-o", out, "--dir", dir); code != 0 || !strings.Contains(e, "720 readings") {
		t.Fatalf("exit %d: %s", code, e)
	}
	text, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	if want := "time,probe,temperature_c,fault\n2026-05-02T10:00:00Z,vial,5.0,\n2026-05-02T10:00:00Z,air,5.9,\n2026-05-02T10:00:10Z,vial,5.137,\n"; !strings.HasPrefix(string(text), want) || strings.Contains(string(text), "other") {
		t.Errorf("it begins\n%.200s", text)
	}
	_, listed, _ := call(t, "batch", "list", "--dir", dir, "--json")
	var live struct{ Batches []coldchain.BatchState }
	if err := json.Unmarshal([]byte(listed), &live); err != nil {
		t.Fatalf("%v\n%s", err, listed)
	}
	batches := write(t, "batches.yaml", fmt.Sprintf("batches:\n  - {id: X, profile: p, placements: [{unit: fridge-1, from: %s}]}\n", live.Batches[0].Placements[0].From))
	code, again, e := call(t, "replay", "--config", config, "--readings", out, "--batches", batches, "--until", end.String(), "--json")
	var replayed struct {
		Excursions []coldchain.Excursion
		Batches    []coldchain.BatchState
	}
	if err := json.Unmarshal([]byte(again), &replayed); err != nil || code != 0 {
		t.Fatalf("exit %d, %v: %s", code, err, e)
	}
	a, b := live.Batches[0], replayed.Batches[0]
	if d := cmp.Diff(a.Exposure, b.Exposure, cmpopts.EquateApprox(0, 1e-3)); d != "" || a.Verdict != b.Verdict || a.Exposure.AboveS != 290 || a.Exposure.UnmonitoredS != 140 || a.Exposure.MKTC == nil {
		t.Errorf("live %s, replayed %s\n%s", a.Verdict, b.Verdict, d)
	}
	if len(replayed.Excursions) != 1 || replayed.Excursions[0].Start != begin.Add(1010*time.Second) {
		t.Errorf("excursions %+v", replayed.Excursions)
	}
	// A part of it, of one probe, to standard output.
	code, part, _ := call(t, "readings", "export", "--probe", "Vial", "--from", "2026-05-02T10:33:30Z", "--to", "2026-05-02T10:33:50Z", "--config", config)
	if code != 0 || part != "time,probe,temperature_c,fault\n2026-05-02T10:33:30Z,vial,,crc\n2026-05-02T10:33:40Z,vial,,crc\n" {
		t.Errorf("exit %d:\n%s", code, part)
	}
	for _, c := range []struct {
		want string
		args []string
	}{
		{"no probe \"attic\" is in this record; there are vial, air, other", []string{"--probe", "attic"}},
		{"no unit \"attic\" is in this record; there are fridge-1, fridge-2", []string{"--unit", "attic"}},
		{"give --probe P or --unit U", nil},
		{"give --probe P or --unit U", []string{"--probe", "vial", "--unit", "fridge-1"}},
		{"write it as", []string{"--probe", "vial", "--from", "yesterday"}},
		{"give a time that is later", []string{"--probe", "vial", "--from", "2026-05-02T10:00:00Z", "--to", "2026-05-02T10:00:00Z"}},
		{"nothing was imported of logger-A", []string{"--probe", "logger-A"}},
	} {
		if code, _, e := call(t, append([]string{"readings", "export", "--dir", dir}, c.args...)...); code != exitFailed || !strings.Contains(e, c.want) {
			t.Errorf("%q: exit %d, %s", c.args, code, e)
		}
	}
}

// What a person has in the hand under check is exported so that a replay does
// not judge it.
func TestAnExportTellsWhatWasUnderCheck(t *testing.T) {
	dir := t.TempDir()
	st, err := store.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	cfg := &coldchain.Config{Units: []coldchain.Unit{{ID: "fridge-1", Probes: []coldchain.UnitProbe{{ID: "vial", Judges: true}}}}}
	step := coldchain.Step{At: 30_000, Events: []coldchain.Event{{V: 1, Seq: 1, Kind: coldchain.ConfigChanged, Config: cfg}, {V: 1, Seq: 2, Time: 5_000, Kind: coldchain.ProbeTakenOut, Probe: "vial", Unit: "fridge-1"}}}
	for i, temp := range []sensor.Temp{5000, 100, 5000} {
		at := sensor.Instant(i) * 10_000
		step.Sweeps = append(step.Sweeps, sensor.Sweep{Slot: at, Readings: []sensor.Reading{{Seq: uint64(10 + i), Probe: "vial", Time: at, Temp: temp, Raw: temp, Check: i == 1}}})
	}
	end := sensor.Instant(15_000)
	step.Events = append(step.Events, coldchain.Event{V: 1, Seq: 20, Kind: coldchain.CalibrationCorrected, Probe: "vial", Start: 0, End: &end, Points: []sensor.CalibrationPoint{{Reads: 0, Is: -500}}})
	if err := st.Record(t.Context(), step); err != nil {
		t.Fatal(err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	code, out, e := call(t, "readings", "export", "--unit", "fridge-1", "--dir", dir)
	if want := "time,probe,temperature_c,fault,check\n1970-01-01T00:00:00Z,vial,4.5,,\n1970-01-01T00:00:10Z,vial,-0.4,,1\n1970-01-01T00:00:20Z,vial,5.0,,\n"; code != 0 || out != want {
		t.Fatalf("exit %d: %s\n%s", code, out, e)
	}
	file := write(t, "r.csv", out)
	code, out, e = call(t, "replay", "--config", write(t, "c.yaml", strings.ReplaceAll(plain, "f1", "vial")), "--readings", file, "--json")
	if code != 0 || !strings.Contains(out, `"excursions": []`) {
		t.Errorf("exit %d: %s%s", code, out, e)
	}
}

// What a person can tell wrongly is refused before anything is asked.
func TestImportsThatAreAskedForWrongly(t *testing.T) {
	file := write(t, "log.csv", "time,temperature_c\n2026-05-02 10:00,5\n2026-05-02 10:10,5\n")
	for _, c := range []struct {
		want string
		args []string
	}{
		{"give --batch B", []string{file}},
		{"give --batch B", []string{file, "--batch", "X", "--unit", "U"}},
		{"--from and --to are of a logger that came with a batch", []string{file, "--unit", "U", "--from", "2026-05-02T10:00:00Z"}},
		{"--from \"noon\"", []string{file, "--batch", "X", "--from", "noon"}},
		{"--timezone Europe/London", []string{file, "--batch", "X"}},
		{"is no zone", []string{file, "--batch", "X", "--timezone", "London"}},
		{"--dates \"d/m/y\"", []string{file, "--batch", "X", "--timezone", "UTC", "--dates", "d/m/y"}},
		{"no such file", []string{file + ".not", "--batch", "X"}},
		{"no daemon runs there", []string{file, "--batch", "X", "--timezone", "UTC"}},
		{"import them one by one", []string{file, file, "--batch", "X", "--id", "one"}},
	} {
		if code, _, e := call(t, append([]string{"readings", "import", "--dir", t.TempDir(), "--by", "Anna Example"}, c.args...)...); code != exitFailed || !strings.Contains(e, c.want) {
			t.Errorf("%q: exit %d, %s", c.args[1:], code, e)
		}
	}
	for _, c := range []struct {
		want string
		args []string
	}{
		{"what is right?", []string{"batch", "correct", "X"}},
		{"what is right?", []string{"batch", "correct", "X", "--event", "7"}},
		{"--placed-at \"noon\"", []string{"batch", "correct", "X", "--placed-at", "noon"}},
		{"--points \"0.1\"", []string{"probes", "recalibrate", "vial", "--since", "2026-05-02T10:00:00Z", "--points", "0.1"}},
		{"--since \"noon\"", []string{"probes", "recalibrate", "vial", "--since", "noon", "--points", "0.1=0"}},
	} {
		if code, _, e := call(t, append(c.args, "--dir", t.TempDir(), "--by", "Anna Example", "--reason", "test")...); code != exitFailed || !strings.Contains(e, c.want) {
			t.Errorf("%q: exit %d, %s", c.args, code, e)
		}
	}
}
