package mqtt

import (
	"time"

	"coldkeep/internal/coldchain"
	"coldkeep/sensor"
)

// birthTime is the longest that Home Assistant waits, after it has started,
// until it is told everything again.
const birthTime = 10 * time.Second

// device is a unit's name in Home Assistant; of "" what all of ours begin with.
func (t topics) device(unit string) string {
	return "coldkeep_" + t.s.Site.ID + "_" + t.s.Node + "_" + unit
}

func discoveryTopic(prefix, device string) string { return prefix + "/device/" + device + "/config" }

// discovery describes a unit to Home Assistant as one device.
//
// The temperature is not available while the newest reading is bad or old. The
// others are there as long as the daemon is: an excursion whose data are lost
// goes on, and a probe that is gone must be seen to be. No display precision
// is suggested: 8.03 would be shown as 8.0, which is inside.
func (t topics) discovery(u *coldchain.UnitState, o Options) []byte {
	id := t.device(u.ID)
	name := u.Name
	if name == "" {
		name = u.ID
	}
	daemon := fields{"t": t.status()}
	part := func(platform, key, name string, more fields) fields {
		f := fields{"p": platform, "uniq_id": id + "_" + key, "name": name}
		for k, v := range more {
			f[k] = v
		}
		return f
	}
	temperature := part("sensor", "temperature", "Temperature", fields{"dev_cla": "temperature", "unit_of_meas": "°C", "stat_cla": "measurement",
		"avty": []fields{daemon, {"t": t.unitAvailability(u.ID)}}, "avty_mode": "all", "val_tpl": "{{ value_json.temperature_celsius | default('None') }}"})
	if o.Interval > 0 {
		// Also where the broker itself lost our last will.
		temperature["exp_aft"] = max(60, int((3*o.Interval+time.Second-1)/time.Second))
	}
	device := fields{"ids": []string{id}, "name": name, "mf": "coldkeep", "mdl": "Cold storage unit", "sa": t.s.Site.Name}
	if t.s.Site.Name == "" {
		device["sa"] = t.s.Site.ID
	}
	origin := fields{"name": "coldkeep"}
	if v := t.s.Version; v != "" {
		device["sw"], origin["sw"] = v, v
	}
	parts := fields{
		"temperature": temperature,
		"out_of_range": part("binary_sensor", "out_of_range", "Out of range", fields{"dev_cla": "problem",
			"val_tpl": "{{ 'ON' if value_json.out_of_range else 'None' if value_json.unmonitored else 'OFF' }}"}), // what is not known is not in range
		"probe": part("binary_sensor", "probe", "Probe", fields{"dev_cla": "connectivity", "ent_cat": "diagnostic",
			"val_tpl": "{{ 'ON' if value_json.probe_ok else 'OFF' }}"}),
		"flagged_batches": part("sensor", "flagged_batches", "Flagged batches", fields{"stat_cla": "measurement", "val_tpl": "{{ value_json.flagged_batches }}"}),
		"alarm":           part("event", "alarm", "Alarm", fields{"stat_t": t.unitAlarm(u.ID), "evt_typ": []string{"raised", "acknowledged", "lapsed", "shelved", "unshelved", "cleared"}}),
	}
	if t.s.HasContact(sensor.Door, u.ID) {
		parts["door"] = part("binary_sensor", "door", "Door", fields{"dev_cla": "door",
			"val_tpl": "{{ 'None' if value_json.door_open is not defined else 'ON' if value_json.door_open else 'OFF' }}"})
	}
	if t.s.HasContact(sensor.Mains, u.ID) {
		parts["mains"] = part("binary_sensor", "mains", "Mains", fields{"dev_cla": "power",
			"val_tpl": "{{ 'None' if value_json.mains_lost is not defined else 'OFF' if value_json.mains_lost else 'ON' }}"})
	}
	f := fields{"dev": device, "o": origin, "avty": []fields{daemon}, "stat_t": t.unit(u.ID), "qos": 1, "cmps": parts}
	return f.json()
}
