package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"tkit/internal/commandline"
	"tkit/internal/printable"
	"tkit/plugins/scaffold"
	"tkit/plugins/store"
	"tkit/plugins/trial"
)

// authorCommands are for people who write plugins.
func authorCommands() []*cli.Command {
	return []*cli.Command{
		{
			Name: "new", Usage: "create the project of a new plugin, which builds and passes its tests", ArgsUsage: "NAME",
			Flags: []cli.Flag{
				&cli.StringFlag{Name: "lang", Usage: "write it in `LANGUAGE`: go or python", Value: "go"},
			},
			Description: `NAME is a new folder and the plugin's name. The project's folder sdk has the
SDK that fits this tkit. A plugin needs neither C nor TensorFlow.

Examples:
   tkit plugins new brighten && cd brighten && go test ./...
   tkit plugins new --lang python work/brighten`,
			Action: withStore(newPlugin),
		},
		{
			Name: "test", Usage: "check that a plugin does what the contract and its description promise", ArgsUsage: "PATH",
			Flags: append(trialFlags(), append(allowanceFlags(),
				&cli.IntFlag{Name: "rounds", Usage: "send `N` batches to look for leaks", Value: 300},
				jsonFlag())...),
			Description: `PATH is the plugin's executable, or the project of a plugin in Python. It is
not installed. What the plugin prints is logged to standard error. The exit
status is 1 when a check fails. The command also shows how this machine confines
plugins.

Examples:
   tkit plugins test ./brighten
   tkit plugins test ./brighten --config '{"by": 40}' --plugin-memory 256
   tkit plugins test ./dicom-window --sample a.dcm --sample b.dcm
   tkit plugins test --json ./brighten | jq -r '.checks[] | select(.fault) | .fault'`,
			Action: withStore(testPlugin),
		},
		{
			Name: "bench", Usage: "measure a plugin's time per image, by shared memory and by gRPC, and its start", ArgsUsage: "PATH",
			Flags: append(trialFlags(), append(allowanceFlags(),
				&cli.IntFlag{Name: "batch", Usage: "send `N` images at a time", Value: 32},
				jsonFlag())...),
			Description: `Where the plugin takes images of any size, they have 224×224×3 unless --sides says
otherwise. The time is from the call to the checked answer, with one process.

Examples:
   tkit plugins bench ./brighten
   tkit plugins bench ./brighten --sides 1024x1024x3 --batch 4
   tkit plugins bench --json ./brighten | jq .shared_memory.ms_per_image`,
			Action: withStore(benchPlugin),
		},
	}
}

func newPlugin(c *cli.Context, _ store.Store) error {
	folder := c.Args().First()
	create := map[string]func(string) error{"go": scaffold.Go, "python": scaffold.Python}
	if err := create[c.String("lang")](folder); err != nil {
		return fmt.Errorf("plugins new: %w", err)
	}
	printable.Fprintf(c.App.Writer, "created %s; its README.md describes the next steps\n", folder)
	return nil
}

// trialFlags are the flags for the input of a trial.
func trialFlags() []cli.Flag {
	return append(pythonFlags(),
		&cli.StringFlag{Name: "config", Usage: "the plugin's configuration, as a `JSON` object"},
		&cli.StringSliceFlag{Name: "sample", Usage: "send `FILE` to a plugin that takes encoded images, instead of a JPEG and a PNG; may be repeated"},
		&cli.StringFlag{Name: "sides", Usage: "send pixels of `HxWxC` where the plugin takes any; 0 is any size"},
	)
}

func trialOptions(c *cli.Context) (o trial.Options, err error) {
	o = trial.Options{Path: c.Args().First(), Store: storeOptions(c), Memory: pluginMemory(c), Network: c.Bool("plugin-network"),
		Log: commandline.NewLog(c, false).Handler()}
	o.Suite.Rounds = c.Int("rounds")
	if o.Suite.Config, err = trial.ParseConfig(c.String("config")); err != nil {
		return o, fmt.Errorf("--config: %w", err)
	}
	if o.Suite.Samples, err = trial.ReadSamples(c.Context, c.StringSlice("sample")); err != nil {
		return o, fmt.Errorf("--sample: %w", err)
	}
	if o.Suite.Sides, err = trial.ParseSides(c.String("sides")); err != nil {
		return o, fmt.Errorf("--sides: %w", err)
	}
	return o, nil
}

func testPlugin(c *cli.Context, s store.Store) error {
	o, err := trialOptions(c)
	if err != nil {
		return err
	}
	var observe trial.Observer
	if !c.Bool("json") {
		observe = trial.Printer(c.App.Writer, o.Network)
	}
	report, err := trial.Test(c.Context, s, o, observe)
	if err != nil {
		return err
	}
	return errors.Join(commandline.Show(c, report, func(io.Writer) error { return nil }), report.Err()) // the text has been printed
}

func benchPlugin(c *cli.Context, s store.Store) error {
	o, err := trialOptions(c)
	if err != nil {
		return err
	}
	f, err := trial.Bench(c.Context, s, o, c.Int("batch"))
	if err != nil {
		return err
	}
	return commandline.Show(c, f, f.WriteText)
}
