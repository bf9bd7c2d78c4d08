// Command write writes the dashboards as Grafana reads them, into the
// directory that is its argument: run it with `go generate ./deploy/grafana`.
// It is no part of coldkeep.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"coldkeep/deploy/grafana"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "write: name the directory")
		os.Exit(2)
	}
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func write(dir string) error {
	for name, d := range grafana.All() {
		b, err := grafana.Encode(d)
		if err != nil {
			return fmt.Errorf("encode %s: %w", name, err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
	}
	return nil
}
