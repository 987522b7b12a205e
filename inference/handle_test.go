package inference

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"tkit/internal/tensorflow"
)

// An echo is a servable that returns the names of the requested outputs.
type echo struct{ closed bool }

func (*echo) Signatures() map[string]Signature {
	return map[string]Signature{
		DefaultSignature: {
			Inputs:  []TensorInfo{{Name: "a", DataType: tensorflow.Float32}, {Name: "b", DataType: tensorflow.String}},
			Outputs: []TensorInfo{{Name: "x"}, {Name: "y"}},
		},
		"other": {Outputs: []TensorInfo{{Name: "z"}}},
	}
}

func (*echo) Run(_ context.Context, signature string, inputs []Tensor, outputs []string) ([]Tensor, Timings, error) {
	said := []Tensor{{Name: signature}}
	for _, t := range inputs {
		said = append(said, Tensor{Name: t.Name})
	}
	for _, name := range outputs {
		said = append(said, Tensor{Name: name})
	}
	return said, Timings{}, nil
}

func (e *echo) Close() error {
	if e.closed {
		return errors.New("closed twice")
	}
	e.closed = true
	return nil
}

// A handle checks requests in the same way for every kind of servable.
func TestHandleChecksRequests(t *testing.T) {
	h := newHandle(Version{Model: "m", Number: 7}, &echo{})
	a := Float32Tensor("a", []int64{2}, []float32{1, 2})
	b := Tensor{Name: "b", Type: tensorflow.String, Strings: [][]byte{[]byte("s")}}
	long := a
	long.Shape = []int64{3}
	for name, test := range map[string]struct {
		signature string
		inputs    []Tensor
		outputs   []string
		want      string
	}{
		"in any order":         {"", []Tensor{b, a}, nil, "serving_default a b x y"},
		"one output":           {DefaultSignature, []Tensor{a, b}, []string{"y"}, "serving_default a b y"},
		"another signature":    {"other", nil, nil, "other z"},
		"an unknown signature": {"train", nil, nil, `m@7 has no signature "train"; it has ["other" "serving_default"]`},
		"an unknown input":     {"", []Tensor{a, b, {Name: "c"}}, nil, `m@7: there is no input "c"; want ["a" "b"]`},
		"a missing input":      {"", []Tensor{a}, nil, `m@7: input "b" is missing`},
		"an input twice":       {"", []Tensor{a, a}, nil, `m@7: input "a" is given twice`},
		"another type":         {"", []Tensor{{Name: "a", Type: tensorflow.Int64}, b}, nil, `m@7: input "a" is int64; want float32`},
		"too few elements":     {"", []Tensor{long, b}, nil, `m@7: tensor "a" has 8 bytes; float32 of shape [3] has 3 elements of 4 bytes`},
		"an unknown output":    {"", []Tensor{a, b}, []string{"z"}, `m@7: there is no output "z"; want some of ["x" "y"]`},
		"an output twice":      {"", []Tensor{a, b}, []string{"x", "x"}, `m@7: an output is requested twice`},
	} {
		t.Run(name, func(t *testing.T) {
			said, _, err := h.Run(t.Context(), test.signature, test.inputs, test.outputs)
			var got []string
			for _, s := range said {
				got = append(got, s.Name)
			}
			if err != nil {
				got = []string{err.Error()}
				if ReasonOf(err) != BadRequest {
					t.Errorf("the reason is %s", ReasonOf(err))
				}
			}
			if text := strings.Join(got, " "); text != test.want {
				t.Errorf("%s, want %s", text, test.want)
			}
		})
	}
	if _, _, err := h.Classify(t.Context(), nil); ReasonOf(err) != BadRequest {
		t.Errorf("images for tensors: %v", err)
	}
}

// A servable is closed when its last user releases it, and can then not be
// acquired.
func TestHandleCountsUsers(t *testing.T) {
	e := &echo{}
	h := newHandle(Version{}, e)
	if !h.acquire() {
		t.Fatal("a fresh handle has no user")
	}
	retired := make(chan error)
	go func() { retired <- h.Close() }()
	h.Release()
	if err := <-retired; err != nil || !e.closed || h.acquire() {
		t.Errorf("retired: %v, closed %t", err, e.closed)
	}
}

func TestTensorFloat32(t *testing.T) {
	want := []float32{1, -2, 3}
	aligned := Float32Tensor("t", []int64{3}, want)
	shifted := Tensor{Data: append([]byte{0}, aligned.Data...)[1:]}
	for _, got := range [][]float32{aligned.Float32(), shifted.Float32(), Tensor{}.Float32()} {
		if len(got) > 0 && !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
	}
	if &aligned.Float32()[0] != &want[0] {
		t.Error("aligned elements were copied")
	}
}
