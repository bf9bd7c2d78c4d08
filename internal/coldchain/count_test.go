package coldchain

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// Whatever is found in a unit: what is missing is what the record has there and
// nobody found, what is unexpected is what was found and the record has not
// there, nothing is told twice, and all of it is signed or refused.
func TestACountIsADifference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := New(Config{Units: []Unit{{ID: "u", Range: Range{2000, 8000}, MaxGap: time.Minute}, {ID: "v", Range: Range{2000, 8000}, MaxGap: time.Minute}},
			Profiles: []Profile{{ID: "p", Range: Range{2000, 8000}, Unmonitored: time.Hour}}}, 0)
		do := func(c Command) {
			c.By, c.Reason = "Anna Example", "test"
			ev, err := e.Order(c)
			if err == nil {
				err = e.Apply(ev)
			}
			if err != nil {
				t.Fatalf("%s: %v", c.Name, err)
			}
		}
		in, vials := map[string]bool{}, map[string]int{}
		n := rapid.IntRange(0, 6).Draw(t, "batches")
		for i := range n {
			id := fmt.Sprintf("B-%d", i)
			vials[id] = rapid.IntRange(0, 3).Draw(t, "vials")
			do(Command{Name: "receive", Batch: id, Profile: "p", Vials: vials[id], At: 1000})
			switch rapid.SampledFrom([]string{"u", "v", "nowhere", "out", "used"}).Draw(t, "where") {
			case "u":
				do(Command{Name: "place", Batch: id, Unit: "u", At: 2000})
				in[id] = true
			case "v":
				do(Command{Name: "place", Batch: id, Unit: "v", At: 2000})
			case "out":
				do(Command{Name: "place", Batch: id, Unit: "u", At: 2000})
				do(Command{Name: "take-out", Batch: id, At: 3000})
			case "used":
				do(Command{Name: "place", Batch: id, Unit: "u", At: 2000})
				do(Command{Name: "use", Batch: id, At: 3000})
			}
		}
		e.Tick(4000)
		found := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Counted {
			id := fmt.Sprintf("B-%d", rapid.IntRange(0, 7).Draw(t, "found"))
			if rapid.Bool().Draw(t, "lower") {
				id = strings.ToLower(id)
			}
			return Counted{Batch: id, Vials: rapid.IntRange(0, 3).Draw(t, "vials found")}
		}), 0, 8).Draw(t, "counted")
		was, mixed := map[string]int{}, false
		for _, x := range found {
			id := strings.ToUpper(x.Batch)
			before, twice := was[id]
			mixed = mixed || twice && (before == 0) != (x.Vials == 0)
			was[id] += x.Vials
		}
		c := Command{Name: "count", Unit: "U", Counted: found, By: "Anna Example", At: 5000}
		ev, err := e.Order(c)
		var no *Refusal
		if errors.As(err, &no) {
			if no.Message == "" {
				t.Fatal("refused without a word")
			}
			if mixed {
				return
			}
			c.Reason = "it is so"
			if ev, err = e.Order(c); err != nil {
				t.Fatalf("signed, and refused: %v", err)
			}
			if ev.Text == "" {
				t.Fatalf("refused without a difference: %s", no.Message)
			}
		}
		if err != nil || mixed {
			t.Fatalf("%v; vials given once and left out once: %v", err, mixed)
		}
		var missing, unexpected, differs []string
		for i := range n {
			id := fmt.Sprintf("B-%d", i)
			if _, ok := was[id]; !ok && in[id] {
				missing = append(missing, id)
			}
		}
		for id, k := range was {
			switch {
			case !in[id]:
				unexpected = append(unexpected, id)
			case k > 0 && vials[id] > 0 && k != vials[id]:
				differs = append(differs, id)
			}
		}
		told := func(list []string) string {
			list = slices.Clone(list)
			for i := range list {
				list[i] = strings.ToUpper(list[i])
			}
			slices.Sort(list)
			return strings.Join(list, " ")
		}
		var other []string
		for _, d := range ev.Differs {
			other = append(other, d.Batch)
		}
		if told(ev.Missing) != told(missing) || told(ev.Unexpected) != told(unexpected) || told(other) != told(differs) || len(ev.Counted) != len(was) {
			t.Fatalf("%+v\nmissing %v, unexpected %v, differ %v", ev, missing, unexpected, differs)
		}
		if (ev.Text == "") != (len(missing)+len(unexpected)+len(differs) == 0) {
			t.Fatalf("told as %q", ev.Text)
		}
		if mend := MendCount(ev, e.Batches()); len(mend) != len(missing)+len(unexpected)+len(differs) {
			t.Fatalf("%q", mend)
		}
	})
}
