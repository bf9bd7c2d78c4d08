package web

import (
	"encoding/json"
	"strings"
	"testing"

	"coldkeep/internal/coldchain"
	"coldkeep/sensor"
)

// What a probe cannot tell stands beside its unit, on the page and in the API.
func TestDoubtsOfProbesAreShown(t *testing.T) {
	d := newDesk()
	u := &d.snap.Units[0]
	near := sensor.Temp(7900)
	u.Temp, u.Borderline = &near, true
	p := &u.Probes[0]
	p.Last.Temp, p.LastGood = near, sensor.Reading{Time: p.Last.Time, Temp: near}
	p.Borderline, p.Uncertainty, p.Uncalibrated = true, 250, true
	d.snap.Batches[0].JudgedBy = []coldchain.JudgedBy{{Probe: "p"}}
	srv := serve(t, d, false, "")
	page := get(t, srv.URL+"/", 200)
	for _, want := range []string{"7.9 °C, nearer to the limit than the probe can tell (±0.25)", "no valid calibration", "Judged by probe p, for which no calibration is recorded."} {
		if !strings.Contains(strings.ReplaceAll(page, "&#43;", "+"), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if label := get(t, srv.URL+"/b/EX-1", 200); !strings.Contains(label, "Judged by probe p, for which no calibration is recorded.") {
		t.Errorf("the label's page does not say what was not calibrated:\n%s", label)
	}
	var got struct {
		Borderline bool
		Probes     []struct {
			Borderline, Uncalibrated bool
			UncertaintyC             float64 `json:"uncertainty_c"`
		}
	}
	if err := json.Unmarshal([]byte(get(t, srv.URL+"/api/v1/units/fridge-1", 200)), &got); err != nil {
		t.Fatal(err)
	}
	if !got.Borderline || len(got.Probes) != 1 || !got.Probes[0].Borderline || !got.Probes[0].Uncalibrated || got.Probes[0].UncertaintyC != 0.25 {
		t.Errorf("%+v", got)
	}
}
