// Bottlenecks computes the bottlenecks of ResNet-50 from JPEG files as training
// does, alternating in one run with what it is compared with: running the same
// folded network repeatedly on one decoded batch, once in a single loop on
// TensorFlow's own threads and once in as many parallel loops as extraction has
// batches; and Keras's predict over image_dataset_from_directory in a warmed-up
// Python process. All use the same batch size. The ratios are medians over
// rounds. bfloat16 is measured only if the processor has instructions for it
// and a head's results agree.
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
)

const classes = 5 // of the photographs

func main() {
	images := flag.Int("images", 300, "images in a round, a multiple of 5")
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
	if rounds < 1 || batch < 1 {
		return nil, errors.New("-rounds and -batch must be 1 or more")
	}
	folder, err := photographs.Folder(classes, perClass)
	if err != nil {
		return nil, err
	}
	base, err := keras.ResNet50(ctx)
	if err != nil {
		return nil, err
	}
	s, err := openSides(ctx, folder, base, batch)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	rates, err := inTurn(ctx, rounds, s.turns(ctx))
	if err != nil {
		return nil, err
	}
	apart, err := s.apart(ctx)
	if err != nil {
		return nil, err
	}

	const what, predict = "bottlenecks from JPEG files, ResNet-50", "Keras 3 predict over image_dataset_from_directory, fp32"
	ours, loop, loops, theirs := rates[0], rates[1], rates[2], rates[3]
	note := fmt.Sprintf("batches of %d, %d at a time, %d cores", batch, s.parallel, runtime.NumCPU())
	rows = []measure.Row{
		row(ours, loop, measure.Row{What: what + " fp32", Against: "raw loop of the same trunk, decoded", Target: 0.95, Note: note}),
		row(ours, loops, measure.Row{What: what + " fp32", Against: fmt.Sprintf("%d raw loops at a time", s.parallel),
			Note: "the cores also read and decode"}),
		row(ours, theirs, measure.Row{What: what + " fp32", Against: predict, Target: 1.25,
			Note: fmt.Sprintf("the first image's bottlenecks differ by %.1e of their maximum", apart)}),
	}
	narrow := measure.Row{What: what + " bf16", Against: predict, Target: 2.2}
	if s.bf16 == nil {
		narrow.Inapplicable = s.refused.Error()
		return append(rows, narrow), nil
	}
	return append(rows, row(rates[4], theirs, narrow)), nil
}
