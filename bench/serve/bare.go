package main

import (
	"context"
	"errors"
	"time"

	"tkit/bench/served"
	"tkit/inference"
	"tkit/internal/pipeline"
	"tkit/internal/tensorflow"
)

// bare does the work without the server, with its own copies of the parts.
type bare struct {
	pipeline *pipeline.Pipeline
	trunk    *inference.Trunk
	head     *inference.Head
	shape    [3]int
}

func openBare(ctx context.Context, m *served.Model) (*bare, error) {
	b := &bare{}
	b.shape[0], b.shape[1], b.shape[2] = m.Manifest.Preprocessing.Shape()
	trunk, err := m.Registry.BlobPath(ctx, m.Manifest.Trunk.Digest)
	if err != nil {
		return nil, err
	}
	head, err := m.Registry.BlobPath(ctx, m.Manifest.Head.Digest)
	if err != nil {
		return nil, err
	}
	if b.pipeline, err = pipeline.Compile(m.Manifest.Preprocessing); err != nil {
		return nil, err
	}
	if b.trunk, err = inference.OpenTrunk(trunk, inference.TrunkOptions{Session: tensorflow.Config{RunInCaller: true}}); err != nil {
		return nil, errors.Join(err, b.close())
	}
	if b.head, err = inference.OpenHead(head); err != nil {
		return nil, errors.Join(err, b.close())
	}
	return b, nil
}

func (b *bare) close() error {
	err := b.pipeline.Close()
	if b.trunk != nil {
		err = errors.Join(err, b.trunk.Close())
	}
	if b.head != nil {
		err = errors.Join(err, b.head.Close())
	}
	return err
}

// loop runs the trunk repeatedly on one batch, and returns images/s.
func (b *bare) loop(ctx context.Context, n int, turn time.Duration) (float64, error) {
	batch, err := tensorflow.NewTensor(tensorflow.Float32, int64(n), int64(b.shape[0]), int64(b.shape[1]), int64(b.shape[2]))
	if err != nil {
		return 0, err
	}
	defer batch.Close()
	for i, v := 0, batch.Float32(); i < len(v); i++ {
		v[i] = float32(i%255) - 127
	}
	begun, done := time.Now(), 0
	for time.Since(begun) < turn {
		out, err := b.trunk.Run(ctx, batch)
		if err != nil {
			return 0, err
		}
		out.Close()
		done += n
	}
	return float64(done) / time.Since(begun).Seconds(), nil
}

// once only decodes an image and runs both networks on it.
func (b *bare) once(ctx context.Context, encoded []byte) (time.Duration, error) {
	begun := time.Now()
	in, err := tensorflow.NewTensor(tensorflow.Float32, 1, int64(b.shape[0]), int64(b.shape[1]), int64(b.shape[2]))
	if err != nil {
		return 0, err
	}
	defer in.Close()
	if err := b.pipeline.Into(ctx, encoded, in.Float32()); err != nil {
		return 0, err
	}
	bottleneck, err := b.trunk.Run(ctx, in)
	if err != nil {
		return 0, err
	}
	defer bottleneck.Close()
	out, err := b.head.Run(ctx, bottleneck)
	if err != nil {
		return 0, err
	}
	out.Close()
	return time.Since(begun), nil
}
