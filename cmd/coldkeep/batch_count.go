package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"coldkeep/internal/coldchain"
)

type batchCount struct {
	Unit  string   `arg:"" help:"The unit."`
	Found []string `arg:"" name:"box" help:"Each box that is in it: the batch, or BATCH=VIALS, or what a scanner reads of its label; - reads them from standard input, one a line."`
	sender
}

// Run holds the boxes that were found in a unit against the record.
func (c *batchCount) Run(a *app) error {
	found, err := c.boxes(a)
	if err != nil {
		return err
	}
	dir, err := c.dir(a)
	if err != nil {
		return err
	}
	e, err := c.give(a, "count", coldchain.Command{Unit: c.Unit, Counted: found})
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(a.out).Encode(e)
	}
	boxes := fmt.Sprintf("%d boxes", len(e.Counted))
	if len(e.Counted) == 1 {
		boxes = "1 box"
	}
	if e.Text == "" {
		_, err = fmt.Fprintf(a.out, "%s: counted, %s, all as recorded, %s, by %s\n", e.Unit, boxes, e.Time, e.By)
		return err
	}
	list, err := batches(a, dir)
	if err != nil {
		return err
	}
	states := make([]coldchain.BatchState, len(list))
	for i := range list {
		states[i] = list[i].BatchState
	}
	fmt.Fprintf(a.out, "%s: counted, %s, %s, signed by %s: %s\n", e.Unit, boxes, e.Time, e.By, e.Reason)
	for _, line := range strings.Split(e.Text, "; ") {
		fmt.Fprintln(a.out, "  "+line)
	}
	fmt.Fprintln(a.out, "The count has changed nothing. This would set the record right:")
	for _, line := range coldchain.MendCount(e, states) {
		fmt.Fprintln(a.out, "  "+line)
	}
	return nil
}

// boxes are those that were typed, and those that standard input brings.
func (c *batchCount) boxes(a *app) (list []coldchain.Counted, err error) {
	var errs []error
	take := func(s, place string) {
		x, err := readBox(s)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s%w", place, err))
			return
		}
		list = append(list, x)
	}
	read := false
	for _, s := range c.Found {
		if s != "-" {
			take(s, "")
			continue
		}
		if read {
			return nil, errors.New("- is given twice: standard input is read once")
		}
		read = true
		fmt.Fprintln(a.errOut, "Scan each box; end with Ctrl-D.")
		err := eachLine(a.in, func(n int, s string) { take(s, fmt.Sprintf("line %d: ", n)) })
		if err != nil {
			return nil, err
		}
	}
	return list, errors.Join(errs...)
}

// eachLine gives the lines that are not empty, as a scanner types them.
func eachLine(r io.Reader, f func(n int, s string)) error {
	in := bufio.NewScanner(r)
	for n := 1; in.Scan(); n++ {
		if s := strings.TrimSpace(in.Text()); s != "" {
			f(n, s)
		}
	}
	if err := in.Err(); err != nil {
		return fmt.Errorf("read what was scanned: %w", err)
	}
	return nil
}

// readBox reads BATCH, BATCH=VIALS or what a scanner says. Whose code that is,
// the daemon knows.
func readBox(s string) (coldchain.Counted, error) {
	s = strings.TrimSpace(s)
	id, n, counted := strings.Cut(s, "=")
	if !counted || !coldchain.ValidID(id) {
		if s == "" {
			return coldchain.Counted{}, errors.New("a box has a batch: give its id")
		}
		return coldchain.Counted{Batch: s}, nil
	}
	vials, err := strconv.Atoi(n)
	if err != nil || vials < 1 {
		return coldchain.Counted{}, fmt.Errorf("%q: write the vials that were found as %s=12; leave out a box that is empty", s, id)
	}
	return coldchain.Counted{Batch: id, Vials: vials}, nil
}
