package channels

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"coldkeep/alert"
)

// twilioVoice calls a phone through Twilio and reads the message out, twice.
//
// A call cannot be answered with a key: Twilio would report it to a public
// address of ours, and behind a clinic's router there is none. Nor does a call
// that was taken prove that a person heard it: it may have been a mailbox. So
// the Desk goes on calling until somebody answers on another channel.
type twilioVoice struct{ *twilio }

const (
	// voiceRing is short enough that most mailboxes do not get the call.
	voiceRing  = 30 * time.Second
	voiceWatch = voiceRing + 15*time.Second
	voiceLines = 300  // characters of the body that are read out
	twimlMost  = 4000 // Twilio's limit of a Twiml parameter
)

var twilioCallSid = regexp.MustCompile(`^CA[0-9a-fA-F]{32}$`)

func openTwilioVoice(s alert.Settings) (alert.Notifier, error) {
	t, err := openTwilio(s)
	if err != nil {
		return nil, err
	}
	return twilioVoice{t}, nil
}

// A twilioCall is Twilio's Call resource, as far as it is needed.
type twilioCall struct {
	Sid    string `json:"sid"`
	Status string `json:"status"` // queued, initiated, ringing, in-progress, completed, busy, failed, no-answer, canceled
}

// over says whether nothing more becomes of the call.
func (c *twilioCall) over() bool {
	return slices.Contains([]string{"completed", "busy", "failed", "no-answer", "canceled"}, c.Status)
}

// Notify rings and waits, for 45 s at most, until the call was taken or not.
// A phone rings as loud for an all-clear as for a page: whom something quiet
// is told, by which contact, is the caller's choice. The receipt is the call's
// SID.
func (c twilioVoice) Notify(ctx context.Context, m alert.Message) (string, error) {
	to, err := c.receiver(m)
	if err != nil {
		return "", err
	}
	var call twilioCall
	form := url.Values{"To": {to}, "From": {c.from}, "Twiml": {spokenTwiml(m)}, "Timeout": {strconv.Itoa(int(voiceRing / time.Second))}}
	if err := c.ask(ctx, c.resource("Calls"), form, &call); err != nil {
		return "", err
	}
	if !twilioCallSid.MatchString(call.Sid) {
		return "", &alert.UnknownError{Err: errors.New("read Twilio's answer: it names no call")}
	}
	last := call
	if !last.over() {
		c.watch(ctx, c.resource("Calls", call.Sid), voiceWatch, &last, func() bool { return last.over() || last.Status == "in-progress" })
	}
	switch last.Status {
	case "busy", "no-answer", "failed":
		// Worth another try, but the next contact is called first.
		return "", &alert.TemporaryError{Err: fmt.Errorf("call %s was not taken: %s", call.Sid, last.Status)}
	}
	return call.Sid, nil
}

// Cancel ends a call. One that is over is no error.
func (c twilioVoice) Cancel(ctx context.Context, receipt string) error {
	if !twilioCallSid.MatchString(receipt) {
		return fmt.Errorf("end call %q: that is no call", receipt)
	}
	// The first ends a call that waits or rings and leaves one alone that was
	// taken; the second ends that one.
	for _, status := range []string{"canceled", "completed"} {
		var call twilioCall
		err := c.ask(ctx, c.resource("Calls", receipt), url.Values{"Status": {status}}, &call)
		if err == nil && call.over() {
			return nil
		}
		if err != nil && status == "completed" {
			// It may have ended between the two, and Twilio refuses then.
			if gerr := c.ask(ctx, c.resource("Calls", receipt), nil, &call); gerr == nil && call.over() {
				return nil
			}
			return fmt.Errorf("end call %s: %w", receipt, err)
		}
	}
	return nil
}

// spokenTwiml is what Twilio says on the phone: title, the first lines and
// how to answer, and after a second all of it again.
func spokenTwiml(m alert.Message) string {
	language, how := "en-GB", "This call takes no answer. Answer the message on your phone."
	if strings.HasPrefix(m.Language, "de") {
		language, how = "de-DE", "Dieser Anruf nimmt keine Antwort an. Bitte auf die Nachricht antworten."
	}
	text := m.Title
	for line := range strings.Lines(m.Body) {
		line = strings.TrimSpace(line)
		if line == "" || len([]rune(text))-len([]rune(m.Title))+len([]rune(line)) > voiceLines {
			break
		}
		text += "\n" + line
	}
	say := func(n int) string {
		var b strings.Builder
		// A Builder does not fail, and characters that XML cannot hold are
		// replaced.
		_ = xml.EscapeText(&b, []byte(alert.Cut(aloud(text, m.Language), n)+" "+how))
		return `<Say language="` + language + `">` + b.String() + `</Say>`
	}
	twiml := ""
	for n := 1500; ; n /= 2 {
		twiml = "<Response>" + say(n) + `<Pause length="1"/>` + say(n) + "</Response>"
		// Escapes may make a text many times as long.
		if len([]rune(twiml)) <= twimlMost {
			return twiml
		}
	}
}

// spokenForms are how signs are said, by language: what is read, how it is
// said.
var spokenForms = map[string][]struct {
	sign *regexp.Regexp
	said string
}{
	"en": {
		{regexp.MustCompile(`\s*°C\b`), " degrees"},
		{regexp.MustCompile(`(\d)\s*[–—]\s*([−-]?\d)`), "$1 to $2"},
		{regexp.MustCompile(`(^|[\s(,])[−-](\d)`), "${1}minus $2"},
		{regexp.MustCompile(`(\d)\s*min\b`), "$1 minutes"},
		{regexp.MustCompile(`(\d)\s*h\b`), "$1 hours"},
	},
	"de": {
		{regexp.MustCompile(`\s*°C\b`), " Grad"},
		{regexp.MustCompile(`(\d)\s*[–—]\s*([−-]?\d)`), "$1 bis $2"},
		{regexp.MustCompile(`(^|[\s(,])[−-](\d)`), "${1}minus $2"},
		{regexp.MustCompile(`(\d)\.(\d+) Grad`), "$1,$2 Grad"},
		{regexp.MustCompile(`(\d)\s*min\b`), "$1 Minuten"},
		{regexp.MustCompile(`(\d)\s*h\b`), "$1 Stunden"},
	},
}

// aloud is a text as it is said. Lines end with a stop, so that the voice
// rests there.
func aloud(text, language string) string {
	forms := spokenForms["en"]
	if strings.HasPrefix(language, "de") {
		forms = spokenForms["de"]
	}
	for _, f := range forms {
		text = f.sign.ReplaceAllString(text, f.said)
	}
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && !strings.ContainsRune(".!?", rune(line[len(line)-1])) {
			line += "."
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}
