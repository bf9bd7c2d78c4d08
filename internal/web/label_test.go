package web

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"coldkeep/internal/coldchain"
	"coldkeep/sensor"
)

// lifeDesk has a batch of which a lot is known, and others that wait for a
// person.
func lifeDesk(t *testing.T) (d *desk, sha string) {
	d = newDesk()
	data := "<script>alert(1)</script> %PDF"
	sha, err := d.AddFile(t.Context(), []byte(data))
	if err != nil {
		t.Fatal(err)
	}
	now := sensor.At(time.Now())
	from, opened := now.Add(-72*time.Hour), now.Add(-time.Hour)
	b := &d.snap.Batches[0]
	b.Vials, b.FromBatch, b.Stage, b.OpenedAt, b.RecordFrom = 3, "EX-0", coldchain.InUse, &opened, &from
	b.Profile.InUse, b.Profile.Thaw = 4*time.Hour, coldchain.Thaw{For: time.Minute}
	b.Exposure.FreezeThawAtLeast, b.Exposure.FreezeThawCycles = 1, 3
	b.Origin = &coldchain.Origin{Maker: "A <Maker>", Product: "Exo", Source: "human", Tissue: "adipose tissue"}
	b.Decisions = []coldchain.Signed{{Decision: coldchain.DecideRelease, By: "Ben Example", ProposedBy: "Anna Example", At: opened, Rules: []string{"warm"}, UseBy: "2026-12-31", Reason: "the maker allows it", MakerRef: "R-7"}}
	b.Arrival = &coldchain.Arrival{Logger: "fine", State: "frozen"}
	b.Papers = []coldchain.Paper{{SHA256: sha, Name: `coa "übrig".pdf`, Kind: coldchain.PaperCertificate, Bytes: len(data), Checked: "Ben Example", At: from, By: "Anna Example"}}
	profile := coldchain.Profile{Range: coldchain.Range{Low: 2000, High: 8000}}
	d.snap.Batches = append(d.snap.Batches,
		coldchain.BatchState{ID: "EX-3", Unit: "fridge-1", Verdict: coldchain.Quarantined, Since: from, Profile: profile, Reasons: []coldchain.Reason{{Rule: coldchain.RuleReceipt, At: from, Text: "its vials came warm"}}},
		coldchain.BatchState{ID: "EX-4", Unit: "fridge-1", Verdict: coldchain.Quarantined, Since: from, Profile: profile, Proposal: &coldchain.Proposal{Decision: "release", By: "Anna Example", At: opened, Reason: "the maker allows it"}},
		coldchain.BatchState{ID: "EX-5", Unit: "fridge-1", Verdict: coldchain.InRange, Now: coldchain.NowInRange, Since: from, Profile: profile, Missing: []coldchain.PaperKind{coldchain.PaperLaboratory}},
		coldchain.BatchState{ID: "EX-6", Verdict: coldchain.Discarded, Ended: &opened, Since: opened, Profile: profile, Missing: []coldchain.PaperKind{coldchain.PaperLaboratory}})
	d.snap.Units[0].CountedAt, d.snap.Units[0].CountDue = from, now-1
	d.snap.Units[1].CountDue = now.Add(time.Hour)
	return d, sha
}

// The page of a batch tells of its whole life, and gives its papers under their
// own names as files to keep.
func TestTheLabelTellsTheWholeLife(t *testing.T) {
	d, sha := lifeDesk(t)
	srv := serve(t, d, false, "")
	page := get(t, srv.URL+"/b/ex-1", 200)
	for _, want := range []string{"<h1>✓ USE BY ", "the label says 4 h.", "<dt>Vials</dt><dd>3 left</dd>", "<dt>Split off</dt><dd>EX-0</dd>", "<dd>in use</dd>", "Ben Example approves, as Anna Example proposed, that it may be used (warm), until 2026-12-31: the maker allows it (maker&#39;s reference R-7)</dd>",
		"at least 1 time, perhaps 3", "Exo; A &lt;Maker&gt;; human cells, adipose tissue", "logger fine, vials frozen hard", "before that: only what was told when it came.",
		`<a href="/b/EX-1/papers/` + sha + `" download>coa &#34;übrig&#34;.pdf</a>: certificate of analysis, checked by Ben Example, attached `} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}
	if strings.Contains(page, "<Maker>") {
		t.Error("a name is not quoted")
	}
	for id, want := range map[string]string{"EX-5": "<h1>… WAIT: PAPERS MISSING</h1>", "EX-3": "Its vials came warm, ", "EX-4": "a second person must sign"} {
		if page := get(t, srv.URL+"/b/"+id, 200); !strings.Contains(page, want) {
			t.Errorf("%s lacks %q:\n%s", id, want, page)
		}
	}
	resp, err := http.Get(srv.URL + "/b/ex-1/papers/" + strings.ToUpper(sha))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 200 || string(data) != "<script>alert(1)</script> %PDF" {
		t.Errorf("%s: %q, %v", resp.Status, data, err)
	}
	if got := resp.Header.Get("Content-Disposition"); got != "attachment; filename*=utf-8''coa%20%22%C3%BCbrig%22.pdf" || resp.Header.Get("Content-Type") != "application/octet-stream" {
		t.Errorf("%q, %q", got, resp.Header.Get("Content-Type"))
	}
	// Of another batch it is no paper, though the record has the file.
	get(t, srv.URL+"/b/EX-2/papers/"+sha, 404)
	get(t, srv.URL+"/b/none/papers/"+sha, 404)
	get(t, srv.URL+"/b/EX-1/papers/"+strings.Repeat("0", 64), 404)
	body := get(t, srv.URL+"/api/v1/batches/ex-5", 200)
	if !strings.Contains(body, `"missing":["laboratory"]`) || !strings.Contains(body, `"headline":"WAIT: PAPERS MISSING"`) {
		t.Error(body)
	}
	body = get(t, srv.URL+"/api/v1/batches/ex-1", 200)
	if !strings.Contains(body, `"papers":[{"sha256":"`+sha+`"`) || !strings.Contains(body, `"origin":{"maker":"A \u003cMaker\u003e"`) {
		t.Error(body)
	}
	body = get(t, srv.URL+"/api/v1/units/fridge-1", 200)
	if !strings.Contains(body, `"count_due":"`) || !strings.Contains(body, `"counted":"`) {
		t.Error(body)
	}
	if body = get(t, srv.URL+"/api/v1/units/fridge-3", 200); !strings.Contains(body, `"counted":null,"count_due":null`) {
		t.Error(body)
	}
}

// The home page lists what waits for a person, a second signature first.
func TestTheHomePageTellsWhatIsToDecide(t *testing.T) {
	d, _ := lifeDesk(t)
	srv := serve(t, d, false, "")
	page := get(t, srv.URL+"/", 200)
	_, list, ok := strings.Cut(page, "To decide and to do by day")
	if !ok {
		t.Fatal(page)
	}
	at := -1
	for _, want := range []string{`<a href="/b/EX-4">EX-4</a>: waits for a second signature: Anna Example proposed on `, `<a href="/b/EX-3">EX-3</a>: quarantined since `,
		`<a href="/b/EX-5">EX-5</a>: papers are missing: independent laboratory&#39;s result`, `<b>Fridge 1</b>: all boxes are to be counted since `} {
		i := strings.Index(list, want)
		if i <= at {
			t.Errorf("%q stands at %d, after %d:\n%s", want, i, at, list)
		}
		at = i
	}
	if n := strings.Count(list, "<li "); n != 4 {
		t.Errorf("%d lines, want 4:\n%s", n, list)
	}
	for i := range 30 {
		d.snap.Batches = append(d.snap.Batches, coldchain.BatchState{ID: fmt.Sprintf("Q-%d", i), Verdict: coldchain.Quarantined})
	}
	page = get(t, srv.URL+"/", 200)
	if n := strings.Count(page, "<li "); n != decisionsMost || !strings.Contains(page, "and 14 more") {
		t.Errorf("%d lines", n)
	}
	if page := get(t, serve(t, newDesk(), false, "").URL+"/", 200); strings.Contains(page, "To decide") {
		t.Error("nothing waits, and something is listed")
	}
}
