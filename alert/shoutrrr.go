package alert

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nicholas-fedor/shoutrrr/pkg/router"
	"github.com/nicholas-fedor/shoutrrr/pkg/types"
)

// longTail reaches everything that has no channel of its own (Slack, Teams,
// Matrix, Signal, Gotify, …) through the shoutrrr library. Its address is a
// URL in shoutrrr's form with the service's secrets in it; no error and no log
// shows any part of it.
//
// The library knows no contexts, and some of its services no time-out: what
// hangs is left to itself and counts as unknown.
type longTail struct {
	id     string
	url    string
	secret []string      // the parts of url that nothing may show, the longest first
	slots  chan struct{} // those under way, and those left to themselves
}

const (
	shoutrrrMost = 10 * time.Second // for one message; the library's own
	shoutrrrHung = 8                // messages under way at a time
)

func openShoutrrr(s Settings) (Notifier, error) {
	if s.URLFile == "" {
		return nil, fmt.Errorf("open channel %s: the file with the URL is missing", s.ID)
	}
	address, err := Secret(s.URLFile)
	if err != nil {
		return nil, fmt.Errorf("open channel %s: %w", s.ID, err)
	}
	c := &longTail{id: s.ID, url: address, secret: secretParts(address), slots: make(chan struct{}, shoutrrrHung)}
	var r router.ServiceRouter
	scheme, _, err := r.ExtractServiceName(address)
	if err != nil {
		return nil, fmt.Errorf("open channel %s: the URL in %s cannot be read: it must read service://…", s.ID, s.URLFile)
	}
	if _, err := r.NewService(scheme); err != nil {
		services := r.ListServices()
		slices.Sort(services)
		return nil, fmt.Errorf("open channel %s: the URL in %s is for no service that is known: there are %s", s.ID, s.URLFile, join(services))
	}
	// Matrix logs in when it is made, and opening connects to nothing.
	if scheme != "matrix" {
		if _, err := r.Locate(address); err != nil {
			return nil, fmt.Errorf("open channel %s: the URL in %s does not fit its service: %s", s.ID, s.URLFile, c.scrub(err.Error()))
		}
	}
	return c, nil
}

func (c *longTail) Name() string { return c.id }

// Notify sends m as one text. Where it goes is in the URL: m.To is not used.
// The title is the text's first line, since not every service knows titles.
func (c *longTail) Notify(ctx context.Context, m Message) (string, error) {
	select {
	case c.slots <- struct{}{}:
	default:
		return "", &TemporaryError{Err: fmt.Errorf("send through shoutrrr: %d earlier messages still hang", shoutrrrHung)}
	}
	ctx, cancel := context.WithTimeout(ctx, shoutrrrMost)
	defer cancel()
	text := m.Title
	if m.Body != "" {
		text += "\n" + m.Body
	}
	sent := make(chan error, 1)
	go func() {
		defer func() { <-c.slots }()
		sent <- c.send(text)
	}()
	select {
	case err := <-sent:
		if err != nil {
			return "", c.fault(err)
		}
		return "", nil
	case <-ctx.Done():
		return "", &UnknownError{Err: fmt.Errorf("send through shoutrrr: no answer yet: %w", ctx.Err())}
	}
}

// send makes the service anew for each message: some keep what an earlier
// message left in them. A foreign service that panics takes only its message
// with it.
func (c *longTail) send(text string) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the service panicked: %v", p)
		}
	}()
	service, err := new(router.ServiceRouter).Locate(c.url)
	if err != nil {
		return err
	}
	return service.Send(text, &types.Params{})
}

// shoutrrrStatus finds an HTTP status in words: the library keeps no number.
var shoutrrrStatus = regexp.MustCompile(`(?i)\b(?:status|http|code|error|response)\b\D{0,40}?\b([45]\d\d)\b|\b([45]\d\d) (?:Bad|Unauthorized|Payment|Forbidden|Not|Method|Request|Conflict|Gone|Too|Internal|Service|Gateway)\b`)

// fault is what an error of the library is worth. Nothing of it is wrapped:
// its parts hold the URL.
func (c *longTail) fault(err error) error {
	told := errors.New("send through shoutrrr: " + c.scrub(err.Error()))
	var dns *net.DNSError
	var op *net.OpError
	if errors.As(err, &dns) || errors.As(err, &op) && op.Op == "dial" {
		return &TemporaryError{Err: told}
	}
	if m := shoutrrrStatus.FindStringSubmatch(err.Error()); m != nil {
		status, _ := strconv.Atoi(cmp.Or(m[1], m[2])) // three digits
		if status == 408 || status == 425 || status == 429 || status >= 500 {
			return &TemporaryError{Err: told}
		}
		return told
	}
	// Most services flatten what happened to words: it may have arrived.
	return &UnknownError{Err: told}
}

var anyURL = regexp.MustCompile(`[A-Za-z][A-Za-z0-9+.-]*://[^\s"'<>]+`)

// scrub takes everything out of s that could be part of the URL.
func (c *longTail) scrub(s string) string {
	for _, part := range c.secret {
		s = strings.ReplaceAll(s, part, "[…]")
	}
	return cut(anyURL.ReplaceAllString(s, "[…]"), 300)
}

// secretParts are the parts of a URL that could show up in an error: as they
// stand and decoded, user, password, path and query. Parts of fewer than four
// characters are words like "api" cut short, and hide nothing.
func secretParts(address string) []string {
	parts := []string{address}
	// The scheme names the service and is no secret. What follows is taken
	// apart at everything that separates in a URL, so that it works for one
	// that cannot be parsed, too.
	_, rest, found := strings.Cut(address, "://")
	if !found {
		rest = address
	}
	parts = append(parts, rest)
	for _, p := range strings.FieldsFunc(rest, func(r rune) bool { return strings.ContainsRune("/@:?&=#,;+", r) }) {
		parts = append(parts, p)
		if d, err := url.QueryUnescape(p); err == nil {
			parts = append(parts, d)
		}
		if d, err := url.PathUnescape(p); err == nil {
			parts = append(parts, d)
		}
	}
	parts = slices.DeleteFunc(parts, func(p string) bool { return len(p) < 4 })
	slices.SortFunc(parts, func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), strings.Compare(a, b)) })
	return slices.Compact(parts)
}
