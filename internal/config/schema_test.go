package config

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

// keySets gives the keys of every object in a schema.
func keySets(v any, sets *[]string) {
	switch x := v.(type) {
	case map[string]any:
		if p, ok := x["properties"].(map[string]any); ok {
			var keys []string
			for k := range p {
				keys = append(keys, k)
			}
			slices.Sort(keys)
			*sets = append(*sets, strings.Join(keys, " "))
			for _, y := range p {
				keySets(y, sets)
			}
		}
		keySets(x["items"], sets)
	}
}

// The schema knows exactly the keys that the parser knows, object by object.
func TestTheSchemaKnowsWhatTheParserKnows(t *testing.T) {
	b, err := os.ReadFile("../../configs/schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var s any
	if err := json.Unmarshal(b, &s); err != nil {
		t.Fatal(err)
	}
	var inSchema []string
	keySets(s, &inSchema)
	var inParser []string
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") || file == "batches.go" || file == "library.go" { // files of their own
			continue
		}
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`\.fields\(("[^)]*")\)`).FindAllStringSubmatch(string(src), -1) {
			keys := strings.Split(strings.ReplaceAll(m[1], `"`, ""), ", ")
			slices.Sort(keys)
			inParser = append(inParser, strings.Join(keys, " "))
		}
	}
	for _, l := range []*[]string{&inSchema, &inParser} {
		slices.Sort(*l)
		*l = slices.Compact(*l)
	}
	if !slices.Equal(inSchema, inParser) {
		t.Errorf("schema %q\nparser %q", inSchema, inParser)
	}
}

func TestTheSchemaIsGenerated(t *testing.T) {
	path := filepath.Join(t.TempDir(), "schema.json")
	if out, err := exec.Command("go", "run", "./schema", path).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	a, err1 := os.ReadFile(path)
	b, err2 := os.ReadFile("../../configs/schema.json")
	if err1 != nil || err2 != nil || string(a) != string(b) {
		t.Errorf("configs/schema.json is not what `go generate ./...` writes (%v %v)", err1, err2)
	}
	if strings.Contains(string(b), `"description": " `) || strings.Contains(string(b), `"description": ""`) {
		t.Error("the schema has something that it says nothing of")
	}
}
