package alert

import "testing"

// A trouble's text says first what is wrong, then what becomes of which batch,
// and the same thing once.
func TestATroublesTextSaysEachThingOnce(t *testing.T) {
	o := newOffice(t, testDuty())
	alarm := func(key string, kind Kind, unit, batch, text string) Alarm {
		return Alarm{Key: key, Kind: kind, Severity: Critical, Unit: unit, Batch: batch, Text: text, Raised: three}
	}
	o.sit = Situation{Units: []Unit{{ID: "f1", Temp: "9.4", Beyond: 1400, Batches: []Batch{{ID: "EX-1"}}}, {ID: "f2", Temp: "9.4", Beyond: 1400, Batches: []Batch{{ID: "EX-2"}}}},
		Alarms: []Alarm{
			alarm("1", BatchLost, "f1", "EX-1", "above 8 °C for 2h in all"),
			alarm("2", TooWarm, "f1", "", "above 8 °C for 15m"),
			alarm("3", TooWarm, "f2", "", "above 8 °C for 15m"),
			alarm("4", BatchSoon, "f2", "EX-2", "batch EX-2 is about to be lost"),
			alarm("5", BatchSoon, "f2", "EX-3", "batch EX-3 is about to be lost"),
			alarm("6", BatchLost, "f1", "EX-4", "above 8 °C for 2h in all")}}
	o.turn()
	list := o.d.Troubles()
	if len(list) != 1 {
		t.Fatalf("%d troubles: %+v", len(list), list)
	}
	if want := "above 8 °C for 15m; EX-1, EX-4: above 8 °C for 2h in all; batches EX-2, EX-3 are about to be lost"; list[0].Text != want {
		t.Errorf("have %q\nwant %q", list[0].Text, want)
	}
	if len(list[0].Alarms) != 6 {
		t.Errorf("alarms %v", list[0].Alarms)
	}
}
