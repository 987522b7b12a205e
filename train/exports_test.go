package train

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"tkit/internal/network"
	"tkit/internal/pipeline"
	"tkit/internal/preprocessing"
	"tkit/internal/savedmodel"
	"tkit/internal/savedmodel/savedmodeltest"
	"tkit/internal/tensorflow"
	"tkit/registry"
	"tkit/registry/export"
)

// TestExportsLoad exports fine-tuned networks and networks trained from
// scratch, with and without their preprocessing, and compares tkit's outputs
// with those of TensorFlow's C++ loader, Python's TensorFlow, Keras, TFLite,
// ONNX Runtime and OpenVINO.
func TestExportsLoad(t *testing.T) {
	dir := folder(t, 0, 1, 7)
	images := [][]byte{read(t, first(t, dir, "0")), read(t, first(t, dir, "1")), read(t, first(t, dir, "7"))}
	work := t.TempDir()
	type loading struct {
		Dir     string            `json:"dir"`
		Images  string            `json:"images"`
		Input   string            `json:"input"`
		Outputs map[string]string `json:"outputs"`
	}
	var asked []loading
	for name, train := range map[string]func(*testing.T, string) *Result{
		"pixels":  fineTuned("uint8"),
		"floats":  fineTuned("transformer"),
		"scratch": trainedFromScratch,
	} {
		t.Run(name, func(t *testing.T) {
			result := train(t, dir)
			defer result.Close()
			x, want := expected(t, result, images)
			given := loading{Input: result.Trunk.Inputs[0].Name, Outputs: map[string]string{}}
			given.Images = filepath.Join(work, name+".images.npy")
			savedmodeltest.WriteArray(t, given.Images, x)
			for output, a := range want {
				given.Outputs[output] = filepath.Join(work, name+"."+output+".npy")
				savedmodeltest.WriteArray(t, given.Outputs[output], a)
			}
			r, m := registeredAs(t, name, result)
			for kind, o := range map[string]export.Options{"plain": {}, "with-preprocessing": {Preprocessing: true}} {
				given.Dir = filepath.Join(work, name+"-"+kind)
				if _, err := export.Write(t.Context(), r, m.Ref(), given.Dir, o); err != nil {
					t.Fatal(err)
				}
				byCLoader(t, given.Dir, o.Preprocessing, x, images, want)
				asked = append(asked, given)
			}
		})
	}
	input, err := json.Marshal(asked)
	if err != nil {
		t.Fatal(err)
	}
	savedmodeltest.RunPythonOn(t, string(input), filepath.Join("testdata", "load_exports.py"))
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func trainedFromScratch(t *testing.T, dir string) *Result {
	t.Helper()
	r, err := FromScratch(t.Context(), scratchOptions(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// fineTuned trains a head on one of the small user bases.
func fineTuned(base string) func(*testing.T, string) *Result {
	return func(t *testing.T, dir string) *Result {
		t.Helper()
		n, err := savedmodel.Read(t.Context(), filepath.Join(savedmodeltest.Bases(t), base), savedmodel.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer n.Close()
		o := fineTuneOptions(t, dir)
		o.Base, o.Preprocessing = n, preprocessing.ForMode(preprocessing.None, 16, 16, 3)
		r, err := FineTune(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
}

func registeredAs(t *testing.T, model string, result *Result) (*registry.Registry, *registry.Manifest) {
	t.Helper()
	r, err := registry.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	v, err := r.Register(t.Context(), registry.Registration{
		Manifest: registry.Manifest{
			Model: model, Labels: result.Labels, Preprocessing: result.Preprocessing,
			Signature: registry.Signature{Inputs: export.TensorSpecs(result.Trunk.Inputs), Outputs: export.TensorSpecs(result.Head.Outputs)},
		},
		Trunk: registry.FromEncoder(result.Trunk), Head: registry.FromEncoder(result.Head), By: registry.Change{Actor: "ann"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return r, v.Manifest
}

// expected preprocesses images and runs them through trunk and head. It returns
// the trunk's input and the head's outputs by name.
func expected(t *testing.T, r *Result, images [][]byte) (x savedmodeltest.Array, outputs map[string]savedmodeltest.Array) {
	t.Helper()
	p, err := pipeline.Compile(r.Preprocessing)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	height, width, channels := p.Shape()
	x.Shape = []int64{int64(len(images)), int64(height), int64(width), int64(channels)}
	x.Values = make([]float32, len(images)*p.Elements())
	for i, image := range images {
		if err := p.Into(t.Context(), image, x.Values[i*p.Elements():(i+1)*p.Elements()]); err != nil {
			t.Fatal(err)
		}
	}
	bottlenecks := through(t, r.Trunk, x)
	outputs = map[string]savedmodeltest.Array{}
	for i, a := range through(t, r.Head, bottlenecks[0]) {
		outputs[r.Head.Outputs[i].Name] = a
	}
	return x, outputs
}

func through(t *testing.T, n *network.Network, x savedmodeltest.Array) []savedmodeltest.Array {
	t.Helper()
	loaded, err := n.Load(tensorflow.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer loaded.Close()
	in, err := tensorflow.FromFloat32(x.Shape, x.Values)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := loaded.Run(context.Background(), in)
	if err != nil {
		t.Fatal(err)
	}
	var all []savedmodeltest.Array
	for _, o := range out {
		all = append(all, savedmodeltest.Array{Shape: o.Shape(), Values: append([]float32{}, o.Float32()...)})
		o.Close()
	}
	return all
}
