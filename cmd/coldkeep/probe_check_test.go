package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"math"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"coldkeep/internal/coldchain"
	"coldkeep/internal/config"
	"coldkeep/sensor"
	"coldkeep/sensor/chips"
	"coldkeep/sensor/chipsim"
)

const checkedSite = `site: {id: a, name: "Clinic A", timezone: Europe/London}
sampling: {interval: 1s}
web: {listen: "127.0.0.1:0"}
probes:
  - {id: vial, chip: ds18b20, bus: check-wire, address: 28-00000c8cf9b1, medium: buffered, slope: 1000, calibration: {due: 2027-05-31, certificate: "EXAMPLE-17", points: [{reads: 0.12, is: 0.0}]}, position: "middle shelf, at the back", photo: /nowhere/vial.jpg, mapping: "report 3", mapping_due: 2027-01-31}
  - {id: other, chip: ds18b20, bus: check-wire, address: 28-00000b10a2f4, medium: buffered}
units:
  - {id: fridge-1, range: {low: 2, high: 8}, probes: [vial]}
  - {id: fridge-2, range: {low: 2, high: 8}, probes: [other]}
profiles: [{id: p, source: label, range: {low: 2, high: 8}}]
`

// A screen is what a command writes, which may be read meanwhile.
type screen struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) { s.mu.Lock(); defer s.mu.Unlock(); return s.b.Write(p) }
func (s *screen) String() string              { s.mu.Lock(); defer s.mu.Unlock(); return s.b.String() }

// shows waits until the screen shows a text.
func (s *screen) shows(t *testing.T, text string) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); !strings.Contains(s.String(), text); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%q is never shown:\n%s", text, s)
		}
	}
}

// A probe's life at a real daemon on simulated chips: checked in ice, found
// good, given up, found off, taken out, put back; and its past, which can also
// be read when the daemon has stopped.
func TestProbesUnderCheck(t *testing.T) {
	wire, err := chipsim.NewOneWire("check-wire")
	if err != nil {
		t.Fatal(err)
	}
	defer wire.Close()
	var celsius atomic.Uint64
	feel := func(c float64) { celsius.Store(math.Float64bits(c)) }
	feel(5)
	for address, source := range map[string]chipsim.Source{
		"28-00000c8cf9b1": func(time.Time) float64 { return math.Float64frombits(celsius.Load()) },
		"28-00000b10a2f4": func(time.Time) float64 { return 5 },
	} {
		chip, err := chipsim.NewDS18B20(address, source)
		if err != nil {
			t.Fatal(err)
		}
		wire.Add(chip)
	}
	cfg, err := config.Parse("check.yaml", []byte(checkedSite))
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
	var page string
	select {
	case page = <-up:
	case err := <-done:
		t.Fatal(err)
	}
	ready := func() bool {
		code, _, _ := call(t, "probes", "out", "other", "--reason", "a test", "--dir", dir)
		return code == exitDone
	}
	for end := time.Now().Add(time.Minute); !ready(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("no sweep is made")
		}
	}
	ok := func(args ...string) string {
		t.Helper()
		code, out, errOut := call(t, append(args, "--dir", dir)...)
		if code != exitDone {
			t.Fatalf("%v: exit %d\n%s%s", args, code, out, errOut)
		}
		return out
	}
	get := func(path string) string {
		t.Helper()
		resp, err := http.Get("http://" + page + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	if code, _, errOut := call(t, "probes", "out", "other", "--reason", "again", "--dir", dir); code != exitFailed || !strings.Contains(errOut, "probe other is out already") {
		t.Errorf("out twice: exit %d, %s", code, errOut)
	}
	if home, list := get("/"), get("/probes"); !strings.Contains(home, "(a test)") || !strings.Contains(home, ": not judged") || !strings.Contains(home, `href="/probes"`) ||
		!strings.Contains(list, "(a test)") || !strings.Contains(list, "middle shelf, at the back") || !strings.Contains(list, "2027-05-31") || !strings.Contains(list, "not stated") {
		t.Errorf("the pages:\n%s\n%s", home, list)
	}
	if out := ok("probes", "back", "OTHER"); !strings.HasPrefix(out, "other: back since ") {
		t.Errorf("back: %s", out)
	}
	if code, _, errOut := call(t, "probes", "out", "other", "--dir", dir); code != exitFailed || !strings.Contains(errOut, "--reason") {
		t.Errorf("out without a reason: exit %d, %s", code, errOut)
	}
	if code, _, errOut := call(t, "probes", "check", "attic", "--reference", "0", "--dir", dir); code != exitFailed || !strings.Contains(errOut, "there are vial, other") {
		t.Errorf("an unknown probe: exit %d, %s", code, errOut)
	}
	ok("batch", "receive", "EX-1", "--profile", "p")
	ok("batch", "place", "EX-1", "fridge-1")

	// In the ice. While it still lies in the fridge, nothing is found.
	check := func(ctx context.Context, args ...string) (*screen, *screen, chan int) {
		var out, errOut screen
		code := make(chan int, 1)
		a := &app{ctx, strings.NewReader(""), &out, &errOut}
		go func() {
			code <- run(a, append([]string{"probes", "check", "vial", "--by", "Anna Example", "--dir", dir}, args...))
		}()
		return &out, &errOut, code
	}
	out, errOut, code := check(t.Context(), "--reference", "0.0")
	errOut.shows(t, "is it in there?")
	feel(0.25)
	if c := <-code; c != exitDone || !strings.HasPrefix(out.String(), "vial: GOOD. It reads 0.13 °C (raw 0.25 °C) at 0.0 °C: off by +0.13 °C, 0.5 °C are allowed\n") {
		t.Errorf("in the ice: exit %d\n%s%s", c, out, errOut)
	}
	if !strings.Contains(errOut.String(), "0.13 °C     0.25 °C") || !strings.Contains(errOut.String(), "vial is judged again since") || !strings.Contains(errOut.String(), "Nothing else judges fridge-1") {
		t.Errorf("in the ice:\n%s", errOut)
	}
	feel(5)

	// Given up: it is back, and no check was made.
	giving, up2 := context.WithCancel(t.Context())
	out, errOut, code = check(giving, "--reference", "0")
	errOut.shows(t, "TIME")
	up2()
	if c := <-code; c != exitFailed || out.String() != "" || !strings.Contains(errOut.String(), "given up: nothing is recorded") || !strings.Contains(errOut.String(), "vial is judged again since") {
		t.Errorf("given up: exit %d\n%s%s", c, out, errOut)
	}

	// Read by a person, and off: the batch is named.
	out, errOut, code = check(t.Context(), "--reference", "4.0", "--found", "5.5", "--tolerance", "0.3", "--id", "once")
	if c := <-code; c != exitProblems || !strings.Contains(out.String(), "vial: OUT OF TOLERANCE. It reads 5.5 °C (raw 5.62 °C) at 4.0 °C: off by +1.5 °C, 0.3 °C are allowed") ||
		!strings.Contains(out.String(), "drift since this instrument's first check: +1.37 °C") || !strings.Contains(out.String(), "it was good last on ") || !strings.Contains(out.String(), ": EX-1\n") {
		t.Errorf("off: exit %d\n%s%s", c, out, errOut)
	}
	out, _, code = check(t.Context(), "--reference", "4.0", "--found", "4.0", "--id", "once")
	if c := <-code; c != exitProblems || !strings.Contains(out.String(), "It reads 5.5 °C") {
		t.Errorf("the same command once more: exit %d\n%s", c, out)
	}

	var view struct {
		Probes []coldchain.ProbeNow
	}
	if err := json.Unmarshal([]byte(get("/api/v1/probes")), &view); err != nil {
		t.Fatal(err)
	}
	if len(view.Probes) != 2 || view.Probes[0].ID != "vial" || view.Probes[0].Chip != "ds18b20" || view.Probes[0].Position != "middle shelf, at the back" || view.Probes[0].LastCheck == nil ||
		view.Probes[0].LastCheck.Good || view.Probes[0].LastCheck.By != "Anna Example" || view.Probes[0].Out != nil || view.Probes[1].LastCheck != nil {
		t.Errorf("the API: %+v", view.Probes)
	}
	if s := get("/api/v1/probes/attic"); !strings.Contains(s, "not_found") {
		t.Errorf("an unknown probe in the API: %s", s)
	}
	list, past := ok("probes", "list"), ok("probes", "history", "Vial")
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if s := ok("probes", "list"); s != list {
		t.Errorf("the list of the stopped daemon:\n%s\nand of the running one:\n%s", s, list)
	}
	if s := ok("probes", "history", "vial"); s != past {
		t.Errorf("the past of the stopped daemon:\n%s\nand of the running one:\n%s", s, past)
	}
	for _, want := range []string{"vial   fridge-1  middle shelf, at the back  buffered  ds18b20 check-wire 28-00000c8cf9b1  2027-05-31", ", OUT OF TOLERANCE", "2027-01-31", "never"} {
		if !strings.Contains(list, want) {
			t.Errorf("the list has no %q:\n%s", want, list)
		}
	}
	for _, want := range []string{"to now", "EXAMPLE-17", "/nowhere/vial.jpg", "report 3", "Anna Example", "OUT OF TOLERANCE", "good", "+1.37 °C", "Judged on it before it was found off on ", ": EX-1\n"} {
		if !strings.Contains(past, want) {
			t.Errorf("the past has no %q:\n%s", want, past)
		}
	}
	var whole coldchain.ProbePast
	if err := json.Unmarshal([]byte(ok("probes", "history", "vial", "--json")), &whole); err != nil || len(whole.Checks) != 2 || len(whole.Stays) != 1 || whole.Checks[1].Batches[0] != "EX-1" {
		t.Errorf("as JSON: %v, %+v", err, whole)
	}
	if code, _, errOut := call(t, "probes", "history", "attic", "--dir", dir); code != exitFailed || !strings.Contains(errOut, `no probe "attic"`) {
		t.Errorf("the past of none: exit %d, %s", code, errOut)
	}
}

func TestWhatIsSteady(t *testing.T) {
	for _, c := range []struct {
		last   []sensor.Temp
		within sensor.Temp
		middle sensor.Temp
		ok     bool
	}{
		{[]sensor.Temp{0, 0, 0, 0, 0}, 100, 0, false},
		{[]sensor.Temp{0, 100, 40, 50, 60, 70}, 100, 60, true},
		{[]sensor.Temp{0, 101, 40, 50, 60, 70}, 100, 0, false},
		{[]sensor.Temp{0, 125, 0, 125, 125, 125}, 125, 125, true},
	} {
		if m, ok := steady(c.last, c.within); m != c.middle || ok != c.ok {
			t.Errorf("%v within %s: %s, %v", c.last, c.within, m, ok)
		}
	}
}

// What an inspector would ask for and is not there is a warning: the photo,
// and the date on which a judging probe must be calibrated again.
func TestCheckMissesPhotosAndDates(t *testing.T) {
	path := write(t, "c.yaml", checkedSite)
	code, _, errOut := call(t, "check", "--config", path)
	if code != exitDone || strings.Count(errOut, "until when its calibration") != 1 || !strings.Contains(errOut, "/nowhere/vial.jpg cannot be looked at here") || !strings.Contains(errOut, path+":6:") || !strings.Contains(errOut, "probe other judges, and until when") {
		t.Errorf("exit %d\n%s", code, errOut)
	}
}

func TestProbesCheckTakesNoNonsense(t *testing.T) {
	for flags, want := range map[string]string{
		"--reference ice":                `--reference "ice": write °C as 0.0`,
		"--reference 0 --tolerance 0":    "above 0",
		"--reference 0 --tolerance wide": `--tolerance "wide"`,
		"--reference 0 --wait 1h":        "from 1s to 25m0s",
		"--reference 0 --found=-300":     "outside -273.15",
		"--reference 0 --wait=-1s":       "from 1s",
		"--reference NaN":                "--reference NaN",
	} {
		code, _, errOut := call(t, append([]string{"probes", "check", "p", "--dir", t.TempDir()}, strings.Fields(flags)...)...)
		if code != exitFailed || !strings.Contains(errOut, want) {
			t.Errorf("%s: exit %d, %s", flags, code, errOut)
		}
	}
}
