// Network compares ResNet-50 in tkit's network format, folded, with its weights
// in variables and run as servers run it, with TensorFlow running the same
// SavedModel: the speed of its frozen graph at the same precision, by elapsed
// time and by processor time, which is less sensitive to other load; the memory
// of a process that serves it; and a second load against TensorFlow's faster
// loader. Speeds are measured in this process, alternating after every five
// batches, as medians over pairs.
//
//	go run ./bench/network
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"tkit/bench/keras"
	"tkit/bench/measure"
	"tkit/inference"
	"tkit/internal/network"
	"tkit/internal/savedmodel"
	"tkit/internal/tensorflow"
)

func main() {
	batch := flag.Int("batch", 8, "images a run")
	rounds := flag.Int("rounds", 9, "counted turns of each side")
	resident := flag.String("resident", "", "only print the resident memory of serving this network file")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var err error
	if *resident != "" {
		err = serve(ctx, *resident, *batch)
	} else {
		var rows []measure.Row
		if rows, err = bench(ctx, *batch, *rounds); err == nil {
			err = measure.Print(rows...)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench/network:", err)
		os.Exit(1)
	}
}

func bench(ctx context.Context, batch int, rounds int) (rows []measure.Row, err error) {
	base, err := keras.ResNet50(ctx)
	if err != nil {
		return nil, err
	}
	work, err := os.MkdirTemp("", "bench-network-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	graph := filepath.Join(work, "frozen.pb")
	theirs, err := keras.Freeze(ctx, base.SavedModel, graph)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(work, "network")
	if err := convert(ctx, base.SavedModel, file); err != nil {
		return nil, err
	}

	memory, err := memory(ctx, file, batch)
	if err != nil {
		return nil, err
	}
	loading, err := loading(file, theirs, rounds)
	if err != nil {
		return nil, err
	}
	rows = append(rows, memory, loading)
	c := comparison{file: file, graph: graph, frozen: theirs, batch: batch, rounds: rounds}
	for _, precision := range []inference.Precision{inference.FP32, inference.BF16} {
		r, err := c.speed(ctx, precision)
		if err != nil {
			return nil, err
		}
		rows = append(rows, r...)
	}
	return rows, nil
}

// convert writes the folded network of the SavedModel.
func convert(ctx context.Context, savedModel, file string) (err error) {
	n, err := savedmodel.Read(ctx, savedModel, savedmodel.Options{})
	if err != nil {
		return err
	}
	defer n.Close()
	folded, err := n.Fold(ctx)
	if err != nil {
		return err
	}
	defer folded.Close()
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	return errors.Join(folded.Encode(f), f.Close())
}

// loading times opening and loading the file, after a first load.
func loading(file string, theirs keras.Frozen, rounds int) (measure.Row, error) {
	var seconds []float64
	for i := range rounds {
		start := time.Now()
		l, err := open(file)
		if err != nil {
			return measure.Row{}, err
		}
		if i > 0 {
			seconds = append(seconds, time.Since(start).Seconds())
		}
		if err := l.Close(); err != nil {
			return measure.Row{}, err
		}
	}
	ours, faster := measure.Median(seconds), min(theirs.Load["v1"], theirs.Load["v2"])
	return measure.Row{
		What: "loading ResNet-50 the second time", Against: "TensorFlow loading its SavedModel the second time",
		Measured: ours, Reference: faster, Unit: "s", Ratio: faster / ours, Target: 4,
		Note: fmt.Sprintf("tf.compat.v1 %.2f s, tf.saved_model.load %.2f s", theirs.Load["v1"], theirs.Load["v2"]),
	}, nil
}

func open(file string) (*network.Loaded, error) {
	n, err := network.Open(file)
	if err != nil {
		return nil, err
	}
	defer n.Close()
	return n.Load(tensorflow.Config{})
}
