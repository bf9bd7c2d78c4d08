package coldchain

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"coldkeep/sensor"
)

// The past of a probe: a stay ends where anything about it changes, one that
// is as it was goes on, and who leaves the config and comes back has a gap.
func TestPastOfProbes(t *testing.T) {
	until := sensor.Instant(9000)
	at := func(t sensor.Instant) *sensor.Instant { return &t }
	a := UnitProbe{ID: "a", Instrument: "ds18b20 w 28-1", Judges: true, Medium: sensor.Buffered, CalibratedUntil: until, Calibration: sensor.Calibration{Due: "2026-05-31", Certificate: "c1", Uncertainty: 100}}
	b := UnitProbe{ID: "b", Instrument: "tmp117 i2c-1 0x48", Medium: sensor.Air}
	moved := a
	moved.Position.Text = "door"
	other := a
	other.Instrument = "ds18b20 w 28-2"
	config := func(t sensor.Instant, units map[string][]UnitProbe) Event {
		c := &Config{}
		for _, id := range []string{"f1", "f2"} {
			if p := units[id]; p != nil {
				c.Units = append(c.Units, Unit{ID: id, Probes: p})
			}
		}
		return Event{Time: t, Kind: ConfigChanged, Config: c}
	}
	check := func(t sensor.Instant, instrument string, found sensor.Temp) Event {
		return Event{Time: t, Kind: ProbeChecked, Probe: "a", By: "Anna Example", Check: &Check{Found: found, Instrument: instrument, Good: found < 500}}
	}
	list := PastOf([]Event{
		config(1000, map[string][]UnitProbe{"f1": {b, a}}),
		check(1500, a.Instrument, 100),
		config(2000, map[string][]UnitProbe{"f1": {a}}),        // b leaves, a is as it was
		config(3000, map[string][]UnitProbe{"f1": {moved}}),    // another place
		config(4000, map[string][]UnitProbe{"f2": {moved, b}}), // another unit; b comes back
		check(4500, a.Instrument, 700),
		{Time: 4600, Kind: ProbeTakenOut, Probe: "a", Start: 4600, End: at(4700), Purpose: "which", By: "Anna Example"},
		config(5000, map[string][]UnitProbe{"f2": {other}}), // another instrument
	})
	stay := ProbeStay{Unit: "f1", From: 1000, To: at(3000), Instrument: a.Instrument, Judges: true, Medium: sensor.Buffered, Certificate: "c1", CalibrationDue: "2026-05-31", CalibratedUntil: &until, Uncertainty: 100}
	second, third, fourth := stay, stay, stay
	second.From, second.To, second.Position = 3000, at(4000), "door"
	third.Unit, third.From, third.To, third.Position = "f2", 4000, at(5000), "door"
	fourth.Unit, fourth.From, fourth.To, fourth.Instrument = "f2", 5000, nil, other.Instrument
	if len(list) != 2 || list[0].ID != "a" || list[1].ID != "b" {
		t.Fatalf("%+v", list)
	}
	if diff := cmp.Diff([]ProbeStay{stay, second, third, fourth}, list[0].Stays); diff != "" {
		t.Error(diff)
	}
	if b := list[1].Stays; len(b) != 2 || *b[0].To != 2000 || b[1].From != 4000 || *b[1].To != 5000 || list[1].Now() != nil {
		t.Errorf("%+v", b)
	}
	if c := list[0].Checks; len(c) != 2 || c[1].Found != 700 || list[0].LastCheck() != nil {
		t.Errorf("%+v; the instrument that stands there now was never checked", c)
	}
	if o := list[0].Out; o == nil || o.Purpose != "which" || o.Until != 4700 {
		t.Errorf("%+v", o)
	}
	if now := ProbesNow(list); len(now) != 1 || now[0].ID != "a" || now[0].Chip != "ds18b20" || now[0].Unit != "f2" || now[0].LastCheck != nil {
		t.Errorf("%+v", now)
	}
	if list := PastOf(nil); len(list) != 0 {
		t.Errorf("%+v", list)
	}
}
