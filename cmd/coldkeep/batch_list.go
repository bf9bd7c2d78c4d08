package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"text/tabwriter"
	"time"

	"coldkeep/internal/coldchain"
	"coldkeep/internal/monitor"
	"coldkeep/internal/store"
)

// batchLine is a batch as the API gives it.
type batchLine struct {
	coldchain.BatchState
	Range    string              `json:"range"` // of its profile, in words
	Flagged  bool                `json:"flagged"`
	Words    coldchain.Words     `json:"words"`
	VialText *coldchain.VialText `json:"vial_text,omitempty"` // what stands on a vial that is opened
}

// batches asks the daemon, or reads the record of one that does not run.
func batches(a *app, dir string) ([]batchLine, error) {
	var answer struct {
		Batches []batchLine `json:"batches"`
	}
	err := askDaemon(a.ctx, dir, http.MethodGet, "/api/v1/batches", nil, &answer)
	if !errors.Is(err, errNotRunning) {
		return answer.Batches, err
	}
	s, err := stopped(a, dir)
	if err != nil {
		return nil, err
	}
	reader := coldchain.NewReader(s.Site, s.At, time.UTC)
	var list []batchLine
	for i := range s.Batches {
		b := &s.Batches[i]
		var unit *coldchain.UnitState
		for j := range s.Units {
			if s.Units[j].ID == b.Unit {
				unit = &s.Units[j]
			}
		}
		// Nobody watches: nothing is good now.
		if b.Now == coldchain.NowInRange {
			b.Now = coldchain.NowNoData
		}
		list = append(list, batchLine{*b, b.Profile.RangeText(), b.Verdict.Flagged(), b.Words(reader, unit), b.VialText(reader)})
	}
	return list, nil
}

// stopped reads how things stood in the record of a daemon that does not run.
func stopped(a *app, dir string) (*coldchain.Snapshot, error) {
	st, err := store.OpenReadOnly(a.ctx, dir)
	if err != nil {
		return nil, err
	}
	defer st.Close()
	m := monitor.New(st, monitor.Options{Interval: time.Minute, Log: slog.New(slog.DiscardHandler)})
	if err := m.Open(a.ctx); err != nil {
		return nil, err
	}
	s := m.Snapshot()
	fmt.Fprintf(a.errOut, "no daemon runs on %s: this is its record up to %s\n", dir, s.At)
	return s, nil
}

type batchList struct {
	where
	JSON bool `name:"json" help:"Print one JSON object."`
}

func (c *batchList) Run(a *app) error {
	dir, err := c.dir(a)
	if err != nil {
		return err
	}
	list, err := batches(a, dir)
	if err != nil {
		return err
	}
	if c.JSON {
		if list == nil {
			list = []batchLine{}
		}
		return json.NewEncoder(a.out).Encode(map[string]any{"batches": list})
	}
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "BATCH\tUNIT\tVERDICT\tNOW\tWHAT TO READ")
	for _, b := range list {
		unit := b.Unit
		if unit == "" {
			unit = "-"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", b.ID, unit, b.Verdict, b.Now, b.Words.Headline)
	}
	return w.Flush()
}

// batchNamed finds a batch by its id, without case.
func batchNamed(a *app, dir, id string) (batchLine, error) {
	list, err := batches(a, dir)
	if err != nil {
		return batchLine{}, err
	}
	for _, b := range list {
		if strings.EqualFold(b.ID, id) {
			return b, nil
		}
	}
	return batchLine{}, fmt.Errorf("no batch %q is known here: `coldkeep batch list` shows those that are", id)
}
