package monitor

import (
	"fmt"
	"time"

	"coldkeep/alert"
	"coldkeep/internal/coldchain"
	"coldkeep/sensor"
)

// RuleExpiry is the alarm that a batch in storage is near its last day, or
// beyond it.
const RuleExpiry = "expiry"

// expirySoon is how long before its end somebody is told.
const expirySoon = 7 * 24 * time.Hour

// expiring are the batches in storage whose last day is near or over. While
// the clock is doubtful nobody can know it.
func expiring(s *coldchain.Snapshot, at sensor.Instant) (list []alert.Alarm) {
	if !s.Synchronized {
		return nil
	}
	for i := range s.Batches {
		b := &s.Batches[i]
		if b.ExpiresAt == 0 || b.Unit == "" || at < b.ExpiresAt.Add(-expirySoon) {
			continue
		}
		step, text := "near", fmt.Sprintf("its last day is %s", b.Expiry)
		if at >= b.ExpiresAt {
			step, text = "over", fmt.Sprintf("expired: its last day was %s; take it out", b.Expiry)
		}
		list = append(list, alert.Alarm{Key: "expiry/" + b.ID + "/" + step, Kind: alert.Expiry, Severity: alert.Warning, Unit: b.Unit, Batch: b.ID, Rule: RuleExpiry, Text: text})
	}
	return list
}
