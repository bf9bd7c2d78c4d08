package alert

import (
	"fmt"
	"slices"
	"strings"
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
		// Nobody is on call: nobody is waited for.
		{Critical, local(t, "2026-05-05 04:00", loc), []string{
			"04:00 1 nights - ", "04:00 2 nights - ", "04:00 2 bert bert sms",
			"04:10 3 everyone anna push last", "04:10 3 everyone bert sms last", "04:11 3 everyone anna sms last"}},
		// A warning in the night: in working hours nobody is on call by the rota, so all are told, anna when her quiet hours end.
		{Warning, local(t, "2026-05-05 03:12", loc), []string{"08:00 1 nights - last held", "08:00 1 everyone bert sms last held", "09:00 1 everyone anna push last held"}},
		// On a Friday evening it waits for Monday.
		{Warning, local(t, "2026-05-08 19:00", loc), []string{"08:00 1 nights - last held", "08:00 1 everyone bert sms last held", "09:00 1 everyone anna push last held"}},
		{Warning, local(t, "2026-05-05 12:00", loc), []string{"12:00 1 nights - last", "12:00 1 everyone anna push last", "12:00 1 everyone bert sms last"}},
	} {
		var got []string
		for _, p := range d.Plan(c.severity, []string{"fridge-1"}, c.at.UTC()) {
			who := p.Person + " " + p.By
			if p.Person == "" {
				who = "- "
			}
			s := fmt.Sprintf("%s %d %s %s", p.At.In(loc).Format("15:04"), p.Step, p.As, who)
			if p.Last {
				s = strings.TrimSpace(s) + " last"
			}
			if p.Held {
				s += " held"
			}
			if c.severity == Warning && p.Held != p.At.After(c.at) || p.At.Before(c.at) {
				t.Errorf("%s: %+v", s, p)
			}
			got = append(got, s)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s at %s:\n%q\nwant\n%q", c.severity, c.at, got, c.want)
		}
	}
	if p := d.Plan(Warning, nil, local(t, "2026-05-08 19:00", loc)); !p[0].At.Equal(local(t, "2026-05-11 08:00", loc)) {
		t.Errorf("what can wait waits for %s", p[0].At)
	}
	if got := (&Duty{}).Plan(Critical, nil, three); len(got) != 0 {
		t.Errorf("nobody can be called: %v", got)
	}
}
