package channels

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"coldkeep/alert"
)

// twilio is an account at Twilio, shared in form by its two channels: plain
// form POSTs to its REST API of 2010-04-01, which answers JSON.
type twilio struct {
	id      string
	server  string // https://api.twilio.com, no slash at the end
	account string
	secret  string        // the file of the token
	limit   time.Duration // for one request
	look    time.Duration // until the first look at what became of it
	from    string        // E.164
	to      string        // of messages to nobody in particular
	client  *http.Client
	// ahead is how far Twilio's clock is ahead of ours, by its last answer.
	// Its messages carry its time, ours our own, and the clock of a Pi may be
	// far off after a power cut.
	ahead atomic.Int64
}

const (
	twilioServer = "https://api.twilio.com"
	twilioMost   = 4 << 20          // of an answer; a page of 50 long messages has less than 1 MB
	twilioAnswer = 20 * time.Second // for one request
	twilioLook   = 500 * time.Millisecond
)

var (
	twilioAccount = regexp.MustCompile(`^AC[0-9a-fA-F]{32}$`)
	twilioSid     = regexp.MustCompile(`^[A-Z]{2}[0-9a-fA-F]{32}$`)
	twilioPhone   = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)
)

// openTwilio checks the account of a channel.
func openTwilio(s alert.Settings) (*twilio, error) {
	t := &twilio{id: s.ID, server: strings.TrimRight(s.Server, "/"), account: s.Account, secret: s.TokenFile, limit: twilioAnswer, look: twilioLook, from: dialled(s.From), to: dialled(s.To)}
	if t.server == "" {
		t.server = twilioServer
	}
	u, err := url.Parse(t.server)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Scheme != "https" && u.Scheme != "http":
		return nil, fmt.Errorf("open channel %s: server must read https://HOST", s.ID)
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return nil, fmt.Errorf("open channel %s: server must be https: the token would go in the clear", s.ID)
	case !twilioAccount.MatchString(t.account):
		return nil, fmt.Errorf("open channel %s: account must be the account SID: AC and 32 hex digits", s.ID)
	case !twilioPhone.MatchString(t.from):
		return nil, fmt.Errorf("open channel %s: from must be a phone number like +447700900123", s.ID)
	case t.to != "" && !twilioPhone.MatchString(t.to):
		return nil, fmt.Errorf("open channel %s: to must be a phone number like +447700900123", s.ID)
	case s.TokenFile == "":
		return nil, fmt.Errorf("open channel %s: the file with the auth token is missing", s.ID)
	}
	if _, err := alert.Secret(s.TokenFile); err != nil {
		return nil, fmt.Errorf("open channel %s: %w", s.ID, err)
	}
	t.client = &http.Client{
		// The token goes to the server that was named, and nowhere else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return t, nil
}

func (t *twilio) Name() string { return t.id }

// now is Twilio's time.
func (t *twilio) now() time.Time { return time.Now().Add(time.Duration(t.ahead.Load())) }

// receiver gives the number that m goes to, as Twilio wants it.
func (t *twilio) receiver(m alert.Message) (string, error) {
	to := dialled(m.To)
	if m.To == "" {
		to = t.to
	}
	if !twilioPhone.MatchString(to) {
		return "", fmt.Errorf("send to %q: that is no phone number like +447700900123", m.To)
	}
	return to, nil
}

// resource is the path of a resource of the account.
func (t *twilio) resource(parts ...string) string {
	p := "/2010-04-01/Accounts/" + t.account
	for _, part := range parts {
		p += "/" + url.PathEscape(part)
	}
	return p + ".json"
}

// A twilioFault is Twilio's JSON of an error. Its message tells of numbers
// and settings, never of the token.
type twilioFault struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// waits are errors that Twilio answers with a 400 although they pass.
var waits = map[int]bool{
	10004: true, // too many calls at once
	14107: true, // too many messages a second
	21611: true, // the sender's queue is full
	21730: true, // maintenance
}

// ask does one request: a POST where there is a form, else a GET. path begins
// with a slash. What comes back is decoded into out. The token is read anew
// each time, so that a changed one needs no restart.
func (t *twilio) ask(ctx context.Context, path string, form url.Values, out any) error {
	token, err := alert.Secret(t.secret)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, t.limit)
	defer cancel()
	method, body := http.MethodGet, io.Reader(nil)
	if form != nil {
		method, body = http.MethodPost, strings.NewReader(form.Encode())
	}
	req, err := http.NewRequestWithContext(ctx, method, t.server+path, body)
	if err != nil {
		return errors.New("ask Twilio: its address cannot be read")
	}
	req.SetBasicAuth(t.account, token)
	req.Header.Set("Accept", "application/json")
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	asked := time.Now()
	resp, err := t.client.Do(req)
	if err != nil {
		return netFault("Twilio", err)
	}
	defer resp.Body.Close()
	// An answer that took long says too little of the time.
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil && time.Since(asked) < 3*time.Second {
		t.ahead.Store(int64(time.Until(date)))
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, twilioMost))
	if err != nil {
		return netFault("Twilio", err)
	}
	if resp.StatusCode < 200 || resp.StatusCode >= 300 {
		var f twilioFault
		text := string(b)
		if json.Unmarshal(b, &f) == nil && f.Code != 0 {
			text = fmt.Sprintf("error %d: %s", f.Code, f.Message)
		}
		err := httpFault("Twilio", resp, text)
		var temporary *alert.TemporaryError
		if waits[f.Code] && !errors.As(err, &temporary) {
			err = &alert.TemporaryError{Err: err, After: retryAfter(resp)}
		}
		return err
	}
	if err := json.NewDecoder(bytes.NewReader(b)).Decode(out); err != nil {
		// It was taken, whatever it was: 2xx says so.
		return &alert.UnknownError{Err: fmt.Errorf("read Twilio's answer: %w", err)}
	}
	return nil
}

// watch asks for the state of what was sent until done says that it is final,
// at most for the time given or until ctx ends. What cannot be learnt is no
// fault of the message: Twilio has it, and watch says nothing of it.
func (t *twilio) watch(ctx context.Context, path string, most time.Duration, out any, done func() bool) {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	for pause := t.look; ; pause = min(2*pause, 4*time.Second) {
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		if err := t.ask(ctx, path, nil, out); err == nil && done() {
			return
		}
	}
}

// loopback says whether a host is this machine.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
