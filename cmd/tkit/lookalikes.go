package main

import (
	"github.com/urfave/cli/v2"

	"tkit/datasets"
	"tkit/datasets/pictures"
)

// splitFlags are the flags for the split of a dataset.
func splitFlags(category string) []cli.Flag {
	return []cli.Flag{
		&cli.Float64Flag{Category: category, Name: "validation", Value: 0.15, Usage: "choose settings by this `PART` of the images"},
		&cli.Float64Flag{Category: category, Name: "test", Value: 0.15, Usage: "evaluate the result on this `PART` of the images"},
		&cli.IntFlag{Category: category, Name: "per-class", DefaultText: "off", Usage: "train on `N` images of each class and evaluate on all others"},
		&cli.Uint64Flag{Category: category, Name: "seed", Value: 1, Usage: "the `SEED` of everything that is random"},
		&cli.StringFlag{Category: category, Name: "look-alikes", Value: string(pictures.Warn),
			Usage: "images that look alike: `WHAT` is warn where a split separates them, together to keep them on one side, or ignore, which is faster"},
	}
}

func lookAlikes(c *cli.Context) pictures.LookAlikes {
	return pictures.LookAlikes(c.String("look-alikes"))
}

func fractions(c *cli.Context) datasets.Fractions {
	f := datasets.Fractions{Seed: c.Uint64("seed"), Together: lookAlikes(c) == pictures.Together}
	if n := c.Int("per-class"); n > 0 {
		f.TrainPerClass = n
	} else {
		f.Validation, f.Test = c.Float64("validation"), c.Float64("test")
	}
	return f
}
