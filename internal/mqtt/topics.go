package mqtt

import (
	"encoding/json"
	"fmt"
	"strings"

	"coldkeep/internal/coldchain"
	"coldkeep/sensor"
)

// topics makes names and payloads: flat JSON, the unit of measure in the key,
// what is unknown left out.
type topics struct{ s *coldchain.Snapshot }

func (t topics) base() string   { return "coldkeep/" + t.s.Site.ID + "/" + t.s.Node }
func (t topics) status() string { return t.base() + "/status" }
func (t topics) peer(node string) string {
	return "coldkeep/" + t.s.Site.ID + "/" + node + "/status"
}
func (t topics) command(name string) string { return t.base() + "/command/" + name }
func (t topics) answer(id string) string    { return t.base() + "/answer/" + id }
func (t topics) unit(id string) string      { return t.base() + "/unit/" + id + "/state" }
func (t topics) batch(id string) string {
	return t.base() + "/batch/" + id + "/state"
}

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

// merge adds the fields of a struct, lists joined by commas. None of its own
// is a struct.
func (f fields) merge(v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return err
	}
	var m map[string]json.RawMessage
	if err := json.Unmarshal(raw, &m); err != nil {
		return err
	}
	for k, x := range m {
		if x[0] != '[' {
			f[k] = x
			continue
		}
		var list []string
		if err := json.Unmarshal(x, &list); err != nil {
			return fmt.Errorf("flatten %s: %w", k, err)
		}
		f[k] = strings.Join(list, ",")
	}
	return nil
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

func (t topics) unitState(u *coldchain.UnitState) []byte {
	ok := false
	for _, p := range u.Probes {
		ok = ok || p.Judges && p.Up
	}
	f := fields{"unit": u.ID, "out_of_range": flag(u.OutOfRange), "probe_ok": flag(ok), "batches": u.BatchCount, "flagged_batches": u.FlaggedCount}
	if u.Name != "" {
		f["name"] = u.Name
	}
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
	return f.json()
}

// entry gives topic and payload of a place in the record.
func (t topics) entry(e coldchain.Entry) (string, []byte, error) {
	if e.Reading != nil {
		return t.reading(e)
	}
	if e.Event == nil {
		return "", nil, fmt.Errorf("publish %d: it is neither a reading nor an event", e.Seq)
	}
	// The whole config and the text of messages are in the journal; they are
	// no messages themselves.
	ev := e.Event.Public()
	call := ev.Call
	ev.Config, ev.Call = nil, nil
	f := fields{}
	if err := f.merge(ev); err != nil {
		return "", nil, fmt.Errorf("publish event %d: %w", e.Seq, err)
	}
	if call != nil {
		call.Body = ""
		if err := f.merge(call); err != nil {
			return "", nil, fmt.Errorf("publish event %d: %w", e.Seq, err)
		}
	}
	f["record"] = t.s.Record
	f["seq"] = e.Seq
	f.time(ev.Time)
	return t.base() + "/event", f.json(), nil
}

func (t topics) reading(e coldchain.Entry) (string, []byte, error) {
	r := e.Reading
	f := fields{"record": t.s.Record, "seq": e.Seq, "probe": r.Probe, "clock_synchronized": e.Synchronized}
	f.time(r.Time)
	if u := t.unitOf(r.Probe); u != "" {
		f["unit"] = u
	}
	if r.Good() {
		f["temperature_celsius"] = r.Temp
	} else {
		f["fault"] = r.Fault
	}
	return t.base() + "/probe/" + r.Probe + "/reading", f.json(), nil
}

func (t topics) unitOf(probe string) string {
	for i := range t.s.Units {
		for _, p := range t.s.Units[i].Probes {
			if p.ID == probe {
				return t.s.Units[i].ID
			}
		}
	}
	return ""
}
