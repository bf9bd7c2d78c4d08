package monitor

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"coldkeep/internal/coldchain"
	"coldkeep/sensor"
)

// A request enters the loop's queue: something that changes the record.
type request struct {
	do     func(ctx context.Context) (coldchain.Event, error)
	answer chan reply // has room for one
}

type reply struct {
	event coldchain.Event
	err   error
}

// Do carries out a command and answers the event that it became. A
// *coldchain.Refusal says why it cannot be done and what would be right. A
// command whose id was seen before gets its first answer and does nothing.
func (m *Monitor) Do(ctx context.Context, c coldchain.Command) (coldchain.Event, error) {
	c, err := m.papered(ctx, c)
	if err != nil {
		return coldchain.Event{}, err
	}
	if c.Name == "import" { // a long file is read without holding up the loop
		if c, err = m.readImport(ctx, c); err != nil {
			return coldchain.Event{}, err
		}
	}
	return m.ask(ctx, request{do: func(ctx context.Context) (coldchain.Event, error) { return m.order(ctx, c) }})
}

func (m *Monitor) ask(ctx context.Context, r request) (coldchain.Event, error) {
	gone := &coldchain.Refusal{Code: "unavailable", Message: "coldkeep is stopping: try again when it runs"}
	r.answer = make(chan reply, 1)
	select {
	case m.requests <- r:
	case <-m.ended:
		return coldchain.Event{}, gone
	case <-ctx.Done():
		return coldchain.Event{}, ctx.Err()
	}
	select {
	case a := <-r.answer:
		return a.event, a.err
	case <-m.ended:
		return coldchain.Event{}, gone
	case <-ctx.Done():
		return coldchain.Event{}, ctx.Err()
	}
}

func (m *Monitor) serve(ctx context.Context, r request) {
	var a reply
	a.event, a.err = r.do(ctx)
	r.answer <- a
}

func refusal(code, format string, args ...any) error {
	return &coldchain.Refusal{Code: code, Message: fmt.Sprintf(format, args...)}
}

func (m *Monitor) order(ctx context.Context, c coldchain.Command) (coldchain.Event, error) {
	if m.e == nil {
		return coldchain.Event{}, refusal("unavailable", "no sweep has been made yet: try again in %v", m.o.Interval)
	}
	if c.ID == "" {
		return coldchain.Event{}, refusal("bad_request", "a command needs an id that its sender made, so that a repeat does nothing")
	}
	if slices.Contains(deskOrders, c.Name) {
		if known, err := m.knows(ctx, c.ID); err != nil || !known {
			if err != nil {
				return coldchain.Event{}, err
			}
			e, err := m.orderDesk(ctx, c)
			if m.storage != nil && e.Kind != "" {
				err = nil // whoever goes has it, also while the disk fails
			}
			return e, err
		}
	}
	if m.storage != nil {
		return coldchain.Event{}, refusal("unavailable", "the record cannot be written to disk: nothing can be decided before it can")
	}
	if e, known, err := m.st.EventByCommand(ctx, c.ID); err != nil {
		return e, fmt.Errorf("look up command %s: %w", c.ID, err)
	} else if known {
		return e, nil
	}
	if slices.Contains(probeOrders, c.Name) {
		return m.orderProbe(ctx, c)
	}
	if slices.Contains(lateOrders, c.Name) {
		return m.orderLate(ctx, c)
	}
	c, err := m.scanned(c)
	if err != nil {
		return coldchain.Event{}, err
	}
	if c, err = m.told(c); err != nil {
		return coldchain.Event{}, err
	}
	if c, err = m.dated(c); err != nil {
		return coldchain.Event{}, err
	}
	now := m.clock.now()
	past := c.At != 0 && c.At <= m.e.Now()
	switch {
	case c.At == 0:
		c.At = m.instant()
	case c.At > max(now, m.e.Now()+1):
		return coldchain.Event{}, refusal("bad_request", "%s lies in the future: what happens is told when it happens", c.At)
	case past && m.begun() > c.At:
		return coldchain.Event{}, refusal("bad_request", "%s lies before this record, which begins at %s", c.At, m.begun())
	}
	list, err := m.e.Orders(c)
	if err != nil {
		return coldchain.Event{}, err
	}
	from := slices.MinFunc(list, func(a, b coldchain.Event) int { return cmp.Compare(a.Earliest(), b.Earliest()) }).Earliest()
	late := from <= m.e.Now()
	s := coldchain.Step{At: max(c.At, m.e.Now())}
	if late && s.At > m.e.Now() {
		// What falls due until now is told as ever, before all is judged anew.
		due := coldchain.Step{At: s.At}
		m.e.Tick(s.At)
		if m.collect(&due); len(due.Events) > 0 {
			if err := m.commit(ctx, due); err != nil {
				return coldchain.Event{}, err
			}
		}
	}
	for _, ev := range list {
		if past {
			ev.Found = now
		}
		ev.Text = m.toWrite(ev)
		m.add(&s, ev)
	}
	list = slices.Clone(s.Events)
	ev := list[0]
	if late {
		if err := m.rejudge(ctx, &s, list...); err != nil {
			return ev, fmt.Errorf("judge anew: %w", err)
		}
		if s.At.Sub(from) > time.Hour {
			m.saved = 0 // without a checkpoint that knows it, a restart would take as long
		}
	} else {
		for _, ev := range list {
			if err := m.e.Apply(ev); err != nil {
				return ev, fmt.Errorf("carry out %s: %w", ev.Kind, err)
			}
		}
		m.e.Tick(s.At)
		m.collect(&s)
	}
	m.unsaved = true
	return ev, m.commit(ctx, s)
}

// dated finds the ends of the days that a command names, by the site's clocks,
// and refuses labels that are for show.
func (m *Monitor) dated(c coldchain.Command) (coldchain.Command, error) {
	if c.Name == "receive" && c.Expiry != "" {
		if c.ExpiresAt = coldchain.DayEnd(c.Expiry, m.loc); c.ExpiresAt == 0 {
			return c, refusal("bad_request", "expiry %q: write the last day as 2027-01-31", c.Expiry)
		}
	}
	if c.UseBy != "" {
		if c.UseByAt = coldchain.DayEnd(c.UseBy, m.loc); c.UseByAt == 0 {
			return c, refusal("bad_request", "use by %q: write the last day as 2027-01-31", c.UseBy)
		}
	}
	if (c.Name == "receive" || c.Name == "adopt") && !m.o.Demo && len(c.Profile) >= 8 && strings.EqualFold(c.Profile[:8], "example-") {
		return c, refusal("bad_request", "profile %s is an example: no batch is received under one; write a profile from the product's label", c.Profile)
	}
	return c, nil
}

// toWrite is what a person writes on a vial that was opened, in the site's
// time; "" where there is nothing to write.
func (m *Monitor) toWrite(ev coldchain.Event) string {
	if ev.Kind != coldchain.BatchOpened || ev.UseByAt == 0 {
		return ev.Text
	}
	by := timeOf(ev.UseByAt).In(m.loc)
	if by.Equal(time.Date(by.Year(), by.Month(), by.Day(), 0, 0, 0, 0, m.loc)) {
		return "USE BY the end of " + by.AddDate(0, 0, -1).Format("2 January 2006")
	}
	return "USE BY " + by.Format("15:04") + " on " + by.Format("2 January")
}

// begun is when the record begins.
func (m *Monitor) begun() sensor.Instant { return m.origin }

// rejudge judges the record anew with events of the past in it, and tells
// what is found that was not said before.
func (m *Monitor) rejudge(ctx context.Context, s *coldchain.Step, late ...coldchain.Event) error {
	before := map[string]coldchain.BatchState{}
	for _, b := range m.e.Batches() {
		before[b.ID] = b
	}
	alarms := m.e.OpenAlarms()
	told, err := m.rebuildWith(ctx, m.e.Now(), s.Imports, late...)
	if err != nil {
		return err
	}
	tell := func(e coldchain.Event) {
		e.Found = s.At
		m.add(s, e)
	}
	for _, b := range m.e.Batches() {
		old := before[b.ID]
		for _, r := range b.Reasons {
			known := slices.ContainsFunc(old.Reasons, func(o coldchain.Reason) bool { return o.Rule == r.Rule && !o.Released })
			if r.Released || r.Unsupported || known {
				continue
			}
			if r.Expires() {
				tell(coldchain.Event{Time: r.At, Kind: coldchain.BatchExpired, Batch: b.ID, Unit: b.Unit, Profile: b.ProfileID, Rule: r.Rule, Vials: b.Vials, Lot: b.Lot, Text: r.Text, Reason: r.Text})
				continue
			}
			tell(coldchain.Event{Time: r.At, Kind: coldchain.BatchQuarantined, Batch: b.ID, Unit: b.Unit, Profile: b.ProfileID, Rule: r.Rule, Vials: b.Vials, Lot: b.Lot,
				Doubtful: r.Doubtful, Text: r.Text, Reason: r.Sentence()})
			m.e.Void(b.ID)
		}
		if b.Verdict == coldchain.InExcursion && !old.Verdict.Flagged() {
			text := "its storage was out of " + b.Profile.RangeText()
			tell(coldchain.Event{Time: b.Since, Kind: coldchain.BatchFlagged, Batch: b.ID, Unit: b.Unit, Profile: b.ProfileID, Rule: coldchain.RuleExcursion, Vials: b.Vials,
				Lot: b.Lot, Text: text, Reason: text})
		}
	}
	for _, e := range told {
		e.Reason += "; what is known by now: " + because(late)
		m.add(s, e)
	}
	m.tellRejudged(s, before, late)
	now := m.e.OpenAlarms()
	same := func(a coldchain.Alarm) func(coldchain.Alarm) bool {
		return func(b coldchain.Alarm) bool {
			return a.Unit == b.Unit && a.Rule == b.Rule && a.Batch == b.Batch && a.Severity == b.Severity && (a.Batch == "" || a.Raised == b.Raised)
		}
	}
	m.tellHistoric(s, alarms, now)
	for _, a := range now {
		if a.Batch == "" && !slices.ContainsFunc(alarms, same(a)) {
			tell(coldchain.Event{Time: a.Raised, Kind: coldchain.AlarmRaised, Unit: a.Unit, Batch: a.Batch, Rule: a.Rule, Severity: a.Severity, Start: a.Raised, Text: a.Text, Reason: a.Text})
		}
	}
	for _, a := range alarms {
		if !slices.ContainsFunc(now, same(a)) {
			end := s.At
			m.add(s, coldchain.Event{Time: end, Kind: coldchain.AlarmCleared, Unit: a.Unit, Batch: a.Batch, Rule: a.Rule, Severity: a.Severity, Start: a.Raised, End: &end, Text: a.Text,
				Reason: "what is known by now no longer supports it"})
		}
	}
	return nil
}

var orders = []coldchain.Kind{coldchain.ConfigChanged, coldchain.BatchReceived, coldchain.BatchPlaced, coldchain.BatchMoved, coldchain.BatchTakenOut,
	coldchain.BatchReleased, coldchain.BatchDiscarded, coldchain.BatchUsed,
	coldchain.BatchReturned, coldchain.BatchSplit, coldchain.BatchOpened, coldchain.VialsUsed, coldchain.VialsDiscarded, coldchain.BatchHeld,
	coldchain.LotRecalled, coldchain.DecisionProposed, coldchain.ProfileAdopted, coldchain.PaperAttached, coldchain.UnitCounted,
	coldchain.ReadingsImported, coldchain.PlacementCorrected, coldchain.CalibrationCorrected}

// rebuild judges the record up to until, from the newest checkpoint that
// knows all that came before it, or from the beginning, without telling
// anything that it finds. It answers what must be told: reasons that the
// journal has given and that what is known by now no longer supports.
func (m *Monitor) rebuild(ctx context.Context, until sensor.Instant, late ...coldchain.Event) ([]coldchain.Event, error) {
	return m.rebuildWith(ctx, until, nil, late...)
}

// rebuildWith is rebuild with what has come and is not recorded yet.
func (m *Monitor) rebuildWith(ctx context.Context, until sensor.Instant, imports []coldchain.Import, late ...coldchain.Event) ([]coldchain.Event, error) {
	list, err := m.st.EventsOf(ctx, orders...)
	if err != nil {
		return nil, fmt.Errorf("read journal: %w", err)
	}
	list = append(list, late...)
	slices.SortStableFunc(list, func(a, b coldchain.Event) int { return cmp.Compare(a.Earliest(), b.Earliest()) })
	configs := slices.DeleteFunc(slices.Clone(list), func(e coldchain.Event) bool { return e.Kind != coldchain.ConfigChanged || e.Config == nil })
	if len(configs) == 0 {
		return nil, fmt.Errorf("read journal: it has no config_changed, though readings were judged up to %s", until)
	}
	m.origin = configs[0].Time
	inputs := coldchain.Inputs(list)
	e, from := m.restore(ctx, until, list, configs)
	if e == nil {
		from = min(configs[0].Time, inputs[0].At)
		e = coldchain.NewFrom(*configs[0].Config, configs[0].Time, from)
		m.held = *configs[0].Config
		inputs = slices.DeleteFunc(inputs, func(x coldchain.Input) bool { return x.Seq == configs[0].Seq })
	} else {
		inputs = slices.DeleteFunc(inputs, func(x coldchain.Input) bool { return x.At < from })
	}
	e.Quiet(true)
	calibrations := slices.DeleteFunc(slices.Clone(list), func(x coldchain.Event) bool { return x.Kind != coldchain.CalibrationCorrected })
	slices.SortStableFunc(calibrations, func(a, b coldchain.Event) int { return cmp.Compare(a.Seq, b.Seq) })
	recalled, err := m.recalled(ctx, from, until, list, imports)
	if err != nil {
		return nil, err
	}
	started := time.Now()
	i := 0
	apply := func(t sensor.Instant) error {
		for ; i < len(inputs) && inputs[i].At <= t; i++ {
			ev := inputs[i].Event
			if ev.Kind == coldchain.ConfigChanged {
				if err := e.Reconfigure(ev.Time, *ev.Config); err != nil {
					return fmt.Errorf("apply event %d: %w", ev.Seq, err)
				}
				m.held = *ev.Config
				continue
			}
			if err := e.Apply(ev); err != nil {
				return fmt.Errorf("apply event %d: %w", ev.Seq, err)
			}
		}
		return nil
	}
	n := 0
	recall := func(t sensor.Instant) error {
		for ; len(recalled) > 0 && recalled[0].Time <= t; recalled = recalled[1:] {
			if err := apply(recalled[0].Time); err != nil {
				return err
			}
			n++
			e.Recall(recalled[0].Reading, recalled[0].stands)
		}
		return nil
	}
	err = m.st.EachReading(ctx, from, until+1, func(r sensor.Reading, _ bool) error {
		if err := recall(r.Time); err != nil {
			return err
		}
		if i < len(inputs) && inputs[i].At <= r.Time {
			if err := apply(r.Time); err != nil {
				return err
			}
		}
		if n++; n%4096 == 0 {
			m.turn() // years take a while on a small machine, and that is no standstill
		}
		if len(calibrations) > 0 {
			r = coldchain.Recalibrated(r, calibrations)
		}
		e.Observe(r)
		return nil
	})
	if err == nil {
		err = recall(until)
	}
	if err != nil {
		return nil, fmt.Errorf("judge readings anew: %w", err)
	}
	if err := apply(until); err != nil {
		return nil, err
	}
	e.Tick(until)
	e.Quiet(false)
	said, err := m.st.EventsOf(ctx, coldchain.Said...)
	if err != nil {
		return nil, fmt.Errorf("read journal: %w", err)
	}
	for _, ev := range late { // the journal will say it, too
		if slices.Contains(coldchain.Said, ev.Kind) {
			said = append(said, ev)
		}
	}
	told := e.Latch(said, until)
	m.e = e
	m.log.Info("judged again what no checkpoint covers", "from", from.String(), "readings", n, "took", time.Since(started).Round(time.Millisecond))
	return told, nil
}

// restore looks for a checkpoint to go on from: one made before nothing that
// it would have had to know. It answers nil where there is none.
func (m *Monitor) restore(ctx context.Context, until sensor.Instant, list, configs []coldchain.Event) (*coldchain.Evaluator, sensor.Instant) {
	for before := until; ; {
		at, seq, data, err := m.st.Checkpoint(ctx, before)
		if err != nil || data == nil {
			if err != nil {
				m.log.Warn("no checkpoint can be read", "cause", err)
			}
			return nil, 0
		}
		missed := at + 1
		for _, e := range list {
			if e.Seq > seq {
				missed = min(missed, coldchain.Touches(e, list))
			}
		}
		if missed <= at {
			before = missed - 1
			continue
		}
		held := -1
		for i, c := range configs {
			if c.Time <= at {
				held = i
			}
		}
		if held < 0 {
			return nil, 0
		}
		e, err := coldchain.Restore(*configs[held].Config, data)
		if err != nil {
			m.log.Warn("a checkpoint is left aside", "at", at.String(), "cause", err)
			before = at - 1
			continue
		}
		m.held = *configs[held].Config
		return e, at + 1
	}
}
