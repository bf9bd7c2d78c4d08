package monitor

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"coldkeep/alert"
	"coldkeep/internal/coldchain"
	"coldkeep/internal/store"
	"coldkeep/sensor"
)

// fridges is a bus whose probes read what a story says.
type fridges struct {
	mu    sync.Mutex
	temps map[string]sensor.Temp // of a probe; absent: it does not answer
}

func (f *fridges) Name() string { return "fridges" }
func (f *fridges) Close() error { return nil }
func (f *fridges) Sweep(_ context.Context, slot time.Time) (list []sensor.Reading) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range []string{"a", "b", "c", "d"} {
		r := sensor.Reading{Probe: p, Time: sensor.At(slot), Fault: sensor.FaultAbsent}
		if t, ok := f.temps[p]; ok {
			r.Temp, r.Raw, r.Fault = t, t, ""
		}
		list = append(list, r)
	}
	return list
}

func (f *fridges) set(t sensor.Temp, probes ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range probes {
		f.temps[p] = t
	}
}

// A phone is a channel of the test: people's telephones, which take what they
// get unless the story says otherwise, and answer when it says so.
type phone struct {
	name    string
	mu      sync.Mutex
	fate    error // of what comes
	inbox   []alert.Message
	at      []time.Time
	seen    int    // of the inbox, by calls
	taken   func() // called when a message was taken, before the sender hears of it
	answers chan answered
}

type answered struct {
	a     alert.Answer
	reply chan string
}

func (p *phone) Name() string { return p.name }
func (p *phone) Notify(_ context.Context, m alert.Message) (string, error) {
	p.mu.Lock()
	err, taken := p.fate, p.taken
	if err == nil {
		p.inbox, p.at = append(p.inbox, m), append(p.at, time.Now())
	}
	p.mu.Unlock()
	if err == nil && taken != nil {
		taken()
	}
	return "", err
}

func (p *phone) Listen(ctx context.Context, post alert.Post) {
	for {
		select {
		case <-ctx.Done():
			return
		case x := <-p.answers:
			reply, err := post.Hear(ctx, x.a)
			if err != nil {
				reply = "error: " + err.Error()
			}
			x.reply <- reply
		}
	}
}

func (p *phone) fail(err error) { p.mu.Lock(); defer p.mu.Unlock(); p.fate = err }

// A night is the real Monitor on the real store, with telephones.
type night struct {
	t      *testing.T
	dir    string
	duty   alert.Duty
	bus    *fridges
	push   *phone
	sms    *phone
	wall   func() time.Time
	ahead  atomic.Int64 // of the system's clock, ns
	m      *Monitor
	st     *store.Store
	stop   context.CancelFunc
	ended  chan struct{}
	cancel func() // ends the process without a word
	ids    int
	broken atomic.Pointer[error] // of the disk

	contacts []sensor.Contact
	zone     string
	change   func(*coldchain.Config) // what the story's config has of its own; nil: nothing
}

// A disk is a store whose disk can fail.
type disk struct {
	*store.Store
	n *night
}

var errFull = errors.New("no space left on device")

func (d disk) Record(ctx context.Context, s coldchain.Step) error {
	if err := d.n.broken.Load(); err != nil {
		return *err
	}
	return d.Store.Record(ctx, s)
}

func (n *night) failStore(err error) {
	if err == nil {
		n.broken.Store(nil)
		return
	}
	n.broken.Store(&err)
}

// forget drops what the desk remembers beside the journal.
func (n *night) forget() {
	db, err := sql.Open("sqlite", filepath.Join(n.dir, store.FileName))
	if err != nil {
		n.t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("DELETE FROM desk"); err != nil {
		n.t.Fatal(err)
	}
}

func nightConfig() coldchain.Config {
	var units []coldchain.Unit
	for i, p := range []string{"a", "b", "c", "d"} {
		units = append(units, coldchain.Unit{ID: fmt.Sprintf("fridge-%d", i+1), Name: fmt.Sprintf("Fridge %d", i+1), Range: coldchain.Range{Low: 2000, High: 8000}, MaxGap: 2 * time.Minute,
			Probes: []coldchain.UnitProbe{{ID: p, Instrument: "test " + p, Judges: true}}, Alarms: []coldchain.AlarmRule{
				{ID: "warm", Severity: coldchain.Critical, Limit: coldchain.Limit{Side: coldchain.Above, At: 8000}, For: 5 * time.Minute},
				{ID: "silent", Severity: coldchain.Critical, NoData: 10 * time.Minute}}})
	}
	return coldchain.Config{Units: units, Profiles: []coldchain.Profile{{ID: "p", Source: "test", Range: coldchain.Range{Low: 2000, High: 8000}, Confirm: time.Minute, Unmonitored: 24 * time.Hour,
		DeltaH: coldchain.DefaultDeltaH, Outside: coldchain.Outside{As: 25000, Grace: 10 * time.Minute},
		Rules: []coldchain.Rule{{ID: "warm", Limit: coldchain.Limit{Side: coldchain.Above, At: 8000}, Total: 4 * time.Hour}}}}}
}

func nightDuty() alert.Duty {
	person := func(id string) alert.Person {
		return alert.Person{ID: id, Name: strings.ToUpper(id[:1]) + id[1:], Contacts: []alert.Contact{{Channel: "push", To: id}, {Channel: "sms", To: "+" + id, After: time.Minute}}}
	}
	return alert.Duty{Site: "Clinic A", Location: time.UTC, People: []alert.Person{person("anna"), person("bert"), person("cleo")},
		Policies: []alert.Policy{{ID: "night", Steps: []alert.Step{
			{Call: []string{"anna"}, Repeat: 5 * time.Minute},
			{Call: []string{"bert"}, After: 5 * time.Minute, Repeat: 5 * time.Minute},
			{Call: []string{alert.Everyone}, After: 5 * time.Minute, Repeat: 5 * time.Minute}}}},
		Kinds: map[string]string{"push": "ntfy", "sms": "modem"}}
}

func newNight(t *testing.T, duty alert.Duty, at time.Time, contacts ...sensor.Contact) *night {
	n := &night{t: t, contacts: contacts, zone: duty.Location.String(), dir: t.TempDir(), duty: duty, bus: &fridges{temps: map[string]sensor.Temp{}}, push: &phone{name: "push", answers: make(chan answered)}, sms: &phone{name: "sms", answers: make(chan answered)}}
	n.ahead.Store(int64(time.Until(at)))
	n.wall = func() time.Time { return time.Now().Add(time.Duration(n.ahead.Load())) }
	n.bus.set(5000, "a", "b", "c", "d")
	n.start()
	for i := 1; i <= 4; i++ {
		n.do(coldchain.Command{Name: "receive", Batch: fmt.Sprintf("EX-%d", i), Profile: "p", Vials: 4 * i})
		n.do(coldchain.Command{Name: "place", Batch: fmt.Sprintf("EX-%d", i), Unit: fmt.Sprintf("fridge-%d", i)})
	}
	return n
}

func (n *night) start() {
	ctx, cancel := context.WithCancel(n.t.Context())
	st, err := store.Open(ctx, n.dir)
	if err != nil {
		n.t.Fatal(err)
	}
	var probes []sensor.Probe
	for _, p := range []string{"a", "b", "c", "d"} {
		probes = append(probes, sensor.Probe{ID: p, Chip: "test"})
	}
	n.st = st
	cfg := nightConfig()
	if n.change != nil {
		n.change(&cfg)
	}
	n.m = New(disk{st, n}, Options{Config: cfg, Probes: probes, Buses: []sensor.Bus{n.bus}, Interval: 10 * time.Second, Site: coldchain.Site{ID: "a", Name: "Clinic A", Timezone: n.zone}, Node: "n",
		Contacts: n.contacts, Duty: n.duty, AnswerKey: []byte("the test's key"), Log: slog.New(slog.DiscardHandler), Synchronized: func() bool { return true }, Wall: n.wall})
	if err := n.m.Open(ctx); err != nil {
		n.t.Fatal(err)
	}
	following, stopFollowing := context.WithCancel(ctx)
	d := alert.NewDispatcher(Alerts{n.m}, []alert.Notifier{n.push, n.sms}, slog.New(slog.DiscardHandler))
	var followers sync.WaitGroup
	followers.Go(func() { d.Run(following) })
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = n.m.Run(ctx) // what it cannot write at a kill is the story
	}()
	n.ended = ended
	n.stop = func() {
		stopFollowing()
		followers.Wait()
		cancel()
		<-ended
		if err := st.Close(); err != nil {
			n.t.Error(err)
		}
	}
	n.cancel = func() {
		stopFollowing() // it reports no more
		if err := st.Close(); err != nil {
			n.t.Error(err)
		}
		cancel()
		<-ended
		followers.Wait()
	}
	time.Sleep(15 * time.Second)
}

func (n *night) do(c coldchain.Command) {
	n.t.Helper()
	n.ids++
	c.ID, c.By = fmt.Sprintf("c%d-%d", n.ids, time.Now().UnixNano()), cmpOr(c.By, "test")
	if _, err := n.m.Do(n.t.Context(), c); err != nil {
		n.t.Fatalf("%s: %v", c.Name, err)
	}
}

func cmpOr(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// calls gives all that came to the telephones since the last call, in order,
// with the minutes since a time.
func (n *night) calls(since time.Time) (lines []string) {
	type call struct {
		at   time.Time
		line string
	}
	var all []call
	for _, p := range []*phone{n.push, n.sms} {
		p.mu.Lock()
		for i := p.seen; i < len(p.inbox); i++ {
			m, again := p.inbox[i], ""
			if m.Again {
				again = " again"
			}
			all = append(all, call{p.at[i], fmt.Sprintf("%d %s %s%s", int(p.at[i].Sub(since)/time.Minute), m.To, m.Purpose, again)})
		}
		p.seen = len(p.inbox)
		p.mu.Unlock()
	}
	slices.SortStableFunc(all, func(a, b call) int { return a.at.Compare(b.at) })
	for _, c := range all {
		lines = append(lines, c.line)
	}
	return lines
}

// fresh are the messages that calls has not given yet.
func (p *phone) fresh() []alert.Message {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.inbox[p.seen:])
}

// newest is the last message to an address.
func (n *night) newest(to string) (alert.Message, *phone) {
	n.t.Helper()
	for _, p := range []*phone{n.push, n.sms} {
		p.mu.Lock()
		list := slices.Clone(p.inbox)
		p.mu.Unlock()
		for _, m := range slices.Backward(list) {
			if m.To == to && len(m.Buttons) > 0 {
				return m, p
			}
		}
	}
	n.t.Fatalf("nothing came to %s", to)
	return alert.Message{}, nil
}

// press answers a message by one of its buttons: 0 going, 1 can't, 2 status.
func (n *night) press(m alert.Message, p *phone, button int) string {
	n.ids++
	x := answered{alert.Answer{ID: fmt.Sprintf("answer-%d", n.ids), From: m.To, Data: m.Buttons[button].Data, At: time.Now()}, make(chan string, 1)}
	p.answers <- x
	return <-x.reply
}

func (n *night) answer(to string, button int) string {
	n.t.Helper()
	m, p := n.newest(to)
	return n.press(m, p, button)
}

// events are the journal's of some kinds.
func (n *night) events(kinds ...coldchain.Kind) []coldchain.Event {
	n.t.Helper()
	list, err := n.st.EventsOf(n.t.Context(), kinds...)
	if err != nil {
		n.t.Fatal(err)
	}
	return list
}

func count(lines []string, what string) (n int) {
	for _, l := range lines {
		if strings.Contains(l, what) {
			n++
		}
	}
	return n
}

var errDown = &alert.TemporaryError{Err: errors.New("no route to host")}

// story tells of a night that begins at eight in the evening.
func story(t *testing.T, duty alert.Duty, tell func(n *night)) {
	t.Helper()
	storyAt(t, duty, time.Date(2026, 5, 4, 20, 0, 0, 0, time.UTC), tell)
}

func storyAt(t *testing.T, duty alert.Duty, at time.Time, tell func(n *night)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		n := newNight(t, duty, at)
		tell(n)
		n.stop()
	})
}
