// Command schema writes configs/schema.json, by which editors know the
// operator's file: run it with `go generate ./internal/config`. It is no part
// of coldkeep. The parser is stricter than any schema: `coldkeep check` has the
// last word.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"

	"coldkeep/sensor"
)

type schema map[string]any

func text(about string) schema { return schema{"type": "string", "description": about} }
func number(about string) schema {
	return schema{"type": "number", "description": about}
}
func truth(about string) schema { return schema{"type": "boolean", "description": about} }
func span(about string) schema {
	return schema{"type": "string", "pattern": `^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h|d))+$`, "description": about + " A span of time: 90s, 15m, 2h, 7d."}
}
func id(about string) schema {
	return schema{"type": "string", "pattern": "^[A-Za-z0-9-]+$", "description": about}
}
func choice(about string, of ...string) schema {
	return schema{"enum": of, "description": about}
}
func list(of schema, about string) schema {
	return schema{"type": "array", "items": of, "description": about}
}

// object has the properties given, no others, and needs those in required.
func object(about string, properties schema, required ...string) schema {
	s := schema{"type": "object", "additionalProperties": false, "properties": properties, "description": about}
	if len(required) > 0 {
		s["required"] = required
	}
	return s
}

func limits(about string) schema {
	return object(about, schema{"low": number("°C, itself inside"), "high": number("°C, itself inside")}, "low", "high")
}

func chipNames() (names []string) {
	for _, c := range sensor.Chips() {
		names = append(names, c.Name)
	}
	return names
}

func file() schema {
	alarm := object("An alarm of the unit: above or below with `for`, or with `total` and `within`; or no_data.", schema{
		"id": id("Its name within the unit."), "above": number("°C: beyond is strictly above."), "below": number("°C: beyond is strictly below."), "inclusive": truth("At the limit is beyond, too."),
		"for": span("Raised after this long in one stretch; 0s: at the first reading."), "total": span("Raised after this long in all within `within`."), "within": span("The window of `total`."),
		"no_data": span("Raised when more than this has passed since the last good reading."), "severity": choice("Critical gets a person out of bed.", "critical", "warning"),
		"clear": object("When it is cleared, instead of at the end of the stretch.", schema{"at": number("°C"), "for": span("So long at or inside.")}, "at", "for"),
	}, "id")
	rule := object("Breaking a rule quarantines the batch.", schema{
		"id": id("Its name within the profile."), "above": number("°C: beyond is strictly above."), "below": number("°C: beyond is strictly below."), "inclusive": truth("At the limit is beyond, too."),
		"for": span("So long in one stretch; 0s: at the first reading."), "total": span("So long in all, over the whole life or within `within`."), "within": span("A window that ends at each instant."),
		"unmonitored": truth("The rule is about time without data."), "mkt_above": number("°C: highest mean kinetic temperature within `within`."),
		"freeze_thaw": schema{"type": "integer", "minimum": 0, "description": "How many freeze–thaw cycles are allowed; needs thaw_above in the profile."}, "stage": choice("The rule holds in this stage alone.", "storage", "transport", "in_use"),
	}, "id")
	s := object("The operator's file of coldkeep.", schema{
		"site":     object("Where this is.", schema{"id": id("In topics and messages."), "name": text("As people call it."), "timezone": text("In which pages and messages tell the time: Europe/London.")}),
		"node":     id("This machine; default: its host name."),
		"storage":  object("The record.", schema{"dir": text("The data directory.")}),
		"sampling": object("How often the probes are read.", schema{"interval": span("Between sweeps; default 10s.")}),
		"ask":      object("Whom pages and messages send people to.", schema{"name": text("Who, as a role: the clinic manager."), "phone": text("As it is dialled.")}),
		"probes": list(object("A sensor at one place.", schema{
			"id": id("Its place; a new instrument behind it keeps it."), "chip": choice("What is read.", chipNames()...), "bus": text("onewire-N, i2c-N, spi-B.C, or any name of periph."),
			"address": schema{"type": []string{"string", "integer"}, "description": "28-00000c8cf9b1 as the kernel writes it, or 0x18; none on SPI."},
			"mux":     text("Behind this port of a PCA9548 on the bus: 0x70/3."), "bridge": schema{"type": []string{"string", "integer"}, "description": "A one-wire chip behind the DS2482-100 at this address of an I²C bus: 0x18."},
			"element": choice("max31865: the resistor; max31856: the thermocouple.", slices.Concat(sensor.Elements("max31865"), sensor.Elements("max31856"))...),
			"wires":   schema{"enum": []int{2, 3, 4}, "description": "max31865: leads of the resistor; default 4."}, "reference": number("max31865: its reference resistor, Ω; default 430 with a pt100, 4300 with a pt1000."),
			"mains": schema{"enum": []int{50, 60}, "description": "max31865, max31856: whose hum is filtered, Hz; default 50."}, "input": schema{"enum": []int{0, 1, 2, 3}, "description": "ads1115: A0 to A3."},
			"series": number("ads1115: the fixed resistor from the supply to the thermistor, Ω."), "supply": number("ads1115: across both, V."), "r25": number("ads1115: the thermistor at 25 °C, Ω."), "beta": number("ads1115: its β, K."),
			"a": number("ads1115: Steinhart–Hart's first, with R in Ω."), "b": number("ads1115: its second."), "c": number("ads1115: its third."),
			"range": limits("What the probe can show at its place; outside it is a fault. Default: as far as the chip measures."), "slope": number("°C per minute: a faster change is a fault until it comes twice; default 20 buffered, 200 in air."),
			"frozen": span("The very same value for this long is a fault; default 6h for fine chips, 24h for coarse ones."), "tolerance": number("°C: how far another judging probe of the unit may be from it; default 2."),
			"position": text("Where in the unit it is."), "photo": text("A file that shows it."), "mapping": text("The report of the temperature mapping."), "mapping_due": text("When the next mapping is due, 2028-05-01."),
			"medium": choice("What it measures in.", "buffered", "air", "ambient"), "judges": truth("Whether it judges; default: the buffered ones, else those in air."),
			"calibration": object("From its certificate.", schema{"due": text("When it is due again, 2027-05-01."), "certificate": text("Its number."),
				"points":      list(object("What it reads, and what is.", schema{"reads": number("°C"), "is": number("°C")}, "reads", "is"), "At most five, rising."),
				"uncertainty": number("°C, half-width.")}),
		}, "id", "medium"), "The probes."),
		"units": list(object("A storage unit.", schema{"id": id("In topics and commands."), "name": text("As people call it."), "range": limits("What it should hold."),
			"max_gap": span("How long a reading stands at most; default three intervals, at least 2m."), "probes": list(text("The id of a probe."), "Its probes."), "guard": number("°C by which the limits of its alarms are moved inwards, for what its probes cannot tell; default 0."),
			"transport": truth("It carries batches to or from the site."), "capacity": object("What it has room for, in vials or in boxes; a batch is a box.", schema{"vials": schema{"type": "integer"}, "boxes": schema{"type": "integer"}}),
			"count_every": span("How often all that is in it is to be counted; default 31d, 0s never."),
			"alarms":      list(alarm, "Its alarms; `silent` is there by itself.")}, "id", "range", "probes"), "The storage units."),
		"contacts": list(object("A contact on a pin, wired to ground and closed while all is well.", schema{"id": id("In events and metrics."), "kind": choice("What it tells of: a door, the mains, the alarm contact of a unit's own thermostat.", "door", "mains", "alarm"),
			"pin": text("As the kernel names it: GPIO17."), "unit": text("The id of the unit whose it is."), "units": list(text("The id of a unit."), "Where it is of several; mains without any are the whole site's."),
			"normally": choice("How it is while all is well; default closed, so that a cut wire is seen.", "closed", "open"), "debounce": span("A state counts once it has stood this long; default 200ms."),
			"after": span("An alarm after this long; default 3m for a door, 1m for the mains, 0s for an alarm contact.")}, "id", "kind", "pin"), "The contacts."),
		"profiles": list(object("The storage conditions on a label.", schema{"id": id("In commands."), "title": text("For people."), "source": text("Where the limits come from."),
			"range": limits("On the label."), "confirm": span("How long an excursion takes to be confirmed; default 0s."),
			"outside":     object("Time out of every unit.", schema{"as": number("Judged as this, °C; default 25."), "grace": span("Confirmed after this; default 10m.")}),
			"unmonitored": span("This long without data quarantines; default 30m."), "delta_h": number("kJ/mol, for the mean kinetic temperature; default 83.144."),
			"guard":      number("°C by which the range's ends and the rules' limits are moved inwards for batches; default 0."),
			"thaw_above": number("°C: it thaws above; from then on freeze–thaw cycles are counted."), "thaw_for": span("A buffered probe so long above, and back, is a cycle; default 10m."), "thaw_outside": span("Longer outside is perhaps a cycle; default 2m."),
			"in_use": span("How long it may be used once it is opened or mixed."), "stages": object("Ranges of stages that have their own.", schema{"transport": limits("On the way, in a unit with `transport: true`."), "in_use": limits("Once it is opened or mixed.")}),
			"signatures": schema{"enum": []int{1, 2}, "description": "By how many different people a quarantined batch is decided on; default 1."},
			"demands":    list(choice("A kind of paper.", "origin", "certificate", "laboratory", "label", "logger", "decision", "other"), "Papers without which it is not for use."),
			"rules":      list(rule, "Without any, a confirmed excursion quarantines.")}, "id", "source", "range"), "The profiles."),
		"products": list(object("Goods that are received by a scan of their supplier's code.", schema{"gtin": text("As it stands beneath the code, in quotes."), "profile": text("The id of the profile on their label.")}, "gtin", "profile"), "Which profile holds for which GTIN."),
		"mqtt": object("Where to publish.", schema{"broker": text("tcp://HOST:1883, ssl://HOST:8883, ws://HOST:PORT/PATH or wss://HOST:PORT/PATH."), "client_id": text("One per daemon; default coldkeep-NODE."), "username": text("Or none."),
			"password_file": text("A file that holds it; a bare name is a systemd credential."), "ca_file": text("Who signs the broker's certificate, PEM; default: whom the system trusts."),
			"cert_file": text("Our own certificate, PEM."), "key_file": text("Its key, PEM; a bare name is a systemd credential."),
			"catch_up": number("Messages of a backlog in a second; default 500, 0 sets no limit."), "discovery": truth("Tell Home Assistant of the units. Default false."), "discovery_prefix": text("Where it looks; default homeassistant."),
			"commands": truth("Take answers to alarms from the broker: whoever may publish there may answer. Default false."),
			"peers":    list(id("A node."), "The site's other daemons, which this one watches.")}),
		"web": object("Pages and metrics.", schema{"listen": text("HOST:PORT; default :8080."), "command_token_file": text("A file that holds a token of 16 characters or more: with it the page takes answers, and commands are taken over TCP."),
			"config_file": text("TLS and passwords for TCP, as all of Prometheus' exporters take them (tls_server_config, basic_auth_users)."), "url": text("How others reach the pages, for what is printed: http://pi.local:8080.")}),
		"notify":          list(channel(), "The channels. One that no person uses is told of everything, and answers for nobody."),
		"people":          list(person(), "Who can be called."),
		"rotas":           list(rota(), "Who is on call when, by the clock at the site."),
		"policies":        list(policy(), "Who is called for what, the first that fits; without any everyone is called at once, every 5 min."),
		"wakes":           wakes(),
		"working_hours":   hours("When people are told of what can wait; default Mon–Fri 08:00–18:00."),
		"untracked_stock": truth("Units without batches hold stock, too, and wake people; default false."),
		"worsens":         number("So many °C worse than when somebody took it, and people are called again; default 2."),
		"drill": object("A test of the way to the phones that comes by itself; without it there is none.", schema{"every": choice("How often.", "monthly", "weekly"), "day": schema{"type": []string{"integer", "string"}, "description": "1 to 28, or mon to sun; default 1."},
			"at": clock("When; default 10:00."), "within": span("So long to answer; default 10m.")}, "every"),
		"heartbeat": object("A service that is told every minute that all is well, and calls you when it hears nothing.", schema{"url_file": text("A file that holds the URL, and that others may not read.")}, "url_file"),
		"language":  text("Of messages: en (default), de, or one of `words`."),
		"words":     text("A file with the clinic's own words for messages, or those of another language."),
	}, "probes", "units")
	s["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	s["title"] = "coldkeep"
	return s
}

func main() {
	b, err := json.MarshalIndent(file(), "", "  ")
	if err == nil {
		err = os.WriteFile(os.Args[1], append(b, '\n'), 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "write schema:", err)
		os.Exit(1)
	}
}
