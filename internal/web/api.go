package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"coldkeep/internal/coldchain"
	"coldkeep/sensor"
)

const limitDefault, limitMost = 1000, 10_000

// unitView is a unit as the API tells it.
type unitView struct {
	ID           string          `json:"id"`
	Name         string          `json:"name"`
	LowC         sensor.Temp     `json:"low_c"`
	HighC        sensor.Temp     `json:"high_c"`
	TemperatureC *sensor.Temp    `json:"temperature_c"`
	Time         *sensor.Instant `json:"time"`
	AgeS         *float64        `json:"age_s"`
	Status       string          `json:"status"`
	OutOfRange   bool            `json:"out_of_range"`
	Kind         string          `json:"kind,omitempty"`
	Since        *sensor.Instant `json:"since"`
	Unmonitored  bool            `json:"unmonitored"`
	Borderline   bool            `json:"borderline"` // in range, but closer to its end than the probe can tell
	MinC         *sensor.Temp    `json:"min_c"`
	MaxC         *sensor.Temp    `json:"max_c"`
	OutOfRangeS  float64         `json:"out_of_range_s"`
	UnmonitoredS float64         `json:"unmonitored_s"`
	Batches      []string        `json:"batches"`
	Flagged      int             `json:"flagged_batches"`
	CountedAt    *sensor.Instant `json:"counted"`    // when its boxes were counted last; null: never
	CountDue     *sensor.Instant `json:"count_due"`  // when they are to be counted; null: nothing is in it, or it never is
	DoorOpen     *bool           `json:"door_open"`  // null: it has no door contact, or nothing is known of it
	MainsLost    *bool           `json:"mains_lost"` // likewise
	Probes       []probeView     `json:"probes"`
}

type probeView struct {
	ID           string                `json:"id"`
	Chip         string                `json:"chip"`
	Medium       sensor.Medium         `json:"medium"`
	Judges       bool                  `json:"judges"`
	Up           bool                  `json:"up"`
	TemperatureC *sensor.Temp          `json:"temperature_c"`
	Time         *sensor.Instant       `json:"time"`
	Fault        sensor.Fault          `json:"fault,omitempty"`
	Sentence     string                `json:"fault_text,omitempty"`
	Check        *coldchain.ProbeCheck `json:"check,omitempty"` // it is under check, or out
	Uncalibrated bool                  `json:"uncalibrated"`
	UncertaintyC sensor.Temp           `json:"uncertainty_c"` // half-width; 0 not stated
	Borderline   bool                  `json:"borderline"`
}

func viewUnit(s *coldchain.Snapshot, u *coldchain.UnitState, now sensor.Instant) unitView {
	word, _ := u.Status()
	v := unitView{ID: u.ID, Name: u.Name, LowC: u.Range.Low, HighC: u.Range.High, TemperatureC: u.Temp, Status: word, OutOfRange: u.OutOfRange, Kind: u.Side,
		Unmonitored: u.Unmonitored, Borderline: u.Borderline, MinC: u.Min, MaxC: u.Max, OutOfRangeS: u.OutOfRangeS, UnmonitoredS: u.UnmonitoredS, Batches: []string{}, Flagged: u.FlaggedCount, DoorOpen: u.DoorOpen, MainsLost: u.MainsLost, Probes: []probeView{}}
	if u.Temp != nil {
		at, age := u.TempAt, now.Sub(u.TempAt).Seconds()
		v.Time, v.AgeS = &at, &age
	}
	if u.CountedAt != 0 {
		at := u.CountedAt
		v.CountedAt = &at
	}
	if u.CountDue != 0 {
		at := u.CountDue
		v.CountDue = &at
	}
	if u.OutOfRange {
		since := u.Since
		v.Since = &since
	}
	for i := range s.Batches {
		if s.Batches[i].Unit == u.ID {
			v.Batches = append(v.Batches, s.Batches[i].ID)
		}
	}
	for _, p := range u.Probes {
		x := probeView{ID: p.ID, Chip: p.Chip, Medium: p.Medium, Judges: p.Judges, Up: p.Up, Fault: p.Last.Fault, Sentence: p.Last.Fault.Sentence(), Check: p.Check,
			Uncalibrated: p.Uncalibrated, UncertaintyC: p.Uncertainty, Borderline: p.Borderline}
		if p.Last.Time != 0 {
			at := p.Last.Time
			x.Time = &at
			if p.Last.Good() {
				t := p.Last.Temp
				x.TemperatureC = &t
			}
		}
		v.Probes = append(v.Probes, x)
	}
	return v
}

func (s *Server) units(w http.ResponseWriter, _ *http.Request) {
	snap, now := s.m.Snapshot(), sensor.At(time.Now())
	list := []unitView{}
	for i := range snap.Units {
		list = append(list, viewUnit(snap, &snap.Units[i], now))
	}
	answer(w, map[string]any{"record": snap.Record, "at": snap.At, "units": list})
}

func (s *Server) unit(w http.ResponseWriter, r *http.Request) {
	snap := s.m.Snapshot()
	for i := range snap.Units {
		if strings.EqualFold(snap.Units[i].ID, r.PathValue("id")) {
			answer(w, viewUnit(snap, &snap.Units[i], sensor.At(time.Now())))
			return
		}
	}
	fail(w, http.StatusNotFound, "not_found", fmt.Sprintf("no unit %q is configured", r.PathValue("id")))
}

// rescues tell where the unit's batches can go, the most urgent first.
func (s *Server) rescues(w http.ResponseWriter, r *http.Request) {
	snap := s.m.Snapshot()
	for i := range snap.Units {
		u := &snap.Units[i]
		if !strings.EqualFold(u.ID, r.PathValue("id")) {
			continue
		}
		list := coldchain.Rescues(snap, u.ID)
		if list == nil {
			list = []coldchain.Rescue{}
		}
		answer(w, map[string]any{"record": snap.Record, "at": snap.At, "unit": u.ID, "in_trouble": u.InTrouble(), "rescues": list})
		return
	}
	fail(w, http.StatusNotFound, "not_found", fmt.Sprintf("no unit %q is configured", r.PathValue("id")))
}

// batchView is a batch as the API tells it: as in a replay, with the words.
type batchView struct {
	coldchain.BatchState
	Range    string              `json:"range"` // of its profile, in words
	Flagged  bool                `json:"flagged"`
	Words    coldchain.Words     `json:"words"`
	VialText *coldchain.VialText `json:"vial_text,omitempty"` // what stands on a vial that is opened
}

func (s *Server) viewBatch(snap *coldchain.Snapshot, b *coldchain.BatchState) batchView {
	r := s.reader(snap)
	return batchView{*b, b.Profile.RangeText(), b.Verdict.Flagged(), b.Words(r, unitOf(snap, b.Unit)), b.VialText(r)}
}

func unitOf(s *coldchain.Snapshot, id string) *coldchain.UnitState {
	for i := range s.Units {
		if s.Units[i].ID == id && id != "" {
			return &s.Units[i]
		}
	}
	return nil
}

func (s *Server) reader(snap *coldchain.Snapshot) coldchain.Reader {
	return coldchain.NewReader(snap.Site, sensor.At(time.Now()), location(snap))
}

func location(snap *coldchain.Snapshot) *time.Location {
	loc, err := time.LoadLocation(snap.Site.Timezone)
	if err != nil {
		return time.UTC // the config was checked; without its zone the time says that it is UTC
	}
	return loc
}

func (s *Server) batches(w http.ResponseWriter, _ *http.Request) {
	snap := s.m.Snapshot()
	list := []batchView{}
	for i := range snap.Batches {
		list = append(list, s.viewBatch(snap, &snap.Batches[i]))
	}
	answer(w, map[string]any{"record": snap.Record, "at": snap.At, "batches": list})
}

func findBatch(snap *coldchain.Snapshot, id string) *coldchain.BatchState {
	for i := range snap.Batches {
		if strings.EqualFold(snap.Batches[i].ID, id) {
			return &snap.Batches[i]
		}
	}
	return nil
}

func (s *Server) batch(w http.ResponseWriter, r *http.Request) {
	snap := s.m.Snapshot()
	b := findBatch(snap, r.PathValue("id"))
	if b == nil {
		fail(w, http.StatusNotFound, "not_found", fmt.Sprintf("no batch %q is known here", r.PathValue("id")))
		return
	}
	answer(w, struct {
		batchView
		Facts []coldchain.Fact `json:"facts"`
	}{s.viewBatch(snap, b), b.Facts(s.reader(snap))})
}

func (s *Server) alarms(w http.ResponseWriter, _ *http.Request) {
	snap := s.m.Snapshot()
	list := snap.Alarms
	if list == nil {
		list = []coldchain.Alarm{}
	}
	troubles := make([]coldchain.Trouble, len(snap.Troubles))
	for i, t := range snap.Troubles {
		if t.Units == nil {
			t.Units = []string{}
		}
		if t.Called == nil {
			t.Called = []coldchain.Called{}
		}
		troubles[i] = t
	}
	answer(w, map[string]any{"record": snap.Record, "at": snap.At, "alarms": list, "troubles": troubles, "drill": snap.Drill})
}

// limit reads ?limit=.
func limit(r *http.Request) (int, error) {
	text := r.URL.Query().Get("limit")
	if text == "" {
		return limitDefault, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > limitMost {
		return 0, fmt.Errorf("limit %q: it is a number from 1 to %d", text, limitMost)
	}
	return n, nil
}

// instant reads a time from the query.
func instant(r *http.Request, key string, otherwise sensor.Instant) (sensor.Instant, error) {
	text := r.URL.Query().Get(key)
	if text == "" {
		return otherwise, nil
	}
	var t sensor.Instant
	if err := t.UnmarshalText([]byte(text)); err != nil {
		return 0, fmt.Errorf("%s %q: write it as 2026-05-02T10:36:00Z", key, text)
	}
	return t, nil
}

type readingView struct {
	Seq          uint64         `json:"seq"`
	Time         sensor.Instant `json:"time"`
	Probe        string         `json:"probe"`
	TemperatureC *sensor.Temp   `json:"temperature_c,omitempty"`
	RawC         *sensor.Temp   `json:"raw_c,omitempty"` // as the chip said, before the calibration
	Fault        sensor.Fault   `json:"fault,omitempty"`
	Check        bool           `json:"check,omitempty"` // under check: not judged
}

func (s *Server) readings(w http.ResponseWriter, r *http.Request) {
	now := sensor.At(time.Now())
	n, err1 := limit(r)
	from, err2 := instant(r, "from", now.Add(-24*time.Hour))
	to, err3 := instant(r, "to", now+1)
	for _, err := range []error{err1, err2, err3} {
		if err != nil {
			fail(w, http.StatusBadRequest, "bad_request", err.Error())
			return
		}
	}
	probe := r.URL.Query().Get("probe")
	if probe == "" {
		fail(w, http.StatusBadRequest, "bad_request", "which probe? give ?probe=ID")
		return
	}
	list, err := s.m.Readings(r.Context(), probe, from, to, n+1)
	if err != nil {
		fail(w, http.StatusInternalServerError, "internal", err.Error())
		return
	}
	snap := s.m.Snapshot()
	if len(list) == 0 && !knownProbe(snap, probe) {
		fail(w, http.StatusNotFound, "not_found", fmt.Sprintf("no probe %q is configured, and the record has none", probe))
		return
	}
	var next any
	if len(list) > n {
		next = list[n].Time // ask on with from=next
		list = list[:n]
	}
	views := make([]readingView, len(list))
	for i, x := range list {
		views[i] = readingView{Seq: x.Seq, Time: x.Time, Probe: x.Probe, Fault: x.Fault, Check: x.Check}
		if x.Good() {
			views[i].TemperatureC, views[i].RawC = &list[i].Temp, &list[i].Raw
		}
	}
	answer(w, map[string]any{"record": snap.Record, "readings": views, "next": next})
}

func knownProbe(snap *coldchain.Snapshot, id string) bool {
	for i := range snap.Units {
		for _, p := range snap.Units[i].Probes {
			if strings.EqualFold(p.ID, id) {
				return true
			}
		}
	}
	return false
}

func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	n, err := limit(r)
	var after uint64
	if text := r.URL.Query().Get("after"); err == nil && text != "" {
		if after, err = strconv.ParseUint(text, 10, 63); err != nil {
			err = fmt.Errorf("after %q: it is the seq of an event", text)
		}
	}
	if err != nil {
		fail(w, http.StatusBadRequest, "bad_request", err.Error())
		return
	}
	list, err := s.m.Events(r.Context(), after, n+1)
	if err != nil {
		fail(w, http.StatusInternalServerError, "internal", err.Error())
		return
	}
	var next any
	if len(list) > n {
		list = list[:n]
		next = list[n-1].Seq // ask on with after=next
	}
	public := make([]coldchain.Event, len(list))
	for i, e := range list {
		public[i] = e.Public()
	}
	answer(w, map[string]any{"record": s.m.Snapshot().Record, "events": public, "next": next})
}

// stream sends events as they come (server-sent events): first those after
// Last-Event-ID or ?after=, without either only new ones. Beside them an event
// `changed`, without id, says that the snapshot is a new one.
func (s *Server) stream(w http.ResponseWriter, r *http.Request) {
	text := r.Header.Get("Last-Event-ID")
	if text == "" {
		text = r.URL.Query().Get("after")
	}
	after := s.m.Snapshot().Seq
	if text != "" {
		var err error
		if after, err = strconv.ParseUint(text, 10, 63); err != nil {
			fail(w, http.StatusBadRequest, "bad_request", fmt.Sprintf("Last-Event-ID %q: it is the seq of an event", text))
			return
		}
	}
	out := http.NewResponseController(w)
	w.Header().Set("Content-Type", "text/event-stream")
	beat := time.NewTicker(15 * time.Second)
	defer beat.Stop()
	send := func(format string, args ...any) bool {
		if err := out.SetWriteDeadline(time.Now().Add(10 * time.Second)); err != nil {
			return false
		}
		if _, err := fmt.Fprintf(w, format, args...); err != nil {
			return false
		}
		return true
	}
	if err := out.SetReadDeadline(time.Time{}); err != nil {
		return
	}
	if !send("retry: 2000\n\n") {
		return
	}
	for {
		changed := s.m.Changed()
		for {
			list, err := s.m.Events(r.Context(), after, limitDefault)
			if err != nil {
				return
			}
			for _, e := range list {
				b, err := json.Marshal(e.Public())
				if err != nil || !send("id: %d\nevent: %s\ndata: %s\n\n", e.Seq, e.Kind, b) {
					return
				}
				after = e.Seq
			}
			if len(list) < limitDefault {
				break
			}
		}
		if !send("event: changed\ndata: %d\n\n", s.m.Snapshot().Seq) || out.Flush() != nil {
			return
		}
		select {
		case <-changed:
		case <-beat.C:
			if !send(": still here\n\n") || out.Flush() != nil {
				return
			}
		case <-r.Context().Done():
			return
		case <-s.ended:
			return
		}
	}
}
