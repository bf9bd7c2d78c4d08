package monitor

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"coldkeep/alert"
	"coldkeep/internal/coldchain"
)

// The first sleeps, the second cannot, the third goes and is late; the batch is
// lost meanwhile. In the end each of them hears once that it is over, and
// what waits for the morning.
func TestTheNightNobodyCouldGo(t *testing.T) {
	story(t, nightDuty(), func(n *night) {
		n.bus.set(9400, "a")
		began := time.Now()
		time.Sleep(6 * time.Minute)
		if got := n.calls(began); !slices.Equal(got, []string{"5 anna page"}) {
			t.Errorf("at first %q", got)
		}
		time.Sleep(5 * time.Minute)
		n.newest("bert")
		if r := n.answer("bert", 1); !strings.Contains(r, "Cleo") {
			t.Errorf("bert cannot go and is told %q, want who is called now", r)
		}
		time.Sleep(time.Second)
		if r := n.answer("cleo", 0); r == "" {
			t.Error("cleo goes and is told nothing")
		}
		time.Sleep(time.Second)
		got := n.calls(began)
		if count(got, "anna taken") != 1 || count(got, "bert taken") != 1 || count(got, "cleo taken") != 0 {
			t.Errorf("cleo goes: %q", got)
		}
		time.Sleep(29 * time.Minute)
		if got := n.calls(began); count(got, "page") != 0 || count(got, "cleo progress") != 1 {
			t.Errorf("while cleo is on the way: %q", got)
		}
		time.Sleep(5 * time.Minute) // the promise has passed
		m, _ := n.newest("anna")
		if !strings.Contains(m.Title, "STILL TOO WARM") || !strings.Contains(m.Title, "Cleo") {
			t.Errorf("the page that comes again reads %q", m.Title)
		}
		got = n.calls(began)
		if count(got, "anna page") == 0 || count(got, "bert page") == 0 || count(got, "cleo page") == 0 {
			t.Errorf("the promise has passed, and the calls are %q", got)
		}
		time.Sleep(3*time.Hour + 30*time.Minute) // nobody goes, and the batch is lost
		if b := n.m.Snapshot().Batches[0]; b.Verdict != coldchain.Quarantined {
			t.Fatalf("batch %s is %s", b.ID, b.Verdict)
		}
		n.calls(began)
		n.bus.set(6900, "a")
		time.Sleep(5 * time.Minute)
		clear := n.push.fresh()[0]
		got = n.calls(began)
		for _, who := range []string{"anna", "bert", "cleo"} {
			if count(got, who+" all_clear") != 1 {
				t.Errorf("%s was to hear once that it is over: %q", who, got)
			}
		}
		if !strings.Contains(clear.Title, "ALL CLEAR") || !strings.Contains(clear.Title+clear.Body, "4 vials stay blocked") {
			t.Errorf("the all-clear reads %q\n%s", clear.Title, clear.Body)
		}
		time.Sleep(time.Hour)
		if got := n.calls(began); len(got) != 0 {
			t.Errorf("afterwards %q", got)
		}
	})
}

// Nobody answers: step by step to the last, and on, within the caps.
func TestTheNightWithNobodyAnswering(t *testing.T) {
	story(t, nightDuty(), func(n *night) {
		n.bus.set(9400, "a")
		began := time.Now()
		time.Sleep(17 * time.Minute)
		want := []string{"5 anna page", "6 +anna page", "10 anna page", "10 bert page", "11 +anna page", "11 +bert page", "15 anna page", "15 bert page", "15 cleo page",
			"16 +anna page", "16 +bert page", "16 +cleo page"}
		got := n.calls(began)
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("step by step %q, want %q", got, want)
		}
		for range 3 {
			time.Sleep(time.Hour)
			if got := n.calls(began); count(got, " cleo page") < 5 || count(got, " cleo page") > 12 {
				t.Errorf("in an hour cleo was called %d times by push", count(got, " cleo page"))
			}
		}
	})
}

// Somebody takes it and goes back to sleep.
func TestAnsweredAndForgotten(t *testing.T) {
	story(t, nightDuty(), func(n *night) {
		n.bus.set(9400, "a")
		time.Sleep(6 * time.Minute)
		n.answer("anna", 0)
		began := time.Now()
		n.calls(began)
		time.Sleep(29 * time.Minute)
		if got := n.calls(began); count(got, "page") != 0 {
			t.Errorf("while anna has it: %q", got)
		}
		time.Sleep(2 * time.Minute)
		if got := n.calls(began); count(got, "30 anna page") != 1 {
			t.Errorf("when the promise has passed: %q", got)
		}
		l := n.events(coldchain.AlarmLapsed)
		if len(l) != 1 || l[0].Call.Lapse != string(alert.PromisePassed) || l[0].Reason == "" {
			t.Errorf("in the journal: %+v", l)
		}
	})
}

// The internet is away for six hours and comes back: the modem carries the
// pages meanwhile, and afterwards one message tells all.
func TestTheInternetIsAway(t *testing.T) {
	story(t, nightDuty(), func(n *night) {
		n.push.fail(errDown)
		n.bus.set(9400, "a")
		began := time.Now()
		time.Sleep(6 * time.Minute)
		if got := n.calls(began); count(got, "5 +anna page") != 1 {
			t.Errorf("without the internet: %q, want the modem at once", got)
		}
		time.Sleep(4 * time.Hour)
		n.bus.set(9400, "b")
		time.Sleep(2 * time.Hour)
		if n := len(n.events(coldchain.NotificationFailed)); n > 3*100 {
			t.Errorf("%d tries in six hours", n)
		}
		n.calls(began)
		n.push.fail(nil)
		time.Sleep(6 * time.Minute)
		var first string
		var pages int
		for _, m := range n.push.fresh() {
			if m.To == "anna" && m.Purpose == alert.Page {
				if pages++; first == "" {
					first = m.Title + "\n" + m.Body
				}
			}
		}
		if pages == 0 || pages > 3 || !strings.Contains(strings.ToUpper(first), "FRIDGE 1") || !strings.Contains(strings.ToUpper(first), "FRIDGE 2") {
			t.Errorf("%d pages came with the internet, the first:\n%s", pages, first)
		}
	})
}

// A power cut hits four fridges in the same minute: one page, four lines.
func TestAPowerCutOnFourUnits(t *testing.T) {
	story(t, nightDuty(), func(n *night) {
		n.bus.set(9400, "a", "b", "c", "d")
		began := time.Now()
		time.Sleep(5*time.Minute + 30*time.Second)
		inbox := n.push.fresh()
		if got := n.calls(began); !slices.Equal(got, []string{"5 anna page"}) {
			t.Fatalf("calls %q, want one page", got)
		}
		for _, unit := range []string{"1", "2", "3", "4"} {
			if text := strings.ToUpper(inbox[0].Title + "\n" + inbox[0].Body); !strings.Contains(text, "FRIDGE "+unit) {
				t.Errorf("the page does not name fridge %s:\n%s", unit, text)
			}
		}
		if s := n.m.Snapshot(); len(s.Troubles) != 1 || len(s.Troubles[0].Units) != 4 {
			t.Errorf("troubles %+v", s.Troubles)
		}
	})
}

// The daemon is killed when a page has been sent and before that is recorded:
// it is sent again after the start, marked, and never a third time.
func TestKilledBetweenSentAndRecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNight(t, nightDuty(), time.Date(2026, 5, 4, 20, 0, 0, 0, time.UTC))
		gone := make(chan struct{})
		n.push.taken = func() { <-gone } // it was taken, and the sender never hears of it
		n.bus.set(9400, "a")
		began := time.Now()
		time.Sleep(5*time.Minute + 20*time.Second)
		go close(gone)
		n.cancel()
		n.push.taken = nil
		if got := n.calls(began); count(got, "anna page") != 1 {
			t.Fatalf("before the kill %q", got)
		}
		n.start()
		if m, _ := n.newest("anna"); !strings.HasSuffix(m.Body, "You may have had this message before.") {
			t.Errorf("the page that is sent again ends %q", m.Body)
		}
		if got := n.calls(began); count(got, "anna page again") != 1 || len(got) != 1 {
			t.Errorf("after the start %q, want one page, marked as perhaps a repeat", got)
		}
		if last := n.push.inbox[len(n.push.inbox)-1]; !strings.HasSuffix(last.Body, "You may have had this message before.") {
			t.Errorf("what anna reads does not say that it may be a repeat: %s", last.Body)
		}
		time.Sleep(3 * time.Minute)
		if got := n.calls(began); count(got, " anna page") != 0 {
			t.Errorf("and then %q", got)
		}
		n.stop()
	})
}

// A restart in the middle repeats nothing and forgets nothing, also where the
// desk's memory is lost and only the journal is there.
func TestARestartRepeatsNothing(t *testing.T) {
	for _, kept := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			n := newNight(t, nightDuty(), time.Date(2026, 5, 4, 20, 0, 0, 0, time.UTC))
			n.bus.set(9400, "a")
			began := time.Now()
			time.Sleep(6*time.Minute + 30*time.Second)
			before := n.m.Snapshot().Troubles
			n.stop()
			if !kept {
				n.forget()
			}
			n.calls(began)
			n.start()
			if got := n.calls(began); len(got) != 0 {
				t.Errorf("kept %v: after the start %q", kept, got)
			}
			after := n.m.Snapshot().Troubles
			if len(after) != 1 || after[0].Key != before[0].Key || len(after[0].Called) != len(before[0].Called) {
				t.Errorf("kept %v: the trouble is %+v, and was %+v", kept, after, before)
			}
			time.Sleep(4 * time.Minute)
			if got := n.calls(began); count(got, "10 bert page") != 1 {
				t.Errorf("kept %v: the second step %q", kept, got)
			}
			// An alarm that holds when the daemon starts for the first time after
			// it began is told, too: nothing was said of it before.
			n.stop()
			n.bus.set(9400, "c")
			n.start()
			time.Sleep(5 * time.Minute)
			if got := n.calls(began); count(got, "page") == 0 {
				t.Errorf("kept %v: nobody is called after the second start: %q", kept, got)
			}
			n.stop()
		})
	}
}

// The rota hands over at 02:30 in the night when the clocks go back: whoever
// is on call by the clock on the wall is called.
func TestTheClocksChangeOnTheRota(t *testing.T) {
	duty := nightDuty()
	loc, err := time.LoadLocation("Europe/London")
	if err != nil {
		t.Fatal(err)
	}
	duty.Location = loc
	every := [7]bool{true, true, true, true, true, true, true}
	duty.Rotas = []alert.Rota{{ID: "nights", Shifts: []alert.Shift{
		{Hours: alert.Hours{Days: every, From: 14*60 + 30, To: 2*60 + 30}, People: []string{"anna"}, Starts: time.Date(2026, 1, 5, 0, 0, 0, 0, loc)},
		{Hours: alert.Hours{Days: every, From: 2*60 + 30, To: 14*60 + 30}, People: []string{"bert"}, Starts: time.Date(2026, 1, 5, 0, 0, 0, 0, loc)}}}}
	duty.Policies[0].Steps[0].Call = []string{"nights"}
	for at, want := range map[string]string{"2026-10-25T00:50:00Z": "anna", "2026-10-25T02:10:00Z": "anna", "2026-10-25T02:40:00Z": "bert"} { // summer time ends at 01:00 UTC
		begins, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		storyAt(t, duty, begins.Add(-6*time.Minute), func(n *night) {
			n.bus.set(9400, "a")
			began := time.Now()
			time.Sleep(6 * time.Minute)
			if got := n.calls(began); count(got, " "+want+" page") != 1 {
				t.Errorf("at %s %q, want %s", at, got, want)
			}
		})
	}
}

// The system's clock is set forward by an hour while people are called: the
// second is called when it is time, and not at once.
func TestTheClockStepsByAnHour(t *testing.T) {
	story(t, nightDuty(), func(n *night) {
		n.bus.set(9400, "a")
		began := time.Now()
		time.Sleep(7 * time.Minute)
		n.calls(began)
		n.ahead.Add(int64(time.Hour))
		time.Sleep(2 * time.Minute)
		if got := n.calls(began); len(got) != 0 {
			t.Errorf("after the step %q", got)
		}
		time.Sleep(90 * time.Second)
		if got := n.calls(began); count(got, "10 bert page") != 1 {
			t.Errorf("in the end %q, want the second step at its time", got)
		}
	})
}

// Two go at once: the first has it, the second is told so.
func TestTwoAnswersAtOnce(t *testing.T) {
	story(t, nightDuty(), func(n *night) {
		n.bus.set(9400, "a")
		time.Sleep(16 * time.Minute)
		ma, pa := n.newest("anna")
		mb, pb := n.newest("bert")
		replies := make(chan string, 2)
		go func() { replies <- n.press(ma, pa, 0) }()
		synctest.Wait()
		go func() { replies <- n.press(mb, pb, 0) }()
		one, two := <-replies, <-replies
		if strings.Contains(one, "Anna") || !strings.Contains(two, "Anna") {
			t.Errorf("the first is told %q, the second %q", one, two)
		}
		acks := n.events(coldchain.AlarmAcknowledged)
		if len(acks) != 1 || acks[0].By != "Anna" || acks[0].Via != "push" || acks[0].Call.Until == 0 {
			t.Errorf("in the journal %+v", acks)
		}
	})
}

// Somebody finds an old page in the morning and answers it: nothing comes of
// it, in this trouble or in the next.
func TestAnAnswerToAnOldPage(t *testing.T) {
	story(t, nightDuty(), func(n *night) {
		n.bus.set(9400, "a")
		time.Sleep(6 * time.Minute)
		old, p := n.newest("anna")
		n.bus.set(5000, "a")
		time.Sleep(10 * time.Minute)
		if r := n.press(old, p, 0); r == "" {
			t.Error("whoever answers an old page is told nothing")
		}
		n.bus.set(9400, "a")
		time.Sleep(6 * time.Minute)
		if r := n.press(old, p, 0); strings.Contains(r, "You have it") {
			t.Errorf("an old page answers the new trouble: %q", r)
		}
		if acks := n.events(coldchain.AlarmAcknowledged); len(acks) != 0 {
			t.Errorf("in the journal %+v", acks)
		}
	})
}

// The same answer heard twice, as after a restart of the stream, does nothing twice.
func TestAnAnswerHeardTwice(t *testing.T) {
	story(t, nightDuty(), func(n *night) {
		n.bus.set(9400, "a")
		time.Sleep(6 * time.Minute)
		m, p := n.newest("anna")
		for range 2 {
			x := answered{alert.Answer{ID: "the same", From: m.To, Data: m.Buttons[0].Data}, make(chan string, 1)}
			p.answers <- x
			<-x.reply
		}
		if acks := n.events(coldchain.AlarmAcknowledged); len(acks) != 1 {
			t.Errorf("%d acknowledgements", len(acks))
		}
	})
}

// The disk fails in the night: alarms go out from memory, and answers count.
func TestTheDiskFailsInTheNight(t *testing.T) {
	story(t, nightDuty(), func(n *night) {
		full := errFull
		n.failStore(full)
		n.bus.set(9400, "a")
		began := time.Now()
		time.Sleep(6 * time.Minute)
		if got := n.calls(began); count(got, "anna page") != 1 {
			t.Errorf("with a failing disk %q", got)
		}
		time.Sleep(time.Minute)
		n.answer("anna", 0)
		n.calls(began)
		time.Sleep(10 * time.Minute)
		if got := n.calls(began); count(got, "page") != 0 {
			t.Errorf("anna has it, and %q", got)
		}
		n.failStore(nil)
		time.Sleep(time.Minute)
		if acks := n.events(coldchain.AlarmAcknowledged); len(acks) != 1 {
			t.Errorf("the disk is back, and the journal has %d acknowledgements", len(acks))
		}
	})
}
