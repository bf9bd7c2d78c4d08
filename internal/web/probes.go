package web

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"coldkeep/internal/coldchain"
	"coldkeep/sensor"
)

func (s *Server) pasts(r *http.Request) ([]coldchain.ProbePast, error) {
	list, err := s.m.EventsOf(r.Context(), coldchain.ProbeKinds...)
	return coldchain.PastOf(list), err
}

// probes lists the probes of the config that judges.
func (s *Server) probes(w http.ResponseWriter, r *http.Request) {
	pasts, err := s.pasts(r)
	if err != nil {
		fail(w, http.StatusInternalServerError, "internal", err.Error())
		return
	}
	snap := s.m.Snapshot()
	answer(w, map[string]any{"record": snap.Record, "at": snap.At, "probes": coldchain.ProbesNow(pasts)})
}

// probe tells what became of one, also of one that the config no longer has.
func (s *Server) probe(w http.ResponseWriter, r *http.Request) {
	pasts, err := s.pasts(r)
	if err != nil {
		fail(w, http.StatusInternalServerError, "internal", err.Error())
		return
	}
	for i := range pasts {
		if strings.EqualFold(pasts[i].ID, r.PathValue("id")) {
			answer(w, pasts[i])
			return
		}
	}
	fail(w, http.StatusNotFound, "not_found", fmt.Sprintf("no probe %q is in a unit, and none ever was", r.PathValue("id")))
}

// checkLine tells why a probe is not judged, or should be back.
func checkLine(c *coldchain.ProbeCheck, now sensor.Instant, loc *time.Location) string {
	clock := func(t sensor.Instant) string { return clockOf(t, now, loc) }
	what := map[string]string{"which": "in the hand of ", "out": "taken out by "}[c.Purpose]
	if what == "" {
		what = "under check by "
	}
	text := what + c.By
	if c.Reason != "" {
		text += " (" + c.Reason + ")"
	}
	text += " since " + clock(c.Since)
	if now >= c.Until {
		return text + ": judged again since " + clock(c.Until) + "; put it back in its place"
	}
	return text + ", until " + clock(c.Until) + ": not judged"
}

// clockOf is an instant by the site's clocks, with its day where that is another.
func clockOf(t, now sensor.Instant, loc *time.Location) string {
	at, today := t.Time().In(loc), now.Time().In(loc)
	if at.Format(time.DateOnly) == today.Format(time.DateOnly) {
		return at.Format("15:04")
	}
	return at.Format("Mon 2 Jan 15:04")
}

type probesView struct {
	Site   string
	Probes []probeRow
}

type probeRow struct {
	ID, Unit, Position, Instrument, Medium, Until, Checked, Mapping, Out string
	Late, Off                                                            bool
}

// probesPage is the list for people.
func (s *Server) probesPage(w http.ResponseWriter, r *http.Request) {
	pasts, err := s.pasts(r)
	if err != nil {
		s.o.Log.Error("page cannot be made", "page", "probes.html", "cause", err)
		http.Error(w, "the page cannot be made: see the log", http.StatusInternalServerError)
		return
	}
	snap := s.m.Snapshot()
	now, loc := sensor.At(time.Now()), location(snap)
	v := probesView{Site: snap.Site.Name}
	if v.Site == "" {
		v.Site = snap.Site.ID
	}
	for i := range pasts {
		p, x := &pasts[i], pasts[i].Now()
		if x == nil {
			continue
		}
		row := probeRow{ID: p.ID, Unit: x.Unit, Position: x.Position, Instrument: x.Instrument, Medium: string(x.Medium), Until: "not stated", Late: x.Judges, Checked: "never", Mapping: x.MappingDue}
		if u := unitOf(snap, x.Unit); u != nil {
			row.Unit = u.Title()
		}
		if !x.Judges {
			row.Medium += ", does not judge"
		}
		if x.CalibratedUntil != nil {
			row.Until, row.Late = x.CalibrationDue, now >= *x.CalibratedUntil
		}
		if row.Late && x.CalibratedUntil != nil {
			row.Until += ": over"
		}
		if c := p.LastCheck(); c != nil {
			row.Off = !c.Good
			row.Checked = fmt.Sprintf("%s by %s: read %s at %s °C", c.Time.Time().In(loc).Format(time.DateOnly), c.By, c.Found, c.Reference)
			if row.Off {
				row.Checked += fmt.Sprintf(", more than %s off", c.Tolerance)
			}
		}
		if p.Out != nil {
			row.Out = checkLine(p.Out, now, loc)
		}
		v.Probes = append(v.Probes, row)
	}
	s.show(w, http.StatusOK, "probes.html", v)
}
