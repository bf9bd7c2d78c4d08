package monitor

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"coldkeep/internal/coldchain"
	"coldkeep/sensor"
)

// A backup's recording fills the same time whenever it comes, in one file or in
// several that overlap, before a restart or after.
func TestABackupInAnyOrder(t *testing.T) {
	for seed := range uint64(15) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			type outcome struct {
				Batches []coldchain.BatchState
				Unmon   []float64
				Out     []float64
				Judged  []coldchain.JudgedBy
			}
			live := func(t *testing.T, order int) (o outcome) {
				synctest.Test(t, func(t *testing.T) {
					rng := rand.New(rand.NewPCG(seed, 5))
					r := newRig(t, t.TempDir(), testConfig())
					defer func() { r.st.Close() }()
					r.sweep(5000, 5000, 5000)
					if err := r.do("receive", "X", "", 0); err != nil {
						t.Fatal(err)
					}
					if err := r.do("place", "X", "f1", 0); err != nil {
						t.Fatal(err)
					}
					start := r.m.e.Now()
					var list []said
					for i := range 14 {
						list = append(list, said{start.Add(time.Duration(i) * 25 * time.Second), []sensor.Temp{5000, 5000, 9000, 1000, fault}[rng.IntN(5)]})
					}
					give := func(part []said) {
						e, err := r.imports(coldchain.Command{Unit: "F1"}, "A7", part)
						if err != nil {
							t.Fatal(err)
						}
						if e.Unit != "f1" || e.Readout.Conflicts != 0 {
							t.Errorf("told %+v %+v", e, e.Readout)
						}
					}
					for i := range 40 {
						a, b := []sensor.Temp{5000, 5000, 9000, fault, fault, fault}[rng.IntN(6)], []sensor.Temp{5000, fault, fault, fault}[rng.IntN(4)]
						r.sweep(a, b, 5000)
						if order == 1 && i == 20 {
							give(list[:7])
							r.kill()
							r.start()
						}
						if order == 1 && i == 37 {
							give(list[4:])
							r.dropCheckpoints()
						}
					}
					if order == 0 {
						give(list)
					}
					if order == 2 {
						give(list[6:])
						give(list[:9])
						r.stop()
						r.start()
					}
					r.sweep(5000, 5000, 5000)
					again, err := r.imports(coldchain.Command{Unit: "f1"}, "A7", list)
					if err != nil || again.Readout.Known != 14 && order != 0 {
						t.Errorf("all of it again: %+v, %v", again.Readout, err)
					}
					r.sweep(5000, 5000, 5000) // all end at the same instant
					o.Batches = plain(r.m.e.Batches())
					o.Batches[0].Verdict, o.Batches[0].Since = "", 0 // what was said stays said
					for _, u := range r.m.e.Units() {
						o.Unmon, o.Out = append(o.Unmon, u.UnmonitoredS), append(o.Out, u.OutOfRangeS)
					}
					o.Judged = r.m.e.Batches()[0].JudgedBy
				})
				return o
			}
			want := live(t, 0)
			for order := 1; order <= 2; order++ {
				if d := cmp.Diff(want, live(t, order), cmpopts.EquateEmpty(), cmpopts.EquateApprox(0, 1e-6)); d != "" {
					t.Fatalf("order %d: at once − in parts +\n%s", order, d)
				}
			}
			if seed == 0 && !slices.ContainsFunc(want.Judged, func(j coldchain.JudgedBy) bool { return j.Probe == "logger-A7" }) {
				t.Errorf("the backup judged nothing: %+v", want.Judged)
			}
		})
	}
}

// Of two read-outs of one logger that overlap, the first temperature stays; a
// temperature beats a drop-out; what was known and what differs is counted.
func TestReadOutsThatOverlap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, t.TempDir(), testConfig())
		defer func() { r.kill() }()
		for range 12 {
			r.sweep(5000, 5000, 5000)
		}
		from := r.m.begun()
		if _, err := r.imports(coldchain.Command{Unit: "f1"}, "A7", run(from, 20*time.Second, 5000, fault, 6000)); err != nil {
			t.Fatal(err)
		}
		e, err := r.imports(coldchain.Command{Unit: "f1"}, "A7", run(from, 20*time.Second, 5000, 5500, 6100, 7000))
		if err != nil || e.Readout.Good != 4 || e.Readout.Known != 2 || e.Readout.Conflicts != 1 {
			t.Errorf("told %+v, %v", e.Readout, err)
		}
		// The record has the drop-out and what beats it; judging takes the temperature.
		list, err := r.m.Readings(r.ctx, "logger-A7", 0, r.m.e.Now(), 100)
		var temps []string
		for _, x := range list {
			if x.Good() {
				temps = append(temps, x.Temp.String())
			} else {
				temps = append(temps, string(x.Fault))
			}
		}
		if want := []string{"5.0", "not_a_number", "5.5", "6.0", "7.0"}; err != nil || !slices.Equal(temps, want) {
			t.Errorf("%q, %v; want %q", temps, err, want)
		}
		_, err = r.imports(coldchain.Command{Unit: "f9"}, "A7", run(from, 20*time.Second, 5000, 5000))
		refused(t, err, "no unit")
		_, err = r.imports(coldchain.Command{Unit: "f1"}, "A7", run(from-100_000, 20*time.Second, 5000, 5000))
		refused(t, err, "can fill nothing")
	})
}
