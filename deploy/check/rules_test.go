package check

import (
	"errors"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"
	"github.com/prometheus/prometheus/promql/parser"

	"coldkeep/internal/coldchain"
	"coldkeep/internal/metrics"
	"coldkeep/sensor"
)

// A rule as the files have it.
type rule struct {
	Record      string            `yaml:"record"`
	Alert       string            `yaml:"alert"`
	Expr        string            `yaml:"expr"`
	For         string            `yaml:"for"`
	Keep        string            `yaml:"keep_firing_for"`
	Labels      map[string]string `yaml:"labels"`
	Annotations map[string]string `yaml:"annotations"`
}

func read(t *testing.T, path string, into any) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalWithOptions(b, into, yaml.Strict()); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

func rules(t *testing.T, path string) (list []rule) {
	t.Helper()
	var file struct {
		Groups []struct {
			Name  string `yaml:"name"`
			Rules []rule `yaml:"rules"`
		} `yaml:"groups"`
	}
	read(t, path, &file)
	for _, g := range file.Groups {
		list = append(list, g.Rules...)
	}
	if len(list) == 0 {
		t.Fatalf("%s holds no rule", path)
	}
	return list
}

// told is every metric that the daemon can tell, from a collector to which
// everything has happened.
func told(t *testing.T) map[string]*dto.MetricFamily {
	t.Helper()
	now := sensor.At(time.Now())
	temp := sensor.Temp(9000)
	s := &coldchain.Snapshot{At: now, Made: now, Notifications: map[string]coldchain.NotificationCount{"push": {}},
		Units: []coldchain.UnitState{{Unit: coldchain.Unit{ID: "u"}, OutOfRange: true, Side: "high",
			Probes: []coldchain.ProbeState{{ID: "p", Up: true, CalibrationDue: now, Last: sensor.Reading{Time: now, Temp: temp}}}}},
		Batches:  []coldchain.BatchState{{ID: "b", Unit: "u", Allowance: []coldchain.Allowance{{Rule: "warm", TotalS: 10, LeftS: 2}}}},
		Alarms:   []coldchain.Alarm{{Severity: coldchain.Critical, Raised: now}, {Severity: coldchain.Warning, Raised: now}},
		Contacts: []coldchain.ContactState{{Contact: sensor.Contact{ID: "c", Kind: sensor.Mains}, State: "lost", On: true}},
		Drill:    &coldchain.DrillState{At: &now, AnsweredAt: &now}}
	w := scraped(s, "")
	text := expfmt.NewTextParser(model.UTF8Validation)
	families, err := text.TextToMetricFamilies(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	return families
}

// scraped is what the daemon tells whoever accepts a format.
func scraped(s *coldchain.Snapshot, accept string) *httptest.ResponseRecorder {
	w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "/metrics", nil)
	r.Header.Set("Accept", accept)
	metrics.Handler(metrics.Source{Snapshot: func() *coldchain.Snapshot { return s }, Interval: time.Minute, Connected: func() bool { return true }, Backlog: func() uint64 { return 0 },
		Peers: func() map[string]bool { return map[string]bool{"n": true} }, HeartbeatFailing: func() bool { return true }}).ServeHTTP(w, r)
	return w
}

// What is told as OpenMetrics is so to Prometheus' own parser.
func TestOpenMetricsIsUnderstood(t *testing.T) {
	now := sensor.At(time.Now())
	s := &coldchain.Snapshot{At: now, Made: now, Units: []coldchain.UnitState{{Unit: coldchain.Unit{ID: "u"}, Probes: []coldchain.ProbeState{{ID: "p", Last: sensor.Reading{Time: now}}}}}}
	w := scraped(s, "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5")
	p, err := textparse.New(w.Body.Bytes(), w.Header().Get("Content-Type"), labels.NewSymbolTable(), textparse.ParserOptions{})
	if err != nil {
		t.Fatal(err)
	}
	series := 0
	for {
		e, err := p.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("after %d series: %v", series, err)
		}
		if e == textparse.EntrySeries {
			series++
		}
	}
	if series < 40 {
		t.Errorf("%d series", series)
	}
}

// values are those that a label of a metric has, and whether it has the label.
func values(f *dto.MetricFamily, label string) (list []string, has bool) {
	for _, m := range f.GetMetric() {
		for _, l := range m.GetLabel() {
			if l.GetName() == label {
				list = append(list, l.GetValue())
			}
		}
	}
	return list, len(list) > 0
}

// selectors are what an expression reads.
func selectors(t *testing.T, expr string) (list []*parser.VectorSelector) {
	t.Helper()
	e, err := parser.NewParser(parser.Options{}).ParseExpr(expr)
	if err != nil {
		t.Fatalf("%v\n%s", err, expr)
	}
	parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
		if v, ok := n.(*parser.VectorSelector); ok {
			list = append(list, v)
		}
		return nil
	})
	return list
}

// target are the labels that Prometheus adds.
var target = []string{"job", "instance", "site"}

// Whatever the rules read is told by the daemon, or recorded from what is, or
// Prometheus' own; with the labels and the values that they look for.
func TestTheRulesReadWhatIsTold(t *testing.T) {
	families := told(t)
	recorded := rules(t, "../prometheus/recording.yml")
	for _, r := range recorded {
		first := selectors(t, r.Expr)[0].Name
		if families[first] == nil {
			t.Fatalf("%s is recorded from %s, which nobody tells", r.Record, first)
		}
		families[r.Record] = families[first]
	}
	for _, r := range slices.Concat(recorded, rules(t, "../prometheus/alerts.yml")) {
		for _, v := range selectors(t, r.Expr) {
			if v.Name == "up" {
				continue
			}
			f := families[v.Name]
			if f == nil {
				t.Errorf("%s%s reads %s, which nobody tells", r.Alert, r.Record, v.Name)
				continue
			}
			for _, m := range v.LabelMatchers {
				if m.Name == model.MetricNameLabel || slices.Contains(target, m.Name) {
					continue
				}
				if list, has := values(f, m.Name); !has || !slices.ContainsFunc(list, m.Matches) {
					t.Errorf("%s%s wants %s of %s; there are %q", r.Alert, r.Record, m, v.Name, list)
				}
			}
		}
		for _, name := range regexp.MustCompile(`[a-z:]*coldkeep_[a-z_]+(:[a-z]+)?`).FindAllString(r.Annotations["description"], -1) {
			if families[name] == nil {
				t.Errorf("the description of %s asks for %s, which nobody tells", r.Alert, name)
			}
		}
	}
}

// Every alert says how grave it is and what to do, and each has its page.
func TestEveryAlertIsExplained(t *testing.T) {
	pages := map[string]bool{}
	for _, r := range rules(t, "../prometheus/alerts.yml") {
		pages[r.Alert+".md"] = true
		if !regexp.MustCompile(`^(Coldkeep([A-Z][A-Za-z]+)|Watchdog)$`).MatchString(r.Alert) {
			t.Errorf("%s is no name of ours", r.Alert)
		}
		if s := r.Labels["severity"]; s != "critical" && s != "warning" && (s != "none" || r.Alert != "Watchdog") {
			t.Errorf("%s has the severity %q", r.Alert, s)
		}
		summary := r.Annotations["summary"]
		if strings.Contains(summary, "{{") || !strings.HasSuffix(summary, ".") || summary[:1] != strings.ToUpper(summary[:1]) {
			t.Errorf("%s: the summary %q is no sentence that stays the same", r.Alert, summary)
		}
		if d := r.Annotations["description"]; d == "" || strings.Contains(r.Expr, "coldkeep_") && !strings.Contains(d, "{{ $labels.site }}") {
			t.Errorf("%s: the description %q does not say where", r.Alert, d)
		}
		url := r.Annotations["runbook_url"]
		if _, path, _ := strings.Cut(strings.TrimPrefix(url, "https://"), "/"); path != "deploy/runbooks/"+r.Alert+".md" {
			t.Errorf("%s: the runbook is at %s", r.Alert, url)
		}
		b, err := os.ReadFile("../runbooks/" + r.Alert + ".md")
		if err != nil {
			t.Error(err)
			continue
		}
		text := string(b)
		if !strings.HasPrefix(text, "# "+r.Alert+"\n") {
			t.Errorf("the page of %s has another title", r.Alert)
		}
		at := 0
		for _, h := range []string{"What it means", "What to look at", "What to do", "How to test it"} {
			i := strings.Index(text, "\n## "+h+"\n\n")
			if i < at {
				t.Errorf("the page of %s has no %q at its place", r.Alert, h)
				continue
			}
			at = i
			rest := text[i+len(h)+6:]
			if j := strings.Index(rest, "\n## "); j >= 0 {
				rest = rest[:j]
			}
			if len(strings.TrimSpace(rest)) < 40 {
				t.Errorf("the page of %s says next to nothing under %q", r.Alert, h)
			}
		}
	}
	files, err := filepath.Glob("../runbooks/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !pages[filepath.Base(f)] {
			t.Errorf("%s is the page of no alert", f)
		}
	}
}

// An alert is seen to fire, to hold and to clear, or it is not there.
func TestEveryAlertIsTested(t *testing.T) {
	type expected struct {
		fires, silent int
		cleared       bool
	}
	seen := map[string]*expected{}
	files, err := filepath.Glob("../prometheus/tests/*.yml")
	if err != nil || len(files) == 0 {
		t.Fatalf("tests: %v %v", files, err)
	}
	for _, path := range files {
		var f struct {
			Files    []string `yaml:"rule_files"`
			Interval string   `yaml:"evaluation_interval"`
			Order    []string `yaml:"group_eval_order"`
			Tests    []struct {
				Name     string              `yaml:"name"`
				Interval string              `yaml:"interval"`
				Series   []map[string]string `yaml:"input_series"`
				Alerts   []struct {
					At     string           `yaml:"eval_time"`
					Name   string           `yaml:"alertname"`
					Expect []map[string]any `yaml:"exp_alerts"`
				} `yaml:"alert_rule_test"`
			} `yaml:"tests"`
		}
		read(t, path, &f)
		for _, x := range f.Tests {
			for _, a := range x.Alerts {
				e := seen[a.Name]
				if e == nil {
					e = &expected{}
					seen[a.Name] = e
				}
				if len(a.Expect) > 0 {
					e.fires++
				} else {
					e.silent++
					e.cleared = e.cleared || e.fires > 0
				}
			}
		}
	}
	for _, r := range rules(t, "../prometheus/alerts.yml") {
		e := seen[r.Alert]
		switch {
		case e == nil:
			t.Errorf("%s has no test", r.Alert)
		case e.fires < 2:
			t.Errorf("%s is not seen to fire and to hold", r.Alert)
		case r.Alert != "Watchdog" && (e.silent < 2 || !e.cleared):
			t.Errorf("%s is not seen to wait and to clear", r.Alert)
		}
	}
}

// What fires for a unit or a batch is what was said last, and what fires for
// the daemon is kept until ColdkeepNodeDown mutes it: no death resolves.
func TestNoDeathResolves(t *testing.T) {
	held := map[string]bool{"up": true}
	for _, r := range rules(t, "../prometheus/recording.yml") {
		held[r.Record] = true
	}
	for _, r := range rules(t, "../prometheus/alerts.yml") {
		if r.Keep == "10m" || r.Alert == "ColdkeepNodeDown" {
			continue
		}
		for _, v := range selectors(t, r.Expr) {
			if !held[v.Name] {
				t.Errorf("%s reads %s, which dies with the daemon, and is not kept", r.Alert, v.Name)
			}
		}
	}
}

// promtool runs where it is installed: in `make system-test` it is.
func promtool(t *testing.T, args ...string) {
	t.Helper()
	path, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool is not installed here")
	}
	if out, err := exec.Command(path, args...).CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func TestSystemPromtoolAcceptsTheRules(t *testing.T) {
	promtool(t, "check", "rules", "--lint=all", "--lint-fatal", "../prometheus/recording.yml", "../prometheus/alerts.yml")
	promtool(t, "check", "config", "../prometheus/prometheus.yml")
}

func TestSystemTheRulesDoWhatTheirTestsSay(t *testing.T) {
	files, err := filepath.Glob("../prometheus/tests/*.yml")
	if err != nil {
		t.Fatal(err)
	}
	promtool(t, append([]string{"test", "rules"}, files...)...)
}
