package alert

import (
	"fmt"
	"slices"
	"testing"
	"time"
	_ "time/tzdata"

	"pgregory.net/rapid"
)

// Weeks in which clocks change: by an hour at night, by half an hour, at
// midnight so that 00:00 is skipped or comes twice.
var weeks = []struct{ zone, from string }{
	{"Europe/London", "2026-03-26"}, {"Europe/London", "2026-10-22"},
	{"Europe/Berlin", "2026-03-26"}, {"Europe/Berlin", "2026-10-22"},
	{"America/New_York", "2026-03-05"}, {"America/New_York", "2026-10-29"},
	{"Australia/Lord_Howe", "2026-04-02"}, {"Australia/Lord_Howe", "2026-10-01"},
	{"America/Santiago", "2026-04-02"}, {"America/Santiago", "2026-09-03"},
	{"America/Havana", "2026-03-05"}, {"America/Havana", "2026-10-29"},
	{"America/St_Johns", "2006-03-31"}, {"America/St_Johns", "2006-10-27"}, // at 00:01
	{"UTC", "2026-05-05"},
}

func zone(t interface{ Fatal(...any) }, name string) *time.Location {
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

func local(t interface{ Fatal(...any) }, s string, loc *time.Location) time.Time {
	at, err := time.ParseInLocation("2006-01-02 15:04", s, loc)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// A wallClock is the oracle: it walks through a week minute by minute and only
// remembers how far the clocks on the wall have come. What happens at a time
// of day happens when they have come that far for the first time.
type wallClock struct {
	at   time.Time
	wall time.Time // as if in UTC
}

func walk(from time.Time, days int) []wallClock {
	var list []wallClock
	var far time.Time
	for m := -3 * 24 * 60; m < days*24*60; m++ {
		at := from.Add(time.Duration(m) * time.Minute)
		y, mo, d := at.Date()
		now := time.Date(y, mo, d, at.Hour(), at.Minute(), 0, 0, time.UTC)
		if now.After(far) {
			far = now
		}
		if m >= 0 {
			list = append(list, wallClock{at, far})
		}
	}
	return list
}

func (w wallClock) in(h Hours) (began time.Time, ok bool) {
	midnight := w.wall.Truncate(24 * time.Hour)
	for _, d := range []time.Time{midnight, midnight.AddDate(0, 0, -1)} {
		from, to := d.Add(time.Duration(h.From)*time.Minute), d.Add(time.Duration(h.To)*time.Minute)
		if h.To <= h.From {
			to = to.AddDate(0, 0, 1)
		}
		if h.Days[d.Weekday()] && !w.wall.Before(from) && w.wall.Before(to) {
			return d, true
		}
	}
	return time.Time{}, false
}

func (w wallClock) who(r *Rota) string {
	who := ""
	for _, s := range r.Shifts {
		if began, ok := w.in(s.Hours); ok && len(s.People) > 0 {
			first := time.Date(s.Starts.Year(), s.Starts.Month(), s.Starts.Day(), 0, 0, 0, 0, time.UTC)
			turn := 0
			for ; began.Before(first); first = first.AddDate(0, 0, -7) {
				turn--
			}
			for ; !began.Before(first.AddDate(0, 0, 7)); first = first.AddDate(0, 0, 7) {
				turn++
			}
			for turn < 0 {
				turn += len(s.People)
			}
			who = s.People[turn%len(s.People)]
			break
		}
	}
	for _, h := range slices.Backward(r.Holidays) {
		if w.wall.Format(time.DateOnly) == h.Date {
			who = h.Person
		}
	}
	for _, o := range r.Overrides {
		if !w.at.Before(o.From) && w.at.Before(o.To) {
			who = o.Person
		}
	}
	return who
}

var people = []string{"anna", "bert", "cleo"}

// drawHours prefers the hours of the night, in which clocks change.
func drawHours(t *rapid.T) (h Hours) {
	for i := range h.Days {
		h.Days[i] = rapid.Bool().Draw(t, "day")
	}
	clock := rapid.OneOf(rapid.Map(rapid.IntRange(0, 12), func(i int) int { return i * 15 }), rapid.IntRange(0, 24*60-1), rapid.Just(23*60+30))
	h.From, h.To = clock.Draw(t, "from"), clock.Draw(t, "to")
	return h
}

func drawRota(t *rapid.T, from time.Time, loc *time.Location) *Rota {
	r := &Rota{ID: "r"}
	for range rapid.IntRange(0, 3).Draw(t, "shifts") {
		y, m, d := from.AddDate(0, 0, rapid.IntRange(-40, 20).Draw(t, "starts")).Date()
		r.Shifts = append(r.Shifts, Shift{Hours: drawHours(t), People: people[:rapid.IntRange(0, 3).Draw(t, "people")], Starts: time.Date(y, m, d, 0, 0, 0, 0, loc)})
	}
	for range rapid.IntRange(0, 2).Draw(t, "overrides") {
		a := from.Add(time.Duration(rapid.IntRange(-600, 8*24*60).Draw(t, "override")) * time.Minute)
		r.Overrides = append(r.Overrides, Override{a, a.Add(time.Duration(rapid.IntRange(-10, 2000).Draw(t, "minutes")) * time.Minute), "dora"})
	}
	for range rapid.IntRange(0, 2).Draw(t, "holidays") {
		r.Holidays = append(r.Holidays, Holiday{from.AddDate(0, 0, rapid.IntRange(-1, 8).Draw(t, "holiday")).Format(time.DateOnly), rapid.SampledFrom(people).Draw(t, "on holiday")})
	}
	return r
}

// At every minute of a week in which clocks change, the rota says what a
// person with the plan and an eye on the clock would say; `until` is exactly
// when that changes; the gaps are exactly where nobody is on call.
func TestARotaGoesByTheClockOnTheWall(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := rapid.SampledFrom(weeks).Draw(t, "week")
		loc := zone(t, w.zone)
		from := local(t, w.from+" 12:00", loc)
		r := drawRota(t, from, loc)
		minutes := walk(from, 5)
		var who []string
		for _, m := range minutes {
			want := m.who(r)
			who = append(who, want)
			if got, ok := r.who(m.at, loc); got != want || ok != (want != "") {
				t.Fatalf("%s: %q is on call, want %q\n%+v", m.at, got, want, r)
			}
		}
		for range 10 {
			i := rapid.IntRange(0, len(minutes)-1).Draw(t, "at")
			person, until, ok := r.OnCall(minutes[i].at.UTC(), loc)
			if person != who[i] || ok != (who[i] != "") {
				t.Fatalf("%s: OnCall %q, want %q", minutes[i].at, person, who[i])
			}
			j := i
			for j < len(who) && who[j] == who[i] {
				j++
			}
			switch {
			case j < len(who) && !until.Equal(minutes[j].at):
				t.Fatalf("%s: %q until %s, want %s\n%+v", minutes[i].at, person, until, minutes[j].at, r)
			case j == len(who) && !until.IsZero() && until.Before(minutes[j-1].at):
				t.Fatalf("%s: %q until %s, but it stays", minutes[i].at, person, until)
			}
		}
		end := from.Add(time.Duration(len(minutes)) * time.Minute)
		gaps := r.Gaps(from.UTC(), end, loc)
		for i, m := range minutes {
			in := slices.ContainsFunc(gaps, func(g Gap) bool { return !m.at.Before(g.From) && m.at.Before(g.To) })
			if in != (who[i] == "") {
				t.Fatalf("%s: in a gap %v, on call %q: %v\n%+v", m.at, in, who[i], gaps, r)
			}
		}
		for i, g := range gaps {
			if !g.From.Before(g.To) || g.From.Before(from) || g.To.After(end) || i > 0 && !gaps[i-1].To.Before(g.From) {
				t.Fatalf("gaps are in order, apart and cut: %v", gaps)
			}
		}
	})
}

// Contains, Next and Until agree with a person who watches the clock.
func TestHoursGoByTheClockOnTheWall(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := rapid.SampledFrom(weeks).Draw(t, "week")
		loc := zone(t, w.zone)
		h := drawHours(t)
		minutes := walk(local(t, w.from+" 12:00", loc), 5)
		in := make([]bool, len(minutes))
		for i, m := range minutes {
			_, in[i] = m.in(h)
			if got := h.Contains(m.at.UTC(), loc); got != in[i] {
				t.Fatalf("%s in %+v: %v, want %v", m.at, h, got, in[i])
			}
		}
		for range 20 {
			i := rapid.IntRange(0, len(minutes)-1).Draw(t, "at")
			for _, c := range []struct {
				name string
				got  time.Time
				want bool
			}{{"Next", h.Next(minutes[i].at, loc), true}, {"Until", h.Until(minutes[i].at, loc), false}} {
				j := i
				for j < len(in) && in[j] != c.want {
					j++
				}
				switch {
				case j < len(in) && !c.got.Equal(minutes[j].at):
					t.Fatalf("%s(%s) of %+v is %s, want %s", c.name, minutes[i].at, h, c.got, minutes[j].at)
				case j == len(in) && !c.got.IsZero() && !c.got.After(minutes[j-1].at):
					t.Fatalf("%s(%s) of %+v is %s, too early", c.name, minutes[i].at, h, c.got)
				}
			}
		}
	})
	if !(Hours{From: 5, To: 9}).Next(three, time.UTC).IsZero() || !(Hours{}).Zero() || (Hours{Days: [7]bool{true}}).Zero() {
		t.Error("hours without a day have no next instant; hours with one are not nothing")
	}
	loc := zone(t, "Europe/London")
	short := Hours{Days: [7]bool{true}, From: 75, To: 105} // skipped on 29 March
	if got := short.Next(local(t, "2026-03-23 12:00", loc), loc); !got.Equal(local(t, "2026-04-05 01:15", loc)) {
		t.Errorf("a stretch that clocks skip comes the week after: %s", got)
	}
	always := Hours{Days: [7]bool{true, true, true, true, true, true, true}}
	if !always.Until(three, time.UTC).IsZero() {
		t.Error("hours without an end end")
	}
}

// The nights on which clocks change, as a clinic would tell them.
func TestTheNightsOnWhichClocksChange(t *testing.T) {
	all := [7]bool{true, true, true, true, true, true, true}
	starts := time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)
	two := &Rota{Shifts: []Shift{{Hours{all, 18*60 + 30, 2*60 + 30}, []string{"anna"}, starts}, {Hours{all, 2*60 + 30, 18*60 + 30}, []string{"bert"}, starts}}}
	night := &Rota{Shifts: []Shift{{Hours{all, 23 * 60, 7 * 60}, []string{"anna"}, starts}}}
	sunday := &Rota{Shifts: []Shift{{Hours{[7]bool{true}, 0, 8 * 60}, []string{"anna"}, starts}}}
	holiday := &Rota{Holidays: []Holiday{{"2006-10-29", "bert"}}}
	for _, c := range []struct {
		rota        *Rota
		zone, at    string
		who, until  string
		shift, real time.Duration
	}{
		{two, "Europe/London", "2026-03-28T20:00:00Z", "anna", "2026-03-29T02:30:00+01:00", 0, 0},
		{two, "Europe/Berlin", "2026-03-28T20:00:00Z", "anna", "2026-03-29T03:00:00+02:00", 0, 0}, // 02:30 is skipped
		{two, "Europe/Berlin", "2026-10-24T20:00:00Z", "anna", "2026-10-25T02:30:00+02:00", 0, 0}, // the first 02:30 of two
		{two, "Europe/Berlin", "2026-10-25T01:10:00Z", "bert", "2026-10-25T18:30:00+01:00", 0, 0}, // 02:10 again: bert has it already
		{night, "Europe/London", "2026-03-28T23:00:00Z", "anna", "2026-03-29T07:00:00+01:00", 8, 7},
		{night, "Europe/London", "2026-10-24T22:00:00Z", "anna", "2026-10-25T07:00:00Z", 8, 9},
		// At 00:01 of Sunday clocks go back to 23:01 of Saturday: Sunday has begun.
		{sunday, "America/St_Johns", "2006-10-29T02:45:00Z", "anna", "2006-10-29T08:00:00-03:30", 0, 0},
		{holiday, "America/St_Johns", "2006-10-29T02:45:00Z", "bert", "2006-10-30T00:00:00-03:30", 0, 0},
		{night, "Australia/Lord_Howe", "2026-04-04T12:00:00Z", "anna", "2026-04-05T07:00:00+10:30", 0, 0},
	} {
		at, err1 := time.Parse(time.RFC3339, c.at)
		want, err2 := time.Parse(time.RFC3339, c.until)
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		who, until, ok := c.rota.OnCall(at, zone(t, c.zone))
		if who != c.who || !ok || !until.Equal(want) {
			t.Errorf("%s in %s: %s until %s, want %s until %s", c.at, c.zone, who, until, c.who, c.until)
		}
		if c.shift > 0 && until.Sub(at) != c.real*time.Hour {
			t.Errorf("%s in %s: a shift of 8 hours on the wall lasts %s, want %d real hours", c.at, c.zone, until.Sub(at), c.real)
		}
	}
}

// Turns change on the weekday of Starts, at the beginning of the shift, and go
// on through the year and backwards before it.
func TestTurnsAreCountedOnTheCalendar(t *testing.T) {
	loc := zone(t, "Europe/London")
	all := [7]bool{true, true, true, true, true, true, true}
	r := &Rota{Shifts: []Shift{{Hours{all, 18 * 60, 8 * 60}, people, local(t, "2026-01-09 00:00", loc)}}} // a Friday
	for at, want := range map[string]string{
		"2026-01-09 17:00": "", "2026-01-09 18:00": "anna", "2026-01-15 23:00": "anna", "2026-01-16 07:59": "anna", "2026-01-16 18:00": "bert",
		"2026-01-23 18:00": "cleo", "2026-01-30 18:00": "anna", "2026-01-02 18:00": "cleo", "2026-01-01 18:00": "bert",
		"2026-03-27 18:00": "cleo", "2026-04-03 07:00": "cleo", "2026-04-03 18:00": "anna", // clocks changed in between
	} {
		if who, _, _ := r.OnCall(local(t, at, loc), loc); who != want {
			t.Errorf("%s: %q, want %q", at, who, want)
		}
	}
	r.Shifts[0].Hours.To = 18 * 60
	if who, until, _ := r.OnCall(local(t, "2026-03-27 18:00", loc), loc); who != "cleo" || !until.Equal(local(t, "2026-04-03 18:00", loc)) {
		t.Errorf("%s until %s: a whole week, an hour shorter", who, until)
	}
	if who, until, _ := r.OnCall(local(t, "2026-01-09 18:00", loc), loc); who != "anna" || !until.Equal(local(t, "2026-01-16 18:00", loc)) {
		t.Errorf("%s until %s: a whole week", who, until)
	}
}

func TestWhoResolvesEachOnce(t *testing.T) {
	all := [7]bool{true, true, true, true, true, true, true}
	d := &Duty{People: []Person{{ID: "anna"}, {ID: "bert"}, {ID: "cleo"}}, Rotas: []Rota{
		{ID: "nights", Shifts: []Shift{{Hours: Hours{all, 18 * 60, 8 * 60}, People: []string{"bert"}}}},
		{ID: "days", Shifts: []Shift{{Hours: Hours{all, 8 * 60, 18 * 60}, People: []string{"cleo"}}}}}}
	for _, c := range []struct{ ids, want []string }{
		{[]string{"nights"}, []string{"bert"}},
		{[]string{"days"}, nil},
		{[]string{"days", "nights", "anna", "bert"}, []string{"bert", "anna"}},
		{[]string{"cleo", Everyone}, []string{"cleo", "anna", "bert"}},
		{[]string{"nobody"}, nil},
	} {
		if got := d.Who(c.ids, three); !slices.Equal(got, c.want) {
			t.Errorf("%v: %v, want %v", c.ids, got, c.want)
		}
	}
}

func TestTheFirstPolicyThatFitsIsTaken(t *testing.T) {
	all := [7]bool{true, true, true, true, true, true, true}
	d := &Duty{People: []Person{{ID: "anna"}}, Policies: []Policy{
		{ID: "freezer", Units: []string{"freezer-1", "freezer-2"}, During: &Hours{all, 18 * 60, 8 * 60}},
		{ID: "critical", Severity: Critical},
		{ID: "fridge", Units: []string{"fridge-1"}},
	}}
	noon := three.Add(9 * time.Hour)
	for _, c := range []struct {
		severity Severity
		units    []string
		at       time.Time
		want     string
	}{
		{Critical, []string{"fridge-1", "freezer-2"}, three, "freezer"},
		{Critical, []string{"freezer-2"}, noon, "critical"},
		{Critical, nil, three, "critical"},
		{Warning, []string{"fridge-1"}, three, "fridge"},
		{Warning, nil, three, Everyone}, // none fits: nobody is forgotten
	} {
		if p := d.Policy(c.severity, c.units, c.at); p == nil || p.ID != c.want {
			t.Errorf("%v: %+v, want %s", c, p, c.want)
		}
	}
	p := (&Duty{People: d.People}).Policy(Critical, nil, three)
	if p == nil || len(p.Steps) != 1 || p.Steps[0].Repeat != 5*time.Minute || !slices.Equal(p.Steps[0].Call, []string{Everyone}) {
		t.Errorf("the built-in policy calls everyone every 5 min: %+v", p)
	}
	if p := (&Duty{}).Policy(Critical, nil, three); p != nil {
		t.Errorf("without people there is nobody to call: %+v", p)
	}
}

// A rota is missed only where some policy calls it, and a gap that has begun
// is told with its beginning as long as it lasts.
func TestGapsOfTheDuty(t *testing.T) {
	loc := zone(t, "Europe/London")
	all := [7]bool{true, true, true, true, true, true, true}
	nights := Hours{all, 18 * 60, 8 * 60}
	d := &Duty{Location: loc, People: []Person{{ID: "anna"}}, GapAhead: 7 * 24 * time.Hour,
		Rotas: []Rota{
			{ID: "nights", Shifts: []Shift{{Hours: Hours{[7]bool{true, true, true, true, true, false, true}, 18 * 60, 8 * 60}, People: []string{"anna"}}}},
			{ID: "spare"},
		},
		Policies: []Policy{{ID: "night", During: &nights, Steps: []Step{{Call: []string{"nights"}}, {Call: []string{Everyone}}}}, {ID: "day", Steps: []Step{{Call: []string{"anna"}}}}},
	}
	// The same, said by the order of the policies instead of by hours.
	days := Hours{all, 8 * 60, 18 * 60}
	byOrder := *d
	byOrder.Policies = []Policy{{ID: "fridge", Units: []string{"fridge-1"}, Steps: d.Policies[1].Steps}, {ID: "day", During: &days, Steps: d.Policies[1].Steps}, {ID: "night", Steps: d.Policies[0].Steps}}
	friday := []Gap{{"nights", local(t, "2026-05-08 18:00", loc), local(t, "2026-05-09 08:00", loc)}, {"nights", local(t, "2026-05-15 18:00", loc), local(t, "2026-05-16 08:00", loc)}}
	same := func(a, b Gap) bool { return a.Rota == b.Rota && a.From.Equal(b.From) && a.To.Equal(b.To) }
	for at, want := range map[string][]Gap{"2026-05-05 03:12": friday[:1], "2026-05-08 18:00": friday[:1], "2026-05-08 18:01": friday, "2026-05-09 07:59": friday, "2026-05-09 08:00": friday[1:]} {
		for _, d := range []*Duty{d, &byOrder} {
			if got := d.Gaps(local(t, at, loc)); !slices.EqualFunc(got, want, same) {
				t.Errorf("%s: %v, want %v", at, got, want)
			}
		}
	}
	if got := d.Gaps(local(t, "2026-05-01 12:00", loc)); len(got) != 1 || !got[0].From.Equal(local(t, "2026-05-01 18:00", loc)) {
		t.Errorf("the next Friday is a week ahead and no gap yet: %v", got)
	}
	if got := (&Duty{Rotas: d.Rotas, People: d.People}).Gaps(three); len(got) != 0 {
		t.Errorf("a rota that nobody calls by has no gap: %v", got)
	}
}

func BenchmarkOnCall(b *testing.B) {
	loc := zone(b, "Europe/London")
	all := [7]bool{true, true, true, true, true, true, true}
	for _, n := range []int{1, 3} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			r := &Rota{Shifts: []Shift{{Hours{all, 18 * 60, 8 * 60}, people[:n], three}, {Hours{all, 8 * 60, 18 * 60}, people[:n], three}}}
			for b.Loop() {
				r.OnCall(three, loc)
			}
		})
	}
}
