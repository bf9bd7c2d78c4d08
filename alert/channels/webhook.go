package channels

import (
	"context"
	"fmt"
	"time"

	"coldkeep/alert"
)

// A webhook posts each message as JSON to a URL: to whatever a clinic already
// has. Any 2xx says that it was delivered; 429, 408, 425 and 5xx, that it is to
// be tried again; anything else, a redirect too, that it never will be.
//
// Settings: either Server, the whole URL, or URLFile, a file that holds it
// where it has a secret in it; TokenFile, optional, is sent as
// "Authorization: Bearer TOKEN".
//
// The body is one flat object, all keys always there:
//
//	id        the message's; the same when it is tried again: drop repeats by it
//	key       of the trouble; the same from its beginning to its end
//	purpose   page, notice, taken, all_clear (the trouble is over), test, tested
//	severity  critical, warning
//	title     at most 100 characters, for people
//	body      the rest for people; lines are parted by \n
//	time      when what it tells of happened, RFC 3339 in UTC
//	repeat    it may have arrived before
//
// More keys may come: ignore what you do not know.
type webhook struct {
	id string
	in *intake
}

func openWebhook(s alert.Settings) (alert.Notifier, error) {
	w, err := newWebhook(s)
	if err != nil {
		return nil, fmt.Errorf("open channel %s: %w", s.ID, err)
	}
	return w, nil
}

func newWebhook(s alert.Settings) (*webhook, error) {
	if (s.Server == "") == (s.URLFile == "") {
		return nil, fmt.Errorf("either the server or a file with the URL must be given")
	}
	in := &intake{who: "the webhook", urlFile: s.URLFile, client: newIntakeClient()}
	if s.URLFile == "" {
		var err error
		if in, err = newIntake("the webhook", s.Server, ""); err != nil {
			return nil, err
		}
	}
	in.tokenFile = s.TokenFile
	if err := in.check(); err != nil {
		return nil, err
	}
	return &webhook{s.ID, in}, nil
}

func (w *webhook) Name() string { return w.id }

// A webhookMessage is the body. It is a promise to those who read it: keys are
// added, never changed.
type webhookMessage struct {
	ID       string         `json:"id"`
	Key      string         `json:"key"`
	Purpose  alert.Purpose  `json:"purpose"`
	Severity alert.Severity `json:"severity"`
	Title    string         `json:"title"`
	Body     string         `json:"body"`
	Time     string         `json:"time"`
	Repeat   bool           `json:"repeat"`
}

func (w *webhook) Notify(ctx context.Context, m alert.Message) (string, error) {
	r, text, err := w.in.postJSON(ctx, webhookMessage{ID: m.ID, Key: m.Key, Purpose: m.Purpose, Severity: m.Severity, Title: m.Title, Body: m.Body,
		Time: toldAt(m).UTC().Format(time.RFC3339), Repeat: m.Again})
	if err != nil {
		return "", err
	}
	return "", httpFault(w.in.who, r, text)
}
