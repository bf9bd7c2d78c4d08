package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"text/tabwriter"

	"coldkeep/internal/coldchain"
	"coldkeep/internal/store"
	"coldkeep/sensor"
)

// probePasts reads what became of the probes from the record of a daemon that
// does not run.
func probePasts(a *app, dir string) ([]coldchain.ProbePast, error) {
	st, err := store.OpenReadOnly(a.ctx, dir)
	if err != nil {
		return nil, err
	}
	defer st.Close()
	list, err := st.EventsOf(a.ctx, coldchain.ProbeKinds...)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(a.errOut, "no daemon runs on %s: this is its record\n", dir)
	return coldchain.PastOf(list), nil
}

type probesList struct {
	where
	JSON bool `name:"json" help:"Print one JSON object."`
}

// Run asks the daemon, or reads the record of one that does not run.
func (c *probesList) Run(a *app) error {
	dir, err := c.dir(a)
	if err != nil {
		return err
	}
	var answer struct {
		Probes []coldchain.ProbeNow `json:"probes"`
	}
	err = askDaemon(a.ctx, dir, http.MethodGet, "/api/v1/probes", nil, &answer)
	if errors.Is(err, errNotRunning) {
		var pasts []coldchain.ProbePast
		pasts, err = probePasts(a, dir)
		answer.Probes = coldchain.ProbesNow(pasts)
	}
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(a.out).Encode(answer)
	}
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "PROBE\tUNIT\tPOSITION\tMEDIUM\tINSTRUMENT\tCALIBRATED UNTIL\tLAST CHECK\tMAPPING DUE\tNOW")
	for _, p := range answer.Probes {
		medium, checked, now := string(p.Medium), "never", "in its place"
		if !p.Judges {
			medium += ", does not judge"
		}
		if x := p.LastCheck; x != nil {
			checked = day(x.Time) + ", " + verdictOf(&x.Check)
		}
		if p.Out != nil {
			now = "out since " + p.Out.Since.String() + ", by " + p.Out.By
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", p.ID, p.Unit, dash(p.Position), medium, p.Instrument, dash(p.CalibrationDue), checked, dash(p.MappingDue), now)
	}
	return w.Flush()
}

func day(t sensor.Instant) string { return t.String()[:len("2026-05-02")] }

func verdictOf(c *coldchain.Check) string {
	if c.Good {
		return "good"
	}
	return "OUT OF TOLERANCE"
}

type probesHistory struct {
	Probe string `arg:"" help:"The probe."`
	where
	JSON bool `name:"json" help:"Print one JSON object."`
}

// Run asks the daemon, or reads the record of one that does not run.
func (c *probesHistory) Run(a *app) error {
	dir, err := c.dir(a)
	if err != nil {
		return err
	}
	var past coldchain.ProbePast
	err = askDaemon(a.ctx, dir, http.MethodGet, "/api/v1/probes/"+url.PathEscape(c.Probe), nil, &past)
	if errors.Is(err, errNotRunning) {
		past, err = c.stopped(a, dir)
	}
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(a.out).Encode(past)
	}
	return showPast(a.out, &past)
}

func (c *probesHistory) stopped(a *app, dir string) (coldchain.ProbePast, error) {
	list, err := probePasts(a, dir)
	if err != nil {
		return coldchain.ProbePast{}, err
	}
	for _, p := range list {
		if strings.EqualFold(p.ID, c.Probe) {
			return p, nil
		}
	}
	return coldchain.ProbePast{}, fmt.Errorf("no probe %q is in a unit, and none ever was: `coldkeep probes list` shows those that are", c.Probe)
}

func showPast(out io.Writer, p *coldchain.ProbePast) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) {
		fmt.Fprintf(w, "  %s\t"+format+"\n", append([]any{name}, args...)...)
	}
	for i, s := range p.Stays {
		if i > 0 {
			fmt.Fprintln(w)
		}
		to := "now"
		if s.To != nil {
			to = s.To.String()
		}
		fmt.Fprintf(w, "%s from %s to %s\n", p.ID, s.From, to)
		row("instrument", "%s", s.Instrument)
		judges := "judges"
		if !s.Judges {
			judges = "does not judge"
		}
		row("unit", "%s, %s, %s", s.Unit, s.Medium, judges)
		row("position", "%s", dash(s.Position))
		row("photo", "%s", dash(s.Photo))
		row("calibrated until", "%s", dash(s.CalibrationDue))
		row("certificate", "%s", dash(s.Certificate))
		if s.Uncertainty != 0 {
			row("uncertainty", "%s °C", s.Uncertainty)
		}
		row("mapping", "%s", dash(s.Mapping))
		row("mapping due", "%s", dash(s.MappingDue))
	}
	if p.Out != nil {
		fmt.Fprintf(w, "\nOut since %s, by %s; judged again from %s\n", p.Out.Since, p.Out.By, p.Out.Until)
	}
	if len(p.Checks) == 0 {
		fmt.Fprintln(w, "\nNo check was made.")
		return w.Flush()
	}
	fmt.Fprintln(w, "\nCHECKED\tBY\tREFERENCE\tREAD\tRAW\tTOLERANCE\tDRIFT\tFOUND\tINSTRUMENT")
	for _, c := range p.Checks {
		drift := "-"
		if c.Drift != nil {
			drift = signed(*c.Drift)
		}
		fmt.Fprintf(w, "%s\t%s\t%s °C\t%s °C\t%s °C\t%s °C\t%s\t%s\t%s\n", c.Time, c.By, c.Reference, c.Found, c.Raw, c.Tolerance, drift, verdictOf(&c.Check), c.Instrument)
	}
	for _, c := range p.Checks {
		if len(c.Batches) > 0 {
			fmt.Fprintf(w, "\nJudged on it before it was found off on %s: %s\n", c.Time, strings.Join(c.Batches, ", "))
		}
	}
	return w.Flush()
}

func signed(t sensor.Temp) string {
	if t > 0 {
		return "+" + t.String() + " °C"
	}
	return t.String() + " °C"
}
