package main

import (
	"cmp"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"coldkeep/internal/coldchain"
	"coldkeep/internal/config"
	"coldkeep/internal/monitor"
	"coldkeep/internal/mqtt"
	"coldkeep/sensor"
	"coldkeep/sensor/chips"
	"coldkeep/sensor/chipsim"
)

//go:embed demo.yaml
var demoYAML []byte

type demoCommand struct {
	Listen string `default:"127.0.0.1:8080" placeholder:"ADDR" help:"Where the page is; the next free port where that is taken."`
	Dir    string `placeholder:"DIR" help:"Keep the record there; default: a directory that is removed at the end."`
	Broker string `placeholder:"URL" help:"Publish to this MQTT broker instead of one within the process."`
	With   string `placeholder:"FILE" help:"Sections of a config in the place of the demo's: notify, people, policies, mqtt; so that a phone of yours is called."`
}

const (
	demoSpeed     = 120 // the fridges' time runs this much faster than the clock
	demoFailure   = 25 * time.Second
	demoDoorEvery = 2 * time.Hour // of the fridges' time: a minute of the clock's
	demoDoorFor   = 20 * time.Minute
	demoHistory   = 7 * 24 * time.Hour
	demoRoom      = 23.0
	demoStep      = 10 * time.Second // between readings of the history
)

// demoBatches are received at the history's beginning.
var demoBatches = []struct {
	id, profile, unit, lot string
	vials                  int
}{
	{"EX-0412", "example-no-allowance", "fridge-1", "0412", 12},
	{"EX-0413", "example-20s", "fridge-1", "0413", 8},
	{"EX-0414", "example-40s", "fridge-1", "0414", 6},
	{"EX-0398", "example-frozen", "freezer-1", "0398", 20},
	{"EX-0415", "example-20s", "fridge-2", "0415", 10},
	{"EX-0420", "example-ultra-low", "ult-1", "0420", 24},
}

// Run is the daemon on simulated fridges: the real drivers on simulated chips,
// a week of history, and a broker within the process.
func (c *demoCommand) Run(a *app) (err error) {
	var clean cleanup
	defer func() { err = errors.Join(err, clean.run()) }()
	dir := c.Dir
	if dir == "" {
		if dir, err = os.MkdirTemp("", "coldkeep-demo-"); err != nil {
			return fmt.Errorf("make data directory: %w", err)
		}
		clean.later(func() error { return os.RemoveAll(dir) })
	}
	cfg, err := c.load(a)
	if err != nil {
		return err
	}
	url := cmp.Or(c.Broker, cfg.MQTT.Broker)
	if url == "" {
		broker, err := mqtt.NewBroker("127.0.0.1:0")
		if err != nil {
			return err
		}
		clean.later(broker.Close)
		url = "tcp://" + broker.Addr()
	}
	listen, err := freeAddress(c.Listen)
	if err != nil {
		return err
	}
	cfg.Storage.Dir, cfg.Web.Listen = dir, listen
	cfg.MQTT.Broker, cfg.MQTT.ClientID = url, cmp.Or(cfg.MQTT.ClientID, "coldkeep-"+cfg.Node)
	origin, again, err := demoOrigin(dir)
	if err != nil {
		return err
	}
	fridges := demoFridges(origin)
	buses, stop, err := demoBuses(a.ctx, cfg, fridges)
	if err != nil {
		return err
	}
	clean.later(stop)
	leave, err := demoContacts(cfg, fridges)
	if err != nil {
		return err
	}
	clean.later(leave)
	d := daemon{cfg: cfg, buses: buses, log: a.logger(), demo: true}
	if !again {
		d.fill = func(ctx context.Context, m *monitor.Monitor) error { return demoFill(ctx, m, cfg, fridges, origin) }
	}
	d.up = func(web string) {
		fmt.Fprintf(a.out, "page http://%s\nmetrics http://%s/metrics\nbroker %s\n", web, web, url)
		fmt.Fprintf(a.errOut, "The first fridge fails %v after the start; within two minutes its batches are flagged. Stop with Ctrl-C.\nCommands: coldkeep batch list --dir %s\n", demoFailure, dir)
	}
	return d.run(a.ctx)
}

// load reads the demo's config, with the sections of a file in the place of its
// own. The file stands first, so that its errors have its lines.
func (c *demoCommand) load(a *app) (*config.Config, error) {
	if c.With == "" {
		return config.Parse("demo.yaml", demoYAML)
	}
	text, err := os.ReadFile(c.With)
	if err != nil {
		return nil, fmt.Errorf("read sections for the demo: %w", err)
	}
	own := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		if key, ok := section(line); ok {
			own[key] = true
		}
	}
	// Who is called by channels of one's own is one's own, too, and so is when.
	own["people"] = own["people"] || own["notify"]
	own["policies"] = own["policies"] || own["people"]
	var b strings.Builder
	b.Write(text)
	b.WriteByte('\n')
	skip := false
	for line := range strings.Lines(string(demoYAML)) {
		if key, ok := section(line); ok {
			skip = own[key]
		}
		if !skip {
			b.WriteString(line)
		}
	}
	return a.parsed(config.Parse(c.With, []byte(b.String())))
}

// section is the key at the top of a config that a line begins.
func section(line string) (string, bool) {
	key, _, ok := strings.Cut(line, ":")
	return key, ok && key != "" && !strings.ContainsAny(key, " \t#-'\"")
}

// freeAddress is addr, or one with another port where that is taken.
func freeAddress(addr string) (string, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		host, _, split := net.SplitHostPort(addr)
		if split != nil {
			return "", fmt.Errorf("listen on %q: write it as HOST:PORT", addr)
		}
		if l, err = net.Listen("tcp", net.JoinHostPort(host, "0")); err != nil {
			return "", fmt.Errorf("listen on %s: %w", addr, err)
		}
	}
	addr = l.Addr().String()
	return addr, l.Close()
}

// demoOrigin is when the demo of this directory began: its fridges are a
// function of that, and go on after a restart.
func demoOrigin(dir string) (origin time.Time, again bool, err error) {
	path := filepath.Join(dir, "demo-origin")
	b, err := os.ReadFile(path)
	if err == nil {
		origin, err = time.Parse(time.RFC3339, strings.TrimSpace(string(b)))
		if err != nil {
			return origin, false, fmt.Errorf("read %s: %w", path, err)
		}
		return origin, true, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return origin, false, fmt.Errorf("read the demo's beginning: %w", err)
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return origin, false, fmt.Errorf("make data directory: %w", err)
	}
	origin = time.Now().UTC().Truncate(time.Second)
	if err := os.WriteFile(path, []byte(origin.Format(time.RFC3339)+"\n"), 0o640); err != nil {
		return origin, false, fmt.Errorf("write the demo's beginning: %w", err)
	}
	return origin, false, nil
}

// demoFridges are the fridges behind the probes, by unit.
func demoFridges(origin time.Time) map[string]chipsim.Fridge {
	one, two, freezer := chipsim.Refrigerator(1), chipsim.Refrigerator(2), chipsim.Freezer(3)
	two.DoorEvery, two.DoorFor = demoDoorEvery, demoDoorFor
	one.FailsAt = origin.Add(demoFailure)
	list := map[string]chipsim.Fridge{"fridge-1": one, "fridge-2": two, "freezer-1": freezer, "ult-1": chipsim.UltraLow(4)}
	for id, f := range list {
		f.Origin, f.Speed = origin, demoSpeed
		list[id] = f
	}
	return list
}

// probeSource gives what a probe of the demo feels.
func probeSource(cfg *config.Config, fridges map[string]chipsim.Fridge, p sensor.Probe) chipsim.Source {
	for _, u := range cfg.Units {
		for _, x := range u.Probes {
			if x.ID == p.ID {
				return fridges[u.ID].Source(p.Medium)
			}
		}
	}
	return func(time.Time) float64 { return demoRoom }
}

func demoBuses(ctx context.Context, cfg *config.Config, fridges map[string]chipsim.Fridge) ([]sensor.Bus, func() error, error) {
	var clean cleanup
	wire, err := chipsim.NewOneWire("demo-onewire")
	if err != nil {
		return nil, nil, err
	}
	clean.later(wire.Close)
	i2c, err := chipsim.NewI2C("demo-i2c")
	if err != nil {
		return nil, nil, errors.Join(err, clean.run())
	}
	clean.later(i2c.Close)
	for _, p := range cfg.Probes {
		source := probeSource(cfg, fridges, p)
		if err := demoChip(p, source, wire, i2c, &clean); err != nil {
			return nil, nil, errors.Join(err, clean.run())
		}
	}
	// What the drivers say of simulated chips is the demo's own doing.
	buses, err := chips.Open(ctx, cfg.Probes, chips.Options{Deadline: busDeadline(cfg.Sampling), Log: slog.Default()})
	if err != nil {
		return nil, nil, errors.Join(err, clean.run())
	}
	return buses, clean.run, nil
}

// demoChip puts a probe's chip where the config says that it is.
func demoChip(p sensor.Probe, source chipsim.Source, wire *chipsim.OneWire, i2c *chipsim.I2C, clean *cleanup) error {
	selected := func(c chipsim.SelectedDevice, err error) error {
		if err != nil {
			return err
		}
		bus, err := chipsim.NewSPI(p.Bus, c)
		if err != nil {
			return err
		}
		clean.later(bus.Close)
		return nil
	}
	switch p.Chip {
	case "mcp9808":
		i2c.Add(0x18, chipsim.NewMCP9808(source))
	case "max31865":
		c, err := chipsim.NewMAX31865(source, p.Settings.Element, 430)
		return selected(c, err)
	case "max31856":
		c, err := chipsim.NewMAX31856(source, func(time.Time) float64 { return demoRoom }, p.Settings.Element)
		return selected(c, err)
	default:
		c, err := chipsim.NewDS18B20(p.Address, source)
		if err != nil {
			return err
		}
		wire.Add(c)
	}
	return nil
}

// demoContacts puts a pin behind every contact: doors go as the fridges' do, and
// all else is well.
func demoContacts(cfg *config.Config, fridges map[string]chipsim.Fridge) (stop func() error, err error) {
	var clean cleanup
	move := func(time.Time) {}
	for _, c := range cfg.Contacts {
		pin, err := chipsim.NewPin(c.Pin)
		if err != nil {
			return nil, errors.Join(err, clean.run())
		}
		clean.later(pin.Close)
		pin.Contact(!c.Open)
		if c.Kind == sensor.Door {
			rest, f := move, fridges[c.Units[0]]
			move = func(at time.Time) {
				rest(at)
				pin.Contact(f.DoorOpen(at) == c.Open)
			}
		}
	}
	ended, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case at := <-tick.C:
				move(at)
			case <-ended:
				return
			}
		}
	}()
	clean.later(func() error { close(ended); <-gone; return nil })
	return clean.run, nil
}

// demoFill feeds the week before origin, from the fridges and not the chips.
func demoFill(ctx context.Context, m *monitor.Monitor, cfg *config.Config, fridges map[string]chipsim.Fridge, origin time.Time) error {
	slot := origin.Add(-demoHistory).Truncate(demoStep)
	received := sensor.At(slot.Add(6 * time.Hour))
	sources := make([]chipsim.Source, len(cfg.Probes))
	for i, p := range cfg.Probes {
		sources[i] = probeSource(cfg, fridges, p)
	}
	given := false
	return m.Feed(ctx, func() (sensor.Sweep, []coldchain.Command, bool) {
		slot = slot.Add(demoStep)
		if slot.After(origin) || ctx.Err() != nil {
			return sensor.Sweep{}, nil, false
		}
		at := sensor.At(slot)
		w := sensor.Sweep{Slot: at, Boot: "demo", Monotonic: int64(at), Synchronized: true}
		for i, p := range cfg.Probes {
			t, ok := sensor.Celsius(float64(int(sources[i](slot)*16)) / 16)
			r := sensor.Reading{Probe: p.ID, Time: at, Temp: t, Raw: t}
			if !ok {
				r.Fault = sensor.FaultOutOfRange
			}
			w.Readings = append(w.Readings, r)
		}
		var commands []coldchain.Command
		if !given && at > received {
			given = true
			for _, b := range demoBatches {
				commands = append(commands,
					coldchain.Command{ID: "demo-receive-" + b.id, Name: "receive", Batch: b.id, Profile: b.profile, Lot: b.lot, Vials: b.vials, By: "demo", Via: "demo", At: received},
					coldchain.Command{ID: "demo-place-" + b.id, Name: "place", Batch: b.id, Unit: b.unit, By: "demo", Via: "demo", At: received + 1})
			}
		}
		return w, commands, true
	})
}
