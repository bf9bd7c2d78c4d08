package alert

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A shelf of messages, as a Monitor shows them.
type desktop struct {
	mu      sync.Mutex
	due     []DueMessage
	open    []Message
	sent    []Sent
	changed chan struct{}
	reports []Outcome
	refuse  int // reports that cannot be taken
}

func newDesktop() *desktop { return &desktop{changed: make(chan struct{})} }

func (d *desktop) change(f func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f()
	close(d.changed)
	d.changed = make(chan struct{})
}

func (d *desktop) Due() []DueMessage  { d.mu.Lock(); defer d.mu.Unlock(); return slices.Clone(d.due) }
func (d *desktop) Open() []Message    { d.mu.Lock(); defer d.mu.Unlock(); return slices.Clone(d.open) }
func (d *desktop) Sent(string) []Sent { d.mu.Lock(); defer d.mu.Unlock(); return slices.Clone(d.sent) }
func (d *desktop) Changed() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.changed
}
func (d *desktop) Report(_ context.Context, o Outcome) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.refuse > 0 {
		d.refuse--
		return errors.New("the loop is busy")
	}
	d.reports = append(d.reports, o)
	d.due = slices.DeleteFunc(d.due, func(m DueMessage) bool { return m.Message.ID == o.ID })
	return nil
}
func (d *desktop) Answer(context.Context, Answer) (string, error) { return "", nil }
func (d *desktop) told() []Outcome                                { d.mu.Lock(); defer d.mu.Unlock(); return slices.Clone(d.reports) }

// A bell is a channel that does as it is told, can be silenced, and is told
// again and again what holds.
type bell struct {
	name  string
	mu    sync.Mutex
	fate  error
	hangs bool
	got   []Message
	hush  []string
	syncs [][]Message
}

func (b *bell) Name() string { return b.name }
func (b *bell) Notify(ctx context.Context, m Message) (string, error) {
	b.mu.Lock()
	b.got = append(b.got, m)
	fate, hangs := b.fate, b.hangs
	b.mu.Unlock()
	if hangs {
		<-ctx.Done()
		return "", ctx.Err()
	}
	return "r-" + m.ID, fate
}
func (b *bell) Cancel(_ context.Context, receipt string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.hush = append(b.hush, receipt)
	return nil
}
func (b *bell) Sync(_ context.Context, all []Message) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.syncs = append(b.syncs, all)
	return nil
}

func dispatch(t *testing.T, tell func(d *desktop, b *bell)) {
	synctest.Test(t, func(t *testing.T) {
		d, b := newDesktop(), &bell{name: "bell"}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); NewDispatcher(d, []Notifier{b}, slog.New(slog.DiscardHandler)).Run(ctx) }()
		synctest.Wait()
		tell(d, b)
		cancel()
		<-done
	})
}

func due(channel, id string) DueMessage {
	return DueMessage{Channel: channel, Message: Message{ID: id, Title: "t", Body: "b"}}
}

// What becomes of a message is told as what it is worth.
func TestOutcomes(t *testing.T) {
	for name, c := range map[string]struct {
		fate  error
		hangs bool
		want  Outcome
	}{
		"sent":    {want: Outcome{ID: "n1", Receipt: "r-n1"}},
		"busy":    {fate: &TemporaryError{Err: errors.New("429"), After: 7 * time.Second}, want: Outcome{ID: "n1", Error: "429", Retry: true, After: 7 * time.Second}},
		"unknown": {fate: &UnknownError{errors.New("cut off")}, want: Outcome{ID: "n1", Error: "cut off", Unknown: true}},
		"refused": {fate: errors.New("403"), want: Outcome{ID: "n1", Error: "403"}},
		"hangs":   {hangs: true, want: Outcome{ID: "n1", Error: context.DeadlineExceeded.Error(), Unknown: true}},
	} {
		dispatch(t, func(d *desktop, b *bell) {
			b.fate, b.hangs = c.fate, c.hangs
			d.change(func() { d.due = append(d.due, due("bell", "n1")); d.refuse = 2 })
			time.Sleep(flightMost)
			if got := d.told(); len(got) != 1 || got[0] != c.want {
				t.Errorf("%s: reported as %+v, want %+v", name, got, c.want)
			}
			if len(b.got) != 1 {
				t.Errorf("%s: sent %d times", name, len(b.got))
			}
		})
	}
}

// A message to a channel that left the config is no mystery.
func TestAChannelThatIsGone(t *testing.T) {
	dispatch(t, func(d *desktop, _ *bell) {
		d.change(func() { d.due = append(d.due, due("pager", "n1")) })
		synctest.Wait()
		if got := d.told(); len(got) != 1 || !strings.Contains(got[0].Error, "pager") || got[0].Retry {
			t.Errorf("reported as %+v", got)
		}
	})
}

// What rings is silenced once when somebody has it, and when it is over.
func TestWhatRingsIsSilenced(t *testing.T) {
	dispatch(t, func(d *desktop, b *bell) {
		d.change(func() { d.sent = []Sent{{ID: "n1", Receipt: "r1"}, {ID: "n2", Receipt: "r2"}, {ID: "n3"}} })
		synctest.Wait()
		if len(b.hush) != 0 {
			t.Errorf("silenced while it rings: %q", b.hush)
		}
		d.change(func() { d.sent[0].Quiet = true })
		synctest.Wait()
		d.change(func() { d.sent = nil })
		synctest.Wait()
		d.change(func() {})
		synctest.Wait()
		if !slices.Equal(b.hush, []string{"r1", "r2"}) {
			t.Errorf("silenced %q, want r1, r2, once each", b.hush)
		}
	})
}

// A service is told at each change of what holds, and every minute, and not for
// each reading.
func TestServicesAreToldAgain(t *testing.T) {
	dispatch(t, func(d *desktop, b *bell) {
		told := func() [][]Message { b.mu.Lock(); defer b.mu.Unlock(); return slices.Clone(b.syncs) }
		for range 60 {
			d.change(func() {})
			time.Sleep(10 * time.Second)
		}
		n := len(told())
		if n < 9 || n > 12 {
			t.Errorf("told %d times in ten minutes, want every minute", n)
		}
		d.change(func() { d.open = []Message{{Key: "k", Title: "9.4 °C"}} })
		time.Sleep(3 * time.Second)
		if list := told(); len(list[len(list)-1]) != 1 {
			t.Error("it was not told at once when it began")
		}
		n = len(told())
		for i := range 60 {
			time.Sleep(10 * time.Second)
			d.change(func() { d.open = []Message{{Key: "k", Title: strings.Repeat("x", i)}} })
		}
		if n := len(told()) - n; n < 8 || n > 12 {
			t.Errorf("told %d times in ten minutes, want every minute", n)
		}
		d.change(func() { d.open = nil })
		time.Sleep(5 * time.Second)
		if list := told(); len(list[len(list)-1]) != 0 {
			t.Error("the end was not told at once")
		}
	})
}
