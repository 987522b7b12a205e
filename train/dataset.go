package train

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"tkit/datasets"
	"tkit/internal/pipeline"
)

// dataset is a split snapshot with the examples to read it by.
type dataset struct {
	snapshot *datasets.Snapshot
	report   *datasets.Report
	split    datasets.Split
	labels   []string
	classes  []int // of each entry: index in labels
	examples []datasets.Example
}

// Permit decides, given a snapshot and its report, whether the run may continue.
// It returns the folder for data derived from the dataset that outlives the
// run: bottlenecks, checkpoints.
type Permit func(ctx context.Context, s *datasets.Snapshot, r *datasets.Report) (derived string, err error)

// open takes the snapshot of a source, checks that it is permitted and splits it.
// Without permit, derived is unchanged.
func open(ctx context.Context, src datasets.Source, f datasets.Fractions, o datasets.SnapshotOptions, permit Permit, derived *string, tell Observer) (*dataset, error) {
	progress, end := tell.phase(Snapshot, 0, "images")
	o.Progress = progress
	snapshot, report, err := datasets.TakeSnapshot(ctx, src, o)
	if err != nil {
		return nil, err
	}
	end()
	if permit != nil {
		if *derived, err = permit(ctx, snapshot, report); err != nil {
			return nil, err
		}
	}
	d := &dataset{snapshot: snapshot, report: report}
	for m, err := range snapshot.Match(ctx, src) {
		if err != nil {
			return nil, err
		}
		d.examples = append(d.examples, m.Example)
	}
	return d, report.Explain(d.divide(f))
}

// divide derives the labels and the split from the snapshot.
func (d *dataset) divide(f datasets.Fractions) error {
	d.labels = d.snapshot.Labels()
	d.classes = make([]int, len(d.snapshot.Entries))
	for i, e := range d.snapshot.Entries {
		d.classes[i], _ = slices.BinarySearch(d.labels, e.Label)
	}
	var err error
	d.split, err = d.report.Divide(d.snapshot, f)
	return err
}

// without omits images that could not be decoded and splits again.
func (d *dataset) without(reasons map[string]string, f datasets.Fractions) error {
	if len(reasons) == 0 {
		return nil
	}
	d.report = d.report.Without(d.snapshot, reasons)
	var examples []datasets.Example
	for i, e := range d.snapshot.Entries {
		if _, out := reasons[e.Key]; !out {
			examples = append(examples, d.examples[i])
		}
	}
	d.snapshot, d.examples = d.snapshot.Without(reasons), examples
	if len(d.examples) == 0 {
		return fmt.Errorf("%w in %s: none of them can be decoded, such as %s", datasets.ErrNoExamples, d.snapshot.URI, d.report.Quarantined[0])
	}
	return d.divide(f)
}

// read reads an entry's bytes and verifies that they match the snapshot.
func (d *dataset) read(ctx context.Context, entry int) ([]byte, error) {
	return datasets.ReadVerified(ctx, d.examples[entry], d.snapshot.Entries[entry])
}

func (d *dataset) counts() Counts {
	return Counts{Train: len(d.split.Train), Validation: len(d.split.Validation), Test: len(d.split.Test)}
}

func (d *dataset) tell(o Observer) {
	c := d.counts()
	o.tell(DataFound{Report: d.report, Train: c.Train, Validation: c.Validation, Test: c.Test})
}

// inMemory bounds the bytes of decoded images kept; if there are more, they are
// decoded again in every epoch.
const inMemory = 1 << 30

// decoded holds a dataset's images as tensors.
type decoded struct {
	dataset  *dataset
	pipeline *pipeline.Pipeline
	kept     map[string][]float32 // by key; nil if there are too many
}

// decode decodes every image once and keeps them if there are few enough. It
// returns the reasons for undecodable images, by key.
func decode(ctx context.Context, d *dataset, p *pipeline.Pipeline, tell Observer) (*decoded, map[string]string, error) {
	height, width, channels := p.Shape()
	size := height * width * channels
	out := &decoded{dataset: d, pipeline: p}
	tensors := make([][]float32, len(d.examples))
	keep := int64(len(d.examples))*int64(size)*4 <= inMemory
	failures := make([]error, len(d.examples))

	progress, end := tell.phase(Decoding, len(d.examples), "images")
	count, counted := counter(progress)
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.NumCPU() + 1) // one reads while the others decode
	for i := range d.examples {
		g.Go(func() error {
			dst := make([]float32, size)
			err := out.into(gctx, i, dst)
			var bad *pipeline.ImageError
			switch {
			case errors.As(err, &bad):
				failures[i] = err
			case err != nil:
				return err
			case keep:
				tensors[i] = dst
			}
			count()
			return nil
		})
	}
	err := g.Wait()
	counted()
	if err != nil {
		return nil, nil, err
	}
	end()
	reasons := make(map[string]string)
	if keep {
		out.kept = make(map[string][]float32, len(tensors))
	}
	for i, e := range d.snapshot.Entries {
		if failures[i] != nil {
			reasons[e.Key] = failures[i].Error()
		} else if keep {
			out.kept[e.Key] = tensors[i]
		}
	}
	return out, reasons, nil
}

// counter returns the function that workers call for each finished image, and
// the one that ends the count. Progress is reported by a separate goroutine, so
// that workers do not wait for the observer.
func counter(progress func(done int, bytes int64)) (count, end func()) {
	var done atomic.Int64
	ticks, ended := make(chan struct{}, 1), make(chan struct{})
	go func() {
		defer close(ended)
		for range ticks {
			progress(int(done.Load()), 0)
		}
	}()
	count = func() {
		done.Add(1)
		select {
		case ticks <- struct{}{}:
		default: // the observer is behind; the next tick tells it more
		}
	}
	return count, func() {
		close(ticks)
		<-ended
	}
}

func (d *decoded) into(ctx context.Context, entry int, dst []float32) error {
	key := d.dataset.snapshot.Entries[entry].Key
	if kept, ok := d.kept[key]; ok {
		copy(dst, kept)
		return nil
	}
	raw, err := d.dataset.read(ctx, entry)
	if err != nil {
		return err
	}
	if err := d.pipeline.Into(ctx, raw, dst); err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	return nil
}

// side is one side of the split, as scratch.Images.
type side struct {
	*decoded
	entries []int
}

func (s side) Len() int        { return len(s.entries) }
func (s side) Label(i int) int { return s.dataset.classes[s.entries[i]] }

func (s side) Image(ctx context.Context, i int, dst []float32) error {
	return s.into(ctx, s.entries[i], dst)
}
