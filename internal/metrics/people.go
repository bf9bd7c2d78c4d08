package metrics

import (
	"coldkeep/internal/coldchain"
	"coldkeep/sensor"
)

// What people can have made of an alarm, and of a trouble.
var (
	alarmStates   = []string{"raised", "acknowledged", "shelved"}
	troubleStates = []string{"raised", "acknowledged", "shelved", "cleared"}
)

// people tells what people are called for and what they do about it. Every
// severity and state is told, also with 0: a series that comes from nowhere
// has no increase.
func people(s *coldchain.Snapshot, set func(*metric, float64, ...string)) {
	type key struct {
		severity coldchain.Severity
		state    string
	}
	drills := map[string]bool{}
	count, first := map[key]int{}, map[coldchain.Severity]sensor.Instant{}
	for i := range s.Troubles {
		t := &s.Troubles[i]
		if t.Drill {
			drills[t.Key] = true
			continue
		}
		count[key{t.Severity, t.State}]++
	}
	for _, severity := range []coldchain.Severity{coldchain.Critical, coldchain.Warning} {
		for _, state := range troubleStates {
			set(troubles, float64(count[key{severity, state}]), string(severity), state)
		}
	}
	clear(count)
	for i := range s.Alarms {
		a := &s.Alarms[i]
		if drills[a.Trouble] {
			continue
		}
		state := a.State
		if state == "" {
			state = "raised" // nobody is called for it, and nobody has taken it
		}
		count[key{a.Severity, state}]++
		if at, there := first[a.Severity]; state == "raised" && (!there || a.Raised < at) {
			first[a.Severity] = a.Raised
		}
	}
	for _, severity := range []coldchain.Severity{coldchain.Critical, coldchain.Warning} {
		for _, state := range alarmStates {
			set(alarms, float64(count[key{severity, state}]), string(severity), state)
		}
	}
	for severity, at := range first {
		set(oldest, unix(at), string(severity))
	}
	if d := s.Drill; d != nil {
		if d.At != nil {
			set(drilled, unix(*d.At))
		}
		if d.AnsweredAt != nil {
			set(answered, unix(*d.AnsweredAt))
			set(took, d.TookS)
		}
	}
}

func unix(t sensor.Instant) float64 { return float64(t) / 1000 }
