package config

import (
	"errors"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"coldkeep/alert"
	"coldkeep/internal/coldchain"
)

var place = regexp.MustCompile(`^f\.yaml:[1-9][0-9]*:[1-9][0-9]*: .+`)

// Whatever a file holds, it is accepted or every error has its place; what is
// accepted can be judged by.
func FuzzParse(f *testing.F) {
	for _, name := range []string{"../../configs/clinic.yaml", "../../cmd/coldkeep/demo.yaml", "../../configs/demo/trip.yaml"} {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(b))
	}
	f.Add(clinic)
	f.Fuzz(func(t *testing.T, text string) {
		c, err := Parse("f.yaml", []byte(text))
		var list Errors
		switch {
		case err == nil:
			coldchain.New(c.Judging(), 0).Tick(1000)
			soundDuty(t, c)
		case errors.As(err, &list):
			for _, e := range list {
				if !place.MatchString(e.Error()) {
					t.Errorf("an error without a place: %q", e.Error())
				}
			}
		default:
			t.Errorf("an error of another kind: %v", err)
		}
	})
}

// soundDuty holds what alert asks of a parser: who is called is known, and a
// critical alarm always calls everyone in the end.
func soundDuty(t *testing.T, c *Config) {
	d := &c.Duty
	units := [][]string{nil}
	for _, u := range c.Units {
		units = append(units, []string{u.ID})
	}
	for h := range 7 * 24 {
		at := week.Add(time.Duration(h) * time.Hour)
		for _, u := range units {
			plan := d.Plan(alert.Critical, u, at)
			called := map[string]bool{}
			for _, x := range plan {
				if x.Person == "" && d.Rota(x.As) == nil || x.Person != "" && d.Person(x.Person) == nil {
					t.Fatalf("%+v calls what is not known", x)
				}
				called[x.Person] = called[x.Person] || x.Last
			}
			for _, p := range d.People {
				if !called[p.ID] {
					t.Fatalf("%s is not called in the end: %+v", p.ID, plan)
				}
			}
		}
	}
	d.Gaps(week)
	c.Files()
}

func FuzzParseBatches(f *testing.F) {
	f.Add("batches:\n  - {id: B, profile: p, placements: [{unit: u, from: 2026-05-02T10:36:00Z}], dispositions: [{at: 2026-05-03T10:36:00Z, decision: release, by: Anna, reason: maker, rules: [excursion]}]}\n")
	f.Add("batches:\n  - {id: B, profile: p, placements: [{unit: u, from: 2026-05-02T10:36:00Z, to: 2026-05-09T08:00:00Z}]}\n")
	f.Add("batches:\n  - {id: B, profile: p, opened: 2026-05-03T10:36:00Z, before: [{rule: warm, spent: 30m}, {rule: thaw, cycles: 1}], placements: [{unit: u, from: 2026-05-02T10:36:00Z}], dispositions: [{at: 2026-05-03T10:36:00Z, decision: release, by: Anna, reason: maker, use_by: 2026-06-01, allow: [{rule: warm, spent: 1h}]}]}\n")
	cfg, err := Parse("f.yaml", []byte("probes: [{id: p, chip: ds18b20, bus: onewire-1, address: 28-00000c8cf9b1, medium: buffered}]\nunits: [{id: u, range: {low: 2, high: 8}, probes: [p]}]\nprofiles: [{id: p, source: x, range: {low: 2, high: 8}, thaw_above: 8, in_use: 4h, rules: [{id: warm, above: 8, total: 2h}, {id: thaw, freeze_thaw: 1}]}]\n"))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		lives, err := cfg.ParseBatches("f.yaml", []byte(text))
		if err != nil {
			return
		}
		var idle *coldchain.Refusal // a release of what was not quarantined, which only the readings tell
		if _, err := coldchain.Replay(cfg.Judging(), lives, nil, 0); err != nil && !errors.As(err, &idle) {
			t.Errorf("accepted, but cannot be judged: %v\n%s", err, text)
		}
	})
}

// A decision is told whole, in its place in time.
func TestDispositions(t *testing.T) {
	cfg, err := Parse("f.yaml", []byte("probes: [{id: p, chip: ds18b20, bus: onewire-1, address: 28-00000c8cf9b1, medium: buffered}]\nunits: [{id: u, range: {low: 2, high: 8}, probes: [p]}]\nprofiles: [{id: p, source: x, range: {low: 2, high: 8}}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	batch := func(list string) ([]coldchain.Life, error) {
		return cfg.ParseBatches("b.yaml", []byte("batches:\n  - {id: B, profile: p, placements: [{unit: u, from: 2026-05-02T10:00:00Z, to: 2026-05-04T10:00:00Z}, {unit: u, from: 2026-05-05T10:00:00Z}], dispositions: ["+list+"]}\n"))
	}
	lives, err := batch("{at: 2026-05-03T10:00:00Z, decision: release, by: Anna Example, reason: the maker allows it, rules: [excursion]}, {at: 2026-05-06T10:00:00Z, decision: discarded, by: Ben Example, reason: broken}")
	if err != nil {
		t.Fatal(err)
	}
	if d := lives[0].Dispositions; len(d) != 2 || d[0].Discard || d[0].Rules[0] != "excursion" || d[0].By != "Anna Example" || !d[1].Discard {
		t.Errorf("%+v", d)
	}
	for list, want := range map[string]string{
		"{decision: release, by: A, reason: r}":                                                                                            "`at` is missing",
		"{at: 2026-05-03T10:00:00Z, by: A, reason: r}":                                                                                     "`decision` is missing",
		"{at: 2026-05-03T10:00:00Z, decision: free, by: A, reason: r}":                                                                     "release, released, discard",
		"{at: 2026-05-03T10:00:00Z, decision: release, reason: r}":                                                                         "`by` is missing",
		"{at: 2026-05-03T10:00:00Z, decision: release, by: A}":                                                                             "`reason` is missing",
		"{at: 2026-05-01T10:00:00Z, decision: release, by: A, reason: r}":                                                                  "before the batch came",
		"{at: 2026-05-03T10:00:00Z, decision: discard, by: A, reason: r}":                                                                  "after it was discarded",
		"{at: 2026-05-06T10:00:00Z, decision: discard, by: A, reason: r}, {at: 2026-05-07T10:00:00Z, decision: release, by: A, reason: r}": "nothing is decided of it afterwards",
		"{at: 2026-05-06T10:00:00Z, decision: release, by: A, reason: r}, {at: 2026-05-05T12:00:00Z, decision: release, by: A, reason: r}": "earlier than the decision before",
		"{at: 2026-05-06T10:00:00Z, decision: discard, by: A, reason: r, rules: [x]}":                                                      "answers nothing",
	} {
		if _, err := batch(list); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", list, err, want)
		}
	}
}

// What the operator leaves out has the defaults of the judging rules.
func TestDefaults(t *testing.T) {
	c, err := Parse("f.yaml", []byte("sampling: {interval: 1m}\nprobes: [{id: a, chip: ds18b20, bus: onewire-1, address: 28-00000c8cf9b1, medium: buffered}, {id: b, chip: mcp9808, bus: i2c-1, address: 0x18, medium: air}]\nunits: [{id: u, range: {low: 2, high: 8}, probes: [a, b]}]\nprofiles: [{id: p, source: x, range: {low: 2, high: 8}, rules: [{id: freeze, below: 0, for: 0s}]}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	j := c.Judging()
	u, p := j.Units[0], j.Profiles[0]
	if u.MaxGap.String() != "3m0s" || len(u.Alarms) != 1 || u.Alarms[0].ID != coldchain.Silent || u.Alarms[0].NoData.String() != "10m0s" {
		t.Errorf("unit %+v", u)
	}
	if !u.Probes[0].Judges || u.Probes[1].Judges {
		t.Errorf("the buffered probe judges, the air probe beside it does not: %+v", u.Probes)
	}
	if p.Unmonitored != coldchain.DefaultUnmonitored || p.DeltaH != coldchain.DefaultDeltaH || p.Outside.As != coldchain.DefaultOutsideAs || p.Outside.Grace != coldchain.DefaultOutsideGrace || p.Confirm != 0 {
		t.Errorf("profile %+v", p)
	}
	if len(c.Warnings) == 0 || !strings.Contains(c.Warnings[0].Error(), "allow") {
		t.Errorf("warnings %v: sides without an allowance are named", c.Warnings)
	}
}

// Commands over MQTT are off unless asked for; a node does not watch itself.
func TestAnswersAndPeersOverMQTT(t *testing.T) {
	const plain = "node: pi-1\nprobes: [{id: p, chip: ds18b20, bus: onewire-1, address: 28-00000c8cf9b1, medium: buffered}]\nunits: [{id: u, range: {low: 2, high: 8}, probes: [p]}]\n"
	for text, want := range map[string]MQTT{
		"mqtt: {broker: 'tcp://b:1883'}\n":                                      {Broker: "tcp://b:1883", ClientID: "coldkeep-pi-1", CatchUp: 500, DiscoveryPrefix: "homeassistant"},
		"mqtt: {broker: 'tcp://b:1883', commands: true, peers: [pi-2, Pi-3]}\n": {Broker: "tcp://b:1883", ClientID: "coldkeep-pi-1", CatchUp: 500, DiscoveryPrefix: "homeassistant", Commands: true, Peers: []string{"pi-2", "Pi-3"}},
	} {
		c, err := Parse("f.yaml", []byte(plain+text))
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if !reflect.DeepEqual(c.MQTT, want) {
			t.Errorf("%s: %+v, want %+v", text, c.MQTT, want)
		}
	}
	for text, want := range map[string]string{
		"mqtt: {broker: 'tcp://b:1883', peers: [PI-1]}\n":       "this node",
		"mqtt: {broker: 'tcp://b:1883', peers: [pi-2, PI-2]}\n": "twice",
		"mqtt: {broker: 'tcp://b:1883', peers: ['pi/2']}\n":     "f.yaml:4:",
		"mqtt: {broker: 'tcp://b:1883', commands: maybe}\n":     "f.yaml:4:",
	} {
		if _, err := Parse("f.yaml", []byte(plain+text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}
