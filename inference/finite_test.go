package inference

import (
	"math"
	"testing"
)

func TestNotFinite(t *testing.T) {
	inf := float32(math.Inf(1))
	for _, test := range []struct {
		values []float32
		want   int
	}{{nil, -1}, {[]float32{0, -1, math.MaxFloat32}, -1}, {[]float32{1, inf}, 1}, {[]float32{-inf}, 0}, {[]float32{2, 3, inf - inf}, 2}} {
		if got := notFinite(test.values); got != test.want {
			t.Errorf("%v: %d, want %d", test.values, got, test.want)
		}
	}
}
