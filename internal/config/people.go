package config

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"coldkeep/alert"
)

// shipped are the languages that messages come in.
var shipped = []string{"en", "de"}

var languageForm = regexp.MustCompile(`^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$`)

// language reads a language of messages. Others than those that ship need the
// clinic's own words.
func (p *reader) language(v value, words bool) string {
	s := v.str("")
	switch {
	case !v.there():
	case !languageForm.MatchString(s):
		v.bad("%q is no language; en and de are", s)
	case !words && !slices.Contains(shipped, s):
		v.bad("there are words in %s; for others give your own with `words: FILE`", strings.Join(shipped, " and "))
	}
	return s
}

// called finds a person's or a rota's id as the config has it.
func (p *reader) person(v value) (id string, ok bool) {
	s := v.str("")
	for _, x := range p.cfg.Duty.People {
		if strings.EqualFold(x.ID, s) {
			return x.ID, true
		}
	}
	if strings.EqualFold(s, alert.Everyone) {
		v.bad("%q is many; one person is on call at a time", s)
		return "", false
	}
	v.bad("no person %q is listed under `people:`", s)
	return "", false
}

// callable notes the id of something that a step may call.
func (p *reader) callable(id string, v value) bool {
	if strings.EqualFold(id, alert.Everyone) {
		v.bad("%q calls every person; take another id", id)
		return false
	}
	return p.unique("person or rota", id, v)
}

func (p *reader) people(v value) {
	f := v.fields("id", "name", "language", "contacts", "quiet")
	x := alert.Person{ID: f["id"].id(v), Language: p.language(f["language"], p.cfg.Words != "")}
	x.Name = strings.TrimSpace(f["name"].str(x.ID))
	if x.Name == "" {
		x.Name = x.ID
	}
	items := f["contacts"].items()
	if len(items) == 0 {
		v.bad("%s cannot be called: `contacts: [{channel: …, to: …}]`, the fastest first", x.Name)
	}
	for i, c := range items {
		if contact, ok := p.contact(c, i, x.Contacts); ok {
			x.Contacts = append(x.Contacts, contact)
		}
	}
	if len(x.Contacts) > 0 && !slices.ContainsFunc(x.Contacts, func(c alert.Contact) bool { return p.channel(c.Channel).Kind != "log" }) {
		p.warn(f["contacts"], "%s is called in the log only, which wakes nobody: give a channel that rings", x.ID)
	}
	if q := f["quiet"]; q.there() {
		h, ok := hoursOf(q.fields("days", "from", "to")).read(q, everyDay)
		switch {
		case ok && h.From == h.To:
			q.bad("quiet hours that are a whole day leave nothing; give from and to, as in {from: \"22:00\", to: \"07:00\"}")
		case ok:
			x.Quiet = &h
		}
	}
	if p.callable(x.ID, f["id"]) {
		p.cfg.Duty.People = append(p.cfg.Duty.People, x)
	}
}

// contactMost bounds how long a contact waits for those before it: by then the
// next step has long begun.
const contactMost = time.Hour

func (p *reader) contact(v value, i int, before []alert.Contact) (c alert.Contact, ok bool) {
	f := v.fields("channel", "to", "after")
	c.To = f["to"].str("")
	if !f["channel"].there() {
		v.bad("the channel is missing: the id of one under `notify:`")
		return c, false
	}
	name := f["channel"].str("")
	ch := p.channel(name)
	if ch == nil {
		f["channel"].bad("no channel %q is listed under `notify:`", name)
		return c, false
	}
	ch.used = true
	c.Channel = ch.ID
	k := kinds[ch.Kind]
	ok = true
	switch {
	case k.address == nil && f["to"].there():
		f["to"].bad("%s has an address of its own; leave `to` out", ch.ID)
		ok = false
	case k.address == nil:
	case !f["to"].there() && ch.To == "" && k.alone:
	case !f["to"].there() && ch.To == "":
		v.bad("the address is missing: `to: …`, %s", k.address.what)
		ok = false
	case f["to"].there() && !k.address.fits(c.To):
		f["to"].bad("%q is not %s", c.To, k.address.what)
		ok = false
	case c.To != "" && c.To == ch.Answers:
		f["to"].bad("this is the topic on which answers come to %s; take another", ch.ID)
		ok = false
	}
	for _, b := range before {
		if b.Channel == c.Channel && b.To == c.To {
			v.bad("the same contact stands before; once is enough")
			ok = false
		}
	}
	var least time.Duration
	if n := len(before); n > 0 {
		least = before[n-1].After
		c.After = least + time.Minute
	}
	if a := f["after"]; a.there() {
		c.After, _ = a.span()
		switch {
		case i == 0 && c.After > 0:
			a.bad("the first contact is tried at once; leave `after` out")
			ok = false
		case c.After < least || c.After > contactMost:
			a.bad("%s; contacts are tried in order, each so long after the first: from %s to %s can be", c.After, least, contactMost)
			ok = false
		}
	}
	return c, ok
}
