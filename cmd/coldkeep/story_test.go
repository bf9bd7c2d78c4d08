package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// The stories of testdata/story, word by word as people type them, on the built
// binary with its simulated fridges: what becomes of a batch from the courier's
// logger to the last vial, when somebody comes and when nobody does.
func TestSystemStories(t *testing.T) {
	if testing.Short() {
		t.Skip("a system test")
	}
	bin := filepath.Dir(binary(t))
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/story",
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("PATH", bin+string(os.PathListSeparator)+e.Getenv("PATH"))
			e.Setenv("RECORD", filepath.Join(e.WorkDir, "record"))
			e.Setenv("NEXTYEAR", time.Now().AddDate(1, 0, 0).Format(time.DateOnly))
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"demo": storyDemo, "logger": storyLogger, "until": storyUntil,
		},
	})
}

// storyDemo starts the demo on $RECORD, and ends it with the story.
func storyDemo(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: demo")
	}
	cmd := exec.Command("coldkeep", "demo", "--listen", "127.0.0.1:0", "--dir", ts.Getenv("RECORD"))
	cmd.Path = filepath.Join(strings.Split(ts.Getenv("PATH"), string(os.PathListSeparator))[0], "coldkeep")
	cmd.Err = nil
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if page, ok := strings.CutPrefix(lines.Text(), "page "); ok {
			ts.Setenv("PAGE", page)
			break
		}
	}
	if ts.Getenv("PAGE") == "" {
		err := cmd.Wait()
		ts.Fatalf("the demo printed no page: %v\n%s", err, &errs)
	}
	done := make(chan error, 1)
	go func() {
		_, _ = io.Copy(io.Discard, out)
		done <- cmd.Wait()
	}()
	ts.Defer(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended already
		select {
		case <-done:
		case <-time.After(30 * time.Second):
			_ = cmd.Process.Kill()
			ts.Logf("the demo did not end:\n%s", &errs)
		}
	})
}

// storyLogger writes what a courier's logger recorded: a file, from and to as
// spans before now, and the temperatures, which are spread over the time.
func storyLogger(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 4 {
		ts.Fatalf("usage: logger FILE FROM TO TEMPERATURE...")
	}
	from, err := time.ParseDuration(args[1])
	ts.Check(err)
	to, err := time.ParseDuration(args[2])
	ts.Check(err)
	const every = 5 * time.Minute
	var b strings.Builder
	b.WriteString("time,temperature_c\n")
	now := time.Now().UTC().Truncate(time.Minute)
	n := int((to - from) / every)
	for i := range n {
		fmt.Fprintf(&b, "%s,%s\n", now.Add(from+time.Duration(i)*every).Format(time.RFC3339), args[3+i*(len(args)-3)/n])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(b.String()), 0o600))
}

// storyUntil repeats a command until what it prints matches.
func storyUntil(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: until WITHIN REGEXP COMMAND...")
	}
	within, err := time.ParseDuration(args[0])
	ts.Check(err)
	want, err := regexp.Compile(args[1])
	ts.Check(err)
	for end := time.Now().Add(within); ; time.Sleep(300 * time.Millisecond) {
		err := ts.Exec(args[2], args[3:]...)
		out := ts.ReadFile("stdout")
		if err == nil && want.MatchString(out) {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("waited %v in vain for %q; %s says (%v):\n%s%s", within, want, strings.Join(args[2:], " "), err, out, ts.ReadFile("stderr"))
		}
	}
}
