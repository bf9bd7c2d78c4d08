package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"text/tabwriter"

	"coldkeep/internal/coldchain"
)

// send gives a command about batches, and prints what became of it and what is
// so now.
func (o *order) send(a *app, name string, c coldchain.Command) error {
	if o.At != "" {
		if err := c.At.UnmarshalText([]byte(o.At)); err != nil {
			return fmt.Errorf("--at %q: write it as 2026-05-02T10:36:00Z", o.At)
		}
	}
	list, err := o.giveAll(a, patience, name, c)
	if err != nil {
		return err
	}
	if o.JSON {
		if len(list) == 1 {
			return json.NewEncoder(a.out).Encode(list[0])
		}
		return json.NewEncoder(a.out).Encode(map[string]any{"events": list})
	}
	dir, err := o.dir(a)
	if err != nil {
		return err
	}
	for _, e := range list {
		fmt.Fprintln(a.out, said(e))
	}
	if list[0].Kind == coldchain.LotRecalled {
		return showRecall(a, dir, list[0].Lot)
	}
	now, err := batches(a, dir)
	if err != nil {
		fmt.Fprintf(a.errOut, "it is recorded; how things stand now cannot be told: %v\n", err)
		return nil
	}
	for _, e := range list {
		for i := range now {
			if b := &now[i]; b.ID == e.Batch {
				fmt.Fprintf(a.out, "%s: %s\n", b.ID, strings.Join(strings.Fields(b.Words.Headline+". "+b.Words.Do+" "+b.Words.Why), " "))
			}
		}
	}
	return nil
}

// vials counts them in words: 1 vial, 3 vials.
func vials(n int) string {
	if n == 1 {
		return "1 vial"
	}
	return fmt.Sprintf("%d vials", n)
}

// said tells in a line what a command has become.
func said(e coldchain.Event) string {
	left := ""
	if e.Vials > 0 {
		left = fmt.Sprintf(", %d left", e.Vials)
	}
	out := ""
	if e.OutForS > 0 {
		out = ", after " + coldchain.Span(e.OutForS) + " outside"
	}
	s := e.Batch
	switch e.Kind {
	case coldchain.BatchReceived:
		s += " is received"
		if e.Vials > 0 {
			s += ": " + vials(e.Vials)
		}
		if e.Lot != "" {
			s += ", lot " + e.Lot
		}
		s += ", profile " + e.Profile + "\nNext: coldkeep batch place " + e.Batch + " UNIT"
	case coldchain.BatchPlaced:
		s += " is in " + e.Unit + out
	case coldchain.BatchMoved:
		s += " is in " + e.Unit
		if e.FromUnit != "" {
			s += ", moved from " + e.FromUnit
		}
		s += out
	case coldchain.BatchReturned:
		s += " is back in " + e.Unit + out
	case coldchain.BatchTakenOut:
		s += " is out of " + e.FromUnit
	case coldchain.BatchSplit:
		s = fmt.Sprintf("%s of %s are %s now%s", vials(e.Count), e.FromBatch, e.Batch, left)
		if e.Vials > 0 {
			s += " in " + e.FromBatch
		}
	case coldchain.BatchOpened:
		s = e.Batch + " is opened"
		if e.FromBatch != "" {
			s = fmt.Sprintf("%s of %s, opened, is %s now%s", vials(e.Count), e.FromBatch, e.Batch, left)
			if e.Vials > 0 {
				s += " in " + e.FromBatch
			}
		}
		if e.Text != "" {
			s += "\nWrite on the vial: " + e.Batch + " " + e.Text
		} else {
			s += "\nIts label gives no time for what is opened: ask before you keep it."
		}
	case coldchain.BatchUsed:
		s += " is used up"
	case coldchain.VialsUsed:
		s = vials(e.Count) + " of " + e.Batch + " used" + left
	case coldchain.VialsDiscarded:
		s = vials(e.Count) + " of " + e.Batch + " discarded" + left
	case coldchain.BatchDiscarded:
		s += " is discarded"
	case coldchain.BatchReleased:
		s += " is released"
		if e.UseBy != "" {
			s += ", to be used by " + e.UseBy
		}
	case coldchain.BatchHeld:
		s += " is held back"
	case coldchain.DecisionProposed:
		return fmt.Sprintf("%s: nothing is decided yet. %s proposes to %s it; another person must sign: coldkeep batch approve %s", e.Batch, e.By, e.Decision, e.Batch)
	case coldchain.ProfileAdopted:
		s += " is judged by " + e.Profile + " as the config has it now, from its receipt on"
	case coldchain.LotRecalled:
		s = "Lot " + e.Lot + " is recalled: every batch of it is blocked, also one that comes later"
	default:
		s += ": " + strings.TrimPrefix(strings.ReplaceAll(string(e.Kind), "_", " "), "batch ")
		if e.Unit != "" {
			s += " in " + e.Unit
		}
	}
	s += ", by " + e.By
	if e.ProposedBy != "" {
		s += ", as " + e.ProposedBy + " had proposed"
	}
	if i := strings.IndexByte(s, '\n'); i >= 0 { // who did it belongs to the first line
		by := strings.LastIndex(s, ", by ")
		s = s[:i] + s[by:] + s[i:by]
	}
	return s
}

// showRecall lists where a lot is, and what was used of it.
func showRecall(a *app, dir, lot string) error {
	var x coldchain.LotTrace
	if err := askDaemon(a.ctx, dir, http.MethodGet, "/api/v1/recalls/"+url.PathEscape(lot), nil, &x); err != nil {
		fmt.Fprintf(a.errOut, "it is recorded; where the lot is cannot be told: %v\n", err)
		return nil
	}
	if len(x.Batches) == 0 {
		fmt.Fprintf(a.out, "NO BATCH OF LOT %s IS KNOWN HERE. Is that the lot? ", x.Lot)
		if len(x.Lots) > 0 {
			fmt.Fprintf(a.out, "Known are %s.", strings.Join(x.Lots, ", "))
		}
		fmt.Fprintln(a.out)
		return nil
	}
	return writeRecall(a.out, x)
}

func writeRecall(out io.Writer, x coldchain.LotTrace) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	count := func(n int) string {
		if n == 0 {
			return "not counted"
		}
		return vials(n)
	}
	for _, b := range x.Batches {
		switch {
		case b.Ended != nil:
			fmt.Fprintf(w, "%s\tnothing left\t%s\n", b.Batch, b.Verdict)
		case b.Unit != "":
			fmt.Fprintf(w, "%s\tin %s\t%s\t%s\n", b.Batch, b.Unit, count(b.Vials), b.Verdict)
		case b.Outside != nil:
			fmt.Fprintf(w, "%s\toutside since %s\t%s\t%s\n", b.Batch, b.Outside, count(b.Vials), b.Verdict)
		default:
			fmt.Fprintf(w, "%s\tin no unit yet\t%s\t%s\n", b.Batch, count(b.Vials), b.Verdict)
		}
	}
	if len(x.Used) == 0 {
		fmt.Fprintln(w, "No vial of it was used.")
	}
	for _, list := range []struct {
		what string
		uses []coldchain.LotUse
	}{{"USED", x.Used}, {"DISCARDED", x.Gone}} {
		for _, u := range list.uses {
			treatment := "treatment not told"
			if u.Treatment != "" {
				treatment = "treatment " + u.Treatment
			}
			if u.Discarded {
				treatment = u.Reason
			}
			fmt.Fprintf(w, "%s\t%s\t%s of %s\t%s\tby %s\n", list.what, u.At, count(u.Count), u.Batch, treatment, u.By)
		}
	}
	return w.Flush()
}
