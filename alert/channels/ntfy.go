package channels

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"coldkeep/alert"
)

// ntfy (https://docs.ntfy.sh/publish). A message is published to the topic of
// a person. Its buttons make the phone publish to a second topic, which the
// daemon listens to: it needs no address that the phone could reach.

const (
	ntfyServer = "https://ntfy.sh"
	// ntfyMessage is the bytes of a message: one of 4,096 is a file to download
	// already, and refused where the server keeps no files (40014).
	ntfyMessage = 4096 - 1
	ntfyBody    = 2*4096 - 1 // bytes of the JSON; a larger one is refused (41303)
	ntfyTitle   = 250        // characters of ours; ntfy has no limit of its own
	// ntfySince is how far back answers are asked for at first: as long as a
	// server keeps them by default.
	ntfySince = "12h"
	// ntfyOverlap is how much is heard a second time after a broken stream. The
	// server tells live messages while it still looks up the kept ones, and may
	// keep them seconds after it has told them: an answer may lie before one
	// that was heard. (So since=ID would lose it.)
	ntfyOverlap = 2 * time.Minute
	// ntfyFresh is how old an answer may be to be confirmed to who gave it.
	ntfyFresh = 10 * time.Minute
)

var (
	ntfyTopic  = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
	buttonData = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)
)

type ntfy struct {
	asker
	s   alert.Settings
	log *slog.Logger

	silence time.Duration // without a keepalive: the stream is dead
	retry   backoff       // of the stream

	mu    sync.Mutex
	topic map[string]string // where a button was sent, by its data
	sent  []string          // the data, oldest first
}

func openNtfy(s alert.Settings, log *slog.Logger) (alert.Notifier, error) {
	server, err := httpServer(cmp.Or(s.Server, ntfyServer))
	if err != nil {
		return nil, fmt.Errorf("open channel %s: %w", s.ID, err)
	}
	s.Server = server
	for _, topic := range []string{s.To, s.Answers} {
		if topic != "" && !ntfyTopic.MatchString(topic) {
			return nil, fmt.Errorf("open channel %s: topic %q: it has 1 to 64 of A-Z, a-z, 0-9, _ and -", s.ID, topic)
		}
	}
	if s.Answers != "" && s.Answers == s.To {
		return nil, fmt.Errorf("open channel %s: answers come on a topic of their own, not on that of the messages", s.ID)
	}
	if s.Answers == "" && s.AnswerFile != "" {
		return nil, fmt.Errorf("open channel %s: there is a token for answers, but no topic for them", s.ID)
	}
	return &ntfy{asker: *newAsker("ntfy"), s: s, log: log.With("channel", s.ID),
		silence: 2 * time.Minute, // the server sends a keepalive every 45 s
		retry:   backoff{time.Second, time.Minute},
		topic:   map[string]string{}}, nil
}

func (c *ntfy) Name() string { return c.s.ID }

type ntfyMessageJSON struct {
	Topic    string       `json:"topic"`
	Title    string       `json:"title,omitempty"`
	Message  string       `json:"message"`
	Priority int          `json:"priority"`
	Tags     []string     `json:"tags,omitempty"`
	Actions  []ntfyAction `json:"actions,omitempty"`
}

type ntfyAction struct {
	Action  string            `json:"action"`
	Label   string            `json:"label"`
	URL     string            `json:"url"`
	Method  string            `json:"method"`
	Headers map[string]string `json:"headers,omitempty"`
	Body    string            `json:"body"`
	Clear   bool              `json:"clear"` // away with the message once the answer is with the server
}

// An ntfyEvent is a line of the stream, and the answer to a publication.
type ntfyEvent struct {
	ID      string `json:"id"`
	Time    int64  `json:"time"` // Unix, by the server's clock
	Event   string `json:"event"`
	Message string `json:"message"`
}

// Notify publishes the message. The receipt is ntfy's id of it.
func (c *ntfy) Notify(ctx context.Context, m alert.Message) (string, error) {
	topic := cmp.Or(m.To, c.s.To)
	if !ntfyTopic.MatchString(topic) || topic == c.s.Answers {
		return "", fmt.Errorf("ask ntfy: %q is no topic for messages", topic)
	}
	p := ntfyMessageJSON{Topic: topic, Title: alert.Cut(m.Title, ntfyTitle), Message: m.Body, Priority: ntfyPriority(m), Tags: ntfyTags(m)}
	if c.s.Answers != "" {
		actions, err := c.actions(m.Buttons)
		if err != nil {
			// A page that cannot be answered here still wakes; no page does not.
			c.log.Error("ntfy: the message goes without its buttons", "err", err)
		}
		p.Actions = actions
		c.remember(topic, m.Buttons)
	}
	return c.publish(ctx, p)
}

// actions make the phone publish a button's data to the topic of the answers.
func (c *ntfy) actions(buttons []alert.Button) ([]ntfyAction, error) {
	var headers map[string]string
	if c.s.AnswerFile != "" && len(buttons) > 0 {
		secret, err := alert.Secret(c.s.AnswerFile)
		if err != nil {
			return nil, err
		}
		headers = map[string]string{"Authorization": ntfyAuthorization(secret)}
	}
	var actions []ntfyAction
	for _, b := range buttons[:min(len(buttons), 3)] { // ntfy refuses a message with more
		if b.Text == "" {
			continue // or with one that has no label
		}
		actions = append(actions, ntfyAction{Action: "http", Label: b.Text, URL: c.s.Server + "/" + c.s.Answers,
			Method: http.MethodPost, Headers: headers, Body: b.Data, Clear: true})
	}
	return actions, nil
}

func (c *ntfy) publish(ctx context.Context, p ntfyMessageJSON) (string, error) {
	p.Message = cutBytes(p.Message, ntfyMessage)
	body, err := ntfyJSON(p)
	for err == nil && len(body) > ntfyBody && len(p.Message) > 100 {
		p.Message = cutBytes(p.Message, len(p.Message)*9/10) // what it is escaped to is not known before
		body, err = ntfyJSON(p)
	}
	if err != nil {
		return "", fmt.Errorf("write message for ntfy: %w", err)
	}
	r, err := http.NewRequest(http.MethodPost, c.s.Server+"/", bytes.NewReader(body))
	if err != nil {
		return "", fmt.Errorf("ask ntfy: %w", err)
	}
	r.Header.Set("Content-Type", "application/json")
	secrets, err := c.authorize(r)
	if err != nil {
		return "", err
	}
	resp, text, err := c.ask(ctx, r)
	if err != nil {
		return "", err
	}
	if err := ntfyFault(resp, text, secrets); err != nil {
		return "", err
	}
	var e ntfyEvent
	if err := json.Unmarshal(text, &e); err != nil || e.ID == "" {
		return "", &alert.UnknownError{Err: fmt.Errorf("ask ntfy: it answered %s, but not as ntfy does", resp.Status)}
	}
	return e.ID, nil
}

// ntfyJSON leaves <, > and & as they are: escaped they count sixfold.
func ntfyJSON(p ntfyMessageJSON) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(p)
	return b.Bytes(), err
}

// ntfyFault reads an error: {"code":42901,"http":429,"error":"…","link":"…"}.
func ntfyFault(r *http.Response, text []byte, secrets []string) error {
	var e struct {
		Code  int    `json:"code"`
		Error string `json:"error"`
	}
	said := hide(string(text), secrets...)
	if json.Unmarshal(text, &e) == nil && e.Error != "" {
		said = hide(fmt.Sprintf("%s (%d)", e.Error, e.Code), secrets...)
	}
	return httpFault("ntfy", r, said)
}

// authorize adds the token, and gives it so that it can be hidden.
func (c *ntfy) authorize(r *http.Request) ([]string, error) {
	if c.s.TokenFile == "" {
		return nil, nil
	}
	secret, err := alert.Secret(c.s.TokenFile)
	if err != nil {
		return nil, err
	}
	header := ntfyAuthorization(secret)
	r.Header.Set("Authorization", header)
	return []string{header, secret}, nil
}

// ntfyAuthorization takes a token (tk_…) or USER:PASSWORD.
func ntfyAuthorization(secret string) string {
	if strings.Contains(secret, ":") {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(secret))
	}
	return "Bearer " + secret
}

// ntfyPriority: 5 rings through Do Not Disturb where the phone allows it, 4 is
// loud, 3 makes the usual sound, 2 makes none.
func ntfyPriority(m alert.Message) int {
	switch {
	case m.Purpose.Loud() && m.Severity == alert.Critical:
		return 5
	case m.Purpose.Loud():
		return 4
	case silent(m.Purpose):
		return 2
	}
	return 3
}

// silent says that a message is for whoever looks: it wakes nobody who went
// back to sleep.
func silent(p alert.Purpose) bool {
	return p == alert.AllClear || p == alert.Progress || p == alert.Tested
}

// ntfyTags become the sign before the title.
func ntfyTags(m alert.Message) []string {
	switch {
	case m.Purpose == alert.AllClear, m.Purpose == alert.Tested:
		return []string{"white_check_mark"}
	case m.Purpose.Loud() && m.Severity == alert.Critical:
		return []string{"rotating_light"}
	case m.Purpose.Loud(), m.Purpose == alert.Notice, m.Purpose == alert.Worse:
		return []string{"warning"}
	}
	return nil
}

// remember keeps where buttons went, to confirm an answer there also when its
// trouble is no longer open.
func (c *ntfy) remember(topic string, buttons []alert.Button) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, b := range buttons {
		if _, ok := c.topic[b.Data]; !ok {
			c.sent = append(c.sent, b.Data)
		}
		c.topic[b.Data] = topic
	}
	for len(c.sent) > 1000 {
		delete(c.topic, c.sent[0])
		c.sent = c.sent[1:]
	}
}

// sentTo gives the topic that a button was sent to; "" is not known.
func (c *ntfy) sentTo(data string, post alert.Post) string {
	c.mu.Lock()
	topic := c.topic[data]
	c.mu.Unlock()
	if topic != "" {
		return topic
	}
	for _, s := range post.Open(c.s.ID) {
		for _, b := range s.Buttons {
			if b.Data == data {
				return cmp.Or(s.To, c.s.To)
			}
		}
	}
	return ""
}

// Listen holds the stream of answers. Without a topic for them there is
// nothing to hear, and it waits for ctx.
func (c *ntfy) Listen(ctx context.Context, post alert.Post) {
	if c.s.Answers == "" {
		<-ctx.Done()
		return
	}
	confirm := make(chan ntfyMessageJSON, 16)
	confirmed := make(chan struct{})
	go func() { // beside the stream: the next answer must not wait for it
		defer close(confirmed)
		for p := range confirm {
			if _, err := c.publish(ctx, p); err != nil && ctx.Err() == nil {
				c.log.Warn("ntfy: an answer was taken, but not confirmed", "err", err)
			}
		}
	}()
	stream := &ntfyStream{ntfy: c, post: post, confirm: confirm, heard: map[string]int64{}}
	listenOn(ctx, c.log, "ntfy", c.retry, stream.follow)
	close(confirm)
	<-confirmed
}

// An ntfyStream is what was heard of the answers.
type ntfyStream struct {
	*ntfy
	post    alert.Post
	confirm chan<- ntfyMessageJSON
	last    int64            // the time of the newest answer that was heard
	heard   map[string]int64 // the answers of the overlap, with their times
	now     int64            // by the server's clock
	refused bool             // the last answer was not taken
}

// follow hears answers until the stream breaks.
func (n *ntfyStream) follow(ctx context.Context, fine func()) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	since := ntfySince
	if n.last != 0 {
		since = strconv.FormatInt(n.last-int64(ntfyOverlap/time.Second), 10)
	}
	r, err := http.NewRequest(http.MethodGet, n.s.Server+"/"+n.s.Answers+"/json?since="+since, nil)
	if err != nil {
		return fmt.Errorf("ask ntfy: %w", err)
	}
	secrets, err := n.authorize(r)
	if err != nil {
		return err
	}
	// The server says "open" at once, and then that it lives.
	silence := time.AfterFunc(n.limit, func() { cancel(errSilent) })
	defer silence.Stop()
	resp, err := n.open(ctx, r)
	if err != nil {
		return silentOr(ctx, err)
	}
	defer resp.Body.Close()
	lines := bufio.NewReaderSize(resp.Body, 64<<10)
	if resp.StatusCode != http.StatusOK {
		text, _, _ := lines.ReadLine() // what can be read of it
		return cmp.Or(ntfyFault(resp, text, secrets), fmt.Errorf("ask ntfy: it answered %s, not as ntfy does", resp.Status))
	}
	for {
		line, err := readLine(lines)
		if err != nil {
			return silentOr(ctx, netFault("ntfy", err))
		}
		silence.Reset(n.silence)
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		var e ntfyEvent
		if err := json.Unmarshal(line, &e); err != nil || e.Event == "" {
			return errors.New("ask ntfy: it does not answer as ntfy does")
		}
		switch e.Event {
		case "open":
			n.now = e.Time
			n.last = min(n.last, e.Time) // the server's clock may have been set back
		case "keepalive": // what was kept has been told
			n.now, n.refused = e.Time, false
		case "message":
			n.now = max(n.now, e.Time)
			err := n.hear(ctx, e)
			if n.refused = err != nil; n.refused {
				return err
			}
		}
		// A stream that opens is no end of the trouble while the answer that was
		// not taken is still to come.
		if !n.refused {
			fine()
		}
	}
}

var errSilent = errors.New("ask ntfy: no sign of life")

// silentOr gives the reason why we hung up, where we did.
func silentOr(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); errors.Is(cause, errSilent) {
		return cause
	}
	return err
}

// hear passes an answer on, once. What is no button's data is not for us.
func (n *ntfyStream) hear(ctx context.Context, e ntfyEvent) error {
	if _, ok := n.heard[e.ID]; ok {
		return nil
	}
	data := strings.TrimSpace(e.Message)
	if e.ID == "" || !buttonData.MatchString(data) {
		n.log.Debug("ntfy: what came on the topic of the answers is none", "id", alert.Cut(e.ID, 64))
	} else {
		topic := n.sentTo(data, n.post) // before it is heard: it may not be open afterwards
		reply, err := n.post.Hear(ctx, alert.Answer{ID: e.ID, Channel: n.s.ID, Data: data, At: time.Unix(e.Time, 0)})
		if err != nil {
			return fmt.Errorf("hear answer: %w", err)
		}
		// One from before a restart was confirmed then.
		if reply != "" && topic != "" && n.now-e.Time < int64(ntfyFresh/time.Second) {
			select {
			case n.confirm <- ntfyMessageJSON{Topic: topic, Message: reply, Priority: 2}:
			default:
				n.log.Warn("ntfy: an answer was taken, but not confirmed: too many wait")
			}
		}
	}
	n.last = max(n.last, e.Time)
	n.heard[e.ID] = e.Time
	for id, at := range n.heard {
		if at < n.last-int64(ntfyOverlap/time.Second) {
			delete(n.heard, id)
		}
	}
	return nil
}

// readLine gives the next line, empty in place of one that is too long to be
// of use, so that it cannot stop those behind it.
func readLine(r *bufio.Reader) ([]byte, error) {
	line, err := r.ReadSlice('\n')
	if !errors.Is(err, bufio.ErrBufferFull) {
		return line, err
	}
	for errors.Is(err, bufio.ErrBufferFull) {
		_, err = r.ReadSlice('\n')
	}
	return nil, err
}
