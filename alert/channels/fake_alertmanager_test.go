package channels

import (
	"encoding/json"
	"net/http"
	"regexp"
	"testing"
	"time"

	"coldkeep/alert"
)

// A farAlertmanager is the part of Alertmanager's API v2 that takes alerts, and
// its memory of them: one that is not sent again for five minutes is over.
type farAlertmanager struct {
	farIntake
	alerts map[string]farPosted // by label set
}

type farPosted struct {
	Labels, Annotations map[string]string
	StartsAt, EndsAt    time.Time
}

func newFarAlertmanager(t *testing.T) *farAlertmanager {
	f := unstartedAlertmanager()
	f.start(t)
	return f
}

func unstartedAlertmanager() *farAlertmanager {
	f := &farAlertmanager{alerts: map[string]farPosted{}}
	f.accept, f.refusal = f.post, func() (int, string) { return http.StatusBadRequest, `"at least one label pair required"` }
	return f
}

func (f *farAlertmanager) settings(t *testing.T) alert.Settings {
	return alert.Settings{Kind: "alertmanager", Server: f.url(), From: "clinic-a"}
}

var farLabel = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)

func (f *farAlertmanager) post(r *http.Request, body []byte) (int, string, string) {
	if r.Method != http.MethodPost || r.URL.Path != "/api/v2/alerts" {
		return http.StatusNotFound, `{"code":404,"message":"path ` + r.URL.Path + ` was not found"}`, ""
	}
	if !jsonKind(r) {
		return http.StatusUnsupportedMediaType, `{"code":415,"message":"unsupported media type \"text/plain\", only [application/json] are allowed"}`, ""
	}
	var list []farPosted
	if err := json.Unmarshal(body, &list); err != nil {
		return http.StatusBadRequest, `{"code":400,"message":"parsing alerts body failed"}`, ""
	}
	now, words := time.Now(), ""
	for _, a := range list {
		for name, v := range a.Labels {
			if v == "" {
				delete(a.Labels, name)
			} else if !farLabel.MatchString(name) {
				return http.StatusBadRequest, `"invalid label set: invalid name \"` + name + `\""`, ""
			}
		}
		if len(a.Labels) == 0 {
			return http.StatusBadRequest, `"at least one label pair required"`, ""
		}
		key, _ := json.Marshal(a.Labels) // sorted
		if a.StartsAt.IsZero() {
			a.StartsAt = now
			if !a.EndsAt.IsZero() {
				a.StartsAt = a.EndsAt
			}
		}
		if a.EndsAt.IsZero() {
			a.EndsAt = now.Add(5 * time.Minute)
		}
		words = a.Annotations["summary"] + "\n" + a.Annotations["description"]
		if a.EndsAt.Before(a.StartsAt) {
			return http.StatusBadRequest, `"start time must be before end time"`, ""
		}
		if old, ok := f.alerts[string(key)]; ok && old.StartsAt.Before(a.StartsAt) && a.StartsAt.Before(old.EndsAt) {
			a.StartsAt = old.StartsAt
		}
		f.alerts[string(key)] = a
	}
	return http.StatusOK, "", words
}

// firing gives the label sets that fire now.
func (f *farAlertmanager) firing() map[string]bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := map[string]bool{}
	for key, a := range f.alerts {
		if a.EndsAt.After(time.Now()) {
			list[key] = true
		}
	}
	return list
}
