package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"coldkeep/internal/coldchain"
)

// recorded is a recording of somebody else's instrument: its own file, or one
// turned into the form that replay reads.
type recorded struct {
	csv          string
	low, high    float64
	maxGap, rule string
}

func replayRecorded(t *testing.T, r recorded) (out struct {
	Readings struct {
		Good, Faults, Conflicts int
		First, Last             string
	}
	replayJSON
	Gaps []coldchain.Gap
}) {
	t.Helper()
	cfg := write(t, "config.yaml", fmt.Sprintf(`probes: [{id: p, medium: buffered}]
units: [{id: box, range: {low: %v, high: %v}, max_gap: %s, probes: [p], alarms: [{id: warm, above: %v, for: 60m}]}]
profiles: [{id: label, source: "a test", range: {low: %v, high: %v}, unmonitored: 24h, rules: [%s]}]
`, r.low, r.high, r.maxGap, r.high, r.low, r.high, r.rule))
	csv := write(t, "readings.csv", r.csv)
	code, text, errOut := call(t, "replay", "--config", cfg, "--readings", csv, "--json")
	if code != 0 {
		t.Fatalf("exit %d\n%s", code, errOut)
	}
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func whole(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func lines(t *testing.T, file string) []string {
	t.Helper()
	return strings.Split(strings.TrimSpace(strings.ReplaceAll(whole(t, file), "\r", "")), "\n")
}

// brief writes what was found in lines that a person can check.
func brief(ex []coldchain.Excursion, alarms []coldchain.Alarm) (list []string) {
	for _, x := range ex {
		end := "open"
		if x.End != nil {
			end = x.End.String()
		}
		list = append(list, fmt.Sprintf("%s %s %s", x.Kind, x.Start, end))
	}
	for _, a := range alarms {
		end := "open"
		if a.Cleared != nil {
			end = a.Cleared.String()
		}
		list = append(list, fmt.Sprintf("%s %s %s", a.Rule, a.Raised, end))
	}
	return list
}

// A shipment of 3,091 readings with one excursion of 4.9 h at its end
// (published: 3,091, 3.9…23.8 °C).
func TestAShipmentWithAnExcursionAtItsEnd(t *testing.T) {
	out := replayRecorded(t, recorded{csv: whole(t, "biovoice_T301_bv_decoded_utc.csv"), low: 2, high: 8, maxGap: "15m", rule: "{id: warm, above: 8, total: 2h}"})
	if out.Readings.Good != 3091 || out.Readings.Faults != 0 {
		t.Errorf("%+v, want 3,091 readings", out.Readings)
	}
	if len(out.Excursions) == 0 {
		t.Fatal("no excursion")
	}
	last := out.Excursions[len(out.Excursions)-1]
	if h := last.DurationS / 3600; last.Kind != "high" || h < 4.7 || h > 5 || last.MaxC.Celsius() != 23.8 {
		t.Errorf("the last excursion: %s, %.2f h, highest %v; want high, 4.9 h, 23.8", last.Kind, h, last.MaxC)
	}
	want := wantShipment
	if d := cmp.Diff(want, brief(out.Excursions, out.Alarms)); d != "" {
		t.Errorf("pinned − found +\n%s", d)
	}
}

// A controlled fridge with repeated times and gaps.
func TestAControlledFridgeWithHoles(t *testing.T) {
	var b strings.Builder
	b.WriteString("time,temperature_c\n")
	for _, l := range lines(t, "brewpi.csv") {
		f := strings.Split(l, ";")
		at, err := time.Parse("Jan 02 2006 15:04:05", f[0])
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s,%s\n", at.Format("2006-01-02 15:04:05"), f[4]) // the fridge's own temperature
	}
	out := replayRecorded(t, recorded{csv: b.String(), low: 2, high: 16, maxGap: "5m", rule: ""})
	got := fmt.Sprintf("%d good, %d faults, %d conflicts, %d excursions, %d gaps", out.Readings.Good, out.Readings.Faults, out.Readings.Conflicts, len(out.Excursions), len(out.Gaps))
	if got != wantFridge {
		t.Errorf("%s, want %s", got, wantFridge)
	}
}

// A Fridge-tag Ultra Low, −90…−60 °C, 60 min: begun warm at 16:06, its alarm
// came at 17:06, because it counts from its activation. Its log has no
// temperature before 16:21, and what is not known is not counted: 17:21.
func TestAnUltraLowLogger(t *testing.T) {
	out := replayRecorded(t, recorded{csv: whole(t, "100800001215_202304201410.txt"), low: -90, high: -60, maxGap: "15m", rule: ""})
	got := append([]string{fmt.Sprintf("%d good, %d faults", out.Readings.Good, out.Readings.Faults)}, brief(out.Excursions, out.Alarms)...)
	if d := cmp.Diff(wantUltraLow, got); d != "" {
		t.Errorf("pinned − found +\n%s", d)
	}
}

var (
	wantShipment = []string{"high 2020-06-09T12:35:56Z open", "warm 2020-06-09T13:35:56Z open"}
	wantFridge   = "3272 good, 0 faults, 69 conflicts, 8 excursions, 2 gaps"
	wantUltraLow = []string{"835 good, 6 faults", "high 2023-04-17T16:21:00Z open", "warm 2023-04-17T17:21:00Z open"}
)
