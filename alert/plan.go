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
// and of these units that begins at an instant and that nobody answers, in
// order of time: the first round of each step. What is critical goes through
// the steps at any hour. The rest is told to the first step's people by their
// first contact, in working hours and outside of their quiet ones. It is the
// plan on paper: who is woken for what, a channel that takes no message, caps
// and answers change it.
func (d *Duty) Plan(severity Severity, units []string, at time.Time) []PlannedCall {
	p := d.Policy(severity, units, at)
	switch {
	case p == nil || len(p.Steps) == 0:
		return nil
	case severity != Critical:
		return d.planNotices(p, at)
	}
	var list []PlannedCall
	begins, someone := at, false
	for i, s := range p.Steps {
		if i == 0 || someone { // nobody is waited for where nobody was called
			begins = begins.Add(s.After)
		}
		calls := d.planStep(p, i, begins)
		for _, c := range calls {
			someone = someone || c.Person != ""
			if c.Person == "" {
				list = append(list, c)
				continue
			}
			for _, x := range d.Person(c.Person).Contacts {
				c.By, c.To, c.At = x.Channel, x.To, begins.Add(x.After)
				list = append(list, c)
			}
		}
	}
	slices.SortStableFunc(list, func(a, b PlannedCall) int { return a.At.Compare(b.At) })
	return list
}

// planStep is whom a step calls at an instant, each once.
func (d *Duty) planStep(p *Policy, i int, at time.Time) (list []PlannedCall) {
	s := p.Steps[i]
	seen := map[string]bool{}
	for _, as := range s.Call {
		call := PlannedCall{At: at, Step: i + 1, As: as, Repeat: repeat(s), Last: i == len(p.Steps)-1}
		who := d.Who([]string{as}, at)
		if len(who) == 0 {
			list = append(list, call)
		}
		for _, id := range who {
			if !seen[id] {
				seen[id] = true
				call.Person, call.Name = id, d.Person(id).Name
				list = append(list, call)
			}
		}
	}
	return list
}

// planNotices is the plan of what wakes nobody.
func (d *Duty) planNotices(p *Policy, at time.Time) (list []PlannedCall) {
	begins := d.WorkingHours().Next(at, d.place())
	if begins.IsZero() {
		return nil
	}
	calls := d.planStep(p, 0, begins)
	if !slices.ContainsFunc(calls, func(c PlannedCall) bool { return c.Person != "" }) {
		all := Policy{Steps: []Step{{Call: []string{Everyone}}}}
		calls = append(calls, d.planStep(&all, 0, begins)...)
	}
	for _, c := range calls {
		c.Repeat, c.Last, c.Held = noticeEvery, true, begins.After(at)
		if c.Person != "" {
			x := d.Person(c.Person)
			if len(x.Contacts) == 0 {
				continue
			}
			c.By, c.To = x.Contacts[0].Channel, x.Contacts[0].To
			if c.At = d.awake(x, begins); c.At.IsZero() {
				continue
			}
			c.Held = c.At.After(at)
		}
		list = append(list, c)
	}
	slices.SortStableFunc(list, func(a, b PlannedCall) int { return a.At.Compare(b.At) })
	return list
}

// awake is the first instant from `at` on that is a working hour and no quiet
// one of the person; zero where there is none within some weeks.
func (d *Duty) awake(p *Person, at time.Time) time.Time {
	for range 30 {
		if at = d.WorkingHours().Next(at, d.place()); at.IsZero() || p.Quiet == nil || !p.Quiet.Contains(at, d.place()) {
			return at
		}
		if at = p.Quiet.Until(at, d.place()); at.IsZero() {
			return at
		}
	}
	return time.Time{}
}
