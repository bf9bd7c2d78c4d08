package coldchain

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"coldkeep/sensor"
)

const (
	// refugeStable is how long a unit must have been in its range, and
	// monitored, before it is trusted with more.
	refugeStable = time.Hour
	refugesTold  = 5 // of a batch, the best first
	noneTold     = 6 // units that cannot take a batch, with why
)

// A shelter is a unit as one that could take batches.
type shelter struct {
	u      *UnitState
	why    string // it can take none; "" it can
	stable bool
	known  bool     // its room
	left   int      // of its room, less what was sent there before
	takes  []string // units of which batches were sent there
}

// A fleeing batch is one that has to leave its unit.
type fleeing struct {
	b     *BatchState
	first *sensor.Instant
	// Of its unit's batches that can be saved, from this one on.
	rest, boxes int
}

// Rescues says where the batches of a unit can go, the most urgent first: the
// batch that is over its limit first, then the one with more vials; what is
// over its limit already comes last, and stays where it is. For each the
// refuges, the best first: units of which the range lies inside the batch's,
// that are in it and in order, and have room for the whole batch. Whether a
// batch is split is for a person to say. A unit with unknown capacity comes
// behind those with known room.
//
// Room is given away once: what other units in trouble, or more urgent batches,
// are sent to, is gone, so that two people in one night do not stand before one
// full fridge. It is a function of the snapshot alone. A unit that is not
// configured has none.
func Rescues(s *Snapshot, unit string) []Rescue { return rescues(s, unit)[unit] }

// RescuesInTrouble is the same of every unit in trouble that has batches, by
// its id.
func RescuesInTrouble(s *Snapshot) map[string][]Rescue { return rescues(s, "") }

// InTrouble says whether a unit's batches may have to leave it.
func (u *UnitState) InTrouble() bool {
	return u.OutOfRange || u.Unmonitored || u.MainsLost != nil && *u.MainsLost
}

func rescues(s *Snapshot, also string) map[string][]Rescue {
	leave := map[string]bool{}
	for i := range s.Units {
		if u := &s.Units[i]; u.InTrouble() && u.BatchCount > 0 || u.ID == also {
			leave[u.ID] = true
		}
	}
	if len(leave) == 0 {
		return nil
	}
	var list []fleeing
	for i := range s.Batches {
		if b := &s.Batches[i]; leave[b.Unit] {
			list = append(list, fleeing{b: b, first: b.FirstLost()})
		}
	}
	slices.SortStableFunc(list, func(x, y fleeing) int { return x.compare(&y) })
	all := s.shelters()
	rest, boxes := map[string]int{}, map[string]int{}
	for i := len(list) - 1; i >= 0; i-- {
		f := &list[i]
		if f.saved() {
			rest[f.b.Unit] += f.vials()
			boxes[f.b.Unit]++
		}
		f.rest, f.boxes = rest[f.b.Unit], boxes[f.b.Unit]
	}
	found := map[string][]Rescue{}
	for i := range list {
		f := &list[i]
		r := Rescue{Batch: f.b.ID, Vials: f.b.Vials, Profile: f.b.ProfileID, LostAt: f.first, Lost: f.b.Verdict == Quarantined, Refuges: []Refuge{}}
		r.Reason = f.reason(len(found[f.b.Unit]) == 0)
		if f.saved() {
			var none string
			if r.Refuges, none = all.seek(f); len(r.Refuges) == 0 {
				r.Reason += ". " + none
			}
		}
		found[f.b.Unit] = append(found[f.b.Unit], r)
	}
	return found
}

// saved says whether there is anything to be saved by moving it.
func (f *fleeing) saved() bool { return f.b.Verdict != Quarantined && f.b.Verdict != Expired }

// vials are those of the batch; a batch that nobody has counted is one.
func (f *fleeing) vials() int { return max(1, f.b.Vials) }

// compare puts first what must go first.
func (f *fleeing) compare(o *fleeing) int {
	at := func(x *fleeing) sensor.Instant {
		if x.first == nil {
			return never
		}
		return *x.first
	}
	rank := func(x *fleeing) int {
		if x.saved() {
			return 0
		}
		return 1
	}
	return cmp.Or(cmp.Compare(rank(f), rank(o)), cmp.Compare(at(f), at(o)), cmp.Compare(o.b.Vials, f.b.Vials), cmp.Compare(f.b.ID, o.b.ID))
}

func (f *fleeing) reason(first bool) string {
	switch {
	case f.b.Verdict == Quarantined:
		return "over its limit already: leave it cold and marked"
	case f.b.Verdict == Expired:
		return "expired: there is nothing to save"
	case f.first != nil && first:
		return "over its limit first"
	case f.first != nil:
		return "over its limit later"
	case f.b.Vials > 0:
		return fmt.Sprintf("nothing of it runs out now; %d vials", f.b.Vials)
	}
	return "nothing of it runs out now"
}

// shelters looks at every unit as a refuge.
func (s *Snapshot) shelters() *seeker {
	list, at := make([]shelter, len(s.Units)), make(map[string]int, len(s.Units))
	for i := range s.Units {
		u := &s.Units[i]
		at[u.ID] = i
		x := shelter{u: u, stable: u.StableSince != 0 && s.At.Sub(u.StableSince) >= refugeStable}
		switch c := u.Capacity; {
		case c.Vials > 0:
			x.known, x.left = true, c.Vials-u.VialCount
		case c.Boxes > 0:
			x.known, x.left = true, c.Boxes-u.BatchCount
		}
		switch {
		case u.Transport:
			x.why = "is for transport"
		case u.Unmonitored || u.Temp == nil:
			x.why = "has no temperature"
		case u.OutOfRange && u.Side == "low":
			x.why = "is too cold itself"
		case u.OutOfRange:
			x.why = "is too warm itself"
		case u.MainsLost != nil && *u.MainsLost:
			x.why = "has no mains"
		case x.known && x.left <= 0:
			x.why = "is full"
		}
		list[i] = x
	}
	for i := range s.Alarms {
		a := &s.Alarms[i]
		j, ok := at[a.Unit]
		// A batch's alarm is about what it went through, not about where it is now.
		if !ok || a.Batch != "" || list[j].why != "" {
			continue
		}
		switch {
		case a.Rule == RuleProbeLost:
			list[j].why = "has lost a probe"
		case a.Severity == Critical:
			list[j].why = "has an alarm itself"
		}
	}
	return &seeker{shelters: list, at: at, suitable: map[Range]*suitable{}}
}

// KeepingRange is what the batch must be kept in where it is stored: of its
// stage, where the label has one for it.
func (b *BatchState) KeepingRange() Range {
	for _, stage := range []Stage{b.Stage, Storage} {
		for _, x := range b.Profile.Stages {
			if x.Stage == stage && stage != Transport {
				return x.Range
			}
		}
	}
	return b.Profile.Range
}

// An offer is a shelter as it suits one batch.
type offer struct {
	at     int // in the list of shelters
	stable int // 0: it is; of the rest likewise the lower the better
	room   int // 0 for all of its unit, 1 for this batch, 2 not known
	apart  int // 0: the batch before it went there, too
	margin sensor.Temp
}

// A seeker gives room away, batch by batch.
type seeker struct {
	shelters []shelter
	at       map[string]int      // of a unit's id
	suitable map[Range]*suitable // for what must be kept in a range
	offers   []offer
}

// The suitable shelters, and those that would be but for something.
type suitable struct{ ready, not []int }

func (k *seeker) suits(r Range) *suitable {
	x := k.suitable[r]
	if x != nil {
		return x
	}
	x = &suitable{}
	k.suitable[r] = x
	for i := range k.shelters {
		switch s := &k.shelters[i]; {
		case s.u.Range.Low < r.Low || s.u.Range.High > r.High || s.u.Transport:
		case s.why != "":
			x.not = append(x.not, i)
		default:
			x.ready = append(x.ready, i)
		}
	}
	return x
}

// seek finds the batch's refuges, and takes room in the best; without any it
// says why.
func (k *seeker) seek(f *fleeing) ([]Refuge, string) {
	r := f.b.KeepingRange()
	suits := k.suits(r)
	k.offers = k.offers[:0]
	for _, i := range suits.ready {
		if o, ok := k.shelters[i].offer(f); ok {
			o.at = i
			k.offers = append(k.offers, o)
		}
	}
	if len(k.offers) == 0 {
		return []Refuge{}, k.nowhere(f, r, suits)
	}
	slices.SortStableFunc(k.offers, func(a, b offer) int {
		return cmp.Or(cmp.Compare(a.stable, b.stable), cmp.Compare(a.room, b.room), cmp.Compare(a.apart, b.apart), cmp.Compare(b.margin, a.margin))
	})
	list := make([]Refuge, 0, min(len(k.offers), refugesTold))
	for _, o := range k.offers[:cap(list)] {
		x := &k.shelters[o.at]
		g := Refuge{Unit: x.u.ID, Name: x.u.Title(), Temp: x.u.Temp, Stable: x.stable, Boxes: x.boxes(), Reason: x.reason(o)}
		if x.known {
			left := x.left
			g.Room = &left
		}
		list = append(list, g)
	}
	best := &k.shelters[k.offers[0].at]
	need, _ := best.needs(f)
	best.left -= need
	best.takes = append(best.takes, f.b.Unit)
	return list, ""
}

// needs is what a batch, and all of its unit's from it on, take of the room.
func (x *shelter) needs(f *fleeing) (one, all int) {
	if x.boxes() {
		return 1, f.boxes
	}
	return f.vials(), f.rest
}

// offer is how a shelter suits a batch; not at all where it has no room, or the batch
// is in it.
func (x *shelter) offer(f *fleeing) (o offer, ok bool) {
	one, all := x.needs(f)
	if x.u.ID == f.b.Unit || x.known && x.left < one {
		return o, false
	}
	o.margin = min(x.u.Range.High-*x.u.Temp, *x.u.Temp-x.u.Range.Low)
	if !x.stable {
		o.stable = 1
	}
	if !slices.Contains(x.takes, f.b.Unit) {
		o.apart = 1
	}
	switch {
	case !x.known:
		o.room = 2
	case x.left < all:
		o.room = 1
	}
	return o, true
}

func (x *shelter) boxes() bool { return x.u.Capacity.Vials == 0 && x.u.Capacity.Boxes > 0 }

// reason says why a shelter stands where it does.
func (x *shelter) reason(o offer) string {
	s := "in its range for an hour and more"
	if !x.stable {
		s = "in its range, but not for an hour yet"
	}
	what := "vials"
	if x.boxes() {
		what = "boxes"
	}
	switch o.room {
	case 0:
		s += fmt.Sprintf(", room for all (%d %s)", x.left, what)
	case 1:
		s += fmt.Sprintf(", room for this batch (%d %s), not for all", x.left, what)
	default:
		s += ", its room is not known"
	}
	return s + fmt.Sprintf(", %s °C from the nearer end of its range", Degrees(o.margin))
}

// nowhere says what to do where a batch has no refuge, and why it has none.
func (k *seeker) nowhere(f *fleeing, r Range, suits *suitable) string {
	do := "Keep the door shut and find room elsewhere"
	if r.High <= 0 {
		do = "Keep the door shut. Do not move the vials to a fridge"
	}
	var why []string
	others := 0
	for _, list := range [][]int{suits.ready, suits.not} {
		others += len(list)
		for _, i := range list {
			if len(why) == noneTold {
				break
			}
			if x := &k.shelters[i]; x.u.ID != f.b.Unit {
				why = append(why, x.full(f))
			}
		}
	}
	if u := k.unit(f.b.Unit); u != nil && u.Range.Low >= r.Low && u.Range.High <= r.High && !u.Transport {
		others-- // it is the one that they leave
	}
	if len(why) == 0 {
		return do + ": no other unit is kept inside " + r.Text()
	}
	if more := others - len(why); more > 0 {
		why = append(why, fmt.Sprintf("and %d more", more))
	}
	return do + ": " + strings.Join(why, "; ")
}

// full says why a shelter cannot take a batch.
func (x *shelter) full(f *fleeing) string {
	switch {
	case x.why != "":
		return x.u.Title() + " " + x.why
	case x.left <= 0:
		return x.u.Title() + " will be full"
	}
	return fmt.Sprintf("%s has room for %d of its %d vials: whether to split it is for a person to say", x.u.Title(), x.left, f.vials())
}

func (k *seeker) unit(id string) *UnitState {
	i, ok := k.at[id]
	if !ok {
		return nil
	}
	return k.shelters[i].u
}

// Target is the refuge that room was taken in: the best; nil where it has none.
func (r *Rescue) Target() *Refuge {
	if len(r.Refuges) == 0 {
		return nil
	}
	return &r.Refuges[0]
}
