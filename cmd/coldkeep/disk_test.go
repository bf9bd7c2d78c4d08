package main

import (
	"os"
	"path/filepath"
	"testing"

	"coldkeep/internal/store"
)

// The record's bytes are those of the database and of its log; a directory
// that is not there is not told as empty.
func TestTheDiskIsAsked(t *testing.T) {
	dir := t.TempDir()
	for name, n := range map[string]int{store.FileName: 3000, store.FileName + "-wal": 500, "other": 9000} {
		if err := os.WriteFile(filepath.Join(dir, name), make([]byte, n), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if size, free, known := diskOf(dir)(); size != 3500 || free == 0 || !known {
		t.Errorf("%d bytes, %d left, known %v; want 3500, more than none, true", size, free, known)
	}
	if _, _, known := diskOf(filepath.Join(dir, "gone"))(); known {
		t.Error("a directory that is not there is told of")
	}
}
