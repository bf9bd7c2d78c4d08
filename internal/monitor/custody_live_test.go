package monitor

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"coldkeep/internal/coldchain"
	"coldkeep/sensor"
)

// twoSigned is testConfig with a second label, whose decisions need two people,
// and a third revision that may be adopted.
func twoSigned() coldchain.Config {
	cfg := testConfig()
	q := cfg.Profiles[0]
	q.ID, q.Signatures, q.InUse = "q", 2, 40*time.Second
	r := cfg.Profiles[0]
	r.ID, r.Rules = "r", []coldchain.Rule{{ID: "warm", Limit: coldchain.Limit{Side: coldchain.Above, At: 8000}, Total: 10 * time.Minute}}
	cfg.Profiles = append(cfg.Profiles, q, r)
	return cfg
}

// drawn is a command about one of a few batches: much of it cannot be done.
func drawn(rng *rand.Rand, r *rig, known []string) coldchain.Command {
	pick := func(list ...string) string { return list[rng.IntN(len(list))] }
	one := func() string {
		if len(known) == 0 || rng.IntN(9) == 0 {
			return pick("X", "Y", "Z")
		}
		return known[rng.IntN(len(known))]
	}
	c := coldchain.Command{Batch: one(), By: pick("Anna Example", "anna  example", "Bert Example"), Reason: pick("", "because", "because")}
	c.Name = pick("receive", "place", "place", "move", "move", "return", "return", "return", "take-out", "take-out", "split", "split", "open", "use", "use", "discard", "hold", "recall", "release", "release", "approve", "approve", "adopt", "propose-discard", "dance")
	switch c.Name {
	case "receive":
		c.Batch, c.Profile, c.Lot, c.Vials = pick("X", "Y", "Z"), pick("p", "q", "zz"), pick("L1", "L2", ""), rng.IntN(12)
		if rng.IntN(4) == 0 {
			c.Arrival = &coldchain.Arrival{State: pick("warm", "cold", "", "lukewarm"), Logger: pick("fine", "tripped", "none")}
		}
	case "place", "move", "return":
		c.Unit = pick("f1", "f2", "f1", "f2", "f1", "f2", "", "", "attic")
		if rng.IntN(3) > 0 {
			c.OutFor = pick("5s", "12s", "25s", "90s", "0s", "x")
		}
	case "split", "open", "use", "discard":
		c.Count = rng.IntN(6) - 1
		c.NewBatch = pick("", "", "", "N1", "X", "n 2")
		if c.Name == "use" {
			c.Treatment, c.NewBatch = pick("", "T-1", "Anna Example"), ""
		}
	case "recall":
		c.Batch, c.Lot = "", pick("L1", "l2", "L3", "")
		if rng.IntN(3) > 0 {
			c.Name = "hold"
			c.Batch = one()
		}
	case "release", "hold", "approve":
		for range rng.IntN(3) {
			c.BatchIDs = append(c.BatchIDs, one())
		}
	case "adopt":
		c.Profile = pick("", "r", "p")
		if rng.IntN(3) > 0 {
			c.Name = "release"
			c.Profile = ""
		}
	}
	if rng.IntN(7) == 0 && r.m.e != nil {
		c.At = r.m.e.Now() - sensor.Instant(rng.IntN(60_000))
	}
	return c
}

// whole is how the batches stand, but for what only forecasts.
func whole(list []coldchain.BatchState) []coldchain.BatchState {
	list = slices.Clone(list)
	for i := range list {
		b := &list[i]
		b.LostAt, b.Forecasts = nil, nil
		b.Reasons, b.Allowance = slices.Clone(b.Reasons), slices.Clone(b.Allowance)
		for j := range b.Allowance {
			b.Allowance[j].RunsOut = nil
		}
		slices.SortStableFunc(b.Reasons, func(x, y coldchain.Reason) int { return int(x.At-y.At)*10 + cmpText(x.Rule, y.Rule) })
	}
	slices.SortFunc(list, func(a, b coldchain.BatchState) int { return cmpText(a.ID, b.ID) })
	return list
}

// Whatever people do with batches, now or in hindsight, and whatever of it is
// refused: what is refused changes nothing, no vial is lost or made, and a
// restart finds the same, with checkpoints or without.
func TestCustodyIsAFunctionOfTheJournal(t *testing.T) {
	for seed := range uint64(60) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { synctest.Test(t, func(t *testing.T) { custody(t, seed) }) })
	}
}

func custody(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 11))
	temps := []sensor.Temp{5000, 5000, 5000, 5000, 8000, 9000, 1000, fault}
	temp := func() sensor.Temp { return temps[rng.IntN(len(temps))] }
	r := newRig(t, t.TempDir(), twoSigned())
	defer func() { r.st.Close() }()
	done := map[string]int{}
	sweep := func() {
		if rng.IntN(3) == 0 {
			r.sweep(temp(), temp(), temp())
			return
		}
		r.sweep(5000, 5000, 5000)
	}
	sweep()
	for i, name := range []string{"receive X", "place X", "receive Y", "place Y"}[:rng.IntN(3)*2] {
		c := coldchain.Command{ID: fmt.Sprint("first", i), By: "Anna Example", Profile: string(rune('p' + rng.IntN(2))), Lot: "L1", Vials: 9, Unit: "f1"}
		c.Name, c.Batch, _ = strings.Cut(name, " ")
		if _, err := r.m.order(r.ctx, c); err != nil {
			t.Fatal(err)
		}
	}
	for n := range 40 + rng.IntN(60) {
		switch rng.IntN(8) {
		case 0, 1, 2:
			sweep()
		case 3:
			if rng.IntN(4) > 0 {
				break
			}
			if rng.IntN(2) == 0 {
				r.kill()
			} else {
				r.stop()
			}
			if rng.IntN(2) == 0 {
				r.dropCheckpoints()
			}
			time.Sleep(time.Duration(rng.IntN(30)) * time.Second)
			r.start()
			sweep()
		default:
			time.Sleep(time.Duration(1+rng.IntN(3000)) * time.Millisecond)
			var known []string
			for _, b := range r.m.e.Batches() {
				known = append(known, b.ID)
			}
			c := drawn(rng, r, known)
			c.ID = fmt.Sprint("c", n)
			before, seq := whole(r.m.e.Batches()), r.m.seq
			ev, err := r.m.order(r.ctx, c)
			var no *coldchain.Refusal
			switch {
			case err == nil:
				done[string(ev.Kind)]++
			case !errors.As(err, &no) || no.Message == "":
				t.Fatalf("%+v: %v", c, err)
			default:
				if d := cmp.Diff(before, whole(r.m.e.Batches())); d != "" || r.m.seq != seq {
					t.Fatalf("%+v was refused (%v) and changed\n%s", c, err, d)
				}
			}
		}
	}
	sweep()
	t.Log(done)
	conserved(t, r)
	r.compareExposure()
	live := whole(r.m.e.Batches())
	r.kill()
	r.dropCheckpoints()
	r.start()
	if d := cmp.Diff(live, whole(r.m.e.Batches()), cmpopts.EquateEmpty(), cmpopts.EquateApprox(0, 1e-6)); d != "" {
		t.Fatalf("live − rebuilt from the journal +\n%s", d)
	}
}

// conserved holds the journal's vials against those that are left.
func conserved(t *testing.T, r *rig) {
	t.Helper()
	events, err := r.st.Events(r.ctx, 0, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	root := map[string]string{}
	got, gone, left := map[string]int{}, map[string]int{}, map[string]int{}
	for _, e := range events {
		switch e.Kind {
		case coldchain.BatchReceived:
			root[e.Batch], got[e.Batch] = e.Batch, e.Vials
		case coldchain.BatchSplit, coldchain.BatchOpened:
			if e.FromBatch != "" {
				root[e.Batch] = root[e.FromBatch]
			}
		case coldchain.VialsUsed, coldchain.VialsDiscarded, coldchain.BatchUsed, coldchain.BatchDiscarded:
			gone[root[e.Batch]] += e.Count
		}
	}
	for _, b := range r.m.e.Batches() {
		if b.Ended == nil {
			left[root[b.ID]] += b.Vials
		}
	}
	for id, n := range got {
		if n > 0 && n != gone[id]+left[id] {
			t.Errorf("batch %s: %d vials received, %d gone and %d left", id, n, gone[id], left[id])
		}
	}
}

// compareExposure holds each batch, also one that was split off, against a
// replay of where its vials have been, as if it had been received alone.
func (r *rig) compareExposure() {
	r.t.Helper()
	until := r.m.e.Now()
	var readings []sensor.Reading
	err := r.st.EachReading(r.ctx, 0, until+1, func(x sensor.Reading, _ bool) error { readings = append(readings, x); return nil })
	if err != nil {
		r.t.Fatal(err)
	}
	var lives []coldchain.Life
	var live []coldchain.BatchState
	for _, b := range r.m.e.Batches() {
		if len(b.Placements) == 0 {
			continue
		}
		l := coldchain.Life{ID: b.ID, Profile: b.ProfileID, Placements: slices.Clone(b.Placements)}
		if b.Ended != nil {
			end := *b.Ended
			l.Ended = &end
			if n := len(l.Placements) - 1; l.Placements[n].To == nil {
				l.Placements[n].To = &end
			}
		} else if last := b.Placements[len(b.Placements)-1]; last.To != nil {
			end := until + 1
			l.Ended = &end
		}
		lives = append(lives, l)
		live = append(live, coldchain.BatchState{ID: b.ID, Exposure: b.Exposure})
	}
	res, err := coldchain.Replay(r.cfg, lives, readings, until)
	if err != nil {
		r.t.Fatal(err)
	}
	var again []coldchain.BatchState
	for _, b := range res.Batches {
		again = append(again, coldchain.BatchState{ID: b.ID, Exposure: b.Exposure})
	}
	if d := cmp.Diff(again, live, cmpopts.EquateApprox(0, 1e-6)); d != "" {
		r.t.Fatalf("replayed − live +\n%s", d)
	}
}
