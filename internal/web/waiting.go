package web

import (
	"fmt"

	"coldkeep/internal/coldchain"
)

// decisionsMost is how many are listed on the home page.
const decisionsMost = 20

// A decision is something that waits for a person by day: a batch that is
// quarantined, papers that are missing, a unit to be counted.
type decision struct {
	Tone, Href, What, Text string
}

// decisions are what waits for a person, and how many more there are than are
// listed. What waits for a second signature comes first.
func decisions(snap *coldchain.Snapshot, r coldchain.Reader) (list []decision, more int) {
	var second, first, papers, counts []decision
	for i := range snap.Batches {
		b := &snap.Batches[i]
		if b.Ended != nil {
			continue
		}
		d := decision{Href: "/b/" + b.ID, What: b.ID, Tone: "stop"}
		switch p := b.Proposal; {
		case p != nil:
			d.Text = fmt.Sprintf("waits for a second signature: %s proposed on %s to %s it", p.By, r.Clock(p.At), p.Decision)
			second = append(second, d)
		case b.Verdict == coldchain.Quarantined:
			d.Text = "quarantined since " + r.Clock(b.Since) + ": release or discard"
			first = append(first, d)
		case len(b.Missing) > 0:
			d.Tone, d.Text = "wait", "papers are missing: "+b.MissingText()
			papers = append(papers, d)
		}
	}
	for i := range snap.Units {
		u := &snap.Units[i]
		if u.CountDue == 0 || u.CountDue > r.Now {
			continue
		}
		text := "all boxes are to be counted since " + r.Day(u.CountDue)
		if u.CountedAt != 0 {
			text += "; last counted " + r.Day(u.CountedAt)
		}
		counts = append(counts, decision{Tone: "wait", What: u.Title(), Text: text})
	}
	for _, part := range [][]decision{second, first, papers, counts} {
		list = append(list, part...)
	}
	if len(list) > decisionsMost {
		more = len(list) - decisionsMost
		list = list[:decisionsMost]
	}
	return list, more
}
