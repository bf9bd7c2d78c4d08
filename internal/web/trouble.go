package web

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"

	"coldkeep/internal/coldchain"
	"coldkeep/sensor"
)

// troubleView is what people are called for, as the page tells it.
type troubleView struct {
	ID, Key  string // ID is of the element, and the same while the trouble lasts
	State    string
	Tone     string
	Icon     string
	Head     string // how it stands, in capitals
	More     string // who, by what, why
	Where    string
	Text     string
	Say      string // the same for whoever cannot see it
	Since    string
	AtMs     int64
	Lines    []troubleLine
	Lost     string // the batch that is over its limit first
	Blocked  string // those that are
	Do       []string
	Moves    []moveView
	Called   []calledView
	Drill    bool
	Folded   bool // it does not press: the answers are behind one touch
	Answers  string
	Name     string // as the command line takes it
	People   []coldchain.Called
	Promises []choice
	Shelves  []choice
}

// A troubleLine is a unit as it stands: with Temp now, or the Last one.
type troubleLine struct{ Title, Temp, Last, Range, Status, Icon, Tone, Trend string }

// A moveView is where a batch of the trouble can go; To "" where it cannot.
type moveView struct{ Batch, Vials, By, To, Why, Else string }

type calledView struct{ Name, At string }

type choice struct{ Value, Text string }

var (
	promises = []choice{{"10m", "10 min"}, {"20m", "20 min"}, {"30m", "30 min"}, {"60m", "60 min"}}
	shelves  = []choice{{"30", "30 min"}, {"60", "1 hour"}, {"120", "2 hours"}, {"240", "4 hours"}} // minutes
)

// answers says how a person at the page can answer.
func (s *Server) answers() string {
	switch {
	case s.o.Open:
		return "open"
	case s.o.Token != "":
		return "token"
	}
	return "none"
}

// gravestFirst orders troubles as a person should read them: what is over and
// what is only a test comes last, and of the same the one that has lasted longest first.
func gravestFirst(list []coldchain.Trouble) []coldchain.Trouble {
	rank := func(t coldchain.Trouble) (n int) {
		switch t.State {
		case "acknowledged":
			n = 1
		case "shelved":
			n = 2
		case "cleared":
			n = 20
		}
		if t.Severity != coldchain.Critical {
			n += 5
		}
		if t.Drill {
			n += 10
		}
		return n
	}
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b coldchain.Trouble) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.Opened, b.Opened))
	})
	return list
}

func viewTrouble(snap *coldchain.Snapshot, t *coldchain.Trouble, r coldchain.Reader, page *pageView) troubleView {
	id := fnv.New64a()
	_, _ = id.Write([]byte(t.Key)) // a hash takes everything
	v := troubleView{ID: fmt.Sprintf("t%x", id.Sum64()), Key: t.Key, Name: t.Key, State: t.State, Text: t.Text, Since: clock(r, t.Opened), AtMs: int64(t.Opened), Drill: t.Drill,
		Folded:  t.State == "raised" && t.Severity != coldchain.Critical,
		Answers: page.Answers, People: page.People, Promises: promises, Shelves: shelves}
	if len(t.Units) == 1 && alone(snap, t) {
		v.Name = t.Units[0]
	}
	v.stand(t, r)
	var where []string
	for _, id := range t.Units {
		u := unitOf(snap, id)
		if u == nil {
			where = append(where, id)
			continue
		}
		where = append(where, u.Title())
		v.Lines = append(v.Lines, viewLine(u, r))
		if do := todo(u); do != "" && (t.State == "raised" || t.State == "acknowledged") && !slices.Contains(v.Do, do) {
			v.Do = append(v.Do, do)
		}
	}
	if len(v.Lines) == 1 {
		v.Lines[0].Title = "" // it is the heading
	}
	v.Where = strings.Join(where, ", ")
	v.Say = v.Where
	if len(where) > 2 && t.State != "cleared" { // their lines tell it, and the answers must not be far down
		v.Where, v.Text = fmt.Sprintf("%d units", len(where)), ""
	}
	switch {
	case t.Drill:
		v.Where = "TEST, no danger"
	case v.Where == "" && page.Site != "":
		v.Where = page.Site
	}
	if t.State != "cleared" && !t.Drill {
		v.Moves = viewMoves(page.rescues, t.Units, r)
	}
	if t.State != "cleared" {
		v.Lost, v.Blocked = firstLost(snap, t.Units, r), blocked(snap, t.Units)
	}
	for _, c := range t.Called {
		name := c.Name
		if name == "" {
			name = c.Person
		}
		v.Called = append(v.Called, calledView{name, clock(r, c.At)})
	}
	v.Say = cmp.Or(v.Say, v.Where) + ": " + v.Head + ". " + t.Text
	return v
}

// stand says how it stands with a trouble: what people made of it.
func (v *troubleView) stand(t *coldchain.Trouble, r coldchain.Reader) {
	by := t.By
	if by == "" {
		by = "Somebody"
	}
	until, over := "", false
	if t.Until != nil {
		until, over = clock(r, *t.Until), *t.Until <= r.Now
	}
	switch t.State {
	case "acknowledged":
		v.Tone, v.Icon, v.Head = "wait", "→", strings.ToUpper(by)+" IS GOING"
		if over {
			v.Tone, v.Icon, v.Head = "stop", "✕", strings.ToUpper(by)+" PROMISED "+until+", WHICH HAS PASSED"
		} else if until != "" {
			v.Head += ", THERE BY " + until
		}
		if t.Via != "" {
			v.More = "Answered by " + t.Via + "."
		}
	case "shelved":
		v.Tone, v.Icon, v.Head = "wait", "‖", "SHELVED"
		if until != "" {
			v.Head += " UNTIL " + until
		}
		v.More = "By " + by
		if t.Reason != "" {
			v.More += ": " + t.Reason
		}
		v.More += ". Nobody is called."
	case "cleared":
		v.Tone, v.Icon, v.Head = "wait", "✓", "OVER, NOT CLOSED YET"
		if t.Cleared != nil {
			v.Head = "OVER SINCE " + clock(r, *t.Cleared) + ", NOT CLOSED YET"
		}
		v.More = "Nothing to do tonight. Say what it was, and what was done."
	default:
		v.Tone, v.Icon, v.Head = "stop", "✕", "NOBODY IS GOING YET"
		if t.Severity != coldchain.Critical {
			v.Tone, v.Icon = "ask", "?"
		}
		switch {
		case t.Drill:
			v.Tone, v.Icon, v.Head = "ask", "?", "NOBODY HAS ANSWERED THE TEST YET"
		case !t.Wakes && len(t.Called) == 0:
			v.Head = "WAITS FOR WORKING HOURS"
		}
	}
}

func viewLine(u *coldchain.UnitState, r coldchain.Reader) troubleLine {
	word, tone := u.Status()
	x := troubleLine{Title: u.Title(), Range: u.Range.Text(), Status: word, Tone: tone, Icon: icon(tone), Trend: trends[u.Rising]}
	if u.Temp != nil {
		x.Temp = coldchain.Degrees(*u.Temp, u.Range.Low, u.Range.High) + " °C"
	} else if p := u.LastGood(); p != nil {
		x.Last = coldchain.Degrees(p.LastGood.Temp, u.Range.Low, u.Range.High) + " °C at " + clock(r, p.LastGood.Time)
	}
	return x
}

// todo is what to do at a unit first, in the words of the messages; "" where
// nothing is wrong with it.
func todo(u *coldchain.UnitState) string {
	frozen := u.Range.High <= 0
	switch {
	case u.Unmonitored:
		return "Read the unit's own display. Out of range: save the vials first."
	case u.OutOfRange && u.Side == "high" && frozen:
		return "Keep the door shut; look at plug and switch. Do not move the vials to a fridge."
	case u.OutOfRange && u.Side == "high":
		return "Shut the door; look at plug and switch. Not falling in 10 min: move the vials to a fridge in range."
	case u.OutOfRange && frozen:
		return "Look at the freezer's setting. Do not move the vials to a fridge."
	case u.OutOfRange:
		return "Look at the thermostat; move the vials off the coldest wall. Do not use any that froze."
	}
	return ""
}

// movesShown is how many batches a trouble tells of.
const movesShown = 8

// viewMoves tells where the batches of units can go, the most urgent first.
// What is over its limit already stays, and is told as blocked.
func viewMoves(all map[string][]coldchain.Rescue, units []string, r coldchain.Reader) (list []moveView) {
	last := ""
	for _, id := range units {
		for _, x := range all[id] {
			if x.Lost || len(list) == movesShown {
				continue
			}
			v := moveView{Batch: x.Batch, Why: x.Reason}
			if x.Vials > 0 {
				v.Vials = fmt.Sprintf("%d vials", x.Vials)
			}
			if x.LostAt != nil {
				v.By = clock(r, *x.LostAt)
			}
			for i := range x.Refuges {
				if i == 0 {
					v.To, v.Why = x.Refuges[i].Text(), x.Refuges[i].Reason
					continue
				}
				if v.Else != "" {
					v.Else += ", "
				}
				v.Else += x.Refuges[i].Text()
			}
			if to := x.Target(); to == nil {
				last = ""
			} else if to.Unit == last { // why is said above
				v.Why, v.Else = "", ""
			} else {
				last = to.Unit
			}
			list = append(list, v)
		}
	}
	return list
}

// firstLost tells of the batch that is over its limit first if nobody comes; "" where nothing is known of one.
func firstLost(snap *coldchain.Snapshot, units []string, r coldchain.Reader) string {
	var first *coldchain.BatchState
	for i := range snap.Batches {
		b := &snap.Batches[i]
		if at := b.FirstLost(); at != nil && slices.Contains(units, b.Unit) && (first == nil || *at < *first.FirstLost()) {
			first = b
		}
	}
	if first == nil {
		return ""
	}
	what := first.ID
	if first.Vials > 0 {
		what += fmt.Sprintf(" (%d vials)", first.Vials)
	}
	at := *first.FirstLost() // who goes by the middle of a forecast comes too late in half of the cases
	left := at.Sub(r.Now).Seconds()
	if left <= 0 {
		return "First over its limit: " + what + ", now"
	}
	return "First over its limit: " + what + " at " + clock(r, at) + ", in " + coldchain.Span(left)
}

// blocked names the batches in the units that a person must decide on; ""
// where there is none.
func blocked(snap *coldchain.Snapshot, units []string) string {
	var ids []string
	for i := range snap.Batches {
		if b := &snap.Batches[i]; b.Verdict == coldchain.Quarantined && slices.Contains(units, b.Unit) {
			ids = append(ids, b.ID)
		}
	}
	if len(ids) == 0 {
		return ""
	}
	return "Do not use: " + strings.Join(ids, ", ")
}

// alone says whether the trouble is the only one of its unit.
func alone(snap *coldchain.Snapshot, t *coldchain.Trouble) bool {
	for i := range snap.Troubles {
		if o := &snap.Troubles[i]; o.Key != t.Key && slices.Contains(o.Units, t.Units[0]) {
			return false
		}
	}
	return true
}

// clock writes a time of today without the day.
func clock(r coldchain.Reader, t sensor.Instant) string {
	if r.Day(t) == r.Day(r.Now) {
		return t.Time().In(r.Location).Format("15:04")
	}
	return r.Clock(t)
}
