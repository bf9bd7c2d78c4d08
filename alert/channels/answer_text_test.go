package channels

import (
	"strings"
	"testing"
	"time"

	"coldkeep/alert"
)

func TestATextMeansAButtonOrNone(t *testing.T) {
	english := sample("").Buttons
	german := []alert.Button{{Text: "Komme, 30 Min.", Data: "g"}, {Text: "Kann nicht: Nächste anrufen", Data: "n"}, {Text: "Status", Data: "s"}}
	french := []alert.Button{{Text: "J'y vais", Data: "g"}, {Text: "Impossible", Data: "n"}, {Text: "Situation", Data: "s"}}
	one := []alert.Button{{Text: "Going", Data: "g"}}
	swapped := []alert.Button{{Text: "Status", Data: "s"}, {Text: "Going, 30 min", Data: "g"}}
	g, n, s := english[0].Data, english[1].Data, english[2].Data
	for _, c := range []struct {
		text    string
		buttons []alert.Button
		want    string
	}{
		{"1", english, g}, {" 1. ", english, g}, {"(2)", english, n}, {"3!", english, s}, {"1\ufe0f\u20e3", english, g}, {"4", english, ""}, {"0", english, ""}, {"11", english, ""},
		{"1 going 30 min", english, g}, {"1 Going, 30 min", english, g}, {"2 can’t", english, n}, {"1 can't", english, ""}, {"2 going", english, ""},
		{"2 min, going", english, ""}, {"1 minute", english, ""}, {"1 or 2?", english, ""},
		{"going", english, g}, {"Going, 30 min", english, g}, {"GOING NOW!", english, g}, {"I'm on my way", english, g}, {"going in 10 min", english, g}, {"going to bed", english, ""}, {"who is going?", english, ""},
		{"can't", english, n}, {"cant, am ill", english, n}, {"Not going", english, n}, {"no", english, n}, {"no problem", english, ""}, {"nobody told me", english, ""},
		{"Status", english, s}, {"status please", english, s}, {"status of what?", english, ""},
		{"ok", english, ""}, {"yes", english, ""}, {"", english, ""}, {"?", english, ""}, {"STOP", english, ""},
		{"Komme", german, "g"}, {"Ich komme gleich", german, "g"}, {"kann nicht", german, "n"}, {"Nein", german, "n"}, {"Stand", german, "s"}, {"bin unterwegs", german, "g"}, {"2", german, "n"},
		{"j’y vais", french, "g"}, {"impossible", french, "n"}, {"komme", french, "g"}, {"status", french, "s"},
		{"going", one, "g"}, {"1", one, "g"}, {"can't", one, ""}, {"2", one, ""},
		{"going", swapped, "g"}, {"1", swapped, "s"}, {"can't", swapped, ""},
	} {
		open := []alert.Sent{{To: "+447700900123", Buttons: c.buttons, At: three}}
		if got := buttonOf(c.text, open, "+447700900123"); got != c.want {
			t.Errorf("%q to %q means %q, not %q", c.text, c.buttons[0].Text, got, c.want)
		}
	}
}

func TestTheNewestMessageToThePhoneIsAnswered(t *testing.T) {
	open := []alert.Sent{
		{To: "+44 7700 900123", Buttons: []alert.Button{{Text: "Going", Data: "old"}}, At: three},
		{To: "0044 (7700) 900-123", Buttons: []alert.Button{{Text: "Going", Data: "new"}}, At: three.Add(time.Minute)},
		{To: "+447700900456", Buttons: []alert.Button{{Text: "Going", Data: "another's"}}, At: three.Add(time.Hour)},
		{To: "+447700900123", At: three.Add(time.Hour)}, // nothing to answer
	}
	for from, want := range map[string]string{"+447700900123": "new", "+447700900456": "another's", "+447700900789": "", "FONIC": ""} {
		if got := buttonOf("1", open, from); got != want {
			t.Errorf("from %s it answers %q, not %q", from, got, want)
		}
	}
}

func TestATextSaysHowToAnswerIt(t *testing.T) {
	m := sample("")
	m.Title, m.Body = "FRIDGE 1 TOO WARM", "Shut the door."
	if got, want := withAnswers(m), "FRIDGE 1 TOO WARM\nShut the door.\nAnswer 1 Going, 30 min; 2 Can't: call next; 3 Status"; got != want {
		t.Errorf("%q, not %q", got, want)
	}
	m.Language, m.Buttons = "de", []alert.Button{{Text: "Komme, 30 Min.", Data: "g"}, {Text: "Kann nicht", Data: "n"}, {Text: "Status", Data: "s"}}
	m.HowTo = alert.NewCatalogues().For(m.Language).NumberedAnswers(m.Buttons)
	if got, want := withAnswers(m), "FRIDGE 1 TOO WARM\nShut the door.\nAntwort: 1 Komme, 30 Min.; 2 Kann nicht; 3 Status"; got != want {
		t.Errorf("%q, not %q", got, want)
	}
	m.Buttons, m.Body = nil, ""
	if got := withAnswers(m); got != "FRIDGE 1 TOO WARM" {
		t.Errorf("without buttons: %q", got)
	}
}

// A clinic's own language offers its own words, and they are understood.
func TestOwnWordsAreUnderstood(t *testing.T) {
	own, err := alert.ReadCatalogue([]byte(`language: fr
phrases:
  button.going: "J'y vais, {n} min"
  button.cant: "Impossible: suivant"
  button.status: "Situation"
  answer.numbers: "Répondez {answers}"
  answer.going: "VAIS, PRÉSENT"
  answer.cant: "IMPOSSIBLE, PAS POSSIBLE"
  answer.status: "SITUATION, ÉTAT"
`), nil)
	if err != nil {
		t.Fatal(err)
	}
	words := alert.NewCatalogues()
	words.Add(own)
	person := alert.Person{ID: "anna", Name: "Anna", Language: "fr", Contacts: []alert.Contact{{Channel: "sms", To: "+447700900123"}}}
	desk := alert.NewDesk(alert.Duty{Site: "Clinic A", People: []alert.Person{person}}, words, []byte("a key of the test"))
	desk.Turn(three, alert.Situation{Alarms: []alert.Alarm{{Key: "mains", Kind: alert.MainsLost, Severity: alert.Critical, Text: "mains lost", Raised: three}}})
	flights := desk.Flights()
	if len(flights) != 1 {
		t.Fatalf("on their way: %+v", flights)
	}
	if text := withAnswers(desk.Message(&flights[0])); !strings.HasSuffix(text, "\nRépondez 1 J'y vais, 30 min; 2 Impossible: suivant; 3 Situation") {
		t.Errorf("it says %s", text)
	}
	desk.Report(three, alert.Outcome{ID: flights[0].ID})
	open := desk.Sent("sms")
	if len(open) != 1 {
		t.Fatalf("open: %+v", open)
	}
	g, n, s := open[0].Buttons[0].Data, open[0].Buttons[1].Data, open[0].Buttons[2].Data
	for text, want := range map[string]string{"présent": g, "Vais 30": g, "VAIS 20 min!": g, "pas possible": n, "Impossible": n, "état": s, "1": g, "3": s, "going": g, "vais pas": "", "présente mes excuses": "", "oui": ""} {
		if got := buttonOf(text, open, open[0].To); got != want {
			t.Errorf("%q means %q, not %q", text, got, want)
		}
	}
}
