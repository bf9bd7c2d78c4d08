package main

import "coldkeep/internal/coldchain"

type batchSplit struct {
	ID    string `arg:"" help:"The batch."`
	Vials int    `required:"" placeholder:"N" help:"How many of its vials become a batch of their own. They take with them what the batch has been through."`
	New   string `placeholder:"ID" help:"The new batch's id; default: made of the old one, BATCH-2."`
	order
}

// Run makes some vials a batch of their own.
func (c *batchSplit) Run(a *app) error {
	return c.send(a, "split", coldchain.Command{Batch: c.ID, Count: c.Vials, NewBatch: c.New})
}

type batchOpen struct {
	ID    string `arg:"" help:"The batch."`
	Vials int    `placeholder:"N" help:"How many are opened or mixed: they become a batch of their own, with their own clock. Default: all."`
	New   string `placeholder:"ID" help:"The id of what is opened; default: made of the old one, BATCH-2."`
	order
}

// Run begins the time in use of vials, and says what to write on them.
func (c *batchOpen) Run(a *app) error {
	return c.send(a, "open", coldchain.Command{Batch: c.ID, Count: c.Vials, NewBatch: c.New})
}

type batchUse struct {
	ID        string `arg:"" help:"The batch."`
	Vials     int    `placeholder:"N" help:"How many were used; default: all that are left."`
	Treatment string `placeholder:"NUMBER" help:"The number of the treatment that they were used for, as your own files have it. Never a patient's name."`
	order
}

// Run notes vials that were used.
func (c *batchUse) Run(a *app) error {
	return c.send(a, "use", coldchain.Command{Batch: c.ID, Count: c.Vials, Treatment: c.Treatment})
}
