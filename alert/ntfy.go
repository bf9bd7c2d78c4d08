package alert

import (
	"fmt"
	"log/slog"
)

func openNtfy(s Settings, log *slog.Logger) (Notifier, error) {
	return nil, fmt.Errorf("open channel %s: it is being built", s.ID)
}
