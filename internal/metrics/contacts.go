package metrics

import (
	"coldkeep/internal/coldchain"
	"coldkeep/sensor"
)

// contacts tells of doors, mains and alarm contacts. How one stands is there
// only while it is known; what was counted stays.
func contacts(s *coldchain.Snapshot, set, count func(*metric, float64, ...string)) {
	for i := range s.Contacts {
		c := &s.Contacts[i]
		if c.State == coldchain.ContactUnknown {
			continue
		}
		set(contactOn, truth(c.On), c.ID, string(c.Kind))
		if c.Kind == sensor.Mains {
			set(mainsLost, truth(c.On), c.ID)
		}
	}
	for i := range s.Units {
		u := &s.Units[i]
		if u.DoorOpen != nil {
			set(doorOpen, truth(*u.DoorOpen), u.ID)
		}
		n, secs, there := doors(s, u.ID)
		if there {
			count(doorCount, n, u.ID)
			count(doorTime, secs, u.ID)
		}
	}
}

// doors counts those of a unit together.
func doors(s *coldchain.Snapshot, unit string) (n, secs float64, there bool) {
	for i := range s.Contacts {
		if c := &s.Contacts[i]; c.Kind == sensor.Door && c.Of(unit) {
			n, secs, there = n+float64(c.Count), secs+c.OnS, true
		}
	}
	return n, secs, there
}
