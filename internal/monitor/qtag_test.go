package monitor

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"coldkeep/internal/coldchain"
	"coldkeep/sensor"
)

// Two journeys of a real logger, each imported at the clinic's door for a batch
// whose label has the logger's own limits: each alarm that the logger raised is a
// broken rule, no later than one of its ten minutes after, and no other is broken.
func TestWhatTheLoggerSaysIsTheVerdictAtTheDoor(t *testing.T) {
	clock := func(s string) time.Time {
		x, err := time.Parse("2006-01-02 15:04", s)
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	hot, cold := coldchain.Limit{Side: coldchain.Above, At: 8000}, coldchain.Limit{Side: coldchain.Below, At: 2000}
	label := coldchain.Profile{ID: "as-the-logger", Source: "the logger's settings", Range: coldchain.Range{Low: 2000, High: 8000}, Unmonitored: time.Hour, DeltaH: 83.0,
		Outside: coldchain.Outside{As: 5000, Grace: time.Hour}, Rules: []coldchain.Rule{
			{ID: "hot", Limit: hot, For: 30 * time.Minute}, {ID: "hot-sum", Limit: hot, Total: time.Hour}, {ID: "cold", Limit: cold, For: 30 * time.Minute}, {ID: "cold-sum", Limit: cold, Total: time.Hour}}}
	for _, trip := range []struct {
		file, arrives, first string
		fine                 string // up to then nothing had tripped
		tripped              map[string]string
		below                bool
	}{
		{"RCPJ00010_02_202211090128.txt", "2022-11-09 01:20", "2022-11-08 04:49", "2022-11-08 05:49", map[string]string{"hot": "2022-11-08 22:20", "hot-sum": "2022-11-08 22:50", "cold": "2022-11-08 12:46", "cold-sum": "2022-11-08 07:34"}, true},
		{"RCPJ00010_03_202304201359.txt", "2023-04-20 13:55", "2023-04-17 15:23", "", map[string]string{"hot": "2023-04-17 16:03", "hot-sum": "2023-04-17 16:33"}, false},
	} {
		data, err := os.ReadFile(filepath.Join("..", "recording", "testdata", trip.file))
		if err != nil {
			t.Fatal(err)
		}
		storyAt(t, nightDuty(), clock(trip.arrives), func(n *night) {
			n.stop()
			n.change = func(c *coldchain.Config) { c.Profiles = append(c.Profiles, label) }
			n.start()
			n.do(coldchain.Command{Name: "receive", Batch: "QT", Profile: "as-the-logger", Vials: 10})
			sha, err := n.m.AddFile(n.t.Context(), data)
			if err != nil {
				t.Fatal(err)
			}
			n.ids++
			c := coldchain.Command{ID: "without a zone", Name: "import", Batch: "QT", By: "Anna Example", Readout: &coldchain.Readout{SHA256: sha, Name: trip.file}}
			_, err = n.m.Do(n.t.Context(), c)
			refused(t, err, "--timezone Europe/London")
			c.ID, c.Readout.Zone = "in UTC", "UTC"
			e, err := n.m.Do(n.t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			if e.Readout.Tripped == "" || e.Readout.Logger != "RCPJ00010" || e.Readout.MKT == nil {
				t.Errorf("%s: evidence %+v", trip.file, e.Readout)
			}
			n.do(coldchain.Command{Name: "place", Batch: "QT", Unit: "fridge-1"})
			time.Sleep(time.Minute)
			b := n.m.batchSeen("QT")
			if b.Verdict != coldchain.Quarantined || b.RecordFrom == nil || b.RecordFrom.Time() != clock(trip.first) {
				t.Errorf("%s: %s, record from %v", trip.file, b.Verdict, b.RecordFrom)
			}
			broken := map[string]sensor.Instant{}
			for _, r := range b.Reasons {
				broken[r.Rule] = r.At
			}
			for rule, at := range trip.tripped {
				got, ok := broken[rule]
				// It looks once a minute and writes down every tenth: what came back between
				// two lines it knows alone, so that by its lines a rule may break earlier.
				if d := got.Time().Sub(clock(at)); !ok || d > 10*time.Minute || d < -10*time.Minute && rule != "cold" {
					t.Errorf("%s: the logger raised %s at %s, and the rule broke at %s", trip.file, rule, at, got)
				}
				delete(broken, rule)
			}
			if len(broken) > 0 {
				t.Errorf("%s: broken without an alarm of the logger: %v", trip.file, broken)
			}
			if (b.Exposure.BelowS > 0) != trip.below || b.JudgedBy[0].Probe != "logger-RCPJ00010" {
				t.Errorf("%s: %+v judged by %+v", trip.file, b.Exposure, b.JudgedBy)
			}
			if trip.fine != "" {
				// A parcel that was taken out while the logger was still content is fine.
				n.do(coldchain.Command{Name: "receive", Batch: "QT-2", Profile: "as-the-logger"})
				n.do(coldchain.Command{Name: "import", Batch: "QT-2", Until: sensor.At(clock(trip.fine)), Readout: &coldchain.Readout{SHA256: sha, Name: trip.file, Zone: "UTC"}})
				if x := n.m.batchSeen("QT-2"); x.Verdict.Flagged() || len(x.Reasons) > 0 || x.Exposure.MonitoredS != 3600 {
					t.Errorf("%s, before it tripped: %s %+v %+v", trip.file, x.Verdict, x.Reasons, x.Exposure)
				}
				list, err := n.st.Imports(n.t.Context(), "", 0)
				if err != nil || len(list) != 1 {
					t.Errorf("the same file for two batches is kept %d times: %v", len(list), err)
				}
			}
			told := n.events(coldchain.BatchRejudged)
			if !slices.ContainsFunc(told, func(e coldchain.Event) bool { return e.Batch == "QT" && strings.Contains(e.Reason, sha) }) {
				t.Errorf("%s: told %+v", trip.file, told)
			}
		})
	}
}
