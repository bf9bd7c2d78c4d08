package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"coldkeep/internal/coldchain"
	"coldkeep/internal/mqtt"
)

// pressJS is a person who waits for a panel, says who she is, and presses the
// first button of "I am going".
const pressJS = `"use strict";
const look = setInterval(() => {
  const button = document.querySelector('.trouble[data-key^="%s"] button[data-command="ack"]');
  if (!button) return;
  clearInterval(look);
  const who = button.closest(".trouble").querySelector("select[name=who]");
  who.value = "ben";
  who.dispatchEvent(new Event("change", { bubbles: true }));
  button.click();
}, 100);
`

// withPerson serves the demo's page with a person in it.
func withPerson(t *testing.T, page, key string) string {
	t.Helper()
	u, err := url.Parse(page)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(u)
	proxy.ModifyResponse = func(r *http.Response) error {
		if r.Request.URL.Path != "/" || r.Request.URL.RawQuery != "" {
			return nil
		}
		b, err := io.ReadAll(r.Body)
		if err != nil {
			return err
		}
		b = bytes.Replace(b, []byte("</head>"), []byte(`<script src="/press.js" defer></script></head>`), 1)
		r.Body = io.NopCloser(bytes.NewReader(b))
		r.Header.Del("Content-Length")
		r.ContentLength = -1
		return nil
	}
	h := http.NewServeMux()
	h.HandleFunc("GET /press.js", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/javascript")
		fmt.Fprintf(w, pressJS, key)
	})
	h.Handle("/", proxy)
	srv := httptest.NewServer(h)
	// Not Close, which waits for the page's stream of events to end by itself.
	t.Cleanup(func() { _ = srv.Config.Close() })
	return srv.URL
}

// Whoever presses Going on the demo's page in a real browser has the trouble:
// the record says who, by what, and that it was called for. In the long run it
// is the fridge's; else a drill, which comes at once.
func TestSystemSomebodyPressesGoing(t *testing.T) {
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
	key := "fridge-1/"
	if !long {
		key = "site/drill/"
		resp, err := patient.Post(d.page+"/api/v1/commands/test", "application/json", strings.NewReader(`{"id":"press","by":"a test"}`))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("the drill does not begin: %s", resp.Status)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, chromium, "--headless", "--no-sandbox", "--disable-gpu", "--user-data-dir="+filepath.Join(t.TempDir(), "profile"),
		"--disable-background-networking", "--disable-sync", "--disable-component-update", "--no-first-run", "--window-size=360,800",
		"--enable-logging=stderr", "--v=0", "--remote-debugging-port=0", withPerson(t, d.page, key))
	var errs strings.Builder
	cmd.Stderr = &errs
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		t.Skipf("Chromium does not run here: %v", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	var ack *coldchain.Event
	for ack == nil {
		select {
		case err := <-ended:
			if ctx.Err() != nil {
				t.Fatalf("nobody's press arrived in 4 min\n%s\n%s", errs.String(), d.stacks())
			}
			t.Skipf("Chromium does not run here: %v\n%s", err, errs.String())
		case <-time.After(200 * time.Millisecond):
		}
		var answer struct{ Events []coldchain.Event }
		if err := json.Unmarshal([]byte(d.get("/api/v1/events?after=0&limit=10000")), &answer); err != nil {
			t.Fatal(err)
		}
		for _, e := range answer.Events {
			if e.Kind == coldchain.AlarmAcknowledged {
				ack = &e
			}
		}
	}
	cancel()
	<-ended
	if ack.By != "Ben Example" || ack.Via != "page" || ack.Call == nil || !strings.HasPrefix(ack.Call.Trouble, key) || ack.Call.Person != "ben" {
		t.Errorf("acknowledged %+v, %+v", ack, ack.Call)
	}
	if e := d.end(syscall.SIGTERM); e > 10*time.Second {
		t.Errorf("it took %v to stop", e)
	}
	// Who was called stands in the log, as the demo's telephones are the log.
	if !strings.Contains(d.err.String(), "channel=phones to=anna ") {
		t.Errorf("the log does not say who was called:\n%s", d.err)
	}
}
