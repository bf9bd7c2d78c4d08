package monitor

import (
	"context"
	"fmt"
	"maps"
	"math"
	"path"
	"slices"
	"strings"
	"time"
	"unicode"

	"coldkeep/internal/coldchain"
	"coldkeep/internal/recording"
	"coldkeep/sensor"
)

// What is found out later about what was: what a logger had recorded, that
// something was told wrongly, that a calibration was wrong.
var lateOrders = []string{"import", "correct", "recalibrate"}

// readImport reads the logger's file that an import names, whole. Nothing of
// the Monitor is touched but the store.
func (m *Monitor) readImport(ctx context.Context, c coldchain.Command) (coldchain.Command, error) {
	if c.Readout == nil || c.Readout.SHA256 == "" {
		return c, refusal("bad_request", "which file is imported? send it to /api/v1/files first, and give its SHA-256 as readout.sha256")
	}
	if (c.Batch == "") == (c.Unit == "") {
		return c, refusal("bad_request", "whose are the readings? give --batch B for a logger that came with a batch, or --unit U for one that lay in a unit")
	}
	data, err := m.File(ctx, c.Readout.SHA256)
	if err != nil {
		return c, err
	}
	o := recording.LogOptions{Name: fileName(c.Readout.Name), Logger: strings.TrimSpace(c.Readout.Logger), Zone: c.Readout.Zone, Dates: c.Readout.Dates}
	if o.Dates != "" && o.Dates != recording.DayFirst && o.Dates != recording.MonthFirst {
		return c, refusal("bad_request", "--dates %q: it is dmy for the day first, or mdy for the month first", o.Dates)
	}
	if o.Zone != "" {
		if o.Location, err = time.LoadLocation(o.Zone); err != nil || o.Zone == "Local" {
			return c, refusal("bad_request", "--timezone %q is no zone; Europe/London, America/New_York and UTC are such", o.Zone)
		}
	}
	r, list, err := recording.ReadLog(data, o)
	if err != nil {
		return c, refusal("bad_request", "%s cannot be imported: %v", o.Name, err)
	}
	r.SHA256, r.Dates, r.Bytes = strings.ToLower(c.Readout.SHA256), o.Dates, len(data)
	c.Readout, c.Readings = &r, list
	return c, nil
}

// fileName is the name alone, without what a terminal or a page would take ill.
func fileName(name string) string {
	name = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, path.Base(strings.ReplaceAll(name, `\`, "/")))
	if r := []rune(name); len(r) > 100 {
		name = string(r[:100])
	}
	if name == "" || name == "." || name == "/" {
		return "the file"
	}
	return name
}

// orderLate carries out what is found out later. All of the record that it
// concerns is judged anew, within the step that records it.
func (m *Monitor) orderLate(ctx context.Context, c coldchain.Command) (coldchain.Event, error) {
	if strings.TrimSpace(c.By) == "" {
		return coldchain.Event{}, refusal("bad_request", "who does this? give --by NAME")
	}
	at := m.instant()
	ev := coldchain.Event{Time: at, Found: at, By: c.By, Via: c.Via, ID: c.ID, Reason: c.Reason}
	var news *coldchain.Import
	var err error
	switch c.Name {
	case "import":
		var done bool
		if ev, news, done, err = m.orderImport(ctx, c, ev); done || err != nil {
			return ev, err
		}
	case "correct":
		ev, err = m.orderCorrect(ctx, c, ev)
	case "recalibrate":
		ev, err = m.orderRecalibrate(ctx, c, ev)
	}
	if err != nil {
		return ev, err
	}
	if c.DryRun {
		return m.dryRun(ctx, ev, news)
	}
	// All before is closed, and told for itself.
	before := coldchain.Step{At: at}
	m.e.Tick(at)
	m.collect(&before)
	if len(before.Events) > 0 {
		if err := m.commit(ctx, before); err != nil {
			return ev, err
		}
	}
	s := coldchain.Step{At: at}
	ev, err = m.enterLate(ctx, &s, ev, news)
	if err != nil {
		return ev, err
	}
	m.unsaved, m.saved = true, 0 // without a checkpoint that knows it, a restart would take as long
	return ev, m.commit(ctx, s)
}

// enterLate puts the event and its readings into the step, and judges anew.
func (m *Monitor) enterLate(ctx context.Context, s *coldchain.Step, ev coldchain.Event, news *coldchain.Import) (coldchain.Event, error) {
	m.add(s, ev)
	ev = s.Events[len(s.Events)-1]
	if news != nil && len(news.Readings) > 0 {
		news.Seq = ev.Seq
		for i := range news.Readings {
			news.Readings[i].Seq = ev.Seq
		}
		s.Imports = append(s.Imports, *news)
	}
	if err := m.rejudge(ctx, s, ev); err != nil {
		return ev, fmt.Errorf("judge anew: %w", err)
	}
	return ev, nil
}

// dryRun tells in the event's Text what would become of it, and leaves all as
// it is.
func (m *Monitor) dryRun(ctx context.Context, ev coldchain.Event, news *coldchain.Import) (coldchain.Event, error) {
	m.mu.Lock()
	seq := m.seq
	m.mu.Unlock()
	e, held, historic := m.e, m.held, maps.Clone(m.historic)
	s := coldchain.Step{At: m.e.Now()}
	ev, err := m.enterLate(ctx, &s, ev, news)
	m.e, m.held, m.historic = e, held, historic
	m.mu.Lock()
	m.seq = seq
	m.mu.Unlock()
	var lines []string
	for _, x := range s.Events {
		if x.Kind == coldchain.BatchRejudged {
			lines = append(lines, x.Batch+": "+x.Text)
		}
	}
	ev.Seq, ev.Text = 0, strings.Join(lines, "\n")
	return ev, err
}

// orderImport makes the event of an import, with the readings that are new. It
// is done already where the same was imported before: then that event answers.
func (m *Monitor) orderImport(ctx context.Context, c coldchain.Command, ev coldchain.Event) (_ coldchain.Event, news *coldchain.Import, done bool, err error) {
	no := func(code, format string, args ...any) (coldchain.Event, *coldchain.Import, bool, error) {
		return coldchain.Event{}, nil, false, refusal(code, format, args...)
	}
	r := *c.Readout
	ev.Kind, ev.Probe, ev.Readout = coldchain.ReadingsImported, coldchain.LoggerID(r.Logger), &r
	if r.Last > ev.Time {
		return no("bad_request", "the last reading of logger %s, at %s, lies in the future: is the zone right (--timezone), and was its clock?", r.Logger, r.Last)
	}
	earlier, err := m.st.EventsOf(ctx, coldchain.ReadingsImported)
	if err != nil {
		return ev, nil, false, fmt.Errorf("read journal: %w", err)
	}
	if c.Unit != "" {
		u := m.unitNamed(c.Unit)
		if u == nil {
			return no("not_found", "no unit %q is configured", c.Unit)
		}
		ev.Unit, ev.Start, ev.End = u.ID, max(r.First, m.begun()), &r.Last
		if r.Last < m.begun() {
			return no("conflict", "the recording of logger %s ends at %s, and the record of %s begins at %s: it can fill nothing", r.Logger, r.Last, u.ID, m.begun())
		}
	} else if ev, err = m.alongWith(c, ev); err != nil {
		return ev, nil, false, err
	}
	for _, e := range earlier {
		if e.Probe == ev.Probe && e.Unit == ev.Unit && e.Batch == ev.Batch && e.Readout != nil && e.Readout.SHA256 == r.SHA256 && (c.Since == 0 || e.Start == c.Since) && (c.Until == 0 || e.End != nil && *e.End == c.Until) {
			return e, nil, true, nil
		}
	}
	if ev.Batch != "" {
		if err := m.apart(ev); err != nil {
			return ev, nil, false, err
		}
	}
	known, err := m.st.Readings(ctx, ev.Probe, r.First, r.Last+1, math.MaxInt)
	if err != nil {
		return ev, nil, false, fmt.Errorf("read what was imported before: %w", err)
	}
	news = &coldchain.Import{Probe: ev.Probe}
	for _, x := range c.Readings {
		had, conflict := false, false
		for len(known) > 0 && known[0].Time < x.Time {
			known = known[1:]
		}
		for _, k := range known {
			if k.Time != x.Time {
				break
			}
			// A temperature beats a fault.
			had = had || k.Good() || !x.Good()
			conflict = conflict || k.Good() && x.Good() && k.Temp != x.Temp
		}
		switch {
		case conflict:
			r.Known++
			r.Conflicts++
		case had:
			r.Known++
		default:
			news.Readings = append(news.Readings, x)
		}
	}
	return ev, news, false, nil
}

func (m *Monitor) unitNamed(id string) *coldchain.UnitState {
	for _, u := range m.e.Units() {
		if strings.EqualFold(u.ID, id) {
			return &u
		}
	}
	return nil
}

func (m *Monitor) batchNamed(id string) *coldchain.BatchState {
	for _, b := range m.e.Batches() {
		if strings.EqualFold(b.ID, id) {
			return &b
		}
	}
	return nil
}

// alongWith finds from when to when a logger was with its batch: from its first
// reading to the moment in which the batch was placed, or will be.
func (m *Monitor) alongWith(c coldchain.Command, ev coldchain.Event) (coldchain.Event, error) {
	r := c.Readout
	b := m.batchNamed(c.Batch)
	if b == nil {
		return ev, refusal("not_found", "no batch %s is known: receive it first, then import what its logger recorded", c.Batch)
	}
	if b.FromBatch != "" {
		return ev, refusal("conflict", "batch %s was split off %s here: import the logger for %s, and it counts for both", b.ID, b.FromBatch, b.FromBatch)
	}
	ev.Batch, ev.Unit, ev.Start = b.ID, ev.Probe, r.First
	ev.Profile, ev.Lot, ev.Vials = b.ProfileID, b.Lot, b.Vials
	if c.Since != 0 {
		ev.Start = c.Since
	}
	came, to := b.Received, b.Ended
	for _, p := range b.Placements {
		if !strings.HasPrefix(p.Unit, coldchain.LoggerPrefix) {
			came, to = p.From, &p.From
			break
		}
	}
	if c.Until != 0 {
		came, to = c.Until, &c.Until
	}
	ev.End = to // nil: placing it will end it
	switch {
	case ev.Start < r.First:
		return ev, refusal("bad_request", "--from %s: the first reading of logger %s is of %s, and of what was before it knows nothing: leave --from out", ev.Start, r.Logger, r.First)
	case ev.Start > r.Last:
		return ev, refusal("bad_request", "--from %s: the last reading of logger %s is of %s", ev.Start, r.Logger, r.Last)
	case came > ev.Time:
		return ev, refusal("bad_request", "--to %s lies in the future: what happens is told when it happens", came)
	case came <= ev.Start:
		return ev, refusal("conflict", "the recording of logger %s begins at %s, and batch %s came at %s: it cannot be of its way here. Is it the right file, and the right zone? What lay in a unit is imported with --unit", r.Logger, ev.Start, b.ID, came)
	}
	return ev, nil
}

// apart refuses an import that overlaps where the batch was otherwise.
func (m *Monitor) apart(ev coldchain.Event) error {
	b := m.batchNamed(ev.Batch)
	if b == nil {
		return refusal("not_found", "no batch %s is known", ev.Batch)
	}
	until := func(t *sensor.Instant) string {
		if t == nil {
			return "now"
		}
		return t.String()
	}
	for _, p := range b.Placements {
		if (ev.End == nil || p.From < *ev.End) && (p.To == nil || *p.To > ev.Start) {
			return refusal("conflict", "batch %s was in %s from %s to %s, and would have been with %s from %s to %s: placements may touch, not overlap; give --from or --to", b.ID, p.Unit, p.From, until(p.To), ev.Unit, ev.Start, until(ev.End))
		}
	}
	return nil
}

// whereKinds are the events whose instant can be corrected: where a batch was.
var whereKinds = []coldchain.Kind{coldchain.BatchPlaced, coldchain.BatchMoved, coldchain.BatchTakenOut, coldchain.BatchReturned}

// orderCorrect makes the event that another one happened at another time.
func (m *Monitor) orderCorrect(ctx context.Context, c coldchain.Command, ev coldchain.Event) (coldchain.Event, error) {
	found := ev.Time
	if strings.TrimSpace(c.Reason) == "" {
		return ev, refusal("bad_request", "how is it known that it was told wrongly? give --reason TEXT")
	}
	b := m.batchNamed(c.Batch)
	if b == nil {
		return ev, refusal("not_found", "no batch %s is known", c.Batch)
	}
	if c.At == 0 {
		return ev, refusal("bad_request", "when did it happen? give the time that is right, as 2026-05-02T09:10:00Z")
	}
	events, err := m.st.EventsOf(ctx, orders...)
	if err != nil {
		return ev, fmt.Errorf("read journal: %w", err)
	}
	// Its life as it is known by now, in order of time.
	var life []coldchain.Input
	for _, in := range coldchain.Inputs(events) {
		if (strings.EqualFold(in.Batch, b.ID) || strings.EqualFold(in.FromBatch, b.ID)) && in.Kind != coldchain.ReadingsImported {
			if in.Kind == coldchain.BatchReceived {
				in.At = in.Time
			}
			life = append(life, in)
		}
	}
	slices.SortStableFunc(life, func(x, y coldchain.Input) int { return int(max(-1, min(1, x.At-y.At))) })
	n := -1
	for i, in := range life {
		made := slices.Contains(whereKinds, in.Kind) && !m.imported(events, in.Seq)
		if made && (c.Event == in.Seq || c.Event == 0 && in.Unit != "") {
			n = i
		}
	}
	if n < 0 {
		if c.Event != 0 {
			return ev, refusal("not_found", "event %d is nothing that was told of where batch %s was: `coldkeep batch show %s` and the journal (/api/v1/events) tell those that are", c.Event, b.ID, b.ID)
		}
		return ev, refusal("conflict", "batch %s was placed nowhere yet: there is nothing to correct", b.ID)
	}
	told := life[n]
	what := strings.ReplaceAll(strings.TrimPrefix(string(told.Kind), "batch_"), "_", " ")
	switch {
	case c.At == told.At:
		return ev, refusal("conflict", "that batch %s was %s stands at %s already", b.ID, what, c.At)
	case c.At > found:
		return ev, refusal("bad_request", "%s lies in the future: what happens is told when it happens", c.At)
	case c.At < m.begun():
		return ev, refusal("bad_request", "%s lies before this record, which begins at %s", c.At, m.begun())
	case c.At < b.Received:
		return ev, refusal("conflict", "batch %s was received at %s: it cannot have been %s before", b.ID, b.Received, what)
	}
	for i, o := range life {
		if i == n || o.Kind == coldchain.BatchReceived {
			continue
		}
		if i < n && c.At <= o.At && !(c.At == o.At && o.Kind == coldchain.BatchTakenOut) || i > n && c.At >= o.At {
			return ev, refusal("conflict", "batch %s was %s at %s: what was told of %s cannot have happened at %s, on the other side of it; correct that first", b.ID,
				strings.ReplaceAll(strings.TrimPrefix(string(o.Kind), "batch_"), "_", " "), o.At, told.At, c.At)
		}
	}
	if told.Unit != "" && !unitThen(events, told.Unit, c.At) {
		return ev, refusal("conflict", "there was no unit %s at %s", told.Unit, c.At)
	}
	ev.Kind, ev.Batch, ev.Corrects, ev.Start, ev.Time = coldchain.PlacementCorrected, b.ID, told.Seq, told.At, c.At
	ev.Unit, ev.FromUnit, ev.Profile, ev.Lot, ev.Vials = told.Unit, told.FromUnit, b.ProfileID, b.Lot, b.Vials
	return ev, nil
}

// imported says whether a place in the record is an import's.
func (m *Monitor) imported(events []coldchain.Event, seq uint64) bool {
	return slices.ContainsFunc(events, func(e coldchain.Event) bool { return e.Seq == seq && e.Kind == coldchain.ReadingsImported })
}

// unitThen says whether a unit was in the config at an instant.
func unitThen(events []coldchain.Event, id string, t sensor.Instant) bool {
	var held *coldchain.Event
	for i := range events {
		if e := &events[i]; e.Kind == coldchain.ConfigChanged && e.Config != nil && e.Time <= t && (held == nil || e.Time >= held.Time) {
			held = e
		}
	}
	return held != nil && slices.ContainsFunc(held.Config.Units, func(u coldchain.Unit) bool { return u.ID == id })
}

// mostPoints is how many points a calibration has at most, as in the config.
const mostPoints = 5

// orderRecalibrate makes the event that a probe's calibration was wrong.
func (m *Monitor) orderRecalibrate(ctx context.Context, c coldchain.Command, ev coldchain.Event) (coldchain.Event, error) {
	if strings.TrimSpace(c.Reason) == "" {
		return ev, refusal("bad_request", "how is it known that the calibration was wrong? give --reason TEXT")
	}
	if c.At != 0 {
		return ev, refusal("bad_request", "a calibration is wrong from a time on: give --since TIME, and leave `at` out")
	}
	events, err := m.st.EventsOf(ctx, coldchain.ConfigChanged)
	if err != nil {
		return ev, fmt.Errorf("read journal: %w", err)
	}
	var past *coldchain.ProbePast
	var ids []string
	for _, p := range coldchain.PastOf(events) {
		ids = append(ids, p.ID)
		if strings.EqualFold(p.ID, c.Probe) {
			past = &p
		}
	}
	if past == nil || past.Now() == nil {
		return ev, refusal("not_found", "no probe %q is configured; there are %s", c.Probe, strings.Join(ids, ", "))
	}
	// The points are of the instrument that stands there now.
	from := past.Now().From
	for i := len(past.Stays) - 1; i >= 0 && past.Stays[i].Instrument == past.Now().Instrument && (past.Stays[i].To == nil || *past.Stays[i].To == from); i-- {
		from = past.Stays[i].From
	}
	switch {
	case c.Since == 0:
		return ev, refusal("bad_request", "since when was the calibration wrong? give --since TIME, as of the last check that was good")
	case c.Since >= ev.Time:
		return ev, refusal("bad_request", "%s lies in the future: what comes is corrected by the config", c.Since)
	case c.Since < from:
		return ev, refusal("conflict", "the instrument that is at %s now (%s) came at %s: what was read before is another's", past.ID, past.Now().Instrument, from)
	}
	if len(c.Points) == 0 || len(c.Points) > mostPoints {
		return ev, refusal("bad_request", "%d points: one to %d are needed, each as what it reads and what is, 0.12=0.00", len(c.Points), mostPoints)
	}
	points := slices.Clone(c.Points)
	slices.SortFunc(points, func(a, b sensor.CalibrationPoint) int { return int(a.Reads) - int(b.Reads) })
	for i := 1; i < len(points); i++ {
		if points[i].Reads == points[i-1].Reads {
			return ev, refusal("bad_request", "two points say what is when it reads %s: one can", points[i].Reads)
		}
	}
	end := ev.Time
	ev.Kind, ev.Probe, ev.Unit, ev.Start, ev.End, ev.Points = coldchain.CalibrationCorrected, past.ID, past.Now().Unit, c.Since, &end, points
	return ev, nil
}
