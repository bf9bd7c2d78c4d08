package alert

import (
	"fmt"
	"slices"
	"strings"
)

// The ranks of a body's lines, the first to go first.
const (
	rankOldCalls    = 10
	rankCalls       = 15
	rankNext        = 20
	rankLater       = 30 // batches that come later
	rankDaytime     = 33
	rankRule        = 35
	rankAsk         = 40
	rankFlagged     = 42
	rankSince       = 45
	rankBrief       = 50 // a unit's line in fewer words
	rankUntold      = 55
	rankSteps       = 60 // what to do: the last step first
	rankNames       = 75 // a unit's bare name
	rankNoBatches   = 80
	rankFoldedLine  = 85
	rankLines       = 90 // a unit's line
	rankMorning     = 93
	rankWholeSite   = 95
	rankStepsReally = 97 // the first step
)

// body makes all that stands below the title, in at most most characters.
func (w *composer) body(most int) string {
	list := w.bodyPassages()
	end := w.end()
	list = append(list, end)
	if !list.fit("\n", most) {
		// only a clinic's own words can be so long
		return shortWords(list.join("\n"), most)
	}
	gone := lines(list)
	if gone == 0 {
		return list.join("\n")
	}
	// the count of lines that are gone needs room itself
	more := fixed(w.count("body.more_units", len(list), nil))
	list = slices.Insert(list, len(list)-1, more)
	if list.fit("\n", most) {
		more.forms[0] = w.count("body.more_units", lines(list), nil)
	}
	return list.join("\n")
}

// lines counts the units and conditions that have no line any more.
func lines(list passages) (gone int) {
	for _, p := range list {
		if n := len(p.ranks); p.at == n && n > 0 && p.ranks[n-1] == rankLines {
			gone++
		}
	}
	return gone
}

func (w *composer) bodyPassages() passages {
	var list passages
	for _, s := range w.untold {
		list = append(list, loose(rankUntold, s))
	}
	switch w.t.Purpose {
	case Status:
		return append(list, w.statusLines()...)
	case Test:
		return append(append(list, fixed(w.say("test.rest", nil))), w.calls()...)
	case Tested:
		if w.t.Took > 0 || w.t.Who != "" {
			list = append(list, fixed(w.say("tested.rest", nil)))
		}
		return list
	case AllClear:
		return append(list, w.clearLines()...)
	}
	list = append(list, w.troubleLines()...)
	list = append(list, w.foldedLine())
	switch w.t.Purpose {
	case Taken:
		rest := "taken.rest"
		if w.t.Shelved {
			rest = "shelved.rest"
		}
		return append(list, fixed(w.say(rest, nil)))
	case Progress, Turning, Worse:
		if w.t.Purpose == Worse {
			list = append(list, w.steps()...)
		}
		list = append(list, w.batches()...)
		if until := w.clock(w.t.Until); until != "" {
			list = append(list, fixed(w.say("yours", values{"until": until})+" "+w.say("yours.rest", nil)))
		}
		return list
	case Notice:
		list = append(list, w.steps()...)
		if w.aboutStock() {
			list = append(list, w.batches()...)
		}
		list = append(list, w.askLine())
		return append(list, loose(rankDaytime, w.say("body.daytime", nil)))
	}
	list = append(list, w.steps()...)
	list = append(list, w.batches()...)
	list = append(list, w.calls()...)
	return append(list, w.askLine())
}

// aboutStock says whether a notice is about what is in a unit.
func (w *composer) aboutStock() bool {
	l, _, _ := w.head()
	return l != nil && slices.Contains([]Kind{TooWarm, TooCold, NoData, MainsLost, BatchLost, BatchSoon, Removed, DoorOpen}, l.Kind)
}

// end is the last line: when this was said, and that it may be said twice.
func (w *composer) end() *passage {
	now := w.t.Now.In(w.loc)
	v := values{"weekday": w.weekdays[now.Weekday()], "clock": now.Format("15:04"), "zone": now.Format("MST")}
	again := ""
	if w.t.Again {
		again = " " + w.say("body.again", nil)
	}
	brief := w.say("time.now", v) + again
	if !w.noSite {
		return fixed(brief)
	}
	v["site"] = shortWords(w.site, 200)
	return fixed(w.say("time.now", v)+again).or(rankWholeSite, brief)
}

// troubleLines tell more of the one trouble, or have a line for each of many.
func (w *composer) troubleLines() (list passages) {
	if len(w.t.Lines) == 0 {
		return nil
	}
	if len(w.t.Lines) == 1 || w.oneUnit() {
		return w.details(&w.t.Lines[0])
	}
	var named []*Unit
	for i := range w.t.Lines {
		l := &w.t.Lines[i]
		if l.Kind == MainsLost && l.Unit == nil {
			list = append(list, w.fed(l))
			continue // the title says the rest
		}
		if l.Kind == MainsLost && slices.Contains(named, l.Unit) {
			continue // it has a line that says more
		}
		named = append(named, l.Unit)
		list = append(list, w.unitLine(l))
	}
	return list
}

// oneUnit says whether all lines are about the same unit.
func (w *composer) oneUnit() bool {
	for i := range w.t.Lines {
		if w.t.Lines[i].Unit == nil {
			return false
		}
	}
	return len(w.units()) == 1
}

// unitLine is a trouble's line among others.
func (w *composer) unitLine(l *Line) *passage {
	v := w.line(l)
	key := w.troubleKey(l)
	if l.Kind == MainsLost && l.Unit != nil { // the title says why; here is how it stands
		key = statusKey(l.Unit)
		v["at"] = "" // it follows with the vials
	}
	say := func(v values) string {
		what := w.calm(key, v)
		if l.Unit != nil && !strings.Contains(what, v["unit"]) {
			what = w.say("body.of", values{"unit": v["unit"], "what": what})
		}
		return what
	}
	what := say(v)
	line := values{"what": what}
	if b := l.First(); b != nil && l.Kind != BatchSoon {
		line["vials"], line["at"] = w.vials(b.Vials), w.clock(b.LostAt)
	}
	p := fixed(w.say("body.line", line))
	brief := v
	for _, name := range []string{"trend", "range", "since", "span", "last", "text"} {
		brief = brief.with(name, "")
	}
	p.or(rankBrief, w.say("body.line", values{"what": say(brief)}))
	if l.Unit != nil {
		p.or(rankNames, w.name(l.Unit))
	}
	return p.or(rankLines, "")
}

// details tell of one unit or condition since when it is in trouble and by
// which rule.
func (w *composer) details(l *Line) (list passages) {
	v := w.line(l)
	if !w.noTrend {
		v["trend"] = ""
	}
	if v["since"] != "" {
		key := "body.since"
		switch {
		case l.Kind == BatchLost && l.Unit != nil, l.Kind == BatchSoon && l.Unit != nil:
			key = "" // the unit's own line says more
		case l.Unit != nil && !l.Unit.Since.IsZero() && l.Unit.Temp != "" && l.Unit.Beyond != 0:
			key = "body.out"
			v["since"], v["span"] = w.clock(l.Unit.Since), w.since(l.Unit.Since)
		case l.Unit != nil && l.Unit.Temp == "" && !l.Unit.Since.IsZero():
			key = "body.silent"
			v["since"] = w.clock(l.Unit.Since)
		case strings.Contains(w.first, v["since"]):
			key = "" // the title has said it
		}
		if key != "" && v["span"] != "" {
			list = append(list, loose(rankSince, w.say(key, v)))
		}
	}
	if u := l.Unit; u != nil && (l.Kind == BatchLost || l.Kind == BatchSoon) {
		s := w.unit(u)
		s["since"] = w.clock(u.Since)
		list = append(list, loose(rankSince, w.say("body.told", values{"text": w.say(statusKey(u), s)})))
	}
	v["text"] = capital(v["text"])
	if v["text"] == "" || strings.Contains(strings.ToLower(w.first), strings.ToLower(v["text"])) {
		return list
	}
	switch l.Kind {
	case TooWarm, TooCold, NoData, BatchLost, BatchFlagged, DoorOpen:
		v["text"] = strings.TrimRight(w.rule(oneLine(l.Text)), ".")
		list = append(list, loose(rankRule, w.say("body.rule", v)))
	case MainsLost:
		list = append(list, w.fed(l))
	case BatchSoon, Removed: // the title says it all
	default:
		list = append(list, fixed(w.say("body.told", v)).or(rankRule, w.say("body.told", v.with("text", shortWords(v["text"], 160)))).or(rankSteps, ""))
	}
	return list
}

// fed tells which units' mains are lost, where the text names them: those of
// several, but not of the whole site. The title says all the rest.
func (w *composer) fed(l *Line) *passage {
	_, units, several := strings.Cut(oneLine(l.Text), ": ")
	if l.Unit != nil || !several {
		return fixed("")
	}
	return loose(rankRule, w.say("body.told", values{"text": shortWords(units, 160)}))
}

func (w *composer) foldedLine() *passage {
	if w.t.Folded <= 0 {
		return fixed("")
	}
	return loose(rankFoldedLine, w.count("body.folded", w.t.Folded, nil))
}

// steps say what to do now, numbered where there are several.
func (w *composer) steps() (list passages) {
	keys := w.stepKeys()
	l, _, _ := w.head()
	if len(keys) > 0 && l.Kind != MainsLost && (l.Unit == nil || !l.Unit.Frozen) && w.frozen() {
		keys = slices.Insert(slices.Clone(keys), 1, "do.keep_frozen")
	}
	for i, key := range keys {
		s := w.step(key)
		if s == "" {
			continue
		}
		if len(keys) > 1 {
			s = fmt.Sprintf("%d %s", len(list)+1, s)
		}
		rank := rankSteps + 5 - min(i, 5)
		if i == 0 {
			rank = rankStepsReally
		}
		list = append(list, loose(rank, s))
	}
	return list
}

// frozen says whether one of the units is: its vials must not get into a
// fridge because of what is said about another one.
func (w *composer) frozen() bool {
	return slices.ContainsFunc(w.units(), func(u *Unit) bool { return u.Frozen })
}

// stepKeys choose what to do by the gravest trouble.
func (w *composer) stepKeys() []string {
	l, _, _ := w.head()
	if l == nil {
		return nil
	}
	switch l.Kind {
	case MainsLost:
		keys := []string{"do.power", "do.power.fuse", "do.power.move"}
		if w.frozen() {
			keys = slices.Insert(keys, 1, "do.keep_frozen")
		}
		return keys
	case BatchLost:
		keys := []string{"do.mark"}
		if l.First() != nil { // there are others to save
			keys = append(keys, unitSteps(l.Unit)...)
		}
		return keys
	case BatchSoon:
		return unitSteps(l.Unit)
	case TooWarm:
		return warmSteps(l.Unit)
	case TooCold:
		return coldSteps(l.Unit)
	case NoData:
		return blindSteps(l.Unit)
	}
	return slices.Clone(conditionSteps[l.Kind])
}

var conditionSteps = map[Kind][]string{
	BatchFlagged:  {"do.flagged"},
	Undeliverable: {"do.channel", "do.channel.rest"},
	Unanswered:    {"do.drill", "do.drill.again"},
	PeerSilent:    {"do.peer", "do.peer.rest"},
	Storage:       {"do.storage"},
	Clock:         {"do.clock"},
	RotaGap:       {"do.rota"},
	Calibration:   {"do.calibration"},
	ProbeLost:     {"do.probe_lost"},
	CheckMissed:   {"do.check"},
	Expiry:        {"do.expiry"},
	Removed:       {"do.removed"},
	DoorOpen:      {"do.shut"},
	Other:         {"do.look"},

	ProbesDisagree: {"do.probes_disagree"},
}

// unitSteps go by how the unit stands.
func unitSteps(u *Unit) []string {
	switch {
	case u == nil:
		return []string{"do.look"}
	case u.Temp == "":
		return blindSteps(u)
	case u.Beyond < 0:
		return coldSteps(u)
	case u.Beyond > 0:
		return warmSteps(u)
	}
	return []string{"do.look"}
}

func warmSteps(u *Unit) []string {
	if u != nil && u.Temp == "" {
		if u.Frozen {
			return blindSteps(u)
		}
		return append([]string{"do.door"}, blindSteps(u)...)
	}
	if u != nil && u.Frozen {
		return []string{"do.frozen", "do.frozen.plug", "do.frozen.move"}
	}
	return []string{"do.door", "do.warm", "do.record"}
}

func coldSteps(u *Unit) []string {
	if u != nil && u.Frozen {
		return []string{"do.frozen.cold"}
	}
	return []string{"do.cold", "do.cold.move", "do.record"}
}

func blindSteps(u *Unit) []string {
	if u != nil && u.Frozen {
		return []string{"do.display", "do.probe", "do.frozen"}
	}
	return []string{"do.display", "do.probe"}
}

// calls say who has been called, and who is next.
func (w *composer) calls() (list passages) {
	said := func(calls []Call) string {
		var out []string
		for _, c := range calls {
			if s := w.call(c); s != "" {
				out = append(out, s)
			}
		}
		if len(out) == 0 {
			return ""
		}
		return w.say("body.called", values{"calls": strings.Join(out, ", ")})
	}
	p := fixed(said(w.t.Called))
	if n := len(w.t.Called); n > 2 {
		p.or(rankOldCalls, said(w.t.Called[n-2:]))
	}
	list = append(list, p.or(rankCalls, ""))
	if n := w.t.Next; n != nil && oneLine(n.Name) != "" && !n.At.IsZero() {
		list = append(list, loose(rankNext, w.say("body.next", values{"who": shortWords(oneLine(n.Name), 40), "clock": w.clock(n.At)})))
	}
	return list
}

func (w *composer) call(c Call) string {
	v := values{"who": shortWords(oneLine(c.Name), 40), "clock": w.clock(c.At)}
	if v["who"] == "" || v["clock"] == "" {
		return v["who"]
	}
	return w.say("body.call", v)
}

func (w *composer) askLine() *passage {
	if w.ask == "" {
		return fixed("")
	}
	return loose(rankAsk, w.say("body.ask", values{"ask": w.ask}))
}
