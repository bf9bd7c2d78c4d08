package coldchain

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"coldkeep/sensor"
)

// The rows of the table about what is opened, demanded, recalled or waits.
func TestWordsOfTheWholeLife(t *testing.T) {
	london, err := time.LoadLocation("Europe/London")
	if err != nil {
		t.Fatal(err)
	}
	now := at("2026-05-05 09:14") // 10:14 there
	r := Reader{Now: now, Location: london, Ask: "the clinic manager"}
	mixed := at("2026-05-05 08:05")
	fridge := &UnitState{Unit: Unit{ID: "f1", Range: Range{2000, 8000}}}
	profile := Profile{Range: Range{2000, 8000}, InUse: 4 * time.Hour}
	good := BatchState{Verdict: InRange, Now: NowInRange, Since: at("2026-05-02 10:36"), Profile: profile}
	with := func(b BatchState, change func(*BatchState)) BatchState { change(&b); return b }
	opened := with(good, func(b *BatchState) { b.OpenedAt = &mixed })
	stored := "In 2–8 °C since it came on 2 May."
	lastDay := at("2026-05-12 23:00") // the end of 12 May there
	for name, c := range map[string]struct {
		b    BatchState
		want Words
	}{
		"opened, in time": {opened, Words{"USE BY 13:05 TODAY", "Mixed 09:05; the label says 4 h.", stored, "ok"}},
		"opened, until tomorrow": {with(opened, func(b *BatchState) { b.Profile.InUse = 24 * time.Hour }),
			Words{"USE BY 09:05 TOMORROW", "Mixed 09:05; the label says 24 h.", stored, "ok"}},
		"opened, until another day": {with(opened, func(b *BatchState) { b.Profile.InUse = 72 * time.Hour }),
			Words{"USE BY 09:05 ON 8 MAY", "Mixed 09:05; the label says 3 d.", stored, "ok"}},
		"opened, and the label gives no time": {with(opened, func(b *BatchState) { b.Profile.InUse = 0 }),
			Words{"ASK FIRST", "The clinic manager.", "Mixed 09:05; the label entered does not say for how long it may be used then. " + stored, "ask"}},
		"opened and released": {with(opened, func(b *BatchState) { b.Verdict, b.Since = Released, at("2026-05-05 08:10") }),
			Words{"USE BY 13:05 TODAY", "Mixed 09:05; the label says 4 h.", "A manager allowed its use on 5 May 09:10. Was out of 2–8 °C for 0 s.", "ok"}},
		"opened, and out": {with(opened, func(b *BatchState) { b.Now, b.OutsideSince = NowOutside, &mixed }),
			Words{"OUT OF THE FRIDGE, 1 H 9 MIN", "Put it back or use it.", "Mixed 09:05; use by 13:05 today.", "wait"}},
		"opened, out, over": {with(opened, func(b *BatchState) {
			b.Now, b.OutsideSince, b.Profile.InUse = NowOutside, &mixed, time.Hour
		}), Words{"OUT OF THE FRIDGE, 1 H 9 MIN", "Put it back. Do not use it yet. Ask the clinic manager.", "Mixed 09:05; its time ended 10:05.", "wait"}},
		"open too long": {with(opened, func(b *BatchState) { b.Verdict, b.Profile.InUse = Expired, time.Hour }),
			Words{"DO NOT USE: OPEN TOO LONG", "Ask the clinic manager.", "Mixed 09:05, limit 1 h, ended 10:05.", "stop"}},
		"open too long, and the loop has not come to it": {with(opened, func(b *BatchState) { b.Profile.InUse = time.Hour }),
			Words{"DO NOT USE: OPEN TOO LONG", "Ask the clinic manager.", "Mixed 09:05, limit 1 h, ended 10:05.", "stop"}},
		"open too long, by another day": {with(opened, func(b *BatchState) {
			y := at("2026-05-04 08:05")
			b.Verdict, b.OpenedAt = Expired, &y
		}), Words{"DO NOT USE: OPEN TOO LONG", "Ask the clinic manager.", "Mixed 4 May 09:05, limit 4 h, ended 4 May 13:05.", "stop"}},
		"its last day came first": {with(opened, func(b *BatchState) {
			b.Verdict, b.Profile.InUse, b.Expiry, b.ExpiresAt = Expired, time.Hour, "2026-05-04", at("2026-05-04 23:00")
		}), Words{"DO NOT USE: EXPIRED", "Ask the clinic manager.", "Last day was 2026-05-04.", "stop"}},
		"released until a day": {with(good, func(b *BatchState) { b.Verdict, b.Since, b.SignedUseByAt = Released, at("2026-05-05 08:10"), lastDay }),
			Words{"RELEASED", "A manager allowed its use on 5 May 09:10. Use by 12 May.", "Was out of 2–8 °C for 0 s.", "ok"}},
		"that day is over": {with(good, func(b *BatchState) {
			over := at("2026-05-04 23:00")
			b.Verdict, b.SignedUseByAt = Expired, over
		}), Words{"DO NOT USE: EXPIRED", "Ask the clinic manager.", "A manager allowed its use until 4 May.", "stop"}},
		"papers missing": {with(good, func(b *BatchState) {
			b.Missing, b.Origin = []PaperKind{PaperCertificate, PaperOrigin}, &Origin{Maker: "M", Product: "P", Source: "human"}
		}), Words{"WAIT: PAPERS MISSING", "Do not use yet. Ask the clinic manager.", "Papers are missing: certificate of analysis; where it comes from (tissue). " + stored, "wait"}},
		"papers missing, and out": {with(good, func(b *BatchState) { b.Missing, b.Now, b.OutsideSince = []PaperKind{PaperLabel}, NowOutside, &mixed }),
			Words{"OUT OF THE FRIDGE, 1 H 9 MIN", "Put it back. Do not use it yet. Ask the clinic manager.", "Papers are missing: label.", "wait"}},
		"recalled": {with(good, func(b *BatchState) {
			b.Verdict, b.Reasons = Quarantined, []Reason{{Rule: RuleRecall, At: at("2026-05-04 08:00"), Text: "lot 0412 was recalled: by its maker"}}
		}), Words{"DO NOT USE: RECALLED", "Leave it cold and marked. Do not throw it away. Ask the clinic manager.", "Lot 0412 was recalled: by its maker, 4 May 09:00.", "stop"}},
		"came warm, and a release waits": {with(good, func(b *BatchState) {
			b.Verdict, b.Reasons = Quarantined, []Reason{{Rule: RuleReceipt, At: at("2026-05-04 08:00"), Text: "its vials came warm"}}
			b.Proposal = &Proposal{Decision: "release", By: "Anna Example", At: at("2026-05-05 08:00")}
			b.Missing = []PaperKind{PaperDecision}
		}), Words{"DO NOT USE", "Leave it cold and marked. Do not throw it away. Ask the clinic manager.",
			"Anna Example proposed on 5 May 09:00 to release it: a second person must sign. Its vials came warm, 4 May 09:00. Papers are missing: maker's decision.", "stop"}},
		"clock": {with(opened, func(b *BatchState) { b.Now = NowClockDoubtful }), Words{"WAIT: CLOCK NOT SET", "Ask the clinic manager.", "Expiry not checked. Mixed 09:05; use by 13:05 today.", "wait"}},
	} {
		if got := c.b.words(r, fridge); got != c.want {
			t.Errorf("%s:\n got %+v\nwant %+v", name, got, c.want)
		}
	}
}

// Whatever else is known of a batch, it is never told as good unless verdict
// and present state are, no paper is missing, and none of its ends is over.
func TestNothingIsToldAsGoodThatIsNot(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := sensor.Instant(1_800_000_000_000)
		near := rapid.SampledFrom([]sensor.Instant{0, now - 1, now, now + 1, now + 86_400_000})
		b := BatchState{
			Verdict: rapid.SampledFrom([]Verdict{InRange, InExcursion, Quarantined, Released, Expired, Used, Discarded, Unknown}).Draw(t, "verdict"),
			Now:     rapid.SampledFrom([]Now{NowInRange, NowTooWarm, NowTooCold, NowNoData, NowOutside, NowClockDoubtful}).Draw(t, "now"),
			Missing: rapid.SliceOfN(rapid.SampledFrom([]PaperKind{PaperCertificate, PaperOrigin}), 0, 2).Draw(t, "missing"),
			Profile: Profile{Range: Range{2000, 8000}, InUse: rapid.SampledFrom([]time.Duration{0, time.Second, time.Hour}).Draw(t, "in use")},
		}
		if x := near.Draw(t, "opened"); x != 0 {
			b.OpenedAt = &x
		}
		b.SignedUseByAt = near.Draw(t, "use by")
		b.ExpiresAt = near.Draw(t, "expires")
		if rapid.Bool().Draw(t, "proposed") {
			b.Proposal = &Proposal{Decision: "release", By: "x"}
		}
		over := b.ExpiresAt != 0 && b.ExpiresAt <= now || b.SignedUseByAt != 0 && b.SignedUseByAt <= now || b.OpenedAt != nil && (b.Profile.InUse == 0 || b.OpenedAt.Add(b.Profile.InUse) <= now)
		good := b.Now == NowInRange && (b.Verdict == InRange || b.Verdict == Released) && len(b.Missing) == 0 && !over
		w := b.Words(Reader{Now: now, Location: time.UTC}, nil)
		if (w.Tone == "ok") != good || w.Headline == "" {
			t.Fatalf("good %v, told as %+v", good, w)
		}
		for _, word := range []string{"STORAGE RECORD OK", "RELEASED", "USE BY"} {
			if strings.HasPrefix(w.Headline, word) && !good {
				t.Fatalf("told as %+v", w)
			}
		}
	})
}

// What else is known of a batch, line by line; what is not is left out.
func TestFacts(t *testing.T) {
	r := Reader{Now: at("2026-05-05 09:14"), Location: time.UTC}
	mixed, until, from := at("2026-05-05 08:05"), at("2026-05-06 00:00"), at("2026-05-02 10:36")
	b := BatchState{Vials: 9, FromBatch: "EX-0412", Stage: InUse, OpenedAt: &mixed, SignedUseByAt: until, RecordFrom: &from,
		Profile:  Profile{InUse: 40 * time.Hour, Thaw: Thaw{For: time.Minute}, Rules: []Rule{{ID: "thaw", FreezeThaw: true, Cycles: 2}, {ID: "warm", Limit: Limit{Side: Above, At: 8000}, Total: 2 * time.Hour}}},
		Exposure: Exposure{FreezeThawAtLeast: 1, FreezeThawCycles: 3}, Origin: &Origin{Maker: "A Maker", Source: "human", Tissue: "adipose tissue"},
		Arrival: &Arrival{Logger: "none", State: "frozen", Ice: "left", Parcel: "whole"}, Before: []Spent{{Rule: "warm", S: 1200}, {Rule: "thaw", Cycles: 1}},
		Proposal: &Proposal{Decision: "release", By: "Anna Example", At: at("2026-05-05 08:00"), Reason: "the maker allows it", MakerRef: "R-7"}}
	b.NewerProfile, b.ProfileID = true, "p"
	b.Decisions = []Signed{{Decision: DecideRelease, Proposed: true, By: "Anna Example", At: at("2026-05-04 08:00"), Reason: "short", Rules: []string{"warm", "cold"}},
		{Decision: DecideDiscard, By: "Ben Example", At: at("2026-05-05 08:30"), Reason: "spilled", MakerRef: "R-8"}}
	want := []Fact{{"Vials", "9 left"}, {"Split off", "EX-0412"}, {"Stage", "in use"},
		{"Use by", "5 May, as allowed by whoever released it"}, {"Frozen and thawed", "at least 1 time, perhaps 3; the label entered allows 2 times"},
		{"Comes from", "A Maker; human cells, adipose tissue"}, {"Not told", "product"}, {"When it came", "no logger, vials frozen hard, ice left, parcel whole"},
		{"Before its record", "warm 20 min (above 8 °C for 2h in all); thaw 1 cycle (" + b.Profile.Rules[0].Text() + ")"},
		{"Label", "the config has a newer revision of p; this batch keeps the one that it was received under"},
		{"Decided", "4 May 08:00: Anna Example proposes that it may be used (warm, cold): short"}, {"Decided", "5 May 08:30: Ben Example decides that it is discarded: spilled (maker's reference R-8)"},
		{"Waits for a second signature", "Anna Example proposed on 5 May 08:00 to release it: the maker allows it (maker's reference R-7)"}}
	if got := b.Facts(r); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if got := b.RecordText(r); got != "Record since 2 May 10:36; before that: only what was told when it came." {
		t.Error(got)
	}
	none := BatchState{RecordFrom: &from}
	if got := none.Facts(r); len(got) != 0 {
		t.Errorf("of nothing: %q", got)
	}
	if got := none.RecordText(r); got != "Record since 2 May 10:36; before that: none." {
		t.Error(got)
	}
	for _, c := range []struct {
		least, most int
		want        string
	}{{0, 0, "not since its record began"}, {0, 1, "perhaps 1 time"}, {0, 2, "perhaps 2 times"}, {1, 1, "1 time"}, {2, 2, "2 times"}, {1, 3, "at least 1 time, perhaps 3"}} {
		x := BatchState{Profile: Profile{Thaw: Thaw{For: time.Minute}}, Exposure: Exposure{FreezeThawAtLeast: c.least, FreezeThawCycles: c.most}}
		if got := x.thawText(); got != c.want {
			t.Errorf("%d to %d: %q, want %q", c.least, c.most, got, c.want)
		}
	}
}

// What stands on a vial is by the site's clocks, and names its day.
func TestWhatStandsOnAVial(t *testing.T) {
	london, err := time.LoadLocation("Europe/London")
	if err != nil {
		t.Fatal(err)
	}
	r := Reader{Now: at("2026-05-05 09:14"), Location: london}
	mixed, midnight := at("2026-05-05 08:05"), at("2026-05-05 23:00")
	for _, c := range []struct {
		b    BatchState
		want *VialText
	}{
		{BatchState{}, nil},
		{BatchState{OpenedAt: &mixed, Profile: Profile{InUse: 4 * time.Hour}}, &VialText{"USE BY 13:05", "5 May, mixed 09:05"}},
		{BatchState{OpenedAt: &mixed, Profile: Profile{InUse: 28 * time.Hour}}, &VialText{"USE BY 13:05", "6 May, mixed 5 May 09:05"}},
		{BatchState{OpenedAt: &mixed}, &VialText{"OPENED 09:05", "5 May"}},
		{BatchState{OpenedAt: &mixed, SignedUseByAt: midnight}, &VialText{"OPENED 09:05", "5 May"}},
		{BatchState{OpenedAt: &mixed, SignedUseByAt: midnight, Profile: Profile{InUse: 28 * time.Hour}}, &VialText{"USE BY 23:59", "5 May, mixed 09:05"}},
	} {
		if got := c.b.VialText(r); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%+v, want %+v", got, c.want)
		}
	}
}

// An origin is whole when it names maker, product and source, and of cells the
// tissue too.
func TestAnOriginIsWhole(t *testing.T) {
	for _, c := range []struct {
		o    *Origin
		want string
		text string
	}{
		{nil, "maker product source", ""},
		{&Origin{}, "maker product source", ""},
		{&Origin{Maker: "M", Product: "P", Source: "plant"}, "", "P; M; plant"},
		{&Origin{Maker: "M", Product: "P", Source: "plant", Tissue: "fruit"}, "", "P; M; plant, fruit"},
		{&Origin{Maker: "M", Product: "P", Source: "animal"}, "tissue", "P; M; animal cells"},
		{&Origin{Maker: "M", Product: "P", Source: "human", Tissue: "umbilical cord"}, "", "P; M; human cells, umbilical cord"},
		{&Origin{Tissue: "fruit"}, "maker product source", "fruit"},
	} {
		if got := strings.Join(c.o.Lacks(), " "); got != c.want {
			t.Errorf("%+v lacks %q, want %q", c.o, got, c.want)
		}
		if got := c.o.Text(); got != c.text {
			t.Errorf("%+v is told as %q, want %q", c.o, got, c.text)
		}
	}
}
