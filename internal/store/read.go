package store

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"coldkeep/internal/coldchain"
	"coldkeep/sensor"
)

// sweepsAfter gives sweeps with a reading beyond after, oldest first, until
// they hold limit readings or more.
func (s *Store) sweepsAfter(ctx context.Context, after uint64, limit int) ([]packedSweep, error) {
	// A fold between two looks would hide what it moves: look again then.
	for {
		before, err := s.folds(ctx)
		if err != nil {
			return nil, err
		}
		list, err := s.sweepsOnce(ctx, after, limit)
		if err != nil {
			return nil, err
		}
		now, err := s.folds(ctx)
		if err != nil || now == before {
			return list, err
		}
	}
}

func (s *Store) folds(ctx context.Context) (n int64, err error) {
	if err := s.r.QueryRowContext(ctx, "SELECT coalesce(max(id), 0) FROM chunk").Scan(&n); err != nil {
		return 0, fmt.Errorf("read chunks: %w", err)
	}
	return n, nil
}

func (s *Store) sweepsOnce(ctx context.Context, after uint64, limit int) (list []packedSweep, err error) {
	ids, err := s.chunkIDs(ctx, "SELECT id FROM chunk WHERE last_seq > ? ORDER BY last_seq", after)
	if err != nil {
		return nil, err
	}
	n := 0
	for _, id := range ids {
		if n >= limit {
			return list, nil
		}
		sweeps, err := s.chunkSweeps(ctx, id)
		if err != nil {
			return nil, err
		}
		for _, w := range sweeps {
			if w.lastSeq() > after && n < limit {
				list = append(list, w)
				n += w.beyond(after)
			}
		}
	}
	if n >= limit {
		return list, nil
	}
	// Wide sweeps are many readings: no more are unpacked than are asked for.
	found := n
	enough := func(w packedSweep) bool {
		found += w.beyond(after)
		return found >= limit
	}
	// The row that holds after may hold readings beyond it.
	inbox, err := s.inboxSweeps(ctx, enough, "SELECT seq, slot, data FROM inbox WHERE seq >= coalesce((SELECT max(seq) FROM inbox WHERE seq <= ?1), 0) ORDER BY seq LIMIT ?2", after+1, limit+1)
	if err != nil {
		return nil, err
	}
	for _, w := range inbox {
		if w.lastSeq() > after && n < limit {
			list = append(list, w)
			n += w.beyond(after)
		}
	}
	return list, nil
}

func (s *Store) chunkIDs(ctx context.Context, query string, args ...any) (ids []int64, err error) {
	rows, err := s.r.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("read chunks: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return nil, fmt.Errorf("read chunks: %w", err)
		}
		ids = append(ids, id)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read chunks: %w", err)
	}
	return ids, nil
}

// Entries gives readings and events with a seq beyond after, in order, at
// most limit.
func (s *Store) Entries(ctx context.Context, after uint64, limit int) ([]coldchain.Entry, error) {
	if limit <= 0 {
		return nil, nil
	}
	// What is recorded while this reads must not be seen in half.
	end := s.LastSeq()
	if s.w == nil {
		end = 1<<63 - 1
	}
	sweeps, err := s.sweepsAfter(ctx, after, limit)
	if err != nil {
		return nil, err
	}
	events, err := s.Events(ctx, after, limit)
	if err != nil {
		return nil, err
	}
	var list []coldchain.Entry
	for i := range sweeps {
		w := &sweeps[i].sweep
		for j := range w.Readings {
			if r := w.Readings[j]; r.Seq > after && r.Seq <= end {
				list = append(list, coldchain.Entry{Seq: r.Seq, Reading: &r, Synchronized: w.Synchronized})
			}
		}
	}
	for i := range events {
		if events[i].Seq <= end {
			list = append(list, coldchain.Entry{Seq: events[i].Seq, Event: &events[i]})
		}
	}
	slices.SortFunc(list, func(a, b coldchain.Entry) int { return cmp.Compare(a.Seq, b.Seq) })
	if len(list) > limit {
		list = list[:limit]
	}
	return list, nil
}

// Events gives the journal beyond after, in order, at most limit.
func (s *Store) Events(ctx context.Context, after uint64, limit int) ([]coldchain.Event, error) {
	return s.events(ctx, "SELECT body FROM journal WHERE seq > ? ORDER BY seq LIMIT ?", after, limit)
}

// EventsOf gives all events of some kinds, in order.
func (s *Store) EventsOf(ctx context.Context, kinds ...coldchain.Kind) ([]coldchain.Event, error) {
	marks := strings.TrimSuffix(strings.Repeat("?,", len(kinds)), ",")
	args := make([]any, len(kinds))
	for i, k := range kinds {
		args[i] = string(k)
	}
	return s.events(ctx, "SELECT body FROM journal WHERE kind IN ("+marks+") ORDER BY seq", args...)
}

// NewestOf gives the newest events of a kind before a place in the record, the
// newest first, at most limit.
func (s *Store) NewestOf(ctx context.Context, kind coldchain.Kind, before uint64, limit int) ([]coldchain.Event, error) {
	return s.events(ctx, "SELECT body FROM journal WHERE kind = ? AND seq < ? ORDER BY seq DESC LIMIT ?", string(kind), before, limit)
}

// EventByCommand gives the event that a command became.
func (s *Store) EventByCommand(ctx context.Context, id string) (coldchain.Event, bool, error) {
	list, err := s.events(ctx, "SELECT body FROM journal WHERE command = ?", id)
	if err != nil || len(list) == 0 {
		return coldchain.Event{}, false, err
	}
	return list[0], true, nil
}

func (s *Store) events(ctx context.Context, query string, args ...any) ([]coldchain.Event, error) {
	rows, err := s.r.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("read journal: %w", err)
	}
	defer rows.Close()
	var list []coldchain.Event
	for rows.Next() {
		var body sql.RawBytes
		if err := rows.Scan(&body); err != nil {
			return nil, fmt.Errorf("read journal: %w", err)
		}
		var e coldchain.Event
		if err := json.Unmarshal(body, &e); err != nil {
			return nil, fmt.Errorf("read journal: %w", err)
		}
		list = append(list, e)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read journal: %w", err)
	}
	return list, nil
}

// Readings gives a probe's readings of [from, to) in order of time, at most
// limit; of an imported logger too.
func (s *Store) Readings(ctx context.Context, probe string, from, to sensor.Instant, limit int) ([]sensor.Reading, error) {
	if strings.HasPrefix(strings.ToLower(probe), coldchain.LoggerPrefix) {
		return s.imported(ctx, probe, from, to, limit)
	}
	for {
		before, err := s.folds(ctx)
		if err != nil {
			return nil, err
		}
		list, err := s.readingsOnce(ctx, probe, from, to, limit)
		if err != nil {
			return nil, err
		}
		now, err := s.folds(ctx)
		if err != nil || now == before {
			return list, err
		}
	}
}

func (s *Store) readingsOnce(ctx context.Context, probe string, from, to sensor.Instant, limit int) ([]sensor.Reading, error) {
	list, err := s.foldedReadings(ctx, probe, from, to, limit)
	if err != nil {
		return nil, err
	}
	if len(list) < limit {
		inbox, err := s.inboxSweeps(ctx, nil, "SELECT seq, slot, data FROM inbox ORDER BY seq")
		if err != nil {
			return nil, err
		}
		for _, w := range inbox {
			for _, r := range w.sweep.Readings {
				if strings.EqualFold(r.Probe, probe) && r.Time >= from && r.Time < to {
					list = append(list, r)
				}
			}
		}
	}
	slices.SortStableFunc(list, byTime)
	if len(list) > limit {
		list = list[:limit]
	}
	return list, nil
}

// foldedReadings gives those that are in chunks.
func (s *Store) foldedReadings(ctx context.Context, probe string, from, to sensor.Instant, limit int) (list []sensor.Reading, err error) {
	rows, err := s.r.QueryContext(ctx, `SELECT c.sweeps, s.probe, s.data FROM chunk c JOIN series s ON s.chunk = c.id AND s.probe = ? COLLATE NOCASE
		WHERE c.last_time >= ? AND c.first_time < ? ORDER BY c.first_time`, probe, from, to)
	if err != nil {
		return nil, fmt.Errorf("read readings: %w", err)
	}
	defer rows.Close()
	for rows.Next() && len(list) < limit {
		var heads, data []byte
		var name string
		if err := rows.Scan(&heads, &name, &data); err != nil {
			return nil, fmt.Errorf("read readings: %w", err)
		}
		sweeps, err := unpackHeads(heads)
		if err != nil {
			return nil, fmt.Errorf("read readings: %w", err)
		}
		readings, _, err := unpackSeries(sweeps, name, data)
		if err != nil {
			return nil, fmt.Errorf("read readings: %w", err)
		}
		for _, r := range readings {
			if r.Time >= from && r.Time < to {
				list = append(list, r)
			}
		}
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read readings: %w", err)
	}
	return list, nil
}

func byTime(a, b sensor.Reading) int {
	// Never a difference as int: on a Pi Zero that has 32 bits.
	return cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.Seq, b.Seq))
}

// A span is a chunk, or the inbox (id -1), with its first and last time.
type span struct {
	id          int64
	first, last sensor.Instant
}

// spans are the chunks with readings of [from, to).
func (s *Store) spans(ctx context.Context, from, to sensor.Instant) ([]span, error) {
	rows, err := s.r.QueryContext(ctx, "SELECT id, first_time, last_time FROM chunk WHERE last_time >= ? AND first_time < ? ORDER BY first_time, id", from, to)
	if err != nil {
		return nil, fmt.Errorf("read chunks: %w", err)
	}
	var list []span
	for rows.Next() {
		var x span
		if err := rows.Scan(&x.id, &x.first, &x.last); err != nil {
			rows.Close()
			return nil, fmt.Errorf("read chunks: %w", err)
		}
		list = append(list, x)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, fmt.Errorf("read chunks: %w", err)
	}
	return list, nil
}

// EachReading gives all probes' readings of [from, to) in order of time, then
// seq, with the clock's state of their sweep. It holds one chunk at a time,
// or several where they overlap in time. What is recorded meanwhile is not
// among it.
func (s *Store) EachReading(ctx context.Context, from, to sensor.Instant, f func(r sensor.Reading, synchronized bool) error) error {
	var spans []span
	var inbox []packedSweep
	// A fold between the two looks would hide what it moves: look again then.
	for {
		before, err := s.folds(ctx)
		if err != nil {
			return err
		}
		if spans, err = s.spans(ctx, from, to); err != nil {
			return err
		}
		if inbox, err = s.inboxSweeps(ctx, nil, "SELECT seq, slot, data FROM inbox ORDER BY seq"); err != nil {
			return err
		}
		now, err := s.folds(ctx)
		if err != nil {
			return err
		}
		if now == before {
			break
		}
	}
	if len(inbox) > 0 {
		x := span{id: -1, first: inbox[0].sweep.Slot, last: inbox[0].sweep.Slot}
		for _, w := range inbox {
			for _, r := range w.sweep.Readings {
				x.first, x.last = min(x.first, r.Time), max(x.last, r.Time)
			}
		}
		spans = append(spans, x)
		slices.SortStableFunc(spans, func(a, b span) int { return cmp.Compare(a.first, b.first) })
	}
	for i := 0; i < len(spans); {
		j, end := i+1, spans[i].last
		for j < len(spans) && spans[j].first <= end {
			end = max(end, spans[j].last)
			j++
		}
		var all []packedSweep
		for _, x := range spans[i:j] {
			sweeps := inbox
			if x.id >= 0 {
				var err error
				if sweeps, err = s.chunkSweeps(ctx, x.id); err != nil {
					return err
				}
			}
			all = append(all, sweeps...)
		}
		if err := each(all, from, to, f); err != nil {
			return err
		}
		i = j
	}
	return nil
}

func each(all []packedSweep, from, to sensor.Instant, f func(r sensor.Reading, synchronized bool) error) error {
	type item struct {
		sweep, reading int
	}
	at := func(x item) sensor.Reading { return all[x.sweep].sweep.Readings[x.reading] }
	var list []item
	for i := range all {
		for j := range all[i].sweep.Readings {
			if r := all[i].sweep.Readings[j]; r.Time >= from && r.Time < to {
				list = append(list, item{i, j})
			}
		}
	}
	order := func(x, y item) int { return byTime(at(x), at(y)) }
	if !slices.IsSortedFunc(list, order) {
		slices.SortFunc(list, order)
	}
	for _, x := range list {
		if err := f(at(x), all[x.sweep].sweep.Synchronized); err != nil {
			return err
		}
	}
	return nil
}

// Checkpoint gives the newest checkpoint at before or earlier; data is nil
// where there is none.
func (s *Store) Checkpoint(ctx context.Context, before sensor.Instant) (at sensor.Instant, seq uint64, data []byte, err error) {
	err = s.r.QueryRowContext(ctx, "SELECT at, seq, data FROM checkpoint WHERE at <= ? ORDER BY at DESC LIMIT 1", before).Scan(&at, &seq, &data)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, 0, nil, nil
	}
	if err != nil {
		return 0, 0, nil, fmt.Errorf("read checkpoint: %w", err)
	}
	return at, seq, data, nil
}

// Desk gives what the part that calls people remembered at a place in the
// record; data is nil where it never did.
func (s *Store) Desk(ctx context.Context) (seq uint64, data []byte, err error) {
	if s.version < 2 {
		return 0, nil, nil // read only, as an older daemon left it
	}
	err = s.r.QueryRowContext(ctx, "SELECT seq, data FROM desk").Scan(&seq, &data)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil, nil
	}
	if err != nil {
		return 0, nil, fmt.Errorf("read desk: %w", err)
	}
	return seq, data, nil
}

// Cursors gives the followers' cursors.
func (s *Store) Cursors(ctx context.Context) (map[string]uint64, error) {
	rows, err := s.r.QueryContext(ctx, "SELECT name, seq FROM cursor")
	if err != nil {
		return nil, fmt.Errorf("read cursors: %w", err)
	}
	defer rows.Close()
	list := map[string]uint64{}
	for rows.Next() {
		var name string
		var seq uint64
		if err := rows.Scan(&name, &seq); err != nil {
			return nil, fmt.Errorf("read cursors: %w", err)
		}
		list[name] = seq
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read cursors: %w", err)
	}
	return list, nil
}
