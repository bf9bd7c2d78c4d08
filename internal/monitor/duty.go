package monitor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"coldkeep/alert"
	"coldkeep/internal/coldchain"
	"coldkeep/sensor"
)

// A Peer is another daemon of the site that is not heard.
type Peer struct {
	Node  string
	Since time.Time
}

const (
	// deskEvery is how often the desk's memory is kept beside the journal.
	deskEvery = 5 * time.Minute
	// clockPatience is how long the clock may be undisciplined before that is
	// an alarm: after a start it takes its time.
	clockPatience = time.Hour

	// The rules of the daemon's own alarms.
	RuleClock = "clock"
	RulePeer  = "peer_silent"
)

// openDesk lets the desk remember: from its memory beside the journal, and
// from what the journal says since; or from the journal alone.
func (m *Monitor) openDesk(ctx context.Context) error {
	m.desk = alert.NewDesk(m.o.Duty, m.o.Words, m.o.AnswerKey)
	for _, kind := range m.o.Duty.Kinds {
		m.syncs = m.syncs || alert.Syncs(kind)
	}
	seq, data, err := m.st.Desk(ctx)
	if err != nil {
		return fmt.Errorf("open desk: %w", err)
	}
	if data != nil {
		if err := m.desk.Restore(data); err != nil {
			m.log.Warn("the desk's memory is left aside; it is made of the journal", "cause", err)
			m.desk, seq = alert.NewDesk(m.o.Duty, m.o.Words, m.o.AnswerKey), 0
		}
	}
	list, err := m.st.EventsOf(ctx, calls...)
	if err != nil {
		return fmt.Errorf("open desk: %w", err)
	}
	for _, ev := range list {
		if e, ok := toDesk(ev); ok && ev.Seq > seq {
			m.desk.Apply(e)
		}
	}
	m.desk.Doubt()
	return nil
}

// turnDesk lets the desk see how everything stands, and puts what it decides
// into the step.
func (m *Monitor) turnDesk(s *coldchain.Step, snap *coldchain.Snapshot, at sensor.Instant) {
	m.enter(s, m.desk.Turn(timeOf(at), m.situation(snap, at)))
}

// enter puts the desk's decisions into the step.
func (m *Monitor) enter(s *coldchain.Step, events []alert.Event) {
	for _, e := range events {
		m.add(s, fromDesk(e))
		m.deskMoved = true
		n := e.Notification
		if n == nil {
			continue
		}
		c := m.counts[n.Channel]
		switch e.Kind {
		case alert.WasSent:
			c.Sent++
		case alert.WasFailed, alert.WasUnknown:
			c.Failed++
		}
		m.counts[n.Channel] = c
	}
}

// deskStep is a step in which nothing was read: only the desk's time has come.
func (m *Monitor) deskStep(ctx context.Context) {
	if m.e == nil {
		return
	}
	at := m.instant()
	s := coldchain.Step{At: at}
	m.lookAtClock(&s, at)
	snap := m.look()
	m.turnDesk(&s, snap, at)
	if len(s.Events) == 0 {
		return
	}
	// An error is told as an alarm and kept in the snapshot; the next step tries again.
	_ = m.commitLooked(ctx, s, snap)
}

// lookAtClock tells of a clock that was set, and lets nobody be called too
// early because of it.
func (m *Monitor) lookAtClock(s *coldchain.Step, at sensor.Instant) {
	jump := m.clock.jump()
	d := m.clock.step(&m.looked)
	if d == 0 && jump == 0 {
		return
	}
	secs, jumped := d.Seconds(), jump.Seconds()
	ev := coldchain.Event{Time: at, Kind: coldchain.ClockStepped, DurationS: &secs, Reason: fmt.Sprintf("the system's clock was set by %v", d.Round(time.Millisecond))}
	if jump != 0 {
		ev.JumpS = &jumped
		m.desk.Apply(alert.Event{Kind: alert.ClockJumped, At: timeOf(at), Jump: jump})
		m.deskMoved = true
	}
	m.add(s, ev)
}

// situation is how everything stands, in the form that a message needs.
func (m *Monitor) situation(s *coldchain.Snapshot, at sensor.Instant) alert.Situation {
	sit := alert.Situation{Units: make([]alert.Unit, 0, len(s.Units))}
	where := make(map[string]int, len(s.Units))
	for i := range s.Units {
		u := &s.Units[i]
		where[u.ID] = i
		sit.Units = append(sit.Units, unitOf(u))
	}
	// This is done at every sweep, for thousands of batches: all lie in one piece
	// of memory, each unit's in a part of it.
	in, count := make([]int, len(s.Batches)), make([]int, len(s.Units))
	all := 0
	for i := range s.Batches {
		j, ok := where[s.Batches[i].Unit]
		if in[i] = j; !ok || s.Batches[i].Unit == "" {
			in[i] = -1
			continue
		}
		count[j]++
		all++
	}
	room := make([]alert.Batch, all)
	for j, n := range count {
		sit.Units[j].Batches, room = room[:0:n], room[n:]
	}
	for i, j := range in {
		if j >= 0 {
			sit.Units[j].Batches = append(sit.Units[j].Batches, batchOf(&s.Batches[i]))
		}
	}
	for i := range sit.Units {
		slices.SortStableFunc(sit.Units[i].Batches, byUrgency)
	}
	rescues := coldchain.RescuesInTrouble(s)
	for i := range sit.Units {
		if list := rescues[sit.Units[i].ID]; len(list) > 0 {
			sit.Units[i].Moves, sit.Units[i].Sought = movesOf(list), true
		}
	}
	for _, a := range s.Alarms {
		if a.State == "" { // not one that the desk itself has found
			sit.Alarms = append(sit.Alarms, m.alarmOf(s, a))
		}
	}
	sit.Found = append(sit.Found, expiring(s, at)...)
	sit.Found = append(sit.Found, mishandled(s, at)...)
	sit.Found = append(sit.Found, m.countsDue(s, at)...)
	if m.o.Peers != nil {
		// While the broker is away nothing is known: who was silent is so still.
		if list, known := m.o.Peers(); known {
			m.silent = list
		}
		for _, p := range m.silent {
			sit.Found = append(sit.Found, alert.Alarm{Key: "peer/" + p.Node, Kind: alert.PeerSilent, Severity: alert.Critical, Rule: RulePeer,
				Text: fmt.Sprintf("the daemon %s has not been heard since %s", p.Node, p.Since.In(m.loc).Format("Mon 15:04"))})
		}
	}
	sit.Found = append(sit.Found, m.contactAlarms(s)...)
	if s.Synchronized {
		m.undisciplined = time.Time{}
	} else if m.undisciplined.IsZero() {
		m.undisciplined = time.Now()
	} else if time.Since(m.undisciplined) >= clockPatience {
		sit.Found = append(sit.Found, alert.Alarm{Key: "clock", Kind: alert.Clock, Severity: alert.Warning, Rule: RuleClock,
			Text: "the clock is not synchronised: look at the network, or at the machine's time server"})
	}
	sit.Found = append(sit.Found, m.probesFound(at)...)
	return sit
}

func unitOf(u *coldchain.UnitState) alert.Unit {
	x := alert.Unit{ID: u.ID, Name: u.Title(), Range: u.Range.Text(), Frozen: u.Range.High <= 0}
	if u.Temp != nil {
		x.Temp = coldchain.Degrees(*u.Temp, u.Range.Low, u.Range.High)
		x.Milli, x.Trend = int64(*u.Temp), u.Rising
		switch {
		case *u.Temp > u.Range.High:
			x.Beyond = int64(*u.Temp - u.Range.High)
		case *u.Temp < u.Range.Low:
			x.Beyond = int64(*u.Temp - u.Range.Low)
		}
	}
	switch {
	case u.OutOfRange:
		x.Since = timeOf(u.Since)
	case u.Unmonitored:
		x.Since = timeOf(u.UnmonitoredSince)
	}
	if p := u.LastGood(); p != nil {
		x.LastTemp, x.LastAt = coldchain.Degrees(p.LastGood.Temp, u.Range.Low, u.Range.High), timeOf(p.LastGood.Time)
	}
	return x
}

// No delay holds a page back beyond these.
const (
	urgentLeft  = 30 * time.Minute
	urgentShare = 0.25 // of an allowance
)

func batchOf(b *coldchain.BatchState) alert.Batch {
	x := alert.Batch{ID: b.ID, Vials: max(b.Vials, 0), Lost: b.Verdict == coldchain.Quarantined, Flagged: b.Verdict == coldchain.InExcursion}
	for _, r := range b.Reasons {
		if !r.Released && !r.Expires() && x.Text == "" {
			x.Text = r.Text
		}
	}
	// The early end of what is foretold gets people up in time; whoever is told
	// the middle comes too late in half of the nights.
	first := b.FirstLost()
	if first == nil || b.Now == coldchain.NowInRange && b.LostAt == nil { // it is only on its way there
		return x
	}
	x.LostAt = timeOf(*first)
	x.UrgentAt = x.LostAt.Add(-urgentLeft)
	for _, a := range b.Allowance {
		if a.RunsOut == nil || a.TotalS <= 0 {
			continue
		}
		if t := timeOf(*a.RunsOut).Add(-seconds(urgentShare * a.TotalS)); t.Before(x.UrgentAt) {
			x.UrgentAt = t
		}
	}
	return x
}

// movesOf are the refuges that rooms were found in, each with its batches.
func movesOf(list []coldchain.Rescue) (moves []alert.Move) {
	at := map[string]int{}
	for i := range list {
		to := list[i].Target()
		if to == nil {
			continue
		}
		j, ok := at[to.Unit]
		if !ok {
			j = len(moves)
			at[to.Unit] = j
			m := alert.Move{To: to.Name, Boxes: to.Boxes}
			if to.Temp != nil {
				m.Temp = coldchain.Degrees(*to.Temp)
			}
			if to.Room != nil {
				m.Room = *to.Room
			}
			moves = append(moves, m)
		}
		moves[j].Batches = append(moves[j].Batches, list[i].Batch)
	}
	return moves
}

// byUrgency puts first what is lost first, then what is lost already.
func byUrgency(a, b alert.Batch) int {
	rank := func(x alert.Batch) int64 {
		switch {
		case !x.LostAt.IsZero() && !x.Lost:
			return x.LostAt.UnixMilli()
		case x.Lost:
			return 1<<62 + 1
		}
		return 1 << 62
	}
	switch x, y := rank(a), rank(b); {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return strings.Compare(a.ID, b.ID)
}

// alarmKey is the same from raising to clearing.
func alarmKey(a coldchain.Alarm) string {
	return strings.Join([]string{a.Unit, a.Rule, a.Batch, a.Raised.String()}, "/")
}

func (m *Monitor) alarmOf(s *coldchain.Snapshot, a coldchain.Alarm) alert.Alarm {
	x := alert.Alarm{Key: alarmKey(a), Kind: alert.Other, Severity: alert.Severity(a.Severity), Unit: a.Unit, Rule: a.Rule, Batch: a.Batch, Text: a.Text, Raised: timeOf(a.Raised)}
	if a.Batch != "" {
		m.markLate(s, &x)
	}
	switch {
	case a.Batch != "" && a.Severity == coldchain.Critical:
		x.Kind = alert.BatchLost
	case a.Batch != "":
		x.Kind = alert.BatchFlagged
	case a.Rule == RuleStorage:
		x.Kind = alert.Storage
	case a.Rule == coldchain.RuleRemoved:
		x.Kind = alert.Removed
	case a.Rule == coldchain.RuleProbeLost:
		x.Kind = alert.ProbeLost
	case a.Rule == coldchain.RuleProbesDisagree:
		x.Kind = alert.ProbesDisagree
	default:
		x.Kind = kindOf(s, a)
	}
	return x
}

// kindOf finds what a unit's own alarm is about.
func kindOf(s *coldchain.Snapshot, a coldchain.Alarm) alert.Kind {
	for i := range s.Units {
		if s.Units[i].ID != a.Unit {
			continue
		}
		for _, r := range s.Units[i].Alarms {
			switch {
			case r.ID != a.Rule:
			case r.NoData > 0:
				return alert.NoData
			case r.Limit.Side == coldchain.Above:
				return alert.TooWarm
			default:
				return alert.TooCold
			}
		}
	}
	return alert.Other
}

// orders of the desk, by name.
var deskOrders = []string{"ack", "decline", "shelve", "unshelve", "close", "test"}

// orderDesk carries out what a person wants done about a trouble.
func (m *Monitor) orderDesk(ctx context.Context, c coldchain.Command) (coldchain.Event, error) {
	o := alert.Order{Name: c.Name, Trouble: c.Alarm, Person: c.Person, By: c.By, Via: c.Via, Reason: c.Reason, Until: timeOf(c.Until), Cause: c.Cause, Action: c.Action}
	if c.At != 0 {
		return coldchain.Event{}, refusal("bad_request", "what is done about an alarm is done now: leave `at` out")
	}
	if c.By == "" && c.Person == "" {
		return coldchain.Event{}, refusal("bad_request", "who does this? give `by`")
	}
	if c.Promise != "" {
		d, err := time.ParseDuration(c.Promise)
		if err != nil || d <= 0 {
			return coldchain.Event{}, refusal("bad_request", "promise %q: write it as 20m", c.Promise)
		}
		o.Promise = d
	}
	if p := m.desk.Duty().Person(c.Person); p != nil && o.By == "" {
		o.By = p.Name
	}
	at := m.instant()
	events, err := m.desk.Do(timeOf(at), o)
	var no *alert.Refused
	if errors.As(err, &no) {
		return coldchain.Event{}, &coldchain.Refusal{Code: no.Code, Message: no.Message}
	}
	if err != nil {
		return coldchain.Event{}, err
	}
	return m.enterAs(ctx, at, events, c.ID)
}

// enterAs records what a command became; the first event carries its id.
func (m *Monitor) enterAs(ctx context.Context, at sensor.Instant, events []alert.Event, id string) (coldchain.Event, error) {
	if len(events) == 0 {
		return coldchain.Event{}, nil
	}
	s := coldchain.Step{At: at}
	m.enter(&s, events)
	s.Events[0].ID = id
	first := s.Events[0]
	return first, m.commit(ctx, s)
}

// answerDesk takes what a person sent back, once.
func (m *Monitor) answerDesk(ctx context.Context, a alert.Answer) (string, error) {
	if m.e == nil {
		return "", refusal("unavailable", "coldkeep is starting: answer again in a moment")
	}
	id := ""
	if a.ID != "" {
		id = "answer/" + a.Channel + "/" + a.ID
		if known, err := m.knows(ctx, id); err != nil || known {
			return "", err
		}
	}
	at := m.instant()
	events, reply := m.desk.Answer(timeOf(at), a)
	if _, err := m.enterAs(ctx, at, events, id); err != nil && m.storage == nil {
		return "", err
	}
	return reply, nil
}

// knows says whether a command was taken already. While the disk fails it asks
// what waits in memory.
func (m *Monitor) knows(ctx context.Context, id string) (bool, error) {
	m.mu.Lock()
	for _, e := range m.tail.entries(0, 1<<30) {
		if e.Event != nil && e.Event.ID == id {
			m.mu.Unlock()
			return true, nil
		}
	}
	m.mu.Unlock()
	_, known, err := m.st.EventByCommand(ctx, id)
	if err != nil && m.storage == nil {
		return false, fmt.Errorf("look up command %s: %w", id, err)
	}
	return known, nil
}

// reportDesk takes what became of a message.
func (m *Monitor) reportDesk(ctx context.Context, o alert.Outcome) error {
	at := m.instant()
	_, err := m.enterAs(ctx, at, m.desk.Report(timeOf(at), o), "")
	if m.storage != nil {
		return nil // it is known in memory, and written when the disk is back
	}
	return err
}

// showDesk puts what people do about alarms into the snapshot.
func (m *Monitor) showDesk(s *coldchain.Snapshot) {
	state, of := map[string]string{}, map[string]string{}
	for _, v := range m.desk.Troubles() {
		t := coldchain.Trouble{Key: v.Key, State: v.State, Severity: coldchain.Severity(v.Severity), Wakes: v.Wakes, Drill: v.Drill, Units: v.Units, Text: v.Text, Opened: instantOf(v.Opened),
			By: v.By, Via: v.Via, Reason: v.Reason, Called: []coldchain.Called{}}
		if t.Units == nil {
			t.Units = []string{}
		}
		if c := instantOf(v.Cleared); c != 0 {
			t.Cleared = &c
		}
		if u := instantOf(v.Until); u != 0 {
			t.Until = &u
		}
		for _, c := range v.Called {
			t.Called = append(t.Called, coldchain.Called{Person: c.Person, Name: c.Name, At: instantOf(c.At)})
		}
		for _, key := range v.Alarms {
			state[key], of[key] = v.State, v.Key
		}
		s.Troubles = append(s.Troubles, t)
	}
	for _, a := range m.desk.Own() {
		s.Alarms = append(s.Alarms, coldchain.Alarm{Unit: a.Unit, Rule: a.Rule, Batch: a.Batch, Severity: coldchain.Severity(a.Severity), Raised: instantOf(a.Raised), Text: a.Text,
			Channel: a.Channel, Node: strings.TrimPrefix(a.Key, "peer/"), State: or(state[a.Key], "raised"), Trouble: of[a.Key]})
		if x := &s.Alarms[len(s.Alarms)-1]; a.Kind != alert.PeerSilent {
			x.Node = ""
		}
	}
	for i := range s.Alarms {
		if a := &s.Alarms[i]; a.State == "" {
			key := alarmKey(*a)
			a.State, a.Trouble = or(state[key], "raised"), of[key]
		}
	}
	for _, p := range m.desk.Duty().People {
		s.People = append(s.People, coldchain.Called{Person: p.ID, Name: p.Name})
	}
	if l := m.desk.LastDrill(); !l.At.IsZero() {
		d := &coldchain.DrillState{Answered: l.Answered, TookS: l.Took.Seconds()}
		at := instantOf(l.At)
		d.At = &at
		if answered := instantOf(l.AnsweredAt); answered != 0 {
			d.AnsweredAt = &answered
		}
		s.Drill = d
	}
}

func or(a, b string) string {
	if a == "" {
		return b
	}
	return a
}
