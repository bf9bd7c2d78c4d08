package recording

import (
	"bytes"
	"fmt"
	"io"
)

// isTag says whether a file's first line is that of a report of Berlinger's
// Q-tag or Fridge-tag loggers.
func isTag(first []byte) bool {
	rest, ok := bytes.CutPrefix(bytes.TrimPrefix(first, []byte("\xef\xbb\xbf")), []byte("Device: "))
	return ok && bytes.Contains(rest, []byte("-tag"))
}

// tagHeader goes to the first reading of a report: behind the line Data: and
// the head of its columns.
func (f *File) tagHeader() error {
	if f.p.only == "" {
		return fmt.Errorf("%s:1: a logger's report names no probe, and the config has %d: judge it with a config of one", f.Path, len(f.opts.Probes))
	}
	for {
		line, err := f.next()
		if err == io.EOF {
			return fmt.Errorf("%s:%d: the report has no readings (no line `Data:`): it tells of days alone; read the logger out with its detailed report", f.Path, f.line)
		}
		if err != nil {
			return err
		}
		if bytes.Equal(bytes.TrimSpace(line), []byte("Data:")) {
			break
		}
	}
	head, err := f.next()
	if err != nil && err != io.EOF {
		return err
	}
	if x := bytes.Split(head, []byte("\t")); len(x) < 3 || !bytes.HasPrefix(x[1], []byte("yyyy-MM-dd")) || string(bytes.TrimSpace(x[2])) != "T" {
		return fmt.Errorf("%s:%d: the readings' head is %q; a tab, yyyy-MM-dd hh:mm, a tab and T are expected", f.Path, f.line, clip(head))
	}
	f.p.tag = true
	f.p.col = columns{time: 0, temp: 1, probe: -1, fault: -1, check: -1, count: 2}
	return nil
}

// splitTag cuts a reading's line: a tab, the time, the temperature (--.- where
// the sensor gave none), and a mark where it was out of the logger's limits,
// which is judged anew.
func splitTag(fields [][]byte, line []byte) [][]byte {
	parts := bytes.Split(bytes.TrimPrefix(line, []byte("\t")), []byte("\t"))
	if len(parts) > 2 && (len(bytes.TrimSpace(parts[2])) == 0 || string(bytes.TrimSpace(parts[2])) == "x") {
		parts = parts[:2]
	}
	return append(fields, parts...)
}
