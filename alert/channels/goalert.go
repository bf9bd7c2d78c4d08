package channels

import (
	"context"
	"fmt"
	"net/url"

	"coldkeep/alert"
)

// GoAlert's limits. It cuts what is longer by itself; older versions keep
// fewer characters of the summary than these.
const (
	goAlertSummary = 1024
	goAlertDetails = 6144
)

// A goAlert tells GoAlert's generic API: a trouble is one alert there, open
// until action=close with the same dedup.
//
// Settings: Server; TokenFile holds the key of a "Generic API" integration. It
// goes in the form, not in the query that GoAlert's own examples have: URLs
// are logged by proxies.
//
// The API knows no acknowledgement: whom GoAlert calls must answer GoAlert. To
// close the alert when somebody has taken the trouble would be a lie that
// nobody takes back when the promise passes. A second message about an open
// alert is kept by GoAlert as a duplicate that calls nobody anew.
type goAlert struct {
	id, tokenFile string
	in            *intake
}

func openGoAlert(s alert.Settings) (alert.Notifier, error) {
	if _, err := alert.Secret(s.TokenFile); err != nil {
		return nil, fmt.Errorf("open channel %s: %w", s.ID, err)
	}
	in, err := newIntake("GoAlert", s.Server, "/api/v2/generic/incoming")
	if err != nil {
		return nil, fmt.Errorf("open channel %s: %w", s.ID, err)
	}
	return &goAlert{id: s.ID, tokenFile: s.TokenFile, in: in}, nil
}

func (g *goAlert) Name() string { return g.id }

// Notify gives the dedup as its receipt. Of Taken it sends nothing.
func (g *goAlert) Notify(ctx context.Context, m alert.Message) (string, error) {
	key := dedupKey(m.Key)
	// The summary is wanted for closing, too.
	form := url.Values{"summary": {alert.Cut(m.Title, goAlertSummary)}, "details": {alert.Cut(m.Body, goAlertDetails)}, "dedup": {key}}
	switch m.Purpose {
	case alert.Page, alert.Notice, alert.Worse, alert.Test:
	case alert.Taken:
		return "", nil
	case alert.AllClear, alert.Tested:
		form.Set("action", "close")
	default:
		return "", notForServices(g.id, m.Purpose)
	}
	token, err := alert.Secret(g.tokenFile)
	if err != nil {
		return "", fmt.Errorf("ask GoAlert: %w", err)
	}
	form.Set("token", token)
	r, text, err := g.in.post(ctx, "application/x-www-form-urlencoded", []byte(form.Encode()))
	if err != nil {
		return "", err
	}
	if err := httpFault(g.in.who, r, text); err != nil {
		return "", err
	}
	return key, nil
}
