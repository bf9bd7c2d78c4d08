package monitor

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"coldkeep/alert"
	"coldkeep/internal/coldchain"
	"coldkeep/internal/store"
	"coldkeep/sensor"
)

// A cellar is a Monitor over a real store with 256 units and 2,000 batches,
// swept by hand.
type cellar struct {
	m    *Monitor
	bus  *script
	slot sensor.Instant
	dir  string
}

func newCellar(b *testing.B) *cellar {
	b.Helper()
	const units, batches = 256, 2000
	c := &cellar{bus: &script{}, dir: b.TempDir(), slot: sensor.At(time.Now().Add(-24 * time.Hour).Truncate(10 * time.Second))}
	cfg := coldchain.Config{Profiles: nightConfig().Profiles}
	var probes []sensor.Probe
	for i := range units {
		id := fmt.Sprintf("p%d", i)
		probes = append(probes, sensor.Probe{ID: id, Chip: "test"})
		c.bus.probes, c.bus.next = append(c.bus.probes, id), append(c.bus.next, sensor.Reading{Temp: 5000, Raw: 5000})
		cfg.Units = append(cfg.Units, coldchain.Unit{ID: fmt.Sprintf("u%d", i), Name: fmt.Sprintf("Fridge %d", i), Range: coldchain.Range{Low: 2000, High: 8000}, MaxGap: 2 * time.Minute,
			Probes: []coldchain.UnitProbe{{ID: id, Instrument: "test " + id, Judges: true}}, Alarms: []coldchain.AlarmRule{
				{ID: "warm", Severity: coldchain.Critical, Limit: coldchain.Limit{Side: coldchain.Above, At: 8000}},
				{ID: "silent", Severity: coldchain.Critical, NoData: 10 * time.Minute}}})
	}
	st, err := store.Open(b.Context(), c.dir)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := st.Close(); err != nil {
			b.Error(err)
		}
	})
	duty := nightDuty()
	duty.Wakes, duty.Working = alert.DefaultWakes(), alert.Office
	// The record's clock stands where the benchmark has come to.
	c.m = New(st, Options{Config: cfg, Probes: probes, Buses: []sensor.Bus{c.bus}, Interval: 10 * time.Second, Site: coldchain.Site{ID: "a", Name: "Clinic A", Timezone: "UTC"}, Node: "n",
		Duty: duty, AnswerKey: []byte("the test's key"), Log: slog.New(slog.DiscardHandler), Synchronized: func() bool { return true }, Wall: func() time.Time { return c.slot.Time() }})
	if err := c.m.Open(b.Context()); err != nil {
		b.Fatal(err)
	}
	given := 0
	err = c.m.Feed(b.Context(), func() (sensor.Sweep, []coldchain.Command, bool) {
		if given > 1 {
			return sensor.Sweep{}, nil, false
		}
		given++
		c.slot = c.slot.Add(10 * time.Second)
		var commands []coldchain.Command
		for i := 0; given == 2 && i < batches; i++ {
			id := fmt.Sprintf("EX-%d", i)
			commands = append(commands, coldchain.Command{ID: "r" + id, Name: "receive", Batch: id, Profile: "p", Vials: 4, By: "b", At: c.slot - 2},
				coldchain.Command{ID: "p" + id, Name: "place", Batch: id, Unit: cfg.Units[i%units].ID, By: "b", At: c.slot - 1})
		}
		return sensor.Sweep{Slot: c.slot, Boot: "b", Synchronized: true, Readings: c.bus.Sweep(b.Context(), c.slot.Time())}, commands, true
	})
	if err != nil {
		b.Fatal(err)
	}
	for range 3 {
		c.sweep(b)
	}
	return c
}

func (c *cellar) sweep(b *testing.B) {
	c.slot = c.slot.Add(10 * time.Second)
	c.m.Sweep(b.Context(), c.slot)
}

// warm lets some units be too warm, and their people be called.
func (c *cellar) warm(b *testing.B, n int) {
	b.Helper()
	for i := range n {
		c.bus.next[i] = sensor.Reading{Temp: 9400, Raw: 9400}
	}
	c.sweep(b)
	c.settle(b)
}

// settle reports every message as sent, as the channels would.
func (c *cellar) settle(b *testing.B) {
	b.Helper()
	for due := (Alerts{c.m}).Due(); len(due) > 0; due = (Alerts{c.m}).Due() {
		for _, m := range due {
			if err := c.m.reportDesk(b.Context(), alert.Outcome{ID: m.Message.ID}); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// What the desk and the views cost at every sweep of 256 units with 2,000
// batches: with nothing wrong, with one unit in trouble, and with all.
func BenchmarkLook(b *testing.B) {
	for _, warm := range []int{0, 1, 256} {
		c := newCellar(b)
		if warm > 0 {
			c.warm(b, warm)
		}
		snap := c.m.look()
		at := c.m.instant()
		sit := c.m.situation(snap, at)
		run := func(name string, f func()) {
			b.Run(fmt.Sprintf("%d_warm/%s", warm, name), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					f()
				}
			})
		}
		run("look", func() { c.m.look() })
		run("situation", func() { sit = c.m.situation(snap, at) })
		run("turn", func() { c.m.desk.Turn(timeOf(at), sit) })
		run("flights", func() { c.m.flightsNow() })
		run("show", func() { s := *snap; c.m.showDesk(&s) })
	}
}

// A whole sweep of 256 probes with 2,000 batches, committed; and the bytes that
// it writes, with and without people being called.
func BenchmarkSweep(b *testing.B) {
	for _, warm := range []int{0, 1} {
		b.Run(fmt.Sprintf("%d_warm", warm), func(b *testing.B) {
			c := newCellar(b)
			if warm > 0 {
				c.warm(b, warm)
			}
			written := func() (n uint64) {
				f, err := os.ReadFile("/proc/self/io")
				if err != nil {
					b.Skip("this system does not tell what is written")
				}
				var k string
				for line := range strings.Lines(string(f)) {
					if _, err := fmt.Sscanf(line, "%s %d", &k, &n); err == nil && k == "write_bytes:" {
						return n
					}
				}
				return 0
			}
			before := written()
			for b.Loop() {
				c.sweep(b)
				c.settle(b)
			}
			b.ReportMetric(float64(written()-before)/float64(b.N)/1024, "KiB/sweep")
			if st, err := os.Stat(filepath.Join(c.dir, store.FileName)); err == nil {
				b.ReportMetric(float64(st.Size())/1024, "KiB-file")
			}
		})
	}
}
