package main

import (
	"errors"
	"fmt"

	"coldkeep/internal/config"
)

type checkCommand struct {
	Config string `required:"" placeholder:"FILE" help:"The configuration file."`
}

// Run checks the file without opening a bus or a directory.
func (c *checkCommand) Run(a *app) error {
	cfg, err := config.Load(c.Config)
	var problems config.Errors
	if errors.As(err, &problems) {
		for _, p := range problems {
			fmt.Fprintln(a.out, p)
		}
		fmt.Fprintf(a.errOut, "%s: %d problems\n", c.Config, len(problems))
		return errProblems
	}
	if err != nil {
		return err
	}
	for _, w := range cfg.Warnings {
		fmt.Fprintf(a.errOut, "%s (a warning)\n", w)
	}
	_, err = fmt.Fprintf(a.out, "%s: fine: %d units, %d probes, %d profiles\n", c.Config, len(cfg.Units), len(cfg.Probes), len(cfg.Profiles))
	return err
}
