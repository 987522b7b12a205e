// Finetune trains a head for five classes on ResNet-50, twice: by `tkit train`
// with a new home and therefore an empty cache, and by the recipe of Keras's
// guide "Transfer learning & fine-tuning", in float32, with its images cached
// in memory. Both are timed as whole processes from start to end, one after the
// other, and use the same photographs for training and for the test; Keras also
// trains on the images that tkit reserves for choosing its settings. Dataset
// and base are created beforehand. Ratios are medians over rounds; accuracies
// are those of the last round.
//
//	go run ./bench/finetune
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"

	"tkit/bench/keras"
	"tkit/bench/measure"
	"tkit/bench/photographs"
	"tkit/bench/trained"
	"tkit/internal/evaluation"
)

const classes = 5

type options struct {
	images, test   int
	epochs, rounds int
	tkit, cut      string
}

func main() {
	var o options
	flag.IntVar(&o.images, "images", 600, "photographs, a multiple of 5")
	flag.IntVar(&o.test, "test", 120, "how many of them are test images")
	flag.IntVar(&o.epochs, "epochs", 10, "Keras's passes over the images")
	flag.IntVar(&o.rounds, "rounds", 1, "rounds")
	flag.StringVar(&o.tkit, "tkit", "bin/tkit", "the program built by make build")
	flag.StringVar(&o.cut, "cut", "conv5_block3_out:avg", "tkit's --cut; the default is that of Keras")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	rows, err := bench(ctx, o)
	if err == nil {
		err = measure.Print(rows...)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench/finetune:", err)
		os.Exit(1)
	}
}

func bench(ctx context.Context, o options) (rows []measure.Row, err error) {
	if o.rounds < 1 || o.epochs < 1 {
		return nil, errors.New("-rounds and -epochs must be 1 or more")
	}
	folder, err := photographs.Folder(classes, o.images/classes)
	if err != nil {
		return nil, err
	}
	base, err := keras.ResNet50(ctx)
	if err != nil {
		return nil, err
	}
	work, err := os.MkdirTemp("", "bench-finetune-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	s, err := divide(ctx, folder, work, o.test)
	if err != nil {
		return nil, err
	}

	var ours evaluation.Proportion
	var theirs float64
	var took, reference, ratios []float64
	for range o.rounds {
		begun := time.Now()
		if ours, err = train(ctx, o, base.SavedModel, folder, work, s); err != nil {
			return nil, err
		}
		a := time.Since(begun).Seconds()
		begun = time.Now()
		if theirs, err = keras.FineTune(ctx, base.Weights, s.train, s.test, o.epochs); err != nil {
			return nil, err
		}
		b := time.Since(begun).Seconds()
		took, reference, ratios = append(took, a), append(reference, b), append(ratios, b/a)
	}
	if ours.Trials != o.test {
		return nil, fmt.Errorf("tkit tested on %d images, Keras on %d: the splits differ", ours.Trials, o.test)
	}
	recipe := fmt.Sprintf("recipe of Keras's guide, %d epochs", o.epochs)
	return []measure.Row{{
		What: fmt.Sprintf("%d images, %d classes, head on ResNet-50, start to end", o.images, classes), Against: recipe,
		Measured: measure.Median(took), Reference: measure.Median(reference), Unit: "s",
		Ratio: measure.Median(ratios), Target: 10, Note: "how many times faster",
	}, {
		What: "accuracy on the test images", Against: recipe,
		Measured: ours.Value, Reference: theirs, Ratio: ours.Value / theirs, Target: 1,
		Note: fmt.Sprintf("of %d; 95 %% interval of tkit's %.3f to %.3f", o.test, ours.Low, ours.High),
	}}, nil
}

// train runs `tkit train` with a new home and returns the test's accuracy.
func train(ctx context.Context, o options, base, folder, work string, s split) (accuracy evaluation.Proportion, err error) {
	home, err := os.MkdirTemp(work, "home-")
	if err != nil {
		return accuracy, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(home)) }()
	return trained.Train(ctx, o.tkit, home, "--base", base, "--preprocessing", "caffe", "--cut", o.cut, "--data", folder,
		"--validation", fmt.Sprint(s.fractions.Validation), "--test", fmt.Sprint(s.fractions.Test), "--seed", fmt.Sprint(s.fractions.Seed))
}
