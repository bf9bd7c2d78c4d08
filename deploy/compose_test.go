package deploy

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// long says whether servers are started (`make system-test`).
var long = os.Getenv("COLDKEEP_SYSTEM") == "long"

// tool finds a program, or skips.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed here", name)
	}
	return path
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// written is a file of a test, which any user may read.
func written(t *testing.T, name, text string) string {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{dir, filepath.Dir(dir)} {
		if err := os.Chmod(d, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// Prometheus takes its configuration, with the rules that are mounted.
func TestPrometheusTakesItsConfiguration(t *testing.T) {
	promtool := tool(t, "promtool")
	rules, err := filepath.Abs("prometheus")
	if err != nil {
		t.Fatal(err)
	}
	const inside = "/etc/prometheus/coldkeep/"
	text := read(t, "compose/prometheus.yml")
	if !strings.Contains(text, inside) || !strings.Contains(read(t, "compose/compose.yaml"), "../prometheus:"+strings.TrimSuffix(inside, "/")+":ro") {
		t.Fatalf("the rules are not where they are mounted, in %s", inside)
	}
	conf := written(t, "prometheus.yml", strings.ReplaceAll(text, inside, rules+"/"))
	out, err := exec.Command(promtool, "check", "config", conf).CombinedOutput()
	if err != nil {
		t.Errorf("promtool: %v\n%s", err, out)
	}
	if !regexp.MustCompile(`SUCCESS: [1-9][0-9]* rules? found`).Match(out) {
		t.Errorf("no rules are read:\n%s", out)
	}
}

func TestAlertmanagerTakesItsConfiguration(t *testing.T) {
	amtool := tool(t, "amtool")
	if out, err := exec.Command(amtool, "check-config", "alertmanager/alertmanager.yml").CombinedOutput(); err != nil {
		t.Errorf("amtool: %v\n%s", err, out)
	}
}

// The scrape interval that Grafana makes its rates of is Prometheus'.
func TestGrafanaKnowsTheScrapeInterval(t *testing.T) {
	at := func(path, key string) string {
		m := regexp.MustCompile(key + `: *(\S+)`).FindStringSubmatch(read(t, path))
		if m == nil {
			t.Fatalf("%s has no %s", path, key)
		}
		return m[1]
	}
	if p, g := at("compose/prometheus.yml", "scrape_interval"), at("compose/grafana-datasource.yaml", "timeInterval"); p != g {
		t.Errorf("Prometheus scrapes every %s, and Grafana thinks %s", p, g)
	}
}

// Docker Compose itself, where it is. Its loader runs in deploy/check anyhow.
func TestDockerComposeTakesTheFile(t *testing.T) {
	docker := tool(t, "docker")
	if err := exec.Command(docker, "compose", "version").Run(); err != nil {
		t.Skip("docker has no compose here")
	}
	if out, err := exec.Command(docker, "compose", "-f", "compose/compose.yaml", "config", "--quiet").CombinedOutput(); err != nil {
		t.Errorf("docker compose config: %v\n%s", err, out)
	}
}

// Mosquitto starts on its configuration, and answers the health check.
func TestSystemTheBrokerOfComposeStarts(t *testing.T) {
	if !long {
		t.Skip("starts a server: runs with COLDKEEP_SYSTEM=long")
	}
	if _, err := os.Stat("/usr/sbin/mosquitto"); err != nil {
		t.Skip("mosquitto is not installed here")
	}
	sub := tool(t, "mosquitto_sub")
	port := freePort(t)
	conf := written(t, "mosquitto.conf", "")
	text := strings.NewReplacer("listener 1883\n", "listener "+port+" 127.0.0.1\n", "/mosquitto/data/", filepath.Dir(conf)+"/").Replace(read(t, "compose/mosquitto.conf"))
	if !strings.Contains(text, port) {
		t.Fatal("the configuration has no listener on 1883")
	}
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	cmd := exec.Command("/usr/sbin/mosquitto", "-c", conf)
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop := func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }
	answers(t, port, stop)
	out, err := exec.Command(sub, "-h", "127.0.0.1", "-p", port, "-t", "$SYS/broker/uptime", "-C", "1", "-W", "5").CombinedOutput()
	stop()
	if err != nil || !strings.Contains(string(out), "seconds") {
		t.Errorf("the health check: %v %s\n%s", err, out, &log)
	}
}

// The image holds the binary and an empty directory: in a root of just that,
// and as its user, the demo runs and is told healthy.
func TestSystemTheImageNeedsNothingElse(t *testing.T) {
	if !long {
		t.Skip("builds the binary: runs with COLDKEEP_SYSTEM=long")
	}
	if os.Getuid() != 0 {
		t.Skip("only root may change the root")
	}
	root := t.TempDir()
	for dir := root; dir != "/" && dir != os.TempDir(); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", filepath.Join(root, "coldkeep"), "coldkeep/cmd/coldkeep")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	dockerfile := read(t, "compose/Dockerfile")
	m := regexp.MustCompile(`(?m)^USER (\d+):(\d+)$`).FindStringSubmatch(dockerfile)
	if m == nil || !strings.Contains(dockerfile, "COPY --chown="+m[1]+":"+m[2]+" deploy/compose/empty /var/lib/coldkeep\n") {
		t.Fatal("the Dockerfile has no user, or its directory is another's")
	}
	var uid, gid int
	if _, err := fmt.Sscan(m[1]+" "+m[2], &uid, &gid); err != nil || uid == 0 {
		t.Fatalf("the user is %s (%v)", m[1], err)
	}
	data := filepath.Join(root, "var/lib/coldkeep")
	if err := os.MkdirAll(data, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(data, uid, gid); err != nil {
		t.Fatal(err)
	}
	inside := func(args ...string) *exec.Cmd {
		cmd := exec.Command("/coldkeep", args...)
		cmd.Dir, cmd.Env = "/", []string{}
		cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
		return cmd
	}
	port := freePort(t)
	var log strings.Builder
	cmd := inside("demo", "--listen", "127.0.0.1:"+port, "--dir", "/var/lib/coldkeep")
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop := func() { _ = cmd.Process.Signal(syscall.SIGTERM); _ = cmd.Wait() }
	answers(t, port, stop)
	out, err := inside("alarms", "list", "--dir", "/var/lib/coldkeep").CombinedOutput()
	stop()
	if err != nil || strings.Contains(string(out), "no daemon runs") {
		t.Errorf("the health check: %v\n%s\n%s", err, out, &log)
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return port
}

// answers waits until something listens at the port.
func answers(t *testing.T, port string, stop func()) {
	t.Helper()
	for range 300 {
		if c, err := net.Dial("tcp", "127.0.0.1:"+port); err == nil {
			c.Close()
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	stop()
	t.Fatalf("nothing answers at %s", port)
}
