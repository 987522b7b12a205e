package inference

import (
	"errors"
	"fmt"
	"slices"

	"tkit/registry"
)

// What TensorFlow Serving's clients know a model's only signature by.
const (
	DefaultSignature = "serving_default"
	PredictMethod    = "tensorflow/serving/predict"
)

// probabilities is the name of the output that Classify reads.
const probabilities = "probabilities"

// Output is one output tensor of a Predict, row-major.
type Output struct {
	Name   string
	Shape  []int64
	Values []float32
}

// Input is the port of the tensor that Predict takes: images that have been
// preprocessed, [n, height, width, channels] float32.
func (s *Servable) Input() registry.Port { return s.Manifest.Signature.Inputs[0] }

// Outputs are the ports of the tensors that Predict gives, all float32.
func (s *Servable) Outputs() []registry.Port { return s.Manifest.Signature.Outputs }

// CheckSignature refuses the name of a signature that the model does not have;
// "" means the default one.
func (s *Servable) CheckSignature(name string) error {
	if name != "" && name != DefaultSignature {
		return &Error{Reason: BadRequest, Err: fmt.Errorf("%s has no signature %q; it has %q", s.Manifest.Ref(), name, DefaultSignature)}
	}
	return nil
}

// CheckShape refuses the shape of a tensor that Predict would not take.
func (s *Servable) CheckShape(shape []int64) error {
	want := []int64{-1, int64(s.shape[0]), int64(s.shape[1]), int64(s.shape[2])}
	if len(shape) != 4 || shape[0] < 1 || !slices.Equal(shape[1:], want[1:]) {
		return &Error{Reason: BadRequest, Err: fmt.Errorf("input %q has the shape %v; %s takes %v, one image or more",
			s.Input().Name, shape, s.Manifest.Ref(), want)}
	}
	return s.checkImages(shape[0])
}

// checkImages refuses a request of too many images, or none.
func (s *Servable) checkImages(n int64) error {
	if n < 1 {
		return &Error{Reason: BadRequest, Err: errors.New("the request holds no image")}
	}
	if n > int64(s.most) {
		return &Error{Reason: TooLarge, Err: fmt.Errorf("%d images in one request; the server takes %d", n, s.most)}
	}
	return nil
}

// checkSignature says whether the manifest's signature is one that Predict can
// answer: one float32 input of the preprocessing's shape, float32 outputs that
// the head has.
func checkSignature(m *registry.Manifest, shape [3]int, head []string) error {
	if !slices.Contains(head, probabilities) {
		return fmt.Errorf("the head gives %q; want %q among them", head, probabilities)
	}
	if n := len(m.Signature.Inputs); n != 1 {
		return fmt.Errorf("the signature has %d inputs; a server takes models of one", n)
	}
	in := m.Signature.Inputs[0]
	want := []int64{-1, int64(shape[0]), int64(shape[1]), int64(shape[2])}
	if in.DataType != "float32" || len(in.Shape) != 4 {
		return fmt.Errorf("input %q is %s %v; the preprocessing gives float32 %v", in.Name, in.DataType, in.Shape, want)
	}
	for i, d := range in.Shape {
		if d >= 0 && d != want[i] && i > 0 {
			return fmt.Errorf("input %q is %s %v; the preprocessing gives float32 %v", in.Name, in.DataType, in.Shape, want)
		}
	}
	for _, out := range m.Signature.Outputs {
		if out.DataType != "float32" || !slices.Contains(head, out.Name) {
			return fmt.Errorf("the signature has the output %q, %s; the head gives %q", out.Name, out.DataType, head)
		}
	}
	return nil
}
