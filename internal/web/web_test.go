package web

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"coldkeep/internal/coldchain"
	"coldkeep/sensor"
)

// desk is a monitor with a snapshot and a journal that the test fills.
type desk struct {
	mu      sync.Mutex
	snap    coldchain.Snapshot
	journal []coldchain.Event
	done    []coldchain.Command
	changed chan struct{}
	files   map[string][]byte
}

func (d *desk) Snapshot() *coldchain.Snapshot {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.snap
	s.Made = sensor.At(time.Now())
	if n := len(d.journal); n > 0 {
		s.Seq = d.journal[n-1].Seq
	}
	return &s
}
func (d *desk) Changed() <-chan struct{} { d.mu.Lock(); defer d.mu.Unlock(); return d.changed }
func (d *desk) Alive() bool              { return true }
func (d *desk) AddFile(_ context.Context, data []byte) (string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	sum := sha256.Sum256(data)
	sha := hex.EncodeToString(sum[:])
	if d.files == nil {
		d.files = map[string][]byte{}
	}
	d.files[sha] = data
	return sha, nil
}
func (d *desk) File(_ context.Context, sha string) ([]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if data, ok := d.files[sha]; ok {
		return data, nil
	}
	return nil, &coldchain.Refusal{Code: "not_found", Message: "the record has no such file"}
}
func (d *desk) Events(_ context.Context, after uint64, limit int) (list []coldchain.Event, _ error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, e := range d.journal {
		if e.Seq > after && len(list) < limit {
			list = append(list, e)
		}
	}
	return list, nil
}
func (d *desk) Readings(_ context.Context, probe string, from, to sensor.Instant, limit int) ([]sensor.Reading, error) {
	if probe != "p" {
		return nil, nil
	}
	var list []sensor.Reading
	for t := from; t < to && len(list) < limit; t += 10_000 {
		list = append(list, sensor.Reading{Seq: uint64(t), Probe: "p", Time: t, Temp: 5000})
	}
	return list, nil
}
func (d *desk) EventsOf(_ context.Context, kinds ...coldchain.Kind) (list []coldchain.Event, _ error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, e := range d.journal {
		if slices.Contains(kinds, e.Kind) {
			list = append(list, e)
		}
	}
	return list, nil
}
func (d *desk) Do(_ context.Context, c coldchain.Command) (coldchain.Event, error) {
	if c.Batch == "taken" {
		return coldchain.Event{}, &coldchain.Refusal{Code: "conflict", Message: "it is there already"}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.done = append(d.done, c)
	return coldchain.Event{Seq: 9, Kind: coldchain.BatchReceived, Batch: c.Batch, By: c.By}, nil
}
func (d *desk) tell(e coldchain.Event) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.journal = append(d.journal, e)
	close(d.changed)
	d.changed = make(chan struct{})
}

func newDesk() *desk {
	now := sensor.At(time.Now())
	temp, hot := sensor.Temp(5100), sensor.Temp(8030)
	d := &desk{changed: make(chan struct{})}
	d.snap = coldchain.Snapshot{At: now, Record: "0123456789abcdef", Site: coldchain.Site{ID: "c", Name: "Clinic <A>", Timezone: "Europe/London", AskName: "the manager"}, Synchronized: true,
		Units: []coldchain.UnitState{
			{Unit: coldchain.Unit{ID: "fridge-1", Name: "Fridge 1", Range: coldchain.Range{Low: 2000, High: 8000}}, Temp: &temp, TempAt: now,
				Probes: []coldchain.ProbeState{{ID: "p", Judges: true, Up: true, Last: sensor.Reading{Time: now, Temp: temp}}}},
			{Unit: coldchain.Unit{ID: "fridge-2", Range: coldchain.Range{Low: 2000, High: 8000}}, Temp: &hot, TempAt: now, OutOfRange: true, Side: "high", Since: now - 60_000},
			{Unit: coldchain.Unit{ID: "fridge-3", Range: coldchain.Range{Low: 2000, High: 8000}}, Unmonitored: true, UnmonitoredSince: now - 600_000}},
		Batches: []coldchain.BatchState{
			{ID: "EX-1", Lot: "0412", Unit: "fridge-1", Verdict: coldchain.InRange, Now: coldchain.NowInRange, Since: now - 86_400_000, Profile: coldchain.Profile{Range: coldchain.Range{Low: 2000, High: 8000}}},
			{ID: "EX-2", Unit: "fridge-3", Verdict: coldchain.InRange, Now: coldchain.NowNoData, Profile: coldchain.Profile{Range: coldchain.Range{Low: 2000, High: 8000}}}}}
	return d
}

func serve(t *testing.T, d *desk, trusted bool, token string) *httptest.Server {
	t.Helper()
	s, err := New(d, Options{Interval: 10 * time.Second, Token: token})
	if err != nil {
		t.Fatal(err)
	}
	return serveHandler(t, s, s.Handler(trusted))
}

func serveHandler(t *testing.T, s *Server, h http.Handler) *httptest.Server {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(func() { close(s.ended); srv.Close() })
	return srv
}

func get(t *testing.T, url string, status int) string {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != status {
		t.Errorf("GET %s: %s, %v, want %d\n%s", url, resp.Status, err, status, b)
	}
	return string(b)
}

func TestTheAPI(t *testing.T) {
	d := newDesk()
	srv := serve(t, d, false, "")
	for i := range 3 {
		d.tell(coldchain.Event{Seq: uint64(10 * (i + 1)), Kind: coldchain.ProbeFailed})
	}
	for path, want := range map[string]string{
		"units": `"units":[{"id":"fridge-1"`, "units/FRIDGE-1": `"temperature_c":5.1`, "batches": `"batches":[`, "batches/ex-1": `"verdict":"in_range"`,
		"alarms": `"alarms":[]`, "events?after=10&limit=1": `"next":20`, "events?after=20": `"next":null`,
		"readings?probe=p&from=2026-05-02T10:00:00Z&to=2026-05-02T10:01:00Z&limit=2": `"next":"2026-05-02T10:00:20Z"`,
	} {
		body := get(t, srv.URL+"/api/v1/"+path, 200)
		if !json.Valid([]byte(body)) || !strings.Contains(body, want) {
			t.Errorf("%s: %s, without %s", path, body, want)
		}
	}
	for path, status := range map[string]int{"units/attic": 404, "batches/none": 404, "readings": 400, "readings?probe=q": 404, "readings?probe=p&from=yesterday": 400,
		"events?after=x": 400, "events?limit=0": 400, "nothing": 404} {
		body := get(t, srv.URL+"/api/v1/"+path, status)
		if !strings.Contains(body, `{"error":{"code":"`) {
			t.Errorf("%s: %s", path, body)
		}
	}
	get(t, srv.URL+"/-/healthy", 200)
	get(t, srv.URL+"/-/ready", 200)
}

// The pages say what a tired person needs, and nothing that is not known as good.
func TestThePages(t *testing.T) {
	srv := serve(t, newDesk(), false, "")
	home := get(t, srv.URL+"/", 200)
	for _, want := range []string{"5.1 °C", "8.03 °C", "TOO WARM", "NO DATA", "STORAGE RECORD OK", "Do not use yet", "Clinic &lt;A&gt;", "range 2–8 °C"} {
		if !strings.Contains(home, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if part := get(t, srv.URL+"/?part=main", 200); strings.Contains(part, "<html") || !strings.Contains(part, `id="main"`) {
		t.Error("the part is no part")
	}
	if label := get(t, srv.URL+"/b/ex-1", 200); !strings.Contains(label, "STORAGE RECORD OK") || !strings.Contains(label, "Lot 0412. Does the vial say the same?") {
		t.Errorf("label:\n%s", label)
	}
	if label := get(t, srv.URL+"/b/EX-9", 404); !strings.Contains(label, "DO NOT USE: NOT KNOWN HERE") {
		t.Errorf("label of an unknown batch:\n%s", label)
	}
}

func post(t *testing.T, url, token, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// Over TCP nobody commands without the token; on the socket whoever may open it.
func TestWhoMayCommand(t *testing.T) {
	const receive, body = "/api/v1/commands/receive", `{"id":"1","batch":"B","profile":"p","by":"tester"}`
	d := newDesk()
	closed, open, socket := serve(t, d, false, ""), serve(t, d, false, "a-token-of-some-length"), serve(t, d, true, "")
	for _, c := range []struct {
		url, token, body string
		status           int
		via              string
	}{
		{closed.URL, "", body, 403, ""}, {closed.URL, "x", body, 403, ""}, {open.URL, "", body, 401, ""}, {open.URL, "wrong", body, 401, ""},
		{open.URL, "a-token-of-some-length", body, 200, "http"}, {socket.URL, "", body, 200, "socket"},
		{socket.URL, "", `{"id":"1","batch":"taken","by":"t"}`, 409, ""}, {socket.URL, "", `{"idd":"1"}`, 400, ""}, {socket.URL, "", `{`, 400, ""},
	} {
		d.done = nil
		status, got := post(t, c.url+receive, c.token, c.body)
		if status != c.status {
			t.Errorf("%+v: %d %s", c, status, got)
		}
		if (len(d.done) == 1) != (c.status == 200) || c.status == 200 && (d.done[0].Via != c.via || d.done[0].Name != "receive") {
			t.Errorf("%+v: done %+v", c, d.done)
		}
	}
}

// The stream begins after Last-Event-ID, gives every event once and in order,
// and then what comes.
func TestTheStreamResumes(t *testing.T) {
	d := newDesk()
	srv := serve(t, d, false, "")
	for i := range uint64(5) {
		d.tell(coldchain.Event{Seq: i + 1, Kind: coldchain.ProbeFailed})
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL+"/api/v1/events/stream", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Last-Event-ID", "3")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	var ids []string
	told := false
	for len(ids) < 3 && lines.Scan() {
		if id, ok := strings.CutPrefix(lines.Text(), "id: "); ok {
			ids = append(ids, id)
		}
		if len(ids) == 2 && !told {
			told = true
			d.tell(coldchain.Event{Seq: 6, Kind: coldchain.ProbeRecovered})
		}
	}
	if strings.Join(ids, " ") != "4 5 6" {
		t.Errorf("ids %v, want 4 5 6", ids)
	}
}

// Whatever is posted is a command or an error in JSON.
func FuzzCommand(f *testing.F) {
	f.Add("receive", `{"id":"1","batch":"B","by":"t"}`)
	f.Add("probe-out", `{"id":"1","probe":"p","purpose":"check","by":"t"}`)
	f.Add("probe-check", `{"id":"1","probe":"p","reference":0.0,"found":-0.12,"tolerance":0.5,"by":"t"}`)
	f.Add("probe-back", `{"id":"1","probe":"p","by":"t","reference":"ice","found":1e99,"tolerance":null}`)
	s, err := New(newDesk(), Options{})
	if err != nil {
		f.Fatal(err)
	}
	h := s.Handler(true)
	f.Fuzz(func(t *testing.T, name, body string) {
		r := httptest.NewRequest(http.MethodPost, "/api/v1/commands/x", strings.NewReader(body))
		r.URL.Path = "/api/v1/commands/" + name
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if strings.Contains(w.Header().Get("Content-Type"), "json") && !json.Valid(w.Body.Bytes()) {
			t.Errorf("%d %q", w.Code, w.Body)
		}
	})
}
