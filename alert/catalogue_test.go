package alert

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestEveryLanguageSaysEverything holds the shipped languages against English:
// the same keys, with the same placeholders.
func TestEveryLanguageSaysEverything(t *testing.T) {
	all := NewCatalogues()
	en := all.For("en")
	for _, lang := range shipped[1:] {
		data, err := wordFiles.ReadFile("words/" + lang + ".yaml")
		if err != nil {
			t.Fatal(err)
		}
		// With nothing to stand on, what is missing stays missing.
		c, err := readCatalogue(lang, data, func(string) *Catalogue { return nil })
		if err != nil {
			t.Fatal(err)
		}
		if c.Language != lang || c.decimal == "" || len(c.weekdays) != 7 || len(c.months) != 12 {
			t.Errorf("%s: language %q, decimal sign %q, %d weekdays, %d months", lang, c.Language, c.decimal, len(c.weekdays), len(c.months))
		}
		for key, p := range en.phrases {
			q, ok := c.phrases[key]
			switch {
			case !ok:
				t.Errorf("%s does not say %s", lang, key)
			case !maps.Equal(placeholders(p.other), placeholders(q.other)):
				t.Errorf("%s: %s has %v, and not %v", lang, key, placeholders(q.other), placeholders(p.other))
			case (p.one == nil) != (q.one == nil):
				t.Errorf("%s: %s has one and other in one language only", lang, key)
			}
		}
		for key := range c.phrases {
			if !en.has(key) {
				t.Errorf("%s says %s, which English does not", lang, key)
			}
		}
	}
}

// TestNoPlaceForPatients lists all that a message can tell: nothing about a
// person but the names of those who are called.
func TestNoPlaceForPatients(t *testing.T) {
	want := strings.Fields(`answers apart ask at bad batch batches calls cant channel clock count day days ended first going guard high hours how last last_at left low minutes month
		n names probes range refuge rest room second since site span stated status temp text took total trend unit units until usual vials weekday what who within zone`)
	got := map[string]bool{}
	for _, p := range NewCatalogues().For("en").phrases {
		maps.Copy(got, placeholders(p.other))
		maps.Copy(got, placeholders(p.one))
	}
	if list := slices.Sorted(maps.Keys(got)); !slices.Equal(list, want) {
		t.Errorf("messages tell\n%v\nand should\n%v", list, want)
	}
}

var keyInSource = regexp.MustCompile(`"([a-z_]+(?:\.[a-z_]*)*)"`)

// TestEveryPhraseIsSaid ensures that a translator translates nothing in vain,
// and that the program asks for no phrase that is not there.
func TestEveryPhraseIsSaid(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	said := map[string]bool{}
	for _, f := range files {
		if strings.HasSuffix(f, "_test.go") {
			continue
		}
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range keyInSource.FindAllStringSubmatch(string(data), -1) {
			said[m[1]] = true
		}
	}
	en := NewCatalogues().For("en")
	parts := []string{".inside", ".blind", ".back", ".short", ".now"} // put behind a key
	for key := range en.phrases {
		base := key
		for _, p := range parts {
			base = strings.TrimSuffix(base, p)
		}
		begin := base[:strings.LastIndexByte("."+base, '.')]
		if !said[key] && !said[base] && (begin == "" || !said[begin+"."] && !said[begin]) {
			t.Errorf("nothing says %s", key)
		}
	}
	for _, k := range []Kind{TooWarm, TooCold, NoData, MainsLost, BatchLost, BatchSoon, BatchFlagged, Undeliverable, Unanswered, PeerSilent, Storage, Clock, RotaGap, Calibration, ProbeLost, ProbesDisagree, CheckMissed, Expiry, Removed, DoorOpen, Drill, Other} {
		for _, begin := range []string{"trouble.", "was."} {
			if !en.has(begin + string(k)) {
				t.Errorf("there is no phrase %s%s", begin, k)
			}
		}
	}
	for k, keys := range conditionSteps {
		for _, key := range keys {
			if !en.has(key) {
				t.Errorf("%s: there is no phrase %s", k, key)
			}
		}
	}
}

// TestReadCatalogue changes a few words, and keeps all others.
func TestReadCatalogue(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ours.yaml")
	file := "language: de\nphrases:\n  headline: 'ACHTUNG: {what}!'\n  loss.first: {one: \"Ein Röhrchen {at}, in {left}.\", other: \"{n} Röhrchen {at}, in {left}.\"}\n"
	if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := LoadCatalogue(path)
	if err != nil {
		t.Fatal(err)
	}
	all := NewCatalogues()
	all.Add(c)
	title, _ := all.For("de-AT").Compose(page(warm(warmFridge())), "", nil, "")
	if want := "ACHTUNG: FRIDGE 1 ZU WARM 9,4 °C (2–8), steigt! 12 Röhrchen 02:31, in 19 min."; title != want {
		t.Errorf("%q, want %q", title, want)
	}
	if title, _ := NewCatalogues().For("de").Compose(page(warm(warmFridge())), "", nil, ""); strings.Contains(title, "Röhrchen") {
		t.Errorf("a clinic's words changed those that are shipped: %q", title)
	}
	// A language that is not shipped is English where it says nothing.
	fr, err := ReadCatalogue([]byte("language: fr\ndecimal: ','\nphrases:\n  trouble.too_warm: \"{UNIT} TROP CHAUD {temp} °C[ ({range})][, {trend}]\"\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if title, _ := fr.Compose(page(warm(warmFridge())), "", nil, ""); title != "FRIDGE 1 TROP CHAUD 9,4 °C (2–8), rising. First 12 vials over their limit 02:31, in 19 min." {
		t.Errorf("%q", title)
	}
	if _, err := LoadCatalogue(path + "x"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	for lang, want := range map[string]string{"": "en", "fr": "en", "DE": "de", "de-CH": "de"} {
		if got := NewCatalogues().For(lang).Language; got != want {
			t.Errorf("For(%q) speaks %s, want %s", lang, got, want)
		}
	}
}

// TestBadCatalogues ensures that what is wrong is told with its place and what
// would be right, all at once.
func TestBadCatalogues(t *testing.T) {
	for _, c := range []struct{ file, want string }{
		{"", "catalogue:1:1: the file is empty; it needs `language:` and `phrases:`"},
		{"phrases: {}\n", "catalogue:1:1: the language is missing: language: de"},
		{"language: Deutsch!\n", `catalogue:1:11: "Deutsch!" is no language; en, de or pt-BR are`},
		{"- en\n", "catalogue:1:1: this must be a mapping with the keys language, decimal, weekdays, months, phrases"},
		{"language: de\nwords: {}\n", `catalogue:2:1: unknown key "words"; known here are language, decimal, weekdays, months, phrases`},
		{"language: de\nlanguage: en\n", `catalogue:2:1: "language" stands in line 1 already: take one of them out`},
		{"language: de\ndecimal: ';'\n", `catalogue:2:10: ";" is no decimal sign; "." and "," are`},
		{"language: de\nweekdays: [So, Mo]\n", "catalogue:2:11: weekdays must be a list of 7 names: [ …, … ]"},
		{"language: de\nphrases:\n  may_freez: \"x\"\n", `catalogue:3:3: there is no text with the key "may_freez"; words/en.yaml has them all`},
		{"language: de\nphrases:\n  loss.frist: \"x\"\n", `catalogue:3:3: there is no text with the key "loss.frist"; there are loss.about, `},
		{"language: de\nphrases:\n  body.next: \"Dann {who}.\"\n", "catalogue:3:14: body.next: {clock} is missing: this text must tell it"},
		{"language: de\nphrases:\n  body.next: \"Dann {who} {clock} in {unit}.\"\n", "catalogue:3:14: body.next: {unit} is not known here; known are {clock} and {who}"},
		{"language: de\nphrases:\n  may_freeze: \"{n} frieren.\"\n", "catalogue:3:15: may_freeze: {n} is not known here: this text has no placeholders"},
		{"language: de\nphrases:\n  body.out: \"Seit {since}, {span}, {trend}.\"\n", "catalogue:3:13: body.out: {trend} is not always known: put it and the words about it in [ ]"},
		{"language: de\nphrases:\n  body.next: \"Dann {who {clock}.\"\n", "catalogue:3:14: body.next: {who {clock} is no placeholder: a name of letters stands between { and }, as in {unit}"},
		{"language: de\nphrases:\n  body.next: \"Dann {who} {clock\"\n", "catalogue:3:14: body.next: a { has no }"},
		{"language: de\nphrases:\n  body.next: \"Dann [{who} {clock}\"\n", "catalogue:3:14: body.next: a [ has no ]"},
		{"language: de\nphrases:\n  body.next: \"Dann {who}] {clock}\"\n", "catalogue:3:14: body.next: a ] stands without its ["},
		{"language: de\nphrases:\n  body.next: \"Dann {who} clock}\"\n", "catalogue:3:14: body.next: a } stands without its {"},
		{"language: de\nphrases:\n  body.next: \"[Dann ]{who} {clock}\"\n", "catalogue:3:14: body.next: [Dann ] holds no placeholder, so that it would never be left out: write it without [ ]"},
		{"language: de\nphrases:\n  body.next: \"Dann {Who} {clock}\"\n", "catalogue:3:14: body.next: {Who} is no placeholder"},
		{"language: de\nphrases:\n  body.next: {who} {clock}\n", "catalogue:3:"},
		{"language: de\nphrases:\n  body.next: {one: \"a\", other: \"b\"}\n", "body.next does not depend on a number: write one text in quotes"},
		{"language: de\nphrases:\n  more.units: {one: \"noch eins\"}\n", "catalogue:3:3: more.units has no form other: that is the one for 0, 2 and more"},
		{"language: de\nphrases:\n  more.units: {one: \"a\", few: \"b {n}\", other: \"c {n}\"}\n", `more.units has no form "few": one and other are`},
		{"language: de\nphrases:\n  more.units: {one: \"a\", other: \"c\"}\n", "more.units.other: {n} is missing"},
		{"language: de\nphrases:\n  must_look:\n", "must_look has no text: write one in quotes, or leave the key out"},
		{"language: de\nphrases:\n  must_look: \"a  b\"\n", `must_look must be one line with single spaces; this would be right: "a b"`},
		{"language: de\nphrases:\n  must_look: \"" + strings.Repeat("lang ", 50) + "\"\n", "must_look has 249 characters; 200 are the most"},
		{"language: de\nphrases:\n  must_look: [a]\n", "must_look must be a text: one that begins with { or [ needs quotes around it"},
		{"language: de\nphrases:\n  answer.cant: \", ,\"\n", "answer.cant must have at least one word"},
		{"language: de\nphrases: 7\n", "phrases must be a mapping: a key, a colon and a text in quotes on each line"},
		{"language: de\n---\nlanguage: en\n", "a second document begins here; there must be one only"},
		{"language: \"de\n", "this is no YAML"},
	} {
		cat, err := ReadCatalogue([]byte(c.file), nil)
		var list CatalogueErrors
		if cat != nil || !errors.As(err, &list) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q:\n%v\nwant\n%s", c.file, err, c.want)
		}
	}
	_, err := ReadCatalogue([]byte("language: de\nphrases:\n  nothing: \"x\"\n  body.ask: \"Fragen\"\n  headline: \"{waht}\"\n"), nil)
	var list CatalogueErrors
	if errors.As(err, &list); len(list) != 4 { // the last line has two: a wrong one, and one that is missing
		t.Errorf("not everything that is wrong was told at once: %v", err)
	}
}

func FuzzReadCatalogue(f *testing.F) {
	for _, lang := range shipped {
		data, err := wordFiles.ReadFile("words/" + lang + ".yaml")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(data))
	}
	f.Add("language: de\nphrases:\n  body.next: {who} {clock}\n")
	f.Add("language: de\nphrases:\n  more.units: {one: \"[{n}\", other: *x}\n")
	f.Add("language: de\nweekdays: &a [*a, 1, ~, {}, !!str x, |\n a]\n")
	letters := letters()
	f.Fuzz(func(t *testing.T, file string) {
		c, err := ReadCatalogue([]byte(file), nil)
		if (c == nil) != (err != nil) {
			t.Fatal(c, err)
		}
		if err != nil {
			if strings.TrimSpace(err.Error()) == "" {
				t.Error("an error without words")
			}
			return
		}
		for _, x := range letters {
			title, body := c.Compose(x.t, x.site, time.UTC, x.ask)
			if title == "" || runes(title) > titleMost || runes(title)+1+runes(body) > messageMost || strings.Contains(title, "\n") {
				t.Errorf("%s: %d characters, %d in all: %q", x.name, runes(title), runes(title)+1+runes(body), title)
			}
		}
		for _, k := range replyKinds {
			if s := c.Reply(Reply{Kind: k, Who: "Anna Example"}); s == "" || runes(s) > replyMost {
				t.Errorf("reply %s: %q", k, s)
			}
		}
	})
}

var replyKinds = []ReplyKind{ReplyYours, ReplyTaken, ReplyOver, ReplyOld, ReplyNext, ReplyUnrecorded, ReplyUnclear, ReplyStatus, ReplyDrill}

// TestReplies holds what people are answered against a file.
func TestReplies(t *testing.T) {
	london, err := time.LoadLocation("Europe/London")
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, lang := range shipped {
		c := NewCatalogues().For(lang)
		fmt.Fprintf(&b, "# %s: buttons, how to answer, its words\n%s\n%s\n%s\n\n", lang, strings.Join(quoted(c.Buttons(30)), " "), c.HowToAnswer(), c.AnswerWords())
		for _, k := range replyKinds {
			for _, r := range []Reply{{Kind: k}, {Kind: k, Who: "Cora Muster", Until: at(3, 42), Now: at(3, 12), Took: 3 * time.Minute, Location: london}, {Kind: k, Who: strings.Repeat("Cora Muster ", 30), Until: at(3, 42), Now: at(3, 42).AddDate(0, 0, -2), Took: 80 * time.Minute, Location: london}} {
				s := c.Reply(r)
				fmt.Fprintf(&b, "%s: %s\n", k, s)
				if runes(s) > replyMost || s == "" || strings.ContainsAny(s, "{}[]") {
					t.Errorf("%s %s: %q", lang, k, s)
				}
			}
		}
		b.WriteString("\n")
	}
	path := filepath.Join("testdata", "replies.txt")
	got := strings.TrimSpace(b.String()) + "\n"
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("replies are\n%s\nand not\n%s", got, want)
	}
}

func quoted(list [3]string) (out []string) {
	for _, s := range list {
		out = append(out, "["+s+"]")
	}
	return out
}
