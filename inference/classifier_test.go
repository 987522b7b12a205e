package inference_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tkit/inference"
	"tkit/internal/network"
	"tkit/internal/preprocessing"
	"tkit/internal/tensorflow"
)

// plain is a PNG of one colour.
func plain(t testing.TB, c color.NRGBA) []byte {
	t.Helper()
	m := image.NewNRGBA(image.Rect(0, 0, 13, 9))
	for i := range m.Pix {
		m.Pix[i] = []uint8{c.R, c.G, c.B, 255}[i%4]
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func classifier(t testing.TB) *inference.Classifier {
	t.Helper()
	return &inference.Classifier{
		Pipeline: compile(t, preprocessing.ForMode("unit", side, side, 3)),
		Trunk:    openTrunk(t), Head: openHead(t), Labels: []string{"red", "green", "blue"},
	}
}

func TestClassify(t *testing.T) {
	c := classifier(t)
	images := [][]byte{
		plain(t, color.NRGBA{R: 255}), []byte("no image"), plain(t, color.NRGBA{B: 200}),
		nil, plain(t, color.NRGBA{R: 10, G: 99}),
	}
	results, err := c.Classify(t.Context(), images)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"red", "", "blue", "", "green"} {
		r := results[i]
		if want == "" {
			reason(t, r.Err)
			if r.Probabilities != nil || len(r.Top(3)) != 0 {
				t.Errorf("image %d is at fault and has an answer", i)
			}
			continue
		}
		if top := r.Top(2); r.Err != nil || len(top) != 2 || top[0].Label != want {
			t.Errorf("image %d: %v, %v, want %s", i, top, r.Err, want)
		}
		var sum float32
		for _, p := range r.Probabilities {
			sum += p
		}
		if sum < .999 || sum > 1.001 {
			t.Errorf("image %d: probabilities sum to %g", i, sum)
		}
	}
}

func TestClassifyWithoutGoodImages(t *testing.T) {
	c := classifier(t)
	for _, images := range [][][]byte{nil, {nil}, {nil, []byte("text")}} {
		results, err := c.Classify(t.Context(), images)
		if err != nil || len(results) != len(images) {
			t.Errorf("%d images: %d results, %v", len(images), len(results), err)
		}
		for _, r := range results {
			reason(t, r.Err)
		}
	}
}

func TestClassifyFails(t *testing.T) {
	c := classifier(t)
	images := [][]byte{plain(t, color.NRGBA{R: 1}), []byte("text")}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Classify(ctx, images); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	wrong := *c
	wrong.Labels = wrong.Labels[:2]
	if _, err := wrong.Classify(t.Context(), images); err == nil || !strings.Contains(err.Error(), "2 classes") {
		t.Errorf("labels that are too few: %v", err)
	}
	wrong = *c
	wrong.Pipeline = compile(t, preprocessing.ForMode("unit", side+1, side, 3))
	var e *tensorflow.Error
	if _, err := wrong.Classify(t.Context(), images); !errors.As(err, &e) || e.Code != tensorflow.InvalidArgument {
		t.Errorf("images of another size than the trunk's: %v", err)
	}
	if err := c.Trunk.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Classify(t.Context(), images); !errors.Is(err, tensorflow.ErrClosed) {
		t.Errorf("closed trunk: %v", err)
	}
}

func TestTopKeepsTheOrderOfEquals(t *testing.T) {
	c := classifier(t)
	results, err := c.Classify(t.Context(), [][]byte{plain(t, color.NRGBA{R: 50, G: 50, B: 50})})
	if err != nil {
		t.Fatal(err)
	}
	var labels []string
	for _, p := range results[0].Top(9) {
		labels = append(labels, p.Label)
	}
	if !slices.Equal(labels, c.Labels) {
		t.Errorf("a tie of three is %v", labels)
	}
}

func TestTrunkIsNamedByItsFile(t *testing.T) {
	path := trunkFile(t)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	trunk, err := inference.OpenTrunk(path, tensorflow.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer trunk.Close()
	if want := fmt.Sprintf("sha256:%x", sha256.Sum256(b)); trunk.Digest() != want {
		t.Errorf("digest %s, want %s", trunk.Digest(), want)
	}
	if trunk.Precision() != inference.FP32 {
		t.Errorf("precision %s", trunk.Precision())
	}
	if in, out := trunk.Input(), trunk.Output(); !slices.Equal(in, []int64{-1, side, side, 3}) || !slices.Equal(out, []int64{-1, 3}) {
		t.Errorf("from %v to %v", in, out)
	}
	head := openHead(t)
	if in, out := head.Input(), head.Output(); !slices.Equal(in, []int64{-1, 3}) || !slices.Equal(out, []int64{-1, 3}) {
		t.Errorf("head from %v to %v", in, out)
	}
}

func TestOpenRefuses(t *testing.T) {
	garbage := filepath.Join(t.TempDir(), "garbage")
	if err := os.WriteFile(garbage, bytes.Repeat([]byte("no network "), 100), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := inference.OpenTrunk(garbage, tensorflow.Config{}); !errors.Is(err, network.ErrFormat) {
		t.Errorf("garbage as a trunk: %v", err)
	}
	if _, err := inference.OpenHead(garbage, tensorflow.Config{}); !errors.Is(err, network.ErrFormat) {
		t.Errorf("garbage as a head: %v", err)
	}
	if _, err := inference.OpenTrunk(garbage+"?", tensorflow.Config{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	if _, err := inference.OpenTrunk(headFile(t), tensorflow.Config{}); err == nil || !strings.Contains(err.Error(), "output") {
		t.Errorf("two outputs as a trunk: %v", err)
	}
	if _, err := inference.OpenHead(trunkFile(t), tensorflow.Config{}); err == nil || !strings.Contains(err.Error(), "probabilities") {
		t.Errorf("a trunk as a head: %v", err)
	}
	if _, err := inference.OpenTrunkIn("int3", trunkFile(t), tensorflow.Config{}); !errors.Is(err, inference.ErrPrecision) {
		t.Errorf("unknown precision: %v", err)
	}
}
