// Package scratch trains a whole network from its initial weights.
//
// On one CPU and with one number of threads a run is bit-reproducible: initial
// weights, the order of the images, their augmentation and dropout depend only
// on the seed and the step. So a killed run that continues from its checkpoint
// ends with exactly the weights of an uninterrupted run.
package scratch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"time"

	"tkit/architectures"
	"tkit/architectures/builder"
	"tkit/internal/network"
	"tkit/internal/tensorflow"
)

// ErrDiverged is the error of a run whose loss is NaN.
var ErrDiverged = errors.New("training diverged: the loss is not a number; lower the learning rate")

// Result is a trained network.
type Result struct {
	// Weights are those of the best epoch if there are validation images, else
	// of the last epoch, sorted by name, including auxiliary heads.
	Weights []*network.Weight
	History []Epoch
	// Best is the number of the epoch whose weights these are.
	Best int
	// Stopped means that the validation loss stopped decreasing; see
	// Options.Patience.
	Stopped bool
	// Resumed is the step of the checkpoint, 0 for a new run.
	Resumed int

	checkpoints string
}

// Discard removes the run's checkpoints. Call it when the result is stored
// elsewhere. Until then the same run, started again, ends at once.
func (r *Result) Discard() error {
	if r.checkpoints == "" {
		return nil
	}
	if err := os.RemoveAll(r.checkpoints); err != nil {
		return fmt.Errorf("remove the checkpoints: %w", err)
	}
	return nil
}

// Data is what a network is trained on.
type Data struct {
	// ID identifies the images: a run resumes from a checkpoint of the same ID only.
	ID string
	// Train has one image or more. Validation may be nil.
	Train, Validation Images
}

// Train trains g and monitors its loss on the validation images.
//
// When the context ends, Train saves a checkpoint, if enabled, and returns the
// context's error.
func Train(ctx context.Context, g *architectures.Graph, d Data, o Options) (*Result, error) {
	o = o.WithDefaults()
	if err := o.validate(); err != nil {
		return nil, err
	}
	if d.Train.Len() == 0 {
		return nil, errors.New("no images to train on")
	}
	r, err := start(ctx, g, d, o)
	if err != nil {
		return nil, err
	}
	defer r.close()
	if err := r.loop(ctx); err != nil {
		return nil, err
	}
	return r.result(ctx)
}

// run is the state of one Train.
type run struct {
	options           Options
	id                string // of the run: architecture, images and options
	dir               string // of its checkpoints; "" means none
	train, validation *loader
	steps, perEpoch   int

	graph     *tensorflow.Graph
	session   *tensorflow.Session
	names     names
	descend   *tensorflow.Step
	evaluate  *tensorflow.Step
	variables *variables

	at      position
	best    values
	resumed int
	trained int // images, by this process
	saved   time.Time
}

func start(ctx context.Context, g *architectures.Graph, d Data, o Options) (_ *run, err error) {
	p, err := compile(g, o)
	if err != nil {
		return nil, err
	}
	r := &run{options: o, names: p.names, graph: p.graph, at: position{BestLoss: math.MaxFloat64}, saved: time.Now()}
	defer func() {
		if err != nil {
			r.close()
		}
	}()
	r.perEpoch = stepsPerEpoch(d.Train.Len(), o.BatchSize)
	r.steps = o.Epochs * r.perEpoch
	logits, err := g.Shape(g.Logits)
	if err != nil {
		return nil, err
	}
	r.train = &loader{images: d.Train, height: g.Input[0], width: g.Input[1], channels: g.Input[2], classes: logits.Channels(),
		smoothing: o.LabelSmoothing, augment: o.Augment, seed: o.Seed, augmenting: true}
	if d.Validation != nil && d.Validation.Len() > 0 {
		r.validation = &loader{images: d.Validation, height: g.Input[0], width: g.Input[1], channels: g.Input[2], classes: logits.Channels()}
	}
	if r.id, err = identity(g, d.ID, o); err != nil {
		return nil, err
	}
	if o.Checkpoints != "" {
		r.dir = filepath.Join(o.Checkpoints, r.id[:16])
	}
	config := o.Session
	config.IntraOpThreads = o.Threads
	if config.InterOpThreads == 0 {
		config.InterOpThreads = 1
	}
	if r.session, err = tensorflow.NewSession(p.graph, config); err != nil {
		return nil, err
	}
	if err := r.resolve(p); err != nil {
		return nil, err
	}
	return r, r.restore(ctx, g, p.slots)
}

// identity is the digest of everything that determines a run's result.
func identity(g *architectures.Graph, dataset string, o Options) (string, error) {
	raw, err := json.Marshal(struct {
		Dataset string
		Layers  []architectures.Variable
		Input   architectures.Shape
		Options Options
	}{dataset, g.Variables(), g.Input, o})
	if err != nil {
		return "", fmt.Errorf("identify the run: %w", err)
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:]), nil
}

// resolve resolves the run's feeds and fetches.
func (r *run) resolve(p *program) (err error) {
	n := p.names
	feeds := []string{n.images, n.labels, n.rate, n.seed, n.step}
	if n.beta1Power != "" {
		feeds = append(feeds, n.beta1Power, n.beta2Power)
	}
	if r.descend, err = r.session.Step(feeds, []string{n.loss}, n.update); err != nil {
		return err
	}
	if r.evaluate, err = r.session.Step([]string{n.evalImages}, []string{n.evalLogits}, nil); err != nil {
		return err
	}
	r.variables, err = newVariables(r.session, p.slots)
	return err
}

// restore sets the variables from the run's checkpoint or to their initial
// values.
func (r *run) restore(ctx context.Context, g *architectures.Graph, slots []slot) error {
	if r.dir != "" {
		at, state, best, found, err := load(r.dir, r.id, slots)
		if err != nil {
			return err
		}
		if found {
			r.at, r.best, r.resumed = at, best, at.Step
			return r.variables.set(ctx, state)
		}
	}
	initial, err := builder.Initial(g, r.options.Seed)
	if err != nil {
		return err
	}
	state := make(values, len(initial))
	for _, w := range initial {
		state[w.Name] = w.Data
	}
	return r.variables.set(ctx, state)
}

func (r *run) close() {
	if r.session != nil {
		r.session.Close()
	}
	r.graph.Close()
}

// loop trains until the last step, or until patience runs out, and saves a
// checkpoint at its end.
func (r *run) loop(ctx context.Context) error {
	err := r.descendAll(ctx)
	switch {
	case err == nil:
		return r.checkpoint(ctx)
	case ctx.Err() != nil:
		return errors.Join(ctx.Err(), r.checkpoint(context.WithoutCancel(ctx)))
	}
	return err
}

func (r *run) descendAll(ctx context.Context) (err error) {
	if r.at.Step > 0 && r.at.Step%r.perEpoch == 0 && len(r.at.History) < r.at.Step/r.perEpoch {
		// The run ended between an epoch's last step and its validation.
		if err := r.epoch(ctx); err != nil {
			return err
		}
	}
	if r.at.Step == r.steps || r.patienceOver() {
		return nil
	}
	loading, stop := context.WithCancel(ctx)
	batches, wait := r.train.stream(loading, r.at.Step, r.steps, r.options.BatchSize)
	defer func() {
		stop()
		for b := range batches {
			b.close()
		}
		loaded := wait()
		if err == nil && r.at.Step < r.steps && !r.patienceOver() {
			err = loaded // the stream ended early
		}
	}()
	for b := range batches {
		err := r.step(ctx, b)
		b.close()
		if err == nil && r.at.Step%r.perEpoch == 0 {
			err = r.epoch(ctx)
		}
		if err == nil && time.Since(r.saved) >= r.options.CheckpointEvery {
			err = r.checkpoint(ctx)
		}
		if err != nil || r.patienceOver() {
			return err
		}
	}
	return nil
}

// step trains on one batch.
func (r *run) step(ctx context.Context, b *batch) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	rate := r.options.rate(b.step, r.steps, r.perEpoch)
	in := []*tensorflow.Tensor{b.images, b.labels}
	scalars, err := r.scalars(b.step, rate)
	if err != nil {
		return err
	}
	defer closeAll(scalars)
	// A step is not interrupted, because a partial update would be worse than
	// none.
	out, err := r.descend.Run(context.WithoutCancel(ctx), append(in, scalars...)...)
	if err != nil {
		return fmt.Errorf("step %d: %w", b.step+1, err)
	}
	loss := float64(out[0].Float32()[0])
	closeAll(out)
	if math.IsNaN(loss) || math.IsInf(loss, 0) {
		return fmt.Errorf("step %d: %w", b.step+1, ErrDiverged)
	}
	r.at.Step = b.step + 1
	r.at.LossSum += loss * float64(b.size)
	r.at.LossN += b.size
	r.trained += b.size
	r.report(nil)
	return nil
}

// scalars returns the step's feeds besides the batch.
func (r *run) scalars(step int, rate float64) (out []*tensorflow.Tensor, err error) {
	add := func(t *tensorflow.Tensor, e error) {
		if e != nil {
			err = errors.Join(err, e)
			return
		}
		out = append(out, t)
	}
	add(tensorflow.FromFloat32(nil, []float32{float32(rate)}))
	add(tensorflow.FromInt64(nil, []int64{int64(r.options.Seed)}))
	add(tensorflow.FromInt64(nil, []int64{int64(step)}))
	if r.names.beta1Power != "" {
		add(tensorflow.FromFloat32(nil, []float32{float32(math.Pow(beta1, float64(step+1)))}))
		add(tensorflow.FromFloat32(nil, []float32{float32(math.Pow(beta2, float64(step+1)))}))
	}
	if err != nil {
		closeAll(out)
		return nil, err
	}
	return out, nil
}

func closeAll(tensors []*tensorflow.Tensor) {
	for _, t := range tensors {
		t.Close()
	}
}

// epoch completes one pass over the images: validation, and the best weights so
// far.
func (r *run) epoch(ctx context.Context) error {
	e := Epoch{
		Number:       r.at.Step / r.perEpoch,
		LearningRate: r.options.rate(r.at.Step-1, r.steps, r.perEpoch),
		Loss:         r.at.LossSum / float64(r.at.LossN),
	}
	if r.validation != nil {
		var err error
		if e.ValidationLoss, e.ValidationAccuracy, err = r.validate(ctx); err != nil {
			return err
		}
		if e.Best = e.ValidationLoss < r.at.BestLoss; e.Best {
			if r.best, err = r.variables.get(ctx); err != nil {
				return err
			}
			r.at.BestLoss, r.at.BestAt = e.ValidationLoss, e.Number
		}
	}
	r.at.LossSum, r.at.LossN = 0, 0
	r.at.History = append(r.at.History, e)
	r.report(&e)
	return nil
}

func (r *run) report(done *Epoch) {
	if r.options.Progress == nil {
		return
	}
	epoch := min(r.at.Step/r.perEpoch+1, r.options.Epochs)
	if done != nil {
		epoch = done.Number
	}
	r.options.Progress(Progress{Epoch: epoch, Epochs: r.options.Epochs, Step: r.at.Step, Steps: r.steps,
		Images: r.trained, Done: done, Resumed: r.resumed})
}

func (r *run) patienceOver() bool {
	return r.options.Patience > 0 && r.validation != nil && r.at.BestAt > 0 &&
		len(r.at.History)-r.at.BestAt >= r.options.Patience
}

func (r *run) checkpoint(ctx context.Context) error {
	if r.dir == "" {
		return nil
	}
	state, err := r.variables.get(ctx)
	if err != nil {
		return err
	}
	r.at.Run = r.id
	if err := save(r.dir, r.at, r.variables.slots, state, r.best); err != nil {
		return err
	}
	r.saved = time.Now()
	return nil
}

// result reads the weights.
func (r *run) result(ctx context.Context) (*Result, error) {
	out := &Result{History: r.at.History, Best: len(r.at.History), Stopped: r.patienceOver(), Resumed: r.resumed, checkpoints: r.dir}
	state := r.best
	if r.at.BestAt > 0 {
		out.Best = r.at.BestAt
	} else {
		var err error
		if state, err = r.variables.get(ctx); err != nil {
			return nil, err
		}
	}
	out.Weights = r.variables.weights(state)
	return out, nil
}
