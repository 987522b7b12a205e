// Command tkit turns a pretrained SavedModel and a folder of images into a
// served classifier: it trains, keeps every version, and serves the right one.
//
// The commands read flags, call one function of the packages below and print.
package main

import (
	"context"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"syscall"

	"github.com/urfave/cli/v2"

	"tkit/catalog"
	"tkit/internal/commandline"
	"tkit/internal/printable"
)

// version is what `tkit --version` prints and what a manifest's lineage names;
// the Makefile sets it from git.
var version = "devel"

// garbage is how much of it, in percent of what is in use, Go's heap may hold.
// Networks and tensors are not in that heap, and what works on images uses its
// buffers again: collecting twice as often costs nothing that bench/serve and
// bench/bottlenecks measure, and takes 50 MB less for a million entries.
const garbage = 50

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbage)
	}
	// The first signal asks the command to end in order, the second ends it.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)

	a := app()
	err := commandline.Run(ctx, a, os.Args)
	if status := commandline.Report(ctx, a.ErrWriter, os.Args, err); status != 0 {
		os.Exit(status)
	}
}

func app() *cli.App {
	a := &cli.App{
		Name:    "tkit",
		Usage:   "fine-tune pretrained SavedModels on your images, keep every version, serve the right one",
		Version: version,
		// What tkit prints quotes names and messages from elsewhere.
		Writer:    printable.NewWriter(os.Stdout),
		ErrWriter: printable.NewWriter(os.Stderr),
		// Errors are printed once, by main.
		ExitErrHandler: func(*cli.Context, error) {},
		Flags: []cli.Flag{
			&cli.PathFlag{
				Name:    "home",
				Usage:   "keep the registry, the models and the caches in `FOLDER`",
				EnvVars: []string{"TKIT_HOME"},
				Value:   defaultHome(),
			},
		},
		// Whatever a command does, it does it by what stands in the home.
		Before: func(c *cli.Context) error { return catalog.CheckFolder(c.Path("home")) },
		Commands: []*cli.Command{
			trainCommand(),
			predictCommand(),
			serveCommand(),
			registryCommand(),
			datasetsCommand(),
			pluginsCommand(),
			accessCommand(),
			architecturesCommand(),
			versionCommand(),
			completionCommand(),
			commandline.ManCommand(),
		},
	}
	commandline.Prepare(a, commandline.Rules{Bounds: bounds, Values: argumentValues, Explain: withFlags})
	return a
}

func defaultHome() string {
	home, err := os.UserHomeDir()
	if err != nil {
		return ".tkit"
	}
	return filepath.Join(home, ".tkit")
}
