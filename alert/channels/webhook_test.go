package channels

import (
	"slices"
	"strings"
	"testing"
	"time"

	"coldkeep/alert"
)

// The body is a promise.
func TestWebhookExactly(t *testing.T) {
	f := newFarWebhook(t)
	w := openIntake(t, f)
	tellFar(t, w, alert.Page)
	tellFar(t, w, alert.AllClear, func(m *alert.Message) {
		m.ID, m.Title, m.Body, m.Again, m.Severity = "n2", "<ALL CLEAR> & \"so on\"", "", true, alert.Warning
	})
	want := []string{
		`{"id":"n1","key":"fridge-1/too_warm/20260505T021200Z","purpose":"page","severity":"critical",` +
			`"title":"FRIDGE 1 TOO WARM 9.4 °C (2–8), rising. First 12 vials over their limit 03:31, in 19 min. Clinic A",` +
			`"body":"Out since 02:57.\n1 Shut the door; look at plug and switch.\nTue 03:12 BST.","time":"2026-05-05T02:12:00Z","repeat":false}`,
		`{"id":"n2","key":"fridge-1/too_warm/20260505T021200Z","purpose":"all_clear","severity":"warning","title":"<ALL CLEAR> & \"so on\"","body":"","time":"2026-05-05T02:12:00Z","repeat":true}`,
	}
	if got := f.asked(); !slices.Equal(got, want) {
		t.Errorf("asked\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if h := f.heads[0]; h.Get("Content-Type") != "application/json" || h.Get("Authorization") != "Bearer t0ken" || h.Get("User-Agent") != "coldkeep" {
		t.Errorf("headers %v", h)
	}
}

// A message without a time of its own is of now.
func TestWebhookTime(t *testing.T) {
	f := newFarWebhook(t)
	before := time.Now().Truncate(time.Second)
	tellFar(t, openIntake(t, f), alert.Page, func(m *alert.Message) { m.At = time.Time{} })
	at, err := time.Parse(time.RFC3339, f.list[0].Time)
	if err != nil || at.Before(before) || at.After(time.Now()) {
		t.Errorf("%s %v", f.list[0].Time, err)
	}
}
