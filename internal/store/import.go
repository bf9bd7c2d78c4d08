package store

import (
	"context"
	"database/sql"
	"encoding/binary"
	"fmt"
	"slices"

	"coldkeep/internal/coldchain"
	"coldkeep/sensor"
)

// An import is packed, in varints (zig-zag where signed) and compressed:
// count, then per reading: flags as of a sweep's, time − the one before (the
// first: − 0), and temp − the last one known, or the fault (length, bytes).

func packImport(list []sensor.Reading) ([]byte, error) {
	b := binary.AppendUvarint(nil, uint64(len(list)))
	var at sensor.Instant
	var temp sensor.Temp
	for i := range list {
		r := &list[i]
		f := readingFlags(r)
		b = append(b, f)
		b = binary.AppendVarint(b, int64(r.Time-at))
		at = r.Time
		if f&flagFault != 0 {
			b = appendText(b, string(r.Fault))
			continue
		}
		b = binary.AppendVarint(b, int64(r.Temp)-int64(temp))
		temp = r.Temp
		if f&flagRaw != 0 {
			b = binary.AppendVarint(b, int64(r.Temp)-int64(r.Raw))
		}
	}
	return deflate(b)
}

func unpackImport(seq uint64, probe string, data []byte) ([]sensor.Reading, error) {
	b, err := inflate(data)
	if err != nil {
		return nil, err
	}
	u := unpacker{b: b, names: map[string]string{}}
	n := u.uint()
	if n > uint64(len(u.b)) {
		return nil, errPacked
	}
	list := make([]sensor.Reading, n)
	var at sensor.Instant
	var temp sensor.Temp
	for i := range list {
		r := &list[i]
		r.Seq, r.Probe = seq, probe
		f := u.byte()
		r.Check = f&flagCheck != 0
		at += sensor.Instant(u.int())
		r.Time = at
		if f&flagFault != 0 {
			r.Fault = sensor.Fault(u.text())
			continue
		}
		temp += sensor.Temp(u.int())
		r.Temp, r.Raw = temp, temp
		if f&flagRaw != 0 {
			r.Raw = sensor.Temp(int64(r.Temp) - u.int())
		}
	}
	if u.bad || len(u.b) > 0 {
		return nil, errPacked
	}
	return list, nil
}

func writeImport(ctx context.Context, tx *sql.Tx, x *coldchain.Import) error {
	if len(x.Readings) == 0 {
		return nil // an earlier one had them all
	}
	data, err := packImport(x.Readings)
	if err != nil {
		return fmt.Errorf("record import of %s: %w", x.Probe, err)
	}
	first, last := x.Readings[0].Time, x.Readings[len(x.Readings)-1].Time
	if _, err := tx.ExecContext(ctx, "INSERT INTO import VALUES (?, ?, ?, ?, ?)", x.Seq, x.Probe, first, last, data); err != nil {
		return fmt.Errorf("record import of %s: %w", x.Probe, err)
	}
	return nil
}

// Imports gives what loggers had recorded, of those whose last reading is at
// from or later, in the order in which it was imported. probe "" is all.
func (s *Store) Imports(ctx context.Context, probe string, from sensor.Instant) ([]coldchain.Import, error) {
	if s.version < 3 {
		return nil, nil // read only, as an older daemon left it
	}
	rows, err := s.r.QueryContext(ctx, "SELECT seq, probe, data FROM import WHERE last_time >= ?1 AND (?2 = '' OR probe = ?2 COLLATE NOCASE) ORDER BY seq", from, probe)
	if err != nil {
		return nil, fmt.Errorf("read imports: %w", err)
	}
	defer rows.Close()
	var list []coldchain.Import
	for rows.Next() {
		var x coldchain.Import
		var data []byte
		if err := rows.Scan(&x.Seq, &x.Probe, &data); err != nil {
			return nil, fmt.Errorf("read imports: %w", err)
		}
		if x.Readings, err = unpackImport(x.Seq, x.Probe, data); err != nil {
			return nil, fmt.Errorf("read import %d: %w", x.Seq, err)
		}
		list = append(list, x)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read imports: %w", err)
	}
	return list, nil
}

// imported gives a logger's readings of [from, to) in order of time, at most
// limit.
func (s *Store) imported(ctx context.Context, probe string, from, to sensor.Instant, limit int) ([]sensor.Reading, error) {
	all, err := s.Imports(ctx, probe, from)
	if err != nil {
		return nil, err
	}
	var list []sensor.Reading
	for i := range all {
		for _, r := range all[i].Readings {
			if r.Time >= from && r.Time < to {
				list = append(list, r)
			}
		}
	}
	slices.SortStableFunc(list, byTime)
	return list[:min(len(list), limit)], nil
}
