package coldchain

import (
	"testing"
	"time"
)

// A batch's signatures are its own, those of a lot, and what was signed of the
// batch that it was split off before it was.
func TestSignatures(t *testing.T) {
	events := []Event{
		{Seq: 1, Time: 1000, Kind: BatchReceived, Batch: "A", By: "x"},
		{Seq: 2, Time: 2000, Kind: DecisionProposed, Batch: "A", By: "Anna Example", Decision: "release", Rules: []string{"warm"}, Reason: "short", MakerRef: "R-7"},
		{Seq: 3, Time: 3000, Kind: BatchReleased, Batch: "A", By: "Ben Example", ProposedBy: "Anna Example", Decision: "release", Rules: []string{"warm"}, Reason: "agreed", UseBy: "2026-05-12"},
		{Seq: 4, Time: 4000, Kind: BatchSplit, Batch: "A-1", FromBatch: "A", By: "x"},
		{Seq: 5, Time: 5000, Kind: BatchHeld, Batch: "a", By: "Ben Example", Reason: "odd colour"},
		{Seq: 6, Time: 6000, Kind: BatchOpened, Batch: "A-1-1", FromBatch: "A-1", By: "x"},
		{Seq: 8, Time: 6500, Kind: LotRecalled, Lot: "L", BatchIDs: []string{"A", "A-1", "A-1-1"}, By: "Anna Example", Reason: "the maker's letter"},
		{Seq: 9, Time: 7000, Kind: BatchDiscarded, Batch: "A-1-1", By: "Ben Example", Reason: "recalled"},
		{Seq: 10, Time: 8000, Kind: BatchReleased, Batch: "B", By: "Ben Example"},
	}
	r := Reader{Now: 9000, Location: time.UTC}
	released := "1 Jan 00:00: Ben Example released (warm), as Anna Example had proposed, use by 2026-05-12: agreed"
	proposed := "1 Jan 00:00: Anna Example proposed to release (warm): short (maker's reference R-7)"
	recalled := "1 Jan 00:00: Anna Example recalled its lot: the maker's letter"
	for id, want := range map[string][]string{
		"A":   {proposed, released, "1 Jan 00:00: Ben Example held back: odd colour", recalled},
		"a-1": {"1 Jan 00:00: Anna Example proposed to release A (warm): short (maker's reference R-7)", "1 Jan 00:00: Ben Example released A (warm), as Anna Example had proposed, use by 2026-05-12: agreed", recalled},
		"A-1-1": {"1 Jan 00:00: Anna Example proposed to release A (warm): short (maker's reference R-7)", "1 Jan 00:00: Ben Example released A (warm), as Anna Example had proposed, use by 2026-05-12: agreed",
			recalled, "1 Jan 00:00: Ben Example discarded: recalled"},
		"C": {},
	} {
		got := Signatures(events, id)
		if len(got) != len(want) {
			t.Errorf("%s: %+v, want %d", id, got, len(want))
			continue
		}
		for i, s := range got {
			if text := s.Text(r); text != want[i] {
				t.Errorf("%s, %d:\n got %s\nwant %s", id, i, text, want[i])
			}
		}
	}
	// A record that says of two batches that each is of the other ends all the same.
	round := []Event{{Kind: BatchSplit, Batch: "A", FromBatch: "B"}, {Kind: BatchSplit, Batch: "B", FromBatch: "A"}, {Kind: BatchHeld, Batch: "B", By: "x"}}
	if got := Signatures(round, "A"); len(got) != 1 {
		t.Errorf("%+v", got)
	}
	if got := SignedKinds(); len(got) != 10 {
		t.Errorf("%v", got)
	}
}
