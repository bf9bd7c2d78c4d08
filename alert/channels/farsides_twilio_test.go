package channels

import (
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"coldkeep/alert"
)

func init() {
	farSides["twilio-sms"] = func(t *testing.T) farSide {
		return &farPhone{farTwilio: openFarTwilio("twilio-sms"), pressed: map[string]bool{}}
	}
	farSides["twilio-voice"] = func(t *testing.T) farSide { return openFarTwilio("twilio-voice") }
	farSides["email"] = func(t *testing.T) farSide { return newFakeSMTP(t, smtpPlain) }
	farSides["shoutrrr"] = func(t *testing.T) farSide { return openFarHook(t) }
}

// farTwilio is a fakeTwilio behind a real connection.
type farTwilio struct {
	*fakeTwilio
	kind   string
	server *httptest.Server
	once   sync.Once
}

// A farPhone can also write back.
type farPhone struct {
	*farTwilio
	pressed map[string]bool
}

func openFarTwilio(kind string) *farTwilio {
	f := newFakeTwilio()
	return &farTwilio{fakeTwilio: f, kind: kind, server: httptest.NewServer(f)}
}

func (f *farTwilio) settings(t *testing.T) alert.Settings {
	return f.fakeTwilio.settings(t, f.kind, f.server.URL)
}

// hurry lets a channel give up and look again soon: tests over real
// connections cannot wait for a phone's pace.
func (f *farTwilio) hurry(n alert.Notifier) {
	switch c := n.(type) {
	case *twilioSMS:
		c.limit, c.look, c.busy, c.idle = hurried, 10*time.Millisecond, 20*time.Millisecond, 20*time.Millisecond
	case twilioVoice:
		c.limit, c.look = hurried, 10*time.Millisecond
	}
}

// hurried is a limit that ends a request that hangs, and none that is only
// slow.
const hurried = 2 * time.Second

func (f *farTwilio) fail(faults ...farFault) {
	for _, fault := range faults {
		if fault == farAway {
			f.server.Listener.Close() // connections that stand may go on
			f.server.CloseClientConnections()
		}
	}
	f.with(func() { f.faults = append(f.faults, faults...) })
}

func (f *farTwilio) close() {
	f.once.Do(func() { close(f.gone) })
	f.server.Close()
}

var (
	numbered = regexp.MustCompile(`\n(Answer|Antwort:) 1 `)
	degrees  = regexp.MustCompile(`(\d)(?: degrees| C\b)`)
	span     = regexp.MustCompile(`(\d)(?:-| to )(\d)`)
)

// readByPerson is a message as a person understands it: "9.4 C (2-8)" on a phone's
// screen and "9.4 degrees, 2 to 8" in the ear are 9.4 °C (2–8).
func readByPerson(text string) string {
	text = strings.ReplaceAll(text, " minutes", " min")
	return span.ReplaceAllString(degrees.ReplaceAllString(text, "$1 °C"), "$1–$2")
}

// took gives what the calls said, the first of two times.
func (f *farTwilio) took() (list []string) {
	f.with(func() {
		for _, c := range f.calls {
			if words := heard(c.twiml); len(words) > 0 {
				list = append(list, readByPerson(words[0]))
			}
		}
	})
	return list
}

func (f *farPhone) took() (list []string) {
	for _, m := range f.sent() {
		if !f.isReply(m) {
			list = append(list, readByPerson(m.body))
		}
	}
	return list
}

// isReply tells the reply to an answer from a message that asks for one.
func (f *farPhone) isReply(m fakeMessage) bool {
	return f.pressed[m.to] && !numbered.MatchString(m.body)
}

// press answers in words that mean no button: which of several messages one
// answers is the channel's to find, and has tests of its own.
func (f *farPhone) press(t *testing.T, to string, button alert.Button, twice bool) {
	t.Helper()
	f.pressed[to] = true
	sid := f.text(to, "OK: "+button.Text, time.Now())
	if twice {
		f.with(func() { f.doubled[sid] = true })
	}
}

func (f *farPhone) shown() (list []string) {
	for _, m := range f.sent() {
		if f.isReply(m) {
			list = append(list, m.body)
		}
	}
	return list
}
