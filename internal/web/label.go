package web

import (
	"mime"
	"net/http"
	"strings"
	"time"

	"coldkeep/internal/coldchain"
	"coldkeep/sensor"
)

type labelView struct {
	ID, Lot, Foot, Unit string
	Ahead               string // when it is over its limit if nobody comes
	Words               coldchain.Words
	Facts               []coldchain.Fact
	Papers              []paperView
	Made, OldMs         int64
}

// paperView is a paper with the address where it lies.
type paperView struct{ Href, Kind, Name, Checked string }

// label is what the code on a vial's box opens.
func (s *Server) label(w http.ResponseWriter, r *http.Request) {
	snap := s.m.Snapshot()
	now, loc := sensor.At(time.Now()), location(snap)
	v := labelView{ID: r.PathValue("batch"), Made: int64(snap.Made), OldMs: max(3*s.o.Interval, 5*time.Second).Milliseconds()}
	answered := "Answered " + now.Time().In(loc).Format("15:04:05 MST") + "."
	reader := s.reader(snap)
	b := findBatch(snap, v.ID)
	if b == nil {
		ask := reader.Ask
		if ask == "" {
			ask = "a manager"
		}
		v.Words = coldchain.Words{Headline: "DO NOT USE: NOT KNOWN HERE", Do: "Ask " + ask + ".", Why: "No batch of this id was received here.", Tone: "stop"}
		v.Foot = answered
		s.show(w, http.StatusNotFound, "label.html", v)
		return
	}
	v.ID, v.Lot = b.ID, b.Lot
	u := unitOf(snap, b.Unit)
	v.Words, v.Facts, v.Ahead = b.Words(reader, u), b.Facts(reader), b.ForecastText(reader)
	for _, p := range b.Papers {
		checked := "attached " + reader.Day(p.At)
		if p.Checked != "" {
			checked = "checked by " + p.Checked + ", " + checked
		}
		v.Papers = append(v.Papers, paperView{Href: "/b/" + b.ID + "/papers/" + p.SHA256, Kind: p.Kind.Text(), Name: p.Name, Checked: checked})
	}
	if now.Sub(snap.Made) > max(3*s.o.Interval, 5*time.Second) && v.Words.Tone == "ok" {
		v.Words = coldchain.Words{Headline: "OLD ANSWER: LOAD AGAIN", Do: "The monitor has not answered since " + snap.Made.Time().In(loc).Format("15:04:05") + ".", Tone: "wait"}
	}
	if u != nil {
		v.Unit = u.Title()
	}
	v.Foot = "This tells how it was stored, not whether it is safe or works. "
	if b.Lot != "" {
		v.Foot = "Lot " + b.Lot + ". Does the vial say the same? " + v.Foot
	}
	if record := b.RecordText(reader); record != "" {
		v.Foot += record + " "
	}
	v.Foot += answered
	s.show(w, http.StatusOK, "label.html", v)
}

// paper gives a paper of a batch under its own name, as a file to keep.
func (s *Server) paper(w http.ResponseWriter, r *http.Request) {
	b := findBatch(s.m.Snapshot(), r.PathValue("batch"))
	name := ""
	if b != nil {
		for _, p := range b.Papers {
			if strings.EqualFold(p.SHA256, r.PathValue("sha")) {
				name = p.Name
			}
		}
	}
	if name == "" {
		fail(w, http.StatusNotFound, "not_found", "this batch has no such paper")
		return
	}
	data, err := s.m.File(r.Context(), strings.ToLower(r.PathValue("sha")))
	if s.refused(w, "paper", err) {
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	_, _ = w.Write(data) // what goes wrong now is the client's connection
}
