package coldchain

import (
	"reflect"
	"slices"
	"strings"

	"coldkeep/sensor"
)

// ProbeKinds are the kinds of events that the past of probes is made of.
var ProbeKinds = []Kind{ConfigChanged, ProbeTakenOut, ProbePutBack, ProbeChecked}

// A ProbePast is what became of a probe, as the journal tells.
type ProbePast struct {
	ID     string      `json:"id"`
	Stays  []ProbeStay `json:"instruments"` // in order of time
	Checks []CheckMade `json:"checks"`      // likewise, of every instrument that stood there
	Out    *ProbeCheck `json:"check"`       // it is under check, or out; nil: it is in its place
}

// A ProbeStay is an instrument in a unit for as long as nothing was changed
// about it: [From, To).
type ProbeStay struct {
	Unit            string                    `json:"unit"`
	From            sensor.Instant            `json:"from"`
	To              *sensor.Instant           `json:"to"` // nil: it is so now
	Instrument      string                    `json:"instrument"`
	Judges          bool                      `json:"judges"`
	Medium          sensor.Medium             `json:"medium"`
	Certificate     string                    `json:"certificate,omitempty"`
	CalibrationDue  string                    `json:"calibration_due,omitempty"` // the last day on which it is valid
	CalibratedUntil *sensor.Instant           `json:"calibrated_until"`          // nil: none is stated
	Points          []sensor.CalibrationPoint `json:"-"`
	Uncertainty     sensor.Temp               `json:"uncertainty_c,omitzero"` // a half-width; left out where none is stated
	Position        string                    `json:"position,omitempty"`
	Photo           string                    `json:"photo,omitempty"`
	Mapping         string                    `json:"mapping,omitempty"`
	MappingDue      string                    `json:"mapping_due,omitempty"`
}

// A CheckMade is a check with who made it.
type CheckMade struct {
	Time   sensor.Instant `json:"time"`
	Probe  string         `json:"probe"` // as it was called then
	By     string         `json:"by"`
	Reason string         `json:"reason,omitempty"`
	Check
}

// Now is how the probe stands at present; nil where the config names it no more.
func (p *ProbePast) Now() *ProbeStay {
	if n := len(p.Stays); n > 0 && p.Stays[n-1].To == nil {
		return &p.Stays[n-1]
	}
	return nil
}

// LastCheck is the newest check of the instrument that stands there now; nil
// where there was none.
func (p *ProbePast) LastCheck() *CheckMade {
	now := p.Now()
	for i := len(p.Checks) - 1; now != nil && i >= 0; i-- {
		if p.Checks[i].Instrument == now.Instrument {
			return &p.Checks[i]
		}
	}
	return nil
}

// A ProbeNow is where a probe is at present, and how well it is known.
type ProbeNow struct {
	ID   string `json:"id"`
	Chip string `json:"chip"`
	ProbeStay
	LastCheck *CheckMade  `json:"last_check"` // of the instrument that stands there now
	Out       *ProbeCheck `json:"check"`      // it is under check, or out
}

// ProbesNow are the probes of the newest config.
func ProbesNow(pasts []ProbePast) []ProbeNow {
	list := []ProbeNow{}
	for i := range pasts {
		p := &pasts[i]
		if s := p.Now(); s != nil {
			chip, _, _ := strings.Cut(s.Instrument, " ") // its first word
			list = append(list, ProbeNow{ID: p.ID, Chip: chip, ProbeStay: *s, LastCheck: p.LastCheck(), Out: p.Out})
		}
	}
	return list
}

// PastOf tells what became of each probe, from the events of ProbeKinds in the
// order of the journal: first those in the newest config, as it names them,
// then those that it no longer has, by id.
func PastOf(events []Event) []ProbePast {
	list, at := []ProbePast{}, map[string]int{}
	of := func(id string) *ProbePast {
		i, ok := at[id]
		if !ok {
			i = len(list)
			at[id] = i
			list = append(list, ProbePast{ID: id, Stays: []ProbeStay{}, Checks: []CheckMade{}})
		}
		return &list[i]
	}
	var newest *Config
	for _, e := range events {
		switch e.Kind {
		case ConfigChanged:
			if e.Config == nil {
				continue
			}
			newest = e.Config
			present := map[string]bool{}
			for _, u := range e.Config.Units {
				for _, p := range u.Probes {
					present[p.ID] = true
					of(p.ID).stays(stayOf(u.ID, p, e.Time))
				}
			}
			for i := range list {
				if s := list[i].Now(); s != nil && !present[list[i].ID] {
					end := e.Time
					s.To = &end
				}
			}
		case ProbeTakenOut:
			c := &ProbeCheck{Purpose: e.Purpose, By: e.By, Reason: e.Reason, Since: e.Start}
			if e.End != nil {
				c.Until = *e.End
			}
			of(e.Probe).Out = c
		case ProbePutBack:
			of(e.Probe).Out = nil
		case ProbeChecked:
			if e.Check != nil {
				p := of(e.Probe)
				p.Checks = append(p.Checks, CheckMade{Time: e.Time, Probe: e.Probe, By: e.By, Reason: e.Reason, Check: *e.Check})
			}
		}
	}
	order := map[string]int{}
	if newest != nil {
		for _, u := range newest.Units {
			for _, p := range u.Probes {
				order[p.ID] = len(order) + 1
			}
		}
	}
	slices.SortFunc(list, func(a, b ProbePast) int {
		x, y := order[a.ID], order[b.ID]
		switch {
		case x > 0 && y > 0:
			return x - y
		case x > 0:
			return -1
		case y > 0:
			return 1
		}
		return strings.Compare(a.ID, b.ID)
	})
	return list
}

func stayOf(unit string, p UnitProbe, from sensor.Instant) ProbeStay {
	s := ProbeStay{Unit: unit, From: from, Instrument: p.Instrument, Judges: p.Judges, Medium: p.Medium, Certificate: p.Calibration.Certificate, CalibrationDue: p.Calibration.Due,
		Points: p.Calibration.Points, Uncertainty: p.Calibration.Uncertainty, Position: p.Position.Text, Photo: p.Position.Photo, Mapping: p.Position.Mapping, MappingDue: p.Position.MappingDue}
	if until := p.CalibratedUntil; until != 0 {
		s.CalibratedUntil = &until
	}
	return s
}

// stays goes on with what is the same, or ends it where something changed.
func (p *ProbePast) stays(s ProbeStay) {
	if last := p.Now(); last != nil {
		same := s
		same.From = last.From
		if reflect.DeepEqual(same, *last) {
			return
		}
		end := s.From
		last.To = &end
	}
	p.Stays = append(p.Stays, s)
}
