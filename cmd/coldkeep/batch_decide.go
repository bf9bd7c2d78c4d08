package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"coldkeep/internal/coldchain"
)

// alike finds the batches of one decision by their common cause.
type alike struct {
	Like string `placeholder:"BATCH" help:"Every batch that was quarantined by the same cause as this one. They are shown, with what was read around it, before anything is decided."`
	Yes  bool   `help:"Decide on all that --like shows."`
}

// meant are the batches that a decision is about: those named, or those alike,
// when a person has seen them and said yes.
func (l *alike) meant(a *app, w *where, what string, ids []string) ([]string, error) {
	switch {
	case l.Like == "" && len(ids) == 0:
		return nil, errors.New("which batches? name them, or give --like BATCH for all that have the same cause")
	case l.Like == "":
		return ids, nil
	case len(ids) > 0:
		return nil, errors.New("either name the batches, or give --like BATCH")
	}
	dir, err := w.dir(a)
	if err != nil {
		return nil, err
	}
	var x coldchain.Likes
	if err := askDaemon(a.ctx, dir, http.MethodGet, "/api/v1/batches/"+url.PathEscape(l.Like)+"/like", nil, &x); err != nil {
		return nil, err
	}
	for i := range x.Causes {
		c := &x.Causes[i]
		fmt.Fprintf(a.errOut, "Cause: %s (%s)%s\n", c.Say(), c.Rule, around(c))
	}
	line := func(b coldchain.LikeLine) {
		var why []string
		for _, r := range b.Reasons {
			why = append(why, r.Rule+": "+r.Text)
		}
		where := "outside"
		if b.Unit != "" {
			where = "in " + b.Unit
		}
		vials := ""
		if b.Vials > 0 {
			vials = fmt.Sprintf(", %d vials", b.Vials)
		}
		fmt.Fprintf(a.errOut, "  %s, %s%s: %s\n", b.Batch, where, vials, strings.Join(why, "; "))
	}
	fmt.Fprintf(a.errOut, "%d of this cause:\n", len(x.Batches))
	for _, b := range x.Batches {
		line(b)
		ids = append(ids, b.Batch)
	}
	if len(x.Others) > 0 {
		fmt.Fprintln(a.errOut, "Not among them, because more has happened to them; decide on each by itself:")
		for _, b := range x.Others {
			line(b)
		}
	}
	if l.Yes {
		return ids, nil
	}
	if !a.asks() {
		return nil, fmt.Errorf("nothing was decided: say --yes to %s these %d", what, len(ids))
	}
	said, err := a.question(fmt.Sprintf("To %s these %d, type yes:", what, len(ids)))
	if err != nil {
		return nil, err
	}
	if !strings.EqualFold(said, "yes") {
		return nil, errors.New("nothing was decided")
	}
	return ids, nil
}

// around is what was read on both sides of a gap, or how far an excursion went.
func around(c *coldchain.Cause) string {
	var s []string
	for _, x := range []struct {
		what string
		r    *coldchain.LikeReading
	}{{"before it", c.Before}, {"after it", c.After}} {
		if x.r != nil {
			s = append(s, fmt.Sprintf("%s %s °C at %s", x.what, x.r.Temp, x.r.Time))
		} else if c.Kind == "gap" {
			s = append(s, x.what+" nothing")
		}
	}
	if c.MinC != nil && c.MaxC != nil {
		s = append(s, fmt.Sprintf("lowest %s °C, highest %s °C", *c.MinC, *c.MaxC))
	}
	if len(s) == 0 {
		return ""
	}
	return ": " + strings.Join(s, ", ")
}

// several puts the batches of a decision into a command: one as ever, more as
// one decision about all.
func several(c coldchain.Command, ids []string) coldchain.Command {
	if len(ids) == 1 {
		c.Batch = ids[0]
	} else {
		c.BatchIDs = ids
	}
	return c
}

type batchRelease struct {
	IDs      []string `arg:"" optional:"" name:"batch" help:"The batches; one signed decision covers all."`
	Rules    []string `placeholder:"RULE" help:"The reasons that this answers; default: all."`
	MakerRef string   `name:"maker-ref" placeholder:"REF" help:"The maker's reference, where the maker was asked."`
	UseBy    string   `name:"use-by" placeholder:"DATE" help:"The last day on which they may be used, 2027-01-31."`
	Allow    []string `placeholder:"RULE=SPAN" help:"What is allowed anew: warm=1h, or thaw=1 for cycles; repeatable."`
	alike
	order
}

// Run decides that quarantined batches may be used.
func (c *batchRelease) Run(a *app) error {
	allow, err := spentOf("--allow", c.Allow)
	if err != nil {
		return err
	}
	ids, err := c.meant(a, &c.where, "release", c.IDs)
	if err != nil {
		return err
	}
	return c.send(a, "release", several(coldchain.Command{Rules: c.Rules, MakerRef: c.MakerRef, UseBy: c.UseBy, Spent: allow}, ids))
}

type batchDiscard struct {
	IDs      []string `arg:"" optional:"" name:"batch" help:"The batches; one signed decision covers all."`
	Vials    int      `placeholder:"N" help:"How many of one batch; default: all."`
	MakerRef string   `name:"maker-ref" placeholder:"REF" help:"The maker's reference, where the maker was asked."`
	alike
	order
}

// Run decides that batches are discarded.
func (c *batchDiscard) Run(a *app) error {
	ids, err := c.meant(a, &c.where, "discard", c.IDs)
	if err != nil {
		return err
	}
	return c.send(a, "discard", several(coldchain.Command{Count: c.Vials, MakerRef: c.MakerRef}, ids))
}

type batchApprove struct {
	IDs []string `arg:"" name:"batch" help:"The batches."`
	order
}

// Run signs as the second person.
func (c *batchApprove) Run(a *app) error {
	return c.send(a, "approve", several(coldchain.Command{}, c.IDs))
}

type batchHold struct {
	IDs []string `arg:"" name:"batch" help:"The batches."`
	order
}

// Run holds batches back.
func (c *batchHold) Run(a *app) error {
	return c.send(a, "hold", several(coldchain.Command{}, c.IDs))
}

type batchAdopt struct {
	IDs     []string `arg:"" name:"batch" help:"The batches. What was split off one, or what it was split off, goes with it."`
	Profile string   `placeholder:"P" help:"Another profile; default: the newest revision of its own."`
	order
}

// Run lets the newest revision of a label hold for batches, for their whole life.
func (c *batchAdopt) Run(a *app) error {
	return c.send(a, "adopt", several(coldchain.Command{Profile: c.Profile}, c.IDs))
}

type batchRecall struct {
	Lot string `required:"" placeholder:"L" help:"The lot."`
	order
}

// Run blocks a lot everywhere, and lists where it is and what was used of it.
func (c *batchRecall) Run(a *app) error {
	return c.send(a, "recall", coldchain.Command{Lot: c.Lot})
}
