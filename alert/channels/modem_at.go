package channels

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// modemTimes are how long things may take. A modem that looks for its network
// is slow to answer anything.
type modemTimes struct {
	command time.Duration // an answer
	quiet   time.Duration // nothing more comes after this
	prompt  time.Duration // "> " after AT+CMGS
	sent    time.Duration // the network takes a part
	poll    time.Duration // between two looks for messages
	reopen  time.Duration // between two tries to find a modem that is away
	parts   time.Duration // for the parts of one text to come
}

var modemPatience = modemTimes{command: 10 * time.Second, quiet: 100 * time.Millisecond, prompt: 10 * time.Second, sent: 60 * time.Second, poll: time.Minute, reopen: 5 * time.Second, parts: 10 * time.Minute}

// An atError is a modem's refusal of a command.
type atError struct {
	command string // without what may be secret in it
	class   string // CMS, CME; "" a mere ERROR
	code    int    // -1: none, or said in words
	said    string
}

func (e *atError) Error() string {
	words := e.words()
	if words == "" {
		return fmt.Sprintf("%s: the modem refuses: %s", e.command, e.said)
	}
	return fmt.Sprintf("%s: the modem refuses: %s (%s)", e.command, words, e.said)
}

func (e *atError) words() string {
	if e.class == "CMS" {
		return cmsWords[e.code]
	}
	if e.class == "CME" {
		return cmeWords[e.code]
	}
	return ""
}

// lasting says whether trying again is in vain.
func (e *atError) lasting() bool {
	return e.class == "CMS" && cmsLasting[e.code] || e.class == "CME" && cmeLasting[e.code]
}

// cmsWords are the usual codes of +CMS ERROR: those of the network (3GPP TS
// 24.011 annex E-2, TS 23.040 §9.2.3.22) and of the modem (TS 27.005 §3.2.5).
var cmsWords = map[int]string{
	1: "there is no such number", 8: "the operator bars messages from this SIM", 10: "calls and messages to this number are barred", 21: "the network rejects the message",
	27: "the phone cannot be reached", 28: "the network does not know this SIM", 29: "the network does not offer this", 30: "the network does not know the number",
	38: "the network is out of order", 41: "the network has a passing fault", 42: "the network is congested", 47: "the network has no resources free",
	50: "the SIM's contract has no messages", 69: "the network cannot do this",
	192: "the service centre is busy", 193: "the SIM's contract has no messages", 194: "the service centre has a fault", 195: "the number is not valid", 196: "the number is barred",
	300: "the modem has a fault", 302: "not allowed", 303: "not supported", 304: "it cannot read the message", 310: "there is no SIM", 311: "the SIM waits for its PIN", 313: "the SIM has a fault", 314: "the SIM is busy",
	315: "it is the wrong SIM", 316: "the SIM is locked and waits for its PUK", 320: "the memory has a fault", 321: "there is no such message", 322: "the memory is full",
	330: "the SIM does not know its service centre", 331: "no network", 332: "the network did not answer in time", 500: "for a reason that it does not know: mostly a weak signal",
}

var cmsLasting = map[int]bool{1: true, 8: true, 10: true, 28: true, 29: true, 30: true, 50: true, 69: true, 193: true, 195: true, 196: true, 302: true, 303: true, 304: true, 310: true, 311: true, 313: true, 315: true, 316: true}

// cmeWords are those of +CME ERROR (TS 27.007 §9.2).
var cmeWords = map[int]string{
	0: "it has a fault", 3: "not allowed", 4: "not supported", 5: "it waits for a PIN of its own", 10: "there is no SIM", 11: "the SIM waits for its PIN", 12: "the SIM is locked and waits for its PUK",
	13: "the SIM has a fault", 14: "the SIM is busy", 15: "it is the wrong SIM", 16: "wrong PIN", 17: "the SIM waits for its second PIN", 18: "the SIM waits for its second PUK",
	20: "the memory is full", 23: "the memory has a fault", 30: "no network", 31: "the network did not answer in time", 32: "the network allows emergency calls only", 100: "for a reason that it does not know",
}

var cmeLasting = map[int]bool{5: true, 10: true, 11: true, 12: true, 13: true, 15: true, 16: true, 17: true, 18: true}

// final says whether a line ends the answer to a command, and how.
func final(command, line string) (ends bool, err error) {
	switch {
	case line == "OK":
		return true, nil
	case line == "ERROR", line == "COMMAND NOT SUPPORT", line == "ABORTED":
		return true, &atError{command: command, code: -1, said: line}
	}
	for _, class := range []string{"CMS", "CME"} {
		if what, ok := strings.CutPrefix(line, "+"+class+" ERROR:"); ok {
			code, err := strconv.Atoi(strings.TrimSpace(what))
			if err != nil {
				code = -1 // in words, although AT+CMEE=1 asked for numbers
			}
			return true, &atError{command: command, class: class, code: code, said: line}
		}
	}
	return false, nil
}

// do gives the modem a command and what it answers, without the echo. name
// stands for the command in errors.
func (p *modemPort) do(ctx context.Context, name, command string, wait time.Duration) (answer []string, err error) {
	if err := p.write(command + "\r"); err != nil {
		return nil, err
	}
	var refusal error
	if err := p.await(ctx, wait, func(line string) bool {
		ends, ferr := final(name, line)
		if !ends && line != command {
			answer = append(answer, line)
		}
		refusal = ferr
		return ends
	}); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return answer, refusal
}

// value gives what an answer says after a prefix; false if it says nothing.
func value(answer []string, prefix string) (string, bool) {
	for _, line := range answer {
		if v, ok := strings.CutPrefix(line, prefix); ok {
			return strings.TrimSpace(v), true
		}
	}
	return "", false
}
