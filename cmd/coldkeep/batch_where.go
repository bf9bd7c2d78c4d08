package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"coldkeep/internal/coldchain"
	"coldkeep/sensor"
)

type batchWhere struct {
	ID string `arg:"" name:"unit|batch" help:"The unit that is to be emptied, or the batch."`
	where
	JSON bool `name:"json" help:"Print one JSON object."`
}

// rescuesAnswer is where the batches of a unit can go, as the API gives it.
type rescuesAnswer struct {
	At      sensor.Instant     `json:"at"`
	Unit    string             `json:"unit"`
	Trouble bool               `json:"in_trouble"`
	Rescues []coldchain.Rescue `json:"rescues"`
}

func (c *batchWhere) Run(a *app) error {
	dir, err := c.dir(a)
	if err != nil {
		return err
	}
	got, err := c.find(a, dir)
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(a.out).Encode(got)
	}
	return got.write(a.out)
}

// find asks the daemon of the unit, or of the unit that the batch is in; or
// reads the record of one that does not run.
func (c *batchWhere) find(a *app, dir string) (*rescuesAnswer, error) {
	var s struct {
		Units []struct {
			ID string `json:"id"`
		} `json:"units"`
	}
	var snap *coldchain.Snapshot
	err := askDaemon(a.ctx, dir, http.MethodGet, "/api/v1/units", nil, &s)
	if errors.Is(err, errNotRunning) {
		if snap, err = stopped(a, dir); err == nil {
			for i := range snap.Units {
				s.Units = append(s.Units, struct {
					ID string `json:"id"`
				}{snap.Units[i].ID})
			}
		}
	}
	if err != nil {
		return nil, err
	}
	unit, batch := "", ""
	for _, u := range s.Units {
		if strings.EqualFold(u.ID, c.ID) {
			unit = u.ID
		}
	}
	if unit == "" {
		if unit, batch, err = c.unitOfBatch(a, dir, snap); err != nil {
			return nil, err
		}
	}
	got := &rescuesAnswer{Unit: unit, Rescues: []coldchain.Rescue{}}
	if snap == nil {
		if err := askDaemon(a.ctx, dir, http.MethodGet, "/api/v1/units/"+url.PathEscape(unit)+"/rescues", nil, got); err != nil {
			return nil, err
		}
	} else {
		got.At = snap.At
		got.Rescues = append(got.Rescues, coldchain.Rescues(snap, unit)...)
		for i := range snap.Units {
			got.Trouble = got.Trouble || snap.Units[i].ID == unit && snap.Units[i].InTrouble()
		}
	}
	if batch != "" {
		got.Rescues = slices.DeleteFunc(got.Rescues, func(r coldchain.Rescue) bool { return r.Batch != batch })
	}
	return got, nil
}

// unitOfBatch is where a batch is.
func (c *batchWhere) unitOfBatch(a *app, dir string, snap *coldchain.Snapshot) (unit, batch string, err error) {
	found := false
	if snap == nil {
		var list struct {
			Batches []batchLine `json:"batches"`
		}
		if err := askDaemon(a.ctx, dir, http.MethodGet, "/api/v1/batches", nil, &list); err != nil {
			return "", "", err
		}
		for _, b := range list.Batches {
			if strings.EqualFold(b.ID, c.ID) {
				unit, batch, found = b.Unit, b.ID, true
			}
		}
	} else {
		for i := range snap.Batches {
			if b := &snap.Batches[i]; strings.EqualFold(b.ID, c.ID) {
				unit, batch, found = b.Unit, b.ID, true
			}
		}
	}
	switch {
	case !found:
		return "", "", fmt.Errorf("%q is no unit and no batch here: `coldkeep batch list` shows both", c.ID)
	case unit == "":
		return "", "", fmt.Errorf("batch %s is in no unit now: place it", batch)
	}
	return unit, batch, nil
}

func (r *rescuesAnswer) write(out io.Writer) error {
	if len(r.Rescues) == 0 {
		_, err := fmt.Fprintf(out, "%s: no batch is in it\n", r.Unit)
		return err
	}
	if !r.Trouble {
		if _, err := fmt.Fprintf(out, "%s is in no trouble now; if it were to be emptied:\n", r.Unit); err != nil {
			return err
		}
	}
	for _, x := range r.Rescues {
		line := x.Batch
		if x.Vials > 0 {
			line += fmt.Sprintf(" (%d)", x.Vials)
		}
		if x.LostAt != nil {
			line += fmt.Sprintf(", by %s, in %s", x.LostAt.Time().UTC().Format(time.RFC3339), coldchain.Span(x.LostAt.Sub(r.At).Seconds()))
		}
		if _, err := fmt.Fprintf(out, "%s: %s.\n", line, x.Reason); err != nil {
			return err
		}
		for i := range x.Refuges {
			g := &x.Refuges[i]
			if _, err := fmt.Fprintf(out, "  %d %s, %s: %s.\n", i+1, g.Unit, g.Text(), g.Reason); err != nil {
				return err
			}
		}
	}
	return nil
}
