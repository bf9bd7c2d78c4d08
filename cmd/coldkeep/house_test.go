package main

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// mayImport is the house: which package may import which of ours.
var mayImport = map[string][]string{
	"sensor":                 {},
	"sensor/chips":           {"sensor", "sensor/max31865", "sensor/max31856"},
	"sensor/max31865":        {},
	"sensor/max31856":        {},
	"sensor/chipsim":         {"sensor"},
	"alert":                  {},
	"alert/channels":         {"alert"},
	"internal/coldchain":     {"sensor"},
	"internal/gs1":           {},
	"internal/config":        {"sensor", "internal/coldchain", "alert", "internal/gs1"},
	"internal/recording":     {"sensor", "internal/coldchain"},
	"internal/monitor":       {"sensor", "internal/coldchain", "alert", "internal/gs1", "internal/recording"},
	"internal/store":         {"sensor", "internal/coldchain"},
	"internal/mqtt":          {"sensor", "internal/coldchain"},
	"internal/metrics":       {"sensor", "internal/coldchain"},
	"internal/web":           {"sensor", "internal/coldchain"},
	"internal/report":        {},
	"deploy":                 {},
	"configs/profiles":       {},
	"deploy/grafana":         {},
	"deploy/grafana/write":   {"deploy/grafana"},
	"internal/config/schema": {"alert", "sensor"},
	"cmd/coldkeep":           {"*"},
}

// Every package imports only what the house allows, and the README tells the
// same of it.
func TestTheHouseStandsAsDrawn(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "coldkeep/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		pkg := strings.TrimPrefix(f[0], "coldkeep/")
		allowed, known := mayImport[pkg]
		if !known {
			t.Errorf("package %s has no place in the house: enter it here and in the README", pkg)
			continue
		}
		seen++
		for _, imp := range f[1:] {
			if ours, is := strings.CutPrefix(imp, "coldkeep/"); is && !slices.Contains(allowed, ours) && !slices.Contains(allowed, "*") {
				t.Errorf("%s imports %s, which the house does not allow", pkg, ours)
			}
		}
		row := "all"
		if !slices.Equal(allowed, []string{"*"}) {
			row = "nothing"
			if len(allowed) > 0 {
				row = "`" + strings.Join(allowed, "`, `") + "`"
			}
		}
		if !rowSays(string(readme), pkg, row) {
			t.Errorf("the README's table does not say that %s may import %s", pkg, row)
		}
	}
	if seen != len(mayImport) {
		t.Errorf("%d packages are in the house, %d are entered", seen, len(mayImport))
	}
}

func rowSays(readme, pkg, row string) bool {
	for line := range strings.Lines(readme) {
		if strings.HasPrefix(line, "| `"+pkg+"` |") {
			return strings.HasSuffix(strings.TrimSpace(line), "| "+row+" |")
		}
	}
	return false
}
