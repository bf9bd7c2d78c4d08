package channels

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"coldkeep/alert"
)

// twilioSMS sends short messages through Twilio and hears the answers by
// asking for them, so that nothing has to reach the daemon from outside.
// Words like STOP, END and CANCEL never come as answers that count: Twilio
// takes them as "send this number nothing more" (then error 21610, for good).
// Set no answer of its own at the number, or people get two.
type twilioSMS struct {
	*twilio
	log        *slog.Logger
	busy, idle time.Duration // between two looks for answers
	asked      chan struct{} // a loud message went out: answers may come
	heard      map[string]time.Time

	mu      sync.Mutex
	writing map[string]int // numbers that are being written to
}

const (
	// smsWatch bounds how long a message is watched until the network says
	// whether it reached the phone. Many networks never say: then it counts as
	// sent.
	smsWatch = 20 * time.Second
	// A page that Twilio could not hand on within 10 min tells of an hour that
	// is over; by then the next one has been sent.
	smsLoudFor  = 10 * time.Minute
	smsQuietFor = 4 * time.Hour
	// smsBack is how far back answers are heard after a start.
	smsBack = 12 * time.Hour
	// smsReply is the age up to which an answer gets a reply: after a restart
	// those of half a day are heard again, and nobody is woken by old words.
	smsReply = 15 * time.Minute
	// Answers are looked for every 10 s while messages are open that somebody
	// may answer, and else every minute.
	smsBusy  = 10 * time.Second
	smsIdle  = time.Minute
	smsPage  = 50
	smsPages = 20 // of answers, at one time
)

func openTwilioSMS(s alert.Settings, log *slog.Logger) (alert.Notifier, error) {
	t, err := openTwilio(s)
	if err != nil {
		return nil, err
	}
	return &twilioSMS{twilio: t, log: log.With("channel", s.ID), busy: smsBusy, idle: smsIdle, asked: make(chan struct{}, 1), heard: map[string]time.Time{}, writing: map[string]int{}}, nil
}

// A twilioMessage is Twilio's Message resource, as far as it is needed.
type twilioMessage struct {
	Sid       string `json:"sid"`
	Status    string `json:"status"` // accepted, queued, sending, sent, delivered, undelivered, failed; received
	ErrorCode *int   `json:"error_code"`
	From      string `json:"from"`
	To        string `json:"to"`
	Body      string `json:"body"`
	Direction string `json:"direction"` // inbound, outbound-api, …
	DateSent  string `json:"date_sent"` // RFC 2822; of an inbound one: when it was received
}

// Notify sends m and watches for 20 s at most what becomes of it. The receipt
// is the message's SID.
func (c *twilioSMS) Notify(ctx context.Context, m alert.Message) (string, error) {
	to, err := c.receiver(m)
	if err != nil {
		return "", err
	}
	held := smsQuietFor
	if m.Purpose.Loud() {
		held = smsLoudFor
	}
	c.write(to, +1)
	defer c.write(to, -1)
	sent, err := c.send(ctx, to, shortText(m), held)
	if err != nil {
		return "", err
	}
	if m.Purpose.Loud() {
		// Once now, and once when it is known to the Post.
		c.listenSoon()
		defer c.listenSoon()
	}
	if !sent.final() {
		last := sent
		c.watch(ctx, c.resource("Messages", sent.Sid), smsWatch, &last, last.final)
		sent.Status, sent.ErrorCode = last.Status, last.ErrorCode
	}
	if err := sent.fault(); err != nil {
		return "", err
	}
	return sent.Sid, nil
}

// write counts who is being written to.
func (c *twilioSMS) write(to string, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.writing[to] += n; c.writing[to] == 0 {
		delete(c.writing, to)
	}
}

func (c *twilioSMS) beingWritten(to string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.writing[to] > 0
}

func (c *twilioSMS) listenSoon() {
	select {
	case c.asked <- struct{}{}:
	default:
	}
}

func (c *twilioSMS) send(ctx context.Context, to, text string, held time.Duration) (twilioMessage, error) {
	var m twilioMessage
	form := url.Values{"To": {to}, "From": {c.from}, "Body": {text}, "ValidityPeriod": {strconv.Itoa(int(held / time.Second))}}
	if err := c.ask(ctx, c.resource("Messages"), form, &m); err != nil {
		return m, err
	}
	if !twilioSid.MatchString(m.Sid) {
		return m, &alert.UnknownError{Err: errors.New("read Twilio's answer: it names no message")}
	}
	return m, nil
}

// final says whether nothing more becomes of the message.
func (m *twilioMessage) final() bool {
	return slices.Contains([]string{"delivered", "read", "undelivered", "failed", "canceled"}, m.Status)
}

// fault is why the message did not reach the phone; nil if nothing says so.
func (m *twilioMessage) fault() error {
	if m.Status != "undelivered" && m.Status != "failed" && m.Status != "canceled" {
		return nil
	}
	if m.ErrorCode == nil {
		return &alert.TemporaryError{Err: fmt.Errorf("message %s is %s, Twilio does not say why", m.Sid, m.Status)}
	}
	known, is := smsFaults[*m.ErrorCode]
	if !is {
		return &alert.TemporaryError{Err: fmt.Errorf("message %s is %s: error %d", m.Sid, m.Status, *m.ErrorCode)}
	}
	err := fmt.Errorf("message %s is %s: %s (error %d)", m.Sid, m.Status, known.words, *m.ErrorCode)
	if known.passes {
		return &alert.TemporaryError{Err: err}
	}
	return err
}

// smsFaults are Twilio's errors of delivery, and which of them pass.
var smsFaults = map[int]struct {
	words  string
	passes bool
}{
	21610: {"the person has answered STOP, and must send START to the number", false},
	30001: {"the sender's queue is full", true},
	30002: {"the account is suspended", false},
	30003: {"the phone cannot be reached: it is off or without a network", true},
	30004: {"the phone or its network blocks the message", false},
	30005: {"there is no such number any more, or it takes no messages", false},
	30006: {"it is a landline, or its network takes no messages", false},
	30007: {"the network took it for spam", false},
	30008: {"the network does not say why", true},
	30009: {"a part of it was lost", true},
	30017: {"the network is congested", true},
	30022: {"too many messages a second", true},
	30034: {"the sender is not registered for messages to this country", false},
	30036: {"it could not be handed on in time", true},
}

// Listen asks Twilio for the messages that came to the sender's number.
func (c *twilioSMS) Listen(ctx context.Context, post alert.Post) {
	failing := false
	for {
		err := c.hear(ctx, post)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && !failing:
			c.log.Warn("answers by SMS cannot be heard", "err", err)
		case err == nil && failing:
			c.log.Info("answers by SMS are heard again")
		}
		failing = err != nil
		pause := c.idle
		if len(post.Open(c.id)) > 0 {
			pause = c.busy
		}
		var temporary *alert.TemporaryError
		if errors.As(err, &temporary) {
			pause = max(pause, temporary.After)
		}
		for deadline := time.Now().Add(pause); ; {
			wait := time.NewTimer(time.Until(deadline))
			select {
			case <-ctx.Done():
				wait.Stop()
				return
			case <-c.asked:
				// Not at once: nobody answers so fast, and a hundred pages
				// are no hundred requests.
				if soon := time.Now().Add(c.busy); temporary == nil && soon.Before(deadline) {
					deadline = soon
				}
				wait.Stop()
				continue
			case <-wait.C:
			}
			break
		}
	}
}

// hear fetches the answers of the last 12 h and posts those that are new, the
// oldest first. One that the Post does not take stays new.
func (c *twilioSMS) hear(ctx context.Context, post alert.Post) error {
	since := c.now().Add(-smsBack)
	found, err := c.inbound(ctx, since)
	// What was found before it failed is heard all the same.
	slices.SortStableFunc(found, func(a, b inboundSMS) int { return a.at.Compare(b.at) })
	type reply struct{ to, text string }
	var replies []reply
	for _, m := range found {
		if _, is := c.heard[m.sid]; is {
			continue
		}
		a := c.answer(m, post.Open(c.id))
		if a.Data == "" && c.beingWritten(m.from) {
			// It may answer the message that is just on its way, which the
			// Post does not know as sent yet: it is heard at the next look.
			continue
		}
		words, herr := post.Hear(ctx, a)
		if herr != nil {
			err = errors.Join(err, fmt.Errorf("hear answer %s: %w", m.sid, herr))
			continue
		}
		c.heard[m.sid] = m.at
		if words != "" && c.now().Sub(m.at) <= smsReply {
			replies = append(replies, reply{m.from, words})
		}
	}
	for sid, at := range c.heard {
		if at.Before(since.Add(-time.Hour)) {
			delete(c.heard, sid)
		}
	}
	// Replies come last: while one hangs, nobody else waits to be heard.
	for _, r := range replies {
		if _, serr := c.send(ctx, r.to, shortText(alert.Message{Title: r.text}), smsLoudFor); serr != nil {
			err = errors.Join(err, fmt.Errorf("reply to an answer: %w", serr))
		}
	}
	return err
}

// An inboundSMS is what somebody sent, with Twilio's time.
type inboundSMS struct {
	sid, from, text string
	at              time.Time
}

// inbound gives what came to our number since an instant, in no order. Where
// it fails, what it has found so far comes with the error.
func (c *twilioSMS) inbound(ctx context.Context, since time.Time) (found []inboundSMS, err error) {
	// Twilio filters by day only; its list has the newest first.
	path := c.resource("Messages") + "?" + url.Values{"To": {c.from}, "DateSent>": {since.UTC().Format(time.DateOnly)}, "PageSize": {strconv.Itoa(smsPage)}}.Encode()
	for range smsPages {
		var page struct {
			Messages []twilioMessage `json:"messages"`
			Next     string          `json:"next_page_uri"`
		}
		if err := c.ask(ctx, path, nil, &page); err != nil {
			return found, err
		}
		old := false
		for _, m := range page.Messages {
			// One without a readable date has not been received in full yet.
			at, derr := time.Parse(time.RFC1123Z, m.DateSent)
			switch {
			case m.Direction != "inbound" || m.From == c.from || !twilioSid.MatchString(m.Sid) || derr != nil:
			case at.Before(since):
				old = true
			default:
				found = append(found, inboundSMS{sid: m.Sid, from: m.From, text: m.Body, at: at})
			}
		}
		if page.Next == "" || old {
			return found, nil
		}
		// The next page is on the same server, whatever the answer says: the
		// token goes nowhere else.
		if !strings.HasPrefix(page.Next, "/2010-04-01/") {
			return found, errors.New("read Twilio's list of messages: its next page is somewhere else")
		}
		path = page.Next
	}
	return found, nil
}

// answer finds what m answers: the newest message that was open at its phone
// when it was sent. An answer to a page that is over must not take the next
// one, which nobody has read yet.
func (c *twilioSMS) answer(m inboundSMS, open []alert.Sent) alert.Answer {
	at := m.at.Add(-time.Duration(c.ahead.Load())) // by our clock
	a := alert.Answer{ID: m.sid, Channel: c.id, From: m.from, Text: strings.TrimSpace(m.text), At: at}
	var read []alert.Sent
	for _, s := range open {
		if dialled(s.To) != m.from && (s.To != "" || c.to != m.from) {
			continue
		}
		if s.To != "" {
			a.From = s.To // as the contact has it
		}
		// Twilio's times are whole seconds.
		if s.At.After(at.Add(2 * time.Second)) {
			continue
		}
		s.To = m.from
		read = append(read, s)
	}
	a.Data = buttonOf(m.text, read, m.from)
	return a
}
