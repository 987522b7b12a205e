package signatures_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tkit/internal/savedmodel/savedmodeltest"
	"tkit/internal/signatures"
	"tkit/internal/tensorflow"
)

// models returns the folder of SavedModels written by testdata/models.py.
func models(t testing.TB) string {
	t.Helper()
	return savedmodeltest.Cached(t, "models", "testdata/models.py")
}

func open(t testing.TB, name string) *signatures.Model {
	t.Helper()
	m, err := signatures.Open(t.Context(), filepath.Join(models(t), name), nil, tensorflow.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

// array is a tensor as stored by models.py.
type array struct {
	DataType string          `json:"dtype"`
	Shape    []int64         `json:"shape"`
	Values   json.RawMessage `json:"values"`
}

type example struct{ Inputs, Outputs map[string]array }

func examples(t testing.TB, name string) map[string]example {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(models(t), name, "examples.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]example
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

func dataType(t testing.TB, name string) tensorflow.DataType {
	t.Helper()
	for dt := range tensorflow.DataType(30) {
		if dt.String() == name {
			return dt
		}
	}
	t.Fatalf("no type %q", name)
	return 0
}

// numbers returns the bytes of an array of numbers, strings the elements of an
// array of strings.
func (a array) numbers(t testing.TB) []byte {
	t.Helper()
	var b []byte
	if err := json.Unmarshal(a.Values, &b); err != nil {
		t.Fatal(err)
	}
	return b
}

func (a array) strings(t testing.TB) [][]byte {
	t.Helper()
	var b [][]byte
	if err := json.Unmarshal(a.Values, &b); err != nil {
		t.Fatal(err)
	}
	return b
}

func (a array) tensor(t testing.TB) *tensorflow.Tensor {
	t.Helper()
	var made *tensorflow.Tensor
	var err error
	if dt := dataType(t, a.DataType); dt == tensorflow.String {
		made, err = tensorflow.FromStrings(a.Shape, a.strings(t))
	} else {
		made, err = tensorflow.FromBytes(dt, a.Shape, a.numbers(t))
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(made.Close)
	return made
}

// same compares an output with Python's: floats within rounding, everything
// else exactly.
func same(t testing.TB, name string, got *tensorflow.Tensor, want array) {
	t.Helper()
	if got.DataType() != dataType(t, want.DataType) || !slices.Equal(got.Shape(), want.Shape) {
		t.Errorf("%s is %v, want %s %v", name, got, want.DataType, want.Shape)
		return
	}
	switch got.DataType() {
	case tensorflow.String:
		have, err := got.Strings()
		if err != nil {
			t.Fatal(err)
		}
		if !slices.EqualFunc(have, want.strings(t), slices.Equal) {
			t.Errorf("%s is %q, want %q", name, have, want.strings(t))
		}
	case tensorflow.Float32:
		wanted, err := tensorflow.FromBytes(tensorflow.Float32, want.Shape, want.numbers(t))
		if err != nil {
			t.Fatal(err)
		}
		defer wanted.Close()
		for i, v := range got.Float32() {
			w := wanted.Float32()[i]
			if v != w && !(v != v && w != w) && !(math.Abs(float64(v-w)) <= 1e-5*max(1, math.Abs(float64(w)))) {
				t.Errorf("%s[%d] is %v, want %v", name, i, v, w)
			}
		}
	default:
		if !slices.Equal(got.Bytes(), want.numbers(t)) {
			t.Errorf("%s is %s, want %s", name, base64.StdEncoding.EncodeToString(got.Bytes()), want.Values)
		}
	}
}

func run(t testing.TB, s *signatures.Signature, inputs map[string]array) ([]*tensorflow.Tensor, error) {
	t.Helper()
	var in []*tensorflow.Tensor
	for _, p := range s.Inputs {
		if a, ok := inputs[p.Name]; ok {
			in = append(in, a.tensor(t))
		}
	}
	out, err := s.Run(t.Context(), in...)
	t.Cleanup(func() {
		for _, o := range out {
			o.Close()
		}
	})
	return out, err
}

func TestAnswersAsPython(t *testing.T) {
	for _, name := range []string{"text", "keras_text", "types", "flow", "images", "tf1_reference", "tf1_resource"} {
		t.Run(name, func(t *testing.T) {
			m := open(t, name)
			for key, e := range examples(t, name) {
				s, err := m.Signature(key)
				if err != nil {
					t.Error(err)
					continue
				}
				for range 2 { // the second run has the same result
					out, err := run(t, s, e.Inputs)
					if err != nil {
						t.Errorf("%s: %v", key, err)
						continue
					}
					if len(out) != len(e.Outputs) {
						t.Errorf("%s has the outputs %v, want %q", key, s.Outputs, slices.Sorted(maps.Keys(e.Outputs)))
					}
					for i, o := range out {
						same(t, key+"/"+s.Outputs[i].Name, o, e.Outputs[s.Outputs[i].Name])
					}
				}
			}
		})
	}
}

// A signature that would change something, read a file or run Python is refused
// by name, even within a loop, and the other signatures are served.
func TestRefused(t *testing.T) {
	m := open(t, "flow")
	for key, want := range map[string]string{
		"counts": "changes variable", "python": "runs Python", "file": "reads or writes files", "hidden": "reads or writes files",
	} {
		_, err := m.Signature(key)
		if err == nil || !strings.Contains(err.Error(), want) || !errors.As(err, new(*signatures.InputError)) {
			t.Errorf("signature %q: %v, want %q", key, err, want)
		}
	}
	if _, err := m.Signature("nothing"); err == nil || !strings.Contains(err.Error(), `"serving_default"`) {
		t.Errorf("an unknown signature: %v", err)
	}
}

func TestInputErrors(t *testing.T) {
	m := open(t, "types")
	s, err := m.Signature("")
	if err != nil {
		t.Fatal(err)
	}
	good := examples(t, "types")[signatures.DefaultKey].Inputs
	for name, c := range map[string]struct {
		change func(map[string]array)
		want   string
	}{
		"missing":         {func(in map[string]array) { delete(in, "mask") }, `takes 3 inputs, ["mask" "numbers" "scale"]; 2 are given`},
		"type":            {func(in map[string]array) { in["mask"] = in["scale"] }, `input "mask" is int64`},
		"rank":            {func(in map[string]array) { in["numbers"] = in["scale"] }, `input "numbers" has the shape []`},
		"fixed dimension": {func(in map[string]array) { a := in["numbers"]; a.Shape = []int64{3, 2}; in["numbers"] = a }, `has the shape [3 2]`},
		"between inputs": {func(in map[string]array) {
			a := in["numbers"]
			a.Shape, a.Values = []int64{2, 0}, []byte(`""`)
			in["numbers"] = a
		}, `INVALID_ARGUMENT`},
	} {
		t.Run(name, func(t *testing.T) {
			inputs := maps.Clone(good)
			c.change(inputs)
			_, err := run(t, s, inputs)
			if err == nil || !errors.As(err, new(*signatures.InputError)) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

// A failed assertion of the model is an error of the request.
func TestAssertion(t *testing.T) {
	m := open(t, "flow")
	s, err := m.Signature("")
	if err != nil {
		t.Fatal(err)
	}
	large, err := tensorflow.FromFloat32([]int64{1, 3}, []float32{1, 2, 1000})
	if err != nil {
		t.Fatal(err)
	}
	defer large.Close()
	_, err = s.Run(t.Context(), large)
	if err == nil || !errors.As(err, new(*signatures.InputError)) || !strings.Contains(err.Error(), "x must be below 100") {
		t.Errorf("%v", err)
	}
}
