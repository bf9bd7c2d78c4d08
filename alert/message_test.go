package alert

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write testdata/messages anew; then read them as someone who was asleep")

// at is a time of the night of Tuesday, 5 May 2026 in London.
func at(hour, minute int) time.Time {
	return time.Date(2026, 5, 5, hour-1, minute, 0, 0, time.UTC)
}

func warmFridge() *Unit {
	return &Unit{ID: "fridge-1", Name: "Fridge 1", Range: "2–8 °C", Temp: "9.4", Milli: 9400, Beyond: 1400, Trend: 1, Since: at(2, 57), Batches: []Batch{
		{ID: "EX-0412", Vials: 12, LostAt: at(3, 31)}, {ID: "EX-0413", Vials: 8, LostAt: at(4, 2)}}}
}

func freezer() *Unit {
	return &Unit{ID: "freezer-1", Name: "Freezer", Range: "-90 to -60 °C", Frozen: true, Temp: "-58.5", Milli: -58500, Beyond: 1500, Trend: 1, Since: at(2, 50), Batches: []Batch{
		{ID: "EX-0390", Vials: 40, LostAt: at(4, 10)}}}
}

func silentFridge() *Unit {
	return &Unit{ID: "fridge-1", Name: "Fridge 1", Range: "2–8 °C", Since: at(3, 2), LastTemp: "5.1", LastAt: at(3, 2), Batches: []Batch{{ID: "EX-0412", Vials: 12, LostAt: at(3, 32)}}}
}

func goodFridge() *Unit {
	return &Unit{ID: "fridge-2", Name: "Fridge 2", Range: "2–8 °C", Temp: "4.6", Milli: 4600, Batches: []Batch{{ID: "EX-0420", Vials: 30}}}
}

func warm(u *Unit) Line {
	return Line{Kind: TooWarm, Severity: Critical, Unit: u, Text: "above 8 °C for 10m", Since: at(3, 7)}
}

func page(lines ...Line) Telling { return Telling{Purpose: Page, Now: at(3, 12), Lines: lines} }

// A letter is a Telling and what is known about the site, under the name of
// the file that holds its words.
type letter struct {
	name string
	t    Telling
	site string
	ask  string
}

func called(t Telling) Telling {
	t.Called = []Call{{"Anna Example", at(3, 7)}}
	t.Next = &Call{"Ben Sample", at(3, 17)}
	return t
}

// letters are what the clinic of the tests is told.
func letters() (list []letter) {
	const ask = "the clinic manager, ext. 100"
	add := func(name string, t Telling) { list = append(list, letter{name, t, "Clinic A", ask}) }
	add("page-too-warm", called(page(warm(warmFridge()))))
	add("page-repeated", func() Telling { t := called(page(warm(warmFridge()))); t.Again = true; return t }())
	add("page-too-cold", called(page(Line{Kind: TooCold, Severity: Critical, Text: "below 2 °C for 10m", Since: at(3, 7), Unit: &Unit{ID: "fridge-1", Name: "Fridge 1", Range: "2–8 °C", Temp: "0.8", Milli: 800, Beyond: -1200, Trend: -1, Since: at(2, 57),
		Batches: []Batch{{ID: "EX-0412", Vials: 12, Lost: true, Text: "below 2 °C"}}}})))
	add("page-too-cold-some-lost", page(Line{Kind: TooCold, Severity: Critical, Text: "below 2 °C for 10m", Since: at(3, 7), Unit: &Unit{ID: "fridge-1", Name: "Fridge 1", Range: "2–8 °C", Temp: "0.8", Milli: 800, Beyond: -1200, Since: at(2, 57),
		Batches: []Batch{{ID: "EX-0412", Vials: 12, Lost: true}, {ID: "EX-0413", Vials: 1, LostAt: at(3, 31)}}}}))
	add("page-frozen", called(page(Line{Kind: TooWarm, Severity: Critical, Unit: freezer(), Text: "above -60 °C for 20m", Since: at(3, 10)})))
	add("page-no-data", called(page(Line{Kind: NoData, Severity: Critical, Unit: silentFridge(), Text: "no temperature for more than 10m", Since: at(3, 12)})))
	add("page-no-data-frozen", page(Line{Kind: NoData, Severity: Critical, Unit: &Unit{ID: "f", Name: "Freezer", Range: "-90 to -60 °C", Frozen: true, Since: at(3, 2), LastTemp: "-71.5", LastAt: at(3, 2)}, Text: "no temperature for more than 10m", Since: at(3, 12)}))
	add("page-too-warm-then-silent", page(Line{Kind: TooWarm, Severity: Critical, Unit: silentFridge(), Text: "above 8 °C for 10m", Since: at(2, 57)}))
	add("page-inside-again", page(Line{Kind: TooWarm, Severity: Critical, Text: "above 8 °C for 30m in all within 1d", Since: at(3, 7), Unit: &Unit{ID: "fridge-1", Name: "Fridge 1", Range: "2–8 °C", Temp: "7.9", Milli: 7900, Trend: -1}}))
	add("page-just-beyond", page(Line{Kind: TooWarm, Severity: Critical, Text: "above 8 °C for 10m", Since: at(3, 7), Unit: &Unit{ID: "fridge-1", Name: "Fridge 1", Range: "2–8 °C", Temp: "8.03", Milli: 8030, Beyond: 30, Since: at(2, 57)}}))
	mains := []Line{{Kind: MainsLost, Severity: Critical, Text: "mains power is lost", Since: at(3, 2)}, warm(warmFridge()), {Kind: TooWarm, Severity: Critical, Unit: freezer(), Since: at(3, 10)}, {Kind: MainsLost, Severity: Critical, Unit: goodFridge(), Since: at(3, 2)},
		{Kind: MainsLost, Severity: Critical, Unit: &Unit{ID: "fridge-3", Name: "Fridge 3", Range: "2–8 °C", Temp: "5.5", Milli: 5500, Trend: 1, Batches: []Batch{{ID: "EX-0430", Vials: 6, LostAt: at(5, 40)}}}, Since: at(3, 2)}}
	add("page-power-out", called(page(mains...)))
	add("page-power-out-some-units", page(Line{Kind: MainsLost, Severity: Critical, Since: at(3, 2), Text: "mains power is lost: Treatment room fridge, Back room freezer"}))
	add("page-own-alarm", page(Line{Kind: Other, Severity: Critical, Unit: freezer(), Since: at(3, 2), Text: "the unit raises its own alarm"}))
	add("page-power-out-one-unit", page(Line{Kind: MainsLost, Severity: Critical, Unit: goodFridge(), Since: at(3, 2), Text: "mains power is lost"}))
	second := warmFridge()
	second.ID, second.Name, second.Temp, second.Batches = "fridge-2", "Fridge 2", "8.9", []Batch{{ID: "EX-0420", Vials: 30, LostAt: at(4, 30)}}
	add("page-two-units", called(page(warm(warmFridge()), warm(second))))
	add("page-folded", func() Telling { t := page(warm(warmFridge()), warm(second)); t.Folded = 7; t.Again = true; return t }())
	lost := warmFridge()
	lost.Batches[0] = Batch{ID: "EX-0412", Vials: 12, Lost: true, Text: "above 8 °C for 30m in all"}
	add("page-batch-lost", called(page(Line{Kind: BatchLost, Severity: Critical, Unit: lost, Batch: "EX-0412", Text: "above 8 °C for 30m in all", Since: at(3, 12)})))
	add("page-batch-soon", called(page(Line{Kind: BatchSoon, Severity: Critical, Unit: warmFridge(), Batch: "EX-0412", Text: "30 min of its allowance are left", Since: at(3, 12)})))
	add("page-undeliverable", page(Line{Kind: Undeliverable, Severity: Critical, Channel: "ntfy", Text: "ntfy takes no messages: 6 tries since 02:57", Since: at(2, 57)}))
	add("page-peer-silent", page(Line{Kind: PeerSilent, Severity: Critical, Text: "pi-2 is not heard", Since: at(3, 2)}))
	add("page-other", page(Line{Kind: Other, Severity: Critical, Text: "the box is open", Since: at(3, 2)}))
	lapse := func(l Lapse, who string) Telling {
		u := warmFridge()
		u.Temp, u.Milli, u.Beyond, u.Trend = "10.6", 10600, 2600, 1
		u.Batches = []Batch{{ID: "EX-0412", Vials: 12, Lost: true}, {ID: "EX-0413", Vials: 8, LostAt: at(4, 2)}}
		t := page(warm(u))
		t.Now, t.Lapse, t.Who, t.Until = at(3, 43), l, who, at(3, 38)
		t.Called = []Call{{"Anna Example", at(3, 7)}, {"Ben Sample", at(3, 17)}, {"Cora Muster", at(3, 18)}, {"Anna Example", at(3, 43)}}
		return t
	}
	moves := func(u *Unit, list ...Move) Telling {
		u.Sought, u.Moves = true, list
		return called(page(warm(u)))
	}
	add("page-move", moves(warmFridge(), Move{To: "Fridge 2", Temp: "4.6", Room: 40, Batches: []string{"EX-0412", "EX-0413"}}))
	add("page-move-apart", moves(warmFridge(), Move{To: "Fridge 2", Temp: "4.6", Room: 15, Batches: []string{"EX-0412"}}, Move{To: "Fridge 3", Temp: "5.1", Room: 2, Boxes: true, Batches: []string{"EX-0413"}}))
	add("page-move-some", moves(warmFridge(), Move{To: "Fridge 2", Temp: "4.6", Batches: []string{"EX-0413"}}))
	add("page-move-nowhere", moves(warmFridge()))
	add("page-move-frozen", moves(freezer(), Move{To: "Freezer 2", Temp: "-71.5", Room: 60, Batches: []string{"EX-0390"}}))
	add("page-move-frozen-nowhere", moves(freezer()))
	add("page-promise-passed", lapse(PromisePassed, "Cora Muster"))
	add("page-promise-of-nobody-passed", lapse(PromisePassed, ""))
	add("page-worsened", lapse(Worsened, "Cora Muster"))
	add("page-about-to-be-lost", lapse(AboutToBeLost, "Cora Muster"))
	add("page-shelf-ended", lapse(ShelfEnded, "Cora Muster"))
	add("page-given-back", lapse(GivenBack, "Cora Muster"))
	still := page(Line{Kind: NoData, Severity: Critical, Unit: silentFridge(), Text: "no temperature for more than 10m", Since: at(3, 12)})
	still.Lapse, still.Who, still.Until, still.Now = PromisePassed, "Cora Muster", at(3, 30), at(3, 30)
	add("page-promise-passed-no-data", still)
	out := page(mains...)
	out.Lapse, out.Who, out.Until, out.Now = PromisePassed, "Cora Muster", at(3, 30), at(3, 30)
	add("page-promise-passed-power", out)
	now := func(p Purpose) Telling {
		t := page(warm(warmFridge()))
		t.Purpose, t.Now, t.Who, t.Until = p, at(3, 20), "Cora Muster", at(3, 42)
		return t
	}
	add("taken", now(Taken))
	taken := page(mains...)
	taken.Purpose, taken.Who, taken.Until = Taken, "Cora Muster", at(3, 42)
	add("taken-power", taken)
	add("progress", now(Progress))
	turning := now(Turning)
	turning.Lines[0].Unit.Trend, turning.Lines[0].Unit.Temp = -1, "8.6"
	add("turning", turning)
	worse := now(Worse)
	worse.Lines[0].Unit.Temp = "12.1"
	add("worse", worse)
	clear := func(night bool) Telling {
		l := warm(&Unit{ID: "fridge-1", Name: "Fridge 1", Range: "2–8 °C", Temp: "6.9", Milli: 6900, Trend: -1, Batches: []Batch{{ID: "EX-0413", Vials: 8, Lost: true}, {ID: "EX-0412", Vials: 12, Flagged: true}}})
		l.Since, l.Ended = at(2, 57), at(3, 40)
		t := page(l)
		t.Purpose, t.Now = AllClear, at(3, 41)
		if !night {
			t.Now = at(11, 5)
		}
		t.Called = []Call{{"Anna Example", at(3, 7)}, {"Ben Sample", at(3, 17)}}
		return t
	}
	add("all-clear", clear(true))
	add("all-clear-by-day", clear(false))
	over := page(mains...)
	over.Purpose, over.Now = AllClear, at(4, 30)
	over.Lines = slices.Clone(over.Lines)
	for i := range over.Lines {
		l := &over.Lines[i]
		l.Ended = at(4, 25)
		if l.Unit != nil {
			u := *l.Unit
			u.Since, u.Beyond, u.Trend = time.Time{}, 0, 0
			u.Temp = map[bool]string{false: "5.2", true: "-61.5"}[u.Frozen]
			l.Unit = &u
		}
	}
	add("all-clear-power", over)
	silent := page(Line{Kind: NoData, Unit: goodFridge(), Since: at(2, 57), Ended: at(3, 11)})
	silent.Purpose = AllClear
	add("all-clear-no-data", silent)
	two := page(Line{Kind: TooWarm, Unit: goodFridge(), Since: at(2, 57), Ended: at(3, 11)}, Line{Kind: NoData, Unit: &Unit{ID: "f3", Name: "Fridge 3", Temp: "5.0", Range: "2–8 °C"}, Since: at(2, 59), Ended: at(3, 10)})
	two.Purpose = AllClear
	add("all-clear-two-units", two)
	gone := page(Line{Kind: Undeliverable, Channel: "ntfy", Since: at(2, 57), Ended: at(3, 11)})
	gone.Purpose = AllClear
	add("all-clear-channel", gone)
	peer := page(Line{Kind: PeerSilent, Text: "pi-2 is not heard", Since: at(2, 57), Ended: at(3, 11)})
	peer.Purpose = AllClear
	add("all-clear-peer", peer)
	add("status", Telling{Purpose: Status, Now: at(3, 12), Status: []Unit{*goodFridge(), *warmFridge(), *freezer(), {ID: "fridge-3", Name: "Fridge 3", Range: "2–8 °C", Since: at(3, 2), LastTemp: "5.1", LastAt: at(3, 2)}}})
	add("status-good", Telling{Purpose: Status, Now: at(3, 12), Status: []Unit{*goodFridge()}})
	add("test", Telling{Purpose: Test, Now: at(3, 12), Within: 10 * time.Minute, Next: &Call{"Ben Sample", at(3, 17)}})
	add("tested", Telling{Purpose: Tested, Now: at(3, 15), Took: 3 * time.Minute, Who: "Anna Example"})
	notice := func(k Kind, l Line) {
		l.Kind, l.Severity = k, Warning
		add("notice-"+strings.ReplaceAll(string(k), "_", "-"), Telling{Purpose: Notice, Now: at(9, 0), Lines: []Line{l}})
	}
	notice(BatchFlagged, Line{Unit: goodFridge(), Batch: "EX-0420", Text: "above 8 °C", Since: at(3, 2)})
	notice(Unanswered, Line{Text: "a drill was not answered within 10 min", Since: at(3, 2)})
	notice(Storage, Line{Text: "no space left on the disk", Since: at(3, 2)})
	notice(Clock, Line{Text: "the clock is not disciplined", Since: at(3, 2)})
	notice(RotaGap, Line{Text: "rota nights: nobody from Sat 9 May 20:00 to Sun 10 May 08:00"})
	notice(Calibration, Line{Unit: goodFridge(), Text: "probe f2-top is due on 12 May 2026"})
	notice(ProbeLost, Line{Unit: goodFridge(), Text: "no temperature from probe f2-top for more than 10m", Since: at(3, 2)})
	notice(ProbesDisagree, Line{Unit: goodFridge(), Text: "probes f2-top (4.1 °C) and f2-vial (6.9 °C) disagree by 2.8 °C; 2 is stated", Since: at(3, 2)})
	notice(CheckMissed, Line{Unit: goodFridge(), Text: "the check of 4 May was not done"})
	notice(Expiry, Line{Unit: goodFridge(), Batch: "EX-0420", Text: "it expires on 12 May 2026"})
	notice(Removed, Line{Unit: &Unit{ID: "fridge-9"}, Text: "this unit is no longer in the config, but batches are in it: nobody watches them", Since: at(3, 2)})
	notice(DoorOpen, Line{Unit: goodFridge(), Text: "the door is open for more than 5m", Since: at(8, 52)})
	add("page-rota-gap", page(Line{Kind: RotaGap, Severity: Critical, Text: "rota nights: nobody from Sat 9 May 20:00 to Sun 10 May 08:00"}))

	list = append(list, letter{"page-long-names", func() Telling {
		u := warmFridge()
		u.Name = "Vaccination and treatment room, second floor, fridge 1"
		return called(page(warm(u)))
	}(), "Example Street Clinic for Regenerative Medicine", ask})
	var many []Line
	for i := range 12 {
		u := warmFridge()
		u.ID, u.Name = fmt.Sprintf("f%d", i), fmt.Sprintf("Store room fridge number %d", i+1)
		for j := range u.Batches {
			u.Batches[j].ID = fmt.Sprintf("EX-%d%d", i, j)
			u.Batches[j].LostAt = u.Batches[j].LostAt.Add(time.Duration(i) * time.Minute)
		}
		many = append(many, warm(u))
	}
	add("page-twelve-units", called(page(many...)))
	list = append(list, letter{"page-nothing-known", Telling{Purpose: Page, Now: at(3, 12), Lines: []Line{{Kind: TooWarm, Unit: &Unit{ID: "fridge-1"}}}}, "", ""})
	return list
}

// TestMessages holds the words against files that are read by people: each
// shows a message as English and as German.
func TestMessages(t *testing.T) {
	london, err := time.LoadLocation("Europe/London")
	if err != nil {
		t.Fatal(err)
	}
	all := NewCatalogues()
	var files []string
	for _, x := range letters() {
		t.Run(x.name, func(t *testing.T) {
			var out bytes.Buffer
			for _, lang := range shipped {
				title, body := all.For(lang).Compose(x.t, x.site, london, x.ask)
				fmt.Fprintf(&out, "# %s: title of %d characters, %d in all\n%s\n\n%s\n\n", lang, runes(title), runes(title)+1+runes(body), title, body)
			}
			path := filepath.Join("testdata", "messages", x.name+".txt")
			got := bytes.TrimSpace(out.Bytes())
			if *update {
				if err := os.WriteFile(path, append(got, '\n'), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(strings.TrimSpace(string(want)), string(got)); d != "" {
				t.Error(d)
			}
		})
		files = append(files, x.name+".txt")
	}
	there, err := os.ReadDir(filepath.Join("testdata", "messages"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range there {
		if !slices.Contains(files, f.Name()) {
			t.Errorf("testdata/messages/%s belongs to no test", f.Name())
		}
	}
}
