package coldchain

import (
	"slices"

	"coldkeep/sensor"
)

// ContactUnknown is the state of a contact of which nothing is known; the
// others are the words of its kind.
const ContactUnknown = "unknown"

// Of says whether the contact tells of a unit. Mains without units are the
// whole site's.
func (c *ContactState) Of(unit string) bool {
	return slices.Contains(c.Units, unit) || c.Kind == sensor.Mains && len(c.Units) == 0
}

// ContactOn says of all contacts of a kind at a unit whether one is on: nil
// where the unit has none, or where one is not known and no other is on. since
// is when the first that is on came on.
func (s *Snapshot) ContactOn(kind sensor.ContactKind, unit string) (on *bool, since sensor.Instant) {
	some, dark, is := false, false, false
	for i := range s.Contacts {
		c := &s.Contacts[i]
		if c.Kind != kind || !c.Of(unit) {
			continue
		}
		some = true
		switch {
		case c.State == ContactUnknown:
			dark = true
		case c.On && (!is || c.Since < since):
			is, since = true, c.Since
		}
	}
	if !some || dark && !is {
		return nil, 0
	}
	return &is, since
}

// HasContact says whether the unit has a contact of a kind.
func (s *Snapshot) HasContact(kind sensor.ContactKind, unit string) bool {
	return slices.ContainsFunc(s.Contacts, func(c ContactState) bool { return c.Kind == kind && c.Of(unit) })
}
