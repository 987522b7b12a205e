package export_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	attrpb "github.com/wamuir/graft/tensorflow/core/framework/attr_value_go_proto"
	graphpb "github.com/wamuir/graft/tensorflow/core/framework/graph_go_proto"
	nodepb "github.com/wamuir/graft/tensorflow/core/framework/node_def_go_proto"
	typespb "github.com/wamuir/graft/tensorflow/core/framework/types_go_proto"
	versionspb "github.com/wamuir/graft/tensorflow/core/framework/versions_go_proto"

	"tkit/internal/needs"
	"tkit/internal/network"
	"tkit/internal/preprocessing"
	"tkit/internal/savedmodel"
	"tkit/internal/tensorflow"
	"tkit/registry"
	"tkit/registry/blobs"
	"tkit/registry/export"
)

const side = 4 // of the images, in pixels

// trunk is the mean colour, weighted: [N, side, side, 3] → [N, 3].
func trunk() *network.Network {
	axes := network.ConstNode("axes", tensorflow.Int32, []int64{2}, []byte{1, 0, 0, 0, 2, 0, 0, 0})
	mean := node("Mean", "mean", "images", "axes")
	mean.Attr["Tidx"] = &attrpb.AttrValue{Value: &attrpb.AttrValue_Type{Type: typespb.DataType_DT_INT32}}
	return assemble(tensorInfo("images", "images:0", -1, side, side, 3),
		[]network.TensorInfo{tensorInfo("bottleneck", "scaled:0", -1, 3)},
		weight("gain", []int64{3}, 1, 2, 3),
		axes, mean, node("Mul", "scaled", "mean", "gain/read"))
}

// head takes bottlenecks of three numbers for two classes.
func head() *network.Network {
	return assemble(tensorInfo("bottleneck", "bottleneck:0", -1, 3),
		[]network.TensorInfo{tensorInfo("probabilities", "probabilities:0", -1, 2), tensorInfo("logits", "logits:0", -1, 2)},
		weight("dense", []int64{3, 2}, 1, -1, 0.5, 0, -2, 1),
		node("MatMul", "logits", "bottleneck", "dense/read"),
		node("Softmax", "probabilities", "logits"))
}

func assemble(in network.TensorInfo, out []network.TensorInfo, w *network.Weight, nodes ...*nodepb.NodeDef) *network.Network {
	handle, read := network.WeightNodes(w)
	all := append([]*nodepb.NodeDef{network.PlaceholderNode(in.Name, in.DataType, in.Shape), handle, read}, nodes...)
	return &network.Network{
		Graph:  &graphpb.GraphDef{Versions: &versionspb.VersionDef{Producer: 1882}, Node: all},
		Inputs: []network.TensorInfo{in}, Outputs: out, Weights: []*network.Weight{w},
	}
}

func tensorInfo(name, tensor string, shape ...int64) network.TensorInfo {
	return network.TensorInfo{Name: name, Tensor: tensor, DataType: tensorflow.Float32, Shape: shape}
}

func weight(name string, shape []int64, values ...float32) *network.Weight {
	w := &network.Weight{Name: name, DataType: tensorflow.Float32, Shape: shape}
	for _, v := range values {
		w.Data = binary.LittleEndian.AppendUint32(w.Data, math.Float32bits(v))
	}
	return w
}

func node(op, name string, inputs ...string) *nodepb.NodeDef {
	float := &attrpb.AttrValue{Value: &attrpb.AttrValue_Type{Type: typespb.DataType_DT_FLOAT}}
	return &nodepb.NodeDef{Op: op, Name: name, Input: inputs, Attr: map[string]*attrpb.AttrValue{"T": float}}
}

// registered returns a registry with one version of the model colours.
func registered(t *testing.T, outputs []registry.TensorSpec) (*registry.Registry, *registry.Manifest) {
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
			Model:         "colours",
			Labels:        []string{"warm", "cold"},
			Preprocessing: preprocessing.ForMode("unit", side, side, 3),
			Signature:     registry.Signature{Inputs: export.TensorSpecs(trunk().Inputs), Outputs: outputs},
		},
		Trunk: registry.FromEncoder(trunk()),
		Head:  registry.FromEncoder(head()),
		By:    registry.Change{Actor: "ann"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return r, v.Manifest
}

// pixels are two images; answer computes the model's outputs for them.
func pixels() []float32 {
	all := make([]float32, 2*side*side*3)
	for i := range all {
		all[i] = float32(i%7) / 7
	}
	return all
}

func answer(images []float32) []float64 {
	var all []float64
	const n = side * side * 3
	for image := range slices.Chunk(images, n) {
		var m [3]float64
		for i, v := range image {
			m[i%3] += float64(v) / (side * side)
		}
		a, b := m[0]+0.5*2*m[1]-2*3*m[2], -m[0]+3*m[2]
		p := 1 / (1 + math.Exp(b-a))
		all = append(all, p, 1-p)
	}
	return all
}

func near(t *testing.T, what string, got []float64) {
	t.Helper()
	want := answer(pixels())
	if len(got) != len(want) {
		t.Fatalf("%s: %v, want %v", what, got, want)
	}
	for i := range want {
		if math.Abs(got[i]-want[i]) > 1e-5 {
			t.Fatalf("%s: %v, want %v", what, got, want)
		}
	}
}

func TestWrite(t *testing.T) {
	r, m := registered(t, export.TensorSpecs(head().Outputs))
	dir := filepath.Join(t.TempDir(), "colours", "1")
	got, err := export.Write(t.Context(), r, m.Ref(), dir, export.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got.Ref() != m.Ref() {
		t.Errorf("Write says it wrote %s, want %s", got.Ref(), m.Ref())
	}
	near(t, "read again", throughSession(t, dir))
	near(t, "in Python", throughPython(t, dir))

	labels, err := os.ReadFile(filepath.Join(dir, export.Extra, "labels.txt"))
	if err != nil || string(labels) != "warm\ncold\n" {
		t.Errorf("labels.txt holds %q, %v", labels, err)
	}
	text, err := os.ReadFile(filepath.Join(dir, export.Extra, "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	again, err := registry.DecodeManifest(text)
	if err != nil {
		t.Fatal(err)
	}
	want, _ := m.Digest()
	if d, err := again.Digest(); err != nil || d != want {
		t.Errorf("the manifest beside the model has the digest %s, %v; want %s", d, err, want)
	}
	alone(t, dir)
	if _, err := export.Write(t.Context(), r, m.Ref(), dir, export.Options{}); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("exporting over an export: %v", err)
	}
}

// alone checks that there is nothing unfinished beside dir.
func alone(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(dir))
	if err != nil || len(entries) != 1 {
		t.Errorf("beside the export stand %v, %v", entries, err)
	}
}

func throughSession(t *testing.T, dir string) []float64 {
	t.Helper()
	n, err := savedmodel.Read(t.Context(), dir, savedmodel.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	if n, err = n.Prune("probabilities"); err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	loaded, err := n.Load(tensorflow.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer loaded.Close()
	in, err := tensorflow.FromFloat32([]int64{2, side, side, 3}, pixels())
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := loaded.Run(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	defer out[0].Close()
	var values []float64
	for _, v := range out[0].Float32() {
		values = append(values, float64(v))
	}
	return values
}

const program = `
import json, sys
import numpy as np, tensorflow as tf
images = tf.constant(np.array(json.load(sys.stdin), np.float32).reshape(-1, 4, 4, 3))
model = tf.saved_model.load(sys.argv[1])
print(json.dumps(model.signatures["serving_default"](images=images)["probabilities"].numpy().ravel().tolist()))
`

func throughPython(t *testing.T, dir string) []float64 {
	t.Helper()
	var values []float64
	if err := json.Unmarshal(runPython(t, program, dir, pixels()), &values); err != nil {
		t.Fatal(err)
	}
	return values
}

// runPython runs a program on a SavedModel, with asked as JSON on standard
// input, and returns its output.
func runPython(t *testing.T, program, dir string, asked any) []byte {
	t.Helper()
	python := needs.Python(t)
	in, err := json.Marshal(asked)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), python, "-c", program, dir)
	cmd.Stdin = bytes.NewReader(in)
	cmd.Env = append(os.Environ(), "TF_CPP_MIN_LOG_LEVEL=3")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s, which TKIT_PYTHON names and `make test` installs: %v\n%s", python, err, &stderr)
	}
	return out
}

func TestWriteFails(t *testing.T) {
	r, m := registered(t, export.TensorSpecs(head().Outputs))
	other, unlike := registered(t, []registry.TensorSpec{{Name: "scores", DataType: "float32", Shape: []int64{-1, 2}}})
	integer, mistyped := registered(t, []registry.TensorSpec{{Name: "logits", DataType: "int32", Shape: []int64{-1, 2}}})
	damaged, lost := registered(t, export.TensorSpecs(head().Outputs))
	path, err := damaged.BlobPath(t.Context(), lost.Head.Digest)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Chmod(path, 0o600), os.Truncate(path, 100)); err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		ctx  context.Context
		r    *registry.Registry
		ref  registry.Ref
		dir  string // "": a new one
		want func(error) bool
	}{
		"no alias":          {t.Context(), r, registry.Ref{Model: "colours", Alias: "production"}, "", is(registry.ErrNotFound)},
		"an unknown output": {t.Context(), other, unlike.Ref(), "", says("scores")},
		"another type":      {t.Context(), integer, mistyped.Ref(), "", says("int32")},
		"a damaged head":    {t.Context(), damaged, lost.Ref(), "", is(blobs.ErrCorrupt)},
		"an ended context":  {ended, r, m.Ref(), "", is(context.Canceled)},
		"a file":            {t.Context(), r, m.Ref(), file, says(file)},
		"below a file":      {t.Context(), r, m.Ref(), filepath.Join(file, "x"), says(file)},
	} {
		t.Run(name, func(t *testing.T) {
			parent := t.TempDir()
			dir := c.dir
			if dir == "" {
				dir = filepath.Join(parent, "model")
			}
			if _, err := export.Write(c.ctx, c.r, c.ref, dir, export.Options{}); err == nil || !c.want(err) {
				t.Errorf("Write: %v", err)
			}
			if left, err := os.ReadDir(parent); err != nil || len(left) > 0 {
				t.Errorf("Write left %v, %v", left, err)
			}
		})
	}
}

func is(target error) func(error) bool { return func(err error) bool { return errors.Is(err, target) } }

func says(text string) func(error) bool {
	return func(err error) bool { return strings.Contains(err.Error(), text) }
}
