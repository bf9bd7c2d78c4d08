// Package check holds what is deployed to the parsers of those who will read
// it: Prometheus' own for the queries of the dashboards, and Docker Compose's
// own for the compose file.
//
// It is a module by itself, because those libraries would otherwise choose the
// versions of what the daemon is built of: Prometheus' parser alone moves the
// daemon to a pre-release of its WebSocket library.
package check

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// A dashboard is what a query needs to know of it.
type dashboard struct {
	Templating struct {
		List []struct{ Name, Type, Query string }
	}
	Panels []struct {
		Title   string
		Targets []struct{ Expr string }
	}
}

func dashboards(t *testing.T) map[string]dashboard {
	t.Helper()
	paths, err := filepath.Glob("../grafana/dashboards/*.json")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no dashboards: %v", err)
	}
	list := map[string]dashboard{}
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var d dashboard
		if err := json.Unmarshal(b, &d); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		list[filepath.Base(path)] = d
	}
	return list
}

// Grafana's own variables, as spans that no query writes by itself.
var spans = map[string]time.Duration{"__rate_interval": 4321 * time.Second, "__interval": 1234 * time.Second, "__range": 9876 * time.Second}

// parse puts variables in, each by a word of its own, and parses.
func parse(t *testing.T, d dashboard, expr string) parser.Expr {
	t.Helper()
	text := regexp.MustCompile(`\$(\w+|\{\w+\})`).ReplaceAllStringFunc(expr, func(v string) string {
		name := strings.Trim(v, "${}")
		if s, ok := spans[name]; ok {
			return s.String()
		}
		for _, x := range d.Templating.List {
			if x.Name == name {
				return "the-" + name
			}
		}
		t.Errorf("%s: there is no variable %s", expr, v)
		return "missing"
	})
	e, err := parser.NewParser(parser.Options{}).ParseExpr(text)
	if err != nil {
		t.Fatalf("%s: %v", expr, err)
	}
	return e
}

// problems are what the linter would say of a query: every selector is of the
// job and instance chosen; a counter is never looked at by itself; a rate is
// over $__rate_interval; no variable is compared but as a pattern.
func problems(e parser.Expr) (list []string) {
	parser.Inspect(e, func(node parser.Node, path []parser.Node) error {
		s, ok := node.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		for _, name := range []string{"job", "instance"} {
			if !slices.ContainsFunc(s.LabelMatchers, func(m *labels.Matcher) bool {
				return m.Name == name && m.Type == labels.MatchRegexp && m.Value == "the-"+name
			}) {
				list = append(list, s.Name+" is not of the "+name+" chosen")
			}
		}
		for _, m := range s.LabelMatchers {
			if strings.HasPrefix(m.Value, "the-") && m.Type != labels.MatchRegexp {
				list = append(list, s.Name+" compares "+m.Name+" with a variable by "+m.Type.String())
			}
		}
		function := ""
		var span time.Duration
		for i := len(path) - 1; i >= 0; i-- {
			switch n := path[i].(type) {
			case *parser.MatrixSelector:
				span = n.Range
				continue
			case *parser.Call:
				function = n.Func.Name
			}
			break
		}
		rated := function == "rate" || function == "irate"
		if rated && span != spans["__rate_interval"] {
			list = append(list, s.Name+": a "+function+" over "+span.String())
		}
		if strings.HasSuffix(s.Name, "_total") && !rated && function != "increase" {
			list = append(list, s.Name+" is a counter: rate or increase it")
		}
		return nil
	})
	return list
}

func TestQueriesAreAsPrometheusAndTheLinterWantThem(t *testing.T) {
	for name, d := range dashboards(t) {
		for _, p := range d.Panels {
			for _, q := range p.Targets {
				t.Run(name+"/"+p.Title, func(t *testing.T) {
					for _, x := range problems(parse(t, d, q.Expr)) {
						t.Error(x)
					}
				})
			}
		}
	}
}

// The rules find what they are for.
func TestTheRulesFindSomething(t *testing.T) {
	const good = `{job=~"the-job", instance=~"the-instance"`
	for expr, want := range map[string]string{
		`up`: "job", `up{job=~"the-job"}`: "instance", `up{job="the-job", instance=~"the-instance"}`: "compares",
		`a_total` + good + `}`: "counter", `rate(a_total` + good + `}[5m])`: "over 5m", `max_over_time(a_total` + good + `}[5m])`: "counter", `sum(up) + sum(up` + good + `})`: "job",
	} {
		e, err := parser.NewParser(parser.Options{}).ParseExpr(expr)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(problems(e), "; "); !strings.Contains(got, want) {
			t.Errorf("%s: %q, want something with %q", expr, got, want)
		}
	}
	for _, expr := range []string{`up` + good + `}`, `sum(rate(a_total` + good + `}[4321s]))`, `increase(a_total` + good + `}[1h])`, `last_over_time(a` + good + `}[1d])`} {
		e, err := parser.NewParser(parser.Options{}).ParseExpr(expr)
		if err != nil {
			t.Fatal(err)
		}
		if got := problems(e); len(got) > 0 {
			t.Errorf("%s: %q", expr, got)
		}
	}
}

// What a variable asks is a metric, too.
func TestVariablesAreParsed(t *testing.T) {
	form := regexp.MustCompile(`^label_values\((.+), \w+\)$`)
	for name, d := range dashboards(t) {
		for _, v := range d.Templating.List {
			if v.Type != "query" {
				continue
			}
			m := form.FindStringSubmatch(v.Query)
			if m == nil {
				t.Fatalf("%s: the variable %s asks %q", name, v.Name, v.Query)
			}
			if _, ok := parse(t, d, m[1]).(*parser.VectorSelector); !ok {
				t.Errorf("%s: the variable %s asks %q, which is no metric", name, v.Name, v.Query)
			}
		}
	}
}
