package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"coldkeep/internal/coldchain"
	"coldkeep/internal/monitor"
	"coldkeep/internal/store"
	"coldkeep/internal/web"
	"coldkeep/sensor"
)

// A custodian is a daemon's own parts over a record, which can be ended and
// started again; what its probes read can be set.
type custodian struct {
	t    *testing.T
	dir  string
	cfg  coldchain.Config
	temp [2]atomic.Int64 // m°C of each probe; dead: none
	m    *monitor.Monitor
	stop func()
}

const dead = -1 << 30

func (c *custodian) Name() string { return "set" }
func (c *custodian) Close() error { return nil }
func (c *custodian) Sweep(_ context.Context, slot time.Time) (list []sensor.Reading) {
	for i, p := range []string{"p1", "p2"} {
		r := sensor.Reading{Probe: p, Time: sensor.At(slot), Temp: sensor.Temp(c.temp[i].Load()), Raw: sensor.Temp(c.temp[i].Load())}
		if r.Temp == dead {
			r = sensor.Reading{Probe: p, Time: sensor.At(slot), Fault: sensor.FaultCRC}
		}
		list = append(list, r)
	}
	return list
}

func newCustodian(t *testing.T, change ...func(*coldchain.Config)) *custodian {
	c := &custodian{t: t, dir: t.TempDir()}
	for i := range c.temp {
		c.temp[i].Store(5000)
	}
	unit := func(id, probe string) coldchain.Unit {
		return coldchain.Unit{ID: id, Range: coldchain.Range{Low: 2000, High: 8000}, MaxGap: time.Second, Probes: []coldchain.UnitProbe{{ID: probe, Instrument: "test " + probe, Judges: true}}}
	}
	p := coldchain.Profile{ID: "p", Source: "test", Range: coldchain.Range{Low: 2000, High: 8000}, Unmonitored: time.Hour, DeltaH: coldchain.DefaultDeltaH, InUse: 4 * time.Hour,
		Outside: coldchain.Outside{As: 25000, Grace: 10 * time.Minute}, Rules: []coldchain.Rule{
			{ID: "warm", Limit: coldchain.Limit{Side: coldchain.Above, At: 8000}, Total: 2 * time.Hour}, {ID: "hot", Limit: coldchain.Limit{Side: coldchain.Above, At: 30000}}}}
	two := p
	two.ID, two.Signatures, two.InUse = "two", 2, 0
	c.cfg = coldchain.Config{Units: []coldchain.Unit{unit("fridge-1", "p1"), unit("fridge-2", "p2")}, Profiles: []coldchain.Profile{p, two}}
	for _, f := range change {
		f(&c.cfg)
	}
	c.start()
	t.Cleanup(func() { c.stop() })
	return c
}

func (c *custodian) start() {
	c.t.Helper()
	st, err := store.Open(context.Background(), c.dir)
	if err != nil {
		c.t.Fatal(err)
	}
	m := monitor.New(st, monitor.Options{Config: c.cfg, Probes: []sensor.Probe{{ID: "p1"}, {ID: "p2"}}, Buses: []sensor.Bus{c}, Interval: 200 * time.Millisecond,
		Site: coldchain.Site{ID: "s", Timezone: "Europe/London"}, Node: "n", Log: slog.New(slog.DiscardHandler), Synchronized: func() bool { return true }})
	if err := m.Open(context.Background()); err != nil {
		c.t.Fatal(err)
	}
	s, err := web.New(m, web.Options{Interval: time.Minute})
	if err != nil {
		c.t.Fatal(err)
	}
	l, err := web.ListenSocket(filepath.Join(c.dir, socketName))
	if err != nil {
		c.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served, turned := make(chan error, 1), make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	go func() { turned <- m.Run(ctx) }()
	c.m = m
	c.stop = func() {
		c.stop = func() {}
		err := s.Close(context.Background())
		cancel()
		if err := errors.Join(err, <-served, <-turned, st.Close()); err != nil {
			c.t.Error(err)
		}
	}
	at := m.Snapshot().At
	for end := time.Now().Add(time.Minute); m.Snapshot().At == at; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			c.t.Fatal("no sweep was made")
		}
	}
}

// A seat is where a person types.
type seat struct {
	*strings.Reader
}

func (seat) Terminal() bool { return true }

// types runs a command line at a terminal, with the answers that are typed.
// Words in single quotes are one.
func (c *custodian) types(answers, line string) (code int, said string) {
	c.t.Helper()
	var both bytes.Buffer
	var args []string
	for _, w := range regexp.MustCompile(`'[^']*'|\S+`).FindAllString(line, -1) {
		args = append(args, strings.Trim(w, "'"))
	}
	a := &app{ctx: c.t.Context(), in: strings.NewReader(""), out: &both, errOut: &both}
	if answers != "" {
		a.in = seat{strings.NewReader(answers)}
	}
	code = run(a, append(append([]string{"batch"}, args...), "--dir", c.dir))
	return code, both.String()
}

// does is a command that is carried out, and says what it should.
func (c *custodian) does(line string, wants ...string) string {
	c.t.Helper()
	return c.must(exitDone, "", line, wants...)
}

// refuses is a command that is not.
func (c *custodian) refuses(line string, wants ...string) {
	c.t.Helper()
	before := c.m.Snapshot().Batches
	c.must(exitFailed, "", line, wants...)
	after := c.m.Snapshot().Batches
	if len(before) != len(after) {
		c.t.Errorf("%s: was refused and made a batch", line)
	}
	for i := range before {
		if b, a := before[i], after[i]; a.ID != b.ID || a.Vials != b.Vials || len(a.Placements) != len(b.Placements) || len(a.Reasons) != len(b.Reasons) || len(a.Uses) != len(b.Uses) || len(a.Decisions) != len(b.Decisions) {
			c.t.Errorf("%s: was refused and changed %s", line, b.ID)
		}
	}
}

func (c *custodian) must(code int, answers, line string, wants ...string) string {
	c.t.Helper()
	got, said := c.types(answers, line)
	if got != code {
		c.t.Errorf("%s: exit %d, want %d:\n%s", line, got, code, said)
	}
	for _, w := range wants {
		if !strings.Contains(said, w) {
			c.t.Errorf("%s: lacks %q:\n%s", line, w, said)
		}
	}
	return said
}

// turns waits until so many sweeps more have been made.
func (c *custodian) turns(n int) {
	for ; n > 0; n-- {
		at := c.m.Snapshot().At
		for c.m.Snapshot().At < at+200 {
			time.Sleep(5 * time.Millisecond)
		}
	}
}

func (c *custodian) batch(id string) coldchain.BatchState {
	c.t.Helper()
	for _, b := range c.m.Snapshot().Batches {
		if b.ID == id {
			return b
		}
	}
	c.t.Fatalf("no batch %s", id)
	return coldchain.BatchState{}
}

// From the parcel to the last vial, as it is typed; every refusal says what is
// wrong and what would be right; and a restart in between changes nothing.
func TestCustodyOnTheCommandLine(t *testing.T) {
	c := newCustodian(t)
	c.refuses("receive EX-1 --profile p --logger broken", `logger "broken": say fine, tripped or none`)
	c.refuses("receive EX-1 --profile p --source fish", "plant, human, animal or other")
	c.refuses("receive EX-1 --profile p --spent warm", "warm=30m")
	c.refuses("receive EX-1 --profile p --spent cold=1h", "no rule cold")
	c.does("receive EX-1 --profile p --lot 0412 --vials 12 --logger fine --vials-state cold --maker 'Exo Example' --source plant --spent warm=30m --by 'Anna Example'",
		"EX-1 is received: 12 vials, lot 0412, profile p", "by Anna Example")
	c.refuses("return EX-1", "in no unit yet: place it")
	c.refuses("place EX-1 fridge-1 --out-for 4m", "--spent")
	c.does("place EX-1 fridge-1", "EX-1 is in fridge-1")
	c.turns(3)
	c.refuses("return EX-1", "--out-for 4m")
	c.refuses("return EX-1 --out-for soon", "4m, 90s or 1h30m")
	c.refuses("return EX-1 --out-for 3h", "cannot have been out for 3h since")
	c.refuses("return EX-1 fridge-2", "move it")
	c.does("return EX-1 --out-for 400ms", "EX-1 is back in fridge-1, after 0 s outside")
	if x := c.batch("EX-1"); x.Exposure.OutsideS != 0.4 || len(x.Placements) != 2 {
		t.Errorf("out for 400 ms: %v s, %+v", x.Exposure.OutsideS, x.Placements)
	}

	c.refuses("split EX-1 --vials 13", "12 vials left: not 13")
	c.refuses("split EX-1 --vials 12", "nothing would be left")
	c.refuses("split EX-1 --vials=-1", "give how many")
	c.refuses("split EX-1 --vials 3 --new EX-1", "known already")
	c.refuses("split EX-1 --vials 3 --new 'EX 2'", "letters, digits and hyphens")
	c.does("split EX-1 --vials 3", "3 vials of EX-1 are EX-1-2 now, 9 left in EX-1")
	c.does("split EX-1-2 --vials 1 --new B", "1 vial of EX-1-2")
	a, b := c.batch("EX-1"), c.batch("B")
	if b.FromBatch != "EX-1-2" || b.Unit != "fridge-1" || b.Exposure.OutsideS != a.Exposure.OutsideS || len(b.Before) != 1 || b.Arrival == nil {
		t.Errorf("what was split off does not inherit: %+v", b)
	}
	said := c.does("open EX-1 --vials 2 --by 'Anna Example'", "2 vials of EX-1, opened, is EX-1-3 now, 7 left in EX-1, by Anna Example")
	opened := c.batch("EX-1-3")
	london, err := time.LoadLocation("Europe/London")
	if err != nil {
		t.Fatal(err)
	}
	if want := "Write on the vial: EX-1-3 USE BY " + opened.OpenedAt.Time().Add(4*time.Hour).In(london).Format("15:04 on 2 January"); !strings.Contains(said, want) {
		t.Errorf("%q is not said:\n%s", want, said)
	}
	c.refuses("open EX-1-3", "was opened at", "may be used until")
	c.refuses("open B --new C", "all of batch B is opened")
	c.does("open B", "B is opened", "Write on the vial: B USE BY")

	c.refuses("use EX-1 --vials 2 --treatment 'Anna Example'", "never a patient's name")
	c.refuses("use EX-1 --vials 2 --treatment Smith", "has no digit")
	c.refuses("use EX-1 --vials 2 --treatment "+strings.Repeat("1", 65), "64 are the most")
	c.refuses("use EX-1 --vials 8", "has 7 vials left: not 8")
	c.does("use EX-1 --vials 2 --treatment T-2026/17.a", "2 vials of EX-1 used, 5 left")
	c.refuses("discard EX-1 --vials 1", "give --reason TEXT")
	c.does("discard EX-1 --vials 1 --reason 'it fell'", "1 vial of EX-1 discarded, 4 left")
	c.does("use B --treatment 18", "B is used up")
	c.refuses("use B", "batch B is used")

	c.refuses("hold EX-1", "--reason")
	c.refuses("hold EX-1 EX-9 --reason 'looks cloudy'", "nothing was done", "no batch EX-9 is known")
	c.does("hold EX-1 EX-1-2 --reason 'looks cloudy' --by 'Anna Example'", "EX-1 is held back", "EX-1-2 is held back", "DO NOT USE")
	c.refuses("hold EX-1 --reason again", "held back already")
	c.refuses("use EX-1 --vials 1", "must not be used: held back by Anna Example: looks cloudy")
	c.does("use EX-1 --vials 1 --reason 'before anybody looked'", "1 vial of EX-1 used, 3 left")
	c.refuses("release EX-1 --reason ok --allow warm=1h", "not among what this release answers")
	c.refuses("release EX-1 --reason ok --use-by 2020-01-31", "that day is over")
	c.refuses("release EX-1 --reason ok --use-by tomorrow", "2027-01-31")
	c.refuses("release EX-1 EX-1-3 --reason ok", "nothing was done: batch EX-1-3 is not quarantined")
	c.does("release EX-1 EX-1-2 --reason 'bubbles only' --maker-ref M-17 --use-by 2100-01-31 --by 'Anna Example'", "EX-1 is released, to be used by 2100-01-31, by Anna Example", "RELEASED")

	c.refuses("recall --lot ' ' --reason x", "which lot")
	c.refuses("recall --lot 0412", "--reason")
	c.does("recall --lot 9999 --reason 'the maker says'", "NO BATCH OF LOT 9999 IS KNOWN HERE", "Known are 0412")
	c.does("recall --lot 0412 --reason 'the maker says'", "EX-1-3", "in fridge-1", "USED", "treatment T-2026/17.a", "treatment 18", "DISCARDED", "it fell")
	for _, id := range []string{"EX-1", "EX-1-2", "EX-1-3"} {
		if v := c.batch(id).Verdict; v != coldchain.Quarantined {
			t.Errorf("%s of the recalled lot is %s", id, v)
		}
	}
	c.does("receive EX-2 --profile p --lot 0412 --vials 1", "DO NOT USE", "was recalled: the maker says")
	c.does("receive EX-3 --profile p --logger tripped", "DO NOT USE", "had tripped on the way")
	c.does("receive EX-4 --profile p --vials-state warm", "Its vials came warm")

	before := map[string]coldchain.BatchState{}
	for _, b := range c.m.Snapshot().Batches {
		before[b.ID] = b
	}
	c.stop()
	c.start()
	for id, b := range before {
		a := c.batch(id)
		if a.Verdict != b.Verdict || a.Vials != b.Vials || len(a.Reasons) != len(b.Reasons) || len(a.Uses) != len(b.Uses) || a.FromBatch != b.FromBatch || (a.OpenedAt == nil) != (b.OpenedAt == nil) {
			t.Errorf("after a restart %s is %+v, was %+v", id, a, b)
		}
	}
}

// What was not said is asked for where a person sits, and nowhere else.
func TestWhatATerminalAsks(t *testing.T) {
	c := newCustodian(t)
	c.must(exitDone, "tripped\nlukewarm\nco\n\nw\n", "receive A --profile p", "Logger or indicator", `"lukewarm" is none of frozen, cold, warm`, "DO NOT USE")
	if a := c.batch("A").Arrival; a == nil || *a != (coldchain.Arrival{Logger: "tripped", State: "cold", Parcel: "whole"}) {
		t.Errorf("arrival %+v", a)
	}
	c.must(exitDone, "\n\n\n\n", "receive B --profile p")
	if a := c.batch("B").Arrival; a != nil {
		t.Errorf("nobody looked, and it came %+v", a)
	}
	c.must(exitFailed, "fine\n", "receive C --profile p", "nothing was recorded: the question was not answered")
	if said := c.must(exitDone, "x\n", "receive C --profile p --ice left"); strings.Contains(said, "Logger or") {
		t.Errorf("it was asked what was said:\n%s", said)
	}
	c.does("place B fridge-1")
	c.turns(10)
	c.must(exitDone, "1s\n", "move B fridge-2", "How long was B out", "moved from fridge-1, after 1 s outside")
	c.must(exitDone, "\n", "move B fridge-1", "moved from fridge-2")
	c.must(exitFailed, "90\n", "move B fridge-2", "cannot have been out for 1h30m")
}

// Two people decide where the label asks for two, and neither of them alone.
func TestTwoPeopleDecide(t *testing.T) {
	c := newCustodian(t)
	c.does("receive A --profile two --vials 4 --logger tripped")
	c.does("receive B --profile two --vials 4 --logger tripped")
	c.refuses("approve A --by 'Bert Example'", "no decision on batch A waits")
	c.does("release A B --reason 'the maker agrees' --maker-ref M-1 --by 'Anna Example'", "nothing is decided yet", "coldkeep batch approve A", "coldkeep batch approve B", "DO NOT USE")
	c.refuses("approve A --by ' anna EXAMPLE '", "another person must approve")
	c.refuses("release A --reason 'I think so, too' --by 'Bert Example'", "Anna Example has proposed to release batch A", "approve it")
	c.stop()
	c.start()
	c.does("approve A --by 'Bert Example' --reason seen", "A is released", "by Bert Example, as Anna Example had proposed")
	c.does("show A", "Anna Example proposes that it may be used (receipt): the maker agrees (maker's reference M-1)", "Bert Example approves, as Anna Example proposed, that it may be used (receipt): the maker agrees; approved: seen")
	// What is found afterwards, the first signer did not know.
	c.does("hold B --reason 'a crack' --by 'Anna Example'")
	c.refuses("approve B --by 'Bert Example'", "is void")
	c.refuses("discard B --vials 1 --reason 'a crack'", "split those off")
	c.does("discard B --reason 'a crack' --by 'Anna Example'", "proposes to discard")
	c.refuses("approve B --by 'Bert Example' --reason x --at 2020-01-01T00:00:00Z")
	c.does("approve B --by 'Bert Example'", "B is discarded")
	if v := c.batch("B").Verdict; v != coldchain.Discarded {
		t.Errorf("B is %s", v)
	}
	c.does("discard A --reason 'no use' --by 'Anna Example'", "A is discarded")
}

// What was quarantined by one cause is decided on at once, seen before; what
// has been through more is not among it.
func TestOneDecisionOnOneCause(t *testing.T) {
	c := newCustodian(t)
	for _, id := range []string{"A", "B", "C", "D"} {
		c.does("receive " + id + " --profile p --vials 2")
	}
	for _, id := range []string{"A", "B", "C"} {
		c.does("place " + id + " fridge-1")
	}
	c.does("place D fridge-2")
	c.does("hold C --reason 'a crack'")
	c.turns(2)
	c.refuses("release --like A --reason x", "is not quarantined: there is nothing to decide")
	c.refuses("release --like X --reason x", "no batch X is known")
	c.refuses("release --reason x", "which batches?")
	c.refuses("release B --like A --reason x", "either name the batches")
	c.temp[0].Store(31_000)
	c.temp[1].Store(31_000)
	c.turns(3)
	c.temp[0].Store(5000)
	c.temp[1].Store(5000)
	c.turns(3)
	said := c.must(exitFailed, "", "release --like A --reason x --by 'Anna Example'", "fridge-1 was too warm", "highest 31.0 °C", "2 of this cause", "Not among them", "nothing was decided: say --yes")
	if strings.Contains(said, "  D,") {
		t.Errorf("D was in another unit:\n%s", said)
	}
	c.must(exitFailed, "no\n", "release --like A --reason x", "nothing was decided")
	c.must(exitDone, "yes\n", "release --like a --reason 'the maker agrees' --by 'Anna Example'", "type yes", "A is released", "B is released")
	for id, want := range map[string]coldchain.Verdict{"A": coldchain.Released, "B": coldchain.Released, "C": coldchain.Quarantined, "D": coldchain.Quarantined} {
		if v := c.batch(id).Verdict; v != want {
			t.Errorf("%s is %s, want %s", id, v, want)
		}
	}
	events, err := c.m.EventsOf(t.Context(), coldchain.BatchReleased)
	if err != nil || len(events) != 2 || events[0].Cause == "" || events[0].Cause != events[1].Cause || events[0].ID != events[0].Cause || events[1].ID != "" || events[0].Decision != "release" {
		t.Errorf("%v %+v", err, events)
	}
}

// Of a gap the readings on both sides are shown, before anybody decides.
func TestADecisionOnAGapShowsItsEnds(t *testing.T) {
	c := newCustodian(t, func(cfg *coldchain.Config) { cfg.Profiles[0].Unmonitored = 300 * time.Millisecond })
	for _, id := range []string{"A", "B"} {
		c.does("receive " + id + " --profile p")
		c.does("place " + id + " fridge-1")
	}
	c.turns(2)
	c.temp[0].Store(dead)
	for end := time.Now().Add(time.Minute); c.batch("B").Verdict != coldchain.Quarantined; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("no data quarantines nothing")
		}
	}
	c.must(exitFailed, "", "discard --like B --reason x", "fridge-1 was without temperature", "until now (unmonitored): before it 5.0 °C at", "after it nothing")
	c.temp[0].Store(6000)
	c.turns(2)
	c.must(exitDone, "", "discard --like B --yes --reason x", "before it 5.0 °C at", "after it 6.0 °C at", "2 of this cause", "A is discarded", "B is discarded")
}

// A newer revision of a label holds only by a signed command, and then for the
// whole life, also of what was split off.
func TestANewerLabelIsAdopted(t *testing.T) {
	c := newCustodian(t)
	c.does("receive A --profile p --vials 6")
	c.does("place A fridge-1")
	c.turns(2)
	c.temp[0].Store(31_000)
	c.turns(3)
	c.temp[0].Store(5000)
	c.turns(2)
	c.does("split A --vials 2", "DO NOT USE")
	c.refuses("adopt A --reason x", "already")
	c.refuses("adopt A --profile zz --reason x", "no profile")
	c.stop()
	rules := c.cfg.Profiles[0].Rules
	c.cfg.Profiles[0].Rules = rules[:1] // the label says now that 31 °C is no harm by itself
	c.start()
	if !c.batch("A").NewerProfile {
		t.Error("nothing says that there is a newer revision")
	}
	c.refuses("adopt A", "--reason TEXT")
	c.does("adopt A-2 --reason 'the maker has corrected the label' --by 'Anna Example'", "A is judged by p", "A-2 is judged by p", "by Anna Example")
	for _, id := range []string{"A", "A-2"} {
		b := c.batch(id)
		// What was said stays said until somebody decides.
		if b.NewerProfile || b.Verdict != coldchain.Quarantined || len(b.Reasons) != 1 || !b.Reasons[0].Unsupported || len(b.Profile.Rules) != 1 || b.Exposure.AboveS == 0 {
			t.Errorf("%s: %+v", id, b)
		}
	}
	was := c.batch("A-2")
	c.stop()
	c.start()
	if b := c.batch("A-2"); b.Exposure.AboveS != was.Exposure.AboveS || len(b.Profile.Rules) != 1 || b.Verdict != was.Verdict {
		t.Errorf("after a restart: %+v", b)
	}
	c.does("release A A-2 --reason 'the label was corrected' --by 'Anna Example'", "RELEASED")
}
