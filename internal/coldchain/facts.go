package coldchain

import (
	"fmt"
	"strings"

	"coldkeep/sensor"
)

// A Fact is a line of what else is known of a batch, for people.
type Fact struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

// Facts are what else is known of the batch beside its Words, which tell that
// it was opened, and its papers:
// how many vials are left, where they come from, how they came, and what waits
// for whom. What is not known is left out.
func (b *BatchState) Facts(r Reader) (list []Fact) {
	add := func(name, text string) {
		if text != "" {
			list = append(list, Fact{name, text})
		}
	}
	if b.Vials > 0 {
		add("Vials", fmt.Sprintf("%d left", b.Vials))
	}
	add("Split off", b.FromBatch)
	switch b.Stage {
	case Transport:
		add("Stage", "on its way")
	case InUse:
		add("Stage", "in use")
	}
	if b.SignedUseByAt != 0 {
		add("Use by", r.Day(b.SignedUseByAt-1)+", as allowed by whoever released it")
	}
	add("Frozen and thawed", b.thawText())
	add("Comes from", b.Origin.Text())
	if lacks := b.Origin.Lacks(); b.Origin != nil && len(lacks) > 0 {
		add("Not told", strings.Join(lacks, ", "))
	}
	add("When it came", b.Arrival.Text())
	add("Before its record", b.spentText(b.Before))
	if b.NewerProfile {
		add("Label", "the config has a newer revision of "+b.ProfileID+"; this batch keeps the one that it was received under")
	}
	for i := range b.Decisions {
		d := &b.Decisions[i]
		add("Decided", r.Clock(d.At)+": "+d.Text())
	}
	if p := b.Proposal; p != nil {
		text := fmt.Sprintf("%s proposed on %s to %s it: %s", p.By, r.Clock(p.At), p.Decision, p.Reason)
		if p.MakerRef != "" {
			text += " (maker's reference " + p.MakerRef + ")"
		}
		add("Waits for a second signature", text)
	}
	return list
}

// A VialText is what stands on an opened vial: until when, large, and from when.
type VialText struct {
	Head string `json:"head"` // USE BY 13:05
	Foot string `json:"foot"` // 2 May, mixed 09:05
}

// VialText is what is written on the vials of an opened batch, by the site's
// clocks; nil while it is not opened.
func (b *BatchState) VialText(r Reader) *VialText {
	if b.OpenedAt == nil {
		return nil
	}
	clock := func(t sensor.Instant) string { return t.Time().In(r.Location).Format("15:04") }
	until := b.openUntil()
	if until == nil || b.Profile.InUse == 0 {
		return &VialText{"OPENED " + clock(*b.OpenedAt), r.Day(*b.OpenedAt)}
	}
	end := *until
	if clock(end) == "00:00" {
		end-- // of the day that ends then: 00:00 is taken for its beginning
	}
	mixed := clock(*b.OpenedAt)
	if r.Day(*b.OpenedAt) != r.Day(end) {
		mixed = r.Clock(*b.OpenedAt)
	}
	return &VialText{"USE BY " + clock(end), r.Day(end) + ", mixed " + mixed}
}

// Text tells the decision in one line: who, what it means, and why.
func (s *Signed) Text() string {
	text := s.By + " " + s.Meaning()
	if len(s.Rules) > 0 {
		text += " (" + strings.Join(s.Rules, ", ") + ")"
	}
	if s.UseBy != "" {
		text += ", until " + s.UseBy
	}
	text += ": " + s.Reason
	if s.MakerRef != "" {
		text += " (maker's reference " + s.MakerRef + ")"
	}
	return text
}

// thawText tells how often it may have thawed; "" where that is not counted.
func (b *BatchState) thawText() string {
	x := b.Exposure
	if !b.Profile.Thaw.Counts() && x.FreezeThawCycles == 0 {
		return ""
	}
	s := "not since its record began"
	if x.FreezeThawCycles > 0 {
		s = CyclesText(x.FreezeThawAtLeast, x.FreezeThawCycles)
	}
	for _, rule := range b.Profile.Rules {
		if rule.FreezeThaw {
			s += "; the label entered allows " + CyclesText(rule.Cycles, rule.Cycles)
		}
	}
	return s
}

// Text tells what was seen when it came; "" where nothing was looked at.
func (a *Arrival) Text() string {
	if a == nil {
		return ""
	}
	var list []string
	for _, x := range []struct{ what, is string }{{"logger ", a.Logger}, {"vials ", a.State}, {"ice ", a.Ice}, {"parcel ", a.Parcel}} {
		switch {
		case x.is == "":
		case x.is == "none":
			list = append(list, "no "+strings.TrimSpace(x.what))
		case x.is == "frozen":
			list = append(list, "vials frozen hard")
		default:
			list = append(list, x.what+x.is)
		}
	}
	return strings.Join(list, ", ")
}

// spentText tells what was spent of each rule before; "" where nothing was.
func (b *BatchState) spentText(list []Spent) string {
	var parts []string
	for _, s := range list {
		text := s.Text()
		for _, rule := range b.Profile.Rules {
			if rule.ID == s.Rule {
				text += " (" + rule.Text() + ")"
			}
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, "; ")
}

// Text tells what is spent of the rule: "warm 20 min", "thaw 2 cycles".
func (s Spent) Text() string {
	switch {
	case s.Cycles == 1:
		return s.Rule + " 1 cycle"
	case s.Cycles != 0:
		return fmt.Sprintf("%s %d cycles", s.Rule, s.Cycles)
	}
	return s.Rule + " " + Span(s.S)
}

// RecordText is a sentence about how far back the record goes; "" where there
// is none yet.
func (b *BatchState) RecordText(r Reader) string {
	if b.RecordFrom == nil {
		return ""
	}
	before := "none"
	if b.Arrival.Text() != "" || len(b.Before) > 0 {
		before = "only what was told when it came"
	}
	return "Record since " + r.Clock(*b.RecordFrom) + "; before that: " + before + "."
}
