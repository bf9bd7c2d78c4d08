package alert

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// shorter is the order in which values of a title are shortened, in
// characters; 0 leaves them out.
var shorter = []struct {
	rank int
	name string
	most int
}{
	{rankTrend, "trend", 0},
	{rankText, "text", 48}, {rankText, "text", 30}, {rankText, "text", 0},
	{rankSite, "site", 24}, {rankSite, "site", 12},
	{40, "who", 24}, {41, "who", 12},
	{60, "unit", 40}, {61, "unit", 28}, {62, "unit", 16},
	{63, "names", 0}, {64, "channel", 16}, {65, "batch", 16}, {66, "range", 0},
}

// The ranks of a title's parts.
const (
	rankTrend   = 10
	rankText    = 12
	rankSite    = 20
	rankSmall   = 15 // vials may freeze; someone must look
	rankLoss    = 25 // the loss in fewer words
	rankFolded  = 28
	rankNoLoss  = 30
	rankMore    = 35
	rankPromise = 45
	rankNoSite  = 50
)

// toldBelow are what the body has in lines of its own: where only these are
// missing in the title, it need not begin with what was left out.
var toldBelow = []int{rankTrend, rankText, rankSmall, rankSite, rankLoss, rankFolded, rankMore}

// sentence makes a passage of a phrase: as it is, and with ever shorter values.
func (w *composer) sentence(say func(values) string, v values) *passage {
	p := fixed(say(v))
	for _, s := range shorter {
		old := v[s.name]
		if old == "" {
			continue
		}
		short := ""
		if s.most > 0 {
			short = shortWords(old, s.most)
			if s.name == "unit" || s.name == "batch" || s.name == "channel" {
				short = shortName(old, s.most)
			}
		}
		v = v.with(s.name, short)
		p.or(s.rank, say(v))
	}
	return p
}

// title makes the first line.
func (w *composer) title() string {
	list := w.titlePassages()
	site := fixed("")
	if w.site != "" && w.t.Purpose != Test && w.t.Purpose != Tested && !w.mains() {
		site = fixed(w.site).or(rankSite, shortWords(w.site, 24)).or(rankSite, shortWords(w.site, 12)).or(rankNoSite, "")
	}
	list = append(list, site)
	fits := list.fit(" ", titleMost)
	title := list.join(" ")
	if !fits {
		// only a clinic's own words can be so long
		title = shortWords(title, titleMost)
		w.untold = append(w.untold, list[0].forms[0])
	}
	for _, p := range list[:len(list)-1] {
		if p.at == 0 {
			continue
		}
		w.noTrend = w.noTrend || p.ranks[0] == rankTrend
		if fits && !slices.Contains(toldBelow, p.ranks[p.at-1]) {
			w.untold = append(w.untold, p.forms[0])
		}
	}
	w.noSite = w.site != "" && (site.at > 0 || list[0].at > 0 && w.site != shortWords(w.site, 12))
	return title
}

// mains says whether the message is about the power of the site.
func (w *composer) mains() bool {
	p := w.t.Purpose
	return (p == Page || p == Notice || p == Taken || p == AllClear) && w.mainsLine() != nil
}

func (w *composer) mainsLine() *Line {
	for i := range w.t.Lines {
		if w.t.Lines[i].Kind == MainsLost {
			return &w.t.Lines[i]
		}
	}
	return nil
}

func (w *composer) titlePassages() passages {
	switch w.t.Purpose {
	case Status:
		return passages{w.statusTitle()}
	case Test:
		v := values{"site": w.place()}
		if w.t.Within > 0 {
			v["within"] = w.span(w.t.Within)
		}
		return passages{w.sentence(w.sayer("test"), v)}
	case Tested:
		if w.t.Took <= 0 && w.t.Who == "" {
			return passages{fixed(w.say("tested.over", nil))}
		}
		v := values{"site": w.place(), "who": w.who()}
		if w.t.Took > 0 {
			v["took"] = w.span(w.t.Took)
		}
		return passages{w.sentence(w.sayer("tested"), v)}
	case AllClear:
		return w.clearTitle()
	case Taken:
		return w.takenTitle()
	case Progress, Turning, Worse:
		return w.nowTitle()
	}
	return w.pageTitle()
}

func (w *composer) sayer(key string) func(values) string {
	return func(v values) string { return w.say(key, v) }
}

// who is the name of the person who took it; "" not known.
func (w *composer) who() string { return shortWords(oneLine(w.t.Who), 40) }

// head gives the trouble that leads the message: its words, and its values.
// Power that is out comes before all that follows from it.
func (w *composer) head() (*Line, string, values) {
	l := w.mainsLine()
	if l == nil && len(w.t.Lines) > 0 {
		l = &w.t.Lines[0]
	}
	if l == nil {
		return nil, "trouble.other", values{"site": w.place()}
	}
	v := w.line(l)
	switch l.Kind {
	case MainsLost:
		if units := w.units(); len(units) == 1 {
			v["units"] = w.name(units[0])
		} else if len(units) > 1 {
			v["units"] = w.count("count.units", len(units), nil)
		}
	case BatchSoon:
		v["range"] = "" // the time left is what counts: the range stands in the body
	}
	return l, w.troubleKey(l), v
}

// pageTitle says what is wrong, and what will be lost when.
func (w *composer) pageTitle() passages {
	l, key, v := w.head()
	what := func(v values) string { return w.say("headline", values{"what": w.say(key, v)}) }
	if w.t.Purpose == Page && w.t.Lapse != "" {
		what = w.lapsed(l, key)
	}
	list := passages{w.sentence(what, v)}
	if l == nil {
		return append(list, w.folded())
	}
	switch {
	case l.Kind == TooCold && l.Unit != nil && !l.Unit.Frozen && l.Unit.Temp != "" && l.Unit.Milli < 2000:
		list = append(list, loose(rankSmall, w.say("may_freeze", nil)))
	case l.Kind == NoData && w.t.Lapse == "":
		list = append(list, loose(rankSmall, w.say("must_look", nil)))
	}
	list = append(list, w.more(l), w.folded(), w.loss(l))
	if w.t.Purpose == Page && w.t.Lapse != "" {
		list = append(list, w.promised(l))
	}
	return list
}

// lapsed says what is wrong where it comes again.
func (w *composer) lapsed(l *Line, key string) func(values) string {
	prefix := "still.other"
	switch w.t.Lapse {
	case Worsened, AboutToBeLost, ShelfEnded:
		prefix = "lapse." + string(w.t.Lapse)
	default:
		if l != nil && w.has("still."+string(l.Kind)) && (l.Kind == NoData) == (l.Unit != nil && l.Unit.Temp == "") {
			key = "still." + string(l.Kind)
			return func(v values) string { return w.say("headline", values{"what": w.say(key, v)}) }
		}
	}
	return func(v values) string {
		return w.say("headline", values{"what": w.say(prefix, values{"what": w.say(key, v)})})
	}
}

// promised says who had it, and asks who goes now.
func (w *composer) promised(l *Line) *passage {
	v := values{"who": w.who(), "until": w.clock(w.t.Until)}
	key := "promised.other"
	switch {
	case v["who"] == "" || v["until"] == "":
		return loose(rankPromise, w.say("promised.nobody", nil))
	case w.t.Lapse == ShelfEnded:
		key = "promised.shelf"
	case w.t.Lapse == PromisePassed && (l.Kind == TooWarm || l.Kind == TooCold) && l.Unit != nil && l.Unit.Temp != "":
		key = "promised." + string(l.Kind)
	}
	return w.sentence(w.sayer(key), v).or(rankPromise, "")
}

// more counts what else the message is about than its headline.
func (w *composer) more(l *Line) *passage {
	if l.Kind == MainsLost {
		return fixed("")
	}
	other, units := 0, len(w.units())
	for i := range w.t.Lines {
		if w.t.Lines[i].Unit == nil {
			other++
		}
	}
	key, n := "more.units", units-1
	if other > 0 || units == 0 {
		key, n = "more.troubles", units+other-1
	}
	if n <= 0 {
		return fixed("")
	}
	// the body names every one of them
	return loose(rankMore, w.count(key, n, nil))
}

func (w *composer) folded() *passage {
	if w.t.Folded <= 0 {
		return fixed("")
	}
	return loose(rankFolded, w.count("more.troubles", w.t.Folded, nil))
}

// loss says what is lost first, and when; else what is lost already.
func (w *composer) loss(l *Line) *passage {
	lost, some := lostOf(w.units())
	b := w.firstOf()
	told := l.Kind == BatchLost || l.Kind == BatchSoon // the headline tells of its own batch
	if l.Kind == BatchSoon && b != nil && b.ID == l.Batch {
		b = nil
	}
	if b == nil {
		switch {
		case !some || told:
			return fixed("")
		case lost > 0:
			return loose(rankNoLoss, w.count("loss.already", lost, nil))
		}
		return loose(rankNoLoss, w.say("loss.already.batch", nil))
	}
	v := values{"at": w.clock(b.LostAt), "left": w.span(b.LostAt.Sub(w.t.Now))}
	key, n := "loss.first", b.Vials
	switch {
	case l.Kind == MainsLost:
		key, n = "loss.about", 0
	case n <= 0:
		key, n = "loss.batch", 0
	case some || told:
		key = "loss.next"
	}
	if !b.LostAt.After(w.t.Now) {
		if l.Kind == MainsLost {
			key, n = "loss.batch", 0
		}
		return loose(rankNoLoss, w.count(key+".now", n, v))
	}
	p := fixed(w.count(key, n, v)).or(rankLoss, w.count(key+".short", n, v)).or(rankNoLoss, "")
	if lost > 0 && !told && l.Kind != MainsLost {
		already := w.count("loss.already", lost, nil)
		p.forms = slices.Insert(p.forms, 0, already+" "+p.forms[0])
		p.ranks = slices.Insert(p.ranks, 0, rankSmall)
	}
	return p
}

// takenTitle says who goes.
func (w *composer) takenTitle() passages {
	_, key, v := w.head()
	v["who"], v["until"] = w.who(), w.clock(w.t.Until)
	if v["who"] == "" {
		v["who"] = w.say("who.unnamed", nil)
	}
	say := func(v values) string { return w.say("taken", v.with("what", w.calm(key, v))) }
	return passages{w.sentence(say, v), w.folded()}
}

// nowTitle says how it stands.
func (w *composer) nowTitle() passages {
	purpose := map[Purpose]string{Progress: "progress", Turning: "turning", Worse: "worse"}[w.t.Purpose]
	l, key, v := w.head()
	if l != nil && l.Unit != nil && l.Kind != BatchSoon && l.Kind != BatchLost {
		key = "now.temp"
		if l.Unit.Temp == "" {
			key = "now.blind"
		}
	}
	list := passages{w.sentence(func(v values) string { return w.say(purpose, values{"what": w.calm(key, v)}) }, v)}
	if l != nil {
		if w.t.Purpose == Turning {
			return append(list, loose(rankMore, w.more(l).text()))
		}
		list = append(list, w.more(l), w.loss(l))
	}
	return list
}

// clearTitle says that it is over, and what is left.
func (w *composer) clearTitle() passages {
	list := passages{w.clearSentence()}
	lost, some := lostOf(w.units())
	switch {
	case lost > 0:
		list = append(list, loose(rankMore, w.count("clear.blocked", lost, nil)))
	case some:
		list = append(list, loose(rankMore, w.say("clear.blocked.batch", nil)))
	}
	list = append(list, w.folded())
	key := "clear.day"
	if w.night() {
		key = "clear.night"
	}
	return append(list, loose(rankNoLoss, w.say(key, nil)))
}

func (w *composer) clearSentence() *passage {
	l, key, v := w.head()
	if l == nil {
		return fixed(w.say("clear.other.bare", nil))
	}
	u := l.Unit
	switch units := w.units(); {
	case l.Kind == MainsLost:
		return w.sentence(w.sayer("clear.power"), v)
	case len(units) > 1 && len(units) == len(w.t.Lines):
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
	// since when it held is told below: here it would read as if it did still
	v["since"], v["span"] = "", ""
	return w.sentence(func(v values) string { return w.say("clear.other", v.with("what", w.calm(key, v))) }, v)
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
