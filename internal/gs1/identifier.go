package gs1

import (
	"fmt"
	"strings"
)

// A part is a piece of a value: digits (N) or characters (X), from least to
// most of them.
type part struct {
	set         byte // N digits, X the invariant characters of ISO 646, Y those of a file name's kind
	least, most int
	date        bool // YYMMDD
	check       bool // its last digit is a check digit
}

// An identifier tells how the value of an application identifier is made.
type identifier struct {
	parts []part
	fixed bool // its length is known to every scanner: no separator follows
}

func (a identifier) least() (n int) {
	for _, p := range a.parts {
		n += p.least
	}
	return n
}

func (a identifier) most() (n int) {
	for _, p := range a.parts {
		n += p.most
	}
	return n
}

// table has the identifiers that trade items and their deliveries carry, by
// first letters: an n stands for any digit (of 3100 the place of the decimal
// point). N6 is six digits, X..20 up to twenty characters, a d a date, a c a
// check digit. General Specifications, figure 3.2-1.
const table = `
00 N18c
01 N14c
02 N14c
03 N14c
10 X..20
11 N6d
12 N6d
13 N6d
15 N6d
16 N6d
17 N6d
20 N2
21 X..20
22 X..20
235 X..28
240 X..30
241 X..30
242 N..6
243 X..20
250 X..30
251 X..30
253 N13 X..17
254 X..20
255 N13 N..12
30 N..8
31nn N6
32nn N6
33nn N6
34nn N6
35nn N6
36nn N6
37 N..8
390n N..15
391n N3 N..15
392n N..15
393n N3 N..15
394n N4
395n N6
400 X..30
401 X..30
402 N17c
403 X..30
410 N13c
411 N13c
412 N13c
413 N13c
414 N13c
415 N13c
416 N13c
417 N13c
420 X..20
421 N3 X..9
422 N3
423 N3 N..12
424 N3
425 N3 N..12
426 N3
427 X..3
4300 X..35
4301 X..35
4302 X..70
4303 X..70
4304 X..70
4305 X..70
4306 X..70
4307 X2
4308 X..30
4309 N20
431n X..70
4320 X..35
4321 N1
4322 N1
4323 N1
4324 N10
4325 N10
4326 N6d
4330 N6 X..1
4331 N6 X..1
4332 N6 X..1
4333 N6 X..1
7001 N13
7002 X..30
7003 N10
7004 N..4
7005 X..12
7006 N6d
7007 N6 N..6
7008 X..3
7009 X..10
7010 X..2
7011 N6 N..4
7020 X..20
7021 X..20
7022 X..20
7023 X..30
703n N3 X..27
7040 N1 X3
710 X..20
711 X..20
712 X..20
713 X..20
714 X..20
715 X..20
716 X..20
723n X2 X..28
7240 X..20
8001 N14
8002 X..20
8003 N14c X..16
8004 X..30
8005 N6
8006 N14c N2 N2
8007 X..34
8008 N8 N..4
8009 X..50
8010 Y..30
8011 N..12
8012 X..20
8013 X..25
8017 N18c
8018 N18c
8019 N..10
8020 X..25
8026 N14c N2 N2
8110 X..70
8111 N4
8112 X..70
8200 X..70
90 X..30
91 X..90
92 X..90
93 X..90
94 X..90
95 X..90
96 X..90
97 X..90
98 X..90
99 X..90
`

// fixedPrefixes are those whose length scanners know (figure 7.8.5-2).
var fixedPrefixes = map[string]bool{"00": true, "01": true, "02": true, "03": true, "04": true, "11": true, "12": true, "13": true, "14": true, "15": true, "16": true,
	"17": true, "18": true, "19": true, "20": true, "31": true, "32": true, "33": true, "34": true, "35": true, "36": true, "41": true}

var identifiers = func() map[string]identifier {
	m := map[string]identifier{}
	for line := range strings.Lines(table) {
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		a := identifier{fixed: fixedPrefixes[f[0][:2]]}
		for _, s := range f[1:] {
			a.parts = append(a.parts, parsePart(s))
		}
		m[f[0]] = a
	}
	return m
}()

func parsePart(s string) part {
	p := part{set: s[0], date: strings.HasSuffix(s, "d"), check: strings.HasSuffix(s, "c")}
	s = strings.TrimRight(s[1:], "dc")
	if most, ok := strings.CutPrefix(s, ".."); ok {
		fmt.Sscan(most, &p.most)
		if p.least = 1; p.most == 1 {
			p.least = 0 // a sign that may be missing
		}
		return p
	}
	fmt.Sscan(s, &p.least)
	p.most = p.least
	return p
}

func lookUp(ai string) (identifier, bool) {
	if len(ai) < 2 || len(ai) > 4 || !digits(ai) {
		return identifier{}, false
	}
	for _, key := range []string{ai, ai[:len(ai)-1] + "n", ai[:len(ai)-2] + "nn"} {
		if a, ok := identifiers[key]; ok && len(key) == len(ai) {
			return a, true
		}
	}
	return identifier{}, false
}

// invariant are the characters of set X (figure 7.11-1), beside letters and digits.
const invariant = `!"%&'()*+,-./_:;<=>?`

func (p part) holds(c byte) bool {
	switch {
	case c >= '0' && c <= '9':
		return true
	case p.set == 'N':
		return false
	case c >= 'A' && c <= 'Z':
		return true
	case p.set == 'Y':
		return c == '#' || c == '-' || c == '/'
	}
	return c >= 'a' && c <= 'z' || strings.IndexByte(invariant, c) >= 0
}

// check holds a value against its identifier.
func (e Element) check() error {
	a, _ := lookUp(e.AI)
	v := e.Value
	if len(v) < a.least() || len(v) > a.most() {
		want := fmt.Sprintf("%d", a.most())
		if a.least() != a.most() {
			want = fmt.Sprintf("%d to %d", a.least(), a.most())
		}
		return fmt.Errorf("%q has %d characters; %s are right", v, len(v), want)
	}
	for _, p := range a.parts {
		n := min(p.most, len(v))
		s := v[:n]
		v = v[n:]
		for i := range len(s) {
			if !p.holds(s[i]) {
				what := "a character that such a code can hold"
				if p.set == 'N' {
					what = "a digit"
				}
				return fmt.Errorf("%q in %q is not %s", s[i], e.Value, what)
			}
		}
		if p.check {
			if err := CheckDigit(s); err != nil {
				return err
			}
		}
		if p.date {
			if _, _, _, err := parseDate(s); err != nil {
				return err
			}
		}
	}
	return nil
}
