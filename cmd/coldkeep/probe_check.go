package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"coldkeep/internal/coldchain"
	"coldkeep/internal/monitor"
	"coldkeep/sensor"
)

type probesOut struct {
	Probe string `arg:"" help:"The probe."`
	sender
}

// Run tells the daemon that a probe leaves its place.
func (c *probesOut) Run(a *app) error {
	if strings.TrimSpace(c.Reason) == "" {
		return errors.New("why is it taken out? give --reason TEXT")
	}
	e, err := c.give(a, "probe-out", coldchain.Command{Probe: c.Probe, Purpose: "out"})
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(a.out).Encode(e)
	}
	until := "30 min from now"
	if e.End != nil {
		until = e.End.String()
	}
	_, err = fmt.Fprintf(a.out, "%s: out since %s, not judged until %s, by %s; then `coldkeep probes back %s`\n", e.Probe, e.Time, until, e.By, e.Probe)
	return err
}

type probesBack struct {
	Probe string `arg:"" help:"The probe."`
	sender
}

// Run tells the daemon that a probe is in its place again.
func (c *probesBack) Run(a *app) error {
	e, err := c.give(a, "probe-back", coldchain.Command{Probe: c.Probe})
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(a.out).Encode(e)
	}
	_, err = fmt.Fprintf(a.out, "%s: back since %s, by %s\n", e.Probe, e.Time, e.By)
	return err
}

type probesCheck struct {
	Probe     string        `arg:"" help:"The probe."`
	Reference string        `required:"" placeholder:"°C" help:"What is: 0.0 in an ice point, or what a reference thermometer shows beside it; below 0 as --reference=-20.0."`
	Tolerance string        `default:"0.5" placeholder:"°C" help:"How far off it may be, to either side."`
	Found     string        `placeholder:"°C" help:"What it read, where you have read it yourself: it is recorded as it is, and the probe stays where it is."`
	Wait      time.Duration `default:"10m" help:"How long its readings are waited for until they are steady; 25m at most."`
	sender
}

const (
	steadyReadings = 6
	steadyWithin   = sensor.Temp(100)
	// farOff is how far from the reference steady readings are those of a probe
	// that is not in it yet.
	farOff = sensor.Temp(2000)
	// waitMost leaves time to put the probe back before it is judged again.
	waitMost = monitor.CheckMost - 5*time.Minute
)

// Run takes the probe out, follows what it reads until that is steady, records
// what was found, and says that it is back, whatever happens between. Exit 3
// when it is out of tolerance.
func (c *probesCheck) Run(a *app) error {
	reference, err := degrees("--reference", c.Reference)
	if err != nil {
		return err
	}
	tolerance, err := degrees("--tolerance", c.Tolerance)
	if err != nil {
		return err
	}
	if tolerance <= 0 {
		return fmt.Errorf("--tolerance %s: it is how far off the probe may be, above 0", c.Tolerance)
	}
	if c.Wait <= 0 || c.Wait > waitMost {
		return fmt.Errorf("--wait %v: from 1s to %v; after %v the probe is judged again", c.Wait, waitMost, monitor.CheckMost)
	}
	order := coldchain.Command{Probe: c.Probe, Reference: &reference, Tolerance: tolerance}
	if c.Found != "" {
		found, err := degrees("--found", c.Found)
		if err != nil {
			return err
		}
		order.Found = &found
		return c.record(a, order)
	}
	dir, err := c.dir(a)
	if err != nil {
		return err
	}
	// The command's own id is the check's: what is done around it has others.
	around := c.sender
	around.CommandID = ""
	out, err := around.give(a, "probe-out", coldchain.Command{Probe: c.Probe, Purpose: "check"})
	if err != nil {
		return err
	}
	c.Probe, order.Probe = out.Probe, out.Probe
	fmt.Fprintf(a.errOut, "%s is out since %s and not judged for %v at most. Put it into the reference; Ctrl-C gives up.\n", c.Probe, out.Time, monitor.CheckMost)
	found, err := c.follow(a, dir, out.Time, reference, max(farOff, 4*tolerance))
	// Whoever presses Ctrl-C wants the probe back in its place, too.
	after := *a
	after.ctx = context.WithoutCancel(a.ctx)
	if err == nil {
		order.Found = &found
		err = c.record(&after, order)
	}
	back, backErr := around.give(&after, "probe-back", coldchain.Command{Probe: c.Probe})
	if backErr != nil {
		backErr = fmt.Errorf("%s is not told to be back: %w; say `coldkeep probes back %s`", c.Probe, backErr, c.Probe)
	} else {
		fmt.Fprintf(a.errOut, "%s is judged again since %s: put it back in its place now.\n", c.Probe, back.Time)
	}
	if errors.Is(err, errProblems) && backErr == nil {
		return err // as it is: it has been told
	}
	return errors.Join(err, backErr)
}

func degrees(name, text string) (sensor.Temp, error) {
	f, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil {
		return 0, fmt.Errorf("%s %q: write °C as 0.0", name, text)
	}
	t, ok := sensor.Celsius(f)
	if !ok {
		return 0, fmt.Errorf("%s %s: no temperature is outside -273.15…1000 °C", name, text)
	}
	return t, nil
}

// seenReading is a reading as the API gives it.
type seenReading struct {
	Time         sensor.Instant `json:"time"`
	TemperatureC *sensor.Temp   `json:"temperature_c"`
	RawC         *sensor.Temp   `json:"raw_c"`
	Fault        sensor.Fault   `json:"fault"`
}

// follow prints what the probe reads until that is steady near the reference,
// and gives its middle. Readings that never become steady are no check, and
// neither are those of a probe that still lies in its fridge.
func (c *probesCheck) follow(a *app, dir string, since sensor.Instant, reference, far sensor.Temp) (sensor.Temp, error) {
	step, alone, err := placeOf(a, dir, c.Probe)
	if err != nil {
		return 0, err
	}
	if alone != "" {
		fmt.Fprintf(a.errOut, "Nothing else judges %s: it is unmonitored until the probe is back. Be quick.\n", alone)
	}
	within := max(steadyWithin, step)
	end := time.NewTimer(c.Wait)
	defer end.Stop()
	look := time.NewTicker(time.Second)
	defer look.Stop()
	fmt.Fprintf(a.errOut, "%-24s  %10s  %10s\n", "TIME", "READS", "RAW")
	var last []sensor.Temp
	elsewhere := false
	for from := since; ; {
		var answer struct{ Readings []seenReading }
		path := "/api/v1/readings?" + url.Values{"probe": {c.Probe}, "from": {from.String()}}.Encode()
		if err := askDaemon(a.ctx, dir, http.MethodGet, path, nil, &answer); err != nil && a.ctx.Err() == nil {
			return 0, err
		}
		for _, r := range answer.Readings {
			from = r.Time + 1
			if r.TemperatureC == nil || r.RawC == nil {
				fmt.Fprintf(a.errOut, "%-24s  %s\n", r.Time, r.Fault.Sentence())
				last = nil
				continue
			}
			fmt.Fprintf(a.errOut, "%-24s  %7s °C  %7s °C\n", r.Time, r.TemperatureC, r.RawC)
			last = append(last, *r.TemperatureC)
			last = last[max(0, len(last)-steadyReadings):]
			middle, ok := steady(last, within)
			switch off := max(middle-reference, reference-middle); {
			case ok && off <= far:
				return middle, nil
			case ok && !elsewhere:
				fmt.Fprintf(a.errOut, "It is steady, and %s °C from the reference: is it in there?\n", off)
			}
			elsewhere = ok
		}
		select {
		case <-look.C:
		case <-end.C:
			if elsewhere {
				return 0, fmt.Errorf("%s read %s °C and nothing near %s °C for %v: nothing is recorded; if it was in the reference, record it with --found %s", c.Probe, last[len(last)-1], reference, c.Wait, last[len(last)-1])
			}
			return 0, fmt.Errorf("%s was not steady within %v: nothing is recorded; stir the ice, wait until it is quiet, and check again", c.Probe, c.Wait)
		case <-a.ctx.Done():
			return 0, errors.New("given up: nothing is recorded")
		}
	}
}

// steady says whether the newest readings lie within so little of one another,
// and gives the middle one.
func steady(last []sensor.Temp, within sensor.Temp) (middle sensor.Temp, ok bool) {
	if len(last) < steadyReadings || slices.Max(last)-slices.Min(last) > within {
		return 0, false
	}
	return slices.Sorted(slices.Values(last))[len(last)/2], true
}

// placeOf is the finest difference that the probe's chip shows, and the unit
// that nothing else judges; "" where something does.
func placeOf(a *app, dir, probe string) (step sensor.Temp, alone string, err error) {
	var answer struct {
		Probes []coldchain.ProbeNow `json:"probes"`
	}
	if err := askDaemon(a.ctx, dir, http.MethodGet, "/api/v1/probes", nil, &answer); err != nil {
		return 0, "", err
	}
	i := slices.IndexFunc(answer.Probes, func(p coldchain.ProbeNow) bool { return p.ID == probe })
	if i >= 0 {
		mine := answer.Probes[i]
		chip, _ := sensor.ChipNamed(mine.Chip) // none of ours: no step is known
		other := func(p coldchain.ProbeNow) bool {
			return p.Unit == mine.Unit && p.ID != probe && p.Judges && p.Out == nil
		}
		if mine.Judges && !slices.ContainsFunc(answer.Probes, other) {
			alone = mine.Unit
		}
		return chip.Step, alone, nil
	}
	return 0, "", fmt.Errorf("probe %s is in no unit: there is nothing that it would be checked for", probe)
}

// record gives the check to the daemon and prints what follows from it.
func (c *probesCheck) record(a *app, order coldchain.Command) error {
	e, err := c.give(a, "probe-check", order)
	if err != nil {
		return err
	}
	x := e.Check
	if x == nil {
		return fmt.Errorf("the command %s was another one before: give another --id", e.ID)
	}
	if c.JSON {
		err = json.NewEncoder(a.out).Encode(e)
	} else {
		err = showCheck(a, e, x)
	}
	if err == nil && !x.Good {
		err = errProblems
	}
	return err
}

func showCheck(a *app, e coldchain.Event, x *coldchain.Check) error {
	word := "GOOD"
	if !x.Good {
		word = "OUT OF TOLERANCE"
	}
	if _, err := fmt.Fprintf(a.out, "%s: %s. It reads %s °C (raw %s °C) at %s °C: off by %s, %s °C are allowed\n", e.Probe, word, x.Found, x.Raw, x.Reference, signed(x.Found-x.Reference), x.Tolerance); err != nil {
		return err
	}
	if x.Drift != nil {
		fmt.Fprintf(a.out, "drift since this instrument's first check: %s\n", signed(*x.Drift))
	}
	if x.Good {
		return nil
	}
	since := "no check of this instrument was good before"
	if x.LastGood != nil {
		since = "it was good last on " + x.LastGood.String()
	}
	fmt.Fprintln(a.out, since)
	if len(x.Batches) == 0 {
		fmt.Fprintln(a.out, "no batch was judged on it since")
		return nil
	}
	fmt.Fprintf(a.out, "batches judged on it since, of which a person must decide: %s\n", strings.Join(x.Batches, ", "))
	return nil
}
