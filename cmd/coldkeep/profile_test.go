package main

import (
	"strings"
	"testing"

	"coldkeep/internal/config"
)

// The library has what the clinic stores, each limit with its source; what is
// for exosomes allows no time out of range and says who decides.
func TestTheLibrary(t *testing.T) {
	shelves, err := library()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, s := range shelves {
		for _, p := range s.profiles {
			n++
			if len(p.Source) < 40 {
				t.Errorf("%s: source %q", p.ID, p.Source)
			}
			if s.file == "exosomes.yaml" && (len(p.Rules) > 0 || p.InUse > 0 || len(p.Stages) > 0 || p.Confirm == 0 || !strings.Contains(p.Source, "Replace by your product's label")) {
				t.Errorf("%s: %+v: a range, a time to confirm, no allowance, and the label decides", p.ID, p)
			}
			// What show prints is a file that check accepts, with the same meaning.
			code, out, errOut := call(t, "profile", "show", p.ID)
			if code != exitDone {
				t.Fatalf("show %s: exit %d\n%s", p.ID, code, errOut)
			}
			again, _, err := config.ParseProfiles("shown.yaml", []byte(out))
			if err != nil || len(again) != 1 || again[0].ID != p.ID || again[0].Range != p.Range || again[0].Confirm != p.Confirm || len(again[0].Rules) != len(p.Rules) {
				t.Errorf("show %s prints\n%s\nwhich is %+v, %v", p.ID, out, again, err)
			}
			if code, out, errOut := call(t, "profile", "check", write(t, p.ID+".yaml", out)); code != exitDone {
				t.Errorf("check %s: exit %d\n%s%s", p.ID, code, out, errOut)
			}
		}
	}
	_, out, _ := call(t, "profile", "show", "example-frozen-vial")
	for _, want := range []string{"In transport: -30 to -10 °C.", "(road): above -10 °C in transport for 30m in all", "(refrozen): thawed and frozen again more than 1 time", "Thaws above -10 °C:", "Once opened or mixed: used within 4h."} {
		if !strings.Contains(out, want) {
			t.Errorf("show does not say %q:\n%s", want, out)
		}
	}
	if n < 11 {
		t.Errorf("%d profiles", n)
	}
}

func TestProfileCommandsTellWhatIsWrong(t *testing.T) {
	if code, _, errOut := call(t, "profile", "show", "nowhere"); code != exitFailed || !strings.Contains(errOut, "profile list") {
		t.Errorf("exit %d: %s", code, errOut)
	}
	bad := write(t, "bad.yaml", "profiles:\n  - {id: p, range: {low: 2, high: 8}}\n  - {id: q, source: x, range: {low: -25, high: -15}, rules: [{id: m, mkt_above: -10, within: 24h}]}\n")
	code, out, _ := call(t, "profile", "check", bad)
	if code != exitProblems || !strings.Contains(out, "bad.yaml:2:") || !strings.Contains(out, "source is missing") || !strings.Contains(out, "below 0 °C") {
		t.Errorf("exit %d:\n%s", code, out)
	}
	code, out, _ = call(t, "profile", "list", "--config", "../../configs/clinic.yaml", "--json")
	if code != exitDone || !strings.Contains(out, `"ultra-low-80"`) || !strings.Contains(out, `"frozen"`) {
		t.Errorf("exit %d:\n%s", code, out)
	}
}
