// Solarcells trains heads on EfficientNet-Lite0's ImageNet weights for the 2,624
// photographs of solar cells of elpv-dataset, whose cells are defective where the
// experts' probability of a defect is a half or more. The images are divided as
// `tkit train` does by default: 15 % for the test, and 15 % to choose the penalty; each
// seed divides them anew, and the cut is selected by cross-validation. The
// result is the mean accuracy of five seeds.
//
// A head is also compared with a ResNet-20 from scratch on the same images, reduced to
// 32×32: with 50 images of each class, tested on all others, for each of the five
// seeds, because it matters which 50 they are; and with 60 % of the images, tested on
// the other 40 %, for one seed. The ratio is the lower end of the head's 95 %
// interval divided by the upper end of the other's, the median of the seeds: from 1
// on, the intervals are apart.
//
//	go run ./bench/solarcells
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"

	"tkit/bench/measure"
	"tkit/bench/trained"
	"tkit/internal/evaluation"
)

const base = "efficientnet-lite0"

func main() {
	tkit := flag.String("tkit", "bin/tkit", "the program built by make build")
	seeds := flag.Int("seeds", 5, "divisions of the images")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := bench(ctx, *tkit, *seeds); err != nil {
		fmt.Fprintln(os.Stderr, "bench/solarcells:", err)
		os.Exit(1)
	}
}

func bench(ctx context.Context, tkit string, seeds int) (err error) {
	if seeds < 1 {
		return errors.New("-seeds must be 1 or more")
	}
	work, err := os.MkdirTemp("", "bench-solarcells-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	home, cells := filepath.Join(work, "home"), filepath.Join(work, "cells")
	for _, script := range [][]string{{"scripts/fetch-elpv", cells}, {"scripts/fetch-base", base}} {
		cmd := exec.CommandContext(ctx, script[0], script[1:]...)
		cmd.Env = append(os.Environ(), "TKIT_HOME="+home)
		cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("%s: %w", strings.Join(script, " "), err)
		}
	}
	train := func(flags ...string) (evaluation.Proportion, error) {
		return trained.Train(ctx, tkit, home, append([]string{"--data", cells, "--look-alikes", "ignore"}, flags...)...)
	}
	mean, note, err := heads(train, seeds)
	if err != nil {
		return err
	}
	rows := []measure.Row{{
		What:    fmt.Sprintf("accuracy on solar cells, head on EfficientNet-Lite0, mean of %d seeds", seeds),
		Against: "published: SVM .824, VGG-19 .884, ResNet-152 .901", Measured: mean, Unit: "", Ratio: mean, Target: .855, Note: note,
	}}
	few, all := []string{"--per-class", "50"}, []string{"--test", "0.4"}
	for _, c := range []comparison{
		{"50 images a class", slices.Concat(few, []string{"--cut", "head/relu:layers"}), slices.Concat(few, []string{"--epochs", "40", "--batch-size", "10"}), seeds},
		{"60 % of the images", all, slices.Concat(all, []string{"--epochs", "15"}), 1},
	} {
		row, err := c.run(train)
		if err != nil {
			return err
		}
		rows = append(rows, row)
	}
	return measure.Print(rows...)
}

type training func(flags ...string) (evaluation.Proportion, error)

// heads trains a head for each seed.
func heads(train training, seeds int) (mean float64, note string, err error) {
	var each []string
	for seed := range seeds {
		a, err := train("--base", base, "--seed", fmt.Sprint(seed+1))
		if err != nil {
			return 0, "", err
		}
		mean += a.Value / float64(seeds)
		each = append(each, fmt.Sprintf("%.3f", a.Value))
	}
	return mean, "seeds " + strings.Join(each, ", "), nil
}

// comparison is a head and a network from scratch on the same images.
type comparison struct {
	name          string
	head, scratch []string // flags
	seeds         int
}

func (c comparison) run(train training) (row measure.Row, err error) {
	var ratios []float64
	var notes []string
	var ours, theirs float64 // means
	for seed := range c.seeds {
		same := []string{"--seed", fmt.Sprint(seed + 1)}
		a, err := train(slices.Concat([]string{"--base", base}, same, c.head)...)
		if err != nil {
			return row, err
		}
		b, err := train(slices.Concat([]string{"--architecture", "resnet20-cifar", "--flip", "--shift", "2", "--learning-rate", "0.1"}, same, c.scratch)...)
		if err != nil {
			return row, err
		}
		ours, theirs = ours+a.Value/float64(c.seeds), theirs+b.Value/float64(c.seeds)
		ratios = append(ratios, a.Low/b.High)
		notes = append(notes, fmt.Sprintf("%.3f to %.3f and %.3f to %.3f on %d", a.Low, a.High, b.Low, b.High, a.Trials))
	}
	return measure.Row{
		What: "accuracy on solar cells, " + c.name + ", head on EfficientNet-Lite0", Against: "ResNet-20 from scratch, same images at 32×32",
		Measured: ours, Reference: theirs, Ratio: measure.Median(ratios), Target: 1,
		Note: "95 % intervals " + strings.Join(notes, "; "),
	}, nil
}
