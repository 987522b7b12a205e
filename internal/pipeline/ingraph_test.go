package pipeline_test

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	graphpb "github.com/wamuir/graft/tensorflow/core/framework/graph_go_proto"
	versionspb "github.com/wamuir/graft/tensorflow/core/framework/versions_go_proto"

	"tkit/internal/pipeline"
	"tkit/internal/preprocessing"
	"tkit/internal/savedmodel/savedmodeltest"
	"tkit/internal/tensorflow"
)

// runInGraph processes a batch by a description as a graph.
func runInGraph(t *testing.T, p preprocessing.Preprocessing, images ...[]byte) ([]float32, error) {
	t.Helper()
	in, err := pipeline.NewInGraph(p, "before/")
	if err != nil {
		t.Fatal(err)
	}
	graph, err := tensorflow.ImportGraph(&graphpb.GraphDef{Node: in.Nodes, Versions: &versionspb.VersionDef{Producer: 1882}})
	if err != nil {
		t.Fatal(err)
	}
	defer graph.Close()
	session, err := tensorflow.NewSession(graph, tensorflow.Config{}) // the optimizer at work, as elsewhere
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	step, err := session.Step([]string{in.Input.Tensor}, []string{in.Output.Tensor}, nil)
	if err != nil {
		t.Fatal(err)
	}
	batch, err := tensorflow.FromStrings([]int64{int64(len(images))}, images)
	if err != nil {
		t.Fatal(err)
	}
	defer batch.Close()
	out, err := step.Run(t.Context(), batch)
	if err != nil {
		return nil, err
	}
	defer out[0].Close()
	h, w, c := p.Shape()
	if want := []int64{int64(len(images)), int64(h), int64(w), int64(c)}; fmt.Sprint(out[0].Shape()) != fmt.Sprint(want) {
		t.Fatalf("the result is %v, want %v", out[0].Shape(), want)
	}
	return append([]float32(nil), out[0].Float32()...), nil
}

// A graph and a pipeline have the same results.
func TestInGraphAnswersAsAPipeline(t *testing.T) {
	dir := savedmodeltest.Cached(t, "preprocessing", filepath.Join("testdata", "reference.py"))
	read := func(names ...string) (images [][]byte) {
		for _, name := range names {
			b, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			images = append(images, b)
		}
		return images
	}
	resize := func(h, w int, kernel, keep string, antialias bool) preprocessing.Step {
		return preprocessing.Step{Resize: &preprocessing.Resize{Height: h, Width: w, Kernel: kernel, Keep: keep, Antialias: antialias}}
	}
	mode := func(m string) preprocessing.Step {
		return preprocessing.Step{Normalise: &preprocessing.Normalise{Mode: m}}
	}
	scaled := preprocessing.Step{Decode: &preprocessing.Decode{Channels: 3, JPEGScale: true}}
	grey := preprocessing.Step{Decode: &preprocessing.Decode{Channels: 1}}
	photos := read("photo.jpg", "wide.jpg", "tall.jpg", "square.jpg", "large.jpg", "progressive.jpg", "grey.jpg", "444.jpg", "one.jpg", "photo.jpg")
	lossless := append(photos, read("rgb.png", "rgba.png", "grey.png", "palette.png", "grey16.png", "palette.gif", "rgb.bmp")...)
	for _, c := range []struct {
		name   string
		images [][]byte
		steps  []preprocessing.Step
	}{
		{"usual", lossless, []preprocessing.Step{decodeStep, resize(40, 50, "bilinear", "", false), mode("caffe")}},
		{"imagenet", lossless, []preprocessing.Step{decodeStep, resize(48, 48, "bicubic", "shorter", true), {Crop: &preprocessing.Crop{Height: 41, Width: 42}}, mode("torch")}},
		{"letterbox", lossless, []preprocessing.Step{decodeStep, resize(48, 40, "lanczos3", "longer", false), {Pad: &preprocessing.Pad{Height: 48, Width: 48, Value: 114}}, mode("tf")}},
		{"nearest", lossless, []preprocessing.Step{decodeStep, resize(48, 40, "nearest", "", false), mode("unit")}},
		{"grey", lossless, []preprocessing.Step{decodeStep, resize(28, 28, "area", "", false), {Grey: &preprocessing.Grey{Channels: 1}}, {Normalise: &preprocessing.Normalise{Mode: "range", Low: -1, High: 3}}}},
		{"decoded grey", photos, []preprocessing.Step{grey, resize(28, 28, "bilinear", "", false), {Normalise: &preprocessing.Normalise{Mode: "standard", Mean: []float32{.4}, Deviation: []float32{.2}}}}},
		{"scaled", lossless, []preprocessing.Step{scaled, resize(51, 60, "bilinear", "", false), mode("none")}},
		{"scaled far", lossless, []preprocessing.Step{scaled, resize(20, 20, "gaussian", "", true), mode("none")}},
		{"grey in three", lossless, []preprocessing.Step{decodeStep, resize(28, 30, "lanczos5", "", true), {Grey: &preprocessing.Grey{Channels: 3}}, mode("tf")}},
		{"mitchell", lossless, []preprocessing.Step{decodeStep, resize(30, 28, "mitchellcubic", "", true), mode("unit")}},
		{"one image", photos[:1], []preprocessing.Step{decodeStep, resize(40, 50, "bilinear", "", false), mode("unit")}},
		{"none", nil, []preprocessing.Step{decodeStep, resize(40, 50, "bilinear", "", false), mode("unit")}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := preprocessing.Preprocessing{Steps: c.steps}
			pipeline := compile(t, p)
			got, err := runInGraph(t, p, c.images...)
			if err != nil {
				t.Fatal(err)
			}
			for i, encoded := range c.images {
				want := into(t, pipeline, encoded)
				for k := range want {
					if d := math.Abs(float64(got[i*len(want)+k] - want[k])); d > 1e-5*max(1, math.Abs(float64(want[k]))) {
						t.Fatalf("image %d, value %d: %g, want %g", i, k, got[i*len(want)+k], want[k])
					}
				}
			}
		})
	}
}

func TestInGraphRefuses(t *testing.T) {
	oriented := preprocessing.Step{Decode: &preprocessing.Decode{Channels: 3, Orientation: true}}
	ten := preprocessing.Step{TenCrop: &preprocessing.TenCrop{Height: 5, Width: 5}}
	for _, c := range []struct {
		want  string
		steps []preprocessing.Step
	}{
		{"step 2 (plugin saliency 1.0.0)", []preprocessing.Step{decodeStep, step("saliency", preprocessing.Gives{}), resizeStep, normal}},
		{"step 1 (decode)", []preprocessing.Step{oriented, resizeStep, normal}},
		{"step 3 (ten_crop)", []preprocessing.Step{decodeStep, resizeStep, ten, normal}},
	} {
		_, err := pipeline.NewInGraph(preprocessing.Preprocessing{Steps: c.steps}, "before/")
		if !errors.Is(err, pipeline.ErrNotInGraph) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
	if _, err := pipeline.NewInGraph(preprocessing.Preprocessing{}, "before/"); err == nil {
		t.Error("a description without steps is accepted")
	}
	// An image that cannot be decoded fails its batch.
	p := preprocessing.Preprocessing{Steps: []preprocessing.Step{decodeStep, resizeStep, normal}}
	if _, err := runInGraph(t, p, encodings(t, 9, 9)[preprocessing.PNG], []byte("no image")); err == nil {
		t.Error("no image, and no error")
	}
}
