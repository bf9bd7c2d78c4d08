package channels

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"coldkeep/alert"
)

func openHook(t *testing.T, f *farHook) *longTail {
	t.Helper()
	n, err := Open(f.settings(t), quiet)
	if err != nil {
		t.Fatal(err)
	}
	return n.(*longTail)
}

func TestShoutrrrSendsOneText(t *testing.T) {
	f := openFarHook(t)
	defer f.close()
	receipt, err := openHook(t, f).Notify(t.Context(), sample("nobody"))
	if err != nil || receipt != "" {
		t.Fatalf("receipt %q, error %v", receipt, err)
	}
	if want := sample("").Title + "\n" + sample("").Body; len(f.took()) != 1 || f.took()[0] != want {
		t.Errorf("it sent %q, not %q", f.took(), want)
	}
}

// What each answer is worth, and that none tells the URL.
func TestShoutrrrErrorsTellNoSecret(t *testing.T) {
	f := openFarHook(t)
	defer f.close()
	c := openHook(t, f)
	for status, want := range map[int]string{429: "temporary", 408: "temporary", 500: "temporary", 503: "temporary", 400: "final", 401: "final", 404: "final", 410: "final"} {
		f.mu.Lock()
		f.status = status
		f.mu.Unlock()
		_, err := c.Notify(t.Context(), sample(""))
		if got := classOf(err); got != want || !strings.Contains(fmt.Sprint(err), http.StatusText(status)) {
			t.Errorf("status %d is worth %q, not %q: %v", status, got, want, err)
		}
	}
	f.fail(farDrops)
	_, err := c.Notify(t.Context(), sample(""))
	if classOf(err) != "unknown" {
		t.Errorf("a lost connection is worth %q: %v", classOf(err), err)
	}
	u, perr := url.Parse(f.server.URL)
	if perr != nil {
		t.Fatal(perr)
	}
	for e := err; e != nil; e = errors.Unwrap(e) {
		holdsNone(t, fmt.Sprintf("%v %+v %q", e, e, e), f.secret, u.Host, u.Port())
	}
}

// A service that hangs holds up so many messages, and no more goroutines.
func TestShoutrrrLeavesFewHanging(t *testing.T) {
	t.Parallel()
	f := openFarHook(t)
	defer f.close()
	c := openHook(t, f)
	c.limit = 100 * time.Millisecond
	for range shoutrrrHung {
		f.fail(farHangs)
	}
	for i := range shoutrrrHung {
		if _, err := c.Notify(t.Context(), sample("")); classOf(err) != "unknown" {
			t.Fatalf("message %d is worth %q: %v", i, classOf(err), err)
		}
	}
	if _, err := c.Notify(t.Context(), sample("")); classOf(err) != "temporary" || !strings.Contains(err.Error(), "still hang") {
		t.Errorf("one more is worth %q: %v", classOf(err), err)
	}
}

func TestShoutrrrSettingsAreChecked(t *testing.T) {
	for _, c := range []struct{ url, want string }{
		{"not a url at all T0pS3cret", "no service that is known"},
		{"slack+://T0pS3cret@%zz", "cannot be read"},
		{"https://hooks.example/T0pS3cret", "gotify, hangouts"},
		{"slack://T0pS3cret", "does not fit its service"},
		{"pushover://shoutrrr:T0pS3cret@", "does not fit its service"},
		{"telegram://T0pS3cret@telegram?chats=", "does not fit its service"},
		{"ntfy+https://T0pS3cret@ntfy.example/T0pS3cret", "does not fit its service"},
	} {
		_, err := Open(alert.Settings{Kind: "shoutrrr", URLFile: secretFile(t, c.url)}, quiet)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.url, err)
		}
		for e := err; e != nil; e = errors.Unwrap(e) {
			holdsNone(t, e.Error(), "T0pS3cret")
		}
	}
	if _, err := Open(alert.Settings{Kind: "shoutrrr"}, quiet); err == nil {
		t.Error("without a URL it opens")
	}
	if _, err := Open(alert.Settings{Kind: "shoutrrr", URLFile: secretFile(t, "gotify://gotify.example/AnlMjyyyyyyyyyy")}, quiet); err != nil {
		t.Error(err)
	}
	// Matrix would log in: opening connects to nothing.
	if _, err := Open(alert.Settings{Kind: "shoutrrr", URLFile: secretFile(t, "matrix://user:password@127.0.0.1:1/?disableTLS=yes")}, quiet); err != nil {
		t.Error(err)
	}
}

// FuzzSecretAddress: no part of a URL comes through, however an error shows it.
func FuzzSecretAddress(f *testing.F) {
	f.Add("slack://hook:T0pS3cret-B00-xyz@webhook?botname=cold", "T0pS3cret")
	f.Add("smtp://us%40er:p%20w%2Fd1234@mail.clinic.example:587/?from=a@b.c", "p w/d1234")
	f.Add("://", "::::")
	f.Fuzz(func(t *testing.T, address, _ string) {
		a := &secretAddress{url: address, parts: secretParts(address)}
		u, err := url.Parse(address)
		if err != nil || u.User == nil {
			a.scrub(address)
			return
		}
		password, _ := u.User.Password()
		if len(password) < shortest || strings.ContainsAny(password, "/@:?&=#,;+[…]") {
			return
		}
		for _, shown := range []string{password, url.QueryEscape(password), url.PathEscape(password)} {
			if got := a.scrub("it said " + shown + " and " + address); strings.Contains(got, shown) && !strings.Contains("it said  and ", shown) {
				t.Errorf("of %q it shows %q", address, got)
			}
		}
	})
}

func TestAPartOfTheURLIsFoundAsItStands(t *testing.T) {
	a, err := readAddress(secretFile(t, "smtp://user:p%2fabcd1@mail.clinic.example:587/?from=a@b.example"))
	if err != nil {
		t.Fatal(err)
	}
	for _, shown := range []string{"p%2fabcd1", "p%2Fabcd1", "p/abcd1"} {
		holdsNone(t, a.scrub("login failed with "+shown), shown)
	}
}

func TestAShortPasswordMutesTheLibrary(t *testing.T) {
	a, err := readAddress(secretFile(t, "smtp://user:abc@mail.clinic.example:587/?from=a@b.example"))
	if err != nil {
		t.Fatal(err)
	}
	if got := a.scrub("login failed with abc"); strings.Contains(got, "abc") {
		t.Errorf("it shows %q", got)
	}
}
