package monitor

import (
	"fmt"
	"time"

	"coldkeep/alert"
	"coldkeep/internal/coldchain"
	"coldkeep/sensor"
)

// RuleExpiry is the alarm that a batch in storage is near its last day, or
// beyond it, or was open for too long.
const RuleExpiry = "expiry"

// expirySoon is how long before its end somebody is told.
const expirySoon = 7 * 24 * time.Hour

// expiring are the batches in storage whose last day is near or over, or that
// were open for too long: of that nobody is told before, it is a matter of
// hours. While the clock is doubtful nobody can know it.
func expiring(s *coldchain.Snapshot, at sensor.Instant) (list []alert.Alarm) {
	if !s.Synchronized {
		return nil
	}
	for i := range s.Batches {
		b := &s.Batches[i]
		if b.Unit == "" {
			continue
		}
		tell := func(step, text string) {
			list = append(list, alert.Alarm{Key: "expiry/" + b.ID + "/" + step, Kind: alert.Expiry, Severity: alert.Warning, Unit: b.Unit, Batch: b.ID, Rule: RuleExpiry, Text: text})
		}
		near := func(day sensor.Instant) bool { return day != 0 && at >= day.Add(-expirySoon) }
		switch {
		case !near(b.ExpiresAt):
		case at >= b.ExpiresAt:
			tell("over", fmt.Sprintf("expired: its last day was %s; take it out", b.Expiry))
		default:
			tell("near", fmt.Sprintf("its last day is %s", b.Expiry))
		}
		switch {
		case !near(b.SignedUseByAt):
		case at >= b.SignedUseByAt:
			tell("signed-over", fmt.Sprintf("its use was allowed until %s; take it out", b.SignedUseBy))
		default:
			tell("signed-near", fmt.Sprintf("its use is allowed until %s", b.SignedUseBy))
		}
		for _, r := range b.Reasons {
			if r.Rule == coldchain.RuleInUse {
				tell("open", r.Text+"; take it out")
			}
		}
	}
	return list
}
