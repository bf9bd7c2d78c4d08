package web

import (
	"bytes"
	"html/template"
	"net/http"
	"time"

	"coldkeep/internal/coldchain"
	"coldkeep/sensor"
)

var functions = template.FuncMap{"icon": icon}

func icon(tone string) string {
	return map[string]string{"ok": "✓", "ask": "?", "wait": "…", "stop": "✕"}[tone]
}

var trends = map[int]string{1: "↗ rising", -1: "↘ falling"}

// pageView is what the templates know.
type pageView struct {
	Site    string
	Demo    bool
	Clock   bool
	Stored  bool
	Stale   bool // the snapshot is old
	Made    int64
	OldMs   int64
	Now     string
	Alarms  []alarmView // those that nobody is called for
	Answers string      // how people answer here: open, token, none
	People  []coldchain.Called
	Trouble []troubleView
	Units   []pageUnit
	Outside []pageBatch
	Decide  []decision
	More    int // decisions that are not listed
	Ask     string

	rescues map[string][]coldchain.Rescue // of the units in trouble
}

type alarmView struct {
	Tone, Where, Text, Since string
}

type pageUnit struct {
	Title, Temp, Range, Status, Tone, Trend, Age, MinMax, Faults string
	Checks, Contacts                                             []string // probes that are out; its door and mains, in words
	Doubts                                                       []string // of each probe of which something is not certain
	AtMs                                                         int64
	Batches                                                      []pageBatch
}

type pageBatch struct {
	ID, Lot string
	Vials   int
	Words   coldchain.Words
	Spent   string
}

func (s *Server) home(w http.ResponseWriter, r *http.Request) {
	snap := s.m.Snapshot()
	v := s.view(snap)
	name := "home.html"
	if r.URL.Query().Get("part") != "" {
		name = "parts"
	}
	s.show(w, http.StatusOK, name, v)
}

func (s *Server) show(w http.ResponseWriter, status int, name string, v any) {
	var b bytes.Buffer
	if err := s.pages.ExecuteTemplate(&b, name, v); err != nil {
		s.o.Log.Error("page cannot be made", "page", name, "cause", err)
		http.Error(w, "the page cannot be made: see the log", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // the browser may be gone
}

func (s *Server) view(snap *coldchain.Snapshot) pageView {
	now, loc := sensor.At(time.Now()), location(snap)
	old := max(3*s.o.Interval, 5*time.Second)
	reader := s.reader(snap)
	v := pageView{Site: snap.Site.Name, Demo: snap.Demo, Clock: snap.Synchronized, Stored: !snap.Store.Failing, Stale: now.Sub(snap.Made) > old,
		Made: int64(snap.Made), OldMs: old.Milliseconds(), Now: now.Time().In(loc).Format("Mon 2 Jan 15:04:05 MST"), Ask: reader.Ask}
	if v.Site == "" {
		v.Site = snap.Site.ID
	}
	v.People, v.Answers, v.rescues = snap.People, s.answers(), coldchain.RescuesInTrouble(snap)
	called := map[string]bool{}
	for _, t := range gravestFirst(snap.Troubles) {
		called[t.Key] = true
		v.Trouble = append(v.Trouble, viewTrouble(snap, &t, reader, &v))
	}
	for _, a := range snap.Alarms {
		if called[a.Trouble] {
			continue
		}
		x := alarmView{Tone: "ask", Text: a.Text, Since: reader.Clock(a.Raised)}
		if a.Severity == coldchain.Critical {
			x.Tone = "stop"
		}
		if u := unitOf(snap, a.Unit); u != nil {
			x.Where = u.Title()
		}
		if a.Batch != "" {
			x.Where = "Batch " + a.Batch
		}
		v.Alarms = append(v.Alarms, x)
	}
	batch := func(b *coldchain.BatchState) pageBatch {
		return pageBatch{ID: b.ID, Lot: b.Lot, Vials: b.Vials, Words: b.Words(reader, unitOf(snap, b.Unit))}
	}
	for i := range snap.Units {
		u := &snap.Units[i]
		x := pageUnit{Title: u.Title(), Range: u.Range.Text(), Temp: "–"}
		x.Status, x.Tone = u.Status()
		x.Contacts = contactWords(snap, u.ID, reader, now)
		if u.Temp != nil {
			x.Temp = coldchain.Degrees(*u.Temp, u.Range.Low, u.Range.High) + " °C"
			x.AtMs, x.Age = int64(u.TempAt), coldchain.Span(now.Sub(u.TempAt).Seconds())+" ago"
		} else if p := u.LastGood(); p != nil {
			x.AtMs = int64(p.LastGood.Time)
			x.Age = "last " + coldchain.Degrees(p.LastGood.Temp, u.Range.Low, u.Range.High) + " °C, " + coldchain.Span(now.Sub(p.LastGood.Time).Seconds()) + " ago"
		}
		x.Trend = trends[u.Rising]
		if u.Min != nil && u.Max != nil {
			x.MinMax = coldchain.Degrees(*u.Min, u.Range.Low) + " to " + coldchain.Degrees(*u.Max, u.Range.High) + " °C since midnight"
		}
		for _, p := range u.Probes {
			if p.Check != nil {
				x.Checks = append(x.Checks, p.ID+": "+checkLine(p.Check, now, loc))
			}
			if p.Last.Time != 0 && !p.Last.Good() {
				x.Faults += p.ID + ": " + p.Last.Fault.Sentence() + " "
			}
			if s := p.Doubts(u.Range); s != "" {
				x.Doubts = append(x.Doubts, s)
			}
		}
		for j := range snap.Batches {
			if snap.Batches[j].Unit == u.ID {
				x.Batches = append(x.Batches, batch(&snap.Batches[j]))
			}
		}
		v.Units = append(v.Units, x)
	}
	for j := range snap.Batches {
		if b := &snap.Batches[j]; b.Unit == "" && b.Ended == nil {
			v.Outside = append(v.Outside, batch(b))
		}
	}
	v.Decide, v.More = decisions(snap, reader)
	return v
}
