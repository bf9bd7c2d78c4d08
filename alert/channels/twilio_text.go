package channels

import (
	"strings"

	"coldkeep/alert"
)

// A short message is sent in segments. In GSM-7 (3GPP TS 23.038 §6.2.1) one of
// several segments holds 153 characters, in UCS-2 only 67, and one character
// outside GSM-7 turns the whole message into UCS-2. So what has a plain way to
// be written is written plainly ("9.4 °C" as "9.4 C", "2–8" as "2-8"), and
// nothing of a message's 1,124 characters is lost: 8 segments. A message that
// still needs UCS-2, in Greek or with a name in Cyrillic, is cut at its end to
// 10 segments: more, and networks drop parts. The title stands first, so that
// the first 100 characters are never what is cut; and how to answer stands
// last and is kept.
const (
	gsmMost = 8 * 153
	ucsMost = 10 * 67
)

// shortText is the text of a message by SMS: title, body and, where it has
// buttons, how to answer.
func shortText(m alert.Message) string {
	text := withAnswers(alert.Message{Title: m.Title, Body: m.Body})
	how := withAnswers(alert.Message{Buttons: m.Buttons, HowTo: m.HowTo})
	text, how = gsmPlainly.Replace(text), gsmPlainly.Replace(how)
	size, most := gsmSize, gsmMost
	if gsmSize(text+how) < 0 {
		size, most = ucsSize, ucsMost
	}
	if size(text+how) <= most {
		return text + how
	}
	most -= size("..." + how)
	var b strings.Builder
	for _, r := range text {
		if most -= size(string(r)); most < 0 {
			break
		}
		b.WriteRune(r)
	}
	return strings.TrimRight(b.String(), " \n") + "..." + how
}

// gsmSize is how many places s takes in GSM-7; -1 if it cannot be written so.
func gsmSize(s string) (n int) {
	chars, ok := gsmSeptets(s)
	if !ok {
		return -1
	}
	for _, c := range chars {
		n += len(c)
	}
	return n
}

// ucsSize is how many places s takes in UCS-2, where an emoji takes two.
func ucsSize(s string) (n int) {
	for _, c := range ucsChars(s) {
		n += len(c)
	}
	return n
}
