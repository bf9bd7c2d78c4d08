package monitor

import (
	"fmt"

	"coldkeep/internal/coldchain"
	"coldkeep/sensor"
)

// tailReadings bounds what is kept in memory while the store fails: a day of
// 8 probes at 10 s, about 6 MB.
const tailReadings = 70_000

// A tail is the end of the record that the store has not taken yet.
type tail struct {
	steps    []coldchain.Step
	readings int
	lost     int            // readings that fell out since the store failed
	lostFrom sensor.Instant // slot of the first of them
	lostTo   sensor.Instant
}

func (t *tail) add(s coldchain.Step) {
	t.steps = append(t.steps, s)
	for _, w := range s.Sweeps {
		t.readings += len(w.Readings)
	}
	// Events are few and decide: only readings fall out, oldest first.
	for i := 0; t.readings > tailReadings && i < len(t.steps)-1; i++ {
		for _, w := range t.steps[i].Sweeps {
			t.readings -= len(w.Readings)
			if t.lost == 0 && len(w.Readings) > 0 {
				t.lostFrom = w.Slot
			}
			t.lost += len(w.Readings)
			t.lostTo = w.Slot
		}
		t.steps[i].Sweeps = nil
	}
}

func (t *tail) entries(after uint64, limit int) (list []coldchain.Entry) {
	for _, s := range t.steps {
		for _, e := range entriesOf(s) {
			if e.Seq > after && len(list) < limit {
				list = append(list, e)
			}
		}
	}
	return list
}

// whole is everything that waits, as one step.
func (t *tail) whole() coldchain.Step {
	all := coldchain.Step{Cursors: map[string]uint64{}}
	for _, s := range t.steps {
		all.At = s.At
		all.Sweeps = append(all.Sweeps, s.Sweeps...)
		all.Events = append(all.Events, s.Events...)
		all.Imports = append(all.Imports, s.Imports...)
		for k, v := range s.Cursors {
			all.Cursors[k] = v
		}
		// What is remembered up to a step says nothing of those behind it: kept under
		// the place of the last one, it would hide them from a restart.
		all.Checkpoint, all.Desk = s.Checkpoint, s.Desk
	}
	return all
}

func (t *tail) lossText() string {
	if t.lost == 0 {
		return "nothing was lost"
	}
	return fmt.Sprintf("%d readings from %s to %s were lost: they did not fit in memory", t.lost, t.lostFrom, t.lostTo)
}

// entriesOf gives a step's places in the record in order of Seq.
func entriesOf(s coldchain.Step) []coldchain.Entry {
	var list []coldchain.Entry
	j := 0
	event := func(before uint64) {
		for ; j < len(s.Events) && s.Events[j].Seq < before; j++ {
			list = append(list, coldchain.Entry{Seq: s.Events[j].Seq, Event: &s.Events[j]})
		}
	}
	for i := range s.Sweeps {
		w := &s.Sweeps[i]
		for k := range w.Readings {
			r := &w.Readings[k]
			event(r.Seq)
			list = append(list, coldchain.Entry{Seq: r.Seq, Reading: r, Synchronized: w.Synchronized})
		}
	}
	event(1<<64 - 1)
	return list
}
