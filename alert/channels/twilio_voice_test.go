package channels

import (
	"context"
	"encoding/xml"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func openVoice(t *testing.T, f *fakeTwilio) twilioVoice {
	t.Helper()
	n, err := Open(f.settings(t, "twilio-voice", ""), quiet)
	if err != nil {
		t.Fatal(err)
	}
	c := n.(twilioVoice)
	c.client.Transport = straight{f}
	return c
}

func TestCallRequestIsExact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeTwilio()
		receipt, err := openVoice(t, f).Notify(t.Context(), sample("+447700900999"))
		if err != nil {
			t.Fatal(err)
		}
		post := f.asked[0]
		if receipt != f.calls[0].sid || post.method != "POST" || post.path != "/2010-04-01/Accounts/"+f.account+"/Calls.json" {
			t.Errorf("receipt %q, asked %s %s", receipt, post.method, post.path)
		}
		say := `<Say language="en-GB">FRIDGE 1 TOO WARM 9.4 degrees (2 to 8), rising. First 12 vials over their limit 03:31, in 19 minutes. Clinic A.&#xA;` +
			`Out since 02:57.&#xA;1 Shut the door; look at plug and switch.&#xA;Tue 03:12 BST. This call takes no answer. Answer the message on your phone.</Say>`
		want := url.Values{"To": {"+447700900999"}, "From": {"+15005550006"}, "Timeout": {"30"}, "Twiml": {`<Response>` + say + `<Pause length="1"/>` + say + `</Response>`}}
		if !maps.EqualFunc(post.form, want, slices.Equal) {
			t.Errorf("it sent the form\n%q, not\n%q", post.form, want)
		}
	})
}

func TestCallsAreWatchedUntilTheyAreTaken(t *testing.T) {
	for _, c := range []struct {
		become []string
		want   string
		most   time.Duration
	}{
		{[]string{"ringing", "ringing", "in-progress"}, "", 4 * time.Second},
		{[]string{"ringing", "completed"}, "", 2 * time.Second},
		{[]string{"ringing"}, "", 45 * time.Second}, // for ever, as it seems
		{[]string{"ringing", "busy"}, "temporary", 2 * time.Second},
		{[]string{"ringing", "ringing", "ringing", "no-answer"}, "temporary", 8 * time.Second},
		{[]string{"failed"}, "temporary", time.Second},
		{[]string{"ringing", "canceled"}, "", 2 * time.Second}, // by Cancel: somebody has answered
	} {
		t.Run(strings.Join(c.become, ", "), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFakeTwilio()
				f.become = c.become
				began := time.Now()
				receipt, err := openVoice(t, f).Notify(t.Context(), sample(""))
				if got := classOf(err); got != c.want {
					t.Fatalf("it is worth %q, not %q: %v", got, c.want, err)
				}
				if err != nil && !strings.Contains(err.Error(), c.become[len(c.become)-1]) {
					t.Errorf("the error does not say why: %v", err)
				}
				if (receipt == "") != (err != nil) {
					t.Errorf("the receipt is %q with the error %v", receipt, err)
				}
				if took := time.Since(began); took > c.most {
					t.Errorf("it took %v", took)
				}
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		f := newFakeTwilio()
		f.become = []string{"ringing"}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		began := time.Now()
		if receipt, err := openVoice(t, f).Notify(ctx, sample("")); err != nil || receipt == "" || time.Since(began) > 5*time.Second {
			t.Errorf("receipt %q, error %v after %v", receipt, err, time.Since(began))
		}
	})
}

func TestCancelEndsACall(t *testing.T) {
	for _, c := range []struct {
		status, becomes string
		posts           []string
	}{
		{"queued", "canceled", []string{"canceled"}},
		{"ringing", "canceled", []string{"canceled"}},
		{"in-progress", "completed", []string{"canceled", "completed"}},
		{"completed", "completed", []string{"canceled", "completed"}},
		{"no-answer", "no-answer", []string{"canceled", "completed"}},
	} {
		f := newFakeTwilio()
		call := &fakeCall{sid: f.sid("CA"), status: c.status}
		f.calls = append(f.calls, call)
		if err := openVoice(t, f).Cancel(t.Context(), call.sid); err != nil {
			t.Errorf("%s: %v", c.status, err)
		}
		var posts []string
		for _, r := range f.asked {
			if r.method == "POST" {
				posts = append(posts, r.form.Get("Status"))
				if len(r.form) != 1 || r.path != "/2010-04-01/Accounts/"+f.account+"/Calls/"+call.sid+".json" {
					t.Errorf("%s: it asked %s with %q", c.status, r.path, r.form)
				}
			}
		}
		if call.status != c.becomes || !slices.Equal(posts, c.posts) {
			t.Errorf("a call %s became %s, after %q", c.status, call.status, posts)
		}
	}
	c := openVoice(t, newFakeTwilio())
	if err := c.Cancel(t.Context(), "CA"+strings.Repeat("0", 32)); classOf(err) != "final" {
		t.Errorf("a call that is not known: %v", err)
	}
	if err := c.Cancel(t.Context(), "../Messages/SM1"); err == nil {
		t.Error("it took something else for a call")
	}
}

// Whatever is written, what is sent can be read, is said twice, and fits.
func TestTwimlIsReadable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := sample("")
		m.Language = rapid.SampledFrom([]string{"en", "de", ""}).Draw(t, "language")
		m.Title = rapid.StringN(0, 3000, -1).Draw(t, "title")
		m.Body = rapid.StringN(0, 1024, -1).Draw(t, "body")
		twiml := spokenTwiml(m)
		if n := utf8.RuneCountInString(twiml); n > twimlMost {
			t.Fatalf("it has %d characters", n)
		}
		var doc fakeTwiML
		if err := xml.Unmarshal([]byte(twiml), &doc); err != nil {
			t.Fatalf("it cannot be read: %v\n%s", err, twiml)
		}
		if len(doc.Say) != 2 || len(doc.Pause) != 1 || doc.Say[0] != doc.Say[1] {
			t.Fatalf("it is not said twice: %+v", doc)
		}
	})
	m := sample("")
	m.Title = strings.Repeat(`"`, 3000)
	if n := len(spokenTwiml(m)); n > twimlMost {
		t.Errorf("with nothing but quotes it has %d characters", n)
	}
}

func TestSpokenForm(t *testing.T) {
	for _, c := range []struct{ language, text, want string }{
		{"en", "FREEZER −61.5 °C (−90–−60), in 12 min", "FREEZER minus 61.5 degrees (minus 90 to minus 60), in 12 minutes."},
		{"en", "Out for 2 h 5 min.\nEX-0412 first", "Out for 2 hours 5 minutes.\nEX-0412 first."},
		{"de", "KÜHLSCHRANK 1 ZU WARM 9.4 °C (2–8)\nseit 12 min", "KÜHLSCHRANK 1 ZU WARM 9,4 Grad (2 bis 8).\nseit 12 Minuten."},
	} {
		if got := aloud(c.text, c.language); got != c.want {
			t.Errorf("%q is said %q, not %q", c.text, got, c.want)
		}
	}
	m := sample("")
	m.Language, m.Title, m.Body = "de-AT", "ZU WARM", ""
	if twiml := spokenTwiml(m); !strings.HasPrefix(twiml, `<Response><Say language="de-DE">ZU WARM. Dieser Anruf`) {
		t.Errorf("in German: %s", twiml)
	}
}
