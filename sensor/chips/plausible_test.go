package chips

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"coldkeep/sensor"
)

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

func shown(h *past, p sensor.Probe, t sensor.Temp, at time.Duration) sensor.Fault {
	fault, err := h.judge(p, t, t, noon.Add(at))
	if (fault == "") != (err == nil) {
		panic("a fault needs its cause")
	}
	return fault
}

// A single value from elsewhere is a disturbance, one that stays is not.
func TestAJumpIsBelievedWhenItStays(t *testing.T) {
	p := sensor.Probe{Chip: "ds18b20", Medium: sensor.Buffered}
	var h past
	for i, c := range []struct {
		temp sensor.Temp
		want sensor.Fault
	}{
		{5000, ""}, {5500, ""}, {127_000 - 42_000, sensor.FaultSlope}, {5400, ""}, // one alone
		{60_000, sensor.FaultSlope}, {-20_000, sensor.FaultSlope}, {5300, ""}, // two that do not agree
		{22_000, sensor.FaultSlope}, {22_300, ""}, {22_100, ""}, // carried out into the room
	} {
		if got := shown(&h, p, c.temp, time.Duration(i)*10*time.Second); got != c.want {
			t.Errorf("value %d, %s: %q, want %q", i, c.temp, got, c.want)
		}
	}
	// After an hour of silence anything can be.
	if got := shown(&h, p, -20_000, time.Hour); got != "" {
		t.Errorf("after an hour: %q", got)
	}
}

func TestAValueThatNeverMovesIsFrozen(t *testing.T) {
	for chip, frozen := range map[string]time.Duration{"ds18b20": 24 * time.Hour, "tmp117": 6 * time.Hour} {
		p := sensor.Probe{Chip: chip, Medium: sensor.Buffered}
		var h past
		for at := time.Duration(0); at < frozen+time.Hour; at += time.Minute {
			want := sensor.Fault("")
			if at >= frozen {
				want = sensor.FaultFrozen
			}
			if got := shown(&h, p, 5000, at); got != want {
				t.Fatalf("%s after %v: %q, want %q", chip, at, got, want)
			}
		}
		if got := shown(&h, p, 5100, frozen+time.Hour); got != "" {
			t.Errorf("%s moves again: %q", chip, got)
		}
	}
}

func TestTheStatedRange(t *testing.T) {
	p := sensor.Probe{Chip: "max31865", Medium: sensor.Air, Limits: sensor.Plausible{Low: -100_000, High: 40_000, Slope: 5_000, Frozen: time.Hour}}
	for temp, want := range map[sensor.Temp]sensor.Fault{-100_000: "", -100_001: sensor.FaultOutOfRange, 40_000: "", 40_001: sensor.FaultOutOfRange, -196_000: sensor.FaultOutOfRange} {
		var h past
		if got := shown(&h, p, temp, 0); got != want {
			t.Errorf("%s: %q, want %q", temp, got, want)
		}
	}
}

// Whatever happens, a value that stays is believed at its second coming, unless
// it is outside the stated range.
func TestWhatStaysIsBelieved(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := sensor.Probe{Chip: "mcp9808", Medium: rapid.SampledFrom([]sensor.Medium{sensor.Buffered, sensor.Air, sensor.Ambient}).Draw(t, "medium")}
		var h past
		at := time.Duration(0)
		for range rapid.IntRange(0, 20).Draw(t, "before") {
			shown(&h, p, sensor.Temp(rapid.Int32Range(-40_000, 125_000).Draw(t, "temp")), at)
			at += time.Duration(rapid.IntRange(1, 600).Draw(t, "seconds")) * time.Second
		}
		v := sensor.Temp(rapid.Int32Range(-39_000, 124_000).Draw(t, "stays"))
		shown(&h, p, v, at)
		if got := shown(&h, p, v+sensor.Temp(rapid.Int32Range(-1000, 1000).Draw(t, "noise")), at+10*time.Second); got != "" {
			t.Fatalf("%s came twice and is %q", v, got)
		}
	})
}

// A clock that is set back makes no jump of a quiet probe.
func TestAClockThatRunsBack(t *testing.T) {
	p := sensor.Probe{Chip: "ds18b20", Medium: sensor.Buffered}
	var h past
	shown(&h, p, 5000, time.Hour)
	if got := shown(&h, p, 5500, 0); got != "" {
		t.Errorf("an hour back: %q", got)
	}
}
