package config

import (
	"strings"
	"testing"

	"coldkeep/internal/coldchain"
)

const guarded = `probes: [{id: p, chip: ds18b20, bus: onewire-1, address: 28-00000c8cf9b1, medium: buffered, calibration: {due: 2027-05-01, uncertainty: 0.25}}]
units:
  - {id: u, range: {low: 2, high: 8}, guard: 0.3, probes: [p], alarms: [{id: warm, above: 8, for: 15m, clear: {at: 7.5, for: 5m}}, {id: cold, below: 2, for: 15m}]}
profiles:
  - {id: p, source: label, range: {low: 2, high: 8}, guard: 0.5, rules: [{id: warm, above: 8, total: 2h}, {id: cold, below: 2, for: 0s}, {id: m, mkt_above: 8, within: 24h}]}
`

// A guard moves what it says, and the unit's range holds a profile's batches
// as before.
func TestAGuardMovesLimits(t *testing.T) {
	c, err := Parse("f.yaml", []byte(guarded))
	if err != nil {
		t.Fatal(err)
	}
	j := c.Judging()
	u, p := j.Units[0], j.Profiles[0]
	if u.Alarms[0].Limit.At != 7700 || u.Alarms[1].Limit.At != 2300 || u.Range != (coldchain.Range{Low: 2000, High: 8000}) || u.Guard != 300 || len(u.Alarms) != 3 {
		t.Errorf("unit %+v", u)
	}
	if p.Range != (coldchain.Range{Low: 2500, High: 7500}) || p.Rules[0].Limit.At != 7500 || p.Rules[1].Limit.At != 2500 || p.Rules[2].Limit.At != 8000 {
		t.Errorf("profile %+v", p)
	}
	for _, w := range c.Warnings {
		if strings.Contains(w.Error(), "nothing can hold") || strings.Contains(w.Error(), "no rule gives time") {
			t.Errorf("a warning because of the guard: %v", w)
		}
	}
	without, err := Parse("f.yaml", []byte(strings.NewReplacer("guard: 0.3, ", "", "guard: 0.5, ", "").Replace(guarded)))
	if err != nil {
		t.Fatal(err)
	}
	if a, b := without.Judging().Hash(), j.Hash(); a == b {
		t.Error("a guard judges otherwise, but the configs cannot be told apart")
	}
}

// A guard that leaves nothing, or one that is none, is an error in its place.
func TestAGuardThatCannotBe(t *testing.T) {
	for _, x := range []struct{ old, new, want string }{
		{"guard: 0.3", "guard: 3", "f.yaml:3:"},
		{"guard: 0.3", "guard: 3", "leaves nothing of the range 2–8 °C"},
		{"guard: 0.5", "guard: 4.5", "f.yaml:5:"},
		{"guard: 0.3", "guard: -0.1", "not negative"},
		{"guard: 0.3", "guard: much", "no temperature"},
		{"guard: 0.3", "guard: 0.6", "move `clear` inwards"},
		// The names of what every unit has by itself are no ids at all.
		{"id: cold, below", "id: probe_lost, below", "is no id"},
		{"id: cold, below", "id: probes_disagree, below", "is no id"},
	} {
		if _, err := Parse("f.yaml", []byte(strings.Replace(guarded, x.old, x.new, 1))); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s: %v, want %q", x.new, err, x.want)
		}
	}
}
