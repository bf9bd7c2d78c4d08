package coldchain

import (
	"math"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"coldkeep/sensor"
)

// readQtag reads the readings of a Q-tag logger's own report, after its line
// "Data:".
func readQtag(t *testing.T, file string) []sensor.Reading {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	_, data, ok := strings.Cut(string(text), "\nData:")
	if !ok {
		t.Fatalf("%s has no data", file)
	}
	var list []sensor.Reading
	for line := range strings.Lines(data) {
		f := strings.Split(strings.TrimSpace(line), "\t")
		at, err := time.Parse("2006-01-02 15:04", f[0])
		if err != nil || len(f) < 2 {
			continue
		}
		c, err := strconv.ParseFloat(f[1], 64)
		if err != nil {
			t.Fatalf("%s: %q: %v", file, line, err)
		}
		temp, ok := sensor.Celsius(c)
		if !ok {
			t.Fatalf("%s: %q is no temperature", file, line)
		}
		list = append(list, sensor.Reading{Probe: "logger", Time: sensor.At(at), Temp: temp})
	}
	return list
}

// The shipment logger raised alarms of its own. Judged from its ten-minute
// log, each of them is found within one logging interval.
func TestTheLoggersOwnAlarmsAreFound(t *testing.T) {
	hot, cold := Limit{Side: Above, At: 8000}, Limit{Side: Below, At: 2000}
	cfg := Config{
		Units: []Unit{{ID: "box", Range: Range{2000, 8000}, MaxGap: 15 * time.Minute,
			Probes: []UnitProbe{{ID: "logger", Judges: true}},
			Alarms: []AlarmRule{{ID: "hot", Severity: Critical, Limit: hot, For: 30 * time.Minute}, {ID: "cold", Severity: Critical, Limit: cold, For: 30 * time.Minute}}}},
		Profiles: []Profile{{ID: "trip", Range: Range{2000, 8000}, Outside: Outside{As: DefaultOutsideAs, Grace: DefaultOutsideGrace},
			Unmonitored: DefaultUnmonitored, DeltaH: 83.0,
			Rules: []Rule{{ID: "hot-sum", Limit: hot, Total: time.Hour}, {ID: "cold-sum", Limit: cold, Total: time.Hour},
				{ID: "mkt", MKT: true, Limit: hot, Within: 24 * time.Hour}}}},
	}
	at := func(s string) sensor.Instant {
		x, err := time.Parse("2006-01-02 15:04", s)
		if err != nil {
			t.Fatal(err)
		}
		return sensor.At(x)
	}
	for _, trip := range []struct {
		file    string
		mkt     float64
		alarms  map[string][]string // rule: when the logger raised it
		reasons map[string]string
		// The logger measures more often than it logs. Where its log shows 1.9
		// twice it has seen 2.0 in between, and its count began anew: these
		// alarms are in the ten-minute log alone.
		logOnly []string
	}{
		{"testdata/RCPJ00010_02_202211090128.txt", 10.5841,
			map[string][]string{"cold": {"2022-11-08 12:46", "2022-11-08 15:22", "2022-11-08 16:09"}, "hot": {"2022-11-08 22:20"}},
			map[string]string{"cold-sum": "2022-11-08 07:34", "hot-sum": "2022-11-08 22:50"},
			[]string{"2022-11-08 07:09", "2022-11-08 08:39", "2022-11-08 10:09", "2022-11-08 11:39", "2022-11-08 16:59", "2022-11-08 18:29", "2022-11-08 19:49"}},
		{"testdata/RCPJ00010_03_202304201359.txt", 10.4788,
			map[string][]string{"hot": {"2023-04-17 16:03"}},
			map[string]string{"hot-sum": "2023-04-17 16:33"}, nil},
	} {
		readings := readQtag(t, trip.file)
		end := readings[len(readings)-1].Time.Add(10 * time.Minute)
		r, err := Replay(cfg, []Life{{ID: "TRIP", Profile: "trip", Placements: []Placement{{Unit: "box", From: readings[0].Time, To: &end}}}}, readings, end)
		if err != nil {
			t.Fatal(err)
		}
		near := func(a sensor.Instant, s string) bool { return a.Sub(at(s)).Abs() <= 10*time.Minute }
		left := map[string][]Alarm{}
		for _, a := range r.Alarms {
			left[a.Rule] = append(left[a.Rule], a)
		}
		for rule, times := range trip.alarms {
			for _, want := range times {
				found := false
				for i, a := range left[rule] {
					if near(a.Raised, want) {
						left[rule] = append(left[rule][:i:i], left[rule][i+1:]...)
						found = true
						break
					}
				}
				if !found {
					t.Errorf("%s: the logger's alarm %s at %s is not found", trip.file, rule, want)
				}
			}
		}
		if got := len(left["cold"]) + len(left["hot"]); got != len(trip.logOnly) {
			t.Errorf("%s: %d alarms beside the logger's, want %d", trip.file, got, len(trip.logOnly))
		}
		for i, want := range trip.logOnly {
			if i < len(left["cold"]) && left["cold"][i].Raised != at(want) {
				t.Errorf("%s: alarm of the log alone at %s, want %s", trip.file, left["cold"][i].Raised, want)
			}
		}
		b := r.Batches[0]
		for rule, want := range trip.reasons {
			found := false
			for _, x := range b.Reasons {
				found = found || x.Rule == rule && near(x.At, want)
			}
			if !found {
				t.Errorf("%s: rule %s is not broken near %s: %+v", trip.file, rule, want, b.Reasons)
			}
		}
		if b.Exposure.MKTC == nil || math.Abs(*b.Exposure.MKTC-trip.mkt) > 0.01 {
			t.Errorf("%s: mean kinetic temperature %v, want %v", trip.file, b.Exposure.MKTC, trip.mkt)
		}
	}
}

// Published and computed values of USP <1079.2>; an implementation that
// drops the kelvin or averages plainly fails each.
func TestMeanKineticTemperature(t *testing.T) {
	for _, v := range []struct {
		celsius []float64
		want    float64
	}{
		{[]float64{2, 2, 5, 8, 8, 8, 8}, 6.250265},
		{[]float64{4, 4, 4, 4, 16}, 8.108857},
		{[]float64{2, 8}, 5.536425},
		{[]float64{20, 30}, 26.259887},
		{[]float64{5}, 5},
	} {
		if got := MeanKineticTemperature(DefaultDeltaH, v.celsius...); math.Abs(got-v.want) > 2e-6 {
			t.Errorf("of %v: %v, want %v", v.celsius, got, v.want)
		}
	}
}
