package main

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"coldkeep/internal/coldchain"
	"coldkeep/internal/store"
	"coldkeep/internal/web"
	"coldkeep/sensor"
)

// aDaemon is a monitor behind the real web server on a socket, that the test
// fills and whose commands it reads.
type aDaemon struct {
	mu       sync.Mutex
	snap     coldchain.Snapshot
	done     []coldchain.Command
	answered func(*coldchain.Snapshot) // what becomes of a test
}

func (d *aDaemon) Snapshot() *coldchain.Snapshot {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.snap
	return &s
}
func (d *aDaemon) Changed() <-chan struct{} { return nil }
func (d *aDaemon) Alive() bool              { return true }
func (d *aDaemon) AddFile(context.Context, []byte) (string, error) {
	return "", errors.New("no files")
}
func (d *aDaemon) File(context.Context, string) ([]byte, error) { return nil, errors.New("no files") }
func (d *aDaemon) Events(context.Context, uint64, int) ([]coldchain.Event, error) {
	return nil, errors.New("no events")
}
func (d *aDaemon) EventsOf(context.Context, ...coldchain.Kind) ([]coldchain.Event, error) {
	return nil, errors.New("no events")
}
func (d *aDaemon) Readings(context.Context, string, sensor.Instant, sensor.Instant, int) ([]sensor.Reading, error) {
	return nil, errors.New("no readings")
}
func (d *aDaemon) Do(_ context.Context, c coldchain.Command) (coldchain.Event, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.done = append(d.done, c)
	e := coldchain.Event{Time: 1_777_950_000_000, By: c.By, Via: c.Via, ID: c.ID, Call: &coldchain.Call{Trouble: "fridge-1/1", Until: c.Until}}
	switch c.Name {
	case "ack":
		if c.Alarm == "attic" {
			return e, &coldchain.Refusal{Code: "not_found", Message: "no trouble of attic is open"}
		}
		e.Kind, e.Call.Until = coldchain.AlarmAcknowledged, 1_777_951_200_000
	case "decline":
		e.Kind = coldchain.CallDeclined
	case "shelve":
		e.Kind = coldchain.AlarmShelved
	case "unshelve":
		e.Kind = coldchain.AlarmUnshelved
	case "close":
		e.Kind = coldchain.AlarmClosed
	case "test":
		e.Kind, e.Call.Trouble = coldchain.DrillStarted, "drill/1"
		at := e.Time
		d.snap.Drill = &coldchain.DrillState{At: &at}
		if d.answered != nil {
			d.answered(&d.snap)
		}
	}
	return e, nil
}

func startSocket(t *testing.T) (*aDaemon, string) {
	t.Helper()
	d, dir := &aDaemon{}, t.TempDir()
	s, err := web.New(d, web.Options{Interval: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	var l net.Listener
	if l, err = web.ListenSocket(filepath.Join(dir, socketName)); err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	t.Cleanup(func() {
		if err := errors.Join(s.Close(context.Background()), <-served); err != nil {
			t.Error(err)
		}
	})
	return d, dir
}

// Every answer to an alarm is the command that the daemon expects.
func TestAnswersToAlarms(t *testing.T) {
	d, dir := startSocket(t)
	for _, c := range []struct {
		line, out string
		want      coldchain.Command
	}{
		{"ack --by Anna", "fridge-1/1: acknowledged until 2026-05-05T03:20:00Z, 2026-05-05T03:00:00Z, by Anna\n", coldchain.Command{Name: "ack"}},
		{"ack fridge-1 --promise 30m --person anna --by Anna", "fridge-1/1: acknowledged", coldchain.Command{Name: "ack", Alarm: "fridge-1", Promise: "30m0s", Person: "anna"}},
		{"decline fridge-1/1 --by Anna", "fridge-1/1: call declined, ", coldchain.Command{Name: "decline", Alarm: "fridge-1/1"}},
		{"shelve fridge-1 --until 2026-05-05T06:00:00Z --reason defrost --by Anna", "fridge-1/1: shelved until 2026-05-05T06:00:00Z", coldchain.Command{Name: "shelve", Alarm: "fridge-1", Until: 1_777_960_800_000, Reason: "defrost"}},
		{"unshelve fridge-1 --by Anna", "fridge-1/1: unshelved, ", coldchain.Command{Name: "unshelve", Alarm: "fridge-1"}},
		{"close fridge-1 --cause door --action shut --by Anna", "fridge-1/1: closed, ", coldchain.Command{Name: "close", Alarm: "fridge-1", Cause: "door", Action: "shut"}},
	} {
		d.done = nil
		code, out, errOut := call(t, append([]string{"alarms"}, append(strings.Fields(c.line), "--id", "the-id", "--dir", dir)...)...)
		if code != exitDone || !strings.HasPrefix(out, c.out) || errOut != "" {
			t.Errorf("%s: exit %d: %s%s", c.line, code, out, errOut)
		}
		c.want.ID, c.want.By, c.want.Via = "the-id", "Anna", "cli"
		got, want := string(must(json.Marshal(d.done))), string(must(json.Marshal([]coldchain.Command{c.want})))
		if got != want || d.done[0].Name != c.want.Name {
			t.Errorf("%s: %s, want %s", c.line, got, want)
		}
	}
	d.done = nil
	if code, out, errOut := call(t, "alarms", "shelve", "--for", "2h", "--reason", "defrost", "--json", "--dir", dir); code != exitDone || !json.Valid([]byte(out)) {
		t.Errorf("exit %d: %s%s", code, out, errOut)
	} else if left := time.Until(d.done[0].Until.Time()); left < 110*time.Minute || left > 2*time.Hour || d.done[0].ID == "" || d.done[0].By == "" {
		t.Errorf("shelved: %+v", d.done[0])
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestWrongAnswersToAlarms(t *testing.T) {
	d, dir := startSocket(t)
	for line, want := range map[string]struct {
		code int
		text string
	}{
		"ack attic --by x":                     {exitFailed, "no trouble of attic is open"},
		"ack --promise soon":                   {exitWrongUse, "promise"},
		"ack --promise=-5m":                    {exitFailed, "lies in the past"},
		"shelve --reason x":                    {exitWrongUse, "--until"},
		"shelve --reason x --for 1h --until t": {exitWrongUse, "together"},
		"shelve --for 1h":                      {exitFailed, "--reason"},
		"shelve --for=-1h --reason x":          {exitFailed, "lies in the past"},
		"shelve --until tomorrow --reason x":   {exitFailed, "2026-05-05T06:00:00Z"},
		"close --cause door":                   {exitWrongUse, "--action"},
		"list --dir /nonexistent/of/coldkeep":  {exitFailed, ""},
	} {
		args := append([]string{"alarms"}, strings.Fields(line)...)
		if !strings.Contains(line, "--dir") {
			args = append(args, "--dir", dir)
		}
		if code, out, errOut := call(t, args...); code != want.code || !strings.Contains(errOut, want.text) || errOut == "" || out != "" {
			t.Errorf("%s: exit %d: %s%s", line, code, out, errOut)
		}
	}
	for _, c := range d.done {
		if c.Alarm != "attic" {
			t.Errorf("sent %+v", c)
		}
	}
}

func TestListOfAlarms(t *testing.T) {
	d, dir := startSocket(t)
	list := func(args ...string) string {
		t.Helper()
		code, out, errOut := call(t, append([]string{"alarms", "list", "--dir", dir}, args...)...)
		if code != exitDone || errOut != "" {
			t.Errorf("exit %d: %s", code, errOut)
		}
		return out
	}
	if got := list("--json"); got != `{"alarms":[],"troubles":[],"drill":null}`+"\n" {
		t.Errorf("none: %s", got)
	}
	until := sensor.Instant(1_777_951_200_000)
	d.snap.Troubles = []coldchain.Trouble{
		{Key: "fridge-1/1", State: "raised", Opened: 1_777_950_000_000, Units: []string{"fridge-1", "fridge-2"}, Text: "above 8 °C\nno data", Called: []coldchain.Called{{Person: "anna", Name: "Anna Example"}, {Person: "ben"}}},
		{Key: "fridge-3/1", State: "acknowledged", Opened: 1_777_950_000_000, By: "Anna Example", Until: &until, Text: "cold"},
		{Key: "ntfy/1", State: "raised", Opened: 1_777_950_000_000, Text: "ntfy does not take alarms"}}
	d.snap.Alarms = []coldchain.Alarm{{Unit: "fridge-1", Raised: 1_777_950_000_000, Text: "above 8 °C", Trouble: "fridge-1/1", State: "raised"}, {Rule: "storage", Raised: 1_777_950_000_000, Text: "disk"}}
	want := []string{
		"TROUBLE STATE SINCE WHO TEXT",
		"fridge-1/1 raised 2026-05-05T03:00:00Z called: Anna Example, ben fridge-1, fridge-2: above 8 °C; no data",
		"fridge-3/1 acknowledged 2026-05-05T03:00:00Z Anna Example until 2026-05-05T03:20:00Z cold",
		"ntfy/1 raised 2026-05-05T03:00:00Z - ntfy does not take alarms",
		"- raised 2026-05-05T03:00:00Z - disk"}
	lines := strings.Split(strings.TrimSpace(list()), "\n")
	for i, l := range lines {
		if got := strings.Join(strings.Fields(l), " "); i >= len(want) || got != want[i] {
			t.Errorf("line %d: %s", i+1, got)
		}
	}
	if len(lines) != len(want) {
		t.Errorf("%d lines, want %d", len(lines), len(want))
	}
	if got := list("--json"); !json.Valid([]byte(got)) || !strings.Contains(got, `"key":"fridge-3/1"`) {
		t.Errorf("json: %s", got)
	}
}

// The record of a daemon that does not run is read, and says so.
func TestListOfAlarmsOfAStoppedDaemon(t *testing.T) {
	dir := t.TempDir()
	st, err := store.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	code, out, errOut := call(t, "alarms", "list", "--dir", dir)
	if code != exitDone || !strings.HasPrefix(out, "TROUBLE") || !strings.Contains(errOut, "no daemon runs") {
		t.Errorf("exit %d: %s%s", code, out, errOut)
	}
	if code, _, errOut := call(t, "alarms", "ack", "--by", "x", "--dir", dir); code != exitFailed || !strings.Contains(errOut, "no daemon runs") {
		t.Errorf("exit %d: %s", code, errOut)
	}
}

// A test waits for the answer and tells the minutes; without one it fails.
func TestTheWayToThePhones(t *testing.T) {
	d, dir := startSocket(t)
	d.answered = func(s *coldchain.Snapshot) {
		at := *s.Drill.At + 90_000
		s.Drill.Answered, s.Drill.AnsweredAt, s.Drill.TookS = true, &at, 90
		s.Troubles = []coldchain.Trouble{{Key: "drill/1", State: "acknowledged", By: "Anna Example", Drill: true}}
	}
	if code, out, errOut := call(t, "alarms", "test", "--person", "anna", "--dir", dir); code != exitDone || out != "answered by Anna Example after 1.5 min\n" || d.done[0].Person != "anna" {
		t.Errorf("exit %d: %s%s", code, out, errOut)
	}
	if code, out, _ := call(t, "alarms", "test", "--json", "--dir", dir); code != exitDone || out != `{"answered":true,"by":"Anna Example","took_s":90}`+"\n" {
		t.Errorf("exit %d: %s", code, out)
	}
	// An earlier drill's answer is none to this one.
	d.answered = func(s *coldchain.Snapshot) {
		at := *s.Drill.At - 86_400_000
		s.Drill.At, s.Drill.Answered, s.Drill.TookS = &at, true, 90
	}
	if code, out, errOut := call(t, "alarms", "test", "--within", "300ms", "--dir", dir); code != exitFailed || out != "" || !strings.Contains(errOut, "nobody answered") {
		t.Errorf("exit %d: %s%s", code, out, errOut)
	}
	if code, out, _ := call(t, "alarms", "test", "--within", "300ms", "--json", "--dir", dir); code != exitFailed || out != `{"answered":false}`+"\n" {
		t.Errorf("exit %d: %s", code, out)
	}
}
