package mqtt

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"coldkeep/internal/coldchain"
	"coldkeep/sensor"
)

// The keys of Home Assistant's device discovery that we may use, by their long
// names, and how they are abbreviated. Unknown keys are ignored there: a typo
// would say nothing.
var (
	rootKeys = map[string]string{"device": "dev", "origin": "o", "components": "cmps", "availability": "avty", "availability_mode": "avty_mode", "availability_topic": "avty_t", "availability_template": "avty_tpl",
		"payload_available": "pl_avail", "payload_not_available": "pl_not_avail", "state_topic": "stat_t", "command_topic": "cmd_t", "qos": "qos", "encoding": "e"}
	deviceKeys = map[string]string{"identifiers": "ids", "connections": "cns", "name": "name", "manufacturer": "mf", "model": "mdl", "model_id": "mdl_id", "sw_version": "sw", "hw_version": "hw",
		"serial_number": "sn", "suggested_area": "sa", "configuration_url": "cu", "via_device": "via_device"}
	originKeys    = map[string]string{"name": "name", "sw_version": "sw", "support_url": "url"}
	availableKeys = map[string]string{"topic": "t", "payload_available": "pl_avail", "payload_not_available": "pl_not_avail", "value_template": "val_tpl"}
	commonKeys    = map[string]string{"platform": "p", "unique_id": "uniq_id", "name": "name", "default_entity_id": "def_ent_id", "icon": "ic", "entity_category": "ent_cat", "enabled_by_default": "en",
		"availability": "avty", "availability_mode": "avty_mode", "availability_topic": "avty_t", "availability_template": "avty_tpl", "payload_available": "pl_avail", "payload_not_available": "pl_not_avail",
		"json_attributes_topic": "json_attr_t", "json_attributes_template": "json_attr_tpl", "qos": "qos", "encoding": "e", "state_topic": "stat_t", "value_template": "val_tpl", "device_class": "dev_cla"}
	partKeys = map[string]map[string]string{
		"sensor":        {"unit_of_measurement": "unit_of_meas", "state_class": "stat_cla", "expire_after": "exp_aft", "force_update": "frc_upd", "suggested_display_precision": "sug_dsp_prc", "options": "ops"},
		"binary_sensor": {"payload_on": "pl_on", "payload_off": "pl_off", "off_delay": "off_dly", "expire_after": "exp_aft", "force_update": "frc_upd"},
		"event":         {"event_types": "evt_typ"},
	}
	// general are those that do not count as an option of the component.
	general = map[string]bool{"platform": true, "unique_id": true, "name": true}
	places  = regexp.MustCompile(`^[a-zA-Z0-9_-]+$`)
)

// long gives a mapping its long keys, and says which it does not know.
func long(m map[string]any, known ...map[string]string) (out map[string]any, unknown []string) {
	out = map[string]any{}
next:
	for k, v := range m {
		for _, list := range known {
			for full, short := range list {
				if k == full || k == short {
					out[full] = v
					continue next
				}
			}
		}
		unknown = append(unknown, k)
	}
	slices.Sort(unknown)
	return out, unknown
}

// wrongWith says what of the rules of device discovery a message breaks.
func wrongWith(topic string, payload []byte) (wrong []string) {
	bad := func(rule int, format string, args ...any) {
		wrong = append(wrong, fmt.Sprintf("rule %d: ", rule)+fmt.Sprintf(format, args...))
	}
	level := strings.Split(topic, "/")
	if len(level) != 4 || level[1] != "device" || level[3] != "config" || !places.MatchString(level[2]) {
		bad(11, "%s is no topic of device discovery", topic)
	}
	var raw map[string]any
	if err := json.Unmarshal(payload, &raw); err != nil {
		bad(1, "the payload is no object: %v", err)
		return wrong
	}
	root, unknown := long(raw, rootKeys)
	if len(unknown) > 0 {
		bad(7, "unknown at the root: %v", unknown)
	}
	object := func(v any) map[string]any { m, _ := v.(map[string]any); return m }
	origin, unknown := long(object(root["origin"]), originKeys)
	if len(unknown) > 0 {
		bad(7, "unknown in the origin: %v", unknown)
	}
	if origin["name"] == nil || origin["name"] == "" {
		bad(1, "the origin has no name")
	}
	device, unknown := long(object(root["device"]), deviceKeys)
	if len(unknown) > 0 {
		bad(7, "unknown in the device: %v", unknown)
	}
	if root["device"] == nil {
		bad(1, "there is no device")
	}
	some := func(v any) bool { l, _ := v.([]any); s, _ := v.(string); return len(l) > 0 || s != "" }
	if !some(device["identifiers"]) && !some(device["connections"]) {
		bad(4, "the device has neither identifiers nor connections")
	}
	available := func(where string, m map[string]any) {
		if m["availability"] != nil && m["availability_topic"] != nil {
			bad(6, "%s has availability and availability_topic", where)
		}
		if x := m["availability_mode"]; x != nil && x != "all" && x != "any" && x != "latest" {
			bad(6, "%s: availability_mode %v", where, x)
		}
		list, _ := m["availability"].([]any)
		for _, x := range list {
			a, unknown := long(object(x), availableKeys)
			if len(unknown) > 0 || a["topic"] == nil {
				bad(7, "%s: availability without topic, or with %v", where, unknown)
			}
		}
	}
	available("the root", root)
	parts := object(root["components"])
	if len(parts) == 0 {
		bad(3, "there are no components")
	}
	ids := map[any]bool{}
	for key, v := range parts {
		platform, _ := object(v)["p"].(string)
		if platform == "" {
			platform, _ = object(v)["platform"].(string)
		}
		own := partKeys[platform]
		if own == nil {
			bad(3, "%s has no platform that is known: %q", key, platform)
			continue
		}
		part, unknown := long(object(v), commonKeys, own)
		for _, k := range unknown {
			switch k {
			case "dev", "device", "o", "origin":
				bad(1, "%s overrides %s", key, k)
			case "object_id", "obj_id":
				bad(10, "%s has an object_id", key)
			default:
				bad(7, "unknown in %s: %s", key, k)
			}
		}
		if id := part["unique_id"]; id == nil || ids[id] {
			bad(3, "%s has no unique_id of its own: %v", key, id)
		}
		ids[part["unique_id"]] = true
		specific := 0
		for k := range part {
			if !general[k] {
				specific++
			}
		}
		if specific == 0 {
			bad(3, "%s has no option of its own", key)
		}
		if part["state_topic"] == nil && root["state_topic"] == nil {
			bad(2, "%s has no state topic, nor has the root", key)
		}
		if platform == "event" && !some(part["event_types"]) {
			bad(3, "%s has no event types", key)
		}
		if id, is := part["default_entity_id"].(string); is && !strings.HasPrefix(id, platform+".") {
			bad(10, "%s: default_entity_id %q lacks its domain", key, id)
		}
		name, named := part["name"]
		text, _ := name.(string)
		deviceName, _ := device["name"].(string)
		switch {
		case !named && part["device_class"] == nil:
			bad(9, "%s has neither a name nor a class to be named by", key)
		case deviceName != "" && strings.HasPrefix(strings.ToLower(text), strings.ToLower(deviceName)):
			bad(9, "%s repeats the device's name", key)
		}
		available(key, part)
	}
	var tilde func(at string, v any)
	tilde = func(at string, v any) {
		switch x := v.(type) {
		case map[string]any:
			for k, y := range x {
				tilde(k, y)
			}
		case []any:
			for _, y := range x {
				tilde(at, y)
			}
		case string:
			full := at == "t" || strings.HasSuffix(at, "_topic") || strings.HasSuffix(at, "_t")
			if full && strings.Contains(x, "~") && raw["~"] == nil {
				bad(8, "%s: %s has a base that is not given", at, x)
			}
		}
	}
	tilde("", raw)
	return wrong
}

func clinic() *coldchain.Snapshot {
	s := newRecord().Snapshot()
	s.Site, s.Node, s.Version = coldchain.Site{ID: "clinic-a", Name: "Clinic A"}, "pi-1", "1.2.3"
	s.Units[0].Name = "Treatment room fridge"
	s.Units = append(s.Units, coldchain.UnitState{Unit: coldchain.Unit{ID: "Freezer-1"}})
	return s
}

// Each unit is a device, as Home Assistant's rules have it.
func TestDiscoveryKeepsTheRules(t *testing.T) {
	s := clinic()
	o := Options{Discovery: true, DiscoveryPrefix: "homeassistant", Interval: 10 * time.Second}
	devices := 0
	for _, m := range topicsOf(s).wanted(o, s.Made.Time()) {
		if !strings.HasPrefix(m.topic, "homeassistant/") {
			continue
		}
		devices++
		if wrong := wrongWith(m.topic, m.payload); len(wrong) > 0 {
			t.Errorf("%s: %v\n%s", m.topic, wrong, m.payload)
		}
	}
	if devices != 2 {
		t.Errorf("%d devices, want one for each unit", devices)
	}
	d := discoveryTopic(o.DiscoveryPrefix, topicsOf(s).device("f"))
	if d != "homeassistant/device/coldkeep_clinic-a_pi-1_f/config" {
		t.Errorf("topic %s", d)
	}
}

// Each rule can be broken, and it is seen.
func TestEachRuleIsHeld(t *testing.T) {
	s := clinic()
	t0 := topicsOf(s)
	topic := discoveryTopic("homeassistant", t0.device("f"))
	payload := t0.discovery(&s.Units[0], Options{Interval: 10 * time.Second})
	type m = map[string]any
	part := func(x m, key string) m { return x["cmps"].(m)[key].(m) }
	for name, c := range map[string]struct {
		rule   int
		change func(m)
	}{
		"no origin":              {1, func(x m) { delete(x, "o") }},
		"an origin without name": {1, func(x m) { x["o"] = m{"sw": "1"} }},
		"no device":              {1, func(x m) { delete(x, "dev") }},
		"device of a component":  {1, func(x m) { part(x, "probe")["dev"] = m{"ids": "x"} }},
		"no state topic":         {2, func(x m) { delete(x, "stat_t") }},
		"what is not shared":     {7, func(x m) { x["unit_of_meas"] = "°C" }},
		"no components":          {3, func(x m) { delete(x, "cmps") }},
		"no platform":            {3, func(x m) { delete(part(x, "probe"), "p") }},
		"no unique id":           {3, func(x m) { delete(part(x, "probe"), "uniq_id") }},
		"the same id twice":      {3, func(x m) { part(x, "probe")["uniq_id"] = part(x, "temperature")["uniq_id"] }},
		"nothing of its own":     {3, func(x m) { x["cmps"].(m)["probe"] = m{"p": "sensor", "uniq_id": "y", "name": "Probe"} }},
		"no event types":         {3, func(x m) { delete(part(x, "alarm"), "evt_typ") }},
		"no identifiers":         {4, func(x m) { delete(x["dev"].(m), "ids") }},
		"two availabilities":     {6, func(x m) { x["avty_t"] = "a" }},
		"an unknown mode":        {6, func(x m) { part(x, "temperature")["avty_mode"] = "some" }},
		"a typo":                 {7, func(x m) { part(x, "temperature")["stat_class"] = "measurement" }},
		"a typo of the device":   {7, func(x m) { x["dev"].(m)["manufacturer_"] = "x" }},
		"an unknown base":        {8, func(x m) { x["stat_t"] = "~/state" }},
		"no name at all":         {9, func(x m) { p := part(x, "flagged_batches"); delete(p, "name") }},
		"the device's name":      {9, func(x m) { part(x, "probe")["name"] = "Treatment room fridge probe" }},
		"object_id":              {10, func(x m) { part(x, "probe")["object_id"] = "x" }},
		"obj_id":                 {10, func(x m) { part(x, "probe")["obj_id"] = "x" }},
		"no domain":              {10, func(x m) { part(x, "probe")["default_entity_id"] = "probe" }},
	} {
		var x m
		if err := json.Unmarshal(payload, &x); err != nil {
			t.Fatal(err)
		}
		c.change(x)
		b, err := json.Marshal(x)
		if err != nil {
			t.Fatal(err)
		}
		if wrong := wrongWith(topic, b); !slices.ContainsFunc(wrong, func(w string) bool { return strings.HasPrefix(w, fmt.Sprintf("rule %d:", c.rule)) }) {
			t.Errorf("%s breaks rule %d, and nobody sees it: %v", name, c.rule, wrong)
		}
	}
	if wrong := wrongWith("homeassistant/sensor/coldkeep_x/config", payload); len(wrong) != 1 || !strings.HasPrefix(wrong[0], "rule 11") {
		t.Errorf("the topic of a single component: %v", wrong)
	}
}

// What a description names is there: topics that are published, and fields of
// what is published on them.
func TestDiscoveryNamesWhatIsThere(t *testing.T) {
	s := clinic()
	t0 := topicsOf(s)
	o := Options{Discovery: true, DiscoveryPrefix: "homeassistant", Interval: 10 * time.Second}
	published := map[string]bool{t0.status(): true, t0.unitAlarm("f"): true}
	for _, m := range t0.wanted(o, s.Made.Time()) {
		published[m.topic] = true
	}
	var d struct {
		Topic string `json:"stat_t"`
		Avty  []struct{ T string }
		Cmps  map[string]struct {
			P        string
			Topic    string `json:"stat_t"`
			Template string `json:"val_tpl"`
			Avty     []struct{ T string }
			Types    []string `json:"evt_typ"`
			Expires  int      `json:"exp_aft"`
		}
	}
	if err := json.Unmarshal(t0.discovery(&s.Units[0], o), &d); err != nil {
		t.Fatal(err)
	}
	var state map[string]any
	if err := json.Unmarshal(t0.unitState(&s.Units[0], true), &state); err != nil {
		t.Fatal(err)
	}
	if got := slices.Sorted(maps.Keys(d.Cmps)); !slices.Equal(got, []string{"alarm", "flagged_batches", "out_of_range", "probe", "temperature"}) {
		t.Errorf("components %v", got)
	}
	field := regexp.MustCompile(`value_json\.(\w+)`)
	for key, c := range d.Cmps {
		if c.Topic != "" && !published[c.Topic] || c.Topic == "" && !published[d.Topic] {
			t.Errorf("%s: nothing is published on %s", key, c.Topic+d.Topic)
		}
		for _, a := range append(c.Avty, d.Avty...) {
			if !published[a.T] {
				t.Errorf("%s: nothing is published on %s", key, a.T)
			}
		}
		for _, f := range field.FindAllStringSubmatch(c.Template, -1) {
			if _, there := state[f[1]]; !there {
				t.Errorf("%s: a unit's state has no %s", key, f[1])
			}
		}
		if c.P != "event" && len(field.FindAllString(c.Template, -1)) == 0 {
			t.Errorf("%s takes nothing from the state", key)
		}
	}
	types := slices.Sorted(maps.Values(alarmTypes))
	if got := slices.Sorted(slices.Values(d.Cmps["alarm"].Types)); !slices.Equal(got, types) {
		t.Errorf("event types %v, want %v", got, types)
	}
	if got := d.Cmps["temperature"].Expires; got != 60 {
		t.Errorf("the temperature expires after %d s", got)
	}
}

// An alarm's event comes on the unit's own topic, once, and not when it is old.
func TestAlarmsOfTheMoment(t *testing.T) {
	s := clinic()
	s.Troubles = []coldchain.Trouble{{Key: "t1", Units: []string{"f", "Freezer-1"}}, {Key: "t2", Units: []string{"f"}, Drill: true}}
	now := time.Date(2026, 5, 5, 3, 0, 0, 0, time.UTC)
	event := func(e coldchain.Event) []message {
		e.Time = sensor.At(now)
		list, err := topicsOf(s).event(&e, now.Add(time.Second))
		if err != nil {
			t.Fatal(err)
		}
		return list[1:]
	}
	got := event(coldchain.Event{Seq: 9, Kind: coldchain.AlarmAcknowledged, By: "Anna Example", Via: "page", Call: &coldchain.Call{Trouble: "t1"}})
	if len(got) != 2 || got[0].topic != "coldkeep/clinic-a/pi-1/unit/f/alarm" || got[1].topic != "coldkeep/clinic-a/pi-1/unit/Freezer-1/alarm" ||
		string(got[0].payload) != `{"by":"Anna Example","event_type":"acknowledged","record":"0123456789abcdef","seq":9,"time":"2026-05-05T03:00:00Z","time_unix_ms":1777950000000,"via":"page"}` {
		t.Errorf("%s", got)
	}
	if got := event(coldchain.Event{Kind: coldchain.AlarmRaised, Unit: "f", Rule: "warm"}); len(got) != 1 || !strings.Contains(string(got[0].payload), `"event_type":"raised"`) {
		t.Errorf("%s", got)
	}
	for name, e := range map[string]coldchain.Event{"a drill": {Kind: coldchain.AlarmAcknowledged, Call: &coldchain.Call{Trouble: "t2"}}, "what was over when it was found": {Kind: coldchain.AlarmRaised, Unit: "f", Past: true},
		"what is no alarm": {Kind: coldchain.ExcursionStarted, Unit: "f"}, "an alarm of no unit": {Kind: coldchain.AlarmRaised}} {
		if got := event(e); len(got) != 0 {
			t.Errorf("%s rings: %s", name, got)
		}
	}
	old, err := topicsOf(s).event(&coldchain.Event{Kind: coldchain.AlarmRaised, Unit: "f", Time: sensor.At(now)}, now.Add(momentTime+time.Second))
	if err != nil || len(old) != 1 {
		t.Errorf("an old alarm rings: %s %v", old, err)
	}
}

// When Home Assistant starts it is told everything again, after a while.
func TestHomeAssistantStarts(t *testing.T) {
	b := broker(t)
	w := watch(t, b.Addr(), "#")
	const config, state = "homeassistant/device/coldkeep_s_n_f/config", "coldkeep/s/n/unit/f/state"
	settled(t, w.c.Publish("homeassistant/status", 1, true, "online")) // of an earlier start: what is retained tells nothing new
	await(t, "that to be over", func() bool { return w.said("homeassistant/status") == "online" })
	start(t, newRecord(), Options{Broker: "tcp://" + b.Addr(), ClientID: "test", Discovery: true, Log: quiet}, func(p *Publisher) { p.birth = 100 * time.Millisecond })
	await(t, "the description", func() bool { return w.count(config) == 1 && w.count(state) == 1 })
	time.Sleep(300 * time.Millisecond)
	settled(t, w.c.Publish("homeassistant/status", 1, false, "offline"))
	time.Sleep(300 * time.Millisecond)
	if w.count(config) != 1 {
		t.Errorf("told %d times without being asked", w.count(config))
	}
	settled(t, w.c.Publish("homeassistant/status", 1, false, "online"))
	await(t, "the description again, and the state", func() bool { return w.count(config) == 2 && w.count(state) == 2 })
}

// Without being asked to, nothing of ours is where Home Assistant looks.
func TestDiscoveryIsOffUnlessAskedFor(t *testing.T) {
	s := clinic()
	for _, m := range topicsOf(s).wanted(Options{DiscoveryPrefix: "homeassistant"}, s.Made.Time()) {
		if !strings.HasPrefix(m.topic, "coldkeep/") {
			t.Errorf("published on %s", m.topic)
		}
	}
}
