package alert

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// A Desk decides who is called about what, by which contact, and when again.
// It is used by one goroutine. Times are the record's: they never run
// backwards, and where they jump the Desk is told (ClockJumped).
type Desk struct {
	duty  Duty
	words Catalogues
	key   []byte // signs buttons

	s     state
	sit   Situation
	known bool // sit is: before the first Turn after a start nothing is over
	out   []Event
	now   time.Time
	// said is what was put into words in this turn.
	said map[string]words

	gaps   []Alarm // in rotas, as of gapsAt
	gapsAt time.Time
}

const (
	// settle is how long nothing must be wrong before people are told that it
	// is over: what comes back within is the same trouble.
	settle = 3 * time.Minute
	// gather is how long after its beginning a trouble takes in what begins in
	// other units: a power cut is one trouble.
	gather = 2 * time.Minute
	// progressEvery is how often whoever took it hears how it stands.
	progressEvery = 15 * time.Minute
	// better is by how much it must have turned when a promise has passed.
	better = int64(300) // m°C
	// extend is how long an acknowledgement then goes on holding.
	extend = 10 * time.Minute
	// promised is what the first button of a message promises.
	promised = 30 * time.Minute
	// forgetAfter is when a trouble is closed that nobody has closed.
	forgetAfter = 30 * 24 * time.Hour
	// noticeEvery is how often people are told again of what is for working hours.
	noticeEvery = 24 * time.Hour
	// drillLate is by how much a drill may be late and is still held.
	drillLate = time.Hour
	// drillShown is how long people can read who answered a drill.
	drillShown = 10 * time.Minute
)

// words are a message's.
type words struct{ title, body string }

// NewDesk makes a Desk without memory. key signs the answers that messages
// offer; it must be the same after a restart. Without words it speaks those
// that ship.
func NewDesk(d Duty, all Catalogues, key []byte) *Desk {
	if all == nil {
		all = NewCatalogues()
	}
	if d.Location == nil {
		d.Location = time.UTC
	}
	return &Desk{duty: d, words: all, key: key, s: newState(), said: map[string]words{}}
}

// Duty is what the Desk goes by.
func (d *Desk) Duty() *Duty { return &d.duty }

// do decides: it applies an event and hands it out.
func (d *Desk) do(e Event) {
	e.At = d.now
	// What is handed out must not change with what it was taken from.
	if e.Alarm != nil {
		a := *e.Alarm
		e.Alarm = &a
	}
	if e.Notification != nil {
		n := *e.Notification
		e.Notification = &n
	}
	d.Apply(e)
	d.out = append(d.out, e)
}

func (d *Desk) begin(now time.Time) {
	d.now, d.out = now.UTC().Truncate(time.Millisecond), nil
	clear(d.said)
}

// Turn compares what holds now with what the Desk knows and decides what
// follows. It is to be called at every turn of the Monitor, and at least as
// often as Next asks for. What it decides is applied already.
func (d *Desk) Turn(now time.Time, sit Situation) []Event {
	d.begin(now)
	d.sit, d.known = sit, true
	d.turn()
	return d.out
}

func (d *Desk) turn() {
	if !d.known {
		return
	}
	d.findOwn()
	d.gather()
	for _, t := range slices.Clone(d.s.Troubles) {
		d.follow(t)
	}
	d.send()
}

// follow decides what becomes of one trouble.
func (d *Desk) follow(t *trouble) {
	switch {
	case !t.Cleared.IsZero():
		if t.Drill && len(t.Owes) == 0 && d.now.Sub(t.Cleared) > drillShown || d.now.Sub(t.Cleared) > forgetAfter {
			d.do(Event{Kind: Closed, Trouble: t.Key, By: "coldkeep", Reason: "nobody has closed it"})
		}
	case t.Drill:
		d.followDrill(t)
	case d.over(t):
		d.do(Event{Kind: TroubleCleared, Trouble: t.Key})
	default:
		d.lapse(t)
		d.step(t)
	}
}

// Next says when Turn must be called again at the latest: often while
// somebody is being called, for its deadlines are many and it costs little.
func (d *Desk) Next(now time.Time) time.Time {
	for _, t := range d.s.Troubles {
		if t.Cleared.IsZero() || len(t.Owes) > 0 {
			return now.Add(time.Second)
		}
	}
	if len(d.s.Asked) > 0 || len(d.s.Health) > 0 {
		return now.Add(time.Second)
	}
	return now.Add(30 * time.Second)
}

// unit is how a unit stands; nil where it is not known any more.
func (d *Desk) unit(id string) *Unit {
	for i := range d.sit.Units {
		if d.sit.Units[i].ID == id {
			return &d.sit.Units[i]
		}
	}
	return nil
}

// wakes says whether people are called for the alarm at any hour.
func (d *Desk) wakes(a *Alarm) bool {
	if a.Historic || a.Severity != Critical {
		return false
	}
	w, known := d.duty.Wakes[a.Kind]
	if !known {
		w = DefaultWakes()[a.Kind]
	}
	if w != AtOnce {
		return false
	}
	switch a.Kind {
	case TooWarm, TooCold, NoData, DoorOpen, Other:
		// An empty fridge may be warm until the morning.
		u := d.unit(a.Unit)
		return a.Unit == "" || d.duty.UntrackedStock || u != nil && len(u.Batches) > 0
	case Undeliverable:
		// A service that hears nothing is looked at by day.
		return slices.ContainsFunc(d.duty.People, func(p Person) bool {
			return slices.ContainsFunc(p.Contacts, func(c Contact) bool { return c.Channel == a.Channel })
		})
	}
	return true
}

func (d *Desk) working(t time.Time) bool { return d.duty.WorkingHours().Contains(t, d.duty.Location) }

// gather puts every alarm that holds into a trouble, and takes those out that
// hold no more.
func (d *Desk) gather() {
	all := make(map[string]*Alarm, len(d.sit.Alarms)+len(d.s.Own))
	var order []*Alarm
	for i := range d.sit.Alarms {
		order = append(order, &d.sit.Alarms[i])
	}
	order = append(order, d.s.Own...)
	for _, a := range order {
		all[a.Key] = a
		wakes := d.wakes(a)
		if t, m := d.member(a.Key); m != nil {
			if wakes && !m.Wakes && !m.Day || m.Severity != a.Severity {
				d.graver(t, wakes && !m.Day)
				d.do(Event{Kind: TroubleJoined, Trouble: t.Key, Alarm: a, Wakes: wakes && !m.Day, Day: m.Day})
			}
			continue
		}
		// All who were called at night know of it; a decision waits for the day.
		day := d.s.Waiting[a.Key]
		if day && !d.working(d.now) {
			continue
		}
		wakes = wakes && !day
		t := d.fits(a)
		if t == nil {
			t = d.open(a)
		}
		d.graver(t, wakes)
		d.do(Event{Kind: TroubleJoined, Trouble: t.Key, Alarm: a, Wakes: wakes, Day: day})
	}
	for _, t := range d.s.Troubles {
		for _, m := range t.Alarms {
			if m.Left.IsZero() && all[m.Key] == nil {
				d.do(Event{Kind: TroubleLeft, Trouble: t.Key, Alarm: &m.Alarm})
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(d.s.Waiting)) {
		if all[key] == nil {
			d.do(Event{Kind: TroubleLeft, Alarm: &Alarm{Key: key}})
		}
	}
}

// graver ends what was said of a trouble that could wait, before it becomes
// one that cannot: whoever took that, or put it off, knew nothing of this.
func (d *Desk) graver(t *trouble, wakes bool) {
	if !wakes || slices.ContainsFunc(t.Alarms, func(m *member) bool { return m.Wakes }) {
		return
	}
	const reason = "it has become critical"
	if a := t.Ack; a != nil {
		d.do(Event{Kind: Lapsed, Trouble: t.Key, By: a.By, Person: a.Person, Until: a.Until, Lapse: Worsened, Reason: reason})
	}
	if t.Shelf != nil {
		d.do(Event{Kind: Unshelved, Trouble: t.Key, Lapse: Worsened, Reason: reason})
	}
}

// member is an alarm that holds, with its trouble.
func (d *Desk) member(key string) (*trouble, *member) {
	for _, t := range d.s.Troubles {
		for _, m := range t.Alarms {
			if m.Key == key && m.Left.IsZero() {
				return t, m
			}
		}
	}
	return nil, nil
}

// fits finds the open trouble that an alarm belongs to: that of its unit; one
// that has just begun in another, or that a power cut explains; that of the
// same kind where it is of no unit.
func (d *Desk) fits(a *Alarm) *trouble {
	if a.Kind == Drill {
		return nil
	}
	for _, t := range d.s.Troubles {
		if t.Drill || !t.Cleared.IsZero() {
			continue
		}
		for _, m := range t.Alarms {
			if a.Unit != "" && m.Unit == a.Unit || a.Unit == "" && m.Unit == "" && m.Kind == a.Kind {
				return t
			}
		}
	}
	if a.Unit == "" && a.Kind != MainsLost {
		return nil
	}
	for _, t := range d.s.Troubles {
		if t.Drill || !t.Cleared.IsZero() || t.Ack != nil || t.Shelf != nil {
			continue
		}
		ofUnits := slices.ContainsFunc(t.Alarms, func(m *member) bool { return m.Unit != "" || m.Kind == MainsLost })
		mains := slices.ContainsFunc(t.Alarms, func(m *member) bool { return m.Kind == MainsLost && m.Left.IsZero() })
		if mains || ofUnits && d.now.Sub(t.Opened) < gather {
			return t
		}
	}
	return nil
}

// keyOf is the key of the trouble that an alarm begins: stable, and short
// enough to be typed.
func keyOf(a *Alarm) string {
	where := a.Unit
	if where == "" {
		where = "site"
	}
	return strings.Join([]string{where, string(a.Kind), a.Raised.UTC().Format("20060102T150405Z")}, "/")
}

// open begins a trouble with an alarm.
func (d *Desk) open(a *Alarm) *trouble {
	key := keyOf(a)
	if d.s.Waiting[a.Key] { // the trouble in which it was told first has that key
		key = keyOf(&Alarm{Unit: a.Unit, Kind: a.Kind, Raised: d.now})
	}
	for d.s.trouble(key) != nil {
		key += "-2"
	}
	id := ""
	if p := d.duty.Policy(a.Severity, []string{a.Unit}, d.now); p != nil {
		id = p.ID
	}
	d.do(Event{Kind: TroubleOpened, Trouble: key, Policy: id})
	return d.s.trouble(key)
}

// policy is the one by which the trouble's people are called; nil where there
// is nobody to call.
func (d *Desk) policy(t *trouble) *Policy {
	for i := range d.duty.Policies {
		if p := &d.duty.Policies[i]; p.ID == t.Policy {
			if p.Severity == "" || p.Severity == t.severity() {
				return p
			}
		}
	}
	return d.duty.Policy(t.severity(), t.units(), t.Opened)
}

// needs says whether an alarm needs somebody before the morning. A batch that
// is lost in a unit that is well again waits for a decision and for nothing
// else.
func (d *Desk) needs(t *trouble, m *member) bool {
	if !m.Left.IsZero() {
		return false
	}
	if m.Kind != BatchLost && m.Kind != BatchFlagged {
		return true
	}
	alone := !slices.ContainsFunc(t.Alarms, func(x *member) bool { return x.Unit == m.Unit && x.Kind != BatchLost && x.Kind != BatchFlagged })
	u := d.unit(m.Unit)
	return alone || u != nil && (u.Temp == "" || u.Beyond != 0)
}

// calm says whether nothing of the trouble needs anybody, and since when.
func (d *Desk) calm(t *trouble) (since time.Time, ok bool) {
	for _, m := range t.Alarms {
		if d.needs(t, m) {
			return since, false
		}
		if m.Left.After(since) {
			since = m.Left
		}
	}
	return since, true
}

// over says whether the trouble is: nothing of it needs anybody, and that has
// lasted.
func (d *Desk) over(t *trouble) bool {
	since, ok := d.calm(t)
	return ok && d.now.Sub(since) >= settle
}

// urgent are the trouble's batches that are about to be lost.
func (d *Desk) urgent(t *trouble) (list []string) {
	for _, id := range t.units() {
		u := d.unit(id)
		if u == nil {
			continue
		}
		for _, b := range u.Batches {
			if !b.Lost && !b.UrgentAt.IsZero() && !d.now.Before(b.UrgentAt) {
				list = append(list, b.ID)
			}
		}
	}
	return list
}

// beyond is how far out the worst of the trouble's units is, in m°C.
func (d *Desk) beyond(t *trouble) (most int64) {
	for _, id := range t.units() {
		if u := d.unit(id); u != nil && u.Temp != "" {
			most = max(most, u.Beyond, -u.Beyond)
		}
	}
	return most
}

// turned says whether the trouble gets better: every unit of it turns, or is
// nearer to its range than when somebody took it and does not go back.
func (d *Desk) turned(t *trouble) bool {
	seen := false
	for _, m := range t.Alarms {
		if !m.Left.IsZero() || !d.needs(t, m) {
			continue
		}
		if m.Unit == "" || m.Kind == NoData {
			return false
		}
		u := d.unit(m.Unit)
		if u == nil || u.Temp == "" || u.leaving() || !u.Turning() && max(u.Beyond, -u.Beyond) > t.Ack.Beyond-better {
			return false
		}
		seen = true
	}
	return seen
}
