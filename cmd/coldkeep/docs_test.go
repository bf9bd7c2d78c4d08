package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/goccy/go-yaml"

	"coldkeep/alert"
	"coldkeep/internal/config"
)

// pages are those that people read.
var pages = []string{"README.md", "deploy/README.md", "deploy/oncall.md", "alert/README.md", "configs/clinic.yaml"}

func page(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("../..", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// stands is what a snippet stands in: a clinic without its people. Parts that
// the snippet brings itself are left out.
var stands = map[string]string{
	"site":   "site: {id: a, name: A, timezone: Europe/London}\n",
	"ask":    "ask: {name: the clinic manager, phone: ext. 100}\n",
	"probes": "probes: [{id: p, chip: ds18b20, bus: onewire-1, address: 28-00000c8cf9b1, medium: buffered}]\n",
	"units":  "units: [{id: fridge-1, range: {low: 2, high: 8}, probes: [p]}]\n",
	"notify": "notify: [{id: push, channel: ntfy, answers: coldkeep-answers}]\n",
	"people": "people: [{id: anna, contacts: [{channel: push, to: cold-anna}]}, {id: bert, contacts: [{channel: push, to: cold-bert}]}]\n",
}

// Every piece of configuration in the guide to calling is one that coldkeep
// takes, without a warning; every piece of words, too.
func TestTheGuidesPiecesAreTaken(t *testing.T) {
	found := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(page(t, "deploy/oncall.md"), -1)
	kinds := map[string]bool{}
	words := 0
	for _, m := range found {
		var keys map[string]any
		if err := yaml.Unmarshal([]byte(m[1]), &keys); err != nil {
			t.Errorf("%v in\n%s", err, m[1])
			continue
		}
		if keys["phrases"] != nil {
			words++
			if _, err := alert.LoadCatalogue(write(t, "words.yaml", m[1])); err != nil {
				t.Errorf("%v in\n%s", err, m[1])
			}
			continue
		}
		text := m[1]
		for _, part := range []string{"site", "ask", "probes", "units", "notify", "people"} {
			// People without their channels, or channels without people, are no config.
			alone := (part == "people" || part == "notify") && (keys["people"] != nil || keys["notify"] != nil)
			if keys[part] == nil && !alone {
				text += stands[part]
			}
		}
		cfg, err := config.Parse("oncall.md", []byte(text))
		if err != nil {
			t.Errorf("%v in\n%s", err, text)
			continue
		}
		if len(cfg.Warnings) > 0 {
			t.Errorf("%v in\n%s", cfg.Warnings, text)
		}
		for _, c := range cfg.Channels {
			kinds[c.Kind] = true
		}
	}
	for _, k := range alert.Kinds {
		if !kinds[k] {
			t.Errorf("the guide shows no channel %s", k)
		}
	}
	if words == 0 {
		t.Error("the guide shows no words of a clinic's own")
	}
}

// commandTree finds the commands of the binary by their words.
func commandTree(t *testing.T) *kong.Node {
	t.Helper()
	var c commands
	p, err := kong.New(&c, kong.Name("coldkeep"), helpWords())
	if err != nil {
		t.Fatal(err)
	}
	return p.Model.Node
}

// unknown is what a command line names that the binary has not; "" nothing.
func unknown(top *kong.Node, line string) string {
	nodes := []*kong.Node{top}
	words := strings.Fields(line)
	for len(words) > 0 {
		var next []*kong.Node
		for name := range strings.SplitSeq(words[0], "|") {
			i := slices.IndexFunc(nodes[0].Children, func(n *kong.Node) bool { return n.Name == name })
			if i < 0 {
				if len(nodes[0].Children) > 0 && len(nodes) == 1 {
					return "the command " + name
				}
				next = nil
				break
			}
			next = append(next, nodes[0].Children[i])
		}
		if next == nil {
			break
		}
		nodes, words = next, words[1:]
	}
	for _, m := range regexp.MustCompile(`--([a-z-]+)`).FindAllStringSubmatch(strings.Join(words, " "), -1) {
		known := m[1] == "help"
		for _, n := range nodes {
			for _, group := range n.AllFlags(false) {
				known = known || slices.ContainsFunc(group, func(f *kong.Flag) bool { return f.Name == m[1] })
			}
		}
		if !known {
			return "the flag --" + m[1]
		}
	}
	return ""
}

// Every command that the pages name is there, with its flags.
func TestThePagesNameCommandsThatThereAre(t *testing.T) {
	top := commandTree(t)
	for _, line := range []string{"alarms tset", "alarms test --persno bert", "frobnicate", "batch receive|pull"} {
		if unknown(top, line) == "" {
			t.Fatalf("%q would pass", line)
		}
	}
	span := regexp.MustCompile("`coldkeep ([a-z][^`]*)`")
	block := regexp.MustCompile(`(?m)^    (?:\$ )?coldkeep ([a-z][^#\n]*)`)
	for _, name := range pages {
		text := page(t, name)
		n := 0
		for _, m := range slices.Concat(span.FindAllStringSubmatch(text, -1), block.FindAllStringSubmatch(text, -1)) {
			line := strings.NewReplacer("[", "", "]", "", "\n", " ", "# ", "").Replace(m[1])
			n++
			if what := unknown(top, line); what != "" {
				t.Errorf("%s: `coldkeep %s`: %s is not there", name, m[1], what)
			}
		}
		if n == 0 && name != "alert/README.md" {
			t.Errorf("%s names no command", name)
		}
	}
}

// What the pages point to is there.
func TestThePagesPointToFilesThatThereAre(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#:]+)\)|src="([^":]+)"`)
	for _, name := range pages {
		for _, m := range link.FindAllStringSubmatch(page(t, name), -1) {
			path := filepath.Join("../..", filepath.Dir(name), m[1]+m[2])
			if _, err := os.Stat(path); err != nil {
				t.Errorf("%s points to %s: %v", name, m[1]+m[2], err)
			}
		}
	}
}

// A mistake in the clinic's own words is told by check, with its place.
func TestCheckReadsTheClinicsWords(t *testing.T) {
	words := write(t, "words.yaml", "language: en\nphrases:\n  do.door: \"Shut the {dor}.\"\n")
	file := write(t, "c.yaml", stands["site"]+stands["probes"]+stands["units"]+"words: "+words+"\n")
	code, out, _ := call(t, "check", "--config", file)
	if code != exitProblems || !strings.Contains(out, "words.yaml:3:") {
		t.Errorf("exit %d:\n%s", code, out)
	}
}

// Whoever lets the demo call a phone of her own need not write policies: then
// the demo's own people and steps are left out.
func TestTheDemoCallsOnesOwnPhone(t *testing.T) {
	mine := "notify: [{id: push, channel: ntfy, answers: my-answers}]\npeople: [{id: me, contacts: [{channel: push, to: my-topic}]}]\n"
	for name, text := range map[string]string{
		"channels and people": mine,
		"channels alone":      "notify: [{channel: ntfy, to: my-topic}]\n",
		"all of it":           mine + "policies: [{id: mine, steps: [{call: [me]}, {call: [everyone], after: 1m}]}]\n",
		"the broker alone":    "mqtt: {broker: \"tcp://127.0.0.1:1883\", commands: true}\n",
	} {
		var out, errOut strings.Builder
		c := demoCommand{With: write(t, "with.yaml", text)}
		cfg, err := c.load(&app{ctx: t.Context(), out: &out, errOut: &errOut})
		if err != nil {
			t.Errorf("%s: %v\n%s", name, err, errOut.String())
			continue
		}
		for _, p := range cfg.Duty.People {
			if name != "the broker alone" && p.ID != "me" {
				t.Errorf("%s: %s is called, too", name, p.ID)
			}
		}
	}
}
