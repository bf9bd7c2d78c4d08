package channels

import (
	"log/slog"
	"testing"
	"time"

	"coldkeep/alert"
)

// A farSide is the far side of a channel, as faithful to its public interface
// as what is known of it allows: limits, statuses, error bodies, delays.
type farSide interface {
	// settings let Open find it, with secrets in files under t.TempDir(). To is
	// an address for which it takes messages; "" where the channel needs none.
	settings(t *testing.T) alert.Settings
	// fail lets the coming requests that send a message fail, one fault each.
	fail(faults ...farFault)
	// took gives the messages that it has taken, in order, by what a person
	// would read of them: title and body, whatever its form joins them with.
	// A message that was taken although its sender was told otherwise counts.
	took() []string
	close()
}

// An answering far side has people who answer.
type answering interface {
	farSide
	// press lets the person with the address to give the answer with the data
	// of a button (or, where there are no buttons, the words that stand for
	// it). twice delivers it a second time, as lossy services do.
	press(t *testing.T, to string, button alert.Button, twice bool)
	// shown gives what the person who answered was shown in reply.
	shown() []string
}

// A hurrying far side knows the time limits and pauses of its channel, and sets
// them so short that a test need not wait for them.
type hurrying interface{ hurry(n alert.Notifier) }

// A confirming far side has people who can only say that they have it: with
// the message's first button, and they are shown nothing in reply.
type confirming interface{ onlyConfirms() }

// A farFault is what a far side does to one request.
type farFault string

const (
	farBusy    farFault = "busy"    // too many requests (429 or its like), again in 7 s where it can say so
	farBroken  farFault = "broken"  // its own fault (500 or its like)
	farRefuses farFault = "refuses" // wrong credentials or a bad request: for good
	farHangs   farFault = "hangs"   // takes the message, and never answers
	farDrops   farFault = "drops"   // takes the message, and cuts the connection
	farGarbled farFault = "garbled" // takes the message, answers 2xx with a body that cannot be read
	farAway    farFault = "away"    // nobody listens
)

// farSides are all channels' far sides, by kind.
var farSides = map[string]func(t *testing.T) farSide{}

// sample is a message as the Desk makes it.
func sample(to string) alert.Message {
	return alert.Message{ID: "n1", Key: "fridge-1/too_warm/20260505T021200Z", To: to, Purpose: alert.Page, Severity: alert.Critical, Language: "en",
		Title:   "FRIDGE 1 TOO WARM 9.4 °C (2–8), rising. First 12 vials over their limit 03:31, in 19 min. Clinic A",
		Body:    "Out since 02:57.\n1 Shut the door; look at plug and switch.\nTue 03:12 BST.",
		Buttons: []alert.Button{{Text: "Going, 30 min", Data: "g30.n1.abcdef0123"}, {Text: "Can't: call next", Data: "no.n1.abcdef0123"}, {Text: "Status", Data: "st.n1.abcdef0123"}}}
}

var (
	three = time.Date(2026, 5, 5, 2, 12, 0, 0, time.UTC)
	quiet = slog.New(slog.DiscardHandler)
)
