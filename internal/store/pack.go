package store

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"coldkeep/sensor"
)

// A packed sweep is, in varints (zig-zag where signed):
//
//	boot (length, bytes), monotonic ms, flags (1: clock synchronized), count,
//	then per reading: seq − the one before − 1 (the first: − row's seq),
//	probe (its number in table probe), flags, time − slot, and, where there is a
//	temperature, temp and, where it differs, temp − raw; else the fault
//	(length, bytes).
//
// The flags of a reading: 1 fault, 2 under check, 4 raw differs from temp.

const (
	flagFault byte = 1 << iota
	flagCheck
	flagRaw
)

type packedSweep struct {
	seq   uint64 // of the first reading, or of the row
	sweep sensor.Sweep
}

func (p packedSweep) lastSeq() uint64 {
	if n := len(p.sweep.Readings); n > 0 {
		return p.sweep.Readings[n-1].Seq
	}
	return p.seq
}

// beyond is how many of its readings come after a place in the record.
func (p packedSweep) beyond(after uint64) int {
	n := len(p.sweep.Readings)
	for n > 0 && p.sweep.Readings[len(p.sweep.Readings)-n].Seq <= after {
		n--
	}
	return n
}

func appendText(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

func appendHead(b []byte, w *sensor.Sweep) []byte {
	b = appendText(b, w.Boot)
	b = binary.AppendVarint(b, w.Monotonic)
	var flags byte
	if w.Synchronized {
		flags = 1
	}
	return append(b, flags)
}

func readingFlags(r *sensor.Reading) (f byte) {
	if !r.Good() {
		f |= flagFault
	}
	if r.Check {
		f |= flagCheck
	}
	if r.Good() && r.Raw != r.Temp {
		f |= flagRaw
	}
	return f
}

func packSweep(w *sensor.Sweep, number map[string]uint64) []byte {
	b := appendHead(make([]byte, 0, 64+12*len(w.Readings)), w)
	b = binary.AppendUvarint(b, uint64(len(w.Readings)))
	var seq uint64
	for i := range w.Readings {
		r := &w.Readings[i]
		if i == 0 {
			seq = r.Seq - 1
		}
		b = binary.AppendUvarint(b, r.Seq-seq-1)
		seq = r.Seq
		b = binary.AppendUvarint(b, number[r.Probe])
		f := readingFlags(r)
		b = append(b, f)
		b = binary.AppendVarint(b, int64(r.Time-w.Slot))
		switch {
		case f&flagFault != 0:
			b = appendText(b, string(r.Fault))
		case f&flagRaw != 0:
			b = binary.AppendVarint(b, int64(r.Temp))
			b = binary.AppendVarint(b, int64(r.Temp)-int64(r.Raw))
		default:
			b = binary.AppendVarint(b, int64(r.Temp))
		}
	}
	return b
}

var errPacked = errors.New("the packed bytes are damaged")

// A reader of packed bytes; the first error stays.
type unpacker struct {
	b     []byte
	bad   bool
	names map[string]string // so that a fault's name is held once
}

func (u *unpacker) uint() uint64 {
	v, n := binary.Uvarint(u.b)
	if n <= 0 {
		u.bad, u.b = true, nil
		return 0
	}
	u.b = u.b[n:]
	return v
}

func (u *unpacker) int() int64 {
	v, n := binary.Varint(u.b)
	if n <= 0 {
		u.bad, u.b = true, nil
		return 0
	}
	u.b = u.b[n:]
	return v
}

func (u *unpacker) byte() byte {
	if len(u.b) == 0 {
		u.bad = true
		return 0
	}
	v := u.b[0]
	u.b = u.b[1:]
	return v
}

func (u *unpacker) text() string {
	n := u.uint()
	if n > uint64(len(u.b)) {
		u.bad, u.b = true, nil
		return ""
	}
	raw := u.b[:n]
	u.b = u.b[n:]
	if s, ok := u.names[string(raw)]; ok {
		return s
	}
	s := string(raw)
	if u.names != nil {
		u.names[s] = s
	}
	return s
}

func (u *unpacker) head(w *sensor.Sweep) {
	w.Boot = u.text()
	w.Monotonic = u.int()
	w.Synchronized = u.byte()&1 != 0
}

func unpackSweep(seq uint64, slot sensor.Instant, data []byte, names map[uint64]string) (packedSweep, error) {
	u := unpacker{b: data}
	p := packedSweep{seq: seq, sweep: sensor.Sweep{Slot: slot}}
	u.head(&p.sweep)
	n := u.uint()
	if n > uint64(len(u.b)) {
		return p, errPacked
	}
	p.sweep.Readings = make([]sensor.Reading, n)
	at := seq - 1
	for i := range p.sweep.Readings {
		r := &p.sweep.Readings[i]
		at += u.uint() + 1
		r.Seq = at
		name, known := names[u.uint()]
		if !known {
			return p, errPacked
		}
		r.Probe = name
		f := u.byte()
		r.Check = f&flagCheck != 0
		r.Time = slot + sensor.Instant(u.int())
		if f&flagFault != 0 {
			r.Fault = sensor.Fault(u.text())
			continue
		}
		r.Temp = sensor.Temp(u.int())
		r.Raw = r.Temp
		if f&flagRaw != 0 {
			r.Raw = sensor.Temp(int64(r.Temp) - u.int())
		}
	}
	if u.bad || len(u.b) > 0 {
		return p, errPacked
	}
	return p, nil
}

func deflate(b []byte) ([]byte, error) {
	var out bytes.Buffer
	z, err := flate.NewWriter(&out, flate.BestCompression)
	if err != nil {
		return nil, fmt.Errorf("compress: %w", err)
	}
	if _, err := z.Write(b); err != nil {
		return nil, fmt.Errorf("compress: %w", err)
	}
	if err := z.Close(); err != nil {
		return nil, fmt.Errorf("compress: %w", err)
	}
	return out.Bytes(), nil
}

// A chunk or a series unpacked is never larger than this.
const unpackedMost = 64 << 20

func inflate(b []byte) ([]byte, error) {
	out, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(b)), unpackedMost))
	if err != nil {
		return nil, fmt.Errorf("decompress: %w", err)
	}
	return out, nil
}

// packHeads packs what sweeps are besides their readings, compressed: per
// sweep slot and row's seq as differences, boot, monotonic as a difference,
// flags.
func packHeads(list []packedSweep) ([]byte, error) {
	var b []byte
	var slot sensor.Instant
	var seq uint64
	var mono int64
	boot := ""
	for i := range list {
		w := list[i].sweep
		b = binary.AppendVarint(b, int64(w.Slot-slot))
		b = binary.AppendUvarint(b, list[i].seq-seq)
		h := w
		if h.Boot == boot && i > 0 {
			h.Boot = ""
		} else {
			boot = w.Boot
		}
		h.Monotonic -= mono
		b = appendHead(b, &h)
		slot, seq, mono = w.Slot, list[i].seq, w.Monotonic
	}
	return deflate(b)
}

func unpackHeads(data []byte) ([]packedSweep, error) {
	raw, err := inflate(data)
	if err != nil {
		return nil, err
	}
	u := unpacker{b: raw}
	var list []packedSweep
	var p packedSweep
	for len(u.b) > 0 {
		last := p.sweep
		p.sweep = sensor.Sweep{Slot: last.Slot + sensor.Instant(u.int())}
		p.seq += u.uint()
		u.head(&p.sweep)
		if p.sweep.Boot == "" {
			p.sweep.Boot = last.Boot
		}
		p.sweep.Monotonic += last.Monotonic
		list = append(list, p)
	}
	if u.bad {
		return nil, errPacked
	}
	return list, nil
}

// A sample is a reading within a chunk: its sweep by number.
type sample struct {
	sweep int
	r     *sensor.Reading
}

// packSeries packs one probe's readings of a chunk in columns, compressed:
// count; sweep numbers as differences; seq − the sweep's; time − slot; flags;
// temperatures as differences; temp − raw; faults.
func packSeries(list []packedSweep, samples []sample) ([]byte, error) {
	b := binary.AppendUvarint(nil, uint64(len(samples)))
	last := 0
	for _, s := range samples {
		b = binary.AppendUvarint(b, uint64(s.sweep-last))
		last = s.sweep
	}
	for _, s := range samples {
		b = binary.AppendUvarint(b, s.r.Seq-list[s.sweep].seq)
	}
	for _, s := range samples {
		b = binary.AppendVarint(b, int64(s.r.Time-list[s.sweep].sweep.Slot))
	}
	for _, s := range samples {
		b = append(b, readingFlags(s.r))
	}
	var temp sensor.Temp
	for _, s := range samples {
		if s.r.Good() {
			b = binary.AppendVarint(b, int64(s.r.Temp)-int64(temp))
			temp = s.r.Temp
		}
	}
	for _, s := range samples {
		if readingFlags(s.r)&flagRaw != 0 {
			b = binary.AppendVarint(b, int64(s.r.Temp)-int64(s.r.Raw))
		}
	}
	for _, s := range samples {
		if !s.r.Good() {
			b = appendText(b, string(s.r.Fault))
		}
	}
	return deflate(b)
}

// unpackSeries gives a probe's readings in order of sweep, with the number of
// the sweep of each.
func unpackSeries(list []packedSweep, probe string, data []byte) ([]sensor.Reading, []int, error) {
	raw, err := inflate(data)
	if err != nil {
		return nil, nil, err
	}
	u := unpacker{b: raw, names: map[string]string{}}
	n := u.uint()
	if n > uint64(len(u.b)) {
		return nil, nil, errPacked
	}
	out, at := make([]sensor.Reading, n), make([]int, n)
	flags := make([]byte, n)
	last := uint64(0)
	for i := range out {
		last += u.uint()
		if last >= uint64(len(list)) {
			return nil, nil, errPacked
		}
		at[i] = int(last)
		out[i].Probe = probe
	}
	for i := range out {
		out[i].Seq = list[at[i]].seq + u.uint()
	}
	for i := range out {
		out[i].Time = list[at[i]].sweep.Slot + sensor.Instant(u.int())
	}
	for i := range out {
		flags[i] = u.byte()
		out[i].Check = flags[i]&flagCheck != 0
	}
	var temp int64
	for i := range out {
		if flags[i]&flagFault == 0 {
			temp += u.int()
			out[i].Temp, out[i].Raw = sensor.Temp(temp), sensor.Temp(temp)
		}
	}
	for i := range out {
		if flags[i]&flagRaw != 0 {
			out[i].Raw = sensor.Temp(int64(out[i].Temp) - u.int())
		}
	}
	for i := range out {
		if flags[i]&flagFault != 0 {
			out[i].Fault = sensor.Fault(u.text())
		}
	}
	if u.bad || len(u.b) > 0 {
		return nil, nil, errPacked
	}
	return out, at, nil
}
