package channels

import (
	"encoding/json"
	"net/http"
	"slices"
	"testing"
	"time"
	"unicode/utf8"

	"coldkeep/alert"
)

const farPagerDutyKey = "0123456789abcdef0123456789ABCDEF"

// A farPagerDuty is PagerDuty's Events API v2: it takes events with 202 and
// lets them change incidents as its documentation says.
type farPagerDuty struct {
	farIntake
	incidents map[string]string // by dedup key: triggered, acknowledged, resolved
	calls     []string          // dedup keys of which it called somebody
}

func newFarPagerDuty(t *testing.T) *farPagerDuty {
	f := &farPagerDuty{incidents: map[string]string{}}
	f.accept, f.refusal = f.enqueue, func() (int, string) { return pagerDutyInvalid("Invalid routing key") }
	f.start(t)
	return f
}

func (f *farPagerDuty) settings(t *testing.T) alert.Settings {
	return alert.Settings{Kind: "pagerduty", Server: f.url(), TokenFile: intakeSecret(t, farPagerDutyKey), From: "Clinic A"}
}

func pagerDutyInvalid(list ...string) (int, string) {
	b, _ := json.Marshal(map[string]any{"status": "invalid event", "message": "Event object is invalid", "errors": list})
	return http.StatusBadRequest, string(b)
}

func (f *farPagerDuty) enqueue(r *http.Request, body []byte) (int, string, string) {
	var e struct {
		Routing string `json:"routing_key"`
		Action  string `json:"event_action"`
		Dedup   string `json:"dedup_key"`
		Payload *struct {
			Summary, Source, Severity, Timestamp string
			Details                              struct{ Text string } `json:"custom_details"`
		}
	}
	bad := func(list ...string) (int, string, string) {
		status, answer := pagerDutyInvalid(list...)
		return status, answer, ""
	}
	switch {
	case r.Method != http.MethodPost || r.URL.Path != "/v2/enqueue":
		return http.StatusNotFound, "Not Found\n", ""
	case len(body) > 512<<10:
		return http.StatusRequestEntityTooLarge, "", ""
	case json.Unmarshal(body, &e) != nil:
		return bad("JSON is invalid")
	case len(e.Routing) != 32:
		return bad("Length of 'routing_key' is incorrect (should be 32 characters)")
	case e.Routing != farPagerDutyKey:
		return bad("Invalid routing key")
	case utf8.RuneCountInString(e.Dedup) > 255:
		return bad("'dedup_key' is too long")
	}
	words, was := "", f.incidents[e.Dedup]
	open := was == "triggered" || was == "acknowledged"
	switch e.Action {
	case "trigger":
		p := e.Payload
		if p == nil {
			return bad("'payload' is missing or blank")
		}
		if n := utf8.RuneCountInString(p.Summary); n == 0 || n > 1024 || p.Source == "" {
			return bad("'payload.summary' or 'payload.source' is wrong")
		}
		if !slices.Contains([]string{"critical", "error", "warning", "info"}, p.Severity) {
			return bad("'payload.severity' is invalid (must be one of the following: 'critical', 'warning', 'error' or 'info')")
		}
		if _, err := time.Parse(time.RFC3339, p.Timestamp); err != nil {
			return bad("'payload.timestamp' is invalid")
		}
		if !open {
			f.incidents[e.Dedup] = "triggered"
			f.calls = append(f.calls, e.Dedup)
		}
		words = p.Summary + "\n" + p.Details.Text
	case "acknowledge", "resolve":
		if e.Dedup == "" {
			return bad("'dedup_key' is missing or blank")
		}
		if open {
			f.incidents[e.Dedup] = e.Action + "d"
		}
		words = e.Action + " " + e.Dedup
	default:
		return bad("'event_action' is invalid")
	}
	b, _ := json.Marshal(map[string]string{"status": "success", "message": "Event processed", "dedup_key": e.Dedup})
	return http.StatusAccepted, string(b), words
}
