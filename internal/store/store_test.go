package store

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"coldkeep/internal/coldchain"
	"coldkeep/sensor"
)

func open(t testing.TB, dir string) *Store {
	t.Helper()
	s, err := Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestMain(m *testing.M) {
	if dir := os.Getenv("COLDKEEP_TEST_WRITE"); dir != "" {
		writeForEver(dir)
	}
	os.Exit(m.Run())
}

// writeForEver is the process that is killed: it says of each step that it
// was recorded, and only then.
func writeForEver(dir string) {
	ctx := context.Background()
	s, err := Open(ctx, dir)
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	for {
		seq := s.LastSeq()
		step := coldchain.Step{At: sensor.Instant(seq), Sweeps: []sensor.Sweep{{Slot: sensor.Instant(seq), Boot: "b"}}, Cursors: map[string]uint64{"judged": seq}}
		for i := range 8 {
			seq++
			step.Sweeps[0].Readings = append(step.Sweeps[0].Readings, sensor.Reading{Seq: seq, Probe: fmt.Sprintf("p%d", i), Time: step.At, Temp: 5000, Raw: 5000})
		}
		seq++
		step.Events = []coldchain.Event{{V: 1, Seq: seq, Time: step.At, Kind: coldchain.ProbeFailed}}
		if err := s.Record(ctx, step); err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
		fmt.Println(seq)
	}
}

// What was acknowledged before a kill is in the record, whole, and nothing of
// a step that was not recorded is.
func TestWhatWasRecordedSurvivesAKill(t *testing.T) {
	dir := t.TempDir()
	for round := range 5 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "COLDKEEP_TEST_WRITE="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		var said uint64
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			v, err := strconv.ParseUint(lines.Text(), 10, 64)
			if err != nil {
				t.Fatal(lines.Text())
			}
			said = v
			if n == 5+7*round {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		_ = cmd.Wait() // it was killed
		s, err := Open(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		if s.LastSeq() < said {
			t.Errorf("the record is at %d, but %d was acknowledged", s.LastSeq(), said)
		}
		if s.LastSeq()%9 != 0 {
			t.Errorf("the record ends at %d, within a step of nine", s.LastSeq())
		}
		list, err := s.Entries(t.Context(), 0, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		for i, e := range list {
			if e.Seq != uint64(i+1) {
				t.Fatalf("place %d holds seq %d", i+1, e.Seq)
			}
		}
		var ok string
		if err := s.w.QueryRow("PRAGMA integrity_check").Scan(&ok); err != nil || ok != "ok" {
			t.Errorf("integrity check: %s %v", ok, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

var (
	numbers = map[string]uint64{"p": 0, "q": 1, "p0": 2, "p1": 3, "p2": 4, "p3": 5}
	names   = map[uint64]string{0: "p", 1: "q", 2: "p0", 3: "p1", 4: "p2", 5: "p3"}
)

func drawSweeps(t *rapid.T) []sensor.Sweep {
	var list []sensor.Sweep
	slot, seq := sensor.Instant(1_780_000_000_000), uint64(0)
	for range rapid.IntRange(1, 30).Draw(t, "sweeps") {
		slot += sensor.Instant(rapid.SampledFrom([]int{1, 10_000, 10_000, 60_000, -5000}).Draw(t, "step"))
		w := sensor.Sweep{Slot: slot, Boot: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "boot"), Monotonic: rapid.Int64().Draw(t, "mono"), Synchronized: rapid.Bool().Draw(t, "sync")}
		for i := range rapid.IntRange(1, 4).Draw(t, "probes") {
			seq += uint64(rapid.SampledFrom([]int{1, 1, 1, 3}).Draw(t, "seq"))
			r := sensor.Reading{Seq: seq, Probe: fmt.Sprintf("p%d", i), Time: slot + sensor.Instant(rapid.SampledFrom([]int{0, 0, 0, 17, -3}).Draw(t, "off")), Check: rapid.IntRange(0, 9).Draw(t, "check") == 0}
			if rapid.IntRange(0, 5).Draw(t, "faulty") == 0 {
				r.Fault = sensor.Fault(rapid.StringN(1, 8, -1).Draw(t, "fault"))
			} else {
				r.Temp = sensor.Temp(rapid.IntRange(int(sensor.AbsoluteZero), int(sensor.Hottest)).Draw(t, "temp"))
				r.Raw = r.Temp + sensor.Temp(rapid.SampledFrom([]int{0, 0, 120, -1}).Draw(t, "raw"))
			}
			w.Readings = append(w.Readings, r)
		}
		list = append(list, w)
	}
	return list
}

// Whatever is recorded comes back as it was, from the inbox and from chunks.
func TestFoldingChangesNothing(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		sweeps := drawSweeps(rt)
		packed := make([]packedSweep, len(sweeps))
		probes := map[string][]sample{}
		for i, w := range sweeps {
			p, err := unpackSweep(w.Readings[0].Seq, w.Slot, packSweep(&w, numbers), names)
			if err != nil {
				rt.Fatal(err)
			}
			if d := cmp.Diff(w, p.sweep); d != "" {
				rt.Fatalf("packed sweep: %s", d)
			}
			packed[i] = p
			for j := range packed[i].sweep.Readings {
				r := &packed[i].sweep.Readings[j]
				probes[r.Probe] = append(probes[r.Probe], sample{i, r})
			}
		}
		heads, err := packHeads(packed)
		if err != nil {
			rt.Fatal(err)
		}
		got, err := unpackHeads(heads)
		if err != nil {
			rt.Fatal(err)
		}
		for name, s := range probes {
			data, err := packSeries(packed, s)
			if err != nil {
				rt.Fatal(err)
			}
			list, at, err := unpackSeries(got, name, data)
			if err != nil {
				rt.Fatal(err)
			}
			for i := range list {
				got[at[i]].sweep.Readings = append(got[at[i]].sweep.Readings, list[i])
			}
		}
		for i := range got {
			slices.SortFunc(got[i].sweep.Readings, func(a, b sensor.Reading) int { return int(a.Seq) - int(b.Seq) })
			if d := cmp.Diff(sweeps[i], got[i].sweep, cmpopts.EquateEmpty()); d != "" {
				rt.Fatalf("folded sweep %d: %s", i, d)
			}
		}
	})
}

// Damaged bytes are an error, never a panic or a reading.
func FuzzUnpackSweep(f *testing.F) {
	w := sensor.Sweep{Slot: 5, Boot: "b", Readings: []sensor.Reading{{Seq: 9, Probe: "p", Time: 5, Temp: 1, Raw: 2}, {Seq: 10, Probe: "q", Time: 5, Fault: "crc"}}}
	f.Add(packSweep(&w, numbers))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := unpackSweep(9, 5, b, names)
		if err == nil && len(p.sweep.Readings) > len(b) {
			t.Errorf("%d readings out of %d bytes", len(p.sweep.Readings), len(b))
		}
	})
}

func sweep32(i int, seq *uint64) coldchain.Step {
	slot := sensor.Instant(1_780_000_000_000).Add(time.Duration(i) * 10 * time.Second)
	w := sensor.Sweep{Slot: slot, Boot: "1f0a9a5e-97c1-4f4f-9d3b-5a4c1d1f2a3b", Monotonic: 10_000 * int64(i), Synchronized: true}
	for p := range 32 {
		*seq++
		v := sensor.Temp(5000 + 62*((i*7+p*13)%9))
		w.Readings = append(w.Readings, sensor.Reading{Seq: *seq, Probe: fmt.Sprintf("unit-%02d-vial", p), Time: slot, Temp: v, Raw: v})
	}
	return coldchain.Step{At: slot, Sweeps: []sensor.Sweep{w}, Cursors: map[string]uint64{"monitor.judged": uint64(slot), "mqtt": *seq}}
}

// A record beyond several folds is read alike in every way.
func TestTheRecordIsReadAlikeInEveryWay(t *testing.T) {
	s := open(t, t.TempDir())
	var seq uint64
	n := 2*foldSweeps + 40
	var all coldchain.Step
	for i := range n {
		x := sweep32(i, &seq)
		x.Sweeps[0].Readings = x.Sweeps[0].Readings[:2]
		for j := range x.Sweeps[0].Readings {
			x.Sweeps[0].Readings[j].Seq = uint64(3*i + j + 1)
		}
		all.Sweeps = append(all.Sweeps, x.Sweeps...)
		all.Events = append(all.Events, coldchain.Event{V: 1, Seq: uint64(3*i + 3), Time: x.At, Kind: coldchain.ProbeFailed, ID: ""})
	}
	if err := s.Record(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	var chunks int
	if err := s.r.QueryRow("SELECT count(*) FROM chunk").Scan(&chunks); err != nil || chunks == 0 {
		t.Fatalf("%d chunks, %v: nothing was folded", chunks, err)
	}
	var got []coldchain.Entry
	for after := uint64(0); ; {
		list, err := s.Entries(t.Context(), after, 1000)
		if err != nil {
			t.Fatal(err)
		}
		if len(list) == 0 {
			break
		}
		got = append(got, list...)
		after = list[len(list)-1].Seq
	}
	if len(got) != 3*n {
		t.Fatalf("%d entries, want %d", len(got), 3*n)
	}
	for i, e := range got {
		if e.Seq != uint64(i+1) || (e.Event != nil) != (i%3 == 2) {
			t.Fatalf("place %d: %+v", i+1, e)
		}
	}
	count, last := 0, sensor.Instant(0)
	err := s.EachReading(t.Context(), all.Sweeps[10].Slot, all.Sweeps[n-10].Slot, func(r sensor.Reading, sync bool) error {
		if r.Time < last || !sync {
			t.Fatalf("reading %+v after %s", r, last)
		}
		last = r.Time
		count++
		return nil
	})
	if err != nil || count != 2*(n-20) {
		t.Errorf("%d readings, %v; want %d", count, err, 2*(n-20))
	}
	list, err := s.Readings(t.Context(), "UNIT-01-vial", all.Sweeps[5].Slot, all.Sweeps[n-5].Slot, 1<<20)
	if err != nil || len(list) != n-10 {
		t.Errorf("%d readings of one probe, %v; want %d", len(list), err, n-10)
	}
	for i, r := range list {
		if r != all.Sweeps[i+5].Readings[1] {
			t.Fatalf("reading %d: %+v, want %+v", i, r, all.Sweeps[i+5].Readings[1])
		}
	}
}

// A page is full unless the record ends, also where it begins within a sweep:
// whoever reads on after a short one believes that there is no more.
func TestAPageIsFull(t *testing.T) {
	s := open(t, t.TempDir())
	var seq uint64
	var all coldchain.Step
	for i := range 2*foldSweeps + 3 {
		x := sweep32(i, &seq)
		x.Sweeps[0].Readings = x.Sweeps[0].Readings[:3]
		for j := range x.Sweeps[0].Readings {
			x.Sweeps[0].Readings[j].Seq = uint64(3*i + j + 1)
		}
		all.Sweeps = append(all.Sweeps, x.Sweeps...)
	}
	if err := s.Record(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	end := 3 * len(all.Sweeps)
	for _, from := range []int{0, 1, 2, 3*foldSweeps - 10, 6*foldSweeps - 10, end - 10} {
		for _, limit := range []int{1, 2, 3, 7} {
			for at, pages := from, 0; pages < 12; pages++ {
				list, err := s.Entries(t.Context(), uint64(at), limit)
				if want := min(limit, end-at); err != nil || len(list) != want {
					t.Fatalf("after %d: %d entries, %v; want %d", at, len(list), err, want)
				}
				for _, e := range list {
					if at++; e.Seq != uint64(at) {
						t.Fatalf("%d comes after %d", e.Seq, at-1)
					}
				}
			}
		}
	}
}

func TestTheJournalIsNeitherChangedNorDeleted(t *testing.T) {
	s := open(t, t.TempDir())
	ev := coldchain.Event{V: 1, Seq: 1, Time: 5, Kind: coldchain.BatchReceived, Batch: "B", Profile: "p", ID: "c1", By: "sample"}
	if err := s.Record(t.Context(), coldchain.Step{At: 5, Events: []coldchain.Event{ev}}); err != nil {
		t.Fatal(err)
	}
	for _, q := range []string{"UPDATE journal SET body = '{}'", "DELETE FROM journal"} {
		if _, err := s.w.Exec(q); err == nil || !strings.Contains(err.Error(), "never") {
			t.Errorf("%s: %v, want a refusal", q, err)
		}
	}
	if got, ok, err := s.EventByCommand(t.Context(), "c1"); err != nil || !ok || got.Batch != "B" {
		t.Errorf("event by command: %+v %v %v", got, ok, err)
	}
	if err := s.Record(t.Context(), coldchain.Step{At: 5, Events: []coldchain.Event{ev}}); err == nil {
		t.Error("a seq was given twice")
	}
}

// A step that failed leaves nothing behind and may come again.
func TestAFailedStepMayComeAgain(t *testing.T) {
	s := open(t, t.TempDir())
	var seq uint64
	step := sweep32(0, &seq)
	step.Checkpoint = []byte("state")
	for _, op := range []string{"record", "commit"} {
		s.fault = func(at string) error {
			if at == op {
				return errors.New("no space left on device")
			}
			return nil
		}
		if err := s.Record(t.Context(), step); err == nil {
			t.Errorf("recorded though %s failed", op)
		}
		s.fault = nil
		if list, err := s.Entries(t.Context(), 0, 100); err != nil || len(list) != 0 || s.LastSeq() != 0 {
			t.Errorf("after %s failed: %d entries, %v, seq %d", op, len(list), err, s.LastSeq())
		}
	}
	if err := s.Record(t.Context(), step); err != nil {
		t.Fatal(err)
	}
	at, n, data, err := s.Checkpoint(t.Context(), step.At)
	if err != nil || at != step.At || n != seq || string(data) != "state" {
		t.Errorf("checkpoint %s %d %q %v", at, n, data, err)
	}
}

func TestOneDaemonADirectory(t *testing.T) {
	dir := t.TempDir()
	first := open(t, dir)
	_, err := Open(t.Context(), dir)
	var locked *LockedError
	if !errors.As(err, &locked) || !strings.Contains(err.Error(), fmt.Sprintf("pid %d", os.Getpid())) {
		t.Errorf("second opener: %v; want an error that names pid %d", err, os.Getpid())
	}
	ro, err := OpenReadOnly(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if ro.RecordID() != first.RecordID() || len(ro.RecordID()) != 16 {
		t.Errorf("record ids %q and %q", ro.RecordID(), first.RecordID())
	}
	if err := ro.Close(); err != nil {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	again := open(t, dir)
	if again.RecordID() != first.RecordID() {
		t.Error("the record id changed")
	}
}

func TestANewerSchemaIsLeftUntouched(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	if _, err := s.w.Exec("PRAGMA user_version = 99"); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(filepath.Join(dir, FileName))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), dir); !errors.Is(err, ErrNewerSchema) {
		t.Errorf("opened: %v", err)
	}
	if _, err := OpenReadOnly(t.Context(), dir); !errors.Is(err, ErrNewerSchema) {
		t.Errorf("opened to read: %v", err)
	}
	after, err := os.ReadFile(filepath.Join(dir, FileName))
	if err != nil || string(after) != string(before) {
		t.Errorf("the file was changed (%v)", err)
	}
}

// SQLite in pure Go runs on the libc that its own go.mod names, and no other.
func TestTheLibcIsTheOneThatSQLiteNames(t *testing.T) {
	out, err := exec.Command("go", "list", "-m", "-json", "modernc.org/sqlite", "modernc.org/libc").Output()
	if err != nil {
		t.Skipf("the go command gives no answer here: %v", err)
	}
	type module struct{ Path, Version, GoMod string }
	found := map[string]module{}
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var m module
		if err := d.Decode(&m); err != nil {
			break
		}
		found[m.Path] = m
	}
	text, err := os.ReadFile(found["modernc.org/sqlite"].GoMod)
	if err != nil {
		t.Skipf("sqlite's go.mod is not in the module cache: %v", err)
	}
	if want := "modernc.org/libc " + found["modernc.org/libc"].Version; !strings.Contains(string(text), want) {
		t.Errorf("built with %s, but sqlite's go.mod names another", want)
	}
}

// BenchmarkSweep32 tells what a committed sweep of 32 probes costs.
func BenchmarkSweep32(b *testing.B) {
	dir := b.TempDir()
	s := open(b, dir)
	var seq uint64
	before, known := written()
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Record(b.Context(), sweep32(i, &seq)); err != nil {
			b.Fatal(err)
		}
		i++
	}
	if after, ok := written(); ok && known {
		b.ReportMetric(float64(after-before)/1024/float64(i), "KiB-written/op")
	}
	size := int64(0)
	for _, f := range []string{FileName, FileName + "-wal"} {
		if st, err := os.Stat(filepath.Join(dir, f)); err == nil {
			size += st.Size()
		}
	}
	b.ReportMetric(float64(size)/float64(seq), "B-on-disk/reading")
}

// BenchmarkEachReading tells how fast the record is read again.
func BenchmarkEachReading(b *testing.B) {
	s := open(b, b.TempDir())
	var seq uint64
	var all coldchain.Step
	for i := range 20_000 {
		all.Sweeps = append(all.Sweeps, sweep32(i, &seq).Sweeps...)
	}
	if err := s.Record(b.Context(), all); err != nil {
		b.Fatal(err)
	}
	n := 0
	started := time.Now()
	for b.Loop() {
		if err := s.EachReading(b.Context(), 0, 1<<62, func(sensor.Reading, bool) error { n++; return nil }); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n)/time.Since(started).Seconds(), "readings/s")
}

func written() (int64, bool) {
	text, err := os.ReadFile("/proc/self/io")
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(text)) {
		if v, ok := strings.CutPrefix(line, "write_bytes: "); ok {
			n, err := strconv.ParseInt(strings.TrimSpace(v), 10, 64)
			return n, err == nil
		}
	}
	return 0, false
}
