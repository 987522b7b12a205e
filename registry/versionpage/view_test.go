package versionpage

import (
	"math"
	"strings"
	"testing"

	"tkit/internal/evaluation"
)

// The points of the reliability diagram stand for enough images, and for all.
func TestMerged(t *testing.T) {
	got := merged([]evaluation.Bin{{Count: 2, Confidence: 0.2, Accuracy: 0.5}, {Count: 18, Confidence: 0.4, Accuracy: 1}, {Count: 30, Confidence: 0.7, Accuracy: 0.7},
		{Count: 25, Confidence: 0.9, Accuracy: 0.8}, {Count: 5, Confidence: 0.99, Accuracy: 1}})
	want := []evaluation.Bin{{Count: 20, Confidence: 0.38, Accuracy: 0.95}, {Count: 30, Confidence: 0.7, Accuracy: 0.7}, {Count: 30, Confidence: 0.915, Accuracy: 25.0 / 30}}
	if len(got) != len(want) {
		t.Fatalf("got %+v", got)
	}
	for i, w := range want {
		if g := got[i]; g.Count != w.Count || math.Abs(g.Confidence-w.Confidence) > 1e-9 || math.Abs(g.Accuracy-w.Accuracy) > 1e-9 {
			t.Errorf("bin %d is %+v, want %+v", i, g, w)
		}
	}
	if got := merged([]evaluation.Bin{{Count: 3, Confidence: 0.5, Accuracy: 1}}); len(got) != 1 {
		t.Errorf("too few images for a bin: %+v", got)
	}
}

// Long labels do not head columns.
func TestMatrixOfLongLabels(t *testing.T) {
	for label, head := range map[string]string{"rose": "rose", strings.Repeat("Chrysanthemum ", 5): "1"} {
		var v view
		v.confusion(&evaluation.Evaluation{Classes: []evaluation.Class{{Label: label}, {Label: "tulip"}}})
		if c := v.Matrix.Columns[0]; c.Head != head || c.Label != label || v.Matrix.Rows[0].Label != label {
			t.Errorf("%q: %+v", label, v.Matrix)
		}
	}
}
