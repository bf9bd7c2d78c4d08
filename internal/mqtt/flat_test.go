package mqtt

import (
	"encoding/json"
	"fmt"
	"reflect"
	"testing"
	"time"

	"coldkeep/internal/coldchain"
	"coldkeep/sensor"
)

// payloadOf is what is published of an event, with its numbers as they are.
func payloadOf(t *testing.T, e coldchain.Event) map[string]any {
	t.Helper()
	list, err := topicsOf(newRecord().Snapshot()).entry(coldchain.Entry{Seq: e.Seq, Event: &e}, time.Now())
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	var got map[string]any
	if err := json.Unmarshal(list[0].payload, &got); err != nil {
		t.Fatal(err)
	}
	return got
}

// fill puts something into every field, so that none is left out.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range 2 {
			fill(v.Index(i))
		}
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Float32, reflect.Float64:
		v.SetFloat(1.5)
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uint:
		v.SetUint(7)
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Int:
		v.SetInt(7)
	default:
		panic(fmt.Sprintf("an event has a %s, which this test cannot fill", v.Type()))
	}
}

// Whatever an event holds, its payload is one level deep, and nothing is lost.
func TestEveryFieldOfAnEventIsFlat(t *testing.T) {
	var e coldchain.Event
	fill(reflect.ValueOf(&e).Elem())
	got := payloadOf(t, e)
	for k, v := range got {
		switch v.(type) {
		case string, float64, bool:
		default:
			t.Errorf("%s is %v", k, v)
		}
	}
	for _, k := range []string{"arrival_logger", "arrival_vials", "origin_maker", "origin_tissue", "paper_sha256", "paper_kind", "paper_bytes", "paper_checked_by", "readout_sha256", "readout_first",
		"readout_low_c", "spent", "points", "counted", "differs", "missing", "unexpected", "batch_ids", "units", "label_id", "label_range", "use_by_at", "out_for_s", "treatment", "common_cause", "drift_c"} {
		if _, ok := got[k]; !ok {
			t.Errorf("the payload lacks %s", k)
		}
	}
	for _, k := range []string{"config", "call", "check", "label", "paper", "body", "receipt"} {
		if v, ok := got[k]; ok {
			t.Errorf("the payload has %s: %v", k, v)
		}
	}
}

// What lies in structs of its own comes under their names, lists as one text.
func TestTheWholeLifeIsFlat(t *testing.T) {
	low := sensor.Temp(2000)
	got := payloadOf(t, coldchain.Event{V: 1, Seq: 4, Time: 5000, Kind: coldchain.BatchReceived, Batch: "B",
		Arrival: &coldchain.Arrival{Logger: "fine", State: "frozen"}, Origin: &coldchain.Origin{Maker: "M", Source: "plant"},
		Paper:   &coldchain.Paper{SHA256: "ab", Name: "a.pdf", Kind: coldchain.PaperLabel, Bytes: 7, Checked: "Ben Example", At: 5000, By: "Anna Example"},
		Readout: &coldchain.Readout{SHA256: "cd", Format: "qtag", Good: 12, First: 1000, Low: &low},
		Spent:   []coldchain.Spent{{Rule: "warm", S: 1200}, {Rule: "thaw", Cycles: 2}}, Points: []sensor.CalibrationPoint{{Reads: 120, Is: 0}, {Reads: 4100, Is: 4000}},
		Counted: []coldchain.Counted{{Batch: "A", Vials: 12}, {Batch: "C"}}, Differs: []coldchain.Differing{{Batch: "A", Recorded: 13, Found: 12}},
		Label: &coldchain.Profile{ID: "p", Title: "P", Source: "S", Range: coldchain.Range{Low: 2000, High: 8000}}})
	want := map[string]any{"v": 1.0, "seq": 4.0, "record": "0123456789abcdef", "time": "1970-01-01T00:00:05Z", "time_unix_ms": 5000.0, "kind": "batch_received", "batch": "B",
		"arrival_logger": "fine", "arrival_vials": "frozen", "origin_maker": "M", "origin_source": "plant",
		"paper_sha256": "ab", "paper_name": "a.pdf", "paper_kind": "label", "paper_bytes": 7.0, "paper_checked_by": "Ben Example", "paper_at": "1970-01-01T00:00:05Z", "paper_by": "Anna Example",
		"readout_sha256": "cd", "readout_name": "", "readout_format": "qtag", "readout_logger": "", "readout_first": "1970-01-01T00:00:01Z", "readout_last": "1970-01-01T00:00:00Z", "readout_interval_s": 0.0,
		"readout_good": 12.0, "readout_low_c": 2.0,
		"spent": "warm 1200 s; thaw 2 cycles", "points": "0.12 is 0.0; 4.1 is 4.0", "counted": "A 12; C", "differs": "A 13 recorded 12 found",
		"label_id": "p", "label_title": "P", "label_source": "S", "label_range": "2–8 °C"}
	for k, v := range want {
		if got[k] != v {
			t.Errorf("%s: %v, want %v", k, got[k], v)
		}
	}
	for k, v := range got {
		if _, ok := want[k]; !ok {
			t.Errorf("%s: %v is not wanted", k, v)
		}
	}
}

// A batch's state tells whether it is opened and until when, and what papers
// are missing; a unit's when it is to be counted.
func TestTheStateOfAnOpenedBatch(t *testing.T) {
	opened, until := sensor.Instant(1000), sensor.Instant(61_000)
	read := func(payload []byte) (m map[string]any) {
		if err := json.Unmarshal(payload, &m); err != nil {
			t.Fatal(err)
		}
		return m
	}
	tp := topicsOf(newRecord().Snapshot())
	got := read(tp.batchState(&coldchain.BatchState{ID: "B", Vials: 3, OpenedAt: &opened, UseByAt: &until, FromBatch: "A", Stage: coldchain.InUse,
		Missing: []coldchain.PaperKind{coldchain.PaperCertificate, coldchain.PaperOrigin}, Proposal: &coldchain.Proposal{Decision: "release"}}))
	for k, v := range map[string]any{"vials": 3.0, "opened": "1970-01-01T00:00:01Z", "use_by": "1970-01-01T00:01:01Z", "use_by_unix_ms": 61_000.0, "from_batch": "A", "stage": "in_use",
		"missing": "certificate,origin", "papers_missing": 2.0, "proposed": "release"} {
		if got[k] != v {
			t.Errorf("%s: %v, want %v", k, got[k], v)
		}
	}
	got = read(tp.batchState(&coldchain.BatchState{ID: "B"}))
	if got["papers_missing"] != 0.0 {
		t.Errorf("%v", got)
	}
	for _, k := range []string{"opened", "use_by", "use_by_unix_ms", "from_batch", "stage", "missing", "proposed", "vials"} {
		if v, ok := got[k]; ok {
			t.Errorf("%s: %v of a batch of which nothing is known", k, v)
		}
	}
	got = read(tp.unitState(&coldchain.UnitState{Unit: coldchain.Unit{ID: "u"}, CountedAt: 1000, CountDue: 61_000}, true))
	if got["counted"] != "1970-01-01T00:00:01Z" || got["count_due"] != "1970-01-01T00:01:01Z" {
		t.Errorf("%v", got)
	}
}
