package channels

import (
	"context"

	"coldkeep/alert"
)

// broken is a channel that could not be opened. It takes nothing and says why,
// so that people are told by the other channels, and the daemon goes on
// watching: a missing token must not leave the fridges unwatched.
type broken struct {
	id  string
	err error
}

// Broken stands for a channel that Open has refused.
func Broken(s alert.Settings, err error) alert.Notifier {
	if s.ID == "" {
		s.ID = s.Kind
	}
	return broken{s.ID, err}
}

func (b broken) Name() string { return b.id }

func (b broken) Notify(context.Context, alert.Message) (string, error) { return "", b.err }
