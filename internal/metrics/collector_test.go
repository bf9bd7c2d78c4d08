package metrics

import (
	"bytes"
	"fmt"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

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
	Handler(Source{Snapshot: func() *coldchain.Snapshot { return s }, Interval: 10 * time.Second, Version: "test", Connected: func() bool { return true }, Backlog: func() uint64 { return 5 }}).
		ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	return w.Body.String()
}

func TestWhatIsTold(t *testing.T) {
	got := text(t, snapshot(1, 1))
	for _, want := range []string{
		`coldkeep_probe_temperature_celsius{probe="p0",unit="u0"} 5`, `coldkeep_probe_up{probe="p0",unit="u0"} 1`, `coldkeep_unit_out_of_range{unit="u0"} 0`,
		`coldkeep_batches{unit="u0",verdict="quarantined"} 1`, `coldkeep_batches{unit="u0",verdict="in_range"} 0`, `coldkeep_batch_flagged{batch="b0",unit="u0"} 1`,
		`coldkeep_batch_allowance_remaining_ratio{batch="b0",rule="warm",unit="u0"} 0.75`, `coldkeep_alarms{severity="critical",state="raised"} 1`,
		`coldkeep_notification_failures_total{channel="log"} 1`, `coldkeep_mqtt_backlog_messages 5`, `coldkeep_clock_synchronized 1`, `coldkeep_store_write_failures_total 0`,
		`coldkeep_probe_read_failures_total{fault="crc",probe="p0",unit="u0"} 0`,
	} {
		if !strings.Contains(got, want+"\n") {
			t.Errorf("lacks %s", want)
		}
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

func TestTheNamesAreAsPrometheusWantsThem(t *testing.T) {
	s := snapshot(1, 1)
	problems, err := testutil.CollectAndLint(NewCollector(Source{Snapshot: func() *coldchain.Snapshot { return s }, Interval: time.Minute}))
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
