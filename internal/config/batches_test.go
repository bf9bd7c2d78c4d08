package config

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"coldkeep/internal/coldchain"
	"coldkeep/sensor"
)

const batchesConfig = `site: {id: s, timezone: Europe/London}
probes: [{id: p, chip: ds18b20, bus: onewire-1, address: 28-00000c8cf9b1, medium: buffered}]
units: [{id: u, range: {low: -25, high: -15}, probes: [p]}]
profiles:
  - id: p
    source: a label
    range: {low: -25, high: -15}
    thaw_above: -10
    in_use: 4h
    stages: {transport: {low: -30, high: -10}, in_use: {low: 2, high: 25}}
    rules: [{id: warm, above: -15, total: 2h}, {id: day, above: -15, total: 1h, within: 24h}, {id: hot, above: 0, for: 5m}, {id: thaw, freeze_thaw: 1}]
`

func at(t *testing.T, s string) sensor.Instant {
	t.Helper()
	x, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return sensor.At(x)
}

// What a batch had been through before, when it was opened, and what a signer
// allows anew are told in the replay's file, each in its place.
func TestTheRestOfALifeIsTold(t *testing.T) {
	cfg, err := Parse("f.yaml", []byte(batchesConfig))
	if err != nil {
		t.Fatal(err)
	}
	batch := func(more string) ([]coldchain.Life, error) {
		return cfg.ParseBatches("b.yaml", []byte("batches:\n  - {id: B, profile: p, placements: [{unit: u, from: 2026-05-02T10:00:00Z, to: 2026-05-09T10:00:00Z}],\n     "+more+"}\n"))
	}
	lives, err := batch("opened: 2026-05-03T10:00:00Z, before: [{rule: warm, spent: 30m}, {rule: thaw, cycles: 1}], dispositions: [{at: 2026-05-04T10:00:00Z, decision: release, by: Anna Example, reason: r, use_by: 2026-05-08, allow: [{rule: day, spent: 20m}, {rule: thaw, cycles: 2}]}]")
	if err != nil {
		t.Fatal(err)
	}
	l := lives[0]
	if want := at(t, "2026-05-03T10:00:00Z"); l.OpenedAt != want {
		t.Errorf("opened %s, want %s", l.OpenedAt, want)
	}
	if want := []coldchain.Spent{{Rule: "warm", S: 1800}, {Rule: "thaw", Cycles: 1}}; !reflect.DeepEqual(l.Before, want) {
		t.Errorf("before %+v, want %+v", l.Before, want)
	}
	d := l.Dispositions[0]
	if want := []coldchain.Spent{{Rule: "day", S: 1200}, {Rule: "thaw", Cycles: 2}}; !reflect.DeepEqual(d.Allow, want) {
		t.Errorf("allowed anew %+v, want %+v", d.Allow, want)
	}
	if want := at(t, "2026-05-08T23:00:00Z"); d.UseByAt != want || d.UseBy != "2026-05-08" { // the end of the day by London's clocks
		t.Errorf("use by %s, until %s; want %s", d.UseBy, d.UseByAt, want)
	}
	const release = "{at: 2026-05-04T10:00:00Z, decision: release, by: A, reason: r, "
	for more, want := range map[string]string{
		"opened: 2026-05-01T10:00:00Z":                                                   "b.yaml:3:14: batches[0].opened: 2026-05-01T10:00:00Z is before the batch came",
		"opened: 2026-05-09T10:00:00Z":                                                   "after its life ended",
		"opened: noon":                                                                   "is no time",
		"before: [{rule: warm}]":                                                         "give `spent`, a span as 30m",
		"before: [{spent: 30m}]":                                                         "`rule` is missing",
		"before: [{rule: warm, spent: 30m, cycles: 1}]":                                  "give `spent`, a span as 30m",
		"before: [{rule: tepid, spent: 30m}]":                                            "b.yaml:3:15: batches[0].before[0]: profile p has no rule tepid: what can be spent is of warm, day, thaw",
		"before: [{rule: hot, spent: 1m}]":                                               "which sums nothing up",
		"before: [{rule: thaw, spent: 30m}]":                                             "give their number, as thaw=1",
		"before: [{rule: warm, cycles: 1}]":                                              "give a span, as warm=30m",
		"before: [{rule: thaw, cycles: 1.5}]":                                            "a whole number is right",
		"before: [{rule: thaw, cycles: -1}]":                                             "less than nothing",
		"before: [{rule: day, spent: 25h}]":                                              "looks back over 24h",
		"before: [{rule: warm, spent: 1m}, {rule: warm, spent: 2m}]":                     "given twice",
		"dispositions: [" + release + "use_by: 8.5.2026}]":                               "is no date",
		"dispositions: [" + release + "use_by: 2026-05-03}]":                             "was over when it was decided",
		"dispositions: [" + release + "allow: [{rule: tepid, spent: 1m}]}]":              "has no rule tepid",
		"dispositions: [" + release + "rules: [warm], allow: [{rule: day, spent: 1m}]}]": "this release does not answer it",
		"dispositions: [{at: 2026-05-10T10:00:00Z, decision: discard, by: A, reason: r, use_by: 2026-06-01}]":               "goes with a release alone",
		"dispositions: [{at: 2026-05-10T10:00:00Z, decision: discard, by: A, reason: r, allow: [{rule: warm, spent: 1m}]}]": "goes with a release alone",
		"opened: 2026-05-08T10:00:00Z, dispositions: [{at: 2026-05-03T10:00:00Z, decision: discard, by: A, reason: r}]":     "after batch B was discarded",
	} {
		if _, err := batch(more); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", more, err, want)
		}
	}
}

// A stage with a range of its own is warned of, and guarded, like the storage.
func TestStagesAreWarnedOf(t *testing.T) {
	cfg, err := Parse("f.yaml", []byte(batchesConfig))
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, w := range cfg.Warnings {
		all = append(all, w.Error())
	}
	said := strings.Join(all, "\n")
	for _, want := range []string{"time below -25.0 °C:", "time below -30.0 °C in transport:", "time below 2.0 °C in use:"} {
		if !strings.Contains(said, want) {
			t.Errorf("no warning says %q:\n%s", want, said)
		}
	}
	if strings.Contains(said, "below 0.0") {
		t.Errorf("a rule on cycles is taken for a limit:\n%s", said)
	}
	_, err = Parse("f.yaml", []byte(strings.Replace(batchesConfig, "in_use: 4h", "in_use: 4h\n    guard: 4.9", 1)))
	if err != nil {
		t.Errorf("a guard of 4.9 leaves something of each range: %v", err)
	}
	_, err = Parse("f.yaml", []byte(strings.Replace(strings.Replace(batchesConfig, "in_use: 4h", "in_use: 4h\n    guard: 4.9", 1), "low: 2, high: 25", "low: 2, high: 8", 1)))
	if err == nil || !strings.Contains(err.Error(), "leaves nothing of the range 2–8 °C in use") {
		t.Errorf("a guard greater than a stage's range: %v", err)
	}
}
