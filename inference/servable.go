package inference

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"tkit/internal/pipeline"
	"tkit/registry"
)

// A Servable is one loaded version. Whoever got it from [Manager.Acquire]
// releases it when its request is over; until then it stays loaded.
type Servable struct {
	Manifest *registry.Manifest

	pipeline *pipeline.Pipeline
	trunk    *trunk
	head     *head
	shape    [3]int        // of the pipeline's tensors
	digest   string        // of the preprocessing
	decoders chan struct{} // shared: one token for each decode under way
	most     int           // images in a request

	users atomic.Int64 // requests and the manager
	idle  chan struct{}
	parts []func() error // let go of the shared parts and close its own
}

// Timings say where a request's time went. Of a request of several images each
// is the longest that one of them took; of an image that shared the way of an
// equal one they are that one's.
type Timings struct {
	Decode time.Duration // waiting for a decoder and decoding
	Queue  time.Duration // waiting for the trunk
	Trunk  time.Duration // the trunk's run, with the batch
	Head   time.Duration
	Batch  int // images in the largest batch
}

// Classify says what is on encoded images. An image that cannot be used fails
// the request with a [RowError] that holds an pipeline.ImageError.
func (s *Servable) Classify(ctx context.Context, images [][]byte) ([]Prediction, Timings, error) {
	if err := s.checkImages(int64(len(images))); err != nil {
		return nil, Timings{}, err
	}
	var rows []Row
	for _, encoded := range images {
		rows = append(rows, s.views(encoded)...)
	}
	outputs, timings, err := s.answer(ctx, rows, s.pipeline.Views())
	if err != nil {
		return nil, timings, err
	}
	i := slices.IndexFunc(outputs, func(o Output) bool { return o.Name == probabilities })
	predictions := make([]Prediction, len(images))
	classes := len(outputs[i].Values) / len(images)
	for k := range predictions {
		predictions[k] = Prediction{s.Manifest.Labels, outputs[i].Values[k*classes : (k+1)*classes : (k+1)*classes]}
	}
	return predictions, timings, nil
}

// Predict runs the model on images that have been preprocessed already, laid
// out as CheckShape allows, and gives the outputs of the signature.
func (s *Servable) Predict(ctx context.Context, shape []int64, values []float32) ([]Output, error) {
	if err := s.CheckShape(shape); err != nil {
		return nil, err
	}
	if i := notFinite(values); i >= 0 {
		return nil, &Error{Reason: BadRequest, Err: fmt.Errorf("input %q holds %v, in image %d: want numbers", s.Input().Name, values[i], i*int(shape[0])/len(values))}
	}
	rows := make([]Row, shape[0])
	stride := len(values) / len(rows)
	for i := range rows {
		row := values[i*stride : (i+1)*stride]
		rows[i] = Row{Shape: s.shape, Fill: func(_ context.Context, dst []float32) error { copy(dst, row); return nil }}
	}
	all, _, err := s.answer(ctx, rows, 1)
	if errors.Is(err, errNotFinite) {
		return nil, &Error{Reason: BadRequest, Err: fmt.Errorf("%w: are the values of input %q scaled as the model's preprocessing scales them?", err, s.Input().Name)}
	}
	if err != nil {
		return nil, err
	}
	var outputs []Output
	for _, port := range s.Outputs() {
		i := slices.IndexFunc(all, func(o Output) bool { return o.Name == port.Name })
		outputs = append(outputs, all[i])
	}
	return outputs, nil
}

// preprocess runs the version's own preprocessing into dst, once a decoder is
// free.
func (s *Servable) preprocess(ctx context.Context, encoded []byte, dst []float32) error {
	select {
	case s.decoders <- struct{}{}:
		defer func() { <-s.decoders }()
	case <-ctx.Done():
		return ctx.Err()
	}
	// Not to be left before its end, which would free the decoder too early.
	return s.pipeline.Into(context.WithoutCancel(ctx), encoded, dst)
}

// answer sends rows through the trunk, in whatever batches they meet others,
// and what comes back, for each image the mean of its views, through the head.
func (s *Servable) answer(ctx context.Context, rows []Row, views int) ([]Output, Timings, error) {
	var t Timings
	outcomes, err := s.trunk.batcher.Do(ctx, rows)
	if err != nil {
		return nil, t, err
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
			means = append(means, MeanOfViews(image))
		}
		bottlenecks = means
	}
	begun := time.Now()
	outputs, err := s.judge(ctx, outcomes[0].Shape, bottlenecks)
	t.Head = time.Since(begun)
	return outputs, t, err
}

// judge runs the head on the bottlenecks of one request.
func (s *Servable) judge(ctx context.Context, shape []int64, bottlenecks [][]float32) ([]Output, error) {
	outputs, err := s.head.run(ctx, shape, bottlenecks)
	if err != nil {
		return nil, fmt.Errorf("head of %s: %w", s.Manifest.Ref(), err)
	}
	want := []int64{int64(len(bottlenecks)), int64(len(s.Manifest.Labels))}
	for _, o := range outputs {
		if !slices.Equal(o.Shape, want) {
			return nil, fmt.Errorf("head of %s: %q is %v, want %v", s.Manifest.Ref(), o.Name, o.Shape, want)
		}
		if notFinite(o.Values) >= 0 {
			return nil, fmt.Errorf("head of %s: %w", s.Manifest.Ref(), errNotFinite)
		}
	}
	return outputs, nil
}

// errNotFinite: a network computed no number.
var errNotFinite = errors.New("the answer is not a number")

// notFinite is the index of the first value that is infinite or no number, -1
// where there is none.
func notFinite(values []float32) int {
	return slices.IndexFunc(values, func(v float32) bool { return v-v != 0 })
}

// acquire takes the servable for a request; false if it is idle for good.
func (s *Servable) acquire() bool {
	for {
		n := s.users.Load()
		if n == 0 {
			return false
		}
		if s.users.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// Release ends a use of the servable.
func (s *Servable) Release() {
	if s.users.Add(-1) == 0 {
		close(s.idle)
	}
}

// retire gives up the manager's own use, waits for the requests in flight and
// frees the version's parts.
func (s *Servable) retire() error {
	s.Release()
	<-s.idle
	return s.close()
}

func (s *Servable) close() error {
	var errs []error
	for _, let := range slices.Backward(s.parts) {
		errs = append(errs, let())
	}
	return errors.Join(errs...)
}
