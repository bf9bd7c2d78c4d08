package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"coldkeep/internal/coldchain"
	"coldkeep/internal/config"
)

type batchReceive struct {
	ID      string `arg:"" optional:"" help:"The batch's id: letters, digits, hyphens; by default made of the lot that was scanned."`
	Scan    string `placeholder:"CODE" help:"What a scanner reads of the supplier's code, or the line beneath it: (01)09512345678903(10)ABC(17)270131. It tells profile (by products in the config), lot and expiry."`
	Profile string `placeholder:"P" help:"The storage conditions on its label."`
	Lot     string `placeholder:"L" help:"The lot on its label."`
	Vials   int    `placeholder:"N" help:"How many vials."`
	Expiry  string `placeholder:"DATE" help:"The last day on its label, 2027-01-31."`

	Logger string `placeholder:"STATE" help:"The logger or indicator in the parcel: fine, tripped, none. At a terminal this and the next three are asked for."`
	State  string `name:"vials-state" placeholder:"STATE" help:"The vials: frozen (hard), cold, warm."`
	Ice    string `placeholder:"STATE" help:"The ice or the packs: left, gone."`
	Parcel string `placeholder:"STATE" help:"The parcel: whole, damaged."`

	Maker   string   `placeholder:"NAME" help:"Who made the product, as its papers say."`
	Product string   `placeholder:"NAME" help:"What the product is called."`
	Source  string   `placeholder:"SOURCE" help:"Of what it is: plant, human, animal, other."`
	Tissue  string   `placeholder:"TEXT" help:"Of which tissue the cells were."`
	Spent   []string `placeholder:"RULE=SPAN" help:"What it had been through before its record, by the rules of its profile: warm=30m, or thaw=1 for cycles; repeatable."`
	order
}

// Run takes a batch into the record.
func (c *batchReceive) Run(a *app) error {
	if c.Expiry != "" {
		if _, err := time.Parse(time.DateOnly, c.Expiry); err != nil {
			return fmt.Errorf("--expiry %q: write it as 2027-01-31", c.Expiry)
		}
	}
	if c.Scan == "" && (c.ID == "" || c.Profile == "") {
		return errors.New("what is received? give its id and --profile P, or --scan CODE")
	}
	cmd := coldchain.Command{Batch: c.ID, Scan: c.Scan, Profile: c.Profile, Lot: c.Lot, Vials: c.Vials, Expiry: c.Expiry}
	var err error
	if cmd.Spent, err = spentOf("--spent", c.Spent); err != nil {
		return err
	}
	arrival := coldchain.Arrival{Logger: c.Logger, State: c.State, Ice: c.Ice, Parcel: c.Parcel}
	if arrival == (coldchain.Arrival{}) && a.asks() {
		if arrival, err = askArrival(a); err != nil {
			return err
		}
	}
	if arrival != (coldchain.Arrival{}) {
		cmd.Arrival = &arrival
	}
	if o := (coldchain.Origin{Maker: c.Maker, Product: c.Product, Source: c.Source, Tissue: c.Tissue}); o != (coldchain.Origin{}) {
		cmd.Origin = &o
	}
	return c.send(a, "receive", cmd)
}

// askArrival asks what whoever opened the parcel saw.
func askArrival(a *app) (x coldchain.Arrival, err error) {
	fmt.Fprintln(a.errOut, "How did it come? Enter where nobody looked.")
	for _, q := range []struct {
		text    string
		answers []string
		into    *string
	}{
		{"Logger or indicator in the parcel (fine, tripped, none)?", coldchain.LoggerAnswers, &x.Logger},
		{"The vials (frozen hard, cold, warm)?", coldchain.VialsAnswers, &x.State},
		{"Ice or packs (left, gone)?", coldchain.IceAnswers, &x.Ice},
		{"The parcel (whole, damaged)?", coldchain.ParcelAnswers, &x.Parcel},
	} {
		if *q.into, err = a.choice(q.text, q.answers); err != nil {
			return x, err
		}
	}
	return x, nil
}

// spentOf reads time under rules, or cycles of them: warm=30m, thaw=1.
func spentOf(flag string, list []string) (spent []coldchain.Spent, err error) {
	for _, text := range list {
		rule, much, ok := strings.Cut(text, "=")
		if !ok || rule == "" || much == "" {
			return nil, fmt.Errorf("%s %q: write a rule of the profile and how much, as warm=30m, or thaw=1 for cycles", flag, text)
		}
		if n, err := strconv.Atoi(much); err == nil {
			spent = append(spent, coldchain.Spent{Rule: rule, Cycles: n})
			continue
		}
		d, err := config.ParseDuration(much)
		if err != nil {
			return nil, fmt.Errorf("%s %q: %w", flag, text, err)
		}
		spent = append(spent, coldchain.Spent{Rule: rule, S: d.Seconds()})
	}
	return spent, nil
}
