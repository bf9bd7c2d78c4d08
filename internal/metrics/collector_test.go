package metrics

import (
	"bytes"
	"fmt"
	"net/http/httptest"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"coldkeep/internal/coldchain"
	"coldkeep/sensor"
)

func snapshot(units, batches int) *coldchain.Snapshot {
	now := sensor.At(time.Now())
	s := &coldchain.Snapshot{At: now, Made: now, Synchronized: true, Notifications: map[string]coldchain.NotificationCount{"log": {Sent: 3, Failed: 1}},
		Alarms: []coldchain.Alarm{{Severity: coldchain.Critical}}}
	for i := range units {
		t := sensor.Temp(5000)
		s.Units = append(s.Units, coldchain.UnitState{Unit: coldchain.Unit{ID: fmt.Sprintf("u%d", i), Range: coldchain.Range{Low: 2000, High: 8000}}, Temp: &t,
			Probes: []coldchain.ProbeState{{ID: fmt.Sprintf("p%d", i), Judges: true, Up: true, Reads: 7, Last: sensor.Reading{Time: now, Temp: t}}}})
	}
	for i := range batches {
		s.Batches = append(s.Batches, coldchain.BatchState{ID: fmt.Sprintf("b%d", i), Unit: fmt.Sprintf("u%d", i%max(1, units)), Verdict: coldchain.Quarantined,
			Allowance: []coldchain.Allowance{{Rule: "warm", TotalS: 7200, UsedS: 1800, LeftS: 5400}}})
	}
	return s
}

func text(t testing.TB, s *coldchain.Snapshot) string {
	t.Helper()
	w := httptest.NewRecorder()
	Handler(Source{Snapshot: func() *coldchain.Snapshot { return s }, Interval: 10 * time.Second, Version: "test", Connected: func() bool { return true }, Backlog: func() uint64 { return 5 },
		Published: func() uint64 { return 17 }, CatchingUp: func() bool { return true }}).
		ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	return w.Body.String()
}

func TestWhatIsTold(t *testing.T) {
	got := text(t, snapshot(1, 1))
	for _, want := range []string{
		`coldkeep_probe_temperature_celsius{probe="p0",unit="u0"} 5`, `coldkeep_probe_up{probe="p0",unit="u0"} 1`, `coldkeep_unit_out_of_range{unit="u0"} 0`,
		`coldkeep_batches{unit="u0",verdict="quarantined"} 1`, `coldkeep_batches{unit="u0",verdict="in_range"} 0`, `coldkeep_batch_flagged{batch="b0",unit="u0"} 1`,
		`coldkeep_batch_allowance_remaining_ratio{batch="b0",rule="warm",unit="u0"} 0.75`, `coldkeep_alarms{severity="critical",state="raised"} 1`,
		`coldkeep_notification_failures_total{channel="log"} 1`, `coldkeep_mqtt_backlog_messages 5`, `coldkeep_mqtt_published_total 17`, `coldkeep_mqtt_catching_up 1`, `coldkeep_clock_synchronized 1`, `coldkeep_store_write_failures_total 0`,
		`coldkeep_probe_read_failures_total{fault="crc",probe="p0",unit="u0"} 0`,
	} {
		if !strings.Contains(got, want+"\n") {
			t.Errorf("lacks %s", want)
		}
	}
}

// When a unit was counted, and is to be; and of its batches those that wait for
// papers or a signature.
func TestWhatWaitsIsTold(t *testing.T) {
	s := snapshot(2, 4)
	s.Units[0].CountedAt, s.Units[0].CountDue = 1_780_000_000_000, 1_782_678_400_500
	s.Batches[0].Missing, s.Batches[2].Missing = []coldchain.PaperKind{coldchain.PaperLabel, coldchain.PaperOrigin}, []coldchain.PaperKind{coldchain.PaperLabel}
	s.Batches[1].Proposal = &coldchain.Proposal{Decision: "release"}
	s.Batches = append(s.Batches, coldchain.BatchState{ID: "gone", Missing: []coldchain.PaperKind{coldchain.PaperLabel}})
	got := text(t, s)
	for _, want := range []string{`coldkeep_unit_last_count_timestamp_seconds{unit="u0"} 1.78e+09`, `coldkeep_unit_count_due_timestamp_seconds{unit="u0"} 1.7826784005e+09`,
		`coldkeep_batches_without_papers{unit="u0"} 2`, `coldkeep_batches_without_papers{unit="u1"} 0`, `coldkeep_batches_proposed{unit="u0"} 0`, `coldkeep_batches_proposed{unit="u1"} 1`} {
		if !strings.Contains(got, want+"\n") {
			t.Errorf("lacks %s", want)
		}
	}
	if strings.Contains(got, `count_timestamp_seconds{unit="u1"}`) || strings.Contains(got, `due_timestamp_seconds{unit="u1"}`) {
		t.Error("a unit that was never counted is told as counted, or one without batches as due")
	}
}

// The temperature is there exactly while the probe is up, also where nobody
// renews the snapshot.
func TestADeadProbeDisappears(t *testing.T) {
	for name, change := range map[string]func(*coldchain.ProbeState){
		"a fault":         func(p *coldchain.ProbeState) { p.Up = false },
		"an old snapshot": func(p *coldchain.ProbeState) { p.Last.Time -= 21_000 },
	} {
		s := snapshot(1, 0)
		change(&s.Units[0].Probes[0])
		got := text(t, s)
		if strings.Contains(got, "coldkeep_probe_temperature_celsius{") || !strings.Contains(got, `coldkeep_probe_up{probe="p0",unit="u0"} 0`) {
			t.Errorf("%s: the probe is told as alive", name)
		}
	}
}

// When the first batch of a unit is over its limit is told while that is to be
// feared: the earlier of the present temperature's and of the trend's early end.
func TestTheFirstBatchToBeLostIsTold(t *testing.T) {
	s := snapshot(2, 4)
	if got := text(t, s); strings.Contains(got, "coldkeep_unit_batch_lost_timestamp_seconds{") {
		t.Errorf("told of nothing:\n%s", got)
	}
	late, soon := sensor.Instant(1_780_000_600_000), sensor.Instant(1_780_000_060_500)
	s.Batches[0].Unit, s.Batches[1].Unit, s.Batches[2].Unit, s.Batches[3].Unit = "u1", "u1", "u0", ""
	s.Batches[0].LostAt = &late
	s.Batches[1].Forecasts = []coldchain.Forecast{{Rule: "hot", AtTrend: &late, Earliest: &soon}}
	s.Batches[3].LostAt = &soon
	got := text(t, s)
	if !strings.Contains(got, `coldkeep_unit_batch_lost_timestamp_seconds{unit="u1"} 1.7800000605e+09`+"\n") || strings.Contains(got, `timestamp_seconds{unit="u0"}`) {
		t.Errorf("told as\n%s", got)
	}
}

// What people are called for, and what became of it.
func TestWhatPeopleDoIsTold(t *testing.T) {
	s := snapshot(1, 1)
	at, later := sensor.Instant(1_780_000_000_000), sensor.Instant(1_780_000_060_500)
	s.Alarms = []coldchain.Alarm{
		{Severity: coldchain.Critical, Raised: later, State: "raised", Trouble: "a"}, {Severity: coldchain.Critical, Raised: at},
		{Severity: coldchain.Critical, Raised: 1, State: "acknowledged", Trouble: "b"}, {Severity: coldchain.Warning, Raised: 1, State: "shelved", Trouble: "c"},
		{Severity: coldchain.Warning, Raised: 1, State: "raised", Trouble: "drill"}}
	s.Troubles = []coldchain.Trouble{{Key: "a", Severity: coldchain.Critical, State: "raised"}, {Key: "b", Severity: coldchain.Critical, State: "acknowledged"},
		{Key: "c", Severity: coldchain.Warning, State: "shelved"}, {Key: "e", Severity: coldchain.Warning, State: "cleared"}, {Key: "drill", Severity: coldchain.Warning, State: "raised", Drill: true}}
	s.Drill = &coldchain.DrillState{At: &later, AnsweredAt: &at, TookS: 61.5}
	src := Source{Snapshot: func() *coldchain.Snapshot { return s }, Interval: time.Minute, HeartbeatFailing: func() bool { return true },
		Peers: func() map[string]bool { return map[string]bool{"pi-2": true, "pi-3": false} }, Disk: func() (uint64, uint64, bool) { return 4096, 1 << 30, true }}
	read := func() string {
		w := httptest.NewRecorder()
		Handler(src).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
		return w.Body.String()
	}
	got := read()
	for _, want := range []string{
		`coldkeep_alarms{severity="critical",state="raised"} 2`, `coldkeep_alarms{severity="critical",state="acknowledged"} 1`, `coldkeep_alarms{severity="critical",state="shelved"} 0`,
		`coldkeep_alarms{severity="warning",state="raised"} 0`, `coldkeep_alarms{severity="warning",state="shelved"} 1`,
		`coldkeep_troubles{severity="critical",state="raised"} 1`, `coldkeep_troubles{severity="warning",state="cleared"} 1`, `coldkeep_troubles{severity="warning",state="raised"} 0`,
		`coldkeep_oldest_unacknowledged_alarm_timestamp_seconds{severity="critical"} 1.78e+09`,
		`coldkeep_drill_last_timestamp_seconds 1.7800000605e+09`, `coldkeep_drill_last_answered_timestamp_seconds 1.78e+09`, `coldkeep_drill_last_answer_seconds 61.5`,
		`coldkeep_store_size_bytes 4096`, `coldkeep_store_free_bytes 1.073741824e+09`,
		`coldkeep_heartbeat_failing 1`, `coldkeep_peer_up{peer="pi-2"} 1`, `coldkeep_peer_up{peer="pi-3"} 0`,
	} {
		if !strings.Contains(got, want+"\n") {
			t.Errorf("lacks %s", want)
		}
	}
	if strings.Contains(got, `timestamp_seconds{severity="warning"}`) {
		t.Error("a warning that nobody waits with is told as waiting")
	}
	s.Alarms, s.Troubles, s.Drill = nil, nil, nil
	src.HeartbeatFailing, src.Peers = nil, func() map[string]bool { return nil }
	src.Disk = func() (uint64, uint64, bool) { return 0, 0, false }
	got = read()
	for _, gone := range []string{"oldest_unacknowledged", "coldkeep_drill", "heartbeat", "peer_up", "store_size", "store_free"} {
		if strings.Contains(got, gone) {
			t.Errorf("%s is told where nothing is known", gone)
		}
	}
	if !strings.Contains(got, `coldkeep_alarms{severity="critical",state="raised"} 0`) {
		t.Error("no alarm is not told as 0")
	}
}

// What the handler gathers is what a registry makes of the collector, which
// also finds series that come twice.
func TestGatheredAsByARegistry(t *testing.T) {
	s := snapshot(3, 40)
	s.Notifications["siren"], s.Units[0].OutOfRange, s.Units[0].Side = coldchain.NotificationCount{}, true, "high"
	at := s.At
	s.Drill, s.Units[1].Probes[0].CalibrationDue = &coldchain.DrillState{At: &at, AnsweredAt: &at, TookS: 60}, at
	c := NewCollector(Source{Snapshot: func() *coldchain.Snapshot { return s }, Interval: time.Minute, HeartbeatFailing: func() bool { return true },
		Connected: func() bool { return true }, Backlog: func() uint64 { return 5 }, Peers: func() map[string]bool { return map[string]bool{"b": true, "a": false} }})
	r := prometheus.NewPedanticRegistry()
	if err := r.Register(c); err != nil {
		t.Fatal(err)
	}
	want, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.Gather()
	if err != nil {
		t.Fatal(err)
	}
	if a, b := written(t, got), written(t, want); a != b {
		t.Errorf("gathered:\n%s\nby a registry:\n%s", a, b)
	}
}

// written is in the order of the text, since a registry sorts the series.
func written(t *testing.T, list []*dto.MetricFamily) string {
	t.Helper()
	var b strings.Builder
	for _, f := range list {
		var x bytes.Buffer
		if _, err := expfmt.MetricFamilyToText(&x, f); err != nil {
			t.Fatal(err)
		}
		lines := strings.SplitAfter(x.String(), "\n")
		slices.Sort(lines[2:])
		b.WriteString(strings.Join(lines, ""))
	}
	return b.String()
}

// Which side is out of range is told also while its data are lost.
func TestAnExcursionIsToldBySide(t *testing.T) {
	s := snapshot(1, 0)
	u := &s.Units[0]
	u.OutOfRange, u.Side, u.Unmonitored, u.Probes[0].Up = true, "low", true, false
	got := text(t, s)
	for _, want := range []string{`coldkeep_unit_excursion{kind="low",unit="u0"} 1`, `coldkeep_unit_excursion{kind="high",unit="u0"} 0`, `coldkeep_unit_unmonitored{unit="u0"} 1`} {
		if !strings.Contains(got, want+"\n") {
			t.Errorf("lacks %s", want)
		}
	}
}

// Who asks for OpenMetrics gets it; deploy/check reads it by Prometheus' own parser.
func TestOpenMetricsIsSpoken(t *testing.T) {
	r := httptest.NewRequest("GET", "/metrics", nil)
	r.Header.Set("Accept", "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5")
	w := httptest.NewRecorder()
	s := snapshot(2, 3)
	Handler(Source{Snapshot: func() *coldchain.Snapshot { return s }, Interval: time.Minute}).ServeHTTP(w, r)
	if kind := w.Header().Get("Content-Type"); !strings.HasPrefix(kind, "application/openmetrics-text; version=1.0.0") || !strings.HasSuffix(w.Body.String(), "# EOF\n") {
		t.Errorf("it speaks %s, and ends %q", kind, w.Body.String()[max(0, w.Body.Len()-20):])
	}
}

// How many series there are is what the package comment says.
func TestTheSeriesAreBounded(t *testing.T) {
	s := snapshot(256, 2000)
	for i := range s.Units {
		s.Units[i].CountedAt, s.Units[i].CountDue = s.At, s.At
	}
	got := text(t, s)
	n := 0
	for line := range strings.Lines(got) {
		if strings.HasPrefix(line, "coldkeep_") {
			n++
		}
	}
	t.Logf("%d series of ours, %d bytes", n, len(got))
	if per := 256*24 + 256*18 + 2000*2; n < per || n > per+40 {
		t.Errorf("%d series of ours, want %d and a few", n, per)
	}
}

func TestTheNamesAreAsPrometheusWantsThem(t *testing.T) {
	s := snapshot(1, 1)
	at := s.At
	s.Drill = &coldchain.DrillState{At: &at, AnsweredAt: &at, TookS: 60, Answered: true}
	problems, err := testutil.CollectAndLint(NewCollector(Source{Snapshot: func() *coldchain.Snapshot { return s }, Interval: time.Minute,
		HeartbeatFailing: func() bool { return false }, Peers: func() map[string]bool { return map[string]bool{"b": true} },
		Disk: func() (uint64, uint64, bool) { return 1, 2, true }}))
	if err != nil || len(problems) > 0 {
		t.Errorf("%v %v", problems, err)
	}
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool is not installed here")
	}
	cmd := exec.Command(promtool, "check", "metrics")
	cmd.Stdin = bytes.NewBufferString(text(t, s))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("promtool: %v\n%s", err, out)
	}
}

func BenchmarkScrape256Probes2000Batches(b *testing.B) {
	s := snapshot(256, 2000)
	for b.Loop() {
		text(b, s)
	}
}
