package channels

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"coldkeep/alert"
)

// answerMost bounds what is read of a service's answer.
const answerMost = 1 << 20

// An asker asks one service over HTTP, one request at a time or several, and
// tells what a failure is worth.
type asker struct {
	who    string // as errors call it
	client *http.Client
	limit  time.Duration // for a request and its answer, together
}

func newAsker(who string) *asker {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	// Between two pages lie weeks, and a router forgets a silent connection
	// without telling: a page on it would hang until its time is over.
	transport.IdleConnTimeout = 20 * time.Second
	return &asker{who: who, limit: 15 * time.Second, client: &http.Client{
		Transport: transport,
		// A redirected POST becomes a GET: it would look like a success, and
		// nothing would have been sent.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// ask sends a request and reads its answer, whatever its status. An error says
// what it is worth: without a connection nothing was sent.
func (a *asker) ask(ctx context.Context, r *http.Request) (*http.Response, []byte, error) {
	return a.askWithin(ctx, a.limit, r)
}

func (a *asker) askWithin(ctx context.Context, limit time.Duration, r *http.Request) (*http.Response, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	resp, err := a.open(ctx, r)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, answerMost))
	if err != nil && resp.StatusCode < 300 {
		return nil, nil, netFault(a.who, err)
	}
	return resp, body, nil
}

// open sends a request and gives its answer with the body unread, under no
// other time limit than ctx.
func (a *asker) open(ctx context.Context, r *http.Request) (*http.Response, error) {
	var connected atomic.Bool
	trace := &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected.Store(true) }}
	resp, err := a.client.Do(r.WithContext(httptrace.WithClientTrace(ctx, trace)))
	if err == nil {
		return resp, nil
	}
	fault := netFault(a.who, err)
	if unknown, ok := errors.AsType[*alert.UnknownError](fault); ok && !connected.Load() {
		// The time was over, or the certificate not good, before there was a
		// connection to carry anything.
		return nil, &alert.TemporaryError{Err: unknown.Err}
	}
	return nil, fault
}

// httpServer checks the address of a service, and gives it without a slash at
// its end.
func httpServer(address string) (string, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil, u.Scheme != "https" && u.Scheme != "http", u.Host == "":
		// Not as it is, nor what is wrong with it: there may be a password in it.
		return "", errors.New("read server: it is not like https://HOST")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return "", errors.New("read server: it has more than https://HOST/PATH; passwords belong into a file")
	}
	return strings.TrimRight(address, "/"), nil
}

// hide takes secrets out of a text that a server gave: error pages repeat the
// address that was asked for.
func hide(text string, secrets ...string) string {
	for _, s := range secrets {
		if s == "" {
			continue
		}
		for _, form := range []string{s, url.QueryEscape(s), url.PathEscape(s)} {
			text = strings.ReplaceAll(text, form, "(secret)")
		}
	}
	return text
}

// pause waits, and says whether ctx still holds.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// A backoff is the pause after each of several failures in a row: it doubles.
type backoff struct{ first, most time.Duration }

// after gives the pause after the n-th failure, n from 1.
func (b backoff) after(n int) time.Duration {
	d := b.first
	for ; n > 1 && d < b.most; n-- {
		d *= 2
	}
	return min(d, b.most)
}

// cutBytes shortens to n bytes, never within a character.
func cutBytes(s string, n int) string {
	if len(s) <= n {
		return s
	}
	const mark = "…"
	for n -= len(mark); n > 0 && s[n]&0xC0 == 0x80; n-- {
	}
	return s[:max(n, 0)] + mark
}
