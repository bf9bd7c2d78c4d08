package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"coldkeep/internal/coldchain"
	"coldkeep/internal/monitor"
	"coldkeep/internal/store"
)

type batchCommand struct {
	Receive batchReceive `cmd:"" aliases:"add" help:"A batch has come: from here on it has a record."`
	Place   batchPlace   `cmd:"" help:"Put a batch into a unit."`
	Move    batchMove    `cmd:"" help:"Move a batch to another unit."`
	TakeOut batchTakeOut `cmd:"" aliases:"remove" help:"Take a batch out of its unit."`
	Release batchRelease `cmd:"" help:"Decide that a quarantined batch may be used."`
	Discard batchDiscard `cmd:"" help:"Decide that a batch is discarded."`
	Use     batchUse     `cmd:"" help:"A batch is used up."`
	List    batchList    `cmd:"" help:"List the batches."`
	Where   batchWhere   `cmd:"" help:"Where the batches of a unit, or one batch, can be moved to."`
	Show    batchShow    `cmd:"" help:"What the record says of a batch."`
	Correct batchCorrect `cmd:"" help:"Where a batch was, was told wrongly: it happened at another time."`
	Label   batchLabel   `cmd:"" help:"Print labels whose code opens the batch's page."`
	Attach  batchAttach  `cmd:"" help:"Attach a paper to a batch, or tell where the product comes from."`
	File    batchFile    `cmd:"" help:"Get a paper of a batch back."`
	Count   batchCount   `cmd:"" help:"Count the boxes in a unit, and sign what differs from the record."`
}

// where finds the daemon.
type where struct {
	Dir    string `placeholder:"DIR" help:"The daemon's data directory; without it and without --config /var/lib/coldkeep, where that is there."`
	Config string `placeholder:"FILE" help:"The daemon's configuration file."`
}

// usualDir is where a record is kept unless the config says otherwise.
const usualDir = "/var/lib/coldkeep"

func (w *where) dir(a *app) (string, error) {
	switch {
	case w.Dir != "":
		return w.Dir, nil
	case w.Config != "":
		cfg, err := a.load(w.Config)
		if err != nil {
			return "", err
		}
		return cfg.Storage.Dir, nil
	}
	if _, err := os.Stat(usualDir); err == nil {
		return usualDir, nil
	}
	return "", errors.New("which daemon? give --dir DIR or --config FILE")
}

// sender is what every command that changes something takes.
type sender struct {
	where
	By        string `placeholder:"NAME" help:"Who does this; default: the user of this machine."`
	Reason    string `placeholder:"TEXT" help:"Why."`
	CommandID string `name:"id" placeholder:"ID" help:"The command's own id: a repeat with the same one does nothing."`
	JSON      bool   `name:"json" help:"Print the event as JSON."`
}

// order is of what happened to a batch, perhaps earlier.
type order struct {
	sender
	At string `placeholder:"TIME" help:"When it happened, if not now: 2026-05-02T10:36:00Z."`
}

// give gives a command to the running daemon.
func (o *sender) give(a *app, name string, c coldchain.Command) (coldchain.Event, error) {
	return o.giveWithin(a, patience, name, c)
}

// giveWithin is give with another patience.
func (o *sender) giveWithin(a *app, patience time.Duration, name string, c coldchain.Command) (coldchain.Event, error) {
	dir, err := o.dir(a)
	if err != nil {
		return coldchain.Event{}, err
	}
	c.ID, c.By, c.Reason, c.Via = o.CommandID, o.By, o.Reason, "cli"
	if c.ID == "" {
		c.ID = rand.Text()
	}
	if c.By == "" {
		u, err := user.Current()
		if err != nil {
			return coldchain.Event{}, fmt.Errorf("who does this? give --by NAME (%w)", err)
		}
		c.By = u.Username
	}
	body, err := json.Marshal(c)
	if err != nil {
		return coldchain.Event{}, fmt.Errorf("write command: %w", err)
	}
	var answer struct {
		Event coldchain.Event `json:"event"`
	}
	err = askWithin(a.ctx, patience, dir, http.MethodPost, "/api/v1/commands/"+name, body, &answer)
	return answer.Event, err
}

// send gives a command about a batch, and prints what became of it.
func (o *order) send(a *app, name string, c coldchain.Command) error {
	if o.At != "" {
		if err := c.At.UnmarshalText([]byte(o.At)); err != nil {
			return fmt.Errorf("--at %q: write it as 2026-05-02T10:36:00Z", o.At)
		}
	}
	e, err := o.give(a, name, c)
	if err != nil {
		return err
	}
	if o.JSON {
		return json.NewEncoder(a.out).Encode(e)
	}
	what := strings.TrimPrefix(strings.ReplaceAll(string(e.Kind), "_", " "), "batch ")
	if e.Unit != "" {
		what += " in " + e.Unit
	}
	_, err = fmt.Fprintf(a.out, "%s: %s, %s, by %s\n", e.Batch, what, e.Time, e.By)
	return err
}

// errNotRunning says that nobody listens on the socket.
var errNotRunning = errors.New("no daemon runs there")

// patience is how long the daemon may take to answer.
const patience = 30 * time.Second

// askDaemon speaks HTTP on the daemon's socket.
func askDaemon(ctx context.Context, dir, method, path string, body []byte, into any) error {
	return askWithin(ctx, patience, dir, method, path, body, into)
}

// askWithin is askDaemon with another patience.
func askWithin(ctx context.Context, patience time.Duration, dir, method, path string, body []byte, into any) error {
	socket := filepath.Join(dir, socketName)
	client := http.Client{Timeout: patience, Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", socket)
	}}}
	req, err := http.NewRequestWithContext(ctx, method, "http://coldkeep"+path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("ask daemon: %w", err)
	}
	resp, err := client.Do(req)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("ask daemon on %s: %w: start `coldkeep run`", socket, errNotRunning)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("ask daemon: %s may be opened by its owner and group only: are you in the group?", socket)
	case err != nil:
		return fmt.Errorf("ask daemon: %w", err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return fmt.Errorf("read the daemon's answer: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		var e struct {
			Error struct{ Message string }
		}
		if json.Unmarshal(data, &e) == nil && e.Error.Message != "" {
			return errors.New(e.Error.Message)
		}
		return fmt.Errorf("the daemon answered %s", resp.Status)
	}
	if file, ok := into.(*[]byte); ok {
		*file = data
		return nil
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("read the daemon's answer: %w", err)
	}
	return nil
}

type batchReceive struct {
	ID      string `arg:"" optional:"" help:"The batch's id: letters, digits, hyphens; by default made of the lot that was scanned."`
	Scan    string `placeholder:"CODE" help:"What a scanner reads of the supplier's code, or the line beneath it: (01)09512345678903(10)ABC(17)270131. It tells profile (by products in the config), lot and expiry."`
	Profile string `placeholder:"P" help:"The storage conditions on its label."`
	Lot     string `placeholder:"L" help:"The lot on its label."`
	Vials   int    `placeholder:"N" help:"How many vials."`
	Expiry  string `placeholder:"DATE" help:"The last day on its label, 2027-01-31."`
	order
}

func (c *batchReceive) Run(a *app) error {
	if c.Expiry != "" {
		if _, err := time.Parse(time.DateOnly, c.Expiry); err != nil {
			return fmt.Errorf("--expiry %q: write it as 2027-01-31", c.Expiry)
		}
	}
	if c.Scan == "" && (c.ID == "" || c.Profile == "") {
		return errors.New("what is received? give its id and --profile P, or --scan CODE")
	}
	return c.send(a, "receive", coldchain.Command{Batch: c.ID, Scan: c.Scan, Profile: c.Profile, Lot: c.Lot, Vials: c.Vials, Expiry: c.Expiry})
}

type batchPlace struct {
	ID   string `arg:"" help:"The batch."`
	Unit string `arg:"" help:"The unit."`
	order
}

func (c *batchPlace) Run(a *app) error {
	return c.send(a, "place", coldchain.Command{Batch: c.ID, Unit: c.Unit})
}

type batchMove struct {
	ID   string `arg:"" help:"The batch."`
	Unit string `arg:"" help:"The unit it goes to."`
	order
}

func (c *batchMove) Run(a *app) error {
	return c.send(a, "move", coldchain.Command{Batch: c.ID, Unit: c.Unit})
}

type batchTakeOut struct {
	ID string `arg:"" help:"The batch."`
	order
}

func (c *batchTakeOut) Run(a *app) error {
	return c.send(a, "take-out", coldchain.Command{Batch: c.ID})
}

type batchRelease struct {
	ID    string   `arg:"" help:"The batch."`
	Rules []string `placeholder:"RULE" help:"The reasons that this answers; default: all."`
	order
}

func (c *batchRelease) Run(a *app) error {
	return c.send(a, "release", coldchain.Command{Batch: c.ID, Rules: c.Rules})
}

type batchDiscard struct {
	ID string `arg:"" help:"The batch."`
	order
}

func (c *batchDiscard) Run(a *app) error {
	return c.send(a, "discard", coldchain.Command{Batch: c.ID})
}

type batchUse struct {
	ID string `arg:"" help:"The batch."`
	order
}

func (c *batchUse) Run(a *app) error { return c.send(a, "use", coldchain.Command{Batch: c.ID}) }

// batchLine is a batch as the API gives it.
type batchLine struct {
	coldchain.BatchState
	Range    string              `json:"range"` // of its profile, in words
	Flagged  bool                `json:"flagged"`
	Words    coldchain.Words     `json:"words"`
	VialText *coldchain.VialText `json:"vial_text,omitempty"` // what stands on a vial that is opened
}

// batches asks the daemon, or reads the record of one that does not run.
func batches(a *app, dir string) ([]batchLine, error) {
	var answer struct {
		Batches []batchLine `json:"batches"`
	}
	err := askDaemon(a.ctx, dir, http.MethodGet, "/api/v1/batches", nil, &answer)
	if !errors.Is(err, errNotRunning) {
		return answer.Batches, err
	}
	s, err := stopped(a, dir)
	if err != nil {
		return nil, err
	}
	reader := coldchain.NewReader(s.Site, s.At, time.UTC)
	var list []batchLine
	for i := range s.Batches {
		b := &s.Batches[i]
		var unit *coldchain.UnitState
		for j := range s.Units {
			if s.Units[j].ID == b.Unit {
				unit = &s.Units[j]
			}
		}
		// Nobody watches: nothing is good now.
		if b.Now == coldchain.NowInRange {
			b.Now = coldchain.NowNoData
		}
		list = append(list, batchLine{*b, b.Profile.RangeText(), b.Verdict.Flagged(), b.Words(reader, unit), b.VialText(reader)})
	}
	return list, nil
}

// stopped reads how things stood in the record of a daemon that does not run.
func stopped(a *app, dir string) (*coldchain.Snapshot, error) {
	st, err := store.OpenReadOnly(a.ctx, dir)
	if err != nil {
		return nil, err
	}
	defer st.Close()
	m := monitor.New(st, monitor.Options{Interval: time.Minute, Log: slog.New(slog.DiscardHandler)})
	if err := m.Open(a.ctx); err != nil {
		return nil, err
	}
	s := m.Snapshot()
	fmt.Fprintf(a.errOut, "no daemon runs on %s: this is its record up to %s\n", dir, s.At)
	return s, nil
}

type batchList struct {
	where
	JSON bool `name:"json" help:"Print one JSON object."`
}

func (c *batchList) Run(a *app) error {
	dir, err := c.dir(a)
	if err != nil {
		return err
	}
	list, err := batches(a, dir)
	if err != nil {
		return err
	}
	if c.JSON {
		if list == nil {
			list = []batchLine{}
		}
		return json.NewEncoder(a.out).Encode(map[string]any{"batches": list})
	}
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "BATCH\tUNIT\tVERDICT\tNOW\tWHAT TO READ")
	for _, b := range list {
		unit := b.Unit
		if unit == "" {
			unit = "-"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", b.ID, unit, b.Verdict, b.Now, b.Words.Headline)
	}
	return w.Flush()
}

// batchNamed finds a batch by its id, without case.
func batchNamed(a *app, dir, id string) (batchLine, error) {
	list, err := batches(a, dir)
	if err != nil {
		return batchLine{}, err
	}
	for _, b := range list {
		if strings.EqualFold(b.ID, id) {
			return b, nil
		}
	}
	return batchLine{}, fmt.Errorf("no batch %q is known here: `coldkeep batch list` shows those that are", id)
}
