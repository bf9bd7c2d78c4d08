package web

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"coldkeep/internal/coldchain"
)

// A lot is found wherever it is, with what was used of it, also under a lot
// that needs quoting in a path; one that nobody knows is told so.
func TestWhatBecameOfALot(t *testing.T) {
	d := newDesk()
	at := d.snap.At
	d.snap.Batches[0].Lot = "A/17 b"
	d.snap.Batches[0].Uses = []coldchain.Use{{At: at - 2, Count: 2, Treatment: "T-1", By: "Anna Example"}, {At: at - 1, Count: 1, Discarded: true, Reason: "it fell", By: "Ben Example"}}
	d.tell(coldchain.Event{Seq: 3, Time: at, Kind: coldchain.LotRecalled, Lot: "A/17 b", BatchIDs: []string{"EX-1"}, Reason: "glass", By: "Anna Example"})
	srv := serve(t, d, false, "")
	var x coldchain.LotTrace
	if err := json.Unmarshal([]byte(get(t, srv.URL+"/api/v1/recalls/a%2F17%20B", 200)), &x); err != nil {
		t.Fatal(err)
	}
	if len(x.Batches) != 1 || x.Batches[0].Unit != "fridge-1" || len(x.Used) != 1 || x.Used[0].Treatment != "T-1" || len(x.Gone) != 1 || len(x.Recalls) != 1 || x.Lot != "A/17 b" {
		t.Errorf("%+v", x)
	}
	if body := get(t, srv.URL+"/api/v1/recalls/nowhere", 404); !strings.Contains(body, "no batch of lot") {
		t.Error(body)
	}
}

// What one decision may cover is told with the events that it became.
func TestADecisionAboutSeveralIsAnsweredWhole(t *testing.T) {
	d := newDesk()
	for i := range uint64(4) {
		e := coldchain.Event{Seq: i + 1, Kind: coldchain.BatchHeld, Batch: string(rune('A' + i))}
		if i > 0 {
			e.Cause = "1"
		}
		d.tell(e)
	}
	s, err := New(d, Options{})
	if err != nil {
		t.Fatal(err)
	}
	all, err := s.ofOneCause(t.Context(), coldchain.Event{Seq: 2, Batch: "B", Cause: "1"})
	var ids []string
	for _, e := range all {
		ids = append(ids, e.Batch)
	}
	if err != nil || !slices.Equal(ids, []string{"B", "C", "D"}) {
		t.Errorf("%v %v", ids, err)
	}
	if body := get(t, serve(t, d, false, "").URL+"/api/v1/batches/EX-1/like", 409); !strings.Contains(body, "not quarantined") {
		t.Error(body)
	}
}
