package scratch

import (
	"context"
	"fmt"

	"tkit/internal/network"
	"tkit/internal/tensorflow"
)

// variables transfers the run's state to and from a session.
type variables struct {
	slots  []slot
	reads  *tensorflow.Step
	assign []*tensorflow.Step
}

func newVariables(s *tensorflow.Session, slots []slot) (*variables, error) {
	v := &variables{slots: slots}
	var reads []string
	for _, sl := range slots {
		reads = append(reads, sl.read)
		step, err := s.Step([]string{sl.value}, nil, []string{sl.assigned})
		if err != nil {
			return nil, err
		}
		v.assign = append(v.assign, step)
	}
	var err error
	v.reads, err = s.Step(nil, reads, nil)
	return v, err
}

// values holds the state by name: little-endian float32.
type values map[string][]byte

// get copies the state out.
func (v *variables) get(ctx context.Context) (values, error) {
	tensors, err := v.reads.Run(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the weights: %w", err)
	}
	out := make(values, len(tensors))
	for i, t := range tensors {
		out[v.slots[i].name] = append([]byte(nil), t.Bytes()...)
		t.Close()
	}
	return out, nil
}

// set copies the state in; missing values are set to zero.
func (v *variables) set(ctx context.Context, state values) error {
	for i, sl := range v.slots {
		raw, ok := state[sl.name]
		if !ok {
			raw = make([]byte, 4*elements(sl.shape))
		}
		t, err := tensorflow.FromBytes(tensorflow.Float32, sl.shape, raw)
		if err != nil {
			return fmt.Errorf("set %s: %w", sl.name, err)
		}
		_, err = v.assign[i].Run(ctx, t)
		t.Close()
		if err != nil {
			return fmt.Errorf("set %s: %w", sl.name, err)
		}
	}
	return nil
}

// weights returns the values that belong to the network.
func (v *variables) weights(state values) []*network.Weight {
	var out []*network.Weight
	for _, sl := range v.slots {
		if sl.weight {
			out = append(out, &network.Weight{
				Name: sl.name, DataType: tensorflow.Float32, Shape: sl.shape, Data: state[sl.name], Trainable: sl.trainable,
			})
		}
	}
	return out
}

func elements(shape []int64) int64 {
	n := int64(1)
	for _, d := range shape {
		n *= d
	}
	return n
}
