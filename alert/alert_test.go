package alert

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

var three = time.Date(2026, 5, 5, 2, 12, 0, 0, time.UTC)

func TestTheFirstLineTellsWhatAndWhere(t *testing.T) {
	end := three.Add(28 * time.Minute)
	for want, a := range map[string]Alarm{
		"FRIDGE 1 TOO WARM 9.4 °C (2–8 °C), rising. Clinic A":                        {Kind: TooWarm, Unit: "Fridge 1", Temp: "9.4", Range: "2–8 °C", Trend: "rising", Site: "Clinic A"},
		"FRIDGE 1 TOO COLD 0.8 °C (2–8 °C). Clinic A":                                {Kind: TooCold, Unit: "Fridge 1", Temp: "0.8", Range: "2–8 °C", Site: "Clinic A"},
		"FRIDGE 1 NO TEMPERATURE; last 5.1 °C at 02:12. Someone must look. Clinic A": {Kind: NoData, Unit: "Fridge 1", LastTemp: "5.1", LastAt: three, Site: "Clinic A"},
		"ALL CLEAR: Fridge 1 is back at 6.9 °C since 02:40. Clinic A":                {Kind: TooWarm, Unit: "Fridge 1", Temp: "6.9", Cleared: &end, Site: "Clinic A"},
		"BATCH EX-1: DO NOT USE. Above 8 °C for 2h in all. Clinic A":                 {Kind: Batch, Severity: Critical, Batch: "EX-1", Text: "above 8 °C for 2h in all", Site: "Clinic A"},
	} {
		if got := Compose(a).Title; got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	long := Compose(Alarm{Kind: Batch, Text: strings.Repeat("°", 2000)})
	if n := len([]rune(long.Title)); n != 100 {
		t.Errorf("a title of %d characters", n)
	}
}

// book is a journal of alarms, in memory.
type book struct {
	mu      sync.Mutex
	list    []Entry
	open    map[string]bool
	changed chan struct{}
	cursors map[string]uint64
	reports []Report
}

func newBook() *book {
	return &book{open: map[string]bool{}, changed: make(chan struct{}), cursors: map[string]uint64{}}
}

func (b *book) add(a Alarm) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.list = append(b.list, Entry{uint64(len(b.list) + 1), a})
	b.open[a.Key] = a.Cleared == nil
	close(b.changed)
	b.changed = make(chan struct{})
}

func (b *book) Alarms(_ context.Context, after uint64) ([]Entry, uint64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.list[after:]), uint64(len(b.list)), nil
}
func (b *book) Open(key string) bool { b.mu.Lock(); defer b.mu.Unlock(); return b.open[key] }
func (b *book) Changed() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.changed
}
func (b *book) Cursor(n string) uint64 { b.mu.Lock(); defer b.mu.Unlock(); return b.cursors[n] }
func (b *book) SetCursor(n string, s uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.cursors[n] = s
}
func (b *book) Report(_ context.Context, r Report) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reports = append(b.reports, r)
	return nil
}

// phone is a channel that fails as told, then takes.
type phone struct {
	name string
	mu   sync.Mutex
	errs []error
	got  []string
}

func (p *phone) Name() string { return p.name }
func (p *phone) Notify(_ context.Context, m Message) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.errs) > 0 {
		err := p.errs[0]
		p.errs = p.errs[1:]
		return err
	}
	p.got = append(p.got, m.Title)
	return nil
}

func (p *phone) messages() []string { p.mu.Lock(); defer p.mu.Unlock(); return slices.Clone(p.got) }

// A channel that fails for a while delivers in the end, each message once and
// in order, and holds up no other channel; a restart goes on where it was.
func TestEveryMessageIsDeliveredOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBook()
		slow, quick := &phone{name: "slow"}, &phone{name: "quick"}
		for range 5 {
			slow.errs = append(slow.errs, &TemporaryError{Err: errors.New("503")})
		}
		run := func() context.CancelFunc {
			ctx, cancel := context.WithCancel(t.Context())
			d := NewDispatcher(b, []Notifier{slow, quick}, slog.New(slog.DiscardHandler))
			go d.Run(ctx)
			return cancel
		}
		stop := run()
		b.add(Alarm{Key: "1", Kind: Other, Text: "one"})
		b.add(Alarm{Key: "2", Kind: Other, Text: "two"})
		synctest.Wait()
		if got := quick.messages(); len(got) != 2 {
			t.Errorf("the quick channel has %q, held up by the slow one", got)
		}
		time.Sleep(5 * time.Second)
		stop()
		synctest.Wait()
		stop = run()
		time.Sleep(10 * time.Minute)
		if got := slow.messages(); len(got) != 2 || !strings.HasPrefix(got[0], "one") {
			t.Errorf("the slow channel has %q, want one, two", got)
		}
		if got := quick.messages(); len(got) != 2 {
			t.Errorf("the quick channel has %q after a restart", got)
		}
		stop()
		synctest.Wait()
	})
}

// What is over before it could be told gets nobody up, what was found too
// late neither, and a refusal for good is recorded and not repeated.
func TestWhatNobodyIsCalledFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBook()
		p := &phone{name: "p", errs: []error{&TemporaryError{Err: errors.New("down")}, errors.New("403 forbidden")}}
		end := three
		b.add(Alarm{Key: "past", Kind: Other, Text: "past", Past: true})
		b.add(Alarm{Key: "gone", Kind: Other, Text: "gone"})
		ctx, stop := context.WithCancel(t.Context())
		go NewDispatcher(b, []Notifier{p}, slog.New(slog.DiscardHandler)).Run(ctx)
		synctest.Wait()
		b.add(Alarm{Key: "gone", Kind: Other, Text: "gone", Cleared: &end})
		time.Sleep(time.Hour)
		b.add(Alarm{Key: "new", Kind: Other, Text: "new"})
		synctest.Wait()
		if got := p.messages(); len(got) != 1 || !strings.HasPrefix(got[0], "new") {
			t.Errorf("sent %q, want only the new one", got)
		}
		failed := 0
		for _, r := range b.reports {
			if r.Err != nil {
				failed++
			}
		}
		if failed != 2 {
			t.Errorf("%d failures recorded, want two: %+v", failed, b.reports)
		}
		stop()
		synctest.Wait()
	})
}

func TestNtfy(t *testing.T) {
	var got string
	answer := http.StatusOK
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got = string(b)
		if answer != http.StatusOK {
			w.Header().Set("Retry-After", "7")
		}
		w.WriteHeader(answer)
		fmt.Fprintln(w, `{"id":"x","code":42901}`)
	}))
	defer srv.Close()
	n, err := Open(Settings{Kind: "ntfy", Server: srv.URL, Topic: "sample"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Notify(t.Context(), Message{Title: "FRIDGE 1 TOO WARM", Severity: Critical}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"topic":"sample"`, `"priority":5`, `"title":"FRIDGE 1 TOO WARM"`} {
		if !strings.Contains(got, want) {
			t.Errorf("sent %s, without %s", got, want)
		}
	}
	for code, temporary := range map[int]bool{429: true, 503: true, 403: false, 400: false} {
		answer = code
		err := n.Notify(t.Context(), Message{})
		var soon *TemporaryError
		if errors.As(err, &soon) != temporary || err == nil {
			t.Errorf("%d: %v, temporary %v", code, err, temporary)
		}
		if temporary && soon.After != 7*time.Second {
			t.Errorf("%d: again after %v, want 7 s", code, soon.After)
		}
	}
	for _, s := range []Settings{{Kind: "pigeon"}, {Kind: "ntfy"}, {Kind: "ntfy", Topic: "x", Server: "ftp://y"}} {
		if _, err := Open(s, nil); err == nil {
			t.Errorf("%+v was opened", s)
		}
	}
}
