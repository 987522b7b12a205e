package main

import (
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"tkit/datasets"
	"tkit/datasets/pictures"
)

// What becomes of images that look alike.
const (
	warnOfAlike  = "warn"
	keepTogether = "together"
	ignoreAlike  = "ignore"
)

// splitFlags say how a dataset is split.
func splitFlags(category string) []cli.Flag {
	return []cli.Flag{
		&cli.Float64Flag{Category: category, Name: "validation", Value: 0.15, Usage: "the part of the images that settings are chosen by"},
		&cli.Float64Flag{Category: category, Name: "test", Value: 0.15, Usage: "the part of the images that the result is judged by"},
		&cli.IntFlag{Category: category, Name: "per-class", DefaultText: "off", Usage: "train on `N` images of each class, judge by all others"},
		&cli.Uint64Flag{Category: category, Name: "seed", Value: 1, Usage: "what everything drawn is drawn from"},
		&cli.StringFlag{Category: category, Name: "look-alikes", Value: warnOfAlike,
			Usage: "what to do about images that look alike: `WHAT`: warn where a split parts them, keep them together on one side, or ignore them, which is faster"},
	}
}

// fractions are those that the flags say.
func fractions(c *cli.Context) datasets.Fractions {
	f := datasets.Fractions{Seed: c.Uint64("seed"), Together: c.String("look-alikes") == keepTogether}
	if n := c.Int("per-class"); n > 0 {
		f.TrainPerClass = n
	} else {
		f.Validation, f.Test = c.Float64("validation"), c.Float64("test")
	}
	return f
}

// lookAlikes is how the snapshot looks for images that look alike, nil where it
// does not. The caller closes it.
func lookAlikes(c *cli.Context) (look datasets.Look, end func() error, err error) {
	switch what := c.String("look-alikes"); what {
	case warnOfAlike, keepTogether:
		if what == keepTogether && c.Int("per-class") > 0 {
			return nil, nil, errors.New("--look-alikes together: a number of images a class cannot be kept beside it: give --validation and --test instead of --per-class")
		}
		p, err := pictures.NewPrinter()
		if err != nil {
			return nil, nil, err
		}
		return p.Print, p.Close, nil
	case ignoreAlike:
		return nil, func() error { return nil }, nil
	default:
		return nil, nil, fmt.Errorf("--look-alikes %q: want %s, %s or %s", what, warnOfAlike, keepTogether, ignoreAlike)
	}
}
