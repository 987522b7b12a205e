// Command extract computes the bottlenecks of JPEG files with ResNet-50, in turn
// with the bare loop of the same trunk over batches that are decoded already.
//
//	go run ./bench/extract
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"tkit/architectures"
	"tkit/architectures/builder"
	"tkit/bench/measure"
	"tkit/internal/inference"
	"tkit/internal/network"
	"tkit/internal/preprocessing"
	"tkit/internal/tensorflow"
)

type options struct {
	images, rounds  int
	batch, parallel int
	threads         int
	caller          bool
}

func main() {
	config, parallel := inference.Throughput()
	var o options
	flag.IntVar(&o.images, "images", 192, "images a round")
	flag.IntVar(&o.rounds, "rounds", 3, "counted rounds")
	flag.IntVar(&o.batch, "batch", 16, "images in a batch")
	flag.IntVar(&o.parallel, "parallel", parallel, "batches in the trunk at a time")
	flag.IntVar(&o.threads, "threads", config.IntraOpThreads, "threads an operation spreads over")
	flag.BoolVar(&o.caller, "caller", config.RunInCaller, "run a batch on one thread")
	flag.Parse()
	if err := run(context.Background(), o); err != nil {
		fmt.Fprintln(os.Stderr, "bench/extract:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	dir, err := os.MkdirTemp("", "bench-extract")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	path, shape, err := resNet(ctx, dir)
	if err != nil {
		return err
	}
	items, err := photographs(dir, o.images)
	if err != nil {
		return err
	}
	pipeline, err := inference.Compile(preprocessing.ForMode(preprocessing.Caffe, shape[0], shape[1], shape[2]))
	if err != nil {
		return err
	}
	defer pipeline.Close()

	// The loop has the trunk as TensorFlow runs it by itself, on all cores.
	plain, err := inference.OpenTrunk(path, tensorflow.Config{})
	if err != nil {
		return err
	}
	defer plain.Close()
	loop := func() (float64, error) { return bare(ctx, plain, shape, o) }

	trunk, err := inference.OpenTrunk(path, tensorflow.Config{IntraOpThreads: o.threads, RunInCaller: o.caller})
	if err != nil {
		return err
	}
	defer trunk.Close()
	e := &inference.Extractor{Pipeline: pipeline, Trunk: trunk, Batch: o.batch, Parallel: o.parallel}
	extract := func() (float64, error) {
		begun := time.Now()
		err := e.Run(ctx, items, func(_ int, _ inference.Item, _ []float32, err error) error { return err })
		return float64(o.images) / time.Since(begun).Seconds(), err
	}
	measured, reference, ratio, err := measure.Interleave(o.rounds, extract, loop)
	if err != nil {
		return err
	}
	return measure.Print(measure.Row{
		What: "bottlenecks from JPEG files, ResNet-50 fp32", Against: "the loop of the same trunk on decoded batches",
		Measured: measured, Reference: reference, Unit: "images/s", Ratio: ratio, Target: 0.95,
		Note: fmt.Sprintf("batches of %d, %d at a time, %d threads each, %d cores", o.batch, o.parallel, o.threads, runtime.NumCPU()),
	})
}

// bare runs the trunk over one batch again and again, nothing else.
func bare(ctx context.Context, trunk *inference.Trunk, shape [3]int, o options) (float64, error) {
	batch, err := tensorflow.NewTensor(tensorflow.Float32, int64(o.batch), int64(shape[0]), int64(shape[1]), int64(shape[2]))
	if err != nil {
		return 0, err
	}
	defer batch.Close()
	for i, v := 0, batch.Float32(); i < len(v); i++ {
		v[i] = float32(i%255) - 127
	}
	runs := max(1, o.images/o.batch)
	begun := time.Now()
	for range runs {
		out, err := trunk.Run(ctx, batch)
		if err != nil {
			return 0, err
		}
		out.Close()
	}
	return float64(runs*o.batch) / time.Since(begun).Seconds(), nil
}

// resNet writes a folded ResNet-50 with random weights, cut before its
// classifier, and returns the file and the shape of its images.
func resNet(ctx context.Context, dir string) (path string, shape [3]int, err error) {
	a, err := architectures.Lookup("resnet50-keras")
	if err != nil {
		return "", shape, err
	}
	graph, err := a.Graph()
	if err != nil {
		return "", shape, err
	}
	weights, err := builder.Initial(graph, 1)
	if err != nil {
		return "", shape, err
	}
	whole, err := builder.Network(graph, weights)
	if err != nil {
		return "", shape, err
	}
	whole, err = whole.Prune("logits")
	if err != nil {
		return "", shape, err
	}
	endpoints, err := whole.Endpoints()
	if err != nil {
		return "", shape, err
	}
	last := ""
	for _, e := range endpoints {
		if len(e.Shape) == 3 {
			last = e.Name
		}
	}
	trunk, _, err := whole.Cut(last, network.PoolAverage)
	if err != nil {
		return "", shape, err
	}
	folded, err := trunk.Fold(ctx)
	if err != nil {
		return "", shape, err
	}
	path = filepath.Join(dir, "trunk")
	f, err := os.Create(path)
	if err != nil {
		return "", shape, err
	}
	defer f.Close()
	return path, a.Input, folded.Encode(f)
}
