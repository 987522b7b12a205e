package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"tkit/bench/trunk"
	"tkit/inference"
	"tkit/internal/tensorflow"
	"tkit/train/head"
)

// bfloat16 opens the trunk in bfloat16, or returns why it is refused: by the
// processor, or by the precision check, which trains a head on the fp32
// bottlenecks of every other photograph and compares its results for the
// remaining photographs.
func (s *side) bfloat16(ctx context.Context, path, dir string, fp32 *inference.Trunk) (narrow *inference.Trunk, refused, err error) {
	if err := inference.BF16.Supported(); err != nil {
		return nil, err, nil
	}
	config, _ := inference.Throughput()
	narrow, err = inference.OpenTrunk(path, inference.TrunkOptions{Precision: inference.BF16, Session: config})
	if err != nil {
		return nil, nil, err
	}
	refused, err = s.guard(ctx, dir, fp32, narrow)
	if refused != nil || err != nil {
		return nil, refused, errors.Join(err, narrow.Close())
	}
	return narrow, nil, nil
}

func (s *side) guard(ctx context.Context, dir string, fp32, narrow *inference.Trunk) (refused, err error) {
	train, wide, err := s.halves(ctx, fp32)
	if err != nil {
		return nil, err
	}
	_, narrowed, err := s.halves(ctx, narrow)
	if err != nil {
		return nil, err
	}
	labels := make([]string, classes)
	for i := range labels {
		labels[i] = fmt.Sprint(i)
	}
	trained, err := head.Train(ctx, train, head.Set{}, labels, head.Options{})
	if err != nil {
		return nil, err
	}
	n, err := trained.Model.Network()
	if err != nil {
		return nil, err
	}
	defer n.Close()
	path, err := trunk.Encode(n, filepath.Join(dir, "head.network"))
	if err != nil {
		return nil, err
	}
	h, err := inference.OpenHead(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, h.Close()) }()
	var answers [2][]float32
	for i, set := range []head.Set{wide, narrowed} {
		if answers[i], err = answer(ctx, h, set); err != nil {
			return nil, err
		}
	}
	agreement, err := inference.Compare(answers[0], answers[1], classes)
	if err != nil {
		return nil, err
	}
	return inference.DefaultGuard.Allows(agreement), nil
}

// halves returns the bottlenecks of the photographs with even and with odd
// indices.
func (s *side) halves(ctx context.Context, trunk *inference.Trunk) (even, odd head.Set, err error) {
	perClass := len(s.files) / classes
	err = s.each(ctx, trunk, s.files, func(i int, bottleneck []float32) {
		half := &even
		if i%2 == 1 {
			half = &odd
		}
		half.Dim = len(bottleneck)
		half.Features = append(half.Features, bottleneck...)
		half.Labels = append(half.Labels, i/perClass)
	})
	return even, odd, err
}

func answer(ctx context.Context, h *inference.Head, set head.Set) ([]float32, error) {
	bottlenecks, err := tensorflow.FromFloat32([]int64{int64(set.Len()), int64(set.Dim)}, set.Features)
	if err != nil {
		return nil, err
	}
	defer bottlenecks.Close()
	out, err := h.Run(ctx, bottlenecks)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	return append([]float32(nil), out.Float32()...), nil
}
