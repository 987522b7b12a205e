package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"tkit/inference"
	"tkit/internal/pipeline"
	"tkit/internal/preprocessing"
	"tkit/internal/tensorflow"
)

// side is what tkit's extractions and the raw loops share.
type side struct {
	files    []string // in the order of their names
	pipeline *pipeline.Pipeline
	batch    int
}

func newSide(folder string, batch int) (*side, error) {
	files, err := filesIn(folder)
	if err != nil {
		return nil, err
	}
	pipeline, err := pipeline.Compile(preprocessing.ForMode(preprocessing.Caffe, 224, 224, 3))
	if err != nil {
		return nil, err
	}
	return &side{files: files, pipeline: pipeline, batch: batch}, nil
}

// filesIn lists the files of a folder's folders in the order of their names, in
// which Keras takes them too.
func filesIn(folder string) ([]string, error) {
	files, err := filepath.Glob(filepath.Join(folder, "*", "*.jpg"))
	slices.Sort(files)
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("no photographs in %s", folder)
	}
	return files, err
}

// extract takes every file to its bottlenecks and returns images/s.
func (s *side) extract(ctx context.Context, trunk *inference.Trunk) (float64, error) {
	begun := time.Now()
	err := s.each(ctx, trunk, s.files, func(int, []float32) {})
	return float64(len(s.files)) / time.Since(begun).Seconds(), err
}

// each hands on the bottlenecks of files in their order.
func (s *side) each(ctx context.Context, trunk *inference.Trunk, files []string, take func(i int, bottleneck []float32)) error {
	_, parallel := inference.Throughput()
	stream := inference.Stream{Pipeline: s.pipeline, Trunk: trunk, Batch: s.batch, Parallel: parallel}
	items := func(yield func(inference.Item) bool) {
		for _, path := range files {
			read := func(context.Context) ([]byte, error) { return os.ReadFile(path) }
			if !yield(inference.Item{Key: path, Read: read}) {
				return
			}
		}
	}
	return stream.Run(ctx, items, func(i int, item inference.Item, bottleneck []float32, err error) error {
		if err != nil {
			return fmt.Errorf("%s: %w", item.Key, err)
		}
		take(i, bottleneck)
		return nil
	})
}

// loop runs the trunk over one batch about as often as there are batches in a
// round, so many at a time to the end, and returns images/s.
func (s *side) loop(ctx context.Context, trunk *inference.Trunk, parallel int) (float64, error) {
	images, err := s.decoded(ctx)
	if err != nil {
		return 0, err
	}
	defer images.Close()
	runs := max(1, len(s.files)/s.batch/parallel) * parallel
	var group errgroup.Group
	group.SetLimit(parallel)
	begun := time.Now()
	for range runs {
		group.Go(func() error {
			out, err := trunk.Run(ctx, images)
			if err != nil {
				return err
			}
			out.Close()
			return nil
		})
	}
	err = group.Wait()
	return float64(runs*s.batch) / time.Since(begun).Seconds(), err
}

// decoded returns a batch of the first files.
func (s *side) decoded(ctx context.Context) (*tensorflow.Tensor, error) {
	height, width, channels := s.pipeline.Shape()
	images, err := tensorflow.NewTensor(tensorflow.Float32, int64(s.batch), int64(height), int64(width), int64(channels))
	if err != nil {
		return nil, err
	}
	pixels := height * width * channels
	for i := range s.batch {
		encoded, err := os.ReadFile(s.files[i%len(s.files)])
		if err == nil {
			err = s.pipeline.Into(ctx, encoded, images.Float32()[i*pixels:(i+1)*pixels])
		}
		if err != nil {
			images.Close()
			return nil, err
		}
	}
	return images, nil
}
