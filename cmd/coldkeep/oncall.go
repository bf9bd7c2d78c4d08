package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"coldkeep/alert"
	"coldkeep/internal/config"
)

type oncallCommand struct {
	Show oncallShow `cmd:"" help:"Who would be called, when and how; who is on call; where nobody is."`
}

type oncallShow struct {
	Config   string `required:"" placeholder:"FILE" help:"The configuration file."`
	At       string `placeholder:"TIME" help:"When, by the clock at the site: \"2026-05-05 03:12\"; default: now."`
	Unit     string `placeholder:"UNIT" help:"The unit in trouble; default: a trouble of no unit."`
	Severity string `enum:"critical,warning" default:"critical" help:"critical or warning."`
	JSON     bool   `name:"json" help:"Print one JSON object."`
}

// gapsAhead is how far ahead gaps of the rotas are looked for.
const gapsAhead = 14 * 24 * time.Hour

// A roster is who would be called, and who is on call.
type roster struct {
	At       time.Time      `json:"at"`
	Severity alert.Severity `json:"severity"`
	Unit     string         `json:"unit,omitempty"`
	Policy   string         `json:"policy,omitempty"` // "": nobody can be called
	Calls    []rosterCall   `json:"calls"`
	Services []string       `json:"services"` // channels that are told at once
	OnCall   []rosterLine   `json:"on_call"`
}

// A rosterCall is a call, with how often it is made again.
type rosterCall struct {
	alert.PlannedCall
	RepeatS  float64 `json:"repeat_s,omitempty"`
	ToTheEnd bool    `json:"until_answered"` // else until the next step
}

// A rosterLine is one rota at that time.
type rosterLine struct {
	Rota   string     `json:"rota"`
	Person string     `json:"person,omitempty"` // "": nobody
	Name   string     `json:"name,omitempty"`
	Until  *time.Time `json:"until,omitempty"`
	Gap    *rosterGap `json:"gap,omitempty"` // the next within 14 days
}

type rosterGap struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

// Run shows the roster.
func (c *oncallShow) Run(a *app) error {
	cfg, err := a.load(c.Config)
	if err != nil {
		return err
	}
	at := time.Now()
	if c.At != "" {
		if at, err = config.SiteTime(c.At, cfg.Site.Location); err != nil {
			return fmt.Errorf("--at: %w", err)
		}
	}
	unit := ""
	var ids []string
	for _, u := range cfg.Units {
		ids = append(ids, u.ID)
		if strings.EqualFold(u.ID, c.Unit) {
			unit = u.ID
		}
	}
	if c.Unit != "" && unit == "" {
		return fmt.Errorf("no unit %q is in %s; there are %s", c.Unit, c.Config, strings.Join(ids, ", "))
	}
	r := newRoster(&cfg.Duty, alert.Severity(c.Severity), unit, at)
	if c.JSON {
		e := json.NewEncoder(a.out)
		e.SetEscapeHTML(false)
		return e.Encode(r)
	}
	if len(r.Calls) == 0 {
		fmt.Fprintln(a.errOut, "nobody is called: list people under `people:` in the config")
	}
	return r.print(a.out)
}

func newRoster(d *alert.Duty, severity alert.Severity, unit string, at time.Time) *roster {
	at = at.In(d.Location).Truncate(time.Second)
	r := &roster{At: at, Severity: severity, Unit: unit, Calls: []rosterCall{}, Services: []string{}, OnCall: []rosterLine{}}
	var units []string
	if unit != "" {
		units = []string{unit}
	}
	if p := d.Policy(severity, units, at); p != nil {
		r.Policy = p.ID
	}
	for _, c := range d.Plan(severity, units, at) {
		c.At = c.At.In(d.Location)
		x := rosterCall{PlannedCall: c}
		if c.Person != "" {
			x.RepeatS, x.ToTheEnd = c.Repeat.Seconds(), c.Last
		}
		r.Calls = append(r.Calls, x)
	}
	for _, s := range d.Services {
		if !s.Critical || severity == alert.Critical {
			r.Services = append(r.Services, s.Channel)
		}
	}
	for i := range d.Rotas {
		rota := &d.Rotas[i]
		l := rosterLine{Rota: rota.ID}
		person, until, ok := rota.OnCall(at, d.Location)
		if p := d.Person(person); ok && p != nil {
			l.Person, l.Name = p.ID, p.Name
		}
		if !until.IsZero() {
			until = until.In(d.Location)
			l.Until = &until
		}
		if gaps := d.RotaGaps(rota, at, at.Add(gapsAhead)); len(gaps) > 0 {
			l.Gap = &rosterGap{gaps[0].From.In(d.Location), gaps[0].To.In(d.Location)}
		}
		r.OnCall = append(r.OnCall, l)
	}
	return r
}

// print writes the roster for people.
func (r *roster) print(out io.Writer) error {
	of := "of no unit"
	if r.Unit != "" {
		of = "of " + r.Unit
	}
	fmt.Fprintf(out, "A %s trouble %s that begins %s and that nobody answers", r.Severity, of, r.At.Format("Mon 2 Jan 2006 15:04 MST"))
	if r.Policy != "" {
		fmt.Fprintf(out, ", by the policy %s", r.Policy)
	}
	fmt.Fprint(out, ":\n\n")
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "TIME\tSTEP\tAS\tWHO\tBY\tTO\tAGAIN")
	for _, s := range r.Services {
		fmt.Fprintf(w, "%s\t\t\tservice\t%s\t\t\n", r.At.Format("Mon 15:04"), s)
	}
	for _, c := range r.Calls {
		again := "every " + every(c.Repeat) + " until the next step"
		if c.Last {
			again = "every " + every(c.Repeat) + " until somebody answers"
		}
		who := c.Name
		if c.Person == "" {
			who, again = "NOBODY IS ON CALL", ""
		}
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\t%s\t%s\n", c.At.Format("Mon 15:04"), c.Step, c.As, who, c.By, c.To, again)
	}
	if len(r.OnCall) > 0 {
		fmt.Fprint(w, "\nROTA\tON CALL\tUNTIL\tNEXT GAP WITHIN 14 DAYS\n")
	}
	for _, l := range r.OnCall {
		who, until, gap := "NOBODY", "", "none"
		if l.Person != "" {
			who = l.Name
		}
		if l.Until != nil {
			until = l.Until.Format("Mon 2 Jan 15:04 MST")
		}
		if l.Gap != nil {
			gap = l.Gap.From.Format("Mon 2 Jan 15:04") + " to " + l.Gap.To.Format("Mon 2 Jan 15:04")
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", l.Rota, who, until, gap)
	}
	return w.Flush()
}

// every writes a time span without its zeros: 5m, 24h.
func every(d time.Duration) string {
	s := strings.TrimSuffix(d.String(), "m0s")
	if s == d.String() {
		return s
	}
	if h, ok := strings.CutSuffix(s, "h0"); ok {
		return h + "h"
	}
	return s + "m"
}
