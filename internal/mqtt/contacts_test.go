package mqtt

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"coldkeep/internal/coldchain"
	"coldkeep/sensor"
)

// A unit's state tells of its door and its mains what is known, and what was
// counted today; Home Assistant is told of those that the unit has.
func TestDoorAndMains(t *testing.T) {
	yes, no := true, false
	for _, c := range []struct {
		door, mains *bool
		want        map[string]float64
	}{
		{&yes, &no, map[string]float64{"door_open": 1, "mains_lost": 0}},
		{&no, &yes, map[string]float64{"door_open": 0, "mains_lost": 1}},
		{nil, nil, map[string]float64{}},
	} {
		s := newRecord().Snapshot()
		unit := s.Units[0].ID
		s.Units[0].Name = "Treatment room fridge"
		s.Contacts = []coldchain.ContactState{
			{Contact: sensor.Contact{ID: "left", Kind: sensor.Door, Units: []string{unit}}, TodayCount: 2, TodayS: 61.5},
			{Contact: sensor.Contact{ID: "right", Kind: sensor.Door, Units: []string{unit}}, TodayCount: 1, TodayS: 10},
			{Contact: sensor.Contact{ID: "other", Kind: sensor.Door, Units: []string{"another"}}, TodayCount: 9, TodayS: 9},
			{Contact: sensor.Contact{ID: "mains", Kind: sensor.Mains}}}
		s.Units[0].DoorOpen, s.Units[0].MainsLost = c.door, c.mains
		t0 := topicsOf(s)
		var got map[string]any
		if err := json.Unmarshal(t0.unitState(&s.Units[0], true), &got); err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{"door_open", "mains_lost"} {
			want, there := c.want[key]
			if x, is := got[key]; is != there || is && x != want {
				t.Errorf("%+v: %s is %v", c.want, key, x)
			}
		}
		if got["door_openings_today"] != 3.0 || got["door_open_s_today"] != 71.5 {
			t.Errorf("today %v times, %v s", got["door_openings_today"], got["door_open_s_today"])
		}
		var d struct {
			Cmps map[string]struct {
				Class    string `json:"dev_cla"`
				Template string `json:"val_tpl"`
			}
		}
		payload := t0.discovery(&s.Units[0], Options{Discovery: true, DiscoveryPrefix: "homeassistant", Interval: 10 * time.Second})
		if wrong := wrongWith("homeassistant/device/coldkeep_s_n_f/config", payload); len(wrong) > 0 {
			t.Errorf("%v", wrong)
		}
		if err := json.Unmarshal(payload, &d); err != nil {
			t.Fatal(err)
		}
		if x := d.Cmps["door"]; x.Class != "door" || !strings.Contains(x.Template, "value_json.door_open is not defined") {
			t.Errorf("door %+v", x)
		}
		if x := d.Cmps["mains"]; x.Class != "power" || !strings.Contains(x.Template, "'OFF' if value_json.mains_lost") {
			t.Errorf("mains %+v", x)
		}
	}
	s := newRecord().Snapshot()
	var got map[string]any
	if err := json.Unmarshal(topicsOf(s).unitState(&s.Units[0], true), &got); err != nil {
		t.Fatal(err)
	}
	for _, key := range slices.Sorted(maps.Keys(got)) {
		if strings.Contains(key, "door") || strings.Contains(key, "mains") {
			t.Errorf("a unit without contacts tells %s", key)
		}
	}
}

// A change is published as an event, flat, with all that it has.
func TestAContactsChangeIsPublished(t *testing.T) {
	s := newRecord().Snapshot()
	e := coldchain.Event{V: 1, Seq: 7, Time: 1_780_000_000_000, Kind: coldchain.ContactChanged, Unit: "f", Contact: "door", ContactKind: "door", State: "open", Start: 1_780_000_000_000, Text: "the door is open"}
	list, err := topicsOf(s).event(&e, time.UnixMilli(1_780_000_000_000))
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	var got map[string]any
	if err := json.Unmarshal(list[0].payload, &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"kind": "contact_changed", "unit": "f", "contact_id": "door", "contact_kind": "door", "state": "open", "text": "the door is open", "seq": 7.0}
	for k, v := range want {
		if fmt.Sprint(got[k]) != fmt.Sprint(v) {
			t.Errorf("%s is %v, want %v", k, got[k], v)
		}
	}
}
