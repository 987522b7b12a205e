// Package signatures loads SavedModels and runs their signatures, with inputs
// and outputs of any dense type. It does not interpret tensors; package
// inference is for images.
//
// Models are restricted to what [savedmodel.ReadProgram] accepts: operations
// that compute, and tables and variables with their saved contents.
package signatures

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"tkit/internal/network"
	"tkit/internal/savedmodel"
	"tkit/internal/tensorflow"
)

// DefaultKey is the key of the signature that is used by default.
const DefaultKey = "serving_default"

// Model is a SavedModel ready to run. It is safe for concurrent use; Close
// frees it.
type Model struct {
	// Signatures can be run; Refused contains the others with the reason.
	Signatures map[string]*Signature
	Refused    map[string]error

	graph   *tensorflow.Graph
	session *tensorflow.Session
}

// Signature is one function of a model. Its inputs and outputs are sorted by
// name.
type Signature struct {
	Key             string
	Method          string // such as "tensorflow/serving/predict"
	Inputs, Outputs []network.TensorInfo

	step  *tensorflow.Step
	ranks *ranks // nil if all inputs declare theirs
}

// InputError is an error about the inputs of a run.
type InputError struct{ Err error }

func (e *InputError) Error() string { return e.Err.Error() }
func (e *InputError) Unwrap() error { return e.Err }

func inputError(format string, args ...any) error { return &InputError{fmt.Errorf(format, args...)} }

// Open loads the graph with the given tags of the SavedModel in dir; nil
// selects the default tags. The folder is not needed afterwards.
func Open(ctx context.Context, dir string, tags []string, c tensorflow.Config) (*Model, error) {
	p, err := savedmodel.ReadProgram(ctx, dir, tags)
	if err != nil {
		return nil, err
	}
	m := &Model{Signatures: map[string]*Signature{}, Refused: p.Refused}
	if err := m.open(ctx, p, c); err != nil {
		return nil, fmt.Errorf("load SavedModel %s: %w", dir, errors.Join(err, m.Close()))
	}
	return m, nil
}

func (m *Model) open(ctx context.Context, p *savedmodel.Program, c tensorflow.Config) error {
	err := checkOperands(p.Graph)
	if err != nil {
		return err
	}
	if m.graph, err = tensorflow.ImportGraph(p.Graph); err != nil {
		return err
	}
	if m.session, err = tensorflow.NewSession(m.graph, c); err != nil {
		return err
	}
	for _, initial := range []savedmodel.Initial{p.Variables, p.Tables} {
		if err := m.fill(ctx, initial); err != nil {
			return err
		}
	}
	for _, key := range slices.Sorted(maps.Keys(p.Signatures)) {
		from := p.Signatures[key]
		if err := m.checkTypes(slices.Concat(from.Inputs, from.Outputs)); err != nil {
			return fmt.Errorf("signature %q: %w", key, err)
		}
		step, err := m.session.Step(tensors(from.Inputs), tensors(from.Outputs), from.Checks)
		if err != nil {
			return fmt.Errorf("signature %q: %w", key, err)
		}
		m.Signatures[key] = &Signature{Key: key, Method: from.Method, Inputs: from.Inputs, Outputs: from.Outputs,
			step: step, ranks: newRanks(p.Graph, from.Inputs)}
	}
	return nil
}

// fill sets the contents of variables or tables.
func (m *Model) fill(ctx context.Context, initial savedmodel.Initial) error {
	if len(initial.Targets) == 0 {
		return nil
	}
	var feeds []string
	var values []*tensorflow.Tensor
	defer func() { closeAll(values) }()
	for _, v := range initial.Feeds {
		var t *tensorflow.Tensor
		var err error
		if v.DataType == tensorflow.String {
			t, err = tensorflow.FromStrings(v.Shape, v.Text)
		} else {
			t, err = tensorflow.FromBytes(v.DataType, v.Shape, v.Data)
		}
		if err != nil {
			return fmt.Errorf("%q: %w", v.Name, err)
		}
		values, feeds = append(values, t), append(feeds, v.Tensor)
	}
	step, err := m.session.Step(feeds, nil, initial.Targets)
	if err != nil {
		return err
	}
	_, err = step.Run(ctx, values...)
	return err
}

// checkTypes checks that tensors have the types declared by a signature.
func (m *Model) checkTypes(infos []network.TensorInfo) error {
	for _, p := range infos {
		dt, err := m.graph.DataType(p.Tensor)
		if err != nil {
			return err
		}
		if dt != p.DataType {
			return fmt.Errorf("%q is declared as %v, but is %v", p.Name, p.DataType, dt)
		}
	}
	return nil
}

// Close waits for active runs and frees the model.
func (m *Model) Close() error {
	var err error
	if m.session != nil {
		err = m.session.Close()
	}
	if m.graph != nil {
		m.graph.Close()
	}
	return err
}

// Signature returns the signature with the given key; "" selects the default
// one. The error is an [InputError].
func (m *Model) Signature(key string) (*Signature, error) {
	if key == "" {
		key = DefaultKey
	}
	if s := m.Signatures[key]; s != nil {
		return s, nil
	}
	if err := m.Refused[key]; err != nil {
		return nil, inputError("signature %q is not served: %w", key, err)
	}
	return nil, inputError("there is no signature %.100q; there are %q", key, slices.Sorted(maps.Keys(m.Signatures)))
}

// Run computes the outputs from the inputs, both in the order of the signature.
// The caller closes both. The error is an [InputError] if the number, types or
// shapes of the inputs differ from the declaration, or an operation rejects
// them.
func (s *Signature) Run(ctx context.Context, inputs ...*tensorflow.Tensor) ([]*tensorflow.Tensor, error) {
	if len(inputs) != len(s.Inputs) {
		return nil, inputError("signature %q takes %d inputs, %q; %d are given", s.Key, len(s.Inputs), names(s.Inputs), len(inputs))
	}
	for i, t := range inputs {
		if err := check(s.Inputs[i], t); err != nil {
			return nil, err
		}
	}
	if s.ranks != nil {
		if err := s.ranks.check(s.Inputs, inputs); err != nil {
			return nil, err
		}
	}
	out, err := s.step.Run(ctx, inputs...)
	if e, ok := errors.AsType[*tensorflow.Error](err); ok && refuses(e.Code) {
		return nil, &InputError{err}
	}
	return out, err
}

// check rejects a tensor whose type or shape differs from the
// declaration. Some of
// TensorFlow's operations abort the process when they get a rank other than the
// one in their graph.
func check(p network.TensorInfo, t *tensorflow.Tensor) error {
	if t.DataType() != p.DataType {
		return inputError("input %q is %v; want %v", p.Name, t.DataType(), p.DataType)
	}
	if p.Shape == nil {
		return nil
	}
	shape := t.Shape()
	fits := len(shape) == len(p.Shape)
	for i := 0; fits && i < len(p.Shape); i++ {
		fits = p.Shape[i] < 0 || p.Shape[i] == shape[i]
	}
	if !fits {
		return inputError("input %q has the shape %v; want %v", p.Name, shape, p.Shape)
	}
	return nil
}

// refuses reports whether an operation that fails with a code does so because
// of its inputs: everything else it uses was available when the model was
// loaded.
func refuses(c tensorflow.Code) bool {
	switch c {
	case tensorflow.InvalidArgument, tensorflow.OutOfRange, tensorflow.NotFound, tensorflow.FailedPrecondition,
		tensorflow.Unimplemented, tensorflow.AlreadyExists:
		return true
	}
	return false
}

func tensors(infos []network.TensorInfo) []string {
	list := make([]string, len(infos))
	for i, p := range infos {
		list[i] = p.Tensor
	}
	return list
}

func names(infos []network.TensorInfo) []string {
	list := make([]string, len(infos))
	for i, p := range infos {
		list[i] = p.Name
	}
	return list
}

func closeAll(tensors []*tensorflow.Tensor) {
	for _, t := range tensors {
		t.Close()
	}
}
