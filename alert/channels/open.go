// Package channels is the ways by which people are told and answer: one file a
// channel, each of which implements alert.Notifier, and what else of package
// alert fits it. Open is the one switch over them. All connections go outwards:
// a machine behind a clinic's router is reached by nobody.
package channels

import (
	"fmt"
	"log/slog"
	"strings"

	"coldkeep/alert"
)

// Open makes a channel: the one switch over kinds. It connects to nothing.
func Open(s alert.Settings, log *slog.Logger) (alert.Notifier, error) {
	if s.ID == "" {
		s.ID = s.Kind
	}
	switch s.Kind {
	case "log":
		return logChannel{s.ID, log}, nil
	case "ntfy":
		return openNtfy(s, log)
	case "pushover":
		return openPushover(s, log)
	case "telegram":
		return openTelegram(s, log)
	case "twilio-sms":
		return openTwilioSMS(s, log)
	case "twilio-voice":
		return openTwilioVoice(s)
	case "email":
		return openEmail(s)
	case "pagerduty":
		return openPagerDuty(s)
	case "goalert":
		return openGoAlert(s)
	case "alertmanager":
		return openAlertmanager(s)
	case "webhook":
		return openWebhook(s)
	case "shoutrrr":
		return openShoutrrr(s)
	case "modem":
		return openModem(s, log)
	case "siren":
		return openSiren(s, log)
	}
	return nil, fmt.Errorf("open channel %q: there are %s", s.Kind, strings.Join(alert.Kinds, ", "))
}
