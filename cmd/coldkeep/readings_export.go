package main

import (
	"bufio"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"

	"coldkeep/internal/coldchain"
	"coldkeep/internal/store"
	"coldkeep/sensor"
)

type readingsExport struct {
	Probe  string `placeholder:"P" help:"This probe, or an imported logger (logger-SERIAL)."`
	Unit   string `placeholder:"U" help:"All probes of this unit, each for as long as it was there. What imported loggers saw is not among it: export those as probes."`
	From   string `placeholder:"TIME" help:"From then on, 2026-05-02T10:36:00Z; default: the record's beginning."`
	To     string `placeholder:"TIME" help:"Up to then, exclusive; default: the record's end."`
	Output string `short:"o" placeholder:"FILE" help:"Write to this file; default: to standard output."`
	where
}

// Run reads the record itself, whether a daemon runs on it or not.
func (c *readingsExport) Run(a *app) error {
	if (c.Probe == "") == (c.Unit == "") {
		return errors.New("what is exported? give --probe P or --unit U")
	}
	from, err1 := timeOf("--from", c.From)
	to, err2 := timeOf("--to", c.To)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	if c.To == "" {
		to = 1<<63 - 1
	}
	if to <= from {
		return fmt.Errorf("--to %s is not after --from %s: give a time that is later", to, from)
	}
	dir, err := c.dir(a)
	if err != nil {
		return err
	}
	st, err := store.OpenReadOnly(a.ctx, dir)
	if err != nil {
		return err
	}
	defer st.Close()
	x := export{st: st, probe: c.Probe, unit: c.Unit, from: from, to: to}
	if err := x.prepare(a.ctx); err != nil {
		return err
	}
	if c.Output == "" {
		_, err := x.write(a.ctx, a.out)
		return err
	}
	return c.toFile(a, &x)
}

// toFile leaves no half of an export behind.
func (c *readingsExport) toFile(a *app, x *export) error {
	part := c.Output + ".part"
	f, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o640)
	if err != nil {
		return fmt.Errorf("export readings: %w", err)
	}
	n, err := x.write(a.ctx, f)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(part, c.Output)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("export readings: %w", err), os.Remove(part))
	}
	_, err = fmt.Fprintf(a.errOut, "%s: %d readings\n", c.Output, n)
	return err
}

// An export writes readings as CONTRACT.md's CSV: as they are judged by what is
// known now of their calibration. A column `check` follows only where a probe
// was under check, whose readings are not judged.
type export struct {
	st          *store.Store
	probe, unit string
	from, to    sensor.Instant

	configs      []coldchain.Event
	calibrations []coldchain.Event
	checks       bool
	held         int // of configs, at the last reading
}

// prepare reads what the journal says of the probes.
func (x *export) prepare(ctx context.Context) error {
	var err error
	if x.configs, err = x.st.EventsOf(ctx, coldchain.ConfigChanged); err != nil {
		return err
	}
	if x.calibrations, err = x.st.EventsOf(ctx, coldchain.CalibrationCorrected); err != nil {
		return err
	}
	out, err := x.st.EventsOf(ctx, coldchain.ProbeTakenOut)
	if err != nil {
		return err
	}
	x.held = -1
	var units, probes []string
	for _, e := range x.configs {
		if e.Config == nil {
			continue
		}
		for _, u := range e.Config.Units {
			if !slices.Contains(units, u.ID) {
				units = append(units, u.ID)
			}
			if strings.EqualFold(u.ID, x.unit) {
				x.unit = u.ID
			}
			for _, p := range u.Probes {
				if !slices.Contains(probes, p.ID) {
					probes = append(probes, p.ID)
				}
				if strings.EqualFold(p.ID, x.probe) {
					x.probe = p.ID
				}
			}
		}
	}
	switch {
	case x.unit != "" && !slices.Contains(units, x.unit):
		return fmt.Errorf("no unit %q is in this record; there are %s", x.unit, strings.Join(units, ", "))
	case x.probe != "" && !slices.Contains(probes, x.probe) && !x.logger():
		return fmt.Errorf("no probe %q is in this record; there are %s", x.probe, strings.Join(probes, ", "))
	}
	for _, e := range out {
		x.checks = x.checks || e.Probe == x.probe || x.unit != "" && e.Unit == x.unit
	}
	return nil
}

func (x *export) logger() bool {
	n := len(coldchain.LoggerPrefix)
	return len(x.probe) > n && strings.EqualFold(x.probe[:n], coldchain.LoggerPrefix)
}

// wanted says whether a reading is among those that are exported. They come in
// order of time.
func (x *export) wanted(r *sensor.Reading) bool {
	if x.unit == "" {
		return r.Probe == x.probe
	}
	for x.held+1 < len(x.configs) && x.configs[x.held+1].Time <= r.Time {
		x.held++
	}
	if x.held < 0 || x.configs[x.held].Config == nil {
		return false
	}
	for _, u := range x.configs[x.held].Config.Units {
		if u.ID == x.unit {
			return slices.ContainsFunc(u.Probes, func(p coldchain.UnitProbe) bool { return p.ID == r.Probe })
		}
	}
	return false
}

// write writes them, and says how many there were.
func (x *export) write(ctx context.Context, out io.Writer) (n int, err error) {
	buffered := bufio.NewWriter(out)
	w := csv.NewWriter(buffered)
	head := []string{"time", "probe", "temperature_c", "fault"}
	if x.checks {
		head = append(head, "check")
	}
	if err := w.Write(head); err != nil {
		return 0, err
	}
	one := func(r sensor.Reading) error {
		n++
		row := []string{r.Time.String(), r.Probe, "", string(r.Fault)}
		if r.Good() {
			row[2] = r.Temp.String()
		}
		if x.checks {
			check := ""
			if r.Check {
				check = "1"
			}
			row = append(row, check)
		}
		return w.Write(row)
	}
	if x.logger() {
		list, err := x.st.Readings(ctx, x.probe, x.from, x.to, math.MaxInt)
		if err != nil {
			return 0, err
		}
		if len(list) == 0 {
			return 0, fmt.Errorf("nothing was imported of %s in that time", x.probe)
		}
		for _, r := range list {
			if err := one(r); err != nil {
				return n, err
			}
		}
	} else {
		err = x.st.EachReading(ctx, x.from, x.to, func(r sensor.Reading, _ bool) error {
			if !x.wanted(&r) {
				return nil
			}
			if len(x.calibrations) > 0 {
				r = coldchain.Recalibrated(r, x.calibrations)
			}
			return one(r)
		})
		if err != nil {
			return n, err
		}
	}
	w.Flush()
	return n, errors.Join(w.Error(), buffered.Flush())
}
