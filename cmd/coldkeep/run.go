package main

import (
	"errors"
	"fmt"
	"slices"

	"coldkeep/internal/config"
	"coldkeep/sensor/chips"
)

type runCommand struct {
	Config string `required:"" placeholder:"FILE" help:"The configuration file."`
}

// load reads a config, and tells every error in it.
func (a *app) load(path string) (*config.Config, error) { return a.parsed(config.Load(path)) }

// parsed tells every error that a config was found to have.
func (a *app) parsed(cfg *config.Config, err error) (*config.Config, error) {
	var problems config.Errors
	if errors.As(err, &problems) {
		for _, p := range problems {
			fmt.Fprintln(a.errOut, p)
		}
		return nil, fmt.Errorf("the config has %d problems: nothing was started", len(problems))
	}
	return cfg, err
}

// Run is the daemon.
func (c *runCommand) Run(a *app) error {
	cfg, err := a.load(c.Config)
	if err != nil {
		return err
	}
	log := a.logger()
	// A fridge is watched also where a channel's secret is missing or open to
	// all: that channel fails by itself, and is an alarm on the others.
	problems, absent := cfg.Files()
	for _, w := range slices.Concat(cfg.Warnings, problems, absent) {
		log.Warn(w.Error())
	}
	if err := chips.InitHost(); err != nil {
		log.Warn("not every kind of bus can be used", "cause", err)
	}
	buses, err := chips.Open(a.ctx, cfg.Probes, chips.Options{Deadline: busDeadline(cfg.Sampling), Log: log})
	if err != nil {
		return err
	}
	d := daemon{cfg: cfg, buses: buses, log: log}
	return d.run(a.ctx)
}
