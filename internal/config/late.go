package config

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"coldkeep/internal/coldchain"
)

// late warns of alarms that come later than the loss of a batch that their
// unit may hold.
func (p *reader) late() {
	for _, u := range p.cfg.Units {
		at := p.ids["unit "+strings.ToLower(u.ID)]
		for _, x := range p.cfg.Profiles {
			stage := coldchain.Storage
			if u.Transport {
				stage = coldchain.Transport
			}
			if label := x.LabelIn(stage); u.Range.Low < label.Low || u.Range.High > label.High {
				continue
			}
			told := map[string]bool{} // of each side once: the soonest
			for _, l := range losses(x, stage) {
				if told[l.side()] {
					continue
				}
				delay, ok := delayOf(u.WithDefaults(), l)
				if ok && delay <= l.after {
					continue
				}
				comes := "there is no critical alarm for it"
				if ok {
					comes = fmt.Sprintf("the first critical alarm for it comes after %s", short(delay))
				}
				told[l.side()] = true
				p.warn(at, "%s: a batch of profile %s is lost after %s %s, and %s: give the unit one that comes no later. coldkeep pages by itself when 25 %% of the allowance or 30 min are left, at once where there is no allowance", u.ID, x.ID, short(l.after), l.how(), comes)
			}
		}
	}
}

// short writes a span without its zeros: 15m, 2h.
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// A loss is how soon a profile quarantines: beyond a limit, or (noData)
// without readings.
type loss struct {
	limit  coldchain.Limit
	noData bool
	after  time.Duration
}

func (l loss) side() string {
	if l.noData {
		return "no data"
	}
	return string(l.limit.Side)
}

func (l loss) how() string {
	switch {
	case l.noData:
		return "without readings"
	case l.limit.Side == coldchain.Above:
		return fmt.Sprintf("above %s °C", l.limit.At)
	}
	return fmt.Sprintf("below %s °C", l.limit.At)
}

// losses are all ways in which a batch is lost at a steady temperature in a
// stage, the soonest first. A mean kinetic temperature tells no time
// beforehand, and a freeze–thaw cycle is none of one temperature.
func losses(x coldchain.Profile, stage coldchain.Stage) []loss {
	limits := x.RangeIn(stage)
	list := []loss{{noData: true, after: x.Unmonitored}}
	allowedHigh, allowedLow := false, false
	for _, r := range x.Rules {
		after := max(r.For, r.Total)
		switch {
		case r.MKT || r.FreezeThaw || r.Stage != "" && r.Stage != stage:
			continue
		case r.Unmonitored:
			list = append(list, loss{noData: true, after: after})
			continue
		case r.Limit.Side == coldchain.Above:
			allowedHigh = allowedHigh || r.Limit.At <= limits.High
		default:
			allowedLow = allowedLow || r.Limit.At >= limits.Low
		}
		list = append(list, loss{limit: r.Limit, after: after})
	}
	if !allowedHigh {
		list = append(list, loss{limit: coldchain.Limit{Side: coldchain.Above, At: limits.High}, after: x.Confirm})
	}
	if !allowedLow {
		list = append(list, loss{limit: coldchain.Limit{Side: coldchain.Below, At: limits.Low}, after: x.Confirm})
	}
	slices.SortStableFunc(list, func(a, b loss) int { return int(a.after - b.after) })
	return list
}

// delayOf is how long the soonest critical alarm takes where a temperature
// goes beyond the loss's limit at once and stays.
func delayOf(u coldchain.Unit, l loss) (delay time.Duration, ok bool) {
	for _, a := range u.Alarms {
		d := max(a.For, a.Total)
		switch {
		case a.Severity != coldchain.Critical, l.noData != (a.NoData > 0):
			continue
		case l.noData:
			d = a.NoData
		case a.Limit.Side != l.limit.Side, l.limit.Side == coldchain.Above && a.Limit.At > l.limit.At, l.limit.Side == coldchain.Below && a.Limit.At < l.limit.At:
			continue
		}
		if !ok || d < delay {
			delay, ok = d, true
		}
	}
	return delay, ok
}
