package channels

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"coldkeep/alert"
)

func TestGoAlertExactly(t *testing.T) {
	f := newFarGoAlert(t)
	g := openIntake(t, f)
	tellFar(t, g, alert.Page)
	tellFar(t, g, alert.Taken)
	tellFar(t, g, alert.Page, func(m *alert.Message) { m.Again = true })
	tellFar(t, g, alert.AllClear, func(m *alert.Message) { m.Title, m.Body = "ALL CLEAR", "Back." })
	page := url.Values{"token": {farGoAlertToken}, "summary": {sample("").Title}, "details": {sample("").Body}, "dedup": {"coldkeep/fridge-1/too_warm/20260505T021200Z"}}.Encode()
	want := []string{page, page, "action=close&dedup=coldkeep%2Ffridge-1%2Ftoo_warm%2F20260505T021200Z&details=Back.&summary=ALL+CLEAR&token=" + farGoAlertToken}
	if got := f.asked(); !slices.Equal(got, want) {
		t.Errorf("asked\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if len(f.calls) != 1 || len(f.open) != 0 {
		t.Errorf("called %q, open %v", f.calls, f.open)
	}
	if got := f.heads[0].Get("Content-Type"); got != "application/x-www-form-urlencoded" {
		t.Errorf("content type %q", got)
	}
}

// A wrong key is told, and the key is not.
func TestGoAlertWrongToken(t *testing.T) {
	f := newFarGoAlert(t)
	s := f.settings(t)
	s.TokenFile = intakeSecret(t, "an-old-key")
	g, err := Open(s, quiet)
	if err != nil {
		t.Fatal(err)
	}
	_, err = g.Notify(t.Context(), sample(""))
	if want := "GoAlert answered 401 Unauthorized: unauthorized"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}
