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
	"tkit/internal/inference"
	"tkit/internal/network"
	"tkit/internal/tensorflow"
)

// A comparison is of a network file and a frozen graph.
type comparison struct {
	file, graph string
	frozen      keras.Frozen
	batch       int64
	rounds      int
}

// A run is one batch through one side.
type run func(ctx context.Context, in ...*tensorflow.Tensor) ([]*tensorflow.Tensor, error)

// speed compares both at one precision: TensorFlow's own way to bfloat16 is the
// rewriter of its optimizer.
func (c comparison) speed(ctx context.Context, p inference.Precision) (rows []measure.Row, err error) {
	target := map[inference.Precision]float64{inference.FP32: 1, inference.BF16: 1.1}[p]
	clock := measure.Row{
		What: fmt.Sprintf("raw loop of ResNet-50, batch %d, %s", c.batch, p), Against: "TensorFlow's frozen constants, same precision",
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
	x, err := images(c.batch)
	if err != nil {
		return nil, err
	}
	defer x.Close()

	var busy [2][]float64
	side := func(i int, run run) func() (float64, error) {
		return func() (float64, error) {
			start, used := time.Now(), processor()
			if err := discard(run(ctx, x)); err != nil {
				return 0, err
			}
			busy[i] = append(busy[i], (processor()-used).Seconds()/float64(c.batch))
			return float64(c.batch) / time.Since(start).Seconds(), nil
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
	processor.What += ", processor's time"
	processor.Unit = "ms/image"
	processor.Measured, processor.Reference = 1000*measure.Median(busy[0][1:]), 1000*measure.Median(busy[1][1:])
	processor.Ratio = measure.Median(ratios)
	return []measure.Row{clock, processor}, nil
}

func (c comparison) openPlain(p inference.Precision) (run, func() error, error) {
	n, err := network.Open(c.file)
	if err != nil {
		return nil, nil, err
	}
	defer n.Close()
	if p == inference.BF16 {
		narrow, err := n.BFloat16()
		if err != nil {
			return nil, nil, err
		}
		defer narrow.Close()
		n = narrow
	}
	l, err := n.Load(tensorflow.Config{})
	if err != nil {
		return nil, nil, err
	}
	return l.Run, l.Close, nil
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
	return step.Run, s.Close, nil
}

// images returns a batch of random values.
func images(batch int64) (*tensorflow.Tensor, error) {
	x, err := tensorflow.NewTensor(tensorflow.Float32, batch, 224, 224, 3)
	if err != nil {
		return nil, err
	}
	random := rand.New(rand.NewPCG(1, 2))
	values := x.Float32()
	for i := range values {
		values[i] = 255 * random.Float32()
	}
	return x, nil
}

// discard closes what a run returned.
func discard(out []*tensorflow.Tensor, err error) error {
	for _, v := range out {
		v.Close()
	}
	return err
}

// processor returns the processor's time that this process has used.
func processor() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
