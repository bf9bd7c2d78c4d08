package channels

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"coldkeep/alert"
)

// straight hands requests to a handler without a network, so that time can be
// a test's own.
type straight struct{ http.Handler }

func (s straight) RoundTrip(r *http.Request) (resp *http.Response, err error) {
	defer func() {
		if p := recover(); p == http.ErrAbortHandler {
			resp, err = nil, io.ErrUnexpectedEOF
		} else if p != nil {
			panic(p)
		}
	}()
	if r.Body == nil {
		r.Body = http.NoBody
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return w.Result(), nil
}

// openSMS is a channel that talks to the fake without a network.
func openSMS(t *testing.T, f *fakeTwilio, log *slog.Logger) *twilioSMS {
	t.Helper()
	s := f.settings(t, "twilio-sms", "")
	s.ID = "sms"
	n, err := Open(s, log)
	if err != nil {
		t.Fatal(err)
	}
	c := n.(*twilioSMS)
	c.client.Transport = straight{f}
	return c
}

// classOf is what an error is worth: "", temporary, unknown or final.
func classOf(err error) string {
	var temporary *alert.TemporaryError
	var unknown *alert.UnknownError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &temporary):
		return "temporary"
	case errors.As(err, &unknown):
		return "unknown"
	}
	return "final"
}

func TestSMSRequestIsExact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeTwilio()
		c := openSMS(t, f, quiet)
		receipt, err := c.Notify(t.Context(), sample("+44 7700 900-999"))
		if err != nil {
			t.Fatal(err)
		}
		if receipt != f.messages[0].sid {
			t.Errorf("the receipt is %q, not the SID %s", receipt, f.messages[0].sid)
		}
		post := f.asked[0]
		if post.method != "POST" || post.path != "/2010-04-01/Accounts/AC0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a/Messages.json" {
			t.Errorf("it asked %s %s", post.method, post.path)
		}
		want := url.Values{"To": {"+447700900999"}, "From": {"+15005550006"}, "ValidityPeriod": {"600"}, "Body": {
			"FRIDGE 1 TOO WARM 9.4 C (2-8), rising. First 12 vials over their limit 03:31, in 19 min. Clinic A\n" +
				"Out since 02:57.\n1 Shut the door; look at plug and switch.\nTue 03:12 BST.\n" +
				"Answer 1 Going, 30 min; 2 Can't: call next; 3 Status"}}
		if !maps.EqualFunc(post.form, want, slices.Equal) {
			t.Errorf("it sent the form\n%q, not\n%q", post.form, want)
		}
		if ct := post.header.Get("Content-Type"); ct != "application/x-www-form-urlencoded" {
			t.Errorf("it sent the content type %q", ct)
		}
		if look := f.asked[1]; len(f.asked) != 2 || look.method != "GET" || look.path != "/2010-04-01/Accounts/"+f.account+"/Messages/"+receipt+".json" {
			t.Errorf("then it asked %+v", f.asked[1:])
		}
	})
}

// A message that did not reach the phone is not taken as delivered, and what
// nobody can say counts as sent when the time to wait is over.
func TestSMSIsWatchedUntilItArrives(t *testing.T) {
	for _, c := range []struct {
		become []string
		want   string
		words  string
		most   time.Duration
	}{
		{[]string{"delivered"}, "", "", time.Second},
		{[]string{"sending", "sent", "delivered"}, "", "", 4 * time.Second},
		{[]string{"sent"}, "", "", 20 * time.Second},
		{[]string{"queued"}, "", "", 20 * time.Second},
		{[]string{"sent", "undelivered 30003"}, "temporary", "cannot be reached", 2 * time.Second},
		{[]string{"failed 30006"}, "final", "landline", time.Second},
		{[]string{"undelivered 30007"}, "final", "spam", time.Second},
		{[]string{"undelivered 30005"}, "final", "no such number", time.Second},
		{[]string{"failed 30036"}, "temporary", "in time", time.Second},
		{[]string{"failed 39999"}, "temporary", "39999", time.Second},
		{[]string{"failed"}, "temporary", "does not say why", time.Second},
		{[]string{"canceled"}, "temporary", "canceled", time.Second},
	} {
		t.Run(strings.Join(c.become, ", "), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFakeTwilio()
				f.become = c.become
				n := openSMS(t, f, quiet)
				began := time.Now()
				receipt, err := n.Notify(t.Context(), sample(""))
				if got := classOf(err); got != c.want {
					t.Fatalf("it is worth %q, not %q: %v", got, c.want, err)
				}
				if err != nil && !strings.Contains(err.Error(), c.words) {
					t.Errorf("the error does not say %q: %v", c.words, err)
				}
				if (receipt == "") != (err != nil) {
					t.Errorf("the receipt is %q with the error %v", receipt, err)
				}
				if took := time.Since(began); took > c.most {
					t.Errorf("it took %v", took)
				}
				if len(f.messages) != 1 {
					t.Errorf("%d messages were sent", len(f.messages))
				}
			})
		})
	}
}

// While it only waits for news of a message that Twilio has, the end of the
// context does not make it unsent.
func TestSMSThatWasTakenIsSentWhenTheContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeTwilio()
		f.become = []string{"sending"}
		ctx, cancel := contextFor(t, 3*time.Second)
		defer cancel()
		if receipt, err := openSMS(t, f, quiet).Notify(ctx, sample("")); err != nil || receipt == "" {
			t.Errorf("receipt %q, error %v", receipt, err)
		}
	})
}

func TestTwilioErrorsAreToldInItsWords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeTwilio()
		c := openSMS(t, f, quiet)
		for _, bad := range []struct{ to, want string }{
			{"+1", "no phone number"},
			{"office@clinic.example", "no phone number"},
		} {
			if _, err := c.Notify(t.Context(), sample(bad.to)); classOf(err) != "final" || !strings.Contains(err.Error(), bad.want) {
				t.Errorf("to %q: %v", bad.to, err)
			}
		}
		c.from = "+15005550007"
		if _, err := c.Notify(t.Context(), sample("")); classOf(err) != "final" || !strings.Contains(err.Error(), "error 21606: The 'From'") {
			t.Errorf("from a number that is not ours: %v", err)
		}
		c.account = "AC" + strings.Repeat("0b", 16)
		if _, err := c.Notify(t.Context(), sample("")); classOf(err) != "final" || !strings.Contains(err.Error(), "401 Unauthorized: error 20003") || strings.Contains(err.Error(), f.token) {
			t.Errorf("with a wrong account: %v", err)
		}
	})
	for code, want := range map[int]string{21611: "temporary", 14107: "temporary", 21211: "final"} {
		c := openSMS(t, newFakeTwilio(), quiet)
		c.client.Transport = straight{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { twilioErr(w, 400, code, "no") })}
		if _, err := c.Notify(t.Context(), sample("")); classOf(err) != want {
			t.Errorf("error %d is worth %q: %v", code, classOf(err), err)
		}
	}
}

// The token follows no redirect.
func TestTwilioTokenGoesNowhereElse(t *testing.T) {
	c := openSMS(t, newFakeTwilio(), quiet)
	c.client.Transport = straight{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Host != "api.twilio.com" || r.URL.Scheme != "https" {
			t.Errorf("it asked %s", r.URL)
		}
		http.Redirect(w, r, "https://elsewhere.example/", http.StatusTemporaryRedirect)
	})}
	if _, err := c.Notify(t.Context(), sample("")); classOf(err) != "final" {
		t.Errorf("a redirect is worth %q: %v", classOf(err), err)
	}
}

func TestTwilioSettingsAreChecked(t *testing.T) {
	good := newFakeTwilio().settings(t, "twilio-voice", "")
	for what, c := range map[string]struct {
		change func(*alert.Settings)
		want   string
	}{
		"http":          {func(s *alert.Settings) { s.Server = "http://api.twilio.example" }, "https"},
		"no host":       {func(s *alert.Settings) { s.Server = "api.twilio.com" }, "https://HOST"},
		"with password": {func(s *alert.Settings) { s.Server = "https://me:secret@api.twilio.com" }, "https://HOST"},
		"account":       {func(s *alert.Settings) { s.Account = "SK12" }, "AC and 32"},
		"from":          {func(s *alert.Settings) { s.From = "Clinic" }, "from must"},
		"to":            {func(s *alert.Settings) { s.To = "07700 900123" }, "to must"},
		"no token":      {func(s *alert.Settings) { s.TokenFile = "" }, "missing"},
		"token gone":    {func(s *alert.Settings) { s.TokenFile += "x" }, "read secret"},
	} {
		s := good
		c.change(&s)
		for _, kind := range []string{"twilio-sms", "twilio-voice"} {
			s.Kind = kind
			_, err := Open(s, quiet)
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "secret@") {
				t.Errorf("%s: %v", what, err)
			}
		}
	}
	if _, err := Open(good, quiet); err != nil {
		t.Error(err)
	}
}

func TestShortTextFits(t *testing.T) {
	m := sample("")
	m.Title, m.Body = strings.Repeat("°C 9.4 – ü", 10), strings.Repeat("ä{", 512)
	if text := shortText(m); gsmSize(text) < 0 || gsmSize(text) > gsmMost || strings.ContainsRune(text, '°') {
		t.Errorf("it has %d places: %q", gsmSize(text), text)
	}
	m = sample("")
	m.Body = strings.Repeat("b", 1024)
	if text := shortText(m); !strings.Contains(text, m.Body) {
		t.Errorf("a body of 1,024 characters is not whole: %q", text)
	}
	m.Language, m.Buttons = "de", []alert.Button{{Text: "Gehe hin, 30 min", Data: "g"}, {Text: "Kann nicht: nächste Person", Data: "n"}}
	m.HowTo = alert.NewCatalogues().For("de").NumberedAnswers(m.Buttons)
	if text := shortText(m); !strings.HasSuffix(text, "\nAntwort: 1 Gehe hin, 30 min; 2 Kann nicht: nächste Person") {
		t.Errorf("in German: %q", text)
	}
}

// Whatever is written: the first 100 characters and the line that says how to
// answer are there, and the rest fits.
func TestShortTextKeepsWhatCounts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := sample("")
		letters := rapid.RuneFrom([]rune("abc XYZ 0°–ü€{}Жλ😀\n,.é…"))
		m.Title = rapid.StringOfN(letters, 0, 100, -1).Draw(t, "title")
		m.Body = rapid.StringOfN(letters, 0, 1024, -1).Draw(t, "body")
		text, how := shortText(m), "\nAnswer 1 Going, 30 min; 2 Can't: call next; 3 Status"
		size, most := gsmSize(text), gsmMost
		if size < 0 {
			size, most = ucsSize(text), ucsMost
		}
		if size > most {
			t.Fatalf("it has %d places: %q", size, text)
		}
		if title := gsmPlainly.Replace(m.Title); !strings.HasPrefix(text, title) {
			t.Fatalf("the title is cut: %q", text)
		}
		if !strings.HasSuffix(text, how) {
			t.Fatalf("how to answer is not told: %q", text)
		}
	})
}

// FuzzTwilioList feeds the listener what no Twilio sends.
func FuzzTwilioList(f *testing.F) {
	f.Add([]byte(`{"messages":[{"sid":"SM00000000000000000000000000000001","direction":"inbound","from":"+447700900123","body":"1","date_sent":"Tue, 05 May 2026 02:12:00 +0000"}],"next_page_uri":"/2010-04-01/x"}`))
	f.Add([]byte(`{"messages":[{}],"next_page_uri":"//elsewhere.example/"}`))
	f.Add([]byte(`{"messages":null,"next_page_uri":"/2010-04-01/../../@elsewhere.example"}`))
	f.Add([]byte(`{"messages":[{"date_sent":7}]}`))
	f.Add([]byte("\x00"))
	settings := alert.Settings{ID: "sms", Kind: "twilio-sms"}
	f.Fuzz(func(t *testing.T, b []byte) {
		fake := newFakeTwilio()
		s := fake.settings(t, settings.Kind, "")
		n, err := Open(s, quiet)
		if err != nil {
			t.Fatal(err)
		}
		c, asked := n.(*twilioSMS), 0
		c.client.Transport = straight{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if asked++; r.URL.Host != "api.twilio.com" || r.URL.Scheme != "https" {
				t.Errorf("it asked %s", r.URL)
			}
			w.Write(b)
		})}
		found, _ := c.inbound(t.Context(), time.Unix(0, 0))
		if asked > smsPages {
			t.Errorf("it asked %d times", asked)
		}
		for _, m := range found {
			if !twilioSid.MatchString(m.sid) || m.at.IsZero() {
				t.Errorf("it heard %+v", m)
			}
			c.answer(m, []alert.Sent{{To: m.from, At: m.at, Buttons: sample("").Buttons}})
		}
	})
}

// bytesLog is a log that a test can read.
func bytesLog() (*slog.Logger, *bytes.Buffer) {
	var b bytes.Buffer
	return slog.New(slog.NewTextHandler(&b, nil)), &b
}
