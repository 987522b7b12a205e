package scratch

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"time"

	"tkit/internal/tensorflow"
)

// Optimiser names the rule that turns gradients into steps.
type Optimiser string

// The optimisers.
const (
	// SGD is stochastic gradient descent with momentum; weight decay is added
	// to the gradient, like an L2 penalty.
	SGD Optimiser = "sgd"
	// AdamW is Adam with weight decay applied to the weights directly:
	// Loshchilov and Hutter, "Decoupled Weight Decay Regularization", ICLR
	// 2019.
	AdamW Optimiser = "adamw"
)

// Options configures training. [Options.WithDefaults] replaces zero values.
type Options struct {
	Optimiser Optimiser `json:"optimiser"`
	// LearningRate is the maximum of the schedule.
	LearningRate float64 `json:"learning_rate"`
	// Momentum is SGD's; AdamW's moments decay by 0.9 and 0.999.
	Momentum float64 `json:"momentum"`
	// WeightDecay applies to kernels, not to biases or batch norm's scales.
	WeightDecay float64 `json:"weight_decay"`
	// LabelSmoothing distributes this fraction of a label's probability evenly
	// over all classes: Szegedy et al., "Rethinking the Inception
	// Architecture", CVPR 2016.
	LabelSmoothing float64  `json:"label_smoothing"`
	Schedule       Schedule `json:"schedule"`
	// Warmup is the number of epochs over which the rate rises to its maximum.
	Warmup    float64 `json:"warmup"`
	Epochs    int     `json:"epochs"`
	BatchSize int     `json:"batch_size"`
	Augment   Augment `json:"augment"`
	// Patience ends training after the given number of epochs without a better
	// validation loss; 0 runs all epochs. The best epoch's weights are returned
	// if there are validation images.
	Patience int `json:"patience"`
	// Seed determines initial weights, order, augmentation and dropout.
	Seed uint64 `json:"seed"`
	// Threads is the number of threads of TensorFlow's kernels. It is part of
	// what makes a run bit-reproducible. 0 means all cores.
	Threads int `json:"threads"`

	// Checkpoints is a folder in which every run has its own subfolder, named
	// by what determines the run; "" means no checkpoints. A run continues from
	// its own checkpoint.
	Checkpoints string `json:"-"`
	// CheckpointEvery is the time between checkpoints, 0 for a minute. It does
	// not affect the result.
	CheckpointEvery time.Duration `json:"-"`
	// Session configures TensorFlow; Threads overrides its thread count.
	Session tensorflow.Config `json:"-"`
	// Progress, if set, is called from one goroutine after every step and after
	// every epoch.
	Progress func(Progress) `json:"-"`
}

// Progress is the progress of a run.
type Progress struct {
	Epoch, Epochs int // the current epoch, from 1
	Step, Steps   int // of the whole run
	Images        int // trained on by this process
	// Done is set after an epoch, with its result.
	Done *Epoch
	// Resumed is the step of the checkpoint, 0 for a new run.
	Resumed int
}

// Epoch is the record of one pass over the training images.
type Epoch struct {
	Number       int     `json:"epoch"`
	LearningRate float64 `json:"learning_rate"` // at its end
	Loss         float64 `json:"loss"`          // mean over its images, as trained on
	// Validation values are zero if there are no validation images.
	ValidationLoss     float64 `json:"validation_loss,omitempty"`
	ValidationAccuracy float64 `json:"validation_accuracy,omitempty"`
	Best               bool    `json:"best,omitempty"` // so far
}

// WithDefaults replaces zero values by defaults.
func (o Options) WithDefaults() Options {
	if o.Optimiser == "" {
		o.Optimiser = SGD
	}
	if o.LearningRate == 0 {
		o.LearningRate = map[Optimiser]float64{AdamW: 1e-3}[o.Optimiser]
		if o.Optimiser == SGD {
			o.LearningRate = 0.05
		}
	}
	if o.Momentum == 0 {
		o.Momentum = 0.9
	}
	if o.Schedule == "" {
		o.Schedule = Cosine
	}
	if o.Epochs == 0 {
		o.Epochs = 30
	}
	if o.BatchSize == 0 {
		o.BatchSize = 32
	}
	if o.Threads == 0 {
		o.Threads = runtime.NumCPU()
	}
	if o.CheckpointEvery == 0 {
		o.CheckpointEvery = time.Minute
	}
	return o
}

func (o Options) validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	check(o.Optimiser == SGD || o.Optimiser == AdamW, "optimiser %q: there are %s and %s", o.Optimiser, SGD, AdamW)
	check(o.LearningRate > 0 && !math.IsInf(o.LearningRate, 1), "learning rate %g: it must be a positive number", o.LearningRate)
	check(o.Momentum >= 0 && o.Momentum < 1, "momentum %g: it must be within 0 and 1", o.Momentum)
	check(o.WeightDecay >= 0 && !math.IsInf(o.WeightDecay, 1), "weight decay %g: it must not be negative", o.WeightDecay)
	check(o.LabelSmoothing >= 0 && o.LabelSmoothing < 1, "label smoothing %g: it must be within 0 and 1", o.LabelSmoothing)
	check(o.Schedule.known(), "schedule %q: there are %s, %s and %s", o.Schedule, Constant, Cosine, Steps)
	check(o.Warmup >= 0 && !math.IsInf(o.Warmup, 1), "warm-up of %g epochs: it must not be negative", o.Warmup)
	check(o.Epochs > 0, "%d epochs: need at least one", o.Epochs)
	check(o.BatchSize > 0, "batch size %d: it must be positive", o.BatchSize)
	check(o.Patience >= 0, "patience %d: it must not be negative", o.Patience)
	check(o.Threads > 0, "%d threads: need at least one", o.Threads)
	check(o.Augment.Shift >= 0, "shift by %d pixels: it must not be negative", o.Augment.Shift)
	part := func(x float64) bool { return x >= 0 && x <= 1 }
	check(part(o.Augment.Brightness) && part(o.Augment.Contrast), "brightness %g and contrast %g: they must be within 0 and 1", o.Augment.Brightness, o.Augment.Contrast)
	return errors.Join(errs...)
}
