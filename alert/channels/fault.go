package channels

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"coldkeep/alert"
)

// retryMost bounds what a server may ask for with Retry-After.
const retryMost = time.Hour

// httpFault is the one table from an HTTP status to what it is worth to try
// again; nil for 2xx. text is what the server said.
func httpFault(who string, r *http.Response, text string) error {
	switch {
	case r.StatusCode >= 200 && r.StatusCode < 300:
		return nil
	case r.StatusCode == http.StatusTooManyRequests, r.StatusCode == http.StatusRequestTimeout, r.StatusCode == http.StatusTooEarly, r.StatusCode >= 500:
		return &alert.TemporaryError{Err: statusError(who, r, text), After: retryAfter(r)}
	}
	return statusError(who, r, text)
}

func statusError(who string, r *http.Response, text string) error {
	return fmt.Errorf("%s answered %s: %s", who, r.Status, alert.Cut(strings.TrimSpace(text), 300))
}

func retryAfter(r *http.Response) time.Duration {
	s, err := strconv.Atoi(r.Header.Get("Retry-After"))
	if err != nil || s <= 0 {
		return 0
	}
	return min(time.Duration(s)*time.Second, retryMost)
}

// netFault is the other half of the table: what an error of the network is
// worth. A connection that was never made carried nothing; one that broke or
// timed out afterwards may have carried the message.
func netFault(who string, err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err // without the URL: it may hold a secret
	}
	err = fmt.Errorf("ask %s: %w", who, err)
	var dns *net.DNSError
	var op *net.OpError
	switch {
	case errors.As(err, &dns), errors.As(err, &op) && op.Op == "dial", errors.Is(err, syscall.ECONNREFUSED):
		return &alert.TemporaryError{Err: err}
	case errors.Is(err, context.Canceled):
		return err
	}
	return &alert.UnknownError{Err: err}
}
