package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"text/tabwriter"
	"time"

	"coldkeep/internal/coldchain"
	"coldkeep/sensor"
)

type alarmsCommand struct {
	List     alarmsList     `cmd:"" help:"What people are called for, and who has taken it."`
	Ack      alarmsAck      `cmd:"" help:"I am going: nobody else is called until the promised time."`
	Decline  alarmsDecline  `cmd:"" help:"I cannot go: call the next one at once."`
	Shelve   alarmsShelve   `cmd:"" help:"Call nobody for a while; it is recorded and judged all the same."`
	Unshelve alarmsUnshelve `cmd:"" help:"End a shelf: call people again."`
	Close    alarmsClose    `cmd:"" help:"Say what it was and what was done, when it is over."`
	Test     alarmsTest     `cmd:"" help:"Call a person for real, and wait for the answer; exit 1 when none comes."`
}

// alarmsAnswer is what the daemon tells of alarms.
type alarmsAnswer struct {
	Alarms   []coldchain.Alarm     `json:"alarms"`
	Troubles []coldchain.Trouble   `json:"troubles"`
	Drill    *coldchain.DrillState `json:"drill"`
}

// alarms asks the daemon, or reads the record of one that does not run.
func alarms(a *app, dir string) (alarmsAnswer, error) {
	x := alarmsAnswer{Alarms: []coldchain.Alarm{}, Troubles: []coldchain.Trouble{}}
	err := askDaemon(a.ctx, dir, http.MethodGet, "/api/v1/alarms", nil, &x)
	if !errors.Is(err, errNotRunning) {
		return x, err
	}
	s, err := stopped(a, dir)
	if err != nil {
		return x, err
	}
	x.Alarms, x.Troubles, x.Drill = append(x.Alarms, s.Alarms...), append(x.Troubles, s.Troubles...), s.Drill
	return x, nil
}

type alarmsList struct {
	where
	JSON bool `name:"json" help:"Print one JSON object."`
}

func (c *alarmsList) Run(a *app) error {
	dir, err := c.dir(a)
	if err != nil {
		return err
	}
	x, err := alarms(a, dir)
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(a.out).Encode(x)
	}
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "TROUBLE\tSTATE\tSINCE\tWHO\tTEXT")
	row := func(key, state string, since sensor.Instant, who, units, text string) {
		if units != "" {
			text = units + ": " + text
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", key, state, since, who, strings.ReplaceAll(text, "\n", "; "))
	}
	shown := map[string]bool{}
	for _, t := range x.Troubles {
		shown[t.Key] = true
		row(t.Key, t.State, t.Opened, whoHas(t), strings.Join(t.Units, ", "), t.Text)
	}
	for _, l := range x.Alarms { // nobody is called for these
		if !shown[l.Trouble] {
			row("-", cmp.Or(l.State, "raised"), l.Raised, "-", cmp.Or(l.Batch, l.Unit), l.Text)
		}
	}
	return w.Flush()
}

// whoHas says who has taken a trouble and until when, or who has been called.
func whoHas(t coldchain.Trouble) string {
	switch t.State {
	case "acknowledged", "shelved":
		if t.Until != nil {
			return cmp.Or(t.By, "somebody") + " until " + t.Until.String()
		}
		return cmp.Or(t.By, "somebody")
	}
	var names []string
	for _, c := range t.Called {
		names = append(names, cmp.Or(c.Name, c.Person))
	}
	if len(names) == 0 {
		return "-"
	}
	return "called: " + strings.Join(names, ", ")
}

// which is the alarm that is meant.
type which struct {
	Alarm string `arg:"" optional:"" name:"trouble" help:"The trouble as in the list, or a unit; default: the only one there is."`
}

// answer gives a command about an alarm, and prints what became of it.
func (o *sender) answer(a *app, name string, c coldchain.Command) error {
	e, err := o.give(a, name, c)
	if err != nil {
		return err
	}
	if o.JSON {
		return json.NewEncoder(a.out).Encode(e)
	}
	key, until := c.Alarm, c.Until
	if e.Call != nil {
		key, until = cmp.Or(e.Call.Trouble, key), cmp.Or(e.Call.Until, until)
	}
	what := strings.ReplaceAll(strings.TrimPrefix(string(e.Kind), "alarm_"), "_", " ")
	if until != 0 {
		what += " until " + until.String()
	}
	if key != "" {
		what = key + ": " + what
	}
	_, err = fmt.Fprintf(a.out, "%s, %s, by %s\n", what, e.Time, e.By)
	return err
}

type alarmsAck struct {
	which
	Promise time.Duration `placeholder:"SPAN" help:"How long until somebody is there; default 20m."`
	Person  string        `placeholder:"ID" help:"Who goes, where that is one who is called."`
	sender
}

func (c *alarmsAck) Run(a *app) error {
	if c.Promise < 0 {
		return fmt.Errorf("--promise %s: it lies in the past", c.Promise)
	}
	o := coldchain.Command{Alarm: c.Alarm, Person: c.Person}
	if c.Promise > 0 {
		o.Promise = c.Promise.String()
	}
	return c.answer(a, "ack", o)
}

type alarmsDecline struct {
	which
	Person string `placeholder:"ID" help:"Who cannot go, where that is one who is called."`
	sender
}

func (c *alarmsDecline) Run(a *app) error {
	return c.answer(a, "decline", coldchain.Command{Alarm: c.Alarm, Person: c.Person})
}

type alarmsShelve struct {
	which
	Until string        `placeholder:"TIME" required:"" xor:"end" help:"Until then: 2026-05-05T06:00:00Z."`
	For   time.Duration `placeholder:"SPAN" required:"" xor:"end" help:"So long: 2h."`
	sender
}

func (c *alarmsShelve) Run(a *app) error {
	o := coldchain.Command{Alarm: c.Alarm, Until: sensor.At(time.Now().Add(c.For))}
	if c.Until != "" {
		if err := o.Until.UnmarshalText([]byte(c.Until)); err != nil {
			return fmt.Errorf("--until %q: write it as 2026-05-05T06:00:00Z", c.Until)
		}
	} else if c.For <= 0 {
		return fmt.Errorf("--for %s: it lies in the past", c.For)
	}
	if c.Reason == "" {
		return errors.New("why is nobody to be called? give --reason TEXT: it stands in the record")
	}
	return c.answer(a, "shelve", o)
}

type alarmsUnshelve struct {
	which
	sender
}

func (c *alarmsUnshelve) Run(a *app) error {
	return c.answer(a, "unshelve", coldchain.Command{Alarm: c.Alarm})
}

type alarmsClose struct {
	which
	Cause  string `required:"" placeholder:"TEXT" help:"What it was."`
	Action string `required:"" placeholder:"TEXT" help:"What was done."`
	sender
}

func (c *alarmsClose) Run(a *app) error {
	return c.answer(a, "close", coldchain.Command{Alarm: c.Alarm, Cause: c.Cause, Action: c.Action})
}

type alarmsTest struct {
	Person string        `placeholder:"ID" help:"Whom to call; default: who is on call now."`
	Within time.Duration `default:"10m" placeholder:"SPAN" help:"How long to wait for the answer."`
	sender
}

// pollTime is between looks for an answer.
const pollTime = 2 * time.Second

// A tested is how a test ended.
type tested struct {
	Answered bool    `json:"answered"`
	By       string  `json:"by,omitempty"`
	TookS    float64 `json:"took_s,omitempty"`
}

func (c *alarmsTest) Run(a *app) error {
	dir, err := c.dir(a)
	if err != nil {
		return err
	}
	e, err := c.give(a, "test", coldchain.Command{Person: c.Person})
	if err != nil {
		return err
	}
	fmt.Fprintf(a.errOut, "The test has begun. Waiting up to %s for somebody to press Going.\n", c.Within)
	r, err := c.wait(a, dir, e)
	if err != nil {
		return err
	}
	if c.JSON {
		err = json.NewEncoder(a.out).Encode(r)
	} else if r.Answered {
		_, err = fmt.Fprintf(a.out, "answered by %s after %.1f min\n", cmp.Or(r.By, "somebody"), r.TookS/60)
	}
	if err == nil && !r.Answered {
		err = fmt.Errorf("nobody answered the test within %s: look at the phones' settings, and at the channels in `coldkeep alarms list`", c.Within)
	}
	return err
}

// wait looks for the answer to the drill that e began. A daemon that does not
// answer for a while may be restarting.
func (c *alarmsTest) wait(a *app, dir string, e coldchain.Event) (tested, error) {
	ctx, cancel := context.WithTimeout(a.ctx, c.Within)
	defer cancel()
	tick := time.NewTicker(pollTime)
	defer tick.Stop()
	key, r := "", tested{}
	if e.Call != nil {
		key = e.Call.Trouble
	}
	var lost error
	for {
		var x alarmsAnswer
		if lost = askDaemon(ctx, dir, http.MethodGet, "/api/v1/alarms", nil, &x); lost == nil {
			for _, t := range x.Troubles {
				if t.Key == key && t.By != "" {
					r.By = t.By
				}
			}
			if d := x.Drill; d != nil && d.At != nil && *d.At >= e.Time && d.Answered {
				r.Answered, r.TookS = true, d.TookS
				return r, nil
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			if err := a.ctx.Err(); err != nil {
				return r, fmt.Errorf("wait for the answer: %w", err)
			}
			if lost != nil && !errors.Is(lost, context.DeadlineExceeded) {
				return r, fmt.Errorf("wait for the answer: %w", lost)
			}
			return tested{}, nil
		}
	}
}
