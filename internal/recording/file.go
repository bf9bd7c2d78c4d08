// Package recording reads readings that an instrument recorded: CSV files
// with a header, with one reading a line, and the reports of Berlinger's Q-tag
// and Fridge-tag loggers. It judges nothing.
//
// Open reads recordings of any length for a replay. A file is gone
// through twice: first every line is checked, so that nothing is judged from
// a file with errors; then it is read in order of time, in constant memory
// where the file is in order itself.
//
// ReadLog reads one logger's file for the record, whole, with what the logger
// says of itself: the reports, and the tables that the programs of LogTag,
// Elitech, Biovoice and others write. What a file does not tell (zone, order of
// day and month) is asked for and never guessed.
package recording

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/bits"
	"os"
	"slices"
	"strings"
	"time"

	"coldkeep/sensor"
)

// Options say how files are to be read.
type Options struct {
	Probes   []string       // the ids of the config
	Location *time.Location // of times without a zone; nil: UTC
	SkipBad  bool           // count lines that cannot be read, and go on
}

// A File is a recording whose lines have been checked.
type File struct {
	Path    string
	Lines   int // readings
	Skipped int // lines that could not be read
	Probes  map[string]*Course

	opts    Options
	inOrder bool
	held    []sensor.Reading // where it is not
	spool   *os.File         // of standard input
	f       *os.File
	in      *bufio.Reader
	p       *parser
	line    int
}

// A Course tells how a probe was recorded in a file.
type Course struct {
	First, Last sensor.Instant
	prev        sensor.Instant
	any         bool
	counts      map[int64]int // of intervals, in ms
	run         int64         // the interval that came last, and how often in a row
	runs        int
}

// mostIntervals bounds what a file with a jittering clock can cost; beyond
// it intervals are counted to within two per cent.
const mostIntervals = 4096

// Usual is the median interval between the probe's readings; 0 with fewer
// than two readings.
func (c *Course) Usual() time.Duration {
	c.flush()
	all := slices.Sorted(maps.Keys(c.counts))
	total := 0
	for _, d := range all {
		total += c.counts[d]
	}
	seen := 0
	for _, d := range all {
		if seen += c.counts[d]; 2*seen >= total {
			return time.Duration(d) * time.Millisecond
		}
	}
	return 0
}

func (c *Course) note(t sensor.Instant) {
	if !c.any {
		c.First, c.Last, c.prev, c.any = t, t, t, true
		return
	}
	c.First, c.Last = min(c.First, t), max(c.Last, t)
	if d := int64(t - c.prev); d > 0 {
		if d != c.run {
			c.flush()
			c.run = d
		}
		c.runs++
	}
	c.prev = t
}

func (c *Course) flush() {
	if c.counts == nil {
		c.counts = map[int64]int{}
	}
	if c.runs > 0 {
		d := c.run
		if _, known := c.counts[d]; !known && len(c.counts) >= mostIntervals {
			if n := bits.Len64(uint64(d)); n > 7 {
				d = d >> (n - 7) << (n - 7)
			}
		}
		c.counts[d] += c.runs
	}
	c.runs = 0
}

// LineErrors are the lines of a file that cannot be read.
type LineErrors struct {
	First []error // at most shown
	Count int
}

const shown = 20

func (e *LineErrors) Error() string {
	var b strings.Builder
	for _, x := range e.First {
		fmt.Fprintln(&b, x)
	}
	if n := e.Count - len(e.First); n > 0 {
		fmt.Fprintf(&b, "and %d lines more", n)
	}
	return strings.TrimSpace(b.String())
}

// Open checks a whole file; "-" is standard input. All errors come at once.
func Open(path string, o Options) (*File, error) {
	if o.Location == nil {
		o.Location = time.UTC
	}
	f := &File{Path: path, opts: o, Probes: map[string]*Course{}, inOrder: true}
	if path == "-" {
		if err := f.spoolInput(); err != nil {
			return nil, err
		}
	}
	if err := f.check(); err != nil {
		f.Close()
		return nil, err
	}
	if err := f.rewind(); err != nil {
		f.Close()
		return nil, err
	}
	if !f.inOrder {
		if err := f.hold(); err != nil {
			f.Close()
			return nil, err
		}
	}
	return f, nil
}

func (f *File) spoolInput() error {
	s, err := os.CreateTemp("", "coldkeep-readings-*")
	if err != nil {
		return fmt.Errorf("spool standard input: %w", err)
	}
	f.spool, f.Path = s, "standard input"
	if _, err := io.Copy(s, os.Stdin); err != nil {
		f.Close()
		return fmt.Errorf("spool standard input: %w", err)
	}
	return nil
}

// Close lets go of the file.
func (f *File) Close() error {
	var err error
	if f.f != nil && f.f != f.spool {
		err = f.f.Close()
	}
	if f.spool != nil {
		err = errors.Join(err, f.spool.Close(), os.Remove(f.spool.Name()))
		f.spool = nil
	}
	f.f = nil
	return err
}

// rewind goes to the first line behind the header.
func (f *File) rewind() error {
	if f.spool != nil {
		if _, err := f.spool.Seek(0, io.SeekStart); err != nil {
			return fmt.Errorf("read readings: %w", err)
		}
		f.f = f.spool
	} else {
		if f.f != nil {
			f.f.Close()
		}
		x, err := os.Open(f.Path)
		if err != nil {
			return fmt.Errorf("read readings: %w", err)
		}
		f.f = x
	}
	if f.in == nil {
		f.in = bufio.NewReaderSize(f.f, 1<<18)
	} else {
		f.in.Reset(f.f)
	}
	f.line = 0
	f.p = &parser{probes: map[string]string{}, clock: clock{loc: f.opts.Location}}
	for _, id := range f.opts.Probes {
		f.p.probes[strings.ToLower(id)] = id
	}
	if len(f.opts.Probes) == 1 {
		f.p.only = f.opts.Probes[0]
	}
	head, err := f.next()
	if err == io.EOF {
		return fmt.Errorf("%s:1: the file is empty; a header is expected, such as time,temperature_c", f.Path)
	}
	if err != nil {
		return err
	}
	if isTag(head) {
		return f.tagHeader()
	}
	return f.header(head)
}

func (f *File) header(head []byte) error {
	head = bytes.TrimPrefix(head, []byte("\xef\xbb\xbf"))
	if err := f.p.split(head); err != nil {
		return fmt.Errorf("%s:1: %w", f.Path, err)
	}
	c := columns{time: -1, temp: -1, probe: -1, fault: -1, check: -1, count: len(f.p.fields)}
	var bad []string
	for i, x := range f.p.fields {
		name := strings.ToLower(string(bytes.TrimSpace(x)))
		at := map[string]*int{"time": &c.time, "temperature_c": &c.temp, "probe": &c.probe, "fault": &c.fault, "check": &c.check,
			"time_as_recorded": &c.time, "temp_c": &c.temp}[name] // the last two: of Biovoice's loggers
		switch {
		case at == nil:
		case *at >= 0:
			bad = append(bad, fmt.Sprintf("%s:1: the column %q stands here twice; one can be", f.Path, name))
		default:
			*at = i
		}
	}
	if c.time < 0 {
		bad = append(bad, fmt.Sprintf("%s:1: the column `time` is missing; the header is %q and should be such as time,temperature_c,probe", f.Path, clip(head)))
	}
	if c.temp < 0 {
		bad = append(bad, fmt.Sprintf("%s:1: the column `temperature_c` is missing; the header is %q and should be such as time,temperature_c,probe", f.Path, clip(head)))
	}
	if c.probe < 0 && f.p.only == "" {
		bad = append(bad, fmt.Sprintf("%s:1: the column `probe` is missing, and the config has %d probes: which one is it?", f.Path, len(f.opts.Probes)))
	}
	if len(bad) > 0 {
		return errors.New(strings.Join(bad, "\n"))
	}
	f.p.col = c
	return nil
}

// next gives the next line without its end, valid until the one after.
func (f *File) next() ([]byte, error) {
	f.line++
	line, err := f.in.ReadSlice('\n')
	switch {
	case err == nil:
	case errors.Is(err, bufio.ErrBufferFull):
		return nil, fmt.Errorf("%s:%d: the line is longer than %d bytes; is this a CSV file?", f.Path, f.line, f.in.Size())
	case err == io.EOF && len(line) > 0:
	case err == io.EOF:
		return nil, io.EOF
	default:
		return nil, fmt.Errorf("read %s: %w", f.Path, err)
	}
	line = bytes.TrimSuffix(line, []byte("\n"))
	line = bytes.TrimSuffix(line, []byte("\r"))
	if f.p.tag && !bytes.HasPrefix(line, []byte("\t")) {
		return nil, io.EOF // what follows its readings: its certificate and signature
	}
	return line, nil
}

// check goes through every line.
func (f *File) check() error {
	if err := f.rewind(); err != nil {
		return err
	}
	bad := &LineErrors{}
	var r sensor.Reading
	var last sensor.Instant
	var course *Course
	lastProbe := ""
	for {
		line, err := f.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		if err := f.p.parse(line, &r); err != nil {
			bad.Count++
			if len(bad.First) < shown {
				bad.First = append(bad.First, fmt.Errorf("%s:%d: %w", f.Path, f.line, err))
			}
			continue
		}
		if f.Lines > 0 && r.Time < last {
			f.inOrder = false
		}
		last = r.Time
		f.Lines++
		if course == nil || r.Probe != lastProbe {
			lastProbe = r.Probe
			if course = f.Probes[r.Probe]; course == nil {
				course = &Course{}
				f.Probes[r.Probe] = course
			}
		}
		course.note(r.Time)
	}
	if bad.Count > 0 && !f.opts.SkipBad {
		return bad
	}
	f.Skipped = bad.Count
	return nil
}

// hold takes a file that is out of order into memory.
func (f *File) hold() error {
	list := make([]sensor.Reading, 0, f.Lines)
	var r sensor.Reading
	for {
		ok, err := f.read(&r)
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		list = append(list, r)
	}
	slices.SortStableFunc(list, func(a, b sensor.Reading) int { return cmp.Compare(a.Time, b.Time) })
	f.held = list
	return nil
}

// read gives the next reading as it stands in the file.
func (f *File) read(r *sensor.Reading) (bool, error) {
	for {
		line, err := f.next()
		if err == io.EOF {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		if len(line) == 0 || len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		if err := f.p.parse(line, r); err != nil {
			if f.opts.SkipBad {
				continue
			}
			return false, fmt.Errorf("%s:%d: the file has changed while it was read: %w", f.Path, f.line, err)
		}
		return true, nil
	}
}

// Next gives the next reading in order of time, and false at the end.
func (f *File) Next(r *sensor.Reading) (bool, error) {
	if f.inOrder {
		return f.read(r)
	}
	if len(f.held) == 0 {
		return false, nil
	}
	*r, f.held = f.held[0], f.held[1:]
	return true, nil
}

// A Merger gives the readings of several files as one, in order of time; at
// one instant in the order of the files.
type Merger struct {
	heads []head
}

type head struct {
	f *File
	r sensor.Reading
}

// Merge joins files.
func Merge(files ...*File) (*Merger, error) {
	m := &Merger{}
	for _, f := range files {
		h := head{f: f}
		ok, err := f.Next(&h.r)
		if err != nil {
			return nil, err
		}
		if ok {
			m.heads = append(m.heads, h)
		}
	}
	return m, nil
}

// Next gives the next reading, and false at the end.
func (m *Merger) Next(r *sensor.Reading) (bool, error) {
	if len(m.heads) == 0 {
		return false, nil
	}
	first := 0
	for i := 1; i < len(m.heads); i++ {
		if m.heads[i].r.Time < m.heads[first].r.Time {
			first = i
		}
	}
	h := &m.heads[first]
	*r = h.r
	ok, err := h.f.Next(&h.r)
	if err != nil {
		return false, err
	}
	if !ok {
		m.heads = slices.Delete(m.heads, first, first+1)
	}
	return true, nil
}
