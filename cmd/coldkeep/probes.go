package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"coldkeep/sensor"
	"coldkeep/sensor/chips"
)

type probesCommand struct {
	Scan  probesScan  `cmd:"" help:"What answers on the buses of this machine."`
	Read  probesRead  `cmd:"" help:"Read each configured probe once."`
	Which probesWhich `cmd:"" help:"Find out which DS18B20 is which: warm one in your hand."`

	Check       probesCheck       `cmd:"" help:"Hold a probe against a reference, such as an ice point, and record what it read."`
	Out         probesOut         `cmd:"" help:"A probe leaves its place, for 30 min at most: it is read and not judged."`
	Back        probesBack        `cmd:"" help:"A probe is back in its place: it judges again."`
	List        probesList        `cmd:"" help:"Where each probe is, until when it is calibrated, and when it was checked."`
	Recalibrate probesRecalibrate `cmd:"" help:"A calibration was wrong: judge again what the probe has read since then."`
	History     probesHistory     `cmd:"" help:"Which instruments stood there, and every check."`
}

// Help lists the chips that can be read.
func (probesCommand) Help() string {
	var b strings.Builder
	b.WriteString("Chips that can be read (sensor/README.md tells which to choose):\n")
	for _, c := range sensor.Chips() {
		fmt.Fprintf(&b, "\n%s  %s", c.Name, c.Text)
		if c.Example != "" {
			fmt.Fprintf(&b, "; address like %s", c.Example)
		}
	}
	return b.String()
}

type probesScan struct {
	Bus    []string `placeholder:"BUS" help:"Ask this bus, onewire-1, i2c-1 or spi-0.0; may be given again. Without it all one-wire buses are asked, and the others listed."`
	Mux    string   `placeholder:"ADDRESS/PORT" help:"Of the one bus named, open this port of a PCA9548, 0x70/3, and ask what is behind it."`
	Bridge string   `placeholder:"ADDRESS" help:"Of the one bus named, search the one-wire line behind the DS2482 at this address, 0x18."`
	Config string   `placeholder:"FILE" help:"Ask the buses that this configuration names."`
	JSON   bool     `name:"json" help:"Print one JSON object."`
}

// Run asks the buses and writes nothing that could switch something.
func (c *probesScan) Run(a *app) error {
	names := c.Bus
	if c.Config != "" {
		cfg, err := a.load(c.Config)
		if err != nil {
			return err
		}
		names = append(names, busesOf(cfg.Probes)...)
	}
	if err := chips.InitHost(); err != nil {
		fmt.Fprintln(a.errOut, err)
	}
	var list []chips.Found
	var err error
	switch {
	case c.Mux == "" && c.Bridge == "":
		list, err = chips.Scan(names...)
	case len(names) != 1:
		return errors.New("behind which bus? name one: --bus i2c-1")
	default:
		list, err = chips.ScanBehind(names[0], c.Mux, c.Bridge)
	}
	if c.JSON {
		if list == nil {
			list = []chips.Found{}
		}
		return errors.Join(json.NewEncoder(a.out).Encode(map[string]any{"found": list}), err)
	}
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "BUS\tCHIP\tADDRESS\tWHERE IT CAN LIE")
	var found []sensor.Probe
	for _, f := range list {
		chip := f.Chip
		if chip != "" {
			found = append(found, sensor.Probe{ID: fmt.Sprintf("probe-%d", len(found)+1), Chip: f.Chip, Bus: f.Bus, Mux: f.Mux, Bridge: f.Bridge, Address: f.Address})
			if !f.Sure {
				chip += "?"
			}
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", f.Bus, dash(chip), dash(f.Address), f.Note)
	}
	if len(list) == 0 {
		fmt.Fprintln(a.errOut, "nothing answers: are the buses switched on (dtoverlay=w1-gpio, dtparam=i2c_arm=on, dtparam=spi=on), and may this user open them?")
		return err
	}
	return errors.Join(w.Flush(), pasteable(a.out, found), err)
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func busesOf(probes []sensor.Probe) (names []string) {
	seen := map[string]bool{}
	for _, p := range probes {
		if !seen[p.Bus] {
			seen[p.Bus] = true
			names = append(names, p.Bus)
		}
	}
	return names
}

// pasteable writes probes as the config has them. What only a person knows is
// left to be filled in: the config is refused until it is.
func pasteable(w io.Writer, probes []sensor.Probe) error {
	if len(probes) == 0 {
		return nil
	}
	var b strings.Builder
	b.WriteString("\n# To paste into the config; say of each what it measures in, and name it by its place.\nprobes:\n")
	for _, p := range probes {
		fmt.Fprintf(&b, "  - {id: %s, chip: %s, bus: %s", p.ID, p.Chip, p.Bus)
		for _, x := range [][2]string{{"mux", p.Mux}, {"bridge", p.Bridge}, {"address", p.Address}} {
			if x[1] != "" {
				fmt.Fprintf(&b, ", %s: %s", x[0], x[1])
			}
		}
		if e := sensor.Elements(p.Chip); e != nil {
			fmt.Fprintf(&b, ", element: %s", strings.Join(e, "|"))
		}
		b.WriteString(", medium: buffered|air|ambient}")
		if p.Position.Text != "" {
			fmt.Fprintf(&b, "   # %s", p.Position.Text)
		}
		b.WriteString("\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

type probesRead struct {
	Config string `required:"" placeholder:"FILE" help:"The configuration file."`
	JSON   bool   `name:"json" help:"Print one JSON object."`
}

type probeLine struct {
	Probe        string         `json:"probe"`
	Chip         string         `json:"chip"`
	Bus          string         `json:"bus"`
	Address      string         `json:"address,omitempty"`
	Time         sensor.Instant `json:"time"`
	TemperatureC *sensor.Temp   `json:"temperature_c,omitempty"`
	RawC         *sensor.Temp   `json:"raw_c,omitempty"`
	Fault        sensor.Fault   `json:"fault,omitempty"`
	Text         string         `json:"fault_text,omitempty"`
	TookS        float64        `json:"took_s"` // of its whole bus: all of one measure together
}

// Run reads every probe once; exit 3 when one of them gives a fault.
func (c *probesRead) Run(a *app) error {
	cfg, err := a.load(c.Config)
	if err != nil {
		return err
	}
	if err := chips.InitHost(); err != nil {
		fmt.Fprintln(a.errOut, err)
	}
	buses, err := chips.Open(a.ctx, cfg.Probes, chips.Options{Log: a.logger()})
	if err != nil {
		return err
	}
	lines, faulty := readOnce(a.ctx, cfg.Probes, buses)
	if c.JSON {
		if err := json.NewEncoder(a.out).Encode(map[string]any{"probes": lines}); err != nil {
			return err
		}
	} else if err := table(a.out, lines); err != nil {
		return err
	}
	if faulty {
		return errProblems
	}
	return nil
}

func table(out io.Writer, lines []probeLine) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "PROBE\tCHIP\tBUS\tADDRESS\tRAW\tCORRECTED\tBUS TOOK\tFAULT")
	for _, l := range lines {
		raw, corrected, fault := "-", "-", "-"
		if l.Fault != "" {
			fault = string(l.Fault) + ": " + l.Text
		} else {
			raw, corrected = l.RawC.String()+" °C", l.TemperatureC.String()+" °C"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%.3f s\t%s\n", l.Probe, l.Chip, l.Bus, dash(l.Address), raw, corrected, l.TookS, fault)
	}
	return w.Flush()
}

func readOnce(ctx context.Context, probes []sensor.Probe, buses []sensor.Bus) (lines []probeLine, faulty bool) {
	chip := map[string]sensor.Probe{}
	for _, p := range probes {
		chip[p.ID] = p
	}
	for _, b := range buses {
		began := time.Now()
		readings := b.Sweep(ctx, began)
		took := time.Since(began).Seconds()
		for _, r := range readings {
			p := chip[r.Probe]
			l := probeLine{Probe: r.Probe, Chip: p.Chip, Bus: b.Name(), Address: p.Address, Time: r.Time, Fault: r.Fault, Text: r.Fault.Sentence(), TookS: took}
			if r.Good() {
				t, raw := r.Temp, r.Raw
				l.TemperatureC, l.RawC = &t, &raw
			} else {
				faulty = true
			}
			lines = append(lines, l)
		}
		_ = b.Close() // a bus that hangs is left behind: the process ends
	}
	return lines, faulty
}
