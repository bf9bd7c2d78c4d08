package config

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"coldkeep/alert"
)

const clinic = `site: {id: a, name: "Clinic A", timezone: Europe/London}
ask: {name: "the clinic manager", phone: "ext. 100"}
probes:
  - {id: f1, chip: ds18b20, bus: onewire-1, address: 28-00000c8cf9b1, medium: buffered}
  - {id: f2, chip: ds18b20, bus: onewire-1, address: 28-00000c8cf9b2, medium: buffered}
units:
  - {id: fridge-1, range: {low: 2, high: 8}, probes: [f1]}
  - {id: fridge-2, range: {low: 2, high: 8}, probes: [f2]}
notify:
  - {channel: log}
  - {id: push, channel: ntfy, token_file: ntfy.token, answers: answers-x1}
  - {id: sms, channel: twilio-sms, account: AC1, token_file: twilio.token, from: "+447700900100"}
  - {id: manager, channel: pagerduty, token_file: pd.key, only: critical}
  - {channel: ntfy, topic: all-of-it}
people:
  - {id: anna, name: "Anna Example", language: de, contacts: [{channel: push, to: anna-1}, {channel: sms, to: "+447700900123"}], quiet: {from: "22:00", to: "07:00", days: [mon, tue]}}
  - {id: bert, contacts: [{channel: SMS, to: "+447700900124"}]}
rotas:
  - id: nights
    shifts:
      - {from: "18:00", to: "08:00", people: [anna, Bert], starts: 2026-01-05}
    overrides:
      - {from: 2026-12-24T18:00, to: 2026-12-25T08:00:00+01:00, person: bert}
    holidays:
      - {date: 2026-12-26, person: anna}
policies:
  - {id: night, severity: critical, units: [Fridge-1], during: {from: 18:00, to: 08:00}, steps: [{call: [nights]}, {call: [bert], after: 6m}, {call: [everyone], after: 10m, repeat: 3m}]}
  - id: rest
    steps:
      - {call: [everyone]}
wakes: {calibration: never}
working_hours: {days: [mon, sat], from: "09:00", to: "24:00"}
untracked_stock: true
worsens: 1.5
drill: {every: weekly, day: wed, at: "9:30", within: 5m}
heartbeat: {url_file: beat.url}
language: de
`

func parsed(t *testing.T, text string) *Config {
	t.Helper()
	c, err := Parse("f.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// What the file says arrives, whatever the case of its ids.
func TestTheDutyIsReadAsWritten(t *testing.T) {
	c := parsed(t, clinic)
	london := c.Site.Location
	wakes := alert.DefaultWakes()
	wakes[alert.Calibration] = alert.Never
	all := [7]bool{true, true, true, true, true, true, true}
	want := alert.Duty{
		Site: "Clinic A", Location: london, Ask: "the clinic manager, ext. 100", Language: "de",
		People: []alert.Person{
			{ID: "anna", Name: "Anna Example", Language: "de", Contacts: []alert.Contact{{Channel: "push", To: "anna-1"}, {Channel: "sms", To: "+447700900123", After: time.Minute}},
				Quiet: &alert.Hours{Days: [7]bool{time.Monday: true, time.Tuesday: true}, From: 22 * 60, To: 7 * 60}},
			{ID: "bert", Name: "bert", Contacts: []alert.Contact{{Channel: "sms", To: "+447700900124"}}}},
		Rotas: []alert.Rota{{ID: "nights",
			Shifts:    []alert.Shift{{Hours: alert.Hours{Days: all, From: 18 * 60, To: 8 * 60}, People: []string{"anna", "bert"}, Starts: time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)}},
			Overrides: []alert.Override{{From: time.Date(2026, 12, 24, 18, 0, 0, 0, time.UTC), To: time.Date(2026, 12, 25, 7, 0, 0, 0, time.UTC), Person: "bert"}},
			Holidays:  []alert.Holiday{{Date: "2026-12-26", Person: "anna"}}}},
		Policies: []alert.Policy{
			{ID: "night", Severity: alert.Critical, Units: []string{"fridge-1"}, During: &alert.Hours{Days: all, From: 18 * 60, To: 8 * 60}, Steps: []alert.Step{
				{Call: []string{"nights"}, Repeat: 5 * time.Minute}, {Call: []string{"bert"}, After: 6 * time.Minute, Repeat: 5 * time.Minute},
				{Call: []string{"everyone"}, After: 10 * time.Minute, Repeat: 3 * time.Minute}}},
			{ID: "rest", Steps: []alert.Step{{Call: []string{"everyone"}, Repeat: 5 * time.Minute}}}},
		Working: alert.Hours{Days: [7]bool{time.Monday: true, time.Saturday: true}, From: 9 * 60}, Wakes: wakes, UntrackedStock: true, Worsens: 1500,
		Kinds:    map[string]string{"log": "log", "push": "ntfy", "sms": "twilio-sms", "manager": "pagerduty", "ntfy": "ntfy"},
		Services: []alert.Service{{Channel: "log"}, {Channel: "manager", Critical: true}, {Channel: "ntfy"}},
		Drill:    alert.DrillPlan{Every: alert.Weekly, Day: 3, At: 9*60 + 30, Within: 5 * time.Minute}, GapAhead: alert.GapDefault,
	}
	if d := cmp.Diff(want, c.Duty, cmp.Comparer(func(a, b *time.Location) bool { return a.String() == b.String() })); d != "" {
		t.Error(d)
	}
	channels := []alert.Settings{{ID: "log", Kind: "log"}, {ID: "push", Kind: "ntfy", Server: "https://ntfy.sh", TokenFile: "ntfy.token", Answers: "answers-x1"},
		{ID: "sms", Kind: "twilio-sms", Account: "AC1", TokenFile: "twilio.token", From: "+447700900100"}, {ID: "manager", Kind: "pagerduty", From: "a", TokenFile: "pd.key"},
		{ID: "ntfy", Kind: "ntfy", Server: "https://ntfy.sh", To: "all-of-it"}}
	if d := cmp.Diff(channels, c.Channels); d != "" {
		t.Error(d)
	}
	if c.Heartbeat.URLFile != "beat.url" {
		t.Errorf("%+v", c.Heartbeat)
	}
}

// Without a word of people everything is as before: services, no more.
func TestNotifyAloneIsServices(t *testing.T) {
	base, _, _ := strings.Cut(clinic, "notify:")
	c := parsed(t, base+"notify: [{channel: log}, {channel: ntfy, topic: a}, {channel: ntfy, topic: b, server: \"http://127.0.0.1:1/\"}]\n")
	if d := cmp.Diff([]alert.Service{{Channel: "log"}, {Channel: "ntfy"}, {Channel: "ntfy-2"}}, c.Duty.Services); d != "" || c.Channels[2].Server != "http://127.0.0.1:1" {
		t.Errorf("%s%+v", d, c.Channels)
	}
	if c.Duty.Policy(alert.Critical, nil, time.Now()) != nil || c.Duty.Working != alert.Office {
		t.Errorf("%+v", c.Duty)
	}
}

// Every bad case is an error at its place, with its cure; changes are made to
// a good file, one at a time.
func TestABadDutyIsRefusedWithPlaceAndCure(t *testing.T) {
	const rest = "  - id: rest\n    steps:\n      - {call: [everyone]}\n"
	for _, c := range []struct{ name, old, new, at, want string }{
		{"unknown person in a shift", "[anna, Bert]", "[anna, carl]", "carl], starts: 2026-01-0", `no person "carl" is listed under`},
		{"everyone in a shift", "[anna, Bert]", "[anna, everyone]", "everyone], starts: 2026-", "one person is on call at a time"},
		{"unknown person in an override", "person: bert}", "person: carl}", "carl}", `no person "carl"`},
		{"unknown person on a holiday", "26, person: anna", "26, person: carl", "carl}", `no person "carl"`},
		{"unknown rota or person in a step", "call: [nights]", "call: [days]", "days]}, {call: [bert], a", `no person and no rota "days" is listed under`},
		{"unknown channel", "{channel: SMS", "{channel: fax", `fax, to: "+447700900124"`, `no channel "fax" is listed under`},
		{"unknown unit", "[Fridge-1]", "[fridge-9]", "fridge-9], during: {from", `no unit "fridge-9" is listed under`},
		{"unknown kind of channel", "channel: log", "channel: pigeon", "pigeon}", `"pigeon" is not known here; log, ntfy,`},
		{"channel without its kind", "{channel: log}", "{id: x}", "{id: x}", "the channel is missing"},
		{"setting missing", "account: AC1, ", "", "{id: sms, channel: twili", "twilio-sms needs `account: AC…`"},
		{"secret's file missing", "token_file: pd.key, ", "", "{id: manager, channel: p", "pagerduty needs `token_file: PATH`"},
		{"sender missing", `, from: "+447700900100"`, "", "{id: sms, channel: twili", "twilio-sms needs `from"},
		{"setting of another kind", "{channel: log}", "{channel: log, device: /dev/null}", "/dev/null}", "does not go with log"},
		{"secret in the file", "token_file: pd.key", "token: s3cr3t", "token: s3cr3t, only: cri", "`token_file: PATH`"},
		{"secret in a server's name", "{id: push, channel: ntfy,", "{id: push, channel: ntfy, server: \"https://a:s3cr3t@h.example\",", `"https://a:s3cr3t@h.exam`, "`token_file: PATH`"},
		{"no server", "{id: push, channel: ntfy,", "{id: push, channel: ntfy, server: h.example,", "h.example, token_file: n", "https://HOST is"},
		{"mail server that is a page", "{channel: log}", "{channel: email, server: \"https://mail.example.org\", from: a@example.org, to: b@example.org}", `"https://mail`, "as in mail.example.org:587"},
		{"mailbox that is none", "{channel: log}", "{channel: email, server: mail.example.org, from: example.org, to: b@example.org}", "example.org, to", "is no mailbox"},
		{"mail for nobody that can be", "{channel: log}", "{channel: email, server: mail.example.org, from: a@example.org, to: \"B <b@example.org>\"}", `"B <b`, "as in anna@example.org"},
		{"password in the clear", "{channel: log}", "{channel: email, server: mail.example.org, from: a@example.org, to: b@example.org, account: a, token_file: mail.pw, security: none}", "none", "everybody on the way reads"},
		{"password without a user", "{channel: log}", "{channel: email, server: mail.example.org, from: a@example.org, to: b@example.org, token_file: mail.pw}", "{channel: email", "go together"},
		{"webhook to nowhere", "{channel: log}", "{channel: webhook}", "{channel: webhook", "one of two"},
		{"siren that is silent", "{channel: log}", "{channel: siren, button: GPIO22}", "{channel: siren", "a buzzer or a light"},
		{"modem nowhere", "{channel: log}", "{channel: modem, to: \"+447700900123\"}", "{channel: modem", "`device: /dev/ttyUSB0`"},
		{"modem of no speed", "{channel: log}", "{channel: modem, device: /dev/ttyUSB0, baud: 7, to: \"+447700900123\"}", "7, to", "115200 is usual"},
		{"user key", "{channel: log}", "{channel: pushover, token_file: po.token, to: anna}", "anna", "30 letters and digits"},
		{"chat", "{channel: log}", "{channel: telegram, token_file: tg.token, to: \"@anna\"}", `"@anna"`, "the number of a chat"},
		{"channel for nobody", "{channel: ntfy, topic: all-of-it}", "{channel: ntfy}", "{channel: ntfy}", "reaches nobody"},
		{"channel id twice", "{id: manager,", "{id: SMS,", "SMS, channel: pagerduty,", "compared without case"},
		{"only on a person's channel", "answers: answers-x1", "answers: answers-x1, only: critical", "critical}", "`only` is for a channel that belongs to nobody"},
		{"answers on the topic of alarms", "topic: all-of-it", "topic: t, answers: t", "t}", "answers need a topic of their own"},
		{"sender is no number", `"+447700900100"`, `"0044 7700 900100"`, `"0044 7700 900100"}`, "as in +447700900123"},
		{"phone number without country", `"+447700900124"`, `"07700900124"`, `"07700900124"}]}`, "as in +447700900123"},
		{"phone number with blanks", `"+447700900124"`, `"+44 7700 900124"`, `"+44 7700 900124"}]}`, "without blanks"},
		{"contact without address", `{channel: SMS, to: "+447700900124"}`, "{channel: SMS}", "{channel: SMS}]}", "the address is missing"},
		{"contact with an address too many", `{channel: SMS, to: "+447700900124"}`, "{channel: manager, to: x}", "x}]}", "leave `to` out"},
		{"a name in the log with blanks", `{channel: SMS, to: "+447700900124"}`, `{channel: log, to: "Bert himself"}`, `"Bert himself"}]}`, "a name without blanks"},
		{"contact twice", `{channel: SMS, to: "+447700900124"}`, `{channel: sms, to: "+447700900124"}, {channel: sms, to: "+447700900124"}`, `{channel: sms, to: "+447`, "once is enough"},
		{"contact on the topic of answers", "to: anna-1", "to: answers-x1", "answers-x1}, {channel: s", "take another"},
		{"first contact waits", "to: anna-1", "to: anna-1, after: 1m", "1m}, {channel: sms, to: ", "tried at once"},
		{"contact waits for hours", `to: "+447700900123"`, `to: "+447700900123", after: 2h`, `2h}], quiet: {from: "22:`, "from 0s to 1h0m0s can be"},
		{"person without contacts", `, contacts: [{channel: SMS, to: "+447700900124"}]`, "", "{id: bert}", "cannot be called: `contacts"},
		{"person twice", "{id: bert,", "{id: Anna,", "Anna, contacts: [{channe", "compared without case"},
		{"person named like all", "{id: bert,", "{id: everyone,", "everyone, contacts: [{ch", "take another id"},
		{"rota named like a person", "id: nights", "id: anna", "anna", `"anna" already`},
		{"quiet all day", `from: "22:00", to: "07:00"`, `from: "22:00", to: "22:00"`, `{from: "22:00", to: "22:`, "a whole day"},
		{"quiet with half its hours", `from: "22:00", to: "07:00"`, `from: "22:00"`, `{from: "22:00", days: [m`, "go together"},
		{"no such day", "[mon, tue]", "[mon, someday]", "someday]}}", "mon, tue, wed"},
		{"no day", "[mon, tue]", "[]", "[]}}", "not one day"},
		{"no time of day", `"22:00"`, `"25:00"`, `"25:00", to: "07:00", da`, `in quotes`},
		{"language without words", "language: de,", "language: fr,", "fr, contacts: [{channel:", "`words: FILE`"},
		{"shift without people", "people: [anna, Bert]", "people: []", `{from: "18:00", to: "08:`, "nobody is in the shift"},
		{"rota without shifts", "shifts:\n      - {from: \"18:00\", to: \"08:00\", people: [anna, Bert], starts: 2026-01-05}", "shifts: []", ": nights", "has no shifts"},
		{"turns without a beginning", ", starts: 2026-01-05", "", `{from: "18:00", to: "08:`, "`starts` is missing"},
		{"overlapping shifts", "    overrides:", "      - {days: [tue], from: \"07:00\", to: \"09:00\", people: [anna]}\n    overrides:", "{days: [tue]", "overlaps with the shift in line 21 on Tue 07:00"},
		{"overlap across the week's end", "    overrides:", "      - {days: [sat], from: \"12:00\", to: \"09:00\", people: [anna]}\n    overrides:", "{days: [sat]", "overlaps with the shift in line 21 on Sat 18:00"},
		{"override backwards", "to: 2026-12-25T08:00:00+01:00", "to: 2026-12-24T17:00", "2026-12-24T17:00, person", "not after"},
		{"overlapping overrides", "    holidays:", "      - {from: 2026-12-25T06:59, to: 2026-12-25T09:00, person: anna}\n    holidays:", "{from: 2026-12-25T06:59,", "from 2026-12-24 18:00 to 2026-12-25 07:00"},
		{"override at a time that is skipped", "from: 2026-12-24T18:00", "from: 2026-03-29T01:30", "2026-03-29T01:30, to: 20", "skips"},
		{"override at a time that comes twice", "from: 2026-12-24T18:00", "from: 2026-10-25T01:30", "2026-10-25T01:30, to: 20", "2026-10-25T01:30:00+01:00 or 2026-10-25T01:30:00Z"},
		{"holiday without a date", "2026-12-26", "26.12.", "26.12., person: anna}", "YYYY-MM-DD"},
		{"holiday twice", "{date: 2026-12-26, person: anna}", "{date: 2026-12-26, person: anna}\n      - {date: 2026-12-26, person: bert}", "2026-12-26, person: bert", "stands here twice"},
		{"step without anyone", "{call: [bert], after: 6m}", "{after: 6m}", "{after: 6m}, {call: [eve", "the step calls nobody: `call"},
		{"policy without steps", "    steps:\n      - {call: [everyone]}\n", "", ": rest", "has no steps"},
		{"last step without everyone", "      - {call: [everyone]}", "      - {call: [anna]}", "{call: [anna]}", "must call everyone"},
		{"policy twice", "id: rest", "id: night", "night", "compared without case"},
		{"step without its wait", "{call: [bert], after: 6m}", "{call: [bert]}", "{call: [bert]}, {call: [", "`after` is missing"},
		{"step waits too long", "after: 6m", "after: 2h", "2h}, {call: [everyone], ", "from 30s to 1h0m0s can be"},
		{"step waits for nothing", "after: 6m", "after: 0s", "0s}, {call: [everyone], ", "from 30s to 1h0m0s can be"},
		{"step repeats too often", "repeat: 3m", "repeat: 10s", "10s}]}", "from 1m0s to 1h0m0s can be"},
		{"hours without a policy", rest, "", "- {id: night", "no policy fits a critical alarm of fridge-1 from Mon 08:00 to Mon 18:00: end the list with"},
		{"units without a policy", rest, "", "- {id: night", "no policy fits a critical alarm of fridge-2, no unit (power, disk, clock) at any time"},
		{"days without a policy", "id: rest", "id: rest\n    during: {days: [mon, tue, wed, thu, fri, sat]}", "- {id: night", "fridge-2, no unit (power, disk, clock) from Sun 00:00 to Mon 00:00"},
		{"a batch about to be lost", "calibration: never", "batch_soon: never", "never}", "wakes at any hour"},
		{"wakes unknown", "calibration: never", "calibration: sometimes", "sometimes}", "at_once, working_hours, never"},
		{"wakes of something unknown", "calibration: never", "ghosts: never", "ghosts: never}", "known here are too_warm"},
		{"worsens by nothing", "worsens: 1.5", "worsens: 0", "0", "2 is usual"},
		{"drill on no day", "every: weekly, day: wed", "every: monthly, day: 31", `31, at: "9:30", within: `, "1 to 28"},
		{"drill on no weekday", "day: wed", "day: 3", `3, at: "9:30", within: 5`, "no day of the week"},
		{"drill sometimes", "every: weekly, ", "", `{day: wed, at: "9:30", w`, "how often is missing"},
		{"heartbeat with its URL", "url_file: beat.url", "url: https://hc.example/secret", "url: https://hc.example/", "`url_file: PATH`"},
	} {
		if strings.Count(clinic, c.old) != 1 {
			t.Fatalf("%s: %q is %d times in the file", c.name, c.old, strings.Count(clinic, c.old))
		}
		text := strings.Replace(clinic, c.old, c.new, 1)
		_, err := Parse("f.yaml", []byte(text))
		lines := strings.Split(text, "\n")
		var list Errors
		if !errors.As(err, &list) || !slices.ContainsFunc(list, func(e Error) bool {
			return strings.HasPrefix(lines[e.Line-1][e.Col-1:], c.at) && strings.Contains(e.Msg, c.want)
		}) {
			t.Errorf("%s: want %q at %q, have\n%v", c.name, c.want, c.at, err)
		}
		if err != nil && strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%s: the secret is told", c.name)
		}
	}
}

// What is allowed and unwise is a warning.
func TestAnUnwiseDutyIsAWarning(t *testing.T) {
	for _, c := range []struct{ name, old, new, want string }{
		{"part of the week without anyone", `from: "18:00", to: "08:00", people`, `days: [mon, tue, wed, thu, fri, sat], from: "18:00", to: "08:00", people`, "nobody is on call by rota nights from Sun 18:00 to Mon 08:00 each week"},
		{"part of the night without anyone", `to: "08:00", people`, `to: "06:30", people`, "nobody is on call by rota nights from Mon 06:30 to Mon 08:00 each week"},
		{"rota that nobody calls", "call: [nights]", "call: [anna]", "no policy calls rota nights"},
		{"policy that is never taken", "  - id: rest\n", "  - {id: all, steps: [{call: [everyone]}]}\n  - id: rest\n", "policy rest is never taken: all, before it"},
		{"warnings without a policy", "  - id: rest\n", "  - id: rest\n    severity: critical\n", "as it is everyone is called"},
		{"stock that wakes nobody", "calibration: never", "too_warm: working_hours", "stock can be lost"},
	} {
		w := parsed(t, strings.Replace(clinic, c.old, c.new, 1)).Warnings.Error()
		if !strings.Contains(w, c.want) || strings.Contains(parsed(t, clinic).Warnings.Error(), c.want) {
			t.Errorf("%s: want %q in\n%s", c.name, c.want, w)
		}
	}
}

// A unit whose alarm comes later than the loss of what it may hold is named,
// with both times.
func TestAlarmsThatComeTooLate(t *testing.T) {
	const alarms = "alarms: [{id: warm, above: 8, for: 15m}, {id: cold, below: 2, for: 5m}, {id: frost, below: 0, for: 0s, severity: warning}]"
	unit := strings.Replace(clinic, "{id: fridge-1, range: {low: 2, high: 8}, probes: [f1]}", "{id: fridge-1, range: {low: 2, high: 8}, probes: [f1], "+alarms+"}", 1)
	for _, c := range []struct {
		name, profile string
		want          []string
	}{
		{"no allowance", "confirm: 60s", []string{"lost after 1m above 8.0 °C, and the first critical alarm for it comes after 15m", "lost after 1m below 2.0 °C, and the first critical alarm for it comes after 5m"}},
		{"allowances that are long enough", "rules: [{id: w, above: 8, total: 2h}, {id: c, below: 2, for: 5m}]", nil},
		{"a limit farther out", "rules: [{id: w, above: 8, total: 2h}, {id: hot, above: 25, for: 10m}, {id: c, below: 2, for: 1h}, {id: frost, below: 0, for: 0s}]",
			[]string{"lost after 10m above 25.0 °C, and the first critical alarm for it comes after 15m", "lost after 0s below 0.0 °C, and the first critical alarm for it comes after 5m"}},
		{"without data", "unmonitored: 8m, rules: [{id: w, above: 8, total: 2h}, {id: c, below: 2, for: 5m}]", []string{"lost after 8m without readings, and the first critical alarm for it comes after 10m"}},
	} {
		w := parsed(t, unit+"profiles: [{id: p, source: x, range: {low: 2, high: 8}, "+c.profile+"}]\n").Warnings
		w = slices.DeleteFunc(w, func(e Error) bool { return e.Line != 7 })
		if len(w) != len(c.want) {
			t.Errorf("%s: %d warnings, want %d:\n%v", c.name, len(w), len(c.want), w)
		}
		for _, want := range c.want {
			if !strings.Contains(w.Error(), want) || !strings.Contains(w.Error(), "25 % of the allowance or 30 min") {
				t.Errorf("%s: want %q in\n%v", c.name, want, w)
			}
		}
	}
	narrow := parsed(t, unit+"profiles: [{id: p, source: x, range: {low: 3, high: 7}}]\n").Warnings.Error()
	if strings.Contains(narrow, "is lost after") {
		t.Errorf("a unit does not hold what its range does not keep:\n%s", narrow)
	}
	if w := parsed(t, clinic+"profiles: [{id: p, source: x, range: {low: 2, high: 8}}]\n").Warnings.Error(); !strings.Contains(w, "there is no critical alarm for it") {
		t.Errorf("a unit without alarms of temperature:\n%s", w)
	}
}

// A secret that everybody may read is a problem at its place; a file that is
// not here is a warning.
func TestFilesThatTheConfigNames(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, mode os.FileMode, text string) string {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.WriteFile(path, []byte(text), 0o600), os.Chmod(path, mode)); err != nil {
			t.Fatal(err)
		}
		return path
	}
	text := clinic + "words: " + write("words", 0o644, "x") + "\n"
	for old, new := range map[string]string{"ntfy.token": write("a", 0o644, "x"), "twilio.token": write("b", 0o640, "x"), "pd.key": write("c", 0o600, ""), "beat.url": filepath.Join(dir, "none")} {
		text = strings.Replace(text, old, new, 1)
	}
	problems, warnings := parsed(t, text).Files()
	if len(problems) != 2 || problems[0].Line != 11 || !strings.Contains(problems[0].Msg, "chmod 0640") || problems[1].Line != 13 || !strings.Contains(problems[1].Msg, "is empty") {
		t.Errorf("problems:\n%v", problems)
	}
	if len(warnings) != 1 || warnings[0].Line != 36 || !strings.Contains(warnings[0].Msg, "no such file") {
		t.Errorf("warnings:\n%v", warnings)
	}
	if problems, warnings := parsed(t, clinic).Files(); len(problems)+len(warnings) != 0 {
		t.Errorf("credentials are for the service to see: %v %v", problems, warnings)
	}
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
	if _, warnings := parsed(t, clinic).Files(); len(warnings) != 4 {
		t.Errorf("a credential that the service lacks is told: %v", warnings)
	}
}

func TestEveryKindOfChannelAndAlarmIsKnown(t *testing.T) {
	if got, want := slices.Sorted(maps.Keys(kinds)), slices.Sorted(slices.Values(alert.Kinds)); !slices.Equal(got, want) {
		t.Errorf("channels %v, want %v", got, want)
	}
	var all strings.Builder
	for k := range alert.DefaultWakes() {
		if k != alert.BatchSoon {
			all.WriteString(string(k) + ": never, ")
		}
	}
	c := parsed(t, strings.Replace(clinic, "wakes: {calibration: never}", "wakes: {"+strings.TrimSuffix(all.String(), ", ")+"}", 1))
	for k, w := range c.Duty.Wakes {
		if w != alert.Never && k != alert.BatchSoon {
			t.Errorf("%s: %s", k, w)
		}
	}
}

// The example is accepted as it stands, on any machine.
func TestTheExampleCallsPeople(t *testing.T) {
	c, err := Load("../../configs/clinic.yaml")
	if err != nil {
		t.Fatal(err)
	}
	problems, warnings := c.Files()
	if len(c.Warnings)+len(problems)+len(warnings) != 0 {
		t.Errorf("%v\n%v\n%v", c.Warnings, problems, warnings)
	}
	if gaps := c.Duty.Gaps(time.Date(2026, 3, 26, 12, 0, 0, 0, time.UTC)); len(gaps) != 0 || len(c.Duty.Plan(alert.Critical, []string{"fridge-1"}, time.Date(2026, 5, 5, 2, 12, 0, 0, time.UTC))) == 0 {
		t.Errorf("gaps %v", gaps)
	}
}

// The log may stand for somebody's telephone, with a name or without; check
// says that it wakes nobody.
func TestTheLogWakesNobody(t *testing.T) {
	for _, contact := range []string{"{channel: log, to: bert}", "{channel: log}"} {
		c := parsed(t, strings.Replace(clinic, `{channel: SMS, to: "+447700900124"}`, contact, 1))
		if got := c.Duty.People[1].Contacts[0]; got.Channel != "log" || got.To != "" && got.To != "bert" {
			t.Errorf("%s: %+v", contact, got)
		}
		if !strings.Contains(c.Warnings.Error(), "bert is called in the log only, which wakes nobody") {
			t.Errorf("%s: no warning in\n%v", contact, c.Warnings)
		}
	}
	if c := parsed(t, clinic); strings.Contains(c.Warnings.Error(), "in the log only") {
		t.Errorf("who has a telephone is warned of: %v", c.Warnings)
	}
}
