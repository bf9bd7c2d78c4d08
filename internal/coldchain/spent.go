package coldchain

import "strings"

// checkSpent says whether a person can mean list by this label: what a batch
// had been through before its record, or what a signer allows anew. A
// *Refusal where a rule is unknown, sums nothing, or is given in the wrong
// measure.
func (p *Profile) checkSpent(list []Spent) error {
	seen := map[string]bool{}
	for _, x := range list {
		r := p.rule(x.Rule)
		switch {
		case r == nil || r.Total == 0 && !r.FreezeThaw:
			var sums []string
			for _, r := range p.Rules {
				if r.Total > 0 || r.FreezeThaw {
					sums = append(sums, r.ID)
				}
			}
			what := "has no rule " + x.Rule
			if r != nil {
				what = "has a rule " + x.Rule + ", which sums nothing up"
			}
			if len(sums) == 0 {
				return refuse("bad_request", "profile %s %s: none of its rules gives an allowance that can be spent", p.ID, what)
			}
			return refuse("bad_request", "profile %s %s: what can be spent is of %s", p.ID, what, strings.Join(sums, ", "))
		case seen[r.ID]:
			return refuse("bad_request", "rule %s is given twice: say it once, with the sum", r.ID)
		case x.S < 0 || x.Cycles < 0:
			return refuse("bad_request", "less than nothing was given for rule %s", r.ID)
		case r.FreezeThaw && (x.S != 0 || x.Cycles == 0):
			return refuse("bad_request", "rule %s counts freeze-thaw cycles: give their number, as %s=1", r.ID, r.ID)
		case !r.FreezeThaw && (x.Cycles != 0 || x.S == 0):
			return refuse("bad_request", "rule %s sums time: give a span, as %s=30m", r.ID, r.ID)
		}
		seen[r.ID] = true
	}
	return nil
}

// rule finds a rule by its id, exactly as it is written; nil where there is none.
func (p *Profile) rule(id string) *Rule {
	for i := range p.Rules {
		if p.Rules[i].ID == id {
			return &p.Rules[i]
		}
	}
	return nil
}
