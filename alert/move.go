package alert

import (
	"slices"
	"strconv"
	"strings"
)

// movesTold is how many batches of one place a step names.
const movesTold = 4

// moving are the steps that say where to move the vials, with what to say
// where it is known where to, and where it is known that there is nowhere:
// nothing, where another step says that already.
var moving = map[string]struct{ to, nowhere string }{
	"do.warm":        {"do.warm.to", "do.warm.nowhere"},
	"do.cold.move":   {"do.cold.to", "do.cold.nowhere"},
	"do.frozen.move": {"do.frozen.to", ""},
}

// step is what to do as one line; "" where it is not to be done.
func (w *composer) step(key string) string {
	v := values{"ask": w.asked()}
	m, ok := moving[key]
	l, _, _ := w.head()
	if !ok || l == nil || l.Unit == nil || !l.Unit.Sought || len(w.units()) > 1 {
		return w.say(key, v)
	}
	u := l.Unit
	var out []string
	for i, to := range u.Moves {
		v["refuge"], v["batches"] = w.refuge(to), w.inOrder(u, to.Batches, i == 0)
		if i == 0 {
			out = append(out, w.say(m.to, v))
			continue
		}
		out = append(out, w.say("do.more.to", v))
	}
	var left []string
	for _, b := range u.Batches {
		if !b.Lost && !slices.ContainsFunc(u.Moves, func(x Move) bool { return slices.Contains(x.Batches, b.ID) }) {
			left = append(left, b.ID)
		}
	}
	switch {
	case len(left) == 0 && len(out) == 0: // all is lost: nothing need be moved
		return ""
	case len(out) == 0 && m.nowhere == "":
		return ""
	case len(out) == 0:
		return w.say(m.nowhere, v)
	case len(left) > 0:
		v["batches"] = w.inOrder(u, left, false)
		out = append(out, w.say("do.more.nowhere", v))
	}
	return strings.Join(out, " ")
}

func (w *composer) refuge(m Move) string {
	v := values{"unit": shortName(oneLine(m.To), 28), "temp": w.number(oneLine(m.Temp))}
	if m.Room > 0 {
		v["room"] = strconv.Itoa(m.Room)
	}
	if m.Boxes {
		return w.say("move.boxes", v)
	}
	return w.say("move.vials", v)
}

// inOrder names batches: the first one first, where that is to be said.
func (w *composer) inOrder(u *Unit, ids []string, first bool) string {
	var names []string
	for i, id := range ids {
		if i == movesTold {
			names = append(names, w.count("body.more_batches", len(ids)-i, nil))
			break
		}
		v := values{"batch": shortName(oneLine(id), 24)}
		if b := batchOf(u, id); b != nil && b.Vials > 0 {
			v["count"] = strconv.Itoa(b.Vials)
		}
		names = append(names, w.say("body.batch", v))
	}
	if first && len(names) > 1 {
		return w.say("move.first", values{"batch": names[0], "rest": strings.Join(names[1:], ", ")})
	}
	return strings.Join(names, ", ")
}
