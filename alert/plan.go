package alert

import (
	"slices"
	"time"
)

// A PlannedCall is one call that would be made for a trouble that nobody
// answers.
type PlannedCall struct {
	At     time.Time     `json:"at"`
	Step   int           `json:"step"`             // from 1
	As     string        `json:"as"`               // the id in the step by which the person is called: a person, a rota, Everyone
	Person string        `json:"person,omitempty"` // "": by As nobody is on call then
	Name   string        `json:"name,omitempty"`
	By     string        `json:"channel,omitempty"` // the id of the channel
	To     string        `json:"to,omitempty"`      // the address there
	Repeat time.Duration `json:"-"`                 // called again this often while the step lasts
	Last   bool          `json:"-"`                 // of the last step, which lasts until somebody answers
	// Held says that the call waits for the end of the person's quiet hours,
	// or for working hours: At is when it is made.
	Held bool `json:"held,omitempty"`
}

// Plan says who would be called, when and how, for a trouble of this severity
// and of these units that begins at an instant and that nobody answers: each
// step's first round, in order of time. What is critical is called at any
// hour; the rest waits for working hours, and for the end of a person's quiet
// ones. It is the plan on paper: what a channel could not deliver, caps and
// answers change it.
func (d *Duty) Plan(severity Severity, units []string, at time.Time) []PlannedCall {
	p := d.Policy(severity, units, at)
	if p == nil {
		return nil
	}
	begins, held := at, false
	if severity != Critical {
		if w := d.WorkingHours().Next(at, d.place()); w.After(at) {
			begins, held = w, true
		}
	}
	var list []PlannedCall
	for i, s := range p.Steps {
		begins = begins.Add(s.After)
		seen := map[string]bool{}
		for _, as := range s.Call {
			call := PlannedCall{At: begins, Step: i + 1, As: as, Repeat: s.Repeat, Last: i == len(p.Steps)-1, Held: held}
			who := d.Who([]string{as}, begins)
			if len(who) == 0 {
				list = append(list, call)
			}
			for _, id := range who {
				if !seen[id] {
					seen[id] = true
					list = append(list, d.contacts(call, d.Person(id), severity)...)
				}
			}
		}
	}
	slices.SortStableFunc(list, func(a, b PlannedCall) int { return a.At.Compare(b.At) })
	return list
}

// contacts are the calls to one person.
func (d *Duty) contacts(call PlannedCall, p *Person, severity Severity) []PlannedCall {
	call.Person, call.Name = p.ID, p.Name
	if p.Quiet != nil && severity != Critical {
		if end := p.Quiet.Until(call.At, d.place()); end.After(call.At) {
			call.At, call.Held = end, true
		}
	}
	var list []PlannedCall
	for _, c := range p.Contacts {
		x := call
		x.By, x.To, x.At = c.Channel, c.To, call.At.Add(c.After)
		list = append(list, x)
	}
	return list
}
