package monitor

import (
	"context"
	"errors"
	"fmt"

	"coldkeep/internal/coldchain"
)

// AddFile keeps a file in the record and answers its SHA-256 in hex: a file
// that is there already is not kept twice. A *coldchain.Refusal says what is
// wrong with it.
func (m *Monitor) AddFile(ctx context.Context, data []byte) (string, error) {
	sha, err := m.st.AddFile(ctx, data)
	switch {
	case errors.Is(err, coldchain.ErrFileSize):
		return "", refusal("bad_request", "a file of %d bytes is not kept: it must have at least one byte and at most 20 MB", len(data))
	case err != nil:
		return "", fmt.Errorf("keep file: %w", err)
	}
	return sha, nil
}

// File gives a file of the record by its SHA-256. A *coldchain.Refusal says
// that there is none.
func (m *Monitor) File(ctx context.Context, sha string) ([]byte, error) {
	data, err := m.st.File(ctx, sha)
	if errors.Is(err, coldchain.ErrNoFile) {
		return nil, refusal("not_found", "the record has no file %q: give the SHA-256 that was answered when it was sent, 64 hex digits", sha)
	}
	return data, err
}
