package channels

import (
	"encoding/json"
	"net/http"
	"testing"

	"coldkeep/alert"
)

// A farWebhook is a URL that takes the documented object, and lives behind a
// path that is a secret.
type farWebhook struct {
	farIntake
	list []webhookMessage
}

func newFarWebhook(t *testing.T) *farWebhook {
	f := &farWebhook{}
	f.refusal = func() (int, string) { return http.StatusForbidden, `{"error":"wrong token"}` }
	f.accept = func(r *http.Request, body []byte) (int, string, string) {
		var m webhookMessage
		switch {
		case r.URL.Path != "/hook/s3cr3t" || r.URL.RawQuery != "k=v":
			return http.StatusNotFound, "not found", ""
		case !jsonKind(r):
			return http.StatusUnsupportedMediaType, "JSON, please", ""
		case r.Header.Get("Authorization") != "Bearer t0ken":
			return http.StatusUnauthorized, "who are you?", ""
		case json.Unmarshal(body, &m) != nil:
			return http.StatusBadRequest, "no JSON", ""
		}
		f.list = append(f.list, m)
		return http.StatusCreated, "thanks", m.Title + "\n" + m.Body
	}
	f.start(t)
	return f
}

func (f *farWebhook) settings(t *testing.T) alert.Settings {
	return alert.Settings{Kind: "webhook", URLFile: intakeSecret(t, f.url()+"/hook/s3cr3t?k=v"), TokenFile: intakeSecret(t, "t0ken")}
}
