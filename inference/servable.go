package inference

import (
	"context"
	"iter"
	"time"
)

// A Servable is one loaded version, of whatever kind. Its methods may be called
// concurrently, except Close.
type Servable interface {
	// Signatures are what Run can compute, by name. The map is immutable.
	Signatures() map[string]Signature
	// Run computes the named outputs of a signature, in the order of the names.
	// [Handle.Run] has checked the request: the signature and the outputs exist,
	// and the inputs have the order and types of the signature, each with the
	// number of elements of its shape. Run checks the shapes. It neither changes
	// the inputs nor keeps them.
	Run(ctx context.Context, signature string, inputs []Tensor, outputs []string) ([]Tensor, Timings, error)
	// Close frees the version. It is called once, when no request uses the
	// version.
	Close() error
}

// An ImageClassifier is a servable that also takes encoded images.
type ImageClassifier interface {
	Servable
	// Classify computes predictions for encoded images, in their order. An
	// image that cannot be used fails the request with a [RowError] that holds
	// a *pipeline.ImageError.
	Classify(ctx context.Context, images [][]byte) ([]Prediction, Timings, error)
	// Stream computes predictions for many images in their order, in separate
	// batches: the same images give the same bits. Emit gets the error of an
	// image that is set aside, as with [Stream].
	Stream(ctx context.Context, items iter.Seq[Item], emit EmitPrediction) error
	// Labels are the classes, in the order of the probabilities.
	Labels() []string
}

// EmitPrediction is [Emit] for the predictions of an image classifier.
type EmitPrediction func(i int, item Item, p Prediction, err error) error

// Timings are the times of the stages of a request. Each is the longest time of
// one of its images; an image that shared the pass of an identical one has that
// one's times. Stages that a kind of servable does not have are zero.
type Timings struct {
	Decode time.Duration // waiting for a decoder, and decoding
	Queue  time.Duration // waiting for the trunk
	Trunk  time.Duration // the run of the trunk, or of a whole SavedModel
	Head   time.Duration
	Batch  int // images in the largest batch
}
