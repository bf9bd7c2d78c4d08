package coldchain

import (
	"cmp"
	"slices"
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

// What ends the use of a batch by the clock alone, however it was stored.
const (
	lastDay   = iota // of its label
	openSince        // its time in use is over
	signedDay        // the last one that a signer allowed
	lapses
)

// lapseAt is the instant at which lapse i falls; never where there is none.
func (b *batch) lapseAt(i int) sensor.Instant {
	switch {
	case i == lastDay && b.Life.ExpiresAt != 0:
		return max(b.Life.ExpiresAt, b.Received)
	case i == openSince:
		return b.profile.inUseEnd(b.Opened)
	case i == signedDay && b.Life.UseByAt != 0:
		return max(b.Life.UseByAt, b.Received)
	}
	return never
}

// lapse tells of lapse i by which rule it is, "" of the label's last day, and
// in words.
func (b *batch) lapse(i int) (rule, text string) {
	switch i {
	case openSince:
		return RuleInUse, b.profile.inUseText()
	case signedDay:
		return RuleUseBy, "its use was allowed until " + b.Life.UseBy
	}
	return "", "its last day was " + b.Life.Expiry
}

// expiryDeadline is when the next of them falls; never where there is none, or
// where all were told.
func (b *batch) expiryDeadline() sensor.Instant {
	t := never
	for i, told := range b.Lapsed {
		if told == 0 {
			t = min(t, b.lapseAt(i))
		}
	}
	return t
}

// expire tells, once each, that a batch is not used any more. Its storage is
// judged on: what it went through is asked also of an expired batch.
func (b *batch) expire(e *Evaluator, t sensor.Instant) {
	for i := range b.Lapsed {
		d := b.lapseAt(i)
		if b.Lapsed[i] != 0 || d > t {
			continue
		}
		b.Lapsed[i] = d
		rule, text := b.lapse(i)
		ev := Event{Time: d, Kind: BatchExpired, Batch: b.id(), Unit: b.unitID(), Profile: b.profile.ID, Rule: rule, Vials: b.Life.Vials, Lot: b.Life.Lot, Expiry: b.Life.Expiry, Text: text, Reason: text}
		switch i {
		case openSince:
			ev.UseByAt = d
		case signedDay:
			ev.UseBy, ev.UseByAt = b.Life.UseBy, d
		}
		e.tell(ev)
	}
	b.ExpiredAt = 0
	for _, at := range b.Lapsed {
		if at != 0 && (b.ExpiredAt == 0 || at < b.ExpiredAt) {
			b.ExpiredAt = at
		}
	}
}

// Expires says whether the reason is why a batch is expired: no release
// answers it, and it quarantines nothing.
func (r *Reason) Expires() bool { return r.Rule == RuleInUse || r.Rule == RuleUseBy }

// reasons are all that a reader must see, in order of time: also why it is
// expired, where that is not the label's last day, which stands on it.
func (b *batch) reasons() []Reason {
	list := append([]Reason{}, b.Reasons...)
	for i, at := range b.Lapsed {
		if at == 0 || i == lastDay {
			continue
		}
		rule, text := b.lapse(i)
		list = append(list, Reason{Rule: rule, At: at, Text: text})
	}
	if len(list) > len(b.Reasons) {
		slices.SortStableFunc(list, func(x, y Reason) int { return cmp.Compare(x.At, y.At) })
	}
	return list
}

// outlived says in words what ended the batch's use by t, for Blocked.
func (b *batch) outlived(t sensor.Instant) (why []string) {
	for i := range lapses {
		if b.lapseAt(i) <= t {
			_, text := b.lapse(i)
			why = append(why, text)
		}
	}
	return why
}
