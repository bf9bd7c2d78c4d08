package monitor

import (
	"testing"

	"coldkeep/alert"
	"coldkeep/internal/coldchain"
)

// What is wrong with probes is for the day; what is wrong with a unit wakes.
func TestAlarmsAboutProbesAreOfTheirOwnKind(t *testing.T) {
	u := coldchain.Unit{ID: "f1"}
	s := &coldchain.Snapshot{Units: []coldchain.UnitState{{Unit: u.WithDefaults()}}}
	for rule, want := range map[string]alert.Kind{coldchain.RuleProbeLost: alert.ProbeLost, coldchain.RuleProbesDisagree: alert.ProbesDisagree, coldchain.Silent: alert.NoData} {
		if got := (&Monitor{}).alarmOf(s, coldchain.Alarm{Unit: "f1", Rule: rule, Severity: coldchain.Warning}).Kind; got != want {
			t.Errorf("%s is %s, want %s", rule, got, want)
		}
	}
	wakes := alert.DefaultWakes()
	if wakes[alert.ProbeLost] != alert.InWorkingHours || wakes[alert.ProbesDisagree] != alert.InWorkingHours || wakes[alert.NoData] != alert.AtOnce {
		t.Errorf("%v", wakes)
	}
}
