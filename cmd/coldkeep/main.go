// Command coldkeep watches the cold storage of a clinic, keeps the record of
// it, and says which batch may not be used.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // a site's zone must be known on a machine without a zone database

	"github.com/alecthomas/kong"
)

// Exit codes.
const (
	exitDone     = 0
	exitFailed   = 1
	exitWrongUse = 2
	exitProblems = 3
)

// errProblems says that a check found problems, which have been told already.
var errProblems = errors.New("problems found")

// commands is the command line: one struct a subcommand, each in its file.
type commands struct {
	Run      runCommand      `cmd:"" help:"The daemon: read the probes, keep the record, tell people."`
	Demo     demoCommand     `cmd:"" help:"The daemon on simulated fridges; needs nothing."`
	Check    checkCommand    `cmd:"" help:"Validate a configuration file; exit 3 when something is wrong with it."`
	Probes   probesCommand   `cmd:"" help:"What answers on the buses, and what the probes say."`
	Batch    batchCommand    `cmd:"" help:"Receive, place, move and look at batches."`
	Profile  profileCommand  `cmd:"" help:"Storage conditions: the library, and what each allows."`
	Alarms   alarmsCommand   `cmd:"" help:"Look at alarms, answer them, and test the way to the phones."`
	Readings readingsCommand `cmd:"" help:"Take in what loggers had recorded, and give out what the record holds."`
	Replay   replayCommand   `cmd:"" help:"Judge recorded readings as the daemon would have."`
	Oncall   oncallCommand   `cmd:"" help:"Who would be called about a trouble, and how."`
	Version  versionCommand  `cmd:"" help:"Say which version this is."`
}

// app is what a command may touch of the world.
type app struct {
	ctx    context.Context
	in     io.Reader
	out    io.Writer
	errOut io.Writer
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(&app{ctx, os.Stdin, os.Stdout, os.Stderr}, os.Args[1:])
	stop()
	os.Exit(code)
}

// run runs one command line and gives its exit code.
func run(a *app, args []string) int {
	var c commands
	exited, code := false, 0
	parser, err := kong.New(&c, kong.Name("coldkeep"), kong.UsageOnError(),
		kong.Description("Watches a clinic's cold storage and keeps the record that says which batch may not be used."),
		helpWords(), kong.Writers(a.out, a.errOut), kong.Exit(func(n int) { exited, code = true, n }))
	if err != nil {
		fmt.Fprintln(a.errOut, "coldkeep:", err)
		return exitFailed
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	k, err := parser.Parse(args)
	if exited {
		return code
	}
	if err != nil {
		fmt.Fprintf(a.errOut, "coldkeep: %v; `coldkeep --help` tells what there is\n", err)
		return exitWrongUse
	}
	err = k.Run(a)
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, errProblems):
		return exitProblems
	}
	fmt.Fprintln(a.errOut, err)
	return exitFailed
}
