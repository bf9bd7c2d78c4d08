package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"time"

	"coldkeep/internal/coldchain"
	"coldkeep/internal/config"
	"coldkeep/internal/recording"
	"coldkeep/sensor"
)

type replayCommand struct {
	Config       string   `required:"" placeholder:"FILE" help:"The configuration file."`
	Batches      string   `placeholder:"FILE" help:"Which batch was where, in YAML."`
	Readings     []string `required:"" sep:"none" placeholder:"FILE" help:"Recorded readings in CSV; - is standard input. May be given several times."`
	More         []string `arg:"" optional:"" name:"readings-file" help:"More readings."`
	Timezone     string   `default:"UTC" placeholder:"TZ" help:"The zone of times that name none."`
	Until        string   `placeholder:"TIME" help:"Where the replay ends; by default with the last reading."`
	Interval     string   `placeholder:"SPAN" help:"What interval the readings stand for, where a file's own is longer than the unit's max_gap: three of it."`
	SkipBadLines bool     `help:"Count lines that cannot be read instead of refusing the file."`
	JSON         bool     `name:"json" help:"Print one JSON object."`
}

func (c *replayCommand) Run(a *app) error {
	data, err := os.ReadFile(c.Config)
	if err != nil {
		return fmt.Errorf("read config: %w", err)
	}
	cfg, err := config.ParseForReplay(c.Config, data)
	if err != nil {
		return err
	}
	loc, err := time.LoadLocation(c.Timezone)
	if err != nil {
		return fmt.Errorf("--timezone %s: no such zone; names like Europe/London are", c.Timezone)
	}
	var until sensor.Instant
	if c.Until != "" {
		if err := until.UnmarshalText([]byte(c.Until)); err != nil {
			return fmt.Errorf("--until %s: no time; 2026-05-02T10:36:00Z is", c.Until)
		}
	}
	var lives []coldchain.Life
	if c.Batches != "" {
		if lives, err = cfg.LoadBatches(c.Batches); err != nil {
			return err
		}
	}
	files, err := c.open(cfg, loc)
	defer func() {
		for _, f := range files {
			f.Close()
		}
	}()
	if err != nil {
		return err
	}
	judging, err := c.gaps(cfg.Judging(), files)
	if err != nil {
		return err
	}
	found, err := replay(judging, lives, files, until)
	if err != nil {
		return err
	}
	for _, f := range files {
		found.skipped += f.Skipped
	}
	w := bufio.NewWriter(a.out)
	if c.JSON {
		err = found.writeJSON(w)
	} else {
		err = found.writeText(w)
	}
	return errors.Join(err, w.Flush())
}

// open checks all files; what is wrong with any of them is told at once.
func (c *replayCommand) open(cfg *config.Config, loc *time.Location) ([]*recording.File, error) {
	o := recording.Options{Location: loc, SkipBad: c.SkipBadLines}
	for _, p := range cfg.Probes {
		o.Probes = append(o.Probes, p.ID)
	}
	var files []*recording.File
	var bad error
	for _, path := range append(slices.Clone(c.Readings), c.More...) {
		f, err := recording.Open(path, o)
		if err != nil {
			bad = errors.Join(bad, err)
			continue
		}
		files = append(files, f)
	}
	return files, bad
}

// gaps holds each file's usual interval against the max_gap of the units that
// it judges: readings that come less often than they stand would be gaps only.
func (c *replayCommand) gaps(cfg coldchain.Config, files []*recording.File) (coldchain.Config, error) {
	var stands time.Duration
	if c.Interval != "" {
		d, err := config.ParseDuration(c.Interval)
		if err != nil || d <= 0 {
			return cfg, fmt.Errorf("--interval %s: no time span; 10m is", c.Interval)
		}
		stands = 3 * d
	}
	cfg.Units = slices.Clone(cfg.Units)
	var bad error
	for i := range cfg.Units {
		u := &cfg.Units[i]
		for _, f := range files {
			for _, p := range u.Probes {
				x := f.Probes[p.ID]
				if x == nil {
					continue
				}
				if stands > 0 {
					u.MaxGap = stands
				} else if x.Usual() > u.MaxGap {
					bad = errors.Join(bad, fmt.Errorf("%s: probe %s was recorded every %s, but unit %s lets a reading stand for %s only (max_gap); say --interval %s if each reading stands for that long",
						f.Path, p.ID, x.Usual(), u.ID, u.MaxGap, x.Usual()))
				}
			}
		}
	}
	return cfg, bad
}

// A finding is all that a replay tells.
type finding struct {
	coldchain.Result
	skipped     int
	first, last sensor.Instant
	until       sensor.Instant // the end of what was judged
	any         bool
}

// replay sends the files' readings through the evaluators in order of time.
func replay(cfg coldchain.Config, lives []coldchain.Life, files []*recording.File, until sensor.Instant) (*finding, error) {
	m, err := recording.Merge(files...)
	if err != nil {
		return nil, err
	}
	found := &finding{}
	r := coldchain.NewReplayer(cfg, lives, until)
	var x sensor.Reading
	for {
		ok, err := m.Next(&x)
		if err != nil {
			return nil, err
		}
		if !ok {
			break
		}
		judged, err := r.Observe(x)
		if err != nil {
			return nil, err
		}
		if !judged {
			break // after the end; all that follows is later still
		}
		if !found.any {
			found.any, found.first = true, x.Time
		}
		found.last = x.Time
	}
	if found.until = until; until == 0 {
		found.until = found.last
	}
	found.Result, err = r.Finish()
	return found, err
}

// number rounds to three decimals.
func number(f float64) float64 { return math.Round(f*1000) / 1000 }

func (f *finding) writeJSON(w io.Writer) error {
	type counts struct {
		Good      int             `json:"good"`
		Faults    int             `json:"faults"`
		Skipped   int             `json:"skipped"`
		Conflicts int             `json:"conflicts"`
		First     *sensor.Instant `json:"first"`
		Last      *sensor.Instant `json:"last"`
	}
	n := counts{Good: f.Good, Faults: f.Faults, Skipped: f.skipped, Conflicts: f.Conflicts}
	if f.any {
		n.First, n.Last = &f.first, &f.last
	}
	batches := []replayedBatch{}
	for i := range f.Batches {
		if m := f.Batches[i].Exposure.MKTC; m != nil {
			x := number(*m)
			f.Batches[i].Exposure.MKTC = &x
		}
		batches = append(batches, replayedBatch{f.Batches[i], f.Batches[i].Uncalibrated(f.until)})
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(struct {
		Readings    counts                `json:"readings"`
		Excursions  []coldchain.Excursion `json:"excursions"`
		Alarms      []coldchain.Alarm     `json:"alarms"`
		Gaps        []coldchain.Gap       `json:"gaps"`
		Batches     []replayedBatch       `json:"batches"`
		ProbeAlarms []coldchain.Alarm     `json:"probe_alarms"`
	}{n, list(f.Excursions), list(f.Alarms), list(f.Gaps), batches, list(f.ProbeAlarms)})
}

// A replayedBatch is a batch at the end of a recording.
type replayedBatch struct {
	coldchain.BatchState
	// Uncalibrated are the probes that judged it without a valid calibration.
	Uncalibrated []string `json:"uncalibrated"`
}

// list is never null in JSON.
func list[T any](l []T) []T {
	if l == nil {
		return []T{}
	}
	return l
}

func (f *finding) writeText(w io.Writer) error {
	p := func(format string, args ...any) { fmt.Fprintf(w, format, args...) }
	if f.any {
		p("%d readings from %s to %s", f.Good, f.first, f.last)
	} else {
		p("no readings")
	}
	for _, x := range []struct {
		n    int
		what string
	}{{f.Faults, "faults"}, {f.Conflicts, "conflicts"}, {f.skipped, "lines skipped"}} {
		if x.n > 0 {
			p(", %d %s", x.n, x.what)
		}
	}
	p("\n")
	end := func(t *sensor.Instant) string {
		if t == nil {
			return "still open"
		}
		return t.String()
	}
	for _, x := range f.Excursions {
		lo, hi := "", ""
		if x.MinC != nil {
			lo, hi = x.MinC.String(), x.MaxC.String()
		}
		p("excursion  %s  %s  %s – %s  %s  %s…%s °C", x.Unit, x.Kind, x.Start, end(x.End), span(x.DurationS), lo, hi)
		if x.UnmonitoredS > 0 {
			p("  unmonitored %s", span(x.UnmonitoredS))
		}
		p("\n")
	}
	for _, x := range f.Alarms {
		p("alarm      %s  %s  %s – %s  %s\n", x.Unit, x.Rule, x.Raised, end(x.Cleared), x.Text)
	}
	for _, x := range f.ProbeAlarms {
		p("probes     %s  %s  %s – %s  %s\n", x.Unit, x.Rule, x.Raised, end(x.Cleared), x.Text)
	}
	for _, x := range f.Gaps {
		p("gap        %s  %s – %s  %s\n", x.Unit, x.Start, end(x.End), span(x.DurationS))
	}
	for _, b := range f.Batches {
		p("batch      %s  %s since %s\n", b.ID, b.Verdict, b.Since)
		for _, r := range b.Reasons {
			p("           %s at %s: %s", r.Rule, r.At, r.Text)
			if r.Doubtful {
				p(" (doubtful: part of that time has no data)")
			}
			p("\n")
		}
		x := b.Exposure
		p("           monitored %s, above %s, below %s, unmonitored %s, outside %s", span(x.MonitoredS), span(x.AboveS), span(x.BelowS), span(x.UnmonitoredS), span(x.OutsideS))
		if x.MinC != nil {
			p(", %s…%s °C", x.MinC, x.MaxC)
		}
		if x.MKTC != nil {
			p(", mean kinetic temperature %s °C", strconv.FormatFloat(number(*x.MKTC), 'f', -1, 64))
		}
		if x.FreezeThawCycles > 0 {
			p(", thawed and frozen again %s", coldchain.CyclesText(x.FreezeThawAtLeast, x.FreezeThawCycles))
		}
		p("\n")
		if s := b.CalibrationText(f.until, time.UTC); s != "" {
			p("           %s\n", s)
		}
		for _, l := range b.Allowance {
			if l.OfCycles() {
				p("           %s: %d freeze-thaw cycles used, %d left\n", l.Rule, l.Cycles, l.CyclesLeft)
				continue
			}
			p("           %s: %s used, %s left\n", l.Rule, span(l.UsedS), span(l.LeftS))
		}
	}
	return nil
}

// span writes seconds as a time span.
func span(s float64) string {
	return time.Duration(s * float64(time.Second)).Round(time.Millisecond).String()
}
