package coldchain

import (
	"fmt"
	"strings"
	"time"

	"coldkeep/sensor"
)

// Words are what people read of a batch: what it is, what to do, and why.
type Words struct {
	Headline string `json:"headline"`
	Do       string `json:"do"`
	Why      string `json:"why"`
	Tone     string `json:"tone"` // ok, wait, ask, stop: for colour and icon beside the words
}

// A Reader is for whom the words are: when it is, where, and whom to ask.
type Reader struct {
	Now      sensor.Instant
	Location *time.Location
	Ask      string // "the clinic manager, 020 7946 0000"; "" says "a manager"
}

// NewReader makes the reader at a site.
func NewReader(s Site, now sensor.Instant, loc *time.Location) Reader {
	ask := s.AskName
	if ask != "" && s.AskPhone != "" {
		ask += ", " + s.AskPhone
	} else if ask == "" {
		ask = s.AskPhone
	}
	return Reader{Now: now, Location: loc, Ask: ask}
}

func (r Reader) ask() string {
	if r.Ask == "" {
		return "a manager"
	}
	return r.Ask
}

// Day writes a day as on a calendar: 2 May, with the year where it is another.
func (r Reader) Day(t sensor.Instant) string {
	at, now := t.Time().In(r.Location), r.Now.Time().In(r.Location)
	if at.Year() != now.Year() {
		return at.Format("2 Jan 2006")
	}
	return at.Format("2 Jan")
}

// Clock writes day and time: 4 May 03:00.
func (r Reader) Clock(t sensor.Instant) string {
	return r.Day(t) + t.Time().In(r.Location).Format(" 15:04")
}

// When writes an instant in short: 13:05 where it is of today, else 4 May 13:05.
func (r Reader) When(t sensor.Instant) string {
	if r.days(t) == 0 {
		return t.Time().In(r.Location).Format("15:04")
	}
	return r.Clock(t)
}

// by writes until when: 13:05 today, 01:05 tomorrow, 13:05 on 4 May.
func (r Reader) by(t sensor.Instant) string {
	clock := t.Time().In(r.Location).Format("15:04")
	switch r.days(t) {
	case 0:
		return clock + " today"
	case 1:
		return clock + " tomorrow"
	}
	return clock + " on " + r.Day(t)
}

// days is how many days t is after today, by the reader's calendar.
func (r Reader) days(t sensor.Instant) int {
	day := func(t sensor.Instant) time.Time {
		x := t.Time().In(r.Location)
		return time.Date(x.Year(), x.Month(), x.Day(), 0, 0, 0, 0, time.UTC)
	}
	return int(day(t).Sub(day(r.Now)) / (24 * time.Hour))
}

// Span writes a time as people say it: 38 s, 12 min, 1 h 22 min, 3 d 4 h.
func Span(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	switch {
	case d < 0:
		return "0 s"
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", int(d/time.Second))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d/time.Minute))
	case d < 48*time.Hour:
		h, m := int(d/time.Hour), int(d%time.Hour/time.Minute)
		if m == 0 {
			return fmt.Sprintf("%d h", h)
		}
		return fmt.Sprintf("%d h %d min", h, m)
	}
	days, h := int(d/(24*time.Hour)), int(d%(24*time.Hour)/time.Hour)
	if h == 0 {
		return fmt.Sprintf("%d d", days)
	}
	return fmt.Sprintf("%d d %d h", days, h)
}

// Degrees writes a temperature for people: one decimal, or as many as it takes
// not to show a value that is beyond a limit as if it were at it.
func Degrees(t sensor.Temp, limits ...sensor.Temp) string {
	for _, step := range []sensor.Temp{100, 10} {
		half := step / 2
		if t < 0 {
			half = -half
		}
		shown := (t + half) / step * step
		same := false
		for _, l := range limits {
			same = same || t != l && (shown == l || (shown < l) != (t < l))
		}
		if !same {
			if step == 100 {
				return fmt.Sprintf("%.1f", shown.Celsius())
			}
			return fmt.Sprintf("%.2f", shown.Celsius())
		}
	}
	return fmt.Sprintf("%.3f", t.Celsius())
}

// Words tells a person what the record says of the batch. unit is where it
// is, nil while it is in none. Nothing is told as good unless both its verdict
// and its present state are.
func (b *BatchState) Words(r Reader, unit *UnitState) Words {
	w := b.words(r, unit)
	w.Why = strings.TrimSpace(w.Why + " " + b.CalibrationText(r.Now, r.Location))
	return w
}

func (b *BatchState) words(r Reader, unit *UnitState) Words {
	switch b.Verdict {
	case Discarded, Used:
		return Words{"NOTHING SHOULD BE LEFT", "If you hold a vial with this label, do not use it. Ask " + r.ask() + ".", "It was " + string(b.Verdict) + " on " + r.Clock(b.Since) + ".", "stop"}
	case Quarantined:
		return b.quarantineWords(r)
	case Expired:
		return b.expiredWords(r)
	case Unknown:
		return Words{"DO NOT USE: NOT KNOWN", "Ask " + r.ask() + ".", "Nothing has been recorded of it yet.", "stop"}
	case InExcursion:
		w := Words{"ASK FIRST", upper(r.ask()) + ".", b.excursionWhy(), "ask"}
		w.Why = sentences(w.Why, b.nowWhy(r, unit), b.openWhy(r), b.missingWhy())
		return w
	}
	if b.Now != NowInRange {
		w := b.waitWords(r, unit)
		w.Why = sentences(w.Why, b.openWhy(r), b.missingWhy())
		return w
	}
	return b.goodWords(r)
}

func (b *BatchState) quarantineWords(r Reader) Words {
	w := Words{"DO NOT USE", "Leave it cold and marked. Do not throw it away. Ask " + r.ask() + ".", "", "stop"}
	unknown, recalled := true, false
	var why []string
	if p := b.Proposal; p != nil {
		why = append(why, fmt.Sprintf("%s proposed on %s to %s it: a second person must sign.", p.By, r.Clock(p.At), p.Decision))
	}
	for _, x := range b.Reasons {
		if x.Released || x.Rule == RuleInUse { // of its opening openWhy tells
			continue
		}
		recalled = recalled || x.Rule == RuleRecall
		unknown = unknown && (x.Doubtful || b.isDark(x.Rule) || x.Expires())
		line := upper(x.Text) + ", " + r.Clock(x.At)
		if x.Unsupported {
			line += " (later data do not support this)"
		} else if x.Doubtful && !b.ofCycles(x.Rule) { // their text says how sure it is
			line += " (part of the time without data)"
		}
		why = append(why, line+".")
	}
	w.Why = sentences(append(why, b.openWhy(r), b.missingWhy())...)
	if recalled {
		w.Headline = "DO NOT USE: RECALLED"
	} else if unknown {
		w.Headline, w.Do = "DO NOT USE: NOT KNOWN", "It may be good; a person must decide. Ask "+r.ask()+"."
	}
	return w
}

// ofCycles says whether the rule is about freeze–thaw cycles.
func (b *BatchState) ofCycles(rule string) bool {
	r := b.Profile.rule(rule)
	return r != nil && r.FreezeThaw
}

// isDark says whether the rule is about time without data.
func (b *BatchState) isDark(rule string) bool {
	if rule == RuleUnmonitored {
		return true
	}
	for _, x := range b.Profile.Rules {
		if x.ID == rule {
			return x.Unmonitored
		}
	}
	return false
}

func (b *BatchState) waitWords(r Reader, unit *UnitState) Words {
	switch b.Now {
	case NowOutside:
		since := 0.0
		if b.OutsideSince != nil {
			since = r.Now.Sub(*b.OutsideSince).Seconds()
		}
		w := Words{"OUT OF THE FRIDGE, " + strings.ToUpper(Span(since)), "Put it back or use it.", "", "wait"}
		if len(b.Missing) > 0 || b.overBy(r.Now) != 0 || b.OpenedAt != nil && b.Profile.InUse == 0 {
			w.Do = "Put it back. Do not use it yet. Ask " + r.ask() + "."
		}
		return w
	case NowClockDoubtful:
		return Words{"WAIT: CLOCK NOT SET", "Ask " + r.ask() + ".", "Expiry not checked.", "wait"}
	case NowTooWarm, NowTooCold:
		return Words{"WAIT", upper(b.nowWhy(r, unit)) + " Shut the door. Ask " + r.ask() + ".", "", "wait"}
	}
	return Words{"WAIT", "Do not use yet. Ask " + r.ask() + ".", b.nowWhy(r, unit), "wait"}
}

// nowWhy says what is wrong at this moment; "" where nothing is.
func (b *BatchState) nowWhy(r Reader, unit *UnitState) string {
	name := "Unit"
	if unit != nil {
		name = unit.Title()
	}
	temp := ""
	if unit != nil && unit.Temp != nil {
		temp = ": " + Degrees(*unit.Temp, b.Profile.Range.Low, b.Profile.Range.High) + " °C"
	}
	switch b.Now {
	case NowTooWarm:
		return name + " too warm" + temp + "."
	case NowTooCold:
		return name + " too cold" + temp + "."
	case NowNoData:
		if unit == nil || !unit.Unmonitored {
			return "No temperature."
		}
		s := "No temperature for " + Span(r.Now.Sub(unit.UnmonitoredSince).Seconds())
		if p := unit.LastGood(); p != nil {
			s += "; last " + Degrees(p.LastGood.Temp, b.Profile.Range.Low, b.Profile.Range.High) + " °C"
		}
		return s + "."
	case NowOutside:
		return "It is out of the fridge."
	}
	return ""
}

func (b *BatchState) excursionWhy() string {
	s := b.spent()
	for _, a := range b.Allowance {
		if a.UsedS > 0 {
			s += fmt.Sprintf(" The label entered allows %s (%s); %s left.", Span(a.TotalS), a.Rule, Span(a.LeftS))
		}
	}
	return s
}

// spent tells how long and how far it was out of its range.
func (b *BatchState) spent() string {
	x := b.Exposure
	s := "Was out of " + b.Profile.RangeText() + " for " + Span(x.AboveS+x.BelowS)
	if x.AboveS > 0 && x.MaxC != nil {
		s += ", highest " + Degrees(*x.MaxC, b.Profile.Range.High)
	}
	if x.BelowS > 0 && x.MinC != nil {
		s += ", lowest " + Degrees(*x.MinC, b.Profile.Range.Low)
	}
	return s + "."
}

// Title is the unit's name, or its id where it has none.
func (u *UnitState) Title() string {
	if u.Name != "" {
		return u.Name
	}
	return u.ID
}

// LastGood is the judging probe that was read well last; nil where none was.
func (u *UnitState) LastGood() *ProbeState {
	var best *ProbeState
	for i := range u.Probes {
		p := &u.Probes[i]
		if p.Judges && p.LastGood.Time != 0 && (best == nil || p.LastGood.Time > best.LastGood.Time) {
			best = p
		}
	}
	return best
}

// Doubts says what of the probe is not certain: a reading nearer to an end of
// the unit's range than it can tell, and a calibration that is not valid; ""
// where nothing is.
func (p *ProbeState) Doubts(r Range) string {
	var s []string
	if p.Borderline {
		s = append(s, fmt.Sprintf("%s °C, nearer to the limit than the probe can tell (±%s)", Degrees(p.LastGood.Temp, r.Low, r.High), bareDegrees(p.Uncertainty)))
	}
	if p.Uncalibrated && p.Judges {
		s = append(s, "no valid calibration")
	}
	if len(s) == 0 {
		return ""
	}
	return "Probe " + p.ID + ": " + strings.Join(s, "; ") + "."
}

// Status is a word for how the unit stands, with a tone for its colour.
func (u *UnitState) Status() (word, tone string) {
	switch {
	case u.Unmonitored:
		return "NO DATA", "wait"
	case u.OutOfRange && u.Side == "high":
		return "TOO WARM", "stop"
	case u.OutOfRange:
		return "TOO COLD", "stop"
	case u.Temp != nil && (u.Range.High-*u.Temp <= 500 || *u.Temp-u.Range.Low <= 500):
		return "NEAR THE LIMIT", "ask"
	}
	return "OK", "ok"
}

func upper(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
