package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"
)

const oncallSite = "site: {id: a, name: A, timezone: Europe/London}\n" + plain + `notify:
  - {channel: log}
  - {id: push, channel: ntfy}
  - {id: manager, channel: pagerduty, token_file: pd-key, only: critical}
people:
  - {id: anna, name: "Anna Example", contacts: [{channel: push, to: cold-anna}]}
  - {id: bert, name: "Bert Example", contacts: [{channel: push, to: cold-bert}]}
rotas:
  - id: nights
    shifts: [{days: [sun, mon, tue, wed, thu], from: "18:00", to: "08:00", people: [anna, bert], starts: 2026-01-05}]
policies:
  - {id: night, during: {from: "18:00", to: "08:00"}, steps: [{call: [nights]}, {call: [everyone], after: 5m, repeat: 3m}]}
  - {id: day, steps: [{call: [everyone]}]}
`

// The roster tells step by step who is called, in both forms.
func TestOncallShow(t *testing.T) {
	cfg := write(t, "c.yaml", oncallSite)
	code, out, errOut := call(t, "oncall", "show", "--config", cfg, "--at", "2026-03-29 00:30", "--unit", "FRIDGE-1", "--json")
	if code != exitDone {
		t.Fatalf("exit %d\n%s", code, errOut)
	}
	var got roster
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 3, 29, 0, 30, 0, 0, time.UTC)
	gap := time.Date(2026, 4, 3, 17, 0, 0, 0, time.UTC) // Friday 18:00, summer time
	switch {
	case got.Policy != "night" || got.Unit != "fridge-1" || !got.At.Equal(at) || len(got.Calls) != 3 || len(got.OnCall) != 1:
		t.Fatalf("%s", out)
	case got.Calls[0].Person != "" || got.Calls[0].As != "nights": // a Saturday night
		t.Errorf("%+v", got.Calls[0])
	case got.Calls[1].Name != "Anna Example" || got.Calls[1].To != "cold-anna" || got.Calls[1].By != "push" || got.Calls[1].RepeatS != 180 || !got.Calls[1].ToTheEnd || !got.Calls[1].At.Equal(at):
		t.Errorf("nobody is waited for where nobody is on call: %+v", got.Calls[1])
	case len(got.Services) != 2 || got.Services[1] != "manager":
		t.Errorf("%v", got.Services)
	case got.OnCall[0].Person != "" || got.OnCall[0].Until == nil || !got.OnCall[0].Until.Equal(time.Date(2026, 3, 29, 17, 0, 0, 0, time.UTC)):
		t.Errorf("%+v", got.OnCall[0])
	case got.OnCall[0].Gap == nil || !got.OnCall[0].Gap.From.Equal(at) || !got.OnCall[0].Gap.To.Equal(at.Add(6*time.Hour+30*time.Minute)):
		t.Errorf("a gap that is there now, until 08:00 summer time: %+v", got.OnCall[0].Gap)
	}
	_, out, _ = call(t, "oncall", "show", "--config", cfg, "--at", "2026-03-31T23:00:00Z", "--json")
	if err := json.Unmarshal([]byte(out), &got); err != nil || got.OnCall[0].Gap == nil || !got.OnCall[0].Gap.From.Equal(gap) {
		t.Errorf("the next gap: %v %s", err, out)
	}

	code, out, errOut = call(t, "oncall", "show", "--config", cfg, "--at", "2026-03-30 03:12", "--severity", "warning")
	for _, want := range []string{"Mon 30 Mar 2026 03:12 BST", "by the policy night", "Mon 08:00  1     everyone  Bert Example", "service", "nights  Bert Example  Mon 30 Mar 08:00 BST  Fri 3 Apr 18:00 to Sat 4 Apr 08:00"} {
		if !strings.Contains(out, want) || strings.Contains(out, "manager") {
			t.Errorf("exit %d, %q is missing in\n%s%s", code, want, out, errOut)
		}
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--at", "03:12"}, "2026-12-24T18:00"},
		{[]string{"--at", "2026-03-29 01:30"}, "skips"},
		{[]string{"--unit", "fridge-9"}, "there are fridge-1"},
	} {
		if code, out, errOut := call(t, append([]string{"oncall", "show", "--config", cfg}, c.args...)...); code != exitFailed || out != "" || !strings.Contains(errOut, c.want) {
			t.Errorf("%v: exit %d, want 1 and %q: %s%s", c.args, code, c.want, out, errOut)
		}
	}
	code, out, errOut = call(t, "oncall", "show", "--config", write(t, "c.yaml", plain))
	if code != exitDone || !strings.Contains(errOut, "nobody is called") {
		t.Errorf("exit %d: %s%s", code, out, errOut)
	}
}

// A secret that everybody may read is refused with its place; one that is not
// on this machine is a warning.
func TestCheckLooksAtSecrets(t *testing.T) {
	secret := write(t, "pd-key", "x")
	cfg := write(t, "c.yaml", strings.Replace(oncallSite, "pd-key", secret, 1))
	if code, out, errOut := call(t, "check", "--config", cfg); code != exitDone || strings.Contains(errOut, secret) {
		t.Errorf("exit %d\n%s%s", code, out, errOut)
	}
	if err := os.Chmod(secret, 0o644); err != nil {
		t.Fatal(err)
	}
	code, out, errOut := call(t, "check", "--config", cfg)
	if code != exitProblems || !strings.Contains(out, "c.yaml:14:") || !strings.Contains(out, "chmod 0640 "+secret) {
		t.Errorf("exit %d\n%s%s", code, out, errOut)
	}
	if err := os.Remove(secret); err != nil {
		t.Fatal(err)
	}
	if code, out, errOut := call(t, "check", "--config", cfg); code != exitDone || !strings.Contains(errOut, secret) {
		t.Errorf("exit %d\n%s%s", code, out, errOut)
	}
}
