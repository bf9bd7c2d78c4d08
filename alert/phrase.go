package alert

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A phrase is one text of a Catalogue: words with places for values.
//
//	{UNIT} TOO WARM[ {temp} °C][ ({range})][, {trend}]
//
// {name} stands for a value, {NAME} for the same value in capitals. What is in
// [ ] is left out where one of its values is not known. Where the words
// depend on a number there are two forms: one, and other.
type phrase struct {
	one, other []fragment
}

// A fragment is a stretch of text, a value or a part in [ ].
type fragment struct {
	text string
	name string
	caps bool
	opt  []fragment
}

// values are what a phrase may tell, by name; what is not known is "".
type values map[string]string

// with gives the values with one more.
func (v values) with(name, value string) values {
	out := make(values, len(v)+1)
	for k, x := range v {
		out[k] = x
	}
	out[name] = value
	return out
}

// parsePhrase reads one form of a phrase.
func parsePhrase(s string) ([]fragment, error) {
	list, rest, err := parseFragments(s, false)
	if err == nil && rest != "" {
		err = fmt.Errorf("a ] stands without its [")
	}
	return list, err
}

func parseFragments(s string, inside bool) (list []fragment, rest string, err error) {
	for s != "" {
		i := strings.IndexAny(s, "{}[]")
		if i < 0 {
			i = len(s)
		}
		if i > 0 {
			list = append(list, fragment{text: s[:i]})
			s = s[i:]
			continue
		}
		switch s[0] {
		case '}':
			return nil, "", fmt.Errorf("a } stands without its {")
		case ']':
			if !inside {
				return nil, s, nil
			}
			return list, s, nil
		case '[':
			if inside {
				return nil, "", fmt.Errorf("a [ stands within [ ]: close the first one with ]")
			}
			opt, after, err := parseFragments(s[1:], true)
			if err != nil {
				return nil, "", err
			}
			if after == "" {
				return nil, "", fmt.Errorf("a [ has no ]")
			}
			f := fragment{opt: opt}
			if len(placeholders(opt)) == 0 {
				return nil, "", fmt.Errorf("%s holds no placeholder, so that it would never be left out: write it without [ ]", s[:len(s)-len(after)+1])
			}
			list, s = append(list, f), after[1:]
		case '{':
			end := strings.IndexByte(s, '}')
			if end < 0 {
				return nil, "", fmt.Errorf("a { has no }")
			}
			name := s[1:end]
			if !isPlaceholder(name) {
				return nil, "", fmt.Errorf("{%s} is no placeholder: a name of letters stands between { and }, as in {unit}", name)
			}
			low := strings.ToLower(name)
			list, s = append(list, fragment{name: low, caps: name != low}), s[end+1:]
		}
	}
	return list, "", nil
}

// isPlaceholder says whether a name is all small or all capital letters.
func isPlaceholder(s string) bool {
	if s == "" || s != strings.ToLower(s) && s != strings.ToUpper(s) {
		return false
	}
	for _, r := range s {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && r != '_' {
			return false
		}
	}
	return true
}

// placeholders gives the names in a phrase; true where one stands outside [ ]
// and so must be known.
func placeholders(list []fragment) map[string]bool {
	out := map[string]bool{}
	for _, f := range list {
		if f.name != "" {
			out[f.name] = true
		}
		for name := range placeholders(f.opt) {
			if !out[name] { // it may stand outside, too
				out[name] = false
			}
		}
	}
	return out
}

// known says whether all values of the fragments are.
func known(list []fragment, v values) bool {
	for _, f := range list {
		if f.name != "" && v[f.name] == "" {
			return false
		}
	}
	return true
}

// fill puts the values in. calm writes no value in capitals: within a text
// they are harder to read than in a headline.
func (p phrase) fill(v values, n int, calm bool) string {
	list := p.other
	if n == 1 && p.one != nil {
		list = p.one
	}
	var b strings.Builder
	fillFragments(&b, list, v, calm)
	return oneLine(b.String())
}

func fillFragments(b *strings.Builder, list []fragment, v values, calm bool) {
	for _, f := range list {
		switch {
		case f.opt != nil:
			if known(f.opt, v) {
				fillFragments(b, f.opt, v, calm)
			}
		case f.name != "" && f.caps && !calm:
			b.WriteString(strings.ToUpper(v[f.name]))
		case f.name != "":
			b.WriteString(v[f.name])
		default:
			b.WriteString(f.text)
		}
	}
}

// oneLine writes a text with single spaces and nothing that cannot be printed:
// names come from people, and a line of a message must stay one.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	return strings.Join(strings.Fields(s), " ")
}

// shortWords shortens a text to n characters at the end of a word; one that
// is longer than n by itself is cut.
func shortWords(s string, n int) string {
	if runes(s) <= n {
		return s
	}
	out := ""
	for _, w := range strings.Fields(s) {
		next := strings.TrimSpace(out + " " + w)
		if runes(next)+1 > n {
			break
		}
		out = next
	}
	if out == "" {
		return Cut(s, n)
	}
	return strings.TrimRight(out, ",;:.–-") + "…"
}

// shortName shortens a name to n characters. It keeps the last words where it
// can: they are what tells fridge 1 from fridge 2.
func shortName(s string, n int) string {
	if runes(s) <= n {
		return s
	}
	words := strings.Fields(s)
	for k := min(2, len(words)-1); k > 0; k-- {
		tail := strings.Join(words[len(words)-k:], " ")
		head := strings.Join(words[:len(words)-k], " ")
		if left := n - runes(tail) - 1; left > runes(words[0]) {
			// there is more after head: it ends with … in any case
			return shortWords(head+" "+strings.Repeat("x", n), left) + " " + tail
		}
	}
	return shortWords(s, n)
}

func runes(s string) int { return utf8.RuneCountInString(s) }
