package store

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"coldkeep/internal/coldchain"
	"coldkeep/sensor"
)

// Record writes a step in one transaction. An error means that nothing of it
// was written; the same step may come again.
func (s *Store) Record(ctx context.Context, step coldchain.Step) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fault != nil {
		if err := s.fault("record"); err != nil {
			return err
		}
	}
	last := s.last
	see := func(seq uint64) error {
		if seq <= s.last {
			return fmt.Errorf("record step: seq %d was given already: the record is at %d", seq, s.last)
		}
		last = max(last, seq)
		return nil
	}
	sweeps := 0
	numbers := s.numbers
	for i := range step.Sweeps {
		for _, r := range step.Sweeps[i].Readings {
			if _, known := s.numbers[r.Probe]; !known {
				numbers = maps.Clone(s.numbers) // kept only if the transaction is
			}
		}
	}
	err := s.transact(ctx, func(tx *sql.Tx) error {
		for i := range step.Sweeps {
			w := &step.Sweeps[i]
			if len(w.Readings) == 0 {
				continue // nothing was asked: there is nothing to keep
			}
			for _, r := range w.Readings {
				if err := see(r.Seq); err != nil {
					return err
				}
			}
			if err := numberProbes(ctx, tx, w, numbers); err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, "INSERT INTO inbox VALUES (?, ?, ?)", w.Readings[0].Seq, w.Slot, packSweep(w, numbers)); err != nil {
				return fmt.Errorf("record sweep: %w", err)
			}
			sweeps++
		}
		for _, e := range step.Events {
			if err := see(e.Seq); err != nil {
				return err
			}
			if err := writeEvent(ctx, tx, e); err != nil {
				return err
			}
		}
		for i := range step.Imports {
			if err := writeImport(ctx, tx, &step.Imports[i]); err != nil {
				return err
			}
		}
		for name, seq := range step.Cursors {
			if _, err := tx.ExecContext(ctx, "INSERT INTO cursor VALUES (?, ?) ON CONFLICT DO UPDATE SET seq = excluded.seq", name, seq); err != nil {
				return fmt.Errorf("record cursor: %w", err)
			}
		}
		if step.Desk != nil {
			if _, err := tx.ExecContext(ctx, "INSERT INTO desk VALUES (1, ?, ?) ON CONFLICT DO UPDATE SET seq = excluded.seq, data = excluded.data", last, step.Desk); err != nil {
				return fmt.Errorf("record desk: %w", err)
			}
		}
		if step.Checkpoint != nil {
			return writeCheckpoint(ctx, tx, step.At, last, step.Checkpoint)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("record step: %w", err)
	}
	s.last = last
	s.numbers = numbers
	s.inbox += sweeps
	if s.inbox >= 2*foldSweeps {
		// What is folded is durable already: a failure here is tried again later.
		if err := s.fold(ctx); err != nil {
			return nil
		}
	}
	return nil
}

// numberProbes gives a number to probes that have none.
func numberProbes(ctx context.Context, tx *sql.Tx, w *sensor.Sweep, numbers map[string]uint64) error {
	for _, r := range w.Readings {
		if _, known := numbers[r.Probe]; known {
			continue
		}
		n := uint64(len(numbers))
		if _, err := tx.ExecContext(ctx, "INSERT INTO probe VALUES (?, ?)", n, r.Probe); err != nil {
			return fmt.Errorf("record probe %s: %w", r.Probe, err)
		}
		numbers[r.Probe] = n
	}
	return nil
}

// A querier is a pool, or a transaction on one of its connections.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// probeNames reads what the numbers stand for.
func probeNames(ctx context.Context, q querier) (map[uint64]string, error) {
	rows, err := q.QueryContext(ctx, "SELECT number, name FROM probe")
	if err != nil {
		return nil, fmt.Errorf("read probes: %w", err)
	}
	defer rows.Close()
	names := map[uint64]string{}
	for rows.Next() {
		var n uint64
		var name string
		if err := rows.Scan(&n, &name); err != nil {
			return nil, fmt.Errorf("read probes: %w", err)
		}
		names[n] = name
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read probes: %w", err)
	}
	return names, nil
}

func null(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func writeEvent(ctx context.Context, tx *sql.Tx, e coldchain.Event) error {
	body, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("record event %s: %w", e.Kind, err)
	}
	if _, err := tx.ExecContext(ctx, "INSERT INTO journal VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
		e.Seq, e.Time, e.Kind, null(e.Unit), null(e.Batch), null(e.ID), e.V, string(body)); err != nil {
		return fmt.Errorf("record event %s: %w", e.Kind, err)
	}
	exec := func(query string, args ...any) {
		if err == nil {
			_, err = tx.ExecContext(ctx, query, args...)
		}
	}
	leave := func() {
		out := e.Earliest()
		exec("UPDATE placement SET until = ? WHERE batch = ? AND since < ? AND (until IS NULL OR until > ?)", out, e.Batch, e.Time, out)
	}
	switch e.Kind {
	case coldchain.BatchReceived:
		exec("INSERT INTO batch VALUES (?, ?, ?, ?, ?, ?, NULL, NULL)", e.Batch, e.Profile, e.Lot, e.Vials, e.Expiry, e.Time)
	case coldchain.BatchPlaced, coldchain.BatchMoved, coldchain.BatchReturned:
		leave()
		exec("INSERT INTO placement VALUES (?, ?, ?, NULL)", e.Batch, e.Time, e.Unit)
	case coldchain.BatchTakenOut:
		leave()
	case coldchain.BatchSplit, coldchain.BatchOpened:
		if e.FromBatch == "" {
			break
		}
		exec("INSERT INTO batch SELECT ?, profile, lot, ?, expiry, received, NULL, NULL FROM batch WHERE id = ?", e.Batch, e.Count, e.FromBatch)
		exec("INSERT INTO placement SELECT ?1, since, unit, CASE WHEN until <= ?2 THEN until END FROM placement WHERE batch = ?3 AND since <= ?2", e.Batch, e.Time, e.FromBatch)
		exec("UPDATE batch SET vials = ? WHERE id = ?", e.Vials, e.FromBatch)
	case coldchain.VialsUsed, coldchain.VialsDiscarded:
		exec("UPDATE batch SET vials = ? WHERE id = ?", e.Vials, e.Batch)
	case coldchain.ProfileAdopted:
		exec("UPDATE batch SET profile = ? WHERE id = ?", e.Profile, e.Batch)
	case coldchain.ReadingsImported:
		if e.Batch != "" {
			exec("INSERT OR REPLACE INTO placement VALUES (?, ?, ?, ?)", e.Batch, e.Start, e.Unit, e.End)
		}
	case coldchain.PlacementCorrected:
		exec("UPDATE placement SET until = ? WHERE batch = ? AND until = ?", e.Time, e.Batch, e.Start)
		exec("UPDATE placement SET since = ? WHERE batch = ? AND since = ?", e.Time, e.Batch, e.Start)
	case coldchain.BatchUsed, coldchain.BatchDiscarded:
		leave()
		exec("UPDATE batch SET ended = ?, how = ? WHERE id = ?", e.Time, strings.TrimPrefix(string(e.Kind), "batch_"), e.Batch)
	}
	if err != nil {
		return fmt.Errorf("record what %s says: %w", e.Kind, err)
	}
	return nil
}

// keptCheckpoints are the newest ones; besides, one a quarter of an hour is
// kept for two hours, so that what is told a little late (how long a box was
// out) is judged anew in no time, and one a day for a week.
const keptCheckpoints = 2

func writeCheckpoint(ctx context.Context, tx *sql.Tx, at sensor.Instant, seq uint64, data []byte) error {
	if _, err := tx.ExecContext(ctx, "INSERT OR REPLACE INTO checkpoint VALUES (?, ?, ?)", at, seq, data); err != nil {
		return fmt.Errorf("record checkpoint: %w", err)
	}
	const quarter, day = 900 * 1000, 24 * 3600 * 1000
	_, err := tx.ExecContext(ctx, `DELETE FROM checkpoint WHERE at NOT IN (SELECT at FROM checkpoint ORDER BY at DESC LIMIT ?)
		AND (at < ?2 - 8 * ?3 OR at NOT IN (SELECT min(at) FROM checkpoint GROUP BY at / ?3))
		AND (at < ?2 - 8 * ?4 OR at NOT IN (SELECT min(at) FROM checkpoint GROUP BY at / ?4))`, keptCheckpoints, at, quarter, day)
	if err != nil {
		return fmt.Errorf("drop old checkpoints: %w", err)
	}
	return nil
}

// fold moves the older half of the inbox into a chunk, in one transaction.
func (s *Store) fold(ctx context.Context) error {
	list, err := s.inboxSweeps(ctx, nil, "SELECT seq, slot, data FROM inbox ORDER BY seq LIMIT ?", foldSweeps)
	if err != nil || len(list) == 0 {
		return err
	}
	heads, err := packHeads(list)
	if err != nil {
		return err
	}
	probes := map[string][]sample{}
	first, last := list[0].sweep.Slot, list[0].sweep.Slot
	for i := range list {
		for j := range list[i].sweep.Readings {
			r := &list[i].sweep.Readings[j]
			probes[r.Probe] = append(probes[r.Probe], sample{i, r})
			first, last = min(first, r.Time), max(last, r.Time)
		}
	}
	end := list[len(list)-1]
	err = s.transact(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, "INSERT INTO chunk (first_seq, last_seq, first_time, last_time, sweeps) VALUES (?, ?, ?, ?, ?)",
			list[0].seq, end.lastSeq(), first, last, heads)
		if err != nil {
			return err
		}
		id, err := res.LastInsertId()
		if err != nil {
			return err
		}
		for probe, samples := range probes {
			data, err := packSeries(list, samples)
			if err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, "INSERT INTO series VALUES (?, ?, ?)", id, probe, data); err != nil {
				return err
			}
		}
		_, err = tx.ExecContext(ctx, "DELETE FROM inbox WHERE seq <= ?", end.seq)
		return err
	})
	if err != nil {
		return fmt.Errorf("fold inbox: %w", err)
	}
	s.inbox -= len(list)
	return nil
}

// inboxSweeps reads within one transaction: what a sweep names was numbered
// before it was written, and one look sees both.
func (s *Store) inboxSweeps(ctx context.Context, enough func(packedSweep) bool, query string, args ...any) (list []packedSweep, err error) {
	tx, err := s.r.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, fmt.Errorf("read inbox: %w", err)
	}
	defer func() { err = errors.Join(err, tx.Rollback()) }()
	names, err := probeNames(ctx, tx)
	if err != nil {
		return nil, err
	}
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("read inbox: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var seq uint64
		var slot sensor.Instant
		var data sql.RawBytes
		if err := rows.Scan(&seq, &slot, &data); err != nil {
			return nil, fmt.Errorf("read inbox: %w", err)
		}
		p, err := unpackSweep(seq, slot, data, names)
		if err != nil {
			return nil, fmt.Errorf("read sweep %d of %s: %w", seq, slot, err)
		}
		if list = append(list, p); enough != nil && enough(p) {
			return list, nil
		}
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read inbox: %w", err)
	}
	return list, nil
}

// chunkSweeps gives the sweeps of a chunk, whole.
func (s *Store) chunkSweeps(ctx context.Context, id int64) ([]packedSweep, error) {
	s.cache.Lock()
	defer s.cache.Unlock()
	if s.cache.id == id && s.cache.sweeps != nil {
		return s.cache.sweeps, nil
	}
	var heads []byte
	if err := s.r.QueryRowContext(ctx, "SELECT sweeps FROM chunk WHERE id = ?", id).Scan(&heads); err != nil {
		return nil, fmt.Errorf("read chunk %d: %w", id, err)
	}
	list, err := unpackHeads(heads)
	if err != nil {
		return nil, fmt.Errorf("read chunk %d: %w", id, err)
	}
	rows, err := s.r.QueryContext(ctx, "SELECT probe, data FROM series WHERE chunk = ?", id)
	if err != nil {
		return nil, fmt.Errorf("read chunk %d: %w", id, err)
	}
	defer rows.Close()
	for rows.Next() {
		var probe string
		var data []byte
		if err := rows.Scan(&probe, &data); err != nil {
			return nil, fmt.Errorf("read chunk %d: %w", id, err)
		}
		readings, at, err := unpackSeries(list, probe, data)
		if err != nil {
			return nil, fmt.Errorf("read chunk %d, probe %s: %w", id, probe, err)
		}
		for i, r := range readings {
			w := &list[at[i]].sweep
			w.Readings = append(w.Readings, r)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read chunk %d: %w", id, err)
	}
	for i := range list {
		slices.SortFunc(list[i].sweep.Readings, func(a, b sensor.Reading) int { return cmp.Compare(a.Seq, b.Seq) })
	}
	s.cache.id, s.cache.sweeps = id, list
	return list, nil
}
