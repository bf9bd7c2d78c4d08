package monitor

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"coldkeep/internal/coldchain"
	"coldkeep/sensor"
)

// A said is what a logger's file says at an instant; fault is a drop-out.
type said struct {
	at   sensor.Instant
	temp sensor.Temp
}

// file writes a recording as CONTRACT.md's CSV.
func csv(serial string, list []said) []byte {
	var b strings.Builder
	b.WriteString("time,probe,temperature_c\n")
	for _, x := range list {
		word := x.temp.String()
		if x.temp == fault {
			word = "--.-"
		}
		fmt.Fprintf(&b, "%s,%s,%s\n", x.at, serial, word)
	}
	return []byte(b.String())
}

// give gives a command as the web does, but for the loop.
func (r *rig) give(c coldchain.Command) (coldchain.Event, error) {
	r.ids++
	c.ID, c.By = fmt.Sprintf("late%d-%d", r.ids, time.Now().UnixNano()), "Anna Example"
	if c.Name == "import" {
		var err error
		if c, err = r.m.readImport(r.ctx, c); err != nil {
			return coldchain.Event{}, err
		}
	}
	return r.m.order(r.ctx, c)
}

func (r *rig) imports(c coldchain.Command, serial string, list []said) (coldchain.Event, error) {
	sha, err := r.m.AddFile(r.ctx, csv(serial, list))
	if err != nil {
		r.t.Fatal(err)
	}
	c.Name, c.Readout = "import", &coldchain.Readout{SHA256: sha, Name: "log.csv"}
	return r.give(c)
}

// run writes n readings from a time on, all the same.
func run(from sensor.Instant, every time.Duration, temps ...sensor.Temp) (list []said) {
	for i, t := range temps {
		list = append(list, said{from.Add(time.Duration(i) * every), t})
	}
	return list
}

// batchesAgain is what a replay finds of the batches in all that is known: the
// loggers are units of its config, and calibrations are corrected beforehand.
func (r *rig) batchesAgain() []coldchain.BatchState {
	until := r.m.e.Now()
	events, err := r.st.EventsOf(r.ctx, coldchain.ReadingsImported, coldchain.CalibrationCorrected)
	if err != nil {
		r.t.Fatal(err)
	}
	cfg := r.cfg
	cfg.Units = slices.Clone(cfg.Units)
	for _, e := range events {
		if e.Kind != coldchain.ReadingsImported || slices.ContainsFunc(cfg.Units, func(u coldchain.Unit) bool { return u.ID == e.Probe }) {
			continue
		}
		cfg.Units = append(cfg.Units, coldchain.Unit{ID: e.Probe, Range: r.cfg.Profiles[0].Range, MaxGap: e.Readout.Stands(), Probes: []coldchain.UnitProbe{{ID: e.Probe, Judges: true}}})
	}
	var readings []sensor.Reading
	err = r.st.EachReading(r.ctx, 0, until+1, func(x sensor.Reading, _ bool) error {
		for _, e := range events { // the newest last
			if x.Good() && e.Kind == coldchain.CalibrationCorrected && e.Probe == x.Probe && e.Start <= x.Time && x.Time < *e.End {
				x.Temp = sensor.Calibration{Points: e.Points}.Correct(x.Raw)
			}
		}
		readings = append(readings, x)
		return nil
	})
	if err != nil {
		r.t.Fatal(err)
	}
	imports, err := r.st.Imports(r.ctx, "", 0)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, x := range imports {
		readings = append(readings, x.Readings...)
	}
	var lives []coldchain.Life
	for _, b := range r.m.e.Batches() {
		if len(b.Placements) == 0 {
			continue
		}
		l := coldchain.Life{ID: b.ID, Profile: "p", Placements: b.Placements}
		if last := b.Placements[len(b.Placements)-1]; last.To != nil && b.Ended == nil {
			end := until + 1
			l.Ended = &end
		}
		lives = append(lives, l)
	}
	res, err := coldchain.Replay(cfg, lives, readings, until)
	if err != nil {
		r.t.Fatal(err)
	}
	return plain(res.Batches)
}

func (r *rig) compareBatches(when string) {
	r.t.Helper()
	again := r.batchesAgain()
	live := slices.DeleteFunc(plain(r.m.e.Batches()), func(b coldchain.BatchState) bool {
		return !slices.ContainsFunc(again, func(x coldchain.BatchState) bool { return x.ID == b.ID })
	})
	for i := range live {
		worse := live[i].Verdict == "" // quarantined by what was said, and no longer is so: the live one is worse
		if worse {
			again[i].Verdict, again[i].Since = "", 0
		}
	}
	if d := cmp.Diff(again, live, cmpopts.EquateEmpty(), cmpopts.EquateApprox(0, 1e-6)); d != "" {
		r.t.Fatalf("%s: replayed − live +\n%s", when, d)
	}
}

func refused(t *testing.T, err error, want string) {
	t.Helper()
	var no *coldchain.Refusal
	if !errors.As(err, &no) || !strings.Contains(no.Message, want) {
		t.Errorf("%v, want a refusal with %q", err, want)
	}
}

// A logger that came with a batch is the beginning of its record, also where it
// began before ours; it is judged as a placement is, across a restart, and
// nothing but the placement is left of it.
func TestALoggerThatCameWithABatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, t.TempDir(), testConfig())
		defer func() { r.kill() }()
		for range 3 {
			r.sweep(5000, 5000, 5000)
		}
		if err := r.do("receive", "X", "", 0); err != nil {
			t.Fatal(err)
		}
		received := r.m.e.Now()
		r.sweep(5000, 5000, 5000)
		first := received - 3_600_000 // long before the record begins
		// 12 readings at 5 °C, then 90 s at 9 °C, a drop-out, and back.
		list := run(first, 30*time.Second, 5000, 5000, 5000, 5000, 9000, 9000, 9000, fault, 5000, 5000)
		list = append(list, run(first+300_000, 30*time.Second, slices.Repeat([]sensor.Temp{5000}, 109)...)...)
		_, err := r.imports(coldchain.Command{Batch: "Y"}, "A7", list)
		refused(t, err, "receive it first")
		_, err = r.imports(coldchain.Command{Batch: "X", Since: first - 1}, "A7", list)
		refused(t, err, "--from")
		_, err = r.imports(coldchain.Command{Batch: "X", Until: received + 3_600_000}, "A7", list)
		refused(t, err, "future")
		_, err = r.imports(coldchain.Command{Batch: "X", Unit: "f1"}, "A7", list)
		refused(t, err, "--batch B")
		_, err = r.imports(coldchain.Command{Batch: "X"}, "A7", run(received+1, time.Second, 5000, 5000))
		refused(t, err, "cannot be of its way here")
		_, err = r.imports(coldchain.Command{Batch: "X"}, "A7", run(received, time.Hour, 5000, 5000))
		refused(t, err, "future")
		_, err = r.give(coldchain.Command{Name: "import", Batch: "X", Readout: &coldchain.Readout{SHA256: strings.Repeat("0", 64)}})
		refused(t, err, "no file")
		seq := r.m.st.LastSeq()
		dry, err := r.imports(coldchain.Command{Batch: "X", DryRun: true}, "A7", list)
		if err != nil || !strings.Contains(dry.Text, "is quarantined") || dry.Seq != 0 || r.m.st.LastSeq() != seq || r.m.Snapshot().Batches[0].Verdict != coldchain.Unknown {
			t.Errorf("a dry run: %q, %v, verdict %s", dry.Text, err, r.m.Snapshot().Batches[0].Verdict)
		}
		e, err := r.imports(coldchain.Command{Batch: "X"}, "A7", list)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(csv("A7", list))
		if e.Unit != "logger-A7" || e.Probe != "logger-A7" || e.Start != first || e.End != nil || e.Readout.SHA256 != hex.EncodeToString(sum[:]) || e.Readout.Good != 118 || e.Readout.Faults != 1 {
			t.Errorf("told %+v, %+v", e, e.Readout)
		}
		again, err := r.imports(coldchain.Command{Batch: "X"}, "A7", list)
		if err != nil || again.Seq != e.Seq {
			t.Errorf("the same file again: %+v, %v", again, err)
		}
		_, err = r.imports(coldchain.Command{Batch: "X"}, "A7", list[1:])
		refused(t, err, "was in logger-A7 from")
		if b := r.m.batchNamed("X"); b.Unit != "logger-A7" || len(b.Placements) != 1 || b.Placements[0].To != nil {
			t.Errorf("until it is placed it is with its logger: %+v", b)
		}
		_, err = r.imports(coldchain.Command{Batch: "X"}, "B8", list)
		refused(t, err, "may touch, not overlap")
		if err := r.do("place", "X", "f1", 0); err != nil {
			t.Fatal(err)
		}
		r.sweep(5000, 5000, 5000)
		check := func(when string) {
			t.Helper()
			r.compareBatches(when)
			b := r.m.Snapshot().Batches[0]
			if b.Verdict != coldchain.Quarantined || b.RecordFrom == nil || *b.RecordFrom != first || b.Received != received || b.Exposure.AboveS != 120 || *b.Exposure.MaxC != 9000 {
				t.Errorf("%s: %+v", when, b)
			}
			if len(b.Placements) != 2 || b.Placements[0].Unit != "logger-A7" || *b.Placements[0].To != b.Placements[1].From {
				t.Errorf("%s: %+v", when, b.Placements)
			}
			if j := b.JudgedBy[0]; j.Probe != "logger-A7" || !strings.Contains(j.Instrument, "A7") || j.From != first || *j.To != b.Placements[1].From {
				t.Errorf("%s: judged by %+v", when, b.JudgedBy)
			}
			if len(b.Papers) != 1 || b.Papers[0].SHA256 != e.Readout.SHA256 || b.Papers[0].Kind != coldchain.PaperLogger || b.Papers[0].Bytes != len(csv("A7", list)) || b.Papers[0].By != "Anna Example" {
				t.Errorf("%s: papers %+v", when, b.Papers)
			}
			for _, u := range r.m.Snapshot().Units {
				if strings.HasPrefix(u.ID, "logger") {
					t.Errorf("%s: unit %s is shown", when, u.ID)
				}
			}
			if list, err := r.m.Readings(r.ctx, "logger-a7", first, received, 1000); err != nil || len(list) != 119 || list[7].Good() || list[4].Temp != 9000 || list[4].Seq != e.Seq {
				t.Errorf("%s: %d readings, %v", when, len(list), err)
			}
		}
		check("at once")
		rejudged, err := r.st.EventsOf(r.ctx, coldchain.BatchRejudged)
		if err != nil || len(rejudged) != 1 || !strings.Contains(rejudged[0].Reason, e.Readout.SHA256) || !strings.Contains(rejudged[0].Text, "its verdict was unknown and is quarantined") ||
			!strings.Contains(rejudged[0].Text, "its record starts at "+first.String()) {
			t.Errorf("told %+v, %v", rejudged, err)
		}
		r.kill()
		r.dropCheckpoints()
		r.start()
		r.sweep(5000, 5000, 5000)
		check("after a kill without a checkpoint")
		r.stop()
		r.start()
		r.sweep(5000, 5000, 5000)
		check("after a stop with one")
	})
}

// Whatever comes late, in whatever order, and however often the daemon is
// stopped or killed: of each batch the record says what a replay finds that
// knows everything first, and the live verdict is never better.
func TestLateDataInAnyOrder(t *testing.T) {
	done := map[string]int{}
	for seed := range uint64(60) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { synctest.Test(t, func(t *testing.T) { lateLife(t, seed, done) }) })
	}
	for _, name := range []string{"import", "correct", "recalibrate", "import before the record", "worse", "no longer supported"} {
		if done[name] < 10 {
			t.Errorf("%s came about %d times in all: nothing was tested", name, done[name])
		}
	}
}

func lateLife(t *testing.T, seed uint64, done map[string]int) {
	rng := rand.New(rand.NewPCG(seed, 11))
	pick := func(list ...string) string { return list[rng.IntN(len(list))] }
	temps := []sensor.Temp{5000, 5000, 5000, 5000, 7900, 9000, 1000, 16000, fault}
	temp := func() sensor.Temp { return temps[rng.IntN(len(temps))] }
	r := newRig(t, t.TempDir(), testConfig())
	defer func() { r.st.Close() }()
	trips := 0
	r.sweep(5000, 5000, 5000)
	for range 10 + rng.IntN(40) {
		r.sweep(temp(), temp(), temp())
		var err error
		var e coldchain.Event
		switch rng.IntN(12) {
		case 0, 1, 2:
			time.Sleep(time.Duration(1+rng.IntN(9000)) * time.Millisecond)
			batch := pick("X", "Y")
			_ = r.do("receive", batch, "", 0)
			_ = r.do(pick("place", "move", "take-out"), batch, pick("f1", "f2"), 0)
			continue
		case 3, 4, 5: // a logger's recording, of before the record or of within
			trips++
			from := r.m.e.Now() - sensor.Instant(1+rng.IntN(900_000))
			var list []said
			for range 2 + rng.IntN(20) {
				list = append(list, said{from, temp()})
				from += sensor.Instant(5_000 + 1000*rng.IntN(30))
			}
			c := coldchain.Command{Batch: pick("X", "Y")}
			if rng.IntN(2) == 0 {
				c.Until = r.m.e.Now() - sensor.Instant(rng.IntN(400_000))
			}
			e, err = r.imports(c, fmt.Sprintf("L%d", trips), list)
		case 6, 7:
			e, err = r.give(coldchain.Command{Name: "correct", Batch: pick("X", "Y"), At: r.m.e.Now() - sensor.Instant(rng.IntN(200_000)), Reason: "seen on the camera"})
		case 8:
			e, err = r.give(coldchain.Command{Name: "recalibrate", Probe: pick("a", "b", "c"), Since: r.m.e.Now() - sensor.Instant(rng.IntN(200_000)), Reason: "ice",
				Points: []sensor.CalibrationPoint{{Reads: 0, Is: sensor.Temp(rng.IntN(3000) - 1500)}}})
		case 9, 10:
			if rng.IntN(2) == 0 {
				r.kill()
			} else {
				r.stop()
			}
			if rng.IntN(2) == 0 {
				r.dropCheckpoints()
			}
			time.Sleep(time.Duration(rng.IntN(90)) * time.Second)
			r.start()
			r.sweep(5000, 5000, 5000)
			r.compareBatches("after a restart")
			continue
		default:
			continue
		}
		var no *coldchain.Refusal
		if err != nil && !errors.As(err, &no) {
			t.Fatal(err)
		}
		if err == nil {
			switch e.Kind {
			case coldchain.ReadingsImported:
				done["import"]++
				if e.Start < r.m.begun() {
					done["import before the record"]++
				}
			case coldchain.PlacementCorrected:
				done["correct"]++
			case coldchain.CalibrationCorrected:
				done["recalibrate"]++
			}
			r.compareBatches("after something late")
		}
	}
	events, err := r.st.EventsOf(r.ctx, coldchain.BatchRejudged)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		switch {
		case e.Rule != "":
			done["no longer supported"]++
		case strings.Contains(e.Text, "and is quarantined"):
			done["worse"]++
		}
	}
	r.compareBatches("at the end")
}

// What was told wrongly is judged where it was; impossible corrections are
// refused, and what was told before stays in the journal.
func TestAPlacementToldWrongly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, t.TempDir(), testConfig())
		defer func() { r.kill() }()
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		correct := func(c coldchain.Command) (coldchain.Event, error) {
			c.Name = "correct"
			if c.Reason == "" {
				c.Reason = "seen on the camera"
			}
			return r.give(c)
		}
		r.sweep(5000, 5000, 5000)
		must(r.do("receive", "X", "", 0))
		received := r.m.batchNamed("X").Received
		_, err := correct(coldchain.Command{Batch: "X", At: r.m.e.Now()})
		refused(t, err, "placed nowhere")
		r.sweep(5000, 5000, 5000)
		early := r.m.e.Now()
		for range 6 {
			r.sweep(9000, 9000, 5000)
		}
		must(r.do("place", "X", "f1", 0))
		told := r.m.e.Now()
		r.sweep(5000, 5000, 5000)
		must(r.do("move", "X", "f2", 0))
		moved := r.m.e.Now()
		r.sweep(5000, 5000, 5000)
		placed, err := r.st.EventsOf(r.ctx, coldchain.BatchPlaced)
		must(err)
		for _, c := range []struct {
			c    coldchain.Command
			want string
		}{
			{coldchain.Command{Batch: "X"}, "when did it happen"},
			{coldchain.Command{Batch: "Z", At: early}, "no batch"},
			{coldchain.Command{Batch: "X", At: told}, "other side of it"},
			{coldchain.Command{Batch: "X", At: told - 1}, "batch X was placed at"},
			{coldchain.Command{Batch: "X", At: moved}, "stands at"},
			{coldchain.Command{Batch: "X", At: r.m.e.Now() + 3_600_000}, "future"},
			{coldchain.Command{Batch: "X", Event: placed[0].Seq, At: moved}, "other side of it"},
			{coldchain.Command{Batch: "X", Event: placed[0].Seq, At: received - 1}, "was received at"},
			{coldchain.Command{Batch: "X", Event: placed[0].Seq, At: 1000}, "before this record"},
			{coldchain.Command{Batch: "X", Event: placed[0].Seq + 1, At: early}, "is nothing that was told"},
			{coldchain.Command{Batch: "X", At: early, Reason: " "}, "--reason"},
		} {
			_, err := correct(c.c)
			refused(t, err, c.want)
		}
		if v := r.m.batchNamed("X").Verdict; v != coldchain.InRange {
			t.Fatalf("before it is corrected: %s", v)
		}
		e, err := correct(coldchain.Command{Batch: "X", Event: placed[0].Seq, At: early})
		must(err)
		if e.Kind != coldchain.PlacementCorrected || e.Corrects != placed[0].Seq || e.Start != told || e.Time != early || e.Unit != "f1" {
			t.Errorf("told %+v", e)
		}
		r.compareBatches("corrected")
		b := r.m.batchNamed("X")
		if b.Placements[0].From != early || b.Exposure.AboveS != 60 || b.Verdict != coldchain.Quarantined {
			t.Errorf("%+v", b)
		}
		// And back, a little later: the newest correction counts.
		if _, err = correct(coldchain.Command{Batch: "X", Event: placed[0].Seq, At: early + 30_000}); err != nil {
			t.Fatal(err)
		}
		r.compareBatches("corrected again")
		if b := r.m.batchNamed("X"); b.Exposure.AboveS != 40 || !b.Reasons[0].Unsupported || b.Verdict != coldchain.Quarantined {
			t.Errorf("corrected again: %+v", b)
		}
		if _, err = correct(coldchain.Command{Batch: "X", Event: placed[0].Seq, At: early + 20_000}); err != nil {
			t.Fatal(err)
		}
		if b := r.m.batchNamed("X"); b.Placements[0].From != early+20_000 || b.Exposure.AboveS != 50 {
			t.Errorf("corrected a third time: %+v", b)
		}
		rejudged, err := r.st.EventsOf(r.ctx, coldchain.BatchRejudged)
		must(err)
		if len(rejudged) < 3 || !strings.Contains(rejudged[0].Reason, fmt.Sprintf("event %d was corrected", placed[0].Seq)) {
			t.Errorf("told %+v", rejudged)
		}
	})
}

// A calibration that was wrong is corrected from the raw values, for the
// instrument that stands there, and both temperatures are kept.
func TestACalibrationFoundWrong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, t.TempDir(), testConfig())
		defer func() { r.kill() }()
		r.sweep(5000, 5000, 5000)
		begun := r.m.e.Now()
		if err := r.do("receive", "X", "", 0); err != nil {
			t.Fatal(err)
		}
		if err := r.do("place", "X", "f2", 0); err != nil {
			t.Fatal(err)
		}
		for range 12 {
			r.sweep(5000, 5000, 7500)
		}
		points := func(list ...sensor.Temp) (p []sensor.CalibrationPoint) {
			for i := 0; i < len(list); i += 2 {
				p = append(p, sensor.CalibrationPoint{Reads: list[i], Is: list[i+1]})
			}
			return p
		}
		good := coldchain.Command{Name: "recalibrate", Probe: "C", Since: begun + 1, Reason: "ice point", Points: points(0, 1000)}
		for want, change := range map[string]func(c *coldchain.Command){
			"--reason":     func(c *coldchain.Command) { c.Reason = "" },
			"no probe":     func(c *coldchain.Command) { c.Probe = "z" },
			"--since TIME": func(c *coldchain.Command) { c.Since = 0 },
			"future":       func(c *coldchain.Command) { c.Since = r.m.e.Now() + 3_600_000 },
			"is another's": func(c *coldchain.Command) { c.Since = begun - 60_000 },
			"points: one":  func(c *coldchain.Command) { c.Points = nil },
			"two points":   func(c *coldchain.Command) { c.Points = points(0, 1000, 0, 900) },
			"6 points":     func(c *coldchain.Command) { c.Points = points(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5) },
			"leave `at`":   func(c *coldchain.Command) { c.At = begun },
		} {
			c := good
			change(&c)
			_, err := r.give(c)
			refused(t, err, want)
		}
		if _, err := r.give(good); err != nil {
			t.Fatal(err)
		}
		check := func(when string) {
			t.Helper()
			r.compareBatches(when)
			if b := r.m.batchNamed("X"); b.Verdict != coldchain.Quarantined || *b.Exposure.MaxC != 8500 {
				t.Errorf("%s: %+v", when, b)
			}
		}
		check("at once")
		list, err := r.m.Readings(r.ctx, "c", begun+1, r.m.e.Now(), 100)
		if err != nil || len(list) == 0 || list[0].Raw != 7500 || list[0].Temp != 7500 {
			t.Errorf("as recorded: %+v, %v", list, err)
		}
		r.sweep(5000, 5000, 7500) // from here on the config corrects
		r.kill()
		r.dropCheckpoints()
		r.start()
		r.sweep(5000, 5000, 7500)
		check("after a kill")
	})
}
