package alert

import (
	"embed"
	"fmt"
	"os"
	"regexp"
	"strings"
	"sync"
)

// A Catalogue is all that is said to people, in one language: it turns a
// Telling into the words of a Message, and holds those of buttons and
// replies. It does not change once it is read.
type Catalogue struct {
	Language string // "en", "de", "pt-BR"
	decimal  string
	weekdays []string // by time.Weekday
	months   []string // January first
	phrases  map[string]phrase
}

// Catalogues are one for each language.
type Catalogues map[string]*Catalogue

// shipped are the languages in the binary. English has every phrase and says
// which values each has; the others are held against it.
var shipped = []string{"en", "de"}

//go:embed words/*.yaml
var wordFiles embed.FS

// builtIn reads the shipped languages once. They are part of the program: a
// test reads them, and one that cannot be read is a fault of the program.
var builtIn = sync.OnceValue(func() Catalogues {
	all := Catalogues{}
	for _, lang := range shipped {
		data, err := wordFiles.ReadFile("words/" + lang + ".yaml")
		if err != nil {
			panic(err)
		}
		c, err := readCatalogue("words/"+lang+".yaml", data, func(string) *Catalogue { return all["en"] })
		if err != nil {
			panic(err)
		}
		all[lang] = c
	}
	return all
})

// NewCatalogues gives the shipped languages.
func NewCatalogues() Catalogues {
	all := Catalogues{}
	for lang, c := range builtIn() {
		all[lang] = c
	}
	return all
}

// Add puts a language in, in the place of one that is there already.
func (all Catalogues) Add(c *Catalogue) { all[strings.ToLower(c.Language)] = c }

// For gives a language, or the one it is a kind of (de for de-AT), or else
// English.
func (all Catalogues) For(language string) *Catalogue {
	language = strings.ToLower(language)
	general, _, _ := strings.Cut(language, "-")
	for _, lang := range []string{language, general, "en"} {
		if c := all[lang]; c != nil {
			return c
		}
	}
	return builtIn()["en"]
}

// LoadCatalogue reads a clinic's own words: a language, and any of the texts
// of words/en.yaml. What is not in it stays as it is shipped in that language,
// or else in English. Everything that is wrong comes at once, as
// CatalogueErrors.
func LoadCatalogue(path string) (*Catalogue, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read catalogue: %w", err)
	}
	return readCatalogue(path, data, NewCatalogues().For)
}

// ReadCatalogue reads words from data. What is not in it stays as base has it.
func ReadCatalogue(data []byte, base *Catalogue) (*Catalogue, error) {
	if base == nil {
		base = builtIn()["en"]
	}
	return readCatalogue("catalogue", data, func(string) *Catalogue { return base })
}

// say fills a phrase in. A key that is not there is a fault of the program
// that a test finds; at night its bare name is better than nothing.
func (c *Catalogue) say(key string, v values) string { return c.count(key, 0, v) }

// count fills in a phrase that depends on a number.
func (c *Catalogue) count(key string, n int, v values) string {
	p, ok := c.phrases[key]
	if !ok {
		return key
	}
	if n > 0 {
		v = v.with("n", fmt.Sprint(n))
	}
	return p.fill(v, n, false)
}

// calm fills a phrase in without capitals.
func (c *Catalogue) calm(key string, v values) string {
	p, ok := c.phrases[key]
	if !ok {
		return key
	}
	return p.fill(v, 0, true)
}

// has says whether there is a phrase.
func (c *Catalogue) has(key string) bool {
	_, ok := c.phrases[key]
	return ok
}

var rangeText = regexp.MustCompile(`^(-?\d+(?:\.\d+)?)(–| to )(-?\d+(?:\.\d+)?) °C$`)

// number writes a number with the language's decimal sign.
func (c *Catalogue) number(s string) string { return strings.Replace(s, ".", c.decimal, 1) }

// between writes a range as the language does, without its °C; one of another
// form than Unit.Range's stays as it is.
func (c *Catalogue) between(s string) string {
	m := rangeText.FindStringSubmatch(s)
	if m == nil {
		return strings.TrimSuffix(s, " °C")
	}
	key := "range.between"
	if m[2] != "–" {
		key = "range.frozen"
	}
	return c.say(key, values{"low": c.number(m[1]), "high": c.number(m[3])})
}
