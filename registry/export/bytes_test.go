package export_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/image/bmp"

	"tkit/inference"
	"tkit/internal/pipeline"
	"tkit/internal/preprocessing"
	"tkit/registry"
	"tkit/registry/export"
)

// preprocessed returns a registry with a version of the model colours that
// preprocesses images by these steps.
func preprocessed(t *testing.T, steps ...preprocessing.Step) (*registry.Registry, *registry.Manifest) {
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
			Model: "colours", Labels: []string{"warm", "cold"},
			Preprocessing: preprocessing.Preprocessing{Steps: steps},
			Signature:     registry.Signature{Inputs: export.TensorSpecs(trunk().Inputs), Outputs: export.TensorSpecs(head().Outputs)},
		},
		Trunk: registry.FromEncoder(trunk()), Head: registry.FromEncoder(head()), By: registry.Change{Actor: "ann"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return r, v.Manifest
}

// encodings is a picture in every format that TensorFlow decodes, JPEG twice.
func encodings(t *testing.T) [][]byte {
	t.Helper()
	m := image.NewRGBA(image.Rect(0, 0, 40, 27))
	for i := range m.Pix {
		m.Pix[i] = uint8(i * 7 % 251)
	}
	for i := 3; i < len(m.Pix); i += 4 {
		m.Pix[i] = 255
	}
	other := image.NewGray(image.Rect(0, 0, 90, 70))
	for i := range other.Pix {
		other.SetGray(i%90, i/90, color.Gray{Y: uint8(i)})
	}
	var a, b, c, d, e bytes.Buffer
	if err := errors.Join(jpeg.Encode(&a, m, nil), jpeg.Encode(&b, other, nil), png.Encode(&c, m), gif.Encode(&d, m, nil), bmp.Encode(&e, m)); err != nil {
		t.Fatal(err)
	}
	return [][]byte{a.Bytes(), b.Bytes(), c.Bytes(), d.Bytes(), e.Bytes()}
}

const bytesProgram = `
import base64, json, sys
import numpy as np, tensorflow as tf
asked = json.load(sys.stdin)
files = [base64.b64decode(x) for x in asked["files"]]
images = tf.constant(np.array(asked["images"], np.float32).reshape(-1, 4, 4, 3))
def call(name, **inputs):
    return model.signatures[name](**inputs)["probabilities"].numpy().ravel().tolist()
model = tf.saved_model.load(sys.argv[1])
answer = {"batch": call("serving_bytes", image_bytes=tf.constant(files)), "plain": call("serving_default", images=images)}
answer["singles"] = sum((call("serving_bytes", image_bytes=tf.constant([f])) for f in files), [])
with tf.compat.v1.Session(graph=tf.Graph()) as session:
    meta = tf.compat.v1.saved_model.load(session, ["serve"], sys.argv[1])
    port = meta.signature_def["serving_bytes"]
    values = session.run(port.outputs["probabilities"].name, {port.inputs["image_bytes"].name: files})
    answer["session"] = values.ravel().tolist()
# This rewriter fails on graphs with loops: the plain signature must not have any.
tf.config.optimizer.set_experimental_options({"auto_mixed_precision_onednn_bfloat16": True})
model = tf.saved_model.load(sys.argv[1])
answer["rewritten"] = call("serving_default", images=images)
print(json.dumps(answer))
`

type bytesAnswer struct{ Batch, Singles, Session, Plain, Rewritten []float64 }

// An export with its preprocessing has the same outputs in Python as tkit for
// encoded images, and the same as without it for preprocessed ones.
func TestWriteWithPreprocessing(t *testing.T) {
	resize := func(keep string) preprocessing.Step {
		return preprocessing.Step{Resize: &preprocessing.Resize{Height: 9, Width: 8, Kernel: preprocessing.Bilinear, Antialias: true, Keep: keep}}
	}
	crop := preprocessing.Step{Crop: &preprocessing.Crop{Height: side, Width: side}}
	for name, steps := range map[string][]preprocessing.Step{
		"usual":  preprocessing.ForMode(preprocessing.Caffe, side, side, 3).Steps,
		"scaled": {{Decode: &preprocessing.Decode{Channels: 3, JPEGScale: true}}, resize(preprocessing.KeepShorter), crop, {Normalise: &preprocessing.Normalise{Mode: preprocessing.Torch}}},
	} {
		t.Run(name, func(t *testing.T) {
			r, m := preprocessed(t, steps...)
			dir := filepath.Join(t.TempDir(), "1")
			if _, err := export.Write(t.Context(), r, m.Ref(), dir, export.Options{Preprocessing: true}); err != nil {
				t.Fatal(err)
			}
			near(t, "read again", throughSession(t, dir))
			files := encodings(t)
			want := classified(t, r, m, files)

			var got bytesAnswer
			asked := map[string]any{"files": files, "images": pixels()} // JSON has bytes in base 64
			if err := json.Unmarshal(runPython(t, bytesProgram, dir, asked), &got); err != nil {
				t.Fatal(err)
			}
			near(t, "preprocessed, in Python", got.Plain)
			if len(got.Rewritten) != len(got.Plain) {
				t.Errorf("with the rewriter: %v", got.Rewritten)
			}
			for way, values := range map[string][]float64{"in a batch": got.Batch, "one by one": got.Singles, "in a session": got.Session} {
				if len(values) != len(want) {
					t.Fatalf("%s: %v, want %v", way, values, want)
				}
				for i := range want {
					if math.Abs(values[i]-want[i]) > 1e-5 {
						t.Errorf("%s: file %d: %v, want %v", way, i/2, values[i], want[i])
					}
				}
			}
		})
	}
}

func TestWriteWithPreprocessingRefuses(t *testing.T) {
	usual := preprocessing.ForMode(preprocessing.Unit, side, side, 3).Steps
	pinned := preprocessing.Plugin{Name: "saliency", Version: "1.2.0", Digest: "sha256:" + strings.Repeat("ab", 32)}
	r, m := preprocessed(t, usual[0], preprocessing.Step{Plugin: &pinned}, usual[1], usual[2])
	parent := t.TempDir()
	dir := filepath.Join(parent, "1")
	_, err := export.Write(t.Context(), r, m.Ref(), dir, export.Options{Preprocessing: true})
	if !errors.Is(err, pipeline.ErrNotInGraph) || !strings.Contains(err.Error(), "plugin saliency 1.2.0") {
		t.Errorf("a plugin in a graph: %v", err)
	}
	if left, err := os.ReadDir(parent); err != nil || len(left) > 0 {
		t.Errorf("it left %v, %v", left, err)
	}
	if _, err := export.Write(t.Context(), r, m.Ref(), dir, export.Options{}); err != nil {
		t.Errorf("without its preprocessing: %v", err)
	}
}

// classified returns tkit's own predictions for files.
func classified(t *testing.T, r *registry.Registry, m *registry.Manifest, files [][]byte) []float64 {
	t.Helper()
	loader := inference.NewLoader(&inference.RegistrySource{Registry: r}, inference.LoaderOptions{Cold: true})
	h, err := loader.Load(t.Context(), m.Model, m.Version)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	}()
	predictions, _, err := h.Classify(t.Context(), files)
	if err != nil {
		t.Fatal(err)
	}
	var all []float64
	for _, prediction := range predictions {
		for _, p := range prediction.Probabilities {
			all = append(all, float64(p))
		}
	}
	return all
}
