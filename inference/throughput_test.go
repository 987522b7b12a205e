package inference

import "testing"

func TestSpread(t *testing.T) {
	for cores, want := range map[int][2]int{1: {1, 1}, 2: {1, 2}, 8: {1, 8}, 12: {1, 8}, 16: {2, 8}, 64: {8, 8}} {
		if threads, parallel := spread(cores); [2]int{threads, parallel} != want {
			t.Errorf("%d cores: %d threads for each of %d batches, want %v", cores, threads, parallel, want)
		}
	}
}
