package alert

import (
	"context"
	"time"
)

// A Purpose says why a message is sent; it decides how loud a channel makes it.
type Purpose string

const (
	Page     Purpose = "page"      // somebody must go
	Notice   Purpose = "notice"    // for working hours
	Taken    Purpose = "taken"     // to the others called: who has it
	Turning  Purpose = "turning"   // to whoever took it: it turns
	Worse    Purpose = "worse"     // to whoever took it: it worsens
	Progress Purpose = "progress"  // to whoever took it, every 15 min
	AllClear Purpose = "all_clear" // to all who were called
	Status   Purpose = "status"    // all units, to whoever asked
	Test     Purpose = "test"      // a drill: as loud as a page
	Tested   Purpose = "tested"    // the drill's end
)

// Loud says whether the message must wake a person.
func (p Purpose) Loud() bool { return p == Page || p == Test }

// A Message is what a channel sends to one person, or to a service. With the
// title, which is what a lock screen shows (at most 100 characters), the body
// has at most 1,024 characters.
type Message struct {
	ID       string // of the notification: the same when it is tried again
	Key      string // of the trouble: services group by it and close with it
	To       string // the contact's address; "" where the channel has one of its own
	Purpose  Purpose
	Severity Severity
	Title    string
	Body     string
	Language string   // "en", "de"
	Buttons  []Button // at most three
	HowTo    string   // for channels without buttons: the line that tells how to answer; "": in English
	Again    bool     // it may have arrived before: the words say so already

	// For services, which sort by more than words.
	Units []string  // ids of the units that it is about; empty where it is of none
	At    time.Time // when what it tells of happened; zero: now
}

// A Button is an answer that a person can give with one touch. Data, at most
// 64 bytes of [A-Za-z0-9._-], proves by itself which message it answers.
type Button struct{ Text, Data string }

// A Notifier is a channel. Notify answers when the message is with the far
// side, with what the channel needs to know the message again ("" nothing), or
// why not: a *TemporaryError is worth another try, an *UnknownError may have
// arrived, any other error will not get better by trying.
type Notifier interface {
	Name() string
	Notify(ctx context.Context, m Message) (receipt string, err error)
}

// A Listener is a channel on which people answer. Listen hears them until ctx
// ends, over outgoing connections only, and goes on by itself after every
// failure; it tells the log of a failure once, and of its end.
type Listener interface {
	Listen(ctx context.Context, post Post)
}

// A Canceler can silence a message that still rings.
type Canceler interface {
	Cancel(ctx context.Context, receipt string) error
}

// A Syncer is a service that must be told again and again what holds
// (Alertmanager): it is called at every change and every minute. all are the
// troubles that are open.
type Syncer interface {
	Sync(ctx context.Context, all []Message) error
}

// Syncs says whether channels of a kind are Syncers.
func Syncs(kind string) bool { return kind == "alertmanager" }

// A Post takes what people answer.
type Post interface {
	// Hear takes an answer and gives the words to show the person. An error
	// means that it was not taken: it must be heard again.
	Hear(ctx context.Context, a Answer) (reply string, err error)
	// Open gives the loud messages of this channel that may still be answered.
	Open(channel string) []Sent
}

// An Answer is what a person sent back.
type Answer struct {
	ID      string // the far side's id of it, so that hearing it twice does nothing twice
	Channel string // Name of the channel it came by
	From    string // the address it came from, as a contact's To has it; "" where only Data proves
	Data    string // of the Button
	Text    string // free words, where the channel has no buttons
	At      time.Time
}

// A Sent is a message that was sent and may still be answered.
type Sent struct {
	ID, To, Receipt string
	Buttons         []Button
	Words           [3][]string // that stand for the buttons in the message's language
	Plain           string      // the data of "going", with no time promised
	Quiet           bool        // somebody has it: it need not ring any more
	At              time.Time
}

// A TemporaryError may be over at the next try.
type TemporaryError struct {
	Err   error
	After time.Duration // not before this; 0: as you like
}

func (e *TemporaryError) Error() string { return e.Err.Error() }
func (e *TemporaryError) Unwrap() error { return e.Err }

// An UnknownError leaves open whether the message arrived: a time-out is none
// that says "not delivered".
type UnknownError struct{ Err error }

func (e *UnknownError) Error() string { return e.Err.Error() }
func (e *UnknownError) Unwrap() error { return e.Err }

// Settings are a channel's, as configured. Which are needed depends on Kind.
type Settings struct {
	ID         string // its name; "" is Kind
	Kind       string
	Server     string // https://HOST, HOST:PORT
	To         string // the address of messages to nobody in particular: an ntfy topic, a mailbox
	From       string // the sender: a phone number, a mailbox; to services, the site
	Account    string // Twilio's account, SMTP's user
	TokenFile  string // a file that holds the token, key or password; see Secret
	URLFile    string // a file that holds a URL with secrets in it
	Answers    string // ntfy: the topic on which answers come
	AnswerFile string // ntfy: a file that holds the token for a phone to publish there; "" none
	Security   string // e-mail: starttls (default), tls, none
	Device     string // modem: /dev/ttyUSB0
	Baud       int    // modem; 0 is 115200
	Buzzer     string // siren: names of GPIO pins
	Light      string
	Button     string
}

// Kinds are those of the channels there are (package channels).
var Kinds = []string{"log", "ntfy", "pushover", "telegram", "twilio-sms", "twilio-voice", "email", "pagerduty", "goalert", "alertmanager", "webhook", "shoutrrr", "modem", "siren"}
