package coldchain

import (
	"fmt"

	"coldkeep/sensor"
)

// A thawState is what is known of the product's being frozen.
type thawState uint8

const (
	frozen     thawState = iota // or nothing has said that it thawed
	thawed                      // a buffered reading above the thaw point stands
	warmOut                     // it is outside, where it is above it
	unseen                      // in a unit; the last that is known is that it thaws
	untellable                  // likewise, and no probe there could tell
)

// thaws counts how often a batch was thawed and frozen again. AtLeast are
// those of which readings tell: above the thaw point for Thaw.For without a
// break, and seen frozen afterwards. Perhaps are those that there may have
// been, and counts in each also
//
//   - a stretch above, doubtful or outside that has reached Thaw.For in all,
//   - a stretch outside that was longer than Thaw.Outside.
//
// Nothing is a cycle before it may be frozen again: at the first instant at
// which nothing says any more that it is thawed, which is where a reading is
// at or below the thaw point, or where no reading stands. A silence counts
// one cycle at most, and one that begins frozen none: that is what
// the rule `unmonitored` is for. In a unit without a buffered probe nothing is
// ever told: it may be frozen from its coming on, and time there is not time
// above.
type thaws struct {
	AtLeast int
	Perhaps int
	State   thawState
	From    sensor.Instant // not frozen: what counts towards May began here
	Run     sensor.Instant // thawed: since when without a break
	Sure    bool           // it was thawed for certain, and not seen frozen since
	May     bool           // it may have been thawed, and was not frozen since
	Told    bool           // unseen: its possible freezing is counted
}

// pass takes in the time up to t, in which the state did not change.
func (x *thaws) pass(t sensor.Instant, rule Thaw, out sensor.Instant) {
	if x.State == thawed && t >= x.Run.Add(rule.For) {
		x.Sure = true
	}
	if x.State != frozen && x.State != untellable && t >= x.From.Add(rule.For) || x.State == warmOut && t > out.Add(rule.Outside) {
		x.May = true
	}
}

// set says how it stands from t on. out is since when it was outside.
func (x *thaws) set(t sensor.Instant, next thawState, rule Thaw, out sensor.Instant) {
	x.pass(t, rule, out)
	if next != x.State {
		x.become(t, next)
	}
	if x.State == unseen && x.May && !x.Told {
		x.Perhaps++
		// It may have thawed anew from here on; that counts where it is seen to.
		x.May, x.Told, x.From = false, true, t
	}
}

func (x *thaws) become(t sensor.Instant, next thawState) {
	silence := x.State == unseen && x.Told || x.State == untellable
	switch {
	case next == frozen:
		if x.May && !silence {
			x.Perhaps++
		}
		if x.Sure {
			x.AtLeast++
		}
		*x = thaws{AtLeast: x.AtLeast, Perhaps: x.Perhaps}
		return
	case next == untellable:
		if x.May && !silence {
			x.Perhaps++
		}
		x.May = false
	case x.State == frozen, x.State == untellable, next == warmOut && silence:
		x.From, x.May = t, false
	}
	if next == thawed {
		x.Run = t
	}
	x.State, x.Told = next, false
}

// deadline is when there may be one cycle more if nothing new comes.
func (x *thaws) deadline(rule Thaw) sensor.Instant {
	if x.State == unseen && !x.Told {
		return x.From.Add(rule.For)
	}
	return never
}

// thawStand tells how the batch stands to its thaw point.
func (b *batch) thawStand() thawState {
	if b.Where == outside {
		if b.profile.Outside.As > b.profile.Thaw.Above {
			return warmOut
		}
		return frozen
	}
	switch x, was := b.thawLine, b.Thaws.State; {
	case x.open && x.beyond:
		return thawed
	case x.open:
		return unseen
	case was == frozen || b.unit.standing(true):
		return frozen
	case was == untellable || !b.unit.buffered():
		return untellable
	}
	return unseen
}

// thawLimit is what a unit is asked about: air tells nothing of the product.
func (p *Profile) thawLimit() lineKey {
	return lineKey{Limit: Limit{Side: Above, At: p.Thaw.Above}, Buffered: true}
}

// turnThaw follows the thaw point at t.
func (b *batch) turnThaw(t sensor.Instant) {
	if b.profile.Thaw.Counts() {
		b.Thaws.set(t, b.thawStand(), b.profile.Thaw, b.OutsideAt)
	}
}

// fireThaw lets what is due at t happen: nothing new has come.
func (b *batch) fireThaw(t sensor.Instant) {
	if b.Thaws.deadline(b.profile.Thaw) <= t {
		b.Thaws.set(t, b.Thaws.State, b.profile.Thaw, b.OutsideAt)
	}
}

// cycles are how many the rule counts, at least and perhaps: those before the
// record with those in it, from the newest allowance on.
func (s *ruleState) cycles(x *thaws) (atLeast, perhaps int) {
	if s.Anew {
		perhaps = x.Perhaps - int(s.Used)
		return min(x.AtLeast-int(s.UsedCertain), perhaps), perhaps
	}
	return x.AtLeast + s.before.Cycles, x.Perhaps + s.before.Cycles
}

// tooMany says whether the rule breaks by the cycles counted, and whether only
// by those that are not certain. One that was released breaks again with the
// next.
func (s *ruleState) tooMany(x *thaws) (broken, doubtful bool) {
	atLeast, perhaps := s.cycles(x)
	if s.Broken || perhaps <= int(s.allowed()) || perhaps <= s.Answered {
		return false, false
	}
	return true, atLeast <= int(s.allowed())
}

// cycleText says how often it was thawed, and how often it may be.
func (s *ruleState) cycleText(x *thaws) string {
	atLeast, perhaps := s.cycles(x)
	text := "thawed and frozen again " + CyclesText(atLeast, perhaps)
	if s.Anew {
		text += " since the release"
	}
	text += "; " + allowedText(int(s.allowed()))
	if n := s.before.Cycles; n > 0 && !s.Anew {
		text += fmt.Sprintf(" (%d before its record)", n)
	}
	return text
}

func allowedText(n int) string {
	switch n {
	case 0:
		return "none is allowed"
	case 1:
		return "1 is allowed"
	}
	return fmt.Sprintf("%d are allowed", n)
}

// CyclesText says a number of freeze–thaw cycles that is not certain: at least
// 1 time, perhaps 3.
func CyclesText(atLeast, perhaps int) string {
	times := func(n int) string {
		if n == 1 {
			return "1 time"
		}
		return fmt.Sprintf("%d times", n)
	}
	switch {
	case perhaps <= atLeast:
		return times(atLeast)
	case atLeast == 0:
		return "perhaps " + times(perhaps)
	}
	return fmt.Sprintf("at least %s, perhaps %d", times(atLeast), perhaps)
}

// OfCycles says whether the allowance is of freeze–thaw cycles, not of time.
func (a *Allowance) OfCycles() bool { return a.TotalS == 0 }
