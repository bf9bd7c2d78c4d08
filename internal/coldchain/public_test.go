package coldchain

import "testing"

// What proves an answer does not leave the machine, and the journal keeps it.
func TestPublicEventsProveNothing(t *testing.T) {
	e := Event{Kind: NotificationSent, Call: &Call{Person: "anna", Receipt: "r1", Purpose: "page"}}
	p := e.Public()
	if p.Call.Receipt != "" || p.Call.Person != "anna" || p.Call.Purpose != "page" {
		t.Errorf("told as %+v", p.Call)
	}
	if e.Call.Receipt == "" {
		t.Errorf("the event itself was changed: %+v", e.Call)
	}
	if q := (Event{Kind: Started}).Public(); q.Call != nil {
		t.Errorf("told as %+v", q)
	}
}
