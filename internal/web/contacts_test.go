package web

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"coldkeep/internal/coldchain"
	"coldkeep/sensor"
)

// withContacts has a door that is open, mains that are lost, and a contact
// that tells nothing.
func withContacts() *desk {
	d := newDesk()
	now := sensor.At(time.Now())
	d.snap.Contacts = []coldchain.ContactState{
		{Contact: sensor.Contact{ID: "door", Kind: sensor.Door, Pin: "GPIO23", Units: []string{"fridge-1"}}, State: "open", On: true, Since: now - 4*60_000 - 500, TodayCount: 3, TodayS: 301.5},
		{Contact: sensor.Contact{ID: "mains", Kind: sensor.Mains, Pin: "GPIO24", Units: []string{"fridge-2"}}, State: "lost", On: true, Since: now - 60_000},
		{Contact: sensor.Contact{ID: "own", Kind: sensor.Relay, Pin: "GPIO25", Units: []string{"fridge-2"}}, State: "quiet", Since: now - 60_000},
		{Contact: sensor.Contact{ID: "dark", Kind: sensor.Door, Pin: "GPIO<9>", Units: []string{"fridge-3"}}, State: "unknown", On: true, Since: now - 60_000, Fault: sensor.FaultAbsent}}
	for i := range d.snap.Units {
		u := &d.snap.Units[i]
		u.DoorOpen, _ = d.snap.ContactOn(sensor.Door, u.ID)
		u.MainsLost, _ = d.snap.ContactOn(sensor.Mains, u.ID)
	}
	return d
}

// The API tells how each contact stands, and of a unit what is known.
func TestContactsInTheAPI(t *testing.T) {
	srv := serve(t, withContacts(), false, "")
	var got struct {
		Record   string
		Contacts []map[string]any
	}
	if err := json.Unmarshal([]byte(get(t, srv.URL+"/api/v1/contacts", 200)), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Contacts) != 4 || got.Record == "" {
		t.Fatalf("%+v", got)
	}
	door, dark := got.Contacts[0], got.Contacts[3]
	if secs, _ := door["for_s"].(float64); door["state"] != "open" || door["on"] != true || door["kind"] != "door" || secs < 240 || door["today_count"] != 3.0 || door["today_s"] != 301.5 {
		t.Errorf("door %v", door)
	}
	if dark["on"] != nil || dark["state"] != "unknown" || dark["fault"] != "absent" || !strings.Contains(dark["fault_text"].(string), "no pin") {
		t.Errorf("unknown %v", dark)
	}
	var units struct{ Units []map[string]any }
	if err := json.Unmarshal([]byte(get(t, srv.URL+"/api/v1/units", 200)), &units); err != nil {
		t.Fatal(err)
	}
	for i, want := range [][2]any{{true, nil}, {nil, true}, {nil, nil}} {
		if u := units.Units[i]; u["door_open"] != want[0] || u["mains_lost"] != want[1] {
			t.Errorf("%v: door %v, mains %v, want %v", u["id"], u["door_open"], u["mains_lost"], want)
		}
	}
	if text := get(t, serve(t, newDesk(), false, "").URL+"/api/v1/contacts", 200); !strings.Contains(text, `"contacts":[]`) {
		t.Errorf("without contacts %s", text)
	}
}

// A unit's part of the page tells what a person there must know.
func TestContactsOnThePage(t *testing.T) {
	page := get(t, serve(t, withContacts(), false, "").URL+"/?part=main", 200)
	parts := strings.Split(page, "<section")
	for i, want := range []string{"door open for 4 min", "mains lost since ", "door not known: This machine has no pin GPIO&lt;9&gt;."} {
		if !strings.Contains(parts[i+1], want) {
			t.Errorf("unit %d lacks %q:\n%s", i+1, want, parts[i+1])
		}
		for j := range parts {
			if j != i+1 && strings.Contains(parts[j], want) {
				t.Errorf("%q stands at part %d, too", want, j)
			}
		}
	}
	if strings.Contains(page, "own alarm") {
		t.Error("a contact that is quiet is told")
	}
	if page := get(t, serve(t, newDesk(), false, "").URL+"/?part=main", 200); strings.Contains(page, "door") || strings.Contains(page, "mains") {
		t.Error("contacts are told where there are none")
	}
}
