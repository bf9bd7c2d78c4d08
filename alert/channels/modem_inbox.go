package channels

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"coldkeep/alert"
)

const (
	// hearWait bounds how long an answer may take to be taken: the modem waits
	// for it.
	hearWait = 30 * time.Second
	// repliesMost bounds the replies to one number in an hour: a phone that
	// answers by itself would go on for ever.
	repliesMost = 10
	// openSlack is how far the network's clock and ours may differ when an
	// answer is held to have been sent before a message.
	openSlack = 5 * time.Minute
)

// A storedSMS is a message in the modem's memory.
type storedSMS struct {
	index int
	pdu   string
}

// An inboundText is a whole text that came, and where its parts are stored.
type inboundText struct {
	from, text string
	at         time.Time
	indexes    []int
}

// id is the same whenever the text is read again.
func (m *inboundText) id() string {
	sum := sha256.Sum256([]byte(m.from + "\x00" + strconv.FormatInt(m.at.Unix(), 10) + "\x00" + m.text))
	return "sms-" + hex.EncodeToString(sum[:12])
}

// hear posts what is in the modem's memory, the oldest first, and deletes what
// was taken. What was not is found again at the next look.
func (c *modem) hear(ctx context.Context, p *modemPort, post alert.Post) error {
	p.announced = false
	stored, err := c.list(ctx, p)
	if err != nil {
		return err
	}
	texts, useless, faults := c.assemble(stored, time.Now())
	for _, err := range faults {
		c.log.Warn("a message cannot be read and is deleted", "err", err)
	}
	if err := c.remove(ctx, p, useless); err != nil {
		return err
	}
	heard := map[string]bool{}
	defer func() { c.heard = heard }()
	for _, m := range texts {
		if c.heard[m.id()] {
			heard[m.id()] = true // only its deletion is left to do
		}
	}
	// Replies come last: while one is sent, nobody else waits to be heard.
	type reply struct{ to, words string }
	var replies []reply
	var fault error
	for _, m := range texts {
		if !heard[m.id()] {
			hctx, cancel := context.WithTimeout(ctx, hearWait)
			words, err := post.Hear(hctx, c.answer(m, post.Open(c.id)))
			cancel()
			if err != nil {
				fault = fmt.Errorf("hear an answer by SMS: %w", err)
				continue
			}
			heard[m.id()] = true
			replies = append(replies, reply{m.from, words})
		}
		if err := c.remove(ctx, p, m.indexes); err != nil {
			fault = err
			break
		}
	}
	for _, r := range replies {
		if err := c.reply(ctx, p, r.to, r.words); err != nil {
			fault = errors.Join(fault, fmt.Errorf("reply to an answer by SMS: %w", err))
		}
	}
	return fault
}

// answer is what a text means to the Desk. Messages that were sent after it are
// not what it answers.
func (c *modem) answer(m inboundText, open []alert.Sent) alert.Answer {
	a := alert.Answer{ID: m.id(), Channel: c.id, From: m.from, Text: strings.TrimSpace(m.text), At: m.at}
	if now := time.Now(); a.At.IsZero() || a.At.After(now) {
		a.At = now
	}
	for _, s := range open {
		if dialled(s.To) == m.from {
			a.From = s.To // as the contact has it
		}
	}
	if !m.at.IsZero() {
		open = slices.DeleteFunc(slices.Clone(open), func(s alert.Sent) bool { return s.At.After(m.at.Add(openSlack)) })
	}
	a.Data = buttonOf(a.Text, open, m.from)
	return a
}

// reply sends the words for who answered. Names cannot be answered.
func (c *modem) reply(ctx context.Context, p *modemPort, to, words string) error {
	if _, err := addressOctets(to); words == "" || err != nil {
		return nil
	}
	now := time.Now()
	for number, times := range c.replies {
		times = slices.DeleteFunc(times, func(at time.Time) bool { return now.Sub(at) > time.Hour })
		if c.replies[number] = times; len(times) == 0 {
			delete(c.replies, number)
		}
	}
	if len(c.replies[to]) >= repliesMost {
		c.log.Warn("a number gets no more replies for an hour: it may be answering by itself", "number", to)
		return nil
	}
	c.replies[to] = append(c.replies[to], now)
	return c.send(ctx, p, to, words)
}

// list reads the messages that came, read before or not.
func (c *modem) list(ctx context.Context, p *modemPort) (stored []storedSMS, err error) {
	answer, err := c.ask(ctx, p, "AT+CMGL=4")
	if err != nil {
		if e, ok := errors.AsType[*atError](err); ok && e.class == "CMS" && e.code == 321 {
			return nil, nil // so some modems say that there are none
		}
		return nil, err
	}
	return listed(answer), nil
}

// listed reads the answer to AT+CMGL: +CMGL: index,state,…,length, and on the
// next line the message. States above 1 are messages to be sent. Whatever else
// the modem says between them is none.
func listed(answer []string) (stored []storedSMS) {
	index := -1
	for _, line := range answer {
		if head, ok := strings.CutPrefix(line, "+CMGL:"); ok {
			fields := strings.Split(head, ",")
			index = -1
			if len(fields) < 2 {
				continue
			}
			n, err := strconv.Atoi(strings.TrimSpace(fields[0]))
			if state := strings.TrimSpace(fields[1]); err == nil && n >= 0 && (state == "0" || state == "1") {
				index = n
			}
			continue
		}
		if index >= 0 && strings.Trim(line, "0123456789abcdefABCDEF") == "" {
			stored = append(stored, storedSMS{index, line})
			index = -1
		}
	}
	return stored
}

// remove deletes messages.
func (c *modem) remove(ctx context.Context, p *modemPort, indexes []int) error {
	for _, i := range indexes {
		if _, err := c.ask(ctx, p, "AT+CMGD="+strconv.Itoa(i)); err != nil {
			return err
		}
	}
	return nil
}

// assemble makes texts of what is stored, in the order in which they were
// sent. Parts wait for their others as long as times.parts; then the text is
// taken with what there is of it. useless is what holds no text, faults what
// of it should have: it is found so at two looks.
func (c *modem) assemble(stored []storedSMS, now time.Time) (texts []inboundText, useless []int, faults []error) {
	type parts struct {
		of      []delivery // by place; at first the zero delivery
		indexes []int
	}
	open := map[string]*parts{}
	partly := map[string]time.Time{}
	unread := map[int]string{}
	defer func() { c.partly, c.unread = partly, unread }()
	var keys []string
	for _, s := range stored {
		d, err := parseDelivery(s.pdu)
		if err != nil {
			switch {
			case errors.Is(err, errNoDelivery):
				useless = append(useless, s.index)
			case c.unread[s.index] == s.pdu: // twice the same: not the cable's fault
				useless = append(useless, s.index)
				faults = append(faults, err)
			default:
				unread[s.index] = s.pdu
			}
			continue
		}
		if d.total == 0 {
			texts = append(texts, inboundText{d.from, d.text(), d.at, []int{s.index}})
			continue
		}
		key := fmt.Sprint(d.from, " ", d.ref, " ", d.total)
		if open[key] == nil {
			open[key] = &parts{of: make([]delivery, d.total)}
			keys = append(keys, key)
		}
		open[key].of[d.seq-1] = d
		open[key].indexes = append(open[key].indexes, s.index)
	}
	for _, key := range keys {
		p := open[key]
		since, waited := c.partly[key]
		if !waited {
			since = now
		}
		if slices.ContainsFunc(p.of, func(d delivery) bool { return d.seq == 0 }) && now.Sub(since) < c.times.parts {
			partly[key] = since
			continue
		}
		texts = append(texts, joined(p.of, p.indexes))
	}
	slices.SortStableFunc(texts, func(a, b inboundText) int {
		return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.indexes[0], b.indexes[0]))
	})
	return texts, useless, faults
}

// joined is the text of parts; … stands for one that did not come.
func joined(of []delivery, indexes []int) inboundText {
	m := inboundText{indexes: indexes}
	var whole delivery
	for _, d := range of {
		if d.seq == 0 {
			whole.units = append(whole.units, '…')
			continue
		}
		whole.units = append(whole.units, d.units...)
		if m.from == "" {
			m.from, m.at = d.from, d.at
		}
	}
	m.text = whole.text()
	return m
}
