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
	"net"
	"net/http"
	"os"
	"os/user"
	"path/filepath"
	"syscall"
	"time"

	"coldkeep/internal/coldchain"
)

type batchCommand struct {
	Receive batchReceive `cmd:"" group:"Where it is" aliases:"add" help:"A batch has come: from here on it has a record."`
	Place   batchPlace   `cmd:"" group:"Where it is" help:"Put a batch into a unit."`
	Move    batchMove    `cmd:"" group:"Where it is" help:"Move a batch to another unit."`
	TakeOut batchTakeOut `cmd:"" group:"Where it is" aliases:"remove" help:"Take a batch out of its unit."`
	Return  batchReturn  `cmd:"" group:"Where it is" help:"Put a batch back where it was taken out."`
	Where   batchWhere   `cmd:"" group:"Where it is" help:"Where the batches of a unit, or one batch, can be moved to."`
	Correct batchCorrect `cmd:"" group:"Where it is" help:"Where a batch was, was told wrongly: it happened at another time."`
	Count   batchCount   `cmd:"" group:"Where it is" help:"Count the boxes in a unit, and sign what differs from the record."`

	Split batchSplit `cmd:"" group:"Its vials" help:"Make some vials a batch of their own."`
	Open  batchOpen  `cmd:"" group:"Its vials" help:"Vials are opened or mixed: their time in use begins."`
	Use   batchUse   `cmd:"" group:"Its vials" help:"Vials are used."`

	Hold    batchHold    `cmd:"" group:"Decisions" help:"Hold batches back: not for use until somebody decides."`
	Recall  batchRecall  `cmd:"" group:"Decisions" help:"A lot is recalled: block it everywhere, and list what was used of it."`
	Release batchRelease `cmd:"" group:"Decisions" help:"Decide that quarantined batches may be used."`
	Discard batchDiscard `cmd:"" group:"Decisions" help:"Decide that batches, or some vials of one, are discarded."`
	Approve batchApprove `cmd:"" group:"Decisions" help:"Sign, as the second person, what another has proposed."`
	Adopt   batchAdopt   `cmd:"" group:"Decisions" help:"Judge batches by the newest revision of their label."`

	List   batchList   `cmd:"" group:"Record" help:"List the batches."`
	Show   batchShow   `cmd:"" group:"Record" help:"What the record says of a batch."`
	Label  batchLabel  `cmd:"" group:"Record" help:"Print labels whose code opens the batch's page."`
	Attach batchAttach `cmd:"" group:"Record" help:"Attach a paper to a batch, or tell where the product comes from."`
	File   batchFile   `cmd:"" group:"Record" help:"Get a paper of a batch back."`
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

// giveAll gives a command to the running daemon, waits as long as patience
// for it, and answers what it became.
func (o *sender) giveAll(a *app, patience time.Duration, name string, c coldchain.Command) ([]coldchain.Event, error) {
	dir, err := o.dir(a)
	if err != nil {
		return nil, err
	}
	c.ID, c.By, c.Reason, c.Via = o.CommandID, o.By, o.Reason, "cli"
	if c.ID == "" {
		c.ID = rand.Text()
	}
	if c.By == "" {
		u, err := user.Current()
		if err != nil {
			return nil, fmt.Errorf("who does this? give --by NAME (%w)", err)
		}
		c.By = u.Username
	}
	body, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("write command: %w", err)
	}
	var answer struct {
		Event  coldchain.Event   `json:"event"`
		Events []coldchain.Event `json:"events"`
	}
	err = askWithin(a.ctx, patience, dir, http.MethodPost, "/api/v1/commands/"+name, body, &answer)
	if len(answer.Events) == 0 {
		answer.Events = []coldchain.Event{answer.Event}
	}
	return answer.Events, err
}

// give gives a command to the running daemon, and answers the event that it
// became: the first, where it was about several batches.
func (o *sender) give(a *app, name string, c coldchain.Command) (coldchain.Event, error) {
	return o.giveWithin(a, patience, name, c)
}

// giveWithin is give with another patience.
func (o *sender) giveWithin(a *app, patience time.Duration, name string, c coldchain.Command) (coldchain.Event, error) {
	list, err := o.giveAll(a, patience, name, c)
	if err != nil {
		return coldchain.Event{}, err
	}
	return list[0], nil
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
