package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"coldkeep/internal/coldchain"
)

type batchAttach struct {
	ID      string `arg:"" help:"The batch."`
	File    string `arg:"" optional:"" placeholder:"FILE" help:"The paper: a scan, a photo, a PDF, at most 20 MB. It is kept in the record for ever."`
	Kind    string `placeholder:"KIND" help:"What it is: certificate (of analysis), laboratory (an independent one's result), label, logger (a read-out), decision (the maker's, about a batch), other."`
	Checked string `name:"checked-by" placeholder:"NAME" help:"Who has looked at it."`
	Maker   string `placeholder:"NAME" help:"Who made the product, as its papers say."`
	Product string `placeholder:"NAME" help:"What the product is called."`
	Source  string `placeholder:"SOURCE" help:"Of what it is: plant, human, animal, other."`
	Tissue  string `placeholder:"TEXT" help:"Of which tissue the cells were."`
	order
}

// Run sends a paper to the daemon and attaches it to a batch, or tells where
// the product comes from, or both.
func (c *batchAttach) Run(a *app) error {
	cmd := coldchain.Command{Batch: c.ID}
	if o := (coldchain.Origin{Maker: c.Maker, Product: c.Product, Source: c.Source, Tissue: c.Tissue}); o != (coldchain.Origin{}) {
		cmd.Origin = &o
	}
	var err error
	if c.File != "" || c.Kind != "" || c.Checked != "" {
		if cmd.Paper, err = c.paper(); err != nil {
			return err
		}
	} else if cmd.Origin == nil {
		return errors.New("what is attached? give a FILE with --kind and --checked-by, or where the product comes from: --maker, --product, --source, --tissue")
	}
	if c.At != "" {
		if err := cmd.At.UnmarshalText([]byte(c.At)); err != nil {
			return fmt.Errorf("--at %q: write it as 2026-05-02T10:36:00Z", c.At)
		}
	}
	dir, err := c.dir(a)
	if err != nil {
		return err
	}
	if cmd.Paper != nil {
		if cmd.Paper.SHA256, err = keepFile(a, dir, c.File); err != nil {
			return err
		}
	}
	e, err := c.give(a, "attach", cmd)
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(a.out).Encode(e)
	}
	if p := e.Paper; p != nil {
		fmt.Fprintf(a.out, "%s: %s attached, %s, SHA-256 %s, checked by %s, by %s\n", e.Batch, p.Kind.Text(), p.Name, p.SHA256, p.Checked, p.By)
	}
	if e.Origin != nil {
		fmt.Fprintf(a.out, "%s: comes from %s, told by %s\n", e.Batch, e.Origin.Text(), e.By)
	}
	b, err := batchNamed(a, dir, e.Batch)
	if err != nil {
		return err
	}
	if len(b.Missing) > 0 {
		fmt.Fprintf(a.out, "still missing: %s; until then it is not for use\n", b.MissingText())
	}
	return nil
}

// paper tells of the file what the command says of it.
func (c *batchAttach) paper() (*coldchain.Paper, error) {
	var kinds []string
	known := false
	for _, k := range coldchain.PaperKinds {
		kinds = append(kinds, string(k))
		known = known || string(k) == c.Kind
	}
	switch {
	case c.File == "":
		return nil, errors.New("which paper is meant? give its FILE after the batch")
	case !known:
		return nil, fmt.Errorf("--kind %q: it is one of %s", c.Kind, strings.Join(kinds, ", "))
	case strings.TrimSpace(c.Checked) == "":
		return nil, errors.New("who has looked at this paper? give --checked-by NAME")
	}
	return &coldchain.Paper{Name: filepath.Base(c.File), Kind: coldchain.PaperKind(c.Kind), Checked: c.Checked}, nil
}

// keepFile sends a file to the daemon's record, and answers its SHA-256.
func keepFile(a *app, dir, path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("read paper: %w", err)
	}
	if !info.Mode().IsRegular() || info.Size() == 0 || info.Size() > coldchain.MaxFile {
		return "", fmt.Errorf("read paper %s: it has %d bytes; a file with at least one and at most 20 MB is kept", path, info.Size())
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("read paper: %w", err)
	}
	var answer struct {
		File struct {
			SHA256 string `json:"sha256"`
		} `json:"file"`
	}
	if err := askDaemon(a.ctx, dir, http.MethodPost, "/api/v1/files", data, &answer); err != nil {
		return "", err
	}
	return cmp.Or(answer.File.SHA256, "none"), nil
}
