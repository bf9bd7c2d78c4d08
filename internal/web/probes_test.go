package web

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"coldkeep/internal/coldchain"
	"coldkeep/sensor"
)

// probesDesk has two probes, one of them under check, and one that is gone.
func probesDesk(now sensor.Instant) *desk {
	d := newDesk()
	until, good := now.Add(-time.Hour), now.Add(-100*time.Hour)
	probe := func(id string, position string) coldchain.UnitProbe {
		return coldchain.UnitProbe{ID: id, Instrument: "ds18b20 onewire-1 28-" + id, Judges: true, Medium: sensor.Buffered, Position: sensor.Position{Text: position}}
	}
	p, q := probe("p", "shelf <2>"), probe("q", "")
	p.CalibratedUntil, p.Calibration.Due = until, "2026-05-04"
	q.Judges = false
	since := now.Add(-40 * time.Minute)
	over := since.Add(30 * time.Minute)
	d.journal = []coldchain.Event{
		{Seq: 1, Time: good, Kind: coldchain.ConfigChanged, Config: &coldchain.Config{Units: []coldchain.Unit{{ID: "fridge-1", Probes: []coldchain.UnitProbe{p, probe("gone", "")}}}}},
		{Seq: 2, Time: good + 1, Kind: coldchain.ProbeChecked, Probe: "p", By: "Anna Example", Check: &coldchain.Check{Found: 700, Tolerance: 500, Instrument: p.Instrument, Batches: []string{"EX-1"}}},
		{Seq: 3, Time: good + 2, Kind: coldchain.ConfigChanged, Config: &coldchain.Config{Units: []coldchain.Unit{{ID: "fridge-1", Probes: []coldchain.UnitProbe{p, q}}}}},
		{Seq: 4, Time: since, Kind: coldchain.ProbeTakenOut, Probe: "q", Start: since, End: &over, Purpose: "out", By: "Anna Example", Reason: "<b>ice</b>"},
	}
	return d
}

func TestProbesOfTheAPIAndThePage(t *testing.T) {
	now := sensor.At(time.Now())
	d := probesDesk(now)
	d.snap.Units[0].Probes[0].Check = &coldchain.ProbeCheck{Purpose: "check", By: "Anna Example", Since: now.Add(-time.Minute), Until: now.Add(29 * time.Minute)}
	s := serve(t, d, true, "")
	var list struct{ Probes []coldchain.ProbeNow }
	if err := json.Unmarshal([]byte(get(t, s.URL+"/api/v1/probes", http.StatusOK)), &list); err != nil {
		t.Fatal(err)
	}
	if len(list.Probes) != 2 || list.Probes[0].LastCheck == nil || list.Probes[0].LastCheck.Batches[0] != "EX-1" || list.Probes[1].Out == nil || list.Probes[1].Out.Reason != "<b>ice</b>" {
		t.Errorf("%+v", list.Probes)
	}
	var past coldchain.ProbePast
	if err := json.Unmarshal([]byte(get(t, s.URL+"/api/v1/probes/GONE", http.StatusOK)), &past); err != nil || past.ID != "gone" || len(past.Stays) != 1 || past.Stays[0].To == nil {
		t.Errorf("one that is gone: %+v, %v", past, err)
	}
	if e := get(t, s.URL+"/api/v1/probes/attic", http.StatusNotFound); !strings.Contains(e, `no probe \"attic\" is in a unit`) {
		t.Error(e)
	}
	page := get(t, s.URL+"/probes", http.StatusOK)
	for _, want := range []string{"Fridge 1", "shelf &lt;2&gt;", "2026-05-04: over", "by Anna Example: read 0.7 at 0.0 °C, more than 0.5 off", "taken out by Anna Example (&lt;b&gt;ice&lt;/b&gt;)", "judged again since", "does not judge", "never"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %q:\n%s", want, page)
		}
	}
	if strings.Contains(page, "gone") {
		t.Errorf("the page shows a probe that is gone:\n%s", page)
	}
	home := get(t, s.URL+"/", http.StatusOK)
	if !strings.Contains(home, "p: under check by Anna Example since ") || !strings.Contains(home, ": not judged") || !strings.Contains(home, `href="/probes"`) {
		t.Errorf("the main page:\n%s", home)
	}
	if unit := get(t, s.URL+"/api/v1/units/fridge-1", http.StatusOK); !strings.Contains(unit, `"check":{"purpose":"check","by":"Anna Example"`) {
		t.Error(unit)
	}
}

func TestWordsOfACheck(t *testing.T) {
	loc, err := time.LoadLocation("Europe/London")
	if err != nil {
		t.Fatal(err)
	}
	at := func(day, hour, minute int) sensor.Instant {
		return sensor.At(time.Date(2026, 5, day, hour, minute, 0, 0, loc))
	}
	c := coldchain.ProbeCheck{Purpose: "check", By: "Anna Example", Since: at(4, 14, 3), Until: at(4, 14, 33)}
	for _, x := range []struct {
		purpose string
		now     sensor.Instant
		want    string
	}{
		{"check", at(4, 14, 32), "under check by Anna Example since 14:03, until 14:33: not judged"},
		{"which", at(4, 14, 10), "in the hand of Anna Example since 14:03, until 14:33: not judged"},
		{"out", at(4, 14, 33), "taken out by Anna Example since 14:03: judged again since 14:33; put it back in its place"},
		{"out", at(5, 9, 0), "taken out by Anna Example since Mon 4 May 14:03: judged again since Mon 4 May 14:33; put it back in its place"},
	} {
		c.Purpose = x.purpose
		if got := checkLine(&c, x.now, loc); got != x.want {
			t.Errorf("%q, want %q", got, x.want)
		}
	}
}

// What cannot be read is told in plain words.
func TestProbeCommandsThatCannotBeRead(t *testing.T) {
	s := serve(t, newDesk(), true, "")
	for body, want := range map[string]string{
		`{"id":"1","probe":"p","by":"t","refrence":0}`:     `unknown field \"refrence\"`,
		`{"id":"1","probe":"p","by":"t","found":"cold"}`:   "read temperature",
		`{"id":"1","probe":"p","by":"t","reference":-400}`: "outside -273.15…1000 °C",
	} {
		resp, err := http.Post(s.URL+"/api/v1/commands/probe-check", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		var e struct {
			Error struct{ Code, Message string }
		}
		if err := json.NewDecoder(resp.Body).Decode(&e); err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		want = strings.ReplaceAll(want, `\"`, `"`)
		if resp.StatusCode != http.StatusBadRequest || e.Error.Code != "bad_request" || !strings.Contains(e.Error.Message, want) {
			t.Errorf("%s: %s %+v", body, resp.Status, e)
		}
	}
}
