package alert

import (
	"strconv"
	"strings"
	"unicode/utf16"
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

// gsmBasic are the characters of GSM-7 that take one place, gsmExtended those
// that take two.
const (
	gsmBasic = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?" +
		"¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
	gsmExtended = "\f^{}\\[~]|€"
)

// plainly are other ways to write what GSM-7 has not.
var plainly = strings.NewReplacer(
	"°", "", "\u00a0", " ", "\u202f", " ", "\u2009", " ", "\t", " ",
	"–", "-", "—", "-", "‑", "-", "−", "-", "…", "...", "·", "-", "•", "-", "×", "x",
	"’", "'", "‘", "'", "‚", ",", "“", "\"", "”", "\"", "„", "\"", "«", "\"", "»", "\"",
	"≥", ">=", "≤", "<=", "→", "->", "±", "+/-", "µ", "u", "½", "1/2",
	"á", "a", "â", "a", "ã", "a", "ą", "a", "ă", "a", "ç", "c", "ć", "c", "č", "c", "ď", "d", "ê", "e", "ë", "e", "ę", "e", "ě", "e",
	"í", "i", "î", "i", "ï", "i", "ł", "l", "ń", "n", "ň", "n", "ó", "o", "ô", "o", "õ", "o", "ő", "o", "ř", "r", "ś", "s", "š", "s", "ș", "s", "ş", "s",
	"ț", "t", "ť", "t", "ú", "u", "û", "u", "ů", "u", "ű", "u", "ý", "y", "ź", "z", "ż", "z", "ž", "z", "ğ", "g", "ı", "i",
	"À", "A", "Á", "A", "Â", "A", "Ã", "A", "Ą", "A", "Ć", "C", "Č", "C", "Ď", "D", "È", "E", "Ê", "E", "Ë", "E", "Ę", "E", "Ě", "E",
	"Í", "I", "Î", "I", "Ï", "I", "İ", "I", "Ł", "L", "Ń", "N", "Ň", "N", "Ó", "O", "Ô", "O", "Õ", "O", "Ő", "O", "Ř", "R", "Ś", "S", "Š", "S", "Ș", "S", "Ş", "S",
	"Ț", "T", "Ť", "T", "Ú", "U", "Û", "U", "Ů", "U", "Ű", "U", "Ý", "Y", "Ź", "Z", "Ż", "Z", "Ž", "Z", "Ğ", "G",
)

// shortText is the text of a message by SMS: title, body and, where it has
// buttons, how to answer.
func shortText(m Message) string {
	text, how := m.Title, answerLine(m)
	if m.Body != "" {
		text += "\n" + m.Body
	}
	text, how = plainly.Replace(text), plainly.Replace(how)
	size, most := gsmSize, gsmMost
	if gsmSize(text+how) < 0 {
		size, most = ucsSize, ucsMost
	}
	if how != "" {
		how = "\n" + how
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

// answerLine says how to answer where no button can be pressed. The words of
// the buttons are those of the message's language already.
func answerLine(m Message) string {
	if len(m.Buttons) == 0 {
		return ""
	}
	line := "Answer"
	if strings.HasPrefix(m.Language, "de") {
		line = "Antworten:"
	}
	for i, b := range m.Buttons {
		if i > 0 {
			line += ","
		}
		line += " " + strconv.Itoa(i+1) + " = " + b.Text
	}
	return line
}

// gsmSize is how many places s takes in GSM-7; -1 if it cannot be written so.
func gsmSize(s string) (n int) {
	for _, r := range s {
		switch {
		case strings.ContainsRune(gsmBasic, r):
			n++
		case strings.ContainsRune(gsmExtended, r):
			n += 2
		default:
			return -1
		}
	}
	return n
}

// ucsSize is how many places s takes in UCS-2, where an emoji takes two.
func ucsSize(s string) (n int) {
	for _, r := range s {
		n += max(1, utf16.RuneLen(r))
	}
	return n
}

// chosen finds the button that an answer in words means: its number alone, or
// its own words. Anything more is not guessed at: "2 min, going" is not the
// second button.
func chosen(text string, buttons []Button) (Button, bool) {
	text = strings.TrimSpace(text)
	number := strings.Trim(text, " \t\r\n.,:;!()#\"'\u20e3\ufe0f")
	for i, b := range buttons {
		if number == strconv.Itoa(i+1) || strings.EqualFold(plainly.Replace(text), plainly.Replace(b.Text)) {
			return b, true
		}
	}
	return Button{}, false
}
