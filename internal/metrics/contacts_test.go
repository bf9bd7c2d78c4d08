package metrics

import (
	"strings"
	"testing"

	"coldkeep/internal/coldchain"
	"coldkeep/sensor"
)

// Contacts are told while something is known of them, and what was counted
// stays.
func TestContactsAreTold(t *testing.T) {
	s := snapshot(2, 0)
	contact := func(id string, kind sensor.ContactKind, state string, on bool, units ...string) coldchain.ContactState {
		return coldchain.ContactState{Contact: sensor.Contact{ID: id, Kind: kind, Units: units}, State: state, On: on, Count: 3, OnS: 61.5}
	}
	s.Contacts = []coldchain.ContactState{contact("left", sensor.Door, "open", true, "u0"), contact("right", sensor.Door, "unknown", false, "u0"), contact("d1", sensor.Door, "unknown", false, "u1"),
		contact("site", sensor.Mains, "present", false), contact("dark", sensor.Mains, "unknown", true), contact("own", sensor.Relay, "raised", true, "u1")}
	for i := range s.Units {
		s.Units[i].DoorOpen, _ = s.ContactOn(sensor.Door, s.Units[i].ID)
	}
	got := text(t, s)
	for _, want := range []string{
		`coldkeep_unit_door_open{unit="u0"} 1`, `coldkeep_unit_door_openings_total{unit="u0"} 6`, `coldkeep_unit_door_open_seconds_total{unit="u0"} 123`,
		`coldkeep_unit_door_openings_total{unit="u1"} 3`, `coldkeep_mains_lost{contact="site"} 0`,
		`coldkeep_contact_on{contact="left",kind="door"} 1`, `coldkeep_contact_on{contact="site",kind="mains"} 0`, `coldkeep_contact_on{contact="own",kind="alarm"} 1`,
	} {
		if !strings.Contains(got, want+"\n") {
			t.Errorf("lacks %s", want)
		}
	}
	for _, gone := range []string{`door_open{unit="u1"}`, `contact="dark"`, `contact="right"`, `contact="d1"`} {
		if strings.Contains(got, gone) {
			t.Errorf("%s is told, and nothing is known of it", gone)
		}
	}
	s.Contacts, s.Units[0].DoorOpen = nil, nil
	if got := text(t, s); strings.Contains(got, "door") || strings.Contains(got, "contact") {
		t.Error("contacts are told where there are none")
	}
}
