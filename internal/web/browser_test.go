package web

import (
	"context"
	_ "embed"
	"encoding/json"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"coldkeep/internal/coldchain"
	"coldkeep/sensor"
)

//go:embed testdata/person.js
var personJS []byte

// answeringDesk does what the monitor makes of answers, as far as a page sees it.
type answeringDesk struct {
	*desk
	mu  sync.Mutex
	ids map[string]int // how often each command came
}

func (d *answeringDesk) Do(ctx context.Context, c coldchain.Command) (coldchain.Event, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ids[c.ID]++
	if d.ids[c.ID] > 1 {
		return coldchain.Event{Seq: 9, ID: c.ID}, nil
	}
	if c.Name == "close" {
		return coldchain.Event{}, &coldchain.Refusal{Code: "conflict", Message: "somebody has closed it already"}
	}
	e, err := d.desk.Do(ctx, c)
	d.change(c.Alarm, func(t *coldchain.Trouble) {
		switch c.Name {
		case "ack":
			until := sensor.At(time.Now()) + 1_200_000
			t.State, t.By, t.Via, t.Until = "acknowledged", c.By, c.Via, &until
		case "shelve":
			t.State, t.By, t.Reason, t.Until = "shelved", c.By, c.Reason, &c.Until
		}
	})
	return e, err
}

func (d *answeringDesk) change(key string, f func(*coldchain.Trouble)) {
	d.desk.mu.Lock()
	defer d.desk.mu.Unlock()
	list := append([]coldchain.Trouble{}, d.snap.Troubles...)
	for i := range list {
		if list[i].Key == key {
			f(&list[i])
		}
	}
	d.snap.Troubles = list
	close(d.changed)
	d.desk.changed = make(chan struct{})
}

// A person answers on the page in a real browser, as wide as a phone: what is
// typed outlives the page's renewals, the token is asked once, an answer that
// is lost on its way is sent again as the same command, and what is refused is
// told in words. The person is testdata/person.js.
func TestSystemAPersonAnswersInABrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("a system test")
	}
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("Chromium is not installed here")
	}
	d := &answeringDesk{desk: newDesk(), ids: map[string]int{}}
	night(d.desk)
	s, err := New(d, Options{Interval: 10 * time.Second, Token: "a-token-of-some-length"})
	if err != nil {
		t.Fatal(err)
	}
	type step struct {
		What string `json:"what"`
		OK   bool   `json:"ok"`
		Saw  string `json:"saw"`
	}
	told := make(chan []step, 1)
	var lose sync.Once
	pages := s.Handler(false)
	h := http.NewServeMux()
	h.HandleFunc("GET /person.js", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/javascript")
		_, _ = w.Write(personJS)
	})
	h.HandleFunc("POST /told", func(_ http.ResponseWriter, r *http.Request) {
		var list []step
		if err := json.NewDecoder(r.Body).Decode(&list); err != nil {
			t.Errorf("what the person tells: %v", err)
		}
		told <- list
	})
	h.HandleFunc("POST /call", func(_ http.ResponseWriter, r *http.Request) { // somebody else is called meanwhile
		d.change("fridge-1/1", func(tr *coldchain.Trouble) {
			tr.Called = append(tr.Called, coldchain.Called{Person: "ben", Name: "Ben Example", At: sensor.At(time.Now())})
		})
	})
	h.HandleFunc("POST /take", func(_ http.ResponseWriter, r *http.Request) { // and takes it by phone
		d.change("fridge-1/1", func(tr *coldchain.Trouble) { tr.State, tr.By = "acknowledged", "Ben Example" })
	})
	h.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/commands/shelve") {
			lost := false
			lose.Do(func() { lost = true })
			if lost { // it is carried out, and the answer is lost
				pages.ServeHTTP(&deaf{}, r)
				panic(http.ErrAbortHandler)
			}
		}
		if r.URL.Path != "/" || r.URL.RawQuery != "" {
			pages.ServeHTTP(w, r)
			return
		}
		page := &deaf{}
		pages.ServeHTTP(page, r)
		for k, v := range page.Header() {
			w.Header()[k] = v
		}
		_, _ = w.Write([]byte(strings.Replace(page.b.String(), "</head>", `<script src="/person.js" defer></script></head>`, 1)))
	})
	srv := serveHandler(t, s, h)
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, chromium, "--headless", "--no-sandbox", "--disable-gpu", "--user-data-dir="+filepath.Join(t.TempDir(), "profile"),
		"--disable-background-networking", "--disable-sync", "--disable-component-update", "--no-first-run", "--window-size=360,800",
		"--enable-logging=stderr", "--v=0", "--remote-debugging-port=0", srv.URL+"/")
	var errs strings.Builder
	cmd.Stderr = &errs
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		t.Skipf("Chromium does not run here: %v", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	var steps []step
	select {
	case steps = <-told:
		cancel()
		<-ended
	case err := <-ended:
		t.Skipf("Chromium does not run here: %v\n%s", err, errs.String())
	case <-ctx.Done():
		<-ended
		t.Fatalf("the person did not come to an end:\n%s", errs.String())
	}
	if len(steps) == 0 {
		t.Fatal("the person told nothing")
	}
	for _, x := range steps {
		if !x.OK {
			t.Errorf("%s: saw %s", x.What, x.Saw)
		}
	}
	for line := range strings.Lines(errs.String()) {
		if strings.Contains(line, "CONSOLE") && (strings.Contains(line, "Refused") || strings.Contains(line, "rror") && !strings.Contains(line, "Failed to load resource")) {
			t.Error(line)
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.desk.mu.Lock()
	defer d.desk.mu.Unlock()
	twice := 0
	for _, n := range d.ids {
		if n == 2 {
			twice++
		}
	}
	if len(d.done) != 2 || twice != 1 {
		t.Fatalf("done %+v, %d of them heard twice; want an ack, and a shelve that was heard twice", d.done, twice)
	}
	if c := d.done[0]; c.Name != "ack" || c.Promise != "20m" || c.By != "Anna Example" || c.Person != "anna" || c.Alarm != "fridge-1/1" || len(c.ID) != 32 {
		t.Errorf("ack %+v", c)
	}
	if c := d.done[1]; c.Name != "shelve" || c.Reason != "being moved" || c.By != "Cara Example" || c.Person != "" || c.Alarm != "fridge-2/1" || c.Until.Sub(sensor.At(time.Now())) < 55*time.Minute || c.Until.Sub(sensor.At(time.Now())) > 61*time.Minute {
		t.Errorf("shelve %+v", c)
	}
}

// deaf keeps an answer from the connection.
type deaf struct {
	h http.Header
	b strings.Builder
}

func (w *deaf) Header() http.Header {
	if w.h == nil {
		w.h = http.Header{}
	}
	return w.h
}
func (w *deaf) WriteHeader(int)             {}
func (w *deaf) Write(b []byte) (int, error) { return w.b.Write(b) }
