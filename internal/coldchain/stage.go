package coldchain

import "slices"

// stages is a set of stages.
type stages uint8

const (
	inStorage stages = 1 << iota
	inTransport
	inUse
	inAll = inStorage | inTransport | inUse
)

// set is the stage as a set; that of "" are all.
func (s Stage) set() stages {
	switch s {
	case Storage:
		return inStorage
	case Transport:
		return inTransport
	case InUse:
		return inUse
	}
	return inAll
}

// Words says the stage as a person does, behind "in": storage, transport, use.
func (s Stage) Words() string {
	if s == InUse {
		return "use"
	}
	return string(s)
}

// stage is what the batch is in now: use, from its opening on, wherever it is;
// transport, in a unit that is for it; storage otherwise, also outside.
func (b *batch) stage() Stage {
	switch {
	case b.Opened != 0:
		return InUse
	case b.Where == stored && b.unit.cfg.Transport:
		return Transport
	}
	return Storage
}

// RangeIn is the range that the label gives for a stage.
func (p *Profile) RangeIn(s Stage) Range {
	for _, x := range p.Stages {
		if x.Stage == s {
			return x.Range
		}
	}
	return p.Range
}

// RangeTextIn says the range of a stage as RangeText does.
func (p *Profile) RangeTextIn(s Stage) string {
	return p.rangeText(p.RangeIn(s))
}

// A stageRange is a range with the stages in which it holds, and in which the
// same rules do.
type stageRange struct {
	Range Range
	in    stages
	stage Stage // whose own range it is; "" of the label's general one
}

// ranges are those of the label, apart for each stage that has a range of its
// own or that a rule names: the others share the label's general one.
func (p *Profile) ranges() (list []stageRange) {
	rest := inAll
	for _, s := range []Stage{Storage, Transport, InUse} {
		x := stageRange{Range: p.Range, in: s.set()}
		for _, o := range p.Stages {
			if o.Stage == s {
				x.Range, x.stage = o.Range, s
			}
		}
		if x.stage != "" || slices.ContainsFunc(p.Rules, func(r Rule) bool { return r.Stage == s }) {
			list = append(list, x)
			rest &^= x.in
		}
	}
	if rest != 0 {
		list = append([]stageRange{{Range: p.Range, in: rest}}, list...)
	}
	return list
}

// covers says whether the rule gives an allowance on this side of the range of
// these stages: its limit is the range's own, or lies inside, and it holds
// in all of them.
func (r *Rule) covers(side Side, x stageRange) bool {
	if r.MKT || r.Unmonitored || r.FreezeThaw || r.Limit.Side != side || r.Stage.set()&x.in != x.in {
		return false
	}
	if side == Above {
		return r.Limit.At <= x.Range.High
	}
	return r.Limit.At >= x.Range.Low
}

// wireSides makes both ends of each range, in order: high and low of the
// first, and so on.
func (b *batch) wireSides(find func(Limit, stages, string) *measure) {
	p := b.profile
	ranges := p.ranges()
	for len(b.Sides) < 2*len(ranges) {
		b.Sides = append(b.Sides, side{})
	}
	for i, x := range ranges {
		for j, l := range []Limit{{Side: Above, At: x.Range.High}, {Side: Below, At: x.Range.Low}} {
			s := &b.Sides[2*i+j]
			s.m = find(l, x.in, "")
			s.of = x
			s.allowance = slices.ContainsFunc(p.Rules, func(r Rule) bool { return r.covers(l.Side, x) })
			s.text = l.guarded(p.Guard)
			if x.stage != "" {
				s.text += " in " + x.stage.Words()
			}
		}
	}
}

// beyond says whether something runs against one end of the range that holds
// now, and whether that is certain.
func (b *batch) beyond(side Side) (open, certain bool) {
	for i := range b.Sides {
		if m := b.Sides[i].m; m.Limit.Side == side && m.Open {
			open, certain = true, certain || m.Certain
		}
	}
	return open, certain
}

// doubtful says whether an excursion of the range that holds now is.
func (b *batch) doubtful() bool {
	for i := range b.Sides {
		if b.Sides[i].m.doubtful() {
			return true
		}
	}
	return false
}
