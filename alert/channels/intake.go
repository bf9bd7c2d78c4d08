package channels

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"coldkeep/alert"
)

// An intake is where a service takes in what it is told: one URL and one
// request for each message. The URL may hold a secret; no error repeats it.
type intake struct {
	who       string // as people call the service, for errors
	url       string
	urlFile   string // where url is "": the file that holds it
	tokenFile string // optional: sent as a bearer token, or with account as its password
	account   string
	client    *http.Client
}

// intakeTimeout bounds one request where its context does not.
const intakeTimeout = 20 * time.Second

// newIntake makes the intake at path below server, https://HOST[/PREFIX]; an
// empty path leaves server as it is written.
func newIntake(who, server, path string) (*intake, error) {
	u, err := url.Parse(server)
	switch {
	case err != nil:
		// The parser's error repeats the whole URL.
		return nil, fmt.Errorf("the server's address is no URL: write https://HOST")
	case u.Scheme != "https" && u.Scheme != "http" || u.Host == "":
		return nil, fmt.Errorf("the server's address must be written https://HOST")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("the server's address holds a user, a password or a query: secrets belong in a file")
	}
	if path != "" {
		server = strings.TrimRight(server, "/") + path
	}
	return &intake{who: who, url: server, client: newIntakeClient()}, nil
}

// check reads the secrets once, so that what is wrong with them is told early.
// They are read again for each request: they may be changed under way.
func (i *intake) check() error {
	if i.urlFile != "" {
		if _, err := secretURL(i.urlFile); err != nil {
			return err
		}
	}
	if i.tokenFile != "" {
		if _, err := alert.Secret(i.tokenFile); err != nil {
			return err
		}
	}
	return nil
}

// secretURL reads a URL that is itself a secret: no error repeats it.
func secretURL(path string) (*url.URL, error) {
	text, err := alert.Secret(path)
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return nil, fmt.Errorf("read %s: it should hold one URL, https://HOST/…", path)
	}
	return u, nil
}

func newIntakeClient() *http.Client {
	t := http.DefaultTransport.(*http.Transport).Clone()
	// Messages are minutes or months apart. A connection kept open between
	// them is one that a router may have forgotten: the message would go into
	// it, and nobody could say whether it arrived.
	t.DisableKeepAlives = true
	return &http.Client{
		Transport: t, Timeout: intakeTimeout,
		// A redirected POST becomes a GET that says nothing, and is answered 200.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// post sends one body, and gives the answer and its text (of which 64 KiB at
// most are read). That an answer came says that the service decided: a text
// that breaks off is no error.
func (i *intake) post(ctx context.Context, contentType string, body []byte) (*http.Response, string, error) {
	at := i.url
	if at == "" {
		u, err := secretURL(i.urlFile)
		if err != nil {
			return nil, "", fmt.Errorf("ask %s: %w", i.who, err)
		}
		at = u.String()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, at, bytes.NewReader(body))
	if err != nil {
		return nil, "", fmt.Errorf("ask %s: its address is no URL", i.who)
	}
	if i.tokenFile != "" {
		token, err := alert.Secret(i.tokenFile)
		if err != nil {
			return nil, "", fmt.Errorf("ask %s: %w", i.who, err)
		}
		if i.account != "" {
			req.SetBasicAuth(i.account, token)
		} else {
			req.Header.Set("Authorization", "Bearer "+token)
		}
	}
	req.Header.Set("Content-Type", contentType)
	req.Header.Set("User-Agent", "coldkeep")
	r, err := i.client.Do(req)
	if err != nil {
		return nil, "", netFault(i.who, err)
	}
	defer r.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(r.Body, 64<<10)) // the status has decided
	return r, string(text), nil
}

// postJSON sends v, and gives the answer and its text.
func (i *intake) postJSON(ctx context.Context, v any) (*http.Response, string, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, "", fmt.Errorf("write to %s: %w", i.who, err)
	}
	return i.post(ctx, "application/json", bytes.TrimRight(b.Bytes(), "\n"))
}

// dedupKey is what a service groups the messages of one trouble by, of at most
// 255 characters (PagerDuty's limit). A longer one ends in a digest of all of
// it: two troubles that begin alike stay two.
func dedupKey(key string) string {
	const most = 255
	key = "coldkeep/" + key
	r := []rune(key)
	if len(r) <= most {
		return key
	}
	sum := sha256.Sum256([]byte(key))
	tail := "/" + hex.EncodeToString(sum[:8])
	return string(r[:most-len(tail)]) + tail
}

// toldAt is when the message's matter happened.
func toldAt(m alert.Message) time.Time {
	if m.At.IsZero() {
		return time.Now()
	}
	return m.At
}

// notForServices is the answer to a message that only a person can use: sent on
// as an event it would open what nobody closes.
func notForServices(id string, p alert.Purpose) error {
	return fmt.Errorf("tell %s: a message of purpose %q is for people, not for a service", id, p)
}
