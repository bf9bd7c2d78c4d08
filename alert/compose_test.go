package alert

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var (
	anyKind    = []Kind{TooWarm, TooCold, NoData, MainsLost, BatchLost, BatchSoon, BatchFlagged, Undeliverable, Unanswered, PeerSilent, Storage, Clock, RotaGap, Calibration, ProbeLost, ProbesDisagree, CheckMissed, Expiry, Removed, DoorOpen, Drill, Other, "new_kind"}
	anyPurpose = []Purpose{Page, Notice, Taken, Turning, Worse, Progress, AllClear, Status, Test, Tested}
	anyWord    = []string{"Fridge", "Freezer", "room", "Clinic", "of", "the", "Ä", "Vaccination", "Regenerative", "Example", "Kühlschrank", "2nd", "floor", "N°"}
)

func drawName(t *rapid.T, label string, most int) string {
	n := rapid.IntRange(0, most).Draw(t, label+" words")
	var words []string
	for i := range n {
		words = append(words, rapid.SampledFrom(anyWord).Draw(t, fmt.Sprint(label, i)))
	}
	return strings.Join(words, " ")
}

// drawTime gives a time about three in the morning, or none.
func drawTime(t *rapid.T, label string) time.Time {
	switch rapid.IntRange(0, 4).Draw(t, label+" known") {
	case 0:
		return time.Time{}
	case 1:
		return three.Add(time.Duration(rapid.IntRange(-400, 400).Draw(t, label)) * time.Hour)
	}
	return three.Add(time.Duration(rapid.IntRange(-600, 600).Draw(t, label)) * time.Minute)
}

func drawUnit(t *rapid.T, i int) *Unit {
	u := &Unit{ID: fmt.Sprintf("u%d", i), Range: rapid.SampledFrom([]string{"2–8 °C", "-90 to -60 °C", "2.5–7.5 °C", ""}).Draw(t, "range"), Since: drawTime(t, "since"), Trend: rapid.IntRange(-1, 1).Draw(t, "trend")}
	if name := drawName(t, "unit", 5); name != "" {
		u.Name = fmt.Sprintf("%s %d", name, i)
	}
	u.Frozen = strings.HasPrefix(u.Range, "-")
	if rapid.Bool().Draw(t, "known") {
		u.Milli = int64(rapid.IntRange(-90000, 30000).Draw(t, "milli"))
		u.Temp = fmt.Sprintf("%.1f", float64(u.Milli)/1000)
		u.Beyond = int64(rapid.IntRange(-1, 1).Draw(t, "beyond")) * 1234
	} else {
		u.LastTemp, u.LastAt = rapid.SampledFrom([]string{"", "5.1"}).Draw(t, "last"), drawTime(t, "last at")
	}
	for j := range rapid.IntRange(0, 12).Draw(t, "batches") {
		u.Batches = append(u.Batches, Batch{ID: fmt.Sprintf("EX-%dA%d", i, j), Vials: rapid.IntRange(0, 40).Draw(t, "vials"), LostAt: drawTime(t, "lost at"), Lost: rapid.Bool().Draw(t, "lost"), Flagged: rapid.Bool().Draw(t, "flagged")})
	}
	return u
}

func drawTelling(t *rapid.T) Telling {
	x := Telling{Purpose: rapid.SampledFrom(anyPurpose).Draw(t, "purpose"), Now: three, Again: rapid.Bool().Draw(t, "again"), Lapse: rapid.SampledFrom([]Lapse{"", PromisePassed, Worsened, AboutToBeLost, ShelfEnded, GivenBack}).Draw(t, "lapse"),
		Who: drawName(t, "who", 4), Until: drawTime(t, "until"), Folded: rapid.IntRange(0, 3).Draw(t, "folded"), Took: time.Duration(rapid.IntRange(0, 500).Draw(t, "took")) * time.Minute, Within: time.Duration(rapid.IntRange(0, 30).Draw(t, "within")) * time.Minute}
	for i := range rapid.IntRange(0, 12).Draw(t, "lines") {
		l := Line{Kind: rapid.SampledFrom(anyKind).Draw(t, "kind"), Severity: Critical, Since: drawTime(t, "line since"), Ended: drawTime(t, "ended"),
			Text: rapid.SampledFrom([]string{"", "above 8 °C for 10m", "at or below 2.5 °C for 2h in all within 7d", "no temperature for more than 10m", "without temperature for 30m in all", "pi-2 is not heard", strings.Repeat("a long story ", 20)}).Draw(t, "text"), Channel: rapid.SampledFrom([]string{"", "ntfy", "the long name of a channel that somebody chose"}).Draw(t, "channel")}
		if rapid.IntRange(0, 5).Draw(t, "of a unit") > 0 {
			l.Unit = drawUnit(t, i)
			if len(l.Unit.Batches) > 0 && rapid.Bool().Draw(t, "of a batch") {
				l.Batch = l.Unit.Batches[0].ID
			}
		}
		x.Lines = append(x.Lines, l)
	}
	for i := range rapid.IntRange(0, 6).Draw(t, "called") {
		x.Called = append(x.Called, Call{drawName(t, fmt.Sprint("call", i), 4), drawTime(t, "call")})
	}
	if rapid.Bool().Draw(t, "next") {
		x.Next = &Call{drawName(t, "next", 4), drawTime(t, "next")}
	}
	for i := range rapid.IntRange(0, 20).Draw(t, "status") {
		x.Status = append(x.Status, *drawUnit(t, i))
	}
	return x
}

// bareKey is a phrase's key that stands in a message in the place of words.
var bareKey = regexp.MustCompile(`\b[a-z]+(_[a-z]+)+|\b[a-z]+\.[a-z_]+\b`)

// checkWords are the laws of every message.
func checkWords(t interface{ Errorf(string, ...any) }, what, title, body string) {
	all := title + "\n" + body
	switch {
	case title == "":
		t.Errorf("%s: a title of nothing", what)
	case runes(title) > titleMost:
		t.Errorf("%s: a title of %d characters: %s", what, runes(title), title)
	case runes(all) > messageMost:
		t.Errorf("%s: %d characters", what, runes(all))
	}
	for _, bad := range []string{"  ", "%!", "{", "}", "[", "]", "\n\n", " .", " ,", "..", ",.", ":.", ": ,", ";.", "()", "<nil>", "0001", "unknown"} {
		if strings.Contains(all, bad) {
			t.Errorf("%s: %q stands in\n%s", what, bad, all)
		}
	}
	if key := bareKey.FindString(all); key != "" {
		t.Errorf("%s: no words for %s in\n%s", what, key, all)
	}
	if lines := strings.Split(all, "\n"); slices.ContainsFunc(lines, func(s string) bool { return strings.TrimSpace(s) != s }) {
		t.Errorf("%s: a space at the end of a line in\n%s", what, all)
	}
}

// TestEveryTellingHasWords tells random troubles in both languages: nothing
// is too long, empty or left unfilled, whatever is not known.
func TestEveryTellingHasWords(t *testing.T) {
	all := NewCatalogues()
	rapid.Check(t, func(t *rapid.T) {
		x := drawTelling(t)
		site, ask := drawName(t, "site", 8), drawName(t, "ask", 6)
		for _, lang := range shipped {
			title, body := all.For(lang).Compose(x, site, time.UTC, ask)
			checkWords(t, lang, title, body)
			w := &composer{Catalogue: all.For(lang), t: x, site: site, ask: ask, loc: time.UTC}
			if w.title(); w.cut {
				t.Errorf("%s: the title was cut although its words are our own: %s", lang, title)
			}
			if !strings.HasSuffix(body, "UTC.") && !x.Again {
				t.Errorf("%s: the end is missing:\n%s", lang, body)
			}
			if x.Again && strings.Contains(title, all.For(lang).say("body.again", nil)) || x.Again != strings.HasSuffix(body, all.For(lang).say("body.again", nil)) {
				t.Errorf("%s: a repeat is said at the end of the body, and only there:\n%s\n%s", lang, title, body)
			}
		}
	})
}

// TestEveryUnitIsNamed ensures that of units that are in trouble together none
// is left out.
func TestEveryUnitIsNamed(t *testing.T) {
	all := NewCatalogues()
	rapid.Check(t, func(t *rapid.T) {
		x := drawTelling(t)
		x.Purpose = rapid.SampledFrom([]Purpose{Page, Notice, AllClear, Taken, Progress, Worse}).Draw(t, "about units")
		for i := range x.Lines {
			if x.Lines[i].Unit == nil {
				x.Lines[i].Unit = drawUnit(t, i)
			}
		}
		for _, lang := range shipped {
			title, body := all.For(lang).Compose(x, "Clinic A", time.UTC, "")
			text := strings.ToUpper(title + "\n" + body)
			w := &composer{Catalogue: all.For(lang), t: x, loc: time.UTC}
			for i := range x.Lines {
				if name := w.name(x.Lines[i].Unit); len(x.Lines) > 1 && !strings.Contains(text, strings.ToUpper(name)) {
					t.Errorf("%s: %s is not named in\n%s\n%s", lang, name, title, body)
				}
			}
		}
	})
}

// TestWhatIsLostFirstIsSaid ensures that the batch that is lost first stands
// in the title where the names have a usual length.
func TestWhatIsLostFirstIsSaid(t *testing.T) {
	all := NewCatalogues()
	rapid.Check(t, func(t *rapid.T) {
		u := drawUnit(t, 1)
		u.Name, u.Temp, u.Milli, u.Beyond, u.Range, u.Frozen = "Fridge 12", "10.62", 10620, 2620, "2–8 °C", false
		first := Batch{ID: "EX-0412", Vials: rapid.IntRange(0, 100).Draw(t, "first vials"), LostAt: three.Add(time.Duration(rapid.IntRange(1, 600).Draw(t, "first left")) * time.Minute)}
		for i := range u.Batches {
			u.Batches[i].LostAt = first.LostAt.Add(time.Duration(i+1) * time.Minute)
		}
		u.Batches = append([]Batch{first}, u.Batches...)
		for _, lang := range shipped {
			title, body := all.For(lang).Compose(Telling{Purpose: Page, Now: three, Lines: []Line{warm(u)}}, "Clinic North", time.UTC, "")
			clock := first.LostAt.Format("15:04")
			if !strings.Contains(title, clock) || !strings.Contains(title, all.For(lang).span(first.LostAt.Sub(three))) || !strings.Contains(body, "EX-0412") {
				t.Errorf("%s: %s and how long that is are missing in\n%s\n%s", lang, clock, title, body)
			}
		}
	})
}

// TestFrozenVialsStayFrozen ensures that a page about a fridge and a freezer
// sends nobody to the fridge with frozen vials.
func TestFrozenVialsStayFrozen(t *testing.T) {
	for _, lines := range [][]Line{{warm(warmFridge()), warm(freezer())}, {warm(freezer()), warm(warmFridge())}, {warm(freezer())}} {
		_, body := NewCatalogues().For("en").Compose(page(lines...), "Clinic A", time.UTC, "")
		if !strings.Contains(body, "vials to a fridge.") || !strings.Contains(body, "o not move") {
			t.Errorf("it is not said that frozen vials must not be moved to a fridge:\n%s", body)
		}
	}
}

// TestManyUnitsAreCounted ensures that of more units than fit, those left out
// are counted.
func TestManyUnitsAreCounted(t *testing.T) {
	x := Telling{Purpose: Page, Now: three}
	for i := range 60 {
		u := warmFridge()
		u.ID, u.Name = fmt.Sprint("u", i), fmt.Sprintf("Cold room of the regenerative ward, fridge %d", i+1)
		x.Lines = append(x.Lines, warm(u))
		x.Status = append(x.Status, *u)
	}
	for _, p := range []Purpose{Page, Status, AllClear} {
		x.Purpose = p
		title, body := NewCatalogues().For("en").Compose(x, "Clinic A", time.UTC, "")
		checkWords(t, string(p), title, body)
		named := strings.Count(body, "\nCold room")
		if strings.HasPrefix(body, "Cold room") {
			named++
		}
		if want := fmt.Sprintf("And %d more of these.", 60-named); named < 10 || !strings.Contains(body, want) {
			t.Errorf("%s: %d units are named, and it does not say %q:\n%s", p, named, want, body)
		}
	}
}

// TestBeyondIsNeverShownAsEqual ensures that a temperature is told with all
// its decimals.
func TestBeyondIsNeverShownAsEqual(t *testing.T) {
	u := warmFridge()
	u.Temp, u.Milli, u.Beyond = "8.003", 8003, 3
	for lang, want := range map[string]string{"en": " 8.003 °C (2–8)", "de": " 8,003 °C (2–8)"} {
		if title, _ := NewCatalogues().For(lang).Compose(page(warm(u)), "Clinic A", time.UTC, ""); !strings.Contains(title, want) {
			t.Errorf("%s: %q does not say %q", lang, title, want)
		}
	}
}

// TestTimes ensures that times and spans are told as people at the site would.
func TestTimes(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	en, de := NewCatalogues().For("en"), NewCatalogues().For("de")
	w := &composer{Catalogue: de, t: Telling{Now: three}, loc: berlin}
	for _, c := range []struct {
		after time.Duration
		want  string
	}{{0, "04:12"}, {-5 * time.Hour, "23:12"}, {30 * time.Hour, "Mi 10:12"}, {-40 * time.Hour, "So 12:12"}, {30 * 24 * time.Hour, "4. Juni 04:12"}} {
		if got := w.clock(three.Add(c.after)); got != c.want {
			t.Errorf("%s from now is %q, want %q", c.after, got, c.want)
		}
	}
	for d, want := range map[time.Duration]string{-time.Hour: "less than 1 min", 59 * time.Second: "less than 1 min", 19*time.Minute + 59*time.Second: "19 min", 82 * time.Minute: "1 h 22 min", 2 * time.Hour: "2 h", 47 * time.Hour: "47 h", 76 * time.Hour: "3 d 4 h", 72 * time.Hour: "3 d"} {
		if got := en.span(d); got != want {
			t.Errorf("span of %s is %q, want %q", d, got, want)
		}
	}
	// The night when clocks go back has two o'clock twice: the zone tells them apart.
	now := time.Date(2026, 10, 25, 1, 30, 0, 0, time.UTC)
	if _, body := de.Compose(Telling{Purpose: Page, Now: now, Lines: []Line{{Kind: Other}}}, "", berlin, ""); !strings.HasSuffix(body, "So 02:30 CET.") {
		t.Errorf("%q", body)
	}
}

// TestRules ensures that rules are told in the language, and one that is not
// known as it is.
func TestRules(t *testing.T) {
	en, de := NewCatalogues().For("en"), NewCatalogues().For("de")
	for _, c := range []struct{ text, en, de string }{
		{"above 8 °C for 10m", "above 8 °C for 10 min", "über 8 °C für 10 min"},
		{"at or below -20.5 °C", "at or below -20.5 °C", "bei oder unter -20,5 °C"},
		{"above 8 °C for 2h30m in all within 7d", "above 8 °C for 2 h 30 min in all within 7 d", "über 8 °C für zusammen 2 h 30 min binnen 7 d"},
		{"mean kinetic temperature above 8 °C over 30d", "mean kinetic temperature above 8 °C over 30 d", "mittlere kinetische Temperatur über 8 °C binnen 30 d"},
		{"no temperature for more than 10m", "no temperature for more than 10 min", "keine Temperatur für mehr als 10 min"},
		{"30m without temperature", "no temperature for 30 min", "keine Temperatur für 30 min"},
		{"without temperature for 30m in all within 24h", "no temperature for 30 min in all within 24 h", "keine Temperatur für zusammen 30 min binnen 24 h"},
		{"above 8 °C for 90s", "above 8 °C for 90s", "über 8 °C für 90s"},
		{"the box is open", "the box is open", "the box is open"},
	} {
		if got := en.rule(c.text); got != c.en {
			t.Errorf("%q is %q, want %q", c.text, got, c.en)
		}
		if got := de.rule(c.text); got != c.de {
			t.Errorf("%q is %q, want %q", c.text, got, c.de)
		}
	}
}
