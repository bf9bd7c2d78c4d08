package channels

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"coldkeep/alert"
)

// simTries is how often a new SIM takes a wrong PIN.
const simTries = 3

// unlock gives the SIM its PIN if it asks for it. Three wrong ones lock it
// until somebody finds its PUK, so one that was not taken is never given a
// second time: not by us, and, where the modem counts, not after a restart.
func (c *modem) unlock(ctx context.Context, p *modemPort) error {
	state, err := c.simState(ctx, p)
	if err != nil {
		return worth(err)
	}
	if state == "READY" {
		return nil
	}
	if state != "SIM PIN" {
		return fmt.Errorf("the SIM asks for %s: put it into a phone and unlock it there", state)
	}
	if c.pin == "" {
		return errors.New("the SIM asks for its PIN: write it to a file and name that as token_file, or switch the PIN off")
	}
	pin, err := alert.Secret(c.pin)
	if err != nil {
		return err
	}
	if len(pin) < 4 || len(pin) > 8 || strings.Trim(pin, "0123456789") != "" {
		return errors.New("the file with the SIM's PIN holds none: a PIN is 4 to 8 digits; it was not tried")
	}
	if pin == c.triedIn {
		return errors.New("the SIM did not take the PIN: it is not tried again, for a third wrong one locks the SIM; correct the file")
	}
	if left, known := c.triesLeft(ctx, p); known && left < simTries {
		return fmt.Errorf("the SIM takes only %d more wrong PINs: somebody gave it one, and ours is not tried; unlock it in a phone", left)
	}
	c.triedIn = pin // also if we never hear what became of it
	if _, err := p.do(ctx, "AT+CPIN=…", `AT+CPIN="`+pin+`"`, c.times.command); err != nil {
		if refusal, ok := errors.AsType[*atError](err); ok {
			return fmt.Errorf("the SIM did not take the PIN, and it is not tried again: correct the file: %w", refusal)
		}
		return &alert.TemporaryError{Err: err}
	}
	for end := time.Now().Add(c.times.command); ; {
		state, err = c.simState(ctx, p)
		if err == nil && state == "READY" {
			c.triedIn = ""
			return nil
		}
		if refusal, ok := errors.AsType[*atError](err); err != nil && (!ok || refusal.lasting()) {
			return worth(err)
		}
		if time.Now().After(end) {
			return &alert.TemporaryError{Err: fmt.Errorf("the SIM is not ready after its PIN: it says %s", state)}
		}
		if err := c.drain(ctx, p); err != nil {
			return &alert.TemporaryError{Err: err}
		}
	}
}

// simState is what the SIM waits for; READY is nothing. Right after the start
// a SIM is busy for some seconds.
func (c *modem) simState(ctx context.Context, p *modemPort) (string, error) {
	for end := time.Now().Add(c.times.command); ; {
		answer, err := c.ask(ctx, p, "AT+CPIN?")
		if refusal, ok := errors.AsType[*atError](err); ok && refusal.class == "CME" && refusal.code == 14 && time.Now().Before(end) {
			if err := c.drain(ctx, p); err != nil {
				return "", err
			}
			continue
		}
		if err != nil {
			return "", err
		}
		state, ok := value(answer, "+CPIN:")
		if !ok {
			return "", errors.New("AT+CPIN?: the modem does not say what the SIM waits for")
		}
		return strings.Trim(state, `"`), nil
	}
}

// triesLeft asks how many wrong PINs the SIM still takes (TS 27.007 §8.67).
// Many modems do not know.
func (c *modem) triesLeft(ctx context.Context, p *modemPort) (int, bool) {
	answer, err := c.ask(ctx, p, `AT+CPINR="SIM PIN"`)
	if err != nil {
		return 0, false // a port that died is found by the next command
	}
	said, ok := value(answer, "+CPINR:")
	if !ok {
		return 0, false
	}
	fields := strings.Split(said, ",")
	if len(fields) < 2 {
		return 0, false
	}
	left, err := strconv.Atoi(strings.TrimSpace(fields[1]))
	return left, err == nil
}

// send sends a text in parts. Until the network may have the last of them the
// message has not arrived, and another try sends all again.
func (c *modem) send(ctx context.Context, p *modemPort, to, text string) error {
	c.ref++
	parts, err := submissions(to, text, c.ref)
	if err != nil {
		return err
	}
	if err := c.registered(ctx, p); err != nil {
		return worth(err)
	}
	for i, part := range parts {
		if err := c.submit(ctx, p, part); err != nil {
			if len(parts) > 1 {
				return fmt.Errorf("send part %d of %d: %w", i+1, len(parts), err)
			}
			return fmt.Errorf("send: %w", err)
		}
	}
	return nil
}

// submit sends one part.
func (c *modem) submit(ctx context.Context, p *modemPort, part submission) error {
	command := "AT+CMGS=" + strconv.Itoa(part.length)
	if err := p.write(command + "\r"); err != nil {
		return &alert.TemporaryError{Err: err}
	}
	var refusal error
	if err := p.await(ctx, c.times.prompt, func(line string) bool {
		var ends bool
		ends, refusal = final("AT+CMGS", line)
		return ends && refusal != nil || line == ">"
	}); err != nil {
		return worth(fmt.Errorf("AT+CMGS: no prompt: %w", err))
	}
	if refusal != nil {
		return worth(refusal)
	}
	if err := ctx.Err(); err != nil {
		p.dead = true // ESC leaves the prompt when it is opened again
		return worth(err)
	}
	// From here on it may have been sent.
	if err := p.write(part.pdu + "\x1a"); err != nil {
		return &alert.UnknownError{Err: err}
	}
	if err := p.await(ctx, c.times.sent, func(line string) bool {
		var ends bool
		ends, refusal = final("AT+CMGS", line)
		return ends
	}); err != nil {
		return &alert.UnknownError{Err: fmt.Errorf("AT+CMGS: it may have been sent: %w", err)}
	}
	if e, ok := errors.AsType[*atError](refusal); ok && e.class == "CMS" && e.code == 332 {
		return &alert.UnknownError{Err: refusal} // the network may have it
	}
	if refusal != nil {
		return worth(refusal)
	}
	return nil
}

// registered says why the modem is in no network; nil if it is in one. Which
// command knows depends on the network that it is made for.
func (c *modem) registered(ctx context.Context, p *modemPort) error {
	state := ""
	for _, command := range []string{"CREG", "CEREG", "CGREG"} {
		answer, err := c.ask(ctx, p, "AT+"+command+"?")
		if _, refused := errors.AsType[*atError](err); refused {
			continue
		}
		if err != nil {
			return err
		}
		said, _ := value(answer, "+"+command+":")
		fields := strings.Split(said, ",")
		if len(fields) < 2 {
			continue
		}
		switch strings.TrimSpace(fields[1]) {
		case "1", "5", "6", "7": // at home, roaming; the same for messages alone
			return nil
		case "2":
			state = "it searches"
		case "3":
			state = "the networks refuse the SIM"
		case "0":
			state = cmp.Or(state, "it does not search")
		default:
			state = cmp.Or(state, "there is none here")
		}
	}
	signal := ""
	if answer, err := c.ask(ctx, p, "AT+CSQ"); err == nil {
		if said, ok := value(answer, "+CSQ:"); ok {
			strength, _, _ := strings.Cut(said, ",")
			if signal = ", signal " + strength + " of 31"; strength == "99" {
				signal = ", no signal"
			}
		}
	}
	return fmt.Errorf("the modem is in no network: %s%s", cmp.Or(state, "it does not say why"), signal)
}
