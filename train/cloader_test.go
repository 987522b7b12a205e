package train

import (
	"errors"
	"math"
	"strings"
	"testing"

	tf "github.com/wamuir/graft/tensorflow"

	"tkit/internal/savedmodel/savedmodeltest"
	"tkit/registry/export"
)

// byCLoader loads an export by TensorFlow's C++ loader, as TensorFlow Serving
// and Triton do, and compares the outputs of each signature with want.
func byCLoader(t *testing.T, dir string, preprocessing bool, x savedmodeltest.Array, images [][]byte, want map[string]savedmodeltest.Array) {
	t.Helper()
	loaded, err := tf.LoadSavedModel(dir, []string{"serve"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer loaded.Session.Close()
	encoded := make([]string, len(images))
	for i, image := range images {
		encoded[i] = string(image)
	}
	pixels, err := tf.NewTensor(x.Values)
	given, failed := tf.NewTensor(encoded)
	if err := errors.Join(err, failed); err != nil {
		t.Fatal(err)
	}
	if err := pixels.Reshape(x.Shape); err != nil {
		t.Fatal(err)
	}
	feeds := map[string]*tf.Tensor{"serving_default": pixels}
	if preprocessing {
		feeds[export.BytesSignature] = given
	}
	for name, s := range loaded.Signatures {
		feed, known := feeds[name]
		if _, initialises := s.Outputs["__saved_model_init_op"]; initialises {
			continue
		}
		if !known {
			t.Errorf("%s: signature %s", dir, name)
			continue
		}
		delete(feeds, name)
		signatureAnswers(t, loaded, s, feed, want)
	}
	for name := range feeds {
		t.Errorf("%s: no signature %s", dir, name)
	}
}

func signatureAnswers(t *testing.T, m *tf.SavedModel, s tf.Signature, feed *tf.Tensor, want map[string]savedmodeltest.Array) {
	t.Helper()
	tensor := func(info tf.TensorInfo) tf.Output {
		name, _, _ := strings.Cut(info.Name, ":")
		return m.Graph.Operation(name).Output(0)
	}
	feeds := map[tf.Output]*tf.Tensor{}
	for _, in := range s.Inputs {
		feeds[tensor(in)] = feed
	}
	if len(feeds) != 1 || len(s.Outputs) != len(want) {
		t.Fatalf("the signature has the inputs %v and outputs %v", s.Inputs, s.Outputs)
	}
	for name, w := range want {
		out, err := m.Session.Run(feeds, []tf.Output{tensor(s.Outputs[name])}, nil)
		if err != nil {
			t.Fatal(err)
		}
		values := out[0].Value().([][]float32)
		for i, v := range w.Values {
			columns := int(w.Shape[1])
			if got := values[i/columns][i%columns]; math.Abs(float64(got-v)) > 1e-4*max(1, math.Abs(float64(v))) {
				t.Errorf("%s: %v, want %v", name, got, v)
			}
		}
	}
}
