// Bottlenecks takes photographs from JPEG files to the bottlenecks of ResNet-50
// as training does, in turn with what it is measured against, in one run: the
// raw loop of the same folded network over one batch that is decoded already,
// once as a single loop on TensorFlow's own threads and once as as many loops at
// a time as extraction has batches; and Keras's predict over
// image_dataset_from_directory in a Python process that has done a round before.
// All have the same batch size. The ratios are medians over rounds. In bfloat16
// only where the processor has instructions for it and a head's answers agree.
//
//	go run ./bench/bottlenecks
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"

	"tkit/bench/keras"
	"tkit/bench/measure"
	"tkit/bench/photographs"
	"tkit/internal/inference"
	"tkit/internal/preprocessing"
	"tkit/internal/tensorflow"
)

// classes of the photographs, and the size that ResNet-50 takes them in.
const (
	classes = 5
	size    = 224
)

func main() {
	images := flag.Int("images", 600, "images in a round, a multiple of 5")
	rounds := flag.Int("rounds", 3, "counted rounds")
	batch := flag.Int("batch", 16, "images in a batch")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	rows, err := bench(ctx, *images/classes, *rounds, *batch)
	if err == nil {
		err = measure.Print(rows...)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench/bottlenecks:", err)
		os.Exit(1)
	}
}

func bench(ctx context.Context, perClass, rounds, batch int) (rows []measure.Row, err error) {
	folder, err := photographs.Folder(classes, perClass)
	if err != nil {
		return nil, err
	}
	base, err := keras.ResNet50(ctx)
	if err != nil {
		return nil, err
	}
	work, err := os.MkdirTemp("", "bench-bottlenecks-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	network, err := writeTrunk(ctx, base.SavedModel, work)
	if err != nil {
		return nil, err
	}
	ours, err := newSide(folder, batch)
	if err != nil {
		return nil, err
	}
	defer ours.pipeline.Close()
	theirs, err := keras.NewPredictor(ctx, base.Weights, folder, batch)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, theirs.Close()) }()

	config, parallel := inference.Throughput()
	plain, err := inference.OpenTrunk(network, tensorflow.Config{})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, plain.Close()) }()
	trunk, err := inference.OpenTrunk(network, config)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, trunk.Close()) }()
	narrow, refused, err := ours.bfloat16(ctx, network, work, trunk)
	if err != nil {
		return nil, err
	}
	if narrow != nil {
		defer func() { err = errors.Join(err, narrow.Close()) }()
	}

	var first, reference []float32
	turns := []func() (float64, error){
		func() (rate float64, err error) {
			rate, first, err = ours.extract(ctx, trunk)
			return rate, err
		},
		func() (float64, error) { return ours.loop(ctx, plain, 1) },
		func() (float64, error) { return ours.loop(ctx, trunk, parallel) },
		func() (float64, error) {
			p, err := theirs.Predict()
			reference = p.First
			return float64(p.Images) / p.Seconds, err
		},
	}
	if narrow != nil {
		turns = append(turns, func() (float64, error) {
			rate, _, err := ours.extract(ctx, narrow)
			return rate, err
		})
	}
	rates, err := inTurn(ctx, rounds, turns)
	if err != nil {
		return nil, err
	}
	note := fmt.Sprintf("batches of %d, %d at a time of %d threads on %d cores", batch, parallel, config.IntraOpThreads, runtime.NumCPU())
	const what, predict = "bottlenecks from JPEG files, ResNet-50", "Keras 3 predict over image_dataset_from_directory, fp32"
	rows = []measure.Row{
		row(rates[0], rates[1], measure.Row{What: what + " fp32", Against: "raw loop of the same trunk, decoded", Target: 0.95, Note: note}),
		row(rates[0], rates[2], measure.Row{What: what + " fp32", Against: fmt.Sprintf("%d raw loops at a time", parallel), Target: 0.95}),
		row(rates[0], rates[3], measure.Row{What: what + " fp32", Against: predict, Target: 1.25,
			Note: fmt.Sprintf("the first image's bottlenecks differ by %.1e of the largest", difference(first, reference))}),
	}
	last := measure.Row{What: what + " bf16", Against: predict, Target: 2.2}
	if narrow == nil {
		last.Unit, last.Inapplicable = "images/s", refused.Error()
		return append(rows, last), nil
	}
	return append(rows, row(rates[4], rates[3], last)), nil
}

func newSide(folder string, batch int) (*side, error) {
	files, err := filesIn(folder)
	if err != nil {
		return nil, err
	}
	pipeline, err := inference.Compile(preprocessing.ForMode(preprocessing.Caffe, size, size, 3))
	if err != nil {
		return nil, err
	}
	return &side{files: files, pipeline: pipeline, batch: batch}, nil
}
