package alert

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// three is in the night: a Tuesday, 02:12 UTC.
var three = time.Date(2026, 5, 5, 2, 12, 0, 0, time.UTC)

// testDuty: three people, a night that calls one after the other and then all.
func testDuty() Duty {
	person := func(id string) Person {
		return Person{ID: id, Name: strings.ToUpper(id[:1]) + id[1:], Contacts: []Contact{{Channel: "push", To: id}, {Channel: "sms", To: "+" + id, After: time.Minute}}}
	}
	return Duty{Site: "Clinic A", Location: time.UTC, People: []Person{person("anna"), person("bert"), person("cleo")},
		Policies: []Policy{{ID: "night", Steps: []Step{
			{Call: []string{"anna"}, Repeat: 5 * time.Minute},
			{Call: []string{"bert"}, After: 5 * time.Minute, Repeat: 5 * time.Minute},
			{Call: []string{Everyone}, After: 5 * time.Minute, Repeat: 5 * time.Minute}}}},
		Kinds: map[string]string{"push": "ntfy", "sms": "twilio-sms"}, Services: []Service{{Channel: "log"}}}
}

// An office is a Desk with a journal, and with channels that do as they are told.
type office struct {
	t       testing.TB
	d       *Desk
	now     time.Time
	sit     Situation
	journal []Event
	// fate says what becomes of a message; nil: it is sent. Hold leaves it on its way.
	fate func(n Notification) (o Outcome, hold bool)
}

func newOffice(t testing.TB, d Duty) *office {
	return &office{t: t, d: NewDesk(d, nil, []byte("a key of the test")), now: three}
}

func (o *office) took(list []Event) {
	o.journal = append(o.journal, list...)
}

// turn lets the Desk decide, and its messages go, until nothing more follows.
func (o *office) turn() {
	o.took(o.d.Turn(o.now, o.sit))
	for range 1000 {
		more := false
		for _, n := range o.d.Flights() {
			out, hold := Outcome{}, false
			if o.fate != nil {
				out, hold = o.fate(n)
			}
			if hold {
				continue
			}
			out.ID = n.ID
			o.took(o.d.Report(o.now, out))
			more = true
		}
		if !more {
			return
		}
	}
	o.t.Fatal("messages without end")
}

// pass lets time pass, second by second as the Monitor does.
func (o *office) pass(d time.Duration) {
	for end := o.now.Add(d); o.now.Before(end); {
		o.now = o.now.Add(min(time.Second, end.Sub(o.now)))
		o.turn()
	}
}

// due gives the messages that fell due since the last call, as lines.
func (o *office) due() (lines []string) {
	for _, e := range o.journal {
		if e.Kind == Due && e.Notification.Person != "" {
			n := e.Notification
			lines = append(lines, fmt.Sprintf("%s %s by %s: %s", e.At.Format("15:04:05"), n.Person, n.Channel, n.Purpose))
		}
	}
	o.journal = nil
	return lines
}

// answer answers the newest message of a person.
func (o *office) answer(person, verb string) string {
	o.t.Helper()
	var newest *Notification
	for _, n := range o.d.s.Notes {
		if n.Person == person && n.Done && n.Purpose.Loud() && (newest == nil || n.At.After(newest.At)) {
			newest = n
		}
	}
	if newest == nil {
		o.t.Fatalf("%s has no message to answer", person)
	}
	return o.reply(Answer{Channel: newest.Channel, From: o.d.address(newest), Data: o.d.sign(verb, newest.ID)})
}

func (o *office) reply(a Answer) string {
	a.At = o.now
	events, reply := o.d.Answer(o.now, a)
	o.took(events)
	o.turn()
	return reply
}

func (o *office) do(order Order) error {
	events, err := o.d.Do(o.now, order)
	o.took(events)
	o.turn()
	return err
}

// warm is a fridge that is too warm, with a batch that is lost in a while.
func (o *office) warm(unit string, milli int64, trend int, lostIn time.Duration) {
	u := Unit{ID: unit, Name: "Fridge " + unit, Range: "2–8 °C", Temp: fmt.Sprintf("%.1f", float64(milli)/1000), Milli: milli, Beyond: max(0, milli-8000), Trend: trend, Since: o.now,
		Batches: []Batch{{ID: "EX-1", Vials: 12}}}
	if lostIn > 0 {
		u.Batches[0].LostAt = o.now.Add(lostIn)
		u.Batches[0].UrgentAt = o.now.Add(lostIn - 30*time.Minute)
	}
	o.sit.Units = slices.DeleteFunc(o.sit.Units, func(x Unit) bool { return x.ID == unit })
	o.sit.Units = append(o.sit.Units, u)
	key := unit + "/warm"
	has := slices.ContainsFunc(o.sit.Alarms, func(a Alarm) bool { return a.Key == key })
	if milli > 8000 && !has {
		o.sit.Alarms = append(o.sit.Alarms, Alarm{Key: key, Kind: TooWarm, Severity: Critical, Unit: unit, Rule: "warm", Text: "above 8 °C for 15m", Raised: o.now})
	}
	if milli <= 8000 {
		o.sit.Alarms = slices.DeleteFunc(o.sit.Alarms, func(a Alarm) bool { return a.Key == key })
	}
}

func (o *office) want(want ...string) {
	o.t.Helper()
	if diff := cmp.Diff(want, o.due(), cmpopts.EquateEmpty()); diff != "" {
		o.t.Errorf("calls (-want +got):\n%s", diff)
	}
}

// replay makes a Desk from the journal alone.
func replayed(d Duty, journal []Event) *Desk {
	again := NewDesk(d, nil, []byte("a key of the test"))
	for _, e := range journal {
		again.Apply(e)
	}
	return again
}

// Step after step, contact after contact, until somebody answers; then the
// others hear who has it, whoever has it hears how it goes, and all hear that it is over.
func TestOneAfterTheOther(t *testing.T) {
	o := newOffice(t, testDuty())
	o.warm("f1", 9400, 1, 0)
	o.turn()
	o.want("02:12:00 anna by push: page")
	o.pass(4 * time.Minute)
	o.want("02:13:00 anna by sms: page")
	o.pass(2 * time.Minute)
	o.want("02:17:00 anna by push: page", "02:17:00 bert by push: page", "02:18:00 anna by sms: page", "02:18:00 bert by sms: page")
	o.answer("bert", "g30")
	o.want("02:18:00 anna by push: taken")
	o.pass(14 * time.Minute)
	o.want()
	o.warm("f1", 9000, 1, 0) // nearer, and going back again: that is no turning
	o.pass(30 * time.Second)
	o.want()
	o.warm("f1", 9000, -1, 0)
	o.pass(90 * time.Second)
	o.want("02:32:31 bert by push: turning")
	o.warm("f1", 7000, -1, 0)
	o.pass(4 * time.Minute)
	o.want("02:37:01 anna by push: all_clear", "02:37:01 bert by push: all_clear")
	o.pass(time.Hour)
	o.want()
}

// Whoever cannot go lets the next be called at once; the last step calls all,
// again and again, within the caps.
func TestNobodyCanGo(t *testing.T) {
	o := newOffice(t, testDuty())
	o.warm("f1", 9400, 1, 0)
	o.turn()
	o.answer("anna", "no")
	o.want("02:12:00 anna by push: page", "02:12:00 bert by push: page")
	o.answer("bert", "no")
	o.want("02:12:00 cleo by push: page")
	o.answer("cleo", "no")
	o.pass(6 * time.Minute)
	o.want("02:17:00 anna by push: page", "02:17:00 bert by push: page", "02:17:00 cleo by push: page",
		"02:18:00 anna by sms: page", "02:18:00 bert by sms: page", "02:18:00 cleo by sms: page")
	o.pass(3 * time.Hour)
	n := 0
	for _, l := range o.due() {
		if strings.Contains(l, "cleo by push") {
			n++
		}
	}
	if n < 18 || n > 30 {
		t.Errorf("cleo was called %d times by push in three hours, want it spread over them", n)
	}
}

// What was promised and does not come true is no acknowledgement.
func TestAnAcknowledgementLapses(t *testing.T) {
	for name, c := range map[string]struct {
		then func(o *office)
		why  Lapse
		at   time.Duration
	}{
		"forgotten":        {func(*office) {}, PromisePassed, 30 * time.Minute},
		"worse":            {func(o *office) { o.warm("f1", 11400, 1, 0) }, Worsened, 0},
		"about to be lost": {func(o *office) { o.warm("f1", 9400, 1, 40*time.Minute) }, AboutToBeLost, 10 * time.Minute},
		"no temperature":   {func(o *office) { o.sit.Units[0].Temp = "" }, PromisePassed, 30 * time.Minute},
	} {
		o := newOffice(t, testDuty())
		o.warm("f1", 9400, 1, 0)
		o.turn()
		o.answer("anna", "g30")
		o.due()
		c.then(o)
		o.turn()
		began := three
		o.pass(31 * time.Minute)
		lapsed := slices.IndexFunc(o.journal, func(e Event) bool { return e.Kind == Lapsed })
		if lapsed < 0 {
			t.Errorf("%s: it never lapsed", name)
			continue
		}
		e := o.journal[lapsed]
		if e.Lapse != c.why || e.Reason == "" || e.At.Sub(began) > c.at+time.Second || e.At.Sub(began) < c.at {
			t.Errorf("%s: lapsed after %v for %s (%s), want %v for %s", name, e.At.Sub(began), e.Lapse, e.Reason, c.at, c.why)
		}
		paged := slices.ContainsFunc(o.journal[lapsed:], func(e Event) bool {
			return e.Kind == Due && e.Notification.Purpose == Page && e.Notification.Person == "anna"
		})
		if !paged {
			t.Errorf("%s: nobody was paged again", name)
		}
	}
}

// A promise that has passed holds on while it turns.
func TestAPromiseHoldsWhileItTurns(t *testing.T) {
	o := newOffice(t, testDuty())
	o.warm("f1", 11000, 1, 0)
	o.turn()
	o.answer("anna", "g20")
	o.due()
	for i := range 50 {
		o.warm("f1", 11000-int64(i)*50, 0, 0) // slower than what is told as falling
		o.pass(time.Minute)
	}
	for _, e := range o.journal {
		if e.Kind == Lapsed {
			t.Fatalf("it lapsed after %v though it turned: %s", e.At.Sub(three), e.Reason)
		}
	}
	o.pass(25 * time.Minute) // and now it stands still
	if !slices.ContainsFunc(o.journal, func(e Event) bool { return e.Kind == Lapsed && e.Lapse == PromisePassed }) {
		t.Error("it never lapsed though it turned no more")
	}
}

// A power cut is one page with a line for each unit.
func TestAPowerCutIsOneTrouble(t *testing.T) {
	o := newOffice(t, testDuty())
	for _, u := range []string{"f1", "f2", "f3", "f4"} {
		o.warm(u, 9400, 1, 0)
	}
	o.turn()
	if n := len(o.d.s.Troubles); n != 1 {
		t.Fatalf("%d troubles, want one", n)
	}
	i := slices.IndexFunc(o.journal, func(e Event) bool { return e.Kind == Due })
	n := o.journal[i].Notification
	for _, u := range []string{"f1", "f2", "f3", "f4"} {
		if !strings.Contains(n.Title+"\n"+n.Body, "Fridge "+u) && !strings.Contains(n.Title+"\n"+n.Body, "FRIDGE "+strings.ToUpper(u)) {
			t.Errorf("the page does not name %s:\n%s\n%s", u, n.Title, n.Body)
		}
	}
	o.want("02:12:00 anna by push: page")
}

// What waits for working hours wakes nobody, and a unit without stock neither.
func TestWhoIsWoken(t *testing.T) {
	t.Parallel()
	o := newOffice(t, testDuty())
	o.warm("f1", 9400, 1, 0)
	o.sit.Units[0].Batches = nil
	o.sit.Alarms = append(o.sit.Alarms, Alarm{Key: "storage", Kind: Storage, Severity: Critical, Text: "the record cannot be written", Raised: three})
	o.pass(5 * time.Hour) // until 07:12 on a Tuesday
	o.want()
	o.pass(49 * time.Minute)
	o.want("08:00:00 anna by push: notice")
	o.pass(25 * time.Hour)
	o.want("08:00:00 anna by push: notice")
	// A batch is put into the warm fridge.
	o.warm("f1", 9400, 1, 0)
	o.turn()
	if l := o.due(); len(l) != 1 || !strings.HasSuffix(l[0], "anna by push: page") {
		t.Errorf("a batch in a warm fridge calls nobody: %q", l)
	}
}

// No delay, no shelf holds a page back once a batch is about to be lost.
func TestAboutToBeLostBreaksEverything(t *testing.T) {
	o := newOffice(t, testDuty())
	o.warm("f1", 7000, 1, 0)
	o.sit.Units[0].Batches[0].LostAt = three.Add(40 * time.Minute)
	o.sit.Units[0].Batches[0].UrgentAt = three.Add(10 * time.Minute)
	o.pass(9 * time.Minute)
	o.want()
	o.pass(90 * time.Second) // no alarm of the unit has been raised yet
	o.want("02:22:00 anna by push: page")

	o = newOffice(t, testDuty())
	o.warm("f1", 9400, 1, 70*time.Minute)
	o.turn()
	if err := o.do(Order{Name: "shelve", By: "anna", Reason: "defrosting", Until: o.now.Add(2 * time.Hour)}); err != nil {
		t.Fatal(err)
	}
	if i := slices.IndexFunc(o.journal, func(e Event) bool {
		return e.Kind == Due && e.Notification.Purpose == Taken && e.Notification.Person == ""
	}); i < 0 {
		t.Error("the services do not hear that it is shelved")
	} else if title := o.journal[i].Notification.Title; !strings.Contains(title, "PUT OFF by anna") || strings.Contains(title, "going") {
		t.Errorf("that it is shelved reads %q", title)
	}
	o.due()
	o.pass(39 * time.Minute)
	o.want()
	o.pass(90 * time.Second)
	o.want("02:52:00 anna by push: page")
	if err := o.do(Order{Name: "shelve", By: "anna", Reason: "defrosting", Until: o.now.Add(time.Hour)}); err == nil {
		t.Error("what is about to be lost was shelved")
	}
	if err := o.do(Order{Name: "shelve", By: "anna", Reason: "x", Until: o.now.Add(5 * time.Hour)}); err == nil {
		t.Error("what is critical was shelved for 5 h")
	}
}

// Whoever took, or put off, what could wait did not take what wakes people.
func TestWhatWaitedBecomesCritical(t *testing.T) {
	for name, order := range map[string]Order{
		"taken":   {Name: "ack", By: "boss", Promise: 20 * time.Hour},
		"put off": {Name: "shelve", By: "boss", Reason: "known", Until: three.Add(20 * 24 * time.Hour)},
	} {
		o := newOffice(t, testDuty())
		o.warm("f1", 7000, 0, 0)
		o.sit.Alarms = append(o.sit.Alarms, Alarm{Key: "f1/EX-1", Kind: BatchFlagged, Severity: Warning, Unit: "f1", Batch: "EX-1", Text: "above 8 °C, inside the allowance", Raised: three})
		o.sit.Units[0].Beyond = 500 // it has not gone back yet
		o.turn()
		if err := o.do(order); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		o.due()
		o.warm("f1", 9400, 1, 0)
		o.turn()
		if got := o.due(); len(got) != 1 || !strings.HasSuffix(got[0], "anna by push: page") {
			t.Errorf("%s: then it becomes critical, and the calls are %q", name, got)
		}
	}
}

// A batch that is lost keeps nobody up once its unit is well again; the
// decision waits for the day.
func TestALostBatchWaitsForTheMorning(t *testing.T) {
	t.Parallel()
	o := newOffice(t, testDuty())
	o.warm("f1", 9400, 1, 0)
	o.turn()
	o.sit.Units[0].Batches[0].Lost = true
	o.sit.Alarms = append(o.sit.Alarms, Alarm{Key: "f1/EX-1", Kind: BatchLost, Severity: Critical, Unit: "f1", Batch: "EX-1", Text: "above 8 °C for 2h in all", Raised: three})
	o.pass(time.Minute)
	o.due()
	o.warm("f1", 6000, -1, 0)
	o.sit.Units[0].Batches[0].Lost = true
	o.pass(3*time.Minute + time.Second)
	o.want("02:16:01 anna by push: all_clear")
	o.pass(5 * time.Hour)
	o.want()
	o.pass(time.Hour)
	o.want("08:00:00 anna by push: notice")
	o.sit.Alarms = nil // a manager has decided
	o.pass(48 * time.Hour)
	o.want()
}

// A channel that takes nothing lets the next be tried at once, is tried again
// ever more slowly, and is an alarm by itself on the others.
func TestAChannelThatFails(t *testing.T) {
	o := newOffice(t, testDuty())
	o.fate = func(n Notification) (Outcome, bool) {
		if n.Channel == "push" {
			return Outcome{Error: "503", Retry: true}, false
		}
		return Outcome{}, false
	}
	o.warm("f1", 9400, 1, 0)
	o.turn()
	o.want("02:12:00 anna by push: page", "02:12:00 anna by sms: page")
	o.pass(3 * time.Minute)
	raised := slices.ContainsFunc(o.journal, func(e Event) bool {
		return e.Kind == OwnRaised && e.Alarm.Kind == Undeliverable && e.Alarm.Channel == "push"
	})
	if !raised {
		t.Error("a channel that takes nothing is no alarm")
	}
	tries := 0
	for _, l := range o.due() {
		if strings.Contains(l, "push") {
			tries++
		}
	}
	if tries < 4 || tries > 10 {
		t.Errorf("%d tries in 3 min, want them ever slower", tries)
	}
	o.fate = nil
	o.pass(6 * time.Minute)
	if !slices.ContainsFunc(o.journal, func(e Event) bool { return e.Kind == OwnCleared }) {
		t.Error("the channel takes messages again, and the alarm stands")
	}
}

// A message of which nobody says what became of it is sent again, marked.
func TestAMessageWithoutWord(t *testing.T) {
	o := newOffice(t, testDuty())
	o.fate = func(n Notification) (Outcome, bool) {
		return Outcome{}, n.ID == "n1" || n.Channel == "log" && n.Attempt == 1
	}
	o.warm("f1", 9400, 1, 0)
	o.pass(3 * time.Minute)
	again := false
	for _, e := range o.journal {
		again = again || e.Kind == Due && e.Notification.Person == "anna" && e.Notification.Channel == "push" && e.Notification.Again
	}
	if !again {
		t.Errorf("not sent again, or not marked: %q", o.due())
	}
}

// Answers that come too late, from nobody, twice, or made up.
func TestAnswersThatDoNothing(t *testing.T) {
	o := newOffice(t, testDuty())
	o.warm("f1", 9400, 1, 0)
	o.turn()
	o.answer("anna", "g30")
	o.pass(6 * time.Minute)
	count := func() int { return len(o.journal) }
	n := count()
	for _, a := range []Answer{
		{Channel: "push", Data: "g30.n1.000000000000"}, {Channel: "push", Data: "g90.n1." + o.d.mac("g30", "n1")}, {Channel: "sms", From: "+mallory", Text: "1"},
		{Channel: "push", From: "anna", Data: "rubbish"}, {Channel: "sms", From: "+anna", Text: "what?"}, {},
	} {
		if r := o.reply(a); r == "" {
			t.Errorf("%+v: no reply", a)
		}
	}
	if count() != n {
		t.Errorf("events came of them: %+v", o.journal[n:])
	}
	// Another one who goes as well hears who has it.
	o.warm("f1", 12000, 1, 0)
	o.pass(6 * time.Minute) // it lapsed: two are called
	o.answer("bert", "g30")
	r := o.answer("anna", "g30")
	if !strings.Contains(r, "Bert") {
		t.Errorf("the second to go is told %q, want who has it", r)
	}
	o.warm("f1", 6000, 0, 0)
	o.pass(4 * time.Minute)
	n = count()
	if r := o.answer("anna", "g30"); r == "" || count() != n {
		t.Errorf("an answer to what is over: %q, %d events", r, count()-n)
	}
}

// A text that promises a time promises that one.
func TestATextPromises(t *testing.T) {
	for text, want := range map[string]time.Duration{"": 30 * time.Minute, "1": 30 * time.Minute, "going 45": 45 * time.Minute, "1, 20 min": 20 * time.Minute, "going in 4000": 30 * time.Minute} {
		o := newOffice(t, testDuty())
		o.warm("f1", 9400, 1, 0)
		o.turn()
		n := o.d.Sent("push")[0]
		o.reply(Answer{Channel: "push", From: n.To, Data: n.Buttons[0].Data, Text: text})
		if a := o.d.s.Troubles[0].Ack; a == nil || a.Until.Sub(o.now) != want {
			t.Errorf("%q promises %+v, want %v", text, a, want)
		}
	}
}

// A drill calls as in earnest, notes the minutes, and is an alarm for the day
// where nobody answers.
func TestADrill(t *testing.T) {
	o := newOffice(t, testDuty())
	if err := o.do(Order{Name: "test", By: "manager"}); err != nil {
		t.Fatal(err)
	}
	o.want("02:12:00 anna by push: test")
	o.pass(90 * time.Second)
	o.answer("anna", "g30")
	if l := o.d.LastDrill(); !l.Answered || l.Took != 90*time.Second {
		t.Errorf("it is told as %+v, want answered after 90 s", l)
	}
	o.pass(11 * time.Minute)
	if len(o.d.s.Troubles) != 0 {
		t.Errorf("the drill is still a trouble: %+v", o.d.Troubles())
	}
	o.due()
	o.pass(time.Hour)
	if err := o.do(Order{Name: "test", By: "manager", Person: "cleo"}); err != nil {
		t.Fatal(err)
	}
	o.pass(11 * time.Minute)
	if l := o.due(); len(l) == 0 || !strings.Contains(l[0], "cleo by push: test") {
		t.Errorf("cleo was to be tested: %q", l)
	}
	if l := o.d.LastDrill(); l.Answered || l.AnsweredAt.IsZero() {
		t.Errorf("nobody answered, and it is told as %+v", l)
	}
	o.pass(5 * time.Hour)
	if l := o.due(); len(l) != 1 || !strings.HasSuffix(l[0], "anna by push: notice") {
		t.Errorf("an unanswered drill is told as %q, want one notice in working hours", l)
	}
}

// A drill holds no real page up, also not by the caps.
func TestADrillHoldsNothingUp(t *testing.T) {
	o := newOffice(t, testDuty())
	if err := o.do(Order{Name: "test", By: "manager"}); err != nil {
		t.Fatal(err)
	}
	o.pass(5 * time.Second)
	o.due()
	o.warm("f1", 9400, 1, 0)
	o.turn()
	o.want("02:12:05 anna by push: page")
}

// A planned drill is held once, and not while people are called for something real.
func TestAPlannedDrill(t *testing.T) {
	duty := testDuty()
	duty.Drill = DrillPlan{Every: Weekly, Day: int(time.Tuesday), At: 10 * 60}
	o := newOffice(t, duty) // Tuesday 02:12
	o.pass(7 * time.Hour)
	o.want()
	o.pass(48*time.Minute + 30*time.Second)
	o.want("10:00:00 anna by push: test")
	o.answer("anna", "g30")
	o.pass(20 * time.Hour)
	if slices.ContainsFunc(o.journal, func(e Event) bool { return e.Kind == DrillStarted }) {
		t.Error("it was held twice")
	}
}

// The clock is set forward by an hour: what was to happen in five minutes
// still does.
func TestTheClockJumps(t *testing.T) {
	o := newOffice(t, testDuty())
	o.warm("f1", 9400, 1, 0)
	o.turn()
	o.pass(3 * time.Minute)
	o.due()
	o.now = o.now.Add(time.Hour)
	o.d.Apply(Event{Kind: ClockJumped, At: o.now, Jump: time.Hour})
	o.pass(90 * time.Second)
	o.want()
	o.pass(31 * time.Second)
	if l := o.due(); len(l) != 2 || !strings.Contains(l[0], "03:17:00 anna by push") || !strings.Contains(l[1], "bert by push") {
		t.Errorf("after the jump: %q, want the second step at 03:17", l)
	}
}

// What is said is kept: the journal alone gives the same Desk.
func TestTheJournalIsTheDesk(t *testing.T) {
	o := newOffice(t, testDuty())
	var all []Event
	o.warm("f1", 9400, 1, time.Hour)
	o.pass(7 * time.Minute)
	o.answer("bert", "g30")
	o.warm("f2", 9000, 1, 0)
	o.pass(40 * time.Minute)
	all = append(all, o.journal...)
	again := replayed(testDuty(), all)
	a, err1 := o.d.Checkpoint()
	b, err2 := again.Checkpoint()
	if err1 != nil || err2 != nil || string(a) != string(b) {
		t.Errorf("from the journal:\n%s\nwant\n%s", b, a)
	}
}

// What was on its way when the daemon ended may have arrived: its words say so,
// once, and within the length of a message.
func TestWhatMayHaveArrivedSaysSo(t *testing.T) {
	o := newOffice(t, testDuty())
	o.fate = func(n Notification) (Outcome, bool) { return Outcome{}, n.Person == "anna" }
	o.warm("f1", 9400, 1, 0)
	o.turn()
	again := replayed(testDuty(), o.journal)
	before := again.Flights()
	for range 2 {
		again.Doubt()
		list := again.Flights()
		if len(list) != 1 || !list[0].Again || list[0].Body != before[0].Body+" You may have had this message before." || !again.Message(&list[0]).Again {
			t.Errorf("after the start: %+v", list)
		}
	}
	long := again.s.Notes[before[0].ID]
	long.Again, long.Body = false, strings.Repeat("words ", 160)+"end"
	again.Doubt()
	if n := runes(long.Title) + 1 + runes(long.Body); n > messageMost || !strings.HasSuffix(long.Body, "… You may have had this message before.") {
		t.Errorf("%d characters: %s", n, long.Body)
	}
}

// What is real is never told as a test: where both wait for one line, the real
// one goes alone.
func TestADrillHidesNothingReal(t *testing.T) {
	o := newOffice(t, testDuty())
	busy := true
	o.fate = func(n Notification) (Outcome, bool) {
		if busy {
			return Outcome{Error: "503", Retry: true, After: 30 * time.Second}, false
		}
		return Outcome{}, false
	}
	if err := o.do(Order{Name: "test", By: "boss", Person: "anna"}); err != nil {
		t.Fatal(err)
	}
	o.warm("f1", 9400, 1, 0)
	o.turn()
	o.journal, busy = nil, false
	o.pass(time.Minute)
	var got []string
	for _, e := range o.journal {
		if e.Kind == Due && e.Notification.Person == "anna" && e.Notification.Channel == "push" {
			got = append(got, string(e.Notification.Purpose)+" "+e.Notification.Title)
		}
	}
	if len(got) == 0 || !strings.HasPrefix(got[0], "page FRIDGE F1 TOO WARM 9.4 °C") || strings.Contains(got[0], "TEST") {
		t.Errorf("anna is told %q", got)
	}
}

// Whoever types for another is not who goes; and a test shows who answered it
// when it is over.
func TestWhoGoesIsNotWhoTypes(t *testing.T) {
	o := newOffice(t, testDuty())
	o.warm("f1", 9400, 1, 0)
	o.turn()
	if err := o.do(Order{Name: "ack", Trouble: "f1", Person: "anna", By: "root", Via: "cli"}); err != nil {
		t.Fatal(err)
	}
	e := o.journal[slices.IndexFunc(o.journal, func(e Event) bool { return e.Kind == Acknowledged })]
	if e.By != "Anna" || e.Person != "anna" || e.Reason != "(entered by root)" {
		t.Errorf("it is %+v", e)
	}
	if v := o.d.Troubles()[0]; v.By != "Anna" || v.State != "acknowledged" {
		t.Errorf("it shows %+v", v)
	}
	if err := o.do(Order{Name: "ack", Trouble: "f1", By: "root", Via: "cli"}); err == nil || !strings.Contains(err.Error(), "Anna has it already") {
		t.Errorf("another takes it: %v", err)
	}
	if reply := o.answer("anna", "g30"); !strings.HasPrefix(reply, "You have it until") {
		t.Errorf("anna answers herself: %s", reply)
	}
	drill := newOffice(t, testDuty())
	if err := drill.do(Order{Name: "test", By: "boss", Person: "anna"}); err != nil {
		t.Fatal(err)
	}
	drill.answer("anna", "g30")
	if v := drill.d.Troubles()[0]; v.State != "cleared" || v.By != "Anna" || v.Via != "push" {
		t.Errorf("after the drill: %+v", v)
	}
}
