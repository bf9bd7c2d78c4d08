package channels

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"coldkeep/alert"
)

// PagerDuty's limits, from its Events API v2.
const (
	pagerDutyServer  = "https://events.pagerduty.com"
	pagerDutyKey     = 32   // characters of a routing key
	pagerDutySummary = 1024 // characters
	// Events are taken in at once and worked off later: a new trigger follows
	// a resolve after this, so that the one cannot overtake the other.
	pagerDutyApart = 2 * time.Second
)

// A pagerDuty tells PagerDuty's Events API v2: a trouble is one alert there,
// from trigger to resolve.
//
// Settings: TokenFile holds the integration's routing key; Server is another
// region's (https://events.eu.pagerduty.com), "" the usual one; From is the
// site, "" the machine's name.
//
// While an incident is acknowledged PagerDuty calls nobody, whatever it is
// told. A page that follows an acknowledgement of ours therefore resolves the
// incident and opens a new one. This memory is not kept over a restart: after
// one, PagerDuty stays quiet about what was acknowledged before.
type pagerDuty struct {
	id, source, keyFile string
	in                  *intake
	apart               time.Duration

	mu    sync.Mutex
	taken map[string]bool // acknowledged by us and not resolved, by dedup key
}

func openPagerDuty(s alert.Settings) (alert.Notifier, error) {
	if _, err := pagerDutyRouting(s.TokenFile); err != nil {
		return nil, fmt.Errorf("open channel %s: %w", s.ID, err)
	}
	if s.Server == "" {
		s.Server = pagerDutyServer
	}
	in, err := newIntake("PagerDuty", s.Server, "/v2/enqueue")
	if err != nil {
		return nil, fmt.Errorf("open channel %s: %w", s.ID, err)
	}
	return &pagerDuty{id: s.ID, source: siteOrHost(s.From), keyFile: s.TokenFile, in: in, apart: pagerDutyApart, taken: map[string]bool{}}, nil
}

func pagerDutyRouting(file string) (string, error) {
	key, err := alert.Secret(file)
	if err != nil {
		return "", err
	}
	if n := utf8.RuneCountInString(key); n != pagerDutyKey {
		return "", fmt.Errorf("the routing key in %s has %d characters, and PagerDuty's have %d", file, n, pagerDutyKey)
	}
	return key, nil
}

// siteOrHost is whom a service is told by.
func siteOrHost(site string) string {
	if site != "" {
		return site
	}
	if host, err := os.Hostname(); err == nil && host != "" {
		return host
	}
	return "coldkeep"
}

func (p *pagerDuty) Name() string { return p.id }

// A pagerDutyEvent is one request. An acknowledgement and a resolve carry the
// three keys only.
type pagerDutyEvent struct {
	RoutingKey string            `json:"routing_key"`
	Action     string            `json:"event_action"`
	DedupKey   string            `json:"dedup_key"`
	Client     string            `json:"client,omitempty"`
	Payload    *pagerDutyPayload `json:"payload,omitempty"`
}

type pagerDutyPayload struct {
	Summary   string           `json:"summary"`
	Source    string           `json:"source"`
	Severity  string           `json:"severity"`
	Timestamp string           `json:"timestamp"`
	Component string           `json:"component,omitempty"`
	Details   pagerDutyDetails `json:"custom_details"`
}

type pagerDutyDetails struct {
	Text         string   `json:"text"`
	Trouble      string   `json:"trouble"`
	Units        []string `json:"units,omitempty"`
	Notification string   `json:"notification"`
	Repeat       bool     `json:"repeat"`
}

// Notify gives the dedup key as its receipt.
func (p *pagerDuty) Notify(ctx context.Context, m alert.Message) (string, error) {
	key := dedupKey(m.Key)
	switch m.Purpose {
	case alert.Page, alert.Notice, alert.Worse, alert.Test:
		if err := p.trigger(ctx, key, m); err != nil {
			return "", err
		}
	case alert.Taken:
		if err := p.send(ctx, pagerDutyEvent{Action: "acknowledge", DedupKey: key}); err != nil {
			return "", err
		}
		p.setTaken(key, true)
	case alert.AllClear, alert.Tested:
		if err := p.send(ctx, pagerDutyEvent{Action: "resolve", DedupKey: key}); err != nil {
			return "", err
		}
		p.setTaken(key, false)
	default:
		return "", notForServices(p.id, m.Purpose)
	}
	return key, nil
}

func (p *pagerDuty) trigger(ctx context.Context, key string, m alert.Message) error {
	p.mu.Lock()
	taken := p.taken[key]
	p.mu.Unlock()
	if taken {
		if err := p.send(ctx, pagerDutyEvent{Action: "resolve", DedupKey: key}); err != nil {
			return err
		}
		p.setTaken(key, false)
		select {
		case <-time.After(p.apart):
		case <-ctx.Done():
			return &alert.TemporaryError{Err: fmt.Errorf("ask PagerDuty: %w", ctx.Err())} // the trigger was not sent
		}
	}
	payload := pagerDutyPayload{Summary: alert.Cut(m.Title, pagerDutySummary), Source: p.source, Severity: pagerDutySeverity(m.Severity), Timestamp: toldAt(m).UTC().Format(time.RFC3339),
		Details: pagerDutyDetails{Text: m.Body, Trouble: m.Key, Units: m.Units, Notification: m.ID, Repeat: m.Again}}
	if len(m.Units) == 1 {
		payload.Component = m.Units[0]
	}
	return p.send(ctx, pagerDutyEvent{Action: "trigger", DedupKey: key, Client: "coldkeep", Payload: &payload})
}

// pagerDutySeverity is one of the four words that it takes.
func pagerDutySeverity(s alert.Severity) string {
	switch s {
	case alert.Critical:
		return "critical"
	case alert.Warning:
		return "warning"
	}
	return "error" // never quieter than what is not known
}

func (p *pagerDuty) setTaken(key string, taken bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if taken {
		p.taken[key] = true
	} else {
		delete(p.taken, key)
	}
}

// send says whether PagerDuty accepted the event: 202, and nothing else.
func (p *pagerDuty) send(ctx context.Context, e pagerDutyEvent) error {
	routing, err := pagerDutyRouting(p.keyFile)
	if err != nil {
		return fmt.Errorf("ask PagerDuty: %w", err)
	}
	e.RoutingKey = routing
	r, text, err := p.in.postJSON(ctx, e)
	switch {
	case err != nil:
		return err
	case r.StatusCode == http.StatusAccepted:
		return nil
	case r.StatusCode < 300:
		return &alert.UnknownError{Err: statusError(p.in.who, r, "it should have been 202 Accepted")}
	}
	return httpFault(p.in.who, r, pagerDutyFault(text))
}

// pagerDutyFault puts what it says of a refused event into one line: the list
// of what is wrong where there is one.
func pagerDutyFault(text string) string {
	var x struct {
		Message string          `json:"message"`
		Errors  json.RawMessage `json:"errors"`
	}
	if json.Unmarshal([]byte(text), &x) != nil || x.Message == "" && len(x.Errors) == 0 {
		return text
	}
	var list []string
	if json.Unmarshal(x.Errors, &list) != nil {
		list = nil
		if s := string(x.Errors); s != "" && s != "null" {
			list = []string{s}
		}
	}
	if x.Message != "" {
		list = append([]string{x.Message}, list...)
	}
	return strings.Join(list, "; ")
}
