package alert

import (
	"strconv"
	"strings"
)

// statusTitle counts the units that are not known to be in range.
func (w *composer) statusTitle() *passage {
	if len(w.t.Status) == 0 {
		return fixed(w.say("status.none", nil))
	}
	n, bad, names := len(w.t.Status), 0, []string(nil)
	for i := range w.t.Status {
		if u := &w.t.Status[i]; !inside(u) {
			bad++
			names = append(names, w.name(u))
		}
	}
	if bad == 0 {
		return fixed(w.count("status.good", n, nil))
	}
	v := values{"bad": strconv.Itoa(bad), "names": strings.Join(names, ", ")}
	if len(names) > 3 {
		v["names"] = ""
	}
	return w.sentence(func(v values) string { return w.count("status.bad", n, v) }, v)
}

// inside says that a unit is known to be in range.
func inside(u *Unit) bool { return u.Temp != "" && u.Beyond == 0 }

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
