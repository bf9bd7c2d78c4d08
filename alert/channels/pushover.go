package channels

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"coldkeep/alert"
)

// Pushover (https://pushover.net/api). An emergency message rings every minute
// until somebody confirms it in the app. That is its only answer, and it is
// found by asking for the message's receipt.

const (
	pushoverServer  = "https://api.pushover.net"
	pushoverTitle   = 250  // characters
	pushoverMessage = 1024 // characters
	pushoverRetry   = 60   // s between two rings; at least 30
	pushoverExpire  = 10800
	// pushoverEvery is the pause between two rounds over the open receipts. One
	// receipt may be asked for every 5 s.
	pushoverEvery = 10 * time.Second
	// pushoverAtOnce is how many receipts a round asks for: the service is
	// shared, and 20 people called at once must not look like an attack.
	pushoverAtOnce = 20
)

var (
	pushoverKey     = regexp.MustCompile(`^[A-Za-z0-9]{30}$`)
	pushoverReceipt = regexp.MustCompile(`^[A-Za-z0-9]{1,64}$`)
)

type pushover struct {
	asker
	s     alert.Settings
	log   *slog.Logger
	every time.Duration
	retry backoff
}

func openPushover(s alert.Settings, log *slog.Logger) (alert.Notifier, error) {
	server, err := httpServer(cmp.Or(s.Server, pushoverServer))
	if err != nil {
		return nil, fmt.Errorf("open channel %s: %w", s.ID, err)
	}
	s.Server = server
	if s.TokenFile == "" {
		return nil, fmt.Errorf("open channel %s: it needs a token file, with the application's token", s.ID)
	}
	if s.To != "" && !pushoverKey.MatchString(s.To) {
		return nil, fmt.Errorf("open channel %s: %q is no user key: it has 30 letters and digits", s.ID, s.To)
	}
	return &pushover{asker: *newAsker("Pushover"), s: s, log: log.With("channel", s.ID),
		every: pushoverEvery, retry: backoff{pushoverEvery, 2 * time.Minute}}, nil
}

func (c *pushover) Name() string { return c.s.ID }

// A pushoverReply is what each request is answered with; of a receipt it has
// more. Numbers that say yes are 1.
type pushoverReply struct {
	Status         int      `json:"status"`
	Request        string   `json:"request"`
	Receipt        string   `json:"receipt"`
	Errors         []string `json:"errors"`
	Acknowledged   int      `json:"acknowledged"`
	AcknowledgedAt int64    `json:"acknowledged_at"`
	AcknowledgedBy string   `json:"acknowledged_by"`
	Expired        int      `json:"expired"`
}

// Notify sends the message. The receipt is that of an emergency message; other
// messages have none.
func (c *pushover) Notify(ctx context.Context, m alert.Message) (string, error) {
	to := cmp.Or(m.To, c.s.To)
	if !pushoverKey.MatchString(to) {
		return "", errors.New("ask Pushover: the address is no user key: it has 30 letters and digits")
	}
	form := url.Values{
		"user":     {to},
		"title":    {alert.Cut(m.Title, pushoverTitle)},
		"message":  {alert.Cut(cmp.Or(m.Body, m.Title), pushoverMessage)}, // an empty one is refused
		"priority": {strconv.Itoa(pushoverPriority(m))},
	}
	emergency := pushoverPriority(m) == 2
	if emergency {
		form.Set("retry", strconv.Itoa(pushoverRetry))
		form.Set("expire", strconv.Itoa(pushoverExpire))
	}
	reply, err := c.post(ctx, "/1/messages.json", form)
	if err != nil {
		return "", err
	}
	if emergency && !pushoverReceipt.MatchString(reply.Receipt) {
		return "", &alert.UnknownError{Err: errors.New("ask Pushover: it took the message, but gave no receipt")}
	}
	return reply.Receipt, nil
}

// pushoverPriority: 2 rings until it is confirmed, 1 goes through the quiet
// hours of the app, 0 makes the usual sound, -1 none.
func pushoverPriority(m alert.Message) int {
	switch {
	case m.Purpose.Loud() && m.Severity == alert.Critical:
		return 2
	case m.Purpose.Loud():
		return 1
	case silent(m.Purpose):
		return -1
	}
	return 0
}

// Cancel ends the ringing of an emergency message. One that rings no more, or
// that the service has forgotten, is as good.
func (c *pushover) Cancel(ctx context.Context, receipt string) error {
	if !pushoverReceipt.MatchString(receipt) {
		return errors.New("ask Pushover: it is no receipt")
	}
	_, err := c.post(ctx, "/1/receipts/"+receipt+"/cancel.json", url.Values{})
	if gone, ok := errors.AsType[*pushoverGone](err); ok {
		c.log.Debug("pushover: there was nothing to cancel", "err", gone)
		return nil
	}
	return err
}

// Listen asks for the receipts of the messages that may still be answered.
func (c *pushover) Listen(ctx context.Context, post alert.Post) {
	done := map[string]bool{} // receipts that were heard, or that nothing will come of
	next := 0                 // where the next round begins
	listenOn(ctx, c.log, "pushover", c.retry, func(ctx context.Context, fine func()) error {
		var open []alert.Sent
		still := map[string]bool{}
		for _, s := range post.Open(c.s.ID) {
			switch {
			case done[s.Receipt]:
				still[s.Receipt] = true
			case pushoverReceipt.MatchString(s.Receipt) && len(s.Buttons) > 0:
				open = append(open, s)
			}
		}
		done = still // what is not open any more need not be remembered
		var faults []error
		asked := 0
		for ; asked < min(len(open), pushoverAtOnce) && len(faults) < 2; asked++ {
			next++ // also after a fault: another receipt is the first then
			s := open[next%len(open)]
			ended, err := c.receipt(ctx, s, post)
			if err == nil {
				done[s.Receipt] = ended
				continue
			}
			faults = append(faults, err)
			if e, ok := errors.AsType[*alert.TemporaryError](err); ok && e.After > 0 {
				return err
			}
		}
		if len(faults) > 0 && len(faults) == asked {
			return faults[0]
		}
		if len(faults) > 0 { // one receipt's trouble must not hold up the others
			c.log.Debug("pushover: some receipts were not answered", "err", faults[0])
		}
		fine()
		pause(ctx, c.every)
		return nil
	})
}

// receipt asks what became of a message; done says that it needs no asking
// any more.
func (c *pushover) receipt(ctx context.Context, s alert.Sent, post alert.Post) (done bool, err error) {
	reply, err := c.get(ctx, "/1/receipts/"+s.Receipt+".json")
	if gone, ok := errors.AsType[*pushoverGone](err); ok {
		c.log.Warn("pushover: a receipt is not known any more", "message", s.ID, "err", gone)
		return true, nil
	}
	if err != nil {
		return false, err
	}
	if reply.Acknowledged != 1 {
		return reply.Expired == 1, nil
	}
	// A group's key is not that of who confirmed: From is the person's.
	_, err = post.Hear(ctx, alert.Answer{ID: s.Receipt, Channel: c.s.ID, From: reply.AcknowledgedBy, Data: s.Buttons[0].Data, At: time.Unix(reply.AcknowledgedAt, 0)})
	if err != nil {
		return false, fmt.Errorf("hear answer: %w", err)
	}
	return true, nil
}

func (c *pushover) post(ctx context.Context, path string, form url.Values) (*pushoverReply, error) {
	token, err := alert.Secret(c.s.TokenFile)
	if err != nil {
		return nil, err
	}
	form.Set("token", token)
	r, err := http.NewRequest(http.MethodPost, c.s.Server+path, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, errors.New("ask Pushover: the address cannot be used")
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return c.reply(ctx, r, token)
}

func (c *pushover) get(ctx context.Context, path string) (*pushoverReply, error) {
	token, err := alert.Secret(c.s.TokenFile)
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequest(http.MethodGet, c.s.Server+path+"?token="+url.QueryEscape(token), nil)
	if err != nil {
		return nil, errors.New("ask Pushover: the address cannot be used") // the error has the token
	}
	return c.reply(ctx, r, token)
}

// A pushoverGone is an answer about a receipt that is not known, or not any
// more.
type pushoverGone struct{ err error }

func (e *pushoverGone) Error() string { return e.err.Error() }
func (e *pushoverGone) Unwrap() error { return e.err }

// reply reads an answer: {"status":1,"request":"…"}, or
// {"user":"invalid","errors":["…"],"status":0,"request":"…"}.
func (c *pushover) reply(ctx context.Context, r *http.Request, token string) (*pushoverReply, error) {
	resp, text, err := c.ask(ctx, r)
	if err != nil {
		return nil, err
	}
	var reply pushoverReply
	unread := json.Unmarshal(text, &reply)
	said := string(text)
	if unread == nil && len(reply.Errors) > 0 {
		said = strings.Join(reply.Errors, "; ")
	}
	said = hide(said, token)
	fault := httpFault("Pushover", resp, said)
	switch {
	case resp.StatusCode == http.StatusTooManyRequests:
		return nil, &alert.TemporaryError{Err: fault, After: cmp.Or(retryAfter(resp), pushoverReset(resp))}
	case strings.Contains(r.URL.Path, "/receipts/") && resp.StatusCode < 500 && unread == nil && reply.Status != 1 &&
		(resp.StatusCode == http.StatusNotFound || strings.Contains(said, "receipt")):
		return nil, &pushoverGone{statusError("Pushover", resp, said)}
	case fault != nil:
		return nil, fault
	case unread != nil, reply.Request == "" && reply.Status != 1:
		return nil, &alert.UnknownError{Err: fmt.Errorf("ask Pushover: it answered %s, but not as Pushover does", resp.Status)}
	case reply.Status != 1:
		return nil, statusError("Pushover", resp, said)
	}
	return &reply, nil
}

// pushoverReset is when the month's quota is full again. It is told in each
// answer; only where nothing remains it says when a next try makes sense.
func pushoverReset(r *http.Response) time.Duration {
	if r.Header.Get("X-Limit-App-Remaining") != "0" {
		return 0
	}
	at, err := strconv.ParseInt(r.Header.Get("X-Limit-App-Reset"), 10, 64)
	if err != nil {
		return 0
	}
	now, err := http.ParseTime(r.Header.Get("Date")) // the server's: ours may be wrong
	if err != nil {
		now = time.Now()
	}
	return max(0, min(time.Unix(at, 0).Sub(now), retryMost))
}
