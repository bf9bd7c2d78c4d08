package channels

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"coldkeep/alert"
)

// The far side of the suite is what we know of ntfy. Where a real server is
// installed, it must be the same.
func TestNtfyWithARealServer(t *testing.T) {
	bin, err := exec.LookPath("ntfy")
	if err != nil {
		t.Skip("there is no ntfy in the PATH")
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	free.Close()
	dir := t.TempDir()
	config := filepath.Join(dir, "server.yml")
	if err := os.WriteFile(config, fmt.Appendf(nil, "base-url: http://%[1]s\nlisten-http: %[1]s\ncache-file: %[2]s/cache.db\nauth-file: %[2]s/user.db\nauth-default-access: deny-all\n", address, dir), 0o600); err != nil {
		t.Fatal(err)
	}
	ntfyCLI := func(args ...string) string {
		c := exec.Command(bin, args...)
		c.Env = append(os.Environ(), "NTFY_CONFIG_FILE="+config, "NTFY_PASSWORD=a-password-for-the-test")
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("ntfy %s: %v: %s", strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	log := &lockedBuffer{}
	server := exec.Command(bin, "serve", "--config", config)
	server.Stdout, server.Stderr = log, log
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		server.Process.Kill()
		server.Wait()
	})
	eventually(t, "the server is there", func() bool {
		r, err := http.Get("http://" + address + "/v1/health")
		if err != nil {
			return false
		}
		r.Body.Close()
		return r.StatusCode == http.StatusOK
	})
	token := func(user string) string {
		ntfyCLI("user", "add", user)
		for _, word := range strings.Fields(ntfyCLI("token", "add", user)) {
			if t, _, _ := strings.Cut(word, ","); strings.HasPrefix(t, "tk_") {
				return t
			}
		}
		t.Fatalf("no token for %s", user)
		return ""
	}
	daemon, phone := token("daemon"), token("phone")
	ntfyCLI("access", "daemon", "*", "read-write")
	ntfyCLI("access", "phone", farNtfyAnswer, "write-only")

	s := alert.Settings{Kind: "ntfy", Server: "http://" + address, To: farNtfyTopic, TokenFile: secretFile(t, daemon), Answers: farNtfyAnswer, AnswerFile: secretFile(t, phone)}
	n, err := Open(s, quiet)
	if err != nil {
		t.Fatal(err)
	}
	c := n.(*ntfy)
	// What the server gives to read: the messages of the topic, and the phone.
	read := &ntfyTopicReader{t: t, server: s.Server, token: daemon}
	press := func(m alert.Message) {
		for _, sent := range read.all(farNtfyTopic) {
			for _, a := range sent.Actions {
				if a.Body != m.Buttons[0].Data {
					continue
				}
				r, err := http.NewRequest(a.Method, a.URL, strings.NewReader(a.Body))
				if err != nil {
					t.Fatal(err)
				}
				for k, v := range a.Headers {
					r.Header.Set(k, v)
				}
				resp, err := http.DefaultClient.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
				if resp.StatusCode != 200 {
					t.Fatalf("the phone's answer: %s", resp.Status)
				}
				return
			}
		}
		t.Fatalf("no message has the button %s", m.Buttons[0].Data)
	}
	p := &party{Notifier: c, to: farNtfyTopic, log: &lockedBuffer{}}
	post := &letterbox{reply: "You have it until 03:42."}

	early, live := p.page(t, post, "early"), p.page(t, post, "live")
	if got := read.all(farNtfyTopic); len(got) != 2 || got[0].Title != early.Title || got[0].Message != early.Body || got[0].Priority != 5 || len(got[0].Actions) != 3 {
		t.Fatalf("the server has %+v", got)
	}
	press(early)
	stop := listen(t, c, post)
	post.waitFor(t, early.Buttons[0])
	press(live)
	post.waitFor(t, live.Buttons[0])
	eventually(t, "both are confirmed", func() bool {
		n := 0
		for _, m := range read.all(farNtfyTopic) {
			if m.confirmation() && m.Message == post.reply {
				n++
			}
		}
		return n == 2
	})
	stop()
	if n := len(post.heard()); n != 2 {
		t.Errorf("two answers were heard %d times", n)
	}

	for _, unit := range []string{"x", "\n", `"`, "😀", "\x01", "<&>"} {
		m := sample("")
		m.Title, m.Body = strings.Repeat(unit, 300), "a"+strings.Repeat(unit, 6000)+"z"
		if _, err := c.Notify(t.Context(), m); err != nil {
			t.Errorf("%q: %v", unit, err)
		}
	}
	for _, m := range read.all(farNtfyTopic) {
		if m.Attachment != nil {
			t.Errorf("it came as a file: %.100q", m.Message)
		}
	}
	c.s.TokenFile = secretFile(t, "tk_wrongwrongwrongwrongwrongwron")
	if _, err := c.Notify(t.Context(), sample("")); err == nil || !strings.Contains(err.Error(), "401") || !strings.Contains(err.Error(), "unauthorized (40101)") {
		t.Errorf("with a wrong token: %v", err)
	}
	c.s.TokenFile = secretFile(t, phone) // may not write to people
	if _, err := c.Notify(t.Context(), sample("")); err == nil || !strings.Contains(err.Error(), "forbidden (40301)") {
		t.Errorf("with the phone's token: %v", err)
	}
	if t.Failed() {
		t.Log(log)
	}
}

// An ntfyTopicReader reads what a topic keeps.
type ntfyTopicReader struct {
	t             *testing.T
	server, token string
}

func (n *ntfyTopicReader) all(topic string) (messages []farNtfyMessage) {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(n.t.Context(), 10*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, "GET", n.server+"/"+topic+"/json?poll=1&since=all", nil)
	if err != nil {
		n.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+n.token)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		n.t.Fatal(err)
	}
	defer resp.Body.Close()
	messages, err = decodeLines[farNtfyMessage](resp.Body)
	if err != nil {
		n.t.Fatal(err)
	}
	return messages
}
