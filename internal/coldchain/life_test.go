package coldchain

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"coldkeep/sensor"
)

// lifeConfig is a freezer and a label with everything on it.
func lifeConfig() Config {
	return Config{
		Units: []Unit{{ID: "f", Range: Range{-25000, -15000}, MaxGap: 20 * time.Minute, Probes: []UnitProbe{{ID: "p", Judges: true, Medium: sensor.Buffered}}}},
		Profiles: []Profile{{ID: "l", Range: Range{-25000, -15000}, Confirm: 9 * time.Hour, Outside: Outside{DefaultOutsideAs, 9 * time.Hour}, Unmonitored: 9 * time.Hour, DeltaH: DefaultDeltaH,
			Thaw: Thaw{-10000, DefaultThawFor, DefaultThawOutside}, InUse: 4 * time.Hour, Stages: []StageRange{{InUse, Range{-25000, 25000}}},
			Rules: []Rule{{ID: "warm", Limit: Limit{Side: Above, At: -15000}, Total: 2 * time.Hour, Stage: Storage}, {ID: "thaw", FreezeThaw: true, Cycles: 1}}}},
	}
}

// minutes after the record's beginning.
func minute(n int) ms { return ms(n) * 60_000 }

// live runs a life reading by reading, one in ten minutes, -20 °C but where
// temp says otherwise, and hands over all that was told.
func live(t *testing.T, l Life, end int, temp map[int]sensor.Temp) (*Evaluator, []Event) {
	t.Helper()
	e := New(lifeConfig(), minute(0))
	l.ID, l.Profile = "B", "l"
	if l.Placements == nil {
		l.Placements = []Placement{{Unit: "f", From: minute(0)}}
	}
	if err := e.AddLife(l); err != nil {
		t.Fatal(err)
	}
	for n := 0; n <= end; n += 10 {
		x, ok := temp[n]
		if !ok {
			x = -20000
		}
		e.Observe(sensor.Reading{Probe: "p", Time: minute(n), Temp: x})
		e.Tick(minute(n))
	}
	return e, e.Take()
}

func said(events []Event, kind Kind) (list []string) {
	for _, ev := range events {
		if ev.Kind == kind {
			list = append(list, fmt.Sprintf("%s %v", ev.Rule, time.Duration(ev.Time)*time.Millisecond))
		}
	}
	return list
}

// A rule on cycles says how often it was, at least and perhaps, and how often
// it may be.
func TestCyclesAreToldPlainly(t *testing.T) {
	out := func(pairs ...int) (list []Placement) {
		from := 0
		for i := 0; i < len(pairs); i += 2 {
			to := minute(pairs[i])
			list = append(list, Placement{"f", minute(from), &to})
			from = pairs[i+1]
		}
		return append(list, Placement{"f", minute(from), nil})
	}
	cases := map[string]struct {
		life     Life
		temp     map[int]sensor.Temp
		want     string
		doubtful bool
	}{
		"both certain": {Life{}, map[int]sensor.Temp{20: -9000, 50: -9000}, "thawed and frozen again 2 times; 1 is allowed", false},
		"one perhaps":  {Life{Placements: out(65, 70)}, map[int]sensor.Temp{20: -9000}, "thawed and frozen again at least 1 time, perhaps 2; 1 is allowed", true},
		"all perhaps":  {Life{Placements: out(15, 20, 65, 70)}, nil, "thawed and frozen again perhaps 2 times; 1 is allowed", true},
		"some before": {Life{Before: []Spent{{Rule: "thaw", Cycles: 1}}, Placements: out(65, 70)}, nil,
			"thawed and frozen again at least 1 time, perhaps 2; 1 is allowed (1 before its record)", true},
		"allowed anew": {Life{Before: []Spent{{Rule: "thaw", Cycles: 2}}, Dispositions: []Disposition{{At: minute(5), Allow: []Spent{{Rule: "thaw", Cycles: 1}}}}}, map[int]sensor.Temp{20: -9000, 50: -9000},
			"thawed and frozen again 2 times since the release; 1 is allowed", false},
	}
	for name, c := range cases {
		e, _ := live(t, c.life, 90, c.temp)
		b := e.Batches()[0]
		i := slices.IndexFunc(b.Reasons, func(r Reason) bool { return !r.Released })
		if i < 0 || b.Reasons[i].Text != c.want || b.Reasons[i].Doubtful != c.doubtful {
			t.Errorf("%s: %+v, want %q, doubtful %v", name, b.Reasons, c.want, c.doubtful)
			continue
		}
		w := b.Words(NewReader(Site{}, minute(90), time.UTC), nil)
		if !strings.Contains(w.Why, upper(c.want)) || strings.Contains(w.Why, "without data") {
			t.Errorf("%s: the page says %q", name, w.Why)
		}
	}
	for n, want := range map[int]string{0: "thawed and frozen again", 1: "thawed and frozen again more than 1 time", 2: "thawed and frozen again more than 2 times"} {
		if got := (Rule{FreezeThaw: true, Cycles: n}).Text(); got != want {
			t.Errorf("%d cycles allowed: %q, want %q", n, got, want)
		}
	}
}

// A batch that was open for too long is expired at the very instant: it is
// told, it quarantines nothing and raises no alarm of a quarantine, it must not
// be used, and a release does not answer it.
func TestOpenForTooLong(t *testing.T) {
	e, events := live(t, Life{OpenedAt: minute(60)}, 310, nil)
	b := e.Batches()[0]
	if b.Verdict != Expired || b.Since != minute(300) || b.Stage != InUse || b.OpenedAt == nil || *b.OpenedAt != minute(60) || b.UseByAt == nil || *b.UseByAt != minute(300) {
		t.Errorf("%+v", b)
	}
	const text = "open for longer than the 4h that the label allows"
	if len(b.Reasons) != 1 || b.Reasons[0] != (Reason{Rule: RuleInUse, At: minute(300), Text: text}) || !b.Reasons[0].Expires() {
		t.Errorf("%+v", b.Reasons)
	}
	if got := said(events, BatchExpired); !slices.Equal(got, []string{"in_use 5h0m0s"}) {
		t.Errorf("told %q", got)
	}
	for _, kind := range []Kind{BatchQuarantined, AlarmRaised} {
		if got := said(events, kind); got != nil {
			t.Errorf("%s %q", kind, got)
		}
	}
	for at, want := range map[ms][]string{minute(300) - 1: nil, minute(300): {text}} {
		if got := b.Blocked(at); !slices.Equal(got, want) {
			t.Errorf("at %s it is blocked by %q, want %q", at, got, want)
		}
	}
	if _, err := e.Order(Command{ID: "1", Name: "release", Batch: "B", By: "Anna Example", Reason: "r", At: minute(311)}); err == nil || !strings.Contains(err.Error(), "nothing to release") {
		t.Errorf("a release of what is not quarantined: %v", err)
	}
}

// A signer's last day ends the use as well, and a later signature may set
// another one.
func TestASignersLastDay(t *testing.T) {
	spent := []Spent{{Rule: "warm", S: 7200}}
	first := Disposition{At: minute(10), UseByAt: minute(60), UseBy: "2026-05-12"}
	e, events := live(t, Life{Before: spent, Dispositions: []Disposition{first}}, 70, nil)
	b := e.Batches()[0]
	if b.Verdict != Expired || b.Since != minute(60) || b.UseByAt == nil || *b.UseByAt != minute(60) || b.SignedUseBy != "2026-05-12" {
		t.Errorf("%+v", b)
	}
	if got := b.Blocked(minute(60)); !slices.Equal(got, []string{"its use was allowed until 2026-05-12"}) {
		t.Errorf("blocked by %q", got)
	}
	if got := said(events, BatchExpired); !slices.Equal(got, []string{"use_by 1h0m0s"}) {
		t.Errorf("told %q", got)
	}
	// Three hours above -15 °C spend what was allowed anew; the second release sets a later day.
	first.Allow = []Spent{{Rule: "warm", S: 600}}
	temp := map[int]sensor.Temp{30: -12000, 40: -12000, 50: -12000}
	second := Disposition{At: minute(70), UseByAt: minute(120), UseBy: "2026-06-01"}
	e, events = live(t, Life{Before: spent, Dispositions: []Disposition{first, second}}, 130, temp)
	b = e.Batches()[0]
	if b.Verdict != Expired || b.Since != minute(120) || b.SignedUseBy != "2026-06-01" {
		t.Errorf("%+v", b)
	}
	if got := said(events, BatchExpired); !slices.Equal(got, []string{"use_by 1h0m0s", "use_by 2h0m0s"}) {
		t.Errorf("told %q", got)
	}
	var texts []string
	for _, r := range b.Reasons {
		texts = append(texts, r.Text)
	}
	if want := []string{"above -15 °C in storage for 2h in all, 2h of it before its record", "above -15 °C in storage for 10m in all since the release", "its use was allowed until 2026-06-01"}; !slices.Equal(texts, want) {
		t.Errorf("reasons %q, want %q", texts, want)
	}
}

// A guard moves the ranges of stages with the label's other limits, and is
// said. The thaw point stays.
func TestAGuardMovesStages(t *testing.T) {
	p := lifeConfig().Profiles[0]
	g := p.WithGuard(500)
	if got, want := g.RangeIn(InUse), (Range{-24500, 24500}); got != want || p.Stages[0].Range != (Range{-25000, 25000}) {
		t.Errorf("in use %v, want %v; before it was %v", got, want, p.Stages[0].Range)
	}
	if g.LabelIn(InUse) != p.RangeIn(InUse) || g.RangeIn(Transport) != g.Range {
		t.Errorf("%+v", g)
	}
	if got, want := g.RangeTextIn(InUse), "-24.5 to 24.5 °C (the label's -25 to 25 °C less a guard of 0.5)"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if g.Thaw != p.Thaw {
		t.Errorf("the thaw point is %v, and was %v", g.Thaw, p.Thaw)
	}
}

// What cannot be meant of a rule is refused, with what would be right.
func TestWhatIsSpentIsChecked(t *testing.T) {
	p := lifeConfig().Profiles[0]
	p.Rules = append(p.Rules, Rule{ID: "hot", Limit: Limit{Side: Above, At: 0}}, Rule{ID: "day", Limit: Limit{Side: Above, At: -15000}, Total: time.Hour, Within: 24 * time.Hour})
	for want, list := range map[string][]Spent{
		"":                                   {{Rule: "warm", S: 60}, {Rule: "thaw", Cycles: 1}},
		"no rule tepid":                      {{Rule: "tepid", S: 60}},
		"hot, which sums nothing up":         {{Rule: "hot", S: 60}},
		"give their number, as thaw=1":       {{Rule: "thaw", S: 60}},
		"give a span, as warm=30m":           {{Rule: "warm", Cycles: 1}},
		"rule warm is given twice":           {{Rule: "warm", S: 60}, {Rule: "warm", S: 60}},
		"less than nothing":                  {{Rule: "warm", S: -60}},
		"rule day looks back over 24h":       {{Rule: "day", S: 90_000}},
		"what can be spent is of warm, thaw": {{Rule: "Warm", S: 60}},
	} {
		err := p.CheckSpent(list)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%+v: %v, want %q", list, err, want)
		}
	}
	p.Rules = nil
	if err := p.CheckSpent([]Spent{{Rule: "warm", S: 60}}); err == nil || !strings.Contains(err.Error(), "none of its rules") {
		t.Errorf("a label without rules: %v", err)
	}
}

// A revision that cannot tell what a batch had been through before is not
// adopted for it.
func TestARevisionThatForgetsIsNotAdopted(t *testing.T) {
	e, _ := live(t, Life{Before: []Spent{{Rule: "warm", S: 60}}}, 10, nil)
	cfg := lifeConfig()
	cfg.Profiles[0].Rules = cfg.Profiles[0].Rules[1:]
	if err := e.Reconfigure(minute(11), cfg); err != nil {
		t.Fatal(err)
	}
	_, err := e.Order(Command{ID: "1", Name: "adopt", Batch: "B", By: "Anna Example", Reason: "a new label", At: minute(12)})
	if err == nil || !strings.Contains(err.Error(), "has no rule warm") {
		t.Errorf("adopted: %v", err)
	}
	cfg.Profiles[0].Rules = append(cfg.Profiles[0].Rules, Rule{ID: "warm", Limit: Limit{Side: Above, At: -15000}, Total: time.Hour})
	if err := e.Reconfigure(minute(13), cfg); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Order(Command{ID: "2", Name: "adopt", Batch: "B", By: "Anna Example", Reason: "a new label", At: minute(14)}); err != nil {
		t.Error(err)
	}
}
