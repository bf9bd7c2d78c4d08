package deploy

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func file(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("fleet", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// The dashboard asks what queries/ has, word for word: those are what is run
// against the real database.
func TestTheFleetsDashboardAsksTheCommittedQueries(t *testing.T) {
	var d struct {
		UID        string `json:"uid"`
		Templating struct {
			List []struct{ Name, Type, Query string }
		}
		Panels []struct {
			ID          int
			Type, Title string
			Description string
			Datasource  struct{ Type, UID string }
			GridPos     struct{ X, Y, W, H int } `json:"gridPos"`
			FieldConfig struct {
				Defaults struct{ Unit string }
			} `json:"fieldConfig"`
			Targets []struct {
				RawSQL     string `json:"rawSql"`
				RawQuery   bool   `json:"rawQuery"`
				Format     string
				Datasource struct{ UID string }
			}
		}
	}
	if err := json.Unmarshal([]byte(file(t, "grafana/fleet.json")), &d); err != nil {
		t.Fatal(err)
	}
	if d.UID != "coldkeep-fleet" || len(d.Templating.List) != 3 || d.Templating.List[0].Type != "datasource" {
		t.Errorf("uid %q, variables %v", d.UID, d.Templating.List)
	}
	asked, ids := map[string]bool{}, map[int]bool{}
	for i, p := range d.Panels {
		if p.Title == "" || p.Description == "" || p.FieldConfig.Defaults.Unit == "" || ids[p.ID] || p.Datasource.UID != "${database}" {
			t.Errorf("panel %q lacks a title, a description, a unit, an id of its own or the data source's variable", p.Title)
		}
		ids[p.ID] = true
		for _, x := range p.Targets {
			if !x.RawQuery || x.Datasource.UID != "${database}" || !slices.Contains([]string{"table", "time_series"}, x.Format) {
				t.Errorf("panel %q: its query is not sent as written", p.Title)
			}
			asked[x.RawSQL] = true
		}
		if len(p.Targets) == 0 {
			t.Errorf("panel %q asks nothing", p.Title)
		}
		for _, o := range d.Panels[:i] {
			a, b := p.GridPos, o.GridPos
			if a.X < b.X+b.W && b.X < a.X+a.W && a.Y < b.Y+b.H && b.Y < a.Y+a.H {
				t.Errorf("%q lies over %q", p.Title, o.Title)
			}
		}
	}
	list, err := filepath.Glob("fleet/queries/*.sql")
	if err != nil || len(list) == 0 {
		t.Fatal("no queries", err)
	}
	for _, path := range list {
		text := file(t, "queries/"+filepath.Base(path))
		if !asked[text] {
			t.Errorf("no panel asks %s", path)
		}
		delete(asked, text)
	}
	for q := range asked {
		t.Errorf("asked, but not in queries/:\n%s", q)
	}
}

// Each alert has words, and a section of the runbook that its link leads to.
func TestTheFleetsAlertsHaveRunbooks(t *testing.T) {
	rules, readme := file(t, "prometheus/fleet-rules.yml"), file(t, "README.md")
	names := regexp.MustCompile(`- alert: (\w+)`).FindAllStringSubmatch(rules, -1)
	if len(names) < 9 {
		t.Fatalf("%d alerts", len(names))
	}
	for _, m := range names {
		if !strings.Contains(rules, `runbook_url: "https://coldkeep.example/deploy/fleet/README.md#`+strings.ToLower(m[1])+`"`) || !strings.Contains(readme, "\n### "+m[1]+"\n") {
			t.Errorf("%s has no runbook", m[1])
		}
	}
	for _, word := range []string{"summary:", "description:", "runbook_url:", "severity:"} {
		if n := strings.Count(rules, word); n != len(names) {
			t.Errorf("%d times %s for %d alerts", n, word, len(names))
		}
	}
}

// promtool finds the rules sound, and they fire, hold and clear as written.
func TestTheFleetsAlertsFire(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool is not installed here")
	}
	for _, args := range [][]string{{"check", "config", "scrape.yml"}, {"test", "rules", "fleet-rules_test.yml"}} {
		cmd := exec.Command(promtool, args...)
		cmd.Dir = "fleet/prometheus"
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %v: %v\n%s", args, err, out)
		}
	}
}

// What a clinic may publish, the collector hears; nobody is let in unnamed.
func TestTheFleetsBrokerAsksForCertificates(t *testing.T) {
	conf, acl := file(t, "mosquitto/mosquitto.conf"), file(t, "mosquitto/acl")
	for _, line := range []string{"require_certificate true", "use_identity_as_username true", "allow_anonymous false", "acl_file /etc/mosquitto/fleet/acl", "crlfile /etc/mosquitto/fleet/ca.crl", "persistence true"} {
		if !strings.Contains(conf, "\n"+line+"\n") {
			t.Errorf("the broker lacks %q", line)
		}
	}
	if n := strings.Count(conf, "\nlistener "); n != 1 {
		t.Errorf("%d listeners: each would need a certificate", n)
	}
	var grants []string
	for line := range strings.Lines(acl) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			grants = append(grants, line)
		}
	}
	if want := []string{"user collector", "topic read coldkeep/#", "pattern readwrite coldkeep/%u/#"}; !slices.Equal(grants, want) {
		t.Errorf("granted is %q, want %q", grants, want)
	}
}
