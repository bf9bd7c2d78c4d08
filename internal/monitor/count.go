package monitor

import (
	"fmt"
	"net/url"
	"strings"

	"coldkeep/alert"
	"coldkeep/internal/coldchain"
	"coldkeep/internal/gs1"
	"coldkeep/sensor"
)

// RuleCountDue is the alarm that all boxes of a unit are to be counted.
const RuleCountDue = "count_due"

// countsDue are the units whose boxes are to be counted.
func (m *Monitor) countsDue(s *coldchain.Snapshot, at sensor.Instant) (list []alert.Alarm) {
	for i := range s.Units {
		u := &s.Units[i]
		if u.CountDue == 0 || at < u.CountDue {
			continue
		}
		text := "all its boxes are to be counted, which was never done"
		if u.CountedAt != 0 {
			text = "all its boxes are to be counted; that was last done on " + u.CountedAt.Time().In(m.loc).Format("2 Jan 2006")
		}
		list = append(list, alert.Alarm{Key: fmt.Sprintf("%s/%s/%s", RuleCountDue, u.ID, u.CountDue), Kind: alert.CheckMissed, Severity: alert.Warning, Unit: u.ID, Rule: RuleCountDue,
			Text: text + fmt.Sprintf(": `coldkeep batch count %s -`", u.ID)})
	}
	return list
}

// told adds to a command whose the codes are that were scanned, which only the
// record knows.
func (m *Monitor) told(c coldchain.Command) (coldchain.Command, error) {
	if c.Name != "count" {
		return c, nil
	}
	batches := m.e.Batches()
	counted := make([]coldchain.Counted, 0, len(c.Counted))
	for _, x := range c.Counted {
		id, err := m.boxOf(x.Batch, c.Unit, batches)
		if err != nil {
			return c, err
		}
		counted = append(counted, coldchain.Counted{Batch: id, Vials: x.Vials})
	}
	c.Counted = counted
	return c, nil
}

// boxOf gives the batch's id of what was typed or scanned: the id, the address
// that a label's code holds, or the supplier's code by which it was received.
func (m *Monitor) boxOf(code, unit string, batches []coldchain.BatchState) (string, error) {
	code = strings.TrimSpace(code)
	if coldchain.ValidID(code) {
		return code, nil
	}
	if u, err := url.Parse(code); err == nil && u.Host != "" {
		if _, id, ok := strings.Cut(u.Path, "/b/"); ok && coldchain.ValidID(id) {
			return id, nil
		}
		return "", refusal("bad_request", "%q is no label of a batch: its address ends with /b/ and the batch", code)
	}
	l, err := gs1.Read(code, timeOf(m.instant()).In(m.loc).Year())
	if err != nil {
		return "", refusal("bad_request", "%q is neither a batch, nor the address on a label, nor a supplier's code: %v", code, err)
	}
	var all, here []string
	for i := range batches {
		b := &batches[i]
		if b.GTIN != l.GTIN || b.Serial != l.Serial || !strings.EqualFold(b.Lot, l.Lot) {
			continue
		}
		all = append(all, b.ID)
		if strings.EqualFold(b.Unit, unit) {
			here = append(here, b.ID)
		}
	}
	switch {
	case len(here) == 1:
		return here[0], nil
	case len(all) == 1:
		return all[0], nil
	case len(all) == 0:
		return "", refusal("not_found", "no batch was received by the code %q: scan the batch's own label, or type its id", code)
	}
	return "", refusal("conflict", "the code %q is that of %s: scan the box's own label, or type its id", code, strings.Join(all, ", "))
}
