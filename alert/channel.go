package alert

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// Settings are a channel's, as configured. Which are needed depends on Kind.
type Settings struct {
	Kind      string // log, ntfy
	Server    string
	Topic     string
	TokenFile string
}

// Open makes a channel: the one switch over kinds.
func Open(s Settings, log *slog.Logger) (Notifier, error) {
	switch s.Kind {
	case "log":
		return logChannel{log}, nil
	case "ntfy":
		return openNtfy(s)
	}
	return nil, fmt.Errorf("open channel %q: there are log and ntfy", s.Kind)
}

// logChannel writes messages into the daemon's log.
type logChannel struct{ log *slog.Logger }

func (logChannel) Name() string { return "log" }

func (c logChannel) Notify(ctx context.Context, m Message) error {
	level := slog.LevelError
	switch {
	case m.Cleared:
		level = slog.LevelInfo
	case m.Severity == Warning:
		level = slog.LevelWarn
	}
	c.log.Log(ctx, level, m.Title, "alarm", m.Key, "text", m.Body)
	return nil
}

// ntfy publishes to a topic of an ntfy server (docs.ntfy.sh, publish as JSON).
type ntfy struct {
	server, topic, tokenFile string
	client                   *http.Client
}

func openNtfy(s Settings) (Notifier, error) {
	server := s.Server
	if server == "" {
		server = "https://ntfy.sh"
	}
	u, err := url.Parse(server)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("open channel ntfy: server %q: write it as https://HOST", s.Server)
	}
	if s.Topic == "" {
		return nil, errors.New("open channel ntfy: no topic: give one that nobody can guess")
	}
	return &ntfy{server: server, topic: s.Topic, tokenFile: s.TokenFile, client: &http.Client{Timeout: 15 * time.Second}}, nil
}

func (n *ntfy) Name() string { return "ntfy" }

func (n *ntfy) Notify(ctx context.Context, m Message) error {
	// 5 rings through "do not disturb" where the phone allows it, 4 is loud, 3 ordinary.
	priority, tag := 5, "rotating_light"
	switch {
	case m.Cleared:
		priority, tag = 3, "white_check_mark"
	case m.Severity == Warning:
		priority, tag = 4, "warning"
	}
	body, err := json.Marshal(map[string]any{"topic": n.topic, "title": m.Title, "message": m.Body, "priority": priority, "tags": []string{tag}})
	if err != nil {
		return fmt.Errorf("write ntfy message: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, n.server, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("ask ntfy: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	if n.tokenFile != "" {
		token, err := os.ReadFile(n.tokenFile)
		if err != nil {
			return fmt.Errorf("read ntfy token: %w", err)
		}
		req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	}
	resp, err := n.client.Do(req)
	if err != nil {
		return &TemporaryError{Err: fmt.Errorf("ask ntfy: %w", err)}
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10)) // only for the message below
	return httpError("ntfy", resp, string(text))
}

// httpError is the one table from HTTP status to retry.
func httpError(who string, r *http.Response, text string) error {
	if r.StatusCode >= 200 && r.StatusCode < 300 {
		return nil
	}
	err := fmt.Errorf("%s answered %s: %s", who, r.Status, strings.TrimSpace(text))
	if r.StatusCode == http.StatusTooManyRequests || r.StatusCode == http.StatusRequestTimeout || r.StatusCode >= 500 {
		t := &TemporaryError{Err: err}
		if s, e := strconv.Atoi(r.Header.Get("Retry-After")); e == nil && s > 0 {
			t.After = min(time.Duration(s)*time.Second, time.Hour)
		}
		return t
	}
	return err
}
