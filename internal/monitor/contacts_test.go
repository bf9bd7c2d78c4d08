package monitor

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"coldkeep/alert"
	"coldkeep/internal/coldchain"
	"coldkeep/sensor"
)

func doorOf(unit string) sensor.Contact {
	return sensor.Contact{ID: "door", Kind: sensor.Door, Pin: "GPIO17", Units: []string{unit}, After: 3 * time.Minute}
}

// told tells the Monitor how a contact stands since now.
func (n *night) told(id string, on bool, fault sensor.Fault) {
	n.t.Helper()
	if err := n.m.Contact(n.t.Context(), sensor.ContactState{ID: id, Time: sensor.At(n.wall()), On: on, Fault: fault}); err != nil {
		n.t.Fatal(err)
	}
}

// open are the alarms that hold, as "unit rule".
func (n *night) open() (list []string) {
	for _, a := range n.m.Snapshot().Alarms {
		list = append(list, strings.TrimSpace(a.Unit+" "+a.Rule))
	}
	slices.Sort(list)
	return list
}

func (n *night) wantOpen(when string, want ...string) {
	n.t.Helper()
	if got := n.open(); !slices.Equal(got, want) {
		n.t.Errorf("%s: alarms %q, want %q", when, got, want)
	}
}

// changes are the journal's events of contacts, as "id state".
func (n *night) changes() (list []string) {
	n.t.Helper()
	for _, e := range n.events(coldchain.ContactChanged) {
		list = append(list, e.Contact+" "+e.State)
	}
	return list
}

// with runs a night with contacts that begins at a time.
func with(t *testing.T, at time.Time, tell func(n *night), contacts ...sensor.Contact) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		duty := nightDuty()
		duty.Location = at.Location()
		n := newNight(t, duty, at, contacts...)
		tell(n)
		n.stop()
	})
}

var evening = time.Date(2026, 5, 4, 20, 0, 0, 0, time.UTC)

// A door that stands open is told once, after its time, and wakes nobody; it
// is over when the door is shut. A door that is shut in time is only recorded.
func TestADoorLeftOpenIsToldOnce(t *testing.T) {
	with(t, evening, func(n *night) {
		n.told("door", false, "")
		n.told("door", true, "")
		time.Sleep(2 * time.Minute)
		n.told("door", false, "")
		time.Sleep(5 * time.Minute)
		n.wantOpen("shut in time")
		began := time.Now()
		n.told("door", true, "")
		time.Sleep(170 * time.Second)
		n.wantOpen("open for less than three minutes")
		time.Sleep(20 * time.Second)
		n.wantOpen("open for more", "fridge-1 open_too_long")
		time.Sleep(time.Hour)
		n.wantOpen("for an hour", "fridge-1 open_too_long")
		s := n.m.Snapshot()
		if u := s.Units[0]; u.DoorOpen == nil || !*u.DoorOpen || u.MainsLost != nil || s.Units[1].DoorOpen != nil {
			t.Errorf("units %v %v %v", u.DoorOpen, u.MainsLost, s.Units[1].DoorOpen)
		}
		if a := s.Alarms[0]; a.Severity != coldchain.Warning || a.Text != "the door is open for more than 3m" || a.Raised.Time().Sub(evening) > 8*time.Minute {
			t.Errorf("alarm %+v", a)
		}
		n.told("door", true, "") // once more the same
		n.told("door", false, "")
		n.wantOpen("shut")
		if got := n.events(coldchain.AlarmRaised); len(got) != 1 {
			t.Errorf("raised %d times", len(got))
		}
		if got := n.calls(began); count(got, " page") != 0 {
			t.Errorf("a door woke people: %q", got)
		}
		if got, want := n.changes(), []string{"door closed", "door open", "door closed", "door open", "door closed"}; !slices.Equal(got, want) {
			t.Errorf("recorded %q, want %q", got, want)
		}
		c := n.m.Snapshot().Contacts[0]
		if c.State != "closed" || c.TodayCount != 2 || c.TodayS != 120+190+3600 || c.Count != 2 || c.OnS != c.TodayS {
			t.Errorf("contact %+v", c)
		}
	}, doorOf("fridge-1"))
}

// Mains of several units that are lost are one alarm that names them, and get
// people out of bed.
func TestMainsThatAreLostPage(t *testing.T) {
	mains := sensor.Contact{ID: "mains", Kind: sensor.Mains, Pin: "GPIO18", Units: []string{"fridge-1", "fridge-2"}, After: time.Minute}
	with(t, evening, func(n *night) {
		n.told("mains", false, "")
		began := time.Now()
		n.told("mains", true, "")
		time.Sleep(50 * time.Second)
		if got := n.calls(began); len(got) != 0 {
			t.Errorf("called after less than a minute: %q", got)
		}
		time.Sleep(20 * time.Second)
		n.wantOpen("lost", "mains_lost")
		m := n.push.fresh()
		if len(m) != 1 || m[0].Purpose != alert.Page || !strings.HasPrefix(m[0].Title, "POWER OUT at Clinic A since 20:00") || !strings.Contains(m[0].Body, "Fridge 1, Fridge 2") {
			t.Errorf("%+v", m)
		}
		s := n.m.Snapshot()
		for i, want := range []bool{true, true} {
			if l := s.Units[i].MainsLost; l == nil || *l != want {
				t.Errorf("unit %d: %v", i, l)
			}
		}
		if s.Units[2].MainsLost != nil {
			t.Error("a unit of which nothing is known has its mains told")
		}
		n.told("mains", false, "")
		n.wantOpen("back")
		n.calls(began)
		time.Sleep(4 * time.Minute)
		if got := n.calls(began); count(got, "anna all_clear") != 1 {
			t.Errorf("nobody hears that the power is back: %q", got)
		}
	}, mains)
}

// The mains of one unit, its own alarm and its door are one trouble with what
// its temperature does; mains without a unit are those of all.
func TestContactsJoinTheTroubleOfTheirUnit(t *testing.T) {
	with(t, evening, func(n *night) {
		n.told("site", false, "")
		n.told("own", true, "")
		n.wantOpen("at once", "fridge-1 unit_alarm")
		n.told("door", true, "")
		n.told("mains", true, "")
		n.bus.set(9000, "a")
		time.Sleep(10 * time.Minute)
		n.wantOpen("all", "fridge-1 batch", "fridge-1 mains_lost", "fridge-1 open_too_long", "fridge-1 unit_alarm", "fridge-1 warm")
		list := n.m.Snapshot().Troubles
		if len(list) != 1 || !slices.Equal(list[0].Units, []string{"fridge-1"}) || list[0].Severity != coldchain.Critical {
			t.Errorf("troubles %+v", list)
		}
		n.told("site", true, "")
		for _, u := range n.m.Snapshot().Units {
			if u.MainsLost == nil || !*u.MainsLost {
				t.Errorf("%s has mains while the site has none", u.ID)
			}
		}
	}, doorOf("fridge-1"), sensor.Contact{ID: "own", Kind: sensor.Relay, Pin: "GPIO19", Units: []string{"fridge-1"}},
		sensor.Contact{ID: "mains", Kind: sensor.Mains, Pin: "GPIO20", Units: []string{"fridge-1"}, After: time.Minute}, sensor.Contact{ID: "site", Kind: sensor.Mains, Pin: "GPIO21", After: time.Minute})
}

// A door never takes away a minute of what a batch has been through.
func TestADoorExcusesNothing(t *testing.T) {
	exposure := func(open bool) (e coldchain.Exposure) {
		with(t, evening, func(n *night) {
			n.told("door", open, "")
			n.bus.set(9000, "a")
			time.Sleep(30 * time.Minute)
			n.told("door", !open, "")
			time.Sleep(time.Minute)
			e = n.m.Snapshot().Batches[0].Exposure
		}, doorOf("fridge-1"))
		return e
	}
	a, b := exposure(true), exposure(false)
	if a.AboveS < 1800 || a.AboveS != b.AboveS || a.UnmonitoredS != b.UnmonitoredS {
		t.Errorf("with the door open %+v, without %+v", a, b)
	}
}

// After a restart the last state is known from the journal; what is the same
// is no event, what is another is one. An alarm goes on, and is not raised anew.
func TestARestartKnowsHowContactsStood(t *testing.T) {
	with(t, evening, func(n *night) {
		n.told("door", false, "")
		n.told("door", true, "")
		n.told("mains", false, "")
		time.Sleep(5 * time.Minute)
		n.wantOpen("before", "fridge-1 open_too_long")
		before := n.m.Snapshot().Contacts
		for i, end := range []func(){func() { n.stop() }, func() { n.cancel() }} {
			end()
			time.Sleep(time.Minute)
			n.start()
			n.wantOpen(fmt.Sprintf("after restart %d, before the pin is read", i), "fridge-1 open_too_long")
			n.told("door", true, "")
			n.told("mains", false, "")
			s := n.m.Snapshot().Contacts
			if s[0].State != "open" || s[0].Since != before[0].Since || s[1].State != "present" || s[1].Since != before[1].Since || s[0].TodayCount != 1 || s[0].Count != 0 {
				t.Errorf("restart %d: %+v, was %+v", i, s, before)
			}
		}
		if got, want := n.changes(), []string{"door closed", "door open", "mains present"}; !slices.Equal(got, want) {
			t.Errorf("recorded %q, want %q", got, want)
		}
		n.stop()
		time.Sleep(time.Minute)
		n.start()
		n.told("door", false, "") // shut while nobody looked
		n.wantOpen("shut meanwhile")
		if got := n.changes(); got[len(got)-1] != "door closed" || len(got) != 4 {
			t.Errorf("recorded %q", got)
		}
		if got := n.events(coldchain.AlarmRaised); len(got) != 1 {
			t.Errorf("raised %d times", len(got))
		}
	}, doorOf("fridge-1"), sensor.Contact{ID: "mains", Kind: sensor.Mains, Pin: "GPIO18", Units: []string{"fridge-1"}, After: time.Minute})
}

// What tells nothing is not well: it is a warning after a while, and mains
// that were lost stay lost.
func TestAContactThatTellsNothingIsNotWell(t *testing.T) {
	mains := sensor.Contact{ID: "mains", Kind: sensor.Mains, Pin: "GPIO18", Units: []string{"fridge-1"}, After: time.Minute}
	with(t, evening, func(n *night) {
		n.told("mains", true, "")
		time.Sleep(2 * time.Minute)
		n.wantOpen("lost; the door has told nothing at all", "fridge-1 contact_unknown", "fridge-1 mains_lost")
		n.told("mains", false, sensor.FaultBus)
		n.told("door", true, "")
		time.Sleep(30 * time.Second)
		n.wantOpen("the pin broke just now", "fridge-1 mains_lost")
		if u := n.m.Snapshot().Units[0]; u.MainsLost != nil {
			t.Errorf("mains of which nothing is known are told as %v", *u.MainsLost)
		}
		n.told("door", false, sensor.FaultAbsent) // on for less than its time, then unknown
		time.Sleep(10 * time.Minute)
		n.wantOpen("unknown", "fridge-1 contact_unknown", "fridge-1 contact_unknown", "fridge-1 mains_lost")
		n.told("mains", true, "")
		n.wantOpen("still lost", "fridge-1 contact_unknown", "fridge-1 mains_lost")
		if c := n.m.Snapshot().Contacts[1]; c.TodayCount != 1 || c.TodayS != 120 || c.Since.Time().Sub(evening) > time.Minute {
			t.Errorf("lost once, and known to be so for 2 min: %+v", c)
		}
		n.told("mains", false, "")
		n.told("door", false, "")
		n.wantOpen("all is well")
		for _, a := range n.events(coldchain.AlarmRaised) {
			if a.Rule == RuleContact && !strings.Contains(a.Text, "pin GPIO") {
				t.Errorf("alarm %q", a.Text)
			}
		}
		if got := n.events(coldchain.AlarmRaised); len(got) != 4 {
			t.Errorf("%d alarms were raised, want mains once and unknown three times: %+v", len(got), got)
		}
	}, doorOf("fridge-1"), mains)
}

// The day's counts begin at the site's midnight, and are the same after a
// restart.
func TestAContactFlapsAboutMidnight(t *testing.T) {
	london, err := time.LoadLocation("Europe/London")
	if err != nil {
		t.Fatal(err)
	}
	with(t, time.Date(2026, 5, 4, 23, 58, 0, 0, london), func(n *night) {
		to := func(m, s int) { time.Sleep(time.Date(2026, 5, 5, 0, m, s, 0, london).Sub(n.wall())) }
		n.told("door", false, "")
		for i := range 20 { // 10 s open, 10 s closed; open at midnight
			to(0, 10*i-105)
			n.told("door", i%2 == 0, "")
		}
		to(2, 0)
		if c := n.m.Snapshot().Contacts[0]; c.TodayCount != 4 || c.TodayS != 45 || c.Count != 10 || c.OnS != 100 {
			t.Errorf("after midnight %+v; want 4 times, 45 s", c)
		}
		n.stop()
		n.start()
		if c := n.m.Snapshot().Contacts[0]; c.TodayCount != 4 || c.TodayS != 45 || c.Count != 0 || c.OnS != 0 {
			t.Errorf("after a restart %+v; want 4 times, 45 s", c)
		}
	}, doorOf("fridge-1"))
}

// A day has the length that it has at the site.
func TestAContactsDayIsTheSites(t *testing.T) {
	london, err := time.LoadLocation("Europe/London")
	if err != nil {
		t.Fatal(err)
	}
	for day, hours := range map[time.Time]float64{
		time.Date(2026, 3, 29, 0, 0, 0, 0, london):  23,
		time.Date(2026, 10, 25, 0, 0, 0, 0, london): 25,
		time.Date(2026, 5, 5, 0, 0, 0, 0, london):   24,
	} {
		c := contactSeen{Contact: doorOf("u")}
		see := func(t time.Time, on bool) { c.see(sensor.At(t), on, "", sensor.At(t), london) }
		see(day.Add(-time.Hour), false)
		see(day.Add(-time.Minute), true) // and open all day
		end := day.AddDate(0, 0, 1)
		c.roll(sensor.At(end)-1, london)
		if got := c.ran(sensor.At(end)-1, c.day); got != hours*3600-0.001 || c.dayCount != 0 {
			t.Errorf("%v: open for %v s, %d times; want %v h", day, got, c.dayCount, hours)
		}
		see(end.Add(10*time.Second), false)
		if c.dayS != 10 || c.onS != hours*3600+70 {
			t.Errorf("%v: on the next day %v s, %v in all", day, c.dayS, c.onS)
		}
	}
}

// While the disk fails, contacts are known and told all the same, and recorded
// when it is back.
func TestContactsWhileTheDiskFails(t *testing.T) {
	own := sensor.Contact{ID: "own", Kind: sensor.Relay, Pin: "GPIO19", Units: []string{"fridge-1"}}
	with(t, evening, func(n *night) {
		n.told("own", false, "")
		n.failStore(errFull)
		n.told("own", true, "")
		if !slices.Contains(n.open(), "fridge-1 unit_alarm") {
			t.Errorf("alarms %q", n.open())
		}
		n.failStore(nil)
		time.Sleep(time.Minute)
		if got, want := n.changes(), []string{"own quiet", "own raised"}; !slices.Equal(got, want) {
			t.Errorf("recorded %q, want %q", got, want)
		}
	}, own)
}

// A clock that is set forward makes no door stand open for longer.
func TestAClockThatIsSetOpensNoDoor(t *testing.T) {
	with(t, evening, func(n *night) {
		n.told("door", true, "")
		n.ahead.Add(int64(time.Hour))
		time.Sleep(2 * time.Minute)
		n.wantOpen("an hour of the clock, two minutes in truth")
		time.Sleep(2 * time.Minute)
		n.wantOpen("four minutes", "fridge-1 open_too_long")
	}, doorOf("fridge-1"))
}
