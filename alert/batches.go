package alert

import (
	"slices"
	"strconv"
	"strings"
)

// A told batch is one with the unit that it is in.
type toldBatch struct {
	*Batch
	unit *Unit
}

// stock gives the batches of all units for which keep holds, the first to be
// lost first; those that nothing is known of last, as they came.
func (w *composer) stock(keep func(Batch) bool) (list []toldBatch) {
	for _, u := range w.units() {
		for i := range u.Batches {
			if keep(u.Batches[i]) {
				list = append(list, toldBatch{&u.Batches[i], u})
			}
		}
	}
	slices.SortStableFunc(list, func(a, b toldBatch) int {
		switch {
		case a.LostAt.IsZero() && b.LostAt.IsZero():
			return 0
		case a.LostAt.IsZero():
			return 1
		case b.LostAt.IsZero():
			return -1
		}
		return a.LostAt.Compare(b.LostAt)
	})
	return list
}

// batches name those that can be saved, the most urgent first, and those
// that are lost.
func (w *composer) batches() (list passages) {
	lost := w.stock(func(b Batch) bool { return b.Lost })
	rest := w.stock(func(b Batch) bool { return !b.Lost })
	key := "body.batches"
	if !slices.ContainsFunc(rest, func(b toldBatch) bool { return !b.LostAt.IsZero() }) {
		key = "body.stock" // which is the most urgent is not known
	}
	return append(list, w.batchLine(key, rest, true), w.batchLine("body.lost", lost, false))
}

// batchLine names batches: eight of them, or fewer and how many more.
func (w *composer) batchLine(key string, list []toldBatch, by bool) *passage {
	if len(list) == 0 {
		return fixed("")
	}
	say := func(n int) string { return w.say(key, values{"batches": w.named(list, n, by), "ask": w.asked()}) }
	p := fixed(say(8))
	for _, n := range []int{5, 3, 2, 1} {
		p.or(rankLater, say(n))
	}
	return p.or(rankNoBatches, "")
}

// named gives the first n batches by name, and counts the others.
func (w *composer) named(list []toldBatch, n int, by bool) string {
	where := len(w.units()) > 1
	var out []string
	for i, b := range list {
		if i == n {
			out = append(out, w.count("body.more_batches", len(list)-n, nil))
			break
		}
		v := values{"batch": shortName(oneLine(b.ID), 40)}
		if b.Vials > 0 {
			v["count"] = strconv.Itoa(b.Vials)
		}
		if by && !b.Lost {
			v["at"] = w.clock(b.LostAt)
		}
		key := "body.batch"
		if where {
			key, v["unit"] = "body.batch.in", shortName(w.name(b.unit), 28)
		}
		out = append(out, w.say(key, v))
	}
	return strings.Join(out, ", ")
}
