package main

import (
	"errors"
	"fmt"
	"slices"

	"coldkeep/alert"
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
	words := badWords(cfg)
	if errors.As(err, &problems) || len(problems)+len(words) > 0 {
		for _, p := range problems {
			fmt.Fprintln(a.out, p)
		}
		for _, p := range words {
			fmt.Fprintln(a.out, p)
		}
		fmt.Fprintf(a.errOut, "%s: %d problems\n", c.Config, len(problems)+len(words))
		return errProblems
	}
	if err != nil {
		return err
	}
	for _, w := range slices.Concat(cfg.Warnings, cfg.Undated(), absent) {
		fmt.Fprintf(a.errOut, "%s (a warning)\n", w)
	}
	_, err = fmt.Fprintf(a.out, "%s: fine: %d units, %d probes, %d profiles, %d people to call\n", c.Config, len(cfg.Units), len(cfg.Probes), len(cfg.Profiles), len(cfg.Duty.People))
	return err
}

// badWords is what is wrong in the clinic's own words. That the file is not
// here has been told already.
func badWords(cfg *config.Config) (list alert.CatalogueErrors) {
	if cfg == nil || cfg.Words == "" {
		return nil
	}
	_, err := alert.LoadCatalogue(cfg.Words)
	errors.As(err, &list)
	return list
}
