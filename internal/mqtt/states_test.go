package mqtt

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"coldkeep/internal/coldchain"
	"coldkeep/sensor"
)

var quiet = slog.New(slog.DiscardHandler)

// Availability tells whether the newest reading is good and young, of each
// unit and probe.
func TestAvailability(t *testing.T) {
	now := time.Date(2026, 5, 5, 3, 0, 0, 0, time.UTC)
	up := func(judging, beside bool) coldchain.Snapshot {
		return coldchain.Snapshot{Made: sensor.At(now), Node: "n", Site: coldchain.Site{ID: "s"}, Units: []coldchain.UnitState{{Unit: coldchain.Unit{ID: "f"},
			Probes: []coldchain.ProbeState{{ID: "vial", Judges: true, Up: judging}, {ID: "air", Up: beside}}}}}
	}
	for _, c := range []struct {
		judging, beside  bool
		age              time.Duration
		unit, vial, air  string
		probeOK, silence int
	}{
		{true, true, 0, "online", "online", "online", 1, 0},
		{false, true, 0, "offline", "offline", "online", 0, 0}, // the one beside does not judge
		{true, false, 0, "online", "online", "offline", 1, 0},
		{true, true, 30 * time.Second, "online", "online", "online", 1, 0},
		{true, true, 31 * time.Second, "offline", "offline", "offline", 0, 0}, // nobody renews the snapshot
	} {
		s := up(c.judging, c.beside)
		got := map[string]string{}
		for _, m := range topicsOf(&s).wanted(Options{Interval: 10 * time.Second}, now.Add(c.age)) {
			got[strings.TrimPrefix(m.topic, "coldkeep/s/n/")] = string(m.payload)
		}
		if got["unit/f/availability"] != c.unit || got["probe/vial/availability"] != c.vial || got["probe/air/availability"] != c.air ||
			!strings.Contains(got["unit/f/state"], fmt.Sprintf(`"probe_ok":%d`, c.probeOK)) {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

// A unit's state says what people do about its alarms, the gravest first, and
// whether it is watched.
func TestAlarmStateAndUnmonitored(t *testing.T) {
	for want, states := range map[string][]string{"": nil, "raised": {"shelved", "raised", "acknowledged"}, "acknowledged": {"shelved", "acknowledged"}, "shelved": {"shelved"}} {
		s := newRecord().Snapshot()
		s.Units[0].Unmonitored, s.Units[0].Borderline = want == "", want == "raised"
		s.Alarms = []coldchain.Alarm{{Unit: "other", State: "raised"}}
		for _, x := range states {
			s.Alarms = append(s.Alarms, coldchain.Alarm{Unit: "f", State: x})
		}
		var got map[string]any
		if err := json.Unmarshal(topicsOf(s).unitState(&s.Units[0], true), &got); err != nil {
			t.Fatal(err)
		}
		if x, there := got["alarm_state"]; there != (want != "") || there && x != want {
			t.Errorf("%v: alarm_state %v, want %q", states, x, want)
		}
		if want := map[bool]float64{true: 1}[want == ""]; got["unmonitored"] != want {
			t.Errorf("unmonitored %v, want %v", got["unmonitored"], want)
		}
		if want := map[bool]float64{true: 1}[want == "raised"]; got["borderline"] != want {
			t.Errorf("borderline %v, want %v", got["borderline"], want)
		}
	}
}

// What is retained of units, probes and batches that are gone is cleared, also
// where an earlier run left it; what is others' stays.
func TestWhatIsGoneIsCleared(t *testing.T) {
	b := broker(t)
	w := watch(t, b.Addr(), "#")
	gone := []string{"coldkeep/s/n/unit/old/state", "coldkeep/s/n/unit/old/availability", "coldkeep/s/n/probe/old/availability", "coldkeep/s/n/batch/OLD/state", "homeassistant/device/coldkeep_s_n_old/config"}
	others := []string{"coldkeep/s/n2/unit/old/state", "homeassistant/device/coldkeep_s_n2_old/config", "homeassistant/device/lamp/config", "coldkeep/s/n/unit/old/alarm"}
	for _, topic := range append(append([]string{}, gone...), others...) {
		settled(t, w.c.Publish(topic, 1, true, "x"))
	}
	r := newRecord()
	start(t, r, Options{Broker: "tcp://" + b.Addr(), ClientID: "test", Discovery: true, Log: quiet}, nil)
	for _, topic := range gone {
		await(t, topic+" to be cleared", func() bool { return w.said(topic) == "" })
	}
	present := []string{"coldkeep/s/n/unit/f/state", "coldkeep/s/n/unit/f/availability", "coldkeep/s/n/probe/p/availability", "homeassistant/device/coldkeep_s_n_f/config"}
	for _, topic := range present {
		await(t, topic, func() bool { return w.said(topic) != "" })
	}
	// Who comes later finds all of it, retained.
	late := watch(t, b.Addr(), "+/#")
	for _, topic := range append(append([]string{}, present...), others...) {
		await(t, topic, func() bool { return late.said(topic) != "" })
		late.mu.Lock()
		if !late.kept[topic] {
			t.Errorf("%s is not retained", topic)
		}
		late.mu.Unlock()
	}
	// The unit leaves the config while the daemon runs.
	r.change(func(s *coldchain.Snapshot) { s.Units = nil })
	for _, topic := range present {
		await(t, topic+" to be cleared", func() bool { return w.said(topic) == "" })
	}
}

// After an outage the states come first, then the backlog at its pace, and
// what happens meanwhile before it; each place once.
func TestABacklogDoesNotFloodAndHoldsNothingUp(t *testing.T) {
	const missed, rate = 2500, 1000
	b := broker(t)
	w := watch(t, b.Addr(), "coldkeep/#")
	r := newRecord()
	r.add(missed)
	began := time.Now()
	p := start(t, r, Options{Broker: "tcp://" + b.Addr(), ClientID: "test", CatchUp: rate, Log: quiet}, nil)
	await(t, "catching up", p.CatchingUp)
	await(t, "the first readings", func() bool { return w.count("coldkeep/s/n/probe/p/reading") > 0 })
	first := func(topic string) int {
		w.mu.Lock()
		defer w.mu.Unlock()
		for i, x := range w.list {
			if strings.HasPrefix(x, topic) {
				return i
			}
		}
		return 1 << 30
	}
	reading := first("coldkeep/s/n/probe/p/reading")
	for _, topic := range []string{"status online", "unit/f/state", "unit/f/availability online", "probe/p/availability online", "batch/B/state"} {
		if at := first("coldkeep/s/n/" + topic); at > reading {
			t.Errorf("%s comes after the backlog's first reading", topic)
		}
	}
	// Something happens: ten places, the last an event.
	r.change(func(s *coldchain.Snapshot) { s.Units[0].OutOfRange = true })
	r.add(10)
	await(t, "the new state", func() bool { return strings.Contains(w.said("coldkeep/s/n/unit/f/state"), `"out_of_range":1`) })
	await(t, "the new event", func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return slices.ContainsFunc(w.list, func(x string) bool {
			return strings.HasPrefix(x, "coldkeep/s/n/event ") && strings.Contains(x, `"seq":2510,`)
		})
	})
	if r.Cursor("") > missed {
		t.Error("the event waited for the backlog")
	}
	await(t, "the rest", func() bool { return r.Cursor("") == missed+10 })
	if took := time.Since(began); took < (missed-window)*time.Second/rate*9/10 {
		t.Errorf("%d messages in %v: more than %d a second", missed, took, rate)
	}
	await(t, "the end of catching up", func() bool { return !p.CatchingUp() && p.Backlog() == 0 })
	// An acknowledgement may come before the subscriber has the message.
	await(t, "the subscriber", func() bool { return w.count("coldkeep/s/n/probe/p/reading")+w.count("coldkeep/s/n/event") >= missed+10 })
	w.mu.Lock()
	defer w.mu.Unlock()
	seen, last := map[uint64]int{}, uint64(0)
	for _, x := range w.list {
		topic, payload, _ := strings.Cut(x, " ")
		seq := seqOf([]byte(payload))
		if seq == 0 {
			continue
		}
		seen[seq]++
		if strings.HasSuffix(topic, "/reading") {
			if seq <= last {
				t.Errorf("reading %d comes after %d", seq, last)
			}
			last = seq
		}
	}
	for seq := uint64(1); seq <= missed+10; seq++ {
		if seen[seq] != 1 {
			t.Errorf("place %d came %d times", seq, seen[seq])
		}
	}
}

func TestPace(t *testing.T) {
	now := time.Date(2026, 5, 5, 3, 0, 0, 0, time.UTC)
	var p pace
	began := now
	for range 1000 {
		now = now.Add(p.next(now, 500))
	}
	if took := now.Sub(began); took < 1980*time.Millisecond || took > 2*time.Second {
		t.Errorf("1,000 at 500 a second took %v", took)
	}
	now = now.Add(time.Minute) // nothing was sent for long: it is not made up for
	began = now
	for range 100 {
		now = now.Add(p.next(now, 500))
	}
	if took := now.Sub(began); took < 180*time.Millisecond {
		t.Errorf("100 after a pause took %v", took)
	}
}

// A reading is written as encoding/json would write it.
func TestAReadingIsJSON(t *testing.T) {
	s := newRecord().Snapshot()
	for _, c := range []struct {
		r    sensor.Reading
		want string
	}{
		{sensor.Reading{Probe: "p", Time: 1_000_001, Temp: 5100}, `{"clock_synchronized":true,"probe":"p","record":"0123456789abcdef","seq":7,"temperature_celsius":5.1,"time":"1970-01-01T00:16:40.001Z","time_unix_ms":1000001,"unit":"f"}`},
		{sensor.Reading{Probe: "p", Time: 1000, Temp: -80_000}, `{"clock_synchronized":true,"probe":"p","record":"0123456789abcdef","seq":7,"temperature_celsius":-80,"time":"1970-01-01T00:00:01Z","time_unix_ms":1000,"unit":"f"}`},
		{sensor.Reading{Probe: "p", Time: 1000, Temp: 100, Check: true}, `{"check":1,"clock_synchronized":true,"probe":"p","record":"0123456789abcdef","seq":7,"temperature_celsius":0.1,"time":"1970-01-01T00:00:01Z","time_unix_ms":1000,"unit":"f"}`},
		{sensor.Reading{Probe: "q", Time: 1000, Fault: sensor.FaultCRC}, `{"clock_synchronized":true,"fault":"crc","probe":"q","record":"0123456789abcdef","seq":7,"time":"1970-01-01T00:00:01Z","time_unix_ms":1000}`},
		{sensor.Reading{Probe: "q", Time: 1000, Fault: "a \"new\"\\\n<fault> °"}, `{"clock_synchronized":true,"fault":"a \"new\"\\\n\u003cfault\u003e °","probe":"q","record":"0123456789abcdef","seq":7,"time":"1970-01-01T00:00:01Z","time_unix_ms":1000}`},
	} {
		m := topicsOf(s).reading(coldchain.Entry{Seq: 7, Reading: &c.r, Synchronized: true})
		if string(m.payload) != c.want || !json.Valid(m.payload) || m.topic != "coldkeep/s/n/probe/"+c.r.Probe+"/reading" {
			t.Errorf("%s\n%s\nwant\n%s", m.topic, m.payload, c.want)
		}
	}
}

// What the broker forbids us to read is told once, and all else goes on.
func TestAForbiddenTopicIsToldOnce(t *testing.T) {
	e := newEvil(t, func(_ int, k byte, n int) deed {
		switch {
		case k == 8: // SUBSCRIBE
			return refuse
		case k == 3 && n == 20: // PUBLISH
			return lastWord
		}
		return answer1
	})
	var book logbook
	r := newRecord()
	r.add(60)
	start(t, r, Options{Broker: "tcp://" + e.l.Addr().String(), ClientID: "test", Log: book.log()}, func(p *Publisher) { p.least = 5 * time.Millisecond })
	await(t, "everything", func() bool { return r.Cursor("") == 60 })
	said := book.String()
	for _, topic := range topicsOf(r.Snapshot()).kept(Options{}) {
		if strings.Count(said, topic) != 1 {
			t.Errorf("%s is told %d times", topic, strings.Count(said, topic))
		}
	}
}
