package inference_test

import (
	"context"
	"image/png"
	"math"
	"slices"
	"testing"

	"tkit/inference"
	"tkit/internal/preprocessing"
	"tkit/internal/tensorflow"
)

// The bottleneck of ten crops is the mean of the crops' bottlenecks, in training
// and in serving.
func TestTenCropsAreAveraged(t *testing.T) {
	p := compile(t, preprocessing.Preprocessing{Steps: []preprocessing.Step{
		{Decode: &preprocessing.Decode{Channels: 3}},
		{Resize: &preprocessing.Resize{Height: side + 3, Width: side + 5, Kernel: preprocessing.Bilinear}},
		{TenCrop: &preprocessing.TenCrop{Height: side, Width: side}},
		{Normalise: &preprocessing.Normalise{Mode: preprocessing.Unit}},
	}})
	trunk := openTrunk(t)
	head := openHead(t)
	images := [][]byte{drawn(t, 60, 50, png.Encode), []byte("no image"), drawn(t, 40, 90, asJPEG)}

	// Each view by itself.
	want := map[int][]float32{}
	for _, i := range []int{0, 2} {
		views := slices.Collect(slices.Chunk(into(t, p, images[i]), side*side*3))
		if len(views) != 10 {
			t.Fatalf("%d views", len(views))
		}
		mean := make([]float64, 3)
		for _, view := range views {
			in, err := tensorflow.FromFloat32([]int64{1, side, side, 3}, view)
			if err != nil {
				t.Fatal(err)
			}
			out, err := trunk.Run(t.Context(), in)
			if err != nil {
				t.Fatal(err)
			}
			for k, v := range out.Float32() {
				mean[k] += float64(v) / 10
			}
			in.Close()
			out.Close()
		}
		want[i] = []float32{float32(mean[0]), float32(mean[1]), float32(mean[2])}
	}

	items := make([]inference.Item, len(images))
	varied := 0
	for i, encoded := range images {
		items[i] = inference.Item{Read: func(context.Context) ([]byte, error) { return encoded, nil }}
		if i == 0 {
			items[i].Vary = func(image []float32) {
				if len(image) == side*side*3 {
					varied++
				}
			}
		}
	}
	got := map[int][]float32{}
	e := inference.Stream{Pipeline: p, Trunk: trunk}
	err := e.Run(t.Context(), slices.Values(items), func(i int, _ inference.Item, bottleneck []float32, err error) error {
		if (err != nil) != (i == 1) {
			t.Errorf("image %d: %v", i, err)
		}
		got[i] = slices.Clone(bottleneck)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, w := range want {
		for k := range w {
			if math.Abs(float64(w[k]-got[i][k])) > 1e-6 {
				t.Errorf("image %d: the bottleneck is %v, want %v", i, got[i], w)
				break
			}
		}
	}
	if varied != 10 {
		t.Errorf("%d views were varied", varied)
	}

	rows, faults := streamed(t, inference.Stream{Pipeline: p, Trunk: trunk, Head: head}, images)
	reason(t, faults[1])
	for i, w := range want {
		in, err := tensorflow.FromFloat32([]int64{1, 3}, w)
		if err != nil {
			t.Fatal(err)
		}
		out, err := head.Run(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		for k, p := range out.Float32() {
			if math.Abs(float64(p-rows[i][k])) > 1e-5 {
				t.Errorf("image %d: %v, want %v", i, rows[i], out.Float32())
				break
			}
		}
		in.Close()
		out.Close()
	}
}
