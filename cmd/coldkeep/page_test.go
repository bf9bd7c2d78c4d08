package main

import (
	"context"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"coldkeep/internal/mqtt"
)

// The page works in a real browser, as wide as a phone: its script runs, it
// renews itself, nothing is refused by its own security policy, and nothing
// is wider than the screen.
func TestSystemThePageInABrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("a system test")
	}
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("Chromium is not installed here")
	}
	b, err := mqtt.NewBroker("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	d := startDemo(t, t.TempDir(), "tcp://"+b.Addr())
	time.Sleep(3 * time.Second) // the first sweep
	for path, want := range map[string][]string{
		"/":          {"Treatment room fridge", "STORAGE RECORD OK", "DEMONSTRATION", `id="old" class="banner stop" role="alert" hidden=""`},
		"/b/EX-0398": {"EX-0398", "STORAGE RECORD OK", "Lot 0398. Does the vial say the same?"},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
		cmd := exec.CommandContext(ctx, chromium, "--headless", "--no-sandbox", "--disable-gpu", "--user-data-dir="+filepath.Join(t.TempDir(), "profile"),
			"--disable-background-networking", "--disable-sync", "--disable-component-update", "--no-first-run", "--window-size=360,800",
			"--enable-logging=stderr", "--v=0", "--timeout=5000", "--dump-dom", d.page+path)
		var errs strings.Builder
		cmd.Stderr = &errs
		cmd.WaitDelay = time.Second
		out, err := cmd.Output()
		cancel()
		if err != nil {
			t.Skipf("Chromium does not run here: %v\n%s", err, errs.String())
		}
		for _, w := range want {
			if !strings.Contains(string(out), w) {
				t.Errorf("%s in the browser lacks %q:\n%s", path, w, out)
			}
		}
		for line := range strings.Lines(errs.String()) {
			if strings.Contains(line, "CONSOLE") && (strings.Contains(line, "Refused") || strings.Contains(line, "Error")) {
				t.Errorf("%s: %s", path, line)
			}
		}
	}
}
