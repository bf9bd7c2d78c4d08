package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"coldkeep/internal/coldchain"
	"coldkeep/sensor"
)

type batchCorrect struct {
	ID       string `arg:"" help:"The batch."`
	PlacedAt string `placeholder:"TIME" help:"When it was put where it was put last: 2026-05-02T09:10:00Z."`
	Event    uint64 `placeholder:"SEQ" help:"Instead of the last one, the event that was told wrongly (its seq in the journal)."`
	At       string `placeholder:"TIME" help:"With --event: when that happened."`
	sender
}

func (c *batchCorrect) Run(a *app) error {
	if (c.PlacedAt == "") == (c.At == "") || (c.Event != 0) != (c.At != "") {
		return errors.New("what is right? give --placed-at TIME for the last placement, or --event SEQ --at TIME for another event")
	}
	cmd := coldchain.Command{Batch: c.ID, Event: c.Event}
	var err error
	if c.PlacedAt != "" {
		cmd.At, err = timeOf("--placed-at", c.PlacedAt)
	} else {
		cmd.At, err = timeOf("--at", c.At)
	}
	if err != nil {
		return err
	}
	e, err := c.giveWithin(a, lateWithin, "correct", cmd)
	if err != nil {
		return err
	}
	return c.tell(a, e, "%s: what was told of %s happened at %s; all since then was judged again", e.Batch, e.Start, e.Time)
}

// tell prints what became of a command.
func (o *sender) tell(a *app, e coldchain.Event, format string, args ...any) error {
	if o.JSON {
		return json.NewEncoder(a.out).Encode(e)
	}
	_, err := fmt.Fprintf(a.out, format+"\n", args...)
	return err
}

type probesRecalibrate struct {
	Probe  string   `arg:"" help:"The probe."`
	Since  string   `required:"" placeholder:"TIME" help:"From when on the calibration was wrong: 2026-05-02T09:10:00Z."`
	Points []string `required:"" placeholder:"READS=IS" help:"What is right: what it reads and what is, 0.12=0.00; up to five, by commas."`
	sender
}

func (c *probesRecalibrate) Run(a *app) error {
	cmd := coldchain.Command{Probe: c.Probe}
	var err error
	if cmd.Since, err = timeOf("--since", c.Since); err != nil {
		return err
	}
	for _, text := range c.Points {
		reads, is, ok := strings.Cut(text, "=")
		var p sensor.CalibrationPoint
		if !ok || p.Reads.UnmarshalJSON([]byte(reads)) != nil || p.Is.UnmarshalJSON([]byte(is)) != nil {
			return fmt.Errorf("--points %q: write what it reads and what is, as 0.12=0.00", text)
		}
		cmd.Points = append(cmd.Points, p)
	}
	e, err := c.giveWithin(a, lateWithin, "recalibrate", cmd)
	if err != nil {
		return err
	}
	return c.tell(a, e, "%s: what it read from %s to %s was corrected and judged again; write the points into the config for what comes", e.Probe, e.Start, e.Time)
}
