package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"text/tabwriter"

	"coldkeep/configs/profiles"
	"coldkeep/internal/coldchain"
	"coldkeep/internal/config"
)

type profileCommand struct {
	List  profileList  `cmd:"" help:"The library's profiles, and those of a config."`
	Show  profileShow  `cmd:"" help:"A profile of the library, to paste into the config; or what one of a config allows."`
	Check profileCheck `cmd:"" help:"Validate a file of profiles, and tell what each does not allow."`
}

// A shelf is a file of profiles, and its text.
type shelf struct {
	file, text string
	profiles   []coldchain.Profile
}

// library reads the profiles that come with coldkeep.
func library() (list []shelf, err error) {
	names, err := fs.Glob(profiles.Files, "*.yaml")
	if err != nil {
		return nil, fmt.Errorf("list the library: %w", err)
	}
	for _, name := range names {
		data, err := profiles.Files.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("read the library: %w", err)
		}
		p, _, err := config.ParseProfiles(name, data)
		if err != nil {
			return nil, fmt.Errorf("read the library: %w", err)
		}
		list = append(list, shelf{name, string(data), p})
	}
	return list, nil
}

type profileList struct {
	Config string `placeholder:"FILE" help:"Also the profiles of this configuration."`
	JSON   bool   `name:"json" help:"Print one JSON object."`
}

type profileLine struct {
	ID     string `json:"id"`
	Title  string `json:"title"`
	From   string `json:"from"` // library, or the config's file
	Range  string `json:"range"`
	Source string `json:"source"`
}

func (c *profileList) Run(a *app) error {
	shelves, err := library()
	if err != nil {
		return err
	}
	var lines []profileLine
	for _, s := range shelves {
		for _, p := range s.profiles {
			lines = append(lines, profileLine{p.ID, p.Title, "library", p.Range.Text(), p.Source})
		}
	}
	if c.Config != "" {
		cfg, err := a.load(c.Config)
		if err != nil {
			return err
		}
		for _, p := range cfg.Profiles {
			lines = append(lines, profileLine{p.ID, p.Title, c.Config, p.Range.Text(), p.Source})
		}
	}
	if c.JSON {
		return json.NewEncoder(a.out).Encode(map[string]any{"profiles": lines})
	}
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "PROFILE\tRANGE\tFROM\tTITLE")
	for _, l := range lines {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", l.ID, l.Range, l.From, l.Title)
	}
	return w.Flush()
}

type profileShow struct {
	ID     string `arg:"" help:"The profile."`
	Config string `placeholder:"FILE" help:"Of this configuration, instead of the library."`
}

func (c *profileShow) Run(a *app) error {
	if c.Config != "" {
		cfg, err := a.load(c.Config)
		if err != nil {
			return err
		}
		for _, p := range cfg.Profiles {
			if strings.EqualFold(p.ID, c.ID) {
				_, err := fmt.Fprint(a.out, inWords(p))
				return err
			}
		}
		return fmt.Errorf("no profile %q is in %s: `coldkeep profile list --config %s` lists them", c.ID, c.Config, c.Config)
	}
	shelves, err := library()
	if err != nil {
		return err
	}
	for _, s := range shelves {
		for _, p := range s.profiles {
			if strings.EqualFold(p.ID, c.ID) {
				_, err := fmt.Fprintf(a.out, "%sprofiles:\n%s", comment(inWords(p)), passage(s.text, p.ID))
				return err
			}
		}
	}
	return fmt.Errorf("no profile %q is in the library: `coldkeep profile list` lists them", c.ID)
}

// comment puts a # before every line.
func comment(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString("# " + line)
	}
	return b.String()
}

// passage is the part of a file of profiles that tells of one, as it stands.
func passage(text, id string) string {
	var b strings.Builder
	in := false
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "  - id: ") {
			in = strings.TrimSpace(strings.TrimPrefix(line, "  - id: ")) == id
		}
		if in {
			b.WriteString(line)
		}
	}
	return b.String()
}

// inWords tells what a profile allows.
func inWords(p coldchain.Profile) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\nRange %s. From: %s\n", p.ID, p.Title, p.RangeText(), p.Source)
	if len(p.Rules) == 0 {
		fmt.Fprintf(&b, "No time out of range: an excursion of %v quarantines.\n", p.Confirm)
	}
	for _, s := range p.Stages {
		fmt.Fprintf(&b, "In %s: %s.\n", s.Stage.Words(), p.RangeTextIn(s.Stage))
	}
	for _, r := range p.Rules {
		fmt.Fprintf(&b, "Quarantines (%s): %s.\n", r.ID, r.Text())
	}
	if t := p.Thaw; t.Counts() {
		fmt.Fprintf(&b, "Thaws above %s: one freeze-thaw cycle where a buffered probe shows it for %s, and back; perhaps one where it was out of every unit for longer than %s.\n",
			coldchain.DegreesText(t.Above), coldchain.SpanText(t.For), coldchain.SpanText(t.Outside))
	}
	if p.InUse > 0 {
		fmt.Fprintf(&b, "Once opened or mixed: used within %s.\n", coldchain.SpanText(p.InUse))
	}
	if p.Signatures > 1 {
		fmt.Fprintf(&b, "A quarantined batch is decided on by %d different people.\n", p.Signatures)
	}
	if len(p.Demands) > 0 {
		fmt.Fprintf(&b, "Not for use without: %s.\n", demanded(p.Demands))
	}
	fmt.Fprintf(&b, "Without temperature for %v: quarantines. Out of every unit: judged as %s °C after %v.\n", p.Unmonitored, p.Outside.As, p.Outside.Grace)
	return b.String()
}

func demanded(kinds []coldchain.PaperKind) string {
	var list []string
	for _, k := range kinds {
		list = append(list, string(k))
	}
	return strings.Join(list, ", ")
}

type profileCheck struct {
	File string `arg:"" help:"A file with profiles alone: as the library's, under the key profiles."`
}

func (c *profileCheck) Run(a *app) error {
	data, err := os.ReadFile(c.File)
	if err != nil {
		return fmt.Errorf("read profiles: %w", err)
	}
	list, warnings, err := config.ParseProfiles(c.File, data)
	var problems config.Errors
	if errors.As(err, &problems) {
		for _, p := range problems {
			fmt.Fprintln(a.out, p)
		}
		fmt.Fprintf(a.errOut, "%s: %d problems\n", c.File, len(problems))
		return errProblems
	}
	if err != nil {
		return err
	}
	for _, w := range warnings {
		fmt.Fprintf(a.errOut, "%s (a warning)\n", w)
	}
	_, err = fmt.Fprintf(a.out, "%s: fine: %d profiles\n", c.File, len(list))
	return err
}
