package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/urfave/cli/v2"

	"tkit/access"
	"tkit/catalog"
	"tkit/ingest"
	"tkit/ingest/pipelines"
	"tkit/ingest/status"
	"tkit/internal/commandline"
	"tkit/internal/present"
	"tkit/internal/printable"
)

func ingestCommand() *cli.Command {
	return &cli.Command{
		Name: "ingest", Usage: "classify images as they arrive, by a pipeline that a file describes",
		Subcommands: []*cli.Command{
			{
				Name: "new", Usage: "write the file of a ready pipeline, with comments", ArgsUsage: "FILE",
				Description: `The pipelines are
   folder  a folder to a folder and a table of SQLite, without any server
   hdfs    a folder to HDFS
   full    a folder, with a look-up, to HDFS, PostgreSQL, OpenSearch, Kafka and mail
   kafka   a topic of Kafka to others, in any number of processes
   batch   all images of a folder of HDFS to a table

Examples:
   tkit ingest new flowers.yaml --model flowers --from incoming --to classified
   tkit ingest new archive.yaml --model flowers --pipeline hdfs --to hdfs://cluster/flowers`,
				Flags: []cli.Flag{
					&cli.StringFlag{Name: "pipeline", Usage: "write the pipeline `NAME`", Value: pipelines.First},
					&cli.StringFlag{Name: "model", Usage: "classify with `MODEL[@VERSION|@ALIAS]`", Required: true},
					&cli.StringFlag{Name: "from", Usage: "read the images of `FOLDER` instead of incoming"},
					&cli.StringFlag{Name: "to", Usage: "write the classified images into `FOLDER` instead of classified"},
				},
				Action: newPipeline,
			},
			{
				Name: "run", Usage: "run a pipeline", ArgsUsage: "PIPELINE",
				Description: `The first SIGTERM or Ctrl-C stops it after the images in flight. The next run
continues where it ended. docs/ingest.md describes the file.

Examples:
   tkit ingest run flowers.yaml
   tkit ingest run flowers.yaml --once
   tkit ingest run flowers.yaml --metrics 127.0.0.1:9400`,
				Flags: append([]cli.Flag{
					&cli.BoolFlag{Name: "once", Usage: "end when the images that exist are delivered"},
					&cli.StringFlag{Name: "metrics", Usage: "serve /metrics for Prometheus, /livez and /readyz at `ADDRESS`, without authentication"},
					purposeFlag(), jsonFlag(),
				}, hostFlags()...),
				Action: inHome(withCatalog(runPipeline)),
			},
			{
				Name: "replay", Usage: "process the dead letters of a pipeline again, after what failed was repaired", ArgsUsage: "PIPELINE",
				Description: `Dead letters that are delivered are removed. The pipeline may be running.

Examples:
   tkit ingest replay flowers.yaml`,
				Flags:  append([]cli.Flag{purposeFlag(), jsonFlag()}, hostFlags()...),
				Action: inHome(withCatalog(runPipeline)),
			},
			{
				Name: "lint", Usage: "check the file of a pipeline, and run nothing", ArgsUsage: "PIPELINE",
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
			{
				Name: "graph", Usage: "draw a pipeline", ArgsUsage: "PIPELINE",
				Description: `Examples:
   tkit ingest graph flowers.yaml
   tkit ingest graph flowers.yaml --as svg > flowers.svg`,
				Flags:  []cli.Flag{&cli.StringFlag{Name: "as", Usage: "draw it as `FORMAT`: text, svg, dot (for Graphviz) or json", Value: "text"}},
				Action: graphPipeline,
			},
			{
				Name: "status", Usage: "show what the pipelines of the home do, or have done", ArgsUsage: "[NAME...]",
				Description: `The counts are those of the run in progress, or of the last one.

Examples:
   tkit ingest status
   tkit ingest status flowers --json`,
				Flags:  []cli.Flag{jsonFlag()},
				Action: showPipelines,
			},
		},
	}
}

func newPipeline(c *cli.Context) error {
	file := c.Args().First()
	o := pipelines.Options{Pipeline: c.String("pipeline"), Model: c.String("model"), From: c.String("from"), To: c.String("to")}
	if err := pipelines.Write(file, o); err != nil {
		return fmt.Errorf("ingest new: %w", err)
	}
	_, err := printable.Fprintf(c.App.Writer, "wrote %s; run it: tkit ingest run %[1]s\n", file)
	return err
}

func runPipeline(c *cli.Context, k *catalog.Catalog, who access.Caller) error {
	o := ingest.Options{
		Home: c.Path("home"), File: c.Args().First(), Once: c.Bool("once"), Replay: c.Command.Name == "replay", Metrics: c.String("metrics"),
		Catalog: k, Caller: who, Plugins: pluginSteps(c),
	}
	line := present.NewStatusLine(c.App.ErrWriter)
	if line != nil && !c.Bool("json") {
		c.App.ErrWriter = line
		o.Progress = line.Set
		defer line.Clear()
	}
	o.Log = commandline.NewLog(c, false)
	s, err := ingest.Run(c.Context, o)
	if err != nil {
		return err
	}
	return commandline.Show(c, s, s.WriteText)
}

// replayFor returns the function by which a server replays dead letters.
func replayFor(c *cli.Context, log *slog.Logger) func(context.Context, access.Caller, string) error {
	return func(ctx context.Context, who access.Caller, file string) (err error) {
		k, _, err := openCatalog(c)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, k.Close()) }()
		_, err = ingest.Run(ctx, ingest.Options{Home: c.Path("home"), File: file, Replay: true, Catalog: k, Caller: who, Plugins: pluginSteps(c), Log: log})
		return err
	}
}

func graphPipeline(c *cli.Context) error {
	g, err := ingest.Graph(c.Context, c.Args().First())
	if err != nil {
		return err
	}
	return g.Write(c.App.Writer, c.String("as"))
}

func showPipelines(c *cli.Context) error {
	t, err := status.List(c.Context, c.Path("home"), c.Args().Slice()...)
	if err != nil {
		return err
	}
	return commandline.Show(c, t, t.WriteText)
}
