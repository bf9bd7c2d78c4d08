package coldchain

import "testing"

// What leaves the machine names nobody's address, and the journal keeps it.
func TestPublicEventsHaveNoAddresses(t *testing.T) {
	e := Event{Kind: NotificationSent, Call: &Call{Person: "anna", To: "an-unguessable-topic", Receipt: "r1", Purpose: "page"}}
	p := e.Public()
	if p.Call.To != "" || p.Call.Receipt != "" || p.Call.Person != "anna" || p.Call.Purpose != "page" {
		t.Errorf("told as %+v", p.Call)
	}
	if e.Call.To == "" || e.Call.Receipt == "" {
		t.Errorf("the event itself was changed: %+v", e.Call)
	}
	if q := (Event{Kind: Started}).Public(); q.Call != nil {
		t.Errorf("told as %+v", q)
	}
}
