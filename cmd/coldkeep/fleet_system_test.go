package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"coldkeep/internal/coldchain"
	"coldkeep/internal/store"
)

// tls is what a client with this certificate speaks; "" has none.
func (f *fleet) tls(name string) *tls.Config {
	f.t.Helper()
	ca, err := os.ReadFile(filepath.Join(f.certs, "ca.crt"))
	if err != nil {
		f.t.Fatal(err)
	}
	c := &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}
	if !c.RootCAs.AppendCertsFromPEM(ca) {
		f.t.Fatal("the authority's certificate cannot be read")
	}
	if name != "" {
		pair, err := tls.LoadX509KeyPair(filepath.Join(f.certs, name+".crt"), filepath.Join(f.certs, name+".key"))
		if err != nil {
			f.t.Fatal(err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c
}

func (f *fleet) connect(id string, c *tls.Config) (paho.Client, error) {
	o := paho.NewClientOptions().AddBroker("ssl://127.0.0.1:" + f.port).SetClientID(id).SetTLSConfig(c).SetCleanSession(true)
	o.SetAutoReconnect(false).SetConnectTimeout(10 * time.Second).SetWriteTimeout(10 * time.Second)
	client := paho.NewClient(o)
	if tok := client.Connect(); !tok.WaitTimeout(15*time.Second) || tok.Error() != nil {
		return nil, fmt.Errorf("connect %s: %w", id, tok.Error())
	}
	return client, nil
}

// clinic is a client with a clinic's certificate.
func (f *fleet) clinic(site string) paho.Client {
	f.t.Helper()
	c, err := f.connect("direct-"+site, f.tls(site))
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { c.Disconnect(50) })
	return c
}

func (f *fleet) publish(c paho.Client, topic string, retained bool, payload string) {
	f.t.Helper()
	if tok := c.Publish(topic, 1, retained, payload); !tok.WaitTimeout(15*time.Second) || tok.Error() != nil {
		f.t.Fatalf("publish %s: %v", topic, tok.Error())
	}
}

func fleetReading(record string, seq int, at time.Time, celsius float64) string {
	return fmt.Sprintf(`{"record":%q,"seq":%d,"time":%q,"time_unix_ms":%d,"unit":"fridge-1","probe":"p1","temperature_celsius":%.3f,"clock_synchronized":true}`,
		record, seq, at.UTC().Format(time.RFC3339Nano), at.UnixMilli(), celsius)
}

// A clinic's certificate opens that clinic's topics and nothing else; without
// one, or with one that was revoked, nobody comes in. What cannot be read is
// kept apart, and takes nothing with it.
func TestSystemFleetCertificates(t *testing.T) {
	f := openFleet(t, "clinic-a", "clinic-b", "clinic-c")
	const record = "00000000000000aa"
	now := time.Now()

	var mu sync.Mutex
	heard := map[string]bool{}
	hear := func(c paho.Client, who, topic string) byte {
		tok := c.Subscribe(topic, 1, func(_ paho.Client, m paho.Message) {
			mu.Lock()
			defer mu.Unlock()
			heard[who+" "+m.Topic()] = true
		})
		if !tok.WaitTimeout(10 * time.Second) {
			t.Fatal("no answer to the subscription")
		}
		return tok.(*paho.SubscribeToken).Result()[topic]
	}
	a, b := f.clinic("clinic-a"), f.clinic("clinic-b")
	// Mosquitto 2.0 grants any subscription and then sends nothing: what
	// arrives is what counts.
	hear(b, "b", "coldkeep/#")
	hear(a, "a", "coldkeep/#")
	f.publish(a, "coldkeep/clinic-b/pi/probe/p1/reading", false, fleetReading(record, 1, now, 5))
	f.publish(a, "coldkeep/clinic-b/pi/status", true, "offline")
	f.publish(a, "homeassistant/device/x/config", true, "{}")
	f.publish(a, "coldkeep/collector/pi/status", true, "online")
	for seq := 1; seq <= 3; seq++ {
		for range 3 { // a repeat is the same place in the same record
			f.publish(a, "coldkeep/clinic-a/pi/probe/p1/reading", false, fleetReading(record, seq, now.Add(time.Duration(seq)*time.Second), 5.125))
		}
	}
	f.publish(a, "coldkeep/clinic-a/pi/probe/p1/reading", false, " \x00\xff\xfe\x00x\x00 ")
	f.publish(a, "coldkeep/clinic-a/pi/probe/p1/reading", false, `{"seq": 7`)
	f.publish(a, "coldkeep/clinic-a/pi/probe/p1/reading", false, fleetReading(record, 4, now.AddDate(80, 0, 0), 5))
	f.publish(a, "coldkeep/clinic-a/pi/batch/B/state", true, `{"batch":"B","unit":"fridge-1","verdict":"quarantined","flagged":1,"since":"2026-01-02T03:04:05Z"}`)
	f.await("the flagged batch", 30*time.Second, func() bool { return f.number("SELECT count(*) FROM coldkeep.batches WHERE flagged") == 1 })
	f.publish(a, "coldkeep/clinic-a/pi/batch/B/state", true, "")
	f.publish(b, "coldkeep/clinic-b/pi/probe/p1/reading", false, fleetReading("00000000000000bb", 1, now, -4))
	f.await("both clinics", 30*time.Second, func() bool {
		return f.one("SELECT string_agg(site || ' ' || arrived, ', ' ORDER BY site) FROM coldkeep.records") == "clinic-a 3, clinic-b 1"
	})
	f.await("the batch to leave", 10*time.Second, func() bool { return f.number("SELECT count(*) FROM coldkeep.batches") == 0 })
	if got := f.rows("SELECT site, seq, temperature_celsius::float FROM coldkeep.reading ORDER BY 1, 2"); fmt.Sprint(got) != "[[clinic-a 1 5.125] [clinic-a 2 5.125] [clinic-a 3 5.125] [clinic-b 1 -4]]" {
		t.Errorf("readings %v", got)
	}
	if got := f.rows("SELECT split_part(why, ':', 1), topic FROM coldkeep.refused ORDER BY id"); len(got) != 3 || got[0][0] != "invalid input syntax for type json" || got[2][0] != "its time is outside what is kept" {
		t.Errorf("refused %v", got)
	}
	if n := f.number("SELECT count(*) FROM coldkeep.sites WHERE id NOT IN ('clinic-a', 'clinic-b')"); n != 0 {
		t.Errorf("%d sites came from nowhere", n)
	}
	if n := f.number("SELECT count(*) FROM coldkeep.nodes"); n != 0 {
		t.Error("clinic-a said that clinic-b is offline, and was believed")
	}
	mu.Lock()
	for k := range heard {
		if !strings.HasPrefix(k, "a coldkeep/clinic-a/") && !strings.HasPrefix(k, "b coldkeep/clinic-b/") {
			t.Errorf("heard what is another's: %s", k)
		}
	}
	if !heard["b coldkeep/clinic-b/pi/probe/p1/reading"] {
		t.Error("clinic-b does not hear its own")
	}
	mu.Unlock()

	// The writer can add, and see or change nothing; the reader the reverse.
	for role, query := range map[string]string{
		"coldkeep_writer": "SELECT * FROM coldkeep.readings", "coldkeep_reader": "DELETE FROM coldkeep.readings"} {
		if _, err := f.ask(role, "coldkeep", query); err == nil || !strings.Contains(err.Error(), "permission denied") {
			t.Errorf("%s: %s: %v", role, query, err)
		}
	}
	if _, err := f.ask("coldkeep_writer", "coldkeep", "CREATE TEMP TABLE come (x int)"); err == nil {
		t.Error("the writer may lay a table in the way of the trigger")
	}

	// What was refused may be tried again. Five months on, the readings'
	// partitions of today are gone, the events' are not.
	f.rows("SELECT coldkeep.retry()")
	if n := f.number("SELECT count(*) FROM coldkeep.refused"); n != 3 {
		t.Errorf("%d refused after another try, want the same 3", n)
	}
	f.rows("INSERT INTO coldkeep.inbox VALUES (now(), 'coldkeep/clinic-a/pi/event', format('{\"record\":\"00000000000000aa\",\"seq\":9,\"time_unix_ms\":%s,\"kind\":\"started\"}', (extract(epoch FROM now()) * 1000)::bigint))")
	f.rows("SELECT coldkeep.maintain(now() + interval '5 months')")
	if got := f.one("SELECT (SELECT count(*) FROM coldkeep.readings) || ' ' || (SELECT count(*) FROM coldkeep.events) || ' ' || (SELECT count(*) FROM coldkeep.refused)"); got != "0 1 0" {
		t.Errorf("readings, events, refused after five months: %s", got)
	}
	if got := f.one("SELECT string_agg(n::text, ' ' ORDER BY n) FROM (SELECT count(*) AS n FROM pg_inherits WHERE inhparent::regclass::text IN ('coldkeep.readings', 'coldkeep.events') GROUP BY inhparent) x"); got != "6 39" {
		t.Errorf("%s partitions, want 3 and 36 months, this one and two ahead", got)
	}

	if c, err := f.connect("nobody", f.tls("")); err == nil {
		c.Disconnect(0)
		t.Error("somebody came in without a certificate")
	}
	stranger := filepath.Join(f.dir, "stranger")
	for _, c := range [][]string{{"ca"}, {"site", "clinic-a"}} {
		if out, err := exec.Command("sh", append([]string{filepath.Join(fleetDir, "certificates.sh"), stranger}, c...)...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	other := f.tls("")
	pair, err := tls.LoadX509KeyPair(filepath.Join(stranger, "clinic-a.crt"), filepath.Join(stranger, "clinic-a.key"))
	if err != nil {
		t.Fatal(err)
	}
	other.Certificates = []tls.Certificate{pair}
	if c, err := f.connect("stranger", other); err == nil {
		c.Disconnect(0)
		t.Error("another authority's certificate was taken")
	}
	stolen := f.tls("clinic-c")
	c, err := f.connect("stolen", stolen)
	if err != nil {
		t.Fatal(err)
	}
	c.Disconnect(50)
	f.certificates([]string{"revoke", "clinic-c"})
	f.broker.end(syscall.SIGTERM)
	f.startBroker()
	if c, err := f.connect("stolen", stolen); err == nil {
		c.Disconnect(0)
		t.Error("a revoked certificate was taken")
	}
	f.clinic("clinic-a") // the others still come in
	for _, bad := range []string{"", "+", "#", "a/b", "Clinic-A", "collector", "a b"} {
		if err := exec.Command("sh", filepath.Join(fleetDir, "certificates.sh"), f.certs, "site", bad).Run(); err == nil {
			t.Errorf("a certificate was made for %q", bad)
		}
	}
}

// startBridge is the clinic's own broker, which passes on to the fleet's.
func (f *fleet) startBridge(site string) (addr string) {
	f.t.Helper()
	port := f.freePort()
	f.conf("mosquitto/clinic-bridge.conf", "listener 1883 ", "listener "+port+" ", "/var/lib/mosquitto/", f.folder("bridge")+"/",
		"fleet.example.org:8883", "127.0.0.1:"+f.port, "/etc/mosquitto/fleet", f.certs, "SITE", site)
	f.start("/usr/sbin/mosquitto", "-c", f.confs["mosquitto/clinic-bridge.conf"])
	f.await("the clinic's broker", 20*time.Second, func() bool {
		c, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	return "127.0.0.1:" + port
}

// A whole clinic arrives in the database: through its own broker, the fleet's,
// the collector, while each of them is ended and started again, and the
// collector and the database are killed. What the database has is what the
// clinic's record has. When the clinic stops, it is silent in the time stated.
func TestSystemFleetLosesNothing(t *testing.T) {
	f := openFleet(t, "demo")
	const silentAfter = 10 * time.Second
	f.rows(fmt.Sprintf("INSERT INTO coldkeep.sites (id, name, silent_after) VALUES ('demo', 'Demo clinic', '%d seconds'), ('never', 'Clinic that never called', '%[1]d seconds'), ('closed', NULL, '1 second'); UPDATE coldkeep.sites SET retired = true WHERE id = 'closed'", int(silentAfter.Seconds())))
	metrics := f.startExporter()
	alerts := f.startPrometheus(metrics)

	data := t.TempDir()
	clinic := f.startBridge("demo")
	d := startDemo(t, data, "tcp://"+clinic)
	arrived := func() int64 { return f.number("SELECT arrived FROM coldkeep.records") }
	f.await("the first readings", 60*time.Second, func() bool { return arrived() > 20 })
	for what, again := range map[string]func(){
		"the broker restarts":     func() { f.broker.end(syscall.SIGTERM); time.Sleep(3 * time.Second); f.startBroker() },
		"the collector is killed": func() { f.collector.end(syscall.SIGKILL); time.Sleep(3 * time.Second); f.startCollector() },
		"the database is killed": func() {
			f.db.end(syscall.SIGQUIT) // without a checkpoint: it recovers from its log
			time.Sleep(3 * time.Second)
			f.startDatabase()
		},
	} {
		t.Log(what)
		again()
		n := arrived()
		f.await("readings after "+what, 90*time.Second, func() bool { return arrived() > n+16 })
	}
	f.await("a unit out of range and a flagged batch", 2*time.Minute, func() bool {
		return f.one("SELECT units_out_of_range > 0 AND flagged_batches > 0 AND NOT silent FROM coldkeep.site_status WHERE site = 'demo'") == "t"
	})
	if got := f.one("SELECT string_agg(site, ',') FROM coldkeep.silent_sites"); got != "never" {
		t.Errorf("silent: %q, want only who was never heard", got)
	}
	f.dashboard(t)

	d.end(syscall.SIGTERM)
	quiet := 0.0 // since the last that was new
	f.await("the silent site", silentAfter+time.Minute, func() bool {
		s := f.one("SELECT quiet_s FROM coldkeep.silent_sites WHERE site = 'demo'")
		quiet, _ = strconv.ParseFloat(s, 64)
		return s != ""
	})
	t.Logf("silent when nothing had come for %.1f s; it may be quiet for %v", quiet, silentAfter)
	if quiet < silentAfter.Seconds() || quiet > silentAfter.Seconds()+10 {
		t.Errorf("silent after %.1f s, want %v", quiet, silentAfter)
	}
	if n := f.number("SELECT count(*) FROM coldkeep.unit_status WHERE state = 'in range' AND site = 'demo'"); n != 0 {
		t.Errorf("%d units of a silent site are called in range", n)
	}
	if alerts != "" {
		f.await("Prometheus to fire for the silent sites", 30*time.Second, func() bool {
			return slices.Equal(f.firing(alerts, "FleetSiteSilent"), []string{"demo", "never"})
		})
		t.Logf("Prometheus fired when nothing had come for %s s", f.one("SELECT round(quiet_s, 1) FROM coldkeep.silent_sites WHERE site = 'demo'"))
	}

	// It comes back, and sends what its record had left.
	d, n := startDemo(t, data, "tcp://"+clinic), arrived()
	f.await("the site to be heard again", time.Minute, func() bool {
		return arrived() > n+8 && f.one("SELECT string_agg(site, ',') FROM coldkeep.silent_sites") == "never"
	})
	if alerts != "" {
		f.await("Prometheus to clear", 30*time.Second, func() bool { return slices.Equal(f.firing(alerts, "FleetSiteSilent"), []string{"never"}) })
	}
	d.end(syscall.SIGTERM)
	f.await("the last of it", time.Minute, func() bool {
		before := arrived()
		time.Sleep(3 * time.Second)
		return arrived() == before
	})
	f.sameAsTheRecord(t, data)
}

// sameAsTheRecord holds that the database has every place of the clinic's
// record from the first to the last that was published, with the same content.
func (f *fleet) sameAsTheRecord(t *testing.T, data string) {
	t.Helper()
	st, err := store.OpenReadOnly(t.Context(), data)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	first, last := f.number("SELECT first_seq FROM coldkeep.records"), f.number("SELECT last_seq FROM coldkeep.records")
	want := map[string]string{}
	for after := uint64(first - 1); ; {
		page, err := st.Entries(t.Context(), after, 10_000)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, e := range page {
			after = e.Seq
			if int64(e.Seq) > last {
				continue // written while the broker was being left: it is sent at the next start
			}
			want[strconv.FormatUint(e.Seq, 10)] = describeEntry(e)
		}
	}
	got := map[string]string{}
	for _, r := range f.rows(`SELECT seq, probe || ' ' || (extract(epoch FROM time) * 1000)::bigint || ' ' || coalesce((temperature_celsius * 1000)::int::text, fault) FROM coldkeep.reading
		UNION ALL SELECT seq, kind || ' ' || (extract(epoch FROM time) * 1000)::bigint FROM coldkeep.events`) {
		if got[r[0]] != "" {
			t.Errorf("place %s is there twice", r[0])
		}
		got[r[0]] = r[1]
	}
	for seq, w := range want {
		if got[seq] != w {
			t.Errorf("place %s: %q, want %q", seq, got[seq], w)
		}
	}
	if len(got) != len(want) || len(want) < 100 {
		t.Errorf("%d places arrived, the record has %d from %d to %d", len(got), len(want), first, last)
	}
	if n := f.number("SELECT count(*) FROM coldkeep.missing_places") + f.number("SELECT missing FROM coldkeep.site_status WHERE site = 'demo'"); n != 0 {
		t.Errorf("%d places are called missing", n)
	}
	if n := f.number("SELECT count(*) FROM coldkeep.refused"); n != 0 {
		t.Errorf("%d messages were refused: %v", n, f.rows("SELECT topic, why FROM coldkeep.refused LIMIT 5"))
	}
	t.Logf("%d places of the record arrived once each, none is missing", len(want))
}

func describeEntry(e coldchain.Entry) string {
	if r := e.Reading; r != nil {
		if r.Good() {
			return fmt.Sprintf("%s %d %d", r.Probe, int64(r.Time), int64(r.Temp))
		}
		return fmt.Sprintf("%s %d %s", r.Probe, int64(r.Time), r.Fault)
	}
	return fmt.Sprintf("%s %d", e.Event.Kind, int64(e.Event.Time))
}

// fleetMacros writes out the macros of Grafana's data source.
var fleetMacros = strings.NewReplacer("$__timeFilter(e.time)", "e.time > now() - interval '1 hour'", "$__timeFilter(d.time)", "d.time > now() - interval '1 hour'",
	"$__timeGroupAlias(d.time, $__interval)", "date_bin('10 seconds', d.time, 'epoch') AS time", "${site:sqlstring}", "'demo'", "${unit:sqlstring}", "'fridge-1'")

// dashboard runs every query of the dashboard as the reader. Each must give
// rows.
func (f *fleet) dashboard(t *testing.T) {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(fleetDir, "queries", "*.sql"))
	if err != nil || len(list) == 0 {
		t.Fatalf("queries: %v", err)
	}
	for _, path := range list {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		query := fleetMacros.Replace(string(b))
		rows, err := f.ask("coldkeep_reader", "coldkeep", query)
		if err != nil || len(rows) == 0 {
			if strings.HasSuffix(path, "backlog.sql") && err == nil {
				continue // nothing lags
			}
			t.Errorf("%s: %d rows, %v", path, len(rows), err)
		}
	}
}

// startExporter asks the database for Prometheus; "" where it is not installed.
func (f *fleet) startExporter() (addr string) {
	f.t.Helper()
	path, err := exec.LookPath("prometheus-postgres-exporter")
	if err != nil {
		f.t.Log("prometheus-postgres-exporter is not installed here: no alerts from Prometheus")
		return ""
	}
	f.conf("prometheus/postgres-exporter.yml")
	addr = freePort(f.t)
	f.t.Setenv("DATA_SOURCE_NAME", "host="+filepath.Join(f.dir, "db")+" user=coldkeep_reader dbname=coldkeep sslmode=disable")
	f.start(path, "--web.listen-address="+addr, "--disable-default-metrics", "--disable-settings-metrics", "--extend.query-path="+f.confs["prometheus/postgres-exporter.yml"])
	f.await("the exporter", 20*time.Second, func() bool {
		text, err := fleetFetch("http://" + addr + "/metrics")
		return err == nil && strings.Contains(text, `coldkeep_fleet_site_heard_timestamp_seconds{`)
	})
	return addr
}

// startPrometheus scrapes the exporter with the committed rules.
func (f *fleet) startPrometheus(exporter string) (addr string) {
	f.t.Helper()
	path, err := exec.LookPath("prometheus")
	if err != nil || exporter == "" {
		f.t.Log("Prometheus is not installed here, or no exporter: the rules are not run")
		return ""
	}
	addr = freePort(f.t)
	f.conf("prometheus/fleet-rules.yml")
	f.conf("prometheus/scrape.yml", "127.0.0.1:9187", exporter, "fleet-rules.yml", f.confs["prometheus/fleet-rules.yml"], "scrape_interval: 30s", "scrape_interval: 1s", "rule_files:", "global: {evaluation_interval: 1s}\nrule_files:")
	f.start(path, "--config.file="+f.confs["prometheus/scrape.yml"], "--web.listen-address="+addr, "--storage.tsdb.path="+f.folder("prometheus"))
	return addr
}

func fleetFetch(url string) (string, error) {
	c := http.Client{Timeout: 10 * time.Second}
	resp, err := c.Get(url)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s: %s", url, resp.Status)
	}
	return string(b), err
}

// firing are the sites for which an alert fires.
func (f *fleet) firing(prometheus, name string) (sites []string) {
	f.t.Helper()
	text, err := fleetFetch("http://" + prometheus + "/api/v1/alerts")
	if err != nil {
		return nil // it is still starting
	}
	var answer struct {
		Data struct {
			Alerts []struct {
				Labels map[string]string `json:"labels"`
				State  string            `json:"state"`
			} `json:"alerts"`
		} `json:"data"`
	}
	if err := json.Unmarshal([]byte(text), &answer); err != nil {
		f.t.Fatal(err)
	}
	for _, a := range answer.Data.Alerts {
		if a.Labels["alertname"] == name && a.State == "firing" {
			sites = append(sites, a.Labels["site"])
		}
	}
	slices.Sort(sites)
	return sites
}
