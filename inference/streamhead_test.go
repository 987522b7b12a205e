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
	"iter"
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

// classifier is a model that recognises three colours.
func classifier(t testing.TB) inference.Stream {
	t.Helper()
	return inference.Stream{Pipeline: compile(t, preprocessing.ForMode("unit", side, side, 3)), Trunk: openTrunk(t), Head: openHead(t)}
}

// streamed runs a stream over images and returns a row or an error for each.
func streamed(t testing.TB, s inference.Stream, images [][]byte) (rows [][]float32, faults []error) {
	t.Helper()
	rows, faults = make([][]float32, len(images)), make([]error, len(images))
	err := s.Run(t.Context(), listed(images), func(i int, _ inference.Item, row []float32, err error) error {
		rows[i], faults[i] = slices.Clone(row), err
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows, faults
}

// listed returns images as items.
func listed(images [][]byte) iter.Seq[inference.Item] {
	return func(yield func(inference.Item) bool) {
		for _, encoded := range images {
			if !yield(inference.Item{Read: func(context.Context) ([]byte, error) { return encoded, nil }}) {
				return
			}
		}
	}
}

func TestStreamWithHead(t *testing.T) {
	images := [][]byte{
		plain(t, color.NRGBA{R: 255}), []byte("no image"), plain(t, color.NRGBA{B: 200}),
		nil, plain(t, color.NRGBA{R: 10, G: 99}),
	}
	rows, faults := streamed(t, classifier(t), images)
	for i, want := range []int{0, -1, 2, -1, 1} {
		if want < 0 {
			reason(t, faults[i])
			if rows[i] != nil {
				t.Errorf("image %d is at fault and has an answer", i)
			}
			continue
		}
		if faults[i] != nil || len(rows[i]) != 3 || rows[i][want] != slices.Max(rows[i]) {
			t.Errorf("image %d: %v, %v, want class %d", i, rows[i], faults[i], want)
		}
		var sum float32
		for _, p := range rows[i] {
			sum += p
		}
		if sum < .999 || sum > 1.001 {
			t.Errorf("image %d: probabilities sum to %g", i, sum)
		}
	}
	for _, bad := range [][][]byte{nil, {nil}, {nil, []byte("text")}} {
		_, faults := streamed(t, classifier(t), bad)
		for _, err := range faults {
			reason(t, err)
		}
	}
}

func TestStreamWithHeadFails(t *testing.T) {
	images := listed([][]byte{plain(t, color.NRGBA{R: 1}), []byte("text")})
	ignore := func(int, inference.Item, []float32, error) error { return nil }
	s := classifier(t)
	wrong := s
	wrong.Pipeline = compile(t, preprocessing.ForMode("unit", side+1, side, 3))
	var e *tensorflow.Error
	if err := wrong.Run(t.Context(), images, ignore); !errors.As(err, &e) || e.Code != tensorflow.InvalidArgument {
		t.Errorf("images of another size than the trunk's: %v", err)
	}
	if err := s.Head.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Run(t.Context(), images, ignore); !errors.Is(err, tensorflow.ErrClosed) {
		t.Errorf("closed head: %v", err)
	}
}

func TestTrunkIsNamedByItsFile(t *testing.T) {
	path := trunkFile(t)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	trunk, err := inference.OpenTrunk(path, inference.TrunkOptions{})
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
	if _, err := inference.OpenTrunk(garbage, inference.TrunkOptions{}); !errors.Is(err, network.ErrFormat) {
		t.Errorf("garbage as a trunk: %v", err)
	}
	if _, err := inference.OpenHead(garbage); !errors.Is(err, network.ErrFormat) {
		t.Errorf("garbage as a head: %v", err)
	}
	if _, err := inference.OpenTrunk(garbage+"?", inference.TrunkOptions{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	if _, err := inference.OpenTrunk(headFile(t), inference.TrunkOptions{}); err == nil || !strings.Contains(err.Error(), "output") {
		t.Errorf("two outputs as a trunk: %v", err)
	}
	if _, err := inference.OpenHead(trunkFile(t)); err == nil || !strings.Contains(err.Error(), "probabilities") {
		t.Errorf("a trunk as a head: %v", err)
	}
	if _, err := inference.OpenTrunk(trunkFile(t), inference.TrunkOptions{Precision: "int3"}); !errors.Is(err, inference.ErrPrecision) {
		t.Errorf("unknown precision: %v", err)
	}
}
