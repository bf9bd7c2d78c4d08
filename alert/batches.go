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
	return append(list, w.batchLine("body.batches", rest, true), w.batchLine("body.lost", lost, false))
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

// clearLines say what was, and what waits for the morning.
func (w *composer) clearLines() (list passages) {
	if len(w.t.Lines) == 1 || w.oneUnit() {
		for i := range w.t.Lines {
			list = append(list, w.was(&w.t.Lines[i]))
		}
	} else {
		for i := range w.t.Lines {
			l := &w.t.Lines[i]
			v := w.line(l)
			if l.Unit == nil {
				list = append(list, w.was(l))
				continue
			}
			list = append(list, fixed(w.say("clear.line", v)).or(rankNames, w.name(l.Unit)).or(rankLines, ""))
		}
	}
	list = append(list, w.foldedLine())
	key := "clear.today"
	if w.night() {
		key = "clear.morning"
	}
	p := w.batchLine(key, w.stock(func(b Batch) bool { return b.Lost }), false)
	if n := len(p.ranks); n > 0 {
		p.ranks[n-1] = rankMorning
	}
	flagged := w.batchLine("clear.flagged", w.stock(func(b Batch) bool { return b.Flagged && !b.Lost }), false)
	if n := len(flagged.ranks); n > 0 {
		flagged.ranks[n-1] = rankFlagged
	}
	return append(append(list, p, flagged), w.calls()...)
}

// was tells of a trouble that is over: what, from when, for how long.
func (w *composer) was(l *Line) *passage {
	v := w.line(l)
	key := w.troubleKey(l)
	for _, name := range []string{"temp", "range", "trend", "last"} {
		v[name] = ""
	}
	if l.Unit != nil && ofUnit(l.Kind) {
		key = "was." + string(l.Kind)
		if !w.has(key) {
			key = w.troubleKey(l)
		}
	}
	inner := v.with("since", "").with("span", "")
	what := w.calm(key, inner)
	v["span"] = ""
	if !l.Since.IsZero() && l.Ended.After(l.Since) {
		v["span"] = w.span(l.Ended.Sub(l.Since))
	}
	v["what"] = what
	return loose(rankSince, w.say("clear.was", v))
}

// statusKey is the phrase for how a unit stands.
func statusKey(u *Unit) string {
	switch {
	case u.Temp == "":
		return "status.blind"
	case u.Beyond > 0:
		return "status.warm"
	case u.Beyond < 0:
		return "status.cold"
	}
	return "status.inside"
}

// statusLines have one for each unit, those that are not in range first.
func (w *composer) statusLines() (list passages) {
	for _, good := range []bool{false, true} {
		for i := range w.t.Status {
			u := &w.t.Status[i]
			if inside(u) != good {
				continue
			}
			v := w.unit(u)
			v["since"] = w.clock(u.Since)
			if b := (&Line{Unit: u}).First(); b != nil {
				v["at"] = w.clock(b.LostAt)
			}
			key := statusKey(u)
			brief := v.with("since", "").with("range", "").with("trend", "").with("last", "")
			list = append(list, fixed(w.say("body.told", values{"text": w.say(key, v)})).or(rankBrief, w.say(key, brief)).or(rankLines, ""))
		}
	}
	for i := range w.t.Lines {
		if l := &w.t.Lines[i]; l.Unit == nil {
			list = append(list, w.unitLine(l))
		}
	}
	return append(list, w.foldedLine())
}
