package alert

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// A CatalogueError is one thing that is wrong at one place of a file of
// words: what it is, and what would be right.
type CatalogueError struct {
	File      string
	Line, Col int // from 1
	Msg       string
}

func (e CatalogueError) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Col, e.Msg)
}

// CatalogueErrors is everything that is wrong with a file, in order of place.
type CatalogueErrors []CatalogueError

func (e CatalogueErrors) Error() string {
	lines := make([]string, len(e))
	for i, x := range e {
		lines[i] = x.Error()
	}
	return strings.Join(lines, "\n")
}

// phraseMost bounds a text: no message could hold a longer one.
const phraseMost = 200

var languageTag = regexp.MustCompile(`^[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$`)

// A wordFile is a file of words being read: it collects all that is wrong.
type wordFile struct {
	name string
	errs CatalogueErrors
	cat  *Catalogue
	base *Catalogue // whose texts it replaces; nil for the first
	pick func(language string) *Catalogue
	seen map[string]int // lines, by mapping and key
}

// readCatalogue reads one file. pick gives what a file of a language stands
// on; nil, for the shipped English, is nothing: it brings everything.
func readCatalogue(name string, data []byte, pick func(language string) *Catalogue) (*Catalogue, error) {
	f := &wordFile{name: name, pick: pick, seen: map[string]int{}}
	top := f.open(data)
	if top == nil {
		return nil, f.errs
	}
	f.read(top)
	if len(f.errs) > 0 {
		slices.SortStableFunc(f.errs, func(a, b CatalogueError) int {
			if a.Line != b.Line {
				return a.Line - b.Line
			}
			return a.Col - b.Col
		})
		return nil, f.errs
	}
	return f.cat, nil
}

// open parses a file of one document whose top is a mapping; nil where it is
// none.
func (f *wordFile) open(data []byte) []*ast.MappingValueNode {
	text := strings.ReplaceAll(strings.TrimPrefix(string(data), "\ufeff"), "\r\n", "\n")
	doc, err := parser.ParseBytes([]byte(text), 0, parser.AllowDuplicateMapKey())
	if err != nil {
		line, col, msg := 1, 1, err.Error()
		var syntax *yaml.SyntaxError
		if errors.As(err, &syntax) {
			msg = syntax.Message
			if t := syntax.Token; t != nil && t.Position != nil {
				line, col = max(1, t.Position.Line), max(1, t.Position.Column)
			}
		}
		f.errs = append(f.errs, CatalogueError{f.name, line, col, "this is no YAML: " + oneLine(msg) + "; is a text not in quotes?"})
		return nil
	}
	var body []ast.Node
	for _, d := range doc.Docs {
		if d.Body != nil {
			body = append(body, d.Body)
		}
	}
	switch {
	case len(body) == 0:
		f.errs = append(f.errs, CatalogueError{f.name, 1, 1, "the file is empty; it needs `language:` and `phrases:`"})
		return nil
	case len(body) > 1:
		f.bad(body[1], "a second document begins here; there must be one only")
		return nil
	}
	top, ok := pairs(body[0])
	if !ok {
		f.bad(body[0], "this must be a mapping with the keys language, decimal, weekdays, months, phrases")
		return nil
	}
	return top
}

// pairs gives what a mapping holds.
func pairs(n ast.Node) ([]*ast.MappingValueNode, bool) {
	switch n := n.(type) {
	case *ast.MappingNode:
		return n.Values, true
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}, true
	}
	return nil, false
}

// bad notes what is wrong at a node.
func (f *wordFile) bad(n ast.Node, format string, args ...any) {
	line, col := 1, 1
	if n != nil {
		if t := n.GetToken(); t != nil && t.Position != nil {
			line, col = max(1, t.Position.Line), max(1, t.Position.Column)
		}
	}
	f.errs = append(f.errs, CatalogueError{f.name, line, col, fmt.Sprintf(format, args...)})
}

// keyOf gives a pair's key, and notes one that stands in its mapping twice.
func (f *wordFile) keyOf(p *ast.MappingValueNode, within string) (string, bool) {
	key := strings.Trim(p.Key.String(), `"' `)
	if line, twice := f.seen[within+"\x00"+key]; twice {
		f.bad(p.Key, "%q stands in line %d already: take one of them out", key, line)
		return key, false
	}
	f.seen[within+"\x00"+key] = 1
	if t := p.Key.GetToken(); t != nil && t.Position != nil {
		f.seen[within+"\x00"+key] = t.Position.Line
	}
	return key, true
}

// text gives a scalar of one line.
func (f *wordFile) text(n ast.Node, what string) (string, bool) {
	var s string
	switch n := n.(type) {
	case *ast.StringNode:
		s = n.Value
	case *ast.LiteralNode:
		s = n.Value.Value
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		s = n.GetToken().Value
	case *ast.MappingNode, *ast.MappingValueNode, *ast.SequenceNode:
		f.bad(n, "%s must be a text: one that begins with { or [ needs quotes around it", what)
		return "", false
	case *ast.NullNode, nil:
		f.bad(n, "%s has no text: write one in quotes, or leave the key out", what)
		return "", false
	default:
		f.bad(n, "%s must be a text in quotes, without & or * before it", what)
		return "", false
	}
	s = strings.TrimSpace(s)
	switch {
	case s == "":
		f.bad(n, "%s has no text: write one in quotes, or leave the key out", what)
	case s != oneLine(s):
		f.bad(n, "%s must be one line with single spaces; this would be right: %q", what, Cut(oneLine(s), phraseMost))
	case runes(s) > phraseMost:
		f.bad(n, "%s has %d characters; %d are the most", what, runes(s), phraseMost)
	default:
		return s, true
	}
	return "", false
}

func (f *wordFile) read(top []*ast.MappingValueNode) {
	f.cat = &Catalogue{phrases: map[string]phrase{}}
	nodes := map[string]ast.Node{}
	for _, p := range top {
		key, once := f.keyOf(p, "")
		switch {
		case !slices.Contains([]string{"language", "decimal", "weekdays", "months", "phrases"}, key):
			f.bad(p.Key, "unknown key %q; known here are language, decimal, weekdays, months, phrases", key)
		case once:
			nodes[key] = p.Value
		}
	}
	f.language(nodes["language"])
	f.base = f.pick(f.cat.Language)
	if b := f.base; b != nil {
		f.cat.decimal, f.cat.weekdays, f.cat.months, f.cat.phrases = b.decimal, b.weekdays, b.months, maps.Clone(b.phrases)
	}
	if n := nodes["decimal"]; n != nil {
		if s, ok := f.text(n, "decimal"); ok && s != "." && s != "," {
			f.bad(n, "%q is no decimal sign; \".\" and \",\" are", s)
		} else if ok {
			f.cat.decimal = s
		}
	}
	f.list(nodes["weekdays"], "weekdays", 7, &f.cat.weekdays)
	f.list(nodes["months"], "months", 12, &f.cat.months)
	n, given := nodes["phrases"]
	if !given {
		return
	}
	list, ok := pairs(n)
	if !ok {
		f.bad(n, "phrases must be a mapping: a key, a colon and a text in quotes on each line")
		return
	}
	for _, p := range list {
		f.phrase(p)
	}
}

func (f *wordFile) language(n ast.Node) {
	if n == nil {
		f.errs = append(f.errs, CatalogueError{f.name, 1, 1, "the language is missing: language: de"})
		return
	}
	s, ok := f.text(n, "language")
	if !ok {
		return
	}
	if !languageTag.MatchString(s) {
		f.bad(n, "%q is no language; en, de or pt-BR are", s)
		return
	}
	f.cat.Language = s
}

// list reads names in a fixed order.
func (f *wordFile) list(n ast.Node, what string, count int, to *[]string) {
	if n == nil {
		return
	}
	seq, ok := n.(*ast.SequenceNode)
	if !ok || len(seq.Values) != count {
		f.bad(n, "%s must be a list of %d names: [ …, … ]", what, count)
		return
	}
	var names []string
	for _, x := range seq.Values {
		if s, ok := f.text(x, what); ok {
			names = append(names, s)
		}
	}
	if len(names) == count {
		*to = names
	}
}

// phrase reads one text and holds it against the one that it replaces.
func (f *wordFile) phrase(p *ast.MappingValueNode) {
	key, once := f.keyOf(p, "phrases")
	if !once {
		return
	}
	var is phrase
	var was *phrase
	if f.base != nil {
		x, ok := f.base.phrases[key]
		if !ok {
			f.bad(p.Key, "there is no text with the key %q%s", key, f.alike(key))
			return
		}
		was = &x
	}
	good := true
	if forms, plural := pairs(p.Value); plural {
		if was != nil && was.one == nil {
			f.bad(p.Value, "%s does not depend on a number: write one text in quotes", key)
			return
		}
		for _, x := range forms {
			form, once := f.keyOf(x, key)
			switch {
			case !once:
				good = false
			case form == "one":
				is.one = f.form(x.Value, key+".one", was, true)
				good = good && is.one != nil
			case form == "other":
				is.other = f.form(x.Value, key+".other", was, false)
				good = good && is.other != nil
			default:
				f.bad(x.Key, "%s has no form %q: one and other are; is a text that begins with { not in quotes?", key, form)
				good = false
			}
		}
		if good && is.other == nil {
			f.bad(p.Key, "%s has no form other: that is the one for 0, 2 and more", key)
			return
		}
	} else {
		is.other = f.form(p.Value, key, was, false)
		good = is.other != nil
		if was != nil && was.one != nil {
			is.one = is.other // a language that does not tell them apart
		}
	}
	if good {
		f.cat.phrases[key] = is
	}
}

// form reads one form of a phrase. It must have the placeholders of the one
// that it replaces, no others, and in [ ] those that may not be known.
func (f *wordFile) form(n ast.Node, key string, was *phrase, one bool) []fragment {
	s, ok := f.text(n, key)
	if !ok {
		return nil
	}
	list, err := parsePhrase(s)
	if err != nil {
		f.bad(n, "%s: %s", key, err)
		return nil
	}
	if strings.HasPrefix(key, "answer.") && strings.Trim(s, ", ") == "" {
		f.bad(n, "%s must have at least one word, with commas between several", key)
		return nil
	}
	if was == nil {
		return list
	}
	must, may := placeholders(was.other), placeholders(was.other)
	if one {
		must = placeholders(was.one)
		maps.Copy(may, must)
	}
	is := placeholders(list)
	good := true
	for _, name := range slices.Sorted(maps.Keys(is)) {
		_, known := may[name]
		switch {
		case !known && len(may) == 0:
			f.bad(n, "%s: {%s} is not known here: this text has no placeholders", key, name)
		case !known:
			f.bad(n, "%s: {%s} is not known here; known are %s", key, name, braced(may))
		case is[name] && !may[name]:
			f.bad(n, "%s: {%s} is not always known: put it and the words about it in [ ]", key, name)
		default:
			continue
		}
		good = false
	}
	for _, name := range slices.Sorted(maps.Keys(must)) {
		if _, there := is[name]; !there {
			f.bad(n, "%s: {%s} is missing: this text must tell it", key, name)
			good = false
		}
	}
	if !good {
		return nil
	}
	return list
}

func braced(names map[string]bool) string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(names)) {
		list = append(list, "{"+name+"}")
	}
	return join(list)
}

// alike names the keys that begin as a wrong one does.
func (f *wordFile) alike(key string) string {
	begin, _, _ := strings.Cut(key, ".")
	var list []string
	for _, k := range slices.Sorted(maps.Keys(f.base.phrases)) {
		if k == begin || strings.HasPrefix(k, begin+".") {
			list = append(list, k)
		}
	}
	if len(list) == 0 {
		return "; words/en.yaml has them all"
	}
	return "; there are " + join(list)
}
