package mqtt

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/BurntSushi/toml"

	"coldkeep/internal/coldchain"
	"coldkeep/sensor"
)

// configs is where the snippets lie that users copy.
const configs = "../../configs/"

func snippet(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(configs + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// everything is what a daemon publishes, of all kinds and in many states.
func everything(t *testing.T) (list []message) {
	t.Helper()
	s := clinic()
	good, cold := sensor.Temp(5100), sensor.Temp(-80_000)
	at := sensor.Instant(1_780_000_000_000)
	now := at.Time()
	s.At, s.Made = at, at
	s.Units[0].ID, s.Units[0].Temp, s.Units[0].TempAt, s.Units[0].Min, s.Units[0].Max, s.Units[0].FlaggedCount = "fridge-1", &good, at, &cold, &good, 1
	s.Troubles = []coldchain.Trouble{{Key: "t1", Units: []string{"fridge-1"}}}
	for _, alarm := range []string{"", "raised"} {
		if alarm != "" {
			s.Alarms = []coldchain.Alarm{{Unit: "fridge-1", State: alarm}}
		}
		list = append(list, topicsOf(s).wanted(Options{Discovery: true, DiscoveryPrefix: "homeassistant"}, now)...)
	}
	t0 := topicsOf(s)
	list = append(list, message{t0.status(), []byte("online")}, message{t0.answer("a1"), []byte(`{"event":{}}`)})
	for _, r := range []sensor.Reading{{Probe: "p", Time: at, Temp: good}, {Probe: "p", Time: at, Temp: cold}, {Probe: "p", Time: at, Fault: sensor.FaultCRC}} {
		list = append(list, t0.reading(coldchain.Entry{Seq: 1, Reading: &r, Synchronized: true}))
	}
	for _, e := range []coldchain.Event{
		{Kind: coldchain.ExcursionStarted, Unit: "fridge-1", Side: "high", Start: at, Temp: &good},
		{Kind: coldchain.AlarmRaised, Unit: "fridge-1", Rule: "warm", Severity: coldchain.Critical, Text: "above 8 °C for 15m", Reason: "9.1 °C"},
		{Kind: coldchain.AlarmAcknowledged, By: "Anna Example", Via: "page", Call: &coldchain.Call{Trouble: "t1"}},
		{Kind: coldchain.BatchFlagged, Unit: "fridge-1", Batch: "EX-0412", Rule: "warm", Reason: "above 8 °C"},
		{Kind: coldchain.ProbeFailed, Unit: "fridge-1", Probe: "p", Fault: sensor.FaultCRC},
	} {
		e.V, e.Seq, e.Time = 1, 7, at
		messages, err := t0.event(&e, now)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, messages...)
	}
	return list
}

// matches says whether a topic is under a filter.
func matches(filter, topic string) bool {
	f, l := strings.Split(filter, "/"), strings.Split(topic, "/")
	for i, x := range f {
		if x == "#" {
			return true
		}
		if i >= len(l) || x != "+" && x != l[i] {
			return false
		}
	}
	return len(f) == len(l)
}

// under gives the payloads that a filter lets through.
func under(t *testing.T, filter string) (list []map[string]any) {
	t.Helper()
	for _, m := range everything(t) {
		var p map[string]any
		if matches(filter, m.topic) && json.Unmarshal(m.payload, &p) == nil {
			list = append(list, p)
		}
	}
	return list
}

// A key has one type wherever it stands on one kind of topic, and is flat.
func TestKeysKeepTheirTypes(t *testing.T) {
	for _, filter := range []string{"coldkeep/+/+/probe/+/reading", "coldkeep/+/+/unit/+/state", "coldkeep/+/+/unit/+/alarm", "coldkeep/+/+/batch/+/state", "coldkeep/+/+/event"} {
		types := map[string]reflect.Type{}
		list := under(t, filter)
		if len(list) == 0 {
			t.Errorf("nothing is published on %s", filter)
		}
		for _, p := range list {
			for k, v := range p {
				of := reflect.TypeOf(v)
				if of == nil || of.Kind() == reflect.Map || of.Kind() == reflect.Slice || types[k] != nil && types[k] != of || strings.EqualFold(k, "time") && k != "time" {
					t.Errorf("%s: %s is %v, and was %v", filter, k, of, types[k])
				}
				types[k] = of
			}
		}
	}
}

// Telegraf takes from real payloads what the configuration says.
func TestTheTelegrafSnippet(t *testing.T) {
	type topicParsing struct {
		Topic, Measurement, Tags, Fields string
		Types                            map[string]string
	}
	type input struct {
		Servers           []string
		Topics            []string
		ClientID          string         `toml:"client_id"`
		QoS               int            `toml:"qos"`
		PersistentSession bool           `toml:"persistent_session"`
		NameOverride      string         `toml:"name_override"`
		TopicTag          string         `toml:"topic_tag"`
		DataFormat        string         `toml:"data_format"`
		TagKeys           []string       `toml:"tag_keys"`
		StringFields      []string       `toml:"json_string_fields"`
		TimeKey           string         `toml:"json_time_key"`
		TimeFormat        string         `toml:"json_time_format"`
		TopicParsing      []topicParsing `toml:"topic_parsing"`
	}
	var file struct {
		Inputs struct {
			Consumers []input `toml:"mqtt_consumer"`
		}
	}
	meta, err := toml.Decode(snippet(t, "telegraf/coldkeep.conf"), &file)
	if err != nil {
		t.Fatal(err)
	}
	if left := meta.Undecoded(); len(left) > 0 {
		t.Errorf("keys that Telegraf's mqtt_consumer does not have, or that no test looks at: %v", left)
	}
	// What each must give, of the newest kinds of payload.
	want := map[string]struct{ tags, fields []string }{
		"coldkeep_reading": {[]string{"site", "node", "probe", "unit"}, []string{"temperature_celsius", "seq", "record", "fault", "clock_synchronized"}},
		"coldkeep_unit":    {[]string{"site", "node", "unit"}, []string{"temperature_celsius", "out_of_range", "unmonitored", "borderline", "probe_ok", "batches", "flagged_batches", "min_celsius", "max_celsius", "alarm_state"}},
		"coldkeep_event":   {[]string{"site", "node", "kind", "unit", "batch"}, []string{"seq", "record", "reason", "by", "via", "rule", "severity", "text", "probe", "trouble"}},
	}
	clients := map[string]bool{}
	for _, in := range file.Inputs.Consumers {
		if in.DataFormat != "json" || in.QoS != 1 || !in.PersistentSession || in.ClientID == "" || clients[in.ClientID] || in.TopicTag != "" || in.TimeFormat != "unix_ms" || len(in.Servers) != 1 {
			t.Errorf("%s: %+v", in.NameOverride, in)
		}
		clients[in.ClientID] = true
		tags, fields := map[string]bool{}, map[string]bool{}
		named := map[string]bool{}
		for _, topic := range in.Topics {
			for _, m := range everything(t) {
				if !matches(topic, m.topic) {
					continue
				}
				for _, p := range in.TopicParsing {
					if !matches(p.Topic, m.topic) {
						t.Errorf("%s: %s is not parsed by %s", in.NameOverride, m.topic, p.Topic)
					}
					parts, level := strings.Split(p.Tags, "/"), strings.Split(m.topic, "/")
					if len(parts) != len(level) {
						t.Errorf("%s: %s has %d levels, %s has %d", in.NameOverride, p.Tags, len(parts), m.topic, len(level))
						continue
					}
					for i, name := range parts {
						if name != "_" && level[i] != "" {
							tags[name] = true
						}
					}
				}
				var payload map[string]any
				if err := json.Unmarshal(m.payload, &payload); err != nil {
					t.Fatal(err)
				}
				if ms, is := payload[in.TimeKey].(float64); !is || time.UnixMilli(int64(ms)).Year() != 2026 {
					t.Errorf("%s: %s is no time in milliseconds: %v", in.NameOverride, in.TimeKey, payload[in.TimeKey])
				}
				for k, v := range payload {
					_, number := v.(float64)
					switch {
					case slices.Contains(in.TagKeys, k):
						tags[k], named[k] = true, true
					case slices.Contains(in.StringFields, k):
						if number {
							t.Errorf("%s: %s is a number, and is taken without being named", in.NameOverride, k)
						}
						fields[k], named[k] = true, true
					case number && k != in.TimeKey:
						fields[k] = true // texts and truths that are not named are left out
					}
				}
			}
		}
		for _, k := range append(slices.Clone(in.TagKeys), in.StringFields...) {
			if !named[k] {
				t.Errorf("%s names %s, which no payload has", in.NameOverride, k)
			}
		}
		for _, k := range want[in.NameOverride].tags {
			if !tags[k] {
				t.Errorf("%s: no tag %s: %v", in.NameOverride, k, tags)
			}
		}
		for _, k := range want[in.NameOverride].fields {
			if !fields[k] {
				t.Errorf("%s: no field %s: %v", in.NameOverride, k, fields)
			}
		}
		delete(want, in.NameOverride)
	}
	if len(want) > 0 {
		t.Errorf("nothing takes %v", want)
	}
}

// A node of Node-RED, as far as the flow uses it.
type redNode struct {
	ID, Type, Z, Name, Topic, Broker, Func, Datatype, QoS string
	Outputs                                               int
	Wires                                                 [][]string
}

func redFlow(t *testing.T) (list []redNode) {
	t.Helper()
	if err := json.Unmarshal([]byte(snippet(t, "node-red/flow.json")), &list); err != nil {
		t.Fatal(err)
	}
	return list
}

// The flow can be imported: its nodes are of the core palette, its wires lead
// somewhere, and its topics are published.
func TestTheNodeREDFlow(t *testing.T) {
	byID := map[string]redNode{}
	tab := ""
	for _, n := range redFlow(t) {
		if _, twice := byID[n.ID]; twice || n.ID == "" {
			t.Errorf("the id %q is there twice", n.ID)
		}
		byID[n.ID] = n
		if n.Type == "tab" {
			tab = n.ID
		}
	}
	reached := map[string]bool{}
	for _, n := range byID {
		if !slices.Contains([]string{"tab", "mqtt-broker", "mqtt in", "function", "rbe", "debug"}, n.Type) {
			t.Errorf("%s is a %q, which not every Node-RED has", n.ID, n.Type)
		}
		if n.Type != "tab" && n.Type != "mqtt-broker" && n.Z != tab {
			t.Errorf("%s is on no tab", n.ID)
		}
		for _, port := range n.Wires {
			for _, to := range port {
				if x, there := byID[to]; !there || x.Z != n.Z || x.Type == "mqtt in" {
					t.Errorf("the wire from %s to %s leads nowhere", n.ID, to)
				}
				reached[to] = true
			}
		}
		switch n.Type {
		case "mqtt in":
			if byID[n.Broker].Type != "mqtt-broker" || n.QoS != "1" {
				t.Errorf("%s: broker %q, QoS %q", n.ID, n.Broker, n.QoS)
			}
			if !slices.ContainsFunc(everything(t), func(m message) bool {
				return matches(n.Topic, m.topic) && (n.Datatype == "json") == json.Valid(m.payload)
			}) {
				t.Errorf("nothing of that kind is published on %s", n.Topic)
			}
		case "function":
			if n.Outputs != len(n.Wires) || !strings.Contains(n.Func, "return msg;") {
				t.Errorf("%s: %d outputs, %d wires", n.ID, n.Outputs, len(n.Wires))
			}
		}
	}
	for _, n := range byID {
		if (n.Type == "function" || n.Type == "rbe" || n.Type == "debug") && !reached[n.ID] {
			t.Errorf("nothing comes to %s", n.ID)
		}
	}
}

// The flow's functions say the right words of real payloads.
func TestTheNodeREDFunctions(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("node is not installed: the functions of the Node-RED flow are not run")
	}
	functions := map[string]string{}
	byTopic := map[string]string{}
	for _, n := range redFlow(t) {
		if n.Type == "function" {
			functions[n.ID] = n.Func
		}
		if n.Type == "mqtt in" {
			byTopic[n.Topic] = n.Wires[0][0]
		}
	}
	young, old := time.Now().UnixMilli()-1000, time.Now().Add(-time.Hour).UnixMilli()
	base := func(ms int64, more string) string {
		return fmt.Sprintf(`{"unit":"fridge-1","name":"Fridge","out_of_range":0,"unmonitored":0,"probe_ok":1,"flagged_batches":0,"time_unix_ms":%d%s}`, ms, more)
	}
	for _, c := range []struct{ filter, topic, payload, want string }{
		{"coldkeep/+/+/unit/+/state", "coldkeep/s/n/unit/fridge-1/state", base(young, ""), "Fridge: in range"},
		{"coldkeep/+/+/unit/+/state", "coldkeep/s/n/unit/fridge-1/state", base(old, ""), "Fridge: NO DATA for"},
		{"coldkeep/+/+/unit/+/state", "coldkeep/s/n/unit/fridge-1/state", base(young, `,"out_of_range":1,"alarm_state":"raised"`), "Fridge: OUT OF RANGE, alarm raised"},
		{"coldkeep/+/+/unit/+/state", "coldkeep/s/n/unit/fridge-1/state", base(young, `,"unmonitored":1`), "Fridge: UNMONITORED"},
		{"coldkeep/+/+/unit/+/state", "coldkeep/s/n/unit/fridge-1/state", base(young, `,"flagged_batches":2`), "Fridge: in range, 2 batches flagged: ask before use"},
		{"coldkeep/+/+/status", "coldkeep/s/n/status", `"online"`, "n is watching"},
		{"coldkeep/+/+/status", "coldkeep/s/n/status", `"offline"`, "n IS NOT WATCHING"},
		{"coldkeep/+/+/unit/+/alarm", "coldkeep/s/n/unit/fridge-1/alarm", `{"event_type":"acknowledged","by":"Anna Example","reason":"on my way"}`, "fridge-1: alarm acknowledged by Anna Example, on my way"},
	} {
		f := functions[byTopic[c.filter]]
		if f == "" {
			t.Fatalf("no function takes %s", c.filter)
		}
		script := fmt.Sprintf("const f = new Function('msg', Buffer.from('%s', 'base64').toString());\nprocess.stdout.write(f({topic: %q, payload: %s}).payload);", base64.StdEncoding.EncodeToString([]byte(f)), c.topic, c.payload)
		out, err := exec.CommandContext(t.Context(), node, "-e", script).CombinedOutput()
		if err != nil || !strings.HasPrefix(string(out), c.want) {
			t.Errorf("%s %s: %v %q, want %q", c.topic, c.payload, err, out, c.want)
		}
	}
}

// The panels of Grafana's MQTT source ask for topics that are published, and
// show fields that are there, as numbers where they are drawn.
func TestTheGrafanaPanels(t *testing.T) {
	type source struct{ Type, UID string }
	var d struct {
		Inputs []struct{ Name, PluginID string } `json:"__inputs"`
		UID    string
		Title  string
		Panels []struct {
			ID          int
			Type, Title string
			Datasource  source
			Targets     []struct {
				RefID, Topic string
				Datasource   source
			}
			Transformations []struct {
				ID      string
				Options struct{ Include struct{ Names []string } }
			}
			GridPos struct{ H, W, X, Y int }
		}
	}
	if err := json.Unmarshal([]byte(snippet(t, "grafana-mqtt/dashboard.json")), &d); err != nil {
		t.Fatal(err)
	}
	if len(d.Inputs) != 1 || d.Inputs[0].PluginID != "grafana-mqtt-datasource" || d.UID == "" || d.Title == "" {
		t.Errorf("inputs %+v", d.Inputs)
	}
	ids := map[int]bool{}
	for _, p := range d.Panels {
		if ids[p.ID] || p.Title == "" || p.GridPos.X+p.GridPos.W > 24 || p.GridPos.H == 0 {
			t.Errorf("panel %d %q: %+v", p.ID, p.Title, p.GridPos)
		}
		ids[p.ID] = true
		if len(p.Targets) != 1 {
			t.Fatalf("panel %q has %d targets", p.Title, len(p.Targets))
		}
		topic := p.Targets[0].Topic
		if p.Datasource != (source{"grafana-mqtt-datasource", "${" + d.Inputs[0].Name + "}"}) || p.Targets[0].Datasource != p.Datasource {
			t.Errorf("panel %q: source %+v", p.Title, p.Datasource)
		}
		if strings.ContainsAny(topic, "+#") || !slices.ContainsFunc(everything(t), func(m message) bool { return m.topic == topic }) {
			t.Errorf("panel %q: nothing is published on %s", p.Title, topic)
		}
		for _, x := range p.Transformations {
			for _, name := range x.Options.Include.Names {
				if name == "Time" {
					continue // the data source's own
				}
				found := false
				for _, payload := range under(t, topic) {
					v, there := payload[name]
					_, number := v.(float64)
					found = found || there && (number || p.Type == "table")
				}
				if !found {
					t.Errorf("panel %q: %s has no %s of a kind that can be shown", p.Title, topic, name)
				}
			}
		}
	}
}

// An access list as Mosquitto reads it.
type accessList map[string][]struct{ right, topic string }

func readAccess(t *testing.T) accessList {
	t.Helper()
	list, user := accessList{}, ""
	for line := range strings.Lines(snippet(t, "mosquitto/coldkeep.acl")) {
		f := strings.Fields(line)
		switch {
		case len(f) == 0 || strings.HasPrefix(f[0], "#"):
		case len(f) == 2 && f[0] == "user":
			user = f[1]
		case len(f) == 3 && f[0] == "topic" && slices.Contains([]string{"read", "write", "readwrite"}, f[1]) && user != "":
			list[user] = append(list[user], struct{ right, topic string }{f[1], f[2]})
		default:
			t.Errorf("the access list has a line that grants nothing to anybody: %q", line)
		}
	}
	return list
}

func (a accessList) may(user, right, topic string) bool {
	for _, x := range a[user] {
		if strings.Contains(x.right, right) && matches(x.topic, topic) {
			return true
		}
	}
	return false
}

// The access list grants a device all that it publishes and asks for, and
// nothing of another's; a reader publishes nothing. With the real Mosquitto it
// is tried in the system tests.
func TestTheAccessList(t *testing.T) {
	a := readAccess(t)
	const device = "clinic-a-pi-1"
	for _, m := range everything(t) {
		if strings.Contains(m.topic, "Freezer-1/config") {
			continue // a line for each unit: the example has one
		}
		if !a.may(device, "write", m.topic) {
			t.Errorf("the device may not publish on %s", m.topic)
		}
		if a.may("clinic-a-pi-2", "write", m.topic) || a.may("reader", "write", m.topic) {
			t.Errorf("another may publish on %s", m.topic)
		}
		if !strings.HasPrefix(m.topic, "homeassistant/") && !a.may("reader", "read", m.topic) {
			t.Errorf("the reader may not read %s", m.topic)
		}
	}
	s := clinic()
	o := Options{Discovery: true, DiscoveryPrefix: "homeassistant"}
	for _, filter := range append(topicsOf(s).kept(o), topicsOf(s).command("+"), topicsOf(s).peer("pi-2"), "homeassistant/status") {
		if !a.may(device, "read", strings.ReplaceAll(filter, "+", "x")) {
			t.Errorf("the device may not read %s", filter)
		}
	}
	if !a.may("corridor", "write", topicsOf(s).command("ack")) || a.may("corridor", "write", topicsOf(s).unit("fridge-1")) || a.may("reader", "write", topicsOf(s).command("ack")) {
		t.Error("who may answer alarms")
	}
	conf := snippet(t, "mosquitto/mosquitto.conf")
	for _, want := range []string{"\nallow_anonymous false\n", "\nacl_file /etc/mosquitto/" + path.Base("coldkeep.acl") + "\n", "\nlistener 8883\n"} {
		if !strings.Contains(conf, want) {
			t.Errorf("mosquitto.conf lacks %q", want)
		}
	}
}
