package coldchain

import "time"

// oracleCycles are the instants at which freeze–thaw cycles count: certain
// ones, and possible ones, those that time alone brings apart from those that
// something new brings, which comes later in an instant.
type oracleCycles struct{ certain, byTime, byNews []ms }

func upTo(list []ms, t ms) (n int) {
	for _, x := range list {
		if x <= t {
			n++
		}
	}
	return n
}

func (c oracleCycles) count(t ms) (atLeast, perhaps int) {
	return upTo(c.certain, t), upTo(c.byTime, t) + upTo(c.byNews, t)
}

func (c oracleCycles) judge(s *BatchState, r Rule, before int, from, last ms) {
	_, perhaps := c.count(last)
	s.Allowance = append(s.Allowance, Allowance{Rule: r.ID, Cycles: perhaps + before, CyclesLeft: max(0, r.Cycles-perhaps-before)})
	for t := from; t <= last; t++ {
		if n := before + upTo(c.byTime, t) + upTo(c.byNews, t-1); n > r.Cycles {
			s.Reasons = append(s.Reasons, Reason{Rule: r.ID, At: t, Doubtful: before+upTo(c.certain, t-1) <= r.Cycles})
			return
		}
		if atLeast, perhaps := c.count(t); before+perhaps > r.Cycles {
			s.Reasons = append(s.Reasons, Reason{Rule: r.ID, At: t, Doubtful: before+atLeast <= r.Cycles})
			return
		}
	}
}

// thawStates tells for each ms whether the product is frozen, thawed, outside
// in the warm, or not seen, or where no probe could see it.
func (b *oracleBatch) thawStates(last ms) (list []thawState) {
	state := frozen
	for t := b.life.Placements[0].From; t <= last; t++ {
		pl, alive := b.where(t)
		switch {
		case !alive:
		case pl == nil:
			state = frozen
			if b.p.Outside.As > b.p.Thaw.Above {
				state = warmOut
			}
		default:
			u := b.units[pl.Unit]
			above, standsAbove, stands, tells := false, false, false, false
			for _, p := range u.cfg.Probes {
				if p.Medium != "buffered" {
					continue
				}
				if tells = true; t < u.from {
					continue
				}
				r := u.last[p.ID][t-u.from]
				if r == nil {
					continue
				}
				still := t < u.until[p.ID][t-u.from]
				stands = stands || still
				above = above || r.Temp > b.p.Thaw.Above
				standsAbove = standsAbove || still && r.Temp > b.p.Thaw.Above
			}
			switch {
			case standsAbove:
				state = thawed
			case above:
				state = unseen
			case stands:
				state = frozen
			case state == frozen || state == untellable:
			case tells:
				state = unseen
			default:
				state = untellable
			}
		}
		list = append(list, state)
	}
	return list
}

// cycles looks at each stretch in which the product was not frozen, and in it
// at each run of one state.
func (b *oracleBatch) cycles(last ms) (c oracleCycles) {
	if b.p.Thaw.For == 0 {
		return c
	}
	from := b.life.Placements[0].From
	states := b.thawStates(last)
	end := ms(len(states))
	for a := ms(0); a < end; {
		if states[a] == frozen {
			a++
			continue
		}
		since, may, sure, silent := a, false, false, false
		z := a
		for z < end && states[z] != frozen {
			run := z
			for z < end && states[z] == states[run] {
				z++
			}
			next := z
			if z == end {
				z-- // the last instant is reached, not passed
			}
			need := ms(b.p.Thaw.For / time.Millisecond)
			switch states[run] {
			case untellable:
				if may && !silent {
					c.byNews = append(c.byNews, from+run)
				}
				since, may, silent = z, false, true
			case thawed:
				sure = sure || z-run >= need
				may = may || z-since >= need
				silent = false
			case warmOut:
				if silent {
					since, may = run, false
				}
				may = may || z-since >= need || z-run > ms(b.p.Thaw.Outside/time.Millisecond)
				silent = false
			case unseen:
				silent = false
				switch {
				case may:
					c.byNews = append(c.byNews, from+run)
					since, may, silent = run, false, true
				case since+need <= z:
					at := max(run, since+need)
					c.byTime = append(c.byTime, from+at)
					since, silent = at, true
				}
				may = silent && z-since >= need
			}
			z = next
		}
		if z < end { // frozen again
			if may && !silent {
				c.byNews = append(c.byNews, from+z)
			}
			if sure {
				c.certain = append(c.certain, from+z)
			}
		}
		a = z
	}
	return c
}
