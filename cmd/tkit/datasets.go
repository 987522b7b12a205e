package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"tkit/access"
	"tkit/catalog"
	"tkit/datasets/digits"
	"tkit/datasets/folder"
	"tkit/internal/commandline"
	"tkit/internal/page"
)

func datasetsCommand() *cli.Command {
	return &cli.Command{
		Name: "datasets", Usage: "check labelled images before training, and manage access to them",
		Subcommands: append([]*cli.Command{checkCommand(), sampleCommand()}, catalogueCommands()...),
	}
}

func checkCommand() *cli.Command {
	return &cli.Command{
		Name: "check", Usage: "read every image and report classes, sizes, imbalance, duplicates, leaks and problems", ArgsUsage: "FOLDER|FILE|URI|NAME",
		Flags: append([]cli.Flag{
			&cli.PathFlag{Name: "html", Usage: "also write the report with thumbnails to `FILE`, as a page without scripts that only you can read"},
			purposeFlag(), jsonFlag(),
		}, splitFlags("how training would split it:")...),
		Description: `A dataset is in a folder of this machine or in HDFS (hdfs://, webhdfs://,
swebhdfs://). It is one of:
   a folder that contains a folder of images for each class
   a manifest: CSV or lines of JSON with path and label, and optionally group and
   split
   a folder of tar files (WebDataset), TFRecord files of tf.train.Example or
   Hadoop SequenceFiles, or one such file
The kind follows from the names, or from ?format= with folder, manifest, tar,
tfrecord or sequencefile. One line of the report says how names were read as
classes and parts of a split. With the option splits=folders the folders train,
validation and test are parts of the split; with splits=names the names of the
files are. With label=parent the class of an image is the folder that contains it,
not the topmost one.

The exit status is 1 when no image can be used, or no image of a class. A
registered dataset requires the right to read.

A perceptual hash finds near duplicates. The report names those that the split of
a training would separate: the model would be evaluated on images like those that
it was trained on.

Examples:
   tkit datasets check photos
   tkit datasets check scans.csv
   tkit datasets check hdfs://cluster/images/shards
   tkit datasets check 'part-0?format=sequencefile'
   tkit datasets check --html photos.html photos
   tkit datasets check --look-alikes together --test 0.3 photos
   tkit datasets check --json photos | jq '.quarantined[].key'
   tkit datasets check --json photos | jq '.near_duplicates.groups[] | select(.leak)'`,
		Action: func(c *cli.Context) error {
			if err := lookAlikes(c).Check(fractions(c)); err != nil {
				return commandline.Usage(err)
			}
			return reading(checkDataset)(c)
		},
	}
}

func sampleCommand() *cli.Command {
	return &cli.Command{
		Name: "sample", Usage: "write a sample dataset of scanned digits, in any format", ArgsUsage: "FOLDER",
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
	which, err := digits.Parse(c.String("digits"))
	if err != nil {
		return fmt.Errorf("--digits: %w", err)
	}
	dir, format := c.Args().First(), c.String("format")
	if err := digits.Write(c.Context, dir, which, format); err != nil {
		return err
	}
	return commandline.ShowDone(c, map[string]any{"folder": dir, "format": format}, "wrote %s; look at it: tkit datasets check %s", dir, digits.Path(dir, format))
}

func checkDataset(c *cli.Context, k *catalog.Catalog, who access.Caller) error {
	file := c.Path("html")
	checked, err := k.CheckDataset(c.Context, who, c.Args().First(), catalog.CheckOptions{
		Split: fractions(c), LookAlikes: lookAlikes(c), Page: file != "", By: version,
	})
	if checked.Report == nil {
		return err
	}
	if file != "" {
		if e := writePage(c, file, checked.Page.Write); e != nil {
			return errors.Join(err, e)
		}
	}
	err = errors.Join(err, commandline.Show(c, checked.Report, checked.Report.Table))
	if near := checked.Report.Near; near != nil && len(near.Leaks()) > 0 && !c.Bool("json") {
		commandline.Tell(c, "note", "--look-alikes together keeps images that look alike on one side of the split, here and in tkit train")
	}
	return err
}

// writePage writes a page to the file of --html.
func writePage(c *cli.Context, file string, write func(io.Writer) error) error {
	if err := page.WriteFile(file, write); err != nil {
		return fmt.Errorf("--html: %w", err)
	}
	commandline.Tell(c, "note", "wrote "+file)
	return nil
}
