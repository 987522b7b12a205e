package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"syscall"
	"time"

	"tkit/bench/keras"
	"tkit/bench/measure"
	"tkit/inference"
	"tkit/internal/tensorflow"
)

// comparison compares a network file with a frozen graph.
type comparison struct {
	file, graph string
	frozen      keras.Frozen
	batch       int
	rounds      int
}

// loop is the number of batches that a side runs in a row.
const loop = 5

// shape is the shape of an image.
var shape = [3]int{224, 224, 3}

// run runs one side on one batch.
type run func(ctx context.Context, images [][]float32) error

// speed compares both at one precision: for bfloat16, TensorFlow uses the
// rewriter of its optimizer.
func (c comparison) speed(ctx context.Context, p inference.Precision) (rows []measure.Row, err error) {
	target := map[inference.Precision]float64{inference.FP32: 1, inference.BF16: 1.1}[p]
	clock := measure.Row{
		What: fmt.Sprintf("raw loop of ResNet-50, batch %d, %s", c.batch, p), Against: "TensorFlow's frozen graph, same precision",
		Unit: "images/s", Target: target,
	}
	if err := p.Supported(); err != nil {
		clock.Inapplicable = err.Error()
		return []measure.Row{clock}, nil
	}
	ours, closeOurs, err := c.openPlain(p)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, closeOurs()) }()
	theirs, closeTheirs, err := c.openFrozen(p)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, closeTheirs()) }()
	batch := images(c.batch)
	var busy [2][]float64
	side := func(i int, run run) func() (float64, error) {
		return func() (float64, error) {
			start, used := time.Now(), processor()
			for range loop {
				if err := run(ctx, batch); err != nil {
					return 0, err
				}
			}
			images := float64(loop * c.batch)
			busy[i] = append(busy[i], (processor()-used).Seconds()/images)
			return images / time.Since(start).Seconds(), nil
		}
	}
	clock.Measured, clock.Reference, clock.Ratio, err = measure.Interleave(c.rounds, side(0, ours), side(1, theirs))
	if err != nil {
		return nil, err
	}
	var ratios []float64
	for i := range busy[0][1:] {
		ratios = append(ratios, busy[1][1+i]/busy[0][1+i])
	}
	processor := clock
	processor.What += ", processor time"
	processor.Unit, processor.Target = "ms/image", 0
	processor.Measured, processor.Reference = 1000*measure.Median(busy[0][1:]), 1000*measure.Median(busy[1][1:])
	processor.Ratio = measure.Median(ratios)
	return []measure.Row{clock, processor}, nil
}

// openPlain opens the network as servers do, which run a large batch in parts.
func (c comparison) openPlain(p inference.Precision) (run, func() error, error) {
	trunk, err := inference.OpenTrunk(c.file, inference.TrunkOptions{Precision: p})
	if err != nil {
		return nil, nil, err
	}
	return func(ctx context.Context, images [][]float32) error {
		_, err := trunk.RunRows(ctx, shape, images)
		return err
	}, trunk.Close, nil
}

func (c comparison) openFrozen(p inference.Precision) (run, func() error, error) {
	b, err := os.ReadFile(c.graph)
	if err != nil {
		return nil, nil, err
	}
	g, err := tensorflow.ImportGraphBytes(b)
	if err != nil {
		return nil, nil, err
	}
	defer g.Close()
	s, err := tensorflow.NewSession(g, tensorflow.Config{BFloat16Rewrite: p == inference.BF16})
	if err != nil {
		return nil, nil, err
	}
	step, err := s.Step([]string{c.frozen.Input}, []string{c.frozen.Output}, nil)
	if err != nil {
		return nil, nil, errors.Join(err, s.Close())
	}
	return func(ctx context.Context, images [][]float32) error {
		x, err := tensorflow.FromRows([]int64{int64(shape[0]), int64(shape[1]), int64(shape[2])}, images)
		if err != nil {
			return err
		}
		defer x.Close()
		out, err := step.Run(ctx, x)
		for _, v := range out {
			v.Close()
		}
		return err
	}, s.Close, nil
}

// images returns a batch of random values.
func images(batch int) [][]float32 {
	random := rand.New(rand.NewPCG(1, 2))
	rows := make([][]float32, batch)
	for i := range rows {
		rows[i] = make([]float32, shape[0]*shape[1]*shape[2])
		for k := range rows[i] {
			rows[i][k] = 255 * random.Float32()
		}
	}
	return rows
}

// processor returns the processor time used by this process.
func processor() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
