package alert

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The verbs of an answer. What follows a g are the minutes promised.
const (
	verbGoing  = "g"
	verbCant   = "no"
	verbStatus = "st"
)

// sign makes the data of an answer to a notification: the verb, the
// notification, and a proof that this Desk has offered it.
func (d *Desk) sign(verb, notification string) string {
	return verb + "." + notification + "." + d.mac(verb, notification)
}

func (d *Desk) mac(verb, notification string) string {
	h := hmac.New(sha256.New, d.key)
	h.Write([]byte(verb + "." + notification))
	return hex.EncodeToString(h.Sum(nil))[:12]
}

// read takes an answer's data apart. It answers false where the Desk has not
// offered it.
func (d *Desk) read(data string) (verb, notification string, ok bool) {
	f := strings.Split(data, ".")
	if len(f) != 3 || !hmac.Equal([]byte(f[2]), []byte(d.mac(f[0], f[1]))) {
		return "", "", false
	}
	return f[0], f[1], true
}

// Message is the notification as a channel sends it, with its buttons.
func (d *Desk) Message(n *Notification) Message {
	m := Message{ID: n.ID, Key: n.Key(), To: d.address(n), Purpose: n.Purpose, Severity: n.Severity, Title: n.Title, Body: n.Body, Language: n.Language, Again: n.Again, At: n.At}
	for _, key := range n.Troubles {
		if t := d.s.trouble(key); t != nil {
			m.Units = append(m.Units, t.units()...)
		}
	}
	if n.Purpose.Loud() || n.Purpose == Notice {
		m.Buttons = d.buttons(n)
		m.HowTo = d.words.For(n.Language).NumberedAnswers(m.Buttons)
	}
	return m
}

// address is where the notification goes. It is not in the journal: whoever
// knows an ntfy topic can read along.
func (d *Desk) address(n *Notification) string {
	if p := d.duty.Person(n.Person); p != nil && n.Contact < len(p.Contacts) && p.Contacts[n.Contact].Channel == n.Channel {
		return p.Contacts[n.Contact].To
	}
	return ""
}

func (d *Desk) buttons(n *Notification) []Button {
	text := d.words.For(n.Language).Buttons(int(promised / time.Minute))
	verbs := [3]string{verbGoing + strconv.Itoa(int(promised/time.Minute)), verbCant, verbStatus}
	list := make([]Button, 3)
	for i, v := range verbs {
		list[i] = Button{text[i], d.sign(v, n.ID)}
	}
	return list
}

// Sent gives the messages of a channel that may still be answered, the newest
// first.
func (d *Desk) Sent(channel string) (list []Sent) {
	for _, n := range d.s.Notes {
		if n.Channel != channel || !n.Done || !n.Purpose.Loud() || !slices.ContainsFunc(n.Troubles, d.answerable) {
			continue
		}
		list = append(list, Sent{ID: n.ID, To: d.address(n), Receipt: n.Receipt, Buttons: d.buttons(n), Words: d.words.For(n.Language).AnswerWords(), Plain: d.sign(verbGoing, n.ID), At: n.At, Quiet: !slices.ContainsFunc(n.Troubles, d.rings)})
	}
	slices.SortFunc(list, func(a, b Sent) int { return -older(a.ID, b.ID) })
	return list
}

// older puts the ids of notifications in their order: they count on.
func older(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b)) }

func (d *Desk) answerable(key string) bool {
	t := d.s.trouble(key)
	return t != nil && t.Cleared.IsZero()
}

func (d *Desk) rings(key string) bool {
	t := d.s.trouble(key)
	return t != nil && d.calling(t)
}

// Flights are the messages on their way that nobody has reported on, in order.
func (d *Desk) Flights() (list []Notification) {
	for _, n := range d.s.Notes {
		if !n.Done {
			list = append(list, *n)
		}
	}
	slices.SortFunc(list, func(a, b Notification) int { return older(a.ID, b.ID) })
	return list
}

// Report takes what became of a message.
func (d *Desk) Report(now time.Time, o Outcome) []Event {
	d.begin(now)
	n := d.s.Notes[o.ID]
	if n == nil || n.Done {
		return nil
	}
	e := Event{Kind: WasSent, ID: o.ID, Receipt: o.Receipt, Notification: n, Error: o.Error, Retry: o.Retry, After: o.After}
	switch {
	case o.Unknown:
		e.Kind, e.Retry = WasUnknown, true
	case o.Error != "":
		e.Kind = WasFailed
	}
	d.do(e)
	d.turn()
	return d.out
}

// An Outcome is what became of a message.
type Outcome struct {
	ID      string
	Receipt string
	Error   string // "": it was sent
	Retry   bool   // worth another try
	Unknown bool   // it may have arrived
	After   time.Duration
}

// Answer takes what a person sent back, and gives the words to show.
func (d *Desk) Answer(now time.Time, a Answer) (events []Event, reply string) {
	d.begin(now)
	language, r := d.answer(a)
	d.turn()
	r.Now, r.Location = d.now, d.duty.Location
	return d.out, d.words.For(language).Reply(r)
}

func (d *Desk) answer(a Answer) (language string, r Reply) {
	language = d.duty.Language
	from := d.personAt(a.Channel, a.From)
	if from != nil {
		language = from.Language
	}
	verb, id, ok := d.read(a.Data)
	switch {
	case !ok && from == nil:
		return language, Reply{Kind: ReplyOld} // nobody that may answer
	case !ok && a.Data == "" && a.Text != "":
		return language, Reply{Kind: ReplyUnclear}
	case !ok:
		return language, Reply{Kind: ReplyOld}
	}
	n := d.s.Notes[id]
	if n == nil {
		return language, Reply{Kind: ReplyOver} // its trouble is closed, or it is older than anybody remembers
	}
	if p := d.duty.Person(n.Person); p != nil {
		from, language = p, p.Language
	}
	who := Event{Via: a.Channel, By: a.Channel}
	if from != nil {
		who.Person, who.By = from.ID, d.name(from.ID)
	}
	var open []*trouble
	for _, key := range n.Troubles {
		if t := d.s.trouble(key); t != nil && t.Cleared.IsZero() {
			open = append(open, t)
		}
	}
	switch {
	case verb == verbStatus:
		if from != nil {
			d.do(Event{Kind: StatusAsked, Person: from.ID, Contact: n.Contact, By: who.By, Via: who.Via})
		}
		return language, Reply{Kind: ReplyStatus}
	case len(open) == 0:
		return language, Reply{Kind: ReplyOver}
	case verb == verbCant:
		return language, d.decline(open, who)
	case strings.HasPrefix(verb, verbGoing):
		promise := PromiseDefault
		if m, err := strconv.Atoi(verb[1:]); err == nil && m > 0 {
			promise = time.Duration(m) * time.Minute
		}
		if said := minutesIn(a.Text); said > 0 {
			promise = said
		}
		return language, d.take(open, who, promise)
	}
	return language, Reply{Kind: ReplyUnclear}
}

// minutesIn finds the time that a text promises: "going 45". Smaller numbers
// may be those of the buttons; 0 where there is none that can be meant.
func minutesIn(text string) time.Duration {
	for _, f := range strings.FieldsFunc(text, func(r rune) bool { return r < '0' || r > '9' }) {
		if m, err := strconv.Atoi(f); err == nil && m >= 5 && m <= 180 {
			return time.Duration(m) * time.Minute
		}
	}
	return 0
}

// personAt is the person whose contact has the address; nil where there is
// none.
func (d *Desk) personAt(channel, address string) *Person {
	if address == "" {
		return nil
	}
	for i := range d.duty.People {
		for _, c := range d.duty.People[i].Contacts {
			if c.Channel == channel && c.To == address {
				return &d.duty.People[i]
			}
		}
	}
	return nil
}

// take lets somebody have the troubles that nobody else has.
func (d *Desk) take(open []*trouble, who Event, promise time.Duration) Reply {
	until := d.now.Add(promise)
	r := Reply{Kind: ReplyYours, Who: who.By, Until: until}
	taken := false
	for _, t := range open {
		if t.Ack != nil && t.Ack.By != who.By {
			if !taken {
				r = Reply{Kind: ReplyTaken, Who: t.Ack.By, Until: t.Ack.Until}
			}
			continue
		}
		e := who
		e.Kind, e.Trouble, e.Until, e.Beyond, e.Urgent, e.Reason = Acknowledged, t.Key, until, d.beyond(t), d.urgent(t), cmp.Or(who.Reason, "somebody is going")
		d.do(e)
		taken = true
		if r = (Reply{Kind: ReplyYours, Who: who.By, Until: until}); t.Drill {
			r.Kind, r.Took = ReplyDrill, d.now.Sub(d.s.DrillAt)
		}
	}
	return r
}

// decline lets the next be called at once.
func (d *Desk) decline(open []*trouble, who Event) Reply {
	r := Reply{Kind: ReplyNext}
	for _, t := range open {
		if t.Drill { // whoever says so has been reached
			r = d.take([]*trouble{t}, who, PromiseDefault)
			continue
		}
		if t.Ack != nil && t.Ack.By != who.By {
			r = Reply{Kind: ReplyTaken, Who: t.Ack.By, Until: t.Ack.Until}
			continue
		}
		if t.Ack != nil { // whoever had it cannot go after all
			d.do(Event{Kind: Lapsed, Trouble: t.Key, By: t.Ack.By, Person: t.Ack.Person, Until: t.Ack.Until, Lapse: GivenBack, Reason: "whoever had it cannot go"})
			d.step(t)
		}
		e := who
		e.Kind, e.Trouble, e.Reason = CallDeclined, t.Key, cmp.Or(who.Reason, "cannot go")
		d.do(e)
		before := len(t.Calls)
		d.step(t)
		for _, c := range t.Calls[min(before, len(t.Calls)):] {
			if r.Who == "" {
				r.Who = d.name(c.Person)
			}
		}
	}
	return r
}

// An Order is what a person wants done about a trouble from a screen or a
// command line.
type Order struct {
	Name    string // ack, decline, shelve, unshelve, close, test
	Trouble string // its key, or a unit that it is about; "" the only one there is
	Person  string // who answers, or (test) is called; "" nobody of the people
	By, Via string
	Reason  string
	Promise time.Duration // 0: PromiseDefault
	Until   time.Time     // shelve
	Cause   string        // close
	Action  string        // close
}

// A Refused order: Code for machines, as in the API, Message for the person.
type Refused struct{ Code, Message string }

func (r *Refused) Error() string { return r.Message }

func refuse(code, format string, args ...any) error {
	return &Refused{code, fmt.Sprintf(format, args...)}
}

// Do carries out an order. The first of the events is what it became.
func (d *Desk) Do(now time.Time, o Order) ([]Event, error) {
	d.begin(now)
	if err := d.order(o); err != nil {
		return nil, err
	}
	d.turn()
	return d.out, nil
}

func (d *Desk) order(o Order) error {
	if o.Person != "" && d.duty.Person(o.Person) == nil {
		return refuse("not_found", "nobody has the id %q; the config lists people under `people:`", o.Person)
	}
	if o.Name == "test" {
		return d.test(o)
	}
	t, err := d.meant(o.Trouble, o.Name == "close")
	if err != nil {
		return err
	}
	e := Event{Trouble: t.Key, Person: o.Person, By: o.By, Via: o.Via, Reason: o.Reason}
	if name := d.name(o.Person); name != "" && name != o.By && (o.Name == "ack" || o.Name == "decline") {
		// The others are told who goes, not who has typed it.
		e.By = name
		if o.By != "" {
			e.Reason = strings.TrimSpace(o.Reason + " (entered by " + o.By + ")")
		}
	}
	switch o.Name {
	case "ack":
		promise := o.Promise
		if promise == 0 {
			promise = PromiseDefault
		}
		if promise < 0 || promise > 24*time.Hour {
			return refuse("bad_request", "a promise of %v cannot be; 20m is usual, 24h the most", promise)
		}
		if t.Ack != nil && t.Ack.By != e.By {
			return refuse("conflict", "%s has it already, until %s", t.Ack.By, d.clock(t.Ack.Until))
		}
		d.take([]*trouble{t}, e, promise)
		return nil
	case "decline":
		if o.Person == "" {
			return refuse("bad_request", "who cannot go? give the person's id")
		}
		d.decline([]*trouble{t}, e)
		return nil
	case "shelve":
		return d.shelve(t, o, e)
	case "unshelve":
		if t.Shelf == nil {
			return refuse("conflict", "trouble %s is not shelved", t.Key)
		}
		e.Kind = Unshelved
		d.do(e)
		return nil
	case "close":
		if t.Cleared.IsZero() {
			return refuse("conflict", "trouble %s goes on: it is closed when it is over; acknowledge it meanwhile", t.Key)
		}
		if strings.TrimSpace(o.Cause) == "" || strings.TrimSpace(o.Action) == "" {
			return refuse("bad_request", "what was it, and what was done? both are needed: cause and action")
		}
		e.Kind, e.Cause, e.Action = Closed, o.Cause, o.Action
		d.do(e)
		return nil
	}
	return refuse("bad_request", "there is no order %q: ack, decline, shelve, unshelve, close and test there are", o.Name)
}

func (d *Desk) clock(t time.Time) string { return t.In(d.duty.Location).Format("15:04") }

func (d *Desk) shelve(t *trouble, o Order, e Event) error {
	switch length := o.Until.Sub(d.now); {
	case strings.TrimSpace(o.Reason) == "":
		return refuse("bad_request", "why is it shelved? a reason is needed")
	case length <= 0:
		return refuse("bad_request", "until when is it shelved? the time must lie ahead")
	case t.severity() == Critical && length > ShelveMost:
		return refuse("bad_request", "what is critical is shelved for 4 h at the most, until %s", d.clock(d.now.Add(ShelveMost)))
	case length > 30*24*time.Hour:
		return refuse("bad_request", "nothing is shelved for more than 30 days")
	case !t.Cleared.IsZero():
		return refuse("conflict", "trouble %s is over: close it", t.Key)
	case t.Drill:
		return refuse("conflict", "a drill is not shelved: answer it")
	}
	if list := d.urgent(t); t.wakes() && len(list) > 0 {
		return refuse("conflict", "%s will be lost soon: it cannot be shelved; acknowledge it and go", join(list))
	}
	e.Kind, e.Until = Shelved, o.Until
	d.do(e)
	return nil
}

// test begins a drill.
func (d *Desk) test(o Order) error {
	switch {
	case d.running() != nil:
		return refuse("conflict", "a drill runs already")
	case d.inTrouble():
		return refuse("conflict", "people are called for something real now: test when that is over")
	case len(d.duty.People) == 0:
		return refuse("conflict", "there is nobody to call: list `people:` in the config")
	}
	var people []string
	if o.Person != "" {
		people = []string{o.Person}
	}
	a := d.drillAlarm()
	a.Raised = d.now
	d.do(Event{Kind: DrillStarted, Trouble: keyOf(&a), People: people, By: o.By, Via: o.Via, Reason: o.Reason})
	d.do(Event{Kind: OwnRaised, Alarm: &a})
	return nil
}

// meant finds the trouble that a person means.
func (d *Desk) meant(name string, over bool) (*trouble, error) {
	var fits []*trouble
	for _, t := range d.s.Troubles {
		if strings.EqualFold(t.Key, name) {
			return t, nil
		}
		ofUnit := slices.ContainsFunc(t.units(), func(u string) bool { return strings.EqualFold(u, name) })
		if (name == "" || ofUnit) && over == !t.Cleared.IsZero() {
			fits = append(fits, t)
		}
	}
	var keys []string
	for _, t := range fits {
		keys = append(keys, t.Key)
	}
	switch {
	case len(fits) == 1:
		return fits[0], nil
	case len(fits) > 1:
		return nil, refuse("conflict", "which one? there are %s", join(keys))
	case name == "":
		return nil, refuse("not_found", "there is no such trouble now")
	}
	return nil, refuse("not_found", "no trouble %q is known: `coldkeep alarms list` shows those that are", name)
}
