package channels

import (
	"cmp"
	"strconv"
	"strings"
	"unicode"

	"coldkeep/alert"
)

// withAnswers is the text of a message where no button can be touched: title,
// body and a last line that says how to answer.
func withAnswers(m alert.Message) string {
	text := m.Title
	if m.Body != "" {
		text += "\n" + m.Body
	}
	if len(m.Buttons) == 0 {
		return text
	}
	return text + "\n" + cmp.Or(m.HowTo, "Answer "+alert.InNumbers(m.Buttons))
}

// A meaning is a group of words that stand for one button.
type meaning struct {
	alone []string // the whole answer, or before fill
	ahead []string // the answer may go on as it likes
	fill  []string // "going 30 min now"; numbers are fill, too
}

// meanings are in the order in which the Desk puts its buttons: going, can't,
// status. "ok" and "yes" are none of them: they may mean "I have read it", and
// then nobody goes.
var meanings = [...]meaning{
	{
		alone: []string{"going", "i go", "im going", "i am going", "on my way", "im on my way", "omw", "coming", "im coming", "ich gehe", "gehe", "ich gehe hin", "gehe hin", "komme", "ich komme", "bin unterwegs", "ich bin unterwegs", "unterwegs"},
		fill:  []string{"min", "mins", "minutes", "minuten", "in", "now", "jetzt", "gleich", "sofort", "at", "once"},
	},
	{
		alone: []string{"no", "not me", "nein", "nope"},
		ahead: []string{"cant", "cannot", "can not", "i cant", "i cannot", "not going", "im not going", "kann nicht", "ich kann nicht", "geht nicht", "call next", "nächsten anrufen"},
	},
	{
		alone: []string{"status", "stand", "lage"},
		fill:  []string{"please", "bitte", "now", "jetzt", "all", "alle"},
	},
}

// buttonOf finds the button that a text means, among those of the newest open
// message to the phone it came from, and gives its Data; "" if it means none.
// A number counts only alone or before words that mean the same: "2 min,
// going" is not the second button, and nothing is guessed.
func buttonOf(text string, open []alert.Sent, from string) (data string) {
	var newest *alert.Sent
	for i := range open {
		s := &open[i]
		if dialled(s.To) == dialled(from) && len(s.Buttons) > 0 && (newest == nil || !s.At.Before(newest.At)) {
			newest = s
		}
	}
	if newest == nil {
		return ""
	}
	said := spoken(text)
	for _, b := range newest.Buttons {
		if said != "" && said == spoken(b.Text) {
			return b.Data
		}
	}
	number, rest, _ := strings.Cut(said, " ")
	for i, b := range newest.Buttons {
		if number == strconv.Itoa(i+1) && (rest == "" || rest == spoken(b.Text) || meaningOf(rest) >= 0 && meaningOf(rest) == meaningAt(newest.Buttons, i)) {
			return b.Data
		}
	}
	// The words of the message's own language, before those that everybody knows.
	for i, b := range newest.Buttons[:min(len(newest.Buttons), len(newest.Words))] {
		for _, w := range newest.Words[i] {
			if rest, ok := strings.CutPrefix(said, spoken(w)); ok && w != "" && (rest == "" || rest[0] == ' ' && onlyFill(rest, []string{"min"})) {
				return b.Data
			}
		}
	}
	if want := meaningOf(said); want >= 0 {
		for i, b := range newest.Buttons {
			if meaningAt(newest.Buttons, i) == want {
				return b.Data
			}
		}
	}
	return ""
}

// meaningOf is the index of what is said in meanings, -1 for none.
func meaningOf(said string) int {
	for i, m := range meanings {
		for _, words := range m.alone {
			if rest, ok := strings.CutPrefix(said, words); ok && (rest == "" || rest[0] == ' ' && onlyFill(rest, m.fill)) {
				return i
			}
		}
		for _, words := range m.ahead {
			if rest, ok := strings.CutPrefix(said, words); ok && (rest == "" || rest[0] == ' ') {
				return i
			}
		}
	}
	return -1
}

// meaningAt is what a button means: by its words, and where a translation uses
// others, by its place.
func meaningAt(buttons []alert.Button, i int) int {
	for _, b := range buttons {
		if meaningOf(spoken(b.Text)) >= 0 {
			return meaningOf(spoken(buttons[i].Text))
		}
	}
	return i
}

func onlyFill(rest string, fill []string) bool {
words:
	for _, word := range strings.Fields(rest) {
		if strings.Trim(word, "0123456789") == "" {
			continue
		}
		for _, f := range fill {
			if word == f {
				continue words
			}
		}
		return false
	}
	return len(fill) > 0
}

// spoken is a text as one would say it: small letters and digits, one space
// between words, without the apostrophes that half of the phones leave out.
func spoken(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case r == '\'' || r == '’' || r == '‘' || r == '`' || r == '´' || unicode.IsMark(r):
			return -1
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			return unicode.ToLower(r)
		}
		return ' '
	}, text)
	return strings.Join(strings.Fields(text), " ")
}

// dialled is a phone number as a network writes it: +, and digits without what
// people put between them. What is none stays as it is.
func dialled(number string) string {
	s := strings.NewReplacer(" ", "", "\u00a0", "", "-", "", "(", "", ")", "", "/", "", ".", "").Replace(strings.TrimSpace(number))
	if rest, ok := strings.CutPrefix(s, "00"); ok {
		s = "+" + rest
	}
	digits := strings.TrimPrefix(s, "+")
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return number
	}
	return s
}
