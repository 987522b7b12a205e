package inference

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"tkit/internal/pipeline"
)

// SampleAttachment is the attachment of a version on which precisions are
// compared: a tar of encoded images kept from its training.
const SampleAttachment = "sample.tar"

// precisionFor returns the precision of a version's trunk: that of the options if the
// version's answers for its own sample agree with those in FP32, and otherwise FP32.
// The reason is logged.
func (l *Loader) precisionFor(ctx context.Context, p Parts, compiled *pipeline.Pipeline) (Precision, error) {
	wanted := l.options.Precision
	if wanted == FP32 {
		return wanted, nil
	}
	err := l.agree(ctx, p, compiled, wanted)
	if errors.Is(err, ErrPrecision) {
		l.options.Log.WarnContext(ctx, "computed in "+string(FP32), "model", p.Manifest.Model,
			"version", p.Manifest.Version, "reason", err)
		return FP32, nil
	}
	return wanted, err
}

// agree compares a version's answers in two precisions.
func (l *Loader) agree(ctx context.Context, p Parts, compiled *pipeline.Pipeline, wanted Precision) (err error) {
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
	head, err := OpenHead(p.HeadPath)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, head.Close()) }()
	var answers [2][]float32
	for i, trunk := range []*Trunk{reference, candidate} {
		s := Stream{Pipeline: compiled, Trunk: trunk, Head: head, Batch: l.options.Limits.MaxBatch}
		if answers[i], err = s.sample(ctx, p.SamplePath); err != nil {
			return fmt.Errorf("%s of %s: %w", SampleAttachment, p.Manifest.Ref(), err)
		}
	}
	if err := wanted.Supported(); err != nil {
		return err
	}
	agreement, err := Compare(answers[0], answers[1], len(p.Manifest.Labels))
	if err != nil {
		return err
	}
	return DefaultGuard.Allows(agreement)
}

// sample computes the rows of the images in a tar, one after the other.
func (s *Stream) sample(ctx context.Context, path string) (all []float32, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	var unreadable error
	images := func(yield func(Item) bool) {
		for t := tar.NewReader(f); ; {
			header, err := t.Next()
			if err == io.EOF {
				return
			}
			var encoded []byte
			if err == nil {
				encoded, err = io.ReadAll(t)
			}
			if err != nil {
				unreadable = err
				return
			}
			if !yield(Item{Key: header.Name, Read: func(context.Context) ([]byte, error) { return encoded, nil }}) {
				return
			}
		}
	}
	err = s.Run(ctx, images, func(_ int, item Item, row []float32, err error) error {
		if err != nil {
			return fmt.Errorf("%s: %w", item.Key, err)
		}
		all = append(all, row...)
		return nil
	})
	return all, errors.Join(err, unreadable)
}
