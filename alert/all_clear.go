package alert

import (
	"slices"
	"time"
)

// clearTitle says that it is over, and what is left.
func (w *composer) clearTitle() passages {
	list := passages{w.clearSentence()}
	lost, some := lostOf(w.units())
	switch {
	case lost > 0:
		list = append(list, loose(rankBlocked, w.count("clear.blocked", lost, nil)))
	case some:
		list = append(list, loose(rankBlocked, w.say("clear.blocked.batch", nil)))
	}
	list = append(list, w.folded())
	if w.t.Folded > 0 || slices.ContainsFunc(w.units(), func(u *Unit) bool { return !inside(u) }) {
		return list
	}
	key := "clear.day"
	if w.night() {
		key = "clear.night"
	}
	return append(list, loose(rankNothing, w.say(key, nil)))
}

func (w *composer) clearSentence() *passage {
	l, _, v := w.head()
	if l == nil || !w.has("was."+string(l.Kind)) {
		return fixed(w.say("clear.other.bare", nil))
	}
	u := l.Unit
	switch units := w.units(); {
	case l.Kind == MainsLost:
		return w.sentence(w.sayer("clear.power"), v)
	case len(units) > 1 && len(units) == len(w.t.Lines) && !slices.ContainsFunc(units, func(u *Unit) bool { return !inside(u) }):
		v["units"] = w.count("count.units", len(units), nil)
		v["ended"] = w.clock(w.lastEnded())
		return w.sentence(w.sayer("clear.units"), v)
	case (l.Kind == TooWarm || l.Kind == TooCold) && u != nil && u.Temp != "" && u.Beyond == 0:
		return w.sentence(w.sayer("clear.temp"), v)
	case l.Kind == NoData && u != nil && u.Temp != "":
		return w.sentence(w.sayer("clear.data"), v)
	case l.Kind == Undeliverable:
		return w.sentence(w.sayer("clear.channel"), v)
	case u != nil && (l.Kind == TooWarm || l.Kind == TooCold || l.Kind == NoData):
		return w.sentence(w.sayer("clear.unit"), v)
	}
	return w.sentence(func(v values) string { return w.say("clear.other", v.with("what", w.say("was."+string(l.Kind), v))) }, v)
}

// lastEnded is when the last of the troubles was over.
func (w *composer) lastEnded() (t time.Time) {
	for i := range w.t.Lines {
		if e := w.t.Lines[i].Ended; e.After(t) {
			t = e
		}
	}
	return t
}

// night says whether it is between 18 and 8 at the site.
func (w *composer) night() bool {
	h := w.t.Now.In(w.loc).Hour()
	return h >= 18 || h < 8
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
			say := w.say("clear.line", v)
			if !inside(l.Unit) { // another trouble holds there
				say = w.say("body.told", values{"text": w.say(statusKey(l.Unit), v)})
			}
			list = append(list, fixed(say).or(rankNames, w.name(l.Unit)).or(rankLines, ""))
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
	if !w.has("was." + string(l.Kind)) {
		return fixed("")
	}
	v := w.line(l)
	v["what"] = w.say("was."+string(l.Kind), v)
	v["span"] = ""
	if !l.Since.IsZero() && l.Ended.After(l.Since) {
		v["span"] = w.span(l.Ended.Sub(l.Since))
	}
	return loose(rankSince, w.say("clear.was", v))
}
