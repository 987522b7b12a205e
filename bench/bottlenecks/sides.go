package main

import (
	"context"
	"errors"
	"os"

	"tkit/bench/keras"
	"tkit/bench/trunk"
	"tkit/inference"
	"tkit/internal/tensorflow"
)

// sides contains everything that is measured in turn.
type sides struct {
	*side
	plain, fp32 *inference.Trunk // one run at a time on all cores; as in extraction
	bf16        *inference.Trunk // nil if it is refused
	refused     error
	parallel    int // batches that extraction runs in parallel
	theirs      *keras.Predictor
	first       []float32 // Keras's bottleneck of the first photograph, once measured
	work        string
}

func openSides(ctx context.Context, folder string, base keras.Base, batch int) (_ *sides, err error) {
	s := new(sides)
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if s.work, err = os.MkdirTemp("", "bench-bottlenecks-"); err != nil {
		return nil, err
	}
	if s.side, err = newSide(folder, batch); err != nil {
		return nil, err
	}
	network, err := trunk.Write(ctx, base.SavedModel, s.work)
	if err != nil {
		return nil, err
	}
	if s.plain, err = inference.OpenTrunk(network, inference.TrunkOptions{}); err != nil {
		return nil, err
	}
	var config tensorflow.Config
	config, s.parallel = inference.Throughput()
	if s.fp32, err = inference.OpenTrunk(network, inference.TrunkOptions{Session: config}); err != nil {
		return nil, err
	}
	if s.bf16, s.refused, err = s.bfloat16(ctx, network, s.work, s.fp32); err != nil {
		return nil, err
	}
	s.theirs, err = keras.NewPredictor(ctx, base.Weights, folder, batch)
	return s, err
}

// turns measure images/s: extraction, one raw loop, as many raw loops as
// extraction has batches, Keras, and extraction in bfloat16 if it is allowed.
func (s *sides) turns(ctx context.Context) []func() (float64, error) {
	turns := []func() (float64, error){
		func() (float64, error) { return s.extract(ctx, s.fp32) },
		func() (float64, error) { return s.loop(ctx, s.plain, 1) },
		func() (float64, error) { return s.loop(ctx, s.fp32, s.parallel) },
		func() (float64, error) {
			p, err := s.theirs.Predict()
			s.first = p.First
			return float64(p.Images) / p.Seconds, err
		},
	}
	if s.bf16 != nil {
		turns = append(turns, func() (float64, error) { return s.extract(ctx, s.bf16) })
	}
	return turns
}

// apart returns the difference between tkit's and Keras's bottlenecks of the
// first photograph, relative to their maximum.
func (s *sides) apart(ctx context.Context) (float64, error) {
	var largest, apart float32
	err := s.each(ctx, s.fp32, s.files[:1], func(_ int, bottleneck []float32) {
		for i, b := range s.first {
			largest = max(largest, b, -b)
			apart = max(apart, b-bottleneck[i], bottleneck[i]-b)
		}
	})
	return float64(apart / largest), err
}

func (s *sides) close() error {
	var errs []error
	if s.theirs != nil {
		errs = append(errs, s.theirs.Close())
	}
	for _, trunk := range []*inference.Trunk{s.plain, s.fp32, s.bf16} {
		if trunk != nil {
			errs = append(errs, trunk.Close())
		}
	}
	if s.side != nil {
		s.pipeline.Close()
	}
	return errors.Join(append(errs, os.RemoveAll(s.work))...)
}
