package train

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"tkit/datasets"
	"tkit/internal/bases"
	"tkit/internal/bottlenecks"
	"tkit/internal/evaluation"
	"tkit/internal/network"
	"tkit/internal/pipeline"
	"tkit/internal/preprocessing"
	"tkit/internal/tensorflow"
	"tkit/train/head"
	"tkit/train/scratch"
)

// FineTuneOptions selects the base of a new head, and the data to train it on.
type FineTuneOptions struct {
	// Base is the pretrained network, unfolded; it remains the caller's.
	// bases.Prepare has already made the choices about it.
	Base          *network.Network
	Preprocessing preprocessing.Preprocessing
	// Plugins provides the plugins of the preprocessing; nil if it has none.
	Plugins pipeline.Plugins
	Source  datasets.Source
	Split   datasets.Fractions
	// Cut is AutoCut or what network.ParseCut parses; "" means AutoCut.
	// Without a pool a feature map is averaged and a vector is used unchanged.
	Cut  string
	Head head.Options
	// Copies is the number of varied copies added for each training image, and
	// Augment how they vary: useful if there are few images.
	Copies  int
	Augment scratch.Augment
	Seed    uint64
	// Cache is the folder of the bottleneck cache; "" means no cache. Permit, if
	// set, replaces it.
	Cache  string
	Permit Permit
	// Work is an existing folder for temporary files, which are removed at the
	// end.
	Work string
	// Session configures TensorFlow; with the zero value, extraction chooses
	// what is fastest on this machine.
	Session  tensorflow.Config
	Snapshot datasets.SnapshotOptions
	Observer Observer
}

// FineTune trains a new head on the bottlenecks of a base. The base's weights
// do not change; every image passes through them once.
func FineTune(ctx context.Context, o FineTuneOptions) (*Result, error) {
	if err := o.Preprocessing.Pinned(); err != nil {
		return nil, err
	}
	pipeline, err := pipeline.CompileWith(ctx, o.Preprocessing, o.Plugins)
	if err != nil {
		return nil, fmt.Errorf("preprocessing: %w", err)
	}
	defer pipeline.Close()
	base, err := o.fold(ctx)
	if err != nil {
		return nil, err
	}
	defer base.Close()
	step := o.Preprocessing.Decoding()
	o.Snapshot.Decode, o.Snapshot.MaxPixels, o.Snapshot.AnyFile = &step, step.Bound(), o.Preprocessing.TakesAnyFile()
	data, err := open(ctx, o.Source, o.Split, o.Snapshot, o.Permit, &o.Cache, o.Observer)
	if err != nil {
		return nil, err
	}
	f := &fineTuning{FineTuneOptions: o, base: base, pipeline: pipeline, data: data}
	return f.run(ctx)
}

// fold converts the base to its runtime form: one image input of the
// preprocessing's size, one output, batch norm folded.
func (o FineTuneOptions) fold(ctx context.Context) (_ *network.Network, err error) {
	_, end := o.Observer.phase(Importing, 0, "")
	defer end()
	b, err := bases.Prepare(o.Base, bases.Options{})
	if err != nil {
		return nil, fmt.Errorf("base: %w", err)
	}
	defer func() { err = errors.Join(err, b.Network.Close()) }()
	if err := b.Accepts(o.Preprocessing); err != nil {
		return nil, fmt.Errorf("base: %w", err)
	}
	height, width, channels := o.Preprocessing.Shape()
	sized, err := b.Network.WithInput([]int64{-1, int64(height), int64(width), int64(channels)})
	if err != nil {
		return nil, fmt.Errorf("base: %w: the preprocessing makes images of %d×%d×%d", err, height, width, channels)
	}
	defer func() { err = errors.Join(err, sized.Close()) }()
	folded, err := sized.Fold(ctx)
	if err != nil {
		return nil, fmt.Errorf("base: %w", err)
	}
	return folded, nil
}

// fineTuning is the state of one FineTune.
type fineTuning struct {
	FineTuneOptions
	base     *network.Network
	pipeline *pipeline.Pipeline
	data     *dataset
	rows     map[bottlenecks.Sum][]float32 // bottlenecks of the chosen cut, by image
}

func (f *fineTuning) run(ctx context.Context) (*Result, error) {
	cut, err := f.cut(ctx)
	if err != nil {
		return nil, err
	}
	trunk, rest, err := f.base.Cut(cut.Endpoint, cut.Pool)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCut, err)
	}
	if err := errors.Join(rest.Close(), vector(trunk, cut)); err != nil {
		return nil, errors.Join(err, trunk.Close())
	}
	r, err := f.train(ctx, cut, trunk)
	if err != nil {
		return nil, errors.Join(err, trunk.Close())
	}
	return r, nil
}

// vector checks that the trunk's output for an image is a vector.
func vector(trunk *network.Network, c network.Cut) error {
	if shape := trunk.Outputs[0].Shape; len(shape) != 2 || shape[1] < 1 {
		return fmt.Errorf("%w %s gives bottlenecks of shape %v: choose a pool, such as %s:%s", ErrCut, c, shape, c.Endpoint, network.PoolAverage)
	}
	return nil
}

// cut returns the requested cut, or the best one.
func (f *fineTuning) cut(ctx context.Context) (network.Cut, error) {
	if f.Cut == "" || f.Cut == AutoCut {
		return f.bestCut(ctx)
	}
	c, err := network.ParseCut(f.Cut)
	if err != nil {
		return c, fmt.Errorf("%w, or %s", err, AutoCut)
	}
	if c.Pool != network.PoolNone {
		return c, nil
	}
	ends, err := f.base.Endpoints()
	if err != nil {
		return c, err
	}
	for _, e := range ends {
		if e.Name == c.Endpoint && len(e.Shape) == 3 {
			c.Pool = network.PoolAverage
		}
	}
	return c, nil
}

// bestCut runs the images for training and choosing heads through all candidate
// trunks in one pass, and keeps the winner's bottlenecks.
func (f *fineTuning) bestCut(ctx context.Context) (network.Cut, error) {
	cuts, err := candidates(f.base, len(f.data.split.Train)*(1+f.Copies)+len(f.data.snapshot.Entries))
	if err != nil {
		return network.Cut{}, err
	}
	probe, widths, err := f.base.Probe(cuts)
	if err != nil {
		return network.Cut{}, err
	}
	defer probe.Close()
	rows, err := f.bottlenecks(ctx, probe, func() []input {
		train, validation := f.sides()
		return append(f.withCopies(train), f.inputs(validation)...)
	})
	if err != nil {
		return network.Cut{}, err
	}
	train, validation := f.sides()
	progress, end := f.Observer.phase(Cutting, len(cuts), "cuts")
	tried, chosen, err := choose(ctx, cuts, widths, f.trainingSet(train, rows), f.set(validation, rows), f.data.labels, f.Head, progress)
	if err != nil {
		return network.Cut{}, err
	}
	end()
	f.Observer.tell(tried)
	from := int64(0)
	for _, w := range widths[:chosen] {
		from += w
	}
	f.rows = make(map[bottlenecks.Sum][]float32, len(rows))
	for sum, row := range rows {
		f.rows[sum] = slices.Clone(row[from : from+widths[chosen]])
	}
	return cuts[chosen], nil
}

// sides returns the training and validation entries for comparing cuts. Entries
// are ordered by key, with classes adjacent, so every k-th of them is a
// stratified sample.
func (f *fineTuning) sides() (train, validation []int) {
	total := len(f.data.split.Train)*(1+f.Copies) + len(f.data.split.Validation)
	k := max(1, (total+maxCompared-1)/maxCompared)
	every := func(entries []int) (out []int) {
		for i := 0; i < len(entries); i += k {
			out = append(out, entries[i])
		}
		return out
	}
	return every(f.data.split.Train), every(f.data.split.Validation)
}

// train trains the head on the trunk's bottlenecks and evaluates it.
func (f *fineTuning) train(ctx context.Context, cut network.Cut, trunk *network.Network) (*Result, error) {
	d := f.data
	rows, err := f.bottlenecks(ctx, trunk, func() []input {
		return append(f.withCopies(d.split.Train), f.inputs(slices.Concat(d.split.Validation, d.split.Test))...)
	})
	if err != nil {
		return nil, err
	}
	d.tell(f.Observer)

	progress, end := f.Observer.phase(Head, 0, "solutions")
	o := f.Head
	o.Progress = func(done, _ int) { progress(done, 0) }
	trained, err := head.Train(ctx, f.trainingSet(d.split.Train, rows), f.set(d.split.Validation, rows), d.labels, o)
	if err != nil {
		return nil, fmt.Errorf("head: %w", err)
	}
	end()
	f.Observer.tell(HeadTrained{Penalty: trained.Penalty, Trials: trained.Trials, Folds: trained.Folds,
		Objective: trained.Objective, Iterations: trained.Iterations})

	r := &Result{Trunk: trunk, Cut: cut, Labels: d.labels, Preprocessing: f.Preprocessing,
		Snapshot: d.snapshot, Report: d.report, Split: d.counts(), Seed: f.Seed}
	if r.Head, err = trained.Model.Network(); err != nil {
		return nil, fmt.Errorf("head: %w", err)
	}
	if r.Sample, err = d.sample(ctx); err != nil {
		return nil, err
	}
	if len(d.split.Test) > 0 {
		_, end := f.Observer.phase(Evaluating, len(d.split.Test), "images")
		logits, err := trained.Model.Logits(ctx, f.set(d.split.Test, rows))
		if err != nil {
			return nil, fmt.Errorf("evaluation: %w", err)
		}
		if r.Evaluation, err = evaluation.Evaluate(predictions(d, d.split.Test, logits), trained.Model.Temperature); err != nil {
			return nil, fmt.Errorf("evaluation: %w", err)
		}
		end()
	}
	return r, nil
}

// set collects the bottlenecks of some entries.
func (f *fineTuning) set(entries []int, rows map[bottlenecks.Sum][]float32) head.Set {
	return f.gather(f.inputs(entries), rows)
}

// trainingSet is the training entries with their copies, grouped by image.
func (f *fineTuning) trainingSet(entries []int, rows map[bottlenecks.Sum][]float32) head.Set {
	if f.Copies == 0 {
		return f.set(entries, rows)
	}
	in := f.withCopies(entries)
	s := f.gather(in, rows)
	// Duplicates of an image count as one image here.
	first := make(map[bottlenecks.Sum]int)
	for _, i := range in {
		sum := f.data.snapshot.Entries[i.entry].SHA256
		if _, seen := first[sum]; !seen {
			first[sum] = i.entry
		}
		s.Groups = append(s.Groups, first[sum])
	}
	return s
}

func (f *fineTuning) gather(inputs []input, rows map[bottlenecks.Sum][]float32) head.Set {
	var s head.Set
	for _, in := range inputs {
		row := rows[in.key]
		s.Dim = len(row)
		s.Features = append(s.Features, row...)
		s.Labels = append(s.Labels, f.data.classes[in.entry])
	}
	return s
}
