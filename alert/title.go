package alert

import (
	"slices"
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
	{rankLastAt, "last_at", 0}, {rankLast, "last", 0},
	{29, "unit", 32},
	{40, "who", 24}, {41, "who", 12},
	{44, "range", 0},
	{58, "since", 0}, {59, "ended", 0},
	{60, "unit", 24}, {61, "unit", 16}, {62, "units", 16},
	{63, "names", 0}, {64, "channel", 16}, {65, "batch", 16},
	{66, "vials", 0}, {67, "left", 0}, {68, "until", 0}, {69, "loss_left", 0},
}

// The ranks of a title's parts.
const (
	rankTrend   = 10
	rankText    = 12
	rankSite    = 20
	rankSmall   = 15 // vials may freeze; someone must look
	rankLastAt  = 23
	rankLoss    = 25 // the loss in fewer words
	rankLast    = 27
	rankFolded  = 28
	rankNoLoss  = 30
	rankMore    = 36
	rankPromise = 45
	rankNoSite  = 50
	rankNothing = 52 // nothing to do
	rankBlocked = 54
)

// toldBelow are what the body has in lines of its own: where only these are
// missing in the title, it need not begin with what was left out.
var toldBelow = []int{rankTrend, rankText, rankSmall, rankSite, rankLastAt, rankLast, rankLoss, rankFolded, rankMore, rankBlocked}

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
			if s.name == "unit" || s.name == "units" || s.name == "batch" || s.name == "channel" {
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
	title := capital(list.join(" "))
	if !fits {
		// only a clinic's own words can be so long
		w.cut = true
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
		v["range"] = "" // the time left is what counts; the body tells how the unit stands
	case BatchLost:
		if w.firstOf() != nil { // what can still be saved counts
			v["temp"], v["range"], v["trend"] = "", "", ""
		}
	}
	return l, w.troubleKey(l), v
}

// pageTitle says what is wrong, and what will be lost when.
func (w *composer) pageTitle() passages {
	l, key, v := w.head()
	what := func(v values) string { return w.say("headline", values{"what": w.say(key, v)}) }
	if w.t.Purpose == Page && w.t.Lapse != "" {
		what = w.lapsed(l, key)
		if b := w.firstOf(); b != nil {
			v = v.with("loss_left", w.left(b.LostAt))
		}
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
	list = append(list, w.more(l), w.folded())
	if w.t.Purpose != Page || w.t.Lapse != AboutToBeLost || w.firstOf() == nil {
		list = append(list, w.loss(l))
	}
	if w.t.Purpose == Page && w.t.Lapse != "" {
		list = append(list, w.promised(l))
	}
	return list
}

// lapsed says what is wrong where it comes again.
func (w *composer) lapsed(l *Line, key string) func(values) string {
	prefix := "still.other"
	switch w.t.Lapse {
	case AboutToBeLost:
		b := w.firstOf()
		if b == nil {
			b = &Batch{}
		}
		loss := values{"vials": w.vials(b.Vials), "at": w.clock(b.LostAt)}
		if l != nil && l.Unit != nil && (l.Unit.Temp == "" || l.Kind == BatchSoon || l.Kind == BatchLost) {
			key = nowKey(l.Unit)
		}
		return func(v values) string {
			return w.say("headline", values{"what": w.say("lapse.about_to_be_lost", loss.with("left", v["loss_left"]).with("what", w.calm(key, v)))})
		}
	case Worsened, ShelfEnded, GivenBack:
		prefix = "lapse." + string(w.t.Lapse)
	default:
		if l != nil && l.Kind != Other && w.has("still."+string(l.Kind)) && (l.Kind == NoData) == (l.Unit != nil && l.Unit.Temp == "") {
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
	case w.t.Lapse == GivenBack && v["who"] != "":
		key = "promised.given_back"
	case v["who"] == "" || v["until"] == "":
		return loose(rankPromise, w.say("promised.nobody", nil))
	case w.t.Lapse == ShelfEnded:
		key = "promised.shelf"
	case w.t.Lapse == PromisePassed && (l.Kind == TooWarm || l.Kind == TooCold) && l.Unit != nil && l.Unit.Temp != "":
		key = "promised." + string(l.Kind)
	}
	rank := 22 // who had it matters less than what is lost now
	if w.t.Lapse == PromisePassed {
		rank = rankPromise
	}
	// a name is left out before it is shortened
	return fixed(w.say(key, v)).or(rank, w.say("promised.nobody", nil)).or(rankPromise+1, "")
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
	return fixed(w.count(key, n, nil)).or(rankLoss+1, w.count("more.short", n, nil)).or(rankMore, "")
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

// takenTitle says who goes, or who has put it off.
func (w *composer) takenTitle() passages {
	_, key, v := w.head()
	v["who"], v["until"] = w.who(), w.clock(w.t.Until)
	if v["who"] == "" {
		v["who"] = w.say("who.unnamed", nil)
	}
	phrase := "taken"
	if w.t.Shelved {
		phrase = "shelved"
	}
	say := func(v values) string { return w.say(phrase, v.with("what", w.calm(key, v))) }
	return passages{w.sentence(say, v), w.folded()}
}

// nowKey is the phrase for how a unit stands, without a word on its range.
func nowKey(u *Unit) string {
	if u.Temp == "" {
		return "now.blind"
	}
	return "now.temp"
}

// nowTitle says how it stands.
func (w *composer) nowTitle() passages {
	purpose := map[Purpose]string{Progress: "progress", Turning: "turning", Worse: "worse"}[w.t.Purpose]
	l, key, v := w.head()
	if l != nil && l.Unit != nil && l.Kind != BatchSoon && l.Kind != BatchLost {
		key = nowKey(l.Unit)
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
