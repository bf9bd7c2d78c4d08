package config

import (
	"slices"

	"coldkeep/internal/coldchain"
)

// builtInRules are the ids that no rule of a profile may have.
var builtInRules = []string{coldchain.RuleExcursion, coldchain.RuleUnmonitored, coldchain.RuleBatch, coldchain.RuleInUse, coldchain.RuleUseBy, coldchain.RuleReceipt, coldchain.RuleRecall, coldchain.RuleHeld}

var stageNames = []string{string(coldchain.Storage), string(coldchain.Transport), string(coldchain.InUse)}

// thaw reads how freeze–thaw cycles are counted, and how long it may be used
// once it is opened.
func (p *reader) thaw(f map[string]value, x *coldchain.Profile) {
	if u := f["in_use"]; u.there() {
		var ok bool
		if x.InUse, ok = u.span(); ok && x.InUse == 0 {
			u.bad("no time in use can never be kept; leave it out where the label gives none")
		}
	}
	at := f["thaw_above"]
	if !at.there() {
		for _, k := range []string{"thaw_for", "thaw_outside"} {
			if f[k].there() {
				f[k].bad("this needs thaw_above: the temperature above which the product thaws")
			}
		}
		return
	}
	x.Thaw.Above, _ = at.temp()
	x.Thaw.For = f["thaw_for"].spanOr(coldchain.DefaultThawFor)
	x.Thaw.Outside = f["thaw_outside"].spanOr(coldchain.DefaultThawOutside)
	if x.Thaw.For == 0 {
		f["thaw_for"].bad("a product takes time to thaw; 10m is usual")
		x.Thaw.For = coldchain.DefaultThawFor
	}
	if x.Range.Low < x.Range.High && x.Thaw.Above < x.Range.High {
		at.bad("it thaws above %s, and its range ends at %s: what is kept there would never be frozen", x.Thaw.Above, x.Range.High)
	}
}

// cycles reads a rule on freeze–thaw cycles.
func (p *reader) cycles(f map[string]value, x coldchain.Profile, r coldchain.Rule) (coldchain.Rule, bool) {
	ok := true
	for _, k := range []string{"for", "total", "within", "inclusive"} {
		if f[k].there() {
			f[k].bad("this does not go with freeze_thaw, which is a number of cycles")
			ok = false
		}
	}
	n := f["freeze_thaw"].number(0)
	if n < 0 || n != float64(int(n)) {
		f["freeze_thaw"].bad("%v cycles; it is how many are allowed, a whole number", n)
		ok = false
	}
	if !x.Thaw.Counts() {
		f["freeze_thaw"].bad("cycles are not counted without thaw_above in the profile: the temperature above which it thaws")
		ok = false
	}
	r.FreezeThaw, r.Cycles = true, int(n)
	return r, ok
}

// stages reads the ranges of stages that have their own.
func (p *reader) stages(v value, x *coldchain.Profile) {
	if !v.there() {
		return
	}
	f := v.fields("transport", "in_use")
	for _, s := range []coldchain.Stage{coldchain.Transport, coldchain.InUse} {
		if g := f[string(s)]; g.there() {
			if r, ok := p.rng(g, g); ok {
				x.Stages = append(x.Stages, coldchain.StageRange{Stage: s, Range: r})
			}
		}
	}
}

// papers reads what is demanded of papers and of signatures.
func (p *reader) papers(f map[string]value, x *coldchain.Profile) {
	if s := f["signatures"]; s.there() {
		switch n := s.number(1); n {
		case 1:
		case 2:
			x.Signatures = 2
		default:
			s.bad("%v signatures; 1 or 2 different people decide", n)
		}
	}
	kinds := []string{string(coldchain.PaperOrigin)}
	for _, k := range coldchain.PaperKinds {
		kinds = append(kinds, string(k))
	}
	for _, d := range f["demands"].items() {
		if k := coldchain.PaperKind(d.oneOf("", kinds...)); k != "" && !slices.Contains(x.Demands, k) {
			x.Demands = append(x.Demands, k)
		}
	}
}

// capacity reads how much a unit has room for.
func (p *reader) capacity(v value) (c coldchain.Capacity) {
	if !v.there() {
		return c
	}
	f := v.fields("vials", "boxes")
	for _, x := range []struct {
		v value
		n *int
	}{{f["vials"], &c.Vials}, {f["boxes"], &c.Boxes}} {
		n := x.v.number(0)
		if x.v.there() && (n < 1 || n != float64(int(n))) {
			x.v.bad("%v; a whole number above 0 is room for something", n)
			continue
		}
		*x.n = int(n)
	}
	if c.Vials > 0 && c.Boxes > 0 {
		v.bad("room is told in vials or in boxes, not in both")
	}
	if c == (coldchain.Capacity{}) {
		v.bad("how much has it room for? {vials: 200} or {boxes: 12}")
	}
	return c
}
