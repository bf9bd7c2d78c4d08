package coldchain

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"coldkeep/sensor"
)

// degrees writes a limit as a label does: 8, 2, -20, 7.5.
func degrees(t sensor.Temp) string {
	return strconv.FormatFloat(t.Celsius(), 'f', -1, 64) + " °C"
}

// DegreesText writes a limit as a label does: 7.5 °C.
func DegreesText(t sensor.Temp) string { return degrees(t) }

// SpanText writes a span of time as the config does: 2h, 1h30m, 7d.
func SpanText(d time.Duration) string { return durationText(d) }

// span of time as people and the config write it: 2h, 1h30m, 7d.
func durationText(d time.Duration) string {
	if d >= 48*time.Hour && d%(24*time.Hour) == 0 {
		return strconv.Itoa(int(d/(24*time.Hour))) + "d"
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

func (l Limit) text() string {
	if l.Inclusive {
		return fmt.Sprintf("at or %s %s", l.Side, degrees(l.At))
	}
	return string(l.Side) + " " + degrees(l.At)
}

// Text says in words what breaks the rule.
func (r Rule) Text() string {
	what := r.Limit.guarded(r.Guard)
	switch {
	case r.MKT:
		return fmt.Sprintf("mean kinetic temperature above %s over %s", degrees(r.Limit.At), durationText(r.Within))
	case r.FreezeThaw && r.Cycles == 0:
		return "thawed and frozen again"
	case r.FreezeThaw:
		return "thawed and frozen again more than " + CyclesText(r.Cycles, r.Cycles)
	case r.Unmonitored && r.Total == 0:
		return fmt.Sprintf("%s without temperature", durationText(r.For))
	case r.Unmonitored:
		what = "without temperature"
	}
	if r.Stage != "" {
		what += " in " + r.Stage.Words()
	}
	switch {
	case r.Total > 0 && r.Within > 0:
		return fmt.Sprintf("%s for %s in all within %s", what, durationText(r.Total), durationText(r.Within))
	case r.Total > 0:
		return fmt.Sprintf("%s for %s in all", what, durationText(r.Total))
	case r.For > 0:
		return fmt.Sprintf("%s for %s", what, durationText(r.For))
	}
	return what
}

// Text says in words what raises the alarm.
func (a AlarmRule) Text() string {
	if a.ID == RuleRemoved {
		return "this unit is no longer in the config, but batches are in it: nobody watches them"
	}
	if a.NoData > 0 {
		return fmt.Sprintf("no temperature for more than %s", durationText(a.NoData))
	}
	return Rule{Limit: a.Limit, For: a.For, Total: a.Total, Within: a.Within, Guard: a.Guard}.Text()
}

// Text says the range as a label does.
func (r Range) Text() string {
	between := "–"
	if r.Low < 0 || r.High < 0 { // a dash beside a minus is hard to read
		between = " to "
	}
	return strconv.FormatFloat(r.Low.Celsius(), 'f', -1, 64) + between + degrees(r.High)
}

func seconds(ms int64) float64 { return float64(ms) / 1000 }
