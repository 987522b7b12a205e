package inference_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"testing"
)

// However a batch is divided, each row gets its own bottleneck.
func TestRunRows(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(3))
	trunk := openTrunk(t)
	for _, n := range []int{1, 4, 7, 8, 9, 13, 30} {
		var rows [][]float32
		for i := range n {
			rows = append(rows, slices.Repeat([]float32{float32(i), float32(2 * i), 1}, side*side))
		}
		got, err := trunk.RunRows(t.Context(), [3]int{side, side, 3}, rows)
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Rows) != n || !slices.Equal(got.Shape, []int64{3}) || got.Took <= 0 {
			t.Fatalf("%d rows of %v in %v for %d images", len(got.Rows), got.Shape, got.Took, n)
		}
		for i, row := range got.Rows {
			if want := []float32{float32(i), float32(2 * i), 1}; !slices.Equal(row, want) {
				t.Errorf("row %d of %d is %v, want %v", i, n, row, want)
			}
		}
	}
}

func TestRunRowsFaults(t *testing.T) {
	trunk := openTrunk(t)
	rows := slices.Repeat([][]float32{make([]float32, side*side*3)}, 12)
	rows[9] = rows[9][1:]
	if _, err := trunk.RunRows(t.Context(), [3]int{side, side, 3}, rows); err == nil {
		t.Error("a row that is too short went through")
	}
	if _, err := trunk.RunRows(t.Context(), [3]int{side, side, 1}, slices.Repeat([][]float32{make([]float32, side*side)}, 12)); err == nil {
		t.Error("images with one channel went through a network for three")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := trunk.RunRows(ctx, [3]int{side, side, 3}, rows[:8]); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
