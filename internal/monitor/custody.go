package monitor

import (
	"fmt"
	"strings"
	"time"

	"coldkeep/alert"
	"coldkeep/internal/coldchain"
	"coldkeep/sensor"
)

// The rules of alarms about what people do with a batch.
const (
	RulePutBack          = "put_back"           // it has been out of every unit for too long
	RuleUsedWhileBlocked = "used_while_blocked" // it was used although the record said not to
)

const (
	// putBackAfter is how long a batch may be out before somebody is asked.
	putBackAfter = 15 * time.Minute
	// usedTold is how long a forbidden use is an alarm: somebody hears of it, and
	// the journal keeps it for good.
	usedTold = 24 * time.Hour
)

// mishandled are the batches that somebody must be asked about.
func mishandled(s *coldchain.Snapshot, at sensor.Instant) (list []alert.Alarm) {
	for i := range s.Batches {
		b := &s.Batches[i]
		if b.Ended == nil && b.OutsideSince != nil && at >= b.OutsideSince.Add(putBackAfter) {
			list = append(list, alert.Alarm{Key: "put_back/" + b.ID + "/" + b.OutsideSince.String(), Kind: alert.Other, Severity: alert.Warning, Rule: RulePutBack, Batch: b.ID,
				Text: fmt.Sprintf("batch %s has been out of every unit for more than 15 min: put it back, use it, or say what became of it", b.ID)})
		}
		if t := openedAt(s, b); t != 0 && at < t.Add(usedTold) {
			if why := b.Blocked(t); len(why) > 0 {
				list = append(list, alert.Alarm{Key: "opened/" + b.ID, Kind: alert.Other, Severity: alert.Critical, Rule: RuleUsedWhileBlocked, Batch: b.ID,
					Text: fmt.Sprintf("batch %s was opened although it was not to be used: %s", b.ID, strings.Join(why, "; "))})
			}
		}
		for _, u := range b.Uses {
			if u.Discarded || at >= u.At.Add(usedTold) {
				continue
			}
			why := b.Blocked(u.At)
			if len(why) == 0 {
				continue
			}
			key, what := "used/"+b.ID, "batch "+b.ID+" was"
			if b.Verdict != coldchain.Used || b.Ended == nil || *b.Ended != u.At {
				key, what = key+"/"+u.At.String(), fmt.Sprintf("%d vials of batch %s were", u.Count, b.ID)
				if u.Count == 1 {
					what = "a vial of batch " + b.ID + " was"
				}
			}
			list = append(list, alert.Alarm{Key: key, Kind: alert.Other, Severity: alert.Critical, Rule: RuleUsedWhileBlocked, Batch: b.ID,
				Text: fmt.Sprintf("%s used although it was not to be: %s", what, strings.Join(why, "; "))})
		}
	}
	return list
}

// openedAt is when the batch's own vials were opened; 0 where they are not, or
// were when they still were another batch's, which is told then.
func openedAt(s *coldchain.Snapshot, b *coldchain.BatchState) sensor.Instant {
	if b.OpenedAt == nil {
		return 0
	}
	for i := range s.Batches {
		if x := &s.Batches[i]; x.ID == b.FromBatch && x.OpenedAt != nil && *x.OpenedAt == *b.OpenedAt {
			return 0
		}
	}
	return *b.OpenedAt
}
