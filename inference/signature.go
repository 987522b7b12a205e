package inference

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"tkit/internal/network"
)

// The names that TensorFlow Serving's clients use.
const (
	DefaultSignature = "serving_default"
	PredictMethod    = "tensorflow/serving/predict"
)

// A Signature describes what a servable computes: the tensors that it takes and
// returns.
type Signature struct {
	Method          string // such as PredictMethod
	Inputs, Outputs []TensorInfo
}

// A TensorInfo describes an input or output of a signature.
type TensorInfo = network.TensorInfo

// Input returns the input with a name. The error lists the inputs.
func (s Signature) Input(name string) (TensorInfo, error) {
	for _, in := range s.Inputs {
		if in.Name == name {
			return in, nil
		}
	}
	return TensorInfo{}, &Error{Reason: BadRequest, Err: fmt.Errorf("there is no input %.100q; want %q", name, names(s.Inputs))}
}

// order returns the inputs in the order of the signature. It refuses unknown,
// missing and repeated inputs, and those of a wrong type or with a number of
// elements that differs from their shape.
func (s Signature) order(inputs []Tensor) ([]Tensor, error) {
	ordered := make([]Tensor, len(s.Inputs))
	given := make([]bool, len(s.Inputs))
	for _, t := range inputs {
		i := slices.IndexFunc(s.Inputs, func(in TensorInfo) bool { return in.Name == t.Name })
		if i < 0 {
			return nil, fmt.Errorf("there is no input %.100q; want %q", t.Name, names(s.Inputs))
		}
		if given[i] {
			return nil, fmt.Errorf("input %q is given twice", t.Name)
		}
		if t.Type != s.Inputs[i].DataType {
			return nil, fmt.Errorf("input %q is %s; want %s", t.Name, t.Type, s.Inputs[i].DataType)
		}
		if err := t.Check(); err != nil {
			return nil, err
		}
		ordered[i], given[i] = t, true
	}
	if i := slices.Index(given, false); i >= 0 {
		return nil, fmt.Errorf("input %q is missing", s.Inputs[i].Name)
	}
	return ordered, nil
}

// selected returns the names of the outputs to compute: all if none is
// requested.
func (s Signature) selected(outputs []string) ([]string, error) {
	all := names(s.Outputs)
	if len(outputs) == 0 {
		return all, nil
	}
	for i, name := range outputs {
		if !slices.Contains(all, name) {
			return nil, fmt.Errorf("there is no output %.100q; want some of %q", name, all)
		}
		if slices.Contains(outputs[:i], name) {
			return nil, errors.New("an output is requested twice")
		}
	}
	return outputs, nil
}

func names(infos []TensorInfo) []string {
	list := make([]string, len(infos))
	for i, info := range infos {
		list[i] = info.Name
	}
	return list
}

func sortedNames(all map[string]Signature) []string { return slices.Sorted(maps.Keys(all)) }
