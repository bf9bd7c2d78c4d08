package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"coldkeep/sensor"
	"coldkeep/sensor/chips"
)

type probesCommand struct {
	Scan probesScan `cmd:"" help:"What answers on the buses of this machine."`
	Read probesRead `cmd:"" help:"Read each configured probe once."`
}

// Help lists the chips that can be read.
func (probesCommand) Help() string {
	var b strings.Builder
	b.WriteString("Chips that can be read:\n")
	for _, c := range sensor.Chips() {
		fmt.Fprintf(&b, "\n%s  %s", c.Name, c.Text)
		if c.Example != "" {
			fmt.Fprintf(&b, "; address like %s", c.Example)
		}
	}
	return b.String()
}

type probesScan struct {
	JSON bool `name:"json" help:"Print one JSON object."`
}

func (c *probesScan) Run(a *app) error {
	if err := chips.InitHost(); err != nil {
		fmt.Fprintln(a.errOut, err)
	}
	list, err := chips.Scan()
	if c.JSON {
		if list == nil {
			list = []chips.Found{}
		}
		return errors.Join(json.NewEncoder(a.out).Encode(map[string]any{"found": list}), err)
	}
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	for _, f := range list {
		chip := f.Chip
		if chip == "" {
			chip = "-"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", f.Bus, chip, f.Address, f.Note)
	}
	if len(list) == 0 {
		fmt.Fprintln(a.errOut, "nothing answers: are the buses switched on (dtoverlay=w1-gpio, dtparam=i2c_arm=on), and may this user open them?")
	}
	return errors.Join(w.Flush(), err)
}

type probesRead struct {
	Config string `required:"" placeholder:"FILE" help:"The configuration file."`
	JSON   bool   `name:"json" help:"Print one JSON object."`
}

type probeLine struct {
	Probe        string         `json:"probe"`
	Bus          string         `json:"bus"`
	Time         sensor.Instant `json:"time"`
	TemperatureC *sensor.Temp   `json:"temperature_c,omitempty"`
	RawC         *sensor.Temp   `json:"raw_c,omitempty"`
	Fault        sensor.Fault   `json:"fault,omitempty"`
	Text         string         `json:"fault_text,omitempty"`
}

// Run reads every probe once; exit 3 when one of them gives a fault.
func (c *probesRead) Run(a *app) error {
	cfg, err := a.load(c.Config)
	if err != nil {
		return err
	}
	if err := chips.InitHost(); err != nil {
		fmt.Fprintln(a.errOut, err)
	}
	buses, err := chips.Open(a.ctx, cfg.Probes, chips.Options{Log: a.logger()})
	if err != nil {
		return err
	}
	lines, faulty := readOnce(a.ctx, buses)
	if c.JSON {
		if err := json.NewEncoder(a.out).Encode(map[string]any{"probes": lines}); err != nil {
			return err
		}
	} else {
		w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
		for _, l := range lines {
			if l.Fault != "" {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", l.Probe, l.Bus, l.Fault, l.Text)
			} else {
				fmt.Fprintf(w, "%s\t%s\t%s °C\t\n", l.Probe, l.Bus, l.TemperatureC)
			}
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
	if faulty {
		return errProblems
	}
	return nil
}

func readOnce(ctx context.Context, buses []sensor.Bus) (lines []probeLine, faulty bool) {
	for _, b := range buses {
		for _, r := range b.Sweep(ctx, time.Now()) {
			l := probeLine{Probe: r.Probe, Bus: b.Name(), Time: r.Time, Fault: r.Fault, Text: r.Fault.Sentence()}
			if r.Good() {
				t, raw := r.Temp, r.Raw
				l.TemperatureC, l.RawC = &t, &raw
			} else {
				faulty = true
			}
			lines = append(lines, l)
		}
		_ = b.Close() // a bus that hangs is left behind: the process ends
	}
	return lines, faulty
}
