// Package deploy holds what is installed beside the binary; its test holds it
// to what a service manager accepts.
package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

func unit(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("systemd/coldkeep.service")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// The daemon is notified, watched, restarted, may use one-wire, and little else.
func TestTheServiceIsWatchedAndConfined(t *testing.T) {
	text := unit(t)
	if n := strings.Count(text, "\n# LoadCredential="); n == 0 {
		t.Error("the unit shows no credential")
	}
	for _, line := range []string{"Type=notify", "WatchdogSec=30s", "Restart=always", "ExecStart=/usr/bin/coldkeep run --config /etc/coldkeep/coldkeep.yaml",
		"StartLimitIntervalSec=0", "ProtectSystem=strict", "NoNewPrivileges=yes", "CapabilityBoundingSet=", "DevicePolicy=closed", "StateDirectory=coldkeep"} {
		if !strings.Contains(text, "\n"+line+"\n") {
			t.Errorf("the unit lacks %q", line)
		}
	}
	if !regexp.MustCompile(`(?m)^RestrictAddressFamilies=.*\bAF_NETLINK\b`).MatchString(text) {
		t.Error("the unit does not allow AF_NETLINK, which one-wire needs")
	}
}

func TestTheServiceManagerAcceptsIt(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not installed here")
	}
	// verify asks whether the binary is there: give it one.
	dir := t.TempDir()
	text := strings.Replace(unit(t), "/usr/bin/coldkeep", "/bin/true", 1)
	// With all that its comments offer, too.
	text = regexp.MustCompile(`(?m)^# (LoadCredential|SupplementaryGroups|DeviceAllow)=`).ReplaceAllString(text, "$1=")
	path := filepath.Join(dir, "coldkeep.service")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(analyze, "verify", "--man=no", path).CombinedOutput(); err != nil && !strings.Contains(string(out), "Failed to initialize") {
		t.Errorf("verify: %v\n%s", err, out)
	}
	out, err := exec.Command(analyze, "security", "--offline=true", path).CombinedOutput()
	m := regexp.MustCompile(`Overall exposure level for coldkeep.service: ([0-9.]+)`).FindSubmatch(out)
	if m == nil {
		t.Skipf("systemd-analyze tells no exposure here: %v\n%s", err, out)
	}
	if v, err := strconv.ParseFloat(string(m[1]), 64); err != nil || v > 2 {
		t.Errorf("exposure %s (%v), want 2.0 or less", m[1], err)
	}
}
