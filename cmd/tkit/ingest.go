package main

import (
	"errors"

	"github.com/urfave/cli/v2"

	"tkit/access"
	"tkit/catalog"
	"tkit/ingest"
	"tkit/internal/commandline"
)

func ingestCommand() *cli.Command {
	return &cli.Command{
		Name:  "ingest",
		Usage: "classify images as they arrive, by a pipeline that a file describes",
		Subcommands: []*cli.Command{
			{
				Name:      "run",
				Usage:     "run a pipeline",
				ArgsUsage: "PIPELINE",
				Description: `The first SIGTERM or Ctrl-C stops it after the images in flight. The next run
continues where it ended. docs/ingest.md describes the file.

Examples:
   tkit ingest run flowers.yaml
   tkit ingest run flowers.yaml --once`,
				Flags: append([]cli.Flag{
					&cli.BoolFlag{Name: "once", Usage: "end when the images that exist are delivered"}, purposeFlag(), jsonFlag(),
				}, hostFlags()...),
				Action: inHome(withCatalog(runPipeline)),
			},
			{
				Name:      "replay",
				Usage:     "process the dead letters of a pipeline again, after what failed was repaired",
				ArgsUsage: "PIPELINE",
				Description: `Dead letters that are delivered are removed. The pipeline may be running.

Examples:
   tkit ingest replay flowers.yaml`,
				Flags:  append([]cli.Flag{purposeFlag(), jsonFlag()}, hostFlags()...),
				Action: inHome(withCatalog(runPipeline)),
			},
			{
				Name:        "lint",
				Usage:       "check the file of a pipeline, and run nothing",
				ArgsUsage:   "PIPELINE",
				Description: "The exit status is 1 when there is a mistake.\n\nExamples:\n   tkit ingest lint flowers.yaml",
				Flags:       []cli.Flag{jsonFlag()},
				Action: func(c *cli.Context) error {
					r, err := ingest.Lint(c.Context, c.Args().First())
					if err != nil {
						return err
					}
					return errors.Join(commandline.Show(c, r, r.WriteText), r.Err())
				},
			},
		},
	}
}

func runPipeline(c *cli.Context, k *catalog.Catalog, who access.Caller) error {
	s, err := ingest.Run(c.Context, ingest.Options{
		Home: c.Path("home"), File: c.Args().First(), Once: c.Bool("once"), Replay: c.Command.Name == "replay",
		Catalog: k, Caller: who, Plugins: pluginSteps(c), Log: commandline.NewLog(c, false),
	})
	if err != nil {
		return err
	}
	return commandline.Show(c, s, s.WriteText)
}
