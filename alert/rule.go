package alert

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// The forms in which rules are written where they are kept. A text of
// another form is told as it is.
var (
	limitRule   = regexp.MustCompile(`^(at or )?(above|below) (-?[0-9.]+) °C(?: \((-?[0-9.]+) (?:less|and) a guard of ([0-9.]+)\))?(?: for ([0-9.a-z]+)( in all)?)?(?: within ([0-9.a-z]+))?$`)
	kineticRule = regexp.MustCompile(`^mean kinetic temperature above (-?[0-9.]+) °C over ([0-9.a-z]+)$`)
	noDataRule  = regexp.MustCompile(`^no temperature for more than ([0-9.a-z]+)$`)
	lostProbe   = regexp.MustCompile(`^no temperature from probes? (.+) for more than ([0-9.a-z]+)$`)
	apartProbes = regexp.MustCompile(`^probes (\S+) \((-?[0-9.]+) °C\) and (\S+) \((-?[0-9.]+) °C\) disagree by ([0-9.]+) °C; ([0-9.]+) is (stated|usual)$`)
	doorRule    = regexp.MustCompile(`^the door is open(?: for more than ([0-9.a-z]+))?$`)
	ownRule     = regexp.MustCompile(`^the unit raises its own alarm$`)
	blindRule   = regexp.MustCompile(`^(?:([0-9.a-z]+) without temperature|without temperature for ([0-9.a-z]+) in all(?: within ([0-9.a-z]+))?)$`)
)

// rule puts a rule's text into the language.
func (c *Catalogue) rule(text string) string {
	if m := limitRule.FindStringSubmatch(text); m != nil {
		key := "rule." + strings.ReplaceAll(m[1], " ", "_") + m[2]
		v := values{"temp": c.number(m[3]), "stated": c.number(m[4]), "guard": c.number(m[5]), "within": c.ruleSpan(m[8])}
		if m[7] != "" {
			v["total"] = c.ruleSpan(m[6])
		} else {
			v["span"] = c.ruleSpan(m[6])
		}
		return c.say(key, v)
	}
	if m := kineticRule.FindStringSubmatch(text); m != nil {
		return c.say("rule.kinetic", values{"temp": c.number(m[1]), "within": c.ruleSpan(m[2])})
	}
	if m := noDataRule.FindStringSubmatch(text); m != nil {
		return c.say("rule.no_data", values{"span": c.ruleSpan(m[1])})
	}
	if m := lostProbe.FindStringSubmatch(text); m != nil {
		return c.say("rule.probe_lost", values{"probes": strings.ReplaceAll(m[1], " and ", ", "), "span": c.ruleSpan(m[2])})
	}
	if m := apartProbes.FindStringSubmatch(text); m != nil {
		return c.say("rule.probes_disagree", values{"first": m[1], "temp": c.number(m[2]), "second": m[3], "last": c.number(m[4]), "apart": c.number(m[5]), m[7]: c.number(m[6])})
	}
	if m := doorRule.FindStringSubmatch(text); m != nil {
		return c.say("rule.door", values{"span": c.ruleSpan(m[1])})
	}
	if ownRule.MatchString(text) {
		return c.say("rule.own", nil)
	}
	if m := blindRule.FindStringSubmatch(text); m != nil {
		return c.say("rule.blind", values{"span": c.ruleSpan(m[1]), "total": c.ruleSpan(m[2]), "within": c.ruleSpan(m[3])})
	}
	return text
}

// ruleSpan puts a span such as 1h30m or 7d into the language; one that is
// finer than minutes, or cannot be read, stays as it is.
func (c *Catalogue) ruleSpan(s string) string {
	d, err := time.ParseDuration(s)
	if days, ok := strings.CutSuffix(s, "d"); ok {
		var n int
		n, err = strconv.Atoi(days)
		if n > 36500 {
			return s
		}
		d = time.Duration(n) * 24 * time.Hour
	}
	if err != nil || d < time.Minute || d%time.Minute != 0 {
		return s
	}
	return c.span(d)
}
