package alert

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"
)

// newsApart is how many news of a trouble a service is told one by one.
const newsApart = 5

// send lets every line that is free carry what its person, or its service,
// must be told now. What waits for a line is told together.
func (d *Desk) send() {
	d.lost()
	if len(d.s.Troubles) == 0 && len(d.s.Asked) == 0 {
		return
	}
	for i := range d.duty.People {
		p := &d.duty.People[i]
		kept := make([]bool, len(p.Contacts))
		for j := range p.Contacts {
			kept[j] = d.page(p, j)
		}
		if j := d.quietContact(p, kept); j >= 0 {
			d.tell(p, j)
		}
	}
	for _, s := range d.duty.Services {
		d.serve(s)
	}
}

// lost gives up waiting for word of messages that nobody has reported on.
func (d *Desk) lost() {
	for _, key := range slices.Sorted(maps.Keys(d.s.Lines)) {
		n := d.s.Notes[d.s.Lines[key].Flight]
		if n != nil && d.now.Sub(n.At) > flightMost {
			d.do(Event{Kind: WasUnknown, ID: n.ID, Error: "no word of it for " + flightMost.String(), Retry: true})
		}
	}
}

// free gives the line where it carries nothing and need not wait.
func (d *Desk) free(person string, contact int, channel string) *line {
	l := d.s.Lines[lineKey(person, contact, channel)]
	if l == nil {
		return &line{}
	}
	if l.Flight != "" || d.now.Before(l.Not) {
		return nil
	}
	return l
}

// calling says whether people are to be paged for the trouble now.
func (d *Desk) calling(t *trouble) bool {
	if !t.Cleared.IsZero() || t.Ack != nil || t.Shelf != nil {
		return false
	}
	_, calm := d.calm(t)
	return !calm
}

// every is how often the trouble's people are called again.
func (d *Desk) every(t *trouble) time.Duration {
	if !t.wakes() {
		return noticeEvery
	}
	if p := d.policy(t); p != nil && t.Step >= 0 {
		return repeat(p.Steps[min(t.Step, len(p.Steps)-1)])
	}
	return RepeatDefault
}

// dueBy says whether the person must be called by this contact now: each
// contact has rounds of its own, which begin After the first one's; where none
// before it takes a message, they begin with the first one's.
func (d *Desk) dueBy(t *trouble, c *call, p *Person, contact int) bool {
	if c.Declined {
		return false
	}
	first := c.Since.Add(p.Contacts[contact].After)
	hurry := contact > 0
	for j := range contact {
		hurry = hurry && len(c.Failed) > j && c.Failed[j]
	}
	if hurry {
		first = c.Since
	}
	if d.now.Before(first) {
		return false
	}
	every := d.every(t)
	began := first.Add(d.now.Sub(first) / every * every)
	return len(c.Told) <= contact || c.Told[contact].Before(began)
}

// page pages a person by a contact, for all troubles that are due there. It
// says whether the line is kept for a page that the caps let wait.
func (d *Desk) page(p *Person, contact int) (kept bool) {
	c := p.Contacts[contact]
	l := d.free(p.ID, contact, c.Channel)
	if l == nil {
		return false
	}
	var pages, notices []*trouble
	urgent := false
	for _, t := range d.s.Troubles {
		if !d.calling(t) {
			continue
		}
		for _, x := range t.Calls {
			if x.Person != p.ID || !d.dueBy(t, x, p, contact) {
				continue
			}
			switch {
			case t.wakes():
				pages = append(pages, t)
				first := !slices.ContainsFunc(x.Told, func(at time.Time) bool { return !at.IsZero() })
				urgent = urgent || first && len(d.urgent(t)) > 0
			case contact == 0 && d.working(d.now) && !(p.Quiet != nil && p.Quiet.Contains(d.now, d.duty.Location)):
				notices = append(notices, t)
			}
		}
	}
	switch {
	case len(pages) > 0:
		// What is real is not mixed with a test.
		if real := slices.DeleteFunc(slices.Clone(pages), func(t *trouble) bool { return t.Drill }); len(real) > 0 {
			pages = real
		}
		if !d.mayPage(l, c.Channel, urgent, d.now) {
			return true
		}
		purpose := Page
		if pages[0].Drill {
			purpose = Test
		}
		d.notify(p, contact, purpose, pages)
	case len(notices) > 0:
		if within(l.Quiet, capQuiet, d.now) {
			d.notify(p, contact, Notice, notices)
		}
	}
	return false
}

// quietContact is the contact for what wakes nobody: the first that rings no
// telephone, takes messages and is not kept for a page; -1 where all must wait.
func (d *Desk) quietContact(p *Person, kept []bool) int {
	for pass := range 2 {
		for j, c := range p.Contacts {
			voice := d.duty.Kinds[c.Channel] == "twilio-voice"
			if voice == (pass == 1) && !kept[j] && d.free(p.ID, j, c.Channel) != nil {
				return j
			}
		}
	}
	return -1
}

// tell tells a person what wakes nobody.
func (d *Desk) tell(p *Person, contact int) {
	for _, a := range d.s.Asked {
		if a.Person == p.ID {
			d.notify(p, contact, Status, nil)
			return
		}
	}
	for _, purpose := range []Purpose{AllClear, Tested, Taken} {
		var list []*trouble
		for _, t := range d.s.Troubles {
			if t.Owes[p.ID] == purpose {
				list = append(list, t)
			}
			if len(list) > 0 && purpose == Taken {
				break
			}
		}
		if len(list) > 0 {
			d.notify(p, contact, purpose, list)
			return
		}
	}
	for _, t := range d.s.Troubles {
		if a := t.Ack; a != nil && a.Person == p.ID && t.wakes() && t.Cleared.IsZero() {
			if purpose := d.news(t); purpose != "" {
				d.notify(p, contact, purpose, []*trouble{t})
				return
			}
		}
	}
}

// news is what whoever took the trouble must hear of it now; "" nothing.
func (d *Desk) news(t *trouble) Purpose {
	a := t.Ack
	_, calm := d.calm(t)
	switch {
	case !a.Turned && !calm && d.turned(t):
		return Turning
	case !a.Worse && d.beyond(t) >= a.Beyond+d.worsens()/2:
		return Worse
	case d.now.Sub(a.Progress) >= progressEvery:
		return Progress
	}
	return ""
}

// serve tells a service the next that it has not heard.
func (d *Desk) serve(s Service) {
	if d.free("", 0, s.Channel) == nil {
		return
	}
	for _, t := range d.s.Troubles {
		news := t.News[min(t.Heard[s.Channel], len(t.News)):]
		if len(news) == 0 || s.Critical && t.severity() != Critical {
			continue
		}
		n := 1
		for n < len(news) && len(news) > newsApart && news[n].Purpose == news[0].Purpose {
			n++
		}
		purpose := news[0].Purpose
		if purpose == Page && !t.wakes() && t.holds() {
			purpose = Notice
		}
		if t.Drill {
			purpose = map[Purpose]Purpose{AllClear: Tested, Taken: Tested}[purpose]
			if purpose == "" {
				purpose = Test
			}
		}
		var about []string
		for _, x := range news[:n] {
			if x.Alarm != "" {
				about = append(about, x.Alarm)
			}
		}
		note := d.compose("", s.Channel, "", purpose, []*trouble{t}, about)
		note.News = n
		d.do(Event{Kind: Due, Trouble: t.Key, Notification: note})
		return
	}
}

// notify sends a person a message.
func (d *Desk) notify(p *Person, contact int, purpose Purpose, about []*trouble) {
	slices.SortStableFunc(about, func(a, b *trouble) int { return cmp.Compare(d.rank(a), d.rank(b)) })
	c := p.Contacts[contact]
	n := d.compose(p.ID, c.Channel, p.Language, purpose, about, nil)
	n.Contact = contact
	l := d.s.Lines[lineKey(p.ID, contact, c.Channel)]
	if l != nil {
		n.Attempt, n.Again = l.Attempt+1, l.Again
	}
	e := Event{Kind: Due, Notification: n}
	if len(about) > 0 {
		e.Trouble = about[0].Key
	}
	d.do(e)
}

// rank puts troubles in order of urgency: what is lost first comes first.
func (d *Desk) rank(t *trouble) int64 {
	at := int64(1) << 62
	for _, id := range t.units() {
		if u := d.unit(id); u != nil {
			for _, b := range u.Batches {
				if !b.Lost && !b.LostAt.IsZero() {
					at = min(at, b.LostAt.UnixMilli())
				}
			}
		}
	}
	if t.severity() != Critical {
		at++
	}
	return at
}

// compose makes a message of what is known now.
func (d *Desk) compose(person, channel, language string, purpose Purpose, about []*trouble, alarms []string) *Notification {
	if language == "" {
		language = d.duty.Language
	}
	n := &Notification{ID: fmt.Sprintf("n%d", d.s.Notified+1), Person: person, Channel: channel, Purpose: purpose, Severity: Warning, Attempt: 1, Language: language, At: d.now}
	t := Telling{Purpose: purpose, Now: d.now, Within: d.within()}
	l := d.s.Lines[lineKey(person, 0, channel)]
	if l != nil && person == "" {
		n.Attempt, n.Again = l.Attempt+1, l.Again
	}
	t.Again = n.Again
	for _, x := range about {
		n.Troubles = append(n.Troubles, x.Key)
		if x.severity() == Critical {
			n.Severity = Critical
		}
		t.Lines = append(t.Lines, d.tellingLines(x, purpose, alarms)...)
	}
	if len(about) == 1 {
		d.who(&t, about[0])
	}
	if purpose == Status {
		t.Status = d.sit.Units
	}
	// Twenty people called for the same are told the same: it is put into words once.
	same := fmt.Sprint(language, purpose, n.Again, n.Troubles, alarms)
	said, known := d.said[same]
	if !known {
		said.title, said.body = d.words.For(language).Compose(t, d.duty.Site, d.duty.Location, d.duty.Ask)
		d.said[same] = said
	}
	n.Title, n.Body = said.title, said.body
	return n
}

// who tells who was called, who comes next, and who had or has it.
func (d *Desk) who(t *Telling, x *trouble) {
	for _, c := range x.Called {
		t.Called = append(t.Called, Call{d.name(c.Person), c.At})
	}
	switch {
	case x.Ack != nil:
		t.Who, t.Until = x.Ack.By, x.Ack.Until
	case x.Shelf != nil:
		t.Who, t.Until, t.Shelved = x.Shelf.By, x.Shelf.Until, true
	case x.Had != nil && x.Lapse != "":
		t.Lapse, t.Who, t.Until = x.Lapse, x.Had.By, x.Had.Until
	default:
		t.Lapse = x.Lapse
	}
	if x.Drill {
		t.Took = max(0, d.s.DrillTook)
	}
	p := d.policy(x)
	if p == nil || x.Ack != nil || !x.Cleared.IsZero() || x.Step+1 >= len(p.Steps) || !x.wakes() || x.Drill {
		return
	}
	at := x.StepAt.Add(p.Steps[x.Step+1].After)
	for _, id := range d.duty.Who(p.Steps[x.Step+1].Call, at) {
		if !slices.ContainsFunc(x.Calls, func(c *call) bool { return c.Person == id }) {
			t.Next = &Call{d.name(id), at}
			return
		}
	}
}

func (d *Desk) name(person string) string {
	if p := d.duty.Person(person); p != nil && p.Name != "" {
		return p.Name
	}
	return person
}

func (d *Desk) within() time.Duration {
	if d.duty.Drill.Within > 0 {
		return d.duty.Drill.Within
	}
	return DrillWithin
}

// gravest puts kinds in order: what a line about a unit is first of all about.
var gravest = []Kind{MainsLost, TooWarm, TooCold, NoData, BatchSoon, BatchLost, DoorOpen, BatchFlagged}

// tellingLines are the trouble's units, one line each, and its alarms that are
// of none. Where alarms are named, only these are told, one line each.
func (d *Desk) tellingLines(t *trouble, purpose Purpose, alarms []string) (lines []Line) {
	over := purpose == AllClear || purpose == Tested
	at := map[string]int{}
	for _, m := range t.Alarms {
		if !over && (!m.Left.IsZero() || len(alarms) > 0 && !slices.Contains(alarms, m.Key)) {
			continue
		}
		x := Line{Kind: m.Kind, Severity: m.Severity, Unit: d.unit(m.Unit), Text: m.Text, Batch: m.Batch, Channel: m.Channel, Since: m.Raised}
		if over {
			x.Ended = m.Left
		}
		i, known := at[m.Unit]
		if m.Unit == "" || len(alarms) > 0 || !known {
			at[m.Unit] = len(lines)
			lines = append(lines, x)
			continue
		}
		y := &lines[i]
		since, ended := y.Since, y.Ended
		if by := cmp.Compare(order(x.Kind), order(y.Kind)); by < 0 || by == 0 && x.Severity == Critical && y.Severity != Critical {
			*y = x
		}
		if since.Before(y.Since) {
			y.Since = since
		}
		if ended.After(y.Ended) {
			y.Ended = ended
		}
		if x.Severity == Critical {
			y.Severity = Critical
		}
	}
	if len(alarms) == 0 && !over {
		for i := range lines {
			lines[i].present()
		}
	}
	slices.SortStableFunc(lines, func(a, b Line) int { return cmp.Compare(a.urgency(), b.urgency()) })
	return lines
}

func order(k Kind) int {
	if i := slices.Index(gravest, k); i >= 0 {
		return i
	}
	return len(gravest)
}

// present lets a line that is about batches say what is wrong with their unit.
func (l *Line) present() {
	u := l.Unit
	if u == nil || l.Kind != BatchSoon && l.Kind != BatchLost && l.Kind != BatchFlagged {
		return
	}
	switch {
	case u.Temp == "" && !u.LastAt.IsZero():
		l.Kind = NoData
	case u.Beyond > 0:
		l.Kind = TooWarm
	case u.Beyond < 0:
		l.Kind = TooCold
	default:
		return
	}
	if !u.Since.IsZero() {
		l.Since = u.Since
	}
}

func (l *Line) urgency() int64 {
	if b := l.First(); b != nil {
		return b.LostAt.UnixMilli()
	}
	return int64(1)<<62 + int64(order(l.Kind))
}
