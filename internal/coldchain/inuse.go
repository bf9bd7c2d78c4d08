package coldchain

import "coldkeep/sensor"

// open begins the batch's time in use at t.
func (b *batch) open(e *Evaluator, t sensor.Instant) {
	b.Life.OpenedAt = t
	b.turn(e, t)
}
