package coldchain

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"coldkeep/sensor"
)

// backupRig is a fridge at 2–8 °C with a backup logger that stands for stands.
type backupRig struct {
	e      *Evaluator
	stands time.Duration
}

func newBackup(t interface{ Fatal(...any) }, stands time.Duration, from, to int, probes ...string) *backupRig {
	u := Unit{ID: "f", Range: Range{2000, 8000}, MaxGap: 3 * time.Minute}
	for _, p := range probes {
		u.Probes = append(u.Probes, UnitProbe{ID: p, Instrument: p, Judges: true})
	}
	p := Profile{ID: "p", Range: u.Range, Unmonitored: time.Hour, DeltaH: DefaultDeltaH, Outside: Outside{As: 25000, Grace: time.Hour}}
	e := New(Config{Units: []Unit{u}, Profiles: []Profile{p}}, 0)
	end := sensor.Instant(to) * 60_000
	for _, ev := range []Event{
		{Kind: ReadingsImported, Unit: "f", Probe: "logger-A", Start: sensor.Instant(from) * 60_000, End: &end, Readout: &Readout{Logger: "A", Format: "csv", IntervalS: stands.Seconds() / 3}},
		{Kind: BatchReceived, Batch: "X", Profile: "p"}, {Kind: BatchPlaced, Batch: "X", Unit: "f"}} {
		if err := e.Apply(ev); err != nil {
			t.Fatal(err)
		}
	}
	return &backupRig{e, stands}
}

func (b *backupRig) real(probe string, minute int, temp sensor.Temp) {
	b.e.Observe(sensor.Reading{Probe: probe, Time: sensor.Instant(minute) * 60_000, Temp: temp})
}

func (b *backupRig) backup(minute int, temp sensor.Temp) {
	b.e.Recall(sensor.Reading{Probe: "logger-A", Time: sensor.Instant(minute) * 60_000, Temp: temp}, b.stands)
}

func (b *backupRig) at(minute int) (BatchState, UnitState) {
	b.e.Tick(sensor.Instant(minute) * 60_000)
	return b.e.Batches()[0], b.e.Units()[0]
}

// A backup logger fills what nothing else knows: not before the probe's last
// reading has stopped standing, no longer than its own stands, and not beyond
// the next one of the probe.
func TestABackupLoggerFillsUnmonitoredTimeOnly(t *testing.T) {
	b := newBackup(t, 15*time.Minute, 0, 1000, "p")
	b.real("p", 0, 5000)
	b.backup(1, 9000) // the probe's stands until 3: then this one stands in, up to 16
	b.real("p", 20, 5000)
	b.backup(21, 9500) // the probe knows better
	x, u := b.at(22)
	if x.Exposure.MonitoredS != 18*60 || x.Exposure.UnmonitoredS != 4*60 || x.Exposure.AboveS != 13*60 || *x.Exposure.MaxC != 9000 || u.UnmonitoredS != 4*60 {
		t.Errorf("%+v, %v s unmonitored", x.Exposure, u.UnmonitoredS)
	}
	var who []string
	for _, j := range x.JudgedBy {
		to := "now"
		if j.To != nil {
			to = j.To.String()[11:16]
		}
		who = append(who, j.Probe+" "+j.From.String()[11:16]+" "+to)
	}
	if want := []string{"p 00:00 now", "logger-A 00:03 00:16"}; !slices.Equal(who, want) {
		t.Errorf("judged by %q, want %q", who, want)
	}
}

// A doubtful excursion is doubtful no more while a backup tells; one that it
// says is over, is over.
func TestABackupLoggerEndsDoubt(t *testing.T) {
	b := newBackup(t, 15*time.Minute, 0, 1000, "p", "q")
	for i := range 60 {
		b.real("q", i, 5000)
		if i == 0 {
			b.real("p", 0, 9000) // and falls silent: doubtful from 3 on
		}
		if i == 10 {
			b.backup(10, 9200)
		}
		if i == 30 {
			b.backup(30, 5000)
		}
	}
	x, u := b.at(60)
	// Beyond 0–3 and 10–25, doubtful 3–10 and 25–30; then q goes on alone.
	if x.Exposure.AboveS != 18*60 || x.Exposure.UnmonitoredS != 12*60 || x.Exposure.MonitoredS != 48*60 || u.OutOfRange || u.OutOfRangeS != 30*60 || u.UnmonitoredS != 12*60 {
		t.Errorf("%+v, out of range %v, %v s, %v s unmonitored", x.Exposure, u.OutOfRange, u.OutOfRangeS, u.UnmonitoredS)
	}
}

// A backup changes no alarm about the unit's own probes.
func TestABackupLoggerIsNoProbe(t *testing.T) {
	silent := func(with bool) (raised, cleared int) {
		b := newBackup(t, 15*time.Minute, 0, 1000, "p", "q")
		for i := range 60 {
			if i < 5 || i > 50 {
				b.real("p", i, 5000)
				b.real("q", i, 5000)
			}
			if with && i%5 == 0 {
				b.backup(i, 8500)
			}
		}
		b.at(60)
		for _, ev := range b.e.Take() {
			switch {
			case ev.Batch != "": // that one is of what the backup saw
			case ev.Kind == AlarmRaised:
				raised++
			case ev.Kind == AlarmCleared:
				cleared++
			}
		}
		return raised, cleared
	}
	a, c := silent(false)
	if x, y := silent(true); a == 0 || a != x || c != y {
		t.Errorf("%d alarms raised, %d cleared; with a backup %d, %d", a, c, x, y)
	}
}

// Of one probe and a backup, minute by minute, the exposure is what counting
// the minutes says; also where all is kept in a checkpoint between.
func TestABackupLoggerByTheMinute(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		stands := rapid.IntRange(1, 12).Draw(t, "stands")
		from, to := rapid.IntRange(0, 20).Draw(t, "from"), rapid.IntRange(10, 60).Draw(t, "to")
		b := newBackup(t, time.Duration(stands)*time.Minute, from, to, "p")
		cfg := Config{Units: []Unit{b.e.units[0].cfg}, Profiles: []Profile{*b.e.profiles["p"]}}
		temp := func(name string) sensor.Temp {
			return rapid.SampledFrom([]sensor.Temp{5000, 5000, 8000, 9000, 1000}).Draw(t, name)
		}
		var last, spare sensor.Temp
		known, until, spareUntil := false, 0, 0
		var monitored, above, below, dark float64
		for i := range 60 {
			real := rapid.IntRange(0, 5).Draw(t, "real") == 0
			if rapid.IntRange(0, 3).Draw(t, "backup") == 0 {
				x := temp("backup's")
				b.backup(i, x)
				if i >= from && i <= to {
					spare, spareUntil = x, i+stands
				}
			}
			if real {
				x := temp("probe's")
				b.real("p", i, x)
				last, known, until = x, true, i+3
			}
			stand := until > i
			if !stand && spareUntil > i {
				last, known, stand = spare, true, true
			}
			switch {
			case !stand:
				dark += 60
			default:
				monitored += 60
				if last > 8000 {
					above += 60
				}
				if last < 2000 {
					below += 60
				}
			}
			_ = known
			if rapid.IntRange(0, 9).Draw(t, "restart") == 0 {
				b.e.Tick(sensor.Instant(i) * 60_000)
				data, err := b.e.Checkpoint(cfg)
				if err != nil {
					t.Fatal(err)
				}
				// What is long over a checkpoint may forget; here the rest is still to come.
				backups := b.e.backups
				if b.e, err = Restore(cfg, data); err != nil {
					t.Fatal(err)
				}
				b.e.backups = backups
				if len(backups) == 0 && i < to {
					t.Fatalf("the backup is forgotten at minute %d, before its last reading at %d", i, to)
				}
			}
		}
		x, _ := b.at(60)
		if e := x.Exposure; e.MonitoredS != monitored || e.AboveS != above || e.BelowS != below || e.UnmonitoredS != dark {
			t.Fatalf("monitored %v, above %v, below %v, unmonitored %v; by the minute %v, %v, %v, %v", e.MonitoredS, e.AboveS, e.BelowS, e.UnmonitoredS, monitored, above, below, dark)
		}
	})
}

// A logger on its second way knows nothing of what it saw on the first.
func TestALoggerThatTravelsTwice(t *testing.T) {
	p := Profile{ID: "p", Range: Range{2000, 8000}, Unmonitored: time.Hour, DeltaH: DefaultDeltaH, Outside: Outside{As: 5000, Grace: time.Hour}}
	e := NewFrom(Config{Profiles: []Profile{p}}, 600*60_000, 0)
	minute := func(i int) sensor.Instant { return sensor.Instant(i) * 60_000 }
	r := &Readout{Logger: "A", Format: "qtag", IntervalS: 300}
	end1, end2 := minute(20), minute(120)
	list := Inputs([]Event{{Seq: 1, Kind: ConfigChanged, Time: minute(600), Config: &Config{Profiles: []Profile{p}}},
		{Seq: 2, Kind: BatchReceived, Batch: "X", Profile: "p", Time: minute(610)}, {Seq: 3, Kind: BatchReceived, Batch: "Y", Profile: "p", Time: minute(611)},
		{Seq: 4, Kind: ReadingsImported, Batch: "Y", Unit: "logger-A", Probe: "logger-A", Start: minute(100), End: &end2, Time: minute(620), Readout: r},
		{Seq: 5, Kind: ReadingsImported, Batch: "X", Unit: "logger-A", Probe: "logger-A", Start: minute(0), End: &end1, Time: minute(621), Readout: r}})
	i := 0
	recall := func(at int, temp sensor.Temp) {
		for ; i < len(list) && list[i].At <= minute(at); i++ {
			if list[i].Kind != ConfigChanged {
				if err := e.Apply(list[i].Event); err != nil {
					t.Fatal(err)
				}
			}
		}
		e.Recall(sensor.Reading{Probe: "logger-A", Time: minute(at), Temp: temp}, 15*time.Minute)
	}
	for at := 0; at <= 20; at += 5 {
		recall(at, 9000)
	}
	for at := 100; at <= 120; at += 5 {
		recall(at, 5000)
	}
	e.Tick(minute(120))
	for _, b := range e.Batches() {
		want := 0.0
		if b.ID == "X" {
			want = 20 * 60
		}
		if b.Exposure.AboveS != want || b.Exposure.MonitoredS != 20*60 || b.Received < minute(610) {
			t.Errorf("%s: %+v, received %s", b.ID, b.Exposure, b.Received)
		}
	}
	if len(e.units) != 1 {
		t.Fatalf("%d units", len(e.units))
	}
	if _, err := e.Checkpoint(Config{}); err != nil || len(e.units) != 0 || len(e.places) != 0 {
		t.Errorf("after the ways %d units and %d probes are left: %v", len(e.units), len(e.places), err)
	}
}
