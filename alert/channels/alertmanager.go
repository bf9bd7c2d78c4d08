package channels

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"coldkeep/alert"
)

// alertmanagerResolved is for how long an alert that is over is sent again:
// Alertmanager's own rule for its clients.
const alertmanagerResolved = 5 * time.Minute

// alertmanagerName is the alertname of every alert. The alarms of a trouble
// come and go; a name that followed them would be another alert each time.
const alertmanagerName = "ColdkeepTrouble"

// An alertmanager tells Alertmanager's API v2. Of each trouble it posts one
// alert for each of its units (one without a unit where it is of none), again
// and again while it is open: an alert that is not sent again is over for
// Alertmanager after its resolve_timeout.
//
// Settings: Server, https://HOST[/PREFIX]; From is the site, optional;
// TokenFile, optional, is sent as a bearer token, or with Account as its
// password. Of a cluster each member must be told: a channel for each.
//
// The labels are alertname, trouble (its key, the same from beginning to end),
// unit, severity and site; never a temperature, since labels are what an alert
// is known by. Where they change the old alert is resolved in the same request:
// a severity that rises is a new alert, so that it can take another route. It
// does not fall again while the trouble lasts. What was posted is remembered
// in memory only: after a restart an alert with old labels ends by its time-out.
//
// So that a person is called once where Prometheus' own rules fire for the
// same thing, let the label unit (with site, where there are several) mute
// them, and let the label trouble group:
//
//	route: {group_by: [alertname, trouble]}
//	inhibit_rules:
//	  - source_matchers: [alertname="ColdkeepTrouble"]
//	    target_matchers: [alertname!="ColdkeepTrouble", unit!=""]
//	    equal: [unit, site]
//
// No startsAt is sent: Alertmanager stamps an alert with its own clock when it
// first hears of it, and a Pi's clock that runs ahead by more than the
// time-out would make it refuse the alert.
type alertmanager struct {
	id, site string
	in       *intake

	// turn is held while a request is on its way, too: one that left before an
	// all-clear must not arrive after it.
	turn     chan struct{}
	troubles map[string]*alertmanagerTrouble
}

// An alertmanagerTrouble is what was posted of a trouble.
type alertmanagerTrouble struct {
	severity alert.Severity // the gravest so far
	summary  string
	text     string
	taken    string // who has it, in words; "" nobody
	alerts   map[string]alertmanagerAlert
	told     time.Time // when it last fired
	listed   bool      // Sync has been told of it
	over     bool
}

// An alertmanagerAlert is one of its alerts. ended is zero while it fires.
type alertmanagerAlert struct {
	labels map[string]string
	ended  time.Time
	until  time.Time // it is sent again as ended until then
}

// A postedAlert is an alert as the API has it.
type postedAlert struct {
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	EndsAt      string            `json:"endsAt,omitempty"`
}

var _ alert.Syncer = (*alertmanager)(nil)

func openAlertmanager(s alert.Settings) (alert.Notifier, error) {
	in, err := newIntake("Alertmanager", s.Server, "/api/v2/alerts")
	if err != nil {
		return nil, fmt.Errorf("open channel %s: %w", s.ID, err)
	}
	in.tokenFile, in.account = s.TokenFile, s.Account
	if err := in.check(); err != nil {
		return nil, fmt.Errorf("open channel %s: %w", s.ID, err)
	}
	return &alertmanager{id: s.ID, site: s.From, in: in, turn: make(chan struct{}, 1), troubles: map[string]*alertmanagerTrouble{}}, nil
}

func (a *alertmanager) Name() string { return a.id }

func (a *alertmanager) enter(ctx context.Context) error {
	select {
	case a.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return &alert.TemporaryError{Err: fmt.Errorf("ask Alertmanager: it has not answered the request before: %w", ctx.Err())}
	}
}

func (a *alertmanager) leave() { <-a.turn }

// Notify posts the trouble's alerts, or resolves them. That somebody has taken
// it is told in the annotation taken: Alertmanager has no acknowledgement.
func (a *alertmanager) Notify(ctx context.Context, m alert.Message) (string, error) {
	if err := a.enter(ctx); err != nil {
		return "", err
	}
	defer a.leave()
	now := time.Now()
	switch m.Purpose {
	case alert.Page, alert.Notice, alert.Worse, alert.Test:
		a.fire(m, now)
		a.troubles[m.Key].taken = ""
	case alert.Taken:
		if t := a.troubles[m.Key]; t == nil || t.over {
			a.fire(m, now)
		}
		a.troubles[m.Key].taken = m.Title
	case alert.AllClear, alert.Tested:
		a.resolve(m, now)
	default:
		return "", notForServices(a.id, m.Purpose)
	}
	return "", a.post(ctx, a.posted(m.Key))
}

// Sync posts all troubles that are open, and for five minutes those that are
// over: also one that an earlier Sync was told of and this one is not.
func (a *alertmanager) Sync(ctx context.Context, all []alert.Message) error {
	if err := a.enter(ctx); err != nil {
		return err
	}
	defer a.leave()
	now := time.Now()
	listed := map[string]bool{}
	for _, m := range all {
		listed[m.Key] = true
		if t := a.troubles[m.Key]; t != nil && t.over {
			continue // all was put together before the all-clear
		}
		a.fire(m, now)
		a.troubles[m.Key].listed = true
	}
	var list []postedAlert
	for _, key := range slices.Sorted(maps.Keys(a.troubles)) {
		t := a.troubles[key]
		// One that Sync was never told of may just have opened.
		if !listed[key] && !t.over && (t.listed || now.Sub(t.told) >= alertmanagerResolved) {
			t.end(now, now)
		}
		list = append(list, a.posted(key)...)
		maps.DeleteFunc(t.alerts, func(_ string, x alertmanagerAlert) bool { return !x.ended.IsZero() && !now.Before(x.until) })
		if t.over && len(t.alerts) == 0 {
			delete(a.troubles, key)
		}
	}
	if len(list) == 0 {
		return nil
	}
	return a.post(ctx, list)
}

// fire notes that the message's trouble is open.
func (a *alertmanager) fire(m alert.Message, now time.Time) {
	t := a.troubles[m.Key]
	if t == nil {
		t = &alertmanagerTrouble{alerts: map[string]alertmanagerAlert{}}
		a.troubles[m.Key] = t
	}
	t.over, t.told = false, now
	if t.severity != alert.Critical {
		t.severity = m.Severity
	}
	t.summary, t.text = m.Title, m.Body
	units := m.Units
	if len(units) == 0 {
		units = []string{""}
	}
	holds := map[string]bool{}
	for _, unit := range units {
		labels := a.labels(m.Key, unit, t.severity)
		key := labels["unit"] + "\x00" + labels["severity"]
		holds[key] = true
		t.alerts[key] = alertmanagerAlert{labels: labels}
	}
	for key, x := range t.alerts {
		if !holds[key] && x.ended.IsZero() {
			x.ended, x.until = now, now.Add(alertmanagerResolved)
			t.alerts[key] = x
		}
	}
}

// resolve notes that the message's trouble is over. One that is not known
// here, after a restart, is resolved by the labels that it must have had.
func (a *alertmanager) resolve(m alert.Message, now time.Time) {
	if a.troubles[m.Key] == nil {
		a.fire(m, now)
	}
	ended := now
	if !m.At.IsZero() && m.At.Before(now) {
		ended = m.At
	}
	t := a.troubles[m.Key]
	t.summary, t.text = m.Title, m.Body
	t.end(ended, now)
}

// end ends all alerts. They are sent again for five minutes from now on,
// however long ago the end was.
func (t *alertmanagerTrouble) end(ended, now time.Time) {
	t.over = true
	for key, x := range t.alerts {
		if x.ended.IsZero() {
			x.ended = ended
		}
		x.until = now.Add(alertmanagerResolved)
		t.alerts[key] = x
	}
}

func (a *alertmanager) labels(key, unit string, severity alert.Severity) map[string]string {
	labels := map[string]string{"alertname": alertmanagerName, "trouble": key, "severity": string(severity)}
	if unit != "" {
		labels["unit"] = unit
	}
	if a.site != "" {
		labels["site"] = a.site
	}
	return labels
}

// posted are the alerts of a trouble as they are to be sent now.
func (a *alertmanager) posted(key string) (list []postedAlert) {
	t := a.troubles[key]
	notes := map[string]string{"summary": t.summary, "description": t.text}
	if t.taken != "" {
		notes["taken"] = t.taken
	}
	for _, k := range slices.Sorted(maps.Keys(t.alerts)) {
		x := t.alerts[k]
		p := postedAlert{Labels: x.labels, Annotations: notes}
		if !x.ended.IsZero() {
			p.EndsAt = x.ended.UTC().Format(time.RFC3339Nano)
		}
		list = append(list, p)
	}
	return list
}

func (a *alertmanager) post(ctx context.Context, list []postedAlert) error {
	r, text, err := a.in.postJSON(ctx, list)
	if err != nil {
		return err
	}
	return httpFault(a.in.who, r, alertmanagerFault(text))
}

// alertmanagerFault is what it says of a refused request: a JSON string, or an
// object with a message.
func alertmanagerFault(text string) string {
	var s string
	if json.Unmarshal([]byte(text), &s) == nil {
		return s
	}
	var x struct {
		Message string `json:"message"`
	}
	if json.Unmarshal([]byte(text), &x) == nil && strings.TrimSpace(x.Message) != "" {
		return x.Message
	}
	return text
}
