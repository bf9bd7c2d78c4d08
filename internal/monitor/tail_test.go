package monitor

import (
	"testing"

	"coldkeep/internal/coldchain"
)

// What waits for the disk is written as one step, at the place of the last. A
// memory that an earlier step made must not go with it: a restart would take
// it for the whole, and never look at what lies between.
func TestOnlyTheLastStepsMemoryIsWritten(t *testing.T) {
	var x tail
	x.add(coldchain.Step{At: 1, Checkpoint: []byte("judged to 1"), Desk: []byte("called to 1")})
	if s := x.whole(); string(s.Checkpoint) != "judged to 1" || string(s.Desk) != "called to 1" {
		t.Errorf("one step: checkpoint %q, desk %q", s.Checkpoint, s.Desk)
	}
	x.add(coldchain.Step{At: 2, Events: []coldchain.Event{{Seq: 7, Time: 2, Kind: coldchain.AlarmAcknowledged}}})
	if s := x.whole(); s.At != 2 || len(s.Events) != 1 || s.Checkpoint != nil || s.Desk != nil {
		t.Errorf("with a step behind it: %+v", s)
	}
	x.add(coldchain.Step{At: 3, Desk: []byte("called to 3")})
	if s := x.whole(); s.At != 3 || s.Checkpoint != nil || string(s.Desk) != "called to 3" {
		t.Errorf("with a third: %+v", s)
	}
}
