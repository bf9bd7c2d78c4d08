package coldchain

import (
	"fmt"

	"coldkeep/sensor"
)

// open begins the batch's time in use at t: from here it is in use, wherever it
// is. What ran against another stage's limits ends.
func (b *batch) open(e *Evaluator, t sensor.Instant) {
	b.Life.OpenedAt, b.Opened = t, t
	switch b.Where {
	case stored, outside:
		b.turn(e, t)
	case unplaced:
		b.fire(e, t)
	}
	e.stale = true
}

// inUseEnd is when a batch that was opened then is open for too long; never
// where the label does not say.
func (p *Profile) inUseEnd(opened sensor.Instant) sensor.Instant {
	if opened == 0 || p.InUse == 0 {
		return never
	}
	return opened.Add(p.InUse)
}

func (p *Profile) inUseText() string {
	return fmt.Sprintf("open for longer than the %s that the label allows", durationText(p.InUse))
}
