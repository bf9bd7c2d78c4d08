package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"coldkeep/internal/coldchain"
	"coldkeep/sensor"
	"coldkeep/sensor/chips"
)

type probesWhich struct {
	Bus    []string      `placeholder:"BUS" help:"Look at this one-wire bus, onewire-1; default: all of the machine."`
	Wait   time.Duration `default:"10m" placeholder:"SPAN" help:"How long to look."`
	Config string        `placeholder:"FILE" help:"The running daemon's configuration: then its readings are used, and it judges none of its DS18B20s meanwhile."`
	By     string        `placeholder:"NAME" help:"Who does this; default: the user of this machine."`
}

const (
	// A probe in the hand warms by this at least, and by this more than any
	// other, which may hang beside it.
	warmed      = sensor.Temp(1500)
	warmedAlone = sensor.Temp(1000)

	whichEvery = 2 * time.Second
)

// A warming watches which of several probes rises.
type warming struct {
	base  map[string]sensor.Temp // the lowest that each has shown lately
	known map[string]bool        // told already
}

func newWarming() *warming {
	return &warming{base: map[string]sensor.Temp{}, known: map[string]bool{}}
}

// see takes what all probes show now. It answers the one that is in somebody's
// hand, once; "" where none is.
func (w *warming) see(now map[string]sensor.Temp) string {
	best, second := "", sensor.Temp(0)
	rise := map[string]sensor.Temp{}
	for id, t := range now {
		if b, ok := w.base[id]; !ok || t < b {
			w.base[id] = t
		}
		if !w.known[id] { // one that was told cools slowly, and is out of the game
			rise[id] = t - w.base[id]
		}
	}
	for id, r := range rise {
		switch {
		case best == "" || r > rise[best]:
			if best != "" {
				second = max(second, rise[best])
			}
			best = id
		default:
			second = max(second, r)
		}
	}
	if best == "" || rise[best] < warmed || rise[best]-second < warmedAlone {
		return ""
	}
	w.known[best] = true
	return best
}

// Run watches until every probe was told, the time is over, or Ctrl-C.
func (c *probesWhich) Run(a *app) error {
	if err := chips.InitHost(); err != nil {
		fmt.Fprintln(a.errOut, err)
	}
	ctx, cancel := context.WithTimeout(a.ctx, c.Wait)
	defer cancel()
	look, probes, end, err := c.source(a)
	if err != nil {
		return err
	}
	defer end()
	fmt.Fprintf(a.errOut, "%d probes. Take one into your hand, and keep it there until it is told; then the next. Ctrl-C ends it.\n", len(probes))
	w := newWarming()
	var told []sensor.Probe
	for len(told) < len(probes) {
		now, err := look(ctx)
		if err != nil && ctx.Err() == nil {
			return err
		}
		if id := w.see(now); id != "" {
			for _, p := range probes {
				if p.ID != id {
					continue
				}
				p.Position.Text = fmt.Sprintf("no. %d: the one in the hand at %s", len(told)+1, time.Now().Format("15:04:05"))
				fmt.Fprintf(a.errOut, "no. %d is %s on %s: it rose from %s to %s °C\n", len(told)+1, p.Address, p.Bus, w.base[id], now[id])
				told = append(told, p)
			}
		}
		select {
		case <-ctx.Done():
			return errors.Join(pasteable(a.out, told), nothingTold(told))
		case <-time.After(whichEvery):
		}
	}
	return pasteable(a.out, told)
}

func nothingTold(told []sensor.Probe) error {
	if len(told) > 0 {
		return nil
	}
	return fmt.Errorf("no probe rose by %s °C more than the others: a hand warms a steel sleeve within a minute", warmed)
}

// source gives what reads all probes at once, and what ends it.
func (c *probesWhich) source(a *app) (look func(context.Context) (map[string]sensor.Temp, error), probes []sensor.Probe, end func(), err error) {
	if c.Config != "" {
		return c.daemon(a)
	}
	found, err := chips.Scan(c.Bus...)
	for _, f := range found {
		if f.Chip == "ds18b20" {
			probes = append(probes, sensor.Probe{ID: fmt.Sprintf("probe-%d", len(probes)+1), Chip: f.Chip, Bus: f.Bus, Address: f.Address, Limits: sensor.Plausible{Slope: sensor.Hottest}})
		}
	}
	if len(probes) == 0 {
		return nil, nil, nil, errors.Join(errors.New("no DS18B20 answers: is the bus switched on (dtoverlay=w1-gpio), and may this user open it?"), err)
	}
	buses, err := chips.Open(a.ctx, probes, chips.Options{Log: a.logger()})
	if err != nil {
		return nil, nil, nil, err
	}
	look = func(ctx context.Context) (map[string]sensor.Temp, error) {
		now := map[string]sensor.Temp{}
		for _, b := range buses {
			for _, r := range b.Sweep(ctx, time.Now()) {
				if r.Good() {
					now[r.Probe] = r.Temp
				}
			}
		}
		return now, nil
	}
	return look, probes, func() {
		for _, b := range buses {
			_ = b.Close() // a bus that hangs is left behind: the process ends
		}
	}, nil
}

// daemon takes the probes of the running daemon out of judgement, and follows
// what it reads.
func (c *probesWhich) daemon(a *app) (look func(context.Context) (map[string]sensor.Temp, error), probes []sensor.Probe, end func(), err error) {
	cfg, err := a.load(c.Config)
	if err != nil {
		return nil, nil, nil, err
	}
	o := sender{where: where{Config: c.Config}, By: c.By}
	back := func() {
		// Also after Ctrl-C: what is in a hand no more must be judged again.
		kept := *a
		kept.ctx = context.WithoutCancel(a.ctx)
		for _, p := range probes {
			if _, err := o.give(&kept, "probe-back", coldchain.Command{Probe: p.ID}); err != nil {
				fmt.Fprintf(a.errOut, "%s is not judged until its 30 min are over: %v\n", p.ID, err)
			}
		}
	}
	for _, p := range cfg.Probes {
		if p.Chip != "ds18b20" || len(c.Bus) > 0 && !slices.Contains(c.Bus, p.Bus) {
			continue
		}
		if _, err := o.give(a, "probe-out", coldchain.Command{Probe: p.ID, Purpose: "which"}); err != nil {
			back()
			return nil, nil, nil, fmt.Errorf("take %s out of judgement: %w", p.ID, err)
		}
		probes = append(probes, p)
	}
	if len(probes) == 0 {
		return nil, nil, nil, errors.New("the config has no DS18B20 there")
	}
	look = func(ctx context.Context) (map[string]sensor.Temp, error) {
		var x struct {
			Units []struct {
				Probes []struct {
					ID           string       `json:"id"`
					TemperatureC *sensor.Temp `json:"temperature_c"`
				} `json:"probes"`
			} `json:"units"`
		}
		if err := askDaemon(ctx, cfg.Storage.Dir, http.MethodGet, "/api/v1/units", nil, &x); err != nil {
			return nil, err
		}
		now := map[string]sensor.Temp{}
		for _, u := range x.Units {
			for _, p := range u.Probes {
				if p.TemperatureC != nil && slices.ContainsFunc(probes, func(q sensor.Probe) bool { return q.ID == p.ID }) {
					now[p.ID] = *p.TemperatureC
				}
			}
		}
		return now, nil
	}
	return look, probes, back, nil
}
