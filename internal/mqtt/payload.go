package mqtt

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"coldkeep/internal/coldchain"
	"coldkeep/sensor"
)

// fields are a payload: flat JSON, the unit of measure in the key, what is
// unknown left out.
type fields map[string]any

func (f fields) time(t sensor.Instant) {
	f["time"] = t.String()
	f["time_unix_ms"] = int64(t)
}

func (f fields) temp(key string, v *sensor.Temp) {
	if v != nil {
		f[key] = *v
	}
}

// json writes the fields in the order of their names. They are all of kinds
// that can be written.
func (f fields) json() []byte {
	b, err := json.Marshal(f)
	if err != nil {
		panic("mqtt: " + err.Error())
	}
	return b
}

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

// unitState tells of a unit; fresh is false where the snapshot has grown old.
func (t topics) unitState(u *coldchain.UnitState, fresh bool) []byte {
	f := fields{"unit": u.ID, "out_of_range": flag(u.OutOfRange), "probe_ok": flag(fresh && probeUp(u)), "unmonitored": flag(u.Unmonitored), "borderline": flag(u.Borderline), "batches": u.BatchCount, "flagged_batches": u.FlaggedCount}
	if u.Name != "" {
		f["name"] = u.Name
	}
	if a := t.alarmState(u.ID); a != "" {
		f["alarm_state"] = a
	}
	if u.CountedAt != 0 {
		f["counted"] = u.CountedAt.String()
	}
	if u.CountDue != 0 {
		f["count_due"] = u.CountDue.String()
	}
	t.contacts(f, u)
	f.temp("temperature_celsius", u.Temp)
	f.temp("min_celsius", u.Min)
	f.temp("max_celsius", u.Max)
	if u.Temp != nil {
		f.time(u.TempAt)
	} else if t.s.At != 0 {
		f.time(t.s.At)
	}
	return f.json()
}

// contacts tells of the unit's doors and mains. Without what is not known.
func (t topics) contacts(f fields, u *coldchain.UnitState) {
	if u.DoorOpen != nil {
		f["door_open"] = flag(*u.DoorOpen)
	}
	if u.MainsLost != nil {
		f["mains_lost"] = flag(*u.MainsLost)
	}
	if !t.s.HasContact(sensor.Door, u.ID) {
		return
	}
	n, secs := 0, 0.0
	for i := range t.s.Contacts {
		if c := &t.s.Contacts[i]; c.Kind == sensor.Door && c.Of(u.ID) {
			n, secs = n+c.TodayCount, secs+c.TodayS
		}
	}
	f["door_openings_today"], f["door_open_s_today"] = n, secs
}

// alarmState is what people do about the unit's alarms: that of the one which
// needs them most. "" where there is none.
func (t topics) alarmState(unit string) string {
	found := map[string]bool{}
	for i := range t.s.Alarms {
		if a := &t.s.Alarms[i]; a.Unit == unit && a.Cleared == nil {
			found[a.State] = true
		}
	}
	for _, state := range []string{"raised", "acknowledged", "shelved"} {
		if found[state] {
			return state
		}
	}
	return ""
}

func (t topics) batchState(b *coldchain.BatchState) []byte {
	f := fields{"batch": b.ID, "profile": b.ProfileID, "unit": b.Unit, "verdict": b.Verdict, "now": b.Now, "flagged": flag(b.Verdict.Flagged()),
		"since": b.Since.String(), "monitored_s": b.Exposure.MonitoredS, "above_s": b.Exposure.AboveS, "below_s": b.Exposure.BelowS,
		"unmonitored_s": b.Exposure.UnmonitoredS, "outside_s": b.Exposure.OutsideS}
	if b.Lot != "" {
		f["lot"] = b.Lot
	}
	if b.Vials != 0 {
		f["vials"] = b.Vials
	}
	if b.Expiry != "" {
		f["expiry"] = b.Expiry
	}
	f.temp("min_celsius", b.Exposure.MinC)
	f.temp("max_celsius", b.Exposure.MaxC)
	if b.Exposure.MKTC != nil {
		f["mkt_celsius"] = *b.Exposure.MKTC
	}
	var rules []string
	for _, r := range b.Reasons {
		if !r.Released {
			rules = append(rules, r.Rule)
		}
	}
	if len(rules) > 0 {
		f["reasons"] = strings.Join(rules, ",")
	}
	t.life(f, b)
	return f.json()
}

// life tells of a batch where it came from, whether it is opened, and what it
// waits for.
func (t topics) life(f fields, b *coldchain.BatchState) {
	missing := make([]string, len(b.Missing))
	for i, k := range b.Missing {
		missing[i] = string(k)
	}
	f["papers_missing"] = len(missing)
	for k, v := range map[string]string{"missing": strings.Join(missing, ","), "from_batch": b.FromBatch, "stage": string(b.Stage)} {
		if v != "" {
			f[k] = v
		}
	}
	if b.OpenedAt != nil {
		f["opened"] = b.OpenedAt.String()
	}
	if b.UseByAt != nil {
		f["use_by"], f["use_by_unix_ms"] = b.UseByAt.String(), int64(*b.UseByAt)
	}
	if b.Proposal != nil {
		f["proposed"] = b.Proposal.Decision
	}
}

// entry gives what is published of a place in the record.
func (t topics) entry(e coldchain.Entry, now time.Time) ([]message, error) {
	switch {
	case e.Reading != nil:
		return []message{t.reading(e)}, nil
	case e.Event != nil:
		return t.event(e.Event, now)
	}
	return nil, fmt.Errorf("publish %d: it is neither a reading nor an event", e.Seq)
}

// event gives an event's message, and those of the units whose alarm it is.
func (t topics) event(e *coldchain.Event, now time.Time) ([]message, error) {
	ev := e.Public()
	f := fields{}
	if err := f.event(ev); err != nil {
		return nil, fmt.Errorf("publish event %d: %w", e.Seq, err)
	}
	f["record"] = t.s.Record
	f["seq"] = e.Seq
	f.time(ev.Time)
	return append([]message{{t.base + "/event", f.json()}}, t.alarms(e, now)...), nil
}

// alarmTypes are what becomes of an alarm, as Home Assistant's event entity
// names it.
var alarmTypes = map[coldchain.Kind]string{coldchain.AlarmRaised: "raised", coldchain.AlarmAcknowledged: "acknowledged", coldchain.AlarmLapsed: "lapsed",
	coldchain.AlarmShelved: "shelved", coldchain.AlarmUnshelved: "unshelved", coldchain.AlarmCleared: "cleared"}

// momentTime is how old an event may be to be one of the moment.
const momentTime = 2 * time.Minute

// alarms tells the units concerned what became of an alarm. It is a signal and
// no record: what is old, or was over when it was found, rings no bell.
func (t topics) alarms(e *coldchain.Event, now time.Time) (list []message) {
	kind := alarmTypes[e.Kind]
	if kind == "" || e.Past || now.Sub(e.Time.Time()) > momentTime {
		return nil
	}
	units := []string{e.Unit}
	if e.Unit == "" && e.Call != nil {
		units = nil
		for i := range t.s.Troubles {
			if x := &t.s.Troubles[i]; x.Key == e.Call.Trouble && !x.Drill {
				units = x.Units
			}
		}
	}
	for _, u := range units {
		if u == "" {
			continue
		}
		f := fields{"event_type": kind, "record": t.s.Record, "seq": e.Seq}
		f.time(e.Time)
		for k, v := range map[string]string{"rule": e.Rule, "severity": string(e.Severity), "by": e.By, "via": e.Via, "reason": e.Reason, "text": e.Text} {
			if v != "" {
				f[k] = v
			}
		}
		list = append(list, message{t.unitAlarm(u), f.json()})
	}
	return list
}

// reading is written by hand: of a week's outage there are half a million.
func (t topics) reading(e coldchain.Entry) message {
	r := e.Reading
	b := append(make([]byte, 0, 256), '{')
	if r.Check {
		b = append(b, `"check":1,`...) // a number: what feeds a time series keeps numbers
	}
	b = strconv.AppendBool(append(b, `"clock_synchronized":`...), e.Synchronized)
	if !r.Good() {
		b = appendText(append(b, `,"fault":`...), string(r.Fault))
	}
	b = appendText(append(b, `,"probe":`...), r.Probe)
	b = appendText(append(b, `,"record":`...), t.s.Record)
	b = strconv.AppendUint(append(b, `,"seq":`...), e.Seq, 10)
	if r.Good() {
		b = strconv.AppendFloat(append(b, `,"temperature_celsius":`...), r.Temp.Celsius(), 'f', -1, 64)
	}
	b = append(append(append(b, `,"time":"`...), r.Time.String()...), '"')
	b = strconv.AppendInt(append(b, `,"time_unix_ms":`...), int64(r.Time), 10)
	if u := t.units[r.Probe]; u != "" {
		b = appendText(append(b, `,"unit":`...), u)
	}
	return message{t.base + "/probe/" + r.Probe + "/reading", append(b, '}')}
}

// appendText writes a JSON string.
func appendText(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			quoted, err := json.Marshal(s)
			if err != nil {
				panic("mqtt: " + err.Error()) // a string can always be written
			}
			return append(b, quoted...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}
