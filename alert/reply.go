package alert

import (
	"cmp"
	"strconv"
	"strings"
	"time"
)

// A Reply is what a person is told who has answered.
type Reply struct {
	Kind     ReplyKind
	Who      string         // Taken: who has it; Next: who is called now; "" not known
	Until    time.Time      // Yours, Taken: what is promised
	Took     time.Duration  // Drill: from the message to the answer; 0 not known
	Now      time.Time      // so that an instant on another day is told with its day; zero: it is near
	Location *time.Location // the site's; nil is UTC
}

// A ReplyKind is what became of an answer.
type ReplyKind string

const (
	ReplyYours      ReplyKind = "yours"      // you have it until …
	ReplyTaken      ReplyKind = "taken"      // somebody else has it
	ReplyOver       ReplyKind = "over"       // there is nothing to answer any more
	ReplyOld        ReplyKind = "old"        // the message is old or not known here
	ReplyNext       ReplyKind = "next"       // noted, the next one is called
	ReplyUnrecorded ReplyKind = "unrecorded" // it could not be recorded: it is heard again
	ReplyUnclear    ReplyKind = "unclear"    // it was not understood
	ReplyStatus     ReplyKind = "status"     // the status comes
	ReplyDrill      ReplyKind = "drill"      // the drill is noted
)

// replyMost is what fits the tightest channel's note.
const replyMost = 200

// Reply puts a Reply into at most 200 characters.
func (c *Catalogue) Reply(r Reply) string {
	loc := r.Location
	if loc == nil {
		loc = time.UTC
	}
	v := values{"who": shortWords(oneLine(r.Who), 40), "how": c.HowToAnswer()}
	if !r.Until.IsZero() {
		v["until"] = c.clockFrom(r.Until.In(loc), r.Now)
	}
	if r.Took > 0 {
		v["took"] = c.span(r.Took)
	}
	key := "reply." + string(r.Kind)
	switch {
	case r.Kind == ReplyYours && v["until"] == "":
		key = "reply.yours.noted"
	case r.Kind == ReplyTaken:
		v["who"] = cmp.Or(v["who"], c.say("who.unnamed", nil))
	case r.Kind == ReplyNext && v["who"] == "":
		key = "reply.next.nobody"
	}
	return shortWords(capital(c.say(key, v)), replyMost)
}

// Buttons label the three answers: going for so many minutes, cannot, status.
func (c *Catalogue) Buttons(minutes int) [3]string {
	return [3]string{c.count("button.going", minutes, values{"n": strconv.Itoa(minutes)}), c.say("button.cant", nil), c.say("button.status", nil)}
}

// NumberedAnswers is the line that offers buttons by their numbers, where a text
// can be sent back.
func (c *Catalogue) NumberedAnswers(buttons []Button) string {
	return c.say("answer.numbers", values{"answers": InNumbers(buttons)})
}

// InNumbers lists buttons: 1 Going, 30 min; 2 Can't: call next; 3 Status.
func InNumbers(buttons []Button) string {
	var list []string
	for i, b := range buttons {
		list = append(list, strconv.Itoa(i+1)+" "+b.Text)
	}
	return strings.Join(list, "; ")
}

// HowToAnswer is the line that tells how to answer where there are no buttons.
func (c *Catalogue) HowToAnswer() string {
	words := c.AnswerWords()
	return c.say("answer.how", values{"going": words[0][0], "cant": words[1][0], "status": words[2][0]})
}

// AnswerWords are the words that stand for the three answers where there are
// no buttons, in capitals; the first of each stands in HowToAnswer.
func (c *Catalogue) AnswerWords() (words [3][]string) {
	for i, key := range []string{"answer.going", "answer.cant", "answer.status"} {
		for w := range strings.SplitSeq(c.say(key, nil), ",") {
			if w = strings.ToUpper(strings.TrimSpace(w)); w != "" || len(words[i]) == 0 {
				words[i] = append(words[i], w)
			}
		}
	}
	return words
}

// capital begins a text with a capital letter: a name may stand first, or the
// word for one.
func capital(s string) string {
	r := []rune(s)
	if len(r) == 0 {
		return s
	}
	return strings.ToUpper(string(r[:1])) + string(r[1:])
}
