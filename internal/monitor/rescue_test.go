package monitor

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"coldkeep/internal/coldchain"
	"coldkeep/sensor"
)

// A fridge dies at night. The page says by when somebody must have come, which
// is in time by what then happens, and where to go with what; who does that
// has saved the batch, and the alarm about it is over.
func TestTheNightTheVialsAreMoved(t *testing.T) {
	story(t, nightDuty(), func(n *night) {
		n.stop()
		n.change = func(c *coldchain.Config) {
			p := c.Profiles[0]
			p.ID = "hot"
			p.Rules = append(slices.Clone(p.Rules), coldchain.Rule{ID: "hot", Limit: coldchain.Limit{Side: coldchain.Above, At: 11000}})
			c.Profiles = append(c.Profiles, p)
			c.Units[1].Capacity.Vials, c.Units[2].Capacity.Vials, c.Units[3].Capacity.Vials = 40, 20, 20
		}
		n.start()
		n.do(coldchain.Command{Name: "receive", Batch: "EX-5", Profile: "hot", Vials: 12})
		n.do(coldchain.Command{Name: "place", Batch: "EX-5", Unit: "fridge-1"})
		n.bus.set(7500, "c")
		time.Sleep(90 * time.Minute) // all are stable
		n.bus.set(9000, "d")         // but one, which is too warm, too
		began := n.wall()
		temp := func(at time.Time) float64 {
			return 22 - 17*math.Exp(-at.Sub(began).Hours()/3)
		}
		lost := began.Add(time.Duration(3 * math.Log(17.0/11) * float64(time.Hour))) // 11 °C: 78 min
		var paged bool
		var by time.Time
		for i := 0; !paged && i < 600; i++ {
			n.bus.set(sensor.Temp(math.Round(temp(n.wall())*16)/16*1000), "a")
			time.Sleep(10 * time.Second)
			for _, m := range n.push.fresh() {
				if !strings.Contains(m.Title, "FRIDGE 1 TOO WARM") {
					continue
				}
				paged = true
				b := find(n.m.Snapshot(), "EX-5")
				if b.FirstLost() == nil || b.LostAt == nil || *b.FirstLost() >= *b.LostAt {
					t.Fatalf("nothing sooner than the present temperature's loss is foretold: %+v", b.Forecasts)
				}
				by = timeOf(*b.FirstLost())
				if clock := by.Format("15:04"); !strings.Contains(m.Title, "First 12 vials over their limit "+clock) {
					t.Errorf("the page reads %q, and should name %s", m.Title, clock)
				}
				if want := "move to Fridge 2 (5.0 °C, room for 32). EX-5 (12) first, then EX-1 (4)."; !strings.Contains(m.Body, want) {
					t.Errorf("the page lacks %q:\n%s", want, m.Body)
				}
			}
			n.calls(began)
		}
		if !paged {
			t.Fatal("nobody was called")
		}
		if late := by.Sub(lost); late > 0 || late < -30*time.Minute {
			t.Errorf("it says %s; it is lost at %s", by, lost)
		}
		// Nobody goes for a while: the batch is about to be lost.
		for n.wall().Before(lost.Add(-10 * time.Minute)) {
			n.bus.set(sensor.Temp(math.Round(temp(n.wall())*16)/16*1000), "a")
			time.Sleep(10 * time.Second)
		}
		soon := func(kind coldchain.Kind) (n2 int) {
			for _, e := range n.events(kind) {
				if e.Rule == "batch_soon" && e.Batch == "EX-5" {
					n2++
				}
			}
			return n2
		}
		if up, down := soon(coldchain.AlarmRaised), soon(coldchain.AlarmCleared); up != 1 || down != 0 {
			t.Errorf("about to be lost: raised %d times, cleared %d times", up, down)
		}
		for _, batch := range []string{"EX-5", "EX-1"} {
			n.do(coldchain.Command{Name: "move", Batch: batch, Unit: "fridge-2"})
		}
		for range 12 {
			n.bus.set(sensor.Temp(math.Round(temp(n.wall())*16)/16*1000), "a")
			time.Sleep(10 * time.Second)
		}
		s := n.m.Snapshot()
		if b := find(s, "EX-5"); b.Verdict != coldchain.InExcursion || b.FirstLost() != nil || b.Now != coldchain.NowInRange {
			t.Errorf("moved: %s, %s, lost at %v", b.Verdict, b.Now, b.FirstLost())
		}
		if up, down := soon(coldchain.AlarmRaised), soon(coldchain.AlarmCleared); up != 1 || down != 1 {
			t.Errorf("moved: raised %d times, cleared %d times", up, down)
		}
		if list := coldchain.Rescues(s, "fridge-1"); len(list) != 0 {
			t.Errorf("there is still something to move: %+v", list)
		}
	})
}

func find(s *coldchain.Snapshot, id string) *coldchain.BatchState {
	i := slices.IndexFunc(s.Batches, func(b coldchain.BatchState) bool { return b.ID == id })
	return &s.Batches[i]
}
