package config

import (
	"strings"

	"coldkeep/internal/gs1"
)

// products reads which profile holds for the goods with a GTIN, so that a scan
// of the supplier's code is enough to receive them.
func (p *reader) products(v value) {
	p.cfg.Products = map[string]string{}
	seen := map[string]value{}
	for _, x := range v.items() {
		f := x.fields("gtin", "profile")
		if !f["gtin"].there() || !f["profile"].there() {
			x.bad("a product needs both: {gtin: \"09512345678903\", profile: refrigerated}")
			continue
		}
		gtin, err := gs1.GTIN(f["gtin"].str(""))
		if err != nil {
			f["gtin"].bad("%v; write it in quotes, as it stands beneath the code", err)
			continue
		}
		if first, ok := seen[gtin]; ok {
			line, _ := first.pos()
			f["gtin"].bad("the GTIN %s stands in line %d already", gtin, line)
			continue
		}
		seen[gtin] = f["gtin"]
		name := f["profile"].str("")
		for _, known := range p.cfg.Profiles {
			if strings.EqualFold(known.ID, name) {
				p.cfg.Products[gtin] = known.ID
			}
		}
		if p.cfg.Products[gtin] == "" {
			f["profile"].bad("no profile %q is listed under `profiles:`", name)
		}
	}
}
