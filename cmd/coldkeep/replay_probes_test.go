package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// What a replay tells of probes has lists of its own: alarms are as they were.
func TestReplayTellsOfProbes(t *testing.T) {
	cfg := write(t, "c.yaml", `sampling: {interval: 5m}
probes:
  - {id: a, medium: buffered, tolerance: 1}
  - {id: b, medium: buffered, calibration: {due: 2027-05-01}}
units: [{id: u, range: {low: 2, high: 8}, probes: [a, b]}]
profiles: [{id: p, source: label, range: {low: 2, high: 8}}]
`)
	var csv strings.Builder
	csv.WriteString("time,temperature_c,probe\n")
	for _, minute := range []string{"00", "05", "10", "15", "20", "25", "30", "35", "40", "45", "50"} {
		csv.WriteString("2026-05-02T10:" + minute + ":00Z,4.1,a\n")
		if minute < "30" {
			csv.WriteString("2026-05-02T10:" + minute + ":00Z,6.9,b\n")
		}
	}
	batches := write(t, "b.yaml", "batches: [{id: X, profile: p, placements: [{unit: u, from: 2026-05-02T10:00:00Z}]}]")
	args := []string{"replay", "--config", cfg, "--readings", write(t, "r.csv", csv.String()), "--batches", batches}
	code, out, errOut := call(t, append(args, "--json")...)
	if code != exitDone {
		t.Fatalf("exit %d\n%s%s", code, out, errOut)
	}
	var r struct {
		Alarms      []any `json:"alarms"`
		ProbeAlarms []struct {
			Unit, Rule, Severity, Raised, Text string
			Cleared                            *string
			Probes                             []string
		} `json:"probe_alarms"`
		Batches []struct {
			Uncalibrated []string `json:"uncalibrated"`
			JudgedBy     []any    `json:"judged_by"`
		} `json:"batches"`
	}
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Alarms) != 0 || len(r.ProbeAlarms) != 2 {
		t.Fatalf("alarms %v, of probes %+v", r.Alarms, r.ProbeAlarms)
	}
	apart, lost := r.ProbeAlarms[0], r.ProbeAlarms[1]
	if apart.Rule != "probes_disagree" || apart.Raised != "2026-05-02T10:15:00Z" || apart.Cleared != nil || apart.Severity != "warning" || apart.Unit != "u" || !slices.Equal(apart.Probes, []string{"a", "b"}) ||
		apart.Text != "probes a (4.1 °C) and b (6.9 °C) disagree by 2.8 °C; 1 is stated" {
		t.Errorf("%+v", apart)
	}
	if lost.Rule != "probe_lost" || lost.Raised != "2026-05-02T10:40:00.001Z" || !slices.Equal(lost.Probes, []string{"b"}) {
		t.Errorf("%+v", lost)
	}
	if b := r.Batches[0]; !slices.Equal(b.Uncalibrated, []string{"a"}) || len(b.JudgedBy) != 2 {
		t.Errorf("%+v", b)
	}
	if code, out, _ := call(t, args...); code != exitDone || !strings.Contains(out, "probes     u  probe_lost  2026-05-02T10:40:00.001Z – still open  no temperature from probe b for more than 15m") ||
		!strings.Contains(out, "Judged by probe a, for which no calibration is recorded") {
		t.Errorf("exit %d\n%s", code, out)
	}
}
