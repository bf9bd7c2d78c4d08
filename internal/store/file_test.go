package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"coldkeep/internal/coldchain"
)

// A file is kept once, as it came, across a restart, and nobody can change it.
func TestFilesStand(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	data := bytes.Repeat([]byte("a certificate of analysis\n"), 9000)
	sum := sha256.Sum256(data)
	for range 2 {
		sha, err := s.AddFile(t.Context(), data)
		if err != nil || sha != hex.EncodeToString(sum[:]) {
			t.Fatalf("added as %s: %v", sha, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir)
	sha := hex.EncodeToString(sum[:])
	for _, name := range []string{sha, strings.ToUpper(sha)} {
		if got, err := s.File(t.Context(), name); err != nil || !bytes.Equal(got, data) {
			t.Errorf("read %d bytes: %v", len(got), err)
		}
	}
	var n int
	if err := s.r.QueryRow("SELECT count(*) FROM files").Scan(&n); err != nil || n != 1 {
		t.Errorf("%d files are kept: %v", n, err)
	}
	for _, q := range []string{"UPDATE files SET bytes = x'00'", "DELETE FROM files", "UPDATE files SET at = 0"} {
		if _, err := s.w.Exec(q); err == nil || !strings.Contains(err.Error(), "never") {
			t.Errorf("%s: %v", q, err)
		}
	}
	if _, err := s.File(t.Context(), strings.Repeat("0", 64)); !errors.Is(err, coldchain.ErrNoFile) {
		t.Errorf("a file that is not there: %v", err)
	}
	for _, bad := range [][]byte{nil, make([]byte, coldchain.MaxFile+1)} {
		if _, err := s.AddFile(t.Context(), bad); !errors.Is(err, coldchain.ErrFileSize) {
			t.Errorf("%d bytes: %v", len(bad), err)
		}
	}
	if sha, err := s.AddFile(t.Context(), make([]byte, coldchain.MaxFile)); err != nil {
		t.Errorf("20 MB: %v", err)
	} else if got, err := s.File(t.Context(), sha); err != nil || len(got) != coldchain.MaxFile {
		t.Errorf("20 MB were read as %d: %v", len(got), err)
	}
}
