package config

import (
	"fmt"
	"net"
	"net/mail"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"coldkeep/alert"
)

// An address says what a kind of channel needs to reach somebody.
type address struct {
	what string // for people
	fits func(string) bool
}

var (
	phoneForm = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)
	topicForm = regexp.MustCompile(`^[-_A-Za-z0-9]{1,64}$`)
	chatForm  = regexp.MustCompile(`^-?[0-9]{1,19}$`)
	userForm  = regexp.MustCompile(`^[A-Za-z0-9]{30}$`)

	phone   = &address{"a phone number with its country and without blanks, as in +447700900123", phoneForm.MatchString}
	mailbox = &address{"a mailbox, as in anna@example.org", func(s string) bool { a, err := mail.ParseAddress(s); return err == nil && a.Address == s }}
	topic   = &address{"a topic that nobody can guess: up to 64 letters, digits, - and _", topicForm.MatchString}
	chat    = &address{"the number of a chat, as in 123456789", chatForm.MatchString}
	label   = &address{"a name without blanks, by which the log calls whose telephone it stands for", topicForm.MatchString}
	userKey = &address{"the 30 letters and digits of a user's or a group's key", userForm.MatchString}
)

// A kind of channel: what its settings are, and how it reaches a person.
type kind struct {
	needs, takes []string
	address      *address // nil: it has its own
	alone        bool     // it needs none: it may belong to nobody
	server       string   // https: a URL; host: HOST:PORT
	def          string   // of server
}

// kinds has an entry for each of alert.Kinds.
var kinds = map[string]kind{
	"log":          {address: label, alone: true},
	"ntfy":         {takes: []string{"server", "token_file", "answers", "answers_token_file"}, address: topic, server: "https", def: "https://ntfy.sh"},
	"pushover":     {needs: []string{"token_file"}, takes: []string{"server"}, address: userKey, server: "https"},
	"telegram":     {needs: []string{"token_file"}, takes: []string{"server"}, address: chat, server: "https"},
	"twilio-sms":   {needs: []string{"account", "token_file", "from"}, takes: []string{"server"}, address: phone, server: "https"},
	"twilio-voice": {needs: []string{"account", "token_file", "from"}, takes: []string{"server"}, address: phone, server: "https"},
	"email":        {needs: []string{"server", "from"}, takes: []string{"account", "token_file", "security"}, address: mailbox, server: "host"},
	"pagerduty":    {needs: []string{"token_file"}, takes: []string{"server", "from"}, server: "https"},
	"goalert":      {needs: []string{"server", "token_file"}, server: "https"},
	"alertmanager": {needs: []string{"server"}, takes: []string{"account", "token_file", "from"}, server: "https"},
	"webhook":      {takes: []string{"server", "url_file", "token_file"}, server: "https"},
	"shoutrrr":     {needs: []string{"url_file"}},
	"modem":        {needs: []string{"device"}, takes: []string{"baud", "token_file"}, address: phone},
	"siren":        {takes: []string{"buzzer", "light", "button"}},
}

// cures say what to write where a setting is missing.
var cures = map[string]string{
	"token_file": "`token_file: PATH` of a file that holds the token, key or password",
	"url_file":   "`url_file: PATH` of a file that holds the URL",
	"account":    "`account: AC…`",
	"from":       "`from: …`: a phone number of yours, as in +447700900123, or the sender's mailbox",
	"server":     "`server: …`: https://HOST, or HOST:PORT of a mail server",
	"device":     "`device: /dev/ttyUSB0`",
}

// A channel as the file has it.
type channel struct {
	alert.Settings
	at       value
	only     value
	critical bool
	used     bool // a person is called by it
}

// channel finds one by id.
func (p *reader) channel(id string) *channel {
	for _, c := range p.channels {
		if strings.EqualFold(c.ID, id) {
			return c
		}
	}
	return nil
}

func (p *reader) notify(v value) {
	f := v.fields("id", "channel", "only", "server", "to", "topic", "from", "account", "token_file", "url_file", "answers", "answers_token_file", "security", "device", "baud", "buzzer", "light", "button")
	if !f["channel"].there() {
		v.bad("the channel is missing: `channel: …`, of %s", strings.Join(alert.Kinds, ", "))
		return
	}
	c := &channel{at: v, only: f["only"]}
	c.Kind = f["channel"].oneOf("", alert.Kinds...)
	k, known := kinds[c.Kind]
	if !known {
		return
	}
	for key, x := range f {
		switch key {
		case "id", "channel", "only":
			continue
		case "to":
			if k.address != nil {
				continue
			}
		case "topic":
			if c.Kind == "ntfy" {
				continue
			}
		}
		if x.there() && !slices.Contains(k.needs, key) && !slices.Contains(k.takes, key) {
			x.bad("this does not go with %s", c.Kind)
		}
	}
	for _, key := range k.needs {
		if !f[key].there() {
			v.bad("%s needs %s", c.Kind, cures[key])
		}
	}
	c.Server = p.server(f["server"], k)
	c.From, c.Account = f["from"].str(""), f["account"].str("")
	c.TokenFile, c.URLFile, c.AnswerFile = p.secret(f["token_file"]), p.secret(f["url_file"]), p.secret(f["answers_token_file"])
	c.Device, c.Buzzer, c.Light, c.Button = f["device"].str(""), f["buzzer"].str(""), f["light"].str(""), f["button"].str("")
	p.sender(c, f["from"], k)
	c.To = f["to"].str("")
	to := f["to"]
	if f["topic"].there() {
		if to.there() {
			to.bad("`to` and `topic` are the same; one of them is enough")
		}
		to, c.To = f["topic"], f["topic"].str("")
	}
	if to.there() && k.address != nil && !k.address.fits(c.To) {
		to.bad("%q is not %s", c.To, k.address.what)
	}
	p.special(c, f)
	c.ID = c.Kind
	if f["id"].there() {
		c.ID = f["id"].id(v)
		if !p.unique("channel", c.ID, f["id"]) {
			return
		}
	} else {
		for n := 2; p.channel(c.ID) != nil; n++ {
			c.ID = fmt.Sprintf("%s-%d", c.Kind, n)
		}
		p.ids["channel "+strings.ToLower(c.ID)] = v
	}
	p.channels = append(p.channels, c)
	p.cfg.Channels = append(p.cfg.Channels, c.Settings)
	p.cfg.Duty.Kinds[c.ID] = c.Kind
}

// sender reads from whom messages come: services are told which site it is.
func (p *reader) sender(c *channel, v value, k kind) {
	switch {
	case c.Kind == "email":
		if _, err := mail.ParseAddress(c.From); v.there() && err != nil {
			v.bad("%q is no mailbox; coldkeep@example.org is", c.From)
		}
	case k.address != nil:
		if v.there() && !k.address.fits(c.From) {
			v.bad("%q is not %s", c.From, k.address.what)
		}
	case slices.Contains(k.takes, "from") && c.From == "":
		c.From = p.cfg.Site.ID
	}
}

// special checks what only one kind of channel has.
func (p *reader) special(c *channel, f map[string]value) {
	if a := f["answers"]; a.there() {
		c.Answers = a.str("")
		switch {
		case !topicForm.MatchString(c.Answers):
			a.bad("%q is not %s", c.Answers, topic.what)
		case c.Answers == c.To:
			a.bad("answers need a topic of their own: on this one everybody would read them as alarms")
		}
	} else if f["answers_token_file"].there() {
		f["answers_token_file"].bad("this needs `answers`: the topic on which answers come")
	}
	switch c.Kind {
	case "email":
		c.Security = f["security"].oneOf("starttls", "starttls", "tls", "none")
		switch {
		case (c.Account == "") != (c.TokenFile == ""):
			c.at.bad("`account` and `token_file` go together: a user and the file that holds the password; without both nobody signs in")
		case c.Security == "none" && c.TokenFile != "" && !loopback(c.Server):
			f["security"].bad("with `none` everybody on the way reads the password; take starttls or tls")
		}
	case "webhook":
		if f["server"].there() == f["url_file"].there() {
			c.at.bad("a webhook needs one of two: `url_file: PATH` of a file that holds the URL, or `server: https://HOST/PATH` where there is no secret in it")
		}
	case "alertmanager":
		if c.Account != "" && c.TokenFile == "" {
			c.at.bad("`account` needs `token_file`: the file that holds the password")
		}
	case "siren":
		if c.Buzzer == "" && c.Light == "" {
			c.at.bad("a siren needs a buzzer or a light: the name of its GPIO pin, as in `buzzer: GPIO17`")
		}
	}
	if b := f["baud"]; b.there() {
		if n := b.number(0); n == float64(int(n)) && n >= 1200 && n <= 4_000_000 {
			c.Baud = int(n)
		} else {
			b.bad("from 1200 to 4000000 can be; 115200 is usual")
		}
	}
	if c.only.there() {
		c.critical = c.only.oneOf("", "critical") == "critical"
	}
}

// server reads where the far side is. Secrets have no place in it.
func (p *reader) server(v value, k kind) string {
	s := v.str(k.def)
	if !v.there() {
		return s
	}
	switch k.server {
	case "https":
		u, err := url.Parse(s)
		if err == nil && (u.User != nil || u.RawQuery != "" || u.Fragment != "") {
			v.bad("a name, a password or a query does not belong here; a secret goes into a file of its own, with `token_file: PATH`")
			return ""
		}
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" {
			v.bad("this is no server; https://HOST is")
			return ""
		}
		s = strings.TrimSuffix(s, "/")
	case "host":
		host, port, err := net.SplitHostPort(s)
		if err != nil && !strings.Contains(s, ":") {
			host, port, err = s, "587", nil
		}
		if n, bad := strconv.ParseUint(port, 10, 16); err != nil || bad != nil || n == 0 || host == "" || strings.ContainsAny(host, "/@ ") {
			v.bad("this is no mail server; HOST or HOST:PORT is, as in mail.example.org:587")
			return ""
		}
	}
	return s
}

// loopback says whether a mail server is this machine.
func loopback(server string) bool {
	host, _, err := net.SplitHostPort(server)
	if err != nil {
		host = server
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// services finds the channels that belong to nobody: they are told of
// everything.
func (p *reader) services() {
	for _, c := range p.channels {
		if c.used {
			if c.only.there() {
				c.only.bad("people are called by %s, and a policy says for what; `only` is for a channel that belongs to nobody", c.ID)
			}
			continue
		}
		if a := kinds[c.Kind].address; a != nil && !kinds[c.Kind].alone && c.To == "" {
			c.at.bad("%s reaches nobody: give it to somebody under `people:`, with `contacts: [{channel: %s, to: …}]`, or give it an address of its own, with `to`: %s", c.ID, c.ID, a.what)
			continue
		}
		p.cfg.Duty.Services = append(p.cfg.Duty.Services, alert.Service{Channel: c.ID, Critical: c.critical})
	}
}
