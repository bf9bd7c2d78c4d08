package recording

import (
	"bytes"
	"fmt"
	"math"
	"strconv"

	"coldkeep/sensor"
)

// columns tells where in a line the fields are; -1: nowhere.
type columns struct {
	time, temp, probe, fault int
	check                    int // the probe was under check: kept, not judged
	count                    int
}

// A parser turns lines into readings.
type parser struct {
	col    columns
	clock  clock
	probes map[string]string // by folded id
	only   string            // the probe where no column names it
	last   []byte            // the probe named last, as written
	lastID string
	fields [][]byte
	unq    []byte
	tag    bool // the lines are those of a Berlinger report
}

// parse reads one line. The reading is complete, or the line is in error.
func (p *parser) parse(line []byte, r *sensor.Reading) error {
	if err := p.split(line); err != nil {
		return err
	}
	f := p.fields
	if len(f) > p.col.count {
		if bytes.IndexByte(line, ',') >= 0 && decimalComma(f, p.col) {
			return fmt.Errorf("%d fields where the header has %d: a decimal comma? Write 5.3, not 5,3", len(f), p.col.count)
		}
		return fmt.Errorf("%d fields where the header has %d", len(f), p.col.count)
	}
	if len(f) < p.col.count {
		return fmt.Errorf("%d fields where the header has %d: is the line cut off?", len(f), p.col.count)
	}
	t, err := p.clock.read(bytes.TrimSpace(f[p.col.time]))
	if err != nil {
		if err == errTime {
			return fmt.Errorf("%q is no time; 2026-05-02T10:36:00Z, 2026-05-02 10:36 or Unix seconds are", clip(f[p.col.time]))
		}
		return fmt.Errorf("%w; is the file in another zone? Give --timezone", err)
	}
	id := p.only
	if p.col.probe >= 0 {
		name := bytes.TrimSpace(f[p.col.probe])
		if !bytes.Equal(name, p.last) || p.lastID == "" {
			known, ok := p.probes[string(bytes.ToLower(name))]
			if !ok {
				return fmt.Errorf("probe %q is not in the config", clip(name))
			}
			p.last, p.lastID = append(p.last[:0], name...), known
		}
		id = p.lastID
	}
	*r = sensor.Reading{Probe: id, Time: t}
	if p.col.check >= 0 {
		switch s := string(bytes.TrimSpace(f[p.col.check])); s {
		case "", "0", "false":
		case "1", "true":
			r.Check = true
		default:
			return fmt.Errorf("%q: the column `check` is 1 where the probe was under check, and empty elsewhere", clip([]byte(s)))
		}
	}
	p.clock.last, p.clock.any = t, true
	if p.col.fault >= 0 {
		if s := bytes.TrimSpace(f[p.col.fault]); len(s) > 0 {
			r.Fault = sensor.Fault(s)
			return nil
		}
	}
	temp, fault, err := temperature(bytes.TrimSpace(f[p.col.temp]))
	if err != nil {
		return err
	}
	r.Temp, r.Raw, r.Fault = temp, temp, fault
	return nil
}

// decimalComma guesses whether the surplus field is the rest of a number.
func decimalComma(f [][]byte, c columns) bool {
	return len(f) == c.count+1 && c.temp+1 < len(f) && digits(bytes.TrimSpace(f[c.temp+1])) >= 0
}

func clip(b []byte) []byte {
	if len(b) > 40 {
		return append(append([]byte{}, b[:40]...), "…"...)
	}
	return b
}

// temperature reads degrees Celsius, exact to the milli-degree, half away
// from zero. Nothing or a word is a fault, not an error.
func temperature(b []byte) (sensor.Temp, sensor.Fault, error) {
	if len(b) == 0 {
		return 0, sensor.FaultMissing, nil
	}
	i, neg := 0, false
	if b[0] == '-' || b[0] == '+' {
		neg = b[0] == '-'
		i++
	}
	v, seen := int64(0), 0
	for ; i < len(b) && b[i] >= '0' && b[i] <= '9' && seen < 9; i++ {
		v = v*10 + int64(b[i]-'0')
		seen++
	}
	v *= 1000
	if i < len(b) && b[i] == '.' {
		i++
		scale := int64(100)
		up := false
		for n := 0; i < len(b) && b[i] >= '0' && b[i] <= '9'; i++ {
			seen++
			if n < 3 {
				v += int64(b[i]-'0') * scale
				scale /= 10
			} else if n == 3 {
				up = b[i] >= '5'
			}
			n++
		}
		if up {
			v++
		}
	}
	if seen == 0 || i < len(b) {
		if bytes.IndexByte(b, ',') >= 0 {
			return 0, "", fmt.Errorf("%q has a decimal comma; write 5.3, not 5,3", clip(b))
		}
		// 1e1 and the like, or a word.
		f, err := strconv.ParseFloat(string(b), 64)
		t, ok := sensor.Celsius(f)
		if err != nil || math.IsNaN(f) || !ok {
			return 0, sensor.FaultNotANumber, nil
		}
		return t, "", nil
	}
	if neg {
		v = -v
	}
	if v < int64(sensor.AbsoluteZero) || v > int64(sensor.Hottest) {
		return 0, sensor.FaultNotANumber, nil
	}
	return sensor.Temp(v), "", nil
}

// split cuts a line into fields (RFC 4180, without line breaks in quotes).
func (p *parser) split(line []byte) error {
	p.fields = p.fields[:0]
	if p.tag {
		p.fields = splitTag(p.fields, line)
		return nil
	}
	if bytes.IndexByte(line, '"') < 0 {
		for {
			i := bytes.IndexByte(line, ',')
			if i < 0 {
				p.fields = append(p.fields, line)
				return nil
			}
			p.fields = append(p.fields, line[:i])
			line = line[i+1:]
		}
	}
	p.unq = p.unq[:0]
	for {
		start := len(p.unq)
		if len(line) > 0 && line[0] == '"' {
			line = line[1:]
			for {
				i := bytes.IndexByte(line, '"')
				if i < 0 {
					return fmt.Errorf("a quote is not closed in this line")
				}
				p.unq = append(p.unq, line[:i]...)
				line = line[i+1:]
				if len(line) == 0 || line[0] != '"' {
					break
				}
				p.unq = append(p.unq, '"')
				line = line[1:]
			}
			if len(line) > 0 && line[0] != ',' {
				return fmt.Errorf("text follows a closing quote")
			}
		} else {
			i := bytes.IndexByte(line, ',')
			if i < 0 {
				i = len(line)
			}
			p.unq = append(p.unq, line[:i]...)
			line = line[i:]
		}
		p.fields = append(p.fields, bytes.Clone(p.unq[start:]))
		if len(line) == 0 {
			return nil
		}
		line = line[1:]
	}
}
