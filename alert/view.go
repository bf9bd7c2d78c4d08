package alert

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// A View is a trouble as people see it on a screen.
type View struct {
	Key      string
	State    string // raised, acknowledged, shelved, cleared
	Severity Severity
	Wakes    bool
	Drill    bool
	Units    []string
	Alarms   []string // keys of those that hold
	Text     string
	Opened   time.Time
	Cleared  time.Time
	By, Via  string
	Reason   string
	Until    time.Time
	Called   []CalledPerson
}

// A CalledPerson is one who was called.
type CalledPerson struct {
	Person, Name string
	At           time.Time
}

// Troubles tells of all that are open, and of those that nobody has closed
// yet, in order of their beginning.
func (d *Desk) Troubles() []View {
	list := make([]View, 0, len(d.s.Troubles))
	for _, t := range d.s.Troubles {
		v := View{Key: t.Key, State: "raised", Severity: t.severity(), Wakes: t.wakes(), Drill: t.Drill, Units: t.units(), Opened: t.Opened, Cleared: t.Cleared}
		var texts []string
		var ofBatches sayings
		for _, m := range t.Alarms {
			if m.Left.IsZero() {
				v.Alarms = append(v.Alarms, m.Key)
			}
			switch text := m.Text; {
			case !m.Left.IsZero() && t.holds():
			case m.Batch == "":
				texts = append(texts, text)
			default:
				ofBatches.add(m.Batch, text)
			}
		}
		// First what is wrong, then what becomes of the batches; of many units the same once.
		var each []string
		for _, text := range append(texts, ofBatches.texts()...) {
			if !slices.Contains(each, text) {
				each = append(each, text)
			}
		}
		v.Text = strings.Join(each, "; ")
		switch {
		case !t.Cleared.IsZero():
			v.State = "cleared"
			if t.Ack != nil { // who had it at the end
				v.By, v.Via = t.Ack.By, t.Ack.Via
			}
		case t.Shelf != nil:
			v.State, v.By, v.Via, v.Reason, v.Until = "shelved", t.Shelf.By, t.Shelf.Via, t.Shelf.Reason, t.Shelf.Until
		case t.Ack != nil:
			v.State, v.By, v.Via, v.Until = "acknowledged", t.Ack.By, t.Ack.Via, t.Ack.Until
		}
		for _, c := range t.Called {
			v.Called = append(v.Called, CalledPerson{c.Person, d.name(c.Person), c.At})
		}
		list = append(list, v)
	}
	return list
}

// sayings are what is said of batches: the same of several is said once.
type sayings []struct {
	before, after string // the id stands between
	ids           []string
}

// add puts what is said of a batch to what the same is said of.
func (s *sayings) add(id, text string) {
	before, after, inside := strings.Cut(text, id)
	if !inside {
		before, after = "", ": "+text
	}
	for i := range *s {
		if x := &(*s)[i]; x.before == before && x.after == after {
			if !slices.Contains(x.ids, id) {
				x.ids = append(x.ids, id)
			}
			return
		}
	}
	*s = append(*s, struct {
		before, after string
		ids           []string
	}{before, after, []string{id}})
}

// most is how many batches are named of which the same is said.
const most = 8

func (s sayings) texts() (list []string) {
	for _, x := range s {
		ids, more := x.ids, ""
		if len(ids) > most {
			ids, more = ids[:most], fmt.Sprintf(" and %d more", len(ids)-most)
		}
		if len(x.ids) > 1 {
			if x.before == "batch " {
				x.before = "batches "
			}
			if rest, is := strings.CutPrefix(x.after, " is "); is {
				x.after = " are " + rest
			}
		}
		list = append(list, x.before+strings.Join(ids, ", ")+more+x.after)
	}
	return list
}

// Own are the alarms that the Desk itself has found and that hold.
func (d *Desk) Own() []Alarm {
	list := make([]Alarm, 0, len(d.s.Own))
	for _, a := range d.s.Own {
		list = append(list, *a)
	}
	return list
}

// A DrillView tells of the newest drill, and of the last one that was answered.
type DrillView struct {
	At         time.Time     // zero: there was none
	Answered   bool          // the newest one was
	AnsweredAt time.Time     // zero: none ever was
	Took       time.Duration // from that one's page to the answer
}

// LastDrill tells of the drills.
func (d *Desk) LastDrill() DrillView {
	return DrillView{At: d.s.DrillAt, Answered: d.s.DrillTook > 0, AnsweredAt: d.s.DrillGood, Took: d.s.DrillGoodTook}
}

// Open gives a message about each trouble that people or services are told of,
// as it stands now, for services that must be told again and again.
func (d *Desk) Open() (list []Message) {
	for _, t := range d.s.Troubles {
		if !t.Cleared.IsZero() || t.Drill {
			continue
		}
		purpose := Page
		if !t.wakes() {
			purpose = Notice
		}
		n := d.compose("", "", "", purpose, []*trouble{t}, nil)
		list = append(list, d.Message(n))
	}
	return list
}
