package inference

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"tkit/internal/pipeline"
	"tkit/internal/tensorflow"
	"tkit/registry"
)

// An imageClassifier is a version made of preprocessing, trunk and head.
type imageClassifier struct {
	manifest   *registry.Manifest
	signatures map[string]Signature

	pipeline *pipeline.Pipeline
	trunk    *Trunk
	head     *Head
	shape    [3]int    // of the pipeline's tensors
	digest   string    // of the preprocessing
	decoders semaphore // shared: decodes in progress
	most     int       // images in a request
	keep     KeepFunc  // nil: bottlenecks are not kept

	parts []func() error // release the shared parts and close the others
}

var _ ImageClassifier = (*imageClassifier)(nil)

// Signatures implements [Servable].
func (c *imageClassifier) Signatures() map[string]Signature { return c.signatures }

// Labels implements [ImageClassifier].
func (c *imageClassifier) Labels() []string { return c.manifest.Labels }

// Classify implements [ImageClassifier].
func (c *imageClassifier) Classify(ctx context.Context, images [][]byte) ([]Prediction, Timings, error) {
	if err := c.checkImages(int64(len(images))); err != nil {
		return nil, Timings{}, err
	}
	var rows []Row
	sums := make([][sha256.Size]byte, len(images))
	for i, encoded := range images {
		sums[i] = sha256.Sum256(encoded)
		rows = append(rows, c.views(encoded, sums[i])...)
	}
	a, timings, err := c.answer(ctx, rows, c.pipeline.Views())
	if err != nil {
		return nil, timings, err
	}
	if c.keep != nil && c.trunk.Precision() == FP32 && c.pipeline.Views() == 1 {
		for i, row := range a.bottlenecks {
			c.keep(c.manifest, sums[i], row)
		}
	}
	outputs := a.outputs
	values := outputs[slices.IndexFunc(outputs, isNamed(probabilities))].Float32()
	predictions := make([]Prediction, len(images))
	classes := len(values) / len(images)
	for k := range predictions {
		predictions[k] = Prediction{c.manifest.Labels, values[k*classes : (k+1)*classes : (k+1)*classes]}
	}
	return predictions, timings, nil
}

// Stream implements [ImageClassifier].
func (c *imageClassifier) Stream(ctx context.Context, items iter.Seq[Item], emit EmitPrediction) error {
	s := Stream{Pipeline: c.pipeline, Trunk: c.trunk, Head: c.head, Batch: c.trunk.most}
	labels := c.manifest.Labels
	return s.Run(ctx, items, func(i int, item Item, row []float32, err error) error {
		if err == nil && len(row) != len(labels) {
			return fmt.Errorf("head of %s: %d probabilities for %d labels", c.manifest.Ref(), len(row), len(labels))
		}
		if err == nil && notFinite(row) >= 0 {
			row, err = nil, fmt.Errorf("head of %s: %w", c.manifest.Ref(), errNotFinite)
		}
		return emit(i, item, Prediction{labels, row}, err)
	})
}

// Run implements [Servable]. The only input is preprocessed images, [n, height,
// width, channels].
func (c *imageClassifier) Run(ctx context.Context, _ string, inputs []Tensor, outputs []string) ([]Tensor, Timings, error) {
	in := inputs[0]
	if err := c.checkShape(in); err != nil {
		return nil, Timings{}, err
	}
	values := in.Float32()
	if i := notFinite(values); i >= 0 {
		return nil, Timings{}, &Error{Reason: BadRequest, Err: fmt.Errorf("input %q contains %v in image %d; want finite numbers", in.Name, values[i], i*int(in.Shape[0])/len(values))}
	}
	rows := make([]Row, in.Shape[0])
	stride := len(values) / len(rows)
	for i := range rows {
		row := values[i*stride : (i+1)*stride]
		rows[i] = Row{Shape: c.shape, Fill: func(_ context.Context, dst []float32) error { copy(dst, row); return nil }}
	}
	a, timings, err := c.answer(ctx, rows, 1)
	if errors.Is(err, errNotFinite) {
		return nil, timings, &Error{Reason: BadRequest, Err: fmt.Errorf("%w: are the values of input %q scaled as the model's preprocessing scales them?", err, in.Name)}
	}
	if err != nil {
		return nil, timings, err
	}
	wanted := make([]Tensor, len(outputs))
	for i, name := range outputs {
		wanted[i] = a.outputs[slices.IndexFunc(a.outputs, isNamed(name))]
	}
	return wanted, timings, nil
}

func isNamed(name string) func(Tensor) bool { return func(t Tensor) bool { return t.Name == name } }

// checkShape refuses the shape of an input that Run does not support.
func (c *imageClassifier) checkShape(in Tensor) error {
	want := []int64{-1, int64(c.shape[0]), int64(c.shape[1]), int64(c.shape[2])}
	if len(in.Shape) != 4 || in.Shape[0] < 1 || !slices.Equal(in.Shape[1:], want[1:]) {
		return &Error{Reason: BadRequest, Err: fmt.Errorf("input %q has the shape %v; %s takes %v, one image or more",
			in.Name, in.Shape, c.manifest.Ref(), want)}
	}
	return c.checkImages(in.Shape[0])
}

// checkImages refuses a request of too many images, or none.
func (c *imageClassifier) checkImages(n int64) error {
	if n < 1 {
		return &Error{Reason: BadRequest, Err: errors.New("the request has no image")}
	}
	if n > int64(c.most) {
		return &Error{Reason: TooLarge, Err: fmt.Errorf("%d images in one request; the server takes %d", n, c.most)}
	}
	return nil
}

// classifierSignatures returns the only signature of a version of an image
// classifier. It must be one that Run can answer: one float32 input of the
// preprocessing's shape, float32 outputs that the head has.
func classifierSignatures(m *registry.Manifest, shape [3]int, head []string) (map[string]Signature, error) {
	if !slices.Contains(head, probabilities) {
		return nil, fmt.Errorf("the head has the outputs %q; want %q among them", head, probabilities)
	}
	if n := len(m.Signature.Inputs); n != 1 {
		return nil, fmt.Errorf("the signature has %d inputs; want one", n)
	}
	in := m.Signature.Inputs[0]
	want := []int64{-1, int64(shape[0]), int64(shape[1]), int64(shape[2])}
	fits := in.DataType == "float32" && len(in.Shape) == len(want)
	for i := 1; fits && i < len(want); i++ {
		fits = in.Shape[i] < 0 || in.Shape[i] == want[i]
	}
	if !fits {
		return nil, fmt.Errorf("input %q is %s %v; the preprocessing returns float32 %v", in.Name, in.DataType, in.Shape, want)
	}
	s := Signature{Method: PredictMethod, Inputs: []TensorInfo{infoOf(in)}}
	for _, out := range m.Signature.Outputs {
		if out.DataType != "float32" || !slices.Contains(head, out.Name) {
			return nil, fmt.Errorf("the signature has the output %q, %s; the head has %q", out.Name, out.DataType, head)
		}
		s.Outputs = append(s.Outputs, infoOf(out))
	}
	return map[string]Signature{DefaultSignature: s}, nil
}

// infoOf describes a float32 tensor.
func infoOf(t registry.TensorSpec) TensorInfo {
	return TensorInfo{Name: t.Name, Tensor: t.Name + ":0", DataType: tensorflow.Float32, Shape: t.Shape}
}

// preprocess runs the version's own preprocessing into dst, once a decoder is
// free.
func (c *imageClassifier) preprocess(ctx context.Context, encoded []byte, dst []float32) error {
	if err := c.decoders.acquire(ctx); err != nil {
		return err
	}
	defer c.decoders.release()
	// It cannot be interrupted: returning early would release the decoder too
	// soon.
	return c.pipeline.Into(context.WithoutCancel(ctx), encoded, dst)
}

// answered are the bottlenecks of the images of a request, and what the head says.
type answered struct {
	bottlenecks [][]float32
	outputs     []Tensor
}

// answer sends rows through the trunk, in batches shared with other requests. Then
// it sends the bottleneck of each image, the mean over its views, through the head.
func (c *imageClassifier) answer(ctx context.Context, rows []Row, views int) (answered, Timings, error) {
	var t Timings
	outcomes, err := c.trunk.batcher.Do(ctx, rows)
	if err != nil {
		return answered{}, t, err
	}
	bottlenecks := make([][]float32, len(outcomes))
	for i, o := range outcomes {
		bottlenecks[i] = o.Bottleneck
		t.Decode, t.Queue = max(t.Decode, o.Fill), max(t.Queue, o.Queue)
		t.Trunk, t.Batch = max(t.Trunk, o.Pass), max(t.Batch, o.Batch)
	}
	if views > 1 {
		var means [][]float32
		for image := range slices.Chunk(bottlenecks, views) {
			means = append(means, meanOfViews(image))
		}
		bottlenecks = means
	}
	begun := time.Now()
	outputs, err := c.judge(ctx, outcomes[0].Shape, bottlenecks)
	t.Head = time.Since(begun)
	return answered{bottlenecks, outputs}, t, err
}

// judge runs the head on the bottlenecks of one request.
func (c *imageClassifier) judge(ctx context.Context, shape []int64, bottlenecks [][]float32) ([]Tensor, error) {
	outputs, err := c.head.RunRows(ctx, shape, bottlenecks)
	if err != nil {
		return nil, fmt.Errorf("head of %s: %w", c.manifest.Ref(), err)
	}
	want := []int64{int64(len(bottlenecks)), int64(len(c.manifest.Labels))}
	for _, o := range outputs {
		if !slices.Equal(o.Shape, want) {
			return nil, fmt.Errorf("head of %s: %q is %v, want %v", c.manifest.Ref(), o.Name, o.Shape, want)
		}
		if notFinite(o.Float32()) >= 0 {
			return nil, fmt.Errorf("head of %s: %w", c.manifest.Ref(), errNotFinite)
		}
	}
	return outputs, nil
}

// errNotFinite is the error of a network that computed infinity or NaN.
var errNotFinite = errors.New("the result is not finite")

// notFinite returns the index of the first value that is infinite or NaN, or -1.
func notFinite(values []float32) int {
	return slices.IndexFunc(values, func(v float32) bool { return v-v != 0 })
}

// Close implements [Servable].
func (c *imageClassifier) Close() error {
	var errs []error
	for _, release := range slices.Backward(c.parts) {
		errs = append(errs, release())
	}
	return errors.Join(errs...)
}
