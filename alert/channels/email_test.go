package channels

import (
	"mime"
	"net/mail"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"coldkeep/alert"
)

func openMail(t *testing.T, f *fakeSMTP, change func(*alert.Settings)) *email {
	t.Helper()
	s := f.settings(t)
	if change != nil {
		change(&s)
	}
	n, err := Open(s, quiet)
	if err != nil {
		t.Fatal(err)
	}
	e := n.(*email)
	e.tls.RootCAs = f.roots
	return e
}

func TestMailIsExact(t *testing.T) {
	f := newFakeSMTP(t, smtpPlain)
	defer f.close()
	e := openMail(t, f, nil)
	receipt, err := e.Notify(t.Context(), sample("Anna Example <anna@clinic.example>"))
	if err != nil {
		t.Fatal(err)
	}
	said := f.lines()
	said[0] = strings.Fields(said[0])[0]
	want := []string{"EHLO", "AUTH PLAIN AGNvbGRrZWVwAHBhNTUtb2YtdGhlLW1haWxib3g=", "MAIL FROM:<coldkeep@clinic.example> BODY=8BITMIME", "RCPT TO:<anna@clinic.example>", "DATA"}
	if !slices.Equal(said[:len(want)], want) {
		t.Errorf("it said\n%q, not\n%q", said, want)
	}
	raw := f.raw()[0]
	raw = regexp.MustCompile(`(?m)^Date: .*\r$`).ReplaceAllStringFunc(raw, func(line string) string {
		at, err := mail.ParseDate(strings.TrimSpace(strings.TrimPrefix(line, "Date: ")))
		if err != nil || time.Since(at).Abs() > time.Minute {
			t.Errorf("the mail's date is %q", line)
		}
		return "Date: now\r"
	})
	mailed := strings.ReplaceAll(`Date: now
From: "coldkeep" <coldkeep@clinic.example>
To: "Anna Example" <anna@clinic.example>
Subject: =?utf-8?q?FRIDGE_1_TOO_WARM_9.4_=C2=B0C_(2=E2=80=938),_rising._First_12_v?=
 =?utf-8?q?ials_over_their_limit_03:31,_in_19_min._Clinic_A?=
Message-ID: `+receipt+`
In-Reply-To: <trouble.THREAD@clinic.example>
References: <trouble.THREAD@clinic.example>
Auto-Submitted: auto-generated
X-Auto-Response-Suppress: All
Importance: high
X-Priority: 1
Content-Language: en
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: quoted-printable

Out since 02:57.
1 Shut the door; look at plug and switch.
Tue 03:12 BST.
`, "\n", "\r\n")
	mailed = strings.ReplaceAll(mailed, "THREAD", digest(sample("").Key))
	if raw != mailed {
		t.Errorf("the mail is\n%s\nnot\n%s", raw, mailed)
	}
	if !regexp.MustCompile(`^<message\.[0-9a-f]{20}@clinic\.example>$`).MatchString(receipt) {
		t.Errorf("the receipt is %q", receipt)
	}
}

// A message that is tried again is the same mail; the next one of the trouble
// stands in the same thread; another trouble does not.
func TestMailsStandInThreads(t *testing.T) {
	f := newFakeSMTP(t, smtpPlain)
	defer f.close()
	e := openMail(t, f, nil)
	first, second, third := sample(""), sample(""), sample("")
	second.ID, second.Purpose = "n2", alert.AllClear
	third.ID, third.Key = "n3", "fridge-2/too_cold/20260505T021200Z"
	for _, m := range []alert.Message{first, first, second, third} {
		if _, err := e.Notify(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	var ids, threads []string
	for _, raw := range f.raw() {
		m, err := mail.ReadMessage(strings.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		ids, threads = append(ids, m.Header.Get("Message-ID")), append(threads, m.Header.Get("References"))
		if (m.Header.Get("Importance") == "high") != (len(ids) != 3) {
			t.Errorf("mail %d has the importance %q", len(ids), m.Header.Get("Importance"))
		}
	}
	if ids[0] != ids[1] || ids[0] == ids[2] || ids[2] == ids[3] {
		t.Errorf("the mails' ids are %q", ids)
	}
	if threads[0] == "" || threads[0] != threads[2] || threads[0] == threads[3] {
		t.Errorf("the mails' threads are %q", threads)
	}
}

// What comes from a config or a phone cannot write headers or end the mail.
func TestMailHeadersHoldTheirLine(t *testing.T) {
	f := newFakeSMTP(t, smtpPlain)
	defer f.close()
	e := openMail(t, f, nil)
	m := sample("")
	m.Title, m.Language = "Fridge 1\r\nBcc: all@clinic.example\r\n\r\n", "en\r\nX-Evil: 1"
	m.Body = ".\r\n.\nMAIL FROM:<x@y>\n" + strings.Repeat("ü=", 500)
	if _, err := e.Notify(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	raw := f.raw()
	if len(raw) != 1 {
		t.Fatalf("%d mails came", len(raw))
	}
	got, err := mail.ReadMessage(strings.NewReader(raw[0]))
	if err != nil {
		t.Fatal(err)
	}
	if got.Header.Get("Bcc") != "" || got.Header.Get("X-Evil") != "" {
		t.Errorf("the mail has headers of somebody else: %q", got.Header)
	}
	if subject, err := new(mime.WordDecoder).DecodeHeader(got.Header.Get("Subject")); err != nil || !strings.HasPrefix(subject, "Fridge 1") {
		t.Errorf("the subject is %q, %v", subject, err)
	}
	for line := range strings.Lines(raw[0]) {
		if len(line) > 200 {
			t.Errorf("a line has %d characters", len(line))
		}
	}
	if took := f.took()[0]; !strings.HasSuffix(took, strings.ReplaceAll(m.Body, "\r\n", "\n")+"\n") {
		t.Errorf("the text came as %q", took)
	}
}

func TestMailGoesOverTLS(t *testing.T) {
	for _, mode := range []smtpMode{smtpStartTLS, smtpTLS} {
		for _, auth := range []string{"PLAIN LOGIN", "LOGIN", "CRAM-MD5 LOGIN"} {
			f := newFakeSMTP(t, mode)
			f.set(func() { f.auth = auth })
			e := openMail(t, f, nil)
			if _, err := e.Notify(t.Context(), sample("")); err != nil || len(f.raw()) != 1 {
				t.Errorf("mode %d, %s: %d mails, %v", mode, auth, len(f.raw()), err)
			}
			f.close()
		}
	}
}

// Whoever stands between must not get the password or the message.
func TestMailIsNotSentInTheClear(t *testing.T) {
	f := newFakeSMTP(t, smtpPlain)
	defer f.close()
	e := openMail(t, f, func(s *alert.Settings) { s.Security = "" })
	if _, err := e.Notify(t.Context(), sample("")); classOf(err) != "final" || !strings.Contains(err.Error(), "STARTTLS") {
		t.Errorf("without STARTTLS: %v", err)
	}
	if said := f.lines(); len(said) != 1 {
		t.Errorf("it went on: %q", said)
	}
	g := newFakeSMTP(t, smtpStartTLS)
	defer g.close()
	e = openMail(t, g, nil)
	e.tls.RootCAs = f.roots // another's
	if _, err := e.Notify(t.Context(), sample("")); classOf(err) != "final" || len(g.raw()) != 0 {
		t.Errorf("with a certificate that nobody knows: %v", err)
	}
	for _, line := range g.lines() {
		if strings.HasPrefix(line, "AUTH") {
			t.Error("it gave the password away")
		}
	}
}

// What each answer of a server is worth.
func TestMailErrorsAreToldByWhatTheyAreWorth(t *testing.T) {
	for _, c := range []struct {
		verb, reply, want string
	}{
		{"greeting", "421 4.3.2 Shutting down", "temporary"},
		{"greeting", "554 5.7.1 Not you", "final"},
		{"greeting", "HTTP/1.1 400 Bad Request", "temporary"},
		{"STARTTLS", "454 4.7.0 TLS not available", "temporary"},
		{"AUTH", "535 5.7.8 Authentication credentials invalid", "final"},
		{"AUTH", "454 4.7.0 Temporary authentication failure", "temporary"},
		{"MAIL", "452 4.3.1 Insufficient system storage", "temporary"},
		{"MAIL", "552 5.2.2 Mailbox full", "final"},
		{"RCPT", "450 4.2.0 Greylisted", "temporary"},
		{"RCPT", "550 5.1.1 No such user here", "final"},
		{"DATA", "421 4.7.0 Connection dropped", "temporary"},
		{"DATA", "554 5.5.1 No valid recipients", "final"},
		{".", "451 4.3.0 Queue file write error", "temporary"},
		{".", "554 5.6.0 Rejected by content filter", "final"},
		{".", "354 Go on", "unknown"},
		{"QUIT", "421 4.4.2 Timeout", ""},
	} {
		f := newFakeSMTP(t, smtpStartTLS)
		f.set(func() { f.reply[c.verb] = c.reply })
		e := openMail(t, f, nil)
		_, err := e.Notify(t.Context(), sample(""))
		if got := classOf(err); got != c.want {
			t.Errorf("%s: %s is worth %q, not %q: %v", c.verb, c.reply, got, c.want, err)
		}
		if _, words, _ := strings.Cut(c.reply, " "); c.want == "final" && !strings.Contains(err.Error(), words) {
			t.Errorf("the error does not say %q: %v", words, err)
		}
		if err != nil && strings.Contains(err.Error(), f.password) {
			t.Errorf("the error tells the password: %v", err)
		}
		f.close()
	}
	f := newFakeSMTP(t, smtpPlain)
	defer f.close()
	f.set(func() { f.most = 300 })
	if _, err := openMail(t, f, nil).Notify(t.Context(), sample("")); classOf(err) != "final" || !strings.Contains(err.Error(), "552") {
		t.Errorf("a mail that is too long: %v", err)
	}
	f.set(func() { f.auth = "CRAM-MD5" })
	if _, err := openMail(t, f, nil).Notify(t.Context(), sample("")); classOf(err) != "final" || !strings.Contains(err.Error(), "CRAM-MD5") {
		t.Errorf("a way to log in that is not known: %v", err)
	}
	if _, err := openMail(t, f, nil).Notify(t.Context(), sample("+447700900123")); classOf(err) != "final" {
		t.Errorf("to a phone number: %v", err)
	}
}

func TestMailSettingsAreChecked(t *testing.T) {
	good := alert.Settings{Kind: "email", Server: "mail.clinic.example", From: "coldkeep@clinic.example", Account: "coldkeep", TokenFile: secretFile(t, "x")}
	for what, c := range map[string]struct {
		change func(*alert.Settings)
		want   string
	}{
		"security":        {func(s *alert.Settings) { s.Security = "ssl" }, "starttls, tls and none"},
		"no server":       {func(s *alert.Settings) { s.Server = "" }, "HOST:PORT"},
		"a URL":           {func(s *alert.Settings) { s.Server = "smtp://mail.clinic.example" }, "HOST:PORT"},
		"no sender":       {func(s *alert.Settings) { s.From = "" }, "from must"},
		"receiver":        {func(s *alert.Settings) { s.To = "office" }, "to must"},
		"no password":     {func(s *alert.Settings) { s.TokenFile = "" }, "password of coldkeep is missing"},
		"no account":      {func(s *alert.Settings) { s.Account = "" }, "no account"},
		"in the clear":    {func(s *alert.Settings) { s.Security = "none" }, "in the clear"},
		"password is off": {func(s *alert.Settings) { s.TokenFile += "x" }, "read secret"},
	} {
		s := good
		c.change(&s)
		if _, err := Open(s, quiet); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for _, c := range []struct{ server, security, want string }{
		{"mail.clinic.example", "", "mail.clinic.example:587"},
		{"mail.clinic.example", "tls", "mail.clinic.example:465"},
		{"mail.clinic.example:2525", "starttls", "mail.clinic.example:2525"},
		{"[::1]", "none", "[::1]:25"},
		{"::1", "none", "[::1]:25"},
		{"localhost", "none", "localhost:25"},
	} {
		s := good
		s.Server, s.Security = c.server, c.security
		n, err := Open(s, quiet)
		if err != nil {
			t.Errorf("%s: %v", c.server, err)
		} else if got := n.(*email).address; got != c.want {
			t.Errorf("%s with %q goes to %s, not %s", c.server, c.security, got, c.want)
		}
	}
}

// FuzzMail: whatever a message holds, the mail can be read and holds it.
func FuzzMail(f *testing.F) {
	f.Add("FRIDGE 1 TOO WARM 9.4 °C", "Out since 02:57.\n1 Shut the door", "en")
	f.Add("a\r\nb: c\r\n\r\nd", ".\r\n.", "de\n")
	f.Add("=?utf-8?q?x?=", "=\xff", "")
	e := &email{from: &mail.Address{Name: "coldkeep", Address: "coldkeep@clinic.example"}}
	names := regexp.MustCompile(`^(Date|From|To|Subject|Message-Id|In-Reply-To|References|Auto-Submitted|X-Auto-Response-Suppress|Importance|X-Priority|Content-Language|Mime-Version|Content-Type|Content-Transfer-Encoding)$`)
	f.Fuzz(func(t *testing.T, title, body, language string) {
		m := sample("")
		m.Title, m.Body, m.Language = title, body, language
		raw, err := e.compose(m, &mail.Address{Address: "anna@clinic.example"}, three)
		if err != nil {
			t.Fatal(err)
		}
		got, err := mail.ReadMessage(strings.NewReader(string(raw)))
		if err != nil {
			t.Fatalf("it cannot be read: %v\n%s", err, raw)
		}
		for name := range got.Header {
			if !names.MatchString(name) {
				t.Errorf("it has the header %q", name)
			}
		}
		for line := range strings.Lines(string(raw)) {
			if len(line) > 998+2 {
				t.Errorf("a line has %d characters", len(line))
			}
		}
		if want := three.Format(time.RFC1123Z); got.Header.Get("Date") != want {
			t.Errorf("its date is %q, not %q", got.Header.Get("Date"), want)
		}
	})
}
