package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"coldkeep/internal/config"
	"coldkeep/internal/store"
	"coldkeep/sensor"
	"coldkeep/sensor/chips"
	"coldkeep/sensor/chipsim"
)

// A mosquitto is the real broker of a system test; in a network namespace
// where prefix says so.
type mosquitto struct {
	t      *testing.T
	addr   string
	conf   string
	prefix []string
	cmd    *exec.Cmd
}

// newMosquitto skips the test where the real broker is not to be had.
func newMosquitto(t *testing.T, conf string) *mosquitto {
	t.Helper()
	if !long {
		t.Skip("a system test with the real Mosquitto: make system-test")
	}
	if _, err := os.Stat("/usr/sbin/mosquitto"); err != nil {
		t.Skip("Mosquitto is not installed")
	}
	m := &mosquitto{t: t, addr: freePort(t)}
	_, port, _ := net.SplitHostPort(m.addr)
	m.conf = write(t, "mosquitto.conf", "listener "+port+" 127.0.0.1\nuser root\nmax_queued_messages 0\n"+conf)
	t.Cleanup(func() { m.kill() })
	return m
}

func (m *mosquitto) start() {
	m.t.Helper()
	args := append(append([]string{}, m.prefix...), "/usr/sbin/mosquitto", "-c", m.conf)
	m.cmd = exec.Command(args[0], args[1:]...)
	if err := m.cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	for range 200 {
		if c, err := net.DialTimeout("tcp", m.addr, time.Second); err == nil {
			c.Close()
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	m.t.Fatal("Mosquitto does not start")
}

func (m *mosquitto) kill() {
	if m.cmd != nil {
		_ = m.cmd.Process.Kill()
		_ = m.cmd.Wait()
		m.cmd = nil
	}
}

func (m *mosquitto) signal(sig os.Signal) {
	m.t.Helper()
	if err := m.cmd.Process.Signal(sig); err != nil {
		m.t.Fatal(err)
	}
}

// A subscriber hears everything of the record, also over several connections.
type subscriber struct {
	mu   sync.Mutex
	list []message
	raw  map[uint64]string
}

func (s *subscriber) connect(t *testing.T, addr string) paho.Client {
	t.Helper()
	// Its session outlives the connection. What was kept may come before it has
	// subscribed again.
	hear := func(_ paho.Client, m paho.Message) {
		if !strings.HasSuffix(m.Topic(), "/reading") && !strings.HasSuffix(m.Topic(), "/event") {
			return
		}
		x := message{Topic: m.Topic()}
		if err := json.Unmarshal(m.Payload(), &x); err != nil {
			t.Errorf("%s: %v", m.Topic(), err)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if before, again := s.raw[x.Seq]; again {
			if before != string(m.Payload()) {
				t.Errorf("%d comes again and is another:\n%s\n%s", x.Seq, before, m.Payload())
			}
			return
		}
		s.raw[x.Seq] = string(m.Payload())
		s.list = append(s.list, x)
	}
	c := paho.NewClient(paho.NewClientOptions().AddBroker("tcp://" + addr).SetClientID("subscriber").SetAutoReconnect(false).SetCleanSession(false).SetDefaultPublishHandler(hear))
	tok := c.Connect()
	if !tok.WaitTimeout(10*time.Second) || tok.Error() != nil {
		t.Fatalf("connect: %v", tok.Error())
	}
	t.Cleanup(func() { c.Disconnect(50) })
	tok = c.Subscribe("coldkeep/#", 1, nil)
	if !tok.WaitTimeout(10*time.Second) || tok.Error() != nil {
		t.Fatalf("subscribe: %v", tok.Error())
	}
	return c
}

func (s *subscriber) count() int { s.mu.Lock(); defer s.mu.Unlock(); return len(s.list) }

// settled waits until the daemon says that nothing is left to send, ends it,
// and holds that all that it stored arrived, in order by probe, and that no
// sweep slipped by more than an interval.
func (s *subscriber) settled(t *testing.T, d *demoRun, dir string) {
	t.Helper()
	sent := false
	for range 900 {
		if m := d.get("/metrics"); strings.Contains(m, "coldkeep_mqtt_backlog_messages 0\n") && strings.Contains(m, "coldkeep_mqtt_connected 1\n") {
			sent = true
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if !sent {
		t.Fatalf("the backlog is not sent within 90 s\n%s", d.err)
	}
	d.end(syscall.SIGTERM)
	time.Sleep(500 * time.Millisecond)
	st, err := store.OpenReadOnly(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	cursors, err := st.Cursors(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	newest := map[string]uint64{}
	first := s.list[0].Seq
	for _, m := range s.list {
		first = min(first, m.Seq)
		if m.Probe != "" && strings.HasSuffix(m.Topic, "/reading") {
			if m.Seq <= newest[m.Probe] {
				t.Errorf("%s: %d comes after %d", m.Probe, m.Seq, newest[m.Probe])
			}
			newest[m.Probe] = m.Seq
		}
	}
	last, sweeps, readings := map[string]sensor.Instant{}, 0, 0
	for after := first - 1; ; {
		page, err := st.Entries(t.Context(), after, 10_000)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, e := range page {
			after = e.Seq
			if _, arrived := s.raw[e.Seq]; !arrived && e.Seq <= cursors["mqtt"] {
				t.Errorf("%d is stored, the cursor is at %d, and it did not arrive", e.Seq, cursors["mqtt"])
			}
			if r := e.Reading; r != nil {
				readings++
				if before := last[r.Probe]; before != 0 {
					sweeps++
					if gap := r.Time.Sub(before); gap > 4*time.Second {
						t.Errorf("%s was not read for %v before %s: it slipped by more than its interval of 2 s", r.Probe, gap, r.Time)
					}
				}
				last[r.Probe] = r.Time
			}
		}
	}
	if readings == 0 || sweeps == 0 {
		t.Errorf("%d readings, %d intervals", readings, sweeps)
	}
	t.Logf("%d places arrived, %d readings stored, each within its interval", len(s.list), readings)
}

// begun starts the broker, a subscriber, and a daemon through a gate, and waits
// for readings.
func begun(t *testing.T, m *mosquitto) (*subscriber, *gate, *demoRun, string) {
	t.Helper()
	m.start()
	s := &subscriber{raw: map[uint64]string{}}
	s.connect(t, m.addr)
	g := openGate(t, m.addr)
	dir := t.TempDir()
	d := startDemo(t, dir, "tcp://"+g.Addr().String())
	for end := time.Now().Add(30 * time.Second); s.count() < 12; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("no readings arrive\n%s", d.err)
		}
	}
	return s, g, d, dir
}

// Killed, and started again without its memory: nothing is lost.
func TestSystemMQTTTheBrokerIsKilledAndForgets(t *testing.T) {
	m := newMosquitto(t, "allow_anonymous true\npersistence false\n")
	s, g, d, dir := begun(t, m)
	for range 2 {
		m.kill()
		g.set(true) // until the subscriber is back: a broker without a session keeps nothing for it
		time.Sleep(8 * time.Second)
		m.start()
		s.connect(t, m.addr)
		g.set(false)
		time.Sleep(4 * time.Second)
	}
	s.settled(t, d, dir)
}

// Frozen, it answers nothing and its connections stand.
func TestSystemMQTTTheBrokerIsFrozen(t *testing.T) {
	m := newMosquitto(t, "allow_anonymous true\n")
	s, _, d, dir := begun(t, m)
	m.signal(syscall.SIGSTOP)
	time.Sleep(25 * time.Second)
	if got := d.get("/metrics"); strings.Contains(got, "coldkeep_mqtt_backlog_messages 0\n") {
		t.Error("a frozen broker has acknowledged everything")
	}
	m.signal(syscall.SIGCONT)
	s.settled(t, d, dir)
}

// Full, it takes no further connection.
func TestSystemMQTTTheBrokerIsFull(t *testing.T) {
	m := newMosquitto(t, "allow_anonymous true\nmax_connections 2\n")
	s, g, d, dir := begun(t, m)
	g.set(true)
	var taken []paho.Client
	for range 10 {
		c := paho.NewClient(paho.NewClientOptions().AddBroker("tcp://" + m.addr).SetClientID(fmt.Sprint("in-the-way-", len(taken))).SetProtocolVersion(4).SetAutoReconnect(false))
		if tok := c.Connect(); !tok.WaitTimeout(5*time.Second) || tok.Error() != nil {
			break
		}
		taken = append(taken, c)
	}
	if len(taken) == 0 || len(taken) == 10 {
		t.Fatalf("%d have found a place at a broker for 2", len(taken))
	}
	g.set(false)
	time.Sleep(15 * time.Second)
	if got := d.get("/metrics"); !strings.Contains(got, "coldkeep_mqtt_connected 0\n") {
		t.Error("a full broker has taken the daemon")
	}
	for _, c := range taken {
		c.Disconnect(50)
	}
	s.settled(t, d, dir)
}

func sysrun(t *testing.T, args ...string) error {
	t.Helper()
	out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}

// The network between daemon and broker is cut without a word, then slow and
// losing packets: in a network namespace.
func TestSystemMQTTTheNetworkIsCutAndSlow(t *testing.T) {
	m := newMosquitto(t, "allow_anonymous true\n")
	space := fmt.Sprintf("ck%d", os.Getpid())
	if err := sysrun(t, "ip", "netns", "add", space); err != nil {
		t.Skipf("no network namespace can be made here: %v", err)
	}
	t.Cleanup(func() {
		m.kill()
		if err := sysrun(t, "ip", "netns", "del", space); err != nil {
			t.Error(err)
		}
	})
	outside, inside := space+"a", space+"b"
	for _, args := range [][]string{
		{"ip", "link", "add", outside, "type", "veth", "peer", "name", inside, "netns", space},
		{"ip", "addr", "add", "198.51.100.1/30", "dev", outside}, {"ip", "link", "set", outside, "up"},
		{"ip", "-n", space, "addr", "add", "198.51.100.2/30", "dev", inside}, {"ip", "-n", space, "link", "set", inside, "up"}, {"ip", "-n", space, "link", "set", "lo", "up"},
	} {
		if err := sysrun(t, args...); err != nil {
			t.Skipf("no network can be laid here: %v", err)
		}
	}
	m.addr, m.prefix = "198.51.100.2:1883", []string{"ip", "netns", "exec", space}
	m.conf = write(t, "mosquitto.conf", "listener 1883 198.51.100.2\nuser root\nmax_queued_messages 0\nallow_anonymous true\n")
	m.start()
	s := &subscriber{raw: map[uint64]string{}}
	c := s.connect(t, m.addr)
	dir := t.TempDir()
	d := startDemo(t, dir, "tcp://"+m.addr)
	for end := time.Now().Add(30 * time.Second); s.count() < 12; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("no readings arrive\n%s", d.err)
		}
	}
	// Slow: with delay and loss where the kernel can, else only narrow.
	slow := func(kind ...string) error {
		return sysrun(t, append([]string{"tc", "qdisc", "add", "dev", outside, "root"}, kind...)...)
	}
	err := slow("netem", "delay", "300ms", "50ms", "loss", "3%", "rate", "64kbit")
	if err != nil {
		t.Logf("no delay and loss can be had here, only a narrow network: %v", err)
		err = slow("tbf", "rate", "16kbit", "burst", "2kb", "latency", "2s")
	}
	if err != nil {
		t.Logf("the network cannot be slowed here, only cut: %v", err)
	} else {
		time.Sleep(20 * time.Second)
		if err := sysrun(t, "tc", "qdisc", "del", "dev", outside, "root"); err != nil {
			t.Fatal(err)
		}
	}
	// Cut: no FIN, no RST. The broker keeps for the subscriber what comes before
	// it is back.
	n := s.count()
	c.Disconnect(50)
	if err := sysrun(t, "ip", "link", "set", outside, "down"); err != nil {
		t.Fatal(err)
	}
	time.Sleep(30 * time.Second)
	if got := d.get("/metrics"); strings.Contains(got, "coldkeep_mqtt_backlog_messages 0\n") {
		t.Error("nothing waits, and the network is cut")
	}
	if err := sysrun(t, "ip", "link", "set", outside, "up"); err != nil {
		t.Fatal(err)
	}
	s.connect(t, m.addr)
	for end := time.Now().Add(60 * time.Second); s.count() <= n; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("nothing arrives after the cut\n%s", d.err)
		}
	}
	time.Sleep(5 * time.Second)
	s.settled(t, d, dir)
}

// TLS with a certificate for each side, the shipped access list and the shipped
// configuration: a device is let in and kept to its own, a reader reads only,
// and who has a wrong password or none is refused.
func TestSystemMQTTCertificatesAndAccess(t *testing.T) {
	m := newMosquitto(t, "")
	certs := filepath.Join(t.TempDir(), "certs")
	if err := os.MkdirAll(certs, 0o755); err != nil {
		t.Fatal(err)
	}
	ssl := func(args ...string) {
		t.Helper()
		if err := sysrun(t, append([]string{"openssl"}, args...)...); err != nil {
			t.Skipf("no certificates can be made here: %v", err)
		}
	}
	in := func(name string) string { return filepath.Join(certs, name) }
	ssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=Example CA", "-keyout", in("ca.key"), "-out", in("ca.pem"))
	sign := func(name, cn, extra string) {
		ssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN="+cn, "-keyout", in(name+".key"), "-out", in(name+".csr"))
		ssl("x509", "-req", "-in", in(name+".csr"), "-CA", in("ca.pem"), "-CAkey", in("ca.key"), "-CAcreateserial", "-days", "2", "-extfile", write(t, "ext", extra+"\n"), "-out", in(name+".pem"))
	}
	sign("broker", "broker", "subjectAltName=IP:127.0.0.1")
	sign("pi-1", "clinic-a-pi-1", "extendedKeyUsage=clientAuth")
	shipped, err := os.ReadFile("../../configs/mosquitto/mosquitto.conf")
	if err != nil {
		t.Fatal(err)
	}
	list, err := os.ReadFile("../../configs/mosquitto/coldkeep.acl")
	if err != nil {
		t.Fatal(err)
	}
	passwords := write(t, "coldkeep.passwd", "")
	for _, user := range []string{"clinic-a-pi-1", "clinic-a-pi-2", "reader", "corridor"} {
		if err := sysrun(t, "mosquitto_passwd", "-b", passwords, user, "right-"+user); err != nil {
			t.Fatalf("make the password of %s: %v", user, err)
		}
	}
	plainAddr, tlsAddr, certAddr := m.addr, freePort(t), freePort(t)
	port := func(a string) string { _, p, _ := net.SplitHostPort(a); return p }
	conf := strings.NewReplacer("/etc/mosquitto/certs/", certs+"/", "/etc/mosquitto/coldkeep.passwd", passwords, "/etc/mosquitto/coldkeep.acl", write(t, "coldkeep.acl", string(list)),
		"listener 8883", "listener "+port(tlsAddr)+" 127.0.0.1", "listener 1883 127.0.0.1", "listener "+port(plainAddr)+" 127.0.0.1", "/var/lib/mosquitto/", t.TempDir()+"/").Replace(string(shipped))
	conf += "listener " + port(certAddr) + " 127.0.0.1\ncertfile " + in("broker.pem") + "\nkeyfile " + in("broker.key") + "\ncafile " + in("ca.pem") + "\nrequire_certificate true\nuse_identity_as_username true\n"
	m.conf = write(t, "mosquitto.conf", "user root\n"+conf)
	m.start()

	clients := 0
	client := func(user, password string) (paho.Client, error) {
		clients++ // each with an id of its own
		c := paho.NewClient(paho.NewClientOptions().AddBroker("tcp://" + plainAddr).SetClientID(fmt.Sprint("client-", clients)).SetUsername(user).SetPassword(password).SetProtocolVersion(4).SetAutoReconnect(false))
		tok := c.Connect()
		if !tok.WaitTimeout(10 * time.Second) {
			return nil, fmt.Errorf("no answer")
		}
		return c, tok.Error()
	}
	for user, password := range map[string]string{"reader": "wrong", "nobody": "right-reader", "": ""} {
		if _, err := client(user, password); err == nil {
			t.Errorf("%q is let in with %q", user, password)
		}
	}
	reader, err := client("reader", "right-reader")
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Disconnect(50)
	var mu sync.Mutex
	heard := map[string]string{}
	if tok := reader.Subscribe("coldkeep/#", 1, func(_ paho.Client, x paho.Message) {
		mu.Lock()
		defer mu.Unlock()
		heard[x.Topic()] = string(x.Payload())
	}); !tok.WaitTimeout(10*time.Second) || tok.Error() != nil {
		t.Fatal(tok.Error())
	}
	said := func(topic string) string { mu.Lock(); defer mu.Unlock(); return heard[topic] }
	try := func(user, topic string, may bool) {
		t.Helper()
		c, err := client(user, "right-"+user)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Disconnect(50)
		payload := user + " was here"
		c.Publish(topic, 1, false, payload).WaitTimeout(5 * time.Second)
		time.Sleep(300 * time.Millisecond)
		if got := said(topic) == payload; got != may {
			t.Errorf("%s publishes on %s: %v, want %v", user, topic, got, may)
		}
	}
	try("clinic-a-pi-1", "coldkeep/clinic-a/pi-1/probe/x/reading", true)
	try("clinic-a-pi-1", "coldkeep/clinic-a/pi-2/probe/x/reading", false)
	try("clinic-a-pi-1", "coldkeep/clinic-b/pi-1/probe/x/reading", false)
	try("clinic-a-pi-2", "coldkeep/clinic-a/pi-1/status", false)
	try("reader", "coldkeep/clinic-a/pi-1/probe/y/reading", false)
	try("reader", "coldkeep/clinic-a/pi-1/command/ack", false)
	try("corridor", "coldkeep/clinic-a/pi-1/command/ack", true)
	try("corridor", "coldkeep/clinic-a/pi-1/probe/y/reading", false)

	// The daemon, first by password over TLS, then by its certificate.
	for way, mqtt := range map[string]string{
		"password":    "broker: 'ssl://" + tlsAddr + "', username: clinic-a-pi-1, password_file: " + write(t, "pw", "right-clinic-a-pi-1\n") + ", ca_file: " + in("ca.pem"),
		"certificate": "broker: 'ssl://" + certAddr + "', ca_file: " + in("ca.pem") + ", cert_file: " + in("pi-1.pem") + ", key_file: " + in("pi-1.key"),
	} {
		bus := "mqtt-system-" + way
		sim, err := chipsim.NewOneWire(bus)
		if err != nil {
			t.Fatal(err)
		}
		chip, err := chipsim.NewDS18B20("28-00000c8cf9b1", chipsim.Refrigerator(1).Source("buffered"))
		if err != nil {
			t.Fatal(err)
		}
		sim.Add(chip)
		cfg, err := config.Parse("system.yaml", []byte("site: {id: clinic-a}\nnode: pi-1\nsampling: {interval: 1s}\nweb: {listen: \"127.0.0.1:0\"}\nprobes: [{id: "+way+", chip: ds18b20, bus: "+bus+", address: 28-00000c8cf9b1, medium: buffered}]\n"+
			"units: [{id: fridge-1, range: {low: 2, high: 8}, probes: ["+way+"]}]\nmqtt: {"+mqtt+", discovery: true}\n"))
		if err != nil {
			t.Fatal(err)
		}
		if problems, warnings := cfg.Files(); len(problems)+len(warnings) > 0 {
			t.Errorf("check of the files: %v %v", problems, warnings)
		}
		cfg.Storage.Dir = t.TempDir()
		buses, err := chips.Open(t.Context(), cfg.Probes, chips.Options{Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		var log strings.Builder
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		d := daemon{cfg: cfg, buses: buses, log: slog.New(slog.NewTextHandler(&log, nil))}
		go func() { done <- d.run(ctx) }()
		topic, online := "coldkeep/clinic-a/pi-1/probe/"+way+"/reading", false
		for end := time.Now().Add(20 * time.Second); time.Now().Before(end) && !online; time.Sleep(50 * time.Millisecond) {
			online = said(topic) != "" && said("coldkeep/clinic-a/pi-1/status") == "online" && said("coldkeep/clinic-a/pi-1/unit/fridge-1/availability") == "online"
		}
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if !online {
			t.Errorf("by %s no reading arrives:\n%s", way, &log)
		}
		if strings.Contains(log.String(), "right-") || strings.Contains(log.String(), "access list") {
			t.Errorf("the log tells a secret, or of what is forbidden:\n%s", &log)
		}
		if err := sim.Close(); err != nil {
			t.Error(err)
		}
	}
}
