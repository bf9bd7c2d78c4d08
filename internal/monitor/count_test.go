package monitor

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"coldkeep/internal/coldchain"
	"coldkeep/sensor"
)

// A shelf is a rig whose commands and refusals a test asks for.
type shelf struct {
	*rig
	n int
}

func newShelf(t *testing.T, change func(*coldchain.Config)) *shelf {
	cfg := testConfig()
	change(&cfg)
	s := &shelf{rig: newRig(t, t.TempDir(), cfg)}
	for i := range s.bus.next {
		s.bus.next[i] = sensor.Reading{Temp: 5000, Raw: 5000}
	}
	s.pass(interval)
	return s
}

func (s *shelf) pass(d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); {
		time.Sleep(interval)
		s.m.Sweep(s.ctx, sensor.At(time.Now()))
	}
}

func (s *shelf) give(c coldchain.Command) (coldchain.Event, error) {
	s.n++
	c.ID = fmt.Sprintf("c%d", s.n)
	if c.By == "" {
		c.By = "Anna Example"
	}
	c, err := s.m.papered(s.ctx, c) // as Do does, before it asks the loop
	if err != nil {
		return coldchain.Event{}, err
	}
	return s.m.order(s.ctx, c)
}

func (s *shelf) must(c coldchain.Command) coldchain.Event {
	s.t.Helper()
	ev, err := s.give(c)
	if err != nil {
		s.t.Fatalf("%s: %v", c.Name, err)
	}
	return ev
}

func (s *shelf) refused(c coldchain.Command, code, part string) {
	s.t.Helper()
	ev, err := s.give(c)
	var no *coldchain.Refusal
	if !errors.As(err, &no) || no.Code != code || !strings.Contains(no.Message, part) {
		s.t.Errorf("%s: %+v, %v; want a refusal %s with %q", c.Name, ev, err, code, part)
	}
}

func (s *shelf) batch(id string) coldchain.BatchState {
	s.t.Helper()
	for _, b := range s.m.Snapshot().Batches {
		if b.ID == id {
			return b
		}
	}
	s.t.Fatalf("no batch %s", id)
	return coldchain.BatchState{}
}

func (s *shelf) unit(id string) coldchain.UnitState {
	s.t.Helper()
	for _, u := range s.m.Snapshot().Units {
		if u.ID == id {
			return u
		}
	}
	s.t.Fatalf("no unit %s", id)
	return coldchain.UnitState{}
}

func (s *shelf) raised(rule string) (texts []string) {
	for _, a := range s.m.Snapshot().Alarms {
		if a.Rule == rule {
			texts = append(texts, string(a.Severity)+": "+a.Text)
		}
	}
	return texts
}

// sameAfterRestart tells whether batches and units stand as before: after a
// kill, and after one that left no checkpoint.
func (s *shelf) sameAfterRestart() {
	s.t.Helper()
	type standing struct {
		batches []coldchain.BatchState
		counted map[string][2]sensor.Instant
	}
	now := func() (x standing) {
		snap := s.m.Snapshot()
		x.batches, x.counted = snap.Batches, map[string][2]sensor.Instant{}
		for _, u := range snap.Units {
			x.counted[u.ID] = [2]sensor.Instant{u.CountedAt, u.CountDue}
		}
		return x
	}
	before := now()
	for _, way := range []string{"with", "without"} {
		s.kill()
		if way == "without" {
			s.dropCheckpoints()
		}
		s.start()
		if after := now(); !reflect.DeepEqual(before, after) {
			s.t.Errorf("%s checkpoints:\nbefore %+v\nafter  %+v", way, before, after)
		}
	}
}

// All boxes of a unit are counted: what differs is said, with what would set it
// right, and signed; the count moves nothing. It falls due by the unit's own
// time, from its first batch on.
func TestAUnitIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf(t, func(c *coldchain.Config) {
			c.Units[0].CountEvery = 2 * time.Hour
			c.Units[1].CountEvery = 0
		})
		defer func() { s.kill() }()
		for _, b := range []struct{ id, unit, scan string }{{"EX-1", "f1", ""}, {"EX-2", "f1", ""}, {"EX-3", "f2", ""}, {"EX-4", "", ""}, {"EX-5", "f1", "(01)09506000134352(10)L5(21)77"}} {
			s.must(coldchain.Command{Name: "receive", Batch: b.id, Profile: "p", Vials: 12, Scan: b.scan})
			if b.unit != "" {
				s.must(coldchain.Command{Name: "place", Batch: b.id, Unit: b.unit})
			}
		}
		s.pass(time.Hour)
		if got := s.raised(RuleCountDue); len(got) != 0 {
			t.Errorf("after an hour: %v", got)
		}
		s.pass(time.Hour + 2*interval)
		if got := s.raised(RuleCountDue); len(got) != 1 || !strings.HasPrefix(got[0], "warning: all its boxes are to be counted, which was never done") {
			t.Errorf("after two hours: %v", got)
		}
		found := func(codes ...string) (list []coldchain.Counted) {
			for _, c := range codes {
				list = append(list, coldchain.Counted{Batch: c})
			}
			return list
		}
		// As a scanner reads them: an id, a label's address, a supplier's code; one twice.
		right := found("ex-1", "https://clinic.example:8080/b/EX-2", "(01)09506000134352(10)L5(21)77", "EX-1")
		before := s.m.Snapshot().Batches
		for _, c := range []struct {
			c          coldchain.Command
			code, part string
		}{
			{coldchain.Command{Name: "count", Unit: "f9", Counted: right}, "not_found", "no unit"},
			{coldchain.Command{Name: "count", Unit: "f1", Batch: "EX-1", Counted: right}, "bad_request", "leave the batch EX-1 out"},
			{coldchain.Command{Name: "count", Unit: "f1", Counted: right, At: sensor.At(time.Now().Add(-time.Hour))}, "bad_request", "leave --at out"},
			{coldchain.Command{Name: "count", Unit: "f1", Counted: found("https://clinic.example/x/EX-2")}, "bad_request", "no label of a batch"},
			{coldchain.Command{Name: "count", Unit: "f1", Counted: found("(01)09506000134352(10)L6")}, "not_found", "no batch was received"},
			{coldchain.Command{Name: "count", Unit: "f1", Counted: found("two words")}, "bad_request", "neither a batch"},
			{coldchain.Command{Name: "count", Unit: "f1", Counted: []coldchain.Counted{{Batch: "EX-1", Vials: -1}}}, "bad_request", "-1 vials"},
			{coldchain.Command{Name: "count", Unit: "f1", Counted: []coldchain.Counted{{Batch: "EX-1", Vials: 3}, {Batch: "EX-1"}}}, "bad_request", "once with a number of vials and once without"},
			{coldchain.Command{Name: "count", Unit: "f1", Counted: found("EX-1", "EX-2")}, "conflict", "missing is EX-5 (12 vials). Look again"},
			{coldchain.Command{Name: "count", Unit: "f1", Reason: "  ", Counted: append(right, found("EX-3")...)}, "conflict",
				"unexpected is EX-3, which is recorded in f2. Look again. If it is so, sign it by saying why: --reason TEXT. A count changes nothing; this would: `coldkeep batch move EX-3 f1`"},
			{coldchain.Command{Name: "count", Unit: "f1", Counted: append(right, found("EX-4", "EX-9")...)}, "conflict", "EX-4, which was received and put nowhere; unexpected is EX-9, which nobody has received here"},
		} {
			s.refused(c.c, c.code, c.part)
		}
		if got := s.m.Snapshot().Batches; !reflect.DeepEqual(got, before) || len(s.raised(RuleCountDue)) != 1 {
			t.Error("a refused count has changed something")
		}
		ev := s.must(coldchain.Command{Name: "count", Unit: "F1", Counted: right})
		if ev.Kind != coldchain.UnitCounted || ev.Unit != "f1" || ev.Text != "" || !reflect.DeepEqual(ev.Counted, found("EX-1", "EX-2", "EX-5")) {
			t.Errorf("%+v", ev)
		}
		s.pass(2 * interval)
		if u := s.unit("f1"); u.CountedAt != ev.Time || u.CountDue != ev.Time.Add(2*time.Hour) || len(s.raised(RuleCountDue)) != 0 {
			t.Errorf("counted %s, due %s, %v", u.CountedAt, u.CountDue, s.raised(RuleCountDue))
		}
		if u := s.unit("f2"); u.CountDue != 0 || u.CountedAt != 0 {
			t.Errorf("f2, which is never counted, is due at %s", u.CountDue)
		}
		s.pass(2 * time.Hour)
		if got := s.raised(RuleCountDue); len(got) != 1 || !strings.Contains(got[0], "that was last done on 1 Jan 2000") {
			t.Errorf("two hours later: %v", got)
		}
		// What differs is kept with the reason, and counts as counted.
		ev = s.must(coldchain.Command{Name: "count", Unit: "f1", Reason: "EX-2 is on the bench, EX-3 was not scanned",
			Counted: []coldchain.Counted{{Batch: "EX-1", Vials: 5}, {Batch: "EX-1", Vials: 4}, {Batch: "EX-3"}, {Batch: "EX-5", Vials: 12}}})
		if ev.Text != "missing is EX-2 (12 vials); EX-1 has 12 vials in the record, and 9 were found; unexpected is EX-3, which is recorded in f2" ||
			!reflect.DeepEqual(ev.Missing, []string{"EX-2"}) || !reflect.DeepEqual(ev.Unexpected, []string{"EX-3"}) || !reflect.DeepEqual(ev.Differs, []coldchain.Differing{{Batch: "EX-1", Recorded: 12, Found: 9}}) {
			t.Errorf("%+v", ev)
		}
		want := []string{"`coldkeep batch take-out EX-2`, or move, use or discard it, as it was", "`coldkeep batch move EX-3 f1`", "`coldkeep batch use EX-1 --vials 3`, or discard them, as it was"}
		if got := coldchain.MendCount(ev, s.m.Snapshot().Batches); !reflect.DeepEqual(got, want) {
			t.Errorf("%q", got)
		}
		if b := s.batch("EX-3"); b.Unit != "f2" || b.Vials != 12 {
			t.Errorf("the count has moved %+v", b)
		}
		s.pass(2 * interval)
		if got := s.raised(RuleCountDue); len(got) != 0 {
			t.Errorf("counted: %v", got)
		}
		s.sameAfterRestart()
		// An empty unit is not counted, and a full one again.
		for _, id := range []string{"EX-1", "EX-2", "EX-5"} {
			s.must(coldchain.Command{Name: "move", Batch: id, Unit: "f2"})
		}
		s.pass(3 * time.Hour)
		if got := s.raised(RuleCountDue); len(got) != 0 {
			t.Errorf("an empty unit: %v", got)
		}
		if ev := s.must(coldchain.Command{Name: "count", Unit: "f1"}); ev.Text != "" {
			t.Errorf("nothing in nothing: %+v", ev)
		}
	})
}

// A paper belongs to a batch from when it is attached, with who has looked at
// it. A batch whose label demands what is not there can be kept, and is not for
// use.
func TestPapersOfABatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf(t, func(c *coldchain.Config) {
			c.Profiles[0].Demands = []coldchain.PaperKind{coldchain.PaperCertificate, coldchain.PaperOrigin}
		})
		defer func() { s.kill() }()
		s.pass(time.Minute)
		received := s.must(coldchain.Command{Name: "receive", Batch: "B", Profile: "p", Vials: 3})
		s.must(coldchain.Command{Name: "place", Batch: "B", Unit: "f1"})
		s.pass(time.Minute)
		b := s.batch("B")
		if b.Verdict != coldchain.InRange || !reflect.DeepEqual(b.Missing, []coldchain.PaperKind{coldchain.PaperCertificate, coldchain.PaperOrigin}) {
			t.Fatalf("%+v", b)
		}
		s.refused(coldchain.Command{Name: "use", Batch: "B"}, "conflict", "papers are missing: certificate of analysis; where it comes from.")
		data := []byte("certificate of analysis, lot 0412")
		sha, err := s.m.AddFile(s.ctx, data)
		if err != nil {
			t.Fatal(err)
		}
		paper := func(change func(*coldchain.Paper)) coldchain.Command {
			p := coldchain.Paper{SHA256: sha, Name: `C:\scans\coa.pdf`, Kind: coldchain.PaperCertificate, Checked: "Ben Example", Bytes: 1, By: "nobody", At: 5}
			change(&p)
			return coldchain.Command{Name: "attach", Batch: "b", Paper: &p}
		}
		same := func(*coldchain.Paper) {}
		late := paper(same)
		late.At = received.Time - 1000
		for _, c := range []struct {
			c          coldchain.Command
			code, part string
		}{
			{coldchain.Command{Name: "attach", Batch: "B"}, "bad_request", "what is attached"},
			{coldchain.Command{Name: "attach", Batch: "X", Paper: &coldchain.Paper{SHA256: sha}}, "not_found", "no batch X"},
			{paper(func(p *coldchain.Paper) { p.SHA256 = strings.Repeat("0", 64) }), "not_found", "no file"},
			{paper(func(p *coldchain.Paper) { p.SHA256 = "../x" }), "bad_request", "64 hex digits"},
			{paper(func(p *coldchain.Paper) { p.Kind = "coa" }), "bad_request", "it is one of certificate, laboratory"},
			{paper(func(p *coldchain.Paper) { p.Kind = coldchain.PaperOrigin }), "bad_request", "it is one of"},
			{paper(func(p *coldchain.Paper) { p.Name = "a/" }), "bad_request", "name of its file"},
			{paper(func(p *coldchain.Paper) { p.Name = "a\nb" }), "bad_request", "name of its file"},
			{paper(func(p *coldchain.Paper) { p.Checked = " " }), "bad_request", "--checked-by NAME"},
			{late, "conflict", "from then on"},
			{coldchain.Command{Name: "attach", Batch: "B", Origin: &coldchain.Origin{}}, "bad_request", "nothing is told"},
			{coldchain.Command{Name: "attach", Batch: "B", Origin: &coldchain.Origin{Source: "fish"}}, "bad_request", "plant, human, animal or other"},
			{coldchain.Command{Name: "attach", Batch: "B", Origin: &coldchain.Origin{Maker: strings.Repeat("x", 201)}}, "bad_request", "the maker cannot be written like that"},
		} {
			s.refused(c.c, c.code, c.part)
		}
		if b := s.batch("B"); b.Papers != nil || b.Origin != nil {
			t.Errorf("refused, and attached: %+v", b)
		}
		ev := s.must(paper(same))
		if p := *ev.Paper; ev.Kind != coldchain.PaperAttached || p != (coldchain.Paper{SHA256: sha, Name: "coa.pdf", Kind: coldchain.PaperCertificate, Bytes: len(data), Checked: "Ben Example", By: "Anna Example", At: ev.Time}) {
			t.Errorf("%+v", p)
		}
		s.refused(paper(same), "conflict", "this very file already")
		s.must(coldchain.Command{Name: "attach", Batch: "B", Origin: &coldchain.Origin{Maker: " A Maker ", Product: "Exo", Source: "Human"}})
		s.refused(coldchain.Command{Name: "use", Batch: "B"}, "conflict", "papers are missing: where it comes from (tissue).")
		s.refused(coldchain.Command{Name: "attach", Batch: "B", Origin: &coldchain.Origin{Maker: "Another"}}, "conflict", `was told as "A Maker"`)
		told := s.must(coldchain.Command{Name: "attach", Batch: "B", Origin: &coldchain.Origin{Tissue: "adipose tissue"}})
		if o := *told.Origin; o != (coldchain.Origin{Maker: "A Maker", Product: "Exo", Source: "human", Tissue: "adipose tissue"}) {
			t.Errorf("%+v", o)
		}
		s.pass(interval)
		if b := s.batch("B"); b.Missing != nil || b.OriginAt != told.Time || len(b.Papers) != 1 || len(b.Blocked(told.Time)) != 0 || len(b.Blocked(told.Time-1)) != 1 {
			t.Errorf("%+v", b)
		}
		// A mistake is put right with a reason, and takes nothing away.
		s.must(coldchain.Command{Name: "attach", Batch: "B", Origin: &coldchain.Origin{Maker: "Another"}, Reason: "a slip"})
		s.pass(interval)
		if b := s.batch("B"); b.Origin.Maker != "Another" || b.OriginAt != told.Time {
			t.Errorf("%+v", b.Origin)
		}
		s.sameAfterRestart()
		// One that was used without its papers is told, also where they come later.
		s.must(coldchain.Command{Name: "receive", Batch: "C", Profile: "p", Vials: 3})
		s.must(coldchain.Command{Name: "place", Batch: "C", Unit: "f1"})
		s.pass(time.Minute)
		s.must(coldchain.Command{Name: "use", Batch: "C", Reason: "nobody had looked"})
		s.pass(2 * interval)
		used := paper(same)
		used.Batch, used.Origin = "C", &coldchain.Origin{Maker: "A Maker", Product: "Exo", Source: "plant"}
		s.must(used)
		s.pass(2 * interval)
		if b := s.batch("C"); len(b.Missing) != 0 || len(b.Papers) != 1 {
			t.Errorf("%+v", b)
		}
		if got := s.raised(RuleUsedWhileBlocked); len(got) != 1 || !strings.Contains(got[0], "batch C was used although it was not to be: papers are missing") {
			t.Errorf("%v", got)
		}
		s.sameAfterRestart()
	})
}

// A paper that is told of later, with when it came, is in its place.
func TestAPaperOfThePast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf(t, func(c *coldchain.Config) { c.Profiles[0].Demands = []coldchain.PaperKind{coldchain.PaperLabel} })
		defer func() { s.kill() }()
		s.must(coldchain.Command{Name: "receive", Batch: "B", Profile: "p"})
		s.must(coldchain.Command{Name: "place", Batch: "B", Unit: "f1"})
		s.pass(time.Hour)
		sha, err := s.m.AddFile(s.ctx, []byte("a photo"))
		if err != nil {
			t.Fatal(err)
		}
		came := sensor.At(time.Now().Add(-30 * time.Minute))
		s.must(coldchain.Command{Name: "attach", Batch: "B", At: came, Paper: &coldchain.Paper{SHA256: sha, Name: "label.jpg", Kind: coldchain.PaperLabel, Checked: "Ben Example"}})
		s.pass(interval)
		if b := s.batch("B"); len(b.Missing) != 0 || len(b.Papers) != 1 || b.Papers[0].At != came || b.Verdict != coldchain.InRange || len(b.Blocked(came-1)) != 1 {
			t.Errorf("%+v", b)
		}
		s.sameAfterRestart()
	})
}

// Whatever a scanner reads is the id of a batch, or refused with a reason.
func FuzzBoxOf(f *testing.F) {
	for _, s := range []string{"EX-1", " ex-1\r", "http://h/b/EX-1", "http://h:8080/x/b/EX-1?y#z", "https://h/b/", "]d2010950600013435210L5\x1d2177", "(01)09506000134352(10)L5(21)77", "(01)1", "=", "\x00", "//b/EX"} {
		f.Add(s)
	}
	batches := []coldchain.BatchState{{ID: "EX-5", GTIN: "09506000134352", Lot: "L5", Serial: "77", Unit: "f1"}, {ID: "EX-6", GTIN: "09506000134352", Lot: "L6"}, {ID: "EX-7", GTIN: "09506000134352", Lot: "l6"}}
	m := New(nil, Options{})
	m.loc, m.clock = time.UTC, newClock(time.Now, 0)
	f.Fuzz(func(t *testing.T, code string) {
		id, err := m.boxOf(code, "f1", batches)
		var no *coldchain.Refusal
		if err == nil && !coldchain.ValidID(id) || err != nil && (!errors.As(err, &no) || no.Message == "" || id != "") {
			t.Errorf("%q: %q, %v", code, id, err)
		}
	})
}

// A count that falls due at night waits for working hours, across a kill.
func TestACountDueWaitsForTheDay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNight(t, nightDuty(), time.Date(2026, 5, 5, 4, 0, 0, 0, time.UTC)) // a Tuesday
		n.stop()
		n.change = func(c *coldchain.Config) { c.Units[0].CountEvery, c.Units[1].CountEvery = time.Hour, time.Hour }
		n.start()
		begun := n.wall()
		n.calls(begun)
		until := func(hour, minute int) { time.Sleep(time.Date(2026, 5, 5, hour, minute, 0, 0, time.UTC).Sub(n.wall())) }
		until(4, 50)
		if l := n.holding(RuleCountDue); len(l) != 0 {
			t.Errorf("ten minutes before: %+v", l)
		}
		until(5, 10)
		if l := n.holding(RuleCountDue); len(l) != 2 || l[0].Unit != "fridge-1" || l[0].Severity != coldchain.Warning || !strings.Contains(l[0].Text, "coldkeep batch count fridge-1 -") {
			t.Errorf("ten minutes after: %+v", l)
		}
		n.cancel()
		n.start()
		n.do(coldchain.Command{Name: "count", Unit: "fridge-1", Counted: []coldchain.Counted{{Batch: "EX-1", Vials: 4}}})
		time.Sleep(20 * time.Second)
		if l := n.holding(RuleCountDue); len(l) != 1 || l[0].Unit != "fridge-2" {
			t.Errorf("one of two was counted: %+v", l)
		}
		until(7, 55)
		if lines := n.calls(begun); len(lines) != 0 {
			t.Errorf("called at night: %v", lines)
		}
		until(8, 5)
		if lines := n.calls(begun); len(lines) == 0 {
			t.Error("nobody is asked to count by day")
		}
		n.stop()
	})
}

// What is split off has the papers of what it was split off, also those that
// come afterwards; what comes for a part is the part's alone. To open what is
// not for use takes a reason, and is told once.
func TestPapersAreOfThePartsToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf(t, func(c *coldchain.Config) {
			c.Profiles[0].InUse = time.Hour
			c.Profiles[0].Demands = []coldchain.PaperKind{coldchain.PaperCertificate, coldchain.PaperLaboratory, coldchain.PaperOrigin}
		})
		defer func() { s.kill() }()
		attach := func(batch, name string, kind coldchain.PaperKind) {
			t.Helper()
			sha, err := s.m.AddFile(s.ctx, []byte(name))
			if err != nil {
				t.Fatal(err)
			}
			s.must(coldchain.Command{Name: "attach", Batch: batch, Paper: &coldchain.Paper{SHA256: sha, Name: name, Kind: kind, Checked: "Ben Example"}})
			s.pass(interval)
		}
		missing := func(want ...string) {
			t.Helper()
			for i, id := range []string{"B", "B-x", "B-x-x"} {
				if got := fmt.Sprint(s.batch(id).Missing); got != want[i] {
					t.Errorf("%s lacks %s, want %s", id, got, want[i])
				}
			}
		}
		s.refused(coldchain.Command{Name: "receive", Batch: "B", Profile: "p", Origin: &coldchain.Origin{Maker: "a\nb"}}, "bad_request", "the maker cannot be written like that")
		received := s.must(coldchain.Command{Name: "receive", Batch: "B", Profile: "p", Vials: 9, Origin: &coldchain.Origin{Maker: " M ", Product: "P"}})
		if *received.Origin != (coldchain.Origin{Maker: "M", Product: "P"}) {
			t.Errorf("%+v", received.Origin)
		}
		s.must(coldchain.Command{Name: "place", Batch: "B", Unit: "f1"})
		s.pass(time.Minute)
		attach("B", "coa.pdf", coldchain.PaperCertificate)
		s.must(coldchain.Command{Name: "split", Batch: "B", NewBatch: "B-x", Count: 4})
		s.pass(interval)
		s.must(coldchain.Command{Name: "split", Batch: "B-x", NewBatch: "B-x-x", Count: 1})
		s.pass(interval)
		missing("[laboratory origin]", "[laboratory origin]", "[laboratory origin]")
		attach("B-x", "lab.pdf", coldchain.PaperLaboratory)
		missing("[laboratory origin]", "[origin]", "[origin]")
		s.must(coldchain.Command{Name: "attach", Batch: "B", Origin: &coldchain.Origin{Source: "plant"}})
		s.pass(interval)
		missing("[laboratory]", "[]", "[]")
		if n := len(s.batch("B-x-x").Papers); n != 2 {
			t.Errorf("%d papers", n)
		}
		attach("B", "lab.pdf", coldchain.PaperLaboratory) // which the parts have already
		if a, b := len(s.batch("B").Papers), len(s.batch("B-x").Papers); a != 2 || b != 2 {
			t.Errorf("%d and %d papers", a, b)
		}
		s.sameAfterRestart()
		if got := s.raised(RuleUsedWhileBlocked); len(got) != 0 {
			t.Errorf("%v", got)
		}
		// Opened without its papers.
		s.must(coldchain.Command{Name: "receive", Batch: "C", Profile: "p", Vials: 9})
		s.must(coldchain.Command{Name: "place", Batch: "C", Unit: "f1"})
		s.pass(time.Minute)
		s.refused(coldchain.Command{Name: "open", Batch: "C"}, "conflict", "papers are missing: certificate of analysis; independent laboratory's result; where it comes from.")
		s.must(coldchain.Command{Name: "open", Batch: "C", Reason: "an emergency"})
		s.pass(2 * interval)
		s.must(coldchain.Command{Name: "split", Batch: "C", NewBatch: "C-x", Count: 2})
		s.pass(2 * interval)
		if got := s.raised(RuleUsedWhileBlocked); len(got) != 1 || !strings.HasPrefix(got[0], "critical: batch C was opened although it was not to be used: papers are missing: ") {
			t.Errorf("%q", got)
		}
		s.sameAfterRestart()
	})
}
