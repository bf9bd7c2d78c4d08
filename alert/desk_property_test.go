package alert

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// drawDuty makes a policy of any shape that a config may have.
func drawDuty(t *rapid.T) Duty {
	d := testDuty()
	minutes := func(from, to int, label string) time.Duration {
		return time.Duration(rapid.IntRange(from, to).Draw(t, label)) * time.Minute
	}
	for i := range d.People {
		d.People[i].Contacts = d.People[i].Contacts[:rapid.IntRange(1, 2).Draw(t, "contacts")]
	}
	var steps []Step
	for range rapid.IntRange(0, 2).Draw(t, "steps") {
		steps = append(steps, Step{Call: []string{rapid.SampledFrom([]string{"anna", "bert", "cleo"}).Draw(t, "who")}, After: minutes(0, 10, "after"), Repeat: minutes(1, 10, "repeat")})
	}
	steps = append(steps, Step{Call: []string{Everyone}, After: minutes(0, 10, "after"), Repeat: minutes(1, 10, "repeat")})
	d.Policies = []Policy{{ID: "p", Steps: steps}}
	return d
}

// allowedSilence is how long the policy allows nobody to be called: its own times,
// and what the caps spread calls to.
func allowedSilence(d Duty) (longest time.Duration) {
	for _, s := range d.Policies[0].Steps {
		longest = max(longest, s.After, repeat(s))
	}
	for _, caps := range [][]limit{capText} {
		for _, c := range caps {
			longest = max(longest, c.within/time.Duration(c.n))
		}
	}
	// A line that failed waits, and one without word of its message, too.
	return longest + retryMostGap + flightMost + 2*time.Minute
}

// In every sequence of alarms, answers, failures and restarts: no critical
// alarm stays unacknowledged and silent for longer than its policy allows; an
// acknowledgement does not outlast its promise without getting better; the
// journal alone gives the same Desk; all who were called hear the end.
func TestNobodyIsLeftAlone(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		duty := drawDuty(rt)
		o := newOffice(t, duty)
		var journal []Event
		keep := func() {
			journal = append(journal, o.journal...)
			o.journal = nil
		}
		spoken := map[string]time.Time{} // by trouble: when somebody was called, or it began to be nobody's
		cleared := map[string]bool{}
		silence := allowedSilence(duty)
		failing := map[string]string{}
		o.fate = func(n Notification) (Outcome, bool) {
			switch failing[n.Channel] {
			case "busy":
				return Outcome{Error: "429", Retry: true, After: 30 * time.Second}, false
			case "refuses":
				return Outcome{Error: "403"}, false
			case "hangs":
				return Outcome{}, true
			case "unknown":
				return Outcome{Error: "timeout", Unknown: true}, false
			}
			return Outcome{}, false
		}
		restart := func() {
			if rapid.Bool().Draw(rt, "from the journal") {
				o.d = replayed(duty, journal)
				return
			}
			b, err := o.d.Checkpoint()
			if err != nil {
				rt.Fatal(err)
			}
			d := NewDesk(duty, nil, []byte("a key of the test"))
			if err := d.Restore(b); err != nil {
				rt.Fatal(err)
			}
			o.d = d
		}
		for range rapid.IntRange(1, 60).Draw(rt, "turns") {
			unit := rapid.SampledFrom([]string{"f1", "f2"}).Draw(rt, "unit")
			switch rapid.IntRange(0, 9).Draw(rt, "what") {
			case 0, 1:
				lost := time.Duration(rapid.IntRange(0, 90).Draw(rt, "lost in")) * time.Minute
				o.warm(unit, int64(rapid.IntRange(8100, 15000).Draw(rt, "temperature")), rapid.IntRange(-1, 1).Draw(rt, "trend"), lost)
			case 2:
				o.warm(unit, int64(rapid.IntRange(3000, 8000).Draw(rt, "temperature")), rapid.IntRange(-1, 1).Draw(rt, "trend"), 0)
			case 3:
				if i := slices.IndexFunc(o.sit.Units, func(u Unit) bool { return u.ID == unit }); i >= 0 {
					o.sit.Units[i].Temp = ""
				}
			case 4, 5:
				var notes []*Notification
				for _, n := range o.d.s.Notes {
					if n.Done && n.Purpose.Loud() {
						notes = append(notes, n)
					}
				}
				if len(notes) > 0 {
					slices.SortFunc(notes, func(a, b *Notification) int { return older(a.ID, b.ID) })
					n := rapid.SampledFrom(notes).Draw(rt, "answered")
					verb := rapid.SampledFrom([]string{"g", "g30", "no", "st"}).Draw(rt, "answer")
					o.reply(Answer{Channel: n.Channel, From: o.d.address(n), Data: o.d.sign(verb, n.ID)})
				}
			case 6:
				until := time.Duration(rapid.IntRange(1, 300).Draw(rt, "shelf")) * time.Minute
				_ = o.do(Order{Name: rapid.SampledFrom([]string{"shelve", "unshelve", "close", "test", "ack"}).Draw(rt, "order"), Trouble: unit, By: "boss", Reason: "x", Cause: "x", Action: "x", Until: o.now.Add(until)}) // what cannot be is refused
			case 7:
				c := rapid.SampledFrom([]string{"push", "sms", "log"}).Draw(rt, "channel")
				failing[c] = rapid.SampledFrom([]string{"", "", "busy", "refuses", "hangs", "unknown"}).Draw(rt, "fault")
			case 8:
				keep()
				restart()
			case 9:
				jump := time.Duration(rapid.IntRange(1, 90).Draw(rt, "jump")) * time.Minute
				o.now = o.now.Add(jump)
				e := Event{Kind: ClockJumped, At: o.now, Jump: jump}
				o.d.Apply(e)
				o.journal = append(o.journal, e)
				for k := range spoken {
					spoken[k] = spoken[k].Add(jump)
				}
			}
			for range rapid.IntRange(1, 40).Draw(rt, "ticks") {
				o.now = o.now.Add(20 * time.Second)
				o.turn()
				for _, e := range o.journal {
					switch {
					case e.Kind == Due && e.Notification.Person != "" && e.Notification.Purpose.Loud():
						for _, key := range e.Notification.Troubles {
							spoken[key] = e.At
						}
					case e.Kind == TroubleCleared:
						cleared[e.Trouble] = true
					}
				}
				keep()
				for _, x := range o.d.s.Troubles {
					if !x.wakes() || !o.d.calling(x) {
						spoken[x.Key] = o.now
						continue
					}
					if spoken[x.Key].IsZero() {
						spoken[x.Key] = o.now
					}
					if quiet := o.now.Sub(spoken[x.Key]); quiet > silence {
						b, _ := o.d.Checkpoint()
						rt.Fatalf("%s: nobody has been called for %v about %s; the policy allows %v\n%s", o.now.Format("15:04:05"), quiet, x.Key, silence, b)
					}
				}
				for _, x := range o.d.s.Troubles {
					if a := x.Ack; a != nil && x.wakes() && o.d.needsTurning(x) && o.now.After(a.Until) {
						rt.Fatalf("%s: %s has %s until %s, and it is not better", o.now.Format("15:04:05"), a.By, x.Key, a.Until.Format("15:04:05"))
					}
				}
			}
		}
		keep()
		a, _ := o.d.Checkpoint()
		b, _ := replayed(duty, journal).Checkpoint()
		if string(a) != string(b) {
			rt.Fatalf("from the journal:\n%s\nwant\n%s", b, a)
		}
		// All channels work again, and all is well: everybody hears it.
		clear(failing)
		for _, u := range []string{"f1", "f2"} {
			o.warm(u, 5000, 0, 0)
		}
		for range 3600 / 5 {
			o.now = o.now.Add(5 * time.Second)
			o.turn()
		}
		for _, x := range o.d.s.Troubles {
			// An unanswered drill is one until the next; whether a channel works
			// again is known when something is sent by it.
			stays := slices.ContainsFunc(x.Alarms, func(m *member) bool { return m.Kind == Unanswered || m.Kind == Undeliverable })
			if !x.Drill && !stays && (x.Cleared.IsZero() || len(x.Owes) > 0) {
				b, _ := o.d.Checkpoint()
				rt.Fatalf("all is well, and %s is not over, or somebody has not heard it: %v\n%s", x.Key, x.Owes, b)
			}
		}
	})
}

// However many alarms come at once, they are one page to each person.
func TestManyAlarmsAtOnce(t *testing.T) {
	t.Parallel()
	d := testDuty()
	for i := range 17 {
		id := fmt.Sprintf("p%d", i)
		d.People = append(d.People, Person{ID: id, Name: id, Contacts: []Contact{{Channel: "push", To: id}, {Channel: "sms", To: "+" + id}, {Channel: "voice", To: "+" + id}}})
	}
	d.Policies[0].Steps = []Step{{Call: []string{Everyone}, Repeat: 5 * time.Minute}}
	o := newOffice(t, d)
	for i := range 200 {
		o.warm(fmt.Sprintf("f%d", i), 9400, 1, 0)
	}
	o.turn()
	pages := 0
	for _, e := range o.journal {
		if e.Kind == Due && e.Notification.Person != "" {
			pages++
			if len(e.Notification.Troubles) != 1 {
				t.Errorf("%d troubles in a page", len(e.Notification.Troubles))
			}
		}
	}
	if want := 3 + 17*3; pages != want {
		t.Errorf("%d pages, want %d", pages, want)
	}
	for _, x := range o.d.s.Troubles {
		if len(x.Alarms) != 200 {
			t.Errorf("%d alarms in the trouble, want 200", len(x.Alarms))
		}
	}
}
