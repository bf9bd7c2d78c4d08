package alert

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// The plan of a night: step by step, contact by contact, with what waits.
func TestThePlanOfANight(t *testing.T) {
	loc := zone(t, "Europe/London")
	all := [7]bool{true, true, true, true, true, true, true}
	d := &Duty{Location: loc,
		People: []Person{
			{ID: "anna", Name: "Anna Example", Contacts: []Contact{{Channel: "push", To: "cold-anna"}, {Channel: "sms", To: "+447700900123", After: time.Minute}}, Quiet: &Hours{all, 22 * 60, 9 * 60}},
			{ID: "bert", Name: "Bert Example", Contacts: []Contact{{Channel: "sms", To: "+447700900124"}}},
		},
		Rotas: []Rota{{ID: "nights", Shifts: []Shift{{Hours: Hours{all, 18 * 60, 3*60 + 15}, People: []string{"anna"}}}}},
		Policies: []Policy{{ID: "all", Steps: []Step{
			{Call: []string{"nights"}, Repeat: 5 * time.Minute},
			{Call: []string{"nights", "bert"}, After: 5 * time.Minute, Repeat: 5 * time.Minute},
			{Call: []string{Everyone}, After: 10 * time.Minute, Repeat: 3 * time.Minute}}}},
	}
	for _, c := range []struct {
		severity Severity
		at       time.Time
		want     []string
	}{
		{Critical, local(t, "2026-05-05 03:12", loc), []string{
			"03:12 1 nights anna push", "03:13 1 nights anna sms",
			"03:17 2 nights - ", "03:17 2 bert bert sms", // the rota ended at 03:15
			"03:27 3 everyone anna push last", "03:27 3 everyone bert sms last", "03:28 3 everyone anna sms last"}},
		// A warning in the night: the rota of nights has nobody in working hours, and anna sleeps until nine.
		{Warning, local(t, "2026-05-05 03:12", loc), []string{
			"08:00 1 nights - held", "08:05 2 nights - held", "08:05 2 bert bert sms held",
			"08:15 3 everyone bert sms last held", "09:00 3 everyone anna push last held", "09:01 3 everyone anna sms last held"}},
		{Warning, local(t, "2026-05-05 17:59", loc), []string{
			"17:59 1 nights - ", "18:04 2 nights anna push", "18:04 2 bert bert sms", "18:05 2 nights anna sms",
			"18:14 3 everyone anna push last", "18:14 3 everyone bert sms last", "18:15 3 everyone anna sms last"}},
	} {
		var got []string
		for _, p := range d.Plan(c.severity, []string{"fridge-1"}, c.at.UTC()) {
			who := p.Person + " " + p.By
			if p.Person == "" {
				who = "- "
			}
			s := fmt.Sprintf("%s %d %s %s", p.At.In(loc).Format("15:04"), p.Step, p.As, who)
			if p.Last {
				s += " last"
			}
			if p.Held {
				s += map[bool]string{true: "held", false: " held"}[p.Person == ""]
			}
			got = append(got, s)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s at %s:\n%q\nwant\n%q", c.severity, c.at, got, c.want)
		}
	}
	if got := (&Duty{}).Plan(Critical, nil, three); len(got) != 0 {
		t.Errorf("nobody can be called: %v", got)
	}
}
