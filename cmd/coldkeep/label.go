package main

import (
	"cmp"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"

	"github.com/alecthomas/kong"

	"coldkeep/internal/report"
)

type batchLabel struct {
	ID    string `arg:"" help:"The batch."`
	Size  string `default:"62x29" placeholder:"SIZE" help:"One of ${label_sizes}."`
	Count int    `default:"1" placeholder:"N" help:"How many."`
	URL   string `name:"url" placeholder:"URL" help:"Where the pages are for those who scan it; default: web.url of the config."`
	Out   string `short:"o" placeholder:"FILE" help:"Write the PDF there; - is standard output. Default: BATCH-labels.pdf."`
	where
}

// Run writes labels whose code opens the batch's page.
func (c *batchLabel) Run(a *app) error {
	size, err := report.SizeNamed(c.Size)
	if err != nil {
		return err
	}
	if c.Count < 1 || c.Count > 1000 {
		return fmt.Errorf("--count %d: from 1 to 1000 can be", c.Count)
	}
	base := c.URL
	if base == "" && c.Config != "" {
		cfg, err := a.load(c.Config)
		if err != nil {
			return err
		}
		base = cfg.Web.URL
	}
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("where are the pages for those who scan the label? Give --url http://HOST:8080, or web.url in the config with --config")
	}
	dir, err := c.dir(a)
	if err != nil {
		return err
	}
	b, err := batchNamed(a, dir, c.ID)
	if err != nil {
		return err
	}
	labels := make([]report.Label, c.Count)
	for i := range labels {
		labels[i] = report.Label{Batch: b.ID, Lot: b.Lot, Expiry: b.Expiry, Range: b.Range, URL: u.JoinPath("b", b.ID).String()}
		if b.VialText != nil {
			labels[i].Head, labels[i].Foot = b.VialText.Head, b.VialText.Foot
		}
	}
	return c.write(a, size, labels)
}

func (c *batchLabel) write(a *app, size report.Size, labels []report.Label) (err error) {
	out := a.out
	path := cmp.Or(c.Out, labels[0].Batch+"-labels.pdf")
	if path != "-" {
		f, err := os.Create(path)
		if err != nil {
			return fmt.Errorf("write labels: %w", err)
		}
		defer func() {
			if e := f.Close(); err == nil && e != nil {
				err = fmt.Errorf("write labels: %w", e)
			}
		}()
		out = io.Writer(f)
	}
	if err := report.WriteLabels(out, size, labels); err != nil {
		return err
	}
	if path != "-" {
		fmt.Fprintf(a.errOut, "%s: %d labels of %s, %s\n", path, len(labels), size.Name, size.Text)
	}
	return nil
}

// helpWords are what the help says and the code alone knows.
func helpWords() kong.Vars { return kong.Vars{"label_sizes": labelSizes()} }

// labelSizes lists the sizes for the help.
func labelSizes() string {
	var list []string
	for _, s := range report.Sizes() {
		list = append(list, s.Name+" ("+s.Text+")")
	}
	return strings.Join(list, ", ")
}
