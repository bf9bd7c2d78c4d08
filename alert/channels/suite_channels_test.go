package channels

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"coldkeep/alert"
)

// The suite: what is held true of every channel, over its far side. What is
// particular to a channel stands beside its far side.

// patience is how long a test waits for what must come. It is long because the
// machine may be slow; only a test that fails waits for it.
const patience = 30 * time.Second

// A party is a channel and its far side.
type party struct {
	farSide
	alert.Notifier
	to      string
	secrets []string
	log     *lockedBuffer
}

// TestMain lets more tests run side by side than there are cores: those of the
// suite do little but wait for far sides that hang or are slow.
func TestMain(m *testing.M) {
	flag.Parse()
	const parallel = "test.parallel"
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == parallel })
	if !given {
		if err := flag.Set(parallel, "8"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// eachChannel runs a test over all channels, each with a far side of its own
// and beside the others.
func eachChannel(t *testing.T, test func(t *testing.T, p *party)) {
	for _, kind := range slices.Sorted(maps.Keys(farSides)) {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			test(t, meet(t, kind))
		})
	}
}

// eachAnswering does the same over the channels that people answer on.
func eachAnswering(t *testing.T, test func(t *testing.T, p *party, people answering, l alert.Listener)) {
	eachChannel(t, func(t *testing.T, p *party) {
		people, ok := p.farSide.(answering)
		if !ok {
			t.Skip("nobody answers on it")
		}
		l, ok := p.Notifier.(alert.Listener)
		if !ok {
			t.Fatalf("%T: people answer, and it is no Listener", p.Notifier)
		}
		p.hurry()
		test(t, p, people, l)
	})
}

func meet(t *testing.T, kind string) *party {
	t.Helper()
	far := farSides[kind](t)
	t.Cleanup(far.close)
	s := far.settings(t)
	if s.Kind != kind {
		t.Fatalf("the far side of %s has settings for %s", kind, s.Kind)
	}
	p := &party{farSide: far, to: s.To, log: &lockedBuffer{}}
	for _, file := range []string{s.TokenFile, s.URLFile, s.AnswerFile} {
		if file == "" {
			continue
		}
		secret, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		p.secrets = append(p.secrets, strings.TrimSpace(string(secret)))
	}
	n, err := Open(s, logTo(p.log))
	if err != nil {
		t.Fatal(err)
	}
	p.Notifier = n
	t.Cleanup(func() { p.keepsSecrets(t, p.log.String()) })
	return p
}

// hurry shortens the channel's time limits and pauses, where the far side
// knows them.
func (p *party) hurry() {
	if h, ok := p.farSide.(hurrying); ok {
		h.hurry(p.Notifier)
	}
}

func (p *party) keepsSecrets(t *testing.T, text string) {
	t.Helper()
	for _, secret := range p.secrets {
		if strings.Contains(text, secret) {
			t.Errorf("it tells a secret: %s", strings.ReplaceAll(text, secret, "(SECRET)"))
		}
	}
}

// send is Notify, and fails where the channel has no time limit of its own.
func (p *party) send(t *testing.T, m alert.Message) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	receipt, err := p.Notify(ctx, m)
	if ctx.Err() != nil {
		t.Fatalf("Notify took %v: it has no time limit of its own", patience)
	}
	if err != nil {
		p.keepsSecrets(t, err.Error())
	}
	return receipt, err
}

// words is a text without the form that a channel gives it.
func words(s string) string { return strings.Join(strings.Fields(s), " ") }

func TestAMessageArrivesWhole(t *testing.T) {
	t.Parallel()
	eachChannel(t, func(t *testing.T, p *party) {
		if p.Name() == "" {
			t.Error("it has no name")
		}
		if _, is := p.Notifier.(alert.Syncer); is != alert.Syncs(p.settings(t).Kind) {
			t.Errorf("it is a Syncer: %v, and Syncs says otherwise", is)
		}
		m := sample(p.to)
		if _, err := p.send(t, m); err != nil {
			t.Fatal(err)
		}
		took := p.took()
		if len(took) != 1 {
			t.Fatalf("the far side took %d messages, not 1: %q", len(took), took)
		}
		got := words(took[0])
		if !strings.Contains(got, words(m.Title)) {
			t.Errorf("the title is not whole: %q", got)
		}
		if !strings.Contains(got, words(m.Body)) {
			t.Errorf("the body is not whole: %q", got)
		}
	})
}

func TestEveryPurposeArrives(t *testing.T) {
	t.Parallel()
	eachChannel(t, func(t *testing.T, p *party) {
		p.hurry()
		n := 0
		purposes := []alert.Purpose{alert.Page, alert.Notice, alert.Taken, alert.Turning, alert.Worse, alert.Progress, alert.AllClear, alert.Status, alert.Test, alert.Tested}
		if service, ok := p.farSide.(interface{ tells() []alert.Purpose }); ok {
			purposes = service.tells() // the rest is for people
		}
		for _, purpose := range purposes {
			for _, severity := range []alert.Severity{alert.Critical, alert.Warning} {
				m := sample(p.to)
				m.ID, m.Purpose, m.Severity = "n-"+string(purpose)+"-"+string(severity), purpose, severity
				if !purpose.Loud() {
					m.Buttons = nil
				}
				if _, err := p.send(t, m); err != nil {
					t.Errorf("%s, %s: %v", purpose, severity, err)
				}
				n++
			}
		}
		if took := p.took(); len(took) != n {
			t.Errorf("the far side took %d messages of %d", len(took), n)
		}
	})
}

// What each fault of the far side is worth: whether another try makes sense,
// and whether the message may have arrived.
func TestAFaultIsToldByWhatItIsWorth(t *testing.T) {
	t.Parallel()
	type class string
	const (
		temporary class = "temporary"
		unknown   class = "unknown"
		final     class = "final"
		none      class = "none"
	)
	for _, c := range []struct {
		fault farFault
		want  []class
		took  int
	}{
		{farBusy, []class{temporary}, 0},
		{farBroken, []class{temporary}, 0},
		{farRefuses, []class{final}, 0},
		{farHangs, []class{unknown}, 1},
		{farDrops, []class{unknown}, 1},
		// A success that cannot be read may be the service's, or that of a
		// hotel's log-in page. Where the status alone is the service's promise
		// (Alertmanager's 200 has no body at all) it is a success; a channel that
		// needs the body to know its message again says that it does not know.
		{farGarbled, []class{none, unknown}, 1},
		{farAway, []class{temporary}, 0},
	} {
		t.Run(string(c.fault), func(t *testing.T) {
			t.Parallel()
			eachChannel(t, func(t *testing.T, p *party) {
				p.hurry()
				p.fail(c.fault)
				_, err := p.send(t, sample(p.to))
				got := final
				var after time.Duration
				if e, ok := errors.AsType[*alert.TemporaryError](err); ok {
					got, after = temporary, e.After
				} else if _, ok := errors.AsType[*alert.UnknownError](err); ok {
					got = unknown
				} else if err == nil {
					got = none
				}
				if !slices.Contains(c.want, got) {
					t.Errorf("it is %s, not %v: %v", got, c.want, err)
				}
				// Not every service says when: but a channel that invents it is wrong.
				if after != 0 && (c.fault != farBusy || after != 7*time.Second) {
					t.Errorf("it says after %v", after)
				}
				// Of a message that hangs the far side may hear later than we give up.
				eventually(t, "the far side takes what it takes", func() bool { return len(p.took()) >= c.took })
				if took := p.took(); len(took) != c.took {
					t.Errorf("the far side took %d messages, not %d", len(took), c.took)
				}
				if c.fault == farAway {
					return
				}
				if _, err := p.send(t, sample(p.to)); err != nil {
					t.Errorf("the next try, without a fault: %v", err)
				}
				if took := p.took(); len(took) != c.took+1 {
					t.Errorf("after the next try the far side took %d messages, not %d", len(took), c.took+1)
				}
			})
		})
	}
}

func TestALongMessageArrives(t *testing.T) {
	t.Parallel()
	eachChannel(t, func(t *testing.T, p *party) {
		p.hurry()
		for _, unit := range []string{"x", "ü", "€", "😀", "a\n", `"<&>\`} {
			long := strings.Repeat(unit, 2000/utf8.RuneCountInString(unit))
			before := len(p.took())
			m := sample(p.to)
			m.Title, m.Body = long, long
			if _, err := p.send(t, m); err != nil {
				t.Errorf("2,000 characters of %q: %v", unit, err)
				continue
			}
			took := p.took()
			if len(took) != before+1 {
				t.Errorf("2,000 characters of %q: the far side took %d messages", unit, len(took)-before)
				continue
			}
			if !utf8.ValidString(took[before]) {
				t.Errorf("2,000 characters of %q: cut within a character", unit)
			}
		}
	})
}

func TestNotifyEndsWithItsContext(t *testing.T) {
	t.Parallel()
	eachChannel(t, func(t *testing.T, p *party) {
		// Not hurried: its own time limit must not be what ends it.
		p.fail(farHangs)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		done := make(chan error, 1)
		go func() {
			_, err := p.Notify(ctx, sample(p.to))
			done <- err
		}()
		eventually(t, "the far side has the message", func() bool { return len(p.took()) == 1 })
		cancel()
		select {
		case err := <-done:
			if err == nil {
				t.Error("it was cancelled, and it says that the message is with the far side")
			} else {
				p.keepsSecrets(t, err.Error())
			}
		case <-time.After(10 * time.Second): // less than any time limit of a channel
			t.Error("it goes on 10 s after its context ended")
		}
	})
}

// The secret is read at each use: one that is gone is told, and one that comes
// is taken.
func TestASecretThatIsGoneIsTold(t *testing.T) {
	t.Parallel()
	eachChannel(t, func(t *testing.T, p *party) {
		s := p.settings(t)
		file := s.TokenFile
		if file == "" {
			file = s.URLFile
		}
		if file == "" {
			t.Skip("it has no secret")
		}
		n, err := Open(s, quiet)
		if err != nil {
			t.Fatal(err)
		}
		secret, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		if _, err := n.Notify(ctx, sample(p.to)); err == nil {
			t.Error("it sends without its secret")
		}
		if err := os.WriteFile(file, secret, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := n.Notify(ctx, sample(p.to)); err != nil {
			t.Errorf("the secret is back: %v", err)
		}
	})
}

// eventually waits until something is so.
func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !so(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("in vain for %v: %s", patience, what)
		}
	}
}

// A lockedBuffer takes a log from several goroutines.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
