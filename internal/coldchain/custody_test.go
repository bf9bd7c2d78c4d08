package coldchain

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"coldkeep/sensor"
)

// A book is a record in memory, kept as the monitor keeps it: a command becomes
// events, and what comes late lets all be judged anew.
type book struct {
	t        *testing.T
	cfg      Config
	e        *Evaluator
	now      sensor.Instant
	events   []Event
	readings []sensor.Reading
}

func bookConfig() Config {
	unit := func(id, probe string, low, high sensor.Temp) Unit {
		return Unit{ID: id, Range: Range{low, high}, MaxGap: 40 * time.Millisecond, Probes: []UnitProbe{{ID: probe, Instrument: probe, Judges: true}}}
	}
	p := Profile{ID: "p", Source: "test", Range: Range{2000, 8000}, Confirm: 5 * time.Millisecond, Unmonitored: 60 * time.Millisecond, DeltaH: DefaultDeltaH, InUse: 50 * time.Millisecond,
		Outside: Outside{As: 25000, Grace: 20 * time.Millisecond}, Rules: []Rule{
			{ID: "warm", Limit: Limit{Side: Above, At: 8000}, Total: 100 * time.Millisecond}, {ID: "cold", Limit: Limit{Side: Below, At: 2000}, For: 10 * time.Millisecond}}}
	two, frozen := p, p
	two.ID, two.Signatures, two.InUse = "two", 2, 0
	frozen.ID, frozen.Range, frozen.Rules = "frozen", Range{-25000, -15000}, nil
	return Config{Units: []Unit{unit("u1", "a", 2000, 8000), unit("u2", "b", 2000, 8000), unit("f", "c", -25000, -15000)}, Profiles: []Profile{p, two, frozen}}
}

func newBook(t *testing.T) *book {
	b := &book{t: t, cfg: bookConfig(), now: 1000}
	b.e = New(b.cfg, b.now)
	b.read(5000, 5000, -20000)
	return b
}

// read lets each probe say something, 10 ms later.
func (b *book) read(temps ...sensor.Temp) {
	b.now += 10
	for i, x := range temps {
		r := sensor.Reading{Probe: string(rune('a' + i)), Time: b.now, Temp: x}
		b.readings = append(b.readings, r)
		b.e.Observe(r)
	}
	b.e.Tick(b.now)
}

// do gives a command now, or at c.At. What is refused must say so, and change nothing.
func (b *book) do(c Command) error {
	b.t.Helper()
	if c.At == 0 {
		b.now++
		c.At = b.now
	}
	c.ID = fmt.Sprint("c", len(b.events))
	if c.By == "" {
		c.By = "Anna Example"
	}
	before := b.e.Batches()
	list, err := b.e.Orders(c)
	if d := cmp.Diff(before, b.e.Batches(), cmpopts.EquateEmpty()); d != "" {
		b.t.Fatalf("%+v: to ask for it changed\n%s", c, d)
	}
	if err != nil {
		var no *Refusal
		if !errors.As(err, &no) || no.Message == "" || !slices.Contains([]string{"bad_request", "not_found", "conflict"}, no.Code) {
			b.t.Fatalf("%+v: %v", c, err)
		}
		return err
	}
	late := false
	for i := range list {
		list[i].Seq = uint64(len(b.events) + 1)
		b.events = append(b.events, list[i])
		late = late || list[i].Earliest() <= b.e.Now()
	}
	b.now = max(b.now, c.At)
	if late {
		b.e = b.rebuilt()
		return nil
	}
	for _, ev := range list {
		if err := b.e.Apply(ev); err != nil {
			b.t.Fatalf("%+v: %v", ev, err)
		}
	}
	b.e.Tick(b.now)
	return nil
}

// rebuilt judges the record from its beginning.
func (b *book) rebuilt() *Evaluator {
	b.t.Helper()
	e := New(b.cfg, 1000)
	inputs := Inputs(b.events)
	apply := func(t sensor.Instant) {
		for ; len(inputs) > 0 && inputs[0].At <= t; inputs = inputs[1:] {
			if err := e.Apply(inputs[0].Event); err != nil {
				b.t.Fatalf("%+v: %v", inputs[0].Event, err)
			}
		}
	}
	for _, r := range b.readings {
		apply(r.Time)
		e.Observe(r)
	}
	apply(b.now)
	e.Tick(b.now)
	return e
}

// sound holds the record as it was kept against the same judged from its
// beginning, and counts the vials.
func (b *book) sound() {
	b.t.Helper()
	b.e.Tick(b.now)
	if d := cmp.Diff(b.e.Batches(), b.rebuilt().Batches(), cmpopts.EquateEmpty(), cmpopts.IgnoreFields(BatchState{}, "Forecasts")); d != "" {
		b.t.Fatalf("as kept − judged from the beginning +\n%s", d)
	}
	root := map[string]string{}
	got, gone := map[string]int{}, map[string]int{}
	for _, ev := range b.events {
		switch ev.Kind {
		case BatchReceived:
			root[ev.Batch], got[ev.Batch] = ev.Batch, ev.Vials
		case BatchSplit, BatchOpened:
			if ev.FromBatch != "" {
				root[ev.Batch] = root[ev.FromBatch]
			}
		}
	}
	for _, x := range b.e.Batches() {
		if x.Ended == nil {
			gone[root[x.ID]] += x.Vials
		}
		for _, u := range x.Uses {
			gone[root[x.ID]] += u.Count
		}
	}
	for id, n := range got {
		if n > 0 && gone[id] != n {
			b.t.Fatalf("%s: %d vials were received, %d are left, used or discarded", id, n, gone[id])
		}
	}
}

func (b *book) must(list ...Command) {
	b.t.Helper()
	for _, c := range list {
		if err := b.do(c); err != nil {
			b.t.Fatalf("%+v: %v", c, err)
		}
	}
}

func (b *book) state(id string) BatchState {
	b.t.Helper()
	for _, x := range b.e.Batches() {
		if x.ID == id {
			return x
		}
	}
	b.t.Fatalf("no batch %s", id)
	return BatchState{}
}

// Whatever is told, in whatever order: nothing panics, what is refused changes
// nothing, no vial is lost, and the record judged from its beginning is the same.
func FuzzCustody(f *testing.F) {
	f.Add([]byte("\x00\x01\x05\x02\x03\x04\x10\x20\x30\x05\x06\x07\x40\x50"))
	f.Add([]byte("receive, place, split, open, use, hold, release, recall, return"))
	f.Add([]byte("\x02\x00\x09\x00\x03\x00\x00\x00\x07\x00\x02\x00\x09\x01\x04\x00\x00\x00\x0b\x00\x01\x02\x00\x00"))
	f.Fuzz(func(t *testing.T, in []byte) { play(t, in[:min(len(in), 400)]) })
}

func TestCustodyAtRandom(t *testing.T) {
	for seed := range uint64(40) {
		rng := rand.New(rand.NewPCG(seed, 3))
		in := make([]byte, 800)
		for i := range in {
			in[i] = byte(rng.IntN(256))
		}
		if play(t, in); t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// play makes commands of bytes.
func play(t *testing.T, in []byte) {
	b := newBook(t)
	b.must(Command{Name: "receive", Batch: "A", Profile: "p", Vials: 6, Lot: "1"}, Command{Name: "place", Batch: "A", Unit: "u1"}, Command{Name: "receive", Batch: "B", Profile: "two", Vials: 9})
	next := func(n int) int {
		if len(in) == 0 {
			return 0
		}
		x := int(in[0]) % n
		in = in[1:]
		return x
	}
	pick := func(list ...string) string { return list[next(len(list))] }
	for len(in) > 0 {
		if next(4) == 0 {
			warm := []sensor.Temp{5000, 9000, 1000, 30000}
			b.read(warm[next(4)], warm[next(4)], -20000)
			continue
		}
		c := Command{Batch: pick("A", "B", "A-2", "B-2", "a", "A-3", "?"), By: pick("Anna Example", "Bert Example", "annaexample", " "), Reason: pick("", "because"), Lot: pick("1", "2", ""), Unit: pick("u1", "u2", "f", "", "zz"),
			Profile: pick("p", "two", "frozen", "", "zz"), Vials: next(9) - 1, OutFor: pick("", "", "3ms", "25ms", "-1s", "long")}
		c.Name = pick("receive", "place", "move", "return", "take-out", "split", "open", "use", "discard", "hold", "recall", "release", "propose-release", "propose-discard", "approve", "adopt", "")
		switch c.Name {
		case "split", "open", "use", "discard":
			c.Count, c.NewBatch, c.Treatment = next(7)-1, pick("", "N", "A"), pick("", "T1", "A b")
		case "release", "hold", "approve", "adopt", "place":
			if next(3) == 0 {
				c.BatchIDs = []string{pick("A", "B"), pick("A-2", "b", "")}
			}
			if c.Name == "release" && next(3) == 0 {
				c.Spent = []Spent{{Rule: pick("warm", "cold"), S: 0.05}}
			}
		case "receive":
			c.Arrival = &Arrival{Logger: pick("", "fine", "tripped"), State: pick("", "warm", "frozen", "?")}
		case "recall":
			if next(2) == 0 {
				c.Batch = ""
			}
		}
		if next(5) == 0 {
			c.At = max(1000, b.now-sensor.Instant(next(60)))
		}
		_ = b.do(c) // refusals are looked at there
	}
	b.sound()
}

// What was split off has been through what the whole had, to the millisecond,
// and goes its own way from then on; what was told late is told of both.
func TestWhatIsSplitOffInherits(t *testing.T) {
	b := newBook(t)
	b.must(Command{Name: "receive", Batch: "A", Profile: "p", Vials: 6, Lot: "1"}, Command{Name: "place", Batch: "A", Unit: "u1"})
	b.read(9000, 5000, -20000)
	b.read(9000, 5000, -20000)
	b.must(Command{Name: "split", Batch: "A", Count: 2})
	whole := b.state("A")
	part := b.state("A-2")
	if part.Vials != 2 || whole.Vials != 4 || part.Exposure.AboveS != whole.Exposure.AboveS || part.Exposure.AboveS == 0 || !cmp.Equal(part.Allowance, whole.Allowance) || !cmp.Equal(part.JudgedBy, whole.JudgedBy) {
		t.Errorf("whole %+v\npart %+v", whole, part)
	}
	b.must(Command{Name: "move", Batch: "A-2", Unit: "u2"})
	for range 9 {
		b.read(9000, 5000, -20000)
	}
	if w, p := b.state("A"), b.state("A-2"); w.Verdict != Quarantined || p.Verdict == Quarantined || p.Exposure.AboveS >= w.Exposure.AboveS {
		t.Errorf("whole %s, part %s", w.Verdict, p.Verdict)
	}
	b.sound()
}

// A batch that is blocked is so in all its parts, with an alarm for each.
func TestWhatIsSplitOffABlockedBatchIsBlocked(t *testing.T) {
	b := newBook(t)
	b.must(Command{Name: "receive", Batch: "A", Profile: "p", Vials: 6}, Command{Name: "place", Batch: "A", Unit: "u1"})
	b.read(1000, 5000, -20000)
	b.read(1000, 5000, -20000)
	b.read(5000, 5000, -20000)
	b.e.Take()
	b.must(Command{Name: "split", Batch: "A", Count: 2})
	if p := b.state("A-2"); p.Verdict != Quarantined || p.Reasons[0].Rule != "cold" || p.Reasons[0].At != b.state("A").Reasons[0].At {
		t.Errorf("%+v", p)
	}
	if !slices.ContainsFunc(b.e.Take(), func(ev Event) bool {
		return ev.Kind == AlarmRaised && ev.Batch == "A-2" && ev.Severity == Critical
	}) {
		t.Error("no alarm for what was split off")
	}
	b.must(Command{Name: "release", Batch: "A", Reason: "looked at"})
	if p := b.state("A-2"); p.Verdict != Quarantined {
		t.Errorf("released with the other: %s", p.Verdict)
	}
	b.sound()
}

// How long it was out before it came in is judged as if it had been told when
// it went out, for what was split off meanwhile, too.
func TestOutForIsJudgedFromItsBeginning(t *testing.T) {
	b := newBook(t)
	b.must(Command{Name: "receive", Batch: "A", Profile: "p", Vials: 6}, Command{Name: "place", Batch: "A", Unit: "u1"})
	for range 5 {
		b.read(5000, 5000, -20000)
	}
	b.must(Command{Name: "split", Batch: "A", Count: 1})
	b.read(5000, 5000, -20000)
	b.must(Command{Name: "move", Batch: "A", Unit: "u2", OutFor: "25ms"})
	if x := b.state("A"); x.Exposure.OutsideS != 0.025 || x.Unit != "u2" || *x.Placements[0].To != x.Placements[1].From-25 {
		t.Errorf("%+v", x)
	}
	// It was split off on the bench, and nobody has said that it is back.
	if x := b.state("A-2"); x.Now != NowOutside || *x.OutsideSince != *b.state("A").Placements[0].To {
		t.Errorf("%+v", x)
	}
	// More than what the record knows, rounded, and too little.
	b.must(Command{Name: "take-out", Batch: "A"})
	b.read(5000, 5000, -20000)
	b.must(Command{Name: "return", Batch: "A", OutFor: "2ms"})
	if x := b.state("A"); x.Unit != "u2" || x.Exposure.OutsideS != 0.036 {
		t.Errorf("rounded: %v s outside, in %s", x.Exposure.OutsideS, x.Unit)
	}
	b.sound()
}

// A lot is blocked wherever it is, also what comes later, and what was used of
// it is known.
func TestALotIsRecalled(t *testing.T) {
	b := newBook(t)
	b.must(Command{Name: "receive", Batch: "A", Profile: "p", Vials: 6, Lot: "L-1"}, Command{Name: "place", Batch: "A", Unit: "u1"}, Command{Name: "receive", Batch: "B", Profile: "p", Lot: "L-1"},
		Command{Name: "receive", Batch: "C", Profile: "p", Lot: "L-2"}, Command{Name: "use", Batch: "A", Count: 2, Treatment: "T-1"}, Command{Name: "receive", Batch: "E", Profile: "p", Vials: 1, Lot: "L-1"},
		Command{Name: "use", Batch: "E", Treatment: "T-2"}, Command{Name: "recall", Lot: "l-1 ", Reason: "glass"}, Command{Name: "receive", Batch: "D", Profile: "p", Lot: "L-1"})
	recalls := slices.DeleteFunc(slices.Clone(b.events), func(e Event) bool { return e.Kind != LotRecalled })
	if len(recalls) != 1 || !slices.Equal(recalls[0].BatchIDs, []string{"A", "B"}) || recalls[0].Lot != "L-1" {
		t.Errorf("%+v", recalls)
	}
	for id, want := range map[string]Verdict{"A": Quarantined, "B": Quarantined, "C": Unknown, "D": Quarantined, "E": Used} {
		if v := b.state(id).Verdict; v != want {
			t.Errorf("%s is %s, want %s", id, v, want)
		}
	}
	x := TraceLot("l-1", b.e.Batches(), recalls)
	var used []string
	for _, u := range x.Used {
		used = append(used, fmt.Sprint(u.Batch, " ", u.Count, " ", u.Treatment))
	}
	if got := strings.Join(used, "; "); got != "A 2 T-1; E 1 T-2" || len(x.Batches) != 4 || len(x.Recalls) != 1 || x.Lot != "L-1" {
		t.Errorf("%s %+v", got, x)
	}
	// Told late: it was received before the recall.
	b.must(Command{Name: "receive", Batch: "F", Profile: "p", Lot: "L-1", At: 1011})
	if v := b.state("F").Verdict; v != Quarantined {
		t.Errorf("received before, told after: %s", v)
	}
	b.sound()
}

// What was proposed is void once something comes that its proposer did not
// know, and nobody approves what they proposed themselves.
func TestAProposalIsVoidWhenMoreIsKnown(t *testing.T) {
	b := newBook(t)
	b.must(Command{Name: "receive", Batch: "A", Profile: "two", Arrival: &Arrival{State: "warm"}}, Command{Name: "place", Batch: "A", Unit: "u1"},
		Command{Name: "release", Batch: "A", Reason: "it is fine"})
	if b.state("A").Proposal == nil {
		t.Fatal("nothing is proposed")
	}
	if err := b.do(Command{Name: "approve", Batch: "A", By: "ANNA example"}); err == nil {
		t.Error("one person has decided alone")
	}
	b.read(1000, 5000, -20000)
	b.read(1000, 5000, -20000)
	b.read(5000, 5000, -20000)
	if b.state("A").Proposal != nil {
		t.Error("it holds although it became too cold meanwhile")
	}
	if err := b.do(Command{Name: "approve", Batch: "A", By: "Bert Example"}); err == nil || !strings.Contains(err.Error(), "void") {
		t.Errorf("approved: %v", err)
	}
	b.must(Command{Name: "release", Batch: "A", Reason: "all of it is fine"}, Command{Name: "approve", Batch: "A", By: "Bert Example"})
	if v := b.state("A").Verdict; v != Released {
		t.Errorf("%s", v)
	}
	b.sound()
}

// What came as its label does not allow is blocked until somebody decides.
func TestWhatCameWrong(t *testing.T) {
	for _, c := range []struct {
		profile string
		a       Arrival
		want    string
	}{
		{"p", Arrival{Logger: "fine", State: "cold", Ice: "left", Parcel: "whole"}, ""}, {"p", Arrival{Ice: "gone", Parcel: "damaged"}, ""},
		{"p", Arrival{Logger: "tripped"}, "had tripped"}, {"p", Arrival{State: "warm"}, "came warm"}, {"p", Arrival{State: "frozen"}, "came frozen"},
		{"frozen", Arrival{State: "frozen"}, ""}, {"frozen", Arrival{State: "cold"}, "not frozen hard"}, {"frozen", Arrival{State: "warm", Logger: "tripped"}, "tripped on the way; its vials came warm"},
	} {
		b := newBook(t)
		b.must(Command{Name: "receive", Batch: "A", Profile: c.profile, Arrival: &c.a})
		x := b.state("A")
		if (c.want == "") != (len(x.Reasons) == 0) || c.want != "" && (x.Verdict != Quarantined || x.Reasons[0].Rule != RuleReceipt || !strings.Contains(x.Reasons[0].Text, c.want)) {
			t.Errorf("%s %+v: %+v", c.profile, c.a, x.Reasons)
		}
	}
}
