package alert

import (
	"context"
	"fmt"
	"net/url"
	"time"
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

func openWebhook(s Settings) (Notifier, error) {
	w, err := newWebhook(s)
	if err != nil {
		return nil, fmt.Errorf("open channel %s: %w", s.ID, err)
	}
	return w, nil
}

func newWebhook(s Settings) (*webhook, error) {
	if (s.Server == "") == (s.URLFile == "") {
		return nil, fmt.Errorf("either the server or a file with the URL must be given")
	}
	var in *intake
	if s.URLFile == "" {
		var err error
		if in, err = newIntake("the webhook", s.Server, ""); err != nil {
			return nil, err
		}
	} else {
		at, err := secretURL(s.URLFile)
		if err != nil {
			return nil, err
		}
		in = newIntakeAt("the webhook", at.String())
	}
	if s.TokenFile != "" {
		token, err := Secret(s.TokenFile)
		if err != nil {
			return nil, err
		}
		in.header.Set("Authorization", "Bearer "+token)
	}
	return &webhook{s.ID, in}, nil
}

// secretURL reads a URL that is itself a secret: no error repeats it.
func secretURL(path string) (*url.URL, error) {
	text, err := Secret(path)
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return nil, fmt.Errorf("read %s: it should hold one URL, https://HOST/…", path)
	}
	return u, nil
}

func (w *webhook) Name() string { return w.id }

// A webhookMessage is the body. It is a promise to those who read it: keys are
// added, never changed.
type webhookMessage struct {
	ID       string   `json:"id"`
	Key      string   `json:"key"`
	Purpose  Purpose  `json:"purpose"`
	Severity Severity `json:"severity"`
	Title    string   `json:"title"`
	Body     string   `json:"body"`
	Time     string   `json:"time"`
	Repeat   bool     `json:"repeat"`
}

func (w *webhook) Notify(ctx context.Context, m Message) (string, error) {
	r, text, err := w.in.postJSON(ctx, webhookMessage{ID: m.ID, Key: m.Key, Purpose: m.Purpose, Severity: m.Severity, Title: m.Title, Body: m.Body,
		Time: m.toldAt().UTC().Format(time.RFC3339), Repeat: m.Again})
	if err != nil {
		return "", err
	}
	return "", httpFault(w.in.who, r, text)
}
