package grafana

import (
	"bytes"
	"fmt"
	"maps"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/prometheus/client_golang/prometheus"

	"coldkeep/internal/coldchain"
	"coldkeep/internal/metrics"
)

const dir = "dashboards"

func files(t *testing.T) map[string]Dashboard {
	t.Helper()
	list, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(list) == 0 {
		t.Fatalf("no dashboards in %s", dir)
	}
	return list
}

// panels runs f on every panel of every file.
func panels(t *testing.T, f func(t *testing.T, p Panel)) {
	for name, d := range files(t) {
		for _, p := range d.Panels {
			t.Run(name+"/"+p.Title, func(t *testing.T) { f(t, p) })
		}
	}
}

// What is installed is what the program draws.
func TestTheFilesAreAsDrawn(t *testing.T) {
	drawn := All()
	for name := range files(t) {
		if _, ok := drawn[name]; !ok {
			t.Errorf("%s is drawn by nobody", name)
		}
	}
	for name, d := range drawn {
		want, err := Encode(d)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not as drawn (%v): run go generate ./deploy/grafana", name, err)
		}
	}
}

// The linter's rules of whole dashboards, and Grafana's own: no two with one
// uid, nothing that only an import by hand would fill in.
func TestDashboardsAreUneditableAndTakeAnyDataSource(t *testing.T) {
	uids := map[string]string{}
	for name, d := range files(t) {
		if d.Editable {
			t.Errorf("%s can be edited, and would lose it at the next start", name)
		}
		if d.SchemaVersion != 39 || d.Title == "" || d.Description == "" || !slices.Contains(d.Tags, "coldkeep") {
			t.Errorf("%s: schema %d, title %q, tags %q", name, d.SchemaVersion, d.Title, d.Tags)
		}
		if other := uids[d.UID]; d.UID == "" || len(d.UID) > 40 || other != "" {
			t.Errorf("%s: the uid %q (also of %q)", name, d.UID, other)
		}
		uids[d.UID] = name
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, no := range []string{"${DS_", "__inputs"} {
			if strings.Contains(string(b), no) {
				t.Errorf("%s has %s, which provisioning does not fill in", name, no)
			}
		}
	}
}

func TestVariablesAreAsTheLinterWantsThem(t *testing.T) {
	for name, d := range files(t) {
		v := map[string]Variable{}
		for _, x := range d.Templating.List {
			v[x.Name] = x
			if x.Type != "query" {
				continue
			}
			if x.Refresh != 2 || x.Definition != x.Query || x.Datasource == nil || *x.Datasource != chosen || x.Label == "" {
				t.Errorf("%s: the variable %s: %+v", name, x.Name, x)
			}
			if !regexp.MustCompile(`^label_values\(coldkeep_[a-z_]+(\{[^}]*\})?, ` + x.Name + `\)$`).MatchString(x.Query) {
				t.Errorf("%s: the variable %s asks %q", name, x.Name, x.Query)
			}
			if x.Name != "job" && !strings.Contains(x.Query, `job=~"$job"`) || x.Name != "job" && x.Name != "instance" && !strings.Contains(x.Query, `instance=~"$instance"`) {
				t.Errorf("%s: the variable %s is not of the job and instance chosen: %q", name, x.Name, x.Query)
			}
		}
		if s := v["datasource"]; s.Type != "datasource" || s.Query != "prometheus" || s.Label != "Data source" {
			t.Errorf("%s: the data source: %+v", name, s)
		}
		for n, label := range map[string]string{"job": "Job", "instance": "Instance"} {
			if x := v[n]; x.Label != label || !x.Multi || !x.IncludeAll || x.AllValue != ".+" {
				t.Errorf("%s: the variable %s: %+v", name, n, x)
			}
		}
	}
}

// units are the ids that Grafana knows, of those that are used here.
var units = []string{"celsius", "percentunit", "dtdhms", "s", "short", "none", "bytes", "cps"}

func TestPanelsAreTitledExplainedAndMeasured(t *testing.T) {
	panels(t, func(t *testing.T, p Panel) {
		if p.Title == "" || len(p.Description) < 20 {
			t.Errorf("described as %q", p.Description)
		}
		used := []string{p.FieldConfig.Defaults.Unit}
		for _, o := range p.FieldConfig.Overrides {
			for _, x := range o.Properties {
				if x.ID == "unit" {
					used = append(used, fmt.Sprint(x.Value))
				}
			}
		}
		for _, u := range used {
			if !slices.Contains(units, u) {
				t.Errorf("the unit %q", u)
			}
		}
		if p.Datasource != chosen || len(p.Targets) == 0 {
			t.Errorf("the data source %+v, %d queries", p.Datasource, len(p.Targets))
		}
		refs := map[string]bool{}
		for _, q := range p.Targets {
			if q.Datasource != chosen || q.Expr == "" || refs[q.RefID] || q.Instant == q.Range {
				t.Errorf("the query %+v", q)
			}
			refs[q.RefID] = true
		}
	})
}

// Probes tell thousandths: a value beyond a limit is never shown as equal to it.
func TestTemperaturesAreNotRounded(t *testing.T) {
	panels(t, func(t *testing.T, p Panel) {
		if d := p.FieldConfig.Defaults; d.Unit == "celsius" && (d.Decimals == nil || *d.Decimals != 3) {
			t.Error("a temperature has not three decimals")
		}
	})
}

// A gap stays a gap; what tells of now asks for now, not for the last value of
// the time shown; what is not there is called so.
func TestNothingOldIsShownAsNow(t *testing.T) {
	panels(t, func(t *testing.T, p Panel) {
		instant := p.Type == "stat" || p.Type == "table"
		for _, q := range p.Targets {
			if q.Instant != instant {
				t.Errorf("a %s asks %+v", p.Type, q)
			}
		}
		if spans, set := p.FieldConfig.Defaults.Custom["spanNulls"]; !instant && (!set || spans != false) {
			t.Errorf("spanNulls is %v", spans)
		}
		for _, o := range p.FieldConfig.Overrides {
			for _, x := range o.Properties {
				if x.ID == "custom.spanNulls" {
					t.Error("an override joins what has gaps")
				}
			}
		}
		if p.FieldConfig.Defaults.NoValue == "" {
			t.Error("nothing is said where there is no value")
		}
	})
}

// What stands for a state has a word beside its colour, and what is not known
// is never green.
func TestStatesHaveWordsAndColours(t *testing.T) {
	colours := []string{green, red, orange, blue, grey}
	panels(t, func(t *testing.T, p Panel) {
		for _, m := range p.FieldConfig.Defaults.Mappings {
			for v, w := range m.Options {
				if w.Text == "" || !slices.Contains(colours, w.Color) || strings.HasPrefix(w.Text, "?") && w.Color != grey {
					t.Errorf("%s is %q in %q", v, w.Text, w.Color)
				}
			}
		}
		if p.Type == "state-timeline" && len(p.FieldConfig.Defaults.Mappings) == 0 {
			t.Error("its states have no words")
		}
	})
}

// No two panels in one place, none beyond the grid, and none too flat or tall
// for a phone, where they stand under one another.
func TestPanelsLieSideBySide(t *testing.T) {
	for name, d := range files(t) {
		ids, titles := map[int]bool{}, map[string]bool{}
		taken := map[[2]int]string{}
		for _, p := range d.Panels {
			if p.ID == 0 || ids[p.ID] || titles[p.Title] {
				t.Errorf("%s: %q has the id %d, or a title, of another", name, p.Title, p.ID)
			}
			ids[p.ID], titles[p.Title] = true, true
			g := p.GridPos
			if g.X < 0 || g.W < 6 || g.X+g.W > 24 || g.H < 4 || g.H > 12 {
				t.Errorf("%s: %q lies at %+v", name, p.Title, g)
			}
			for x := g.X; x < g.X+g.W; x++ {
				for y := g.Y; y < g.Y+g.H; y++ {
					if other := taken[[2]int{x, y}]; other != "" {
						t.Fatalf("%s: %q lies over %q", name, p.Title, other)
					}
					taken[[2]int{x, y}] = p.Title
				}
			}
			for _, x := range p.Transformations {
				if f, ok := x.Options["include"].(map[string]any); ok && len(f["names"].([]any)) > 5 {
					t.Errorf("%s: %q has too many columns for a phone", name, p.Title)
				}
			}
		}
	}
}

// told are the names in the daemon's own /metrics.
func told(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	s := metrics.Source{Snapshot: func() *coldchain.Snapshot { return nil }, Interval: time.Second}
	descs := make(chan *prometheus.Desc, 100)
	metrics.NewCollector(s).Describe(descs)
	close(descs)
	for d := range descs {
		names[regexp.MustCompile(`fqName: "([^"]+)"`).FindStringSubmatch(d.String())[1]] = true
	}
	w := httptest.NewRecorder()
	metrics.Handler(s).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for _, m := range regexp.MustCompile(`(?m)^# TYPE (\S+)`).FindAllStringSubmatch(w.Body.String(), -1) {
		names[m[1]] = true
	}
	return names
}

// Every metric that a dashboard names is the daemon's.
func TestDashboardsAskForWhatTheDaemonTells(t *testing.T) {
	names := told(t)
	if !names["coldkeep_build_info"] || !names["process_resident_memory_bytes"] {
		t.Fatalf("what the daemon tells: %v", slices.Sorted(maps.Keys(names)))
	}
	asked := 0
	for name, d := range files(t) {
		var texts []string
		for _, v := range d.Templating.List {
			texts = append(texts, v.Query)
		}
		for _, p := range d.Panels {
			for _, q := range p.Targets {
				texts = append(texts, q.Expr)
			}
		}
		for _, x := range texts {
			for _, m := range regexp.MustCompile(`\b(coldkeep|process|go)_[a-z_]+`).FindAllString(x, -1) {
				if !names[m] {
					t.Errorf("%s asks for %s, which the daemon does not tell", name, m)
				}
				asked++
			}
		}
	}
	if asked < 100 {
		t.Errorf("only %d names were looked at", asked)
	}
}

// provisioning is what Grafana reads at its start; an unknown key is an error.
type provisioning struct {
	APIVersion int `yaml:"apiVersion"`
	Providers  []struct {
		Name                  string `yaml:"name"`
		OrgID                 int    `yaml:"orgId"`
		Folder                string `yaml:"folder"`
		Type                  string `yaml:"type"`
		DisableDeletion       bool   `yaml:"disableDeletion"`
		AllowUIUpdates        bool   `yaml:"allowUiUpdates"`
		UpdateIntervalSeconds int    `yaml:"updateIntervalSeconds"`
		Options               struct {
			Path  string `yaml:"path"`
			Files bool   `yaml:"foldersFromFilesStructure"`
		} `yaml:"options"`
	} `yaml:"providers"`
	Datasources []struct {
		Name      string `yaml:"name"`
		UID       string `yaml:"uid"`
		OrgID     int    `yaml:"orgId"`
		Type      string `yaml:"type"`
		Access    string `yaml:"access"`
		URL       string `yaml:"url"`
		IsDefault bool   `yaml:"isDefault"`
		Editable  bool   `yaml:"editable"`
		JSONData  struct {
			HTTPMethod   string `yaml:"httpMethod"`
			TimeInterval string `yaml:"timeInterval"`
		} `yaml:"jsonData"`
	} `yaml:"datasources"`
}

func TestProvisioningIsStrictYAML(t *testing.T) {
	for _, path := range []string{"provisioning/dashboards/coldkeep.yaml", "provisioning/datasources/coldkeep.yaml", "../compose/grafana-datasource.yaml"} {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var p provisioning
		if err := yaml.UnmarshalWithOptions(b, &p, yaml.Strict()); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		if p.APIVersion != 1 || len(p.Providers)+len(p.Datasources) != 1 {
			t.Errorf("%s: %+v", path, p)
		}
		for _, x := range p.Providers {
			if x.Type != "file" || x.AllowUIUpdates || !filepath.IsAbs(x.Options.Path) {
				t.Errorf("%s: %+v", path, x)
			}
		}
		for _, x := range p.Datasources {
			if x.Type != "prometheus" || x.Access != "proxy" || x.JSONData.TimeInterval == "" {
				t.Errorf("%s: %+v", path, x)
			}
		}
	}
}
