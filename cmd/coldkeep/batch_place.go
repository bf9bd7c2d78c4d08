package main

import (
	"fmt"
	"strconv"

	"coldkeep/internal/coldchain"
)

// outFor is how long a batch was out before it came in.
type outFor struct {
	OutFor string `name:"out-for" placeholder:"SPAN" help:"How long it was out before it came in, 4m, where nobody said so when it was taken out."`
}

type batchPlace struct {
	ID   string `arg:"" help:"The batch."`
	Unit string `arg:"" help:"The unit."`
	outFor
	order
}

// Run puts a batch into a unit.
func (c *batchPlace) Run(a *app) error {
	return c.send(a, "place", coldchain.Command{Batch: c.ID, Unit: c.Unit, OutFor: c.OutFor})
}

type batchMove struct {
	ID   string `arg:"" help:"The batch."`
	Unit string `arg:"" help:"The unit it goes to."`
	outFor
	order
}

// Run moves a batch. At a terminal it asks how long that took.
func (c *batchMove) Run(a *app) error {
	if c.OutFor == "" && c.At == "" && a.asks() {
		said, err := a.question(fmt.Sprintf("How long was %s out on the way, in minutes or as 90s? (Enter: hardly at all)", c.ID))
		if err != nil {
			return err
		}
		if _, err := strconv.ParseFloat(said, 64); err == nil {
			said += "m"
		}
		c.OutFor = said
	}
	return c.send(a, "move", coldchain.Command{Batch: c.ID, Unit: c.Unit, OutFor: c.OutFor})
}

type batchReturn struct {
	ID   string `arg:"" help:"The batch."`
	Unit string `arg:"" optional:"" help:"The unit; default: the one that it was taken out of."`
	outFor
	order
}

// Run puts a batch back.
func (c *batchReturn) Run(a *app) error {
	return c.send(a, "return", coldchain.Command{Batch: c.ID, Unit: c.Unit, OutFor: c.OutFor})
}

type batchTakeOut struct {
	ID string `arg:"" help:"The batch."`
	order
}

// Run takes a batch out of its unit.
func (c *batchTakeOut) Run(a *app) error {
	return c.send(a, "take-out", coldchain.Command{Batch: c.ID})
}
