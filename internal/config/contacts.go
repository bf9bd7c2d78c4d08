package config

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"coldkeep/sensor"
)

// afterDefault is how long a contact may be as it should not before it is an alarm.
var afterDefault = map[sensor.ContactKind]time.Duration{sensor.Door: 3 * time.Minute, sensor.Mains: time.Minute, sensor.Relay: 0}

var pinForm = regexp.MustCompile(`^[A-Za-z][-_.A-Za-z0-9]*$`)

const (
	debounceLeast, debounceMost = 10 * time.Millisecond, 10 * time.Second
	standMost                   = 24 * time.Hour
)

// contacts reads them when the units and the channels are known.
func (p *reader) contacts(v value) {
	pins := map[string]string{} // and what else they are for
	for _, c := range p.channels {
		for _, pin := range []string{c.Buzzer, c.Light, c.Button} {
			if pin != "" {
				pins[strings.ToLower(pin)] = "the channel " + c.ID
			}
		}
	}
	for _, x := range v.items() {
		p.onPin(x, pins)
	}
}

func (p *reader) onPin(v value, pins map[string]string) {
	f := v.fields("id", "kind", "pin", "unit", "units", "normally", "debounce", "after")
	c := sensor.Contact{ID: f["id"].id(v), Pin: f["pin"].str("")}
	if !f["kind"].there() {
		v.bad("the contact's kind is missing: door, mains or alarm")
		return
	}
	c.Kind = sensor.ContactKind(f["kind"].oneOf("", string(sensor.Door), string(sensor.Mains), string(sensor.Relay)))
	if c.Kind == "" {
		return
	}
	p.contactUnits(f, v, &c)
	switch other, taken := pins[strings.ToLower(c.Pin)]; {
	case !f["pin"].there():
		v.bad("the contact's pin is missing: `pin: GPIO17`")
	case !pinForm.MatchString(c.Pin):
		f["pin"].bad("%q is no pin; the kernel's name of one is, as in GPIO17", c.Pin)
	case taken:
		f["pin"].bad("%s uses pin %s already; each needs one of its own", other, c.Pin)
	default:
		pins[strings.ToLower(c.Pin)] = "the contact " + c.ID
	}
	if c.Open = f["normally"].oneOf("closed", "closed", "open") == "open"; c.Open {
		p.warn(f["normally"], "a wire that is cut or unplugged is not seen by a contact that is open while all is well: wire it closed where you can")
	}
	if c.Debounce = f["debounce"].spanOr(sensor.DefaultDebounce); c.Debounce < debounceLeast || c.Debounce > debounceMost {
		f["debounce"].bad("%s; from 10ms to 10s can be, 200ms is usual", c.Debounce)
	}
	if c.After = f["after"].spanOr(afterDefault[c.Kind]); c.After > standMost {
		f["after"].bad("%s; a day is the most", c.After)
	}
	if p.unique("contact", c.ID, f["id"]) {
		p.cfg.Contacts = append(p.cfg.Contacts, c)
	}
}

// contactUnits finds whose door, mains or alarm it is.
func (p *reader) contactUnits(f map[string]value, v value, c *sensor.Contact) {
	list := f["units"].items()
	switch {
	case f["unit"].there() && f["units"].there():
		f["unit"].bad("`unit` and `units` are the same; one of them is enough")
		return
	case f["unit"].there():
		list = []value{f["unit"]}
	case f["units"].there() && len(list) == 0:
		f["units"].bad("no unit is listed; leave the key out where it is the whole site's mains")
	case !f["units"].there() && c.Kind != sensor.Mains:
		v.bad("whose %s is it? `unit: ID`", c.Kind)
	}
	for _, x := range list {
		id := x.str("")
		known := false
		for _, u := range p.cfg.Units {
			if strings.EqualFold(u.ID, id) {
				id, known = u.ID, true
			}
		}
		switch {
		case !known:
			x.bad("no unit %q is listed under `units:`", id)
		case slices.Contains(c.Units, id):
			x.bad("the unit %s stands here twice", id)
		default:
			c.Units = append(c.Units, id)
		}
	}
}
