package coldchain

import (
	"fmt"
	"testing"
	"time"

	"coldkeep/sensor"
)

// benchConfig has every kind of rule, and so all that a reading can cost.
func benchConfig() Config {
	return Config{
		Units: []Unit{
			{ID: "f", Range: Range{2000, 8000}, MaxGap: 3 * time.Minute, Probes: []UnitProbe{{ID: "p", Judges: true, Medium: sensor.Buffered}}},
			{ID: "g", Range: Range{2000, 8000}, MaxGap: 3 * time.Minute, Probes: []UnitProbe{{ID: "q", Judges: true, Medium: sensor.Buffered}}, Transport: true},
		},
		Profiles: []Profile{{
			ID: "p", Range: Range{2000, 8000}, Confirm: time.Minute, Outside: Outside{DefaultOutsideAs, DefaultOutsideGrace}, Unmonitored: DefaultUnmonitored, DeltaH: DefaultDeltaH,
			Stages: []StageRange{{Transport, Range{2000, 15000}}, {InUse, Range{2000, 25000}}}, Thaw: Thaw{9000, DefaultThawFor, DefaultThawOutside}, InUse: 4 * time.Hour,
			Rules: []Rule{
				{ID: "freeze", Limit: Limit{Side: Below, At: 0}},
				{ID: "cold", Limit: Limit{Side: Below, At: 2000}, Total: 30 * time.Minute},
				{ID: "warm", Limit: Limit{Side: Above, At: 8000}, Total: 10000 * time.Hour},
				{ID: "day", Limit: Limit{Side: Above, At: 8000}, Total: 23 * time.Hour, Within: 24 * time.Hour},
				{ID: "road", Limit: Limit{Side: Above, At: 15000}, Total: time.Hour, Stage: Transport},
				{ID: "thaw", FreezeThaw: true, Cycles: 1 << 30},
				{ID: "mkt", MKT: true, Limit: Limit{Side: Above, At: 80000}, Within: 24 * time.Hour},
				{ID: "dark", Unmonitored: true, Total: 1000 * time.Hour, Within: 7 * 24 * time.Hour},
			},
		}},
	}
}

// benchTemp is a fridge's day: it swings with the compressor, and warms beyond
// its range, and the thaw point, for an hour in each twenty.
func benchTemp(i int) sensor.Temp {
	if i%1200 >= 1140 {
		return 9000 + sensor.Temp(i%5)*500
	}
	return 4000 + sensor.Temp(i%20)*100
}

func benchBatches(b *testing.B, cfg Config, n int) *Evaluator {
	e := New(cfg, 60_000)
	e.Quiet(true)
	for i := range n {
		if err := e.AddLife(Life{ID: fmt.Sprintf("B-%d", i), Profile: "p", Placements: []Placement{{Unit: "f", From: 60_000}}}); err != nil {
			b.Fatal(err)
		}
	}
	return e
}

// A reading is taken in and judged for one batch: < 5 µs.
func BenchmarkAReadingOfABatch(b *testing.B) {
	e := benchBatches(b, benchConfig(), 1)
	i := 0
	for b.Loop() {
		i++
		e.Observe(sensor.Reading{Probe: "p", Time: sensor.Instant(i * 60_000), Temp: benchTemp(i)})
		e.Tick(sensor.Instant(i * 60_000))
	}
}

// A sweep with 1,000 batches in one unit: < 2 ms.
func BenchmarkASweepOfAThousandBatches(b *testing.B) {
	e := benchBatches(b, benchConfig(), 1000)
	i := 0
	for b.Loop() {
		i++
		e.Observe(sensor.Reading{Probe: "p", Time: sensor.Instant(i * 60_000), Temp: benchTemp(i)})
		e.Tick(sensor.Instant(i * 60_000))
	}
}

// Three years of readings of two units, one a minute from each, are judged from
// the beginning for a batch that is moved every hour with a stretch outside, and
// for one that is moved every minute: < 2 s.
func BenchmarkThreeYearsJudgedAnew(b *testing.B) {
	for _, x := range []struct {
		moved     string
		every, in int // minutes
	}{{"every hour", 60, 57}, {"every minute", 1, 1}} {
		b.Run(x.moved, func(b *testing.B) { benchYears(b, x.every, x.in) })
	}
}

func benchYears(b *testing.B, every, in int) {
	const minutes = 3 * 365 * 24 * 60
	cfg := benchConfig()
	l := Life{ID: "B", Profile: "p", OpenedAt: (minutes - 60) * 60_000}
	for from := 1; from < minutes; from += every {
		to := sensor.Instant(from+in) * 60_000
		l.Placements = append(l.Placements, Placement{Unit: []string{"f", "g"}[len(l.Placements)%2], From: sensor.Instant(from) * 60_000, To: &to})
	}
	for b.Loop() {
		r := NewReplayer(cfg, []Life{l}, 0)
		for i := range minutes {
			for _, probe := range []string{"p", "q"} {
				if _, err := r.Observe(sensor.Reading{Probe: probe, Time: sensor.Instant(i+1) * 60_000, Temp: benchTemp(i)}); err != nil {
					b.Fatal(err)
				}
			}
		}
		res, err := r.Finish()
		if err != nil {
			b.Fatal(err)
		}
		if x := res.Batches[0].Exposure; x.MonitoredS == 0 || every > 1 && x.FreezeThawCycles < 1000 {
			b.Fatalf("%+v", x)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(2*minutes), "ns/reading")
}

// The same with all that a snapshot tells of them.
func BenchmarkASnapshotOfAThousandBatches(b *testing.B) {
	e := benchBatches(b, benchConfig(), 1000)
	i := 0
	for b.Loop() {
		i++
		e.Observe(sensor.Reading{Probe: "p", Time: sensor.Instant(i * 60_000), Temp: benchTemp(i)})
		e.Tick(sensor.Instant(i * 60_000))
		if len(e.Batches()) != 1000 {
			b.Fatal("some are missing")
		}
	}
}
