package coldchain

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"coldkeep/sensor"
)

const rescueNow = sensor.Instant(100 * 3600_000)

// good is a fridge that is in order, with room.
func good(id string, temp sensor.Temp, vials int) UnitState {
	return UnitState{Unit: Unit{ID: id, Name: strings.ToUpper(id), Range: Range{2000, 8000}, Capacity: Capacity{Vials: vials}}, Temp: &temp, StableSince: rescueNow.Add(-5 * time.Hour)}
}

func failing(id string, r Range, batches int) UnitState {
	temp := r.High + 1400
	return UnitState{Unit: Unit{ID: id, Range: r}, Temp: &temp, OutOfRange: true, Side: "high", Since: rescueNow.Add(-15 * time.Minute), BatchCount: batches}
}

func in(unit, id string, vials int, lost time.Duration) BatchState {
	b := BatchState{ID: id, Unit: unit, Vials: vials, ProfileID: "p", Profile: Profile{ID: "p", Range: Range{2000, 8000}}, Verdict: InRange, Now: NowTooWarm}
	if lost > 0 {
		at := rescueNow.Add(lost)
		b.LostAt = &at
	}
	return b
}

// told is a list of rescues in few words: each batch with its refuges.
func told(list []Rescue) (lines []string) {
	for _, r := range list {
		var to []string
		for _, x := range r.Refuges {
			room := "?"
			if x.Room != nil {
				room = fmt.Sprint(*x.Room)
			}
			to = append(to, x.Unit+"/"+room)
		}
		lines = append(lines, strings.TrimSpace(r.Batch+": "+strings.Join(to, " ")))
	}
	return lines
}

func TestRescues(t *testing.T) {
	yes := true
	for _, x := range []struct {
		name  string
		units func() []UnitState
		do    func(s *Snapshot)
		want  []string
		why   string // stands in the first batch's reason
	}{
		{"the first one first, and both to where there is room for both", func() []UnitState { return []UnitState{good("a", 5000, 15), good("b", 7500, 30)} }, nil,
			[]string{"B1: b/30 a/15", "B2: b/18 a/15", "B3:"}, "over its limit first"},
		{"the middle of the range, of equals", func() []UnitState { return []UnitState{good("a", 7000, 40), good("b", 4600, 40)} }, nil,
			[]string{"B1: b/40 a/40", "B2: b/28 a/40", "B3:"}, "over its limit first"},
		{"no 12 into room for 10", func() []UnitState { return []UnitState{good("a", 5000, 10)} }, nil,
			[]string{"B1:", "B2: a/10", "B3:"}, "A has room for 10 of its 12 vials: whether to split it is for a person to say"},
		{"room is given away once", func() []UnitState { return []UnitState{good("a", 5000, 12)} }, nil,
			[]string{"B1: a/12", "B2:", "B3:"}, "over its limit first"},
		{"unknown room comes last of the stable", func() []UnitState {
			fresh := good("fresh", 5000, 90)
			fresh.StableSince = rescueNow.Add(-59 * time.Minute)
			return []UnitState{good("unknown", 5000, 0), fresh, good("small", 5000, 13)}
		}, nil, []string{"B1: small/13 unknown/? fresh/90", "B2: unknown/? fresh/90", "B3:"}, "over its limit first"},
		{"boxes", func() []UnitState {
			u := good("a", 5000, 0)
			u.Capacity.Boxes, u.BatchCount = 6, 4
			return []UnitState{u}
		}, nil, []string{"B1: a/2", "B2: a/1", "B3:"}, "over its limit first"},
		{"what is in it takes room", func() []UnitState {
			u := good("a", 5000, 30)
			u.VialCount = 20
			return []UnitState{u}
		}, nil, []string{"B1:", "B2: a/10", "B3:"}, "A has room for 10 of its 12 vials"},
		{"out of order", func() []UnitState {
			mains, warm, dark, box := good("mains", 5000, 90), good("warm", 5000, 90), good("dark", 5000, 90), good("box", 5000, 90)
			mains.MainsLost, warm.OutOfRange, warm.Side, dark.Unmonitored, box.Transport = &yes, true, "high", true, true
			return []UnitState{mains, warm, dark, box, good("full", 5000, 1), good("probe", 5000, 90), good("alarm", 5000, 90)}
		}, func(s *Snapshot) {
			s.Units[5].VialCount = 1
			s.Alarms = []Alarm{{Unit: "probe", Rule: RuleProbeLost, Severity: Warning}, {Unit: "alarm", Rule: "own", Severity: Critical}}
		}, []string{"B1:", "B2:", "B3:"},
			"Keep the door shut and find room elsewhere: MAINS has no mains; WARM is too warm itself; DARK has no temperature; FULL is full; PROBE has lost a probe; ALARM has an alarm itself"},
		{"a batch's alarm is not its unit's", func() []UnitState { return []UnitState{good("a", 5000, 90)} }, func(s *Snapshot) {
			s.Alarms = []Alarm{{Unit: "a", Rule: RuleBatch, Batch: "X", Severity: Critical}}
		}, []string{"B1: a/90", "B2: a/78", "B3:"}, ""},
		{"many that are full", func() (list []UnitState) {
			for i := range 9 {
				u := good(fmt.Sprintf("u%d", i), 5000, 1)
				u.VialCount = 1
				list = append(list, u)
			}
			return append(list, good("small", 5000, 7))
		}, nil, []string{"B1:", "B2:", "B3:"}, "SMALL has room for 7 of its 12 vials: whether to split it is for a person to say; U0 is full; U1 is full; U2 is full; U3 is full; U4 is full; and 4 more"},
		{"another range", func() []UnitState {
			u := good("a", 5000, 90)
			u.Range.High = 9000
			return []UnitState{u}
		}, nil, []string{"B1:", "B2:", "B3:"}, "no other unit is kept inside 2–8 °C"},
		{"the label's range of storage", func() []UnitState { return []UnitState{good("a", 5000, 90)} }, func(s *Snapshot) {
			for i := range s.Batches {
				s.Batches[i].Profile.Stages = []StageRange{{Stage: Storage, Range: Range{4000, 6000}}}
			}
		}, []string{"B1:", "B2:", "B3:"}, "no other unit is kept inside 4–6 °C"},
		{"a freezer", func() []UnitState { return []UnitState{good("a", 5000, 90)} }, func(s *Snapshot) {
			for i := range s.Batches {
				s.Batches[i].Profile.Range = Range{-25000, -15000}
			}
		}, []string{"B1:", "B2:", "B3:"}, "Keep the door shut. Do not move the vials to a fridge: no other unit is kept inside -25 to -15 °C"},
	} {
		t.Run(x.name, func(t *testing.T) {
			s := &Snapshot{At: rescueNow, Units: append([]UnitState{failing("f", Range{2000, 8000}, 3)}, x.units()...),
				Batches: []BatchState{in("f", "B2", 8, 50*time.Minute), in("f", "B3", 5, 0), in("f", "B1", 12, 19*time.Minute), in("a", "elsewhere", 5, 0)}}
			s.Batches[1].Verdict = Quarantined
			if x.do != nil {
				x.do(s)
			}
			got := Rescues(s, "f")
			if d := cmp.Diff(x.want, told(got)); d != "" {
				t.Errorf("%s\n%+v", d, got)
			}
			if !strings.Contains(got[0].Reason, x.why) {
				t.Errorf("reason: %s", got[0].Reason)
			}
			if last := got[2]; !last.Lost || last.Reason != "over its limit already: leave it cold and marked" {
				t.Errorf("lost: %+v", last)
			}
			if d := cmp.Diff(got, RescuesInTrouble(s)["f"]); d != "" {
				t.Errorf("told otherwise of all units:\n%s", d)
			}
		})
	}
}

// The early end of a forecast makes a batch urgent, as its present loss does.
func TestRescuesGoByTheForecast(t *testing.T) {
	s := &Snapshot{At: rescueNow, Units: []UnitState{failing("f", Range{2000, 8000}, 2)}, Batches: []BatchState{in("f", "B1", 5, time.Hour), in("f", "B2", 5, 2*time.Hour)}}
	early, mid := rescueNow.Add(10*time.Minute), rescueNow.Add(3*time.Hour)
	s.Batches[1].Forecasts = []Forecast{{Rule: "hot", AtTrend: &mid, Earliest: &early}}
	if d := cmp.Diff([]string{"B2:", "B1:"}, told(Rescues(s, "f"))); d != "" {
		t.Error(d)
	}
	if got := *Rescues(s, "f")[0].LostAt; got != early {
		t.Errorf("lost at %s", got)
	}
	if got := Rescues(s, "nowhere"); len(got) > 0 {
		t.Errorf("of no unit: %+v", got)
	}
}

// No unit is offered that the label does not allow or that is out of order,
// nothing is sent where it has no room, and asked twice the answer is the same.
func TestRescuesNeverSendABatchWrong(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := &Snapshot{At: rescueNow}
		temp := func(name string) sensor.Temp { return sensor.Temp(rapid.IntRange(0, 10).Draw(t, name)) * 1000 }
		for i := range rapid.IntRange(1, 6).Draw(t, "units") {
			u := good(fmt.Sprintf("u%d", i), temp("now"), rapid.SampledFrom([]int{0, 5, 20}).Draw(t, "capacity"))
			u.Range = Range{temp("low"), 0}
			u.Range.High = u.Range.Low + temp("width")
			if rapid.IntRange(0, 4).Draw(t, "boxes") == 0 {
				u.Capacity = Capacity{Boxes: rapid.IntRange(1, 4).Draw(t, "room")}
			}
			u.OutOfRange, u.Unmonitored, u.Transport = rapid.Bool().Draw(t, "out"), rapid.IntRange(0, 4).Draw(t, "dark") == 0, rapid.IntRange(0, 4).Draw(t, "transport") == 0
			if lost := rapid.IntRange(0, 4).Draw(t, "mains") == 0; lost {
				u.MainsLost = &lost
			}
			if rapid.Bool().Draw(t, "fresh") {
				u.StableSince = rescueNow.Add(-time.Minute)
			}
			s.Units = append(s.Units, u)
		}
		for i := range rapid.IntRange(0, 12).Draw(t, "batches") {
			u := &s.Units[rapid.IntRange(0, len(s.Units)-1).Draw(t, "in")]
			b := in(u.ID, fmt.Sprintf("B%d", i), rapid.IntRange(0, 9).Draw(t, "vials"), time.Duration(rapid.IntRange(0, 3).Draw(t, "lost"))*time.Hour)
			b.Profile.Range = Range{temp("label low"), 9000}
			b.Verdict = rapid.SampledFrom([]Verdict{InRange, InExcursion, Quarantined, Expired}).Draw(t, "verdict")
			u.BatchCount, u.VialCount = u.BatchCount+1, u.VialCount+b.Vials
			s.Batches = append(s.Batches, b)
		}
		all := RescuesInTrouble(s)
		if d := cmp.Diff(all, RescuesInTrouble(s)); d != "" {
			t.Fatalf("asked twice:\n%s", d)
		}
		vials, boxes := map[string]int{}, map[string]int{}
		for id, list := range all {
			from := s.Units[slices.IndexFunc(s.Units, func(u UnitState) bool { return u.ID == id })]
			if len(list) != from.BatchCount {
				t.Fatalf("%s: %d of %d batches", id, len(list), from.BatchCount)
			}
			for _, r := range list {
				b := s.Batches[slices.IndexFunc(s.Batches, func(b BatchState) bool { return b.ID == r.Batch })]
				if b.Verdict == Quarantined && len(r.Refuges) > 0 {
					t.Fatalf("%s is lost, and is to go to %+v", b.ID, r.Refuges)
				}
				for i, x := range r.Refuges {
					u := s.Units[slices.IndexFunc(s.Units, func(u UnitState) bool { return u.ID == x.Unit })]
					if u.ID == id || u.InTrouble() || u.Transport || u.Range.Low < b.Profile.Range.Low || u.Range.High > b.Profile.Range.High {
						t.Fatalf("%s of %v is to go to %+v", b.ID, b.Profile.Range, u)
					}
					if x.Stable && i > 0 && !r.Refuges[i-1].Stable {
						t.Fatalf("a stable one comes behind: %+v", r.Refuges)
					}
				}
				if to := r.Target(); to != nil {
					vials[to.Unit] += b.Vials
					boxes[to.Unit]++
				}
			}
		}
		for _, u := range s.Units {
			if c := u.Capacity.Vials; c > 0 && vials[u.ID] > 0 && u.VialCount+vials[u.ID] > c {
				t.Fatalf("%s has room for %d, has %d, and is sent %d", u.ID, c, u.VialCount, vials[u.ID])
			}
			if c := u.Capacity.Boxes; c > 0 && boxes[u.ID] > 0 && u.BatchCount+boxes[u.ID] > c {
				t.Fatalf("%s has room for %d boxes, has %d, and is sent %d", u.ID, c, u.BatchCount, boxes[u.ID])
			}
		}
	})
}
