package pipeline_test

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"tkit/internal/pipeline"
	"tkit/internal/preprocessing"
	"tkit/internal/savedmodel/savedmodeltest"
)

// TestPipelineAnswersAsPythonDoes compares with the results of TensorFlow,
// Keras and Pillow, bit by bit.
func TestPipelineAnswersAsPythonDoes(t *testing.T) {
	dir := savedmodeltest.Cached(t, "preprocessing", filepath.Join("testdata", "reference.py"))
	var cases []struct {
		File, Want    string
		Preprocessing preprocessing.Preprocessing
	}
	b, err := os.ReadFile(filepath.Join(dir, "cases.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) < 129 {
		t.Fatalf("only %d cases", len(cases))
	}
	for _, c := range cases {
		t.Run(c.Want+" "+c.File+" "+c.Preprocessing.String(), func(t *testing.T) {
			encoded, err := os.ReadFile(filepath.Join(dir, c.File))
			if err != nil {
				t.Fatal(err)
			}
			p := compile(t, c.Preprocessing)
			got := make([]float32, p.Elements())
			if err := p.Into(t.Context(), encoded, got); err != nil {
				t.Fatal(err)
			}
			want := savedmodeltest.ReadArray(t, filepath.Join(dir, c.Want)).Values
			if len(want) != len(got) {
				t.Fatalf("%d values, want %d", len(got), len(want))
			}
			worst, differ := 0.0, 0
			for i := range want {
				if got[i] != want[i] {
					differ++
					worst = max(worst, math.Abs(float64(got[i])-float64(want[i])))
				}
			}
			if differ > 0 {
				t.Errorf("%d of %d values differ, by up to %g", differ, len(want), worst)
			}
		})
	}
}

func compile(t testing.TB, p preprocessing.Preprocessing) *pipeline.Pipeline {
	t.Helper()
	pl, err := pipeline.Compile(p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := pl.Close(); err != nil {
			t.Error(err)
		}
	})
	return pl
}
