package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"math"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"coldkeep/internal/config"
	"coldkeep/sensor/chips"
	"coldkeep/sensor/chipsim"
)

const whereSite = `site: {id: a, name: "Clinic A", timezone: Europe/London}
node: pi-1
sampling: {interval: 1s}
web: {listen: "127.0.0.1:0"}
probes:
  - {id: one, chip: ds18b20, bus: where-wire, address: 28-00000c8cf9b1, medium: buffered}
  - {id: two, chip: ds18b20, bus: where-wire, address: 28-00000b10a2f4, medium: buffered}
units:
  - {id: fridge-1, name: "Fridge 1", range: {low: 2, high: 8}, max_gap: 1h, probes: [one]}
  - {id: fridge-2, name: "Fridge 2", range: {low: 2, high: 8}, max_gap: 1h, capacity: {vials: 20}, probes: [two]}
profiles:
  - {id: p, source: label, range: {low: 2, high: 8}, rules: [{id: warm, above: 8, total: 2h}]}
`

// Where the vials can go is told of a unit and of a batch, also of a unit in
// which nothing is wrong, and from the record of a daemon that has stopped.
func TestBatchWhere(t *testing.T) {
	wire, err := chipsim.NewOneWire("where-wire")
	if err != nil {
		t.Fatal(err)
	}
	defer wire.Close()
	var celsius atomic.Uint64
	feel := func(c float64) { celsius.Store(math.Float64bits(c)) }
	feel(5)
	for address, source := range map[string]chipsim.Source{
		"28-00000c8cf9b1": func(time.Time) float64 { return math.Float64frombits(celsius.Load()) },
		"28-00000b10a2f4": func(time.Time) float64 { return 4.5 },
	} {
		chip, err := chipsim.NewDS18B20(address, source)
		if err != nil {
			t.Fatal(err)
		}
		wire.Add(chip)
	}
	cfg, err := config.Parse("where.yaml", []byte(whereSite))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cfg.Storage.Dir = dir
	buses, err := chips.Open(t.Context(), cfg.Probes, chips.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	up, done := make(chan string, 1), make(chan error, 1)
	d := daemon{cfg: cfg, buses: buses, log: slog.New(slog.DiscardHandler), up: func(web string) { up <- web }}
	go func() { done <- d.run(ctx) }()
	select {
	case <-up:
	case err := <-done:
		t.Fatal(err)
	}
	// tells waits until the answer has all the words.
	tells := func(what string, words ...string) {
		t.Helper()
		var out, errOut string
		for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
			if _, out, errOut = call(t, "batch", "where", what, "--dir", dir); !strings.Contains(errOut, "coldkeep:") {
				missing := ""
				for _, w := range words {
					if !strings.Contains(out, w) {
						missing = w
					}
				}
				if missing == "" {
					return
				}
			}
		}
		t.Fatalf("where %s: never %q\n%s%s", what, words, out, errOut)
	}
	tells("fridge-1", "fridge-1: no batch is in it\n")
	for _, b := range [][2]string{{"EX-1", "12"}, {"EX-2", "15"}} {
		for _, args := range [][]string{{"batch", "receive", b[0], "--profile", "p", "--vials", b[1]}, {"batch", "place", b[0], "fridge-1"}} {
			var code int
			var errOut string
			for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
				if code, _, errOut = call(t, append(args, "--by", "tester", "--dir", dir)...); code == exitDone {
					break // before the first sweep nothing can be placed
				}
			}
			if code != exitDone {
				t.Fatalf("%v: exit %d\n%s", args, code, errOut)
			}
		}
	}
	tells("FRIDGE-1", "fridge-1 is in no trouble now; if it were to be emptied:\n", "EX-2 (15): nothing of it runs out now; 15 vials.\n  1 fridge-2, Fridge 2 (4.5 °C, room for 20): in its range, but not for an hour yet, room for this batch (20 vials), not for all, 2.5 °C from the nearer end of its range.\n",
		"EX-1 (12): nothing of it runs out now; 12 vials. Keep the door shut and find room elsewhere: Fridge 2 has room for 5 of its 12 vials: whether to split it is for a person to say.\n")
	feel(9.5)
	tells("ex-1", "EX-1 (12), by 20", "in 1 h 5", "Fridge 2 has room for 5 of its 12 vials")
	if _, out, _ := call(t, "batch", "where", "EX-1", "--dir", dir); strings.Contains(out, "EX-2") || strings.Contains(out, "no trouble") {
		t.Errorf("of one batch:\n%s", out)
	}
	if code, _, errOut := call(t, "batch", "where", "attic", "--dir", dir); code != exitFailed || !strings.Contains(errOut, `"attic" is no unit and no batch here`) {
		t.Errorf("of what is not there: exit %d, %s", code, errOut)
	}
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	code, out, errOut := call(t, "batch", "where", "fridge-1", "--dir", dir, "--json")
	var got rescuesAnswer
	if err := json.Unmarshal([]byte(out), &got); code != exitDone || err != nil || !strings.Contains(errOut, "no daemon runs") {
		t.Fatalf("stopped: exit %d, %v\n%s%s", code, err, out, errOut)
	}
	if !got.Trouble || got.Unit != "fridge-1" || len(got.Rescues) != 2 || got.Rescues[0].Batch != "EX-2" || got.Rescues[0].Target().Unit != "fridge-2" || got.Rescues[0].LostAt == nil || got.Rescues[1].Target() != nil {
		t.Errorf("stopped: %+v", got)
	}
}
