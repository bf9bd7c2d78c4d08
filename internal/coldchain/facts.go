package coldchain

import (
	"fmt"
	"strings"
)

// A Fact is a line of what else is known of a batch, for people.
type Fact struct {
	Name string
	Text string
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
	if b.UseByAt != nil && b.inUseEnd() != *b.UseByAt {
		add("Use by", r.Day(*b.UseByAt-1)+", as allowed by whoever released it")
	}
	add("Frozen and thawed", b.thawText())
	add("Comes from", b.Origin.Text())
	if lacks := b.Origin.Lacks(); b.Origin != nil && len(lacks) > 0 {
		add("Not told", strings.Join(lacks, ", "))
	}
	add("When it came", b.Arrival.Text())
	add("Before its record", b.spentText(b.Before))
	if p := b.Proposal; p != nil {
		text := fmt.Sprintf("%s proposed on %s to %s it: %s", p.By, r.Clock(p.At), p.Decision, p.Reason)
		if p.MakerRef != "" {
			text += " (maker's reference " + p.MakerRef + ")"
		}
		add("Waits for a second signature", text)
	}
	return list
}

// thawText tells how often it may have thawed; "" where that is not counted.
func (b *BatchState) thawText() string {
	x := b.Exposure
	if !b.Profile.Thaw.Counts() && x.FreezeThawCycles == 0 {
		return ""
	}
	s := "not since its record began"
	switch {
	case x.FreezeThawAtLeast < x.FreezeThawCycles && x.FreezeThawAtLeast == 0:
		s = "perhaps " + times(x.FreezeThawCycles)
	case x.FreezeThawAtLeast < x.FreezeThawCycles:
		s = fmt.Sprintf("at least %d, perhaps %s", x.FreezeThawAtLeast, times(x.FreezeThawCycles))
	case x.FreezeThawCycles > 0:
		s = times(x.FreezeThawCycles)
	}
	for _, rule := range b.Profile.Rules {
		if rule.FreezeThaw {
			s += "; the label entered allows " + times(rule.Cycles)
		}
	}
	return s
}

func times(n int) string {
	switch n {
	case 0:
		return "none"
	case 1:
		return "once"
	}
	return fmt.Sprintf("%d times", n)
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

// Line tells of a paper in one line: what it is, its file, who has looked at
// it and when it came.
func (p Paper) Line(r Reader) string {
	return fmt.Sprintf("%s: %s, checked by %s, attached %s by %s", p.Kind.Text(), p.Name, p.Checked, r.Clock(p.At), p.By)
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
