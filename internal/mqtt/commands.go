package mqtt

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"coldkeep/internal/coldchain"
)

const (
	commandMost     = 8 << 10 // bytes of a command
	commandIDMost   = 64
	commandsWaiting = 16
	answersWaiting  = 64
	doTime          = 30 * time.Second
)

// taken are the commands that may come by MQTT: what somebody who was called
// answers, and the test of the way to the phones. Whoever may publish on the
// broker may send them, so nothing of the record's stock can be changed.
var taken = map[string]bool{"ack": true, "decline": true, "shelve": true, "unshelve": true, "test": true}

// A desk takes commands from the broker, carries them out one after the other,
// and keeps their answers until they are published. It goes on while no broker
// is there.
type desk struct {
	do       func(context.Context, coldchain.Command) (coldchain.Event, error)
	commands chan coldchain.Command
	answers  chan answer
}

// An answer goes to the topic answer/<id>.
type answer struct {
	id      string
	payload []byte
}

func newDesk(do func(context.Context, coldchain.Command) (coldchain.Event, error)) *desk {
	return &desk{do: do, commands: make(chan coldchain.Command, commandsWaiting), answers: make(chan answer, answersWaiting)}
}

// read makes a command of a message. id is "" where there is none to answer to.
func read(topic string, payload []byte) (c coldchain.Command, id string, err error) {
	if len(payload) > commandMost {
		return c, "", &coldchain.Refusal{Code: "bad_request", Message: fmt.Sprintf("the command has %d bytes; %d are the most", len(payload), commandMost)}
	}
	d := json.NewDecoder(bytes.NewReader(payload))
	d.DisallowUnknownFields()
	err = d.Decode(&c)
	if err == nil {
		if _, more := d.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("something follows it")
		}
	}
	if err != nil {
		if validID(c.ID) {
			id = c.ID // so far it could be read
		}
		return c, id, &coldchain.Refusal{Code: "bad_request", Message: "the command cannot be read: " + err.Error()}
	}
	if !validID(c.ID) {
		return c, "", &coldchain.Refusal{Code: "bad_request", Message: fmt.Sprintf("a command needs an id that its sender made, of at most %d letters, digits and hyphens", commandIDMost)}
	}
	c.Name, c.Via = topic[strings.LastIndexByte(topic, '/')+1:], "mqtt"
	if !taken[c.Name] {
		return c, c.ID, &coldchain.Refusal{Code: "bad_request", Message: fmt.Sprintf("%q is not taken over MQTT, only ack, decline, shelve, unshelve and test: use the page or the command line", c.Name)}
	}
	return c, c.ID, nil
}

func validID(id string) bool { return len(id) <= commandIDMost && coldchain.ValidID(id) }

// hear takes a message from the broker. It never waits: paho's callbacks must not.
func (p *Publisher) hear(_ paho.Client, m paho.Message) {
	if m.Retained() {
		return // nobody presses a button for good
	}
	c, id, err := read(m.Topic(), m.Payload())
	if err == nil {
		select {
		case p.desk.commands <- c:
			return
		default:
			err = &coldchain.Refusal{Code: "unavailable", Message: "too many commands wait: send it again, with the same id"}
		}
	}
	p.o.Log.Info("a command over mqtt is refused", "topic", m.Topic(), "id", id, "cause", err)
	if id != "" {
		p.reply(id, coldchain.Event{}, err)
	}
}

// reply keeps an answer for the broker, as HTTP gives it. Where too many wait
// it is let go: the sender asks again with the same id.
func (p *Publisher) reply(id string, e coldchain.Event, err error) {
	v := map[string]any{"event": e.Public()}
	if err != nil {
		code := "internal"
		var no *coldchain.Refusal
		if errors.As(err, &no) {
			code = no.Code
		}
		v = map[string]any{"error": map[string]string{"code": code, "message": err.Error()}}
	}
	b, bad := json.Marshal(v)
	if bad != nil {
		p.o.Log.Error("an answer cannot be written", "id", id, "cause", bad)
		return
	}
	select {
	case p.desk.answers <- answer{id, b}:
	default:
		p.o.Log.Warn("too many answers wait for the broker; one is let go", "id", id)
	}
}

// carryOut does what was asked, one command after the other, until ctx ends.
func (p *Publisher) carryOut(ctx context.Context) {
	for {
		select {
		case c := <-p.desk.commands:
			doing, cancel := context.WithTimeout(ctx, doTime)
			e, err := p.desk.do(doing, c)
			cancel()
			p.reply(c.ID, e, err)
		case <-ctx.Done():
			return
		}
	}
}

// speak publishes answers, and `online` again and again, while the connection
// stands: also while a long backlog is sent. Its failures are those of the
// connection, which is told where that ends.
func (s *session) speak(ctx context.Context, t topics) {
	beat := time.NewTicker(s.p.beat)
	defer beat.Stop()
	for {
		select {
		case <-beat.C:
			if s.wait(ctx, s.c.Publish(t.status(), 1, true, "online")) != nil {
				return
			}
		case a := <-s.p.desk.answers:
			if s.wait(ctx, s.c.Publish(t.answer(a.id), 1, false, a.payload)) != nil {
				select {
				case s.p.desk.answers <- a: // for the next connection
				default:
				}
				return
			}
		case <-s.lost:
			return
		case <-ctx.Done():
			return
		}
	}
}
