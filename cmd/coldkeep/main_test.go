package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// call runs one command line in the process.
func call(t *testing.T, args ...string) (code int, out, errOut string) {
	t.Helper()
	var o, e bytes.Buffer
	code = run(&app{context.Background(), strings.NewReader(""), &o, &e}, args)
	return code, o.String(), e.String()
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const plain = `probes:
  - {id: f1, chip: ds18b20, bus: onewire-1, address: 28-00000c8cf9b1, medium: buffered}
units:
  - id: fridge-1
    range: {low: 2, high: 8}
    max_gap: 5m
    probes: [f1]
profiles:
  - {id: p, source: label, range: {low: 2, high: 8}}
`

func TestExampleConfigIsAcceptedWithoutAWarning(t *testing.T) {
	code, out, errOut := call(t, "check", "--config", "../../configs/clinic.yaml")
	if code != exitDone || errOut != "" {
		t.Fatalf("exit %d\n%s%s", code, out, errOut)
	}
}

// Every bad config is told with place and cure, all errors at once, exit 3.
func TestCheckTellsEveryError(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"broken YAML", "probes: [", ":1:"},
		{"empty", "", "empty"},
		{"unknown key", plain + "colour: red\n", `:10:1: unknown key "colour"`},
		{"repeated key", plain + "node: a\nnode: b\n", "stands here twice"},
		{"low not below high", strings.Replace(plain, "range: {low: 2, high: 8}\n    max", "range: {low: 8, high: 8}\n    max", 1), ":5:"},
		{"rule without limit", strings.TrimSuffix(plain, "}\n") + ", rules: [{id: x, for: 1h}]}\n", "rule x has no limit"},
		{"alarm without limit", plain[:strings.Index(plain, "profiles")] + "    alarms: [{id: x, for: 1h}]\n", "alarm x has no limit"},
		{"total without within in an alarm", plain[:strings.Index(plain, "profiles")] + "    alarms: [{id: x, above: 8, total: 1h}]\n", "needs `within`"},
		{"probe in two units", strings.Replace(plain, "profiles", "  - {id: u2, range: {low: 2, high: 8}, probes: [f1]}\nprofiles", 1), "in unit fridge-1 already"},
		{"no judging probe", strings.Replace(plain, "buffered", "ambient", 1), "no judging probe"},
		{"unknown probe", strings.Replace(plain, "[f1]", "[f2]", 1), `no probe "f2"`},
		{"source missing", strings.Replace(plain, "source: label, ", "", 1), "the source is missing"},
		{"mkt below zero", strings.Replace(plain, "{id: p, source: label, range: {low: 2, high: 8}}", "{id: p, source: label, range: {low: -25, high: -15}, rules: [{id: m, mkt_above: 8, within: 24h}]}", 1), "below 0 °C"},
		{"reserved rule", strings.TrimSuffix(plain, "}\n") + ", rules: [{id: excursion, above: 8, for: 1h}]}\n", "built-in"},
		{"ids without case", strings.Replace(plain, "units:", "  - {id: F1, chip: mcp9808, bus: i2c-1, address: 0x18, medium: air}\nunits:", 1), "compared without case"},
		{"a probe named like a logger", strings.ReplaceAll(plain, "f1", "Logger-1"), "those of imported loggers"},
		{"a unit named like a logger", strings.ReplaceAll(plain, "fridge-1", "logger-1"), "those of imported loggers"},
		{"bad address", strings.Replace(plain, "28-00000c8cf9b1", "28-0", 1), "write it as the kernel does"},
		{"bad span", strings.Replace(plain, "5m", "5 minutes", 1), "no time span"},
	} {
		code, out, errOut := call(t, "check", "--config", write(t, "c.yaml", c.text))
		if code != exitProblems || !strings.Contains(out, c.want) {
			t.Errorf("%s: exit %d, want 3 and %q:\n%s%s", c.name, code, c.want, out, errOut)
		}
	}
	two := strings.Replace(strings.Replace(plain, "5m", "x", 1), "buffered", "soup", 1)
	if _, out, _ := call(t, "check", "--config", write(t, "c.yaml", two)); strings.Count(out, "c.yaml:") < 2 {
		t.Errorf("of two errors both must be told:\n%s", out)
	}
	crlf := "\ufeff" + strings.ReplaceAll(plain, "\n", "\r\n")
	if code, out, errOut := call(t, "check", "--config", write(t, "c.yaml", crlf)); code != exitDone {
		t.Errorf("a BOM and CRLF are no errors: exit %d\n%s%s", code, out, errOut)
	}
}

// What cannot be read is told with its line, and nothing is judged.
func TestReplayRefusesWhatItCannotRead(t *testing.T) {
	cfg := write(t, "c.yaml", plain)
	for _, c := range []struct{ name, text, want string }{
		{"cut off", "time,temperature_c,probe\n2026-05-02T10:00:00Z,5.1,f1\n2026-05-02T10:01:00Z\n", "r.csv:3:"},
		{"decimal comma", "time,temperature_c\n2026-05-02T10:00:00Z,5,1\n", "decimal comma"},
		{"no time", "time,temperature_c\nyesterday,5\n", "r.csv:2:"},
		{"unknown probe", "time,temperature_c,probe\n2026-05-02T10:00:00Z,5,zz\n", `probe "zz"`},
		{"column twice", "time,time,temperature_c\n", "stands here twice"},
		{"column missing", "time,temp\n", "`temperature_c` is missing"},
		{"empty", "", "empty"},
		{"skipped hour", "time,temperature_c\n2026-03-29 01:30,5\n", "skip"},
		{"too sparse", "time,temperature_c\n2026-05-02T10:00:00Z,5\n2026-05-02T11:00:00Z,5\n2026-05-02T12:00:00Z,5\n", "max_gap"},
	} {
		code, out, errOut := call(t, "replay", "--json", "--timezone", "Europe/London", "--config", cfg, "--readings", write(t, "r.csv", c.text))
		if code != exitFailed || out != "" || !strings.Contains(errOut, c.want) {
			t.Errorf("%s: exit %d, want 1 and %q:\n%s%s", c.name, code, c.want, out, errOut)
		}
	}
	good := write(t, "r.csv", "time,temperature_c\n2026-05-02T10:00:00Z,5\n")
	for _, c := range []struct{ name, text, want string }{
		{"unknown unit", "batches: [{id: A, profile: p, placements: [{unit: u9, from: 2026-05-02T10:00:00Z}]}]", `no unit "u9"`},
		{"unknown profile", "batches: [{id: A, profile: q, placements: [{unit: fridge-1, from: 2026-05-02T10:00:00Z}]}]", `no profile "q"`},
		{"overlap", "batches: [{id: A, profile: p, placements: [{unit: fridge-1, from: 2026-05-02T10:00:00Z, to: 2026-05-02T11:00:00Z}, {unit: fridge-1, from: 2026-05-02T10:30:00Z}]}]", "overlap"},
		{"backwards", "batches: [{id: A, profile: p, placements: [{unit: fridge-1, from: 2026-05-02T10:00:00Z, to: 2026-05-02T09:00:00Z}]}]", "not after"},
	} {
		code, out, errOut := call(t, "replay", "--json", "--config", cfg, "--readings", good, "--batches", write(t, "b.yaml", c.text))
		if code != exitFailed || out != "" || !strings.Contains(errOut, c.want) || !strings.Contains(errOut, "b.yaml:1:") {
			t.Errorf("%s: exit %d, want 1 and %q:\n%s%s", c.name, code, c.want, out, errOut)
		}
	}
}

// A replay tells readings, excursions, alarms, gaps and batches in one object.
func TestReplayTellsEverything(t *testing.T) {
	csv := "\ufefftime,temperature_c,fault\r\n" +
		"2026-05-02T10:00:00Z,5.0,\r\n" +
		"2026-05-02T10:01:00Z,8.0,\r\n" + // at the limit is inside
		"2026-05-02T10:02:00Z,8.1,\r\n" +
		"2026-05-02T10:03:00Z,,absent\r\n" +
		"2026-05-02T10:04:00Z,NaN,\r\n" +
		"2026-05-02T10:05:00Z,7.9,\r\n" +
		"2026-05-02T10:05:00Z,7.8,\r\n" + // a conflict
		"2026-05-02T11:00:00Z,5.0,\r\n"
	code, out, errOut := call(t, "replay", "--json", "--config", write(t, "c.yaml", plain), "--readings", write(t, "r.csv", csv),
		"--batches", write(t, "b.yaml", "batches: [{id: A, profile: P, placements: [{unit: FRIDGE-1, from: 2026-05-02T10:00:00Z}]}]"))
	if code != exitDone {
		t.Fatalf("exit %d\n%s", code, errOut)
	}
	var got map[string]any
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"conflicts":1`, `"faults":2`, `"good":5`, `"first":"2026-05-02T10:00:00Z"`,
		`{"duration_s":180,"end":"2026-05-02T10:05:00Z","kind":"high","max_c":8.1,"min_c":8.1,"start":"2026-05-02T10:02:00Z","unit":"fridge-1","unmonitored_s":0}`,
		`{"duration_s":3000,"end":"2026-05-02T11:00:00Z","start":"2026-05-02T10:10:00Z","unit":"fridge-1"}`,
		`"rule":"silent"`, `"raised":"2026-05-02T10:15:00.001Z"`, `"cleared":"2026-05-02T11:00:00Z"`,
		`"verdict":"quarantined"`, `"rule":"excursion"`, `"rule":"unmonitored"`, `"at":"2026-05-02T10:40:00Z"`,
		`"above_s":180`, `"monitored_s":600`, `"unmonitored_s":3000`, `"mkt_c":null`,
	} {
		if !strings.Contains(string(b), want) {
			t.Errorf("%s is missing in\n%s", want, b)
		}
	}
}

func TestWrongUseIsExit2(t *testing.T) {
	for _, args := range [][]string{{"frobnicate"}, {"check"}, {"replay", "--nonsense"}} {
		if code, _, errOut := call(t, args...); code != exitWrongUse || errOut == "" {
			t.Errorf("%v: exit %d, want 2 with a message", args, code)
		}
	}
	if code, out, _ := call(t, "version"); code != exitDone || !strings.HasPrefix(out, "coldkeep ") {
		t.Errorf("version: exit %d: %s", code, out)
	}
}
