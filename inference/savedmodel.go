package inference

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"tkit/internal/preprocessing"
	"tkit/internal/signatures"
	"tkit/internal/tensorflow"
)

// A savedModel serves any SavedModel. It takes and returns tensors, without
// batching of requests.
type savedModel struct {
	model      *signatures.Model
	signatures map[string]Signature
}

var _ Servable = (*savedModel)(nil)

// openSavedModel loads the SavedModel in dir. Signatures that cannot be served are
// logged.
func (l *Loader) openSavedModel(ctx context.Context, dir string) (*savedModel, error) {
	m, err := signatures.Open(ctx, dir, nil, tensorflow.Config{Device: l.options.Trunk.Device, IntraOpThreads: l.options.Trunk.IntraOpThreads})
	if err != nil {
		return nil, err
	}
	s := &savedModel{model: m, signatures: map[string]Signature{}}
	for key, from := range m.Signatures {
		s.signatures[key] = Signature{Method: from.Method, Inputs: from.Inputs, Outputs: from.Outputs}
	}
	for _, key := range slices.Sorted(maps.Keys(m.Refused)) {
		l.options.Log.WarnContext(ctx, "a signature is not served", "folder", dir, "signature", key, "error", m.Refused[key])
	}
	return s, nil
}

// Signatures implements [Servable].
func (s *savedModel) Signatures() map[string]Signature { return s.signatures }

// Refused returns why a signature of the model is not among its Signatures, nil if
// the model has no such signature.
func (s *savedModel) Refused(signature string) error { return s.model.Refused[signature] }

// Run implements [Servable].
func (s *savedModel) Run(ctx context.Context, signature string, inputs []Tensor, outputs []string) ([]Tensor, Timings, error) {
	in := make([]*tensorflow.Tensor, 0, len(inputs))
	defer func() { closeTensors(in) }()
	for _, t := range inputs {
		if err := checkPixels(t); err != nil {
			return nil, Timings{}, err
		}
		made, err := newTensor(t)
		if err != nil {
			return nil, Timings{}, err
		}
		in = append(in, made)
	}
	begun := time.Now()
	out, err := s.model.Signatures[signature].Run(ctx, in...)
	timings := Timings{Trunk: time.Since(begun)}
	if errors.As(err, new(*signatures.InputError)) {
		err = &Error{Reason: BadRequest, Err: err}
	}
	if err != nil {
		return nil, timings, err
	}
	defer closeTensors(out)
	infos := s.signatures[signature].Outputs
	given := make([]Tensor, len(outputs))
	for i, name := range outputs {
		at := slices.IndexFunc(infos, func(info TensorInfo) bool { return info.Name == name })
		if given[i], err = tensorOf(name, out[at]); err != nil {
			return nil, timings, err
		}
	}
	return given, timings, nil
}

// Close implements [Servable].
func (s *savedModel) Close() error { return s.model.Close() }

// checkPixels refuses encoded images with more pixels, in all frames together, than
// tkit decodes. A few kilobytes may expand to gigabytes when the model decodes them.
func checkPixels(t Tensor) error {
	for i, encoded := range t.Strings {
		if n, most := preprocessing.AllPixels(encoded), preprocessing.DefaultMaxPixels; n > most {
			return &Error{Reason: TooManyPixels, Err: fmt.Errorf("input %q: element %d is an image of %d pixels in all its frames; at most %d are allowed", t.Name, i, n, most)}
		}
	}
	return nil
}

// newTensor copies a tensor for TensorFlow. The caller closes it.
func newTensor(t Tensor) (*tensorflow.Tensor, error) {
	if t.Type == tensorflow.String {
		return tensorflow.FromStrings(t.Shape, t.Strings)
	}
	return tensorflow.FromBytes(t.Type, t.Shape, t.Data)
}

// tensorOf copies a tensor from TensorFlow.
func tensorOf(name string, from *tensorflow.Tensor) (Tensor, error) {
	t := Tensor{Name: name, Type: from.DataType(), Shape: from.Shape()}
	if t.Type == tensorflow.String {
		var err error
		t.Strings, err = from.Strings()
		return t, err
	}
	if t.Type.Size() == 0 {
		return t, fmt.Errorf("output %q is %v, not a dense tensor", name, t.Type)
	}
	t.Data = slices.Clone(from.Bytes())
	return t, nil
}

func closeTensors(tensors []*tensorflow.Tensor) {
	for _, t := range tensors {
		t.Close()
	}
}
