package channels

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"coldkeep/alert"
)

func contextFor(t *testing.T, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(t.Context(), d)
}

// An inbox is a Post that remembers.
type inbox struct {
	mu    sync.Mutex
	open  []alert.Sent
	reply string
	err   error
	got   []alert.Answer
}

func (p *inbox) Hear(_ context.Context, a alert.Answer) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return "", p.err
	}
	p.got = append(p.got, a)
	return p.reply, nil
}

func (p *inbox) Open(string) []alert.Sent {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.open)
}

func (p *inbox) set(do func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	do()
}

// A lookout notes when the list of messages was asked for.
type lookout struct {
	*fakeTwilio
	began time.Time
	mu    sync.Mutex
	at    []time.Duration
}

func (l *lookout) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == "GET" && strings.HasSuffix(r.URL.Path, "/Messages.json") {
		l.mu.Lock()
		l.at = append(l.at, time.Since(l.began))
		l.mu.Unlock()
	}
	l.fakeTwilio.ServeHTTP(w, r)
}

// looks gives the times of the looks since it was called last.
func (l *lookout) looks() []time.Duration {
	synctest.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	at := l.at
	l.at = nil
	return at
}

func TestAnswersAreAskedForGently(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeTwilio()
		c := openSMS(t, f, quiet)
		began := time.Now()
		look := &lookout{fakeTwilio: f, began: began}
		c.client.Transport = straight{look}
		post := &inbox{}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); c.Listen(ctx, post) }()
		time.Sleep(130 * time.Second)
		const s = time.Second
		if at, want := look.looks(), []time.Duration{0, 60 * s, 120 * s}; !slices.Equal(at, want) {
			t.Errorf("with nothing open it asked at %v, not %v", at, want)
		}
		// A page goes out: answers are asked for 10 s later, not a minute.
		if _, err := c.Notify(t.Context(), sample("")); err != nil {
			t.Fatal(err)
		}
		post.set(func() { post.open = []alert.Sent{{To: "+447700900123", At: time.Now()}} })
		time.Sleep(25 * time.Second)
		if at, want := look.looks(), []time.Duration{140 * s, 150 * s}; !slices.Equal(at, want) {
			t.Errorf("with a page open it asked at %v, not %v", at, want)
		}
		post.set(func() { post.open = nil })
		time.Sleep(10 * time.Second)
		look.looks()
		time.Sleep(60 * time.Second)
		if at, want := look.looks(), []time.Duration{220 * s}; !slices.Equal(at, want) {
			t.Errorf("with nothing open any more it asked at %v, not %v", at, want)
		}
		cancel()
		<-done
	})
}

func TestTheListIsAskedForExactly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeTwilio()
		c := openSMS(t, f, quiet)
		if err := c.hear(t.Context(), &inbox{}); err != nil {
			t.Fatal(err)
		}
		got := f.asked[0]
		want := "DateSent%3E=" + time.Now().Add(-12*time.Hour).UTC().Format(time.DateOnly) + "&PageSize=50&To=%2B15005550006"
		if len(f.asked) != 1 || got.method != "GET" || got.path != "/2010-04-01/Accounts/"+f.account+"/Messages.json" || got.query.Encode() != want {
			t.Errorf("it asked %+v, not for %s", f.asked, want)
		}
	})
}

func TestEveryAnswerIsHeardOnceInItsOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeTwilio()
		c := openSMS(t, f, quiet)
		post := &inbox{}
		now := time.Now()
		f.text("+447700900001", "too old", now.Add(-13*time.Hour))
		var want []string
		for i := range 120 { // three pages
			sid := f.text("+447700900001", strconv.Itoa(i), now.Add(time.Duration(i-130)*time.Second))
			f.doubled[sid] = i%7 == 0
			want = append(want, sid)
		}
		for range 2 {
			if err := c.hear(t.Context(), post); err != nil {
				t.Fatal(err)
			}
		}
		var got []string
		for _, a := range post.got {
			got = append(got, a.ID)
		}
		if !slices.Equal(got, want) {
			t.Errorf("it heard %d answers, not %d in their order: %v", len(got), len(want), got)
		}
		// What the Post does not take is heard again.
		post.err = errors.New("disk full")
		sid := f.text("+447700900001", "going", now)
		if err := c.hear(t.Context(), post); err == nil {
			t.Error("an answer that was not taken is no error")
		}
		post.err = nil
		if err := c.hear(t.Context(), post); err != nil {
			t.Fatal(err)
		}
		if last := post.got[len(post.got)-1]; len(post.got) != len(want)+1 || last.ID != sid || last.Text != "going" || last.Channel != "sms" {
			t.Errorf("after that it heard %+v", last)
		}
		// After a day nothing of them is remembered.
		time.Sleep(25 * time.Hour)
		if err := c.hear(t.Context(), post); err != nil || len(c.heard) != 0 {
			t.Errorf("it remembers %d answers, error %v", len(c.heard), err)
		}
	})
}

// The list has a day and more; once it is older than what counts, no further
// page is asked for.
func TestOldPagesAreNotAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeTwilio()
		now := time.Now()
		for i := range 200 {
			f.text("+447700900001", "old", now.Add(-12*time.Hour-time.Duration(200-i)*time.Second))
		}
		post := &inbox{}
		if err := openSMS(t, f, quiet).hear(t.Context(), post); err != nil {
			t.Fatal(err)
		}
		if len(f.asked) != 1 || len(post.got) != 0 {
			t.Errorf("it asked %d times and heard %d", len(f.asked), len(post.got))
		}
	})
}

// Twilio may say when to ask again, and then a page that goes out changes
// nothing of it.
func TestListenWaitsAsLongAsItIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeTwilio()
		c := openSMS(t, f, quiet)
		var at []time.Duration
		began := time.Now()
		c.client.Transport = straight{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			at = append(at, time.Since(began))
			w.Header().Set("Retry-After", "100")
			twilioErr(w, 429, 20429, "Too Many Requests")
		})}
		ctx, cancel := context.WithTimeout(t.Context(), 250*time.Second)
		defer cancel()
		time.AfterFunc(50*time.Second, c.listenSoon)
		c.Listen(ctx, &inbox{open: []alert.Sent{{At: began}}})
		if want := []time.Duration{0, 100 * time.Second, 200 * time.Second}; !slices.Equal(at, want) {
			t.Errorf("it asked at %v, not %v", at, want)
		}
	})
}

// A number answers the newest message that its sender can have read.
func TestANumberAnswersTheNewestMessageRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeTwilio()
		f.ahead = 3 * time.Hour // or our clock is late
		c := openSMS(t, f, quiet)
		now := time.Now()
		sent := func(to, data string, ago time.Duration) alert.Sent {
			return alert.Sent{ID: data, To: to, At: now.Add(-ago), Buttons: []alert.Button{{Text: "Going", Data: "g." + data}, {Text: "Can't", Data: "n." + data}}}
		}
		post := &inbox{open: []alert.Sent{
			sent("+44 7700 900001", "old", 10*time.Minute), sent("+44 7700 900001", "new", 5*time.Minute), sent("+44 7700 900001", "newest", time.Minute),
			sent("+447700900002", "theirs", 3*time.Minute), sent("", "nobody's", 3*time.Minute),
		}}
		text := func(from, body string, ago time.Duration) {
			f.text(from, body, now.Add(f.ahead).Add(-ago))
		}
		text("+447700900001", "1", 11*time.Minute) // to one that is over
		text("+447700900001", "1", 7*time.Minute)
		text("+447700900001", "2", 2*time.Minute)
		text("+447700900001", "2.", 30*time.Second)
		text("+447700900001", "who is this", 20*time.Second)
		text("+447700900002", "1", 10*time.Second)
		text("+447700900123", "1", 9*time.Second) // the channel's own To
		text("+447700900666", "1", 8*time.Second) // a stranger
		f.text(f.number, "1", now)                // ourselves
		want := [][3]string{
			{"+44 7700 900001", "1", ""}, {"+44 7700 900001", "1", "g.old"}, {"+44 7700 900001", "2", "n.new"}, {"+44 7700 900001", "2.", "n.newest"}, {"+44 7700 900001", "who is this", ""},
			{"+447700900002", "1", "g.theirs"}, {"+447700900123", "1", "g.nobody's"}, {"+447700900666", "1", ""},
		}
		if err := c.hear(t.Context(), post); err != nil {
			t.Fatal(err)
		}
		var got [][3]string
		for _, a := range post.got {
			got = append(got, [3]string{a.From, a.Text, a.Data})
			if off := a.At.Sub(now); off > time.Second || off < -12*time.Minute {
				t.Errorf("an answer is %v off our clock", off)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("it heard\n%q, not\n%q", got, want)
		}
	})
}

// Whoever answers while the network still says nothing of the message is not
// misunderstood: the answer is heard when the message is known as sent.
func TestAnAnswerWaitsForItsMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeTwilio()
		f.become = []string{"sent"} // for ever
		c := openSMS(t, f, quiet)
		post := &inbox{}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); c.Listen(ctx, post) }()
		go func() {
			time.Sleep(5 * time.Second)
			f.text("+447700900123", "1", time.Now())
		}()
		m, began := sample(""), time.Now()
		if _, err := c.Notify(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took != 20*time.Second {
			t.Errorf("it was watched for %v", took)
		}
		post.set(func() { post.open = []alert.Sent{{ID: m.ID, To: "+447700900123", Buttons: m.Buttons, At: began}} })
		time.Sleep(11 * time.Second)
		cancel()
		<-done
		if len(post.got) != 1 || post.got[0].Data != m.Buttons[0].Data {
			t.Errorf("it heard %+v", post.got)
		}
	})
}

func TestAnAnswerGetsAReply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeTwilio()
		c := openSMS(t, f, quiet)
		post := &inbox{reply: "You have it until 03:42. Fridge 1: 9.4 °C."}
		f.text("+447700900001", "1", time.Now().Add(-20*time.Minute)) // heard again after a restart
		f.text("+447700900002", "1", time.Now().Add(-time.Minute))
		if err := c.hear(t.Context(), post); err != nil {
			t.Fatal(err)
		}
		sent := f.sent()
		if len(post.got) != 2 || len(sent) != 1 || sent[0].to != "+447700900002" || sent[0].body != "You have it until 03:42. Fridge 1: 9.4 C." {
			t.Errorf("it heard %d and replied %+v", len(post.got), sent)
		}
		// A reply that cannot be sent is told, and the answer is not heard again.
		f.text("+447700900002", "3", time.Now())
		f.faults = []farFault{farBroken}
		if err := c.hear(t.Context(), post); err == nil || !strings.Contains(err.Error(), "reply") {
			t.Errorf("a reply that fails: %v", err)
		}
		if err := c.hear(t.Context(), post); err != nil || len(post.got) != 3 {
			t.Errorf("then it heard %d, error %v", len(post.got), err)
		}
	})
}

func TestListenTellsAFailureOnceAndGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeTwilio()
		log, b := bytesLog()
		c := openSMS(t, f, log)
		began := time.Now()
		look := &lookout{fakeTwilio: f, began: began}
		c.client.Transport = straight{look}
		f.listing = []farFault{farBroken, farDrops, farHangs, farBusy, farGarbled}
		post := &inbox{open: []alert.Sent{{At: began}}}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); c.Listen(ctx, post) }()
		f.text("+447700900001", "going", began)
		time.Sleep(90 * time.Second)
		// The one that hangs ends after 20 s.
		const s = time.Second
		if at, want := look.looks(), []time.Duration{0, 10 * s, 20 * s, 50 * s, 60 * s, 70 * s, 80 * s, 90 * s}; !slices.Equal(at, want) {
			t.Errorf("it asked at %v, not %v", at, want)
		}
		if len(post.got) != 1 {
			t.Errorf("after that it heard %d answers", len(post.got))
		}
		cancel()
		<-done
		if n := strings.Count(b.String(), "cannot be heard"); n != 1 || strings.Count(b.String(), "heard again") != 1 {
			t.Errorf("the log tells it %d times:\n%s", n, b)
		}
		if strings.Contains(b.String(), f.token) {
			t.Errorf("the log tells the token:\n%s", b)
		}
	})
}

// The next page of a list is asked of no other server.
func TestAPageElsewhereIsNotAskedFor(t *testing.T) {
	for _, next := range []string{"https://elsewhere.example/2010-04-01/", "//elsewhere.example/", "@elsewhere.example/", ".elsewhere.example/"} {
		c := openSMS(t, newFakeTwilio(), quiet)
		asked := 0
		c.client.Transport = straight{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked++
			w.Write([]byte(`{"messages":[],"next_page_uri":"` + next + `"}`))
		})}
		if err := c.hear(t.Context(), &inbox{}); err == nil || asked != 1 {
			t.Errorf("%s: asked %d times, error %v", next, asked, err)
		}
	}
}
