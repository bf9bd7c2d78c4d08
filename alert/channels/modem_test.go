package channels

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"coldkeep/alert"
)

// modemPost is a Post that takes answers, but for the first few.
type modemPost struct {
	mu      sync.Mutex
	open    []alert.Sent
	refuse  int
	reply   string
	answers []alert.Answer
}

func (p *modemPost) Hear(_ context.Context, a alert.Answer) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.refuse > 0 {
		p.refuse--
		return "", errors.New("the disk is full")
	}
	p.answers = append(p.answers, a)
	return p.reply, nil
}

func (p *modemPost) Open(string) []alert.Sent {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.open)
}

func (p *modemPost) opens(s alert.Sent) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open = append(p.open, s)
}

func (p *modemPost) refuses(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuse = n
}

func (p *modemPost) heard() []alert.Answer {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.answers)
}

const annasPhone = "+447700900123"

// openFake opens a channel to a fake modem.
func openFake(t *testing.T, f *fakeModem, log *slog.Logger) *modem {
	t.Helper()
	n, err := Open(alert.Settings{Kind: "modem", Device: f.link}, log)
	if err != nil {
		t.Fatal(err)
	}
	c := n.(*modem)
	c.times = hastyModem
	return c
}

// listening lets a channel listen until the test ends.
func listening(t *testing.T, c *modem, post alert.Post) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.Listen(ctx, post)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
}

// soon waits until something is so: long, for a slow machine.
func soon(t *testing.T, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !so(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it did not come to this: %s", what)
		}
	}
}

// notify sends, with a limit that ends only what hangs.
func notify(t *testing.T, c alert.Notifier, m alert.Message) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, err := c.Notify(ctx, m)
	if ctx.Err() != nil {
		t.Fatal("Notify hangs")
	}
	return err
}

func isTemporary(err error) bool { _, is := errors.AsType[*alert.TemporaryError](err); return is }
func isUnknown(err error) bool   { _, is := errors.AsType[*alert.UnknownError](err); return is }

func TestAModemThatIsChattySlowAndWithoutAnnouncementsSends(t *testing.T) {
	t.Parallel()
	f := newFakeModem(t)
	f.with(func() { f.slow, f.noCNMI, f.noSM = 300*time.Millisecond, true, true })
	if err := notify(t, openFake(t, f, quiet), sample(annasPhone)); err != nil {
		t.Fatal(err)
	}
	texts := f.texts()
	if len(texts) != 1 || texts[0].to != annasPhone {
		t.Fatalf("it sent %+v", texts)
	}
	if want := plainGSM(withAnswers(sample(annasPhone))); texts[0].text != want {
		t.Errorf("it sent %q, not %q", texts[0].text, want)
	}
	if texts[0].validity != 47 {
		t.Errorf("it is valid for %d, not 4 h", texts[0].validity)
	}
	if !slices.Contains(f.commands(), `AT+CPMS="ME","ME","ME"`) {
		t.Error("it did not turn to the modem's own memory")
	}
}

// What the network and the modem say, and what it is worth.
func TestRefusalsAreToldInWords(t *testing.T) {
	for _, c := range []struct {
		answer, words string
		temporary     bool
		unknown       bool
	}{
		{"+CMS ERROR: 38", "the network is out of order", true, false},
		{"+CMS ERROR: 331", "no network", true, false},
		{"+CMS ERROR: 500", "weak signal", true, false},
		{"+CMS ERROR: 4711", "4711", true, false},
		{"+CMS ERROR: network timeout", "network timeout", true, false},
		{"ERROR", "ERROR", true, false},
		{"+CMS ERROR: 332", "did not answer in time", false, true},
		{"+CMS ERROR: 1", "there is no such number", false, false},
		{"+CMS ERROR: 30", "does not know the number", false, false},
		{"+CME ERROR: 10", "there is no SIM", false, false},
	} {
		t.Run(c.answer, func(t *testing.T) {
			t.Parallel()
			f := newFakeModem(t)
			f.with(func() { f.refuse = []string{c.answer} })
			err := notify(t, openFake(t, f, quiet), sample(annasPhone))
			if err == nil || !strings.Contains(err.Error(), c.words) {
				t.Errorf("it is told as %v", err)
			}
			if isTemporary(err) != c.temporary || isUnknown(err) != c.unknown {
				t.Errorf("temporary %v, unknown %v: %v", isTemporary(err), isUnknown(err), err)
			}
		})
	}
}

func TestWithoutANetworkNothingIsSentAndItIsTemporary(t *testing.T) {
	for creg, words := range map[string]string{"0,2": "it searches, signal 12 of 31", "0,3": "refuse the SIM", "0,0": "does not search", "0,4": "there is none here"} {
		f := newFakeModem(t)
		f.with(func() { f.creg = creg })
		err := notify(t, openFake(t, f, quiet), sample(annasPhone))
		if !isTemporary(err) || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: %v", creg, err)
		}
		if slices.ContainsFunc(f.commands(), func(s string) bool { return strings.HasPrefix(s, "AT+CMGS") }) {
			t.Errorf("%s: it tried to send", creg)
		}
	}
}

// Before Ctrl-Z nothing can have been sent, after it that cannot be known.
func TestSilenceIsToldByWhenItBegan(t *testing.T) {
	f := newFakeModem(t)
	c := openFake(t, f, quiet)
	c.times.prompt, c.times.sent, c.times.command = time.Second, time.Second, 2*time.Second

	f.with(func() { f.noPrompt = true })
	if err := notify(t, c, sample(annasPhone)); !isTemporary(err) {
		t.Errorf("no prompt: %v", err)
	}
	f.with(func() { f.noPrompt = false })
	f.with(func() { f.faults = []farFault{farHangs} })
	if err := notify(t, c, sample(annasPhone)); !isUnknown(err) {
		t.Errorf("no answer to the message: %v", err)
	}
	f.with(func() { f.dead = true })
	if err := notify(t, c, sample(annasPhone)); !isTemporary(err) {
		t.Errorf("a modem that hangs: %v", err)
	}
	f.with(func() { f.dead = false })
	c.times = hastyModem
	if err := notify(t, c, sample(annasPhone)); err != nil {
		t.Errorf("it is back: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Notify(ctx, sample(annasPhone)); err == nil {
		t.Error("it sends although nobody waits for it")
	}
}

func TestBadNumbersAndDevicesAreRefused(t *testing.T) {
	c := openFake(t, newFakeModem(t), quiet)
	for _, to := range []string{"", "anna", "+44 77", "+44x7700900123"} {
		if err := notify(t, c, sample(to)); err == nil || isTemporary(err) || isUnknown(err) {
			t.Errorf("%q: %v", to, err)
		}
	}
	for _, s := range []alert.Settings{{Kind: "modem"}, {Kind: "modem", Device: "/dev/ttyUSB0", Baud: 115201}} {
		if _, err := Open(s, quiet); err == nil {
			t.Errorf("%+v is opened", s)
		}
	}
	file := filepath.Join(t.TempDir(), "no modem")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	n, err := Open(alert.Settings{Kind: "modem", Device: file}, quiet)
	if err != nil {
		t.Fatal(err)
	}
	if err := notify(t, n, sample(annasPhone)); !isTemporary(err) || !strings.Contains(err.Error(), "serial port") {
		t.Errorf("a file for a modem: %v", err)
	}
}

func pinFile(t *testing.T, pin string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "pin")
	if err := os.WriteFile(file, []byte(pin+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestTheSIMIsUnlocked(t *testing.T) {
	f := newFakeModem(t)
	f.with(func() { f.pin = "0713" })
	c := openFake(t, f, quiet)
	if err := notify(t, c, sample(annasPhone)); err == nil || isTemporary(err) || !strings.Contains(err.Error(), "token_file") {
		t.Errorf("without a PIN: %v", err)
	}
	c.pin = pinFile(t, "0713")
	for range 2 {
		if err := notify(t, c, sample(annasPhone)); err != nil {
			t.Fatal(err)
		}
	}
	f.plug(t) // a modem that lost its power asks again
	if err := notify(t, c, sample(annasPhone)); err != nil {
		t.Fatal(err)
	}
	if want := []string{"0713", "0713"}; !slices.Equal(f.given(), want) {
		t.Errorf("it gave the PINs %v, not %v", f.given(), want)
	}
}

func TestAWrongPINIsNeverGivenTwice(t *testing.T) {
	t.Parallel()
	for _, counts := range []bool{true, false} {
		f := newFakeModem(t)
		f.with(func() { f.pin, f.counts = "0713", counts })
		c := openFake(t, f, quiet)
		c.pin = pinFile(t, "9999")
		for range 4 {
			err := notify(t, c, sample(annasPhone))
			if err == nil || isTemporary(err) || isUnknown(err) {
				t.Fatalf("a wrong PIN: %v", err)
			}
			if strings.Contains(err.Error(), "9999") {
				t.Errorf("it tells the PIN: %v", err)
			}
			f.plug(t)
		}
		if len(f.given()) != 1 {
			t.Errorf("counting %v: it gave the wrong PIN %d times", counts, len(f.given()))
		}
		// Another PIN is tried: unless the modem says that one was wrong already.
		c.pin = pinFile(t, "0713")
		err := notify(t, c, sample(annasPhone))
		if counts && (err == nil || len(f.given()) != 1) || !counts && err != nil {
			t.Errorf("counting %v: after %d PINs: %v", counts, len(f.given()), err)
		}
	}
}

func TestAfterARestartAWrongPINIsNotGivenAgain(t *testing.T) {
	f := newFakeModem(t)
	f.with(func() { f.pin = "0713" })
	for range 3 {
		c := openFake(t, f, quiet)
		c.pin = pinFile(t, "9999")
		if err := notify(t, c, sample(annasPhone)); err == nil {
			t.Fatal("it takes a wrong PIN")
		}
	}
	if len(f.given()) != 1 {
		t.Errorf("it gave the wrong PIN %d times", len(f.given()))
	}
}

func TestASIMThatIsLockedAndAFileWithoutAPINAreTold(t *testing.T) {
	f := newFakeModem(t)
	f.with(func() { f.pin, f.tries = "0713", 0 })
	c := openFake(t, f, quiet)
	c.pin = pinFile(t, "0713")
	if err := notify(t, c, sample(annasPhone)); err == nil || !strings.Contains(err.Error(), "PUK") {
		t.Errorf("a locked SIM: %v", err)
	}
	f.with(func() { f.tries = 3 })
	c.pin = pinFile(t, "none yet")
	if err := notify(t, c, sample(annasPhone)); err == nil || strings.Contains(err.Error(), "none yet") {
		t.Errorf("no PIN: %v", err)
	}
	if len(f.given()) != 0 {
		t.Errorf("it gave %v", f.given())
	}
}

func TestANumberIsTheNewestMessagesButton(t *testing.T) {
	f := newFakeModem(t)
	c := openFake(t, f, quiet)
	now := time.Now()
	old := []alert.Button{{Text: "Going, 30 min", Data: "g30.old.1"}, {Text: "Can't: call next", Data: "no.old.1"}, {Text: "Status", Data: "st.old.1"}}
	post := &modemPost{reply: "You have it until 03:42.", open: []alert.Sent{
		{ID: "new", To: "+44 7700 900123", Buttons: sample("").Buttons, At: now.Add(-time.Minute)},
		{ID: "old", To: "+44 7700 900123", Buttons: old, At: now.Add(-time.Hour)},
	}}
	listening(t, c, post)
	f.text(annasPhone, "2")
	soon(t, "the answer is heard", func() bool { return len(post.heard()) == 1 })
	a := post.heard()[0]
	if a.Data != "no.n1.abcdef0123" || a.From != "+44 7700 900123" || a.Channel != "modem" || a.Text != "2" || a.ID == "" || a.At.IsZero() {
		t.Errorf("it is heard as %+v", a)
	}
	soon(t, "it is deleted and replied to", func() bool { return f.stored() == 0 && len(f.texts()) == 1 })
	if s := f.texts()[0]; s.to != annasPhone || s.text != post.reply {
		t.Errorf("the reply is %+v", s)
	}
	// One that was sent before the newest page, and comes late.
	f.receive(deliver(annasPhone, "1", now.Add(-30*time.Minute), nil))
	soon(t, "the late answer is heard", func() bool { return len(post.heard()) == 2 })
	if a := post.heard()[1]; a.Data != "g30.old.1" {
		t.Errorf("a late answer is one to %q", a.Data)
	}
	// Sending goes on beside listening.
	if err := notify(t, c, sample(annasPhone)); err != nil {
		t.Error(err)
	}
}

func TestAnAnswerIsDeletedOnlyWhenItWasTaken(t *testing.T) {
	f := newFakeModem(t)
	var log bytes.Buffer
	c := openFake(t, f, slog.New(slog.NewTextHandler(&log, nil)))
	post := &modemPost{refuse: 3}
	f.text(annasPhone, "status")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.Listen(ctx, post)
	}()
	soon(t, "it is taken in the end", func() bool { return len(post.heard()) == 1 && f.stored() == 0 })
	cancel()
	<-done
	commands := f.commands()
	if n := slices.Index(commands, "AT+CMGD=0"); n < 0 || strings.Count(strings.Join(commands[:n], " "), "AT+CMGL=4") < 4 {
		t.Errorf("it was deleted before it was taken: %v", commands)
	}
	if n := strings.Count(log.String(), "level=WARN"); n != 1 {
		t.Errorf("the log tells it %d times: %s", n, log.String())
	}
}

func TestPartsAreJoinedAndStatusReportsIgnored(t *testing.T) {
	t.Parallel()
	f := newFakeModem(t)
	c := openFake(t, f, quiet)
	c.times.parts = 2 * time.Second
	post := &modemPost{}
	at := time.Now().Add(-time.Minute)
	f.receive("07914356060013F1065A098136397339F7219011700463802190117004638030") // a status report
	f.receive("0004FF")
	f.receive(deliver(annasPhone, "the plug 😀", at.Add(time.Second), []byte{5, 0, 3, 9, 2, 2}))
	f.receive(deliver("+447700900456", "half of it ", at, []byte{6, 8, 4, 1, 9, 2, 1}))
	f.receive(deliver(annasPhone, "I am at the fridge: ", at, []byte{5, 0, 3, 9, 2, 1}))
	listening(t, c, post)
	soon(t, "the whole one and then the half are heard, and all is deleted", func() bool { return len(post.heard()) == 2 && f.stored() == 0 })
	got := post.heard()
	if got[0].Text != "I am at the fridge: the plug 😀" || got[0].Data != "" {
		t.Errorf("heard %+v", got[0])
	}
	if got[1].From != "+447700900456" || got[1].Text != "half of it …" {
		t.Errorf("heard %+v", got[1])
	}
}

// A modem that is unplugged while it listens, and comes back; one that hangs.
func TestListenFindsTheModemAgain(t *testing.T) {
	t.Parallel()
	f := newFakeModem(t)
	c := openFake(t, f, quiet)
	c.times.command = time.Second
	post := &modemPost{}
	listening(t, c, post)
	sends := func() bool { return notify(t, c, sample(annasPhone)) == nil }
	for i, trouble := range []func(){
		func() { f.unplug(); time.Sleep(200 * time.Millisecond); f.plug(t) },
		func() { f.plug(t) },
		func() {
			f.with(func() { f.dead = true })
			time.Sleep(1500 * time.Millisecond)
			f.with(func() { f.dead = false })
		},
		func() { f.say("\xff\x00> \r\n+CMTI\r\n+CMS ERROR: \r\nOK\r\n\r\n") },
	} {
		f.text(annasPhone, "before")
		soon(t, "it hears", func() bool { return len(post.heard()) == 2*i+1 })
		trouble()
		f.text(annasPhone, "after")
		soon(t, "it hears again", func() bool { return len(post.heard()) == 2*i+2 })
		soon(t, "it sends again", sends)
	}
}

// Two phones that answer by themselves would talk for ever.
func TestRepliesToOneNumberAreBounded(t *testing.T) {
	f := newFakeModem(t)
	post := &modemPost{reply: "Answer 1, 2 or 3."}
	listening(t, openFake(t, f, quiet), post)
	for i := range repliesMost + 3 {
		f.text(annasPhone, "I am driving and will answer later.")
		soon(t, "it is heard", func() bool { return len(post.heard()) == i+1 && f.stored() == 0 })
	}
	f.text("+447700900456", "hello")
	soon(t, "another number gets a reply", func() bool {
		return slices.ContainsFunc(f.texts(), func(s fakeSubmit) bool { return s.to == "+447700900456" })
	})
	if n := len(f.texts()) - 1; n != repliesMost {
		t.Errorf("it replied %d times, not %d", n, repliesMost)
	}
}

func TestMessagesFromAllSidesAreSentOneByOne(t *testing.T) {
	t.Parallel()
	f := newFakeModem(t)
	c := openFake(t, f, quiet)
	listening(t, c, &modemPost{})
	var all sync.WaitGroup
	for range 12 {
		all.Go(func() {
			if err := notify(t, c, sample(annasPhone)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := len(f.texts()); n != 12 {
		t.Errorf("%d of 12 texts arrived whole", n)
	}
}

// However the bytes come in pieces, the lines are the same.
func FuzzModemLines(f *testing.F) {
	f.Add([]byte("AT\r\r\nOK\r\n\r\n> \r\n+CMGS: 4\r\n"), 3)
	f.Add([]byte("\r\n+CMGL: 1,0,,24\r\n0791\r\n>>  >\x00\xff\n"), 1)
	f.Add(bytes.Repeat([]byte("0"), 3*lineMost), 100)
	f.Fuzz(func(t *testing.T, in []byte, size int) {
		var whole lineReader
		want := whole.feed(in)
		var r lineReader
		var got []string
		for part := range slices.Chunk(in, max(1, size)) {
			got = append(got, r.feed(part)...)
			if len(r.buf) > lineMost {
				t.Fatalf("it keeps %d bytes", len(r.buf))
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q in pieces, %q at once", got, want)
		}
		for _, line := range got {
			if line == "" || strings.ContainsAny(line, "\r\n") {
				t.Errorf("a line is %q", line)
			}
		}
		listed(got) // whatever a modem lists
	})
}
