package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const fleetDir = "../../deploy/fleet"

// A fleet is deploy/fleet set up in a directory of its own: certificates,
// broker, database and collector, with the files that are committed there and
// only addresses and paths changed. Nobody outside this machine reaches it.
type fleet struct {
	t         *testing.T
	dir       string
	certs     string
	port      string // of the broker
	broker    *fleetServer
	db        *fleetServer
	collector *fleetServer

	postgres, telegraf string
	confs              map[string]string
}

// openFleet starts all of it, for the sites named. The test is skipped where a
// part is not installed.
func openFleet(t *testing.T, sites ...string) *fleet {
	t.Helper()
	if !long {
		t.Skip("the fleet is tested with COLDKEEP_SYSTEM=long (make system-test)")
	}
	f := &fleet{t: t, confs: map[string]string{}}
	f.need(sites)
	dir, err := os.MkdirTemp("", "coldkeep-fleet-")
	if err != nil {
		t.Fatal(err)
	}
	f.dir, f.certs, f.port = dir, filepath.Join(dir, "certs"), f.freePort()
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("remove the fleet: %v", err)
		}
	})
	f.certificates([]string{"ca"}, []string{"server", "127.0.0.1"}, []string{"collector"})
	for _, s := range sites {
		f.certificates([]string{"site", s})
	}
	f.startDatabase()
	f.migrate()
	f.conf("mosquitto/acl")
	f.conf("mosquitto/mosquitto.conf", "listener 8883", "listener "+f.port+" 127.0.0.1", "/var/lib/mosquitto/", f.folder("broker")+"/",
		"/etc/mosquitto/fleet/server", f.certs+"/127.0.0.1", "/etc/mosquitto/fleet/acl", f.confs["mosquitto/acl"], "/etc/mosquitto/fleet", f.certs)
	f.conf("telegraf.conf", "fleet.example.org:8883", "127.0.0.1:"+f.port, "/etc/telegraf/fleet", f.certs, "/run/postgresql", filepath.Join(dir, "db"))
	f.startBroker()
	f.startCollector()
	// What is published before the collector has subscribed for the first time
	// is for nobody.
	f.await("the collector's subscription", 30*time.Second, func() bool {
		b, err := os.ReadFile(f.broker.log)
		return err == nil && strings.Contains(string(b), " collector 1 coldkeep/+/+/status")
	})
	return f
}

// need finds the programs, or skips.
func (f *fleet) need(sites []string) {
	f.t.Helper()
	for _, p := range []string{"openssl", "psql", "/usr/sbin/mosquitto"} {
		if _, err := exec.LookPath(p); err != nil {
			f.t.Skipf("%s is not installed here: no fleet", p)
		}
	}
	list, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if err != nil || len(list) == 0 {
		f.t.Skip("PostgreSQL is not installed here: no fleet")
	}
	f.postgres = filepath.Dir(list[len(list)-1])
	if f.telegraf, err = exec.LookPath("telegraf"); err != nil {
		f.t.Skip("Telegraf is not installed here: no fleet")
	}
}

// nobody is whom servers run as when the test is root: PostgreSQL will not be.
func nobody(t *testing.T) *syscall.Credential {
	t.Helper()
	if os.Getuid() != 0 {
		return nil
	}
	u, err := user.Lookup("nobody")
	if err != nil {
		t.Fatal(err)
	}
	uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
	gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

// hand gives what is below path to nobody.
func (f *fleet) hand(path string) {
	f.t.Helper()
	who := nobody(f.t)
	if who == nil {
		return
	}
	err := filepath.WalkDir(path, func(p string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Chown(p, int(who.Uid), int(who.Gid))
	})
	if err != nil {
		f.t.Fatal(err)
	}
	if err := os.Chmod(f.dir, 0o755); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fleet) folder(name string) string {
	f.t.Helper()
	path := filepath.Join(f.dir, name)
	if err := os.MkdirAll(path, 0o700); err != nil {
		f.t.Fatal(err)
	}
	f.hand(path)
	return path
}

// conf copies a committed file with its addresses and paths changed, each of
// which must stand there.
func (f *fleet) conf(name string, oldnew ...string) {
	f.t.Helper()
	b, err := os.ReadFile(filepath.Join(fleetDir, name))
	if err != nil {
		f.t.Fatal(err)
	}
	text := string(b)
	for pair := range slices.Chunk(oldnew, 2) {
		if !strings.Contains(text, pair[0]) {
			f.t.Fatalf("%s lacks %q", name, pair[0])
		}
		text = strings.ReplaceAll(text, pair[0], pair[1])
	}
	path := filepath.Join(f.folder("conf"), strings.ReplaceAll(name, "/", "-"))
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		f.t.Fatal(err)
	}
	f.confs[name] = path
}

func (f *fleet) certificates(commands ...[]string) {
	f.t.Helper()
	for _, c := range commands {
		out, err := exec.Command("sh", append([]string{filepath.Join(fleetDir, "certificates.sh"), f.certs}, c...)...).CombinedOutput()
		if err != nil {
			f.t.Fatalf("certificates.sh %v: %v\n%s", c, err, out)
		}
	}
	f.hand(f.certs)
}

// freePort is one that nobody listens on.
func (f *fleet) freePort() string {
	f.t.Helper()
	_, port, err := net.SplitHostPort(freePort(f.t))
	if err != nil {
		f.t.Fatal(err)
	}
	return port
}

// A fleetServer is a process that runs until it is ended.
type fleetServer struct {
	t    *testing.T
	cmd  *exec.Cmd
	log  string
	last syscall.Signal // at the end of the test
	done chan struct{}
}

func (f *fleet) start(name string, args ...string) *fleetServer {
	f.t.Helper()
	s := &fleetServer{t: f.t, log: filepath.Join(f.dir, filepath.Base(name)+".log"), last: syscall.SIGKILL, done: make(chan struct{})}
	out, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		f.t.Fatal(err)
	}
	defer out.Close()
	s.cmd = exec.Command(name, args...)
	s.cmd.Dir, s.cmd.Stdout, s.cmd.Stderr = f.dir, out, out
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Credential: nobody(f.t), Pdeathsig: syscall.SIGKILL}
	if err := s.cmd.Start(); err != nil {
		f.t.Fatal(err)
	}
	go func() { _ = s.cmd.Wait(); close(s.done) }()
	f.t.Cleanup(func() {
		s.end(s.last)
		if f.t.Failed() {
			b, _ := os.ReadFile(s.log)
			f.t.Logf("%s said at last:\n%s", name, b[max(0, len(b)-3000):])
		}
	})
	return s
}

// end ends it, and waits until it has.
func (s *fleetServer) end(sig syscall.Signal) {
	s.t.Helper()
	select {
	case <-s.done:
		return
	default:
	}
	if err := s.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		s.t.Errorf("end %s: %v", s.cmd.Path, err)
	}
	select {
	case <-s.done:
	case <-time.After(30 * time.Second):
		s.t.Errorf("%s does not end at %v", s.cmd.Path, sig)
		_ = s.cmd.Process.Kill()
		<-s.done
	}
}

// await waits until it is done, which is asked ten times a second.
func (f *fleet) await(what string, within time.Duration, done func() bool) {
	f.t.Helper()
	for began := time.Now(); !done(); {
		if time.Since(began) > within {
			f.t.Fatalf("waited %v for %s in vain", within, what)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func (f *fleet) startBroker() {
	f.t.Helper()
	f.broker = f.start("/usr/sbin/mosquitto", "-c", f.confs["mosquitto/mosquitto.conf"])
	f.await("the broker", 20*time.Second, func() bool {
		c, err := net.Dial("tcp", "127.0.0.1:"+f.port)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

func (f *fleet) startCollector() {
	f.t.Helper()
	f.collector = f.start(f.telegraf, "--config", f.confs["telegraf.conf"])
}

// startDatabase makes a cluster in the fleet's directory, reached by a socket
// there and by nothing else.
func (f *fleet) startDatabase() {
	f.t.Helper()
	dir := f.folder("db")
	data := filepath.Join(dir, "data")
	if _, err := os.Stat(data); err != nil {
		init := exec.Command(filepath.Join(f.postgres, "initdb"), "-D", data, "-U", "owner", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8")
		init.Dir, init.SysProcAttr = dir, &syscall.SysProcAttr{Credential: nobody(f.t)}
		if out, err := init.CombinedOutput(); err != nil {
			f.t.Fatalf("initdb: %v\n%s", err, out)
		}
	}
	f.db = f.start(filepath.Join(f.postgres, "postgres"), "-D", data, "-c", "listen_addresses=", "-c", "unix_socket_directories="+dir, "-c", "unix_socket_permissions=0700", "-c", "max_wal_size=4GB")
	f.db.last = syscall.SIGQUIT // its children end before it
	f.await("the database", 30*time.Second, func() bool {
		_, err := f.ask("owner", "postgres", "SELECT 1")
		return err == nil
	})
}

func (f *fleet) migrate() {
	f.t.Helper()
	if _, err := f.ask("owner", "postgres", "CREATE DATABASE coldkeep"); err != nil {
		f.t.Fatal(err)
	}
	list, err := filepath.Glob(filepath.Join(fleetDir, "sql", "*.sql"))
	if err != nil || len(list) < 3 {
		f.t.Fatalf("migrations %v: %v", list, err)
	}
	for _, path := range list {
		args := []string{"-q", "-1", "-v", "ON_ERROR_STOP=1", "-h", filepath.Join(f.dir, "db"), "-U", "owner", "-d", "coldkeep", "-f", path}
		if out, err := exec.Command("psql", args...).CombinedOutput(); err != nil {
			f.t.Fatalf("%s: %v\n%s", path, err, out)
		}
		if out, err := exec.Command("psql", args...).CombinedOutput(); err == nil {
			f.t.Fatalf("%s runs twice:\n%s", path, out)
		}
	}
}

// ask runs a query as a role, and gives its rows.
func (f *fleet) ask(role, database, query string) ([][]string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-t", "--csv", "-h", filepath.Join(f.dir, "db"), "-U", role, "-d", database, "-c", query)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("psql: %w: %s", err, stderr.String())
	}
	r := csv.NewReader(bytes.NewReader(out))
	r.FieldsPerRecord = -1
	return r.ReadAll()
}

// rows are those of a query on the fleet's tables.
func (f *fleet) rows(query string) [][]string {
	f.t.Helper()
	list, err := f.ask("owner", "coldkeep", query)
	if err != nil {
		f.t.Fatal(err)
	}
	return list
}

// one is the only value of a query, "" where there is no row.
func (f *fleet) one(query string) string {
	f.t.Helper()
	list := f.rows(query)
	if len(list) == 0 {
		return ""
	}
	return list[0][0]
}

func (f *fleet) number(query string) int64 {
	f.t.Helper()
	s := f.one(query)
	if s == "" {
		return 0
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		f.t.Fatalf("%s: %v", query, err)
	}
	return n
}
