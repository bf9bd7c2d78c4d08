package alert

import (
	"slices"
	"strings"
)

// A passage is a part of a message that can be said in fewer words. Its forms
// become shorter; ranks say when each form is given up for the next one: the
// lowest rank of all passages goes first.
type passage struct {
	forms []string
	ranks []int // one less than forms
	at    int   // the form that was taken
}

// fixed is a passage that is not shortened.
func fixed(s string) *passage { return &passage{forms: []string{s}} }

// loose is one that is left out when its turn comes.
func loose(rank int, s string) *passage {
	return (&passage{forms: []string{s}}).or(rank, "")
}

// or adds a shorter form.
func (p *passage) or(rank int, s string) *passage {
	if s != p.forms[len(p.forms)-1] {
		p.forms, p.ranks = append(p.forms, s), append(p.ranks, rank)
	}
	return p
}

func (p *passage) text() string { return p.forms[p.at] }

// A sequence of passages, joined by a space or a new line.
type passages []*passage

// fit gives up forms until no more than most characters are left, and says
// whether that was possible. A long form that was given up early comes back
// where a later one made room enough.
func (list passages) fit(glue string, most int) bool {
	if !list.shorten(glue, most) {
		return false
	}
	for list.restore(glue, most) {
	}
	return true
}

// restore takes one form back that was given up, the most important first.
func (list passages) restore(glue string, most int) bool {
	given := slices.DeleteFunc(slices.Clone(list), func(p *passage) bool { return p.at == 0 })
	slices.SortStableFunc(given, func(a, b *passage) int { return b.ranks[b.at-1] - a.ranks[a.at-1] })
	n := list.size(glue)
	for _, p := range given {
		was := p.size(glue)
		p.at--
		if n-was+p.size(glue) <= most+runes(glue) {
			return true
		}
		p.at++
	}
	return false
}

func (list passages) shorten(glue string, most int) bool {
	most += runes(glue)
	for n := list.size(glue); n > most; {
		var least *passage
		for _, p := range list {
			// of equals, the last one: what comes later is less urgent
			if p.at < len(p.ranks) && (least == nil || p.ranks[p.at] <= least.ranks[least.at]) {
				least = p
			}
		}
		if least == nil {
			return false
		}
		n -= least.size(glue)
		least.at++
		n += least.size(glue)
	}
	return true
}

// size counts the characters of the passages, each with a glue behind it: one
// glue more than join has.
func (list passages) size(glue string) (n int) {
	for _, p := range list {
		n += p.size(glue)
	}
	return n
}

func (p *passage) size(glue string) int {
	if p.text() == "" {
		return 0
	}
	return runes(p.text()) + runes(glue)
}

func (list passages) join(glue string) string {
	var out []string
	for _, p := range list {
		if s := p.text(); s != "" {
			out = append(out, s)
		}
	}
	return strings.Join(out, glue)
}
