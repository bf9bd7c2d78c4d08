package sensor

import "time"

// An Instant is a point in time in whole milliseconds of UTC since 1970.
// The record knows no finer time. Zero is 1970, never "unset": what may be
// unset says so by other means.
type Instant int64

// At gives the instant of t, cut to the millisecond.
func At(t time.Time) Instant { return Instant(t.UnixMilli()) }

// Time gives the instant as a time.Time in UTC.
func (i Instant) Time() time.Time { return time.UnixMilli(int64(i)).UTC() }

// Add moves the instant by d, cut to the millisecond.
func (i Instant) Add(d time.Duration) Instant { return i + Instant(d.Milliseconds()) }

// Sub gives the time from j to i.
func (i Instant) Sub(j Instant) time.Duration { return time.Duration(i-j) * time.Millisecond }

// String gives RFC 3339 in UTC, with milliseconds only where there are any.
func (i Instant) String() string { return i.Time().Format("2006-01-02T15:04:05.999Z07:00") }

// MarshalText writes the form of String.
func (i Instant) MarshalText() ([]byte, error) { return []byte(i.String()), nil }

// UnmarshalText reads RFC 3339.
func (i *Instant) UnmarshalText(b []byte) error {
	t, err := time.Parse(time.RFC3339, string(b))
	if err != nil {
		return err
	}
	*i = At(t)
	return nil
}
