package web

import (
	"net/http"
	"time"

	"coldkeep/internal/coldchain"
	"coldkeep/sensor"
)

// contactView is a contact as the API tells it.
type contactView struct {
	ID         string             `json:"id"`
	Kind       sensor.ContactKind `json:"kind"`
	Pin        string             `json:"pin"`
	Units      []string           `json:"units"` // none: the whole site's
	State      string             `json:"state"` // open, closed, lost, present, raised, quiet, unknown
	On         *bool              `json:"on"`    // null: nothing is known of it
	Since      *sensor.Instant    `json:"since"`
	ForS       *float64           `json:"for_s"`
	Fault      sensor.Fault       `json:"fault,omitempty"`
	Sentence   string             `json:"fault_text,omitempty"`
	TodayCount int                `json:"today_count"` // how often it came on since the site's midnight
	TodayS     float64            `json:"today_s"`
}

func viewContact(c *coldchain.ContactState, now sensor.Instant) contactView {
	v := contactView{ID: c.ID, Kind: c.Kind, Pin: c.Pin, Units: c.Units, State: c.State, Fault: c.Fault, Sentence: c.Sentence(c.Fault), TodayCount: c.TodayCount, TodayS: c.TodayS}
	if v.Units == nil {
		v.Units = []string{}
	}
	if c.Since != 0 {
		since, secs := c.Since, max(now.Sub(c.Since), 0).Seconds()
		v.Since, v.ForS = &since, &secs
	}
	if c.State != coldchain.ContactUnknown {
		on := c.On
		v.On = &on
	}
	return v
}

func (s *Server) contacts(w http.ResponseWriter, _ *http.Request) {
	snap, now := s.m.Snapshot(), sensor.At(time.Now())
	list := []contactView{}
	for i := range snap.Contacts {
		list = append(list, viewContact(&snap.Contacts[i], now))
	}
	answer(w, map[string]any{"record": snap.Record, "at": snap.At, "contacts": list})
}

// contactWords tell what a person at a unit must know of its mains, its own
// alarm and its door. What is well is not told; what is not known is.
func contactWords(snap *coldchain.Snapshot, unit string, r coldchain.Reader, now sensor.Instant) (list []string) {
	if on, since := snap.ContactOn(sensor.Mains, unit); on != nil && *on {
		list = append(list, "✕ mains lost since "+r.Clock(since))
	}
	if on, since := snap.ContactOn(sensor.Relay, unit); on != nil && *on {
		list = append(list, "✕ its own alarm since "+r.Clock(since))
	}
	if on, since := snap.ContactOn(sensor.Door, unit); on != nil && *on {
		list = append(list, "? door open for "+coldchain.Span(now.Sub(since).Seconds()))
	}
	for i := range snap.Contacts {
		if c := &snap.Contacts[i]; c.State == coldchain.ContactUnknown && c.Of(unit) {
			list = append(list, "… "+map[sensor.ContactKind]string{sensor.Door: "door", sensor.Mains: "mains", sensor.Relay: "its own alarm"}[c.Kind]+" not known: "+c.Sentence(c.Fault))
		}
	}
	return list
}
