package main

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"coldkeep/internal/coldchain"
	"coldkeep/internal/recording"
	"coldkeep/sensor"
)

type readingsCommand struct {
	Import readingsImport `cmd:"" help:"Take in what a logger had recorded: of a batch's way here, or of a unit while nothing else was known."`
	Export readingsExport `cmd:"" help:"Write a probe's or a unit's readings as CSV."`
}

// lateWithin is how long the daemon may take to judge years anew.
const lateWithin = 10 * time.Minute

type readingsImport struct {
	Files    []string `arg:"" name:"file" help:"The logger's files: Berlinger Q-tag and Fridge-tag reports, CSV of LogTag, Elitech, Biovoice and others."`
	Batch    string   `placeholder:"B" help:"The logger came with this batch: what it saw is the beginning of the batch's record."`
	Unit     string   `placeholder:"U" help:"The logger lay in this unit: what it saw fills the time in which nothing else is known."`
	Timezone string   `placeholder:"TZ" help:"The zone that the logger's clock showed, Europe/London or UTC, where the file does not say."`
	Logger   string   `placeholder:"SERIAL" help:"The logger's serial number, where the file does not say."`
	Dates    string   `placeholder:"dmy|mdy" help:"What 03/04/2026 means, where the file does not tell: dmy for the day first, mdy for the month first."`
	From     string   `placeholder:"TIME" help:"When the logger was put to the batch; default: its first reading."`
	To       string   `placeholder:"TIME" help:"When the batch was taken from it; default: when it was placed, or will be."`
	DryRun   bool     `help:"Tell what would become of it, and change nothing."`
	sender
}

func (c *readingsImport) Run(a *app) error {
	switch {
	case (c.Batch == "") == (c.Unit == ""):
		return errors.New("whose are the readings? give --batch B for a logger that came with a batch, or --unit U for one that lay in a unit")
	case c.Unit != "" && (c.From != "" || c.To != ""):
		return errors.New("--from and --to are of a logger that came with a batch; one that lay in a unit counts where nothing else is known")
	case c.CommandID != "" && len(c.Files) > 1:
		return errors.New("--id is of one file: import them one by one")
	}
	cmd := coldchain.Command{Batch: c.Batch, Unit: c.Unit, DryRun: c.DryRun}
	var err1, err2 error
	cmd.Since, err1 = timeOf("--from", c.From)
	cmd.Until, err2 = timeOf("--to", c.To)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	dir, err := c.dir(a)
	if err != nil {
		return err
	}
	var errs []error
	for _, path := range c.Files {
		if err := c.one(a, dir, path, cmd); err != nil {
			errs = append(errs, fmt.Errorf("import %s: %w", path, err))
		}
	}
	return errors.Join(errs...)
}

// timeOf reads an option that is a time; 0 where it is not given.
func timeOf(option, text string) (t sensor.Instant, err error) {
	if text == "" {
		return 0, nil
	}
	if err := t.UnmarshalText([]byte(text)); err != nil {
		return 0, fmt.Errorf("%s %q: write it as 2026-05-02T10:36:00Z", option, text)
	}
	return t, nil
}

// one imports a file: the file itself goes to the record first.
func (c *readingsImport) one(a *app, dir, path string, cmd coldchain.Command) error {
	data, err := readFile(path)
	if err != nil {
		return err
	}
	cmd.Readout = &coldchain.Readout{Name: filepath.Base(path), Logger: c.Logger, Zone: c.Timezone, Dates: c.Dates}
	if _, _, err := c.look(data, cmd.Readout); err != nil {
		return err // before the record keeps a file for ever that it cannot read
	}
	var sent struct {
		File struct {
			SHA256 string `json:"sha256"`
		} `json:"file"`
	}
	if err := askWithin(a.ctx, lateWithin, dir, http.MethodPost, "/api/v1/files", data, &sent); err != nil {
		return err
	}
	cmd.Readout.SHA256 = sent.File.SHA256
	from := c.sender
	if from.CommandID == "" {
		from.CommandID = rand.Text()
	}
	e, err := from.giveWithin(a, lateWithin, "import", cmd)
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(a.out).Encode(e)
	}
	return c.print(a, dir, e, e.ID != from.CommandID)
}

// look reads the file as the daemon will.
func (c *readingsImport) look(data []byte, r *coldchain.Readout) (coldchain.Readout, []sensor.Reading, error) {
	o := recording.LogOptions{Name: r.Name, Logger: r.Logger, Zone: r.Zone, Dates: r.Dates}
	if r.Zone != "" {
		var err error
		if o.Location, err = time.LoadLocation(r.Zone); err != nil || r.Zone == "Local" {
			return coldchain.Readout{}, nil, fmt.Errorf("--timezone %q is no zone; Europe/London, America/New_York and UTC are such", r.Zone)
		}
	}
	if r.Dates != "" && r.Dates != recording.DayFirst && r.Dates != recording.MonthFirst {
		return coldchain.Readout{}, nil, fmt.Errorf("--dates %q: it is dmy for the day first, or mdy for the month first", r.Dates)
	}
	return recording.ReadLog(data, o)
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, coldchain.MaxFile+1))
	if err != nil {
		return nil, err
	}
	if len(data) > coldchain.MaxFile {
		return nil, errors.New("the file is larger than 20 MB: read the logger out in parts")
	}
	return data, nil
}

func (c *readingsImport) print(a *app, dir string, e coldchain.Event, before bool) error {
	r := e.Readout
	if r == nil {
		return fmt.Errorf("the daemon answered %s, not an import", e.Kind)
	}
	var b strings.Builder
	if before {
		fmt.Fprintf(&b, "%s: imported already, at %s by %s: nothing was done\n", r.Name, e.Found, e.By)
	}
	fmt.Fprintf(&b, "%s: logger %s (%s), %d readings from %s to %s, one each %s, zone %s\n", r.Name, r.Logger, r.Format, r.Good+r.Faults, r.First, r.Last, coldchain.Span(r.IntervalS), r.Zone)
	if r.Faults > 0 {
		fmt.Fprintf(&b, "  without a temperature: %d\n", r.Faults)
	}
	if r.Known > 0 {
		fmt.Fprintf(&b, "  known from an earlier read-out: %d, of which %d say another temperature and were left aside\n", r.Known, r.Conflicts)
	} else if r.Conflicts > 0 {
		fmt.Fprintf(&b, "  the same instant with two temperatures: %d, of which the first counts\n", r.Conflicts)
	}
	if r.Low != nil || r.High != nil {
		fmt.Fprintf(&b, "  its own limits: %s to %s °C\n", limitText(r.Low), limitText(r.High))
	}
	if r.MKT != nil {
		fmt.Fprintf(&b, "  its own mean kinetic temperature: %.1f °C\n", *r.MKT)
	}
	if r.Tripped != "" {
		fmt.Fprintf(&b, "  its own alarms: %s\n", r.Tripped)
	} else {
		fmt.Fprintf(&b, "  its own alarms: none that it tells of\n")
	}
	switch {
	case c.DryRun && e.Text == "":
		fmt.Fprintln(&b, "nothing would be judged otherwise; nothing was changed")
	case c.DryRun:
		fmt.Fprintf(&b, "what would become of it (nothing was changed):\n%s\n", e.Text)
	case e.Batch != "":
		until := "until it is placed"
		if e.End != nil {
			until = "to " + e.End.String()
		}
		fmt.Fprintf(&b, "batch %s was with %s from %s %s\n", e.Batch, e.Unit, e.Start, until)
		x, err := batchNamed(a, dir, e.Batch)
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "batch %s: %s since %s. %s\n", x.ID, x.Verdict, x.Since, x.Words.Headline)
		for _, reason := range x.Reasons {
			fmt.Fprintf(&b, "  %s: %s, %s\n", reason.Rule, reason.Text, reason.At)
		}
	default:
		fmt.Fprintf(&b, "it counts in %s from %s to %s wherever nothing else is known\n", e.Unit, e.Start, r.Last)
	}
	_, err := io.WriteString(a.out, b.String())
	return err
}

func limitText(t *sensor.Temp) string {
	if t == nil {
		return "none"
	}
	return t.String()
}
