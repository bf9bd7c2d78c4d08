package main

import (
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"coldkeep/internal/config"
	"coldkeep/sensor"
	"coldkeep/sensor/chipsim"
)

// contactStates asks a daemon how its contacts stand.
func contactStates(t *testing.T, page string) map[string]string {
	t.Helper()
	resp, err := http.Get("http://" + page + "/api/v1/contacts")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var got struct {
		Contacts []struct{ ID, State, Fault string }
	}
	b, err := io.ReadAll(resp.Body)
	if err == nil {
		err = json.Unmarshal(b, &got)
	}
	if err != nil {
		t.Fatal(err)
	}
	states := map[string]string{}
	for _, c := range got.Contacts {
		states[c.ID] = strings.TrimSpace(c.State + " " + c.Fault)
	}
	return states
}

// From the pin to the person: a plug is pulled, the page comes, and the all
// clear goes by its time; a pin that is not there harms nothing else.
func TestFromThePinToThePerson(t *testing.T) {
	pin, err := chipsim.NewPin("SIM-MAINS")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pin.Close() })
	pin.Contact(true)
	ntfy := startNtfy(t)
	s := startSite(t, ntfy, func(d *daemon) {
		d.cfg.Contacts = []sensor.Contact{{ID: "mains", Kind: sensor.Mains, Pin: "SIM-MAINS", Debounce: 20 * time.Millisecond},
			{ID: "door", Kind: sensor.Door, Pin: "SIM-NONE", Units: []string{"fridge-1"}, After: time.Minute}}
	})
	await := func(want string) {
		t.Helper()
		var got map[string]string
		for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
			if got = contactStates(t, s.page); got["mains"] == want && got["door"] == "unknown absent" {
				return
			}
		}
		t.Fatalf("contacts %q, want the mains %s and a door that is absent", got, want)
	}
	await("present")
	pin.Contact(false)
	m := ntfy.await(t, "topic-anna", "the page", 20*time.Second, loud)
	if !strings.HasPrefix(m.Title, "POWER OUT at Clinic A") {
		t.Errorf("the page: %s", m.Title)
	}
	pin.Contact(true)
	await("present")
	s.end()
}

// What the guide and the example show of contacts is taken.
func TestContactsInTheGuideAreTaken(t *testing.T) {
	const clinic = "configs/clinic.yaml"
	found := regexp.MustCompile("(?s)```yaml\n(contacts:.*?)```").FindStringSubmatch(page(t, "deploy/README.md"))
	if found == nil {
		t.Fatal("the guide shows no contacts")
	}
	lines := regexp.MustCompile(`(?m)^# (contacts:|  - \{id: [a-z-]+, kind: )`).ReplaceAllString(page(t, clinic), "$1")
	for name, text := range map[string]string{"deploy/README.md": page(t, clinic) + "\n" + found[1], clinic: lines} {
		cfg, err := config.Parse(name, []byte(text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		kinds := map[sensor.ContactKind]bool{}
		for _, c := range cfg.Contacts {
			kinds[c.Kind] = true
		}
		if len(kinds) != 3 {
			t.Errorf("%s shows the kinds %v", name, kinds)
		}
	}
}
