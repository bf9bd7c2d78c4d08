package channels

import (
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"coldkeep/alert"
)

func init() {
	farSides["modem"] = func(t *testing.T) farSide { return &farModem{fakeModem: newFakeModem(t), pressed: map[string]bool{}} }
}

// farModem is a modem, its network and the phones in it. A modem has no
// requests: busy is a congested network (+CMS ERROR: 42), broken one that is
// out of order (38), refuses one that bars the SIM (8); garbled is an OK
// behind noise where +CMGS should be; drops is a modem that is unplugged after
// it took the message, and comes back; away one that is unplugged for good.
type farModem struct {
	*fakeModem
	presses sync.Mutex
	pressed map[string]bool
}

func (f *farModem) settings(*testing.T) alert.Settings {
	return alert.Settings{Kind: "modem", Device: f.link, To: "+447700900123"}
}

func (f *farModem) fail(faults ...farFault) {
	for _, fault := range faults {
		if fault == farAway {
			f.unplug()
			return
		}
	}
	f.with(func() { f.faults = append(f.faults, faults...) })
}

func (f *farModem) hurry(n alert.Notifier) {
	n.(*modem).times = hastyModem
}

// hastyModem ends what hangs, and nothing that is only slow.
var hastyModem = modemTimes{command: 5 * time.Second, quiet: 20 * time.Millisecond, prompt: 5 * time.Second, sent: 3 * time.Second, poll: 100 * time.Millisecond, reopen: 50 * time.Millisecond, parts: time.Minute}

var (
	modemDegrees = regexp.MustCompile(`(\d) C\b`)
	modemSpan    = regexp.MustCompile(`(\d)-(\d)`)
	modemAnswers = regexp.MustCompile(`\nAnswer 1 `)
)

// took gives the messages as people understand them: "9.4 C (2-8)" is
// 9.4 °C (2–8).
func (f *farModem) took() (list []string) {
	for _, s := range f.texts() {
		if !f.isReply(s) {
			list = append(list, modemSpan.ReplaceAllString(modemDegrees.ReplaceAllString(s.text, "$1 °C"), "$1–$2"))
		}
	}
	return list
}

func (f *farModem) isReply(s fakeSubmit) bool {
	f.presses.Lock()
	defer f.presses.Unlock()
	return f.pressed[s.to] && !modemAnswers.MatchString(s.text)
}

// press answers in words of one's own: which of several messages a bare number
// answers has tests of its own.
func (f *farModem) press(t *testing.T, to string, button alert.Button, twice bool) {
	t.Helper()
	f.presses.Lock()
	f.pressed[to] = true
	f.presses.Unlock()
	pdu := f.text(to, "OK: "+button.Text)
	if twice {
		f.receive(pdu)
	}
}

func (f *farModem) shown() (list []string) {
	for _, s := range f.texts() {
		if f.isReply(s) {
			list = append(list, strings.TrimSpace(s.text))
		}
	}
	return list
}

func (f *farModem) close() { f.unplug() }
