package alert

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The most characters of a message.
const (
	titleMost   = 100  // what a lock screen shows
	messageMost = 1024 // title, a new line and body
)

// A composer makes one message.
type composer struct {
	*Catalogue
	t         Telling
	site, ask string
	loc       *time.Location
	untold    []string // what the title had to leave out or shorten
	first     string   // the title
	cut       bool     // not even the shortest title fits
	noTrend   bool     // the title left out the trend
	noSite    bool     // the title does not name the site in full
}

// Compose puts a Telling into words. site is its name for people, loc its
// time zone (nil: UTC), ask whom people are sent to with questions; "" is not
// known. The title has at most 100 characters and is never empty; together
// with a new line between them, title and body have at most 1,024. What does
// not fit is left out from the least important on, in whole words; what the
// title leaves out the body tells.
func (c *Catalogue) Compose(t Telling, site string, loc *time.Location, ask string) (title, body string) {
	if loc == nil {
		loc = time.UTC
	}
	w := &composer{Catalogue: c, t: t, site: oneLine(site), ask: shortWords(oneLine(ask), 80), loc: loc}
	title = w.title()
	w.first = title
	return title, w.body(messageMost - runes(title) - 1)
}

// clock tells an instant as people at the site would at this hour: 03:31; Tue
// 03:31 where that could be another day; 5 May 03:31 where it is far away.
func (w *composer) clock(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return w.clockFrom(t.In(w.loc), w.t.Now)
}

func (c *Catalogue) clockFrom(t, now time.Time) string {
	v := values{"clock": t.Format("15:04"), "weekday": c.weekdays[t.Weekday()], "day": t.Format("2"), "month": c.months[t.Month()-1]}
	switch far := t.Sub(now).Abs(); {
	case far < 20*time.Hour || now.IsZero():
		return v["clock"]
	case far < 6*24*time.Hour:
		return c.say("time.weekday", v)
	}
	return c.say("time.date", v)
}

// span tells how long: 19 min, 1 h 22 min, 3 d 4 h. It rounds down.
func (c *Catalogue) span(d time.Duration) string {
	part := func(d time.Duration) string {
		if d == 0 {
			return ""
		}
		return strconv.Itoa(int(d))
	}
	switch {
	case d < time.Minute:
		return c.say("span.under", nil)
	case d < time.Hour:
		return c.say("span.minutes", values{"minutes": part(d / time.Minute)})
	case d < 48*time.Hour:
		return c.say("span.hours", values{"hours": part(d / time.Hour), "minutes": part(d % time.Hour / time.Minute)})
	}
	return c.say("span.days", values{"days": part(d / (24 * time.Hour)), "hours": part(d % (24 * time.Hour) / time.Hour)})
}

// since tells how long ago an instant was; "" where it is not known.
func (w *composer) since(t time.Time) string {
	if t.IsZero() || t.After(w.t.Now) {
		return ""
	}
	return w.span(w.t.Now.Sub(t))
}

// left tells how long it is to an instant; "" where it is over or not known.
func (w *composer) left(t time.Time) string {
	if !t.After(w.t.Now) {
		return ""
	}
	return w.span(t.Sub(w.t.Now))
}

// vials counts; "" where the number is not known.
func (c *Catalogue) vials(n int) string {
	if n <= 0 {
		return ""
	}
	return c.count("count.vials", n, nil)
}

// place is the site's name where a sentence needs one.
func (w *composer) place() string { return cmp.Or(w.site, w.say("site.unnamed", nil)) }

func (w *composer) asked() string { return cmp.Or(w.ask, w.say("ask.unnamed", nil)) }

// name of a unit. Longer ones than any lock screen could hold are shortened
// everywhere.
func (w *composer) name(u *Unit) string {
	if u == nil {
		return w.say("unit.unnamed", nil)
	}
	return shortName(cmp.Or(oneLine(u.Name), oneLine(u.ID), w.say("unit.unnamed", nil)), 60)
}

// unit gives what may be told of a unit.
func (w *composer) unit(u *Unit) values {
	v := values{"unit": w.name(u), "site": w.place()}
	if u == nil {
		return v
	}
	v["range"] = shortWords(w.between(oneLine(u.Range)), 24)
	v["temp"] = w.number(oneLine(u.Temp))
	switch {
	case u.Temp == "":
		if u.LastTemp != "" && !u.LastAt.IsZero() {
			v["last"], v["last_at"] = w.number(oneLine(u.LastTemp)), w.clock(u.LastAt)
		}
	case u.Trend > 0:
		v["trend"] = w.say("trend.rising", nil)
	case u.Trend < 0:
		v["trend"] = w.say("trend.falling", nil)
	}
	return v
}

// line gives what may be told of a trouble.
func (w *composer) line(l *Line) values {
	v := w.unit(l.Unit)
	if l.Unit == nil {
		v["unit"] = ""
		if ofUnit(l.Kind) {
			v["unit"] = w.name(nil)
		}
	}
	since := began(l)
	v["since"], v["span"] = w.clock(since), w.since(since)
	v["ended"] = w.clock(l.Ended)
	v["text"] = strings.TrimRight(w.rule(oneLine(l.Text)), ".")
	v["batch"], v["channel"] = shortName(oneLine(l.Batch), 40), shortName(oneLine(l.Channel), 40)
	b := l.First()
	if l.Batch != "" {
		b = batchOf(l.Unit, l.Batch)
	}
	if b != nil {
		if l.Batch != "" {
			v["vials"] = w.vials(b.Vials)
		}
		if !b.Lost && !b.LostAt.IsZero() {
			v["at"], v["left"] = w.clock(b.LostAt), w.left(b.LostAt)
		}
	}
	return v
}

// began says since when a trouble holds: for a temperature, since when the
// unit is out of its range, which was before the alarm.
func began(l *Line) time.Time {
	if u := l.Unit; u != nil && !u.Since.IsZero() && l.Ended.IsZero() && (l.Kind == TooWarm || l.Kind == TooCold || l.Kind == NoData && u.Temp == "") {
		return u.Since
	}
	return l.Since
}

// ofUnit says whether a trouble's words need a unit's name.
func ofUnit(k Kind) bool {
	return slices.Contains([]Kind{TooWarm, TooCold, NoData, ProbeLost, ProbesDisagree, Removed, DoorOpen}, k)
}

func batchOf(u *Unit, id string) *Batch {
	if u == nil {
		return nil
	}
	for i := range u.Batches {
		if u.Batches[i].ID == id {
			return &u.Batches[i]
		}
	}
	return nil
}

// units of the lines, each once, in order.
func (w *composer) units() (list []*Unit) {
	for i := range w.t.Lines {
		u := w.t.Lines[i].Unit
		if u != nil && !slices.ContainsFunc(list, func(x *Unit) bool { return x == u || x.ID == u.ID && x.Name == u.Name }) {
			list = append(list, u)
		}
	}
	return list
}

// firstOf is the batch that is lost first of all that the message is about.
func (w *composer) firstOf() *Batch {
	var first *Batch
	for i := range w.t.Lines {
		if b := w.t.Lines[i].First(); b != nil && (first == nil || b.LostAt.Before(first.LostAt)) {
			first = b
		}
	}
	return first
}

// lostOf counts the vials over their limit; some says that there are any,
// counted or not.
func lostOf(units []*Unit) (n int, some bool) {
	for _, u := range units {
		for _, b := range u.Batches {
			if b.Lost {
				n, some = n+max(b.Vials, 0), true
			}
		}
	}
	return n, some
}

// troubleKey is the phrase for a trouble as its unit stands now.
func (w *composer) troubleKey(l *Line) string {
	key := "trouble." + string(l.Kind)
	if !w.has(key) {
		return "trouble.other"
	}
	u := l.Unit
	switch l.Kind {
	case TooWarm, TooCold:
		switch {
		case u == nil:
			return "trouble.other"
		case u.Temp == "":
			return key + ".blind"
		case l.Kind == TooWarm && u.Beyond <= 0, l.Kind == TooCold && u.Beyond >= 0:
			return key + ".inside"
		}
	case NoData:
		if u != nil && u.Temp != "" {
			return key + ".back"
		}
	}
	return key
}
