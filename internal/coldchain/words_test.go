package coldchain

import (
	"testing"
	"time"

	"coldkeep/sensor"
)

func at(s string) sensor.Instant {
	t, err := time.Parse("2006-01-02 15:04", s)
	if err != nil {
		panic(err)
	}
	return sensor.At(t)
}

func temp(t sensor.Temp) *sensor.Temp { return &t }

// The table of what people read, row by row.
func TestWords(t *testing.T) {
	now := at("2026-05-05 09:14")
	r := Reader{Now: now, Location: time.UTC, Ask: "the clinic manager, 020 7946 0000"}
	profile := Profile{Range: Range{2000, 8000}}
	fridge := UnitState{Unit: Unit{ID: "f1", Name: "Fridge", Range: Range{2000, 8000}}, Temp: temp(9400)}
	dark := UnitState{Unit: Unit{ID: "f1"}, Unmonitored: true, UnmonitoredSince: at("2026-05-05 09:02"),
		Probes: []ProbeState{{Judges: true, LastGood: sensor.Reading{Time: at("2026-05-05 09:02"), Temp: 5100}}}}
	out := at("2026-05-05 09:02")
	for name, c := range map[string]struct {
		b    BatchState
		u    *UnitState
		want Words
	}{
		"good": {BatchState{Verdict: InRange, Now: NowInRange, Since: at("2026-05-02 10:36")}, &fridge,
			Words{"STORAGE RECORD OK", "Check lot, expiry date and vial, then decide.", "In 2–8 °C since it came on 2 May.", "ok"}},
		"no data": {BatchState{Verdict: InRange, Now: NowNoData}, &dark,
			Words{"WAIT", "Do not use yet. Ask the clinic manager, 020 7946 0000.", "No temperature for 12 min; last 5.1 °C.", "wait"}},
		"too warm": {BatchState{Verdict: InRange, Now: NowTooWarm}, &fridge,
			Words{"WAIT", "Fridge too warm: 9.4 °C. Shut the door. Ask the clinic manager, 020 7946 0000.", "", "wait"}},
		"outside": {BatchState{Verdict: InRange, Now: NowOutside, OutsideSince: &out}, nil,
			Words{"OUT OF THE FRIDGE, 12 MIN", "Put it back or use it.", "", "wait"}},
		"excursion": {BatchState{Verdict: InExcursion, Now: NowInRange, Exposure: Exposure{AboveS: 38 * 60, MaxC: temp(9400)},
			Allowance: []Allowance{{Rule: "warm", TotalS: 7200, UsedS: 2280, LeftS: 4920}}}, &fridge,
			Words{"ASK FIRST", "The clinic manager, 020 7946 0000.", "Was out of 2–8 °C for 38 min, highest 9.4. The label entered allows 2 h (warm); 1 h 22 min left.", "ask"}},
		"quarantined": {BatchState{Verdict: Quarantined, Reasons: []Reason{{Rule: "warm", At: at("2026-05-04 03:00"), Text: "above 8 °C for 2h in all"}}}, &fridge,
			Words{"DO NOT USE", "Leave it cold and marked. Do not throw it away. Ask the clinic manager, 020 7946 0000.", "Above 8 °C for 2h in all, 4 May 03:00.", "stop"}},
		"quarantined without data": {BatchState{Verdict: Quarantined, Reasons: []Reason{{Rule: RuleUnmonitored, At: at("2026-05-04 02:47"), Text: "30m without temperature"}}}, &fridge,
			Words{"DO NOT USE: NOT KNOWN", "It may be good; a person must decide. Ask the clinic manager, 020 7946 0000.", "30m without temperature, 4 May 02:47.", "stop"}},
		"released, but no data now": {BatchState{Verdict: Released, Now: NowNoData}, &dark,
			Words{"WAIT", "Do not use yet. Ask the clinic manager, 020 7946 0000.", "No temperature for 12 min; last 5.1 °C.", "wait"}},
		"released": {BatchState{Verdict: Released, Now: NowInRange, Since: at("2026-05-05 09:10"), Exposure: Exposure{AboveS: 9000, MaxC: temp(8030)}}, &fridge,
			Words{"RELEASED", "A manager allowed its use on 5 May 09:10.", "Was out of 2–8 °C for 2 h 30 min, highest 8.03.", "ok"}},
		"unknown": {BatchState{Verdict: Unknown}, nil, Words{"DO NOT USE: NOT KNOWN", "Ask the clinic manager, 020 7946 0000.", "Nothing has been recorded of it yet.", "stop"}},
	} {
		c.b.Profile = profile
		if got := c.b.Words(r, c.u); got != c.want {
			t.Errorf("%s:\n got %+v\nwant %+v", name, got, c.want)
		}
	}
}

// No verdict and no present state but the good ones are told as good.
func TestNothingElseIsToldAsGood(t *testing.T) {
	r := Reader{Location: time.UTC}
	for _, v := range []Verdict{InRange, InExcursion, Quarantined, Released, Expired, Used, Discarded, Unknown} {
		for _, n := range []Now{NowInRange, NowTooWarm, NowTooCold, NowNoData, NowOutside, NowClockDoubtful} {
			b := BatchState{Verdict: v, Now: n}
			good := n == NowInRange && (v == InRange || v == Released)
			if w := b.Words(r, nil); (w.Tone == "ok") != good || w.Headline == "" {
				t.Errorf("%s, now %s: told as %+v", v, n, w)
			}
		}
	}
}

// A value beyond a limit is never shown as equal to it.
func TestDegrees(t *testing.T) {
	for _, c := range []struct {
		t    sensor.Temp
		want string
	}{{8000, "8.0"}, {8030, "8.03"}, {8001, "8.001"}, {7990, "7.99"}, {1999, "1.999"}, {9449, "9.4"}, {-20063, "-20.1"}, {5050, "5.1"}, {2000, "2.0"}} {
		if got := Degrees(c.t, 2000, 8000); got != c.want {
			t.Errorf("%d m°C: %q, want %q", c.t, got, c.want)
		}
	}
}
