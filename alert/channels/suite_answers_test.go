package channels

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"coldkeep/alert"
)

// The suite's other half: what is held true of every channel on which people
// answer.

func TestEachButtonIsHeardOnce(t *testing.T) {
	t.Parallel()
	eachAnswering(t, func(t *testing.T, p *party, people answering, l alert.Listener) {
		post := &letterbox{reply: "You have it until 03:42."}
		_, onlyConfirms := people.(confirming)
		buttons := len(sample(p.to).Buttons)
		if onlyConfirms {
			buttons = 1
		}
		defer listen(t, l, post)()
		for i := range buttons {
			m := p.page(t, post, "each"+string(rune('a'+i)))
			people.press(t, p.to, m.Buttons[i], false)
			post.waitFor(t, m.Buttons[i])
		}
		fence := p.page(t, post, "fence")
		people.press(t, p.to, fence.Buttons[0], false)
		post.waitFor(t, fence.Buttons[0])
		ids := map[string]alert.Button{}
		for _, a := range post.heard() {
			if a.ID == "" {
				t.Errorf("an answer without an ID: %+v", a)
			}
			if a.Channel != p.Name() {
				t.Errorf("it came by %q, not by %q", a.Channel, p.Name())
			}
			if a.From != "" && a.From != p.to {
				t.Errorf("it came from %q, not from %q", a.From, p.to)
			}
			if a.At.IsZero() {
				t.Errorf("it came at no time: %+v", a)
			}
			b := alert.Button{Text: a.Text, Data: a.Data}
			if was, ok := ids[a.ID]; ok && was != b {
				t.Errorf("two answers have the ID %s: %+v and %+v", a.ID, was, b)
			}
			ids[a.ID] = b
		}
		if len(ids) != buttons+1 {
			t.Errorf("%d buttons were pressed, and %d answers heard: %+v", buttons+1, len(ids), post.heard())
		}
		if !onlyConfirms {
			eventually(t, "who answered is shown the reply", func() bool {
				return slices.ContainsFunc(people.shown(), func(s string) bool { return strings.Contains(s, post.reply) })
			})
		}
	})
}

func TestAnAnswerThatComesTwiceHasOneID(t *testing.T) {
	t.Parallel()
	eachAnswering(t, func(t *testing.T, p *party, people answering, l alert.Listener) {
		post := &letterbox{}
		m, fence := p.page(t, post, "twice"), p.page(t, post, "fence")
		defer listen(t, l, post)()
		people.press(t, p.to, m.Buttons[0], true)
		people.press(t, p.to, fence.Buttons[0], false)
		post.waitFor(t, m.Buttons[0])
		post.waitFor(t, fence.Buttons[0])
		ids := map[string]bool{}
		for _, a := range post.heard() {
			ids[a.ID] = true
		}
		if len(ids) != 2 {
			t.Errorf("of two answers, one of them twice, there are %d IDs: %+v", len(ids), post.heard())
		}
	})
}

func TestAnAnswerThatWasNotTakenIsHeardAgain(t *testing.T) {
	t.Parallel()
	eachAnswering(t, func(t *testing.T, p *party, people answering, l alert.Listener) {
		post := &letterbox{refuse: 2}
		m := p.page(t, post, "again")
		defer listen(t, l, post)()
		people.press(t, p.to, m.Buttons[0], false)
		post.waitFor(t, m.Buttons[0])
		post.mu.Lock()
		defer post.mu.Unlock()
		if len(post.refused) != 2 {
			t.Fatalf("it was refused %d times, not twice", len(post.refused))
		}
		for _, a := range post.refused {
			if a.ID != post.answers[0].ID {
				t.Errorf("heard again it has the ID %s, not %s", a.ID, post.answers[0].ID)
			}
		}
	})
}

func TestAnAnswerGivenWhileNobodyListenedIsHeard(t *testing.T) {
	t.Parallel()
	eachAnswering(t, func(t *testing.T, p *party, people answering, l alert.Listener) {
		post := &letterbox{}
		m := p.page(t, post, "early")
		people.press(t, p.to, m.Buttons[0], false)
		stop := listen(t, l, post)
		post.waitFor(t, m.Buttons[0])
		stop()
		m = p.page(t, post, "between")
		people.press(t, p.to, m.Buttons[0], false)
		defer listen(t, l, post)()
		post.waitFor(t, m.Buttons[0])
	})
}

func TestListenEndsWithItsContext(t *testing.T) {
	t.Parallel()
	eachAnswering(t, func(t *testing.T, p *party, people answering, l alert.Listener) {
		post := &letterbox{}
		m := p.page(t, post, "end")
		stop := listen(t, l, post)
		people.press(t, p.to, m.Buttons[0], false)
		post.waitFor(t, m.Buttons[0])
		stop() // while it waits for the next answer

		post.mu.Lock()
		post.refuse = 1 << 30
		post.mu.Unlock()
		m = p.page(t, post, "refused")
		people.press(t, p.to, m.Buttons[0], false)
		stop = listen(t, l, post)
		eventually(t, "the answer is refused", func() bool {
			post.mu.Lock()
			defer post.mu.Unlock()
			return len(post.refused) > 0
		})
		stop() // while it waits to be heard again

		p.close()
		stop = listen(t, l, post)
		stop() // while nobody is there
	})
}

// page sends a loud message, and puts it among those that may be answered.
func (p *party) page(t *testing.T, post *letterbox, id string) alert.Message {
	t.Helper()
	m := sample(p.to)
	m.ID = id
	for i, code := range []string{"g30.", "no.", "st."} {
		m.Buttons[i].Data = code + id + ".abcdef0123"
	}
	receipt, err := p.send(t, m)
	if err != nil {
		t.Fatal(err)
	}
	post.mu.Lock()
	defer post.mu.Unlock()
	post.sent = append(post.sent, alert.Sent{ID: m.ID, To: m.To, Receipt: receipt, Buttons: m.Buttons, At: time.Now()})
	return m
}

// listen starts Listen; what it gives ends it, and fails where it does not end.
func listen(t *testing.T, l alert.Listener, post alert.Post) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		l.Listen(ctx, post)
	}()
	return func() {
		t.Helper()
		select {
		case <-done:
			t.Error("Listen ended before its context")
		default:
		}
		cancel()
		select {
		case <-done:
		case <-time.After(10 * time.Second):
			t.Error("Listen goes on 10 s after its context ended")
		}
	}
}

// A letterbox is a Post that takes answers, except for the first few.
type letterbox struct {
	mu      sync.Mutex
	sent    []alert.Sent
	reply   string
	refuse  int // so many answers are not taken
	refused []alert.Answer
	answers []alert.Answer
	waited  int // for so many answers in words
}

var errNotTaken = errors.New("the disk is full")

func (p *letterbox) Hear(ctx context.Context, a alert.Answer) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.refuse > 0 {
		p.refuse--
		p.refused = append(p.refused, a)
		return "", errNotTaken
	}
	p.answers = append(p.answers, a)
	return p.reply, nil
}

func (p *letterbox) Open(string) []alert.Sent {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.sent)
}

func (p *letterbox) heard() []alert.Answer {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.answers)
}

// waitFor waits for a button's answer: by its data, or, where the channel has
// no buttons, for the words of one more answer than was waited for before.
func (p *letterbox) waitFor(t *testing.T, b alert.Button) {
	t.Helper()
	eventually(t, "the answer "+b.Data, func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		words := map[string]bool{}
		for _, a := range p.answers {
			if a.Data == b.Data {
				return true
			}
			if a.Data == "" && a.Text != "" {
				words[a.ID] = true
			}
		}
		if len(words) > p.waited {
			p.waited++
			return true
		}
		return false
	})
}
