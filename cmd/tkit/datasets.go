package main

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"tkit/datasets/digits"
	"tkit/datasets/folder"
	"tkit/internal/commandline"
)

func datasetsCommand() *cli.Command {
	return &cli.Command{
		Name:        "datasets",
		Usage:       "look at labelled images before training on them, and say who may",
		Subcommands: append([]*cli.Command{checkCommand(), sampleCommand()}, catalogueCommands()...),
	}
}

func checkCommand() *cli.Command {
	return &cli.Command{
		Name:      "check",
		Usage:     "read every image and report classes, sizes, imbalance, duplicates, leaks and what is wrong",
		ArgsUsage: "FOLDER|FILE|URI|NAME",
		Flags: append([]cli.Flag{
			&cli.PathFlag{Name: "html", Usage: "write the report with thumbnails to `FILE`, one page without a script, which only you can read"},
			purposeFlag(), jsonFlag(),
		}, splitFlags("how training would split it:")...),
		Description: `A dataset is one of these, in a folder of this machine or in HDFS
(hdfs://, webhdfs://, swebhdfs://):
   a folder with a folder of images for each class
   a manifest: CSV, or lines of JSON, with path, label and maybe group and split
   a folder of tar files (WebDataset), of TFRecord files of tf.train.Example, or
   of Hadoop SequenceFiles; or one such file
Which it is follows from the names, or from ?format= with folder, manifest, tar,
tfrecord or sequencefile.
The report says in a line how names were read as classes and sides of a split.
The option splits=folders reads the folders train, validation and test, as people
spell them, as sides; splits=names reads the names of shards so; label=parent
takes the folder that an image is in as its class, and not the first.

The exit status is 1 where no image can be used, or none of a class. A registered
dataset needs the right to read.

Images that look alike though their bytes differ are found by a perceptual hash,
and named where the split that training would make parts them: a model would be
judged by what it was trained on.

Examples:
   tkit datasets check photos
   tkit datasets check scans.csv
   tkit datasets check hdfs://cluster/images/shards
   tkit datasets check 'part-0?format=sequencefile'
   tkit datasets check --html photos.html photos
   tkit datasets check --look-alikes together --test 0.3 photos
   tkit datasets check --json photos | jq '.quarantined[].key'
   tkit datasets check --json photos | jq '.near_duplicates.groups[] | select(.leak)'`,
		Action: withCatalog(1, 1, checkDataset),
	}
}

func sampleCommand() *cli.Command {
	return &cli.Command{
		Name:      "sample",
		Usage:     "write the scanned digits that ship with tkit, in any format of datasets",
		ArgsUsage: "FOLDER",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "digits", Value: "0-9", Usage: "write only these, such as `5-9` or 1,7"},
			&cli.StringFlag{Name: "format", Value: folder.Format, Usage: "one of `" + strings.Join(digits.Formats(), "|") + "`"},
			jsonFlag(),
		},
		Description: `1,797 scans of 8×8 pixels, UCI Machine Learning Repository, CC BY 4.0
(E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, 1998).

Examples:
   tkit datasets sample digits
   tkit datasets sample --digits 5-9 digits-5-9
   tkit datasets sample --format tfrecord shards && tkit datasets check shards`,
		Action: writeSample,
	}
}

func writeSample(c *cli.Context) error {
	if err := commandline.CheckArguments(c, 1, 1); err != nil {
		return err
	}
	which, err := digits.Parse(c.String("digits"))
	if err != nil {
		return fmt.Errorf("--digits: %w", err)
	}
	dir, format := c.Args().First(), c.String("format")
	if err := digits.Write(c.Context, dir, which, format); err != nil {
		return err
	}
	return showDone(c, map[string]any{"folder": dir, "format": format}, "wrote %s; look at it: tkit datasets check %s", dir, digits.Path(dir, format))
}
