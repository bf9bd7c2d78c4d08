package config

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"coldkeep/internal/coldchain"
	"coldkeep/sensor"
)

// A source is a YAML file being read: it collects everything that is wrong.
type source struct {
	file    string
	errs    Errors
	anchors map[string]ast.Node
}

// A value is one node of the file with the path that leads to it.
type value struct {
	src  *source
	node ast.Node
	path string
}

// open parses a file of one document whose top is a mapping.
func open(file string, data []byte) (*source, value, bool) {
	s := &source{file: file, anchors: map[string]ast.Node{}}
	text := strings.ReplaceAll(strings.TrimPrefix(string(data), "\ufeff"), "\r\n", "\n")
	f, err := parser.ParseBytes([]byte(text), 0, parser.AllowDuplicateMapKey())
	if err != nil {
		line, col := 1, 1
		var syntax *yaml.SyntaxError
		msg := err.Error()
		if errors.As(err, &syntax) {
			msg = syntax.Message
			if t := syntax.Token; t != nil && t.Position != nil {
				line, col = max(1, t.Position.Line), max(1, t.Position.Column)
			}
		}
		s.errs = append(s.errs, Error{file, line, col, "this is no YAML: " + strings.TrimSpace(msg)})
		return s, value{}, false
	}
	var docs []*ast.DocumentNode
	for _, d := range f.Docs {
		if d.Body != nil {
			docs = append(docs, d)
		}
	}
	switch {
	case len(docs) == 0:
		s.errs = append(s.errs, Error{file, 1, 1, "the file is empty; configs/clinic.yaml is an example"})
		return s, value{}, false
	case len(docs) > 1:
		v := value{s, docs[1].Body, ""}
		v.bad("a second document begins here; there must be one only")
	}
	return s, value{s, docs[0].Body, ""}, true
}

func (v value) pos() (line, col int) {
	if v.node != nil {
		if t := v.node.GetToken(); t != nil && t.Position != nil {
			return max(1, t.Position.Line), max(1, t.Position.Column)
		}
	}
	return 1, 1
}

// bad notes what is wrong here.
func (v value) bad(format string, args ...any) {
	line, col := v.pos()
	msg := fmt.Sprintf(format, args...)
	if v.path != "" {
		msg = v.path + ": " + msg
	}
	v.src.errs = append(v.src.errs, Error{v.src.file, line, col, msg})
}

// there says whether the value was given at all.
func (v value) there() bool { return v.node != nil }

// bare follows anchors, aliases and tags to what they stand for.
func (v value) bare() ast.Node {
	n := v.node
	for range 32 {
		switch x := n.(type) {
		case *ast.AnchorNode:
			v.src.anchors[x.Name.String()] = x.Value
			n = x.Value
		case *ast.AliasNode:
			a := v.src.anchors[x.Value.String()]
			if a == nil {
				return n
			}
			n = a
		case *ast.TagNode:
			n = x.Value
		default:
			return n
		}
	}
	return n
}

// fields gives the values of a mapping by key. Unknown and repeated keys are
// errors; a key that is not given has a value without node.
func (v value) fields(known ...string) map[string]value {
	out := map[string]value{}
	for _, k := range known {
		out[k] = value{v.src, nil, join(v.path, k)}
	}
	var pairs []*ast.MappingValueNode
	switch n := v.bare().(type) {
	case *ast.MappingNode:
		pairs = n.Values
	case *ast.MappingValueNode:
		pairs = []*ast.MappingValueNode{n}
	default:
		v.bad("this must be a mapping with the keys %s", strings.Join(known, ", "))
		return out
	}
	seen := map[string]bool{}
	for _, p := range pairs {
		key := value{v.src, p.Key, v.path}
		name := strings.Trim(p.Key.String(), `"'`)
		switch {
		case !slices.Contains(known, name) && inlineCure(name, known) != "":
			key.bad("%q has no place here: a secret lies in a file of its own, which only the daemon can read: `%s: PATH`", name, inlineCure(name, known))
			continue
		case !slices.Contains(known, name):
			key.bad("unknown key %q; known here are %s", name, strings.Join(known, ", "))
			continue
		case seen[name]:
			key.bad("the key %q stands here twice", name)
			continue
		}
		seen[name] = true
		x := value{v.src, p.Value, join(v.path, name)}
		if _, null := x.bare().(*ast.NullNode); null {
			value{v.src, p.Key, join(v.path, name)}.bad("has no value; give one or leave the key out")
			continue
		}
		out[name] = x
	}
	return out
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// items gives the values of a list.
func (v value) items() []value {
	if !v.there() {
		return nil
	}
	s, ok := v.bare().(*ast.SequenceNode)
	if !ok {
		v.bad("this must be a list: each item begins with a hyphen")
		return nil
	}
	var out []value
	for i, n := range s.Values {
		out = append(out, value{v.src, n, fmt.Sprintf("%s[%d]", v.path, i)})
	}
	return out
}

// text gives a scalar as it was written.
func (v value) text() (string, bool) {
	switch n := v.bare().(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.MappingNode, *ast.MappingValueNode, *ast.SequenceNode, *ast.NullNode, *ast.AliasNode, nil:
		return "", false
	default:
		return n.GetToken().Value, true
	}
}

func (v value) str(def string) string {
	if !v.there() {
		return def
	}
	s, ok := v.text()
	if !ok {
		v.bad("this must be a text")
		return def
	}
	return s
}

// id reads an id: letters, digits and hyphens.
func (v value) id(parent value) string {
	if !v.there() {
		parent.bad("an id is missing: `id: …`, of letters, digits and hyphens")
		return ""
	}
	s := v.str("")
	if !coldchain.ValidID(s) {
		v.bad("%q is no id: letters, digits and hyphens are", s)
		return ""
	}
	return s
}

// ofOwn reads the id of a unit or a probe. Those of loggers whose recordings are
// imported begin alike, and none of these.
func (v value) ofOwn(parent value) string {
	s := v.id(parent)
	if n := len(coldchain.LoggerPrefix); len(s) >= n && strings.EqualFold(s[:n], coldchain.LoggerPrefix) {
		v.bad("%q: ids that begin with %s are those of imported loggers: give it another", s, coldchain.LoggerPrefix)
	}
	return s
}

// temp reads degrees Celsius with up to three decimals.
func (v value) temp() (sensor.Temp, bool) {
	s, ok := v.text()
	if !ok {
		v.bad("this must be a temperature in °C, such as 8 or -20.5")
		return 0, false
	}
	f, err := strconv.ParseFloat(s, 64)
	t, fits := sensor.Celsius(f)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		v.bad("%q is no temperature; degrees Celsius with a decimal point are, such as 8 or -20.5", s)
		return 0, false
	}
	if !fits {
		v.bad("%s °C does not exist or is out of reach; −273.15 to 1000 can be", s)
		return 0, false
	}
	if _, frac, _ := strings.Cut(s, "."); len(strings.TrimRight(frac, "0")) > 3 || math.Abs(t.Celsius()-f) > 1e-9 {
		v.bad("%s has more than three decimals; %s would do", s, t)
		return 0, false
	}
	return t, true
}

// span reads a duration: Go's form, and d for days. It must not be negative.
func (v value) span() (time.Duration, bool) {
	s, ok := v.text()
	if !ok {
		v.bad("this must be a time span, such as 90s, 15m, 2h or 7d")
		return 0, false
	}
	d, err := ParseDuration(s)
	if err != nil {
		v.bad("%q is no time span; 90s, 15m, 2h or 7d are", s)
		return 0, false
	}
	if d < 0 {
		v.bad("%q is negative; a time span is not", s)
		return 0, false
	}
	if d%time.Millisecond != 0 {
		v.bad("%q is finer than a millisecond", s)
		return 0, false
	}
	return d, true
}

func (v value) spanOr(def time.Duration) time.Duration {
	if !v.there() {
		return def
	}
	d, ok := v.span()
	if !ok {
		return def
	}
	return d
}

// day reads YYYY-MM-DD as it is written; "" where it is not there.
func (v value) day() string {
	s := v.str("")
	if _, err := time.Parse(time.DateOnly, s); err != nil && v.there() {
		v.bad("%q is no date; YYYY-MM-DD is", s)
		return ""
	}
	return s
}

func (v value) number(def float64) float64 {
	if !v.there() {
		return def
	}
	s, _ := v.text()
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		v.bad("%q is no number", s)
		return def
	}
	return f
}

func (v value) boolean() (val, ok bool) {
	if b, is := v.bare().(*ast.BoolNode); is {
		return b.Value, true
	}
	v.bad("this must be true or false")
	return false, false
}

func (v value) oneOf(def string, known ...string) string {
	s := v.str(def)
	if !slices.Contains(known, s) {
		v.bad("%q is not known here; %s are", s, strings.Join(known, ", "))
		return def
	}
	return s
}

// ParseDuration reads Go's durations, and d for days before them: 7d, 1d12h.
func ParseDuration(s string) (time.Duration, error) {
	var days time.Duration
	if i := strings.IndexByte(s, 'd'); i > 0 {
		n, err := strconv.ParseFloat(s[:i], 64)
		if err != nil || n < 0 || n > 36500 {
			return 0, fmt.Errorf("parse duration %q: days must be a number", s)
		}
		days = time.Duration(n * float64(24*time.Hour))
		if s = s[i+1:]; s == "" {
			return days, nil
		}
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, err
	}
	return days + d, nil
}
