package channels

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

	"coldkeep/alert"
)

// longTail reaches everything that has no channel of its own (Slack, Teams,
// Matrix, Signal, Gotify, …) through the shoutrrr library. Its address is a
// URL in shoutrrr's form with the service's secrets in it; no error and no log
// shows any part of it.
//
// The library knows no contexts, and some of its services no time-out: what
// hangs is left to itself and counts as unknown.
type longTail struct {
	id    string
	file  string // of the URL
	limit time.Duration
	slots chan struct{} // those under way, and those left to themselves
}

const (
	shoutrrrMost = 10 * time.Second // for one message; the library's own
	shoutrrrHung = 8                // messages under way at a time
)

func openShoutrrr(s alert.Settings) (alert.Notifier, error) {
	if s.URLFile == "" {
		return nil, fmt.Errorf("open channel %s: the file with the URL is missing", s.ID)
	}
	a, err := readAddress(s.URLFile)
	if err != nil {
		return nil, fmt.Errorf("open channel %s: %w", s.ID, err)
	}
	if err := a.check(); err != nil {
		return nil, fmt.Errorf("open channel %s: the URL in %s %w", s.ID, s.URLFile, err)
	}
	return &longTail{id: s.ID, file: s.URLFile, limit: shoutrrrMost, slots: make(chan struct{}, shoutrrrHung)}, nil
}

func (c *longTail) Name() string { return c.id }

// Notify sends m as one text. Where it goes is in the URL: m.To is not used.
// The title is the text's first line, since not every service knows titles.
func (c *longTail) Notify(ctx context.Context, m alert.Message) (string, error) {
	// Read anew each time, so that a changed one needs no restart.
	a, err := readAddress(c.file)
	if err != nil {
		return "", err
	}
	select {
	case c.slots <- struct{}{}:
	default:
		return "", &alert.TemporaryError{Err: fmt.Errorf("send through shoutrrr: %d earlier messages still hang", shoutrrrHung)}
	}
	ctx, cancel := context.WithTimeout(ctx, c.limit)
	defer cancel()
	text := m.Title
	if m.Body != "" {
		text += "\n" + m.Body
	}
	sent := make(chan error, 1)
	go func() {
		defer func() { <-c.slots }()
		sent <- a.send(text)
	}()
	select {
	case err := <-sent:
		if err != nil {
			return "", a.fault(err)
		}
		return "", nil
	case <-ctx.Done():
		return "", &alert.UnknownError{Err: fmt.Errorf("send through shoutrrr: no answer yet: %w", ctx.Err())}
	}
}

// A secretAddress is a URL that nothing may show.
type secretAddress struct {
	url   string
	parts []string // of it, the longest first
	mute  bool     // there is a password too short to be found in words
}

func readAddress(file string) (*secretAddress, error) {
	s, err := alert.Secret(file)
	if err != nil {
		return nil, err
	}
	a := &secretAddress{url: s, parts: secretParts(s)}
	if u, err := url.Parse(s); err == nil && u.User != nil {
		password, _ := u.User.Password()
		a.mute = len(u.User.Username()) < shortest || password != "" && len(password) < shortest
	}
	return a, nil
}

// check finds out whether the library can do with the URL, without connecting
// to anything. Its errors end a sentence.
func (a *secretAddress) check() error {
	var r router.ServiceRouter
	scheme, _, err := r.ExtractServiceName(a.url)
	if err != nil {
		return errors.New("cannot be read: it must read service://…")
	}
	if _, err := r.NewService(scheme); err != nil {
		services := r.ListServices()
		slices.Sort(services)
		return fmt.Errorf("is for no service that is known: there are %s", strings.Join(services, ", "))
	}
	// Matrix logs in when it is made.
	if scheme == "matrix" {
		return nil
	}
	if _, err := r.Locate(a.url); err != nil {
		return fmt.Errorf("does not fit its service: %s", a.scrub(err.Error()))
	}
	return nil
}

// send makes the service anew for each message: some keep what an earlier
// message left in them. A foreign service that panics takes only its message
// with it.
func (a *secretAddress) send(text string) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the service panicked: %v", p)
		}
	}()
	service, err := new(router.ServiceRouter).Locate(a.url)
	if err != nil {
		return err
	}
	return service.Send(text, &types.Params{})
}

// shoutrrrStatus finds an HTTP status in words: the library keeps no number.
var shoutrrrStatus = regexp.MustCompile(`(?i)\b(?:status|http|code|error|response)\b\D{0,40}?\b([45]\d\d)\b|\b([45]\d\d) (?:Bad|Unauthorized|Payment|Forbidden|Not|Method|Request|Conflict|Gone|Too|Internal|Service|Gateway)\b`)

// shoutrrrAway finds a connection that was never made, of which nothing but
// words may be left, too.
var shoutrrrAway = regexp.MustCompile(`\bdial (tcp|udp)\b|\blookup \S+.*: (no such host|server misbehaving)`)

// fault is what an error of the library is worth. Nothing of it is wrapped:
// its parts hold the URL.
func (a *secretAddress) fault(err error) error {
	told := errors.New("send through shoutrrr: " + a.scrub(err.Error()))
	var dns *net.DNSError
	var op *net.OpError
	if errors.As(err, &dns) || errors.As(err, &op) && op.Op == "dial" || shoutrrrAway.MatchString(err.Error()) {
		return &alert.TemporaryError{Err: told}
	}
	if m := shoutrrrStatus.FindStringSubmatch(err.Error()); m != nil {
		status, _ := strconv.Atoi(cmp.Or(m[1], m[2])) // three digits
		if status == 408 || status == 425 || status == 429 || status >= 500 {
			return &alert.TemporaryError{Err: told}
		}
		return told
	}
	// Most services flatten what happened to words: it may have arrived.
	return &alert.UnknownError{Err: told}
}

var anyURL = regexp.MustCompile(`[A-Za-z][A-Za-z0-9+.-]*://[^\s"'<>]+`)

// shortest is the length from which a part of the URL is taken out of words;
// shorter ones would take half of the words with them.
const shortest = 4

// scrub takes everything out of s that could be part of the URL.
func (a *secretAddress) scrub(s string) string {
	if a.mute {
		return "what it says is not shown: the password in the URL is too short to be told from it"
	}
	for _, part := range a.parts {
		s = strings.ReplaceAll(s, part, "[…]")
	}
	return alert.Cut(anyURL.ReplaceAllString(s, "[…]"), 300)
}

// secretParts are the parts of a URL that could show up in an error: user,
// password, host, path and query, as they stand, decoded, and encoded anew.
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
		for _, decode := range []func(string) (string, error){url.QueryUnescape, url.PathUnescape} {
			if d, err := decode(p); err == nil {
				parts = append(parts, d, url.QueryEscape(d), url.PathEscape(d))
			}
		}
	}
	parts = slices.DeleteFunc(parts, func(p string) bool { return len(p) < shortest })
	slices.SortFunc(parts, func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), strings.Compare(a, b)) })
	return slices.Compact(parts)
}
