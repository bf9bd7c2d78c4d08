package coldchain

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// What can be answered about a parcel, and where a product can come from.
var (
	LoggerAnswers = []string{"fine", "tripped", "none"}
	VialsAnswers  = []string{"frozen", "cold", "warm"}
	IceAnswers    = []string{"left", "gone"}
	ParcelAnswers = []string{"whole", "damaged"}
	OriginSources = []string{"plant", "human", "animal", "other"}
)

// roomTemperature is from where on a label asks for no cold: vials that come
// warm are as they should be.
const roomTemperature = 20_000

func (e *Evaluator) orderReceive(ev Event, c Command, b *batch) (Event, error) {
	if b != nil {
		return ev, refuse("conflict", "batch %s is known already, received %s: an id is never used again", b.id(), b.Received)
	}
	p := e.findProfile(c.Profile)
	if p == nil {
		return ev, refuse("not_found", "no profile %q is configured; there are %s", c.Profile, e.profileIDs())
	}
	if c.Vials < 0 {
		return ev, refuse("bad_request", "%d vials: a batch has none or more", c.Vials)
	}
	if err := checkArrival(c.Arrival); err != nil {
		return ev, err
	}
	if err := p.checkSpent(c.Spent); err != nil {
		return ev, err
	}
	ev.Kind, ev.Profile, ev.Lot, ev.Vials, ev.Expiry = BatchReceived, p.ID, strings.TrimSpace(c.Lot), c.Vials, c.Expiry
	ev.ExpiresAt, ev.GTIN, ev.Serial = c.ExpiresAt, c.GTIN, c.Serial
	ev.Spent = c.Spent
	if c.Arrival != nil && *c.Arrival != (Arrival{}) {
		ev.Arrival = c.Arrival
	}
	if c.Origin != nil {
		o, err := c.Origin.tidy()
		if err != nil {
			return ev, err
		}
		if o != (Origin{}) {
			ev.Origin = &o
		}
	}
	return ev, nil
}

func checkArrival(a *Arrival) error {
	if a == nil {
		return nil
	}
	for _, x := range []struct {
		what, said string
		known      []string
	}{{"logger", a.Logger, LoggerAnswers}, {"vials", a.State, VialsAnswers}, {"ice", a.Ice, IceAnswers}, {"parcel", a.Parcel, ParcelAnswers}} {
		if x.said != "" && !slices.Contains(x.known, x.said) {
			return refuse("bad_request", "%s %q: say %s, or leave it out where nobody looked", x.what, x.said, oneOf(x.known))
		}
	}
	return nil
}

// oneOf lists what may be chosen: a, b or c.
func oneOf(list []string) string {
	n := len(list) - 1
	return strings.Join(list[:n], ", ") + " or " + list[n]
}

// receive takes a batch into the record.
func (e *Evaluator) receive(ev Event) error {
	p := e.findProfile(ev.Profile)
	if ev.Label != nil {
		p = ev.Label // as it was when it was received, which is later
	}
	if p == nil {
		return fmt.Errorf("receive batch %s: no profile %q", ev.Batch, ev.Profile)
	}
	if ev.ExpiresAt == 0 && ev.Expiry != "" {
		ev.ExpiresAt = DayEnd(ev.Expiry, time.UTC) // written before the record told the instant
	}
	e.addBatch(Life{ID: ev.Batch, Profile: p.ID, Lot: ev.Lot, Vials: ev.Vials, Expiry: ev.Expiry, ExpiresAt: ev.ExpiresAt, GTIN: ev.GTIN, Serial: ev.Serial,
		Before: ev.Spent, Arrival: ev.Arrival, Origin: ev.Origin}, p, ev.Time)
	return nil
}

// arrivedWrong says why what came must be decided on before it is used: it
// was, or may have been, kept otherwise than the label says; "" where nobody
// saw anything of the kind.
func (p *Profile) arrivedWrong(a *Arrival) string {
	if a == nil {
		return ""
	}
	r := p.RangeIn(Transport)
	var why []string
	if a.Logger == "tripped" {
		why = append(why, "its logger or indicator had tripped on the way")
	}
	switch {
	case a.State == "warm" && r.High < roomTemperature:
		why = append(why, "its vials came warm")
	case a.State == "cold" && r.High < 0:
		why = append(why, "its vials came cold, but not frozen hard")
	case a.State == "frozen" && r.Low >= 0:
		why = append(why, "its vials came frozen, and the label says "+p.RangeTextIn(Transport))
	}
	return strings.Join(why, "; ")
}
