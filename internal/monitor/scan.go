package monitor

import (
	"strings"

	"coldkeep/internal/coldchain"
	"coldkeep/internal/gs1"
)

// scanned fills a command to receive a batch with what the scan of its
// supplier's label says. What was typed besides must agree with it: one of the
// two is another product's.
func (m *Monitor) scanned(c coldchain.Command) (coldchain.Command, error) {
	if c.Scan == "" {
		return c, nil
	}
	if c.Name != "receive" {
		return c, refusal("bad_request", "a scan is for receiving a batch: leave it out")
	}
	l, err := gs1.Read(c.Scan, timeOf(m.instant()).In(m.loc).Year())
	if err != nil {
		return c, refusal("bad_request", "%v", err)
	}
	profile := m.o.Products[l.GTIN]
	if profile == "" && c.Profile == "" {
		return c, refusal("not_found", "no product with the GTIN %s is in the config: enter it under `products:`, or give the profile", l.GTIN)
	}
	for _, x := range []struct {
		what      string
		typed     *string
		onTheCode string
	}{{"profile", &c.Profile, profile}, {"lot", &c.Lot, l.Lot}, {"expiry", &c.Expiry, l.Expiry}} {
		switch {
		case x.onTheCode == "":
		case *x.typed == "":
			*x.typed = x.onTheCode
		case !strings.EqualFold(*x.typed, x.onTheCode):
			return c, refusal("conflict", "the %s was given as %q, and the code says %q: look at the label", x.what, *x.typed, x.onTheCode)
		}
	}
	c.GTIN, c.Serial = l.GTIN, l.Serial
	if c.Batch == "" {
		c.Batch = idOf(c.Lot, l.Serial)
	}
	return c, nil
}

// idOf makes a batch's id of its lot, and of its serial where it has one.
func idOf(lot, serial string) string {
	id := lot
	if serial != "" {
		id += "-" + serial
	}
	return strings.Trim(strings.Map(func(r rune) rune {
		if coldchain.ValidID(string(r)) {
			return r
		}
		return '-'
	}, id), "-")
}
