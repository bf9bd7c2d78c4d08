package alert

import (
	"fmt"
	"runtime"
	"testing"
	"time"
)

// crowd is 20 people whom everything calls at once, by three channels each.
func crowd() Duty {
	d := testDuty()
	d.People = nil
	for i := range 20 {
		id := fmt.Sprintf("p%02d", i)
		d.People = append(d.People, Person{ID: id, Name: "Person " + id, Contacts: []Contact{{Channel: "push", To: id}, {Channel: "sms", To: "+" + id}, {Channel: "voice", To: "+" + id}}})
	}
	d.Kinds = map[string]string{"push": "ntfy", "sms": "twilio-sms", "voice": "twilio-voice"}
	d.Policies = []Policy{{ID: "all", Steps: []Step{{Call: []string{Everyone}, Repeat: 5 * time.Minute}}}}
	return d
}

// cellar is many units that are all right, with batches in them.
func cellar(units, batches int) (s Situation) {
	for i := range units {
		u := Unit{ID: fmt.Sprintf("u%d", i), Name: fmt.Sprintf("Fridge %d", i), Range: "2–8 °C", Temp: "5.1", Milli: 5100, LastTemp: "5.1", LastAt: three}
		for j := range batches / units {
			u.Batches = append(u.Batches, Batch{ID: fmt.Sprintf("EX-%d-%d", i, j), Vials: 12})
		}
		s.Units = append(s.Units, u)
	}
	return s
}

// warmUp lets units from one to another be too warm, with an alarm each.
func warmUp(s *Situation, from, to int, now time.Time) {
	for i := from; i < to; i++ {
		u := &s.Units[i]
		u.Temp, u.Milli, u.Beyond, u.Trend, u.Since = "9.4", 9400, 1400, 1, now
		s.Alarms = append(s.Alarms, Alarm{Key: u.ID + "/warm", Kind: TooWarm, Severity: Critical, Unit: u.ID, Rule: "warm", Text: "above 8 °C for 15m", Raised: now})
	}
}

// The desk looks at every sweep: with nothing wrong that must cost nothing.
func BenchmarkTurnNothingWrong(b *testing.B) {
	d, now := NewDesk(crowd(), nil, []byte("a key of the test")), three
	sit := cellar(256, 2000)
	d.Turn(now, sit)
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(10 * time.Millisecond)
		if len(d.Turn(now, sit)) != 0 {
			b.Fatal("something follows")
		}
	}
}

// 200 alarms at once to 20 people by three channels: from the alarms to the
// last report of 60 messages.
func BenchmarkManyAlarmsAtOnce(b *testing.B) {
	b.ReportAllocs()
	calls := 0
	for b.Loop() {
		b.StopTimer()
		o := newOffice(b, crowd())
		o.sit = cellar(256, 2000)
		o.turn()
		warmUp(&o.sit, 0, 200, o.now)
		o.journal = nil
		b.StartTimer()
		o.turn()
		calls = 0
		for _, e := range o.journal {
			if e.Kind == WasSent && e.Notification.Person != "" {
				calls++
			}
		}
	}
	b.ReportMetric(float64(calls), "messages")
}

// What a turn costs while 200 alarms hold and everybody has been called, and
// what it costs to show that.
func BenchmarkTurnInTrouble(b *testing.B) {
	o := newOffice(b, crowd())
	o.sit = cellar(256, 2000)
	warmUp(&o.sit, 0, 200, o.now)
	o.turn()
	b.Run("turn", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			o.now = o.now.Add(time.Microsecond)
			o.took(o.d.Turn(o.now, o.sit))
		}
	})
	b.Run("show", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if len(o.d.Troubles()) != 1 || len(o.d.Flights()) != 0 || len(o.d.Open()) != 1 || len(o.d.Sent("push")) != 20 {
				b.Fatal("not as it was left")
			}
		}
	})
}

// 200 alarms in four waves, while channels fail in turn: within half an hour
// every person was told of the trouble of every unit, by a message that was
// taken after it began; and no contact was used more often than may be.
func TestNothingIsLostAmongManyAlarms(t *testing.T) {
	t.Parallel()
	o := newOffice(t, crowd())
	o.sit = cellar(256, 2000)
	n := 0
	o.fate = func(x Notification) (Outcome, bool) {
		n++
		switch {
		case x.Channel == "push" && n%3 == 0:
			return Outcome{Error: "503", Retry: true}, false
		case x.Channel == "sms" && n%4 == 0:
			return Outcome{Error: "time-out", Unknown: true, Retry: true}, false
		}
		return Outcome{}, false
	}
	joined := map[string]time.Time{}          // by unit
	troubleOf := map[string]string{}          // by unit
	told := map[string]map[string]time.Time{} // by person and trouble: newest page that was taken
	last := map[string]time.Time{}            // by line: the newest page that was taken
	look := func() {
		for _, e := range o.journal {
			switch e.Kind {
			case TroubleJoined:
				joined[e.Alarm.Unit], troubleOf[e.Alarm.Unit] = e.At, e.Trouble
			case WasSent:
				x := e.Notification
				if x.Person == "" || !x.Purpose.Loud() {
					continue
				}
				if told[x.Person] == nil {
					told[x.Person] = map[string]time.Time{}
				}
				for _, key := range x.Troubles {
					told[x.Person][key] = e.At
				}
				line := x.Person + " by " + x.Channel
				if was, ok := last[line]; ok && e.At.Sub(was) < time.Minute {
					t.Errorf("%s was called %v after the last time", line, e.At.Sub(was))
				}
				last[line] = e.At
			}
		}
		o.journal = nil
	}
	for wave := range 4 {
		warmUp(&o.sit, wave*50, wave*50+50, o.now)
		o.pass(3 * time.Minute)
		look()
	}
	o.pass(20 * time.Minute)
	look()
	if len(joined) != 200 {
		t.Fatalf("%d of 200 units are in a trouble", len(joined))
	}
	count := 0
	for _, p := range o.d.duty.People {
		for unit, at := range joined {
			if when, ok := told[p.ID][troubleOf[unit]]; !ok || when.Before(at) {
				t.Errorf("%s was not told of %s", p.ID, unit)
			} else {
				count++
			}
		}
	}
	t.Logf("20 people were told of 200 units: %d of 4000, in %d troubles, by %d tries", count, len(o.d.s.Troubles), n)
}

// While 200 alarms hold and nobody answers, the desk's memory does not grow
// with the turns.
func TestMemoryIsFlatInTrouble(t *testing.T) {
	o := newOffice(t, crowd())
	o.sit = cellar(256, 2000)
	warmUp(&o.sit, 0, 200, o.now)
	turns := func(n int) (heap uint64, kept int) {
		for range n {
			o.now = o.now.Add(time.Second)
			o.turn()
			o.journal = nil
		}
		data, err := o.d.Checkpoint()
		if err != nil {
			t.Fatal(err)
		}
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc, len(data)
	}
	turns(300)
	before, was := turns(1)
	after, is := turns(1000)
	runtime.KeepAlive(o)
	t.Logf("heap %d KiB before and %d KiB after 1,000 turns; the desk's memory is %d KiB and %d KiB", before>>10, after>>10, was>>10, is>>10)
	if after > before+2<<20 {
		t.Errorf("1,000 turns cost %d KiB that stay", (after-before)>>10)
	}
}
