package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"coldkeep/internal/coldchain"
	"coldkeep/sensor"
)

// AddFile keeps a file for ever, and answers its SHA-256 in hex. A file that
// the record has already is not kept twice.
func (s *Store) AddFile(ctx context.Context, data []byte) (string, error) {
	if len(data) == 0 || len(data) > coldchain.MaxFile {
		return "", fmt.Errorf("record file of %d bytes: %w", len(data), coldchain.ErrFileSize)
	}
	sum := sha256.Sum256(data)
	sha := hex.EncodeToString(sum[:])
	if s.fault != nil {
		if err := s.fault("file"); err != nil {
			return "", err
		}
	}
	err := s.transact(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO files VALUES (?, ?, ?) ON CONFLICT DO NOTHING", sha, sensor.At(time.Now()), data)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("record file %s: %w", sha, err)
	}
	return sha, nil
}

// File gives a file of the record by its SHA-256 in hex; coldchain.ErrNoFile where it
// has none. Bytes that are no longer those that were kept are an error.
func (s *Store) File(ctx context.Context, sha string) ([]byte, error) {
	if s.version < 3 {
		return nil, coldchain.ErrNoFile // read only, as an older daemon left it
	}
	sha = strings.ToLower(sha)
	var data []byte
	err := s.r.QueryRowContext(ctx, "SELECT bytes FROM files WHERE sha256 = ?", sha).Scan(&data)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, coldchain.ErrNoFile
	}
	if err != nil {
		return nil, fmt.Errorf("read file %s: %w", sha, err)
	}
	if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != sha {
		return nil, fmt.Errorf("read file %s: the bytes on the disk are no longer those that were kept", sha)
	}
	return data, nil
}
