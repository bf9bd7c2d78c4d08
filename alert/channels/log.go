package channels

import (
	"context"
	"log/slog"

	"coldkeep/alert"
)

// logChannel writes messages into the daemon's log. Where it stands for
// somebody's telephone, as in the demo, To says whose.
type logChannel struct {
	id  string
	log *slog.Logger
}

func (c logChannel) Name() string { return c.id }

func (c logChannel) Notify(ctx context.Context, m alert.Message) (string, error) {
	level := slog.LevelInfo
	switch {
	case m.Purpose.Loud() && m.Severity == alert.Critical:
		level = slog.LevelError
	case m.Purpose.Loud() || m.Purpose == alert.Notice:
		level = slog.LevelWarn
	}
	whom := []any{"channel", c.id}
	if m.To != "" {
		whom = append(whom, "to", m.To)
	}
	c.log.Log(ctx, level, m.Title, append(whom, "trouble", m.Key, "text", m.Body)...)
	return "", nil
}
