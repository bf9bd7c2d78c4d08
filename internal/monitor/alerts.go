package monitor

import (
	"context"
	"slices"

	"coldkeep/alert"
	"coldkeep/internal/coldchain"
)

// flights are the messages on their way, as of the last step. They are never
// changed once published.
type flights struct {
	due  []alert.DueMessage
	open []alert.Message
	sent map[string][]alert.Sent
}

func (m *Monitor) flightsNow() *flights {
	f := &flights{sent: map[string][]alert.Sent{}}
	if m.syncs {
		f.open = m.desk.Open()
	}
	for _, n := range m.desk.Flights() {
		f.due = append(f.due, alert.DueMessage{Channel: n.Channel, Message: m.desk.Message(&n)})
	}
	for channel := range m.desk.Duty().Kinds {
		if list := m.desk.Sent(channel); len(list) > 0 {
			f.sent[channel] = list
		}
	}
	return f
}

// Alerts is the Monitor as the alert.Dispatcher follows it.
type Alerts struct{ *Monitor }

var _ alert.Journal = Alerts{}

// Due gives the messages on their way that nobody has reported on.
func (a Alerts) Due() []alert.DueMessage { return slices.Clone(a.flights.Load().due) }

// Open gives the troubles that services are told of again and again.
func (a Alerts) Open() []alert.Message { return slices.Clone(a.flights.Load().open) }

// Sent gives the messages of a channel that may still be answered.
func (a Alerts) Sent(channel string) []alert.Sent {
	return slices.Clone(a.flights.Load().sent[channel])
}

// Report takes what became of a message.
func (a Alerts) Report(ctx context.Context, o alert.Outcome) error {
	_, err := a.ask(ctx, request{do: func(ctx context.Context) (coldchain.Event, error) { return coldchain.Event{}, a.reportDesk(ctx, o) }})
	return err
}

// Answer takes what a person sent back, and gives the words to show.
func (a Alerts) Answer(ctx context.Context, x alert.Answer) (string, error) {
	words := ""
	_, err := a.ask(ctx, request{do: func(ctx context.Context) (coldchain.Event, error) {
		var err error
		words, err = a.answerDesk(ctx, x)
		return coldchain.Event{}, err
	}})
	return words, err
}
