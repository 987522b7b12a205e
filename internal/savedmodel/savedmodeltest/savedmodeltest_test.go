package savedmodeltest

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestKerasIsMadeOnceWithAnExample(t *testing.T) {
	dir := Keras(t, "mobilenet_v2")
	if _, err := os.Stat(filepath.Join(dir, "saved_model.pb")); err != nil {
		t.Fatal(err)
	}
	input, output := Example(t, dir)
	if !slices.Equal(input.Shape, []int64{2, 224, 224, 3}) || !slices.Equal(output.Shape, []int64{2, 1000}) {
		t.Fatalf("example of shapes %v, %v", input.Shape, output.Shape)
	}
	if again := Keras(t, "mobilenet_v2"); again != dir {
		t.Fatalf("%s, then %s", dir, again)
	}
}

func TestArrayRoundTrip(t *testing.T) {
	for _, a := range []Array{
		{Shape: []int64{2, 3}, Values: []float32{1, 2, 3, 4, 5, 6}},
		{Shape: []int64{1}, Values: []float32{-0.5}},
	} {
		path := filepath.Join(t.TempDir(), "a.npy")
		WriteArray(t, path, a)
		got := ReadArray(t, path)
		if !slices.Equal(got.Shape, a.Shape) || !slices.Equal(got.Values, a.Values) {
			t.Errorf("wrote %v, read %v", a, got)
		}
		printed := RunPython(t, "-c", `import sys, numpy; print(numpy.load(sys.argv[1]).tolist())`, path)
		if want := map[int]string{6: "[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]\n", 1: "[-0.5]\n"}[len(a.Values)]; printed != want {
			t.Errorf("numpy read %q, want %q", printed, want)
		}
	}
}
