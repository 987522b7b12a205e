package main

import (
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"tkit/access"
	"tkit/catalog"
	"tkit/inference"
	"tkit/inference/predict"
	"tkit/internal/commandline"
	"tkit/internal/present"
	"tkit/registry"
)

func predictCommand() *cli.Command {
	return &cli.Command{
		Name: "predict", Usage: "classify images without a server", ArgsUsage: "IMAGE|FOLDER...",
		Description: `Prints one line for each image, with the most probable labels first. For an image
that cannot be used it prints the reason. The other images are classified, and
the exit status is 1. A folder stands for all files in it and in its folders, but
not for those in folders to which it has symbolic links. "-" stands for an image
on standard input.

Examples:
   tkit predict rose.jpg --model flowers
   tkit predict photos --model flowers@7 --top 1
   curl -s https://example.org/rose.jpg | tkit predict - --model flowers
   tkit predict *.jpg --model flowers --json | jq -r '[.image, .labels[0].label] | @tsv'`,
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "model", Usage: "`MODEL` (its production version), MODEL@VERSION or MODEL@ALIAS", Required: true},
			purposeFlag(),
			&cli.IntFlag{Name: "top", Value: 3, Usage: "print the `N` most probable labels"},
			&cli.BoolFlag{Name: "json", Usage: "print one JSON object on a line for each image"},
		}, append(gpuFlags(), hostFlags()...)...),
		Action: func(c *cli.Context) error {
			if err := predict.CheckPaths(c.Args().Slice()); err != nil {
				return commandline.Usage(err)
			}
			return inHome(withCatalog(predictImages))(c)
		},
	}
}

func predictImages(c *cli.Context, k *catalog.Catalog, who access.Caller) (err error) {
	ref, err := registry.ParseRef(c.String("model"))
	if err != nil {
		return err
	}
	images, skipped, err := predict.Expand(c.Context, c.Args().Slice())
	if err != nil {
		return err
	}
	for _, folder := range skipped {
		commandline.Tell(c, "note", "skipped "+folder+": it is a symbolic link to a folder; name it to classify its images")
	}
	if err := inference.UseGPUs(gpus(c)); err != nil {
		return err
	}
	use, err := k.UseVersion(c.Context, who, ref)
	if err != nil {
		return err
	}
	defer func() { err = use.End(err) }()
	files, err := use.Files()
	if err != nil {
		return err
	}
	p, err := predict.Open(use.Context(), files, pluginSteps(c))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	failed, err := p.Files(use.Context(), images, c.Int("top"), func(results []predict.Result) error {
		return printPredictions(c, results)
	})
	if err != nil {
		return err
	}
	for _, w := range p.Warnings() {
		commandline.Tell(c, "warning", w)
	}
	if failed > 0 {
		return fmt.Errorf("predict: %d of %d images could not be used", failed, len(images))
	}
	return nil
}

func printPredictions(c *cli.Context, results []predict.Result) error {
	if c.Bool("json") {
		return present.Lines(c.App.Writer, results)
	}
	return present.Rows(c.App.Writer, nil, results, predict.Result.Row)
}
