package coldchain

import (
	"time"

	"coldkeep/sensor"
)

// DayEnd is the end of a day, YYYY-MM-DD, by the clocks of a zone: a batch may
// be used through its last day. 0 for what is no day.
func DayEnd(day string, zone *time.Location) sensor.Instant {
	t, err := time.ParseInLocation(time.DateOnly, day, zone)
	if err != nil {
		return 0
	}
	// The next day's beginning, which is not 24 h later where clocks change.
	return sensor.At(time.Date(t.Year(), t.Month(), t.Day()+1, 0, 0, 0, 0, zone))
}

// expiryDeadline is when the batch's last day is over; never where it has none,
// or where that was told.
func (b *batch) expiryDeadline() sensor.Instant {
	if b.Life.ExpiresAt == 0 || b.ExpiredAt != 0 {
		return never
	}
	return max(b.Life.ExpiresAt, b.Received)
}

// expire tells, once, that the last day is over. Its storage is judged on: what
// it went through is asked also of an expired batch.
func (b *batch) expire(e *Evaluator, t sensor.Instant) {
	d := b.expiryDeadline()
	if d > t {
		return
	}
	b.ExpiredAt = d
	text := "its last day was " + b.Life.Expiry
	e.tell(Event{Time: d, Kind: BatchExpired, Batch: b.id(), Unit: b.unitID(), Profile: b.profile.ID, Vials: b.Life.Vials, Lot: b.Life.Lot, Expiry: b.Life.Expiry, Text: text, Reason: text})
}
