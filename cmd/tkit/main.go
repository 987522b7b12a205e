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

	"tkit/internal/commandline"
	"tkit/internal/printable"
)

// version is printed by `tkit --version` and recorded in the lineage of
// manifests; the Makefile sets it from git.
var version = "devel"

// garbage is Go's GC percentage: the garbage that the heap may hold in percent
// of the live data. Networks and tensors are not in that heap, and the
// processing of images reuses its buffers. So collecting twice as often has no
// measurable cost in bench/serve and bench/bottlenecks, and saves 50 MB for a
// million entries.
const garbage = 50

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbage)
	}
	// The first signal cancels the command, the second ends the process.
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
		Name: "tkit", Usage: "fine-tune pretrained SavedModels on your images, keep every version, serve the right one",
		Version: version,
		// The output contains names and messages from other sources.
		Writer:    printable.NewWriter(os.Stdout),
		ErrWriter: printable.NewWriter(os.Stderr),
		// Errors are printed once, by main.
		ExitErrHandler: func(*cli.Context, error) {},
		Flags: []cli.Flag{
			&cli.PathFlag{
				Name: "home", Usage: "keep the registry, the models and the caches in `FOLDER`",
				EnvVars: []string{"TKIT_HOME"},
				Value:   defaultHome(),
			},
			&cli.StringFlag{
				Name: "database", Usage: "keep what several servers share in the PostgreSQL database at `ADDRESS`, such as postgres://USER@HOST/NAME",
				EnvVars: []string{"TKIT_DATABASE"}, DefaultText: "a file in the home",
			},
		},
		// Every command depends on the content of the home.
		Before: func(c *cli.Context) error { return options(c).Check() },
		Commands: []*cli.Command{
			trainCommand(),
			baseCommand(),
			predictCommand(),
			serveCommand(),
			ingestCommand(),
			registryCommand(),
			datasetsCommand(),
			pluginsCommand(),
			accessCommand(),
			databaseCommand(),
			architecturesCommand(),
			doctorCommand(),
			cacheCommand(),
			versionCommand(),
			commandline.CompletionCommand(),
			commandline.ManCommand(),
		},
	}
	commandline.Prepare(a, commandline.Rules{Bounds: bounds, Values: argumentValues, Explain: withHints})
	return a
}

func defaultHome() string {
	home, err := os.UserHomeDir()
	if err != nil {
		return ".tkit"
	}
	return filepath.Join(home, ".tkit")
}
