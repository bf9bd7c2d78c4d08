package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"coldkeep/internal/coldchain"
	"coldkeep/internal/monitor"
	"coldkeep/internal/store"
	"coldkeep/internal/web"
	"coldkeep/sensor"
)

// evenBus is a bus whose probes read 5 °C.
type evenBus struct{}

func (evenBus) Name() string { return "steady" }
func (evenBus) Close() error { return nil }
func (evenBus) Sweep(_ context.Context, slot time.Time) []sensor.Reading {
	return []sensor.Reading{{Probe: "p1", Time: sensor.At(slot), Temp: 5000, Raw: 5000}, {Probe: "p2", Time: sensor.At(slot), Temp: 5000, Raw: 5000}}
}

// startRecord runs a daemon's own parts over a new record: store, monitor and
// the server on its socket. stop ends it and leaves the record.
func startRecord(t *testing.T) (dir string, stop func()) {
	t.Helper()
	dir = t.TempDir()
	st, err := store.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	unit := func(id, probe string) coldchain.Unit {
		return coldchain.Unit{ID: id, Range: coldchain.Range{Low: 2000, High: 8000}, MaxGap: time.Minute, Probes: []coldchain.UnitProbe{{ID: probe, Instrument: "test " + probe, Judges: true}}}
	}
	cfg := coldchain.Config{Units: []coldchain.Unit{unit("fridge-1", "p1"), unit("fridge-2", "p2")}, Profiles: []coldchain.Profile{{ID: "p", Source: "test", Range: coldchain.Range{Low: 2000, High: 8000},
		Unmonitored: time.Hour, DeltaH: coldchain.DefaultDeltaH, Demands: []coldchain.PaperKind{coldchain.PaperCertificate, coldchain.PaperOrigin}}}}
	m := monitor.New(st, monitor.Options{Config: cfg, Probes: []sensor.Probe{{ID: "p1"}, {ID: "p2"}}, Buses: []sensor.Bus{evenBus{}}, Interval: 200 * time.Millisecond,
		Site: coldchain.Site{ID: "s", Timezone: "UTC"}, Node: "n", Log: slog.New(slog.DiscardHandler), Synchronized: func() bool { return true }})
	if err := m.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	s, err := web.New(m, web.Options{Interval: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	l, err := web.ListenSocket(filepath.Join(dir, socketName))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served, turned := make(chan error, 1), make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	go func() { turned <- m.Run(ctx) }()
	over := false
	stop = func() {
		if over {
			return
		}
		over = true
		err := s.Close(context.Background())
		cancel()
		if err := errors.Join(err, <-served, <-turned, st.Close()); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(stop)
	for end := time.Now().Add(time.Minute); m.Snapshot().At == 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("no sweep was made")
		}
	}
	return dir, stop
}

// say runs a command line with the words that a scanner types.
func say(t *testing.T, in string, args ...string) (code int, out, errOut string) {
	t.Helper()
	var o, e bytes.Buffer
	code = run(&app{t.Context(), strings.NewReader(in), &o, &e}, args)
	return code, o.String(), e.String()
}

// From a paper on a desk to the batch that may be used: attached, shown, got
// back byte for byte, also from the record of a daemon that does not run.
func TestPapersOnTheCommandLine(t *testing.T) {
	dir, stop := startRecord(t)
	t.Chdir(t.TempDir())
	paper := bytes.Repeat([]byte("certificate of analysis\n"), 100_000) // 2.4 MB
	if err := os.WriteFile("coa.pdf", paper, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("empty.pdf", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	sha := fmt.Sprintf("%x", sha256.Sum256(paper))
	step := func(line string, wantCode int, wants ...string) string {
		t.Helper()
		code, out, errOut := say(t, "", append(strings.Fields(line), "--dir", dir)...)
		if code != wantCode {
			t.Errorf("%s: exit %d: %s%s", line, code, out, errOut)
		}
		for _, want := range wants {
			if !strings.Contains(out+errOut, want) {
				t.Errorf("%s: lacks %q:\n%s%s", line, want, out, errOut)
			}
		}
		return out
	}
	step("batch receive EX-1 --profile p --lot 0412 --vials 12 --by Anna", exitDone)
	step("batch place EX-1 fridge-1 --by Anna", exitDone)
	for end := time.Now().Add(time.Minute); strings.Contains(step("batch show EX-1", exitDone), "NOT KNOWN"); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the batch is never known")
		}
	}
	step("batch show EX-1", exitDone, "WAIT: PAPERS MISSING", "missing          certificate of analysis; where it comes from: not for use until it is there")
	for line, want := range map[string]string{
		"batch attach EX-1 --by Anna":                                                    "what is attached?",
		"batch attach EX-1 --kind certificate --by Anna":                                 "which paper is meant?",
		"batch attach EX-1 coa.pdf --kind coa --checked-by Ben --by Anna":                "it is one of certificate, laboratory",
		"batch attach EX-1 coa.pdf --kind certificate --by Anna":                         "--checked-by NAME",
		"batch attach EX-1 none.pdf --kind certificate --checked-by Ben --by Anna":       "no such file",
		"batch attach EX-1 empty.pdf --kind certificate --checked-by Ben --by Anna":      "it has 0 bytes",
		"batch attach EX-1 . --kind certificate --checked-by Ben --by Anna":              "at least one and at most 20 MB",
		"batch attach EX-9 coa.pdf --kind certificate --checked-by Ben --by Anna":        "no batch EX-9 is known",
		"batch attach EX-1 coa.pdf --kind label --checked-by Ben --by Anna --at tuesday": "write it as 2026-05-02T10:36:00Z",
		"batch attach EX-1 --source fish --by Anna":                                      "plant, human, animal or other",
		"batch file EX-1":                       "batch EX-1 has no papers",
		"batch file EX-9":                       "neither the SHA-256 of a paper, 64 hex digits, nor a batch",
		"batch file " + strings.Repeat("0", 64): "no file",
	} {
		step(line, exitFailed, want)
	}
	step("batch attach EX-1 coa.pdf --kind certificate --checked-by Ben --by Anna", exitDone,
		"EX-1: certificate of analysis attached, coa.pdf, SHA-256 "+sha+", checked by Ben, by Anna\n", "still missing: where it comes from; until then it is not for use\n")
	step("batch use EX-1 --by Anna", exitFailed, "papers are missing: where it comes from")
	if out := step("batch attach ex-1 --maker M --product P --source plant --by Anna", exitDone, "EX-1: comes from P; M; plant, told by Anna\n"); strings.Contains(out, "missing") {
		t.Error(out)
	}
	shown := step("batch show EX-1", exitDone, "STORAGE RECORD OK", "comes from       P; M; plant\n", "vials            12 left\n", "paper            certificate of analysis: coa.pdf, checked by Ben, attached 20", "SHA-256 "+sha+", 2400000 bytes")
	if strings.Contains(shown, "missing") {
		t.Error(shown)
	}
	var b batchWhole
	if err := json.Unmarshal([]byte(step("batch show EX-1 --json", exitDone)), &b); err != nil || len(b.Papers) != 1 || b.Papers[0].SHA256 != sha || b.Origin == nil || len(b.Facts) != 2 {
		t.Errorf("%+v, %v", b, err)
	}
	back := func(line, path string) {
		t.Helper()
		step(line, exitDone)
		got, err := os.ReadFile(path)
		if err != nil || !bytes.Equal(got, paper) {
			t.Errorf("%s: %d bytes, %v", line, len(got), err)
		}
	}
	back("batch file EX-1 -o back.pdf", "back.pdf")
	step("batch file EX-1 -o back.pdf", exitFailed, "back.pdf is there already, and is not overwritten")
	step("batch file EX-1", exitFailed, "coa.pdf is there already")
	if err := os.Remove("coa.pdf"); err != nil {
		t.Fatal(err)
	}
	back("batch file "+strings.ToUpper(sha), "coa.pdf")
	if out := step("batch file EX-1 -o -", exitDone); out != string(paper) {
		t.Errorf("%d bytes on standard output", len(out))
	}
	step("batch attach EX-1 coa.pdf --kind other --checked-by Ben --by Anna", exitDone)
	step("batch file EX-1 -o second.pdf", exitFailed, "batch EX-1 has 2 papers; which is meant?", "other paper: coa.pdf")
	step("batch discard EX-1 --reason spilled --by Anna", exitDone)
	stop()
	step("batch show EX-1", exitDone, "no daemon runs", "SHA-256 "+sha, "discarded        12 vials, 20", "by Anna: spilled")
	back("batch file "+sha+" -o cold.pdf", "cold.pdf")
}

// All boxes of a unit are counted as a scanner types them.
func TestCountOnTheCommandLine(t *testing.T) {
	dir, _ := startRecord(t)
	for _, line := range []string{"receive EX-1 --profile p --vials 12", "place EX-1 fridge-1", "receive EX-2 --profile p", "place EX-2 fridge-1", "receive EX-3 --profile p", "place EX-3 fridge-2"} {
		if code, out, errOut := say(t, "", append(append([]string{"batch"}, strings.Fields(line)...), "--by", "Anna", "--dir", dir)...); code != exitDone {
			t.Fatalf("%s: %s%s", line, out, errOut)
		}
	}
	for _, c := range []struct {
		line, in string
		code     int
		wants    []string
	}{
		{"fridge-1 -", "EX-1=12\r\n\nhttp://10.0.0.2:8080/b/EX-2\r\nEX-2\n", exitDone, []string{"Scan each box", "fridge-1: counted, 2 boxes, all as recorded, 20", ", by Anna\n"}},
		{"fridge-2 ex-3", "", exitDone, []string{"fridge-2: counted, 1 box, all as recorded"}},
		{"fridge-1 EX-1=12 EX-2=", "", exitFailed, []string{`"EX-2=": write the vials that were found as EX-2=12`}},
		{"fridge-1 -", "EX-1=0\nEX-2=many\n", exitFailed, []string{`line 1: "EX-1=0"`, `line 2: "EX-2=many"`}},
		{"fridge-1 - -", "EX-1\n", exitFailed, []string{"standard input is read once"}},
		{"fridge-1", "", exitWrongUse, []string{"<box>"}},
		{"fridge-1 EX-1=11 EX-3", "", exitFailed, []string{"fridge-1 is not as recorded: missing is EX-2; EX-1 has 12 vials in the record, and 11 were found; unexpected is EX-3, which is recorded in fridge-2. Look again.",
			"--reason TEXT", "`coldkeep batch move EX-3 fridge-1`"}},
		{"fridge-1 EX-1=11 EX-3 --reason inventory", "", exitDone, []string{"fridge-1: counted, 2 boxes, 20", "signed by Anna: inventory\n  missing is EX-2\n  EX-1 has 12 vials in the record, and 11 were found\n",
			"The count has changed nothing. This would set the record right:\n", "  `coldkeep batch move EX-3 fridge-1`\n"}},
		{"fridge-1 - --reason empty", "", exitDone, []string{"counted, 0 boxes"}},
		{"fridge-1 EX-1 EX-2 --json", "", exitDone, []string{`"kind":"unit_counted"`, `"counted":[{"batch":"EX-1"},{"batch":"EX-2"}]`}},
	} {
		code, out, errOut := say(t, c.in, append(append([]string{"batch", "count"}, strings.Fields(c.line)...), "--by", "Anna", "--dir", dir)...)
		if code != c.code {
			t.Errorf("%s: exit %d: %s%s", c.line, code, out, errOut)
		}
		for _, want := range c.wants {
			if !strings.Contains(out+errOut, want) {
				t.Errorf("%s: lacks %q:\n%s%s", c.line, want, out, errOut)
			}
		}
	}
}

// Whatever a scanner types is a box with its code, or refused.
func FuzzReadBox(f *testing.F) {
	for _, s := range []string{"EX-1", "EX-1=12", "EX-1=0", "=", "http://h/b/EX-1?a=1", "(01)09506000134352(10)A=B", "]d2010950600013435210A\x1d21=7", " "} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		x, err := readBox(s)
		if err == nil && (x.Batch == "" || x.Vials < 0 || x.Vials > 0 && !coldchain.ValidID(x.Batch)) {
			t.Errorf("%q is taken for %+v", s, x)
		}
		if err := eachLine(strings.NewReader(s), func(n int, line string) {
			if line == "" || n < 1 {
				t.Errorf("%q gives the line %q", s, line)
			}
		}); err != nil && len(s) < 60_000 {
			t.Error(err)
		}
	})
}
