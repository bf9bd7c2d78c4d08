// Package gs1 reads what a scanner gives of a supplier's label: a GS1
// DataMatrix, GS1-128, GS1 QR or DataBar code, or the line beneath it that
// people read. It is pure: no clock, no files.
//
// The rules are those of the GS1 General Specifications, release 24, section 3:
// application identifiers (AI), their lengths and character sets, check digits
// and dates. What does not obey them is an error that says what is wrong:
// a lot that was read half is worse than one that was not read.
package gs1

import (
	"fmt"
	"slices"
	"strings"
)

// An Element is an application identifier with its value.
type Element struct{ AI, Value string }

// gs is what scanners send for FNC1, the separator behind a value whose length
// is not fixed.
const gs = '\x1d'

// symbologies are the identifiers that scanners put before what they read, of
// codes that carry GS1's elements (ISO/IEC 15424).
var symbologies = []string{"]d2", "]C1", "]Q3", "]e0", "]J1"}

// Parse reads elements from either form: with brackets, as people read them,
// (01)09512345678903(10)ABC; or as a scanner gives it: with or without the
// symbology's identifier, FNC1 as the character 29 or, typed, as ^.
func Parse(s string) ([]Element, error) {
	s = strings.TrimSpace(s)
	var list []Element
	var err error
	switch {
	case s == "":
		return nil, fmt.Errorf("read GS1 code: nothing was scanned")
	case strings.HasPrefix(s, "("):
		list, err = bracketed(s)
	default:
		list, err = scanned(s)
	}
	if err != nil {
		return nil, fmt.Errorf("read GS1 code %q: %w", s, err)
	}
	for _, e := range list {
		if err := e.check(); err != nil {
			return nil, fmt.Errorf("read GS1 code %q: (%s): %w", s, e.AI, err)
		}
	}
	for i, e := range list {
		if j := slices.IndexFunc(list[:i], func(x Element) bool { return x.AI == e.AI }); j >= 0 && list[j].Value != e.Value {
			return nil, fmt.Errorf("read GS1 code %q: (%s) stands there twice, as %q and as %q", s, e.AI, list[j].Value, e.Value)
		}
	}
	return list, nil
}

func bracketed(s string) (list []Element, err error) {
	for s != "" {
		if s[0] != '(' {
			return nil, fmt.Errorf("a bracket must open where %q begins", s)
		}
		ai, rest, ok := strings.Cut(s[1:], ")")
		if !ok {
			return nil, fmt.Errorf("the bracket that opens before %q does not close", s[1:])
		}
		if _, known := lookUp(ai); !known {
			return nil, fmt.Errorf("(%s) is no application identifier", ai)
		}
		// A value may hold brackets of its own: one that is followed by digits and
		// closes begins the next element.
		end := len(rest)
		for i := range rest {
			if rest[i] != '(' {
				continue
			}
			if next, _, ok := strings.Cut(rest[i+1:], ")"); ok && digits(next) && len(next) >= 2 && len(next) <= 4 {
				end = i
				break
			}
		}
		list = append(list, Element{ai, rest[:end]})
		s = rest[end:]
	}
	return list, nil
}

func scanned(s string) (list []Element, err error) {
	framed := false
	if s[0] == ']' {
		i := slices.IndexFunc(symbologies, func(id string) bool { return strings.HasPrefix(s, id) })
		if i < 0 {
			return nil, fmt.Errorf("%.3s is no code that carries GS1's elements", s)
		}
		s, framed = s[3:], true
	}
	if !framed {
		// A typed ^ is FNC1; behind a symbology's identifier it is no character
		// that such a code can hold there.
		s = strings.ReplaceAll(s, "^", string(gs))
	}
	s = strings.TrimPrefix(s, string(gs))
	if s == "" {
		return nil, fmt.Errorf("the code is empty")
	}
	for s != "" {
		ai, a, err := leading(s)
		if err != nil {
			return nil, err
		}
		s = s[len(ai):]
		n := strings.IndexByte(s, gs)
		if n < 0 {
			n = len(s)
		}
		if a.fixed { // no separator is needed behind it
			if n > a.most() {
				n = a.most()
			}
		}
		list = append(list, Element{ai, s[:n]})
		if s = s[n:]; s != "" && s[0] == gs {
			if s = s[1:]; s == "" && !framed {
				return nil, fmt.Errorf("a separator stands at the end")
			}
		} else if s != "" && !a.fixed {
			return nil, fmt.Errorf("(%s) has no end", ai)
		}
	}
	return list, nil
}

// leading finds the application identifier that s begins with.
func leading(s string) (string, identifier, error) {
	for n := 2; n <= min(4, len(s)); n++ {
		if a, ok := lookUp(s[:n]); ok {
			return s[:n], a, nil
		}
	}
	return "", identifier{}, fmt.Errorf("%q begins with no application identifier", s)
}

// Text gives elements as people read them: (01)09512345678903(10)ABC.
func Text(list []Element) string {
	var b strings.Builder
	for _, e := range list {
		fmt.Fprintf(&b, "(%s)%s", e.AI, e.Value)
	}
	return b.String()
}

// Encode gives elements as a code carries them, with FNC1 written as ^.
func Encode(list []Element) string {
	var b strings.Builder
	open := true // the first FNC1 says that the code is GS1's
	for _, e := range list {
		if open {
			b.WriteByte('^')
		}
		b.WriteString(e.AI + e.Value)
		a, _ := lookUp(e.AI)
		open = !a.fixed
	}
	return b.String()
}

func digits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }
