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
	"time"

	"coldkeep/internal/coldchain"
	"coldkeep/sensor"
)

type batchShow struct {
	ID string `arg:"" help:"The batch."`
	where
	JSON bool `name:"json" help:"Print one JSON object."`
}

func (c *batchShow) Run(a *app) error {
	dir, err := c.dir(a)
	if err != nil {
		return err
	}
	b, err := wholeBatch(a, dir, c.ID)
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(a.out).Encode(b)
	}
	if err := showBatch(a.out, b.batchLine); err != nil {
		return err
	}
	return showLife(a.out, b)
}

// batchWhole is a batch with what else is known of it, in words.
type batchWhole struct {
	batchLine
	Facts []coldchain.Fact `json:"facts"`
}

// wholeBatch asks the daemon for a batch, or reads it from the record of one
// that does not run.
func wholeBatch(a *app, dir, id string) (b batchWhole, err error) {
	err = askDaemon(a.ctx, dir, http.MethodGet, "/api/v1/batches/"+url.PathEscape(id), nil, &b)
	if !errors.Is(err, errNotRunning) {
		return b, err
	}
	if b.batchLine, err = batchNamed(a, dir, id); err != nil {
		return b, err
	}
	b.Facts = b.BatchState.Facts(coldchain.Reader{Now: sensor.At(time.Now()), Location: time.UTC})
	return b, nil
}

// showLife prints what else is known of a batch: how it came and from where,
// its papers and what is missing of them, what was signed, and where its vials
// went.
func showLife(out io.Writer, b batchWhole) error {
	w := tabwriter.NewWriter(out, 17, 0, 2, ' ', 0)
	if b.OpenedAt != nil {
		fmt.Fprintf(w, "opened\t%s\n", b.OpenedAt)
	}
	if b.UseByAt != nil {
		fmt.Fprintf(w, "use by\t%s\n", b.UseByAt)
	}
	for _, f := range b.Facts {
		fmt.Fprintf(w, "%s\t%s\n", strings.ToLower(f.Name[:1])+f.Name[1:], f.Text)
	}
	for _, p := range b.Papers {
		fmt.Fprintf(w, "paper\t%s: %s, checked by %s, attached %s by %s\n\tSHA-256 %s, %d bytes\n", p.Kind.Text(), p.Name, p.Checked, p.At, p.By, p.SHA256, p.Bytes)
	}
	if len(b.Missing) > 0 {
		fmt.Fprintf(w, "missing\t%s: not for use until it is there\n", b.MissingText())
	}
	for _, u := range b.Uses {
		what := "used"
		if u.Discarded {
			what = "discarded"
		}
		vials := "all"
		if u.Count > 0 {
			vials = fmt.Sprintf("%d vials", u.Count)
		}
		text := fmt.Sprintf("%s, %s, by %s", vials, u.At, u.By)
		if u.Treatment != "" {
			text += ", treatment " + u.Treatment
		}
		if u.Reason != "" {
			text += ": " + u.Reason
		}
		fmt.Fprintf(w, "%s\t%s\n", what, text)
	}
	return w.Flush()
}

func showBatch(out io.Writer, b batchLine) error {
	w := tabwriter.NewWriter(out, 17, 0, 2, ' ', 0)
	fmt.Fprintf(w, "%s\n%s\n%s\n\n", b.Words.Headline, b.Words.Do, b.Words.Why)
	row := func(name, format string, args ...any) {
		fmt.Fprintf(w, "%s\t"+format+"\n", append([]any{name}, args...)...)
	}
	row("batch", "%s, lot %s, %d vials, profile %s", b.ID, b.Lot, b.Vials, b.ProfileID)
	row("verdict", "%s since %s; now %s", b.Verdict, b.Since, b.Now)
	for _, p := range b.Placements {
		to := "now"
		if p.To != nil {
			to = p.To.String()
		}
		row("placed", "%s, %s to %s", p.Unit, p.From, to)
	}
	for _, r := range b.Reasons {
		row("reason", "%s: %s, %s", r.Rule, r.Text, r.At)
	}
	x := b.Exposure
	row("monitored", "%s", coldchain.Span(x.MonitoredS))
	row("too warm", "%s", coldchain.Span(x.AboveS))
	row("too cold", "%s", coldchain.Span(x.BelowS))
	row("without data", "%s", coldchain.Span(x.UnmonitoredS))
	row("outside", "%s", coldchain.Span(x.OutsideS))
	temp := func(t *sensor.Temp) string {
		if t == nil {
			return "-"
		}
		return t.String() + " °C"
	}
	row("lowest, highest", "%s, %s", temp(x.MinC), temp(x.MaxC))
	for _, al := range b.Allowance {
		if al.OfCycles() {
			row("allowance", "%s: %d freeze-thaw cycles used, %d left", al.Rule, al.Cycles, al.CyclesLeft)
			continue
		}
		row("allowance", "%s: %s used, %s left", al.Rule, coldchain.Span(al.UsedS), coldchain.Span(al.LeftS))
	}
	return w.Flush()
}
