package grafana

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// Encode gives the file of a dashboard.
func Encode(d Dashboard) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // queries compare, and people read them
	e.SetIndent("", " ")
	err := e.Encode(d)
	return b.Bytes(), err
}

// Read reads the dashboards that stand in dir, by the names of their files. A
// key that Dashboard does not know is an error.
func Read(dir string) (map[string]Dashboard, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return nil, fmt.Errorf("list dashboards: %w", err)
	}
	list := map[string]Dashboard{}
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("read dashboard: %w", err)
		}
		var d Dashboard
		dec := json.NewDecoder(bytes.NewReader(b))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&d); err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
		list[filepath.Base(path)] = d
	}
	return list, nil
}
