package alert

import "fmt"

func openEmail(s Settings) (Notifier, error) {
	return nil, fmt.Errorf("open channel %s: it is being built", s.ID)
}
