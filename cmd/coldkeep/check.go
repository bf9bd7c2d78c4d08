package main

import (
	"errors"
	"fmt"
	"slices"

	"coldkeep/internal/config"
)

type checkCommand struct {
	Config string `required:"" placeholder:"FILE" help:"The configuration file."`
}

// Run checks the file, and looks at the files it names, without opening a bus
// or a directory.
func (c *checkCommand) Run(a *app) error {
	cfg, err := config.Load(c.Config)
	var problems, absent config.Errors
	if err == nil {
		problems, absent = cfg.Files()
	}
	if errors.As(err, &problems) || len(problems) > 0 {
		for _, p := range problems {
			fmt.Fprintln(a.out, p)
		}
		fmt.Fprintf(a.errOut, "%s: %d problems\n", c.Config, len(problems))
		return errProblems
	}
	if err != nil {
		return err
	}
	for _, w := range slices.Concat(cfg.Warnings, absent) {
		fmt.Fprintf(a.errOut, "%s (a warning)\n", w)
	}
	_, err = fmt.Fprintf(a.out, "%s: fine: %d units, %d probes, %d profiles, %d people to call\n", c.Config, len(cfg.Units), len(cfg.Probes), len(cfg.Profiles), len(cfg.Duty.People))
	return err
}
