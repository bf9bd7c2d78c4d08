package monitor

import (
	"slices"
	"strings"
	"testing"
	"time"

	"coldkeep/internal/coldchain"
	"coldkeep/sensor"
)

// arrives receives a batch with a logger that was at 9 °C for five hours, and
// places it; it is asked for no wrong to have been told meanwhile.
func (n *night) arrives(batch string, warm bool) {
	n.t.Helper()
	n.do(coldchain.Command{Name: "receive", Batch: batch, Profile: "p", Vials: 4})
	n.do(coldchain.Command{Name: "place", Batch: batch, Unit: "fridge-1"})
	n.tells(batch, warm)
}

// tells imports what its logger saw.
func (n *night) tells(batch string, warm bool) {
	n.t.Helper()
	at := n.m.batchSeen(batch).Received
	temp := sensor.Temp(5000)
	if warm {
		temp = 9000
	}
	list := run(at-sensor.Instant((310*time.Minute).Milliseconds()), 10*time.Minute, slices.Repeat([]sensor.Temp{temp}, 31)...)
	sha, err := n.m.AddFile(n.t.Context(), csv("L-"+batch, list))
	if err != nil {
		n.t.Fatal(err)
	}
	n.do(coldchain.Command{Name: "import", Batch: batch, Readout: &coldchain.Readout{SHA256: sha, Name: "log.csv"}})
}

// What a logger tells of days ago wakes nobody: it waits for working hours, also
// where the daemon is killed meanwhile, and is told then.
func TestWhatIsFoundInLateDataWaitsForTheDay(t *testing.T) {
	story(t, nightDuty(), func(n *night) {
		began := time.Now()
		n.arrives("EX-8", false)
		n.arrives("EX-9", true)
		if b := n.m.batchSeen("EX-9"); b == nil || b.Verdict != coldchain.Quarantined || b.Unit != "fridge-1" {
			t.Fatalf("%+v", b)
		}
		if b := n.m.batchSeen("EX-8"); b.Verdict != coldchain.InRange {
			t.Errorf("EX-8 is %s: %+v", b.Verdict, b)
		}
		raised := n.events(coldchain.AlarmRaised)
		if len(raised) != 1 || raised[0].Batch != "EX-9" || raised[0].Call == nil || !raised[0].Call.Historic {
			t.Errorf("raised %+v", raised)
		}
		time.Sleep(2 * time.Hour)
		n.cancel() // killed
		n.start()
		time.Sleep(time.Hour)
		n.stop()
		n.forget() // the desk's memory: the journal alone must be enough
		n.start()
		time.Sleep(time.Hour)
		if got := n.calls(began); len(got) != 0 {
			t.Errorf("at night: %q", got)
		}
		if len(n.m.Snapshot().Troubles) != 1 || n.m.Snapshot().Troubles[0].Wakes {
			t.Errorf("troubles %+v", n.m.Snapshot().Troubles)
		}
		// What happens now wakes people all the same.
		n.bus.set(9400, "b")
		time.Sleep(10 * time.Minute)
		if got := n.calls(began); count(got, "anna page") == 0 {
			t.Errorf("fridge-2 is too warm, and the calls are %q", got)
		}
		n.bus.set(5000, "b")
		time.Sleep(12 * time.Hour) // until the next day's noon
		got := n.calls(began)
		if count(got, "anna notice") == 0 {
			t.Errorf("by day: %q", got)
		}
	})
}

// Where vials of the batch were used already, more may be tonight: it wakes.
func TestWhatIsFoundInLateDataWakesForABatchInUse(t *testing.T) {
	story(t, nightDuty(), func(n *night) {
		began := time.Now()
		n.do(coldchain.Command{Name: "receive", Batch: "EX-9", Profile: "p", Vials: 4})
		n.do(coldchain.Command{Name: "place", Batch: "EX-9", Unit: "fridge-1"})
		n.do(coldchain.Command{Name: "use", Batch: "EX-9", Count: 1})
		time.Sleep(25 * time.Hour) // so that the use itself is no news: nobody was told anything then
		if got := n.calls(began); len(got) != 0 {
			t.Errorf("before anything was found: %q", got)
		}
		n.tells("EX-9", true)
		time.Sleep(time.Minute)
		if got := n.calls(began); count(got, "anna page") == 0 {
			t.Errorf("vials of it are in use, and the calls are %q", got)
		}
		m, _ := n.newest("anna")
		if !strings.Contains(m.Title+m.Body, "EX-9") {
			t.Errorf("the page reads %q\n%s", m.Title, m.Body)
		}
	})
}

// batchSeen is a batch in the newest snapshot.
func (m *Monitor) batchSeen(id string) *coldchain.BatchState {
	for i, b := range m.Snapshot().Batches {
		if b.ID == id {
			return &m.Snapshot().Batches[i]
		}
	}
	return nil
}

// What is found of a batch holds for all that was split off it, also of what its
// vials went through before.
func TestWhatIsFoundHoldsForWhatWasSplitOff(t *testing.T) {
	story(t, nightDuty(), func(n *night) {
		n.do(coldchain.Command{Name: "receive", Batch: "EX-9", Profile: "p", Vials: 4})
		n.do(coldchain.Command{Name: "place", Batch: "EX-9", Unit: "fridge-1"})
		n.do(coldchain.Command{Name: "split", Batch: "EX-9", NewBatch: "EX-9B", Count: 2})
		time.Sleep(time.Minute)
		n.tells("EX-9", true)
		time.Sleep(time.Minute)
		a, b := n.m.batchSeen("EX-9"), n.m.batchSeen("EX-9B")
		if a.Verdict != coldchain.Quarantined || b.Verdict != coldchain.Quarantined || a.Exposure.AboveS == 0 || a.Exposure.AboveS != b.Exposure.AboveS {
			t.Errorf("%s after %v s too warm, what was split off it %s after %v s", a.Verdict, a.Exposure.AboveS, b.Verdict, b.Exposure.AboveS)
		}
		if len(b.Papers) != 1 {
			t.Errorf("papers of what was split off: %+v", b.Papers)
		}
		sha, err := n.m.AddFile(n.t.Context(), csv("L-2", run(a.Received-3_600_000, time.Minute, 5000, 5000)))
		if err != nil {
			t.Fatal(err)
		}
		n.ids++
		_, err = n.m.Do(n.t.Context(), coldchain.Command{ID: "of the split", Name: "import", Batch: "EX-9B", By: "Anna Example", Readout: &coldchain.Readout{SHA256: sha, Name: "log.csv"}})
		refused(t, err, "import the logger for EX-9")
	})
}

// A batch that nobody places, though its logger tells no more, is asked for as
// itself: there is no unit to go to.
func TestABatchLeftWithItsLoggerIsAskedFor(t *testing.T) {
	story(t, nightDuty(), func(n *night) {
		n.stop()
		n.change = func(c *coldchain.Config) { c.Profiles[0].Unmonitored = 30 * time.Minute }
		n.start()
		began := time.Now()
		n.do(coldchain.Command{Name: "receive", Batch: "EX-9", Profile: "p", Vials: 4})
		n.tells("EX-9", false)
		if b := n.m.batchSeen("EX-9"); b.Verdict != coldchain.InRange || b.Unit != "logger-L-EX-9" {
			t.Fatalf("%s in %s", b.Verdict, b.Unit)
		}
		time.Sleep(time.Hour)
		if b := n.m.batchSeen("EX-9"); b.Verdict != coldchain.Quarantined || b.Now != coldchain.NowNoData {
			t.Errorf("an hour later it is %s, now %s", b.Verdict, b.Now)
		}
		if got := n.calls(began); count(got, "anna page") == 0 {
			t.Errorf("the calls are %q", got)
		}
		if m, _ := n.newest("anna"); !strings.Contains(m.Title+m.Body, "EX-9") || strings.Contains(m.Title+m.Body, "logger-L") {
			t.Errorf("the page reads %q\n%s", m.Title, m.Body)
		}
	})
}
