package inference

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"tkit/internal/pipeline"
	"tkit/internal/tensorflow"
)

// SampleAttachment is the attachment of a version by which a precision is
// judged: a tar of encoded images kept from its training.
const SampleAttachment = "sample.tar"

// precisionFor is what a version's trunk may compute in: what the server was
// told, if the version's answers to its own sample agree with those in FP32,
// else FP32. The reason for FP32 is an ErrPrecision.
func (l *Loader) precisionFor(ctx context.Context, p Parts, pipeline *pipeline.Pipeline) (Precision, error) {
	wanted := l.options.Precision
	if wanted == FP32 {
		return wanted, nil
	}
	err := l.agree(ctx, p, pipeline, wanted)
	if errors.Is(err, ErrPrecision) {
		l.options.Log.WarnContext(ctx, "computed in "+string(FP32), "model", p.Manifest.Model,
			"version", p.Manifest.Version, "reason", err)
		return FP32, nil
	}
	return wanted, err
}

// agree compares a version's answers in two precisions.
func (l *Loader) agree(ctx context.Context, p Parts, pipeline *pipeline.Pipeline, wanted Precision) (err error) {
	if p.SamplePath == "" {
		return fmt.Errorf("%w: %s has no %s to compare %s and %s on", ErrPrecision,
			p.Manifest.Ref(), SampleAttachment, wanted, FP32)
	}
	reference, release, err := l.trunk(ctx, p, FP32)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release()) }()
	candidate, releaseCandidate, err := l.trunk(ctx, p, wanted)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, releaseCandidate()) }()
	head, err := OpenHead(p.HeadPath, tensorflow.Config{RunInCaller: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, head.Close()) }()
	samples, err := readSample(ctx, p.SamplePath, pipeline, l.options.Limits.MaxBatch)
	defer func() {
		for _, s := range samples {
			s.Close()
		}
	}()
	if err != nil {
		return fmt.Errorf("%s of %s: %w", SampleAttachment, p.Manifest.Ref(), err)
	}
	_, err = DefaultGuard.Check(ctx, reference.network, candidate.network, head, samples...)
	return err
}

// readSample decodes the images of a tar into batches; the caller closes them,
// also those that came with an error.
func readSample(ctx context.Context, path string, pipeline *pipeline.Pipeline, most int) (batches []*tensorflow.Tensor, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	h, w, c := pipeline.Shape()
	var rows [][]float32
	flush := func() error {
		if len(rows) == 0 {
			return nil
		}
		t, err := tensorflow.FromRows([]int64{int64(h), int64(w), int64(c)}, rows)
		if err == nil {
			batches, rows = append(batches, t), nil
		}
		return err
	}
	for t := tar.NewReader(f); ; {
		header, err := t.Next()
		if err == io.EOF {
			return batches, flush()
		}
		if err != nil {
			return batches, err
		}
		encoded, err := io.ReadAll(t)
		if err != nil {
			return batches, err
		}
		views := make([]float32, pipeline.Elements())
		if err := pipeline.Into(ctx, encoded, views); err != nil {
			return batches, fmt.Errorf("%s: %w", header.Name, err)
		}
		for view := range slices.Chunk(views, h*w*c) {
			if rows = append(rows, view); len(rows) == most {
				if err := flush(); err != nil {
					return batches, err
				}
			}
		}
	}
}
