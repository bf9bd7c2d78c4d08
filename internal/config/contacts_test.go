package config

import (
	"errors"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"coldkeep/sensor"
)

const withContacts = `probes: [{id: p, chip: ds18b20, bus: onewire-1, address: 28-00000c8cf9b1, medium: buffered}, {id: q, chip: ds18b20, bus: onewire-1, address: 28-00000b10a2f4, medium: buffered}]
units: [{id: Fridge-1, range: {low: 2, high: 8}, probes: [p]}, {id: freezer-1, range: {low: -25, high: -15}, probes: [q]}]
`

// What is left out has its default; what is there is kept.
func TestContacts(t *testing.T) {
	c, err := Parse("f.yaml", []byte(withContacts+`contacts:
  - {id: door, kind: door, pin: GPIO17, unit: fridge-1}
  - {id: mains, kind: mains, pin: GPIO18}
  - {id: both, kind: mains, pin: GPIO19, units: [fridge-1, freezer-1], after: 10s}
  - {id: own, kind: alarm, pin: GPIO20, unit: freezer-1, normally: open, debounce: 1s}
`))
	if err != nil {
		t.Fatal(err)
	}
	want := []sensor.Contact{
		{ID: "door", Kind: sensor.Door, Pin: "GPIO17", Units: []string{"Fridge-1"}, Debounce: 200 * time.Millisecond, After: 3 * time.Minute},
		{ID: "mains", Kind: sensor.Mains, Pin: "GPIO18", Debounce: 200 * time.Millisecond, After: time.Minute},
		{ID: "both", Kind: sensor.Mains, Pin: "GPIO19", Units: []string{"Fridge-1", "freezer-1"}, Debounce: 200 * time.Millisecond, After: 10 * time.Second},
		{ID: "own", Kind: sensor.Relay, Pin: "GPIO20", Units: []string{"freezer-1"}, Open: true, Debounce: time.Second},
	}
	if !reflect.DeepEqual(c.Contacts, want) {
		t.Errorf("%+v\nwant %+v", c.Contacts, want)
	}
	if !strings.Contains(c.Warnings.Error(), "f.yaml:7:") || !strings.Contains(c.Warnings.Error(), "cut") {
		t.Errorf("a contact that is open while all is well: %v", c.Warnings)
	}
}

// Everything that is wrong with contacts is told at once, each with its place
// and what would be right.
func TestWhatIsWrongWithContacts(t *testing.T) {
	_, err := Parse("f.yaml", []byte(withContacts+`notify: [{id: horn, channel: siren, buzzer: GPIO27, button: GPIO22}]
contacts:
  - {id: a, kind: door, pin: GPIO17}
  - {id: b, kind: door, pin: GPIO18, unit: fridge-9}
  - {id: c, kind: mains, pin: gpio18}
  - {id: d, kind: mains, pin: GPIO22}
  - {id: e, kind: window, pin: GPIO5}
  - {id: f, kind: alarm, unit: freezer-1}
  - {id: A, kind: mains, pin: GPIO6}
  - {id: g, kind: alarm, pin: "17", unit: freezer-1, normally: shut, debounce: 1m, after: 30d}
  - {id: h, kind: mains, pin: GPIO7, unit: freezer-1, units: [freezer-1]}
  - {id: i, kind: mains, pin: GPIO8, units: [freezer-1, freezer-1]}
  - {id: j, pin: GPIO9}
  - {id: k, kind: mains, pin: GPIO10, units: []}
  - {id: l, kind: door, pin: GPIO11, unit: fridge-1, wire: red}
`))
	var list Errors
	if !errors.As(err, &list) {
		t.Fatalf("%v", err)
	}
	want := []string{
		"5:.*whose door is it", "6:.*no unit \"fridge-9\"", "7:.*the contact b uses pin gpio18", "8:.*the channel horn uses pin GPIO22", "9:.*door, mains, alarm", "10:.*pin: GPIO17",
		"11:.*already, in line 5", "12:.*\"17\" is no pin", "12:.*closed, open", "12:.*10ms to 10s", "12:.*a day", "13:.*one of them is enough", "14:.*twice", "15:.*kind is missing", "16:.*whole site",
		"17:.*unknown key \"wire\"",
	}
	for _, w := range want {
		found := 0
		for _, e := range list {
			if regexp.MustCompile("^f.yaml:" + w).MatchString(e.Error()) {
				found++
			}
		}
		if found != 1 {
			t.Errorf("%q is told %d times", w, found)
		}
	}
	if len(list) != len(want) {
		t.Errorf("%d errors, want %d:\n%v", len(list), len(want), err)
	}
}
