package bases_test

import (
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tkit/internal/bases"
	"tkit/internal/independence"
	"tkit/internal/network"
	"tkit/internal/preprocessing"
	"tkit/internal/savedmodel"
	"tkit/internal/savedmodel/savedmodeltest"
	"tkit/internal/tensorflow"
)

// prepare reads and prepares one of the users' bases, and returns the notes.
func prepare(t *testing.T, name string, o bases.Options) (*bases.Base, string, error) {
	t.Helper()
	var notes []string
	o.Note = func(note string) { notes = append(notes, note) }
	n, err := savedmodel.Read(t.Context(), filepath.Join(savedmodeltest.Bases(t), name), savedmodel.Options{Note: o.Note})
	if err != nil {
		return nil, "", err
	}
	b, err := bases.Prepare(n, o)
	return b, strings.Join(notes, "; "), err
}

// folded folds a base like for training and serving.
func folded(t *testing.T, b *bases.Base) *network.Network {
	t.Helper()
	n, err := b.Network.WithInput([]int64{-1, 16, 16, 3})
	if err != nil {
		t.Fatal(err)
	}
	if n, err = n.Fold(t.Context()); err != nil {
		t.Fatal(err)
	}
	return n
}

// A prepared base gives the same outputs as Python's TensorFlow, for a batch
// and for single images.
func TestPrepare(t *testing.T) {
	const float32, half, brain = 2e-5, 5e-3, 5e-2
	for _, tt := range []struct {
		name      string
		options   bases.Options
		tolerance float64 // relative to the largest value
		note      string
	}{
		{name: "leaking", tolerance: float32, note: "(4 of them)"},
		{name: "training", tolerance: float32, note: "(4 of them)"},
		{name: "fused", tolerance: float32, note: "(2 of them)"},
		{name: "centred_on_average", tolerance: float32, note: "(1 of them)"},
		{name: "average_of_one", tolerance: float32},
		{name: "transformer", tolerance: float32},
		{name: "any_size", tolerance: float32},
		{name: "batch_of_one", tolerance: float32},
		{name: "fixed_batch", tolerance: float32, note: "takes 1 images at a time"},
		{name: "normalised", tolerance: float32},
		{name: "fused_layer_norm", tolerance: 1e-4},
		{name: "dilated", tolerance: float32},
		{name: "mixed_float16", tolerance: half, note: "float16"},
		{name: "mixed_bfloat16", tolerance: brain, note: "bfloat16"},
		{name: "float16", tolerance: half, note: "float16"},
		{name: "bfloat16", tolerance: brain, note: "bfloat16"},
		{name: "float64", tolerance: float32, note: "float64"},
		{name: "uint8", tolerance: float32, note: "integers from 0 to 255"},
		{name: "int32", tolerance: float32, note: "integers from 0 to 255"},
		{name: "channels_first", tolerance: float32},
		{name: "auxiliary", tolerance: float32, note: `"Logits" is used`},
		{name: "named", tolerance: float32, note: `the outputs "class_name", "text" are omitted`},
		{name: "named", options: bases.Options{Output: "logits"}, tolerance: float32},
		{name: "two_inputs", tolerance: float32, note: `"image" takes the images`},
		{name: "two_images", options: bases.Options{Input: "right"}, tolerance: float32, note: `"right" takes the images`},
		{name: "switched", tolerance: float32, note: `"is_training"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b, notes, err := prepare(t, tt.name, tt.options)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(notes, tt.note) {
				t.Errorf("notes %q, want %q", notes, tt.note)
			}
			n := folded(t, b)
			if proved, err := independence.Prove(n); err != nil || !proved {
				t.Errorf("independence proved %v, %v", proved, err)
			}
			l, err := n.Load(tensorflow.Config{})
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			if err := independence.Try(t.Context(), l, 1e-3); err != nil {
				t.Error(err)
			}
			same(t, l, filepath.Join(savedmodeltest.Bases(t), tt.name), tt.tolerance)
		})
	}
}

// same compares the outputs for the images beside a base, in one batch, with
// those of Python's TensorFlow for single images.
func same(t *testing.T, l *network.Loaded, dir string, tolerance float64) {
	t.Helper()
	input, want := savedmodeltest.Example(t, dir)
	x, err := tensorflow.FromFloat32(input.Shape, input.Values)
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	out, err := l.Run(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	defer out[0].Close()
	if !slices.Equal(out[0].Shape(), want.Shape) {
		t.Fatalf("answers of shape %v, want %v", out[0].Shape(), want.Shape)
	}
	largest, worst := 0.0, 0.0
	for i, v := range out[0].Float32() {
		largest = max(largest, math.Abs(float64(want.Values[i])))
		worst = max(worst, math.Abs(float64(v-want.Values[i])))
	}
	if !(worst <= tolerance*largest) {
		t.Errorf("answers are off by %g where the largest is %g", worst, largest)
	}
}

// A network that cannot be a base is refused with the remedy.
func TestPrepareRefuses(t *testing.T) {
	for _, tt := range []struct {
		name    string
		options bases.Options
		says    []string
	}{
		{"encoded", bases.Options{}, []string{`"image_bytes" takes strings`, "export"}},
		{"two_images", bases.Options{}, []string{`"left"`, `"right"`, "choose one"}},
		{"joined_at_once", bases.Options{Input: "a"}, []string{`"a"`, `"b"`, "the only input"}},
		{"int8", bases.Options{}, []string{"int8", "Cast"}},
		{"auxiliary", bases.Options{Output: "Scores"}, []string{`"Scores"`, `"AuxLogits" "Logits"`}},
		{"named", bases.Options{Output: "best"}, []string{`"best" is int64`, `"logits"`}},
		{"two_inputs", bases.Options{Input: "patient"}, []string{`"patient"`, "[N, height, width, channels]"}},
		{"dropped", bases.Options{}, []string{"random", "export it without"}},
		{"drawn", bases.Options{}, []string{"draws random numbers", "without it"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := prepare(t, tt.name, tt.options)
			if err == nil {
				t.Fatal("it is accepted")
			}
			if !errors.Is(err, bases.ErrUnsuitable) && !errors.Is(err, savedmodel.ErrUnsupported) {
				t.Errorf("%v wraps neither", err)
			}
			for _, s := range tt.says {
				if !strings.Contains(err.Error(), s) {
					t.Errorf("%q does not say %q", err, s)
				}
			}
		})
	}
}

// A choice among very many outputs is left to the user: comparing them takes a
// graph traversal for each.
func TestPrepareManyOutputs(t *testing.T) {
	n, err := savedmodel.Read(t.Context(), filepath.Join(savedmodeltest.Bases(t), "float16"), savedmodel.Options{})
	if err != nil {
		t.Fatal(err)
	}
	first := n.Outputs[0]
	for i := range 300 {
		again := first
		again.Name = fmt.Sprint("again", i)
		n.Outputs = append(n.Outputs, again)
	}
	if _, err := bases.Prepare(n, bases.Options{}); !errors.Is(err, bases.ErrOutput) {
		t.Errorf("of 301 outputs one is chosen: %v", err)
	}
	if _, err := bases.Prepare(n, bases.Options{Output: "again7"}); err != nil {
		t.Errorf("the one asked for: %v", err)
	}
}

// Outputs that depend on the batch or on random numbers are detected by the
// graph or by trying.
func TestMixing(t *testing.T) {
	for _, tt := range []struct {
		name  string
		graph string // what the graph says; "" if only trying tells
	}{
		{"fused_alone", "training mode"},
		{"centred", "takes the mean over the whole batch"},
		{"ranked", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b, _, err := prepare(t, tt.name, bases.Options{})
			if err != nil {
				t.Fatal(err)
			}
			n := folded(t, b)
			proved, err := independence.Prove(n)
			if proved || tt.graph == "" && err != nil || tt.graph != "" && (err == nil || !strings.Contains(err.Error(), tt.graph)) {
				t.Errorf("proved %v, %v; want %q", proved, err, tt.graph)
			}
			l, err := n.Load(tensorflow.Config{})
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			if err := independence.Try(t.Context(), l, 1e-3); !errors.Is(err, independence.ErrMixes) {
				t.Errorf("trying gives %v", err)
			}
		})
	}
}

func TestAccepts(t *testing.T) {
	b, _, err := prepare(t, "uint8", bases.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for mode, ok := range map[string]bool{preprocessing.None: true, preprocessing.TF: false, preprocessing.Unit: false} {
		if err := b.Accepts(preprocessing.ForMode(mode, 16, 16, 3)); (err == nil) != ok {
			t.Errorf("%s: %v", mode, err)
		}
	}
}
