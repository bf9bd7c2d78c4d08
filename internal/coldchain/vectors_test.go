package coldchain

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"coldkeep/sensor"
)

// A vector is a file that an auditor can read and extend: what is judged, what
// must be found, a line of dashes, and the readings. testdata/README.md tells
// its form. A key that is not known fails.
type vector struct {
	cfg      Config
	lives    []Life
	readings []sensor.Reading
	until    sensor.Instant
	want     map[string][]string // by kind: alarm, excursion, gap, reason, verdict, exposure, allowance
}

// vectorTime reads 03:30, 03:30:05.250 or 2d03:30.
func vectorTime(s string) (sensor.Instant, error) {
	days := 0
	if d, rest, ok := strings.Cut(s, "d"); ok {
		n, err := strconv.Atoi(d)
		if err != nil {
			return 0, err
		}
		days, s = n, rest
	}
	for _, form := range []string{"15:04:05.999", "15:04"} {
		if t, err := time.Parse(form, s); err == nil {
			return sensor.Instant(days*86_400_000) + sensor.Instant(t.Sub(time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)).Milliseconds()), nil
		}
	}
	return 0, fmt.Errorf("time %q is not like 03:30, 03:30:05.250 or 2d03:30", s)
}

func vectorText(t sensor.Instant) string {
	d, rest := t/86_400_000, t%86_400_000
	form := "15:04"
	if rest%60_000 != 0 {
		form = "15:04:05.999"
	}
	s := rest.Time().Format(form)
	if d > 0 {
		s = fmt.Sprintf("%dd%s", d, s)
	}
	return s
}

func vectorEnd(t *sensor.Instant) string {
	if t == nil {
		return "open"
	}
	return vectorText(*t)
}

type words struct {
	list []string
	err  error
}

func (w *words) next() string {
	if len(w.list) == 0 {
		return ""
	}
	s := w.list[0]
	w.list = w.list[1:]
	return s
}

func (w *words) fail(err error) {
	if w.err == nil && err != nil {
		w.err = err
	}
}

func (w *words) temp() sensor.Temp {
	s := w.next()
	f, err := strconv.ParseFloat(s, 64)
	w.fail(err)
	t, ok := sensor.Celsius(f)
	if !ok {
		w.fail(fmt.Errorf("%q is no temperature", s))
	}
	return t
}

func (w *words) span() time.Duration {
	d, err := time.ParseDuration(w.next())
	w.fail(err)
	return d
}

func (w *words) at() sensor.Instant {
	t, err := vectorTime(w.next())
	w.fail(err)
	return t
}

func (w *words) count() int {
	n, err := strconv.Atoi(w.next())
	w.fail(err)
	return n
}

// spent reads a rule with a span, or a number of cycles.
func (w *words) spent() Spent {
	s := Spent{Rule: w.next()}
	what := w.next()
	if n, err := strconv.Atoi(what); err == nil {
		s.Cycles = n
		return s
	}
	d, err := time.ParseDuration(what)
	w.fail(err)
	s.S = d.Seconds()
	return s
}

func (w *words) ranges() Range {
	lo, hi, ok := strings.Cut(w.next(), "..")
	if !ok {
		w.fail(fmt.Errorf("a range is LOW..HIGH"))
	}
	x := words{list: []string{lo, hi}}
	r := Range{x.temp(), x.temp()}
	w.fail(x.err)
	return r
}

func readVector(file string) (v vector, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return v, err
	}
	v.want = map[string][]string{}
	head, body, ok := strings.Cut(string(text), "\n---\n")
	if !ok {
		return v, fmt.Errorf("%s: no line of three dashes before the readings", file)
	}
	for i, line := range strings.Split(head, "\n") {
		if strings.HasPrefix(line, "#") || line == "" {
			continue
		}
		key, rest, _ := strings.Cut(line, ":")
		w := &words{list: strings.Fields(rest)}
		v.line(key, w)
		if w.err != nil {
			return v, fmt.Errorf("%s:%d: %w", file, i+1, w.err)
		}
		if len(w.list) > 0 {
			return v, fmt.Errorf("%s:%d: what is %q?", file, i+1, w.list)
		}
	}
	for i, line := range strings.Split(body, "\n") {
		if strings.HasPrefix(line, "#") || line == "" {
			continue
		}
		w := &words{list: strings.Fields(line)}
		r := sensor.Reading{Time: w.at(), Probe: w.next()}
		if w.list[0] == "fault" {
			r.Fault = sensor.FaultCRC
			w.next()
		} else {
			r.Temp = w.temp()
		}
		if w.err != nil || len(w.list) > 0 {
			return v, fmt.Errorf("%s, reading %d: %q: %w", file, i+1, line, w.err)
		}
		v.readings = append(v.readings, r)
	}
	// A guard moves what the lines after it have stated.
	for i, u := range v.cfg.Units {
		v.cfg.Units[i] = u.WithGuard(u.Guard)
	}
	for i, p := range v.cfg.Profiles {
		v.cfg.Profiles[i] = p.WithGuard(p.Guard)
	}
	return v, nil
}

func (v *vector) line(key string, w *words) {
	switch key {
	case "unit": // id range max_gap probe... [guard T] [transport]
		u := Unit{ID: w.next(), Range: w.ranges(), MaxGap: w.span()}
		for len(w.list) > 0 {
			switch k := w.next(); k {
			case "guard":
				u.Guard = w.temp()
			case "transport":
				u.Transport = true
			default:
				u.Probes = append(u.Probes, UnitProbe{ID: k, Judges: true})
			}
		}
		v.cfg.Units = append(v.cfg.Units, u)
	case "probe": // of the unit before: id [medium MEDIUM] [tolerance T]
		u := &v.cfg.Units[len(v.cfg.Units)-1]
		id := w.next()
		i := slices.IndexFunc(u.Probes, func(p UnitProbe) bool { return p.ID == id })
		if i < 0 {
			w.fail(fmt.Errorf("probe: unit %s has no %q", u.ID, id))
			return
		}
		for len(w.list) > 0 {
			switch k := w.next(); k {
			case "medium":
				u.Probes[i].Medium = sensor.Medium(w.next())
			case "tolerance":
				u.Probes[i].Tolerance = w.temp()
			default:
				w.fail(fmt.Errorf("probe: unknown key %q", k))
			}
		}
	case "alarm": // of the unit before: id ...
		u := &v.cfg.Units[len(v.cfg.Units)-1]
		a := AlarmRule{ID: w.next(), Severity: Critical}
		for len(w.list) > 0 {
			switch k := w.next(); k {
			case "above", "below":
				a.Limit.Side, a.Limit.At = Side(k), w.temp()
			case "inclusive":
				a.Limit.Inclusive = true
			case "for":
				a.For = w.span()
			case "total":
				a.Total = w.span()
			case "within":
				a.Within = w.span()
			case "no_data":
				a.NoData = w.span()
			case "clear":
				a.Clear = &Clear{At: w.temp(), For: w.span()}
			default:
				w.fail(fmt.Errorf("alarm: unknown key %q", k))
			}
		}
		u.Alarms = append(u.Alarms, a)
	case "profile": // id range ...
		p := Profile{ID: w.next(), Range: w.ranges(), Unmonitored: DefaultUnmonitored, DeltaH: DefaultDeltaH, Outside: Outside{DefaultOutsideAs, DefaultOutsideGrace}}
		for len(w.list) > 0 {
			switch k := w.next(); k {
			case "confirm":
				p.Confirm = w.span()
			case "unmonitored":
				p.Unmonitored = w.span()
			case "outside":
				p.Outside = Outside{w.temp(), w.span()}
			case "thaw": // above, for, outside
				p.Thaw = Thaw{w.temp(), w.span(), w.span()}
			case "in_use":
				p.InUse = w.span()
			case "stage":
				p.Stages = append(p.Stages, StageRange{Stage(w.next()), w.ranges()})
			case "guard":
				p.Guard = w.temp()
			default:
				w.fail(fmt.Errorf("profile: unknown key %q", k))
			}
		}
		v.cfg.Profiles = append(v.cfg.Profiles, p)
	case "rule": // of the profile before: id ...
		p := &v.cfg.Profiles[len(v.cfg.Profiles)-1]
		r := Rule{ID: w.next()}
		for len(w.list) > 0 {
			switch k := w.next(); k {
			case "above", "below":
				r.Limit.Side, r.Limit.At = Side(k), w.temp()
			case "inclusive":
				r.Limit.Inclusive = true
			case "freeze_thaw":
				r.FreezeThaw, r.Cycles = true, w.count()
			case "stage":
				r.Stage = Stage(w.next())
			case "mkt_above":
				r.MKT, r.Limit = true, Limit{Side: Above, At: w.temp()}
			case "unmonitored":
				r.Unmonitored = true
			case "for":
				r.For = w.span()
			case "total":
				r.Total = w.span()
			case "within":
				r.Within = w.span()
			default:
				w.fail(fmt.Errorf("rule: unknown key %q", k))
			}
		}
		p.Rules = append(p.Rules, r)
	case "batch": // id profile unit@from-to ... [ended time]
		l := Life{ID: w.next(), Profile: w.next()}
		for len(w.list) > 0 {
			s := w.next()
			if s == "expires" {
				l.ExpiresAt = w.at()
				continue
			}
			if s == "opened" {
				l.OpenedAt = w.at()
				continue
			}
			if s == "before" {
				l.Before = append(l.Before, w.spent())
				continue
			}
			if s == "ended" {
				t := w.at()
				l.Ended = &t
				continue
			}
			unit, span, _ := strings.Cut(s, "@")
			from, to, _ := strings.Cut(span, "-")
			x := words{list: []string{from, to}}
			p := Placement{Unit: unit, From: x.at()}
			if to != "" {
				t := x.at()
				p.To = &t
			}
			w.fail(x.err)
			l.Placements = append(l.Placements, p)
		}
		v.lives = append(v.lives, l)
	case "dispose": // batch release|discard time [rule...] [allow rule what] [use_by time]
		id, what, at := w.next(), w.next(), w.at()
		d := Disposition{At: at, Discard: what == "discard", By: "Anna Example", Reason: "for the vector"}
		for len(w.list) > 0 {
			switch k := w.next(); k {
			case "allow":
				d.Allow = append(d.Allow, w.spent())
			case "use_by":
				d.UseByAt, d.UseBy = w.at(), "that day"
			default:
				d.Rules = append(d.Rules, k)
			}
		}
		i := slices.IndexFunc(v.lives, func(l Life) bool { return l.ID == id })
		if i < 0 || what != "release" && what != "discard" {
			w.fail(fmt.Errorf("dispose: %q of batch %q", what, id))
			return
		}
		v.lives[i].Dispositions = append(v.lives[i].Dispositions, d)
	case "until":
		v.until = w.at()
	case "expect": // kind ... ; "expect: no alarm" empties
		kind := w.next()
		if kind == "no" {
			v.want[w.next()] = []string{}
			return
		}
		v.want[kind] = append(v.want[kind], strings.Join(w.list, " "))
		w.list = nil
	default:
		w.fail(fmt.Errorf("unknown key %q", key))
	}
}

func number(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// tell writes what was found in the vectors' form.
func tell(r Result) map[string][]string {
	got := map[string][]string{}
	add := func(kind, format string, args ...any) { got[kind] = append(got[kind], fmt.Sprintf(format, args...)) }
	for _, a := range r.Alarms {
		add("alarm", "%s %s %s %s", a.Unit, a.Rule, vectorText(a.Raised), vectorEnd(a.Cleared))
	}
	for _, a := range r.ProbeAlarms {
		add("probe_alarm", "%s %s %s %s %s", a.Unit, a.Rule, vectorText(a.Raised), vectorEnd(a.Cleared), strings.Join(a.Probes, " "))
	}
	for _, x := range r.Excursions {
		s := fmt.Sprintf("%s %s %s %s", x.Unit, x.Kind, vectorText(x.Start), vectorEnd(x.End))
		if x.UnmonitoredS > 0 {
			s += " unmonitored " + number(x.UnmonitoredS)
		}
		add("excursion", "%s", s)
	}
	for _, g := range r.Gaps {
		add("gap", "%s %s %s", g.Unit, vectorText(g.Start), vectorEnd(g.End))
	}
	for _, b := range r.Batches {
		for _, x := range b.Reasons {
			s := fmt.Sprintf("%s %s %s", b.ID, x.Rule, vectorText(x.At))
			if x.Doubtful {
				s += " doubtful"
			}
			if x.Released {
				s += " released"
			}
			add("reason", "%s", s)
		}
		add("verdict", "%s %s %s", b.ID, b.Verdict, vectorText(b.Since))
		x := b.Exposure
		add("exposure", "%s monitored %s above %s below %s unmonitored %s outside %s", b.ID, number(x.MonitoredS), number(x.AboveS), number(x.BelowS), number(x.UnmonitoredS), number(x.OutsideS))
		add("cycles", "%s at_least %d perhaps %d", b.ID, x.FreezeThawAtLeast, x.FreezeThawCycles)
		for _, a := range b.Allowance {
			if a.OfCycles() {
				add("allowance", "%s %s cycles %d left %d", b.ID, a.Rule, a.Cycles, a.CyclesLeft)
				continue
			}
			add("allowance", "%s %s used %s left %s", b.ID, a.Rule, number(a.UsedS), number(a.LeftS))
		}
	}
	return got
}

// Every vector finds what it says.
func TestVectors(t *testing.T) {
	files, err := filepath.Glob("testdata/vectors/*.txt")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d vectors (%v)", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			v, err := readVector(file)
			if err != nil {
				t.Fatal(err)
			}
			if len(v.want) == 0 {
				t.Fatal("nothing is expected")
			}
			res, err := Replay(v.cfg, v.lives, v.readings, v.until)
			if err != nil {
				t.Fatal(err)
			}
			got := tell(res)
			for kind, want := range v.want {
				if _, known := map[string]bool{"alarm": true, "probe_alarm": true, "excursion": true, "gap": true, "reason": true, "verdict": true, "exposure": true, "allowance": true, "cycles": true}[kind]; !known {
					t.Errorf("unknown kind %q", kind)
				}
				if !slices.Equal(got[kind], want) {
					t.Errorf("%s:\n got %q\nwant %q", kind, got[kind], want)
				}
			}
		})
	}
}
