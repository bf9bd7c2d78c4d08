package coldchain

import "coldkeep/sensor"

// never is later than every instant of a record.
const never = sensor.Instant(1<<63 - 1)

// ever is earlier than every instant of a record.
const ever = -never

// A span is a closed stretch of time that counted.
type span struct {
	From, To sensor.Instant
	Certain  bool
}

// A measure counts the time for which something held: beyond a limit, or
// without data. The time is certain while a reading says so, doubtful while
// none does and the stretch is still open. Between two calls of set nothing
// changes, so that it costs nothing while nothing happens.
type measure struct {
	Limit          Limit
	Open           bool           // a stretch is open
	Certain        bool           // and certain now
	Start          sensor.Instant // of the open stretch
	At             sensor.Instant // since when Open and Certain are as they are
	Sum            int64          // ms up to At, certain and doubtful
	SumCertain     int64
	StretchCertain int64  // ms of the open stretch up to At
	Window         int64  // ms that Spans must reach back; 0: none are kept
	Spans          []span // closed ones, oldest first

	in stages // it counts in these alone
	of string // the rule that it belongs to alone; "" where it is shared
}

// darkSide stands in the limit of a measure that counts time without data.
const darkSide Side = "unmonitored"

func (m *measure) dark() bool { return m.Limit.Side == darkSide }

// set says how it stands from t on, and whether that is new.
func (m *measure) set(t sensor.Instant, open, certain bool) bool {
	certain = certain && open
	if open == m.Open && certain == m.Certain {
		return false
	}
	m.fold(t)
	if open && !m.Open {
		m.Start, m.StretchCertain = t, 0
	}
	m.Open, m.Certain = open, certain
	return true
}

// fold books what has passed up to t.
func (m *measure) fold(t sensor.Instant) {
	if d := int64(t - m.At); m.Open && d > 0 {
		m.Sum += d
		if m.Certain {
			m.SumCertain += d
			m.StretchCertain += d
		}
		if m.Window > 0 {
			m.Spans = append(m.Spans, span{m.At, t, m.Certain})
		}
	}
	m.At = t
	drop := 0
	for drop < len(m.Spans) && int64(t-m.Spans[drop].To) >= m.Window {
		drop++
	}
	if drop > 0 {
		m.Spans = append(m.Spans[:0], m.Spans[drop:]...)
	}
}

// forget lets everything before t count no longer.
func (m *measure) forget(t sensor.Instant) {
	m.fold(t)
	m.Spans = m.Spans[:0]
	m.StretchCertain = 0
}

// total gives the ms up to t in the whole life.
func (m *measure) total(t sensor.Instant, certainOnly bool) int64 {
	sum := m.Sum
	if certainOnly {
		sum = m.SumCertain
	}
	if m.Open && (m.Certain || !certainOnly) {
		sum += int64(t - m.At)
	}
	return sum
}

// stretchCertain gives the certain ms of the open stretch up to t.
func (m *measure) stretchCertain(t sensor.Instant) int64 {
	if m.Open && m.Certain {
		return m.StretchCertain + int64(t-m.At)
	}
	return m.StretchCertain
}

// within gives the ms in [t−w, t). w is at most Window.
func (m *measure) within(t sensor.Instant, w int64, certainOnly bool) int64 {
	return m.between(t-sensor.Instant(w), t, certainOnly)
}

// between gives the ms in [left, t), which is at most Window long.
func (m *measure) between(left, t sensor.Instant, certainOnly bool) int64 {
	var sum int64
	for i := len(m.Spans) - 1; i >= 0; i-- {
		s := m.Spans[i]
		if s.To <= left {
			break
		}
		if s.Certain || !certainOnly {
			sum += int64(s.To - max(s.From, left))
		}
	}
	if m.Open && (m.Certain || !certainOnly) {
		sum += int64(t - max(m.At, left))
	}
	return sum
}

// reaches gives the first instant from At on at which the sum over the window
// w, without what was before since, reaches d if all stays as it is: never,
// where nothing is counted now. since is not after At. d is at most w, so that
// the open time alone reaches it in the end. While it is counted the sum
// cannot fall: what leaves the window on the left is at most what comes in on
// the right.
func (m *measure) reaches(w, d int64, since sensor.Instant, certainOnly bool) sensor.Instant {
	if !m.Open || certainOnly && !m.Certain {
		return never
	}
	t, left := m.At, m.At-sensor.Instant(w)
	need := d - m.between(max(left, since), t, certainOnly)
	if need <= 0 {
		return m.At
	}
	for _, s := range m.Spans {
		from := max(s.From, since)
		if s.To <= max(left, since) || certainOnly && !s.Certain {
			continue
		}
		if gap := int64(from - left); gap > 0 {
			if need <= gap {
				return t + sensor.Instant(need)
			}
			need -= gap
			t, left = t+sensor.Instant(gap), from
		}
		t, left = t+(s.To-left), s.To
	}
	return t + sensor.Instant(need)
}

// fallsBelow gives the first instant from t on at which the sum over the
// window w is below d if nothing more is counted.
func (m *measure) fallsBelow(t sensor.Instant, w, d int64, certainOnly bool) sensor.Instant {
	lose := m.within(t, w, certainOnly) - d + 1
	if lose <= 0 {
		return t
	}
	left := t - sensor.Instant(w)
	for _, s := range m.all(t) {
		if s.To <= left || certainOnly && !s.Certain {
			continue
		}
		if s.From > left {
			t, left = t+(s.From-left), s.From
		}
		if l := int64(s.To - left); lose > l {
			lose -= l
			t, left = t+sensor.Instant(l), s.To
			continue
		}
		return t + sensor.Instant(lose)
	}
	return never
}

// all gives the closed spans and the open one up to t.
func (m *measure) all(t sensor.Instant) []span {
	if m.Open && t > m.At {
		return append(append([]span(nil), m.Spans...), span{m.At, t, m.Certain})
	}
	return m.Spans
}
