// Package store keeps the record in one SQLite file, coldkeep.db, in WAL mode
// with synchronous=FULL: what Record has answered for survives a power cut.
//
// The data model: one counter, seq, runs over readings and events in order of
// commit. A sweep is one row of inbox, packed (pack.go), so that a turn of the
// monitor dirties two pages. By the thousand, sweeps are folded into chunks:
// per chunk the sweeps' slots and clock states, per probe its readings in
// columns, compressed; about half a byte a reading. Events are rows of journal
// that triggers keep from being changed or deleted. Tables batch and placement
// repeat what the journal says, for SQL; cursor and checkpoint are the daemon's
// own memory and may be dropped. Table files keeps what belongs to the record
// as it came, by its SHA-256; table import what loggers had recorded, under the
// event that tells of it. Nobody can change either.
//
// A Store is opened by one process, which holds <dir>/lock; others may read
// (OpenReadOnly). It judges nothing.
package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

//go:embed migrations/*.sql
var migrations embed.FS

// FileName is the database within the data directory.
const FileName = "coldkeep.db"

// pageSize was measured (BenchmarkSweep32: 32 probes a sweep, ext4). Pages of
// 512, 1024, 2048 and 4096 bytes write 7.0, 7.1, 9.0 and 13.1 KiB to the device
// per sweep; smaller ones give a larger index.
const pageSize = 1024

// foldSweeps is how many sweeps the inbox gathers before they are folded.
const foldSweeps = 2048

// ErrNewerSchema says that a later coldkeep has written this directory.
var ErrNewerSchema = errors.New("the data directory was written by a newer coldkeep")

// A LockedError says that another daemon holds the data directory.
type LockedError struct {
	Dir   string
	Owner string // as the lock file tells: pid and since when
}

func (e *LockedError) Error() string {
	return fmt.Sprintf("lock %s: another coldkeep runs on it (%s): stop that one, or use another directory", e.Dir, e.Owner)
}

// A Store is an open record.
type Store struct {
	dir    string
	w      *sql.DB // one connection; nil when read-only
	r      *sql.DB
	lock   *os.File
	record string

	version int // of the schema

	mu    sync.Mutex // of Record and fold
	last  uint64     // seq
	inbox int        // sweeps in it

	numbers map[string]uint64 // of probes, as in table probe

	cache struct {
		sync.Mutex
		id     int64
		sweeps []packedSweep
	}

	// fault, in tests, makes a named operation fail.
	fault func(operation string) error
}

// Open opens or makes the record in dir, and locks it.
func Open(ctx context.Context, dir string) (*Store, error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	s := &Store{dir: dir}
	if err := s.takeLock(); err != nil {
		return nil, err
	}
	if err := s.open(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open store %s: %w", dir, err), s.Close())
	}
	return s, nil
}

// OpenReadOnly opens a record to read, also while a daemon runs on it.
func OpenReadOnly(ctx context.Context, dir string) (*Store, error) {
	s := &Store{dir: dir}
	path := filepath.Join(dir, FileName)
	if _, err := os.Stat(path); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("open store %s: there is no record here: is this the directory of `storage: dir`?", dir)
		}
		return nil, fmt.Errorf("open store: %w", err)
	}
	var err error
	if s.r, err = connect(path, true, 2); err != nil {
		return nil, err
	}
	if err := s.check(ctx, s.r); err != nil {
		return nil, errors.Join(fmt.Errorf("open store %s: %w", dir, err), s.Close())
	}
	if err := s.load(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open store %s: %w", dir, err), s.Close())
	}
	return s, nil
}

func (s *Store) takeLock() error {
	path := filepath.Join(s.dir, "lock")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o640)
	if err != nil {
		return fmt.Errorf("lock store: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		who, _ := os.ReadFile(path) // for the message only
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return &LockedError{Dir: s.dir, Owner: strings.TrimSpace(string(who))}
		}
		return fmt.Errorf("lock %s: %w", path, err)
	}
	text := fmt.Sprintf("pid %d since %s\n", os.Getpid(), time.Now().UTC().Format(time.RFC3339))
	if err := errors.Join(f.Truncate(0), writeAt(f, text)); err != nil {
		f.Close()
		return fmt.Errorf("lock %s: %w", path, err)
	}
	s.lock = f
	return nil
}

func writeAt(f *os.File, text string) error {
	_, err := f.WriteAt([]byte(text), 0)
	return err
}

// connect opens a pool whose every connection has the same settings.
func connect(path string, readOnly bool, conns int) (*sql.DB, error) {
	q := url.Values{}
	q.Add("_pragma", "busy_timeout(10000)")
	if readOnly {
		q.Add("mode", "ro")
		q.Add("_pragma", "query_only(1)")
	} else {
		q.Add("_pragma", "journal_mode(WAL)")
		q.Add("_pragma", "synchronous(FULL)")
		q.Add("_pragma", "foreign_keys(1)")
		q.Add("_txlock", "immediate")
	}
	q.Add("_pragma", "cache_size(-512)")
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?"+q.Encode())
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	return db, nil
}

func (s *Store) open(ctx context.Context) error {
	path := filepath.Join(s.dir, FileName)
	// A schema that is newer must not even be put into another mode.
	if _, err := os.Stat(path); err == nil {
		ro, err := connect(path, true, 1)
		if err != nil {
			return err
		}
		if err := errors.Join(s.check(ctx, ro), ro.Close()); err != nil {
			return err
		}
	}
	if err := layOut(ctx, path); err != nil {
		return err
	}
	var err error
	if s.w, err = connect(path, false, 1); err != nil {
		return err
	}
	if err := s.migrate(ctx); err != nil {
		return err
	}
	if s.r, err = connect(path, true, 2); err != nil {
		return err
	}
	return s.load(ctx)
}

// layOut gives a database that is empty its page size. That must come before
// the mode WAL, and a connection string does not keep the order.
func layOut(ctx context.Context, path string) error {
	if st, err := os.Stat(path); err == nil && st.Size() > 0 {
		return nil
	}
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath())
	if err != nil {
		return fmt.Errorf("open database: %w", err)
	}
	db.SetMaxOpenConns(1)
	for _, q := range []string{fmt.Sprintf("PRAGMA page_size = %d", pageSize), "PRAGMA journal_mode = WAL"} {
		if _, err := db.ExecContext(ctx, q); err != nil {
			return errors.Join(fmt.Errorf("lay out database: %w", err), db.Close())
		}
	}
	return db.Close()
}

func schemas() ([]string, error) {
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return nil, fmt.Errorf("list migrations: %w", err)
	}
	return names, nil
}

// check refuses a schema that this binary does not know.
func (s *Store) check(ctx context.Context, db *sql.DB) error {
	names, err := schemas()
	if err != nil {
		return err
	}
	var version int
	if err := db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return fmt.Errorf("read schema version: %w", err)
	}
	s.version = version
	if version > len(names) {
		return fmt.Errorf("%w: its schema is %d, this one knows up to %d: install the newer one again", ErrNewerSchema, version, len(names))
	}
	return nil
}

func (s *Store) migrate(ctx context.Context) error {
	names, err := schemas()
	if err != nil {
		return err
	}
	var version int
	if err := s.w.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return fmt.Errorf("read schema version: %w", err)
	}
	for ; version < len(names); version++ {
		text, err := migrations.ReadFile(names[version])
		if err != nil {
			return fmt.Errorf("read migration: %w", err)
		}
		err = s.transact(ctx, func(tx *sql.Tx) error {
			if _, err := tx.ExecContext(ctx, string(text)); err != nil {
				return err
			}
			if version == 0 {
				id := make([]byte, 8)
				rand.Read(id) // never fails
				if _, err := tx.ExecContext(ctx, "INSERT INTO meta VALUES ('record', ?), ('made', ?)", hex.EncodeToString(id), time.Now().UTC().Format(time.RFC3339)); err != nil {
					return err
				}
			}
			_, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", version+1))
			return err
		})
		if err != nil {
			return fmt.Errorf("migrate to schema %d: %w", version+1, err)
		}
	}
	s.version = version
	return nil
}

func (s *Store) transact(ctx context.Context, f func(tx *sql.Tx) error) error {
	tx, err := s.w.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin transaction: %w", err)
	}
	if err := f(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	if s.fault != nil {
		if err := s.fault("commit"); err != nil {
			return errors.Join(err, tx.Rollback())
		}
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// load reads what the Store holds in memory.
func (s *Store) load(ctx context.Context) error {
	if err := s.r.QueryRowContext(ctx, "SELECT value FROM meta WHERE key = 'record'").Scan(&s.record); err != nil {
		return fmt.Errorf("read record id: %w", err)
	}
	var journal, chunk uint64
	err := s.r.QueryRowContext(ctx, "SELECT (SELECT coalesce(max(seq), 0) FROM journal), (SELECT coalesce(max(last_seq), 0) FROM chunk), (SELECT count(*) FROM inbox)").
		Scan(&journal, &chunk, &s.inbox)
	if err != nil {
		return fmt.Errorf("read newest place: %w", err)
	}
	s.last = max(journal, chunk)
	names, err := probeNames(ctx, s.r)
	if err != nil {
		return err
	}
	s.numbers = map[string]uint64{}
	for n, name := range names {
		s.numbers[name] = n
	}
	rows, err := s.inboxSweeps(ctx, nil, "SELECT seq, slot, data FROM inbox ORDER BY seq DESC LIMIT 1")
	if err != nil {
		return err
	}
	for _, w := range rows {
		s.last = max(s.last, w.lastSeq())
	}
	return nil
}

// RecordID is the id made with the data directory: 16 hex digits.
func (s *Store) RecordID() string { return s.record }

// LastSeq is the newest place in the record; 0 where it is empty.
func (s *Store) LastSeq() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

// Close lets go of the directory.
func (s *Store) Close() error {
	var errs []error
	for _, db := range []*sql.DB{s.r, s.w} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	if s.lock != nil {
		// The file stays: whoever opened it meanwhile would lock a name that is gone.
		errs = append(errs, s.lock.Close())
	}
	return errors.Join(errs...)
}
