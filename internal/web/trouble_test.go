package web

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"coldkeep/internal/coldchain"
	"coldkeep/sensor"
)

// night fills a desk with a bad night: one trouble of each state, and a drill.
func night(d *desk) {
	now := sensor.At(time.Now())
	ago := func(m int) sensor.Instant { return now.Add(-time.Duration(m) * time.Minute) }
	at := func(t sensor.Instant) *sensor.Instant { return &t }
	warm, cold, fine := sensor.Temp(9400), sensor.Temp(800), sensor.Temp(4600)
	unit := func(id, name string, t *sensor.Temp, low, high sensor.Temp) coldchain.UnitState {
		u := coldchain.UnitState{Unit: coldchain.Unit{ID: id, Name: name, Range: coldchain.Range{Low: low, High: high}}, Temp: t, TempAt: now, Unmonitored: t == nil,
			Probes: []coldchain.ProbeState{{ID: id + "-p", Judges: true, Up: t != nil}}}
		if t == nil {
			u.Probes[0].LastGood = sensor.Reading{Time: ago(11), Temp: -20_400}
		}
		if t != nil && (*t < low || *t > high) {
			u.OutOfRange, u.Since, u.Side = true, ago(15), "high"
			if *t < low {
				u.Side = "low"
			}
		}
		return u
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.snap = coldchain.Snapshot{At: now, Record: "0123456789abcdef", Node: "pi-1", Synchronized: true, Site: coldchain.Site{ID: "clinic-a", Name: "Clinic A", Timezone: "UTC", AskName: "the clinic manager"},
		People: []coldchain.Called{{Person: "anna", Name: "Anna Example"}, {Person: "ben", Name: "Ben Example"}},
		Units: []coldchain.UnitState{unit("fridge-1", "Treatment room fridge", &warm, 2000, 8000), unit("fridge-2", "Store fridge", &cold, 2000, 8000),
			unit("fridge-3", "Back fridge", &fine, 2000, 8000), unit("freezer-1", "Freezer", nil, -30_000, -15_000)},
		Batches: []coldchain.BatchState{{ID: "EX-0412", Lot: "0412", Vials: 12, Unit: "fridge-1", Verdict: coldchain.InExcursion, Now: coldchain.NowTooWarm, LostAt: at(now.Add(18*time.Minute + 30*time.Second)),
			Profile: coldchain.Profile{Range: coldchain.Range{Low: 2000, High: 8000}}}},
		Troubles: []coldchain.Trouble{
			{Key: "fridge-3/2", State: "cleared", Severity: coldchain.Critical, Wakes: true, Units: []string{"fridge-3"}, Text: "above 8 °C for 15 min", Opened: ago(200), Cleared: at(ago(30)),
				Called: []coldchain.Called{{Person: "anna", Name: "Anna Example", At: ago(195)}}},
			{Key: "drill/1", State: "raised", Severity: coldchain.Critical, Wakes: true, Drill: true, Text: "Monthly test of the way to the phones", Opened: ago(2),
				Called: []coldchain.Called{{Person: "ben", Name: "Ben Example", At: ago(2)}}},
			{Key: "ntfy/1", State: "raised", Severity: coldchain.Warning, Text: "the probe f2-air is due for calibration on 1 Jun", Opened: ago(300)},
			{Key: "freezer-1/1", State: "shelved", Severity: coldchain.Critical, Wakes: true, Units: []string{"freezer-1"}, Text: "no temperature for 10 min", Opened: ago(50), By: "Ben Example", Reason: "being defrosted", Until: at(now.Add(time.Hour)),
				Called: []coldchain.Called{{Person: "ben", Name: "Ben Example", At: ago(48)}}},
			{Key: "fridge-2/1", State: "acknowledged", Severity: coldchain.Critical, Wakes: true, Units: []string{"fridge-2"}, Text: "below 2 °C for 5 min", Opened: ago(40), By: "Anna Example", Via: "ntfy", Until: at(now.Add(10 * time.Minute)),
				Called: []coldchain.Called{{Person: "anna", Name: "Anna Example", At: ago(39)}}},
			{Key: "fridge-1/1", State: "raised", Severity: coldchain.Critical, Wakes: true, Units: []string{"fridge-1"}, Text: "above 8 °C for 15 min", Opened: ago(12),
				Called: []coldchain.Called{{Person: "anna", Name: "Anna Example", At: ago(12)}}},
		},
		Alarms: []coldchain.Alarm{{Unit: "fridge-1", Rule: "warm", Severity: coldchain.Critical, Raised: ago(12), Text: "above 8 °C for 15 min", Trouble: "fridge-1/1", State: "raised"},
			{Rule: "storage", Severity: coldchain.Warning, Raised: ago(1), Text: "an alarm that nobody is called for"}}}
}

// What is asked of the API is there, and lists are never null.
func TestTheAPITellsOfTroubles(t *testing.T) {
	d := newDesk()
	if got := get(t, serve(t, d, false, "").URL+"/api/v1/alarms", 200); !strings.Contains(got, `"alarms":[],`) || !strings.Contains(got, `"troubles":[]`) || !strings.Contains(got, `"drill":null`) {
		t.Errorf("without any: %s", got)
	}
	night(d)
	var answer struct {
		Record   string
		Alarms   []coldchain.Alarm
		Troubles []coldchain.Trouble
	}
	body := get(t, serve(t, d, false, "").URL+"/api/v1/alarms", 200)
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		t.Fatal(err)
	}
	if len(answer.Troubles) != 6 || len(answer.Alarms) != 2 || answer.Record == "" || answer.Troubles[5].Called[0].Name != "Anna Example" {
		t.Errorf("%+v", answer)
	}
	if strings.Contains(body, `"units":null`) || strings.Contains(body, `"called":null`) {
		t.Errorf("a list is null: %s", body)
	}
}

// What proves an answer leaves neither by the API nor the live stream.
func TestEventsProveNothing(t *testing.T) {
	d := newDesk()
	d.tell(coldchain.Event{Seq: 1, Kind: coldchain.NotificationDue, Call: &coldchain.Call{Person: "anna", Receipt: "secret-receipt"}})
	srv := serve(t, d, false, "")
	if got := get(t, srv.URL+"/api/v1/events?after=0", 200); !strings.Contains(got, `"person":"anna"`) || strings.Contains(got, "secret") {
		t.Error(got)
	}
}

// The page tells who is called for what, the gravest first, and each thing once.
func TestThePageTellsOfTroubles(t *testing.T) {
	d := newDesk()
	night(d)
	home := get(t, serve(t, d, false, "").URL+"/", 200)
	last := -1
	for _, want := range []string{"NOBODY IS GOING YET", "9.4 °C", "First over its limit: EX-0412 (12 vials)", "in 18 min", "Called: Anna Example", `coldkeep alarms ack fridge-1 <span class="whole">--promise 20m</span>`,
		"ANNA EXAMPLE IS GOING, THERE BY", "Answered by ntfy.", "SHELVED UNTIL", "By Ben Example: being defrosted. Nobody is called.",
		"WAITS FOR WORKING HOURS", "Nobody has been called yet.", "coldkeep alarms ack ntfy/1", "TEST, no danger", "OVER SINCE", "coldkeep alarms close fridge-3", "an alarm that nobody is called for"} {
		i := strings.Index(home, want)
		if i < 0 {
			t.Errorf("the page lacks %q", want)
		} else if i < last {
			t.Errorf("%q comes too early", want)
		}
		last = max(i, last)
	}
	if strings.Count(home, "above 8 °C for 15 min") != 4 { // two troubles, each also for who cannot see it
		t.Errorf("an alarm is told beside its trouble:\n%s", home)
	}
	for _, dead := range []string{"<button", "<form", "<input"} {
		if strings.Contains(home, dead) {
			t.Errorf("a page that takes no commands has a %s", dead)
		}
	}
	if part := get(t, serve(t, d, false, "a-token-of-some-length").URL+"/?part=main", 200); !strings.Contains(part, `id="troubles" data-answers="token"`) || !strings.Contains(part, `data-command="ack" data-promise="20m"`) || !strings.Contains(part, `<option value="ben">Ben Example</option>`) {
		t.Errorf("the part lacks the answers:\n%s", part)
	}
}

// Where the vials can go stands with the trouble and in the API; by when, on
// the label's page.
func TestWhereToMoveItIsTold(t *testing.T) {
	d := newDesk()
	night(d)
	now := d.snap.At
	r := coldchain.Reader{Now: now, Location: time.UTC}
	early, mid, late := now.Add(9*time.Minute), now.Add(14*time.Minute), now.Add(40*time.Minute)
	d.snap.Units[0].BatchCount, d.snap.Units[2].Capacity.Vials, d.snap.Units[2].StableSince = 2, 30, now.Add(-5*time.Hour)
	d.snap.Batches[0].Forecasts = []coldchain.Forecast{{Rule: "hot", AtTrend: &mid, Earliest: &early, Latest: &late}, {Rule: "warm", AtPresent: d.snap.Batches[0].LostAt}}
	second := d.snap.Batches[0]
	second.ID, second.Forecasts, second.Vials = "EX-<2>", nil, 40
	d.snap.Batches = append(d.snap.Batches, second)
	srv := serve(t, d, false, "")
	for _, part := range []struct{ path, want string }{
		{"/", "<h3>Where to move it</h3>"}, {"/", "First over its limit: EX-0412 (12 vials)"}, {"/", "in 8 min"},
		{"/", "<b>EX-0412</b> (12 vials) by " + r.Hour(early) + " → <b>Back fridge (4.6 °C, room for 30)</b>"}, {"/", "in its range for an hour and more, room for this batch (30 vials), not for all"},
		{"/", "<b>EX-&lt;2&gt;</b> (40 vials)"}, {"/", "Keep the door shut and find room elsewhere: Back fridge has room for 18 of its 40 vials: whether to split it is for a person to say; Store fridge is too cold itself"},
		{"/b/EX-0412", "if it goes on as it does about " + r.Hour(mid) + " (" + r.Hour(early) + " to " + r.Hour(late) + ")."},
		{"/api/v1/batches/EX-0412", `"forecasts":[{"rule":"hot","at_trend":`},
	} {
		if got := get(t, srv.URL+part.path, 200); !strings.Contains(got, part.want) {
			t.Errorf("%s lacks %q:\n%s", part.path, part.want, got)
		}
	}
	var answer struct {
		Unit    string
		Trouble bool `json:"in_trouble"`
		Rescues []coldchain.Rescue
	}
	if err := json.Unmarshal([]byte(get(t, srv.URL+"/api/v1/units/FRIDGE-1/rescues", 200)), &answer); err != nil {
		t.Fatal(err)
	}
	if answer.Unit != "fridge-1" || !answer.Trouble || len(answer.Rescues) != 2 || answer.Rescues[0].Target().Unit != "fridge-3" || *answer.Rescues[0].LostAt != early || len(answer.Rescues[1].Refuges) != 0 {
		t.Errorf("%+v", answer)
	}
	if got := get(t, srv.URL+"/api/v1/units/fridge-3/rescues", 200); !strings.Contains(got, `"rescues":[]`) || !strings.Contains(got, `"in_trouble":false`) {
		t.Errorf("of a unit with nothing in it: %s", got)
	}
	if got := get(t, srv.URL+"/api/v1/units/attic/rescues", 404); !strings.Contains(got, "not_found") {
		t.Errorf("of no unit: %s", got)
	}
}

// A promise that has passed is told as what it is, and a trouble without
// anybody known to call offers a free name.
func TestTroublesThatAreOdd(t *testing.T) {
	d := newDesk()
	past := sensor.At(time.Now()) - 120_000
	d.snap.Troubles = []coldchain.Trouble{{Key: "<k>", State: "acknowledged", Severity: coldchain.Critical, Until: &past, By: "Anna <b>", Text: "x < y", Units: []string{"fridge-1", "gone"}}, {Key: "none", State: "raised", Severity: coldchain.Warning}}
	home := get(t, serve(t, d, false, "a-token-of-some-length").URL+"/", 200)
	for _, want := range []string{"ANNA &lt;B&gt; PROMISED", "WHICH HAS PASSED", "x &lt; y", `data-key="&lt;k&gt;"`, "Fridge 1, gone", `name="name"`} {
		if !strings.Contains(home, want) {
			t.Errorf("the page lacks %q:\n%s", want, home)
		}
	}
	if strings.Contains(home, "<select id") && strings.Contains(home, `name="who"`) {
		t.Error("there is a list of nobody")
	}
}

// The demo takes commands from whoever sees its page; nothing else does
// without a token.
func TestAnOpenPage(t *testing.T) {
	d := newDesk()
	s, err := New(d, Options{Interval: time.Minute, Open: true})
	if err != nil {
		t.Fatal(err)
	}
	srv := serveHandler(t, s, s.Handler(false))
	if status, got := post(t, srv.URL+"/api/v1/commands/ack", "", `{"id":"1","alarm":"fridge-1","promise":"20m","by":"Anna Example","via":"page"}`); status != 200 || len(d.done) != 1 || d.done[0].Alarm != "fridge-1" || d.done[0].Via != "page" {
		t.Errorf("%d %s %+v", status, got, d.done)
	}
	if home := get(t, srv.URL+"/", 200); !strings.Contains(home, `data-answers="open"`) {
		t.Error("the page does not know that it is open")
	}
	d.snap.Demo = true
	if status, _ := post(t, serve(t, d, false, "").URL+"/api/v1/commands/ack", "", `{"id":"2","by":"x"}`); status != 403 {
		t.Errorf("a demo that is not open took a command: %d", status)
	}
}

// What to do stands beside each unit that needs somebody, and not where nobody
// is wanted; many units are named each in its line.
func TestThePageTellsWhatToDoAtEachUnit(t *testing.T) {
	d := newDesk()
	night(d)
	all := d.snap.Troubles
	page := func(x coldchain.Trouble) string {
		d.mu.Lock()
		d.snap.Troubles = []coldchain.Trouble{x}
		d.mu.Unlock()
		return get(t, serve(t, d, false, "").URL+"/", 200)
	}
	raised := all[5]
	raised.Units = []string{"fridge-1", "fridge-2", "freezer-1"}
	d.snap.Batches = append(d.snap.Batches, coldchain.BatchState{ID: "EX-0413", Unit: "fridge-1", Verdict: coldchain.Quarantined}, coldchain.BatchState{ID: "EX-0414", Unit: "fridge-3", Verdict: coldchain.Quarantined})
	many := page(raised)
	for _, want := range []string{">3 units<", `<p class="name">Treatment room fridge</p>`, `<p class="do">Shut the door; look at plug and switch.`, `<p class="name">Store fridge</p>`,
		"Do not use any that froze.", "Do not use: EX-0413</p>", `<p class="name">Freezer</p>`, "Read the unit&#39;s own display.", `data-say="Treatment room fridge, Store fridge, Freezer: NOBODY IS GOING YET.`} {
		if !strings.Contains(many, want) {
			t.Errorf("many units lack %q:\n%s", want, many)
		}
	}
	for _, i := range []int{0, 3} { // cleared, shelved
		if got := page(all[i]); strings.Contains(got, `class="do"`) {
			t.Errorf("%s: somebody is told what to do", all[i].State)
		}
	}
	if got := page(all[0]); !strings.Contains(got, "It was: above 8 °C for 15 min") {
		t.Errorf("what is over reads as if it were not:\n%s", got)
	}
}
