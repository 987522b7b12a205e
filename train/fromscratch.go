package train

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"tkit/architectures"
	"tkit/architectures/builder"
	"tkit/datasets"
	"tkit/internal/evaluation"
	"tkit/internal/network"
	"tkit/internal/pipeline"
	"tkit/internal/preprocessing"
	"tkit/internal/tensorflow"
	"tkit/train/scratch"
)

// ScratchOptions selects what to train from its initial weights, and the data.
type ScratchOptions struct {
	Architecture architectures.Architecture
	Source       datasets.Source
	Split        datasets.Fractions
	// Preprocessing, if it has steps, replaces the architecture's own; its size
	// is then the network's input.
	Preprocessing preprocessing.Preprocessing
	// Plugins provides the plugins of the preprocessing; nil if it has none.
	Plugins pipeline.Plugins
	// Training is passed to package scratch, except Progress, which is
	// replaced. Permit, if set, replaces its Checkpoints.
	Training scratch.Options
	Permit   Permit
	Snapshot datasets.SnapshotOptions
	Observer Observer
}

// FromScratch trains an architecture on a dataset. An interrupted run with
// checkpoints continues from the last one when it is started again.
func FromScratch(ctx context.Context, o ScratchOptions) (*Result, error) {
	if o.Training.LearningRate == 0 && (o.Training.Optimiser == "" || o.Training.Optimiser == scratch.SGD) {
		o.Training.LearningRate = o.Architecture.LearningRate
	}
	p := o.Architecture.Preprocessing
	if len(o.Preprocessing.Steps) > 0 {
		p = o.Preprocessing
	}
	if p.Views() > 1 {
		return nil, errors.New("preprocessing: ten_crop is only for pretrained trunks: a network is trained from scratch on one view per image")
	}
	if err := p.Pinned(); err != nil {
		return nil, err
	}
	pipeline, err := pipeline.CompileWith(ctx, p, o.Plugins)
	if err != nil {
		return nil, err
	}
	defer pipeline.Close()
	step := p.Decoding()
	o.Snapshot.Decode, o.Snapshot.MaxPixels, o.Snapshot.AnyFile = &step, step.Bound(), p.TakesAnyFile()
	data, err := open(ctx, o.Source, o.Split, o.Snapshot, o.Permit, &o.Training.Checkpoints, o.Observer)
	if err != nil {
		return nil, err
	}
	images, reasons, err := decode(ctx, data, pipeline, o.Observer)
	if err != nil {
		return nil, err
	}
	if err := data.without(reasons, o.Split); err != nil {
		return nil, err
	}
	data.tell(o.Observer)

	height, width, channels := pipeline.Shape()
	g, err := o.Architecture.Build(len(data.labels), [3]int{height, width, channels})
	if err != nil {
		return nil, err
	}
	trained, err := o.train(ctx, g, data, images)
	if err != nil {
		return nil, err
	}
	r := &Result{Labels: data.labels, Preprocessing: p, Snapshot: data.snapshot, Report: data.report,
		Split: data.counts(), Seed: o.Training.Seed, discard: trained.Discard}
	if r.Sample, err = data.sample(ctx); err != nil {
		return nil, err
	}
	whole, err := builder.Network(g, trained.Weights)
	if err != nil {
		return nil, err
	}
	if whole, err = whole.Fold(ctx); err != nil {
		return nil, err
	}
	if err := o.judge(ctx, r, whole, images); err != nil {
		return nil, err
	}
	return r, nil
}

func (o ScratchOptions) train(ctx context.Context, g *architectures.Graph, d *dataset, images *decoded) (*scratch.Result, error) {
	t := o.Training
	var progress func(int, int64)
	var end func()
	t.Progress = func(p scratch.Progress) {
		if progress == nil {
			if p.Resumed > 0 {
				o.Observer.tell(Resumed{Step: p.Resumed, Steps: p.Steps})
			}
			progress, end = o.Observer.phase(Epochs, p.Steps, "steps")
		}
		if p.Done != nil {
			o.Observer.tell(EpochEnded{Epoch: *p.Done, Epochs: p.Epochs})
		} else {
			progress(p.Step, 0)
		}
	}
	// The tensors depend on the preprocessing as well as on the bytes.
	id := d.snapshot.Digest + " " + images.pipeline.Description().Digest() + fmt.Sprintf(" %+v", o.Split)
	trained, err := scratch.Train(ctx, g, scratch.Data{ID: id, Train: side{images, d.split.Train}, Validation: side{images, d.split.Validation}}, t)
	if end != nil {
		end()
	}
	return trained, err
}

// judge calibrates on the validation images, evaluates on the test images and
// cuts the network before its classifier.
func (o ScratchOptions) judge(ctx context.Context, r *Result, whole *network.Network, images *decoded) error {
	d := images.dataset
	judged := append(slices.Clone(d.split.Validation), d.split.Test...)
	progress, end := o.Observer.phase(Evaluating, len(judged), "images")
	logits, err := answers(ctx, whole, side{images, judged}, o.Training.Session, func(done int) { progress(done, 0) })
	if err != nil {
		return err
	}
	split := len(d.split.Validation) * len(d.labels)
	temperature := 1.0
	if split > 0 {
		if temperature, err = evaluation.FitTemperature(predictions(d, d.split.Validation, logits[:split])); err != nil {
			return fmt.Errorf("temperature: %w", err)
		}
	}
	if len(d.split.Test) > 0 {
		if r.Evaluation, err = evaluation.Evaluate(predictions(d, d.split.Test, logits[split:]), temperature); err != nil {
			return fmt.Errorf("evaluation: %w", err)
		}
	}
	end()
	return r.part(whole, temperature)
}

// part cuts a whole network at its last endpoint before the classifier.
func (r *Result) part(whole *network.Network, temperature float64) error {
	whole, err := calibrate(whole, temperature)
	if err != nil {
		return err
	}
	ends, err := whole.Endpoints()
	if err != nil {
		return err
	}
	logits, err := whole.Output("logits")
	if err != nil {
		return err
	}
	for _, e := range slices.Backward(ends) {
		// Dense layers end in a vector with one value per class; the part
		// before the last of them is what another head can be built on.
		if len(e.Shape) == 1 && len(logits.Shape) > 0 && e.Shape[0] == logits.Shape[len(logits.Shape)-1] {
			continue
		}
		r.Cut = network.Cut{Endpoint: e.Name}
		r.Trunk, r.Head, err = whole.Cut(e.Name, "")
		return err
	}
	return fmt.Errorf("the network has no endpoint before its classifier to cut at")
}

// evaluationBatch is the number of images per run of a network.
const evaluationBatch = 32

// answers returns a network's logits for images, one row each.
func answers(ctx context.Context, n *network.Network, images side, c tensorflow.Config, progress func(done int)) ([]float32, error) {
	n, err := n.Prune("logits")
	if err != nil {
		return nil, err
	}
	loaded, err := n.Load(c)
	if err != nil {
		return nil, err
	}
	defer loaded.Close()
	height, width, channels := images.pipeline.Shape()
	size := height * width * channels
	var all []float32
	for from := 0; from < images.Len(); from += evaluationBatch {
		count := min(evaluationBatch, images.Len()-from)
		batch, err := tensorflow.NewTensor(tensorflow.Float32, int64(count), int64(height), int64(width), int64(channels))
		if err != nil {
			return nil, err
		}
		for k := range count {
			if err := images.Image(ctx, from+k, batch.Float32()[k*size:][:size]); err != nil {
				batch.Close()
				return nil, err
			}
		}
		out, err := loaded.Run(ctx, batch)
		batch.Close()
		if err != nil {
			return nil, err
		}
		all = append(all, out[0].Float32()...)
		out[0].Close()
		progress(from + count)
	}
	return all, nil
}

func predictions(d *dataset, entries []int, logits []float32) evaluation.Predictions {
	truth := make([]int, len(entries))
	for i, e := range entries {
		truth[i] = d.classes[e]
	}
	return evaluation.Predictions{Labels: d.labels, Truth: truth, Logits: logits}
}
