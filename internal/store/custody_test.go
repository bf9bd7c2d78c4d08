package store

import (
	"database/sql"
	"path/filepath"
	"testing"

	"coldkeep/internal/coldchain"
	"coldkeep/sensor"
)

// What comes a little late finds a checkpoint that is hardly older, what comes
// late one of its day; there are never many.
func TestWhichCheckpointsAreKept(t *testing.T) {
	s := open(t, t.TempDir())
	const minute, hour, day = 60_000, 3_600_000, 24 * 3_600_000
	start := sensor.Instant(20_000 * day)
	var seq uint64
	for at := start; at <= start+10*day; at += 5 * minute {
		seq++
		step := coldchain.Step{At: at, Checkpoint: []byte("x"), Events: []coldchain.Event{{Seq: seq, Time: at, Kind: coldchain.Started}}}
		if err := s.Record(t.Context(), step); err != nil {
			t.Fatal(err)
		}
	}
	end := start + 10*day
	var n int
	if err := s.r.QueryRowContext(t.Context(), "SELECT count(*) FROM checkpoint").Scan(&n); err != nil || n > 2+9+9 {
		t.Errorf("%d checkpoints, %v", n, err)
	}
	for _, late := range []sensor.Instant{minute, 10 * minute, 20 * minute, hour, 110 * minute} {
		at, _, _, err := s.Checkpoint(t.Context(), end-late)
		if err != nil || end-late-at > 15*minute {
			t.Errorf("%d min late: the newest before is %d min older, %v", late/minute, (end-late-at)/minute, err)
		}
	}
	if at, _, _, err := s.Checkpoint(t.Context(), end-6*day); err != nil || end-6*day-at > day {
		t.Errorf("six days late: %s, %v", at, err)
	}
}

// Whoever asks with SQL finds batches that were split off, and how many vials
// are left of each.
func TestTheTablesKnowWhatWasSplitOff(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	events := []coldchain.Event{
		{Time: 10, Kind: coldchain.BatchReceived, Batch: "A", Profile: "p", Lot: "1", Vials: 6},
		{Time: 20, Kind: coldchain.BatchPlaced, Batch: "A", Unit: "u1"},
		{Time: 3000, Kind: coldchain.BatchOpened, Batch: "A-2", FromBatch: "A", Count: 2, Vials: 4},
		{Time: 4000, Kind: coldchain.VialsUsed, Batch: "A", Count: 1, Vials: 3},
		{Time: 5000, Kind: coldchain.BatchMoved, Batch: "A-2", FromUnit: "u1", Unit: "u2", OutForS: 1.5},
		{Time: 6000, Kind: coldchain.BatchUsed, Batch: "A-2", Count: 2},
	}
	for i := range events {
		events[i].Seq = uint64(i + 1)
	}
	if err := s.Record(t.Context(), coldchain.Step{At: 6000, Events: events}); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", filepath.Join(dir, FileName))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for query, want := range map[string]string{
		"SELECT group_concat(id || ' ' || lot || ' ' || vials || ' ' || coalesce(how, '-'), '; ' ORDER BY id) FROM batch":                                       "A 1 3 -; A-2 1 2 used",
		"SELECT group_concat(batch || ' ' || unit || ' ' || since || ' ' || coalesce(until, '-'), '; ' ORDER BY batch, since) FROM placement WHERE batch = 'A'": "A u1 20 -",
		"SELECT group_concat(unit || ' ' || since || ' ' || coalesce(until, '-'), '; ' ORDER BY since) FROM placement WHERE batch = 'A-2'":                      "u1 20 3500; u2 5000 6000",
	} {
		var got string
		if err := db.QueryRowContext(t.Context(), query).Scan(&got); err != nil || got != want {
			t.Errorf("%s\n%q, want %q, %v", query, got, want, err)
		}
	}
}
