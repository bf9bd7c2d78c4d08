package channels

import (
	"mime"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"coldkeep/alert"
)

const farGoAlertToken = "11111111-2222-4333-8444-555555555555"

// A farGoAlert is GoAlert's generic API.
type farGoAlert struct {
	farIntake
	open  map[string]bool // alerts, by dedup
	calls []string
}

func newFarGoAlert(t *testing.T) *farGoAlert {
	f := &farGoAlert{open: map[string]bool{}}
	f.accept, f.refusal = f.incoming, func() (int, string) { return http.StatusUnauthorized, "unauthorized\n" }
	f.start(t)
	return f
}

func (f *farGoAlert) settings(t *testing.T) alert.Settings {
	return alert.Settings{Kind: "goalert", Server: f.url(), TokenFile: intakeSecret(t, farGoAlertToken)}
}

// farRunes cuts to n characters, as GoAlert does by itself.
func farRunes(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n])
	}
	return s
}

func (f *farGoAlert) incoming(r *http.Request, body []byte) (int, string, string) {
	if r.Method != http.MethodPost || r.URL.Path != "/api/v2/generic/incoming" {
		return http.StatusNotFound, "404 page not found\n", ""
	}
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	form := r.URL.Query()
	if kind == "application/x-www-form-urlencoded" {
		x, err := url.ParseQuery(string(body))
		if err != nil {
			return http.StatusBadRequest, err.Error(), ""
		}
		form = x
	}
	if form.Get("token") != farGoAlertToken {
		return http.StatusUnauthorized, "unauthorized\n", ""
	}
	summary, details := farRunes(form.Get("summary"), 1024), farRunes(form.Get("details"), 6144)
	if strings.TrimSpace(summary) == "" {
		return http.StatusBadRequest, "invalid value for 'Summary': must not be empty\n", ""
	}
	dedup := form.Get("dedup")
	if form.Get("action") == "close" {
		delete(f.open, dedup)
		return http.StatusNoContent, "", "close " + dedup
	}
	if !f.open[dedup] {
		f.calls = append(f.calls, dedup)
	}
	f.open[dedup] = true
	return http.StatusNoContent, "", summary + "\n" + details
}
